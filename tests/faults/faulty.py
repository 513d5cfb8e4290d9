"""What a process asks the operating system to do below a folder: it fails, falls short, or is the last it ever asks.

The functions of `os` are shadowed, so that what the product does with files meets trouble at every place, in any order.
"""

from __future__ import annotations

import builtins
import errno
import os
import random
import signal
from collections.abc import Callable
from typing import Any, Protocol

CALLS = (
    "open",
    "write",
    "fsync",
    "dup",
    "fstat",
    "mkdir",
    "link",
    "unlink",
    "rmdir",
    "scandir",
    "stat",
    "pread",
    "preadv",
    "rename",
    "replace",
    "utime",
    "lstat",
    "close",
)
_NAMES = "ENOSPC EDQUOT EIO EROFS ESTALE EINTR EMFILE ENFILE EACCES EFBIG ENOMEM"
ERRORS = tuple(getattr(errno, name) for name in _NAMES.split(" "))
_FORGOTTEN = ("write", "fsync", "fstat", "pread")
"""What a descriptor is good for until a server has forgotten the file."""
_readlink, _write, _ftruncate, _fstat = os.readlink, os.write, os.ftruncate, os.fstat


class Fault(Protocol):
    """Does a call, or something else in its place."""

    def __call__(self, name: str, call: Callable[[], Any], target: Any, data: bytes | None) -> Any: ...


def interpose(folder: str, fault: Fault) -> None:
    """Let a fault have every call that is about something below a folder, by path or by descriptor."""
    for place, name in [*((os, name) for name in CALLS), (builtins, "open")]:
        setattr(place, name, _shadow(name, getattr(place, name), folder, fault))


def _shadow(name: str, real: Callable[..., Any], folder: str, fault: Fault) -> Callable[..., Any]:
    def call(target: Any = ".", *arguments: Any, **options: Any) -> Any:
        if not (_path_of(target) + os.sep).startswith(folder + os.sep):
            return real(target, *arguments, **options)
        data = arguments[0] if name == "write" else None
        return fault(name, lambda: real(target, *arguments, **options), target, data)

    return call


def _path_of(target: Any) -> str:
    if not isinstance(target, int):
        return os.fsdecode(target)
    try:
        return _readlink(f"/proc/self/fd/{target}")
    except OSError:
        return ""


class Last:
    """The process is killed at a call: before it, after it, or in the middle of a write.

    Args:
        number: of the call, the first 1.
        how: `before`, `after` or `within`.
    """

    def __init__(self, number: int, how: str) -> None:
        self._left, self._how = number, how

    def __call__(self, name: str, call: Callable[[], Any], target: Any, data: bytes | None) -> Any:
        self._left -= 1
        if self._left:
            return call()
        if self._how == "within" and data is not None:
            _write(target, data[: len(data) // 2])
        elif self._how == "after":
            call()
        return os.kill(os.getpid(), signal.SIGKILL)


class Trouble:
    """Calls fail with a chance that changes in spells, writes fall short, and a late fsync takes back what was written.

    Args:
        chance: what is tried when.
        is_remote: as a network file system: what was written since the last fsync is gone if that fails, or if the
            server forgets the file, of which the descriptor then is good for nothing any more.
    """

    def __init__(self, chance: random.Random, is_remote: bool) -> None:
        self._chance, self._is_remote = chance, is_remote
        self._rate = self._left = 0.0
        self._safe: dict[int, int] = {}
        self._stale: set[int] = set()
        self.is_over = False
        self.calls = self.failures = 0

    def __call__(self, name: str, call: Callable[[], Any], target: Any, data: bytes | None) -> Any:
        if name == "close":
            self._stale.discard(target)
            return call()
        if name in _FORGOTTEN and target in self._stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        self.calls += 1
        if self._left <= 0:
            self._left, self._rate = self._chance.randint(1, 60), self._chance.choice((0.0, 0.1, 0.5, 1.0))
        self._left -= 1
        if not self.is_over and self._chance.random() < self._rate:
            self.failures += 1
            if data and self._chance.random() < 0.4:
                return _write(target, data[: self._chance.randrange(len(data))])
            number = self._chance.choice(ERRORS)
            if self._is_remote and (name == "fsync" or (name == "write" and number == errno.ESTALE)):
                _ftruncate(target, self._safe.get(_fstat(target).st_ino, 0))
                if number == errno.ESTALE:
                    self._stale.add(target)
            raise OSError(number, os.strerror(number))
        result = call()
        if name == "fsync":
            status = _fstat(target)
            self._safe[status.st_ino] = status.st_size
        return result
