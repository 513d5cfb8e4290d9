"""Settings that only the screen can judge: keys, and themes."""

from __future__ import annotations

import functools
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys, _character_to_key, key_to_character
from textual.theme import BUILTIN_THEMES

from tracker_tui.screens.ask import AskScreen
from tracker_tui.screens.choose import ChooseScreen, PickScreen
from tracker_tui.screens.compare import CompareScreen
from tracker_tui.screens.dashboard import Dashboard
from tracker_tui.screens.events import EventsScreen
from tracker_tui.screens.files import FilesScreen
from tracker_tui.screens.help import HelpScreen
from tracker_tui.screens.notes import NotesScreen
from tracker_tui.screens.rename import RenameScreen
from tracker_tui.screens.tags import TagsScreen
from tracker_tui.settings import KeyBinding, Reading, near, said
from tracker_tui.themes import THEMES
from tracker_tui.widgets.charts import Charts
from tracker_tui.widgets.comparison import ComparisonLines
from tracker_tui.widgets.event_lines import EventLines
from tracker_tui.widgets.file_lines import FileLines
from tracker_tui.widgets.media import Media
from tracker_tui.widgets.overview import Overview
from tracker_tui.widgets.preview import Preview
from tracker_tui.widgets.printout import Printout
from tracker_tui.widgets.query_bar import QueryBar, QueryField
from tracker_tui.widgets.run_tree import RunTree
from tracker_tui.widgets.runs_table import RunsTable

PLACES: Final[tuple[tuple[type[DOMNode], ...], ...]] = (
    (Dashboard, RunTree),
    (Dashboard, RunsTable),
    (Dashboard, Charts),
    (Dashboard, Media),
    (Dashboard, Overview),
    (Dashboard, Printout),
    (Dashboard, QueryBar, QueryField),
    (EventsScreen, EventLines),
    (CompareScreen, ComparisonLines),
    (FilesScreen, FileLines),
    (FilesScreen, Preview),
    (HelpScreen,),
    (ChooseScreen,),
    (PickScreen,),
    (AskScreen,),
    (NotesScreen,),
    (RenameScreen,),
    (TagsScreen,),
)
"""Whose bindings hold at the same time: a screen, and what may have the keys on it."""
QUIT: Final = "app.quit"
"""The binding that has Textual's own key for leaving, too."""
SAME: Final = {
    "return": "enter",
    "ctrl+m": "enter",
    "ctrl+i": "tab",
    "ctrl+h": "backspace",
    "ctrl+left_square_bracket": "escape",
    "ctrl+space": "ctrl+@",
    "ctrl+at": "ctrl+@",
    "ctrl+slash": "ctrl+underscore",
}
"""Keys for which terminals send what they send for another."""
MODIFIERS: Final = frozenset(("ctrl", "shift", "alt", "super", "hyper", "meta"))
KNOWN_THEMES: Final = ("auto", *dict.fromkeys([theme.name for theme in THEMES] + list(BUILTIN_THEMES)))


def checked(reading: Reading) -> Reading:
    """Settings without the keys and the theme that cannot be, and what is wrong with them."""
    settings, problems = reading.settings, list(reading.problems)
    if settings.theme not in KNOWN_THEMES:
        guess = near(settings.theme, KNOWN_THEMES) or ";"
        problems.append(
            f'theme = {said(settings.theme)} is unknown{guess} allowed: {", ".join(KNOWN_THEMES)}; "auto" holds'
        )
        settings = settings._replace(theme="auto")
    if settings.keys:
        keys, wrong = _possible(settings.keys)
        settings, problems = settings._replace(keys=keys), problems + wrong
    chosen = {name for name in reading.chosen if name.removeprefix("keys.") in settings.keys or name[:5] != "keys."}
    if settings.theme != reading.settings.theme:
        chosen.discard("theme")
    return Reading(reading.path, settings, frozenset(chosen), tuple(problems))


@functools.cache
def key_bindings() -> Mapping[str, KeyBinding]:
    """All bindings by their ids, those of the dashboard first."""
    found: dict[str, KeyBinding] = {}
    for place in PLACES:
        for owner in place:
            for binding in _bindings(owner):
                name = binding.id or ""
                before = found[name].keys if name in found else ()
                found[name] = KeyBinding(name, tuple(dict.fromkeys((*before, _short(binding.key)))), binding.tooltip)
    return found


