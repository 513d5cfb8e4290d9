"""Artifacts that are being logged when the job is killed, the disk fails, or many log at once: no version is half."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keeper

import tracker
from support import StartScript, tell, wait_line
from tracker import sweeping


def keepers(start: StartScript) -> subprocess.Popen[str]:
    """Start what forks jobs."""
    source = f"import sys\nsys.path.insert(0, {str(Path(keeper.__file__).parent)!r})\nimport keeper\nkeeper.main()\n"
    return start(source, env={"TRACKER_QUIET": "1", "TRACKER_DISABLE_GIT": "1"})


def lead(process: subprocess.Popen[str], root: Path, **order: Any) -> dict[str, Any]:
    """Have a job done; what of it had returned."""
    tell(process, json.dumps({"root": str(root), "output": f"{root}.output", "versions": 3, **order}))
    told: dict[str, Any] = json.loads(wait_line(process))
    assert told["status"] in (0, signal.SIGKILL), Path(f"{root}.output").read_text()
    return told


def check(root: Path, logged: int, out: Path) -> list[tracker.Artifact]:
    """Every version is whole, no number is missing or there twice, and what had returned is there."""
    api = tracker.Api(root)
    found = api.artifacts("model", "p/m") if api.artifact_exists("p/m") else []
    numbers = [int(artifact.version[1:]) for artifact in reversed(found)]
    assert numbers == list(range(len(numbers)))
    assert len(found) >= logged
    for artifact in found:
        artifact.download(out)
        assert (out / "same").read_bytes() == b"the same in all"
        assert (out / "large").read_bytes() == bytes(3_000_000)
        job, number = (out / "own").read_bytes()[:20].split()[:2]
        assert (out / "own").read_bytes() == keeper.content({"job": job.decode()}, int(number))
    assert len({artifact.digest for artifact in found}) == len(found)
    if found:
        assert api.artifact("p/m:latest").version == f"v{numbers[-1]}"
    return found


def test_kill(
    tmp_path: Path, chance: random.Random, start: StartScript, cases: Callable[[int], int], tried: Any
) -> None:
    """At any moment, and before, within and after any call; the next job logs on."""
    process = keepers(start)
    root, kills, logged = tmp_path / "runs", cases(24), 0
    for number in range(kills):
        call = (int(10 ** chance.uniform(0.8, 2.3)), chance.choice(("before", "within", "after")))
        fault = {"delay": chance.uniform(0.005, 0.15)} if number % 3 == 0 else {"last_call": call}
        logged += lead(process, root, job=number, **fault)["board"][keeper.LOGGED]
        if number % 6 == 5:
            check(root, logged, tmp_path / "out")
    lead(process, root, job=kills)
    found = check(root, logged + 3, tmp_path / "out")
    tried("kill -9 while artifacts are logged", f"{kills} kills, {len(found)} versions", "all whole, no number twice")


def test_any_error(
    tmp_path: Path, chance: random.Random, start: StartScript, cases: Callable[[int], int], tried: Any
) -> None:
    """At any call, in spells: the job goes on, and what `log_artifact` said is there is there and whole."""
    process = keepers(start)
    root, jobs, logged, calls, failures = tmp_path / "runs", cases(8), 0, 0, 0
    for number in range(jobs):
        board = lead(process, root, job=number, trouble=chance.random())["board"]
        logged, calls, failures = logged + board[0], calls + board[keeper.CALLS], failures + board[keeper.FAILURES]
        check(root, 0, tmp_path / "out")
    lead(process, root, job=jobs)
    found = check(root, logged, tmp_path / "out")
    assert failures
    tried("any error at any call that keeps artifacts", f"{calls:,} calls, {failures:,} failed, {len(found)} versions",
          "all whole, jobs went on")  # fmt: skip


CROWD = """
import sys, tracker
me, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
run = tracker.init(project="p", dir=root, console="off", settings={"x_disable_stats": True})
print("begun", flush=True)
sys.stdin.readline()
numbers = []
for number in range(count):
    for text in (f"{me} {number}", f"of all {number}"):
        artifact = tracker.Artifact("m", "model")
        with artifact.new_file("text") as file:
            file.write(text)
        numbers.append(run.log_artifact(artifact, aliases=[f"by-{me}"]).wait().version)
run.finish()
print(" ".join(numbers), flush=True)
"""


def test_ten_processes_log_one_name(root: Path, start: StartScript, cases: Callable[[int], int], tried: Any) -> None:
    """Each content is one version, each version one content; all agree on who was last."""
    count = cases(4)
    jobs = [start(CROWD, str(me), str(root), str(count), env={"TRACKER_SILENT": "1"}) for me in range(10)]
    for job in jobs:
        wait_line(job, "begun")
    for job in jobs:
        tell(job)
    told = [wait_line(job).split() for job in jobs]
    api = tracker.Api(root)
    found = api.artifacts(None, "p/m")
    texts = {artifact.version: Path(artifact.file()).read_text() for artifact in found}
    expected = {f"{me} {number}" for me in range(10) for number in range(count)}
    expected |= {f"of all {number}" for number in range(count)}
    assert sorted(texts.values()) == sorted(expected)
    assert sorted(texts) == sorted(f"v{number}" for number in range(11 * count))
    for me, versions in enumerate(told):
        assert [texts[version] for version in versions[::2]] == [f"{me} {number}" for number in range(count)]
        assert [texts[version] for version in versions[1::2]] == [f"of all {number}" for number in range(count)]
        assert api.artifact(f"p/m:by-{me}").version == versions[-1]
    assert not [path for path in root.rglob("*") if re.search(r"\.part$", path.name)]
    tried("10 processes log one artifact", f"{20 * count} logged", f"{11 * count} versions, no number twice")


def test_a_sweep_while_artifacts_are_logged(
    root: Path, tmp_path: Path, start: StartScript, cases: Callable[[int], int], tried: Any
) -> None:
    """Contents that are old and nobody's are found by a writer and a sweep in the same moment: no version lacks one."""
    count = cases(150)
    run = tracker.init(project="p", dir=root, console="off")
    folder = tmp_path / "data"
    folder.mkdir()
    before = time.time() - sweeping.AGE - 60
    for number in range(count):
        (folder / str(number)).write_text(f"content {number}")
    artifact = tracker.Artifact("first", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact).delete()
    for path in root.glob("*/.artifacts/blobs/*/*"):
        os.utime(path, (before, before))
    sweeper = start(SWEEPER, str(root / "p"))
    wait_line(sweeper, "begun")
    for number in range(count):
        if number == count // 3:
            tell(sweeper)
        run.log_artifact(folder / str(number), f"m{number}", "dataset").wait()
    taken = int(wait_line(sweeper))
    for number in range(count):
        assert (
            Path(tracker.Api(root).artifact(f"p/m{number}").file(tmp_path / "out")).read_text() == f"content {number}"
        )
    tried("a sweep while artifacts are logged", f"{count} contents, {taken} swept", "no version lacks one")


SWEEPER = """
import sys
from tracker import sweeping
print("begun", flush=True)
sys.stdin.readline()
count, size, trouble = sweeping.sweep(sys.argv[1], [], False)
assert not trouble, trouble
print(count, flush=True)
"""
