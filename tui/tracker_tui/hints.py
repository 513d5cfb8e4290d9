"""Which of all keys matter here and now."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

ALWAYS: Final = ("view.query", "app.help", "app.quit")
"""The ids of the bindings that are told wherever no text is typed."""

Here = Literal["tree", "table", "charts", "media", "overview", "console", "query", "words", "empty"]
"""What has the keys."""


class Situation(NamedTuple):
    """Where one is, as far as it matters for keys."""

    pane: Here
    is_run: bool = False
    """Whether the cursor is on a run, not on what holds several."""
    is_running: bool = False
    """Whether the job of that run goes on."""
    can_compare: bool = False
    """Whether several runs are marked, or drawn."""
    can_go_back: bool = False
    """Whether something is narrowed down, opened or put over the rest that `esc` takes away."""
    can_undo: bool = False
    is_inspecting: bool = False
    """Whether there is a crosshair."""
    has_words: bool = False
    """Whether words were looked for in the console."""
    is_read_only: bool = False
    """Whether the run is another tool's."""


def hints(now: Situation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids of the bindings to tell, the most needed first; and of those that always have room."""
    if now.pane == "query":
        return ("query.keep", "query.complete", "query.leave"), ()
    if now.pane == "words":
        return ("query.keep", "pane.back"), ()
    if now.is_inspecting:
        return ("pane.back", "charts.left", "charts.right", "charts.zoom-in", "charts.best"), ALWAYS
    back = ["pane.back"] if now.can_go_back else []
    undo = ["edit.undo"] if now.can_undo else []
    here = HERE.get(now.pane, ())
    if now.pane in ("tree", "table"):
        compare = ["run.compare"] if now.can_compare else []
        stop = ["edit.stop"] if now.is_running and not now.is_read_only else []
        here = ("lines.open", "run.mark", *compare, *stop, *(OF_RUN if now.is_run else OF_MANY))
    elif now.pane == "console" and now.has_words:
        here = ("console.next", *here)
    if now.is_read_only:
        here = tuple(name for name in here if not name.startswith("edit.") or name == "edit.copy")
    return tuple(dict.fromkeys((*back, *undo, *here, *ANYWHERE))), ALWAYS


OF_RUN: Final = ("edit.rename", "edit.tags", "run.files", "table.sort", "edit.archive")
OF_MANY: Final = ("table.sort", "table.group", "table.columns")
ANYWHERE: Final = ("pane.console", "view.events", "app.palette")
HERE: Final[dict[Here, tuple[str, ...]]] = {
    "charts": (
        *("charts.open", "charts.inspect", "charts.smooth", "charts.log", "charts.x", "charts.zoom-in"),
        *("charts.filter", "charts.best", "charts.export"),
    ),
    "media": ("media.left", "media.right", "media.alone", "media.last", "edit.copy", "media.open", "charts.filter"),
    "console": (
        *("console.find", "console.follow", "console.times", "console.select", "console.copy", "console.alone"),
    ),
    "overview": ("charts.filter", "edit.copy", "overview.close", "overview.open", "edit.rename"),
}
