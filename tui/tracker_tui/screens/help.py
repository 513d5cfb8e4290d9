"""All keys, made from the bindings themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tracker.foreign.origin import KINDS
from tracker_tui import query
from tracker_tui.look import ORIGINS
from tracker_tui.screens.dialog import Dialog, titled
from tracker_tui.widgets.key_bar import keys_of, shown_key

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
    "media": "Media",
}
"""The first word of a binding's id -> the heading it stands under."""
KEY_WIDTH = 13


Group = tuple[str, list[tuple[str, str]]]
"""A title, and keys with what they do."""


class Keys(Static):
    """A column of keys; what is longer than it is wide goes on below itself."""

    def __init__(self, groups: Iterable[Group]) -> None:
        super().__init__()
        self._groups = tuple(groups)

    def on_resize(self) -> None:
        parts: list[tuple[str, str]] = []
        for title, rows in self._groups:
            parts.append((f"{title}\n", "bold $text-accent"))
            for keys, text in rows:
                first, *more = textwrap.wrap(text, max(10, self.content_size.width - KEY_WIDTH)) or [""]
                parts += [(f"{keys:<{KEY_WIDTH}}", "bold"), (f"{first}\n", "")]
                parts += [(f"{'':<{KEY_WIDTH}}{line}\n", "") for line in more]
            parts.append(("\n", ""))
        self.update(Content.assemble(*parts))


class HelpScreen(Dialog[None]):
    """A list of keys over the dashboard; any of the keys that open or close it closes it.

    Args:
        bindings: what to list; those without an id are left out.
        chosen: the id of a binding -> the keys that the user gave it.
        first: the group to begin with.
    """

    DEFAULT_CSS = """
    HelpScreen .box { width: 132; padding: 0 0 0 2; }
    HelpScreen #keys { layout: grid; grid-size: 2; grid-columns: 1fr 1fr; grid-gutter: 0 2; height: auto; }
    HelpScreen.-narrow #keys { grid-size: 1; }
    HelpScreen Static { width: 1fr; height: auto; }
    """
    BINDINGS = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", id="help.close", tooltip="Back to the dashboard")
    ]

    def __init__(self, bindings: Iterable[Binding], chosen: Mapping[str, str], first: str = "lines") -> None:
        super().__init__()
        self._first = first
        self._chosen = chosen
        self._shown = list(bindings)

    def compose(self) -> ComposeResult:
        order = sorted(GROUPS, key=lambda group: group != self._first)
        groups = [(GROUPS[group], self._of(group)) for group in order]
        groups = [(title, found) for title, found in groups if found]
        half = sum(len(found) + 2 for _, found in groups) / 2
        columns: tuple[list[Group], list[Group]] = ([], [])
        rows = 0
        for title, found in groups:
            columns[rows + len(found) / 2 > half].append((title, [self._row(binding) for binding in found]))
            rows += len(found) + 2
        with titled(VerticalScroll(), "Keys", "esc closes"):
            with Container(id="keys"):
                for column in columns:
                    yield Keys(column)
            yield Static(Content.assemble(("Queries\n", "bold $text-accent"), query.HOW_TO_ASK, "\n"))
            signs = [(f"{sign:<{KEY_WIDTH}}", KINDS[kind]) for kind, sign in ORIGINS.items()]
            told = (part for sign, kind in signs for part in ((sign, "bold"), f"{kind}\n"))
            yield Static(Content.assemble(("Runs of other tools, read-only\n", "bold $text-accent"), *told))

    def _of(self, group: str) -> list[Binding]:
        return [binding for binding in self._shown if (binding.id or "").partition(".")[0] == group]

    def _row(self, binding: Binding) -> tuple[str, str]:
        return " ".join(map(shown_key, keys_of(binding, self._chosen))), binding.tooltip
