"""What TensorBoard's writers write: read from their files, and logged as they write it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX import SummaryWriter

import tracker
from support import StartScript, tell, wait_line
from tracker import tensorboard
from tracker.api import Api
from tracker.foreign.events import MAX_EVENT, Event, EventReader
from tracker.histogram import Histogram
from tracker.media import Image


@pytest.fixture(autouse=True)
def _unpatched() -> Iterator[None]:
    yield
    tensorboard.unpatch()


def write(folder: Path, do: Callable[[Any], object]) -> bytes:
    """An event file's bytes."""
    with SummaryWriter(str(folder)) as writer:
        do(writer)
    (file,) = folder.glob("*tfevents*")
    return file.read_bytes()


def scalars(writer: Any) -> None:
    for step in range(50):
        writer.add_scalar("train/loss", 1 / (step + 1), step, walltime=1000.0 + step)


def read(data: bytes, size: int = 1 << 20) -> tuple[list[Event], EventReader]:
    """All events, with so many bytes at a time."""
    reader = EventReader()
    return [event for at in range(0, len(data), size) for event in reader.feed(data[at : at + size])], reader


# ---- files ----


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_scalars_are_read_however_the_bytes_come(tmp_path: Path, size: int) -> None:
    """With their steps and times; a number is a float of 32 bits there."""
    data = write(tmp_path / "tb", scalars)
    events, reader = read(data, size)
    assert [(event.time, event.step) for event in events] == [(1000.0 + step, step) for step in range(50)]
    assert [event.values["train/loss"] for event in events] == pytest.approx([1 / (step + 1) for step in range(50)])
    assert (reader.bad, reader.offset) == (0, len(data))


