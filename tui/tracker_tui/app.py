"""The dashboard's application: one model, one screen."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys

from textual.app import App
from textual.screen import Screen

from tracker_tui.model import Model
from tracker_tui.screens.dashboard import NARROW, Dashboard
from tracker_tui.sources import Sources
from tracker_tui.views import Views, state_file


class TrackerApp(App[None]):
    """`tracker-tui [PATH]` on a terminal.

    Args:
        sources: where the runs come from.
        views: what is remembered of how things are looked at; default this user's.
    """

    TITLE = "tracker-tui"
    CSS_PATH = "screens/dashboard.tcss"  # here, for Textual reads no sheet of a default screen
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide")]

    def __init__(self, sources: Sources, views: Views | None = None) -> None:
        super().__init__()
        self.model = Model(sources, views or Views(state_file()))
        self.animation_level = "none"
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # ten thousand runs are no garbage, and looking through them takes long
        sys.setswitchinterval(0.001)  # charts are drawn in a thread: a key waits for it five times less than usual

    def on_mount(self) -> None:
        """Leave in good order when told to go, so that the terminal is usable and the demo's jobs end."""
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # in a thread there are no signals
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self.exit, None, 128 + number)

    async def on_unmount(self) -> None:
        """Let go of other machines: whoever waits for them waits no longer."""
        closing = (asyncio.to_thread(catalog.files.close) for catalog in self.model.sources.catalogs.values())
        await asyncio.gather(*closing)

    def action_command_palette(self) -> None:
        """Commands and themes."""
        from tracker_tui.screens.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def copy_to_clipboard(self, text: str) -> None:
        """Also what is no UTF-8, as a file's path may be."""
        super().copy_to_clipboard(text.encode("utf-8", "replace").decode())

    def get_default_screen(self) -> Screen[object]:
        return Dashboard(self.model)
