"""Charts of the machine: in units, by device, over time, below those of metrics and linked with them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from support import StartScript, tell, wait_line, write_journal
from terminal import Terminal
from test_chart import column, plot, subject, text_of
from test_chart_screen import DASHBOARD, has_curve, lacks, shows
from tracker_tui import export, gauges, legend
from tracker_tui.grid import Place, Section, lay_out
from tracker_tui.kinds import sections
from tracker_tui.plot import Subject, step_at, x_at
from tracker_tui.views import RELATIVE, STEP, WALL, View

GPU = {"gpu": 87, "memoryAllocatedBytes": 20 << 30, "temp": 71, "powerWatts": 210.4}
SAMPLE = {"cpu": 34.2, "proc.memory.rssMB": 12_700.0, "memory_percent": 55.5, "network.sent": 3 << 30}


def with_system(start: float = 1000.0, **values: list[float]) -> Subject:
    """A run with a row and a sample every second; underscores of names stand for dots."""
    made = subject(start=start, loss=[5.0, 4.0, 3.0])
    for name, column_values in values.items():
        times = [start + second for second in range(len(column_values))]
        made.history.system[name.replace("_", ".")] = column(column_values, times)
        made.history.system_times = column(times, times)
    return made


def title_of(metric: str, *values: float, **how: Any) -> str:
    made = subject(loss=[1.0])
    times = [1000.0 + second for second in range(len(values))]
    made.history.system[metric] = column(values, times)
    made.history.system_times = column(times, times)
    drawn = plot(made, metric=gauges.PREFIX + metric)
    return "".join(text for text, _ in legend.title(drawn.order.metric, (made,), View(), drawn, 60, **how)).rstrip()


# ---- words, units, axes ----


@pytest.mark.parametrize(
    ("metric", "value", "title"),
    [
        ("cpu", 34.0, "cpu  34 %"),
        ("proc.memory.rssMB", 12_698.0, "memory  12.4 GiB"),
        ("proc.memory.availableMB", 512.0, "machine memory left  0.5 GiB"),
        ("proc.cpu.threads", 12, "threads  12"),
        ("disk./.usageGB", 1853.27, "/ used  1853 GiB"),
        ("disk.nvme0n1.in", 3.2, "nvme0n1 read  0.0031 GiB"),
        ("network.recv", 5 << 30, "received  5 GiB"),
        ("gpu.3.gpu", 100, "busy  100 %"),
        ("gpu.3.temp", 71, "temperature  71 °C"),
        ("gpu.3.powerWatts", 210.46, "power  210 W"),
        ("gpu.3.fan", 7.5, "gpu.3.fan  7.5"),
        ("fan", 1e6, "fan  1e+06"),
        ("fan", -1e299, "fan  -1e+299"),
        ("fan", 1e-9, "fan  1e-09"),
        ("cpu", 0, "cpu  0 %"),
    ],
)
def test_titles_say_what_it_is_and_in_which_unit(metric: str, value: float, title: str) -> None:
    """In plain words; what nobody knows has its own name."""
    assert title_of(metric, value, value) == title


def test_a_chart_alone_says_of_what_it_is() -> None:
    """There is no heading over it."""
    assert title_of("gpu.3.temp", 71, 72, is_alone=True) == "system gpu 3 temperature  72 °C"


def test_sections_are_devices() -> None:
    """In the order of their numbers, below all that was logged; a metric of that name is none of them."""
    names = ["network.sent", "gpu.10.temp", "gpu.2.temp", "gpu.2.gpu", "disk.sda.in", "proc.memory.rssMB", "cpu", "fan"]
    found = sections([*(gauges.PREFIX + name for name in names), "system/cpu", "loss"])
    assert [(gauges.heading(section), len(metrics)) for section, metrics in found] == [
        ("metrics", 1),
        ("system", 1),
        ("system", 3),
        ("system gpu 2", 2),
        ("system gpu 10", 1),
        ("system disk", 1),
        ("system network", 1),
    ]
    assert [gauges.label(name) for name in found[2][1]] == ["system cpu", "system memory", "system fan"]
    assert [gauges.label(name) for name in found[3][1]] == ["system gpu 2 busy", "system gpu 2 temperature"]


@pytest.mark.parametrize(
    ("metric", "values", "bounds"),
    [
        ("gpu.0.gpu", [40, 60], (0, 100)),
        ("cpu", [3, 4], (0, 4)),
        ("proc.memory.rssMB", [1024, 2048], (0, 2)),
        ("network.sent", [0, 0], (0, 1)),
    ],
)
def test_axes_begin_at_zero(metric: str, values: list[float], bounds: tuple[float, float]) -> None:
    """And end at 100 where that is the most there can be and is often near."""
    made = with_system()
    made.history.system[metric] = column(values, [1000.0, 1001.0])
    made.history.system_times = column([1000.0, 1001.0], [1000.0, 1001.0])
    drawn = plot(made, metric=gauges.PREFIX + metric)
    assert drawn.y is not None
    assert (drawn.y.low, drawn.y.high) == bounds


@pytest.mark.parametrize(("chosen", "used"), [("", RELATIVE), (STEP, RELATIVE), ("loss", RELATIVE), (WALL, WALL)])
def test_the_x_axis_is_time(chosen: str, used: str) -> None:
    """Since the start, or the clock where the view says so; never a step."""
    made = with_system(cpu=[1.0, 2.0, 3.0])
    drawn = plot(made, metric=gauges.PREFIX + "cpu", view=View(x=chosen))
    assert drawn.x_name == used
    assert list(drawn.series[0].xs) == ([0.0, 1.0, 2.0] if used == RELATIVE else [1000.0, 1001.0, 1002.0])
    assert text_of(drawn)


def test_a_curve_goes_on_with_its_samples() -> None:
    """What was drawn before is not read again."""
    made = with_system(proc_memory_rssMB=[1024.0, 2048.0])
    from tracker_tui.plot import Order, Plotter

    plotter = Plotter()
    order = Order(gauges.PREFIX + "proc.memory.rssMB", (made,), View(), 60, 14)
    first = plotter.plot(order).series[0]
    made.history.extend([{"_type": "system", "_timestamp": 1002.0, "proc.memory.rssMB": 4096.0}])
    second = plotter.plot(order).series[0]
    assert second is first
    assert list(second.ys) == [1.0, 2.0, 4.0]


def test_steps_and_times_are_linked() -> None:
    """A step has its time on a chart of the machine, a time there the step of the row that is nearest."""
    made = with_system(cpu=[1.0, 2.0, 3.0])
    assert x_at(made, RELATIVE, 2) == 2.0
    assert step_at(made, RELATIVE, 1.2) == 1.0
    assert x_at(with_system()._replace(history=type(made.history)()), RELATIVE, 2) is None


def test_the_machine_stands_on_a_page_of_its_own() -> None:
    """Of which the others give room to one line; alone it has all the room."""
    above = [Section("", ["a", "b"]), Section("val", ["c"])]
    below = [Section("_system", ["d", "e"], is_below=True), Section("_system gpu 0", ["f"], is_below=True)]
    slots = lay_out([*above, *below], 80, 40)
    (heading,) = [slot for slot in slots if slot.place == Place("_system", is_heading=True)]
    assert heading.y == 39
    assert [slot for slot in slots if slot.y < 39] == lay_out(above, 80, 38)
    alone = lay_out(below, 80, 40)
    assert [slot._replace(y=slot.y - 39) for slot in slots if slot.y >= 39] == alone
    assert max(slot.y + slot.height for slot in alone) == 40


def test_exported_values_have_the_unit_of_the_chart() -> None:
    """It stands in the heading."""
    drawn = plot(with_system(proc_memory_rssMB=[1024.0, 2048.0]), metric=gauges.PREFIX + "proc.memory.rssMB")
    rows = list(csv.reader(export.content_of(drawn, "csv").splitlines()))
    assert rows[0] == ["project", "run_id", "run_name", "_runtime", "system memory (GiB)"]
    assert [row[3:] for row in rows[1:]] == [["0.0", "1.0"], ["1.0", "2.0"]]
    assert json.loads(export.content_of(drawn, "json"))[0]["metric"] == "system memory (GiB)"
    assert "system memory  2 GiB" in export.content_of(drawn, "txt")
    assert "system memory  2 GiB" in export.content_of(drawn, "svg")


# ---- on a terminal ----


def make_run(
    root: Path, rows: int = 11, gpus: int = 1, name: str = "one-ant", samples: int = 11, number: int = 1
) -> None:
    """A run of some seconds: a row and a sample each."""
    begin = 1_767_268_800.0
    start = {"_type": "start", "_timestamp": begin, "format": 1, "id": f"id{number}", "project": "p", "name": name}
    records: list[dict[str, Any]] = [start | {"config": {}}]
    for second in range(max(rows, samples)):
        at = {"_timestamp": begin + second}
        if second < rows:
            records.append({"_step": 10 * second, **at, "loss": rows - 1 - second, "lr": 0.1})
        if second < samples:
            values = SAMPLE | {f"gpu.{index}.{key}": value for index in range(gpus) for key, value in GPU.items()}
            records.append({"_type": "system", **at, **values, "cpu": 30 + second})
    records.append({"_type": "end", "_timestamp": begin + max(rows, samples), "exit_code": 0})
    write_journal(root, records, run_id=f"id{number}", stamp=f"2026010{number}_120000")


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24)])
def test_5_goes_to_the_machine_and_back(root: Path, columns: int, rows: int) -> None:
    """Its charts come into sight, by device; pressed there it folds them, and the cursor is where it was."""
    make_run(root, gpus=2)
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("loss  0")
        terminal.step("5")
        terminal.wait_for(shows(r"▾ system  3 ─"))
        terminal.wait_for("cpu  40 %")
        terminal.wait_for("memory  12.4 GiB")
        terminal.wait_for(has_curve)
        terminal.wait_for(lacks("loss  0"))
        terminal.press("5")
        terminal.wait_for("loss  0")
        terminal.wait_for(lacks("▾ system"))
        terminal.step("end")
        terminal.wait_for(shows(r"▸ system  12 ─"))
        terminal.press("5")
        terminal.wait_for("cpu  40 %")
        terminal.step("end")
        terminal.wait_for(shows("▾ system network  1 ─"))
        terminal.wait_for("sent  3 GiB")


def test_the_crosshair_is_one_on_all(root: Path) -> None:
    """A step on a metric is its time on the machine, and the other way round."""
    make_run(root, gpus=0)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0")
        terminal.step("tab", "i", "left", "left", "left")
        terminal.wait_for("loss  3 @ 70")
        terminal.step("escape", "5")  # from the crosshair
        terminal.wait_for("cpu  40 %")
        terminal.step("i")
        terminal.wait_for("cpu  40 % @ 10s")
        terminal.step("left", "left", "left", "left")
        terminal.wait_for("cpu  36 % @ 6s")
        terminal.wait_for("memory  12.4 GiB @ 6s")
        terminal.step("home")
        terminal.step("up", "up")
        terminal.wait_for("lr  0.1 @ 0")


def test_a_step_is_seen_as_a_time(root: Path) -> None:
    """A chart of the machine that comes into sight has the crosshair at the step's time."""
    make_run(root, gpus=0)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0")
        terminal.step("tab", "i", "left", "left", "left")
        terminal.wait_for("loss  3 @ 70")
        terminal.step("down", "down", "down")
        terminal.wait_for("cpu  37 % @ 7s")


