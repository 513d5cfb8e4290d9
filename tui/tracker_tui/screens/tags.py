"""The small input for the tags of a run, or those that several have in common."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tracker_tui.edits import parse_tags
from tracker_tui.screens.dialog import Dialog, titled

OFFERED = 8


class TagsScreen(Dialog[list[str]]):
    """Gives the tags, or None when it was left.

    Args:
        title: whose tags.
        tags: the tags as they are.
        known: tags to offer, the most used first.
    """

    DEFAULT_CSS = """
    TagsScreen Static { padding: 0 1; height: 1; color: $text-muted; }
    """
    BINDINGS = [
        Binding("escape", "leave", "Leave", id="tags.leave", tooltip="Change nothing"),
        Binding("tab", "complete", "Complete", id="tags.complete", tooltip="Type the tag offered"),
    ]

    def __init__(self, title: str, tags: Sequence[str], known: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._tags = list(tags)
        self._known = known
        self._offered: list[str] = []

    def compose(self) -> ComposeResult:
        with titled(Vertical(), self._title, "commas between tags · enter saves · esc leaves"):
            field = Input(
                "".join(f"{tag}, " for tag in self._tags), select_on_focus=False, placeholder="e.g. best, paper"
            )
            field.cursor_blink = False
            yield field
            yield Static()

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.focus()
        field.action_end()
        self._offer()

    @on(Input.Changed)
    def _offer(self) -> None:
        """Offer tags that fit what is typed behind the last comma."""
        *before, typed = self.query_one(Input).value.split(",")
        have = {tag.strip() for tag in before}
        folded = typed.strip().casefold()
        fitting = [tag for tag in self._known if folded in tag.casefold() and tag not in have and tag != typed.strip()]
        self._offered = sorted(fitting, key=lambda tag: not tag.casefold().startswith(folded))[:OFFERED]
        text = f"tab: {'  '.join(self._offered)}" if self._offered else ""
        self.query_one(Static).update(Content(text))

    def action_complete(self) -> None:
        if self._offered:
            field = self.query_one(Input)
            before = [tag.strip() for tag in field.value.split(",")[:-1]]
            field.value = ", ".join([*before, self._offered[0], ""])
            field.action_end()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        try:
            self.dismiss(parse_tags(self.query_one(Input).value))
        except ValueError as error:
            self.query_one(Static).update(Content(str(error)))
