"""What a run printed, over all of its journals, read by the piece: only what is looked at. No Textual in it."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from tracker import layout
from tracker.catalog import Catalog
from tracker.journal import PageReader
from tracker.pages import MAX_PAGE, MAX_RANGE, Page
from tracker.records import BadLineError, clean, decode
from tracker.replay import time_of
from tracker.stored import StoredRun

END: Final = 200
"""Lines at the end that come with every look."""
MAX_KNOWN: Final = 20_000
"""Lines that are kept, about."""
MAX_TEXT: Final = 10_000
"""Characters of a line that are shown."""
MAX_HITS: Final = 100_000
"""Lines with the words that are searched, after which no more are."""


class Printed(NamedTuple):
    """One line."""

    number: int
    """Among all of the run, from 0."""
    time: float | None
    """When it was complete, in seconds since the epoch."""
    step: int | None
    """The last that was logged by then."""
    stream: str
    """`stdout`, `stderr` or `tracker`."""
    parts: tuple[tuple[str, str], ...]
    """Clean text, and the parameters of the SGR sequence in force, "" for none."""
    is_live: bool = False
    """Whether it may still change, such as a progress bar."""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


class News(NamedTuple):
    """What one reading brought."""

    lines: list[Printed]
    live: list[Printed]
    totals: tuple[int, ...]
    """Lines of each file; empty if that was not asked for."""
    size: int = 0
    """Bytes of the last file."""


class Console:
    """The lines of a run: `read_*` and `search` read files or ask another machine, in a thread; `take` keeps what came.

    Args:
        catalog: what knows the run.
        run: whose.
    """

    def __init__(self, catalog: Catalog, run: StoredRun) -> None:
        names = [name for name, _ in catalog.lineage(run)]
        own = [name for name in names if (layout.parse_segment_name(name) or ("", ""))[1] == run.key.id]
        self._files: list[PageReader] = [catalog.files.pages(run.key.project, name) for name in own]
        self._run = run
        self._totals: tuple[int, ...] = ()
        self._size = -1
        self.known: dict[int, Printed] = {}
        """Lines by number, as far as they were read."""
        self.live: list[Printed] = []
        """Rows behind the last line that may still change."""

    def is_of(self, run: StoredRun) -> bool:
        """Whether it reads what there is of a run now; it may have been resumed."""
        return self._run is run

    @property
    def total(self) -> int:
        """Lines there are, without those that may still change."""
        return sum(self._totals)

    @property
    def size(self) -> int:
        """Bytes of the last file at the last look."""
        return self._size

    @property
    def is_read(self) -> bool:
        """Whether it is known how many lines there are."""
        return bool(self._totals) or not self._files

    def take(self, news: News) -> None:
        """Keep what was read."""
        if len(self.known) > MAX_KNOWN:
            self.known.clear()
        self.known |= {line.number: line for line in news.lines}
        if news.totals:
            if sum(news.totals) < self.total:  # another file has taken the place of one
                self.known = {line.number: line for line in news.lines}
            self._totals, self._size, self.live = news.totals, news.size, news.live

    # ---- reading, in a thread ----

    def read_end(self) -> News | None:
        """The last lines and how many there are; None if nothing is new.

        Raises:
            OSError, ValueError: what is on another machine cannot be reached, or not understood.
        """
        if not self._files:
            return None
        page = self._files[-1].page(-END, END, self._size)
        if page is None:
            return None
        before = self._totals[:-1] or tuple(self._total_of(file) for file in self._files[:-1])
        lines, live = _printed(page, sum(before))
        return News(lines, live, (*before, page.total), page.size)

    def read(self, first: int, count: int) -> News:
        """Some lines from a number on, at least one; what is not there, for a file was damaged, is said to be missing.

        Raises:
            OSError, ValueError: as `read_end`.
        """
        last = min(first + min(count, MAX_PAGE), self.total) - 1
        found = {line.number: line for line in self._page(first, last - first + 1) if line.number <= last}
        numbers = range(first, max(found, default=last) + 1)
        return News([found.get(number) or _missing(number) for number in numbers], [], ())

    def _page(self, first: int, count: int) -> list[Printed]:
        """Lines from a number on that are in the file which has that one, in order; few where they are long."""
        at = 0
        for file, total in zip(self._files, self._totals, strict=False):
            if first < at + total:
                page = file.page(first - at, count)
                lines = _printed(page, at)[0] if page is not None else []
                return sorted({line.number: line for line in lines if line.number >= first}.values())
            at += total
        return []

    def line_at(self, field: str, value: float) -> int:
        """The number of the first line at a `_step` or `_timestamp`, or after it; of the last line if there is none.

        Raises:
            OSError, ValueError: as `read_end`.
        """
        at = 0
        for file, total in zip(self._files, self._totals, strict=False):
            number = file.line_at(field, value)
            if number < total:
                return at + number
            at += total
        return max(0, at - 1)

    def search(self, words: str, start: int = 0) -> Iterator[list[int]]:
        """The numbers of the lines with the words, some at a time, the last ones first; each time after a while.

        Args:
            words: capitals count if there are any.
            start: bytes of the last file that were searched before, and nothing else is then.

        Raises:
            OSError, ValueError: as `read_end`.
        """
        at = self.total
        count = 0
        for index in range(len(self._files) - 1, -1 if not start else len(self._files) - 2, -1):
            file = self._files[index]
            at -= self._totals[index]
            page = file.page(-1, 0)
            end = page.size if page is not None else 0
            while end > start and count < MAX_HITS:
                begin = reached = max(start, end - MAX_RANGE)
                numbers: list[int] = []
                while reached < end:
                    found, now = file.matches(words, reached, end)
                    numbers += [at + number for number in found]
                    if now <= reached:
                        break
                    reached = now
                count += len(numbers)
                yield numbers
                end = begin

    def lines(self, first: int = 0) -> Iterator[Printed]:
        """All lines from a number on, for whoever reads them one after the other; it is told where some are missing.

        Raises:
            OSError, ValueError: as `read_end`.
        """
        ends = list(itertools.accumulate(self._totals))
        while first < self.total:
            found = self._page(first, MAX_PAGE)
            for line in found:
                if first < line.number:
                    yield _missing(first, line.number - first)
                yield line
                first = line.number + 1
            if not found:
                end = next(end for end in ends if first < end)
                yield _missing(first, end - first)
                first = end

    @staticmethod
    def _total_of(file: PageReader) -> int:
        page = file.page(-1, 0)
        return page.total if page is not None else 0


class Hits:
    """The lines with some words, as far as they are found.

    Args:
        words: what is searched; capitals count if there are any. Empty: nothing is.
    """

    def __init__(self, words: str = "") -> None:
        self.words = words
        self.numbers: list[int] = []
        """In order."""
        self.is_searching = False
        self.searched = 0
        """Bytes of the last file that were searched."""

    def add(self, found: list[int]) -> None:
        """Take all the lines with the words in a stretch of the file, in order."""
        if found:
            numbers = self.numbers
            numbers[bisect_left(numbers, found[0]) : bisect_right(numbers, found[-1])] = found

    def last_until(self, number: int) -> int | None:
        """The last of them up to a line; None if there is none."""
        at = bisect_right(self.numbers, number)
        return self.numbers[at - 1] if at else None

    def next(self, number: int, by: int) -> int | None:
        """The one after a line, or before it; behind the last one comes the first. None if there is none at all."""
        numbers = self.numbers
        at = bisect_right(numbers, number) if by > 0 else bisect_left(numbers, number) - 1
        return numbers[at % len(numbers)] if numbers else None

    def count(self, number: int) -> str:
        """How many they are, and which of them a line is: `3 of 120 lines`."""
        total = len(self.numbers)
        text = f"{total:,}{'+' * (total >= MAX_HITS)}" if total else "no"
        at = bisect_left(self.numbers, number)
        if at < total and self.numbers[at] == number:
            text = f"{at + 1:,} of {text}"
        return f"{text}{'…' * self.is_searching} line{'s' * (total != 1)}"

    def places(self, text: str) -> Iterator[int]:
        """Where in a text the words are."""
        folded = text.lower() if self.words == self.words.lower() else text
        at = folded.find(self.words) if self.words and len(folded) == len(text) else -1
        while at >= 0:
            yield at
            at = folded.find(self.words, at + len(self.words))


def _missing(number: int, count: int = 1) -> Printed:
    text = "(a line is missing)" if count == 1 else f"({count:,} lines are missing)"
    return Printed(number, None, None, "tracker", ((text, ""),))


def _printed(page: Page, at: int) -> tuple[list[Printed], list[Printed]]:
    """The lines of a page, and the rows that may still change; what is neither is passed over."""
    lines: list[Printed] = []
    live: list[Printed] = []
    for each in page.lines:
        try:
            record = decode(each)
        except BadLineError:
            continue
        number, stream, step = record.get("line"), record.get("stream"), record.get("_step")
        if type(number) is not int or not 0 <= number <= page.total or not isinstance(stream, str):
            continue
        who = (time_of(record.get("_timestamp")), step if type(step) is int else None, clean(stream, 20))
        text, rows = record.get("text"), record.get("live")
        if isinstance(text, str):
            lines.append(Printed(at + number, *who, _parts(text[:MAX_TEXT], record.get("colours"))))
        elif isinstance(rows, list):
            texts = [clean(row, MAX_TEXT) for row in rows[:END] if isinstance(row, str)]
            live += [Printed(at + page.total + len(live) + i, *who, ((t, ""),), True) for i, t in enumerate(texts)]
    return lines, live


def _parts(text: str, colours: Any) -> tuple[tuple[str, str], ...]:
    parts: list[tuple[str, str]] = []
    at = 0
    for start, end, sgr in _coloured(colours):
        if at <= start < end:
            parts += [(text[at:start], ""), (text[start:end], sgr)]
            at = end
    parts.append((text[at:], ""))
    return tuple((clean(part, MAX_TEXT), sgr) for part, sgr in parts if part)


def _coloured(colours: Any) -> Iterable[tuple[int, int, str]]:
    for each in colours if isinstance(colours, list) else ():
        if isinstance(each, list) and [type(part) for part in each] == [int, int, str]:
            start, end, sgr = each
            if len(sgr) <= 60 and set(sgr) <= set("0123456789;:"):
                yield start, end, sgr
