"""The dashboard's own themes: one accent, quiet greys, and the colours of runs on each.

`ansi-dark` and `ansi-light` are Textual's names: they take the terminal's own 16 colours and its own background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from tracker_tui.look import COLOURS, COLOURS_ON_LIGHT, rgb

MIDDLE: Final = 0.5
"""The brightness of a background from which on it is light."""
VARIABLES: Final = {"frame": "#7a7a7a"}
"""What our style sheets want beside Textual's variables, for the themes that are not ours: the border of a pane."""


def _theme(name: str, *, dark: bool = True, **colours: str) -> Theme:
    """A theme with one accent: whatever is not text, border or state has its colour."""
    text, muted, frame, accent = (colours[part] for part in ("text", "muted", "frame", "accent"))
    variables = {
        "frame": frame,
        "text": text,
        "text-muted": muted,
        "text-disabled": muted,
        "text-primary": accent,
        "text-accent": accent,
        "text-secondary": colours["quiet"],
        "text-success": colours["success"],
        "text-warning": colours["warning"],
        "text-error": colours["error"],
        "primary-muted": colours["cursor"],
        "block-cursor-background": colours["cursor"],
        "block-cursor-foreground": text,
        "block-hover-background": colours["panel"],
        "border": accent,
        "border-blurred": frame,
        "footer-background": colours["background"],
        "footer-description-foreground": muted,
        "input-selection-background": colours["cursor"],
        "scrollbar": frame,
        "scrollbar-hover": muted,
        "scrollbar-active": accent,
        "scrollbar-background": colours["background"],
    }
    return Theme(
        name,
        primary=accent,
        secondary=colours["quiet"],
        accent=accent,
        success=colours["success"],
        warning=colours["warning"],
        error=colours["error"],
        foreground=text,
        background=colours["background"],
        surface=colours["surface"],
        panel=colours["panel"],
        dark=dark,
        variables=variables,
    )


def _ansi(name: str, accent: str, warning: str) -> Theme:
    """Textual's theme of this name, with one accent."""
    theme = BUILTIN_THEMES[name]
    variables = {
        **theme.variables,
        "frame": "ansi_default",
        "border": accent,
        "border-blurred": "ansi_default",
        "footer-key-foreground": accent,
        "scrollbar": accent,
        "scrollbar-background": "ansi_default",
    }
    return replace(theme, primary=accent, secondary="ansi_default", accent=accent, warning=warning, variables=variables)


THEMES: Final = (
    _theme(
        "dark",
        muted="#9aa3b1",
        frame="#5d6675",
        cursor="#1f2f57",
        accent="#74b6ff",
        quiet="#8fa5c2",
        success="#5fd38d",
        warning="#e9b950",
        error="#ff8087",
        text="#dde1e7",
        background="#15171c",
        surface="#1a1d23",
        panel="#20242b",
    ),
    _theme(
        "light",
        muted="#505765",
        frame="#868e9c",
        cursor="#cde1f9",
        accent="#0a5cb8",
        quiet="#3f5170",
        success="#146f43",
        warning="#774b00",
        error="#bd2436",
        text="#20242c",
        background="#fcfcfd",
        surface="#f5f6f8",
        panel="#eef0f4",
        dark=False,
    ),
    _theme(
        "high-contrast",
        muted="#d4d4d4",
        frame="#bdbdbd",
        cursor="#00005f",
        accent="#ffd700",
        quiet="#b7d9ff",
        success="#4dff9e",
        warning="#ffb84d",
        error="#ff9a9a",
        text="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
    ),
    _ansi("ansi-dark", accent="ansi_cyan", warning="ansi_yellow"),
    _ansi("ansi-light", accent="ansi_blue", warning="ansi_magenta"),  # yellow on white cannot be read
)

_RUNS: Final = {
    True: tuple(map(rgb, COLOURS)),
    False: tuple(map(rgb, COLOURS_ON_LIGHT)),
}
_ANSI_RUNS: Final = {
    True: ("cyan", "yellow", "green", "magenta", "red", "blue", "default"),
    False: ("blue", "red", "green", "magenta", "cyan", "default"),
}
"""By whether the theme is dark. No bright ones: terminals of eight colours show them as the others."""


def automatic(is_dark: bool, has_many: bool) -> str:
    """The theme that suits a terminal.

    Args:
        is_dark: its background is.
        has_many: it has more than 16 colours; else it knows best which they are.
    """
    return ("" if has_many else "ansi-") + ("dark" if is_dark else "light")


def run_colours(theme: Theme, chosen: Sequence[str] = ()) -> tuple[Color, ...]:
    """What runs are drawn in, in turn, on a theme.

    Args:
        theme: the theme.
        chosen: `#rrggbb` or names of the terminal's 16 colours; empty for what suits the theme.
    """
    names = chosen or (_ANSI_RUNS if theme.ansi else _RUNS)[theme.dark]
    return tuple(Color.parse(name if name.startswith("#") else f"ansi_{name}") for name in names)
