"""Runs are found, followed and left alone, whatever clocks, file system events and their limits do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tracker
from farhost import NAME, FarHost
from support import StartScript, tell, wait_for, wait_line, write_journal
from terminal import Terminal
from tracker import host
from tracker.catalog import Catalog
from tracker.lookout import Lookout
from tracker_tui.hosts.watching import listen

HOUR = 3600 * 10**9
JOB = """
import sys, tracker
run = tracker.init(project=sys.argv[1], name="going-on", settings={"x_disable_stats": True})
run.log({"loss": 1})
print("ready", flush=True)
for line in sys.stdin:
    run.log({"loss": int(line)})
    print("logged", flush=True)
"""


def look(catalog: Catalog) -> Catalog:
    """As the dashboard does: what need not be looked at so often is left out."""
    catalog.apply(catalog.collect(1.0))
    return catalog


def finished(root: Path, project: str, run_id: str = "abcd1234") -> Path:
    """A journal of a run that has ended."""
    lines = f'{{"_type":"start","_timestamp":1.7e9,"format":1,"id":"{run_id}"}}\n{{"_type":"end","exit_code":0}}\n'
    return write_journal(root, lines.encode(), project, run_id)


# ---- clocks ----


@pytest.mark.parametrize("skew", [0, HOUR, -HOUR, 1000 * HOUR])
def test_runs_made_in_one_tick_of_a_coarse_or_wrong_clock_are_all_found(skew: int, root: Path) -> None:
    """The folder's mtime stays what it was when the first of them was found, by whichever clock that is."""
    folder = finished(root, "p", "first001").parent
    tick = os.stat(folder).st_mtime_ns + skew
    os.utime(folder, ns=(tick, tick))
    catalog = Catalog(root)
    for number in range(2, 5):
        look(catalog)
        assert len(catalog.runs) == number - 1
        finished(root, "p", f"later{number:03}")
        os.utime(folder, ns=(tick, tick))
        assert wait_for(lambda: len(look(catalog).runs) == number)  # noqa: B023


def test_a_folder_that_cannot_be_read_for_a_while_keeps_its_runs(root: Path) -> None:
    """A server that is away must not empty the screen; a folder that is gone must."""
    if os.getuid() == 0:
        pytest.skip("nothing is unreadable to the superuser")
    folder = finished(root, "p").parent
    catalog = Catalog(root)
    catalog.refresh()
    folder.chmod(0)
    catalog.refresh()
    assert len(catalog.runs) == 1
    folder.chmod(0o755)
    shutil.rmtree(folder)
    catalog.refresh()
    assert not catalog.runs


# ---- what a look costs ----

_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event in ("open", "os.scandir"):
        _opened.append(str(arguments[0]))


@contextlib.contextmanager
def opened() -> Iterator[list[str]]:
    """What this process opens and lists meanwhile."""
    global _opened
    if not hasattr(_hear, "is_heard"):
        sys.addaudithook(_hear)
        _hear.is_heard = True  # type: ignore[attr-defined]
    heard: list[str] = []
    _opened = heard
    try:
        yield heard
    finally:
        _opened = None


def test_only_what_runs_is_opened_again(root: Path, start: StartScript) -> None:
    """Of many runs, most of them finished, looks open the one that runs; of the others they ask after the folders."""
    for number in range(20):
        finished(root, f"old-{number % 4}", f"old{number:05}")
    process = start(JOB, "new")
    wait_line(process, "ready")
    catalog = Catalog(root)
    catalog.refresh()
    assert wait_for(lambda: any(run.summary for run in look(catalog).runs.values()))
    with opened() as names:
        for _ in range(10):
            look(catalog)
    journals = {os.path.basename(name) for name in names if name.endswith(".jsonl")}
    assert journals == {os.path.basename(run.path) for run in catalog.runs.values() if run.state == "running"}


# ---- events ----


def watches() -> int:
    """Folders that this process has the kernel watch."""
    if not os.path.isdir("/proc/self/fdinfo"):
        pytest.skip("what is watched can only be counted where there is /proc")
    found = 0
    for number in os.listdir("/proc/self/fdinfo"):
        with contextlib.suppress(OSError):
            found += Path("/proc/self/fdinfo", number).read_text().count("inotify wd:")
    return found


