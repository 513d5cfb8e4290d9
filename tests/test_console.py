"""What a job prints, as readers find it: nothing of it changed on its way to the terminal, nothing of it lost."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TextIO

import pexpect
import pytest

import tracker
from support import StartScript, lines_of, run_script, tell, wait_for, wait_line
from terminal import environment
from tracker.catalog import Catalog
from tracker_tui.console import Console, Printed

BEGIN = "import os, sys, time\nimport tracker\nrun = tracker.init(project='p', console={way!r})\n"


def console_of(root: Path, run_id: str | None = None) -> Console:
    """What the only run, or that of an id, has printed by now."""
    catalog = Catalog(root)
    catalog.refresh()
    (run,) = [run for run in catalog.runs.values() if run_id in (None, run.id)]
    console = Console(catalog, run)
    news = console.read_end()
    if news is not None:
        console.take(news)
    return console


def printed(root: Path, run_id: str | None = None) -> list[Printed]:
    """All lines of a run that are complete."""
    return list(console_of(root, run_id).lines())


def texts(root: Path, run_id: str | None = None) -> list[str]:
    """The same as text alone, without what we say ourselves."""
    return [line.text for line in printed(root, run_id) if not line.text.startswith("tracker: ")]


def job(source: str, way: str = "wrap") -> str:
    """A script that begins with a run."""
    return BEGIN.format(way=way) + source


# ---- what is kept ----


def test_lines_have_time_stream_and_step(root: Path) -> None:
    """A line says when it was printed, where, and which step had been logged by then."""
    run = tracker.init(project="p")
    print("before")
    run.log({"loss": 1.0})
    print("after", 0)
    run.log({"loss": 0.5}, step=7)
    print("late", file=sys.stderr)
    run.finish()
    lines = printed(root)
    assert [(line.text, line.stream, line.step) for line in lines] == [
        ("before", "stdout", None),
        ("after 0", "stdout", 0),
        ("late", "stderr", 7),
    ]
    assert all(line.time is not None and line.time >= run.start_time - 0.001 for line in lines)
    assert [line.number for line in lines] == [0, 1, 2]


def test_console_is_plain_json_lines(root: Path) -> None:
    """One record a line, for grep and jq: plain text, and beside it where it was coloured."""
    with tracker.init(project="p") as run:
        print("\x1b[1;31mred\x1b[0m plain \x1b[32mgreen\x1b[39m!")
    (record,) = lines_of(Path(run.folder) / "console.jsonl")
    assert record["text"] == "red plain green!"
    assert record["colours"] == [[0, 3, "1;31"], [10, 15, "32"]]
    assert printed(root)[0].parts[:2] == (("red", "1;31"), (" plain ", ""))


def test_a_run_that_prints_nothing_leaves_no_file() -> None:
    """Nor a folder."""
    with tracker.init(project="p") as run:
        run.log({"loss": 1})
    assert not Path(run.folder).exists()


def test_logging_and_warnings_are_heard(tmp_path: Path, root: Path) -> None:
    """Whoever held the streams before the run began is heard too."""
    run_script(
        tmp_path,
        "import logging, warnings\nlogging.basicConfig()\n"
        + job("logging.warning('odd %s', 1)\nwarnings.warn('old', stacklevel=1)\n"),
    )
    assert texts(root)[0] == "WARNING:root:odd 1"
    assert "UserWarning: old" in texts(root)[1]


def test_what_ends_without_a_newline_is_kept(root: Path) -> None:
    """The last words need not be a line."""
    with tracker.init(project="p"):
        print("the end", end="")
    assert texts(root) == ["the end"]


@pytest.mark.parametrize(
    ("output", "seen"),
    [
        ("\r 10%|#  |\r 50%|## |\r100%|###|\n", ["100%|###|"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("abcdef\rxy\n", ["xycdef"]),
        ("abcdef\r\x1b[Kxy\n", ["xy"]),
        ("12345\b\b\b\b\bab\n", ["ab345"]),
        ("a\tb\n", ["a       b"]),
        ("first\n  0%\x1b[A\r  10%\n  20%\n", ["first", "  10%", "  20%"]),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b[2J\x1b[?25l\x07c\n", ["abc"]),
        ("\x1bPq#0;2;0;0;0\x1b\\sixel\n", ["sixel"]),
        ("\x00\x01\x02binary\x7f\x9b\n", ["binary"]),
        ("\x1b[38;5;196mx\x1b[0m\n", ["x"]),
        ("\x1b[31\n", ["[31"]),
    ],
)
def test_what_stays_on_the_screen_is_kept(root: Path, output: str, seen: list[str]) -> None:
    """Bars are the one line they end up as; escape sequences are none, however they are cut into pieces."""
    with tracker.init(project="p"):
        sys.stdout.write(output)
    assert texts(root) == seen
    tracker.init(project="pieces")
    for sign in output:
        sys.stdout.write(sign)
    tracker.finish()
    catalog = Catalog(root)
    catalog.refresh()
    (run,) = [run for run in catalog.runs.values() if run.project == "pieces"]
    assert texts(root, run.id) == seen


def test_a_bar_is_one_line_and_its_last_state_is_seen_at_once(root: Path, start: StartScript) -> None:
    """What tqdm shows now can be read while it runs, and is there after kill -9."""
    process = start(
        job(
            "from tqdm import tqdm\n"
            "for i in tqdm(range(3), desc='first'): pass\n"
            "bar = tqdm(total=10, desc='second', mininterval=0)\n"
            "bar.update(4); print('ready', flush=True); input()"
        ),
    )
    wait_line(process, "ready")
    assert wait_for(lambda: any("second:  40%" in line.text for line in console_of(root).live))
    process.kill()
    process.wait()
    assert [text.split("|")[0] for text in texts(root) if "%" in text] == ["first: 100%"]
    assert "4/10" in console_of(root).live[-1].text


@pytest.mark.parametrize("way", ["wrap", "redirect"])
def test_bars_within_bars_are_a_line_each(tmp_path: Path, root: Path, way: str) -> None:
    """Without the first state of the outer one; under `wrap`, where one thread prints, in the order of their ends."""
    run_script(
        tmp_path,
        job(
            "from tqdm import tqdm\n"
            "for e in tqdm(range(2), desc='outer', ncols=60):\n"
            "    for b in tqdm(range(3), desc='inner', ncols=60, leave=False): time.sleep(0.02)\n"
            "sys.stderr.flush(); print('the end')\n",
            way,
        ),
    )
    found = [text.split("|")[0] for text in texts(root) if text]
    assert (sorted(found) if way == "redirect" else found) == ["outer: 100%", "the end"]


def test_rich_bars_are_not_a_line_a_frame(tmp_path: Path, root: Path) -> None:
    """Bars that are drawn over each other by moving the cursor up end up as a line each."""
    run_script(
        tmp_path,
        job(
            "from rich.progress import Progress\nfrom rich.console import Console\n"
            "console = Console(force_terminal=True, width=80)\n"
            "with Progress(console=console, auto_refresh=False) as progress:\n"
            "    tasks = [progress.add_task(f'task {i}', total=50) for i in range(3)]\n"
            "    for step in range(50):\n"
            "        for task in tasks: progress.advance(task)\n"
            "        progress.refresh()\n"
            "print('done')"
        ),
    )
    bars = [text for text in texts(root) if text.startswith("task")]
    assert [text.split("━")[0].strip() for text in bars[-3:]] == ["task 0", "task 1", "task 2"]
    assert all("100%" in text for text in bars[-3:])
    assert len(bars) <= 6  # the first frame may be there too
    assert texts(root)[-1] == "done"


# ---- nothing is lost ----


def test_last_words_before_kill_9_are_there(start: StartScript, root: Path) -> None:
    """What is printed alone is with the operating system when print returns."""
    process = start(job("time.sleep(0.3)\nprint('the last words')\nos.kill(os.getpid(), 9)"))
    process.wait()
    assert texts(root) == ["the last words"]


@pytest.mark.parametrize("how", ["raise ValueError('odd value')", "with run: raise ValueError('odd value')"])
def test_traceback_is_there(tmp_path: Path, root: Path, how: str) -> None:
    """The error that ends a job is the last thing in its console, also where Python shows it after the run's end."""
    run_script(tmp_path, job(how))
    lines = [line for line in printed(root) if not line.text.startswith("tracker: ")]
    assert lines[0].text == "Traceback (most recent call last):"
    assert (lines[-1].text, lines[-1].stream) == ("ValueError: odd value", "stderr")


