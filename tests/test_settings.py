"""What a user may set: the file, what is wrong with it, where it takes effect, and `tracker-tui config`."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from textual._xterm_parser import XTermParser
from textual.binding import Binding
from textual.dom import DOMNode
from textual.events import Key

import tracker
from terminal import TREE, Terminal, environment
from tracker_tui import screens, widgets
from tracker_tui.checks import PLACES, checked
from tracker_tui.cli import main
from tracker_tui.settings import SETTINGS, Reading, Settings, default_of, in_toml, read, template, value_of
from tracker_tui.table import TableView
from tracker_tui.views import View, Views

DASHBOARD = ["-m", "tracker_tui"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the settings of a test are; the folder is there, the file is not."""
    path = tmp_path / "config" / "tracker-tui" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def reading(file: Path, text: str) -> Reading:
    """What a file of this text says, as the dashboard takes it."""
    file.write_text(text)
    return checked(read(file))


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`tracker-tui` with some arguments: the exit code, and what it says on both streams."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as end:
            code = int(str(end))
        return code, *capsys.readouterr()

    return run


# ---- the file ----


def test_template_is_the_defaults_and_every_example_is_allowed(file: Path) -> None:
    """The file to begin with changes nothing, nor does it with every `#` taken away; examples change each setting."""
    assert reading(file, template()) == Reading(file)
    bare = [line[1:] if line[:1] == "#" and line[:2] != "# " else line for line in template().splitlines()]
    found = reading(file, "\n".join(bare))
    assert (found.settings._replace(keys={}), found.problems) == (Settings()._replace(keys={}), ())
    assert found.chosen == {setting.name for setting in SETTINGS} | {"keys.app.help"}
    for setting in SETTINGS:
        table, _, key = setting.name.rpartition(".")
        found = reading(file, f"[{table}]\n{key} = {setting.example}" if table else f"{key} = {setting.example}")
        assert found.problems == ()
        assert value_of(found.settings, setting.name) != value_of(Settings(), setting.name)


def test_every_setting_is_documented(file: Path) -> None:
    """With its default and an example; the file that is shown has nothing wrong."""
    lines = (TREE / "docs" / "settings.md").read_text().splitlines()
    rows = {line.split("|")[1].strip(" `"): line for line in lines if line.startswith("|")}
    shown = "\n".join(lines).split("```toml\n")[1].split("```")[0]
    assert reading(file, shown).problems == ()
    assert reading(file, f"[keys]\n{rows['keys'].split('|')[4].strip(' `')}").problems == ()
    for setting in SETTINGS:
        assert f"`{setting.example}`" in rows[setting.name]
        assert setting.name == "notifications.events" or f"`{in_toml(default_of(setting.name))}`" in rows[setting.name]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('refresh = "fast"', 'refresh = "fast" is no number from 0.05 to 60; 0.2 holds'),
        ("refresh = nan", "refresh = NaN is no number"),
        ("refresh = 1e999", "refresh = Infinity is no number"),
        ("refresh = true", "refresh = true is no number"),
        ("smoothing = 1", "smoothing = 1 is no number from 0 to 0.999; 0.0 holds"),
        ("mouse = 'off'", 'mouse = "off" is neither true nor false; true holds'),
        ("columns = 'loss'", 'columns = "loss" is no list in brackets'),
        ("columns = [3]", "holds 3, which is no name in quotes"),
        ("colours = ['#12345']", 'holds "#12345", which is unknown; allowed: #rrggbb, black, red'),
        ("colours = ['bright_rd']", 'did you mean "bright_red"?'),
        ("theme = 'nrod'", 'theme = "nrod" is unknown; did you mean "nord"? allowed: auto, '),
        ("refersh = 1", 'there is no setting "refersh"; did you mean "refresh"?'),
        ("bell = true", 'there is no setting "bell"; did you mean "notifications.bell"?'),
        ("notifications = true", "write [notifications] on a line of its own"),
        ("[notifications]\nevents = ['crashd']", 'did you mean "crashed"? allowed: started, '),
        ("[notifications]\nterminal = 'osc8'", "allowed: auto, osc9, osc777, osc99, bell, off"),
        ('"\\u001b[2J" = "\\u001b]52;c;eA==\\u0007"', "there is no setting"),
        ("[keys]\nrun.makr = 'm'", 'no binding is called "run.makr"; did you mean "run.mark"?'),
        ("[keys]\nrun.mark = 'ctlr+k'", '"ctlr+k" is no key; did you mean "ctrl+k"?'),
        ("[keys]\nrun.mark = ','", 'keys.run.mark = "," is no key'),
        ("[keys]\nrun.mark = 3", "keys.run.mark = 3 is no key"),
        ("[keys]\nrun.mark = 'd'", 'keys.run.mark = "d": d is the key of edit.delete (Hide the marked runs'),
        ("[keys]\nedit.archive = 'i'", 'keys.edit.archive = "i": i is the key of charts.inspect'),
        ("[keys]\nview.events = '?'", "? is the key of app.help (All keys)"),
        ("[keys]\nrun.mark = 'z'\nrun.pin = 'z'", "z is the key of"),
        ("[keys]\napp.help = 'ctrl+q'", "ctrl+q is the key of app.quit (Leave"),
        ("[keys]\nrun.mark = 'ctrl+comma'", '"ctrl+comma" is a key that terminals do not tell'),
        ("[keys]\nrun.mark = 'ctrl+shift+x'", '"ctrl+shift+x" is a key that terminals do not tell'),
        ("[keys]\nrun.mark = 'shift+enter'", '"shift+enter" is a key that terminals do not tell'),
        ("[keys]\nrun.mark = 'ctrl+i'", 'keys.run.mark = "ctrl+i": tab is the key of pane.next'),
        ("[keys]\nrun.mark = 'shift+e'", 'keys.run.mark = "shift+e": E is the key of view.events'),
    ],
)
def test_what_is_wrong_is_one_clear_line(file: Path, text: str, line: str) -> None:
    """Name, value, what is allowed and what may have been meant; the defaults hold."""
    found = reading(file, text)
    (problem,) = found.problems
    assert line in problem
    assert problem.isprintable()
    assert found.settings._replace(keys={}) == Settings()._replace(keys={})


