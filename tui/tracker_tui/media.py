"""What runs logged besides numbers, as one looks at it: at which step, side by side, where it stands. No Textual."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from tracker.history import MediaColumn
from tracker.references import Reference, references
from tracker_tui.kinds import sections
from tracker_tui.look import size_text
from tracker_tui.plot import Subject

MIN_CELL: Final = 24
"""Cells of a run's part of the width, at least: as many runs stand side by side as have them."""
MAX_CELLS: Final = 6
THUMB: Final = 16
"""Cells of one picture of a list, at least."""
AROUND: Final = 3
"""Lines of a band beside its body: name, run, caption."""
LEAST_BODY: Final = 5
MOST_BODY: Final = 16
"""Lines of a picture in the grid."""
HISTOGRAM_BODY: Final = 9
TABLE_BODY: Final = 7
FILE_BODY: Final = 2


class Shown(NamedTuple):
    """What a run has at a step."""

    step: float
    """When it was logged."""
    references: Sequence[Reference]


class Band(NamedTuple):
    """One name of media, the runs that have it side by side; or the heading of a section."""

    key: str
    """The name; of a heading that of the section."""
    y: int
    """Its first line."""
    body: int
    """Lines of its body; of a heading less than 0, as many as there are names below it."""
    cell: int = 0
    """Cells of a run's part, with the gap."""
    subjects: tuple[Subject, ...] = ()
    """The runs in sight."""
    hidden: int = 0
    """Runs that have it too."""

    @property
    def is_heading(self) -> bool:
        return self.body < 0

    @property
    def height(self) -> int:
        """Lines with what is around the body, without the blank line below."""
        return 1 if self.is_heading else self.body + AROUND


@lru_cache(maxsize=512)
def parsed(value: bytes) -> tuple[Reference, ...]:
    """The media of a row's value."""
    return tuple(references(value))


def shown_at(column: MediaColumn, step: float | None) -> Shown | None:
    """The newest that was logged up to a step, or of all; None where nothing was."""
    count = min(len(column.steps), len(column.values))
    index = (count if step is None else bisect_right(column.steps, step, 0, count)) - 1
    return Shown(column.steps[index], parsed(column.values[index])) if index >= 0 else None


def kind_of(column: MediaColumn) -> str:
    """What was logged last under a name: `image`, `table` ...; empty where nothing was."""
    shown = shown_at(column, None)
    return shown.references[0].kind if shown is not None and shown.references else ""


def column_of(subject: Subject, key: str) -> MediaColumn | None:
    """What a run logged under a name."""
    return subject.history.media.get(key)


def names_of(subjects: Iterable[Subject]) -> list[str]:
    """The names of all media, in the order they were first met."""
    return list(dict.fromkeys(name for subject in subjects for name in subject.history.media))


def neighbour(columns: Iterable[MediaColumn], step: float, by: int) -> float | None:
    """The logged step before or after one; None where there is none."""
    found = []
    for column in columns:
        index = bisect_right(column.steps, step) if by > 0 else bisect_left(column.steps, step) - 1
        if 0 <= index < len(column.steps):
            found.append(column.steps[index])
    return (min if by > 0 else max)(found, default=None)


def ends(columns: Iterable[MediaColumn]) -> tuple[float, float] | None:
    """The first and the last logged step."""
    known = [column for column in columns if column.steps]
    if not known:
        return None
    return min(column.steps[0] for column in known), max(column.steps[-1] for column in known)


