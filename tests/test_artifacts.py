"""Artifacts: what is logged comes back whole, each content once, in versions, with aliases and who made and used it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import journals, lines_of
from tracker.errors import ChecksumError, Error, UsageError


@pytest.fixture
def run(root: Path) -> tracker.Run:
    """A run to log with."""
    return tracker.init(project="p", dir=root)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of some megabytes."""
    path = tmp_path / "model.bin"
    path.write_bytes(os.urandom(3_000_000))
    return path


def blobs(root: Path) -> list[Path]:
    """Every content that is kept."""
    return sorted(root.glob("*/.artifacts/blobs/*/*"))


def manifests(root: Path, name: str = "*") -> list[Path]:
    """Every version that is there."""
    return sorted(root.glob(f"*/.artifacts/{name}/v*.json"))


# ---- what goes in comes out ----


def test_files_folders_and_new_files(run: tracker.Run, root: Path, model: Path, tmp_path: Path) -> None:
    """A version gives back the bytes of all that was added, under the names they were given."""
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.csv").write_text("1,2\n")
    (folder / "inner" / "b.csv").write_text("3,4\n")
    artifact = tracker.Artifact(
        "things", "dataset", description="two\nlines", metadata={"rows": 2, "nan": float("nan")}
    )
    entry = artifact.add_file(model)
    artifact.add_dir(folder, "data/")
    with artifact.new_file("notes/readme.txt") as file:
        file.write("grüße")
    with artifact.new_file("raw", "wb") as file:
        file.write(b"\0\1")
    logged = run.log_artifact(artifact).wait()
    assert entry.digest == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (logged.name, logged.version, logged.type, logged.state) == ("things:v0", "v0", "dataset", "COMMITTED")
    there = tracker.Api(root).artifact("p/things:latest")
    assert there.metadata["rows"] == 2
    assert there.metadata["nan"] != there.metadata["nan"]
    assert there.description == "two\nlines"
    assert (there.size, there.file_count) == (3_000_000 + 4 + 4 + 7 + 2, 5)
    there.download(tmp_path / "out")
    names = ["data/a.csv", "data/inner/b.csv", "model.bin", "notes/readme.txt", "raw"]
    assert sorted(entry.path for entry in there.files()) == names
    assert (tmp_path / "out" / "model.bin").read_bytes() == model.read_bytes()
    assert (tmp_path / "out" / "notes" / "readme.txt").read_text("utf-8") == "grüße"
    there.verify(tmp_path / "out")


def test_a_file_may_change_as_soon_as_it_is_added(run: tracker.Run, tmp_path: Path, model: Path) -> None:
    """What was added is kept as it was then, with and without a current run, and by `log_artifact` of a path."""
    content = model.read_bytes()
    artifact = tracker.Artifact("m", "model")
    artifact.add_file(model)
    model.write_bytes(b"other")
    kept = run.log_artifact(artifact)
    assert Path(kept.get_entry("model.bin").download(tmp_path / "a")).read_bytes() == content
    assert Path(run.log_artifact(model, "n", "model").file(tmp_path / "b")).read_bytes() == b"other"
    tracker.finish()
    artifact = tracker.Artifact("o", "model")
    artifact.add_file(model)
    model.unlink()
    with tracker.init(project="q", dir=tmp_path / "elsewhere") as other:
        assert Path(other.log_artifact(artifact).file(tmp_path / "c")).read_bytes() == b"other"


def test_each_content_is_kept_once(run: tracker.Run, root: Path, model: Path) -> None:
    """Across names, artifacts and versions."""
    for name in ("a", "b"):
        artifact = tracker.Artifact(name, "model")
        artifact.add_file(model)
        artifact.add_file(model, "again")
        run.log_artifact(artifact)
    (blob,) = blobs(root)
    assert blob.name == hashlib.sha256(model.read_bytes()).hexdigest()
    assert not stat.S_IMODE(blob.stat().st_mode) & 0o222
    assert not list(root.glob("*/.artifacts/tmp/*"))


