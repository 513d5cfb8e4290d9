"""`tracker-tui artifacts`, what `show` says of files, and what `purge` removes of artifacts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tracker
from farhost import NAME
from tracker import sweeping
from tracker.replay import MAX_ARTIFACTS
from tracker_tui.cli import main

Command = Callable[..., str]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command; what it prints."""
    monkeypatch.setenv("TRACKER_SILENT", "1")

    def command(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        try:
            ended = main(words)
        except SystemExit as end:
            ended = int(end.code or 0)
        said = capsys.readouterr()
        assert ended == code, said.err
        return said.out if code == 0 else said.err

    return command


def log(root: Path, run_id: str, name: str, content: str, aliases: tuple[str, ...] = (), uses: str = "") -> None:
    """A run that makes a version, and may use another."""
    with tracker.init(project="p", dir=root, id=run_id, name=run_id, resume="allow") as run:
        if uses:
            run.use_artifact(uses)
        artifact = tracker.Artifact(name, "model", description="what it is", metadata={"lr": 0.1})
        with artifact.new_file("inner/weights") as file:
            file.write(content)
        run.log_artifact(artifact, aliases=list(aliases))


@pytest.fixture
def root(root: Path) -> Path:
    """Three versions of a model, of two runs; one was used by a third run."""
    log(root, "first", "m", "a" * 3000, ("best",))
    log(root, "second", "m", "b")
    log(root, "second", "m", "c")
    log(root, "third", "other", "a" * 3000, uses="m:v1")
    return root


def grow_old(root: Path) -> None:
    """Let all contents be older than a day."""
    before = time.time() - sweeping.AGE - 60
    for path in [*root.glob("*/.artifacts/blobs/*/*"), *root.glob("*/.artifacts/tmp/*")]:
        os.utime(path, (before, before))


def contents(root: Path) -> list[int]:
    """The sizes of all contents."""
    return sorted(path.stat().st_size for path in root.glob("*/.artifacts/blobs/*/*"))


# ---- listing ----


def test_artifacts(root: Path, command: Command) -> None:
    """One row an artifact, with its newest version; of one all versions; of a version its files."""
    place = ("--dir", str(root))
    title, first, second = command("artifacts", *place).splitlines()
    assert title.split()[:3] == ["ARTIFACT", "TYPE", "VERSIONS"]
    assert first.split()[:6] == ["p/m:v2", "model", "3", "1", "byte", "1"]
    assert second.split()[0] == "p/other:v0"
    rows = [line.split() for line in command("artifacts", "m", *place).splitlines()]
    assert [row[0] for row in rows[1:]] == ["p/m:v2", "p/m:v1", "p/m:v0"]
    assert "third" in rows[2]
    said = command("artifacts", "p/m:best", *place)
    for words in ("p/m:v0", "what it is", "aliases   best", "made by   first", "inner/weights", "lr", "2.93 KB"):
        assert words in said
    assert "no version 'none'" in command("artifacts", "m:none", *place, code=2)
    assert "no artifact 'x'" in command("artifacts", "x", *place, code=2)


def test_artifacts_as_json(root: Path, command: Command) -> None:
    """Everything that is known, with files where one artifact is asked for."""
    found = json.loads(command("artifacts", "--json", "--dir", str(root)))
    assert [(each["name"], each["version"], each["used_by"]) for each in found] == [
        ("m", 2, []),
        ("m", 1, ["p/third"]),
        ("m", 0, []),
        ("other", 0, []),
    ]
    assert found[2] == found[2] | {
        "project": "p", "type": "model", "aliases": ["best"], "size": 3000, "files": 1, "made_by": "p/first",
        "description": "what it is", "metadata": {"lr": 0.1},
    }  # fmt: skip
    (one,) = json.loads(command("artifacts", "m:v0", "--json", "--dir", str(root)))
    assert one["entries"]["inner/weights"]["size"] == 3000


def test_hostile_artifacts(root: Path, command: Command) -> None:
    """Nothing of them reaches the terminal; what is damaged is told, the rest is listed."""
    evil = "\x1b]0;evil\x07\u202e"
    with tracker.init(project="p", dir=root, id="evil") as run:
        artifact = tracker.Artifact("evil", f"t{evil}", description=evil, metadata={evil: evil})
        with artifact.new_file(f"a{evil}\nb") as file:
            file.write("x")
        artifact.add_reference(f"s3://bucket/{evil}", "ref")
        run.log_artifact(artifact)
    path = root / "p" / ".artifacts" / "m" / "v1.json"
    path.chmod(0o644)
    path.write_bytes(b"{")
    (root / "p" / ".artifacts" / f"x{evil}").mkdir()
    (root / "p" / ".artifacts" / f"x{evil}" / "v0.json").write_bytes(b"\0")
    os.mkfifo(root / "p" / ".artifacts" / "m" / "v7.json")
    said = "".join(
        command(*words, "--dir", str(root)) for words in (["artifacts"], ["artifacts", "evil"], ["show", "evil"])
    )
    assert not {"\x1b", "\x07", "\u202e"} & set(said)
    assert "p/m:v2" in said


def test_show_lists_artifacts_and_files(root: Path, command: Command) -> None:
    """What a run made and used, and what is in its folder."""
    (run,) = (run for run in tracker.Api(root).runs() if run.id == "third")
    folder = Path(run.path).with_suffix("") / "files"
    folder.mkdir(parents=True)
    (folder / "saved.bin").write_bytes(bytes(5000))
    said = command("show", "third", "--dir", str(root))
    assert "made  other:v0" in said
    assert "used  m:v1" in said
    assert "4.88 KB  saved.bin" in said
    found = json.loads(command("show", "third", "--json", "--dir", str(root)))
    assert {"name": "saved.bin", "size": 5000} in found["files"]
    assert [each["use"] for each in found["artifacts"]] == ["used", "made"]


# ---- purge ----


def test_purge_keeps_artifacts_unless_told(root: Path, command: Command) -> None:
    """The run goes, what it made stays."""
    grow_old(root)
    command("delete", "second", "--dir", str(root))
    assert command("purge", "--yes", "--dir", str(root)).endswith("removed 1 of 1 run\n")
    api = tracker.Api(root)
    assert [each.version for each in api.artifacts("model", "p/m")] == ["v2", "v1", "v0"]
    assert api.artifact("p/m:v2").logged_by() is None
    assert contents(root) == [1, 1, 3000]


def test_purge_artifacts(root: Path, command: Command, tmp_path: Path) -> None:
    """Versions of purged runs go, but what is used by others or has a name; a content that is still named stays."""
    (root / "p" / ".artifacts" / "tmp" / "x.part").write_text("half")
    grow_old(root)
    command("delete", "first", "second", "--dir", str(root))
    said = command("purge", "--artifacts", "--yes", "--dir", str(root))
    assert "p/m:v2  model  1 byte" in said
    assert "1 content that no artifact has then  1 byte\n" in said
    api = tracker.Api(root)
    assert [each.version for each in api.artifacts("model", "p/m")] == ["v1", "v0"]
    assert contents(root) == [1, 3000]
    assert not any((root / "p" / ".artifacts" / "tmp").iterdir())
    for name in ("p/m:v0", "p/m:v1", "p/other"):
        api.artifact(name).download(tmp_path / name)
    log(root, "new", "m", "d")
    assert api.artifact("p/m:latest").version == "v3"
    api.artifact("p/m:v0").delete(delete_aliases=True)
    api.artifact("p/other").delete()
    grow_old(root)
    assert "1 content " in command("purge", "--yes", "--dir", str(root))
    assert contents(root) == [1, 1]
    assert command("purge", "--yes", "--dir", str(root)) == "no run is deleted\n"


def test_purge_leaves_what_another_run_made_too(root: Path, command: Command) -> None:
    """The same files are one version, whoever made them first; also where a run made more than a list of its keeps."""
    log(root, "fourth", "m", "b")
    with tracker.init(project="p", dir=root, id="fifth", name="fifth") as run:
        run.use_artifact("m:v2")
        for version in range(MAX_ARTIFACTS):
            artifact = tracker.Artifact("many", "model")
            artifact.add_reference(f"s3://bucket/{version}")
            run.log_artifact(artifact)
    assert "m:v2" not in str(tracker.Api(root).run("p/fifth")._stored.artifacts)
    command("delete", "second", "--dir", str(root))
    assert "p/m" not in command("purge", "--artifacts", "--yes", "--dir", str(root))
    command("delete", "fifth", "--dir", str(root))
    assert "removed 1 of 1 run" in command("purge", "--artifacts", "--yes", "--dir", str(root))
    assert [each.version for each in tracker.Api(root).artifacts("model", "p/m")] == ["v2", "v1", "v0"]


def test_purge_takes_nothing_that_is_new(root: Path, command: Command) -> None:
    """A content that somebody has just found there may soon be named. Nothing goes while a manifest cannot be read."""
    grow_old(root)
    for version in tracker.Api(root).artifacts("model", "p/m"):
        version.delete(delete_aliases=True)
    with tracker.init(project="p", dir=root) as run:
        artifact = tracker.Artifact("again", "model")
        with artifact.new_file("x") as file:
            file.write("b")
        command("purge", "--yes", "--dir", str(root))
        assert contents(root) == [1, 3000]
        assert run.log_artifact(artifact).wait().version == "v0"
    os.symlink("/nowhere", root / "p" / ".artifacts" / "again" / "v7.json")
    tracker.Api(root).artifact("p/other").delete()
    grow_old(root)
    command("purge", "--yes", "--dir", str(root))
    assert contents(root) == [1, 3000]


# ---- elsewhere ----


@pytest.mark.usefixtures("near_far")
def test_artifacts_of_another_machine(root: Path, command: Command) -> None:
    """Listed, and purged by `purge` alone, over ssh as here."""
    place = ("--dir", f"{NAME}:{root}")
    assert json.loads(command("artifacts", "--json", *place))[2]["aliases"] == ["best"]
    assert "inner/weights" in command("artifacts", "m:best", *place)
    assert "used  m:v1" in command("show", "third", *place)
    grow_old(root)
    command("delete", "second", *place)
    assert "p/m:v2" in command("purge", "--artifacts", "--yes", *place)
    assert contents(root) == [1, 3000]


def test_artifacts_are_completed(root: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tab offers the names of artifacts."""
    monkeypatch.setenv("TRACKER_DIR", str(root))
    assert [line.split("\t")[0] for line in command("__complete", "words", "artifacts", "").splitlines()] == [
        "m",
        "other",
    ]
