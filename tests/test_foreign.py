"""Runs of other tools: what is found and read of them, as they grow and where they are damaged; importing them."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tensorboardX import SummaryWriter

import tracker
from support import PATIENCE, wait_for
from terminal import environment
from tracker import cache
from tracker.catalog import Catalog
from tracker.foreign import trackio
from tracker.foreign.events import EventReader
from tracker.foreign.mirror import Mirror
from tracker.rows import Rows
from tracker.stored import StoredRun
from tracker_tui.cli import main
from tracker_tui.hosts import Address, open_sources

MADE = Path(__file__).parent / "foreign"
"""Files that the programs themselves have written; `make.py` there says how."""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder for other tools' logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def catalog(logs: Path) -> Iterator[Catalog]:
    """What a dashboard sees of that folder."""
    mirror = Mirror(str(logs))
    yield Catalog(files=mirror)
    mirror.close()


def log_scalars(folder: Path, first: int = 0, last: int = 5, writer: Any = None) -> Any:
    """Log a loss and an accuracy with a SummaryWriter, which is given back flushed."""
    writer = writer or SummaryWriter(str(folder))
    for step in range(first, last):
        writer.add_scalar("loss", 1 / (step + 1), step)
        writer.add_scalar("acc", step / 10, step)
    assert wait_for(lambda: last_in(folder, writer) == ("acc", last - 1))
    return writer


def last_in(folder: Path, writer: Any) -> tuple[str, int]:
    """The last value in a folder of event files; a writer's `flush` does not wait for its own thread."""
    writer.flush()
    events = [event for path in sorted(folder.iterdir()) for event in EventReader().feed(path.read_bytes())]
    return (next(iter(events[-1].values)), events[-1].step) if events else ("", 0)


def put_trackio(folder: Path) -> Path:
    """A database of two runs."""
    shutil.copytree(MADE / "trackio", folder, dirs_exist_ok=True)
    database = folder / "shapes.db"
    database.write_bytes(gzip.decompress((folder / "shapes.db.gz").read_bytes()))
    return database


def put_trainer_state(folder: Path, steps: int) -> None:
    """What Hugging Face's Trainer writes at a checkpoint, as it writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    log = [{"epoch": step / 10, "loss": 1 / step, "step": step} for step in range(1, steps + 1)]
    state = {"global_step": steps, "max_steps": 100, "best_metric": 0.25, "log_history": log}
    (folder / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")


def make_old(folder: Path) -> None:
    """As if nothing had been written for an hour."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))


def seen(catalog: Catalog) -> dict[str, StoredRun]:
    """The runs by project and name, after another look."""
    catalog.refresh()
    return {f"{run.project}/{run.name}": run for run in catalog.runs.values()}


def rows_of(catalog: Catalog, run: StoredRun, *names: str) -> list[tuple[Any, ...]]:
    """The steps of a run and its values of some metrics, of rows that have any of them."""
    found = (tuple(row.get(name) for name in names) for row in Rows(catalog.journals(run)))
    steps = (row["_step"] for row in Rows(catalog.journals(run)))
    return [(step, *row) for step, row in zip(steps, found, strict=True) if set(row) != {None}]


# ---- what is found and read ----


def test_a_folder_of_event_files_is_a_run(logs: Path, catalog: Catalog) -> None:
    """Named by its path, with its scalars merged by step, images, histograms, texts and hyperparameters."""
    import numpy as np

    for name in ("exp/train", "exp/validation", "solo"):
        log_scalars(logs / name).close()
    writer = SummaryWriter(str(logs / "exp" / "more"))
    writer.add_image("image", np.zeros((3, 4, 6), dtype=np.uint8), 1)
    writer.add_histogram("weights", np.arange(10.0), 1)
    writer.add_text("note", "hello", 1)
    writer.add_hparams({"lr": 0.1, "opt": "sgd"}, {"final": 0.5}, name="tried")
    writer.close()

    runs = seen(catalog)

    assert set(runs) == {"exp/train", "exp/validation", "logs/solo", "exp/more", "exp/more/tried"}
    expected = [(step, pytest.approx(1 / (step + 1)), pytest.approx(step / 10)) for step in range(5)]
    assert rows_of(catalog, runs["exp/train"], "loss", "acc") == expected
    assert runs["exp/train"].origin == "tensorboard"
    summary = runs["exp/more"].summary
    assert summary["weights"]["_type"] == "histogram"
    assert summary["note/text_summary"] == "hello"
    image = Path(runs["exp/more"].path).with_suffix("") / summary["image"]["path"]
    assert image.read_bytes().startswith(b"\x89PNG")
    assert runs["exp/more/tried"].config == {"lr": 0.1, "opt": "sgd"}


