"""Runs side by side over the whole screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding

from tracker.stored import Key
from tracker_tui.compare import Comparison
from tracker_tui.screens.dialog import Page
from tracker_tui.widgets.comparison import ComparisonLines
from tracker_tui.widgets.key_bar import KeyBar, bindings_of


class CompareScreen(Page[None]):
    """What differs between runs.

    Args:
        comparison: what to show.
        sign_of: a run's sign and its style.
        keys: those that the user chose, by the ids of bindings.
    """

    BINDINGS = [
        Binding("escape,c,q", "dismiss", "Back", id="compare.close", tooltip="Back to the dashboard"),
        Binding("y", "copy", "Copy", id="compare.copy", tooltip="Copy the line under the cursor"),
    ]

    def __init__(
        self, comparison: Comparison, sign_of: Callable[[Key], tuple[str, str]], keys: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._keys = KeyBar(keys)
        self._comparison = comparison
        self._sign_of = sign_of

    def compose(self) -> ComposeResult:
        lines = ComparisonLines(self._comparison, self._sign_of)
        lines.border_title = f"{len(self._comparison.runs)} runs compared"
        lines.border_subtitle = "differences are from the first · ★ is the best"
        yield lines
        yield self._keys

    def on_mount(self) -> None:
        self._keys.show(bindings_of(ComparisonLines), bindings_of(type(self)))

    def action_copy(self) -> None:
        text = self.query_one(ComparisonLines).text
        if text:
            self.app.copy_to_clipboard(text)
            self.notify("Copied the line.")
