"""What the GPUs of this machine are doing, under W&B's names; all of them, whichever the process uses.

    gpu.N.gpu                       time in which something ran on it, %
    gpu.N.memory                    time in which its memory was read or written, %
    gpu.N.memoryAllocated           memory that is taken, %
    gpu.N.memoryAllocatedBytes      the same in bytes
    gpu.N.temp                      °C
    gpu.N.powerWatts                W
    gpu.N.powerPercent              power, of what it may take, %

NVIDIA's driver is asked through its own library (NVML) where that can be loaded, else through `nvidia-smi`; AMD's
through /sys; Apple's through `ioreg`. What one of them does not tell is left out.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any, Final

from tracker.machine import names_in, read_text
from tracker.programs import output_of

Values = dict[str, float]
Reader = Callable[[], Values]

COMMAND_LIMIT: Final = 10.0
"""Seconds that a command may take; one that fails is not called again."""
MAX_SAID: Final = 1 << 20
"""Bytes that it may print."""
SMI: Final = (
    "nvidia-smi",
    "--query-gpu=index,utilization.gpu,utilization.memory,memory.used,memory.total,temperature.gpu,power.draw,power.limit",
    "--format=csv,noheader,nounits",
)
IOREG: Final = ("ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator")


def reader(drm: str = "/sys/class/drm") -> Reader | None:
    """What reads the GPUs of this machine; None where there are none that can be read.

    Beside NVIDIA's, AMD's are left out: they are what the processor brings along.

    Args:
        drm: where Linux keeps its graphics cards.
    """
    try:
        return Nvml()
    except (OSError, AttributeError):  # there is no such library, no driver behind it, or a very old one
        pass
    for words, parse in ((SMI, smi_values), (IOREG, ioreg_values)):
        if shutil.which(words[0]) and (parse is smi_values or sys.platform == "darwin"):
            return Command(words, parse)
    cards = amd_cards(drm)
    return (lambda: amd_values(cards)) if cards else None


def _values(
    index: int,
    busy: float | None = None,
    memory_busy: float | None = None,
    used: float | None = None,
    total: float | None = None,
    temperature: float | None = None,
    watts: float | None = None,
    limit: float | None = None,
) -> Values:
    """What is known of one GPU, by name; bytes, °C and W."""
    found = {
        "gpu": busy,
        "memory": memory_busy,
        "memoryAllocated": round(100 * used / total, 2) if used is not None and total else None,
        "memoryAllocatedBytes": used,
        "temp": temperature,
        "powerWatts": round(watts, 1) if watts is not None else None,
        "powerPercent": round(100 * watts / limit, 1) if watts is not None and limit else None,
    }
    return {f"gpu.{index}.{name}": value for name, value in found.items() if value is not None}


# ---- NVIDIA ----


class _Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class Nvml:
    """NVIDIA's management library, by the calls that all versions since 2012 have.

    What it answers with an error is not known for this time: the parts of a GPU that is shared (MIG), a GPU that fell
    off the bus. Where it cannot even count, as after the driver was changed, it is begun anew at the next reading.

    Raises:
        OSError: there is no such library, or no driver that answers.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libnvidia-ml.so.1")
        self._is_open = False
        if not self._open():
            raise OSError("NVML does not answer")

    def __call__(self) -> Values:
        count = self._get("DeviceGetCount_v2", ctypes.c_uint) if self._open() else None
        if count is None:
            self._library.nvmlShutdown()
            self._is_open = False
            return {}
        found: Values = {}
        for index in range(count.value):
            device = self._get("DeviceGetHandleByIndex_v2", ctypes.c_void_p, ctypes.c_uint(index))
            if device is not None:
                found |= self._device(index, device)
        return found

    def _open(self) -> bool:
        self._is_open = self._is_open or self._library.nvmlInit_v2() == 0
        return self._is_open

    def _device(self, index: int, device: ctypes.c_void_p) -> Values:
        busy = self._get("DeviceGetUtilizationRates", _Utilization, device)
        memory = self._get("DeviceGetMemoryInfo", _Memory, device)
        temperature = self._get("DeviceGetTemperature", ctypes.c_uint, device, ctypes.c_uint(0))
        milliwatts = self._get("DeviceGetPowerUsage", ctypes.c_uint, device)
        limit = self._get("DeviceGetEnforcedPowerLimit", ctypes.c_uint, device)
        return _values(
            index,
            busy.gpu if busy is not None else None,
            busy.memory if busy is not None else None,
            memory.used if memory is not None else None,
            memory.total if memory is not None else None,
            temperature.value if temperature is not None else None,
            milliwatts.value / 1000 if milliwatts is not None else None,
            limit.value / 1000 if limit is not None else None,
        )

    def _get(self, name: str, kind: type[Any], *arguments: Any) -> Any:
        """What a call of NVML's puts into its last argument; None where it fails."""
        call, result = getattr(self._library, "nvml" + name, None), kind()
        return result if call is not None and call(*arguments, ctypes.byref(result)) == 0 else None


