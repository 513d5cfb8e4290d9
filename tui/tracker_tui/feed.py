"""The history of a run that is looked at, read from its first line on beside the small state of every run."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Final

from tracker.catalog import Catalog, Files
from tracker.history import History
from tracker.journal import Tail
from tracker.lines import THIN
from tracker.records import Record
from tracker.replay import is_history_until
from tracker.stored import StoredRun
from tracker_tui.columns import Kept, KeptColumns

HISTORY_CHUNK: Final = 1 << 20
"""Bytes of journals folded into histories at a time, so that keys are never late."""
LARGE: Final = 16 << 20
"""Bytes of journals on this machine from which on few rows are read first, and columns are kept for the next time."""
WORTH_KEEPING: Final = 1.25
"""How many times as long as what was kept a history must be to be kept again."""


Lineage = Sequence[tuple[str, float]]
"""The journals that hold a history, as `Catalog.lineage` has them."""


class _Course:
    """One reading of a history, of all its rows or of few.

    A journal is opened when those before it are read: what is on its way is what is read next.
    """

    def __init__(self, files: Files, project: str, lineage: Lineage, thin: int, kept: Kept | None = None) -> None:
        self.history = kept.history if kept is not None else History()
        self.tails: list[tuple[Tail, float]] = []
        self._files, self._project, self._thin = files, project, thin
        self._later = list(lineage)
        for offset in kept.offsets if kept is not None else [0] if self._later else []:
            self._open_next(offset)

    def _open_next(self, offset: int = 0) -> None:
        name, last = self._later.pop(0)
        self.tails.append((Tail(self._files.lines(self._project, name, offset, self._thin)), last))

    @property
    def offsets(self) -> list[int]:
        """How far its journals are read."""
        return [tail.lines.offset for tail, _ in self.tails]

    @property
    def is_whole(self) -> bool:
        """Whether all that was on disk at the last look has been read."""
        return not self._later and all(tail.lines.is_whole for tail, _ in self.tails)

    @property
    def is_behind(self) -> bool:
        """Whether more can be read at once: also a journal that waited for those before it."""
        is_next = bool(self._later) and all(tail.lines.is_whole for tail, _ in self.tails)
        return is_next or any(tail.lines.is_behind for tail, _ in self.tails)

    @property
    def taken(self) -> int:
        """Bytes read so far."""
        return sum(tail.taken for tail, _ in self.tails)

    @property
    def bad_lines(self) -> int:
        """Lines so far that are no records."""
        return sum(tail.bad_lines for tail, _ in self.tails)

    def read(self, room: int) -> list[Record]:
        """The next rows and samples, from about `room` bytes at most, those of an earlier journal first."""
        rows: list[Record] = []
        before = self.taken
        while True:
            for tail, last in self.tails:
                new = tail.read(room + before - self.taken)
                rows += new if last == math.inf else (row for row in new if is_history_until(row, last))
            is_read = all(tail.lines.is_whole for tail, _ in self.tails)
            if not self._later or not is_read or self.taken - before >= room:
                return rows
            self._open_next()

    def close(self) -> None:
        for tail, _ in self.tails:
            tail.lines.close()


Rows = list[Record]
"""New rows and samples of the machine, to be folded."""


class HistoryFeed:
    """One run's rows, as they come.

    Of a large journal a few hundred rows from all over it come first, then all that follow the last of them. All of its
    rows are read behind that, and take the place of the few: at once from files of this machine, else when asked for.

    Args:
        catalog: what knows the run.
        run: whose.
        thin: places of a large journal from which rows are taken at first; 0: all rows.
    """

    def __init__(self, catalog: Catalog, run: StoredRun, thin: int = THIN) -> None:
        self._run = run
        self._lineage = catalog.lineage(run)
        self._catalog = catalog
        self.weight = catalog.size_of(run)
        """Bytes of its journals when it was begun."""
        self.is_large = not catalog.files.is_far and self.weight > LARGE
        """Whether it takes long to read files of this machine."""
        self.may_load = not catalog.files.is_far
        """Whether all rows of a large one are read without being asked for."""
        self.is_wanted = False
        """Whether somebody asked for all rows."""
        self.key = run.key
        self._shown = self._course(thin if self.is_large or catalog.files.is_far else 0)
        self._whole: _Course | None = None
        self._columns: KeptColumns | None = None
        if self.is_large:
            self._columns = KeptColumns(os.path.join(catalog.root, run.key.project), self._lineage)
        self._was_recalled = False
        self._kept = 0
        """Bytes of the journals whose columns are kept."""

    def _course(self, thin: int, kept: Kept | None = None) -> _Course:
        return _Course(self._catalog.files, self.key.project, self._lineage, thin, kept)

    def is_of(self, run: StoredRun) -> bool:
        """Whether it reads the files that a run's history is in now; others may be found, or take their place."""
        return self._run is run and self._catalog.lineage(run) == self._lineage

    @property
    def history(self) -> History:
        """What there is to show."""
        return self._shown.history

    @property
    def _courses(self) -> list[_Course]:
        return [self._shown, self._whole] if self._whole is not None else [self._shown]

    @property
    def is_sampled(self) -> bool:
        """Whether what is shown are few rows of many."""
        return any(tail.lines.is_thinned for tail, _ in self._shown.tails)

    @property
    def is_exact(self) -> bool:
        """Whether all rows of a large one are in memory, or on their way."""
        return self.is_large and (self._whole is not None or self._kept > 0)

    @property
    def is_whole(self) -> bool:
        """Whether all that is to be read and was on disk at the last look is folded."""
        return all(course.is_whole for course in self._courses)

    @property
    def is_behind(self) -> bool:
        """Whether there is more to do at once: to read, or to keep."""
        return any(course.is_behind for course in self._courses) or self._is_to_keep

    @property
    def bad_lines(self) -> int:
        """Lines that are no records, in what was read of the journals: of small ones all."""
        return max(course.bad_lines for course in self._courses)

    @property
    def is_replaced(self) -> bool:
        """Whether a file was replaced by another, so that all must be read anew."""
        return any(tail.lines.is_replaced for course in self._courses for tail, _ in course.tails)

    @property
    def size(self) -> int:
        """Bytes of the journals up to where they are read."""
        return sum(tail.lines.offset for tail, _ in self._shown.tails)

    @property
    def loaded(self) -> float | None:
        """How much of all rows is there, 0 to 1; None while nobody has asked for them."""
        if self._whole is None:
            return None
        return min(1.0, sum(tail.lines.offset for tail, _ in self._whole.tails) / max(1, self.size))

    def load_all(self) -> None:
        """Read all rows, as somebody asked."""
        self.is_wanted = True
        self._begin_whole()

    def _begin_whole(self) -> None:
        if self._whole is None and self.is_sampled:
            self._whole = self._course(0)

    def read(self, room: int = HISTORY_CHUNK) -> Rows:
        """The next rows, from about `room` bytes at most; those of the last reading must be folded.

        What nobody sees yet is folded here.
        """
        self._keep()
        if self.may_load and not self._was_recalled:
            self._recall()
        before = self._shown.taken
        rows = self._shown.read(room)
        room -= self._shown.taken - before
        if self._shown.is_whole and (self.may_load or self.is_wanted):
            self._begin_whole()
        if self._whole is not None and room > 0:
            self._whole.history.extend(self._whole.read(room))
        return rows

    def _recall(self) -> None:
        """Begin with the columns that were kept."""
        self._was_recalled = True
        kept = self._columns.load() if self._columns is not None and self._whole is None else None
        if kept is None:
            return
        self._kept = sum(kept.offsets)
        course = self._course(0, kept)
        if self._shown.taken:
            self._whole = course
        else:
            self._shown = course

    @property
    def _is_to_keep(self) -> bool:
        if self._columns is None or self.is_sampled or not self._shown.is_whole or self.bad_lines:
            return False  # what is damaged may be healed, behind an end that is the same
        return self.size > WORTH_KEEPING * self._kept

    def _keep(self) -> None:
        """Keep the columns once all rows are there."""
        if self._columns is not None and self._is_to_keep:
            self._kept = self.size
            self._columns.save(self._shown.history, self._shown.offsets)

    def take(self, room: int) -> int:
        """Read and fold up to about `room` bytes; how many they were."""
        before = self._shown.taken
        if room > 0:
            self.fold(self.read(room))
        return self._shown.taken - before

    def fold(self, rows: Rows) -> bool:
        """Take rows into the history; whether there is more to see."""
        self._shown.history.extend(rows)
        if self._whole is None or not self._whole.is_whole:
            return bool(rows)
        self._shown.close()
        self._shown, self._whole = self._whole, None
        return True

    def close(self) -> None:
        """Nothing more will be read."""
        for course in self._courses:
            course.close()


def read_history(catalog: Catalog, run: StoredRun) -> History:
    """All of a run's history, at once."""
    feed = HistoryFeed(catalog, run, thin=0)
    while True:
        feed.fold(feed.read())
        if feed.is_whole:
            run.bad_lines = max(run.bad_lines, feed.bad_lines)
            return feed.history
        if not feed.is_behind:
            catalog.files.wait()
