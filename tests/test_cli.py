"""`tracker-tui` without a screen: ls, show, rename, and what the command line gets wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import tracker
from terminal import TREE, environment
from tracker_tui.cli import main

FIELDS = {
    "id", "name", "entity", "project", "group", "state", "created_at", "duration", "step", "config", "summary", "tags",
    "notes", "path", "bad_lines",
}  # fmt: skip


def command(*words: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `tracker-tui` with its output in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "tracker_tui", *words],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two finished runs in one project and a failed one in another."""
    root = tmp_path / "runs"
    for project, name, code in (("moons", "one", 0), ("moons", "two", 0), ("suns", "three", 1)):
        run = tracker.init(project=project, name=name, config={"lr": 0.1}, tags=["t"], notes="n", dir=root)
        run.log({"loss": 0.5, "odd": float("nan")})
        run.log({"loss": 0.25, "odd": float("inf")})
        run.finish(exit_code=code)
    return root


def test_ls_json_is_one_array_newest_first(root: Path) -> None:
    """Every object has the promised fields, in standard JSON though a metric is infinite."""
    done = command("ls", str(root), "--json")
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not standard JSON"))
    assert [run["name"] for run in runs] == ["three", "two", "one"]
    assert all(set(run) >= FIELDS for run in runs)
    assert [run["state"] for run in runs] == ["failed", "finished", "finished"]
    assert runs[1]["summary"] == {"loss": 0.25, "odd": "Infinity"}
    assert runs[1]["config"] == {"lr": 0.1}
    assert runs[1]["step"] == 1
    assert runs[1]["tags"] == ["t"]
    assert datetime.fromisoformat(runs[1]["created_at"]).tzinfo is not None
    assert Path(runs[1]["path"]).is_file()


def test_ls_lists_one_run_a_line(root: Path) -> None:
    """A header, then a line a run with its state, name, place and main metric."""
    lines = command("ls", str(root)).stdout.splitlines()
    assert re.match(r"STATE +NAME +PROJECT/ID +STEP +AGE +TIME +METRIC", lines[0])
    assert re.match(r"✗ failed +three +suns/\w{8} +1 +now +0s +loss 0.25$", lines[1])
    assert len(lines) == 4


@pytest.mark.parametrize("words", [[], ["ls"]])
def test_the_root_is_tracker_dir_else_runs(root: Path, words: list[str]) -> None:
    """Without a PATH `TRACKER_DIR` is listed, else `./runs`; so does the bare command if its output is no terminal."""
    here = command(*words, cwd=root.parent)
    there = command(*words, cwd=TREE, TRACKER_DIR=str(root))
    assert "three" in here.stdout
    assert here.stdout.splitlines()[1].split()[:3] == there.stdout.splitlines()[1].split()[:3]


def test_ls_of_a_project_or_a_file(root: Path) -> None:
    """PATH may be a project's folder or one run's file."""
    assert "three" not in command("ls", str(root / "moons")).stdout
    journal = next((root / "suns").glob("run-*.jsonl"))
    assert len(command("ls", str(journal)).stdout.splitlines()) == 2


