"""Contents under their SHA-256: each once, read-only, never changed.

    <folder>/blobs/<2 hex>/<64 hex>    a content
    <folder>/tmp/*.part                what is being written; renamed into its place when it is whole

A content is hashed in the very pass that copies it, so what lies under a hash is what was hashed, whatever happened to
the file meanwhile. Where the file system can (btrfs, XFS), a copy is a reflink, which is then hashed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from tracker import host
from tracker.errors import ChecksumError, Error

CHUNK: Final = 1 << 20
"""Bytes that are read at a time; a file of no more is not written where its content is there already."""
IN_STEP: Final = 8
"""Chunks that reading may be ahead of hashing in a large file."""
TRIES: Final = 3
"""Times that a file which changes is copied."""
FICLONE: Final = 0x40049409
"""Linux's request to share blocks until one side writes."""

_numbers = itertools.count(1)


class StoreError(Error):
    """What is to be kept cannot be written."""


class Blob(NamedTuple):
    """A content that is kept."""

    digest: str
    """SHA-256, in hex."""
    size: int
    """Bytes."""
    is_steady: bool = True
    """Whether the file stood still while it was copied."""


class Blobs:
    """The contents below a folder; it is made when there is something to keep.

    Args:
        folder: where.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._is_remote: bool | None = None

    def path(self, digest: str) -> str:
        """Where a content lies, if it is there."""
        return os.path.join(self.folder, "blobs", digest[:2], digest)

    def has(self, digest: str, size: int) -> bool:
        """Whether a content is there. It counts as new from then on, so that no sweep takes it."""
        path = self.path(digest)
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:  # of a machine that went down
                return False
            with contextlib.suppress(PermissionError):  # somebody else's
                os.utime(path)
        except OSError:
            return False
        return True

    def add(self, path: str, may_link: bool = False) -> Blob:
        """Keep the content of a file.

        A file that changes meanwhile is copied again, three times at most: the last copy is kept as it is.

        Args:
            path: a regular file; a link is followed.
            may_link: its own bytes may be shared by a hard link, since nobody will change them.

        Raises:
            ValueError: it is no regular file.
            OSError: it cannot be read.
            StoreError: it cannot be kept.
        """
        for tries in range(1, TRIES + 1):
            with opened(path) as source:
                before = os.fstat(source)
                blob = self._take(source, before.st_size, path if may_link else None)
                if _same(before, os.fstat(source)) and blob.size == before.st_size:
                    return blob
            if tries == TRIES:
                return blob._replace(is_steady=False)
        raise AssertionError("not reached")

    def add_bytes(self, content: bytes) -> Blob:
        """Keep some bytes.

        Raises:
            StoreError: they cannot be kept.
        """
        blob = Blob(hashlib.sha256(content).hexdigest(), len(content))
        if not self.has(blob.digest, blob.size):
            with self._part() as part:
                part.write(content)
                part.place(blob)
        return blob

    def _take(self, source: int, size: int, linked: str | None) -> Blob:
        if size <= CHUNK and linked is None:
            return self.add_bytes(_read_small(source))
        with self._part() as part:
            if linked is not None and part.link(linked):
                blob = Blob(*hash_of(source))
            elif part.clone(source):
                blob = Blob(*hash_of(part.descriptor))
            else:
                blob = Blob(*hash_of(source, part.write))
            if not self.has(blob.digest, blob.size):
                part.place(blob)
        return blob

    def _part(self) -> _Part:
        if self._is_remote is None:
            self._is_remote = host.is_network(self.folder)
        return _Part(self, self._is_remote)


class _Part:
    """A file that is being written, gone at the end of `with` where it was not put into its place."""

    def __init__(self, blobs: Blobs, is_remote: bool) -> None:
        self._blobs, self._is_remote = blobs, is_remote
        folder = os.path.join(blobs.folder, "tmp")
        self._path = os.path.join(folder, part_name())
        self.descriptor = -1
        self._is_placed = False
        with _telling(blobs.folder):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                self.descriptor = os.open(self._path, flags, 0o444)
            except FileNotFoundError:
                os.makedirs(folder, exist_ok=True)
                self.descriptor = os.open(self._path, flags, 0o444)

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        if not self._is_placed:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def write(self, data: bytes | memoryview) -> None:
        with _telling(self._blobs.folder):
            write_all(self.descriptor, data)

    def clone(self, source: int) -> bool:
        """Share the blocks of a file, where the file system can."""
        return clone(source, self.descriptor)

    def link(self, path: str) -> bool:
        """Be another name of a file, where that can be."""
        other = self._path + ".part"
        if not _link(os.path.realpath(path), other):
            return False
        with _telling(self._blobs.folder):
            os.rename(other, self._path)
        return True

    def place(self, blob: Blob) -> None:
        """Become the content that was written."""
        path = self._blobs.path(blob.digest)
        with _telling(self._blobs.folder):
            if self._is_remote:  # only that tells of a server that is full
                os.fsync(self.descriptor)
            try:
                os.rename(self._path, path)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.rename(self._path, path)
        self._is_placed = True


def part_name() -> str:
    """A name for a file that is being written, unlike any other on any machine."""
    return f"{os.uname().nodename[:60]}-{os.getpid()}-{next(_numbers)}-{os.urandom(4).hex()}.part"


@contextlib.contextmanager
def _telling(folder: str) -> Iterator[None]:
    """Errors of the disk as errors of the store."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write below {folder} ({error.strerror})") from error


