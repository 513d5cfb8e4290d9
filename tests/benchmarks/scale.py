"""Ten thousand runs, a million rows, fifty jobs, and writing on that scale: `python tests/benchmarks/scale.py`.

Black boxes: whole dashboards in a pseudo-terminal of 160x45, and whole jobs.

    many     10,000 finished runs in 100 projects: first and second opening, memory, left open
    big      a run of 1,000,000 rows of 6 metrics, among 20 of them: curve, keys meanwhile, exact, memory
    live     50 jobs that write 1,000 rows a second together, then an hour's rows as fast as they can
    writing  64 jobs started at once, among very many runs, 10,000,000 rows, 1,000 metrics a row, 100,000 printed lines
"""

from __future__ import annotations

import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from measuring import (
    DASHBOARD,
    Options,
    Terminal,
    answer,
    big_runs,
    cpu_seconds,
    cpu_share,
    environment,
    has_curve,
    is_exact,
    many_runs,
    megabytes,
    middle_and_late,
    put,
    python,
    run_alone,
)

LONG = 180.0
"""Seconds after which what should have come never will."""
QUIET = """
import sys, tracker
runs = [tracker.init(project=f"project-{n:03}", dir=sys.argv[1], name=f"quiet-{n}", reinit="create_new", console="off")
        for n in range(10)]
for run in runs: run.log({"loss": 1.0})
print("ready", flush=True)
sys.stdin.readline()
"""
JOBS = """
import os, random, sys, time, tracker
root, jobs, rate, rows = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
def phase(run, count, pause):
    for row in range(count):
        if pause: time.sleep(max(0, began + row * pause - time.monotonic()))
        run.log({"loss": random.random(), "acc": row / 200, "lr": .1, "grad": row % 7, "time": row * 1.5})
go, children = [], []
for number in range(jobs):
    hear, tell = os.pipe()
    child = os.fork()
    if not child:
        for other in go: os.close(other)
        os.close(tell)
        run = tracker.init(project="live", dir=root, name=f"job-{number:02}", console="off")
        phase(run, 3, 0)
        os.write(1, b"r")
        for pause in (jobs / rate, 0):
            count = int.from_bytes(os.read(hear, 8), "big")
            began = time.monotonic()
            if pause or count <= 10_000: phase(run, count, pause)
            else:
                for _ in range(count // 1000): phase(run, 1000, 0); time.sleep(0.5)
            os.write(1, b"d")
        os.read(hear, 8)
        run.finish()
        os._exit(0)
    os.close(hear); go.append(tell); children.append(child)
for line in sys.stdin:
    for pipe in go: os.write(pipe, int(line).to_bytes(8, "big"))
for pipe in go: os.close(pipe)
for child in children: os.waitpid(child, 0)
"""
RUSH = """
import os, sys, time, tracker
hold, go = os.pipe()
children = []
for number in range(64):
    child = os.fork()
    if not child:
        os.close(go); os.read(hold, 1)
        before = time.perf_counter()
        run = tracker.init(project="rush", dir=sys.argv[1])
        took = time.perf_counter() - before
        run.log({"n": number}); run.finish()
        os.write(1, b"%f\\n" % took); os._exit(0)
    children.append(child)
os.close(hold); os.close(go)
for child in children: os.waitpid(child, 0)
"""
START = """
import os, sys, time, tracker
starts, ends = [], []
for _ in range(9):
    before = time.perf_counter()
    run = tracker.init(project="p", dir=sys.argv[1], settings={"x_disable_stats": True}, console="off")
    starts.append(time.perf_counter() - before)
    run.log({"loss": 1.0})
    before = time.perf_counter()
    run.finish()
    ends.append(time.perf_counter() - before)
print(sorted(starts)[4] * 1000, sorted(ends)[4] * 1000)
"""
ROWS = """
import os, random, sys, time, tracker
keys, rows, window = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
import orjson
names = [f"layer{key // 10}/weight{key % 10}" for key in range(keys)]
def memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
run = tracker.init(project="long", dir=sys.argv[1], settings={"x_disable_stats": True}, console="off")
descriptor = os.open(os.path.join(sys.argv[1], "floor"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
clock = time.perf_counter
marks = {window, rows // 10, rows}
times = []
for row in range(1, rows + 1):
    data = {name: random.random() for name in names}
    before = clock(); run.log(data); times.append(clock() - before)
    if row in marks:
        last = times[-window:]
        floors = []
        for _ in range(200):
            before = clock()
            os.write(descriptor, orjson.dumps({"_step": row, "_timestamp": time.time(), **data}) + b"\\n")
            floors.append(clock() - before)
        print(row, sum(last) / len(last) * 1e6, max(last) * 1e3, sorted(floors)[100] * 1e6, memory(), flush=True)
    if len(times) > window: del times[:-window]
size, sums = os.path.getsize(run.file), 0
with open(run.file, "rb") as file:
    for line in file:
        if line.startswith(b'{"_type":"ch'): sums += len(line)
print(sums / size * 100, size / 1e6)
before = clock(); run.finish(); print((clock() - before) * 1000)
"""
PRINTS = """
import sys, time, tracker
run = tracker.init(project="printed", dir=sys.argv[1], console=sys.argv[2])
before = time.perf_counter()
for number in range(100_000): print(f"line {number} of very many, with a loss of 0.12345")
took = time.perf_counter() - before
before = time.perf_counter()
run.finish()
print(took * 10, (time.perf_counter() - before) * 1000, file=sys.stderr)
"""


