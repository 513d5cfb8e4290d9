"""Looking at the files of runs as they grow: lists, whole lines, who lives; and the few things done to them.

Bytes and plain values come out. Of what a journal holds this module knows that its first line names the process that
writes it, and that an end is an end. Like `host` it uses the standard library alone and keeps to Python 3.8: this very
source also runs on the far side of ssh, where a dashboard's requests come from somebody else. So nothing outside what
was listed is ever opened.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Dict, NamedTuple, Tuple

from tracker import folders, host, sweeping
from tracker.lines import MAX_LOOK, Lines, all_of, first_line, last_checkpoint, open_lines, record_of
from tracker.pages import FILE, Pages

SKIP = 1 << 20
"""Bytes of growth from which a journal is taken up again at its last checkpoint."""
SILENCE = 60.0
"""Seconds without growth after which a run whose process cannot be seen from here counts as crashed: six heartbeats."""
NEWBORN = 2.0
"""Seconds that an empty journal is given to get its first line."""
DEAD_LOOK = 5.0
"""Seconds between two looks at a run whose process is gone."""
DEAD_LOOKS = 100
"""Looks at such runs a second, at most."""
EDITS_LOOK = 1.0
"""Seconds between two looks at an edits file: it never ends, and there may be one in every project."""
SETTLED = 60.0
"""Seconds that a folder must have stood still before its mtime is trusted."""
REST = 20
"""How many times as long as it takes to ask after all folders, they are left alone then: on a network that is slow."""
Place = Tuple[str, str]
"""The folder name of a project and the name of a file in it."""
Edit = Tuple[str, str, Dict[str, Any], float]
"""Project folder, the run's true id, the fields that change, and the newest time of any earlier change."""


class Known(NamedTuple):
    """How far a file was read before, to go on from there."""

    offset: int
    mark: int
    """`Sight.mark` of it."""
    ended: bool
    mtime: float


class Sight(NamedTuple):
    """What one look at one file brought."""

    project: str
    name: str
    data: bytes = b""
    """Whole lines; at first the journal's first line and those from its last checkpoint on, then what came since."""
    offset: int = 0
    """Where the next look goes on."""
    mark: int = 0
    """Tells the file from another that takes its place: a checksum of its first line."""
    skipped: int = 0
    """Lines that were too long, since the file was opened."""
    number: int = 0
    """The run's place among those of its project, by the names of their files, the oldest 0."""
    mtime: float = 0.0
    alive: bool | None = None
    """Whether the run's process lives or, where that cannot be told, whether the file has grown of late."""
    deadly_signal: str | None = None
    ended: bool = False
    """Whether the last line is an end."""
    is_new: bool = False
    """Whether the file has taken the place of another: what was read before does not count."""
    gone: bool = False


