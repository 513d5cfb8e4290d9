"""The main screen: the tree of runs, what is looked at, and what it is."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic, time
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.events import Event as AnyEvent
from textual.events import MouseDown
from textual.geometry import Offset
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from tracker.records import clean
from tracker.stored import Key, StoredRun
from tracker_tui import files, status
from tracker_tui.contents import full_path
from tracker_tui.events import Event, Watch
from tracker_tui.graphics import Placed
from tracker_tui.hints import Here, Situation, hints
from tracker_tui.hosts.watching import listen
from tracker_tui.model import Batch, Change, Model
from tracker_tui.notices import Notice
from tracker_tui.painting import CellCompositor, is_over_ssh
from tracker_tui.plot import MAX_RUNS
from tracker_tui.screens.editing import Editing
from tracker_tui.screens.notifier import Notifier
from tracker_tui.settings import Settings
from tracker_tui.tree import Branch, Place, count
from tracker_tui.widgets.centre import Centre
from tracker_tui.widgets.charts import Charts
from tracker_tui.widgets.console_pane import ConsolePane
from tracker_tui.widgets.key_bar import KeyBar, bindings_of, keys_of, shown_key
from tracker_tui.widgets.lines import Lines
from tracker_tui.widgets.media import Media
from tracker_tui.widgets.overview import Overview
from tracker_tui.widgets.panes import Pane, Panes
from tracker_tui.widgets.printout import Printout
from tracker_tui.widgets.query_bar import QueryBar, QueryField
from tracker_tui.widgets.run_tree import RunTree
from tracker_tui.widgets.runs_table import RunsTable
from tracker_tui.widgets.status_line import StatusLine

FAR_REFRESH = 0.5
"""Seconds from a look that changed the screen to the next over ssh, at least; what comes after a quiet while shows at
once, here and there."""
POLL = 0.25
IDLE_POLL = 1.0
"""Seconds until the next look without an event: while runs are running, and while none is."""
TICK = 2.0
"""Seconds between two looks at the clock, for ages and durations."""
CALM = 1.0
"""Seconds between two updates of values in tree and overview while rows come in; the charts' titles follow at once."""
FIRST_LOOK = 0.05
"""Seconds that the first look may take, before anything is painted."""
LOOK = 0.4
SHORT_LOOK = 0.05
PAUSE = 0.0005
"""Seconds that a look may take, in a thread; less after a key, and then the thread leaves the interpreter alone after
each file that it opens, so that the next key need not wait."""
COUNT = 10.0
"""Seconds between two counts of the files of a run that is running."""
COUNT_AFTER = 0.3
"""Seconds that the cursor rests on a run before its files are counted."""
ATTENTION = 1.0
"""Seconds for which a key may be followed by another."""
if TYPE_CHECKING:
    from textual.command import Provider

    from tracker_tui.hosts.link import Link


def _commands() -> type[Provider]:
    from tracker_tui.screens.palette import Commands

    return Commands


