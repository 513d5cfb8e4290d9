"""Runs whose jobs meet their end or trouble, one job after the other: what of them must be there."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import victim

import tracker
from support import StartScript, tell, wait_line
from tracker.journal import decode_lines


def victims(start: StartScript) -> subprocess.Popen[str]:
    """Start what forks jobs."""
    source = f"import sys\nsys.path.insert(0, {str(Path(victim.__file__).parent)!r})\nimport victim\nvictim.main()\n"
    return start(source, env={"TRACKER_QUIET": "1", "TRACKER_DISABLE_GIT": "1"})


def live(process: subprocess.Popen[str], order: dict[str, Any]) -> None:
    """Have a job done."""
    tell(process, json.dumps(order))


def told_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What of the job had returned when it was over."""
    told: dict[str, Any] = json.loads(wait_line(process))
    return told


@dataclass
class Life:
    """A run that is killed and resumed, and killed again."""

    root: Path
    orders: list[dict[str, Any]] = field(default_factory=list)
    boards: list[list[int]] = field(default_factory=list)
    next_step: int = 0
    rows: int = 0

    def order(self, **fault: Any) -> dict[str, Any]:
        """The next job of the run."""
        has_begun = any(board[victim.BEGAN] for board in self.boards)
        born = len(self.orders)
        order = {
            "root": str(self.root), "output": f"{self.root}.output", "id": "a", "born": born,
            "resume": "must" if has_begun else "allow", "console": "wrap",
            "rows": 1000, "edits": 20, "lines": 20, "exits": False, **fault,
        }  # fmt: skip
        self.orders.append(order)
        return order

    def check(self, told: dict[str, Any]) -> None:
        """Everything that had returned is there, of this job and of all before."""
        board = told["board"]
        self.boards.append(board)
        assert told["status"] in (0, signal.SIGKILL), Path(f"{self.root}.output").read_text()
        runs = {run.id: run for run in tracker.Api(self.root).runs("p")}
        if not any(board[victim.BEGAN] for board in self.boards):
            return
        run = runs["a"]
        if board[victim.BEGAN]:
            assert board[victim.STEP] == self.next_step
        self.check_state(run, board)
        rows = kept(run) | (kept(runs["a-other"]) if "a-other" in runs else {})
        self.rows = sum(map(len, rows.values()))
        self.check_media([run, *(runs[name] for name in ("a-other",) if name in runs)])
        for born, life in enumerate(self.boards):
            for number, count in enumerate(life[victim.ROWS :]):
                values = rows.get(f"{born}.{number}", [])
                assert values[:count] == list(range(count)), "a row is lost"
                assert len(values) <= count + 1
            self.check_edits(run, born, life[victim.EDITS])
        self.check_prints(told)
        self.next_step = 0 if run.step is None else run.step + 1
        assert run.bad_lines <= len(self.boards)

    def check_media(self, runs: list[Any]) -> None:
        """What a row refers to is there and whole; only a job in trouble may have had to leave it out."""
        for row in (row for run in runs for row in run.scan_history() if "page" in row):
            if "path" in row["page"]:
                key, number = next((key, value) for key, value in row.items() if key[0].isdigit())
                (found,) = {path.read_text() for path in self.root.glob(f"p/*/{row['page']['path']}")}
                assert found == f"{key} {number}"
            else:
                assert any("trouble" in order for order in self.orders), row

    def check_state(self, run: Any, board: list[int]) -> None:
        """At once, on the same machine."""
        if board[victim.FINISHED]:
            assert run.state == "finished"
        elif board[victim.BEGAN]:
            is_ending = min(board[victim.ROWS :]) == self.orders[-1]["rows"]
            assert run.state == "crashed" or (is_ending and run.state == "finished")

    def check_edits(self, run: Any, born: int, count: int) -> None:
        """Name, summary, config, definitions and alerts."""
        if self.boards[born][victim.BEGAN]:
            assert run.config[f"born {born}"] == born
        if not count:
            return
        for number in range(min(count, 50)):
            assert f"config {born} {number}" in run.config
        if not any(later[victim.BEGAN] for later in self.boards[born + 1 :]):
            assert run.name in (f"name {born} {count - 1}", f"name {born} {count}")
            assert run.summary["best"] in ([born, count - 1], [born, count])
            assert run._stored.metrics.of(f"metric {born} {(count - 1) % 50}") is not None
            assert f"alert {born} {count - 1}" in [alert["title"] for alert in run._stored.alerts[-2:]]

    def check_prints(self, told: dict[str, Any]) -> None:
        """What was printed after a quiet while, and all that is older than a moment."""
        born = len(self.boards) - 1
        count = told["printed_before"]
        if self.orders[born]["console"] == "wrap":
            count = max(count, min(1, told["board"][victim.PRINTED]))
        assert {f"line {born} {number}" for number in range(count)} <= texts(self.root)


def kept(run: Any) -> dict[str, list[int]]:
    """The rows of each job and thread, in order."""
    found = defaultdict(list)
    for row in run.scan_history():
        for key, value in row.items():
            if key[0].isdigit():
                found[key].append(value)
    return found


def texts(root: Path) -> set[str]:
    """The lines that were printed."""
    records = [record for path in root.glob("*/*/console.jsonl") for record in decode_lines(path.read_bytes())[0]]
    return {record.get("text", "") for record in records}
