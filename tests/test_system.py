"""What the machine was doing: sampled beside every run, whatever it has, read back by name."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import (
    StartScript,
    journal,
    journals,
    lines_of,
    run_script,
    state_of,
    tell,
    wait_for,
    wait_line,
    write_journal,
)
from tracker import gpus
from tracker.catalog import Catalog
from tracker.machine import Linux, Machine, usable_cpus
from tracker_tui.feed import read_history

EVERYWHERE = {"cpu", "disk./.usagePercent", "disk./.usageGB"}
ON_LINUX = EVERYWHERE | {
    *("memory_percent", "proc.memory.rssMB", "proc.memory.percent", "proc.memory.availableMB", "proc.cpu.threads"),
    *("network.sent", "network.recv"),
}
FAST = {"settings": {"x_stats_sampling_interval": 0.1}}
NO_GPU = {"PATH": "", "LD_LIBRARY_PATH": ""}

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="NO C COMPILER HERE: nothing is tested of NVML")


def samples_of(path: Path) -> list[dict[str, Any]]:
    return [record for record in lines_of(path) if record.get("_type") == "system"]


def has_samples(root: Path, count: int = 1) -> bool:
    return wait_for(lambda: journals(root) and len(samples_of(journal(root))) >= count)


# ---- when ----


def test_a_run_has_its_first_sample_after_a_second(root: Path) -> None:
    """By default, so that a run of a few seconds has one; the next one comes much later."""
    run = tracker.init(dir=root)
    assert has_samples(root)
    (sample,) = samples_of(journal(root))
    assert 0.9 < sample["_timestamp"] - run.start_time < 10
    assert set(sample) - {"_type", "_timestamp"} >= (ON_LINUX if sys.platform == "linux" else EVERYWHERE)
    assert all(type(value) in (int, float) for name, value in sample.items() if name != "_type")


@pytest.mark.parametrize(
    ("settings", "env"),
    [
        ({"x_stats_sampling_interval": 0.1}, {}),
        (tracker.Settings(x_stats_sampling_interval="0.1"), {}),
        ({"x_stats_sampling_interval": 0.1}, {"TRACKER_SYSTEM": "600"}),
        (None, {"TRACKER_SYSTEM": "0.1"}),
    ],
)
def test_the_interval_can_be_set(
    root: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, env: dict[str, str]
) -> None:
    """By W&B's word in `settings=`, which beats the environment, and by TRACKER_SYSTEM."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    run = tracker.init(dir=root, settings=settings)
    assert has_samples(root, 5)
    run.finish()
    times = [sample["_timestamp"] for sample in samples_of(journal(root))]
    assert times == sorted(times)
    assert times[4] - run.start_time < 10


@pytest.mark.parametrize(
    ("settings", "env"),
    [({"x_disable_stats": True}, "0.1"), (None, "off"), (None, "OFF"), ({"x_stats_sampling_interval": "off"}, "0.1")],
)
def test_it_can_be_turned_off(
    root: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any] | None, env: str
) -> None:
    """No thread is begun then."""
    monkeypatch.setenv("TRACKER_SYSTEM", env)
    tracker.init(dir=root, settings=settings)
    assert "tracker-system" not in _threads()


