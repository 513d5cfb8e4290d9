"""The main screen: the tree of runs, what is looked at, and what it is."""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
from contextlib import suppress
from time import monotonic
from typing import Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Offset
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Footer, Input, Static

from tracker.catalog import StoredRun
from tracker.records import clean
from tracker_tui import hosts
from tracker_tui.look import GLYPHS, with_tilde
from tracker_tui.model import Batch, Branch, Change, Model, Place
from tracker_tui.painting import CellCompositor
from tracker_tui.views import X_NAMES, Views
from tracker_tui.widgets.charts import Charts
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
CALM = 1.0
"""Seconds between two updates of the overview while rows come in; the charts' titles follow at once."""
FIRST_LOOK = 0.05
LOOK = 0.25
"""Seconds that a look may take: the first one, before anything is painted; each later one, in a thread."""
NARROW = 120
"""Columns below which one pane is shown at a time."""
TABLE_SHARE = 3
"""The table of a branch gets at most one of so many parts of the centre, the charts the rest."""

Pane = Literal["tree", "centre", "overview"]
PANES: dict[Pane, str] = {"tree": "Runs", "centre": "Charts", "overview": "Overview"}


class Empty(Static, can_focus=True):
    """What the centre says when there is nothing to draw; takes keys like any pane."""


class Dashboard(Screen[object]):
    """Follows the files and keeps every pane true to them."""

    BINDINGS = [
        Binding("space", "mark", "Mark", id="run.mark", tooltip="Keep the run in the charts, or no longer"),
        Binding("p", "pin", "Pin", id="run.pin", tooltip="Draw the run over all others, or no longer", show=False),
        Binding("r", "rename", "Rename", id="run.rename", tooltip="Rename the run under the cursor"),
        Binding("f", "filter", "Filter", id="charts.filter", tooltip="Show only metrics whose names contain words"),
        Binding(
            "e", "export", "Export", id="charts.export", tooltip="Write the chart or its data to a file", show=False
        ),
        Binding("1", "pane('tree')", "Runs", id="pane.tree", tooltip="Show or hide the tree of runs", show=False),
        Binding(
            "2",
            "pane('centre')",
            "Charts",
            id="pane.charts",
            tooltip="Show or hide the charts or the table",
            show=False,
        ),
        Binding(
            "3", "pane('overview')", "Overview", id="pane.overview", tooltip="Show or hide the overview", show=False
        ),
        Binding("tab", "next_pane(1)", "Pane", id="pane.next", tooltip="To the next pane"),
        Binding(
            "shift+tab", "next_pane(-1)", "Last pane", id="pane.previous", tooltip="To the pane before", show=False
        ),
        Binding("escape", "back", "Back", id="pane.back", tooltip="Back to the tree", show=False),
        Binding("question_mark", "help", "Help", id="app.help", tooltip="All keys", key_display="?"),
        Binding("ctrl+p", "app.command_palette", "Palette", id="app.palette", tooltip="Commands, themes", show=False),
        Binding("q", "app.quit", "Quit", id="app.quit", tooltip="Leave; the jobs go on"),
    ]

    def __init__(self, model: Model, views: Views) -> None:
        super().__init__()
        self._compositor = CellCompositor()
        self.model = model
        self._views = views
        self._wake = asyncio.Event()
        self._is_chosen = False
        self._was_read = False
        self._title_shown = ""
        self._was_loading = False
        self._overview_at = 0.0
        self._overview_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with Horizontal(id="panes"):
            tree = RunTree(self.model, id="tree")
            tree.border_title = "1 Runs"
            yield tree
            with Vertical(id="centre"):
                yield RunsTable(self.model, id="table")
                yield Input(placeholder="words in names of metrics", id="filter")
                yield Charts(self._views, id="charts")
                yield Empty(id="empty")
            overview = Overview(id="overview")
            overview.border_title = "3 Overview"
            yield overview
        yield Static(id="status")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.tree_pane = self.query_one(RunTree)
        self.charts = self.query_one(Charts)
        self.table = self.query_one(RunsTable)
        self.overview = self.query_one(Overview)
        self.centre = self.query_one("#centre", Vertical)
        self.filter_field = self.query_one("#filter", Input)
        self.filter_field.cursor_blink = False
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
            was_behind = self.model.is_behind
            changed = self._take(await asyncio.to_thread(self.model.collect, LOOK))
            if self.model.is_behind:
                continue
            if was_behind and not changed:  # nothing more had to be loaded
                self._show_place(history=False)
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
        drawn = {subject.run.key for subject in self.charts.subjects}
        self._show_place(history=change.history or not drawn.isdisjoint(change.runs.changed))

    def _tick(self) -> None:
        """Ages and durations go on by themselves."""
        self.tree_pane.update_lines()
        self.table.update_lines()
        self._show_overview()

    # ---- what is looked at ----

    def _show_place(self, history: bool = True) -> None:
        place = self.tree_pane.place
        is_new = self.model.look_at(self.model.drawn(place))
        if is_new:
            self._wake.set()
            self.tree_pane.update_lines()
        if is_new or not history:
            self._show_overview()
        else:
            self._show_overview_soon()
        self._show_status()
        if isinstance(place, Branch):
            self.table.show_runs(self.model.runs_of(place))
        self._show_title()
        subjects = self.model.subjects()
        self._show_parts(
            table=isinstance(place, Branch), charts=bool(subjects), text=self._instead(place) if not subjects else None
        )
        if subjects:
            self.charts.show(subjects, is_new, has_rows=history)
            if self._was_loading and not self.model.is_behind:
                self.charts.draw_now()
        else:
            self.charts.show([], is_new=True)
        self._was_loading = self.model.is_behind

    def _show_parts(self, table: bool, charts: bool, text: Content | None) -> None:
        """Show what there is to show in the centre."""
        had_focus = self.focused if self.focused is not None and self.centre in self.focused.ancestors else None
        self.table.display = table and not self.charts.is_alone
        self.charts.display = charts
        empty = self.query_one("#empty", Empty)
        empty.display = text is not None
        if text is not None:
            empty.update(text)
        self._fit_table()
        if had_focus is not None and not had_focus.display:
            self._centre_widget().focus()

    def _fit_table(self) -> None:
        """The table is as high as its runs, up to a share of the centre."""
        room = self.centre.size.height
        height = max(4, room // TABLE_SHARE) if self.charts.display else room
        self.table.styles.height = min(self.table.line_count() + 1, max(1, height))

    def _centre_widget(self) -> Widget:
        """What takes the keys of the centre."""
        if self.table.display:
            return self.table
        return self.charts if self.charts.display else self.query_one("#empty", Empty)

    def _instead(self, place: Place | None) -> Content:
        """What the centre says where there are no charts."""
        if place is None:
            return self._how_to_begin()
        if self.model.is_behind:
            return Content("Loading…")
        if isinstance(place, Branch):
            return Content("These runs logged no numbers.")
        run = self.model.runs[place]
        return Content("No rows yet." if run.state in ("pending", "running") else "This run logged no numbers.")

    def _show_title(self) -> None:
        """Name the centre; a border repaints the whole pane, so only when the name is another."""
        place = self.tree_pane.place
        parts = ["Charts"]
        if isinstance(place, Branch):
            parts = [self.model.label(place)]
        elif place is not None:
            parts = [self.model.runs[place].label]
        drawn, total = self.model.drawn_count, self.table.line_count()
        if drawn > 1 and not isinstance(place, Branch):
            parts.append(f"{drawn} runs")
        if isinstance(place, Branch) and drawn < total:
            parts.append(f"{drawn} of {total} drawn")
        if self.model.is_behind:
            parts.append("loading…")
        if self.charts.caption:
            parts.append(self.charts.caption)
        text = " · ".join(parts)
        if text != self._title_shown:
            self._title_shown = text
            self.centre.border_title = Content(f"2 {text}")

    @on(Charts.Captioned)
    def _captioned(self) -> None:
        self._show_title()

    def _show_overview_soon(self) -> None:
        """At once after a quiet while, else when it is time again."""
        wait = self._overview_at + CALM - monotonic()
        if wait <= 0:
            self._show_overview()
        elif self._overview_timer is None:
            self._overview_timer = self.set_timer(wait, self._show_overview)

    def _show_overview(self) -> None:
        if self._overview_timer is not None:
            self._overview_timer.stop()
            self._overview_timer = None
        self._overview_at = monotonic()
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
        {"tree": self.tree_pane, "centre": self._centre_widget(), "overview": self.overview}[pane].focus()
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
        self._fit_table()
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
        if self.table.display and self.charts.display:  # they share a pane
            inside = [self.table, self.charts]
            at = next((i for i, widget in enumerate(inside) if widget.has_focus), None)
            if at is not None and 0 <= at + by < 2:
                inside[at + by].focus()
                return
        order = list(PANES) if self._is_narrow else [pane for pane in PANES if self._pane_shown(pane)]
        current = self._focused_pane()
        self._focus_pane(order[(order.index(current) + by) % len(order)] if current in order else order[0])

    def action_back(self) -> None:
        """One step back: from a text, the crosshair, a chart alone, a filter; then to the tree."""
        if self.focused is self.filter_field or self.charts.words:
            self._leave_filter()
        elif not (self.charts.display and self.charts.leave()):
            self._focus_pane("tree")

    def action_help(self) -> None:
        from tracker_tui.screens.help import HelpScreen

        bindings = [*Lines.BINDINGS, *RunTree.BINDINGS, *Charts.BINDINGS, *self.BINDINGS]
        self.app.push_screen(HelpScreen(bindings, "charts" if self.charts.has_focus else "lines"))

    @on(Lines.Moved, "#tree")
    def _tree_moved(self) -> None:
        self._show_place()
        self._show_overview()

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
            self._show_place()
            self._focus_pane("centre")

    # ---- charts ----

    def action_mark(self) -> None:
        """Keep the run, or those of the branch, in the charts; then to the next line."""
        place: Place | None = self.table.key if self.table.has_focus else self.tree_pane.place
        if place is None:
            return
        self.model.toggle_mark(place)
        self._redraw()
        if isinstance(self.focused, Lines) and not isinstance(place, Branch):
            self.focused.action_move(1)

    def action_pin(self) -> None:
        run = self._run_under_cursor()
        if run is not None:
            self.model.toggle_pin(run.key)
            self._redraw()

    def _redraw(self) -> None:
        """Marks and pins are others."""
        self.tree_pane.update_lines()
        self.table.update_lines()
        self._show_place()

    def action_filter(self) -> None:
        if self.charts.display:
            if self._is_narrow and not self._pane_shown("centre"):
                self._focus_pane("centre")
            self.filter_field.display = True
            self.filter_field.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        self.charts.filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self.filter_field.display = False
        self.charts.focus()

    def _leave_filter(self) -> None:
        self.filter_field.value = ""
        self.filter_field.display = False
        self.charts.focus()

    @on(Charts.Opened)
    def _chart_opened(self) -> None:
        self.set_class(self.charts.is_alone, "alone")
        self._show_place(history=False)

    @on(Charts.XWanted)
    @work(exclusive=True, group="choose")
    async def _choose_x(self) -> None:
        metric = self.charts.metric
        if metric is None:
            return
        from tracker_tui.screens.choose import ChooseScreen

        names = {"": "as the job defined it, else step", **X_NAMES}
        names |= {name: name for subject in self.charts.subjects for name in subject.history.columns if name != metric}
        chosen = await self.app.push_screen_wait(ChooseScreen("X axis", names, self._views.of(metric).x))
        if chosen is not None:
            self.charts.set_x(chosen)

    @work(exclusive=True, group="choose")
    async def action_export(self) -> None:
        plot = self.charts.plot
        if plot is None:
            self.notify("Put the cursor on a chart to export it.")
            return
        from tracker_tui import export
        from tracker_tui.screens.choose import ChooseScreen

        chosen = await self.app.push_screen_wait(ChooseScreen(f"Export {plot.order.metric}", export.FORMATS, ""))
        if chosen is None:
            return
        try:
            path = await asyncio.to_thread(export.write, plot, chosen)
        except OSError as error:
            self.notify(f"Not written: {clean(error)}", severity="error", markup=False)
        else:
            self.notify(f"Written: {with_tilde(path)}", markup=False)

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
        from tracker_tui.screens.rename import RenameScreen

        lines: Lines = self.table if self.table.has_focus else self.tree_pane
        at = Offset(3, 2)
        if lines.display and lines.region.width:
            at = lines.content_region.offset + Offset(4 if lines is self.table else 6, lines.cursor_row())
        name = await self.app.push_screen_wait(RenameScreen(run.label, at))
        if name is None:
            return
        trouble = self.model.catalog.edit(run, name=name)
        if trouble:
            self.notify(f"Not renamed: {trouble}", severity="error", markup=False)
        self.tree_pane.update_tree()
        self._show_place()
        self._show_overview()
