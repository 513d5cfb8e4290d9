"""Runs side by side: what differs first, what is the same apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui.facts import flat, reason_of
from tracker_tui.fields import metric_names, text_of, value_of
from tracker_tui.kinds import goal_of
from tracker_tui.look import BEST, last_value, long_span
from tracker_tui.query import is_number
from tracker_tui.table import best_of, exact

ABOUT: Final = (
    "state",
    "duration",
    "step",
    "created",
    "git",
    "branch",
    "gpu",
    "place",
    "host",
    "user",
    "command",
    "group",
    "job_type",
    "tags",
)
"""Properties that are compared besides config and summary."""
MISSING: Final = "–"
WIDTH: Final = 60


class Item(NamedTuple):
    """One thing that runs have, each its own value."""

    name: str
    texts: tuple[str, ...]
    values: tuple[Any, ...]
    deltas: tuple[str, ...] = ()
    """How far numbers are from the first run's; empty where that says nothing."""
    best: frozenset[int] = frozenset()
    """The places of the runs with the best value, where it is known which way is better."""

    @property
    def differs(self) -> bool:
        return len({exact(value) for value in self.values}) > 1


class Section(NamedTuple):
    """Items under a heading."""

    title: str
    items: tuple[Item, ...]


class Comparison(NamedTuple):
    """What is the same in all runs is in sections of its own."""

    runs: tuple[StoredRun, ...]
    different: tuple[Section, ...]
    same: tuple[Section, ...]


def compare(runs: Sequence[StoredRun], now: float | None = None) -> Comparison:
    """Two or more runs side by side; deltas are from the first."""
    moment = time.time() if now is None else now
    sections = (
        Section("Config", tuple(_config(runs))),
        Section("Summary", tuple(_summary(runs))),
        Section("Run", tuple(_about(runs, moment))),
    )
    return Comparison(tuple(runs), _part(sections, lambda item: item.differs), _part(sections, lambda i: not i.differs))


def _part(sections: Iterable[Section], wanted: Callable[[Item], bool]) -> tuple[Section, ...]:
    parts = (section._replace(items=tuple(filter(wanted, section.items))) for section in sections)
    return tuple(part for part in parts if part.items)


def _config(runs: Sequence[StoredRun]) -> Iterable[Item]:
    known = [dict(flat(run.config)) for run in runs]
    for name in sorted({name for values in known for name in values}):
        yield _item(name, [values.get(name) for values in known])


def _summary(runs: Sequence[StoredRun]) -> Iterable[Item]:
    known = [dict(flat(run.summary)) for run in runs]
    names = metric_names(runs)
    rest = sorted({name for values in known for name in values} - set(names))
    for name in [*names, *rest]:
        values = [value_of(run, f"summary.{name}") for run in runs]
        values = [seen.get(name) if value is None else value for value, seen in zip(values, known, strict=True)]
        numbers = [value if is_number(value) and value == value else None for value in values]
        item = _item(name, values)
        yield item._replace(deltas=_deltas(numbers), best=_best(numbers, goal_of(name, runs)))


def _about(runs: Sequence[StoredRun], now: float) -> Iterable[Item]:
    for name in ABOUT:
        values = [value_of(run, name, now) for run in runs]
        if all(value in (None, "", []) for value in values):
            continue
        if name == "state":
            texts = [f"{run.state} {reason_of(run)}".strip() for run in runs]
        else:
            texts = [text_of(name, value, WIDTH) or MISSING for value in values]
        item = Item(name, tuple(texts), tuple(texts if name == "duration" else values))
        yield item._replace(deltas=_deltas(values, _span)) if name == "duration" else item


def _item(name: str, values: Sequence[Any]) -> Item:
    texts = [MISSING if value is None else text_of("", value, WIDTH) for value in values]
    if len(set(texts)) == 1 and len({exact(value) for value in values}) > 1:  # the difference is to be seen
        texts = [clean(exact(value), WIDTH) for value in values]
    return Item(name, tuple(texts), tuple(values))


def _best(numbers: Sequence[float | None], goal: str | None) -> frozenset[int]:
    best = best_of([number for number in numbers if number is not None], goal)
    return frozenset(place for place, number in enumerate(numbers) if best is not None and number == best)


def _deltas(numbers: Sequence[Any], write: Callable[[float], str] | None = None) -> tuple[str, ...]:
    """Each number less the first."""
    first = numbers[0]
    texts = [""]
    for number in numbers[1:]:
        delta = None if first is None or number is None else number - first
        texts.append("" if delta is None or delta != delta or delta == 0 else (write or _signed)(delta))
    return tuple(texts)


def _signed(number: float) -> str:
    return ("+" if number > 0 else "") + last_value(float(f"{number:.3g}"))


def _span(seconds: float) -> str:
    return ("+" if seconds > 0 else "-") + long_span(abs(seconds))


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison for scripts: what differs and what is the same, each section's names with a value a run."""
    return {
        "runs": [{"id": run.id, "name": run.label, "project": run.project} for run in comparison.runs],
        "different": {section.title.lower(): _values(section) for section in comparison.different},
        "same": {s.title.lower(): {i.name: i.values[0] for i in s.items} for s in comparison.same},
    }


def _values(section: Section) -> dict[str, list[Any]]:
    return {clean(item.name): list(item.values) for item in section.items}


def cells_of(item: Item) -> list[str]:
    """What stands under each run: its value, a mark if it is the best, how far it is from the first."""
    deltas = item.deltas or ("",) * len(item.texts)
    marks = (f" {BEST}" if place in item.best else "" for place in range(len(item.texts)))
    return [
        f"{text}{mark}{f' ({delta})' if delta else ''}"
        for text, mark, delta in zip(item.texts, marks, deltas, strict=True)
    ]
