"""All keys, made from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tracker_tui import query
from tracker_tui.screens.dialog import Dialog, titled

GROUPS = {
    "lines": "Move",
    "tree": "Tree",
    "view": "Find",
    "run": "Runs",
    "edit": "Change",
    "table": "Table",
    "overview": "Overview",
    "console": "Console",
    "pane": "Panes",
    "app": "Program",
    "charts": "Charts",
}
"""The first word of a binding's id -> the heading it stands under."""
KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "escape": "esc",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}
KEY_WIDTH = 13


class HelpScreen(Dialog[None]):
    """A list of keys over the dashboard; any of the keys that open or close it closes it.

    Args:
        bindings: what to list; those without an id are left out.
        first: the group to begin with.
    """

    DEFAULT_CSS = """
    HelpScreen .box { width: 132; padding: 0 2; }
    HelpScreen #keys { layout: grid; grid-size: 2; grid-columns: 1fr 1fr; grid-gutter: 0 2; height: auto; }
    HelpScreen.-narrow #keys { grid-size: 1; }
    HelpScreen Static { width: 1fr; height: auto; }
    """
    BINDINGS = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", id="help.close", tooltip="Back to the dashboard")
    ]

    def __init__(self, bindings: Iterable[BindingType], first: str = "lines") -> None:
        super().__init__()
        self._first = first
        self._shown = [binding for binding in bindings if isinstance(binding, Binding)]

    def compose(self) -> ComposeResult:
        order = sorted(GROUPS, key=lambda group: group != self._first)
        groups = [(GROUPS[group], self._of(group)) for group in order]
        groups = [(title, found) for title, found in groups if found]
        half = sum(len(found) + 2 for _, found in groups) / 2
        columns: tuple[list[Content], list[Content]] = ([], [])
        rows = 0
        for title, found in groups:
            columns[rows + len(found) / 2 > half].append(_text(title, found))
            rows += len(found) + 2
        with titled(VerticalScroll(), "Keys", "esc closes"):
            with Container(id="keys"):
                for column in columns:
                    yield Static(Content("\n").join(column))
            yield Static(Content.assemble(("\nQueries\n", "bold $accent"), query.HOW_TO_ASK))

    def _of(self, group: str) -> list[Binding]:
        return [binding for binding in self._shown if (binding.id or "").partition(".")[0] == group]


def _text(title: str, bindings: Iterable[Binding]) -> Content:
    rows: list[tuple[str, str]] = [(f"{title}\n", "bold $accent")]
    for binding in bindings:
        keys = " ".join(KEY_NAMES.get(key, key) for key in binding.key.split(","))
        rows += [(f"{keys:<{KEY_WIDTH}}", "bold"), (f"{binding.tooltip}\n", "")]
    return Content.assemble(*rows)
