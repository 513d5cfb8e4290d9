"""Being told of what happens: what is news, in which words, and the bytes that the terminal gets."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tracker
from support import StartScript, tell, wait_line, write_journal
from terminal import Terminal
from tracker.catalog import Catalog
from tracker.stored import StoredRun
from tracker_tui.desktop import KNOWN, Way, sequence, way
from tracker_tui.events import Watch, events_of
from tracker_tui.notices import notice_of

DASHBOARD = ["-m", "tracker_tui"]
JOB = """
import sys, tracker
runs = [tracker.init(project="p", name=f"job-{n}", reinit="create_new") for n in range(int(sys.argv[1]))]
for run in runs:
    run.log({"loss": 1.0})
print("ready", flush=True)
if sys.stdin.readline().strip() == "fail":
    raise ValueError("4;1;50 \\x1b]0;x\\x07 broken")
"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SILENT", "1")


def settings(tmp_path: Path, text: str) -> None:
    """Let the dashboard find these settings."""
    path = tmp_path / "config" / "tracker-tui" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def only_run(root: Path, source: str = "") -> StoredRun:
    catalog = Catalog(root, source=source)
    catalog.refresh()
    (run,) = catalog.runs.values()
    return run


# ---- what is news ----


def test_news_come_once_however_often_and_wherever_they_are_seen(root: Path) -> None:
    """Through two connections, after a clock was corrected, after the run went on; nothing from before the opening."""
    with tracker.init(project="p", id="one", dir=root) as run:
        run.alert("early", level="ERROR")
        watch = Watch(time.time() - 60, opened=time.time())
        here, there = only_run(root, "a"), only_run(root, "b")
        assert watch.take([here, there], time.time()) == []
        assert watch.count([here.key, there.key]) == 2
        run.alert("late", level="INFO")
    here, there = only_run(root, "a"), only_run(root, "b")
    there.clock += 0.5
    assert [event.kind for event in watch.take([here, there], time.time())] == ["alert", "finished"]
    there.clock -= 1.0
    assert watch.take([here, there], time.time()) == []
    tracker.init(project="p", id="one", dir=root, resume="must").finish(exit_code=1)
    assert [event.kind for event in watch.take([only_run(root, "a")], time.time())] == ["resumed", "failed"]


def test_stall_is_told_once_though_it_is_known_better_later(root: Path) -> None:
    """While it lasts and when it is over it is one stall; that it went on is news of its own."""
    now = time.time()
    records = [{"_step": n, "_timestamp": now - 200 + n, "loss": 1.0} for n in range(100)]
    start = {"_type": "start", "_timestamp": now - 200, "format": 1, "id": "abcd1234", "name": "one", "project": "p"}
    write_journal(root, [start, *records])
    watch, run = Watch(now - 150), only_run(root)
    assert [event.kind for event in watch.take([run], now)] == ["stalled"]
    assert watch.go_on(now + 10) == []
    run.apply({"_step": 100, "_timestamp": now + 20, "loss": 1.0})
    assert [event.kind for event in watch.take([run], now + 20)] == ["went on"]
    assert watch.count([run.key]) == 1


# ---- in which words ----


def test_words_of_one_event_and_of_many(root: Path) -> None:
    """One is told with its reason, many with their numbers; the gravest gives the colour."""
    with tracker.init(project="p", name="a;b\x1b[2J", dir=root) as run:
        run.log({"val/loss": 0.25})
        run.log({"norm": math.nan})
    found = {event.kind: event for event in events_of(only_run(root), time.time())}
    one = notice_of([found["finished"]])
    assert (one.title, one.text, one.severity) == ("finished: a;b[2J", "after 0s · val/loss 0.25", "information")
    assert notice_of([found["not finite"]]).text == "norm at step 1"
    many = notice_of([found["finished"]] * 200 + [found["not finite"]])
    assert (many.title, many.text, many.severity) == ("not finite 1, finished 200", "a;b[2J", "warning")


# ---- the bytes ----


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, Way("osc99")),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Way("osc99")),
        ({"TERM": "xterm-ghostty"}, Way("osc777")),
        ({"TERM": "foot"}, Way("osc777")),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Way("osc777")),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Way("osc9")),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, Way("osc9")),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, Way("bell")),
        ({"TERM": "xterm-256color"}, Way("bell")),
        ({"TERM": "xterm-kitty", "ZELLIJ": "0"}, Way("bell")),
        ({"TERM": "screen", "STY": "1.x", "LC_TERMINAL": "iTerm2"}, Way("bell")),
        ({"TERM": "tmux-256color"}, Way("bell")),
        ({}, Way("bell")),
    ],
)
def test_terminal_is_known_or_gets_the_bell(environment: dict[str, str], expected: Way) -> None:
    """By what it says of itself, before what was left in the environment; behind others nobody knows."""
    assert way("auto", environment) == expected


def test_choice_goes_before_what_is_found() -> None:
    """And finds its way through what stands between."""
    assert way("osc9", {"TERM": "xterm-kitty"}) == Way("osc9")
    assert way("osc9", {"TERM": "tmux-256color"}) == Way("osc9", "tmux")
    assert way("osc9", {"TERM": "screen.xterm", "STY": "1.x"}) == Way("osc9", "screen")


@pytest.mark.parametrize("how", [*KNOWN.values(), "bell", "off"])
@pytest.mark.parametrize("through", ["", "tmux", "screen"])
def test_foreign_text_stays_text(how: str, through: str) -> None:
    """Nothing in it ends the sequence, begins another, or is taken for a parameter."""
    evil = "4;1;50\x1b\\\x1b]52;c;eA==\x07\x9c\x9d\n\r\x00;"
    said = sequence(Way(how, through), "failed: x", evil)
    plain = sequence(Way(how, through), "failed: x", "y")
    for mark in ("\x1b", "\a", "\x9c", "\x9d", "\n", "\r", "\x00"):
        assert said.count(mark) == plain.count(mark)
    assert said.count(";") == plain.count(";")
    assert not said.startswith("\x1b]9;4")


