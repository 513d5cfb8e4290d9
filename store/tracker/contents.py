"""What is in an artifact: files by their paths, added one by one, as folders, by reference.

A file is hashed and kept when it is added, so the caller may change or remove it at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from tracker import _run, layout, report
from tracker.blobs import Blobs, StoreError, hash_of, opened, part_name
from tracker.errors import UsageError
from tracker.lifecycle import process
from tracker.manifests import Entry, Manifest, is_utf8, why_unsafe
from tracker.records import clean
from tracker.sweeping import FOLDER

if TYPE_CHECKING:
    from tracker.artifacts import Artifact

POLICIES: Final = ("mutable", "immutable")
MAX_OBJECTS: Final = 10_000
"""Files that one reference to a folder may stand for, if nothing else is said."""


class ArtifactEntry:
    """A file of an artifact."""

    def __init__(self, artifact: Artifact, path: str, entry: Entry, local_path: str | None = None) -> None:
        self._artifact, self._entry = artifact, entry
        self.path = path
        """Its name in the artifact, with `/` between folders."""
        self.local_path = local_path
        """Where it came from, while the artifact is not logged."""

    @property
    def name(self) -> str:
        """The same as `path`."""
        return self.path

    @property
    def digest(self) -> str:
        """SHA-256 of its content, in hex; empty where it is not known, of a reference."""
        return self._entry.digest

    @property
    def size(self) -> int:
        """Bytes; 0 where they are not known, of a reference."""
        return self._entry.size

    @property
    def ref(self) -> str | None:
        """Where it lies, of a reference; else None."""
        return self._entry.reference or None

    def ref_target(self) -> str:
        """Where it lies.

        Raises:
            ValueError: it is no reference.
        """
        if not self._entry.reference:
            raise ValueError(f"{self.path!r} is no reference")
        return self._entry.reference

    def parent_artifact(self) -> Artifact:
        """The artifact that it is of."""
        return self._artifact

    def download(self, root: str | os.PathLike[str] | None = None, skip_cache: bool | None = None) -> str:
        """Put the file below a folder, as `Artifact.download` does; its path there."""
        return self._artifact._download([self], root)[1]

    def __repr__(self) -> str:
        return f"<ArtifactEntry {self.path!r} {self.size} bytes>"


class Contents:
    """The files of an artifact. What is not logged yet may be changed.

    Args:
        manifest: who the artifact is.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._entries: dict[str, ArtifactEntry] = {}
        self._folders: set[str] = set()
        self._store: Blobs | None = None
        self._is_draft, self._is_final = True, False

    @property
    def entries(self) -> dict[str, ArtifactEntry]:
        """Its files, by their paths."""
        return dict(self._entries)

    @property
    def digest(self) -> str:
        """The same for the same files under the same names."""
        return self._sealed().digest

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self._sealed().size

    @property
    def file_count(self) -> int:
        return len(self._entries)

    def _draft(self) -> Manifest:
        if not self._is_draft:
            name = f"{self._manifest.name}:v{self._manifest.version}"
            raise UsageError(f"{name} is logged and does not change any more: `new_draft()` begins another version")
        if self._is_final:
            raise UsageError(f"artifact {self._manifest.name!r} does not change any more: finalize() was called")
        return self._manifest

    def finalize(self) -> None:
        """Let nothing more be added, removed or set; `log_artifact` does so by itself."""
        self._is_final = True

    def _fill(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Have these files and no others."""
        self._entries = {path: ArtifactEntry(cast("Artifact", self), path, entry) for path, entry in entries}
        self._folders = {folder for path in self._entries for folder in _above(path)}

    def _inherit(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Have these files too, but for those in whose places others were added."""
        own = self._entries
        free = [
            (path, entry)
            for path, entry in entries
            if path not in own and path not in self._folders and own.keys().isdisjoint(_above(path))
        ]
        self._fill(free)
        self._entries |= own
        self._folders |= {folder for path in own for folder in _above(path)}

    def _sealed(self) -> Manifest:
        if self._is_draft:
            self._manifest.entries = {path: entry._entry for path, entry in self._entries.items()}
            self._manifest.seal()
        return self._manifest

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        is_tmp: bool | None = False,
        skip_cache: bool | None = False,
        policy: str | None = "mutable",
        overwrite: bool = False,
    ) -> ArtifactEntry:
        """Add a file; its content is kept as it is now.

        Args:
            local_path: the file; a link is followed.
            name: what it is called in the artifact; default its own name.
            is_tmp: call it by its content too, so that files of the same name do not meet.
            skip_cache: W&B's; nothing is cached here.
            policy: `mutable` copies the file; `immutable` promises that it never changes, so that it may be shared by a
                hard link.
            overwrite: let it take the place of another file of that name.

        Raises:
            TypeError, ValueError: it is no regular file, or its name no path below the artifact, or taken.
            OSError: it cannot be read.
            UsageError: the artifact is logged already.
        """
        self._draft()
        may_link = _may_link(policy)
        path = os.fsdecode(local_path)
        if not os.path.isfile(path):
            raise ValueError(f"{path!r} is no regular file")
        name = self._check_path(os.path.basename(path) if name is None else name)
        entry = self._take(path, may_link)
        if is_tmp:
            folder, _, last = name.rpartition("/")
            name = f"{folder}/{entry.digest[:20]}.{last}" if folder else f"{entry.digest[:20]}.{last}"
        return self._put(name, entry, path, overwrite)

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        skip_cache: bool | None = False,
        policy: str | None = "mutable",
        merge: bool = False,
    ) -> None:
        """Add all files below a folder.

        Left out, with one warning, are links that lead out of it or to folders, pipes and devices, and what cannot be
        read or is gone meanwhile; and the folder of runs, where that is below it.

        Args:
            local_path: the folder.
            name: the folder they come into in the artifact; default none.
            skip_cache: W&B's; nothing is cached here.
            policy: as for `add_file`.
            merge: let them take the places of others of the same names.

        Raises:
            TypeError, ValueError: it is no folder, or a name is taken.
            UsageError: the artifact is logged already.
        """
        self._draft()
        may_link = _may_link(policy)
        root = os.fsdecode(local_path)
        if not os.path.isdir(root):
            raise ValueError(f"{root!r} is no folder")
        left_out: list[str] = []
        prefix = self._check_path(name.rstrip("/")) + "/" if name else ""
        runs = folders_of_runs()
        for path in walk(root, left_out, lambda folder: os.path.realpath(folder) in runs):
            inner = os.path.relpath(path, root).replace(os.sep, "/")
            if why_unsafe(inner):
                left_out.append(inner)
                continue
            within = self._check_path(f"{prefix}{inner}")
            try:
                entry = self._take(path, may_link)
            except (OSError, ValueError):
                left_out.append(inner)
                continue
            self._put(within, entry, path, merge)
        if left_out:
            more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
            told = f"artifact {self._manifest.name} is without {clean(left_out[0])}{more}"
            report.say([f"WARNING {told}: links out of the folder, or nothing that can be read"])

    def add_reference(
        self,
        uri: str,
        name: str | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> Sequence[ArtifactEntry]:
        """Add files that stay where they are.

        Args:
            uri: with its scheme: `s3://...`, `https://...`; `file://` for a file or a folder here.
            name: what it is called in the artifact, of a folder the folder it comes into; default its own name.
            checksum: hash files here, so that a change is noticed. Of others nothing but the address is kept.
            max_objects: files that a folder may have; default 10,000.

        Raises:
            TypeError, ValueError: it is no URI, or has too many files.
            OSError: a file cannot be read.
            UsageError: the artifact is logged already.
        """
        self._draft()
        if not isinstance(uri, str):
            raise TypeError(f"uri must be a string, not {uri.__class__.__name__}")
        parts = urlsplit(uri)
        if not parts.scheme or not is_utf8(uri):
            raise ValueError(f"a reference is a URI; of a file here file://... (got {uri[:200]!r})")
        path = file_of(uri)
        if path is None:
            last = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc
            return [self._put(self._check_path(name or last), Entry(reference=uri), None, overwrite=False)]
        if not os.path.isdir(path):
            found = {name or os.path.basename(path): path}
        else:
            inside = [os.path.relpath(each, path).replace(os.sep, "/") for each in walk(path, [])]
            found = {f"{name}/{inner}" if name else inner: os.path.join(path, inner) for inner in inside}
        if len(found) > (max_objects or MAX_OBJECTS):
            raise ValueError(f"{uri[:200]!r} has {len(found):,} files: max_objects is {max_objects or MAX_OBJECTS:,}")
        return [
            self._put(self._check_path(inner), _referred(each, checksum), None, overwrite=False)
            for inner, each in found.items()
        ]

    @contextlib.contextmanager
    def new_file(
        self, name: str, mode: str = "x", encoding: str | None = None, policy: str | None = "mutable"
    ) -> Iterator[IO[Any]]:
        """A new file to write to; it is added at the end of `with`, unless that is left by an exception.

        Args:
            name: what it is called in the artifact.
            mode: as for `open`; with `w` it may take the place of another.
            encoding: of text; default UTF-8.
            policy: as for `add_file`; the file is the artifact's own, so it is without effect.

        Raises:
            TypeError, ValueError: the name is no path below the artifact, or taken.
            OSError: it cannot be written.
            UsageError: the artifact is logged already.
        """
        self._draft()
        _may_link(policy)
        name = self._check_path(name)
        if name in self._entries and "w" not in mode:
            raise ValueError(f"there is a file {name!r} in the artifact already")
        folder = os.path.join(self._drafts().folder, "tmp")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, part_name())
        try:
            text = None if "b" in mode else encoding or "utf-8"
            with open(path, mode, encoding=text) as file:
                yield file
            os.chmod(path, os.stat(path).st_mode & 0o444)
            self._put(name, self._take(path, may_link=True), None, overwrite="w" in mode)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def add(self, obj: Any, name: str | os.PathLike[str], overwrite: bool = False) -> ArtifactEntry:
        """Add a medium, e.g. a `Table`, as `name` with the ending of its file; pictures in its cells are added too.

        Raises:
            TypeError, ValueError: it is no medium, has no content, or the name is taken.
            UsageError: the artifact is logged already.
        """
        from tracker.media import Medium

        self._draft()
        if not isinstance(obj, Medium):
            raise TypeError(f"add() takes media, not {type(obj).__name__}: add_file() takes files")
        with tempfile.TemporaryDirectory(prefix="tracker-artifact-") as folder:
            record = obj.keep(folder, lambda _: None)
            if "path" not in record:
                raise ValueError(f"cannot add {name!r}: {record.get('trouble', 'it has no content')}")
            own = record["path"]
            for path in walk(folder, []):
                inner = os.path.relpath(path, folder).replace(os.sep, "/")
                if inner != own:
                    self.add_file(path, inner, overwrite=True)
            path = os.fspath(name)
            return self.add_file(os.path.join(folder, own), path + suffix_of(own, path), overwrite=overwrite)

    def remove(self, item: str | os.PathLike[str] | ArtifactEntry) -> None:
        """Take a file out, or all below a folder.

        Raises:
            FileNotFoundError: it is not in the artifact.
            UsageError: the artifact is logged already.
        """
        self._draft()
        path = item.path if isinstance(item, ArtifactEntry) else os.fspath(item).rstrip("/")
        going = [each for each in self._entries if each == path or each.startswith(path + "/")]
        if not going:
            raise FileNotFoundError(f"there is no {path!r} in the artifact")
        for each in going:
            del self._entries[each]
        self._folders = {folder for each in self._entries for folder in _above(each)}

    def get_entry(self, name: str | os.PathLike[str]) -> ArtifactEntry:
        """A file, by its path.

        Raises:
            KeyError: it is not in the artifact.
        """
        try:
            return self._entries[os.fspath(name)]
        except KeyError:
            raise KeyError(f"there is no {os.fspath(name)!r} in {self._manifest.name}") from None

    def get_path(self, name: str | os.PathLike[str]) -> ArtifactEntry:
        """W&B's older word for `get_entry`."""
        return self.get_entry(name)

    def files(
        self, names: Sequence[str] | None = None, per_page: int = 50, start: str | None = None
    ) -> list[ArtifactEntry]:
        """All files in order of path, or those of some names; `per_page` and `start` are W&B's, nothing is paged."""
        wanted = None if names is None else set(names)
        return [self._entries[path] for path in sorted(self._entries) if wanted is None or path in wanted]

    def _check_path(self, name: str | os.PathLike[str]) -> str:
        if not isinstance(name, (str, os.PathLike)):
            raise TypeError(f"name must be a string, not {name.__class__.__name__}")
        path = os.fspath(name).removeprefix("./")
        why = why_unsafe(path)
        if not why and any(len(part.encode()) > 255 for part in path.split("/")):
            why = "a part of it has more than 255 bytes, and no file can be called so"
        if why:
            raise ValueError(f"{path[:200]!r} cannot be a name in an artifact: {why}")
        return path

    def _drafts(self) -> Blobs:
        """Where contents go before they are logged: where the current run keeps them, else a temporary folder."""
        if self._store is None:
            run = _run.current
            is_kept = run is not None and not run.disabled and not run.is_over
            folder = os.path.join(os.path.dirname(run.file), FOLDER) if run is not None and is_kept else ""
            if folder and not os.path.islink(folder):
                self._store = Blobs(folder)
            else:
                staging = tempfile.mkdtemp(prefix="tracker-artifact-")
                self._store = Blobs(staging)
                weakref.finalize(self._store, shutil.rmtree, staging, ignore_errors=True)
        return self._store

    def _take(self, path: str, may_link: bool) -> Entry:
        """Keep a content; where the disk refuses, that is tried again when the artifact is logged."""
        try:
            blob = self._drafts().add(path, may_link)
        except StoreError as error:
            report.say([f"WARNING {clean(error)}: {clean(path)} waits to be kept until the artifact is logged"])
            with opened(path) as source:
                return Entry(*hash_of(source))
        if not blob.is_steady:
            report.say([f"WARNING {clean(path)} changes while it is copied: kept as it was found the last time"])
        return Entry(blob.digest, blob.size)

    def _put(self, path: str, entry: Entry, local_path: str | None, overwrite: bool) -> ArtifactEntry:
        before = self._entries.get(path)
        if before is not None and before._entry != entry and not overwrite:
            raise ValueError(f"there is another file {path!r} in the artifact already (overwrite=True replaces it)")
        if path in self._folders:
            raise ValueError(f"{path!r} is a folder in the artifact already: it cannot be a file too")
        if file := next((folder for folder in _above(path) if folder in self._entries), None):
            raise ValueError(f"{file!r} is a file in the artifact already: {path!r} cannot be below it")
        self._folders.update(_above(path))
        self._entries[path] = found = ArtifactEntry(cast("Artifact", self), path, entry, local_path)
        return found

    def _keep(self, store: Blobs) -> None:
        """See to it that all contents are in a store."""
        for entry in self._entries.values():
            known = entry._entry
            if known.reference or store.has(known.digest, known.size):
                continue
            drafts = self._drafts()
            is_there = drafts is not store and drafts.has(known.digest, known.size)
            source = drafts.path(known.digest) if is_there else entry.local_path
            if source is None or store.add(source, may_link=is_there).digest != known.digest:
                raise StoreError(f"{entry.path!r} could not be kept, and is not there any more as it was")


