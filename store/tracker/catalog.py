"""Every run under a root, kept up to date: the one reader behind `Api`, the commands and the dashboard.

Looking and folding are two steps, so that a dashboard can look in a thread and fold where its widgets live:

    readings = catalog.collect()      # reads files, asks about processes; touches no run
    delta = catalog.apply(readings)   # folds what was read into the runs; says which changed

`refresh` is both. Looking costs little when nothing happens: folders are listed when their mtime changes, finished
runs are never looked at again, the others by their size.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple, Protocol

from tracker import host, layout, records
from tracker.folders import MAX_DEPTH, FolderFile, Part
from tracker.index import Entry, Index
from tracker.journal import LineReader, PageReader, decode_lines
from tracker.lines import CHUNK, Lines, looks_sound
from tracker.lookout import Edit, Known, Lookout, Place, Sight
from tracker.records import Record
from tracker.replay import MAX_TIME, RunState
from tracker.rows import Rows
from tracker.stored import Key, StoredRun, newest_first


class Reading(NamedTuple):
    """What one look at one file brought."""

    sight: Sight
    run: StoredRun | None
    """Of a journal that is seen for the first time, or anew: what its records make of it."""
    records: Sequence[Record]
    """Else what has come since; of an edits file all changes."""
    bad_lines: int
    """So far, of the whole file."""


@dataclass(slots=True)
class Delta:
    """Which runs changed; one that is new is among the changed."""

    changed: set[Key] = field(default_factory=set)
    removed: set[Key] = field(default_factory=set)
    moved: set[Key] = field(default_factory=set)
    """Those of the changed whose `standing` is another, the new ones too."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)

    def add(self, later: Delta) -> None:
        """Take in what changed after that."""
        self.changed |= later.changed
        self.removed = (self.removed - later.changed) | later.removed
        self.moved |= later.moved


class Files(Protocol):
    """What gives the files of runs: `tracker.lookout.Lookout`, or one on the far side of ssh."""

    root: str
    is_far: bool
    clock: float
    wake: Callable[[], None] | None
    trouble: str
    unanswered: int

    @property
    def is_behind(self) -> bool: ...
    @property
    def is_complete(self) -> bool: ...
    @property
    def left(self) -> int: ...
    def wait(self) -> None: ...
    def look(self, seconds: float | None = None, pause: float = 0.0) -> Iterable[Sight]: ...
    def lines(self, project: str, name: str, offset: int = 0, thin: int = 0) -> LineReader: ...
    def pages(self, project: str, name: str) -> PageReader: ...
    # These two as in `tracker.folders`; from another machine the first may raise OSError, and ValueError for a lie.
    def folder_files(self, project: str, folder: str, depth: int = MAX_DEPTH) -> list[FolderFile] | None: ...
    def read_part(self, project: str, path: str, offset: int, most: int) -> Part: ...
    def append_edits(self, edits: Sequence[Edit]) -> Sequence[tuple[Record | None, str]]: ...
    def why_not_editable(self, project: str) -> str: ...
    def stop(self, project: str, name: str) -> str: ...
    def remove(self, project: str, names: Sequence[str]) -> str: ...
    def sweep(self, project: str, going: list[list[str]], is_rehearsal: bool) -> tuple[int, int, str]: ...
    def close(self) -> None: ...


