"""Every run under a root, kept up to date: the one reader behind `Api`, the commands and the dashboard.

Looking and folding are two steps, so that a dashboard can look in a thread and fold where its widgets live:

    readings = catalog.collect()      # reads files, asks about processes; touches no run
    delta = catalog.apply(readings)   # folds what was read into the runs; says which changed

`refresh` is both. Looking costs little when nothing happens: folders are listed when their mtime changes, finished
runs are never looked at again, the others by their size.
"""

from __future__ import annotations

import calendar
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tracker import host, layout, records
from tracker.journal import Tail, open_tail
from tracker.lifecycle import HEARTBEAT
from tracker.records import Record
from tracker.replay import RunState, State, is_row_until, merge_rows

SILENCE: Final = max(60.0, 4 * HEARTBEAT)
"""Seconds without growth after which a run whose process cannot be seen from here counts as crashed."""
NEWBORN: Final = 2.0
"""Seconds that an empty journal is given to get its first line."""
DEAD_LOOK: Final = 5.0
"""Seconds between two looks at a run whose process is gone."""


class Key(NamedTuple):
    """A run's place under a root, in the words of the disk (encoded)."""

    project: str
    id: str


class StoredRun(RunState):
    """A run as its files tell it."""

    def __init__(self, key: Key, path: str, created: float) -> None:
        super().__init__(records.clean(layout.true_name(key.id)), records.clean(layout.true_name(key.project)), created)
        self.key = key
        self.path = path
        """The journal's path."""
        self.bad_lines = 0
        """Lines that are no records, in what was read of the journal."""
        self.alive: bool | None = None
        """Whether its process lives or, where that cannot be told, whether the file has grown of late."""
        self.deadly_signal: str | None = None

    @property
    def state(self) -> State:
        return self.verdict(self.alive, self.deadly_signal)

    @property
    def label(self) -> str:
        """What to call it: the name, else the id."""
        return self.name or self.id

    def duration(self, now: float) -> float:
        """Seconds from the start to the end; to the last record of a run that crashed; to `now` of a running one."""
        return max(0.0, now - self.created) if self.state == "running" else self.runtime


@dataclass(slots=True)
class Reading:
    """What one look at one file brought."""

    project: str
    name: str
    records: list[Record] = field(default_factory=list)
    bad_lines: int = 0
    mtime: float = 0.0
    alive: bool | None = None
    deadly_signal: str | None = None
    is_new: bool = False
    """Whether the file was replaced by another: what was read before does not count."""
    gone: bool = False


@dataclass(slots=True)
class Delta:
    """Which runs changed; one that is new is among the changed."""

    changed: set[Key] = field(default_factory=set)
    removed: set[Key] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


class _File:
    """The looking side of one journal or edits file."""

    def __init__(self, root: str, entry: host.Entry) -> None:
        self.entry = entry
        self.path = os.path.join(root, entry.project, entry.name)
        self.is_journal = entry.name.startswith("run-")
        self.tail = Tail(self.path)
        self.ended = False
        self._start: Record = {}
        self._opened = False
        self._alive: bool | None = None
        self._grew = time.monotonic() - max(0.0, time.time() - entry.mtime)
        self._looked = 0.0

    def is_opened(self) -> bool:
        """Whether it has been looked at once."""
        return self._opened

    def look(self) -> Reading | None:
        """What is new since the last look; None when nothing is."""
        now = time.monotonic()
        if self._alive is False and now - self._looked < DEAD_LOOK:
            return None
        self._looked = now
        reading = Reading(self.entry.project, self.entry.name, mtime=self.entry.mtime)
        size = host.size_of(self.path)
        if size is not None and size < self.tail.offset:  # another file in its place
            self.tail, self._opened, self._start = Tail(self.path), False, {}
            reading.is_new = True
        first, self._opened = not self._opened, True
        if first and self.is_journal and size is not None:
            reading.records, self.tail = open_tail(self.path, size)
            self._learn(reading.records)
        elif size is not None and size > self.tail.offset:
            self._read_on(reading)
            self._grew = now
        before = self._alive
        if self.is_journal:
            self._judge(reading, now)
        reading.bad_lines = self.tail.bad_lines
        return reading if (first and self.is_journal) or reading.records or self._alive != before else None

    def _read_on(self, reading: Reading) -> None:
        new = self.tail.read()
        reading.records += new
        self._learn(new)

    def _learn(self, new: list[Record]) -> None:
        for record in new:
            kind = record.get("_type")
            if kind == records.START:
                self._start = record
            self.ended = kind == records.END

    def _judge(self, reading: Reading, now: float) -> None:
        alive = None if self.ended else host.is_alive(self._start)
        if alive is False:  # it may have written its last words since they were read
            self._read_on(reading)
        if self.ended:
            self._alive = False
            return
        patience = SILENCE if self.tail.offset else NEWBORN
        self._alive = alive if alive is not None else now - self._grew < patience
        reading.alive = self._alive
        if not self._alive:
            reading.deadly_signal = host.deadly_signal(self.path.removesuffix(".jsonl"))