def test_an_offline_run_of_wandb(logs: Path, catalog: Catalog) -> None:
    """With all that its file says: names, config, rows, media, the console and how it ended."""
    shutil.copytree(MADE / "wandb", logs / "wandb")

    run = seen(catalog)["shapes/brave-fox"]

    assert (run.id, run.entity, run.group, run.job_type) == ("brave123", "me", "g1", "train")
    assert (run.tags, run.notes, run.state, run.exit_code) == (["a", "b"], "one\ntwo", "failed", 3)
    assert run.config == {"lr": 0.1, "model": {"depth": 3}, "late": 5}
    rows = rows_of(catalog, run, "loss", "nested.acc")
    assert [row[1:] for row in rows] == [(1 / (step + 1), step / 20) for step in range(20)]
    assert run.summary["val/loss"] == {"min": 1 / 17}
    assert run.summary["best"] == 0.5
    assert str(run.summary["nan"]) == "nan"
    assert run.summary["weights"]["values"] == [1, 1, 1]
    image = Path(run.path).with_suffix("") / run.summary["image"]["path"]
    assert image.read_bytes().startswith(b"\x89PNG")
    page = catalog.files.pages(run.key.project, run.file).page(0, 10)
    assert page is not None
    assert [json.loads(line)["text"] for line in page.lines] == ["hello from the run"]
    assert not run.bad_lines


def test_the_runs_of_a_trackio_database(logs: Path, catalog: Catalog) -> None:
    """Each with its config, rows and images; the database is not touched."""
    database = put_trackio(logs)
    before = database.stat()

    runs = seen(catalog)

    assert set(runs) == {"shapes/brave-1", "shapes/calm-2"}
    run = runs["shapes/brave-1"]
    assert (run.config["lr"], run.group) == (0.1, "g")
    assert rows_of(catalog, run, "loss", "val.acc") == [(step, 1 / (step + 1), step / 10) for step in range(10)]
    image = Path(run.path).with_suffix("") / run.summary["image"]["path"]
    assert image.read_bytes().startswith(b"\x89PNG")
    assert database.stat() == before
    assert sorted(path.name for path in logs.iterdir()) == ["media", "shapes.db", "shapes.db.gz"]


def test_tables_of_metrics(logs: Path, catalog: Catalog) -> None:
    """Lightning's, ultralytics', stable-baselines3's and anybody's, by their steps; hyperparameters beside them."""
    files = {
        "lightning_logs/version_0/metrics.csv": "epoch,step,train_loss,val_loss\n0,10,0.5,\n0,19,,0.4\n1,29,0.3,\n",
        "lightning_logs/version_0/hparams.yaml": "lr: 0.1\nnet:\n  depth: 3\n  name: 'a: b'\nbad: !!python/object:x\n",
        "yolo/train/results.csv": "   epoch,  train/box_loss\n   1,   0.9\n   2,   0.8\n",
        "sb3/progress.csv": "time/total_timesteps,rollout/ep_rew_mean\n2048,1.5\n4096,2.5\n",
        "mine/metrics.jsonl": '{"step": 3, "loss": 0.5, "lr": {"a": 0.1}, "timestamp": "2026-01-02T03:04:05Z"}\n'
        '{"step": 4, "loss": NaN}\n',
    }
    for name, text in files.items():
        (logs / name).parent.mkdir(parents=True, exist_ok=True)
        (logs / name).write_text(text, encoding="utf-8")

    runs = seen(catalog)

    lightning = runs["lightning_logs/version_0"]
    assert lightning.origin == "lightning"
    assert rows_of(catalog, lightning, "train_loss", "val_loss") == [(10, 0.5, None), (19, None, 0.4), (29, 0.3, None)]
    assert lightning.config == {"lr": 0.1, "net.depth": 3, "net.name": "a: b"}
    assert rows_of(catalog, runs["yolo/train"], "train/box_loss") == [(1, 0.9), (2, 0.8)]
    assert rows_of(catalog, runs["logs/sb3"], "rollout/ep_rew_mean") == [(2048, 1.5), (4096, 2.5)]
    mine = runs["logs/mine"]
    assert mine.summary["lr.a"] == 0.1
    assert str(mine.summary["loss"]) == "nan"
    assert mine.created == pytest.approx(1767323045)


