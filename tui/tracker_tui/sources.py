"""The runs of one or several roots, on this machine and on others, as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracker.catalog import Catalog, Delta, Reading
from tracker.foreign.mirror import Mirror
from tracker.records import Record
from tracker.stored import Key, StoredRun, newest_first

Readings = list[tuple[Catalog, list[Reading]]]
"""What one look brought, by where it comes from."""
Written = tuple[Record | None, str]
"""An edit as it was written and "", or None and why it was not."""


class Sources:
    """Catalogs that are looked at together; a run's key tells which it is of.

    Args:
        catalogs: each with a `source` of its own.
        mirrors: of runs that other tools have logged below some of them, with the source of the same. Of a run that is
            in both, for it was imported, one's own is shown.
    """

    def __init__(self, catalogs: Iterable[Catalog], mirrors: Iterable[Catalog] = ()) -> None:
        self.catalogs = {catalog.source: catalog for catalog in catalogs}
        self._mirrors = {mirror.source: mirror for mirror in mirrors}
        self.runs: dict[Key, StoredRun] = {}
        """Every run there is."""

    @property
    def bad_edits(self) -> int:
        """Lines of edits files that are no records."""
        return sum(sum(catalog.bad_edits.values()) for catalog in self.catalogs.values())

    def of(self, run: StoredRun) -> Catalog:
        """The catalog that a run is in."""
        mirror = self._mirrors.get(run.key.source)
        return mirror if mirror is not None and run.root == mirror.root else self.catalogs[run.key.source]

    @property
    def all(self) -> list[Catalog]:
        """The catalogs, and the mirrors."""
        return [*self.catalogs.values(), *self._mirrors.values()]

    @property
    def left_out(self) -> list[str]:
        """What of other tools' runs is not shown, in words."""
        files = (mirror.files for mirror in self._mirrors.values())
        return [each.left_out for each in files if isinstance(each, Mirror) and each.left_out]

    @property
    def is_behind(self) -> bool:
        """Whether more can be read at once."""
        return any(catalog.is_behind for catalog in self.all)

    @property
    def is_complete(self) -> bool:
        """Whether every file has been looked at, but for those that cannot be reached."""
        return all(catalog.is_complete or catalog.files.trouble for catalog in self.all)

    @property
    def left(self) -> int:
        """Files that wait to be opened, as far as is known."""
        return sum(catalog.files.left for catalog in self.all)

    def refresh(self) -> None:
        """Look at everything that can be reached, and fold.

        Raises:
            OSError: a connection is lost meanwhile.
        """
        for catalog in self.all:
            if not catalog.files.trouble:
                self._take(catalog.refresh(), catalog)

    def collect(self, seconds: float | None = None, pause: float = 0.0) -> Readings:
        """What is new, as `Catalog.collect` tells it."""
        return [(catalog, catalog.collect(seconds, pause)) for catalog in self.all]

    def apply(self, readings: Readings) -> Delta:
        """Fold what was read into the runs; says which changed."""
        delta = Delta()
        for catalog, new in readings:
            delta.add(self._take(catalog.apply(new), catalog))
        return delta

    def _take(self, delta: Delta, catalog: Catalog) -> Delta:
        if self._mirrors.get(catalog.source) is catalog:  # what was imported is one's own
            own = self.catalogs[catalog.source].runs
            delta = Delta(delta.changed - own.keys(), delta.removed - own.keys(), delta.moved - own.keys())
        self.runs |= {key: catalog.runs[key] for key in delta.changed}
        for key in delta.removed:
            mirror = self._mirrors.get(catalog.source)
            if mirror is not None and key in mirror.runs:
                self.runs[key] = mirror.runs[key]
                delta.changed.add(key)
                delta.moved.add(key)
            else:
                self.runs.pop(key, None)
        delta.removed -= delta.changed
        return delta

    def newest_first(self, with_deleted: bool = False) -> list[StoredRun]:
        """All runs, the newest first; those that are deleted only if asked for."""
        return newest_first(self.runs.values(), with_deleted)

    def write_edits(self, edits: Sequence[tuple[StoredRun, Mapping[str, Any]]]) -> list[Written]:
        """Append changes, as `Catalog.write_edits` does; what came of each. May run in another thread."""
        written: dict[int, Written] = {}
        for catalog in self.all:
            here = {index: edit for index, edit in enumerate(edits) if self.of(edit[0]) is catalog}
            written |= zip(here, catalog.write_edits(list(here.values())) if here else (), strict=True)
        return [written[index] for index in range(len(edits))]
