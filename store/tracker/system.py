"""How the machine is doing while runs are active: one thread that samples it and puts a record into every run.

The thread begins with the first run and ends with the last one. It is not the keeper of `lifecycle`, for a GPU's tool
may be slow. What reads the machine is loaded there, so that neither `import tracker` nor `init` pays for it.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker import threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker._run import Run
    from tracker.machine import Machine

EVERY: Final = 10.0
"""Seconds between two samples by default (W&B: 15)."""
LEAST: Final = 0.1
"""Seconds between two samples at least."""
FIRST: Final = 1.0
"""Seconds after the start of a run to its first sample at most, so that short runs have one too."""
BEGIN: Final = 0.1
"""Seconds after the start from which on it is counted what is used: `init` is over by then."""


def interval(every: Any, is_off: Any) -> float | None:
    """Seconds between two samples, as arguments, settings or TRACKER_SYSTEM say; None for no samples.

    Args:
        every: seconds, as a number or in a string; `off` for none; None for the usual.
        is_off: W&B's `x_disable_stats`.

    Raises:
        ValueError: one of them makes no sense.
    """
    if is_off not in (None, True, False):
        raise ValueError(f"x_disable_stats must be True or False (got {is_off!r})")
    if is_off or (isinstance(every, str) and every.lower() == "off"):
        return None
    try:
        seconds = EVERY if every is None else float(every)
    except (TypeError, ValueError):
        seconds = 0.0
    if isinstance(every, bool) or not LEAST <= seconds < threading.TIMEOUT_MAX:
        what = "x_stats_sampling_interval and TRACKER_SYSTEM must be seconds, at least 0.1, or 'off'"
        raise ValueError(f"{what} (got {every!r})")
    return seconds


@dataclass(slots=True)
class _Watch:
    """A run that gets samples."""

    run: Run
    every: float
    due: float
    """On the monotonic clock."""


class _Sampler:
    """The thread and the runs that it serves; there is one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may end a run while one is ended
        self._watches: list[_Watch] = []
        self._wake = threading.Event()

    def begin(self, run: Run, every: float) -> None:
        """Put samples into a run from now on."""
        with self._lock:
            self._watches.append(_Watch(run, every, time.monotonic() + min(FIRST, every)))
            if len(self._watches) > 1:
                self._wake.set()  # it may be due before the others
                return
            self._wake = threading.Event()
            with suppress(OSError):
                threads.start("system", self._sample, self._wake)

    def end(self, run: Run) -> None:
        """No more samples for a run; with the last one, the thread ends."""
        with self._lock:
            before, self._watches = self._watches, [watch for watch in self._watches if watch.run is not run]
            if before and not self._watches:
                thread, self._wake = self._wake, threading.Event()
                thread.set()  # it sees that it is no longer wanted

    def forget(self) -> None:
        """In a forked child there is no thread, the lock may be held for ever, and the runs are the parent's."""
        self._lock, self._watches, self._wake = threading.RLock(), [], threading.Event()

    def _sample(self, wake: threading.Event) -> None:
        wake.wait(BEGIN)
        reader = _Reader()
        is_begun = False
        while True:
            wake.clear()
            if self._wake is not wake:
                return
            now = time.monotonic()
            due = [watch for watch in self._watches if watch.due <= now]
            if due or not is_begun:  # the first reading is where all that is counted begins
                self._write(due, reader)
                is_begun = True
            wait = min((watch.due for watch in self._watches), default=now) - time.monotonic()
            if wait > 0:
                wake.wait(wait)

    def _write(self, due: list[_Watch], reader: _Reader) -> None:
        """Put a sample into these runs."""
        at, values = time.time(), {}
        try:
            values = reader.read()
        except Exception as error:  # of a strange machine; training goes on, and so do the samples
            for watch in self._watches:
                watch.run._warn("system", f"cannot read the state of the machine ({error})")
        for watch in due:
            watch.run._note_system(at, values)
            watch.due = time.monotonic() + watch.every


class _Reader:
    """Reads the machine and its GPUs; what that takes is loaded with the first reading."""

    def __init__(self) -> None:
        self._machine: Machine | None = None
        self._gpus: Callable[[], dict[str, float]] | None = None

    def read(self) -> dict[str, float]:
        """All that is known, by name."""
        if self._machine is None:
            from tracker.machine import Machine

            self._machine = Machine()
            from tracker import gpus

            self._gpus = gpus.reader()
        found = self._machine.read()
        return found | self._gpus() if self._gpus is not None else found


sampler: Final = _Sampler()
