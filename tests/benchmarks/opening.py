"""How long other tools take to show a long run, and very many: `python tests/benchmarks/opening.py --peers VENV`.

Each tool writes the same rows by its own means, beside ours. W&B's and tlog's dashboards are watched on a terminal,
from the start of the process to the first dots of a curve, and to the last change of the dots; TensorBoard and trackio
show theirs in a browser, so it is their own readers that are timed here, in a process that has loaded them. MLflow's
are in `reading.py`.

    long     one run of 300,000 rows of 5 metrics
    many     10,000 runs: W&B's and tlog's are copies of one
    open     W&B's dashboard left open beside finished, quiet and busy runs; its keys and its memory
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from charts import MAKE_LONG
from measuring import (
    DASHBOARD,
    Options,
    Terminal,
    family_cpu,
    family_memory,
    has_curve,
    many_runs,
    put,
    python,
    run_alone,
    say,
)

LONG = 300.0
"""Seconds after which what should have come never will."""
TERM = {"TERM": "screen-256color"}
"""Of a terminal by another name W&B's dashboard asks the colours, and waits 5 s, for ours answers nothing."""
ROW = "{'loss': 1 / (row + 1) + random.random() / 9, 'acc': row / 9, 'lr': .1, 'grad': row % 7, 'time': row * 1.5}"
WANDB = f"""
import random, sys, time, wandb
run = wandb.init(mode="offline", project="bench", dir=sys.argv[1], settings=wandb.Settings(console="off"))
print("ready", flush=True)
for row in range(int(sys.argv[2])):
    run.log({ROW})
    if len(sys.argv) > 3: time.sleep(float(sys.argv[3]))
run.finish()
"""
TLOG = f"""
import random, sys, tlog
run = tlog.init(project="bench", dir=sys.argv[1], capture_console=False)
for row in range(int(sys.argv[2])): run.log({ROW})
run.finish()
"""
TENSORBOARD = f"""
import random, sys
from tensorboardX import SummaryWriter
writer = SummaryWriter(sys.argv[1])
for row in range(int(sys.argv[2])):
    for key, value in {ROW}.items(): writer.add_scalar(key, value, row)
writer.close()
"""
READ_TENSORBOARD = """
import sys, time
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
before = time.perf_counter()
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
print(len(events.Scalars("loss")), time.perf_counter() - before)
"""
TRACKIO = f"""
import random, sys
from trackio.sqlite_storage import SQLiteStorage
SQLiteStorage.bulk_log("bench", "one", [{ROW} for row in range(int(sys.argv[2]))])
"""
READ_TRACKIO = """
import sys, time
from trackio.sqlite_storage import SQLiteStorage
before = time.perf_counter()
rows = SQLiteStorage.get_logs("bench", "one")
print(len(rows), time.perf_counter() - before)
"""


