"""Charts without a screen: round axes, nothing lost by thinning, no number or size that breaks them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tracker.history import Column, History
from tracker.stored import Key, StoredRun
from tracker_tui import axes, chart, export, legend
from tracker_tui.axes import Axis
from tracker_tui.chart import Curve, Mark
from tracker_tui.grid import Place, Section, arrange, lay_out, next_place
from tracker_tui.kinds import sections
from tracker_tui.look import COLOURS, SIGNS, fit, right, sign_of
from tracker_tui.plot import Order, Plot, Plotter, Subject, step_at, x_at
from tracker_tui.series import Series
from tracker_tui.views import RELATIVE, STEP, WALL, View, Views, Window
from tracker_tui.widgets.lines import differences

STRANGE = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-308, -1e-308, 1e-12, 1e15, -1e15, 1e299, -1e299, 1e308]


def column(values: Sequence[float], steps: Sequence[float] | None = None) -> Column:
    made = Column()
    for index, value in enumerate(values):
        made.put(steps[index] if steps else float(index), value)
    return made


def series(values: Sequence[float], steps: Sequence[float] | None = None, **how: object) -> Series:
    made = Series(column(values, steps), **how)  # type: ignore[arg-type]
    made.update()
    return made


def subject(number: int = 0, start: float = 1000.0, **columns: Sequence[float]) -> Subject:
    """A run with these columns, a row a second."""
    run = StoredRun(Key("p", f"run{number}"), "", "", start)
    run.name = f"run-{number}"
    history = History()
    history.columns = {name: column(values) for name, values in columns.items()}
    length = max(map(len, columns.values()), default=0)
    history.times = column([start + step for step in range(length)])
    run.summary = {name: values[-1] for name, values in columns.items() if values}
    return Subject(run, history, number)


USUAL = View()


def plot(*subjects: Subject, view: View = USUAL, width: int = 60, height: int = 14, metric: str = "loss") -> Plot:
    return Plotter().plot(Order(metric, subjects, view, width, height, len(subjects) > 1))


def text_of(made: Plot) -> list[str]:
    return ["".join(text for text, _ in row) for row in made.rows]


# ---- axes ----


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.123, 0.987), (-5, 12345), (1e15, 1e15 + 9), (1e-12, 9e-12), (5, 5)]
)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    """Equal steps of 1, 2, 2.5 or 5 times a power of ten, within bounds that hold the data."""
    axis = axes.axis(low, high, 5)
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
    assert len({axes.axis(0, top, 5, whole=True).high for top in range(100, 1000)}) < 20


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
    assert axes.short_number(value, step) == label


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1e-5, 1.0, ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]),
        (0.02, 0.5, ["0.02", "0.05", "0.1", "0.2", "0.5"]),
        (1.0, 1.5, ["1", "1.1", "1.2", "1.3", "1.4", "1.5"]),
    ],
)
def test_logarithmic_ticks(low: float, high: float, labels: list[str]) -> None:
    """Decades; 1, 2 and 5 of them where there are few; plain steps within a part of one."""
    axis = axes.axis(low, high, 6, "log")
    assert [axis.label(tick) for tick in axis.ticks] == labels
    assert axis.low <= low * (1 + 1e-9)
    assert axis.high >= high * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_every_logarithmic_axis_holds_its_range(seed: int) -> None:
    """From the least to the greatest floats, with two ticks at least and labels apart."""
    source = random.Random(seed)
    for _ in range(300):
        low = 10 ** source.uniform(-307, 299)
        high = min(1e300, low * 10 ** source.choice([0, 1e-9, 0.1, 1, 5, 300]))
        axis = axes.axis(low, high, source.randint(2, 8), "log")
        assert axis.low <= low * (1 + 1e-6)
        assert axis.high >= high * (1 - 1e-6)
        assert len(axis.ticks) >= 2
        assert axis.shares([axis.low, axis.high]) == [0.0, 1.0]
        labels = [axis.label(tick) for tick in axis.ticks]
        assert len(set(labels)) == len(labels) or axis.high / axis.low < 1.0001


@pytest.mark.parametrize(
    ("high", "labels"),
    [
        (50, ["0", "15s", "30s", "45s", "1m"]),
        (3000, ["0", "15m", "30m", "45m", "1h"]),
        (5400, ["0", "30m", "1h", "1h30m"]),
        (4 * 86400, ["0", "1d", "2d", "3d", "4d"]),
        (0.4, ["0s", "0.1s", "0.2s", "0.3s", "0.4s"]),
    ],
)
def test_lengths_of_time_have_usual_steps(high: float, labels: list[str]) -> None:
    """Seconds, minutes, hours and days, not powers of ten."""
    axis = axes.axis(0, high, 5, "duration")
    assert [axis.label(tick) for tick in axis.ticks] == labels


def test_the_clock_shows_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks at full hours of the time zone; midnight is told by its date."""
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        midnight = 1795372200.0  # 2026-11-23 00:00 there
        axis = axes.axis(midnight - 7200, midnight + 7200, 5, "clock")
        assert [axis.label(tick) for tick in axis.ticks] == ["22:00", "23:00", "Nov 23", "01:00", "02:00"]
    finally:
        monkeypatch.undo()
        time.tzset()


