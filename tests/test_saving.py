"""Files of a run: what `save` keeps, what `restore` gives back, the program, and code as an artifact."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tracker
from support import run_script
from tracker.errors import Error, UsageError


@pytest.fixture
def run(root: Path) -> tracker.Run:
    """A run to save with."""
    return tracker.init(project="p", dir=root, id="a")


def kept(run: tracker.Run) -> dict[str, bytes]:
    """The run's files by their names."""
    folder = Path(run.folder) / "files"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- save ----


def test_save_is_live(run: tracker.Run, tmp_path: Path) -> None:
    """What is written to the file later is kept too; so is a file that took its place, at the end."""
    grows, replaced = tmp_path / "grows.txt", tmp_path / "replaced.txt"
    grows.write_bytes(b"1")
    replaced.write_bytes(b"1")
    assert run.save("*.txt") == [os.path.join(run.dir, name) for name in ("grows.txt", "replaced.txt")]
    with grows.open("ab") as file:
        file.write(b"2")
    assert kept(run) == {"grows.txt": b"12", "replaced.txt": b"1"}
    (tmp_path / "new").write_bytes(b"3")
    (tmp_path / "new").replace(replaced)
    (tmp_path / "later.txt").write_bytes(b"4")
    run.finish()
    assert kept(run) == {"grows.txt": b"12", "replaced.txt": b"3", "later.txt": b"4"}


def test_save_now_and_at_the_end(run: tracker.Run, tmp_path: Path) -> None:
    """`now` keeps what there is now, `end` what there is at the end."""
    (tmp_path / "a").write_bytes(b"1")
    run.save("a", policy="now")
    assert [Path(path).name for path in run.save(str(tmp_path / "b"), policy="end")] == []
    for name in "ab":
        (tmp_path / name).write_bytes(b"2")
    assert kept(run) == {"a": b"1"}
    run.finish()
    assert kept(run) == {"a": b"1", "b": b"2"}


def test_save_keeps_the_path_below_the_base(run: tracker.Run, tmp_path: Path) -> None:
    """Below the working folder, or `base_path`; of an absolute path its name alone."""
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "f").write_bytes(b"1")
    run.save("x/y/f")
    run.save(tmp_path / "x" / "y" / "f")
    run.save("x/*/f", base_path="x")
    run.save("x/**/f", base_path=tmp_path, policy="now")
    assert sorted(kept(run)) == ["f", "x/y/f", "y/f"]


