"""What logging costs, beside the least it could cost: `python tests/benchmarks/store.py`.

Every figure is a ratio to a floor measured in the same run, for machines differ and are noisy:

    log()     to os.write(fd, orjson.dumps(row with time.time())), 3 scalars a row, same file system
    import    to `import orjson, threading, pathlib`, whole processes in turn
    samples   to the same silent process without them; of the machine as it is, GPUs too where there are some
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from measuring import Options, put, run_alone, say

import tracker

ROWS = 100_000
ROUNDS = 5
IMPORTS = 15
SILENT = 10
"""Seconds in which nothing but samples happens."""
TREE = Path(__file__).parents[2]


def timed(call: Callable[[int], None], rows: int) -> list[int]:
    """Nanoseconds of every call."""
    clock = time.perf_counter_ns
    times = []
    for row in range(rows):
        before = clock()
        call(row)
        times.append(clock() - before)
    return times


def floor_call(folder: str) -> tuple[Callable[[int], None], Callable[[], None]]:
    descriptor = os.open(os.path.join(folder, "floor.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def call(row: int) -> None:
        data = {"_step": row, "_timestamp": time.time(), "loss": 0.5 / (row + 1), "acc": 0.25, "lr": 0.001}
        os.write(descriptor, orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE))

    return call, lambda: os.close(descriptor)


def log_call(folder: str) -> tuple[Callable[[int], None], Callable[[], None]]:
    run = tracker.init(project="bench", dir=folder)

    def call(row: int) -> None:
        run.log({"loss": 0.5 / (row + 1), "acc": 0.25, "lr": 0.001})

    return call, run.finish


def percentile(times: list[int], share: float) -> float:
    """Microseconds."""
    return sorted(times)[int(len(times) * share)] / 1000


def bench_log() -> None:
    rounds: list[tuple[float, ...]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            result = {}
            for name, make in (("floor", floor_call), ("log", log_call)):
                call, close = make(folder)
                timed(call, 1000)
                times = timed(call, ROWS // ROUNDS)
                close()
                result[name] = (percentile(times, 0.5), percentile(times, 0.99))
        rounds.append((*result["floor"], *result["log"]))
    floor, late_floor, middle, late = map(statistics.median, zip(*rounds, strict=True))
    put("`log()` of 3 scalars, median", middle, "us", floor=floor, limit=3, floor_is="dumps + write")
    put("`log()` of 3 scalars, p99", late, "us", floor=late_floor, limit=5, floor_is="dumps + write")


def bench_ends(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before = time.perf_counter()
        run = tracker.init(project="bench", dir=folder)
        started = time.perf_counter()
        for row in range(rows):
            run.log({"loss": 0.5 / (row + 1), "acc": 0.25, "lr": 0.001})
        logged = time.perf_counter()
        run.finish()
        ended = time.perf_counter()
    put("`init`, first of a process", (started - before) * 1000, "ms", budget=30)
    put(f"{rows:,} rows logged, checkpoints included", logged - started, "s")
    put("`finish` after that", (ended - logged) * 1000, "ms", budget=50)


def bench_import() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{TREE / 'store'}"}

    def seconds(code: str) -> float:
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        return time.perf_counter() - before

    bare, floor, ours, used = (
        "pass",
        "import orjson, threading, pathlib",
        "import tracker",
        "import tracker; tracker.init",
    )
    rounds = [[seconds(code) for code in (bare, floor, ours, used)] for _ in range(IMPORTS)]
    middle = [statistics.median(column) * 1000 for column in zip(*rounds, strict=True)]
    put(
        "`import tracker`, whole process",
        middle[2],
        "ms",
        floor=middle[1],
        limit=2,
        floor_is="orjson, threading, pathlib",
    )
    put(
        "the same and `tracker.init` looked up", middle[3], "ms", floor=middle[1], floor_is="orjson, threading, pathlib"
    )


def bench_system() -> None:
    used: dict[str, float] = {}
    samples = 0
    for every in ("off", "0.1"):
        with tempfile.TemporaryDirectory() as folder:
            run = tracker.init(project="bench", dir=folder, settings={"x_stats_sampling_interval": every})
            time.sleep(1.5)  # what is loaded once is loaded
            before, written = time.process_time(), Path(run.file).read_bytes().count(b"\n")
            time.sleep(SILENT)
            used[every] = time.process_time() - before
            samples = Path(run.file).read_bytes().count(b"\n") - written
            run.finish()
    one = (used["0.1"] - used["off"]) / samples
    put("a sample of the machine", one * 1e6, "us")
    put("CPU of a silent process, a sample every 10 s", one * 10, "%", budget=0.1)


def main(options: Options) -> None:
    say("what logging costs")
    bench_system()
    bench_log()
    bench_ends(options.size(1_000_000))
    bench_import()


if __name__ == "__main__":
    run_alone(main)
