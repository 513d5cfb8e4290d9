"""The dashboard as a person meets it: in a real terminal, on real files, beside real jobs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tracker
from terminal import TREE, Terminal, environment

DASHBOARD = ["-m", "tracker_tui"]
SIZES = [(160, 45), (80, 24)]


def make_run(root: Path, name: str, project: str = "moons", rows: int = 5, **arguments: object) -> tracker.Run:
    """A run with a falling loss, still open."""
    run = tracker.init(project=project, name=name, dir=root, **arguments)  # type: ignore[arg-type]
    for step in range(rows):
        run.log({"loss": 1 / (step + 1), "accuracy": step / 10})
    return run


def job(root: Path, source: str) -> subprocess.Popen[str]:
    """A job that runs beside the dashboard; it writes a line when it wants to be waited for."""
    return subprocess.Popen(
        [sys.executable, "-c", source],
        env=environment(TRACKER_DIR=str(root), TRACKER_SILENT="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def tell(process: subprocess.Popen[str]) -> None:
    """Let the job take its next step."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_run_is_shown_with_state_name_charts_and_overview(root: Path, columns: int, rows: int) -> None:
    """Tree, charts with their last values and overview of a finished run are there without a key pressed."""
    make_run(root, "tidy-otter-1", config={"lr": 0.25}).finish()
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("loss  0.2")
        terminal.wait_for("accuracy  0.4")
        if columns < 120:
            terminal.press("1")
        terminal.wait_for("✓ tidy-otter-1")
        terminal.wait_for("▾ moons")
        if columns < 120:
            terminal.press("3")
        terminal.wait_for(lambda t: re.search(r"✓ finished.*lr +0\.25", t.text, re.DOTALL) is not None)
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_last_values_have_six_digits(root: Path) -> None:
    """7099 reads 7099, and 0.123456789 reads 0.123457."""
    run = tracker.init(dir=root, name="digits")
    run.log({"big": 7099.0, "small": 0.123456789})
    run.finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("big  7099 ")
        terminal.wait_for("small  0.123457 ")


def test_new_rows_and_states_appear_by_themselves(root: Path) -> None:
    """A running job's rows change the chart's value; its end changes its state."""
    source = (
        "import tracker\n"
        "run = tracker.init(project='live', name='worker')\n"
        "for value in (7, 8, 9):\n"
        "    run.log({'loss': value / 2})\n"
        "    print('logged', flush=True)\n"
        "    input()\n"
    )
    process = job(root, source)
    assert process.stdout is not None
    process.stdout.readline()
    with process, Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  3.5")
        terminal.wait_for("● worker")
        tell(process)
        terminal.wait_for("loss  4 ", 3)
        tell(process)
        terminal.wait_for("loss  4.5", 3)
        tell(process)
        terminal.wait_for("✓ worker", 3)


def test_a_killed_job_is_seen_within_two_seconds(root: Path) -> None:
    """SIGKILL leaves nothing behind, and the dashboard says crashed at once."""
    process = job(root, "import tracker; tracker.init(name='doomed').log({'loss': 1}); print(flush=True); input()")
    assert process.stdout is not None
    process.stdout.readline()
    with process, Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("● doomed")
        process.kill()
        terminal.wait_for("! doomed", 2)
        terminal.wait_for("! crashed")


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_runs_says_what_to_do_next(root: Path, exists: bool) -> None:
    """An empty or missing folder teaches the first script, and a run that starts later is shown with its charts."""
    if exists:
        root.mkdir()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("tracker.init(")
        terminal.wait_for("tracker-tui demo")
        run = make_run(root, "late-lark-1")
        terminal.wait_for("● late-lark-1", 5)
        terminal.wait_for("loss  0.2", 5)
        run.finish()
        terminal.wait_for("✓ late-lark-1", 5)


def test_the_newest_running_run_is_shown_first(root: Path) -> None:
    """At the start a run that runs is under the cursor, though a newer one has ended."""
    running = make_run(root, "still-running")
    source = "import tracker; tracker.init(project='moons', name='newer').finish()"
    with job(root, source) as process:
        process.wait()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 still-running")
    running.finish()


def test_a_project_shows_a_table_of_its_runs(root: Path) -> None:
    """On a project the centre lists its runs with state, step and last values; enter opens one."""
    make_run(root, "first", rows=3).finish()
    make_run(root, "second", rows=5, group="folds").finish(exit_code=1)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 second")
        terminal.press("up", "up")
        terminal.wait_for("2 moons")
        terminal.wait_for(lambda t: re.search(r"first +finished +2 .*0\.333333", t.text) is not None)
        terminal.wait_for(lambda t: re.search(r"second +failed +4 .*0\.2", t.text) is not None)
        terminal.press("enter")
        terminal.settle()
        terminal.press("down", "enter")
        terminal.wait_for("2 first")