# ---- series ----


def test_a_spike_one_row_wide_is_kept_in_a_million_rows() -> None:
    """Up or down, whatever the width; and what is drawn stays little."""
    values = [1.0] * 1_000_000
    values[543_210], values[777_777] = 9.0, -9.0
    made = series(values)
    assert made.extremes() == (-9.0, 9.0)
    assert made.extremes(0, 543_209) == (1.0, 1.0)
    for shares in (1, 16, 160):
        thinned = made.thin(0, 999_999, shares)
        points = [y for piece in thinned.pieces for y in piece[1]]
        assert (max(points), min(points)) == (9.0, -9.0)
        assert len(points) <= 3 * shares
    rows = text_of(plot(subject(loss=values)))
    assert sum(1 for row in rows[:3] for sign in row[6:] if sign not in " ┤│") > 0


def test_the_pyramid_tells_the_extremes_of_any_stretch() -> None:
    """As a plain look at every value does, while the series grows and after it was changed in the middle."""
    source = random.Random(1)
    made = Column()
    grown = Series(made)
    for _ in range(40):
        for _ in range(source.randint(0, 300)):
            made.put(len(made.steps), source.choice([source.gauss(0, 1), math.nan, math.inf, 1e301]))
        if source.random() < 0.3 and made.steps:
            made.put(source.randrange(len(made.steps)), source.uniform(-5, 5))
        grown.update()
        if grown.is_outdated:
            grown = Series(made)
            grown.update()
        for _ in range(10):
            low = source.uniform(-5, len(made.steps))
            high = low + source.uniform(0, len(made.steps))
            inside = [v for s, v in zip(made.steps, made.values, strict=True) if low <= s <= high and abs(v) < 1e300]
            assert grown.extremes(low, high) == ((min(inside), max(inside)) if inside else None)
        assert grown.hole_counts()[0] == sum(1 for value in made.values if not abs(value) < 1e300)


def test_lines_break_at_what_is_not_finite() -> None:
    """NaN and the infinities are gaps, told by place."""
    made = series([1, 2, math.nan, 3, 4, math.inf, 5])
    thinned = made.thin(0, 6, 80)
    assert [len(xs) for xs, _ in thinned.pieces] == [2, 2, 1]
    assert thinned.holes == [2, 5]
    assert made.hole_counts() == (2, 0)


def test_a_hole_in_a_crowd_is_told() -> None:
    """One NaN among 100,000 values leaves a mark and a gap."""
    values = [1.0] * 100_000
    values[50_000] = math.nan
    thinned = series(values).thin(0, 99_999, 100)
    assert len(thinned.holes) == 1
    assert len(thinned.pieces) == 2


def test_smoothing_is_tensorboards() -> None:
    """A debiased exponential moving average that passes over what is not finite."""
    values = [1.0, 3.0, math.nan, 5.0, 2.0]
    expected, last, seen = [], 0.0, 0
    for value in values:
        if value == value:
            last = last * 0.8 + 0.2 * value
            seen += 1
            expected.append(last / (1 - 0.8**seen))
    (ys,) = [[y for piece in series(values).thin(0, 4, 10, 0.8).trend for y in piece[1]]]
    assert ys == pytest.approx(expected)


