"""`tracker-tui` for scripts: finding, comparing and changing runs; purging files; stopping jobs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tracker
from support import StartScript, wait_for, wait_line, write_journal
from terminal import environment
from tracker import host
from tracker.catalog import Catalog


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SILENT", "1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two finished runs in one project and a failed one in another."""
    root = tmp_path / "runs"
    for project, name, code in (("moons", "one", 0), ("moons", "two", 0), ("suns", "three", 1)):
        run = tracker.init(project=project, name=name, dir=root)
        run.log({"loss": 0.5})
        run.finish(exit_code=code)
    return root


def command(*words: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `tracker-tui` with its streams in pipes; it must end with this exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "tracker_tui", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        input=stdin,
    )
    assert done.returncode == code, done.stderr
    return done


def listed(root: Path, query: str = "") -> list[str]:
    """The names that `ls` gives."""
    return [run["name"] for run in json.loads(command("ls", str(root), "--query", query, "--json").stdout)]


def path_of(root: Path, name: str) -> Path:
    """A run's journal."""
    catalog = Catalog(root)
    catalog.refresh()
    return Path(next(run.path for run in catalog.runs.values() if run.label == name))


# ---- finding ----


def sweep(root: Path) -> None:
    """Five finished runs in one project, from 0.5 down to 0.1."""
    for number, loss in enumerate((0.5, 0.4, 0.3, 0.2, 0.1)):
        run = tracker.init(
            project="sweep", name=f"run{number}", dir=root, config={"lr": loss / 10}, tags=["even"][number % 2 :]
        )
        run.log({"val/loss": loss, "acc": 1 - loss})
        run.finish()


def test_ls_finds_sorts_and_shows_fields(tmp_path: Path) -> None:
    """The query of the dashboard, the best first, any fields as columns."""
    root = tmp_path / "more"
    sweep(root)
    lines = command(
        "ls", str(root), "-q", "val/loss<0.45 tag:even", "-s", "acc", "-c", "name,acc,config.lr,history.acc"
    ).stdout
    assert [line.split() for line in lines.splitlines()] == [
        ["NAME", "ACC", "CONFIG.LR", "HISTORY.ACC"],
        ["run4", "0.9", "0.01", "▁"],
        ["run2", "0.7", "0.03", "▁"],
    ]
    found = json.loads(
        command("ls", str(root), "--sort", "val/loss", "--reverse", "--columns", "name,tags,val/loss", "--json").stdout
    )
    assert found[0] == {"name": "run0", "tags": ["even"], "val/loss": 0.5}
    assert [run["name"] for run in found] == ["run0", "run1", "run2", "run3", "run4"]
    usual = command("ls", str(root), "--sort", "config.lr").stdout.splitlines()
    assert re.match(r"STATE +NAME +PROJECT/ID +STEP +AGE +TIME +CONFIG.LR +METRIC", usual[0])
    assert "run4" in usual[1]


def test_ls_tells_what_is_wrong_with_a_query(root: Path) -> None:
    """At the bad place, with exit code 2; a query that fits no run is none, and says why."""
    done = command("ls", str(root), "--query", "loss<0.1 AND", code=2)
    assert done.stderr.splitlines() == ["tracker-tui: something is missing here", "  loss<0.1 AND", "              ^"]
    done = command("ls", str(root), "--query", "lss<1", "--json")
    assert json.loads(done.stdout) == []
    assert done.stderr == "tracker-tui: no run has 'lss': is it 'loss'?\n"


def test_compare_shows_what_differs(tmp_path: Path) -> None:
    root = tmp_path / "more"
    sweep(root)
    text = command("compare", "run0", "run1", "run4", "--dir", str(root)).stdout
    assert re.search(r"lr +0\.05 +0\.04 +0\.01", text)
    assert re.search(r"val/loss +0\.5 +0\.4 \(-0\.1\) +0\.1 ★ \(-0\.4\)", text)
    assert re.search(r"\d+ more are the same in all of them", text)
    assert "host" in command("compare", "run0", "run1", "--all", "--dir", str(root)).stdout
    found = json.loads(command("compare", "run0", "run1", "--json", "--dir", str(root)).stdout)
    assert found["different"]["config"] == {"lr": [0.05, 0.04]}
    assert [run["name"] for run in found["runs"]] == ["run0", "run1"]
    assert (
        command("compare", "run0", "--dir", str(root), code=2).stderr == "tracker-tui: compare takes two or more runs\n"
    )


# ---- changing ----


