"""Finding, knowing and changing runs in the dashboard: by keys alone, in a real terminal, on real files and jobs."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import tracker
from support import StartScript, lines_of, wait_for, wait_line
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


def line_of(name: str) -> Callable[[Terminal], str]:
    def find(terminal: Terminal) -> str:
        return next((line for line in terminal.lines if name in line), "")

    return find


def test_best_of_200_is_found_compared_renamed_tagged_and_the_worst_archived(root: Path, start: StartScript) -> None:
    """The whole way with the keyboard alone, as the footer and `?` tell it."""
    sweep(root, 200)
    job = start(JOB)
    wait_line(job, "ready")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("201 runs")
        terminal.wait_for("K Stop")
        for key in ("/ Find", "s Sort", "c Compare", "r Rename", "t Tags", "a Archive", "u Undo", "K Stop", "? Help"):
            assert key in terminal.text
        # the best by validation loss stands first
        terminal.press("s")
        terminal.wait_for("Sort by")
        terminal.press("val/loss")
        terminal.settle()
        terminal.press("enter")
        terminal.wait_for("val/loss▲")
        terminal.wait_for(lambda t: "0.1★" in line_of("run-017")(t))
        assert terminal.place_of("run-017")[1] + 1 == terminal.place_of("run-042")[1]
        # what differs from the second best
        terminal.step(" ", " ", "c")
        text = terminal.wait_for("2 runs compared")
        assert re.search(r"lr +0\.01 +0\.1", text)
        assert re.search(r"val/loss +0\.1 ★ +0\.2 \(\+0\.1\)", text)
        assert re.search(r"▸ the same in all \d+", text)
        assert "batch" not in text
        terminal.step("escape")
        # tag both, rename the best
        terminal.press("t")
        terminal.wait_for("Tags that 2 runs have in common")
        terminal.press("best, paper")
        terminal.settle()
        terminal.press("enter")
        assert wait_for(lambda: by_name(root)["run-042"].tags == ["best", "paper"])
        assert by_name(root)["run-017"].tags == ["best", "paper"]
        terminal.step("up", "up", "home", "r")
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
        terminal.step("home", "down", *[" "] * 10)
        terminal.wait_for("10 marked")
        terminal.press("a")
        terminal.wait_for("Archived 10 runs · u undoes")
        terminal.wait_for("191 runs")
        archived = sorted(name for name, run in by_name(root).items() if run.archived)
        assert archived == [f"run-{number}" for number in range(190, 200)]
        terminal.step("u")
        terminal.wait_for("Taken back: archived 10 runs")
        terminal.wait_for("201 runs")
        assert not any(run.archived for run in by_name(root).values())
        # stop the job that runs, after a question
        terminal.press("/")
        terminal.wait_for("201 of 201 runs")
        terminal.press("state:running")
        terminal.wait_for(" 1 of 201 runs")
        terminal.press("enter")
        terminal.settle()
        terminal.step("escape", "end", "K")
        terminal.wait_for("Stop live-one?")
        terminal.press("y")
        terminal.wait_for("SIGTERM sent to live-one")
        assert job.wait(10) == -signal.SIGTERM
        assert wait_for(lambda: by_name(root)["live-one"].state == "killed")
        terminal.step("escape")
        terminal.wait_for("■ 1 killed")