def test_smoothing_goes_on_where_it_was() -> None:
    """A series that grows is smoothed as one that was there at once."""
    made = column([float(i % 7) for i in range(50)])
    grown = Series(made)
    for _ in range(3):
        grown.update()
        grown.thin(0, 100, 10, 0.9)
        for _ in range(30):
            made.put(len(made.steps), len(made.steps) % 5)
    grown.update()
    assert grown.thin(0, 200, 200, 0.9) == series(list(made.values)).thin(0, 200, 200, 0.9)


def test_any_metric_may_be_the_x_axis() -> None:
    """Points get the x of their step, those without one are left out, and an x that goes back is sorted."""
    ys = column([10, 11, 12, 13, 14])
    across = Column()
    for step, x in ((0, 5.0), (1, 3.0), (3, 4.0), (4, math.nan)):
        across.put(step, x)
    made = Series(ys, across)
    made.update()
    assert list(zip(made.xs, made.ys, strict=True)) == [(3.0, 11.0), (4.0, 13.0), (5.0, 10.0)]
    ys.put(5, 15)
    made.update()  # its x is still to come
    assert made.count == 3
    across.put(5, 3.5)
    made.update()
    assert made.is_outdated
    made = Series(ys, across)
    made.update()
    assert list(made.xs) == [3.0, 3.5, 4.0, 5.0]
    assert made.extremes(3.2, 4.2) == (13.0, 15.0)


def test_least_and_greatest_have_places() -> None:
    """Where they were first, in the blocks and in what is not a block yet."""
    values = [5.0] * 40
    values[7], values[38], values[39] = -1.0, 9.0, math.nan
    assert series(values).least_and_greatest() == ((7.0, -1.0), (38.0, 9.0))
    assert series([math.nan]).least_and_greatest() is None


def test_a_zoomed_line_goes_on_to_the_edges() -> None:
    """Between two points outside the window there is still a line."""
    thinned = series([0.0, 10.0], steps=[0, 10]).thin(4, 6, 20)
    assert thinned.pieces == [([4, 6], [4, 6])] or thinned.pieces == []
    thinned = series([0.0, 5.0, 10.0], steps=[0, 5, 10]).thin(4, 6, 20)
    assert thinned.pieces == [([4, 5.0, 6], [4.0, 5.0, 6.0])]


# ---- plots ----


@pytest.mark.parametrize("seed", range(12))
def test_no_number_no_size_and_no_view_breaks_a_plot(seed: int) -> None:
    """Any values, steps, sizes, axes, windows and smoothings give exactly the lines asked for, or a reason."""
    source = random.Random(seed)
    for _ in range(40):
        subjects = []
        for number in range(source.choice([1, 1, 2, 7])):
            count = source.choice([0, 1, 2, 3, 10, 400])
            scale = 10.0 ** source.uniform(-300, 299) if source.random() < 0.4 else 1.0
            columns = {
                name: [
                    source.choice(STRANGE) if source.random() < 0.3 else source.gauss(0, 1) * scale
                    for _ in range(count)
                ]
                for name in ("loss", "epoch")
            }
            subjects.append(subject(number, **columns))
        edges = sorted([source.choice(STRANGE[5:13]), source.uniform(-5, 500)])
        window = Window(edges[0], edges[1], source.random() < 0.5) if source.random() < 0.4 else None
        view = View(
            source.choice([0.0, 0.9, 0.999]),
            source.random() < 0.4,
            source.choice(["", STEP, RELATIVE, WALL, "epoch", "none"]),
            source.random() < 0.3,
            window if window is not None and window.high - window.low > 0 else None,
        )
        width, height = source.randint(0, 120), source.randint(0, 40)
        made = plot(*subjects, view=view, width=width, height=height)
        if made.x is not None:
            assert [len(line) for line in text_of(made)] == [width] * height
        elif made.rows:
            assert all(len(line) <= width for line in text_of(made))
        for line in export.lines_of(made):
            assert all(isinstance(text, str) for text, _ in line)
        for ending in export.FORMATS:
            assert isinstance(export.content_of(made, ending), str)


@pytest.mark.parametrize(
    "values",
    [[1.0], [3.0] * 50, [-5.0, 5.0], [1e-12, 2e-12], [1e15, 2e15], [5.0, math.nan, 7.0], [0.0]],
    ids=["one", "constant", "signs", "tiny", "huge", "gap", "zero"],
)
@pytest.mark.parametrize(("width", "height"), [(16, 4), (16, 5), (40, 12), (157, 40)])
def test_plain_cases_show_a_curve_and_labels(values: list[float], width: int, height: int) -> None:
    """From the smallest size on, there are dots and two different labels of the y axis."""
    rows = text_of(plot(subject(loss=values), width=width, height=height))
    assert [len(row) for row in rows] == [width] * height
    assert any("\u2801" <= sign <= "\u28ff" for row in rows for sign in row)
    labels = {row.split("┤")[0].strip() for row in rows if "┤" in row} - {""}
    assert len(labels) >= (2 if height > 4 else 1)