def test_groups_are_branches(root: Path) -> None:
    """Runs of a group stand under it; closing the branch hides them and keeps their count."""
    make_run(root, "fold-a", group="folds").finish()
    make_run(root, "fold-b", group="folds").finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("fold-a")
        terminal.wait_for(lambda t: re.search(r"▾ folds +✓2", t.text) is not None)
        terminal.press("h", "h")
        terminal.wait_for(lambda t: any(re.search(r"▸ folds +✓2", line) for line in t.lines))
        terminal.wait_for(lambda t: not any("fold-a" in line[:38] for line in t.lines))


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_r_renames_while_the_job_goes_on(root: Path, columns: int, rows: int) -> None:
    """The new name is in the tree, in the files, in `Api`, in the job's last words and after reopening."""
    source = (
        "import os, tracker\n"
        "run = tracker.init(project='live', name='old-name')\n"
        "run.log({'loss': 1.5}); print(flush=True); input()\n"
        "run.log({'loss': 0.5}); del os.environ['TRACKER_SILENT']; run.finish()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        env=environment(TRACKER_DIR=str(root), TRACKER_SILENT="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("loss  1.5")
        terminal.press("r")
        terminal.wait_for("Rename run")
        terminal.press(*["backspace"] * 8)
        terminal.settle()
        terminal.press("new name")
        terminal.settle()
        terminal.press("enter")
        terminal.wait_for("2 new name", 3)
        assert tracker.Api(root).runs("live")[0].name == "new name"
        _, errors = process.communicate("\n", timeout=10)
        assert "Run new name finished" in errors
        terminal.wait_for("loss  0.5", 3)
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("2 new name")


def test_escape_leaves_the_old_name(root: Path) -> None:
    """Leaving the input writes nothing."""
    make_run(root, "keep-me").finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.2")
        terminal.press("r")
        terminal.wait_for("Rename run")
        terminal.press("zzz")
        terminal.wait_for("keep-mezzz")
        terminal.press("escape")
        terminal.wait_for(lambda t: "Rename run" not in t.text and "zzz" not in t.text)
    assert list(root.glob("*/edits-*")) == []


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_foreign_text_never_commands_the_terminal(root: Path, columns: int, rows: int) -> None:
    """Escape sequences, bidi marks and endless text in names, keys and values reach no terminal."""
    evil = "\x1b]52;c;ZXZpbA==\x07\x1b[31m\u202eevil\x00\x9b5n"
    run = tracker.init(
        dir=root,
        project="e\u202evil",
        name=evil + "x" * 10_000,
        config={evil: evil},
        notes=evil,
        tags=["\x1b[5m"],
        group=evil,
    )
    run.log({evil: 1.0, "loss": 2.0, "text": evil})
    run.finish()
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("loss  2")
        if columns < 120:
            terminal.step("3", "end")  # the command line may be long
        terminal.wait_for("Config")
        terminal.press("1", "up", "up")
        terminal.wait_for("evil")
        for bad in (b"\x1b]52", b"\x1b[31m", "\u202e".encode(), b"\x1b[5m", b"\x00", b"\xc2\x9b"):
            assert bad not in terminal.raw


def test_bad_files_are_passed_over_and_counted(root: Path) -> None:
    """Binary, empty and torn journals are listed by their names or skipped; the good run is shown beside them."""
    make_run(root, "good-one").finish()
    project = root / "moons"
    (project / "run-20240101_000000-binary00.jsonl").write_bytes(bytes(range(256)) * 40 + b"\n")
    (project / "run-20240101_000001-empty000.jsonl").touch()
    (project / "run-20240101_000002-torn0000.jsonl").write_bytes(b'{"_step":0,"loss":1}\n{"_step":1,"lo')
    (project / "run-20240101_000003-folder00.jsonl").mkdir()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("good-one")
        terminal.wait_for("torn0000")
        terminal.wait_for("binary00")
        terminal.wait_for("bad line")


def test_resizing_moves_between_one_pane_and_three(root: Path) -> None:
    """From 160 columns to 80 and back, the panes follow without a broken frame."""
    make_run(root, "elastic").finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.2")
        terminal.resize(80, 24)
        terminal.wait_for(lambda t: t.lines[0].strip().startswith("1 Runs  2 Charts  3 Overview"))
        terminal.wait_for("loss  0.2")
        terminal.resize(160, 45)
        terminal.wait_for(lambda t: "─ 1 Runs" in t.lines[0] and "3 Overview" in t.lines[0])
        terminal.wait_for("loss  0.2")


def test_a_terminal_that_cannot_move_its_cursor_is_refused(root: Path) -> None:
    """TERM=dumb gets one clear line and exit code 2."""
    with Terminal([*DASHBOARD, str(root)], env={"TERM": "dumb"}) as terminal:
        assert terminal.wait_for_end() == 2
        terminal.wait_for("needs a terminal")


def test_demo_shows_live_jobs_and_leaves_nothing(tmp_path: Path) -> None:
    """The demo's jobs train on the screen; quitting ends them and removes their folder."""
    with Terminal([*DASHBOARD, "demo"], env={"TMPDIR": str(tmp_path)}) as terminal:
        terminal.wait_for("train/loss")
        folder = next(tmp_path.glob("tracker-demo-*"))
        runs = tracker.Api(folder).runs() if list(folder.glob("*/run-*")) else tracker.Api(folder / "runs").runs()
        assert runs
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    assert list(tmp_path.iterdir()) == []


def test_digits_end_to_end(tmp_path: Path) -> None:
    """A real training job beside the dashboard: it appears, its accuracy moves, it is renamed, it finishes."""
    root = tmp_path / "runs"
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("tracker.init(")
        script = TREE / "tests" / "examples" / "train_digits.py"
        process = subprocess.Popen(
            [sys.executable, str(script), "--epochs", "30", "--pace", "0.2"],
            env=environment(TRACKER_DIR=str(root)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            terminal.wait_for("val/accuracy  0.", 20)
            before = re.search(r"val/accuracy  (\S+)", terminal.text)
            assert before is not None
            terminal.wait_for(lambda t: (now := re.search(r"val/accuracy  (0\.\S+)", t.text)) and now[1] != before[1])
            terminal.press("r")
            terminal.wait_for("Rename run")
            terminal.press(" renamed")
            terminal.wait_for(" renamed ")
            terminal.press("enter")
            terminal.wait_for(lambda t: " renamed" in t.lines[0])
            terminal.wait_for(lambda t: any("✓" in line and "renamed" in line for line in t.lines), 30)
            _, errors = process.communicate(timeout=10)
    assert re.search(r"Run .* renamed finished", errors)
    (described,) = json.loads(
        subprocess.run(
            [sys.executable, *DASHBOARD, "ls", "--json", str(root)],
            env=environment(),
            capture_output=True,
            check=True,
        ).stdout
    )
    assert described["name"].endswith(" renamed")
    assert described["state"] == "finished"
    assert described["summary"]["val/accuracy"] > 0.85


@pytest.mark.parametrize(("columns", "rows", "keys"), [(80, 24, "121323121"), (160, 45, "kjkjkjkjkjkjkjkjkjkj")])
def test_panes_may_hide_while_rows_come_in(root: Path, columns: int, rows: int, keys: str) -> None:
    """Charts of a busy run that are hidden between two drawings do no harm, and what is shown again is up to date."""
    source = (
        "import time, tracker\n"
        "run = tracker.init(project='live', name='busy')\n"
        "for step in range(100_000):\n"
        "    run.log({'loss': 1 / (step + 1), 'accuracy': step})\n"
        "    if step == 300: print(flush=True)\n"
        "    time.sleep(0.002)\n"
    )
    process = job(root, source)
    assert process.stdout is not None
    process.stdout.readline()
    with process, Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("accuracy  ")
        for key in keys:
            terminal.press(key)
            terminal.settle(0.05)
        process.terminate()
        terminal.wait_for("■ busy")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_a_newcomer_gets_from_the_readme_to_a_killed_run(tmp_path: Path) -> None:
    """The README's script and command: watched within a minute, renamed with `r`, stopped with Ctrl-C, seen killed."""
    script = readme_example().replace("10", "10000") + "        import time; time.sleep(0.1)\n"
    (tmp_path / "train.py").write_text(script, encoding="utf-8")
    with Terminal(["train.py"], 100, 30, cwd=tmp_path) as shell:
        shell.wait_for("epoch=0")
        with Terminal(DASHBOARD, 120, 40, cwd=tmp_path) as terminal:
            terminal.wait_for("● ", 60)
            terminal.wait_for("accuracy  ")
            terminal.press("r")
            terminal.wait_for("Rename run")
            terminal.press(", mine")
            terminal.settle()
            terminal.press("enter")
            terminal.wait_for(lambda t: ", mine" in t.lines[0])
            shell.press("ctrl+c")
            terminal.wait_for("■ killed", 5)
            terminal.wait_for("by SIGINT")
        assert shell.wait_for_end() == -signal.SIGINT
        assert "Run summary:" in shell.text
        assert ", mine killed. Find logs at: runs/awesome-project/run-" in shell.text.replace("\n", "")


def test_the_example_in_the_tree_is_the_readmes() -> None:
    """`tests/examples/quickstart.py` holds the README's script word for word."""
    assert readme_example() in (TREE / "tests/examples/quickstart.py").read_text(encoding="utf-8")


def readme_example() -> str:
    """The script that the README lets a newcomer save."""
    readme = (TREE / "README.md").read_text(encoding="utf-8")
    example = re.search(r"Save this as `train.py`:\n\n```python\n(.*?)```", readme, re.DOTALL)
    assert example is not None
    return example[1]


def test_help_lists_every_key(root: Path) -> None:
    """`?` shows all keys by group, made from the bindings; any of its own keys closes it."""
    make_run(root, "helped").finish()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.2")
        terminal.press("?")
        terminal.wait_for("Rename the run under the cursor")
        for heading in ("Move", "Tree", "Runs", "Panes", "Program"):
            terminal.wait_for(f"  {heading} ")
        terminal.press("q")
        terminal.wait_for(lambda t: "Rename the run" not in t.text)
        terminal.wait_for("helped")


def test_every_binding_can_be_rebound_and_explained() -> None:
    """Each has an id, a description and a tooltip."""
    from textual.binding import Binding

    from tracker_tui.screens.dashboard import Dashboard
    from tracker_tui.screens.help import GROUPS, HelpScreen
    from tracker_tui.screens.rename import RenameScreen
    from tracker_tui.widgets.lines import Lines
    from tracker_tui.widgets.run_tree import RunTree

    for owner in (Dashboard, HelpScreen, RenameScreen, Lines, RunTree):
        for binding in owner.BINDINGS:
            assert isinstance(binding, Binding)
            assert binding.id, binding
            assert binding.description, binding
            assert binding.tooltip, binding
            assert owner in (HelpScreen, RenameScreen) or binding.id.partition(".")[0] in GROUPS


def test_a_projects_folder_may_be_watched_before_its_first_run(root: Path) -> None:
    """Named by itself, missing or empty, it shows the run that starts later."""
    with Terminal([*DASHBOARD, str(root / "moons")]) as terminal:
        terminal.wait_for("There is no folder")
        run = make_run(root, "first-light")
        terminal.wait_for("● first-light", 5)
        run.finish()


def test_strange_numbers_and_names_do_not_end_the_dashboard(root: Path) -> None:
    """Denormal values, endless steps, a folder whose name is no UTF-8."""
    make_run(root, "beside").finish()
    run = tracker.init(dir=root, project="moons", name="tiny")
    run.log({"loss": 0.0})
    run.log({"loss": 5e-324})
    run.finish()
    with open(run.file, "a", encoding="utf-8") as file:
        file.write('{"_step":1.7e308,"loss":1}\n{"_step":-1.7e308,"loss":2}\n')
    os.mkdir(os.fsencode(root) + b"/caf\xe9")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 tiny")
        terminal.wait_for("loss  2")
        terminal.press("j")
        terminal.wait_for("2 beside")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_tab_goes_round_though_there_is_nothing_to_draw(root: Path) -> None:
    """The empty pane takes its turn."""
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("tracker.init(")
        for _ in range(3):
            terminal.press("tab")
            terminal.settle()
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_each_run_shows_its_own_curves_at_once(root: Path) -> None:
    """Moving through runs never leaves another run's values under a run's name."""
    for number in range(1, 9):
        with make_run(root, f"run-{number}", rows=0, project=f"p{9 - number}") as run:
            for step in range(50):
                run.log({"loss": number + step / 1000})
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  8.049")
        for number in range(7, 0, -1):
            terminal.press("j")
            terminal.wait_for(f"2 p{9 - number} ", 1)
            terminal.press("j")
            terminal.wait_for(f"2 run-{number} ", 1)
            terminal.wait_for(f"loss  {number}.049", 0.5)
            terminal.wait_for(lambda t, low=number: f"{low + 0.05:.2f}┤" in t.text or f"{low:.0f}┤" in t.text, 0.5)  # type: ignore[misc]