@contextmanager
def opened(root: Path, caches: Path) -> Iterator[tuple[Terminal, float]]:
    """A dashboard, and when it was started; what it remembers from one opening to the next is in `caches`."""
    start = time.perf_counter()
    homes = {f"XDG_{kind}_HOME": str(caches / kind) for kind in ("CACHE", "STATE", "CONFIG")}
    with Terminal([*DASHBOARD, str(root)], env=homes) as terminal:
        yield terminal, start


def first_frame(root: Path, caches: Path) -> float:
    """Seconds from the start of the process to the first frame."""
    with opened(root, caches) as (terminal, start):
        terminal.wait_for("1 Runs")
        return terminal.read_at - start


def is_listed(runs: int) -> re.Pattern[str]:
    """What the last line says once every run is there."""
    return re.compile(rf"✓ (?:{runs}|{runs:,}) finished")


# ---- many runs ----


def bench_many(options: Options) -> None:
    runs = options.size(10_000)
    root = many_runs(options.data, runs)
    many = f"{runs:,} runs"
    with tempfile.TemporaryDirectory() as folder:
        empty, caches = Path(folder, "empty"), Path(folder, "caches")
        empty.mkdir()
        names, whole = _read_all(root)
        put(f"{many}: names and sizes of all files", names, "s")
        put(f"{many}: raw read of all bytes", whole, "s")
        for number, budget in (("first", 3.0), ("second", 1.0)):
            with opened(root, caches) as (terminal, start):
                terminal.wait_for("1 Runs")
                terminal.wait_for(lambda seen: is_listed(runs).search(seen.text), LONG)
                put(f"{many}, {number} opening: list complete", terminal.read_at - start, "s", budget=budget)
                put(f"{many}, {number} opening: CPU until then", cpu_seconds(terminal.child.pid), "s")
                terminal.settle(1)
        pairs = [(first_frame(empty, caches), first_frame(root, caches)) for _ in range(5)]
        bare, full = (statistics.median(column) for column in zip(*pairs, strict=True))
        put(f"{many}: first frame", full, "s", floor=bare, limit=1.1, floor_is="an empty folder")
        with opened(empty, caches) as (terminal, _):
            terminal.wait_for("1 Runs")
            terminal.settle(2)
            bare = megabytes(terminal.child.pid)
        with opened(root, caches) as (terminal, _):
            terminal.wait_for(lambda seen: is_listed(runs).search(seen.text), LONG)
            terminal.settle(2)
            more = megabytes(terminal.child.pid) - bare
            put(f"{many}: memory above the empty app's {bare:.0f} MB", more, "MB", budget=60)
            terminal.settle(5)
            put(f"{many}, left open: CPU", cpu_share(terminal, 20), "%", budget=0.5)
            keys = [answer(terminal, "up") for _ in range(30)]
            put(f"{many}: a key, p95", middle_and_late(keys)[1], "ms", budget=60)
        bench_ten_running(root, runs, caches)


