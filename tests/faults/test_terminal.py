"""Whatever ends the dashboard, the terminal is usable afterwards and says why; shaken, it is drawn right."""

from __future__ import annotations

import random
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support import wait_for
from terminal import Terminal
from tracker import init

SHELLS = {"bash": ["--norc", "-i"], "sh": ["-i"]}


@pytest.fixture
def shell(root: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """An interactive shell in a folder with a run."""
    name = getattr(request, "param", "bash")
    program = shutil.which(name)
    if program is None or shutil.which("stty") is None:
        pytest.skip(f"{name} or stty is not here")
    run = init(project="p", name="steady", id="steady01")
    for step in range(5):
        run.log({"loss": 0.2 * step})
    run.finish()
    start = f"import os; os.execv({program!r}, {[name, *SHELLS[name]]})"
    with Terminal(["-c", start], cwd=root.parent, env={"PS1": "ready> "}) as shell:
        shell.wait_for("ready>")
        yield shell


def enter(shell: Terminal, command: str) -> None:
    shell.child.send(f"{command}\r")


def dashboard_in(shell: Terminal) -> psutil.Process:
    """Open it, and wait until it shows the run."""
    enter(shell, f"clear; {sys.executable} -m tracker_tui runs")
    shell.wait_for("loss  0.8")
    (job,) = psutil.Process(shell.child.pid).children()
    return job


def assert_usable(shell: Terminal) -> None:
    """What is typed is seen and obeyed, on the screen from before, and nothing stayed switched."""
    shell.settle()
    enter(shell, "")
    enter(shell, "stty -a | tr ' ' '_'")
    shell.wait_for("stty -a")
    shell.wait_for(lambda t: re.search(r"\sisig_icanon_.*_echo_", t.text))
    assert "Overview" not in shell.text
    left = set()
    for mode, switch in re.findall(rb"\x1b\[\?(\d+)([hl])", shell.raw):
        usual = b"h" if mode in (b"7", b"25") else b"l"  # lines wrap, the cursor is seen
        (left.discard if switch == usual else left.add)(mode)
    assert not left - {b"2004"}  # bash asks for pasting in brackets itself
    assert shell.raw.count(b"\x1b[<u") >= len(re.findall(rb"\x1b\[>\d+u", shell.raw))  # keys are told as ever


# ---- what ends it ----

ENDS = {
    signal.SIGKILL: "tracker-tui was killed",
    signal.SIGSEGV: "tracker-tui was killed",
    signal.SIGTERM: "tracker-tui: ended by SIGTERM",
    signal.SIGHUP: "tracker-tui: ended by SIGHUP",
    signal.SIGINT: "tracker-tui: ended by SIGINT",
}


@pytest.mark.parametrize(
    ("shell", "number"), [*(("bash", number) for number in ENDS), ("sh", signal.SIGKILL)], indirect=["shell"]
)
def test_a_signal_leaves_a_usable_terminal(shell: Terminal, number: signal.Signals) -> None:
    """The screen before, the cursor, the mouse and the keys are as they were, and it is said why."""
    dashboard_in(shell).send_signal(number)
    shell.wait_for(ENDS[number])
    assert_usable(shell)


def test_killed_while_it_is_stopped_it_leaves_the_terminal_alone(shell: Terminal) -> None:
    """It is another program's then."""
    job = dashboard_in(shell)
    (guard,) = job.children()
    job.send_signal(signal.SIGTSTP)
    shell.wait_for("Stopped")
    assert_usable(shell)
    before = len(shell.raw)
    job.kill()
    assert wait_for(lambda: not guard.is_running() or guard.status() == psutil.STATUS_ZOMBIE)
    shell.settle()
    assert b"\x1b[?1049l" not in shell.raw[before:]
    assert_usable(shell)


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP, signal.SIGCONT])
def test_it_stops_and_goes_on(shell: Terminal, number: signal.Signals) -> None:
    """Stopped as by Ctrl-Z, it leaves the terminal, and `fg` brings the screen back; also when it was not asked, and
    when it is told to go on while it does.
    """
    job = dashboard_in(shell)
    before = len(shell.raw)
    job.send_signal(number)
    if number != signal.SIGCONT:
        shell.wait_for("Stopped")
        if number == signal.SIGTSTP:
            assert_usable(shell)
        enter(shell, "fg")
    assert wait_for(lambda: [shell.settle(), shell.raw.count(b"\x1b[?1049h", before)][-1])
    shell.wait_for("loss  0.8")
    shell.press("q")
    assert wait_for(lambda: not job.is_running())
    assert_usable(shell)


SPOILED = """
import sys
from tracker_tui.cli import main
from {module} import {owner}

def spoiled(*_, **__):
    raise RuntimeError("spoiled \\x1b[31mon purpose")

{owner}.{name} = spoiled
sys.exit(main(["runs"]))
"""


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [
        ("tracker.catalog", "Catalog", "collect"),
        ("tracker_tui.plot", "Plotter", "plot"),
        ("tracker_tui.widgets.overview", "Overview", "render_line"),
        ("tracker_tui.app", "TrackerApp", "get_default_screen"),
    ],
)
def test_an_error_of_its_own_is_told(shell: Terminal, tmp_path: Path, module: str, owner: str, name: str) -> None:
    """In a thread, in a chart, while a widget paints, before the first screen: it ends, and says what happened."""
    (tmp_path / "spoiled.py").write_text(SPOILED.format(module=module, owner=owner, name=name))
    enter(shell, f"clear; {sys.executable} spoiled.py; echo code $?")
    shell.wait_for("code 1")
    assert "an error of its own" in shell.text
    assert "RuntimeError: spoiled [31mon purpose" in shell.text
    assert_usable(shell)


@pytest.mark.parametrize("is_stuck", [False, True])
def test_a_lost_terminal_ends_it(shell: Terminal, is_stuck: bool) -> None:
    """Nobody sees it any more: it goes, with its guard; also when it cannot hear that by itself."""
    job = dashboard_in(shell)
    family = [job, *job.children()]
    assert len(family) == 2
    if is_stuck:
        job.send_signal(signal.SIGSTOP)
    shell.child.close(force=True)
    assert not psutil.wait_procs(family, 15)[1]


# ---- what shakes it ----


def steady(terminal: Terminal) -> str:
    """The screen once it stands still, but for ages, and no message lies over it."""
    before, now = "", terminal.text
    while now != before or "was sampled" in now:
        terminal.settle(1.0)
        before, now = now, re.sub(r"\b(now|\d+s( ago)?) *", "age", terminal.text)
    return now


def test_a_storm_of_sizes_leaves_a_whole_picture(
    shell: Terminal, chance: random.Random, cases: Callable[[int], int], tried: Callable[[str, str, str], None]
) -> None:
    """Of any size, again and again, with keys between: the last picture is the one that is drawn anew."""
    dashboard_in(shell)
    sizes = cases(30)
    for _ in range(sizes):
        shell.resize(chance.randint(1, 300), chance.randint(1, 100))
        shell.press(chance.choice(["j", "k", "1", "2", "3", "4", "5", "tab", "E", "escape", "enter", "i", "?"]))
        shell.read(chance.choice([0, 0, 0, 0.01, 0.05]))
    shell.step("escape", "escape", "escape")
    shell.resize(100, 30)
    picture = steady(shell)
    for sizes_between in ([(101, 31), (80, 10)], [(119, 60), (1, 1)]):
        for size in sizes_between:
            shell.resize(*size)
        shell.resize(100, 30)
        assert steady(shell) == picture
    tried("storm of resizes", f"{sizes} sizes from 1x1 to 300x100, a key after each", "picture whole, no traceback")