class _File:
    """One journal or edits file that is looked at again and again."""

    __slots__ = (
        "_entry",
        "_grew",
        "_known",
        "_lines",
        "_mark",
        "_path",
        "_searched",
        "_size",
        "_start",
        "_told",
        "alive",
        "due",
        "ended",
        "is_behind",
        "is_journal",
        "number",
        "place",
    )

    def __init__(self, path: str, entry: host.Entry, number: int, known: Known | None) -> None:
        self.place = (entry.project, entry.name)
        self.number = number
        self.is_journal = entry.name.startswith("run-")
        self.ended = False
        self.alive: bool | None = None
        self.is_behind = False
        """Whether the last look left some of it."""
        self.due = 0.0
        """When to look again."""
        self._path = path
        self._entry = entry
        self._known = known
        self._lines = Lines(path)
        self._mark = 0
        self._searched = 0  # there is no checkpoint ahead up to here
        self._start: dict[str, Any] | None = None
        self._told = False
        self._size = 0
        self._grew = time.monotonic() - max(0.0, time.time() - entry.mtime)

    def look(self) -> Sight | None:
        """What is new since the last look; None when nothing is."""
        now = time.monotonic()
        first, self._told = not self._told, True
        size = host.size_of(self._path)
        self.is_behind = False
        if not first and size == self._lines.offset and self.is_journal and self.alive is False:
            return None  # still as dead as it was
        is_begun = self._lines.offset or not self.is_journal
        is_new, data = (
            self._take_up(size) if first or not is_begun or self._lines.offset > (size or 0) else (False, b"")
        )
        if size is not None and size > self._lines.offset:
            data += self._read_on(size, len(data))
        if not first and size is not None and size > self._size:  # what is read later need not be new
            self._grew = now
        self._size = size or 0
        before = self.alive
        signal = None
        if self.is_journal:
            data += self._judge(size, len(data), now)
            if not self.alive and not self.ended:
                signal = host.deadly_signal(self._path[: -len(".jsonl")])
        if not data and not is_new and self.alive == before and not (first and self.is_journal):
            return None
        # A file that has ended is not judged: its process may live on, with other runs.
        return Sight(
            *self.place,
            data=data,
            offset=self._lines.offset,
            mark=self._mark,
            skipped=self._lines.skipped,
            number=self.number,
            mtime=self._entry.mtime,
            alive=None if self.ended else self.alive,
            deadly_signal=signal,
            ended=self.ended,
            is_new=is_new,
        )

    def _take_up(self, size: int | None) -> tuple[bool, bytes]:
        """Begin, go on where another look ended, or begin anew; whether it is anew, and the first lines."""
        known, self._known = self._known, None
        was_read = known is not None or self._lines.offset > 0
        if size is None:
            return False, b""
        if known is not None and known.offset <= size:
            mark = zlib.crc32(first_line(self._path))
            if known.mark == mark or not known.offset:
                self._lines, self._mark, self.ended = Lines(self._path, known.offset), mark, known.ended
                return False, b""
        self._start, head, data, self._lines = None, b"", b"", Lines(self._path)
        if self.is_journal:
            head, data, self._lines = open_lines(self._path, size)
        self._mark = zlib.crc32(head or first_line(self._path))
        self._searched = size
        self._learn(data)
        return was_read, data

    def _read_on(self, size: int, taken: int) -> bytes:
        """The lines that came since; of very many those from the last checkpoint on, which repeats the rest.

        Args:
            size: of the file.
            taken: bytes that this look has taken already; none are after `MAX_LOOK`.
        """
        if taken >= MAX_LOOK:
            self.is_behind = True
            return b""
        if self.is_journal and size - max(self._lines.offset, self._searched) > SKIP:
            checkpoint = last_checkpoint(self._path, max(self._lines.offset, self._searched), size)
            self._lines.offset = checkpoint or self._lines.offset
            self._searched = size
        data = all_of(self._lines)
        self.is_behind = not self._lines.is_whole
        self._learn(data)
        return data

    def _learn(self, data: bytes) -> None:
        if data and self.is_journal:
            self.ended = data[data.rfind(b"\n", 0, -1) + 1 :].startswith(b'{"_type":"end"')
            if not self._mark:
                self._mark = zlib.crc32(first_line(self._path))

    def _judge(self, size: int | None, taken: int, now: float) -> bytes:
        """Find out whether the run lives; its last words, where they came just now."""
        alive, data = None, b""
        if not self.ended:
            if self._start is None and self._lines.offset:
                self._start = record_of(first_line(self._path))
            alive = host.is_alive(self._start or {})
        if alive is False:
            data = self._read_on(size or 0, taken)
        if self.ended:
            self.alive = False
        else:
            patience = SILENCE if self._lines.offset else NEWBORN
            self.alive = alive if alive is not None else now - self._grew < patience
        return data


