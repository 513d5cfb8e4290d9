"""Runs side by side over the whole screen."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Footer

from tracker.stored import Key
from tracker_tui.compare import Comparison
from tracker_tui.screens.dialog import Page
from tracker_tui.widgets.comparison import ComparisonLines


class CompareScreen(Page[None]):
    """What differs between runs.

    Args:
        comparison: what to show.
        sign_of: a run's sign and its style.
    """

    BINDINGS = [
        Binding(
            "escape,c,q", "dismiss", "Back", id="compare.close", tooltip="Back to the dashboard", key_display="esc"
        ),
        Binding("y", "copy", "Copy", id="compare.copy", tooltip="Copy the line under the cursor"),
    ]

    def __init__(self, comparison: Comparison, sign_of: Callable[[Key], tuple[str, str]]) -> None:
        super().__init__()
        self._comparison = comparison
        self._sign_of = sign_of

    def compose(self) -> ComposeResult:
        lines = ComparisonLines(self._comparison, self._sign_of)
        lines.border_title = f"{len(self._comparison.runs)} runs compared"
        lines.border_subtitle = "differences are from the first · ★ is the best"
        yield lines
        yield Footer(show_command_palette=False)

    def action_copy(self) -> None:
        text = self.query_one(ComparisonLines).text
        if text:
            self.app.copy_to_clipboard(text)
            self.notify("Copied the line.")