def test_tag_and_note(root: Path) -> None:
    """Several runs at once; without anything to change they are printed."""
    assert command("tag", "one", "two", "--add", "best, paper", "--dir", str(root)).stdout.splitlines() == [
        "one: best, paper",
        "two: best, paper",
    ]
    assert command("tag", "one", "--remove", "paper", "--add", "x", "--dir", str(root)).stdout == "one: best, x\n"
    assert command("tag", "one", "three", "--dir", str(root)).stdout == "one: best, x\nthree: (no tags)\n"
    assert "at most 64 characters" in command("tag", "one", "--add", "x" * 65, "--dir", str(root), code=2).stderr
    assert command("note", "one", "a\nb", "--dir", str(root)).stdout == "noted one\n"
    assert command("note", "one", "--dir", str(root)).stdout == "a\nb\n"
    assert command("note", "two", "-", "--dir", str(root), stdin="from\nstdin\n").stdout == "noted two\n"
    assert {run.name: run.notes for run in tracker.Api(root).runs()} == {
        "one": "a\nb",
        "two": "from\nstdin",
        "three": "",
    }


def test_archive_delete_and_back(root: Path) -> None:
    """Hidden unless a query names it; files stay."""
    files = sorted(root.glob("*/run-*"))
    assert command("archive", "one", "two", "--dir", str(root)).stdout == "archived 2 runs\n"
    assert command("archive", "one", "--dir", str(root)).stdout == "nothing to change: archived already\n"
    assert command("delete", "three", "--dir", str(root)).stdout == "deleted three\n"
    assert listed(root) == []
    assert listed(root, "archived:yes") == ["two", "one"]
    assert listed(root, "deleted:yes") == ["three"]
    assert listed(root, "archived:yes OR deleted:yes") == ["three", "two", "one"]
    assert command("archive", "one", "--undo", "--dir", str(root)).stdout == "unarchived one\n"
    assert command("undelete", "three", "--dir", str(root)).stdout == "undeleted three\n"
    assert listed(root) == ["three", "one"]
    assert sorted(root.glob("*/run-*")) == files


def test_purge_removes_deleted_runs_after_asking(root: Path) -> None:
    """Only what is deleted, only when it is agreed to, only files of these runs."""
    (root / "moons" / "notes.txt").write_text("mine")
    assert command("purge", "--dir", str(root)).stdout == "no run is deleted\n"
    assert "is not deleted" in command("purge", "one", "--dir", str(root), code=2).stderr
    command("delete", "one", "--dir", str(root))
    path = path_of(root, "one")
    path.with_suffix("").mkdir()
    (path.with_suffix("") / "x.txt").write_text("x")
    others = {file for file in root.rglob("*") if not str(file).startswith(str(path.with_suffix("")))}
    done = command("purge", "--dir", str(root), stdin="y\n", code=1)
    assert done.stdout.splitlines()[-1] == "nothing removed"
    assert "--yes" in done.stderr
    assert path.exists()
    assert command("purge", "--dir", str(root), "--yes").stdout.splitlines()[-1] == "removed 1 of 1 run"
    assert set(root.rglob("*")) == others
    assert listed(root, "deleted:yes") == []


def test_purge_follows_no_link(root: Path, tmp_path: Path) -> None:
    """A run's folder that is a link to somewhere else: the link goes, what it points to stays."""
    command("delete", "one", "--dir", str(root))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    path = path_of(root, "one")
    path.with_suffix("").symlink_to(outside)
    command("purge", "--dir", str(root), "--yes")
    assert (outside / "precious").exists()
    assert not os.path.lexists(path.with_suffix(""))


def test_purge_by_file_takes_every_segment(root: Path) -> None:
    """A resumed run has several journals, of which any names it."""
    for resume in (None, "must"):
        run = tracker.init(project="moons", id="abcd1234", resume=resume, dir=root)
        run.log({"loss": 1})
        run.finish()
    command("delete", "abcd1234", "--dir", str(root))
    segments = sorted(root.glob("moons/run-*-abcd1234*.jsonl"))
    assert len(segments) == 2
    assert command("purge", str(segments[0]), "--yes").stdout.splitlines()[-1] == "removed 1 of 1 run"
    assert not list(root.glob("moons/*abcd1234*"))


def test_a_deleted_run_is_named_as_such(root: Path) -> None:
    command("delete", "one", "--dir", str(root))
    assert "undelete" in command("show", "one", "--dir", str(root), code=2).stderr


