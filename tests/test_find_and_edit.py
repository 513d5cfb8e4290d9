"""Finding, knowing and changing runs in the dashboard: by keys alone, in a real terminal, on real files and jobs."""

from __future__ import annotations

import base64
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

import tracker
from support import StartScript, journals, lines_of, wait_for, wait_line
from terminal import Terminal

DASHBOARD = ["-m", "tracker_tui"]
JOB = """
import sys, time, tracker
run = tracker.init(project="sweep", name="live-one", config={"lr": 0.5})
run.log({"val/loss": 9.0})
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SILENT", "1")


def make_run(root: Path, name: str, loss: float = 1.0, project: str = "sweep", **arguments: object) -> tracker.Run:
    """A finished run with a falling validation loss."""
    run = tracker.init(project=project, name=name, dir=root, reinit="create_new", **arguments)  # type: ignore[arg-type]
    for row in range(3):
        run.log({"train/loss": loss + 2 - row, "val/loss": loss + 2 - row, "val/acc": 1 - loss / 10})
    run.finish()
    return run


def sweep(root: Path, count: int) -> None:
    """Runs `run-000`, `run-001` ... of which 017 is the best and 042 the second, the higher the number the worse."""
    for number in range(count):
        loss = {17: 0.1, 42: 0.2}.get(number, 1 + number / 100)
        config = {"lr": 0.01 if number == 17 else 0.1, "depth": number % 3, "batch": 64}
        make_run(root, f"run-{number:03}", loss, config=config, id=f"id{number:03}")


def edits(root: Path) -> list[dict[str, object]]:
    """All edits under a root, in the order of their times."""
    found = [edit for path in root.glob("*/edits-*.jsonl") for edit in lines_of(path)]
    return sorted(found, key=lambda edit: edit["_timestamp"])


def by_name(root: Path) -> dict[str, tracker.ApiRun]:  # type: ignore[name-defined]
    """Runs as a reader that comes now sees them."""
    return {run.name: run for run in tracker.Api(root).runs()}


def choose(terminal: Terminal, key: str, title: str, text: str = "") -> None:
    """Open a list with a key, find a line by typing and take it."""
    terminal.press(key)
    terminal.wait_for(f"─ {title} ─")
    if text:
        terminal.press(text)
        terminal.wait_for(lambda t: any(line[20:].find(f" {text} ") >= 0 for line in t.lines[5:]))
        terminal.settle()
    terminal.press("enter")
    terminal.wait_for(lambda t: f"─ {title} ─" not in t.text)


def search(terminal: Terminal, text: str, found: str) -> None:
    """Open the query, type it and wait for what is said of it."""
    terminal.press("/")
    terminal.wait_for("⏎ Keep")
    terminal.press(text)
    terminal.wait_for(found)
    terminal.settle()


def test_best_of_200_is_found_compared_renamed_tagged_and_the_worst_archived(root: Path, start: StartScript) -> None:
    """The whole way with the keyboard alone, as the footer and `?` tell it."""
    sweep(root, 200)
    job = start(JOB)
    wait_line(job, "ready")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("201 runs")
        terminal.wait_for("K Stop")
        for key in ("/ Find", "s Sort", "r Rename", "t Tags", "a Archive", "K Stop", "? Help"):
            assert key in terminal.text
        # the best by validation loss stands first
        choose(terminal, "s", "Sort by", "val/loss")
        terminal.wait_for("val/loss▲")
        # In the table: the overview may name the first too, further up.
        terminal.wait_for(shows(r"run-017 +finished .* 0\.1★.*\n.*run-042 +finished .* 0\.2 "))
        # what differs from the second best
        terminal.press(" ")
        terminal.wait_for("1 marked")
        terminal.press(" ")
        terminal.wait_for("2 marked")
        terminal.press("c")
        terminal.wait_for("2 runs compared")
        terminal.wait_for(shows(r"lr +0\.01 +0\.1"))
        terminal.wait_for(shows(r"val/loss +0\.1 ★ +0\.2 \(\+0\.1\)"))
        terminal.wait_for(shows(r"▸ \d+ more are the same in all"))
        assert "batch" not in terminal.text
        terminal.step("escape")
        terminal.wait_for("2 sweep")
        # tag both, rename the best
        terminal.press("t")
        terminal.wait_for("Tags that 2 runs have in common")
        terminal.press("best, paper")
        terminal.settle()
        terminal.press("enter")
        assert wait_for(lambda: by_name(root)["run-042"].tags == ["best", "paper"])
        assert by_name(root)["run-017"].tags == ["best", "paper"]
        terminal.step("home")
        terminal.wait_for(lambda t: "run-017" in t.lines[1][-40:])
        terminal.press("r")
        terminal.wait_for("Rename run")
        terminal.press(*["backspace"] * 7)
        terminal.settle()
        terminal.press("the best one")
        terminal.settle()
        terminal.press("enter")
        assert wait_for(lambda: "the best one" in by_name(root), 5), terminal.text
        # archive the ten worst: worst first, marks off, ten marks on
        terminal.step("S", "home")
        terminal.wait_for("val/loss▼")
        terminal.wait_for(lambda t: t.place_of("live-one")[1] < 10)
        terminal.step("end", " ", "up", " ")  # the two that were marked stand last by now
        terminal.wait_for(lambda t: "2 marked" not in t.text)
        terminal.step("home", "down")
        for number in range(1, 11):
            terminal.press(" ")
            terminal.wait_for(f"{number} marked")
        terminal.press("a")
        terminal.wait_for("Archive 10 runs that are marked?")
        terminal.press("y")
        terminal.wait_for("Archived 10 runs · u undoes")
        terminal.wait_for("191 runs")
        archived = sorted(name for name, run in by_name(root).items() if run.archived)
        assert archived == [f"run-{number}" for number in range(190, 200)]
        terminal.press("u")
        terminal.wait_for("Taken back: archived 10 runs")
        terminal.wait_for("201 runs")
        assert not any(run.archived for run in by_name(root).values())
        # stop the job that runs, after a question
        search(terminal, "state:running", " 1 of 201 runs")
        terminal.press("enter")
        terminal.wait_for("K Stop")
        terminal.step("escape", "end")
        terminal.wait_for("2 live-one")
        terminal.press("K")
        terminal.wait_for("Stop live-one?")
        terminal.press("y")
        terminal.wait_for("SIGTERM sent to live-one")
        assert job.wait(10) == -signal.SIGTERM
        assert wait_for(lambda: by_name(root)["live-one"].state == "killed")
        terminal.step("escape")
        terminal.wait_for("■ 1 killed")


SIZES = [(160, 45), (80, 24)]


def open_pane(terminal: Terminal, columns: int, key: str) -> None:
    """Give a pane the keys, whatever the size of the terminal."""
    if columns < 120:
        terminal.step(key)
    else:
        terminal.step(*{"1": ["escape"], "2": ["escape", "tab"], "3": ["escape", "tab", "tab"]}[key])


def copied(terminal: Terminal) -> list[str]:
    """What the terminal was told to put into the clipboard (OSC 52)."""
    found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", terminal.raw)
    return [base64.b64decode(text).decode() for text in found]


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_query_counts_completes_and_points_at_errors(root: Path, columns: int, rows: int) -> None:
    """While somebody types; enter keeps what was found, esc shows all runs again."""
    for number in range(5):
        make_run(root, f"run-{number}", number / 10, config={"model": "vit" if number % 2 else "mlp"}, tags=["x y"])
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("5 runs")
        terminal.press("/")
        terminal.wait_for("5 of 5 runs")
        terminal.press("val/l")
        terminal.wait_for("tab: val/loss")
        terminal.step("tab")
        terminal.wait_for("/ val/loss")
        terminal.press("<0.25 and and")
        terminal.wait_for("something is missing before and")
        at = terminal.place_of("^^^")
        assert terminal.lines[at[1] - 1][at[0] : at[0] + 3] == "and"
        terminal.press(*["backspace"] * 7)
        terminal.settle()  # characters may overtake them
        terminal.wait_for("3 of 5 runs")
        terminal.press(" tag:")
        terminal.wait_for('tab: "x y"')
        terminal.step("tab")
        terminal.wait_for('tag:"x y"')
        terminal.press(" model=v")
        terminal.wait_for("tab: vit")
        terminal.step("tab", "enter")
        terminal.wait_for(lambda t: "1 of 5" in t.lines[-2] and "/val/loss<0.25" in t.lines[-2])
        terminal.wait_for("run-1")
        assert "run-2" not in terminal.text
        terminal.step("escape", "escape")
        terminal.wait_for(lambda t: " 5 runs" in t.lines[-2])


def test_what_fits_no_run_says_so_and_no_key_breaks_it(root: Path) -> None:
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("1 run ")
        search(terminal, "nonsense", "no run has 'nonsense' in its name, id, project, group or tags")
        terminal.press("enter")
        terminal.wait_for("No run fits  nonsense")
        terminal.step(*"srtnadugSCcKyp6f e", " ", "enter", "left", "right", "end", "tab", "tab")
        terminal.step("escape", "escape", "escape")
        terminal.wait_for("▾ sweep")


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_the_table_groups_and_shows_chosen_columns(root: Path, columns: int, rows: int) -> None:
    for number in range(6):
        config = {"lr": [0.1, 0.2][number % 2], "model": {"depth": number // 2}}
        make_run(root, f"run-{number}", number / 10, config=config)
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("6 runs")
        choose(terminal, "g", "Group by", "config.lr")
        terminal.wait_for(shows(r"▸ lr 0\.2 +3 runs .*mean 0\.3 +min 0\.1 +max 0\.5"))
        assert terminal.place_of("▸ lr 0.2")[1] + 1 == terminal.place_of("▸ lr 0.1")[1]
        terminal.step("down", "enter")
        terminal.wait_for("▾ lr 0.1")
        terminal.step("C")
        terminal.wait_for("Columns")
        terminal.press("depth")
        terminal.settle()
        terminal.step("tab", *["backspace"] * 5)
        terminal.press("val/acc")
        terminal.settle()
        terminal.step("tab", "enter")
        terminal.wait_for(shows(r"name +model\.depth +val/acc"))
        terminal.wait_for(shows(r"run-4 +2 +0\.96"))
        terminal.step("S")
        terminal.wait_for(shows(r"age▼ +model\.depth"))
        terminal.step("q")
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("6 runs")
        terminal.step("6")
        terminal.wait_for(shows(r"age▼ +model\.depth"))


def shows(pattern: str) -> Callable[[Terminal], bool]:
    return lambda terminal: re.search(pattern, terminal.text) is not None


def test_wide_names_align(root: Path) -> None:
    """Columns begin in the same cell behind Chinese names, emoji and combining marks; long names are cut."""
    for name in ("plain", "日本語の実験", "🚀🚀 rocket", "é́e", "x" * 90, "混" * 60):
        make_run(root, name, tags=["好", "tag"])
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("6 runs")
        terminal.step("6")
        terminal.wait_for("finished")
        terminal.wait_for(lambda t: all(" finished" in line[40:118] for line in t.lines[2:8]))
        before = [line.partition(" finished")[0] for line in terminal.lines[2:8]]
        assert len({cell_len(text) for text in before}) == 1


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_the_overview_folds_filters_and_copies(root: Path, columns: int, rows: int) -> None:
    """Values go to the clipboard through the terminal, so also over ssh."""
    config = {"lr": 0.1, "model": {"name": "vit", "depth": 12}}
    run = tracker.init(project="sweep", name="one", dir=root, config=config, tags=["a", "b"], notes="two\nlines")
    run.log({"train/loss": 0.5, "exact": 0.1234567890123})
    run.alert("loss exploded", "9e9 at step 3", level="ERROR")
    with pytest.raises(ValueError, match="broken"), run:
        raise ValueError("broken")
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("1 run ")
        open_pane(terminal, columns, "3")
        for text in ("✗ failed", "ValueError: broken", "tags      a, b", "notes     two", "          lines"):
            terminal.wait_for(text)
        terminal.step("end", "h")
        terminal.wait_for("▸ Environment")
        terminal.wait_for("▾ Summary 2")
        terminal.wait_for("▾ train 1")
        terminal.step("up", "up", "up", "up", "y")
        terminal.wait_for(lambda t: copied(t) == ["0.1234567890123"])
        terminal.press("f")
        terminal.wait_for("words in keys")
        terminal.press("model na")
        terminal.wait_for("▾ Config 1")
        terminal.press("enter")
        terminal.wait_for("name vit")
        assert "depth" not in terminal.text
        terminal.step("escape", "end")
        terminal.wait_for("▾ model 2")
        terminal.step("end", *["k"] * 7, "h")
        terminal.wait_for("▸ model 2")
        terminal.step("y", "l")
        terminal.wait_for("depth 12")
        assert copied(terminal)[-1] == '{"name": "vit", "depth": 12}'
        terminal.step("home")
        for _ in range(40):  # the command above it may be long
            if "loss exploded: 9e9" not in terminal.text:
                terminal.step("down")
        terminal.wait_for("loss exploded: 9e9 at step 3")


def test_y_copies_what_is_chosen_of_a_run(root: Path) -> None:
    run = make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("1 run ")
        choose(terminal, "y", "Copy")
        choose(terminal, "y", "Copy", "path")
        terminal.wait_for(lambda t: copied(t) == [run.id, str(journals(root)[0])])


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_compare_folds_what_is_the_same(root: Path, columns: int, rows: int) -> None:
    for number in range(7):
        make_run(root, f"run-{number}", number / 10, config={"lr": number, "batch": 64})
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("7 runs")
        terminal.step("c")
        terminal.wait_for("Mark two or more runs")
        open_pane(terminal, columns, "1")
        terminal.step("home", "c")
        terminal.wait_for("7 runs compared")
        terminal.wait_for(shows(r"lr +6 +5"))
        if columns < 120:
            assert re.search(r"‹› \d more", terminal.text)
            terminal.step("l", "l", "l", "l", "l")
            terminal.wait_for(shows(r"lr +6 .* 0"))
        terminal.press("end")
        terminal.wait_for("more are the same in all")
        terminal.press("enter")
        terminal.wait_for(shows(r"▾ \d+ more are the same in all"))
        terminal.press("end")
        terminal.wait_for("batch")
        terminal.step("escape")
        terminal.wait_for("1 Runs")


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_notes_have_lines_and_are_not_lost_by_one_key(root: Path, columns: int, rows: int) -> None:
    make_run(root, "one", notes="before")
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("1 run ")
        terminal.press("n")
        terminal.wait_for("Notes of one")
        terminal.press(", after\rsecond line")
        terminal.wait_for("second line")
        terminal.step("escape")
        terminal.wait_for("not saved")
        terminal.press(" of notes")
        terminal.wait_for("second line of notes")
        terminal.press("\x13")  # ctrl+s
        terminal.wait_for("Noted one · u undoes")
        assert by_name(root)["one"].notes == "before, after\nsecond line of notes"
        terminal.step("u")
        terminal.wait_for("Taken back: noted one")
        assert by_name(root)["one"].notes == "before"
        terminal.step("n")
        terminal.wait_for("Notes of one")
        terminal.press("x")
        terminal.settle()
        terminal.step("escape", "escape")
        terminal.wait_for(lambda t: "Notes of" not in t.text)
        assert by_name(root)["one"].notes == "before"


def test_tags_are_offered(root: Path) -> None:
    make_run(root, "one", tags=["baseline", "best"])
    make_run(root, "two", tags=["baseline"])
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 runs")
        terminal.press("t")
        terminal.wait_for("Tags of two")
        terminal.wait_for("baseline,")
        terminal.press("be")
        terminal.wait_for("tab: best")
        terminal.step("tab", "enter")
        terminal.wait_for("Tagged two")
        assert by_name(root)["two"].tags == ["baseline", "best"]


def test_deleted_and_archived_runs_can_be_found_and_brought_back(root: Path) -> None:
    """`d` and `a` hide without a question; a query that names them shows them, the same keys bring them back."""
    for name in ("one", "two", "three"):
        make_run(root, name)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("3 runs")
        terminal.press("d")
        terminal.wait_for("Deleted three · u undoes")
        terminal.wait_for(lambda t: " 2 runs" in t.lines[-2])
        terminal.press("a")
        terminal.wait_for("Archived two · u undoes")
        terminal.wait_for("1 archived")
        assert len(journals(root)) == 3
        search(terminal, "archived:yes OR deleted:yes", "2 of 3 runs")
        terminal.press("enter")
        terminal.settle()
        terminal.step("home", "down")
        terminal.wait_for("hidden    deleted")
        terminal.step("d", "down", "a")
        terminal.wait_for("Unarchived")
        terminal.step("escape", "escape")
        terminal.wait_for(lambda t: " 3 runs" in t.lines[-2])
    assert len(edits(root)) == 4


def test_a_folder_that_cannot_be_changed_says_so_before_anybody_types(root: Path) -> None:
    make_run(root, "one")
    from tracker.host import edits_file_name

    (root / "sweep" / edits_file_name()).mkdir()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("1 run ")
        for key in "rtnad":
            terminal.press(key)
            terminal.wait_for("Nothing can be changed here")
            assert "esc leaves" not in terminal.text


def test_other_dashboards_and_the_job_see_an_edit(root: Path, start: StartScript) -> None:
    """A job prints the name it was given meanwhile; a second dashboard shows it by itself."""
    job = start(JOB, env={"TRACKER_SILENT": ""})
    wait_line(job, "ready")
    with Terminal([*DASHBOARD, str(root)]) as here, Terminal([*DASHBOARD, str(root)]) as there:
        for terminal in (here, there):
            terminal.wait_for("live-one")
        here.press("r")
        here.wait_for("Rename run")
        here.press(" renamed")
        here.settle()
        here.press("enter")
        there.wait_for("live-one renamed")
        there.press("t")
        there.wait_for("Tags of")
        there.press("seen")
        there.settle()
        there.press("enter")
        here.wait_for("tags      seen")
    output = job.communicate("\n", timeout=20)[1]
    assert "Run live-one renamed finished" in output


@pytest.mark.parametrize(("key", "keys"), [("r", ["new", "enter"]), ("t", ["new", "enter"]), ("n", ["new", "\x13"])])
def test_a_run_may_vanish_while_somebody_types(root: Path, key: str, keys: list[str]) -> None:
    make_run(root, "one")
    run = make_run(root, "two")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 runs")
        terminal.wait_for("2 two")
        terminal.press(key)
        terminal.wait_for("esc leaves")
        terminal.press(keys[0])
        terminal.wait_for(keys[0])
        terminal.settle()
        next(root.glob(f"*/*-{run.id}.jsonl")).unlink()
        terminal.wait_for(lambda t: " 1 run " in t.lines[-2])
        terminal.press(keys[1])
        terminal.wait_for("two is gone")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_keys_of_the_table_show_it_first(root: Path) -> None:
    """Nobody deletes a run that is not on the screen."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("1 run ")
        terminal.step("2")
        terminal.wait_for(lambda t: "Charts" not in t.text and "2 one" not in t.text)
        terminal.step("s")
        terminal.wait_for("─ Sort by ─")
        terminal.wait_for("2 sweep")


