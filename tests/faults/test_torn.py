"""Journals after power loss and torn writes: readers go on, have each whole line, and tell of the others."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from damage import IN_ORDER, KINDS, damaged

import tracker
from support import journals, run_script, write_journal
from tracker import index
from tracker.catalog import Catalog
from tracker.history import History
from tracker.lines import FIRST_HEAD
from tracker.records import clean, plain
from tracker_tui.cli import main
from tracker_tui.columns import KeptColumns
from tracker_tui.commands.shell import describe
from tracker_tui.feed import read_history
from tracker_tui.model import Model
from tracker_tui.sources import Sources

Cases = Callable[[int], int]
Tried = Callable[[str, str, str], None]

JOBS = """
import os, time, tracker

def begin(**more):
    return tracker.init(project="p", reinit="create_new", config={"größe": 1e-3, "net": {"d": [1, 2]}}, **more)

def train(run, rows):
    for step in range(rows):
        run.log({"loss": 1 / (step + 1), "acc/größe": step, "odd": float("nan") if step % 7 == 3 else step / 3})

with begin(id="short", name="schöner Lauf 実験", tags=["ä"], notes="1\\n2", x_stats_sampling_interval=0.1) as run:
    print("printed in grün \\x1b[32mgrün\\x1b[0m")
    run.alert("look", "at this")
    train(run, 12)
    time.sleep(0.25)
with begin(id="long", x_stats_sampling_interval="off") as run:
    for number in range(1300):
        print(f"line {number} of the long one, grün")
    train(run, 600)
with begin(id="twice", x_stats_sampling_interval="off") as run:
    train(run, 40)
with begin(id="twice", resume="must", x_stats_sampling_interval="off") as run:
    train(run, 40)
left = begin(id="left", x_stats_sampling_interval="off")
train(left, 600)
os._exit(9)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs as the library leaves them: short and ended, long, resumed, killed; each has printed, one was renamed."""
    folder = tmp_path_factory.mktemp("made")
    assert run_script(folder, JOBS, env={"TRACKER_SILENT": "1"}).returncode == 9
    run = tracker.Api(folder / "runs").run("p/short")
    run.name, run.tags = "umbenannt 実験", ["later"]
    run.update()
    return folder / "runs"


def content(made: Path, run_id: str) -> bytes:
    return journal_of(made, run_id).read_bytes()


def journal_of(made: Path, run_id: str) -> Path:
    """A run's newest journal."""
    return [path for path in journals(made) if f"-{run_id}." in path.name][-1]


# ---- what is true ----


class Truth(NamedTuple):
    """What whole lines say, found out without any of our readers."""

    rows: dict[float, dict[str, Any]]
    samples: int
    bad: int
    is_started: bool
    """Whether it is told near the beginning of the newest file who the run is."""


def truth(*files: bytes) -> Truth:
    rows: dict[float, dict[str, Any]] = {}
    samples = set()
    bad, is_started = 0, False
    for data in files:
        place, is_started = 0, False
        for line in data.split(b"\n")[:-1]:
            place += len(line) + 1
            try:
                text = line.decode("utf-8").lstrip("\ufeff")
                record = json.loads(text, parse_constant=_refused, parse_float=_double, parse_int=_double)
                bad += type(record) is not dict
            except (ValueError, RecursionError):
                record, bad = None, bad + bool(line.strip())
            if type(record) is not dict:
                continue
            is_started |= record.get("_type") == "start" and place <= FIRST_HEAD
            step, time = record.get("_step"), record.get("_timestamp")
            if record.get("_type") == "system" and type(time) in (int, float):
                samples.add(time)
            if "_type" not in record and type(step) in (int, float) and abs(step) < 1e300:
                rows.setdefault(step, {}).update(record)
    return Truth(rows, len(samples), bad, is_started)


def _double(digits: str) -> float:
    return float(digits) if math.isfinite(float(digits)) else _refused(digits)


def _refused(constant: str) -> Any:
    raise ValueError(constant)


def same(rows: Iterable[dict[str, Any]]) -> str:
    """Rows in words that can be compared: NaN is NaN, and in order of step."""
    return json.dumps(sorted(map(_as_logged, rows), key=lambda row: row["_step"]), sort_keys=True)


