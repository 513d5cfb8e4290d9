"""Append-only JSONL files: one writer, any number of readers, nothing ever rewritten."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from tracker.lines import CHUNK, Lines
from tracker.pages import Page
from tracker.records import BadLineError, Record, decode

RETRY: Final = 1.0
"""Seconds between two tries at a disk that refuses lines."""
MAX_WAITING: Final = 16 * 1024 * 1024
"""Bytes of lines that are kept for such a disk."""


class Writer:
    """The one writer of one file: a line is with the operating system when `append` returns.

    Nothing is buffered here, so a process killed right after loses nothing. Creating makes the folders; it fails with
    OSError where the disk does.

    Args:
        folder: where.
        names: what the file may be called; the first name that no file has is its own.
        is_mine: the folder is the writer's alone: a file that is there was begun by this very process.
    """

    def __init__(self, folder: str, names: Iterable[str], is_mine: bool = False) -> None:
        os.makedirs(folder, exist_ok=True)
        for name in names:
            self.path = os.path.join(folder, name)
            try:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | (0 if is_mine else os.O_EXCL)
                self._descriptor = os.open(self.path, flags, 0o666)
                break
            except FileExistsError:
                continue
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)
        self._torn = False

    def append(self, line: bytes) -> None:
        """One line in one write.

        Raises:
            OSError: not, or not wholly, written; the next line then starts on a new one.
        """
        if self._torn:
            line = b"\n" + line
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            if error.errno == errno.EBADF:  # closed by somebody: the next file to be opened gets its number
                self._descriptor = -1
            raise
        if written != len(line):
            self._torn = True
            raise OSError(errno.ENOSPC, "no space left on device", self.path)
        self._torn = False

    def is_gone(self) -> bool:
        """Whether somebody has removed the file: what is appended then is lost."""
        try:
            return os.fstat(self._descriptor).st_nlink == 0
        except OSError:
            return True

    def duplicate(self) -> int | None:
        """Another descriptor of the file, for whoever may outlast the writer; None when there is none to be had."""
        try:
            return os.dup(self._descriptor)
        except OSError:
            return None

    def sync(self) -> None:
        """Ask for everything appended to be on the disk itself."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """No more lines: the number of the descriptor may be anybody's from now on."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


