"""kill -9 at any moment: what had returned is on the disk, every file opens, the state is right, a resume goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lives import Life, live, told_by, victims

from support import StartScript


def live_and_die(
    root: Path, start: StartScript, lives: int, faults: Callable[[], dict[str, Any]], births: int
) -> tuple[int, int]:
    """Kill the jobs of many runs, several at a time; how many were killed and how many rows they had logged."""
    kills = rows = 0
    processes = [victims(start), victims(start)]
    for first in range(0, lives, len(processes)):
        crowd = [Life(root / str(first + place) / "runs") for place in range(len(processes))]
        for life in crowd:
            life.root.mkdir(parents=True)
        for _ in range(births):
            for life, process in zip(crowd, processes, strict=True):
                live(process, life.order(**faults()))
            for life, process in zip(crowd, processes, strict=True):
                life.check(told_by(process))
        kills += births * len(crowd)
        rows += sum(life.rows for life in crowd)
    return kills, rows


def test_kill_at_any_moment(
    tmp_path: Path, chance: random.Random, start: StartScript, cases: Callable[[int], int], tried: Any
) -> None:
    """From 0.3 to 130 ms after the start; each run is resumed three times."""

    def fault() -> dict[str, Any]:
        way = chance.choice(("wrap", "wrap", "redirect"))
        rows = chance.choice((0, 30, 1000, 10**6))
        return {"delay": 10 ** chance.uniform(-3.5, -0.9), "console": way, "rows": rows}

    kills, rows = live_and_die(tmp_path, start, cases(15), fault, 4)
    tried("kill -9 at a random moment", f"{kills} kills, {rows:,} rows", "0 rows lost")


def test_kill_at_any_call(
    tmp_path: Path, chance: random.Random, start: StartScript, cases: Callable[[int], int], tried: Any
) -> None:
    """Before, after and within the calls of the operating system that `init`, `log` and `finish` make."""

    def fault() -> dict[str, Any]:
        rows = chance.choice((0, 5, 300))
        call = int(10 ** chance.uniform(0, 1.5 + (rows > 0) + 0.5 * (rows > 5)))
        how = chance.choice(("before", "within", "after"))
        return {"last_call": (call, how), "rows": rows, "edits": rows // 5, "exits": chance.random() < 0.5}

    kills, rows = live_and_die(tmp_path, start, cases(10), fault, 4)
    tried("kill -9 at a random call of the system", f"{kills} kills, {rows:,} rows", "0 rows lost")


def test_kill_amid_a_flood_of_output(
    tmp_path: Path, chance: random.Random, start: StartScript, cases: Callable[[int], int], tried: Any
) -> None:
    """Of it at most the last tenth of a second is lost, and what the thread is behind on a busy machine."""

    def fault() -> dict[str, Any]:
        console = chance.choice(("wrap", "redirect"))
        return {"delay": chance.uniform(1.1, 1.3), "console": console, "rows": 10**6, "lines": 10**6}

    kills, _ = live_and_die(tmp_path, start, cases(2), fault, 1)
    tried("kill -9 amid a flood of output", f"{kills} kills", "nothing lost but of the last second")
