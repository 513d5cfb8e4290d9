"""What the small screens in front of the dashboard have in common."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

from tracker_tui.painting import Paced

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Paced):
    """A box in the middle of the screen; gives an answer, or None when it was left."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog .box {
        width: 64;
        max-width: 100%;
        height: auto;
        max-height: 100%;
        border: round $accent;
        border-title-color: $text-accent;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $surface;
    }
    Dialog Input, Dialog Input:focus { border: none; height: 1; padding: 0 1; background: $surface; }
    """

    _is_answered = False

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Give the answer; a second one, of a key that was pressed before the box was gone, is not heard."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        return super().dismiss(result)

    def action_leave(self) -> None:
        self.dismiss(None)


class Page(Dialog[Answer]):
    """A list over the whole screen."""

    DEFAULT_CSS = """
    Page { background: $background; align: left top; }
    Page Lines {
        height: 1fr;
        border: round $accent;
        border-title-color: $text-accent;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        padding: 0 0 0 1;
    }
    """


def titled(box: Widget, title: str, keys: str) -> Widget:
    """Make a widget the box of its dialog.

    Args:
        box: the widget.
        title: what the dialog is about.
        keys: which keys end it, in a few words.
    """
    box.add_class("box")
    box.border_title = Content(title)
    box.border_subtitle = Content(keys)
    return box
