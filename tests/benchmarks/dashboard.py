"""How fast the dashboard is, and what it costs to leave it open: `python tests/benchmarks/dashboard.py`.

Whole processes in a real pseudo-terminal of 160x45:

    first frame    from the start of the process to the run's name on the screen, beside a bare Textual app's first text
    latency        from log() returning in another process to the bytes on the terminal that show the row
    left open      CPU and bytes a second while nothing happens, while one run is quiet, and while rows come in
    keys           from a key to the screen that shows what it did, with 1,000 runs, also while they load
    slow link      what waits before a key's answer while rows come in, over a link of 8 kB/s that buffers all it is
                   given, with and without the dashboard knowing that it is written to over ssh
"""

from __future__ import annotations

import contextlib
import re
import statistics
import tempfile
import time
from typing import Any

import pexpect
from measuring import (
    DASHBOARD,
    Options,
    Terminal,
    answer,
    cpu_seconds,
    family_memory,
    middle_and_late,
    put,
    python,
    run_alone,
)

LINK = 8000
"""Bytes a second of a slow link."""
ROUNDS = 7
SECONDS = 10
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("ready-to-go")
Bare().run()
"""
MAKE = """
import sys, tracker
for number in range(int(sys.argv[2])):
    run = tracker.init(project="bench", dir=sys.argv[1], name=f"run-number-{number}")
    for row in range(200):
        run.log({"loss": 1 / (row + 1), "acc": row / 200, "lr": 0.1, "grad": row % 7, "time": row * 1.5})
    run.finish()
"""
JOB = """
import sys, time, tracker
root, rate, rows = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
run = tracker.init(project="bench", dir=root, name="live-one")
run.log({"loss": 0.0})
print("ready", flush=True)
sys.stdin.readline()
for row in range(1, rows + 1):
    time.sleep(1 / rate)
    run.log({"loss": float(100000 + row), "acc": row / 200, "lr": 0.1, "grad": row % 7, "time": row * 1.5})
    print(f"{100000 + row} {time.time()}", flush=True)