def bench_ten_running(root: Path, runs: int, caches: Path) -> None:
    """Ten of them are running and quiet; what they wrote is removed again."""
    before = set(root.glob("*/run-*"))
    job = python(QUIET, root)
    assert job.stdout is not None
    job.stdout.readline()
    try:
        with opened(root, caches) as (terminal, _):
            terminal.wait_for("10 running", LONG)
            terminal.wait_for(lambda seen: is_listed(runs).search(seen.text), LONG)
            terminal.settle(5)
            put(f"{runs:,} runs and 10 running ones, left open: CPU", cpu_share(terminal, 20), "%", budget=1)
    finally:
        job.communicate("\n")
        for path in set(root.glob("*/run-*")) - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _read_all(root: Path) -> tuple[float, float]:
    """Seconds for the names and sizes of all journals, and for all of their bytes."""
    before = time.perf_counter()
    paths = [entry.path for folder in os.scandir(root) if folder.is_dir() for entry in os.scandir(folder)]
    for path in paths:
        os.stat(path)
    names = time.perf_counter() - before
    before = time.perf_counter()
    for path in paths:
        Path(path).read_bytes()
    return names, time.perf_counter() - before


# ---- a big run ----


def bench_big(options: Options) -> None:
    rows, runs = options.size(1_000_000), 5 if options.quick else 20
    root = big_runs(options.data, rows, runs)
    big = f"a run of {rows:,} x 6"
    bench_floors(next(root.glob("big/run-*.jsonl")), big)
    with tempfile.TemporaryDirectory() as folder:
        caches = Path(folder)
        for number in ("first", "second"):
            with opened(root, caches) as (terminal, start):
                terminal.wait_for("1 Runs")
                frame = terminal.read_at - start
                terminal.wait_for(has_curve, LONG)
                curve = terminal.read_at - start - frame
                put(f"{big}, {number} opening: first curve after the first frame", curve, "s", budget=0.5)
                terminal.wait_for(is_exact, LONG)
                exact = terminal.read_at - start - frame
                terminal.settle(1.5)  # a plot is drawn once a second
                if number == "first":
                    put(
                        f"{big}: CPU until it is exact, the app's start included",
                        cpu_seconds(terminal.child.pid),
                        "s",
                        budget=4,
                    )
                    put(f"{big}: memory", megabytes(terminal.child.pid), "MB")
                    put(f"{big}: a spike one row wide is seen (1: yes)", float(_sees_spike(terminal)), "", budget=1)
                else:
                    put(f"{big}, second opening: exact after the first frame", exact, "s", budget=0.3)
        bench_switching(root, rows, runs, caches)
    bench_keys_meanwhile(root, big)


def bench_keys_meanwhile(root: Path, big: str) -> None:
    """Letters of a query, one by one, while the history loads."""
    late = []
    with tempfile.TemporaryDirectory() as folder, opened(root, Path(folder)) as (terminal, _):
        terminal.wait_for(has_curve, LONG)
        terminal.press("/")
        terminal.wait_for("/ words")
        while not is_exact(terminal) and len(late) < 100:
            for key, shows in (("b", True), ("backspace", False)):
                terminal.settle(0.05)
                start = time.perf_counter()
                terminal.press(key)
                terminal.wait_for(lambda seen: ("/ b" in seen.text) is shows)  # noqa: B023
                late.append((terminal.read_at - start) * 1000)
    if late:
        middle, latest = middle_and_late(late)
        put(f"{big}: {len(late)} keys while it loads, median", middle, "ms")
        put(f"{big}: {len(late)} keys while it loads, p95", latest, "ms", budget=60)


