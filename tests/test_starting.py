"""Where a run begins: arguments and what they default to, several runs, resuming, forking, pending runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import lines_of, run_script, script_environment


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings file of the tester's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def write_settings(config_home: Path, text: str) -> None:
    (config_home / "tracker").mkdir(parents=True)
    (config_home / "tracker" / "settings.toml").write_text(text, encoding="utf-8")


# ---- where arguments come from ----


def test_what_is_said_nearer_wins(root: Path, config_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """defaults < settings file < environment < settings= < arguments."""
    write_settings(
        config_home, 'project = "file"\nentity = "file"\ngroup = "file"\njob_type = "file"\nnotes = "file"\n'
    )
    for variable in ("PROJECT", "ENTITY", "RUN_GROUP", "JOB_TYPE"):
        monkeypatch.setenv(f"WANDB_{variable}", "wandb-environment")
    for variable in ("PROJECT", "ENTITY", "RUN_GROUP"):
        monkeypatch.setenv(f"TRACKER_{variable}", "environment")
    bundle = tracker.Settings(project="settings", run_group=None, entity="settings", unused=5)
    run = tracker.init(dir=root, project="argument", settings=bundle)
    assert (run.project, run.entity, run.group, run.job_type, run.notes) == (
        "argument", "settings", "environment", "wandb-environment", "file",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value", "attribute", "expected"),
    [
        ("PROJECT", "p", "project", "p"),
        ("ENTITY", "e", "entity", "e"),
        ("NAME", "n", "name", "n"),
        ("NOTES", "some notes", "notes", "some notes"),
        ("TAGS", "a, b,,c", "tags", ("a", "b", "c")),
        ("RUN_ID", "abc123", "id", "abc123"),
        ("RUN_GROUP", "g", "group", "g"),
        ("JOB_TYPE", "j", "job_type", "j"),
        ("MODE", "disabled", "disabled", True),
        ("DISABLED", "true", "disabled", True),
    ],
)
@pytest.mark.parametrize("prefix", ["TRACKER_", "WANDB_"])
def test_every_variable_is_heard(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    variable: str,
    value: str,
    attribute: str,
    expected: object,
) -> None:
    """Under our name and under W&B's."""
    monkeypatch.setenv(prefix + variable, value)
    assert getattr(tracker.init(dir=root), attribute) == expected


