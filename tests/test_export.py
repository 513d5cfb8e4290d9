"""`tracker-tui export`: what is in the files, and that there is a whole file or none."""

from __future__ import annotations

import csv
import json
import math
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import tracker
from farhost import NAME
from support import StartScript, script_environment, tell, wait_for, wait_line, write_journal
from terminal import Terminal

LATE = (0, 1, 2, 5, 6, 3, 1, 7)


def export(*words: str | Path, env: Mapping[str, str] | None = None, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `tracker-tui export` with its output in a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "tracker_tui", "export", *map(str, words)],
        env=script_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return done


def csv_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def json_of(text: str) -> list[dict[str, Any]]:
    return [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        for line in text.split("\n")[:-1]
    ]


@pytest.fixture
def mixed(root: Path) -> Path:
    """A run with late rows and values of every kind, and bad lines between them."""
    with tracker.init(project="p", name="=1+1", id="mixed", dir=root) as run:
        for step in LATE:
            run.log({"loss": step / 4, "count": step, f"only{step}": True}, step=step)
        run.log({"odd": float("nan"), "either": 1, "text": "-Infinity"}, step=10)
        run.log({"odd": float("-inf"), "either": "words", "text": "@SUM(A1)"}, step=11)
        run.log({"odd": 2, "hist": tracker.Histogram([1, 2, 2]), "text": "-1.5", "big": 2**63}, step=12)
        run.log({"text": 'quoted "a", b', "_project": "mine", "evil\x1b[31m": "x\x1b[2Jy\nz", "none": None}, step=13)
    with open(run.file, "ab") as file:
        file.write(b'{"_step":14,"lo\nnonsense\n')
    return root


@pytest.mark.usefixtures("mixed")
def test_json_lines_hold_merged_rows_as_they_lie_on_disk() -> None:
    """In order of step, what came late in its place; NaN and the infinities as strings; a line a row."""
    done = export("mixed", "-f", "jsonl")
    rows = json_of(done.stdout)
    assert [row["_step"] for row in rows] == [*sorted(set(LATE)), 10, 11, 12, 13]
    assert all((row["_project"], row["_run"], row["_name"]) == ("p", "mixed", "=1+1") for row in rows)
    assert [row["loss"] for row in rows[:3]] == [0, 0.25, 0.5]
    assert [row.get("odd") for row in rows[-4:]] == ["NaN", "-Infinity", 2, None]
    assert rows[-2]["hist"]["_type"] == "histogram"
    assert rows[-1]["__project"] == "mine"
    assert rows[-1]["evil[31m"] == "x\x1b[2Jy\nz"
    assert "2 lines of the journals are no records" in done.stderr


@pytest.mark.usefixtures("mixed")
def test_csv_is_safe_in_a_spreadsheet_and_on_a_terminal() -> None:
    """No formulas and no control characters; numbers as they are, nothing for nothing, JSON for what is nested."""
    rows = csv_of(export("mixed").stdout)
    assert list(rows[0])[:7] == ["_project", "_run", "_name", "_step", "_timestamp", "loss", "count"]
    assert rows[0]["_name"] == "'=1+1"
    assert [row["loss"] for row in rows[:3]] == ["0.0", "0.25", "0.5"]
    assert (rows[0]["only0"], rows[1]["only0"]) == ("true", "")
    assert [row["odd"] for row in rows[-4:]] == ["NaN", "-Infinity", "2", ""]
    assert [row["text"] for row in rows[-4:]] == ["-Infinity", "'@SUM(A1)", "-1.5", 'quoted "a", b']
    assert json.loads(rows[-2]["hist"])["_type"] == "histogram"
    assert rows[-1]["evil[31m"] == "x[2Jy z"


@pytest.mark.usefixtures("mixed")
def test_parquet_has_types(tmp_path: Path) -> None:
    """Whole and other numbers, truth, text; what is mixed or nested is text."""
    done = export("mixed", "-o", "mixed.parquet")
    assert done.stdout == "11 rows of 1 run are in mixed.parquet\n"
    table = parquet.read_table(tmp_path / "mixed.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "_project": "string", "_run": "string", "_name": "string", "_step": "int64", "_timestamp": "double",
        "loss": "double", "count": "int64", **{f"only{step}": "bool" for step in sorted(set(LATE))}, "odd": "double",
        "either": "string", "text": "string", "hist": "string", "big": "double", "__project": "string",
        "evil[31m": "string", "none": "double",
    }  # fmt: skip
    rows = table.to_pylist()
    assert math.isnan(rows[-4]["odd"])
    assert [row["odd"] for row in rows[-3:]] == [-math.inf, 2.0, None]
    assert [row["either"] for row in rows[-4:]] == ["1", "words", None, None]
    assert rows[-2]["big"] == 2.0**63
    assert json.loads(rows[-2]["hist"])["values"]
    assert (rows[0]["_name"], rows[0]["only0"], rows[1]["only0"]) == ("=1+1", True, None)


