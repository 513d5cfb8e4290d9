"""`Api`: read runs back, running ones too, and change what they are called."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar, overload

from tracker import layout
from tracker._run import check_tags
from tracker.catalog import Catalog, Files
from tracker.errors import Error
from tracker.filters import matches, sort_key
from tracker.folders import MAX_PART, FolderFile
from tracker.records import Record, plain, restore
from tracker.replay import State
from tracker.rows import Rows, Samples, restored
from tracker.stored import StoredRun

if TYPE_CHECKING:
    from tracker.artifacts import Artifact
    from tracker.manifests import Manifest
    from tracker.versions import Collection

Item = TypeVar("Item")

STREAMS: Final = ("default", "system", "events")
"""What `history` can be asked for; the last two are the same, as in W&B."""


class Api:
    """The runs under a root.

    Args:
        root: the folder of projects; default `TRACKER_DIR`, else `./runs`.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self._catalog = Catalog(root)

    def runs(
        self, path: str | None = None, filters: Mapping[str, Any] | None = None, order: str = "+created_at"
    ) -> Runs:
        """The runs of a project (default: of all), as they are now.

        Args:
            path: `project` or `entity/project`.
            filters: Mongo-style, see `tracker.filters`: `{"config.lr": {"$lt": 0.1}, "state": "finished"}`.
            order: `+` or `-` and a field: created_at, `summary_metrics.KEY`, `config.KEY` ...; default oldest first.

        Raises:
            ValueError: a filter is unknown or makes no sense; the message names it.
        """
        self._catalog.refresh()
        entity, _, project = (path or "").rpartition("/")
        found = [
            ApiRun(self._catalog, run)
            for run in reversed(self._catalog.newest_first())
            if project in ("", run.project) and entity in ("", run.entity)
        ]
        key, descending = sort_key(order)
        chosen = [run for run in found if matches(filters or {}, run.field)]
        return Runs(sorted(chosen, key=lambda run: key(run.field), reverse=descending))

    def run(self, path: str) -> ApiRun:
        """One run, by `project/id` or `entity/project/id`.

        Raises:
            Error: there is none.
        """
        place, _, run_id = path.rpartition("/")
        for run in self.runs(place) if place else ():
            if run.id == run_id:
                return run
        raise Error(f"no run {path!r} in {self._catalog.root}: use 'project/id'")

    def artifact(self, name: str, type: str | None = None) -> Artifact:  # noqa: A002 - W&B's word
        """A version of an artifact, by `project/name:alias`; the alias is `latest` or `v3` or any other.

        Raises:
            TypeError, ValueError: it is not of that form, or of another type.
            Error: there is none.
        """
        from tracker.artifacts import Artifact
        from tracker.versions import find

        artifact = Artifact._of(*find(self._catalog.root, name))
        if type is not None and artifact.type != type:
            raise ValueError(f"{artifact.name} is of type {artifact.type!r}, not {type!r}")
        return artifact

    def artifacts(self, type_name: str | None, name: str, per_page: int = 50) -> list[Artifact]:
        """All versions of an artifact, the newest first.

        Args:
            type_name: only of this type; None for any.
            name: `project/name`.
            per_page: W&B's; nothing is paged here.

        Raises:
            TypeError, ValueError: the name is not of that form.
            Error: there is none.
        """
        from tracker.artifacts import Artifact
        from tracker.versions import find

        collection, _, known = find(self._catalog.root, name)
        wanted = [number for number, each in known.manifests.items() if type_name in (None, each.type)]
        found = map(collection.manifest, sorted(wanted, reverse=True))
        return [Artifact._of(collection, manifest, known) for manifest in found if manifest is not None]

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002
        """Whether there is such a version.

        Raises:
            TypeError, ValueError: the name is not of that form.
        """
        from tracker.versions import find

        try:
            _, manifest, _ = find(self._catalog.root, name)
        except Error:
            return False
        return type in (None, manifest.type)


class Runs(Sequence["ApiRun"]):
    """A fixed choice of runs in a fixed order; the runs themselves are as of the `Api`'s last look."""

    def __init__(self, runs: Iterable[ApiRun]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, index: int) -> ApiRun: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> ApiRun | Runs:
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"<Runs {list(self._runs)!r}>"


