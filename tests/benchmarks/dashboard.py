"""How fast the dashboard is, and what it costs to leave it open: `python tests/benchmarks/dashboard.py`.

Whole processes in a real pseudo-terminal of 160x45:

    first frame    from the start of the process to the run's name on the screen, beside a bare Textual app's first text
    latency        from log() returning in another process to the bytes on the terminal that show the row
    left open      CPU and bytes a second while nothing happens, while one run is quiet, and while rows come in
    keys           from a key to the screen that shows what it did, with 1,000 runs, also while they load
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from terminal import Terminal, environment

ROUNDS = 7
SECONDS = 10
DASHBOARD = ["-m", "tracker_tui"]
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


def python(source: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env=environment(TRACKER_SILENT="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


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
        ratio = statistics.median(ours / bare for bare, ours in pairs)
        print(f"first frame with {runs:3d} runs {ours:5.2f} s, bare app {bare:5.2f} s: {ratio:4.2f} x   (budget 1.5)")


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
    print(f"log() to screen at {rate:5.0f} rows/s: median {middle:4.0f} ms, p95 {late:4.0f} ms   (budget 150)")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_left_open(what: str, rate: float | None, budget: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        python(MAKE, root, 5).wait()
        job = python(JOB, root, rate or 1, int((rate or 0) * (SECONDS + 5))) if rate is not None else None
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
            terminal.settle(0.5) if not rate else terminal.wait_for("time")
            before, got, start = cpu_seconds(terminal.child.pid), len(terminal.raw), time.time()
            while time.time() - start < SECONDS:
                terminal.read(0.1)
            took = time.time() - start
            cpu = (cpu_seconds(terminal.child.pid) - before) / took * 100
            speed = (len(terminal.raw) - got) / took
        if job is not None:
            job.kill()
            job.communicate()
    print(f"left open, {what:<28} {cpu:5.1f} % CPU, {speed:7.0f} bytes/s   (budget {budget})")


def first_line(terminal: Terminal) -> str:
    """What the overview is about."""
    return terminal.lines[1][-38:]


def answer(terminal: Terminal, key: str) -> float:
    """Milliseconds from a key until the overview is about something else; a person waits a moment between keys."""
    terminal.settle(0.05)
    before, start = first_line(terminal), time.perf_counter()
    terminal.press(key)
    while first_line(terminal) == before and time.perf_counter() - start < 5:
        terminal.read(0.005)
    return (terminal.read_at - start) * 1000


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
        times.sort()
        late = times[int(len(times) * 0.95)]
        print(f"key with {runs} runs, {what:<16} median {statistics.median(times):4.0f} ms, p95 {late:4.0f} ms   (50)")


if __name__ == "__main__":
    bench_keys(1000)
    bench_first_frame()
    bench_latency(1, 15)
    bench_latency(100, 1000)
    bench_left_open("finished runs", None, "0.5 %, 0 bytes/s")
    bench_left_open("one quiet running run", 0, "1 %, 0 bytes/s")
    bench_left_open("100 rows/s, 5 charts", 100, "15 %, 4000 bytes/s")
