"""The small input that renames a run where it stands."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Offset
from textual.widgets import Input

from tracker_tui.screens.dialog import Dialog

WIDTH = 44


class RenameScreen(Dialog[str]):
    """Holds the old name; gives the new one, or None when it was left or nothing was changed.

    Args:
        name: the old name.
        at: where on the screen the input's first character should be, as far as there is room.
        text: what the input holds at first.
    """

    DEFAULT_CSS = """
    RenameScreen { background: $background 0%; align: left top; }
    RenameScreen Input, RenameScreen Input:focus {
        border: round $accent;
        border-title-color: $text-accent;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $surface;
        position: absolute;
        height: 3;
        padding: 0 2;
    }
    """
    BINDINGS = [Binding("escape", "leave", "Leave", id="rename.leave", tooltip="Keep the old name")]

    def __init__(self, name: str, at: Offset, text: str) -> None:
        super().__init__()
        self._old_name = name
        self._text = text
        self._at = at

    def compose(self) -> ComposeResult:
        field = Input(self._text, max_length=200, select_on_focus=False)
        field.cursor_blink = False
        field.border_title = "Rename run"
        field.border_subtitle = "enter saves · esc leaves"
        yield field

    def on_mount(self) -> None:
        self._place()
        self.query_one(Input).action_end()

    def on_resize(self) -> None:
        self._place()

    def _place(self) -> None:
        width, height = self.app.size
        field = self.query_one(Input)
        field.styles.width = min(WIDTH, width)
        field.styles.offset = (
            max(0, min(self._at.x - 3, width - WIDTH)),
            max(0, min(self._at.y - 1, height - 4)),
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        self.dismiss(name if name and name != self._old_name else None)
