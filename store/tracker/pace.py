"""How regularly a run's rows come, and when they stopped for long.

A pause is longer than a minute, ten times the usual interval, and twice every pause before: evaluations that come with
every epoch are told once, at the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

LEAST: Final = 60.0
"""Seconds; less is no pause, however fast the rows come."""
FACTOR: Final = 10.0
"""How many usual intervals a pause lasts at least."""
GROWTH: Final = 2.0
"""How many times the longest pause before."""
FEW: Final = 10
"""Intervals below which nothing is usual."""
MAX_PAUSES: Final = 20
"""Pauses that are kept, the newest ones."""

Pause = tuple[float, float]
"""From the last row before it to the first after, in seconds since the epoch."""


class Pace:
    """The rows of a run in time.

    For every row the fold sets `last` itself: a call would cost more than that. Before, where more than `LEAST` seconds
    have passed, it calls `row_after`.
    """

    __slots__ = ("before", "first", "last", "paused", "pauses")

    def __init__(self) -> None:
        self.first = self.last = NEVER
        """When the first and the last row came, in seconds since the epoch."""
        self.before = 0
        """Rows of an earlier segment, which are no part of this."""
        self.paused = 0.0
        """Seconds of all pauses."""
        self.pauses: Sequence[Pause] = ()
        """Those that are over, the oldest first."""

    def row_after(self, time: float, rows: int) -> None:
        """The next row is the first, or comes long after the last; before it there were so many."""
        limit = self.limit(rows)
        if self.last == NEVER:
            self.first, self.before = time, rows
        elif limit is not None and time - self.last > limit:
            self.paused += time - self.last
            self.pauses = (*self.pauses, (self.last, time))[-MAX_PAUSES:]

    def usual(self, rows: int) -> float:
        """Seconds between two of so many rows on average, pauses left out."""
        return max(0.0, self.last - self.first - self.paused) / max(1, rows - self.before - 1)

    def limit(self, rows: int) -> float | None:
        """Seconds without a row from which on the run stands still; None while nothing is usual."""
        if rows - self.before <= FEW:
            return None
        longest = max((end - begin for begin, end in self.pauses), default=0.0)
        return max(LEAST, FACTOR * self.usual(rows), GROWTH * longest)

    def dump(self) -> list[Any]:
        """For `load`, besides the pauses."""
        return [self.first, self.last, self.before, self.paused]

    def load(self, dumped: object, pauses: object) -> None:
        """Go on from what was put down; what has the wrong type is passed over."""
        if isinstance(dumped, list) and len(dumped) == 4 and all(map(_is_number, dumped)):
            self.first, self.last, before, self.paused = map(float, dumped)
            self.before = int(before)
        if isinstance(pauses, list):
            pairs = (pair for pair in pauses[-MAX_PAUSES:] if isinstance(pair, list) and len(pair) == 2)
            self.pauses = tuple((a, b) for a, b in pairs if _is_number(a) and _is_number(b) and a <= b)


NEVER: Final = 0.0
"""Before the first row: so long ago that the first comes long after."""


def _is_number(value: object) -> bool:
    """Whether a value may be a time, a length of time, or a number of rows."""
    return isinstance(value, (int, float)) and 0 <= value < 1e11