class Catalog:
    """The runs below a folder that holds projects, or of one project's folder, or of one journal.

    Args:
        path: the root, default `TRACKER_DIR`, else `./runs`; a project's folder or a journal narrows it to that.
        is_project: the path is a project's folder, even if it has no runs yet.
        only_id: look at the journals of this id alone (encoded as on disk).
        files: what gives the files, in place of those three.
        source: what runs from there are told by, where there are several.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        is_project: bool = False,
        only_id: str | None = None,
        files: Files | None = None,
        source: str = "",
    ) -> None:
        self._index: Index | None = None
        self._entries: Iterator[Entry] | None = None
        self._recalled: list[Reading] = []
        self._expected: dict[Place, Known] = {}
        if files is None:
            files = lookout = Lookout(layout.resolve_root(path), is_project, only_id, self._expected)
            if only_id is None and lookout.only_file is None:
                self._index = Index(lookout.root, lookout.only_project)
                self._entries, self._number = self._index.read(), lookout.number
        self.files: Files = files
        self.source = source
        self.runs: dict[Key, StoredRun] = {}
        self._segments: dict[Key, dict[str, StoredRun]] = {}
        self._edits: dict[Key, list[Record]] = {}
        self._bad_lines: dict[Place, int] = {}
        """Of the files that were met."""
        self.bad_edits: dict[Place, int] = {}
        """Lines of edits files that are no records."""

    @property
    def root(self) -> str:
        """The folder of projects."""
        return self.files.root

    @property
    def is_behind(self) -> bool:
        """Whether the last `collect` left files that the next one may take at once."""
        return self._entries is not None or self.files.is_behind

    @property
    def is_complete(self) -> bool:
        """Whether every file has been looked at."""
        return self._entries is None and self.files.is_complete

    def refresh(self) -> Delta:
        """Look at everything, and fold."""
        delta = self.apply(self.collect())
        while not self.is_complete:
            self.files.wait()
            delta.add(self.apply(self.collect()))
        return delta

    def unread(self, key: Key) -> str:
        """What is there of a run and could not be read: a journal with lines, or the project's folder; else empty."""
        names = host.list_files(self.root, key.project, ("run-",))
        if names is None:
            folder = os.path.join(self.root, key.project)
            return "" if host.folder_stamp(folder, may_be_link=True) == -1 else folder
        segments = self._segments.get(key, {})
        for name in names:
            parsed = layout.parse_segment_name(name)
            if parsed is None or parsed[1] != key.id or (name in segments and segments[name].size):
                continue
            path = os.path.join(self.root, key.project, name)
            data = host.read(path, 0, CHUNK)
            if data is None or b"\n" in data:
                return path
        return ""

    def newest_first(self, with_deleted: bool = False) -> list[StoredRun]:
        """All runs, the newest first; those that are deleted only if asked for."""
        return newest_first(self.runs.values(), with_deleted)

    # ---- history ----

    def lineage(self, run: StoredRun) -> list[tuple[str, float]]:
        """The journals that hold a run's history, the oldest first: file name, and the last step to take from it.

        A run that was resumed has several; one that was forked begins with another's.
        """
        return list(reversed(self._backwards(run, math.inf, set())))

    def _backwards(self, run: StoredRun, last: float, seen: set[str]) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        segments = self._segments.get(run.key, {})
        for name in sorted(segments, key=_age, reverse=True):
            segment = segments[name]
            if _age(name) > _age(run.file) or name in seen or not segment.size:
                continue
            seen.add(name)
            found.append((name, last))
            start = segment.start
            if type(start.get("from_step")) is int:
                last = min(last, start["from_step"])
            if isinstance(start.get("fork_of"), str):
                key = run.key._replace(id=layout.file_name(start["fork_of"]))
                file = start.get("fork_file")
                forked = self._segments.get(key, {}).get(file) if isinstance(file, str) else None
                other = forked or self.runs.get(key)
                return found + (self._backwards(other, last, seen) if other is not None else [])
            goes_on = start.get("resumed") is True or start.get("joins") is True
            if start and not goes_on:  # of one whose start is lost, nothing says that it is anew
                break
        return found

    def size_of(self, run: StoredRun) -> int:
        """Bytes of the journals that hold a run's history; on another machine, as far as they were looked at."""
        if not self.files.is_far:
            return sum(host.size_of(path) or 0 for path, _ in self.journals(run))
        segments = self._segments.get(run.key, {})
        return sum(segments[name].size for name, _ in self.lineage(run) if name in segments)

    def check(self, run: StoredRun, until: float = math.inf) -> bool:
        """Look through all lines of a run for such that are no records, which `bad_lines` counts then.

        Found are those that are broken at their ends or have a hole, at the speed of a search, and any near them. On
        other machines nothing is looked for.

        Args:
            run: the run.
            until: when to stop, by the monotonic clock; False is returned if that came before the end.
        """
        bad = 0
        for path, _ in self.journals(run) if not self.files.is_far else ():
            lines = Lines(path)
            while monotonic() < until and (data := lines.read()):
                bad += 0 if looks_sound(data) else decode_lines(data)[1]
            bad += lines.skipped
            if not lines.is_whole:
                return False
        run.bad_lines = max(run.bad_lines, bad)
        return True

    def journals(self, run: StoredRun) -> list[tuple[str, float]]:
        """What `lineage` tells of a run whose files are on this machine, with paths."""
        folder = os.path.join(self.root, run.key.project)
        return [(os.path.join(folder, name), last) for name, last in self.lineage(run)]

    def state_at(self, run: StoredRun, step: int) -> RunState:
        """A run's state as its rows up to a step make it; name, tags, notes and config are those of now."""
        state = RunState(run.id, run.project, run.created)
        for kept in ("name", "tags", "notes", "entity", "group", "job_type", "config", "metrics"):
            setattr(state, kept, getattr(run, kept))
        logged: set[str] = set()
        for row in Rows(self.journals(run)):
            logged.update(row)
            if row["_step"] <= step:
                state.apply(row)
        logged = {records.clean(key) for key in logged}
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
        if not self._recall(seconds):
            return []
        readings, self._recalled = self._recalled, []
        found = [self._read(sight) for sight in self.files.look(seconds, pause)]
        for reading in readings:
            if reading.run is not None:
                reading.run.number = self._number(*reading.run.key[:2])
        if self._index is not None:
            self._index.save()
        return readings + found

    def _recall(self, seconds: float | None) -> bool:
        """Take what the index knows, and say so when all of it is taken; looking tells what is no longer true."""
        if self._entries is None:
            return True
        if host.list_projects(self.root) is None:  # what cannot be looked at is not told
            self._entries = None
            return True
        start = monotonic()
        for entry in self._entries:
            parsed = layout.parse_segment_name(entry.name)
            if parsed is None:
                continue
            run = StoredRun(Key(entry.project, parsed[1], self.source), self.root, entry.name, 0.0)
            try:
                run.load(entry.run, self.files)
            except (ValueError, TypeError):
                continue
            place = entry.project, entry.name
            self._expected[place] = entry.known
            self._bad_lines[place] = run.bad_lines
            self._recalled.append(Reading(Sight(*place), run, (), run.bad_lines))
            if seconds is not None and monotonic() - start > seconds:
                return False
        self._entries = None
        return True

    def _read(self, sight: Sight) -> Reading:
        """Decode what one look brought; a run that is met is made here, for nobody else knows it yet."""
        place = sight.project, sight.name
        if sight.is_new or sight.gone:
            self._bad_lines.pop(place, None)
        is_first = place not in self._bad_lines
        new, bad = decode_lines(sight.data)
        if not sight.gone:
            bad = self._bad_lines[place] = self._bad_lines.get(place, 0) + bad
        parsed = layout.parse_segment_name(sight.name) if is_first and not sight.gone else None
        if parsed is None:
            return Reading(sight, None, new, bad + sight.skipped)
        run = self._new_run(Key(sight.project, parsed[1], self.source), sight, parsed[0])
        self._fold(run, Reading(sight, run, new, bad + sight.skipped))
        if self._index is not None:
            self._index.add(sight, run)
        return Reading(sight._replace(data=b""), run, (), run.bad_lines)  # of ten thousand, lines would fill the memory

    # ---- folding ----

    def apply(self, readings: Iterable[Reading]) -> Delta:
        """Fold readings, in the order they were collected, into the runs."""
        delta = Delta()
        for reading in readings:
            sight = reading.sight
            parsed = layout.parse_segment_name(sight.name)
            if parsed is None:
                if sight.name.startswith("edits-"):
                    self._apply_edits(reading, delta)
                continue
            key = Key(sight.project, parsed[1], self.source)
            segments = self._segments.setdefault(key, {})
            if sight.gone:
                segments.pop(sight.name, None)
            else:
                if reading.run is not None:
                    segments[sight.name] = reading.run
                    for edit in self._edits.get(key, ()):
                        reading.run.apply_edit(edit)
                elif sight.name in segments:
                    run = segments[sight.name]
                    before = run.standing
                    self._fold(run, reading)
                    if run.standing != before:
                        delta.moved.add(key)
            self._choose(key, delta)
        return delta

    def _new_run(self, key: Key, sight: Sight, stamp: str) -> StoredRun:
        try:
            created = datetime.fromisoformat(f"{stamp.replace('_', 'T')}Z").timestamp()
        except ValueError:
            created = sight.mtime if 0 <= sight.mtime < MAX_TIME else 0.0
        run = StoredRun(key, self.root, sight.name, created)
        run.number = sight.number
        run.clock = self.files.clock
        return run

    def _fold(self, run: StoredRun, reading: Reading) -> None:
        run.unpack()
        is_begun = bool(run.start)
        new = reading.records
        for record in new:
            run.apply(record)
        if layout.file_name(run.id) != run.key.id:  # a copy, or a lie: edits find a run by its file's name
            run.id = records.clean(layout.true_name(run.key.id))
        if not is_begun and reading.run is not run:
            for edit in self._edits.get(run.key, ()):
                run.apply_edit(edit)
        run.bad_lines = max(run.bad_lines, reading.bad_lines)  # who reads it line by line may know of more
        run.size = reading.sight.offset
        run.alive = reading.sight.alive
        run.deadly_signal = reading.sight.deadly_signal
        if reading.sight.ended and new and new[-1].get("_type") == records.END and "sketches" in new[-1]:
            last_line = reading.sight.data.rfind(b"\n", 0, -1) + 1
            run.pack(self.files, run.size - len(reading.sight.data) + last_line)

    def _choose(self, key: Key, delta: Delta) -> None:
        """The newest journal is the run: an id used again starts anew, a resumed one hands its state on.

        One without a line, whose job was killed in the moment of its birth, hides none that has some.
        """
        segments = self._segments[key]
        if segments:
            newest = segments[max(segments, key=lambda name: (segments[name].size > 0, _age(name)))]
            if self.runs.get(key) is not newest:
                self.runs[key] = newest
                delta.moved.add(key)
            delta.changed.add(key)
            delta.removed.discard(key)
            return
        del self._segments[key]
        if self.runs.pop(key, None) is not None:
            delta.removed.add(key)
            delta.changed.discard(key)

    def _apply_edits(self, reading: Reading, delta: Delta) -> None:
        self.bad_edits[reading.sight[:2]] = reading.bad_lines
        for edit in reading.records:
            if not isinstance(edit.get("id"), str):
                continue
            key = Key(reading.sight.project, layout.file_name(edit["id"]), self.source)
            self._edits.setdefault(key, []).append(edit)
            if key in self.runs and self.runs[key].apply_edit(edit):
                delta.changed.add(key)
                delta.moved.add(key)

    # ---- editing ----

    def write_edits(self, edits: Sequence[tuple[StoredRun, Mapping[str, Any]]]) -> list[tuple[Record | None, str]]:
        """Append changes to this user's edits file; `StoredRun.apply_edit` folds them. May run in another thread.

        Returns:
            Of each the record as written and "", or None and why it could not be written.
        """
        return list(
            self.files.append_edits([(run.key.project, run.id, dict(fields), run.last_change) for run, fields in edits])
        )

    def edit(self, run: StoredRun, **fields: object) -> str:
        """Append a change to this user's edits file and fold it at once.

        Returns:
            "" or, where it could not be written, why.
        """
        ((record, trouble),) = self.write_edits([(run, fields)])
        if record is not None:
            run.apply_edit(record)
        return trouble

    def why_not_editable(self, run: StoredRun) -> str:
        """Why `edit` would fail, as far as can be told before; else empty."""
        return self.files.why_not_editable(run.key.project)

    def stop(self, run: StoredRun) -> str:
        """Send SIGTERM to a run's process, if it is certainly that one, and put down who did.

        Returns:
            "" or why nothing was sent.
        """
        if run.state != "running":
            return f"it is {run.state}"
        trouble = self.files.stop(run.key.project, run.file)
        if not trouble:
            self.edit(run, stopped=True)  # where it cannot be written, the signal alone tells
        return trouble

    def files_of(self, run: StoredRun) -> dict[str, FolderFile]:
        """The files in a run's folder, by name; of a run that was resumed the newest of each name.

        What is below `files/` is called by its path there, all else by its path in the run's folder.
        """
        found: dict[str, FolderFile] = {}
        own = self._segments.get(run.key, {})
        for journal in (name for name, _ in self.lineage(run) if name in own):  # but what it was forked from
            folder = journal.removesuffix(".jsonl")
            listed = self.files.folder_files(run.key.project, folder) or []
            for file in sorted(listed, key=lambda file: file.path.startswith(f"{folder}/files/")):
                found[file.path.removeprefix(f"{folder}/").removeprefix("files/")] = file
        return dict(sorted(found.items()))

    def disk_use(self, run: StoredRun) -> int:
        """Bytes of a run's own files: its journals and what is in its folders."""
        size = 0
        for name, segment in self._segments.get(run.key, {}).items():
            files = self.files.folder_files(run.key.project, name.removesuffix(".jsonl")) or ()
            size += segment.size + sum(file.size for file in files)
        return size

    def purge(self, run: StoredRun) -> str:
        """Remove a run's files for good; the changes made to it stay in the edits files, where nobody reads them.

        Returns:
            "" or what could not be removed and why.
        """
        return self.files.remove(run.key.project, list(self._segments.get(run.key, ())))


def _age(name: str) -> tuple[str, int]:
    """Orders the journals of one run by when they were begun."""
    stamp, _, attempt = layout.parse_segment_name(name) or ("", "", 0)
    return stamp, attempt
