"""The rows of a run from its journals: in order of step, those of one step merged, however long the journals are.

History is a set of (step, key) -> value of which the last written wins, a later journal over an earlier one. In most
journals steps ascend, so all of a run's are read side by side, a chunk at a time, and nothing is held. What is held are
rows that came late, with a step less than one before them: a quick look at all steps finds those first.
"""

from __future__ import annotations

import heapq
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import compress, groupby
from typing import Final

from tracker.journal import decode_lines
from tracker.lines import CHUNK, Lines
from tracker.records import SYSTEM, Record, restore
from tracker.replay import MAX_STEP, is_history_until, is_row_until, sample_of

Wants = Callable[[float], bool]
"""Whether the row of a step is asked for."""

_ROW: Final = b'{"_step":'
_RECORD: Final = b'{"_type":'
_LENGTH: Final = len(_ROW)
"""Of both."""
_SYSTEM: Final = f'"{SYSTEM}"'.encode()
_PLAIN: Final = frozenset((float, int, bool, type(None)))


class Rows:
    """The history of a run as its journals are when it is first read; what is appended later is left out.

    Args:
        journals: the paths, the oldest first, and the last step to take from each; as `Catalog.lineage` names them.
    """

    def __init__(self, journals: Iterable[tuple[str, float]]) -> None:
        self._journals = [_Journal(path, last) for path, last in journals]
        self._is_surveyed = False

    @property
    def bad_lines(self) -> int:
        """Lines that are no records, in what was decoded by the last reading."""
        return sum(journal.bad_lines for journal in self._journals)

    def __iter__(self) -> Iterator[Record]:
        return self.read()

    def read(self, wants: Wants | None = None) -> Iterator[Record]:
        """Rows as on disk (`restored` undoes what JSON did to them), in order of step; what is not asked for costs
        little. A row is the caller's own.
        """
        if not self._is_surveyed:
            deque(self._survey(), maxlen=0)
        parts = [part for journal in self._journals for part in (journal.rows(wants), journal.late_rows(wants))]
        return _merged(heapq.merge(*parts, key=_step_of))  # of one step, an earlier part's come first

    def steps(self) -> list[float]:
        """Every step that has a row, in order; without decoding rows, so a line that is torn behind its step counts."""
        return [step for step, _ in groupby(sorted(step for steps in self._survey() for step in steps))]

    def _survey(self) -> Iterator[list[float]]:
        for journal in self._journals:
            yield from journal.survey()
        self._is_surveyed = True


class _Journal:
    """The rows of one journal up to a step."""

    def __init__(self, path: str, last: float) -> None:
        self.bad_lines = 0
        self._path = path
        self._last = min(last, MAX_STEP)
        self._end = 0
        """Bytes that the survey saw."""
        self._late: dict[float, Record] = {}

    def survey(self) -> Iterator[list[float]]:
        """Find out where the journal ends and which rows are late; tells steps as it goes on, up to the last one."""
        self._late.clear()
        top = -MAX_STEP
        lines = Lines(self._path)
        while data := lines.read():
            steps = _steps_of(data)
            if steps and max(steps) > self._last:
                steps = [step for step in steps if step <= self._last]
            if steps and (steps[0] < top or steps != sorted(steps)):
                self._keep_late(data, top)
            top = max(top, *steps, top)
            yield steps
        self._end = lines.offset

    def _keep_late(self, data: bytes, top: float) -> None:
        for row in decode_lines(data)[0]:
            if not is_row_until(row, self._last):
                continue
            step = row["_step"]
            if step >= top:
                top = step
            else:
                self._late.setdefault(step, {}).update(row)

    def rows(self, wants: Wants | None) -> Iterator[Record]:
        """All but the late ones, in order; of one step there may be several."""
        lines = Lines(self._path)
        top, last = -MAX_STEP, self._last
        self.bad_lines = 0
        while lines.offset < self._end and (data := lines.read(min(CHUNK, self._end - lines.offset))):
            rows, bad = decode_lines(data if wants is None else _only(data, wants))
            self.bad_lines += bad
            for row in rows:
                step = row.get("_step")
                if (type(step) is not int and type(step) is not float) or "_type" in row:
                    continue
                if top <= step <= last and (wants is None or wants(step)):
                    top = step
                    yield row
        self.bad_lines += lines.skipped

    def late_rows(self, wants: Wants | None) -> Iterator[Record]:
        """The late ones, merged, in order."""
        for step in sorted(self._late):
            if wants is None or wants(step):
                yield dict(self._late[step])


class Samples:
    """All samples of the machine that a run was on, as its journals are when they are first read.

    Args:
        journals: as `Rows` has them.
    """

    def __init__(self, journals: Iterable[tuple[str, float]]) -> None:
        self._journals = list(journals)
        self._ends: dict[str, int] = {}

    def read(self) -> list[Record]:
        """In order of time: `_timestamp` and numbers by name."""
        found: dict[float, Record] = {}
        for path, last in self._journals:
            lines = Lines(path)
            end = self._ends.get(path, sys.maxsize)
            while lines.offset < end and (data := lines.read(min(CHUNK, end - lines.offset))):
                for record in decode_lines(data)[0] if _SYSTEM in data else ():
                    sample = sample_of(record) if is_history_until(record, last) else None
                    if sample is not None:
                        found[sample[0]] = {"_timestamp": sample[0], **sample[1]}
            self._ends[path] = lines.offset
        return [found[time] for time in sorted(found)]


def restored(row: Record) -> Record:
    """A row as it was logged: see `tracker.records.restore`."""
    if _PLAIN.issuperset(map(type, row.values())):
        return row
    return {key: restore(value) for key, value in row.items()}


def _merged(rows: Iterator[Record]) -> Iterator[Record]:
    """Rows in order, those of one step made one, later values over earlier ones."""
    merged = next(rows, None)
    if merged is None:
        return
    for row in rows:
        if row["_step"] == merged["_step"]:
            merged.update(row)
        else:
            yield merged
            merged = row
    yield merged


def _step_of(row: Record) -> float:
    step: float = row["_step"]
    return step


def _steps_of(data: bytes) -> list[float]:
    """The steps of the rows among whole lines."""
    found = _plain_rows(data)
    if found is not None:
        return found[1]
    return [row["_step"] for row in decode_lines(data)[0] if is_row_until(row, MAX_STEP)]


def _only(data: bytes, wants: Wants) -> bytes:
    """Whole lines without rows that are not asked for, as far as their bytes tell."""
    found = _plain_rows(data)
    return data if found is None else b"\n".join(compress(found[0], map(wants, found[1])))


def _plain_rows(data: bytes) -> tuple[list[bytes], list[float]] | None:
    """The rows among whole lines, undecoded, and their steps; None if any line does not begin as our writer's do."""
    rows = []
    for line in data.split(b"\n"):
        if line[:_LENGTH] == _ROW:
            rows.append(line)
        elif line and line[:_LENGTH] != _RECORD:
            return None
    try:
        return rows, [int(row[_LENGTH : row.find(b",", _LENGTH)]) for row in rows]
    except ValueError:  # no whole number
        return None
