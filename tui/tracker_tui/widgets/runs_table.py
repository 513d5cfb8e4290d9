"""The runs of a project or group as a table: any fields as columns, in any order, in groups."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from textual.binding import Binding
from textual.message import Message

from tracker.records import clean
from tracker.sparkline import blocks
from tracker.stored import Key, StoredRun
from tracker_tui import fields
from tracker_tui.fields import HISTORY, SUMMARY, is_course
from tracker_tui.kinds import main_metric
from tracker_tui.look import BEST, GLYPHS, fit, last_value, right, some_runs
from tracker_tui.model import Model
from tracker_tui.query import is_number
from tracker_tui.table import NEWEST, Row, Table, TableView, descends
from tracker_tui.widgets.lines import Cell, Line, Lines

NAME_WIDTH = 12
"""Cells of the name at least; it gets what the columns leave."""
WIDTHS = {"state": 9, "step": 8, "age": 5, "duration": 8}
"""Columns that are shown by themselves, and their cells."""
IMPORTANCE = ("step", "age", "state", "duration")
"""Which of them to keep where there is no room for all; a sign before the name tells the state as well."""
VALUE_WIDTH = 9
SPARK_WIDTH = 7
COURSE_WIDTH = 14
"""Cells of a sparkline that somebody asked for."""
METRIC_WIDTH = VALUE_WIDTH + SPARK_WIDTH + 4
MIN_COLUMN = 5
"""Cells of a column that is cut because there is no room for it."""
MIN_TITLE = 8
"""Cells of a group's name at least."""
STAT_WIDTH = 7
"""Cells of each number of a group."""
TEXT_WIDTH = 20
"""Cells of any other column at most."""
MEASURED = 200
"""Runs whose values tell how wide a column has to be."""


class Column(NamedTuple):
    """A field, and how its values are written."""

    name: str
    width: int
    """Cells, the space before it not counted."""
    is_right: bool = False
    best: float | None = None
    """The value to mark."""
    has_mark: bool = False
    """Whether there is a cell for the mark."""

    @property
    def room(self) -> int:
        """Cells that it takes on the line."""
        return self.width + 1 + self.has_mark


