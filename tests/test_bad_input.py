"""Files that no writer of ours would leave, and names that mean harm: readers count, clean and go on."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import write_journal
from tracker import host
from tracker.api import ApiRun
from tracker.catalog import Catalog

Record = dict[str, Any]

NOW = 1_767_268_800.0
START: Record = {"_type": "start", "_timestamp": NOW, "format": 1, "id": "abcd1234", "name": "good", "project": "p"}
END: Record = {"_type": "end", "_timestamp": NOW + 9, "exit_code": 0, "step": 1, "summary": {"loss": 0.5}}
EVIL = "\x1b]52;c;eA==\x07\x1b[31m\x9b2J\u202e\x00\r\n\t"


def row(step: int, loss: float = 0.5) -> Record:
    return {"_step": step, "_timestamp": NOW + step, "loss": loss}


def line(record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


GOOD = line(START) + line(row(0)) + line(row(1))


def texts_in(value: object) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts_in(item)


def read_all(run: ApiRun) -> ApiRun:
    """Ask everything there is to ask of a run; what a list of runs shows of it must be fit for a terminal."""
    fields = (run.id, run.name, run.project, run.entity, run.group, run.tags, run.state)
    assert all(text.isprintable() and len(text) <= 1000 for text in texts_in(fields))
    assert all(type(field) is str for field in (run.id, run.name, run.project, run.entity, run.group, run.notes))
    assert all(text.isprintable() for text in run.notes.split("\n"))
    assert run.id
    assert run.name
    assert run.state in ("running", "finished", "failed", "killed", "crashed")
    assert type(run.config) is type(run.summary) is dict
    assert all(key.isprintable() for key in run.summary)
    assert all(text.isprintable() for text in texts_in([*run.metadata.values()]))
    json.dumps((run.config, run.summary, run.metadata, run.history(samples=10**9, pandas=False), repr(run)))
    return run


def only_run(root: Path) -> ApiRun:
    """The one run below a root, after everything was asked of it."""
    (run,) = tracker.Api(root).runs()
    return read_all(run)


def bad_lines(root: Path) -> int:
    """What the reader behind `Api` and the commands has counted."""
    catalog = Catalog(root)
    catalog.refresh()
    return sum(run.bad_lines for run in catalog.runs.values())


def snapshot(root: Path) -> dict[Path, tuple[bytes, int]]:
    """Content and time of every file."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


# ---- files ----


def test_nothing_there(root: Path) -> None:
    """A root that does not exist has no runs, and is not made by looking."""
    assert len(tracker.Api(root).runs()) == 0
    assert not root.exists()


def test_root_is_a_file(tmp_path: Path) -> None:
    """A root that is a file has no runs."""
    (tmp_path / "runs").write_bytes(b"x")
    assert len(tracker.Api(tmp_path / "runs").runs()) == 0


def test_empty_file_is_listed(root: Path) -> None:
    """An empty journal is a run, by its file name."""
    write_journal(root, b"")
    run = only_run(root)
    assert (run.id, run.name, run.project, run.history(samples=10**9, pandas=False)) == (
        "abcd1234",
        "abcd1234",
        "p",
        [],
    )


def test_journal_without_start_is_listed(root: Path) -> None:
    """A journal without its `start` record is a run, by its file name, and has its rows."""
    write_journal(root, [row(0, 0.25)])
    run = only_run(root)
    assert (run.id, run.name, run.project, run.summary) == ("abcd1234", "abcd1234", "p", {"loss": 0.25})


def test_journal_without_start_goes_stale(root: Path) -> None:
    """A journal that tells no process is running while it is fresh and crashed when it is old."""
    path = write_journal(root, [row(0)])
    assert only_run(root).state == "running"
    os.utime(path, (NOW - 9000, NOW - 9000))
    assert only_run(root).state == "crashed"


def test_impossible_date_is_listed(root: Path) -> None:
    """A journal whose name has no real date is a run all the same."""
    write_journal(root, b"", stamp="99999999_999999")
    assert only_run(root).id == "abcd1234"


