"""The main screen: the tree of runs, what is looked at, and what it is."""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
from contextlib import suppress
from typing import Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Offset
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Static

from tracker.catalog import Key, StoredRun
from tracker.records import clean
from tracker_tui import hosts
from tracker_tui.look import GLYPHS, colour, with_tilde
from tracker_tui.model import Batch, Branch, Change, Model, Place
from tracker_tui.screens.rename import RenameScreen
from tracker_tui.widgets.charts import ChartGrid
from tracker_tui.widgets.lines import Lines
from tracker_tui.widgets.overview import Overview
from tracker_tui.widgets.run_tree import RunTree
from tracker_tui.widgets.runs_table import RunsTable

MIN_GAP = 0.2
"""Seconds from a look that changed the screen to the next, at least; what comes after a quiet while shows at once."""
POLL = 0.25
IDLE_POLL = 1.0
"""Seconds until the next look without an event: while runs are running, and while none is."""
TICK = 2.0
"""Seconds between two looks at the clock, for ages and durations."""
FIRST_LOOK = 0.05
LOOK = 0.25
"""Seconds that a look may take: the first one, before anything is painted; each later one, in a thread."""
NARROW = 120
"""Columns below which one pane is shown at a time."""

Pane = Literal["tree", "centre", "overview"]
PANES: dict[Pane, str] = {"tree": "Runs", "centre": "Charts", "overview": "Overview"}


class Empty(Static, can_focus=True):
    """What the centre says when there is nothing to draw; takes keys like any pane."""