def test_a_shrunken_window_shows_the_pane_that_had_the_keys(root: Path) -> None:
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("val/loss  1")
        terminal.press("tab")
        terminal.wait_for("i Inspect")
        terminal.press("tab")
        terminal.wait_for(lambda t: "i Inspect" not in t.text)
        terminal.resize(80, 24)
        terminal.wait_for("─ 3 Overview ─")


def test_errors_of_a_query_stay_while_rows_come_in(root: Path, start: StartScript) -> None:
    """And enter does not leave it."""
    job = start(
        'import time, tracker\nrun = tracker.init(project="sweep", name="live")\n'
        'while True:\n    run.log({"loss": 1})\n    time.sleep(0.05)'
    )
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  1")
        search(terminal, "loss<abc", "'abc' is no number")
        before = journals(root)[0].stat().st_size
        assert wait_for(lambda: journals(root)[0].stat().st_size > before + 2000)
        terminal.settle()
        assert "'abc' is no number" in terminal.text
        terminal.step("enter")
        assert "'abc' is no number" in terminal.text
        terminal.press(*["backspace"] * 3)
        terminal.settle()
        terminal.press("2", "enter")
        terminal.wait_for("/loss<2")
    job.kill()


def test_new_runs_move_nothing_under_the_cursor(root: Path) -> None:
    """In the tree and in a sorted table, while other runs appear."""
    for number in range(30):
        make_run(root, f"run-{number:02}", 1 + number)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("30 runs")
        terminal.step(*["down"] * 12)
        row = terminal.place_of("run-17")[1]
        terminal.wait_for("2 run-17")
        for number in range(3):
            make_run(root, f"new-{number}", 0.5)
        terminal.wait_for("33 runs")
        terminal.wait_for("2 run-17")
        assert terminal.place_of("run-17")[1] == row
        choose(terminal, "s", "Sort by", "val/loss")
        terminal.step(*["down"] * 8)
        terminal.wait_for(lambda t: "run-05" in t.lines[1])
        at = next(y for y, line in enumerate(terminal.lines) if "run-05" in line[40:110])
        make_run(root, "newer", 0.4)
        terminal.wait_for("34 runs")
        terminal.settle()
        assert next(y for y, line in enumerate(terminal.lines) if "run-05" in line[40:110]) == at


