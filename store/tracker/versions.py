"""The versions of one artifact, on disk:

    <root>/<project>/.artifacts/<name>/v0.json ...               a manifest each, put there as a whole
    <root>/<project>/.artifacts/<name>/aliases-<host>-<user>.jsonl    aliases that moved later

A number is given by making its file, which only one process can, on whatever machine; a version that is deleted leaves
a file behind that says so, and its number is never given again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Final

from tracker import host, layout
from tracker.blobs import Blobs, StoreError, part_name, write_all
from tracker.errors import Error
from tracker.manifests import (
    LATEST,
    NUMBERED,
    Manifest,
    Move,
    aliases_of,
    is_tombstone,
    load,
    moves_in,
)
from tracker.sweeping import FOLDER, MAX_MANIFEST, VERSION, bury

ALIASES: Final = "aliases-"
MAX_ALIAS_BYTES: Final = 16 * 1024 * 1024
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)

MAX_KNOWN: Final = 10_000
"""Manifests that are known without their entries."""

_known: Final[dict[str, tuple[tuple[int, ...], Manifest | bool]]] = {}

Read = Callable[[str, int], bytes | None]
"""Gives up to so many bytes of a file by its name; None where it cannot be read."""


@dataclass(slots=True)
class Versions:
    """What there is of an artifact."""

    manifests: dict[int, Manifest] = field(default_factory=dict)
    """By number, those that are whole and were not deleted."""
    moves: list[Move] = field(default_factory=list)
    """Aliases that moved later."""
    aliases: dict[str, int] = field(default_factory=dict)
    """Which version each alias means."""
    last_number: int = -1
    """The greatest number that was ever given."""
    damaged: list[str] = field(default_factory=list)
    """Files that cannot be read."""

    @property
    def last_change(self) -> float:
        """The newest time in any of it."""
        times = [*(manifest.created for manifest in self.manifests.values()), *(move.time for move in self.moves)]
        return max(times, default=0.0)

    def take(self, manifest: Manifest | None = None, move: Move | None = None) -> None:
        """Know one more version, or that aliases moved."""
        if manifest is not None:
            self.manifests[manifest.version] = manifest
            self.last_number = max(self.last_number, manifest.version)
        if move is not None:
            self.moves.append(move)
        self.aliases = aliases_of(self.manifests, self.moves)

    def find(self, word: str) -> Manifest | None:
        """What `v3` or an alias means."""
        numbered = NUMBERED.fullmatch(word)
        number = int(numbered[1]) if numbered else self.aliases.get(word, -1)
        return self.manifests.get(number)

    def aliases_of(self, number: int) -> list[str]:
        """The aliases that mean a version now."""
        return [alias for alias, version in self.aliases.items() if version == number]


def read(folder: str, files: Iterable[str], get: Read) -> Versions:
    """The versions of an artifact.

    Args:
        folder: the name of its folder.
        files: the names of the files in its folder.
        get: reads one of them.
    """
    return _read(files, get, lambda file, number: _parsed(get(file, MAX_MANIFEST + 1) or b"", folder, number))


def _read(files: Iterable[str], get: Read, version: Callable[[str, int], Manifest | bool]) -> Versions:
    """The versions in some files; `version` gives what is in one, as `_parsed` tells it."""
    found = Versions()
    for file in sorted(files):
        if numbered := VERSION.fullmatch(file):
            number = int(numbered[1])
            found.last_number = max(found.last_number, number)
            manifest = version(file, number)
            if isinstance(manifest, Manifest):
                found.manifests[number] = manifest
            elif manifest:
                found.damaged.append(file)
        elif file.startswith(ALIASES) and file.endswith(".jsonl"):
            found.moves += moves_in(get(file, MAX_ALIAS_BYTES) or b"", file)
    found.take()
    return found


def _parsed(data: bytes, folder: str, number: int) -> Manifest | bool:
    """The manifest in the file of a version; else whether that is damaged: it may say that the version was deleted."""
    manifest = load(data, folder, number) if len(data) <= MAX_MANIFEST else None
    return not is_tombstone(data) if manifest is None else manifest


class Collection:
    """An artifact in a project's folder: all of its versions.

    Args:
        root: the folder of projects.
        project: the name of the project's folder.
        name: the name of the artifact's.
    """

    def __init__(self, root: str, project: str, name: str) -> None:
        self.root, self.project, self.name = root, project, name
        self.store = Blobs(os.path.join(root, project, FOLDER))
        self.folder = os.path.join(self.store.folder, name)

    def read(self) -> Versions:
        """What there is now; the manifests are without entries, which `find` and `manifest` read."""
        if os.path.islink(self.store.folder) or os.path.islink(self.folder):
            return Versions()
        try:
            files = os.listdir(self.folder)
        except OSError:
            return Versions()
        return _read(files, self._get, self._brief)

    def _get(self, file: str, most: int) -> bytes | None:
        return host.read(os.path.join(self.folder, file), 0, most)

    def _brief(self, file: str, number: int) -> Manifest | bool:
        """A manifest without entries, parsed once while its file stays the same: a job may log many large versions."""
        path = os.path.join(self.folder, file)
        try:
            status = os.lstat(path)
        except OSError:
            return True
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = _known.get(path)
        if known is None or known[0] != identity:
            found = _parsed(self._get(file, MAX_MANIFEST + 1) or b"", self.name, number)
            known = identity, replace(found, entries={}) if isinstance(found, Manifest) else found
            if len(_known) >= MAX_KNOWN:
                _known.clear()
            _known[path] = known
        return known[1]

    def manifest(self, number: int) -> Manifest | None:
        """A version as a whole; None where there is none."""
        found = _parsed(self._get(f"v{number}.json", MAX_MANIFEST + 1) or b"", self.name, number)
        return found if isinstance(found, Manifest) else None

    def find(self, known: Versions, word: str) -> Manifest | None:
        """What `v3` or an alias means, as a whole."""
        found = known.find(word)
        return None if found is None else self.manifest(found.version)

    def add(self, manifest: Manifest, known: Versions) -> Manifest:
        """Give a manifest the next number, and put it there; where a version has the same files, that is given back.

        Args:
            manifest: what is to be there.
            known: what there was a moment ago; it knows the version then.

        Raises:
            StoreError: it cannot be written.
            ValueError: it has too many files.
        """
        if same := _same(known.manifests.values(), manifest):
            return replace(same, entries=manifest.entries, metadata=deepcopy(same.metadata))
        manifest.version = known.last_number + 1
        manifest.created = max(time.time(), known.last_change + 0.001)
        while not self._place(manifest):
            path = self._path(manifest.version)  # another process was first
            other = load(host.read(path, 0, MAX_MANIFEST) or b"", self.name, manifest.version)
            known.take(other)
            if other is not None and (same := _same([other], manifest)):
                return same
            manifest.version += 1
            manifest.created = max(manifest.created, other.created + 0.001 if other is not None else 0.0)
        known.take(manifest)
        return manifest

    def move(self, known: Versions, version: int, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Give a version aliases, which others lose, and take some away.

        Raises:
            StoreError: it cannot be written.
        """
        move = Move(max(time.time(), known.last_change + 0.001), "", version, tuple(add), tuple(remove))
        line = move.dump()
        path = os.path.join(self.folder, ALIASES + host.edits_file_name().removeprefix("edits-"))
        self.check_place()
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o666)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":  # torn by a full disk
                    line = b"\n" + line
                write_all(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreError(f"cannot write {path} ({error.strerror})") from error
        known.take(move=move)

    def delete(self, version: int) -> None:
        """Let a version be no more; its number stays taken, its contents are left to `purge`.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            bury(self.store.folder, self.name, f"v{version}.json")
        except OSError as error:
            raise StoreError(f"cannot write {self._path(version)} ({error.strerror})") from error

    def _path(self, version: int) -> str:
        return os.path.join(self.folder, f"v{version}.json")

    def check_place(self) -> None:
        """Refuse folders that are links.

        Raises:
            StoreError: one is.
        """
        for folder in (self.store.folder, self.folder):
            if os.path.islink(folder):
                raise StoreError(f"{folder} is a link: artifacts are not kept elsewhere")

    def _place(self, manifest: Manifest) -> bool:
        """Put a manifest under its number, if nobody has that."""
        path = self._path(manifest.version)
        data = manifest.dump()
        try:
            os.makedirs(self.folder, exist_ok=True)
            temporary = self._write(data)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return os.lstat(temporary).st_nlink > 1  # a server that was asked twice
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return _make(path, data)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
        except OSError as error:
            raise StoreError(f"cannot write {path} ({error.strerror})") from error
        return True

    def _write(self, data: bytes) -> str:
        folder = os.path.join(self.store.folder, "tmp")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, part_name())
        _make(path, data)
        return path


def _make(path: str, data: bytes) -> bool:
    """A new file that is on the disk itself; False where there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    except FileExistsError:
        return False
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    return True


def _same(manifests: Iterable[Manifest], wanted: Manifest) -> Manifest | None:
    """The newest of them that has the same files."""
    found = [each for each in manifests if each.digest == wanted.digest and each.type == wanted.type]
    return max(found, key=lambda each: each.version, default=None)


# ---- finding ----


def parse_path(text: object, project: str) -> tuple[str, str, str]:
    """(project, name, version or alias) of `[[entity/]project/]name[:alias]`.

    Args:
        text: what a user says.
        project: where it says none.

    Raises:
        TypeError: it is no string.
        ValueError: it is not of that form.
    """
    if not isinstance(text, str):
        raise TypeError(f"an artifact is named by a string or given itself, not {type(text).__name__}")
    place, _, last = text.rpartition("/")
    name, colon, alias = last.partition(":")
    if not name or (colon and not alias) or text.count("/") > 2:
        raise ValueError(f"an artifact is 'name:alias' or 'project/name:alias' (got {text[:200]!r})")
    return place.rpartition("/")[2] or project, name, alias or LATEST


def find(root: str, text: str, project: str = "") -> tuple[Collection, Manifest, Versions]:
    """The version that a user means.

    Args:
        root: the folder of projects.
        text: as `parse_path` takes it.
        project: where it says none.

    Raises:
        TypeError, ValueError: it is not of that form.
        Error: there is none.
    """
    place, name, alias = parse_path(text, project)
    if not place:
        raise ValueError(f"say the project too: 'project/{text}'")
    collection = Collection(root, layout.file_name(place), layout.file_name(name))
    known = collection.read()
    manifest = collection.find(known, alias)
    if manifest is None:
        there = ", ".join(["latest", *sorted(set(known.aliases) - {LATEST})][:5]) if known.manifests else ""
        why = f"it has v0 to v{known.last_number} and {there}" if there else "there is no artifact of that name"
        raise Error(f"no {name}:{alias} in {place}: {why}")
    return collection, manifest, known
