"""What is in a file of a run, here or on another machine, read in pieces; and opening it with the system's program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from tracker.catalog import Catalog, Files
from tracker.folders import MAX_PART
from tracker.records import clean
from tracker.stored import StoredRun

MAX_FILE: Final = 64 << 20
"""Bytes of a file that is read whole."""
OPENABLE: Final = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pdf", ".html", ".htm"),
        *(".wav", ".mp3", ".ogg", ".flac", ".m4a", ".mp4", ".webm", ".mov", ".mkv", ".avi"),
        *(".obj", ".gltf", ".glb", ".ply", ".stl", ".pts"),
        *(".json", ".jsonl", ".txt", ".md", ".csv", ".tsv", ".log", ".yaml", ".yml", ".toml", ".diff", ".patch"),
    )
)
"""Ends of names that a program of the system shows; what others might do with a file, nobody knows."""


class UnreadableError(Exception):
    """A file cannot be read; its text says why."""


class Place(NamedTuple):
    """Where a file is."""

    files: Files
    """What reads it."""
    project: str
    """The folder name of its project."""
    paths: tuple[str, ...]
    """Where it may be below that: the first that is there counts."""

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """Tells it from all other places."""
        return self.files.root, self.project, self.paths


def place_of(catalog: Catalog, run: StoredRun, path: str) -> Place:
    """Where a file is that a run's row names: in the folder of one of its journals, the newest first."""
    folders = [name.removesuffix(".jsonl") for name, _ in reversed(catalog.lineage(run))]
    return Place(catalog.files, run.key.project, tuple(f"{folder}/{path}" for folder in folders))


def read(place: Place, most: int = MAX_FILE, is_start: bool = False) -> bytes:
    """All of a file.

    Args:
        place: where it is.
        most: bytes that it may have.
        is_start: of a larger one, read so many bytes; else it is not read.

    Raises:
        UnreadableError: it is gone, larger, changed while it was read, or not to be read.
    """
    trouble = "it is not there"
    for path in place.paths:
        data, trouble = _read(place, path, most, is_start)
        if not trouble:
            return data
    raise UnreadableError(trouble)


def _read(place: Place, path: str, most: int, is_start: bool) -> tuple[bytes, str]:
    """The bytes of a file, or why there are none."""
    data = bytearray()
    size = -1
    while True:
        part = place.files.read_part(place.project, path, len(data), min(MAX_PART, most - len(data)))
        if part.trouble:
            return b"", clean(part.trouble)
        if part.size > most and not is_start:
            return b"", f"{part.size / 1e6:,.0f} MB are too many to show: {most / 1e6:.0f} MB at most"
        if size not in (-1, part.size) and not is_start:
            return b"", "it changes while it is read"
        size = part.size
        data += part.data
        if len(data) >= min(size, most):
            return bytes(data), ""
        if not part.data:
            return b"", "it changes while it is read"


def full_path(place: Place) -> str:
    """Its whole path, on another machine with the name of that before it; of several the one that is there."""
    path = place.paths[0] if place.paths else ""
    if not place.files.is_far and len(place.paths) > 1:
        root = os.path.join(place.files.root, place.project)
        path = next((each for each in place.paths if os.path.lexists(os.path.join(root, each))), path)
    return os.path.join(place.files.root, place.project, path)


def open_outside(place: Place) -> str:
    """Show a file with the program that the system has for it, apart from this one.

    Returns:
        "" or why it was not opened.
    """
    path = full_path(place)
    if place.files.is_far:
        return "it is on another machine; y copies its path"
    if os.path.splitext(path)[1].lower() not in OPENABLE:
        return "no file of a kind that is only shown; y copies its path"
    if trouble := _read(place, os.path.relpath(path, os.path.join(place.files.root, place.project)), 0, True)[1]:
        return trouble
    try:
        subprocess.Popen(
            ["open" if sys.platform == "darwin" else "xdg-open", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return "this machine has no xdg-open; y copies its path"
    return ""


def text_of(data: bytes, lines: int = 2000) -> Sequence[str] | None:
    """The lines of a text, safe for a terminal; None where it is none."""
    if b"\0" in data:
        return None
    text = data.decode("utf-8", "replace")
    if text.count("�") > len(text) // 10:
        return None
    return [clean(line.expandtabs(4), 500) for line in text.splitlines()[:lines]]
