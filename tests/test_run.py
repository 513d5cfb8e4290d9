"""What a training script does: `init`, `log`, config, summary, `finish`, and the file that comes of it."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import enum
import errno
import json
import math
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracker
from support import StartScript, journal, journals, lines_of, rows_of, run_script, wait_for, wait_line
from tracker.api import ApiRun
from tracker.journal import Tail
from tracker.replay import RunState

# The kinds of typing mistakes these tests make on purpose are for a type checker to find, too.
init: Any = tracker.init


def read_back(run: tracker.Run) -> ApiRun:
    """The run as a reader finds it now."""
    return tracker.Api(Path(run.file).parent.parent).run(f"{run.project}/{run.id}")


def warnings_in(printed: str) -> list[str]:
    """The lines that are warnings."""
    return [line for line in printed.splitlines() if line.startswith("tracker: WARNING")]


# ---- init: where a run is kept and what it is called ----


def test_run_is_kept_below_runs_in_the_working_folder(tmp_path: Path) -> None:
    """Without `dir` and TRACKER_DIR the root is `./runs`."""
    tracker.init(project="p")
    assert journal(tmp_path / "runs").parent == tmp_path / "runs" / "p"


def test_environment_names_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRACKER_DIR is the root."""
    monkeypatch.setenv("TRACKER_DIR", str(tmp_path / "elsewhere"))
    tracker.init(project="p")
    assert journals(tmp_path / "elsewhere")


def test_dir_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dir` is the root even when TRACKER_DIR is set."""
    monkeypatch.setenv("TRACKER_DIR", str(tmp_path / "elsewhere"))
    tracker.init(project="p", dir=tmp_path / "here")
    assert journals(tmp_path / "here")
    assert not (tmp_path / "elsewhere").exists()


def test_reader_uses_the_same_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Api()` looks where `init()` writes."""
    monkeypatch.setenv("TRACKER_DIR", str(tmp_path / "elsewhere"))
    run = tracker.init(project="p")
    assert tracker.Api().run(f"p/{run.id}").name == run.name


def test_project_is_uncategorized_by_default(root: Path) -> None:
    """A run that names no project belongs to `Uncategorized`."""
    run = tracker.init()
    assert run.project == "Uncategorized"
    assert journal(root).parent.name == "Uncategorized"


def test_id_is_eight_lower_case_letters_and_digits() -> None:
    """A run that names no id gets 8 characters of a-z0-9."""
    assert re.fullmatch(r"[a-z0-9]{8}", tracker.init().id)


def test_ids_differ() -> None:
    """No two runs get the same id."""
    ids = set()
    for _ in range(20):
        with tracker.init(mode="disabled") as run:
            ids.add(run.id)
    assert len(ids) == 20


def test_name_is_adjective_noun_number() -> None:
    """A run that names no name is the first of its project: adjective-noun-1."""
    assert re.fullmatch(r"[a-z]+-[a-z]+-1", tracker.init().name)


def test_number_in_the_name_counts_the_runs_of_the_project() -> None:
    """The next run of a project is number 2; another project begins at 1."""
    tracker.init(project="p").finish()
    with tracker.init(project="p") as second:
        assert second.name.endswith("-2")
    assert tracker.init(project="q").name.endswith("-1")


def test_journal_is_flat_and_named_after_time_and_id(root: Path) -> None:
    """A run is one file in its project: run-YYYYmmdd_HHMMSS-id.jsonl, the time that of the start in UTC."""
    run = tracker.init(project="p", id="abcd1234")
    started = datetime.datetime.fromtimestamp(run.start_time, datetime.UTC)
    assert journal(root) == root / "p" / f"run-{started:%Y%m%d_%H%M%S}-abcd1234.jsonl"


def test_finished_run_is_one_file_and_nothing_else(root: Path) -> None:
    """After a run that logged only numbers its project holds one file, no folder."""
    with tracker.init(project="p") as run:
        run.log({"loss": 1.0})
    assert [str(path) for path in (root / "p").iterdir()] == [run.file]


def test_everything_given_is_read_back() -> None:
    """Whatever `init` is told about the run, readers are told too."""
    given = {"entity": "team", "project": "p", "id": "abcd1234", "name": "first", "notes": "why\nnot", "group": "fold"}
    run = init(**given, tags=["a", "b"], job_type="train", config={"lr": 0.1})
    found = read_back(run)
    assert {key: getattr(found, key) for key in given} == given
    assert (found.tags, found.config) == (["a", "b"], {"lr": 0.1})


def test_everything_given_is_on_the_run() -> None:
    """Whatever `init` is told about the run, the run tells."""
    given = {"entity": "team", "project": "p", "id": "abcd1234", "name": "first", "notes": "why\nnot", "group": "fold"}
    run = init(**given, tags=["a", "b"], job_type="train")
    assert {key: getattr(run, key) for key in given} == given
    assert (run.tags, run.job_type, run.path) == (("a", "b"), "train", "team/p/abcd1234")


def test_start_tells_the_process(root: Path) -> None:
    """The first line says which process of which host writes the journal, by what command and Python."""
    tracker.init(project="p")
    first = lines_of(journal(root))[0]
    assert first["_type"] == "start"
    assert first.keys() >= {"format", "host", "pid", "process_start", "boot_id", "command", "python", "cwd"}


def test_names_of_the_disk_are_harmless(tmp_path: Path) -> None:
    """A project and id of dots, spaces and other scripts stay inside the root and read back as they were."""
    with tracker.init(project="..", id="über %41.2") as run:
        run.log({"loss": 1.0})
    assert Path(run.file).parent.parent == tmp_path / "runs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]
    assert list(tracker.Api().run("../über %41.2").scan_history(["loss"])) == [{"loss": 1.0}]


def test_long_names_fit_any_disk() -> None:
    """Project and id of 128 wide characters make file names that a disk takes, and read back whole."""
    run = tracker.init(project="项" * 128, id="号" * 128)
    assert len(Path(run.file).name.encode()) < 200
    assert (read_back(run).project, read_back(run).id) == ("项" * 128, "号" * 128)


def test_id_used_again_starts_anew(root: Path) -> None:
    """Readers show the newest run of an id; the file of the older one stays as it was."""
    with tracker.init(project="p", id="abcd1234", name="old") as old:
        old.log({"loss": 1.0})
    before = Path(old.file).read_bytes()
    tracker.init(project="p", id="abcd1234", name="new").finish()
    assert [run.name for run in tracker.Api(root).runs("p")] == ["new"]
    assert Path(old.file).read_bytes() == before


def test_init_gives_back_the_active_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A second `init` before `finish` gives the first run, with a warning."""
    first = tracker.init(project="p")
    capsys.readouterr()
    assert tracker.init(project="q") is first
    assert len(warnings_in(capsys.readouterr().err)) == 1


