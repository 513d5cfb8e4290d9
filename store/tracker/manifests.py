"""What a version of an artifact is: a manifest, which names files and their contents; and which version an alias means.

Manifests are read from folders that anybody may have written, so all that is wrong in them is left out, and no path of
one leads anywhere but below the folder it is put into.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeGuard

import orjson

from tracker import layout
from tracker.records import clean, plain, restore
from tracker.replay import time_of
from tracker.sweeping import MAX_MANIFEST

MAX_ALIASES: Final = 100
LATEST: Final = "latest"
"""The alias of what was logged last."""
NUMBERED: Final = re.compile(r"v(\d{1,9})")
"""How a version is called; its file is that and `.json`."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Entry(NamedTuple):
    """A file of an artifact."""

    digest: str = ""
    """SHA-256 of its content; empty where it is not known, of a reference."""
    size: int = 0
    """Bytes."""
    reference: str = ""
    """Where it lies, if it is not kept here."""


@dataclass(slots=True)
class Manifest:
    """A version."""

    name: str
    type: str
    version: int = -1
    digest: str = ""
    size: int = 0
    """Bytes of all files, those of references where that is known."""
    description: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    """Those it was logged with; see `aliases_of`."""
    created: float = 0.0
    """Seconds since the epoch."""
    project: str = ""
    run: str = ""
    """The id of the run that made it, and its project; empty where none did."""
    entries: dict[str, Entry] = field(default_factory=dict)

    def seal(self) -> None:
        """Let size and digest be those of the entries: the same for the same files under the same names."""
        self.size = sum(entry.size for entry in self.entries.values())
        parts = sorted([path, entry.digest, entry.reference] for path, entry in self.entries.items())
        self.digest = hashlib.sha256(orjson.dumps(parts)).hexdigest()

    def dump(self) -> bytes:
        """As it lies on disk.

        Raises:
            ValueError: it has more files than a reader would take.
        """
        entries = {
            path: {"digest": entry.digest, "size": entry.size}
            | ({"reference": entry.reference} if entry.reference else {})
            for path, entry in self.entries.items()
        }
        record = {
            "name": self.name,
            "type": self.type,
            "version": self.version,
            "digest": self.digest,
            "size": self.size,
            "files": len(entries),
            "description": self.description,
            "metadata": plain(self.metadata)[0],
            "aliases": self.aliases,
            "created": self.created,
            "made_by": {"project": self.project, "run": self.run} if self.run else None,
            "entries": entries,
        }
        data = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        if len(data) > MAX_MANIFEST:
            raise ValueError(f"artifact {self.name!r} has too many files ({len(entries):,}): log them as an archive")
        return data


def load(data: bytes, folder: str, version: int) -> Manifest | None:
    """The manifest in the file of a version; None where it is damaged, or a version that was deleted.

    Args:
        data: the file.
        folder: the name of the artifact's folder.
        version: by the file's name.
    """
    record = _object(data)
    if record is None or record.get("deleted") is True:
        return None
    raw, made_by = record.get("entries"), record.get("made_by")
    if not _is(raw):
        return None
    entries = {path: entry for path, each in raw.items() if (entry := _entry(path, each))}
    if len(entries) != len(raw):
        return None
    made_by = made_by if _is(made_by) else {}
    metadata = record.get("metadata")
    name = _raw_text(record.get("name"))
    manifest = Manifest(
        name=name if _NAME.fullmatch(name) and layout.file_name(name) == folder else clean(layout.true_name(folder)),
        type=_text(record.get("type")),
        version=version,
        description="\n".join(map(clean, _raw_text(record.get("description")).split("\n")[:1000])),
        metadata=restore(metadata) if _is(metadata) else {},
        aliases=_aliases(record.get("aliases")),
        created=time_of(record.get("created")) or 0.0,
        project=_raw_text(made_by.get("project")),
        run=_raw_text(made_by.get("run")),
        entries=entries,
    )
    manifest.seal()
    return manifest if record.get("digest") == manifest.digest else None


def is_tombstone(data: bytes) -> bool:
    """Whether a version's file says that it was deleted."""
    record = _object(data)
    return record is not None and record.get("deleted") is True


