"""However a job ends, its run's state says so within two seconds. All jobs here are real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tracker
from support import (
    PATIENCE,
    PROMPT,
    StartScript,
    journal,
    journals,
    lines_of,
    rows_of,
    run_script,
    settled_state,
    state_of,
    tell,
    wait_for,
    wait_line,
)

BEGIN = """
import ctypes, faulthandler, multiprocessing, os, signal, sys, threading, time
import tracker
run = tracker.init(project="p", name="job")
run.log({"loss": 1.0})
"""
READY = 'print("ready")\n'
WAIT = READY + "sys.stdin.readline()\n"


def running(process: subprocess.Popen[str], root: Path) -> tracker.Api:
    """Wait until the job says that it is ready; a reader that has seen it running."""
    wait_line(process, "ready")
    api = tracker.Api(root)
    assert api.runs()[0].state == "running"
    return api


def state_after(process: subprocess.Popen[str], api: tracker.Api, expected: str) -> str:
    """The state, within two seconds of the job's death, that the reader comes to who has seen it running."""
    process.wait(PATIENCE)
    wait_for(lambda: api.runs()[0].state == expected, PROMPT)
    return api.runs()[0].state


def asleep(process: subprocess.Popen[str]) -> bool:
    """Whether the process waits for something in the kernel."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(process.pid)], capture_output=True, text=True, check=False)
    return shown.stdout.startswith("S")


def printed_end(errors: str) -> str:
    """The state in the last line that the job printed of its run."""
    ends = [line for line in errors.splitlines() if line.startswith("tracker: Run job") and "Find logs at" in line]
    assert len(ends) == 1
    return ends[0].removeprefix("tracker: Run job ").partition(".")[0]


# ---- ends that the job tells ----


def test_job_that_works_is_running(start: StartScript, root: Path) -> None:
    """A run whose process lives is running, to a reader that comes late as to one that was there before."""
    api = running(start(BEGIN + WAIT), root)
    assert api.runs()[0].state == state_of(root) == "running"


ENDINGS = [
    ("", 0, "finished"),
    ("run.finish()", 0, "finished"),
    ("tracker.finish()", 0, "finished"),
    ("run.finish(exit_code=0)", 0, "finished"),
    ("run.finish(exit_code=1)", 0, "failed"),
    ("with run: pass", 0, "finished"),
    ("with run: raise ValueError('boom')", 1, "failed"),
    ("with run: sys.exit(3)", 3, "failed"),
    ("with run: sys.exit(0)", 0, "finished"),
    ("with run: raise KeyboardInterrupt", -signal.SIGINT, "killed"),
    ("raise ValueError('boom')", 1, "failed"),
    ("raise KeyboardInterrupt", -signal.SIGINT, "killed"),
    ("sys.exit(3)", 3, "failed"),
    ("sys.exit('no data')", 1, "failed"),
    ("sys.exit(0)", 0, "finished"),
    ("sys.exit()", 0, "finished"),
    ("exit(3)", 3, "failed"),
    ("run.finish(); sys.exit(3)", 3, "finished"),
    ("run.finish(); os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "finished"),
    ("run.finish(); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "finished"),
    ("os._exit(0)", 0, "crashed"),
    ("os.abort()", -signal.SIGABRT, "crashed"),
]


@pytest.mark.parametrize(("ending", "code", "state"), ENDINGS, ids=[ending for ending, _, _ in ENDINGS])
def test_end_makes_the_state(ending: str, code: int, state: str, tmp_path: Path, root: Path) -> None:
    """The way a job ends is the state of its run, and the job's own exit code is what it is without a run."""
    done = run_script(tmp_path, BEGIN + ending + "\n")
    assert (done.returncode, settled_state(root, state)) == (code, state)


@pytest.mark.parametrize("ending", ["", "run.finish()", "with run: pass", "sys.exit(3)"])
def test_end_leaves_only_the_journal(ending: str, tmp_path: Path, root: Path) -> None:
    """After an end that the job told, nothing lies beside the journal."""
    run_script(tmp_path, BEGIN + ending + "\n")
    assert list((root / "p").iterdir()) == [journal(root)]


