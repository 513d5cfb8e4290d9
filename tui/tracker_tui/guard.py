"""Gives the terminal back when the dashboard no longer can, and ends a dashboard that lost its terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU")
"""They are for the dashboard; the last one stops who writes when the shell has the terminal back."""
MODES: Final = (1000, 1003, 1015, 1006, 1016, 1004, 2004, 2048, 2026)
"""The mouse, the focus, pasting, sizes told in band, updates at once."""
USUAL: Final = (
    "\x18\x1b[<u"  # ends a sequence that was cut short; keys are told as ever
    + "".join(f"\x1b[?{mode}l" for mode in MODES)
    + "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"  # colours, wrapping, the cursor, the screen before
)
"""What takes back whatever Textual asks of a terminal."""
SAID: Final = "tracker-tui was killed. The jobs go on without it.\r\n"
HAS, HAS_NOT = b"+", b"-"
GRACE: Final = 3.0
"""Seconds that a dashboard may take to end after its terminal is gone."""


@contextmanager
def guarded_terminal() -> Iterator[Callable[[bool], None]]:
    """Have a small process watch this one until its end.

    If this one is killed, or dies in native code, the other does with the terminal what was left to do. If the terminal
    is gone and this one stays, as Textual 8.2.8 may (it waits for its writer, which has died of an error, while its
    reader takes the end of the input for no input, again and again), it is killed.

    Enter it early: the process is a fork, and there may be neither threads nor much memory then. Where no process is to
    be had, there is no guard.

    Yields:
        What tells the guard whether this process has the terminal: not while it is stopped.
    """
    settings = termios.tcgetattr(sys.stdin)
    ours, theirs = os.pipe()
    dashboard = os.getpid()
    try:
        guard = os.fork()
    except OSError:
        guard = -1
    if guard == 0:
        try:
            os.close(theirs)
            _watch(ours, dashboard, settings)
        finally:
            os._exit(0)
    os.close(ours)

    def tell(has_terminal: bool) -> None:
        with suppress(OSError):  # somebody ended it
            os.write(theirs, HAS if has_terminal else HAS_NOT)

    try:
        yield tell
    finally:
        tell(False)  # `theirs` is closed when this process has ended


def _watch(pipe: int, dashboard: int, settings: list[object]) -> None:
    """Wait until the dashboard ends, and do what it has not done."""
    for name in IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(sys.stdin, 0)  # tells nothing but its end
    has_terminal, is_gone = True, False
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(1000 * GRACE if is_gone else None)]
        if pipe in ready:
            said = os.read(pipe, 1)
            if not said:
                break
            has_terminal = said == HAS
        elif ready:
            is_gone = True
            poll.unregister(sys.stdin)
        elif os.getppid() == dashboard:
            os.kill(dashboard, signal.SIGKILL)
    if has_terminal and not is_gone:
        os.write(sys.stderr.fileno(), (USUAL + SAID).encode())
        if not termios.tcgetattr(sys.stdin)[3] & termios.ISIG:  # else a shell has it, and has set what it needs
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, settings)  # type: ignore[arg-type]