def test_ctrl_c_leaves_the_console(start: StartScript, root: Path) -> None:
    """A stopped job keeps what it printed."""
    process = start(job("print('working', flush=True)\nsys.stdin.read()"))
    wait_line(process, "working")

    def is_over() -> bool:  # a signal between Python's last look at signals and its `read` is not seen before the next
        process.send_signal(signal.SIGINT)
        return wait_for(lambda: process.poll() is not None, 0.5)

    assert wait_for(is_over)
    assert texts(root)[0] == "working"
    assert texts(root)[-1] == "KeyboardInterrupt"


def test_threads_print_whole_lines(root: Path) -> None:
    """Thousand lines of eight threads each are there once, in the order of each."""
    with tracker.init(project="p"):
        threads = [
            threading.Thread(target=lambda n=n: [sys.stdout.write(f"{n} {i}\n") for i in range(1000)]) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [tuple(map(int, text.split())) for text in texts(root)]
    assert len(lines) == 8000
    assert all([i for n, i in lines if n == thread] == list(range(1000)) for thread in range(8))


def test_hundred_thousand_lines_are_numbered_without_a_gap(root: Path) -> None:
    """However fast they come."""
    with tracker.init(project="p"):
        for i in range(100_000):
            sys.stdout.write(f"line {i}\n")
    console = console_of(root)
    assert console.total == 100_000
    for first in (0, 1, 49_999, 99_990):
        assert [line.text for line in console.read(first, 3).lines] == [f"line {i}" for i in range(first, first + 3)]


def test_huge_lines_and_binary_are_bounded(root: Path) -> None:
    """A line of a megabyte is cut, and says so; what comes after it is whole."""
    with tracker.init(project="p") as run:
        sys.stdout.write("x" * 1_000_000 + "\n")
        sys.stdout.write("".join(map(chr, range(256))) * 4000)
        sys.stdout.write("\nthe end \udcff\n")
    found = texts(root)
    assert len(found[0]) < 10_000
    assert found[0].endswith("x …")
    assert found[-1] == "the end ?"
    assert (Path(run.folder) / "console.jsonl").stat().st_size < 100_000_000


def test_a_flood_is_bounded_and_its_last_lines_are_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than a run may write the rest is counted, but its last words are kept."""
    monkeypatch.setattr("tracker.console.BURST", 20_000)
    monkeypatch.setattr("tracker.console.RATE", 0)
    with tracker.init(project="p") as run:
        for i in range(10_000):
            print(f"line {i}")
    found = texts(root)
    assert (Path(run.folder) / "console.jsonl").stat().st_size < 60_000
    assert found[-1] == "line 9999"
    notes = [re.fullmatch("… ([0-9]+) lines left out: too many at once", text) for text in found]
    kept = [text for text in found if text.startswith("line")]
    assert sum(int(note[1]) for note in notes if note) == 10_000 - len(kept)


# ---- who is heard ----


def test_runs_side_by_side_hear_the_same(root: Path) -> None:
    """Each from its beginning to its end."""
    first = tracker.init(project="p", id="first")
    print("one")
    second = tracker.init(project="p", id="second", reinit="create_new")
    print("two")
    first.finish()
    print("three")
    second.finish()
    print("four")
    assert texts(root, "first") == ["one", "two"]
    assert texts(root, "second") == ["two", "three"]


def test_resumed_run_has_all_it_printed(root: Path) -> None:
    """What a run printed before it was resumed comes first, and steps lead to either part."""
    for part in range(2):
        run = tracker.init(project="p", id="again", resume="allow")
        for i in range(300):
            run.log({"x": i})
            print(f"part {part} line {i}")
        run.finish()
    console = console_of(root)
    assert console.total == 600
    assert [console.read(number, 1).lines[0].text for number in (299, 300)] == ["part 0 line 299", "part 1 line 0"]
    assert [line.number for line in console.lines(598)] == [598, 599]
    assert [console.line_at("_step", step) for step in (10, 310, 1e9)] == [10, 310, 599]
    assert sorted(n for found in console.search("line 29") for n in found) == sorted(
        [29, 329, *range(290, 300), *range(590, 600)]
    )


def test_a_tee_over_the_streams_is_heard_once(root: Path) -> None:
    """Whatever stands in for a stream and writes through it, also from one run to the next."""

    class Tee:
        def __init__(self, stream: TextIO) -> None:
            self.stream = stream

        def write(self, text: str) -> int:
            return self.stream.write(text)

        def flush(self) -> None:
            self.stream.flush()

    before = sys.stdout
    tracker.init(project="p", id="one")
    sys.stdout = Tee(before)  # type: ignore[assignment]
    try:
        tracker.init(project="p", id="two", reinit="create_new").finish()
        print("first")
        tracker.finish()
        with tracker.init(project="p", id="three"):
            print("second")
    finally:
        sys.stdout = before
    assert (texts(root, "one"), texts(root, "three")) == (["first"], ["second"])
    assert "write" not in vars(before)


def test_a_signal_handler_may_print_at_any_moment(tmp_path: Path, root: Path) -> None:
    """Also while another print is on its way, and raise."""
    done = run_script(
        tmp_path,
        job(
            "import signal\ninside = False\n"
            "def handler(*_):\n    global inside\n    print('from the handler')\n"
            "    if inside:\n        inside = False\n        raise TimeoutError\n"
            "signal.signal(signal.SIGALRM, handler)\nsignal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)\n"
            "count = caught = 0\nend = time.monotonic() + 1.5\n"
            "while end:\n"
            "    try:\n"
            "        inside = True\n"
            "        while time.monotonic() < end: print('line', end='\\n'); count += 1\n"
            "        inside = False; signal.setitimer(signal.ITIMER_REAL, 0); end = 0\n"
            "    except TimeoutError: caught += 1\n"
            "run.log({'count': count, 'caught': caught})\n"
        ),
    )
    assert done.returncode == 0
    summary = tracker.Api(root).runs("p")[0].summary
    assert summary["caught"] > 100
    assert sum("from the handler" in text for text in texts(root)) > summary["caught"] * 0.9
    assert sum(text.endswith("line") for text in texts(root)) > summary["count"] * 0.9


def test_cursor_movements_cost_little(root: Path) -> None:
    """However far up they lead, and however often."""
    with tracker.init(project="p") as run:
        for _ in range(20_000):
            sys.stdout.write("\x1b[99999Ax\n")
    assert len(texts(root)) < 200
    assert (Path(run.folder) / "console.jsonl").stat().st_size < 100_000


def test_forked_child_is_not_heard(tmp_path: Path, root: Path) -> None:
    """One file has one writer; on the terminal the child is seen as ever."""
    done = run_script(
        tmp_path,
        job("print('parent')\npid = os.fork()\nprint('child' if not pid else 'parent again')\nif pid: os.wait()"),
    )
    assert "child" in done.stdout
    assert texts(root) == ["parent", "parent again"]


def test_forked_child_with_a_run_of_its_own(tmp_path: Path, root: Path) -> None:
    """Is heard there."""
    run_script(
        tmp_path,
        "import os, tracker\ntracker.init(project='p', id='one')\npid = os.fork()\n"
        "if not pid:\n    tracker.init(project='p', id='two')\n    print('child')\n    tracker.finish()\n"
        "    os._exit(0)\n"
        "os.wait()\nprint('parent')\n",
    )
    assert (texts(root, "one"), texts(root, "two")) == (["parent"], ["child"])


@pytest.mark.parametrize("setting", ["TRACKER_CONSOLE", "WANDB_CONSOLE"])
def test_off_keeps_nothing(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """And leaves the streams alone."""
    monkeypatch.setenv(setting, "off")
    with tracker.init(project="p") as run:
        print("hello")
        assert "write" not in vars(sys.stdout)
    assert not Path(run.folder).exists()


def test_settings_say_how() -> None:
    """As W&B's do."""
    with tracker.init(project="p", settings=tracker.Settings(console="off")) as run:
        print("hello")
    assert not Path(run.folder).exists()
    with pytest.raises(ValueError, match="console must be one of"):
        tracker.init(project="p", console="loud")


def test_disabled_runs_hear_nothing() -> None:
    """They write nothing at all."""
    with tracker.init(mode="disabled"):
        assert "write" not in vars(sys.stdout)


def test_streams_are_as_before_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    """No trace is left on them, and no thread."""
    before = sys.stdout, sys.stderr, sys.stdout.write.__name__
    with tracker.init(project="p"):
        for _ in range(100):
            print("x", end="\r")
    assert (sys.stdout, sys.stderr, sys.stdout.write.__name__) == before
    assert wait_for(lambda: "tracker-console" not in [thread.name for thread in threading.enumerate()])
    assert capsys.readouterr().out == "x\r" * 100


def test_somebody_elses_shadow_stays(root: Path) -> None:
    """Another tool that hooks in after us is not undone."""
    run = tracker.init(project="p")
    ours, heard = sys.stdout.write, []

    def theirs(text: str) -> int:
        heard.append(text)
        return ours(text)

    sys.stdout.write = theirs  # type: ignore[method-assign]
    try:
        print("one")
        run.finish()
        print("two")
        with tracker.init(project="p", id="later"):
            print("three")
    finally:
        assert sys.stdout.write is theirs
        del sys.stdout.write
    assert heard == ["one", "\n", "two", "\n", "three", "\n"]
    assert texts(root, run.id) == ["one"]


@pytest.mark.parametrize("stream", ["None", "open(os.devnull)", "Slots()"])
def test_odd_streams_cost_nothing(tmp_path: Path, stream: str) -> None:
    """No stdout at all, one that cannot be written, one that takes no attributes."""
    slots = "class Slots:\n    __slots__ = ()\n    def write(self, text): pass\n    def flush(self): pass\n"
    end = job("run.log({'x': 1})\nprint('x', file=sys.stderr)\nrun.finish()\nsys.stdout = sys.__stdout__")
    done = run_script(tmp_path, f"import os, sys\n{slots}sys.stdout = {stream}\n{end}")
    assert (done.returncode, "finished" in done.stderr) == (0, True)


def test_broken_pipe_is_the_jobs_own_affair(start: StartScript, root: Path) -> None:
    """`train | head -1`: the job gets the error it always got, and the console has what it printed."""
    process = start(
        job(
            "print('first', flush=True); input()\n"
            "try:\n    print('second', flush=True)\nexcept BrokenPipeError:\n    run.log({'broken': 1})\n"
            "sys.stderr.write('over')\nrun.finish()\nos._exit(0)"
        ),
    )
    wait_line(process, "first")
    assert process.stdout is not None
    process.stdout.close()
    tell(process)
    process.wait()
    assert texts(root) == ["first", "second", "over"]
    assert tracker.Api(root).runs("p")[0].summary["broken"] == 1


def test_pytest_capture_sees_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A captured stream is heard like any other."""
    with tracker.init(project="p"):
        print("out")
        print("err", file=sys.stderr)
    assert capsys.readouterr().out == "out\n"
    assert sorted(texts(root)) == ["err", "out"]


def test_redirected_text_is_not_printed(root: Path) -> None:
    """What goes into a string is on no terminal."""
    import contextlib

    with tracker.init(project="p"), contextlib.redirect_stdout(io.StringIO()):
        print("hidden")
    assert not texts(root)


def test_notebook_cells_are_heard(tmp_path: Path, root: Path) -> None:
    """The shell of a notebook prints through streams of its own."""
    run_script(
        tmp_path,
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for cell in ['import tracker', 'run = tracker.init(project=\"p\")', 'print(\"from a cell\")', '1 / 0',\n"
        "             'tracker.finish()']:\n"
        "    shell.run_cell(cell)\n",
    )
    assert texts(root)[0] == "from a cell"
    assert any("ZeroDivisionError" in text for text in texts(root))


def test_where_nothing_can_be_written_training_goes_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once."""
    run = tracker.init(project="p")
    folder = Path(run.folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    for i in range(50):
        print(i)
        run.log({"i": i})
    run.finish()
    assert capsys.readouterr().err.count("cannot keep what is printed") == 1
    assert tracker.Api(root).runs("p")[0].state == "finished"


# ---- the terminal ----

NOISE = """
import logging, sys, warnings
from rich.console import Console
from rich.progress import track
from tqdm import tqdm
print('tty', sys.stdout.isatty(), sys.stderr.isatty())
print('plain', 'words', sep='-')
sys.stderr.write('error text\\n')
logging.warning('logged')
for _ in tqdm(range(3), mininterval=0, miniters=1, bar_format='{desc}{n}/{total}', ncols=40): pass
for i in range(3): print(f'\\r{i}', end='', flush=True)
print()
Console(force_terminal=True, width=60).print('[bold red]rich[/] text')
print('\\x1b[32mgreen\\x1b[0m \\x1b]0;title\\x07 日本語 \\x07')
print('no newline', end='')
"""


def noisy(way: str) -> str:
    """The same noise, with and without a run around it."""
    return f"import tracker\nrun = tracker.init(project='p', console={way!r})\n{NOISE}\nrun.finish()\n"


@pytest.mark.parametrize("way", ["wrap", "redirect"])
def test_a_terminal_gets_the_same_bytes(tmp_path: Path, root: Path, way: str) -> None:
    """Whether or not somebody listens: each byte, in the same order."""
    got = {}
    for each in ("off", way):
        script = tmp_path / f"{each}.py"
        script.write_text(noisy(each), encoding="utf-8")
        env = environment(TRACKER_SILENT="1")
        child = pexpect.spawn(sys.executable, [str(script)], env=env, cwd=str(tmp_path), dimensions=(24, 100))
        got[each] = child.read()
        child.close()
    assert b"tty True True" in got["off"]
    assert got[way] == got["off"]
    assert "plain-words" in texts(root, _with_console(root))


def _with_console(root: Path) -> str:
    """The id of the run that has one."""
    catalog = Catalog(root)
    catalog.refresh()
    return next(run.id for run in catalog.runs.values() if (Path(run.path).with_suffix("") / "console.jsonl").exists())


@pytest.mark.parametrize("way", ["wrap", "redirect"])
@pytest.mark.parametrize("to", ["pipes", "one pipe", "file", "nohup"])
def test_pipes_and_files_get_the_same_bytes(tmp_path: Path, way: str, to: str) -> None:
    """The same where nobody sits at a terminal."""
    got = []
    for each in ("off", way):
        script = tmp_path / f"{each}.py"
        script.write_text(noisy(each), encoding="utf-8")
        words = [*(["nohup"] if to == "nohup" else []), sys.executable, str(script)]
        env = environment(TRACKER_SILENT="1", PYTHONUNBUFFERED="1")
        if to == "file":
            with open(tmp_path / "out", "wb") as out:
                subprocess.run(words, stdout=out, stderr=out, env=env, cwd=tmp_path, check=True)
            got.append(((tmp_path / "out").read_bytes(), b""))
        else:
            stderr = subprocess.STDOUT if to == "one pipe" else subprocess.PIPE
            done = subprocess.run(words, stdout=subprocess.PIPE, stderr=stderr, env=env, cwd=tmp_path, check=True)
            got.append((done.stdout, done.stderr))
    assert got[0] == got[1]


# ---- redirect ----


def test_redirect_hears_children_and_c(tmp_path: Path, root: Path) -> None:
    """What does not go through Python is kept in its order among the rest."""
    done = run_script(
        tmp_path,
        job(
            "import ctypes, subprocess\nlibc = ctypes.CDLL(None)\n"
            "print('python', flush=True)\nlibc.printf(b'from %s\\n', b'C'); libc.fflush(None)\n"
            "subprocess.run(['echo', 'from a child'])\nos.write(1, b'raw\\n')\n"
            "os.write(2, b'raw error\\n')\nprint('again')",
            "redirect",
        ),
    )
    assert done.stdout == "python\nfrom C\nfrom a child\nraw\nagain\n"
    assert [line.text for line in printed(root) if line.stream == "stdout"] == done.stdout.splitlines()
    assert "raw error" in [line.text for line in printed(root) if line.stream == "stderr"]


def test_redirect_is_undone_at_the_end(tmp_path: Path, root: Path) -> None:
    """The descriptors are the old ones again, and a child that was started meanwhile is still seen."""
    done = run_script(
        tmp_path,
        job(
            "import subprocess\nbefore = os.fstat(1)\n"
            "child = subprocess.Popen(['sh', '-c', 'read x; echo late child'], stdin=subprocess.PIPE)\n"
            "print('in the run')\nrun.finish()\nafter = os.fstat(1)\n"
            "print('after', (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino), flush=True)\n"
            "child.communicate(b'go\\n')\ntime.sleep(0.3)",
            "redirect",
        ),
    )
    assert done.stdout == "in the run\nafter True\nlate child\n"
    assert texts(root) == ["in the run"]


def test_redirect_gives_a_terminal_of_the_same_size(tmp_path: Path) -> None:
    """Programs that ask how wide the terminal is get the same answer."""
    script = tmp_path / "size.py"
    script.write_text(job("print('size', *os.get_terminal_size(1), flush=True)", "redirect"))
    child = pexpect.spawn(
        sys.executable, [str(script)], env=environment(), cwd=str(tmp_path), dimensions=(33, 77), encoding="utf-8"
    )
    child.expect(r"size 77 33")
    child.wait()
    child.close()


def test_redirect_ends_at_once_beside_a_living_child(tmp_path: Path, root: Path) -> None:
    """A forked worker that is still there does not hold up the end of the run."""
    run_script(
        tmp_path,
        job(
            "if not os.fork():\n    sys.stdin.read(); os._exit(0)\n"
            "before = time.monotonic(); run.finish(); print('took', time.monotonic() - before < 1)",
            "redirect",
        )
        + "\nos.kill(0, 9)\n",
    )
    (stored,) = tracker.Api(root).runs("p")
    assert stored.state == "finished"


def test_redirect_where_the_disk_is_full(tmp_path: Path) -> None:
    """What says so does not wait for itself."""
    done = run_script(
        tmp_path,
        job(
            "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))\n"
            "for i in range(3000): os.write(1, b'x' * 200 + b'\\n')\nrun.finish()",
            "redirect",
        ),
    )
    assert done.returncode == 0
    assert done.stdout.count("\n") == 3000
    assert "cannot keep what is printed" in done.stderr


def test_redirect_with_a_closed_stream(tmp_path: Path, root: Path) -> None:
    """The other one is heard."""
    run_script(tmp_path, "import os\nos.close(1)\n" + job("os.write(2, b'on stderr\\n')\n", "redirect"))
    assert "on stderr" in texts(root)


def test_redirect_in_a_forked_child(tmp_path: Path, root: Path) -> None:
    """A data loader's worker is heard with its parent."""
    run_script(
        tmp_path,
        job(
            "import multiprocessing as m\n"
            "def work(): print('worker', flush=True)\n"
            "p = m.get_context('fork').Process(target=work); p.start(); p.join()\nprint('parent')",
            "redirect",
        ),
    )
    assert texts(root) == ["worker", "parent"]


# ---- what is in a file that somebody else wrote ----


def test_readers_pass_over_what_is_no_line(root: Path) -> None:
    """Torn, foreign, lying: what can be shown is, nothing breaks, and no escape sequence gets through."""
    with tracker.init(project="p") as run:
        print("good 0")
        print("good 1")
    good = (Path(run.folder) / "console.jsonl").read_bytes()
    bad = [
        b"\xff\xfe\n",
        b"{}\n",
        b'{"line":"x","stream":"stdout","text":"odd"}\n',
        b'{"line":1e9,"stream":7,"text":"odd"}\n',
        b'{"line":2,"stream":"std\\u001bout","text":"odd"}\n',
        (
            b'{"_timestamp":"now","_step":"far","line":2,"stream":"stdout","colours":[[0,1,"31m\\u001b[2J"],7,'
            b'[0,2,"7"],[9,3,"1"]],"text":"a\\u001b]52;c;aGk=\\u0007b"}\n'
        ),
        b'{"line":3,"stream":"stdout","live":["\\u001b[2J50%",7]}\n',
        b'{"line":3,"stream":"stdout","text":',
    ]
    (Path(run.folder) / "console.jsonl").write_bytes(good + b"".join(bad))
    console = console_of(root)
    lines = list(console.lines())
    assert [line.text for line in lines[:2]] == ["good 0", "good 1"]
    assert "a]52;c;aGk=b" in [line.text for line in lines]
    assert all(line.text.isprintable() and line.stream.isprintable() for line in [*lines, *console.live])
    assert all(set(sgr) <= set("0123456789;:") for line in lines for _, sgr in line.parts)


@pytest.mark.parametrize("numbers", [[0, 1, 999_999_998], [-1] * 1500, [*range(50), *range(90, 100)], [5, 4, 3, 2]])
def test_numbers_that_lie_end_no_reader(root: Path, numbers: list[int]) -> None:
    """Every reading ends, brings the line it is asked for, and is small."""
    with tracker.init(project="p") as run:
        print("x")
    records = [f'{{"_timestamp":1.0,"_step":0,"line":{n},"stream":"stdout","text":"line {n}"}}\n' for n in numbers]
    (Path(run.folder) / "console.jsonl").write_text("".join(records))
    console = console_of(root)
    assert sum(1 for _ in console.lines()) <= len(numbers) + 1  # where some are missing it is told
    for first in {0, console.total // 2, max(0, console.total - 1)} if console.total else ():
        lines = console.read(first, 100).lines
        assert lines[0].number == first
        assert len(lines) <= 100
    assert sum(len(found) for found in console.search("line")) <= len(numbers)


def test_what_is_missing_is_told(root: Path) -> None:
    """Whoever reads all lines is told where some are gone, and how many; the last number alone is not believed."""
    with tracker.init(project="p") as run:
        print("x")
    numbers = [0, 1, 5, 6, 7, 9, 0]
    records = [f'{{"_timestamp":1.0,"_step":0,"line":{n},"stream":"stdout","text":"line {n}"}}\n' for n in numbers]
    (Path(run.folder) / "console.jsonl").write_text("".join(records))
    assert [line.text for line in console_of(root).lines()] == [
        *("line 0", "line 1", "(3 lines are missing)", "line 5", "line 6", "line 7", "(a line is missing)", "line 9"),
    ]


def test_a_time_that_is_none_is_not_found(root: Path) -> None:
    """A number beyond all floats ends no search for a time."""
    with tracker.init(project="p") as run:
        print("x")
    line = f'{{"_timestamp":1{"0" * 400},"line":0,"stream":"stdout","text":"line"}}\n'
    (Path(run.folder) / "console.jsonl").write_text(line)
    assert console_of(root).line_at("_timestamp", 1.0) == 0


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "linked folder"])
def test_only_a_real_file_is_read(tmp_path: Path, root: Path, kind: str) -> None:
    """Nothing outside of the run's folder, and nothing that would make a reader wait."""
    with tracker.init(project="p") as run:
        run.log({"x": 1})
    folder, secret = Path(run.folder), tmp_path / "secret"
    secret.mkdir()
    (secret / "console.jsonl").write_text('{"line":0,"stream":"stdout","text":"secret"}\n')
    if kind == "linked folder":
        folder.symlink_to(secret)
    else:
        folder.mkdir()
        file = folder / "console.jsonl"
        {"folder": file.mkdir, "fifo": lambda: os.mkfifo(file), "link": lambda: file.symlink_to(secret / file.name)}[
            kind
        ]()
    assert not console_of(root).total


def test_purge_removes_the_console(root: Path) -> None:
    """With the run's folder."""
    with tracker.init(project="p") as run:
        print("x")
    catalog = Catalog(root)
    catalog.refresh()
    (stored,) = catalog.runs.values()
    assert catalog.purge(stored) == ""
    assert not Path(run.folder).exists()