class ApiRun:
    """A run read from its files."""

    def __init__(self, catalog: Catalog, stored: StoredRun) -> None:
        self._catalog = catalog
        self._stored = stored
        self._changed: dict[str, Any] = {}
        self._tags: list[str] | None = None
        self._tags_before: list[str] | None = None
        self._config: dict[str, Any] | None = None
        self._config_before: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return self._stored.id

    @property
    def name(self) -> str:
        """What the run is called; `update()` writes a new one."""
        return str(self._changed.get("name", self._stored.label))

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"name must be a string that is not empty (got {name!r})")
        self._changed["name"] = name

    @property
    def display_name(self) -> str:
        """W&B's other word for `name`."""
        return self.name

    @display_name.setter
    def display_name(self, name: str) -> None:
        self.name = name

    @property
    def project(self) -> str:
        return self._stored.project

    @property
    def entity(self) -> str:
        return self._stored.entity

    @property
    def group(self) -> str:
        """`update()` writes a new one."""
        return str(self._changed.get("group", self._stored.group))

    @group.setter
    def group(self, group: str) -> None:
        self._changed["group"] = _text("group", group)

    @property
    def job_type(self) -> str:
        """`update()` writes a new one."""
        return str(self._changed.get("job_type", self._stored.job_type))

    @job_type.setter
    def job_type(self, job_type: str) -> None:
        self._changed["job_type"] = _text("job_type", job_type)

    @property
    def tags(self) -> list[str]:
        """Change the list or set another; `update()` writes it."""
        if self._tags is None:
            self._tags, self._tags_before = list(self._stored.tags), list(self._stored.tags)
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags, self._tags_before = check_tags(tags), None

    @property
    def notes(self) -> str:
        """`update()` writes new ones."""
        return str(self._changed.get("notes", self._stored.notes))

    @notes.setter
    def notes(self, notes: str) -> None:
        self._changed["notes"] = _text("notes", notes)

    @property
    def state(self) -> State:
        """pending, running, finished, failed, killed or crashed."""
        return self._stored.state

    @property
    def archived(self) -> bool:
        """Whether the dashboard hides it unless asked for it."""
        return self._stored.archived

    @property
    def config(self) -> dict[str, Any]:
        """Set its keys; `update()` writes them."""
        if self._config is None:
            self._config = copy.deepcopy(self._stored.config)
            self._config_before = copy.deepcopy(self._config)
        return self._config

    @property
    def summary(self) -> dict[str, Any]:
        """The last value of every metric, and what was set by hand."""
        return self._stored.summary

    @property
    def step(self) -> int | None:
        """The greatest step of any row; None before the first."""
        return self._stored.step

    @property
    def created_at(self) -> datetime:
        """When the run started, in UTC."""
        return datetime.fromtimestamp(self._stored.created, UTC)

    @property
    def exit_code(self) -> int | None:
        """As `finish` or the end of the process gave it; None without an end."""
        return self._stored.exit_code

    @property
    def exception(self) -> str | None:
        """`Type: message` of what ended the run, where something did."""
        return self._stored.exception

    @property
    def bad_lines(self) -> int:
        """Lines of the journal that are no records, in what was read of it: all, of one up to 16 KiB."""
        return self._stored.bad_lines

    @property
    def metadata(self) -> dict[str, Any]:
        """Where and with what it was run, as far as is known: `host`, `user`, `os`, `python`, `implementation`,
        `executable`, `command`, `program`, `cwd`; `cpu`, `memory` and `disk` (bytes), `gpus`, `driver`, `cuda`,
        `container`, `slurm`, `rank`; `git` with `commit`, `branch`, `dirty`, `changed` and `untracked` (numbers of
        files) and `remote`.
        """
        return self._stored.metadata

    @property
    def path(self) -> str:
        """The journal's path."""
        return self._stored.path

    def history(
        self,
        samples: int = 500,
        keys: Iterable[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """History rows, thinned to about `samples` that lie evenly, the first and the last among them.

        Args:
            samples: rows at most.
            keys: only these metrics and the x axis, and only rows that have them all; default all.
            x_axis: the metric to order rows by; of samples of the machine, always their `_timestamp`.
            pandas: a DataFrame where pandas is installed; else, and with False, a list of dicts.
            stream: `default`, or `system` (also `events`) for samples of the machine: `_timestamp` and `_runtime` in
                seconds, `cpu`, `gpu.0.temp` and so on.

        Raises:
            ValueError: `samples` or `stream` makes no sense.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1 (got {samples})")
        if stream not in STREAMS:
            raise ValueError(f"stream must be one of {', '.join(STREAMS)} (got {stream!r})")
        x_axis = x_axis if stream == "default" else "_timestamp"
        wanted = None if keys is None else [*dict.fromkeys([x_axis, *keys])]
        if stream == "default":
            rows = self._thin_history(samples, x_axis, wanted)
        else:
            rows = _thinned(list(self._scan_system(wanted)), samples)
        return _frame(rows) if pandas else rows

    def _thin_history(self, samples: int, x_axis: str, wanted: list[str] | None) -> list[Record]:
        """Look through the history for where its rows lie, then take only those that are asked for out of it."""
        rows = Rows(self._catalog.journals(self._stored))
        if x_axis != "_step":
            axis = {row["_step"]: restore(row.get(x_axis)) for row in rows if wanted is None or _has_all(row, wanted)}
            steps = sorted((step for step, x in axis.items() if _is_place(x)), key=axis.__getitem__)
        elif wanted is not None:
            steps = [row["_step"] for row in rows if _has_all(row, wanted)]
        else:
            steps = rows.steps()
        steps = _thinned(steps, samples)
        found = {row["_step"]: row for row in rows.read(set(steps).__contains__)}
        return list(_with_keys((found[step] for step in steps if step in found), wanted))

    def scan_history(
        self,
        keys: Iterable[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[Record]:
        """History rows in order of step, read as they are asked for: none is held but those that came late.

        Args:
            keys: only these metrics, and only rows that have them all; default all.
            page_size: W&B's; nothing is paged here.
            min_step: the first step, default the first there is.
            max_step: the step before which to stop, default after the last.
        """
        low = -math.inf if min_step is None else min_step
        high = math.inf if max_step is None else max_step
        is_part = min_step is not None or max_step is not None
        rows = Rows(self._catalog.journals(self._stored)).read((lambda step: low <= step < high) if is_part else None)
        return _with_keys(rows, None if keys is None else list(keys))

    def _scan_system(self, wanted: list[str] | None) -> Iterator[Record]:
        created = self._stored.created
        samples = Samples(self._catalog.journals(self._stored)).read()
        return _with_keys(({**sample, "_runtime": sample["_timestamp"] - created} for sample in samples), wanted)

    def files(self, names: Iterable[str] | None = None, per_page: int = 50) -> list[ApiFile]:
        """The files in the run's folder, by name.

        What is below `files/`, where `save` and the job put theirs, is called by its path there; all else by its path
        in the run's folder: `media/...`, `code/...`, `console.jsonl`. Of a resumed run the newest of each name.

        Args:
            names: only these.
            per_page: W&B's; nothing is paged here.
        """
        files, project = self._catalog.files, self._stored.key.project
        found = self._catalog.files_of(self._stored).items()
        return [ApiFile(files, project, file, name) for name, file in found if names is None or name in names]

    def file(self, name: str) -> ApiFile:
        """A file of the run, as `files` calls it.

        Raises:
            ValueError: there is none of that name.
        """
        for file in self.files([name]):
            return file
        raise ValueError(f"run {self.id} has no file {name!r}")

    def logged_artifacts(self, per_page: int = 100) -> list[Artifact]:
        """The versions of artifacts that it made, the oldest first, those that are still there.

        Of what a run made and used 200 are known, the newest. `per_page` is W&B's.
        """
        return self._artifacts("made")

    def used_artifacts(self, per_page: int = 100) -> list[Artifact]:
        """The versions of artifacts that it used, as `logged_artifacts` tells those it made."""
        return self._artifacts("used")

    def _artifacts(self, use: str) -> list[Artifact]:
        from tracker.artifacts import Artifact
        from tracker.versions import find

        found = []
        for record in self._stored.artifacts:
            if record["use"] == use:
                with contextlib.suppress(Error, ValueError):
                    text = f"{record['project'] or self.project}/{record['name']}:v{record['version']}"
                    found.append(Artifact._of(*find(self._catalog.root, text)))
        return found

    def update(self) -> None:
        """Write what was set here (name, notes, tags, group, job_type, config), as an edit beside the run.

        The run's own file is not touched; a job that is running goes on undisturbed.

        Raises:
            Error: it cannot be written.
        """
        changed = dict(self._changed)
        if self._tags is not None and self._tags != self._tags_before:
            changed["tags"] = check_tags(self._tags)
        before = self._config_before
        config = {k: v for k, v in (self._config or {}).items() if k not in before or before[k] != v}
        if config:
            changed["config"] = plain(config)[0]
        if changed:
            self._edit(changed)
        self._forget()

    def _forget(self) -> None:
        """Show what the files say."""
        self._changed.clear()
        self._tags = self._config = None

    def delete(self, delete_artifacts: bool = False) -> None:
        """Hide the run everywhere, by an edit; its files stay.

        Args:
            delete_artifacts: W&B's; nothing is removed here.

        Raises:
            Error: it cannot be written.
        """
        self._edit({"deleted": True})

    def _edit(self, fields: dict[str, Any]) -> None:
        if trouble := self._catalog.edit(self._stored, **fields):
            raise Error(f"cannot change {self.id}: {trouble}")

    def load(self, force: bool = False) -> ApiRun:
        """Read what is new of the run; what was set here and not written is forgotten."""
        self._catalog.refresh()
        self._forget()
        return self

    def field(self, name: str) -> Any:
        """A field for `tracker.filters`.

        Raises:
            KeyError: there is none of that name.
        """
        if name == "name":  # W&B's filters mean the id by it
            return self.id
        if name == "summary_metrics":
            return self.summary
        if name == "config" and self._config is None:  # nobody changes it, so it need not be a copy
            return self._stored.config
        if name == "created_at":
            return self._stored.created
        if name == "duration":
            return self._stored.duration(time.time())
        if name not in FIELDS:
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"<Run {self.project}/{self.id} {self.name!r} ({self.state})>"


class ApiFile:
    """A file that a run has kept.

    Attributes:
        name: by which it is asked for.
        size: bytes.
        updated_at: when it was changed, in seconds since the epoch.
    """

    def __init__(self, files: Files, project: str, file: FolderFile, name: str) -> None:
        self._files, self._project, self._file = files, project, file
        self.name, self.size, self.updated_at = name, file.size, file.mtime

    def download(self, root: str | os.PathLike[str] = ".", replace: bool = False, exist_ok: bool = False) -> IO[str]:
        """Copy the file below a folder, under its name; the copy, open for reading text.

        Args:
            root: the folder.
            replace: copy it also if there is a file of that name.
            exist_ok: take that file instead.

        Raises:
            ValueError: there is a file of that name.
            Error: it cannot be read.
            OSError: it cannot be written.
        """
        target = os.path.join(os.fsdecode(root), *self.name.split("/"))
        if os.path.exists(target) and not replace:
            if not exist_ok:
                raise ValueError(f"there is a file {target!r} already (replace=True or exist_ok=True)")
            return open(target, encoding="utf-8", errors="replace")
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        part = f"{target}.{os.getpid()}.part"
        try:
            with open(part, "wb") as copy:
                self._pour(copy)
            os.replace(part, target)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)
        return open(target, encoding="utf-8", errors="replace")

    def _pour(self, copy: IO[bytes]) -> None:
        offset = 0
        while True:
            part = self._files.read_part(self._project, self._file.path, offset, MAX_PART)
            if part.trouble:
                raise Error(f"cannot read {self._file.path}: {part.trouble}")
            if not part.data:
                return
            offset += copy.write(part.data)

    def __repr__(self) -> str:
        return f"<File {self.name!r} {self.size} bytes>"


def users_of(collection: Collection, manifest: Manifest) -> list[ApiRun]:
    """The runs under a root that used a version of an artifact, the oldest first."""

    def is_it(record: Record) -> bool:
        if record["use"] != "used" or (record["name"], record["version"]) != (manifest.name, manifest.version):
            return False
        return layout.file_name(record["project"]) == collection.project

    return [run for run in Api(collection.root).runs() if any(map(is_it, run._stored.artifacts))]


FIELDS: Final = frozenset(
    (
        "id",
        "display_name",
        "state",
        "config",
        "summary",
        "tags",
        "notes",
        "archived",
        "project",
        "entity",
        "group",
        "job_type",
        "step",
        "exit_code",
        "exception",
    )
)
"""Attributes that filters and orders may name, besides those that `ApiRun.field` computes."""


def _has_all(row: Record, keys: Iterable[str]) -> bool:
    return all(key in row for key in keys)


def _with_keys(rows: Iterable[Record], keys: list[str] | None) -> Iterator[Record]:
    """Rows as they were logged; where keys are asked for, those that have them all, and nothing else of them."""
    for row in rows:
        if keys is None:
            yield restored(row)
        elif _has_all(row, keys):
            yield {key: restore(row[key]) for key in keys}


def _thinned(items: list[Item], samples: int) -> list[Item]:
    """So many items at most, evenly spread, the first and the last among them."""
    last = len(items) - 1
    if last < samples:
        return items
    return [items[place * last // max(1, samples - 1)] for place in range(samples)]


def _is_place(value: object) -> bool:
    """Whether a value can be a place on an axis."""
    return isinstance(value, (int, float)) and value == value


def _text(argument: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, not {type(value).__name__}")
    return value


def _frame(rows: list[Record]) -> Any:
    """A DataFrame where pandas is installed, else the rows as they are."""
    import importlib.util

    if importlib.util.find_spec("pandas") is None:
        return rows
    return importlib.import_module("pandas").DataFrame(rows)
