"""A run as its files tell it: its small state, where it lies, whether it lives."""

from __future__ import annotations

import functools
import os
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import orjson

from tracker import layout, records
from tracker.journal import LineReader, decode_lines
from tracker.metrics import Metrics
from tracker.pace import LEAST
from tracker.replay import RunState, State, load_sketches

DETAILS: Final = ("start", "_surroundings", "_dumped", "_sketches")
"""What a run has packed."""
NOTHING: Final[dict[str, Any]] = {
    name: kind()
    for name, kind in (
        ("_tallies", dict),
        ("last_steps", dict),
        ("broken", dict),
        ("alerts", list),
        ("artifacts", list),
        ("metrics", Metrics),
    )
}
"""What packed runs share where they have none; only folding changes it, for which they are unpacked."""
HELD: Final = ("config", "state", "tags", "notes")
"""What a run has of its `start` elsewhere."""


KEPT: Final = (
    "id", "project", "created", "updated", "began", "name", "entity", "group", "job_type", "tags", "notes", "archived",
    "deleted", "step", "exit_code", "signal", "exception", "is_pending", "is_resumed", "ended", "bad_lines", "size",
    "_last_line", "origin", "is_read_only",
)  # fmt: skip
"""What `dump` tells as it is."""


class LineSource(Protocol):
    """What gives the lines of a file."""

    is_far: bool

    def lines(self, project: str, name: str, offset: int = 0) -> LineReader: ...


class Key(NamedTuple):
    """A run's place under a root, in the words of the disk (encoded)."""

    project: str
    id: str
    source: str = ""
    """Which root, where there are several."""