class Peers:
    """Programs of a virtual environment, with a folder as home."""

    def __init__(self, venv: Path, home: str) -> None:
        self._bin = venv / "bin"
        self._env = {**os.environ, "HOME": home, "WANDB_SILENT": "true", "TRACKIO_DIR": home}

    def has(self, module: str) -> bool:
        return self.call(f"import {module}") is not None

    def call(self, source: str, *arguments: object) -> str | None:
        """What a script prints; None when it fails."""
        words = [str(self._bin / "python"), "-W", "ignore", "-c", source, *map(str, arguments)]
        done = subprocess.run(words, env=self._env, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def start(self, source: str, *arguments: object) -> subprocess.Popen[bytes]:
        words = [str(self._bin / "python"), "-c", source, *map(str, arguments)]
        return subprocess.Popen(words, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def words(self, *command: object) -> list[str]:
        """What makes our interpreter become one of the programs."""
        program, *rest = map(str, command)
        return ["-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])", str(self._bin / program), *rest]


def curve_and_last(words: list[str]) -> tuple[float, float]:
    """Seconds from the start of a dashboard to the first dots of a curve, and to their last change."""
    start = time.perf_counter()
    with Terminal(words, env=TERM) as terminal:
        terminal.wait_for(has_curve, LONG)
        curve = last = terminal.read_at
        dots = _dots(terminal)
        while terminal.read_at - last < 3 and time.perf_counter() - start < LONG:
            terminal.read(0.1)
            if (now := _dots(terminal)) != dots:
                dots, last = now, terminal.read_at
            if time.perf_counter() - last > 3:
                break
    return curve - start, last - start


def _dots(terminal: Terminal) -> str:
    return "".join(sign for sign in terminal.text if "\u2801" <= sign <= "\u28ff")


def bench_long(peers: Peers, rows: int, home: Path) -> None:
    what = f"a run of {rows:,} x 5"
    python(MAKE_LONG, home / "ours", rows).wait()
    curve, last = curve_and_last([*DASHBOARD, str(home / "ours")])
    put(f"tracker-tui, {what}: first curve, from the start", curve, "s")
    put(f"tracker-tui, {what}: last change", last, "s")
    for name, module, write, program in (
        ("wandb leet", "wandb", WANDB, lambda: ("wandb", "leet", next(home.glob("wandb/offline-run-*")))),
        ("tlog watch", "tlog", TLOG, lambda: ("tlog", "watch", "--dir", home / "tlog")),
    ):
        if not peers.has(module):
            say(f"{module} is not installed")
            continue
        peers.call(write, home / "tlog" if module == "tlog" else home, rows)
        theirs, theirs_last = curve_and_last(peers.words(*program()))
        put(f"{name}, {what}: first curve, from the start", theirs, "s", floor=curve, floor_is="tracker-tui")
        put(f"{name}, {what}: last change", theirs_last, "s", floor=last, floor_is="tracker-tui")
    for name, module, write, read in (
        ("TensorBoard's reader", "tensorboard, tensorboardX", TENSORBOARD, READ_TENSORBOARD),
        ("trackio's reader", "trackio", TRACKIO, READ_TRACKIO),
    ):
        if not peers.has(module):
            say(f"{module} is not installed")
            continue
        peers.call(write, home / "events", rows)
        if found := peers.call(read, home / "events"):
            put(f"{name}, {what}: all rows", float(found.split()[1]), "s", floor=last, floor_is="tracker-tui")


def bench_many(peers: Peers, runs: int, data: Path, home: Path) -> None:
    what = f"{runs:,} runs"
    ours = _seconds([*DASHBOARD, str(many_runs(data, runs))], lambda seen: f"✓ {runs}" in seen.text.replace(",", ""))
    put(f"tracker-tui, {what}: listed, from the start", ours, "s")
    if peers.has("wandb"):
        peers.call(WANDB, home, 200)
        first = next(home.glob("wandb/offline-run-*"))
        (journal,) = first.glob("*.wandb")
        for number in range(runs - 1):
            stamp = f"20260101_{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}"
            folder = first.with_name(f"offline-run-{stamp}-{number:08}")
            folder.mkdir()
            shutil.copy(journal, folder / f"run-{number:08}.wandb")
        theirs = _seconds(peers.words("wandb", "leet", home / "wandb"), lambda seen: f" of {runs}]" in seen.text)
        put(f"wandb leet, {what}: listed, from the start", theirs, "s", floor=ours, floor_is="tracker-tui")
    if peers.has("tlog"):
        peers.call(TLOG, home / "many", 200)
        (first,) = (path for path in home.glob("many/bench/*") if path.is_dir())
        for number in range(runs - 1):
            shutil.copytree(first, first.with_name(f"{first.name[:-6]}{number:06}"))
        before = time.perf_counter()
        subprocess.run(
            [sys.executable, *peers.words("tlog", "ls", home / "many")], stdout=subprocess.DEVNULL, check=True
        )
        theirs = time.perf_counter() - before
        put(f"tlog ls, {what}: listed, from the start", theirs, "s", floor=ours, floor_is="tracker-tui")


def _seconds(words: list[str], holds: Callable[[Terminal], bool]) -> float:
    """Median seconds from the start of a dashboard until its screen satisfies a question."""
    took = []
    with tempfile.TemporaryDirectory() as caches:
        for _ in range(3):
            start = time.perf_counter()
            with Terminal(words, env={**TERM, "XDG_CACHE_HOME": caches, "XDG_STATE_HOME": caches}) as terminal:
                terminal.wait_for(holds, LONG)
                took.append(terminal.read_at - start)
    return statistics.median(took)


def bench_left_open(peers: Peers, home: Path) -> None:
    """W&B's dashboard beside five runs that have ended, and beside one more that is quiet, then busy: five metrics."""
    if not peers.has("wandb"):
        return
    for _ in range(5):
        peers.call(WANDB, home, 200)
    words = peers.words("wandb", "leet", home / "wandb")
    first = _seconds(words, lambda seen: " of 5]" in seen.text)
    put("wandb leet, 5 runs: listed, from the start", first, "s")
    with Terminal(words, env=TERM) as terminal:
        terminal.wait_for(has_curve, 60)
        terminal.settle(2)
        keys = [_answer(terminal, key) for key in ["down", "up"] * 10]
        put("wandb leet, 5 runs: a key, median", statistics.median(keys), "ms")
        _watch(terminal, "finished runs")
    for what, pace in (("one quiet running run", "100"), ("100 rows/s, 5 charts", "0.01")):
        job = peers.start(WANDB, home / what, 10_000, pace)
        assert job.stdout is not None
        job.stdout.readline()
        words = peers.words("wandb", "leet", next((home / what).glob("wandb/offline-run-*")))
        with Terminal(words, env=TERM) as terminal:
            terminal.wait_for(has_curve, 60)
            terminal.settle(1)
            _watch(terminal, what)
        job.kill()
        job.communicate()


def _watch(terminal: Terminal, what: str, seconds: float = 10) -> None:
    """What it costs to leave a dashboard open."""
    before, got, start = family_cpu(terminal.child.pid), len(terminal.raw), time.time()
    while time.time() - start < seconds:
        terminal.read(0.1)
    cpu = (family_cpu(terminal.child.pid) - before) / seconds * 100
    put(f"wandb leet, left open, {what}: CPU", cpu, "%")
    put(f"wandb leet, left open, {what}: to the terminal", (len(terminal.raw) - got) / seconds, "bytes/s")
    put(f"wandb leet, left open, {what}: memory", family_memory(terminal.child.pid), "MB")


def _answer(terminal: Terminal, key: str) -> float:
    """Milliseconds from a key to the next change of the screen."""
    terminal.settle(0.1)
    before, start = terminal.text, time.perf_counter()
    terminal.press(key)
    while terminal.text == before and time.perf_counter() - start < 5:
        terminal.read(0.005)
    return (terminal.read_at - start) * 1000


def main(options: Options) -> None:
    if options.peers is None:
        say("no --peers: no other dashboards are measured")
        return
    for bench in (
        lambda peers, home: bench_long(peers, options.size(300_000), home),
        lambda peers, home: bench_many(peers, options.size(10_000), options.data, home),
        bench_left_open,
    ):
        with tempfile.TemporaryDirectory() as home:
            bench(Peers(options.peers, home), Path(home))


if __name__ == "__main__":
    run_alone(main)
