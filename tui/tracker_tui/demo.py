"""Real training jobs to watch: `tracker-tui demo` opens the dashboard on them, screenshots and tests use them too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

PACE: Final = 0.25
"""Seconds an epoch."""
STAGGER: Final = 2
"""Epochs between the starts of two jobs."""
GRACE: Final = 2.0
"""Seconds that jobs get to end before they are killed."""


class Job(NamedTuple):
    """Settings of one job, as `demo_job` takes them."""

    name: str
    lr: float
    """Peak learning rate."""
    hidden: int
    """Hidden units."""
    epochs: int
    seed: int
    group: str = "sweep"


JOBS: Final = (
    Job("first-try", lr=0.1, hidden=8, epochs=60, seed=1, group=""),  # finishes after 15 s
    Job("lr-0.01", lr=0.01, hidden=16, epochs=1000, seed=1),
    Job("lr-3", lr=3, hidden=16, epochs=400, seed=1),  # diverges after 7 s
    Job("lr-0.2", lr=0.2, hidden=16, epochs=800, seed=3),
    Job("lr-0.03-wide", lr=0.03, hidden=32, epochs=900, seed=2),
)
"""What the demo runs; those that neither finish early nor fail last three to five minutes."""


class Demo:
    """Jobs that train in child processes for as long as the `with` lasts, in a temporary folder that goes with them.

    Args:
        jobs: what to run.
        pace: least seconds an epoch; 0 trains at full speed.
    """

    root: Path
    """The runs folder, made at the start."""

    def __init__(self, jobs: tuple[Job, ...] = JOBS, pace: float = PACE) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self._jobs = jobs
        self._pace = pace

    def __enter__(self) -> Self:
        self.root = Path(tempfile.mkdtemp(prefix="tracker-demo-"))
        try:
            for index, job in enumerate(self._jobs):
                self._start(job, delay=index * STAGGER * self._pace)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self, job: Job, delay: float) -> None:
        settings = {**job._asdict(), "dir": self.root, "pace": self._pace, "delay": delay, "parent": os.getpid()}
        process = subprocess.Popen(
            [sys.executable, "-m", "tracker_tui.demo_job", *(f"--{key}={value}" for key, value in settings.items())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.root,  # `-m` searches the working folder first: the user's may hold anything
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # where we were found, installed or not
                "TRACKER_SILENT": "1",
            },
            start_new_session=True,  # Ctrl-C in the terminal is for the dashboard
        )
        self.processes.append(process)

    def _stop(self) -> None:
        for process in self.processes:
            process.terminate()
        until = time.monotonic() + GRACE
        for process in self.processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.root, ignore_errors=True)
