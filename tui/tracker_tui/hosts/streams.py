"""What is in one file on another machine: its lines as they come, and what a run printed by the piece."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from tracker.lines import CHUNK
from tracker.lookout import Place
from tracker.pages import Page
from tracker_tui.hosts import checked
from tracker_tui.hosts.checked import count


class Reading(Protocol):
    """Who is told what was read."""

    def got(self, size: int, session: int) -> None: ...
    def forget(self, number: int) -> None: ...


class Asking(Protocol):
    """Who asks the far side."""

    def ask(self, what: str, *args: Any) -> Any: ...


class FarPages:
    """What a run printed there; `tracker.pages.Pages` reads it.

    Each raises LinkError where there is no answer, or none that is understood.
    """

    def __init__(self, link: Asking, place: Place) -> None:
        self._link, self._place = link, place

    def page(self, first: int, count: int, size: int = -1) -> Page | None:
        return checked.page(self._link.ask("page", *self._place, first, count, size))

    def line_at(self, field: str, value: float) -> int:
        return checked.line_number(self._link.ask("line_at", *self._place, field, value))

    def matches(self, words: str, start: int, end: int) -> tuple[list[int], int]:
        return checked.matches(self._link.ask("matches", *self._place, words, start, end))


class FarLines:
    """The whole lines of a file there, as they come; `tracker.lines.Lines` reads them."""

    def __init__(self, link: Reading, number: int, place: Place, offset: int, thin: int) -> None:
        self.offset = offset
        self.skipped = 0
        self.is_thinned = False
        self.is_replaced = False
        self._link = link
        self._number = number
        self._place = place
        self._thin = thin
        self._lock = threading.Lock()  # the link's thread brings what others take
        self._parts: deque[tuple[bytes, int, int]] = deque()
        self._came = offset
        self._is_told_all = False
        self._is_closed = False

    @property
    def is_whole(self) -> bool:
        with self._lock:
            return self._is_told_all and not self._parts

    @property
    def is_behind(self) -> bool:
        return bool(self._parts)

    def read(self, limit: int = CHUNK) -> bytes:
        found: list[tuple[bytes, int, int]] = []
        room = limit
        with self._lock:
            while self._parts and (room > 0 or not found):
                found.append(self._parts.popleft())
                room -= len(found[-1][0])
                self.offset = found[-1][1]
        return b"".join(self._read(found))

    def close(self) -> None:
        self._link.forget(self._number)
        with self._lock:
            self._is_closed = True
            left, self._parts = self._parts, deque()
        for _ in self._read(left):
            pass

    def _read(self, parts: Iterable[tuple[bytes, int, int]]) -> Iterator[bytes]:
        """The bytes of parts; tells that they are read. Without the lock: the link has its own."""
        for data, _, session in parts:
            self._link.got(len(data), session)
            yield data

    def request(self) -> dict[str, Any]:
        """What asks the far side for all that has not come yet."""
        project, name = self._place
        with self._lock:
            self._is_told_all = False
        thin = 0 if self._came else self._thin
        return {"stream": self._number, "project": project, "name": name, "offset": self._came, "thin": thin}

    def take(self, flags: Sequence[Any], data: bytes, session: int) -> None:
        """What the far side sent in this session."""
        offset, skipped, whole, thinned, replaced = flags
        with self._lock:
            is_late = self._is_closed
            self._came, self.skipped = count(offset), count(skipped)
            if data and not is_late:
                self._parts.append((data, self._came, session))
            self._is_told_all = whole is True
            self.is_thinned |= thinned is True
            self.is_replaced |= replaced is True
        if is_late:
            self._link.got(len(data), session)
