"""Which runs, in an order, in groups, with the best marked: for the table of the dashboard and `tracker-tui ls`."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui import fields
from tracker_tui.fields import ALIASES, PROPERTIES, metric_of, text_of, value_of
from tracker_tui.kinds import goal_of, main_metric
from tracker_tui.query import SEARCHED, Query, is_number

NEWEST: Final = "age"
"""The usual order."""
MAX_NAMED: Final = 6
"""Values or keys that a hint lists."""
NO_VALUE: Final = "none"
"""What a group is called whose runs do not have the key."""
HIDING: Final = ("archived", "deleted")
"""Properties that hide a run from every query that does not name them."""


class TableView(NamedTuple):
    """How the runs of a project are looked at; remembered by its name."""

    columns: tuple[str, ...] = ()
    """Names of fields, beside the run's name; empty for what fits best."""
    sort: str = NEWEST
    is_reversed: bool = False
    """Whether the order is the other way than usual: than best first, newest first, least first."""
    group_by: tuple[str, ...] = ()


class Stats(NamedTuple):
    """The numbers of a group in one field."""

    size: int
    mean: float
    low: float
    high: float


GroupPath = tuple[str, ...]
"""Names of fields and values from the outermost group in: `("config.lr", "0.1", "config.model", "vit")`."""


class Row(NamedTuple):
    """One line of the table: a run, or a group of runs."""

    depth: int
    runs: tuple[StoredRun, ...]
    """The run itself; of a group, all of its runs in the table's order."""
    path: GroupPath = ()
    """Of a group, which one; empty for a run."""
    is_open: bool = True
    stats: Stats | None = None
    """Of a group, the numbers of `Table.measure`."""

    @property
    def run(self) -> StoredRun | None:
        """The run; None for a group."""
        return None if self.path else self.runs[0]


class Table(NamedTuple):
    """All lines, and what they are ordered and measured by."""

    rows: tuple[Row, ...] = ()
    runs: tuple[StoredRun, ...] = ()
    """The runs in the order of the rows, those in closed groups among them."""
    measure: str = ""
    """The field whose mean, least and greatest values groups show; empty where runs have no numbers."""

    def best(self, name: str) -> float | None:
        """The best value of a field among the runs, if it is known which way is better and not all have the same."""
        goal = _goal(name, self.runs)
        if goal is None:
            return None
        return best_of([number for run in self.runs if (number := _number(value_of(run, name))) is not None], goal)


def best_of(numbers: Collection[float], goal: str | None) -> float | None:
    """The best of some numbers; None where it is not known which way is better, or all are the same."""
    if goal is None or len(set(numbers)) < 2:
        return None
    return min(numbers) if goal == "minimize" else max(numbers)


def chosen(runs: list[StoredRun], wanted: Query) -> list[StoredRun]:
    """Those of its choice that a query means."""
    if not wanted.text.strip():
        return runs
    now = time.time()
    return [run for run in runs if wanted.matches(functools.partial(fields.value_of, run, now=now))]


def choosable(runs: Iterable[StoredRun], wanted: Query) -> list[StoredRun]:
    """Those of some runs of which a query chooses: what is archived or deleted only if it names that."""
    hides_archived, hides_deleted = (name not in wanted.names for name in HIDING)
    return [run for run in runs if not (run.archived and hides_archived) and not (run.deleted and hides_deleted)]


def why_none(wanted: Query, runs: Iterable[StoredRun]) -> str:
    """What may be wrong with a query that means no run; empty where nothing can be said."""
    runs = list(runs)
    for term in wanted.terms:
        if any(term.test(functools.partial(fields.value_of, run)) for run in runs):
            continue
        if not term.name:
            if fields.is_known(runs, term.text):
                return f"{term.text} is a field: compare it, as in {term.text}<1"
            return f"no run has {clean(term.text, 40)!r} in its {', '.join(SEARCHED[:-1])} or {SEARCHED[-1]}"
        if trouble := unknown(term.name, runs):
            return trouble
        values = fields.known_values(runs, term.name)
        if term.op in ("=", ":") and 0 < len(values) <= MAX_NAMED:
            known = ", ".join(clean(value, 20) for value in values)
            return f"no run has this {clean(term.name, 40)}; there is {known}"
    return ""


def unknown(name: str, runs: Sequence[StoredRun]) -> str:
    """What to say of a field that no run has a value of; empty if any has."""
    if not runs or fields.is_known(runs, name):
        return ""
    parts = [key for key in fields.config_names(runs) if key.startswith((f"{name}.", f"{fields.CONFIG}{name}."))]
    if parts:
        return f"{clean(name, 40)} has parts: {', '.join(clean(part, 40) for part in parts[:MAX_NAMED])}"
    known = {key.rstrip(":").lower(): key.rstrip(":") for key in fields.to_type(runs)}
    known |= {
        key.removeprefix(fields.CONFIG).lower(): key.removeprefix(fields.CONFIG) for key in fields.config_names(runs)
    }
    import difflib  # costly, and hardly ever needed

    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"no run has {clean(name, 40)!r}" + (f": is it {known[near[0]]!r}?" if near else "")