@pytest.mark.parametrize("before", ["", "with run: "])
def test_exception_is_kept(before: str, tmp_path: Path, root: Path) -> None:
    """The type and message of the exception that ended a job are in its last record."""
    run_script(tmp_path, BEGIN + before + "raise ValueError('too much\\nnoise')\n")
    end = lines_of(journal(root))[-1]
    assert (end["_type"], end["exit_code"], end["exception"]) == ("end", 1, "ValueError: too much\nnoise")


def test_exception_that_cannot_be_shown_is_kept(tmp_path: Path, root: Path) -> None:
    """An exception whose message cannot be had is kept by its type."""
    source = "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise Mute\n"
    run_script(tmp_path, BEGIN + source)
    assert lines_of(journal(root))[-1]["exception"] == "Mute"


def test_own_exception_hook_still_runs(tmp_path: Path, root: Path) -> None:
    """A user's own `sys.excepthook` is called as before, and the run reads failed."""
    done = run_script(
        tmp_path, "import sys\nsys.excepthook = lambda *_: print('mine')\n" + BEGIN + "raise ValueError\n"
    )
    assert (done.stdout, state_of(root)) == ("mine\n", "failed")


def test_state_is_seen_by_a_reader_that_watched(start: StartScript, root: Path) -> None:
    """A reader that has seen the run running sees it finished."""
    process = start(BEGIN + WAIT)
    api = running(process, root)
    tell(process)
    assert state_after(process, api, "finished") == "finished"


# ---- Ctrl-C ----


@pytest.mark.parametrize("how", [WAIT, 'with run:\n    print("ready")\n    sys.stdin.readline()\n'], ids=["out", "in"])
def test_interrupt_kills(how: str, start: StartScript, root: Path) -> None:
    """Ctrl-C, inside `with` and outside, reads killed, and the job prints its end."""
    process = start(BEGIN + how)
    api = running(process, root)
    process.send_signal(signal.SIGINT)
    assert state_after(process, api, "killed") == "killed"
    assert process.returncode == -signal.SIGINT
    _, errors = process.communicate()
    assert printed_end(errors) == "killed"
    assert "tracker: Run summary:\ntracker:  loss 1\n" in errors


def test_interrupt_that_is_handled_is_no_end(start: StartScript, root: Path) -> None:
    """A job that catches Ctrl-C and goes on to its end has finished."""
    process = start(BEGIN + "try:\n    print('ready'); sys.stdin.readline()\nexcept KeyboardInterrupt:\n    pass\n")
    api = running(process, root)
    process.send_signal(signal.SIGINT)
    assert state_after(process, api, "finished") == "finished"
    assert process.returncode == 0


# ---- signals that end a process by default ----