def lay_out(subjects: Sequence[Subject], words: Sequence[str], width: int, height: int, alone: str = "") -> list[Band]:
    """Where each name stands.

    Args:
        subjects: the runs, the most important first.
        words: what names must contain.
        width: cells there are.
        height: lines in sight.
        alone: the only name, which has all of the room.
    """
    names = [name for name in names_of(subjects) if all(word in name.lower() for word in words)]
    found = [("", [alone])] if alone in names else sections(names)
    bands: list[Band] = []
    y = 0
    for section, keys in found:
        if len(found) > 1:
            bands.append(Band(section or "media", y, -len(keys)))
            y += 1
        for key in keys:
            having = [subject for subject in subjects if key in subject.history.media]
            shown = having[: max(1, min(MAX_CELLS, width // MIN_CELL))]
            cell = width // len(shown)
            body = max(1, height - AROUND) if alone else max(_body(each, key, cell - 1, height) for each in shown)
            bands.append(Band(key, y, body, cell, tuple(shown), len(having) - len(shown)))
            y += body + AROUND + 1
    return bands


def _body(subject: Subject, key: str, width: int, height: int) -> int:
    """Lines that what a run logged last is worth."""
    shown = shown_at(subject.history.media[key], None)
    if shown is None or not shown.references:
        return FILE_BODY
    first = shown.references[0]
    if first.kind == "histogram":
        return HISTOGRAM_BODY
    if first.trouble or not first.path:
        return FILE_BODY
    if first.kind == "table":
        rows = first.record.get("nrows")
        return min(TABLE_BODY, rows + 1 if type(rows) is int and rows >= 0 else TABLE_BODY)
    if first.kind != "image":
        return FILE_BODY
    count = in_row(len(shown.references), width)
    widest = (width - count + 1) // count
    lines = max(
        (-(-widest * each.height // (2 * each.width)) if each.width and each.height else MOST_BODY)
        for each in shown.references[:count]
    )
    return max(LEAST_BODY, min(lines, MOST_BODY, height - AROUND - 1))


def in_row(count: int, width: int) -> int:
    """Of so many pictures, how many stand side by side."""
    return max(1, min(count, (width + 1) // (THUMB + 1)))


class Grid(NamedTuple):
    """Where the pictures of a list stand."""

    columns: int
    rows: int
    width: int
    """Cells of one."""
    height: int
    """Lines of one."""

    @property
    def room(self) -> int:
        """Pictures there is room for."""
        return self.columns * self.rows


def grid(shown: Sequence[Reference], width: int, height: int) -> Grid:
    """Room for as many of some pictures as fit, as large as they can be then."""
    count, first = len(shown), shown[0]
    ratio = first.height / (2 * first.width) if first.width and first.height else 0.5
    most = in_row(count, width)
    for columns in range(1, most + 1):
        each = (width - columns + 1) // columns
        lines = max(1, min(height, math.ceil(each * ratio)))
        rows = max(1, (height + 1) // (lines + 1))
        if rows * columns >= count or columns == most:
            return Grid(columns, min(rows, -(-count // columns)), each, lines)
    raise AssertionError("there is always one column")


def about(reference: Reference) -> str:
    """What there is to say of a medium in a line: caption, boxes, masks."""
    parts = [reference.caption] if reference.caption else []
    boxes = _counted(reference.record.get("boxes"))
    masks = reference.record.get("masks")
    parts += [f"{boxes} box{'es' * (boxes != 1)}"] if boxes else []
    parts += [f"{len(masks)} mask{'s' * (len(masks) != 1)}"] if isinstance(masks, dict) and masks else []
    return " · ".join(parts)


def facts_of(reference: Reference) -> str:
    """What a file is: `audio, 1.2 MB`."""
    parts = [reference.kind]
    parts += [f"{reference.width}x{reference.height}"] if reference.width and reference.height else []
    parts += [size_text(reference.size)] if reference.size else []
    return ", ".join(parts)


def _counted(groups: object) -> int:
    """How many boxes there are in groups of them: they are counted, or there themselves."""
    found = (group for group in (groups.values() if isinstance(groups, dict) else ()) if isinstance(group, dict))
    counts = (
        group.get("count", len(data) if isinstance(data := group.get("box_data"), list) else 0) for group in found
    )
    return sum(count for count in counts if type(count) is int and count > 0)
