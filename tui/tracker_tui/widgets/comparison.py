"""Runs side by side, a column a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rich.cells import cell_len
from textual.binding import Binding

from tracker.records import clean
from tracker.stored import Key
from tracker_tui.compare import Comparison, Item, Section, cells_of
from tracker_tui.look import GLYPHS, fit
from tracker_tui.widgets.lines import Cell, Line, Lines

NAME_SHARE = 4
"""The names of what is compared get at most one of so many parts of the width."""
MAX_WIDTH = 28
"""Cells of a text for which a run's column is made wide, be there room for all runs or not."""
MIN_WIDTH = 16
SAME = "more are the same in all"


class _Row(NamedTuple):
    item: Item | None = None
    section: Section | None = None
    is_same: bool = False
    cells: tuple[str, ...] = ()
    """Of an item, what stands under each run."""


class ComparisonLines(Lines):
    """What differs first; what is the same is folded away.

    Args:
        comparison: what to show.
        sign_of: a run's sign and its style.
    """

    BINDINGS = [
        Binding("left,h", "side(-1)", "Left", id="compare.left", tooltip="To the runs on the left"),
        Binding("right,l", "side(1)", "Right", id="compare.right", tooltip="To the runs on the right"),
        Binding("enter", "choose", "Fold", id="compare.fold", tooltip="Show what is the same, or hide it"),
    ]

    def __init__(self, comparison: Comparison, sign_of: Callable[[Key], tuple[str, str]]) -> None:
        super().__init__()
        self.cursor = 0
        self._comparison = comparison
        self._sign_of = sign_of
        self._first = 0
        self._is_same_shown = not comparison.different
        self._rows: list[_Row] = []
        self._measured: dict[int, tuple[int, int, int]] = {}
        self._fill()

    def _fill(self) -> None:
        self._rows = []
        for section in self._comparison.different:
            self._rows += [*_rows(section), _Row()]
        if self._comparison.same:
            self._rows.append(_Row(is_same=True))
            for section in self._comparison.same if self._is_same_shown else ():
                self._rows += _rows(section)
        self._measured.clear()

    def line_count(self) -> int:
        return len(self._rows)

    @property
    def text(self) -> str:
        """What is under the cursor, to copy."""
        item = self._rows[self.cursor].item if self.cursor is not None and self.cursor < len(self._rows) else None
        return "\t".join([item.name, *item.texts]) if item is not None else ""

    def action_choose(self) -> None:
        """Unfold what is the same, or fold it."""
        if self.cursor is not None and self._rows[self.cursor].is_same:
            self._is_same_shown = not self._is_same_shown
            self._fill()
            self.update_lines()

    def action_side(self, by: int) -> None:
        """Scroll by a run; the first always stays, deltas are from it."""
        last = len(self._comparison.runs) - 1 - self._measure(self._width)[2]
        self._first = max(0, min(self._first + by, last))
        self.update_lines()

    def _measure(self, width: int) -> tuple[int, int, int]:
        """Cells of the names and of a run's column, and how many runs are beside the first."""
        if width not in self._measured:
            items = [row.item for row in self._rows if row.item is not None]
            names = max((cell_len(clean(item.name)) for item in items), default=0) + 4
            names = min(names, max(14, width // NAME_SHARE))
            room = width - names
            runs = self._comparison.runs
            lengths = [cell_len(text) for row in self._rows for text in row.cells]
            lengths += [cell_len(run.label) + 4 for run in runs]
            short = max((length for length in lengths if length <= MAX_WIDTH), default=0) + 2
            column = max(MIN_WIDTH, short, min(max(lengths) + 2, room // len(runs)))
            column = max(1, min(column, room // 2))
            self._measured = {width: (names, column, max(1, min(len(runs), room // column) - 1))}
        return self._measured[width]

    def _places(self, width: int) -> list[int]:
        """The runs that are in sight."""
        others = self._measure(width)[2]
        return [0, *range(1 + self._first, min(len(self._comparison.runs), 1 + self._first + others))]

    def header(self, width: int) -> Line:
        names, column, _ = self._measure(width)
        places = self._places(width)
        hidden = len(self._comparison.runs) - len(places)
        more = f"‹› {hidden} more" if hidden else ""
        cells: list[Cell] = [(fit(more, names), "dim")]
        for place in places:
            run = self._comparison.runs[place]
            sign, style = self._sign_of(run.key)
            cells += [(sign, style), (GLYPHS[run.state] + " ", run.state), (fit(run.label, column - 5) + " ", "strong")]
        return tuple(cells)

    def line(self, index: int, width: int) -> Line:
        row = self._rows[index]
        if row.section is not None:
            return ((row.section.title, "heading"), (f" {len(row.section.items)}", "dim"))
        if row.is_same:
            count = sum(len(section.items) for section in self._comparison.same)
            return (("▾ " if self._is_same_shown else "▸ ", "dim"), (f"{count} {SAME}", "heading"))
        if row.item is None:
            return ()
        names, column, _ = self._measure(width)
        cells: list[Cell] = [(fit("  " + clean(row.item.name), names - 1) + " ", "dim")]
        for place in self._places(width):
            style = "best" if place in row.item.best else "value"
            cells.append((fit(row.cells[place], column - 1) + " ", style))
        return tuple(cells)


def _rows(section: Section) -> list[_Row]:
    items = [_Row(item, cells=tuple(clean(text) for text in cells_of(item))) for item in section.items]
    return [_Row(section=section), *items]