class Dashboard(Screen[object]):
    """Follows the files and keeps every pane true to them."""

    BINDINGS = [
        Binding("r", "rename", "Rename", id="run.rename", tooltip="Rename the run under the cursor"),
        Binding("1", "pane('tree')", "Runs", id="pane.tree", tooltip="Show or hide the tree of runs"),
        Binding("2", "pane('centre')", "Charts", id="pane.charts", tooltip="Show or hide the charts or the table"),
        Binding("3", "pane('overview')", "Overview", id="pane.overview", tooltip="Show or hide the overview"),
        Binding("tab", "next_pane(1)", "Next pane", id="pane.next", tooltip="To the next pane"),
        Binding(
            "shift+tab", "next_pane(-1)", "Last pane", id="pane.previous", tooltip="To the pane before", show=False
        ),
        Binding("escape", "back", "Back", id="pane.back", tooltip="Back to the tree", show=False),
        Binding("question_mark", "help", "Help", id="app.help", tooltip="All keys", key_display="?"),
        Binding("ctrl+p", "app.command_palette", "Palette", id="app.palette", tooltip="Commands, themes", show=False),
        Binding("q", "app.quit", "Quit", id="app.quit", tooltip="Leave; the jobs go on"),
    ]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self._wake = asyncio.Event()
        self._is_chosen = False
        self._was_read = False
        self._title_shown = ""

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with Horizontal(id="panes"):
            tree = RunTree(self.model, id="tree")
            tree.border_title = "1 Runs"
            yield tree
            with Vertical(id="centre"), ContentSwitcher(initial="empty", id="switch"):
                yield ChartGrid(id="charts")
                yield RunsTable(id="table")
                yield Empty(id="empty")
            overview = Overview(id="overview")
            overview.border_title = "3 Overview"
            yield overview
        yield Static(id="status")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.tree_pane = self.query_one(RunTree)
        self.charts = self.query_one(ChartGrid)
        self.table = self.query_one(RunsTable)
        self.overview = self.query_one(Overview)
        self.centre = self.query_one("#centre", Vertical)
        self.add_class("show-centre")
        self.tree_pane.focus()
        self._take(self.model.collect(FIRST_LOOK))
        self._follow()
        self.call_after_refresh(self._listen)
        self.set_interval(TICK, self._tick)

    # ---- following the files ----

    @work(group="follow")
    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            changed = self._take(await asyncio.to_thread(self.model.collect, LOOK))
            if self.model.is_behind:
                continue
            if changed:
                await asyncio.sleep(MIN_GAP)
            is_live = any(run.state == "running" for run in self.model.runs.values())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL if is_live else IDLE_POLL)

    def _take(self, batch: Batch) -> bool:
        """Fold what was read and show what changed; whether anything did."""
        change = self.model.apply(batch)
        if change or not self._was_read:
            self._was_read = True
            self._update(change)
        return bool(change)

    @work(group="listen")
    async def _listen(self) -> None:
        await hosts.watch(self.model.root, lambda: frozenset(key.project for key in self.model.runs), self._wake)

    def _update(self, change: Change) -> None:
        """Show what changed."""
        if change.runs:
            self.tree_pane.update_tree()
            if not self._is_chosen and (key := self.model.first_choice()) is not None:
                self._is_chosen = not self.model.catalog.is_behind
                self.tree_pane.go_to(key)
                self._show_place()
                if self._is_narrow and self._pane_shown("centre"):
                    self.charts.focus()
                return
        self._show_place(history=change.history)

    def _tick(self) -> None:
        """Ages and durations go on by themselves."""
        self.tree_pane.update_lines()
        self.table.update_lines()
        self._show_overview()

    # ---- what is looked at ----

    def _show_place(self, history: bool = True) -> None:
        place = self.tree_pane.place
        switch = self.query_one(ContentSwitcher)
        self._show_overview()
        self._show_status()
        if place is None:
            switch.current = "empty"
            self._set_title("Charts")
            self.query_one("#empty", Static).update(self._how_to_begin())
        elif isinstance(place, Branch):
            self.model.look_at(None)
            switch.current = "table"
            self._set_title(self.model.label(place))
            self.table.show_runs(self.model.runs_of(place))
        else:
            self._show_charts(place, switch, history)

    def _show_charts(self, key: Key, switch: ContentSwitcher, history: bool) -> None:
        run = self.model.runs[key]
        is_new = self.model.look_at(key)
        if is_new:
            self._wake.set()
        self._set_title(run.label + (" · loading…" if self.model.is_behind else ""))
        loaded = self.model.history
        if loaded is not None:
            switch.current = "charts"
            if history or is_new:
                self.charts.show(loaded.columns, colour(run), run.summary, is_new)
        else:
            switch.current = "empty"
            text = "This run logged no numbers."
            if run.state in ("pending", "running"):
                text = "No rows yet."
            if self.model.is_behind:
                text = "Loading…"
            self.query_one("#empty", Static).update(Content(text))

    def _show_overview(self) -> None:
        place = self.tree_pane.place
        if place is None:
            self.overview.show_nothing()
        elif isinstance(place, Branch):
            runs = self.model.runs_of(place)
            self.overview.show_branch(self.model.label(place), runs, self.model.counts(runs))
        elif place in self.model.runs:
            self.overview.show_run(self.model.runs[place])

    def _show_status(self) -> None:
        counts = self.model.counts()
        total = sum(counts.values())
        parts = [f"{total} run{'s' * (total != 1)}"]
        parts += [f"{GLYPHS[state]} {counts[state]} {state}" for state in GLYPHS if state in counts]
        bad = sum(run.bad_lines for run in self.model.runs.values())
        if bad:
            parts.append(f"{bad} bad line{'s' * (bad != 1)} skipped")
        parts.append(f"{platform.node()}:{with_tilde(self.model.root)}")
        self._set("#status", "  ".join(parts))

    def _set_title(self, text: str) -> None:
        """Name the centre; a border repaints the whole pane, so only when the name is another."""
        if text != self._title_shown:
            self._title_shown = text
            self.centre.border_title = Content(f"2 {text}")

    def _set(self, selector: str, text: str) -> None:
        widget = self.query_one(selector, Static)
        if str(widget.content) != text:
            widget.update(Content(text))

    def _how_to_begin(self) -> Content:
        if not self._was_read:
            return Content("")
        root = with_tilde(self.model.root)
        if not os.path.isdir(self.model.root):
            first = f"There is no folder {root} yet."
        else:
            first = f"There are no runs in {root} yet."
        elsewhere = self.model.root != os.path.abspath("runs")
        where = f"Set TRACKER_DIR={shlex.quote(clean(self.model.root, 4096))} for the script.\n\n" if elsewhere else ""
        return Content(
            f"{first}\n\nA run appears here as soon as a script starts one:\n\n"
            "    import tracker\n\n"
            '    with tracker.init(project="my-project") as run:\n'
            "        for step in range(100):\n"
            '            run.log({"loss": 1 / (step + 1)})\n\n'
            f"{where}Or leave with q and try:  tracker-tui demo"
        )

    # ---- panes ----

    @property
    def _is_narrow(self) -> bool:
        return self.app.size.width < NARROW

    def _pane_shown(self, pane: Pane) -> bool:
        return self.has_class(f"show-{pane}") if self._is_narrow else not self.has_class(f"hide-{pane}")

    def _focus_pane(self, pane: Pane) -> None:
        """Show the pane, if it is not, and give it the keys."""
        if self._is_narrow:
            self.set_classes([*(c for c in self.classes if not c.startswith("show-")), f"show-{pane}"])
            self._show_bar()
        else:
            self.remove_class(f"hide-{pane}")
        current = self.query_one(ContentSwitcher).current
        centre = {"charts": self.charts, "table": self.table}.get(current or "", self.query_one("#empty"))
        {"tree": self.tree_pane, "centre": centre, "overview": self.overview}[pane].focus()
        self.call_after_refresh(self._show_place)

    def _focused_pane(self) -> Pane | None:
        for pane in PANES:
            if self._pane_shown(pane) and self.query_one(f"#{pane}").has_focus_within:
                return pane
        return next((pane for pane in PANES if self._pane_shown(pane)), None)

    def _show_bar(self) -> None:
        shown = [pane for pane in PANES if self._pane_shown(pane)]
        parts = [
            (f" {number} {title} ", "reverse bold" if pane in shown else "dim")
            for number, (pane, title) in enumerate(PANES.items(), 1)
        ]
        self.query_one("#bar", Static).update(Content.assemble(*parts))

    def on_resize(self) -> None:
        self._show_bar()
        self.call_after_refresh(self._after_resize)

    @on(Overview.Resized)
    def _overview_resized(self) -> None:
        self._show_overview()

    def _after_resize(self) -> None:
        if self.focused is None and (pane := self._focused_pane()) is not None:
            self._focus_pane(pane)

    def action_pane(self, pane: Pane) -> None:
        """Wide: show or hide the pane. Narrow: show it instead of the one that is shown."""
        if self._is_narrow or not self._pane_shown(pane):
            self._focus_pane(pane)
            return
        others = [p for p in PANES if p != pane and self._pane_shown(p)]
        if others:
            had_focus = self._focused_pane() == pane
            self.add_class(f"hide-{pane}")
            if had_focus:
                self._focus_pane(others[0])

    def action_next_pane(self, by: int) -> None:
        order = list(PANES) if self._is_narrow else [pane for pane in PANES if self._pane_shown(pane)]
        current = self._focused_pane()
        self._focus_pane(order[(order.index(current) + by) % len(order)] if current in order else order[0])

    def action_back(self) -> None:
        self._focus_pane("tree")

    def action_help(self) -> None:
        from tracker_tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen([*Lines.BINDINGS, *RunTree.BINDINGS, *self.BINDINGS]))

    @on(Lines.Moved, "#tree")
    def _tree_moved(self) -> None:
        self._show_place()

    def on_key(self) -> None:
        """Whoever has pressed a key chooses the run themselves."""
        self._is_chosen = bool(self.model.runs)

    @on(Lines.Chosen, "#tree")
    def _tree_chosen(self) -> None:
        self._focus_pane("centre")

    @on(Lines.Chosen, "#table")
    def _table_chosen(self) -> None:
        if self.table.key is not None:
            self.tree_pane.go_to(self.table.key)
            self._focus_pane("centre")

    # ---- edits ----

    def _run_under_cursor(self) -> StoredRun | None:
        place: Place | None = self.table.key if self.table.has_focus else self.tree_pane.place
        return None if place is None or isinstance(place, Branch) else self.model.runs.get(place)

    @work(exclusive=True, group="rename")
    async def action_rename(self) -> None:
        run = self._run_under_cursor()
        if run is None:
            self.notify("Put the cursor on a run to rename it.")
            return
        lines: Lines = self.table if self.table.has_focus else self.tree_pane
        at = Offset(3, 2)
        if lines.display and lines.region.width:
            at = lines.content_region.offset + Offset(2 if lines is self.table else 4, lines.cursor_row())
        name = await self.app.push_screen_wait(RenameScreen(run.label, at))
        if name is None:
            return
        trouble = self.model.catalog.edit(run, name=name)
        if trouble:
            self.notify(f"Not renamed: {trouble}", severity="error", markup=False)
        self.tree_pane.update_tree()
        self._show_place()
