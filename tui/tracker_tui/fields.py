"""What a run has, by name: the words of queries, columns, orders and `--columns`.

A property (`name`, `state`, `age` ...), `config.KEY`, `summary.KEY` (the value of a metric) or `history.KEY` (its
course, a sparkline). A bare KEY that is no property means the config, else the summary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from tracker.filters import nested
from tracker.records import clean
from tracker.report import format_value
from tracker.stored import StoredRun
from tracker_tui import look
from tracker_tui.facts import branch_of, flat, gpus_of
from tracker_tui.kinds import by_interest, metrics
from tracker_tui.query import is_number, quoted

CONFIG: Final = "config."
SUMMARY: Final = "summary."
HISTORY: Final = "history."

_OF: Final[dict[str, Callable[[StoredRun], Any]]] = {
    "name": lambda run: run.label,
    "state": lambda run: run.state,
    "step": lambda run: run.step,
    "tags": lambda run: run.tags,
    "notes": lambda run: run.notes,
    "group": lambda run: run.group,
    "project": lambda run: run.project,
    "entity": lambda run: run.entity,
    "job_type": lambda run: run.job_type,
    "id": lambda run: run.id,
    "place": lambda run: clean(run.place, 4096),
    "origin": lambda run: run.origin,
    "host": lambda run: clean(run.start.get("host") or ""),
    "user": lambda run: clean(run.start.get("user") or ""),
    "command": lambda run: clean(run.start.get("command") or "", 4096),
    "git": lambda run: clean(run.start.get("git") or ""),
    "branch": branch_of,
    "gpu": gpus_of,
    "created": lambda run: run.created,
    "exit_code": lambda run: run.exit_code,
    "exception": lambda run: run.exception,
    "alerts": lambda run: len(run.alerts),
    "bad_lines": lambda run: run.bad_lines,
    "archived": lambda run: run.archived,
    "deleted": lambda run: run.deleted,
}
PROPERTIES: Final = (*list(_OF)[:3], "age", "duration", *list(_OF)[3:])
"""What every run has; times in seconds, `created` since the epoch."""
TIMED: Final = ("age", "duration")
"""Those that change by themselves."""
ALIASES: Final = {"tag": "tags", "note": "notes", "time": "duration", "commit": "git", "error": "exception"}
SPOKEN: Final = ("name", "id", "project", "group", "tag", "state", "host", "note")
"""Properties that a query best names with `:`."""
GROUPABLE: Final = (
    "group",
    "state",
    "tags",
    "job_type",
    "place",
    "origin",
    "host",
    "user",
    "git",
    "branch",
    "gpu",
    "project",
    "entity",
)
"""Properties that tell kinds of runs apart, beside the config."""
OFFERED: Final = {
    "age": ("10m", "2h", "1d", "7d"),
    "duration": ("1m", "10m", "1h", "1d"),
    "created": (),
    "archived": ("yes", "no"),
    "deleted": ("yes", "no"),
}
"""What is offered for times, of which every run has another, and for what hides runs, which is seldom in sight."""
NUMERIC: Final = ("step", "age", "duration", "created", "alerts", "bad_lines", "exit_code")
"""Properties that stand at the right of their column."""
MAX_VALUE: Final = 64
"""Characters of a value that is offered when somebody types."""
SAMPLE: Final = 2000
"""Runs whose values are offered when somebody types."""


def value_of(run: StoredRun, name: str, now: float | None = None) -> Any:
    """A run's value; None where it has none."""
    low = name.lower()
    low = ALIASES.get(low, low)
    get = _OF.get(low)
    if get is not None:
        return get(run)
    if low in TIMED:
        moment = time.time() if now is None else now
        return run.duration(moment) if low == "duration" else run.age(moment)
    if name.startswith(CONFIG):
        return _in(run.config, name[len(CONFIG) :])
    if name.startswith(SUMMARY):
        return _metric(run, name[len(SUMMARY) :])
    if name.startswith(HISTORY):
        return _metric(run, name[len(HISTORY) :])
    value = _in(run.config, name)
    return _metric(run, name) if value is None else value


def _in(values: dict[str, Any], path: str) -> Any:
    if path in values:
        return values[path]
    try:
        return nested(values, path) if "." in path else None
    except KeyError:
        return None


def _metric(run: StoredRun, name: str) -> Any:
    if name not in run.summary:
        return _in(run.summary, name)
    value = look.metric_value(run, name)
    return None if isinstance(value, dict) else value


