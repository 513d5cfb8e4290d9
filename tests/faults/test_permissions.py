"""Who may read what is written is what the umask says, and what is secret is not written."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

import tracker
from support import StartScript, script_environment

JOB = """
import argparse, glob, os, signal, sys, time
import tracker
parser = argparse.ArgumentParser()
parser.add_argument("--hf-token")
parser.add_argument("--lr", type=float)
os.umask(int(os.environ["MASK"], 8))
run = tracker.init(project="p", config=parser.parse_args())
run.log({"loss": 1.0})
print("using", run.config["hf_token"], run.config.hf_token == sys.argv[1].split("=")[1])
run.alert("going wrong")
while not glob.glob("runs/p/run-*/diff.patch"):
    time.sleep(0.01)
if os.environ["MASK"] == "0077":
    os.kill(os.getpid(), signal.SIGTERM)
"""
SECRET = "hf_abcdefghijklmnopqrstuvwxyz01234567"
PASSWORD = "correct-horse-battery"


@pytest.mark.parametrize("mask", ["0022", "0002", "0027", "0077"])
def test_files_follow_the_umask_and_hold_no_secret(mask: str, start: StartScript, tmp_path: Path, root: Path) -> None:
    """In a working tree with changes, of a job that is given a token, prints it, and is killed, with edits beside."""
    for words in (
        ["init", "-q"],
        ["remote", "add", "origin", f"https://me:{PASSWORD}@example.org/a.git"],
        ["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "settings.py").write_text(f"TOKEN = '{SECRET}'\nlr = 0.1\n")
    subprocess.run(["git", "add", "settings.py"], cwd=tmp_path, check=True)
    process = start(JOB, f"--hf-token={SECRET}", "--lr=0.1", env={"MASK": mask, "DB_PASSWORD": PASSWORD})
    output, errors = process.communicate()
    assert f"using {SECRET} True" in output, errors  # the job itself sees what it was given
    subprocess.run(
        ["sh", "-c", f"umask {mask}; exec python3 -m tracker_tui rename {tracker.Api(root).runs()[0].id} new"],
        cwd=tmp_path, env=script_environment(), check=True,
    )  # fmt: skip
    files = [root, *root.rglob("*")]
    for path in files:
        usual = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == usual & ~int(mask, 8), path
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert PASSWORD.encode() not in content, path
    kept = b"".join(path.read_bytes() for path in files if path.is_file())
    for words in ("using ", "TOKEN = '"):
        assert words.encode() + b"*" * len(SECRET) in kept
    (run,) = tracker.Api(root).runs()
    assert (run.config["lr"], run.config["hf_token"], run.name) == (0.1, "***", "new")
    for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("*"):  # what was read may be another's
        assert not path.stat().st_mode & 0o077


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("password", "x", "***"),
        ("db.passphrase", "it is long", "***"),
        ("api_key", "a1" * 16, "***"),
        ("hf_token", "x1" * 16, "***"),
        ("anything", SECRET, "*" * len(SECRET)),
        ("command", f"curl -H {SECRET} https://x", f"curl -H {'*' * len(SECRET)} https://x"),
        ("aws", "AKIAIOSFODNN7EXAMPLE", "*" * 20),
        ("url", "postgres://me:hunter2@host/db", "postgres://me:***@host/db"),
        ("host", "ssh://git@host/x", "ssh://git@host/x"),
        ("image_key", "observation.images.top_camera_2", "observation.images.top_camera_2"),
        ("monitor_key", "val/top5_accuracy_at_224px", "val/top5_accuracy_at_224px"),
        ("credentials_path", "/home/me/credentials", "/home/me/credentials"),
        ("use_secret_sauce", "yes", "yes"),
        ("function", "hf_model_name_or_path_of_the_teacher_2", "hf_model_name_or_path_of_the_teacher_2"),
        ("pad_token", "<|endoftext|>", "<|endoftext|>"),
        ("image_token", "<image>", "<image>"),
        ("decoder_start_token", "[unused1]", "[unused1]"),
        ("sort_key", "val/loss", "val/loss"),
        ("max_tokens", 4096, 4096),
        ("name", "task-Vit-L14-lr0.001-batch256", "task-Vit-L14-lr0.001-batch256"),
        ("password", "", ""),
    ],
)
def test_secrets_of_a_config_are_not_kept(key: str, value: object, kept: object) -> None:
    """At any depth, set at once or later; the job has them as they were given, also when it is resumed."""
    with tracker.init(project="p", id="one", config={"a": {"b": [{key: value}]}}) as run:
        run.config[key] = value
        assert run.config[key] == value
    (found,) = tracker.Api().runs()
    assert found.config == {"a": {"b": [{key: kept}]}, key: kept}
    with tracker.init(project="p", id="one", resume="must", config={key: value}, allow_val_change=False) as run:
        assert run.config[key] == value


def test_a_masked_value_is_not_handed_on_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by a run that is gone on with, nor by one that was put down for later."""
    with tracker.init(project="p", id="one", config={"api_key": "x", "lr": 0.1}):
        pass
    tracker.create_run("p", id="two", config={"api_key": "x", "lr": 0.1})
    for run_id in ("one", "two"):
        with tracker.init(project="p", id=run_id, resume="allow") as run:
            assert run.config.as_dict() == {"api_key": "***", "lr": 0.1}
        assert "config.api_key looked secret and was not kept: give it again" in capsys.readouterr().err
