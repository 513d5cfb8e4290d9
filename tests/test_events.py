"""The event log: what is noted of a run while it goes on, what is listed, and what the dashboard says of it."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import PATIENCE, StartScript, state_of, tell, wait_for, wait_line, write_journal
from terminal import Terminal, environment
from tracker.catalog import Catalog
from tracker.stored import StoredRun
from tracker_tui.events import Watch, events
from tracker_tui.facts import facts_of, is_troubled

Record = dict[str, Any]
THEN = 1_767_268_800.0
START: Record = {"_type": "start", "_timestamp": THEN, "format": 1, "id": "abcd1234", "name": "one", "project": "p"}
END: Record = {"_type": "end", "_timestamp": THEN + 9999, "exit_code": 0}
DASHBOARD = ["-m", "tracker_tui"]


def rows(times: Iterable[float]) -> list[Record]:
    """A row of a metric at each of some times."""
    return [{"_step": step, "_timestamp": at, "loss": 1.0 / (step + 1)} for step, at in enumerate(times)]


def only_run(root: Path) -> StoredRun:
    """The only run below a root, as its files tell it now."""
    catalog = Catalog(root)
    catalog.refresh()
    (run,) = catalog.runs.values()
    return run


def listed(root: Path, *kinds: str) -> list[tuple[str, float, str]]:
    """Kind, time and text of the only run's events, the oldest first; of some kinds, where they are named."""
    now = time.time()
    found = [(event.kind, event.time, event.text) for event in reversed(events([only_run(root)], now))]
    return [event for event in found if not kinds or event[0] in kinds]


# ---- stalls ----


def test_pause_is_told_from_when_to_when(root: Path) -> None:
    """Rows every two seconds, then none for ten minutes."""
    early = [THEN + 2 * step for step in range(50)]
    late = [early[-1] + 600 + 2 * step for step in range(50)]
    write_journal(root, [START, *rows(early + late), END])
    assert listed(root, "stalled", "went on") == [
        ("stalled", early[-1], "no row came"),
        ("went on", late[0], "after 10m 00s without a row"),
    ]


def test_checkpoint_and_end_repeat_the_pauses(root: Path) -> None:
    """They are listed also where the rows are not read again."""
    early = [THEN + 2 * step for step in range(50)]
    late = [early[-1] + 600 + 2 * step for step in range(50)]
    run = only_run_of(root, [START, *rows(early + late)])
    write_journal(root, [START, run.checkpoint(THEN + 5000), END])
    assert [event[0] for event in listed(root, "stalled", "went on")] == ["stalled", "went on"]


def only_run_of(root: Path, records: list[Record]) -> StoredRun:
    """The run that some records make."""
    write_journal(root, records)
    return only_run(root)


def test_pauses_that_come_again_are_told_once(root: Path) -> None:
    """An evaluation of two minutes after every epoch is no news at the second epoch; one of ten minutes is."""
    times, at = [], THEN
    for pause in (120, 120, 125, 600, 120):
        times += [at + step for step in range(30)]
        at = times[-1] + pause
    write_journal(root, [START, *rows([*times, at]), END])
    lengths = [text for kind, _, text in listed(root) if kind == "went on"]
    assert lengths == ["after 2m 00s without a row", "after 10m 00s without a row"]


@pytest.mark.parametrize(
    "gaps",
    [
        [1.0] * 50 + [59.0] + [1.0] * 5,
        [30.0] * 50 + [290.0] + [30.0] * 5,
        [1.0] * 5 + [3600.0] + [1.0] * 5,
        [3600.0] * 30,
        [1.0] * 50 + [-500.0] + [1.0] * 5,
    ],
    ids=["less than a minute", "less than ten times", "too few to know", "slow", "a clock that goes back"],
)
def test_what_is_usual_is_no_pause(gaps: list[float], root: Path) -> None:
    """Rows that are slow, irregular or few are not told as stalls."""
    times = [THEN]
    for gap in gaps:
        times.append(times[-1] + gap)
    write_journal(root, [START, *rows(times), END])
    assert listed(root, "stalled", "went on") == []


