"""What all readers of other formats share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from tracker.foreign.recorder import Identity, Recorder

CHUNK: Final = 1 << 18
"""Bytes that are read at a time."""
MAX_DEPTH: Final = 8


class Replaced(Exception):  # noqa: N818 - a file that was written anew is no error
    """What was read before is no longer what is there: read it anew."""


class Reader(Protocol):
    """Reads one run, piece by piece."""

    exit_code: int = 0
    """How it ended, as far as was read, of a format that says so without saying when."""

    def identify(self) -> Identity | None:
        """Who it is; None while too little is there to tell."""

    def read(self, to: Recorder) -> bool:
        """Read a piece; whether more is there at once.

        Raises:
            Replaced: what was read before has changed.
        """

    def rest(self, to: Recorder) -> None:
        """Write what may be whole though its end is missing: nothing more is expected. The position stays."""
        return  # most formats tell what is whole

    @property
    def position(self) -> Any:
        """How far it is, as JSON; with that, and for the same files, another reader goes on."""


def decode(text: bytes | str) -> Any:
    """JSON, also with the NaN and Infinity that Python writes.

    Raises:
        ValueError: it is none, or nested too deep.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        if b"N" not in text and b"I" not in text if isinstance(text, bytes) else "N" not in text and "I" not in text:
            raise
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def flat(values: Mapping[str, Any], prefix: str = "", depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Numbers and texts by their dotted names; what is a list or nothing is left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and depth:
            found |= flat(value, f"{prefix}{name}.", depth - 1)
        elif isinstance(value, (int, float, str)):
            found[f"{prefix}{name}"] = value
    return found


def moment(value: Any) -> float | None:
    """Seconds since the epoch of a number or an ISO date that may be one; None of any other value."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value[:40])
        except ValueError:
            return None
        value = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    if type(value) not in (int, float) or not math.isfinite(value):
        return None
    return float(value) if 3e8 < value < 1e11 else None


def whole(value: Any) -> int | None:
    """A step; None of what is none."""
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if type(value) is int and abs(value) < 2**53 else None
