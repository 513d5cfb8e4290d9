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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from terminal import Terminal, environment

LINES = 1_000_000
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
    for way, (each, alone, silent) in found.items():
        base = found["off"]
        print(
            f"{way:9} {each:5.2f} us a line ({each / base[0]:.1f} x), alone {alone:5.0f} us ({alone / base[1]:.1f} x), "
            f"silent {silent:.3f} % CPU"
        )


def bench_long() -> None:
    with tempfile.TemporaryDirectory() as root:
        job = subprocess.Popen(
            [sys.executable, "-c", MAKE, root],
            env=environment(TRACKER_SILENT="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert job.stdin is not None
        assert job.stdout is not None
        path = os.path.join(job.stdout.readline().strip(), "console.jsonl")
        with open(path, "wb") as file:
            for number in range(LINES):
                file.write(_line(number))
        print(f"{LINES:,} lines, {os.path.getsize(path) / 1e6:.0f} MB")
        with Terminal(["-m", "tracker_tui", root]) as terminal:
            terminal.wait_for("long-one")
            terminal.settle()
            print(f"  from 4 to its last line {_until(terminal, '4', f'line {LINES - 1} ') * 1000:5.0f} ms")
            terminal.settle()
            print(f"  to its first line       {_until(terminal, 'home', 'line 0 of the') * 1000:5.0f} ms")
            terminal.settle()
            print(f"  a page                  {_until(terminal, PAGE_DOWN, 'line 17 of the') * 1000:5.0f} ms")
            for words in ("line 12345", "of the"):
                terminal.settle()
                terminal.press("f")
                terminal.settle()
                terminal.step(CLEAR, words)
                seconds = _until(terminal, "enter", rf"[\d,]+\+? lines with {words}")
                print(f"  searched for {words!r:12} {seconds * 1000:5.0f} ms")
            terminal.step("escape", "G")
            terminal.settle()
            delays = []
            with open(path, "ab") as file:
                for number in range(LINES, LINES + 20):
                    terminal.settle()
                    before = time.perf_counter()
                    os.write(file.fileno(), _line(number))
                    terminal.wait_for(f"line {number} ")
                    delays.append(terminal.read_at - before)
            print(f"  followed                {statistics.median(delays) * 1000:5.0f} ms")
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


if __name__ == "__main__":
    bench_cost()
    bench_long()
