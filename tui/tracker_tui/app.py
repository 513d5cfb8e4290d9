"""The dashboard's application: one model, one screen."""

from __future__ import annotations

import os

from textual.app import App
from textual.screen import Screen

from tracker_tui.model import Model
from tracker_tui.screens.dashboard import NARROW, Dashboard


class TrackerApp(App[None]):
    """`tracker-tui [PATH]` on a terminal.

    Args:
        path: as `tracker.catalog.Catalog` takes it.
    """

    TITLE = "tracker-tui"
    CSS_PATH = "screens/dashboard.tcss"  # here, for Textual reads no sheet of a default screen
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide")]

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self.model = Model(path)
        self.animation_level = "none"

    def get_default_screen(self) -> Screen[object]:
        return Dashboard(self.model)
