"""How charts and tables are looked at, and what is closed: what is chosen is remembered for the next time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tracker_tui.table import NEWEST, TableView
from tracker_tui.tree import Branch

STEP: Final = "_step"
RELATIVE: Final = "_runtime"
WALL: Final = "_timestamp"
"""Names of x axes beside those of metrics; W&B's."""
X_NAMES: Final = {STEP: "step", RELATIVE: "relative time", WALL: "wall time"}
WEIGHTS: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Steps of smoothing: weight of what came before."""
MAX_REMEMBERED: Final = 2000
"""Metrics, sections, projects and branches that are remembered; the longest unchanged go first."""
PARTS: Final = ("charts", "folded", "tables", "closed", "looked")
"""The parts of the file, each a mapping of names."""


class Window(NamedTuple):
    """A part of the x axis."""

    low: float
    high: float
    follows: bool = False
    """Whether it stays at the end of the data as that grows."""


class View(NamedTuple):
    """How one metric is drawn."""

    smoothing: float = 0.0
    """Weight of the debiased exponential moving average, 0 for none."""
    log: bool = False
    x: str = ""
    """`_step`, `_runtime`, `_timestamp` or a metric; empty for what `define_metric` says, else the step."""
    clip: bool = False
    """Whether the y axis leaves out outliers."""
    window: Window | None = None
    """What the x axis shows; None for all."""

    def smoother(self, by: int) -> View:
        """One step more or less of smoothing."""
        at = min(range(len(WEIGHTS)), key=lambda i: abs(WEIGHTS[i] - self.smoothing))
        return self._replace(smoothing=WEIGHTS[max(0, min(len(WEIGHTS) - 1, at + by))])


class Views:
    """The view of every metric and of every project's table, which sections are folded and which branches closed.

    What is not as usual is kept in a file, but for windows.

    A file that cannot be read or written costs the memory, nothing else.

    Args:
        path: the file; None to remember nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._views: dict[str, View] = {}
        kept = self._read()
        for metric, view in kept["charts"].items():
            self._views[metric] = _load(view)
        self.folded: set[str] = {name for name, is_folded in kept["folded"].items() if is_folded is True}
        """Sections whose charts are not shown."""
        self._tables = {project: _load_table(view) for project, view in kept["tables"].items()}
        self._closed = {name for name, is_closed in kept["closed"].items() if is_closed is True}
        self._looked = {root: time for root, time in kept["looked"].items() if isinstance(time, float)}

    def of(self, metric: str) -> View:
        """How to draw a metric."""
        return self._views.get(metric, View())

    def change(self, views: Mapping[str, View]) -> None:
        """Draw these metrics so from now on."""
        to_keep = {name: view for name, view in views.items() if _kept(view) != _kept(self.of(name))}
        self._views |= views
        self._keep("charts", {name: _kept(view) for name, view in to_keep.items()})

    def fold(self, section: str) -> None:
        """Show a section's charts no longer, or again."""
        self.folded ^= {section}
        self._keep("folded", {section: section in self.folded})

    def table_of(self, project: str) -> TableView:
        """How to show the runs of a project."""
        return self._tables.get(project, TableView())

    def change_table(self, project: str, view: TableView) -> None:
        """Show the runs of a project so from now on."""
        self._tables[project] = view
        self._keep("tables", {project: None if view == TableView() else view._asdict()})

    def is_closed(self, root: str, branch: Branch) -> bool:
        """Whether a branch of the tree of a folder shows nothing of what is in it."""
        return _branch_name(root, branch) in self._closed

    def close(self, root: str, branch: Branch, is_closed: bool) -> None:
        """Close a branch, or open it."""
        name = _branch_name(root, branch)
        if (name in self._closed) != is_closed:
            self._closed ^= {name}
            self._keep("closed", {name: is_closed})

    def looked(self, roots: Iterable[str], now: float) -> float:
        """When somebody looked last at what happened in these folders; now, where nobody ever did."""
        return min((self._looked.get(root, now) for root in roots), default=now)

    def look(self, roots: Iterable[str], now: float) -> None:
        """Somebody looks at what happened in these folders."""
        self._looked |= dict.fromkeys(roots, now)
        self._keep("looked", dict.fromkeys(roots, now))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_bytes()) if self._path is not None else {}
        except (OSError, ValueError, RecursionError):
            found = {}
        parts = {part: found.get(part) if isinstance(found, dict) else None for part in PARTS}
        return {part: kept if isinstance(kept, dict) else {} for part, kept in parts.items()}

    def _keep(self, part: str, changes: Mapping[str, Any]) -> None:
        """Write what is not as usual, beside what another dashboard may have written."""
        if self._path is None or not changes:
            return
        kept = self._read()
        for name, value in changes.items():
            kept[part].pop(name, None)
            if value:
                kept[part][name] = value
        kept[part] = dict(list(kept[part].items())[-MAX_REMEMBERED:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            beside.write_text(json.dumps(kept, indent=1))
            beside.replace(self._path)
        except OSError:
            return


def state_file() -> Path:
    """Where the dashboard remembers what it was told, of this user on this machine."""
    import platformdirs

    return Path(platformdirs.user_state_dir("tracker-tui")) / "charts.json"


def _branch_name(root: str, branch: Branch) -> str:
    return json.dumps([root, branch.project, branch.group, branch.entity])


def _kept(view: View) -> dict[str, Any]:
    """What of a view outlives the dashboard: all that is not usual, but for the window."""
    usual = View()._asdict()
    return {name: value for name, value in view._asdict().items() if name != "window" and value != usual[name]}


def _load(kept: Any) -> View:
    if not isinstance(kept, dict):
        return View()
    smoothing, x = kept.get("smoothing"), kept.get("x")
    return View(
        smoothing if isinstance(smoothing, float) and 0 < smoothing <= WEIGHTS[-1] else 0.0,
        kept.get("log") is True,
        x if isinstance(x, str) else "",
        kept.get("clip") is True,
    )


def _load_table(kept: Any) -> TableView:
    if not isinstance(kept, dict):
        return TableView()
    sort = kept.get("sort")
    return TableView(
        _names(kept.get("columns")),
        sort if isinstance(sort, str) and sort else NEWEST,
        kept.get("is_reversed") is True,
        _names(kept.get("group_by")),
    )


def _names(kept: Any) -> tuple[str, ...]:
    return tuple(name for name in kept if isinstance(name, str)) if isinstance(kept, list) else ()
