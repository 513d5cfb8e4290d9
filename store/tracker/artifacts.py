"""`Artifact`: files that are kept, in versions, with a run that made them and runs that used them.

A file is hashed and copied when it is added, so the caller may change or remove it at once; `log_artifact` then puts down
a manifest, and the version is there. Contents are kept once in a project, whatever versions and artifacts they are in.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, unquote, urlsplit

from tracker import _run, layout, report
from tracker.blobs import Blob, Blobs, StoreError, deliver, is_content, part_name
from tracker.errors import ChecksumError, Error, UsageError
from tracker.manifests import LATEST, Entry, Manifest, check_aliases, check_name, why_unsafe
from tracker.records import clean
from tracker.versions import FOLDER, Collection, Versions, find

if TYPE_CHECKING:
    from tracker._run import Run
    from tracker.api import ApiRun

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


class Artifact:
    """Files under one name, to be logged as a version of it.

    Args:
        name: 1 to 128 letters, digits, `_`, `-` and `.`.
        type: what it is, e.g. `model` or `dataset`.
        description: in words.
        metadata: whatever JSON holds.
        incremental: it has the files of the version before too, but for those that are added.
        others: W&B's `use_as` and `storage_region`; without effect here.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value; the message names it.
    """

    def __init__(
        self,
        name: str,
        type: str,  # noqa: A002 - W&B's word
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        incremental: bool = False,
        **others: Any,
    ) -> None:
        if strange := set(others) - {"use_as", "storage_region"}:
            raise TypeError(f"Artifact() does not know {', '.join(sorted(strange))}")
        if not isinstance(type, str):
            raise TypeError(f"type must be a string, not {type.__class__.__name__}")
        if not clean(type).strip() or len(type) > 128:
            raise ValueError(f"type must have 1 to 128 characters (got {type[:140]!r})")
        self._manifest = Manifest(check_name(name), type)
        self._collection: Collection | None = None
        self._entries: dict[str, ArtifactEntry] = {}
        self._incremental = incremental
        self._aliases: list[str] = []
        self._store: Blobs | None = None
        self._staging: tempfile.TemporaryDirectory[str] | None = None
        self._trouble = ""
        self.description = description
        self.metadata = dict(metadata or {})

    @classmethod
    def _of(cls, collection: Collection, manifest: Manifest, known: Versions) -> Self:
        """A version that is there."""
        artifact = cls.__new__(cls)
        artifact._store = artifact._staging = None
        artifact._incremental, artifact._trouble = False, ""
        artifact._settle(collection, manifest, known)
        return artifact

    def _settle(self, collection: Collection, manifest: Manifest, known: Versions) -> None:
        self._collection, self._manifest = collection, manifest
        self._entries = {path: ArtifactEntry(self, path, entry) for path, entry in manifest.entries.items()}
        self._aliases = known.aliases_of(manifest.version)

    # ---- what it is ----

    @property
    def name(self) -> str:
        """`name:v3`; without a version before it is logged."""
        return self._manifest.name if self.is_draft() else f"{self._manifest.name}:{self.version}"

    @property
    def source_name(self) -> str:
        """The same as `name`."""
        return self.name

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`."""
        return f"{self.project}/{self.name}" if self.project else self.name

    @property
    def project(self) -> str:
        """Where it is kept; empty before it is logged."""
        if self._collection is None:
            return ""
        made, folder = self._manifest.project, self._collection.project
        return made if layout.file_name(made) == folder else layout.true_name(folder)

    @property
    def type(self) -> str:
        return self._manifest.type

    @property
    def version(self) -> str:
        """`v0`, `v1` ...

        Raises:
            UsageError: it is not logged.
        """
        return f"v{self._logged()[1].version}"

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

    @property
    def state(self) -> str:
        """PENDING, COMMITTED when it is logged, DELETED."""
        return "DELETED" if self._trouble == "deleted" else "PENDING" if self.is_draft() else "COMMITTED"

    @property
    def description(self) -> str | None:
        """In words; set it before it is logged."""
        return self._manifest.description or None

    @description.setter
    def description(self, text: str | None) -> None:
        if text is not None and not isinstance(text, str):
            raise TypeError(f"description must be a string, not {text.__class__.__name__}")
        self._draft().description = text or ""

    @property
    def metadata(self) -> dict[str, Any]:
        """Whatever JSON holds; set it before it is logged."""
        return self._manifest.metadata

    @metadata.setter
    def metadata(self, metadata: Mapping[str, Any]) -> None:
        if not isinstance(metadata, Mapping):
            raise TypeError(f"metadata must be a mapping, not {metadata.__class__.__name__}")
        self._draft().metadata = dict(metadata)

    @property
    def aliases(self) -> list[str]:
        """Names of this version, e.g. `latest` and `best`. Change the list or set another; `save()` writes it."""
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: Sequence[str]) -> None:
        self._aliases = check_aliases(aliases)

    @property
    def created_at(self) -> str | None:
        """When it was logged, in UTC, as ISO 8601; None before."""
        return None if self.is_draft() else datetime.fromtimestamp(self._manifest.created, UTC).isoformat()

    def is_draft(self) -> bool:
        """Whether it is not logged yet."""
        return self._collection is None

    @property
    def entries(self) -> dict[str, ArtifactEntry]:
        """Its files, by their paths."""
        return dict(self._entries)

    @property
    def manifest(self) -> Self:
        """W&B's way to `entries`."""
        return self

    def __repr__(self) -> str:
        return f"<Artifact {self.qualified_name!r} {self.type!r}, {len(self._entries)} files>"

    def _draft(self) -> Manifest:
        if not self.is_draft():
            raise UsageError(f"{self.name} is logged and does not change any more: `new_draft()` begins another version")
        return self._manifest

    def _logged(self) -> tuple[Collection, Manifest]:
        if self._collection is None:
            raise UsageError(self._trouble or f"artifact {self._manifest.name!r} is not logged yet")
        return self._collection, self._manifest

    def _sealed(self) -> Manifest:
        if self.is_draft():
            self._manifest.entries = {path: entry._entry for path, entry in self._entries.items()}
            self._manifest.seal()
        return self._manifest

    # ---- what is in it ----

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
        if policy is not None and policy not in POLICIES:
            raise ValueError(f"policy must be one of {', '.join(POLICIES)} (got {policy!r})")
        path = os.fsdecode(local_path)
        if not os.path.isfile(path):
            raise ValueError(f"{path!r} is no regular file")
        name = self._check_path(os.path.basename(path) if name is None else name)
        entry = self._take(path, policy == "immutable")
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
        """Add all files below a folder. Left out, with one warning, are links that lead out of it or to folders, pipes and
        devices, and what cannot be read.

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
        root = os.fsdecode(local_path)
        if not os.path.isdir(root):
            raise ValueError(f"{root!r} is no folder")
        left_out: list[str] = []
        for path in _walk(root, left_out):
            inner = os.path.relpath(path, root).replace(os.sep, "/")
            if why_unsafe(inner):
                left_out.append(inner)
                continue
            try:
                self.add_file(path, f"{name}/{inner}" if name else inner, policy=policy, overwrite=merge)
            except OSError:
                left_out.append(inner)
        if left_out:
            more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
            report.say([f"WARNING artifact {self._manifest.name} is without {clean(left_out[0])}{more}:"
                        " links out of the folder, or nothing that can be read"])  # fmt: skip

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
        if not parts.scheme:
            raise ValueError(f"a reference is a URI; of a file here file://... (got {uri[:200]!r})")
        if parts.scheme != "file":
            last = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc
            return [self._put(self._check_path(name or last), Entry(reference=uri), None, overwrite=False)]
        path = unquote(parts.path)
        if not os.path.isdir(path):
            found = {name or os.path.basename(path): path}
        else:
            inside = [os.path.relpath(each, path).replace(os.sep, "/") for each in _walk(path, [])]
            found = {f"{name}/{inner}" if name else inner: os.path.join(path, inner) for inner in inside}
        if len(found) > (max_objects or MAX_OBJECTS):
            raise ValueError(f"{uri[:200]!r} has {len(found):,} files: max_objects is {max_objects or MAX_OBJECTS:,}")
        return [
            self._put(self._check_path(inner), _referred(each, checksum), None, overwrite=False)
            for inner, each in found.items()
        ]

    @contextlib.contextmanager
    def new_file(self, name: str, mode: str = "x", encoding: str | None = None) -> Iterator[IO[Any]]:
        """A new file to write to; it is added at the end of `with`, unless that is left by an exception.

        Args:
            name: what it is called in the artifact.
            mode: as for `open`; with `w` it may take the place of another.
            encoding: of text; default UTF-8.

        Raises:
            TypeError, ValueError: the name is no path below the artifact, or taken.
            UsageError: the artifact is logged already.
        """
        self._draft()
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

    def get_entry(self, name: str | os.PathLike[str]) -> ArtifactEntry:
        """A file, by its path.

        Raises:
            KeyError: it is not in the artifact.
        """
        try:
            return self._entries[os.fspath(name)]
        except KeyError:
            raise KeyError(f"there is no {os.fspath(name)!r} in {self.name}") from None

    def get_path(self, name: str | os.PathLike[str]) -> ArtifactEntry:
        """W&B's older word for `get_entry`."""
        return self.get_entry(name)

    def files(self, names: Sequence[str] | None = None, per_page: int = 50) -> list[ArtifactEntry]:
        """All files in order of path, or those of some names; `per_page` is W&B's."""
        wanted = None if names is None else set(names)
        return [self._entries[path] for path in sorted(self._entries) if wanted is None or path in wanted]

    def new_draft(self) -> Artifact:
        """Another artifact of the same name, type and files, to be changed and logged as the next version."""
        collection, manifest = self._logged()
        draft = Artifact(manifest.name, manifest.type, manifest.description, manifest.metadata)
        draft._store = collection.store
        draft._entries = {path: ArtifactEntry(draft, path, entry) for path, entry in manifest.entries.items()}
        return draft

    def _check_path(self, name: str) -> str:
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {name.__class__.__name__}")
        path = name.removeprefix("./")
        if why := why_unsafe(path):
            raise ValueError(f"{name[:200]!r} cannot be a name in an artifact: {why}")
        return path

    def _drafts(self) -> Blobs:
        """Where contents go before the artifact is logged: where the current run keeps them, else a temporary folder."""
        if self._store is None:
            run = _run.current
            if run is not None and not run.disabled and not run.is_over:
                self._store = Blobs(os.path.join(os.path.dirname(run.file), FOLDER))
            else:
                self._staging = tempfile.TemporaryDirectory(prefix="tracker-artifact-", ignore_cleanup_errors=True)
                self._store = Blobs(self._staging.name)
        return self._store

    def _take(self, path: str, may_link: bool) -> Entry:
        """Keep a content; where the disk refuses, that is told by `wait`, and tried again when the artifact is logged."""
        try:
            blob = self._drafts().add(path, may_link)
        except StoreError as error:
            report.say([f"WARNING {clean(error)}: {clean(path)} waits to be kept until the artifact is logged"])
            return Entry()
        if not blob.is_steady:
            report.say([f"WARNING {clean(path)} changes while it is copied: kept as it was found the last time"])
        return Entry(blob.digest, blob.size)

    def _put(self, path: str, entry: Entry, local_path: str | None, overwrite: bool) -> ArtifactEntry:
        before = self._entries.get(path)
        if before is not None and before._entry != entry and not overwrite:
            raise ValueError(f"there is another file {path!r} in the artifact already (overwrite=True replaces it)")
        self._entries[path] = found = ArtifactEntry(self, path, entry, local_path)
        return found

    # ---- logging ----

    def wait(self, timeout: int | None = None) -> Self:
        """The artifact itself: it is there when `log_artifact` returns.

        Raises:
            Error: it could not be kept; the message says why.
        """
        if self._trouble:
            raise Error(self._trouble)
        return self

    def save(self, project: str | None = None, settings: Any = None) -> None:
        """Write the aliases that were set; log the artifact with the current run, if it is not logged.

        Raises:
            UsageError: it is not logged, and there is no current run.
            StoreError: it cannot be written.
        """
        if self.is_draft():
            _run.active("log_artifact").log_artifact(self, aliases=self._aliases)
            return
        collection, manifest = self._logged()
        before = collection.read().aliases_of(manifest.version)
        add = [alias for alias in check_aliases(self._aliases) if alias not in before]
        remove = [alias for alias in before if alias not in self._aliases]
        if add or remove:
            collection.move(manifest.version, add, remove)

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete this version. Its number is never given again; `tracker-tui purge` removes contents that nothing has.

        Args:
            delete_aliases: also if it has aliases besides `latest`.

        Raises:
            Error: it has aliases.
            StoreError: it cannot be written.
        """
        collection, manifest = self._logged()
        named = [alias for alias in collection.read().aliases_of(manifest.version) if alias != LATEST]
        if named and not delete_aliases:
            raise Error(f"{self.name} is {', '.join(named)}: delete_aliases=True deletes it all the same")
        collection.delete(manifest.version)
        self._trouble = "deleted"

    def _commit(self, run: Run, aliases: Sequence[str]) -> None:
        """Become a version in the project of a run, if the disk takes it."""
        project = os.path.dirname(run.file)
        collection = Collection(*os.path.split(project), layout.file_name(self._manifest.name))
        manifest = self._draft()
        try:
            known = collection.read()
            if self._incremental and (last := known.find(LATEST)) is not None:
                inherited = {path: ArtifactEntry(self, path, entry) for path, entry in last.entries.items()}
                self._entries = inherited | self._entries
            self._keep(collection.store)
            self._sealed()
            manifest.aliases = [alias for alias in aliases if alias != LATEST]
            manifest.project, manifest.run = run.project, run.id
            kept = collection.add(manifest)
            self._keep(collection.store)  # a sweep at the same time knows the manifest now
            if kept is not manifest:
                collection.move(kept.version, [*manifest.aliases, LATEST])
        except (StoreError, OSError) as error:
            self._trouble = f"artifact {self._manifest.name} is not kept: {error}"
            run._warn(f"artifact {self._manifest.name}", self._trouble)
            return
        self._trouble, self._store, self._staging = "", None, None
        self._settle(collection, kept, collection.read())

    def _keep(self, store: Blobs) -> None:
        """See to it that all contents are in a store."""
        for entry in self._entries.values():
            known = entry._entry
            if known.reference or (known.digest and store.has(known.digest, known.size)):
                continue
            drafts = self._drafts()
            is_there = known.digest and drafts is not store and drafts.has(known.digest, known.size)
            source = drafts.path(known.digest) if is_there else entry.local_path
            if source is None:
                raise StoreError(f"the content of {entry.path!r} is gone")
            blob = store.add(source, may_link=bool(is_there))
            entry._entry = Entry(blob.digest, blob.size)

    # ---- taking it ----

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:
        """Put its files below a folder; each is checked, and files of the same names are replaced.

        Args:
            root: the folder; default `./artifacts/<name>-v<N>`, where files are read-only and, where that can be, no
                copies but links.
            allow_missing_references: go on where a reference leads to nothing.
            skip_cache: W&B's; nothing is cached here.
            path_prefix: only files whose paths begin so.
            multipart: W&B's.

        Returns:
            The folder.

        Raises:
            ChecksumError: a content is damaged, or what a reference leads to has changed.
            Error: a file cannot be read or written.
            UsageError: the artifact is not logged.
        """
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        chosen = [entry for entry in self._entries.values() if entry.path.startswith(prefix)]
        return self._download(chosen, root, allow_missing_references)[0]

    def _download(
        self, entries: Iterable[ArtifactEntry], root: str | os.PathLike[str] | None, may_miss: bool = False
    ) -> tuple[str, str]:
        """The folder, and the path of the last file."""
        collection, manifest = self._logged()
        folder = os.path.join("artifacts", f"{manifest.name}-{self.version}") if root is None else os.fsdecode(root)
        folder, path = os.path.abspath(folder), ""
        elsewhere = []
        try:
            os.makedirs(folder, exist_ok=True)
            real, made = os.path.realpath(folder), set[str]()
            for entry in entries:
                source = _source_of(entry, collection.store)
                if source is None:
                    elsewhere.append(entry.path)
                    continue
                path = os.path.join(folder, *entry.path.split("/"))
                _make_folder(os.path.dirname(path), real, made)
                if may_miss and entry.ref and not os.path.exists(source):
                    elsewhere.append(entry.path)
                    continue
                _deliver(entry, source, path, may_link=root is None and not entry.ref)
        except OSError as error:
            raise Error(f"cannot download {self.name} ({error})") from error
        if elsewhere:
            report.say([f"WARNING {self.name}: {len(elsewhere)} references are left where they are"])
        return folder, path

    def checkout(self, root: str | os.PathLike[str] | None = None) -> str:
        """The same as `download`, and remove what else is below the folder."""
        folder = self.download(root)
        for path in _walk(folder, []):
            if os.path.relpath(path, folder).replace(os.sep, "/") not in self._entries:
                os.unlink(path)
        return folder

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Compare a folder with the artifact.

        Args:
            root: the folder; default where `download` puts it.

        Raises:
            ChecksumError: a file is missing, has another content, or is not in the artifact; the message names it.
            UsageError: the artifact is not logged.
        """
        manifest = self._logged()[1]
        folder = os.path.join("artifacts", f"{manifest.name}-{self.version}") if root is None else os.fsdecode(root)
        for path, entry in manifest.entries.items():
            place = os.path.join(folder, *path.split("/"))
            if entry.digest and not is_content(place, Blob(entry.digest, entry.size)):
                raise ChecksumError(f"{place} is not what is in {self.name}")
        for place in _walk(folder, []):
            if os.path.relpath(place, folder).replace(os.sep, "/") not in manifest.entries:
                raise ChecksumError(f"{place} is not in {self.name}")

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Download the only file of the artifact; its path.

        Raises:
            ValueError: it has several, or none.
        """
        if len(self._entries) != 1:
            raise ValueError(f"{self.name} has {len(self._entries)} files: use download(), or get_entry() and download()")
        return next(iter(self._entries.values())).download(root)

    # ---- who made and used it ----

    def logged_by(self) -> ApiRun | None:
        """The run that made it, as `Api` gives it; None where none did, or it is gone."""
        from tracker.api import Api

        collection, manifest = self._logged()
        runs = Api(collection.root).runs(manifest.project) if manifest.run else ()
        return next((run for run in runs if run.id == manifest.run), None)

    def used_by(self) -> list[ApiRun]:
        """The runs that used it, the oldest first, in any project of the same root."""
        from tracker.api import Api

        collection, manifest = self._logged()
        wanted = ("used", manifest.name, manifest.version, collection.project)
        return [run for run in Api(collection.root).runs() if any(_place(use) == wanted for use in run.lineage)]


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return record["use"], record["name"], record["version"], layout.file_name(record["project"])


def _walk(root: str, left_out: list[str]) -> Iterator[str]:
    """The regular files below a folder, in order; links are followed to files within it alone."""
    real = os.path.realpath(root)
    for folder, folders, files in os.walk(root, onerror=lambda error: left_out.append(str(error.filename))):
        folders.sort()
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
    from tracker.blobs import hash_of, opened

    uri = "file://" + quote(os.path.abspath(path))
    with opened(path) as source:
        return Entry(*hash_of(source), uri) if checksum else Entry("", os.fstat(source).st_size, uri)


def _source_of(entry: ArtifactEntry, store: Blobs) -> str | None:
    """Where a file can be copied from; None where that is on another machine."""
    if entry.ref is None:
        return store.path(entry.digest)
    parts = urlsplit(entry.ref)
    return unquote(parts.path) if parts.scheme == "file" else None


def _make_folder(folder: str, root: str, made: set[str]) -> None:
    """Make a folder below another, through no link that leads out of it."""
    if folder in made:
        return
    real = os.path.realpath(folder)
    if real != root and not real.startswith(os.path.join(root, "")):
        raise Error(f"{folder} leads out of {root}")
    os.makedirs(folder, exist_ok=True)
    made.add(folder)


def _deliver(entry: ArtifactEntry, source: str, path: str, may_link: bool) -> None:
    blob = Blob(entry.digest, entry.size)
    if not entry.digest:  # of a reference without a checksum
        import shutil

        shutil.copyfile(source, path)
    elif not is_content(path, blob):
        deliver(source, blob, path, may_link)


# ---- with a run ----


def log(
    run: Run,
    given: Artifact | str | os.PathLike[str],
    name: str | None,
    type: str | None,  # noqa: A002
    aliases: Sequence[str] | None,
) -> Artifact:
    """What `Run.log_artifact` does."""
    artifact = given if isinstance(given, Artifact) else _gathered(run, given, name, type)
    wanted = check_aliases(aliases or ())
    if run.disabled:
        return artifact
    if not artifact.is_draft():
        artifact.aliases = [*artifact.aliases, *wanted]
        artifact.save()
        return artifact
    artifact._commit(run, wanted)
    if not artifact.is_draft():
        run._note_artifact("made", describe(artifact))
    return artifact


def _gathered(run: Run, given: str | os.PathLike[str], name: str | None, type: str | None) -> Artifact:  # noqa: A002
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"log_artifact() takes an Artifact or a path, not {given.__class__.__name__}")
    path = os.fsdecode(given)
    last = os.path.basename(os.path.normpath(path))
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in last)
    artifact = Artifact(name or f"run-{run.id}-{safe}"[:128], type or "unspecified")
    if "://" in path:
        artifact.add_reference(path)
    elif os.path.isdir(path):
        artifact.add_dir(path)
    else:
        artifact.add_file(path)
    return artifact


def use(run: Run, given: str | Artifact, type: str | None) -> Artifact:  # noqa: A002
    """What `Run.use_artifact` does."""
    if isinstance(given, Artifact):
        artifact = log(run, given, None, None, None) if given.is_draft() else given
    else:
        root, project = os.path.split(os.path.dirname(run.file))
        artifact = Artifact._of(*find(root, given, layout.true_name(project)))
    if type is not None and artifact.type != type:
        raise ValueError(f"{artifact.name} is of type {artifact.type!r}, not {type!r}")
    if not run.disabled and not artifact.is_draft():
        run._note_artifact("used", describe(artifact))
    return artifact


def describe(artifact: Artifact) -> dict[str, Any]:
    """What a run's journal says of an artifact."""
    manifest = artifact._logged()[1]
    return {
        "name": manifest.name,
        "version": manifest.version,
        "type": manifest.type,
        "digest": manifest.digest,
        "size": manifest.size,
        "files": len(manifest.entries),
        "aliases": list(artifact.aliases),
        "project": artifact.project,
    }
