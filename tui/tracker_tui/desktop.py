"""Notifications of the desktop by way of the terminal: which sequence, and through what stands between.

Most terminals ignore what they do not know, but to some `OSC 9 ; 4 ; ...` is a progress bar: a text begins with a word
of ours, never with a number, and holds no semicolon. Every sequence ends with BEL: it needs no ESC within the
envelopes of tmux and screen.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from tracker.records import clean

KNOWN: Final = {
    "kitty": "osc99",
    "ghostty": "osc777",
    "wezterm": "osc777",
    "foot": "osc777",
    "warp": "osc777",
    "iterm": "osc9",
}
"""Part of a terminal's name -> how it is told. All others get the bell, which every one knows and its user has chosen
the effect of: Windows Terminal and urxvt show messages only where that was set up, VTE, xterm, Alacritty, Terminal.app
and editors never, and none of them says so."""
VARIABLES: Final = {
    "KITTY_WINDOW_ID": "osc99",
    "GHOSTTY_RESOURCES_DIR": "osc777",
    "WEZTERM_PANE": "osc777",
    "ITERM_SESSION_ID": "osc9",
}
"""What tells a terminal where TERM was set to something else."""
TMUX_FORMAT: Final = "#{allow-passthrough} #{window_active} #{client_termname} #{client_termtype}"
PATIENCE: Final = 1.0
"""Seconds that tmux may take to answer."""


class Way(NamedTuple):
    """How to tell."""

    how: str
    """One of `settings.TERMINAL_WAYS`, but for `auto`."""
    through: str = ""
    """`tmux` or `screen`, where the terminal is behind one."""


def way(wanted: str, environment: Mapping[str, str]) -> Way:
    """How to tell the terminal now; asks tmux who is there, for another one may be attached by now."""
    through = _through(environment)
    if wanted != "auto":
        return Way(wanted, through)
    if through == "tmux" and environment.get("TMUX"):
        return Way(_behind_tmux(environment), through)
    if through or environment.get("ZELLIJ"):
        return Way("bell")  # nobody knows what is behind it
    return Way(_of_names(environment))


def _through(environment: Mapping[str, str]) -> str:
    term = environment.get("TERM", "")
    if environment.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if environment.get("STY") or term.startswith("screen") else ""


def _of_names(environment: Mapping[str, str]) -> str:
    """By what the environment tells; over ssh that is TERM, and LC_TERMINAL of iTerm2."""
    for variable in ("TERM", "TERM_PROGRAM", "LC_TERMINAL"):
        name = environment.get(variable, "")
        if found := _known(name):
            return found
        if name and variable == "TERM_PROGRAM":
            return "bell"  # another one, which may have been started from one of those
    return next((how for variable, how in VARIABLES.items() if environment.get(variable)), "bell")


def _known(name: str) -> str:
    return next((how for part, how in KNOWN.items() if part in name.casefold()), "")


def _behind_tmux(environment: Mapping[str, str]) -> str:
    """By the terminal that is attached; the bell where tmux would hold back all else."""
    pane = environment.get("TMUX_PANE", "")
    words = ["tmux", "display-message", "-p", *(["-t", pane] if pane else []), TMUX_FORMAT]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return "bell"
    passes, is_seen, names = [*done.stdout.split(" ", 2), "", "", ""][:3]
    if passes == "all" or (passes in ("on", "1", "") and is_seen == "1"):  # before 3.3 it was no option, but on
        return _known(names) or "bell"
    return "bell"


def sequence(to: Way, title: str, text: str, with_bell: bool = False) -> str:
    """What to write to the terminal; empty where it is told nothing."""
    title, text = _harmless(title), _harmless(text)
    said = ""
    if to.how == "osc9":
        said = f"\x1b]9;{': '.join(filter(None, (title, text)))}\a"
    elif to.how == "osc777":
        said = f"\x1b]777;notify;{title};{text}\a"
    elif to.how == "osc99":
        number = zlib.crc32(f"{title}\n{text}".encode())
        said = f"\x1b]99;i={number}:d=0;{title}\a\x1b]99;i={number}:p=body;{text}\a"
    bell = "\a" if to.how == "bell" or with_bell else ""
    return _enveloped(said, to.through) + bell


def _harmless(text: str) -> str:
    return clean(text, 200).replace(";", ",")


def _enveloped(said: str, through: str) -> str:
    if said and through == "tmux":
        return f"\x1bPtmux;{said.replace(chr(27), chr(27) * 2)}\x1b\\"
    return f"\x1bP{said}\x1b\\" if said and through == "screen" else said
