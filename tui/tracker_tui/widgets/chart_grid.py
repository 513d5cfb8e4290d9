"""The charts of the runs that are looked at: where they stand, when they are drawn, what is written. No keys.

The grid is one widget that knows where its charts stand. Plots are made in a thread, one at a time, those in sight
only; titles and legends follow every row that is read. Only cells that differ are painted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from tracker.stored import Key
from tracker_tui import gauges, legend
from tracker_tui.grid import Place, Section, Slot, first_chart, lay_out
from tracker_tui.kinds import sections
from tracker_tui.legend import Stretches
from tracker_tui.look import fit
from tracker_tui.plot import Order, Plot, Plotter, Subject, x_at
from tracker_tui.views import Views
from tracker_tui.widgets.lines import Painted, differences, run_style

REDRAW = 1.0
"""Seconds between two drawings of a chart at least; what comes after a quiet while is drawn at once."""
REST = 10
"""Of the time, the part in which charts are drawn at most: if those in sight took 0.2 s, they rest for 2 s."""
AT_ONCE = 0.03
"""Seconds in which charts of other runs are drawn before a key is answered; the rest follows."""


class Cross(NamedTuple):
    """Where the crosshair is: an x, and the step there for charts with another x axis."""

    x_name: str
    x: float
    step: float


class ChartGrid(Painted, can_focus=True):
    """A chart for every metric, in sections by the first part of their names.

    Args:
        views: how each metric is drawn; changed by keys.
    """

    DEFAULT_CSS = """
    ChartGrid { scrollbar-gutter: stable; overflow-x: hidden; }
    ChartGrid .chart--title { text-style: bold; }
    ChartGrid .chart--value { color: $text-accent; text-style: bold; }
    ChartGrid .chart--badge { color: $text-warning; }
    ChartGrid .chart--axis, ChartGrid .chart--dim { color: $text-muted; }
    ChartGrid .chart--rule { color: $frame; }
    ChartGrid .chart--heading { color: $text-accent; text-style: bold; }
    ChartGrid .chart--cross { color: $foreground; background: $primary-muted; text-style: bold; }
    ChartGrid:ansi .chart--cross { background: ansi_default; text-style: bold reverse; }
    ChartGrid .chart--cursor { text-style: bold; }
    ChartGrid:focus .chart--cursor { background: $primary-muted; text-style: bold; }
    ChartGrid:ansi .chart--cursor { background: ansi_default; text-style: bold; }
    ChartGrid:ansi:focus .chart--cursor { text-style: bold reverse; }
    """
    COMPONENT_CLASSES = {
        *("chart--title", "chart--value", "chart--badge", "chart--axis", "chart--dim", "chart--heading"),
        "chart--rule",
        *("chart--cross", "chart--cursor"),
    }

    class Captioned(Message):
        """What `caption` says is another."""

    class Opened(Message):
        """One chart alone is shown, or all are again."""

    def __init__(self, views: Views, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.views = views
        self.cursor: Place | None = None
        self.is_alone = False
        """Whether the chart under the cursor has the pane for itself."""
        self.words: tuple[str, ...] = ()
        """What the names of shown metrics contain, in lower case."""
        self.subjects: tuple[Subject, ...] = ()
        self._names: list[str] = []
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

    # ---- what is shown ----

    def show(self, subjects: Sequence[Subject], is_new: bool, has_rows: bool = True) -> None:
        """Show the histories of these runs as they are now.

        Args:
            subjects: the runs, the topmost last.
            is_new: they are others than before: draw at once.
            has_rows: there are new rows; else only names and values may be others.
        """
        self.subjects = tuple(subjects)
        self._plotter.looked_at = frozenset(subject.run.key for subject in subjects)
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
            visible = [slot.place.name for slot in self._visible() if is_chart(slot)]
            self._ask_for([name for name in visible if self._fresh(name) is None], at_once=True)
        if is_new:
            self._draw_some()
        self._write_visible()

    def metrics(self) -> list[str]:
        """The metrics that pass the filter."""
        return [name for name in self._names if all(word in gauges.label(name).lower() for word in self.words)]

    def draw_now(self) -> None:
        """Do not wait until it is time again: all rows there are have been read."""
        self._ask_for(self._names, at_once=True)

    def _sections(self) -> list[tuple[str, list[str]]]:
        """Headings and charts; where the machine's section is folded, it stands for those of all devices."""
        axes = {name for subject in self.subjects for name in subject.run.metrics.step_names}
        found = sections(self.metrics(), axes)
        if gauges.SECTION not in self.views.folded:
            return found
        logged = [(section, names) for section, names in found if not gauges.is_gauge(names[0])]
        folded = [name for name in self.metrics() if gauges.is_gauge(name)]
        return logged + ([(gauges.SECTION, folded)] if folded else [])

    def _under_cursor(self) -> list[str]:
        """The metric under the cursor; on the heading of an open section all of its metrics."""
        if self.cursor is None:
            return []
        if not self.cursor.is_heading:
            return [self.cursor.name]
        if self.cursor.name in self.views.folded:
            return []
        return next((names for section, names in self._sections() if section == self.cursor.name), [])

    @property
    def metric(self) -> str | None:
        """The metric under the cursor, on a heading the first of its section."""
        return next(iter(self._under_cursor()), None)

    @property
    def plot(self) -> Plot | None:
        """The plot under the cursor, as it was drawn last."""
        return self._fresh(self.metric) if self.metric is not None else None

    def filter(self, text: str) -> None:
        """Show only metrics whose names contain every word of a text."""
        self.words = tuple(text.lower().split())
        self._arrange()
        self.post_message(self.Captioned())

    # ---- where charts stand ----

    def _arrange(self) -> None:
        """Find every chart its place, as names, size or what is open have changed."""
        width, height = self.scrollable_content_region.width, self.size.height
        if self.is_alone and self.metric not in self.metrics():  # these runs do not have it, or it is filtered out
            self.is_alone = False
            self.post_message(self.Opened())
        if self.is_alone:
            self._slots = [Slot(Place(self.metric or ""), 0, 0, width, height)]
        else:
            parts = [
                Section(name, names, name not in self.views.folded, gauges.is_gauge(names[0]))
                for name, names in self._sections()
            ]
            self._slots = lay_out(parts, width, height) if width and height else []
        if self.cursor not in [slot.place for slot in self._slots]:
            self.cursor = first_chart(self._slots)
        self._counts = {name: len(names) for name, names in self._sections()}
        bottom = max((slot.y + slot.height for slot in self._slots), default=0)
        self.virtual_size = Size(width, max(bottom, height))
        if round(self.scroll_y) > (most := max(0, bottom - height)):
            self.scroll_to(y=most, animate=False, force=True)  # Textual does not once the scroll bar is gone
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
        in_sight = (self._drawn.get(slot.place.name, (0.0, 0.0)) for slot in self._visible())
        rest = max(REDRAW, REST * sum(cost for _, cost in in_sight))
        for metric in metrics:
            drawn, _ = self._drawn.get(metric, (0.0, 0.0))
            due = now if at_once else max(now, drawn + rest)
            self._due[metric] = min(self._due.get(metric, due), due)
        self._nudge.set()
        if not self._is_drawing and self.is_attached:
            self._is_drawing = True
            self._draw()

    @work(group="draw")
    async def _draw(self) -> None:
        """Draw what is due and in sight, one chart after the other; end when nothing is."""
        try:
            while waiting := [slot for slot in self._visible() if slot.place.name in self._due and is_chart(slot)]:
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
        for slot in filter(is_chart, self._visible()):
            start = monotonic()
            _, cost = self._drawn.get(slot.place.name, (0.0, AT_ONCE / 2))
            if self._is_plotting or not self._drawn or start - begin + cost > AT_ONCE:
                return
            self._due.pop(slot.place.name, None)
            self._take(slot, self._plotter.plot(self._order(slot)), start)

    def _take(self, slot: Slot, plot: Plot, start: float) -> None:
        """Show a plot, unless its metric or its runs are not looked at any more."""
        metric = slot.place.name
        self._drawn[metric] = monotonic(), monotonic() - start
        if {subject.run.key for subject in self.subjects}.issuperset(_keys(plot)) and metric in self._names:
            self._plots[metric] = plot
            if slot in self._visible():
                self._write(slot)
            if slot.place == self.cursor and self._cross is not None:
                self.post_message(self.Captioned())

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
        return tuple(subject for subject in self.subjects if subject.column(metric) is not None)

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
        title = legend.title(metric, subjects, view, fresh, slot.width, at, self._is_overlay, self._how, self.is_alone)
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
        text = f"{'▸' if name in self.views.folded else '▾'} {gauges.heading(name)}"
        style = "cursor" if slot.place == self.cursor else "heading"
        rest = slot.width - len(fit(text, slot.width).rstrip()) - len(str(count)) - 3
        return legend.padded(((text, style), (f"  {count} ", "dim"), ("─" * max(0, rest), "rule")), slot.width)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        at = y + round(self.scroll_y)
        if not self._slots and self.subjects and not self._sections() and y == 0:
            why = f"No metric has {' '.join(self.words)!r} in its name." if self.words else "All metrics are hidden."
            segments = [Segment(why, self._style("dim"))]
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
                style += run_style(self, int(name.lstrip("~")), is_faint=name.startswith("~"))
            elif name:
                found = self.get_component_rich_style(f"chart--{name}")
                background = found.bgcolor if name in ("cursor", "cross") else None
                style += Style(
                    color=found.color, bgcolor=background, bold=found.bold, reverse=found.reverse, dim=found.dim
                )
            self._styles[name] = style
        return style

    # ---- cursor and crosshair ----

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

    def _cross_in(self, plot: Plot | None) -> float | None:
        """The x of the crosshair in a chart."""
        if plot is None or self._cross is None or not plot.order.subjects:
            return None
        if plot.x_name == self._cross.x_name:
            return self._cross.x
        return x_at(plot.order.subjects[-1], plot.x_name, self._cross.step)


def _charted(subject: Subject) -> Iterable[str]:
    """The charts of a run: of all metrics that are not hidden by their definition, and of its machine."""
    metrics = subject.run.metrics
    for name in subject.history.columns:
        defined = metrics.of(name)
        if (defined is None or not defined.hidden) and not name.startswith("_"):
            yield name
    for name in subject.history.system:
        yield gauges.PREFIX + name


def is_chart(slot: Slot) -> bool:
    return not slot.place.is_heading


def _keys(plot: Plot) -> list[Key]:
    return [subject.run.key for subject in plot.order.subjects]
