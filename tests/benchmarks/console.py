"""What capturing costs a job, and how fast a long console opens: `python tests/benchmarks/console.py`.

a line      print() of 40 characters into a file, 200,000 in a row, and alone after a while; beside none captured
silent      CPU of a job that prints nothing
a million   lines: from `4` to the last of them, to one in the middle, all of them searched, and one that is followed
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from measuring import DASHBOARD, Options, Terminal, environment, put, python, run_alone

PAGE_DOWN, CLEAR = "\x1b[6~", "\x15"
COST = """
import resource, sys, time
import tracker
run = tracker.init(project="p", dir=sys.argv[1], console=sys.argv[2])
count = 200_000
before = time.perf_counter()
for step in range(count):
    print(f"step {step} loss 0.12345 accuracy 0.98")
each = (time.perf_counter() - before) / count
alone = []
for step in range(40):
    time.sleep(0.12)
    before = time.perf_counter()
    print("alone", step, flush=True)
    alone.append(time.perf_counter() - before)
used = time.process_time()
time.sleep(5)
silent = (time.process_time() - used) / 5
run.finish()
print(each * 1e6, sorted(alone)[20] * 1e6, silent * 100, file=sys.stderr)
"""
MAKE = """
import sys, tracker
run = tracker.init(project="p", dir=sys.argv[1], name="long-one", console="off")
run.log({"loss": 1.0})
print(run.dir, flush=True)
sys.stdin.readline()
"""


def bench_cost() -> None:
    found: dict[str, list[float]] = {}
    for way in ("off", "wrap", "redirect"):
        rounds = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "out"), "wb") as out:
                done = subprocess.run(
                    [sys.executable, "-c", COST, folder, way],
                    env=environment(TRACKER_SILENT="1"),
                    stdout=out,
                    stderr=subprocess.PIPE,
                    check=True,
                )
            rounds.append([float(word) for word in done.stderr.split()])
        found[way] = [statistics.median(column) for column in zip(*rounds, strict=True)]
    base = found.pop("off")
    for way, (each, alone, silent) in found.items():
        put(f"a printed line, {way}", each, "us", floor=base[0], floor_is="not captured")
        put(f"a printed line after a quiet while, {way}", alone, "us", floor=base[1], floor_is="not captured")
        put(f"CPU of a job that prints nothing, {way}", silent, "%", budget=0.1)


def bench_long(lines: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        job = python(MAKE, root)
        assert job.stdin is not None
        assert job.stdout is not None
        path = os.path.join(job.stdout.readline().strip(), "console.jsonl")
        with open(path, "wb") as file:
            for number in range(lines):
                file.write(_line(number))
        console = f"a console of {lines:,} lines"
        with Terminal([*DASHBOARD, root]) as terminal:
            terminal.wait_for("long-one")
            terminal.settle()
            put(f"{console}: opened", _until(terminal, "4", f"line {lines - 1} ") * 1000, "ms")
            terminal.settle()
            put(f"{console}: to its first line", _until(terminal, "home", "line 0 of the") * 1000, "ms")
            terminal.settle()
            put(f"{console}: a page", _until(terminal, PAGE_DOWN, "line 17 of the") * 1000, "ms")
            for words in ("line 12345", "of the"):
                terminal.settle()
                terminal.press("f")
                terminal.settle()
                terminal.step(CLEAR, words)
                seconds = _until(terminal, "enter", rf"[\d,]+\+? lines? with {words}")
                put(f"{console}: searched for {words!r}", seconds * 1000, "ms")
            terminal.step("escape", "G")
            terminal.settle()
            delays = []
            with open(path, "ab") as file:
                for number in range(lines, lines + 20):
                    terminal.settle()
                    before = time.perf_counter()
                    os.write(file.fileno(), _line(number))
                    terminal.wait_for(f"line {number} ")
                    delays.append(terminal.read_at - before)
            put(f"{console}: a new line to the screen", statistics.median(delays) * 1000, "ms", budget=150)
        job.communicate("\n")


def _line(number: int) -> bytes:
    record = {"_timestamp": 1.79e9 + number / 10, "_step": 0, "line": number, "stream": "stdout"}
    text = f"line {number} of the console with a loss of {1 / (number + 1):.5f} and more words"
    return json.dumps({**record, "text": text}, separators=(",", ":")).encode() + b"\n"


def _until(terminal: Terminal, key: str, wanted: str) -> float:
    """Seconds from a key to a text on the screen."""
    before = time.perf_counter()
    terminal.press(key)
    terminal.wait_for(lambda seen: re.search(wanted, seen.text) is not None)
    return terminal.read_at - before


def main(options: Options) -> None:
    bench_cost()
    bench_long(options.size(1_000_000))


if __name__ == "__main__":
    run_alone(main)
