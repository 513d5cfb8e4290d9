"""TensorBoard's event files, read without TensorBoard.

A file is a chain of records: 8 bytes length, 4 bytes checksum of it, the event, 4 bytes checksum of that. An event is a
protocol buffer (tensorflow/core/util/event.proto and framework/summary.proto); what a `SummaryWriter` of torch,
tensorboardX or TensorFlow writes as values is taken, graphs and the like are passed over.

The checksum of each length is checked, for a wrong one would lose all that follows; that of the event is not: in plain
Python it costs more than all the rest. Where a length is damaged, the next sound one is searched for.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from tracker.histogram import MAX_BINS, Histogram
from tracker.media import Audio, Image

HEADER: Final = 12
FRAME: Final = 16
"""Bytes of a record besides the event."""
MAX_EVENT: Final = 64 << 20
"""Bytes of an event above which it is passed over."""
UNNAMED: Final = "value"
"""What a value is called whose writer gave it an empty tag."""
MAX_TAGS: Final = 100_000
"""Of how many tags it is remembered what draws them."""
MAX_DEPTH: Final = 20
"""Of lists and groups within hyperparameters."""

_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_LENGTHS: Final = struct.Struct("<QI")
_SESSION_START: Final = 3
_SESSION_END: Final = 4
_FAILED: Final = 2
_NUMBERS: Final = {1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 17: "H", 19: "e", 22: "I", 23: "Q"}
"""The dtypes of tensors, in the letters of `struct`."""
_PACKED: Final = {5: "f", 6: "d", 7: "v", 10: "v", 11: "v", 16: "v", 17: "v"}
"""The fields of a tensor that hold its numbers; `v`: as varints."""


class Event(NamedTuple):
    """What one event says."""

    time: float
    """Seconds since the epoch."""
    step: int
    values: dict[str, Any]
    """By tag: a number, a text, an `Image`, a list of them, an `Audio`, or a `Histogram`; as `Run.log` takes them."""
    config: dict[str, Any]
    """Hyperparameters."""
    exit_code: int | None
    """0 or 1, of an event that says how the run ended."""


class EventReader:
    """Turns the bytes of one event file into events, as they come.

    Args:
        offset: where to begin: that of another reader.
        plugins: what that one had learned.

    Attributes:
        offset: bytes of the file whose events were given: where another reader can go on.
        bad: records that were damaged or too large.
        plugins: which plugin draws a tag, where only its first value says so.
    """

    def __init__(self, offset: int = 0, plugins: dict[str, str] | None = None) -> None:
        self.offset = offset
        self.bad = 0
        self.plugins: dict[str, str] = plugins if plugins is not None else {}
        self._data = b""
        self._skip = 0
        self._is_lost = False

    def feed(self, data: bytes) -> list[Event]:
        """What the next bytes of the file complete; half a record is kept until its rest comes."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            self.offset += skipped
            data = data[skipped:]
        self._data += data
        data, at, events = self._data, 0, []
        while len(data) - at >= FRAME:
            length, checksum = _LENGTHS.unpack_from(data, at)
            if checksum != _masked_crc(length):
                self.bad += not self._is_lost
                self._is_lost = True
                at = _next_sound(data, at + 1)
                continue
            self._is_lost = False
            after = at + FRAME + length
            if length > MAX_EVENT:
                self.bad += 1
                self._skip = max(0, after - len(data))
                at = min(after, len(data))
                continue
            if after > len(data):
                break
            event = self._event(data, at + HEADER, after - 4)
            if event is not None:
                events.append(event)
            at = after
        self.offset += at
        self._data = data[at:]
        return events

    def parse(self, data: bytes) -> Event | None:
        """One event without its frame; None where it has no values or is damaged."""
        return self._event(data, 0, len(data))

    def _event(self, data: bytes, at: int, end: int) -> Event | None:
        try:
            return self._read(data, at, end)
        except (ValueError, struct.error, IndexError, OverflowError, RecursionError):
            self.bad += 1
            return None

    def _read(self, data: bytes, at: int, end: int) -> Event | None:
        scalar = _lone_scalar(data, at, end)
        if scalar is not None:
            return scalar
        time, step, summaries = 0.0, 0, []
        for number, start, stop in _fields(data, at, end):
            if number == 5:
                summaries.append((start, stop))
            elif number == 1 and stop - start == 8:
                (time,) = _DOUBLE.unpack_from(data, start)
            elif number == 2:
                step = _signed(_varint(data, start)[0])
        if not summaries:
            return None
        event = Event(time, step, {}, {}, None)
        for start, stop in summaries:
            for number, value_start, value_stop in _fields(data, start, stop):
                if number == 1:
                    event = self._take(data, value_start, value_stop, event)
        return event if event.values or event.config or event.exit_code is not None else None

    def _take(self, data: bytes, at: int, end: int, event: Event) -> Event:
        """Add one value of a summary."""
        tag = plugin = ""
        content: tuple[int, int] | None = None
        how: Callable[[bytes, int, int], Any] | None = None
        detail = b""
        for number, start, stop in _fields(data, at, end):
            if number == 1:
                tag = data[start:stop].decode("utf-8", "replace")
            elif number == 2 and stop - start == 4:
                how, content = _scalar, (start, stop)
            elif number == 9:
                plugin, detail = _plugin(data, start, stop)
            elif number in _READERS:
                how, content = _READERS[number], (start, stop)
        if plugin == "hparams":
            return _session(event, detail)
        if how is None or content is None:
            return event
        if how is _tensor:
            if not plugin:
                plugin = self.plugins.get(tag, "")
            elif len(self.plugins) < MAX_TAGS:
                self.plugins[tag] = plugin  # a writer may name it at a tag's first value alone
            value = _shown(plugin, _tensor(data, *content))
        else:
            value = how(data, *content)
        if value is not None:
            event.values[tag or UNNAMED] = value
        return event


