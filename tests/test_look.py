"""What the dashboard looks like on which terminal: its themes, what it asks the terminal, and what it writes to it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest
from rich.color import EIGHT_BIT_PALETTE, ColorSystem
from textual.color import Color
from textual.constants import ESCAPE_DELAY
from textual.events import Key
from textual.message import Message

import tracker
from terminal import Terminal
from tracker_tui.background import Background, Listener
from tracker_tui.themes import THEMES, run_colours
from tracker_tui.views import Looks, looks_file

OURS = [theme for theme in THEMES if not theme.ansi]
TEXTS = ("text", *(f"text-{name}" for name in ("muted", "accent", "secondary", "success", "warning", "error")))
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
ASKED = b"\x1b]11;?"
DARK, LIGHT = "\x1b]11;rgb:1e1e/1e1e/2e2e", "\x1b]11;rgb:ffff/fbfb/ebeb"
ENDS = {"BEL": "\x07", "ST": "\x1b\\"}


# ---- themes ----


def contrast(one: Color, other: Color, has_24_bits: bool) -> float:
    """WCAG's, of colours as a terminal of 24 bits, or of 256 colours, shows them."""
    low, high = sorted(map(luminance, (shown(one, has_24_bits), shown(other, has_24_bits))))
    return (high + 0.05) / (low + 0.05)


def shown(colour: Color, has_24_bits: bool) -> tuple[int, int, int]:
    if has_24_bits:
        return colour.rgb
    number = colour.rich_color.downgrade(ColorSystem.EIGHT_BIT).number
    assert number is not None
    found = EIGHT_BIT_PALETTE[number]
    return found.red, found.green, found.blue


def luminance(rgb: tuple[int, int, int]) -> float:
    parts = [part / 255 for part in rgb]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("has_24_bits", [True, False], ids=["24 bits", "256 colours"])
@pytest.mark.parametrize("theme", OURS, ids=lambda theme: theme.name)
def test_everything_can_be_read(theme, has_24_bits) -> None:  # type: ignore[no-untyped-def]
    """Texts have a contrast of 4.5 on every background that they stand on, borders and runs under the cursor 3."""
    variables = {**theme.to_color_system().generate(), **theme.variables}
    colours = {name: Color.parse(variables[name]) for name in (*TEXTS, "background", "surface", "panel", "frame")}
    cursor = Color.parse(variables["primary-muted"])
    for text in TEXTS:
        for ground in ("background", "surface", "panel"):
            assert contrast(colours[text], colours[ground], has_24_bits) >= 4.5, (text, ground)
    assert contrast(colours["text"], cursor, has_24_bits) >= 4.5
    assert contrast(colours["text-muted"], cursor, has_24_bits) >= 4.5
    assert contrast(colours["frame"], colours["background"], has_24_bits) >= 3
    for run in run_colours(theme):
        assert contrast(run, colours["background"], has_24_bits) >= 4.5, run


# ---- on a terminal ----


@pytest.fixture
def runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACKER_SILENT", "1")
    for number in range(3):
        with tracker.init(project="looks", name=f"run-{number}", dir=root) as run:
            for step in range(20):
                run.log({"loss": (number + 1) / (step + 1)})
    return root


def dashboard(runs: Path, **env: str) -> Terminal:
    """The dashboard with the charts of all runs."""
    return Terminal(["-m", "tracker_tui", str(runs)], env={"NO_COLOR": "", **env})


def colours_of(raw: bytes) -> set[str]:
    """What was written for colours: `38;2`, `48;5`, or the codes of the 16."""
    found = set()
    for sgr in SGR.findall(raw):
        codes = sgr.decode().split(";")
        while codes:
            code = codes.pop(0)
            if code in ("38", "48"):
                kind = codes.pop(0)
                found.add(f"{code};{kind}")
                del codes[: 3 if kind == "2" else 1]
            elif code.isdigit() and (30 <= int(code) <= 49 or 90 <= int(code) <= 107) and code not in ("39", "49"):
                found.add(code)
    return found