def test_ls_of_nothing(tmp_path: Path) -> None:
    """An empty or default folder that is missing is no error; a missing folder that was named is."""
    assert command("ls", "--json", cwd=tmp_path).stdout.strip() == "[]"
    (tmp_path / "empty").mkdir()
    done = command("ls", "empty", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no runs in empty yet" in done.stderr
    assert command("ls", "missing", cwd=tmp_path).returncode == 2


def test_a_folder_that_is_called_like_a_command(tmp_path: Path) -> None:
    """`logs` is what TensorBoard's folder is called in many a project."""
    (tmp_path / "logs").mkdir()
    done = command("logs", cwd=tmp_path)
    assert done.returncode == 2
    assert "RUN (try tracker-tui logs --help; the folder is ./logs)" in done.stderr
    assert "the folder" not in command("logs", cwd=tmp_path / "logs").stderr


def test_bad_lines_are_counted(root: Path) -> None:
    """A torn or foreign line is skipped and counted."""
    journal = next((root / "suns").glob("run-*.jsonl"))
    with journal.open("ab") as file:
        file.write(b'{"_step":2,"lo\nnonsense\n[1]\n')
    (run,) = json.loads(command("ls", "--json", str(journal)).stdout)
    assert run["bad_lines"] == 3
    assert run["state"] == "failed"


def test_bad_lines_within_a_long_journal_are_counted(root: Path) -> None:
    """Though it is listed by its ends."""
    with tracker.init(project="long", dir=root) as run:
        for step in range(2000):
            run.log({"loss": step / 2000, "acc": 0.5})
    content = bytearray(Path(run.file).read_bytes())
    content[50_000:54_096] = bytes(4096)  # a block that was not on the disk when the power went
    border = content.index(b"\n", 80_000) + 1
    content[border:border] = b"nonsense\n"
    Path(run.file).write_bytes(content)
    (found,) = json.loads(command("ls", "--json", str(root / "long")).stdout)
    assert found["bad_lines"] == 2
    assert "at least 2 lines of the journals are no records" in command("ls", str(root / "long")).stderr
    edits = Path(run.file).with_name("edits-far-me.jsonl")
    edits.write_bytes(b"torn\n")
    assert "1 lines of the edits are no records" in command("ls", str(root / "long")).stderr
    assert "2 skipped" in command("show", run.name, "--dir", str(root)).stdout


@pytest.mark.parametrize("how", ["id", "name", "project/id", "path"])
def test_show_finds_a_run(root: Path, how: str) -> None:
    """RUN is an id, a unique name, project/id or a path."""
    run = tracker.Api(root).runs("suns")[0]
    word = {"id": run.id, "name": "three", "project/id": f"suns/{run.id}", "path": run.path}[how]
    done = command("show", word, cwd=root.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("three\n✗ failed  exit code 1\n")
    assert re.search(r"loss +0.25 +█▁", done.stdout)
    assert json.loads(command("show", word, "--json", cwd=root.parent).stdout)["id"] == run.id


def test_rename_is_seen_everywhere(root: Path) -> None:
    """The new name is in `ls` and `Api`; the run's own file is untouched."""
    journal = next((root / "suns").glob("run-*.jsonl"))
    before = journal.read_bytes()
    done = command("rename", "three", "four and more", cwd=root.parent)
    assert (done.returncode, done.stdout) == (0, "three is now four and more\n")
    assert "four and more" in command("ls", cwd=root.parent).stdout
    assert tracker.Api(root).runs("suns")[0].name == "four and more"
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["nonsense"],
            "no folder 'nonsense' (commands: ls, show, logs, events, compare, artifacts, import, export, rename, tag",
        ),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["ls", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["show"], "required: RUN"),
        (["show", "nobody"], "no run 'nobody'"),
        (["rename", "one"], "required: NAME"),
        (["rename", "one", "  "], "NAME must not be empty"),
        (["demo"], "needs a terminal"),
        (["demo", "extra"], "unrecognized arguments: extra"),
    ],
)
def test_bad_arguments_get_one_line_and_code_2(root: Path, words: list[str], says: str) -> None:
    """What the command line got wrong is one clear line on stderr."""
    done = command(*words, cwd=root.parent)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tracker-tui: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_name_that_two_runs_share_is_refused(root: Path) -> None:
    """The way out is in the message."""
    command("rename", "two", "one", cwd=root.parent)
    done = command("show", "one", cwd=root.parent)
    assert done.returncode == 2
    assert re.search(r"2 runs are called 'one': say which one, e.g. moons/\w{8}, moons/\w{8}", done.stderr)


def test_a_read_only_folder_refuses_a_rename(root: Path) -> None:
    """Where the edit cannot be written, nothing is changed and the exit code is 1."""
    edits = root / "suns" / tracker_edits_name()
    edits.mkdir()  # root may write anywhere, but not append to a folder
    done = command("rename", "three", "four", cwd=root.parent)
    assert done.returncode == 1
    assert "not renamed" in done.stderr
    assert tracker.Api(root).runs("suns")[0].name == "three"


def tracker_edits_name() -> str:
    """The file in which this user's edits are kept."""
    from tracker import host

    return host.edits_file_name()


