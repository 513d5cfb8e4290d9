"""`Histogram`: the distribution of many numbers in one value of a history row."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

from tracker.records import Record

MAX_BINS: Final = 512


class Histogram:
    """Counts of numbers by equal bins, logged as `{"_type": "histogram", "values": counts, "bins": edges}`.

    Args:
        sequence: numbers, nested as they come; numpy, torch and jax arrays too. What is not finite is left out.
        np_histogram: instead, counts and edges as `numpy.histogram` gives them.
        num_bins: 1 to 512.

    Raises:
        ValueError: both or neither given, or bins out of range.
    """

    MAX_LENGTH: ClassVar = MAX_BINS

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: tuple[Sequence[float], Sequence[float]] | None = None,
        num_bins: int = 64,
    ) -> None:
        if (sequence is None) == (np_histogram is None):
            raise ValueError("Histogram takes either a sequence or np_histogram")
        if np_histogram is not None:
            counts, edges = (_numbers(part) for part in np_histogram)
            if len(edges) != len(counts) + 1 or not 1 <= len(counts) <= MAX_BINS:
                raise ValueError(f"np_histogram takes 1 to {MAX_BINS} counts and one edge more than counts")
            self.histogram, self.bins = counts, edges
        else:
            if not 1 <= num_bins <= MAX_BINS:
                raise ValueError(f"num_bins must be 1 to {MAX_BINS} (got {num_bins})")
            self.histogram, self.bins = _count(sequence, num_bins)

    def as_record(self) -> Record:
        """The value of a history row."""
        return {"_type": "histogram", "values": self.histogram, "bins": self.bins}


def _count(sequence: Any, bins: int) -> tuple[list[float], list[float]]:
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(sequence, "__array__"):  # arrays bring numpy along; we never load it
        array = numpy.asarray(sequence.detach().cpu() if hasattr(sequence, "detach") else sequence, dtype=float).ravel()
        array = sequence = array[numpy.isfinite(array)]
        with suppress(ValueError), numpy.errstate(all="ignore"):  # for a range too narrow or too wide for it
            counts, edges = numpy.histogram(array, bins=bins)
            return counts.tolist(), edges.tolist()
    values = [v for v in _numbers(sequence) if math.isfinite(v)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    width = high / bins - low / bins  # their difference may be no number
    if not width:
        half = max(0.5, abs(low) * 1e-6)
        low, high, width = low - half, high + half, 2 * half / bins
    counts = [0.0] * bins
    for value in values:
        counts[min(bins - 1, int((value / 2 - low / 2) / width * 2))] += 1
    return counts, [low * (1 - i / bins) + high * (i / bins) for i in range(bins)] + [high]


def _numbers(values: Any) -> list[float]:
    """Numbers flat, however they are nested."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, Iterable):
        return [float(values)]
    flat: list[float] = []
    for value in values:
        if isinstance(value, (int, float)):
            flat.append(float(value))
        else:
            flat += _numbers(value)
    return flat