def is_course(name: str) -> bool:
    """Whether a field is shown as a sparkline."""
    return name.startswith(HISTORY)


def metric_of(name: str) -> str | None:
    """The metric that a field's name means if it is none of the config; None for a property."""
    if name in PROPERTIES or name in ALIASES or name.startswith(CONFIG):
        return None
    return name.removeprefix(SUMMARY).removeprefix(HISTORY)


def config_names(runs: Iterable[StoredRun]) -> list[str]:
    """`config.KEY` of every key that any run has, nested ones with dots."""
    found: set[str] = set()
    for run in runs:
        found.update(run.config)
        nested_keys = [key for key, value in run.config.items() if type(value) is dict and value]
        found.difference_update(nested_keys)
        found.update(key for key, _ in flat({key: run.config[key] for key in nested_keys}))
    return sorted(CONFIG + key for key in found if not key.startswith("_"))


def metric_names(runs: Iterable[StoredRun]) -> list[str]:
    """Every metric that any run logged as a number, in the order people look for them."""
    return by_interest({name for run in runs for name in metrics(run)})


def is_known(runs: Iterable[StoredRun], name: str) -> bool:
    """Whether a field is a property, or any run has a value of it."""
    if name.lower() in PROPERTIES or name.lower() in ALIASES:
        return True
    values = (value_of(run, name) for run in runs)
    return any(value is not None and not isinstance(value, dict) for value in values)


def summary_names(runs: Iterable[StoredRun]) -> list[str]:
    """`summary.KEY` of every metric, with `.min`, `.max` ... where `define_metric` asked for several values."""
    runs = list(runs)
    several = {
        name: [how for how in value if how != "_type"]
        for run in runs
        if run.metrics
        for name, value in run.summary.items()
        if isinstance(value, dict) and "_type" not in value
    }
    return [
        SUMMARY + part
        for name in metric_names(runs)
        for part in (name, *(f"{name}.{how}" for how in several.get(name, ())))
    ]


def offered(names: Iterable[str], runs: Iterable[StoredRun]) -> list[str]:
    """Properties that are worth a choice: not where runs come from, if all are one's own."""
    has_origins = any(run.origin for run in runs)
    return [name for name in names if name != "origin" or has_origins]


def to_type(runs: Iterable[StoredRun]) -> list[str]:
    """Fields as a query would name them, the usual ones with `:`."""
    runs = list(runs)
    spoken = [f"{name}:" for name in SPOKEN]
    rest = [name for name in offered(PROPERTIES, runs) if name not in SPOKEN and f"{name.rstrip('s')}:" not in spoken]
    rest = [f"{name}:yes" if name in ("archived", "deleted") else name for name in rest]
    return [*spoken, *map(quoted, metric_names(runs)), *map(quoted, config_names(runs)), *rest]


def known_values(runs: Iterable[StoredRun], name: str) -> list[str]:
    """The short values that runs have in a field: numbers in their order, else the most frequent first."""
    if name in OFFERED:
        return list(OFFERED[name])
    counts: dict[str, int] = {}
    numbers: dict[str, float] = {}
    for _, run in zip(range(SAMPLE), runs, strict=False):
        value = value_of(run, name)
        for one in value if isinstance(value, list) else [value]:
            if one not in (None, "") and not isinstance(one, (dict, list)):
                text = text_of(name, one) if isinstance(one, bool) else str(one)
                counts[text] = counts.get(text, 0) + 1
                if is_number(one):
                    numbers[text] = one
    short = [text for text in counts if len(text) <= MAX_VALUE and text.isprintable()]
    return sorted(short, key=lambda text: (numbers.get(text, 0.0), -counts[text], text))


def shown(run: StoredRun, name: str, now: float, width: int = 60) -> str:
    """A run's value as lists of runs show it; times that go on by themselves move in calm steps."""
    name = ALIASES.get(name, name)
    if name == "age":
        return look.age(run, now)
    return look.duration(run, now) if name == "duration" else text_of(name, value_of(run, name, now), width)


def text_of(name: str, value: Any, width: int = 60) -> str:
    """A value as it is shown in a field."""
    name = ALIASES.get(name, name)
    if value is None:
        return ""
    if name in ("age", "duration") and isinstance(value, (int, float)):
        return look.long_span(value) if name == "duration" else look.span(value)
    if name == "created" and isinstance(value, (int, float)):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    if name == "git":
        return str(value)[:12]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return clean(", ".join(value), width)
    if isinstance(value, float):
        return look.last_value(value, width)
    return format_value(value, width)
