"""What a row costs beside other loggers, in one run: `python tests/benchmarks/peers.py --peers VENV`.

VENV is an environment with `pip install orjson wandb trackio tlog-ml tensorboardX`; those that are not installed are
left out. Each logger runs in a process of its own, three times in turn; medians. A row is a step and three scalars.

    import, init    seconds
    log             median and p99 of one call in microseconds, and as ratios to the floor of the same turn
    bytes           on disk a row
    kept            rows of 500 that are on disk when the process is killed by SIGKILL right after the last call
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import TREE, Options, put, run_alone, say

ROWS = 20_000
ROUNDS = 3

TIMED = """
import json, os, signal, sys, time
clock = time.perf_counter
rows, kill = int(sys.argv[1]), sys.argv[2] == "kill"
t0 = clock()
{imports}
t1 = clock()
{init}
t2 = clock()
times = []
for step in range(rows):
    data = {{"loss": 1.0 / (step + 1), "acc": step / rows, "lr": 0.001}}
    before = clock()
    {log}
    times.append(clock() - before)
if kill:
    os.kill(os.getpid(), signal.SIGKILL)
{finish}
times.sort()
print("RESULT", json.dumps([t1 - t0, t2 - t1, times[rows // 2] * 1e6, times[rows * 99 // 100] * 1e6]), flush=True)
"""

LOGGERS = {
    "floor": (
        "import orjson",
        "fd = os.open('floor.jsonl', os.O_WRONLY | os.O_APPEND | os.O_CREAT)",
        "os.write(fd, orjson.dumps({'_step': step, '_timestamp': time.time(), **data}) + b'\\n')",
        "",
    ),
    "tracker": ("import tracker", "run = tracker.init(project='bench')", "run.log(data)", "run.finish()"),
    "tlog-ml": ("import tlog", "run = tlog.init(project='bench')", "run.log(data)", "run.finish()"),
    "trackio": ("import trackio", "trackio.init(project='bench')", "trackio.log(data)", "trackio.finish()"),
    "tensorboardX": (
        "from tensorboardX import SummaryWriter",
        "writer = SummaryWriter('tb')",
        "[writer.add_scalar(key, value, step) for key, value in data.items()]",
        "writer.close()",
    ),
    "wandb offline": ("import wandb", "run = wandb.init(project='bench')", "run.log(data)", "run.finish()"),
}
READERS = {
    "floor": r"\"_step\":",
    "tracker": r"\{\"_step\":",
    "tlog-ml": r"\"loss\"",
}
"""How to find a row in the bytes of a logger's files, for those whose files are text."""


def run(name: str, rows: int, kill: bool, interpreter: str) -> tuple[list[float] | None, int, int]:
    """The figures, bytes on disk, and rows found there (-1 where that cannot be told)."""
    imports, init, log, finish = LOGGERS[name]
    source = TIMED.format(imports=imports, init=init, log=log, finish=finish)
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "PYTHONPATH": str(TREE / "store"), "HOME": folder, "NO_COLOR": "1", "TRACKER_SILENT": "1",
            "WANDB_MODE": "offline", "WANDB_SILENT": "true", "TRACKIO_DIR": folder,
        }  # fmt: skip
        done = subprocess.run(
            [interpreter, "-c", source, str(rows), "kill" if kill else "end"],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        files = [path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink()]
        size = sum(path.stat().st_size for path in files)
        found = -1
        if name in READERS:
            pattern = re.compile(READERS[name].encode())
            found = sum(len(pattern.findall(path.read_bytes())) for path in files)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    if line is None and not kill:
        sys.stderr.write(f"{name}: {done.stderr.strip().splitlines()[-1:] or done.returncode}\n")
    return (json.loads(line[7:]) if line else None), size, found


def main(options: Options) -> None:
    if options.peers is None:
        say("no --peers: no other loggers are measured")
        return
    interpreter = str(options.peers / "bin" / "python")
    rows = options.size(ROWS)
    figures: dict[str, list[list[float]]] = {}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name in LOGGERS:
            result, size, _found = run(name, rows, False, interpreter)
            if result is not None:
                figures.setdefault(name, []).append(result)
                sizes[name] = size
    floor = [statistics.median(column) for column in zip(*figures["floor"], strict=True)]
    for name, rounds in figures.items():
        load, start, middle, late = (statistics.median(column) for column in zip(*rounds, strict=True))
        put(f"{name}: a row of 3 scalars, median", middle, "us", floor=floor[2])
        put(f"{name}: a row of 3 scalars, p99", late, "us", floor=floor[3])
        put(f"{name}: import and init", load + start, "s")
        put(f"{name}: bytes a row", sizes[name] / rows, "")
        found = run(name, 500, True, interpreter)[2]
        if found >= 0:
            put(f"{name}: rows of 500 kept at SIGKILL", found, "")


if __name__ == "__main__":
    run_alone(main)
