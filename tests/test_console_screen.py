"""What a run printed, as a person meets it: in the dashboard, by `tracker-tui logs`, here and on another machine."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tracker
from farhost import NAME, Proxy
from support import StartScript, tell, wait_for, wait_line
from terminal import Terminal, environment

APP = ["-m", "tracker_tui"]
JOB = """
import sys, tracker
run = tracker.init(project='p', name='job', dir=sys.argv[1])
print('begin', flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        run.log({'loss': 1 / (run.step + 1)})
        print(f'step {run.step - 1} done', flush=True)
    print('ready', file=sys.stderr, flush=True)
print('the end')
"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SILENT", "1")


def make(root: Path, name: str = "job", lines: int = 100, every: int = 10) -> None:
    """A finished run with a row and a line for each step; every so many lines one on stderr."""
    with tracker.init(project="p", name=name, id=name, dir=root) as run:
        for step in range(lines):
            run.log({"loss": lines - step})
            print(f"line {step}", file=sys.stderr if step % every == 5 else sys.stdout)


def shows(pattern: str) -> Callable[[Terminal], bool]:
    return lambda terminal: re.search(pattern, terminal.text) is not None


def lacks(pattern: str) -> Callable[[Terminal], bool]:
    return lambda terminal: re.search(pattern, terminal.text) is None


def copied(terminal: Terminal) -> str:
    """What was put on the clipboard last."""
    found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)", terminal.raw)
    return base64.b64decode(found[-1]).decode() if found else ""


def find(terminal: Terminal, words: str) -> None:
    """Type words as a person would."""
    terminal.press(words)
    terminal.settle()
    terminal.press("enter")


# ---- the pane ----


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
def test_console_follows_what_is_printed(size: tuple[int, int], root: Path, start: StartScript) -> None:
    """`4` opens it at its end; new lines come by themselves; once the cursor has left the end, lines stay."""
    job = start(JOB, str(root))
    wait_line(job, "begin")
    tell(job, "100")
    with Terminal([*APP, str(root)], *size) as terminal:
        terminal.wait_for("running")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("step 99 done")
        terminal.wait_for("following")
        tell(job, "1")
        terminal.wait_for("step 100 done")
        terminal.step("k", "k", "k")
        terminal.wait_for(lacks("following"))
        tell(job, "200")
        terminal.wait_for(shows(r"of 304\b|of 305\b"))
        assert "step 300 done" not in terminal.text
        terminal.press("G")
        terminal.wait_for("step 300 done")
        terminal.wait_for("following")


def test_a_bar_shows_its_last_state(root: Path, start: StartScript) -> None:
    """Behind the last line, as it changes."""
    job = start(
        "import sys, tracker\nrun = tracker.init(project='p', dir=sys.argv[1])\nprint('begin', flush=True)\n"
        "for line in sys.stdin:\n    print(f'\\rbar {line.strip()}%', end='', file=sys.stderr)\n",
        str(root),
    )
    wait_line(job, "begin")
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("running")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("begin")
        tell(job, "40")
        terminal.wait_for("bar 40%")
        tell(job, "70")
        terminal.wait_for("bar 70%")
        assert "bar 40%" not in terminal.text


def test_console_goes_and_comes_back(root: Path) -> None:
    """`4` hides it again; enter gives it the whole screen, esc takes it back."""
    make(root)
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("line 99")
        terminal.settle()
        terminal.press("enter")
        terminal.wait_for(lacks("1 Runs"))
        terminal.wait_for("line 65")
        terminal.settle()
        terminal.press("escape")
        terminal.wait_for("1 Runs")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for(lacks("4 Console ·"))


def test_cursor_and_crosshair_go_together(root: Path) -> None:
    """A line leads to its step on every chart, and the crosshair to the line."""
    make(root)
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for(shows(r"loss  1\b"))
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("line 99")
        terminal.step("k", "k", "k")
        terminal.wait_for(shows(r"loss  4 @ 96\b"))
        terminal.step("tab", "tab")  # to the tree, to the charts
        terminal.wait_for(shows(r"loss  1\b"))
        terminal.settle()
        terminal.press("i")
        terminal.wait_for("line 100 of 100")
        terminal.settle()
        terminal.press("home")
        terminal.wait_for(shows(r"loss  100 @ 0\b"))
        terminal.wait_for("line 1 of 100")
        terminal.wait_for(shows(r"│  line 0 "))


