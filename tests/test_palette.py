"""The palette and the line of keys: what can be done is told where one is, and done; in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracker
from terminal import Terminal
from tracker_tui.hints import Situation, hints

DASHBOARD = ["-m", "tracker_tui"]
PALETTE = "\x10"
HARMFUL = "w [/x] [@click=app.quit]go[/]"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    for name in ("one", "[bold]two 🚀", HARMFUL):
        run = tracker.init(project="vision", name=name, id=f"id{len(name)}", dir=root, reinit="create_new")
        for step in range(20):
            run.log({"train/loss": 1 / (step + 1), "val/acc": step / 20})
        run.finish()
    return root


def choose(terminal: Terminal, words: str, shown: str) -> None:
    """Find something by its name and go there, or do it."""
    terminal.press(PALETTE)
    terminal.wait_for("An action, a run")
    terminal.press(words)
    terminal.wait_for(shown)
    terminal.step("enter")


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24)])
def test_the_palette_leads_to_runs_projects_and_metrics(root: Path, columns: int, rows: int) -> None:
    """By some of their names, whatever characters those have: none is taken for markup."""
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("train/loss  0.05")
        choose(terminal, "one", "✓ run in vision")
        terminal.wait_for("2 one" if columns > 80 else "1 Runs")
        choose(terminal, "[bold]tw", "run in vision")
        terminal.wait_for("2 [bold]two" if columns > 80 else "1 Runs")
        choose(terminal, "w [/x]", HARMFUL)
        choose(terminal, "visio", "project")
        choose(terminal, "val/acc", "chart")
        terminal.wait_for("i Inspect")
        terminal.step("enter")
        terminal.wait_for(lambda t: "val/acc" in t.text and "train/loss" not in t.text)


def test_the_palette_does_what_keys_do(root: Path) -> None:
    """Also what belongs to a pane that has not the keys."""
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("train/loss  0.05")
        choose(terminal, "logarithmic", "Log: logarithmic y axis")
        terminal.wait_for("log")
        choose(terminal, "rename", "Rename: rename the run")
        terminal.wait_for("─ Rename run ─")
        terminal.step("escape")
        choose(terminal, "order the table", "Sort: order the table")
        terminal.wait_for("─ Sort by ─")


def test_the_last_line_tells_the_keys_of_where_one_is(root: Path) -> None:
    """Of the pane, of what is under the cursor, and while one types only those that are no characters."""
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("train/loss  0.05")
        terminal.wait_for("r Rename")
        assert "K Stop" not in terminal.lines[-1]  # no job runs
        terminal.step("tab")
        terminal.wait_for("m Smooth")
        terminal.step("i")
        terminal.wait_for("← Left  → Right")
        terminal.step("escape", "escape", "home")
        terminal.wait_for("g Group")
        terminal.press("/")
        terminal.wait_for("tab Complete")
        assert "q Quit" not in terminal.lines[-1]
        terminal.press("one", "enter")
        terminal.wait_for(lambda t: t.lines[-1].startswith(" esc Back"))


def test_words_of_the_console_matter_in_the_console() -> None:
    """The key to the next line that has them is another one elsewhere."""
    assert hints(Situation("console", has_words=True))[0][0] == "console.next"
    assert "console.next" not in hints(Situation("charts", has_words=True))[0]
