"""What charts cost: `python tests/benchmarks/charts.py [wandb]`.

    a chart        milliseconds of one plot, new and when it grows by a row, by size, rows and runs
    a frame        twelve charts of 40x12
    first curve    from the start of the process to the first dots of a run, by rows
    live           CPU and bytes a second while 20 runs are drawn over each other and one row a second is added to each
    keys           from a key to what it changes, while 20 runs of 5 charts are drawn again and again

With the path of a `wandb` command, `wandb leet` shows the same rows.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.extend(str(Path(__file__).parents[2] / part) for part in ("store", "tui", "tests", "tests/benchmarks"))

from dashboard import DASHBOARD, cpu_seconds, python

from terminal import Terminal
from tracker.history import Column, History
from tracker.stored import Key, StoredRun
from tracker_tui.look import colour_and_sign
from tracker_tui.plot import Order, Plotter, Subject
from tracker_tui.views import View

METRICS = ("loss", "acc", "lr", "grad", "time")
MAKE_LONG = """
import random, sys, tracker
run = tracker.init(project="bench", dir=sys.argv[1], name="long-one")
for row in range(int(sys.argv[2])):
    run.log({"loss": 1 / (row + 1) + random.random() / 9, "acc": row / 9, "lr": .1, "grad": row % 7, "time": row * 1.5})
run.finish()
"""
JOBS = """
import random, sys, time, tracker
runs = [tracker.init(project="bench", dir=sys.argv[1], name=f"job-{n}", reinit="create_new") for n in range(20)]
for row in range(500):
    for run in runs: run.log({name: random.random() + row / 200 for name in ("loss", "acc", "lr", "grad", "time")})
print("ready", flush=True)
while True:
    time.sleep(1)
    for run in runs: run.log({name: random.random() + 2 for name in ("loss", "acc", "lr", "grad", "time")})
