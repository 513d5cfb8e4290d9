"""How fast runs on another machine are, and what they cost there and on the wire: `python tests/benchmarks/far.py`.

A real sshd on this machine, with a proxy between that delays and counts:

    first list     from the start of ssh to the first runs and to all of them, beside a bare `ssh host true`
    latency        from log() returning there to the screen here
    wire           bytes a second at 100 rows/s, beside those of the file
    large run      1M rows: the first curve, and all rows
    reconnect      from a cut to rows again
    far side       CPU idle with 10,000 runs, and live
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.extend(str(Path(__file__).parents[2] / part) for part in ("store", "tui", "tests", "tests/benchmarks"))

from dashboard import JOB, cpu_seconds, latency, python

from farhost import NAME, FarHost, Proxy
from tracker.stored import Key
from tracker_tui.hosts import open_sources, parse
from tracker_tui.hosts.link import STEADY, links_of
from tracker_tui.model import Model

MANY = 10_000
BIG = 1_000_000
ROUNDS = 5


def make_many(root: Path, count: int) -> None:
    """Finished runs as a job leaves them; of many, a few hundred that are copied under other ids."""
    made = min(count, 250)
    python(
        "import random, sys, tracker\n"
        "for number in range(int(sys.argv[2])):\n"
        "    config = {'lr': random.random(), 'layers': 4, 'model': 'vit', 'seed': random.randrange(10**9)}\n"
        "    run = tracker.init(project='bench', dir=sys.argv[1], config=config)\n"
        "    for row in range(50): run.log({'loss': random.random(), 'acc': random.random(), 'lr': 0.1})\n"
        "    run.finish()\n",
        root,
        made,
    ).wait()
    for path in list(root.glob("bench/run-*.jsonl")):
        text, run_id = path.read_text(), path.stem.rpartition("-")[2]
        for number in range(1, count // made):
            other = f"{run_id[:5]}{number:03}"
            path.with_name(f"run-20260101_12{number % 60:02}00-{other}.jsonl").write_text(text.replace(run_id, other))


def make_big(root: Path) -> None:
    """One run of `BIG` rows of 6 numbers."""
    python(
        "import random, sys, tracker\n"
        "run = tracker.init(project='bench', dir=sys.argv[1], id='biggest1')\n"
        "for step in range(int(sys.argv[2])):\n"
        "    noise = random.random()\n"
        "    run.log({'loss': 1 / (step + 1) + noise / 10, 'acc': noise, 'lr': 0.1, 'grad': noise * 3,\n"
        "             'time': step * 1.5, 'tokens': step * 512})\n",
        root,
        BIG,
    ).wait()


@contextmanager
def looked_at(place: str) -> Iterator[Model]:
    model = Model(open_sources([parse(place)]))
    try:
        yield model
    finally:
        for link in links_of(model.sources):
            link.close()


def take_until(model: Model, holds: Callable[[], object]) -> float:
    """Seconds until something holds, taking what comes."""
    began = time.perf_counter()
    while not holds():
        model.apply(model.collect())
        time.sleep(0.001)
    return time.perf_counter() - began


def bench_first_list(host: FarHost, root: Path, delay: float) -> None:
    proxy = Proxy(host.port, delay)
    place = f"ssh://{NAME}:{proxy.port}{root}"
    plain, first, whole = [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(["ssh", "-p", str(proxy.port), NAME, "python3 -IS -c 0"], check=True)
        plain.append(time.perf_counter() - began)
        began = time.perf_counter()
        with looked_at(place) as model:
            take_until(model, lambda model=model: model.runs)
            first.append(time.perf_counter() - began)
            before = proxy.down
            take_until(model, lambda model=model: model.sources.is_complete)
            whole.append(time.perf_counter() - began)
            found = len(model.runs)
            wire = proxy.down - before
    bare, soon, late = map(statistics.median, (plain, first, whole))
    print(
        f"round trip {2000 * delay:3.0f} ms, {found:6d} runs: first {soon:5.2f} s, all {late:5.2f} s,"
        f" {wire / 1e6:4.1f} MB; `ssh host python3 -c 0` {bare:5.2f} s"
    )
    proxy.close()


def bench_latency(host: FarHost, delay: float, rate: float, rows: int) -> None:
    proxy = Proxy(host.port, delay)
    middle, late = latency(f"ssh://{NAME}:{proxy.port}", rate, rows)
    budget = 1000 * delay + 150
    print(
        f"log() there to screen here, round trip {2000 * delay:3.0f} ms, {rate:4.0f} rows/s: median {middle:4.0f} ms,"
        f" p95 {late:4.0f} ms   (budget {budget:.0f})"
    )
    proxy.close()


def bench_wire(host: FarHost, seconds: float = 20.0) -> None:
    proxy = Proxy(host.port)
    with tempfile.TemporaryDirectory() as folder:
        job = python(JOB, folder, 100, 100_000)
        assert job.stdin is not None
        assert job.stdout is not None
        job.stdout.readline()
        job.stdin.write("\n")
        job.stdin.flush()
        with looked_at(f"ssh://{NAME}:{proxy.port}{folder}") as model:
            take_until(model, lambda: model.runs)
            model.look_at(model.runs)
            take_until(model, model.subjects)
            (path,) = Path(folder).glob("bench/run-*.jsonl")
            (far,) = (pid for pid in host.processes() if b"sh\0-c" not in Path(f"/proc/{pid}/cmdline").read_bytes()[:8])
            size, wire, up, cpu, began = path.stat().st_size, proxy.down, proxy.up, cpu_seconds(far), time.time()
            take_until(model, lambda: time.time() > began + seconds)
            took = time.time() - began
            size, wire, up = path.stat().st_size - size, proxy.down - wire, proxy.up - up
            cpu = (cpu_seconds(far) - cpu) / took
        job.kill()
        job.communicate()
    print(
        f"100 rows/s of 5 numbers: file {size / took / 1000:4.1f} kB/s, wire {wire / took / 1000:4.1f} kB/s"
        f" = {wire / size:.0%} (budget 40 %), back {up / took / 1000:3.1f} kB/s; far side {cpu:4.1%} CPU"
    )
    proxy.close()


def bench_big(host: FarHost, root: Path, delay: float) -> None:
    proxy = Proxy(host.port, delay)
    with looked_at(f"ssh://{NAME}:{proxy.port}{root}") as model:
        key = Key("bench", "biggest1")
        take_until(model, lambda: key in model.runs)
        wire = proxy.down
        began = time.perf_counter()
        model.look_at([key])
        take_until(model, model.subjects)
        curve, few = time.perf_counter() - began, proxy.down - wire
        model.load_all()
        wire = proxy.down
        take_until(model, lambda: model.sampled() is None)
        exact = time.perf_counter() - began
        wire = proxy.down - wire
        rows = len(model.subjects()[0].history.columns["loss"].steps)
    print(
        f"{rows} rows, round trip {2000 * delay:3.0f} ms: first curve {curve:5.2f} s, {few / 1000:4.0f} kB;"
        f" all rows {exact:5.1f} s, {wire / 1e6:4.0f} MB"
    )
    proxy.close()


def bench_reconnect(host: FarHost, root: Path, delay: float) -> None:
    proxy = Proxy(host.port, delay)
    took = []
    with looked_at(f"ssh://{NAME}:{proxy.port}{root}") as model:
        (link,) = links_of(model.sources)
        take_until(model, lambda: model.sources.is_complete)
        for _ in range(ROUNDS):
            time.sleep(STEADY + 1)  # else it is taken for a link that dies at once
            proxy.cut()
            began = time.perf_counter()
            take_until(model, lambda: link.trouble)
            take_until(model, lambda: not link.trouble and model.sources.is_complete)
            took.append(time.perf_counter() - began)
    print(f"cut to complete again, round trip {2000 * delay:3.0f} ms: {statistics.median(took):4.2f} s")
    proxy.close()


def bench_idle(host: FarHost, root: Path, seconds: float = 20.0) -> None:
    with looked_at(f"{NAME}:{root}") as model:
        take_until(model, lambda: model.sources.is_complete)
        (far,) = (pid for pid in host.processes() if b"sh\0-c" not in Path(f"/proc/{pid}/cmdline").read_bytes()[:8])
        time.sleep(2)
        before = cpu_seconds(far)
        time.sleep(seconds)
        cpu = (cpu_seconds(far) - before) / seconds
        memory = next(line for line in Path(f"/proc/{far}/status").read_text().splitlines() if line.startswith("VmRSS"))
        megabytes = int(memory.split()[1]) / 1000
    print(f"far side idle with {len(model.runs)} runs: {cpu:4.1%} CPU (budget 1 %), {megabytes:.0f} MB")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = FarHost(Path(folder))
        os.environ["PATH"] = host.path
        few, many, big = Path(folder, "few"), Path(folder, "many"), Path(folder, "big")
        make_many(few, 20)
        for delay in (0.0, 0.05):
            bench_first_list(host, few, delay)
        for delay in (0.0, 0.05):
            bench_latency(host, delay, 1, 15)
            bench_latency(host, delay, 100, 1000)
        bench_wire(host)
        bench_reconnect(host, few, 0.05)
        make_many(many, MANY)
        for delay in (0.0, 0.05):
            bench_first_list(host, many, delay)
        bench_idle(host, many)
        make_big(big)
        for delay in (0.0, 0.05):
            bench_big(host, big, delay)
        host.stop()


if __name__ == "__main__":
    main()
