"""Looks below a folder for runs that other tools have logged.

Folders are listed when their mtime has changed, so that looking again costs little. Nothing is followed that is a link,
and no more is looked at than `MAX_DEPTH`, `MAX_FOLDERS` and `MAX_RUNS` say; where that was too little, `left_out` says
so. What is only called like a log is looked into: a table must have a column that is a step, or several numbers.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from fnmatch import translate
from typing import Final, NamedTuple

from tracker import host
from tracker.foreign.origin import Files, Origin
from tracker.layout import SYNCED

MAX_DEPTH: Final = 8
MAX_FOLDERS: Final = 5000
MAX_ENTRIES: Final = 50_000
"""Of one folder that are looked at."""
MAX_RUNS: Final = 2000
SETTLED_NS: Final = 3 * 10**9
"""How long a folder must have stood still for its mtime to be trusted."""
MAX_SYNCED: Final = 1 << 20
"""Bytes of such a file."""
LEFT_OUT: Final = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "env", "lost+found"})
"""Folders that have no runs, besides those whose names begin with a dot."""
TABLES: Final = (
    "metrics.csv",
    "progress.csv",
    "results.csv",
    "*log*.csv",
    "metrics*.jsonl",
    "*log*.jsonl",
    "*history*.jsonl",
    "progress.json",
)
"""Names that a table of metrics may have."""
_TABLE: Final = re.compile(rf"(?!\.|edits-)(?:{'|'.join(map(translate, TABLES))})")
CHECKPOINT: Final = re.compile(r"checkpoint-(\d+)")


Stamps = dict[str, list[int]]
"""Files, with size, mtime and inode."""


class Found(NamedTuple):
    """One run."""

    origin: Origin
    files: tuple[str, ...]
    """That are read."""
    project: str
    """And name: as far as its place tells."""
    name: str

    def stamps(self) -> Files:
        """The sizes, mtimes and inodes of its files; of one that is gone nothing."""
        return [stamp for path in self.files if (stamp := _stamp(path))]


def _synced(path: str, journals: set[str]) -> frozenset[str]:
    """The folders that a file names of which the journal is there."""
    data = (host.read(path, 0, MAX_SYNCED) or b"").decode("utf-8", "surrogateescape")
    named = (line.partition("\t") for line in data.split("\n")[:-1])
    return frozenset(os.path.realpath(folder) for journal, _, folder in named if journal in journals and folder)


def _stamp(path: str) -> list[int]:
    """Size, mtime and inode of a file; empty where there is none."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ino]


class _Folder(NamedTuple):
    """What a folder held when it was listed."""

    stamp: int
    folders: list[str]
    found: list[Found]
    synced: frozenset[str]
    """Folders of event files whose values runs of ours in this folder have logged."""
    looked_into: Stamps
    """Files that may yet become tables, or get more runs, as they were: when they change the folder is listed again."""
    trouble: str = ""
    """Why one of them could not be looked into."""

    def is_outdated(self) -> bool:
        """Whether one of those has changed."""
        return any(_stamp(path) != stamp for path, stamp in self.looked_into.items())


