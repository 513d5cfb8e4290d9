"""Append-only JSONL files: one writer, any number of readers, nothing ever rewritten."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

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
                flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | (0 if is_mine else os.O_EXCL)
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
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            if self._torn:
                head = os.pread(self._descriptor, CHUNK, 0)
                if b"\n" in head or len(head) == CHUNK:
                    line = b"\n" + line
                else:  # of the first line, where readers look for the start
                    os.ftruncate(self._descriptor, 0)
            written = os.write(self._descriptor, line)
        except OSError as error:
            self._let_go(error)
            raise
        if written != len(line):
            self._torn = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        self._torn = False

    def _let_go(self, error: OSError) -> None:
        """Forget a descriptor that is good for nothing any more; the next line opens the file again."""
        if error.errno == errno.ESTALE:  # a server has forgotten it
            with contextlib.suppress(OSError):
                self.close()
        elif error.errno == errno.EBADF:  # closed by somebody: the next file to be opened gets it
            self._descriptor = -1

    @property
    def is_open(self) -> bool:
        """Whether it has a descriptor; without, the next line opens the file again."""
        return self._descriptor >= 0

    def doubt(self, error: OSError) -> None:
        """A server may have lost some of the file: the next line starts on a new one."""
        self._torn = True
        self._let_go(error)

    def is_gone(self) -> bool:
        """Whether somebody has removed the file: what is appended then is lost. Not where that cannot be told now."""
        try:
            return os.fstat(self._descriptor).st_nlink == 0
        except OSError:  # the descriptor may be lost alone
            pass
        try:
            os.stat(self.path)
        except OSError as error:
            return error.errno == errno.ENOENT
        return False

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


class _Lines:
    """Lines in memory, in order, at most `MAX_WAITING` bytes of them.

    Of more the oldest go, but for the very first: it may be the file's, and tell whose that is.
    """

    def __init__(self) -> None:
        self.lines: deque[bytes] = deque()
        self._size = 0

    def add(self, line: bytes) -> int:
        """Put a line last; how many records went for it."""
        self.lines.append(line)
        self._size += len(line)
        gone = 0
        while self._size > MAX_WAITING and len(self.lines) > 2:
            self._size -= len(self.lines[1])
            gone += self.lines[1].count(b"\n")
            del self.lines[1]
        return gone

    def pop(self) -> bytes:
        """Take the first line."""
        line = self.lines.popleft()
        self._size -= len(line)
        return line


class PatientWriter:
    """Appends to a journal through disk trouble: what the disk refuses waits in memory and is tried again.

    Every line that `append` took while the disk was well is with the operating system. While it is not, lines wait in
    order, up to `MAX_WAITING` bytes, and are tried again every `RETRY` seconds with the next line; beyond that the
    oldest are dropped and counted, but for the first, which may tell whose file it is. A file that could not be made,
    or that somebody removed, is made anew.

    On a network file system the operating system takes what the server may refuse later: only fsync tells. There,
    written lines are kept until `sync` went well, and all of them written again if it did not, or if the server has
    forgotten the file meanwhile; readers take a row that is there twice for one.

    A signal's handler may append in the middle of anything here.

    Args:
        create: makes the file; called until it succeeds.
        is_remote: whether the file is on a network file system.
    """

    def __init__(self, create: Callable[[], Writer], is_remote: bool = False) -> None:
        self._create = create
        self.is_remote = is_remote
        self.unsynced = 0
        """Bytes written since the last `sync`."""
        self.repeats = False
        """Whether lines were let wait that may be in the file already, since this was last set to False."""
        self._writer: Writer | None = None
        self._waiting = _Lines()
        self._written = _Lines()
        """On a network file system: what was written since the last `sync` began..."""
        self._asked = _Lines()
        """...and what it asks about."""
        self._is_retrying = False
        self._retry_at = 0.0
        self._dropped = 0
        self._syncing = threading.Lock()
        """Held while the disk is asked."""
        self._refusal: OSError | None = None
        """What it said, until that is looked after."""
        self.trouble: OSError | None = None
        """Why lines are waiting; None when none is."""

    @property
    def path(self) -> str | None:
        """The file; None before there is one."""
        return self._writer.path if self._writer is not None else None

    @property
    def waiting(self) -> bool:
        """Whether there are lines that the disk has not taken."""
        return bool(self._waiting.lines)

    @property
    def missing(self) -> int:
        """Lines that the disk has not taken, and those that were dropped."""
        return self._dropped + sum(line.count(b"\n") for line in self._waiting.lines)

    def append(self, line: bytes) -> bool:
        """Write a line, or keep it; whether the disk took it."""
        if self._writer is not None and not self._waiting.lines:
            try:
                self._writer.append(line)
            except OSError as error:
                self._keep(line, error)
                self._look_after_loss(error)
                return False
            self._took(line)
            return True
        self._keep(line, self.trouble)
        return time.monotonic() >= self._retry_at and self.retry()

    def _keep(self, line: bytes, trouble: OSError | None) -> None:
        if trouble is not self.trouble:
            self.trouble = trouble
            self._retry_at = time.monotonic() + RETRY
        self._dropped += self._waiting.add(line)

    def _took(self, line: bytes) -> None:
        self.unsynced += len(line)
        if self.is_remote:
            self._written.add(line)

    def retry(self) -> bool:
        """Try what is waiting, in order; whether the disk took it all."""
        if self._is_retrying:  # a signal's handler, in the middle of it: what it appends comes last
            return False
        self._is_retrying = True
        try:
            if self._writer is None:
                self._writer = self._create()
            while self._waiting.lines:
                self._writer.append(self._waiting.lines[0])
                self._took(self._waiting.pop())
        except OSError as error:
            self.trouble = error
            self._retry_at = time.monotonic() + RETRY
            self._look_after_loss(error)
            return False
        finally:
            self._is_retrying = False
        self.trouble = None
        return True

    def _look_after_loss(self, error: OSError) -> None:
        """With its descriptor, nobody will say any more whether a server has what was written through it."""
        if self.is_remote and self._writer is not None and not self._writer.is_open:
            self._doubt(error)

    def _doubt(self, error: OSError) -> None:
        """Let all that was written and is not known to be safe wait again."""
        if self._writer is not None:
            self._writer.doubt(error)
        unsafe = (*self._asked.lines, *self._written.lines)
        self._asked, self._written = _Lines(), _Lines()
        self.repeats |= bool(unsafe)
        self._put_first(unsafe, error)

    def _put_first(self, lines: Iterable[bytes], trouble: OSError | None) -> None:
        waiting, self._waiting = self._waiting, _Lines()
        for line in (*lines, *waiting.lines):
            self._keep(line, trouble)

    def begin_anew(self, *first: bytes) -> None:
        """The file was removed: begin another one with these lines; what is waiting follows."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # somebody may have closed it
                self._writer.close()
        self._writer, self._asked, self._written = None, _Lines(), _Lines()
        self._put_first(first, self.trouble)
        self.retry()

    def is_gone(self) -> bool:
        """Whether somebody has removed the file."""
        return self._writer is not None and self._writer.is_gone()

    def sync(self, lock: AbstractContextManager[Any]) -> OSError | None:
        """Ask for everything appended to be on the disk itself; why it is not, where the disk says so.

        On a network file system everything since the last time that went well is then written again. One thread may
        call it, while others append and close.

        Args:
            lock: what keeps others from appending; it is let go while the disk is at work.
        """
        with lock:
            descriptor = self._writer.duplicate() if self._writer is not None else None
            if descriptor is None:
                return None
            self.unsynced = 0
            self._asked, self._written = self._written, _Lines()
            self._syncing.acquire()
        try:
            os.fsync(descriptor)
        except OSError as error:
            self._refusal = error
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            self._syncing.release()
        with lock:
            return self._take_verdict()

    def _take_verdict(self) -> OSError | None:
        """Forget what was asked about, for it is safe, or let it wait again."""
        error, self._refusal = self._refusal, None
        if error is None:
            self._asked = _Lines()
        elif self.is_remote:
            self._doubt(error)
        return error

    def close(self) -> None:
        """Ask for everything to be on the disk itself, and take no more lines.

        Raises:
            OSError: the disk cannot say that it is.
        """
        with self._syncing:  # what another thread hears from the disk just now may be a refusal
            self._take_verdict()
        if self._waiting.lines:
            self.retry()
        if self._writer is None:
            return
        try:
            try:
                self._writer.sync()
            except OSError as error:
                self._refusal = error
                self._take_verdict()
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
