"""Whole lines of growing files, and what of a journal is enough to know its run.

Bytes come out. Of what a journal holds this module knows that a checkpoint, or an end, repeats the run's small state.
Like `host` it uses the standard library alone and keeps to Python 3.8, for its source runs on other machines too.
"""

from __future__ import annotations

from typing import Any, Tuple

from tracker import host

CHUNK = 256 * 1024
"""Bytes that are read at a time."""
MAX_LINE = 16 * 1024 * 1024
"""Bytes; a longer line is counted as bad and passed over, so that no file can fill a reader's memory."""
FIRST_HEAD = 4096
LAST_TAIL = 16 * 1024
"""Bytes that are read first of the two ends of a journal."""
WHOLE = LAST_TAIL
"""Bytes of a journal up to which opening it looks at every line; of a larger one at its ends."""
MAX_LOOK = 512 * 1024
"""Bytes that one look takes from one file, about; the rest follows at the next."""
THIN = 400
"""Places of a large file from which a thinned reading takes lines."""
THIN_BLOCK = 8192
"""Bytes that are looked through at each of them, more if no line is whole in them: one line of each set of keys."""
LAST_BLOCK = 64 * 1024
"""Bytes at the end of which all lines are taken, so that the newest row is among them."""
THIN_ABOVE = 4 * 1024 * 1024
"""Bytes of a file up to which nothing is thinned."""

_START = b'{"_type":"start"'
_SUMS = (b'\n{"_type":"checkpoint"', b'\n{"_type":"end"')


class Lines:
    """The whole lines of a growing file, each once, in order.

    Args:
        path: the file; it may not be there.
        offset: where to begin: the beginning of a line.
        thin: of a file larger than `THIN_ABOVE` only lines from this many places, evenly spread, then all that follow
            the last of them; 0: all.
    """

    def __init__(self, path: str, offset: int = 0, thin: int = 0) -> None:
        self.path = path
        self.offset = offset
        """Bytes taken so far."""
        self.skipped = 0
        """Lines that were too long and are left out."""
        self.is_whole = False
        """Whether the last reading reached the end of the file."""
        self.is_thinned = False
        """Whether lines were left out to be quick."""
        self.is_replaced = False
        """Whether the file is shorter than what was taken from it: it is another one, and nothing more is read."""
        self._thin = thin
        self._skipping = False

    @property
    def is_behind(self) -> bool:
        """Whether the next reading may bring more at once."""
        return not self.is_whole

    def read(self, limit: int = CHUNK) -> bytes:
        """Whole lines from about `limit` bytes; a line that is longer is read whole. Empty where there is none."""
        if self._thin:
            thin, self._thin = self._thin, 0
            size = host.size_of(self.path) or 0
            if size > self.offset + THIN_ABOVE:
                data, self.offset = _thinned(self.path, self.offset, size, thin)
                self.is_thinned = True
                return data
        while True:
            data = host.read(self.path, self.offset, limit) or b""
            if not data:
                size_now = host.size_of(self.path)
                self.is_replaced = size_now is not None and size_now < self.offset
                self.is_whole = True
                return b""
            self.is_whole = len(data) < limit
            if self._skipping:
                end = data.find(b"\n") + 1
                self._skipping = not end
                self.offset += end or len(data)
                continue
            end = data.rfind(b"\n") + 1
            if end:
                self.offset += end
                return data[:end]
            if self.is_whole and len(data) <= MAX_LINE:
                return b""
            if len(data) > MAX_LINE:
                self.skipped += 1
                self._skipping = True
            limit = min(2 * limit, MAX_LINE + 1)

    def close(self) -> None:
        """Nothing more will be read."""


def _thinned(path: str, start: int, size: int, places: int) -> tuple[bytes, int]:
    """Lines from places evenly spread over a file, and the offset from which on all are to be taken.

    At each place one line of each set of keys: a metric that is logged seldom is found too, and few lines travel.
    """
    import re  # loaded already by whoever reads paths

    keys = re.compile(rb'[{,]"([^"\\]{1,200})":')
    lines: list[bytes] = []
    taken = 0
    end = _last_lines(path, start, size)
    offset = start
    for number in range(places):
        place = start + (end - start) * number // places
        if place < offset:
            continue
        block, first, last = _block(path, place, end, is_line=place == start)
        shapes = set()
        for line in block[first:last].splitlines(True):
            shape = tuple(keys.findall(line[:4096]))
            if shape not in shapes and taken <= THIN_ABOVE * (number + 1) // places:  # long lines from fewer places
                shapes.add(shape)
                lines.append(line)
                taken += len(line)
        offset = place + (last or max(1, len(block)))  # in a line that is too long no other place is tried
    return b"".join(lines), end


