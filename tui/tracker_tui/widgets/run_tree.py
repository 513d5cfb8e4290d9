"""The tree of entities, projects, groups and runs."""

from __future__ import annotations

import time

from textual.binding import Binding

from tracker.sparkline import blocks
from tracker.stored import StoredRun
from tracker_tui.facts import is_troubled
from tracker_tui.kinds import main_metric
from tracker_tui.look import GLYPHS, ORIGINS, age, fit, last_value, metric_value, right
from tracker_tui.model import Model
from tracker_tui.tree import Branch, Node, Place, around
from tracker_tui.widgets.lines import Line, Lines

SPARK_WIDTH = 8
WIDE = 60
"""Cells from which on a run's line also tells the value of its main metric, and its course in twice the width."""
VALUE_WIDTH = 24
AGE_WIDTH = 4
NAMED = 11
"""Cells of a name from which on it is also told which tool a run is of."""


class RunTree(Lines):
    """Every run under its project and group; the cursor stays on its run whatever appears around it."""

    BINDINGS = [
        Binding("left,h", "close", "Close", id="tree.close", tooltip="Close the branch under the cursor"),
        Binding("right,l", "open", "Open", id="tree.open", tooltip="Open the branch under the cursor"),
    ]

    def __init__(self, model: Model, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.cursor = 0
        self._model = model
        self._rows: list[Node] = []
        self._places: dict[Place, int] = {}

    @property
    def place(self) -> Place | None:
        """What the cursor is on; None in an empty tree."""
        if self.cursor is None or self.cursor >= len(self._rows):
            return None
        return self._rows[self.cursor].place

    def line_count(self) -> int:
        return len(self._rows)

    def line(self, index: int, width: int) -> Line:
        node = self._rows[index]
        if isinstance(node.place, Branch):
            return self._branch_line(node, node.place, width)
        return self._run_line(node.runs[0], node.depth, width)

    def _branch_line(self, node: Node, branch: Branch, width: int) -> Line:
        tail = [(f" {GLYPHS[state]}{node.counts[state]}", state) for state in GLYPHS if state in node.counts]
        arrow = "▾ " if node.is_open else "▸ "
        room = width - 2 * node.depth - 3 - sum(len(text) for text, _ in tail)
        name = fit(self._model.label(branch), room)
        return (("  " * node.depth + arrow, "dim"), (name, "strong"), *tail, (" ", ""))

    def _run_line(self, run: StoredRun, depth: int, width: int) -> Line:
        now = time.time()
        metric = main_metric(run)
        value = f"{metric} {last_value(metric_value(run, metric))}" if metric and width >= WIDE else ""
        value_width = VALUE_WIDTH if width >= WIDE else 0
        spark_width = 2 * SPARK_WIDTH if width >= WIDE else SPARK_WIDTH if width >= 30 else 0
        sketch = run.sketches.get(metric) if metric else None
        spark = blocks(sketch.values(spark_width)) if sketch is not None else ""
        sign, style = self._model.sign_of(run.key)
        room = width - 2 * depth - 4 - value_width - (spark_width + 1 if spark_width else 0) - AGE_WIDTH - 1
        origin = f" {ORIGINS.get(run.origin, '')}" if run.is_read_only and room > NAMED else ""
        return (
            ("  " * depth, ""),
            (sign, style),
            (GLYPHS[run.state] + " ", run.state),
            (fit(run.label, room - len(origin)), "strong" if run.key in self._model.marked else ""),
            (origin, "dim"),
            (right(value, value_width), "dim"),
            (" " + spark.ljust(spark_width) if spark_width else "", "spark"),
            (age(run, now).rjust(AGE_WIDTH), "dim"),
            ("!" if is_troubled(run, now) else " ", "error"),
        )

    def update_tree(self) -> None:
        """Take the model's runs anew and keep the cursor on what it was on, at its height on the screen."""
        rows = self._model.tree()
        if rows is self._rows:
            self.update_lines()
            return
        place, before = self.place, self.cursor or 0
        self._rows = rows
        self._places = {node.place: index for index, node in enumerate(self._rows)}
        at = self._places.get(place) if place is not None else None
        if at is None:
            at = min(before, max(0, len(self._rows) - 1))
        self.keep_cursor(at)

    def go_to(self, place: Place) -> None:
        """Put the cursor on a run or branch, opening what hides it."""
        run = None if isinstance(place, Branch) else self._model.runs.get(place)
        if place not in self._places and run is not None:
            for branch in around(run):
                self._model.close(branch, False)
            self.update_tree()
        if place in self._places:
            self.move_to(self._places[place])

    def project_of(self, place: Place) -> Branch | None:
        """The project or entity that a place is in, itself if it is one."""
        if isinstance(place, Branch):
            return place._replace(group="")
        index = self._places.get(place, 0)
        depth = self._rows[index].depth
        above = (node.place for node in reversed(self._rows[:index]) if node.depth < depth)
        branch = next((found for found in above if isinstance(found, Branch)), None)
        return branch._replace(group="") if branch is not None else None

    def action_close(self) -> None:
        """Close the branch; on a run, or a closed branch, go to the branch around it."""
        place = self.place
        if isinstance(place, Branch) and not self._model.is_closed(place):
            self._model.close(place)
            self.update_tree()
            return
        for index in range((self.cursor or 0) - 1, -1, -1):
            if self._rows[index].depth < self._rows[self.cursor or 0].depth:
                self.move_to(index)
                return

    def line_clicked(self, index: int, x: int, is_again: bool) -> None:
        """On the arrow of a branch, close or open it."""
        node = self._rows[index]
        if isinstance(node.place, Branch) and 2 * node.depth <= x < 2 * node.depth + 2:
            self._model.close(node.place, node.is_open)
            self.update_tree()
        else:
            super().line_clicked(index, x, is_again)

    def action_open(self) -> None:
        place = self.place
        if isinstance(place, Branch) and self._model.is_closed(place):
            self._model.close(place, False)
            self.update_tree()
        elif isinstance(place, Branch):
            self.action_move(1)