class Finder:
    """What there is below a folder; `look` goes on where the last one stopped.

    Args:
        root: an absolute path.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.found: dict[Origin, Found] = {}
        """As of the last time that everything was looked at."""
        self.left_out = ""
        """What was not looked at, in words."""
        self.is_sure = False
        """Whether every folder could be read: what was not found is not there."""
        self.rounds = 0
        """How often everything was looked at."""
        self._folders: dict[str, _Folder] = {}
        self._going: Iterator[None] | None = None

    def look(self, until: float) -> bool:
        """Look at everything once; whether that was done before a time by the monotonic clock."""
        if self._going is None:
            self._going = self._round()
        for _ in self._going:
            if time.monotonic() > until:
                return False
        self._going = None
        return True

    def _round(self) -> Iterator[None]:
        found: list[Found] = []
        folders: dict[str, _Folder] = {}
        todo = [(self.root, 0)]
        left_out, is_sure = "", True
        for folder, depth in todo:
            if len(folders) >= MAX_FOLDERS or len(found) >= MAX_RUNS:
                left_out = f"only {MAX_RUNS:,} runs of other tools, in {MAX_FOLDERS:,} folders, are looked at"
                break
            stamp = host.folder_stamp(folder, may_be_link=depth == 0)
            if stamp is None or stamp == -1:
                is_sure = is_sure and stamp == -1 and depth > 0
                continue
            known = self._folders.get(folder)
            if known is None or known.stamp != stamp or known.is_outdated() or time.time_ns() - stamp < SETTLED_NS:
                known = self._list(folder, stamp)
            if known is None:
                is_sure = False
                continue
            folders[folder] = known
            found += known.found
            left_out = left_out or known.trouble
            if depth < MAX_DEPTH:
                todo += ((inner, depth + 1) for inner in known.folders)
            yield
        synced = frozenset[str]().union(*(each.synced for each in folders.values()))
        if synced:  # what our own runs have of a log is not shown once more
            found = [each for each in found if os.path.realpath(each.origin.path) not in synced]
        self._folders, self.left_out, self.is_sure = folders, left_out, is_sure and not left_out
        self.found = {each.origin: each for each in self._newest_checkpoints(found)}
        self.rounds += 1

    def _list(self, folder: str, stamp: int) -> _Folder | None:
        """What is in a folder; None where it cannot be read."""
        folders, files = [], []
        try:
            with os.scandir(folder) as entries:
                for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        files.append(entry.name)
        except OSError:
            return None
        if "pyvenv.cfg" in files:  # a virtual environment
            return _Folder(stamp, [], [], frozenset(), {})
        own = set(filter(host.JOURNAL.fullmatch, files))
        inner = [
            os.path.join(folder, name)
            for name in sorted(folders)
            if not name.startswith(".") and name not in LEFT_OUT and f"{name}.jsonl" not in own
        ]
        found, looked_into, trouble = self._runs_in(folder, sorted(name for name in files if name not in own))
        synced: frozenset[str] = frozenset()
        if SYNCED in files:
            path = os.path.join(folder, SYNCED)
            looked_into[path] = _stamp(path)
            synced = _synced(path, own)
        return _Folder(stamp, inner, found, synced, looked_into, trouble)

    def of_file(self, path: str) -> list[Found]:
        """The runs of one file that a user names; a table may be called as it likes."""
        from tracker.foreign import tables

        folder, name = os.path.split(path)
        found, _, self.left_out = self._runs_in(folder, [name])
        if not found and name.endswith((".csv", ".json", ".jsonl")) and (kind := tables.kind_of(path)):
            found = [self._found(kind, path, [path])]
        return found

    def _runs_in(self, folder: str, names: list[str]) -> tuple[list[Found], Stamps, str]:
        found: list[Found] = []
        looked_into: Stamps = {}
        trouble = ""
        events = [os.path.join(folder, name) for name in names if ".tfevents." in name]
        if events:
            found.append(self._found("tensorboard", folder, events[-1000:]))
        for name in names:
            path = os.path.join(folder, name)
            if name.startswith("run-") and name.endswith(".wandb"):
                found.append(self._found("wandb", path, [path]))
            elif name == "trainer_state.json":
                found.append(self._found("huggingface", folder, [path]))
            elif name.endswith(".db"):
                from tracker.foreign import trackio  # with sqlite3: where there is a database

                looked_into |= {each: _stamp(each) for each in (path, f"{path}-wal")}
                try:
                    found += (
                        Found(Origin("trackio", path, part), (path, f"{path}-wal"), project, run)
                        for part, project, run in trackio.runs_in(path)
                    )
                except OSError as error:  # what was there is there still
                    found += (each for each in self.found.values() if each.origin.path == path)
                    looked_into[path], trouble = [], f"{path} cannot be looked into now: {error.strerror}"
            elif _TABLE.fullmatch(name):
                from tracker.foreign import tables

                stamp = _stamp(path)
                kind = tables.kind_of(path)
                if kind:
                    found.append(self._found(kind, path, [path]))
                elif kind is None:
                    looked_into[path] = stamp
        return found, looked_into, trouble

    def _found(self, kind: str, path: str, files: list[str]) -> Found:
        """A run whose project and name are told by its place: the first folder below the root, and the path in it."""
        place = path if os.path.isdir(path) else os.path.dirname(path)
        parts = os.path.relpath(place, self.root).split(os.sep)
        if parts == ["."]:
            parts = [os.path.basename(os.path.dirname(self.root)) or "runs", os.path.basename(self.root) or "root"]
        elif len(parts) == 1:
            parts = [os.path.basename(self.root) or "runs", *parts]
        name = "/".join(parts[1:])
        if kind in ("csv", "jsonl") and not os.path.basename(path).startswith(("metrics.", "progress.", "results.")):
            name = f"{name}/{os.path.basename(path)}"
        return Found(Origin(kind, path), tuple(files), parts[0], name)

    def _newest_checkpoints(self, found: list[Found]) -> Iterator[Found]:
        """Of the checkpoints of one training by Hugging Face's `Trainer` the newest one, as the run of its folder."""
        newest: dict[str, tuple[int, int, Found]] = {}
        for each in found:
            if each.origin.kind != "huggingface":
                yield each
                continue
            checkpoint = CHECKPOINT.fullmatch(os.path.basename(each.origin.path))
            training = os.path.dirname(each.origin.path) if checkpoint else each.origin.path
            mtime = max((stamp[1] for stamp in each.stamps()), default=0)
            rank = mtime, int(checkpoint[1]) if checkpoint else 10**9, each
            if training not in newest or newest[training][:2] < rank[:2]:
                newest[training] = rank
        for training, (_, _, each) in newest.items():
            yield self._found("huggingface", training, list(each.files))