def bench_switching(root: Path, rows: int, runs: int, caches: Path) -> None:
    """From one such run to the next, each until it is exact."""
    small = many_runs(root.parent, 20)
    with opened(small, caches) as (terminal, _):
        terminal.wait_for(has_curve, LONG)
        terminal.settle(2)
        bare = megabytes(terminal.child.pid)
    with opened(root, caches) as (terminal, _):
        terminal.wait_for(has_curve, LONG)
        terminal.wait_for(is_exact, LONG)
        terminal.settle(2)
        one = megabytes(terminal.child.pid) - bare
        points = rows * 6
        put(f"{rows:,} x 6 in memory, a point", one * 2**20 / points, "bytes", budget=20)
        for _ in range(runs - 1):
            terminal.press("down")
            terminal.settle(0.5)
            terminal.wait_for(lambda seen: has_curve(seen) and is_exact(seen), LONG)
        terminal.settle(1)
        most = megabytes(terminal.child.pid, most=True) - bare
        put(f"{runs} such runs one after the other: most memory above the app's", most, "MB", floor=one, floor_is="one")


def bench_floors(journal: Path, big: str) -> None:
    """What the bytes themselves cost."""
    before = time.perf_counter()
    data = journal.read_bytes()
    put(f"{big}: raw read, {len(data) / 1e6:.0f} MB", time.perf_counter() - before, "s")
    before = time.perf_counter()
    lines = data.count(b"\n")
    put(f"{big}: counting {lines:,} lines", time.perf_counter() - before, "s")
    before = time.perf_counter()
    for line in data.splitlines():
        orjson.loads(line)
    put(f"{big}: orjson, line by line", time.perf_counter() - before, "s")


def _sees_spike(terminal: Terminal) -> bool:
    """Whether an axis reaches as far as the one row that is far above all others."""
    return any(float(found[1].replace("k", "e3")) >= 40 for found in re.finditer(r"(\d+(?:\.\d+)?k?)┤", terminal.text))


# ---- live ----


