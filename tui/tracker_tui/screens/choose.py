"""A small list to choose one thing from, or several; typing finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tracker_tui.screens.dialog import Answer, Dialog, titled

FEW = 4
"""Choices up to which there is nothing to search."""


class Line(Option):
    """A choice.

    Args:
        name: what is chosen.
        label: what it is called on the screen.
    """

    def __init__(self, name: str, label: str) -> None:
        super().__init__(Content(label))
        self.name = name


class Finder(Dialog[Answer]):
    """A list that typing narrows.

    Args:
        title: what is chosen.
        choices: names and what they are called on the screen.
        current: the name under the cursor at first.
    """

    DEFAULT_CSS = """
    Finder .box { width: 48; max-height: 80%; }
    Finder OptionList, Finder OptionList:focus {
        border: none;
        height: auto;
        max-height: 16;
        padding: 0 0 0 1;
        background: $surface;
    }
    """
    BINDINGS = [
        Binding("escape", "leave", "Leave", id="choose.leave", tooltip="Change nothing"),
        Binding("up", "move(-1)", "Up", id="choose.up", tooltip="One line up", priority=True),
        Binding("down", "move(1)", "Down", id="choose.down", tooltip="One line down", priority=True),
    ]

    KEYS_HINT = "enter chooses · esc leaves"

    def __init__(self, title: str, choices: Mapping[str, str], current: str) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._current = current
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        with titled(Vertical(), self._title, self.KEYS_HINT):
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

    def label_of(self, name: str) -> str:
        """What stands on a line."""
        return self._choices[name]

    def choose(self, name: str) -> None:
        """A line was chosen."""
        raise NotImplementedError

    def _fill(self, text: str) -> None:
        """Show the lines that contain all words; the cursor stays on its line if it can."""
        before = self.highlighted
        words = text.lower().split()
        self._shown = [name for name, label in self._choices.items() if all(word in label.lower() for word in words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Line(name, self.label_of(name)) for name in self._shown])
        if not self._shown:
            options.add_option(Option(Content("nothing fits"), disabled=True))
        options.highlighted = self._best_line(text.lower(), before)

    def _best_line(self, text: str, before: str | None) -> int | None:
        """The line that is called what was typed, else the one that was highlighted, else what begins so."""
        if not self._shown:
            return None
        labels = [self._choices[name].lower() for name in self._shown]
        if text in labels:
            return labels.index(text)
        if before in self._shown:
            return self._shown.index(before)
        return next((index for index, label in enumerate(labels) if label.startswith(text)), 0)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @property
    def highlighted(self) -> str | None:
        """The name under the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.submit()

    def submit(self) -> None:
        """Enter was pressed in the field."""
        if self.highlighted is not None:
            self.choose(self.highlighted)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if isinstance(event.option, Line):  # the list may be another by now
            self.choose(event.option.name)

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if by > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()


class ChooseScreen(Finder[str]):
    """Gives the name of what was chosen, or None when it was left."""

    def choose(self, name: str) -> None:
        self.dismiss(name)


class PickScreen(Finder[tuple[str, ...]]):
    """Gives the names that were picked, in the order in which they were; None when it was left.

    Args:
        title: what is picked.
        choices: names and what they are called; the empty name stands for none.
        picked: what is picked at first.
    """

    BINDINGS = [Binding("tab", "pick", "Pick", id="choose.pick", tooltip="Pick the line, or no longer")]
    KEYS_HINT = "tab picks · enter is done · esc leaves"

    def __init__(self, title: str, choices: Mapping[str, str], picked: Sequence[str]) -> None:
        self._picked = [name for name in picked if name in choices]
        self._is_picking = False
        super().__init__(title, choices, self._picked[0] if self._picked else "")

    def label_of(self, name: str) -> str:
        place = f"{self._picked.index(name) + 1}." if name in self._picked else ""
        return f"{place:<4}{super().label_of(name)}"

    def action_pick(self) -> None:
        """Pick the line or no longer, and be ready to find the next."""
        name = self.highlighted
        if name is None:
            return
        self._is_picking = True
        if not name:
            self._picked.clear()
        elif name in self._picked:
            self._picked.remove(name)
        else:
            self._picked.append(name)
        for field in self.query(Input):
            field.value = ""
        self._fill("")

    def submit(self) -> None:
        self.choose(self.highlighted or "")

    def choose(self, name: str) -> None:
        """Enter: what was picked; who only found a line means that too, and the empty one none."""
        if not self._is_picking and not name:
            self._picked.clear()
        elif not self._is_picking and name not in self._picked:
            self._picked.append(name)
        self.dismiss(tuple(self._picked))
