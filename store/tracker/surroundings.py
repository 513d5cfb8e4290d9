"""What a run runs on: processor, memory, disk, GPUs, system, container, its part of a cluster's job, Python's packages.

Facts that cannot be told are left out; nothing here raises. All of it may take a while: not for `init` itself.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import sys
from collections.abc import Iterable
from typing import Any, Final

from tracker.layout import CHILDREN
from tracker.machine import Linux, names_in, read_text, usable_cpus
from tracker.programs import output_of

SLURM: Final = (
    *("JOB_ID", "JOB_NAME", "ARRAY_JOB_ID", "ARRAY_TASK_ID", "JOB_PARTITION", "JOB_NODELIST", "NNODES", "NTASKS"),
    *("NODEID", "PROCID", "LOCALID", "CPUS_PER_TASK", "GPUS", "JOB_GPUS"),
)
"""Variables of SLURM that say where in which job a process is; they hold nothing secret."""
RANKS: Final = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK")
"""Variables of torchrun."""
SECONDS: Final = 5.0
"""That a question to a driver may take."""
MAX_TEXT: Final = 1 << 18
"""Characters of a file of the system that are looked through."""
MAX_KINDS: Final = 8
"""Kinds of GPU that are told apart."""

_DIST: Final = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist-info|egg-info)")


def facts() -> dict[str, Any]:
    """What is soon told; memory in bytes."""
    found = {
        **_machine(),
        "slurm": {name.lower(): os.environ[f"SLURM_{name}"] for name in SLURM if os.environ.get(f"SLURM_{name}")},
        "rank": {name.lower(): os.environ[name] for name in RANKS if os.environ.get(name)},
    }
    return {name: value for name, value in found.items() if value}


@functools.cache
def _machine() -> dict[str, Any]:
    """What does not change while a process lives."""
    return {
        "os": _system(),
        "cpu": _cpu(),
        "memory": _memory(),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "container": _container(),
    }


def disk(folder: str) -> dict[str, int]:
    """Bytes of the file system that holds a folder: in all, and free for us."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return {}
    return {"total": status.f_blocks * status.f_frsize, "free": status.f_bavail * status.f_frsize}


@functools.cache
def packages() -> tuple[str, ...]:
    """What is installed where this Python imports from, as `name==version`, by name.

    Told by the names of folders: their contents, of hundreds of files, are not read.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        for name in names_in(folder or ".") if folder != CHILDREN else ():
            match = _DIST.fullmatch(name)
            if match is not None:  # what is found first is what is imported
                found.setdefault(match["name"].lower().replace("_", "-"), f"{match['name']}=={match['version']}")
    return tuple(found[name] for name in sorted(found))


@functools.cache
def gpus() -> dict[str, Any]:
    """The machine's GPUs: `gpus`, their kinds with `name`, `memory` (bytes of each) and `count`; `driver`, `cuda`."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    lines = output_of(query, SECONDS).data.decode("utf-8", "replace").splitlines()
    rows = [fields for line in lines if len(fields := [field.strip() for field in line.split(",")]) == 3]
    if not rows:
        kinds = _counted(_amd())
        return {"gpus": kinds} if kinds else {}
    kinds = _counted((name, int(mib) << 20 if mib.isdecimal() else 0) for name, mib, _ in rows)
    version = output_of(["nvidia-smi", "--version"], SECONDS).data.decode("utf-8", "replace")
    cuda = re.search(r"CUDA Version\s*: ([\d.]+)", version)
    return {"gpus": kinds, "driver": rows[0][2], **({"cuda": cuda[1]} if cuda else {})}


def _amd() -> Iterable[tuple[str, int]]:
    """Name and bytes of memory of each of AMD's GPUs, as its Linux driver says."""
    for card in sorted(names_in("/sys/class/drm")):
        device = os.path.join("/sys/class/drm", card, "device")
        memory = _line(os.path.join(device, "mem_info_vram_total"))
        if _line(os.path.join(device, "vendor")) == "0x1002" and memory.isdecimal():
            name = _line(os.path.join(device, "product_name")) or f"AMD {_line(os.path.join(device, 'device'))}"
            yield name, int(memory)


def _counted(found: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, int], int] = {}
    for kind in found:
        counts[kind] = counts.get(kind, 0) + 1
    return [{"name": name, "memory": memory, "count": n} for (name, memory), n in list(counts.items())[:MAX_KINDS]]


def _system() -> str:
    """The system in words: `Debian GNU/Linux 12 (bookworm), Linux 6.1.0-18-amd64 x86_64`."""
    kernel = os.uname()
    words = f"{kernel.sysname} {kernel.release} {kernel.machine}"
    if kernel.sysname == "Darwin":
        return f"macOS {_said('sw_vers', '-productVersion')}, {words}"
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        name = None
    return f"{name}, {words}" if name else words


def _cpu() -> dict[str, Any]:
    """`model`, `count` (logical processors), and `allowed` where this process may use fewer of them."""
    model = _said("sysctl", "-n", "machdep.cpu.brand_string") if sys.platform == "darwin" else ""
    named = re.search(r"^model name\s*: (.+)$", read_text("/proc/cpuinfo", 4096), re.MULTILINE)  # of the first of many
    model = named[1] if named else model
    count = os.cpu_count() or 0
    allowed = round(usable_cpus(), 2)
    found = {"model": model.strip(), "count": count, "allowed": allowed if allowed < count else None}
    return {name: value for name, value in found.items() if value}


def _memory() -> int | None:
    """Bytes that this process may use: the machine's, or what its control group allows."""
    if sys.platform == "linux":
        return Linux()().memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _container() -> dict[str, str]:
    """`kind` (docker, podman, apptainer, kubernetes) and `id`, where the process is in a container."""
    signs = {
        "kubernetes": "KUBERNETES_SERVICE_HOST" in os.environ,
        "apptainer": "APPTAINER_NAME" in os.environ or "SINGULARITY_NAME" in os.environ,
        "podman": os.path.exists("/run/.containerenv"),
        "docker": os.path.exists("/.dockerenv"),
    }
    kind = next((kind for kind, is_there in signs.items() if is_there), "")
    if not kind:
        return {}
    number = re.search(
        r"\b[0-9a-f]{64}\b", read_text("/proc/self/cgroup", MAX_TEXT) + read_text("/proc/self/mountinfo", MAX_TEXT)
    )
    name = os.environ.get("APPTAINER_NAME") or os.environ.get("SINGULARITY_NAME") or (number[0][:12] if number else "")
    return {"kind": kind, **({"id": name} if name else {})}


def _said(*words: str) -> str:
    return output_of(words, SECONDS).data.decode("utf-8", "replace").strip()


def _line(path: str) -> str:
    return read_text(path, 4096).strip()