def _bindings(owner: type[DOMNode]) -> Iterator[Binding]:
    """Those of a class and of its bases that have an id, each key by itself."""
    for _, binding in owner._merge_bindings():
        if binding.id:
            yield binding


# ---- what is wrong ----


def _possible(wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The keys that can be given, and what is wrong with the others."""
    known = key_bindings()
    good: dict[str, str] = {}
    problems = []
    for name, text in wanted.items():
        keys = text.split(",")
        wrong = next((key for key in keys if not _is_key(key)), None)
        mute = next((key for key in keys if _sent(key) not in _sent_keys() and len(key) > 1), None)
        if name not in known:
            guess = near(name, known)
            problems.append(f"keys: no binding is called {said(name)}{guess} (tracker-tui config --keys lists them)")
        elif wrong is not None:
            problems.append(f"keys.{name} = {said(text)}: {said(wrong)} is no key{near(wrong, _key_names())}")
        elif mute is not None:
            problems.append(f"keys.{name} = {said(text)}: {said(mute)} is a key that terminals do not tell")
        else:
            good[name] = ",".join(dict.fromkeys(map(_sent, keys)))
    while clash := _clash(good):
        name, other, key = clash
        problems.append(
            f"keys.{name} = {said(wanted[name])}: {_short(key)} is the key of {other} ({known[other].tooltip})"
        )
        del good[name]
    return good, problems


def _clash(keys: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Two bindings that would share a key where both hold, but did not before: first the one that was changed."""
    for place in PLACES:
        before = _shared(place, {})
        for key, (first, *others) in _shared(place, keys).items():
            for other in others:
                pair = (first, other) if first in keys else (other, first)
                if pair[0] in keys and not {first, other} <= set(before.get(key, ())):
                    return *pair, key
    return None


def _shared(place: Iterable[type[DOMNode]], keys: Mapping[str, str]) -> dict[str, list[str]]:
    """The ids that a key stands for in a place."""
    found: dict[str, list[str]] = {}
    for owner in place:
        for binding in _bindings(owner):
            for key in keys.get(binding.id or "", binding.key).split(","):
                ids = found.setdefault(_long(key), [])
                if binding.id and binding.id not in ids:
                    ids.append(binding.id)
    for binding in _TEXTUALS:
        if binding.key in found and QUIT not in found[binding.key]:
            found[binding.key].append(QUIT)
    return found


_TEXTUALS: Final = [binding for binding in App.BINDINGS if isinstance(binding, Binding) and binding.priority]
"""Bindings that come before all of ours: ctrl+q, which quits."""


def _is_key(key: str) -> bool:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    return MODIFIERS.issuperset(modifiers) and ((len(last) == 1 and last.isprintable()) or last in _key_names())


@functools.cache
def _key_names() -> frozenset[str]:
    signs = {_character_to_key(sign) for sign in string.punctuation + " "}
    return frozenset(signs | {key.value for key in Keys if not key.value.startswith("<")})


def _sent(key: str) -> str:
    """The key that a terminal sends for one, as Textual calls it: `X` for `shift+x`, `tab` for `ctrl+i`."""
    if len(key) == 1:
        return key
    *before, last = key.split("+")
    modifiers = set(before)
    if len(last) == 1 and last.isalpha() and modifiers:
        if modifiers == {"shift"}:
            return last.upper()
        if "alt" in modifiers and last.isupper():
            modifiers.add("shift")
        last = last.lower()
    name = "+".join([*sorted(modifiers), _long(last)])
    return SAME.get(name, name)


@functools.cache
def _sent_keys() -> frozenset[str]:
    """All that Textual hears of a terminal that tells no more of its keys than the oldest do; but signs."""
    signs = {_character_to_key(sign) for sign in string.printable}
    named = {key.value for keys in ANSI_SEQUENCES_KEYS.values() if isinstance(keys, tuple) for key in keys}
    letters = {letter for letter in string.ascii_lowercase if f"\x1b{letter}" not in ANSI_SEQUENCES_KEYS}
    return frozenset(signs | named | {f"alt+{a}" for a in letters} | {f"alt+shift+{a}" for a in string.ascii_lowercase})


def _long(key: str) -> str:
    """As Textual calls it: `?` is `question_mark`."""
    return _character_to_key(key) if len(key) == 1 else key


def _short(key: str) -> str:
    """As a user writes it."""
    sign = key_to_character(key) or ""
    return sign if sign in string.punctuation and sign not in ("", ",") else key
