"""Columns that are kept of long histories save time, and never show what is not true."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import tracker
from tracker import cache
from tracker.catalog import Catalog
from tracker.history import History
from tracker.journal import Tail
from tracker.stored import Key
from tracker_tui.feed import LARGE, HistoryFeed, read_history
from tracker_tui.model import Model
from tracker_tui.sources import Sources

ROWS = LARGE // 110


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a long history, with a spike, a metric that is logged seldom, and what is no number."""
    root = tmp_path_factory.mktemp("made")
    with tracker.init(dir=root, project="p", id="long") as run:
        run.log({"loss": 1.0})
    path = Path(run.file)
    start, *_, end = path.read_text().splitlines(keepends=True)
    with path.open("w") as file:
        file.write(start)
        for step in range(ROWS):
            row = {
                "_step": step,
                "_timestamp": 1795332199.5 + step,
                "loss": 1 / (step + 1),
                "acc": step / ROWS,
                "lr": 0.1,
            }
            row["a rather long name of a metric"] = 3 if step != ROWS // 2 else 1e6
            if step % 1000 == 7:
                row["val/loss"] = "NaN" if step % 2000 == 7 else step
            file.write(json.dumps(row) + "\n")
            if step % 5000 == 3:
                file.write(f'{{"_type":"system","_timestamp":{1795332199.5 + step},"cpu":{step % 100}}}\n')
        file.write(end)
    assert path.stat().st_size > LARGE
    return root


@pytest.fixture
def journal(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "runs", copy_function=shutil.copy2)
    (path,) = (tmp_path / "runs" / "p").glob("run-*.jsonl")
    return path


def opened(journal: Path) -> HistoryFeed:
    """The history as the dashboard opens it, read once."""
    catalog = Catalog(journal.parents[1])
    catalog.refresh()
    (run,) = catalog.newest_first()
    feed = HistoryFeed(catalog, run)
    feed.fold(feed.read())
    return feed


def whole(journal: Path) -> History:
    """All of it."""
    feed = opened(journal)
    while feed.is_sampled or feed.is_behind or not feed.is_whole:
        feed.fold(feed.read())
    feed.fold(feed.read())  # then it is kept
    return feed.history


def contents(history: History) -> dict[str, str]:
    """Everything in it; NaN is like itself only as text."""
    columns = {**history.columns, **{f"system {name}": column for name, column in history.system.items()}}
    columns |= {"times": history.times, "system times": history.system_times}
    return {name: repr((column.steps.tobytes(), column.values.tobytes())) for name, column in columns.items()}


def exact(journal: Path) -> dict[str, str]:
    """What the journal says."""
    history = History()
    history.extend(Tail(str(journal)).read())
    return contents(history)


def the_file() -> Path:
    (path,) = Path(cache.folder()).glob("columns-*")
    return path


def test_a_history_is_whole_at_once_the_second_time(journal: Path) -> None:
    first = opened(journal)
    assert first.is_sampled
    assert len(first.history.columns["loss"].values) < ROWS
    history = whole(journal)
    assert len(history.columns["loss"].values) == ROWS
    assert max(history.columns["a rather long name of a metric"].values) == 1e6
    assert contents(history) == exact(journal)
    again = opened(journal)
    assert not again.is_sampled
    assert contents(again.history) == exact(journal)


def test_what_is_kept_has_every_row_that_was_read(journal: Path) -> None:
    catalog = Catalog(journal.parents[1])
    catalog.refresh()
    (run,) = catalog.newest_first()
    for _ in range(3):
        assert contents(read_history(catalog, run)) == exact(journal)


def grown(journal: Path) -> None:
    with journal.open("a") as file:
        file.writelines(
            f'{{"_step":{ROWS + i},"_timestamp":{1795532199 + i},"loss":{i},"new":1}}\n' for i in range(1000)
        )


def grown_by_late_rows(journal: Path) -> None:
    with journal.open("a") as file:
        file.write('{"_step":5,"_timestamp":1795532199,"loss":-7}\n{"_step":6.5,"acc":-7}\n')


def rewritten(journal: Path) -> None:
    text = journal.read_text()
    journal.write_text(text.replace('"lr": 0.1', '"lr": 0.2'))


def of_another_run(journal: Path) -> None:
    text = journal.read_text()
    journal.write_text(text.replace("long", "song", 1).replace('"acc": 0.5', '"acc": 9.5'))


def shortened(journal: Path) -> None:
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1000]))


@pytest.mark.parametrize("change", [grown, grown_by_late_rows, rewritten, of_another_run, shortened])
def test_what_has_changed_is_told_as_it_is(journal: Path, change: Callable[[Path], None]) -> None:
    before = contents(whole(journal))
    change(journal)
    assert exact(journal) != before
    assert contents(whole(journal)) == exact(journal)
    assert contents(whole(journal)) == exact(journal)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    place = len(data) // 3
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def flipped_head(data: bytes) -> bytes:
    return data.replace(b'"loss"', b'"gain"', 1)


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda _: b"{}\n" * 9, cut, flipped, flipped_head])
def test_a_spoiled_file_spoils_nothing(journal: Path, spoil: Callable[[bytes], bytes]) -> None:
    before = contents(whole(journal))
    the_file().write_bytes(spoil(the_file().read_bytes()))
    assert contents(whole(journal)) == before
    assert contents(opened(journal).history) == before  # and it is kept again


def test_a_cache_that_cannot_be_written_costs_nothing_else(journal: Path) -> None:
    Path(os.environ["XDG_CACHE_HOME"]).write_text("a file")
    assert contents(whole(journal)) == exact(journal)


def test_very_long_histories_share_the_memory(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those on top are whole, the others a sample; what somebody asks for is read all the same."""
    monkeypatch.setattr("tracker_tui.model.MAX_WHOLE", 2 * journal.stat().st_size)
    for number in range(4):
        shutil.copyfile(journal, journal.with_name(f"run-20250101_00000{number}-copy{number}.jsonl"))
    model = Model(Sources([Catalog(journal.parents[1])]))
    model.apply(model.collect())
    keys = [Key("p", f"copy{number}") for number in range(4)]

    def rows(*keys: Key) -> list[bool]:
        """Whether each history is whole when all is read that is to be."""
        model.look_at(keys)
        for _ in range(200):
            model.apply(model.collect())
        return [len(subject.history.columns["loss"].values) == ROWS for subject in model.subjects()]

    assert rows(*keys[:2]) == [True, True]
    assert rows(*keys) == [False, False, True, True]
    assert model.sampled() is not None
    assert rows(keys[2], keys[3], keys[0]) == [False, True, True]
    model.load_all(at_any_cost=True)
    assert rows(keys[2], keys[3], keys[0]) == [True, True, True]
    assert model.sampled() is None
    model = Model(Sources([Catalog(journal.parents[1])]))
    model.apply(model.collect())
    model.look_at(keys)
    model.load_all(at_any_cost=True)  # before anything is there
    assert rows(*keys) == [True] * 4