def smi_values(text: str) -> Values:
    """What `nvidia-smi` tells: a line a GPU, MiB, `[N/A]` and the like for what it does not know."""
    found: Values = {}
    for line in text.splitlines():
        index, *numbers = (_float(word) for word in line.split(","))
        if index is None or len(numbers) != 7:
            continue
        busy, memory_busy, used, total, temperature, watts, limit = numbers
        used, total = (None if size is None else size * (1 << 20) for size in (used, total))
        found |= _values(int(index), busy, memory_busy, used, total, temperature, watts, limit)
    return found


# ---- AMD ----


def amd_cards(drm: str) -> list[str]:
    """The device folders of AMD's cards, in order of their numbers."""
    names = [name for name in names_in(drm) if re.fullmatch(r"card\d+", name)]
    devices = [os.path.join(drm, name, "device") for name in sorted(names, key=lambda name: int(name[4:]))]
    return [device for device in devices if _word(f"{device}/vendor") == "0x1002"]


def amd_values(cards: list[str]) -> Values:
    """What the kernel's driver tells: %, bytes, thousandths of °C, millionths of W."""
    found: Values = {}
    for index, device in enumerate(cards):
        sensors = f"{device}/hwmon/{min(names_in(f'{device}/hwmon'), default='')}"
        busy, memory_busy, used, total, temperature, watts, limit = (
            _float(_word(path))
            for path in (
                f"{device}/gpu_busy_percent",
                f"{device}/mem_busy_percent",
                f"{device}/mem_info_vram_used",
                f"{device}/mem_info_vram_total",
                f"{sensors}/temp1_input",
                f"{sensors}/power1_average",
                f"{sensors}/power1_cap",
            )
        )
        watts = _float(_word(f"{sensors}/power1_input")) if watts is None else watts  # newer cards
        temperature, watts, limit = (
            None if value is None else value / unit
            for value, unit in ((temperature, 1000), (watts, 1_000_000), (limit, 1_000_000))
        )
        found |= _values(index, busy, memory_busy, used, total, temperature, watts, limit)
    return found


def _word(path: str) -> str:
    """What a file of one word says."""
    return read_text(path, 100).strip()


# ---- Apple ----


def ioreg_values(text: str) -> Values:
    """What macOS tells of its accelerators."""
    found: Values = {}
    for index, statistics in enumerate(re.findall(r'"PerformanceStatistics" = \{([^}]*)\}', text)):
        numbers = {name: float(number) for name, number in re.findall(r'"([^"]+)"=(\d+)', statistics)}
        found |= _values(index, numbers.get("Device Utilization %"), used=numbers.get("In use system memory"))
    return found


# ---- commands ----


class Command:
    """Runs a command at every reading, until it fails or takes too long for the first time.

    Args:
        words: the command.
        parse: makes values of what it prints.
    """

    def __init__(self, words: tuple[str, ...], parse: Callable[[str], Values]) -> None:
        self._words, self._parse = words, parse
        self._has_failed = False

    def __call__(self) -> Values:
        if self._has_failed:
            return {}
        said = output_of(self._words, COMMAND_LIMIT, MAX_SAID)
        self._has_failed = said.code != 0
        return {} if self._has_failed else self._parse(said.data.decode(errors="replace"))


def _float(word: str) -> float | None:
    """A number, whole if it is; None for anything else."""
    try:
        value = float(word)
    except ValueError:
        return None
    return None if value - value != 0.0 else int(value) if value.is_integer() else value
