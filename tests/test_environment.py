"""What surrounds a run: what is found out of machine and code, what is kept secret, what is shown of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import StartScript, journal, journals, lines_of, run_script, tell, wait_for, wait_line, write_journal
from tracker.catalog import Catalog
from tracker.programs import output_of
from tracker.secrets import mask_words, without_credentials
from tracker_tui.facts import environment_of
from tracker_tui.fields import value_of

SECRET = "s3cr3tVALUE0123456789"
JOB = """
import sys, tracker
run = tracker.init(project="p")
print(run.folder, flush=True)
sys.stdin.readline()
run.finish()
"""
"""Says where its folder is, and ends when it is told to."""


def environment(root: Path) -> dict[str, Any]:
    """The only record of its kind in the only journal; waits for it."""
    assert wait_for(lambda: journals(root) and any(r.get("_type") == "environment" for r in lines_of(journal(root))))
    (record,) = [record for record in lines_of(journal(root)) if record.get("_type") == "environment"]
    return record


def git(folder: Path, *words: str) -> str:
    """A git command that succeeds, with an author of its own."""
    author = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "commit.gpgsign=false",
    )
    done = subprocess.run(["git", *author, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit, around the scripts of the test."""
    (tmp_path / ".gitignore").write_text("*\n!model.py\n!new*.py\n", encoding="utf-8")
    (tmp_path / "model.py").write_text("depth = 3\n", encoding="utf-8")
    git(tmp_path, "init")
    git(tmp_path, "add", "-f", ".gitignore", "model.py")
    git(tmp_path, "commit", "-m", "one")
    return tmp_path


def surveyed(start: StartScript, root: Path, *arguments: str, **env: str) -> tuple[dict[str, Any], Path]:
    """The environment record of a job that has ended, and its folder."""
    process = start(JOB, *arguments, env=env)
    folder = Path(wait_line(process))
    record = environment(root)
    tell(process)
    assert process.wait() == 0
    return record, folder


# ---- the machine ----


def test_machine_is_told(start: StartScript, root: Path) -> None:
    """System, processors, memory, disk and Python are known, of the machine that the job ran on."""
    record, _ = surveyed(start, root)
    assert os.uname().release in record["os"]
    assert record["cpu"]["count"] == os.cpu_count()
    assert 0 < record["memory"] <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert record["disk"]["total"] == os.statvfs(root).f_blocks * os.statvfs(root).f_frsize
    assert os.path.samefile(record["executable"], sys.executable)
    assert len(json.dumps(record)) < 4096


def test_packages_are_a_file(start: StartScript, root: Path) -> None:
    """`requirements.txt` lists what is installed, one package a line."""
    _, folder = surveyed(start, root)
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("orjson==") for line in lines)
    assert all(line.count("==") == 1 for line in lines)
    assert lines == sorted(lines, key=lambda line: line.split("==")[0].lower().replace("_", "-"))


