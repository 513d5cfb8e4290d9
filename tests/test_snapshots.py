"""Every view at four sizes, as it was when somebody looked at it last; and all of them while the terminal is resized.

`pytest tests/test_snapshots.py --update-snapshots` writes the files of `tests/snapshots` anew: look at the difference.
They are plain text, so that a difference can be read; colours are the business of `test_look`. What depends on the
machine or the hour is left out: dates and times, the name of the machine, the folder.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from terminal import Terminal

HERE = Path(__file__).parent / "snapshots"
SIZES = [(160, 45), (120, 40), (80, 24), (40, 12)]
AGE = 7500
"""Seconds since the runs began: what is told in hours stays the same while the tests run."""
WIDE = 120

Step = tuple[str, list[str], list[str]]
"""What is shown, the keys that lead there, and those that lead back."""


def steps(columns: int) -> Iterator[Step]:
    """All views, one after the other."""
    is_narrow = columns < WIDE
    back = ["2"] if is_narrow else []
    yield "charts of a run", [], []
    if is_narrow:
        yield "tree", ["1"], back
        yield "overview", ["3"], back
    yield "console", ["4"], ["2"] if is_narrow else ["4"]
    to_charts = [] if is_narrow else ["tab"]
    yield "one chart alone", [*to_charts, "enter" if columns >= 40 else ""], []
    yield "crosshair", ["i", "left", "left"], ["escape", "escape", "escape"]
    yield "media", ["7", "left"], []
    yield "one name alone", ["enter"], ["escape", "escape", "7"]
    yield "files of a run", ["F"], ["escape"]
    yield "help", ["?"], ["escape"]
    yield "palette", ["\x10", "comp"], ["escape"]
    yield "table", ["1", *(["1"] if not is_narrow else []), "escape", "home", "enter"], []
    yield "order", ["s"], ["escape"]
    yield "columns", ["C"], ["escape"]
    yield "runs compared", ["c"], ["escape"]
    yield "events", ["E"], ["escape"]
    yield "query", ["/", "("], ["escape"]
    yield "no run found", ["/", "nothing", "enter"], ["escape", "escape"]
    yield "rename", ["1", *(["1"] if not is_narrow else []), "end", "r"], ["escape"]
    yield "tags", ["t"], ["escape"]
    yield "notes", ["n"], ["escape"]
    yield "copy", ["y"], ["escape"]


def write_run(root: Path, number: int, name: str, end: dict[str, object], **more: object) -> None:
    """A run's files as a job leaves them, the same ones each time but for the clock."""
    chance = random.Random(number)
    begin = int(time.time()) - AGE + 60 * number  # so that files are of the same size each time
    identity = {"id": f"id{number:06}", "name": name, "project": "vision", "host": "box", "user": "ann", "pid": 100}
    config = {"lr": round(0.1 / (number + 1), 4), "batch_size": 32 << number % 2, "model": {"depth": 12, "width": 384}}
    start = {"_type": "start", "_timestamp": begin, "format": 1, **identity, "config": config, **more}
    records: list[dict[str, object]] = [{**start, "command": "python train.py", "cwd": "/home/ann/vision"}]
    summary: dict[str, object] = {}
    for step in range(200):
        loss = 2.4 * math.exp(-step / (30 + 10 * number)) + 0.2 + chance.random() / 20
        summary = {"train/loss": loss, "train/acc": 1 - loss / 3, "lr": 0.1 * (1 - step / 200), "grad_norm": 1 + loss}
        summary |= {"val/loss": loss + 0.1} if step % 10 == 0 else {}
        records.append({"_step": step, "_timestamp": begin + 5 * step, **summary, **media(root, number, step)})
    records.append({"_type": "end", "_timestamp": begin + 1000, **end})
    folder = root / "vision"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"run-20260101_0000{number:02}-id{number:06}"
    (folder / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / stem).mkdir(exist_ok=True)
    printed = [
        {
            "_timestamp": begin + 5 * n,
            "_step": n,
            "line": n,
            "stream": "stdout",
            "text": f"epoch {n} loss {2 / (n + 1):.3f}",
        }
        for n in range(40)
    ]
    (folder / stem / "console.jsonl").write_text(
        "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in printed)
    )