def test_the_newest_checkpoint_of_a_training_is_its_run(logs: Path, catalog: Catalog) -> None:
    """Whose rows go on when the next one is written; a training that was taken back is read anew."""
    put_trainer_state(logs / "out" / "checkpoint-3", 3)
    run = seen(catalog)["logs/out"]
    assert run.summary["best_metric"] == 0.25
    assert run.config["max_steps"] == 100

    put_trainer_state(logs / "out" / "checkpoint-5", 5)
    runs = seen(catalog)

    assert list(runs) == ["logs/out"]
    assert rows_of(catalog, runs["logs/out"], "loss") == [(step, 1 / step) for step in range(1, 6)]
    assert runs["logs/out"].path == run.path

    state = json.loads((logs / "out" / "checkpoint-5" / "trainer_state.json").read_text())
    state["log_history"] = [{"step": 1, "loss": 7.0}]
    (logs / "out" / "checkpoint-5" / "trainer_state.json").write_text(json.dumps(state))
    assert rows_of(catalog, seen(catalog)["logs/out"], "loss") == [(1, 7.0)]


def test_what_only_looks_like_a_log_is_no_run(logs: Path, catalog: Catalog, tmp_path: Path) -> None:
    """Datasets, texts, other databases, one's own runs, hidden folders, environments, links."""
    (logs / "train_log.jsonl").write_text('{"prompt": "a", "answer": "b"}\n' * 3)
    (logs / "catalog.csv").write_text("name,city\nAnn,Ulm\nBob,Bonn\n")
    (logs / "metrics.csv").write_text("no table at all")
    (logs / "other.db").write_bytes(b"SQLite format 3\0" + b"\0" * 100)
    elsewhere = tmp_path / "elsewhere"
    log_scalars(elsewhere).close()
    (logs / "link").symlink_to(elsewhere)
    (logs / "venv2").mkdir()
    (logs / "venv2" / "pyvenv.cfg").touch()
    for hidden in (".git", "node_modules", "venv2/lib"):
        log_scalars(logs / hidden).close()
    run = tracker.init(project="mine", dir=logs, id="logger")
    run.log({"loss": 1.0})
    run.finish()
    log_scalars(Path(run.dir)).close()

    assert seen(catalog) == {}
    assert not Path(cache.folder(), "mirrors").exists()


# ---- growing, ending, coming back ----


def test_what_grows_is_read_on(logs: Path, catalog: Catalog) -> None:
    """A run goes on while its files grow, and has ended when they are quiet; it comes back with what follows."""
    writer = log_scalars(logs / "a")
    assert seen(catalog)["logs/a"].state == "running"

    log_scalars(logs / "a", 5, 8, writer)
    assert seen(catalog)["logs/a"].step == 7

    make_old(logs)
    assert seen(catalog)["logs/a"].state == "finished"

    log_scalars(logs / "a", 8, 10, writer)
    run = seen(catalog)["logs/a"]
    assert run.state == "running"
    assert [step for step, _ in rows_of(catalog, run, "loss")] == list(range(10))
    assert run.row_count == 10


