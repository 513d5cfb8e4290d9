"""Changes made from outside a job: beside its journal, in order of time, and never in its way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import (
    PATIENCE,
    PROMPT,
    StartScript,
    journal,
    lines_of,
    rows_of,
    tell,
    wait_for,
    wait_line,
    write_journal,
)

NOW = 1_767_268_800.0
START: dict[str, Any] = {
    "_type": "start",
    "_timestamp": NOW,
    "format": 1,
    "id": "abcd1234",
    "name": "first",
    "project": "p",
    "host": "middle",
}
JOB = """
import sys, tracker
with tracker.init(project="p", name="old") as run:
    run.log({"loss": 1.0})
    print("ready")
    while sys.stdin.readline():
        run.log({"loss": 0.5})
        print("logged")
"""


def rename(root: Path, name: str, path: str | None = None) -> None:
    """Rename a run as another program would."""
    api = tracker.Api(root)
    run = api.runs()[0] if path is None else api.run(path)
    run.name = name
    run.update()


def name_in(root: Path) -> str:
    """The only run's name, to a reader that comes now."""
    (run,) = tracker.Api(root).runs()
    return run.name


def edits_file(root: Path) -> Path:
    (only,) = root.glob("*/edits-*.jsonl")
    return only


def edit(name: object, seconds: float, host: str = "elsewhere", **more: object) -> dict[str, Any]:
    """An edit as another user on another host may have written it, some seconds after the run's start."""
    return {"_type": "edit", "_timestamp": NOW + seconds, "id": "abcd1234", "name": name, "host": host, **more}


def write_edits(root: Path, edits: list[dict[str, Any]], user: str = "host-user") -> None:
    """An edits file beside the runs of the project p."""
    text = "".join(json.dumps(record) + "\n" for record in edits)
    (root / "p" / f"edits-{user}.jsonl").write_text(text, encoding="utf-8")


# ---- a rename beside a job that works ----


def test_rename_is_seen_by_new_readers(root: Path) -> None:
    """A renamed run has its new name for every reader that comes after."""
    tracker.init(project="p", name="old").finish()
    rename(root, "new")
    assert name_in(root) == "new"


def test_rename_holds_only_when_written(root: Path) -> None:
    """Setting the name changes it for this reader alone until `update()` writes it."""
    tracker.init(project="p", name="old").finish()
    run = tracker.Api(root).runs()[0]
    run.name = "new"
    assert (run.name, name_in(root)) == ("new", "old")
    assert list(root.glob("*/edits-*")) == []


@pytest.mark.parametrize("name", [5, None, "", "  "], ids=repr)
def test_rename_to_no_name_is_refused(name: Any, root: Path) -> None:
    """A name that is no text, or empty, is a TypeError that says so."""
    tracker.init(project="p", name="old").finish()
    run = tracker.Api(root).runs()[0]
    with pytest.raises(TypeError, match="name"):
        run.name = name
    assert run.name == "old"


def test_rename_touches_no_journal(start: StartScript, root: Path) -> None:
    """A rename leaves the journal of a job that is running as it is."""
    process = start(JOB)
    wait_line(process, "ready")
    before = journal(root).read_bytes()
    rename(root, "new")
    assert name_in(root) == "new"
    assert journal(root).read_bytes() == before


def test_job_writes_on_after_a_rename(start: StartScript, root: Path) -> None:
    """A job whose run is renamed goes on logging, and the new name stays while it does."""
    process = start(JOB)
    wait_line(process, "ready")
    rename(root, "new")
    tell(process)
    wait_line(process, "logged")
    assert len(rows_of(journal(root))) == 2
    assert name_in(root) == "new"


def test_job_ends_with_the_new_name(start: StartScript, root: Path) -> None:
    """The final printout and the last record of a job have the name that it was given from outside."""
    process = start(JOB)
    wait_line(process, "ready")
    rename(root, "new")
    _, errors = process.communicate(timeout=PATIENCE)
    assert "tracker: Run new finished. Find logs at: " in errors
    assert lines_of(journal(root))[-1]["name"] == "new"
    assert name_in(root) == "new"


