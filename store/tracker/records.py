"""The vocabulary on disk: every kind of line in a journal, and how values become JSON and come back.

A journal is JSON lines, one record a line. A line without `_type` is a history row:

    {"_step": 12, "_timestamp": 1795332199.55, "loss": 0.31, "acc": 0.88}

Every other line names its kind in `_type`, which is always its first key, so that a kind can be found by its bytes.
Unknown kinds and fields are kept and ignored by readers: an old viewer opens a new run.
"""

from __future__ import annotations

import functools
import math
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final
from unicodedata import category

import orjson

Record = dict[str, Any]

FORMAT: Final = 1
"""Version of the format, in every `start`. A reader that knows less says so and shows what it understands."""

START: Final = "start"
"""First line of a journal: who the run is and which process writes it."""
METRIC: Final = "metric"
"""What `define_metric` said of one metric."""
CONFIG: Final = "config"
"""Config keys set after the start: `config` holds them, later ones win."""
UPDATE: Final = "update"
"""Name, tags, notes or summary values set by the job itself."""
EDIT: Final = "edit"
"""Name, tags or notes set from outside the job; lives in an edits file, names its run in `id`."""
ALERT: Final = "alert"
"""Something a person should see: `title`, `text` and `level`."""
ENVIRONMENT: Final = "environment"
"""What surrounds the run and takes a moment to find out: machine, GPUs, container, working tree; written once."""
ARTIFACT: Final = "artifact"
"""A version of an artifact that the run made or used (`use` says which): name, version, type, digest, size ..."""
PREEMPTING: Final = "preempting"
"""The job was told that its machine will be taken away."""
SYSTEM: Final = "system"
"""How the machine was doing at a moment: numbers by the names of `tracker.machine` and `tracker.gpus`."""
HEARTBEAT: Final = "heartbeat"
"""Written only when nothing else was for a while."""
SIGNAL: Final = "signal"
"""The job was asked to stop (`signal` names how) and its own handler was called."""
CHECKPOINT: Final = "checkpoint"
"""The run's small state repeated, so that the tail of a journal is enough to list it."""
CONVERTED: Final = "converted"
"""How far the files of another tool were read, of which this journal is made (`tracker.foreign.recorder`)."""
END: Final = "end"
"""The last line: a checkpoint with `exit_code`, and `exception` or `signal` where there was one."""

RESERVED: Final = frozenset({"_type", "_step", "_timestamp"})
"""Row keys that are ours; a user's own get one more underscore in front."""

MAX_MARKS: Final = 6
"""Combining marks on one letter that are shown."""
MAX_DEPTH: Final = 32
MAX_REPR: Final = 200
MAX_ARRAY: Final = 32
"""Elements of an array that is kept as a list; a larger one becomes a histogram of `ARRAY_BINS` bins (W&B's rule)."""
ARRAY_BINS: Final = 32

_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class BadLineError(ValueError):
    """A line that is not a record: torn, not JSON, or not an object."""


def encode(record: Record) -> bytes:
    """One record as one line of standard JSON, newline included.

    Raises:
        TypeError: a value is not JSON (`plain` makes it so).
    """
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def decode(line: bytes) -> Record:
    """The record of one line.

    Raises:
        BadLineError: the line is torn, is not JSON or is not an object.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if line.startswith(BOM_UTF8):  # of an editor that puts one before the first line
            return decode(line[len(BOM_UTF8) :])
        raise BadLineError(str(error)) from None
    if type(record) is not dict:
        raise BadLineError("not an object")
    return record


def non_finite(value: float) -> str:
    """NaN and the infinities as W&B writes them: standard JSON has no numbers for them."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def restore(value: Any, depth: int = 2 * MAX_DEPTH) -> Any:
    """A decoded value as it was logged: `"NaN"`, `"Infinity"` and `"-Infinity"` become floats again, at any depth.

    What is nested deeper than a writer nests is cut, so that a hostile line cannot exhaust the stack.
    """
    if type(value) is str:
        return _NON_FINITE.get(value, value)
    if type(value) is dict:
        return {key: restore(item, depth - 1) for key, item in value.items()} if depth else "…"
    if type(value) is list:
        return [restore(item, depth - 1) for item in value] if depth else "…"
    return value


