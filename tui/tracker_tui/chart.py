"""The only module that knows plotext: series and a size in, lines of coloured cells out. Pure, safe for any numbers.

plotext 5.3 and not 6.1, by measurement (2 cores, Python 3.11, one decimated line):

                        5.3        6.1
    import              30 ms      112 ms
    one 40x12 chart     2.3 ms     1.5 ms
    one 120x35 chart    10.4 ms    5.9 ms

6.1 draws half again as fast, but it is loaded before the first curve, and its C++ kernel ends the whole process on a
NaN or an allocation gone wrong: a dashboard must not die of a number. 5.3 is pure Python and runs everywhere.
It keeps one figure for the process, so drawing belongs to one thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracker_tui.series import Axis, Piece

MIN_WIDTH: Final = 16
MIN_HEIGHT: Final = 4

Cells = tuple[tuple[str, int | None], ...]
"""One line: stretches of text, each with a colour of the 256, or None for the axes."""

_COLOUR: Final = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's line in a chart."""

    pieces: tuple[Piece, ...]
    colour: int
    """Of the 256 colours of terminals."""


def draw(curves: Sequence[Curve], x: Axis, y: Axis, width: int, height: int) -> list[Cells]:
    """Exactly `height` lines of exactly `width` cells; blank below 16x4, where an axis has no room.

    Every point of the curves must lie inside the axes.
    """
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return [((" " * width, None),)] * height
    import plotext  # costly: only once there is something to draw

    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.theme("clear")
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    plotext.xlim(0, 1)
    plotext.ylim(0, 1)
    plotext.yticks(_shares(y, y.ticks), _aligned([y.label(tick) for tick in y.ticks]))
    ticks = _fitting(x, width)
    plotext.xticks(_shares(x, ticks), [x.label(tick) for tick in ticks])
    for curve in curves:
        for xs, ys in curve.pieces:
            plotext.plot(_shares(x, xs), _shares(y, ys), marker="braille", color=curve.colour)
    return _lines(plotext.build(), width, height)


def _aligned(labels: list[str]) -> list[str]:
    longest = max(map(len, labels))
    return [label.rjust(longest) for label in labels]


def _shares(axis: Axis, values: Sequence[float]) -> list[float]:
    """Values as shares of the axis, 0 to 1: all that plotext ever sees, so that no size of number can upset it."""
    half = axis.high / 2 - axis.low / 2 or 1.0  # the whole range may overflow a float
    return [min(1.0, max(0.0, (value / 2 - axis.low / 2) / half)) for value in values]


def _fitting(x: Axis, width: int) -> Sequence[float]:
    """As many of the ticks as have room for their labels side by side."""
    every = 1
    while True:
        ticks = x.ticks[::every]
        if len(ticks) <= 2 or sum(len(x.label(tick)) + 3 for tick in ticks) < width - 8:
            return ticks
        every += 1


def _lines(built: str, width: int, height: int) -> list[Cells]:
    """plotext's ANSI text as cells, cut and filled to the size."""
    lines = []
    for line in built.split("\n")[:height]:
        stretches: list[tuple[str, int | None]] = []
        room = width
        colour: int | None = None
        for index, part in enumerate(_COLOUR.split(line)):
            if index % 2:
                codes = part.split(";")
                colour = int(codes[2]) if codes[:2] == ["38", "5"] and len(codes) == 3 else None
            elif part and room > 0:
                stretches.append((part[:room], colour))
                room -= len(part)
        if room > 0:
            stretches.append((" " * room, None))
        lines.append(tuple(stretches))
    return lines + [((" " * width, None),)] * (height - len(lines))