def media(root: Path, number: int, step: int) -> dict[str, object]:
    """What a row holds besides numbers, every hundred steps; its files are written."""
    if step % 100:
        return {}
    folder = root / "vision" / f"run-20260101_0000{number:02}-id{number:06}" / "media"
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), (step, 90, 200)).save(folder / f"{step}.png", compress_level=0)
    table = {"columns": ["id", "label"], "data": [[row, f"item {row}"] for row in range(40)]}
    (folder / "table.json").write_text(json.dumps(table))
    image = {"_type": "image-file", "path": f"media/{step}.png", "width": 24, "height": 16, "caption": f"cat {step}"}
    return {
        "examples": image,
        "weights": {"_type": "histogram", "values": [1, 4 + step, 2], "bins": [-1, 0, 1, 2]},
        "mistakes": {"_type": "table-file", "path": "media/table.json", "ncols": 2, "nrows": 40},
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    write_run(root, 0, "baseline", {"exit_code": 0})
    write_run(root, 1, "长名字 long warm-up", {"exit_code": 0}, tags=["best"], notes="The one to beat.")
    write_run(root, 2, "lr too high", {"exit_code": 1, "error": "ValueError: loss is NaN"}, group="sweep")
    write_run(root, 3, "stopped early", {"exit_code": 130, "signal": "SIGINT"}, group="sweep")
    return root


def go(terminal: Terminal, keys: list[str]) -> None:
    """Press keys; what follows waits for what it wants to see."""
    terminal.step(*keys)


def seen(terminal: Terminal) -> str:
    """The screen without what depends on machine and hour."""
    text = re.sub(
        r"\d{4}-\d\d-\d\d|\d\d-\d\d |\d\d:\d\d(:\d\d)?", lambda found: re.sub(r"\d", "0", found[0]), terminal.text
    )
    return "\n".join(line.rstrip() for line in re.sub(r"\S*:(~|…)/runs", "", text).splitlines())


def shows(wanted: str) -> Callable[[Terminal], bool]:
    return lambda terminal: seen(terminal) == wanted


def read(file: Path) -> dict[str, str]:
    parts = re.split(r"^==== (.*) ====\n", file.read_text() if file.exists() else "", flags=re.M)
    return {name: text.rstrip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_every_view_looks_as_it_did(root: Path, columns: int, rows: int, request: pytest.FixtureRequest) -> None:
    """Screen by screen, as text."""
    is_new = request.config.getoption("--update-snapshots")
    file = HERE / f"{columns}x{rows}.txt"
    kept = read(file)
    shown: dict[str, str] = {}
    with Terminal(
        ["-m", "tracker_tui", "runs"],
        columns,
        rows,
        cwd=root.parent,
        env={"HOME": str(root.parent), "TMUX": "/tmp/none,1,0"},
    ) as it:
        it.wait_for("train/loss  0.")
        for name, there, back in steps(columns):
            go(it, there)
            if is_new:
                it.settle(0.5)
                it.wait_for(lambda terminal: "reading…" not in terminal.text)
                shown[name] = seen(it)
            else:
                it.wait_for(shows(kept.get(name, "")))
            it.step(*back)
    if is_new:
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"==== {name} ====\n{text}\n" for name, text in shown.items()))


def test_no_view_breaks_while_the_terminal_is_resized(root: Path) -> None:
    """From 40x12 to 300x100 and back in every view: boxes are closed at every size, and no error is told."""
    with Terminal(
        ["-m", "tracker_tui", "runs"], 160, 45, cwd=root.parent, env={"HOME": str(root.parent), "TMUX": "/tmp/none,1,0"}
    ) as it:
        it.wait_for("train/loss  0.")
        for _, there, back in steps(160):
            go(it, there)
            for columns, rows in ((40, 12), (300, 100), (160, 45)):
                it.resize(columns, rows)
                it.wait_for(is_whole)
            it.step(*back)
        it.step("q")
        assert it.wait_for_end() == 0
    assert b"Traceback" not in it.raw


def is_whole(terminal: Terminal) -> bool:
    """Whether every box that begins on the screen ends there, below its corner; one may lie over another."""
    cells = terminal.cells
    corners = [(x, y) for y, row in enumerate(cells) for x, sign in enumerate(row) if sign == "╭"]
    if not corners:
        return False
    for x, y in corners:
        bottom = next((row for row in range(y + 1, len(cells)) if cells[row][x] not in "│╭"), len(cells))
        if bottom == len(cells) or cells[bottom][x] != "╰":
            return False
    return True
