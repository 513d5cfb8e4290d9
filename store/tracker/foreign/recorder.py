"""Writes what a reader of another format finds as a journal of ours, piece by piece.

Each piece is one write, and its last line says how far the reading got:

    {"_type": "converted", "position": {...}, "files": [[size, mtime in ns, inode], ...]}

So a journal tells by itself where to go on, also after its writer was killed, and there is no second file that could
say something else. A line that is no record stands for what was damaged there: it is counted like any other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from tracker import host, layout, records
from tracker.foreign.origin import Files, Origin, sound
from tracker.journal import decode_lines
from tracker.lines import open_lines, record_of
from tracker.media import Medium
from tracker.pages import FILE as CONSOLE
from tracker.records import CONVERTED, Record
from tracker.references import MAX_LIST, is_media_path
from tracker.replay import MAX_STEP, RunState

CHECKPOINT: Final = 32 * 1024
"""Bytes of rows after which the state is repeated; or 8 times the last checkpoint, if that is more."""
MAX_TEXT: Final = 10_000
"""Characters of a value that is a text."""
MAX_MEDIUM: Final = 64 << 20
"""Bytes of a medium; a larger one is said to be left out."""
MAX_MEDIA: Final = 1 << 30
"""Bytes of all media of a run."""
MAX_COLUMNS: Final = 10_000
"""Metrics of one row."""
TAIL: Final = 64 * 1024


@dataclass
class Identity:
    """Who a run is, as far as its format tells."""

    id: str
    project: str
    name: str
    created: float
    """Seconds since the epoch."""
    facts: Record = field(default_factory=dict)
    """More for `start`: entity, group, tags, config, host ..."""


class Recorder:
    """The journal of one run that is being read.

    Args:
        path: the journal.
        state: what it holds so far.
        lines: of the console so far.
    """

    def __init__(self, path: str, state: RunState, lines: int = 0) -> None:
        self.path = path
        self.state = state
        self.rows = 0
        """That were added here."""
        self.damaged = 0
        """What could not be read, as far as it was added here."""
        self.has_ended = False
        self._row: Record = {}
        self._new: list[bytes] = []
        self._end = b""
        self._console: list[bytes] = []
        self._lines = lines
        self._since = 0
        self._limit = CHECKPOINT
        self._media = 0

    @classmethod
    def create(
        cls,
        root: str,
        identity: Identity,
        origin: Origin,
        handed_on: RunState | None = None,
        imported: float | None = None,
    ) -> Recorder:
        """Begin a journal; nothing is on disk before `flush`.

        Args:
            root: the folder of projects.
            identity: who it is.
            origin: where it is from.
            handed_on: the state of the journal that this one goes on from.
            imported: when it was made a run of one's own; None: it is to be looked at alone.

        Raises:
            OSError: its folder cannot be made.
        """
        folder = os.path.join(root, layout.file_name(identity.project) or layout.DEFAULT_PROJECT)
        os.makedirs(folder, 0o700, exist_ok=True)
        names = layout.segment_names(identity.id, min(max(identity.created, 0.0), 4e9))
        path = next(path for name in names if not os.path.lexists(path := os.path.join(folder, name)))
        start: Record = {
            "_type": records.START,
            "_timestamp": identity.created,
            "format": records.FORMAT,
            "id": sound(identity.id),
            "project": sound(identity.project),
            "name": records.clean(identity.name),
            **records.plain(identity.facts)[0],
            "origin": {**origin.record(), **({"imported": imported} if imported is not None else {})},
        }
        if handed_on is not None:
            start |= {"resumed": True, "created": handed_on.created}
            start["state"] = records.plain(handed_on.handed_on())[0]
        recorder = cls(path, RunState(identity.id, identity.project, identity.created))
        recorder._add(start)
        return recorder

    @classmethod
    def reopen(cls, path: str) -> tuple[Recorder, Record] | None:
        """Go on with a journal, and what its last `converted` says; None where it cannot be."""
        size = host.size_of(path)
        if not size:
            return None
        head, data, _ = open_lines(path, size)
        start = record_of(head)
        created = start.get("_timestamp")
        state = RunState(str(start.get("id")), str(start.get("project")), created if type(created) is float else 0.0)
        found = decode_lines(data)[0]
        for record in found:
            state.apply(record)
        where, position = last_converted(path, size)
        if position is None:
            return None
        rest = (host.read(path, where, TAIL) or b"").replace(_BEAT, b"")
        if rest and not state.ended:  # its writer was killed; what follows is read once more
            with suppress(OSError):
                os.truncate(path, where)
        lines = position.get("lines")
        recorder = cls(path, state, lines if type(lines) is int else 0)
        recorder.has_ended = state.ended
        return recorder, position

    @property
    def folder(self) -> str:
        """Of its media and console; it may not exist."""
        return self.path.removesuffix(".jsonl")

    # ---- what a reader says ----

    def row(self, step: int, time: float | None, values: Mapping[str, Any]) -> None:
        """Values of one step; those of one step that come together become one row."""
        row = self._row
        if row and (row["_step"] != step or not row.keys().isdisjoint(values) or len(row) > MAX_COLUMNS):
            self._end_row()
            row = self._row
        if not row:
            row["_step"] = step if -MAX_STEP < step < MAX_STEP else 0
            if time is not None:
                row["_timestamp"] = time
        for key, value in values.items():
            if key in records.RESERVED:
                key = f"_{key}"
            if type(value) is float:
                row[key] = value if value - value == 0.0 else records.non_finite(value)
            else:
                row[key] = value if type(value) is int and -(2**63) <= value < 2**63 else self._value(value)

    def _value(self, value: Any) -> Any:
        if type(value) is str:
            return sound(value[:MAX_TEXT])
        if isinstance(value, Medium):
            return self._keep(value)
        if type(value) is list and value and isinstance(value[0], Medium):
            return [self._keep(each) for each in value[:MAX_LIST] if isinstance(each, Medium)]
        return records.plain(value)[0]

    def _keep(self, medium: Medium) -> Record:
        """Put a medium into the run's folder; what is to be written of it."""
        if self._media > MAX_MEDIA:
            return {"_type": f"{medium.kind}-file", "trouble": "left out: there are more than 1 GiB of them"}
        kept = medium.keep(self.folder, lambda _: None)
        self._media += kept.get("size", 0)
        plain: Record = records.plain(kept)[0]
        return plain

    def config(self, values: Mapping[str, Any]) -> None:
        """Config that came after the start."""
        new = {key: value for key, value in values.items() if self.state.config.get(key) != value}
        if new:
            self._add({"_type": records.CONFIG, "config": records.plain(new)[0]})

    def summary(self, values: Mapping[str, Any]) -> None:
        """Summary values that were set."""
        self._end_row()
        if values:
            self._add({"_type": records.UPDATE, "summary": records.plain(values)[0]})

    def add(self, record: Record) -> None:
        """Any other record of ours."""
        self._add(records.plain(record)[0])

    def say(self, stream: str, time: float | None, text: str) -> None:
        """A line that was printed."""
        line = {"_timestamp": time, "_step": self.state.step, "line": self._lines, "stream": stream}
        self._console.append(orjson.dumps({**line, "text": sound(records.clean(text, MAX_TEXT))}) + b"\n")
        self._lines += 1

    def file(self, kind: str, folder: str, path: str, name: str, facts: Mapping[str, Any]) -> Record:
        """The value of a row for a medium that lies in a file: it is copied below the run's `media/`.

        Args:
            kind: its `_type`.
            folder: that it must lie in, whatever the path says.
            path: where it is, below that folder.
            name: where it goes, below the run's folder; it begins with `media/`.
            facts: what else is known.
        """
        found = os.path.realpath(os.path.join(folder, path))
        is_within = found.startswith(os.path.realpath(folder) + os.sep) and is_media_path(name)
        size = host.size_of(found) if is_within else None
        if size is None or size > MAX_MEDIUM or self._media + size > MAX_MEDIA:
            return {**facts, "_type": kind, "trouble": "not there" if size is None else "too large to be kept here"}
        self._media += size
        target = os.path.join(self.folder, *name.split("/"))
        try:
            os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
            with open(f"{target}.part", "wb") as file:
                file.write(host.read(found, 0, MAX_MEDIUM) or b"")
            os.replace(f"{target}.part", target)
        except OSError as error:
            return {**facts, "_type": kind, "trouble": str(error.strerror)}
        return {**facts, "_type": kind, "path": name, "size": size}

    def bad(self, what: str, count: int = 1) -> None:
        """Something there was damaged and is passed over."""
        self.damaged += count
        self._end_row()
        line = f"damaged: {records.clean(what, 200)}\n".encode("utf-8", "replace")
        self._new += [line] * min(count, 1000)

    def end(self, time: float | None, **how: Any) -> None:
        """The run is over: `exit_code`, `exception`."""
        self._end_row()
        self.has_ended = True
        self._end = self._state_line({"_type": records.END, "exit_code": 0, **how}, time)

    # ---- writing ----

    def flush(self, position: Any, files: Files, mtime: float | None = None) -> int:
        """Write what was said, and how far the reading got; the bytes.

        Args:
            position: of the reader; JSON.
            files: what was read.
            mtime: the journal's, so that it is as old as what it was made from.

        Raises:
            OSError: the disk does not take it.
        """
        self._end_row()
        self._since += sum(map(len, self._new))
        if self._since > self._limit and not self.has_ended:
            line = self._state_line({"_type": records.CHECKPOINT})
            self._new.append(line)
            self._since, self._limit = 0, max(CHECKPOINT, 8 * len(line))
        converted = {"_type": CONVERTED, "position": position, "files": files, "lines": self._lines}
        self._new.append(orjson.dumps(converted) + b"\n")
        if self._console:
            os.makedirs(self.folder, 0o700, exist_ok=True)
            _append(os.path.join(self.folder, CONSOLE), b"".join(self._console))
        data = b"".join((*self._new, self._end))
        self._new, self._console, self._end = [], [], b""
        _append(self.path, data)
        if mtime is not None:
            with suppress(OSError):
                os.utime(self.path, (mtime, mtime))
        return len(data)

    def beat(self) -> None:
        """Say that the run may be going on, though nothing has come.

        Raises:
            OSError: the disk does not take it.
        """
        _append(self.path, _BEAT)

    def _end_row(self) -> None:
        if self._row:
            row, self._row = self._row, {}
            self.rows += 1
            self._add(row)

    def _add(self, record: Record) -> None:
        if "_type" in record:
            self._end_row()
        try:
            self._new.append(orjson.dumps(record) + b"\n")
        except TypeError:  # nested too deep, an integer of too many bits
            self.damaged += 1
            self._new.append(b"damaged: a value that cannot be written\n")
            return
        self.state.apply(record)

    def _state_line(self, record: Record, time: float | None = None) -> bytes:
        state = self.state.checkpoint(max(self.state.updated, time or 0.0))
        return orjson.dumps(records.plain({**state, **record})[0]) + b"\n"


def last_converted(path: str, size: int) -> tuple[int, Record | None]:
    """How far a journal was written whole, and what its last `converted` says; None where there is none."""
    length = TAIL
    while True:
        begin = max(0, size - length)
        data = host.read(path, begin, size - begin) or b""
        place = data.rfind(_CONVERTED)
        end = data.find(b"\n", place + 1) + 1
        if place >= 0 and end:
            return begin + end, record_of(data[place + 1 : end])
        if not begin or length > MAX_TAIL:
            return 0, None
        length *= 8


_BEAT: Final = b'{"_type":"heartbeat"}\n'
_CONVERTED: Final = b'\n{"_type":"converted"'
MAX_TAIL: Final = 32 << 20


def _append(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