STUCK = {
    "python": READY + "while True: pass\n",
    "waiting": WAIT,
    "native, lock held": "nap = ctypes.PyDLL(None).sleep\n" + READY + "nap(60)\n",
    "native, lock free": "nap = ctypes.CDLL(None).sleep\n" + READY + "nap(60)\n",
    "inside with": "with run:\n    print('ready')\n    sys.stdin.readline()\n",
    "in a thread": "threading.Thread(target=sys.stdin.readline).start()\n" + READY,
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("how", STUCK.values(), ids=STUCK.keys())
def test_deadly_signal_kills(how: str, number: signal.Signals, start: StartScript, root: Path) -> None:
    """SIGTERM and SIGHUP end a job at once, as they would without a run and whatever it does, and it reads killed."""
    process = start(BEGIN + how)
    api = running(process, root)
    assert "while True" in how or wait_for(lambda: asleep(process))
    process.send_signal(number)
    assert process.wait(PROMPT) == -number
    assert state_after(process, api, "killed") == "killed"
    assert state_of(root) == "killed"


def test_deadly_signal_keeps_every_row(start: StartScript, root: Path) -> None:
    """A job that SIGTERM ends keeps the rows it has logged."""
    process = start(BEGIN + WAIT)
    running(process, root)
    process.terminate()
    process.wait(PROMPT)
    assert list(tracker.Api(root).runs()[0].scan_history(["loss"])) == [{"loss": 1.0}]


def test_second_run_of_a_process_is_killed_alone(start: StartScript, root: Path) -> None:
    """SIGTERM kills the run that a job is writing, not the one it had finished."""
    source = BEGIN + "run.finish()\ntracker.init(project='p', name='second')\n" + WAIT
    process = start(source)
    wait_line(process, "ready")
    process.terminate()
    assert process.wait(PROMPT) == -signal.SIGTERM
    states = {run.name: run.state for run in tracker.Api(root).runs("p")}
    assert states == {"job": "finished", "second": "killed"}


def test_ignored_signal_stays_ignored(start: StartScript, root: Path) -> None:
    """Under nohup a job outlives SIGHUP, goes on logging and finishes."""
    process = start(BEGIN + WAIT + "run.log({'loss': 0.5})\n", under=["nohup"])
    api = running(process, root)
    process.send_signal(signal.SIGHUP)
    tell(process)
    assert state_after(process, api, "finished") == "finished"
    assert [row["loss"] for row in rows_of(journal(root))] == [1.0, 0.5]


# ---- signals with a handler of the user's own ----

HANDLER = """
import signal, sys
def handler(number, frame):
    print("mine")
    {action}
signal.signal(signal.SIGTERM, handler)
"""


@pytest.mark.parametrize(
    "action", ["sys.exit(0)", "sys.exit(143)", "raise RuntimeError('stop')", "run.finish(); sys.exit(0)"]
)
def test_own_handler_runs_and_the_run_is_killed(action: str, start: StartScript, root: Path) -> None:
    """A handler that was set before the run is called as before, and a job that it ends reads killed."""
    process = start(HANDLER.format(action=action) + BEGIN + WAIT)
    api = running(process, root)
    process.terminate()
    wait_line(process, "mine")
    assert state_after(process, api, "killed") == "killed"
    assert printed_end(process.communicate()[1]) == "killed"


def test_job_killed_after_its_own_handler_is_killed(start: StartScript, root: Path) -> None:
    """A job that takes note of SIGTERM and is then shot, as clusters do, reads killed."""
    process = start(HANDLER.format(action="pass") + BEGIN + READY + "while True: sys.stdin.readline()\n")
    api = running(process, root)
    process.terminate()
    wait_line(process, "mine")
    process.kill()
    assert state_after(process, api, "killed") == "killed"


def test_job_that_survives_its_own_handler_finishes(start: StartScript, root: Path) -> None:
    """A job whose handler lets it go on logs more rows and finishes."""
    process = start(HANDLER.format(action="pass") + BEGIN + WAIT + "run.log({'loss': 0.5})\n")
    api = running(process, root)
    process.terminate()
    wait_line(process, "mine")
    tell(process)
    assert state_after(process, api, "finished") == "finished"


def test_own_handler_is_back_after_the_run(tmp_path: Path) -> None:
    """After `finish` the handler that was set before the run is in place again."""
    source = (
        HANDLER.format(action="pass") + BEGIN + "run.finish()\nassert signal.getsignal(signal.SIGTERM) is handler\n"
    )
    assert run_script(tmp_path, source).returncode == 0


def test_default_action_is_back_after_the_run(tmp_path: Path) -> None:
    """After `finish` a signal without a handler does what it does in any process, and leaves nothing."""
    source = BEGIN + "run.finish()\nos.kill(os.getpid(), signal.SIGTERM)\n"
    done = run_script(tmp_path, source)
    assert done.returncode == -signal.SIGTERM
    assert len(list((tmp_path / "runs" / "p").iterdir())) == 1


def test_handler_that_comes_and_goes_hinders_no_next_run(start: StartScript, root: Path) -> None:
    """A handler set during one run and taken back before the next leaves the next one to be told from its death."""
    source = (
        BEGIN
        + "signal.signal(signal.SIGTERM, lambda *_: None)\nrun.finish()\n"
        + "signal.signal(signal.SIGTERM, signal.SIG_DFL)\ntracker.init(project='q', name='second')\n"
        + WAIT
    )
    process = start(source)
    wait_line(process, "ready")
    process.terminate()
    assert process.wait(PROMPT) == -signal.SIGTERM
    assert tracker.Api(root).runs("q")[0].state == "killed"


# ---- deaths that nobody can tell ----


def test_kill_crashes(start: StartScript, root: Path) -> None:
    """A job that SIGKILL ended reads crashed."""
    process = start(BEGIN + WAIT)
    api = running(process, root)
    process.kill()
    assert state_after(process, api, "crashed") == "crashed"
    assert state_of(root) == "crashed"


def test_zombie_crashes(start: StartScript, root: Path) -> None:
    """A job that SIGKILL ended reads crashed also while its parent has not asked for its exit code."""
    process = start(BEGIN + WAIT)
    api = running(process, root)
    process.kill()
    assert process.stdout is not None
    assert process.stdout.read() == ""  # the end of its output is its death, and leaves the zombie alone
    assert wait_for(lambda: api.runs()[0].state == "crashed", PROMPT)
    assert state_of(root) == "crashed"
    assert process.returncode is None


def test_crash_in_native_code_crashes(tmp_path: Path, root: Path) -> None:
    """A job that ends by a fault in native code reads crashed."""
    run_script(tmp_path, BEGIN + "ctypes.string_at(0)\n")
    assert settled_state(root, "crashed") == "crashed"


@pytest.mark.parametrize("lines", [1, 40, 400])
def test_kill_loses_no_row(lines: int, start: StartScript, root: Path) -> None:
    """Every row whose `log` had returned before SIGKILL is read back."""
    process = start(BEGIN + "for step in range(1, 10**9):\n    run.log({'loss': float(step)})\n    print(step)\n")
    for _ in range(lines):
        wait_line(process)
    process.kill()
    assert process.stdout is not None
    told = [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    kept = [row["_step"] for row in tracker.Api(root).runs()[0].history(samples=10**9, pandas=False)]
    assert kept == list(range(len(kept)))
    assert len(kept) > max(told, default=lines)


# ---- forks ----

FORK = """
if os.fork() == 0:
    {child}
    print("child done")
    os._exit(0)
"""


@pytest.mark.parametrize(
    ("ending", "state"),
    [("", "finished"), ("run.finish()", "finished"), ("sys.exit(3)", "failed"), ("os._exit(0)", "crashed")],
)
def test_fork_that_outlives_the_job_changes_nothing(ending: str, state: str, start: StartScript, root: Path) -> None:
    """The state is the job's own while a process that it has forked lives on, holding all its files."""
    process = start(BEGIN + FORK.format(child="sys.stdin.readline()") + READY + ending + "\n")
    wait_line(process, "ready")
    process.wait(PATIENCE)
    assert settled_state(root, state) == state
    tell(process)
    wait_line(process, "child done")


def test_killed_job_with_a_fork_crashes(start: StartScript, root: Path) -> None:
    """A job that SIGKILL ended reads crashed while a process that it has forked lives on."""
    process = start(BEGIN + FORK.format(child="sys.stdin.readline()") + WAIT)
    api = running(process, root)
    process.kill()
    assert state_after(process, api, "crashed") == "crashed"
    tell(process)
    wait_line(process, "child done")


def test_fork_logs_nothing(start: StartScript, root: Path) -> None:
    """`log` and `finish` in a forked child do nothing, and say so once."""
    child = "run.log({'loss': 7.0}); run.log({'loss': 8.0}); run.finish(); tracker.finish()"
    process = start(BEGIN + FORK.format(child=child) + "os.wait()\nrun.log({'loss': 0.5})\n")
    wait_line(process, "child done")
    _, errors = process.communicate(timeout=PATIENCE)
    assert [row["loss"] for row in rows_of(journal(root))] == [1.0, 0.5]
    assert len([line for line in errors.splitlines() if "WARNING" in line]) == 1
    assert printed_end(errors) == "finished"


@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise ValueError", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_end_of_a_fork_is_its_own(ending: str, start: StartScript, root: Path) -> None:
    """However a forked child ends, the job goes on and finishes."""
    process = start(BEGIN + FORK.format(child=ending) + "os.wait()\n" + WAIT)
    api = running(process, root)
    tell(process)
    assert state_after(process, api, "finished") == "finished"
    assert [line.get("_type") for line in lines_of(journal(root))].count("end") == 1


def test_fork_may_have_a_run_of_its_own(start: StartScript, root: Path) -> None:
    """A forked child that calls `init` writes a run of its own beside the job's."""
    child = "own = tracker.init(project='p', name='own'); own.log({'loss': 7.0}); own.finish()"
    process = start(BEGIN + FORK.format(child=child) + "os.wait()\nrun.log({'loss': 0.5})\n")
    process.communicate(timeout=PATIENCE)
    found = {run.name: (run.state, run.summary["loss"]) for run in tracker.Api(root).runs("p")}
    assert found == {"job": ("finished", 0.5), "own": ("finished", 7.0)}


MULTIPROCESSING = """
def work(ready):
    ready.set()
    signal.pause()
fork = multiprocessing.get_context("fork")
ready = fork.Event()
child = fork.Process(target=work, args=(ready,))
child.start()
ready.wait()
child.terminate()
child.join()
assert child.exitcode == -signal.SIGTERM
"""


def test_terminated_worker_kills_no_run(start: StartScript, root: Path) -> None:
    """Terminating a forked worker leaves the job's run running."""
    running(start(BEGIN + MULTIPROCESSING + WAIT), root)


def test_terminated_worker_is_no_mark_on_the_run(start: StartScript, root: Path) -> None:
    """A job that SIGKILL ended after it had terminated a worker reads crashed, not killed."""
    process = start(BEGIN + MULTIPROCESSING + WAIT)
    api = running(process, root)
    process.kill()
    assert state_after(process, api, "crashed") == "crashed"


def test_program_started_by_the_job_is_left_alone(start: StartScript, root: Path) -> None:
    """Terminating a program that the job has started neither kills nor ends its run."""
    source = (
        BEGIN
        + "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        + "child.terminate()\nassert child.wait() == -signal.SIGTERM\n"
        + WAIT
    )
    process = start(source)
    api = running(process, root)
    tell(process)
    assert state_after(process, api, "finished") == "finished"


# ---- what cannot be told from here ----


def test_process_with_the_same_number_is_another(start: StartScript, root: Path) -> None:
    """A process that has got the number of a dead job does not keep its run alive."""
    process = start(BEGIN + WAIT)
    running(process, root)
    process.kill()
    process.wait()
    path = journal(root)
    # Nobody can wait until the system gives a number again; so the dead job is given the number of a living process.
    path.write_text(path.read_text().replace(f'"pid":{process.pid}', f'"pid":{os.getpid()}'))
    assert state_of(root) == "crashed"


@pytest.mark.parametrize("field", ["boot_id", "pid_namespace"])
def test_run_of_another_machine_is_judged_by_its_growth(field: str, start: StartScript, root: Path) -> None:
    """A run whose process cannot be seen from here is running while its file is fresh, and crashed when it is old."""
    process = start(BEGIN + WAIT)
    running(process, root)
    process.kill()
    process.wait()
    path = journal(root)
    record = lines_of(path)[0]
    path.write_text(path.read_text().replace(f'"{field}":"{record[field]}"', f'"{field}":"another"'))
    assert state_of(root) == "running"
    os.utime(path, (0, 0))
    assert state_of(root) == "crashed"


def test_many_jobs_at_once_have_a_run_each(start: StartScript, root: Path) -> None:
    """Jobs that begin at the same moment in one project each get a file, a name and a state of their own."""
    processes = [start(BEGIN + "sys.exit(0)\n") for _ in range(8)]
    for process in processes:
        process.communicate(timeout=PATIENCE)
    assert len(journals(root)) == 8
    assert [run.state for run in tracker.Api(root).runs("p")] == ["finished"] * 8


def test_job_without_a_main_file(root: Path, tmp_path: Path) -> None:
    """A run of `python -c` finishes as any other."""
    script = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]], check=True)\n"
    run_script(tmp_path, script, BEGIN)
    assert state_of(root) == "finished"
    assert Path(sys.executable).name in lines_of(journal(root))[0]["command"]