def test_unknown_arguments_warn_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that nobody knows are named in one warning."""
    init(colour="red", monitor_gym=True, speed=3)
    (warning,) = warnings_in(capsys.readouterr().err)
    assert "colour, speed" in warning
    assert "monitor_gym" not in warning


def test_root_that_cannot_be_made_costs_the_record_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no file can be made, one warning says so and the training goes on."""
    (tmp_path / "runs").write_text("a file")
    with tracker.init(project="p") as run:
        run.log({"loss": 1.0})
        run.log({"loss": 0.5})
    assert run.summary["loss"] == 0.5
    assert len(warnings_in(capsys.readouterr().err)) == 1


class WithoutAttributes:
    """Something that no config can be made of."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("project", 5, TypeError),
        ("project", "", ValueError),
        ("project", "a/b", ValueError),
        ("project", "a:b", ValueError),
        ("project", "x" * 129, ValueError),
        ("id", 5, TypeError),
        ("id", "", ValueError),
        ("id", "../x", ValueError),
        ("id", " x", ValueError),
        ("id", "x\n", ValueError),
        ("id", "a\x1b[31mb", ValueError),
        ("id", "x" * 129, ValueError),
        ("name", 5, TypeError),
        ("entity", 5, TypeError),
        ("notes", ["x"], TypeError),
        ("group", 5, TypeError),
        ("job_type", 5, TypeError),
        ("tags", "x", TypeError),
        ("tags", 5, TypeError),
        ("tags", [5], TypeError),
        ("tags", [["x"]], TypeError),
        ("tags", [""], ValueError),
        ("tags", ["x" * 65], ValueError),
        ("config", 5, TypeError),
        ("config", "lr", ValueError),
        ("config", [1, 2], TypeError),
        ("config", WithoutAttributes(), TypeError),
        ("mode", "sideways", ValueError),
        ("mode", 5, ValueError),
        ("dir", 5, TypeError),
        ("dir", b"runs", TypeError),
    ],
)
def test_wrong_argument_is_named(argument: str, value: object, error: type[Exception], tmp_path: Path) -> None:
    """An argument of a wrong type or value raises an error that names it, and nothing is written."""
    with pytest.raises(error, match=rf"\b{argument}\b"):
        init(**{argument: value})
    assert list(tmp_path.iterdir()) == []
    assert tracker.run is None


@pytest.mark.parametrize("mode", ["online", "offline", "dryrun", "shared"])
def test_every_mode_but_disabled_logs_to_the_files(mode: str, root: Path) -> None:
    """The modes of W&B that record a run record it here."""
    with init(project="p", mode=mode) as run:
        run.log({"loss": 1.0})
    assert len(rows_of(journal(root))) == 1


def test_disabled_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """mode="disabled" leaves no file and prints no line."""
    with tracker.init(project="p", mode="disabled") as run:
        run.log({"loss": 1.0})
        run.config.lr = 0.1
        run.name = "other"
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_disabled_run_keeps_its_summary() -> None:
    """mode="disabled" still tells the last values."""
    with tracker.init(mode="disabled") as run:
        run.log({"loss": 1.0})
        run.log({"loss": 0.5})
        assert run.summary["loss"] == 0.5


# ---- the module's own functions ----


def test_no_run_before_init() -> None:
    """`tracker.run` is None when there is no run."""
    assert tracker.run is None


def test_init_makes_the_current_run() -> None:
    """`tracker.run` is what `init` gave."""
    run = tracker.init()
    assert tracker.run is run


def test_no_run_after_module_finish() -> None:
    """`tracker.run` is None after `tracker.finish()`."""
    tracker.init()
    tracker.finish()
    assert tracker.run is None


def test_no_run_after_finish() -> None:
    """`tracker.run` is None after `run.finish()`."""
    tracker.init().finish()
    assert tracker.run is None


def test_no_run_after_with() -> None:
    """`tracker.run` is None after the `with` block of the run."""
    with tracker.init():
        pass
    assert tracker.run is None


def test_module_functions_are_about_the_current_run() -> None:
    """`tracker.log`, `tracker.config` and `tracker.summary` are those of the current run."""
    run = tracker.init(project="p")
    tracker.log({"loss": 1.0}, step=3)
    assert tracker.config is run.config
    assert tracker.summary["loss"] == 1.0
    assert list(read_back(run).scan_history(["_step", "loss"])) == [{"_step": 3, "loss": 1.0}]


def test_module_finish_takes_the_exit_code() -> None:
    """`tracker.finish(1)` fails the current run."""
    run = tracker.init(project="p")
    tracker.finish(1)
    assert read_back(run).state == "failed"


def test_module_finish_without_a_run_does_nothing() -> None:
    """`tracker.finish()` may be called without a run."""
    tracker.finish()
    assert tracker.run is None


@pytest.mark.parametrize("name", ["config", "summary"])
def test_module_attribute_without_a_run_says_what_to_do(name: str) -> None:
    """`tracker.config` and `tracker.summary` before `init` raise an error that names `init`."""
    with pytest.raises(tracker.UsageError, match=r"init\(\)"):
        getattr(tracker, name)


def test_module_log_without_a_run_says_what_to_do() -> None:
    """`tracker.log` before `init` raises an error that names `init`."""
    with pytest.raises(tracker.UsageError, match=r"init\(\)"):
        tracker.log({"loss": 1.0})


def test_unknown_module_attribute_raises() -> None:
    """What tracker does not have is an AttributeError, as everywhere."""
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(tracker, "nonsense")  # noqa: B009 - a type checker would refuse the plain form


# ---- log: rows on disk ----


def test_row_on_disk_is_flat_json() -> None:
    """A row is an object of full keys, with `_step` and `_timestamp` and without `_type`."""
    run = tracker.init(project="p")
    run.log({"loss": 0.25, "train": {"acc": 0.5, "deep": {"er": 1}}, "note": "hi", "none": None, "on": True})
    (row,) = rows_of(run.file)
    assert isinstance(row.pop("_timestamp"), float)
    assert row == {
        "_step": 0,
        "loss": 0.25,
        "train.acc": 0.5,
        "train.deep.er": 1,
        "note": "hi",
        "none": None,
        "on": True,
    }


def test_row_is_in_the_file_when_log_returns() -> None:
    """Another reader finds a row the moment `log` has returned."""
    run = tracker.init(project="p")
    for step in range(3):
        run.log({"loss": 1.0})
        assert [row["_step"] for row in rows_of(run.file)] == list(range(step + 1))


def test_every_kind_of_record_begins_with_its_type() -> None:
    """Lines that are no rows have `_type` as their first key."""
    with tracker.init(project="p", config={"a": 1}) as run:
        run.config.b = 2
        run.name = "other"
        run.summary["best"] = 1
    records = lines_of(run.file)
    assert [next(iter(record)) for record in records] == ["_type"] * len(records)
    kinds = [record["_type"] for record in records if record["_type"] != "environment"]
    assert kinds == ["start", "config", "update", "update", "end"]


def test_hard_to_write_values_leave_standard_json() -> None:
    """Whatever is logged, every line stays one line of standard JSON."""
    hard = {"nan": math.nan, "lines": "a\nb\r\u2028c", "lone": "\ud800", "\ud800": 1, "": 2, "huge": 10**400, "z": 1j}
    with tracker.init(project="p", config=hard, notes="\ud800\n") as run:
        run.log(hard)
        run.summary["hard"] = hard
    assert len([line for line in lines_of(run.file) if line.get("_type") != "environment"]) == 4


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")], ids=str
)
def test_not_finite_numbers_survive(value: float, text: str) -> None:
    """NaN and the infinities are strings on disk and numbers again in history and summary."""
    with tracker.init(project="p") as run:
        run.log({"loss": value})
    (row,) = rows_of(run.file)
    assert row["loss"] == text
    found = read_back(run)
    assert repr(found.summary["loss"]) == repr(value)
    assert repr(found.history(samples=10**9, pandas=False)[0]["loss"]) == repr(value)


class Zero:
    """A number as array libraries hold one: only `.item()` gives it away."""

    def item(self) -> float:
        return 0.5


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Zero(), 0.5),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.float64("nan"), "NaN"),
        (np.float16("-inf"), "-Infinity"),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array(3.5), 3.5),
        (np.array([[2]]), 2),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        (2**60, 2**60),
        (2**80, float(2**80)),
        (Colour.RED, "RED"),
        ({"b"}, ["b"]),
        ((1, [2.5]), [1, [2.5]]),
        (b"raw", "raw"),
        (Path("a/b"), "a/b"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (json.dumps, "json.dumps"),
    ],
    ids=lambda value: re.sub(" at 0x.*", "", repr(value)),  # the same in every process
)
def test_values_of_other_libraries_are_kept(value: object, kept: object, capsys: pytest.CaptureFixture[str]) -> None:
    """What has an obvious place in JSON gets it, without a warning."""
    run = tracker.init(project="p")
    capsys.readouterr()
    run.log({"x": value})
    assert rows_of(run.file)[0]["x"] == kept
    assert capsys.readouterr().err == ""


class Odd:
    """Nothing that JSON knows."""

    def __repr__(self) -> str:
        return "odd" * 100


class Broken:
    """A value that raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")

    def item(self) -> float:
        raise RuntimeError("no")