def test_bell_may_ring_beside_a_message() -> None:
    """Outside the envelope, so that tmux hears it too."""
    assert sequence(Way("osc9", "tmux"), "a", "b", with_bell=True) == "\x1bPtmux;\x1b\x1b]9;a: b\a\x1b\\\a"
    assert sequence(Way("off"), "a", "b", with_bell=True) == "\a"
    assert sequence(Way("off"), "a", "b") == ""


# ---- the dashboard ----


def test_failure_is_told_once_and_not_again(root: Path, tmp_path: Path, start: StartScript) -> None:
    """As a toast, in the log and to the terminal; a dashboard that is opened again tells only what comes then.

    Many runs that die together are one notice.
    """
    settings(tmp_path, '[notifications]\nterminal = "osc9"\n')
    root.mkdir()
    job = start(JOB, "1")
    wait_line(job, "ready")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("1 running")
        tell(job, "fail")
        terminal.wait_for("✗ failed: job-0")
        terminal.wait_for(lambda t: b"\x1b]9;" in t.raw)
        terminal.press("E")
        terminal.wait_for(lambda t: "2 events" in t.text and "Warnings" in t.lines[-1])
        terminal.press("escape")
        terminal.wait_for(lambda t: "2 events" not in t.text and "1 failed" in t.text)
        terminal.press("q")
        terminal.wait_for_end()
        assert terminal.raw.count(b"\x1b]9;") == 1
        assert b"\x1b]9;failed: job-0: ValueError: 4,1,50 ]0,x broken\a" in terminal.raw
    job = start(JOB, "30")
    wait_line(job, "ready")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("30 running")
        job.kill()
        terminal.wait_for("! crashed 30")
        terminal.wait_for(lambda t: b"\x1b]9;crashed 30: job-" in t.raw)
        terminal.wait_for("30 new warnings")
        terminal.press("q")
        terminal.wait_for_end()
        assert terminal.raw.count(b"\x1b]9;") == 1
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("31 runs")
        assert "new warning" not in terminal.text


def test_what_happened_meanwhile_is_one_toast_and_only_chosen_kinds_are_told(
    root: Path, tmp_path: Path, start: StartScript
) -> None:
    """Of five failures before the opening, their number; of a crash after it nothing; of a failure then, all."""
    settings(tmp_path, '[notifications]\nterminal = "osc9"\nevents = ["failed"]\n')
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("0 runs")
        terminal.press("q")
        terminal.wait_for_end()
    jobs = [start(JOB, "5"), start(JOB, "1"), start(JOB, "1")]
    for job in jobs:
        wait_line(job, "ready")
    tell(jobs[0], "fail")
    jobs[0].wait()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("! 5 new warnings since you last looked")
        jobs[1].kill()
        terminal.wait_for("! 1 crashed")
        tell(jobs[2], "fail")
        terminal.wait_for(lambda t: b"\x1b]9;" in t.raw)
        terminal.press("q")
        terminal.wait_for_end()
        assert terminal.raw.count(b"\x1b]9;") == terminal.raw.count(b"\x1b]9;failed: job-0: ValueError") == 1


# ---- through tmux ----


@pytest.fixture
def in_tmux(tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """Words that start the dashboard inside tmux, with one line of its settings, on a terminal that is called kitty."""
    tmux, tic = shutil.which("tmux"), shutil.which("tic")
    if tmux is None or tic is None:
        pytest.skip("no tmux here")
    version = subprocess.run([tmux, "-V"], capture_output=True, text=True, check=True).stdout
    if [int(part) for part in re.findall(r"\d+", version)[:2]] < [3, 3]:
        pytest.skip("tmux lets all through before 3.3")
    known = subprocess.run(["infocmp", "xterm-256color"], capture_output=True, text=True, check=True).stdout
    kitty = known.replace(known.splitlines()[1], "xterm-kitty|KovIdTTY,")
    subprocess.run([tic, "-x", "-o", str(tmp_path / "terminfo"), "-"], input=kitty, text=True, check=True)
    socket = str(tmp_path / "tmux")

    def words(line: str) -> list[str]:
        (tmp_path / "tmux.conf").write_text(f"{line}\n")
        inside = f"{sys.executable} -m tracker_tui {tmp_path / 'runs'}"
        call = [tmux, "-S", socket, "-f", str(tmp_path / "tmux.conf"), "new-session", inside]
        return ["-c", f"import os; os.execv({tmux!r}, {call!r})"]

    yield words
    subprocess.run([tmux, "-S", socket, "kill-server"], capture_output=True, check=False)


@pytest.mark.parametrize("passes", [True, False])
def test_terminal_behind_tmux_is_told_where_tmux_lets_it_through(
    passes: bool, root: Path, tmp_path: Path, start: StartScript, in_tmux: Callable[[str], list[str]]
) -> None:
    """It is asked which terminal is attached; where it holds sequences back, the bell rings."""
    root.mkdir()
    job = start(JOB, "1")
    wait_line(job, "ready")
    line = f"set -g allow-passthrough {'on' if passes else 'off'}"
    outside = {"TERM": "xterm-kitty", "TERMINFO": str(tmp_path / "terminfo"), "TMUX": ""}
    with Terminal(in_tmux(line), env=outside) as terminal:
        terminal.wait_for("1 running")
        job.kill()
        expected = b":p=body;its process is gone and left no end\a" if passes else b"\a"
        terminal.wait_for(lambda t: expected in t.raw)
        assert (b"]99;" in terminal.raw) is passes
