"""What `define_metric` says of metrics, and what follows for the summary. Rules: W&B's `Run.define_metric`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracker.records import Record

SUMMARIES: Final = ("min", "max", "mean", "last", "first", "best", "none")
GOALS: Final = ("minimize", "maximize")


@dataclass(frozen=True)
class Metric:
    """How one metric, or with `*` at the end every metric whose name begins so, is to be read."""

    name: str
    step_metric: str | None = None
    """The metric that is its x axis."""
    step_sync: bool = False
    """A row without the step metric gets its last value."""
    hidden: bool = False
    """Left out of the charts that are shown by themselves."""
    summary: tuple[str, ...] = ()
    """What the summary keeps of it; empty for its last value."""
    goal: str | None = None
    """`minimize` or `maximize`: which value is `best`."""

    def record(self) -> Record:
        """The fields of a `metric` record."""
        return {**vars(self), "summary": list(self.summary)}

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> Metric | None:
        """The metric of a record; None if it is not one."""
        name, step_metric, goal, summary = (record.get(key) for key in ("name", "step_metric", "goal", "summary"))
        if not isinstance(name, str) or not name:
            return None
        return cls(
            name,
            step_metric if isinstance(step_metric, str) else None,
            record.get("step_sync") is True,
            record.get("hidden") is True,
            tuple(how for how in summary if how in SUMMARIES) if isinstance(summary, list) else (),
            goal if goal in GOALS else None,
        )


NONE: Final[frozenset[str]] = frozenset()


class Metrics:
    """All definitions of a run. A name beats a pattern, a later definition an earlier one."""

    __slots__ = ("_found", "_names", "_patterns", "step_names")

    def __init__(self) -> None:
        self._names: dict[str, Metric] = {}
        self._patterns: dict[str, Metric] = {}
        self._found: dict[str, Metric | None] = {}
        self.step_names: frozenset[str] = NONE
        """Metrics that are the x axis of another one."""

    def __bool__(self) -> bool:
        return bool(self._names or self._patterns)

    def __iter__(self) -> Iterator[Metric]:
        yield from self._names.values()
        yield from self._patterns.values()

    def define(self, metric: Metric) -> None:
        """Add a definition or replace the one of the same name."""
        (self._patterns if metric.name.endswith("*") else self._names)[metric.name] = metric
        self._found.clear()
        self.step_names = frozenset(each.step_metric for each in self if each.step_metric)

    def defined(self, name: str) -> Metric | None:
        """The definition of exactly this name or pattern."""
        return (self._patterns if name.endswith("*") else self._names).get(name)

    def of(self, key: str) -> Metric | None:
        """What is defined for a metric, by its name or the longest pattern that fits."""
        if not self:
            return None
        try:
            return self._found[key]
        except KeyError:
            fitting = [m for m in self._patterns.values() if key.startswith(m.name[:-1])]
            found = self._names.get(key) or max(fitting, key=lambda m: len(m.name), default=None)
            self._found[key] = found
            return found


Tally = list[float]
"""How many values a mean is of, and their sum."""


def summarize(before: Any, value: Any, metric: Metric, tally: Tally) -> Any:
    """The summary entry of a metric after one more value, e.g. `{"min": 0.1, "max": 3.0}`.

    NaN is passed over, but for `last`: one NaN must not hide the best value for good.

    Args:
        before: the entry until now; anything but a mapping starts anew.
        value: the value logged.
        metric: its definition, with at least one kind of summary and not `none`.
        tally: for `mean`; changed.
    """
    entry: dict[str, Any] = dict(before) if isinstance(before, dict) and "_type" not in before else {}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    for how in metric.summary:
        if how == "last" or (how == "first" and how not in entry):
            entry[how] = value
        elif not is_number or how == "first":
            continue
        elif how == "mean":
            tally[0] += 1
            tally[1] += value
            entry[how] = tally[1] / tally[0]
        elif how == "max" or (how == "best" and metric.goal == "maximize"):
            entry[how] = max(entry.get(how, value), value)
        else:
            entry[how] = min(entry.get(how, value), value)
    return entry


def check_metric(
    before: Metric | None,
    name: object,
    step_metric: object,
    step_sync: bool | None,
    hidden: bool | None,
    summary: object,
    goal: object,
) -> Metric:
    """The definition that `define_metric` was asked for, over the one there was.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value; the message names it.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {type(name).__name__}")
    if not name or "*" in name[:-1]:
        raise ValueError(f"name must not be empty and may have a * only at its end (got {name!r})")
    if isinstance(step_metric, Metric):
        step_metric = step_metric.name
    if step_metric is not None and not isinstance(step_metric, str):
        raise TypeError(f"step_metric must be a string, not {type(step_metric).__name__}")
    if summary is not None and not isinstance(summary, str):
        raise TypeError(f"summary must be a string, not {type(summary).__name__}")
    kinds = tuple(word.strip() for word in summary.split(",")) if summary else ()
    if unknown := [kind for kind in kinds if kind not in SUMMARIES]:
        raise ValueError(f"summary knows {', '.join(SUMMARIES)} (got {unknown[0]!r})")
    if goal is not None and goal not in GOALS:
        raise ValueError(f"goal must be one of {', '.join(GOALS)} (got {goal!r})")
    old = before or Metric(name)
    return Metric(
        name,
        step_metric or old.step_metric,
        step_sync if step_sync is not None else (old.step_sync or step_metric is not None),
        old.hidden if hidden is None else hidden,
        kinds or old.summary,
        str(goal) if goal else old.goal,
    )
