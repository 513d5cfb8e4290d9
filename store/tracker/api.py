"""`Api`: read runs back, running ones too, and rename them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, overload

from tracker.catalog import Catalog, StoredRun
from tracker.errors import Error
from tracker.records import Record, restore
from tracker.replay import State


class Api:
    """The runs under a root.

    Args:
        root: the folder of projects; default `TRACKER_DIR`, else `./runs`.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self._catalog = Catalog(root)

    def runs(self, project: str | None = None) -> Runs:
        """The runs of a project (default: of all), the newest first, as they are now."""
        self._catalog.refresh()
        found = self._catalog.newest_first() if project is None else self._catalog.of_project(project.split("/")[-1])
        return Runs(ApiRun(self._catalog, run) for run in found)

    def run(self, path: str) -> ApiRun:
        """One run, by `project/id` or `entity/project/id`.

        Raises:
            Error: there is none.
        """
        project, _, run_id = path.rpartition("/")
        for run in self.runs(project):
            if run.id == run_id:
                return run
        raise Error(f"no run {path!r} in {self._catalog.root}: use 'project/id'")


class Runs(Sequence["ApiRun"]):
    """A list of runs that does not change."""

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

    @property
    def id(self) -> str:
        return self._stored.id

    @property
    def name(self) -> str:
        """What the run is called; setting it holds here until `update()` writes it."""
        return self._stored.label

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"name must be a string that is not empty (got {name!r})")
        self._stored.name = name

    @property
    def project(self) -> str:
        return self._stored.project

    @property
    def entity(self) -> str:
        return self._stored.entity

    @property
    def group(self) -> str:
        return self._stored.group

    @property
    def tags(self) -> list[str]:
        return self._stored.tags

    @property
    def notes(self) -> str:
        return self._stored.notes

    @property
    def state(self) -> State:
        """pending, running, finished, failed, killed or crashed."""
        return self._stored.state

    @property
    def config(self) -> dict[str, Any]:
        return self._stored.config

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
        """Lines of the journal that are no records, in what was read of it: all, of one up to 1 MiB."""
        return self._stored.bad_lines

    @property
    def path(self) -> str:
        """The journal's path."""
        return self._stored.path

    def history(self, keys: Iterable[str] | None = None) -> list[Record]:
        """Every history row in order of step, `_step` and `_timestamp` included.

        Args:
            keys: only these metrics, and only rows that have them all; default all.
        """
        return list(self.scan_history(keys))

    def scan_history(
        self, keys: Iterable[str] | None = None, min_step: int | None = None, max_step: int | None = None
    ) -> Iterator[Record]:
        """History rows in order of step.

        Args:
            keys: only these metrics, and only rows that have them all; default all.
            min_step: the first step, default the first there is.
            max_step: the step before which to stop, default after the last.
        """
        wanted = None if keys is None else list(keys)
        for row in self._catalog.rows(self._stored):
            if (min_step is not None and row["_step"] < min_step) or (
                max_step is not None and row["_step"] >= max_step
            ):
                continue
            if wanted is None:
                yield {key: restore(value) for key, value in row.items()}
            elif all(key in row for key in wanted):
                yield {key: restore(row[key]) for key in wanted}

    def update(self) -> None:
        """Write the name to disk, as an edit beside the run; a job that is running goes on undisturbed.

        Raises:
            Error: it cannot be written.
        """
        if trouble := self._catalog.edit(self._stored, name=self._stored.name):
            raise Error(f"cannot rename {self.id}: {trouble}")

    def __repr__(self) -> str:
        return f"<Run {self.project}/{self.id} {self.name!r} ({self.state})>"