def test_help_names_every_command() -> None:
    """`--help` lists the commands with examples."""
    text = command("--help").stdout
    for word in ("ls", "show", "rename", "demo", "examples:"):
        assert word in text


def test_commands_load_no_textual(root: Path) -> None:
    """Only the dashboard pays for its libraries."""
    code = (
        "import sys; from tracker_tui.cli import main; main(['ls', sys.argv[1]]);"
        "print([m for m in ('textual', 'watchfiles', 'plotext', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_rename_is_seen_where_the_run_is_named_by_its_file(root: Path) -> None:
    """Edits count whichever way the run is found."""
    path = tracker.Api(root).runs("suns")[0].path
    assert command("rename", path, "four").stdout == "three is now four\n"
    assert command("show", path).stdout.startswith("four\n")
    assert command("rename", path, "five").stdout == "four is now five\n"


@pytest.mark.parametrize("words", [["ls", "/dev/null"], ["/dev/null"]])
def test_other_files_are_no_runs(words: list[str]) -> None:
    """A path that is neither a folder nor a run's file is a bad argument."""
    done = command(*words)
    assert done.returncode == 2
    assert "neither a folder nor a run's file" in done.stderr


def test_a_full_output_is_one_line(root: Path) -> None:
    """Not a traceback."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tracker_tui", "ls", str(root)],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_show_prints_charts(root: Path) -> None:
    """As text of the size asked for, by name or pattern; colour only where it is wanted."""
    run = tracker.init(project="p", name="charted", dir=root)
    for step in range(50):
        run.log({"train/loss": 50 - step, "train/acc": step / 50, "epoch": step // 10})
    run.finish()
    done = command("show", "charted", "--chart", "train/*", "--width", "50", "--height", "10", cwd=root.parent)
    assert done.returncode == 0
    charts = done.stdout.split("\n\n")
    assert [chart.split()[:2] for chart in charts] == [["train/loss", "1"], ["train/acc", "0.98"]]
    assert all(len(chart.strip("\n").split("\n")) == 10 for chart in charts)
    assert max(map(len, done.stdout.split("\n"))) <= 50
    assert "\x1b" not in done.stdout
    assert "⠑" in charts[0]
    coloured = command("show", "charted", "--chart", "train/loss", "--color", "always", cwd=root.parent).stdout
    assert "\x1b[38;5;" in coloured
    words = ["--chart", "train/loss", "--log", "--smoothing", "0.9", "--x", "epoch"]
    assert "train/loss  1  log  ~0.9  by epoch" in command("show", "charted", *words, cwd=root.parent).stdout
    tiny = command("show", "charted", "--chart", "train/loss", "--width", "10", "--height", "3", cwd=root.parent).stdout
    assert "█" in tiny


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--chart", "los"], "has no metric 'los'; it has loss"),
        (["--chart", "loss", "--x", "epoch"], "has no metric 'epoch' for the x axis"),
        (["--chart", "loss", "--smoothing", "1"], "'1' is no weight"),
        (["--chart", "loss", "--smoothing", "nan"], "'nan' is no weight"),
        (["--chart", "loss", "--width", "0"], "'0' is no size"),
    ],
)
def test_charts_that_cannot_be_are_explained(root: Path, words: list[str], message: str) -> None:
    """In one line, with what there is."""
    tracker.init(project="p", name="charted", dir=root).log({"loss": 1})
    tracker.finish()
    done = command("show", "charted", *words, cwd=root.parent)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_help_fits_eighty_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And the help of all of it names every command there is."""
    monkeypatch.setenv("COLUMNS", "80")

    def help_of(*words: str) -> str:
        with pytest.raises(SystemExit, match="0"):
            main([*words, "--help"])
        return capsys.readouterr().out

    listed = help_of().split("commands (each has its own --help):\n")[1].split("\n\n")[0]
    commands = [line.split()[0] for line in listed.splitlines()]
    assert len(commands) > 15
    for text in (help_of(), *(help_of(command) for command in commands)):
        assert max(map(len, text.splitlines())) <= 80
        assert text.startswith("usage: tracker-tui")