def test_odd_value_becomes_its_repr() -> None:
    """What JSON cannot hold is kept as its `repr`, at most 200 characters of it."""
    run = tracker.init(project="p")
    run.log({"x": Odd()})
    kept = rows_of(run.file)[0]["x"]
    assert kept.startswith("oddodd")
    assert len(kept) == 200


def test_odd_value_warns_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Odd values of one name cost one warning, which names it."""
    run = tracker.init(project="p")
    capsys.readouterr()
    for _ in range(3):
        run.log({"x": Odd()})
    (warning,) = warnings_in(capsys.readouterr().err)
    assert "x is of type Odd" in warning


def endless_mapping() -> dict[str, Any]:
    mapping: dict[str, Any] = {"loss": 1.0}
    mapping["self"] = mapping
    return mapping


def endless_list() -> list[Any]:
    items: list[Any] = [1.0]
    items.append(items)
    return items


def deep_mapping() -> dict[str, Any]:
    mapping: dict[str, Any] = {"loss": 1.0}
    for _ in range(5000):
        mapping = {"a": mapping}
    return mapping


@pytest.mark.parametrize(
    "value",
    [Broken(), endless_list(), endless_mapping(), deep_mapping()],
    ids=["raises", "endless list", "endless mapping", "deep mapping"],
)
def test_no_value_stops_the_training(value: object) -> None:
    """A value that raises, contains itself or is endlessly deep makes no `log` raise; the rest of its row is kept."""
    run = tracker.init(project="p")
    run.log({"x": value, "loss": 0.5})
    assert list(read_back(run).scan_history(["loss"])) == [{"loss": 0.5}]


@pytest.mark.parametrize(
    "make",
    ["value = []; value += [value, value]", "value = {}; value |= {'a': value, 'b': value}"],
    ids=["list", "dict"],
)
def test_value_that_contains_itself_does_not_stall_the_training(make: str, tmp_path: Path) -> None:
    """A value that contains itself more than once is logged as fast as any other."""
    source = "import signal, tracker\nrun = tracker.init()\nsignal.alarm(2)\n" + make + "\nrun.log({'x': value})\n"
    assert run_script(tmp_path, source).returncode == 0


def test_reserved_names_get_an_underscore(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's own `_type`, `_step` and `_timestamp` are stored with one more underscore."""
    run = tracker.init(project="p")
    run.log({"_type": "mine", "_step": 70, "_timestamp": 7, "loss": 1.0})
    (row,) = rows_of(run.file)
    assert (row["__type"], row["__step"], row["__timestamp"], row["_step"]) == ("mine", 70, 7, 0)
    assert len(warnings_in(capsys.readouterr().err)) == 3