@pytest.mark.parametrize(
    ("env", "allowed"),
    [
        ({"NO_COLOR": "1"}, set()),
        ({"COLORTERM": "truecolor", "TERM": "xterm-256color"}, {"38;2", "48;2"}),
        ({"COLORTERM": "", "TERM": "screen-256color"}, {"38;5", "48;5"}),
        ({"COLORTERM": "truecolor", "STY": "1.pts", "TERM": "screen-256color"}, {"38;5", "48;5"}),
        ({"COLORTERM": "", "TERM": "linux"}, {*map(str, range(30, 38)), *map(str, range(40, 48))}),
        ({"COLORTERM": "", "TERM": "vt100"}, set()),
    ],
    ids=["NO_COLOR", "24 bits", "256", "GNU screen", "16", "none"],
)
def test_no_colour_that_the_terminal_has_not(runs: Path, env: Mapping[str, str], allowed: set[str]) -> None:
    """Whatever is looked at, only what the terminal knows is written; the cursor is seen without colours too."""
    with dashboard(runs, **env) as terminal:
        terminal.wait_for("loss")
        terminal.step("home", "tab", "s")
        terminal.wait_for("Sort by")
        terminal.step("escape", "r")
        terminal.wait_for("enter saves")
        terminal.step("escape", "q")
        terminal.wait_for_end()
    found = colours_of(terminal.raw)
    assert found <= allowed, found - allowed
    assert found or not allowed
    if not {"38;2", "38;5"} & allowed:
        assert re.search(rb"\x1b\[(?:\d+;)*7[;m]", terminal.raw), "nothing is reversed"


def theme_background(name: str) -> str:
    theme = next(theme for theme in THEMES if theme.name == name)
    return (theme.background or "").lstrip("#")


def painted(theme: str) -> bytes:
    """What is written for cells on the background of a theme."""
    return "48;2;{};{};{}".format(*bytes.fromhex(theme_background(theme))).encode()


@pytest.fixture
def asked(runs: Path) -> Iterator[Terminal]:
    """A dashboard that shows its runs and has asked for the background."""
    with dashboard(runs, COLORFGBG="") as terminal:
        terminal.wait_for("loss")
        terminal.wait_for(lambda t: ASKED in t.raw)
        yield terminal


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_follows_a_light_terminal(asked: Terminal, end: str) -> None:
    """The terminal's answer decides, and is remembered for the next time; another answer is followed too."""
    asked.wait_for(lambda t: t.background == theme_background("dark"))
    asked.press(LIGHT + end)
    asked.wait_for(lambda t: t.background == theme_background("light"))
    assert Looks(looks_file()).is_dark is False
    asked.press("\x1b[O", "\x1b[I")  # the terminal loses the focus and gets it again
    asked.wait_for(lambda t: t.raw.count(ASKED) == 2)
    asked.press(DARK + end)
    asked.wait_for(lambda t: t.background == theme_background("dark"))


def test_late_answer_is_not_typed(asked: Terminal) -> None:
    """Also when it comes in two pieces, amid keys, while somebody types into a field."""
    asked.press("/")
    asked.wait_for("3 of 3 runs")
    asked.press("run" + LIGHT[:9])
    asked.press(LIGHT[9:] + "\x1b\\" + "-1")
    asked.wait_for(lambda t: t.background == theme_background("light"))
    asked.wait_for("run-1")
    assert "rgb" not in asked.text
    assert "11;" not in asked.text


@pytest.mark.parametrize(
    "pieces",
    [
        (LIGHT[0], LIGHT[1:] + "\x07"),
        (LIGHT[:12], LIGHT[12:] + "\x1b", "\\"),
        (LIGHT[:12] + "\x1b[1;1R" + LIGHT, "\x07"),
        ("\x1b]11;?" + "rgb:" * 50, "\x07\x1b]10;rgb:0/0/0\x1b\\" + LIGHT + "\x07"),
    ],
    ids=["after ESC", "in its end", "cut short", "over-long and another"],
)
def test_answer_in_pieces_is_none_of_the_keys(pieces: Sequence[str]) -> None:
    """Wherever it was divided, and however late its rest comes."""
    listener = Listener()
    heard: list[Message] = []
    for piece in pieces:
        heard += [*listener.feed(piece), *listener.tick()]
        if len(piece) > 1:
            sleep(1.5 * ESCAPE_DELAY)
        heard += listener.tick()
    assert not [message for message in heard if isinstance(message, Key)]
    assert [message.is_dark for message in heard if isinstance(message, Background)] == [False]


@pytest.mark.parametrize(("typed", "key"), [("\x1b", "escape"), ("\x1b]", "right_square_bracket")])
def test_keys_that_begin_as_an_answer_are_keys(typed: str, key: str) -> None:
    """As soon as nothing can follow, and before what is typed next."""
    listener = Listener()
    assert [*listener.feed(typed), *listener.tick()] == []
    sleep(ESCAPE_DELAY)
    heard = [*listener.tick(), *listener.feed("x")]
    assert [message.key for message in heard if isinstance(message, Key)] == [key, "x"]


def test_keys_behind_an_answer_without_an_end_are_keys() -> None:
    """After a second, however fast they are typed."""
    listener = Listener()
    begin, heard = monotonic(), [*listener.feed(LIGHT)]
    while not heard and monotonic() < begin + 5:
        sleep(0.1)
        heard += [*listener.feed("x"), *listener.tick()]
    assert heard