def build(
    runs: Iterable[StoredRun], view: TableView, opened: Collection[GroupPath] = (), now: float | None = None
) -> Table:
    """The table of some runs, the newest first.

    Args:
        runs: which.
        view: how.
        opened: groups whose runs are shown.
        now: seconds since the epoch, default the time it is.
    """
    ordered = in_order(runs, view.sort, view.is_reversed, now)
    if not view.group_by:
        return Table(tuple(Row(0, (run,)) for run in ordered), tuple(ordered), _measure(ordered, view.sort))
    measure = _measure(ordered, view.sort)
    rows = tuple(_grouped(ordered, view, measure, opened, (), time.time() if now is None else now))
    return Table(rows, tuple(run for row in rows if row.path and row.depth == 0 for run in row.runs), measure)


def in_order(
    runs: Iterable[StoredRun], sort: str, is_reversed: bool = False, now: float | None = None
) -> list[StoredRun]:
    """Runs in the order of a field: the best first where that is known, else the least, the newest, A before Z.

    Those without a value, NaN among them, come last either way; those with the same value stay as they were.
    """
    moment = time.time() if now is None else now
    runs = list(runs)
    places = {run.key: _place(value_of(run, sort, moment)) for run in runs}
    is_descending = descends(sort, is_reversed, runs)
    numbers = [run for run in runs if isinstance(places[run.key], float)]
    texts = [run for run in runs if isinstance(places[run.key], str)]
    for part in (numbers, texts):
        part.sort(key=lambda run: places[run.key], reverse=is_descending)  # type: ignore[arg-type, return-value]
    return numbers + texts + [run for run in runs if places[run.key] is None]


def descends(sort: str, is_reversed: bool, runs: Iterable[StoredRun]) -> bool:
    """Whether an order goes from the greatest to the least."""
    return (_goal(sort, runs) == "maximize") != is_reversed


def _goal(name: str, runs: Iterable[StoredRun]) -> str | None:
    metric = metric_of(name)
    return goal_of(metric, runs) if metric is not None else None


def _place(value: Any) -> float | str | None:
    """What a value is ordered by; None where there is nothing to order by."""
    number = _number(value)
    if number is not None:
        return float(number)
    if value is None or isinstance(value, float) or value in ("", [], {}):
        return None
    return text_of("", value, 200).casefold()


def _number(value: Any) -> float | None:
    """A value that can be ordered as a number; NaN cannot."""
    return value if is_number(value) and not math.isnan(value) else None


def _measure(runs: Sequence[StoredRun], sort: str) -> str:
    """The field that groups are measured by: the order's, if it is one of numbers that are no time, else a metric."""
    if sort not in PROPERTIES and sort not in ALIASES and any(_number(value_of(run, sort)) is not None for run in runs):
        return sort
    metric = next((metric for run in runs if (metric := main_metric(run))), None)
    return f"summary.{metric}" if metric else ""


def _grouped(
    runs: list[StoredRun],
    view: TableView,
    measure: str,
    opened: Collection[GroupPath],
    above: GroupPath,
    now: float,
) -> Iterable[Row]:
    depth = len(above) // 2
    name = view.group_by[depth]
    members = _members(runs, name, now)
    stats = {label: _stats(inside, measure) for label, inside in members.items()}
    labels = list(members)
    if measure == view.sort:  # else in the order of their first runs
        means = {label: found.mean for label, found in stats.items() if found is not None}
        known = sorted(means, key=means.__getitem__, reverse=descends(view.sort, view.is_reversed, runs))
        labels = known + [label for label in labels if label not in means]
    for label in labels:
        path = (*above, name, label)
        is_open = path in opened
        inner: list[Row]
        if len(path) // 2 < len(view.group_by):
            inner = list(_grouped(members[label], view, measure, opened, path, now))
            ordered = tuple(run for row in inner if row.depth == depth + 1 for run in row.runs)
        else:
            inner = [Row(depth + 1, (run,)) for run in members[label]]
            ordered = tuple(members[label])
        yield Row(depth, ordered, path, is_open, stats[label])
        if is_open:
            yield from inner


def _members(runs: Iterable[StoredRun], name: str, now: float) -> dict[str, list[StoredRun]]:
    """Runs by their value, each value by a name of its own."""
    found: dict[str, tuple[Any, list[StoredRun]]] = {}
    for run in runs:
        value = value_of(run, name, now)
        found.setdefault(exact(value), (value, []))[1].append(run)
    members: dict[str, list[StoredRun]] = {}
    for code, (value, inside) in found.items():
        looks = (
            text_of(name, value, 200) or NO_VALUE,
            clean(code, 200),
            f"{clean(code, 200)} ({type(value).__name__})",
        )
        members[next((label for label in looks if label not in members), code)] = inside
    return members


def exact(value: Any) -> str:
    """The same for the same value only; 1 and 1.0 are the same."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)


def _stats(runs: Iterable[StoredRun], measure: str) -> Stats | None:
    """Of what is finite."""
    if not measure:
        return None
    numbers = [n for run in runs if (n := _number(value_of(run, measure))) is not None and math.isfinite(n)]
    if not numbers:
        return None
    return Stats(len(numbers), math.fsum(number / len(numbers) for number in numbers), min(numbers), max(numbers))
