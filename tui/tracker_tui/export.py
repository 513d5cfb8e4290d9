"""A chart on its way out of the terminal: its data as CSV or JSON, the picture as text or SVG."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from tracker.records import encode, plain
from tracker_tui import gauges, legend
from tracker_tui.axes import Axis
from tracker_tui.legend import Stretches
from tracker_tui.look import COLOURS_ON_LIGHT, rgb
from tracker_tui.plot import HOLE, Plot, Subject
from tracker_tui.series import Piece
from tracker_tui.views import STEP, X_NAMES

FORMATS: Final = {"csv": "data as CSV", "json": "data as JSON", "txt": "chart as text", "svg": "chart as SVG"}
"""Endings of files and what is in them."""
WIDTH, HEIGHT = 800, 450
"""Pixels of an SVG."""
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 70, 20, 40, 40
LINE = 18
"""Pixels from one line of a legend to the next."""


def write(plot: Plot, ending: str, folder: str | None = None) -> str:
    """Write a file named after the metric, beside those that are there already.

    Args:
        plot: what to export.
        ending: one of `FORMATS`.
        folder: where; the working folder by default.

    Returns:
        The path.

    Raises:
        OSError: it cannot be written.
    """
    stem = re.sub(r"[^\w.-]+", "-", name_of(plot)).strip("-.").encode()[:120].decode(errors="ignore") or "chart"
    content = content_of(plot, ending).encode()
    for number in range(1, 10_000):
        name = f"{stem}.{ending}" if number == 1 else f"{stem}-{number}.{ending}"
        path = os.path.join(folder or os.getcwd(), name)
        try:
            with open(path, "xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"there are 10,000 files {stem}.{ending}")


def name_of(plot: Plot) -> str:
    """What is exported: a metric; of the machine in words, with the unit of the values."""
    gauge = gauges.gauge_of(plot.order.metric)
    unit = f" ({gauge.unit})" if gauge is not None and gauge.unit else ""
    return gauges.label(plot.order.metric) + unit


def content_of(plot: Plot, ending: str) -> str:
    """The text of the file."""
    if ending == "csv":
        return _csv(plot)
    if ending == "json":
        return encode(plain(points_of(plot), 100)[0]).decode()
    if ending == "svg":
        return _svg(plot)
    return "\n".join([*uncoloured(plot, lines_of(plot)), ""])


# ---- data ----


def _rows(plot: Plot) -> Iterable[tuple[Any, ...]]:
    """Every point of the shown window, as logged: neither thinned nor smoothed."""
    window = (plot.x.low, plot.x.high) if plot.x is not None else ()
    for subject, series in zip(plot.order.subjects, plot.series, strict=True):
        run = subject.run
        for x, y in series.points(*window):
            yield run.project, run.id, run.label, int(x) if plot.x_name == STEP and x == int(x) else x, y


def points_of(plot: Plot) -> list[dict[str, Any]]:
    """An object a run, with its points in the shown window as pairs of x and value."""
    window = (plot.x.low, plot.x.high) if plot.x is not None else ()
    return [
        {
            "project": subject.run.project,
            "run_id": subject.run.id,
            "run_name": subject.run.label,
            "metric": name_of(plot),
            "x": plot.x_name,
            "points": list(series.points(*window)),
        }
        for subject, series in zip(plot.order.subjects, plot.series, strict=True)
    ]


def _csv(plot: Plot) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["project", "run_id", "run_name", plot.x_name, name_of(plot)])
    writer.writerows(_rows(plot))
    return text.getvalue()


# ---- text ----


def uncoloured(plot: Plot, lines: Iterable[Stretches]) -> list[str]:
    """Lines without colour; of a smoothed chart without what is behind the curves, which could not be told apart."""
    hides = plot.order.view.smoothing > 0
    return [
        "".join(" " * len(text) if hides and style.startswith("~") else text for text, style in line).rstrip()
        for line in lines
    ]


def lines_of(plot: Plot) -> list[Stretches]:
    """Title, legend and plot in named styles; `order.height` and the rows of the legend high."""
    order = plot.order
    rows = legend.legend_rows(order.subjects, order.width, order.height + 8, False, order.is_overlay)
    title = _title(plot, order.width)
    around = legend.legend(order.metric, order.subjects, plot, order.width, rows, "last", None)
    return [title, *around, *legend.inked(plot)]


def _title(plot: Plot, width: int) -> Stretches:
    order = plot.order
    return legend.title(
        order.metric, order.subjects, order.view, plot, width, is_overlay=order.is_overlay, is_alone=True
    )


# ---- picture ----


def _svg(plot: Plot) -> str:
    """Axes, curves and names as vectors, on white."""
    order = plot.order
    names = order.subjects if order.is_overlay else ()
    height = HEIGHT + LINE * len(names)
    title = "".join(text for text, _ in _title(plot, 200)).rstrip()
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN_LEFT}" y="22" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    if plot.x is not None and plot.y is not None:
        parts += _frame(plot.x, plot.y, X_NAMES.get(plot.x_name, plot.x_name))
        parts += _curves(plot, plot.x, plot.y)
    for number, subject in enumerate(reversed(names)):
        y = HEIGHT + LINE * number
        label = f"{subject.run.label}  {legend.value_text(order.metric, subject.last(order.metric))}"
        parts.append(f'<line x1="{MARGIN_LEFT}" x2="{MARGIN_LEFT + 24}" y1="{y}" y2="{y}" {_stroke(subject)}/>')
        parts.append(f'<text x="{MARGIN_LEFT + 32}" y="{y + 4}">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _frame(x: Axis, y: Axis, x_name: str) -> list[str]:
    bottom = HEIGHT - MARGIN_BOTTOM
    parts = []
    for tick, share in zip(y.ticks, y.shares(y.ticks), strict=True):
        at = _down(share)
        parts.append(f'<path d="M{MARGIN_LEFT} {at:.1f}H{WIDTH - MARGIN_RIGHT}" stroke="#ddd"/>')
        label = escape(y.label(tick))
        parts.append(f'<text x="{MARGIN_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" fill="#555">{label}</text>')
    for tick, share in zip(x.ticks, x.shares(x.ticks), strict=True):
        at = _over(share)
        parts.append(f'<path d="M{at:.1f} {bottom}v5" stroke="#555"/>')
        label = escape(x.label(tick))
        parts.append(f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555">{label}</text>')
    middle = (MARGIN_LEFT + WIDTH - MARGIN_RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 34}" text-anchor="middle" fill="#555">{escape(x_name)}</text>')
    return [
        *parts,
        f'<path d="M{MARGIN_LEFT} {MARGIN_TOP}V{bottom}H{WIDTH - MARGIN_RIGHT}" fill="none" stroke="#555"/>',
    ]


def _curves(plot: Plot, x: Axis, y: Axis) -> list[str]:
    parts = []
    bottom = HEIGHT - MARGIN_BOTTOM - 2
    for subject, series in zip(plot.order.subjects, plot.series, strict=True):
        found = series.apart().thin(x.low, x.high, WIDTH, plot.order.view.smoothing)
        behind = 'opacity="0.35"' if found.trend else ""
        for pieces, how in ((found.pieces, behind), (found.trend, "")):
            for piece in pieces:
                path, name = quoteattr(_path(piece, x, y)), escape(subject.run.label)
                parts.append(f"<path d={path} {_stroke(subject)} {how}><title>{name}</title></path>")
        holes = [f'x="{_over(share):.1f}" y="{bottom}"' for share in x.shares(found.holes)]
        parts += [f'<text {place} text-anchor="middle" fill="#c00">{HOLE}</text>' for place in holes]
    return parts


def _path(piece: Piece, x: Axis, y: Axis) -> str:
    points = [f"{_over(a):.1f} {_down(b):.1f}" for a, b in zip(x.shares(piece[0]), y.shares(piece[1]), strict=True)]
    return "M" + "L".join(points) + ("h.1" if len(points) == 1 else "")


def _over(share: float) -> float:
    return MARGIN_LEFT + share * (WIDTH - MARGIN_LEFT - MARGIN_RIGHT)


def _down(share: float) -> float:
    return HEIGHT - MARGIN_BOTTOM - share * (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)


def _stroke(subject: Subject) -> str:
    """A run's own colour, on white paper."""
    colour = rgb(COLOURS_ON_LIGHT[subject.number % len(COLOURS_ON_LIGHT)])
    return f'fill="none" stroke="{colour}" stroke-width="1.5" stroke-linecap="round"'
