"""What a user may set of the dashboard: one file, every setting with a default, and what is wrong with it in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

from tracker.records import clean
from tracker_tui.events import Kind

AUTO: Final[Literal["auto"]] = "auto"
TERMINAL_COLOURS: Final = tuple(
    f"{bright}{name}"
    for bright in ("", "bright_")
    for name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
)
"""Names of the 16 that every terminal has."""
TERMINAL_WAYS: Final = ("auto", "osc9", "osc777", "osc99", "bell", "off")
"""How a terminal may be told."""
Images = Literal["auto", "kitty", "iterm2", "sixel", "blocks", "off"]
IMAGES: Final[tuple[str, ...]] = get_args(Images)
"""How images may be shown."""
KINDS: Final[tuple[str, ...]] = get_args(Kind)
MAX_SAID: Final = 60
"""Characters of a value that are said."""


class Notifications(NamedTuple):
    """Of what the user is told, and how."""

    toasts: bool = True
    """On the dashboard."""
    terminal: str = "auto"
    """One of `TERMINAL_WAYS`."""
    bell: bool = False
    """Whether the terminal's bell rings too."""
    events: tuple[str, ...] = ("finished", "failed", "crashed", "killed", "stalled", "alert", "not finite")
    """Kinds of events, as the event log calls them."""


class Settings(NamedTuple):
    """One user's settings; each has a default."""

    theme: str = AUTO
    """A theme's name; `auto` follows the background of the terminal."""
    colours: tuple[str, ...] = ()
    """What runs are drawn in, in turn: `#rrggbb` or one of `TERMINAL_COLOURS`; empty for those of the theme."""
    mouse: bool = True
    images: Images = AUTO
    """How images are shown; `auto` asks the terminal when the first is."""
    refresh: float = 0.2
    """Seconds between two updates of the screen while rows come in, at least."""
    columns: tuple[str, ...] = ()
    """Columns of tables whose own were not chosen, by the names that queries know; empty for what fits."""
    smoothing: float = 0.0
    """Weight of charts whose own was not chosen, 0 to 0.999."""
    notifications: Notifications = Notifications()
    keys: Mapping[str, str] = MappingProxyType({})
    """The id of a binding -> its keys, divided by commas."""


class Setting(NamedTuple):
    """One line of the file."""

    name: str
    """With its table before a dot."""
    about: str
    """What it means, in lines."""
    check: Callable[[Any], Any]
    """Makes what the file says the value; ValueError says what else is allowed."""
    example: str = ""
    """Another value than the default, in TOML."""


class Reading(NamedTuple):
    """What the file says, and what is wrong with it."""

    path: Path
    settings: Settings = Settings()
    chosen: frozenset[str] = frozenset()
    """Names of settings that the file sets."""
    problems: tuple[str, ...] = ()
    """A line each."""


class KeyBinding(NamedTuple):
    """What a user may put on other keys."""

    id: str
    keys: tuple[str, ...]
    tooltip: str


# ---- what is allowed ----


def near(word: str, known: Iterable[str]) -> str:
    """What may have been meant, as the end of a line; empty where nothing is like it."""
    import difflib  # costly, and hardly ever needed

    folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), folded, 1)
    return f"; did you mean {said(folded[found[0]])}?" if found else ""


def said(value: object) -> str:
    """A value as the file would say it, on one line."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return clean(text, MAX_SAID)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _number(low: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"is no number from {low:g} to {high:g}")
        return float(value)

    return check


def _one_of(known: Collection[str], names: str = "") -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in known:
            guess = near(value, known) if isinstance(value, str) else ""
            raise ValueError(f"is unknown{guess or ';'} allowed: {names or ', '.join(known)}")
        return str(value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no name in quotes")
    return value


def _colour(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        return value.lower()
    return _one_of(TERMINAL_COLOURS, f"#rrggbb, {', '.join(TERMINAL_COLOURS)}")(value)


def _list_of(check: Callable[[Any], str]) -> Callable[[Any], tuple[str, ...]]:
    def check_all(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError("is no list in brackets")
        for each in value:
            try:
                check(each)
            except ValueError as error:
                raise ValueError(f"holds {said(each)}, which {error}") from None
        return tuple(dict.fromkeys(map(check, value)))

    return check_all


def _keys(value: Any) -> str:
    """Keys with commas or as a list; whether there are such keys, the screen knows."""
    keys = value.split(",") if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key.strip(" ,") for key in keys):
        raise ValueError('is no key: "x", "x,ctrl+x" or ["x", "ctrl+x"]; a comma is called "comma"')
    return ",".join(key.strip() for key in keys)


SETTINGS: Final = (
    Setting(
        "theme",
        "auto follows the background of the terminal; else dark, light, high-contrast, ansi-dark and ansi-light (the\n"
        "terminal's own 16 colours), or another name that the command palette offers.",
        _text,
        '"high-contrast"',
    ),
    Setting(
        "colours",
        "What runs are drawn in, in turn: #rrggbb, or a name of the terminal's 16: red, bright_red ...\n"
        "Empty for those of the theme.",
        _list_of(_colour),
        '["#5fafff", "#ffaf00", "bright_green"]',
    ),
    Setting("mouse", "Whether the mouse works; without it the terminal selects text.", _flag, "false"),
    Setting(
        "images",
        "How images are shown: kitty, iterm2, sixel (in pixels, where the terminal has them), blocks (half a cell a\n"
        "pixel, anywhere), off; auto asks the terminal when the first one is shown, in tmux and screen it is blocks.",
        _one_of(IMAGES),
        '"blocks"',
    ),
    Setting(
        "refresh",
        "Seconds between two updates of the screen while rows come in, 0.05 to 60.",
        _number(0.05, 60),
        "1.0",
    ),
    Setting(
        "columns",
        "Columns of tables whose own were not chosen with C: fields as queries name them.\nEmpty for what fits.",
        _list_of(_text),
        '["state", "loss", "history.loss", "config.lr"]',
    ),
    Setting(
        "smoothing",
        "Weight of the moving average in charts whose own was not chosen with m, 0 to 0.999.",
        _number(0, 0.999),
        "0.9",
    ),
    Setting("notifications.toasts", "Whether a message on the dashboard tells of events.", _flag, "false"),
    Setting(
        "notifications.terminal",
        "How the terminal is told: osc9 (iTerm2, WezTerm, Ghostty, foot), osc777 (urxvt, foot, Ghostty, WezTerm),\n"
        "osc99 (kitty), bell, off; auto finds out, and takes the bell where that cannot be known.",
        _one_of(TERMINAL_WAYS),
        '"osc9"',
    ),
    Setting("notifications.bell", "Whether the bell rings beside that.", _flag, "true"),
    Setting(
        "notifications.events",
        f"Of which events: {', '.join(KINDS)}.",
        _list_of(_one_of(KINDS)),
        '["failed", "crashed", "alert"]',
    ),
)
"""All but keys, whose names are those of bindings."""
KEYS_ABOUT: Final = 'Other keys, by the ids that `tracker-tui config --keys` lists: "app.help" = "f1,?".'

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


# ---- reading ----


def config_file() -> Path:
    """Where this user's settings are, or would be."""
    import platformdirs

    return platformdirs.user_config_path("tracker-tui") / "config.toml"