"""


def subject(number: int, rows: int) -> Subject:
    source = random.Random(number)
    history = History()
    for name in METRICS:
        column = history.columns[name] = Column()
        for row in range(rows):
            column.put(row, 2 * math.exp(-3 * row / rows) + source.random() * 0.3)
    return Subject(StoredRun(Key("p", str(number)), "", "", 0.0), history, *colour_and_sign(number))


def milliseconds(plotter: Plotter, orders: list[Order], rounds: int = 5) -> tuple[float, float]:
    """The first time, and the median when every series has grown by a row."""
    start = time.perf_counter()
    for order in orders:
        plotter.plot(order)
    first = time.perf_counter() - start
    took = []
    for _ in range(rounds):
        for each in orders[0].subjects:
            for column in each.history.columns.values():
                column.put(len(column.steps), random.random())
        start = time.perf_counter()
        for order in orders:
            plotter.plot(order)
        took.append(time.perf_counter() - start)
    return first * 1000, statistics.median(took) * 1000


def bench_charts() -> None:
    milliseconds(Plotter(), [Order("loss", (subject(0, 10),), View(), 40, 12)])  # plotext is loaded
    print("ms a chart: first / grown by a row")
    for rows, runs in ((1000, 1), (10_000, 1), (1_000_000, 1), (1000, 5), (1000, 20)):
        subjects = tuple(subject(number, rows) for number in range(runs))
        for width, height in ((40, 12), (60, 14), (120, 35)):
            order = Order("loss", subjects, View(), width, height, runs > 1)
            first, later = milliseconds(Plotter(), [order])
            print(f"  {rows:8} rows x {runs:2} runs, {width:3}x{height}: {first:7.1f} / {later:6.1f}")
    one = (subject(0, 10_000),)
    orders = [Order(METRICS[i % 5], one, View(), 40, 12 + i // 5) for i in range(12)]
    print("  12 charts of 40x12, 10,000 rows, 1 run: {:.0f} / {:.0f}".format(*milliseconds(Plotter(), orders)))


def has_curve(terminal: Terminal) -> bool:
    return any("\u2801" <= sign <= "\u28ff" for sign in terminal.text)


def bench_first_curve() -> None:
    for rows in (1000, 10_000, 300_000):
        with tempfile.TemporaryDirectory() as root:
            python(MAKE_LONG, root, rows).wait()
            start = time.perf_counter()
            with Terminal([*DASHBOARD, root]) as terminal:
                terminal.wait_for("long-one")
                frame = time.perf_counter() - start
                terminal.wait_for(has_curve)
                curve = time.perf_counter() - start
                terminal.wait_for(lambda t: "loading" not in t.text, 120)
                exact = time.perf_counter() - start
                cpu = cpu_seconds(terminal.child.pid)
        print(
            f"{rows:7} x 5: first frame {frame:.2f} s, first curve {curve:.2f} s, exact {exact:.2f} s, CPU {cpu:.2f} s"
        )


def bench_overlay(seconds: float = 10) -> None:
    with tempfile.TemporaryDirectory() as root:
        job = python(JOBS, root)
        assert job.stdout is not None
        job.stdout.readline()
        with Terminal([*DASHBOARD, root]) as terminal:
            terminal.wait_for("job-19")
            terminal.step("home", " ")
            terminal.wait_for("+", 5)
            terminal.settle(1)
            before, got, start = cpu_seconds(terminal.child.pid), len(terminal.raw), time.time()
            while time.time() - start < seconds:
                terminal.read(0.1)
            cpu = (cpu_seconds(terminal.child.pid) - before) / seconds * 100
            speed = (len(terminal.raw) - got) / seconds
            print(f"20 live runs over each other, 5 charts: {cpu:.1f} % CPU, {speed:.0f} bytes/s")
            delays = []
            for number in range(40):
                before_key = terminal.text
                start = time.perf_counter()
                terminal.press("down" if number % 2 == 0 else "up")
                while terminal.text == before_key and time.perf_counter() - start < 2:
                    terminal.read(0.002)
                delays.append((time.perf_counter() - start) * 1000)
                terminal.read(random.random() / 3)
            delays.sort()
            print(f"  a key is answered after {delays[20]:.0f} ms, p95 {delays[37]:.0f} ms")
        job.kill()
        job.communicate()


def bench_leet(wandb: str) -> None:
    """The same rows in wandb's own terminal dashboard."""
    for rows in (10_000, 300_000):
        with tempfile.TemporaryDirectory() as folder:
            source = (
                "import random, sys, wandb\n"
                "run = wandb.init(mode='offline', project='bench', dir=sys.argv[1])\n"
                "for row in range(int(sys.argv[2])):\n"
                "    run.log({'loss': 1 / (row + 1) + random.random() / 9, 'acc': row / 9, 'lr': .1,"
                " 'grad': row % 7, 'time': row * 1.5})\n"
                "run.finish()\n"
            )
            interpreter = str(Path(wandb).parent / "python")
            quiet = {**os.environ, "WANDB_SILENT": "true"}
            subprocess.run([interpreter, "-c", source, folder, str(rows)], env=quiet, check=True, capture_output=True)
            run = next(Path(folder, "wandb").glob("offline-run-*"))
            start = time.perf_counter()
            words = ["-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])", wandb, "leet", str(run)]
            with Terminal(words) as terminal:
                terminal.wait_for(has_curve, 200)
                curve = time.perf_counter() - start
                last, quiet_since = terminal.text, time.perf_counter()
                while time.perf_counter() - quiet_since < 3 and time.perf_counter() - start < 200:
                    terminal.read(0.1)
                    if terminal.text != last:
                        last, quiet_since = terminal.text, time.perf_counter()
            print(
                f"leet {rows:7} x 5: first curve {curve:.2f} s, last change of the picture {quiet_since - start:.2f} s"
            )


def bench_leet_live(wandb: str, seconds: float = 10) -> None:
    """100 rows a second of five metrics; the job's own time is not counted."""
    source = (
        "import random, sys, time, wandb\n"
        "run = wandb.init(mode='offline', project='bench', dir=sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "row = 0\n"
        "while True:\n"
        "    time.sleep(.01); row += 1\n"
        "    run.log({'loss': 1e5 + row, 'acc': row / 200, 'lr': .1, 'grad': row % 7, 'time': row * 1.5})\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        words = [str(Path(wandb).parent / "python"), "-c", source, folder]
        job = subprocess.Popen(
            words, env={**os.environ, "WANDB_SILENT": "true"}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert job.stdout is not None
        job.stdout.readline()
        run = next(Path(folder, "wandb").glob("offline-run-*"))
        command = ["-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])", wandb, "leet", str(run)]
        with Terminal(command) as terminal:
            terminal.wait_for(has_curve, 60)
            before, got, start = family_cpu(terminal.child.pid), len(terminal.raw), time.time()
            while time.time() - start < seconds:
                terminal.read(0.1)
            cpu = (family_cpu(terminal.child.pid) - before) / seconds * 100
            print(f"leet, 100 rows/s, 5 charts: {cpu:.1f} % CPU, {(len(terminal.raw) - got) / seconds:.0f} bytes/s")
        job.kill()
        job.communicate()


def family_cpu(pid: int) -> float:
    """CPU seconds of a process and all its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(cpu_seconds(member) for member in family)


if __name__ == "__main__":
    bench_charts()
    bench_first_curve()
    bench_overlay()
    if len(sys.argv) > 1:
        bench_leet(sys.argv[1])
        bench_leet_live(sys.argv[1])