def bench_live(options: Options) -> None:
    jobs, rate, seconds = options.size(50), options.size(1000), options.size(40)
    hour = options.size(3_600_000) // jobs
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "runs")
        writer = python(JOBS, root, jobs, rate, 0)
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.read(jobs) == "r" * jobs
        with opened(root, Path(folder)) as (terminal, _):
            terminal.wait_for(f"{jobs} running", LONG)
            terminal.settle(1)
            live = f"{jobs} jobs, {rate} rows/s in all"
            _tell(writer, rate * seconds // jobs)
            terminal.settle(2)
            put(f"{live}: CPU", cpu_share(terminal, seconds * 0.6), "%", budget=25)
            keys = []
            for number in range(20):
                terminal.read(random.random() / 3)
                keys.append(answer(terminal, "down" if number % 4 < 2 else "up"))
            put(f"{live}: a key, p95", middle_and_late(keys)[1], "ms", budget=60)
            assert writer.stdout.read(jobs) == "d" * jobs
            before = megabytes(terminal.child.pid)
            _tell(writer, hour)
            while writer.poll() is None and not _has(writer, jobs):
                terminal.read(0.1)
            terminal.settle(2)
            grown = megabytes(terminal.child.pid) - before
            put(f"{jobs * hour:,} more rows, an hour's: memory grown by", grown, "MB", budget=60)
            last = 3 + rate * seconds // jobs + hour // 1000 * 1000 - 1
            for _ in range(3):  # the overview may be late, the rows may not be missing
                seen = _steps(terminal, jobs)
                if seen == [last] * jobs:
                    break
            put(
                f"{live}: runs whose last row is on the screen",
                sum(step == last for step in seen),
                "",
                floor=jobs,
                floor_is="of",
            )
        writer.communicate()


def _tell(writer: subprocess.Popen[str], rows: int) -> None:
    assert writer.stdin is not None
    writer.stdin.write(f"{rows}\n")
    writer.stdin.flush()


def _has(writer: subprocess.Popen[str], count: int) -> bool:
    """Whether all jobs have said that they are done."""
    import select

    assert writer.stdout is not None
    said = getattr(writer, "said", 0)
    if select.select([writer.stdout], [], [], 0)[0]:
        said += len(os.read(writer.stdout.fileno(), 4096))
    writer.said = said  # type: ignore[attr-defined]
    return said >= count


def _steps(terminal: Terminal, runs: int) -> list[int]:
    """The last step of each run that the overview tells, going through all of them."""
    found: dict[str, int] = {}
    terminal.press("home")
    for _ in range(2 * runs + 5):
        terminal.settle(0.1)
        text = "\n".join(line[-38:] for line in terminal.lines)
        name, step = re.search(r"job-\d\d", text), re.search(r"step +([\d,]+)", text)
        if name is not None and step is not None:
            found[name[0]] = int(step[1].replace(",", ""))
        if len(found) == runs:
            break
        terminal.press("down")
    return list(found.values())


# ---- writing ----


def bench_writing(options: Options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = python(RUSH, folder).communicate()[0]
        took = sorted(float(line) * 1000 for line in done.splitlines())
        names, ids = _names(Path(folder, "rush"))
        put("64 jobs at once: `init`, slowest", took[-1], "ms")
        put("64 jobs at once: ids", len(ids), "", floor=64, floor_is="of")
        put("64 jobs at once: names", len(names), "", floor=64, floor_is="of")
    for count in (10, 10_000, 100_000):
        bench_start(options.size(count))
    for keys, rows, window in ((6, options.size(10_000_000), 1000), (1000, options.size(3000), 100)):
        with tempfile.TemporaryDirectory() as folder:
            *marks, share, ends = python(ROWS, folder, keys, rows, window).communicate()[0].splitlines()
        for mark in marks:
            row, mean, worst, floor, memory = map(float, mark.split())
            what = f"{keys} metrics a row, around row {row:,.0f}"
            put(f"{what}: `log()`, mean of {window}", mean, "us", floor=floor, floor_is="dumps + write")
            put(f"{what}: longest", worst, "ms")
            put(f"{what}: memory, at most", memory, "MB")
        put(f"{keys} metrics a row: checkpoints, of {float(share.split()[1]):,.0f} MB", float(share.split()[0]), "%")
        put(f"{keys} metrics a row: `finish`", float(ends), "ms", budget=50 if keys < 100 else None)
    for way in ("off", "wrap", "redirect"):
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-c", PRINTS, folder, way]
            env = environment(TRACKER_SILENT="1")
            with open(os.path.join(folder, "printed"), "wb") as out:
                done = subprocess.run(words, env=env, stdout=out, stderr=subprocess.PIPE, text=True, check=True).stderr
        each, end = map(float, done.split())
        put(f"100,000 printed lines, console {way}: a line", each, "us")
        put(f"100,000 printed lines, console {way}: `finish`", end, "ms")


def bench_start(runs: int) -> None:
    """One more run where there are very many."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "p")
        project.mkdir()
        for number in range(runs):
            (project / f"run-20260101_120000-{number:08}.jsonl").touch()
        start, end = map(float, python(START, folder).communicate()[0].split())
        put(f"among {runs:,} runs: `init`", start, "ms")
        put(f"among {runs:,} runs: `finish`", end, "ms")


def _names(project: Path) -> tuple[set[str], set[str]]:
    starts = [orjson.loads(path.open("rb").readline()) for path in project.glob("run-*.jsonl")]
    return {start["name"] for start in starts}, {start["id"] for start in starts}


def main(options: Options) -> None:
    bench_many(options)
    bench_big(options)
    bench_live(options)
    bench_writing(options)


if __name__ == "__main__":
    run_alone(main)
