"""What is written around a plot: its title with the last value, and which curve is whose. Texts in named styles."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

from tracker_tui import gauges
from tracker_tui.axes import short_span
from tracker_tui.chart import FRAME
from tracker_tui.look import fit, last_value, right
from tracker_tui.plot import ALARM, Plot, Subject
from tracker_tui.views import RELATIVE, STEP, WALL, View

Stretches = tuple[tuple[str, str], ...]
"""One line: texts, each with the name of its style, or the number of the run whose colour it is."""
HOW = ("last", "min", "max")
"""Which value of a run the legend tells."""
BY = {RELATIVE: "time", WALL: "clock"}
"""Short for x axes."""
VALUE_WIDTH = 7
NAME_WIDTH = 22
SHORT_NAME = 5
PLACE_WIDTH = 9
ROOMY = 110
"""Cells from which on a table has room for whole dates."""
BEST = "→"
"""Before the least and the greatest value of all runs."""
LEAST_PLOT = 6
"""Rows that a legend leaves to the plot."""


def x_text(x_name: str, x: float) -> str:
    """A place on an x axis in words: `1200`, `1h30m`, `Nov 22 14:05:30`."""
    if x_name == RELATIVE:
        return short_span(x) if x >= 1 else f"{x:.3g}s"
    if x_name == WALL:
        return time.strftime("%b %d %H:%M:%S", time.localtime(min(1e11, max(0.0, x))))
    return str(int(x)) if x == int(x) and abs(x) < 1e15 else f"{x:.6g}"


def value_at(plot: Plot, index: int, x: float) -> float | None:
    """The value of subject `index` that is nearest to an x; None before its first and after its last point."""
    series = plot.series[index]
    at = series.near(x)
    if at is None or plot.x is None:
        return None
    slack = (plot.x.high - plot.x.low) / plot.inner
    return series.ys[at] if series.first - slack <= x <= series.last + slack else None


def title(
    metric: str,
    subjects: Sequence[Subject],
    view: View,
    plot: Plot | None,
    width: int,
    at: float | None = None,
    is_overlay: bool = False,
    how: str = HOW[0],
    is_alone: bool = False,
) -> Stretches:
    """A chart's first line: name, the topmost run's value, and what of it is not as usual.

    Where there is not room for all, what a legend tells as well goes first, then how the chart is set; no value is cut.

    Args:
        metric: its name.
        subjects: the runs, the topmost last.
        view: how it is drawn.
        plot: as it was drawn last.
        width: cells.
        at: the x whose value to tell instead of the last one.
        is_overlay: say by its sign which run it is.
        how: which value to tell: `last`, `min` or `max`.
        is_alone: no heading tells what device it is of.
    """
    alarms, notes = _badges(view, plot)
    told = _headline(metric, subjects, view, plot, at, how, is_overlay)
    gauge = gauges.gauge_of(metric)
    text = gauge.title if gauge is not None and not is_alone else gauges.label(metric)
    name = min(cell_len(text), SHORT_NAME + 1)
    while _width(told, notes, alarms) + max(name, cell_len(text)) > width:
        if is_overlay and told and (notes or alarms):
            told = []
        elif notes:
            notes.pop()
        elif len(told) > 2:
            told.pop()
        else:
            break
    while _width(told, notes, alarms) + name > width and (alarms or told):
        (alarms or told).pop()
    room = width - _width(told, notes, alarms)
    return (
        (fit(text, min(max(name, room), cell_len(text))), "title"),
        ("  " if told else "", ""),
        *told,
        ("".join("  " + note for note in notes), "dim"),
        ("".join("  " + alarm for alarm in alarms), "badge"),
    )


def _width(told: Iterable[tuple[str, str]], notes: Iterable[str], alarms: Iterable[str]) -> int:
    """Cells of all that stands behind a name."""
    return sum(cell_len(text) for text, _ in told) + sum(2 + cell_len(text) for text in (*notes, *alarms)) + 2


def _headline(
    metric: str,
    subjects: Sequence[Subject],
    view: View,
    plot: Plot | None,
    at: float | None,
    how: str,
    is_overlay: bool,
) -> list[tuple[str, str]]:
    """Sign, value and place of the topmost run, in order of importance."""
    if not subjects:
        return []
    top, index = subjects[-1], len(subjects) - 1
    gauge = gauges.gauge_of(metric)
    unit = f" {gauge.unit}".rstrip() if gauge is not None else ""
    told = [(f"{top.sign} " if is_overlay else "", str(top.number))]
    if at is None and how != HOW[0]:
        y, x = extreme(plot, index, how)
        return [*told, (y + unit, "value"), (f" {how} @ {x}", "dim")]
    told.append((_told(plot, top, metric, index, at) + unit, "value"))
    if plot is not None and at is not None:
        told.append((f" @ {x_text(plot.x_name, at)}", "dim"))
        near = plot.series[index].near(at)
        smooth = plot.series[index].smoothed_at(near, view.smoothing) if near is not None and view.smoothing else None
        if smooth is not None:
            told.append((f" ~{value_text(metric, smooth)}", "value"))
    return told


def _told(
    plot: Plot | None, subject: Subject | None, metric: str, index: int, at: float | None, width: int = 12
) -> str:
    if subject is None:
        return ""
    if at is None:
        return value_text(metric, subject.last(metric), width)
    found = value_at(plot, index, at) if plot is not None and index < len(plot.series) else None
    return "–" if found is None else value_text(metric, found, width)


def value_text(metric: str, value: object, width: int = 12) -> str:
    """A value of a metric, or of a gauge without its unit."""
    return gauges.in_words(value, width) if gauges.is_gauge(metric) else last_value(value, width)


def _badges(view: View, plot: Plot | None) -> tuple[list[str], list[str]]:
    """What must not be overlooked, and how the chart is set."""
    alarms: list[str] = []
    if plot is not None:
        words = zip(plot.holes, ("not finite", "not above 0"), strict=True)
        alarms += [f"{count} {word}" for count, word in words if count]
    if plot is not None and plot.is_clipped:
        alarms.append("clipped")
    notes = ["log"] if view.log else []
    if view.smoothing:
        notes.append(f"~{view.smoothing:g}")
    if plot is not None and plot.x_name != (RELATIVE if gauges.is_gauge(plot.order.metric) else STEP):
        notes.append(f"by {BY.get(plot.x_name, plot.x_name)}")
    if view.window is not None:
        notes.append("zoom, follows" if view.window.follows else "zoom")
    return alarms, notes


def legend_rows(subjects: Sequence[Subject], width: int, height: int, is_table: bool, is_overlay: bool) -> int:
    """Rows that a legend takes of a chart `width` cells wide and `height` rows high, the title included.

    Args:
        subjects: the runs.
        width: cells.
        height: rows.
        is_table: it is to tell least and greatest values too, a row a run.
        is_overlay: there are several runs, so that it must be told which these are.
    """
    room = height - 1 - LEAST_PLOT
    if room < 1 or not subjects:
        return 0
    if is_table:
        return min(len(subjects) + 1, max(2, height // 3)) if room > 2 else 0
    if not is_overlay:
        return 0
    return min(-(-len(subjects) // _across(subjects, width)), room, max(1, height // 5))


def _across(subjects: Sequence[Subject], width: int) -> int:
    return max(1, (width + 2) // (_name_width(subjects, width) + VALUE_WIDTH + 5))


def _name_width(subjects: Sequence[Subject], width: int) -> int:
    """Cells for names: as many as they need, if two of them fit side by side."""
    most = max(cell_len(subject.run.label) for subject in subjects)
    side_by_side = (width + 2) // 2 - VALUE_WIDTH - 5
    return min(NAME_WIDTH, most, side_by_side if side_by_side >= SHORT_NAME else NAME_WIDTH)


def legend(
    metric: str, subjects: Sequence[Subject], plot: Plot | None, width: int, rows: int, how: str, at: float | None
) -> list[Stretches]:
    """Signs, names and values of the runs side by side, the topmost first; how many more there are, if any.

    Args:
        metric: its name.
        subjects: the runs, the topmost last.
        plot: as it was drawn last.
        width: cells.
        rows: lines to fill.
        how: which value to tell: `last`, or where the run was lowest or highest, `min` or `max`.
        at: the x whose values to tell instead.
    """
    if not rows:
        return []
    shown = list(enumerate(subjects))[::-1]
    size = _name_width(subjects, width)
    across = _across(subjects, width)
    if how != "last" and at is None:
        across = max(1, (width + 2) // (size + VALUE_WIDTH + PLACE_WIDTH + 6))
    room = rows * across
    more = len(shown) - room if room > 1 else 0
    cells: list[Stretches] = []
    for index, subject in shown[: room - (more > 0)]:
        name = fit(subject.run.label, max(4, min(size, width - VALUE_WIDTH - 3)))
        value, place = _told(plot, subject, metric, index, at, VALUE_WIDTH), ""
        if how != "last" and at is None:
            value, x = extreme(plot, index, how)
            place = " " + fit(f"@ {x}", PLACE_WIDTH + 1)
        sign = f"{subject.sign} ", str(subject.number)
        cells.append((sign, (name + " ", ""), (right(value, VALUE_WIDTH), ""), (place, "dim")))
    if more > 0:
        cells.append(((f"+{more + 1} more", "dim"),))
    lines = []
    for row in range(rows):
        line: list[tuple[str, str]] = []
        for cell in cells[row * across : (row + 1) * across]:
            line += [("  ", "")] * bool(line) + list(cell)
        lines.append(tuple(line))
    return lines


def extreme(plot: Plot | None, index: int, how: str) -> tuple[str, str]:
    """The least or greatest value of a subject and where it was, as text."""
    found = plot.series[index].least_and_greatest() if plot is not None and index < len(plot.series) else None
    if plot is None or found is None:
        return "–", "–"
    x, y = found[0] if how == "min" else found[1]
    return value_text(plot.order.metric, y, VALUE_WIDTH), x_text(plot.x_name, x)


def table(
    metric: str, subjects: Sequence[Subject], plot: Plot | None, width: int, rows: int, at: float | None
) -> list[Stretches]:
    """One run a line, the topmost first: last value, least and greatest with their places; the best of all marked."""
    if not rows:
        return []
    place = PLACE_WIDTH + 3 if width < ROOMY else PLACE_WIDTH + 10
    longest = max(cell_len(subject.run.label) for subject in subjects)
    size = max(6, min(longest, width - 3 * (VALUE_WIDTH + 4) - 2 * place - 8))
    head = "at cursor" if at is not None else "last"
    header = f"  {fit('', size)} {right(head, VALUE_WIDTH + 4)}"
    header += "".join(f"{right(name, VALUE_WIDTH + 4)} {fit('', place)}" for name in ("min", "max"))
    lines: list[Stretches] = [((fit(header, width), "dim"),)]
    best = {how: _best(plot, how) for how in ("min", "max")}
    shown = list(enumerate(subjects))[::-1]
    more = len(shown) - (rows - 1)
    for index, subject in shown[: rows - 1 - (more > 0)]:
        line = [(f"{subject.sign} ", str(subject.number)), (fit(subject.run.label, size) + " ", "")]
        line.append((right(_last_drawn(plot, subject, metric, index, at), VALUE_WIDTH + 4), "value"))
        for how in ("min", "max"):
            y, x = extreme(plot, index, how)
            is_best = len(subjects) > 1 and index == best[how]
            line.append((right((BEST if is_best else "") + y, VALUE_WIDTH + 4), "title" if is_best else ""))
            line.append((" " + fit(f"@ {x}", place), "dim"))
        lines.append(tuple(line))
    if more > 0:
        lines.append(((f"+{more + 1} more", "dim"),))
    return lines


def _last_drawn(plot: Plot | None, subject: Subject, metric: str, index: int, at: float | None) -> str:
    """A value as old as the least and greatest beside it, where rows come in faster than charts are drawn."""
    series = plot.series[index] if plot is not None and index < len(plot.series) else None
    if at is None and series is not None and series.count and plot is not None and plot.x_name == STEP:
        return last_value(series.ys[series.count - 1])
    return _told(plot, subject, metric, index, at)


def _best(plot: Plot | None, how: str) -> int | None:
    """The subject with the least or greatest value of all."""
    if plot is None:
        return None
    found = [(i, each.least_and_greatest()) for i, each in enumerate(plot.series)]
    values = [(i, pair[0][1] if how == "min" else -pair[1][1]) for i, pair in found if pair is not None]
    return min(values, key=lambda item: (item[1], item[0]), default=(None, math.inf))[0]


def inked(plot: Plot, cross: int | None = None) -> list[Stretches]:
    """A plot's rows in named styles, with the crosshair in its column."""
    if not plot.rows:
        return [((_why_empty(plot), "dim"),)]
    runs = [str(subject.number) for subject in plot.order.subjects]
    rows: list[Stretches] = []
    for index, row in enumerate(plot.rows):
        line = tuple((text, _ink(ink, runs)) for text, ink in row)
        is_inside = index < len(plot.rows) - FRAME
        rows.append(_crossed(line, cross) if cross is not None and is_inside else line)
    return rows


