"""What a run prints when it starts and when it ends, and how values look in text."""

from __future__ import annotations

import os
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tracker.records import clean
from tracker.references import brief, is_medium
from tracker.replay import RunState, State
from tracker.settings import is_set
from tracker.sparkline import Sketch

ROWS: Final = 10
"""Metrics listed at the end; the rest is counted."""
MAX_STRING: Final = 20


def say(lines: Iterable[str]) -> None:
    """Print lines on stderr, each behind `tracker: `, unless `TRACKER_SILENT` is set. A broken stderr is no error."""
    if is_set("SILENT") or sys.stderr is None:
        return
    try:
        sys.stderr.write("".join(f"tracker: {line}".rstrip() + "\n" for line in lines))
        sys.stderr.flush()
    except Exception:  # a stream of somebody's may raise anything, as where a handler of a signal prints
        return


def start_lines(name: str, path: str, root: str) -> list[str]:
    """Who the run is, where it is kept and how to watch it; nothing where `TRACKER_QUIET` is set."""
    if is_set("QUIET"):
        return []
    return [
        f"Run {clean(name)} started: {short_path(path)}",
        f"Watch it with: tracker-tui {clean(shlex.quote(root), 4096)}",
    ]


def end_lines(state: RunState, verdict: State, path: str, lost: int = 0) -> list[str]:
    """The history and summary of the metrics in short, and where the run is kept; this alone with `TRACKER_QUIET`."""
    metrics = {} if is_set("QUIET") else state.summary
    shown = {k: v for k, v in metrics.items() if not (k.startswith("_") or isinstance(v, dict) or is_medium(v))}
    history = {key: state.sketches[key].line() for key in sorted(shown) if _has_values(state.sketches.get(key))}
    lines = _table("Run history:", history) if history else []
    if shown:
        lines += _table("Run summary:", {key: format_value(shown[key], MAX_STRING) for key in sorted(shown)})
    if lost:
        lines.append(f"{lost} records could not be written to the disk.")
    return [*lines, f"Run {clean(state.name)} {verdict}. Find logs at: {short_path(path)}"]


def _has_values(sketch: Sketch | None) -> bool:
    return sketch is not None and bool(sketch.line().strip())


def _table(title: str, rows: Mapping[str, str]) -> list[str]:
    shown = list(rows.items())[:ROWS]
    width = max(cells(key) for key, _ in shown)
    lines = [title, *(f" {' ' * (width - cells(key))}{key} {value}" for key, value in shown)]
    if len(rows) > ROWS:
        lines.append(f" +{len(rows) - ROWS} ...")
    return [*lines, ""]


def cells(text: str) -> int:
    """The columns of a terminal that a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def format_value(value: Any, limit: int = 60) -> str:
    """A value in few characters: floats to 5 decimals or significant figures, text on one line and cut to `limit`."""
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, str):
        return clean(value, limit)
    if is_medium(value):
        return brief(value)
    if isinstance(value, (list, dict)):
        return clean(repr(value), limit)
    return clean(value, max(limit, 20))


def format_number(value: float) -> str:
    """A float for reading: 0.98, 0.0312, 1.2e-07, 7099, NaN."""
    if value - value != 0.0:
        return "NaN" if value != value else "∞" if value > 0 else "-∞"
    if value == 0 or 1e-3 <= abs(value) < 1e15:
        return f"{value:.5f}".rstrip("0").rstrip(".")
    return f"{value:.5g}"


def short_path(path: str) -> str:
    """The path as one would read it: relative when it is below the working folder, nothing unprintable."""
    if not os.path.isabs(path):  # on another machine
        return clean(path, 4096)
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return clean(path, 4096)
    return clean(path if relative.startswith("..") else relative, 4096)
