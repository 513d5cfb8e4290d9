"""One metric of one or many runs as a plot: which series, which axes, which marks. No Textual, no plotext.

A `Plotter` may work in a thread of its own: it reads columns while they grow, and changes nothing but what is its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tracker.history import Column, History
from tracker.sparkline import blocks
from tracker.stored import Key, StoredRun
from tracker_tui import axes, chart, gauges
from tracker_tui.axes import HUGE, Axis, Kind
from tracker_tui.chart import Cells, Curve, Mark
from tracker_tui.look import sign_of
from tracker_tui.series import SAMPLE, Series, Span, Thinned, nearest
from tracker_tui.views import RELATIVE, STEP, WALL, View, Window

MAX_RUNS: Final = 50
"""Runs in one chart."""
FEW: Final = 5
"""Runs up to which a chart shows two strokes a cell, and the strokes apart from their means."""
OUTSTANDING: Final = 0.25
"""Share of the y axis from which on a stroke is drawn where there are more runs: a crowd of strokes hides curves."""
MAX_HELD: Final = 600
"""Series kept ready."""
ALARM: Final = 255
"""The ink of marks that stand for values the chart cannot show."""
HOLE, ABOVE, BELOW = "×", "↑", "↓"
GOLDEN: Final = 0.618
"""Share of the width by which the signs of one run's curve are off those of another's."""


class Subject(NamedTuple):
    """A run to be drawn."""

    run: StoredRun
    history: History
    number: int
    """Its number in its project: what its colour and sign come from."""

    @property
    def sign(self) -> str:
        """One character that tells its curves apart without colour."""
        return sign_of(self.number)

    def column(self, metric: str) -> Column | None:
        """The history of a metric or a gauge; None where it has none."""
        if gauges.is_gauge(metric):
            return self.history.system.get(metric.removeprefix(gauges.PREFIX))
        return self.history.columns.get(metric)

    def last(self, metric: str) -> object:
        """The last value: the summary's, where that is no number the history's; that of a gauge in its unit."""
        gauge = gauges.gauge_of(metric)
        value = self.run.summary.get(metric) if gauge is None else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        column = self.column(metric)
        if column is None or not column.values:
            return ""
        return column.values[-1] * (gauge.scale if gauge is not None else 1.0)


class Order(NamedTuple):
    """What to plot."""

    metric: str
    subjects: tuple[Subject, ...]
    """The last one is on top."""
    view: View
    width: int
    """Cells."""
    height: int
    """Rows."""
    is_overlay: bool = False
    """Whether runs are told apart by signs; also where only one of several has the metric."""


class Plot(NamedTuple):
    """What came of an order."""

    order: Order
    rows: list[Cells]
    """`2 * i` is the ink of subject i, `2 * i + 1` of its strokes behind; `ALARM` of marks."""
    series: tuple[Series, ...]
    """One a subject, with or without points."""
    x_name: str
    """`_step`, `_runtime`, `_timestamp` or a metric."""
    x: Axis | None
    """None where there is nothing to draw."""
    y: Axis | None
    full_x: Span
    """All of the data."""
    left: int
    """Cells left of the curves."""
    holes: tuple[int, int]
    """Values that are not finite, and on a logarithmic axis those not above 0."""
    is_clipped: bool
    """Whether values lie beyond the y axis."""

    @property
    def inner(self) -> int:
        """Cells in which curves are."""
        return max(1, self.order.width - self.left)

    def column_of(self, x: float) -> int | None:
        """The cell of the plot's width that shows an x; None outside."""
        if self.x is None or not self.x.low <= x <= self.x.high:
            return None
        return self.left + chart.column_of(self.x.shares([x])[0], self.inner)

    def x_of(self, column: int) -> float | None:
        """The x in the middle of a cell of the plot's width; None left of the curves."""
        if self.x is None or column < self.left:
            return None
        return self.x.at(min(1.0, (2 * (column - self.left) + 0.5) / max(1, 2 * self.inner - 1)))


