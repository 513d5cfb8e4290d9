"""What lies in a project's folder beside the journals: lists of files, and files by the piece.

Every folder on the way is opened by itself and no link is followed, so nothing outside the project's folder is ever
listed or read, whoever changes what meanwhile. Like `host` this uses the standard library alone and keeps to Python
3.8, for its source runs on other machines too.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

MAX_NAMES = 20_000
"""Names that are looked at for one list."""
MAX_LETTERS = 4 * 1024 * 1024
"""Characters of all the paths of a list."""
MAX_DEPTH = 32
"""Folders in each other."""
MAX_PART = 256 * 1024
"""Bytes that are read at a time."""
MAX_PATH = 4096
"""Characters."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderFile(NamedTuple):
    """A regular file."""

    path: str
    """Below the project's folder, with `/` between its parts."""
    size: int
    """Bytes."""
    mtime: float
    """Seconds since the epoch."""


class Part(NamedTuple):
    """A piece of a file, or why there is none."""

    data: bytes
    size: int
    """Bytes of the whole file now."""
    trouble: str = ""
    """Why it cannot be read; then there is no data."""


def folder_files(
    root: str, project: str, folder: str, depth: int = MAX_DEPTH, may_be_link: bool = False
) -> list[FolderFile] | None:
    """The files of a folder and of all folders in it, in order of their paths; links and special files are left out.

    Of a folder with more than `MAX_NAMES` names it lists so many; of folders in it that cannot be read, nothing.

    Args:
        root: the folder of projects.
        project: the project's folder name.
        folder: a folder below that, by its relative path.
        depth: folders in each other that are looked into, that one included.
        may_be_link: whether the project's folder may be a link, as one that a user has named.

    Returns:
        None when the folder is not there, is a link or cannot be read.
    """
    descriptor = _open_folder(root, project, _parts(folder), may_be_link)
    if descriptor is None:
        return None
    found: list[FolderFile] = []
    _list(descriptor, folder, found, [MAX_NAMES, MAX_LETTERS], min(depth, MAX_DEPTH))
    return sorted(found)


def read_part(root: str, project: str, path: str, offset: int, most: int, may_be_link: bool = False) -> Part:
    """A piece of a regular file below a project's folder.

    Args:
        root: the folder of projects.
        project: the project's folder name.
        path: of the file, below that.
        offset: where the piece begins, in bytes.
        most: bytes of it; never more than `MAX_PART` are read.
        may_be_link: as for `folder_files`.
    """
    parts = _parts(path)
    if not parts or offset < 0:
        return Part(b"", 0, "no path of a file in the project's folder")
    folder = _open_folder(root, project, parts[:-1], may_be_link)
    if folder is None:
        return Part(b"", 0, "its folder is gone, is a link or may not be read")
    try:
        descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    except FileNotFoundError:
        return Part(b"", 0, "the file is gone")
    except (OSError, ValueError) as error:
        link = "it is a link" if _is_link(parts[-1], folder) else ""
        return Part(b"", 0, link or getattr(error, "strerror", None) or "no name of a file")
    finally:
        os.close(folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Part(b"", 0, "it is no regular file")
        return Part(os.pread(descriptor, max(0, min(most, MAX_PART)), offset), status.st_size)
    except (OSError, OverflowError) as error:
        return Part(b"", 0, getattr(error, "strerror", None) or "no place in a file")
    finally:
        os.close(descriptor)


def _parts(path: str) -> list[str] | None:
    """The names on the way to a file or folder below another; None where it would lead elsewhere."""
    parts = path.split("/")
    if len(path) > MAX_PATH or "\0" in path or len(parts) > MAX_DEPTH or set(parts) & {"", ".", ".."}:
        return None
    return parts


def _open_folder(root: str, project: str, parts: list[str] | None, may_be_link: bool) -> int | None:
    """A descriptor of a folder below a project's, each on the way opened by itself."""
    first = _parts(project)
    if parts is None or first is None or len(first) != 1:
        return None
    try:
        descriptor = os.open(os.path.join(root, project), _FOLDER | (0 if may_be_link else os.O_NOFOLLOW))
        for part in parts:
            above, descriptor = descriptor, -1
            try:
                descriptor = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
    except (OSError, ValueError):
        return None
    return descriptor


def _list(descriptor: int, path: str, found: list[FolderFile], left: list[int], depth: int) -> None:
    """Add the files of an open folder, which is closed; `left` holds how many names may still be looked at, and of
    how many letters their paths may be."""
    folders = []
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if min(left) <= 0:
                    break
                left[0] -= 1
                left[1] -= len(path) + len(entry.name)
                status = _status(entry)
                if status is not None and stat.S_ISREG(status.st_mode):
                    found.append(FolderFile(path + "/" + entry.name, status.st_size, status.st_mtime))
                elif status is not None and stat.S_ISDIR(status.st_mode):
                    folders.append(entry.name)
        for name in sorted(folders) if depth > 1 else ():
            try:
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            except OSError:
                continue
            _list(inner, path + "/" + name, found, left, depth - 1)
    except OSError:  # a folder that may not be read, or a server that has just forgotten it
        pass
    finally:
        os.close(descriptor)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, ValueError):
        return False