@pytest.mark.parametrize(
    ("values", "view", "reason"),
    [
        ([math.nan, math.inf], View(), "no finite value to draw"),
        ([-1.0, 0.0], View(log=True), "nothing above 0 to draw"),
        ([1.0], View(x="epoch"), "no value has epoch beside it"),
        ([], View(), "no values yet"),
    ],
)
def test_what_cannot_be_drawn_says_why(values: list[float], view: View, reason: str) -> None:
    """Nothing is simply blank."""
    made = plot(subject(loss=values), view=view)
    assert "".join(text for text, _ in legend.inked(made)[0]) == reason


def test_what_a_logarithm_leaves_out_is_counted() -> None:
    """0 and less are gaps with a badge, and stay out of the bounds."""
    made = plot(subject(loss=[1.0, 0.0, -3.0, 100.0]), view=View(log=True))
    assert made.y is not None
    assert (made.y.low, made.y.high) == (1.0, 100.0)
    assert made.holes == (0, 2)
    title = legend.title("loss", made.order.subjects, made.order.view, made, 60)
    assert "2 not above 0" in "".join(text for text, _ in title)


def test_outliers_are_clipped_and_that_is_said() -> None:
    """The y axis fits the middle 90 %, arrows show where more is, the title says so."""
    values = [math.sin(i / 5) for i in range(200)]
    values[100] = 1e6
    made = plot(subject(loss=values), view=View(clip=True))
    assert made.y is not None
    assert made.y.high <= 2
    assert made.is_clipped
    assert "↑" in text_of(made)[0]
    assert not plot(subject(loss=values)).is_clipped


def test_every_run_of_an_overlay_can_be_told_without_colour() -> None:
    """Each one's sign stands at the end of its curve; the last one is on top."""
    runs = [subject(number, loss=[number + i / 50 for i in range(50)]) for number in range(6)]
    rows = text_of(plot(*runs, width=80, height=24))
    for run in runs:
        assert sum(row.count(run.sign) for row in rows) >= 2, run.sign
    same = [subject(number, loss=[1.0, 2.0, 3.0]) for number in range(3)]
    inks = {ink for row in plot(*same).rows for _, ink in row if ink is not None}
    assert 4 in inks


def test_definitions_choose_the_x_axis() -> None:
    """`step_metric` is the x axis unless another one was chosen."""
    run = subject(loss=[3, 2, 1], epoch=[10, 20, 30])
    run.run.apply({"_type": "metric", "name": "loss", "step_metric": "epoch"})
    assert plot(run).x_name == "epoch"
    assert plot(run).full_x == (10, 30)
    assert plot(run, view=View(x=STEP)).full_x == (0, 2)
    assert plot(run, view=View(x=RELATIVE)).full_x == (0, 2)
    assert plot(run, view=View(x=WALL)).full_x == (1000, 1002)


def test_a_crosshair_finds_its_row_on_other_axes() -> None:
    """By the step of the row that is nearest."""
    run = subject(loss=[3, 2, 1], epoch=[10, 20, 30])
    assert step_at(run, "epoch", 21) == 1
    assert step_at(run, RELATIVE, 2) == 2
    assert x_at(run, "epoch", 2) == 30
    assert x_at(run, WALL, 1) == 1001


def test_a_window_that_follows_moves_in_jumps() -> None:
    """Its end is always shown, its bounds change seldom."""
    bounds = set()
    for count in range(100, 200):
        made = plot(subject(loss=[1.0] * count), view=View(window=Window(50, 90, follows=True)))
        assert made.x is not None
        assert made.x.high >= count - 1
        assert made.x.high - made.x.low == pytest.approx(40)
        bounds.add(made.x.high)
    assert len(bounds) < 15


