"""The media of the runs that are looked at: where they stand, when files are read, what is painted. No keys.

One widget knows where everything stands, as in `chart_grid`. Files are read and pictures made in a thread, one at a
time, of what is in sight only; the last ones are kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.color import Color
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.strip import Strip

from tracker.references import Reference
from tracker.stored import StoredRun
from tracker_tui import media, pictures
from tracker_tui.contents import Place, UnreadableError, read
from tracker_tui.graphics import Pixels, Placed
from tracker_tui.heat import SHADES, Heat, heat, number
from tracker_tui.look import fit
from tracker_tui.media import Band, Shown
from tracker_tui.pictures import Look, Picture
from tracker_tui.plot import Subject
from tracker_tui.sheets import MAX_READ, Sheet
from tracker_tui.widgets.lines import Painted, run_style
from tracker_tui.widgets.preview import look_of

if TYPE_CHECKING:
    from tracker_tui.app import TrackerApp

KEPT = 64
"""Pictures and maps that are kept."""
SHEETS_KEPT = 3
AGAIN = 3.0
"""Seconds after which a file that could not be read is tried again."""
MARGIN = 8
"""Cells left of a map."""

Made = Picture | Sheet | Heat | str
"""A picture, a table, a map, or why there is none."""
Cells = Sequence[tuple[str, str]]
"""Text and the name of its style."""


class MediaGrid(Painted, can_focus=True):
    """A band for every name of media, with the runs side by side.

    Args:
        place_of: where the file of a run is that a row names.
    """

    DEFAULT_CSS = """
    MediaGrid { scrollbar-gutter: stable; overflow-x: hidden; }
    MediaGrid .media--title { text-style: bold; }
    MediaGrid .media--heading { color: $text-accent; text-style: bold; }
    MediaGrid .media--value { color: $foreground; }
    MediaGrid .media--dim { color: $text-muted; }
    MediaGrid:ansi .media--dim { text-style: dim; }
    MediaGrid .media--rule { color: $frame; }
    MediaGrid .media--trouble { color: $text-warning; }
    MediaGrid .media--mark { color: $text-accent; text-style: bold; }
    MediaGrid .media--cursor { text-style: bold; }
    MediaGrid:focus .media--cursor { background: $primary-muted; text-style: bold; }
    MediaGrid:ansi .media--cursor { background: ansi_default; text-style: bold; }
    MediaGrid:ansi:focus .media--cursor { text-style: bold reverse; }
    """
    COMPONENT_CLASSES = {
        *("media--title", "media--heading", "media--value", "media--dim", "media--rule"),
        *("media--trouble", "media--mark", "media--cursor"),
    }

    class Captioned(Message):
        """What `caption` says is another."""

    class Opened(Message):
        """One name alone is shown, or all are again."""

    def __init__(self, place_of: Callable[[StoredRun, str], Place], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._place_of = place_of
        self.subjects: tuple[Subject, ...] = ()
        """The runs, the most important first."""
        self.step: float | None = None
        """What was logged up to this one is shown; None: the newest."""
        self.key = ""
        """The name under the cursor."""
        self.is_alone = False
        """Whether the name under the cursor has the pane for itself."""
        self.words: tuple[str, ...] = ()
        """What names must contain, in lower case."""
        self.top = self.left = 0
        """The first row and column of a table that has the pane for itself."""
        self._placed: set[Placed] = set()
        self._bands: list[Band] = []
        self._rows: dict[int, Strip] = {}
        self._made: OrderedDict[object, Made] = OrderedDict()
        self._before: dict[object, Made] = {}
        self._failed: dict[object, float] = {}
        self._wanted: dict[object, tuple[object, Callable[[], Made]]] = {}
        self._is_making = False

    # ---- what is shown ----

    def show(self, subjects: Sequence[Subject]) -> None:
        """Show what these runs logged, as it is now.

        Args:
            subjects: the runs, the topmost last.
        """
        self.subjects = tuple(reversed([subject for subject in subjects if subject.history.media]))
        self._arrange()

    def filter(self, text: str) -> None:
        """Show only names that contain every word of a text."""
        self.words = tuple(text.lower().split())
        self._arrange()
        self.post_message(self.Captioned())

    @property
    def band(self) -> Band | None:
        """What the cursor is on."""
        return next((band for band in self._bands if band.key == self.key and not band.is_heading), None)

    @property
    def names(self) -> list[str]:
        """All that pass the filter, in the order they stand in."""
        return [band.key for band in media.lay_out(self.subjects, self.words, 80, 24) if not band.is_heading]

    def shown(self, band: Band, subject: Subject) -> Shown | None:
        """What a run has in a band at the step."""
        column = media.column_of(subject, band.key)
        return media.shown_at(column, self.step) if column is not None else None

    @property
    def first(self) -> tuple[Subject, Reference] | None:
        """The run and the medium that keys are about: the first in the band under the cursor."""
        band = self.band
        for subject in band.subjects if band is not None else ():
            shown = self.shown(band, subject) if band is not None else None
            if shown is not None and shown.references:
                return subject, shown.references[0]
        return None

    @property
    def place(self) -> Place | None:
        """Where its file is; None where it has none."""
        found = self.first
        return self._place_of(found[0].run, found[1].path) if found is not None and found[1].path else None

    @property
    def caption(self) -> str:
        """What there is to know about the page as a whole."""
        parts = ["newest" if self.step is None else f"step {self.step:g}"]
        bands = [band for band in self._bands if not band.is_heading]
        hidden = max((band.hidden for band in bands), default=0)
        if self.words:
            parts.append(f"{len(bands)} of {len(media.names_of(self.subjects))} names")
        if hidden:
            parts.append(f"{len(self.subjects) - hidden} of {len(self.subjects)} runs side by side")
        return " · ".join(parts)

    # ---- where things stand ----

    def _arrange(self) -> None:
        width, height = self.scrollable_content_region.width, self.size.height
        if not width or not height:
            return
        names = self.names
        if self.key not in names:
            self.key = names[0] if names else ""
            if self.is_alone:
                self.is_alone = False
                self.post_message(self.Opened())
        self._bands = media.lay_out(self.subjects, self.words, width, height, self.key if self.is_alone else "")
        last = self._bands[-1] if self._bands else None
        bottom = last.y + last.height if last is not None else 0
        if self.virtual_size != (size := Size(width, max(bottom, height))):
            self.virtual_size = size
        if round(self.scroll_y) > (most := max(0, bottom - height)):
            self.scroll_to(y=most, animate=False, force=True)
        self.write()

    def on_mount(self) -> None:
        cast("TrackerApp", self.app).graphics_signal.subscribe(self, lambda _: self.on_resize())

    def on_resize(self) -> None:
        self._rows.clear()
        self._arrange()
        self.refresh()

    def on_show(self) -> None:
        cast("TrackerApp", self.app).ask_graphics()
        self.on_resize()

    def pictures(self) -> Iterable[Placed]:
        """What is in sight in pixels."""
        return self._placed if self.is_on_screen and self.size else ()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._rows.clear()

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self.write()

    def reveal(self) -> None:
        """Scroll the band under the cursor into sight."""
        band = self.band
        if band is None:
            return
        top, height = round(self.scroll_y), self.size.height
        above = any(each.is_heading and each.y == band.y - 1 for each in self._bands)
        if band.y - above < top or band.height >= height:
            self.scroll_to(y=band.y - above, animate=False)
        elif band.y + band.height > top + height:
            self.scroll_to(y=band.y + band.height - height, animate=False)

    # ---- making ----

    def _get(self, slot: object, key: object, make: Callable[[], Made]) -> Made | None:
        """What was made by a key, else what stood in its place before; what is not there yet will be made.

        Args:
            slot: the place.
            key: tells one order from all others.
            make: makes it, in a thread.
        """
        made = self._made.get(key)
        if made is not None and monotonic() - self._failed.get(key, monotonic()) < AGAIN:
            self._made.move_to_end(key)
            self._before[slot] = made
            return made
        self._wanted[key] = slot, make
        if not self._is_making and self.is_attached:
            self._is_making = True
            self._make()
        return made or self._before.get(slot)

    @work(group="media")
    async def _make(self) -> None:
        """Make what is wanted, one after the other; what is out of sight by then is not made."""
        try:
            while self._wanted and self.is_attached:
                key, (_, make) = next(iter(self._wanted.items()))
                made = await asyncio.to_thread(_tried, make)
                self._wanted.pop(key, None)
                self._failed.pop(key, None)
                if isinstance(made, str):
                    self._failed[key] = monotonic()
                self._made[key] = made
                self._forget()
                self.write()
        finally:
            self._is_making = False

    def _forget(self) -> None:
        """Keep only the last ones."""
        sheets = [key for key, made in self._made.items() if isinstance(made, Sheet)]
        for key in sheets[:-SHEETS_KEPT]:
            del self._made[key]
        while len(self._made) > KEPT:
            self._failed.pop(self._made.popitem(last=False)[0], None)
        if len(self._before) > KEPT:
            self._before.clear()

    @property
    def _inner(self) -> int:
        """Cells beside the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def look(self) -> Look:
        """What pictures are drawn for."""
        return look_of(self)

    # ---- writing ----

    def write(self) -> None:
        """Write what is in sight anew, and repaint the lines that differ."""
        if not self.is_on_screen or not self.size:
            return
        self._wanted.clear()
        pictures, self._placed = self._placed, set()
        top = round(self.scroll_y)
        before, self._rows = self._rows, {}
        for y in range(top, top + self.size.height):
            strip = self._rows[y] = self._line(y)
            if before.get(y) != strip:
                self.refresh(Region(0, y - top, self.size.width, 1))
        corner = self.scrollable_content_region.offset
        for each in pictures ^ self._placed:  # blank cells stay blank, and no frame would follow
            self.refresh(each.region.translate(-corner))

    def render_line(self, y: int) -> Strip:
        at = y + round(self.scroll_y)
        if at not in self._rows:
            self._rows[at] = self._line(at)
        return self._rows[at]

    def _line(self, y: int) -> Strip:
        width = self.size.width
        band = next((band for band in self._bands if band.y <= y < band.y + band.height), None)
        if band is None:
            why = "No name of media contains these words." if self.words and not self._bands and y == 0 else ""
            segments = self._written(((why, "dim"),))
        elif band.is_heading:
            name, count = fit(band.key, min(cell_len(band.key), width - 8)), f" {-band.body} "
            rule = "─" * max(0, self._inner - cell_len(name) - len(count))
            segments = self._written(((name, "heading"), (count, "dim"), (rule, "rule")))
        elif y == band.y:
            segments = self._title(band)
        else:
            segments = []
            for subject in band.subjects:
                segments += Strip(self._part(band, subject, y - band.y - 1)).adjust_cell_length(band.cell - 1)
                segments += self._written(((" ", ""),))
        return Strip(segments).adjust_cell_length(width, self.rich_style).apply_style(self.rich_style)

    def _title(self, band: Band) -> list[Segment]:
        room = self._inner
        kind = media.kind_of(band.subjects[0].history.media[band.key])
        more = f"  {band.hidden} more run{'s' * (band.hidden != 1)}" if band.hidden else ""
        style = "cursor" if band.key == self.key else "title"
        return self._written(((fit(band.key, min(cell_len(band.key), room)), style), (f"  {kind}{more}", "dim")))

    def _part(self, band: Band, subject: Subject, row: int) -> list[Segment]:
        """A line of one run's part: the run, the body, what is said of it."""
        shown = self.shown(band, subject)
        width = band.cell - 1
        if row == 0:
            return self._head(subject, shown, width)
        if shown is None or not shown.references:
            return self._written((("nothing up to this step" if row == 1 else "", "dim"),))
        if row <= band.body:
            return self._body(band, subject, shown, row - 1, width)
        return self._written(((fit(self._said(band, subject, shown, width), width), "dim"),))

    def _head(self, subject: Subject, shown: Shown | None, width: int) -> list[Segment]:
        step = f" step {shown.step:g}" if shown is not None else ""
        name = fit(subject.run.label, min(len(subject.run.label) + 4, width - len(step) - 2)).rstrip()
        return self._written(((f"{subject.sign} ", str(subject.number)), (name, "value"), (step, "dim")))

    def _said(self, band: Band, subject: Subject, shown: Shown, width: int) -> str:
        """Below the body."""
        first = shown.references[0]
        said = media.about(first)
        if first.kind == "table":
            made = self._sheet(subject, first)
            rows = first.record.get("nrows")
            total = rows if type(rows) is int else 0
            known = len(made.rows) if isinstance(made, Sheet) else 0
            read = f"first {known:,} of {total:,} rows" if total > known else f"{known:,} rows"
            said = " · ".join(filter(None, (read if known else "", said)))
        elif first.kind == "image" and len(shown.references) > 1:
            more = len(shown.references) - media.grid(shown.references, width, band.body).room
            said = " · ".join(filter(None, (f"+{more}" if more > 0 else "", said)))
        return said

    def _body(self, band: Band, subject: Subject, shown: Shown, row: int, width: int) -> list[Segment]:
        first = shown.references[0]
        if first.kind == "histogram":
            return self._heat_line(band, subject, row, width)
        if first.kind == "image" and self.look.way != "off":
            return self._picture_line(band, subject, shown, row, width)
        if first.trouble or not first.path:
            why = first.trouble or "its row names no file of this run"
            return self._written(((fit(why, width) if row == 0 else "", "trouble"),))
        if first.kind == "table":
            return self._table_line(subject, first, row, width)
        texts = (media.facts_of(first), first.path)
        return self._written(((fit(texts[row], width) if row < len(texts) else "", ("value", "dim")[row > 0]),))

    # ---- kinds ----

    def _picture_line(self, band: Band, subject: Subject, shown: Shown, row: int, width: int) -> list[Segment]:
        grid = media.grid(shown.references, width, band.body)
        line, inside = divmod(row, grid.height + 1)
        if line >= grid.rows or inside == grid.height:
            return []
        x = band.subjects.index(subject) * band.cell
        segments: list[Segment] = []
        for index in range(grid.columns):
            at = line * grid.columns + index
            corner = Offset(x + index * (grid.width + 1), band.y + 2 + line * (grid.height + 1))
            strip = Strip([])
            if at < len(shown.references):
                size = grid.width, grid.height
                strip = self._picture_row(band, subject, shown.references[at], corner, inside, size)
            segments += [
                *strip.adjust_cell_length(grid.width),
                *self._written(((" " * (index < grid.columns - 1), ""),)),
            ]
        return segments

    def _picture_row(
        self, band: Band, subject: Subject, reference: Reference, corner: Offset, row: int, size: tuple[int, int]
    ) -> Strip:
        """A line of a picture that begins at a corner and has so many cells and lines."""
        if reference.trouble or not reference.path:
            made: Made | None = reference.trouble or "its row names no file of this run"
        else:
            place, look = self._place_of(subject.run, reference.path), self.look
            slot = (subject.run.key, band.key, corner)
            made = self._get(slot, (place.key, size, look), lambda: pictures.drawn(read(place), *size, look))
        if isinstance(made, Picture):
            if made.pixels is not None and self._place(made.pixels, corner):
                return Strip([])
            return made.rows[row] if row < len(made.rows) else Strip([])
        text = made if isinstance(made, str) else "reading…" if made is None else ""
        return Strip(self._written(((fit(text, size[0]) if row == 0 else "", "trouble" if made else "dim"),)))

    def _place(self, pixels: Pixels, corner: Offset) -> bool:
        """Put a picture on the screen in pixels; False where not all of it is in sight."""
        inside = self.scrollable_content_region
        region = Region(*(corner - Offset(0, round(self.scroll_y)) + inside.offset), pixels.width, pixels.height)
        if not inside.contains_region(region) or not self.screen.region.contains_region(region):
            return False
        self._placed.add(Placed(region.x, region.y, pixels))
        return True

    def _sheet(self, subject: Subject, reference: Reference) -> Made | None:
        place = self._place_of(subject.run, reference.path)
        slot = subject.run.key, "sheet"
        return self._get(slot, place.key, lambda: Sheet(read(place, MAX_READ, is_start=True)))

    @property
    def sheet(self) -> Sheet | None:
        """The table under the cursor, if it has the pane for itself and was read."""
        found = self.first
        if not self.is_alone or found is None or found[1].kind != "table" or not found[1].path:
            return None
        made = self._sheet(*found)
        return made if isinstance(made, Sheet) else None

    def _table_line(self, subject: Subject, reference: Reference, row: int, width: int) -> list[Segment]:
        made = self._sheet(subject, reference)
        if not isinstance(made, Sheet):
            text = made if isinstance(made, str) else "reading…"
            return self._written(((fit(text, width) if row == 0 else "", "trouble" if made else "dim"),))
        left, top = (self.left, self.top) if self.is_alone else (0, 0)
        if row == 0:
            return self._written(((made.line(-1, left, width), "title"),))
        at = top + row - 1
        return self._written(((made.line(at, left, width) if at < len(made.rows) else "", "value"),))

    def _heat_line(self, band: Band, subject: Subject, row: int, width: int) -> list[Segment]:
        column = subject.history.media[band.key]
        height, inner = max(1, band.body - 1), max(1, width - MARGIN)
        stamp = (len(column.steps), column.rewrites, column.steps[-1] if column.steps else 0.0)
        key = (subject.run.key, band.key, stamp, inner, height)
        made = self._get(key[:2], key, lambda: heat(column, inner, 2 * height) or "no histogram that can be shown")
        if not isinstance(made, Heat):
            text = made if isinstance(made, str) else "reading…"
            return self._written(((fit(text, width) if row == 0 else "", "trouble" if made else "dim"),))
        at = made.column_of(self.step) if self.step is not None and self.step >= made.first else None
        if row >= height:
            return self._written(_axis(made, inner, at))
        bound = number(made.high) if row == 0 else number(made.low) if row == height - 1 else ""
        left = self._written(((bound.rjust(MARGIN - 1)[: MARGIN - 1] + " ", "dim"),))
        upper, lower = made.rows[2 * row : 2 * row + 2] if 2 * row + 1 < len(made.rows) else ([0.0], [0.0])
        return left + self._heat_cells(upper, lower, subject.number)

    def _heat_cells(self, upper: Sequence[float], lower: Sequence[float], run: int) -> list[Segment]:
        """Two rows of a map in one line, in the colour of its run."""
        look = self.look
        if look.is_shaded:
            signs = (
                SHADES[min(4, int((a + b) / 2 * 4.999 + 0.3 * (a + b > 0)))] for a, b in zip(upper, lower, strict=True)
            )
            return [Segment("".join(signs), run_style(self, run))]
        colours = cast("TrackerApp", self.app).run_colours
        background, top = Color(*look.background), colours[run % len(colours)]
        ramp = [background.blend(top, level / 31).rgb for level in range(32)]
        return pictures.joined(
            ("▀", pictures.two_colours(*ramp[int(a * 31)], *ramp[int(b * 31)]))
            for a, b in zip(upper, lower, strict=True)
        )

    # ---- styles ----

    def _written(self, cells: Cells) -> list[Segment]:
        return [Segment(text, self._style(name)) for text, name in cells if text]

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self.rich_style
            if name.isdigit():
                style += run_style(self, int(name))
            elif name:
                found = self.get_component_rich_style(f"media--{name}")
                background = found.bgcolor if name == "cursor" else None
                style += Style(
                    color=found.color, bgcolor=background, bold=found.bold, reverse=found.reverse, dim=found.dim
                )
            self._styles[name] = style
        return style


def _tried(make: Callable[[], Any]) -> Made:
    """What was made, or why it was not."""
    try:
        made: Made = make()
    except UnreadableError as error:
        return str(error)
    except Exception as error:  # of a decoder, for a file that anybody may have written
        return f"cannot be shown ({type(error).__name__})"
    return made


def _axis(made: Heat, width: int, at: int | None) -> Cells:
    """Below a map: its steps, and the one that is looked at."""
    first, last = f"{made.first:g}", f"{made.last:g}"
    text = first + last.rjust(max(len(last) + 1, width - len(first)))
    margin = (" " * MARGIN, "")
    if at is None:
        return (margin, (text[:width], "dim"))
    text = text.ljust(width)[:width]
    return (margin, (text[:at], "dim"), ("▲", "mark"), (text[at + 1 :], "dim"))
