"""The runs of a project or group, one a line."""

from __future__ import annotations

import time

from tracker.catalog import Key, StoredRun
from tracker.sparkline import blocks
from tracker_tui.look import GLYPHS, age, duration, last_value
from tracker_tui.model import by_interest, main_metric, metrics
from tracker_tui.widgets.lines import Line, Lines, fit

VALUE_WIDTH = 10
SPARK_WIDTH = 8
NAME_WIDTH = 12
FIXED = (("state", 11), ("step", 8), ("age", 5), ("time", 8))
"""Columns beside the name, and their widths."""


class RunsTable(Lines):
    """State, name, step, age, duration, and the last value and course of as many metrics as there is room for."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.cursor = 0
        self._runs: list[StoredRun] = []
        self._metrics: list[str] = []

    def show_runs(self, runs: list[StoredRun]) -> None:
        """Show these runs in this order; the cursor stays on its run."""
        key = self.key
        self._runs = runs
        names = by_interest({name for run in runs for name in metrics(run)})
        first = next((metric for run in runs if (metric := main_metric(run))), None)
        self._metrics = sorted(names, key=lambda name: name != first)
        gone = max(0, min(self.cursor or 0, len(runs) - 1))
        self.keep_cursor(next((i for i, run in enumerate(runs) if run.key == key), gone))

    @property
    def key(self) -> Key | None:
        """The run under the cursor."""
        return self._runs[self.cursor].key if self.cursor is not None and self.cursor < len(self._runs) else None

    def line_count(self) -> int:
        return len(self._runs)

    def header(self, width: int) -> Line:
        cells = [("  " + fit("name", self._name_width(width)), "dim")]
        cells += [
            (fit(title, room), "dim") if title == "state" else (title.rjust(room), "dim") for title, room in FIXED
        ]
        room = VALUE_WIDTH + SPARK_WIDTH + 1
        cells += [("  " + fit(metric, room).rstrip().rjust(room), "dim") for metric in self._shown(width)]
        return tuple(cells)

    def line(self, index: int, width: int) -> Line:
        run = self._runs[index]
        now = time.time()
        fixed = ("" if run.step is None else str(run.step), age(run, now), duration(run, now))
        cells = [(GLYPHS[run.state] + " ", run.state), (fit(run.label, self._name_width(width)), "")]
        cells.append((fit(run.state, FIXED[0][1]), run.state))
        cells += [(text.rjust(room), "") for text, (_, room) in zip(fixed, FIXED[1:], strict=True)]
        for metric in self._shown(width):
            sketch = run.sketches.get(metric)
            value = last_value(run.summary[metric]) if metric in run.summary else ""
            cells.append(("  " + fit(value, VALUE_WIDTH).rstrip().rjust(VALUE_WIDTH), "strong"))
            cells.append((" " + (blocks(sketch.values(SPARK_WIDTH)) if sketch else "").ljust(SPARK_WIDTH), "spark"))
        return tuple(cells)

    def _shown(self, width: int) -> list[str]:
        room = width - 2 - NAME_WIDTH - sum(size for _, size in FIXED)
        return self._metrics[: max(0, room // (VALUE_WIDTH + SPARK_WIDTH + 3))]

    def _name_width(self, width: int) -> int:
        taken = sum(size for _, size in FIXED) + len(self._shown(width)) * (VALUE_WIDTH + SPARK_WIDTH + 3)
        return max(NAME_WIDTH, width - 2 - taken)
