"""What a run prints at its start and at its end, and the sparklines in it."""

from __future__ import annotations

import json
import math
import random
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import journal, run_script
from tracker.sparkline import BLOCKS, Sketch, blocks


def end_of(capsys: pytest.CaptureFixture[str], run: tracker.Run) -> list[str]:
    """Finish the run; the lines it prints then, without their prefix."""
    capsys.readouterr()
    run.finish()
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("tracker:") for line in lines)
    return [line.removeprefix("tracker:").removeprefix(" ") for line in lines]


def table(lines: list[str], title: str) -> list[str]:
    """The rows below a title."""
    start = lines.index(title) + 1
    return lines[start : lines.index("", start)]


def line_of(values: list[float]) -> str:
    """The sparkline of these values."""
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch.line()


# ---- the start ----


def test_start_tells_name_file_and_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The start says on stderr what the run is called, where its file is and how to watch it."""
    tracker.init(project="awesome-project", name="jolly-haze-4")
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines() == [
        f"tracker: Run jolly-haze-4 started: runs/awesome-project/{journal(root).name}",
        f"tracker: Watch it with: tracker-tui {root}",
    ]


def test_command_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command to watch a run survives a shell whatever the root is called."""
    odd = tmp_path / "my runs; $HOME"
    tracker.init(dir=odd)
    command = capsys.readouterr().err.splitlines()[-1].partition(": Watch it with: ")[2]
    assert shlex.split(command) == ["tracker-tui", str(odd)]


# ---- the end ----

END = """\
tracker: Run history:
tracker:  accuracy ▁▄▅▇█
tracker:      loss █▄▃▂▁
tracker:
tracker: Run summary:
tracker:  accuracy 0.98
tracker:      loss 0.0312
tracker:
tracker: Run jolly-haze-4 finished. Find logs at: runs/awesome-project/{file}
"""
SCRIPT = """
import tracker
run = tracker.init(project="awesome-project", name="jolly-haze-4")
for accuracy, loss in ((0.1, 1.0), (0.5, 0.5), (0.6, 0.25), (0.85, 0.125), (0.98, 0.0312)):
    run.log({"loss": loss, "accuracy": accuracy})
"""


@pytest.mark.parametrize("ending", ["", "run.finish()", "tracker.finish()"])
def test_end_tells_history_summary_and_file(ending: str, root: Path, tmp_path: Path) -> None:
    """The end, with or without `finish`, says how the metrics went, where they stand and where the file is."""
    done = run_script(tmp_path, SCRIPT + ending)
    assert done.stdout == ""
    assert "".join(done.stderr.splitlines(keepends=True)[2:]) == END.format(file=journal(root).name)


def test_end_is_told_once(tmp_path: Path) -> None:
    """A run that is finished in its script prints nothing more when the process ends."""
    assert run_script(tmp_path, SCRIPT + "run.finish()\n").stderr.count("Find logs at:") == 1


def test_end_of_a_failed_run_comes_with_the_traceback(tmp_path: Path) -> None:
    """An uncaught exception is shown as always, and the run ends as failed."""
    done = run_script(tmp_path, SCRIPT + "raise ValueError('boom')\n")
    assert done.returncode == 1
    assert "Traceback (most recent call last):" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("tracker: Run jolly-haze-4 failed. Find logs at: runs/")
    assert "tracker: Run summary:" in done.stderr


@pytest.mark.parametrize("ending", ["", "run.finish()", "raise SystemExit(3)"])
def test_silence_is_kept(ending: str, tmp_path: Path) -> None:
    """With TRACKER_SILENT set nothing is printed at all, warnings included."""
    source = SCRIPT + "run.log({'loss': object()}, step=1)\n" + ending
    done = run_script(tmp_path, source, env={"TRACKER_SILENT": "1"})
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_silence_is_off(value: str, tmp_path: Path) -> None:
    """TRACKER_SILENT set to something false is as if it were not set."""
    assert "Find logs at:" in run_script(tmp_path, SCRIPT, env={"TRACKER_SILENT": value}).stderr


def test_closed_stderr_does_not_stop_a_run(root: Path, tmp_path: Path) -> None:
    """A job whose stderr is closed runs and ends as any other."""
    source = "import os, sys, tracker\nsys.stderr.close()\nwith tracker.init() as run:\n    run.log({'loss': 1.0})\n"
    assert run_script(tmp_path, source).returncode == 0
    assert tracker.Api(root).runs()[0].state == "finished"