def _entry(path: str, raw: Any) -> Entry | None:
    if not _is(raw) or why_unsafe(path):
        return None
    digest, size, reference = raw.get("digest"), raw.get("size"), _raw_text(raw.get("reference"))
    digest = digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else ""
    size = size if type(size) is int and 0 <= size < 2**62 else 0
    return Entry(digest, size, reference) if digest or reference else None


def why_unsafe(path: str) -> str:
    """Why a path cannot be one of an artifact's; empty where it can."""
    if not path or "\0" in path or len(path) > 4096:
        return "it is empty, too long or has a NUL character"
    if path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
        return "it must be relative, without '.' and '..'"
    return "" if is_utf8(path) else "it is not UTF-8"


def is_utf8(text: str) -> bool:
    """Whether a text is without lone surrogates, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_name(name: object) -> str:
    """A usable name of an artifact.

    Raises:
        TypeError: no string.
        ValueError: something else than 1 to 128 of letters, digits, `_`, `-` and `.` (W&B's rule).
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {type(name).__name__}")
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise ValueError(f"an artifact's name has 1 to 128 letters, digits, '_', '-' and '.' (got {name[:140]!r})")
    return name


def check_aliases(aliases: object) -> list[str]:
    """Usable aliases, each once.

    Raises:
        TypeError, ValueError: they are no sequence of strings of 1 to 128 characters without `/` and `:`, or one is
            called like a version.
    """
    given = [aliases] if isinstance(aliases, str) else aliases
    if not isinstance(given, Iterable):
        raise TypeError(f"aliases must be a sequence of strings, not {type(aliases).__name__}")
    found = list(dict.fromkeys(given))
    for alias in found:
        if not isinstance(alias, str):
            raise TypeError(f"aliases must be strings, not {type(alias).__name__}")
        if not 1 <= len(alias) <= 128 or {"/", ":"} & set(alias) or clean(alias) != alias or NUMBERED.fullmatch(alias):
            raise ValueError(f"an alias has 1 to 128 characters, no '/', no ':', and is no 'v1' (got {alias[:140]!r})")
    return found


# ---- aliases ----


class Move(NamedTuple):
    """An alias file's line: aliases that a version gets and loses; in order of time, then of who said it."""

    time: float
    by: str
    version: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def dump(self) -> bytes:
        """As it lies on disk."""
        record = {"_timestamp": self.time, "version": self.version, "add": self.add, "remove": self.remove}
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def moves_in(data: bytes, by: str) -> list[Move]:
    """What the lines of an alias file say; what is none is passed over."""
    found = []
    for line in data.split(b"\n"):
        record = _object(line) if line else None
        time = time_of(record.get("_timestamp")) if record is not None else None
        version = record.get("version") if record is not None else None
        if record is not None and time is not None and type(version) is int:
            found.append(Move(time, by, version, *(tuple(_aliases(record.get(what))) for what in ("add", "remove"))))
    return found


def aliases_of(manifests: Mapping[int, Manifest], moves: Iterable[Move]) -> dict[str, int]:
    """Which version every alias means.

    A version takes its aliases, and `latest`, when it is logged, in order of numbers whatever the clocks say; what was
    said later wins.
    """
    events = list(moves)
    time = 0.0
    for number in sorted(manifests):
        time = max(time, manifests[number].created)
        events.append(Move(time, "", number, (*manifests[number].aliases, LATEST)))
    found: dict[str, int] = {}
    for move in sorted(events):
        if move.version in manifests:
            found |= dict.fromkeys(move.add, move.version)
            for alias in move.remove:
                if found.get(alias) == move.version:
                    del found[alias]
    return found


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return record if _is(record) else None


def _is(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _raw_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text(value: Any) -> str:
    return clean(_raw_text(value), 200)


def _aliases(value: Any) -> list[str]:
    given = value[:MAX_ALIASES] if isinstance(value, list) else []
    return [alias for alias in given if isinstance(alias, str) and 0 < len(alias) <= 128 and clean(alias) == alias]