def test_unknown_fields_are_refused(root: Path) -> None:
    assert (
        command("ls", str(root), "--sort", "lsos", code=2).stderr == "tracker-tui: no run has 'lsos': is it 'loss'?\n"
    )
    assert "no run has 'nope'" in command("ls", str(root), "--columns", "name,nope", "--json", code=2).stderr


def test_foreign_text_commands_no_terminal(root: Path) -> None:
    """Whatever lies in a journal, no command prints control characters."""
    evil = "\x1b]0;PWN\x07\x1b[31m\u202e\x9b5n"
    for number in range(2):
        start = {
            "_type": "start",
            "_timestamp": time.time() - 1,
            "id": f"evil{number}",
            "name": "e",
            "pid": evil,
            "host": evil,
        }
        config = {evil: evil, "list": [evil, str(number)], "n": number}
        record = {
            **start,
            "config": config,
            "tags": [evil],
            "notes": evil,
            "user": evil,
            "command": evil,
            "group": evil,
        }
        alert = {"_type": "alert", "_timestamp": 5, "title": f"{evil}\n", "text": evil, "level": f"x\n{evil}"}
        write_journal(root, [record, {"_step": 0, evil: 1.0, "loss": number}, alert], run_id=f"evil{number}")
    words: list[list[str]]
    words = [
        ["ls", str(root), "-c", "name,tags,notes,list,host,user,command,group"],
        ["ls", str(root), "-q", "list:x", "-s", "list"],
    ]
    words += [[command, "evil0", "--dir", str(root)] for command in ("show", "stop", "tag", "note", "archive")]
    words += [["compare", "evil0", "evil1", "--all", "--dir", str(root)]]
    for each in words:
        done = subprocess.run(
            [sys.executable, "-m", "tracker_tui", *each], env=environment(), capture_output=True, text=True, input=""
        )
        assert all(sign.isprintable() or sign == "\n" for sign in done.stdout + done.stderr), each


def test_stop_ends_a_running_job_only(root: Path, start: StartScript) -> None:
    """After asking; it reads killed, and by whom."""
    job = start(
        'import sys, tracker\ntracker.init(project="moons", name="live")\nprint("ready", flush=True)\nsys.stdin.read()'
    )
    wait_line(job, "ready")
    assert (
        command("stop", "one", "--yes", "--dir", str(root), code=1).stderr
        == "tracker-tui: one is finished, not running\n"
    )
    done = command("stop", "live", "--dir", str(root), code=1)
    assert done.stdout.splitlines()[-1] == "nothing stopped"
    assert job.poll() is None
    assert command("stop", "live", "--yes", "--dir", str(root)).stdout.splitlines()[-1] == "live was sent SIGTERM"
    assert job.wait(10) == -signal.SIGTERM
    assert wait_for(
        lambda: json.loads(command("show", "live", "--json", "--dir", str(root)).stdout)["state"] == "killed"
    )
    assert "stopped by" in command("show", "live", "--dir", str(root)).stdout


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "elsewhere"),
        ("boot_id", "another"),
        ("pid_namespace", "pid:[1]"),
        ("process_start", "1"),
        ("pid", None),
    ],
)
def test_stop_never_signals_another_process(root: Path, field: str, value: object) -> None:
    """A journal whose host, boot, namespace, start time or pid is not exactly that of a living process."""
    victim = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        identity = {**host.identity(), "pid": victim.pid, "process_start": host.process_start(victim.pid)}
        start = {"_type": "start", "_timestamp": time.time(), "id": "abcd1234", "name": "fake", **identity}
        write_journal(root, [{**start, field: value}])
        done = command("stop", "fake", "--yes", "--dir", str(root), code=1)
        assert "fake" in done.stderr
        assert victim.poll() is None
        write_journal(root, [start])
        command("stop", "fake", "--yes", "--dir", str(root))
        assert victim.wait(10) == -signal.SIGTERM
    finally:
        victim.kill()
        victim.communicate()


def test_a_job_that_saves_its_work_when_stopped_reads_killed(root: Path, start: StartScript) -> None:
    """Also if it logs on for a moment and ends by itself with code 0; without a stop that is finished."""
    source = """
import signal, sys, tracker
run = tracker.init(project="moons", name="graceful")
def save(*_):
    run.log({"saved": 1})
    run.finish()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True:
    signal.pause()
"""
    job = start(source)
    wait_line(job, "ready")
    command("stop", "graceful", "--yes", "--dir", str(root))
    assert job.wait(10) == 0
    assert next(run.state for run in tracker.Api(root).runs() if run.name == "graceful") == "killed"