class _Folder:
    """A project's folder, which is listed when its mtime has changed, and again until that can be trusted.

    A file that is made within the same tick of the file system's clock (2 s on FAT) does not change the mtime again,
    and a network file system may give an old list with a new mtime. So after a change the folder is listed again and
    again, after twice as long each time, until it has stood still for `SETTLED`. That is judged by our clock alone:
    theirs may be wrong.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        """What was in it when it was listed last."""
        self._stamp = -1
        self._changed = 0.0
        self._listed = 0.0

    def is_due(self, stamp: int, now: float) -> bool:
        """Whether to list it now; then it counts as listed."""
        if stamp != self._stamp:
            self._stamp, self._changed = stamp, now
        else:
            stood = self._listed - self._changed
            if stood > SETTLED or now - self._changed < 2 * stood:
                return False
        self._listed = now
        return True


class Lookout:
    """The runs below a folder that holds projects, or of one project's folder, or of one journal.

    Args:
        path: an absolute path; a project's folder or a journal narrows it to that.
        is_project: the path is a project's folder, even if it has no runs yet.
        only_id: look at the journals of this id alone (encoded as on disk).
        known: how far files were read before; what had ended then and is as it was is not opened, and what is not is
            told to be gone, to be read anew. Taken away from as files are found.
        calm: seconds between two looks at a file that nobody reads line by line.
    """

    def __init__(
        self,
        path: str,
        is_project: bool = False,
        only_id: str | None = None,
        known: dict[Place, Known] | None = None,
        calm: float = 0.0,
    ) -> None:
        self.root = path
        """The folder of projects."""
        self.is_far = False
        """Whether what is read takes time to come here."""
        self.clock = 0.0
        """Seconds that the clock there is ahead of ours."""
        self.wake: Callable[[], None] | None = None
        """To be called when something has come; never, for files do not come by themselves."""
        self.trouble = ""
        """Why nothing comes; never, as above."""
        self.unanswered = 0
        """How often it was not told whether something was done; never."""
        self.is_behind = False
        """Whether the last `look` left files unopened or unread, which the next one may take at once."""
        self.live_projects: frozenset[str] = frozenset()
        """The folder names of the projects in which runs may be going on; another object when they change."""
        self._only_id = only_id
        self.only_project: str | None = None
        """The only project whose runs are looked at."""
        self.only_file: str | None = None
        """The only journal that is looked at."""
        self._known = known if known is not None else {}
        self._calm = calm
        self._list_due = 0.0
        self._was_listed = False
        self._read_by_line: set[Place] = set()
        self._files: dict[Place, _File | None] = {}
        """None stands for a journal that has ended."""
        self._numbers: dict[str, dict[str, int]] = {}
        self._unopened: list[_File] = []
        self._live: dict[Place, _File] = {}
        self._dead: deque[_File] = deque()
        self._folders: dict[str, _Folder] = {}
        if host.JOURNAL.fullmatch(os.path.basename(path)) and not os.path.isdir(path):
            self.root, self.only_file = os.path.split(path)
        if is_project or self.only_file or self._holds_journals():
            self._narrow()

    def _holds_journals(self) -> bool:
        """Whether the root is itself a project's folder."""
        return any(name.startswith("run-") for name in host.list_files(*os.path.split(self.root)) or ())

    def _narrow(self) -> None:
        self.root, self.only_project = os.path.split(self.root)

    @property
    def is_complete(self) -> bool:
        """Whether every file has been looked at."""
        return self._was_listed and not self.is_behind

    @property
    def left(self) -> int:
        """Files that wait to be opened."""
        return len(self._unopened)

    def wait(self) -> None:
        """Until there may be something new to read: never, for files are there to be read."""

    def close(self) -> None:
        """There is nothing to let go of: no file is kept open."""

    def look(self, seconds: float | None = None, pause: float = 0.0) -> Iterator[Sight]:
        """What is new in the files since the last look. One look at a time, and each to its end.

        Args:
            seconds: look at no further file after this time; `is_behind` tells whether some were left for the next
                look. What need not be looked at so often is left out. Default: look at all.
            pause: seconds to sleep after each file that is opened, so that other threads need not wait for the
                interpreter.
        """
        start = time.monotonic()
        if seconds is None or start >= self._list_due:
            yield from self._list()
            self._was_listed = True
        self.is_behind = False
        while self._unopened:
            if seconds is not None and time.monotonic() - start > seconds:
                self.is_behind = True
                return
            file = self._unopened.pop()
            if self._files.get(file.place) is file:
                yield from self._look_at(file)
                if pause:
                    time.sleep(pause)
        for file in list(self._live.values()):
            if seconds is not None and start < file.due and not (file.is_behind or file.place in self._read_by_line):
                continue
            if seconds is not None and time.monotonic() - start > seconds:
                self.is_behind |= any(left.is_behind for left in self._live.values())
                break
            yield from self._look_at(file)
        while self._dead and self._dead[0].due <= start:
            file = self._dead.popleft()
            if self._files.get(file.place) is file:
                yield from self._look_at(file)
        live = {file.place[0] for file in self._live.values() if file.is_journal}
        if live != self.live_projects:
            self.live_projects = frozenset(live)

    def _look_at(self, file: _File) -> Iterator[Sight]:
        sight = file.look()
        self._live.pop(file.place, None)
        if file.is_behind or not (file.ended or (file.is_journal and file.alive is False)):
            self._live[file.place] = file
            self.is_behind |= file.is_behind
            file.due = time.monotonic() + (self._calm if file.is_journal else max(self._calm, EDITS_LOOK))
        elif file.ended:
            self._files[file.place] = None
        else:
            file.due = time.monotonic() + max(DEAD_LOOK, len(self._dead) / DEAD_LOOKS)
            self._dead.append(file)
        if sight is not None:
            yield sight

    def _list(self) -> Iterator[Sight]:
        """Learn of new files; report those that are gone."""
        if not self.only_project and not self._files and self._holds_journals():
            self._narrow()
        projects, due = self._due_folders()
        new: list[Place] = []
        gone: list[Place] = []
        for project, folder in due:
            names = host.list_files(self.root, project) if project in self._folders else []
            if names is None or names == folder.names:  # None: what was there may be there still
                continue
            before, folder.names = set(folder.names), names
            new += ((project, name) for name in names if name not in before and self._is_wanted(name))
            gone += ((project, name) for name in before.difference(names) if (project, name) in self._files)
        # Opened from the end: edits first, for they name the runs, then the newest run.
        for place in sorted(new, key=lambda place: (place[1] < "run-", place[1])):
            entry = host.entry_of(self.root, *place)
            if entry is None:
                self._folders[place[0]].names.remove(place[1])  # asked again when the folder is
                continue
            journal, known = host.JOURNAL.fullmatch(place[1]), self._known.pop(place, None)
            number = self.number(place[0], journal[2]) if journal else 0
            self._files[place] = None
            if known is not None and known.ended:
                if (known.offset, known.mtime) == (entry.size, entry.mtime):
                    continue
                yield Sight(*place, gone=True)
                known = None
            file = self._files[place] = _File(os.path.join(self.root, *place), entry, number, known)
            self._unopened.append(file)
        for place in gone:
            del self._files[place]
            self._live.pop(place, None)
        if projects is not None and self._known:
            gone += self._known
            self._known.clear()
        for place in gone:
            yield Sight(*place, gone=True)

    def _due_folders(self) -> tuple[list[str] | None, list[tuple[str, _Folder]]]:
        """The projects, None when the root cannot be read; and the folders to list now, those that are gone too."""
        now = time.monotonic()
        projects = [self.only_project] if self.only_project else host.list_projects(self.root)
        due = []
        for project in {*(projects or ()), *self._folders}:
            stamp = host.folder_stamp(os.path.join(self.root, project), may_be_link=project == self.only_project)
            if stamp is None:
                continue
            folder = self._folders.pop(project, None) or _Folder()
            if stamp != -1:
                self._folders[project] = folder
            if folder.is_due(stamp, now):
                due.append((project, folder))
        self._list_due = now + max(self._calm, REST * (time.monotonic() - now))
        return projects, due

    def number(self, project: str, run_id: str) -> int:
        """The place of a run among those of its project; they are met in order of their files' names."""
        numbers = self._numbers.setdefault(project, {})
        return numbers.setdefault(run_id, len(numbers))

    def _is_wanted(self, name: str) -> bool:
        if name.startswith("edits-"):
            return True
        if self._only_id is not None and self._only_id not in name:  # most of them, told quickly
            return False
        journal = host.JOURNAL.fullmatch(name)
        return self.only_file in (None, name) and (
            self._only_id is None or (journal is not None and journal[2] == self._only_id)
        )

    @property
    def has_live(self) -> bool:
        """Whether any run may be going on."""
        return any(file.is_journal for file in self._live.values())

    def is_live(self, place: Place) -> bool:
        """Whether a file may be growing."""
        return place in self._live

    def projects(self) -> set[str]:
        """The folder names of the projects that have runs."""
        return {place[0] for place in self._files}

    # ---- reading one file ----

    def lines(self, project: str, name: str, offset: int = 0, thin: int = 0) -> Lines:
        """The lines of a file that is listed; of any other none."""
        if (project, name) not in self._files:
            return Lines(os.devnull)
        return Lines(os.path.join(self.root, project, name), offset, thin)

    def pages(self, project: str, name: str) -> Pages:
        """What the process of a journal that is listed has printed; of any other nothing."""
        folder = os.path.join(self.root, project, name[: -len(".jsonl")])
        if (project, name) not in self._files or not name.startswith("run-") or os.path.islink(folder):
            return Pages(os.devnull)
        return Pages(os.path.join(folder, FILE))

    def folder_files(
        self, project: str, folder: str, depth: int = folders.MAX_DEPTH
    ) -> list[folders.FolderFile] | None:
        """The files below a folder of a project that has runs, as `folders.folder_files`."""
        if not self._may_look_into(project, folder):
            return None
        return folders.folder_files(self.root, project, folder, depth, project == self.only_project)

    def read_part(self, project: str, path: str, offset: int, most: int) -> folders.Part:
        """A piece of a file of a project that has runs, as `folders.read_part`."""
        if not self._may_look_into(project, path):
            return folders.Part(b"", 0, "there is no such project")
        return folders.read_part(self.root, project, path, offset, most, may_be_link=project == self.only_project)

    def _may_look_into(self, project: str, path: str) -> bool:
        """Whether it is a project's folder: one that has runs, or else only artifacts."""
        return project in self.projects() or (not self.only_project and path.split("/")[0] == sweeping.FOLDER)

    def read_by_line(self, places: set[Place]) -> None:
        """Which files somebody reads line by line: those are looked at every time."""
        self._read_by_line = places

    # ---- what is done to runs ----

    def append_edits(self, edits: Sequence[Edit]) -> list[tuple[dict[str, Any] | None, str]]:
        """Append edits; of each the record as written and "", or None and why it could not be written."""
        projects = self.projects()
        written: list[tuple[dict[str, Any] | None, str]] = []
        for project, run_id, fields, after in edits:
            folder = os.path.join(self.root, project)
            if project not in projects or (os.path.islink(folder) and project != self.only_project):
                written.append((None, "there is no project %r" % project))
            else:
                written.append(host.append_edit(folder, run_id, fields, after))
        return written

    def why_not_editable(self, project: str) -> str:
        """Why an edit would fail, as far as can be told before; else empty."""
        return host.why_not_editable(os.path.join(self.root, project))

    def stop(self, project: str, name: str) -> str:
        """Send SIGTERM to the process that a journal's first line names, if it is certainly that one.

        Returns:
            "" or why nothing was sent.
        """
        if (project, name) not in self._files:
            return "its file is gone"
        return host.stop(record_of(first_line(os.path.join(self.root, project, name))))

    def remove(self, project: str, names: Sequence[str]) -> str:
        """Remove journals and their folders for good.

        Returns:
            "" or what could not be removed and why.
        """
        journals = [os.path.join(self.root, project, name) for name in names if (project, name) in self._files]
        folders = [path[: -len(".jsonl")] for path in journals]
        return host.remove(sorted(journals + [folder for folder in folders if os.path.isdir(folder)]))

    def sweep(self, project: str, going: list[list[str]], is_rehearsal: bool) -> tuple[int, int, str]:
        """Delete versions of a project's artifacts and remove contents that no other names, as `sweeping.sweep`."""
        folder = os.path.join(self.root, project)
        if os.path.basename(project) != project or (os.path.islink(folder) and project != self.only_project):
            return 0, 0, "there is no such project"
        return sweeping.sweep(folder, going, is_rehearsal)
