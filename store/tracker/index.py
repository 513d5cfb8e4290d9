"""What the runs of a root were that have ended, kept for the next time it is opened.

It is derived, belongs to one user, and may be deleted at any time. An entry holds for a journal of exactly the size and
mtime it was made from; a line with a wrong checksum, and the index of another version of this library, count for
nothing. So the worst that can happen is that journals are opened, as if there were no index.

    index-<hash of version and root>    in `cache.folder()`; version and root, then an entry a line
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

import orjson

from tracker import __version__, cache
from tracker.lookout import Known, Place, Sight
from tracker.stored import StoredRun

LEAST: Final = 300
"""Runs that have ended below which opening them is quick enough."""
MOST: Final = 64 << 20
"""Bytes; runs for which there is no room are opened each time."""
VERSION: Final = f"2 {__version__}"


class Entry(NamedTuple):
    """What was kept of one journal."""

    project: str
    """The folder's name."""
    name: str
    """The journal's."""
    known: Known
    run: Any
    """For `StoredRun.load`."""


class Index:
    """The index of one root.

    Args:
        root: the folder of projects.
        project: of these runs alone, by the name of the folder; default all.
    """

    def __init__(self, root: str, project: str | None = None) -> None:
        root = os.path.realpath(root)
        self._head = orjson.dumps([VERSION, root.encode("utf-8", "replace").decode()])
        self._only = b"["
        if project is not None:
            try:
                self._only = b"[%b," % orjson.dumps(project)
            except TypeError:  # a name that is no UTF-8, of which nothing is kept
                self._only = b"-"
        self._file = cache.File("index", VERSION, root)
        self._new: list[bytes] = []
        self._size = 0
        """Bytes of the file, 0 while it has to be begun."""

    def read(self) -> Iterator[Entry]:
        """All entries that hold together; of several for one journal the last one counts."""
        file = self._file.open()
        if file is None:
            return
        places: set[Place] = set()
        with file, suppress(OSError):
            if cache.unseal(file.readline()) != self._head:
                return
            lines = 0
            for line in file:
                lines += 1
                content = cache.unseal(line)
                if not content.startswith(self._only):
                    continue
                try:
                    project, name, known, run = orjson.loads(content)
                    entry = Entry(project, name, Known(*known), run)
                except (ValueError, TypeError):
                    continue
                places.add((project, name))
                yield entry
            self._size = file.tell()
        if self._only == b"[" and lines > 2 * len(places) + LEAST:  # most of it was replaced: begin anew next time
            self._file.remove()

    def add(self, sight: Sight, run: StoredRun) -> None:
        """Keep a run that has ended, as its journal alone tells it; none of a damaged one, which may be healed."""
        dumped = run.dump() if not run.bad_lines else None
        if dumped is None:
            return
        known = [sight.offset, sight.mark, True, sight.mtime]
        try:
            self._new.append(cache.seal(orjson.dumps([sight.project, sight.name, known, dumped])))
        except TypeError:  # nested deeper than it writes
            return

    def save(self) -> None:
        """Write what was added."""
        if not self._new or (not self._size and len(self._new) < LEAST):
            return
        new, self._new = b"".join(self._new), []
        if not self._size:
            head = cache.seal(self._head)
            self._file.replace([head, new])
            self._size = len(head) + len(new)
            return
        self._size += len(new)
        if self._size <= MOST:
            self._file.append(new)
        else:  # much of it may be of runs that are gone: begin anew next time
            self._file.remove()