def test_a_reader_goes_on_where_another_ended(tmp_path: Path) -> None:
    """At `offset`, which lies between two events even when half of one was read."""
    data = write(tmp_path / "tb", scalars)
    first = EventReader()
    events = first.feed(data[: len(data) // 2 + 3])
    second = EventReader(first.offset)
    events += second.feed(data[first.offset :])
    assert [event.step for event in events] == list(range(50))


def test_all_that_can_be_shown_is_read(tmp_path: Path) -> None:
    """Images, histograms, texts; graphs and the like are passed over."""

    def do(writer: Any) -> None:
        writer.add_image("image", np.zeros((3, 4, 5)), 1)
        writer.add_histogram("histogram", np.arange(100.0), 2)
        writer.add_text("text", "it **works**", 3)
        writer.add_custom_scalars({"layout": {"losses": ["Multiline", ["a", "b"]]}})
        writer.add_scalar("negative", -2.5, -3)

    values = {tag: value for event in read(write(tmp_path / "tb", do))[0] for tag, value in event.values.items()}
    assert isinstance(values["image"], Image)
    assert not values["image"].trouble
    assert isinstance(values["histogram"], Histogram)
    assert sum(values["histogram"].histogram) == 100
    assert values["text/text_summary"] == "it **works**"
    assert values["negative"] == -2.5


def test_hyperparameters_are_a_config(tmp_path: Path) -> None:
    """`add_hparams` writes them into a folder of their own."""
    with SummaryWriter(str(tmp_path / "tb")) as writer:
        writer.add_hparams({"lr": 0.5, "optimizer": "adam", "nesterov": True}, {"accuracy": 0.75}, name="1699999999.5")
    (file,) = (tmp_path / "tb").glob("*/*tfevents*")
    events, _ = read(file.read_bytes())
    assert [event.config for event in events if event.config] == [{"lr": 0.5, "optimizer": "adam", "nesterov": True}]
    assert [event.exit_code for event in events if event.exit_code is not None] == [0]


def test_damage_costs_no_more_than_what_it_hits(tmp_path: Path) -> None:
    """The next sound event is searched for."""
    data = bytearray(write(tmp_path / "tb", scalars))
    one = (len(data) - read(bytes(data))[1].offset) or len(data) // 51
    data[20 * one : 20 * one + 16] = b"\xff" * 16
    events, reader = read(bytes(data), 64)
    assert len(events) >= 47
    assert reader.bad >= 1
    assert events[-1].step == 49


def test_a_giant_costs_no_memory(tmp_path: Path) -> None:
    """An event that says it is larger than any is passed over, as soon as its first bytes are there."""
    import struct

    from tracker.foreign.events import _masked_crc

    length = MAX_EVENT + 5
    head = struct.pack("<QI", length, _masked_crc(length))
    reader = EventReader()
    assert reader.feed(head + b"x" * 100) == []
    while reader.offset < length + 16:
        reader.feed(b"x" * min(1 << 20, length + 16 - reader.offset))
    assert (reader.bad, reader.offset) == (1, length + 16)
    assert len(reader.feed(write(tmp_path / "tb", scalars))) == 50


def test_no_bytes_make_a_reader_fail(tmp_path: Path, chance: random.Random) -> None:
    """Whatever they are."""

    def do(writer: Any) -> None:
        writer.add_text("t", "x", 1)
        writer.add_histogram("h", np.arange(20.0), 2)
        writer.add_image("i", np.zeros((3, 2, 2)), 1)
        scalars(writer)

    data = write(tmp_path / "tb", do)
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        read(bytes(damaged), chance.choice([13, 1000, 100_000]))


# ---- as it is written ----


def rows(run: tracker.Run) -> list[dict[str, Any]]:
    """A run's rows without their own facts."""
    (stored,) = [each for each in Api(Path(run.file).parent.parent).runs(run.project) if each.id == run.id]
    return [{key: value for key, value in row.items() if key != "_timestamp"} for row in stored.scan_history()]


def test_what_a_writer_writes_becomes_rows(root: Path, tmp_path: Path) -> None:
    """One a step, drawn over it, with what the script logs itself in between."""
    with tracker.init(project="p", dir=root, sync_tensorboard=True) as run, SummaryWriter(str(tmp_path / "tb")) as tb:
        for step in (10, 20):
            tb.add_scalar("loss", step / 2, step)
            tb.add_scalar("accuracy", step / 100, step)
            if step == 10:
                run.log({"own": 1})
        tb.add_scalar("loss", 3.0, 15)  # TensorBoard's steps may go back
    found = rows(run)
    assert [row.pop("_step") for row in found] == [0, 1, 2]
    assert found == [
        {"global_step": 10, "loss": 5.0, "accuracy": pytest.approx(0.1), "own": 1},
        {"global_step": 20, "loss": 10.0, "accuracy": pytest.approx(0.2)},
        {"global_step": 15, "loss": 3.0},
    ]
    assert Api(root).run(f"p/{run.id}").summary["loss"] == 3.0


def test_a_row_is_there_before_the_writer_flushes(start: StartScript, root: Path) -> None:
    """Nothing is lost when the process is killed: the writer itself would have lost both."""
    process = start(
        "import os, signal, tracker\n"
        "from tensorboardX import SummaryWriter\n"
        f"tracker.init(project='p', dir={str(root)!r}, id='a', sync_tensorboard=True)\n"
        "tb = SummaryWriter('tb')\n"
        "tb.add_scalar('loss', 1.0, 1)\n"
        "tb.add_scalar('loss', 2.0, 2)\n"
        "print('logged')\n"
        "input()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    wait_line(process, "logged")
    tell(process)
    process.wait()
    run = Api(root).run("p/a")
    assert [row["loss"] for row in run.scan_history()] == [1.0, 2.0]
    assert run.state == "crashed"


def test_media_and_hyperparameters_come_too(root: Path, tmp_path: Path) -> None:
    """As if the script had logged them; the folder that `add_hparams` makes is not in the names."""
    run = tracker.init(project="p", dir=root, sync_tensorboard=True, config={"lr": 1.0})
    with SummaryWriter(str(tmp_path / "tb")) as tb:
        tb.add_scalar("loss", 1.0, 0)
        tb.add_image("seen", np.zeros((3, 4, 5)), 1)
        tb.add_hparams({"lr": 0.5}, {"accuracy": 0.75})
    assert run.config["lr"] == 0.5
    assert run.summary["seen"]["_type"] == "image-file"
    assert run.summary["accuracy"] == 0.75


def test_several_folders_are_told_apart(root: Path, tmp_path: Path) -> None:
    """By their paths below what they have in common; `train` is taken for one of several from the first on."""
    run = tracker.init(project="p", dir=root, sync_tensorboard=True)
    for name in ("logs/train", "logs/validation", "logs/train/deep"):
        with SummaryWriter(str(tmp_path / name)) as tb:
            tb.add_scalar("loss", 1.0, 0)
    assert sorted(run.summary.keys()) == ["global_step", "train/deep/loss", "train/loss", "validation/loss"]


def test_patch_takes_the_run_that_is_current(root: Path, tmp_path: Path) -> None:
    """Writers made before count too, and what is written while there is no run is nobody's; `unpatch` ends it."""
    with SummaryWriter(str(tmp_path / "tb" / "x")) as tb:
        tb.add_scalar("loss", 1.0, 0)
        tensorboard.patch(root_logdir=str(tmp_path / "tb"))
        tb.add_scalar("loss", 2.0, 1)
        with tracker.init(project="p", dir=root, id="a") as first:
            tb.add_scalar("loss", 3.0, 2)
        with tracker.init(project="p", dir=root, id="b") as second:
            tb.add_scalar("loss", 4.0, 3)
            tensorboard.unpatch()
            tb.add_scalar("loss", 5.0, 4)
    assert [row["x/loss"] for row in rows(first)] == [3.0]
    assert [row["x/loss"] for row in rows(second)] == [4.0]


def test_a_library_that_is_imported_later_is_heard(start: StartScript, root: Path) -> None:
    """Most scripts import it first, some do not."""
    process = start(
        "import sys, tracker\n"
        f"run = tracker.init(project='p', dir={str(root)!r}, id='a', sync_tensorboard=True)\n"
        "assert 'tensorboardX' not in sys.modules\n"
        "from tensorboardX import SummaryWriter\n"
        "with SummaryWriter('tb') as tb: tb.add_scalar('loss', 1.0, 1)\n"
        "assert run.summary['loss'] == 1.0\n"
        "print('done')\n"
    )
    wait_line(process, "done")


def test_what_cannot_be_read_does_not_stop_training(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One warning, whatever the library hands over."""
    tracker.init(project="p", dir=root, sync_tensorboard=True)
    with SummaryWriter(str(tmp_path / "tb")) as tb:
        tb.add_scalar("loss", 1.0, 0)
        writer = tb.file_writer.event_writer
        writer.get_logdir = lambda: 1 / 0
        tb.add_scalar("loss", 2.0, 1)
        tb.add_scalar("loss", 2.0, 2)
    assert capsys.readouterr().err.count("not all of what TensorBoard is told is logged") == 1


def test_odd_tags(root: Path, tmp_path: Path) -> None:
    """A tag that is called like the step leaves the step alone; one without a name gets one."""
    run = tracker.init(project="p", dir=root, sync_tensorboard=True)
    with SummaryWriter(str(tmp_path / "tb")) as tb:
        tb.add_scalar("global_step", 5.0, 1)
        tb.add_scalar("", 6.0, 1)
    run.finish()
    (row,) = rows(run)
    assert row == {"_step": 0, "global_step": 1, "_global_step": 5.0, "value": 6.0}


def test_a_project_knows_which_folders_its_runs_have_logged(root: Path, tmp_path: Path) -> None:
    """So that a dashboard that finds the event files does not show the same values twice."""
    run = tracker.init(project="p", dir=root, sync_tensorboard=True)
    with SummaryWriter(str(tmp_path / "tb")) as tb:
        tb.add_scalar("loss", 1.0, 0)
        tb.add_scalar("loss", 1.0, 1)
    assert (root / "p" / ".synced").read_text() == f"{Path(run.file).name}\t{tmp_path / 'tb'}\n"
