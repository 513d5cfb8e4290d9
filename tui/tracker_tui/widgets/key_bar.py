"""The last line: the few keys that matter here and now, and where the rest is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.binding import Binding
from textual.content import Content
from textual.dom import DOMNode
from textual.style import Style
from textual.widgets import Static

KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "enter": "⏎",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "escape": "esc",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
GAP = 2


def keys_of(binding: Binding, chosen: Mapping[str, str]) -> list[str]:
    """The names of a binding's keys, as Textual knows them.

    Args:
        binding: the binding.
        chosen: the id of a binding -> the keys that the user gave it.
    """
    return [key.strip() for key in chosen.get(binding.id or "", binding.key).split(",")]


def bindings_of(kind: type[DOMNode]) -> list[Binding]:
    """The bindings that a widget or screen has itself, not those of the classes it is one of."""
    return [binding for binding in kind.__dict__.get("BINDINGS", ()) if isinstance(binding, Binding)]


def shown_key(key: str) -> str:
    """What is on the key."""
    *held, last = key.split("+")
    return "+".join([*held, KEY_NAMES.get(last, last)])


def clickable(text: Content, name: str) -> Content:
    """Text that does, when it is clicked, what a binding of this id does."""
    return text.stylize(Style.from_meta({"@click": f"app.do({name!r})"}))


class KeyBar(Static):
    """Keys with what they do; a click does it.

    Args:
        chosen: the id of a binding -> the keys that the user gave it.
    """

    DEFAULT_CSS = """
    KeyBar { height: 1; padding: 0 1; background: $panel; color: $text-muted; text-wrap: nowrap; }
    """

    def __init__(self, chosen: Mapping[str, str]) -> None:
        super().__init__()
        self.auto_links = False
        self._chosen = chosen
        self._here: tuple[Binding, ...] = ()
        self._always: tuple[Binding, ...] = ()

    def show(self, here: Iterable[Binding], always: Iterable[Binding] = ()) -> None:
        """Show the keys of some bindings.

        Args:
            here: as many as there is room for, the first ones first.
            always: they stand at the right; on a narrow terminal the last of them.
        """
        self._here, self._always = tuple(here), tuple(always)
        self._write()

    def on_resize(self) -> None:
        self._write()

    def _write(self) -> None:
        always = [self._entry(binding) for binding in self._always]
        while len(always) > 1 and sum(entry.cell_length + GAP for entry in always) > self.content_size.width / 2:
            del always[0]
        room = self.content_size.width - sum(entry.cell_length + GAP for entry in always) + GAP
        shown: list[Content] = []
        for entry in (self._entry(binding) for binding in self._here):
            room -= entry.cell_length + GAP
            if room < 0:
                break
            shown.append(entry)
        gap = Content(" " * GAP)
        left, right = gap.join(shown), gap.join(always)
        space = max(GAP if shown else 0, self.content_size.width - left.cell_length - right.cell_length)
        text = Content.assemble(left, " " * space, right)
        if not (isinstance(self.content, Content) and text.is_same(self.content)):
            self.update(text)

    def _entry(self, binding: Binding) -> Content:
        key = shown_key(keys_of(binding, self._chosen)[0])
        text = Content.assemble((key, "bold $text-accent"), f" {binding.description}")
        return clickable(text, binding.id or "")