def test_run_without_metrics_has_no_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that logged nothing ends in one line."""
    run = tracker.init(name="empty")
    (line,) = end_of(capsys, run)
    assert line.startswith("Run empty finished. Find logs at: runs/Uncategorized/run-")


def test_failed_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line names the state."""
    run = tracker.init(name="bad")
    capsys.readouterr()
    run.finish(exit_code=1)
    assert "Run bad failed." in capsys.readouterr().err


def test_file_elsewhere_has_its_whole_path(tmp_path_factory: pytest.TempPathFactory, capsys: Any) -> None:
    """A file that is not below the working folder is named by its whole path."""
    run = tracker.init(dir=tmp_path_factory.mktemp("elsewhere"))
    assert end_of(capsys, run)[-1].endswith(f"Find logs at: {run.file}")


@pytest.mark.parametrize("title", ["Run history:", "Run summary:"])
def test_ten_metrics_fit(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten metrics are all listed, in order of name."""
    run = tracker.init()
    run.log({f"m{n}": n for n in reversed(range(10))})
    assert [row.split()[0] for row in table(end_of(capsys, run), title)] == [f"m{n}" for n in range(10)]


@pytest.mark.parametrize("title", ["Run history:", "Run summary:"])
def test_more_than_ten_metrics_are_counted(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of more than ten metrics the first ten are listed and the others counted."""
    run = tracker.init()
    run.log({f"m{n:02}": n for n in range(13)})
    rows = table(end_of(capsys, run), title)
    assert [row.split()[0] for row in rows[:10]] == [f"m{n:02}" for n in range(10)]
    assert rows[10:] == [" +3 ..."]


def test_names_are_aligned_right(capsys: pytest.CaptureFixture[str]) -> None:
    """The longest name stands one blank from the edge, the others end where it ends."""
    run = tracker.init()
    run.log({"a": 1, "abc": 2, "abcdef": 3})
    assert table(end_of(capsys, run), "Run summary:") == ["      a 1", "    abc 2", " abcdef 3"]


def test_private_and_nested_values_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Names with a leading underscore and values that are mappings are not listed."""
    run = tracker.init()
    run.log({"loss": 1, "_private": 2})
    run.summary["nested"] = {"a": 1}
    lines = end_of(capsys, run)
    assert table(lines, "Run summary:") == [" loss 1"]
    assert table(lines, "Run history:") == [" loss ▁"]


def test_text_has_no_history(capsys: pytest.CaptureFixture[str]) -> None:
    """A metric that has only ever been text is in the summary alone."""
    run = tracker.init()
    run.log({"phase": "warm-up"})
    lines = end_of(capsys, run)
    assert "Run history:" not in lines
    assert table(lines, "Run summary:") == [" phase warm-up"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.98, "0.98"),
        (0.0312, "0.0312"),
        (0.123456789, "0.12346"),
        (0.000123456789, "0.00012346"),
        (1.23456789e-7, "1.2346e-07"),
        (7099.0, "7099"),
        (7099, "7099"),
        (1234567.25, "1234567.25"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (3e20, "3e+20"),
        (math.nan, "NaN"),
        (True, "True"),
        (None, "None"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
        ("two\nlines", "two lines"),
    ],
    ids=repr,
)
def test_values_are_short(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Floats have five decimals or five significant figures at most, text 20 characters on one line."""
    run = tracker.init()
    run.summary["x"] = value
    assert table(end_of(capsys, run), "Run summary:") == [f" x {shown}"]


def test_nothing_printed_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences and line breaks in names and values are not printed."""
    evil = "\x1b]52;c;eA==\x07\x9b31m\u202e\n\r"
    run = tracker.init(name=evil + "job")
    run.log({evil + "logged": evil + "text", evil: object()})
    run.log({evil: 1}, step=0)
    run.summary[evil + "by hand"] = evil
    run.finish()
    errors = capsys.readouterr().err
    assert "job finished" in errors
    assert "logged" in errors
    assert "by hand" in errors
    assert [line for line in errors.splitlines() if not line.isprintable()] == []
    assert all(line.startswith("tracker:") for line in errors.splitlines())


# ---- sparklines ----


def test_sparkline_has_a_cell_a_value() -> None:
    """Up to 40 values have a cell each."""
    assert [len(line_of([float(n) for n in range(count)])) for count in (0, 1, 39, 40)] == [0, 1, 39, 40]


@pytest.mark.parametrize("count", [41, 64, 65, 100, 1000, 12_345])
def test_sparkline_has_forty_cells_at_most(count: int) -> None:
    """However many values there are, the line has at most 40 cells, and most of them are used."""
    assert 20 <= len(line_of([float(n) for n in range(count)])) <= 40


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 1.0],
        [float(n) for n in range(8)],
        [float(n) for n in range(15)],
        [float(n) for n in range(29)],
        [-3.0, 5.0, 2.5, -3.0, 4.75],
        [random.Random(n).gauss(0, 1e6) for n in range(40)],
        [random.Random(n).random() * 1e-9 for n in range(40)],
    ],
    ids=["two", "eight", "ties", "more ties", "negative", "large", "small"],
)
def test_sparkline_scales_between_extremes(values: list[float]) -> None:
    """A cell is the block of the value's rounded share of the range."""
    low, span = min(values), max(values) - min(values)
    assert line_of(values) == "".join("▁▂▃▄▅▆▇█"[round((value - low) * 7 / span)] for value in values)


@pytest.mark.parametrize("value", [0.0, -5.0, 1e308, 1e-308])
def test_constant_is_low(value: float) -> None:
    """A metric that never changes is a line of the lowest block."""
    assert line_of([value] * 5) == "▁▁▁▁▁"


def test_not_finite_values_are_blank() -> None:
    """NaN and the infinities are spaces and do not count for the scale."""
    assert line_of([0.0, math.nan, 7.0, math.inf, -math.inf, 1.0]) == "▁ █  ▂"


def test_all_blank() -> None:
    """A metric that was never finite is a line of spaces."""
    assert line_of([math.nan] * 3) == "   "


def test_range_may_exceed_a_float() -> None:
    """The greatest and the least number there are make a line as any others."""
    assert line_of([-1.7e308, 0.0, 1.7e308]) in ("▁▄█", "▁▅█")


def test_sparkline_is_deterministic() -> None:
    """The same values always make the same line."""
    values = [random.Random(n).gauss(0, 1) for n in range(5000)]
    assert line_of(values) == line_of(list(values))


@pytest.mark.parametrize("seed", range(5))
def test_extremes_are_kept(seed: int) -> None:
    """One high and one low value among 100,000 both show."""
    source = random.Random(seed)
    values = [source.random() for _ in range(100_000)]
    high, low = source.randrange(0, 45_000), source.randrange(55_000, 100_000)
    values[high], values[low] = 50.0, -50.0
    line = line_of(values)
    assert line.count("█") == line.count("▁") == 1
    assert line.index("█") == pytest.approx(high / 100_000 * len(line), abs=1)
    assert line.index("▁") == pytest.approx(low / 100_000 * len(line), abs=1)


@pytest.mark.parametrize("count", [0, 1, 40, 64, 65, 1000, 4097])
def test_sketch_survives_json(count: int) -> None:
    """A sketch that was kept in a checkpoint goes on as the one that was not."""
    kept = Sketch()
    for n in range(count):
        kept.add(math.nan if n % 10 == 3 else (n * 37 % 101) / 4)
    loaded = Sketch.load(json.loads(json.dumps(kept.dump(), allow_nan=False)))
    assert loaded.line() == kept.line()
    for n in range(500):
        kept.add(n / 4)
        loaded.add(n / 4)
    assert loaded.line() == kept.line()


def test_sketch_is_bounded() -> None:
    """The sketch of a long metric is as small as that of a short one."""
    sketch = Sketch()
    for n in range(50_000):
        sketch.add(math.sin(n))
    assert len(json.dumps(sketch.dump())) < 2000


def test_job_and_reader_draw_the_same_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The line a reader makes of the history is the one that the job prints."""
    run = tracker.init(project="p")
    for step in range(700):
        run.log({"loss": math.sin(step / 50)})
    (row,) = table(end_of(capsys, run), "Run history:")
    found = tracker.Api(tmp_path / "runs").run(f"p/{run.id}")
    assert row == f" loss {line_of([row['loss'] for row in found.history(samples=10**9, pandas=False)])}"
    assert re.fullmatch(f" loss [{BLOCKS}]{{20,40}}", row)


def test_blocks_take_any_values() -> None:
    """`blocks` is one cell a value, none for none."""
    assert (blocks([]), blocks([1.0]), blocks([1.0, 2.0])) == ("", "▁", "▁█")


def test_a_dumped_sketch_draws_the_same_line() -> None:
    """Also where the values differ only in their last digits; no cell is off by more than one step."""
    for values in ([100_000 + 3 * math.sin(i / 9) for i in range(500)], [2.3025 + (i % 7) * 1e-4 for i in range(50)]):
        sketch = Sketch()
        for value in values:
            sketch.add(value)
        loaded = Sketch.load(json.loads(json.dumps(sketch.dump()))).line()
        assert all(abs(BLOCKS.index(a) - BLOCKS.index(b)) <= 1 for a, b in zip(loaded, sketch.line(), strict=True))
