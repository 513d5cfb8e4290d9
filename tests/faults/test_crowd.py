"""Several people at once: they rename, tag, delete and purge the same runs, and go on with them, while jobs write."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import StartScript, journals, lines_of, rows_of, script_environment, tell, wait_line
from tracker.catalog import Catalog

EDITOR = """
import ctypes, itertools, json, os, random, socket, sys
me, root, project, runs, places = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4].split(), sys.argv[5:]
for word in places:  # another machine, another person, where that is allowed
    if word.startswith("host") and os.geteuid() == 0 and ctypes.CDLL(None).unshare(0x04000000) == 0:
        socket.sethostname(word)
    elif word.startswith("user") and os.geteuid() == 0:
        os.setresuid(int(word[4:]), -1, -1)
import tracker
from tracker.catalog import Catalog
from tracker_tui.cli import main
from tracker_tui.edits import Edits, tag_changes
from tracker_tui.sources import Sources

chance = random.Random(me)
api = tracker.Api(root)
sources = Sources([Catalog(root)])
edits = Edits(sources)
done = os.open(f"{root}.{me}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
stdout = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.stdin.readline()
os.write(stdout, b"begun\\n")

def edit(word, run):
    way = chance.choice(("api", "edits", "edits", "command"))
    if way == "api":
        run = api.run(f"{project}/{run}")
        run.name, run.notes = word, word
        run.config["by"] = word
        run.tags.append(me)
        run.update()
    elif way == "edits":
        sources.refresh()
        (found,) = [each for each in sources.runs.values() if each.id == run]
        outcome = edits.change("renamed", [(found, {"name": word, "notes": word})])
        assert outcome.done == 1, outcome
        if chance.random() < 0.3:
            edits.change("tagged", tag_changes([found], (), (word,)))
            plan = edits.plan_undo()
            edits.fold(plan, edits.write(plan))
    else:
        assert main(["rename", f"{project}/{run}", word, "--dir", root]) == 0

for number in range(int(sys.stdin.readline())):
    word = f"{me}.{number}"
    edit(word, chance.choice(runs))
    os.write(done, word.encode() + b"\\n")
os.write(stdout, b"done\\n")
"""

JOB = """
import os, sys, tracker
run = tracker.init(project=sys.argv[2], dir=sys.argv[1], id=sys.argv[3], console="off")
print("begun", flush=True)
sys.stdin.readline()
for x in range(300):
    run.log({"x": x})
    if x % 30 == 0:
        run.name = f"job {sys.argv[3]} {x}"
run.finish()
print("done", flush=True)
"""
ANYWHERE = ([], ["host-b"], ["user1234"], ["host-b", "user1234"])


def everything(catalog: Catalog) -> dict[str, Any]:
    """What a reader shows of all runs."""
    return {
        run.id: (run.name, run.notes, sorted(run.tags), run.archived, run.deleted, run.config, run.step, run.state)
        for run in catalog.runs.values()
    }


def only_runs_and_edits(root: Path) -> bool:
    """No lock, nothing temporary, nothing half done."""
    return all(path.name.startswith(("run-", "edits-")) for path in root.glob("*/*"))


def test_ten_people_edit_while_jobs_write(
    root: Path, chance: random.Random, cases: Callable[[int], int], tried: Any, start: StartScript
) -> None:
    """Every edit is on disk once, none is overwritten; all readers, early and late, agree on who was last."""
    runs = ["r0", "r1"]
    jobs = [start(JOB, str(root), "p", run, env={"TRACKER_SILENT": "1"}) for run in runs]
    for job in jobs:
        wait_line(job, "begun")
    names = [f"e{number}" for number in range(10)]
    editors = [
        start(EDITOR, name, str(root), "p", " ".join(runs), *ANYWHERE[number % len(ANYWHERE)])
        for number, name in enumerate(names)
    ]
    for editor in editors:
        tell(editor)
    for editor in editors:
        wait_line(editor, "begun")
    readers = [Catalog(root) for _ in range(3)]
    for process in (*editors, *jobs):
        tell(process, str(cases(15)))
    victims = set(chance.sample(range(10), 3))
    for number in victims:
        time.sleep(chance.uniform(0.0, 0.1))
        editors[number].send_signal(signal.SIGKILL)
    for job in jobs:
        readers[0].refresh()
        wait_line(job, "done")
    for number, editor in enumerate(editors):
        readers[1].refresh()
        if number not in victims:
            wait_line(editor, "done")
        editor.wait()
    late = [*readers, Catalog(root)]
    for reader in late:
        reader.refresh()
    assert all(everything(reader) == everything(late[0]) for reader in late)
    records = [record for path in sorted(root.glob("p/edits-*.jsonl")) for record in lines_of(path)]
    written = Counter(record["name"] for record in records if "name" in record and record.get("notes") != "")
    for number, name in enumerate(names):
        told = Path(f"{root}.{name}").read_text().split()
        assert {word for word in written if word.startswith(name + ".")} >= set(told)
        assert number in victims or len(told) == cases(15)
    assert set(written.values()) == {1}
    for run in late[0].runs.values():
        by = [
            ((r["_timestamp"], r["host"], r["user"]), r["name"]) for r in records if r["id"] == run.id and "name" in r
        ]
        own = [
            ((r["_timestamp"], "", ""), r["name"])
            for path in journals(root)
            for r in lines_of(path)
            if r["_type" if "_type" in r else "_step"] == "update" and run.id in path.name
        ]
        assert run.name == max(by + own)[1]
        assert [row["x"] for row in rows_of(root / "p" / run.file)] == list(range(300))
        assert run.state == "finished"
    assert only_runs_and_edits(root)
    tried("ten editors of the same runs, three killed", f"{len(records)} edits", "each on disk once, all readers agree")


JOIN = """
import json, os, sys, tracker
print("begun", flush=True)
me = sys.stdin.readline().strip()
resume = sys.argv[2] if len(sys.argv) > 2 else None
with tracker.init(project="p", dir=sys.argv[1], id="one", resume=resume, config={me: 1}, console="off") as run:
    print(json.dumps([run.step, run.name, os.path.basename(run.file)]), flush=True)
    for x in range(100):
        run.log({me: x})
    print("logged", flush=True)
    sys.stdin.readline()
print("done", flush=True)
"""


@pytest.mark.parametrize("count", [2, 10])
def test_one_run_is_resumed_by_several_at_once(
    count: int, root: Path, chance: random.Random, cases: Callable[[int], int], tried: Any, start: StartScript
) -> None:
    """Each goes on where it was; every row of all is read; all readers agree on who is the run, whoever ends when."""
    with tracker.init(project="p", dir=root, id="one", config={"lr": 1}) as run:
        for x in range(50):
            run.log({"before": x})
    for attempt in range(cases(1)):
        step = tracker.Api(root).run("p/one").step + 1
        processes = [start(JOIN, str(root), "must", env={"TRACKER_SILENT": "1"}) for _ in range(count)]
        reader = Catalog(root)
        for process in processes:
            wait_line(process, "begun")
        for number, process in enumerate(processes):
            tell(process, f"n{attempt}.{number}")
        told = [json.loads(wait_line(process)) for process in processes]
        for process in processes:
            wait_line(process, "logged")
        assert min(first for first, *_ in told) >= step
        assert {name for _, name, _ in told} == {run.name}
        assert len({file for *_, file in told}) == count
        for process in chance.sample(processes, count):
            tell(process)
            reader.refresh()
            wait_line(process, "done")
        late = Catalog(root)
        for each in (reader, late):
            each.refresh()
        assert everything(reader) == everything(late)
        (read,) = tracker.Api(root).runs()
        assert (read.state, read.name, read.config["lr"]) == ("finished", run.name, 1)
        history = list(read.scan_history())
        for number in range(count):
            key = f"n{attempt}.{number}"
            assert [row[key] for row in history if key in row] == list(range(100))
        assert [row["before"] for row in history if "before" in row] == list(range(50))
        assert sum(len(rows_of(path)) for path in journals(root)) == 50 + 100 * count * (attempt + 1)
    assert only_runs_and_edits(root)
    tried(f"{count} processes resume one run", f"{count * cases(1)} resumes", "every row read, all readers agree")


def test_one_run_is_begun_by_several_that_may_resume(root: Path, start: StartScript) -> None:
    """As where each rank of a job is given the same id: whoever is first, every row of all is read."""
    processes = [start(JOIN, str(root), "allow", env={"TRACKER_SILENT": "1"}) for _ in range(8)]
    for process in processes:
        wait_line(process, "begun")
    for number, process in enumerate(processes):
        tell(process, f"n{number}")
    for process in processes:
        tell(process)
        process.wait()
    (read,) = tracker.Api(root).runs()
    history = list(read.scan_history())
    for number in range(8):
        assert [row[f"n{number}"] for row in history if f"n{number}" in row] == list(range(100))


def test_one_id_is_used_by_two_without_resume(root: Path, start: StartScript) -> None:
    """Each begins anew: the one that began last is the run, for all readers; the other's file stays as it is."""
    processes = [start(JOIN, str(root), env={"TRACKER_SILENT": "1"}) for _ in range(2)]
    reader = Catalog(root)
    for number, process in enumerate(processes):
        wait_line(process, "begun")
        tell(process, f"n{number}")
    for process in processes:
        wait_line(process)
        wait_line(process, "logged")
        reader.refresh()
    for process in processes:
        tell(process)
        wait_line(process, "done")
    late = Catalog(root)
    for each in (reader, late):
        each.refresh()
    assert everything(reader) == everything(late)
    (run,) = late.runs.values()
    assert run.file == journals(root)[-1].name or run.file.endswith(".2.jsonl")
    assert [len(rows_of(path)) for path in journals(root)] == [100, 100]


def test_runs_are_purged_while_others_edit_them(root: Path, cases: Callable[[int], int], tried: Any) -> None:
    """What is purged is gone for all; what is not keeps its files and all its changes; nobody fails."""
    runs = [f"r{number}" for number in range(4)]
    for number in runs:
        with tracker.init(project="p", dir=root, id=number) as run:
            run.log({"x": 1})
            print("printed")
    stale = [Catalog(root) for _ in range(4)]
    for catalog in stale:
        catalog.refresh()
    errors: list[BaseException] = []

    def edit(catalog: Catalog) -> None:
        try:
            for number in range(cases(100)):
                for run in list(catalog.runs.values()):
                    assert catalog.edit(run, notes=f"{number}", archived=number % 2 == 0) == ""
                catalog.refresh()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=edit, args=(catalog,)) for catalog in stale]
    for thread in threads:
        thread.start()
    for run_id in runs[:2]:
        command = [sys.executable, "-m", "tracker_tui"]
        where = ["--dir", str(root)]
        for words in (["delete", run_id], ["undelete", run_id], ["delete", run_id], ["purge", run_id, "--yes"]):
            ended = subprocess.run([*command, *words, *where], env=script_environment(), capture_output=True, text=True)
            assert ended.returncode == 0, ended.stderr
    for thread in threads:
        thread.join()
    assert not errors, errors
    late = Catalog(root)
    late.refresh()
    for catalog in stale:
        catalog.refresh()
        assert everything(catalog) == everything(late)
    assert sorted(everything(late)) == runs[2:]
    assert {run.notes for run in late.runs.values()} == {str(cases(100) - 1)}
    assert only_runs_and_edits(root)
    tried("runs purged while four readers edit them", f"{4 * 4 * cases(100)} edits", "no error, all readers agree")
