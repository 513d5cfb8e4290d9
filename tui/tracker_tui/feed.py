"""The history of a run that is looked at, read from its first line on beside the small state of every run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tracker.catalog import Catalog, StoredRun
from tracker.journal import Tail
from tracker.records import Record
from tracker.replay import History, is_row_until

HISTORY_CHUNK: Final = 1 << 20
"""Bytes of journals folded into histories at a time, so that keys are never late."""


class HistoryFeed:
    """One run's rows, as they come.

    Args:
        run: whose.
        lineage: its journals and the last step to take from each, as `Catalog.lineage` gives them.
    """

    def __init__(self, run: StoredRun, lineage: list[tuple[str, float]]) -> None:
        self.key = run.key
        self.path = run.path
        self._tails = [(Tail(path), last) for path, last in lineage]
        self.history = History()
        self.is_whole = False
        """Whether all that was on disk at the last look is folded."""
        self.is_replaced = False
        """Whether a file was replaced by another, so that all must be read anew."""

    def read(self, room: int = HISTORY_CHUNK) -> list[Record]:
        """The next rows, from about `room` bytes at most."""
        rows: list[Record] = []
        for tail, last in self._tails:
            before = tail.offset
            rows += (row for row in tail.read(room) if is_row_until(row, last))
            room -= tail.offset - before
            if room <= 0:
                break
        self.is_whole = room > 0
        self.is_replaced = any(tail.is_replaced for tail, _ in self._tails)
        return rows

    def take(self, room: int) -> int:
        """Read and fold up to about `room` bytes; how many they were."""
        before = sum(tail.offset for tail, _ in self._tails)
        if room > 0:
            self.fold(self.read(room))
        return sum(tail.offset for tail, _ in self._tails) - before

    def fold(self, rows: Iterable[Record]) -> None:
        """Take rows into the history."""
        for row in rows:
            self.history.apply(row)


def read_history(catalog: Catalog, run: StoredRun) -> History:
    """All of a run's history, at once."""
    feed = HistoryFeed(run, catalog.lineage(run))
    while not feed.is_whole:
        feed.fold(feed.read())
    return feed.history