# ---- files ----


def deliver(source: str, blob: Blob | None, path: str, may_link: bool = False) -> None:
    """Put a content at a path, in place of what is there; the file appears as a whole, and only if it is right.

    Args:
        source: where the content is.
        blob: what it has to be; None for whatever it is.
        path: in a folder that is there.
        may_link: nobody is to change it: it may be another name of the source, and is read-only.

    Raises:
        ChecksumError: it is something else.
        OSError: it cannot be read or written.
    """
    temporary = os.path.join(os.path.dirname(path), "." + part_name())
    try:
        with opened(source) as descriptor:
            is_closed = os.geteuid() and not os.fstat(descriptor).st_mode & 0o222  # no mode keeps root from writing
            if may_link and is_closed and _link(source, temporary):
                found = Blob(*hash_of(descriptor))
            else:
                found = copy(descriptor, temporary, 0o444 if may_link else 0o666)
        if blob is not None and found != blob:
            raise ChecksumError(f"{source} is damaged: its content is not what the checksum says")
        os.replace(temporary, path)
    except ValueError as error:
        if isinstance(error, ChecksumError):
            raise
        raise ChecksumError(str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def copy(source: int, path: str, mode: int) -> Blob:
    """Copy all of an open file into a new one; what was copied.

    Raises:
        OSError: it cannot be read or written.
    """
    target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        if clone(source, target):
            return Blob(*hash_of(target))
        return Blob(*hash_of(source, lambda chunk: write_all(target, chunk)))
    finally:
        os.close(target)


def _link(source: str, path: str) -> bool:
    try:
        os.link(source, path)
    except OSError:
        return False
    return True


def is_content(path: str, blob: Blob) -> bool:
    """Whether a file has a content; a link has none of its own."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size != blob.size:
            return False
        with opened(path) as descriptor:
            return Blob(*hash_of(descriptor)) == blob
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of a regular file; pipes and devices are not opened.

    Raises:
        ValueError: it is something else.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path!r} is no regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path!r} is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def hash_of(source: int, write: Callable[[memoryview], object] | None = None) -> tuple[str, int]:
    """SHA-256 and size of all that is behind a descriptor; what was hashed is written on the way."""
    if os.fstat(source).st_size <= CHUNK:
        content = _read_small(source)
        if write is not None:
            write(memoryview(content))
        return hashlib.sha256(content).hexdigest(), len(content)
    with _Hasher() as hasher:
        size = 0
        while count := os.preadv(source, [buffer := hasher.room()], size):
            chunk = memoryview(buffer)[:count]
            hasher.put(chunk)
            size += count
            if write is not None:
                write(chunk)
    return hasher.digest.hexdigest(), size


class _Hasher:
    """Hashes in a thread, beside reading and writing: all three let go of the interpreter."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._chunks: queue.Queue[memoryview] = queue.Queue()
        self._spare: queue.Queue[bytearray] = queue.Queue()
        self._made = 0
        self._thread = threading.Thread(target=self._work, name="tracker hash", daemon=True)

    def __enter__(self) -> _Hasher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._chunks.put(memoryview(b""))
        self._thread.join()

    def room(self) -> bytearray:
        """Where the next chunk goes; waits while there are `IN_STEP` that are not hashed."""
        if self._made < IN_STEP and self._spare.empty():
            self._made += 1
            return bytearray(CHUNK)
        return self._spare.get()

    def put(self, chunk: memoryview) -> None:
        """Hash a chunk, which is not changed before `room` gives its place again."""
        self._chunks.put(chunk)

    def _work(self) -> None:
        while chunk := self._chunks.get():
            self.digest.update(chunk)
            self._spare.put(chunk.obj)  # type: ignore[arg-type]


def _read_small(source: int) -> bytes:
    """All of a file that had at most `CHUNK` bytes; it may have grown."""
    content = os.pread(source, CHUNK + 1, 0)
    while len(content) > CHUNK and (more := os.pread(source, CHUNK, len(content))):
        content += more
    return content


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it.

    Raises:
        OSError: the disk does not take it.
    """
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view)
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[count:]


def clone(source: int, target: int) -> bool:
    """Let one file share the blocks of another, where the file system can; each may be changed alone."""
    try:
        import fcntl

        fcntl.ioctl(target, FICLONE, source)
    except (ImportError, OSError):
        return False
    return True