class PatientWriter:
    """Appends to a journal through disk trouble: what the disk refuses waits in memory and is tried again.

    Every line that `append` took while the disk was well is with the operating system. While it is not, lines wait in
    order, up to `MAX_WAITING` bytes, and are tried again every `RETRY` seconds with the next line; beyond that the
    oldest are dropped and counted. A file that could not be made, or that somebody removed, is made anew.

    On a network file system the operating system takes what the server may refuse later: only fsync tells. There,
    written lines are kept until `synced`, and all of them written again if that fails; readers take a row that is there
    twice for one.

    Args:
        create: makes the file; called until it succeeds.
        is_remote: whether the file is on a network file system.
    """

    def __init__(self, create: Callable[[], Writer], is_remote: bool = False) -> None:
        self._create = create
        self.is_remote = is_remote
        self.unsynced = 0
        """Bytes written since the last fsync that was asked for."""
        self._written: deque[bytes] = deque()
        self._written_bytes = 0
        self._remembered = 0
        """Lines ever kept; the last `len(self._written)` of them still are."""
        self._writer: Writer | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._retry_at = 0.0
        self.dropped = 0
        """Lines that are lost for good."""
        self.trouble: OSError | None = None
        """Why lines are waiting; None when none is."""

    @property
    def path(self) -> str | None:
        """The file; None before there is one."""
        return self._writer.path if self._writer is not None else None

    @property
    def waiting(self) -> int:
        """Lines that the disk has not taken."""
        return len(self._waiting)

    def append(self, line: bytes) -> bool:
        """Write a line, or keep it; whether the disk took it."""
        if self._writer is not None and not self._waiting:
            try:
                self._writer.append(line)
            except OSError as error:
                self._keep(line, error)
                return False
            self.unsynced += len(line)
            self._remember(line)
            return True
        self._keep(line, self.trouble)
        return time.monotonic() >= self._retry_at and self.retry()

    def _keep(self, line: bytes, trouble: OSError | None) -> None:
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        if trouble is not self.trouble:
            self.trouble = trouble
            self._retry_at = time.monotonic() + RETRY
        while self._waiting_bytes > MAX_WAITING and len(self._waiting) > 1:
            self._waiting_bytes -= len(self._waiting.popleft())
            self.dropped += 1

    def retry(self) -> bool:
        """Try what is waiting, in order; whether the disk took it all."""
        try:
            if self._writer is None:
                self._writer = self._create()
            while self._waiting:
                self._writer.append(self._waiting[0])
                line = self._waiting.popleft()
                self._waiting_bytes -= len(line)
                self._remember(line)
        except OSError as error:
            self.trouble = error
            self._retry_at = time.monotonic() + RETRY
            return False
        self.trouble = None
        return True

    def _remember(self, line: bytes) -> None:
        """Keep a written line until it is synced; of too many the oldest are written, but no longer kept."""
        if not self.is_remote:
            return
        self._remembered += 1
        self._written.append(line)
        self._written_bytes += len(line)
        while self._written_bytes > MAX_WAITING and len(self._written) > 1:
            self._written_bytes -= len(self._written.popleft())

    def _forget_written(self) -> None:
        self._written = deque()
        self._written_bytes = 0

    def begin_anew(self, line: bytes) -> None:
        """The file was removed: begin another one with this line."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # somebody may have closed it
                self._writer.close()
        self._writer = None
        self._waiting.clear()
        self._waiting_bytes = 0
        self._forget_written()
        self.append(line)

    def is_gone(self) -> bool:
        """Whether somebody has removed the file."""
        return self._writer is not None and self._writer.is_gone()

    def begin_sync(self) -> tuple[int | None, int]:
        """A descriptor to fsync and close, without holding up whoever appends, and what to tell `synced`."""
        descriptor = self._writer.duplicate() if self._writer is not None else None
        if descriptor is not None:
            self.unsynced = 0
        return descriptor, self._remembered

    def synced(self, lines: int, error: OSError | None) -> None:
        """The fsync is done, or has failed.

        Args:
            lines: as `begin_sync` gave it: how many had been written by then.
            error: why it failed; then everything since the last that did not is written again.
        """
        if error is None:
            while self._written and self._remembered - len(self._written) < lines:
                self._written_bytes -= len(self._written.popleft())
        elif self.is_remote:
            written = self._written
            self._forget_written()
            waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
            for line in (*written, *waiting):
                self._keep(line, error)

    def close(self) -> None:
        """Ask for everything to be on the disk itself, and take no more lines.

        Raises:
            OSError: the disk cannot say that it is.
        """
        if self._writer is None:
            return
        try:
            try:
                self._writer.sync()
            except OSError as error:
                self.synced(0, error)
                if not self.is_remote or not self.retry():
                    raise
                self._writer.sync()
        finally:
            self._writer.close()


class LineReader(Protocol):
    """What gives the whole lines of a file, each once: `tracker.lines.Lines`, here or on the far side of ssh."""

    offset: int
    skipped: int
    is_thinned: bool
    is_replaced: bool

    @property
    def is_whole(self) -> bool: ...
    @property
    def is_behind(self) -> bool: ...
    def read(self, limit: int = CHUNK) -> bytes: ...
    def close(self) -> None: ...


class PageReader(Protocol):
    """What gives what a run printed by the piece: `tracker.pages.Pages`, here or on the far side of ssh.

    Each raises OSError where that cannot be reached now.
    """

    def page(self, first: int, count: int, size: int = -1) -> Page | None: ...
    def line_at(self, field: str, value: float) -> int: ...
    def matches(self, words: str, start: int, end: int) -> tuple[list[int], int]: ...


class Tail:
    """Reads the records of a growing journal, each once, in order: call `read` again for what has come since.

    Args:
        lines: what gives its lines; or the path of a file, to read all of it.
    """

    def __init__(self, lines: LineReader | str) -> None:
        self.lines: LineReader = Lines(lines) if isinstance(lines, str) else lines
        self.taken = 0
        """Bytes of lines so far."""
        self._bad = 0

    @property
    def bad_lines(self) -> int:
        """Lines so far that are no records."""
        return self._bad + self.lines.skipped

    def read(self, limit: int | None = None) -> list[Record]:
        """The records that are complete now, from at most about `limit` bytes (default: all there are)."""
        records: list[Record] = []
        room = math.inf if limit is None else limit
        while room > 0:
            data = self.lines.read(int(min(CHUNK, room)))
            room -= len(data)
            self.taken += len(data)
            new, bad = decode_lines(data)
            records += new
            self._bad += bad
            if not data or self.lines.is_whole:
                break
        return records


def decode_lines(data: bytes) -> tuple[list[Record], int]:
    """The records of whole lines and the number of lines that were none; empty lines count as nothing."""
    records = []
    bad = 0
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            records.append(decode(line))
        except BadLineError:
            bad += bool(line.strip())
    return records, bad
