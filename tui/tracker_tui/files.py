"""The files of a run, and those of the artifacts it made and used, as a tree. No Textual in it.

`found` and `manifest` read files or ask another machine, in a thread; everything else only arranges what they brought.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from tracker import layout
from tracker.catalog import Catalog
from tracker.folders import MAX_NAMES
from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui.contents import Place, UnreadableError, read

MANY: Final = 20
"""Files from which on a folder is closed at first."""
MAX_ENTRIES: Final = 5000
"""Files of an artifact that are listed."""
MAX_MANIFEST: Final = 16 << 20
ARTIFACTS: Final = "artifacts"
STORE: Final = ".artifacts"
"""In a project's folder: where artifacts are."""

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
    project: str

    @property
    def label(self) -> str:
        """`model:v3`."""
        return f"{self.name}:v{self.version}"


@dataclass
class Found:
    """What there is of a run."""

    files: list[File] = field(default_factory=list)
    trouble: str = ""
    """Why not all of it is here."""


def artifacts_of(records: Iterable[Mapping[str, Any]]) -> list[Artifact]:
    """What `artifact` records tell, the newest last; each version once, and what is none is passed over."""
    kept: dict[tuple[str, str, str, int], Artifact] = {}
    for record in records:
        name, version, aliases = record.get("name"), record.get("version"), record.get("aliases")
        project = record.get("project")
        if not isinstance(name, str) or not name or type(version) is not int or not 0 <= version < 10**9:
            continue
        artifact = Artifact(
            "used" if record.get("use") == "used" else "made",
            clean(name, 200),
            version,
            clean(record.get("type") or "", 60),
            _count(record.get("size")),
            _count(record.get("files")),
            tuple(clean(each, 60) for each in aliases[:20]) if isinstance(aliases, list) else (),
            project if isinstance(project, str) else "",
        )
        key = artifact.use, artifact.project, artifact.name, version
        kept.pop(key, None)
        kept[key] = artifact
    return list(kept.values())


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**63 else 0


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


def manifest(catalog: Catalog, run: StoredRun, artifact: Artifact) -> tuple[dict[str, Any], list[File]]:
    """What an artifact's own file says of it, and its files, named by their paths in it.

    Raises:
        UnreadableError: it cannot be read, or is none.
    """
    project = layout.file_name(artifact.project) if artifact.project else run.key.project
    path = f"{STORE}/{layout.file_name(artifact.name)}/v{artifact.version}.json"
    try:
        said = orjson.loads(read(Place(catalog.files, project, (path,)), MAX_MANIFEST))
    except orjson.JSONDecodeError:
        said = None
    entries = said.get("entries") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(entries, dict):
        raise UnreadableError("its manifest is damaged")
    files = []
    for name, entry in list(entries.items())[:MAX_ENTRIES]:
        digest = entry.get("digest") if isinstance(entry, dict) else None
        if not isinstance(entry, dict):
            continue
        parts = tuple(clean(part, 200) for part in name.split("/") if part)
        if "reference" in entry or not _is_digest(digest):
            files.append(
                File(parts, _count(entry.get("size")), None, clean(entry.get("reference") or "no digest", 500))
            )
        else:
            place = Place(catalog.files, project, (f"{STORE}/blobs/{str(digest)[:2]}/{digest}",))
            files.append(File(parts, _count(entry.get("size")), place))
    return said, files


def _is_digest(digest: object) -> bool:
    return isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")


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
            size = artifact.size if artifact is not None else sum(file.size for file in files)
            count = artifact.files if artifact is not None else len(files)
            yield Node(path, size, count, True, is_open, artifact=artifact)
            if is_open:
                yield from self._inside(path, below, folders)
        here = (file for file in below.get(above, ()) if file.path[:-1] == above)
        for file in sorted(here, key=lambda each: each.path):
            yield Node(file.path, file.size, 0, False, False, file)