def test_an_immutable_file_is_shared(run: tracker.Run, root: Path, model: Path) -> None:
    """`policy="immutable"` takes no room."""
    artifact = tracker.Artifact("m", "model")
    artifact.add_file(model, policy="immutable")
    run.log_artifact(artifact)
    assert blobs(root)[0].samefile(model)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser gets copies anyway")
def test_a_shared_file_is_not_handed_on(run: tracker.Run, root: Path, model: Path) -> None:
    """One that anybody may write to is copied by a download, so that nobody changes what is kept."""
    artifact = tracker.Artifact("m", "model")
    artifact.add_file(model, policy="immutable")
    path = Path(run.log_artifact(artifact).file())
    assert not path.samefile(blobs(root)[0])
    assert not stat.S_IMODE(path.stat().st_mode) & 0o222


def test_references(run: tracker.Run, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reference keeps the address; one to a file here is checked when it is taken, others stay where they are."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a b.txt").write_text("a")
    artifact = tracker.Artifact("refs", "dataset")
    assert [entry.path for entry in artifact.add_reference(f"file://{data}", "here")] == ["here/a b.txt"]
    artifact.add_reference("s3://bucket/path/key.bin")
    artifact.add_reference("file://elsewhere/etc/hostname")
    run.log_artifact(artifact)
    assert blobs(root) == []
    there = tracker.Api(root).artifact("p/refs")
    assert there.get_entry("key.bin").ref_target() == "s3://bucket/path/key.bin"
    folder = Path(there.download(tmp_path / "out"))
    assert [path.name for path in folder.rglob("*.*")] == ["a b.txt"]
    assert "2 references are left" in capsys.readouterr().err
    (data / "a b.txt").write_text("b")
    with pytest.raises(ChecksumError):
        there.download(tmp_path / "other")
    assert not any((tmp_path / "other").rglob("*.*"))


def test_the_default_place_of_a_download_is_read_only(run: tracker.Run, tmp_path: Path, model: Path) -> None:
    """In `./artifacts/<name>-v<N>`; a folder that is named gets copies of one's own. A second time nothing changes."""
    there = run.log_artifact(model, "m", "model")
    folder = Path(there.download())
    assert folder == tmp_path / "artifacts" / "m-v0"
    assert not stat.S_IMODE((folder / "model.bin").stat().st_mode) & 0o222
    before = (folder / "model.bin").stat()
    assert Path(there.download()) == folder
    assert (folder / "model.bin").stat() == before
    own = Path(there.download(tmp_path / "own")) / "model.bin"
    own.write_bytes(b"changed")
    assert Path(there.download(tmp_path / "other"), "model.bin").read_bytes() == model.read_bytes()
    with pytest.raises(ChecksumError):
        there.verify(tmp_path / "own")
    (tmp_path / "own" / "more").write_text("")
    there.checkout(tmp_path / "own")
    there.verify(tmp_path / "own")


def test_part_of_an_artifact(run: tracker.Run, tmp_path: Path) -> None:
    """`path_prefix` takes only what begins so; `remove` takes files out before it is logged."""
    artifact = tracker.Artifact("m", "model")
    for name in ("a/1", "a/2", "b/1", "c"):
        with artifact.new_file(name) as file:
            file.write(name)
    artifact.remove("b")
    artifact.remove(artifact.get_path("c"))
    folder = Path(run.log_artifact(artifact).download(tmp_path / "out", path_prefix="a/2"))
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["2"]
    assert sorted(artifact.entries) == ["a/1", "a/2"]


# ---- versions and aliases ----


def log(run: tracker.Run, text: str, name: str = "m", aliases: list[str] | None = None) -> tracker.Artifact:
    """Log a version that is made of a text."""
    artifact = tracker.Artifact(name, "model")
    with artifact.new_file("text") as file:
        file.write(text)
    return run.log_artifact(artifact, aliases=aliases)


def text_of(artifact: tracker.Artifact) -> str:
    """The text that a version is made of."""
    return Path(artifact.get_entry("text").download()).read_text()


