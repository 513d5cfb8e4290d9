"""wandb's `run-*.wandb`: what it keeps of a run, written while it is offline and also when it is not.

The file is a log of LevelDB's kind: blocks of 32 KiB, in which records of 7 bytes head (checksum, length, kind) are
whole, or cut into first, middle and last. A record is a protocol buffer (wandb/proto/wandb_internal.proto).
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tracker import host
from tracker.foreign.origin import Origin
from tracker.foreign.reading import CHUNK, MAX_DEPTH, Reader, Replaced, decode, flat
from tracker.foreign.recorder import Identity, Recorder
from tracker.records import Record

BLOCK: Final = 32768
FILE_HEAD: Final = 7
MAX_RECORD: Final = 64 << 20
MAX_PARTIAL: Final = 10_000
"""Characters of a line that is not yet whole."""
_HEAD: Final = struct.Struct("<IHB")
_CHECKED: Final = [zlib.crc32(bytes([kind])) for kind in range(5)]
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4

Fields = dict[int, list[Any]]
"""The fields of a message by number: an int, or bytes."""


class Log:
    """Turns the bytes of such a file into records, as they come.

    Args:
        offset: where to begin: that of another reader, at a record.

    Attributes:
        offset: bytes of the file whose records were given: where another reader can go on.
        bad: pieces that were damaged.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self.bad = 0
        self._at = offset
        self._data = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._is_lost = False

    def feed(self, data: bytes) -> list[bytes]:
        """The records that the next bytes of the file complete."""
        data, at, found = self._data + data, 0, []
        if not self._at:
            if len(data) < FILE_HEAD:
                self._data = data
                return []
            at = self._at = self.offset = FILE_HEAD
        while True:
            left = BLOCK - self._at % BLOCK
            if left < _HEAD.size:  # the end of a block is filled with zeros
                if len(data) - at < left:
                    break
                at, self._at = at + left, self._at + left
                self._settle()
                continue
            if len(data) - at < _HEAD.size:
                break
            checksum, length, kind = _HEAD.unpack_from(data, at)
            if length > left - _HEAD.size or not FULL <= kind <= LAST:
                if not self._skip_block(len(data) - at):
                    break
                at += left
                self._at += left
                continue
            size = _HEAD.size + length
            if len(data) - at < size:
                break
            body = data[at + _HEAD.size : at + size]
            at, self._at = at + size, self._at + size
            if zlib.crc32(body, _CHECKED[kind]) != checksum:
                self._lose()
                continue
            record = self._take(kind, body)
            if record is not None:
                found.append(record)
        self._data = data[at:]
        return found

    def _take(self, kind: int, body: bytes) -> bytes | None:
        """The record that a piece completes."""
        if kind in (FULL, FIRST):
            if self._parts:
                self.bad += 1
            self._parts, self._size, self._is_lost = [], 0, False
        elif not self._parts:
            if not self._is_lost:
                self._lose()
            return None
        self._parts.append(body)
        self._size += len(body)
        if self._size > MAX_RECORD:
            self._lose()
            return None
        if kind not in (FULL, LAST):
            return None
        record, self._parts = b"".join(self._parts), []
        self.offset = self._at
        return record

    def _settle(self) -> None:
        if not self._parts:
            self.offset = self._at

    def _lose(self) -> None:
        """A piece is damaged, and so is the record it belongs to."""
        self.bad += not self._is_lost
        self._is_lost, self._parts, self._size = True, [], 0

    def _skip_block(self, there: int) -> bool:
        """Whether the rest of a block that makes no sense is there to be passed over."""
        if there < BLOCK - self._at % BLOCK:
            return False
        self._lose()
        return True


def fields(data: bytes) -> Fields:
    """The fields of a protocol buffer.

    Raises:
        ValueError, IndexError: it is none.
    """
    found: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: Any
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"no field is of kind {kind}")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of too many bytes")


def _text(message: Fields, number: int) -> str:
    value = message.get(number, [b""])[-1]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _number(message: Fields, number: int) -> int:
    value = message.get(number, [0])[-1]
    return value if isinstance(value, int) else 0


def _inner(message: Fields, number: int) -> Iterator[Fields]:
    for value in message.get(number, ()):
        if isinstance(value, bytes):
            yield fields(value)


def _time(message: Fields, number: int) -> float | None:
    """A google.protobuf.Timestamp."""
    for stamp in _inner(message, number):
        time = _number(stamp, 1) + _number(stamp, 2) / 1e9
        return time if 0 < time < 1e11 else None
    return None


def _items(message: Fields, number: int, value: int = 16) -> Iterator[tuple[list[str], Any]]:
    """The path of a key and its value of each item; what is no JSON is left out."""
    for item in _inner(message, number):
        path = [part.decode("utf-8", "replace") for part in item.get(2, ()) if isinstance(part, bytes)]
        try:
            yield path or [_text(item, 1)], decode(_text(item, value))
        except ValueError:
            continue