def test_cluster_is_told_without_the_rest_of_the_variables(start: StartScript, root: Path) -> None:
    """SLURM's job and torchrun's ranks are known; no other variable is."""
    variables = {"SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "n[1-2]", "RANK": "3", "WORLD_SIZE": "8"}
    record, _ = surveyed(start, root, **variables, SLURM_JWT=SECRET, MY_TOKEN=SECRET, SLURM_JOB_NAME="x" * 9999)
    assert record["slurm"] == {"job_id": "77", "job_name": "x" * 200, "job_nodelist": "n[1-2]"}
    assert record["rank"] == {"rank": "3", "world_size": "8"}
    assert SECRET not in journal(root).read_text(encoding="utf-8")


def test_gpus_are_counted_by_kind(start: StartScript, root: Path, tmp_path: Path) -> None:
    """What `nvidia-smi` lists is told by name, memory and number."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n*query*) echo "NVIDIA A100, 40960, 550.1"; echo "NVIDIA A100, 40960, 550.1";;\n'
        '*) echo "CUDA Version        : 12.4";;\nesac\n'
    )
    program.chmod(0o755)
    record, _ = surveyed(start, root, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert record["gpus"] == [{"name": "NVIDIA A100", "memory": 40 << 30, "count": 2}]
    assert (record["driver"], record["cuda"]) == ("550.1", "12.4")
    (run,) = _runs(root)
    assert value_of(run, "gpu") == "2 x NVIDIA A100 40 GB"


def _runs(root: Path) -> list[Any]:
    catalog = Catalog(root)
    catalog.refresh()
    return list(catalog.runs.values())


# ---- the code ----


def test_changes_of_the_working_tree_are_told(start: StartScript, root: Path, repository: Path) -> None:
    """Branch, numbers of files and the diff, which gives the job's code back when it is applied to the commit."""
    (repository / "model.py").write_text("depth = 4\n", encoding="utf-8")
    (repository / "new1.py").write_text("", encoding="utf-8")
    (repository / "new2.py").write_text("", encoding="utf-8")
    record, folder = surveyed(start, root)
    assert record["git"] == {"branch": "main", "dirty": True, "changed": 1, "untracked": 2}
    git(repository, "checkout", "model.py")
    git(repository, "apply", str(folder / "diff.patch"))
    assert (repository / "model.py").read_text(encoding="utf-8") == "depth = 4\n"
    metadata = tracker.Api(root).runs()[0].metadata["git"]
    assert metadata == {"commit": git(repository, "rev-parse", "HEAD"), **record["git"]}


@pytest.mark.usefixtures("repository")
def test_clean_tree_has_no_diff(start: StartScript, root: Path) -> None:
    """Nothing differs, and nothing is written."""
    record, folder = surveyed(start, root)
    assert record["git"] == {"branch": "main", "dirty": False, "changed": 0, "untracked": 0}
    assert not (folder / "diff.patch").exists()


def test_detached_head_has_no_branch(start: StartScript, root: Path, repository: Path) -> None:
    """The commit alone tells where the code is from."""
    git(repository, "checkout", "--detach")
    record, _ = surveyed(start, root)
    assert record["git"] == {"dirty": False, "changed": 0, "untracked": 0}


def test_worktree_tells_its_own_branch(start: StartScript, root: Path, repository: Path, tmp_path: Path) -> None:
    """Of a second working tree of a repository, its own branch and changes are told."""
    tree = tmp_path / "second"
    git(repository, "worktree", "add", "-b", "other", str(tree))
    (tree / "model.py").write_text("depth = 5\n", encoding="utf-8")
    (tree / "job.py").write_text(JOB, encoding="utf-8")
    process = start("import runpy, sys; sys.argv = ['second/job.py']; runpy.run_path('second/job.py')")
    folder = Path(wait_line(process))
    assert environment(root)["git"]["branch"] == "other"
    tell(process)
    assert process.wait() == 0
    assert b"depth = 5" in (folder / "diff.patch").read_bytes()


def test_settings_of_git_change_nothing(start: StartScript, root: Path, repository: Path) -> None:
    """Neither an external diff nor colours nor prefixes of the user's reach the patch; variables of a hook do not
    mislead, and nothing of the user's is started.
    """
    (repository / "model.py").write_text("depth = 4\n", encoding="utf-8")
    for key, value in {
        "diff.external": "echo", "color.ui": "always", "diff.noprefix": "true", "status.showUntrackedFiles": "no",
        "core.fsmonitor": "touch fsmonitor-ran",
    }.items():  # fmt: skip
        git(repository, "config", key, value)
    _, folder = surveyed(start, root, GIT_DIR="/nowhere", GIT_EXTERNAL_DIFF="echo")
    assert not (repository / "fsmonitor-ran").exists()
    git(repository, "-c", "core.fsmonitor=false", "checkout", "model.py")
    git(repository, "apply", str(folder / "diff.patch"))
    assert (repository / "model.py").read_text(encoding="utf-8") == "depth = 4\n"


def test_large_diff_is_cut(start: StartScript, root: Path, repository: Path) -> None:
    """At most about a megabyte of it is kept, and its last line says so."""
    (repository / "model.py").write_text("value = 1234567890\n" * 200_000, encoding="utf-8")
    _, folder = surveyed(start, root)
    diff = (folder / "diff.patch").read_bytes()
    assert 1_000_000 < len(diff) < 1_100_000
    assert diff.endswith(b"\n# tracker: cut here, at 1 MiB or after 5 s\n")


def test_git_is_left_alone_where_it_is_to_be(start: StartScript, root: Path, repository: Path) -> None:
    """With `TRACKER_DISABLE_GIT` there is neither a fact nor a diff."""
    (repository / "model.py").write_text("depth = 4\n", encoding="utf-8")
    record, folder = surveyed(start, root, TRACKER_DISABLE_GIT="1")
    assert "git" not in record
    assert not (folder / "diff.patch").exists()


def test_no_git_is_no_trouble(start: StartScript, root: Path, repository: Path, tmp_path: Path) -> None:
    """Without git on PATH the rest is told, and the commit, which needs no git."""
    (tmp_path / "empty").mkdir()
    record, _ = surveyed(start, root, PATH=str(tmp_path / "empty"))
    assert "git" not in record
    assert record["cpu"]
    assert tracker.Api(root).runs()[0].metadata["git"] == {"commit": git(repository, "rev-parse", "HEAD")}


# ---- commands ----


def test_command_that_hangs_is_ended() -> None:
    """It is killed when its time is over; what it said by then is there."""
    assert output_of(["sh", "-c", "echo here; exec sleep 60"], 0.3) == (b"here\n", None)


def test_command_that_never_stops_talking_is_ended() -> None:
    """It is killed when it has said enough."""
    done = output_of(["yes"], 20.0, limit=100_000)
    assert done.code is None
    assert 100_000 < len(done.data) < 300_000


def test_command_tells_how_it_ended() -> None:
    """Its exit code is known; of one that is not there, nothing is."""
    assert output_of(["sh", "-c", "echo a; exit 3"], 20.0) == (b"a\n", 3)
    assert output_of(["no-such-program"], 20.0) == (b"", None)


# ---- secrets ----

HIDDEN = [
    ["--api-key", SECRET],
    [f"--api_key={SECRET}"],
    ["--token", SECRET],
    ["--hf-token", SECRET],
    ["--password", SECRET],
    [f"--db.password={SECRET} with a space"],
    ["--wandb-key", SECRET],
    ["--wandbApiKey", SECRET],
    [f"--accessToken={SECRET}"],
    ["--token", f"-{SECRET}"],
    ["--pat", SECRET],
    ["--header", f"Authorization: token {SECRET}"],
    [f"AccountKey={SECRET};x=1"],
    ["--key", SECRET],
    [f"HF_TOKEN={SECRET}"],
    [f"model.api_key={SECRET}"],
    ["--header", f"Authorization: Bearer {SECRET}"],
    ["--header", f"Authorization: Basic {SECRET}=="],
    ["--json", f'{{"lr": 1, "token": "{SECRET}"}}'],
    [f"https://me:{SECRET}@host/x"],
    [f"postgresql://me:{SECRET}@host:5432/db?x=1"],
    [f"https://host/x?private_token={SECRET}"],
    [f"hf_{SECRET}{SECRET}"],
    [f"ghp_{SECRET}{SECRET}"],
    [f"github_pat_{SECRET}{SECRET}"],
    [f"/path/glpat-{SECRET}/x"],
    [f"sk-{SECRET}{SECRET}"],
    [f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.{SECRET}"],
]


@pytest.mark.parametrize("words", HIDDEN, ids=" ".join)
def test_secret_is_masked(words: list[str]) -> None:
    """What follows is as it was."""
    masked = mask_words([*words, "--lr", "0.1"])
    assert SECRET not in " ".join(masked)
    assert "***" in " ".join(masked)
    assert masked[-2:] == ["--lr", "0.1"]


OPEN = [
    ["--max-tokens", "512"],
    ["--compass", "north"],
    ["--tokenizer", "gpt2"],
    ["--pad-token", "<pad>"],
    ["--sort-key", "val_loss"],
    ["--revision", "0123456789abcdef0123456789abcdef01234567"],
    ["-p", "secret-of-nimh"],
    ["--use-auth-token", "--lr", "0.1"],
    ["--author", "me"],
    ["--name", "sk-learn-baseline-number-one"],
    ["s3://bucket/data", "git@github.com:me/x.git", "ssh://git@host/x"],
    ["--data", "a=1,b:2", "x & y", "(z)"],
]


@pytest.mark.parametrize("words", OPEN, ids=" ".join)
def test_what_is_no_secret_stays(words: list[str]) -> None:
    """Words that only look a little like it are left alone."""
    assert mask_words(words) == words


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://me:{SECRET}@host/a.git", "https://host/a.git"),
        (f"https://{SECRET}@host:8443/a.git", "https://host:8443/a.git"),
        ("git@host:a/b.git", "git@host:a/b.git"),
        ("ssh://git@host:22/a.git", "ssh://git@host:22/a.git"),
        (f"ssh://git:{SECRET}@host/a.git", "ssh://git@host/a.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
    ],
)
def test_remote_has_no_credentials(address: str, shown: str) -> None:
    """Only who is asked stays, where it is ssh."""
    assert without_credentials(address) == shown


def test_secrets_of_a_job_are_in_none_of_its_files(start: StartScript, root: Path, repository: Path) -> None:
    """Neither the command line's nor the remote's."""
    git(repository, "remote", "add", "origin", f"https://me:{SECRET}@host/a.git")
    words = [word for each in HIDDEN for word in each]
    record, _ = surveyed(start, root, *words, HF_TOKEN=SECRET)
    assert record["git"]["remote"] == "https://host/a.git"
    assert "--lr" not in tracker.Api(root).runs()[0].metadata["command"]
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) > 1
    assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []


