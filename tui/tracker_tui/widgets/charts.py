"""The metrics of the run that is looked at: a chart each, in a grid that fills the pane."""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm
from time import monotonic

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.containers import VerticalScroll
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tracker.replay import Column
from tracker_tui import chart, series
from tracker_tui.chart import Cells, Curve
from tracker_tui.look import last_value
from tracker_tui.model import by_interest
from tracker_tui.widgets.lines import difference, fit

MIN_WIDTH = 34
MIN_HEIGHT = 8
GOOD_HEIGHT = 9
REDRAW = 0.4
"""Seconds between two drawings of a chart; its title follows every row that is read."""
BEST_SHAPE = 3.6
"""Cells wide to cells high of a chart that reads well."""


class MetricChart(Widget):
    """One metric: its name and last value above its history. Drawn when seen, repainted by the line."""

    DEFAULT_CSS = """
    MetricChart { height: 1fr; padding: 0 1 0 0; }
    MetricChart .chart--title { text-style: bold; }
    MetricChart .chart--value { color: $accent; text-style: bold; }
    MetricChart .chart--badge { color: $warning; }
    MetricChart .chart--axis { color: $text-muted; }
    """
    COMPONENT_CLASSES = {"chart--title", "chart--value", "chart--badge", "chart--axis"}

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.auto_links = False
        self.metric = metric
        self._column = Column()
        self._colour = 0
        self._last: object = None
        self._rows: list[Cells] = []
        self._title: tuple[str, str, str] = ("", "", "")
        self._drawn_size = (0, 0)
        self._drawn_at = 0.0
        self._redraw_timer: Timer | None = None

    def show(self, column: Column, colour: int, last: object, is_new: bool) -> None:
        """Show this history as it is now; repaint what differs.

        Args:
            column: the history.
            colour: of the 256 of terminals.
            last: the value that the run's summary has; where that is no number, the history's last is shown.
            is_new: it is another run's: draw at once.
        """
        self._column = column
        self._colour = colour
        self._last = last
        if not self.is_on_screen:
            self._draw_later()
            return
        title = self._title
        self._write_title()
        if title != self._title:
            self.refresh(Region(0, 0, min(self.size.width, max(_title_width(title), _title_width(self._title))), 1))
        wait = 0.0 if is_new else self._drawn_at + REDRAW - monotonic()
        if wait <= 0:
            self._redraw()
        elif self._redraw_timer is None:
            self._redraw_timer = self.set_timer(wait, self._redraw)

    def _redraw(self) -> None:
        """Draw anew and repaint the cells that differ."""
        if self._redraw_timer is not None:
            self._redraw_timer.stop()
            self._redraw_timer = None
        if not self.is_on_screen:  # hidden since the timer was set
            self._draw_later()
            return
        rows = self._rows
        self._draw()
        if len(rows) != len(self._rows):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(rows, self._rows, strict=True), 1):
            if old != new:
                first, last = difference(old, new)
                self.refresh(Region(first, y, last - first, 1))

    def _draw_later(self) -> None:
        """When it comes into sight, where Textual would else show what it has in store."""
        self._drawn_size = (0, 0)
        self.refresh()

    def _write_title(self) -> None:
        column = self._column
        gaps = series.gaps(column)
        end = column.values[-1] if len(column.values) else ""
        last = last_value(self._last if isinstance(self._last, (int, float)) else end)
        self._title = (self.metric, last, f"{gaps} not finite" if gaps else "")

    def _draw(self) -> None:
        width, height = self.size
        self._drawn_size = (width, height)
        self._drawn_at = monotonic()
        column = self._column
        extent = series.extent(column)
        if extent is None or not width:
            self._rows = [((" " * width, None),)] * max(0, height - 1)
            return
        x = series.axis(column.steps[0], column.steps[-1], max(2, width // 12), whole=True)
        y = series.axis(*extent, max(2, height // 3))
        curve = Curve(tuple(series.pieces(column, x.low, x.high, 2 * width)), self._colour)
        self._rows = chart.draw([curve], x, y, width, max(1, height - 1))

    def render_line(self, y: int) -> Strip:
        if self._drawn_size != tuple(self.size):
            self._write_title()
            self._draw()
        if y == 0:
            return self._title_strip()
        axis = self.get_component_rich_style("chart--axis")
        row = self._rows[y - 1] if y <= len(self._rows) else ()
        segments = [Segment(text, axis if colour is None else axis + _style(colour)) for text, colour in row]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def _title_strip(self) -> Strip:
        name, value, badge = self._title
        width = self.size.width
        room = width - cell_len(value) - cell_len(badge) - 4
        segments = [
            Segment(fit(name, min(max(8, room), cell_len(name))) + "  ", self.get_component_rich_style("chart--title")),
            Segment(value, self.get_component_rich_style("chart--value")),
            Segment("  " + badge if badge else "", self.get_component_rich_style("chart--badge")),
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)


def _title_width(title: tuple[str, str, str]) -> int:
    """Cells that a title may take."""
    return sum(map(cell_len, title)) + 4


def _style(colour: int) -> Style:
    return Style(color=f"color({colour})")


class ChartGrid(VerticalScroll):
    """A chart for every metric, in as many columns as read well, with no space left over."""

    DEFAULT_CSS = """
    ChartGrid { layout: grid; grid-gutter: 1 1; scrollbar-size-vertical: 1; }
    """

    ALLOW_MAXIMIZE = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._charts: dict[str, MetricChart] = {}

    def show(
        self, columns: Mapping[str, Column], colour: int, summary: Mapping[str, object], is_new: bool = False
    ) -> None:
        """Show these histories, each in a chart of its own, with the last values that the summary has."""
        names = by_interest(columns)
        if names != list(self._charts):
            self._rebuild(names)
        for name in names:
            self._charts[name].show(columns[name], colour, summary.get(name), is_new)

    def _rebuild(self, names: list[str]) -> None:
        old = self._charts
        self._charts = {name: old.get(name) or MetricChart(name) for name in names}
        with self.app.batch_update():
            for name, gone in old.items():
                if name not in self._charts:
                    gone.remove()
            before: MetricChart | None = None
            for made in self._charts.values():
                if not made.is_attached:
                    self.mount(made, after=before) if before else self.mount(made, before=0 if self.children else None)
                before = made
            self._fit_grid()

    def on_resize(self) -> None:
        self._fit_grid()

    def _fit_grid(self) -> None:
        count = len(self._charts)
        width, height = self.size
        if not count or not width or not height:
            return
        columns, row_height = arrange(count, width, height)
        left_over = count % columns
        unit = lcm(columns, left_over or 1)
        self.styles.grid_size_columns = unit
        self.styles.grid_rows = str(row_height)
        for index, made in enumerate(self._charts.values()):
            in_last_row = left_over and index >= count - left_over
            made.styles.column_span = unit // (left_over if in_last_row else columns)


def arrange(count: int, width: int, height: int) -> tuple[int, int]:
    """Columns of the grid and height of a row: all charts in sight where that reads well, else a grid that scrolls.

    Args:
        count: charts, at least 1.
        width: cells of the pane.
        height: cells of the pane.
    """
    most = max(1, min(count, (width + 1) // (MIN_WIDTH + 1)))
    fitting = []
    for columns in range(1, most + 1):
        rows = -(-count // columns)
        row_height = (height + 1) // rows - 1
        if row_height >= MIN_HEIGHT:
            shape = (width / columns) / row_height
            fitting.append((abs(shape - BEST_SHAPE), columns, row_height))
    if fitting:
        _, columns, row_height = min(fitting)
        return columns, row_height
    rows_in_sight = max(1, (height + 1) // (GOOD_HEIGHT + 1))
    return most, max(min(MIN_HEIGHT, height), (height + 1) // rows_in_sight - 1)