def test_a_run_without_rows_shows_its_machine(root: Path) -> None:
    """And says that there are none."""
    make_run(root, rows=0)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 one-ant · no rows")
        terminal.wait_for("cpu  40 %")
        terminal.wait_for(has_curve)


def test_a_run_without_samples_has_none_to_show(root: Path) -> None:
    """The key says so."""
    make_run(root, samples=0)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0")
        assert "system" not in terminal.text
        terminal.press("5")
        terminal.wait_for("Nothing was sampled of a machine here.")


def test_a_chart_of_the_machine_alone(root: Path) -> None:
    """With its values in a table, and its device in the title; esc shows all again."""
    make_run(root)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0")
        terminal.step("5", "enter")
        terminal.wait_for("system cpu  40 %")
        terminal.wait_for(shows(r"one-ant +40 +30 @ 0s? +40 @ 10s"))
        terminal.press("right")
        terminal.wait_for("system memory  12.4 GiB")
        terminal.step("escape")
        terminal.wait_for("▾ system")


def test_the_filter_finds_charts_of_the_machine(root: Path) -> None:
    """By the words that stand on the screen."""
    make_run(root)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0")
        terminal.press("f")
        terminal.wait_for("words in names")
        terminal.press("gpu temp")
        terminal.wait_for("1 of 10 metrics")
        terminal.wait_for("temperature  71 °C")


