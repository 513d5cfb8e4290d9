"""What artifacts there are under the roots, and which runs made and used them; here and on other machines alike."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tracker import host, layout
from tracker.catalog import Catalog
from tracker.journal import Tail
from tracker.manifests import LATEST, Manifest
from tracker.records import ARTIFACT, Record, clean
from tracker.replay import MAX_ARTIFACTS, lineage_of
from tracker.report import format_value
from tracker.stored import StoredRun
from tracker.sweeping import FOLDER
from tracker.versions import Versions, read
from tracker_tui import contents
from tracker_tui.contents import Place, UnreadableError
from tracker_tui.facts import flat
from tracker_tui.look import size_text
from tracker_tui.sources import Sources

READ: Final = 1 << 20
"""Bytes of a journal at a time."""


@dataclass(frozen=True)
class Version:
    """A version of an artifact."""

    catalog: Catalog
    folder: str
    """The name of its project's folder."""
    artifact: str
    """The name of the artifact's."""
    manifest: Manifest
    aliases: list[str]
    """Those it has now."""
    count: int
    """How many versions of the artifact there are."""
    is_latest: bool
    """Whether it stands for the artifact in a list."""
    users: list[StoredRun] = field(default_factory=list)
    """The runs that used it, the newest first."""
    maker: StoredRun | None = None
    """The run that made it, if it is there."""
    makers: list[StoredRun] = field(default_factory=list)
    """That and all that made the same again, the newest first."""

    @property
    def project(self) -> str:
        """Cleaned, as a text."""
        made = self.manifest.project
        return clean(made if layout.file_name(made) == self.folder else layout.true_name(self.folder))

    @property
    def label(self) -> str:
        """`project/name:v3`."""
        return f"{self.project}/{self.manifest.name}:v{self.manifest.version}"


def versions(sources: Sources) -> tuple[list[Version], list[str]]:
    """All versions, artifacts in order of project and name, the newest version first; and what cannot be read.

    Raises:
        OSError, ValueError: another machine gives no answer, or none that is understood.
    """
    found: list[Version] = []
    damaged: list[str] = []
    for catalog in sources.catalogs.values():
        runs = [run for run in sources.newest_first(with_deleted=True) if sources.of(run) is catalog]
        lineage = _Lineage(catalog, runs)
        for folder in projects(catalog):
            for artifact, known in _artifacts(catalog, folder, FOLDER, 2):
                damaged += (f"{clean(layout.true_name(folder))}/{clean(artifact)}/{file}" for file in known.damaged)
                found += _versions(catalog, folder, artifact, known, lineage)
    return found, damaged


def version(catalog: Catalog, runs: list[StoredRun], folder: str, name: str, number: int) -> Version | None:
    """One version of an artifact; None where it is gone or damaged.

    Args:
        catalog: of the root it is in.
        runs: all under the root.
        folder: the name of its project's folder.
        name: the artifact's.
        number: the version's.

    Raises:
        OSError, ValueError: another machine gives no answer, or none that is understood.
    """
    for artifact, known in _artifacts(catalog, folder, f"{FOLDER}/{layout.file_name(name)}", 1):
        found = _versions(catalog, folder, artifact, known, _Lineage(catalog, runs))
        return next((each for each in found if each.manifest.version == number), None)
    return None


def _versions(catalog: Catalog, folder: str, artifact: str, known: Versions, lineage: _Lineage) -> Iterator[Version]:
    """The versions of an artifact, the newest first."""
    latest = known.aliases.get(LATEST, max(known.manifests, default=-1))
    for number, manifest in sorted(known.manifests.items(), reverse=True):
        aliases, count = known.aliases_of(number), len(known.manifests)
        who = lineage.of(folder, manifest)
        yield Version(catalog, folder, artifact, manifest, aliases, count, number == latest, *who)


def facts(version: Version) -> dict[str, str]:
    """What there is to say of a version, by label; clean."""
    manifest = version.manifest
    metadata = {f"  {name}": format_value(value, 200) for name, value in flat(manifest.metadata)}
    told = {
        "type": manifest.type,
        "aliases": ", ".join(version.aliases),
        "size": f"{size_text(manifest.size)} in {len(manifest.entries):,} file{'s' * (len(manifest.entries) != 1)}",
        "made by": ", ".join(run.label for run in version.makers) or manifest.run,
        "used by": ", ".join(run.label for run in version.users),
        "created": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(manifest.created)),
        "digest": manifest.digest,
        **({"metadata": f"{len(metadata)} value{'s' * (len(metadata) != 1)}"} if metadata else {}),
        **metadata,
    }
    return {label: clean(value, 300) for label, value in told.items() if value}