def test_a_mirror_is_taken_up_where_it_was_left(logs: Path) -> None:
    """By the next dashboard: nothing is read twice; and without the mirror all is read again."""
    writer = log_scalars(logs / "a")
    first = Mirror(str(logs))
    path = seen(Catalog(files=first))["logs/a"].path
    before = Path(path).read_bytes()
    first.close()

    log_scalars(logs / "a", 5, 8, writer)
    second = Mirror(str(logs))
    catalog = Catalog(files=second)
    run = seen(catalog)["logs/a"]
    assert run.path == path
    assert Path(path).read_bytes().startswith(before)
    assert [step for step, _ in rows_of(catalog, run, "loss")] == list(range(8))
    second.close()

    shutil.rmtree(Path(cache.folder()))
    third = Mirror(str(logs))
    catalog = Catalog(files=third)
    assert [step for step, _ in rows_of(catalog, seen(catalog)["logs/a"], "loss")] == list(range(8))
    third.close()


def test_two_dashboards_share_a_mirror(logs: Path) -> None:
    """One converts and the other reads; when the first closes, the other goes on."""
    writer = log_scalars(logs / "a")
    first, second = Mirror(str(logs)), Mirror(str(logs))
    one, other = Catalog(files=first), Catalog(files=second)
    assert seen(one)["logs/a"].step == 4
    assert seen(other)["logs/a"].step == 4

    first.close()
    log_scalars(logs / "a", 5, 8, writer)
    assert seen(other)["logs/a"].step == 7
    second.close()


def test_what_is_gone_or_another_is_no_longer_shown(logs: Path, catalog: Catalog) -> None:
    log_scalars(logs / "a").close()
    log_scalars(logs / "b").close()
    assert set(seen(catalog)) == {"logs/a", "logs/b"}

    shutil.rmtree(logs / "a")
    (events,) = (logs / "b").iterdir()
    log_scalars(logs / "c", 0, 2).close()
    (shorter,) = (logs / "c").iterdir()
    shutil.move(shorter, events)
    runs = seen(catalog)

    assert set(runs) == {"logs/b"}
    assert runs["logs/b"].step == 1


