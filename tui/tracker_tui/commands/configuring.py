"""`tracker-tui config`: the settings there are, and the file that they are in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tracker.records import clean
from tracker.report import short_path
from tracker_tui import settings
from tracker_tui.commands.shell import Parser, fail, print_columns, print_json, print_lines
from tracker_tui.settings import KeyBinding, Reading

EXAMPLES = """\
examples:
  tracker-tui config --init    write a file with every setting, to begin with
  tracker-tui config --keys    the names of all keys, to put them elsewhere
  $EDITOR "$(tracker-tui config --path)"
"""

Judges = tuple[Callable[[Reading], Reading], Mapping[str, KeyBinding]]
"""What is left of settings that the screen has judged; all bindings by their ids."""


def config(words: list[str], load: Callable[[], Judges]) -> int:
    """Print the settings that hold, and what is wrong with the file.

    Args:
        words: the command's arguments.
        load: gives what only the screen knows; takes its time.
    """
    parser = Parser(
        prog="tracker-tui config",
        description="Print every setting of the dashboard, where it comes from and what is wrong with the file.",
        epilog=EXAMPLES,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--init", action="store_true", help="write a file with every setting at its default, commented")
    what.add_argument("--keys", action="store_true", help="list all keys by the names they have in the file")
    what.add_argument("--path", action="store_true", help="print where the file is, or would be")
    parser.add_argument("--json", action="store_true", help="one object; with --keys, an array")
    given = parser.parse_args(words)
    if given.path:
        print_lines(clean(settings.config_file(), 4096))
        return 0
    if given.init:
        return _init()
    checked, bindings = load()
    reading = checked(settings.read())
    if given.keys:
        _print_keys(reading, bindings, given.json)
        return 0
    if given.json:
        print_json(_as_json(reading))
    else:
        _print_settings(reading)
    return 1 if reading.problems else 0


def _init() -> int:
    path = settings.config_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(settings.template())
    except FileExistsError:
        fail(f"{short_path(str(path))} is there already", code=1)
    print_lines(f"{short_path(str(path))} has every setting now, commented out")
    return 0


def _print_settings(reading: Reading) -> None:
    has_file = reading.path.exists()
    print_lines(short_path(str(reading.path)) + ("" if has_file else " is not there: `tracker-tui config --init`"), "")
    names = _names(reading)
    rows = [["SETTING", "VALUE", "FROM"]]
    rows += [[clean(name), clean(settings.in_toml(settings.value_of(reading.settings, name)), 200)] for name in names]
    for row, name in zip(rows[1:], names, strict=True):
        row.append(_origin(reading, name))
    print_columns(rows)
    if reading.problems:
        print_lines("", *reading.problems)


def _print_keys(reading: Reading, bindings: Mapping[str, KeyBinding], as_json: bool) -> None:
    chosen = reading.settings.keys
    found = [
        binding._replace(keys=tuple(chosen[name].split(",")) if name in chosen else binding.keys)
        for name, binding in bindings.items()
    ]
    if as_json:
        print_json([{**binding._asdict(), "from": _origin(reading, f"keys.{binding.id}")} for binding in found])
        return
    print_columns([["NAME", "KEYS", ""], *([each.id, ",".join(each.keys), each.tooltip] for each in found)])


def _as_json(reading: Reading) -> dict[str, Any]:
    names = _names(reading)
    return {
        "path": str(reading.path),
        "exists": reading.path.exists(),
        "settings": {name: settings.value_of(reading.settings, name) for name in names},
        "from": {name: _origin(reading, name) for name in names},
        "problems": list(reading.problems),
    }


def _names(reading: Reading) -> list[str]:
    return [setting.name for setting in settings.SETTINGS] + [f"keys.{key}" for key in reading.settings.keys]


def _origin(reading: Reading, name: str) -> str:
    return "file" if name in reading.chosen else "default"
