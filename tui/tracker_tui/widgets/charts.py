"""What keys and the mouse do with charts: the cursor, how each metric is drawn, the crosshair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.binding import Binding
from textual.events import Click, Leave, MouseDown, MouseEvent, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.message import Message

from tracker_tui import gauges, legend
from tracker_tui.grid import Place, Slot, first_chart, next_place
from tracker_tui.legend import x_text
from tracker_tui.plot import Plot, step_at, x_of
from tracker_tui.views import STEP, View, Views, Window
from tracker_tui.widgets.chart_grid import ChartGrid, Cross, is_chart

PAN = 0.25
"""Share of the window by which it is moved."""
MIN_ZOOM = 1e-6
"""Least share of all data that a window shows."""


class Charts(ChartGrid):
    """The grid under the hands of its user.

    Args:
        views: how each metric is drawn; changed by keys.
    """

    BINDINGS = [
        Binding("enter", "open", "Open", id="charts.open", tooltip="One chart alone, or all again; fold a section"),
        Binding("up,k", "go(0, -1)", "Up", id="charts.up", tooltip="To the chart above"),
        Binding("down,j", "go(0, 1)", "Down", id="charts.down", tooltip="To the chart below"),
        Binding("left", "side(-1)", "Left", id="charts.left", tooltip="Chart or crosshair to the left"),
        Binding("right", "side(1)", "Right", id="charts.right", tooltip="Chart or crosshair to the right"),
        Binding("shift+left", "cross(-10)", "Far left", id="charts.far-left", tooltip="Crosshair by ten"),
        Binding("shift+right", "cross(10)", "Far right", id="charts.far-right", tooltip="Crosshair by ten"),
        Binding("pageup", "page(-1)", "Page up", id="charts.page-up", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", id="charts.page-down", tooltip="One page down"),
        Binding("home", "edge(-1)", "First", id="charts.first", tooltip="First chart, or first point"),
        Binding("end", "edge(1)", "Last", id="charts.last", tooltip="Last chart, or last point"),
        Binding("i", "inspect", "Inspect", id="charts.inspect", tooltip="Crosshair on all charts: read values"),
        Binding("b", "how", "Best", id="charts.best", tooltip="Tell last, least or greatest values"),
        Binding("m", "smooth(1)", "Smooth", id="charts.smooth", tooltip="More smoothing"),
        Binding("M", "smooth(-1)", "Less", id="charts.smooth-less", tooltip="Less smoothing"),
        Binding("l", "log", "Log", id="charts.log", tooltip="Logarithmic y axis"),
        Binding("x", "choose_x", "X axis", id="charts.x", tooltip="Step, time or a metric as x axis"),
        Binding("o", "clip", "Outliers", id="charts.outliers", tooltip="Leave out outliers"),
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom", id="charts.zoom-in", tooltip="Zoom in"),
        Binding("minus", "zoom(2)", "Zoom out", id="charts.zoom-out", tooltip="Zoom out"),
        Binding("left_square_bracket", "pan(-1)", "Pan", id="charts.pan-left", tooltip="Window to the left"),
        Binding("right_square_bracket", "pan(1)", "Pan", id="charts.pan-right", tooltip="To the right"),
        Binding("0", "reset", "Reset", id="charts.reset", tooltip="Show all of the x axis"),
        Binding("L", "link", "Link", id="charts.link", tooltip="Keys act on all charts, or on one again"),
    ]

    @dataclass
    class Crossed(Message):
        """The crosshair was moved to a step, or is no longer there."""

        step: float | None

    class XWanted(Message):
        """The x axis of the chart under the cursor is to be chosen."""

    def __init__(self, views: Views, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(views, id=id)
        self.is_linked = False
        """Whether keys act on all charts."""
        self.is_inspecting = False
        """Whether there is a crosshair that keys move."""
        self._pressed: tuple[Place, int] | None = None
        self._before_system: Place | None = None
        """Where the cursor was before it went to the charts of the machine."""

    @property
    def caption(self) -> str:
        """What there is to know about the grid as a whole."""
        parts = []
        if self.words:
            parts.append(f"{len(self.metrics())} of {len(self._names)} metrics")
        plot = self.plot
        at = self._cross_in(plot)
        if self.is_inspecting and plot is not None and at is not None:
            parts.append(f"at {x_text(plot.x_name, at)}")
        if self._how != legend.HOW[0]:
            parts.append(f"legends: {self._how}")
        if self.is_linked:
            parts.append("linked")
        return " · ".join(parts)

    # ---- moving ----

    def action_go(self, across: int, down: int) -> None:
        if self.is_alone:
            names = [name for _, part in self._sections() for name in part]
            if self.metric in names:
                at = names.index(self.metric) + across + down
                self.go_to(Place(names[max(0, min(at, len(names) - 1))]))
            return
        self.go_to(next_place(self._slots, self.cursor, across, down))

    def action_side(self, by: int) -> None:
        if self.is_inspecting:
            self.action_cross(by)
        else:
            self.action_go(by, 0)

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * self.size.height, animate=False)
        visible = [slot for slot in self._visible() if slot.y >= round(self.scroll_y)]
        self.go_to(first_chart(visible))

    def action_edge(self, by: int) -> None:
        plot = self.plot
        if self.is_inspecting and plot is not None and plot.x is not None:
            self._set_cross(plot, max(plot.full_x[0], plot.x.low) if by < 0 else min(plot.full_x[1], plot.x.high))
        elif self._slots:
            self.go_to(self._slots[0 if by < 0 else -1].place)

    def action_open(self) -> None:
        """One chart alone, or all of them; a section closed or open."""
        if self.cursor is not None and self.cursor.is_heading:
            self.views.fold(self.cursor.name)
        elif self.metric is not None:
            self.is_alone = not self.is_alone
            self.post_message(self.Opened())
        self._arrange()
        for slot in self._slots:
            if slot.place == self.cursor:
                self.call_after_refresh(self._reveal, slot)

    def go_to_system(self) -> bool:
        """To the charts of the machine; from there back, and fold them. False where there are none."""
        if not any(gauges.is_gauge(name) for name in self.metrics()):
            return False
        if self.is_alone:
            self.action_open()
        is_folded = gauges.SECTION in self.views.folded
        is_there = not is_folded and self.cursor in [slot.place for slot in self._visible() if _is_of_machine(slot)]
        if is_there or is_folded:
            self.views.fold(gauges.SECTION)
            self._arrange()
        if is_there:
            places = [slot.place for slot in self._slots]
            self.go_to(self._before_system if self._before_system in places else first_chart(self._slots))
        else:
            self._before_system = self.cursor
            slots = list(filter(_is_of_machine, self._slots))
            self.go_to(first_chart(slots))
            self.call_after_refresh(self.scroll_to, y=slots[0].y, animate=False)
        return True

    def leave(self) -> bool:
        """One step back: from the crosshair, then from a chart alone; False where there is none."""
        if self.is_inspecting:
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
        self.post_message(self.Captioned())

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
        first, last = plot.full_x
        if by > 0 and high + shift >= last:
            low, high = last - (high - low), last
        elif by < 0 and low + shift <= first:
            low, high = first, first + (high - low)
        else:
            low, high = low + shift, high + shift
        self._show_window(plot, low, high)

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
        """Crosshair on or off; on a chart that is still to be drawn it comes with it."""
        self.is_inspecting = not self.is_inspecting and self.metric is not None
        if not self.is_inspecting:
            self._move_cross(None)
            self.post_message(self.Crossed(None))
        elif self.plot is not None:
            self._begin_cross(self.plot)

    def _take(self, slot: Slot, plot: Plot, start: float) -> None:
        super()._take(slot, plot, start)
        if self.is_inspecting and self._cross is None and self.plot is not None:
            self._begin_cross(self.plot)

    def _begin_cross(self, plot: Plot) -> None:
        """Put the crosshair at the last point, where it is nowhere yet."""
        if plot.x is None:  # nothing that could be pointed at
            self.is_inspecting = False
        elif self._cross is None:
            self._set_cross(plot, min(plot.full_x[1], plot.x.high))

    def action_cross(self, by: int) -> None:
        """Move the crosshair: by points where they are far apart, else by cells."""
        plot = self.plot
        at = self._cross_in(plot)
        if plot is None or plot.x is None or at is None or not self.is_inspecting:
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
        if plot.x_name == STEP:
            x = float(round(x))
        cross = Cross(plot.x_name, x, step_at(plot.order.subjects[-1], plot.x_name, x))
        if cross != self._cross:
            self._move_cross(cross)
            self.post_message(self.Crossed(cross.step))

    @property
    def cross_step(self) -> float | None:
        """The step of the crosshair, where there is one that keys move."""
        return self._cross.step if self.is_inspecting and self._cross is not None else None

    def inspect_at(self, step: float | None) -> None:
        """Put a crosshair that keys move at a step; None: there is none any more."""
        self.is_inspecting = step is not None
        self._move_cross(None if step is None else Cross(STEP, step, step))

    def point_at(self, step: float | None) -> None:
        """Put the crosshair where somebody else is; None: where it is not needed any more."""
        if step is not None:
            self._move_cross(Cross(STEP, step, step))
        elif not self.is_inspecting:
            self._move_cross(None)

    def _move_cross(self, cross: Cross | None) -> None:
        if cross != self._cross:
            self._cross = cross
            self._write_visible()
            self.post_message(self.Captioned())

    # ---- mouse ----

    def _under(self, event: MouseEvent) -> tuple[Slot | None, int]:
        """What is under the mouse, and the column of the pane."""
        x, y = self.cell_at(event)
        y += round(self.scroll_y)
        return next((s for s in self._slots if s.x <= x < s.x + s.width and s.y <= y < s.y + s.height), None), x

    def _x_under(self, slot: Slot | None, x: int) -> tuple[Plot, float] | None:
        plot = self._plots.get(slot.place.name) if slot is not None and is_chart(slot) else None
        at = plot.x_of(x - slot.x) if plot is not None and slot is not None else None
        return (plot, at) if plot is not None and at is not None else None

    def on_mouse_move(self, event: MouseMove) -> None:
        found = self._x_under(*self._under(event))
        if found is not None:
            plot, x = found
            self._set_cross(plot, max(plot.full_x[0], min(x, plot.full_x[1])))
        elif not self.is_inspecting:
            self._move_cross(None)

    def on_leave(self, event: Leave) -> None:
        if not self.is_inspecting:
            self._move_cross(None)

    def on_mouse_down(self, event: MouseDown) -> None:
        slot, x = self._under(event)
        self._pressed = (slot.place, x) if slot is not None and event.button == 1 else None

    def on_mouse_up(self, event: MouseUp) -> None:
        """A stretch that was drawn over is zoomed to."""
        pressed, self._pressed = self._pressed, None
        slot, end = self._under(event)
        if pressed is None or slot is None or slot.place != pressed[0] or abs(end - pressed[1]) < 2:
            return
        ends = [found for found in (self._x_under(slot, x) for x in (pressed[1], end)) if found is not None]
        if len(ends) == 2:
            self.go_to(slot.place)
            self._show_window(ends[0][0], *sorted(x for _, x in ends))

    def on_click(self, event: Click) -> None:
        slot, _ = self._under(event)
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
            slot, _ = self._under(event)
            self.go_to(slot.place if slot is not None else None)
            self.action_zoom(factor)
            event.stop()
            event.prevent_default()


def _is_of_machine(slot: Slot) -> bool:
    return slot.place.name.startswith(gauges.SECTION)


def _alike(view: View, before: View, after: View) -> View:
    """A view in which the same is another as between two others."""
    changed = {name: new for name, new in after._asdict().items() if new != getattr(before, name)}
    return view._replace(**changed)