def test_resumed_and_forked_runs_are_told_whole(root: Path) -> None:
    """A resumed run with what its later journal says; a fork with what it began with; each under its own name."""
    with tracker.init(project="p", id="first", dir=root) as run:
        for step in range(6):
            run.log({"a": step})
    with tracker.init(project="p", id="first", dir=root, resume="must") as run:
        for step in range(4, 8):
            run.log({"a": -step}, step=step)
    with tracker.init(project="p", id="second", dir=root, fork_from="first?_step=2") as run:
        run.log({"b": 1})
    rows = json_of(export("first", "second", "-f", "jsonl").stdout)
    assert [row["a"] for row in rows if row["_run"] == "first"] == [0, 1, 2, 3, -4, -5, -6, -7]
    forked = [(row["_step"], row.get("a"), row.get("b")) for row in rows if row["_run"] == "second"]
    assert forked == [(0, 0, None), (1, 1, None), (2, 2, None), (3, None, 1)]


def test_keys_choose_columns_and_rows_that_have_any_of_them(root: Path) -> None:
    """By name or pattern, over all runs that a query means; the place of a row is always told."""
    for name in ("one", "two", "three"):
        with tracker.init(project="p", name=name, dir=root) as run:
            run.log({"loss": 1.0, "val/acc": 0.5, "val/loss": 2.0})
            run.log({"loss": 2.0})
            run.log({"lr": 0.1})
    rows = csv_of(export("-q", "name~^t", "--keys", "loss, val/*", "--dir", root).stdout)
    assert list(rows[0]) == ["_project", "_run", "_name", "_step", "_timestamp", "loss", "val/acc", "val/loss"]
    assert [(row["_name"], row["_step"]) for row in rows] == [
        ("two", "0"),
        ("two", "1"),
        ("three", "0"),
        ("three", "1"),
    ]
    assert "called 'lss'; there is loss, lr, val/acc" in export("--keys", "loss,lss", code=1).stderr


def test_a_row_a_run(root: Path, tmp_path: Path) -> None:
    """State, config and summary under the names that queries have for them; archived runs only where asked for."""
    for number in range(3):
        config = {"lr": number / 10, "model": {"depth": number}}
        with tracker.init(project="p", name=f"run-{number}", config=config, tags=["a"], dir=root) as run:
            run.log({"loss": number, "odd": math.inf})
    read = tracker.Api(root).runs()[0]
    archive = [sys.executable, "-m", "tracker_tui", "archive", read.id]
    subprocess.run(archive, env=script_environment(), check=True, stdout=subprocess.DEVNULL)
    export("--runs", "-o", "runs.parquet")
    rows = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert [(row["_name"], row["config.lr"], row["config.model.depth"]) for row in rows] == [
        ("run-1", 0.1, 1),
        ("run-2", 0.2, 2),
    ]
    assert [(row["state"], row["summary.loss"], row["summary.odd"], row["tags"]) for row in rows] == [
        ("finished", 1, math.inf, '["a"]'),
        ("finished", 2, math.inf, '["a"]'),
    ]
    (row,) = csv_of(export("--runs", "-q", "archived:yes", "-k", "state,config.lr").stdout)
    assert row == {"_project": "p", "_run": read.id, "_name": "run-0", "state": "finished", "config.lr": "0.0"}


def test_samples_of_the_machine(root: Path) -> None:
    """A row a sample, in order of time."""
    samples = [{"_type": "system", "_timestamp": 1e9 + time, "cpu": time, "gpu.0.temp": 50} for time in (2, 1)]
    write_journal(root, [{"_type": "start", "id": "abcd1234"}, *samples, {"_step": 0, "loss": 1}])
    rows = csv_of(export("abcd1234", "--system").stdout)
    assert [(row["_timestamp"], row["cpu"], row["gpu.0.temp"]) for row in rows] == [
        ("1000000001.0", "1", "50"),
        ("1000000002.0", "2", "50"),
    ]


JOB = """
import sys, tracker
run = tracker.init(project="p", id="job")
for line in sys.stdin:
    run.log({"loss": int(line)})
    print("logged", flush=True)
"""


def test_a_running_job_goes_on(start: StartScript) -> None:
    """What it has logged by now is exported, as often as one likes."""
    job = start(JOB)
    for number in range(2):
        tell(job, str(number))
        wait_line(job, "logged")
        assert [row["loss"] for row in csv_of(export("job").stdout)] == [str(each) for each in range(number + 1)]


