"""Disks that are full, broken or read-only: training goes on, it is said once, and no row is lost that memory holds."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import victim
from lives import Life, kept, live, texts, told_by, victims

import tracker
from support import StartScript, lines_of, rows_of, wait_for, wait_line, write_journal


def test_any_call_may_fail(tmp_path: Path, chance: random.Random, start: StartScript, cases: Any, tried: Any) -> None:
    """Any error at any call, in spells; writes cut short; refusals of a network file system that come late.

    A run that goes on with another either has all of it, or says at once that it cannot be read.
    """
    process = victims(start)
    calls = failures = rows = 0
    for number in range(cases(10)):
        life = Life(tmp_path / str(number) / "runs")
        life.root.mkdir(parents=True)
        for _ in range(2):
            order = life.order(
                trouble=chance.random(),
                at_start=chance.random() < 0.3,
                ends_well=chance.random() < 0.7,
                is_remote=chance.random() < 0.5,
                rows=chance.choice((50, 500)),
                console=chance.choice(("wrap", "redirect")),
                resume="allow",
            )
            live(process, order)
            told = told_by(process)
            check_trouble(life, told)
            board = told["board"]
            calls, failures = calls + board[victim.CALLS], failures + board[victim.FAILURES]
            rows += sum(board[victim.ROWS :])
    tried("any error at any call", f"{calls:,} calls, {failures:,} failed, {rows:,} rows", "0 rows lost untold")


def check_trouble(life: Life, told: dict[str, Any]) -> None:
    """The job did all it had to do; what is not on the disk was counted; one warning of the disk for each run."""
    order, board = life.orders[-1], told["board"]
    output = Path(order["output"]).read_text(encoding="utf-8")
    Path(order["output"]).unlink()
    if told["status"] and order["at_start"]:
        assert "tracker.errors.Error: cannot read" in output, output
        return
    assert (told["status"], board[victim.FINISHED]) == (0, 2), output
    about_disk = re.findall(r"WARNING cannot (?:write|sync|keep)", output)
    assert len(about_disk) <= 2, output
    lost = sum(map(int, re.findall(r"(\d+) records could not be written", output)))
    found = {run.id: run for run in tracker.Api(life.root).runs("p")}
    rows: dict[str, list[int]] = {}
    for run in found.values():
        rows |= kept(run)
    missing = 0
    for place in range(victim.THREADS + 1):
        values = rows.get(f"{order['born']}.{place}", [])
        assert values == sorted(set(values))
        missing += order["rows"] - len(values)
    assert missing <= lost, output
    if order["ends_well"]:
        assert not lost
        assert {run.state for run in found.values()} == {"finished"}
        assert found["a"].name == f"name {order['born']} {order['edits'] - 1}"
        assert {f"line {order['born']} {number}" for number in range(order["lines"])} <= texts(life.root)
    life.boards.append(board)
    if len(life.boards) == 2 and life.orders[0]["ends_well"]:
        for place in range(victim.THREADS):
            assert rows.get(f"0.{place}") == list(range(life.orders[0]["rows"])), "hidden by the run that goes on"


# ---- real disks ----

SHUTDOWN = 0x8004587D
"""What ext4 calls the order to answer nothing but EIO from now on."""
Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts small file systems; the newest size is enough for some thousand rows."""
    mounted: list[Path] = []

    def mount(kind: str, *options: str) -> Path:
        place, image = tmp_path / f"disk{len(mounted)}", tmp_path / f"image{len(mounted)}"
        place.mkdir()
        what = ["-t", "tmpfs", "-o", "size=1m", "none"]
        if kind == "ext4":
            image.write_bytes(b"")
            os.truncate(image, 3 << 20)
            _command("mkfs.ext4", "-q", "-O", "^has_journal", str(image))
            what = ["-o", "loop", str(image)]
        _command("mount", *options, *what, str(place))
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


