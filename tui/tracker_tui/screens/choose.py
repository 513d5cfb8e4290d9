"""A small list to choose one thing from; typing finds it."""

from __future__ import annotations

from collections.abc import Mapping

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

FEW = 4
"""Choices up to which there is nothing to search."""


class ChooseScreen(ModalScreen[str | None]):
    """Gives the name of what was chosen, or None when it was left.

    Args:
        title: what is chosen.
        choices: names and what they are called on the screen.
        current: the name under the cursor at first.
    """

    DEFAULT_CSS = """
    ChooseScreen { align: center middle; }
    ChooseScreen Vertical {
        width: 48;
        max-width: 100%;
        height: auto;
        max-height: 80%;
        border: round $accent;
        border-title-color: $accent;
        border-subtitle-color: $text-muted;
        background: $panel;
    }
    ChooseScreen Input, ChooseScreen Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
    ChooseScreen OptionList, ChooseScreen OptionList:focus {
        border: none;
        height: auto;
        max-height: 16;
        padding: 0 1;
        background: $panel;
    }
    """
    BINDINGS = [
        Binding("escape", "leave", "Leave", id="choose.leave", tooltip="Change nothing"),
        Binding("up", "move(-1)", "Up", id="choose.up", tooltip="One line up", priority=True),
        Binding("down", "move(1)", "Down", id="choose.down", tooltip="One line down", priority=True),
    ]

    def __init__(self, title: str, choices: Mapping[str, str], current: str) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._current = current
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "enter chooses · esc leaves"
            if len(self._choices) > FEW:
                field = Input(placeholder="type to find")
                field.cursor_blink = False
                yield field
            yield OptionList()

    def on_mount(self) -> None:
        self._fill("")
        options = self.query_one(OptionList)
        options.highlighted = self._shown.index(self._current) if self._current in self._shown else 0
        (self.query(Input).first() if self.query(Input) else options).focus()

    def _fill(self, text: str) -> None:
        words = text.lower().split()
        self._shown = [name for name, label in self._choices.items() if all(word in label.lower() for word in words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(Content(self._choices[name])) for name in self._shown])
        options.highlighted = 0 if self._shown else None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(self._shown[at])

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index])

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if by > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_leave(self) -> None:
        self.dismiss(None)
