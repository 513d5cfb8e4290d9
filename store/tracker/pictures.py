"""Arrays as pictures: numbers to bytes of colour, and those to PNG, animated where there are several.

Written with the standard library, since a script that logs arrays need not have an image library. numpy is the
caller's: whoever passes an array has it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

COLOUR_TYPES: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for as many channels: grey, grey and alpha, RGB, RGBA."""
MAX_SIDE: Final = 1 << 15
"""Pixels of one side."""
COLUMNS: Final = 8
"""Pictures of a batch that stand beside each other."""
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_LEVEL: Final = 3
"""Of compression: with rows told by their differences, little more is gained by more, and it takes long."""
_UP: Final = 2
"""PNG's filter in which a row is its difference to the one above."""


def as_array(value: Any) -> Any:
    """An array of numpy: of numpy, torch, jax or tensorflow, or nested lists.

    Raises:
        TypeError: it is none.
    """
    import numpy

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
    array = numpy.asarray(value)
    if array.dtype.kind not in "buif":
        if "bfloat" in str(array.dtype):  # of jax
            return array.astype(numpy.float32)
        raise TypeError(f"{type(value).__name__} is no array of numbers")
    return array


def is_channels_first(value: Any) -> bool:
    """Whether a picture's channels come first, as in torch."""
    return type(value).__module__.split(".")[0] == "torch"


def pixels(array: Any, channels_first: bool = False, normalize: bool = True) -> Any:
    """One picture as bytes of colour: (height, width, channels).

    Args:
        array: (height, width), (height, width, channels) or, with `channels_first`, (channels, height, width); batches
            of those become one picture of several.
        channels_first: how torch has it.
        normalize: spread floats of 0 to 1, and of -1 to 1, over 0 to 255.

    Raises:
        ValueError: it has another shape, or is too large.
    """
    return (
        _sheet(frames(array, channels_first, normalize))
        if array.ndim == 4
        else _picture(_colours(array, normalize), channels_first)
    )


def frames(array: Any, channels_first: bool, normalize: bool = True) -> list[Any]:
    """Several pictures of one array, as `pixels` has one; what is spread, is in all alike.

    Raises:
        ValueError: as for one, or there is none.
    """
    if not len(array):
        raise ValueError("there is no picture in it")
    return [_picture(part, channels_first) for part in _colours(array, normalize)]


def _picture(array: Any, channels_first: bool) -> Any:
    while array.ndim > 3 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    if array.ndim == 3 and channels_first and array.shape[0] in COLOUR_TYPES:
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in COLOUR_TYPES:
        raise ValueError(f"an array of shape {array.shape} is no picture: (height, width[, 1 to 4 channels]) is")
    if not all(0 < side <= MAX_SIDE for side in array.shape[:2]):
        raise ValueError(f"a picture has 1 to {MAX_SIDE} pixels a side, not {array.shape[1]}x{array.shape[0]}")
    return array


def finite(array: Any) -> Any:
    """Floats with 0 for NaN and very large numbers for infinities."""
    import numpy

    return numpy.nan_to_num(array.astype(numpy.float64))


def _colours(array: Any, normalize: bool) -> Any:
    """Bytes: floats within 0 to 1, or -1 to 1, are spread over 0 to 255, and so are booleans; all else is clipped."""
    import numpy

    if array.dtype == bool:
        return array.astype(numpy.uint8) * 255
    if array.dtype.kind == "f" and array.size:
        least, most = numpy.nanmin(array), numpy.nanmax(array)
        array = numpy.nan_to_num(array.astype(numpy.float32), posinf=255.0, neginf=-1.0)
        if normalize and least >= -1 and most <= 1:
            array = array * 255.0 if least >= 0 else (array + 1.0) * 127.5
    return array if array.dtype == numpy.uint8 else array.clip(0, 255).astype(numpy.uint8)


def _sheet(parts: list[Any]) -> Any:
    """Pictures of one size in rows of `COLUMNS`."""
    import numpy

    gap = (-len(parts)) % min(COLUMNS, len(parts))
    parts += [numpy.zeros_like(parts[0])] * gap
    columns = min(COLUMNS, len(parts))
    rows = [numpy.concatenate(parts[at : at + columns], axis=1) for at in range(0, len(parts), columns)]
    return numpy.concatenate(rows, axis=0)


def png(picture: Any) -> bytes:
    """A picture of `pixels` as a PNG file."""
    return b"".join([_SIGNATURE, _header(picture), _chunk(b"IDAT", _packed(picture)), _chunk(b"IEND", b"")])


def animation(frames: list[Any], fps: float) -> bytes:
    """Pictures of one shape as an animated PNG that begins again at its end.

    Args:
        frames: at least one, of `pixels`.
        fps: frames a second.
    """
    control = _chunk(b"acTL", struct.pack(">II", len(frames), 0))
    return b"".join([_SIGNATURE, _header(frames[0]), control, *_frames(frames, fps), _chunk(b"IEND", b"")])


def _frames(frames: list[Any], fps: float) -> Iterator[bytes]:
    height, width, _ = frames[0].shape
    delay = max(1, min(65535, round(1000 / fps)))
    number = 0
    for index, frame in enumerate(frames):
        yield _chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, delay, 1000, 0, 0))
        number += 1
        if index == 0:
            yield _chunk(b"IDAT", _packed(frame))
        else:
            yield _chunk(b"fdAT", struct.pack(">I", number) + _packed(frame))
            number += 1


def _header(picture: Any) -> bytes:
    height, width, channels = picture.shape
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0))


def _packed(picture: Any) -> bytes:
    import numpy

    rows = numpy.ascontiguousarray(picture).reshape(picture.shape[0], -1)
    filtered = numpy.empty((rows.shape[0], rows.shape[1] + 1), numpy.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    numpy.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return zlib.compress(filtered.tobytes(), _LEVEL)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