def test_file_may_begin_with_a_byte_order_mark(file: Path) -> None:
    """As editors of Windows write it."""
    assert reading(file, '\ufefftheme = "nord"').settings.theme == "nord"


@pytest.mark.parametrize("data", [b"theme = ", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"[" * 100_000])
def test_what_is_no_toml_is_told(file: Path, data: bytes) -> None:
    """One line with the place; every default holds."""
    file.write_bytes(data)
    found = read(file)
    (problem,) = found.problems
    assert problem.startswith("nothing in it holds, for it is no TOML: ")
    assert found.settings == Settings()


def test_what_cannot_be_read_is_told(file: Path) -> None:
    """A folder instead of a file, say; no file at all is fine."""
    assert read(file) == Reading(file)
    file.mkdir()
    assert read(file).problems == ("not read: Is a directory",)


def test_keys_are_given_as_texts_or_lists_and_may_change_places(file: Path) -> None:
    """Ids in quotes or not, keys as they are called or as they look; what is taken is free for another."""
    found = reading(file, '[keys]\n"view.events" = ["?", "ctrl+e"]\napp.help = "E, f1"\npane.next = "comma"\n')
    assert found.problems == ()
    assert found.settings.keys == {"view.events": "?,ctrl+e", "app.help": "E,f1", "pane.next": "comma"}


@pytest.mark.parametrize(
    ("key", "sequence"),
    [
        ("shift+z", "Z"),
        ("shift+alt+x", "\x1bX"),
        ("alt+x", "\x1bx"),
        ("ctrl+h", "\x7f"),
        ("ctrl+X", "\x18"),
        ("ctrl+space", "\0"),
        ("ctrl+]", "\x1d"),
        ("shift+up", "\x1b[1;2A"),
    ],
)
def test_keys_are_those_that_terminals_send(file: Path, key: str, sequence: str) -> None:
    """However they are called, they are taken as what Textual hears."""
    found = reading(file, f'[keys]\nrun.mark = "{key}"')
    parser = XTermParser()
    events = [*parser.feed(sequence), *parser.feed("")]
    assert found.problems == ()
    assert found.settings.keys["run.mark"] == next(event.key for event in events if isinstance(event, Key))