def _joined(items: Iterator[tuple[list[str], Any]]) -> Record:
    """Items as one mapping, nested as their paths say."""
    found: Record = {}
    for path, value in items:
        inner = found
        for part in path[: min(len(path) - 1, MAX_DEPTH)]:
            within = inner.setdefault(part, {})
            if not isinstance(within, dict):
                within = inner[part] = {}
            inner = within
        inner[path[-1]] = value
    return found


def _is_odd(value: Any) -> bool:
    """Whether it is a medium, or what `define_metric` makes of a metric."""
    return isinstance(value, dict) and ("_type" in value or not value.keys() - {name for name, _ in FLAGS})


# ---- a run ----

RUN: Final = 17
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
STREAMS: Final = ("stderr", "stdout")
START_TEXTS: Final = (("entity", 2), ("group", 6), ("job_type", 7), ("notes", 9), ("host", 13))
SURROUNDINGS: Final = (("os", 1), ("python", 2), ("program", 6), ("user", 13), ("host", 12))
FLAGS: Final = (("min", 1), ("max", 2), ("mean", 3), ("best", 4), ("last", 5), ("none", 6), ("first", 8))
KEPT_OUT: Final = frozenset({"_wandb", "_runtime", "_step", "_timestamp"})


class OfflineReader(Reader):
    """One such file.

    Args:
        origin: the file.
        files: the same.
        position: of an earlier reader.
    """

    def __init__(self, origin: Origin, files: Sequence[str], position: Any, project: str, name: str) -> None:
        self._origin, self._path, self._project, self._name = origin, files[0], project, name
        known = position if isinstance(position, dict) else {}
        self._log = Log(known.get("offset", 0))
        self._fed = self._log.offset
        self._partial: dict[str, str] = known.get("partial", {})
        self._code: int | None = known.get("exit_code")
        self._over: float | None = None
        self._set: Record = {}
        """Summary values that no row has repeated."""
        self._told = 0

    @property
    def position(self) -> Any:
        """As `reading.Reader`."""
        return {"offset": self._log.offset, "partial": self._partial, "exit_code": self._code}

    def identify(self) -> Identity | None:
        """As `reading.Reader`: what the first record of a run says."""
        log = Log()
        data = host.read(self._path, 0, CHUNK) or b""
        for record in log.feed(data):
            try:
                for run in _inner(fields(record), RUN):
                    return self._identity(run)
            except (ValueError, IndexError):
                continue
        return None

    def _identity(self, run: Fields) -> Identity:
        facts: Record = {name: text for name, number in START_TEXTS if (text := _text(run, number))}
        facts["tags"] = [tag.decode("utf-8", "replace") for tag in run.get(10, ()) if isinstance(tag, bytes)]
        facts["joins"] = True  # a run that was resumed has another such file
        facts["config"] = self._config(run, 4)
        for git in _inner(run, 21):
            facts["git"] = _text(git, 2)
        run_id = _text(run, 1) or self._origin.id
        created = _time(run, 17) or 0.0
        return Identity(run_id, _text(run, 3) or self._project, _text(run, 8) or run_id, created, facts)

    def _config(self, message: Fields, number: int) -> Record:
        found: Record = {}
        for config in _inner(message, number):
            found |= {".".join(path): value for path, value in _items(config, 1) if path[0] not in KEPT_OUT}
        return found

    def read(self, to: Recorder) -> bool:
        """As `reading.Reader`."""
        size = host.size_of(self._path)
        if size is not None and size < self._fed:
            raise Replaced
        data = host.read(self._path, self._fed, CHUNK) or b""
        self._fed += len(data)
        for record in self._log.feed(data):
            try:
                self._take(record, to)
            except (ValueError, IndexError, OverflowError):
                self._log.bad += 1
        if self._log.bad > self._told:
            to.bad(f"records of {os.path.basename(self._path)}", self._log.bad - self._told)
            self._told = self._log.bad
        is_behind = len(data) == CHUNK
        to.summary({key: value for key, value in self._set.items() if to.state.summary.get(key) != value})
        self._set = {}
        if self._code is not None and not is_behind:
            to.end(self._over, exit_code=self._code)
        return is_behind

    def _take(self, record: bytes, to: Recorder) -> None:
        message = fields(record)
        for number, take in _TAKERS.items():
            for inner in _inner(message, number) if number in message else ():
                take(self, inner, to)

    def _history(self, history: Fields, to: Recorder) -> None:
        row: Record = {}
        step, time = next((_number(each, 1) for each in _inner(history, 2)), 0), None
        for key, value in _joined(_items(history, 1)).items():
            if key == "_step":
                step = value if type(value) is int else step
            elif key == "_timestamp":
                time = value if type(value) in (int, float) else None
            elif key not in KEPT_OUT:
                row |= self._values(key, value, to)
        for key in row:
            self._set.pop(key, None)
        if row:
            to.row(step, time, row)

    def _values(self, key: str, value: Any, to: Recorder) -> Record:
        if not isinstance(value, dict):
            return {key: _NON_FINITE.get(value, value) if isinstance(value, str) else value}
        kind = value.get("_type")
        if kind == "histogram":
            return {key: value}
        if isinstance(kind, str):
            return {key: self._medium(kind, value, to)}
        found: Record = {}
        for name, inner in value.items():
            found |= self._values(f"{key}.{name}", inner, to)
        return found

    def _medium(self, kind: str, value: Record, to: Recorder) -> Any:
        path = value.get("path")
        if not kind.endswith("-file") or not isinstance(path, str):
            return f"<{kind}>"
        facts = {name: value[name] for name in FACTS if isinstance(value.get(name), (str, int))}
        return to.file(kind, os.path.join(os.path.dirname(self._path), "files"), path, path, facts)

    def _summary(self, summary: Fields, to: Recorder) -> None:
        """wandb repeats each row here, before it; what remains was set by hand."""
        for key, value in _joined(_items(summary, 1)).items():
            if key not in KEPT_OUT:
                self._set |= flat({key: value}) if not _is_odd(value) else {}

    def _later_config(self, config: Fields, to: Recorder) -> None:
        to.config({".".join(path): value for path, value in _items(config, 1) if path[0] not in KEPT_OUT})

    def _metric(self, metric: Fields, to: Recorder) -> None:
        summary = [name for each in _inner(metric, 7) for name, number in FLAGS if _number(each, number)]
        options = next(_inner(metric, 6), {})
        goal = {1: "minimize", 2: "maximize"}.get(_number(metric, 8))
        name = _text(metric, 1) or _text(metric, 2)
        to.add(
            {
                "_type": "metric",
                "name": name,
                "step_metric": _text(metric, 4) or None,
                "step_sync": bool(_number(options, 1)),
                "hidden": bool(_number(options, 2)),
                "summary": summary,
                "goal": goal,
            }
        )

    def _run(self, run: Fields, to: Recorder) -> None:
        """A later one tells what was changed."""
        changed: Record = {}
        if (name := _text(run, 8)) and name != to.state.name:
            changed["name"] = name
        if (notes := _text(run, 9)) and notes != to.state.notes:
            changed["notes"] = notes
        tags = [tag.decode("utf-8", "replace") for tag in run.get(10, ()) if isinstance(tag, bytes)]
        if tags and tags != to.state.tags:
            changed["tags"] = tags
        if changed:
            to.add({"_type": "update", **changed})

    def _environment(self, environment: Fields, to: Recorder) -> None:
        found = {name: text for name, number in SURROUNDINGS if (text := _text(environment, number))}
        if found:
            to.add({"_type": "environment", **found})

    def _stats(self, stats: Fields, to: Recorder) -> None:
        numbers = {path[0]: value for path, value in _items(stats, 3) if type(value) in (int, float)}
        to.add({"_type": "system", "_timestamp": _time(stats, 2), **numbers})

    def _output(self, output: Fields, to: Recorder) -> None:
        """What was printed, in pieces as they were written."""
        stream = STREAMS[bool(_number(output, 1))]
        text = self._partial.get(stream, "") + _ANSI.sub("", _text(output, 3))
        *lines, rest = text.split("\n")
        for line in lines:
            to.say(stream, _time(output, 2), line.rstrip("\r").rpartition("\r")[2])
        self._partial = {**self._partial, stream: rest[-MAX_PARTIAL:]}

    def _alert(self, alert: Fields, to: Recorder) -> None:
        to.add({"_type": "alert", "title": _text(alert, 1), "text": _text(alert, 2), "level": _text(alert, 3)})

    def _exit(self, how: Fields, to: Recorder) -> None:
        code = _number(how, 1)
        self._code = code - (1 << 64) if code >= 1 << 63 else code
        self._over = to.state.created + _number(how, 2)


FACTS: Final = ("caption", "width", "height", "format", "ncols", "nrows")
_NON_FINITE: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_TAKERS: Final[dict[int, Callable[[OfflineReader, Fields, Recorder], None]]] = {
    2: OfflineReader._history,
    3: OfflineReader._summary,
    4: OfflineReader._output,
    13: OfflineReader._output,
    5: OfflineReader._later_config,
    7: OfflineReader._stats,
    10: OfflineReader._alert,
    12: OfflineReader._metric,
    RUN: OfflineReader._run,
    18: OfflineReader._exit,
    26: OfflineReader._environment,
}