def test_rows_of_one_step_are_one(root: Path) -> None:
    """Several rows a step, a moment after each other, do not make the steps between them pauses."""
    times = [THEN + 100 * step + part * 0.01 for step in range(40) for part in range(5)]
    records = [{"_step": n // 5, "_timestamp": at, f"m{n % 5}": 1.0} for n, at in enumerate(times)]
    write_journal(root, [START, *records, END])
    assert listed(root, "stalled", "went on") == []


def test_run_that_stands_still_is_told(root: Path) -> None:
    """Of a run that lives, but has written no row for long: in the log, in the overview, in the tree."""
    now = time.time()
    write_journal(root, [{**START, "_timestamp": now - 2000}, *rows(now - 1900 + 2 * n for n in range(500))])
    run = only_run(root)
    assert run.state == "running"
    assert 890 < run.silence(now) < 920
    assert is_troubled(run, now)
    assert dict(facts_of(run))["stalled"].endswith("(usually every 2s)")
    ((_, at, text),) = listed(root, "stalled")
    assert abs(at - (now - 842)) < 1  # a minute after the last row
    assert text.startswith("no row for 15m")


def test_run_that_has_ended_does_not_stand_still(root: Path) -> None:
    """However long ago that was."""
    write_journal(root, [START, *rows(THEN + n for n in range(100)), END])
    run = only_run(root)
    assert run.silence(time.time()) == 0
    assert not is_troubled(run, time.time())


# ---- metrics that break ----


def test_nan_is_noted_once(root: Path) -> None:
    """The first NaN of each metric, with step and time; also from a checkpoint, behind 10,000 rows."""
    with tracker.init(project="p", dir=root) as run:
        for step in range(10_000):
            run.log({"loss": math.nan if step in (120, 121) else 0.5, "norm": math.nan if step >= 200 else 1.0})
        (broken,) = [broken for kind, _, broken in listed(root, "not finite") if broken.startswith("loss")]
        assert broken == "loss at step 120"
    read = only_run(root)
    assert [(name, step) for name, (step, _) in read.broken.items()] == [("loss", 120), ("norm", 200)]
    assert all(read.created <= moment <= read.updated for _, moment in read.broken.values())
    assert dict(facts_of(read))["broken"] == "loss not finite at step 120, norm NaN since step 200"
    assert is_troubled(read, time.time())


def test_infinity_is_noted_after_a_number(root: Path) -> None:
    """A best value that is infinite at first is meant so; a loss that becomes infinite is not."""
    with tracker.init(project="p", dir=root) as run:
        run.log({"best": math.inf, "loss": 1.0})
        run.log({"best": 0.5, "loss": math.inf})
    assert [text for _, _, text in listed(root, "not finite")] == ["loss at step 1"]


def test_many_broken_metrics_are_bounded(root: Path) -> None:
    """Fifty of them are kept."""
    with tracker.init(project="p", dir=root) as run:
        run.log({f"m{n}": math.nan for n in range(1000)})
    assert len(only_run(root).broken) == 50


# ---- beginnings, alerts, ends ----

JOB = """
import sys, tracker
run = tracker.init(project="p", name="job")
run.log({"loss": 1.0})
run.alert("disk is filling", "90 %", level="WARN")
print("ready", flush=True)
line = sys.stdin.readline().strip()
if line == "fail":
    raise ValueError("broken")
if line == "nan":
    run.log({"loss": float("nan")})
    print("logged", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("ending", "kind", "text"),
    [
        ("go", "finished", ""),
        ("fail", "failed", "ValueError: broken"),
        (signal.SIGTERM, "killed", "by SIGTERM"),
        (signal.SIGKILL, "crashed", "its process is gone and left no end"),
    ],
    ids=["go", "fail", "SIGTERM", "SIGKILL"],
)
def test_ends_are_told_with_their_reasons(
    ending: str | signal.Signals, kind: str, text: str, start: StartScript, root: Path
) -> None:
    """As every reader tells them, in the order in which things happened."""
    process = start(JOB)
    wait_line(process, "ready")
    if isinstance(ending, str):
        tell(process, ending)
    else:
        process.send_signal(ending)
    process.wait(PATIENCE)
    assert wait_for(lambda: state_of(root) == kind)
    kinds = [(event, said) for event, _, said in listed(root)]
    assert kinds == [("started", ""), ("alert", "disk is filling: 90 %"), (kind, text)]


def test_resumed_run_tells_both_beginnings_and_what_came_before(root: Path) -> None:
    """What was noted in the first segment is handed on."""
    run = tracker.init(project="p", id="same", dir=root)
    run.log({"loss": 1.0})
    run.log({"loss": math.nan})
    run.finish(exit_code=1)
    tracker.init(project="p", id="same", dir=root, resume="must").finish()
    assert [kind for kind, _, _ in listed(root)] == ["started", "not finite", "resumed", "finished"]


def test_pending_run_has_no_events(root: Path) -> None:
    """It has not begun."""
    tracker.create_run("p", dir=root)
    assert listed(root) == []


# ---- what is new ----


def test_watch_counts_what_came_since_somebody_looked(root: Path) -> None:
    """What was there before does not count, nor what nobody needs to know; after a look nothing is new."""
    records = [START, *rows([THEN, THEN + 1])]
    watch = Watch(time.time())
    run = only_run_of(root, [*records, {"_type": "alert", "_timestamp": THEN + 2, "title": "a", "level": "ERROR"}])
    watch.take([run], time.time())
    assert watch.count([run.key]) == 0
    run.apply({"_type": "alert", "_timestamp": THEN + 3, "title": "b", "level": "ERROR"})
    run.apply({"_type": "alert", "_timestamp": THEN + 4, "title": "c", "level": "INFO"})
    run.apply({"_step": 2, "_timestamp": THEN + 5, "loss": "NaN"})
    assert watch.take([run], time.time())
    assert watch.count([run.key]) == 2
    assert watch.count([]) == 0
    watch.look()
    assert not watch.take([run], time.time())
    assert watch.count([run.key]) == 0


def test_watch_tells_all_that_happened_in_one_moment(root: Path) -> None:
    """Metrics that break in one row, alerts of one level at one time: each is told and counted, once."""
    watch = Watch(time.time())
    run = only_run_of(root, [START, {"_step": 0, "_timestamp": THEN, "loss": 1.0, "norm": 1.0}])
    watch.take([run], time.time())
    run.apply({"_step": 1, "_timestamp": THEN + 1, "loss": "NaN", "norm": "NaN"})
    for title in ("disk", "fan"):
        run.apply({"_type": "alert", "_timestamp": THEN + 2, "title": title, "level": "WARN"})
    assert [event.text.split()[0] for event in watch.take([run], time.time())] == ["disk", "fan", "loss", "norm"]
    assert not watch.take([run], time.time())
    assert watch.count([run.key]) == 4


def test_watch_sees_a_run_come_to_a_standstill(root: Path) -> None:
    """Without another record: by the clock alone, once."""
    now = time.time()
    watch = Watch(time.time())
    run = only_run_of(root, [{**START, "_timestamp": now - 100}, *rows(now - 100 + n for n in range(100))])
    watch.take([run], now)
    assert not watch.go_on(now + 50)
    assert watch.go_on(now + 70)
    assert not watch.go_on(now + 80)
    assert watch.count([run.key]) == 1


# ---- the command ----


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """`tracker-tui` with these arguments."""
    return subprocess.run(
        [sys.executable, *DASHBOARD, *words], env=environment(), capture_output=True, text=True, check=False
    )


def test_command_lists_events(root: Path) -> None:
    """As text and as JSON, the newest first, of the runs that are asked for."""
    for name in ("one", "two"):
        with tracker.init(project="p", name=name, dir=root, reinit="create_new") as run:
            run.alert("careful", level="ERROR")
    lines = command("events", str(root)).stdout.splitlines()
    assert lines[0].split() == ["TIME", "PROJECT/RUN", "EVENT"]
    assert [line.split()[2:] for line in lines[1:4]] == [
        ["p/two", "finished"],
        ["p/two", "alert", "ERROR", "careful"],
        ["p/two", "started"],
    ]
    found = json.loads(command("events", str(root), "--json", "--query", "name:one").stdout)
    assert [(event["name"], event["event"], event["level"]) for event in found] == [
        ("one", "finished", ""),
        ("one", "alert", "ERROR"),
        ("one", "started", ""),
    ]
    assert command("events", str(root), "--warnings").stdout.count("alert") == 2
    assert "no folder" in command("events", str(root / "none")).stderr


@pytest.mark.parametrize("evil", ["\x1b]52;c;eA==\x07", -1, 1e300, True, None, [], {}, [[1, 2]], {"x": [1e300, 1e300]}])
def test_events_of_strange_records_are_listed(evil: object, root: Path) -> None:
    """Whatever a journal says, what is listed is fit for a terminal."""
    repeated = dict.fromkeys(("broken", "pace", "pauses", "alerts", "environment", "sketches"), evil)
    records = [{**START, "resumed": True, "_timestamp": evil, "created": evil}, {"_type": "checkpoint", **repeated}]
    write_journal(root, [*records, {"_type": "alert", "_timestamp": evil, "title": evil, "text": "x", "level": evil}])
    done = command("events", str(root))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 2
    assert all(line.isprintable() for line in done.stdout.splitlines())


# ---- the dashboard ----


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SILENT", "1")


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24)])
def test_log_is_opened_read_and_left(root: Path, columns: int, rows: int) -> None:
    """`E` lists what happened, `w` only what may need somebody, enter goes to the run."""
    for name in ("one", "two", "three"):
        with tracker.init(project="p", name=name, dir=root, reinit="create_new") as run:
            run.log({"loss": math.nan if name == "two" else 1.0})
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("3 runs")
        terminal.press("E")
        terminal.wait_for("7 events")
        terminal.wait_for("loss at step 0")
        terminal.settle()
        terminal.press("w")
        terminal.wait_for("1 warning")
        terminal.settle()
        terminal.press("enter")
        terminal.wait_for(lambda t: "1 warning" not in t.text)
        terminal.settle()
        terminal.press("3")
        terminal.wait_for("NaN since step 0")
        terminal.settle()
        terminal.press("E")
        terminal.wait_for("7 events")
        terminal.settle()
        terminal.press("escape")
        terminal.wait_for(lambda t: "7 events" not in t.text)


@pytest.mark.usefixtures("_quiet")
def test_news_are_counted_and_come_while_the_log_is_open(root: Path, start: StartScript) -> None:
    """A job's NaN and its death show in the status line, until the log was looked at; while it is open, at once."""
    root.mkdir()
    process = start(JOB)
    wait_line(process, "ready")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("● 1 running")
        assert "new warning" not in terminal.text
        tell(process, "nan")
        terminal.wait_for("! 1 new warning, E")
        terminal.press("E")
        terminal.wait_for("3 events")
        process.kill()
        terminal.wait_for("! crashed")
        terminal.settle()
        terminal.press("escape")
        terminal.wait_for("! 1 crashed")
        assert "new warning" not in terminal.text


@pytest.mark.usefixtures("_quiet")
def test_empty_log_says_so(root: Path) -> None:
    """There is nothing to choose, and nothing breaks."""
    root.mkdir()
    with Terminal([*DASHBOARD, str(root)], 80, 24) as terminal:
        terminal.wait_for("0 runs")
        terminal.press("E")
        terminal.wait_for("no events yet")
        terminal.press("enter")
        terminal.settle()
        terminal.press("escape")
        terminal.wait_for(lambda t: "no events yet" not in t.text)


def test_warnings_from_while_nobody_was_there(root: Path, start: StartScript) -> None:
    """What happened since the dashboard was left is told when it is opened again, once."""
    failing = "import tracker\nwith tracker.init(project='p') as run:\n    run.log({'x': 1})\n    raise ValueError\n"
    start(failing).wait()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("1 failed")
        assert "new warning" not in terminal.text
        terminal.press("q")
        terminal.wait_for_end()
    start(failing).wait()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("! 1 new warning, E")
        terminal.press("q")
        terminal.wait_for_end()
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 failed")
        assert "new warning" not in terminal.text