def _ink(ink: int | None, runs: Sequence[str]) -> str:
    if ink is None:
        return "axis"
    if ink == ALARM:
        return "badge"
    return ("~" if ink % 2 else "") + runs[min(ink // 2, len(runs) - 1)]


def _crossed(line: Stretches, column: int) -> Stretches:
    """A line with the crosshair in one of its cells; what is drawn there stays and is turned round."""
    made: list[tuple[str, str]] = []
    at = 0
    for text, style in line:
        inside = column - at
        if 0 <= inside < len(text):
            sign = text[inside]
            made.append((text[:inside], style))
            made.append(("│", "dim") if sign == " " else (sign, "cross"))
            made.append((text[inside + 1 :], style))
        else:
            made.append((text, style))
        at += len(text)
    return tuple((text, style) for text, style in made if text)


def _why_empty(plot: Plot) -> str:
    if not any(each.count for each in plot.series):
        return "no values yet" if plot.x_name.startswith("_") else f"no value has {plot.x_name} beside it"
    return "nothing above 0 to draw" if plot.order.view.log else "no finite value to draw"


def padded(line: Stretches, width: int) -> Stretches:
    """A line in exactly so many cells."""
    made: list[tuple[str, str]] = []
    room = width
    for text, style in line:
        size = cell_len(text)
        if size > room:
            text, size = set_cell_size(text, room), room
        if text:
            made.append((text, style))
        room -= size
    if room > 0:
        made.append((" " * room, ""))
    return tuple(made)