def test_reserved_name_warns_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A reserved name costs one warning however often it is logged."""
    run = tracker.init(project="p")
    for _ in range(3):
        run.log({"_step": 70})
    assert len(warnings_in(capsys.readouterr().err)) == 1


class Metrics(Mapping[str, float]):
    """A mapping that is no dict."""

    def __getitem__(self, key: str) -> float:
        return 0.5

    def __iter__(self) -> Iterator[str]:
        return iter(["loss"])

    def __len__(self) -> int:
        return 1


def test_any_mapping_can_be_logged() -> None:
    """`log` takes mappings that are no dict."""
    run = tracker.init(project="p")
    run.log(Metrics())
    assert rows_of(run.file)[0]["loss"] == 0.5


@pytest.mark.parametrize("data", [5, None, "loss", [("loss", 1.0)], {5: 1.0}, {None: 1.0}, {"a": {5: 1.0}}], ids=repr)
def test_what_is_no_row_raises(data: Any) -> None:
    """`log` of no mapping, or with a name that is no string, is a TypeError and writes nothing."""
    run = tracker.init(project="p")
    with pytest.raises(TypeError):
        run.log(data)
    assert rows_of(run.file) == []


@pytest.mark.parametrize("step", [1.0, "1", True, np.float64(1.0)], ids=repr)
def test_step_that_is_no_integer_raises(step: Any) -> None:
    """A step of another type than integer is a TypeError that names it, and writes nothing."""
    run = tracker.init(project="p")
    with pytest.raises(TypeError, match="step"):
        run.log({"loss": 1.0}, step=step)
    assert rows_of(run.file) == []


# ---- log: steps ----


def steps_of(run: tracker.Run) -> list[int]:
    return [row["_step"] for row in rows_of(run.file)]


def test_step_counts_rows() -> None:
    """Without a step, every row goes to the next one."""
    run = tracker.init(project="p")
    for _ in range(3):
        run.log({"loss": 1.0})
    assert steps_of(run) == [0, 1, 2]


def test_empty_row_counts() -> None:
    """`log({})` is a row."""
    run = tracker.init(project="p")
    run.log({})
    run.log({"loss": 1.0})
    assert steps_of(run) == [0, 1]


def test_commit_false_leaves_the_row_open() -> None:
    """`commit=False` has the next row share the step, and readers see one row."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0}, commit=False)
    run.log({"acc": 0.5})
    run.log({"loss": 0.9})
    assert steps_of(run) == [0, 0, 1]
    assert list(read_back(run).scan_history(["_step", "loss", "acc"])) == [{"_step": 0, "loss": 1.0, "acc": 0.5}]


def test_given_step_leaves_the_row_open() -> None:
    """With a step, `commit` defaults to False: a row without one then goes to that step and completes it."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0}, step=200)
    run.log({"acc": 0.5})
    run.log({"loss": 0.9})
    assert steps_of(run) == [200, 200, 201]


def test_given_step_can_be_committed() -> None:
    """`commit=True` with a step completes it."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0}, step=5, commit=True)
    run.log({"loss": 0.9})
    assert steps_of(run) == [5, 6]


def test_step_jumps_ahead() -> None:
    """A step above the current one is where the run goes on."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0})
    run.log({"loss": 0.9}, step=1000)
    assert run.step == 1000
    assert [row["_step"] for row in read_back(run).history(samples=10**9, pandas=False)] == [0, 1000]


def test_step_may_be_an_integer_of_another_library() -> None:
    """A numpy integer is a step."""
    run = tracker.init(project="p")
    step: Any = np.int32(7)
    run.log({"loss": 1.0}, step=step)
    assert steps_of(run) == [7]


def test_last_value_of_a_step_wins() -> None:
    """A metric logged twice at one step has its later value."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0}, step=3)
    run.log({"loss": 0.5}, step=3)
    assert list(read_back(run).scan_history(["_step", "loss"])) == [{"_step": 3, "loss": 0.5}]


