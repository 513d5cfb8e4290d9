"""What reading runs of other tools costs: `python tests/benchmarks/foreign.py --peers VENV`.

read      event files of a SummaryWriter: our reader and the whole way into a journal, beside TensorBoard's own
many      1,000 folders of event files: listed the first time, and later; left alone
own       what looking for other tools' runs adds where there are only our own
sync      what `sync_tensorboard=True` adds to a call of `add_scalar`
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Options, megabytes, put, run_alone, say
from opening import READ_TENSORBOARD, TENSORBOARD, Peers

SYNC = """
import statistics, sys, time, tracker
from tensorboardX import SummaryWriter
def call(name):
    writer, seconds = SummaryWriter(f"{sys.argv[1]}/{name}"), []
    for step in range(int(sys.argv[2])):
        start = time.perf_counter()
        writer.add_scalar("loss", step, step)
        seconds.append(time.perf_counter() - start)
    writer.close()
    return statistics.median(seconds)
alone = call("alone")
with tracker.init(dir=sys.argv[1] + "/runs", sync_tensorboard=True):
    print(alone, call("synced"))
"""
"""Medians of one process, with and without."""
LOOK = 0.25
"""Seconds between two looks of a dashboard."""
OWN = """
import sys, tracker
for number in range(int(sys.argv[2])):
    run = tracker.init(project=f"p{number % 10}", dir=sys.argv[1], reinit="create_new", console="off")
    run.log({"loss": 1.0})
    run.finish()
"""


def took(do: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def write_events(folder: Path, rows: int) -> None:
    """What a SummaryWriter makes of 5 scalars a step."""
    subprocess.run([sys.executable, "-c", TENSORBOARD, str(folder), str(rows)], check=True)


def bench_read(folder: Path, rows: int, peers: Path | None) -> None:
    """One long log."""
    from tracker.foreign.conversion import Conversion
    from tracker.foreign.events import EventReader
    from tracker.foreign.finder import Finder

    write_events(folder / "long", rows)
    (path,) = (folder / "long").iterdir()
    what = f"{5 * rows:,} scalars"

    def read() -> None:
        reader = EventReader()
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                reader.feed(data)

    def convert() -> None:
        finder = Finder(str(folder / "long"))
        finder.look(float("inf"))
        (found,) = finder.found.values()
        with tempfile.TemporaryDirectory() as root:
            conversion = Conversion(root, found)
            while conversion.go_on(found.stamps()):
                pass

    floor = took(path.read_bytes)
    reading, converting = took(read), took(convert)
    put(f"{what}: read", reading, "s", floor=floor, floor_is="the bytes")
    put(f"{what}: in a journal", converting, "s", floor=reading, floor_is="read")
    put("the same, most memory of the process", megabytes(os.getpid(), most=True), "MB")
    if peers is not None:
        theirs = Peers(peers, str(folder)).call(READ_TENSORBOARD, folder / "long")
        if theirs is None:
            say("tensorboard is not installed")
        else:
            put(
                f"TensorBoard's EventAccumulator, {what}", float(theirs.split()[1]), "s", floor=reading, floor_is="read"
            )


def bench_many(folder: Path, count: int) -> None:
    """Very many short logs."""
    from tracker.catalog import Catalog
    from tracker.foreign.mirror import Mirror

    write_events(folder / "first", 50)
    (path,) = (folder / "first").iterdir()
    for number in range(count):
        run = folder / "many" / f"group{number // 100}" / f"run{number:04}"
        run.mkdir(parents=True)
        (run / path.name).write_bytes(path.read_bytes())
        os.utime(run / path.name, (0, 0))
    first = Mirror(str(folder / "many"))
    put(f"{count:,} event files: listed the first time", took(Catalog(files=first).refresh), "s")
    first.close()
    mirror = Mirror(str(folder / "many"))
    catalog = Catalog(files=mirror)
    put(f"{count:,} event files: listed later", took(catalog.refresh), "s")
    put(f"{count:,} event files: left open", 100 * _share(lambda: catalog.collect(LOOK)), "% CPU", budget=1)
    mirror.close()


def bench_own(folder: Path, count: int) -> None:
    """No run of others anywhere."""
    from tracker.foreign.mirror import Mirror

    subprocess.run([sys.executable, "-c", OWN, str(folder / "own"), str(count)], check=True, capture_output=True)
    mirror = Mirror(str(folder / "own"))
    put(f"looking among {count} runs of ours: first", 1000 * took(lambda: list(mirror.look(LOOK))), "ms", budget=20)
    put("the same, left open", 100 * _share(lambda: list(mirror.look(LOOK))), "% CPU", budget=0.3)


def bench_sync(folder: Path, calls: int) -> None:
    """A SummaryWriter of tensorboardX, whose calls become rows."""
    done = subprocess.run(
        [sys.executable, "-c", SYNC, str(folder / "sync"), str(calls)], check=True, capture_output=True, text=True
    )
    alone, synced = map(float, done.stdout.split()[-2:])
    put("add_scalar, logged as well", 1e6 * synced, "us", floor=1e6 * alone, floor_is="add_scalar")


def _share(look: Callable[[], object], seconds: float = 15) -> float:
    """The share of a CPU that looking takes as often as a dashboard looks."""
    start, used = time.monotonic(), time.process_time()
    while time.monotonic() - start < seconds:
        look()
        time.sleep(LOOK)
    return (time.process_time() - used) / seconds


def main(options: Options) -> None:
    """Measure all of it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        bench_read(Path(folder), options.size(200_000), options.peers)
        bench_many(Path(folder), options.size(1000))
        bench_own(Path(folder), 200)
        bench_sync(Path(folder), options.size(10_000))


if __name__ == "__main__":
    run_alone(main)
