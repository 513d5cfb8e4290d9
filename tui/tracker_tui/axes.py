"""Axes with round bounds and labels that can be read: numbers, logarithms, lengths of time, the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

Kind = Literal["number", "log", "duration", "clock"]
"""What the values of an axis are: plain numbers, numbers by their logarithm, seconds, or seconds since the epoch."""

TINY: Final = 1e-290
"""A range below it counts as none: its parts would be no numbers any more."""
HUGE: Final = 1e300
"""Beyond it, differences overflow: such values are drawn as gaps, like NaN."""
_STEPS: Final = (1, 2, 2.5, 5, 10)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TIME_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 28, 91, 182, 364, 728)),
)


class Axis(NamedTuple):
    """Bounds of a window and the places of its labels, all round."""

    low: float
    high: float
    ticks: tuple[float, ...]
    kind: Kind = "number"

    def label(self, tick: float) -> str:
        """The tick in as few characters as keep the ticks apart: 0.25, 40k, 1e-12, 1h30m, 14:05."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(tick)
        if self.kind == "duration" and step >= 1:
            return short_span(tick, step)
        if self.kind == "clock" and abs(tick) < 1e11:
            return _clock(tick, step)
        if self.kind == "log" and len(self.ticks) > 1 and self.ticks[1] >= 1.9 * self.ticks[0]:
            return short_number(tick, tick)
        return short_number(tick, step) + ("s" if self.kind == "duration" else "")

    def shares(self, values: Iterable[float]) -> list[float]:
        """Values as shares of the axis, 0 to 1; what is beyond an end is put on it, on a log axis 0 and less too."""
        if self.kind == "log":
            low, size = math.log10(self.low), math.log10(self.high) - math.log10(self.low) or 1.0
            logs = (math.log10(value) if value > 0 else low for value in values)
            return [min(1.0, max(0.0, (value - low) / size)) for value in logs]
        half_low = self.low / 2
        half = self.high / 2 - half_low or 1.0  # the whole range may overflow a float
        return [min(1.0, max(0.0, (value / 2 - half_low) / half)) for value in values]

    def at(self, share: float) -> float:
        """The value at a share of the axis."""
        if self.kind == "log":
            low, high = math.log10(self.low), math.log10(self.high)
            return float(10.0 ** (low + (high - low) * share))
        return self.low * (1 - share) + self.high * share


def axis(low: float, high: float, count: int, kind: Kind = "number", whole: bool = False, tight: bool = False) -> Axis:
    """The narrowest axis with round bounds over a range, with about `count` ticks.

    Bounds jump from one round value to the next, so that what is already drawn stays where it is while a run grows.

    Args:
        low: least value; above 0 for `log`.
        high: greatest value; equal to `low` for a constant, which then runs through the middle.
        count: wanted number of ticks, at least 2.
        kind: what the values are.
        whole: the values are whole numbers, such as steps: ticks are never closer than 1.
        tight: bounds are quarters of the distance of ticks, not halves: for an axis that seldom grows.
    """
    if kind == "log":
        return _log_axis(low, high, count)
    if high - low < TINY:
        margin = (0.5 if kind in ("duration", "clock") else abs(low) * 0.1) or 1.0
        low, high = low - margin, high + margin
    is_time = kind in ("duration", "clock") and (high - low) / max(1, count - 1) >= 0.5 and max(-low, high) < 1e11
    if is_time:
        step = _time_step((high - low) / max(1, count - 1))
        offset = float(time.localtime(max(0.0, low)).tm_gmtoff) if kind == "clock" else 0.0
    else:
        step, offset = _round_step((high - low) / max(1, count - 1), whole), 0.0
    grain = step if (whole and step < 10) or is_time else step / (4 if tight else 2)
    bottom = _on_grid(math.floor((low + offset) / grain + 1e-9), grain) - offset
    top = _on_grid(math.ceil((high + offset) / grain - 1e-9), grain) - offset
    first, last = math.ceil((bottom + offset) / step - 1e-9), math.floor((top + offset) / step + 1e-9)
    ticks = tuple(_on_grid(i, step) - offset for i in range(first, last + 1))
    if not bottom <= low < high <= top or len(ticks) < 2 or ticks[0] == ticks[-1]:
        return Axis(low, high, (low, high), kind)  # the range is at the limit of what floats can tell apart
    return Axis(bottom, top, ticks, kind)


