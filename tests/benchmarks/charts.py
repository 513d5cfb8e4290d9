"""What charts cost: `python tests/benchmarks/charts.py`.

a chart        milliseconds of one plot, new and when it grows by a row, by size, rows and runs
a frame        twelve charts of 40x12
first curve    from the start of the process to the first dots of a run, by rows
live           CPU and bytes a second while 20 runs are drawn over each other and one row a second is added to each
keys           from a key to what it changes, while 20 runs of 5 charts are drawn again and again
"""

from __future__ import annotations

import math
import random
import statistics
import tempfile
import time

from measuring import (
    DASHBOARD,
    Options,
    Terminal,
    cpu_seconds,
    has_curve,
    is_exact,
    middle_and_late,
    put,
    python,
    run_alone,
)

from tracker.history import Column, History
from tracker.stored import Key, StoredRun
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
    return Subject(StoredRun(Key("p", str(number)), "", "", 0.0), history, number)


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
    for rows, runs in ((1000, 1), (10_000, 1), (1_000_000, 1), (1000, 5), (1000, 20)):
        subjects = tuple(subject(number, rows) for number in range(runs))
        for width, height in ((60, 14), (120, 35)):
            order = Order("loss", subjects, View(), width, height, runs > 1)
            first, later = milliseconds(Plotter(), [order])
            what = f"a plot of {rows:,} rows x {runs} run{'s' * (runs > 1)}, {width}x{height}"
            put(what, first, "ms")
            put(f"{what}, grown by a row", later, "ms")
    one = (subject(0, 10_000),)
    orders = [Order(METRICS[i % 5], one, View(), 40, 12 + i // 5) for i in range(12)]
    first, later = milliseconds(Plotter(), orders)
    put("12 plots of 10,000 rows, 40x12", first, "ms")
    put("12 plots of 10,000 rows, 40x12, grown by a row", later, "ms")


def bench_first_curve(rows: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        python(MAKE_LONG, root, rows).wait()
        start = time.perf_counter()
        with Terminal([*DASHBOARD, root]) as terminal:
            terminal.wait_for("long-one")
            frame = time.perf_counter() - start
            terminal.wait_for(has_curve)
            curve = time.perf_counter() - start
            terminal.wait_for(is_exact, 120)
            exact = time.perf_counter() - start
            cpu = cpu_seconds(terminal.child.pid)
    what = f"a run of {rows:,} x 5"
    put(f"{what}: first frame", frame, "s")
    put(f"{what}: first curve, after the first frame", curve - frame, "s", budget=0.5)
    put(f"{what}: exact, after the first frame", exact - frame, "s", budget=2)
    put(f"{what}: CPU until then", cpu, "s")


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
            put("20 live runs over each other, 5 charts: CPU", cpu, "%")
            put("20 live runs over each other, 5 charts: to the terminal", speed, "bytes/s", budget=4000)
            delays = []
            for number in range(40):
                before_key = terminal.text
                start = time.perf_counter()
                terminal.press("down" if number % 2 == 0 else "up")
                while terminal.text == before_key and time.perf_counter() - start < 2:
                    terminal.read(0.002)
                delays.append((time.perf_counter() - start) * 1000)
                terminal.read(random.random() / 3)
            middle, late = middle_and_late(delays)
            put("20 live runs over each other: a key, median", middle, "ms", budget=50)
            put("20 live runs over each other: a key, p95", late, "ms", budget=60)
        job.kill()
        job.communicate()


def main(options: Options) -> None:
    bench_charts()
    for rows in (1000, 10_000, 300_000):
        bench_first_curve(options.size(rows))
    bench_overlay()


if __name__ == "__main__":
    run_alone(main)
