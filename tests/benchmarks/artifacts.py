"""What keeping files costs, beside the system's own tools: `python tests/benchmarks/artifacts.py`.

Every figure is a ratio to what was measured in the same run, in turn, with everything in the page cache:

    one large file     `add_file` and `log_artifact`, to `cp` and `sha256sum` one after the other
    10,000 small ones  the same, to `cp -r` and `sha256sum` of all of them
    logged again       unchanged files
    downloaded         checked on the way, to `cp`
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Options, put, run_alone, say

import tracker

LARGE = 1_000_000_000
"""Bytes."""
SMALL = 10_000
"""Files of 4 KiB."""
ROUNDS = 3


def seconds(call: Callable[[], object]) -> float:
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


def run(*words: object) -> None:
    """A command of the system."""
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def make_large(path: Path, size: int) -> None:
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, 1 << 22)))


def make_small(folder: Path, count: int) -> None:
    for number in range(count):
        inner = folder / f"{number // 100:03}"
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{number:05}.bin").write_bytes(os.urandom(4096))


def log(path: Path) -> tracker.Artifact:
    artifact = tracker.Artifact("data", "dataset")
    (artifact.add_dir if path.is_dir() else artifact.add_file)(path)
    assert tracker.run is not None
    return tracker.run.log_artifact(artifact).wait()


Tool = Callable[[Path], object]


def bench(what: str, path: Path, tools: dict[str, Tool], folder: Path) -> None:
    """Measure in turn; the median of a few rounds.

    Nothing is removed meanwhile: ext4 is slow to make files where some were removed a moment ago.
    """
    found: dict[str, list[float]] = {}

    def measure(name: str, call: Callable[[], object]) -> None:
        os.sync()  # what others have left to be written is no part of it
        found.setdefault(name, []).append(seconds(call))

    for number in range(ROUNDS):
        place = folder / f"{what} {number}"
        place.mkdir()
        for name, tool in tools.items():
            measure(name, lambda tool=tool: tool(place / "copy"))  # type: ignore[misc]  # noqa: B023
        with tracker.init(project="p", dir=place / "runs", console="off"):
            measure("log", lambda: log(path))
            measure("again", lambda: log(path))
            artifact = log(path)
            out = place / "out"
            measure("download", lambda: artifact.download(out))  # noqa: B023
            measure("there already", lambda: artifact.download(out))  # noqa: B023
    middle = {name: statistics.median(times) for name, times in found.items()}
    both = middle["cp"] + middle["sha256sum"]
    put(f"{what}: logged", middle["log"], "s", floor=both, floor_is="cp, then sha256sum")
    put(f"{what}: logged again, unchanged", middle["again"], "s", floor=middle["sha256sum"], floor_is="sha256sum")
    put(f"{what}: downloaded and checked", middle["download"], "s", floor=both, floor_is="cp, then sha256sum")
    put(f"{what}: downloaded again", middle["there already"], "s", floor=middle["sha256sum"], floor_is="sha256sum")
    say(f"  cp {middle['cp']:.2f} s, sha256sum {middle['sha256sum']:.2f} s")


def main(options: Options) -> None:
    say("what keeping files costs")
    with tempfile.TemporaryDirectory(dir=options.data) as name:
        folder = Path(name)
        large, small = folder / "large.bin", folder / "small"
        make_large(large, options.size(LARGE))
        make_small(small, options.size(SMALL))
        tools: dict[str, Tool] = {
            "cp": lambda to: run("cp", "-r", large, to),
            "sha256sum": lambda _: run("sha256sum", large),
        }
        bench(f"{options.size(LARGE) // 1_000_000:,} MB", large, tools, folder)
        tools = {
            "cp": lambda to: run("cp", "-r", small, to),
            "sha256sum": lambda _: run("find", small, "-type", "f", "-exec", "sha256sum", "{}", "+"),
        }
        bench(f"{options.size(SMALL):,} files", small, tools, folder)


if __name__ == "__main__":
    run_alone(main)