def test_drawing_the_same_again_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot whose lines, axes and size are as before is not drawn again."""
    calls = []
    draw = chart.draw
    monkeypatch.setattr(chart, "draw", lambda *words: calls.append(1) or draw(*words))
    plotter, run = Plotter(), subject(loss=[1.0, 2.0])
    order = Order("loss", (run,), View(), 60, 14)
    first = plotter.plot(order)
    assert plotter.plot(order).rows is first.rows
    run.history.columns["loss"].put(2, 1.5)
    plotter.plot(order)
    assert len(calls) == 2


@pytest.mark.parametrize("width", [40, 57, 80, 160])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.333, 0.5, 0.97, 1.0])
def test_a_mark_stands_in_the_cell_of_its_curve(width: int, share: float) -> None:
    """Signs and the crosshair take the very cell in which the curve has its dot."""
    x, y = Axis(0, 1, (0, 1)), Axis(0, 1, (0, 1))
    point = Curve([([share], [share])], 3)
    dotted = chart.draw([point], x, y, width, 20)
    marked = chart.draw([], x, y, width, 20, [Mark(share, share, "@", 5)])

    def place(rows: list[chart.Cells], ink: int) -> list[tuple[int, int]]:
        found = []
        for row, cells in enumerate(rows):
            at = 0
            for text, seen in cells:
                if seen == ink:
                    found.append((at, row))
                at += len(text)
        return found

    assert place(dotted, 3) == place(marked, 5)
    left = chart.gutter(y, 20)
    assert place(dotted, 3)[0][0] == left + chart.column_of(share, width - left)


# ---- legends ----


def test_legends_name_runs_and_values() -> None:
    """The topmost first, with the values at the crosshair if there is one, or the best with their places."""
    runs = (subject(0, loss=[4.0, 1.0, 3.0]), subject(1, loss=[7.0, 6.0]))
    made = plot(*runs)

    def written(how: str, at: float | None) -> str:
        lines = legend.legend("loss", runs, made, 60, 2, how, at)
        return "\n".join("".join(text for text, _ in line) for line in lines)

    assert [word for word in written("last", None).split() if word != "\n"] == ["◆", "run-1", "6", "▲", "run-0", "3"]
    assert "run-0       1" in written("last", 1.0)
    assert "–" in written("last", 2.0)  # run-1 has ended before
    assert "1 @ 1" in written("min", None)
    assert "7 @ 0" in written("max", None)


def test_more_runs_than_room_are_counted() -> None:
    """A legend never grows over the chart."""
    runs = [subject(number, loss=[1.0]) for number in range(30)]
    rows = legend.legend_rows(runs, 60, 12, is_table=False, is_overlay=True)
    assert 1 <= rows <= 3
    lines = legend.legend("loss", runs, plot(*runs), 60, rows, "last", None)
    assert len(lines) == rows
    assert lines[-1][-1][0].endswith("more")


def test_neighbours_differ_in_colour_and_sign() -> None:
    """And 132 runs in a row are all told apart."""
    looks = {(number % len(COLOURS), sign_of(number)) for number in range(len(COLOURS) * len(SIGNS))}
    assert len(looks) == 132
    assert len(set(COLOURS)) == len(COLOURS)


# ---- where charts stand ----


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 12, 40])
@pytest.mark.parametrize(("width", "height"), [(76, 40), (76, 20), (34, 10), (120, 60), (20, 5)])
def test_the_grid_fits_the_pane(count: int, width: int, height: int) -> None:
    """Columns stay wide enough; where all charts fit, no row of the pane is left over."""
    columns, heights = arrange([count], width, height)
    assert len(heights) == -(-count // columns)
    assert 1 <= columns <= count
    assert columns == 1 or width // columns >= 34
    assert min(heights) >= min(7, height)
    if sum(heights) + len(heights) - 1 <= height:
        assert sum(heights) + len(heights) - 1 == height


@pytest.mark.parametrize("seed", range(5))
def test_charts_cover_the_pane_and_nothing_twice(seed: int) -> None:
    """Every metric has one slot; in a row they reach from edge to edge."""
    source = random.Random(seed)
    for _ in range(50):
        parts = [
            Section(f"s{n}", [f"{n}/{i}" for i in range(source.randint(1, 9))], source.random() < 0.8)
            for n in range(source.randint(1, 5))
        ]
        width, height = source.randint(10, 200), source.randint(3, 60)
        slots = lay_out(parts, width, height)
        shown = [name for part in parts if part.is_open for name in part.metrics]
        assert [slot.place.name for slot in slots if not slot.place.is_heading] == shown
        cells = set()
        for slot in slots:
            for row in range(slot.y, slot.y + slot.height):
                assert not cells & {(row, slot.x), (row, slot.x + slot.width - 1)}
                cells |= {(row, x) for x in range(slot.x, slot.x + slot.width)}
        for y in {slot.y for slot in slots}:
            assert max(slot.x + slot.width for slot in slots if slot.y == y) == width


def test_the_cursor_moves_over_charts_and_headings() -> None:
    """Down and up by the nearest middle, left and right in reading order."""
    slots = lay_out([Section("a", ["a/1", "a/2", "a/3"]), Section("b", ["b/1"])], 80, 40)
    at = Place("a/2")
    assert next_place(slots, at, 0, -1) == Place("a", is_heading=True)
    assert next_place(slots, at, 1, 0) == Place("a/3")
    assert next_place(slots, Place("a/3"), 0, 1) == Place("b", is_heading=True)
    assert next_place(slots, Place("b/1"), 1, 0) == Place("b/1")


def test_sections_are_the_first_part_of_names() -> None:
    """Training first, then held-out data, the rest, and the machine last; axes at the end of theirs."""
    names = ["system/cpu", "lr", "epoch", "val/loss", "train/acc", "train/loss", "other.x", "_hidden"]
    assert sections(names, {"epoch"}) == [
        ("train", ["train/loss", "train/acc"]),
        ("val", ["val/loss"]),
        ("", ["lr", "epoch"]),
        ("other", ["other.x"]),
        ("system", ["system/cpu"]),
    ]
    assert [name for name, _ in sections(["loss", "train/lr", "acc"])] == ["", "train"]


# ---- what is remembered ----


def test_views_are_remembered_but_for_windows(tmp_path: Path) -> None:
    """Settings of a metric come back; several dashboards add to the same file."""
    path = tmp_path / "state" / "charts.json"
    one, two = Views(path), Views(path)
    one.change({"loss": View(smoothing=0.9, log=True, window=Window(1, 2))})
    two.change({"acc": View(x="epoch", clip=True)})
    again = Views(path)
    assert again.of("loss") == View(smoothing=0.9, log=True)
    assert again.of("acc") == View(x="epoch", clip=True)
    again.change({"loss": View()})
    assert Views(path).of("loss") == View()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"charts": 5}', b'{"charts": {"loss": 3}}', b"\xff", b"[" * 100_000]
)
def test_a_broken_memory_is_no_memory(tmp_path: Path, content: bytes) -> None:
    """Whatever is in the file, the dashboard opens; what has the wrong type is as usual."""
    path = tmp_path / "charts.json"
    path.write_bytes(content)
    views = Views(path)
    assert views.of("loss") == View()
    views.change({"loss": View(log=True)})
    assert Views(path).of("loss").log


def test_a_memory_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """The view is as chosen for as long as the dashboard is open."""
    (tmp_path / "file").write_text("")
    views = Views(tmp_path / "file" / "charts.json")
    views.change({"loss": View(log=True)})
    assert views.of("loss").log


# ---- text ----


def test_wide_characters_take_two_cells() -> None:
    """Cutting and aligning count cells, not characters."""
    assert fit("日本語", 5) == "日本…"
    assert fit("日本語", 8) == "日本語  "
    assert right("日本", 6) == "  日本"
    assert differences([("日x", "a")], [("日y", "a")]) == [(2, 3)]
    assert differences([("abc", "a")], [("abc", "a")]) == []
    assert differences([("a" * 50 + "b", "")], [("c" + "a" * 49 + "d", "")]) == [(0, 1), (50, 51)]


# ---- what went wrong once ----


def test_an_x_that_comes_later_is_drawn() -> None:
    """A chart over a metric that is not there yet fills when it is."""
    plotter, run = Plotter(), subject(loss=[1.0, 2.0, 3.0])
    order = Order("loss", (run,), View(x="epoch"), 60, 14)
    assert plotter.plot(order).x is None
    run.history.columns["epoch"] = column([5, 6, 7])
    assert plotter.plot(order).full_x == (5, 7)


def test_a_plot_that_was_handed_out_stays_whole_while_others_are_made() -> None:
    """A late row makes a new series; what a legend holds of the old one is still all there."""
    plotter, run = Plotter(), subject(loss=[float(i) for i in range(100)], epoch=[float(i) for i in range(100)])
    order = Order("loss", (run,), View(x="epoch"), 60, 14)
    before = plotter.plot(order)
    run.history.columns["loss"].put(50, -7.0)
    after = plotter.plot(order)
    assert before.series[0].count == 100
    assert before.series[0].least_and_greatest() == ((0, 0), (99, 99))
    assert after.series[0].least_and_greatest() == ((50, -7), (99, 99))


def test_smoothing_for_an_export_leaves_the_chart_alone() -> None:
    """Each thread smooths for itself."""
    made = plot(subject(loss=[float(i % 5) for i in range(100)]), view=View(0.9))
    before = made.series[0].thin(0, 99, 200, 0.9)
    export.content_of(made, "svg")
    assert made.series[0].apart().thin(0, 99, 200, 0.5) != before
    assert made.series[0].thin(0, 99, 200, 0.9) == before


def test_the_crosshair_on_an_x_that_goes_back_finds_the_nearest_row() -> None:
    """A learning rate falls; an x that is no number is nowhere."""
    run = subject(loss=[1.0] * 11, lr=[10.0 - i for i in range(11)], broken=[math.nan] * 11)
    assert [step_at(run, "lr", x) for x in (1, 3, 8)] == [9, 7, 2]
    assert step_at(run, "broken", 1) == 0
    assert x_at(run, "broken", 3) is None


def test_smoothing_on_a_logarithm_leaves_out_what_it_cannot_draw() -> None:
    """A negative value is a hole for the average too."""
    thinned = series([-100.0] + [1.0] * 20, positive=True).thin(0, 20, 100, 0.9)
    assert {round(y, 9) for piece in thinned.trend for y in piece[1]} == {1.0}


def test_a_spike_shows_in_the_smallest_chart() -> None:
    """Where there is no room for axes, blocks show every extreme."""
    for place in range(0, 20_000, 997):
        values = [0.0] * 20_000
        values[place] = 1e6
        assert "█" in text_of(plot(subject(loss=values), width=16, height=3))[0]


def test_no_arrow_points_at_what_the_window_leaves_out() -> None:
    """Arrows tell of clipped values in the window only."""
    values = [i * 0.01 for i in range(20)]
    values[5] = 100.0
    made = plot(subject(loss=values), view=View(window=Window(5.5, 15)))
    assert not any("↑" in row for row in text_of(made))


@pytest.mark.parametrize(
    ("axis", "count"),
    [
        (axes.window(93600, 95400, 6, "duration"), 3),
        (axes.axis(4083.6, 4398.6, 12, "duration"), 6),
        (axes.axis(1.7e9, 1.7e9 + 2, 8, "clock"), 4),
        (axes.axis(3e-7, 3.00000001e-7, 6), 3),
        (axes.axis(0.01, 0.02, 9, "log"), 2),
        (axes.axis(5e-324, 5e-324, 4, "log"), 1),
        (axes.window(-1.032237e-318, -1.03223e-318, 5, whole=True), 1),
    ],
)
def test_labels_of_one_axis_differ(axis: Axis, count: int) -> None:
    """However near each other the ticks are."""
    labels = [axis.label(tick) for tick in axis.ticks]
    assert len(set(labels)) == len(labels) or count == 1
    assert len(labels) >= count


@pytest.mark.parametrize("values", [[math.nan] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_export_gives_all_points_of_what_has_no_axes(values: list[float]) -> None:
    """Also where nothing could be drawn."""
    made = plot(subject(loss=values), width=15)
    assert export.content_of(made, "csv").count("\n") == 6
    assert len(json.loads(export.content_of(made, "json"))[0]["points"]) == 5


def test_a_legend_of_least_values_always_shows_a_run() -> None:
    """One row is enough for the topmost."""
    runs = (subject(0, loss=[4.0]), subject(1, loss=[7.0]))
    (line,) = legend.legend("loss", runs, plot(*runs), 40, 1, "min", None)
    assert "run-1" in "".join(text for text, _ in line)


def test_names_of_any_length_are_exported(tmp_path: Path) -> None:
    """File names are cut by bytes."""
    name = "\U00020000" * 90
    assert Path(export.write(plot(subject(**{name: [1.0]}), metric=name), "csv", str(tmp_path))).exists()
