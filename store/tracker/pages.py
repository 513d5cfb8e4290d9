"""A file of numbered lines by the piece: what a run printed (`tracker.console`), read only where somebody looks.

The numbers grow with the file, as do times and steps, so any place is found by halving. Like `host` it uses the
standard library alone and keeps to Python 3.8, for its source runs on other machines too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tracker import host
from tracker.lines import CHUNK, record_of

FILE = "console.jsonl"
BLOCK = 8192
"""Bytes that are looked at where a place is searched."""
MAX_PAGE = 1000
"""Lines of a page."""
MAX_BYTES = 512 * 1024
"""Bytes of a page, about."""
MAX_RANGE = 8 * 1024 * 1024
"""Bytes that are searched at a time."""
MAX_LINE = 1 << 20
"""Bytes; a longer line is passed over: none of ours is."""
MAX_NUMBER = 10**9
"""Lines that a file may claim to have."""

_TEXT = b'"text":"'
_STREAM = re.compile(rb'"stream":"([^"\\]{1,20})"')
_NUMBER = re.compile(rb'"line":([0-9]{1,10})[,}]')


class Page(NamedTuple):
    """Some lines in a row."""

    lines: list[bytes]
    """As they are in the file. Where the page reaches the end, followed by those that tell of rows that may change."""
    total: int
    """Lines of the file."""
    size: int
    """Bytes of the file."""


class Pages:
    """The lines of one file.

    Args:
        path: where it is; a file that is not there has no lines.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def page(self, first: int, count: int, size: int = -1) -> Page | None:
        """Up to `count` lines from line `first` on; less where they are long.

        Args:
            first: the number of a line; negative: counted from the end.
            count: of lines.
            size: bytes that the file had: None is returned if it has as many still.
        """
        now = host.size_of(self._path) or 0
        if now == size:
            return None
        total = _total(self._path, now)
        first = max(0, total + first if first < 0 else first)
        start = place_of(self._path, now, lambda record: record["line"] < first) if first else 0
        lines: list[bytes] = []
        live: dict[bytes, bytes] = {}
        taken = 0
        for line in _lines(self._path, start, now):
            stream = _STREAM.search(line)
            if _TEXT not in line or stream is None:
                if stream is not None and b'"live":[' in line:
                    live[stream[1]] = line
                continue
            live.pop(stream[1], None)
            taken += len(line)
            if len(lines) >= min(count, MAX_PAGE) or taken > MAX_BYTES:
                live.clear()
                break
            lines.append(line)
        return Page([*lines, *live.values()], total, now)

    def line_at(self, field: str, value: float) -> int:
        """The number of the first line whose `_step` or `_timestamp` is at least a value; one above all if none is."""
        size = host.size_of(self._path) or 0
        start = place_of(self._path, size, lambda record: _field(record, field) < value)
        for line in _lines(self._path, start, size):
            record = _record(line)
            if record is not None and "text" in record:
                return int(record["line"])
        return _total(self._path, size)

    def matches(self, words: str, start: int, end: int) -> tuple[list[int], int]:
        """The numbers of the lines that contain words, among those that begin between two offsets, and the end reached.

        Capitals count if there are any in the words.
        """
        import json

        needle = json.dumps(words, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
        is_folded = words == words.lower()
        numbers: list[int] = []
        end = min(end, start + MAX_RANGE)
        while start < end:
            block, first, last = _whole_lines(self._path, start, min(CHUNK, end - start))
            if last <= first:
                if len(block) < MAX_LINE:  # the last line is not whole yet
                    break
                start += len(block)
                continue
            numbers += _hits(block[first:last], needle, is_folded)
            start += last
        return numbers, start


def place_of(path: str, size: int, is_before: Callable[[dict[str, Any]], bool]) -> int:
    """The offset of the first record that is not before what is looked for; all those before it are."""
    low, high = 0, size
    while high - low > BLOCK:
        middle = (low + high) // 2
        found = _first_record(path, middle, high)
        if found is not None and is_before(found[0]):
            low = found[1]
        else:
            high = middle
    at = low
    for line in _lines(path, low, size):
        record = _record(line)
        if record is not None and not is_before(record):
            return at
        at += len(line) + 1
    return size


def _total(path: str, size: int) -> int:
    """How many lines there are: as the last two records tell, of which one may be damaged."""
    length = BLOCK
    while True:
        begin = max(0, size - length)
        block = host.read(path, begin, size - begin) or b""
        lines = block[block.find(b"\n") + 1 if begin else 0 : block.rfind(b"\n") + 1].split(b"\n")
        known = (record for record in map(_record, reversed(lines)) if record is not None)
        numbers = [int(record["line"]) + ("text" in record) for record in itertools.islice(known, 2)]
        if len(numbers) == 2 or not begin or length > 4 * MAX_LINE:
            return max(numbers, default=0)
        length *= 4


def _first_record(path: str, start: int, end: int) -> tuple[dict[str, Any], int] | None:
    """The first record that begins between two offsets, and the offset after it."""
    while start < end:
        block, first, last = _whole_lines(path, start, BLOCK)
        at = first
        for line in block[first:last].split(b"\n")[:-1]:
            if start + at >= end:
                return None
            at += len(line) + 1
            record = _record(line)
            if record is not None:
                return record, start + at
        start += last or max(len(block), BLOCK)  # of a line without an end what is left of it is none
    return None


def _whole_lines(path: str, start: int, length: int) -> tuple[bytes, int, int]:
    """Bytes from an offset on, and where in them the first line that begins there does, and the last one ends."""
    while True:
        block = host.read(path, max(0, start - 1), length + 1) or b""
        if start:
            first, block = (0, block[1:]) if block[:1] == b"\n" else (block.find(b"\n"), block[1:])
        else:
            first = 0
        last = block.rfind(b"\n") + 1
        if last > first >= 0 or len(block) < length or length > MAX_LINE:
            return block, max(0, first), max(0, first, last)
        length *= 4


def _lines(path: str, start: int, end: int) -> Iterator[bytes]:
    """The whole lines from the beginning of one on, without their ends."""
    while start < end:
        block = host.read(path, start, CHUNK) or b""
        if b"\n" not in block and len(block) == CHUNK:
            block = host.read(path, start, MAX_LINE) or b""
        last = block.rfind(b"\n") + 1
        if last:
            yield from block[: last - 1].split(b"\n")
        elif len(block) < MAX_LINE:
            return
        start += last or len(block)  # of a line that is too long what is left of it will be no record


def _hits(block: bytes, needle: bytes, is_folded: bool) -> list[int]:
    """The numbers of the lines of a block that contain the needle in their text."""
    numbers: list[int] = []
    searched = block.lower() if is_folded else block
    place = 0
    while needle and (place := searched.find(needle, place)) >= 0:
        begin, stop = block.rfind(b"\n", 0, place) + 1, block.find(b"\n", place)
        text = block.find(_TEXT, begin, stop) + len(_TEXT)
        number = _NUMBER.search(block, begin, max(begin, text))
        if text < len(_TEXT) or number is None:
            place = stop
        elif place < text:
            place = text
        else:
            if place + len(needle) <= stop - 2:  # else it is what closes the record
                numbers.append(int(number[1]))
            place = stop
    return numbers


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a line, if it is one with a number."""
    record = record_of(line)
    number = record.get("line")
    return record if type(number) is int and 0 <= number < MAX_NUMBER else None


def _field(record: dict[str, Any], field: str) -> float:
    value = record.get(field)
    return value if isinstance(value, (int, float)) else float("-inf")
