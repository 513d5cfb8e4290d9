"""What several test files share: child processes that write runs, the files they leave, and waiting for both."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tracker

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = (REPOSITORY / "store", REPOSITORY / "tui")
PATIENCE = 20.0
"""Seconds after which something that should have happened never will; far above what a busy machine needs."""
PROMPT = 2.0
"""Seconds within which the end of a process must show in the state of its run."""

_numbers = itertools.count(1)

# ---- waiting ----


def wait_for(predicate: Callable[[], object], timeout: float = PATIENCE, every: float = 0.01) -> bool:
    """Ask again and again until the answer is true; False when it is not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True


# ---- child processes ----


def start_script(
    folder: Path,
    source: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    under: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start a Python script that can import `tracker` and `tracker_tui`, all three streams on pipes.

    Args:
        folder: where the script is written and run.
        source: the script's text.
        arguments: its `sys.argv[1:]`.
        env: added to this process's environment.
        under: a command to run it with, e.g. `["nohup"]`.
    """
    script = folder / f"script{next(_numbers)}.py"
    script.write_text(source, encoding="utf-8")
    return subprocess.Popen(
        [*under, sys.executable, str(script), *arguments],
        cwd=folder,
        env=script_environment(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # so that `end_script` finds what the script itself has started
    )


class StartScript(Protocol):
    """`start_script` in a folder that is given: what the fixture `start` is."""

    def __call__(
        self, source: str, *arguments: str, env: Mapping[str, str] | None = None, under: Sequence[str] = ()
    ) -> subprocess.Popen[str]: ...


def script_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the tree's packages importable, output unbuffered, and `env` added."""
    paths = [*map(str, SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
    always = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return {**os.environ, **always, **(env or {})}


def run_script(
    folder: Path, source: str, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    process = start_script(folder, source, *arguments, env=env)
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        end_script(process)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def wait_line(process: subprocess.Popen[str], expected: str | None = None) -> str:
    """The next line that the script prints; with `expected`, it must be this one."""
    assert process.stdout is not None
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
        watchdog.join()
    if not line:
        assert process.stderr is not None
        raise AssertionError(f"the script ended without another line: {process.stderr.read()}")
    assert expected is None or line.rstrip("\n") == expected
    return line.rstrip("\n")


def tell(process: subprocess.Popen[str], line: str = "go") -> None:
    """Give a line to the script's stdin."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def end_script(process: subprocess.Popen[str]) -> None:
    """Kill a script with what it has started, and let go of its streams."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                stream.close()


# ---- files ----


def journals(root: Path) -> list[Path]:
    """Every journal below a root, in order of name."""
    return sorted(root.glob("*/run-*.jsonl"))


def journal(root: Path) -> Path:
    """The only journal below a root."""
    (only,) = journals(root)
    return only


def lines_of(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The records of a JSON lines file, each line held to standard JSON and an object; an empty one is none."""
    text = Path(path).read_bytes().decode("utf-8")
    assert not text or text.endswith("\n")
    records = [json.loads(line, parse_constant=_refuse) for line in text.split("\n") if line]
    assert all(type(record) is dict for record in records)
    return records


def rows_of(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The history rows of a journal, as they lie on disk."""
    return [record for record in lines_of(path) if "_type" not in record]


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not standard JSON")


def write_journal(
    root: Path,
    content: bytes | Iterable[Mapping[str, Any]],
    project: str = "p",
    run_id: str = "abcd1234",
    stamp: str = "20260101_120000",
) -> Path:
    """Put a journal below a root as some other program might have: records, or any bytes at all."""
    path = root / project / f"run-{stamp}-{run_id}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
        content = b"".join(json.dumps(record).encode() + b"\n" for record in content)
    path.write_bytes(content)
    return path


# ---- states ----


def state_of(root: Path, path: str | None = None) -> str:
    """The state, as a reader that comes now sees it, of the run `project/id`, or of the newest one."""
    api = tracker.Api(root)
    return api.runs()[0].state if path is None else api.run(path).state


def settled_state(root: Path, expected: str) -> str:
    """The newest run's state once it is `expected`, or else what it still is when it has to be that by now."""
    wait_for(lambda: state_of(root) == expected, PROMPT)
    return state_of(root)