class Plotter:
    """Makes plots, and keeps what makes the next one of the same series cheap."""

    def __init__(self) -> None:
        self._series: dict[tuple[Key, str, str, bool], Series] = {}
        self._drawn: dict[str, tuple[object, list[Cells]]] = {}
        self._runs: frozenset[Key] = frozenset()
        self.looked_at: frozenset[Key] = frozenset()
        """Runs whose series are kept ready."""

    def plot(self, order: Order) -> Plot:
        """The plot of an order as the columns are now."""
        runs = self.looked_at.union(subject.run.key for subject in order.subjects)
        if runs != self._runs:  # others are looked at now
            self._series = {name: series for name, series in self._series.items() if name[0] in runs}
            self._runs = runs
        x_name = x_of(order.metric, order.view, order.subjects)
        series = tuple(self._of(subject, order, x_name) for subject in order.subjects)
        full = [(each.first, each.last) for each in series if each.count]
        counts = [each.hole_counts() for each in series]
        holes = sum(count for count, _ in counts), sum(count for _, count in counts)
        if not full:
            return Plot(order, [], series, x_name, None, None, (0.0, 0.0), 0, holes, False)
        span = min(low for low, _ in full), max(high for _, high in full)
        kind = kind_of(x_name)
        grows = any(subject.run.state in ("running", "pending") for subject in order.subjects)
        shown = span
        if x_name == STEP:  # known before all rows are read, and the same for all metrics
            shown = span[0], max(span[1], *(float(subject.run.step or 0) for subject in order.subjects))
        x = _x_axis(shown, order.view.window, order.width, kind, x_name == STEP, grows)
        gauge = gauges.gauge_of(order.metric)
        at_least = gauge.least if gauge is not None else None
        y, is_clipped = _y_axis(series, x, order.view, order.height, grows, at_least)
        if y is None:
            return Plot(order, [], series, x_name, None, None, span, 0, holes, False)
        left = chart.gutter(y, order.height)
        if order.width < max(chart.MIN_WIDTH, left + 4) or order.height < chart.MIN_HEIGHT:
            rows: list[Cells] = [((_sparkline(series[-1], x, order.width), 2 * len(series) - 2),)]
            return Plot(order, rows[: order.height], series, x_name, None, None, span, 0, holes, is_clipped)
        curves, marks = _drawing(series, order, x, y, order.width - left)
        rows = self._draw(order, curves, marks, x, y)
        return Plot(order, rows, series, x_name, x, y, span, left, holes, is_clipped)

    def _of(self, subject: Subject, order: Order, x_name: str) -> Series:
        """A subject's series, brought up to date."""
        gauge = gauges.gauge_of(order.metric)
        column = subject.column(order.metric) or Column()
        name = (subject.run.key, order.metric, x_name, order.view.log)
        across = _across_of(subject, x_name) if x_name != STEP else None
        if gauge is not None:
            across = subject.history.system_times
        held = self._series.pop(name, None)
        if held is not None and (held.column is not column or held.across is not across):
            held = None
        if held is not None:
            held.update()
        if held is None or held.is_outdated:
            origin = subject.run.created if x_name == RELATIVE else 0.0
            held = Series(column, across, origin, order.view.log, gauge.scale if gauge is not None else 1.0)
            held.update()
        self._series[name] = held  # last in the order of use
        while len(self._series) > MAX_HELD:
            del self._series[next(iter(self._series))]
        return held

    def _draw(self, order: Order, curves: Sequence[Curve], marks: Sequence[Mark], x: Axis, y: Axis) -> list[Cells]:
        """Drawn anew only if anything about it is another than the last time."""
        wanted = (curves, marks, x, y, order.width, order.height)
        before = self._drawn.get(order.metric)
        if before is not None and before[0] == wanted:
            return before[1]
        rows = chart.draw(curves, x, y, order.width, order.height, marks)
        if len(self._drawn) > MAX_HELD:
            self._drawn.clear()
        self._drawn[order.metric] = wanted, rows
        return rows


