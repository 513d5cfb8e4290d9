"""One run of another format on its way into journals of ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from tracker import host
from tracker.foreign.finder import Found
from tracker.foreign.offline import OfflineReader
from tracker.foreign.origin import Files, Origin
from tracker.foreign.reading import Reader, Replaced
from tracker.foreign.recorder import Identity, Recorder, last_converted
from tracker.foreign.tables import TableReader
from tracker.foreign.tensorboard import EventsReader
from tracker.foreign.trackio import TrackioReader

QUIET: Final = 180.0
"""Seconds without growth after which a run counts as finished: a SummaryWriter flushes every two minutes."""
BEAT: Final = 20.0
"""Seconds between two signs of life in a journal, while its run is not quiet."""

READERS: Final[dict[str, Callable[[Origin, Sequence[str], Any, str, str], Reader]]] = {
    "tensorboard": EventsReader,
    "wandb": OfflineReader,
    "trackio": TrackioReader,
    "huggingface": TableReader,
    "lightning": TableReader,
    "csv": TableReader,
    "jsonl": TableReader,
}


class Conversion:
    """Reads one run piece by piece, and writes what is new into its journal.

    Args:
        root: the folder of projects to write to.
        found: the run.
        path: the journal that it was written to before; empty: none.
        imported: when it was made a run of one's own; None: it is to be looked at alone.
        project: that it goes to, whatever it says itself.
    """

    def __init__(
        self, root: str, found: Found, path: str = "", imported: float | None = None, project: str | None = None
    ) -> None:
        self.found = found
        self.path = path
        self.replaced = ""
        """The journal that was written before, where what is there now is no longer what it was made of."""
        files, has_ended = _known(path)
        self.files = files
        """Of what was read wholly: as they were before that."""
        self.has_ended = has_ended
        self.rows = 0
        self.damaged = 0
        self.bytes = 0
        """Written."""
        self._root = root
        self._imported = imported
        self._project = project
        self._reader: Reader | None = None
        self._recorder: Recorder | None = None
        self._read: tuple[str, ...] = ()
        self._position: Any = None
        self._beat_at = 0.0

    def is_due(self, stamps: Files) -> bool:
        """Whether there is something to read.

        Args:
            stamps: of its files now.
        """
        return bool(stamps) and stamps != self.files

    def go_on(self, stamps: Files) -> bool:
        """Read a piece and write it; whether more is there at once.

        Raises:
            OSError: the disk does not take it.
        """
        try:
            return self._go_on(stamps)
        except Replaced:  # what is there now is another run, or the same written anew
            self.replaced, self.path, self.has_ended = self.path, "", False
            self._reader = self._recorder = None
            self.files = None
            try:
                return self._go_on(stamps)
            except Replaced:  # in this very moment
                self._reader = self._recorder = None
                return False

    def identify(self) -> Identity | None:
        """Who it is, as its beginning tells; None while there is too little."""
        return self._named(self._read_from(None).identify())

    def _named(self, identity: Identity | None) -> Identity | None:
        if identity is not None and self._project is not None:
            identity.project = self._project
        return identity

    def _read_from(self, position: Any) -> Reader:
        found = self.found
        return READERS[found.origin.kind](found.origin, found.files, position, found.project, found.name)

    def _go_on(self, stamps: Files) -> bool:
        position, handed_on = None, None
        if self._recorder is None and self.path:
            reopened = Recorder.reopen(self.path)
            if reopened is None:
                raise Replaced
            self._recorder, converted = reopened
            position = converted.get("position")
        if self._reader is not None and self._read != self.found.files:  # others belong to it now
            position, self._reader = self._reader.position, None
        if self._reader is None:
            self._reader, self._read = self._read_from(position), self.found.files
        recorder = self._recorder
        if recorder is None or recorder.has_ended:
            identity = self._named(self._reader.identify())
            if identity is None:
                self.files = stamps
                return False
            if recorder is not None:
                handed_on = recorder.state
                identity = Identity(identity.id, identity.project, identity.name, newest(stamps), identity.facts)
            recorder = self._recorder = Recorder.create(
                self._root, identity, self.found.origin, handed_on, self._imported
            )
        before = recorder.rows, recorder.damaged
        is_behind = self._reader.read(recorder)
        self.bytes += recorder.flush(self._reader.position, [] if is_behind else stamps, newest(stamps))
        self._count(recorder, *before)
        self.path, self.has_ended = recorder.path, recorder.has_ended
        self.files = None if is_behind else stamps
        return is_behind

    def give_up(self, stamps: Files) -> None:
        """Let the run be as far as it was read, until its files change."""
        self._reader = self._recorder = None
        self.files = stamps

    def _count(self, recorder: Recorder, rows: int, damaged: int) -> None:
        """Add what has come since there were so many."""
        self.rows += recorder.rows - rows
        self.damaged += recorder.damaged - damaged

    def settle(self, now: float, is_over: bool = False) -> None:
        """Say that the run may be going on or, once its files are quiet, that it is over.

        Args:
            now: seconds since the epoch.
            is_over: it is, as far as anybody can know.

        Raises:
            OSError: the disk does not take it.
        """
        if self.has_ended or self.files is None or not self.path:
            self._let_go()
            return
        age = now - newest(self.files)
        if 0 <= age < QUIET and not is_over:
            if now - self._beat_at > BEAT:
                self._beat_at = now
                self._take_up().beat()
            return
        recorder = self._take_up()
        reader = self._reader or self._read_from(self._position)
        position, before = reader.position, (recorder.rows, recorder.damaged)
        with suppress(Replaced):
            reader.rest(recorder)
        recorder.end(max(newest(self.files), recorder.state.updated), exit_code=reader.exit_code)
        self._count(recorder, *before)
        recorder.flush(position, self.files, newest(self.files))
        self.has_ended = True
        self._let_go()

    def _take_up(self) -> Recorder:
        if self._recorder is None:
            reopened = Recorder.reopen(self.path)
            if reopened is None:
                raise OSError(f"{self.path} is damaged")
            self._recorder, converted = reopened
            self._position = converted.get("position")
        return self._recorder

    def _let_go(self) -> None:
        """Keep nothing in memory of a run that is over."""
        if self.has_ended:
            self._reader = self._recorder = None


def newest(files: Files) -> float:
    """The newest mtime, in seconds since the epoch."""
    return max((mtime for _, mtime, _ in files), default=0) / 1e9


def _known(path: str) -> tuple[Files | None, bool]:
    """The files that a journal was made of, as they were then, and whether it has an end."""
    if not path:
        return None, False
    place, converted = last_converted(path, host.size_of(path) or 0)
    if converted is None:
        return None, False
    return converted.get("files"), (host.read(path, place, 64) or b"").startswith(b'{"_type":"end"')


def remove(path: str) -> None:
    """Take a journal of a mirror away, with its folder, and that of the project if it was the last."""
    with suppress(OSError):
        os.remove(path)
    shutil.rmtree(path.removesuffix(".jsonl"), ignore_errors=True)
    with suppress(OSError):
        os.rmdir(os.path.dirname(path))
