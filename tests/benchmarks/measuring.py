"""What the benchmarks share: what was measured as rows of one table, real dashboards, processes, and data sets.

A figure alone tells little, for machines differ and are noisy. So each stands beside a floor that was measured in the
same run, or a budget, as a ratio; `!` marks those that are over.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.extend(str(Path(__file__).parents[2] / part) for part in ("store", "tui", "tests"))

from terminal import Terminal, environment

TREE = Path(__file__).parents[2]
DASHBOARD = ["-m", "tracker_tui"]


@dataclass(frozen=True)
class Options:
    """What a benchmark is asked for."""

    data: Path
    """Where the large data sets are, or will be."""
    quick: bool = False
    """A tenth of the size, for a small machine."""
    peers: Path | None = None
    """A virtual environment with other tools; None: leave them out."""

    def size(self, full: int) -> int:
        """A count, a tenth of it when it has to be quick."""
        return full // 10 if self.quick else full


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    value: str
    beside: str = ""
    ratio: str = ""


FIGURES: list[Figure] = []
"""All that was measured by this process so far."""


def put(
    what: str,
    measured: float,
    unit: str,
    floor: float | None = None,
    budget: float | None = None,
    limit: float | None = None,
    floor_is: str = "floor",
) -> None:
    """Take a figure down, and print it.

    Args:
        what: in words.
        measured: in `unit`.
        unit: e.g. `ms`; empty for a number.
        floor: the least it could be, measured in the same run.
        budget: the most it may be.
        limit: how many times the floor it may be.
        floor_is: what the floor is.
    """
    beside, ratio, most = [], "", None
    if floor:
        ratio, most = f"{measured / floor:.2g}" if measured / floor < 10 else f"{measured / floor:.0f}", limit
        beside.append(f"{floor_is} {_shown(floor, unit)}" + (f", at most {limit:g} x" if limit else ""))
    if budget is not None:
        beside.append(f"budget {_shown(budget, unit)}")
        if not floor:
            ratio = f"{measured / budget:.2g}" if budget else ""
    is_over = (most is not None and floor and measured / floor > most) or (budget is not None and measured > budget)
    figure = Figure(what, _shown(measured, unit), ", ".join(beside), ratio + " !" * bool(is_over))
    FIGURES.append(figure)
    print(f"{what:<66} {figure.value:>10}  {figure.ratio:>7}  {figure.beside}", flush=True)


def _shown(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    text = f"{value:,.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}".rstrip()


def say(text: str) -> None:
    """A line that is no figure."""
    print(text, flush=True)


def table() -> str:
    """All figures, as Markdown."""
    head = [machine(), "", "| what | measured | beside | ratio |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {f.what} | {f.value} | {f.beside} | {f.ratio} |" for f in FIGURES)])


def machine() -> str:
    """This machine in a line."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        models = (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
        model = next(models).partition(":")[2].strip()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        system = f"{platform.system()} {platform.release().partition('-')[0]}"
        return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, {system}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"


def run_alone(main: Callable[[Options], None]) -> None:
    """What a file does when it is run by itself: measure, and print its part of the table."""
    with asked(sys.modules["__main__"].__doc__ or "") as (options, _):
        main(options)
        print("\n" + table())


