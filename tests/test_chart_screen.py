"""Charts as a person meets them: many runs at once, keys, mouse, and what leaves the terminal."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tracker
from support import tell
from terminal import Terminal, environment

DASHBOARD = ["-m", "tracker_tui"]


def make_run(root: Path, name: str, offset: float = 0.0, rows: int = 11, **arguments: object) -> None:
    """A finished run whose loss falls from `offset + 10` to `offset`, with sections; one made later has a later id."""
    run_id = f"id{len(list(root.glob('*/*.jsonl')))}"
    run = tracker.init(project="vision", name=name, id=run_id, dir=root, **arguments)  # type: ignore[arg-type]
    run.define_metric("val/*", step_metric="epoch")
    for step in range(rows):
        row = {"train/loss": offset + rows - 1 - step, "train/acc": step / rows, "lr": 0.1, "epoch": step // 2}
        run.log(row | ({"val/loss": offset + step} if step % 2 else {}))
    run.finish()


def shows(pattern: str) -> Callable[[Terminal], bool]:
    return lambda terminal: re.search(pattern, terminal.text) is not None


def lacks(pattern: str) -> Callable[[Terminal], bool]:
    """The status line tells the folder, which is named after the test."""
    return lambda terminal: re.search(pattern, "\n".join(terminal.lines[:-2])) is None


def has_curve(terminal: Terminal) -> bool:
    return any("\u2801" <= sign <= "\u28ff" for sign in terminal.text)


# ---- many runs ----


def test_a_project_shows_its_runs_in_one_chart(root: Path) -> None:
    """Under the table, every chart has all of them, told apart by sign, with names and last values beside the data."""
    for number, name in enumerate(["one-ant", "two-bees", "three-cats"]):
        make_run(root, name, offset=number)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 three-cats")
        terminal.step("home")
        terminal.wait_for("2 vision")
        terminal.wait_for(shows(r"train/loss  ▼ 2\b"))
        terminal.wait_for(shows(r"▼ three-\S+ +2 +◆ two-be\S+ +1"))
        terminal.wait_for(shows(r"▲ one-ant +0"))
        terminal.wait_for(shows(r"▲ ✓ one-ant +[▁-█]"))  # the same sign in the tree
        terminal.wait_for(shows(r"▲ ✓ one-ant +finished"))  # and in the table
        terminal.wait_for(lambda t: t.text.count("▲") >= 5)


def test_space_keeps_a_run_in_the_charts_and_p_pins_one_on_top(root: Path) -> None:
    """Marked runs stay while the cursor goes on; the pinned one is told first; both keys undo themselves."""
    for number, name in enumerate(["one-ant", "two-bees", "three-cats"]):
        make_run(root, name, offset=number)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for(shows(r"train/loss  2\b"))
        terminal.press(" ")  # three-cats, and to the next one
        terminal.wait_for("2 two-bees · 2 runs")
        terminal.wait_for(shows(r"train/loss  ◆ 1\b"))
        terminal.press("p")
        terminal.wait_for(shows(r"◆\^✓ two-bees"))
        terminal.press("down")
        terminal.wait_for("2 one-ant · 3 runs")
        terminal.wait_for(shows(r"train/loss  ◆ 1\b"))
        terminal.press("up")
        terminal.wait_for("2 two-bees · 2 runs")
        terminal.step("p", "up", " ")
        terminal.wait_for(lambda t: "2 two-bees ─" in t.text)
        terminal.wait_for(shows(r"train/loss  1\b"))


def test_runs_keep_their_looks(root: Path) -> None:
    """A run has its colour and sign by its age in the project, after every start and whatever else is drawn."""
    for name in ("one-ant", "two-bees"):
        make_run(root, name)
    for keys in ((), ("down",), ("home",)):
        with Terminal([*DASHBOARD, str(root)]) as terminal:
            terminal.wait_for("2 two-bees")
            terminal.press(*keys)
            terminal.wait_for(shows("▲ ✓ one-ant|◆ ✓ two-bees"))
            assert "◆ ✓ one-ant" not in terminal.text
            assert "▲ ✓ two-bees" not in terminal.text


# ---- sections ----


def test_sections_fold_and_filter(root: Path) -> None:
    """enter on a heading folds its charts; `f` shows metrics whose names contain words, esc all again."""
    make_run(root, "one-ant")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for(shows("▾ train  2 ─"))
        terminal.wait_for(shows("▾ metrics  2 ─"))
        terminal.step("tab", "up", "enter")
        terminal.wait_for(shows("▸ train  2 ─"))
        terminal.wait_for(lacks("train/loss  0"))
        terminal.press("enter")
        terminal.wait_for("train/loss  0")
        terminal.press("f")
        terminal.wait_for("words in names")
        terminal.press("lo v")
        terminal.wait_for("1 of 5 metrics")
        terminal.wait_for(lacks("▾ train  2 ─"))
        terminal.press("enter")
        terminal.wait_for("val/loss  9")
        terminal.press("escape")
        terminal.wait_for("▾ train  2 ─")
        terminal.press("f")
        terminal.settle()
        terminal.press("nothing")
        terminal.wait_for("No metric has 'nothing' in its name")


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24)])
def test_enter_gives_one_chart_the_screen(root: Path, columns: int, rows: int) -> None:
    """With a table of values; arrows go to the next metric; enter or esc shows all again."""
    make_run(root, "one-ant")
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("train/loss  0")
        if columns >= 120:
            terminal.step("tab")
        terminal.press("enter")
        terminal.wait_for(shows(r"▲ one-ant +0 +0 @ 10 +10 @ 0"))
        terminal.wait_for(lacks("1 Runs ─"))
        terminal.press("right")
        terminal.wait_for("train/acc  0.909091")
        terminal.press("escape")
        terminal.wait_for("train/loss  0")
        terminal.wait_for(lambda t: ("1 Runs ─" in t.text) == (columns >= 120))


@pytest.mark.parametrize(("columns", "rows"), [(200, 60), (120, 30), (100, 20), (60, 16), (40, 12), (20, 6)])
def test_charts_fit_any_terminal(root: Path, columns: int, rows: int) -> None:
    """From one chart to many side by side, and back while the dashboard is open."""
    make_run(root, "one-ant")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for(has_curve)
        terminal.resize(columns, rows)
        terminal.settle()
        terminal.resize(160, 45)
        terminal.wait_for("val/loss  9")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


# ---- reading values ----


def test_one_crosshair_reads_all_charts(root: Path) -> None:
    """`i` puts it at the end, arrows move it by rows, and each chart tells its value there, over its own x axis."""
    make_run(root, "one-ant")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("val/loss  9")
        terminal.press("tab", "i")  # whether the chart is drawn yet or not
        terminal.wait_for("2 one-ant · at 10")
        terminal.press("left", "left", "left")
        terminal.wait_for("2 one-ant · at 7")
        terminal.wait_for("train/loss  3 @ 7")
        terminal.wait_for("train/acc  0.636364 @ 7")
        terminal.wait_for("val/loss  7 @ 3")
        terminal.step("home")
        terminal.wait_for("train/loss  10 @ 0")
        terminal.press("escape")
        terminal.wait_for(lacks("@"))


def test_the_mouse_is_a_crosshair_and_zooms(root: Path) -> None:
    """Hovering tells values; drawing over a stretch shows only that; `0` shows all again."""
    make_run(root, "one-ant", rows=101)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for(has_curve)
        column, row = terminal.place_of("train/loss  0")
        terminal.point(column + 20, row + 3)
        terminal.wait_for(shows(r"train/loss  \d+ @ \d+"))
        terminal.point(column + 15, row + 3, button=0)
        terminal.point(column + 25, row + 3, button=32)
        terminal.point(column + 25, row + 3, button=0, is_up=True)
        terminal.wait_for(shows(r"train/loss  .*zoom"))
        terminal.point(2, 2)
        terminal.wait_for(lacks("@"))
        terminal.step("0")
        terminal.wait_for(lacks("zoom"))


def test_what_is_not_finite_is_told(root: Path) -> None:
    """A badge in the title and a mark where it was; the legend tells least and greatest values by `b`."""
    run = tracker.init(project="vision", name="holes", id="id0", dir=root)
    for step in range(20):
        run.log({"loss": math.nan if step == 10 else math.inf if step == 12 else step})
    run.finish()
    make_run(root, "other")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 other")
        terminal.press("down")
        terminal.wait_for(shows(r"loss  19 +2 not finite"))
        terminal.wait_for(lambda t: t.text.count("×") == 2)
        terminal.step("home", "tab", "tab", "b")
        terminal.wait_for(shows(r"▲ holes +0 @ 0"))
        terminal.press("b")
        terminal.wait_for(shows(r"▲ holes +19 @ 19"))


# ---- shape ----


def test_settings_are_told_in_the_title_and_remembered(root: Path) -> None:
    """Smoothing, logarithm, outliers and the x axis of a metric, also after opening again; others stay as they are."""
    make_run(root, "one-ant")
    with Terminal([*DASHBOARD, str(root)], columns=200) as terminal:
        terminal.wait_for("train/loss  0")
        terminal.step("tab", "m", "m", "l", "o", "x")
        terminal.wait_for("X axis")
        terminal.press("wall")
        terminal.settle()
        terminal.press("enter")
        terminal.wait_for(shows(r"train/loss  0  log  ~0.8  by clock +1 not above 0"))
        assert re.search(r"train/acc  0.909091 +[^~]*$", terminal.text, re.MULTILINE)
        terminal.press("M")
        terminal.wait_for("log  ~0.5")
        terminal.press("q")
        terminal.wait_for_end()
    with Terminal([*DASHBOARD, str(root)], columns=200) as terminal:
        terminal.wait_for(shows(r"train/loss  0  log  ~0.5  by clock +1 not above 0"))


def test_linked_keys_act_on_all_charts(root: Path) -> None:
    """After `L` one key changes every chart; on a heading, the charts of its section."""
    make_run(root, "one-ant")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("train/loss  0")
        terminal.step("tab", "L")
        terminal.wait_for("linked")
        terminal.press("m")
        terminal.wait_for(lambda t: t.text.count("~0.5") == 5)
        terminal.step("L", "M")
        terminal.wait_for(lambda t: t.text.count("~0.5") == 4)
        terminal.step("up", "m")
        terminal.wait_for(lambda t: t.text.count("~0.5") == 5 or t.text.count("~0.8") == 1)


def test_a_zoomed_chart_follows_the_job(root: Path) -> None:
    """Zoomed to the end, new rows move the window on; panned back, it stays."""
    source = (
        "import tracker\n"
        "run = tracker.init(project='live', name='worker')\n"
        "for step in range(101): run.log({'loss': step})\n"
        "print(flush=True); input()\n"
        "for step in range(101, 201): run.log({'loss': step})\n"
        "input()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        env=environment(TRACKER_DIR=str(root), TRACKER_SILENT="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    with process, Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  100")
        terminal.step("tab", "+")
        terminal.wait_for("zoom, follows")
        terminal.wait_for(shows(r" 50 +\d+ .* 100 "))
        tell(process)
        terminal.wait_for("loss  200")
        terminal.wait_for(shows(r" 150 +\d+ .* 200 "))
        terminal.press("[")
        terminal.wait_for(shows(r"loss  200  zoom +│"))
        terminal.press("0")
        terminal.wait_for(lacks("200  zoom"))
        tell(process)


# ---- out of the terminal ----


@pytest.mark.parametrize("ending", ["csv", "json", "txt", "svg"])
def test_e_exports_the_chart_under_the_cursor(root: Path, ending: str) -> None:
    """Every point as it was logged, or the picture; a second file stands beside the first."""
    make_run(root, "one-<ant>")
    with Terminal([*DASHBOARD, str(root)], cwd=root.parent) as terminal:
        terminal.wait_for(has_curve)
        for name in (f"train-loss.{ending}", f"train-loss-2.{ending}"):
            terminal.step("tab", "e")
            terminal.wait_for("Export train/loss")
            terminal.step(*["down"] * ["csv", "json", "txt", "svg"].index(ending))
            terminal.press("enter")
            terminal.wait_for(lambda _, path=root.parent / name: path.exists() and path.stat().st_size > 0)
            terminal.wait_for("Written: ")
            terminal.step("escape")
    text = (root.parent / f"train-loss.{ending}").read_text()
    assert (root.parent / f"train-loss-2.{ending}").read_text() == text
    losses = [10.0 - step for step in range(11)]
    if ending == "csv":
        header, *rows = csv.reader(text.splitlines())
        assert header == ["project", "run_id", "run_name", "_step", "train/loss"]
        assert [(int(row[3]), float(row[4])) for row in rows] == list(enumerate(losses))
    elif ending == "json":
        (run,) = json.loads(text)
        assert (run["run_name"], run["metric"], run["x"]) == ("one-<ant>", "train/loss", "_step")
        assert run["points"] == [list(point) for point in enumerate(losses)]
    elif ending == "svg":
        picture = ElementTree.fromstring(text)
        assert [each.text for each in picture.iter() if each.tag.endswith("title")] == ["one-<ant>"]
    else:
        assert text.startswith("train/loss  0\n")
        assert "⠑" in text


def test_export_says_what_went_wrong(root: Path) -> None:
    """A folder that cannot be written to is a message, not an end."""
    make_run(root, "one-ant")
    folder = root.parent / "gone"
    folder.mkdir()
    with Terminal([*DASHBOARD, str(root)], cwd=folder) as terminal:
        terminal.wait_for(has_curve)
        folder.rmdir()
        terminal.step("tab", "e")
        terminal.wait_for("Export train/loss")
        terminal.press("enter")
        terminal.wait_for("Not written: ")


# ---- what went wrong once ----


def test_a_crosshair_over_an_x_that_is_no_number_stays(root: Path) -> None:
    """Charts with another x axis just do not show it there."""
    run = tracker.init(project="vision", name="odd", dir=root)
    for step in range(20):
        run.log({"loss": step, "acc": step, "odd": math.nan if step > 10 else step})
    run.finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  19")
        terminal.step("tab", "right", "x")
        terminal.wait_for("X axis")
        terminal.press("odd")
        terminal.settle()
        terminal.press("enter")
        terminal.wait_for("by odd")
        terminal.step("left", "i")
        terminal.wait_for("loss  19 @ 19")
        terminal.press("home")
        terminal.wait_for("loss  0 @ 0")
        terminal.wait_for("acc  0 @ 0")


def test_a_name_given_elsewhere_reaches_the_legends(root: Path) -> None:
    """Though no row comes with it."""
    for name in ("one-ant", "two-bees"):
        make_run(root, name)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 two-bees")
        terminal.step("home")
        terminal.wait_for("◆ two-bees")
        run = tracker.Api(root).runs("vision", {"display_name": "two-bees"})[0]
        run.name = "renamed"
        run.update()
        terminal.wait_for("◆ renamed", 5)


def test_loading_ends(root: Path) -> None:
    """The title says so only as long as it is true."""
    for name in ("one-ant", "two-bees"):
        make_run(root, name, rows=3000)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 two-bees")
        terminal.press(" ")
        terminal.wait_for("2 runs")
        terminal.wait_for(lacks("loading…"), 5)


def test_quick_keys_all_count(root: Path) -> None:
    """Zooming faster than charts are drawn zooms as often."""
    make_run(root, "one-ant", rows=65)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("train/loss  0")
        terminal.step("tab")
        terminal.press("+", "+", "+")
        terminal.wait_for(shows(r" 56 .* 64 "))


def test_one_chart_alone_ends_with_a_run_that_lacks_it(root: Path) -> None:
    """Another metric does not take its place."""
    make_run(root, "one-ant")
    run = tracker.init(project="vision", name="other", id="id9", dir=root)
    run.log({"zeta": 1, "eta": 2})
    run.finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 other")
        terminal.step("down", "tab", "enter")
        terminal.wait_for(lacks("1 Runs ─"))
        terminal.step("escape", "escape", "up")
        terminal.wait_for("zeta  1")
        terminal.wait_for("eta  2")
        terminal.wait_for("1 Runs ─")


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24)])
def test_a_scrolled_pane_is_not_blank_when_there_is_less_to_show(root: Path, columns: int, rows: int) -> None:
    """Going from many charts, scrolled to the end, to a few, by a filter and by another run."""
    many = tracker.init(project="vision", name="many", id="id0", dir=root)
    many.log({f"metric{number:02}": number for number in range(60)} | {"val/loss": 7})
    many.finish()
    few = tracker.init(project="vision", name="few", id="id1", dir=root)
    few.log({"eta": 1, "zeta": 2})
    few.finish()
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("eta  1")
        terminal.step("escape", "1") if columns < 120 else None
        terminal.step("down", "tab")
        terminal.wait_for("2 many")
        terminal.step("end")
        terminal.wait_for("metric59")
        terminal.press("f")
        terminal.wait_for("words in names")
        terminal.press("val")
        terminal.wait_for("val/loss  7")
        terminal.wait_for(has_curve)
        terminal.step("escape", "end")
        terminal.wait_for("metric59")
        terminal.step("escape", "up", "2" if columns < 120 else "tab")
        terminal.wait_for("zeta  2")
        terminal.wait_for(has_curve)


def test_a_folded_section_without_a_name_never_hides_a_run(root: Path) -> None:
    """Where there is no heading to unfold it, its charts are shown."""
    make_run(root, "one-ant")
    run = tracker.init(project="vision", name="plain", id="id9", dir=root)
    run.log({"zeta": 1, "eta": 2})
    run.finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("zeta  1")
        terminal.step("down", "tab", "end", "up")
        terminal.wait_for("▾ metrics")
        terminal.step("enter")
        terminal.wait_for("▸ metrics")
        terminal.step("escape", "up")
        terminal.wait_for("zeta  1")


def test_the_axis_of_a_run_that_ends_fits_it(root: Path) -> None:
    """Though no row comes with the end."""
    run = tracker.init(project="vision", name="ending", dir=root, settings={"x_disable_stats": True})
    for step in range(105):
        run.log({"loss": step})
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for(shows(r" 0 +25 +50 "))
        before = terminal.lines[-4]
        run.finish()
        terminal.wait_for("✓ ending")
        terminal.wait_for(lambda t: t.lines[-4] != before)


def test_hidden_metrics_are_said_to_be(root: Path) -> None:
    """A run that shows nothing says why."""
    run = tracker.init(project="vision", name="secret", dir=root)
    run.define_metric("*", hidden=True)
    run.log({"loss": 1})
    run.finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("All metrics are hidden.")
