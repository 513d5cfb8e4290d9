"""The numbers of a run as columns, what charts are drawn from; and its media."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from operator import le, lt
from typing import Any, Final, TypeVar

import orjson

from tracker import records
from tracker.records import Record, clean, restore
from tracker.references import is_medium
from tracker.replay import MAX_KEYS, MAX_STEP, MAX_SYSTEM, MAX_TIME, is_row_until, sample_of, time_of

Kind = TypeVar("Kind")
FEW: Final = 8
"""Rows below which going by column gains nothing."""
MAX_GAPS: Final = 8
"""Places to look at for a value, above which rows have too little in common to go by column."""
NUMBERS: Final = frozenset((float, int))
MAX_MEDIA_KEYS: Final = 2000
MEDIA_BYTES: Final = 64 << 20
MEDIA_COLUMN: Final = 1 << 20
"""Bytes of the media of one history, and of one name of it, above which only every second is kept, every fourth ...:
about 6,000 images or 800 histograms of one name."""


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


class MediaColumn:
    """What was logged under one name besides numbers: `steps` strictly increasing, `values` beside them as JSON.

    A value is a medium or a list of media; `tracker.references` reads it. Where there are very many, only some are
    kept, evenly, and always the newest.
    """

    __slots__ = ("_last", "rewrites", "size", "steps", "stride", "values")

    def __init__(self) -> None:
        self.steps = array("d")
        self.values: list[bytes] = []
        self.size = 0
        """Bytes of the values."""
        self.stride = 1
        """Of so many that were logged one is kept."""
        self.rewrites = 0
        """How often anything but the end was changed."""
        self._last = -1
        """How many came before the newest."""

    def put(self, step: float, value: bytes, most: int) -> None:
        """Set the value at a step; above `most` bytes every second value is let go."""
        index = bisect_left(self.steps, step)
        if index == len(self.steps):
            if self._last % self.stride:  # it was kept as the newest alone
                self._drop(slice(index - 1, index))
            self.steps.append(step)
            self.values.append(value)
            self._last += 1
        elif self.steps[index] == step:
            self.size -= len(self.values[index])
            self.values[index] = value
            self.rewrites += 1
        else:
            self.steps.insert(index, step)
            self.values.insert(index, value)
            self._last += 1
            self.rewrites += 1
        self.size += len(value)
        if self.size > most and len(self.steps) > 2:
            self._drop(slice(1, len(self.steps) - 1, 2))
            self.stride *= 2
            self.rewrites += 1

    def dump(self) -> list[Any]:
        """As JSON; `load` restores it."""
        return [self._last, self.stride, self.steps.tolist(), [value.decode() for value in self.values]]

    @classmethod
    def load(cls, dumped: list[Any]) -> MediaColumn:
        """What `dump` gave."""
        column = cls()
        column._last, column.stride, steps, values = dumped
        column.steps, column.values = array("d", steps), [value.encode() for value in values]
        column.size = sum(map(len, column.values))
        return column

    def _drop(self, which: slice) -> None:
        self.size -= sum(map(len, self.values[which]))
        del self.steps[which], self.values[which]


class History:
    """The numbers of a run as columns, one a metric: history is a set of (step, metric) → value, the last one wins."""

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.media: dict[str, MediaColumn] = {}
        """What was logged besides numbers: images, tables, histograms ..."""
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
            for step, value in zip(steps, values, strict=True):
                self._medium(key, step, value)
            values = [restore(value) if type(value) is str else value for value in values]
            known = [(step, value) for step, value in zip(steps, values, strict=True) if type(value) in NUMBERS]
            steps, values = array("d", [step for step, _ in known]), [value for _, value in known]
            is_strict = is_strict or all(map(lt, steps, steps[1:]))
        column = self.columns.get(key) or _column(self.columns, clean(key), MAX_KEYS, Column) if values else None
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
                column = self.columns.get(key) or _column(self.columns, clean(key), MAX_KEYS, Column)
                if column is not None:
                    column.put(step, value)
            else:
                self._medium(key, step, value)

    def _medium(self, key: str, step: float, value: Any) -> None:
        """Keep what is a medium."""
        if not is_medium(value):
            return
        column = self.media.get(key) or _column(self.media, clean(key), MAX_MEDIA_KEYS, MediaColumn)
        if column is not None:
            with suppress(TypeError):  # nested deeper than it writes
                column.put(step, orjson.dumps(value), min(MEDIA_COLUMN, MEDIA_BYTES // len(self.media)))

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
            column = _column(self.system, name, MAX_SYSTEM, Column)
            if column is not None:
                column.put(time, value)


def _column(columns: dict[str, Kind], key: str, most: int, make: Callable[[], Kind]) -> Kind | None:
    """The column of a name, made where there is room for another."""
    if key not in columns and len(columns) < most:
        columns[key] = make()
    return columns.get(key)