class Catalog:
    """The runs below a folder that holds projects, or of one project's folder, or of one journal.

    Args:
        path: the root, default `TRACKER_DIR`, else `./runs`; a project's folder or a journal narrows it to that.
        is_project: the path is a project's folder, even if it has no runs yet.
        only_id: look at the journals of this id alone (encoded as on disk).
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, is_project: bool = False, only_id: str | None = None
    ) -> None:
        self._only_id = only_id
        self.root = layout.resolve_root(path)
        self.only_project: str | None = None
        self.only_file: str | None = None
        if layout.parse_segment_name(os.path.basename(self.root)) and not os.path.isdir(self.root):
            self.root, self.only_file = os.path.split(self.root)
        if is_project or self.only_file or self._holds_journals():
            self.root, self.only_project = os.path.split(self.root)
        self.runs: dict[Key, StoredRun] = {}
        self.is_behind = False
        """Whether the last `collect` left files unopened."""
        self._segments: dict[Key, dict[str, StoredRun]] = {}
        self._edits: dict[Key, list[Record]] = {}
        self._files: dict[tuple[str, str], _File] = {}
        self._stamps: dict[str, int] = {}

    def refresh(self) -> Delta:
        """Look and fold."""
        return self.apply(self.collect())

    def newest_first(self, with_deleted: bool = False) -> list[StoredRun]:
        """All runs, the newest first; those that are deleted only if asked for."""
        shown = (run for run in self.runs.values() if with_deleted or not run.deleted)
        return sorted(shown, key=lambda run: (run.created, run.key), reverse=True)

    def oldest_first(self, project: str) -> list[Key]:
        """The runs of a project by the names of their files, those that are deleted or not yet opened among them."""
        names = sorted(name for folder, name in list(self._files) if folder == project)
        ids = (parsed[1] for name in names if (parsed := layout.parse_segment_name(name)))
        return [Key(project, run_id) for run_id in dict.fromkeys(ids)]

    # ---- history ----

    def lineage(self, run: StoredRun) -> list[tuple[str, float]]:
        """The journals that hold a run's history, the oldest first: path, and the last step to take from it.

        A run that was resumed has several; one that was forked begins with another's.
        """
        return list(reversed(self._backwards(run, math.inf, set())))

    def _backwards(self, run: StoredRun, last: float, seen: set[str]) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        segments = self._segments.get(run.key, {})
        for name in sorted(segments, key=_age, reverse=True):
            segment = segments[name]
            if _age(name) > _age(os.path.basename(run.path)) or segment.path in seen:
                continue
            seen.add(segment.path)
            found.append((segment.path, last))
            start = segment.start
            if type(start.get("from_step")) is int:
                last = min(last, start["from_step"])
            if isinstance(start.get("fork_of"), str):
                key = Key(run.key.project, layout.file_name(start["fork_of"]))
                file = start.get("fork_file")
                forked = self._segments.get(key, {}).get(file) if isinstance(file, str) else None
                other = forked or self.runs.get(key)
                return found + (self._backwards(other, last, seen) if other is not None else [])
            if start.get("resumed") is not True:
                break
        return found

    def rows(self, run: StoredRun) -> list[Record]:
        """All history rows of a run in order of step, those of one step merged."""
        rows: list[Record] = []
        for path, last in self.lineage(run):
            rows += (row for row in Tail(path).read() if is_row_until(row, last))
        return merge_rows(rows)

    def state_at(self, run: StoredRun, step: int) -> RunState:
        """A run's state as its rows up to a step make it; name, tags, notes and config are those of now."""
        state = RunState(run.id, run.project, run.created)
        for kept in ("name", "tags", "notes", "entity", "group", "job_type", "config", "metrics"):
            setattr(state, kept, getattr(run, kept))
        rows = self.rows(run)
        for row in rows:
            if row["_step"] <= step:
                state.apply(row)
        logged = {records.clean(key) for row in rows for key in row}
        state.summary |= {key: value for key, value in run.summary.items() if key not in logged}  # set by hand
        return state

    # ---- looking ----

    def collect(self, seconds: float | None = None, pause: float = 0.0) -> list[Reading]:
        """What is new in the files since the last call. May run in a thread of its own, one call at a time.

        Args:
            seconds: look at no further file after this time; `is_behind` tells whether some were left for the next
                call. Default: look at all.
            pause: seconds to sleep after each file that is opened, so that other threads need not wait for the
                interpreter.
        """
        start = time.monotonic()
        readings = self._list()
        self.is_behind = False
        for file in sorted(self._files.values(), key=_File.is_opened):
            if seconds is not None and time.monotonic() - start > seconds:
                self.is_behind = not file.is_opened()
                break
            if file.ended:
                continue
            is_new = not file.is_opened()
            if reading := file.look():
                readings.append(reading)
            if is_new and pause:
                time.sleep(pause)
        return readings

    def _holds_journals(self) -> bool:
        """Whether the root is itself a project's folder."""
        return any(entry.name.startswith("run-") for entry in host.list_files(*os.path.split(self.root)))

    def _is_wanted(self, name: str) -> bool:
        if name.startswith("edits-"):
            return True
        parsed = layout.parse_segment_name(name)
        return self.only_file in (None, name) and (self._only_id is None or (parsed or ("", ""))[1] == self._only_id)

    def _list(self) -> list[Reading]:
        """Learn of new files; report those that are gone."""
        if not self.only_project and not self._files and self._holds_journals():
            self.root, self.only_project = os.path.split(self.root)
        projects = [self.only_project] if self.only_project else host.list_projects(self.root)
        looked: set[str] = set()
        found: dict[tuple[str, str], host.Entry] = {}
        for project in {*(projects or ()), *self._stamps}:
            stamp = host.folder_stamp(os.path.join(self.root, project))
            if stamp == self._stamps.get(project):
                continue
            # A file made within the same tick of the clock would not change the stamp again.
            recent = time.time() - stamp / 1e9 < 2.0
            self._stamps[project] = 0 if recent else stamp
            if stamp == -1:
                del self._stamps[project]
            looked.add(project)
            found |= {(project, e.name): e for e in host.list_files(self.root, project) if self._is_wanted(e.name)}
        for place in sorted(found.keys() - self._files.keys(), reverse=True):  # the newest of a project first
            self._files[place] = _File(self.root, found[place])
        gone = [place for place in self._files if place[0] in looked and place not in found] if looked else []
        for place in gone:
            del self._files[place]
        return [Reading(*place, gone=True) for place in gone]

    # ---- folding ----

    def apply(self, readings: Iterable[Reading]) -> Delta:
        """Fold readings, in the order they were collected, into the runs."""
        delta = Delta()
        for reading in readings:
            parsed = layout.parse_segment_name(reading.name)
            if parsed is None:
                if reading.name.startswith("edits-"):
                    self._apply_edits(reading, delta)
                continue
            key = Key(reading.project, parsed[1])
            segments = self._segments.setdefault(key, {})
            if reading.gone:
                segments.pop(reading.name, None)
            else:
                run = None if reading.is_new else segments.get(reading.name)
                if run is None:
                    run = segments[reading.name] = self._new_run(key, reading, parsed[0])
                self._fold(run, reading)
            self._choose(key, delta)
        return delta

    def _new_run(self, key: Key, reading: Reading, stamp: str) -> StoredRun:
        try:
            created = float(calendar.timegm(time.strptime(stamp, "%Y%m%d_%H%M%S")))
        except ValueError:
            created = reading.mtime
        return StoredRun(key, os.path.join(self.root, reading.project, reading.name), created)

    def _fold(self, run: StoredRun, reading: Reading) -> None:
        fresh = not run.start
        for record in reading.records:
            run.apply(record)
        if layout.file_name(run.id) != run.key.id:  # a copy, or a lie: edits find a run by its file's name
            run.id = records.clean(layout.true_name(run.key.id))
        if fresh:
            for edit in self._edits.get(run.key, ()):
                run.apply_edit(edit)
        run.bad_lines = reading.bad_lines
        run.alive = reading.alive
        run.deadly_signal = reading.deadly_signal

    def _choose(self, key: Key, delta: Delta) -> None:
        """The newest journal is the run: an id used again starts anew, a resumed one hands its state on."""
        segments = self._segments[key]
        if segments:
            self.runs[key] = segments[max(segments, key=_age)]
            delta.changed.add(key)
            delta.removed.discard(key)
        elif self.runs.pop(key, None) is not None:
            delta.removed.add(key)
            delta.changed.discard(key)

    def _apply_edits(self, reading: Reading, delta: Delta) -> None:
        for edit in reading.records:
            if not isinstance(edit.get("id"), str):
                continue
            key = Key(reading.project, layout.file_name(edit["id"]))
            self._edits.setdefault(key, []).append(edit)
            if key in self.runs and self.runs[key].apply_edit(edit):
                delta.changed.add(key)

    # ---- editing ----

    def edit(self, run: StoredRun, **fields: object) -> str:
        """Append a change to this user's edits file and fold it at once.

        Returns:
            "" or, where it could not be written, why.
        """
        folder = os.path.dirname(run.path)
        record, trouble = host.append_edit(folder, run.id, fields, run.last_change)
        if record is not None:
            run.apply_edit(record)
        return trouble

    def why_not_editable(self, run: StoredRun) -> str:
        """Why `edit` would fail, as far as can be told before; else empty."""
        return host.why_not_editable(os.path.dirname(run.path))

    def stop(self, run: StoredRun) -> str:
        """Send SIGTERM to a run's process, if it is certainly that one, and put down who did.

        Returns:
            "" or why nothing was sent.
        """
        if run.state != "running":
            return f"it is {run.state}"
        trouble = host.stop(run.start)
        if not trouble:
            self.edit(run, stopped=True)  # where it cannot be written, the signal alone tells
        return trouble

    def files_of(self, run: StoredRun) -> list[str]:
        """All that lies on disk of a run: its journals and their folders."""
        journals = [segment.path for segment in self._segments.get(run.key, {}).values()]
        folders = [path.removesuffix(".jsonl") for path in journals]
        return sorted(journals + [folder for folder in folders if os.path.isdir(folder)])

    def purge(self, run: StoredRun) -> str:
        """Remove a run's files for good; the changes made to it stay in the edits files, where nobody reads them.

        Returns:
            "" or what could not be removed and why.
        """
        return host.remove(self.files_of(run))


def _age(name: str) -> tuple[str, int]:
    """Orders the journals of one run by when they were begun."""
    stamp, _, attempt = layout.parse_segment_name(name) or ("", "", 0)
    return stamp, attempt
