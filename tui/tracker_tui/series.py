"""History made drawable: finite pieces, round axes, as few points as the width can show. Plain numbers in and out."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracker.replay import Column

Piece = tuple[list[float], list[float]]
"""x and y of a stretch to be drawn as one connected line."""

_STEPS: Final = (1, 2, 2.5, 5, 10)
TINY: Final = 1e-290
"""A range below it counts as none: its parts would be no numbers any more."""
HUGE: Final = 1e300
"""Beyond it, differences overflow: such values are drawn as gaps, like NaN."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Bounds of a window and the places of its labels, all round numbers."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def label(self, tick: float) -> str:
        """The tick in as few characters as keep the ticks apart: 0.25, 40k, 1e-12."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(tick)
        return short_number(tick, step)


def axis(low: float, high: float, count: int, whole: bool = False) -> Axis:
    """The narrowest axis with round bounds over a range, with about `count` ticks.

    Bounds jump from one round number to the next, so that what is already drawn stays where it is while a run grows.

    Args:
        low: least value.
        high: greatest value; equal to `low` for a constant, which then runs through the middle.
        count: wanted number of ticks, at least 2.
        whole: the values are whole numbers, such as steps: ticks are never closer than 1.
    """
    if high - low < TINY:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    step = _round_step((high - low) / max(1, count - 1), whole)
    grain = step if whole and step < 10 else step / 2
    bottom = _on_grid(math.floor(low / grain + 1e-9), grain)
    top = _on_grid(math.ceil(high / grain - 1e-9), grain)
    ticks = tuple(_on_grid(i, step) for i in range(math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9) + 1))
    if not bottom <= low < high <= top or len(ticks) < 2 or ticks[0] == ticks[-1]:
        return Axis(low, high, (low, high))  # the range is at the limit of what floats can tell apart
    return Axis(bottom, top, ticks)


def _round_step(rough: float, whole: bool) -> float:
    """The least of 1, 2, 2.5 and 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next((s * power for s in _STEPS if s * power >= rough * (1 - 1e-9)), 10 * power)
    return max(1.0, float(math.ceil(step))) if whole and step < 10 else step


def _on_grid(index: int, step: float) -> float:
    """`index * step` without the dust of binary fractions, unless digits that matter would go with it."""
    exact = index * step
    rounded = float(f"{exact:.12g}")
    return rounded if abs(rounded - exact) <= abs(step) * 1e-6 else exact


def short_number(value: float, step: float) -> str:
    """A round number in few characters, with as many digits as tell neighbours apart that are `step` away."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        digits = max(0, min(6, math.floor(math.log10(size)) - _exponent(step) + (1 if _needs_half(step) else 0)))
        mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
    for limit, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            unit = 1e3 if suffix == "k" else limit
            return f"{_decimal(value / unit, step / unit)}{suffix}"
    return _decimal(value, step)


def _decimal(value: float, step: float) -> str:
    digits = max(0, -_exponent(step) + (1 if _needs_half(step) else 0)) if step > 0 else 6
    text = f"{value:.{min(digits, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(step: float) -> int:
    return math.floor(math.log10(step) + 1e-9) if step > 0 else 0


def _needs_half(step: float) -> bool:
    """A step of 2.5 needs one digit more than one of 2."""
    leading = step / 10.0 ** _exponent(step) if step > 0 else 0
    return abs(leading - round(leading)) > 1e-6


def finite(value: float) -> bool:
    return -HUGE < value < HUGE


def extent(column: Column) -> tuple[float, float] | None:
    """Least and greatest drawable value; None when there is none."""
    values = column.values
    if not values:
        return None
    low, high = min(values), max(values)
    if finite(low) and finite(high) and sum(values) == sum(values):
        return low, high
    drawable = [value for value in values if finite(value)]
    return (min(drawable), max(drawable)) if drawable else None


def gaps(column: Column) -> int:
    """How many values are NaN or infinite."""
    return sum(1 for value in column.values if value - value != 0.0)


def pieces(column: Column, low: float, high: float, columns: int) -> list[Piece]:
    """The line between two steps, thinned to the extremes of each of `columns` equal shares, cut where values are not
    finite. A spike one row wide is never lost."""
    steps, values, columns = column.steps, column.values, max(1, columns)
    start, end = bisect_left(steps, low), bisect_right(steps, high)
    if end - start <= 4 * columns:
        return _connected(zip(steps[start:end], values[start:end], strict=True))
    width = (high - low) / columns
    points: list[tuple[float, float]] = []
    for share in range(columns):
        stop = end if share == columns - 1 else bisect_left(steps, low + (share + 1) * width, start, end)
        points += _extremes(steps[start:stop], values[start:stop])
        start = stop
    return _connected(points)


def _extremes(steps: array[float], values: array[float]) -> list[tuple[float, float]]:
    """First, least, greatest and last of a share, in order; where it has a value that is not finite, that too."""
    if not values:
        return []
    total = sum(values)
    if total - total == 0.0:  # the usual case, at the speed of C
        kept = {0, values.index(min(values)), values.index(max(values)), len(values) - 1}
        return [(steps[i], values[i]) for i in sorted(kept)]
    good = [i for i, value in enumerate(values) if finite(value)]
    if not good:
        return [(steps[0], math.nan)]
    kept = {good[0], min(good, key=values.__getitem__), max(good, key=values.__getitem__), good[-1]}
    if len(good) < len(values):
        kept.add(next(i for i, value in enumerate(values) if not finite(value)))
    return [(steps[i], values[i]) for i in sorted(kept)]


def _connected(points: Iterable[tuple[float, float]]) -> list[Piece]:
    """Points as pieces, broken at values that are not finite."""
    found: list[Piece] = []
    connected = False
    for x, y in points:
        if not finite(y):
            connected = False
            continue
        if not connected:
            found.append(([], []))
            connected = True
        found[-1][0].append(x)
        found[-1][1].append(y)
    return found