def read(path: Path | None = None) -> Reading:
    """What the file sets, default this user's; what is wrong with it costs the value, nothing else."""
    path = path or config_file()
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Reading(path)
    except OSError as error:
        return Reading(path, problems=(f"not read: {clean(error.strerror or error)}",))
    import tomllib  # only where there is a file

    try:
        found = tomllib.loads(text.decode("utf-8-sig"))  # some editors begin a file with a mark
    except (ValueError, RecursionError) as error:
        return Reading(path, problems=(f"nothing in it holds, for it is no TOML: {clean(error, 200)}",))
    return _checked(path, found)


def _checked(path: Path, found: Mapping[str, Any]) -> Reading:
    flat = dict(_flat(found))
    values: dict[str, Any] = {}
    keys: dict[str, str] = {}
    problems = []
    for name, value in flat.items():
        table, _, key = name.partition(".")
        setting = _BY_NAME.get(name) or (Setting(name, "", _keys) if table == "keys" and key else None)
        if setting is None:
            problems.append(_unknown(name, value))
            continue
        try:
            checked = setting.check(value)
        except ValueError as error:
            problems.append(f"{clean(name, MAX_SAID)} = {said(value)} {error}{_instead(setting)}")
        else:
            (keys if table == "keys" else values)[key if table == "keys" else name] = checked
    top = {name: value for name, value in values.items() if "." not in name}
    below = {name.partition(".")[2]: value for name, value in values.items() if "." in name}
    settings = Settings(**top, notifications=Notifications(**below), keys=MappingProxyType(keys))
    return Reading(path, settings, frozenset([*values, *(f"keys.{key}" for key in keys)]), tuple(problems))


def _flat(found: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    """Names with their tables before dots: `run.mark = "x"` under `[keys]` is a table to TOML, but means the id."""
    for name, value in found.items():
        full = f"{above}{name}"
        if isinstance(value, dict) and full not in _BY_NAME:
            yield from _flat(value, f"{full}.")
        else:
            yield full, value


def _unknown(name: str, value: object) -> str:
    if name in ("keys", "notifications"):
        return f"{name} = {said(value)} is no table: write [{name}] on a line of its own"
    last = {setting.name.rpartition(".")[2]: setting.name for setting in SETTINGS}
    guess = f"; did you mean {said(last[name])}?" if name in last else near(name, _BY_NAME)
    return f"there is no setting {said(name)}{guess}"


def _instead(setting: Setting) -> str:
    default = default_of(setting.name)
    return (
        ""
        if default is None
        else f"; {said(default) if isinstance(default, str | float | bool) else 'the default'} holds"
    )


def default_of(name: str) -> Any:
    """A setting's default; None of keys, which the bindings tell."""
    return value_of(Settings(), name)


def value_of(settings: Settings, name: str) -> Any:
    """What a setting is, by its name."""
    table, _, key = name.partition(".")
    if table == "keys":
        return settings.keys.get(key)
    return getattr(getattr(settings, table), key) if key else getattr(settings, name)


# ---- a file to begin with ----


def template() -> str:
    """The file with every setting at its default, all of them commented out."""
    lines = ["# Settings of tracker-tui. Take the # away before a line to change it.", ""]
    table = ""
    for setting in SETTINGS:
        above, _, key = setting.name.rpartition(".")
        if above != table:
            table = above
            lines += [f"[{table}]", ""]
        lines += [f"# {line}" for line in setting.about.splitlines()]
        lines += [f"#{key} = {in_toml(default_of(setting.name))}", ""]
    return "\n".join([*lines, "[keys]", "", f"# {KEYS_ABOUT}", '#"app.help" = "?"', ""])


def in_toml(value: object) -> str:
    """A value in TOML, however long."""
    return json.dumps(value, ensure_ascii=False)
