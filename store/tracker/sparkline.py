"""A metric's whole course in one line of blocks: `▁▂▃▄▅▆▇█`.

A `Sketch` holds at most 64 buckets however long the metric grows, each the lowest and highest value of an equal
share of its rows. It keeps every extreme and depends only on the values, so the job, `Api` and the dashboard draw the
same line (up to one step a cell where a checkpoint rounded a tie).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 40
"""Cells of a sparkline at most."""
BUCKETS: Final = 64


class Sketch:
    """The course of one metric in bounded memory: append values, read `line()`."""

    __slots__ = ("_filled", "highs", "lows", "stride")

    def __init__(self) -> None:
        self.stride = 1
        """Values a bucket holds when full."""
        self.lows: list[float] = []
        self.highs: list[float] = []
        self._filled = 0

    def add(self, value: float) -> None:
        """Append one value; NaN and the infinities take their place and stay blank."""
        if value - value != 0.0:
            value = math.nan
        if 0 < self._filled < self.stride:
            self._filled += 1
            if value < self.lows[-1] or self.lows[-1] != self.lows[-1]:
                self.lows[-1] = value
            if value > self.highs[-1] or self.highs[-1] != self.highs[-1]:
                self.highs[-1] = value
            return
        if len(self.lows) == BUCKETS:
            self._halve()
        self.lows.append(value)
        self.highs.append(value)
        self._filled = 1

    def _halve(self) -> None:
        self.lows = [_lowest(self.lows[i : i + 2]) for i in range(0, BUCKETS, 2)]
        self.highs = [_highest(self.highs[i : i + 2]) for i in range(0, BUCKETS, 2)]
        self.stride *= 2

    def line(self, width: int = WIDTH) -> str:
        """At most `width` cells; each shows its share's value farthest from the middle of the whole range."""
        return blocks(self.values(width))

    def values(self, width: int = WIDTH) -> list[float]:
        """The values behind `line()`, NaN where a share has none that is finite."""
        finite_lows = [v for v in self.lows if v == v]
        if not finite_lows:
            return [math.nan] * min(width, len(self.lows))
        middle = min(finite_lows) / 2 + max(v for v in self.highs if v == v) / 2
        count = min(width, len(self.lows))
        out = []
        for cell in range(count):
            a = cell * len(self.lows) // count
            b = (cell + 1) * len(self.lows) // count
            low, high = _lowest(self.lows[a:b]), _highest(self.highs[a:b])
            out.append(low if middle - low > high - middle else high)
        return out

    @property
    def count(self) -> int:
        """How many values it has taken."""
        return max(0, len(self.lows) - 1) * self.stride + self._filled

    def dump(self) -> list[Any]:
        """For a checkpoint: `[stride, filled, lows]`, with `highs` behind where they differ."""
        digits = self._digits()
        lows = [_rounded(v, digits) for v in self.lows]
        if self.stride == 1:
            return [1, self._filled, lows]
        return [self.stride, self._filled, lows, [_rounded(v, digits) for v in self.highs]]

    def _digits(self) -> int:
        """Significant digits that keep four of the whole range, so that a dumped line looks the same."""
        finite = [v for v in (*self.lows, *self.highs) if v == v]
        low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
        span = high / 2 - low / 2
        if span <= 0:
            return 17
        return min(17, 4 + max(0, math.ceil(math.log10(max(abs(low), abs(high)) / 2 / span))))

    @classmethod
    def load(cls, dumped: Any) -> Sketch:
        """The sketch `dump` gave.

        Raises:
            ValueError, TypeError, IndexError: it is not one.
        """
        sketch = cls()
        sketch.stride, sketch._filled = max(1, int(dumped[0])), int(dumped[1])
        sketch.lows = _floats(dumped[2])
        sketch.highs = _floats(dumped[3]) if len(dumped) > 3 else list(sketch.lows)
        if len(sketch.lows) != len(sketch.highs) or len(sketch.lows) > BUCKETS or (sketch._filled and not sketch.lows):
            raise ValueError("not a sketch")
        return sketch


def blocks(values: Sequence[float]) -> str:
    """One block a value, scaled between the least and the greatest: a constant is `▁`, what is not finite a space."""
    finite = [v for v in values if v - v == 0.0]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    half = high / 2 - low / 2  # the range may overflow a float, its half does not
    if half == 0.0:
        return "".join("▁" if v - v == 0.0 else " " for v in values)
    return "".join(BLOCKS[round((v / 2 - low / 2) / half * 7)] if v - v == 0.0 else " " for v in values)


def _lowest(values: Iterable[float]) -> float:
    return min((v for v in values if v == v), default=math.nan)


def _highest(values: Iterable[float]) -> float:
    return max((v for v in values if v == v), default=math.nan)


def _rounded(value: float, digits: int) -> float | None:
    return float(f"{value:.{digits}g}") if value == value else None


def _floats(values: Iterable[Any]) -> list[float]:
    numbers = (math.nan if v is None else float(v) for v in values)
    return [v if v - v == 0.0 else math.nan for v in numbers]