def test_every_binding_can_be_set() -> None:
    """Each has an id and a tooltip, and the place in which its keys are looked for is known."""
    known = {base for place in PLACES for owner in place for base in owner.__mro__}
    for package in (screens, widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for found in vars(importlib.import_module(module.name)).values():
                if isinstance(found, type) and issubclass(found, DOMNode) and found.__module__ == module.name:
                    bindings = vars(found).get("BINDINGS", [])
                    assert found in known or not bindings, found
                    assert all(isinstance(each, Binding) and each.id and each.tooltip for each in bindings), found


# ---- where it takes effect ----


def test_charts_and_tables_that_were_not_chosen_follow_the_settings(tmp_path: Path) -> None:
    """Also in files from before; what was chosen stays, a smoothing of 0 too, and is all that is kept."""
    path = tmp_path / "charts.json"
    Views(path).change({"acc": View(log=True)})
    views = Views(path, 0.9, ("state", "loss"))
    assert (views.of("loss"), views.of("acc")) == (View(0.9), View(0.9, log=True))
    views.change({"loss": View(0.0)})
    views.change_table("p", views.table_of("p")._replace(sort="loss"))
    assert views.table_of("p") == TableView(("state", "loss"), "loss")
    again = Views(path, 0.5, ("step",))
    assert (again.of("loss"), again.of("acc").smoothing) == (View(0.0), 0.5)
    assert again.table_of("p") == TableView(("step",), "loss")
    again.change_table("p", TableView(("id",)))
    assert Views(path, columns=("step",)).table_of("p").columns == ("id",)


def test_dashboard_follows_the_settings(tmp_path: Path, file: Path) -> None:
    """Keys, columns, the mouse; what is wrong is told on the screen, and the rest holds."""
    root = tmp_path / "runs"
    with tracker.init(project="p", name="one", dir=root) as run:
        run.log({"loss": 1.0})
    file.write_text('mouse = false\ncolumns = ["user"]\nrefersh = 1\n[keys]\nview.events = "z"\nrun.mark = "d"\n')
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for('setting "refersh"')
        terminal.wait_for("keys.run.mark")
        terminal.press("up")
        terminal.wait_for("  user ")
        terminal.settle()
        terminal.press("z")
        terminal.wait_for("2 events")
        assert b"\x1b[?1000h" not in terminal.raw
    file.unlink()
    with Terminal([*DASHBOARD, str(root), "--no-mouse"]) as terminal:
        terminal.wait_for("one")
        assert b"\x1b[?1000h" not in terminal.raw
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("one")
        terminal.wait_for(lambda t: b"\x1b[?1000h" in t.raw)


# ---- the command ----


def test_config_tells_settings_origins_and_problems(file: Path, command: Command) -> None:
    """As text and as JSON; the exit code says whether something is wrong."""
    code, said, _ = command("config")
    assert code == 0
    assert "config.toml is not there: `tracker-tui config --init`" in said
    assert command("config", "--path")[1] == f"{file}\n"
    file.write_text('theme = "nord"\n[notifications]\nbell = 1\n[keys]\n"app.help" = "f1"\n')
    code, said, _ = command("config")
    lines = [line.split() for line in said.splitlines()]
    assert ["theme", '"nord"', "file"] in lines
    assert ["refresh", "0.2", "default"] in lines
    assert ["keys.app.help", '"f1"', "file"] in lines
    assert said.endswith("\nnotifications.bell = 1 is neither true nor false; false holds\n")
    assert code == 1


def test_config_tells_scripts(file: Path) -> None:
    """One object, through a pipe."""
    file.write_text('theme = "nord"\nrefersh = 1\n')
    words = [sys.executable, *DASHBOARD, "config", "--json"]
    done = subprocess.run(words, env=environment(), capture_output=True, check=False)
    found = json.loads(done.stdout)
    assert (found["settings"]["theme"], found["from"]["theme"], found["exists"]) == ("nord", "file", True)
    assert len(found["problems"]) == done.returncode == 1


def test_config_writes_a_file_once(file: Path, command: Command) -> None:
    """Every setting is in it, and what is there is never overwritten."""
    assert command("config", "--init")[0] == 0
    assert file.read_text() == template()
    assert command("config")[0] == 0
    code, _, error = command("config", "--init")
    assert (code, error.count("is there already")) == (1, 1)


def test_config_lists_keys_as_they_are(file: Path, command: Command) -> None:
    """The names that the file takes, with the keys they have now."""
    file.write_text('[keys]\n"app.help" = "f1,?"\n')
    rows = [line.split(maxsplit=2) for line in command("config", "--keys")[1].splitlines()]
    assert ["app.help", "f1,?", "All keys"] in rows
    assert ["lines.up", "up,k", "One line up"] in rows
    assert len(rows) > 80
