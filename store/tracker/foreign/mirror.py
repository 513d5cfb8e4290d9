"""Journals of runs that other tools log below a folder, kept in the user's cache folder and brought up to date at each
look, so that a catalog shows those runs like any other.

    <cache folder>/mirrors/<hash of version and root>/<project>/run-*.jsonl

Nothing is written anywhere near the foreign files, no mirror is made where there are none, and every mirror may be
deleted at any time. Of several dashboards that look at one folder one converts, which a lock tells; the others read.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from tracker import __version__, cache, host
from tracker.foreign.finder import Finder, Found
from tracker.foreign.origin import KINDS, Origin, origin_of
from tracker.lookout import Edit, Lookout, Place, Sight

if TYPE_CHECKING:
    from tracker.foreign.conversion import Conversion

FIND: Final = 1.0
"""Seconds between two searches for new runs, at least..."""
FIRST: Final = 0.02
"""Seconds that the first looks take at most, so that one's own runs need not wait for those of others."""
REST: Final = 400
"""...and so many times as long as the last one took, but..."""
MOST_REST: Final = 20.0
"""...no more seconds. So are files that are known left alone before they are asked again whether they have grown."""
MOST: Final = 4 << 30
"""Bytes of all mirrors together."""
UNUSED: Final = 30 * 86400.0
"""Seconds after which a mirror that nobody looked at goes."""
LOCK: Final = ".lock"
"""Held by whoever converts; tells the bytes of a mirror, and by its mtime when it was used."""


def folder() -> str:
    """Where mirrors are; it may not exist."""
    return os.path.join(cache.folder(), "mirrors")