def test_words_are_found_counted_and_gone_through(root: Path) -> None:
    """From the end backwards; `n` and `N` go on, capitals count if there are any."""
    make(root, lines=3000)
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("line 2999")
        terminal.settle()
        terminal.press("f")
        terminal.wait_for("words in lines")
        terminal.settle()
        find(terminal, "LINE 12")
        terminal.wait_for("no lines with LINE 12")
        terminal.settle()
        terminal.press("f")
        terminal.settle()
        terminal.press(*["backspace"] * 7)
        terminal.settle()
        find(terminal, "line 123")
        terminal.wait_for("11 of 11 lines with line 123")
        terminal.wait_for("line 1239")
        terminal.step("N", "N")
        terminal.wait_for("9 of 11 lines with line 123")
        terminal.step("n")
        terminal.wait_for("10 of 11 lines with line 123")
        terminal.step("home", "n")
        terminal.wait_for("1 of 11 lines with line 123")
        terminal.step("escape")
        terminal.wait_for(lacks("lines with"))


def test_lines_are_copied(root: Path) -> None:
    """The one under the cursor, or all that were selected, wherever they are."""
    make(root, lines=3000)
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("line 2999")
        terminal.step("k", "y")
        terminal.wait_for("Copied: line 2998")
        assert wait_for(lambda: terminal.read(0.05) and copied(terminal) == "line 2998")
        terminal.step("v", "home")
        terminal.wait_for("2,999 selected")
        terminal.step("y")
        terminal.wait_for("Copied: 2,999 lines")
        assert wait_for(
            lambda: terminal.read(0.05) and copied(terminal).split("\n") == [f"line {i}" for i in range(2999)]
        )


def test_stderr_is_marked_and_times_are_shown_on_demand(root: Path) -> None:
    """Not by colour alone."""
    make(root)
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for(shows(r"▌line 95"))
        assert re.search(r"│  line 96", terminal.text)
        terminal.settle()
        terminal.press("T")
        terminal.wait_for(shows(r"▌\d\d:\d\d:\d\d line 95"))


def test_long_lines_move_sideways(root: Path) -> None:
    """What is cut can be read."""
    with tracker.init(project="p", dir=root):
        print("a" * 150 + "日本" * 20 + "the far end")
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("日本 …")
        terminal.step(*["right"] * 9)
        terminal.wait_for("the far end")


def test_console_of_the_run_under_the_cursor(root: Path) -> None:
    """The console changes with the run; a branch has none, and says what to do."""
    make(root, "one", lines=3)
    with tracker.init(project="p", name="two", dir=root) as run:
        run.log({"loss": 1})
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("2 two")
        terminal.step("4")
        terminal.wait_for("Nothing was printed.")
        terminal.step("tab", "down")
        terminal.wait_for("4 Console · one")
        terminal.wait_for("line 2")
        terminal.step("home")
        terminal.wait_for("Put the cursor on a run")


def test_escape_sequences_do_not_reach_the_terminal(root: Path) -> None:
    """Colours are painted by us; nothing that a run printed, or somebody wrote into its file, gets through."""
    with tracker.init(project="p", dir=root) as run:
        print("\x1b]52;c;aGFja2Vk\x07\x1b[31mred\x1b[0m \x1b]0;title\x07")
    with open(Path(run.folder) / "console.jsonl", "ab") as file:
        file.write(b'{"line":1,"stream":"stderr","text":"\\u001b]52;c;aGFja2Vk\\u0007raw\\u009b31m \\u202egnp"}\n')
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.step("4")
        terminal.wait_for("red")
        terminal.wait_for("raw31m gnp")
        assert b"aGFja2Vk\x07" not in terminal.raw
        assert "\u202e".encode() not in terminal.raw


def test_lines_that_are_missing_are_said_to_be(root: Path) -> None:
    """A file in which some are not there can be scrolled and copied all the same."""
    with tracker.init(project="p", dir=root) as run:
        print("x")
    lines = [f'{{"line":{n},"stream":"stdout","text":"line {n}"}}\n' for n in [*range(3000), *range(6000, 9000)]]
    (Path(run.folder) / "console.jsonl").write_text("".join(lines))
    with Terminal([*APP, str(root)]) as terminal:
        terminal.wait_for("finished")
        terminal.step("4")
        terminal.wait_for("line 8999")
        terminal.step("home", "v", "end")
        terminal.wait_for("9,000 selected")
        terminal.step("y")
        terminal.wait_for("Copied: 9,000 lines")
        assert wait_for(lambda: terminal.read(0.05) and copied(terminal).count("(a line is missing)") == 3000)


def test_crosshair_leads_to_a_console_that_is_opened_later(root: Path) -> None:
    """On a small terminal one is seen at a time."""
    make(root)
    with Terminal([*APP, str(root)], 80, 24) as terminal:
        terminal.wait_for(shows(r"loss  1\b"))
        terminal.step("2", "i", "home")
        terminal.wait_for(shows(r"loss  100 @ 0\b"))
        terminal.step("4")
        terminal.wait_for("line 1 of 100")