class RunsTable(Lines):
    """A line a run or group: its name, which stays, and as many columns as there is room for."""

    BINDINGS = [
        Binding("left,h", "side(-1)", "Left", id="table.left", tooltip="To the columns on the left"),
        Binding("right,l", "side(1)", "Right", id="table.right", tooltip="To the columns on the right"),
    ]

    @dataclass
    class GroupChosen(Message):
        """A group was opened or closed."""

        table: RunsTable
        row: Row

    @dataclass
    class HeaderChosen(Message):
        """The title of a column was clicked."""

        field: str

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.cursor = 0
        self._model = model
        self._table = Table()
        self._view = TableView()
        self._metrics: list[str] = []
        self._first = 0
        self._known: dict[str, Column] = {}
        self._fitted: tuple[int, list[Column]] = (-1, [])

    def show(self, table: Table, view: TableView) -> None:
        """Show these rows, if they are others; the cursor stays on its run or group."""
        if table is self._table and view == self._view:
            return
        before = self.row
        is_other = self._view != view
        self._table, self._view = table, view
        self._known.clear()
        self._fitted = (-1, [])
        if is_other:
            self._first = 0
        names = fields.metric_names(table.runs)
        first = next((metric for run in table.runs if (metric := main_metric(run))), None)
        self._metrics = sorted(names, key=lambda name: name != first)
        wanted = _identity(before)
        found = next((i for i, row in enumerate(table.rows) if _identity(row) == wanted), None)
        if found is None:
            found = max(0, min(self.cursor or 0, len(table.rows) - 1))
        self.keep_cursor(found)

    def update_lines(self) -> None:
        """Values may be others, and so the best."""
        if len(self._table.runs) <= MEASURED:
            for name, column in self._known.items():
                if column.has_mark:
                    self._known[name] = column._replace(best=self._table.best(name))
            self._fitted = (-1, [])
        super().update_lines()

    @property
    def row(self) -> Row | None:
        """What is under the cursor."""
        rows = self._table.rows
        return rows[self.cursor] if self.cursor is not None and self.cursor < len(rows) else None

    @property
    def key(self) -> Key | None:
        """The run under the cursor; None on a group."""
        row = self.row
        return row.run.key if row is not None and row.run is not None else None

    def go_to(self, key: Key) -> None:
        """Put the cursor on a run."""
        index = next((i for i, row in enumerate(self._table.rows) if row.run is not None and row.run.key == key), None)
        if index is not None:
            self.move_to(index)

    def line_count(self) -> int:
        return len(self._table.rows)

    # ---- columns ----

    def _names(self, width: int) -> list[str]:
        """The fields to show: those that were chosen, else the most telling ones; always what the order is by."""
        sort = self._view.sort
        if self._view.columns:
            names = list(self._view.columns)
            is_usual = sort == NEWEST and not self._view.is_reversed
            return names if sort in names or sort == "name" or is_usual else [sort, *names]
        room = width - 5 - NAME_WIDTH - METRIC_WIDTH * min(1, len(self._metrics))
        kept: set[str] = set()
        for name in IMPORTANCE:
            if name == "duration":  # a second metric tells more
                room -= METRIC_WIDTH * max(0, min(2, len(self._metrics)) - 1)
            if WIDTHS[name] < room or name == sort:
                kept.add(name)
                room -= WIDTHS[name] + 1
        names = [name for name in WIDTHS if name in kept]
        metric = fields.metric_of(sort)
        metrics = sorted(self._metrics, key=lambda name: name != metric)
        if sort not in names and sort not in ("age", "name") and metric not in metrics:
            names.append(sort)
        return names + [name for metric in metrics for name in (SUMMARY + metric, HISTORY + metric)]

    def _columns(self, width: int) -> list[Column]:
        """The columns that fit, from the first that is not scrolled away."""
        if self._fitted[0] == width:
            return self._fitted[1]
        names = self._names(width)
        self._first = max(0, min(self._first, len(names) - 1))
        room = width - 5 - NAME_WIDTH
        shown: list[Column] = []
        for name in names[self._first :]:
            column = self._column(name)
            if not shown and column.room > room > MIN_COLUMN:
                column = column._replace(width=room - 1 - column.has_mark)
            if column.room > room:
                break
            shown.append(column)
            room -= column.room
        if not self._view.columns and shown and shown[-1].name.startswith(SUMMARY):
            shown.pop()  # a value and its course go together
        self._fitted = (width, shown)
        return shown

    def _column(self, name: str) -> Column:
        """A column as wide as it has to be."""
        if name not in self._known:
            self._known[name] = self._measured(name)
        return self._known[name]

    def _measured(self, name: str) -> Column:
        if is_course(name):
            return Column(name, COURSE_WIDTH if self._view.columns else SPARK_WIDTH)
        if name in WIDTHS:
            return Column(name, WIDTHS[name], is_right=name != "state")
        best = self._table.best(name)
        metric = fields.metric_of(name)
        if metric is not None and metric in self._metrics:
            return Column(name, VALUE_WIDTH, True, best, has_mark=True)
        now = time.time()
        runs = self._table.runs[:MEASURED]
        values = [fields.value_of(run, name, now) for run in runs]
        has_numbers = name in fields.NUMERIC or all(value is None or is_number(value) for value in values)
        limit = VALUE_WIDTH if has_numbers and name not in fields.NUMERIC else TEXT_WIDTH
        widest = max((cell_len(self._text(run, name, now, limit)) for run in runs), default=0)
        title = min(cell_len(_title(name)) + (name == self._view.sort), TEXT_WIDTH)
        return Column(name, max(3, title, min(limit, widest)), has_numbers, best, has_mark=best is not None)

    def action_side(self, by: int) -> None:
        """Scroll by a column; a metric's value and course together."""
        names = self._names(self._width)
        at = self._first + by
        if 0 <= at < len(names) and is_course(names[at]) and not self._view.columns:
            at += by
        shown = self._columns(self._width)
        if by > 0 and shown and shown[-1].name == names[-1]:
            return  # the last one is seen
        self._first = max(0, min(at, len(names) - 1))
        self._fitted = (-1, [])
        self.update_lines()

    def action_choose(self) -> None:
        row = self.row
        if row is not None and row.run is None:
            self.post_message(self.GroupChosen(self, row))
        else:
            super().action_choose()

    def header_clicked(self, x: int) -> None:
        left = 4 + self._name_width(self._width)
        if x < left:
            self.post_message(self.HeaderChosen("name"))
        for column in self._columns(self._width):
            if left <= x < left + column.room:
                name = column.name
                self.post_message(self.HeaderChosen(SUMMARY + name[len(HISTORY) :] if is_course(name) else name))
            left += column.room

    def line_clicked(self, index: int, x: int, is_again: bool) -> None:
        """A click on a group's arrow opens it."""
        row = self._table.rows[index]
        super().line_clicked(index, x, is_again or (row.run is None and 2 * row.depth <= x < 2 * row.depth + 2))

    # ---- painting ----

    def header(self, width: int) -> Line:
        columns = self._columns(width)
        cells: list[Cell] = [("‹ " if self._first else "  ", "dim")]
        title = self._ordered("name", "name")
        cells.append(("  " + fit(title, self._name_width(width)), "strong" if self._is_sort("name") else "dim"))
        place = 0
        while place < len(columns):
            column, room = columns[place], columns[place].width + columns[place].has_mark
            follower = columns[place + 1] if place + 1 < len(columns) else None
            if follower is not None and _is_pair(column, follower):  # one title for both
                room += follower.room
                place += 1
            title = self._ordered(column.name, _title(column.name))
            style = "strong" if self._is_sort(column.name) else "dim"
            pad = right if column.is_right and follower is not column else fit
            if cell_len(title) > room:
                title = "…" + _end(title, room - 1)
            cells.append((" " + pad(title, room), style))
            place += 1
        return tuple(cells)

    def _is_sort(self, name: str) -> bool:
        return name == self._view.sort

    def _ordered(self, name: str, title: str) -> str:
        """A title with an arrow if the table is ordered by it."""
        if not self._is_sort(name):
            return title
        return title + ("▼" if descends(self._view.sort, self._view.is_reversed, self._table.runs) else "▲")

    def line(self, index: int, width: int) -> Line:
        row = self._table.rows[index]
        return self._group_line(row, width) if row.run is None else self._run_line(row.run, row.depth, width)

    def _run_line(self, run: StoredRun, depth: int, width: int) -> Line:
        now = time.time()
        sign, style = self._model.sign_of(run.key)
        mark = "strong" if run.key in self._model.marked else ""
        indent = "  " * depth
        cells: list[Cell] = [(sign, style), (GLYPHS[run.state] + " ", run.state)]
        cells.append((indent + fit(run.label, max(0, self._name_width(width) - len(indent))), mark))
        for column in self._columns(width):
            cells += self._cells(run, column, now)
        return tuple(cells)

    def _cells(self, run: StoredRun, column: Column, now: float) -> list[Cell]:
        name = column.name
        if is_course(name):
            sketch = run.sketches.get(name[len(HISTORY) :])
            return [(" " + (blocks(sketch.values(column.width)) if sketch else "").ljust(column.width), "spark")]
        value = fields.value_of(run, name, now)
        text = self._text(run, name, now, column.width)
        is_best = column.best is not None and value == column.best
        style = run.state if name == "state" else "best" if is_best else "strong" if column.has_mark else ""
        cell = " " + (right if column.is_right else fit)(text, column.width)
        return [(cell + ((BEST if is_best else " ") if column.has_mark else ""), style)]

    def _text(self, run: StoredRun, name: str, now: float, width: int) -> str:
        return clean(fields.shown(run, name, now, width), 200)

    def _group_line(self, row: Row, width: int) -> Line:
        name, label = row.path[-2:]
        title = f"{_title(name)} {clean(label, 60)}"
        cells: list[Cell] = [("  " * row.depth + ("▾ " if row.is_open else "▸ "), "dim"), (title, "heading")]
        cells.append((f"  {some_runs(len(row.runs))}", "dim"))
        if row.stats is None:
            return tuple(cells)
        numbers = [("mean", row.stats.mean), ("min", row.stats.low), ("max", row.stats.high)]
        tail: list[Cell] = []
        for word, value in numbers:
            tail += [(f"  {word} ", "dim"), (last_value(value, STAT_WIDTH).ljust(STAT_WIDTH), "strong")]
        taken = sum(cell_len(text) for text, _ in (*cells, *tail)) + 1
        while tail and taken - max(0, cell_len(title) - MIN_TITLE) > width:  # the greatest goes first, then the least
            del tail[-2:]
            taken = sum(cell_len(text) for text, _ in (*cells, *tail)) + 1
        if taken > width:
            cells[1] = (fit(title, max(MIN_TITLE, cell_len(title) - taken + width)), "heading")
            taken = sum(cell_len(text) for text, _ in (*cells, *tail)) + 1
        room = width - taken
        measure = _title(self._table.measure)
        return (*cells, (right(measure if cell_len(measure) < room else "", room), "dim"), *tail)

    def _name_width(self, width: int) -> int:
        return max(NAME_WIDTH, width - 5 - sum(column.room for column in self._columns(width)))


def _identity(row: Row | None) -> object:
    """What a row is about, whatever it holds by now."""
    if row is None:
        return None
    return row.path or row.runs[0].key


def _title(name: str) -> str:
    """What a field is called at the head of its column."""
    short = name.removeprefix(SUMMARY).removeprefix(HISTORY).removeprefix(fields.CONFIG)
    return clean({"duration": "time"}.get(name, short), 60)


def _is_pair(column: Column, follower: Column) -> bool:
    return column.name.startswith(SUMMARY) and follower.name == HISTORY + column.name[len(SUMMARY) :]


def _end(text: str, room: int) -> str:
    """The end of a text, which tells names with a common beginning apart."""
    while text and cell_len(text) > room:
        text = text[1:]
    return text
