"""A folder of TensorBoard's event files, read as one run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, Final

from tracker import host
from tracker.foreign.events import Event, EventReader
from tracker.foreign.origin import Origin
from tracker.foreign.reading import CHUNK, Reader, Replaced
from tracker.foreign.recorder import Identity, Recorder

FIRST: Final = 16
"""Pieces of the files in which the first value is looked for: a graph may come before it."""
MAX_PLUGINS: Final = 1000
"""Tags that are not scalars, of which it is kept what draws them."""
_TIME: Final = re.compile(r"tfevents\.(\d{9,11})\.")


class EventsReader(Reader):
    """The event files of one folder, the oldest first; each goes on where it was left.

    Args:
        origin: the folder.
        files: its event files.
        position: of an earlier reader.
    """

    def __init__(self, origin: Origin, files: Sequence[str], position: Any, project: str, name: str) -> None:
        self._origin, self._project, self._name = origin, project, name
        known = position if isinstance(position, dict) else {}
        plugins = known.get("plugins", {})
        self._files = {
            path: EventReader(known.get("offsets", {}).get(os.path.basename(path), 0), plugins)
            for path in sorted(files, key=_age)
        }
        self._fed = {path: reader.offset for path, reader in self._files.items()}
        self._told = dict.fromkeys(files, 0)
        self._first: list[Event] = []
        self._plugins: dict[str, str] = plugins

    @property
    def position(self) -> Any:
        """As `reading.Reader`."""
        offsets = {os.path.basename(path): reader.offset for path, reader in self._files.items()}
        plugins = [(tag, plugin) for tag, plugin in self._plugins.items() if plugin != "scalars"]
        return {"offsets": offsets, "plugins": dict(plugins[:MAX_PLUGINS])}

    def identify(self) -> Identity | None:
        """As `reading.Reader`: a folder is a run from its first value on."""
        for _ in range(FIRST):
            if not self._feed(self._first) or self._first:
                break
        if not self._first:
            return None
        created = min((event.time for event in self._first if event.time > 0), default=0.0)
        return Identity(self._origin.id, self._project, self._name, created)

    def read(self, to: Recorder) -> bool:
        """As `reading.Reader`."""
        events, self._first = self._first, []
        is_behind = self._feed(events)
        row = to.row
        for event in events:
            if event.values:
                row(event.step, event.time, event.values)
            if event.config:
                to.config(event.config)
            if event.exit_code is not None:
                self.exit_code = event.exit_code
        for path, reader in self._files.items():
            if reader.bad > self._told[path]:
                to.bad(f"events of {os.path.basename(path)}", reader.bad - self._told[path])
                self._told[path] = reader.bad
        return is_behind

    def _feed(self, events: list[Event]) -> bool:
        """Read a piece of the first file that has more; whether there is more behind it.

        Raises:
            Replaced: a file is shorter than what was read of it.
        """
        is_read = False
        for path, reader in self._files.items():
            size = host.size_of(path)
            if size is not None and size < self._fed[path]:
                raise Replaced
            if size is None or size == self._fed[path]:
                continue
            if is_read:
                return True
            data = host.read(path, self._fed[path], CHUNK) or b""
            self._fed[path] += len(data)
            events += reader.feed(data)
            if len(data) == CHUNK:
                return True
            is_read = True
        return False


def _age(path: str) -> tuple[int, str]:
    """Orders event files by the time in their names."""
    found = _TIME.search(path)
    return int(found[1]) if found else 0, path