@pytest.mark.usefixtures("mixed")
def test_a_file_that_is_there_is_not_replaced_by_chance(tmp_path: Path) -> None:
    """Only with --force; and never what is no file."""
    (tmp_path / "out.csv").write_text("mine")
    assert "--force replaces it" in export("mixed", "-o", "out.csv", code=2).stderr
    assert (tmp_path / "out.csv").read_text() == "mine"
    (tmp_path / "link.csv").symlink_to("out.csv")
    export("mixed", "-o", "link.csv", "--force")
    assert (tmp_path / "out.csv").read_text().startswith("_project")
    assert (tmp_path / "link.csv").is_symlink()
    assert "is no file" in export("mixed", "-o", "/dev/null", "-f", "csv", "--force", code=2).stderr


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nobody"], 2, "there is no run 'nobody'"),
        (["mixed", "-o", "x.xlsx"], 2, "ends with none of csv, jsonl, parquet"),
        (["mixed", "-o", "no/such/x.csv"], 1, "no/such/x.csv is not written: No such file"),
        (["mixed", "--system"], 1, "=1+1: no samples to export"),
        (["mixed", "--query", "x"], 2, "either by name or by --query"),
        (["--query", "state:running"], 1, "no run has this state"),
        (["--query", "loss<"], 2, "^"),
        (["mixed", "--runs", "--system"], 2, "not allowed with"),
    ],
)
def test_what_cannot_be_is_explained(tmp_path: Path, words: list[str], code: int, says: str) -> None:
    """And leaves no file."""
    before = sorted(tmp_path.iterdir())
    assert says in export(*words, code=code, env={"TRACKER_SYSTEM": "off"}).stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.usefixtures("mixed")
def test_without_pyarrow_parquet_says_what_to_install() -> None:
    """CSV and JSON lines need nothing."""
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"  # what import does where there is none
        "from tracker_tui.cli import main\n"
        "print(main(['export', 'mixed', '-o', 'a.csv']))\n"
        "main(['export', 'mixed', '-o', 'a.parquet'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=script_environment(), capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert "pip install 'tracker-tui[parquet]'" in done.stderr
    assert done.returncode == 1


# ---- broken off ----


def large(root: Path, rows: int = 150_000, run_id: str = "large") -> Path:
    """A journal that takes a second to export."""
    row = b'{"_step":%d,"_timestamp":1795332199.5,"a":0.123456789,"b":0.5,"c":7}\n'
    end = b'{"_type":"end","_timestamp":1795332299.5,"exit_code":0}\n'
    return write_journal(root, b"".join(row % step for step in range(rows)) + end, run_id=run_id)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_broken_off_leaves_nothing(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Neither a file that looks whole nor a part of one."""
    large(root)
    with subprocess.Popen(
        [sys.executable, "-m", "tracker_tui", "export", "large", "-o", "out.csv"],
        env=script_environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob("out.csv.*.part")))
        process.send_signal(number)
        assert process.wait() == 128 + number
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not list(tmp_path.glob("out.csv*"))


def test_a_pipe_that_nobody_reads_and_a_full_disk(root: Path) -> None:
    """`| head` is no error; a full disk is one line."""
    large(root)
    command = [sys.executable, "-m", "tracker_tui", "export", "large", "-f", "jsonl"]
    with subprocess.Popen(command, env=script_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"_project":"p"')
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read() == b""
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, env=script_environment(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak of this program alone")
def test_memory_does_not_grow_with_the_history(root: Path, tmp_path: Path) -> None:
    """A run of 10 MB takes no more than one of 1 MB, beside a little."""
    large(root, 15_000, "small")
    large(root)
    code = (
        "from tracker_tui.cli import main\n"
        "for name in ('small', 'large'):\n"
        "    main(['export', name, '-o', f'{name}.csv'])\n"
        "    print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=script_environment(), capture_output=True, text=True, check=True
    )
    small, great = (int(line) for line in done.stdout.splitlines()[1::2])
    assert great - small < 3000
    with open(tmp_path / "large.csv") as file:
        assert sum(1 for _ in file) == 150_001


def test_progress_is_told_on_a_terminal_alone(root: Path, tmp_path: Path) -> None:
    """And is gone when it is over."""
    large(root)
    words = ["-m", "tracker_tui", "export", "large", "-o", "out.jsonl"]
    with Terminal(words, columns=80, rows=10, cwd=tmp_path) as terminal:
        terminal.wait_for("rows read")
        terminal.wait_for("of 150,000 rows written")
        terminal.wait_for("150,000 rows of 1 run are in out.jsonl")
        assert "written" not in terminal.text


def test_a_terminal_is_not_commanded_by_what_was_logged(root: Path, tmp_path: Path) -> None:
    """What would be an escape sequence is seen as what it is in JSON."""
    write_journal(root, [{"_step": 0, "a": "\x9b2Jgone?\x9d0;title\x07"}])
    words = ["-m", "tracker_tui", "export", "abcd1234", "-f", "jsonl"]
    with Terminal(words, columns=160, rows=10, cwd=tmp_path) as terminal:
        terminal.wait_for(r'"a": "\u009b2Jgone?\u009d0;title\u0007"')


@pytest.mark.usefixtures("near_far")
def test_runs_of_another_machine(root: Path) -> None:
    """Give what they give there."""
    run_id = None
    for _ in range(2):
        with tracker.init(project="p", name="there", id=run_id, resume="allow", dir=root) as run:
            run_id = run.id
            for step in (0, 2, 1):
                run.log({"loss": step, "odd": math.nan}, step=step)
    words = ("there", "-f", "jsonl", "--dir")
    assert export(*words, f"{NAME}:{root}").stdout == export(*words, root).stdout != ""