def test_save_stays_in_the_folder(run: tracker.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is put elsewhere, neither by `..` nor through a link; what is no file is left out."""
    work = tmp_path / "work"
    (work / "inner").mkdir(parents=True)
    (work / "inner" / "f").write_bytes(b"1")
    (tmp_path / "above").write_bytes(b"1")
    os.mkfifo(work / "pipe")
    os.chdir(work)
    for glob, base in (("../above", None), ("../*", None), (tmp_path / "above", work), ("inner/../../above", None)):
        with pytest.raises(ValueError, match="leads out"):
            run.save(glob, base_path=base)
    assert [Path(path).name for path in run.save("*", policy="now")] == []
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", Path(run.dir) / "inner")
    assert run.save("inner/f") == []
    assert "cannot save" in capsys.readouterr().err
    assert not any((tmp_path / "elsewhere").iterdir())


def test_save_leaves_runs_out(tmp_path: Path) -> None:
    """A pattern takes nothing of runs below its folder, or each would keep those before it; their own paths do."""
    for place in ("runs", "."):
        (tmp_path / place / "job" / "work").mkdir(parents=True)
        os.chdir(tmp_path / place / "job")
        Path("work", "f.txt").write_bytes(b"1")
        for number in range(2):
            with tracker.init(project="q", dir=place, id=f"r{number}") as run:
                Path(run.dir, "own.txt").write_bytes(b"2")
                run.save("**/*.txt")
            assert sorted(kept(run)) == ["own.txt", "work/f.txt"]
        with tracker.init(project="q", dir=place) as other:
            other.save(os.path.join(run.dir, "own.txt"))
        assert sorted(kept(other)) == ["own.txt"]


def test_save_without_patterns(run: tracker.Run, tmp_path: Path) -> None:
    """`glob=False` takes a path as it stands."""
    for name in ("a[1]", "a1"):
        (tmp_path / name).write_bytes(b"1")
    assert [os.path.basename(path) for path in run.save("a[1]", glob=False)] == ["a[1]"]


def test_what_the_job_writes_itself(run: tracker.Run) -> None:
    """`run.dir` is the place of such files; to save them changes nothing."""
    path = Path(run.dir) / "own"
    path.write_bytes(b"1")
    assert run.save(path, base_path=run.dir) == [str(path)]
    run.finish()
    assert kept(run) == {"own": b"1"}


def test_save_on_a_bad_disk(run: tracker.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One warning a file, and training goes on."""
    (tmp_path / "f").write_bytes(b"1")
    os.makedirs(run.folder, exist_ok=True)
    (Path(run.folder) / "files").write_text("in the way")
    assert run.save("f") == []
    assert run.save("f") == []
    assert capsys.readouterr().err.count("cannot save") == 1


def test_misuse(run: tracker.Run) -> None:
    """Raises at once."""
    for arguments, error in (((7,), TypeError), (("",), ValueError), (("a\0",), ValueError), (("a", 7), TypeError)):
        with pytest.raises(error):
            run.save(*arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="policy"):
        run.save("a", policy="never")
    run.finish()
    with pytest.raises(UsageError):
        run.save("a")


# ---- restore ----


def test_restore(root: Path, tmp_path: Path) -> None:
    """From another run, and from this one before it was resumed; what is there is only replaced if that is said."""
    (tmp_path / "state.txt").write_text("one")
    with tracker.init(project="p", dir=root, id="first") as run:
        run.save("state.txt", policy="now")
    with tracker.init(project="p", dir=root, id="first", resume="must") as run, run.restore("state.txt") as file:
        assert (file.read(), os.path.dirname(file.name)) == ("one", run.dir)
    with tracker.init(project="q", dir=root, id="other") as run:
        with pytest.raises(ValueError, match="no file"):
            run.restore("state.txt")
        with pytest.raises(ValueError, match="no file"):
            run.restore("../run-x.jsonl", "p/first")
        with pytest.raises(Error):
            run.restore("state.txt", "p/none")
        with run.restore("state.txt", "p/first", root=tmp_path / "out") as file:
            assert file.name == str(tmp_path / "out" / "state.txt")
        (tmp_path / "out" / "state.txt").write_text("mine")
        with run.restore("state.txt", "p/first", root=tmp_path / "out") as file:
            assert file.read() == "mine"
        with run.restore("state.txt", "p/first", replace=True, root=tmp_path / "out") as file:
            assert file.read() == "one"


def test_files_through_api(root: Path, tmp_path: Path) -> None:
    """Everything in the run's folder, links left out."""
    with tracker.init(project="p", dir=root, id="a") as run:
        (Path(run.dir) / "inner").mkdir()
        (Path(run.dir) / "inner" / "f").write_bytes(b"123")
        os.symlink("/etc/passwd", Path(run.dir) / "passwd")
        (Path(run.folder) / "media").mkdir()
        (Path(run.folder) / "media" / "m").write_bytes(b"4")
    there = tracker.Api(root).run("p/a")
    sizes = {file.name: file.size for file in there.files() if file.name != "requirements.txt"}
    assert sizes == {"inner/f": 3, "media/m": 1}
    with there.file("inner/f").download(tmp_path / "out") as file:
        assert file.read() == "123"
    with pytest.raises(ValueError, match="already"):
        there.file("inner/f").download(tmp_path / "out")
    with pytest.raises(ValueError, match="no file"):
        there.file("passwd")


# ---- code ----


def test_save_code(root: Path, tmp_path: Path) -> None:
    """The program is kept as it was when the run began, where that is asked for."""
    source = "import tracker\ntracker.init(project='p', save_code=True).finish()\n"
    done = run_script(tmp_path, source)
    assert done.returncode == 0, done.stderr
    (copy,) = root.glob("p/run-*/code/*.py")
    assert copy.read_text() == source
    assert run_script(tmp_path, source.replace("True", "False")).returncode == 0
    assert run_script(tmp_path, source.replace(", save_code=True", ""), env={"TRACKER_SAVE_CODE": "1"}).returncode == 0
    assert len(list(root.glob("p/run-*/code/*.py"))) == 2


def test_log_code(run: tracker.Run, tmp_path: Path, root: Path) -> None:
    """Sources, but nothing of environments, of hidden folders and of the runs; unchanged code is one version."""
    for name in ("a.py", "pkg/b.py", "pkg/data.csv", "requirements-dev.txt", "Dockerfile", "pyproject.toml",
                 ".git/hook.py", "env/lib/c.py", "env/pyvenv.cfg", "wandb/d.py", "runs/e.py"):  # fmt: skip
        path = tmp_path / "work" / name if not name.startswith("runs") else root / "e.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    os.symlink(root, tmp_path / "work" / "runs")
    os.chdir(tmp_path / "work")
    code = run.log_code()
    assert code is not None
    assert (code.type, code.version) == ("code", "v0")
    assert sorted(code.entries) == ["Dockerfile", "a.py", "pkg/b.py", "pyproject.toml", "requirements-dev.txt"]
    again = run.log_code(".")
    assert again is not None
    assert (again.name, again.version) == (code.name, "v0")
    only = run.log_code("pkg", name="mine", include_fn=lambda path, root: path != os.path.join(root, "b.py"))
    assert only is not None
    assert list(only.entries) == ["data.csv"]
    assert run.log_code(exclude_fn=lambda _: True) is None
    with pytest.raises(ValueError, match="no folder"):
        run.log_code("nothing here")


def test_log_code_stays_in_the_folder(run: tracker.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link to a file that is elsewhere is left out with a warning; one within the folder is code."""
    (tmp_path / "src").mkdir()
    (tmp_path / "secret.py").write_text("1")
    (tmp_path / "src" / "a.py").write_text("1")
    (tmp_path / "src" / "inside.py").symlink_to("a.py")
    (tmp_path / "src" / "outside.py").symlink_to("../secret.py")
    code = run.log_code("src")
    assert code is not None
    assert sorted(code.entries) == ["a.py", "inside.py"]
    assert capsys.readouterr().err.count("outside.py is left out") == 1


def test_disabled(root: Path, tmp_path: Path) -> None:
    """A disabled run keeps nothing."""
    (tmp_path / "f").write_bytes(b"1")
    run = tracker.init(project="p", dir=root, mode="disabled", save_code=True)
    assert (run.save("f"), run.restore("f"), run.log_code()) == ([], None, None)
    assert os.path.isdir(run.dir)
    assert not root.exists()


def test_tables_in_artifacts(run: tracker.Run) -> None:
    """`add` keeps a table, `get` gives it back."""
    artifact = tracker.Artifact("t", "result")
    entry = artifact.add(tracker.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]]), "inner/rows")
    assert entry.path == "inner/rows.table.json"
    there = run.log_artifact(artifact)
    table = there.get("inner/rows")
    assert (table.columns, table.data) == (["a", "b"], [[1, "x"], [2, "y"]])
    with pytest.raises(KeyError):
        there.get("other")
    with pytest.raises(TypeError):
        there.new_draft().add("text", "x")
