"""Files that only save time: in the user's cache folder, of bounded size, and gone at any moment.

    $XDG_CACHE_HOME/tracker-tui, default ~/.cache/tracker-tui

Nothing here raises: what cannot be read is empty, what cannot be written is left. A file counts only if it is this
user's own; whoever reads one checks what it says. When all together are over `MOST` bytes, those that were not used for
the longest time go.
"""

from __future__ import annotations

import os
import stat
import time
import zlib
from array import array
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from typing import BinaryIO, Final

from tracker import __version__

MOST: Final = 1 << 30
"""Bytes of all files together."""

ABANDONED: Final = 3600.0
"""Seconds after which a file that was not finished belongs to a process that was killed."""


def folder() -> str:
    """Where they are; it may not exist."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "tracker-tui")


def seal(content: bytes) -> bytes:
    """A line that tells when it is damaged."""
    return b"%08x %b\n" % (zlib.crc32(content), content)


def unseal(line: bytes) -> bytes:
    """What such a line says; empty where it is damaged."""
    content = line[9:-1]
    return content if line == seal(content) else b""


class File:
    """One such file.

    Args:
        kind: what it is for.
        words: what of; another version of this library has a file of its own for the same.
    """

    def __init__(self, kind: str, *words: str) -> None:
        name = sha256(os.fsencode("\0".join((__version__, *words)))).hexdigest()[:20]
        self.path = os.path.join(folder(), f"{kind}-{name}")

    def open(self) -> BinaryIO | None:
        """To read it, and that counts as use; None where there is nothing to be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            os.close(descriptor)
            return None
        with suppress(OSError):
            os.utime(descriptor)
        return os.fdopen(descriptor, "rb")

    def append(self, data: bytes) -> None:
        """Put something at its end, in one piece."""
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self.path, flags)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    os.write(descriptor, data)
            finally:
                os.close(descriptor)

    def replace(self, parts: Iterable[bytes | array[float]]) -> None:
        """Write it anew; whoever reads meanwhile gets the old one or the new one, whole."""
        new = f"{self.path}.{os.getpid()}.new"
        try:
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(parts)
            os.replace(new, self.path)
        except OSError:
            with suppress(OSError):
                os.remove(new)
            return
        trim()

    def remove(self) -> None:
        """It is of no use any more."""
        with suppress(OSError):
            os.remove(self.path)


def trim(most: int = MOST) -> None:
    """Remove what was not used for the longest time, until all files together have at most so many bytes."""
    with suppress(OSError):
        found = []
        for entry in os.scandir(folder()):
            status = entry.stat(follow_symlinks=False)
            if entry.name.endswith(".new") and status.st_mtime < time.time() - ABANDONED:
                os.remove(entry.path)
            elif stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= most:
                return
            with suppress(OSError):
                os.remove(path)
                total -= size
