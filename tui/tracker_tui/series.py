"""History made drawable: a metric over any x axis, its extremes, smoothing, and as few points as a width can show.
Plain numbers in and out.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import islice
from operator import le
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker_tui.axes import HUGE

if TYPE_CHECKING:
    from tracker.history import Column

Piece = tuple[list[float], list[float]]
"""x and y of a stretch to be drawn as one connected line."""
Span = tuple[float, float]
"""Least and greatest."""

BLOCK: Final = 16
"""Values under one pair of extremes, and pairs under one pair of the next level."""
STRETCH: Final = 1 << 15
"""Values that are looked through in one go, for which a thread does not let others go on: 2 ms."""
SAMPLE: Final = 10_000
"""Values from which the bounds without outliers are taken, at most."""


class Thinned(NamedTuple):
    """What to draw of a series in a window."""

    pieces: list[Piece]
    """Every point where there are few, else a stroke from the least to the greatest value of each share."""
    trend: list[Piece]
    """Smoothed values or, of strokes, their means; empty where the pieces say it all."""
    holes: list[float]
    """Where on the x axis there are values that cannot be drawn."""


def never(_span: Span) -> bool:
    """Every stretch is drawn from its least to its greatest value."""
    return False


class Series:
    """One metric of one run along an x axis, and what makes drawing it cheap however long it gets.

    Above the values lies a pyramid: the extremes of every 16 values, of every 16 of those, and so on (1.1 bytes a
    value), so that no spike is lost and a stretch of any length costs some tens of comparisons. A series only grows, at
    its end: what others hold of it stays true while a thread updates it. When that will not do, because the columns
    were changed elsewhere or x went back, it `is_outdated` and another one must be made.

    Args:
        column: the metric.
        across: what holds the x of each step; None for the steps themselves. Points without an x are left out.
        origin: what to take from each x.
        positive: for a logarithmic axis: 0 and less are holes.
        scale: what to multiply each value by, where there is an `across`.
    """

    def __init__(
        self,
        column: Column,
        across: Column | None = None,
        origin: float = 0.0,
        positive: bool = False,
        scale: float = 1.0,
    ) -> None:
        self.column = column
        self.across = across
        self._origin, self._scale = origin, scale
        self._positive = positive
        self._rewrites = self._rewritten()
        self._went_back = False
        self.xs, self.ys = (column.steps, column.values) if across is None else _empty()
        self.count = 0
        """Points taken in."""
        self._levels: list[tuple[array[float], array[float]]] = []
        self._holes = array("q")
        self._below = 0
        self._joined = 0
        self._least, self._greatest = (math.inf, -1), (-math.inf, -1)
        self._weight = 0.0
        self._smooth = array("d")
        self._last, self._bias = 0.0, 1.0

    def _rewritten(self) -> tuple[int, int]:
        return self.column.rewrites, self.across.rewrites if self.across is not None else 0

    @property
    def is_outdated(self) -> bool:
        """Whether the columns hold what this series cannot take in."""
        return self._went_back or self._rewritten() != self._rewrites

    def apart(self) -> Series:
        """The same points for another thread, with smoothing of its own."""
        other = copy(self)
        other._weight, other._smooth = 0.0, array("d")
        return other

    def update(self) -> None:
        """Take in what the columns have got since the last time."""
        if self.across is not None:
            self._join(self.across)
        count = len(self.ys)  # values are appended after their steps
        done, whole = self.count - self.count % BLOCK, count - count % BLOCK
        for start in range(done, whole, STRETCH):
            self._add_blocks(start, min(start + STRETCH, whole))
        self.count = count

    def _join(self, across: Column) -> None:
        """Put the points with an x behind the others."""
        steps, values = self.column.steps, self.column.values
        start, known = self._joined, len(across.values)
        stop = bisect_right(steps, across.steps[known - 1], start, len(values)) if known else start
        if stop <= start:  # their x is still to come
            return
        at = bisect_left(across.steps, steps[start])
        count = stop - start
        if across.steps[at : at + count] == steps[start:stop]:  # the usual case, at the speed of C
            xs, ys = across.values[at : at + count], values[start:stop]
        else:
            xs, ys = _empty()
            for index in range(start, stop):
                at = bisect_left(across.steps, steps[index], at)
                if at < len(across.values) and across.steps[at] == steps[index]:
                    xs.append(across.values[at])
                    ys.append(values[index])
        self._take(xs, ys)
        self._joined = stop

    def _take(self, xs: array[float], ys: array[float]) -> None:
        if self._origin:
            xs = array("d", [x - self._origin for x in xs])
        if self._scale != 1.0:
            ys = array("d", [y * self._scale for y in ys])
        total = sum(xs)
        if xs and (total - total != 0.0 or min(xs) <= -HUGE or max(xs) >= HUGE):
            good = [(x, y) for x, y in zip(xs, ys, strict=True) if -HUGE < x < HUGE]
            xs, ys = array("d", [x for x, _ in good]), array("d", [y for _, y in good])
        if not xs:
            return
        if not all(map(le, xs, islice(xs, 1, None))) or (self.xs and xs[0] < self.xs[-1]):
            if self.count:
                self._went_back = True
                return
            order = sorted(range(len(xs)), key=xs.__getitem__)
            xs, ys = array("d", map(xs.__getitem__, order)), array("d", map(ys.__getitem__, order))
        self.xs.extend(xs)
        self.ys.extend(ys)

    def _add_blocks(self, start: int, stop: int) -> None:
        """Put whole blocks of values under the pyramid."""
        values: Sequence[float] = self.ys[start:stop]
        total, lows, highs = sum(values), _by_block(min, values), _by_block(max, values)
        if total - total != 0.0 or not self._drawable(min(lows)) or not self._drawable(max(highs)):
            self._holes.extend(start + i for i, value in enumerate(values) if not self._drawable(value))
            self._below += sum(1 for value in values if self._positive and -HUGE < value <= 0)
            lows = _by_block(min, [value if self._drawable(value) else math.inf for value in values])
            highs = _by_block(max, [value if self._drawable(value) else -math.inf for value in values])
        low, high = min(lows), max(highs)
        if low < self._least[0]:
            self._least = low, self.ys.index(low, start)
        if high > self._greatest[0]:
            self._greatest = high, self.ys.index(high, start)
        for level in range(64):
            if level == len(self._levels):
                self._levels.append(_empty())
            below, above = self._levels[level]
            below.extend(lows)
            above.extend(highs)
            done = len(self._levels[level + 1][0]) * BLOCK if level + 1 < len(self._levels) else 0
            whole = len(below) - len(below) % BLOCK
            if whole == done:
                return
            lows, highs = _by_block(min, below[done:whole]), _by_block(max, above[done:whole])

    def _drawable(self, value: float) -> bool:
        return 0.0 < value < HUGE if self._positive else -HUGE < value < HUGE

    # ---- questions ----

    @property
    def first(self) -> float:
        """The least x; there must be a point."""
        return self.xs[0]

    @property
    def last(self) -> float:
        """The greatest x; there must be a point."""
        return self.xs[self.count - 1]

    def extremes(self, low: float = -math.inf, high: float = math.inf) -> Span | None:
        """Least and greatest drawable value between two x; None when there is none."""
        return self._extremes(*self._range(low, high))

    def _range(self, low: float, high: float) -> tuple[int, int]:
        return bisect_left(self.xs, low, 0, self.count), bisect_right(self.xs, high, 0, self.count)

    def _extremes(self, start: int, stop: int) -> Span | None:
        low, high = math.inf, -math.inf
        level = -1
        while start < stop:
            above = level + 1
            if above == len(self._levels) or stop - start <= 2 * BLOCK:
                parts, start = [(start, stop)], stop
            else:
                inner = -(-start // BLOCK), stop // BLOCK
                parts = [(start, inner[0] * BLOCK), (inner[1] * BLOCK, stop)]
                start, stop = inner
            for a, b in parts:
                if a < b:
                    lowest, highest = self._scan(level, a, b)
                    low, high = min(low, lowest), max(high, highest)
            level = above
        return (low, high) if low <= high else None

    def _scan(self, level: int, start: int, stop: int) -> Span:
        if level >= 0:
            lows, highs = self._levels[level]
            return min(lows[start:stop]), max(highs[start:stop])
        values = self.ys[start:stop]
        low, high, total = min(values), max(values), sum(values)
        if total - total == 0.0 and self._drawable(low) and self._drawable(high):
            return low, high
        good = [value for value in values if self._drawable(value)]
        return (min(good), max(good)) if good else (math.inf, -math.inf)

    def hole_counts(self) -> tuple[int, int]:
        """How many values cannot be drawn: not finite; 0 and less, for which a logarithmic axis has no place."""
        late = self._late_holes()
        below = self._below + sum(1 for i in late if self._positive and -HUGE < self.ys[i] <= 0)
        return len(self._holes) + len(late) - below, below

    def _late_holes(self) -> list[int]:
        """Holes among the last points, over which there is no block yet."""
        count = self.count
        start = count - count % BLOCK
        return [start + i for i, value in enumerate(self.ys[start:count]) if not self._drawable(value)]

    def smoothed_at(self, index: int, weight: float) -> float | None:
        """The moving average at a point, if it was drawn with this weight."""
        return self._smooth[index] if weight == self._weight and index < len(self._smooth) else None

    def points(self, low: float = -math.inf, high: float = math.inf) -> Iterator[tuple[float, float]]:
        """All points between two x."""
        start, stop = self._range(low, high)
        yield from zip(self.xs[start:stop], self.ys[start:stop], strict=True)

    def near(self, x: float) -> int | None:
        """The index of the point nearest to an x; None without points."""
        return nearest(self.xs, x, self.count)

    def least_and_greatest(self) -> tuple[Span, Span] | None:
        """The points (x, y) of the first least and the first greatest value; None when none can be drawn."""
        count = self.count
        start = count - count % BLOCK
        late = [(value, start + i) for i, value in enumerate(self.ys[start:count]) if self._drawable(value)]
        low, at = min([self._least, *late], key=lambda found: found[0])
        high, high_at = max([self._greatest, *late], key=lambda found: found[0])
        return ((self.xs[at], low), (self.xs[high_at], high)) if at >= 0 else None

    def usual(self, low: float, high: float, part: float = 0.05) -> Span | None:
        """The span that holds all drawable values between two x but the lowest and the highest `part` of them.

        Taken from every n-th value where there are more than 10,000.
        """
        start, stop = self._range(low, high)
        values = sorted(filter(self._drawable, self.ys[start : stop : max(1, (stop - start) // SAMPLE)]))
        if not values:
            return None
        cut = int(len(values) * part)
        return values[cut], values[len(values) - 1 - cut]

    # ---- drawing ----

    def thin(
        self, low: float, high: float, shares: int, weight: float = 0.0, is_flat: Callable[[Span], bool] = never
    ) -> Thinned:
        """The line between two x in at most three points for each of `shares` equal parts of the window.

        Args:
            low: least x.
            high: greatest x.
            shares: columns of dots that there are, at least 1.
            weight: of smoothing, 0 for none, below 1: TensorBoard's debiased exponential moving average.
            is_flat: whether least and greatest are as good as one on the chart: their mean is drawn then.
        """
        start, stop = self._range(low, high)
        smooth = self._smoothed(weight) if weight else None
        if stop - start <= 2 * shares:
            return self._exact(start, stop, low, high, smooth)
        pieces, trend, holes = _Pen(), _Pen(), []
        has_strokes = False
        width = (high - low) / shares
        hole = bisect_left(self._holes, start)
        late_holes = self._late_holes()
        for share in range(shares):
            end = stop if share == shares - 1 else bisect_left(self.xs, low + (share + 1) * width, start, stop)
            if start == end:
                continue
            middle = low + (share + 0.5) * width
            span = self._extremes(start, end)
            if span is not None:
                mean = self._mean(start, end, span)
                flat = is_flat(span)
                has_strokes = has_strokes or not flat
                if flat:
                    pieces.go_to(middle, mean)
                else:
                    pieces.stroke(middle, *span, mean)
                trend.go_to(middle, mean if smooth is None else smooth[end - 1])
            next_hole = bisect_left(self._holes, end, hole)
            if next_hole > hole or any(start <= late < end for late in late_holes):
                holes.append(middle)
                pieces.lift()
                trend.lift()
            start, hole = end, next_hole
        return Thinned(pieces.pieces, trend.pieces if has_strokes or smooth is not None else [], holes)

    def _exact(self, start: int, stop: int, low: float, high: float, smooth: Sequence[float] | None) -> Thinned:
        """Every point, and where the line goes on outside the window, its way there."""
        pieces, trend, holes = _Pen(), _Pen(), []
        self._edge(pieces, start - 1, low)
        for index in range(start, stop):
            x, y = self.xs[index], self.ys[index]
            if self._drawable(y):
                pieces.go_to(x, y)
                if smooth is not None:
                    trend.go_to(x, smooth[index])
            else:
                pieces.lift()
                trend.lift()
                holes.append(x)
        self._edge(pieces, stop - 1, high)
        return Thinned(pieces.pieces, trend.pieces, holes)

    def _edge(self, pen: _Pen, index: int, x: float) -> None:
        """To where the line from a point to the next one crosses the edge of the window."""
        if not 0 <= index < self.count - 1:
            return
        (x0, x1), (y0, y1) = self.xs[index : index + 2], self.ys[index : index + 2]
        if x0 < x < x1 and self._drawable(y0) and self._drawable(y1):
            pen.go_to(x, y0 + (y1 - y0) * ((x - x0) / (x1 - x0)))

    def _mean(self, start: int, stop: int, span: Span) -> float:
        """Of the drawable values; between their extremes, which floats may miss by a hair."""
        values = self.ys[start:stop]
        total = sum(values)
        if abs(total) < HUGE and (not self._positive or min(values) > 0):
            return min(span[1], max(span[0], total / len(values)))
        good = [value for value in values if self._drawable(value)]
        return math.fsum(value / len(good) for value in good)

    def _smoothed(self, weight: float) -> array[float]:
        """Debiased moving averages, one a point; what cannot be drawn keeps the one before."""
        if weight != self._weight:
            self._weight, self._smooth, self._last, self._bias = weight, array("d"), 0.0, 1.0
        last, bias, made = self._last, self._bias, []
        average = self._smooth[-1] if self._smooth else math.nan
        for y in self.ys[len(self._smooth) : self.count]:
            if self._drawable(y):
                last = last * weight + (1.0 - weight) * y
                bias *= weight
                average = last / (1.0 - bias)
            made.append(average)
        self._smooth.extend(made)
        self._last, self._bias = last, bias
        return self._smooth


def nearest(values: Sequence[float], value: float, count: int) -> int | None:
    """The index of the nearest of the first `count` values, which are in order; None without values."""
    if not count:
        return None
    right = bisect_left(values, value, 0, count)
    if right == count or (right and value - values[right - 1] <= values[right] - value):
        return right - 1
    return right


class _Pen:
    """Collects points as pieces."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._is_down = False

    def lift(self) -> None:
        """Begin a new piece with the next point."""
        self._is_down = False

    def go_to(self, x: float, y: float) -> None:
        if not self._is_down:
            self.pieces.append(([], []))
            self._is_down = True
        self.pieces[-1][0].append(x)
        self.pieces[-1][1].append(y)

    def stroke(self, x: float, low: float, high: float, mean: float) -> None:
        """A line from low to high, begun at the end that is nearer to the last point, and back to their mean.

        From the mean the line goes on; from an end it would lean over the next column.
        """
        before = self.pieces[-1][1][-1] if self._is_down else low
        near, far = (high, low) if abs(high - before) < abs(low - before) else (low, high)
        for y in (near, far, mean):
            self.go_to(x, y)


def _by_block(choose: Callable[[tuple[float, ...]], float], values: Sequence[float]) -> array[float]:
    """The least, or the greatest, value of each whole block."""
    return array("d", map(choose, zip(*[iter(values)] * BLOCK, strict=True)))


def _empty() -> tuple[array[float], array[float]]:
    return array("d"), array("d")