def test_new_name_outlives_the_edits_file(start: StartScript, root: Path) -> None:
    """A finished job has taken its new name into its own journal."""
    process = start(JOB)
    wait_line(process, "ready")
    rename(root, "new")
    process.communicate(timeout=PATIENCE)
    edits_file(root).unlink()
    assert name_in(root) == "new"


def test_reader_sees_the_rename_of_another(start: StartScript, root: Path) -> None:
    """A reader that is already looking sees a rename made elsewhere."""
    process = start(JOB)
    wait_line(process, "ready")
    api = tracker.Api(root)
    assert api.runs()[0].name == "old"
    rename(root, "new")
    assert wait_for(lambda: api.runs()[0].name == "new", PROMPT)


def test_rename_is_of_one_run(root: Path) -> None:
    """A rename changes the run it names and no other of the project."""
    for run_id in ("aaaa1111", "bbbb2222"):
        tracker.init(project="p", id=run_id, name="old").finish()
    rename(root, "new", "p/aaaa1111")
    assert {run.id: run.name for run in tracker.Api(root).runs("p")} == {"aaaa1111": "new", "bbbb2222": "old"}


def test_rename_is_of_one_project(root: Path) -> None:
    """Runs of one id in two projects are renamed apart."""
    for project in ("p", "q"):
        tracker.init(project=project, id="aaaa1111", name="old").finish()
    rename(root, "new", "q/aaaa1111")
    assert {run.project: run.name for run in tracker.Api(root).runs()} == {"p": "old", "q": "new"}


@pytest.mark.parametrize("run_id", ["a.b", "über", "a b", "%41", "x" * 128, "号" * 128], ids=ascii)
def test_rename_finds_odd_ids(run_id: str, root: Path) -> None:
    """A run whose id is not its file's name on disk is renamed as any other."""
    tracker.init(project="p", id=run_id, name="old").finish()
    rename(root, "new")
    assert name_in(root) == "new"


@pytest.mark.parametrize("name", ["🚀 größe", 'quo"te\\', "two  blanks", "{}"])
def test_any_printable_name_will_do(name: str, root: Path) -> None:
    """Names of every script and sign come back as they were given."""
    tracker.init(project="p").finish()
    rename(root, name)
    assert name_in(root) == name


def test_rename_cleans(root: Path) -> None:
    """A new name that would command a terminal is cleaned for its readers."""
    tracker.init(project="p").finish()
    rename(root, "\x1b[31mred\nname")
    assert name_in(root) == "[31mred name"


def test_rename_leaves_the_rest(root: Path) -> None:
    """A rename changes neither state nor numbers, tags, notes or config."""
    with tracker.init(project="p", name="old", tags=["a"], notes="n", config={"lr": 0.1}) as run:
        run.log({"loss": 1.0})
    rename(root, "new")
    found = tracker.Api(root).runs()[0]
    assert (found.state, found.tags, found.notes) == ("finished", ["a"], "n")
    assert (found.config, found.summary) == ({"lr": 0.1}, {"loss": 1.0})


def test_large_journal_is_renamed(root: Path) -> None:
    """A run of which readers read head and tail only has the new name too."""
    with tracker.init(project="p", name="old") as run:
        for _ in range(12_000):
            run.log({"text": "x" * 100})
    assert Path(run.file).stat().st_size > 1 << 20
    rename(root, "new")
    assert name_in(root) == "new"


def test_rename_that_cannot_be_written_says_so(root: Path) -> None:
    """Where no edit can be written, `update()` raises an error that says why."""
    tracker.init(project="p", name="old").finish()
    rename(root, "new")
    path = edits_file(root)
    path.unlink()
    path.mkdir()
    with pytest.raises(tracker.Error, match=path.name):
        rename(root, "newer")


