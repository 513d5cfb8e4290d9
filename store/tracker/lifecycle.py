"""How the runs of this process stay alive on record, and how their end is told whatever ends the process.

    normal end, exception, sys.exit, Ctrl-C    an exit hook writes `end`
    SIGTERM, SIGHUP with a Python handler      `signal` is written, then the handler is called as before
    SIGTERM, SIGHUP by default                 the process dies at once, as it would without us; on the way the
                                               interpreter's fault handler, which needs no interpreter lock, leaves the
                                               stack in the run's folder, and readers take that for `killed`
    SIGKILL, os._exit, power loss              nothing can be written: readers see that the process is gone

We change nothing about how a job dies: no signal is caught that was not caught before, an ignored one stays ignored.
(A Python handler, or a thread that waits on a wake-up descriptor, would keep a job alive that is stuck in native code
holding the interpreter lock. `faulthandler` with `chain=True` acts in C and lets the default action follow.)

One sleeping thread writes heartbeats and syncs files. A forked child inherits no run: it says nothing for its parent.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from tracker import _exit, capture, host, threads
from tracker.system import sampler

if TYPE_CHECKING:
    from tracker._run import Run

HEARTBEAT: Final = 10.0
"""Seconds without a record after which a heartbeat is written."""
SYNC: Final = 30.0
"""Seconds between two fsyncs of a journal that grows."""
REMOTE_SYNC: Final = 0.5
"""The same on a network file system, where other machines see rows only then (3.5 ms each on NFS)."""

KEYBOARD_EXIT: Final = 255
"""Exit code on record for Ctrl-C (W&B's)."""


class Exit(NamedTuple):
    """How a process ends."""

    code: int = 0
    signal: str | None = None
    exception: str | None = None


def exit_of(error: BaseException | None) -> Exit:
    """How a process ends that nothing but this exception ends."""
    if error is None:
        return Exit()
    if isinstance(error, KeyboardInterrupt):
        return Exit(KEYBOARD_EXIT, signal="SIGINT")
    if isinstance(error, SystemExit):
        return _exit_with(error.code)
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # a foreign __str__ may raise anything
        text = type(error).__name__
    return Exit(1, exception=text[:2000])


def _exit_with(argument: object) -> Exit:
    """How `sys.exit(argument)` ends a process."""
    if argument is None:
        return Exit()
    if isinstance(argument, int):
        return Exit(argument & 0xFF)
    return Exit(1, exception=f"SystemExit: {argument}"[:2000])


class _Process:
    """The runs that this process is writing, and the hooks that serve them; there is one."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._lock = threading.RLock()
        self.exit = Exit()
        """How the process is about to end, as far as is known."""
        self._steps_at_exit: dict[int, int] = {}
        self._error_before: BaseException | None = None
        self._wake = threading.Event()
        self._hooked = False
        self._in_child = False
        """Whether this process was forked from one that had runs, and has begun none of its own yet."""
        self._stacks: dict[str, BinaryIO] = {}
        self._displaced: set[str] = set()
        """Signals for which a handler of Python's has taken the place of ours."""
        self._handlers: dict[str, tuple[Any, Any]] = {}

    def enroll(self, run: Run) -> None:
        """Keep a run: heartbeats from now on, and an end whatever ends the process."""
        with self._lock:
            self._enroll(run)

    def discharge(self, run: Run) -> None:
        """Let go of a run that has ended; with the last one, signals are as they were before."""
        with self._lock:
            if run in self.runs:
                self._discharge(run)

    def _enroll(self, run: Run) -> None:
        if self._in_child:
            self._in_child = False
            self._hook_pool_children()
        if not self._hooked:
            self._hooked = True
            atexit.register(self._at_exit)
            self._hook_pool_children()
            os.register_at_fork(after_in_child=self._in_forked_child)
            _exit.listener = self._note_exit
        for name in host.SIGNAL_FILES:
            self._attend(name, run)
        self.runs.append(run)
        if len(self.runs) == 1:
            self._error_before = self._uncaught()
            self._wake = threading.Event()
            try:
                threads.start("keeper", self._keep, self._wake)
            except OSError as error:
                run._warn("threads", f"no heartbeats, samples and facts of the machine ({error.strerror})")

    def _discharge(self, run: Run) -> None:
        self.runs.remove(run)
        sampler.end(run)
        for file in host.SIGNAL_FILES.values():
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(run.folder, file))
        with contextlib.suppress(OSError):
            os.rmdir(run.folder)  # only if nothing else is in it
        if not self.runs:
            keeper, self._wake = self._wake, threading.Event()
            keeper.set()  # it sees that it is no longer wanted
            for name in host.SIGNAL_FILES:
                self._release(name)

    # ---- signals ----

    def _attend(self, name: str, run: Run) -> None:
        number = getattr(signal, name)
        current = signal.getsignal(number)
        if current == signal.SIG_DFL:
            self._leave_stack(name, number, run)
        elif callable(current) and name not in self._handlers:
            handler = self._noting(name, current)
            with contextlib.suppress(ValueError):  # only the main thread may set handlers
                signal.signal(number, handler)
                self._handlers[name] = (handler, current)

    def _leave_stack(self, name: str, number: int, run: Run) -> None:
        """Have the stack written into the run's folder should the signal end the process."""
        path = os.path.join(run.folder, host.SIGNAL_FILES[name])
        with contextlib.suppress(OSError):
            os.makedirs(run.folder, exist_ok=True)
            if name in self._stacks and not self.runs:  # left by a run under a handler that is gone since
                faulthandler.unregister(number)
                self._stacks.pop(name).close()
            if name in self._stacks:  # several runs of one process share one stack file by hard links
                other = next(r.folder for r in self.runs)
                os.link(os.path.join(other, host.SIGNAL_FILES[name]), path)
                return
            file = open(path, "ab", buffering=0)  # noqa: SIM115 - open for as long as the run
            self._stacks[name] = file
            faulthandler.register(number, file=file, all_threads=True, chain=True)

    def _noting(
        self, name: str, handler: Callable[[int, FrameType | None], Any]
    ) -> Callable[[int, FrameType | None], Any]:
        def note(number: int, frame: FrameType | None) -> Any:
            for run in list(self.runs):
                run._note_signal(name)
            return handler(number, frame)

        return note

    def _release(self, name: str) -> None:
        number = getattr(signal, name)
        handler, previous = self._handlers.pop(name, (None, None))
        if handler is not None and signal.getsignal(number) is handler:
            with contextlib.suppress(ValueError):
                signal.signal(number, previous)
        file = self._stacks.get(name)
        # A handler set meanwhile would be undone by unregistering; then the file stays open instead.
        if file is not None and signal.getsignal(number) == signal.SIG_DFL:
            faulthandler.unregister(number)
            del self._stacks[name]
            file.close()

    # ---- the end of the process ----

    def _at_exit(self) -> None:
        steps, error = self._steps(), self._uncaught()
        if any(steps[run] != step for run, step in self._steps_at_exit.items() if run in steps):
            self.exit = Exit()  # sys.exit was called and caught: more was logged since
        if error is not None and error is not self._error_before:
            self.exit = exit_of(error)
        for run in list(self.runs):
            run._end(self.exit)

    def _steps(self) -> dict[int, int]:
        return {id(run): run.step for run in self.runs}

    def _hook_pool_children(self) -> None:
        """Children of `multiprocessing` leave without exit hooks, but run its finalizers."""
        util = sys.modules.get("multiprocessing.util")
        process = sys.modules.get("multiprocessing.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, self._at_pool_exit, exitpriority=100)

    def _at_pool_exit(self) -> None:
        error = sys.exc_info()[1]  # still on its way out of the child's function
        if error is not None:
            self.exit, self._steps_at_exit = exit_of(error), {}
        self._at_exit()

    def _note_exit(self, argument: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self.exit, self._steps_at_exit = _exit_with(argument), self._steps()

    def _uncaught(self) -> BaseException | None:
        """The exception that ends the process: the interpreter keeps it before it calls any hook.

        At a prompt that is just the last one shown, and the process goes on.
        """
        return None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)

    def _in_forked_child(self) -> None:
        self._lock = threading.RLock()  # a thread that is no more may have held it
        sampler.forget()
        for run in self.runs:
            run._disown()
        for name in host.SIGNAL_FILES:
            self._release(name)
        self.runs.clear()
        capture.forget()
        self.exit = Exit()
        self._in_child = True

    # ---- while it runs ----

    def _keep(self, wake: threading.Event) -> None:
        last_sync = time.monotonic()
        while self._wake is wake:
            wake.wait(REMOTE_SYNC if any(run.is_remote for run in list(self.runs)) else HEARTBEAT)
            wake.clear()
            sync = time.monotonic() - last_sync >= SYNC
            for run in list(self.runs):
                try:
                    run._beat(HEARTBEAT, sync)
                except Exception as error:  # one run's trouble must not end the heartbeats of all
                    run._warn("beat", f"cannot look after {run.name} ({error})")
            if sync:
                last_sync = time.monotonic()
            self._arm_again()

    def hurry(self) -> None:
        """Have the keeper look after its runs now."""
        self._wake.set()

    def _arm_again(self) -> None:
        """A handler of Python's that was set and taken back (as trainers do around `fit`) has undone ours."""
        for name, file in list(self._stacks.items()):
            number = getattr(signal, name)
            if signal.getsignal(number) != signal.SIG_DFL:
                self._displaced.add(name)
            elif name in self._displaced:
                self._displaced.discard(name)
                faulthandler.unregister(number)
                faulthandler.register(number, file=file, all_threads=True, chain=True)


process: Final = _Process()
