"""A question before something that cannot be taken back."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tracker_tui.screens.dialog import Dialog, titled


class AskScreen(Dialog[bool]):
    """Gives whether the answer was yes.

    Args:
        title: what would be done.
        text: to whom, and what follows.
    """

    DEFAULT_CSS = """
    AskScreen .box { border: round $text-warning; border-title-color: $text-warning; padding: 0 1; }
    """
    BINDINGS = [
        Binding("y", "dismiss(True)", "Yes", id="ask.yes", tooltip="Do it"),
        Binding("n,escape,q,enter", "dismiss(False)", "No", id="ask.no", tooltip="Do nothing"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with titled(Vertical(), self._title, "y yes · n no"):
            yield Static(Content(self._text))
