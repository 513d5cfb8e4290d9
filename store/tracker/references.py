"""What a history row may hold besides numbers: files of the run, by path, and histograms.

    {"_type": "image-file", "path": "media/images/<hash>.png", "size": 1234, "width": 64, "height": 64, "caption": "…"}
    {"_type": "table-file", "path": "media/table/<hash>.table.json", "size": 1234, "ncols": 3, "nrows": 100}
    {"_type": "histogram", "values": [counts], "bins": [edges]}
    {"_type": "image-file", "trouble": "why it could not be kept"}

Or a list of such objects. A path is relative to the folder of the run. The words are W&B's.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from tracker.records import Record, clean

SUFFIX: Final = "-file"
"""Ends the `_type` of what lies in a file."""
HISTOGRAM: Final = "histogram"
MAX_LIST: Final = 1000
"""Media of one list that are looked at."""
MAX_PATH: Final = 500


class Reference(NamedTuple):
    """One medium; texts are clean, what has the wrong type is empty."""

    kind: str
    """image, audio, video, html, object3D, plotly, table, histogram; what others write ends in `-file` too."""
    path: str
    """Relative to the run's folder, below its `media/`; empty where there is none or it leads elsewhere."""
    size: int
    """Bytes of the file."""
    width: int
    height: int
    """Pixels; 0: not known."""
    caption: str
    trouble: str
    """Why there is nothing."""
    record: Record
    """All that was written of it, as it was."""


def is_medium(value: Any) -> bool:
    """Whether a row's value is a medium or a list that begins with one."""
    if type(value) is list:
        value = value[0] if value else None
    kind = value.get("_type") if type(value) is dict else None
    return type(kind) is str and (kind == HISTOGRAM or kind.endswith(SUFFIX))


def references(value: bytes) -> list[Reference]:
    """The media of a row's value; what is none is left out.

    Args:
        value: JSON, as `MediaColumn.values` has it.
    """
    return references_in(orjson.loads(value))


def references_in(found: Any) -> list[Reference]:
    """The media of a decoded value, at most `MAX_LIST`."""
    items = found[:MAX_LIST] if type(found) is list else [found]
    return [_reference(item) for item in items if type(item) is dict and is_medium(item)]


def brief(value: Any) -> str:
    """A medium, or a list of media, in a word or two: `<image 64x48>`, `<table 100x3>`, `<histogram>`, `<5 images>`."""
    found = references_in(value)[0]
    if type(value) is list and len(value) > 1:
        return f"<{len(value):,} {found.kind}s>"
    if found.trouble:
        return f"<no {found.kind}>"
    rows, columns = (_count(found.record.get(name)) for name in ("nrows", "ncols"))
    size = f" {found.width}x{found.height}" if found.width else f" {rows}x{columns}" if found.kind == "table" else ""
    return f"<{found.kind}{size}>"


def _reference(record: Record) -> Reference:
    path = record.get("path")
    size, width, height = (_count(record.get(name)) for name in ("size", "width", "height"))
    caption, trouble = (clean(text) if type(text := record.get(name)) is str else "" for name in ("caption", "trouble"))
    return Reference(
        clean(record["_type"].removesuffix(SUFFIX), 40) or "file",
        path if type(path) is str and is_media_path(path) else "",
        size,
        width,
        height,
        caption,
        trouble,
        record,
    )


def is_media_path(path: str) -> bool:
    """Whether a path stays below `media/` wherever it is put, and is fit to be read on a terminal."""
    parts = path.split("/")
    is_within = parts[0] == "media" and len(parts) > 1 and all(parts) and not {".", ".."} & set(parts)
    return is_within and len(path) <= MAX_PATH and "\\" not in path and clean(path) == path


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0
