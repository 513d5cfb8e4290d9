"""What is kept of runs that have ended saves time, and never shows what is not true."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracker
from tracker import cache, index
from tracker.catalog import Catalog

COUNT = index.LEAST + 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many runs in two projects, all of several kinds."""
    root = tmp_path_factory.mktemp("made")
    kinds = [plain_run, odd_run, failed_run, defined_run]
    paths = [kind(root) for kind in kinds]
    for number in range(COUNT):
        path = paths[number % len(paths)]
        project = root / f"project-{number % 2}"
        project.mkdir(exist_ok=True)
        shutil.copyfile(path, project / f"run-20261101_{number:06d}-copy{number}.jsonl")
    return root


def plain_run(root: Path) -> Path:
    with tracker.init(
        dir=root, project="origin", config={"lr": 0.1, "net": {"depth": 3}}, tags=["a"], notes="n"
    ) as run:
        for step in range(50):
            run.log({"loss": 1 / (step + 1), "acc": step})
    return Path(run.file)


def odd_run(root: Path) -> Path:
    with tracker.init(dir=root, project="origin", name="\u2603 snow", config={"bad": float("nan")}) as run:
        run.log({"loss": float("inf"), "text": "x"})
        run.log({"loss": float("nan")})
        run.alert("look", "at this")
    return Path(run.file)


def failed_run(root: Path) -> Path:
    run = tracker.init(dir=root, project="origin", group="g", job_type="train")
    run.log({"loss": 3.0})
    run.finish(exit_code=3)
    return Path(run.file)


def defined_run(root: Path) -> Path:
    with tracker.init(dir=root, project="origin") as run:
        run.define_metric("loss", summary="min,mean", step_metric="epoch")
        for epoch in range(5):
            run.log({"epoch": epoch, "loss": 5.0 - epoch})
        run.name = "renamed"
    return Path(run.file)


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    shutil.copytree(made, tmp_path / "runs", copy_function=shutil.copy2)
    return tmp_path / "runs"


def told(root: Path) -> dict[str, Any]:
    """All that can be asked of every run."""
    catalog = Catalog(root)
    catalog.refresh()
    found = {}
    for run in catalog.newest_first(with_deleted=True):
        found[f"{run.key.project}/{run.key.id}"] = repr(
            (
                run.id, run.project,
                run.number, run.file,
                run.name, run.state, run.created, run.updated, run.began, run.entity, run.group, run.job_type,
                run.tags, run.notes, run.archived, run.deleted, run.config, run.summary, run.step, run.exit_code,
                run.bad_lines, run.size, run.metric_names, run.alerts, run.broken, run.metadata, run.pace.pauses,
                run.last_steps, run.is_resumed, [metric.record() for metric in run.metrics],
                {key: sketch.line() for key, sketch in run.sketches.items()}, run.start.get("command"),
            )
        )  # fmt: skip
    return found


def without_index(root: Path) -> dict[str, Any]:
    """The same of journals that were all opened."""
    shutil.rmtree(cache.folder())
    return told(root)


def the_index() -> Path:
    (path,) = Path(cache.folder()).glob("index-*")
    return path


