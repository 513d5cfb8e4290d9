"""Every run known, which are shown, what is looked at, and what changed: plain Python, owned here, shown elsewhere.

The dashboard calls `collect` in a thread, then `apply` and everything else on its own loop. Runs and histories are only
touched there; a thread only reads files and keeps its place in them, so nothing is locked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

from tracker.catalog import Delta
from tracker.records import clean
from tracker.stored import Key, StoredRun
from tracker_tui import query, table, tree
from tracker_tui.edits import Edits
from tracker_tui.feed import HISTORY_CHUNK, HistoryFeed, Rows
from tracker_tui.fields import ALIASES, TIMED
from tracker_tui.look import sign_of
from tracker_tui.plot import MAX_RUNS, Subject
from tracker_tui.query import Query
from tracker_tui.sources import Readings, Sources
from tracker_tui.table import GroupPath, Table, TableView
from tracker_tui.tree import Branch, Node, Place
from tracker_tui.views import Views

FIRST_CHUNK: Final = 1 << 18
"""Bytes of a history that are read before anything else when its run is opened."""
LEAST_CHUNK: Final = 1 << 14
"""Bytes of one journal at a time, at least."""
MAX_WHOLE: Final = 1 << 29
"""Bytes of journals whose histories are read whole without being asked for; in memory they take half as much."""
SHIFT: Final = 5
"""By how much the colours and signs of one root are ahead of those of the root before."""
TABLE_CALM: Final = 1.0
REBUILD: Final = 20
"""Seconds for which a table stays as it is while only values change, or so many times as long as it took to build."""
NEWEST: Final = 10
"""Runs of a branch that are drawn while none is marked."""


@dataclass(slots=True)
class Change:
    """What an `apply` changed."""

    runs: Delta = field(default_factory=Delta)
    history: bool = False
    """Whether a history that is looked at has grown."""

    def __bool__(self) -> bool:
        return bool(self.runs) or self.history


@dataclass(slots=True)
class Batch:
    """What one `collect` brought."""

    readings: Readings = field(default_factory=list)
    rows: list[tuple[HistoryFeed, Rows]] = field(default_factory=list)
    """New rows, with what they are of; by now something else may be looked at."""


class Hint(NamedTuple):
    """What there is to say of a query that can be understood."""

    found: int
    """Runs that it means."""
    total: int
    """Runs of which it chooses."""
    why_none: str = ""
    """What may be wrong with it if it means no run."""


class Lists(NamedTuple):
    """What follows for all runs from their standing and the query; found anew when one of them changes."""

    shown: list[StoredRun]
    """The runs that the query means, the newest first."""
    keys: set[Key]
    """Theirs."""
    choice_count: int
    """Runs of which the query chose them."""
    counts: dict[str, int]
    """How many of them are in each state."""
    archived: int
    """Of all runs, how many are archived and not deleted."""
    bad_lines: int
    """Of all runs."""
    has_running: bool
    """Whether any run is going on."""


class _Built(NamedTuple):
    """A table and what it cost."""

    table: Table
    at: float
    """When it was built, by the monotonic clock."""
    seconds: float
    """How long that took."""


class Sampled(NamedTuple):
    """Of histories that are shown by few of their rows."""

    runs: int
    """How many there are."""
    size: int
    """Bytes of all of their rows."""
    loaded: float | None
    """How much of them is there, 0 to 1; None where they are not being read."""


class Model:
    """The runs there are, which are shown, marked and pinned, and the histories that are looked at.

    Args:
        sources: where the runs come from.
        views: what is remembered of how things are looked at; by default nothing is.
    """

    def __init__(self, sources: Sources, views: Views | None = None) -> None:
        self.sources = sources
        self.views = views or Views(None)
        self.edits = Edits(sources)
        kept = self.views.shown
        self.query: Query = _query(kept.get("query"))
        """Which runs are shown."""
        self.marked: set[Key] = {place for place in map(_place, _list(kept.get("marked"))) if isinstance(place, Key)}
        """Runs that stay in the charts wherever the cursor goes."""
        pinned = _place(kept.get("pinned"))
        self.pinned: Key | None = pinned if isinstance(pinned, Key) else None
        """The run that is drawn over all others."""
        self.last_place: Place | None = _place(kept.get("place"))
        """Where the cursor was when this was left the last time."""
        self.opened_groups: set[tuple[Branch, GroupPath]] = set()
        """Groups of tables whose runs are shown; at first one sees the groups."""
        self.written = 0.0
        """When a run was written last of all, by the clock of this machine; 0 where there is none."""
        self._closed_meanwhile: set[Branch] = set()
        self._feeds: dict[Key, HistoryFeed] = {}
        self._lists: Lists | None = None
        self._nodes: list[Node] | None = None
        self._inside: dict[Branch, list[StoredRun]] = {}
        self._tables: dict[Branch, _Built] = {}
        self._outdated: set[Branch] = set()
        """Those whose tables are of values from before."""

    @property
    def runs(self) -> dict[Key, StoredRun]:
        """Every run there is, hidden ones too."""
        return self.sources.runs

    # ---- what is new ----

    def collect(self, seconds: float | None = None, pause: float = 0.0) -> Batch:
        """Read what is new, as `Catalog.collect` does; the only method for another thread."""
        feeds = list(self._feeds.values())  # what is looked at from now on has been read a first time already
        end = monotonic() + (seconds or 0.0)
        batch = Batch(self.sources.collect(seconds, pause))
        while feeds:
            batch.rows = [(feed, feed.read(max(LEAST_CHUNK, HISTORY_CHUNK // len(feeds)))) for feed in feeds]
            if any(rows for _, rows in batch.rows) or monotonic() > end or not any(feed.is_behind for feed in feeds):
                break
            sleep(pause)
        return batch

    def apply(self, batch: Batch) -> Change:
        """Fold what was read."""
        change = Change(self.sources.apply(batch.readings))
        times = (run.updated - run.clock for key in change.runs.changed if (run := self.runs.get(key)) is not None)
        self.written = max(self.written, max(times, default=0.0))
        for feed, rows in batch.rows:
            if self._feeds.get(feed.key) is not feed:
                continue
            change.history |= feed.fold(rows)
            run = self.runs.get(feed.key)
            if run is not None and feed.bad_lines > run.bad_lines:
                run.bad_lines = feed.bad_lines
                change.runs.add(Delta({run.key}, moved={run.key}))
            if feed.is_replaced and feed.key in self.runs:
                feed.close()
                self._feeds[feed.key] = self._feed(self.runs[feed.key])
        for key in self._feeds.keys() & self.runs.keys() if change.runs else ():  # of a fork, others count too
            if not self._feeds[key].is_of(self.runs[key]):
                self._feeds[key].close()
                self._feeds[key] = self._feed(self.runs[key])
                change.history = True
        if change.runs.moved or change.runs.removed or self._are_others_meant(change.runs.changed):
            self.forget()
        elif change.runs.changed:
            self._outdated.update(self._tables)
        return change

    def _are_others_meant(self, changed: Collection[Key]) -> bool:
        """Whether the query may mean other runs now that the values of some have changed."""
        if self._lists is None or not self.query.text:
            return False
        if self.is_query_timed:
            return bool(changed)
        runs = [run for key in changed if (run := self.runs.get(key)) is not None]
        meant = {run.key for run in table.chosen(table.choosable(runs, self.query), self.query)}
        return any((run.key in meant) != (run.key in self._lists.keys) for run in runs)

    def is_table_due(self, branch: Branch) -> bool:
        """Whether values have changed since a table was built, and it may be built anew; a large one not so often."""
        built = self._tables.get(branch)
        if built is None or branch not in self._outdated:
            return False
        return monotonic() - built.at > max(TABLE_CALM, REBUILD * built.seconds)

    def forget(self) -> None:
        """Runs have changed: which are shown, and in which order, is to be found anew."""
        self._lists = self._nodes = None
        self._inside.clear()
        self._tables.clear()
        self._outdated.clear()

    # ---- which runs are shown ----

    @property
    def lists(self) -> Lists:
        """What follows for all runs from their standing and the query."""
        if self._lists is None:
            runs = self.sources.newest_first(with_deleted=True)
            choice = table.choosable(runs, self.query)
            shown = table.chosen(choice, self.query)
            self._lists = Lists(
                shown,
                {run.key for run in shown},
                len(choice),
                tree.count(shown),
                sum(run.archived and not run.deleted for run in runs),
                sum(run.bad_lines for run in runs),
                any(run.state == "running" for run in runs),
            )
        return self._lists

    @property
    def bad_lines(self) -> int:
        """Lines that were skipped, as far as files were read; of edits too."""
        return self.lists.bad_lines + self.sources.bad_edits

    def shown(self) -> Sequence[StoredRun]:
        """The runs that the query means, the newest first; what is archived or deleted only if it says so."""
        return self.lists.shown

    @property
    def is_query_timed(self) -> bool:
        """Whether time alone changes which runs the query means."""
        return any(ALIASES.get(name.lower(), name.lower()) in TIMED for name in self.query.names)

    def is_shown(self, key: Key | None) -> bool:
        """Whether a run is among them."""
        return key in self.lists.keys

    def search(self, text: str) -> None:
        """Show the runs that a query means from now on.

        Raises:
            QueryError: it cannot be understood; what is shown stays.
        """
        self.query = query.parse(text)
        self._closed_meanwhile.clear()
        self.forget()

    def hint(self) -> Hint:
        """How many runs the query means, and what may be wrong with it if they are none."""
        lists = self.lists
        why_none = ""
        if not lists.shown:
            why_none = table.why_none(self.query, table.choosable(self.sources.newest_first(True), self.query))
        return Hint(len(lists.shown), lists.choice_count, why_none)

    def runs_of(self, branch: Branch) -> list[StoredRun]:
        """The runs of a branch that are shown, the newest first."""
        if not self._inside:
            for run in self.shown():
                self._inside.setdefault(Branch(run.key.project, source=run.key.source), []).append(run)
        if branch not in self._inside:
            project = Branch(branch.project, source=branch.source)
            runs = self._inside.get(project, []) if branch.project else self.shown()
            self._inside[branch] = [run for run in runs if branch.holds(run)]
        return self._inside[branch]

    # ---- the table ----

    def table(self, branch: Branch) -> Table:
        """The table of a branch."""
        found = self._tables.get(branch)
        if found is None or self.is_table_due(branch):
            self._outdated.discard(branch)
            start = monotonic()
            opened = {path for place, path in self.opened_groups if place == branch}
            built = table.build(self.runs_of(branch), self.views.table_of(branch.project), opened)
            found = self._tables[branch] = _Built(built, start, monotonic() - start)
        return found.table

    def arrange(self, branch: Branch, view: TableView) -> None:
        """Show the runs of a branch's project in another order or grouping, or with other columns."""
        self.views.change_table(branch.project, view)
        self._tables.clear()

    def toggle_group(self, branch: Branch, path: GroupPath) -> None:
        """Show the runs of a group in the table, or no longer."""
        self.opened_groups ^= {(branch, path)}
        self._tables.pop(branch, None)

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
            if feed is None or not feed.is_of(run):
                feed = self._feed(run)
                room -= feed.take(room) if not feed.is_large else 0
            self._feeds[key] = feed
        self._share_memory()
        for key, feed in before.items():
            if self._feeds.get(key) is not feed:
                feed.close()
        return list(self._feeds.values()) != list(before.values())

    def _share_memory(self) -> None:
        """Of very long histories only the topmost are read whole, the others by a sample."""
        room = MAX_WHOLE
        for key, feed in reversed(self._feeds.items()):
            room -= feed.weight
            if feed.is_exact and room < 0 and not feed.is_wanted:
                feed.close()
                feed = self._feeds[key] = self._feed(self.runs[key])
            if feed.is_large:
                feed.may_load = room >= 0

    def _feed(self, run: StoredRun) -> HistoryFeed:
        return HistoryFeed(self.sources.of(run), run)

    @property
    def drawn_count(self) -> int:
        """How many runs are looked at."""
        return len(self._feeds)

    def subjects(self) -> list[Subject]:
        """The runs that are looked at and have numbers or media, in the order of `look_at`."""
        found = []
        for key, feed in self._feeds.items():
            run = self.runs.get(key)
            if run is not None and (feed.history.columns or feed.history.system or feed.history.media):
                found.append(Subject(run, feed.history, self.number(key)))
        return found

    @property
    def is_behind(self) -> bool:
        """Whether more can be read at once: runs, or the histories that are looked at."""
        return self.sources.is_behind or any(feed.is_behind for feed in self._feeds.values())

    @property
    def is_loading(self) -> bool:
        """Whether more is on its way: runs, or the histories that are looked at."""
        return not self.sources.is_complete or self.are_rows_coming

    @property
    def are_rows_coming(self) -> bool:
        """Whether the histories that are looked at are on their way."""
        return any(not feed.is_whole and not self._is_cut(feed.key) for feed in self._feeds.values())

    def _is_cut(self, key: Key) -> bool:
        return bool(self.sources.catalogs[key.source].files.trouble)

    def sampled(self) -> Sampled | None:
        """What there is to say where a history that is looked at is shown by few of its rows; None where none is."""
        feeds = [feed for feed in self._feeds.values() if feed.is_sampled]
        if not feeds:
            return None
        shares = [feed.loaded for feed in feeds if feed.loaded is not None]
        return Sampled(len(feeds), sum(feed.size for feed in feeds), min(shares) if len(shares) == len(feeds) else None)

    def load_all(self, at_any_cost: bool = False) -> None:
        """Read all rows of the histories that are looked at; only at any cost also those that would fill the memory."""
        for feed in self._feeds.values():
            if at_any_cost or not feed.is_large or feed.may_load:
                feed.load_all()

    def drawn(self, place: Place | None) -> list[Key]:
        """The runs whose charts belong to a place, the topmost last.

        Of a run: itself over those that are marked. Of a branch: those of its runs that are marked, while none is, the
        first ten of its table. The pinned run is always among them and on top.
        """
        if isinstance(place, Branch):
            inside = [run.key for run in self.table(place).runs]
            keys = [key for key in inside if key in self.marked] or inside[:NEWEST]
            keys.reverse()
        else:
            keys = [run.key for run in reversed(self.marked_runs())]
            if place is not None:
                keys = [key for key in keys if key != place] + [place]
        if self.pinned is not None and place is not None and self.is_shown(self.pinned):
            keys = [key for key in keys if key != self.pinned] + [self.pinned]
        return keys[-MAX_RUNS:]

    def marked_runs(self) -> list[StoredRun]:
        """The marked runs that are shown, the newest first."""
        return [run for run in self.shown() if run.key in self.marked] if self.marked else []

    def toggle_mark(self, runs: Iterable[StoredRun]) -> None:
        """Mark some runs; take the marks away if all of them have one."""
        keys = {run.key for run in runs}
        self.marked = self.marked - keys if keys <= self.marked else self.marked | keys

    def toggle_pin(self, key: Key) -> None:
        """Draw a run over all others, or no longer."""
        self.pinned = None if self.pinned == key else key

    def sign_of(self, key: Key) -> tuple[str, str]:
        """Two cells before a run's name and its number: its sign while it is drawn, and `^` if it is pinned."""
        if key not in self._feeds:
            return "  ", ""
        number = self.number(key)
        return sign_of(number) + ("^" if key == self.pinned else " "), str(number)

    def number(self, key: Key) -> int:
        """The run's place among all of its project, the oldest 0: what its colour and sign come from.

        So neighbours look different, and a run looks the same after every start.
        """
        run = self.runs.get(key)  # it may be gone
        roots = list(self.sources.catalogs)
        place = roots.index(key.source) + (len(roots) if run is not None and run.is_read_only else 0)
        return (run.number if run is not None else 0) + SHIFT * place

    # ---- the tree ----

    def tree(self) -> list[Node]:
        """The lines of the tree; the same list as long as they are the same."""
        if self._nodes is None:
            self._nodes = tree.grow(self.shown(), self.is_closed, list(self.sources.catalogs))
        return self._nodes

    def is_closed(self, branch: Branch) -> bool:
        """Whether a branch hides what is in it. While a query is on, only what was closed meanwhile."""
        if self.query.text:
            return branch in self._closed_meanwhile
        return self.views.is_closed(self.root_of(branch), branch)

    def close(self, branch: Branch, is_closed: bool = True) -> None:
        """Close a branch of the tree, or open it."""
        self._nodes = None
        if not self.query.text:
            self.views.close(self.root_of(branch), branch, is_closed)
        elif is_closed:
            self._closed_meanwhile.add(branch)
        else:
            self._closed_meanwhile.discard(branch)

    def label(self, branch: Branch) -> str:
        """What a branch is called."""
        if branch.group:
            return branch.group
        if branch.project:
            return next((clean(run.project) for run in self.runs_of(branch._replace(entity=None))), "")
        if branch.entity is not None:
            return branch.entity or "(no entity)"
        return f"{'✗ ' if self.trouble_at(branch) else ''}{clean(branch.source)}"

    def trouble_at(self, branch: Branch) -> str:
        """Why nothing comes from where a branch is; empty while it does."""
        return self.sources.catalogs[branch.source].files.trouble

    def root_of(self, branch: Branch) -> str:
        """The folder of projects that a branch is in."""
        return self.sources.catalogs[branch.source].root

    def leave(self, place: Place | None) -> None:
        """Remember what is shown for the next time.

        Args:
            place: where the cursor is.
        """
        marked = [list(key) for key in sorted(self.marked & self.runs.keys())]
        self.views.leave({"query": self.query.text, "marked": marked, "pinned": self.pinned, "place": place})

    def first_choice(self) -> Place | None:
        """What to show first: where the cursor was the last time, else the newest run that runs, else the newest."""
        if self.last_place is not None and any(node.place == self.last_place for node in self.tree()):
            return self.last_place
        if isinstance(self.last_place, Key) and self.is_shown(self.last_place):  # in a closed branch
            return self.last_place
        runs = self.shown()
        found = next((run for run in runs if run.state == "running"), runs[0] if runs else None)
        return found.key if found is not None else None


def _list(kept: object) -> list[Any]:
    return kept if isinstance(kept, list) else []


def _query(kept: object) -> Query:
    """A query that was remembered; all runs where it is none."""
    try:
        return query.parse(kept if isinstance(kept, str) else "")
    except query.QueryError:
        return query.parse("")


def _place(kept: object) -> Place | None:
    """A place that was remembered: of a run three words, of a branch four."""
    words = _list(kept)
    if len(words) == len(Branch._fields) and all(isinstance(word, str) for word in [*words[:2], words[3]]):
        return Branch(*words) if words[2] is None or isinstance(words[2], str) else None
    return Key(*words) if len(words) == len(Key._fields) and all(isinstance(word, str) for word in words) else None
