"""Events as lines: when, how long ago, which run, what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from textual.binding import Binding

from tracker.records import clean
from tracker_tui.events import Event
from tracker_tui.look import GLYPHS, ago, fit
from tracker_tui.widgets.lines import Line, Lines

WHEN: Final = "%m-%d %H:%M:%S"
WHEN_WIDTH: Final = 15
AGE_WIDTH: Final = 5
KIND_WIDTH: Final = 13
NARROW: Final = 60
"""Cells below which how long ago something was stands for when."""
LEAST_NAME: Final = 16
MOST_NAME: Final = 32
SHARE: Final = 3
"""The name of the run gets one of so many parts of what the rest leaves, at most `MOST_NAME`."""


class EventLines(Lines):
    """What happened, the newest first."""

    BINDINGS = [Binding("enter", "choose", "To the run", id="events.open", tooltip="To the run of the event")]

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0
        self._events: Sequence[Event] = ()
        self._has_projects = False
        """Whether they are of several."""

    def line_count(self) -> int:
        return len(self._events)

    @property
    def event(self) -> Event | None:
        """What is under the cursor."""
        return self._events[self.cursor] if self.cursor is not None and self.cursor < len(self._events) else None

    def show_events(self, events: Sequence[Event]) -> None:
        """Show these; the cursor stays on its event, but on the first line it stays there, to see what is new."""
        sign, at = _sign(self.event), self.cursor or 0
        same = (place for place, event in enumerate(events) if _sign(event) == sign)
        self._events = events
        self._has_projects = len({event.run.key.project for event in events}) > 1
        self.keep_cursor(max(0, min(next(same, at) if at else 0, len(events) - 1)))

    def line(self, index: int, width: int) -> Line:
        event = self._events[index]
        is_dated = width >= NARROW
        room = width - WHEN_WIDTH * is_dated - AGE_WIDTH - KIND_WIDTH - 3
        name = min(MOST_NAME, room // SHARE if is_dated else max(room // 2, min(room, LEAST_NAME)))
        label = f"{event.run.project}/{event.run.label}" if self._has_projects else event.run.label
        when = time.strftime(WHEN, time.localtime(max(0.0, event.time)))
        style = event.kind if event.kind in GLYPHS else "error" if event.is_worrying else "dim"
        return (
            (when.ljust(WHEN_WIDTH) if is_dated else "", "dim"),
            (ago(time.time() - event.time).rjust(AGE_WIDTH - 1) + " ", "dim"),
            (fit(clean(label), name) + " ", "strong"),
            (GLYPHS.get(event.kind, "!" if event.is_worrying else "·") + " ", style),
            (fit(event.title, KIND_WIDTH), style),
            (fit(event.text, room - name), "value"),
        )


def _sign(event: Event | None) -> object:
    return None if event is None else (event.run.key, *event.sign)
