"""Textual's command palette, which dies of keys that come too fast (8.2.8)."""

from __future__ import annotations

from contextlib import suppress

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.css.query import NoMatches


class Palette(CommandPalette):
    """Is left once, and outlives a list that is not there yet or no more."""

    _is_left = False

    def dismiss(self, result: None = None) -> AwaitComplete:
        if self._is_left:
            return AwaitComplete()
        self._is_left = True
        return super().dismiss(result)

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):  # the list is being filled
            super()._action_command_list(action)

    def _watch__list_visible(self) -> None:
        with suppress(NoMatches):  # commands are found after it was left
            super()._watch__list_visible()
