"""Tells of events: on the dashboard, and through the terminal to whoever looks elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from time import monotonic

from textual.screen import Screen
from textual.timer import Timer

from tracker_tui.desktop import sequence, way
from tracker_tui.events import Event
from tracker_tui.notices import Notice, notice_of
from tracker_tui.settings import Notifications

GATHER = 1.0
"""Seconds for which an event waits for others: what happens together is told together."""
CALM = 10.0
"""Seconds between two notices, at least."""
STAYS = {"information": 5.0, "warning": 8.0, "error": 8.0}
"""Seconds that one stays on the screen."""


class Notifier:
    """Gathers events and tells of them together.

    Args:
        screen: where.
        wanted: of which events, and how.
    """

    def __init__(self, screen: Screen[object], wanted: Notifications) -> None:
        self._screen = screen
        self._wanted = wanted
        self._events: list[Event] = []
        self._timer: Timer | None = None
        self._told_at = -CALM

    def take(self, events: Iterable[Event]) -> None:
        """Tell of these soon, as far as that is wanted."""
        for event in events:
            if event.kind in self._wanted.events and not event.run.archived and not event.run.deleted:
                self._events.append(event)
        if self._events and self._timer is None:
            wait = max(GATHER, self._told_at + CALM - monotonic())
            self._timer = self._screen.set_timer(wait, self._tell)

    def show(self, notice: Notice) -> None:
        """On the screen alone."""
        if self._wanted.toasts:
            self._screen.notify(
                notice.text,
                title=f"{notice.glyph} {notice.title}",
                severity=notice.severity,
                timeout=STAYS[notice.severity],
                markup=False,
            )

    def _tell(self) -> None:
        notice = notice_of(self._events)
        self._events, self._timer, self._told_at = [], None, monotonic()
        self.show(notice)
        self._screen.run_worker(self._write(notice), group="notify")

    async def _write(self, notice: Notice) -> None:
        """To the terminal, through the driver: so it comes between two frames."""
        to = await asyncio.to_thread(way, self._wanted.terminal, os.environ)  # may ask another program
        app = self._screen.app
        if app._driver is not None and not app.is_headless:
            app._driver.write(sequence(to, notice.title, notice.text, self._wanted.bell))