def _command(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"{words[0]} does not work here: {error}")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk is tried again soon."""
    monkeypatch.setattr("tracker.journal.RETRY", 0.01)


def log_rows(run: tracker.Run, first: int, count: int) -> float:
    """Log rows and print lines; the seconds that 99 % of the calls took at most."""
    taken = []
    for number in range(first, first + count):
        began = time.perf_counter()
        run.log({"x": number})
        taken.append(time.perf_counter() - began)
        print(f"line {number}")
    return sorted(taken)[int(0.99 * count)]


def is_whole(root: Path, rows: int, printed: int) -> bool:
    """Whether the only run has ended well, with all of its rows in order, and all that it printed."""
    (run,) = tracker.Api(root).runs()
    values = [row["x"] for row in run.scan_history()]
    return (run.state, values) == ("finished", list(range(rows))) and texts(root) >= {
        f"line {number}" for number in range(printed)
    }


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_a_full_disk(kind: str, mount: Mount, capsys: pytest.CaptureFixture[str], tried: Any) -> None:
    """Rows wait; log() is as quick as ever; when there is room they are all written."""
    disk = mount(kind)
    run = tracker.init(dir=disk / "runs")
    log_rows(run, 0, 100)
    with open(disk / "ballast", "wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    assert log_rows(run, 100, 5000) < 0.01
    assert run._writer is not None
    assert run._writer.missing > 3000
    tracker.Api(disk / "runs").runs()
    (disk / "ballast").unlink()
    log_rows(run, 5100, 1)
    run.finish()
    assert is_whole(disk / "runs", 5101, 5101)
    assert capsys.readouterr().err.count("WARNING") == 1
    tried(f"a full disk ({kind})", "5,000 rows while it is full", "0 rows lost, one warning")


def test_a_disk_that_dies(mount: Mount, capsys: pytest.CaptureFixture[str], tried: Any) -> None:
    """EIO for good: training goes on, its end tells what is lost, and readers live."""
    disk = mount("ext4")
    run = tracker.init(dir=disk / "runs")
    log_rows(run, 0, 100)
    descriptor = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", 2))
    finally:
        os.close(descriptor)
    assert log_rows(run, 100, 1000) < 0.01
    run.finish()
    errors = capsys.readouterr().err
    assert errors.count("WARNING") == 1
    assert int(re.findall(r"(\d+) records could not be written", errors)[0]) >= 1000
    tracker.Api(disk / "runs").runs()
    with tracker.init(dir=disk / "runs", reinit="create_new") as run:
        run.log({"x": 1})
    tried("a disk that dies (ext4 shut down)", "1,000 rows after it", "training goes on, the loss is counted")


def test_a_disk_that_is_read_only_at_first(mount: Mount, capsys: pytest.CaptureFixture[str]) -> None:
    """All rows are there once it may be written."""
    disk = mount("tmpfs", "-r")
    run = tracker.init(dir=disk / "runs")
    log_rows(run, 0, 100)
    _command("mount", "-o", "remount,rw", str(disk))
    time.sleep(0.02)
    log_rows(run, 100, 1)
    run.finish()
    assert is_whole(disk / "runs", 101, 101)
    assert capsys.readouterr().err.count("WARNING") == 1


def test_a_folder_that_is_moved(root: Path, tmp_path: Path) -> None:
    """The job writes on where its files are now."""
    run = tracker.init(dir=root)
    log_rows(run, 0, 10)
    root.rename(tmp_path / "moved")
    log_rows(run, 10, 10)
    run.finish()
    assert is_whole(tmp_path / "moved", 20, 10)
    assert not root.exists()


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process may open none."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("moment", ["init", "finish"])
def test_too_many_open_files(moment: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A job that has no descriptor left logs on."""
    if moment == "init":
        with no_more_files():
            run = tracker.init(dir=root)
            log_rows(run, 0, 100)
        time.sleep(0.02)
        log_rows(run, 100, 1)
        run.finish()
    else:
        run = tracker.init(dir=root)
        log_rows(run, 0, 1)
        with no_more_files():
            log_rows(run, 1, 100)
            run.finish()
    assert is_whole(root, 101, 101)
    assert capsys.readouterr().err.count("WARNING") == (moment == "init")


