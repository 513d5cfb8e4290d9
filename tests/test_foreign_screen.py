"""Runs of other tools in the dashboard, in a real terminal, while they grow."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboardX import SummaryWriter

import tracker
from terminal import Terminal


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24)])
def test_a_tensorboard_log_is_watched_as_it_grows(tmp_path: Path, columns: int, rows: int) -> None:
    """It comes by itself and goes on, says where it is from, and refuses to be renamed."""
    logs = tmp_path / "logs"
    own = tracker.init(project="mine", name="own-run", dir=logs)
    own.finish()
    with Terminal(["-m", "tracker_tui", str(logs)], columns, rows, cwd=tmp_path) as terminal:
        terminal.wait_for("own-run")
        writer = SummaryWriter(str(logs / "exp" / "train"))
        for step in range(3):
            writer.add_scalar("loss", 0.5 - step / 10, step)
        writer.close()
        if columns < 120:
            terminal.press("1")
            terminal.wait_for("─ 1 Runs")
        terminal.wait_for("train")
        terminal.settle()
        terminal.press("home")
        terminal.press("down")
        terminal.settle()
        if columns < 120:
            terminal.press("2")
        terminal.wait_for("loss  0.3")

        writer = SummaryWriter(str(logs / "exp" / "train"))
        writer.add_scalar("loss", 0.125, 3)
        writer.close()
        terminal.wait_for("loss  0.125")
        if columns >= 120:
            terminal.wait_for("TensorBoard log")
            terminal.press("r")
            terminal.wait_for("Nothing can be changed here: it is a TensorBoard log")
    assert not list((logs / "exp").glob("*.jsonl"))