# ---- which change wins ----


def test_last_rename_wins(root: Path) -> None:
    """Of several renames the last one holds, however fast they follow each other."""
    tracker.init(project="p").finish()
    for number in range(20):
        rename(root, f"name {number}")
    assert name_in(root) == "name 19"


def test_rename_wins_over_a_clock_that_is_ahead(root: Path) -> None:
    """A rename after a change whose clock was a day ahead still wins."""
    tracker.init(project="p", name="old").finish()
    rename(root, "new")
    path = edits_file(root)
    (record,) = lines_of(path)
    path.write_text(json.dumps({**record, "_timestamp": record["_timestamp"] + 86_400}) + "\n")
    rename(root, "newer")
    assert name_in(root) == "newer"


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_time_orders_edits(order: tuple[int, int], root: Path) -> None:
    """The later edit wins in whatever order the files hold them."""
    write_journal(root, [START])
    write_edits(root, [edit(f"at {seconds}", seconds) for seconds in order])
    assert name_in(root) == "at 2"


@pytest.mark.parametrize("users", [("a-a", "b-b"), ("b-b", "a-a")])
def test_time_orders_edits_of_several_users(users: tuple[str, str], root: Path) -> None:
    """The later edit wins whosever it is."""
    write_journal(root, [START])
    write_edits(root, [edit("earlier", 1)], users[0])
    write_edits(root, [edit("later", 2)], users[1])
    assert name_in(root) == "later"


@pytest.mark.parametrize("users", [("a-a", "b-b"), ("b-b", "a-a")])
def test_host_decides_at_one_time(users: tuple[str, str], root: Path) -> None:
    """Of two edits of one moment every reader takes the same: that of the greater host."""
    write_journal(root, [START])
    write_edits(root, [edit("lesser", 1, "alpha")], users[0])
    write_edits(root, [edit("greater", 1, "beta")], users[1])
    assert name_in(root) == "greater"


@pytest.mark.parametrize("order", [("ann", "bob"), ("bob", "ann")])
def test_user_decides_at_one_time_on_one_host(order: tuple[str, str], root: Path) -> None:
    """In whatever order a reader comes upon them, as where a clock is behind and each says a moment after the last."""
    write_journal(root, [START])
    follower = tracker.Api(root)
    for user in order:
        write_edits(root, [edit(user, 1, "alpha", user=user)], f"alpha-{user}")
        follower.runs()
    assert (name_in(root), follower.runs()[0].name) == ("bob", "bob")


def test_fields_win_apart(root: Path) -> None:
    """The last change of each field holds, not the last change of any."""
    write_journal(root, [{**START, "notes": "first"}])
    edits = [edit("named", 2), {**edit(None, 1), "notes": "noted"}, {**edit(None, 3), "tags": ["tagged"]}]
    write_edits(root, edits)
    found = tracker.Api(root).runs()[0]
    assert (found.name, found.notes, found.tags) == ("named", "noted", ["tagged"])


def test_rename_in_the_job_after_an_edit_wins(root: Path) -> None:
    """A job that renames its run after somebody else did has the last word, at its end too."""
    with tracker.init(project="p", name="old") as run:
        rename(root, "from outside")
        run.name = "from the job"
        assert name_in(root) == "from the job"
    assert name_in(root) == "from the job"


def test_edit_after_a_rename_in_the_job_wins(root: Path) -> None:
    """A rename from outside after one in the job has the last word, at its end too."""
    with tracker.init(project="p", name="old") as run:
        run.name = "from the job"
        rename(root, "from outside")
        assert name_in(root) == "from outside"
    assert (run.name, name_in(root)) == ("from outside", "from outside")