# ---- tracker-tui logs ----


def logs(root: str | Path, *words: str, code: int = 0) -> str:
    """What the command prints."""
    done = subprocess.run(
        [sys.executable, *APP, "logs", *words, "--dir", str(root)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_logs_prints_lines(root: Path) -> None:
    """All of them, the last ones, those on stderr, as JSON."""
    make(root)
    assert logs(root, "job").split("\n")[:-1] == [f"line {i}" for i in range(100)]
    assert logs(root, "job", "-n", "2") == "line 98\nline 99\n"
    assert logs(root, "job", "--stderr", "--tail", "2") == "line 85\nline 95\n"
    (line,) = logs(root, "job", "-n", "1", "--json").splitlines()
    assert json.loads(line) | {"time": 0} == {"line": 99, "time": 0, "step": 99, "stream": "stdout", "text": "line 99"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d line 99\n", logs(root, "job", "-n", "1", "--times"))


def test_logs_since_a_moment(root: Path) -> None:
    """By length of time or date; what is no time is said."""
    make(root)
    assert logs(root, "job", "--since", "1h").count("\n") == 100
    assert logs(root, "job", "--since", "2101-01-01") == ""
    assert logs(root, "job", "--since", "2001-01-01T12:00", "-n", "1") == "line 99\n"
    assert "is no time" in logs(root, "job", "--since", "soon", code=2)


def test_logs_colours_only_where_wanted(root: Path) -> None:
    """A pipe gets plain text."""
    with tracker.init(project="p", name="job", dir=root):
        print("\x1b[1;31mred\x1b[0m plain")
    assert logs(root, "job") == "red plain\n"
    assert logs(root, "job", "--color", "always") == "\x1b[1;31mred\x1b[0m plain\n"


def test_logs_of_a_silent_run(root: Path) -> None:
    """It is said, and is no error."""
    with tracker.init(project="p", name="job", dir=root) as run:
        run.log({"x": 1})
    assert "job: Nothing was printed." in logs(root, "job")
    tracker.init(project="p", name="quiet", dir=root, console="off").finish()
    assert "its console was off" in logs(root, "quiet")


def test_logs_follow_until_the_job_ends(root: Path, start: StartScript) -> None:
    """New lines come as they are printed; the command ends with the job."""
    job = start(JOB, str(root))
    wait_line(job, "begin")
    reader = subprocess.Popen(
        [sys.executable, *APP, "logs", "job", "-f", "--dir", str(root)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_line(reader, "begin")
    tell(job, "2")
    for expected in ("step 0 done", "step 1 done", "ready"):
        wait_line(reader, expected)
    assert job.stdin is not None
    job.stdin.close()
    wait_line(reader, "the end")
    assert reader.wait(10) == 0
    reader.communicate()


# ---- another machine ----


@pytest.mark.usefixtures("near_far")
def test_a_far_console_is_followed_searched_and_linked(root: Path, start: StartScript) -> None:
    """As here, with nothing copied but what is looked at."""
    job = start(JOB, str(root))
    wait_line(job, "begin")
    tell(job, "3000")
    with Terminal([*APP, f"{NAME}:{root}"]) as terminal:
        terminal.wait_for("running")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("step 2999 done")
        tell(job, "1")
        terminal.wait_for("step 3000 done")
        terminal.step("f")
        find(terminal, "step 17")
        terminal.wait_for("111 of 111 lines with step 17")
        terminal.wait_for("step 1799 done")
        terminal.wait_for(shows(r"loss  0\.000\d+ @ 1799\b"))


@pytest.mark.usefixtures("near_far")
def test_logs_of_another_machine(root: Path) -> None:
    """The same command."""
    make(root, lines=2500)
    assert logs(f"{NAME}:{root}", "job").split("\n")[:-1] == [f"line {i}" for i in range(2500)]
    assert logs(f"{NAME}:{root}", "job", "-n", "1") == "line 2499\n"


@pytest.mark.usefixtures("near_far")
def test_a_lost_link_is_told_in_the_console_and_comes_back(root: Path, proxy: Proxy) -> None:
    """What was read stays; once the link is back, reading goes on."""
    make(root, lines=3000)
    with Terminal([*APP, f"ssh://{NAME}:{proxy.port}{root}"]) as terminal:
        terminal.wait_for("✓ 1 finished")
        terminal.settle()
        terminal.press("4")
        terminal.wait_for("line 2999")
        proxy.silence()
        proxy.cut()
        terminal.wait_for("✗ far")
        terminal.step("home")
        terminal.wait_for("there is no connection to far now")
        proxy.silence(False)
        terminal.press("R")
        terminal.wait_for("connected again")
        terminal.wait_for(shows(r"│  line 0 "))