def test_a_second_opening_tells_the_same_and_opens_no_journal(root: Path) -> None:
    first = told(root)
    assert len(first) == COUNT + 4
    path = root / "project-0" / "run-20261101_000000-copy0.jsonl"
    status = path.stat()
    path.write_bytes(b"x" * (status.st_size - 1) + b"\n")  # nobody looks, while size and mtime are the same
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    catalog = Catalog(root)
    catalog.refresh()
    assert catalog.runs[next(key for key in catalog.runs if key.id == "copy0")].summary["acc"] == 49
    shutil.copy2(root / "project-0" / "run-20261101_000004-copy4.jsonl", path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert told(root) == first


def test_a_root_that_is_gone_has_no_runs(root: Path) -> None:
    """However well they are remembered."""
    first = told(root)
    root.rename(root.with_name("elsewhere"))
    assert told(root) == {}
    root.with_name("elsewhere").rename(root)
    assert told(root) == first


def test_names_that_are_no_text_are_read_all_the_same(root: Path) -> None:
    strange = os.path.join(os.fsencode(root), b"caf\xe9")
    shutil.copytree(os.path.join(os.fsencode(root), b"project-1"), strange)
    told(root)
    assert len(told(Path(os.fsdecode(strange)))) == COUNT // 2


def test_few_runs_leave_nothing_behind(tmp_path: Path) -> None:
    plain_run(tmp_path / "runs")
    assert len(told(tmp_path / "runs")) == 1
    assert not Path(cache.folder()).exists()


def grown(root: Path) -> None:
    with (root / "project-1" / "run-20261101_000001-copy1.jsonl").open("a") as file:
        file.write('{"_step":7,"loss":123.5}\n')


def rewritten(root: Path) -> None:
    path = root / "project-1" / "run-20261101_000003-copy3.jsonl"
    path.write_text(path.read_text().replace("renamed", "changed"))


def removed(root: Path) -> None:
    (root / "project-0" / "run-20261101_000002-copy2.jsonl").unlink()
    shutil.rmtree(root / "origin")


def edited(root: Path) -> None:
    catalog = Catalog(root)
    catalog.refresh()
    for run in catalog.newest_first()[:5]:
        catalog.edit(run, name="by hand", archived=True)


def resumed(root: Path) -> None:
    run = tracker.init(dir=root, project="project-0", id="copy0", resume="must")
    run.log({"acc": 99})
    run.finish()


def used_again(root: Path) -> None:
    tracker.init(dir=root, project="project-0", id="copy0", name="anew").finish()


@pytest.mark.parametrize("change", [grown, rewritten, removed, edited, resumed, used_again])
def test_what_has_changed_is_told_as_it_is(root: Path, change: Callable[[Path], None]) -> None:
    before = told(root)
    change(root)
    changed = told(root)
    assert changed != before
    assert told(root) == changed
    assert without_index(root) == changed


def test_changes_that_are_taken_away_are_gone(root: Path) -> None:
    """The index holds what the journals say, not what was done to it."""
    first = told(root)
    edited(root)
    assert told(root) != first
    for path in root.glob("*/edits-*"):
        path.unlink()
    assert told(root) == first


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return bytes(byte ^ (index % 997 == 0) for index, byte in enumerate(data))


def of_another_version(data: bytes) -> bytes:
    line, _, rest = data.partition(b"\n")
    return cache.seal(line[9:].replace(b'["1 ', b'["0 ')) + rest.replace(b"loss", b"gain")


def with_other_entries(data: bytes) -> bytes:
    """Whole lines, but not what an entry is."""
    head = data[: data.index(b"\n") + 1]
    odd: list[Any] = [
        0,
        [],
        ["p", "n", [1], []],
        ["project-0", "run-20261101_000000-copy0.jsonl", [1, 2, True, 3.0], [1]],
    ]
    return head + b"".join(cache.seal(json.dumps(value).encode()) for value in odd)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"\0" * 5000,
        cut,
        flipped,
        of_another_version,
        with_other_entries,
        lambda data: data * 3,
    ],
)
def test_a_spoiled_index_spoils_nothing(root: Path, spoil: Callable[[bytes], bytes]) -> None:
    first = told(root)
    path = the_index()
    path.write_bytes(spoil(path.read_bytes()))
    assert told(root) == first
    assert told(root) == first


def test_what_belongs_to_somebody_else_is_not_read(root: Path, tmp_path: Path) -> None:
    first = told(root)
    path = the_index()
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert told(root) == first
    if os.geteuid() == 0:
        path.unlink()
        shutil.copyfile(tmp_path / "elsewhere", path)
        os.chown(path, 12345, 12345)
        path.write_bytes(path.read_bytes().replace(b"renamed", b"changed"))
        assert told(root) == first


def test_a_cache_that_cannot_be_written_costs_nothing_else(root: Path) -> None:
    Path(os.environ["XDG_CACHE_HOME"]).write_text("a file")
    assert told(root) == told(root)


def test_one_project_is_opened_by_the_index_of_its_root(root: Path) -> None:
    here = {key: text for key, text in told(root).items() if key.startswith("project-1/")}
    assert len(here) == COUNT // 2
    assert told(root / "project-1") == here


def test_what_was_left_half_written_goes_in_time() -> None:
    """A reader that is killed while it keeps something leaves a file that nobody finishes."""
    cache.File("other", "0").replace([b"x"])
    old, new = (Path(cache.folder()) / f"other-{number}.1.new" for number in range(2))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    cache.trim()
    assert (old.exists(), new.exists()) == (False, True)


def test_all_caches_together_stay_below_a_bound(root: Path) -> None:
    others = [cache.File("other", str(number)) for number in range(5)]
    for number, file in enumerate(others):
        file.replace([b"x" * 1000])
        os.utime(file.path, (number, number))
    told(root)
    size = the_index().stat().st_size
    cache.trim(size + 3500)
    assert [os.path.exists(file.path) for file in others] == [False, False, True, True, True]
    assert the_index().stat().st_size == size
