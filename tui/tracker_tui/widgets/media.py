"""What keys and the mouse do with media: the cursor, the step, one name alone, tables, opening files."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding
from textual.events import Click
from textual.message import Message

from tracker.history import MediaColumn
from tracker_tui import media
from tracker_tui.contents import open_outside
from tracker_tui.look import fit
from tracker_tui.widgets.media_grid import MediaGrid


class Media(MediaGrid):
    """The page of media under the hands of its user."""

    BINDINGS = [
        Binding("left,h", "scrub(-1)", "Step", id="media.left", tooltip="To the step logged before"),
        Binding("right,l", "scrub(1)", "Step", id="media.right", tooltip="To the step logged after"),
        Binding("shift+left", "far(-1)", "Far left", id="media.far-left", tooltip="Ten steps, or a column, back"),
        Binding("shift+right", "far(1)", "Far right", id="media.far-right", tooltip="Ten steps, or a column, on"),
        Binding("home", "edge(-1)", "First", id="media.first", tooltip="To the first step"),
        Binding("end", "edge(1)", "Newest", id="media.last", tooltip="To the newest, and follow it"),
        Binding("up,k", "go(-1)", "Up", id="media.up", tooltip="To the name above; in a table alone a row up"),
        Binding("down,j", "go(1)", "Down", id="media.down", tooltip="To the name below; in a table a row down"),
        Binding("pageup", "page(-1)", "Page up", id="media.page-up", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", id="media.page-down", tooltip="One page down"),
        Binding("enter", "alone", "Large", id="media.alone", tooltip="One name alone and large, or all again"),
        Binding("o", "open", "Open", id="media.open", tooltip="Open the file with the system's program"),
    ]

    @dataclass
    class Scrubbed(Message):
        """Another step is looked at; None: the newest."""

        step: float | None

    def go_to_step(self, step: float | None) -> None:
        """Show what there was at a step."""
        if step == self.step:
            return
        self.step = step
        self.top = 0
        self.write()
        self.post_message(self.Captioned())

    def go_to_key(self, key: str) -> None:
        """Put the cursor on a name."""
        self.key = key
        self.top = self.left = 0
        self._arrange()
        self.reveal()
        self.post_message(self.Captioned())

    def _columns(self) -> list[MediaColumn]:
        """What the runs in sight logged under the name."""
        band = self.band
        return [subject.history.media[band.key] for subject in band.subjects] if band is not None else []

    def _scrub_to(self, step: float | None) -> None:
        if step != self.step:
            self.go_to_step(step)
            self.post_message(self.Scrubbed(step))

    def action_scrub(self, by: int) -> None:
        """One step back or on; on from the last, the newest is followed."""
        columns = self._columns()
        bounds = media.ends(columns)
        if bounds is None or (self.step is None and by > 0):
            return
        found = media.neighbour(columns, self.step if self.step is not None else bounds[1], by)
        if found is not None or by > 0:
            self._scrub_to(found)

    def action_far(self, by: int) -> None:
        sheet = self.sheet
        if sheet is not None:
            self.left = max(0, min(self.left + by, len(sheet.widths) - 1))
            self.write()
            return
        for _ in range(10):
            self.action_scrub(by)

    def action_edge(self, by: int) -> None:
        bounds = media.ends(self._columns())
        if bounds is not None:
            self._scrub_to(bounds[0] if by < 0 else None)

    def action_go(self, by: int) -> None:
        if self.sheet is not None:
            self._scroll_rows(by)
            return
        names = self.names
        if self.key in names:
            self.go_to_key(names[max(0, min(names.index(self.key) + by, len(names) - 1))])

    def action_page(self, by: int) -> None:
        if self.sheet is not None:
            self._scroll_rows(by * max(1, self.size.height - media.AROUND - 2))
            return
        self.scroll_relative(y=by * self.size.height, animate=False)
        top = round(self.scroll_y)
        inside = [band for band in self._bands if not band.is_heading and top <= band.y < top + self.size.height]
        if inside:
            self.go_to_key(inside[0].key)

    def _scroll_rows(self, by: int) -> None:
        sheet = self.sheet
        if sheet is not None:
            self.top = max(0, min(self.top + by, len(sheet.rows) - 1))
            self.write()

    def action_alone(self) -> None:
        """The name under the cursor alone, or all again."""
        if self.band is not None:
            self.is_alone = not self.is_alone
            self.top = self.left = 0
            self._arrange()
            self.call_after_refresh(self.reveal)
            self.post_message(self.Opened())

    def leave(self) -> bool:
        """One step back: from one alone, then from a step; False where there is none."""
        if self.is_alone:
            self.action_alone()
        elif self.step is not None:
            self._scrub_to(None)
        else:
            return False
        return True

    def action_open(self) -> None:
        place = self.place
        trouble = open_outside(place) if place is not None else "there is no file"
        found = self.first
        what = fit(found[1].kind, 20).strip() if found is not None else "file"
        if trouble:
            self.notify(f"Not opened: {trouble}.", severity="warning", markup=False)
        else:
            self.notify(f"The {what} is being opened.", timeout=2, markup=False)

    def on_click(self, event: Click) -> None:
        y = self.cell_at(event).y + round(self.scroll_y)
        band = next((band for band in self._bands if band.y <= y < band.y + band.height and not band.is_heading), None)
        if band is None:
            return
        self.go_to_key(band.key)
        if event.chain > 1:
            self.action_alone()