@pytest.mark.parametrize("last", ["from outside", "from the job"])
def test_large_journal_keeps_the_order_of_changes(last: str, root: Path) -> None:
    """A run of which readers read head and tail only has the name of the last change, wherever it was made."""
    run = tracker.init(project="p", name="old")
    for name in sorted(["from outside", "from the job"], key=lambda name: name == last):
        if name == "from outside":
            rename(root, name)
        else:
            run.name = name
    for _ in range(12_000):
        run.log({"text": "x" * 100})
    assert Path(run.file).stat().st_size > 1 << 20
    assert name_in(root) == last


@pytest.mark.parametrize("seconds", [1, 3])
def test_time_orders_edits_and_the_job(seconds: float, root: Path) -> None:
    """An edit before the job's own rename loses, one after it wins."""
    update = {"_type": "update", "_timestamp": NOW + 2, "name": "from the job"}
    write_journal(root, [START, update])
    write_edits(root, [edit("from outside", seconds)])
    assert name_in(root) == ("from the job" if seconds < 2 else "from outside")


def test_checkpoint_is_no_rename(root: Path) -> None:
    """A checkpoint repeats the name with the time of its change: an edit between the two still wins."""
    checkpoint = {
        "_type": "checkpoint",
        "_timestamp": NOW + 5,
        "name": "from the job",
        "changed": {"name": [NOW + 2, "middle"]},
    }
    write_journal(root, [START, checkpoint])
    write_edits(root, [edit("from outside", 3)])
    assert name_in(root) == "from outside"


def test_edit_before_the_start_counts_for_nothing(root: Path) -> None:
    """An id used again starts anew: edits of the older run do not name the new one."""
    tracker.init(project="p", id="abcd1234", name="older").finish()
    rename(root, "renamed")
    tracker.init(project="p", id="abcd1234", name="newer").finish()
    assert name_in(root) == "newer"


# ---- files of edits ----


def test_edit_tells_who_made_it(root: Path) -> None:
    """An edit is one line of JSON with its run, time, host and user."""
    run = tracker.init(project="p", name="old")
    rename(root, "new")
    (record,) = lines_of(edits_file(root))
    assert next(iter(record)) == "_type"
    assert (record["_type"], record["id"], record["name"]) == ("edit", run.id, "new")
    assert record["host"]
    assert record["user"]
    assert record["_timestamp"] > run.start_time


def test_edits_of_one_user_share_a_file(root: Path) -> None:
    """Any number of renames in a project make one file."""
    tracker.init(project="p").finish()
    for number in range(3):
        rename(root, f"name {number}")
    assert len(lines_of(edits_file(root))) == 3


@pytest.mark.parametrize("torn", [b'{"_type":"edit","id":"abcd', b"{", b"\xff", b'{"_type":"edit"}'])
def test_torn_edit_swallows_no_other(torn: bytes, root: Path) -> None:
    """A last line that was cut short leaves the edit before it and the one after it whole."""
    tracker.init(project="p", name="old").finish()
    rename(root, "new")
    path = edits_file(root)
    with path.open("ab") as file:
        file.write(torn)
    assert name_in(root) == "new"
    rename(root, "newer")
    assert name_in(root) == "newer"
    assert path.read_bytes().endswith(b"}\n")


def test_edit_waits_for_its_run(root: Path) -> None:
    """An edit that a reader met before its run's journal is not lost."""
    other = write_journal(root, [{**START, "id": "wxyz6789"}], run_id="wxyz6789")
    write_edits(root, [edit("new", 1)])
    api = tracker.Api(root)
    assert len(api.runs()) == 1
    write_journal(root, [START])
    assert wait_for(lambda: len(api.runs()) == 2, PROMPT)
    assert {run.id: run.name for run in api.runs()} == {"abcd1234": "new", "wxyz6789": "first"}
    assert other.exists()


def test_edits_alone_are_no_runs(root: Path) -> None:
    """A folder with edits and no journal has no runs."""
    (root / "p").mkdir(parents=True)
    write_edits(root, [edit("new", 1)])
    assert len(tracker.Api(root).runs()) == 0
