"""The numbers of a run as columns: what charts are drawn from."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from operator import le, lt
from typing import Any, Final

from tracker import records
from tracker.records import Record, clean, restore
from tracker.replay import MAX_KEYS, MAX_STEP, MAX_SYSTEM, MAX_TIME, is_row_until, sample_of, time_of

FEW: Final = 8
"""Rows below which going by column gains nothing."""
MAX_GAPS: Final = 8
"""Places to look at for a value, above which rows have too little in common to go by column."""
NUMBERS: Final = frozenset((float, int))


class Column:
    """One metric's history: `steps` strictly increasing, `values` beside them (NaN and the infinities included)."""

    __slots__ = ("rewrites", "steps", "values")

    def __init__(self) -> None:
        self.steps = array("d")
        self.values = array("d")
        self.rewrites = 0
        """How often anything but the end was changed: what somebody derived from the column before is not true then."""

    def extend(self, steps: array[float], values: array[float]) -> None:
        """Set the values of steps that ascend strictly."""
        if steps and (not self.steps or steps[0] > self.steps[-1]):
            self.steps.extend(steps)
            self.values.extend(values)
            return
        for step, value in zip(steps, values, strict=True):
            self.put(step, value)

    def put(self, step: float, value: float) -> None:
        """Set the value at a step; a late step is sorted in, a known one overwritten."""
        steps = self.steps
        if not steps or step > steps[-1]:
            steps.append(step)
            self.values.append(value)
            return
        index = bisect_left(steps, step)
        if steps[index] == step:
            self.values[index] = value
        else:
            steps.insert(index, step)
            self.values.insert(index, value)
        self.rewrites += 1  # last: who sees the count sees the change


class History:
    """The numbers of a run as columns, one a metric: history is a set of (step, metric) → value, the last one wins."""

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.times = Column()
        """When each step was logged first, in seconds since the epoch."""
        self.system: dict[str, Column] = {}
        """What was sampled of the machine; its steps are times, in seconds since the epoch."""
        self.system_times = Column()
        """What `times` is to rows: every time at which there was a sample, and the same as value."""

    def extend(self, found: Sequence[Record]) -> None:
        """Fold the next records; all but rows and samples of the machine are passed over.

        Rows whose steps ascend, as those of nearly all runs do, are taken column by column: five times as fast.
        """
        rows = [record for record in found if "_type" not in record]
        if len(rows) < FEW or not self._extend_columns(rows):
            for row in rows:
                self._row(row)
        if len(rows) < len(found):
            for record in found:
                self._sample(record)

    def _extend_columns(self, rows: list[Record]) -> bool:
        """Fold rows by column; False, and nothing is done, where that is not the same or not quicker."""
        keys = dict.fromkeys(chain.from_iterable(rows))
        if len(set(map(clean, keys))) < len(keys):  # two names that look the same
            return False
        steps: list[Any] = [row.get("_step") for row in rows]
        if len(keys) * len(rows) > MAX_GAPS * sum(map(len, rows)) or set(map(type, steps)) != {int}:
            return False
        if not -MAX_STEP <= steps[0] <= steps[-1] <= MAX_STEP or not all(map(le, steps, steps[1:])):
            return False
        places = array("d", steps)
        is_strict = all(map(lt, places, places[1:]))
        times: list[Any] = [row.get("_timestamp") for row in rows]
        is_plain = is_strict and set(map(type, times)) <= NUMBERS and min(times) >= 0 and max(times) < MAX_TIME
        if is_plain and not (self.times.steps and self.times.steps[-1] >= places[0]):  # the first time of a step counts
            self.times.extend(places, array("d", times))
        else:
            for step, time in zip(steps, times, strict=True):
                self._time(step, time)
        for key in keys:
            if key not in records.RESERVED:
                self._extend_column(key, places, [row.get(key) for row in rows], is_strict)
        return True

    def _extend_column(self, key: str, steps: array[float], values: list[Any], is_strict: bool) -> None:
        if not set(map(type, values)) <= NUMBERS:
            values = [restore(value) if type(value) is str else value for value in values]
            known = [(step, value) for step, value in zip(steps, values, strict=True) if type(value) in NUMBERS]
            steps, values = array("d", [step for step, _ in known]), [value for _, value in known]
            is_strict = is_strict or all(map(lt, steps, steps[1:]))
        column = self.columns.get(key) or _column(self.columns, clean(key), MAX_KEYS) if values else None
        if column is None:
            return
        if is_strict:
            column.extend(steps, array("d", values))
            return
        for step, value in zip(steps, values, strict=True):
            column.put(step, value)

    def _row(self, record: Record) -> None:
        if not is_row_until(record, MAX_STEP):
            return
        step = record["_step"]
        self._time(step, record.get("_timestamp"))
        for key, value in record.items():
            if key in records.RESERVED:
                continue
            if type(value) is str:
                value = restore(value)
            if type(value) is float or type(value) is int:
                column = self.columns.get(key) or _column(self.columns, clean(key), MAX_KEYS)
                if column is not None:
                    column.put(step, value)

    def _time(self, step: float, value: Any) -> None:
        """The first time at which a step was logged."""
        time = time_of(value)
        if time is not None and not (self.times.steps and self.times.steps[-1] == step):
            self.times.put(step, time)

    def _sample(self, record: Record) -> None:
        found = sample_of(record)
        if found is None:
            return
        time, values = found
        self.system_times.put(time, time)
        for name, value in values.items():
            column = _column(self.system, name, MAX_SYSTEM)
            if column is not None:
                column.put(time, value)


def _column(columns: dict[str, Column], key: str, most: int) -> Column | None:
    """The column of a name, made where there is room for another."""
    if key not in columns and len(columns) < most:
        columns[key] = Column()
    return columns.get(key)