def test_late_row_is_kept() -> None:
    """A row for a step that is over is kept where it belongs, and the run goes on where it was."""
    run = tracker.init(project="p")
    for step in (0, 10, 4):
        run.log({"loss": float(step)}, step=step)
    run.log({"loss": 11.0})
    assert list(read_back(run).scan_history(["_step", "loss"])) == [
        {"_step": 0, "loss": 0.0},
        {"_step": 4, "loss": 4.0},
        {"_step": 10, "loss": 11.0},
    ]


def test_late_rows_warn_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Any number of late rows costs one warning."""
    run = tracker.init(project="p")
    capsys.readouterr()
    for step in (10, 4, 3, 2):
        run.log({"loss": 1.0}, step=step)
    assert len(warnings_in(capsys.readouterr().err)) == 1


def test_threads_share_a_run() -> None:
    """Rows of several threads are all kept, each at a step of its own."""
    run = tracker.init(project="p")

    def work() -> None:
        for _ in range(250):
            run.log({"loss": 1.0})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(steps_of(run)) == list(range(1000))


# ---- the end ----


def test_log_after_finish_raises() -> None:
    """`log` after `finish` is a UsageError that says what to do, and writes nothing."""
    run = tracker.init(project="p")
    run.finish()
    before = Path(run.file).read_bytes()
    with pytest.raises(tracker.UsageError, match=r"init\(\)"):
        run.log({"loss": 1.0})
    assert Path(run.file).read_bytes() == before


def test_second_finish_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A second `finish` neither writes nor prints nor changes the exit code."""
    run = tracker.init(project="p")
    run.finish()
    before = Path(run.file).read_bytes()
    capsys.readouterr()
    run.finish(exit_code=1)
    assert Path(run.file).read_bytes() == before
    assert capsys.readouterr().err == ""


def test_exit_code_of_a_wrong_type_is_named() -> None:
    """`finish` of no integer is a TypeError that names the argument."""
    run: Any = tracker.init(project="p")
    with pytest.raises(TypeError, match="exit_code"):
        run.finish(exit_code="1")


def test_runs_of_one_process_follow_each_other(root: Path) -> None:
    """After `finish`, `init` starts another run with a file of its own."""
    for loss in (1.0, 2.0):
        with tracker.init(project="p") as run:
            run.log({"loss": loss})
    assert sorted(run.summary["loss"] for run in tracker.Api(root).runs("p")) == [1.0, 2.0]


# ---- config ----


def test_config_has_items_and_attributes() -> None:
    """What was given is there both ways."""
    run = tracker.init(config={"lr": 0.1})
    assert run.config["lr"] == run.config.lr == 0.1
    assert dict(run.config) == run.config.as_dict() == {"lr": 0.1}


def test_missing_config_raises_as_python_does() -> None:
    """A missing item is a KeyError, a missing attribute an AttributeError."""
    config = tracker.init().config
    with pytest.raises(KeyError):
        config["lr"]
    with pytest.raises(AttributeError, match="lr"):
        _ = config.lr
    assert config.get("lr", 5) == 5


def test_config_grows() -> None:
    """Keys set later, in any way, are read back with the first ones."""
    run = tracker.init(project="p", config={"a": 1})
    run.config["b"] = 2
    run.config.c = 3
    run.config.update({"d": 4}, e=5)
    run.config.setdefaults({"a": 100, "f": 6})
    assert run.config.as_dict() == read_back(run).config == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}


def test_config_keeps_its_values() -> None:
    """Setting a key to another value is a ConfigError that names it; the old value stays, on disk too."""
    run = tracker.init(project="p", config={"lr": 0.1})
    with pytest.raises(tracker.ConfigError, match="lr"):
        run.config.lr = 0.2
    with pytest.raises(tracker.ConfigError, match="lr"):
        run.config["lr"] = 0.2
    with pytest.raises(tracker.ConfigError, match="lr"):
        run.config.update(lr=0.2, other=1)
    assert run.config.as_dict() == read_back(run).config == {"lr": 0.1}


def test_config_may_be_set_to_what_it_is() -> None:
    """Setting a key to its own value is no change."""
    run = tracker.init(config={"lr": 0.1, "layers": (1, 2)})
    run.config.update({"lr": 0.1, "layers": (1, 2)})
    assert run.config.lr == 0.1


def test_config_changes_when_allowed() -> None:
    """`allow_val_change=True` lets a key change its value."""
    run = tracker.init(project="p", config={"lr": 0.1})
    run.config.update({"lr": 0.2}, allow_val_change=True)
    assert run.config.lr == read_back(run).config["lr"] == 0.2


def test_config_is_shallow() -> None:
    """`update` replaces a nested value whole."""
    run = tracker.init(config={"net": {"depth": 1, "width": 2}})
    run.config.update({"net": {"depth": 3}}, allow_val_change=True)
    assert run.config.net == {"depth": 3}


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    net: str = "small"


@dataclasses.dataclass(slots=True)
class SlottedSettings:
    lr: float = 0.1
    net: str = "small"


@pytest.mark.parametrize(
    "config",
    [
        {"lr": 0.1, "net": "small"},
        {"--lr": 0.1, "net-": "small"},
        [("lr", 0.1), ("net", "small")],
        argparse.Namespace(lr=0.1, net="small"),
        Settings(),
        SlottedSettings(),
    ],
    ids=["mapping", "dashes", "pairs", "namespace", "dataclass", "slotted dataclass"],
)
def test_config_comes_in_many_shapes(config: object) -> None:
    """Mappings, pairs, a Namespace and dataclasses all make a config; edge dashes of keys go."""
    run = tracker.init(project="p", config=config)
    assert run.config.as_dict() == read_back(run).config == {"lr": 0.1, "net": "small"}