def clean(text: object, limit: int = 1000) -> str:
    """Foreign text made safe for a terminal: nothing unprintable, nothing endless, nothing wider than it is counted.

    White space becomes a space, and what is over `limit` characters is cut with `…`. Taken out are control characters
    and so all escape sequences, lone surrogates, private characters, bidi marks, overrides and isolates, and what is
    not seen: zero-width characters, tags, fillers, variation selectors. Of marks on one letter `MAX_MARKS` stay, which
    every script can write with. A zero-width non-joiner stays between letters of scripts that need it. Of emoji, what
    joins them, colours skins or chooses another look does not: terminals do not agree on how wide that makes them, but
    on how wide each one alone is.
    """
    string = text if type(text) is str else str(text)
    if len(string) > limit:
        string = string[: limit - 1] + "…"
    if string.isprintable() and (string.isascii() or not _is_odd(string)):
        return string
    kept: list[str] = []
    marks = 0
    for place, c in enumerate(string):
        if category(c) in ("Mn", "Me"):
            marks += 1
            is_shown = marks <= MAX_MARKS and not _UNSEEN.match(c)
        elif c == _NON_JOINER:
            around = "".join(kept[-1:]) + string[place + 1 : place + 2]
            is_shown = around[-1:].isalpha() and _JOINING.fullmatch(around) is not None
        else:
            is_shown = c.isprintable() and not _UNSEEN.match(c)
            marks = 0 if is_shown else marks
        if c.isspace():
            kept.append(" ")
        elif is_shown:
            kept.append(c)
    return "".join(kept)


def _is_odd(string: str) -> bool:
    """Whether a printable text is worth a closer look."""
    marked, odd = _odd()
    return marked.search(string) is not None and odd.search(string) is not None


@functools.cache
def _odd() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What finds marks, and what is not to be seen or floods of marks; made when a text is not ASCII, in 10 ms."""
    marks = "".join(c for c in map(chr, range(0x300, 0x10000)) if category(c) in ("Mn", "Me"))
    marks += "\U00010a00-\U0001e94a"  # among others
    return re.compile(f"[{marks}{_UNSEEN.pattern[1:]}"), re.compile(f"{_UNSEEN.pattern}|[{marks}]{{{MAX_MARKS + 1}}}")


_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
"""What Unicode says not to show, of what Python calls printable, and what changes the width of the emoji before it."""
_NON_JOINER: Final = "\u200c"
_JOINING: Final = re.compile("[\u0600-\u109f\u1780-\u18af]{2}")
"""Two signs of scripts in which letters join."""


def plain(value: Any, depth: int = MAX_DEPTH, above: tuple[int, ...] = ()) -> tuple[Any, bool]:
    """A value as JSON can hold it, and whether that kept its meaning.

    Numbers, strings, None, mappings and sequences stay what they are; anything with a one-element `.item()` (numpy,
    torch, jax) becomes its scalar, a small array a list and a large one a histogram; Enum its name; set a list; bytes,
    dates and paths text; a callable its qualified name. Anything else becomes its `repr`, cut to 200 characters, and
    the flag is False. Never raises.
    """
    try:
        return _plain(value, depth, above)
    except Exception:  # a foreign __len__, .item() or __repr__ may raise anything; logging goes on
        return f"<{type(value).__qualname__}>", False


def _plain(value: Any, depth: int, above: tuple[int, ...]) -> tuple[Any, bool]:
    scalar = _scalar(value)
    if scalar is not _NOT_SCALAR:
        return scalar, True
    if depth <= 0 or id(value) in above:  # endlessly deep, or within itself
        return _short_repr(value), False
    above = (*above, id(value))
    if callable(getattr(value, "as_record", None)):
        return plain(value.as_record(), depth - 1)
    if isinstance(value, Mapping):
        pairs = [(_text(str(key)), plain(item, depth - 1, above)) for key, item in value.items()]
        return {key: item for key, (item, _) in pairs}, all(kept for _, (_, kept) in pairs)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [plain(item, depth - 1, above) for item in value]
        return [item for item, _ in items], all(kept for _, kept in items)
    count = value.numel() if hasattr(value, "numel") else getattr(value, "size", 1)
    if callable(getattr(value, "item", None)) and count == 1:
        return plain(value.item(), depth - 1)
    if callable(getattr(value, "tolist", None)) and isinstance(count, int):
        return plain(value.tolist() if count <= MAX_ARRAY else _histogram(value), depth - 1)
    if hasattr(value, "as_integer_ratio"):  # Decimal, Fraction
        return _scalar(float(value)), True
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}", True
    return _short_repr(value), False


def _histogram(array: Any) -> Record:
    from tracker.histogram import Histogram

    return Histogram(array, num_bins=ARRAY_BINS).as_record()


_NOT_SCALAR: Final = object()


def _scalar(value: Any) -> Any:
    """The JSON scalar for a scalar of Python, else `_NOT_SCALAR`."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else non_finite(value)
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return int(value)
        return float(value) if abs(value) < 10**308 else str(value)[:MAX_REPR]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if hasattr(value, "__fspath__") or hasattr(value, "isoformat"):
        return str(value)
    return _NOT_SCALAR


def _text(string: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold."""
    return string.encode("utf-8", "replace").decode("utf-8")


def _short_repr(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_REPR else text[: MAX_REPR - 1] + "…"
