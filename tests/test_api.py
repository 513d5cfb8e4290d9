"""`Api`: finding runs, reading them, changing what they are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import lines_of, script_environment


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four runs of a sweep: learning rates 0.1 to 0.4, losses 4 to 1, the last one failed; and one of an entity."""
    root = tmp_path / "runs"
    for number in range(1, 5):
        run = tracker.init(
            project="sweep",
            name=f"run-{number}",
            id=f"id{number}",
            group="odd" if number % 2 else "even",
            tags=["keep"] if number > 2 else [],
            config={"lr": number / 10, "model": {"name": "vit" if number > 1 else "cnn"}},
            dir=root,
        )
        run.log({"loss": 5.0 - number, "val/acc": number})
        run.finish(exit_code=int(number == 4))
    tracker.init(project="other", entity="team", id="mine", dir=root).finish()
    return root


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "1234"),
        ({"state": "finished"}, "123"),
        ({"config.lr": {"$lt": 0.25}}, "12"),
        ({"config.lr": {"$gte": 0.2, "$lte": 0.3}}, "23"),
        ({"config.model.name": "cnn"}, "1"),
        ({"config.lr.value": 0.1}, "1"),
        ({"summary_metrics.loss": {"$gt": 2}}, "12"),
        ({"summaryMetrics.val/acc": 3}, "3"),
        ({"tags": "keep"}, "34"),
        ({"tags": {"$in": ["keep", "x"]}}, "34"),
        ({"tags": {"$nin": ["keep"]}}, "12"),
        ({"display_name": {"$regex": "[12]$"}}, "12"),
        ({"displayName": "run-3"}, "3"),
        ({"name": "id2"}, "2"),
        ({"group": "odd"}, "13"),
        ({"jobType": {"$exists": True}}, "1234"),
        ({"config.nothing": {"$exists": False}}, "1234"),
        ({"config.nothing": {"$lt": 1}}, ""),
        ({"config.nothing": None}, "1234"),
        ({"config.lr": {"$lt": "a"}}, ""),
        ({"$or": [{"config.lr": 0.1}, {"state": "failed"}]}, "14"),
        ({"$and": [{"group": "odd"}, {"tags": "keep"}]}, "3"),
        ({"$nor": [{"group": "odd"}, {"tags": "keep"}]}, "2"),
        ({"$not": {"group": "odd"}}, "24"),
        ({"group": {"$not": {"$eq": "odd"}}}, "24"),
        ({"group": {"$ne": "odd"}}, "24"),
        ({"created_at": {"$gt": 0}}, "1234"),
    ],
)
def test_filters(root: Path, filters: dict[str, Any], found: str) -> None:
    """Mongo's operators on config, summary and properties, in snake and camel case."""
    assert "".join(run.id[2:] for run in tracker.Api(root).runs("sweep", filters)) == found


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"$xor": []}, r"\$xor"),
        ({"state": {"$like": "x"}}, r"\$like"),
        ({"state": {"$in": "x"}}, r"\$in"),
        ({"state": {"$regex": "("}}, r"\$regex"),
        ({"$and": {}}, r"\$and"),
    ],
)
def test_a_wrong_filter_is_named(root: Path, filters: dict[str, Any], says: str) -> None:
    """Rather than finding nothing."""
    with pytest.raises(ValueError, match=says):
        tracker.Api(root).runs("sweep", filters)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("+created_at", "1234"),
        ("-created_at", "4321"),
        ("-createdAt", "4321"),
        ("+summary_metrics.loss", "4321"),
        ("-config.lr", "4321"),
        ("state", "4123"),
        ("+config.nothing", "1234"),
    ],
)
def test_orders(root: Path, order: str, found: str) -> None:
    """By any field, either way."""
    assert "".join(run.id[2:] for run in tracker.Api(root).runs("sweep", order=order)) == found


def test_runs_is_a_sequence(root: Path) -> None:
    """With a length, indices, slices and iteration."""
    runs = tracker.Api(root).runs("sweep")
    assert (len(runs), runs[0].id, runs[-1].id) == (4, "id1", "id4")
    assert [run.id for run in runs[1:3]] == ["id2", "id3"]
    assert len(tracker.Api(root).runs()) == 5
    assert len(tracker.Api(root).runs("team/other")) == 1
    assert len(tracker.Api(root).runs("nobody/other")) == 0


