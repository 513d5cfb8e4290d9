"""The files of a run, and those of the artifacts it made and used, as a tree. No Textual in it.

`found` and `version` read files or ask another machine, in a thread; everything else only arranges what they brought.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tracker import layout
from tracker.catalog import Catalog
from tracker.folders import MAX_NAMES
from tracker.records import clean
from tracker.stored import StoredRun
from tracker.sweeping import FOLDER
from tracker_tui import artifacts
from tracker_tui.artifacts import Version
from tracker_tui.contents import Place, UnreadableError
from tracker_tui.facts import named_of

MANY: Final = 20
"""Files from which on a folder is closed at first."""
MAX_ENTRIES: Final = 5000
"""Files of an artifact that are listed."""
ARTIFACTS: Final = "artifacts"

Path = tuple[str, ...]
"""The names on the way to a file or folder of the tree."""


class File(NamedTuple):
    """One file."""

    path: Path
    size: int
    """Bytes."""
    place: Place | None
    """Where its content is; None where it is elsewhere, as what an artifact only refers to."""
    about: str = ""
    """What there is to say of it beside that."""


class Node(NamedTuple):
    """One line of the tree."""

    path: Path
    size: int
    below: int
    """Files below; 0 of a file."""
    is_folder: bool
    is_open: bool
    file: File | None = None
    artifact: Artifact | None = None


class Artifact(NamedTuple):
    """A version of an artifact that a run made or used, as its journal tells it."""

    use: str
    """`made` or `used`."""
    name: str
    version: int
    type: str
    size: int
    files: int
    aliases: tuple[str, ...]
    """But for `latest`, those it had when the run said so."""
    project: str
    """Empty for the run's own."""

    @property
    def label(self) -> str:
        """`model:v3`, of another project `vision/model:v3`."""
        return f"{self.project}/{self.name}:v{self.version}".lstrip("/")


@dataclass
class Found:
    """What there is of a run."""

    files: list[File] = field(default_factory=list)
    trouble: str = ""
    """Why not all of it is here."""


def artifacts_of(run: StoredRun) -> list[Artifact]:
    """What a run made and used, the newest last."""
    found = []
    for record in run.artifacts:
        told = {name: record[name] for name in Artifact._fields if name not in ("aliases", "project")}
        project = record["project"] if record["project"] != run.project else ""
        found.append(Artifact(**told, aliases=named_of(record), project=project))
    return found


def counts(files: Iterable[File]) -> dict[str, tuple[int, int]]:
    """How many files there are in each folder of a run, and their bytes; what every run has is left out."""
    found: dict[str, tuple[int, int]] = {}
    for file in files:
        folders = [part for part in file.path[:-1] if layout.parse_segment_name(f"{part}.jsonl") is None]
        if folders:
            name = folders[0]
            number, size = found.get(name, (0, 0))
            found[name] = number + 1, size + file.size
    return found


# ---- reading, in a thread ----


def found(catalog: Catalog, run: StoredRun) -> Found:
    """The files of a run: its journals, and what is in their folders."""
    here = Found()
    names = [name for name, _ in catalog.lineage(run)]
    own = [name for name in names if (layout.parse_segment_name(name) or ("", ""))[1] == run.key.id]
    project = run.key.project
    for name in own:
        part = catalog.files.read_part(project, name, 0, 0)
        here.files.append(File((name,), part.size, Place(catalog.files, project, (name,)), part.trouble))
        stem = name.removesuffix(".jsonl")
        above = (stem,) if len(own) > 1 else ()
        try:
            inside = catalog.files.folder_files(project, stem) or []
        except (OSError, ValueError) as error:
            here.trouble = clean(error)
            continue
        if len(inside) >= MAX_NAMES:
            here.trouble = f"only {MAX_NAMES:,} files are listed"
        for each in inside:
            path = (*above, *each.path.split("/")[1:])
            here.files.append(File(path, each.size, Place(catalog.files, project, (each.path,))))
    return here