def test_config_keeps_numbers_that_are_not_finite() -> None:
    """An infinite setting stays a number, in the job and for readers."""
    run = tracker.init(project="p", config={"clip": math.inf})
    run.config.limit = -math.inf
    assert read_back(run).config == {"clip": math.inf, "limit": -math.inf}
    assert run.config.as_dict() == {"clip": math.inf, "limit": -math.inf}


def test_config_takes_arrays() -> None:
    """An array is kept as a list, by item and by keyword, also when it is set again to the same."""
    run = tracker.init(project="p")
    for _ in range(2):
        run.config["mean"] = np.array([0.5, 0.25])
        run.config.update(std=np.array([0.5, 0.25]))
    assert read_back(run).config == {"mean": [0.5, 0.25], "std": [0.5, 0.25]}


def test_config_keyword_may_be_no_json() -> None:
    """A value without a place in JSON is kept as text, by item and by keyword."""
    run = tracker.init(project="p")
    run.config["by_item"] = 1j
    run.config.update(by_keyword=1j)
    assert run.config.as_dict() == read_back(run).config == {"by_item": "1j", "by_keyword": "1j"}


# ---- summary ----


def test_summary_is_the_last_value() -> None:
    """The summary of a metric is what was logged last."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0, "acc": 0.1})
    run.log({"loss": 0.5})
    assert dict(run.summary) == read_back(run).summary == {"loss": 0.5, "acc": 0.1}


def test_summary_is_set_by_hand() -> None:
    """A value set in the summary is read back, also at the end and beside what was logged."""
    with tracker.init(project="p") as run:
        run.log({"loss": 0.5})
        run.summary["best"] = 0.25
        run.summary.epochs = 3
        run.summary.update({"done": True})
        assert run.summary.best == 0.25
    assert read_back(run).summary == {"loss": 0.5, "best": 0.25, "epochs": 3, "done": True}


def test_row_after_a_summary_by_hand_wins() -> None:
    """The next row's value replaces one that was set by hand."""
    run = tracker.init(project="p")
    run.summary["loss"] = 7.0
    run.log({"loss": 0.5})
    assert run.summary["loss"] == read_back(run).summary["loss"] == 0.5


def test_summary_value_can_be_deleted() -> None:
    """A deleted value is gone for the job and for readers, at the end too."""
    with tracker.init(project="p") as run:
        run.log({"loss": 0.5, "acc": 0.5})
        del run.summary["loss"]
        assert dict(run.summary) == read_back(run).summary == {"acc": 0.5}
    assert read_back(run).summary == {"acc": 0.5}


def test_changes_in_quick_succession_do_not_run_ahead_of_the_clock() -> None:
    """Of changes in the same moment the later one wins."""
    with init() as run:
        for number in range(3000):
            run.config.update({"n": number}, allow_val_change=True)
        assert read_back(run).config["n"] == 2999
        assert lines_of(run.file)[-1]["_timestamp"] <= time.time()


def test_a_change_costs_the_same_beside_any_number_of_keys() -> None:
    """Those that were set before are not looked at."""

    def cost() -> float:
        taken = []
        for number in range(300):
            began = time.perf_counter()
            run.summary["best"] = run.config[f"new {len(run.config)}"] = number
            taken.append(time.perf_counter() - began)
        return sorted(taken)[150]

    with init() as run:
        before = cost()
        run.config.update({f"key {number}": number for number in range(20_000)})
        assert cost() < 5 * before


def test_missing_summary_raises_as_python_does() -> None:
    """A missing item is a KeyError, also to delete; a missing attribute an AttributeError."""
    summary = tracker.init().summary
    with pytest.raises(KeyError):
        summary["loss"]
    with pytest.raises(KeyError):
        del summary["loss"]
    with pytest.raises(AttributeError, match="loss"):
        _ = summary.loss


# ---- name, notes, tags and the rest of the run ----


def test_run_is_renamed_by_its_job() -> None:
    """`run.name = ...` shows in the job, at once for readers, and at the end."""
    with tracker.init(project="p", name="old") as run:
        run.name = "new"
        assert (run.name, read_back(run).name) == ("new", "new")
    assert read_back(run).name == "new"


def test_notes_and_tags_are_set_by_the_job() -> None:
    """`run.notes = ...` and `run.tags = ...` replace what was there."""
    with init(project="p", notes="old", tags=["old"]) as run:
        run.notes = "new"
        run.tags = ["a", "b", "a"]
        assert (run.notes, run.tags) == ("new", ("a", "b"))
    assert (read_back(run).notes, read_back(run).tags) == ("new", ["a", "b"])


@pytest.mark.parametrize(("field", "value"), [("name", 5), ("name", " "), ("notes", 5), ("tags", "x"), ("tags", [5])])
def test_wrong_field_is_named(field: str, value: object) -> None:
    """A field set to a wrong type raises a TypeError that names it."""
    run = tracker.init(project="p")
    with pytest.raises(TypeError, match=field):
        setattr(run, field, value)


@pytest.mark.parametrize("field", ["id", "project", "entity", "group", "job_type"])
def test_identity_cannot_be_set(field: str) -> None:
    """What tells runs apart and groups them is read-only."""
    run = tracker.init(project="p")
    with pytest.raises(AttributeError):
        setattr(run, field, "x")


