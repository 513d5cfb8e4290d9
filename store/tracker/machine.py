"""What this process takes of its machine: CPU, memory, disk and network, under W&B's names.

On Linux the numbers come from /proc and the control group, elsewhere from psutil where that is installed. psutil reads
the same files on Linux and takes twice as long (170 to 75 us), so it is not asked there.

    cpu                             share of all CPUs that the process took since the last reading, %
    memory_percent                  memory of the machine that is in use, %
    proc.memory.rssMB, .percent     memory of the process: MiB, % of the machine's
    proc.memory.availableMB         memory that is left on the machine, MiB
    proc.cpu.threads                threads of the process
    disk./.usagePercent, .usageGB   of the root file system: %, GiB
    disk.DEV.in, disk.DEV.out       read from and written to a disk since the beginning, MiB
    network.sent, network.recv      bytes since the beginning

Where a container limits CPU time or memory, "all CPUs" and "the machine's memory" are what it may have.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

MB: Final = 1 << 20
GB: Final = 1 << 30
SECTOR: Final = 512
"""Bytes of a sector in /proc/diskstats, whatever those of the disk have."""


class Counts(NamedTuple):
    """What there is to read at a moment; None for what is not known here."""

    memory: int | None = None
    """Bytes of the machine."""
    available: int | None = None
    """Bytes of them that a program could still get."""
    rss: int | None = None
    """Bytes of the process that are in memory."""
    threads: int | None = None
    disks: dict[str, tuple[int, int]] = {}
    """Bytes read and written since the machine was started, by disk."""
    network: tuple[int, int] | None = None
    """Bytes sent and received since then."""


class Machine:
    """Reads what happens on this machine from now on.

    Args:
        count: what there is to read; default the way of this system.
        cpus: CPUs that the process may use, parts of one too; default those it may.
    """

    def __init__(self, count: Callable[[], Counts] | None = None, cpus: float | None = None) -> None:
        self._count = count or _way()
        self._cpus = cpus or usable_cpus()
        self._before = time.monotonic(), time.process_time()
        first = self._count()
        self._disks, self._network = first.disks, first.network

    def read(self) -> dict[str, float]:
        """Everything that is known here, by name."""
        found = {"cpu": self._cpu()}
        counts = self._count()
        if counts.memory and counts.available is not None:
            found["memory_percent"] = round(100 * (1 - counts.available / counts.memory), 1)
        if counts.rss is not None:
            found["proc.memory.rssMB"] = round(counts.rss / MB, 1)
            if counts.memory:
                found["proc.memory.percent"] = round(100 * counts.rss / counts.memory, 2)
        if counts.available is not None:
            found["proc.memory.availableMB"] = round(counts.available / MB, 1)
        if counts.threads is not None:
            found["proc.cpu.threads"] = counts.threads
        return found | _root_usage() | self._moved(counts)

    def _cpu(self) -> float:
        before, self._before = self._before, (time.monotonic(), time.process_time())
        passed, used = self._before[0] - before[0], self._before[1] - before[1]
        return round(100 * used / (passed * self._cpus), 2) if passed > 0 else 0.0

    def _moved(self, counts: Counts) -> dict[str, float]:
        """What went over disks and network; disks that did nothing are left out."""
        found: dict[str, float] = {}
        for disk, now in counts.disks.items():
            since = [max(0, a - b) for a, b in zip(now, self._disks.setdefault(disk, now), strict=True)]
            if any(since):
                found[f"disk.{disk}.in"], found[f"disk.{disk}.out"] = (round(moved / MB, 2) for moved in since)
        if counts.network is not None and self._network is not None:
            for way, now_bytes, before in zip(("sent", "recv"), counts.network, self._network, strict=True):
                found[f"network.{way}"] = max(0, now_bytes - before)
        return found


def usable_cpus(root: str = "") -> float:
    """CPUs that this process may use: those it is bound to, or fewer where its control group has a quota.

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([float(bound), *_quotas(root)])


def _root_usage() -> dict[str, float]:
    """As `df /` tells it: what only root may fill counts neither as used nor as free."""
    try:
        disk = os.statvfs("/")
    except OSError:
        return {}
    used = disk.f_blocks - disk.f_bfree
    total = used + disk.f_bavail
    percent = round(100 * used / total, 2) if total else 0.0
    return {"disk./.usagePercent": percent, "disk./.usageGB": round(used * disk.f_frsize / GB, 3)}


def _way() -> Callable[[], Counts]:
    """How this system is read."""
    if sys.platform == "linux":
        return Linux()
    try:
        return Psutil()
    except ImportError:
        return Counts


# ---- Linux ----


