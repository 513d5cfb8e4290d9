"""Where a query is typed: what it finds, what is wrong with it and what could be typed next."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tracker_tui import fields
from tracker_tui.model import Model
from tracker_tui.query import Completion, QueryError, complete

PROMPT = "/ "
MAX_OPTIONS = 20
"""Completions that are offered at a time."""


class QueryField(Input):
    """Its keys stand in the footer; none has priority over characters that were typed before."""

    BINDINGS = [Binding("enter", "submit", "Keep", id="query.keep", tooltip="Go on with the runs that were found")]


class QueryBar(Vertical):
    """A line to type in and a line of help; searches the model while somebody types."""

    DEFAULT_CSS = """
    QueryBar { height: 2; display: none; background: $panel; }
    QueryBar Horizontal { height: 1; }
    QueryBar #prompt { width: 3; padding: 0 0 0 1; color: $text-accent; text-style: bold; background: $panel; }
    QueryBar QueryField, QueryBar QueryField:focus { border: none; height: 1; padding: 0; background: $panel; }
    QueryBar #hint { height: 1; padding: 0 1; color: $text-muted; background: $panel; }
    """
    BINDINGS = [
        Binding("tab", "complete(1)", "Complete", id="query.complete", tooltip="Type what is offered"),
        Binding("shift+tab", "complete(-1)", "Last", id="query.previous", tooltip="Type what was offered before"),
        Binding("escape", "leave", "All runs", id="query.leave", tooltip="Show all runs again"),
    ]

    class Searched(Message):
        """The model shows other runs."""

    @dataclass
    class Left(Message):
        """Typing is over."""

        is_found: bool = True
        """Whether the query stays."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._model = model
        self._names: list[str] = []
        self._completion = Completion(0, 0, ())
        self._chosen: int | None = None
        self._typed = ""
        self._is_due = False
        self._searched: str | None = None
        self._error: QueryError | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(PROMPT, id="prompt")
            field = QueryField(
                select_on_focus=False, placeholder="words, lr<0.01, tag:best, state:failed, NOT name~^old"
            )
            field.cursor_blink = False
            yield field
        yield Static(id="hint")

    @property
    def field(self) -> Input:
        return self.query_one(Input)

    @property
    def is_open(self) -> bool:
        return bool(self.display)

    def open(self) -> None:
        """Begin to type, where the last query ended."""
        self._names = fields.to_type(self._model.runs.values())
        self._searched = None
        self.display = True
        self.field.value = self._model.query.text
        self.field.action_end()
        self.screen.set_focus(self.field)
        self._search()

    def action_leave(self) -> None:
        """Show all runs again."""
        self._model.search("")
        self.display = False
        self.post_message(self.Searched())
        self.post_message(self.Left(is_found=False))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._search()  # what was typed last, too
        if self._error is not None:
            return
        self.display = False
        self.post_message(self.Left())

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.is_open:
            return
        if self._chosen is None or event.value != self._typed:
            self._chosen = None
            self._complete()
        if not self._is_due:
            self._is_due = True
            self.call_after_refresh(self._search)  # first the character, then what it finds

    def _complete(self) -> None:
        runs = self._model.runs.values()

        values = functools.partial(fields.known_values, runs)
        found = complete(self.field.value, self.field.cursor_position, self._names, values)
        self._completion = found._replace(options=found.options[:MAX_OPTIONS])

    def _search(self) -> None:
        self._is_due = False
        text = self.field.value
        if not self.is_open or text == self._searched:
            return
        self._searched, self._error = text, None
        try:
            self._model.search(text)
            self.post_message(self.Searched())
        except QueryError as error:
            self._error = error
        self.show_hint()

    def show_hint(self) -> None:
        """How many runs there are, or what is wrong, and what could be typed."""
        if self._error is not None:
            self._show_error(self._error, self.field.value)
            return
        hint = self._model.hint()
        parts: list[tuple[str, str]] = [(f"{hint.found} of {hint.total} runs", "bold $foreground")]
        if hint.why_none and not self._completion.options:
            parts.append((f"  {hint.why_none}", "$text-error"))
        self._show_hint(parts)

    def _show_hint(self, parts: list[tuple[str, str]]) -> None:
        if self._completion.options:
            parts.append(("   tab: ", ""))
            first = max(0, (self._chosen or 0) - 2)
            for place, option in enumerate(self._completion.options[first:], first):
                parts += [(option, "reverse" if place == self._chosen else "$text-accent"), ("  ", "")]
        self.query_one("#hint", Static).update(Content.assemble(*parts))

    def _show_error(self, error: QueryError, text: str) -> None:
        """Point at what is wrong, if it is in sight."""
        column = len(PROMPT) + cell_len(text[: error.start])
        length = max(1, cell_len(text[error.start : error.end]))
        parts: list[tuple[str, str]]
        if column + length + 10 < self.size.width and not self.field.scroll_offset.x:
            parts = [(" " * column + "^" * length + " ", "bold $text-error"), (str(error), "$text-error")]
        else:
            parts = [(str(error), "$text-error")]
        self._show_hint(parts)

    def action_complete(self, by: int) -> None:
        """Type what is offered; again, the next."""
        if self._chosen is None:
            self._complete()  # what was typed last may not have been told yet
        if not self._completion.options:
            return
        count = len(self._completion.options)
        self._chosen = (0 if by > 0 else count - 1) if self._chosen is None else (self._chosen + by) % count
        start, end, options = self._completion
        option = options[self._chosen]
        text = self.field.value
        self._typed = text[:start] + option + text[end:]
        self._completion = Completion(start, start + len(option), options)
        self.field.value = self._typed
        self.field.cursor_position = start + len(option)
