"""Rows in order of step, merged: what a reader gets, whatever the order in which they were written."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import write_journal
from tracker.rows import Rows, Samples

ALL = float("inf")


def scanned(root: Path, run_id: str = "abcd1234", **limits: Any) -> list[dict[str, Any]]:
    """What `Api` gives of a run."""
    return list(tracker.Api(root).run(f"p/{run_id}").scan_history(**limits))


def test_late_rows_take_their_place(root: Path) -> None:
    """A row of an earlier step is merged into it, and its values win; one between two steps comes between them."""
    with tracker.init(project="p", id="late", dir=root) as run:
        for step in range(0, 10, 2):
            run.log({"loss": step}, step=step)
        run.log({"val": 1.0, "loss": -1}, step=2)
        run.log({"val": 2.0}, step=3)
        run.log({"val": 3.0}, step=2)
        run.log({"loss": 10}, step=10)
    rows = [{key: row[key] for key in row if key != "_timestamp"} for row in scanned(root, "late")]
    assert rows == [
        {"_step": 0, "loss": 0},
        {"_step": 2, "loss": -1, "val": 3.0},
        {"_step": 3, "val": 2.0},
        {"_step": 4, "loss": 4},
        {"_step": 6, "loss": 6},
        {"_step": 8, "loss": 8},
        {"_step": 10, "loss": 10},
    ]


def test_a_resumed_run_takes_later_values(root: Path) -> None:
    """Where two journals have rows of a step, those of the later one are laid over the earlier ones."""
    for start, value in ((0, "a"), (3, "b")):
        with tracker.init(project="p", id="again", dir=root, resume="allow") as run:
            for step in range(start, start + 5):
                run.log({value: step, "last": value}, step=step)
    assert [(row["_step"], row["last"], "a" in row) for row in scanned(root, "again")] == [
        *((step, "a", True) for step in range(3)),
        *((step, "b", True) for step in (3, 4)),
        *((step, "b", False) for step in (5, 6, 7)),
    ]


def test_parts_of_a_history(root: Path) -> None:
    """`min_step` and `max_step` choose the same rows as they do from all of them, late rows too."""
    write_journal(root, [{"_step": step, "a": step} for step in [0, 1, 2, 5, 6, 3, 1, 7, 4, 9, 8]])
    assert [row["_step"] for row in scanned(root)] == list(range(10))
    for low, high in ((0, 4), (3, 8), (8, 100), (4, 4)):
        assert [row["_step"] for row in scanned(root, min_step=low, max_step=high)] == list(range(low, min(high, 10)))


@pytest.mark.parametrize("seed", range(20))
def test_any_journals_give_what_their_definition_says(tmp_path: Path, seed: int) -> None:
    """Several journals, steps in any order, written by us or by others, torn lines among them; all of it or a part."""
    dice = random.Random(seed)
    journals = []
    expected: dict[float, dict[str, Any]] = {}
    for number in range(dice.randint(1, 3)):
        last = dice.choice([ALL, ALL, 40])
        lines = []
        step = 0.0
        for _ in range(dice.randint(0, 60)):
            step = step + 1 if dice.random() < 0.8 else dice.choice([0, 7, 30.5, 55, -3])
            row = {"_step": step if step % 1 else int(step), dice.choice("abc"): dice.random()}
            if step <= last:
                expected.setdefault(step, {}).update(row)
            lines.append(json.dumps(row, separators=dice.choice([(",", ":"), (", ", ": ")])))
            lines += dice.choice([[], [], ['{"_type":"system","cpu":1}'], ['{"_step":99,"a'], ["", "[1]"]])
        path = tmp_path / f"{number}.jsonl"
        path.write_text("".join(line + "\n" for line in lines))
        journals.append((str(path), last))
    wanted = [expected[step] for step in sorted(expected)]
    rows = Rows(journals)
    assert list(rows) == wanted
    assert list(rows) == wanted  # what was given away is not what is kept
    assert list(rows.read(lambda step: 5 <= step < 31)) == [row for row in wanted if 5 <= row["_step"] < 31]
    assert set(expected) <= set(rows.steps())


def test_what_is_appended_meanwhile_is_left_out(tmp_path: Path) -> None:
    """A reading is of one moment, so that what it found out about late rows holds."""
    path = write_journal(tmp_path, [{"_step": step} for step in (0, 5)])
    rows = Rows([(str(path), ALL)])
    reading = iter(rows)
    assert next(reading) == {"_step": 0}
    with path.open("a") as file:
        file.write('{"_step":3}\n{"_step":6}\n')
    assert list(reading) == [{"_step": 5}]
    assert [row["_step"] for row in rows] == [0, 5]
    assert [row["_step"] for row in Rows([(str(path), ALL)])] == [0, 3, 5, 6]


def test_samples_that_come_while_they_are_read_are_left_out(root: Path) -> None:
    """Whoever reads them twice gets the same twice."""
    line = '{"_type":"system","_timestamp":%d,"cpu":1%s}\n'
    path = write_journal(root, (line % (1700000000, "") + line % (1700000001, "")).encode())
    samples = Samples([(str(path), ALL)])
    first = samples.read()
    with path.open("a") as file:
        file.write(line % (1700000002, ',"gpu.0.temp":50'))
    assert samples.read() == first
    assert len(first) == 2
