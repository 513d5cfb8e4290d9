"""The event log over the whole screen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding

from tracker.stored import Key, StoredRun
from tracker_tui.events import events
from tracker_tui.look import some_runs
from tracker_tui.model import Model
from tracker_tui.screens.dialog import Page
from tracker_tui.widgets.event_lines import EventLines
from tracker_tui.widgets.key_bar import KeyBar, bindings_of
from tracker_tui.widgets.lines import Lines

EVERY = 1.0
"""Seconds between two looks at whether runs have changed."""
CLOCK = 10.0
"""Seconds after which it is asked anew without a change: a run may have come to a standstill."""


class EventsScreen(Page[Key]):
    """What happened to the runs that are shown; gives the run that was chosen.

    Args:
        model: whose runs.
        keys: those that the user chose, by the ids of bindings.
    """

    BINDINGS = [
        Binding("escape,E,q", "leave", "Back", id="events.close", tooltip="Back to the dashboard"),
        Binding("w", "warnings", "Warnings", id="events.warnings", tooltip="Only warnings, or all events"),
    ]

    def __init__(self, model: Model, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = KeyBar(keys)
        self._model = model
        self._seen: Sequence[StoredRun] | None = None
        self._asked = 0.0
        self._only_worrying = False
        self._list = EventLines()

    def compose(self) -> ComposeResult:
        yield self._list
        yield self._keys

    def on_mount(self) -> None:
        self._list.focus()
        self._keys.show(
            [binding for binding in bindings_of(Lines) if binding.id == "lines.open"], bindings_of(type(self))
        )
        self._show()
        self.set_interval(EVERY, self._tick)

    def _tick(self) -> None:
        if self._model.shown() is not self._seen or time.monotonic() - self._asked >= CLOCK:
            self._show()
        else:
            self._list.update_lines()  # ages go on

    def _show(self) -> None:
        self._seen, self._asked = self._model.shown(), time.monotonic()
        found = events(self._seen, time.time())
        shown = [event for event in found if event.is_worrying] if self._only_worrying else found
        self._list.show_events(shown)
        what = "warning" if self._only_worrying else "event"
        self._list.border_title = f"{len(shown)} {what}{'s' * (len(shown) != 1)}" if shown else f"no {what}s yet"
        self._list.border_subtitle = some_runs(len(self._seen)) + (" that fit the query" * bool(self._model.query.text))

    def action_warnings(self) -> None:
        self._only_worrying = not self._only_worrying
        self._show()

    @on(Lines.Chosen)
    def _chosen(self) -> None:
        if self._list.event is not None:
            self.dismiss(self._list.event.run.key)
