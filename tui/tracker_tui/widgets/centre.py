"""The middle of the dashboard: a branch's table, charts or media of what is drawn, or what to do without."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from tracker.lookout import Lookout
from tracker.records import clean
from tracker.stored import Key, StoredRun
from tracker_tui import contents, fields, gauges, media
from tracker_tui.look import all_hidden, some_runs, with_tilde
from tracker_tui.model import Model
from tracker_tui.plot import Subject
from tracker_tui.table import NEWEST, TableView
from tracker_tui.tree import Branch, Place
from tracker_tui.views import RELATIVE, WALL, X_NAMES
from tracker_tui.widgets.charts import Charts
from tracker_tui.widgets.media import Media
from tracker_tui.widgets.runs_table import RunsTable

TABLE_SHARE = 3
"""The table of a branch gets at most one of so many parts of the centre, the charts the rest."""
LOW = 30
"""Lines of the centre below which the table gets half of them."""
MIN_TABLE = 4
"""Lines of the table at least, its header among them."""
AUTOMATIC = "(automatic)"
HOW_TO_LOG_MEDIA = """No media: images, histograms, tables, audio …

    run.log({"sample": tracker.Image(array, caption="step 100")})
    run.log({"weights": tracker.Histogram(values)})
    run.log({"predictions": tracker.Table(columns=["id", "label"], data=rows)})