# ---- protocol buffers ----


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
        shift += 7
        if shift > 63:
            raise ValueError("a number of too many bytes")


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message: number, and where the content begins and ends.

    Raises:
        ValueError, IndexError: it is no message.
    """
    while at < end:
        key = data[at]
        at += 1
        if key > 127:
            key, at = _varint(data, at - 1)
        kind = key & 7
        start = at
        if kind == 2:
            length = data[at]
            start = at = at + 1
            if length > 127:
                length, start = _varint(data, at - 1)
            at = start + length
        elif kind == 5:
            at += 4
        elif kind == 1:
            at += 8
        elif kind == 0:
            _, at = _varint(data, at)
        else:
            raise ValueError(f"no field is of kind {kind}")
        if at > end:
            raise ValueError("a field is longer than its message")
        yield key >> 3, start, at


def _lone_scalar(data: bytes, at: int, end: int) -> Event | None:
    """An event with one number, laid out as writers do; most are, and this takes half the time. None: look closely."""
    step, head = 0, at + 9
    if data[at] != 0x09:
        return None
    if data[head] == 0x10:
        step, head = _varint(data, head + 1)
        step = _signed(step)
    if end - head > 126 or data[head : head + 5 : 2] != b"\x2a\x0a\x0a" or data[head + 1] + head + 2 != end:
        return None
    tail = head + 6 + data[head + 5]  # behind the tag
    if tail + 5 != end or data[tail] != 0x15:
        return None
    tag = data[head + 6 : tail].decode("utf-8", "replace")
    (time,), (value,) = _DOUBLE.unpack_from(data, at + 1), _FLOAT.unpack_from(data, tail + 1)
    return Event(time, step, {tag: value}, {}, None)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _packed(data: bytes, start: int, stop: int, letter: str) -> list[Any]:
    """Numbers of a repeated field; `v` stands for varints."""
    if letter == "v":
        found = []
        while start < stop:
            value, start = _varint(data, start)
            found.append(_signed(value))
        return found
    return list(struct.unpack_from(f"<{(stop - start) // struct.calcsize(letter)}{letter}", data, start))


# ---- values ----


def _scalar(data: bytes, start: int, _stop: int) -> float:
    value: float = _FLOAT.unpack_from(data, start)[0]
    return value


def _image(data: bytes, start: int, stop: int) -> Image | None:
    return next((_as_image(data[a:b]) for number, a, b in _fields(data, start, stop) if number == 4), None)


def _audio(data: bytes, start: int, stop: int) -> Audio | None:
    return next((_as_audio(data[a:b]) for number, a, b in _fields(data, start, stop) if number == 4), None)


def _histogram(data: bytes, start: int, stop: int) -> Histogram | None:
    low, limits, counts = 0.0, [], []
    for number, a, b in _fields(data, start, stop):
        if number == 1 and b - a == 8:
            (low,) = _DOUBLE.unpack_from(data, a)
        elif number == 6:
            limits += _packed(data, a, b, "d")
        elif number == 7:
            counts += _packed(data, a, b, "d")
    return _as_histogram([low, *limits], counts)


def _tensor(data: bytes, start: int, stop: int) -> tuple[list[Any], tuple[int, ...]]:
    """The numbers or texts of a tensor in one row, and its shape."""
    dtype, shape, values, raw = 0, [], [], b""
    for number, a, b in _fields(data, start, stop):
        if number == 1:
            dtype = _varint(data, a)[0]
        elif number == 2:
            shape = [_size(data, c, d) for dim, c, d in _fields(data, a, b) if dim == 2]
        elif number == 4:
            raw = data[a:b]
        elif number == 8:
            values.append(data[a:b])
        elif number in _PACKED:
            values += _packed(data, a, b, _PACKED[number])
    letter = _NUMBERS.get(dtype)
    if raw and letter is not None:
        values = _packed(raw, 0, len(raw) - len(raw) % struct.calcsize("<" + letter), letter)
    return values, tuple(shape)


def _size(data: bytes, start: int, stop: int) -> int:
    return next((_signed(_varint(data, a)[0]) for number, a, _ in _fields(data, start, stop) if number == 1), 0)


_READERS: Final[dict[int, Callable[[bytes, int, int], Any]]] = {4: _image, 5: _histogram, 6: _audio, 8: _tensor}


def _shown(plugin: str, tensor: tuple[list[Any], tuple[int, ...]]) -> Any:
    """What a tensor is to be drawn as; None where nothing here can."""
    values, shape = tensor
    texts = [value for value in values if isinstance(value, bytes)]
    if plugin == "images" and len(texts) > 2:
        images = list(map(_as_image, texts[2:]))  # width and height come first
        return images[0] if len(images) == 1 else images
    if plugin == "audio" and texts:
        return _as_audio(texts[0])
    if texts:
        return "\n".join(text.decode("utf-8", "replace") for text in texts) if plugin in ("text", "") else None
    if plugin == "histograms":
        rows = [values[at : at + 3] for at in range(0, len(values) - 2, 3)]
        return _as_histogram([rows[0][0], *(row[1] for row in rows)], [row[2] for row in rows]) if rows else None
    is_one = len(values) == 1 and all(size == 1 for size in shape)
    return values[0] if is_one and plugin in ("scalars", "") else None


def _as_image(content: bytes) -> Image:
    kind = "png" if content.startswith(b"\x89PNG") else "gif" if content.startswith(b"GIF8") else "jpg"
    return Image(content, file_type=kind)


def _as_audio(content: bytes) -> Audio:
    return Audio(content)


def _as_histogram(edges: list[float], counts: list[float]) -> Histogram | None:
    """From `n + 1` edges and `n` counts; empty ends are cut off, for theirs may lie at 1e308."""
    counts = counts[: len(edges) - 1]
    first = next((index for index, count in enumerate(counts) if count), len(counts))
    last = next((index for index in range(len(counts), 0, -1) if counts[index - 1]), 0)
    if first >= last:
        return None
    counts, edges = counts[first:last], edges[first : last + 1]
    while len(counts) > MAX_BINS:
        counts = [sum(counts[at : at + 2]) for at in range(0, len(counts), 2)]
        edges = [*edges[:-1:2], edges[-1]]
    return Histogram(np_histogram=(counts, edges))


# ---- hyperparameters ----


def _plugin(data: bytes, start: int, stop: int) -> tuple[str, bytes]:
    """The name of the plugin that draws a value, and what it keeps there."""
    for number, a, b in _fields(data, start, stop):
        if number == 1:
            found = {inner: data[c:d] for inner, c, d in _fields(data, a, b)}
            return found.get(1, b"").decode("utf-8", "replace"), found.get(2, b"")
    return "", b""


def _session(event: Event, detail: bytes) -> Event:
    """Take what the plugin for hyperparameters says (tensorboard/plugins/hparams/plugin_data.proto)."""
    for number, start, stop in _fields(detail, 0, len(detail)):
        if number == _SESSION_START:
            for inner, a, b in _fields(detail, start, stop):
                if inner == 1:
                    _entry(detail, a, b, event.config)
        elif number == _SESSION_END:
            status = [_varint(detail, a)[0] for inner, a, _ in _fields(detail, start, stop) if inner == 1]
            event = event._replace(exit_code=int(status[:1] == [_FAILED]))
    return event


def _entry(data: bytes, start: int, stop: int, into: dict[str, Any], depth: int = 0) -> None:
    """One name and its google.protobuf.Value."""
    name, value = "", None
    for number, a, b in _fields(data, start, stop):
        if number == 1:
            name = data[a:b].decode("utf-8", "replace")
        elif number == 2:
            value = _value(data, a, b, depth)
    into[name] = value


def _value(data: bytes, start: int, stop: int, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("hyperparameters are nested too deeply")
    for number, a, b in _fields(data, start, stop):
        if number == 2:
            return _DOUBLE.unpack_from(data, a)[0]
        if number == 3:
            return data[a:b].decode("utf-8", "replace")
        if number == 4:
            return bool(_varint(data, a)[0])
        if number == 5:
            group: dict[str, Any] = {}
            for inner, c, d in _fields(data, a, b):
                if inner == 1:
                    _entry(data, c, d, group, depth + 1)
            return group
        if number == 6:
            return [_value(data, c, d, depth + 1) for inner, c, d in _fields(data, a, b) if inner == 1]
    return None


# ---- checksums ----


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE: Final = _crc_table()


@functools.lru_cache(4096)
def _masked_crc(length: int) -> int:
    """CRC-32C of a length as TFRecord writes it; most events are as long as others."""
    crc = 0xFFFFFFFF
    for byte in length.to_bytes(8, "little"):
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _next_sound(data: bytes, at: int) -> int:
    """Where the next record may begin: a length with its checksum; else near the end, for the rest is to come."""
    while at <= len(data) - HEADER:
        at = data.find(b"\0\0\0\0", at + 4) - 4  # the upper half of any length there is
        if at < 0 or at > len(data) - HEADER:
            break
        length, checksum = _LENGTHS.unpack_from(data, at)
        if length <= MAX_EVENT and checksum == _masked_crc.__wrapped__(length):
            return at
        at += 1
    return max(0, len(data) - HEADER + 1)
