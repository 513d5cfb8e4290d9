"""Histograms over steps as a map: steps from left to right, values from below, brighter where more are. No Textual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tracker.history import MediaColumn
from tracker.references import references

MAX_BINS: Final = 4096
SHADES: Final = " ░▒▓█"
LEAST: Final = 1e-300
"""From the lowest to the highest value; what is less cannot be divided."""


class Heat(NamedTuple):
    """A map, rows from the top; each value is 0, nothing, to 1, the most of all."""

    rows: list[list[float]]
    low: float
    """The value at the bottom."""
    high: float
    """The value at the top."""
    first: float
    """The step at the left."""
    last: float
    """The step at the right."""

    def column_of(self, step: float) -> int:
        """Where a step is."""
        width = len(self.rows[0])
        span = self.last - self.first
        return min(width - 1, max(0, int((step - self.first) / span * width))) if span > 0 else 0


class Bins(NamedTuple):
    """One histogram."""

    counts: Sequence[float]
    edges: Sequence[float]
    """One more than counts, ascending."""


def bins_of(value: bytes) -> Bins | None:
    """The first histogram of a row's value; None where it is none that makes sense."""
    record = next((each.record for each in references(value) if each.kind == "histogram"), {})
    counts, edges = record.get("values"), record.get("bins")
    if not isinstance(counts, list) or not isinstance(edges, list) or not 0 < len(counts) <= MAX_BINS:
        return None
    if len(edges) != len(counts) + 1 or not all(type(each) in (int, float) for each in (*counts, *edges)):
        return None
    if not all(math.isfinite(each) and abs(each) < 1e300 for each in (*counts, *edges)) or min(counts) < 0:
        return None
    return Bins(counts, edges) if all(a <= b for a, b in pairwise(edges)) else None


def heat(column: MediaColumn, width: int, height: int) -> Heat | None:
    """A map of so many columns and rows; of several histograms in a column the last.

    None where there is no histogram. May run in another thread: the column may grow meanwhile.
    """
    count = min(len(column.steps), len(column.values))
    if not count or width < 1 or height < 1:
        return None
    steps = column.steps[:count]
    first, last = steps[0], steps[-1]
    chosen: dict[int, Bins | None] = {}
    at = 0
    for x in range(width):
        until = first + (last - first) * (x + 1) / width
        before = at
        while at < count and (steps[at] <= until or x == width - 1):
            at += 1
        if at > before:
            chosen[x] = bins_of(column.values[at - 1])
    known = {x: bins for x, bins in chosen.items() if bins is not None}
    if not known:
        return None
    low = min(bins.edges[0] for bins in known.values())
    high = max(bins.edges[-1] for bins in known.values())
    if high - low < LEAST:
        low, high = low - 0.5, high + 0.5
    columns = {x: _shares(bins, low, high, height) for x, bins in known.items()}
    most = max(max(column) for column in columns.values()) or 1.0
    rows = [[0.0] * width for _ in range(height)]
    shares: list[float] | None = None
    for x in range(width):
        shares = columns.get(x, shares if x not in chosen else None)  # until the next one, the last one holds
        for y, share in enumerate(shares or ()):
            rows[height - 1 - y][x] = math.sqrt(share / most)
    return Heat(rows, low, high, first, last)


def _shares(bins: Bins, low: float, high: float, height: int) -> list[float]:
    """How much of a histogram is in each of so many rows, from the bottom; all of it is 1."""
    total = sum(bins.counts)
    found = [0.0] * height
    scale = height / (high - low)
    for count, left, right in zip(bins.counts, bins.edges, bins.edges[1:], strict=False):
        if not count:
            continue
        begin, end = (left - low) * scale, (right - low) * scale
        place = min(height - 1, int(begin))
        if end - begin < 1e-9:
            found[place] += count / total
            continue
        while place < min(end, height):
            part = min(end, place + 1) - max(begin, place)
            found[place] += count / total * max(0.0, part) / (end - begin)
            place += 1
    return found


def number(value: float) -> str:
    """A bound of the axis in few signs."""
    return f"{value:.3g}"
