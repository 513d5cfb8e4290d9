"""Every run known, what is looked at, and what changed: plain Python, owned here, shown elsewhere.

The dashboard calls `collect` in a thread, then `apply` and everything else on its own loop. Runs and histories are only
touched there; a thread only reads files and keeps its place in them, so nothing is locked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tracker.catalog import Catalog, Delta, Key, Reading, StoredRun
from tracker.journal import Tail
from tracker.records import Record, clean
from tracker.replay import History, is_row_until

HELD_OUT: Final = ("val", "test", "eval")
"""What the names of metrics on held-out data contain."""
FIRST_CHUNK: Final = 1 << 18
"""Bytes of a history that are read before anything else when its run is opened."""
HISTORY_CHUNK: Final = 1 << 20
"""Bytes of one run's journal folded into its history at a time, so that keys are never late."""


class Branch(NamedTuple):
    """A project, or a group of runs in one (`group` is empty for the project itself)."""

    project: str
    group: str = ""


Place = Key | Branch
"""What the cursor of the tree can be on."""


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree."""

    place: Place
    depth: int
    runs: tuple[StoredRun, ...]
    """The run itself; of a branch, its runs, the newest first."""
    is_open: bool = True


@dataclass(slots=True)
class Change:
    """What an `apply` changed."""

    runs: Delta = field(default_factory=Delta)
    history: bool = False
    """Whether the history that is looked at has grown."""

    def __bool__(self) -> bool:
        return bool(self.runs) or self.history


class _HistoryFeed:
    """The history of the run that is looked at, read from its first line on beside the small state of every run."""

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

    def fold(self, rows: Iterable[Record]) -> None:
        """Take rows into the history."""
        for row in rows:
            self.history.apply(row)


@dataclass(slots=True)
class Batch:
    """What one `collect` brought."""

    readings: list[Reading] = field(default_factory=list)
    feed: _HistoryFeed | None = None
    """What the rows are of; by now something else may be looked at."""
    rows: list[Record] = field(default_factory=list)


class Model:
    """The runs under a path, the run that is looked at and its history, and which branches are closed.

    Args:
        path: as `Catalog` takes it.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.catalog = Catalog(path)
        self.closed: set[Branch] = set()
        self._feed: _HistoryFeed | None = None

    @property
    def root(self) -> str:
        return self.catalog.root

    @property
    def runs(self) -> dict[Key, StoredRun]:
        return self.catalog.runs

    # ---- what is new ----

    def collect(self, seconds: float | None = None) -> Batch:
        """Read what is new, for about so long at most; the only method for another thread."""
        feed = self._feed  # what is looked at from now on has been read a first time already
        batch = Batch(self.catalog.collect(seconds))
        if feed is not None:
            batch.feed, batch.rows = feed, feed.read()
        return batch

    def apply(self, batch: Batch) -> Change:
        """Fold what was read."""
        change = Change(self.catalog.apply(batch.readings))
        feed = self._feed
        if feed is not None and batch.feed is feed:
            feed.fold(batch.rows)
            change.history = bool(batch.rows)
            if feed.is_replaced:
                self._feed = None
                self.look_at(feed.key)
        return change

    # ---- what is looked at ----

    def look_at(self, key: Key | None) -> bool:
        """Read the history of this run from now on, of none with None; whether it is another one than before.

        The beginning is read at once, all of a small one, so that a run that is opened is seen in the same frame.
        """
        run = self.runs.get(key) if key is not None else None
        before = self._feed
        if run is None:
            self._feed = None
        elif before is None or before.path != run.path:
            feed = _HistoryFeed(run, self.catalog.lineage(run))
            feed.fold(feed.read(FIRST_CHUNK))
            self._feed = feed
        return self._feed is not before

    @property
    def history(self) -> History | None:
        """The history of the run that is looked at; None when none is or before its first rows are read."""
        return self._feed.history if self._feed is not None and self._feed.history.columns else None

    @property
    def is_behind(self) -> bool:
        """Whether more lies on disk than was read: runs, or the history that is looked at."""
        return self.catalog.is_behind or (self._feed is not None and not self._feed.is_whole)

    # ---- the tree ----

    def tree(self) -> list[Node]:
        """The lines of the tree: projects by name; in each its groups and ungrouped runs, the newest first."""
        projects: dict[str, list[StoredRun]] = {}
        for run in self.catalog.newest_first():
            projects.setdefault(run.key.project, []).append(run)
        nodes: list[Node] = []
        for project in sorted(projects, key=str.casefold):
            nodes += self._project(Branch(project), projects[project])
        return nodes

    def _project(self, branch: Branch, runs: list[StoredRun]) -> Iterable[Node]:
        is_open = branch not in self.closed
        yield Node(branch, 0, tuple(runs), is_open)
        if not is_open:
            return
        groups: dict[str, list[StoredRun]] = {}
        for run in runs:
            groups.setdefault(run.group, []).append(run)
        shown = set()
        for run in runs:
            if not run.group:
                yield Node(run.key, 1, (run,))
            elif run.group not in shown:
                shown.add(run.group)
                group = Branch(branch.project, run.group)
                yield Node(group, 1, tuple(groups[run.group]), group not in self.closed)
                if group not in self.closed:
                    yield from (Node(member.key, 2, (member,)) for member in groups[run.group])

    def runs_of(self, branch: Branch) -> list[StoredRun]:
        """The runs of a project or group, the newest first."""
        return [
            run
            for run in self.catalog.newest_first()
            if run.key.project == branch.project and branch.group in ("", run.group)
        ]

    def label(self, branch: Branch) -> str:
        """What a project or group is called."""
        if branch.group:
            return branch.group
        return next((clean(run.project) for run in self.runs.values() if run.key.project == branch.project), "")

    def first_choice(self) -> Key | None:
        """The run to show first: the newest that runs, else the newest."""
        runs = self.catalog.newest_first()
        chosen = next((run for run in runs if run.state == "running"), runs[0] if runs else None)
        return chosen.key if chosen is not None else None

    def counts(self, runs: Iterable[StoredRun] | None = None) -> dict[str, int]:
        """How many runs are in each state; of all runs by default."""
        counts: dict[str, int] = {}
        for run in self.catalog.newest_first() if runs is None else runs:
            counts[run.state] = counts.get(run.state, 0) + 1
        return counts


def metrics(run: StoredRun) -> list[str]:
    """The names of a run's numeric metrics, in the order they were first logged."""
    return [key for key in run.sketches if not key.startswith("_")]


def main_metric(run: StoredRun) -> str | None:
    """The metric that stands for a run in one line: a loss, validation before training, else an accuracy, else any."""
    keys = metrics(run)
    return min(keys, key=lambda key: (_kind(key), not any(word in key.lower() for word in HELD_OUT)), default=None)


def by_interest(names: Iterable[str]) -> list[str]:
    """Names of metrics in the order people look for them: losses, accuracies, the rest; each in order of name."""
    return sorted((name for name in names if not name.startswith("_")), key=lambda name: (_kind(name), name))


def _kind(metric: str) -> int:
    low = metric.lower()
    return 0 if "loss" in low else 1 if "acc" in low else 2
