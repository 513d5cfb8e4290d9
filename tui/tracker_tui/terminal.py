"""What the terminal can do, as far as the environment tells."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Final, Literal

NAMELESS: Final = ("", "dumb", "unknown")
"""What TERM is where nothing can be said of the terminal but that it prints."""
DARK: Final = (0, 1, 2, 3, 4, 5, 6, 8)
"""Those of the 16 colours that are dark backgrounds."""
LINUX: Final = "linux"
"""TERM of the console of Linux itself."""


def why_not() -> str:
    """Why there can be no dashboard on this terminal; empty where there can be one."""
    name = os.environ.get("TERM", "")
    encoding = codecs.lookup(sys.stderr.encoding).name
    if name in NAMELESS:
        return (
            f"the dashboard needs a terminal that can move its cursor, and TERM is {name or 'not set'}; "
            "`tracker-tui ls` and `show` need none (TERM=xterm-256color, if this terminal can)"
        )
    if encoding != "utf-8":
        return (
            f"the dashboard needs a terminal for UTF-8, and the locale is for {encoding}; "
            "`tracker-tui ls` does not (LC_ALL=C.UTF-8, if this terminal can)"
        )
    return ""


def colour_system() -> Literal["truecolor", "256", "standard"] | None:
    """How many colours the terminal has, as rich and Textual call it; None where it has none.

    Those guess from the end of TERM, so that `alacritty` or `foot` over ssh, where COLORTERM is not handed on, would
    have 16; the system's own description knows more. GNU screen before its version 5 takes no 24 bits, whatever the
    terminal around it says in COLORTERM.
    """
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") and "STY" not in os.environ:
        return "truecolor"
    count = _described_colours()
    return "truecolor" if count >= 1 << 24 else "256" if count >= 256 else "standard" if count > 0 else None


def _described_colours() -> int:
    try:
        import curses
    except ImportError:
        return _named_colours()
    try:
        curses.setupterm(None, sys.stderr.fileno())
    except curses.error:  # the system has never heard of it
        return _named_colours()
    return curses.tigetnum("colors")


def _named_colours() -> int:
    return 256 if os.environ.get("TERM", "").endswith(("256color", "kitty")) else 8


def background_hint() -> bool | None:
    """Whether the environment says that the terminal is dark; None where it says nothing."""
    last = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return int(last) in DARK if last.isdecimal() else None
