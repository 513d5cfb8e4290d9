"""The runs of a project or group, one a line."""

from __future__ import annotations

import time

from tracker.catalog import Key, StoredRun
from tracker.sparkline import blocks
from tracker_tui.look import GLYPHS, age, duration, fit, last_value, metric_value, right
from tracker_tui.model import Model, by_interest, main_metric, metrics
from tracker_tui.widgets.lines import Line, Lines

VALUE_WIDTH = 9
SPARK_WIDTH = 7
NAME_WIDTH = 12
COLUMNS = {"state": 9, "step": 8, "age": 5, "time": 8}
"""Columns beside the name, and their widths."""
IMPORTANCE = ("step", "age", "state", "time")
"""Which of them to keep where there is no room for all; a sign before the name tells the state as well."""
METRIC_WIDTH = VALUE_WIDTH + SPARK_WIDTH + 3


class RunsTable(Lines):
    """State, name, step, age, duration, and the last value and course of as many metrics as there is room for."""

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.cursor = 0
        self._model = model
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
        cells = [("    " + fit("name", self._name_width(width)) + " ", "dim")]
        cells += [(fit(c, size) if c == "state" else right(c, size), "dim") for c, size in self._columns(width)]
        room = VALUE_WIDTH + SPARK_WIDTH + 1
        cells += [("  " + right(metric, room), "dim") for metric in self._shown(width)]
        return tuple(cells)

    def line(self, index: int, width: int) -> Line:
        run = self._runs[index]
        now = time.time()
        texts = {"step": "" if run.step is None else str(run.step), "age": age(run, now), "time": duration(run, now)}
        sign, style = self._model.sign_of(run.key)
        cells = [(sign, style), (GLYPHS[run.state] + " ", run.state)]
        cells.append((fit(run.label, self._name_width(width)) + " ", ""))
        for column, size in self._columns(width):
            cells.append((fit(run.state, size), run.state) if column == "state" else (right(texts[column], size), ""))
        for metric in self._shown(width):
            sketch = run.sketches.get(metric)
            value = last_value(metric_value(run, metric), VALUE_WIDTH)
            cells.append(("  " + right(value, VALUE_WIDTH), "strong"))
            cells.append((" " + (blocks(sketch.values(SPARK_WIDTH)) if sketch else "").ljust(SPARK_WIDTH), "spark"))
        return tuple(cells)

    def _columns(self, width: int) -> list[tuple[str, int]]:
        """The columns beside the name that leave room for one metric, the most telling ones first."""
        room = width - 5 - NAME_WIDTH - METRIC_WIDTH * min(1, len(self._metrics))
        kept: set[str] = set()
        for column in IMPORTANCE:
            if column == "time":  # a second metric tells more
                room -= METRIC_WIDTH * max(0, min(2, len(self._metrics)) - 1)
            if COLUMNS[column] <= room:
                kept.add(column)
                room -= COLUMNS[column]
        return [(column, size) for column, size in COLUMNS.items() if column in kept]

    def _shown(self, width: int) -> list[str]:
        room = width - 5 - NAME_WIDTH - sum(size for _, size in self._columns(width))
        return self._metrics[: max(0, room // METRIC_WIDTH)]

    def _name_width(self, width: int) -> int:
        taken = sum(size for _, size in self._columns(width)) + len(self._shown(width)) * METRIC_WIDTH
        return max(NAME_WIDTH, width - 5 - taken)