def test_half_a_record_is_waited_for(logs: Path, catalog: Catalog) -> None:
    """Of event files, of wandb's and of tables, cut anywhere: the whole is the same in the end, and nothing was bad."""
    log_scalars(logs / "tb").close()
    shutil.copytree(MADE / "wandb", logs / "wandb")
    (logs / "metrics.csv").write_text("step,loss\n1,0.5\n2,0.25\n3,0.125\n")
    paths = [path for path in logs.rglob("*") if path.is_file() and path.suffix not in (".png", ".log")]
    whole = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.write_bytes(b"")

    for percent in (1, 20, 33, 34, 61, 99, 100):
        for path, data in whole.items():
            path.write_bytes(data[: len(data) * percent // 100])
        seen(catalog)

    runs = seen(catalog)
    assert [step for step, _ in rows_of(catalog, runs["logs/tb"], "loss")] == list(range(5))
    assert len(rows_of(catalog, runs["shapes/brave-fox"], "loss")) == 20
    assert rows_of(catalog, runs["/".join((logs.parent.name, "logs"))], "loss") == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert [run.bad_lines for run in runs.values()] == [0, 0, 0]


def test_a_table_that_is_written_anew_with_another_column(logs: Path, catalog: Catalog) -> None:
    """As Lightning does it, goes on in the same journal."""
    table = logs / "v" / "metrics.csv"
    table.parent.mkdir()
    table.write_text("step,loss\n1,0.5\n2,0.25\n")
    path = seen(catalog)["logs/v"].path

    table.write_text("acc,loss,step\n,0.5,1\n,0.25,2\n0.9,,3\n")
    run = seen(catalog)["logs/v"]

    assert run.path == path
    assert rows_of(catalog, run, "loss", "acc") == [(1, 0.5, None), (2, 0.25, None), (3, None, 0.9)]


# ---- damage and distrust ----


def test_damage_is_passed_over_and_counted(logs: Path, catalog: Catalog) -> None:
    log_scalars(logs / "tb", 0, 200).close()
    (events,) = (logs / "tb").iterdir()
    data = bytearray(events.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 60] = b"\xff" * 60
    events.write_bytes(data)
    shutil.copytree(MADE / "wandb", logs / "wandb")
    (offline,) = logs.glob("wandb/*/*.wandb")
    data = bytearray(offline.read_bytes())
    data[3000:3020] = b"\0" * 20
    offline.write_bytes(data)
    (logs / "metrics.jsonl").write_text('{"step": 1, "loss": 1}\n{"step": 2, "lo\n{"step": 3, "loss": 3}\n')

    runs = seen(catalog)

    assert len(runs) == 3
    for run in runs.values():
        assert catalog.check(run)
        assert run.bad_lines
    assert len(rows_of(catalog, runs["logs/tb"], "loss")) > 190
    assert len(rows_of(catalog, runs["shapes/brave-fox"], "loss")) >= 15


def test_names_lead_nowhere_and_command_no_terminal(logs: Path, catalog: Catalog, tmp_path: Path) -> None:
    """A wandb file whose texts lead elsewhere is a run within the mirror; its media are not fetched from there."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    evil = "../../\x1b]0;owned\x07"
    values = {"image": {"_type": "image-file", "path": "media/../../../secret.png"}, "\x1b[31mred": 1.0}
    folder = logs / "wandb" / "offline-run-1"
    folder.mkdir(parents=True)
    (folder / "run-x.wandb").write_bytes(offline_file(run_record(evil, evil, evil), history_record(1, values)))

    (run,) = seen(catalog).values()

    assert Path(run.path).resolve().is_relative_to(Path(cache.folder()).resolve())
    assert run.summary["image"]["trouble"]
    assert "\x1b" not in run.name + run.id + run.project + "".join(run.summary)
    assert not list(Path(cache.folder()).rglob("secret*"))


def test_giants_cost_little(logs: Path, catalog: Catalog) -> None:
    """Records that claim to be endless, JSON that is nested without end, lines without end."""
    deep = b"[" * 100_000
    folder = logs / "wandb" / "offline-run-1"
    folder.mkdir(parents=True)
    huge = b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
    (folder / "run-x.wandb").write_bytes(offline_file(run_record("a", "p", "n"), huge, history_record(1, {"a": 1})))
    (logs / "tb").mkdir()
    length = struct.pack("<Q", 1 << 62)
    (logs / "tb" / "events.out.tfevents.1").write_bytes(length + b"\0\0\0\0" + b"x" * 1000)
    (logs / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 1}\n{"step": 2, "loss": ' + deep + b"\n")
    (logs / "out").mkdir()
    (logs / "out" / "trainer_state.json").write_bytes(b'{"log_history": ' + deep)

    runs = seen(catalog)

    assert set(runs) == {"p/n", f"{logs.parent.name}/logs"}
    assert runs["p/n"].summary == {"a": 1}


def varint(number: int) -> bytes:
    """As protocol buffers write it."""
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, content: bytes | str) -> bytes:
    """A field of a message."""
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def run_record(run_id: str, project: str, name: str) -> bytes:
    """A record of wandb's that says who a run is."""
    return field(17, field(1, run_id) + field(3, project) + field(8, name))


def history_record(step: int, values: dict[str, Any]) -> bytes:
    """A record of wandb's with a row."""
    items = b"".join(field(1, field(1, key) + field(16, json.dumps(value))) for key, value in values.items())
    return field(2, items + field(2, b"\x08" + varint(step)))


def offline_file(*records: bytes) -> bytes:
    """A file of wandb's that holds them, each in one piece."""
    import zlib

    data = b":W&B\xe1\xbe\x00"
    for record in records:
        data += struct.pack("<IHB", zlib.crc32(record, zlib.crc32(b"\x01")), len(record), 1) + record
    return data


# ---- one's own and others' ----


def test_they_are_shown_with_ones_own_and_are_not_changed(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands list them with where they come from, and refuse to change them; nothing is written beside them."""
    log_scalars(logs / "exp" / "train").close()
    run = tracker.init(project="exp", name="own", dir=logs)
    run.finish()
    before = sorted(logs.rglob("*"))

    assert main(["ls", str(logs), "--json"]) == 0
    listed = {run["name"]: run for run in json.loads(capsys.readouterr().out)}
    assert listed["own"]["origin"] is None
    assert listed["train"]["origin"] == {"kind": "tensorboard", "path": str(logs / "exp" / "train"), "read_only": True}
    assert listed["train"]["project"] == "exp"
    assert main(["ls", str(logs), "--query", "origin:tensorboard", "--columns", "name,origin"]) == 0
    assert capsys.readouterr().out.split() == ["NAME", "ORIGIN", "train", "tensorboard"]
    for words in (["rename", "train", "new"], ["archive", "train"], ["delete", "train"]):
        assert main([*words, "--dir", str(logs)]) == 1
        assert f"`tracker-tui import {logs}` makes it a run of your own" in capsys.readouterr().err
    assert sorted(logs.rglob("*")) == before


def test_importing_makes_them_ones_own(logs: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, and then what has come since; an imported run can be renamed, and knows where it is from."""
    writer = log_scalars(logs / "exp" / "train")
    put_trackio(logs)

    assert main(["import", str(logs), "--dry-run"]) == 0
    assert "new        tensorboard  exp/train" in capsys.readouterr().out
    assert not root.exists()
    assert main(["import", str(logs)]) == 0
    assert "imported   tensorboard  exp/train  5 rows" in capsys.readouterr().out
    assert main(["import", str(logs)]) == 0
    assert "0 runs imported" in capsys.readouterr().out

    log_scalars(logs / "exp" / "train", 5, 8, writer)
    before = {path: path.read_bytes() for path in root.rglob("*.jsonl")}
    assert main(["import", str(logs), "--json"]) == 0
    outcomes = {run["name"]: run["outcome"] for run in json.loads(capsys.readouterr().out)}
    assert outcomes == {"train": "continued", "brave-1": "unchanged", "calm-2": "unchanged"}
    assert {path: path.read_bytes() for path in before} == before

    run = tracker.Api(root).run(f"exp/{_id_of(root, 'train')}")
    assert [row["_step"] for row in run.scan_history()] == list(range(8))
    assert run.state == "finished"
    assert main(["rename", "train", "better"]) == 0
    assert main(["show", "better", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert shown["origin"] == {"kind": "tensorboard", "path": str(logs / "exp" / "train"), "read_only": False}
    assert not [path for path in root.iterdir() if path.name.startswith(".")]


def _id_of(root: Path, name: str) -> str:
    return next(run.id for run in tracker.Api(root).runs() if run.name == name)


def test_what_was_imported_into_the_same_folder_is_shown_once(logs: Path) -> None:
    log_scalars(logs / "exp" / "train").close()
    assert main(["import", str(logs), "--dir", str(logs)]) == 0

    sources = open_sources([Address(str(logs), str(logs))])
    sources.refresh()

    (run,) = sources.runs.values()
    assert not run.is_read_only
    assert sources.of(run).root == str(logs)


def test_an_import_that_is_killed_leaves_nothing_half(logs: Path, root: Path) -> None:
    """Runs are there as a whole or not at all; the next import brings the others, and removes what was left."""
    for number in range(60):
        log_scalars(logs / f"run{number:02}", 0, 100).close()
    words = [sys.executable, "-m", "tracker_tui", "import", str(logs)]
    killed = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()

    for run in tracker.Api(root).runs():
        assert len(list(run.scan_history())) == 100
    assert main(["import", str(logs)]) == 0
    assert len(list(tracker.Api(root).runs())) == 60
    assert not [path for path in root.iterdir() if path.name.startswith(".")]


def test_commands_load_no_reader_where_there_is_nothing(root: Path) -> None:
    """Only one's own runs: no mirror is made, and neither sqlite3 nor a reader is loaded."""
    run = tracker.init(project="p", dir=root)
    run.finish()
    script = (
        "import sys; from tracker_tui.cli import main; main(['ls']);"
        "print(sorted(set(sys.modules) & {'sqlite3', 'tracker.media', 'tracker.foreign.conversion'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=30)

    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
    assert not Path(cache.folder(), "mirrors").exists()


def test_a_cache_that_cannot_be_written_is_told(logs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One's own runs are shown all the same."""
    log_scalars(logs / "exp" / "train").close()
    run = tracker.init(project="exp", name="own", dir=logs)
    run.finish()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    sources = open_sources([Address(str(logs), str(logs))])
    sources.refresh()

    assert [run.name for run in sources.runs.values()] == ["own"]
    (told,) = sources.left_out
    assert "runs of other tools cannot be shown" in told


def test_an_import_into_a_project_and_of_one_file(logs: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is named may be called as it likes; what cannot be imported is one line and code 1 or 2."""
    (logs / "odd-name.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    (logs / "text.csv").write_text("a,b\nc,d\n")

    assert main(["import", str(logs / "odd-name.csv"), "--project", "tables", "--dir", str(root)]) == 0
    (run,) = tracker.Api(root).runs("tables")
    assert [row["loss"] for row in run.scan_history()] == [0.5, 0.25]
    for words, code in (([str(logs / "text.csv")], 1), ([str(logs / "no")], 2), ([str(logs), "--project", "a/b"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(["import", *words])
        assert ended.value.code == code
    assert capsys.readouterr().err.count("\n") == 3


def test_a_database_of_any_size(logs: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs are found, and each page of rows costs a page; one that cannot be asked is told, and not gone."""
    database = put_trackio(logs)
    with closing(sqlite3.connect(database)) as written, written:
        rows = ((f"id{i % 3}", f"run{i % 3}", i // 3, json.dumps({"loss": i})) for i in range(30_000))
        written.executemany(
            "INSERT INTO metrics (timestamp, run_id, run_name, step, metrics) VALUES ('2026-01-01', ?, ?, ?, ?)",
            rows,
        )
    monkeypatch.setattr(trackio, "MAX_STEPS", 200)

    runs = seen(catalog)

    assert {run.step for name, run in runs.items() if name.startswith("shapes/run")} == {9999}
    assert sum(run.bad_lines for run in runs.values()) == 0
    with closing(sqlite3.connect(database)) as written, written:
        for index in ("step", "timestamp", "record"):
            written.execute(f"DROP INDEX idx_metrics_run_{index}")
    monkeypatch.setattr(trackio, "MAX_STEPS", 5)
    assert seen(catalog).keys() == runs.keys()
    assert isinstance(catalog.files, Mirror)
    assert "cannot be looked into now" in catalog.files.left_out


def test_the_last_row_without_an_end(logs: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is waited for while the table may grow, and taken when nothing more is expected."""
    table = logs / "a" / "metrics.csv"
    table.parent.mkdir(parents=True)
    table.write_text("step,loss\n1,0.5\n2,0.25")
    assert main(["import", str(logs), "--dir", str(root)]) == 0
    assert "2 rows" in capsys.readouterr().out
    (run,) = tracker.Api(root).runs("logs")
    assert (run.step, run.summary["loss"]) == (2, 0.25)
    table.write_text("step,loss\n1,0.5\n2,0.255\n3,0.125\n")
    assert main(["import", str(logs), "--dir", str(root)]) == 0
    (run,) = tracker.Api(root).runs("logs")
    assert (run.step, run.summary["loss"]) == (3, 0.125)


def test_a_table_with_some_odd_rows(logs: Path, catalog: Catalog) -> None:
    """Is a table all the same: a message or the config at its beginning, a broken cell; a date is the time alone."""
    for name, text in {
        "messages/log.jsonl": '{"msg": "start"}\n' + "".join(f'{{"step": {n}, "loss": {0.5**n}}}\n' for n in (1, 2, 3)),
        "broken/metrics.csv": "step,loss,date\n1,0.5,2026-01-02\n2,abc,2026-01-03\n3,0.125,2026-01-04\n",
    }.items():
        (logs / name).parent.mkdir(parents=True)
        (logs / name).write_text(text)
    runs = seen(catalog)
    assert {run.step for run in runs.values()} == {3}
    assert {run.summary["loss"] for run in runs.values()} == {0.125}
    assert all("date" not in run.summary for run in runs.values())


def test_two_imports_at_once(logs: Path, root: Path) -> None:
    """Each run is imported once: the second waits for the first."""
    for number in range(12):
        log_scalars(logs / "exp" / f"run{number}").close()
    code = "import sys; from tracker_tui.cli import main; raise SystemExit(main(['import', *sys.argv[1:]]))"
    words = [sys.executable, "-c", code, str(logs), "--dir", str(root)]
    both = [subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(PATIENCE) for process in both] == [0, 0]
    assert len(list(root.glob("*/run-*.jsonl"))) == 12


def test_a_database_that_is_being_written(logs: Path, catalog: Catalog) -> None:
    """What a writer in WAL mode has committed is there, a run that came later too."""
    database = sqlite3.connect(put_trackio(logs), isolation_level=None)
    assert database.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    insert = "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?, ?)"
    when = "2026-11-23T21:15:31+00:00"
    database.execute(insert, ("one", when, "late-3", 0, '{"loss": 0.5}'))
    assert seen(catalog)["shapes/late-3"].step == 0

    database.execute(insert, ("one", when, "late-3", 1, '{"loss": 0.25}'))
    database.execute(insert, ("two", when, "later-4", 0, '{"loss": 0.5}'))
    runs = seen(catalog)

    assert rows_of(catalog, runs["shapes/late-3"], "loss") == [(0, 0.5), (1, 0.25)]
    assert runs["shapes/later-4"].step == 0
    database.close()


def test_a_run_that_came_back_and_is_removed_is_gone(logs: Path, catalog: Catalog) -> None:
    """With all journals that were made of it; and a mirror that is deleted meanwhile is made anew."""
    writer = log_scalars(logs / "a")
    seen(catalog)
    make_old(logs)
    seen(catalog)
    log_scalars(logs / "a", 5, 8, writer)
    assert seen(catalog)["logs/a"].step == 7
    assert len(list(Path(catalog.root).rglob("run-*.jsonl"))) == 2

    shutil.rmtree(catalog.root)
    log_scalars(logs / "a", 8, 10, writer)
    assert [step for step, _ in rows_of(catalog, seen(catalog)["logs/a"], "loss")] == list(range(10))

    shutil.rmtree(logs / "a")
    assert seen(catalog) == {}
    assert not list(Path(catalog.root).rglob("run-*.jsonl"))


def test_what_a_run_of_ours_has_of_a_log_is_not_shown_twice(logs: Path, catalog: Catalog) -> None:
    """Until that run is removed."""
    script = (
        "import sys, tracker; from tensorboardX import SummaryWriter\n"
        "run = tracker.init(project='p', dir='.', sync_tensorboard=True)\n"
        "writer = SummaryWriter('tb/one')\n"
        "writer.add_scalar('loss', 0.5, 0)\n"
        "writer.close(); run.finish(); print(run.file)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), cwd=logs, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    log_scalars(logs / "tb" / "other").close()
    assert set(seen(catalog)) == {"tb/other"}

    (logs / done.stdout.split()[-1]).unlink()
    assert set(seen(catalog)) == {"tb/other", "tb/one"}


def test_what_was_left_running_has_ended_at_the_next_look(logs: Path) -> None:
    """Whose dashboard was closed before its files were quiet: it never counts as crashed."""
    log_scalars(logs / "a")
    first = Mirror(str(logs))
    path = Path(seen(Catalog(files=first))["logs/a"].path)
    first.close()
    make_old(logs)
    os.utime(path, (time.time() - 3600, time.time() - 3600))

    second = Mirror(str(logs))
    catalog = Catalog(files=second)
    states: list[str] = []

    def look() -> bool:
        catalog.apply(catalog.collect(0.01))
        states.extend(run.state for run in catalog.runs.values())
        return states[-1:] == ["finished"]

    assert wait_for(look)
    second.close()

    assert set(states) <= {"running", "finished"}
