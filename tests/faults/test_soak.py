"""A compressed day of a busy folder: whoever watches all of it grows in nothing, and shows what is there."""

from __future__ import annotations

import difflib
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from support import StartScript, wait_for
from terminal import Terminal

DAY = """
import os, random, signal, sys, time
from tracker_tui.cli import main as command
import tracker

KEPT = 40
chance = random.Random(sys.argv[2])

def job(number):
    chance = random.Random(f"{sys.argv[2]} {number}")
    run = tracker.init(project=chance.choice("abc"), group=chance.choice([None, "g"]), config={"lr": chance.random()})
    for step in range(chance.randint(1, 400)):
        run.log({"loss": 1 / (step + 1), "acc": chance.random(), "odd": chance.choice([1.0, float("nan")])})
        if chance.random() < 0.05:
            print("step", step, flush=True)
            time.sleep(0.01)
    end = chance.random()
    if end < 0.2:
        os.kill(os.getpid(), chance.choice([signal.SIGKILL, signal.SIGTERM]))
    if end < 0.4:
        run.alert("going wrong")
        raise RuntimeError("on purpose")
    if end < 0.5:
        os._exit(0)
    run.finish()

def change():
    runs = tracker.Api().runs()
    for run in runs[:KEPT]:
        if chance.random() < 0.1:
            run.name = f"renamed {chance.randint(1, 9)}"
        if chance.random() < 0.1:
            run.tags = chance.sample(["a", "b", "c"], 2)
            run.update()
    gone = [f"{run.project}/{run.id}" for run in runs[KEPT:] if run.state not in ("running", "pending")]
    if gone:
        command(["delete", *gone])
        command(["purge", "--yes"])

sys.stdout = open(os.devnull, "w")
left = int(sys.argv[1])
running = set()
done = 0
while left or running:
    while left and len(running) < 4:
        left -= 1
        pid = os.fork()
        if pid == 0:
            try:
                job(left)
                os._exit(0)
            except Exception:
                tracker.finish(exit_code=1)
                os._exit(1)
        running.add(pid)
    running.discard(os.wait()[0])
    done += 1
    if done % 20 == 0:
        change()
change()
"""


class Held(NamedTuple):
    """What a process holds."""

    megabytes: float
    descriptors: int
    threads: int
    watches: int


def held_by(process: psutil.Process) -> Held:
    infos = Path(f"/proc/{process.pid}/fdinfo").glob("*")
    watches = sum(info.read_text().count("inotify wd:") for info in infos if info.exists())
    return Held(process.memory_info().rss / 1e6, process.num_fds(), process.num_threads(), watches)


def picture(terminal: Terminal) -> list[str]:
    """Tree and overview of the screen, and the counts below: without what time alone changes, and runs' signs.

    Those stay while runs are purged; who opens later counts anew.
    """
    tree = [re.sub(r"\S (?=[✓✗■!●] )", "", line[:40]) for line in terminal.lines[:-2]]
    overview = [line[120:] for line in terminal.lines[:-2]]
    counts = re.search(r"\d+ runs.*crashed", terminal.lines[-2])
    return [re.sub(r"\b(now|\d+[smh])\b", "age", line) for line in [*tree, *overview, counts[0] if counts else ""]]


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
def test_a_day_leaves_nothing_behind(
    start: StartScript,
    tmp_path: Path,
    chance: random.Random,
    cases: Callable[[int], int],
    tried: Callable[[str, str, str], None],
) -> None:
    """Jobs start, fail, are killed, renamed, deleted and purged: memory, descriptors, threads and watches stay."""
    jobs = cases(60)
    (tmp_path / "runs").mkdir()
    dashboard = ["-m", "tracker_tui", "runs"]
    with Terminal(dashboard, cwd=tmp_path) as terminal:
        day = start(DAY, str(jobs), str(chance.random()), env={"TRACKER_SILENT": "1"})
        process = psutil.Process(terminal.child.pid)
        terminal.wait_for("▾ a")
        seen: list[Held] = []
        while day.poll() is None:
            terminal.press(
                chance.choice(["j", "j", "k", "up", "down", "enter", "4", "5", "g", "E", "escape", "escape"])
            )
            terminal.settle(0.1)
            seen.append(held_by(process))
        assert day.wait() == 0, day.stderr.read() if day.stderr else ""
        first, last = seen[: len(seen) // 2], seen[len(seen) // 2 :]
        for name in ("descriptors", "threads", "watches"):
            assert max(getattr(held, name) for held in last) <= max(getattr(held, name) for held in first) + 2, name
        grown = last[-1].megabytes - max(held.megabytes for held in first)
        assert grown < 25 + 0.01 * jobs
        terminal.step("escape", "escape", "escape", "home")
        with Terminal(dashboard, cwd=tmp_path) as fresh:
            fresh.wait_for("Runs")
            fresh.settle(1.0)
            fresh.step("home")
            assert wait_for(lambda: [terminal.settle(), fresh.settle(), picture(terminal) == picture(fresh)][-1]), (
                "\n".join(difflib.unified_diff(picture(terminal), picture(fresh), lineterm=""))
            )
    tried(
        "a day of a busy folder",
        f"{jobs} jobs, {len(seen)} keys",
        f"{grown:+.0f} MB, descriptors {last[-1].descriptors}, threads {last[-1].threads}, watches {last[-1].watches}",
    )
