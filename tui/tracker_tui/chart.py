"""The only module that knows plotext: series and a size in, lines of inked cells out. Pure, safe for any numbers.

plotext 5.3 and not 6.1, by measurement (2 cores, Python 3.11; noisy curves, 2 points a column of dots; ms):

                  5.3              6.1
    import        30               112
    cells         60x14   120x35   60x14   120x35
    1 curve       4.0     14       4.0     9
    5 curves      15      55       14      38
    20 curves     55      212      56      157

6.1 draws large charts a quarter faster, but its C++ kernel ends the whole process on a NaN or an allocation gone wrong:
a dashboard must not die of a number. 5.3 is pure Python and runs everywhere. Both cost some 20 us a point, so they are
given few. plotext keeps one figure for the process, so drawing belongs to one thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tracker_tui.axes import Axis, fitting
from tracker_tui.series import Piece

MIN_WIDTH: Final = 16
MIN_HEIGHT: Final = 4
MIN_LABEL: Final = 4
"""Cells of a label of the y axis at least, so that charts below each other line up and curves stay where they are."""
FRAME: Final = 2
"""Rows below the curves: the x axis and its labels."""

Cells = tuple[tuple[str, int | None], ...]
"""One line: stretches of text, each with the number of its ink, or None for the axes."""

_COLOUR: Final = re.compile(r"\x1b\[([0-9;]*)m")


class Curve(NamedTuple):
    """A line in a chart."""

    pieces: Sequence[Piece]
    ink: int
    """0 to 255: comes back with every cell that shows the curve; what it looks like is for others to say."""


class Mark(NamedTuple):
    """One sign on top of the curves, at a place told in shares of the axes."""

    x: float
    y: float
    sign: str
    ink: int


def draw(curves: Sequence[Curve], x: Axis, y: Axis, width: int, height: int, marks: Sequence[Mark] = ()) -> list[Cells]:
    """Exactly `height` lines of exactly `width` cells; blank below 16x4, where an axis has no room.

    A curve covers those before it, marks cover curves; what is beyond the axes is put on their ends.
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
    left = y_labels(y, height)
    columns, rows = width - len(left[0]) - 1, height - FRAME
    plotext.yticks(y.shares(y.ticks), left)
    labels = [x.label(tick) for tick in x.ticks]
    every = fitting(labels, columns)
    plotext.xticks(x.shares(x.ticks)[::every], labels[::every])
    for curve in curves:
        for xs, ys in curve.pieces:
            plotext.plot(x.shares(xs), y.shares(ys), marker="braille", color=curve.ink)
    for mark in marks:
        at = _cell(mark.x, columns, 2) / max(1, columns - 1), _cell(mark.y, rows, 4) / max(1, rows - 1)
        plotext.scatter([at[0]], [at[1]], marker=mark.sign, color=mark.ink)
    return _lines(plotext.build(), width, height)


def y_labels(y: Axis, height: int) -> list[str]:
    """The labels of the y axis, all of one width; blank where there would be more than one a row."""
    labels = [y.label(tick) for tick in y.ticks]
    every = max(1, -(-len(labels) // max(1, height - FRAME)))
    longest = max(MIN_LABEL, *map(len, labels))
    return [(label if i % every == 0 else "").rjust(longest) for i, label in enumerate(labels)]


def gutter(y: Axis, height: int) -> int:
    """Cells left of the curves: the labels and the axis."""
    return len(y_labels(y, height)[0]) + 1


def column_of(share: float, cells: int) -> int:
    """Which of so many columns of cells shows a share of the x axis."""
    return _cell(share, cells, 2)


def _cell(share: float, cells: int, dots: int) -> int:
    """The cell in which plotext puts a share of an axis when it draws with so many dots a cell."""
    return int(0.5 + (dots * cells - 1) * share + 1e-9) // dots


def _lines(built: str, width: int, height: int) -> list[Cells]:
    """plotext's ANSI text as cells, cut and filled to the size."""
    lines = []
    for line in built.split("\n")[:height]:
        stretches: list[tuple[str, int | None]] = []
        room = width
        ink: int | None = None
        for index, part in enumerate(_COLOUR.split(line)):
            if index % 2:
                codes = part.split(";")
                ink = int(codes[2]) if codes[:2] == ["38", "5"] and len(codes) == 3 else None
            elif part and room > 0:
                stretches.append((part[:room], ink))
                room -= len(part)
        if room > 0:
            stretches.append((" " * room, None))
        lines.append(tuple(stretches))
    return lines + [((" " * width, None),)] * (height - len(lines))