# ---- beginnings and ends ----


def test_run_that_ends_at_once_tells_what_is_told_at_once(root: Path, tmp_path: Path) -> None:
    """A script that only begins a run and ends it has its machine on record before the end; no thread complains."""
    done = run_script(tmp_path, "import tracker; tracker.init(project='p')", env={"TRACKER_SILENT": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert environment(root)["os"]
    assert [record["_type"] for record in lines_of(journal(root))] == ["start", "environment", "end"]


def test_ends_of_many_runs_leave_nothing_behind(root: Path) -> None:
    """Runs that end at once, one after the other, each have one record at most, and their threads end."""
    for _ in range(20):
        tracker.init(project="p", reinit="create_new").finish()
    kinds = [[record["_type"] for record in lines_of(path)] for path in journals(root)]
    assert all(kind.count("environment") <= 1 and kind[-1] == "end" for kind in kinds)
    assert len(kinds) == 20
    assert wait_for(lambda: "tracker-survey" not in [thread.name for thread in threading.enumerate()])


def test_disabled_run_finds_out_nothing(root: Path) -> None:
    """It leaves no file and starts no thread."""
    before = set(threading.enumerate())
    run = tracker.init(mode="disabled")
    assert not set(threading.enumerate()) - before
    run.finish()
    assert not root.exists()


def test_every_run_of_a_process_tells_its_own() -> None:
    """Runs beside each other each have their record and their files."""
    runs = [tracker.init(project="p", reinit="create_new") for _ in range(3)]
    for run in runs:
        assert wait_for(lambda run=run: any(r.get("_type") == "environment" for r in lines_of(run.file)))
        assert (Path(run.folder) / "requirements.txt").stat().st_size
        run.finish()


FORKED = """
import os, sys, time, tracker
def finish(run):
    while b'"environment"' not in open(run.file, 'rb').read():  # at its end it would wait 50 ms alone for it
        time.sleep(0.01)
    run.finish()
run = tracker.init(project="p")
if os.fork() == 0:
    finish(tracker.init(project="p", name="child"))
    os._exit(0)
os.wait()
finish(run)
"""


def test_forked_child_tells_its_own(root: Path, tmp_path: Path) -> None:
    """A child that is forked in the very moment writes nothing for its parent, and has a record of its own."""
    done = run_script(tmp_path, FORKED)
    assert done.returncode == 0, done.stderr
    kinds = [[record["_type"] for record in lines_of(path)] for path in journals(root)]
    assert kinds == [["start", "environment", "end"]] * 2


def test_folder_that_was_removed_stays_so(start: StartScript, root: Path) -> None:
    """A survey does not bring back a project that somebody removed meanwhile."""
    process = start(JOB, env={"TRACKER_CONSOLE": "off"})
    wait_line(process)
    shutil.rmtree(root)
    tell(process)
    process.wait()
    assert not [path for path in root.rglob("*") if path.is_dir() and path.name.startswith("run-")]


def test_resumed_run_tells_the_machine_that_it_is_on_now(root: Path) -> None:
    """What the first machine was is not handed on to the second."""
    records = [
        {"_type": "start", "_timestamp": 1.7e9, "format": 1, "id": "abcd1234", "name": "n", "project": "p"},
        {"_type": "environment", "_timestamp": 1.7e9, "os": "Elsewhere 1.0", "driver": "1"},
    ]
    write_journal(root, records)
    run = tracker.init(project="p", id="abcd1234", resume="must")
    assert "driver" not in tracker.Api(root).runs()[0].metadata
    run.finish()
    metadata = tracker.Api(root).runs()[0].metadata
    assert os.uname().release in metadata["os"]
    assert "driver" not in metadata


# ---- reading ----

KEPT = {"os": "Debian 12", "cpu": {"model": "Xeon", "count": 64, "allowed": 8}, "memory": 64 << 30}
START = {"_type": "start", "_timestamp": 1.7e9, "format": 1, "id": "abcd1234", "name": "n", "project": "p"}


@pytest.mark.parametrize("kind", ["environment", "checkpoint", "end"])
def test_environment_is_read_wherever_it_is_told(kind: str, root: Path) -> None:
    """The record itself, and whatever repeats the run's state."""
    told = KEPT if kind == "environment" else {"environment": KEPT}
    write_journal(root, [START, {"_type": kind, "_timestamp": 1.7e9, **told}])
    (run,) = _runs(root)
    assert run.environment == KEPT
    assert environment_of(run) == {"os": "Debian 12", "cpu": "8 of 64 x Xeon", "memory": "64 GB"}


EVIL: list[Any] = ["\x1b]52;c;eA==\x07", 7, -1, 1e300, True, None, [], {}, [[["x"]]], {"a": {"b": {"c": {"d": 1}}}}]


@pytest.mark.parametrize("evil", EVIL, ids=repr)
def test_environment_may_be_anything(evil: object, root: Path) -> None:
    """Whatever a journal says there, facts are texts that are fit for a terminal."""
    names = (
        "os",
        "cpu",
        "memory",
        "disk",
        "gpus",
        "driver",
        "container",
        "slurm",
        "rank",
        "git",
        "executable",
        "python",
    )
    inner = dict.fromkeys(("model", "count", "total", "free", "kind", "branch", "changed", "remote", "name"), evil)
    for value in (evil, inner, [inner], {"\x1b[2J": evil}):
        write_journal(root, [START, {"_type": "environment", **dict.fromkeys(names, value)}])
        (run,) = _runs(root)
        facts = environment_of(run)
        assert all(text.isprintable() for pair in facts.items() for text in pair)
        assert str(value_of(run, "gpu")).isprintable()
        assert str(value_of(run, "branch")).isprintable()
        json.dumps(run.metadata)


def test_environment_is_bounded(root: Path) -> None:
    """Endless texts and lists are cut where they enter."""
    record = {
        "_type": "environment",
        "os": "x" * 10**6,
        "slurm": {f"k{n}": "v" for n in range(10**4)},
        "gpus": [{}] * 999,
    }
    write_journal(root, [START, record])
    (run,) = _runs(root)
    assert len(json.dumps(run.environment)) < 10_000


def test_facts_are_short_to_read(root: Path) -> None:
    """What is shown of everything that may be told."""
    start = {**START, "python": "3.11.7", "git": "0123456789abcdef", "program": "/x/train.py", "cwd": "/x"}
    found = {
        "git": {"branch": "main", "dirty": True, "changed": 3, "untracked": 1, "remote": "git@host:a/b.git"},
        "disk": {"total": 1 << 40, "free": 1 << 39},
        "gpus": [{"name": "A100", "memory": 80 << 30, "count": 8}, {"name": "T4", "memory": 16 << 30, "count": 1}],
        "driver": "550.1",
        "cuda": "12.4",
        "container": {"kind": "docker", "id": "0123456789ab"},
        "slurm": {"job_id": "77", "job_partition": "gpu", "procid": "3"},
        "rank": {"rank": "3", "world_size": "8"},
    }
    write_journal(root, [start, {"_type": "environment", **found}])
    assert environment_of(_runs(root)[0]) == {
        "git": "main 0123456789ab (3 changed, 1 untracked)",
        "remote": "git@host:a/b.git",
        "program": "/x/train.py",
        "folder": "/x",
        "python": "3.11.7",
        "disk": "512 GB free of 1 TB",
        "gpu": "8 x A100 80 GB, T4 16 GB",
        "driver": "550.1, CUDA 12.4",
        "container": "docker 0123456789ab",
        "slurm": "id 77, partition gpu, procid 3",
        "rank": "3 of 8",
    }