def test_versions_and_aliases(run: tracker.Run, root: Path) -> None:
    """Numbers go up by one; `latest` is what was logged last; an alias is of one version only, the last that got it."""
    assert [log(run, text).version for text in "abc"] == ["v0", "v1", "v2"]
    log(run, "d", aliases=["best"])
    log(run, "e", aliases=["best", "prod"])
    api = tracker.Api(root)
    found = {alias: text_of(api.artifact(f"p/m:{alias}")) for alias in ("v0", "v3", "latest", "best", "prod")}
    assert found == {"v0": "a", "v3": "d", "latest": "e", "best": "e", "prod": "e"}
    first = api.artifact("p/m:v0")
    first.aliases.append("best")
    first.save()
    assert text_of(api.artifact("p/m:best")) == "a"
    assert sorted(api.artifact("p/m:v4").aliases) == ["latest", "prod"]
    first.aliases = []
    first.save()
    assert not api.artifact_exists("p/m:best")
    assert [each.version for each in api.artifacts("model", "p/m")] == ["v4", "v3", "v2", "v1", "v0"]


def test_aliases_are_saved_as_they_were_changed(run: tracker.Run, root: Path) -> None:
    """`save` writes what was changed since the object was read: what others did meanwhile stays, `latest` too."""
    first = log(run, "a")
    second = log(run, "b", aliases=["best"])
    first.aliases.append("good")
    first.save()
    api = tracker.Api(root)
    assert api.artifact("p/m:latest").version == "v1"
    one, other = api.artifact("p/m:v1"), api.artifact("p/m:v1")
    one.aliases.append("prod")
    one.save()
    other.aliases.append("next")
    other.save()
    assert sorted(other.aliases) == sorted(api.artifact("p/m:v1").aliases) == ["best", "latest", "next", "prod"]
    log(run, "c", aliases=["best"])
    run.log_artifact(second, aliases=["x"])
    found = {alias: api.artifact(f"p/m:{alias}").version for alias in ("latest", "best", "x", "good")}
    assert found == {"latest": "v2", "best": "v2", "x": "v1", "good": "v0"}
    assert second.updated_at is not None
    assert second.created_at is not None
    assert second.updated_at > second.created_at


