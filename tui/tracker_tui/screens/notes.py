"""The editor for a run's notes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import TextArea

from tracker_tui.screens.dialog import Dialog, titled


class NotesScreen(Dialog[str]):
    """Gives the notes, or None when it was left.

    Args:
        title: whose notes.
        notes: as they are.
        text: what the editor holds at first.
    """

    DEFAULT_CSS = """
    NotesScreen .box, NotesScreen .box:focus { width: 80; height: 16; border: round $accent; }
    """
    BINDINGS = [
        Binding("ctrl+s", "save", "Save", id="notes.save", tooltip="Keep what is typed"),
        Binding("escape", "leave", "Leave", id="notes.leave", tooltip="Keep the old notes"),
    ]
    HINT = "ctrl+s saves · esc leaves"

    def __init__(self, title: str, notes: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._notes = notes
        self._text = text
        self._is_leaving = False

    def compose(self) -> ComposeResult:
        area = TextArea(self._text, soft_wrap=True, show_line_numbers=False, tab_behavior="focus")
        area.cursor_blink = False
        yield titled(area, self._title, self.HINT)

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.focus()
        area.move_cursor(area.document.end)

    def on_text_area_changed(self) -> None:
        self._is_leaving = False
        self.query_one(TextArea).border_subtitle = self.HINT

    def action_save(self) -> None:
        self.dismiss(self.query_one(TextArea).text)

    def action_leave(self) -> None:
        """Twice where something was typed, so that nothing is lost by one key."""
        area = self.query_one(TextArea)
        if area.text == self._notes or self._is_leaving:
            self.dismiss(None)
            return
        self._is_leaving = True
        area.border_subtitle = "not saved: ctrl+s saves · esc again drops it"