def suffix_of(path: str, name: str) -> str:
    """How a medium's file ends, unless its name does already."""
    _, dot, rest = path.rpartition("/")[2].partition(".")
    suffix = dot + rest
    return "" if name.endswith(suffix) else suffix


def _may_link(policy: str | None) -> bool:
    """Whether a policy lets a file be shared.

    Raises:
        ValueError: there is no such policy.
    """
    if policy is not None and policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)} (got {policy!r})")
    return policy == "immutable"


def _above(path: str) -> Iterator[str]:
    """The folders that a path is in: of `a/b/c` `a/b` and `a`."""
    while path := path.rpartition("/")[0]:
        yield path


def file_of(uri: str) -> str | None:
    """The path that a `file://` address leads to; None of another, also of one on another machine."""
    parts = urlsplit(uri)
    is_here = parts.scheme == "file" and parts.netloc in ("", "localhost")
    return os.fsdecode(unquote_to_bytes(parts.path)) if is_here else None


def folders_of_runs() -> set[str]:
    """The real paths of where runs are kept: the roots of active runs and their projects, else the usual root.

    What a job keeps of a folder around them is without them: each run would keep all those before it.
    """
    projects = [os.path.dirname(run.file) for run in process.runs]
    roots = list(map(os.path.dirname, projects)) or [layout.resolve_root()]
    return set(map(os.path.realpath, projects + roots))


def walk(root: str, left_out: list[str], is_skipped: Callable[[str], bool] = lambda _: False) -> Iterator[str]:
    """The regular files below a folder, in order; links are followed to files within it alone.

    Args:
        root: the folder.
        left_out: gets the paths of what is none.
        is_skipped: tells of a folder below it whether nothing in it is looked at.
    """
    real = os.path.realpath(root)
    for folder, folders, files in os.walk(root, onerror=lambda error, found=left_out: found.append(error.filename)):  # type: ignore[misc]
        folders[:] = sorted(name for name in folders if not is_skipped(os.path.join(folder, name)))
        left_out += (path for name in folders if os.path.islink(path := os.path.join(folder, name)))
        for name in sorted(files):
            path = os.path.join(folder, name)
            is_inside = not os.path.islink(path) or os.path.realpath(path).startswith(os.path.join(real, ""))
            if is_inside and os.path.isfile(path):
                yield path
            else:
                left_out.append(path)


def _referred(path: str, checksum: bool) -> Entry:
    """A file that stays where it is."""
    uri = "file://" + quote(os.fsencode(os.path.abspath(path)))
    with opened(path) as source:
        return Entry(*hash_of(source), uri) if checksum else Entry("", os.fstat(source).st_size, uri)