class Linux:
    """Reads /proc and the control group; what is not there, or may not be read, is not known.

    Args:
        root: the folder that holds `proc` and `sys`.
    """

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._disks = set(_hardware(f"{root}/sys/block"))
        cards = f"{root}/sys/class/net"  # in a container none is hardware, and all are its own
        self._cards = set(_hardware(cards)) or set(names_in(cards)) - {"lo"}
        self._memory_group = next(_memory_groups(root), None)

    def __call__(self) -> Counts:
        total, available = self._memory()
        process = (
            read_text(f"{self._root}/proc/self/stat").rpartition(")")[2].split()
        )  # the name before may hold anything
        return Counts(
            total,
            available,
            int(process[21]) * self._page if process else None,
            int(process[17]) if process else None,
            self._disk_bytes(),
            self._network_bytes(),
        )

    def _memory(self) -> tuple[int | None, int | None]:
        fields = dict(
            line.split(":", 1) for line in read_text(f"{self._root}/proc/meminfo").splitlines() if ":" in line
        )
        total, available = (_kilobytes(fields.get(name)) for name in ("MemTotal", "MemAvailable"))
        if self._memory_group is None:
            return total, available
        limit, current, stat, droppable = self._memory_group
        used = (_number(current) or 0) - (_number(stat, droppable) or 0)
        left = max(0, limit - used)
        return min(limit, total or limit), min(left, available if available is not None else left)

    def _disk_bytes(self) -> dict[str, tuple[int, int]]:
        lines = (line.split() for line in read_text(f"{self._root}/proc/diskstats").splitlines())
        return {
            fields[2]: (int(fields[5]) * SECTOR, int(fields[9]) * SECTOR)
            for fields in lines
            if len(fields) > 9 and fields[2] in self._disks
        }

    def _network_bytes(self) -> tuple[int, int] | None:
        lines = (line.split(":", 1) for line in read_text(f"{self._root}/proc/net/dev").splitlines() if ":" in line)
        cards = [numbers.split() for name, numbers in lines if name.strip() in self._cards]
        return (sum(int(n[8]) for n in cards), sum(int(n[0]) for n in cards)) if cards else None


def _groups(root: str, controller: str) -> Iterator[str]:
    """The folders of this process's control group and of those around it, the innermost first."""
    for line in read_text(f"{root}/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = f"{root}/sys/fs/cgroup/{controller}" if controllers else f"{root}/sys/fs/cgroup"
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for count in range(len(parts), -1, -1):
            yield os.path.join(top, *parts[:count])


def _quotas(root: str) -> Iterator[float]:
    """CPUs that each control group around this process leaves it."""
    for group in _groups(root, "cpu"):
        words = read_text(f"{group}/cpu.max").split() or [  # the second is of version 1
            *read_text(f"{group}/cpu.cfs_quota_us").split(),
            *read_text(f"{group}/cpu.cfs_period_us").split(),
        ]
        if len(words) == 2 and words[0].isdigit() and int(words[1]):  # else `max`, or -1
            yield int(words[0]) / int(words[1])


def _memory_groups(root: str) -> Iterator[tuple[int, str, str, str]]:
    """Control groups around this process with a limit.

    Of each the limit in bytes, the file that tells what is taken of it, the one that tells how much of that are files
    which can be dropped, and under which name.
    """
    versions = (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    )
    for group in _groups(root, "memory"):
        for limit, current, droppable in versions:
            text = read_text(f"{group}/{limit}").strip()
            if text.isdigit() and int(text) < 1 << 60:  # version 1 says "none" by a number near 2**63
                yield int(text), f"{group}/{current}", f"{group}/memory.stat", droppable


def _number(path: str, name: str = "") -> int | None:
    """The number in a file; with a name, the one behind it at the beginning of a line."""
    words = read_text(path).split()
    at = words.index(name) + 1 if name in words else 0
    return int(words[at]) if len(words) > at and words[at].isdigit() else None


def _kilobytes(text: str | None) -> int | None:
    words = (text or "").split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _hardware(folder: str) -> list[str]:
    """What in a folder of devices is no loop, bridge or the like."""
    return [name for name in names_in(folder) if os.path.exists(f"{folder}/{name}/device")]


def names_in(folder: str) -> list[str]:
    """What is in a folder; nothing where it cannot be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def read_text(path: str, limit: int = -1) -> str:
    """A file's text, or its first characters; empty where it cannot be read, as of a device that sleeps."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(limit)
    except OSError:
        return ""


# ---- elsewhere ----


class Psutil:
    """Asks psutil.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self) -> None:
        import psutil

        self._psutil, self._process = psutil, psutil.Process()

    def __call__(self) -> Counts:
        memory, disks = self._psutil.virtual_memory(), self._psutil.disk_io_counters(perdisk=True) or {}
        cards = self._psutil.net_io_counters(pernic=True)
        real = [card for name, card in cards.items() if not name.startswith("lo")]
        return Counts(
            memory.total,
            memory.available,
            self._process.memory_info().rss,
            self._process.num_threads(),
            {name: (disk.read_bytes, disk.write_bytes) for name, disk in disks.items()},
            (sum(card.bytes_sent for card in real), sum(card.bytes_recv for card in real)) if real else None,
        )
