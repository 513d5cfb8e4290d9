"""What is measured of a machine, in plain words: the section, title, unit and scale of each chart of it.

In the grid such a chart has its metric's name behind a prefix, which no chart of a metric that was logged can have:
names that begin with an underscore get none. Its section's name begins so too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from tracker_tui.look import last_value

PREFIX: Final = "_system."
SECTION: Final = "_system"
"""The section of what is of no device; those of devices have their names behind it."""

_MB: Final = 1 / 1024
_BYTES: Final = 1 / 1024**3
_PERCENT: Final = (0.0, 100.0)
_FROM_ZERO: Final = (0.0, 0.0)


class Gauge(NamedTuple):
    """How one thing that is measured is shown."""

    section: str
    title: str
    unit: str = ""
    scale: float = 1.0
    """What makes a recorded value one in the unit."""
    least: tuple[float, float] | None = None
    """What the y axis holds at least."""

    @property
    def name(self) -> str:
        """Section and title, for where there is no heading."""
        return f"{heading(self.section)} {self.title}"


_MACHINE: Final = {
    "cpu": Gauge(SECTION, "cpu", "%", 1.0, _FROM_ZERO),  # of all CPUs: seldom near 100
    "proc.memory.rssMB": Gauge(SECTION, "memory", "GiB", _MB, _FROM_ZERO),
    "proc.memory.percent": Gauge(SECTION, "memory share", "%", 1.0, _FROM_ZERO),
    "memory_percent": Gauge(SECTION, "machine memory", "%", 1.0, _PERCENT),
    "proc.memory.availableMB": Gauge(SECTION, "machine memory left", "GiB", _MB, _FROM_ZERO),
    "proc.cpu.threads": Gauge(SECTION, "threads", "", 1.0, _FROM_ZERO),
}
_GPU: Final = {
    "gpu": ("busy", "%", 1.0, _PERCENT),
    "memoryAllocatedBytes": ("memory", "GiB", _BYTES, _FROM_ZERO),
    "memoryAllocated": ("memory used", "%", 1.0, _PERCENT),
    "memory": ("memory access", "%", 1.0, _PERCENT),
    "temp": ("temperature", "°C", 1.0, None),
    "powerWatts": ("power", "W", 1.0, _FROM_ZERO),
    "powerPercent": ("power of limit", "%", 1.0, _PERCENT),
}
_DISK: Final = {
    "usagePercent": ("used", "%", 1.0, _PERCENT),
    "usageGB": ("used", "GiB", 1.0, None),
    "in": ("read", "GiB", _MB, _FROM_ZERO),
    "out": ("written", "GiB", _MB, _FROM_ZERO),
}
_NETWORK: Final = {
    "network.sent": Gauge(f"{SECTION} network", "sent", "GiB", _BYTES, _FROM_ZERO),
    "network.recv": Gauge(f"{SECTION} network", "received", "GiB", _BYTES, _FROM_ZERO),
}
_KINDS: Final = [[], ["gpu"], ["disk"], ["network"]]
_ORDER: Final = [*_MACHINE, *_GPU, *_DISK, *_NETWORK]


def is_gauge(metric: str) -> bool:
    """Whether a chart is of the machine, not of what the job logged."""
    return metric.startswith(PREFIX)


@lru_cache(maxsize=4096)
def gauge_of(metric: str) -> Gauge | None:
    """How a chart of the machine is shown; None of a metric that was logged.

    What nobody knows is shown as it was recorded, under its own name.
    """
    if not is_gauge(metric):
        return None
    name = metric.removeprefix(PREFIX)
    known = _MACHINE.get(name) or _NETWORK.get(name)
    if known is not None:
        return known
    kind, _, rest = name.partition(".")
    device, _, what = rest.rpartition(".")
    if kind == "gpu" and device and what in _GPU:
        return Gauge(f"{SECTION} gpu {device}", *_GPU[what])
    if kind == "disk" and device and what in _DISK:
        title, unit, scale, least = _DISK[what]
        return Gauge(f"{SECTION} disk", f"{device} {title}", unit, scale, least)
    return Gauge(SECTION, name)


def label(metric: str) -> str:
    """What a chart is called where it stands alone: a gauge's section and title, a metric's name."""
    gauge = gauge_of(metric)
    return gauge.name if gauge is not None else metric


def heading(section: str) -> str:
    """What a section is called."""
    return section.removeprefix("_") or "metrics"


def sections(metrics: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Those of the charts that are of the machine, by device: what is of none, GPUs by number, disks, network."""
    found: dict[str, list[str]] = {}
    for metric in sorted(metrics, key=_place):
        if (gauge := gauge_of(metric)) is not None:
            found.setdefault(gauge.section, []).append(metric)
    return sorted(found.items(), key=lambda item: (_KINDS.index(item[0].split(" ")[1:2]), _natural(item[0])))


def _place(metric: str) -> tuple[int, list[tuple[int, str]]]:
    name = metric.removeprefix(PREFIX)
    what = name if name in _ORDER else name.rpartition(".")[2]
    return _ORDER.index(what) if what in _ORDER else len(_ORDER), _natural(name)


def _natural(name: str) -> list[tuple[int, str]]:
    """What sorts numbers in names by their size."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def in_words(value: object, width: int = 12) -> str:
    """A measured value to three digits or so: 12.4, 71, 1853, 0.031."""
    if not isinstance(value, (int, float)) or not 1 <= abs(value) < 1e6:
        return last_value(float(f"{value:.2g}") if isinstance(value, (int, float)) else value, width)
    text = f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