def test_folder_is_made_on_first_use() -> None:
    """`run.dir` is a folder of the run's that exists from then on, also after the end."""
    with tracker.init(project="p") as run:
        folder = Path(run.dir)
        (folder / "model.bin").write_bytes(b"x")
    assert folder == Path(run.folder) / "files"
    assert run.folder + ".jsonl" == run.file
    assert [path.name for path in folder.iterdir()] == ["model.bin"]


def test_url_is_the_file() -> None:
    """`run.url` is the journal's `file://` address."""
    run = tracker.init(project="a project")
    assert run.url == Path(run.file).as_uri()


# ---- reading back ----


def test_history_has_every_row() -> None:
    """`history()` gives rows in order of step with step and time; `keys` picks rows that have them all."""
    run = tracker.init(project="p")
    run.log({"loss": 1.0})
    run.log({"loss": 0.5, "acc": 0.5})
    found = read_back(run)
    assert [set(row) for row in found.history(samples=10**9, pandas=False)] == [
        {"_step", "_timestamp", "loss"},
        {"_step", "_timestamp", "loss", "acc"},
    ]
    assert list(found.scan_history(["loss", "acc"])) == [{"loss": 0.5, "acc": 0.5}]


def test_history_can_be_scanned_in_part() -> None:
    """`scan_history` begins at `min_step` and stops before `max_step`."""
    run = tracker.init(project="p")
    for _ in range(10):
        run.log({"loss": 1.0})
    assert [row["_step"] for row in read_back(run).scan_history(min_step=3, max_step=6)] == [3, 4, 5]


def test_runs_are_a_sequence(root: Path) -> None:
    """`Api.runs` gives the runs of a project: they can be counted, indexed, sliced and looped over."""
    for project in ("p", "q", "p"):
        tracker.init(project=project).finish()
    runs = tracker.Api(root).runs("p")
    assert len(runs) == 2
    assert [run.id for run in runs] == [runs[0].id, runs[1].id]
    assert [run.id for run in runs[1:]] == [runs[-1].id]
    assert len(tracker.Api(root).runs()) == 3


def test_unknown_run_is_an_error(root: Path) -> None:
    """`Api.run` of what is not there raises an error that names it."""
    with pytest.raises(tracker.Error, match="p/nothing"):
        tracker.Api(root).run("p/nothing")


def test_running_run_is_read_as_it_grows(root: Path) -> None:
    """One `Api` sees the rows that have come since it was asked last."""
    api = tracker.Api(root)
    assert len(api.runs()) == 0
    run = tracker.init(project="p")
    for loss in (3.0, 2.0, 1.0):
        run.log({"loss": loss})
        assert api.run(f"p/{run.id}").summary == {"loss": loss}
    assert len(api.run(f"p/{run.id}").history(samples=10**9, pandas=False)) == 3


def test_long_run_repeats_its_state() -> None:
    """After 32 KiB of rows a checkpoint follows that holds the state so far."""
    run = tracker.init(project="p", name="long", config={"lr": 0.1})
    for step in range(1000):
        run.log({"loss": 1 / (step + 1)})
    records = lines_of(run.file)
    first = next(index for index, record in enumerate(records) if record.get("_type") == "checkpoint")
    size = sum(len(json.dumps(record, separators=(",", ":"))) + 1 for record in records[:first])
    assert 32 * 1024 <= size < 40 * 1024
    checkpoint, last = records[first], records[first - 1]
    assert (checkpoint["name"], checkpoint["config"], checkpoint["step"]) == ("long", {"lr": 0.1}, last["_step"])
    assert checkpoint["summary"] == {"loss": last["loss"]}


def test_checkpoints_cost_little() -> None:
    """Checkpoints are an eighth of a journal at most, however many metrics the run has."""
    run = tracker.init(project="p")
    for step in range(300):
        run.log({f"metric{n}": step / (n + 1) for n in range(100)})
    lines = Path(run.file).read_bytes().splitlines()
    checkpoints = sum(len(line) for line in lines if line.startswith(b'{"_type":"checkpoint"'))
    assert 0 < checkpoints <= sum(map(len, lines)) / 8 + 32 * 1024


@pytest.mark.parametrize("finished", [True, False])
def test_head_and_tail_tell_all(finished: bool, root: Path) -> None:
    """Of a journal above 1 MiB a reader needs head and tail only, and they give what all of its records give."""
    run = tracker.init(project="p", name="old", tags=["a"], notes="n", config={"lr": 0.1}, group="g", entity="e")
    run.log({"early": 7.0})
    run.summary["by hand"] = 3
    run.summary["not finite"] = math.inf
    run.config.later = {"deep": [1, 2]}
    for step in range(12_000):
        run.log({"loss": 1 / (step + 1), "acc": step % 97, "train": {"lr": 0.1 * step}, "text": f"step {step}"})
        if step == 6000:
            run.name = "new"
            del run.summary["by hand"]
    assert Path(run.file).stat().st_size > 1.2 * 2**20
    if finished:
        run.finish()
    whole = RunState(run.id, "p", 0.0)
    for record in Tail(run.file).read():
        whole.apply(record)
    found = tracker.Api(root).run(f"p/{run.id}")
    for field in ("id", "name", "project", "entity", "group", "tags", "notes", "config", "summary"):
        assert getattr(found, field) == getattr(whole, field), field
    assert found.name == "new"
    assert found.summary["early"] == 7.0
    assert found.state == ("finished" if finished else "running")