def projects(catalog: Catalog) -> list[str]:
    """The folders of projects; here also of those that have artifacts, but no runs any more."""
    found = {key.project for key in catalog.runs}
    if not catalog.files.is_far:
        listed = host.list_projects(catalog.root) or ()
        found.update(name for name in listed if os.path.isdir(os.path.join(catalog.root, name, FOLDER)))
    return sorted(found)


def _artifacts(catalog: Catalog, project: str, place: str, depth: int) -> Iterator[tuple[str, Versions]]:
    """The artifacts at a place of a project, so many folders deep, each with the name of its folder."""
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for file in catalog.files.folder_files(project, place, depth) or ():
        _, artifact, *rest = file.path.split("/")
        if len(rest) == 1:
            folders[artifact][rest[0]] = file.path
    for artifact, files in sorted(folders.items()):
        known = read(artifact, files, lambda file, most, at=files: _whole(catalog, project, at[file], most))  # type: ignore[misc]
        if known.last_number >= 0:
            yield artifact, known


def _whole(catalog: Catalog, project: str, path: str, most: int) -> bytes | None:
    """The beginning of a file, mostly all of it; None where it cannot be read."""
    try:
        return contents.read(Place(catalog.files, project, (path,)), most, is_start=True)
    except UnreadableError:
        return None


class _Lineage:
    """Who made and used what, by what the runs of a root say."""

    def __init__(self, catalog: Catalog, runs: list[StoredRun]) -> None:
        self._runs = {(run.key.project, run.id): run for run in runs}
        self._known: dict[tuple[str, str, str, int], list[StoredRun]] = defaultdict(list)
        for run in runs:
            for record in _told(catalog, run):
                place = layout.file_name(record["project"]) if record["project"] else run.key.project
                known = self._known[record["use"], place, record["name"], record["version"]]
                if run not in known:
                    known.append(run)

    def of(self, project: str, manifest: Manifest) -> tuple[list[StoredRun], StoredRun | None, list[StoredRun]]:
        """The users of a version in a project's folder, its maker, and all that made it."""
        maker = self._runs.get((layout.file_name(manifest.project), manifest.run)) if manifest.run else None
        version = project, manifest.name, manifest.version
        makers = self._known.get(("made", *version), [])
        if maker is not None and maker not in makers:
            makers = [*makers, maker]
        return self._known.get(("used", *version), []), maker, makers


def _told(catalog: Catalog, run: StoredRun) -> Iterable[Record]:
    """What a run says it made and used: of one that may have told more than its state keeps, all of it."""
    if len(run.artifacts) < MAX_ARTIFACTS:
        return run.artifacts
    found = list(run.artifacts)
    for name, _ in catalog.lineage(run):
        tail = Tail(catalog.files.lines(run.key.project, name))
        while True:
            told = (record for record in tail.read(READ) if record.get("_type") == ARTIFACT)
            found += filter(None, (lineage_of(record, run.created) for record in told))
            if tail.lines.is_whole or tail.lines.is_replaced:
                break
            if not tail.lines.is_behind:
                catalog.files.wait()
        tail.lines.close()
    return found


def unneeded(found: list[Version], going: list[StoredRun]) -> list[Version]:
    """The versions that some runs made, that no other run made too or uses, and that have no name but `latest`."""
    keys = {run.key for run in going}
    return [
        version
        for version in found
        if version.makers
        and {*version.aliases} <= {LATEST}
        and all(run.key in keys for run in (*version.makers, *version.users))
    ]


def as_json(version: Version, with_entries: bool) -> dict[str, Any]:
    """A version as `tracker-tui artifacts --json` gives it."""
    manifest = version.manifest
    found = {
        "project": version.project,
        "name": manifest.name,
        "version": manifest.version,
        "type": manifest.type,
        "aliases": version.aliases,
        "size": manifest.size,
        "files": len(manifest.entries),
        "digest": manifest.digest,
        "description": manifest.description,
        "metadata": manifest.metadata,
        "created_at": datetime.fromtimestamp(manifest.created, UTC).isoformat(timespec="milliseconds"),
        "made_by": f"{manifest.project}/{manifest.run}" if manifest.run else None,
        "used_by": [f"{run.project}/{run.id}" for run in version.users],
        "place": version.catalog.source or version.catalog.root,
    }
    if with_entries:
        found["entries"] = {
            path: {"digest": entry.digest, "size": entry.size, "reference": entry.reference or None}
            for path, entry in manifest.entries.items()
        }
    return found
