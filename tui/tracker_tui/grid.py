"""Where charts stand: sections with headings, as many columns as read well, no space left over. Plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

MIN_WIDTH: Final = 34
MIN_HEIGHT: Final = 7
GOOD_HEIGHT: Final = 10
"""Rows of a chart in a grid that is scrolled through, where more than two are in sight."""
BEST_SHAPE: Final = 3.6
"""Cells wide to cells high of a chart that reads well."""
GAP: Final = 1
"""Cells and rows between charts."""


class Place(NamedTuple):
    """What can be gone to: a chart, or the heading of a section."""

    name: str
    is_heading: bool = False


class Slot(NamedTuple):
    """A place and where it stands, from the top left of all charts."""

    place: Place
    x: int
    y: int
    width: int
    height: int


class Section(NamedTuple):
    """Metrics under a heading."""

    name: str
    metrics: Sequence[str]
    is_open: bool = True
    is_below: bool = False
    """Whether it stands below what fills the pane."""


def lay_out(sections: Sequence[Section], width: int, height: int) -> list[Slot]:
    """Slots from top to bottom and left to right: all in sight where that reads well, else rows to scroll through.

    Sections that stand below are a page of their own, of which only the first heading takes room from the others.

    Args:
        sections: what to lay out; without a name and alone, a section has no heading.
        width: cells of the pane.
        height: rows of the pane.
    """
    above = [section for section in sections if not section.is_below]
    below = [section for section in sections if section.is_below]
    if not above or not below:
        return _page(above or below, width, height, 0)
    slots = _page(above, width, height - 1 - GAP if height > 2 * MIN_HEIGHT else height, 0)
    last = slots[-1]
    return slots + _page(below, width, height, last.y + last.height + (0 if last.place.is_heading else GAP))


def _page(sections: Sequence[Section], width: int, height: int, y: int) -> list[Slot]:
    """The slots of sections that are looked at together, from a row on."""
    has_headings = len(sections) > 1 or any(section.name for section in sections)
    counts = [len(section.metrics) if section.is_open or not has_headings else 0 for section in sections]
    headings = len(sections) if has_headings else 0
    columns, heights = arrange(counts, width, height, headings)
    slots: list[Slot] = []
    row = 0
    for section, count in zip(sections, counts, strict=True):
        if has_headings:
            slots.append(Slot(Place(section.name, is_heading=True), 0, y, width, 1))
            y += 1
        for start in range(0, count, columns):
            metrics = section.metrics[start : start + columns]
            edges = [round(i * (width + GAP) / len(metrics)) for i in range(len(metrics) + 1)]
            for i, metric in enumerate(metrics):
                slots.append(Slot(Place(metric), edges[i], y, edges[i + 1] - edges[i] - GAP, heights[row]))
            y += heights[row] + GAP
            row += 1
    return slots


def arrange(counts: Sequence[int], width: int, height: int, headings: int = 0) -> tuple[int, list[int]]:
    """How many columns there are, and how high each row of charts is.

    Args:
        counts: charts of each section; each section begins a row of its own.
        width: cells of the pane.
        height: rows of the pane.
        headings: rows that are taken by headings.
    """
    most = max(1, min(max(counts, default=1), (width + GAP) // (MIN_WIDTH + GAP)))
    fitting = []
    for columns in range(1, most + 1):
        rows = sum(-(-count // columns) for count in counts)
        row_height = (height - headings + GAP) // max(1, rows) - GAP
        if row_height >= MIN_HEIGHT:
            fitting.append((abs(width / columns / row_height - BEST_SHAPE), columns, rows, row_height))
    if fitting:
        _, columns, rows, row_height = min(fitting)
        over = height - headings + GAP - rows * (row_height + GAP)
        return columns, [row_height + (row < over) for row in range(rows)]
    beside = GAP + (headings > 0)
    in_sight = max(1, min(2, height // (MIN_HEIGHT + beside)), height // (GOOD_HEIGHT + beside))
    row_height = max(min(MIN_HEIGHT, height), (height + GAP) // in_sight - beside)
    return most, [row_height] * sum(-(-count // most) for count in counts)


def next_place(slots: Sequence[Slot], current: Place | None, across: int, down: int) -> Place | None:
    """The place beside another one in a direction; itself at the edge."""
    here = next((slot for slot in slots if slot.place == current), None)
    if here is None:
        return first_chart(slots)
    if across:
        index = slots.index(here) + across
        return slots[index].place if 0 <= index < len(slots) else here.place
    rows = sorted({slot.y for slot in slots if (slot.y - here.y) * down > 0}, key=lambda y: abs(y - here.y))
    if not rows:
        return here.place
    middle = here.x + here.width / 2
    row = [slot for slot in slots if slot.y == rows[0]]
    return min(row, key=lambda slot: abs(slot.x + slot.width / 2 - middle)).place


def first_chart(slots: Sequence[Slot]) -> Place | None:
    """The first chart; a heading where there is none."""
    return (
        min(slots, key=lambda slot: slot.place.is_heading, default=Slot(Place(""), 0, 0, 0, 0)).place if slots else None
    )