"""
NO_GROUPS = "(no groups)"


class Empty(Static, can_focus=True):
    """What the centre says when there is nothing to draw; takes keys like any pane."""


class Centre(Vertical):
    """Shows a place of the tree.

    Args:
        model: what there is to show.
        key: tells the key of a binding by its id.
    """

    class Changed(Message):
        """Another order or other columns were chosen, or a chart was opened: what is shown is to be shown anew."""

    def __init__(self, model: Model, key: Callable[[str], str], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._model = model
        self._key = key
        self._place: Place | None = None
        self._title = ""
        self._is_table_whole = False
        self._was_loading = False
        self._before_filter: Widget | None = None
        self.table = RunsTable(model, id="table")
        self.filter_field = Input(placeholder="words in names of metrics · enter keeps · esc all", id="filter")
        self.filter_field.cursor_blink = False
        self.charts = Charts(model.views, id="charts")
        self.media = Media(self._place_of, id="media")
        self.is_media = False
        """Whether media are shown in place of charts."""
        self.empty = Empty(id="empty")

    def compose(self) -> ComposeResult:
        yield self.table
        yield self.filter_field
        yield self.charts
        yield self.media
        yield self.empty

    # ---- what is shown ----

    def show(self, place: Place | None, is_new: bool, history: bool) -> None:
        """Show what the model knows of a place.

        Args:
            place: what the cursor of the tree is on.
            is_new: whether other runs are drawn than before.
            history: whether any of them has new rows.
        """
        self._place = place
        branch = place if isinstance(place, Branch) else None
        if branch is not None:
            self._show_table(branch)
        self.show_title()
        everything = self._model.subjects()
        subjects = [each for each in everything if each.history.columns or each.history.system]
        self._show_parts(branch is not None and self.table.line_count() > 0, everything)
        if self.media.display:
            self.media.show(everything)
        if subjects:
            self.charts.show(subjects, is_new, has_rows=history)
            if self._was_loading and not self._model.is_loading:
                self.charts.draw_now()
        else:
            self.charts.show([], is_new=True)
        self._was_loading = self._model.is_loading

    def _show_table(self, branch: Branch) -> None:
        self.table.show(self._model.table(branch), self._model.views.table_of(branch.project))

    def _show_parts(self, table: bool, subjects: Sequence[Subject]) -> None:
        """Show what there is to show of a branch's table and of some runs."""
        focused = self.screen.focused
        had_focus = focused if focused is not None and self in focused.ancestors else None
        pictures = self.is_media and any(subject.history.media for subject in subjects)
        charts = not self.is_media and any(each.history.columns or each.history.system for each in subjects)
        self.table.display = table and not (self.media.is_alone if pictures else self.charts.is_alone)
        has_room = not (self._is_table_whole and self.table.display)
        self.charts.display, self.media.display = charts and has_room, pictures and has_room
        self.empty.display = not charts and not pictures
        if self.empty.display:
            self.empty.update(self._instead())
        self.fit_table()
        if had_focus is not None and not had_focus.display:
            self.screen.set_focus(self.main_widget())

    def go_to(self, place: Place, key: Key | None) -> None:
        """Put the cursor of the table on a run again, if this place is shown."""
        if place == self._place and isinstance(place, Branch) and key is not None:
            self._show_table(place)
            self.table.go_to(key)

    def fit_table(self) -> None:
        """The table is as high as its runs, up to a share of the room."""
        room = self.size.height
        share = TABLE_SHARE if room >= LOW else 2
        height = max(MIN_TABLE, room // share) if self.charts.display or self.media.display else room
        self.table.styles.height = min(self.table.line_count() + 1, max(1, height))

    def main_widget(self) -> Widget:
        """What takes the keys."""
        if self.table.display:
            return self.table
        return next((page for page in (self.charts, self.media) if page.display), self.empty)

    def _instead(self) -> Content:
        """What to say where there are no charts."""
        place = self._place
        if place is None and self._model.is_loading:
            return Content("Reading the runs…")
        if place is None:
            return (
                Content(f"No run fits  {self._model.query.text}\n\nesc shows all runs again.")
                if self._model.query.text
                else self._how_to_begin()
            )
        if self._model.is_loading:
            return Content("Loading…")
        if self.is_media and self._model.drawn_count:
            return Content(HOW_TO_LOG_MEDIA)
        if isinstance(place, Branch) and not self._model.runs_of(place):
            trouble = clean(self._model.trouble_at(place))
            return Content(
                f"No connection.\n\n{trouble}\n\nIt is tried again by itself; R tries at once."
                if trouble
                else "No runs."
            )
        if isinstance(place, Branch):
            return Content(f"These runs logged no numbers.{self._media_note('  ')}")
        run = self._model.runs[place]
        none = "No rows yet." if run.state in ("pending", "running") else "This run logged no numbers."
        return Content(f"{none}{self._media_note('  ')}")

    def _media_note(self, before: str) -> str:
        """How to come to the media of the runs in sight; empty where there are none."""
        count = len(media.names_of(self._model.subjects()))
        return f"{before}{self._key('pane.media')} shows {'media' if count == 1 else f'{count} media'}" if count else ""

    def _how_to_begin(self) -> Content:
        (catalog, *others) = self._model.sources.catalogs.values()
        root = with_tilde(catalog.root)
        hidden = len(self._model.runs)
        if hidden:
            return Content(f"{all_hidden(hidden)}.\n\nTo see them:  /archived:yes OR deleted:yes")
        if others:
            first = f"There are no runs in {root} and {len(others)} more yet."
        elif isinstance(catalog.files, Lookout) and not os.path.isdir(catalog.root):
            first = f"There is no folder {root} yet."
        else:
            first = f"There are no runs in {root} yet."
        where = ""
        if not isinstance(catalog.files, Lookout):
            where = "The script's TRACKER_DIR, or its dir=, must be that folder on that machine.\n\n"
        elif catalog.root != os.path.abspath("runs"):
            where = f"Set TRACKER_DIR={shlex.quote(clean(catalog.root, 4096))} for the script.\n\n"
        return Content(
            f"{first}\n\nA run appears here as soon as a script starts one:\n\n"
            "    import tracker\n\n"
            '    with tracker.init(project="my-project") as run:\n'
            "        for step in range(100):\n"
            '            run.log({"loss": 1 / (step + 1)})\n\n'
            f"{where}Or leave with q and try:  tracker-tui demo"
        )

    def show_title(self) -> None:
        """Name what is shown; a border repaints the whole pane, so only when the name is another."""
        place = self._place
        parts = ["Media" if self.is_media else "Charts"]
        if isinstance(place, Branch):
            parts = [self._model.label(place)]
        elif place is not None:
            parts = [self._model.runs[place].label]
        drawn = self._model.drawn_count
        if drawn > 1 and not isinstance(place, Branch):
            parts.append(f"{drawn} runs")
        if isinstance(place, Branch):
            total = len(self._model.table(place).runs)
            parts += [f"{drawn} of {total} drawn"] if drawn < total else []
            view = self._model.views.table_of(place.project)
            parts += [f"by {_label(view.sort)}"] if view.sort != NEWEST else []
        subjects = self._model.subjects()
        if subjects and not any(subject.history.columns or subject.history.media for subject in subjects):
            parts.append("no rows")  # what the machine did is all there is
        sampled = self._model.sampled()
        if sampled is not None:
            whose = "a sample of the rows" if drawn == 1 else f"samples of {some_runs(sampled.runs)}"
            more = (
                f"reading all {sampled.loaded:.0%}"
                if sampled.loaded is not None
                else f"{self._key('charts.all')} reads all"
            )
            size = f" {sampled.size / 1e6:.0f} MB" if sampled.loaded is None else ""
            parts.append(f"{whose}, {more}{size}")
        elif self._model.are_rows_coming:
            parts.append("loading…")
        if self.is_media and subjects:
            parts += ["media", self.media.caption]
        elif self.charts.caption:
            parts.append(self.charts.caption)
        if not self.is_media and (note := self._media_note("")):
            parts.append(note)
        text = " · ".join(parts)
        if text != self._title:
            self._title = text
            self.border_title = Content(f"{self._key('pane.media' if self.is_media else 'pane.charts')} {text}")

    @on(Charts.Captioned)
    @on(Media.Captioned)
    def _captioned(self) -> None:
        self.show_title()

    @on(Charts.Opened)
    def _chart_opened(self) -> None:
        if self.charts.is_alone:
            self._model.load_all()
        self.post_message(self.Changed())

    def leave(self) -> bool:
        """One step back: from a text, the crosshair, a chart alone, a table over all; False where there is none."""
        if self.filter_field.display or (self.media if self.is_media else self.charts).words:
            self.filter_field.value = ""
            self._close_filter()
        elif self._is_table_whole and self.table.display:
            self.toggle_table()
        elif self.is_media:
            if not self.media.display or not self.media.leave():
                self.toggle_media()
        else:
            return self.charts.display and self.charts.leave()
        return True

    # ---- media ----

    def _place_of(self, run: StoredRun, path: str) -> contents.Place:
        return contents.place_of(self._model.sources.of(run), run, path)

    def toggle_media(self) -> None:
        """Media in place of charts, at the step of the crosshair; or charts again."""
        self.is_media = not self.is_media
        self._is_table_whole = False
        if self.is_media:
            self.media.go_to_step(self.charts.cross_step)
        self.show(self._place, is_new=False, history=False)
        self.screen.set_focus(next(page for page in (self.media, self.charts, self.empty) if page.display))
        self.post_message(self.Changed())

    @on(Media.Opened)
    def _medium_opened(self) -> None:
        self.post_message(self.Changed())

    @on(Media.Scrubbed)
    def _scrubbed(self, event: Media.Scrubbed) -> None:
        self.charts.inspect_at(event.step)

    # ---- table ----

    def toggle_table(self) -> None:
        """The table over all of the room, or with the charts again."""
        self._is_table_whole = not self._is_table_whole
        self._show_parts(isinstance(self._place, Branch), self._model.subjects())
        self.screen.set_focus(self.table)

    def _arrange(self, change: Callable[[TableView], TableView], to_top: bool = True) -> None:
        """Show the table otherwise, and give it the keys."""
        if not isinstance(self._place, Branch):
            return
        before = self._model.views.table_of(self._place.project)
        after = change(before)
        if after == before:
            return
        self._model.arrange(self._place, after)
        self._show_table(self._place)
        self.screen.set_focus(self.table)
        if to_top:
            self.table.move_to(0)
        self.post_message(self.Changed())

    @on(RunsTable.GroupChosen)
    def _group_chosen(self, event: RunsTable.GroupChosen) -> None:
        if isinstance(self._place, Branch):
            self._model.toggle_group(self._place, event.row.path)
            self.post_message(self.Changed())

    @on(RunsTable.HeaderChosen)
    def _header_chosen(self, event: RunsTable.HeaderChosen) -> None:
        """Order by the column; by the same, the other way round."""

        def sorted_by(view: TableView) -> TableView:
            if view.sort == event.field:
                return view._replace(is_reversed=not view.is_reversed)
            return view._replace(sort=event.field, is_reversed=False)

        self._arrange(sorted_by)

    def reverse(self) -> None:
        """The other way round."""
        self._arrange(lambda view: view._replace(is_reversed=not view.is_reversed))

    def choose_sort(self, back: Callable[[], None]) -> None:
        """Order the table by a field, the best first.

        Args:
            back: what to do when nothing was chosen.
        """
        if not isinstance(self._place, Branch):
            return
        from tracker_tui.screens.choose import ChooseScreen

        runs = self._model.runs_of(self._place)
        view = self._model.views.table_of(self._place.project)
        names = [
            "age",
            *fields.summary_names(runs),
            *fields.config_names(runs),
            *(n for n in fields.offered(fields.PROPERTIES, runs) if n != "age"),
        ]
        labels = {name: _label(name) for name in names}

        def sort(chosen: str | None) -> None:
            if chosen is None:
                back()
            else:
                self._arrange(lambda view: view._replace(sort=chosen, is_reversed=False))

        self.app.push_screen(ChooseScreen("Sort by", labels, view.sort), sort)

    def choose_groups(self, back: Callable[[], None]) -> None:
        """Group the table by config keys or properties; `back` as for `choose_sort`."""
        runs = self._runs()
        names = [*fields.config_names(runs), *fields.offered(fields.GROUPABLE, runs)]
        self._pick("Group by", "group_by", NO_GROUPS, back, names)

    def choose_columns(self, back: Callable[[], None]) -> None:
        """Choose what the table shows of its runs; `back` as for `choose_sort`."""
        runs = self._runs()
        names = [*fields.summary_names(runs), *(fields.HISTORY + name for name in fields.metric_names(runs))]
        names += [
            *fields.config_names(runs),
            *(name for name in fields.offered(fields.PROPERTIES, runs) if name != "name"),
        ]
        self._pick("Columns", "columns", AUTOMATIC, back, names)

    def _runs(self) -> list[StoredRun]:
        """The runs of the branch that is shown."""
        return self._model.runs_of(self._place) if isinstance(self._place, Branch) else []

    def _pick(
        self,
        title: str,
        field: Literal["columns", "group_by"],
        none: str,
        back: Callable[[], None],
        names: Iterable[str],
    ) -> None:
        """Let several fields be picked for a part of the table's view.

        Args:
            title: what is picked.
            field: the part.
            none: what it is called when nothing is.
            back: what to do when it was left.
            names: the fields there are.
        """
        if not isinstance(self._place, Branch):
            return
        from tracker_tui.screens.choose import PickScreen

        def show(picked: tuple[str, ...] | None) -> None:
            if picked is None:
                back()
            else:
                changes: dict[str, Any] = {field: picked}
                self._arrange(lambda view: view._replace(**changes), to_top=field == "group_by")

        picked = getattr(self._model.views.table_of(self._place.project), field)
        labels = {"": none, **{name: _label(name) for name in names}}
        self.app.push_screen(PickScreen(title, labels, picked), show)

    # ---- charts ----

    def open_filter(self) -> None:
        """Type words that the names of metrics must contain."""
        if self.charts.display or self.media.display:
            self._before_filter = self.screen.focused
            self.filter_field.display = True
            self.screen.set_focus(self.filter_field)

    def _close_filter(self) -> None:
        """Give the keys back to who had them."""
        self.filter_field.display = False
        before = self._before_filter
        self.screen.set_focus(before if before is not None and before.display else self.main_widget())

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        (self.media if self.is_media else self.charts).filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self._close_filter()

    @on(Charts.XWanted)
    def _choose_x(self) -> None:
        metric = self.charts.metric
        if metric is None:
            return
        from tracker_tui.screens.choose import ChooseScreen

        if gauges.is_gauge(metric):
            names = {"": X_NAMES[RELATIVE], WALL: X_NAMES[WALL]}
        else:
            names = {"": "as the job defined it, else step", **X_NAMES}
            logged = (name for subject in self.charts.subjects for name in subject.history.columns)
            names |= {name: name for name in logged if name != metric}

        def set_x(chosen: str | None) -> None:
            if chosen is not None:
                self.charts.set_x(chosen)

        self.app.push_screen(ChooseScreen("X axis", names, self._model.views.of(metric).x), set_x)

    def go_to_system(self) -> None:
        """To the charts of the machine, or back from there."""
        if self._is_table_whole and self.table.display:
            self.toggle_table()
        if self.is_media:
            self.toggle_media()
        if not self.charts.display or not self.charts.go_to_system():
            self.notify("Nothing was sampled of a machine here.")
        else:
            self.screen.set_focus(self.charts)

    def export(self) -> None:
        """Write the chart under the cursor, or its data, to a file."""
        plot = self.charts.plot
        if plot is None:
            self.notify("Put the cursor on a chart to export it.")
            return
        if self._model.sampled() is not None:
            self._model.load_all()
            self.notify("Only a sample of the rows is here yet. All are being read: export once the title says so.")
            return
        from tracker_tui import export
        from tracker_tui.screens.choose import ChooseScreen

        async def write(chosen: str | None) -> None:
            if chosen is None:
                return
            try:
                path = await asyncio.to_thread(export.write, plot, chosen)
            except OSError as error:
                self.notify(f"Not written: {clean(error)}", severity="error", markup=False)
            else:
                self.notify(f"Written: {with_tilde(path)}", markup=False)

        self.app.push_screen(ChooseScreen(f"Export {gauges.label(plot.order.metric)}", export.FORMATS, ""), write)


def _label(name: str) -> str:
    """What a field is called in a list to choose from."""
    if name.startswith(fields.HISTORY):
        return f"{name.removeprefix(fields.HISTORY)}, its course"
    return name.removeprefix(fields.SUMMARY)