class Dashboard(Editing):
    """Follows the files and keeps every pane true to them."""

    BINDINGS = [
        Binding("slash", "query", "Find", id="view.query", tooltip="Show only runs that fit a query; esc: all again"),
        Binding("E", "events", "Events", id="view.events", tooltip="What happened to the runs"),
        Binding("space", "mark", "Mark", id="run.mark", tooltip="Keep the run in the charts, or no longer"),
        Binding("p", "pin", "Pin", id="run.pin", tooltip="Draw the run over all others, or no longer"),
        Binding("c", "compare", "Compare", id="run.compare", tooltip="Compare the marked runs, else those drawn"),
        Binding("F", "files", "Files", id="run.files", tooltip="The run's files and artifacts"),
        *Editing.EDITS,
        Binding("s", "sort", "Sort", id="table.sort", tooltip="Order the table by any field"),
        Binding("S", "reverse", "Reverse", id="table.reverse", tooltip="The table the other way round"),
        Binding("g", "group", "Group", id="table.group", tooltip="Group the table by config keys"),
        Binding("C", "columns", "Columns", id="table.columns", tooltip="Choose the table's columns"),
        Binding("6", "table", "Table", id="table.whole", tooltip="The table alone, or with the charts"),
        Binding("f", "filter", "Filter", id="charts.filter", tooltip="Only metrics, or keys, that contain words"),
        Binding("H", "load_all", "All rows", id="charts.all", tooltip="Read all rows, where only a sample is here"),
        Binding("e", "export", "Export", id="charts.export", tooltip="Write the chart or its data to a file"),
        Binding("1", "pane('tree')", "Runs", id="pane.tree", tooltip="Show or hide the tree of runs"),
        Binding("2", "pane('centre')", "Charts", id="pane.charts", tooltip="Show or hide the charts or the table"),
        Binding("3", "pane('overview')", "Overview", id="pane.overview", tooltip="Show or hide the overview"),
        Binding("4", "pane('console')", "Console", id="pane.console", tooltip="Show or hide what the run printed"),
        Binding("5", "system", "System", id="pane.system", tooltip="To the charts of the machine, or back"),
        Binding(
            "7", "media", "Media", id="pane.media", tooltip="Images, tables, histograms in place of charts, or back"
        ),
        Binding("tab", "next_pane(1)", "Pane", id="pane.next", tooltip="To the next pane"),
        Binding("shift+tab", "next_pane(-1)", "Last pane", id="pane.previous", tooltip="To the pane before"),
        Binding("less_than_sign", "resize(-1)", "Narrower", id="pane.narrower", tooltip="The pane smaller"),
        Binding("greater_than_sign", "resize(1)", "Wider", id="pane.wider", tooltip="The pane larger"),
        Binding("escape", "back", "Back", id="pane.back", tooltip="One step back; at last all runs, no marks"),
        Binding("question_mark", "help", "Help", id="app.help", tooltip="All keys"),
        Binding("ctrl+p", "app.command_palette", "Palette", id="app.palette", tooltip="All actions, runs and metrics"),
        Binding("R", "reconnect", "Reconnect", id="app.reconnect", tooltip="Try a lost connection again now"),
        Binding("q", "app.quit", "Quit", id="app.quit", tooltip="Leave; the jobs go on"),
    ]
    COMMANDS = {_commands}

    def __init__(self, model: Model, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self._compositor = CellCompositor()
        self.model = model
        self._wake = asyncio.Event()
        self._is_chosen = False
        self._was_read = False
        self._is_place_due = False
        self._pane_with_keys: Pane = "centre"
        self._key_at = 0.0
        self._overview_at = 0.0
        self._counted: Key | None = None
        self._counted_at = 0.0
        self._lost: dict[str, str] = {}
        self._is_saving = False
        self._roots = [catalog.root for catalog in model.sources.catalogs.values()]
        self._events = Watch(model.views.looked(self._roots, time()), time())
        self._notifier = Notifier(self, settings.notifications)
        self._has_looked = False
        self._links: list[Link] = []
        if any(catalog.files.is_far for catalog in model.sources.catalogs.values()):
            from tracker_tui.hosts.link import links_of  # loaded with the first of them

            self._links = links_of(model.sources)
        self._overview_timer: Timer | None = None
        self._before_query: tuple[Widget | None, Place | None, Key | None] = None, None, None
        self.tree_pane = RunTree(model, id="tree")
        self.tree_pane.border_title = Content(f"{self.key('pane.tree')} Runs")
        self.centre = Centre(model, self.key, id="centre")
        self.table, self.charts = self.centre.table, self.centre.charts
        self.words_field = Input(placeholder="words in keys · enter keeps · esc all", id="words")
        self.words_field.cursor_blink = False
        self.overview = Overview(self.key("run.files"), id="facts")
        self.console = ConsolePane(f"{self.key('pane.console')} Console", id="console")
        self.query_bar = QueryBar(model, id="query")
        facts = Vertical(self.words_field, self.overview, id="overview")
        facts.border_title = Content(f"{self.key('pane.overview')} Overview")
        self.panes = Panes(
            model.views,
            {"tree": self.tree_pane, "centre": self.centre, "overview": facts, "console": self.console},
            self.key,
        )
        self.status_line = StatusLine(id="status")
        self.key_bar = KeyBar(settings.keys)

    def key(self, name: str) -> str:
        """The key of a binding, by its id."""
        return shown_key(keys_of(BY_ID[name], self.settings.keys)[0])

    def compose(self) -> ComposeResult:
        yield self.panes
        yield self.query_bar
        yield self.status_line
        yield self.key_bar

    async def on_mount(self) -> None:
        self.set_focus(self._widget_of(self.panes.focused() or "centre"))
        look = asyncio.ensure_future(asyncio.to_thread(self.model.collect, FIRST_LOOK))
        await asyncio.wait({look}, timeout=FIRST_LOOK)
        is_done = look.done()
        self._take(look.result() if is_done else Batch())
        if is_done and self.model.sources.is_complete:
            self._follow()
        else:  # much is to be read: the first frame goes before it
            self.call_after_refresh(self._follow, None if is_done else look)
        self.call_after_refresh(self._listen)
        self.set_interval(TICK, self._tick)

    # ---- following the files ----

    @work(group="follow")
    async def _follow(self, look: asyncio.Future[Batch] | None = None) -> None:
        """Look again and again; a first look may be on its way."""
        while True:
            self._wake.clear()
            was_behind = self.model.is_behind
            batch = await (look or self._look())
            if not self.centre.is_attached:  # it was left meanwhile
                return
            changed = self._take(batch)
            look = None
            self._show_links()
            if self.model.is_behind:
                self.centre.show_title()  # how much is there
                continue
            if was_behind and not changed:  # nothing more had to be loaded
                self._show_place(history=False)
            if changed:
                await asyncio.sleep(max(self.settings.refresh, FAR_REFRESH if is_over_ssh() else 0.0))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL if self.model.lists.has_running else IDLE_POLL)

    def _look(self) -> asyncio.Future[Batch]:
        is_watched = monotonic() - self._key_at < ATTENTION
        seconds, pause = (SHORT_LOOK, PAUSE) if is_watched else (LOOK, 0.0)
        return asyncio.ensure_future(asyncio.to_thread(self.model.collect, seconds, pause))

    def _take(self, batch: Batch) -> bool:
        """Fold what was read and show what changed; whether anything did."""
        change = self.model.apply(batch)
        if change or not self._was_read:
            self._was_read = True
            self._update(change)
        if not self._has_looked and self.model.sources.is_complete:
            self._has_looked = True
            self._tell_missed()
            for text in self.model.sources.left_out:
                self.notify(clean(text), severity="warning", markup=False)
        return bool(change)

    def _tell_news(self, news: Iterable[Event]) -> None:
        """Tell of events; what the first look finds was before."""
        if self._has_looked:
            self._notifier.take(news)

    def _tell_missed(self) -> None:
        """How much happened while nobody was there."""
        if count := self._events.count(self.model.lists.keys):
            title = f"{count:,} new warning{'s' * (count != 1)} since you last looked"
            self._notifier.show(Notice(title, f"{self.key('view.events')} lists what happened", "warning", "!"))

    @work(group="listen")
    async def _listen(self) -> None:
        async with asyncio.TaskGroup() as group:
            for catalog in self.model.sources.catalogs.values():
                group.create_task(listen(catalog, self._wake))

    def _update(self, change: Change) -> None:
        """Show what changed."""
        if change.runs:
            changed = (self.model.runs.get(key) for key in change.runs.changed)
            self._tell_news(self._events.take(filter(None, changed), time()))
            if change.runs.moved or change.runs.removed:
                self.tree_pane.update_tree()
            if self.query_bar.is_open:
                self.query_bar.show_hint()
            if not self._is_chosen and (place := self.model.first_choice()) is not None:
                self._is_chosen = self.model.sources.is_complete
                self.tree_pane.go_to(place)
                self.tree_pane.show_from((self.tree_pane.cursor or 0) - 1)  # its project, and what comes after it
                self._show_place()
                if self.panes.is_narrow and self.panes.is_shown("centre"):
                    self.set_focus(self.centre.main_widget())
                return
        drawn = {subject.run.key for subject in self.charts.subjects}
        self._show_place(history=change.history or not drawn.isdisjoint(change.runs.changed), at_once=False)

    def _tick(self) -> None:
        """Ages and durations go on by themselves; tables follow values when it is time."""
        is_timed = self.model.is_query_timed
        if is_timed:
            self.model.forget()
            self.tree_pane.update_tree()
        place = self.tree_pane.place
        if is_timed or (isinstance(place, Branch) and self.model.is_table_due(place)):
            self._show_place(history=False)
        self.tree_pane.update_lines()
        self.table.update_lines()
        self._show_overview()
        self._tell_news(self._events.go_on(time()))
        self._show_status()

    # ---- what is looked at ----

    def _show_place(self, history: bool = True, at_once: bool = True) -> None:
        place = self.tree_pane.place
        is_new = self.model.look_at(self.model.drawn(place))
        if is_new:
            self._wake.set()
            self.tree_pane.update_lines()
        self.centre.show(place, is_new, history)
        if is_new or (at_once and not history):
            self._show_overview()
        else:
            self._show_values_soon()
        self._show_status()

    def _show_place_soon(self) -> None:
        """Once what the key itself changed is on the screen; several keys in a row cost it once."""
        if not self._is_place_due:
            self._is_place_due = True
            self.call_after_refresh(self._show_due_place)

    def _show_due_place(self) -> None:
        self._is_place_due = False
        self._show_place(history=False)

    @on(Centre.Changed)
    def _centre_changed(self) -> None:
        page = self.centre.media if self.centre.is_media else self.charts
        self.set_class(page.is_alone, "alone")
        self._show_place(history=False)

    def _show_values_soon(self) -> None:
        """At once after a quiet while, else when it is time again."""
        wait = self._overview_at + CALM - monotonic()
        if wait <= 0:
            self._show_values()
        elif self._overview_timer is None:
            self._overview_timer = self.set_timer(wait, self._show_values)

    def _show_values(self) -> None:
        """Of the runs in tree and overview."""
        self.tree_pane.update_lines()
        self._show_overview()

    def _show_overview(self) -> None:
        if self._overview_timer is not None:
            self._overview_timer.stop()
            self._overview_timer = None
        self._overview_at = monotonic()
        run, place = self.run_under_cursor(), self.tree_pane.place
        row = self.table.row if self.table.has_focus else None
        if run is not None:
            self.overview.show_run(run)
            self._count_files_soon(run)
        elif row is not None:
            self.overview.show_branch(" ".join(row.path[-2:]), list(row.runs), count(row.runs))
        elif isinstance(place, Branch):
            runs = self.model.runs_of(place)
            self.overview.show_branch(self.model.label(place), runs, count(runs), self.model.trouble_at(place))
        else:
            self.overview.show_nothing()
        self._show_console()

    def _count_files_soon(self, run: StoredRun) -> None:
        """Let the files of the run be counted, those of one that is running from time to time."""
        is_old = run.state == "running" and monotonic() - self._counted_at > COUNT
        if self.panes.is_shown("overview") and (self._counted != run.key or is_old):
            self._counted, self._counted_at = run.key, monotonic()
            self._count_files(run)

    @work(group="count", exclusive=True)
    async def _count_files(self, run: StoredRun) -> None:
        await asyncio.sleep(COUNT_AFTER)
        found = await asyncio.to_thread(files.found, self.model.sources.of(run), run)
        self.overview.files = run.key, files.counts(found.files)
        if self.run_under_cursor() is run and self.overview.is_attached:
            self._show_overview()

    def pictures(self) -> Iterable[Placed]:
        return self.centre.media.pictures()

    def _show_status(self) -> None:
        lost = status.lost(self._links, self.key("app.reconnect"))
        news = self._events.count(self.model.lists.keys)
        parts = status.parts(self.model, news, self._is_saving, lost, self.key)
        self.status_line.set_class(bool(lost), "is-cut")
        self.status_line.show(parts, status.where(self.model))
        self._show_keys()

    def _show_keys(self) -> None:
        """Which keys matter where the cursor is now."""
        focused, run = self.focused, self.run_under_cursor()
        ids: dict[str | None, Here] = {
            "tree": "tree",
            "table": "table",
            "charts": "charts",
            "media": "media",
            "facts": "overview",
            "printout": "console",
        }
        pane: Here = ids.get(focused.id if focused is not None else None, "empty")
        if isinstance(focused, Input):
            pane = "query" if self.query_bar.is_open else "words"
        elif not self.model.lists.shown or (pane == "console" and run is None):
            pane = "empty"
        now = Situation(
            pane,
            run is not None,
            run is not None and run.state == "running",
            len(self.model.marked) > 1 or self.model.drawn_count > 1,
            self._can_go_back(pane),
            self.model.edits.can_undo,
            self.charts.is_inspecting and pane == "charts",
            bool(self.console.printout.words),
            run is not None and run.is_read_only,
        )
        self.key_bar.show(*([BY_ID[name] for name in names] for names in hints(now)))

    def _can_go_back(self, pane: Here) -> bool:
        """Whether `esc` takes something away that narrows the picture down, or lies over it."""
        printout = self.console.printout
        return bool(
            self.model.query.text
            or self.charts.is_alone
            or self.centre.is_media
            or self.charts.words
            or self.panes.is_console_alone
            or (pane == "overview" and self.overview.words)
            or (pane == "console" and (printout.words or printout.is_selecting))
            or (pane == "tree" and self.model.marked)
        )

    # ---- panes ----

    def focus_pane(self, pane: Pane) -> None:
        """Show the pane, if it is not, and give it the keys."""
        self.panes.show(pane)
        self.set_focus(self._widget_of(pane))
        self.call_after_refresh(self._show_place)
        self.call_after_refresh(self._show_console)

    def on_resize(self) -> None:
        self.panes.look_after_size(self._pane_with_keys)
        self.call_after_refresh(self._after_resize)

    @on(Overview.Resized)
    def _overview_resized(self) -> None:
        self._show_overview()

    @on(Panes.Resized)
    def _after_resize(self) -> None:
        self.centre.fit_table()
        if self.focused is None and (pane := self.panes.focused()) is not None:
            self.focus_pane(pane)

    def _widget_of(self, pane: Pane) -> Widget:
        """What takes the keys in a pane."""
        widgets = {"tree": self.tree_pane, "overview": self.overview, "console": self.console.printout}
        return widgets.get(pane) or self.centre.main_widget()

    def go_to_place(self, place: Place) -> None:
        """Show a run, or what holds several."""
        self.focus_pane("tree")
        self.tree_pane.go_to(place)
        self._show_place()

    def action_pane(self, pane: Pane) -> None:
        """Wide: show or hide the pane. Narrow: show it instead of the one that is shown."""
        had_keys = self.panes.focused() == pane
        if not self.panes.is_shown(pane) or not self.panes.hide(pane):
            self.focus_pane(pane)
        elif had_keys and (other := self.panes.focused()) is not None:
            self.focus_pane(other)

    def action_resize(self, by: int) -> None:
        """The pane with the keys wider or narrower."""
        if (pane := self.panes.focused()) is not None:
            self.panes.resize(pane, by)

    def action_next_pane(self, by: int) -> None:
        page = self.centre.media if self.centre.is_media else self.charts
        if self.table.display and page.display:  # they share a pane
            inside: list[Widget] = [self.table, page]
            at = next((i for i, widget in enumerate(inside) if widget.has_focus), None)
            if at is not None and 0 <= at + by < 2:
                self.set_focus(inside[at + by])
                return
        self.focus_pane(self.panes.next(by))

    def action_back(self) -> None:
        """One step back: from a text, the crosshair, a chart alone, a filter; to the tree; from a query, from marks."""
        if self.words_field.has_focus or (self.overview.has_focus and self.overview.words):
            self._leave_words()
        elif self._leave_console() or self.centre.leave():
            pass
        elif not self.tree_pane.has_focus:
            self.focus_pane("tree")
        elif self.model.query.text:
            self.query_bar.action_leave()
        elif self.model.marked:
            self.model.marked.clear()
            self._redraw()

    def action_help(self) -> None:
        from tracker_tui.screens.help import HelpScreen

        first = "charts" if self.charts.has_focus else "console" if self.console.has_focus_within else "lines"
        self.app.push_screen(HelpScreen(BY_ID.values(), self.settings.keys, first))

    def on_descendant_focus(self) -> None:
        """The overview tells of what the cursor is on, in the tree or in the table."""
        if not self.panes.is_changing:  # else what is hidden hands its keys on, before that is looked after
            self._pane_with_keys = self.panes.focused() or "centre"
        if not self.console.has_focus_within:
            self.charts.point_at(None)
        if self._was_read:
            self._show_overview()
            self._show_keys()

    @on(Lines.Moved, "#tree")
    def _tree_moved(self) -> None:
        self._show_overview()
        self._show_place_soon()

    @on(Lines.Moved, "#table")
    def _table_moved(self) -> None:
        self._show_overview()
        self._show_keys()

    @on(Charts.Captioned)
    @on(Media.Captioned)
    def _charts_captioned(self) -> None:
        self._show_keys()

    def on_key(self) -> None:
        """Whoever has pressed a key, or a button of the mouse, chooses the run themselves."""
        self._is_chosen = bool(self.model.runs)
        self._key_at = monotonic()

    def on_mouse_down(self) -> None:
        self.on_key()

    def _forward_event(self, event: AnyEvent) -> None:
        """Where events of the mouse come by, before any of them is handled."""
        if isinstance(event, MouseDown):
            self.panes.grab(event)
        super()._forward_event(event)

    @on(Lines.Chosen, "#tree")
    def _tree_chosen(self) -> None:
        self.focus_pane("centre")

    @on(Lines.Chosen, "#table")
    def _table_chosen(self) -> None:
        if self.table.key is not None:
            self.tree_pane.go_to(self.table.key)
            self._show_place()
            self.focus_pane("centre")

    # ---- finding ----

    def action_query(self) -> None:
        if self.panes.is_narrow and not self.table.display:
            self.focus_pane("tree")
        self._before_query = self.focused, self.tree_pane.place, self.table.key
        self.query_bar.open()

    @on(QueryBar.Searched)
    def _searched(self) -> None:
        self.tree_pane.update_tree()
        self._show_place_soon()

    @on(QueryBar.Left)
    def _query_left(self, event: QueryBar.Left) -> None:
        focused, place, key = self._before_query
        self.set_focus(focused if focused is not None and focused.display else self.tree_pane)
        if not event.is_found and place is not None:
            self.tree_pane.go_to(place)
            self.centre.go_to(place, key)

    def _to_table(self) -> bool:
        """Show the table of the project around the cursor, on the same run; False where there is none."""
        place = self.tree_pane.place
        if place is None:
            return False
        if self.charts.is_alone:
            self.charts.action_open()
        branch = self.tree_pane.project_of(place)
        if not isinstance(place, Branch) and branch is not None:
            self.tree_pane.go_to(branch)
            self._show_place()
            self.table.go_to(place)
        if not self.panes.is_shown("centre"):
            self.focus_pane("centre")
        return self.table.line_count() > 0

    def _way_back(self) -> Callable[[], None]:
        """What brings the cursor back to where it is now."""
        focused, place = self.focused, self.tree_pane.place

        def go() -> None:
            if place is not None and self.tree_pane.place != place:
                self.tree_pane.go_to(place)
            if focused is not None:
                self.set_focus(focused)

        return go

    def action_sort(self) -> None:
        back = self._way_back()
        if self._to_table():
            self.centre.choose_sort(back)

    def action_reverse(self) -> None:
        if self._to_table():
            self.centre.reverse()

    def action_group(self) -> None:
        back = self._way_back()
        if self._to_table():
            self.centre.choose_groups(back)

    def action_columns(self) -> None:
        back = self._way_back()
        if self._to_table():
            self.centre.choose_columns(back)

    def action_table(self) -> None:
        if self._to_table():
            self.centre.toggle_table()

    def action_compare(self) -> None:
        runs = self._to_compare()
        if len(runs) < 2:
            self.notify("Mark two or more runs with space to compare them.")
            return
        from tracker_tui.compare import compare
        from tracker_tui.screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(compare(runs), self.model.sign_of, self.settings.keys))

    def action_files(self) -> None:
        run = self.run_under_cursor()
        if run is None:
            self.notify("Put the cursor on a run to see its files.")
            return
        from tracker_tui.screens.files import FilesScreen

        self.app.push_screen(FilesScreen(self.model.sources.of(run), run, self.settings.keys))

    def action_events(self) -> None:
        from tracker_tui.screens.events import EventsScreen

        self.app.push_screen(EventsScreen(self.model, self.settings.keys), self._left_events)

    def on_unmount(self) -> None:
        """Who leaves has seen what there was to see."""
        self.model.leave(self.tree_pane.place)
        self.model.views.look(self._roots, time())

    def _left_events(self, key: Key | None) -> None:
        self._events.look()
        self.model.views.look(self._roots, time())
        if key is not None:
            self.go_to_place(key)
        self._show_status()

    def _to_compare(self) -> list[StoredRun]:
        """The marked runs in the order of the table, else those that are drawn, the topmost first."""
        place, marked = self.tree_pane.place, self.model.marked_runs()
        if len(marked) < 2:
            return [self.model.runs[key] for key in reversed(self.model.drawn(place))]
        if isinstance(place, Branch):
            order = {run.key: index for index, run in enumerate(self.model.table(place).runs)}
            marked.sort(key=lambda run: order.get(run.key, len(order)))
        if len(marked) > MAX_RUNS:
            self.notify(f"Only the first {MAX_RUNS} of {len(marked)} marked runs are compared.")
        return marked[:MAX_RUNS]

    # ---- charts ----

    def action_mark(self) -> None:
        """Keep the run, or those of the branch, in the charts; then to the next line."""
        place: Place | None = self.tree_pane.place
        run, row = self.run_under_cursor(), self.table.row
        if self.table.has_focus and row is not None:
            self.model.toggle_mark(row.runs)
        elif run is not None:
            self.model.toggle_mark([run])
        elif isinstance(place, Branch):
            self.model.toggle_mark(self.model.runs_of(place))
        self._redraw()
        if isinstance(self.focused, Lines) and run is not None:
            self.focused.action_move(1)

    def action_pin(self) -> None:
        run = self.run_under_cursor()
        if run is not None:
            self.model.toggle_pin(run.key)
            self._redraw()

    def _redraw(self) -> None:
        """Marks and pins are others."""
        self.tree_pane.update_lines()
        self.table.update_lines()
        self._show_place()

    # ---- console ----

    def _show_console(self) -> None:
        """Show what the run under the cursor printed; while nobody sees it, nothing is read."""
        if self.panes.is_shown("console"):
            run = self.run_under_cursor()
            self.console.show(run, self.model.sources.of(run) if run is not None else None)

    @on(Printout.Pointed)
    def _printout_moved(self, event: Printout.Pointed) -> None:
        self.charts.point_at(event.step)

    @on(Charts.Crossed)
    def _crossed(self, event: Charts.Crossed) -> None:
        self.console.printout.go_to_step(event.step)

    @on(Media.Scrubbed)
    def _scrubbed(self, event: Media.Scrubbed) -> None:
        self.console.printout.go_to_step(event.step)

    @on(Lines.Chosen, "#printout")
    def _printout_chosen(self) -> None:
        self.panes.show_console_alone(not self.panes.is_console_alone)

    def _leave_console(self) -> bool:
        """One step back in the console; False where there is none."""
        if self.console.printout.has_focus and self.panes.is_console_alone:
            self.panes.show_console_alone(False)
            return True
        return self.console.has_focus_within and self.console.leave()

    def action_filter(self) -> None:
        """Type words: of keys in the overview, of lines in the console, of metrics else."""
        if self.console.has_focus_within:
            self.console.ask()
            return
        if self.overview.has_focus:
            self.words_field.display = True
            self.set_focus(self.words_field)
            return
        if self.panes.is_narrow and not self.panes.is_shown("centre") and self.charts.display:
            self.focus_pane("centre")
        self.centre.open_filter()

    @on(Input.Changed, "#words")
    def _words_changed(self, event: Input.Changed) -> None:
        self.overview.words = event.value.lower().split()
        self._show_overview()

    @on(Input.Submitted, "#words")
    def _words_submitted(self) -> None:
        self.set_focus(self.overview)

    def _leave_words(self) -> None:
        self.words_field.value = ""
        self.words_field.display = False
        self.set_focus(self.overview)

    def action_system(self) -> None:
        if not self.panes.is_shown("centre"):
            self.focus_pane("centre")
        self.centre.go_to_system()

    def action_media(self) -> None:
        if not self.panes.is_shown("centre"):
            self.focus_pane("centre")
        self.centre.toggle_media()

    def action_export(self) -> None:
        self.centre.export()

    def action_load_all(self) -> None:
        self.model.load_all(at_any_cost=True)
        self.centre.show_title()

    # ---- other machines ----

    def _show_links(self) -> None:
        """Say so at once when a connection is lost or there again."""
        lost = {link.address.text: link.trouble for link in self._links if link.trouble}
        if lost.keys() == self._lost.keys():
            self._lost = lost
            return
        again = [link.machine for link in self._links if link.address.text in self._lost.keys() - lost.keys()]
        for machine in dict.fromkeys(again):
            self.notify(f"{clean(machine)} is connected again", timeout=3, markup=False)
        self._lost = lost
        self.tree_pane.update_tree()
        self._show_place(history=False)
        self._show_overview()

    def action_reconnect(self) -> None:
        """Try lost connections again; where a password was missing, it is asked for on the terminal."""
        lost = [link for link in self._links if link.trouble]
        if not lost:
            self.notify("No connection is lost.")
        for link in lost:
            if not link.needs_asking:
                link.try_now()
                continue
            with self.app.suspend():
                before = signal.signal(signal.SIGINT, signal.default_int_handler)  # Ctrl-C ends the question
                try:
                    link.ask_now()
                except OSError as error:
                    self.notify(clean(error), severity="error", markup=False)
                finally:
                    signal.signal(signal.SIGINT, before)
        self._show_status()

    # ---- what the keys that edit are about ----

    def run_under_cursor(self) -> StoredRun | None:
        key: Place | Key | None = self.table.key if self.table.has_focus else self.tree_pane.place
        if self.console.has_focus_within and self.console.run is not None:
            key = self.console.run.key
        return None if key is None or isinstance(key, Branch) else self.model.runs.get(key)

    def rename_offset(self) -> Offset:
        lines: Lines = self.table if self.table.has_focus else self.tree_pane
        if not lines.display or not lines.region.width:
            return Offset(3, 2)
        return lines.content_region.offset + Offset(4 if lines is self.table else 6, lines.cursor_row())

    def text_under_cursor(self) -> str | None:
        if self.centre.media.has_focus and self.centre.media.place is not None:
            return full_path(self.centre.media.place)
        entry = self.overview.entry if self.overview.has_focus else None
        return entry.text if entry is not None else None

    def go_to(self, key: Key) -> None:
        if self.table.has_focus:
            self.table.go_to(key)
        else:
            self.tree_pane.go_to(key)

    def show_saving(self, is_saving: bool) -> None:
        if is_saving != self._is_saving:
            self._is_saving = is_saving
            self._show_status()

    def show_edited(self) -> None:
        self.tree_pane.update_tree()
        self._show_place()
        self._show_overview()


BY_ID: dict[str, Binding] = {
    binding.id: binding
    for pane in (Lines, RunTree, Charts, Media, RunsTable, Overview, Printout, QueryField, QueryBar, Dashboard)
    for binding in bindings_of(pane)
    if binding.id
}
"""Every binding by its id."""