def test_the_settings_file_is_heard(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for everything else."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    tree(tmp_path, {"tracker/settings.toml": "x_disable_stats = true\n"})
    tracker.init(dir=root)
    assert "tracker-system" not in _threads()


@pytest.mark.parametrize("wrong", [0, 0.05, -1, True, "often", "nan", float("inf"), [10], 1e300])
def test_an_interval_that_makes_no_sense_is_an_error(root: Path, wrong: Any) -> None:
    """Said at once, naming what may be given; nothing is written."""
    with pytest.raises(ValueError, match="x_stats_sampling_interval and TRACKER_SYSTEM must be seconds, at least 0"):
        tracker.init(dir=root, settings={"x_stats_sampling_interval": wrong})
    with pytest.raises(ValueError, match="x_disable_stats must be True or False"):
        tracker.init(dir=root, settings={"x_disable_stats": "perhaps"})
    assert not root.exists()


def test_an_interval_in_the_environment_is_held_to_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every other argument that comes from there is."""
    monkeypatch.setenv("TRACKER_SYSTEM", "never")
    with pytest.raises(ValueError, match="TRACKER_SYSTEM must be seconds"):
        tracker.init(dir=root)


def test_several_runs_of_a_process_share_one_thread(root: Path) -> None:
    """Each gets samples at its own interval until it ends; the thread goes with the last."""
    first = tracker.init(dir=root, id="first", **FAST)
    second = tracker.init(dir=root, id="second", reinit="create_new", settings={"x_stats_sampling_interval": 600})
    third = tracker.init(dir=root, id="third", reinit="create_new", **FAST)
    assert _threads().count("tracker-system") == 1
    third.finish()
    ended = len(samples_of(Path(third.file)))
    assert wait_for(lambda: len(samples_of(Path(first.file))) >= ended + 5)
    assert len(samples_of(Path(third.file))) == ended
    assert len(samples_of(Path(second.file))) <= 1
    first.finish()
    second.finish()
    assert wait_for(lambda: "tracker-system" not in _threads())


def test_a_run_after_another_counts_from_its_own_start(root: Path) -> None:
    """What went over the network before is not its own."""
    for run_id in ("first", "second"):
        with tracker.init(dir=root, id=run_id, **FAST) as run:
            assert wait_for(lambda run=run: len(samples_of(Path(run.file))) >= 2)
    assert samples_of(Path(run.file))[0].get("network.sent", 0) < 1_000_000


def test_a_disabled_run_is_not_sampled(root: Path) -> None:
    """It costs nothing."""
    assert wait_for(lambda: "tracker-system" not in _threads())  # that of a run before
    tracker.init(dir=root, mode="disabled", **FAST)
    assert "tracker-system" not in _threads()


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


# ---- what it must not disturb ----


def test_nothing_is_loaded_before_the_thread(tmp_path: Path) -> None:
    """`init` does not wait for what reads machines; a run that is over by then never loads what is heavy of it."""
    source = (
        "import sys, tracker\n"
        "heavy = {'ctypes', 'subprocess', 'psutil', 'tracker.gpus'}\n"
        "run = tracker.init()\n"
        "print(sorted((heavy | {'tracker.machine'}) & set(sys.modules)))\n"
        "run.finish()\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert run_script(tmp_path, source).stdout == "[]\n[]\n"


@pytest.mark.parametrize("ending", ["", "run.finish()", "sys.exit(3)", "raise RuntimeError('no')", "1 / 0"])
@pytest.mark.parametrize("seconds", [0, 0.1, 0.11, 0.15])
def test_the_end_of_a_process_is_quiet(tmp_path: Path, ending: str, seconds: float) -> None:
    """Whatever the thread is at when the interpreter goes."""
    source = (
        "import sys, time, tracker\n"
        "run = tracker.init(settings={'x_stats_sampling_interval': 0.1})\n"
        f"time.sleep({seconds})\n"
        f"{ending}\n"
    )
    done = run_script(tmp_path, source, env={"TRACKER_SILENT": "1"})
    errors = [line for line in done.stderr.splitlines() if "Thread" in line or "tracker-system" in line]
    assert not errors, done.stderr
    assert lines_of(journal(tmp_path / "runs"))[-1]["_type"] == "end"


def test_a_forked_child_writes_no_samples_for_its_parent(root: Path, start: StartScript) -> None:
    """A run that the child begins itself has samples of the child."""
    source = (
        "import os, sys, tracker\n"
        "run = tracker.init(id='parent', settings={'x_stats_sampling_interval': 0.1})\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    own = tracker.init(id='child', settings={'x_stats_sampling_interval': 0.1})\n"
        "print(os.getpid(), flush=True)\n"
        "sys.stdin.readline() if child else __import__('time').sleep(60)\n"
        "run.finish()\n"
        "os.kill(child, 9), os.wait()\n"
    )
    process = start(source, env={"TRACKER_SILENT": "1"})
    wait_line(process)
    wait_line(process)
    files = {path.stem.rpartition("-")[2]: path for path in journals(root)}
    assert set(files) == {"parent", "child"}
    assert wait_for(lambda: all(len(samples_of(path)) > 3 for path in files.values()))
    tell(process)
    assert process.wait() == 0
    times = [sample["_timestamp"] for sample in samples_of(files["parent"])]
    assert all(after - before > 0.05 for before, after in pairwise(times))


def test_a_sample_is_a_sign_of_life_and_no_row(root: Path) -> None:
    """The run lasts until its last sample; step and summary are those of its rows."""
    run = tracker.init(dir=root, **FAST)
    run.log({"loss": 1.0})
    assert has_samples(root, 3)
    (stored,) = _runs(root)
    assert stored.updated >= samples_of(journal(root))[2]["_timestamp"]
    assert (stored.step, stored.summary) == (0, {"loss": 1.0})


def _runs(root: Path) -> list[Any]:
    catalog = Catalog(root)
    catalog.refresh()
    return list(catalog.runs.values())


def test_a_signal_is_still_told_after_samples(root: Path, start: StartScript) -> None:
    """A job that was asked to stop and dies of something else reads killed, however many samples came between."""
    source = (
        "import signal, sys, time, tracker\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\n"
        "run = tracker.init(settings={'x_stats_sampling_interval': 0.1})\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    process = start(source, env={"TRACKER_SILENT": "1"})
    wait_line(process, "ready")
    process.terminate()
    wait_line(process, "asked")
    before = len(samples_of(journal(root)))
    assert has_samples(root, before + 2)
    process.kill()
    process.wait()
    assert state_of(root) == "killed"


def test_a_run_without_rows_stays_quick_to_list(root: Path) -> None:
    """Samples alone bring checkpoints too: the end of the file is enough."""
    run = tracker.init(dir=root, settings={"x_disable_stats": True})
    sample = {"cpu": 1.0} | {f"gpu.{number}.temp": 50 for number in range(400)}
    for number in range(100):
        run._note_system(run.start_time + number, sample)
    kinds = [record.get("_type") for record in lines_of(journal(root))]
    assert kinds.count("system") == 100
    assert 10 < kinds.count("checkpoint") < 30


def test_disk_trouble_is_that_of_rows(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Samples wait with the rows until the disk takes them."""
    run = tracker.init(dir=root, **FAST)
    run.log({"loss": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(run.file), before[1]))
    try:
        assert wait_for(lambda: run._writer is not None and run._writer.missing > 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert has_samples(root, 3)
    run.finish()
    assert capfd.readouterr().err.count("cannot write") == 1


# ---- what is sampled ----


def test_the_cpu_is_a_share_of_all() -> None:
    """A process that computes all the time takes one CPU; one that sleeps takes none."""
    machine = Machine(cpus=4.0)
    used = _compute(0.3)
    busy = machine.read()["cpu"]
    assert busy == pytest.approx(100 * used / 4.0, rel=0.2)


def _compute(seconds: float) -> float:
    """Use the CPU for so long; the share of the time that it was had."""
    began, wall = time.process_time(), time.monotonic()
    while time.process_time() - began < seconds:
        sum(range(1000))
    return seconds / (time.monotonic() - wall)


@needs_linux
def test_memory_and_threads_are_those_of_the_process() -> None:
    """As the kernel tells them."""
    before = Machine().read()
    block = b"x" * (64 << 20)
    wait = threading.Event()
    threads = [threading.Thread(target=wait.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    after = Machine().read()
    wait.set()
    assert 60 < after["proc.memory.rssMB"] - before["proc.memory.rssMB"] < 80
    assert after["proc.cpu.threads"] - before["proc.cpu.threads"] == 3
    assert 0 < after["memory_percent"] < 100
    assert len(block) == 64 << 20


def tree(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


STAT = "7 (a) b) R " + " ".join(str(number) for number in range(4, 53))
"""Of a process with a strange name: the fields behind it are their own numbers."""
KERNEL = {
    "proc/meminfo": "MemTotal:       1048576 kB\nMemFree: 1 kB\nMemAvailable:    524288 kB\n",
    "proc/self/stat": STAT,
    "sys/block/sda/device/x": "",
    "sys/block/loop0/size": "",
    "proc/diskstats": "7 0 loop0 9 9 9 9 9 9 9 9 9\n8 0 sda 1 2 2048 4 5 6 4096 8 9\n"
    "8 1 sda1 1 2 2048 4 5 6 4096 8 9\n",
    "sys/class/net/eth0/device/x": "",
    "sys/class/net/docker0/x": "",
    "proc/net/dev": "Inter-|\n face |bytes\n  lo: 5 0 0 0 0 0 0 0 5 0\neth0:100 0 0 0 0 0 0 0 200 0\n"
    " docker0: 7 0 0 0 0 0 0 0 7 0\n",
}
MIB = 1 << 20


@needs_linux
def test_hardware_alone_counts(tmp_path: Path) -> None:
    """No loops, parts of disks or bridges, which would count the same bytes again; and only what moved since."""
    root = tree(tmp_path, KERNEL)
    machine = Machine(Linux(root), 1.0)
    assert not [name for name in machine.read() if name.startswith("disk.") and "/" not in name]
    tree(tmp_path, {name: text.replace("2048", "6144").replace("100", "150") for name, text in KERNEL.items()})
    found = machine.read()
    assert {name: value for name, value in found.items() if name.startswith(("disk.sda", "disk.loop", "network"))} == {
        "disk.sda.in": 2.0,
        "disk.sda.out": 0.0,
        "network.sent": 0,
        "network.recv": 50,
    }
    assert found["memory_percent"] == 50.0
    assert found["proc.memory.availableMB"] == 512.0
    assert found["proc.cpu.threads"] == 20


@needs_linux
@pytest.mark.parametrize(
    "group",
    [
        {
            "proc/self/cgroup": "0::/user/job\n",
            "sys/fs/cgroup/user/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/user/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user/memory.max": f"{256 * MIB}\n",
            "sys/fs/cgroup/user/job/memory.max": "max\n",
            "sys/fs/cgroup/user/memory.current": f"{128 * MIB}\n",
            "sys/fs/cgroup/user/memory.stat": f"anon 1\ninactive_file {64 * MIB}\n",
        },
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{256 * MIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{128 * MIB}\n",
            "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {64 * MIB}\n",
        },
    ],
    ids=["version 2", "version 1"],
)
def test_a_container_s_limits_are_the_machine(tmp_path: Path, group: dict[str, str]) -> None:
    """Both versions of control groups; files that the kernel can drop are free memory."""
    root = tree(tmp_path, KERNEL | group)
    assert usable_cpus(root) == min(1.5, os.cpu_count() or 1)
    found = Machine(Linux(root), 1.0).read()
    assert found["proc.memory.availableMB"] == 192.0
    assert found["memory_percent"] == 25.0


@needs_linux
def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """Of a machine without /proc there is what Python itself tells."""
    assert set(Machine(Linux(str(tmp_path)), 1.0).read()) == EVERYWHERE


def test_psutil_tells_the_same() -> None:
    """What is asked where there is no /proc."""
    pytest.importorskip("psutil")
    from tracker.machine import Psutil

    found, usual = Machine(Psutil()).read(), Machine().read()
    moved = re.compile(r"disk\.\w+\.(in|out)")  # told of disks that did anything meanwhile
    assert {name for name in found if not moved.fullmatch(name)} == {
        name for name in usual if not moved.fullmatch(name)
    }
    assert found["proc.memory.rssMB"] == pytest.approx(usual["proc.memory.rssMB"], rel=0.1)
    assert found["memory_percent"] == pytest.approx(usual["memory_percent"], abs=5)


# ---- GPUs ----

DRIVER = r"""
#include <stdio.h>
typedef void *device;
static int is_open;
static int is_broken(void)
{
    FILE *file = fopen("driver", "r");
    int state = 0;
    if (file) { if (fscanf(file, "%d", &state) != 1) state = 0; fclose(file); }
    return state;
}
int nvmlInit_v2(void) { if (is_broken()) return 9; is_open = 1; return 0; }
int nvmlShutdown(void) { is_open = 0; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count)
{
    if (is_broken()) is_open = 0;
    *count = 3;
    return is_open ? 0 : 1;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *gpu)
{
    *gpu = (device)(size_t)(index + 1);
    return index == 1 ? 15 : 0;
}
int nvmlDeviceGetUtilizationRates(device gpu, unsigned *use)
{
    use[0] = 87; use[1] = 0;
    return (size_t)gpu == 3 ? 3 : 0;
}
int nvmlDeviceGetMemoryInfo(device gpu, unsigned long long *bytes)
{
    bytes[0] = 80ULL << 30; bytes[1] = 60ULL << 30; bytes[2] = 20ULL << 30;
    return 0;
}
int nvmlDeviceGetTemperature(device gpu, unsigned kind, unsigned *degrees) { *degrees = 71; return kind ? 2 : 0; }
int nvmlDeviceGetPowerUsage(device gpu, unsigned *milliwatts) { *milliwatts = 210456; return (size_t)gpu == 3 ? 3 : 0; }
int nvmlDeviceGetEnforcedPowerLimit(device gpu, unsigned *milliwatts) { *milliwatts = 420912; return 0; }
"""
"""Stands for a driver with three GPUs: one that tells all, one that fell off the bus, one that is shared (MIG)."""
WHOLE = {
    "gpu.0.gpu": 87,
    "gpu.0.memory": 0,
    "gpu.0.memoryAllocated": 25.0,
    "gpu.0.memoryAllocatedBytes": 20 << 30,
    "gpu.0.temp": 71,
    "gpu.0.powerWatts": 210.5,
    "gpu.0.powerPercent": 50.0,
}
SHARED = {"gpu.2.memoryAllocated": 25.0, "gpu.2.memoryAllocatedBytes": 20 << 30, "gpu.2.temp": 71}
READ = "import json; from tracker import gpus; read = gpus.reader('/nowhere'); print(json.dumps(read and read()))\n"


@pytest.fixture
def driver(tmp_path: Path) -> dict[str, str]:
    """An environment with a driver of NVIDIA's."""
    (tmp_path / "driver.c").write_text(DRIVER)
    command = ["cc", "-shared", "-fPIC", "-w", "-o", "lib/libnvidia-ml.so.1", "driver.c"]
    (tmp_path / "lib").mkdir()
    subprocess.run(command, cwd=tmp_path, check=True)
    return {"LD_LIBRARY_PATH": str(tmp_path / "lib"), "PATH": ""}


@needs_linux
@needs_cc
def test_nvidia_s_library_is_asked(tmp_path: Path, driver: dict[str, str]) -> None:
    """Without any package; what a GPU does not tell is left out, and so is one that is lost."""
    assert json.loads(run_script(tmp_path, READ, env=driver).stdout) == WHOLE | SHARED


@needs_linux
@needs_cc
def test_samples_have_the_gpus(tmp_path: Path, root: Path, start: StartScript, driver: dict[str, str]) -> None:
    """Beside all else, with every GPU of the machine; a driver that is changed meanwhile is a gap."""
    source = (
        "import sys, tracker\n"
        "tracker.init(settings={'x_stats_sampling_interval': 0.1})\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    process = start(source, env={**driver, "TRACKER_SILENT": "1"})
    wait_line(process, "ready")
    path = journal(root)

    def last() -> dict[str, Any]:
        return samples_of(path)[-1] if samples_of(path) else {}

    assert wait_for(lambda: last().items() >= (WHOLE | SHARED).items())
    (tmp_path / "driver").write_text("1")
    assert wait_for(lambda: "cpu" in last() and "gpu.0.gpu" not in last())
    (tmp_path / "driver").write_text("0")
    assert wait_for(lambda: last().items() >= (WHOLE | SHARED).items())
    tell(process)
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


SMI_OUTPUT = "0, 87, 12, 20480, 81920, 71, 210.46, 420.92\n1, [N/A], [N/A], 512, 1024, [Not Supported], [N/A], 300.00\n"


def tool(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which a command of this name is all there is."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": f"{path.parent}", "LD_LIBRARY_PATH": ""}


def test_nvidia_smi_is_called_where_there_is_no_library(tmp_path: Path) -> None:
    """It tells the same."""
    env = tool(tmp_path, "nvidia-smi", f"printf '{SMI_OUTPUT}'")
    assert json.loads(run_script(tmp_path, READ, env=env).stdout) == {
        "gpu.0.gpu": 87,
        "gpu.0.memory": 12,
        "gpu.0.memoryAllocated": 25.0,
        "gpu.0.memoryAllocatedBytes": 20 << 30,
        "gpu.0.temp": 71,
        "gpu.0.powerWatts": 210.5,
        "gpu.0.powerPercent": 50.0,
        "gpu.1.memoryAllocated": 50.0,
        "gpu.1.memoryAllocatedBytes": 512 << 20,
    }


@pytest.mark.parametrize("end", ["exit 9", "exec /bin/sleep 60"])
def test_a_tool_that_fails_is_given_up(tmp_path: Path, end: str) -> None:
    """Or takes too long: it is called once."""
    env = tool(tmp_path, "nvidia-smi", f"echo called >> calls; {end}")
    source = (
        "from tracker import gpus\ngpus.COMMAND_LIMIT = 0.5\nread = gpus.reader('/nowhere')\nprint(read(), read())\n"
    )
    done = run_script(tmp_path, source, env=env)
    assert (done.stdout, done.stderr) == ("{} {}\n", "")
    assert (tmp_path / "calls").read_text() == "called\n"


@pytest.mark.parametrize(
    "text", ["", "No devices were found\n", "0, 1\n", "a, b, c, d, e, f, g, h\n", ",,,,,,,\n", "\0"]
)
def test_what_a_tool_prints_may_be_anything(text: str) -> None:
    """What is no line of numbers is passed over."""
    assert gpus.smi_values(text) == {}
    assert gpus.ioreg_values(text) == {}


def test_amd_s_cards_are_files(tmp_path: Path) -> None:
    """In order of their numbers; others' cards and outputs are none of them; what is not there is left out."""
    cards = tree(
        tmp_path,
        {
            "card0/device/vendor": "0x1a03\n",
            "card1-DP-1/status": "connected\n",
            "card10/device/vendor": "0x1002\n",
            "card10/device/gpu_busy_percent": "7\n",
            "card10/device/hwmon/hwmon7/power1_input": "12000000\n",
            "card2/device/vendor": "0x1002\n",
            "card2/device/gpu_busy_percent": "93\n",
            "card2/device/mem_busy_percent": "40\n",
            "card2/device/mem_info_vram_used": str(16 << 30),
            "card2/device/mem_info_vram_total": str(64 << 30),
            "card2/device/hwmon/hwmon3/temp1_input": "65500\n",
            "card2/device/hwmon/hwmon3/power1_average": "250000000\n",
            "card2/device/hwmon/hwmon3/power1_cap": "500000000\n",
        },
    )
    assert gpus.amd_values(gpus.amd_cards(cards)) == {
        "gpu.0.gpu": 93,
        "gpu.0.memory": 40,
        "gpu.0.memoryAllocated": 25.0,
        "gpu.0.memoryAllocatedBytes": 16 << 30,
        "gpu.0.temp": 65.5,
        "gpu.0.powerWatts": 250.0,
        "gpu.0.powerPercent": 50.0,
        "gpu.1.gpu": 7,
        "gpu.1.powerWatts": 12.0,
    }


def test_apple_s_are_what_ioreg_tells() -> None:
    """One entry an accelerator."""
    text = '{\n "PerformanceStatistics" = {"In use system memory"=1073741824,"Device Utilization %"=34,"x"=1}\n}\n'
    assert gpus.ioreg_values(text) == {"gpu.0.gpu": 34, "gpu.0.memoryAllocatedBytes": 1 << 30}


def test_without_gpus_there_are_none(tmp_path: Path) -> None:
    """And nothing is called."""
    done = run_script(tmp_path, READ, env=NO_GPU)
    assert (done.stdout, done.stderr) == ("null\n", "")


# ---- reading ----

START = {"_type": "start", "_timestamp": 1000.0, "format": 1, "id": "abcd1234", "project": "p", "config": {}}


def history_of(root: Path) -> Any:
    catalog = Catalog(root)
    catalog.refresh()
    (run,) = catalog.runs.values()
    return read_history(catalog, run)


def test_samples_are_read_back(root: Path) -> None:
    """As a stream of their own, by W&B's names for it; rows are as they were."""
    run = tracker.init(project="p", id="a", dir=root, **FAST)
    run.log({"loss": 0.5})
    assert has_samples(root, 3)
    run.finish()
    found = tracker.Api(root).run("p/a")
    written = samples_of(journal(root))
    rows = found.history(stream="system", pandas=False)
    assert rows == found.history(stream="events", pandas=False)
    assert [row["cpu"] for row in rows] == [sample["cpu"] for sample in written]
    assert [row["_runtime"] for row in rows] == [sample["_timestamp"] - run.start_time for sample in written]
    assert found.history(stream="system", keys=["cpu"], samples=2, pandas=False) == [
        {"_timestamp": sample["_timestamp"], "cpu": sample["cpu"]} for sample in (written[0], written[-1])
    ]
    assert [row["loss"] for row in found.history(pandas=False)] == [0.5]
    assert list(found.history(stream="system")["cpu"]) == [sample["cpu"] for sample in written]
    with pytest.raises(ValueError, match="stream must be one of default, system, events"):
        found.history(stream="console")


def test_samples_of_a_resumed_run_are_those_of_all_its_parts(root: Path) -> None:
    """A fork has its own alone."""
    for number in range(2):
        with tracker.init(project="p", id="a", dir=root, resume="allow", **FAST) as run:
            run.log({"loss": number})
            assert wait_for(lambda run=run: len(samples_of(Path(run.file))) >= 2)
    with tracker.init(project="p", id="b", dir=root, fork_from="a?_step=1", settings={"x_disable_stats": True}):
        pass
    api = tracker.Api(root)
    written = [sample for path in journals(root)[:2] for sample in samples_of(path)]
    assert len(api.run("p/a").history(stream="system", pandas=False)) == len(written) >= 4
    assert api.run("p/b").history(stream="system", pandas=False) == []


def test_strange_samples_are_passed_over(root: Path) -> None:
    """No name, value or time of a sample can break a reader; what is good of it stays."""
    strange = [
        {"_type": "system"},
        {"_type": "system", "_timestamp": "soon", "cpu": 1},
        {"_type": "system", "_timestamp": -5, "cpu": 1},
        {"_type": "system", "_timestamp": 1e300, "cpu": 1},
        {
            "_type": "system",
            "_timestamp": 1001.0,
            "cpu": None,
            "x": [1],
            "y": {"z": 1},
            "\x1b[2Jbad\u202e": 3,
            "t": True,
        },
        {"_type": "system", "_timestamp": 1001.0, "_step": 7, "cpu": 2**63, "": 4},
        {"_type": "system", "_timestamp": 1002.0, "cpu": 9} | {f"n{number}": number for number in range(3000)},
    ]
    write_journal(root, [START, *strange])
    history = history_of(root)
    assert list(history.system_times.steps) == [1001.0, 1002.0]
    assert list(history.system["cpu"].values) == [2.0**63, 9.0]
    assert list(history.system["[2Jbad"].values) == [3.0]
    assert len(history.system) == 1000
    assert not history.columns
    assert len(tracker.Api(root).run("p/abcd1234").history(stream="system", pandas=False)) == 2


def test_samples_are_in_a_thinned_history(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long journal is looked at in few places first; the machine's curve is there then."""
    from tracker import lines

    monkeypatch.setattr(lines, "THIN_ABOVE", 1 << 16)
    made: list[dict[str, Any]] = [START]
    for step in range(20_000):
        made.append({"_step": step, "_timestamp": 1000.0 + step, "loss": 1.0})
        if step % 50 == 0:
            made.append({"_type": "system", "_timestamp": 1000.0 + step, "cpu": step / 1000})
    path = write_journal(root, made)
    reader = lines.Lines(str(path), thin=100)
    thinned = reader.read()
    assert reader.is_thinned
    assert len(thinned) < path.stat().st_size / 4
    assert thinned.count(b'"system"') > 50