def test_aliases_on_a_bad_disk(run: tracker.Run, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`log_artifact` of a version warns and goes on, `save` raises."""
    first = log(run, "a")
    first.aliases.append("x")
    first.save()
    (path,) = root.glob("p/.artifacts/m/aliases-*.jsonl")
    path.unlink()
    path.mkdir()
    assert run.log_artifact(first, aliases=["y"]) is first
    assert "the aliases of m:v0 are not kept" in capsys.readouterr().err
    first.aliases.append("z")
    with pytest.raises(Error, match="cannot write"):
        first.save()


def test_the_same_files_are_the_same_version(run: tracker.Run, root: Path) -> None:
    """Logged again they give that version again, and its aliases move to it."""
    log(run, "a", aliases=["best"])
    log(run, "b", aliases=["best"])
    again = log(run, "a", aliases=["best"])
    assert (again.version, sorted(again.aliases)) == ("v0", ["best", "latest"])
    assert len(manifests(root)) == 2
    assert tracker.Api(root).artifact("p/m").version == "v0"
    assert log(run, "a", name="other").version == "v0"


def test_a_deleted_number_is_never_given_again(run: tracker.Run, root: Path) -> None:
    """A deleted version is found no more; one with an alias is deleted only if that is said."""
    log(run, "a")
    second = log(run, "b", aliases=["best"])
    with pytest.raises(Error, match="best"):
        second.delete()
    second.delete(delete_aliases=True)
    api = tracker.Api(root)
    assert (second.state, api.artifact_exists("p/m:v1"), api.artifact_exists("p/m:best")) == ("DELETED", False, False)
    assert api.artifact("p/m:latest").version == "v0"
    assert log(run, "b").version == "v2"


def test_a_draft_of_a_version(run: tracker.Run) -> None:
    """A version does not change; a draft of it is another one, and `incremental` adds to the last one."""
    first = log(run, "a")
    for change in (lambda: first.remove("text"), lambda: setattr(first, "description", "x")):
        with pytest.raises(UsageError, match="new_draft"):
            change()
    draft = first.new_draft()
    with draft.new_file("more") as file:
        file.write("b")
    assert (run.log_artifact(draft).version, sorted(draft.entries)) == ("v1", ["more", "text"])
    artifact = tracker.Artifact("m", "model", incremental=True)
    with artifact.new_file("most") as file:
        file.write("c")
    assert sorted(run.log_artifact(artifact).entries) == ["more", "most", "text"]


# ---- lineage ----


def test_lineage(root: Path) -> None:
    """Both runs' journals say it, also after a checkpoint, in a resumed run, and read from the files alone."""
    with tracker.init(project="p", dir=root, id="maker") as run:
        log(run, "a")
    with tracker.init(project="q", dir=root, id="user") as run:
        assert run.use_artifact("p/m:latest", type="model").digest
        for row in range(2000):
            run.log({"x": row})
    with tracker.init(project="q", dir=root, id="user", resume="must") as run:
        log(run, "b", name="n")
    with tracker.init(project="q", dir=root, id="other"):
        pass
    api = tracker.Api(root)
    artifact = api.artifact("p/m:v0")
    maker = artifact.logged_by()
    assert maker is not None
    assert (maker.id, [run.id for run in artifact.used_by()]) == ("maker", ["user"])
    assert [each.qualified_name for each in maker.logged_artifacts()] == ["p/m:v0"]
    user = api.run("q/user")
    assert [each.qualified_name for each in user.used_artifacts()] == ["p/m:v0"]
    assert [each.qualified_name for each in user.logged_artifacts()] == ["q/n:v0"]
    assert api.run("q/other").used_artifacts() == []
    records = [record for path in journals(root) for record in lines_of(path) if record.get("_type") == "artifact"]
    found = sorted((record["name"], record["use"], record["version"]) for record in records)
    assert found == [("m", "made", 0), ("m", "used", 0), ("n", "made", 0)]
    made = next(record for record in records if (record["name"], record["use"]) == ("m", "made"))
    assert made.items() >= {"type": "model", "size": 1, "files": 1, "aliases": ["latest"], "project": "p"}.items()


def test_using_what_is_not_there(run: tracker.Run) -> None:
    """A clear error, with what there is."""
    log(run, "a", aliases=["best"])
    for wanted, error in (
        ("m:v7", "it has v0 to v0 and latest, best"),
        ("none", "no artifact of that name"),
        ("m:", "project/name:alias"),
        ("a/b/c/m", "project/name:alias"),
    ):
        with pytest.raises((Error, ValueError), match=error):
            run.use_artifact(wanted)
    with pytest.raises(ValueError, match="type"):
        run.use_artifact("m", type="dataset")


def test_disabled(root: Path, tmp_path: Path, model: Path) -> None:
    """A script goes on as if artifacts were kept; nothing is written to the root, and nothing stays elsewhere."""
    with tracker.init(project="p", dir=root, id="before") as run:
        log(run, "there", name="old")
    before = sorted(root.rglob("*"))
    with tracker.init(project="p", dir=root, mode="disabled") as run:
        artifact = tracker.Artifact("m", "model")
        artifact.add_file(model)
        assert run.log_artifact(artifact, aliases=["best"]).wait() is artifact
        assert (artifact.name, sorted(artifact.aliases)) == ("m:v0", ["best", "latest"])
        assert Path(artifact.download(tmp_path / "a"), "model.bin").read_bytes() == model.read_bytes()
        assert run.use_artifact("m:best", type="model").file(tmp_path / "b")
        assert text_of(run.use_artifact("old:latest")) == "there"
        assert os.listdir(run.use_artifact("p/none:v3", type="dataset").download(tmp_path / "c")) == []
        assert run.log_artifact(model).used_by() == []
        artifact.aliases.append("prod")
        artifact.save()
    assert sorted(root.rglob("*")) == before


# ---- bad input ----


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", "a//b", "", ".", "a/.", "a\0b", "\udcff", "x" * 256])
def test_names_that_lead_elsewhere(path: str, model: Path) -> None:
    """No file of an artifact is called so."""
    artifact = tracker.Artifact("m", "model")
    for add in (lambda: artifact.add_file(model, path), lambda: artifact.new_file(path).__enter__()):
        with pytest.raises(ValueError, match="cannot be a name"):
            add()
    assert artifact.entries == {}


def test_a_file_is_no_folder_too(model: Path, run: tracker.Run) -> None:
    """Whichever comes first; what is taken out is in nobody's way. What is added replaces what is inherited."""
    artifact = tracker.Artifact("m", "model")
    artifact.add_file(model, "a/b/c")
    for name in ("a", "a/b", "a/b/c/d"):
        with pytest.raises(ValueError, match="in the artifact already"):
            artifact.add_file(model, name)
    run.log_artifact(artifact)
    artifact = tracker.Artifact("m", "model", incremental=True)
    artifact.add_file(model, "a/b")
    assert list(run.log_artifact(artifact).entries) == ["a/b"]
    draft = artifact.new_draft()
    draft.remove("a/b")
    draft.add_file(model, "a")
    draft.finalize()
    with pytest.raises(UsageError, match="finalize"):
        draft.add_file(model, "b")
    assert list(run.log_artifact(draft).wait().entries) == ["a"]


def test_texts_that_are_not_utf_8(run: tracker.Run, root: Path, tmp_path: Path) -> None:
    """Descriptions and metadata are kept without what UTF-8 cannot hold; types and addresses with it are refused."""
    path = tmp_path / "f\udcff"
    path.write_text("a")
    artifact = tracker.Artifact("m", "model", description="x\udcff", metadata={"k\udcff": "\udcff"})
    artifact.description = "y\udcff"
    artifact.add_reference(f"file://{tmp_path}/f%FF", "f")
    assert Path(run.log_artifact(artifact).wait().file(tmp_path / "out")).read_text() == "a"
    there = tracker.Api(root).artifact("p/m")
    assert (there.description, there.metadata) == ("y?", {"k?": "?"})
    for make in (lambda: tracker.Artifact("m", "t\udcff"), lambda: there.new_draft().add_reference("s3://x/\udcff")):
        with pytest.raises(ValueError, match=r"surrogate|URI"):
            make()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: tracker.Artifact("a/b", "t"), ValueError),
        (lambda: tracker.Artifact("..", "t"), ValueError),
        (lambda: tracker.Artifact("a\x1b", "t"), ValueError),
        (lambda: tracker.Artifact("", "t"), ValueError),
        (lambda: tracker.Artifact(7, "t"), TypeError),  # type: ignore[arg-type]
        (lambda: tracker.Artifact("a", ""), ValueError),
        (lambda: tracker.Artifact("a", None), TypeError),  # type: ignore[arg-type]
        (lambda: tracker.Artifact("a", "t", metadata=[1]), (TypeError, ValueError)),  # type: ignore[arg-type]
        (lambda: tracker.Artifact("a", "t").add_file("nothing here"), ValueError),
        (lambda: tracker.Artifact("a", "t").add_file("."), ValueError),
        (lambda: tracker.Artifact("a", "t").add_dir("nothing here"), ValueError),
        (lambda: tracker.Artifact("a", "t").add_reference("no/scheme"), ValueError),
        (lambda: tracker.Artifact("a", "t").get_entry("x"), KeyError),
        (lambda: tracker.Artifact("a", "t").remove("x"), FileNotFoundError),
        (lambda: tracker.Artifact("a", "t").download(), UsageError),
        (lambda: tracker.log_artifact("x"), UsageError),
    ],
)
def test_misuse(make: Callable[[], Any], error: type[Exception]) -> None:
    """Raises at once."""
    with pytest.raises(error):
        make()