class StoredRun(RunState):
    """A run as its files tell it.

    What only a closer look at one run needs can be packed: of ten thousand runs it would fill the memory.
    """

    __slots__ = (
        "_files", "_last_line", "_names", "_packed", "alive", "bad_lines", "clock", "deadly_signal", "file", "key",
        "number", "root", "size",
    )  # fmt: skip

    def __init__(self, key: Key, root: str, file: str, created: float) -> None:
        super().__init__(records.clean(layout.true_name(key.id)), records.clean(layout.true_name(key.project)), created)
        self.key = key
        self.root = root
        """The folder of projects."""
        self.file = file
        """The journal's name."""
        self.bad_lines = 0
        """Lines that are no records, in what was read of the journal."""
        self.alive: bool | None = None
        """Whether its process lives or, where that cannot be told, whether the file has grown of late."""
        self.deadly_signal: str | None = None
        self.size = 0
        """Bytes of its journal, as far as it was looked at."""
        self.number = 0
        """Its place among the runs of its project, by the names of their files, the oldest 0."""
        self.clock = 0.0
        """Seconds that the clock of the machine with the file is ahead of ours."""
        self._packed = b""

    def pack(self, files: LineSource, last_line: int) -> None:
        """Keep `start` and `environment` as few bytes until somebody asks for them, and the courses not at all.

        Args:
            files: what gives the file.
            last_line: where the file's last line begins, which has the courses.
        """
        start = {name: value for name, value in self.start.items() if name not in HELD}
        names = dict.fromkeys((*self._dumped, *self._sketches))
        try:
            sketches = (self._dumped or self.dump_sketches()) if files.is_far else None
            details = orjson.dumps([start, self._surroundings, sketches])
        except TypeError:  # nested deeper than it writes
            return
        self._packed = zlib.compress(details, 1)
        self._files, self._last_line = files, last_line
        self._names = _shared_names(tuple(map(records.clean, names)))
        self._put_away()

    def _put_away(self) -> None:
        for name in DETAILS:
            with suppress(AttributeError):
                delattr(self, name)
        for name, nothing in NOTHING.items():
            if not getattr(self, name):
                setattr(self, name, nothing)

    def unpack(self) -> None:
        """Have everything at hand for good, to be changed."""
        if self._packed:
            for name, detail in self._details().items():
                setattr(self, name, detail)
            self._packed = b""
            for name, nothing in NOTHING.items():
                if getattr(self, name) is nothing:
                    setattr(self, name, type(nothing)())

    def _details(self) -> dict[str, Any]:
        start, surroundings, sketches = orjson.loads(zlib.decompress(self._packed))
        if sketches is None:
            found, _ = decode_lines(self._files.lines(self.key.project, self.file, self._last_line).read())
            sketches = found[-1].get("sketches") if found else None
        loaded = load_sketches(sketches) if isinstance(sketches, dict) else {}
        return {"start": start, "_surroundings": surroundings, "_dumped": {}, "_sketches": loaded}

    def dump(self) -> list[Any] | None:
        """All that is known of a packed run, as JSON can hold it, for `load`; None of a run that is not packed."""
        if not self._packed:
            return None
        own = [self.config, self.summary]
        is_odd = not all(map(_is_simple, own))
        has_more = (
            self._stamps
            or self.metrics
            or self.alerts
            or self.artifacts
            or self.broken
            or self.last_steps
            or self.pace.pauses
        )
        more = self.fine_print() if has_more else {}
        return [
            [getattr(self, name) for name in KEPT],
            is_odd,
            records.plain(own)[0] if is_odd else own,
            self._names,
            records.plain(more)[0],
            b2a_base64(self._packed, newline=False).decode(),
        ]

    def load(self, dumped: Any, files: LineSource) -> None:
        """Be as `dump` told.

        Raises:
            ValueError, TypeError: it did not.
        """
        kept, is_odd, own, names, more, packed = dumped
        for name, value in zip(KEPT, kept, strict=True):
            setattr(self, name, value)
        if more:
            self._checkpoint(more)
        self.config, self.summary = records.restore(own) if is_odd else own
        self._names, self._packed, self._files = _shared_names(tuple(names)), a2b_base64(packed), files
        self._put_away()

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics that have numbers."""
        return self._names if self._packed else tuple(self.sketches)

    if not TYPE_CHECKING:  # to which any name would be known

        def __getattr__(self, name: str) -> Any:
            """A detail that is packed; those of the runs that were asked last stay at hand."""
            if name not in DETAILS or not self._packed:
                raise AttributeError(name)
            return _details_of(self, self._packed, self._last_line)[name]

    @property
    def state(self) -> State:
        return self.verdict(self.alive, self.deadly_signal)

    @property
    def standing(self) -> tuple[object, ...]:
        """What its place in lists and counts depends on."""
        return self.created, self.entity, self.group, self.archived, self.deleted, self.state, self.bad_lines

    @property
    def label(self) -> str:
        """What to call it: the name, else the id."""
        return self.name or self.id

    @property
    def path(self) -> str:
        """The journal's path."""
        return os.path.join(self.root, self.key.project, self.file)

    @property
    def place(self) -> str:
        """Where it comes from: the folder of projects."""
        return self.key.source or self.root

    def duration(self, now: float) -> float:
        """Seconds from the start to the end; to the last record of a run that crashed; to `now` of a running one."""
        return self.age(now) if self.state == "running" else self.runtime

    def silence(self, now: float) -> float:
        """Seconds without a step of a run that stands still; 0 of one that goes on or has ended."""
        silence = now + self.clock - self.pace.last
        if self.ended or self.is_read_only or silence < LEAST or self.state != "running":
            return 0.0
        limit = self.pace.limit(self.row_count)
        return silence if limit is not None and silence > limit else 0.0

    def age(self, now: float) -> float:
        """Seconds from the start to `now`."""
        return max(0.0, now + self.clock - self.created)


_shared_names = functools.lru_cache(1024)(tuple[str, ...])
"""The same metrics in one tuple for all runs that have them."""


@functools.lru_cache(256)
def _details_of(run: StoredRun, _packed: bytes, _last_line: int) -> dict[str, Any]:
    """Nobody changes what this gives, so threads may share it."""
    return run._details()


def newest_first(runs: Iterable[StoredRun], with_deleted: bool = False) -> list[StoredRun]:
    """Runs in order, the newest first; those that are deleted only if asked for."""
    shown = (run for run in runs if with_deleted or not run.deleted)
    return sorted(shown, key=lambda run: (run.created, run.key), reverse=True)


def _is_simple(values: Mapping[str, Any]) -> bool:
    """Whether JSON holds some values as they are, without looking deeper."""
    return all(value - value == 0.0 if type(value) is float else type(value) in _SIMPLE for value in values.values())


_SIMPLE: Final = frozenset((int, str, bool, type(None)))
