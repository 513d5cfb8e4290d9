"""`Artifact`: files that are kept, in versions, with a run that made them and runs that used them.

Contents are kept once in a project, whatever versions and artifacts they are in; `log_artifact` puts down a manifest,
and the version is there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from tracker import _run, layout, report
from tracker.blobs import Blob, Blobs, StoreError, deliver, is_content
from tracker.contents import ArtifactEntry, Contents, file_of, walk
from tracker.errors import ChecksumError, Error, UsageError
from tracker.manifests import LATEST, Manifest, check_aliases, check_name, is_utf8
from tracker.records import clean
from tracker.versions import Collection, Versions, find, parse_path

if TYPE_CHECKING:
    from tracker._run import Run
    from tracker.api import ApiRun
    from tracker.table import Table

TABLE: Final = ".table.json"


class Artifact(Contents):
    """Files under one name, to be logged as a version of it.

    Args:
        name: 1 to 128 letters, digits, `_`, `-` and `.`.
        type: what it is, e.g. `model` or `dataset`.
        description: in words.
        metadata: whatever JSON holds.
        incremental: it has the files of the version before too, but for those that are added.
        others: W&B's `use_as`, `storage_region` and `digest_algorithm`; without effect here.

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
        if strange := set(others) - {"use_as", "storage_region", "digest_algorithm"}:
            raise TypeError(f"Artifact() does not know {', '.join(sorted(strange))}")
        if not isinstance(type, str):
            raise TypeError(f"type must be a string, not {type.__class__.__name__}")
        if not clean(type).strip() or len(type) > 128 or not is_utf8(type):
            raise ValueError(f"type must have 1 to 128 characters, none of them half a surrogate (got {type[:140]!r})")
        super().__init__(Manifest(check_name(name), type))
        self._collection: Collection | None = None
        self._incremental = incremental
        self._aliases: list[str] = []
        self._aliases_before: tuple[str, ...] = ()
        self._updated = 0.0
        self._trouble = ""
        self._is_deleted = False
        self.description = description
        self.metadata = dict(metadata or {})

    @classmethod
    def _of(cls, collection: Collection, manifest: Manifest, known: Versions) -> Self:
        """A version that is there."""
        artifact = cls("version", "of")
        artifact._settle(collection, manifest, known)
        return artifact

    def _settle(self, collection: Collection, manifest: Manifest, known: Versions) -> None:
        self._collection, self._manifest, self._is_draft = collection, manifest, False
        self._fill(manifest.entries.items())
        self._aliases = []
        self._see(known)

    def _see(self, known: Versions) -> None:
        """Know the aliases as they are now; `save` writes what is changed from here on."""
        number = self._manifest.version
        self._aliases[:] = self._aliases_before = tuple(known.aliases_of(number))
        self._updated = max([self._manifest.created, *(move.time for move in known.moves if move.version == number)])

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
    def source_qualified_name(self) -> str:
        """The same as `qualified_name`."""
        return self.qualified_name

    @property
    def source_project(self) -> str:
        """The same as `project`."""
        return self.project

    @property
    def source_version(self) -> str:
        """The same as `version`."""
        return self.version

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
    def state(self) -> str:
        """PENDING, COMMITTED when it is logged, DELETED."""
        return "DELETED" if self._is_deleted else "PENDING" if self.is_draft() else "COMMITTED"

    @property
    def description(self) -> str | None:
        """In words; set it before it is logged."""
        return self._manifest.description or None

    @description.setter
    def description(self, text: str | None) -> None:
        if text is not None and not isinstance(text, str):
            raise TypeError(f"description must be a string, not {text.__class__.__name__}")
        self._draft().description = (text or "").encode("utf-8", "replace").decode("utf-8")

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
        """Names of this version when it was read, e.g. `latest` and `best`. Change the list or set another; `save()`
        writes what was changed."""
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: Sequence[str]) -> None:
        self._aliases = check_aliases(aliases)

    @property
    def created_at(self) -> str | None:
        """When it was logged, in UTC, as ISO 8601; None before."""
        return None if self.is_draft() else datetime.fromtimestamp(self._manifest.created, UTC).isoformat()

    @property
    def updated_at(self) -> str | None:
        """When it was logged or its aliases moved, as `created_at`; None before."""
        return None if self.is_draft() else datetime.fromtimestamp(self._updated, UTC).isoformat()

    def is_draft(self) -> bool:
        """Whether it is not logged yet."""
        return self._is_draft

    @property
    def manifest(self) -> Self:
        """W&B's way to `entries`."""
        return self

    def __repr__(self) -> str:
        return f"<Artifact {self.qualified_name!r} {self.type!r}, {len(self._entries)} files>"

    def _logged(self) -> tuple[Collection, Manifest]:
        if self._collection is None:
            raise UsageError(self._trouble or f"artifact {self._manifest.name!r} is not logged yet")
        return self._collection, self._manifest

    def new_draft(self) -> Artifact:
        """Another artifact of the same name, type and files, to be changed and logged as the next version."""
        collection, manifest = self._logged()
        draft = Artifact(manifest.name, manifest.type, manifest.description, manifest.metadata)
        draft._store = collection.store
        draft._fill(manifest.entries.items())
        return draft

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
        """Write what was changed of the aliases; log the artifact with the current run, if it is not logged.

        Others that came or went meanwhile stay as they are.

        Raises:
            UsageError: it is not logged, and there is no current run.
            StoreError: it cannot be written.
        """
        if self.is_draft():
            _run.active("log_artifact").log_artifact(self, aliases=self._aliases)
            return
        before, after = self._aliases_before, check_aliases(self._aliases)
        self._move([alias for alias in after if alias not in before], [each for each in before if each not in after])

    def _move(self, add: Sequence[str], remove: Sequence[str] = ()) -> None:
        """Give the version aliases, and take some away."""
        collection, manifest = self._logged()
        known = collection.read()
        there = known.aliases_of(manifest.version)
        add, remove = [each for each in add if each not in there], [each for each in remove if each in there]
        if add or remove:
            collection.move(known, manifest.version, add, remove)
        self._see(known)

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
        self._is_deleted = True

    def _commit(self, run: Run, aliases: Sequence[str]) -> None:
        """Become a version in the project of a run, if the disk takes it."""
        manifest = self._manifest
        try:
            collection = _collection(run, manifest.name)
            collection.check_place()
            known = collection.read()
            if self._incremental and (last := collection.find(known, LATEST)) is not None:
                self._inherit(last.entries.items())
            self._keep(collection.store)
            self._sealed()
            manifest.aliases = [alias for alias in aliases if alias != LATEST]
            manifest.project, manifest.run = run.project, run.id
            kept = collection.add(manifest, known)
            self._keep(collection.store)  # a sweep at the same time knows the manifest now
            wanted = {*manifest.aliases, LATEST}
            if kept is not manifest and not wanted <= set(known.aliases_of(kept.version)):
                collection.move(known, kept.version, sorted(wanted))
        except (StoreError, OSError) as error:
            self._trouble = f"artifact {self._manifest.name} is not kept: {error}"
            run._warn(f"artifact {self._manifest.name}", self._trouble)
            return
        self._trouble, self._store = "", None
        self._settle(collection, kept, known)

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

    def get(self, name: str) -> Table:
        """A table that was added as `name`.

        Raises:
            KeyError: there is none.
            ChecksumError, Error: it cannot be read.
            UsageError: the artifact is not logged.
        """
        from tracker.table import Table

        entry = self.get_entry(name if name.endswith(TABLE) else name + TABLE)
        with (
            tempfile.TemporaryDirectory(prefix="tracker-artifact-") as folder,
            open(entry.download(folder), "rb") as file,
        ):
            return Table.load(file.read())

    def checkout(self, root: str | os.PathLike[str] | None = None) -> str:
        """The same as `download`, and remove what else is below the folder."""
        folder = self.download(root)
        for path in walk(folder, []):
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
        for place in walk(folder, []):
            if os.path.relpath(place, folder).replace(os.sep, "/") not in manifest.entries:
                raise ChecksumError(f"{place} is not in {self.name}")

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Download the only file of the artifact; its path.

        Raises:
            ValueError: it has several, or none.
        """
        if len(self._entries) != 1:
            raise ValueError(
                f"{self.name} has {len(self._entries)} files: use download(), or get_entry() and download()"
            )
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
        from tracker.api import users_of

        collection, manifest = self._logged()
        return users_of(collection, manifest)


def _source_of(entry: ArtifactEntry, store: Blobs) -> str | None:
    """Where a file can be copied from; None where that is on another machine."""
    if entry.ref is None:
        return store.path(entry.digest)
    return file_of(entry.ref)


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
    blob = Blob(entry.digest, entry.size) if entry.digest else None  # of a reference without a checksum
    if blob is None or not is_content(path, blob):
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
    if not artifact.is_draft():
        try:
            artifact.save()
            artifact._move(wanted)
        except StoreError as error:
            run._warn(f"artifact {artifact.name}", f"the aliases of {artifact.name} are not kept: {error}")
        return artifact
    artifact._commit(run, wanted)
    if run.disabled:
        _pretended.setdefault(run, {})[artifact._manifest.name] = artifact
    elif not artifact.is_draft():
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
        artifact = _found(run, given, type)
    if type is not None and artifact.type != type:
        raise ValueError(f"{artifact.name} is of type {artifact.type!r}, not {type!r}")
    if not run.disabled and not artifact.is_draft():
        run._note_artifact("used", describe(artifact))
    return artifact


def _found(run: Run, text: str, type: str | None) -> Artifact:  # noqa: A002
    """The version that a run means."""
    name = parse_path(text, run.project)[1]
    if run.disabled and name in (pretended := _pretended.get(run, {})):
        return pretended[name]
    try:
        return Artifact._of(*find(os.path.dirname(os.path.dirname(run.file)), text, run.project))
    except Error:
        if not run.disabled:
            raise
        return log(run, Artifact(name, type or "unspecified"), None, None, None)


_pretended: Final[weakref.WeakKeyDictionary[Run, dict[str, Artifact]]] = weakref.WeakKeyDictionary()
"""What disabled runs logged: the last of each name. Their scripts go on as if it were kept."""


def _collection(run: Run, name: str) -> Collection:
    """Where a run's versions of an artifact are kept; what a disabled one logs, as long as somebody holds it."""
    root, project = os.path.split(os.path.dirname(run.file))
    if run.disabled:
        root = tempfile.mkdtemp(prefix="tracker-artifact-")
    collection = Collection(root, project, layout.file_name(name))
    if run.disabled:
        weakref.finalize(collection.store, shutil.rmtree, root, ignore_errors=True)
    return collection


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