def window(low: float, high: float, count: int, kind: Kind = "number", whole: bool = False) -> Axis:
    """An axis over exactly this range, with round ticks inside: for a chart that is zoomed."""
    if high - low < TINY:
        return Axis(low, high, (low, high), kind)
    for finer in (count, 2 * count, 4 * count):
        ticks = tuple(tick for tick in axis(low, high, finer, kind, whole).ticks if low <= tick <= high)
        if len(ticks) > 1:
            return Axis(low, high, ticks, kind)
    return Axis(low, high, (low, high), kind)


def _log_axis(low: float, high: float, count: int) -> Axis:
    if high / low < 1.000001:
        low, high = low / 2 or low, high * 2
    grid = [
        m * 10.0**k for k in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2) for m in (1, 2, 5)
    ]
    bottom = max((g for g in grid if 0 < g <= low * (1 + 1e-12)), default=low)
    top = min((g for g in grid if g >= high * (1 - 1e-12)), default=high)
    inside = [g for g in grid if bottom * (1 - 1e-12) <= g <= top * (1 + 1e-12)]
    decades = inside[next((i for i, g in enumerate(inside) if f"{g:e}".startswith("1.")), 0) :: 3]
    if len(decades) >= max(2, count / 2):
        stride = -(-len(decades) // max(2, count))
        return Axis(bottom, top, tuple(decades[::stride]), "log")
    if high / low > 4:
        return Axis(bottom, top, tuple(inside if len(inside) <= count + 2 else _with_ends(decades, inside)), "log")
    linear = axis(low, high, count)
    ticks = tuple(tick for tick in linear.ticks if tick > 0)
    if linear.low <= 0 or len(ticks) < 2:
        return Axis(bottom, top, (bottom, top), "log")
    return Axis(linear.low, linear.high, ticks, "log")


def _with_ends(decades: list[float], inside: list[float]) -> list[float]:
    """Decades alone where there are two of them, else also the ends of the axis."""
    return decades if len(decades) > 1 else sorted({inside[0], *decades, inside[-1]})


def _time_step(rough: float) -> float:
    """The least usual length of time that is not below `rough` seconds."""
    return float(next((step for step in _TIME_STEPS if step >= rough * (1 - 1e-9)), 364 * _DAY * 2))


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


# ---- labels ----


def short_number(value: float, step: float) -> str:
    """A round number in few characters, with as many digits as tell neighbours apart that are `step` away."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        digits = max(0, min(12, math.floor(math.log10(size)) - _exponent(step) + (1 if _needs_half(step) else 0)))
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
    power = 10.0 ** _exponent(step)
    leading = step / power if step > 0 and power > 0 else 0
    return abs(leading - round(leading)) > 1e-6


def short_span(seconds: float, step: float = 1.0) -> str:
    """A length of time in units down to the step's: 45s, 1h30m, 2d."""
    sign, rest = "-" if seconds < 0 else "", round(abs(seconds))
    parts: list[str] = []
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
        if size <= step and len(parts) > 1:
            break
    return sign + ("".join(parts) or "0")


def _clock(seconds: float, step: float) -> str:
    local = time.localtime(max(0.0, seconds))
    if step >= _DAY or (local.tm_hour, local.tm_min, local.tm_sec) == (0, 0, 0):
        return time.strftime("%b %d", local)
    text = time.strftime("%H:%M" if step >= _MINUTE else "%H:%M:%S", local)
    return text if step >= 1 else text + f"{seconds % 1:.{min(6, -_exponent(step))}f}"[1:]


def fitting(labels: Sequence[str], width: int) -> int:
    """Every how manieth label to show so that those shown fit side by side into a width."""
    every = 1
    while every < len(labels) and sum(len(label) + 3 for label in labels[::every]) > width:
        every += 1
    return every
