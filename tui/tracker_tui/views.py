"""How a folder is looked at: what is chosen of charts, tables and panes is remembered for the next time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
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
PARTS: Final = ("charts", "folded", "tables", "closed", "looked", "panes", "shown")
"""The parts of the file, each a mapping of names."""
MAX_FOLDERS: Final = 300
"""Folders that are remembered; those that were not looked at for the longest time go first."""


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
    """The view of every metric and of every project's table, what is folded, closed, shown and looked at.

    What is not as usual is kept in a file, but for windows. Each folder has its own, for what is called `loss` in one
    has little to do with what is in another.

    A file that cannot be read or written costs the memory, nothing else.

    Args:
        path: the file; None to remember nothing.
        smoothing: the weight of charts whose own was not chosen.
        columns: those of tables whose own were not chosen; empty for what fits.
    """

    def __init__(self, path: Path | None, smoothing: float = 0.0, columns: tuple[str, ...] = ()) -> None:
        self._path = path
        self._usual = View(smoothing)
        self._usual_table = TableView(columns)
        self._views: dict[str, View] = {}
        kept = self._read()
        for metric, view in kept["charts"].items():
            self._views[metric] = self._load(view)
        self.folded: set[str] = {name for name, is_folded in kept["folded"].items() if is_folded is True}
        """Sections whose charts are not shown."""
        self._tables = {project: _load_table(view) for project, view in kept["tables"].items()}
        self._closed = {name for name, is_closed in kept["closed"].items() if is_closed is True}
        self.panes: dict[str, Any] = kept["panes"]
        """Which are hidden, how large they are."""
        self.shown: dict[str, Any] = kept["shown"]
        """What the query was, which runs were marked, where the cursor was."""
        self._looked = {root: time for root, time in kept["looked"].items() if isinstance(time, float)}

    @property
    def is_kept(self) -> bool:
        """Whether anything is remembered for the next time."""
        return self._path is not None

    def of(self, metric: str) -> View:
        """How to draw a metric."""
        return self._views.get(metric, self._usual)

    def change(self, views: Mapping[str, View]) -> None:
        """Draw these metrics so from now on."""
        to_keep = {name: view for name, view in views.items() if self._kept(view) != self._kept(self.of(name))}
        self._views |= views
        self._keep("charts", {name: self._kept(view) for name, view in to_keep.items()})

    def fold(self, section: str) -> None:
        """Show a section's charts no longer, or again."""
        self.folded ^= {section}
        self._keep("folded", {section: section in self.folded})

    def table_of(self, project: str) -> TableView:
        """How to show the runs of a project."""
        view = self._tables.get(project, self._usual_table)
        return view if view.columns else view._replace(columns=self._usual_table.columns)

    def change_table(self, project: str, view: TableView) -> None:
        """Show the runs of a project so from now on."""
        if view.columns == self._usual_table.columns:
            view = view._replace(columns=())  # not chosen
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

    def change_panes(self, panes: Mapping[str, Any]) -> None:
        """Let the panes stand so from now on."""
        if panes != self.panes:
            gone: dict[str, Any] = dict.fromkeys(self.panes.keys() - panes.keys())
            self.panes = dict(panes)
            self._keep("panes", gone | self.panes)

    def leave(self, shown: Mapping[str, Any]) -> None:
        """Remember what is shown; what is empty is as usual."""
        self._keep("shown", shown)

    def _kept(self, view: View) -> dict[str, Any]:
        """What of a view outlives the dashboard: all that is not usual, but for the window."""
        usual = self._usual._asdict()
        return {name: value for name, value in view._asdict().items() if name != "window" and value != usual[name]}

    def _load(self, kept: Any) -> View:
        if not isinstance(kept, dict):
            return self._usual
        smoothing, x = kept.get("smoothing"), kept.get("x")
        return View(
            smoothing if isinstance(smoothing, float) and 0 <= smoothing <= WEIGHTS[-1] else self._usual.smoothing,
            kept.get("log") is True,
            x if isinstance(x, str) else "",
            kept.get("clip") is True,
        )

    def _read(self) -> dict[str, dict[str, Any]]:
        found = _read(self._path)
        parts = {part: found.get(part) for part in PARTS}
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
            if not self._path.exists():
                self._make_room()
            _write(self._path, kept)
        except OSError:
            return

    def _make_room(self) -> None:
        """For one more folder."""
        assert self._path is not None
        found = sorted(self._path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in found[: max(0, len(found) - MAX_FOLDERS + 1)]:
            file.unlink(missing_ok=True)


class Looks:
    """The theme that was chosen and whether the last terminal was dark, kept in a file of its own for all folders.

    Args:
        path: the file; None to remember nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        kept = _read(path)
        theme = kept.get("theme")
        self.theme: str = theme if isinstance(theme, str) else ""
        """Its name; empty for the one that suits the terminal."""
        self.is_dark: bool = kept.get("is_dark") is not False

    def change(self, theme: str | None = None, is_dark: bool | None = None) -> None:
        """Remember what is given."""
        before = self.theme, self.is_dark
        self.theme = self.theme if theme is None else theme
        self.is_dark = self.is_dark if is_dark is None else is_dark
        if self._path is None or before == (self.theme, self.is_dark):
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _write(self._path, {"theme": self.theme, "is_dark": self.is_dark})


def _read(path: Path | None) -> dict[str, Any]:
    """What a file keeps; nothing where it cannot be read, or holds something else."""
    try:
        found = json.loads(path.read_bytes()) if path is not None else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, kept: Mapping[str, Any]) -> None:
    """Take the place of a file at once, whoever reads it meanwhile."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(kept, indent=1))
    beside.replace(path)


def state_file(roots: Iterable[str]) -> Path:
    """Where it is remembered how these folders are looked at, of this user on this machine."""
    import platformdirs

    names = json.dumps(list(roots))
    return (
        Path(platformdirs.user_state_dir("tracker-tui")) / "folders" / f"{sha256(names.encode()).hexdigest()[:16]}.json"
    )


def looks_file() -> Path:
    """Where this user's theme is remembered."""
    import platformdirs

    return Path(platformdirs.user_state_dir("tracker-tui")) / "looks.json"


def _branch_name(root: str, branch: Branch) -> str:
    return json.dumps([root, branch.project, branch.group, branch.entity])


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
