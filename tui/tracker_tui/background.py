"""Whether the terminal is dark or light: what it is asked, and how answers, to other questions too, are told from keys.

The question (OSC 11) goes out behind the first frame and whenever the terminal gets the focus; so a terminal that
changes with the hour is followed, and no mode of it is to be given back. The answer is taken out of what is typed
before Textual reads it, whenever it comes: Textual 8.2.8 would type it into an input. Who never answers costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

from textual import constants
from textual._xterm_parser import XTermParser
from textual.color import Color
from textual.drivers import linux_driver
from textual.message import Message

from tracker_tui import graphics
from tracker_tui.themes import MIDDLE

QUESTION: Final = "\x1b]11;?\x1b\\"
_ANSWER: Final = re.compile(
    rf"\x1b(?:(\]\d[^\x07\x1b]*|{graphics.TEXTS})(?:\x07|\x1b\\|(?=\x1b[^\\]))|({graphics.CODES}))"
)
"""What begins as an answer does, up to its end, or to the next sequence if that was lost."""
_BEGUN: Final = re.compile(r"\x1b(?:(?:\]\d|_G|P>\|)[^\x07\x1b]*\x1b?|\]|_|P>?|\[(?:\?[\d;]*|6(?:;[\d;]*)?)?)?\Z")
_KEYS: Final = ("\x1b", "\x1b]", "\x1b_", "\x1bP", "\x1b[")
"""What begins an answer and may be a key: escape, alt+], alt+_, alt+P, alt+[."""
REST: Final = 1.0
"""Seconds for which the rest of an answer is waited for."""
_PARTS: Final = re.compile(r"rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})(?:/[0-9a-fA-F]{1,4})?")


class Background(Message):
    """The terminal has told its background."""

    def __init__(self, is_dark: bool) -> None:
        super().__init__()
        self.is_dark = is_dark


class Listener(XTermParser):
    """Textual's parser of what a terminal sends, but for answers to the question, and for all that look like them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._graphics = graphics.Answers()

    _held = ""
    _held_until = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        before, self._held = self._held, ""
        data = before + data
        if data and (begun := _BEGUN.search(data)) is not None:
            data, self._held = data[: begun.start()], begun[0]
            if self._held in _KEYS:
                self._held_until = monotonic() + constants.ESCAPE_DELAY
            elif begun.start() or before in ("", *_KEYS):  # a new one; what is typed does not make it longer
                self._held_until = monotonic() + REST
            if not data:  # to Textual's parser, nothing is the end
                return
        typed, *rest = _ANSWER.split(data)
        for text, code, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            message = self._told(text or code)
            if message is not None:
                yield message
            typed += after
        if typed or not data:
            yield from super().feed(typed)

    def _told(self, told: str) -> Message | None:
        """What an answer says."""
        if not told.startswith("]"):
            return self._graphics.take(told)
        is_dark = darkness(told.removeprefix("]11;"))
        return Background(is_dark) if is_dark is not None else None

    def tick(self) -> Iterable[Message]:
        """What looked like the beginning of an answer was a key, or its rest is lost, if nothing followed."""
        if self._held and monotonic() >= self._held_until:
            held, self._held = self._held, ""
            if held in _KEYS:
                yield from super().feed(held)
                self._timeout_time = 0.0  # it was waited for
        yield from super().tick()


setattr(linux_driver, "XTermParser", Listener)  # noqa: B010 - the driver makes its parser itself


def darkness(told: str) -> bool | None:
    """Whether a colour is dark, told as terminals do: `rgb:1515/1717/1c1c`; None for what is none."""
    parts = _PARTS.fullmatch(told)
    if parts is None:
        return None
    red, green, blue = (round(255 * int(part, 16) / (16 ** len(part) - 1)) for part in parts.groups())
    return Color(red, green, blue).brightness < MIDDLE