def test_large_run_is_listed_from_little_of_it(root: Path) -> None:
    """What a reader needs of a large journal is its head and its tail: what lies between may be anything."""
    run = tracker.init(project="p", name="large")
    for step in range(12_000):
        run.log({"loss": float(step), "padding": "x" * 100})
    run.finish()
    path = Path(run.file)
    content = bytearray(path.read_bytes())
    content[100_000:-100_000] = b"#" * (len(content) - 200_000)
    path.write_bytes(content)
    found = tracker.Api(root).run(f"p/{run.id}")
    assert (found.name, found.state, found.summary["loss"]) == ("large", "finished", 11_999.0)


# ---- what it costs ----


FULL_DISK = """
import os, resource, tracker
run = tracker.init(project="p")
run.log({"loss": 0.0})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(run.file) + 20, hard))
for loss in (1.0, 2.0, 3.0):
    run.log({"loss": loss})
"""
"""A limit on the size of files is a disk that is full after as many bytes, the last write being cut short."""


def test_full_disk_costs_nothing_once_there_is_room(start: StartScript, root: Path) -> None:
    """Rows that do not fit wait in memory, with one warning, and are all there when there is room again."""
    process = start(
        FULL_DISK
        + """resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
run.log({"loss": 4.0})
print("done")
"""
    )
    wait_line(process, "done")
    _, errors = process.communicate()
    assert len(warnings_in(errors)) == 1
    (run,) = tracker.Api(root).runs()
    assert [row["loss"] for row in run.scan_history()] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert run.bad_lines == 1  # the row that was cut short, written again after it


def test_disk_that_stays_full_is_told_at_the_end(start: StartScript, root: Path) -> None:
    """The job goes on; its last words say how many records are not on the disk."""
    process = start(FULL_DISK)
    _, errors = process.communicate()
    assert process.returncode == 0
    assert re.search("[45] records could not be written to the disk.", errors)  # one of them of the environment
    (run,) = tracker.Api(root).runs()
    assert [row["loss"] for row in run.scan_history()] == [0.0]


def test_file_that_cannot_be_made_is_made_later(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All rows are there once the folder can be written, the first ones too."""
    root.write_text("in the way", encoding="utf-8")
    run = init()
    run.log({"loss": 1.0})
    assert len(warnings_in(capsys.readouterr().err)) == 1
    root.unlink()
    run.log({"loss": 2.0})
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert [row["loss"] for row in read.scan_history()] == [1.0, 2.0]
    assert (read.state, read.name) == ("finished", run.name)


def test_memory_is_bounded_while_the_disk_is_gone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest rows are dropped, and counted at the end."""
    monkeypatch.setattr("tracker.journal.MAX_WAITING", 10_000)
    root.write_text("in the way", encoding="utf-8")
    run = init()
    for step in range(1000):
        run.log({"loss": float(step)})
    root.unlink()
    run.finish()
    (read,) = tracker.Api(root).runs()
    steps = [row["_step"] for row in read.scan_history()]
    assert steps == list(range(steps[0], 1000))
    assert 0 < len(steps) < 500
    assert read.step == 999


def test_network_disk_that_refuses_late_gets_the_rows_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only fsync tells that a server is full: what was written since the last good one is written again."""
    monkeypatch.setattr("tracker.host.is_network", lambda _: True)
    run = init()
    run.log({"loss": 1.0})
    real, failures = os.fsync, [OSError(errno.ENOSPC, "no space left on device")]

    def fsync(descriptor: int) -> None:
        if failures:
            os.ftruncate(descriptor, 0)  # the server has none of it
            raise failures.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert wait_for(lambda: not failures)
    run.log({"loss": 2.0})
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert [row["loss"] for row in read.scan_history()] == [1.0, 2.0]
    assert (read.name, read.state) == (run.name, "finished")
    assert len(warnings_in(capsys.readouterr().err)) == 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home/me/runs", "nfs4"),
        ("/home/menu", "ext4"),
        ("/mnt/a b/x", "fuse.sshfs"),
        ("/scratch", "lustre"),
    ],
)
def test_file_systems_are_told_apart(tmp_path: Path, path: str, kind: str) -> None:
    """By the deepest mount above a path, escapes in its name included."""
    from tracker import host

    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 22 0:50 / /home/me rw,relatime shared:1 - nfs4 server:/export rw\n"
        "31 22 0:51 / /mnt/a\\040b rw - fuse.sshfs me@there: rw\n"
        "32 22 0:52 / /scratch rw - ext4 /dev/sdb rw\n"
        "33 22 0:53 / /scratch rw - lustre 10.0.0.1@tcp:/fs rw\n"
        "nonsense\n",
        encoding="utf-8",
    )
    assert host.file_system(path, str(mounts)) == kind


LIST_MODULES = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def modules_after(folder: Path, source: str) -> set[str]:
    """The top-level modules that are loaded once a script has run."""
    return set(run_script(folder, f"{source}\n{LIST_MODULES}").stdout.split())


def test_import_is_cheap(tmp_path: Path) -> None:
    """`import tracker` loads no library and nothing costly of Python's own."""
    costly = {"asyncio", "subprocess", "textual", "rich", "watchfiles", "plotext", "orjson", "tracker_tui"}
    assert modules_after(tmp_path, "import tracker") & (costly | {"tracker"}) == {"tracker"}


def test_use_is_cheap(tmp_path: Path) -> None:
    """A whole run loads neither asyncio nor subprocess nor anything of the dashboard's."""
    source = "import tracker\nwith tracker.init() as run:\n    run.log({'loss': 1.0})\n"
    costly = {"asyncio", "subprocess", "textual", "rich", "watchfiles", "plotext", "tracker_tui", "numpy"}
    assert modules_after(tmp_path, source) & (costly | {"orjson"}) == {"orjson"}