sys.stdin.readline()
"""


def first_text(words: list[str], text: str) -> float:
    """Seconds from the start of the process to a text on its screen."""
    before = time.perf_counter()
    with Terminal(words) as terminal:
        terminal.wait_for(text)
        return time.perf_counter() - before


def bench_first_frame() -> None:
    for runs in (1, 200):
        with tempfile.TemporaryDirectory() as root:
            python(MAKE, root, runs).wait()
            pairs = [
                (first_text(["-c", BARE], "ready-to-go"), first_text([*DASHBOARD, root], "run-number-"))
                for _ in range(ROUNDS)
            ]
        bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        put(f"first frame with {runs} runs", ours, "s", floor=bare, limit=1.5, floor_is="bare Textual app")


def latency(where: str, rate: float, rows: int) -> tuple[float, float]:
    """Milliseconds from `log()` to the screen, median and p95.

    Rows are told apart by their values: a row counts as seen when its value, or a later one, is in the output.

    Args:
        where: what stands before the root in the path to open.
        rate: rows a second.
        rows: how many.
    """
    with tempfile.TemporaryDirectory() as root:
        job = python(JOB, root, rate, rows)
        assert job.stdin is not None
        assert job.stdout is not None
        job.stdout.readline()
        with Terminal([*DASHBOARD, where + root]) as terminal:
            terminal.wait_for("loss  0")
            terminal.settle(1)
            job.stdin.write("\n")
            job.stdin.flush()
            seen: dict[int, float] = {}
            deadline = time.time() + rows / rate + 2
            while time.time() < deadline and len(seen) < rows:
                terminal.read(0.01)
                now = time.time()
                found = re.search(r"loss  (\d{6})", terminal.text)
                newest = int(found[1]) - 100000 if found else 0
                for row in range(1, newest + 1):
                    seen.setdefault(row, now)
            job.stdin.write("\n")
            job.stdin.flush()
            written = dict(map(float, line.split()) for line in job.stdout.read().splitlines())
        job.wait()
    delays = sorted(seen[row] - written[100000 + row] for row in seen if 100000 + row in written)
    return delays[len(delays) // 2] * 1000, delays[int(len(delays) * 0.95)] * 1000


def bench_latency(rate: float, rows: int) -> None:
    middle, late = latency("", rate, rows)
    put(f"`log()` to screen at {rate:g} rows/s, median", middle, "ms", budget=150)
    put(f"`log()` to screen at {rate:g} rows/s, p95", late, "ms")


def bench_left_open(what: str, rate: float | None, budget: float, most: float) -> None:
    with tempfile.TemporaryDirectory() as root:
        python(MAKE, root, 5).wait()
        job = python(JOB, root, rate or 1, int((rate or 0) * (SECONDS + 20))) if rate is not None else None
        if job is not None:
            assert job.stdin is not None
            assert job.stdout is not None
            job.stdout.readline()
        with Terminal([*DASHBOARD, root]) as terminal:
            terminal.wait_for("loss  ")
            if job is not None:
                job.stdin.write("\n")  # type: ignore[union-attr]
                job.stdin.flush()  # type: ignore[union-attr]
            if rate == 0:
                terminal.wait_for("system")  # its section comes once, with the first sample
            if rate:
                terminal.wait_for("time")
                terminal.settle(2)  # at first the axes change every moment: 10 s of that are 10 kB/s
            terminal.settle(0.5)
            before, got, start = cpu_seconds(terminal.child.pid), len(terminal.raw), time.time()
            while time.time() - start < SECONDS:
                terminal.read(0.1)
            took = time.time() - start
            cpu = (cpu_seconds(terminal.child.pid) - before) / took * 100
            speed = (len(terminal.raw) - got) / took
            memory = family_memory(terminal.child.pid)
        if job is not None:
            job.kill()
            job.communicate()
    put(f"left open, {what}: CPU", cpu, "%", budget=budget)
    put(f"left open, {what}: to the terminal", speed, "bytes/s", budget=most)
    put(f"left open, {what}: memory", memory, "MB")


def bench_keys(runs: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        python(MAKE, root, runs).wait()
        with Terminal([*DASHBOARD, root]) as terminal:
            terminal.wait_for("run-number-")
            while_loading = []
            while f"{runs} runs" not in terminal.text:
                while_loading.append(answer(terminal, "down"))
            terminal.wait_for(f"{runs} runs")
            terminal.settle(1)
            tree = [answer(terminal, "down") for _ in range(60)]
            terminal.step("s", "enter")
            terminal.settle(1)
            table = [answer(terminal, "down") for _ in range(60)]
            typed = []
            terminal.step("/")
            query = "acc>0.5 age<9d"
            for count, sign in enumerate(query, 1):
                terminal.settle(0.05)
                start = time.perf_counter()
                terminal.press(sign)
                terminal.wait_for(f"/ {query[:count]}".rstrip())
                typed.append((terminal.read_at - start) * 1000)
    for what, times in (("while they load", while_loading), ("tree", tree), ("table", table), ("query", typed)):
        middle, late = middle_and_late(times)
        put(f"a key with {runs} runs, {what}, median", middle, "ms", budget=50)
        put(f"a key with {runs} runs, {what}, p95", late, "ms")


class SlowTerminal(Terminal):
    """A terminal behind a link that takes everything at once and carries it slowly, as ssh does."""

    QUESTION, ANSWER = b"\x1b[?2026$p", "\x1b[?2026;2$y"

    def __init__(self, *words: Any, **more: Any) -> None:
        self._wire, self._carried_at, self._answered = b"", time.perf_counter(), 0
        super().__init__(*words, **more)

    @property
    def waiting(self) -> float:
        """Seconds until what was written by now has arrived."""
        return len(self._wire) / LINK

    def read(self, seconds: float) -> bool:
        is_there = True
        with contextlib.suppress(pexpect.TIMEOUT):
            try:
                self._wire += self.child.read_nonblocking(1 << 16, timeout=0.01)
            except pexpect.EOF:
                is_there = False
        now = time.perf_counter()
        data = self._wire[: int((now - self._carried_at) * LINK)]
        self._wire = self._wire[len(data) :]
        if data or not self._wire:
            self._carried_at = now
        if data:
            self.read_at = now
            self.raw += data
            self._stream.feed(data)
        for _ in range(self.raw.count(self.QUESTION) - self._answered):
            self._answered += 1
            self.child.send(self.ANSWER)
        return is_there


def bench_slow_link(is_known: bool) -> None:
    env = {"SSH_CONNECTION": "there 1 here 22"} if is_known else {}
    with tempfile.TemporaryDirectory() as root:
        python(MAKE, root, 5).wait()
        job = python(JOB, root, 100, 6000)
        job.stdout.readline()  # type: ignore[union-attr]
        with SlowTerminal([*DASHBOARD, root], env=env) as terminal:
            terminal.wait_for("loss  0", 60)
            job.stdin.write("\n")  # type: ignore[union-attr]
            job.stdin.flush()  # type: ignore[union-attr]
            terminal.wait_for("time  ", 60)
            begin, waiting, keys = time.perf_counter(), [], iter(["down", "up"] * 20)
            while time.perf_counter() - begin < 40:  # a person who presses a key every two seconds
                if time.perf_counter() - begin > 2 * len(waiting):
                    terminal.press(next(keys))
                    waiting.append(terminal.waiting)
                terminal.read(0.01)
        job.kill()
        job.communicate()
    how = "one frame at a time" if is_known else "as to a terminal here"
    put(
        f"over 8 kB/s while rows come in, {how}: what waits before a key's answer, median",
        statistics.median(waiting),
        "s",
    )
    put(f"over 8 kB/s while rows come in, {how}: what waits before a key's answer, most", max(waiting), "s")


def main(options: Options) -> None:
    bench_keys(options.size(1000))
    bench_first_frame()
    bench_latency(1, 15)
    bench_latency(100, options.size(1000))
    bench_slow_link(is_known=False)
    bench_slow_link(is_known=True)
    bench_left_open("finished runs", None, 0.5, 100)
    bench_left_open("one quiet running run", 0, 1, 100)
    bench_left_open("100 rows/s, 5 charts", 100, 15, 4000)


if __name__ == "__main__":
    run_alone(main)
