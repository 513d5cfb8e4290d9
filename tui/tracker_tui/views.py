"""How a chart is looked at: smoothing, axes, window. What is chosen for a metric is remembered for the next time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

STEP: Final = "_step"
RELATIVE: Final = "_runtime"
WALL: Final = "_timestamp"
"""Names of x axes beside those of metrics; W&B's."""
X_NAMES: Final = {STEP: "step", RELATIVE: "relative time", WALL: "wall time"}
WEIGHTS: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Steps of smoothing: weight of what came before."""
MAX_REMEMBERED: Final = 2000
"""Metrics whose settings are kept; the longest unchanged go first."""


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
    """The view of every metric, and which sections are folded; what is not as usual is kept in a file, but for windows.

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

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_bytes()) if self._path is not None else {}
        except (OSError, ValueError, RecursionError):
            found = {}
        parts = {part: found.get(part) if isinstance(found, dict) else None for part in ("charts", "folded")}
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
