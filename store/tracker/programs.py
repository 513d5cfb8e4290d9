"""What another program says, within limits of time and size.

Not by `subprocess`: it is costly to import, and this is called in a thread while the training script may fork; a module
that is half imported then stays so for ever in the child. So nothing but what is loaded anyway is used here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

CHUNK: Final = 1 << 16
"""Bytes that are read at a time: what a pipe holds."""
PAUSE: Final = 0.002
"""Seconds between two looks at a program."""
GRACE: Final = 0.5
"""Seconds after which a program that was killed and does not end is left alone: a driver may hold it."""


class Output(NamedTuple):
    """What a program wrote to its standard output."""

    data: bytes = b""
    code: int | None = None
    """How it ended; None where it was not there, or was ended for its time or size."""


def output_of(words: Sequence[str], seconds: float, limit: int = CHUNK, env: Mapping[str, str] | None = None) -> Output:
    """Start a program, read what it writes, and wait for its end. Never raises.

    Args:
        words: its name, looked for on PATH, and its arguments.
        seconds: it may take.
        limit: bytes that are read, about; with more to come it is killed.
        env: its environment, default this process's.
    """
    deadline = time.monotonic() + seconds
    try:
        reading, writing = os.pipe()
    except OSError:
        return Output()
    with open(reading, "rb", buffering=0) as pipe:
        try:
            pid = _start(words, writing, os.environ if env is None else env)
        except (OSError, ValueError):
            return Output()
        finally:
            os.close(writing)
        data, is_whole = _read(pipe.fileno(), deadline, limit)
    return Output(data, _end(pid, deadline if is_whole else 0.0))


def _start(words: Sequence[str], writing: int, env: Mapping[str, str]) -> int:
    return os.posix_spawnp(
        words[0],
        list(words),
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        setpgroup=0,  # Ctrl-C is for the training script
        setsigdef=[signal.SIGPIPE],  # Python ignores it
    )


def _read(descriptor: int, deadline: float, limit: int) -> tuple[bytes, bool]:
    """What comes until the end, and whether that was reached in time and within the limit."""
    os.set_blocking(descriptor, False)
    data = b""
    while len(data) <= limit and time.monotonic() < deadline:
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:
            time.sleep(PAUSE)
            continue
        if not chunk:
            return data, True
        data += chunk
    return data, False


def _end(pid: int, deadline: float) -> int | None:
    """The exit code of a program that ends by itself before the deadline; else it is killed."""
    with contextlib.suppress(OSError):  # whoever waits for any child may have been told of its end
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(PAUSE)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + GRACE
        while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < deadline:
            time.sleep(PAUSE)
    return None