def _last_lines(path: str, start: int, size: int) -> int:
    """The offset of the first whole line of the last `LAST_BLOCK` bytes, or of more where those have less than two."""
    length = LAST_BLOCK
    while True:
        begin = max(start, size - length)
        block = host.read(path, begin, size - begin) or b""
        first = block.find(b"\n") + 1 if begin > start else 0
        if begin == start or block.count(b"\n", first) > 1 or length > MAX_LINE:
            return begin + first
        length *= 4


def _block(path: str, place: int, end: int, is_line: bool) -> Tuple[bytes, int, int]:
    """Bytes from a place on, and where in them the first whole line begins and the last one ends.

    Args:
        path: the file.
        place: an offset.
        end: the offset to which there is something to read.
        is_line: whether a line begins at the place.
    """
    length = THIN_BLOCK
    while True:
        block = host.read(path, place, min(length, end - place)) or b""
        first = 0 if is_line else block.find(b"\n") + 1
        last = block.rfind(b"\n") + 1
        if last > first or place + length >= end or length > MAX_LINE:
            return block, first, max(first, last)
        length *= 2


# ---- opening a journal ----


def open_lines(path: str, size: int) -> tuple[bytes, bytes, Lines]:
    """The first line, the lines that make up a run's small state, and the reader that goes on after them.

    Of a journal with a checkpoint that is the first line and what follows the last one. A journal up to `WHOLE` bytes
    is read at once, and the lines between are checked by their edges, at the speed of a search, so that bad ones count.
    """
    if size > WHOLE:
        return _open_ends(path, size)
    data = host.read(path, 0, size) or b""
    end = data.rfind(b"\n") + 1
    head = data[: data.find(b"\n") + 1]
    begin = _last_sum(data)
    if begin is not None and begin and looks_sound(data[:begin]):
        return head, head + data[begin:end], Lines(path, end)
    return head, data[:end], Lines(path, end)


def _open_ends(path: str, size: int) -> tuple[bytes, bytes, Lines]:
    """The same of a journal of which only both ends are read."""
    place = size - LAST_TAIL
    block, tail = host.read_parts(path, [(0, FIRST_HEAD), (place, LAST_TAIL)]) or (b"", b"")
    head = block[: block.find(b"\n") + 1] or first_line(path)
    begin, end = _last_sum(tail), tail.rfind(b"\n") + 1
    if begin is not None:
        offset, data, lines = place + begin, tail[begin:end], Lines(path, place + end)
    else:
        offset = last_checkpoint(path, 0, size) or 0
        lines = Lines(path, offset)
        data = all_of(lines)
    if not head.startswith(_START):  # it is damaged, or what is known of the run stands behind damage
        return head, block[: block.rfind(b"\n", 0, offset) + 1] + data, lines
    return head, (head if offset else b"") + data, lines


def all_of(lines: Lines) -> bytes:
    """What there is to read now, up to `MAX_LOOK`."""
    parts = []
    room = MAX_LOOK
    while room > 0:
        data = lines.read()
        parts.append(data)
        room -= len(data)
        if lines.is_whole:
            break
    return b"".join(parts)


def looks_sound(data: bytes) -> bool:
    """Whether each of some whole lines begins and ends like an object, and there is no hole in them."""
    has_edges = data.startswith(b"{") and data.endswith(b"}\n")
    return has_edges and data.count(b"\n") == data.count(b"}\n{") + 1 and b"\0" not in data


def last_checkpoint(path: str, start: int, size: int) -> int | None:
    """The offset of the last whole checkpoint or end between two offsets, found by reading backwards; None: none."""
    length = LAST_TAIL
    while True:
        begin = max(start, size - length)
        tail = host.read(path, begin, size - begin)
        if tail is None:
            return None
        place = _last_sum(tail)
        if place is not None:
            return begin + place
        if begin == start or length > 4 * MAX_LINE:
            return None
        length *= 2


def _last_sum(data: bytes) -> int | None:
    """The offset of the last whole checkpoint or end in some lines; None where there is none."""
    place = data.rfind(b"\n")
    while (place := max(data.rfind(mark, 0, place) for mark in _SUMS)) >= 0:
        line = data[place + 1 : data.index(b"\n", place + 1)]
        # Torn by a full disk it would have other numbers of braces, unless texts have some.
        if (line.endswith(b"}") and line.count(b"{") == line.count(b"}")) or record_of(line):
            return place + 1
    return None


def first_line(path: str) -> bytes:
    """The file's first line; empty where it has none yet."""
    head = b""
    while len(head) < MAX_LINE:
        chunk = host.read(path, len(head), CHUNK if head else FIRST_HEAD)
        if not chunk:
            return b""
        head += chunk
        if b"\n" in chunk:
            return head[: head.index(b"\n") + 1]
    return b""


def record_of(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; empty where it is none."""
    import json

    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if type(value) is dict else {}