def version(catalog: Catalog, runs: list[StoredRun], run: StoredRun, artifact: Artifact) -> Version:
    """A version of an artifact that a run made or used.

    Args:
        catalog: of the root.
        runs: all under the root.
        run: which one.
        artifact: of those it made or used.

    Raises:
        UnreadableError: it is gone, or cannot be read.
    """
    project = layout.file_name(artifact.project) if artifact.project else run.key.project
    try:
        found = artifacts.version(catalog, runs, project, artifact.name, artifact.version)
    except (OSError, ValueError) as error:
        raise UnreadableError(clean(error)) from None
    if found is None:
        raise UnreadableError("it was deleted, or its manifest is damaged")
    return found


def inside(version: Version) -> list[File]:
    """The files of a version, named by their paths in it."""
    files = []
    for path, entry in list(version.manifest.entries.items())[:MAX_ENTRIES]:
        parts = tuple(clean(part, 200) for part in path.split("/"))
        content = f"{FOLDER}/blobs/{entry.digest[:2]}/{entry.digest}"
        place = None if entry.reference else Place(version.catalog.files, version.folder, (content,))
        files.append(File(parts, entry.size, place, clean(entry.reference, 500)))
    return files


# ---- the tree ----


class FileTree:
    """What is shown of files: which folders are open, which words are in names."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.artifacts: dict[Path, Artifact] = {}
        self.words: tuple[str, ...] = ()
        """What paths must contain, in lower case."""
        self._toggled: set[Path] = set()

    def put(self, files: Iterable[File], artifacts: Sequence[Artifact], inside: Mapping[Artifact, list[File]]) -> None:
        """Show these.

        Args:
            files: of the run.
            artifacts: that it made and used.
            inside: the files of those whose manifests were read.
        """
        self.files = list(files)
        self.artifacts = {(ARTIFACTS, f"{each.use} {each.label}"): each for each in artifacts}
        for path, artifact in self.artifacts.items():
            self.files += [file._replace(path=path + file.path) for file in inside.get(artifact, ())]

    def toggle(self, path: Path) -> None:
        """Open a folder, or close it."""
        self._toggled ^= {path}

    def nodes(self) -> list[Node]:
        """The lines, folders before files."""
        kept = [file for file in self.files if all(word in "/".join(file.path).lower() for word in self.words)]
        below: dict[Path, list[File]] = {}
        for file in kept:
            for depth in range(len(file.path)):
                below.setdefault(file.path[:depth], []).append(file)
        for path in self.artifacts:
            if all(word in "/".join(path).lower() for word in self.words):
                below.setdefault(path, [])
                below.setdefault(path[:-1], [])
        inside: dict[Path, set[Path]] = {}
        for path in below:
            if path:
                inside.setdefault(path[:-1], set()).add(path)
        return list(self._inside((), below, inside))

    def _inside(
        self, above: Path, below: Mapping[Path, list[File]], folders: Mapping[Path, Collection[Path]]
    ) -> Iterable[Node]:
        for path in sorted(folders.get(above, ()), key=lambda each: (each[0] == ARTIFACTS, each)):
            files = below[path]
            artifact = self.artifacts.get(path)
            is_open = bool(self.words and files) or (
                (len(files) < MANY and artifact is None) != (path in self._toggled)
            )
            size, count = sum(file.size for file in files), len(files)
            versions = [each for at, each in self.artifacts.items() if at[: len(path)] == path]
            if versions:  # not all were opened
                size, count = sum(each.size for each in versions), sum(each.files for each in versions)
            yield Node(path, size, count, True, is_open, artifact=artifact)
            if is_open:
                yield from self._inside(path, below, folders)
        here = (file for file in below.get(above, ()) if file.path[:-1] == above)
        for file in sorted(here, key=lambda each: each.path):
            yield Node(file.path, file.size, 0, False, False, file)
