"""Series and charts: round axes, nothing lost by thinning, no number or size that breaks them."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from tracker.replay import Column
from tracker_tui import chart, series
from tracker_tui.chart import Curve
from tracker_tui.widgets.charts import arrange
from tracker_tui.widgets.lines import difference, fit, right

STRANGE = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-308, -1e-308, 1e-12, 1e15, -1e15, 1e299, -1e299, 1e308]


def column(values: list[float], steps: list[float] | None = None) -> Column:
    made = Column()
    for index, value in enumerate(values):
        made.put(steps[index] if steps else float(index), value)
    return made


def draw(made: Column, width: int, height: int) -> list[str]:
    """A chart as `MetricChart` draws it, as text."""
    extent = series.extent(made)
    if extent is None:
        return []
    x = series.axis(made.steps[0], made.steps[-1], max(2, width // 12), whole=True)
    y = series.axis(*extent, max(2, height // 3))
    pieces = tuple(series.pieces(made, x.low, x.high, 2 * width))
    return ["".join(text for text, _ in line) for line in chart.draw([Curve(pieces, 75)], x, y, width, height)]


@pytest.mark.parametrize("seed", range(8))
def test_no_number_and_no_size_breaks_a_chart(seed: int) -> None:
    """Any values, steps and sizes give exactly the lines asked for."""
    source = random.Random(seed)
    for _ in range(60):
        count = source.choice([1, 2, 3, 10, 400])
        scale = 10.0 ** source.uniform(-300, 299) if source.random() < 0.4 else 1.0
        values = [source.choice(STRANGE) if source.random() < 0.3 else source.gauss(0, 1) * scale for _ in range(count)]
        steps = [source.choice([float(i), source.uniform(-5, 5) * scale]) for i in range(count)]
        width, height = source.randint(0, 120), source.randint(0, 40)
        made = (
            column(values, sorted(set(steps))[:count] if source.random() < 0.5 else None)
            if len(set(steps)) == count
            else column(values)
        )
        lines = draw(made, width, height)
        assert lines == [] or [len(line) for line in lines] == [width] * height


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.123, 0.987), (-5, 12345), (1e15, 1e15 + 9), (1e-12, 9e-12), (5, 5)]
)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    """Equal steps of 1, 2, 2.5 or 5 times a power of ten, within bounds that hold the data."""
    axis = series.axis(low, high, 5)
    assert axis.low <= low <= high <= axis.high
    steps = {round((b - a) / (axis.ticks[1] - axis.ticks[0]), 6) for a, b in pairwise(axis.ticks)}
    assert steps == {1.0}
    step = axis.ticks[1] - axis.ticks[0]
    leading = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(leading - good) for good in (1, 2, 2.5, 5, 10)) < 1e-3
    assert axis.low <= axis.ticks[0]
    assert axis.ticks[-1] <= axis.high


def test_bounds_stay_while_a_run_grows() -> None:
    """They jump between few round values instead of moving with every row."""
    assert len({series.axis(0, top, 5, whole=True).high for top in range(100, 1000)}) < 20


@pytest.mark.parametrize(
    ("value", "step", "label"),
    [
        (0, 1, "0"),
        (0.25, 0.25, "0.25"),
        (5000, 2500, "5000"),
        (40000, 20000, "40k"),
        (2.5e6, 5e5, "2.5M"),
        (1e-12, 1e-12, "1e-12"),
    ],
)
def test_labels_are_short(value: float, step: float, label: str) -> None:
    """And tell neighbours apart."""
    assert series.short_number(value, step) == label


def test_a_spike_one_row_wide_is_kept() -> None:
    """In a hundred thousand rows, up or down."""
    values = [1.0] * 100_000
    values[54_321], values[77_777] = 9.0, -9.0
    points = [y for piece in series.pieces(column(values), 0, 100_000, 160) for y in piece[1]]
    assert (max(points), min(points)) == (9.0, -9.0)
    assert len(points) < 160 * 5


def test_lines_break_at_what_is_not_finite() -> None:
    """NaN and the infinities are gaps, counted."""
    made = column([1, 2, math.nan, 3, 4, math.inf, 5])
    assert [len(xs) for xs, _ in series.pieces(made, 0, 6, 80)] == [2, 2, 1]
    assert series.gaps(made) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 12, 40])
@pytest.mark.parametrize(("width", "height"), [(76, 40), (76, 20), (34, 10), (120, 60), (20, 5)])
def test_the_grid_fits_the_pane(count: int, width: int, height: int) -> None:
    """Columns stay wide enough; where all charts fit, no third of the height is left over."""
    columns, row = arrange(count, width, height)
    rows = -(-count // columns)
    assert 1 <= columns <= count
    assert columns == 1 or width // columns >= 34
    assert row >= min(8, height)
    if rows * (row + 1) - 1 <= height:
        assert height - (rows * (row + 1) - 1) <= max(height / 3, rows)


def test_wide_characters_take_two_cells() -> None:
    """Cutting and aligning count cells, not characters."""
    assert fit("日本語", 5) == "日本…"
    assert fit("日本語", 8) == "日本語  "
    assert right("日本", 6) == "  日本"
    assert difference([("日x", "a")], [("日y", "a")]) == (2, 3)
    assert difference([("abc", "a")], [("abc", "a")]) == (0, 0)