def x_of(metric: str, view: View, subjects: Iterable[Subject]) -> str:
    """The x axis of a metric: the one that was chosen, else the one that is defined, else the step.

    That of a gauge is a time in any case: since the start, or the clock if that was chosen.
    """
    if gauges.is_gauge(metric):
        return WALL if view.x == WALL else RELATIVE
    if view.x:
        return view.x
    for subject in subjects:
        defined = subject.run.metrics.of(metric)
        if defined is not None and defined.step_metric and defined.step_metric != metric:
            return defined.step_metric if defined.step_metric in subject.history.columns else STEP
    return STEP


def kind_of(x_name: str) -> Kind:
    """What the values of an x axis are."""
    return "duration" if x_name == RELATIVE else "clock" if x_name == WALL else "number"


def _x_axis(span: Span, window: Window | None, width: int, kind: Kind, whole: bool, grows: bool) -> Axis:
    """All of what has ended to the very end; round bounds for what grows."""
    count = max(3, width // 12)
    if window is None and (grows or span[1] - span[0] < axes.TINY):
        return axes.axis(*span, count, kind, whole)
    if window is None:
        return axes.window(*span, count, kind, whole)
    low, high = window.low, window.high
    jump = (high - low) / 4
    if window.follows and span[1] + jump > span[1]:  # in jumps, so that most of what is drawn stays where it is
        high = low + -(-max(0.0, span[1] - low) // jump) * jump
        low = high - 4 * jump
    return axes.window(low, high, count, kind, whole)


def _y_axis(
    series: Sequence[Series], x: Axis, view: View, height: int, grows: bool, at_least: Span | None
) -> tuple[Axis | None, bool]:
    """The axis of all drawable values in the window, and whether it leaves some out; coarse for what grows.

    What it holds `at_least` it does as long as nobody wants another scale.
    """
    spans = [span for each in series if (span := each.extremes(x.low, x.high)) is not None]
    if not spans:  # none here: keep the axis of the whole
        spans = [span for each in series if (span := each.extremes()) is not None]
    if not spans:
        return None, False
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    kind: Kind = "log" if view.log else "number"
    count = max(3, (height - chart.FRAME) // 3 + 1)
    usual = [span for each in series if view.clip and (span := each.usual(x.low, x.high)) is not None]
    if at_least is not None and kind != "log" and not usual:
        low, high = min(low, at_least[0]), max(high, at_least[1])
        high = high if high > low else low + 1.0
    least, most = low, high
    if usual:
        least, most = min(span[0] for span in usual), max(span[1] for span in usual)
    if usual and kind != "log":  # half as much again, so that a curve that only falls is seen to its end
        least, most = max(low, least - (most - least) / 2), min(high, most + (most - least) / 2)
    y = axes.axis(least, most, count, kind, tight=not grows)
    return y, bool(usual) and (low < y.low or high > y.high)


def _drawing(series: Sequence[Series], order: Order, x: Axis, y: Axis, inner: int) -> tuple[list[Curve], list[Mark]]:
    """Strokes behind, lines over them, the last subject on top; signs on the lines if there are several."""
    shares = 2 * inner if len(series) <= FEW else inner
    row = 1.0 / max(1, order.height - chart.FRAME) if len(series) <= FEW else OUTSTANDING

    def is_flat(span: Span) -> bool:
        low, high = y.shares(span)
        return high - low < row and y.low <= span[0] and span[1] <= y.high

    thinned = [each.thin(x.low, x.high, shares, order.view.smoothing, is_flat) for each in series]
    behind: list[Curve] = []
    lines: list[Curve] = []
    marks: list[Mark] = []
    for number, found in enumerate(thinned):
        ink = 2 * min(number, MAX_RUNS)
        has_trend = bool(found.trend) and (order.view.smoothing > 0 or len(series) <= FEW)
        if has_trend:
            behind.append(Curve(found.pieces, ink + 1))
        lines.append(Curve(found.trend if has_trend else found.pieces, ink))
        if order.is_overlay:
            marks += _signs(lines[-1], order.subjects[number].sign, number, x, y, inner)
    for found in thinned:
        marks += _alarms(found, x, y)
    return behind + lines, marks


def _signs(curve: Curve, sign: str, number: int, x: Axis, y: Axis, inner: int) -> list[Mark]:
    """A run's sign at its end and now and then on the way, elsewhere than the other runs' signs."""
    points = [point for xs, ys in curve.pieces for point in zip(xs, ys, strict=True)]
    if not points:
        return []
    every = max(1, inner // 24)
    wanted = [((number * GOLDEN) % 1.0 + i) / every for i in range(every)]
    shares = x.shares([px for px, _ in points])
    found = {len(points) - 1}
    for share in wanted:
        if shares[0] <= share <= shares[-1]:
            found.add(min(range(len(shares)), key=lambda i: abs(shares[i] - share)))
    heights = y.shares([points[i][1] for i in found])
    return [Mark(shares[i], height, sign, curve.ink) for i, height in zip(found, heights, strict=True)]


def _alarms(found: Thinned, x: Axis, y: Axis) -> list[Mark]:
    """Marks where values are no numbers, and where they go beyond the chart."""
    marks = [Mark(share, 0.0, HOLE, ALARM) for share in x.shares(found.holes)]
    for xs, ys in found.pieces:
        points = zip(xs, ys, strict=True)
        beyond = [(px, py) for px, py in points if not y.low <= py <= y.high and x.low < px < x.high]
        for share, (_, py) in zip(x.shares([px for px, _ in beyond]), beyond, strict=True):
            marks.append(Mark(share, 1.0, ABOVE, ALARM) if py > y.high else Mark(share, 0.0, BELOW, ALARM))
    return marks


def _sparkline(series: Series, x: Axis, width: int) -> str:
    """A run in one line of blocks, for what is too small for axes; each tells its share's farthest from the middle."""
    whole = series.extremes(x.low, x.high)
    if whole is None:
        return " " * width
    middle = whole[0] / 2 + whole[1] / 2
    cells = max(1, min(width, series.count))
    edges = [x.low + (x.high - x.low) * i / cells for i in range(cells + 1)]
    spans = [series.extremes(edges[i], edges[i + 1]) for i in range(cells)]
    values = [math.nan if s is None else s[0] if middle - s[0] > s[1] - middle else s[1] for s in spans]
    return blocks(values)[:width].ljust(width)


# ---- from one x axis to another ----


def step_at(subject: Subject, x_name: str, x: float) -> float:
    """The step of the row that is nearest to an x."""
    if x_name == STEP:
        return x
    across = _across_of(subject, x_name)
    value = x + subject.run.created if x_name == RELATIVE else x
    values = across.values
    stride = 1 + len(values) // SAMPLE
    if any(not a <= b for a, b in pairwise(values[::stride])):  # the nearest of some, as x goes back and forth
        rows = [i for i in range(0, len(values), stride) if abs(values[i]) < HUGE]
        return across.steps[min(rows, key=lambda i: abs(values[i] - value))] if rows else 0.0
    index = nearest(values, value, len(values))
    return across.steps[index] if index is not None else 0.0


def x_at(subject: Subject, x_name: str, step: float) -> float | None:
    """The x of the row whose step is nearest; None without rows, and where that x is no number."""
    if x_name == STEP:
        return step
    across = _across_of(subject, x_name)
    index = nearest(across.steps, step, len(across.values))
    if index is None:
        return None
    x = across.values[index] - (subject.run.created if x_name == RELATIVE else 0.0)
    return x if abs(x) < HUGE else None


def _across_of(subject: Subject, x_name: str) -> Column:
    if x_name in (RELATIVE, WALL):
        return subject.history.times
    return subject.history.columns.get(x_name) or Column()
