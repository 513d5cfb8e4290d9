"""The metrics of the runs that are looked at: a chart each, in a grid that fills the pane. Every run has its own curve.

The grid is one widget that knows where its charts stand. Plots are made in a thread, one at a time, those in sight
only; titles and legends follow every row that is read. Only cells that differ are painted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.binding import Binding
from textual.color import Color
from textual.events import Click, Leave, MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tracker.catalog import Key
from tracker_tui import legend
from tracker_tui.grid import Place, Section, Slot, first_chart, lay_out, next_place
from tracker_tui.legend import Stretches, x_text
from tracker_tui.look import fit
from tracker_tui.model import sections
from tracker_tui.plot import Order, Plot, Plotter, Subject, step_at, x_at, x_of
from tracker_tui.views import View, Views, Window
from tracker_tui.widgets.lines import differences

REDRAW = 1.0
"""Seconds between two drawings of a chart at least; what comes after a quiet while is drawn at once."""
REST = 5
"""Of the time, the part in which one chart is drawn at most: a plot that took 0.2 s is left as it is for a second."""
AT_ONCE = 0.03
"""Seconds in which charts of other runs are drawn before a key is answered; the rest follows."""
PAN = 0.25
"""Share of the window by which it is moved."""
MIN_ZOOM = 1e-6
"""Least share of all data that a window shows."""


class Cross(NamedTuple):
    """Where the crosshair is: an x, and the step there for charts with another x axis."""

    x_name: str
    x: float
    step: float


class ChartGrid(ScrollView, can_focus=True):
    """A chart for every metric, in sections by the first part of their names.

    Args:
        views: how each metric is drawn; changed by keys.
    """

    DEFAULT_CSS = """
    ChartGrid { scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden; }
    ChartGrid .chart--title { text-style: bold; }
    ChartGrid .chart--value { color: $accent; text-style: bold; }
    ChartGrid .chart--badge { color: $warning; }
    ChartGrid .chart--axis, ChartGrid .chart--dim { color: $text-muted; }
    ChartGrid .chart--heading { color: $accent; text-style: bold; }
    ChartGrid .chart--cross { color: $foreground; text-style: reverse; }
    ChartGrid .chart--cursor { text-style: bold; }
    ChartGrid:focus .chart--cursor { background: $primary 40%; text-style: bold; }
    """
    COMPONENT_CLASSES = {
        *("chart--title", "chart--value", "chart--badge", "chart--axis", "chart--dim", "chart--heading"),
        *("chart--cross", "chart--cursor"),
    }
    ALLOW_MAXIMIZE = False
    BINDINGS = [
        Binding("enter", "open", "Open", id="charts.open", tooltip="One chart alone, or all again; fold a section"),
        Binding("up,k", "go(0, -1)", "Up", id="charts.up", tooltip="To the chart above", show=False),
        Binding("down,j", "go(0, 1)", "Down", id="charts.down", tooltip="To the chart below", show=False),
        Binding("left", "side(-1)", "Left", id="charts.left", tooltip="Chart or crosshair to the left", show=False),
        Binding("right", "side(1)", "Right", id="charts.right", tooltip="Chart or crosshair to the right", show=False),
        Binding("shift+left", "cross(-10)", "Far left", id="charts.far-left", tooltip="Crosshair by ten", show=False),
        Binding("shift+right", "cross(10)", "Far right", id="charts.far-right", tooltip="Crosshair by ten", show=False),
        Binding("pageup", "page(-1)", "Page up", id="charts.page-up", tooltip="One page up", show=False),
        Binding("pagedown", "page(1)", "Page down", id="charts.page-down", tooltip="One page down", show=False),
        Binding("home", "edge(-1)", "First", id="charts.first", tooltip="First chart, or first point", show=False),
        Binding("end", "edge(1)", "Last", id="charts.last", tooltip="Last chart, or last point", show=False),
        Binding("i", "inspect", "Inspect", id="charts.inspect", tooltip="Crosshair on all charts: read values"),
        Binding("b", "how", "Best", id="charts.best", tooltip="Legend: last, least, greatest values", show=False),
        Binding("m", "smooth(1)", "Smooth", id="charts.smooth", tooltip="More smoothing", show=False),
        Binding("M", "smooth(-1)", "Less", id="charts.smooth-less", tooltip="Less smoothing", show=False),
        Binding("l", "log", "Log", id="charts.log", tooltip="Logarithmic y axis", show=False),
        Binding("x", "choose_x", "X axis", id="charts.x", tooltip="Step, time or a metric as x axis", show=False),
        Binding("o", "clip", "Outliers", id="charts.outliers", tooltip="Leave out the outer 5 %", show=False),
        Binding("plus,equals_sign", "zoom(0.5)", "In", id="charts.zoom-in", tooltip="Zoom in", show=False),
        Binding("minus", "zoom(2)", "Out", id="charts.zoom-out", tooltip="Zoom out", show=False),
        Binding(
            "left_square_bracket", "pan(-1)", "Pan", id="charts.pan-left", tooltip="Window to the left", show=False
        ),
        Binding("right_square_bracket", "pan(1)", "Pan", id="charts.pan-right", tooltip="To the right", show=False),
        Binding("0", "reset", "Reset", id="charts.reset", tooltip="Show all of the x axis", show=False),
        Binding("L", "link", "Link", id="charts.link", tooltip="Keys act on all charts, or on one", show=False),
    ]

    class Captioned(Message):
        """What `caption` says is another."""

    class Opened(Message):
        """One chart alone is shown, or all are again."""

    class XWanted(Message):
        """The x axis of the chart under the cursor is to be chosen."""

    def __init__(self, views: Views, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.auto_links = False
        self.views = views
        self.cursor: Place | None = None
        self.is_alone = False
        """Whether the chart under the cursor has the pane for itself."""
        self.is_linked = False
        """Whether keys act on all charts."""
        self.words: tuple[str, ...] = ()
        """What the names of shown metrics contain, in lower case."""
        self.subjects: tuple[Subject, ...] = ()
        self._names: list[str] = []
        self._folded: set[str] = set()
        self._slots: list[Slot] = []
        self._counts: dict[str, int] = {}
        self._lines: dict[Place, list[Stretches]] = {}
        self._plots: dict[str, Plot] = {}
        self._plotter = Plotter()
        self._due: dict[str, float] = {}
        self._drawn: dict[str, tuple[float, float]] = {}
        self._nudge = asyncio.Event()
        self._is_drawing = False
        self._is_plotting = False
        self._how = legend.HOW[0]
        self._cross: Cross | None = None
        self._is_inspecting = False
        self._pressed: tuple[Place, int] | None = None
        self._styles: dict[str, Style] = {}

    # ---- what is shown ----

    def show(self, subjects: Sequence[Subject], is_new: bool, has_rows: bool = True) -> None:
        """Show the histories of these runs as they are now.

        Args:
            subjects: the runs, the topmost last.
            is_new: they are others than before: draw at once.
            has_rows: there are new rows; else only names and values may be others.
        """
        self.subjects = tuple(subjects)
        names = list(dict.fromkeys(name for subject in subjects for name in _charted(subject)))
        if is_new:
            keys = {subject.run.key for subject in subjects}
            self._plots = {name: plot for name, plot in self._plots.items() if keys.issuperset(_keys(plot))}
        if names != self._names:
            self._names = names
            self._drawn = {name: drawn for name, drawn in self._drawn.items() if name in names}
            self._due = {name: due for name, due in self._due.items() if name in names}
            self._arrange()
        if is_new or has_rows:
            self._ask_for(self._names, at_once=is_new)
        if is_new:
            self._draw_some()
        self._write_visible()

    def metrics(self) -> list[str]:
        """The metrics that pass the filter."""
        return [name for name in self._names if all(word in name.lower() for word in self.words)]

    def _sections(self) -> list[tuple[str, list[str]]]:
        axes = {name for subject in self.subjects for name in subject.run.metrics.step_names}
        return sections(self.metrics(), axes)

    def _under_cursor(self) -> list[str]:
        """The metric under the cursor; on a heading those of its section."""
        if self.cursor is None:
            return []
        if not self.cursor.is_heading:
            return [self.cursor.name]
        return next((names for section, names in self._sections() if section == self.cursor.name), [])

    @property
    def metric(self) -> str | None:
        """The metric under the cursor, on a heading the first of its section."""
        return next(iter(self._under_cursor()), None)

    @property
    def plot(self) -> Plot | None:
        """The plot under the cursor, as it was drawn last."""
        return self._fresh(self.metric) if self.metric is not None else None

    @property
    def caption(self) -> str:
        """What there is to know about the grid as a whole."""
        parts = []
        if self.words:
            parts.append(f"{len(self.metrics())} of {len(self._names)} metrics")
        if self._is_inspecting and self._cross is not None:
            parts.append(f"at {x_text(self._cross.x_name, self._cross.x)}")
        if self.is_linked:
            parts.append("linked")
        return " · ".join(parts)

    def filter(self, text: str) -> None:
        """Show only metrics whose names contain every word of a text."""
        self.words = tuple(text.lower().split())
        self._arrange()
        self.post_message(self.Captioned())

    # ---- where charts stand ----

    def _arrange(self) -> None:
        """Find every chart its place, as names, size or what is open have changed."""
        width, height = self.scrollable_content_region.width, self.size.height
        if self.is_alone and self.metric not in self._names:  # these runs do not have it
            self.is_alone = False
            self.post_message(self.Opened())
        if self.is_alone:
            self._slots = [Slot(Place(self.metric or ""), 0, 0, width, height)]
        else:
            parts = [Section(name, names, name not in self._folded) for name, names in self._sections()]
            self._slots = lay_out(parts, width, height) if width and height else []
        if self.cursor not in [slot.place for slot in self._slots]:
            self.cursor = first_chart(self._slots)
        self._counts = {name: len(names) for name, names in self._sections()}
        bottom = max((slot.y + slot.height for slot in self._slots), default=0)
        self.virtual_size = Size(width, max(bottom, height))
        self._lines.clear()
        self._ask_for(self._names, at_once=True)
        self.refresh()

    def _visible(self) -> list[Slot]:
        if not self.is_on_screen or not self.size:
            return []
        top = round(self.scroll_y)
        return [slot for slot in self._slots if slot.y < top + self.size.height and slot.y + slot.height > top]

    def on_resize(self) -> None:
        self._arrange()

    def on_show(self) -> None:
        self._arrange()

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self._ask_for([], at_once=False)

    # ---- drawing ----

    def _ask_for(self, metrics: Iterable[str], at_once: bool) -> None:
        """Let these metrics be drawn anew: at once, or when it is time again."""
        now = monotonic()
        for metric in metrics:
            drawn, cost = self._drawn.get(metric, (0.0, 0.0))
            due = now if at_once else max(now, drawn + max(REDRAW, REST * cost))
            self._due[metric] = min(self._due.get(metric, due), due)
        self._nudge.set()
        if not self._is_drawing and self.is_attached:
            self._is_drawing = True
            self._draw()

    @work(group="draw")
    async def _draw(self) -> None:
        """Draw what is due and in sight, one chart after the other; end when nothing is."""
        try:
            while waiting := [slot for slot in self._visible() if slot.place.name in self._due and _is_chart(slot)]:
                slot = min(waiting, key=lambda each: (self._due[each.place.name], each.place != self.cursor))
                wait = self._due[slot.place.name] - monotonic()
                if wait > 0:
                    self._nudge.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._nudge.wait(), wait)
                    continue
                await self._draw_slot(slot)
        finally:
            self._is_drawing = False

    async def _draw_slot(self, slot: Slot) -> None:
        start = monotonic()
        del self._due[slot.place.name]
        self._is_plotting = True
        try:
            plot = await asyncio.to_thread(self._plotter.plot, self._order(slot))
        finally:
            self._is_plotting = False
        self._take(slot, plot, start)

    def _draw_some(self) -> None:
        """Draw what is in sight here and now as long as nobody notices, so that runs change without a blank between."""
        begin = monotonic()
        for slot in filter(_is_chart, self._visible()):
            start = monotonic()
            if self._is_plotting or not self._drawn or start - begin > AT_ONCE:
                return
            self._due.pop(slot.place.name, None)
            self._take(slot, self._plotter.plot(self._order(slot)), start)

    def _take(self, slot: Slot, plot: Plot, start: float) -> None:
        """Show a plot, unless its metric or its runs are not looked at any more."""
        metric = slot.place.name
        self._drawn[metric] = monotonic(), monotonic() - start
        if {subject.run.key for subject in self.subjects}.issuperset(_keys(plot)) and metric in self._names:
            self._plots[metric] = plot
            if slot in self._slots:
                self._write(slot)

    def _order(self, slot: Slot) -> Order:
        metric = slot.place.name
        subjects = self._subjects_of(metric)
        rows = legend.legend_rows(subjects, slot.width, slot.height, self.is_alone, self._is_overlay)
        height = slot.height - 1 - rows
        return Order(metric, subjects, self.views.of(metric), slot.width, height, self._is_overlay)

    @property
    def _is_overlay(self) -> bool:
        return len(self.subjects) > 1

    def _fresh(self, metric: str) -> Plot | None:
        """A metric's plot, if it is of the runs that are looked at."""
        plot = self._plots.get(metric)
        keys = [subject.run.key for subject in self._subjects_of(metric)]
        return plot if plot is not None and _keys(plot) == keys else None

    def _subjects_of(self, metric: str) -> tuple[Subject, ...]:
        return tuple(subject for subject in self.subjects if metric in subject.history.columns)

    # ---- writing ----

    def _write_visible(self) -> None:
        visible = self._visible()
        seen = {slot.place for slot in visible}
        self._lines = {place: lines for place, lines in self._lines.items() if place in seen}
        for slot in visible:
            self._write(slot)

    def _write(self, slot: Slot) -> None:
        """Write a slot anew and repaint the cells that differ."""
        before, lines = self._lines.get(slot.place), self._lines_of(slot)
        self._lines[slot.place] = lines
        top = slot.y - round(self.scroll_y)
        if before is None or len(before) != len(lines):
            self.refresh(Region(slot.x, top, slot.width, slot.height))
            return
        for row, (old, new) in enumerate(zip(before, lines, strict=True)):
            if old != new:
                for first, last in differences(old, new):
                    self.refresh(Region(slot.x + first, top + row, last - first, 1))

    def _lines_of(self, slot: Slot) -> list[Stretches]:
        if slot.place.is_heading:
            return [self._heading(slot)]
        metric, view = slot.place.name, self.views.of(slot.place.name)
        subjects = self._subjects_of(metric)
        fresh = self._fresh(metric)
        at = self._cross_in(fresh)
        rows = legend.legend_rows(subjects, slot.width, slot.height, self.is_alone, self._is_overlay)
        title = legend.title(metric, subjects, view, fresh, slot.width, at, self._is_overlay)
        if slot.place == self.cursor:
            title = ((title[0][0], "cursor"), *title[1:])
        if self.is_alone:
            around = legend.table(metric, subjects, fresh, slot.width, rows, at)
        else:
            around = legend.legend(metric, subjects, fresh, slot.width, rows, self._how, at)
        inside = legend.inked(fresh, fresh.column_of(at) if at is not None else None) if fresh is not None else []
        height = slot.height - 1 - rows
        inside = (inside + [()] * height)[:height]
        return [legend.padded(line, slot.width) for line in [title, *around, *inside]]

    def _heading(self, slot: Slot) -> Stretches:
        name = slot.place.name
        count = self._counts.get(name, 0)
        text = f"{'▸' if name in self._folded else '▾'} {name or 'metrics'}"
        style = "cursor" if slot.place == self.cursor else "heading"
        rest = slot.width - len(fit(text, slot.width).rstrip()) - len(str(count)) - 3
        return legend.padded(((text, style), (f"  {count} ", "dim"), ("─" * max(0, rest), "axis")), slot.width)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        at = y + round(self.scroll_y)
        if not self._slots and self.words and y == 0:
            segments = [Segment(f"No metric has {' '.join(self.words)!r} in its name.", self._style("dim"))]
            return Strip(segments).adjust_cell_length(width, self.rich_style)
        segments = []
        x = 0
        for slot in self._slots:
            if slot.y <= at < slot.y + slot.height:
                if slot.place not in self._lines:
                    self._lines[slot.place] = self._lines_of(slot)
                segments.append(Segment(" " * (slot.x - x), self.rich_style))
                segments += [Segment(text, self._style(name)) for text, name in self._lines[slot.place][at - slot.y]]
                x = slot.x + slot.width
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self.rich_style
            if name.lstrip("~").isdigit():
                style += self._colour(int(name.lstrip("~")), is_faint=name.startswith("~"))
            elif name:
                style += self.get_component_rich_style(f"chart--{name}", partial=True)
            self._styles[name] = style
        return style

    def _colour(self, number: int, is_faint: bool) -> Style:
        """A run's colour; darker on a light theme, and nearer to the background for what stands behind."""
        triplet = Style.parse(f"color({number})").color
        assert triplet is not None
        colour = Color.from_rich_color(triplet)
        if not self.app.current_theme.dark:
            colour = colour.blend(Color(0, 0, 0), 0.35)
        if is_faint:
            _, background = self.background_colors
            colour = colour.blend(background, 0.6)
        return Style(color=colour.rich_color.downgrade(ColorSystem.EIGHT_BIT))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def watch_has_focus(self, focused: bool) -> None:
        super().watch_has_focus(focused)
        self._styles.clear()
        self.refresh()

    # ---- moving ----

    def go_to(self, place: Place | None) -> None:
        """Put the cursor on a chart or heading and scroll it into sight."""
        if place is None or place == self.cursor:
            return
        before, self.cursor = self.cursor, place
        if self.is_alone:
            self._arrange()
            return
        for slot in self._slots:
            if slot.place in (before, place):
                self._write(slot)
            if slot.place == place:
                self._reveal(slot)

    def _reveal(self, slot: Slot) -> None:
        top, height = round(self.scroll_y), self.size.height
        if slot.y < top:
            above = [each for each in self._slots if each.place.is_heading and each.y == slot.y - 1]
            self.scroll_to(y=slot.y - len(above), animate=False)
        elif slot.y + slot.height > top + height:
            self.scroll_to(y=slot.y + slot.height - height, animate=False)

    def action_go(self, across: int, down: int) -> None:
        if self.is_alone:
            names = [name for _, part in self._sections() for name in part]
            if self.metric in names:
                at = names.index(self.metric) + across + down
                self.go_to(Place(names[max(0, min(at, len(names) - 1))]))
            return
        self.go_to(next_place(self._slots, self.cursor, across, down))

    def action_side(self, by: int) -> None:
        if self._is_inspecting:
            self.action_cross(by)
        else:
            self.action_go(by, 0)

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * self.size.height, animate=False)
        visible = [slot for slot in self._visible() if slot.y >= round(self.scroll_y)]
        self.go_to(first_chart(visible))

    def action_edge(self, by: int) -> None:
        plot = self.plot
        if self._is_inspecting and plot is not None and plot.x is not None:
            self._set_cross(plot, max(plot.full_x[0], plot.x.low) if by < 0 else min(plot.full_x[1], plot.x.high))
        elif self._slots:
            self.go_to(self._slots[0 if by < 0 else -1].place)

    def action_open(self) -> None:
        """One chart alone, or all of them; a section closed or open."""
        if self.cursor is not None and self.cursor.is_heading:
            self._folded ^= {self.cursor.name}
        elif self.metric is not None:
            self.is_alone = not self.is_alone
            self.post_message(self.Opened())
        self._arrange()
        for slot in self._slots:
            if slot.place == self.cursor:
                self.call_after_refresh(self._reveal, slot)

    def leave(self) -> bool:
        """One step back: from the crosshair, then from a chart alone; False where there is none."""
        if self._is_inspecting:
            self.action_inspect()
        elif self.is_alone:
            self.action_open()
        else:
            return False
        return True

    # ---- views ----

    def change(self, change: Callable[[View], View], only_x: str | None = None) -> None:
        """Draw the chart under the cursor, or those of its section, otherwise; all if they are linked.

        Args:
            change: what is to be another.
            only_x: leave alone the charts that have another x axis than this one.
        """
        names = self._names if self.is_linked else self._under_cursor()
        if self.metric is None:
            return
        if only_x is not None:
            names = [name for name in names if x_of(name, self.views.of(name), self._subjects_of(name)) == only_x]
        before = self.views.of(self.metric)
        after = change(before)
        self.views.change({name: _alike(self.views.of(name), before, after) for name in names})
        self._ask_for(names, at_once=True)
        self._write_visible()

    def action_smooth(self, by: int) -> None:
        self.change(lambda view: view.smoother(by))

    def action_log(self) -> None:
        self.change(lambda view: view._replace(log=not view.log))

    def action_clip(self) -> None:
        self.change(lambda view: view._replace(clip=not view.clip))

    def action_choose_x(self) -> None:
        if self.metric is not None:
            self.post_message(self.XWanted())

    def set_x(self, name: str) -> None:
        """Draw over another x axis, all of it."""
        self.change(lambda view: view._replace(x=name, window=None))

    def action_reset(self) -> None:
        self.change(lambda view: view._replace(window=None))

    def action_link(self) -> None:
        self.is_linked = not self.is_linked
        self.post_message(self.Captioned())

    def action_how(self) -> None:
        """What the legends tell."""
        self._how = legend.HOW[(legend.HOW.index(self._how) + 1) % len(legend.HOW)]
        self._write_visible()

    def action_zoom(self, factor: float) -> None:
        """Show half of the window, or twice of it: around the crosshair, else at its end."""
        plot = self.plot
        if plot is None or plot.x is None:
            return
        low, high = self._seen(plot)
        at = self._cross_in(plot)
        share = (at - low) / (high - low) if at is not None and high > low else 1.0
        size = max((high - low) * factor, (plot.full_x[1] - plot.full_x[0]) * MIN_ZOOM)
        fixed = low + (high - low) * share
        self._show_window(plot, fixed - size * share, fixed + size * (1 - share))

    def action_pan(self, by: int) -> None:
        plot = self.plot
        if plot is None or plot.x is None or self.views.of(plot.order.metric).window is None:
            return
        low, high = self._seen(plot)
        shift = (high - low) * PAN * by
        shift = max(plot.full_x[0] - low, min(shift, plot.full_x[1] - high)) if by else 0.0
        self._show_window(plot, low + shift, high + shift)

    def _seen(self, plot: Plot) -> tuple[float, float]:
        """The window that keys move; all of the data if there is none."""
        assert plot.x is not None
        window = self.views.of(plot.order.metric).window
        if window is None:
            return plot.full_x
        is_drawn = plot.order.view.window == window  # keys may come faster than plots
        return (plot.x.low, plot.x.high) if is_drawn else (window.low, window.high)

    def _show_window(self, plot: Plot, low: float, high: float) -> None:
        """Zoom to a part; all of it is no window, and one that has the last point goes on with the data."""
        first, last = plot.full_x
        if (low <= first and high >= last) or not high > low:
            self.change(lambda view: view._replace(window=None), plot.x_name)
            return
        low = max(low, first)
        if low < high and low < last:
            window = Window(low, high, follows=high >= last)
            self.change(lambda view: view._replace(window=window), plot.x_name)

    # ---- crosshair ----

    def action_inspect(self) -> None:
        """Crosshair on or off."""
        self._is_inspecting = not self._is_inspecting
        plot = self.plot
        if not self._is_inspecting or plot is None or plot.x is None:
            self._is_inspecting = False
            self._move_cross(None)
        elif self._cross is None:
            self._set_cross(plot, min(plot.full_x[1], plot.x.high))

    def action_cross(self, by: int) -> None:
        """Move the crosshair: by points where they are far apart, else by cells."""
        plot = self.plot
        at = self._cross_in(plot)
        if plot is None or plot.x is None or at is None or not self._is_inspecting:
            return
        series = plot.series[-1]
        cell = (plot.x.high - plot.x.low) / plot.inner
        index = series.near(at)
        if index is not None and 0 <= index + by < series.count and abs(series.xs[index + by] - at) > abs(by) * cell:
            x = series.xs[index + by]
        else:
            x = at + by * cell
        self._set_cross(plot, max(plot.full_x[0], plot.x.low, min(x, plot.full_x[1], plot.x.high)))

    def _set_cross(self, plot: Plot, x: float) -> None:
        if plot.x_name == "_step":
            x = float(round(x))
        self._move_cross(Cross(plot.x_name, x, step_at(plot.order.subjects[-1], plot.x_name, x)))

    def _move_cross(self, cross: Cross | None) -> None:
        if cross != self._cross:
            self._cross = cross
            self._write_visible()
            self.post_message(self.Captioned())

    def _cross_in(self, plot: Plot | None) -> float | None:
        """The x of the crosshair in a chart."""
        if plot is None or self._cross is None or not plot.order.subjects:
            return None
        if plot.x_name == self._cross.x_name:
            return self._cross.x
        return x_at(plot.order.subjects[-1], plot.x_name, self._cross.step)

    # ---- mouse ----

    def _at(self, x: int, y: int) -> Slot | None:
        y += round(self.scroll_y)
        return next(
            (s for s in self._slots if s.x <= x < s.x + s.width and s.y <= y < s.y + s.height),
            None,
        )

    def _x_under(self, slot: Slot | None, x: int) -> tuple[Plot, float] | None:
        plot = self._plots.get(slot.place.name) if slot is not None and _is_chart(slot) else None
        at = plot.x_of(x - slot.x) if plot is not None and slot is not None else None
        return (plot, at) if plot is not None and at is not None else None

    def on_mouse_move(self, event: MouseMove) -> None:
        found = self._x_under(self._at(event.x, event.y), event.x)
        if found is not None:
            plot, x = found
            self._set_cross(plot, max(plot.full_x[0], min(x, plot.full_x[1])))
        elif not self._is_inspecting:
            self._move_cross(None)

    def on_leave(self, event: Leave) -> None:
        if not self._is_inspecting:
            self._move_cross(None)

    def on_mouse_down(self, event: MouseDown) -> None:
        slot = self._at(event.x, event.y)
        self._pressed = (slot.place, event.x) if slot is not None and event.button == 1 else None

    def on_mouse_up(self, event: MouseUp) -> None:
        """A stretch that was drawn over is zoomed to."""
        pressed, self._pressed = self._pressed, None
        slot = self._at(event.x, event.y)
        if pressed is None or slot is None or slot.place != pressed[0] or abs(event.x - pressed[1]) < 2:
            return
        ends = [found for found in (self._x_under(slot, x) for x in (pressed[1], event.x)) if found is not None]
        if len(ends) == 2:
            self.go_to(slot.place)
            self._show_window(ends[0][0], *sorted(x for _, x in ends))

    def on_click(self, event: Click) -> None:
        slot = self._at(event.x, event.y)
        if slot is None:
            return
        self.go_to(slot.place)
        if slot.place.is_heading or event.chain > 1:
            self.action_open()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._wheel(event, 0.5)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._wheel(event, 2)

    def _wheel(self, event: MouseScrollUp | MouseScrollDown, factor: float) -> None:
        """With ctrl, and over a chart that stands alone, the wheel zooms."""
        if self.is_alone or event.ctrl:
            slot = self._at(event.x, event.y)
            self.go_to(slot.place if slot is not None else None)
            self.action_zoom(factor)
            event.stop()
            event.prevent_default()


def _charted(subject: Subject) -> Iterable[str]:
    """The metrics of a run that get a chart: all that are not hidden by their definition, and no step metric."""
    metrics = subject.run.metrics
    for name in subject.history.columns:
        defined = metrics.of(name)
        if (defined is None or not defined.hidden) and not name.startswith("_"):
            yield name


def _alike(view: View, before: View, after: View) -> View:
    """A view in which the same is another as between two others."""
    changed = {name: new for name, new in after._asdict().items() if new != getattr(before, name)}
    return view._replace(**changed)


def _is_chart(slot: Slot) -> bool:
    return not slot.place.is_heading


def _keys(plot: Plot) -> list[Key]:
    return [subject.run.key for subject in plot.order.subjects]