def _as_logged(value: Any) -> Any:
    """With floats for all numbers, and for the words that stand for some."""
    if isinstance(value, dict):
        return {key: _as_logged(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_as_logged, value))
    return float(value) if type(value) is int or value in ("NaN", "Infinity", "-Infinity") else value


def columns(rows: dict[float, dict[str, Any]]) -> dict[str, dict[float, str]]:
    """The numbers of each metric by step."""
    found: dict[str, dict[float, str]] = {}
    for step, row in rows.items():
        for key, value in row.items():
            value = float(value) if value in ("NaN", "Infinity", "-Infinity") else value
            if type(value) in (int, float) and key not in ("_step", "_timestamp"):
                found.setdefault(clean(key), {})[step] = repr(float(value))
    return found


# ---- what readers say ----


def looked_at(root: Path) -> Model:
    """The dashboard's model after it has read every run's history."""
    model = Model(Sources([Catalog(root)]))
    model.apply(model.collect())
    model.look_at(list(model.runs))
    model.apply(model.collect())
    while model.is_behind:
        model.apply(model.collect())
    return model


def check(root: Path, truths: dict[str, Truth], capsys: pytest.CaptureFixture[str]) -> None:
    """Every reader has what is true of each run, by id."""
    runs = {run.id: run for run in tracker.Api(root).runs()}
    assert runs.keys() == truths.keys()
    for run_id, run in runs.items():
        true = truths[run_id]
        wanted = same(true.rows.values())
        assert same(run.scan_history()) == wanted, run_id
        assert same(run.history(samples=10**9, pandas=False)) == wanted, run_id
        assert len(run.history(samples=7, pandas=False)) <= 7
        assert len(run.history(stream="system", samples=10**9, pandas=False)) == true.samples
        assert run.bad_lines <= true.bad, run_id
    assert main(["ls", "--json", str(root)]) == 0
    assert {run["id"] for run in json.loads(capsys.readouterr().out)} == runs.keys()
    model = looked_at(root)
    for run in model.runs.values():
        feed = model._feeds[run.key]
        found = {
            name: {step: repr(value) for step, value in zip(column.steps, column.values, strict=True)}
            for name, column in feed.history.columns.items()
        }
        assert found == columns(truths[run.id].rows), run.id
        assert run.bad_lines == truths[run.id].bad, run.id
        assert bool(run.start) >= truths[run.id].is_started, run.id
    assert model.lists.bad_lines == sum(true.bad for true in truths.values())