def test_foreign_text_in_every_field_commands_no_terminal(root: Path) -> None:
    """Names, tags, notes, config, alerts, host, command: wherever the dashboard shows them."""
    evil = "\x1b]52;c;ZXZpbA==\x07\x1b[31m\x9b5n\u202eevil"
    run = make_run(
        root, evil, config={evil: evil, "m": {evil: [evil]}}, tags=[evil[:60]], notes=f"{evil}\n{evil}", group=evil
    )
    other = tracker.init(project="sweep", name="other", dir=root, config={evil: 1}, group=evil)
    other.log({evil: 1.0, f"{evil}/x": 2.0})
    other.alert(evil, evil)
    other.finish()
    assert run.id
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 runs")
        terminal.step(
            "home", "s", "down", "down", "enter", "g", "down", "tab", "enter", "enter", "C", "down", "tab", "enter"
        )
        terminal.step(
            "c", "end", "enter", "escape", "escape", "end", "t", "escape", "n", "escape", "y", "escape", "tab", "tab"
        )
        terminal.step("end", "f")
        terminal.press("evil")
        terminal.step("escape", "/")
        terminal.press("e")
        terminal.step("tab", "tab", "enter", "a", "u")
    assert b"\x1b]52;c;ZXZpbA==" not in terminal.raw
    assert b"\xc2\x9b" not in terminal.raw
    assert "\u202e".encode() not in terminal.raw
    assert b"\x1b[5n" not in terminal.raw


@pytest.mark.parametrize("key", ["r", "s", "\x10"])
def test_a_box_is_left_once_however_fast_the_keys_come(root: Path, key: str) -> None:
    """Enter and esc in one breath, pages in an empty list: the dashboard goes on."""
    for name in ("one", "two", "three"):
        make_run(root, name)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("3 runs")
        terminal.wait_for("? Help")
        terminal.step(" ", " ", "home")
        for keys in (
            ["enter", "escape", "enter"],
            ["zzz", "\x1b[5~", "\x1b[6~", "enter", "escape"],
            ["tab", "enter", "enter"],
        ):
            terminal.press(key)
            terminal.settle(0.05)
            terminal.press(*keys)
            terminal.settle()
            terminal.step("escape", "escape", "home")
        terminal.wait_for("? Help")