class Mirror(Lookout):
    """The runs of other tools below a folder, as a `Lookout` at journals that are made of them.

    Args:
        path: the folder; an absolute path.
    """

    def __init__(self, path: str) -> None:
        digest = sha256(os.fsencode("\0".join((__version__, os.path.realpath(path))))).hexdigest()[:20]
        super().__init__(os.path.join(folder(), digest))
        self.only_project = None
        self._finder = Finder(path)
        self._rounds = -1
        self._find_due = self._ask_due = self._ask_all_due = 0.0
        self._lock: int | None = None
        self._runs: dict[Origin, Conversion] = {}
        self._behind: list[Conversion] = []
        self._written: set[Place] = set()
        """Journals that something was written to since the last look at them."""
        self._bytes = 0
        self._told = -1
        self._trouble = ""
        """Why runs are missing, or journals cannot be written."""

    @property
    def left_out(self) -> str:
        """What is not shown, in words; else empty."""
        return self._trouble or self._finder.left_out

    @property
    def left(self) -> int:
        """Files that wait to be opened, and runs that wait to be read."""
        return super().left + len(self._behind)

    def look(self, seconds: float | None = None, pause: float = 0.0) -> Iterator[Sight]:
        """As `Lookout.look`, of what there is after the time has been spent on reading foreign files."""
        start = time.monotonic()
        if seconds is not None and not self._finder.rounds:
            seconds = min(seconds, FIRST)
        until = start + seconds if seconds is not None else float("inf")
        is_done = True
        if seconds is None or start >= self._find_due:
            is_done = self._finder.look(until)
            if is_done:
                self._find_due = time.monotonic() + max(FIND, _rest(start))
        has_more = False
        if (self._finder.found or self._runs or os.path.isdir(self.root)) and self._finder.rounds and self._is_ours():
            has_more = self._convert(until, pause, is_asking=seconds is None)
        self._hurry()
        for sight in super().look(seconds, pause):
            is_open = sight.alive is False and not sight.ended  # it is not known to be over before its files were asked
            yield sight._replace(alive=True) if is_open else sight
        self.is_behind = self.is_behind or not is_done or has_more

    def _hurry(self) -> None:
        """Let journals that counted as dead be looked at now that something was written to them."""
        if self._written:
            written, self._written = self._written, set()
            for file in [file for file in self._dead if file.place in written]:
                self._dead.remove(file)
                file.due = 0.0
                self._dead.appendleft(file)

    # ---- converting ----

    def _convert(self, until: float, pause: float, is_asking: bool) -> bool:
        """Bring journals up to date; whether something is left to do."""
        if self._rounds != self._finder.rounds:
            self._rounds = self._finder.rounds
            self._learn()
        try:
            self._ask(is_asking)
            while self._behind and time.monotonic() < until and self._bytes < MOST:
                conversion = self._behind[-1]
                before = conversion.bytes
                if not self._go_on(conversion):
                    self._behind.pop()
                    self._replace(conversion)
                    conversion.settle(time.time())
                self._written.add(_place(conversion.path))
                self._bytes += conversion.bytes - before
                if pause:
                    time.sleep(pause)
        except OSError as error:
            self._behind.clear()
            if not os.path.isdir(self.root):  # somebody has deleted it: begin anew
                self._runs.clear()
                self._rounds = -1
                self.close()
                return True
            self._trouble = f"runs of other tools cannot be shown: {error.strerror or error}: {self.root}"
            return False
        self._tell_size()
        if self._bytes >= MOST:
            self._trouble = f"runs of other tools are shown in part: they are more than {MOST >> 30} GiB"
            return False
        return bool(self._behind)

    def _go_on(self, conversion: Conversion) -> bool:
        """Read a piece of a run; whether more is there at once."""
        stamps = conversion.found.stamps()
        try:
            return conversion.go_on(stamps)
        except OSError:
            raise
        except Exception as error:  # an oversight in a reader must not end a dashboard that looks at other runs
            self._trouble = f"not all of {conversion.found.origin.path} can be read: {error!r}"
            conversion.give_up(stamps)
            return False

    def _replace(self, conversion: Conversion) -> None:
        """Remove the journals of what was written anew."""
        if conversion.replaced and conversion.path:
            self._remove(conversion.replaced, conversion.found.origin, conversion.path)
            conversion.replaced = ""

    def _remove(self, path: str, origin: Origin, but: str = "") -> None:
        """Remove the journals that were made of a run, of which this is one."""
        from tracker.foreign.conversion import remove

        folder, name = os.path.split(path)
        wanted = host.JOURNAL.fullmatch(name)
        for other in host.list_files(*os.path.split(folder), ("run-",)) or () if wanted is not None else ():
            found = host.JOURNAL.fullmatch(other)
            each = os.path.join(folder, other)
            if found and wanted and found[2] == wanted[2] and each != but and origin_of(each) == origin:
                remove(each)

    def _tell_size(self) -> None:
        """For whoever looks which mirrors may go."""
        if self._lock is not None and self._bytes != self._told:
            self._told = self._bytes
            with suppress(OSError):
                os.pwrite(self._lock, b"%-20d" % self._bytes, 0)

    def _learn(self) -> None:
        """Take in what was found, and remove what is gone."""
        from tracker.foreign.conversion import Conversion  # with all readers: only where something was found

        found = self._finder.found
        for origin, each in found.items():
            if origin not in self._runs:
                self._runs[origin] = Conversion(self.root, each)
            else:
                self._runs[origin].found = each
        for origin in [origin for origin in self._runs if origin not in found]:
            if self._finder.is_sure or not os.path.lexists(origin.path):
                self._remove(self._runs.pop(origin).path, origin)
        self._behind = [conversion for conversion in self._behind if conversion.found.origin in self._runs]

    def _ask(self, is_at_once: bool) -> None:
        """Which files have grown; those of runs that are over are asked less often."""
        start = time.monotonic()
        are_all = is_at_once or start >= self._ask_all_due
        if not are_all and start < self._ask_due:
            return
        now = time.time()
        waiting = set(map(id, self._behind))
        for conversion in self._runs.values():
            if id(conversion) in waiting or (conversion.has_ended and not are_all):
                continue
            if conversion.is_due(conversion.found.stamps()):
                self._behind.append(conversion)
            elif not conversion.has_ended:
                conversion.settle(now)
                self._written.add(_place(conversion.path))
        self._ask_due = time.monotonic() + _rest(start)
        if are_all:
            self._ask_all_due = time.monotonic() + max(FIND, _rest(start))

    # ---- the mirror's folder ----

    def _is_ours(self) -> bool:
        """Whether this process converts."""
        if self._lock is not None:
            return True
        if not self._finder.found and not os.path.isdir(self.root):
            return False
        try:
            os.makedirs(self.root, 0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            lock = os.open(os.path.join(self.root, LOCK), flags, 0o600)
        except OSError as error:
            self._trouble = f"runs of other tools cannot be shown: {error.strerror}: {self.root}"
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        self._take_up()
        _tidy(self.root)
        return True

    def _take_up(self) -> None:
        """Learn from the journals that are there what they were made of."""
        from tracker.foreign.conversion import Conversion, remove

        known: dict[Origin, tuple[str, str]] = {}
        stale: list[str] = []
        for project in host.list_projects(self.root) or ():
            for name in host.list_files(self.root, project, ("run-",)) or ():
                path = os.path.join(self.root, project, name)
                origin = origin_of(path)
                if origin is None:
                    stale.append(path)
                else:
                    known[origin] = max(known.get(origin, ("", "")), (name, path))
                self._bytes += host.size_of(path) or 0
        for path in stale:
            remove(path)
        for origin, (_, path) in known.items():
            self._runs[origin] = Conversion(self.root, Found(origin, (), "", ""), path)

    def close(self) -> None:
        """Let another dashboard convert."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ---- what is not done to runs of others ----

    def append_edits(self, edits: Sequence[Edit]) -> list[tuple[dict[str, Any] | None, str]]:
        """None: these runs are somebody else's."""
        return [(None, self.why_not_editable(project)) for project, *_ in edits]

    def why_not_editable(self, project: str) -> str:
        """Whose they are, and how they become one's own."""
        kinds = {
            origin.kind for origin, run in self._runs.items() if os.path.basename(os.path.dirname(run.path)) == project
        }
        what = KINDS[kinds.pop()] if len(kinds) == 1 else "log of another tool"
        return f"it is a {what}, and read-only; `tracker-tui import {self._finder.root}` makes it a run of your own"

    def stop(self, project: str, name: str) -> str:
        """Nothing is known of its process."""
        return "it was logged by another tool, which does not say by which process"

    def remove(self, project: str, names: Sequence[str]) -> str:
        """None: these runs are somebody else's."""
        return self.why_not_editable(project)

    def sweep(self, project: str, going: list[list[str]], is_rehearsal: bool) -> tuple[int, int, str]:
        """Nothing: there are no artifacts."""
        return 0, 0, ""


def _place(path: str) -> Place:
    folder, name = os.path.split(path)
    return os.path.basename(folder), name


def _rest(start: float) -> float:
    """Seconds to leave alone what was begun at a time by the monotonic clock and is done now."""
    return min(MOST_REST, REST * (time.monotonic() - start))


def _tidy(own: str) -> None:
    """Remove mirrors that were not used for long, the oldest first while all together are too large."""
    import shutil  # costly, and seldom needed

    found = []
    with suppress(OSError):
        for name in os.listdir(folder()):
            path = os.path.join(folder(), name)
            lock = os.path.join(path, LOCK)
            if path != own and (text := host.read(lock, 0, 20)) is not None:
                found.append((os.stat(lock).st_mtime, int(text) if text.strip().isdigit() else 0, path))
    total = sum(size for _, size, _ in found)
    for used, size, path in sorted(found):
        if total <= MOST and time.time() - used < UNUSED:
            return
        try:
            lock_of = os.open(os.path.join(path, LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock_of, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            total -= size
        except OSError:
            continue  # somebody looks at it
        finally:
            os.close(lock_of)