def test_history_is_thinned_evenly(root: Path) -> None:
    """To `samples` rows, the first and the last among them; `scan_history` gives all."""
    with tracker.init(dir=root, id="long") as run:
        for step in range(2000):
            run.log({"loss": step, "epoch": step // 10})
    read = tracker.Api(root).run("Uncategorized/long")
    rows = read.history(pandas=False)
    assert (len(rows), rows[0]["_step"], rows[-1]["_step"]) == (500, 0, 1999)
    assert [row["loss"] for row in read.history(samples=3, keys=["loss"], pandas=False)] == [0, 999, 1999]
    assert list(read.history(samples=1, keys=["loss"], x_axis="epoch", pandas=False)[0]) == ["epoch", "loss"]
    assert sum(1 for _ in read.scan_history(["loss"], page_size=10)) == 2000
    assert [row["loss"] for row in read.scan_history(["loss"], min_step=5, max_step=8)] == [5, 6, 7]
    with pytest.raises(ValueError, match="samples"):
        read.history(samples=0)


def test_rows_lacking_a_key_are_left_out(root: Path) -> None:
    """W&B's rule: only rows that have all of the keys."""
    with tracker.init(dir=root, id="gappy") as run:
        run.log({"a": 1})
        run.log({"a": 2, "b": 3})
    read = tracker.Api(root).run("Uncategorized/gappy")
    assert list(read.scan_history(["a", "b"])) == [{"a": 2, "b": 3}]


def test_update_writes_edits(root: Path) -> None:
    """Name, notes, tags, group, job type and config persist; the run's own file is not touched."""
    run = tracker.Api(root).run("sweep/id1")
    before = Path(run.path).read_bytes()
    run.name, run.notes, run.group, run.job_type = "better", "two\nlines", "", "eval"
    run.tags.append("new")
    run.config["extra"] = [1, 2]
    run.update()
    again = tracker.Api(root).run("sweep/id1")
    assert (again.name, again.notes, again.group, again.job_type) == ("better", "two\nlines", "", "eval")
    assert (again.tags, again.config) == (["new"], {"lr": 0.1, "model": {"name": "cnn"}, "extra": [1, 2]})
    assert Path(run.path).read_bytes() == before
    assert len(list(root.glob("sweep/edits-*.jsonl"))) == 1


def test_update_writes_only_what_changed(root: Path) -> None:
    """So that two people changing different fields do not undo each other."""
    mine, yours = tracker.Api(root).run("sweep/id1"), tracker.Api(root).run("sweep/id1")
    mine.name = "mine"
    yours.tags = ["yours"]
    mine.update()
    yours.update()
    mine.update()
    again = tracker.Api(root).run("sweep/id1")
    assert (again.name, again.tags) == ("mine", ["yours"])
    (edits,) = root.glob("sweep/edits-*.jsonl")
    assert len(lines_of(edits)) == 2


@pytest.mark.parametrize(
    ("attribute", "value"), [("name", ""), ("name", 5), ("notes", 5), ("tags", "x"), ("group", None), ("job_type", 1)]
)
def test_wrong_values_are_refused(root: Path, attribute: str, value: object) -> None:
    """At once, naming the attribute."""
    run = tracker.Api(root).run("sweep/id1")
    with pytest.raises((TypeError, ValueError), match=attribute):
        setattr(run, attribute, value)


def test_a_deleted_run_is_hidden_and_its_files_stay(root: Path) -> None:
    """From `Api` and from the commands."""
    run = tracker.Api(root).run("sweep/id1")
    run.delete()
    assert [run.id for run in tracker.Api(root).runs("sweep")] == ["id2", "id3", "id4"]
    listed = subprocess.run(
        [sys.executable, "-m", "tracker_tui", "ls", "--json", str(root)],
        env=script_environment(),
        capture_output=True,
        check=True,
    )
    assert {run["id"] for run in json.loads(listed.stdout)} == {"id2", "id3", "id4", "mine"}
    assert os.path.exists(run.path)


def test_a_run_that_is_being_written_can_be_read(root: Path) -> None:
    """Every read gives a beginning of the rows, none torn, none twice."""
    source = (
        "import tracker\n"
        "run = tracker.init(id='busy', project='live')\n"
        "for step in range(20_000): run.log({'x': step, 'pad': 'y' * (step % 300)})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source], env=script_environment({"TRACKER_DIR": str(root), "TRACKER_SILENT": "1"})
    )

    def reads() -> Iterator[list[int]]:
        while process.poll() is None:
            for run in tracker.Api(root).runs("live"):
                yield [row["x"] for row in run.scan_history()]

    lengths = []
    for seen in reads():
        assert seen == list(range(len(seen)))
        lengths.append(len(seen))
    assert lengths == sorted(lengths)
    assert tracker.Api(root).run("live/busy").summary["x"] == 19_999


def test_history_is_a_dataframe_where_pandas_is_installed(root: Path) -> None:
    """One column a key, one row a step; a list of dicts where it is not wanted."""
    frame = tracker.Api(root).run("sweep/id1").history(keys=["loss"])
    assert list(frame.columns) == ["_step", "loss"]
    assert frame.loss.tolist() == [4.0]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"createdAt": {"$gt": "2020-01-01T00:00:00"}}, "1234"),
        ({"created_at": {"$lt": "2020-01-01"}}, ""),
        ({"tags": {"$regex": "^ke"}}, "34"),
    ],
)
def test_filters_on_times_and_tags(root: Path, filters: dict[str, Any], found: str) -> None:
    """ISO times as W&B documents them, and patterns over lists."""
    assert "".join(run.id[2:] for run in tracker.Api(root).runs("sweep", filters)) == found


def test_update_leaves_what_others_changed(root: Path) -> None:
    """Only what was changed here is written, nested values too."""
    mine, yours = tracker.Api(root).run("sweep/id1"), tracker.Api(root).run("sweep/id1")
    mine.config["lr"] = 7
    assert mine.tags == []
    yours.config["more"] = 1
    yours.config["model"]["name"] = "resnet"
    yours.tags = ["yours"]
    yours.update()
    mine.update()
    again = tracker.Api(root).run("sweep/id1")
    assert again.config == {"lr": 7, "model": {"name": "resnet"}, "more": 1}
    assert again.tags == ["yours"]


def test_an_axis_takes_numbers_only(root: Path) -> None:
    """Rows whose place is text, None or NaN are left out."""
    with tracker.init(dir=root, id="odd") as run:
        for place in (2, "a", None, float("nan"), 1):
            run.log({"x": place, "y": 1})
    rows = tracker.Api(root).run("Uncategorized/odd").history(keys=["y"], x_axis="x", pandas=False)
    assert [row["x"] for row in rows] == [1, 2]
