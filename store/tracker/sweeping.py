"""Removing what artifacts no longer need: contents that no manifest names, and what was left half written.

A writer that finds a content there makes it new, and whoever sweeps takes nothing that is new, so both may be at work
at once. Like `host` this uses the standard library alone and keeps to Python 3.8, for its source runs on other machines
too.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from typing import Any, Iterator

FOLDER = ".artifacts"
"""In a project's folder: contents, what is being written, and one folder an artifact."""
AGE = 24 * 3600.0
"""Seconds for which nothing is swept: somebody may be about to name it."""
VERSION = re.compile(r"v(\d{1,9})\.json")
"""The file of a version."""
MAX_MANIFEST = 64 * 1024 * 1024
"""Bytes of one; a larger one is neither written nor read."""

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{2}")


def sweep(project: str, going: list[list[str]], is_rehearsal: bool) -> tuple[int, int, str]:
    """Delete versions, and remove contents that no other manifest names and that are older than a day.

    Args:
        project: the path of a project's folder.
        going: the versions to delete: the name of an artifact's folder and that of the version's file.
        is_rehearsal: only tell what would be removed.

    Returns:
        How many contents were removed, their bytes, and "" or what went wrong; of a manifest that cannot be read now it
        is not known what it names, so nothing is removed then.
    """
    folder = os.path.join(project, FOLDER)
    if os.path.islink(folder) or not os.path.isdir(folder):
        return 0, 0, ""
    leaving = {(name, file) for name, file in going if VERSION.fullmatch(file) and os.sep not in name}
    try:
        if not is_rehearsal:
            for name, file in sorted(leaving):
                bury(folder, name, file)
        named = _named(folder, leaving)
        count, size = 0, 0
        before = time.time() - AGE
        for path, status in _old_contents(os.path.join(folder, "blobs"), before):
            digest = os.path.basename(path)
            if digest.encode() not in named and (is_rehearsal or _take(folder, path, before)):
                count, size = count + 1, size + status.st_size
        if not is_rehearsal:
            for path, _ in _old(os.path.join(folder, "tmp"), before):
                if path.endswith(".part"):
                    os.unlink(path)
    except OSError as error:
        return 0, 0, "%s: %s" % (error.strerror, error.filename)
    return count, size, ""


def bury(folder: str, name: str, file: str) -> None:
    """Let a version be no more; its file stays, so that its number is never given again.

    Args:
        folder: the path of `FOLDER`.
        name: the name of the artifact's folder.
        file: that of the version's file.

    Raises:
        OSError: it cannot be written.
    """
    place = os.path.join(folder, name)
    if os.path.islink(folder) or os.path.islink(place):
        raise OSError(0, "is a link", place)
    temporary = os.path.join(folder, "tmp", "%s-%d-%s.part" % (os.uname().nodename, os.getpid(), os.urandom(4).hex()))
    os.makedirs(os.path.dirname(temporary), exist_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        os.write(descriptor, json.dumps({"deleted": True}).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, os.path.join(place, file))


def _named(folder: str, leaving: set[Any]) -> set[bytes]:
    """Whatever looks like a digest in any manifest but those that go: so what is damaged keeps its contents."""
    named: set[bytes] = set()
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for name in names:
        for file in os.listdir(os.path.join(folder, name)):
            if VERSION.fullmatch(file) and (name, file) not in leaving:
                path = os.path.join(folder, name, file)
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                with open(descriptor, "rb") as manifest:
                    if stat.S_ISREG(os.fstat(descriptor).st_mode):
                        named.update(_DIGEST.findall(manifest.read(MAX_MANIFEST + 1)))
    return named


def _old_contents(folder: str, before: float) -> Iterator[tuple[str, os.stat_result]]:
    """The contents that have not changed since a time."""
    if os.path.isdir(folder) and not os.path.islink(folder):
        with os.scandir(folder) as entries:
            inner = sorted(e.path for e in entries if _HEX.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
        for path in inner:
            yield from _old(path, before)


def _old(folder: str, before: float) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files of a folder that have not changed since a time."""
    if not os.path.isdir(folder) or os.path.islink(folder):
        return
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        with contextlib.suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                yield entry.path, status


def _take(folder: str, path: str, before: float) -> bool:
    """Remove a content unless a writer has made it new: it is put aside first, where no writer finds it any more."""
    aside = os.path.join(folder, "tmp", os.path.basename(path) + ".part")
    os.makedirs(os.path.dirname(aside), exist_ok=True)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    if os.lstat(aside).st_mtime >= before:
        os.rename(aside, path)
        return False
    os.unlink(aside)
    return True