def test_several_runs_are_laid_over_each_other(root: Path) -> None:
    """As in every other chart."""
    make_run(root, gpus=0)
    make_run(root, gpus=0, name="two-bees", number=2)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 two-bees")
        terminal.step("home", "5")
        terminal.wait_for(shows(r"cpu  ◆ 40 %"))
        terminal.wait_for(shows(r"▲ one-ant +40"))


def test_x_of_the_machine_is_a_time(root: Path) -> None:
    """Nothing else can be chosen."""
    make_run(root)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0")
        terminal.step("5", "x")
        terminal.wait_for("wall time")
        assert "as the job defined it" not in terminal.text
        terminal.step("down", "enter")
        terminal.wait_for("cpu  40 %  by clock")


def test_a_job_that_runs_is_seen_at_once(root: Path, start: StartScript) -> None:
    """Its first samples are on the screen soon after its first row."""
    source = (
        "import sys, tracker\n"
        "run = tracker.init(project='p', settings={'x_stats_sampling_interval': 0.1})\n"
        "run.log({'loss': 1})\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    process = start(source, env={"TRACKER_SILENT": "1"})
    wait_line(process, "ready")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  1")
        terminal.wait_for(shows(r"▾ system  \d ─"))
        terminal.step("5")
        terminal.wait_for(shows(r"cpu  \S+ %"))
        terminal.wait_for(has_curve)
    tell(process)
    assert process.wait() == 0