def test_a_journal_cut_anywhere(
    made: Path, root: Path, capsys: pytest.CaptureFixture[str], cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """Wherever the power went away, what was whole is there: near every border of a line, and elsewhere by chance."""
    data = content(made, "short")
    borders = {place + near for place, byte in enumerate(data) if byte == ord("\n") for near in range(-2, 4)}
    ends = {end for end in borders if end < len(data)}
    ends |= set(chance.sample(range(len(data)), min(len(data), cases(300))))
    files = {f"cut{end}": data[:end] for end in ends}
    check(root, put(root, files), capsys)
    tried("journal cut short", f"at {len(ends):,} of {len(data):,} bytes", "0 lines lost")


def test_journals_damaged_in_every_way(
    made: Path, root: Path, capsys: pytest.CaptureFixture[str], cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """Each kind of damage by itself, and several together, to journals short and long, ended and not."""
    whole = {run_id: content(made, run_id) for run_id in ("short", "long", "left")}
    files = {
        f"{name}{number}": data
        for number in range(cases(6))
        for name, data in whole.items()
        for data in [damaged(data, chance)]
    }
    for kind in KINDS.values():
        files |= {f"{name}{len(files)}": kind(data, chance) for name, data in whole.items()}
    truths = put(root, files)
    check(root, truths, capsys)
    lines, bad = sum(len(true.rows) for true in truths.values()), sum(true.bad for true in truths.values())
    assert main(["export", "--dir", str(root), "--format", "jsonl"]) == 0
    told = capsys.readouterr()
    assert told.out.count("\n") == lines
    assert f"{bad} lines of the journals are no records" in told.err
    for run_id in chance.sample(list(files), 10):
        assert main(["show", f"p/{run_id}", "--dir", str(root)]) == 0
    assert main(["ls", str(root)]) == 0
    assert "lines of the journals are no records" in capsys.readouterr().err
    tried("journal damaged", f"{len(files)} journals, {bad:,} bad lines", f"0 of {lines:,} whole rows lost")


def put(root: Path, files: dict[str, bytes]) -> dict[str, Truth]:
    """Write journals by id; what is true of each."""
    for run_id, data in files.items():
        write_journal(root, data, run_id=run_id)
    return {run_id: truth(data) for run_id, data in files.items()}


# ---- more than one file ----


def test_resumed_runs_of_damaged_journals(
    made: Path, root: Path, capsys: pytest.CaptureFixture[str], cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """Rows of both journals are there, whichever is damaged; also where nothing tells any more that it was resumed."""
    paths = sorted((path for path in journals(made) if "-twice." in path.name), key=os.path.getmtime)
    first, second = (path.read_bytes() for path in paths)
    start = second.index(b"\n") + 1
    truths = {}
    for number in range(cases(15)):
        damage = random.Random(chance.random())
        one = damaged(first, damage)
        other = second[:start] * damage.randrange(2) + damaged(second[start:], damage)
        write_journal(root, one, run_id=f"twice{number}", stamp="20260101_120000")
        write_journal(root, other, run_id=f"twice{number}", stamp="20260101_120001")
        truths[f"twice{number}"] = truth(one, other)
    check(root, truths, capsys)
    tried("one of two journals damaged", f"{len(truths)} resumed runs", "0 whole rows lost")


def test_going_on_after_damage(
    made: Path, root: Path, capsys: pytest.CaptureFixture[str], cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """A run whose journal is damaged is resumed and renamed; nothing that was there is touched, and all is there."""
    truths = {}
    edits = next(made.glob("p/edits-*")).read_bytes()
    for number in range(cases(10)):
        run_id = f"again{number}"
        path = write_journal(
            root, damaged(content(made, chance.choice(("short", "long", "left"))), chance), run_id=run_id
        )
        mine = root / "p" / next(made.glob("p/edits-*")).name
        mine.write_bytes(damaged(edits.replace(b'"short"', b'"%b"' % run_id.encode()), chance, IN_ORDER))
        before = {path: path.read_bytes(), mine: mine.read_bytes()}
        with tracker.init(project="p", id=run_id, resume="must", dir=root, console="off") as run:
            run.log({"new": 1.5})
        api = tracker.Api(root).run(f"p/{run_id}")
        api.name = "new name"
        api.update()
        assert tracker.Api(root).run(f"p/{run_id}").name == "new name"
        assert path.read_bytes() == before[path]
        assert mine.read_bytes().startswith(before[mine])
        truths[run_id] = truth(path.read_bytes(), journal_of(root, run_id).read_bytes())
        assert any("new" in row for row in truths[run_id].rows.values())
        mine.unlink()
    capsys.readouterr()
    check(root, truths, capsys)
    tried("going on after damage", f"{len(truths)} runs resumed and renamed", "0 bytes touched, 0 whole rows lost")


# ---- what only saves time ----


def known(root: Path, home: Path | None = None) -> list[str]:
    """All that is listed of every run, with what was kept in a cache folder, by default without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home or root / "none"))
        catalog = Catalog(root)
        catalog.refresh()
        told = [json.dumps(plain({**describe(run), "duration": 0}, 100)[0]) for run in catalog.newest_first()]
        shutil.rmtree(root / "none", ignore_errors=True)
    return told


def test_a_damaged_index_never_lies(
    made: Path, root: Path, tmp_path: Path, cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """Neither an index that was made of damaged journals which were healed later, nor one that is damaged itself."""
    data = content(made, "short")
    bad = {f"run{number}": damaged(data, chance) if number % 3 == 0 else data for number in range(index.LEAST * 3 // 2)}
    put(root, bad)
    for path in journals(root):
        os.utime(path, (1.6e9, 1.6e9))  # so that none looks alive
    home = tmp_path / "home"
    assert known(root, home) == known(root)
    for path in journals(root):
        if path.read_bytes() != data:
            path.write_bytes(data)
            os.utime(path, (1.7e9, 1.7e9))
    assert known(root, home) == (true := known(root))
    (file,) = (home / "tracker-tui").glob("index-*")
    whole = file.read_bytes()
    for _ in range(cases(8)):
        torn = whole
        for _ in range(50):
            torn = KINDS["flipped bit"](torn, chance)
        file.write_bytes(damaged(torn, chance))
        assert known(root, home) == true
    tried("index damaged", f"{cases(8)} files", "0 wrong runs")


def test_damaged_columns_never_lie(
    made: Path, tmp_path: Path, cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """Columns that were kept of a history are as they were, or are not used."""
    catalog = Catalog(made)
    catalog.refresh()
    (run,) = (run for run in catalog.runs.values() if run.id == "long")
    kept = KeptColumns(str(made / "p"), catalog.lineage(run))
    history = read_history(catalog, run)
    kept.save(history, [run.size])
    (file,) = (tmp_path / "cache" / "tracker-tui").glob("columns-*")
    whole, true = file.read_bytes(), numbers(history)
    used = 0
    for _ in range(cases(300)):
        file.write_bytes(damaged(whole, chance))
        found = kept.load()
        assert found is None or numbers(found.history) == true
        used += found is not None
    tried("kept columns damaged", f"{cases(300)} files, {used} still true", "0 wrong numbers")


def test_columns_of_what_was_healed(made: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of which a part is not there yet, as on a network, is read anew when it is, though it has grown too."""
    monkeypatch.setattr("tracker_tui.feed.LARGE", 0)
    data = content(made, "left")
    path = write_journal(root, data[:20_000] + bytes(10_000) + data[30_000:])
    assert looked_at(root).runs.popitem()[1].bad_lines == 1
    path.write_bytes(data + b'{"_step":9999,"_timestamp":1795332199.5,"loss":1}\n')
    feed = looked_at(root)._feeds.popitem()[1]
    assert len(feed.history.columns["loss"].steps) == 601


def numbers(history: History) -> dict[str, tuple[bytes, bytes]]:
    """A history as bytes."""
    parts = {**history.columns, **history.system, "times": history.times, "system times": history.system_times}
    return {name: (column.steps.tobytes(), column.values.tobytes()) for name, column in parts.items()}


# ---- what was printed ----


def printed(data: bytes) -> dict[int, str]:
    """Lines by number, as whole records have them; not those whose number itself was damaged."""
    found: list[tuple[int, str]] = []
    for line in data.split(b"\n")[:-1]:
        try:
            record = json.loads(line.decode("utf-8"))
        except ValueError:
            continue
        if type(record) is dict and {"line", "text", "stream"} <= record.keys() and type(record["line"]) is int:
            found.append((record["line"], clean(record["text"])))
    around = zip([(-1, ""), *found], found, [*found[1:], (10**9, "")], strict=False)
    claims = Counter(number for number, _ in found)
    return {number: text for (a, _), (number, text), (b, _) in around if a < number < b and claims[number] == 1}


def test_damaged_console(
    made: Path, root: Path, capsys: pytest.CaptureFixture[str], cases: Cases, chance: random.Random, tried: Tried
) -> None:
    """Of what was printed, all whole lines are shown in order, and where some are missing."""
    folder = journal_of(made, "long").with_suffix("")
    data = (folder / "console.jsonl").read_bytes()
    lines = 0
    for number in range(cases(20)):
        path = write_journal(root, content(made, "long"), run_id=f"long{number}")
        path.with_suffix("").mkdir()
        torn = damaged(data, chance, IN_ORDER)
        (path.with_suffix("") / "console.jsonl").write_bytes(torn)
        assert main(["logs", f"p/long{number}", "--dir", str(root), "--json"]) == 0
        found = {line["line"]: line["text"] for line in map(json.loads, capsys.readouterr().out.splitlines())}
        true = printed(torn)
        assert set(true.items()) <= set(found.items()), number
        lines += len(true)
    tried("console damaged", f"{cases(20)} files", f"0 of {lines:,} whole lines lost")