@contextmanager
def asked(about: str, *more: str) -> Iterator[tuple[Options, argparse.Namespace]]:
    """What the command line asks for; without `--data`, data sets last as long as this does.

    Args:
        about: what the command is for.
        more: further options that take words.
    """
    os.environ["TRACKER_SILENT"] = "1"
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--data", type=Path, help="build large data sets there, once (default: for this run)")
    parser.add_argument("--peers", type=Path, help="a virtual environment with other tools, to measure them too")
    for name in more:
        parser.add_argument(f"--{name}", nargs="*", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        yield Options(given.data or Path(folder), given.quick, given.peers), given


# ---- processes ----


def python(source: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python script with `tracker` at hand and pipes for streams."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env=environment(TRACKER_SILENT="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> set[int]:
    """A process and all its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def family_cpu(pid: int) -> float:
    """CPU that a process and all its descendants have used."""
    return sum(map(cpu_seconds, family(pid)))


def family_memory(pid: int) -> float:
    """Memory that a process and all its descendants hold; what they share counts for each."""
    return sum(map(megabytes, family(pid)))


def megabytes(pid: int, most: bool = False) -> float:
    """Memory that a process holds, or the most it ever did."""
    name = "VmHWM:" if most else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def cpu_share(terminal: Terminal, seconds: float) -> float:
    """Per cent of a core that a program uses while it is left alone."""
    before, start = cpu_seconds(terminal.child.pid), time.perf_counter()
    while time.perf_counter() - start < seconds:
        terminal.read(0.1)
    return (cpu_seconds(terminal.child.pid) - before) / (time.perf_counter() - start) * 100


def middle_and_late(times: list[float]) -> tuple[float, float]:
    """Median and p95."""
    return statistics.median(times), sorted(times)[int(len(times) * 0.95)]


# ---- screens ----


def has_curve(terminal: Terminal) -> bool:
    return any("\u2801" <= sign <= "\u28ff" for sign in terminal.text)


def is_exact(terminal: Terminal) -> bool:
    """Whether all rows are there of what is looked at."""
    return not re.search("loading|a sample|samples of", terminal.text)


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


# ---- data sets ----

MAKE_MANY = """
import random, sys, tracker
root, projects, each, rows = sys.argv[1], *map(int, sys.argv[2:])
for number in range(projects * each):
    config = {"lr": random.choice([.1, .01, .001]), "model": random.choice(["vit", "resnet"]), "seed": number,
              "batch_size": 64, "optimizer": {"name": "adam", "beta": .9}, "epochs": 100}
    project = f"project-{number % projects:03}"
    run = tracker.init(project=project, dir=root, config=config, console="off", settings={"x_disable_stats": True})
    for row in range(rows):
        run.log({"loss": random.random() / (row + 1), "acc": row / rows + random.random() / 10, "lr": .1,
                 "grad": random.random(), "val/loss": random.random()})
    run.finish()
"""
MAKE_BIG = """
import math, random, sys, tracker
root, rows = sys.argv[1], int(sys.argv[2])
run = tracker.init(project="big", dir=root, id="big00000", name="big-one", settings={"x_disable_stats": True})
for row in range(rows):
    run.log({"loss": 2 / (1 + row / 1e4) + random.random() / 10 + 50 * (row == int(rows * .6) + 123),
             "acc": 1 - 1 / (1 + row / 1e5) + random.random() / 100, "lr": .1 * math.cos(row / rows),
             "grad": random.random(), "val/loss": 3 / (1 + row / 2e4) + random.random() / 20, "val/acc": row / rows})
run.finish()
"""


def many_runs(data: Path, runs: int) -> Path:
    """A root with finished runs of 200 rows of 5 metrics in 100 projects: some are made, the others copies of them."""
    root = data / f"many-{runs}"
    if not (root / "complete").exists():
        projects = min(100, runs // 10)
        made, each = 3, runs // projects
        say(f"building {runs:,} runs in {root} ...")
        python(MAKE_MANY, root, projects, made, 200).wait()
        for folder in [path for path in root.iterdir() if path.is_dir()]:
            journals = sorted(folder.glob("run-*.jsonl"))
            for number in range(each - made):
                text, run_id = journals[number % made].read_bytes(), journals[number % made].stem.rpartition("-")[2]
                other = f"{run_id[:4]}{number:04}"
                stamp = f"20260101_{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}"
                name = re.findall(rb'"name":"([^"]+)-[0-9]+"', text)[0]
                copy = re.sub(rb'"name":"%b-[0-9]+"' % name, b'"name":"%b-%d"' % (name, 1000 + number), text)
                path = folder / f"run-{stamp}-{other}.jsonl"
                path.write_bytes(copy.replace(run_id.encode(), other.encode()))
        (root / "complete").touch()
    return root


def big_runs(data: Path, rows: int, runs: int) -> Path:
    """A root with runs of very many rows of 6 metrics: one, with a spike one row wide, and hard links to it."""
    root = data / f"big-{rows}-{runs}"
    if not (root / "complete").exists():
        say(f"building {runs} x {rows:,} rows in {root} ...")
        python(MAKE_BIG, root, rows).wait()
        (journal,) = root.glob("big/run-*.jsonl")
        for number in range(1, runs):
            os.link(journal, journal.with_name(f"run-20260101_1200{number:02}-big{number:05}.jsonl"))
        (root / "complete").touch()
    return root