async def comes(holds: Callable[[], object], seconds: float = 15.0) -> bool:
    """Whether something holds within the time, while the loop goes on."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)
    return bool(holds())


def test_only_folders_with_a_run_going_on_are_watched(root: Path, start: StartScript) -> None:
    """However many projects there are; a row wakes the dashboard, and after the end nothing is watched."""
    for number in range(5):
        finished(root, f"old-{number}")
    process = start(JOB, "new")
    wait_line(process, "ready")
    catalog = Catalog(root)

    async def follow() -> None:
        wake = asyncio.Event()
        listening = asyncio.create_task(listen(catalog, wake))
        before = watches()
        await asyncio.to_thread(look, catalog)
        assert await comes(lambda: watches() == before + 1)
        wake.clear()
        tell(process, "2")
        await asyncio.wait_for(wake.wait(), 15)
        process.kill()
        process.wait()
        assert await comes(lambda: look(catalog) and watches() == before)
        listening.cancel()

    asyncio.run(follow())


@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_rows_come_to_the_screen_where_nothing_can_be_watched(limit: str, root: Path, start: StartScript) -> None:
    """The system's limit on watches is reached: the steady look carries on, and nobody is bothered."""
    command = f'echo 0 > /proc/sys/user/{limit} && exec "$@"'
    shell = ["unshare", "-Ur", "sh", "-c", command, "sh"]
    if not shutil.which("unshare") or subprocess.run([*shell, "true"], capture_output=True).returncode:
        pytest.skip("nobody may set limits of their own here")
    process = start(JOB, "p")
    wait_line(process, "ready")
    words = ["-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])", *shell, sys.executable, "-m", "tracker_tui"]
    with Terminal([*words, str(root)]) as terminal:
        terminal.wait_for("loss  1")
        for value in ("200002", "300003"):
            tell(process, value)
            terminal.wait_for(f"loss  {value}")
        assert "limit" not in terminal.text


# ---- a network file system ----


@pytest.fixture
def mounted(far: FarHost, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder of another machine, and where it is mounted here by sshfs."""
    there, here = far.home / "shared", tmp_path / "mounted"
    there.mkdir()
    here.mkdir()
    if not shutil.which("sshfs"):
        pytest.skip("no sshfs here")
    options = ["-o", "dcache_timeout=1", "-o", f"ssh_command={far.path.split(os.pathsep)[0]}/ssh"]
    if subprocess.run(["sshfs", *options, f"{NAME}:{there}", here], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield there, here
    subprocess.run(["fusermount3", "-u", "-z", here], check=True)
    shutil.rmtree(there)


def test_runs_are_followed_over_a_network_file_system(mounted: tuple[Path, Path]) -> None:
    """Rows, new runs and ends that another machine writes are seen without an event, and none is waited for."""
    there, here = mounted
    assert host.is_network(str(here))
    run = tracker.init(project="p", dir=there)
    catalog = Catalog(here)
    catalog.refresh()
    (seen,) = catalog.runs.values()
    for value in range(3):
        run.log({"loss": value})
        assert wait_for(lambda: look(catalog) and seen.summary.get("loss") == value)  # noqa: B023
    tracker.init(project="q", dir=there, reinit="create_new").finish()
    assert wait_for(lambda: len(look(catalog).runs) == 2)

    async def follow() -> None:
        listening = asyncio.create_task(listen(catalog, asyncio.Event()))
        before = watches()
        assert isinstance(catalog.files, Lookout)
        assert catalog.files.live_projects == {"p"}
        assert not await comes(lambda: watches() > before, 0.5)
        listening.cancel()

    asyncio.run(follow())
    run.finish()
    assert wait_for(lambda: look(catalog) and seen.state == "finished")


# ---- files that come and go ----


def test_a_journal_that_is_made_again_while_it_waits_is_read_once(root: Path) -> None:
    path = finished(root, "p")
    catalog = Catalog(root)
    catalog.apply(catalog.collect(0.0))
    assert catalog.files.left == 1
    path.unlink()
    assert wait_for(lambda: any(reading.sight.gone for reading in catalog.collect(0.0)))
    path.write_bytes(b'{"_step":0,"_timestamp":1.7e9,"loss":1}\n' * 3)
    assert wait_for(lambda: catalog.collect(0.0) == [] and catalog.files.left > 1)
    catalog.refresh()
    (run,) = catalog.newest_first()
    assert run.row_count == 3


def test_a_head_that_is_late_is_read(root: Path) -> None:
    """However much comes with it."""
    path = finished(root, "p")
    start = path.read_bytes().splitlines()[0].replace(b'"id"', b'"name":"told at the head","id"')
    path.write_bytes(start[:20])
    catalog = Catalog(root)
    catalog.refresh()
    with path.open("ab") as file:
        file.write(start[20:] + b"\n")
        file.writelines(b'{"_step":%d,"_timestamp":1700000000,"loss":1}\n' % step for step in range(40_000))
        file.write(b'{"_type":"checkpoint","_timestamp":1.7e9,"summary":{"loss":1}}\n')
    assert path.stat().st_size > 1 << 20
    catalog.refresh()
    (run,) = catalog.newest_first()
    assert run.name == "told at the head"
    assert run.summary == {"loss": 1}
