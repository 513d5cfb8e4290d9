"""Every run known, what is looked at, and what changed: plain Python, owned here, shown elsewhere.

The dashboard calls `collect` in a thread, then `apply` and everything else on its own loop. Runs and histories are only
touched there; a thread only reads files and keeps its place in them, so nothing is locked.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tracker.catalog import Catalog, Delta, Key, Reading, StoredRun
from tracker.journal import Tail
from tracker.records import Record, clean
from tracker.replay import History, is_row_until
from tracker_tui.look import colour_and_sign
from tracker_tui.plot import MAX_RUNS, Subject

HELD_OUT: Final = ("val", "test", "eval")
"""What the names of metrics on held-out data contain."""
FIRST_CHUNK: Final = 1 << 18
"""Bytes of a history that are read before anything else when its run is opened."""
HISTORY_CHUNK: Final = 1 << 20
"""Bytes of journals folded into histories at a time, so that keys are never late."""
LEAST_CHUNK: Final = 1 << 14
"""Bytes of one journal at a time, at least."""
NEWEST: Final = 10
"""Runs of a branch that are drawn while none is marked."""


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
    """Whether a history that is looked at has grown."""

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


@dataclass(slots=True)
class Batch:
    """What one `collect` brought."""

    readings: list[Reading] = field(default_factory=list)
    rows: list[tuple[_HistoryFeed, list[Record]]] = field(default_factory=list)
    """New rows, with what they are of; by now something else may be looked at."""


class Model:
    """The runs under a path, the runs that are looked at and their histories, and what is closed, marked and pinned.

    Args:
        path: as `Catalog` takes it.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.catalog = Catalog(path)
        self.closed: set[Branch] = set()
        self.marked: set[Key] = set()
        """Runs that stay in the charts wherever the cursor goes."""
        self.pinned: Key | None = None
        """The run that is drawn over all others."""
        self._feeds: dict[Key, _HistoryFeed] = {}
        self._numbers: dict[Key, int] = {}

    @property
    def root(self) -> str:
        return self.catalog.root

    @property
    def runs(self) -> dict[Key, StoredRun]:
        return self.catalog.runs

    # ---- what is new ----

    def collect(self, seconds: float | None = None) -> Batch:
        """Read what is new, for about so long at most; the only method for another thread."""
        feeds = list(self._feeds.values())  # what is looked at from now on has been read a first time already
        batch = Batch(self.catalog.collect(seconds))
        for feed in feeds:
            rows = feed.read(max(LEAST_CHUNK, HISTORY_CHUNK // len(feeds)))
            if rows or feed.is_replaced:
                batch.rows.append((feed, rows))
        return batch

    def apply(self, batch: Batch) -> Change:
        """Fold what was read."""
        change = Change(self.catalog.apply(batch.readings))
        for feed, rows in batch.rows:
            if self._feeds.get(feed.key) is not feed:
                continue
            feed.fold(rows)
            change.history |= bool(rows)
            if feed.is_replaced and feed.key in self.runs:
                self._feeds[feed.key] = self._feed(self.runs[feed.key])
        return change

    # ---- what is looked at ----

    def look_at(self, keys: Iterable[Key]) -> bool:
        """Read the histories of these runs from now on; whether they are others than before.

        The beginning is read at once, all of a small one, so that a run that is opened is seen in the same moment.
        """
        before, self._feeds = self._feeds, {}
        room = FIRST_CHUNK
        for key in keys:
            run = self.runs.get(key)
            if run is None:
                continue
            feed = before.get(key)
            if feed is None or feed.path != run.path:
                feed = self._feed(run)
                room -= feed.take(room)
            self._feeds[key] = feed
        return list(self._feeds.values()) != list(before.values())

    def _feed(self, run: StoredRun) -> _HistoryFeed:
        return _HistoryFeed(run, self.catalog.lineage(run))

    @property
    def drawn_count(self) -> int:
        """How many runs are looked at."""
        return len(self._feeds)

    def subjects(self) -> list[Subject]:
        """The runs that are looked at and have numbers, in the order of `look_at`."""
        found = []
        for key, feed in self._feeds.items():
            run = self.runs.get(key)
            if run is not None and feed.history.columns:
                found.append(Subject(run, feed.history, *colour_and_sign(self.number(key))))
        return found

    @property
    def is_behind(self) -> bool:
        """Whether more lies on disk than was read: runs, or the histories that are looked at."""
        return self.catalog.is_behind or any(not feed.is_whole for feed in self._feeds.values())

    def drawn(self, place: Place | None) -> list[Key]:
        """The runs whose charts belong to a place, the topmost last.

        Of a run: itself over those that are marked. Of a branch: those of its runs that are marked, while none is, its
        newest ten. The pinned run is always among them and on top.
        """
        if isinstance(place, Branch):
            inside = [run.key for run in self.runs_of(place)]
            keys = [key for key in inside if key in self.marked] or inside[:NEWEST]
            keys.reverse()
        else:
            keys = [run.key for run in reversed(self.catalog.newest_first()) if run.key in self.marked]
            if place is not None:
                keys = [key for key in keys if key != place] + [place]
        if self.pinned in self.runs and place is not None:
            keys = [key for key in keys if key != self.pinned] + [self.pinned]
        return keys[-MAX_RUNS:]

    def toggle_mark(self, place: Place) -> None:
        """Mark a run, or all of a branch; take the marks away if they are there."""
        keys = {run.key for run in self.runs_of(place)} if isinstance(place, Branch) else {place}
        self.marked = self.marked - keys if keys & self.marked else self.marked | keys

    def toggle_pin(self, key: Key) -> None:
        """Draw a run over all others, or no longer."""
        self.pinned = None if self.pinned == key else key

    def sign_of(self, key: Key) -> tuple[str, str]:
        """Two cells before a run's name and their style: its sign while it is drawn, and `^` if it is pinned."""
        if key not in self._feeds:
            return "  ", ""
        colour, sign = colour_and_sign(self.number(key))
        return sign + ("^" if key == self.pinned else " "), str(colour)

    def number(self, key: Key) -> int:
        """The run's place among all of its project, the oldest 0: what its colour and sign come from.

        So neighbours look different, and a run looks the same after every start.
        """
        if key not in self._numbers:
            count = sum(1 for known in self._numbers if known.project == key.project)
            for new in [*self.catalog.oldest_first(key.project), key]:
                if new not in self._numbers:
                    self._numbers[new] = count
                    count += 1
        return self._numbers[key]

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


def read_history(catalog: Catalog, run: StoredRun) -> History:
    """All of a run's history, at once."""
    feed = _HistoryFeed(run, catalog.lineage(run))
    while not feed.is_whole:
        feed.fold(feed.read())
    return feed.history


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


def sections(names: Iterable[str], axes: Collection[str] = ()) -> list[tuple[str, list[str]]]:
    """Metrics by what their names begin with up to the first `/`, else `.`, in the order people look for them.

    Sections with a loss or an accuracy come first, training before held-out data before those without a name; what is
    of the machine comes last.

    Args:
        names: metrics.
        axes: those of them that are only the x axes of others, and so last in their sections.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(by_interest(names), key=lambda name: name in axes):
        found.setdefault(section_of(name), []).append(name)
    return sorted(found.items(), key=lambda item: (_rank(item[0], item[1]), item[0]))


def section_of(metric: str) -> str:
    """What a metric's name begins with; empty if it has one part only."""
    head, slash, rest = metric.partition("/")
    if not slash:
        head, slash, rest = metric.partition(".")
    return head if slash and head and rest else ""


def _rank(section: str, names: list[str]) -> tuple[bool, bool, int]:
    place = 2 if not section else 3
    if section.startswith("train"):
        place = 0
    elif any(word in section for word in HELD_OUT):
        place = 1
    return section.startswith("system"), all(_kind(name) == 2 for name in names), place


def _kind(metric: str) -> int:
    low = metric.lower()
    return 0 if "loss" in low else 1 if "acc" in low else 2
