"""What is done to be quick with much: the same comes out as of the plain way."""

from __future__ import annotations

import math
import random
from typing import Any

from tracker.history import History

ODD: list[Any] = [0.5, -3.25, 7, 0, 1e300, 2**60, "NaN", "Infinity", "text", None, True, [1], {"_type": "image"}]


def contents(history: History) -> dict[str, Any]:
    columns = {"times": history.times, **{f"c {key}": column for key, column in history.columns.items()}}
    columns |= {f"s {key}": column for key, column in history.system.items()}
    return {
        key: (list(column.steps), [None if math.isnan(value) else value for value in column.values])
        for key, column in columns.items()
    }


def odd_row(random: random.Random, step: int, has_odd_steps: bool) -> dict[str, Any]:
    odd_steps = [step - 3, "x", None, 1.5, True] if has_odd_steps else []
    row: dict[str, Any] = {"_step": random.choice([step] * 30 + odd_steps)}
    if random.random() < 0.95:
        row["_timestamp"] = random.choice([step + 0.5] * 20 + [None, -1.0, 1e12, "NaN"])
    for key in random.sample("abcdefg", random.randrange(8)):
        row[key] = random.random() if random.random() < 0.9 else random.choice(ODD)
    return row


def test_rows_folded_together_and_one_by_one_give_the_same_columns() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        late = chance.choice([None, 0, 0, 0.3])
        has_odd_steps = chance.random() < 0.3
        step, found = 0, []
        for _ in range(chance.randrange(120)):
            step += chance.choice([1, 1, 1, 1, 0, 5])
            if chance.random() < 0.05:
                found.append({"_type": "system", "_timestamp": float(step), "cpu": chance.random()})
            if late is not None:
                by = chance.randrange(20) if chance.random() < late else 0
                found.append(odd_row(chance, step - by, has_odd_steps))
            else:
                name = chance.choice(["b", "b", "b", "b\0"])  # the same once it is cleaned
                found.append({"_step": step, "_timestamp": float(len(found)), "a": chance.random(), name: step})
        together, apart = History(), History()
        at = 0
        while at < len(found):
            size = chance.choice([1, 7, 30, 200])
            together.extend(found[at : at + size])
            at += size
        for record in found:
            apart.extend([record])
        assert contents(together) == contents(apart), seed