def test_no_more_threads(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What needs one is left out: training goes on, and rows are written as ever."""

    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", start)
    run = tracker.init(dir=root)
    log_rows(run, 0, 100)
    run.finish()
    assert is_whole(root, 100, 100)
    assert capsys.readouterr().err.count("WARNING") == 1


# ---- servers, and moments ----


class Refusals:
    """Calls on descriptors of one file fail while they are in `refused`; descriptors that are stale fail for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused: set[str] = set()
        self.stale: set[int] = set()
        self.path = ""
        self.after_write: Callable[[], object] = int
        self._dup, self._close = os.dup, os.close
        for name in ("write", "pread", "fsync"):
            monkeypatch.setattr(os, name, self._refusing(name, getattr(os, name)))
        monkeypatch.setattr(os, "dup", self._duplicate)
        monkeypatch.setattr(os, "close", self._forget)

    def _refusing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *arguments: Any) -> Any:
            if descriptor in self.stale:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            is_ours = self.path and os.readlink(f"/proc/self/fd/{descriptor}") == self.path
            if is_ours and name in self.refused:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            result = real(descriptor, *arguments)
            if is_ours and name == "write":
                self.after_write()
            return result

        return call

    def _duplicate(self, descriptor: int) -> int:
        copy = self._dup(descriptor)
        if descriptor in self.stale:
            self.stale.add(copy)
        return copy

    def _forget(self, descriptor: int) -> None:
        self.stale.discard(descriptor)
        self._close(descriptor)

    def lose(self, path: str, size: int) -> None:
        """A server begins anew: it has so much of a file, and knows no descriptor of it."""
        os.truncate(path, size)
        links = {int(name): f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")}
        self.stale |= {
            number for number, link in links.items() if os.path.exists(link) and os.path.samefile(link, path)
        }


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Refusals:
    """A disk that refuses when it is told to."""
    return Refusals(monkeypatch)


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is on a network file system, and synced when the test says so."""
    monkeypatch.setattr("tracker.host.is_network", lambda _: True)
    monkeypatch.setattr("tracker.lifecycle.REMOTE_SYNC", 60.0)


@pytest.mark.parametrize("first", ["write", "fsync"])
@pytest.mark.usefixtures("remote")
def test_a_server_that_forgets_a_file(first: str, root: Path, refusals: Refusals) -> None:
    """What it lost is written again, whichever call is told; what follows is written, and nothing counts twice."""
    run = tracker.init(dir=root, console="off")
    log_rows(run, 0, 10)
    run._beat(60.0, True)
    size = os.path.getsize(run.file)
    log_rows(run, 10, 10)
    refusals.lose(run.file, size)
    if first == "fsync":
        run._beat(60.0, True)
    log_rows(run, 20, 1)
    time.sleep(0.02)
    log_rows(run, 21, 9)
    run._beat(60.0, True)
    assert not refusals.stale
    (read,) = tracker.Api(root).runs()
    assert (read.state, read._stored.row_count) == ("running", 30)
    run.finish()
    assert is_whole(root, 30, 0)


@pytest.mark.usefixtures("remote")
def test_a_file_that_is_begun_anew_keeps_its_first_line(
    root: Path, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was removed, and of the next one the server keeps nothing while more comes than memory holds."""
    monkeypatch.setattr("tracker.journal.MAX_WAITING", 10_000)
    run = tracker.init(dir=root, console="off", name="of old")
    log_rows(run, 0, 10)
    run._beat(60.0, True)
    refusals.path, refusals.refused = run.file, {"fsync"}
    os.remove(run.file)
    run._beat(60.0, True)
    refusals.refused = {"write"}
    os.truncate(run.file, 0)
    log_rows(run, 10, 1000)
    refusals.refused = set()
    run.finish()
    (read,) = tracker.Api(root).runs()
    assert (read.name, read.state) == ("of old", "finished")
    assert lines_of(run.file)[0]["_type"] == "start"


def test_a_handler_that_logs_while_waiting_rows_are_written(root: Path, refusals: Refusals) -> None:
    """Its row comes last; none is lost or there twice."""
    run = tracker.init(dir=root, console="off")
    refusals.path, refusals.refused = run.file, {"write"}
    log_rows(run, 0, 3)
    time.sleep(0.02)
    refusals.refused, refusals.after_write = set(), lambda: signal.raise_signal(signal.SIGUSR1)
    numbers = iter(range(4, 8))
    before = signal.signal(
        signal.SIGUSR1, lambda *_: [run.log({"x": number}) for number in [next(numbers, 0)] if number]
    )
    try:
        log_rows(run, 3, 1)
    finally:
        refusals.after_write = int
        signal.signal(signal.SIGUSR1, before)
    run.finish()
    assert sorted(row["x"] for row in rows_of(run.file)) == list(range(8))


def test_a_folder_that_goes_while_lines_wait(root: Path, refusals: Refusals) -> None:
    """What was printed and not yet written goes into the new one."""
    with tracker.init(dir=root) as run:
        print("before")
        assert wait_for(lambda: "before" in texts(root))
        refusals.path, refusals.refused = f"{run.folder}/console.jsonl", {"write"}
        print("waits")
        assert run._console is not None
        run._console.flush()
        assert run._console.missing
        shutil.rmtree(run.folder)
        refusals.refused = set()
        print("after")
    assert {"waits", "after"} <= texts(root)


# ---- readers ----

READER = """
import json, random, sys, time
sys.path.insert(0, sys.argv[1])
from faulty import Trouble, interpose
from tracker import lookout
from tracker.catalog import Catalog

lookout.DEAD_LOOK = 0.0  # soon again
root, seed, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
trouble = None
interpose(root, lambda *call: trouble(*call))

def told(catalog):
    return sorted((*run.key, run.name, run.state, run.step, run.notes) for run in catalog.runs.values())

calls = failures = 0
for number in range(count):
    trouble = Trouble(random.Random(f"{seed} {number}"), is_remote=False)
    catalog, edits = Catalog(root), []
    for look in range(30):
        catalog.apply(catalog.collect(0.01))
        for run in list(catalog.runs.values()):
            if not catalog.edit(run, notes=f"{number} {look}"):
                edits.append((run.key, f"{number} {look}"))
    trouble.is_over = True
    fresh = Catalog(root)
    fresh.refresh()
    deadline = time.monotonic() + 10
    while told(catalog) != told(fresh) and time.monotonic() < deadline:
        catalog.refresh()
    assert told(catalog) == told(fresh), (told(catalog), told(fresh))
    for key, notes in dict(edits).items():
        assert fresh.runs[key].notes.split()[0] == str(number)
    calls, failures = calls + trouble.calls, failures + trouble.failures
    print(json.dumps([calls, failures]))
"""


def test_readers_under_any_error(root: Path, chance: random.Random, cases: Any, tried: Any, start: StartScript) -> None:
    """A catalog that looks and edits through trouble says, once it is over, what a fresh one says."""
    for number in range(6):
        with tracker.init(dir=root, project=f"p{number % 2}", id=f"r{number // 3}", resume="allow") as run:
            log_rows(run, 0, 10 ** (number % 4))
    here = str(Path(victim.__file__).parent)
    rounds = cases(20)
    process = start(READER, here, str(root), str(chance.random()), str(rounds))
    calls, failures = [json.loads(wait_line(process)) for _ in range(rounds)][-1]
    tried("any error at any call of a reader", f"{calls:,} calls, {failures:,} failed", "nothing wrong afterwards")


def test_caches_on_a_full_disk(mount: Mount, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What saves time is left out; what is shown is right."""
    disk = mount("tmpfs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    for number in range(350):
        write_journal(root, [{"_type": "start", "name": str(number)}, {"_type": "end"}], run_id=f"r{number}")
    with open(disk / "ballast", "wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    for _ in range(2):
        assert {run.name for run in tracker.Api(root).runs()} == {str(number) for number in range(350)}
    (disk / "ballast").unlink()
    for _ in range(2):
        assert len(tracker.Api(root).runs()) == 350


# ---- time ----


def test_a_clock_that_jumps(
    root: Path, chance: random.Random, cases: Any, monkeypatch: pytest.MonkeyPatch, tried: Any
) -> None:
    """Back and forth by years: the last change wins for every reader, rows keep their order, a resume goes on."""
    real, ahead = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    jumps = 0
    for number in range(cases(4)):
        follower = tracker.Api(root)
        for born in range(3):
            run = tracker.init(dir=root, project="p", id=f"r{number}", resume="allow", config={"n": born})
            for change in range(20):
                ahead = chance.choice((-1.0, 1.0)) * 10 ** chance.uniform(-3, 8.5)
                jumps += 1
                run.log({"x": born * 20 + change})
                run.name = f"{born} {change}"
                run.config.update({"n": change}, allow_val_change=True)
                if chance.random() < 0.3:
                    run._beat(0.0, True)
                    run._checkpoint()
                if chance.random() < 0.2:
                    follower.run(f"p/r{number}")
                for api in (follower, tracker.Api(root)):
                    read = api.run(f"p/r{number}")
                    assert (read.name, read.config["n"], read.state) == (f"{born} {change}", change, "running")
            run.finish()
        read = tracker.Api(root).run(f"p/r{number}")
        assert [row["x"] for row in read.scan_history()] == list(range(60))
        assert read.state == "finished"
    tried("a clock that jumps by up to ten years", f"{jumps} jumps", "the last change wins, no row lost")


def test_a_job_that_is_suspended(root: Path, start: StartScript) -> None:
    """It goes on where it was, and is running all the while."""
    process = start("import tracker\nrun = tracker.init()\nfor x in range(10**9):\n    run.log({'x': x})\n")
    assert wait_for(lambda: root.exists() and tracker.Api(root).runs() and tracker.Api(root).runs()[0].step)
    for _ in range(5):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        (read,) = tracker.Api(root).runs()
        step = read.step
        assert read.state == "running"
        process.send_signal(signal.SIGCONT)
        assert wait_for(lambda step=step: tracker.Api(root).runs()[0].step > step)  # type: ignore[misc]
    process.kill()
    process.wait()
    (read,) = tracker.Api(root).runs()
    values = [row["x"] for row in read.scan_history()]
    assert (read.state, values) == ("crashed", list(range(len(values))))