def test_a_bad_variable_is_an_error_that_names_the_argument(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had been given in the call."""
    monkeypatch.setenv("TRACKER_PROJECT", "a/b")
    with pytest.raises(ValueError, match="project"):
        tracker.init(dir=root)


def test_a_broken_settings_file_is_passed_over(
    root: Path, config_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one warning that says which file."""
    write_settings(config_home, "project = [")
    tracker.init(dir=root).finish()
    assert capsys.readouterr().err.count("settings.toml is not TOML") == 1


def test_arguments_about_wandbs_server_are_taken_silently(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts pass them; they change nothing here."""
    tracker.init(dir=root, anonymous="allow", force=True, monitor_gym=True, save_code=False, sync_tensorboard=False)
    assert "WARNING" not in capsys.readouterr().err


def test_quiet_says_only_where_the_run_is(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`TRACKER_QUIET` leaves one line at the end."""
    monkeypatch.setenv("TRACKER_QUIET", "1")
    run = tracker.init(dir=root)
    run.log({"loss": 1})
    run.finish()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_git_can_be_left_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`TRACKER_DISABLE_GIT` keeps the commit out of the record."""
    monkeypatch.setenv("TRACKER_DISABLE_GIT", "true")
    run = tracker.init(dir=root)
    assert "git" not in json.loads(Path(run.file).read_text(encoding="utf-8").splitlines()[0])


@dataclass
class Hyper:
    lr: float = 0.1
    depth: int = 3


class Flags:
    """Stands in for absl's FLAGS, which hold their values behind a method."""

    def flag_values_dict(self) -> dict[str, Any]:
        return {"lr": 0.1, "depth": 3}


@pytest.mark.parametrize("kind", ["dict", "namespace", "dataclass", "json", "flags"])
def test_config_comes_as_people_have_it(root: Path, tmp_path: Path, kind: str) -> None:
    """Mapping, Namespace, dataclass, file and absl flags give the same config."""
    values = {"lr": 0.1, "depth": 3}
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    config = {
        "dict": values,
        "namespace": argparse.Namespace(**values),
        "dataclass": Hyper(),
        "json": str(tmp_path / "config.json"),
        "flags": Flags(),
    }[kind]
    run = tracker.init(dir=root, config=config)
    assert run.config.as_dict() == values


def test_a_config_file_that_is_missing_is_an_error(root: Path) -> None:
    """It names the argument and the file."""
    with pytest.raises(ValueError, match=r"config.*nowhere\.json"):
        tracker.init(dir=root, config="nowhere.json")


def test_config_keys_can_be_chosen(root: Path) -> None:
    """By leaving out or by taking only some, not both."""
    values = {"a": 1, "b": 2, "c": 3}
    assert tracker.init(dir=root, config=values, config_exclude_keys=["a"]).config.as_dict() == {"b": 2, "c": 3}
    assert tracker.init(dir=root, config=values, config_include_keys=["a"], reinit=True).config.as_dict() == {"a": 1}
    with pytest.raises(ValueError, match="config_exclude_keys"):
        tracker.init(dir=root, config=values, config_exclude_keys=["a"], config_include_keys=["b"], reinit=True)


# ---- several runs ----


@pytest.mark.parametrize("reinit", [None, False, "default", "return_previous"])
def test_an_active_run_is_given_back(root: Path, reinit: bool | str | None) -> None:
    """By default, as W&B does outside of notebooks."""
    run = tracker.init(dir=root)
    assert tracker.init(dir=root, reinit=reinit) is run


@pytest.mark.parametrize("reinit", [True, "finish_previous"])
def test_an_active_run_is_finished_first(root: Path, reinit: bool | str) -> None:
    """And the new one becomes the current one."""
    first = tracker.init(dir=root)
    second = tracker.init(dir=root, reinit=reinit)
    assert first.is_over
    assert tracker.run is second


def test_runs_side_by_side(root: Path) -> None:
    """`create_new` leaves the current run alone; each keeps its own rows and end."""
    first = tracker.init(dir=root, name="first")
    second = tracker.init(dir=root, name="second", reinit="create_new")
    assert tracker.run is first
    tracker.log({"loss": 1})
    second.log({"loss": 2})
    second.finish(exit_code=1)
    tracker.finish()
    found = {run.name: (run.summary["loss"], run.state) for run in tracker.Api(root).runs()}
    assert found == {"first": (1, "finished"), "second": (2, "failed")}


def test_two_runs_of_a_killed_process_are_both_killed(root: Path) -> None:
    """They share the stack that the signal leaves."""
    source = (
        "import os, signal, tracker\n"
        "for name in 'ab':\n"
        "    tracker.init(name=name, reinit='create_new').log({'x': 1})\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    run_script(root.parent, source, env={"TRACKER_DIR": str(root)})
    assert {run.name: run.state for run in tracker.Api(root).runs()} == {"a": "killed", "b": "killed"}


def test_a_wrong_reinit_is_named(root: Path) -> None:
    """With the values there are."""
    with pytest.raises(ValueError, match=r"reinit.*create_new"):
        tracker.init(dir=root, reinit="sometimes")


# ---- resuming ----


def interrupted(root: Path, **arguments: Any) -> str:
    """A run of five rows that failed; its id."""
    run = tracker.init(dir=root, config={"lr": 0.1}, name="long-run", tags=["t"], **arguments)
    run.define_metric("loss", summary="min,last")
    for step in range(5):
        run.log({"loss": 5.0 - step, "acc": step})
    run.summary["by hand"] = 7
    run.finish(exit_code=1)
    return run.id


@pytest.mark.parametrize("resume", ["allow", "must"])
def test_a_resumed_run_goes_on_where_it_stopped(root: Path, resume: str) -> None:
    """Step, summary, config, name and history continue, in a file of its own."""
    run_id = interrupted(root)
    run = tracker.init(dir=root, id=run_id, resume=resume, config={"more": 1})
    assert run.resumed
    assert (run.name, run.tags, run.step) == ("long-run", ("t",), 5)
    assert run.config.as_dict() == {"lr": 0.1, "more": 1}
    assert run.summary["by hand"] == 7
    run.log({"loss": 3.0})
    assert run.summary["loss"] == {"min": 1.0, "last": 3.0}
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert (read.state, read.step, read.config) == ("finished", 5, {"lr": 0.1, "more": 1})
    assert read.summary == {"loss": {"min": 1.0, "last": 3.0}, "acc": 4, "by hand": 7}
    assert [row["loss"] for row in read.history(keys=["loss"], pandas=False)] == [5.0, 4.0, 3.0, 2.0, 1.0, 3.0]
    assert len(list(root.glob("*/run-*.jsonl"))) == 2


def test_a_run_resumes_twice_and_from_an_earlier_step(root: Path) -> None:
    """Rows after the step are left behind; nothing on disk is lost."""
    run_id = interrupted(root)
    tracker.init(dir=root, id=run_id, resume="must").finish(exit_code=1)
    run = tracker.init(dir=root, resume_from=f"{run_id}?_step=2")
    assert (run.id, run.step, run.summary["acc"]) == (run_id, 3, 2)
    run.log({"loss": 0.5, "acc": 9})
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert [row["acc"] for row in read.history(keys=["acc"], pandas=False)] == [0, 1, 2, 9]
    assert read.summary["loss"] == {"min": 0.5, "last": 0.5}


def test_late_rows_after_a_resume_overwrite(root: Path) -> None:
    """A job that goes on from an older checkpoint of its model logs those steps again; its rows win."""
    run_id = interrupted(root)
    run = tracker.init(dir=root, id=run_id, resume="must")
    for step in (3, 4, 5):
        run.log({"acc": step * 10}, step=step)
    run.finish()
    assert [row["acc"] for row in tracker.Api(root).runs()[0].history(keys=["acc"], pandas=False)] == [
        0,
        1,
        2,
        30,
        40,
        50,
    ]


def test_a_fork_begins_with_anothers_history(root: Path) -> None:
    """Up to the step; the original is untouched."""
    run_id = interrupted(root)
    fork = tracker.init(dir=root, fork_from=f"{run_id}?_step=1")
    assert fork.id != run_id
    assert (fork.step, fork.config["lr"], fork.summary["acc"]) == (2, 0.1, 1)
    fork.log({"acc": 100})
    fork.finish()
    api = tracker.Api(root)
    assert [row["acc"] for row in api.run(f"Uncategorized/{fork.id}").history(keys=["acc"], pandas=False)] == [
        0,
        1,
        100,
    ]
    assert [row["acc"] for row in api.run(f"Uncategorized/{run_id}").history(keys=["acc"], pandas=False)] == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_after_a_crash_no_row_is_missing(root: Path) -> None:
    """SIGKILL, then resume: the step goes on after the last row that `log` returned for."""
    source = (
        "import os, signal, tracker\n"
        "run = tracker.init(id='phoenix')\n"
        "for step in range(2000): run.log({'x': step})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run_script(root.parent, source, env={"TRACKER_DIR": str(root)})
    run = tracker.init(dir=root, id="phoenix", resume="allow")
    assert (run.step, run.summary["x"]) == (2000, 1999)
    run.finish()
    assert len(tracker.Api(root).runs()[0].history(samples=10**9, pandas=False)) == 2000


def test_auto_takes_the_last_unfinished_run_of_the_program(root: Path, tmp_path: Path) -> None:
    """The same script, started again, goes on; once it has finished, a new run begins."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, tracker\n"
        f"run = tracker.init(dir={str(root)!r}, resume='auto')\n"
        "run.log({'x': 1})\n"
        "print(run.id, run.step)\n"
        "sys.exit(int(sys.argv[1]))\n",
        encoding="utf-8",
    )
    outputs = [
        subprocess.run(
            [sys.executable, script, str(code)], env=script_environment(), capture_output=True, text=True, timeout=30
        ).stdout.split()
        for code in (1, 1, 0, 0)
    ]
    ids, steps = [out[0] for out in outputs], [out[1] for out in outputs]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert steps == ["1", "2", "3", "1"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"resume": "must", "id": "nobody00"}, tracker.UsageError, "nobody00"),
        ({"resume": "must"}, ValueError, "needs an id"),
        ({"resume": "maybe"}, ValueError, "resume"),
        ({"resume_from": "abc"}, ValueError, "_step=N"),
        ({"fork_from": "nobody00?_step=1"}, tracker.UsageError, "nobody00"),
        ({"resume": "allow", "fork_from": "a?_step=1"}, ValueError, "exclude each other"),
    ],
)
def test_what_cannot_be_resumed_is_said(root: Path, arguments: dict[str, Any], error: type, says: str) -> None:
    """At once, and clearly."""
    with pytest.raises(error, match=says):
        tracker.init(dir=root, **arguments)


def test_never_refuses_an_id_in_use(root: Path) -> None:
    """And takes a new one."""
    run_id = interrupted(root)
    with pytest.raises(tracker.UsageError, match=run_id):
        tracker.init(dir=root, id=run_id, resume="never")
    tracker.init(dir=root, id="brandnew", resume="never")


def test_an_id_used_again_starts_anew(root: Path) -> None:
    """Without resume readers show the newest start; the old file stays."""
    run_id = interrupted(root)
    run = tracker.init(dir=root, id=run_id)
    run.log({"acc": 50})
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert read.summary == {"acc": 50}
    assert len(read.history(samples=10**9, pandas=False)) == 1
    assert len(list(root.glob("*/run-*.jsonl"))) == 2


def test_a_rename_from_outside_survives_a_resume(root: Path) -> None:
    """And a name given at the resume wins over it."""
    run_id = interrupted(root)
    read = tracker.Api(root).runs()[0]
    read.name = "renamed"
    read.update()
    run = tracker.init(dir=root, id=run_id, resume="must")
    assert run.name == "renamed"
    run.finish()
    tracker.init(dir=root, id=run_id, resume="must", name="third").finish()
    assert tracker.Api(root).runs()[0].name == "third"


# ---- pending runs ----


def test_a_pending_run_is_started_by_its_id(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler puts it down, the job finds the id in its environment and becomes it."""
    run_id = tracker.create_run("queue", dir=root, name="planned", config={"lr": 0.5}, tags=["night"], group="g")
    (read,) = tracker.Api(root).runs("queue")
    assert (read.id, read.state, read.name, read.config) == (run_id, "pending", "planned", {"lr": 0.5})
    monkeypatch.setenv("TRACKER_RUN_ID", run_id)
    run = tracker.init(project="queue", dir=root, config={"more": True})
    assert (run.id, run.name, run.group, run.tags, run.step) == (run_id, "planned", "g", ("night",), 0)
    assert tracker.Api(root).runs("queue")[0].state == "running"
    run.log({"loss": 1})
    run.finish()
    (read,) = tracker.Api(root).runs("queue")
    assert (read.state, read.config, len(read.history(samples=10**9, pandas=False))) == (
        "finished",
        {"lr": 0.5, "more": True},
        1,
    )


# ---- ends that are easily missed ----


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("def main():\n    tracker.init().log({'x': 1})\n    return 3\nsys.exit(main())", "failed"),
        ("def main():\n    tracker.init().log({'x': 1})\nsys.exit(main())", "finished"),
        ("run = tracker.init()\ntry:\n    sys.exit(3)\nexcept SystemExit:\n    run.log({'x': 1})", "finished"),
        ("tracker.init()\nsys.excepthook = lambda *_: None\nraise ValueError('no')", "failed"),
        ("tracker.init()\nsys.exit('no GPU')", "failed"),
    ],
)
def test_the_end_is_heard(root: Path, source: str, state: str) -> None:
    """Whatever way a script ends, and whoever replaced a hook."""
    run_script(root.parent, "import sys, tracker\n" + source, env={"TRACKER_DIR": str(root)})
    assert tracker.Api(root).runs()[0].state == state


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_run_of_a_child_process_ends_with_it(root: Path, tmp_path: Path, method: str) -> None:
    """Children of multiprocessing leave without exit hooks; their runs end all the same."""
    script = tmp_path / "parallel.py"
    script.write_text(
        "import multiprocessing, tracker\n"
        "def train(number):\n"
        "    tracker.init(name=str(number)).log({'x': number})\n"
        "    if number: raise ValueError('odd one out')\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    children = [context.Process(target=train, args=(number,)) for number in range(2)]\n"
        "    for child in children: child.start()\n"
        "    for child in children: child.join()\n",
        encoding="utf-8",
    )
    environment = script_environment({"TRACKER_DIR": str(root)})
    subprocess.run([sys.executable, script], env=environment, capture_output=True, timeout=30, check=True)
    assert {run.name: run.state for run in tracker.Api(root).runs()} == {"0": "finished", "1": "failed"}


def test_a_removed_folder_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Training goes on; one warning; the last of it, with the summary, is in a file made anew."""
    run = tracker.init(dir=root)
    run.log({"x": 1})
    shutil.rmtree(root)
    run.log({"x": 2})
    run.finish()
    assert capsys.readouterr().err.count("was removed: its rows are lost") == 1
    (read,) = tracker.Api(root).runs()
    assert (read.state, read.summary["x"], read.name) == ("finished", 2, run.name)


def test_rows_that_wait_outlive_the_file(root: Path) -> None:
    """A folder that is removed while the disk is full: what waited is in the file made anew, and counts once."""
    run = tracker.init(dir=root)
    with limited(resource.RLIMIT_FSIZE, os.path.getsize(run.file)):
        for x in range(3):
            run.log({"x": x})
        shutil.rmtree(root)
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert [row["x"] for row in read.scan_history()] == [0, 1, 2]
    assert read._stored.sketches["x"].count == 3


def test_a_first_line_cut_short_is_written_anew(root: Path) -> None:
    """Readers look for the start there, and for nothing else."""
    with limited(resource.RLIMIT_FSIZE, 100):
        run = tracker.init(dir=root)
    run.log({"x": 1})
    run.finish()
    assert lines_of(run.file)[0]["_type"] == "start"


def test_a_run_that_cannot_be_read_is_not_gone_on_with(root: Path) -> None:
    """A new one of the same id would hide it."""
    begin(root, id="A").finish()
    with limited(resource.RLIMIT_NOFILE, 3), pytest.raises(tracker.Error, match="cannot read"):
        begin(root, id="A", resume="allow")


def test_logging_threads_never_write_into_foreign_files(root: Path, tmp_path: Path) -> None:
    """A thread that logs while another finishes the run gets an error or is recorded, and touches no other file."""
    for number in range(20):
        run = tracker.init(dir=root, reinit="create_new")
        begun = threading.Event()

        def log(run: tracker.Run = run, begun: threading.Event = begun) -> None:
            with contextlib.suppress(tracker.UsageError):
                while True:
                    run.log({"x": 1.0})
                    begun.set()

        threads = [threading.Thread(target=log) for _ in range(3)]
        for thread in threads:
            thread.start()
        begun.wait(5)
        run.finish()
        files = [open(tmp_path / f"foreign-{number}-{place}", "wb") for place in range(5)]  # noqa: SIM115
        for thread in threads:
            thread.join(5)
        for file in files:
            file.close()
    assert all(path.stat().st_size == 0 for path in tmp_path.glob("foreign-*"))


# ---- besides numbers ----


def test_alerts_are_kept_and_not_repeated(root: Path) -> None:
    """One a title and minute; wrong arguments are named."""
    run = tracker.init(dir=root)
    for _ in range(3):
        run.alert("loss is high", "9.5", level="WARN")
    run.alert("loss is high", wait_duration=0)
    run.mark_preempting()
    with pytest.raises(ValueError, match="level"):
        run.alert("x", level="LOUD")
    with pytest.raises(TypeError, match="title"):
        run.alert(5)  # type: ignore[arg-type]
    kinds = [line.get("_type") for line in lines_of(run.file)]
    assert (kinds.count("alert"), kinds.count("preempting")) == (2, 1)


class Parameter:
    """Stands in for a torch parameter: hooks that are called with a gradient."""

    requires_grad = True

    def __init__(self) -> None:
        self.hooks: list[Any] = []
        self.data = [0.0, 1.0]

    def register_hook(self, hook: Any) -> Parameter:
        self.hooks.append(hook)
        return self

    def remove(self) -> None:
        self.hooks.clear()

    def backward(self) -> None:
        for hook in self.hooks:
            hook([1.0, 2.0, 3.0])


class Model:
    def __init__(self) -> None:
        self.weight = Parameter()

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        return [("weight", self.weight)]


def test_watch_logs_histograms_of_gradients(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every `log_freq` passes, in the row that is open; what offers no parameters is not watched, with a warning."""
    model = Model()
    run = tracker.init(dir=root)
    run.watch(model, log="all", log_freq=2)
    run.watch(object())
    assert "cannot look into a object" in capsys.readouterr().err
    for step in range(4):
        model.weight.backward()
        run.log({"loss": float(step)})
    run.unwatch()
    model.weight.backward()
    run.finish()
    rows = list(tracker.Api(root).runs()[0].scan_history())
    assert [sorted(set(row) - {"_step", "_timestamp", "loss"}) for row in rows] == [
        [], ["gradients/weight", "parameters/weight"], [], ["gradients/weight", "parameters/weight"],
    ]  # fmt: skip


def test_wandbs_other_words_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """`setup`, `login`, `termlog`, `termwarn` and `status` do what little there is to do."""
    tracker.setup()
    assert tracker.login(key="x") is True
    tracker.termlog("hello")
    tracker.termwarn("careful")
    assert capsys.readouterr().err == "tracker: hello\ntracker: WARNING careful\n"
    assert tracker.init(mode="disabled").status().sync_items_pending == 0


def test_a_cell_that_fails_does_not_end_a_notebooks_run(root: Path) -> None:
    """The run goes on with the next cell and ends with the shell, finished."""
    source = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('import tracker; run = tracker.init(); run.log({\"x\": 1})')\n"
        "shell.run_cell('1 / 0')\n"
        "shell.run_cell('run.log({\"x\": 2}); print(tracker.Api().runs()[0].state)')\n"
    )
    environment = {"TRACKER_DIR": str(root), "IPYTHONDIR": str(root.parent / "ipython")}
    done = run_script(root.parent, source, env=environment)
    assert done.stdout.splitlines()[-1] == "running"
    (run,) = tracker.Api(root).runs()
    assert (run.state, run.summary["x"]) == ("finished", 2)


def test_threads_may_log_to_one_run(root: Path) -> None:
    """Every row of every thread is there, each at a step of its own."""
    with tracker.init(dir=root) as run:
        threads = [threading.Thread(target=lambda: [run.log({"x": float(n)}) for n in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = list(tracker.Api(root).runs()[0].scan_history())
    assert [row["_step"] for row in rows] == list(range(2000))
    assert sorted(row["x"] for row in rows) == sorted(float(n) for n in range(500) for _ in range(4))


# ---- what a strict reader found ----


@contextlib.contextmanager
def limited(what: int, limit: int) -> Iterator[None]:
    """A limit of the system for this process: of the size of files, or of how many are open."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def begin(root: Path, **arguments: Any) -> tracker.Run:
    return tracker.init(project="p", dir=root, **arguments)


def test_a_clock_that_goes_back_hides_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run resumed on a machine whose clock is behind is still the newest."""
    with begin(root, id="A") as run:
        run.log({"x": 1})
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 100)
    with begin(root, id="A", resume="must") as run:
        run.log({"x": 99})
    (read,) = tracker.Api(root).runs("p")
    assert [row["x"] for row in read.scan_history(["x"])] == [1, 99]
    assert read.summary["x"] == 99


def test_a_job_killed_in_its_birth_hides_no_earlier_one(root: Path) -> None:
    """A journal without a line is no run: the one before is shown, and resumed."""
    with begin(root, id="A", config={"lr": 1}) as run:
        run.log({"x": 1})
    (root / "p" / "run-20990101_000000-A.jsonl").touch()
    (read,) = tracker.Api(root).runs("p")
    assert (read.name, read.summary, read.config) == (run.name, {"x": 1}, {"lr": 1})
    with begin(root, id="A", resume="must") as again:
        again.log({"x": 2})
    assert (again.name, again.config["lr"]) == (run.name, 1)
    assert [row["x"] for row in tracker.Api(root).run("p/A").scan_history()] == [1, 2]


def test_edits_of_an_earlier_run_do_not_touch_the_next(root: Path) -> None:
    """An id that was deleted can be used again, and is seen."""
    begin(root, id="A").finish()
    old = tracker.Api(root).run("p/A")
    old.notes = "old notes"
    old.update()
    old.delete()
    with begin(root, id="A") as run:
        run.log({"x": 1})
    (read,) = tracker.Api(root).runs("p")
    assert (read.notes, read.summary) == ("", {"x": 1})


def test_a_fork_keeps_its_history_whatever_becomes_of_the_source(root: Path) -> None:
    """The id of the source may be used again."""
    with begin(root, id="A") as run:
        for x in range(5):
            run.log({"x": x})
    with begin(root, id="B", fork_from="A?_step=3") as run:
        run.log({"x": 100})
    with begin(root, id="A") as run:
        run.log({"x": -1})
    assert [row["x"] for row in tracker.Api(root).run("p/B").scan_history(["x"])] == [0, 1, 2, 3, 100]


def test_a_pending_run_is_not_a_resumed_one(root: Path) -> None:
    """Its time begins when the job does; an id that exists cannot be put down again."""
    run_id = tracker.create_run("p", dir=root, id="queued")
    with pytest.raises(tracker.UsageError, match="queued"):
        tracker.create_run("p", dir=root, id=run_id)
    with begin(root, id=run_id, resume="never") as run:
        assert not run.resumed


def test_a_scheduler_that_is_a_job_itself_makes_new_ids(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own id in the environment is not theirs."""
    monkeypatch.setenv("TRACKER_RUN_ID", "myself")
    assert "myself" != tracker.create_run("p", dir=root) != tracker.create_run("p", dir=root)


def test_a_call_wins_over_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`settings=` over WANDB_DISABLED, `fork_from` over WANDB_RESUME."""
    monkeypatch.setenv("WANDB_DISABLED", "true")
    monkeypatch.setenv("WANDB_RESUME", "allow")
    with begin(root, id="A", settings={"mode": "online"}) as run:
        assert not run.disabled
        run.log({"x": 1})
    assert begin(root, fork_from="A?_step=0", mode="online").summary["x"] == 1


def test_create_new_leaves_the_current_run_alone_even_if_there_is_none(root: Path) -> None:
    """W&B's rule."""
    run = begin(root, reinit="create_new")
    assert tracker.run is None
    run.finish()


def test_what_was_set_by_hand_survives_a_rewind(root: Path) -> None:
    """Rows after the step do not."""
    with begin(root, id="A") as run:
        run.log({"x": 1})
        run.log({"x": 2})
        run.summary["best"] = 7
    assert dict(begin(root, resume_from="A?_step=0").summary) == {"x": 1, "best": 7}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"config": {"lr": 1}, "config_exclude_keys": "lr"}, TypeError, "config_exclude_keys"),
        ({"config": {"lr": 1}, "config_include_keys": 5}, TypeError, "config_include_keys"),
        ({"resume_from": "A?_step=0", "id": "Z"}, ValueError, "different runs"),
        ({"id": "A", "resume": "must", "config": {"lr": 2}, "allow_val_change": False}, tracker.ConfigError, "lr"),
    ],
)
def test_contradictions_are_said(root: Path, arguments: dict[str, Any], error: type, says: str) -> None:
    """Rather than guessed at."""
    begin(root, id="A", config={"lr": 1}).finish()
    with pytest.raises(error, match=says):
        begin(root, **arguments)


def test_a_descriptor_closed_by_somebody_costs_no_end(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Daemons close all descriptors; the file is opened again."""
    run = begin(root)
    run.log({"x": 1})
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{descriptor}") == run.file:
                os.close(int(descriptor))
    run.log({"x": 2})
    run.finish()
    assert "WARNING" in capsys.readouterr().err
    (read,) = tracker.Api(root).runs("p")
    assert (read.state, [row["x"] for row in read.scan_history()]) == ("finished", [1, 2])


def test_many_runs_leave_no_thread_and_no_descriptor(root: Path) -> None:
    """One keeper while any run is active, none after."""
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        begin(root, reinit="create_new").finish()
    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