def test_terminal_that_never_answers(runs: Path) -> None:
    """What COLORFGBG says holds from the first frame on."""
    with dashboard(runs, COLORFGBG="0;15") as terminal:
        terminal.wait_for("loss")
        assert terminal.background == theme_background("light")
        assert painted("dark") not in terminal.raw


SHELL = """
import os, subprocess, sys
dashboard = subprocess.Popen([sys.executable, "-m", "tracker_tui", sys.argv[1]])
print("the process to end", dashboard.pid)
os.waitpid(dashboard.pid, os.WUNTRACED)
print("PROMPT>")
print("typed:", ascii(sys.stdin.readline()))
dashboard.kill()
"""
"""A shell that tells what was typed into it once the dashboard has left the terminal."""


@pytest.mark.parametrize("how", ["q", "SIGTSTP", "SIGTERM"])
def test_no_answer_is_typed_into_the_shell(runs: Path, how: str) -> None:
    """Whichever way the terminal is left, what it still owes is waited for."""
    with Terminal(["-c", SHELL, str(runs)], env={"COLORFGBG": "", "NO_COLOR": ""}) as terminal:
        terminal.wait_for("loss")
        terminal.wait_for(lambda t: ASKED in t.raw)
        terminal.press(LIGHT + "\x07")
        terminal.wait_for(lambda t: t.background == theme_background("light"))
        terminal.press("\x1b[I")
        terminal.wait_for(lambda t: t.raw.count(ASKED) == 2)
        if how == "q":
            terminal.press("q")
        else:
            (pid,) = re.findall(rb"the process to end (\d+)", terminal.raw)
            os.kill(int(pid), signal.Signals[how])
        terminal.wait_for(lambda t: b"\x1b[?2004l" in t.raw)  # it leaves
        terminal.settle(0.3)  # by then it would have, and takes what comes for a while
        terminal.press(LIGHT + "\x07")
        terminal.wait_for("PROMPT>")
        terminal.press("end\n")
        terminal.wait_for("typed: 'end")
        assert "11;rgb" not in terminal.text


def test_chosen_theme_is_remembered(runs: Path) -> None:
    """A theme of the palette holds the next time, whatever the terminal answers."""
    with dashboard(runs, COLORFGBG="") as terminal:
        terminal.wait_for("loss")
        terminal.step("\x10")
        terminal.wait_for("An action")
        terminal.step("Theme", "enter")
        terminal.wait_for("gruvbox")
        terminal.step("high-contrast", "enter")
        terminal.wait_for(lambda t: t.background == theme_background("high-contrast"))
        terminal.step("q")
        terminal.wait_for_end()
    assert Looks(looks_file()).theme == "high-contrast"
    with dashboard(runs, COLORFGBG="0;15") as terminal:
        terminal.wait_for("loss")
        terminal.wait_for(lambda t: t.background == theme_background("high-contrast"))
        assert ASKED not in terminal.raw


def test_settings_choose_theme_and_colours(runs: Path, tmp_path: Path) -> None:
    """A theme that is set holds whatever the terminal is, and runs have the colours that are set, in turn."""
    folder = tmp_path / "config" / "tracker-tui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('theme = "light"\ncolours = ["#123456", "#654321"]\n')
    with dashboard(runs, COLORFGBG="0;15", XDG_CONFIG_HOME=str(folder.parent)) as terminal:
        terminal.wait_for("loss")
        terminal.press(DARK + "\x1b\\")
        terminal.step("home")  # from the newest run to the project, where all are drawn
        for colour in ("18;52;86", "101;67;33"):
            terminal.wait_for(lambda t, colour=colour: f"38;2;{colour}".encode() in t.raw)
        assert painted("dark") not in terminal.raw
        terminal.press("\x10")
        terminal.wait_for("An action")
        terminal.step("Theme", "enter")
        terminal.wait_for("gruvbox")
        terminal.step("dark", "enter")  # which is what the terminal is
        terminal.wait_for(lambda t: t.background == theme_background("dark"))
        terminal.press("\x1b[I?")
        terminal.wait_for("─ Keys")
        assert ASKED not in terminal.raw


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"TERM": "dumb"}, "TERM is dumb"),
        ({"TERM": ""}, "TERM is not set"),
        ({"PYTHONIOENCODING": "latin-1"}, "the locale is for iso8859-1"),
    ],
    ids=["dumb", "unset", "not UTF-8"],
)
def test_terminal_that_will_not_do(runs: Path, env: Mapping[str, str], says: str) -> None:
    """One line says why there is no dashboard, and what to do instead."""
    with dashboard(runs, **env) as terminal:
        assert terminal.wait_for_end() == 2
        assert says in terminal.text.replace("\n", "")
        assert "tracker-tui ls" in terminal.text.replace("\n", "")
        assert b"\x1b" not in terminal.raw
