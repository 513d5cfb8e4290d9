"""The demo's jobs and the example script, as the real processes they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

import tracker
from tracker.api import ApiRun
from tracker_tui.demo import JOBS, Demo

TRAIN_DIGITS = Path(__file__).parent / "examples" / "train_digits.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TRACKER_SILENT": "1"}

ORPHAN_MAKER = """
import os, subprocess, sys
job = [sys.executable, "-m", "tracker_tui.demo_job", "--dir", sys.argv[1], "--parent", str(os.getpid())]
subprocess.Popen([*job, "--epochs", "100000", "--pace", "0.05"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
input()
"""


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return as soon as the condition holds; fail if it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.02)


def is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def last_record(run: ApiRun) -> dict[str, object]:
    record: dict[str, object] = orjson.loads(Path(run.path).read_bytes().splitlines()[-1])
    return record


def test_the_demo_trains_fails_finishes_and_leaves_nothing() -> None:
    """Every job logs rows, one diverges and fails, one finishes; with the end of the demo all is gone."""
    with Demo(pace=0.02) as demo:
        api = tracker.Api(demo.root)
        eventually(lambda: sum("val/loss" in run.summary for run in api.runs()) == len(JOBS))
        eventually(lambda: {"failed", "finished"} <= {run.state for run in api.runs()})
        states = {run.name: run.state for run in api.runs()}
        assert sorted(states.values()) == ["failed", "finished", "running", "running", "running"]
        failed = next(run for run in api.runs() if run.state == "failed")
        assert last_record(failed)["exception"] == (
            "FloatingPointError: loss is not finite: the learning rate 3 is too high"
        )
        losses = [row["train/loss"] for row in failed.history(samples=10**9, pandas=False)]
        assert len(losses) > 15
        assert min(losses) < losses[0] < losses[-1] == float("inf")
    assert not any(is_process(process.pid) for process in demo.processes)
    assert not demo.root.exists()


def test_the_same_settings_give_the_same_numbers(tmp_path: Path) -> None:
    """At full speed too, so that screenshots can be made again."""
    command = [sys.executable, "-m", "tracker_tui.demo_job", "--epochs", "8", "--seed", "5", "--dir", str(tmp_path)]
    for _ in range(2):
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, timeout=30)
    first, second = (run.history(samples=10**9, pandas=False) for run in tracker.Api(tmp_path).runs("spirals"))
    assert len(first) == 8
    assert [row["val/loss"] for row in first] == [row["val/loss"] for row in second]


def test_a_job_ends_by_itself_when_its_parent_is_gone(tmp_path: Path) -> None:
    """Nothing is left running behind a dashboard that was killed."""
    command = [sys.executable, "-c", ORPHAN_MAKER, str(tmp_path)]
    api = tracker.Api(tmp_path)
    with subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE) as parent:
        eventually(lambda: any(run.history(samples=10**9, pandas=False) for run in api.runs()))
        assert api.runs()[0].state == "running"
        parent.kill()
    eventually(lambda: api.runs()[0].state != "running", seconds=3.0)
    assert last_record(api.runs()[0])["exit_code"] == 1


def test_the_digits_example_learns(tmp_path: Path) -> None:
    """`train_digits.py` reads digits it has not seen, and says so on the way."""
    command = [sys.executable, str(TRAIN_DIGITS), "--epochs", "8", "--dir", str(tmp_path), "--name", "digits"]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("epoch 1/8: loss ")
    (run,) = tracker.Api(tmp_path).runs("digits")
    assert (run.name, run.state) == ("digits", "finished")
    rows = run.history(keys=["train/loss", "train/accuracy", "val/loss", "val/accuracy"], pandas=False)
    assert len(rows) == 8
    assert rows[-1]["val/accuracy"] > 0.85
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
