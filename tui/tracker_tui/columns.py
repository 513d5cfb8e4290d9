"""The columns of a long history and its media, kept for the next time its run is opened.

They are derived, belong to one user, and may be deleted at any time. They hold as far as their journals were read, if
these begin and go on as they did then: the first line and the last 4 KiB that were read must be the same, and a
journal that has not grown must have its old mtime. A checksum tells a damaged file.

    columns-<hash of version, folder, journals>    in `tracker.cache.folder()`: a line of JSON, then arrays of doubles
"""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Final, NamedTuple

import orjson

from tracker import cache, host
from tracker.history import Column, History, MediaColumn
from tracker.lines import first_line

MOST: Final = 256 << 20
"""Bytes of one file."""
VERSION: Final = f"2 {sys.byteorder}"
TAIL: Final = 4096
MAX_HEAD: Final = 1 << 24
"""Bytes of the JSON, which has the media."""


class Kept(NamedTuple):
    """A history and how far each of its journals was read for it."""

    history: History
    offsets: list[int]


class KeptColumns:
    """The kept columns of one history.

    Args:
        folder: of the project.
        journals: names of the journals that hold it, each with the last step to take from it; the oldest first.
    """

    def __init__(self, folder: str, journals: Sequence[tuple[str, float]]) -> None:
        self._folder = os.path.realpath(folder)
        self._journals = list(journals)
        self._file = cache.File("columns", VERSION, self._folder, *(f"{name} {last}" for name, last in journals))

    def load(self) -> Kept | None:
        """The history as it was kept; None where nothing holds."""
        file = self._file.open()
        if file is None:
            return None
        with file:
            try:
                return self._load(file)
            except (OSError, ValueError, TypeError, KeyError, EOFError):
                self._file.remove()
                return None

    def _load(self, file: BinaryIO) -> Kept | None:
        told = orjson.loads(cache.unseal(file.readline(MAX_HEAD)))
        if not all(self._is_as_it_was(*read) for read in told["read"]):
            return None
        arrays: list[array[float]] = []
        for size, checksum in told["arrays"]:
            values = array("d", (0.0,)) * size  # at once as large as it will be
            file.readinto(memoryview(values))  # type: ignore[attr-defined]
            if zlib.crc32(values) != checksum:
                raise ValueError("damaged")
            arrays.append(values)
        history = History()
        taken: set[int] = set()

        def column(steps: int, values: int) -> Column:
            found = Column()
            found.steps = arrays[steps] if steps not in taken else array("d", arrays[steps])  # shared in the file only
            taken.add(steps)
            found.values = arrays[values] if values not in taken else array("d", arrays[values])
            taken.add(values)
            return found

        history.times, history.system_times = column(*told["times"]), column(*told["system_times"])
        history.columns = {name: column(*places) for name, places in told["columns"]}
        history.system = {name: column(*places) for name, places in told["system"]}
        history.media = {name: MediaColumn.load(dumped) for name, dumped in told["media"]}
        return Kept(history, [offset for _, offset, *_ in told["read"]])

    def save(self, history: History, offsets: Iterable[int]) -> None:
        """Keep a history.

        Args:
            history: all of it.
            offsets: how far its journals were read.
        """
        arrays: list[array[float]] = []
        sums: list[int] = []

        def place(values: array[float]) -> int:
            checksum = zlib.crc32(values)
            for index, known in enumerate(arrays[:2]):  # most columns have the steps of all rows
                if checksum == sums[index] and known.tobytes() == values.tobytes():
                    return index
            arrays.append(values)
            sums.append(checksum)
            return len(arrays) - 1

        def places(column: Column) -> list[int]:
            return [place(column.steps), place(column.values)]

        told: dict[str, Any] = {
            "read": [
                [name, offset, *self._mark(name, offset)]
                for (name, _), offset in zip(self._journals, offsets, strict=True)
            ],
            "times": places(history.times),
            "columns": [[name, places(column)] for name, column in history.columns.items()],
            "system_times": places(history.system_times),
            "system": [[name, places(column)] for name, column in history.system.items()],
            "media": [[name, column.dump()] for name, column in history.media.items()],
        }
        told["arrays"] = [[len(values), checksum] for values, checksum in zip(arrays, sums, strict=True)]
        head = cache.seal(orjson.dumps(told))
        if len(head) > MAX_HEAD or sum(len(values) for values in arrays) * 8 > MOST:
            return
        self._file.replace([head, *arrays])

    def _mark(self, name: str, offset: int) -> tuple[float, int, int]:
        """A journal's mtime, and what tells it from another up to an offset."""
        path = os.path.join(self._folder, name)
        entry = host.entry_of(*os.path.split(self._folder), name)
        begin = max(0, offset - TAIL)
        tail = host.read(path, begin, offset - begin) or b""
        return entry.mtime if entry is not None else 0.0, zlib.crc32(first_line(path)), zlib.crc32(tail)

    def _is_as_it_was(self, name: str, offset: int, mtime: float, *marks: int) -> bool:
        mtime_now, *marks_now = self._mark(name, offset)
        size = host.size_of(os.path.join(self._folder, name)) or 0
        return tuple(marks_now) == marks and (size > offset or (size == offset and mtime_now == mtime))