@pytest.mark.parametrize("alias", ["v1", "a/b", "a:b", "", "a\x1b[2J", 7])
def test_bad_aliases(alias: Any, run: tracker.Run, model: Path, root: Path) -> None:
    """Nothing is logged."""
    with pytest.raises((TypeError, ValueError)):
        run.log_artifact(model, aliases=[alias])
    assert manifests(root) == []


def test_what_is_no_file_is_left_out(run: tracker.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a folder: links that lead out of it, pipes, broken links, with one warning. A link within it is a file."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "file").write_text("a")
    (folder / "e\x1b[2J\nvil").write_text("b")
    (folder / "inside").symlink_to("file")
    (folder / "outside").symlink_to("/etc/passwd")
    (folder / "broken").symlink_to("nothing")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    artifact = tracker.Artifact("d", "dataset")
    artifact.add_dir(folder)
    assert sorted(artifact.entries) == ["e\x1b[2J\nvil", "file", "inside"]
    said = capsys.readouterr().err
    assert said.count("is without") == 1
    assert "and 3 more" in said
    with pytest.raises(ValueError, match="regular"):
        artifact.add_file(folder / "pipe")
    run.log_artifact(artifact).download(tmp_path / "out")
    assert (tmp_path / "out" / "e\x1b[2J\nvil").read_text() == "b"


def test_files_that_vanish(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that are removed, or become something else, while their folder is added are left out with a warning."""
    import threading

    folder, over = tmp_path / "data", threading.Event()
    folder.mkdir()
    (folder / "stays").write_text("a")

    def churn() -> None:
        while not over.is_set():
            for number in range(30):
                (folder / f"f{number}").write_text("x")
            for number in range(30):
                (folder / f"f{number}").unlink()
                os.mkfifo(folder / f"f{number}")
            for number in range(30):
                (folder / f"f{number}").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(300):
            artifact = tracker.Artifact("d", "dataset")
            artifact.add_dir(folder)
            assert "stays" in artifact.entries
    finally:
        over.set()
        thread.join()
    assert "is without" in capsys.readouterr().err


def test_runs_are_left_out_of_a_folder(run: tracker.Run, tmp_path: Path) -> None:
    """Of one that they are below, also where the folder itself is the root; what is in them may be added by itself."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a").write_text("a")
    Path(run.dir, "own").write_text("b")
    artifact = tracker.Artifact("d", "dataset")
    artifact.add_dir(tmp_path)
    artifact.add_dir(run.dir, "run")
    assert sorted(artifact.entries) == ["run/own", "work/a"]
    run.finish()
    with tracker.init(project="p", dir=tmp_path / "work") as other:
        assert sorted(other.log_artifact(tmp_path / "work").entries) == ["a"]


def test_a_file_that_changes_all_the_time(run: tracker.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is kept as it was found the third time, with a warning; what is kept has its own checksum."""
    import threading

    path, over = tmp_path / "log", threading.Event()
    path.write_bytes(bytes(2_000_000))

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not over.is_set() and file.tell() < 200_000_000:
                file.write(bytes(1000))

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        artifact = tracker.Artifact("d", "log")
        artifact.add_file(path)
    finally:
        over.set()
        thread.join()
    there = run.log_artifact(artifact)
    assert "changes while it is copied" in capsys.readouterr().err
    assert Path(there.file(tmp_path / "out")).stat().st_size == there.size


def test_a_damaged_content_is_told(run: tracker.Run, root: Path, tmp_path: Path, model: Path) -> None:
    """The download fails, leaves no half file, and what is logged again heals it where it is short."""
    there = run.log_artifact(model, "m", "model")
    (blob,) = blobs(root)
    blob.chmod(0o644)
    for damage in (lambda: blob.write_bytes(bytes(3_000_000)), lambda: blob.write_bytes(b"short"), blob.unlink):
        damage()
        with pytest.raises(Error):
            there.download(tmp_path / "out")
        assert not any((tmp_path / "out").iterdir())
    os.mkfifo(blob)
    with pytest.raises(Error):
        there.download(tmp_path / "out")
    blob.unlink()
    assert run.log_artifact(model, "m", "model").version == "v0"
    assert Path(there.file(tmp_path / "out")).read_bytes() == model.read_bytes()


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no JSON": lambda _: b"\0\xff",
    "a list": lambda _: [],
    "empty": lambda _: b"",
    "entries a list": lambda m: {**m, "entries": []},
    "leads up": lambda m: {**m, "entries": {"../../x": m["entries"]["text"]}},
    "absolute": lambda m: {**m, "entries": {"/tmp/x": m["entries"]["text"]}},
    "a digest that is a path": lambda m: {**m, "entries": {"x": {"digest": "../../../x", "size": 1}}},
    "another digest": lambda m: {**m, "digest": "0" * 64},
    "deep": lambda _: b'{"a":' * 100_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_manifests(case: str, run: tracker.Run, root: Path) -> None:
    """Such a version is not there; its number stays taken, the others are found, and logging goes on."""
    log(run, "a")
    log(run, "b")
    path = manifests(root)[1]
    bad = HOSTILE[case](json.loads(path.read_bytes()))
    path.chmod(0o644)
    path.write_bytes(bad if isinstance(bad, bytes) else json.dumps(bad).encode())
    api = tracker.Api(root)
    assert not api.artifact_exists("p/m:v1")
    assert api.artifact("p/m:latest").version == "v0"
    assert log(run, "c").version == "v2"


def test_hostile_aliases_and_links(run: tracker.Run, root: Path, tmp_path: Path) -> None:
    """Lines that make no sense are passed over; folders that are links are neither read nor written."""
    log(run, "a")
    lines = [b"\xff", b"[]", b"{}", b'{"_timestamp":1e9,"version":"0","add":["x"]}']
    lines += [
        b'{"_timestamp":9e9,"version":7,"add":["latest"]}',
        b'{"_timestamp":9e9,"version":0,"add":["\\u001b[2J",3]}',
    ]
    (root / "p" / ".artifacts" / "m" / "aliases-evil-me.jsonl").write_bytes(b"\n".join(lines))
    assert tracker.Api(root).artifact("p/m").aliases == ["latest"]
    outside = tmp_path / "outside"
    (root / "p" / ".artifacts").rename(outside)
    (root / "p" / ".artifacts").symlink_to(outside)
    assert not tracker.Api(root).artifact_exists("p/m")
    before = sorted(outside.rglob("*"))
    assert log(run, "b").state == "PENDING"
    assert sorted(outside.rglob("*")) == before


def test_a_download_stays_below_its_folder(run: tracker.Run, tmp_path: Path) -> None:
    """Also where a folder of it is a link that leads elsewhere."""
    artifact = tracker.Artifact("m", "model")
    with artifact.new_file("inner/text") as file:
        file.write("a")
    there = run.log_artifact(artifact)
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "inner").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Error, match="leads out"):
        there.download(tmp_path / "out")
    assert not any((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("checksum", [True, False])
def test_a_download_replaces_links(checksum: bool, run: tracker.Run, tmp_path: Path) -> None:
    """What they lead to stays as it is, also where it is the same already, and of references too."""
    (tmp_path / "source").write_text("12 of length")
    (tmp_path / "elsewhere").write_text("12 of length" if checksum else "mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "source").symlink_to("../elsewhere")  # 12 bytes, as the file
    artifact = tracker.Artifact("m", "model")
    artifact.add_reference(f"file://{tmp_path}/source", checksum=checksum)
    path = Path(run.log_artifact(artifact).file(tmp_path / "out"))
    assert (path.is_symlink(), path.read_text()) == (False, "12 of length")
    assert (tmp_path / "elsewhere").read_text() == ("12 of length" if checksum else "mine")


def test_a_folder_that_takes_nothing(
    run: tracker.Run, root: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training goes on with one warning, `wait` raises, and what was added is logged when the disk is well again."""
    (root / "p" / ".artifacts").write_text("in the way")
    artifact = tracker.Artifact("m", "model")
    artifact.add_file(model)
    assert run.log_artifact(artifact) is artifact
    run.log({"loss": 1})
    assert artifact.state == "PENDING"
    with pytest.raises(Error, match="not kept"):
        artifact.wait()
    assert "WARNING artifact m is not kept" in capsys.readouterr().err
    (root / "p" / ".artifacts").unlink()
    assert run.log_artifact(artifact).wait().version == "v0"
