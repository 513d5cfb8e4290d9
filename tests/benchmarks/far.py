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
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard import JOB, latency
from measuring import Options, big_runs, cpu_seconds, many_runs, megabytes, put, python, run_alone, say

from farhost import NAME, SSHD, FarHost, Proxy
from tracker.stored import Key
from tracker_tui.hosts import open_sources, parse
from tracker_tui.hosts.link import STEADY, links_of
from tracker_tui.model import Model

ROUNDS = 5


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
    where = f"over ssh, round trip {2000 * delay:.0f} ms: list of {found:,} runs"
    put(f"{where}, the first", soon, "s", floor=bare, floor_is="`ssh host python3 -c 0`")
    put(f"{where}, all", late, "s", floor=bare, floor_is="`ssh host python3 -c 0`")
    put(f"{where}, on the wire", wire / 1e6, "MB")
    proxy.close()


def bench_latency(host: FarHost, delay: float, rate: float, rows: int) -> None:
    proxy = Proxy(host.port, delay)
    middle, late = latency(f"ssh://{NAME}:{proxy.port}", rate, rows)
    where = f"over ssh, round trip {2000 * delay:.0f} ms: `log()` to screen at {rate:g} rows/s"
    put(f"{where}, median", middle, "ms", budget=1000 * delay + 150)
    put(f"{where}, p95", late, "ms")
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
    where = "over ssh, 100 rows/s of 5 numbers"
    put(f"{where}: on the wire", wire / took / 1000, "kB/s", floor=size / took / 1000, limit=0.4, floor_is="the file")
    put(f"{where}: back", up / took / 1000, "kB/s")
    put(f"{where}: CPU there", cpu * 100, "%")
    proxy.close()


def bench_big(host: FarHost, root: Path, delay: float) -> None:
    proxy = Proxy(host.port, delay)
    with looked_at(f"ssh://{NAME}:{proxy.port}{root}") as model:
        key = Key("big", "big00000")
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
    where = f"over ssh, round trip {2000 * delay:.0f} ms: {rows:,} rows"
    put(f"{where}, first curve", curve, "s", budget=0.5)
    put(f"{where}, first curve, on the wire", few / 1000, "kB")
    put(f"{where}, all", exact, "s")
    put(f"{where}, all, on the wire", wire / 1e6, "MB")
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
    put(f"over ssh, round trip {2000 * delay:.0f} ms: from a cut to all again", statistics.median(took), "s")
    proxy.close()


def bench_idle(host: FarHost, root: Path, seconds: float = 20.0) -> None:
    with looked_at(f"{NAME}:{root}") as model:
        take_until(model, lambda: model.sources.is_complete)
        (far,) = (pid for pid in host.processes() if b"sh\0-c" not in Path(f"/proc/{pid}/cmdline").read_bytes()[:8])
        time.sleep(2)
        before = cpu_seconds(far)
        time.sleep(seconds)
        cpu = (cpu_seconds(far) - before) / seconds
        memory = megabytes(far)
    put(f"over ssh, idle with {len(model.runs):,} runs: CPU there", cpu * 100, "%", budget=1)
    put(f"over ssh, idle with {len(model.runs):,} runs: memory there", memory, "MB")


def main(options: Options) -> None:
    if SSHD is None:
        say("no sshd here: nothing is measured over ssh")
        return
    with tempfile.TemporaryDirectory() as folder:
        host = FarHost(Path(folder))
        before, os.environ["PATH"] = os.environ["PATH"], host.path
        few, many = many_runs(options.data, 20), many_runs(options.data, options.size(10_000))
        big = big_runs(options.data, options.size(1_000_000), 1)
        for delay in (0.0, 0.05):
            bench_first_list(host, few, delay)
        for delay in (0.0, 0.05):
            bench_latency(host, delay, 1, 15)
            bench_latency(host, delay, 100, options.size(1000))
        bench_wire(host)
        bench_reconnect(host, few, 0.05)
        for delay in (0.0, 0.05):
            bench_first_list(host, many, delay)
        bench_idle(host, many)
        for delay in (0.0, 0.05):
            bench_big(host, big, delay)
        host.stop()
        os.environ["PATH"] = before


if __name__ == "__main__":
    run_alone(main)