@pytest.mark.parametrize("cut", range(1, len(line(row(1))), 7))
def test_torn_last_line_waits(cut: int, root: Path) -> None:
    """A last line that is not complete is no row yet, and no bad line either."""
    write_journal(root, GOOD[:-cut])
    assert [found["_step"] for found in only_run(root).history(samples=10**9, pandas=False)] == [0]
    assert bad_lines(root) == 0


def test_torn_line_is_read_when_complete(root: Path) -> None:
    """A reader that met half a line has the row when the other half has come."""
    path = write_journal(root, GOOD[:-9])
    api = tracker.Api(root)
    assert api.runs()[0].summary == {"loss": 0.5}
    with path.open("ab") as file:
        file.write(GOOD[-9:] + line(row(2, 0.75)))
    assert api.runs()[0].summary == {"loss": 0.75}
    assert bad_lines(root) == 0


BAD_LINES = {
    "not json": b"{nonsense}",
    "torn": b'{"_step":5,"loss":0.',
    "a number": b"5",
    "a list": b"[1,2]",
    "a string": b'"x"',
    "null": b"null",
    "binary": bytes(range(128, 256)),
    "zeros": bytes(4096),
    "not utf-8": b'{"_step":5,"loss":"\xff\xfe"}',
    "lone surrogate": b'{"_step":5,"loss":"\\ud800"}',
    "not standard": b'{"_step":5,"loss":NaN}',
    "two records": b'{"_step":5}{"_step":6}',
    "bottomless": b"[" * 100_000 + b"]" * 100_000,
    "bottomless object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_bad_line_is_counted_and_passed_over(bad: bytes, root: Path) -> None:
    """A line that is no record costs nothing but itself, and is counted."""
    write_journal(root, GOOD + bad + b"\n" + line(row(2, 0.75)) + bad + b"\n" + line(row(3, 0.875)))
    assert [(found["_step"], found["loss"]) for found in only_run(root).history(samples=10**9, pandas=False)] == [
        (0, 0.5),
        (1, 0.5),
        (2, 0.75),
        (3, 0.875),
    ]
    assert bad_lines(root) == 2


def test_empty_lines_are_nothing(root: Path) -> None:
    """Empty lines are neither rows nor bad."""
    write_journal(root, GOOD.replace(b"\n", b"\n\n \n\r\n"))
    assert len(only_run(root).history(samples=10**9, pandas=False)) == 2
    assert bad_lines(root) == 0


def test_an_end_that_is_torn_hides_no_row(root: Path) -> None:
    lines = b'{"_type":"start","_timestamp":1.7e9,"id":"abcd1234"}\n{"_step":0,"_timestamp":1.7e9,"loss":0.5}\n'
    write_journal(root, lines + b'{"_type":"end","_timestamp":1.7e9,"sketches":{"lo\n')
    catalog = Catalog(root)
    catalog.refresh()
    (run,) = catalog.newest_first()
    assert run.state == "crashed"
    assert run.metric_names == ("loss",) == tuple(run.sketches)


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_a_run(seed: int, root: Path) -> None:
    """A file of random bytes is listed by its name, whatever the bytes are."""
    write_journal(root, random.Random(seed).randbytes(100_000))
    assert only_run(root).name == "abcd1234"
    assert bad_lines(root) > 100


@pytest.mark.parametrize("seed", range(20))
def test_damaged_journal_is_read(seed: int, root: Path) -> None:
    """A journal with random bytes overwritten, cut out and doubled never stops a reader."""
    source = random.Random(seed)
    rows = [row(step, source.random()) for step in range(50)]
    content = bytearray(b"".join(map(line, [START, *rows, END])))
    for _ in range(30):
        at = source.randrange(len(content))
        length = source.randrange(20)
        content[at : at + length] = source.choice([b"", source.randbytes(length), content[at : at + length] * 2])
    write_journal(root, bytes(content))
    assert len(only_run(root).history(samples=10**9, pandas=False)) > 5


def test_large_file_of_random_bytes_is_a_run(root: Path) -> None:
    """A file without a checkpoint, too large to be read whole at once, is listed by its name."""
    write_journal(root, random.Random(1).randbytes(3 << 20))
    assert only_run(root).name == "abcd1234"


def test_endless_line_is_skipped_and_counted(root: Path) -> None:
    """A line of 20 MB is passed over and counted once; the rows around it are there."""
    write_journal(root, GOOD + b'{"_step":5,"loss":"' + b"x" * 20_000_000 + b'"}\n' + line(row(2, 0.75)))
    assert [found["_step"] for found in only_run(root).history(samples=10**9, pandas=False)] == [0, 1, 2]
    assert bad_lines(root) == 1


def test_endless_last_line_is_counted(root: Path) -> None:
    """A line of 20 MB that never ends is counted once and keeps no reader busy."""
    write_journal(root, GOOD + b"x" * 20_000_000)
    assert len(only_run(root).history(samples=10**9, pandas=False)) == 2
    assert bad_lines(root) == 1


def test_endless_first_line_is_skipped(root: Path) -> None:
    """A journal that begins with a line of 20 MB has the rows behind it."""
    write_journal(root, b"x" * 20_000_000 + b"\n" + line(row(7, 0.75)))
    assert (only_run(root).name, only_run(root).summary) == ("abcd1234", {"loss": 0.75})


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def make_link_to_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_link_outside(path: Path) -> None:
    outside = path.parent.parent.parent / "secret.jsonl"
    outside.write_bytes(GOOD)
    path.symlink_to(outside)


@pytest.mark.parametrize(
    "make",
    [make_directory, make_fifo, make_dangling_link, make_link_to_itself, make_link_to_endless, make_link_outside],
)
def test_what_is_no_file_is_no_run(make: Any, root: Path) -> None:
    """Folders, pipes and links that are named like a journal are passed over; the runs beside them are read."""
    write_journal(root, GOOD)
    make(root / "p" / "run-20260101_120000-wxyz6789.jsonl")
    assert only_run(root).id == "abcd1234"


@pytest.mark.parametrize("make", [make_directory, make_fifo, make_dangling_link, make_link_to_endless])
def test_what_is_no_edits_file_is_passed_over(make: Any, root: Path) -> None:
    """Folders, pipes and links that are named like an edits file are passed over."""
    write_journal(root, GOOD)
    make(root / "p" / "edits-host-user.jsonl")
    assert only_run(root).name == "good"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to the superuser")
def test_unreadable_file_is_listed(root: Path) -> None:
    """A journal that may not be read is a run, by its file name, beside those that may."""
    write_journal(root, GOOD).chmod(0)
    write_journal(root, [{**START, "id": "wxyz6789"}], run_id="wxyz6789")
    assert sorted(read_all(run).name for run in tracker.Api(root).runs()) == ["abcd1234", "good"]


def test_file_that_becomes_unreadable_keeps_its_run(root: Path) -> None:
    """A journal that is replaced by something unreadable after it was read keeps what is known of it."""
    path = write_journal(root, GOOD)
    api = tracker.Api(root)
    run = api.runs()[0]
    path.unlink()
    path.mkdir()
    assert (read_all(run).name, run.history(samples=10**9, pandas=False)) == ("good", [])


def test_vanished_file_is_gone(root: Path) -> None:
    """A run whose file was removed is listed no longer."""
    path = write_journal(root, GOOD)
    write_journal(root, [{**START, "id": "wxyz6789"}], run_id="wxyz6789")
    api = tracker.Api(root)
    assert len(api.runs()) == 2
    path.unlink()
    assert [run.id for run in api.runs()] == ["wxyz6789"]


def test_vanished_file_leaves_what_was_read(root: Path) -> None:
    """A run in hand outlives its file: what was read stays, its history is empty."""
    path = write_journal(root, GOOD)
    run = tracker.Api(root).runs()[0]
    path.unlink()
    assert (read_all(run).name, run.summary, run.history(samples=10**9, pandas=False)) == ("good", {"loss": 0.5}, [])


def test_vanished_project_is_gone(root: Path) -> None:
    """A project whose folder was removed has no runs, and the others have theirs."""
    path = write_journal(root, GOOD)
    write_journal(root, [{**START, "project": "q"}], project="q")
    api = tracker.Api(root)
    assert len(api.runs()) == 2
    path.unlink()
    path.parent.rmdir()
    assert [run.project for run in api.runs()] == ["q"]


def test_shrunken_file_does_not_stop_a_reader(root: Path) -> None:
    """A journal that was cut short while it was watched is still a run."""
    path = write_journal(root, GOOD)
    api = tracker.Api(root)
    assert len(api.runs()) == 1
    path.write_bytes(line(START))
    assert read_all(api.runs()[0]).name == "good"


def test_other_files_are_no_runs(root: Path) -> None:
    """Only `run-<time>-<id>.jsonl` is a journal, and only a folder that holds one is a project."""
    write_journal(root, GOOD)
    for name in ("p/notes.txt", "p/run-abcd.txt", "p/run-20260101_120000.jsonl", "p/run-x.jsonl", "other/x.jsonl"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(line({**START, "name": "not me", "_timestamp": NOW + 5}))
    assert [(run.project, run.name) for run in tracker.Api(root).runs()] == [("p", "good")]


# ---- records ----

WRONG: list[Any] = [
    5,
    -1.5,
    1e308,
    2**63,
    True,
    None,
    "",
    "x",
    "NaN",
    EVIL,
    [],
    [[]],
    [5, None, EVIL],
    {},
    {"a": {"b": []}},
    {EVIL: EVIL},
    {"name": 7},
]
FIELDS = {
    "start": (
        "_timestamp format id name entity project group job_type tags notes config"
        " host pid process_start boot_id pid_namespace command python git user"
    ),
    "config": "_timestamp config",
    "update": "_timestamp name tags notes summary summary_deleted",
    "heartbeat": "_timestamp",
    "signal": "_timestamp signal",
    "alert": "_timestamp title text level",
    "environment": "_timestamp os cpu memory disk gpus driver container slurm rank git executable",
    "checkpoint": (
        "_timestamp step name tags notes archived changed config summary sketches alerts environment broken pace pauses"
    ),
    "end": "_timestamp exit_code signal exception step name tags notes changed config summary sketches",
    "edit": "_timestamp id name host user tags notes archived stopped",
    "nonsense": "_timestamp name config",
}
KINDS = [(kind, field) for kind, fields in FIELDS.items() for field in fields.split()]


@pytest.mark.parametrize(("kind", "field"), KINDS)
def test_field_of_a_wrong_type_is_passed_over(kind: str, field: str, root: Path) -> None:
    """A field of a wrong type, in any kind of record, never stops a reader, nor what comes after."""
    for number, value in enumerate(WRONG):
        record = {"_type": kind, "_timestamp": NOW + 2, field: value}
        records = [record] if kind == "start" else [START, row(0), record]
        write_journal(root, [*records, row(1), row(2, 0.75)], run_id=f"id{number}")
    runs = tracker.Api(root).runs()
    assert [read_all(run).summary["loss"] for run in runs] == [0.75] * len(WRONG)


@pytest.mark.parametrize("field", ["_type", "_step", "_timestamp", "loss"])
def test_row_field_of_a_wrong_type_is_passed_over(field: str, root: Path) -> None:
    """A row with a field of a wrong type never stops a reader, nor the rows after it."""
    for number, value in enumerate(WRONG):
        write_journal(root, [START, row(0), {**row(1), field: value}, row(2, 0.75)], run_id=f"id{number}")
    runs = tracker.Api(root).runs()
    assert [read_all(run).summary["loss"] for run in runs] == [0.75] * len(WRONG)


CHANGED: list[Any] = [7, "x", {}, [[]], [[], "host"], ["x", "host"], [NOW], [NOW, 7], [1e300, "host"], [-1, EVIL]]


@pytest.mark.parametrize("changed", CHANGED, ids=repr)
@pytest.mark.parametrize("kind", ["checkpoint", "end"])
def test_time_of_a_change_may_be_anything(kind: str, changed: object, root: Path) -> None:
    """A checkpoint whose times of changes are nonsense still tells the rest."""
    record = {"_type": kind, "_timestamp": NOW + 2, "name": "later", "changed": {"name": changed}, "summary": {"a": 1}}
    write_journal(root, [START, row(0), record])
    assert only_run(root).summary == {"a": 1}


SKETCHES: list[Any] = [
    7,
    "x",
    "123456",
    [],
    {},
    [1],
    [1, 1],
    [2, 1, [], []],
    [4, 3, []],
    [1, 1, [1], [1, 2]],
    [0, 0, [1]],
    [-5, -5, [1]],
    ["NaN", 1, [1]],
    [1, 1, ["x"]],
    [1, 1, [{}]],
    [1, 1, {"a": 1}],
    [1, 1, [1] * 65],
    [1, 1, [None] * 64],
    [1e300, 1e300, [1]],
    [2, 2, ["inf", "-inf", "nan"]],
    [2, 1, [1e308, -1e308]],
]


@pytest.mark.parametrize("sketch", SKETCHES, ids=lambda sketch: repr(sketch)[:30])
def test_sketch_may_be_anything(sketch: object, root: Path) -> None:
    """A sparkline that a checkpoint tells wrong does not stop the rows that follow."""
    checkpoint = {"_type": "checkpoint", "_timestamp": NOW + 1, "step": 1, "sketches": {"loss": sketch}}
    rows = [row(step, float(step)) for step in range(2, 300)]
    write_journal(root, [START, row(0), row(1), checkpoint, *rows, END])
    assert only_run(root).summary == {"loss": 0.5}


@pytest.mark.parametrize("kind", ["row", "config", "update", "checkpoint", "end", "start"])
def test_deep_nesting_is_cut(kind: str, root: Path) -> None:
    """Values nested 900 levels deep are cut, not followed to the end of the stack."""
    deep: Any = 1
    for _ in range(450):
        deep = {"a": [deep]}
    record = {**row(1), "deep": deep} if kind == "row" else {"_type": kind, "_timestamp": NOW + 1}
    if kind != "row":
        record |= dict.fromkeys(("config", "summary", "name", "tags", "changed", "sketches", "format"), deep)
    write_journal(root, [*([] if kind == "start" else [START]), row(0), record, row(2, 0.75)])
    assert only_run(root).summary["loss"] == 0.75
    assert bad_lines(root) == 0


def test_many_metrics_are_bounded(root: Path) -> None:
    """A journal that names ever new metrics has the first hundred thousand of them."""
    rows = [{"_step": step, **{f"m{step * 1000 + n}": n for n in range(1000)}} for step in range(101)]
    write_journal(root, [START, *rows])
    assert len(tracker.Api(root).runs()[0].summary) == 100_000


def test_unknown_records_and_fields_are_passed_over(root: Path) -> None:
    """A journal of a later version is read as far as it is understood."""
    later = [{**START, "format": 2, "hue": "red"}, {"_type": "aura", "name": "not me", "loss": 9}, row(1, 0.75)]
    write_journal(root, later)
    run = only_run(root)
    assert (run.name, run.summary, len(run.history(samples=10**9, pandas=False))) == ("good", {"loss": 0.75}, 1)


def test_only_edits_edit(root: Path) -> None:
    """Records of another kind in an edits file change nothing."""
    write_journal(root, GOOD)
    edits = [{**START, "name": "not me", "_timestamp": NOW + 5}, {**row(5), "id": "abcd1234", "name": "not me either"}]
    (root / "p" / "edits-host-user.jsonl").write_bytes(b"".join(map(line, edits)))
    assert only_run(root).name == "good"


# ---- names ----


def test_name_that_commands_the_terminal_is_cleaned(root: Path) -> None:
    """Escape sequences, control and bidi characters are gone from every name that a reader gives."""
    fields = ("name", "entity", "group", "job_type", "project", "id")
    write_journal(root, [{**START, **{field: EVIL + field for field in fields}, "tags": [EVIL + "tag"]}])
    run = only_run(root)
    assert run.name == "]52;c;eA==[31m2J   name"
    assert run.tags == ["]52;c;eA==[31m2J   tag"]


def test_name_of_nothing_printable_is_no_name(root: Path) -> None:
    """A name of which nothing is left gives way to the id."""
    write_journal(root, [{**START, "name": "\x1b\x07\u202e"}])
    assert only_run(root).name == "abcd1234"


@pytest.mark.parametrize("field", ["summary", "sketches"])
def test_metric_that_commands_the_terminal_is_cleaned(field: str, root: Path) -> None:
    """Names of metrics are cleaned, also where a checkpoint tells them."""
    write_journal(root, [START, row(0), {"_type": "checkpoint", "_timestamp": NOW, field: {EVIL + "loss": 1}}])
    only_run(root)


def test_long_name_is_cut(root: Path) -> None:
    """A name of 10,000 characters is cut to a bearable length, and says so."""
    write_journal(root, [{**START, "name": "x" * 10_000}])
    name = only_run(root).name
    assert name.startswith("xxx")
    assert name.endswith("…")
    assert len(name) <= 1000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\u202eb\u2066c\u2069d\u200ee\u061cf", "abcdef"),
        ("a\u200bb\u2060c\ufeffd\u00ade\u180ef", "abcdef"),
        ("a\u200cb \u200d c\u3164d\u115fe\ufe0ef\ufe00", "ab  cdef"),
        ("\u0645\u06cc\u200c\u062e \u200c\u062e", "\u0645\u06cc\u200c\u062e \u062e"),
        ("\U0001f468\u200d\U0001f469 \u2764\ufe0f", "\U0001f468\U0001f469 \u2764"),
        ("\U0001f44d\U0001f3fd 1\ufe0f\u20e3", "\U0001f44d 1\u20e3"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4"),
        ("z" + "\u0335\u0488" * 40 + "o", "z" + "\u0335\u0488" * 3 + "o"),
        ("z" + "\u0335\u0335\u200b" * 40 + "o", "z" + "\u0335" * 6 + "o"),
        ("\ue000a\U0010fffdb\ufffec", "abc"),
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_not_seen_is_no_name(name: str, shown: str, root: Path) -> None:
    """Bidi marks, zero-width characters, tags and floods of marks are gone; what letters and emoji need stays."""
    write_journal(root, [{**START, "name": name}])
    (run,) = tracker.Api(root).runs()
    assert run.name == shown


@pytest.mark.parametrize("name", ["🚀 launch", "größe", "実験", "a/b\\c", "..", "%2E%2E", "'; DROP TABLE runs"])
def test_printable_name_stays(name: str, root: Path) -> None:
    """Emoji, other scripts and odd signs are names as any others, from `init` to `Api`."""
    tracker.init(project="p", name=name)
    assert only_run(root).name == name


@pytest.mark.parametrize(
    "run_id",
    ["../x", "..\\x", "a/b", "/etc/passwd", "a\x00b", "a\nb", "a\x1bb", "a\u202eb", "a\u200bb", "", " ", "a:b"],
    ids=ascii,
)
def test_harmful_id_is_refused(run_id: str, tmp_path: Path) -> None:
    """An id that could leave the root or command a terminal is an error that names it, and makes no file."""
    with pytest.raises(ValueError, match=r"\bid\b"):
        tracker.init(id=run_id)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("project", ["../../etc", "/etc", "..", "\x00", EVIL])
def test_claimed_project_leads_nowhere(project: str, root: Path, tmp_path: Path) -> None:
    """A journal that claims a project elsewhere is listed, and a rename of it stays in the folder it lies in."""
    write_journal(root, [{**START, "project": project}])
    run = only_run(root)
    run.name = "renamed"
    run.update()
    assert only_run(root).name == "renamed"
    assert sorted(path.parent for path in tmp_path.rglob("*.jsonl")) == [root / "p"] * 2
    assert len(tracker.Api(root).runs("../../etc")) <= 1


def test_claimed_id_leads_nowhere(root: Path, tmp_path: Path) -> None:
    """A journal that claims an id that no writer gives is listed, and a rename of it stays where it lies."""
    write_journal(root, [{**START, "id": "../../../evil"}])
    run = only_run(root)
    run.name = "renamed"
    run.update()
    assert sorted(path.parent for path in tmp_path.rglob("*.jsonl")) == [root / "p"] * 2


def test_copied_journal_is_renamed_for_good(root: Path) -> None:
    """A journal whose file was copied under another id keeps the name that it is given."""
    write_journal(root, GOOD)
    write_journal(root, GOOD, run_id="wxyz6789")
    api = tracker.Api(root)
    copy = next(run for run in api.runs() if "wxyz6789" in run.path)
    copy.name = "the copy"
    copy.update()
    names = {Path(run.path).name: run.name for run in tracker.Api(root).runs()}
    assert names == {"run-20260101_120000-abcd1234.jsonl": "good", "run-20260101_120000-wxyz6789.jsonl": "the copy"}


def test_unknown_project_and_run_are_not_found(root: Path) -> None:
    """Paths that lead nowhere, or outside, find nothing."""
    write_journal(root, GOOD)
    for path in ("p/nothing", "p/../abcd1234", "../runs/abcd1234", "/etc/passwd", "", "/", "abcd1234", "\x00/\x00"):
        with pytest.raises(tracker.Error):
            tracker.Api(root).run(path)


# ---- readers only read ----


def test_readers_write_nothing(root: Path) -> None:
    """Reading everything of good and bad files changes no file and makes none."""
    write_journal(root, [START, row(0), END])
    write_journal(root, line({**START, "id": "torn"}) + b"\xff\n" + line(row(0))[:-5], run_id="torn")
    write_journal(root, b"", run_id="empty")
    write_journal(root, random.Random(0).randbytes(2 << 20), run_id="large")
    (root / "p" / "edits-host-user.jsonl").write_bytes(b'{"_type":"edit","id":"torn"')
    before = snapshot(root)
    api = tracker.Api(root)
    for run in [*api.runs(), *api.runs("p"), api.run("p/torn")]:
        read_all(run)
    assert snapshot(root) == before


def test_rename_writes_beside_the_journal_only(root: Path) -> None:
    """A rename changes no file that was there."""
    write_journal(root, [START, row(0), END])
    write_journal(root, GOOD[:-5], run_id="torn")
    before = snapshot(root)
    api = tracker.Api(root)
    for run in api.runs():
        run.name = "renamed"
        run.update()
        read_all(run)
    after = snapshot(root)
    assert {path: after[path] for path in before} == before
    assert [path.name.partition("-")[0] for path in after.keys() - before.keys()] == ["edits"]


# ---- files that change under the reader ----


def test_a_torn_checkpoint_is_not_the_base(root: Path) -> None:
    """A full disk may tear a checkpoint; the one before it, or the whole file, is read instead."""
    path = write_journal(root, GOOD + line({"_step": 9, "_timestamp": 1.0, "early": 1.0}))
    with path.open("ab") as file:
        file.write(
            b'{"_type":"checkpoint","_timestamp":2.0,"summary":{"los\n{"_step":10,"_timestamp":3.0,"loss":0.5}\n'
        )
    (run,) = tracker.Api(root).runs()
    assert run.summary["early"] == 1.0
    assert run.summary["loss"] == 0.5
    assert run.bad_lines == 1


def test_a_file_replaced_by_a_shorter_one_is_read_anew(root: Path) -> None:
    """What was read before does not count."""
    path = write_journal(root, GOOD + b"".join(line({"_step": n, "_timestamp": 1.0, "old": n}) for n in range(50)))
    api = tracker.Api(root)
    assert api.runs()[0].summary["old"] == 49
    path.write_text('{"_type":"start","_timestamp":5.0,"format":1,"id":"abcd1234","name":"other"}\n', encoding="utf-8")
    (run,) = api.runs()
    assert (run.name, run.summary) == ("other", {})


def test_an_empty_journal_is_not_running(root: Path) -> None:
    """Nobody writes its first line any more."""
    path = write_journal(root, [])
    path.write_bytes(b"")
    os.utime(path, (1e9, 1e9))
    assert tracker.Api(root).runs()[0].state == "crashed"


def test_a_dead_run_that_fills_a_look_exactly_ends_no_reader(root: Path) -> None:
    """A journal whose size is just what one look takes is read to its end, once."""
    dead = {**host.identity(), "process_start": "1"}
    head = {"_type": "start", "_timestamp": 1.7e9, "format": 1, "id": "abcd1234", "project": "p", **dead}
    alert = {"_type": "alert", "_timestamp": 1.7e9, "title": "long", "level": "INFO", "text": "x" * 100_000}
    path = write_journal(root, [head, *[alert] * 300])
    os.utime(path, (1.7e9, 1.7e9))
    catalog = Catalog(root)
    catalog.refresh()
    (run,) = catalog.runs.values()
    assert run.size == path.stat().st_size
    assert (run.state, len(run.alerts)) == ("crashed", 20)
