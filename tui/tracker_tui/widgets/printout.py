"""What a run printed, as it grows: only the lines on the screen are read. Searching, copying, the step of each line."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from time import localtime, strftime

from rich.ansi import AnsiDecoder
from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual import work
from textual.binding import Binding
from textual.events import MouseScrollDown, MouseScrollUp
from textual.geometry import Size
from textual.message import Message

from tracker.catalog import Catalog
from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui.console import Console, Hits, Printed
from tracker_tui.facts import why_silent
from tracker_tui.widgets.lines import Cell, Line, Lines

POLL = 0.25
"""Seconds between two looks at what a running job prints."""
FAR_POLL = 0.5
"""The same on another machine."""
CALM = 3.0
"""Seconds between two looks where nothing runs."""
AHEAD = 100
"""Lines that are read beside those on the screen."""
SIDE = 16
"""Cells by which long lines are moved sideways."""
MAX_COPY = 10_000
"""Lines that are copied at once."""
STDERR, SELECTED = "▌", "┃"


class Printout(Lines):
    """The lines of one run's console. While the cursor is on the last line it follows what is printed."""

    DEFAULT_CSS = """
    Printout .lines--warning { color: $text-warning; }
    Printout .lines--hit { color: $foreground; text-style: reverse; }
    """
    COMPONENT_CLASSES = {"lines--warning", "lines--hit"}
    BINDINGS = [
        Binding("left,h", "side(-1)", "Left", id="console.left", tooltip="Long lines to the left"),
        Binding("right,l", "side(1)", "Right", id="console.right", tooltip="Long lines to the right"),
        Binding("enter", "choose", "Alone", id="console.alone", tooltip="The console alone, or with the rest"),
        Binding("f", "screen.filter", "Search", id="console.find", tooltip="Find words in all lines"),
        Binding("n", "hit(1)", "Next", id="console.next", tooltip="To the next line with the words (f finds)"),
        Binding("N", "hit(-1)", "Before", id="console.before", tooltip="To the line with the words before"),
        Binding("G", "edge(1)", "Follow", id="console.follow", tooltip="To the last line, and follow"),
        Binding("T", "times", "Times", id="console.times", tooltip="Show when each line was printed"),
        Binding("v", "select", "Select", id="console.select", tooltip="Select lines from here on; y copies them"),
        Binding("y", "copy_lines", "Copy", id="console.copy", tooltip="Copy the line, or those selected"),
    ]

    @dataclass
    class Pointed(Message):
        """The cursor was moved to a line that was printed at a step; None where none was logged by then."""

        step: int | None

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.cursor = 0
        self.console: Console | None = None
        self._run: StoredRun | None = None
        self._catalog: Catalog | None = None
        self._wake = asyncio.Event()
        self._follows = True
        self._has_times = False
        self._left = 0
        self._is_pointing = False
        self._wanted: float | None = None
        """The step to go to once the pane is seen and read."""
        self._selected: int | None = None
        self._trouble = ""
        self._hits = Hits()

    def on_mount(self) -> None:
        self._keep_reading()

    # ---- what is shown ----

    @property
    def run(self) -> StoredRun | None:
        """Whose lines they are."""
        return self._run

    def show(self, run: StoredRun | None, catalog: Catalog | None) -> None:
        """Show what a run printed; None: nothing."""
        before = self._run
        self._run, self._catalog = run, catalog
        if run is None or catalog is None:
            if self.console is not None:
                self._begin(None)
        elif self.console is None or not self.console.is_of(run):
            words = self.words if before is not None and before.key == run.key else ""  # it was resumed
            self._begin(Console(catalog, run))
            if words:
                self.find(words)
        elif before is not None:
            self.update_lines()

    def _begin(self, console: Console | None) -> None:
        self.console = console
        self._follows, self._left, self._selected, self._trouble = True, 0, None, ""
        self._hits = Hits()
        self.cursor = 0
        self.update_lines()
        self._wake.set()

    def line_count(self) -> int:
        return self.console.total + len(self.console.live) if self.console is not None else 0

    def _printed(self, index: int) -> Printed | None:
        """A line, if it is here."""
        console = self.console
        if console is None:
            return None
        if index >= console.total:
            return console.live[index - console.total] if index - console.total < len(console.live) else None
        return console.known.get(index)

    def line(self, index: int, width: int) -> Line:
        printed = self._printed(index)
        if printed is None:
            return (("  …", "dim"),)
        low, high = self._selection()
        cells: list[Cell] = [
            (SELECTED if self._selected is not None and low <= index <= high else " ", "heading"),
            (STDERR if printed.stream == "stderr" else " ", "warning"),
        ]
        if self._has_times:
            time = strftime("%H:%M:%S ", localtime(printed.time)) if printed.time is not None else " " * 9
            cells.append((time, "dim"))
        plain = "dim" if printed.is_live or printed.stream == "tracker" else ""
        texts = [(text, f"sgr {sgr}" if sgr else plain) for text, sgr in printed.parts]
        room = width - sum(cell_len(text) for text, _ in cells)
        return (*cells, *_window(self._marked(texts), self._left, room))

    def _marked(self, texts: list[Cell]) -> list[Cell]:
        """The words that are searched stand out."""
        whole = "".join(text for text, _ in texts)
        places = list(self._hits.places(whole))
        if not places:
            return texts
        styles = [style for text, style in texts for _ in text]
        for at in places:
            styles[at : at + len(self.words)] = ["hit"] * len(self.words)
        cells: list[Cell] = []
        for sign, style in zip(whole, styles, strict=True):
            if cells and cells[-1][1] == style:
                cells[-1] = cells[-1][0] + sign, style
            else:
                cells.append((sign, style))
        return cells

    def header(self, width: int) -> Line | None:
        """Where the cursor is, and what is going on."""
        if self._trouble:
            return ((f"  {self._trouble}", "error"),)
        if self.console is None:
            return (("  Put the cursor on a run to see what it printed.", "dim"),)
        count = self.line_count()
        if not count:
            return (("  " + (why_silent(self._run) if self._run is not None and self.console.is_read else "…"), "dim"),)
        where: Line = ((f"  line {min((self.cursor or 0) + 1, count):,} of {count:,}", "dim"),)
        if self.words:
            where += ((f" · {self._hits.count(self.cursor or 0)} with ", "dim"), (clean(self.words), "strong"))
        if self._run is not None and self._run.state == "running":
            where += ((" · following", "running"),) if self._follows else ((" · G follows", "dim"),)
        return tuple(_window([*where, *((f" · {part}", "dim") for part in self._details())], 0, width))

    def _details(self) -> list[str]:
        """What else there is to say of where the cursor is."""
        parts = []
        printed = self._printed(self.cursor or 0)
        if printed is not None and printed.step is not None:
            parts.append(f"step {printed.step:,}")
        if printed is not None and printed.time is not None and not self._has_times:
            parts.append(strftime("%H:%M:%S", localtime(printed.time)))
        if self._selected is not None:
            low, high = self._selection()
            parts.insert(0, f"{high - low + 1:,} selected")
        if self._left:
            parts.append(f"from column {self._left + 1}, home: from the first")
        return parts

    def _style(self, name: str, is_cursor: bool) -> Style:
        key = (name, is_cursor)
        if name.startswith("sgr ") and key not in self._styles:
            self._styles[key] = super()._style("", is_cursor) + style_of(name[4:])
        elif name == "hit" and key not in self._styles:
            self._styles[key] = super()._style("", is_cursor) + Style(reverse=True, bold=True)
        return super()._style(name, is_cursor)

    # ---- reading ----

    @property
    def _is_seen(self) -> bool:
        return bool(self.is_on_screen and self.size)

    def on_show(self) -> None:
        super().on_show()
        self._wake.set()

    def on_resize(self) -> None:
        super().on_resize()
        self._wake.set()

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Repaint the cells that differ, not all of the pane: lines are much alike."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new
        if round(old) != round(new):
            self.update_lines()
            self._wake.set()

    @work(group="read")
    async def _keep_reading(self) -> None:
        """Read what is new at the end, and what is on the screen, for as long as anybody sees it."""
        while True:
            self._wake.clear()
            console = self.console
            if console is not None and self._is_seen:
                try:
                    await self._read(console)
                    trouble = ""
                except (OSError, ValueError) as error:
                    trouble = clean(error)
                if self._wanted is not None:
                    self.go_to_step(self._wanted)
                if console is self.console and trouble != self._trouble:
                    self._trouble = trouble
                    self.update_lines()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._pace())

    def _pace(self) -> float | None:
        """Seconds until the next look; None: until something happens here."""
        if self.console is None or not self._is_seen:
            return None
        if self._run is None or self._run.state != "running" or self._catalog is None:
            return CALM
        return FAR_POLL if self._catalog.files.is_far else POLL

    async def _read(self, console: Console) -> None:
        news = await asyncio.to_thread(console.read_end)
        if console is not self.console:
            return
        if news is not None:
            before = console.total
            console.take(news)
            self._show_news()
            if self.words and not self._hits.is_searching and console.total > before:
                await self._search_on(console)
        while (first := self._first_missing()) is not None:
            if not await self._fetch(console, first, self.size.height + AHEAD):
                return
            self._point()
            self.update_lines()

    async def _fetch(self, console: Console, first: int, count: int) -> bool:
        """Read some lines from a number on, the first of them at least; False where another console is shown now."""
        found = await asyncio.to_thread(console.read, first, count)
        if console is not self.console or not found.lines:
            return False
        console.take(found)
        return True

    def _first_missing(self) -> int | None:
        """The first line on the screen, or that of the cursor, which is not here; a little above it, to read ahead."""
        console = self.console
        if console is None:
            return None
        top, height = round(self.scroll_y), self.size.height
        indexes: list[int] = [*range(top, min(top + height, console.total)), self.cursor or 0]
        for index in indexes:
            if index < console.total and index not in console.known:
                above = max(0, index - height)
                return above if above not in console.known else index
        return None

    def _show_news(self) -> None:
        count = self.line_count()
        if self._follows and count:
            self.cursor = count - 1
        self._set_virtual_size(Size(self.size.width, count + self._header_rows))
        self.scroll_to_cursor()
        self.update_lines()

    # ---- moving ----

    def move_to(self, index: int) -> None:
        before = self.cursor
        self._follows = index >= self.line_count() - 1
        super().move_to(index)
        if self.cursor != before:
            self._is_pointing = True
            self._point()
            self._wake.set()

    def _point(self) -> None:
        """Tell the step of the line that the cursor was moved to, once the line is here."""
        printed = self._printed(self.cursor or 0)
        if self._is_pointing and printed is not None:
            self._is_pointing = False
            self.post_message(self.Pointed(printed.step))

    def action_page(self, by: int) -> None:
        """As a pager does: the page moves, and the cursor with it."""
        self.scroll_relative(y=by * max(1, self.size.height - 2), animate=False, force=True)
        super().action_page(by)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._follows = False

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        if round(self.scroll_y) >= self.max_scroll_y:
            self.move_to(self.line_count() - 1)

    def _look_around(self, index: int) -> None:
        """Where a jump leads out of sight, let there be lines before and after it."""
        room = self.size.height - self._header_rows
        if not 0 <= index - round(self.scroll_y) < room:
            self.scroll_to(y=max(0, index - room // 2), animate=False, force=True)

    def _jump_to(self, index: int) -> None:
        self._look_around(index)
        self.move_to(index)

    def action_edge(self, by: int) -> None:
        if by < 0:
            self._left = 0
        super().action_edge(by)

    def action_side(self, by: int) -> None:
        top = round(self.scroll_y)
        seen = [self._printed(index) for index in range(top, top + self.size.height)]
        longest = max((cell_len(printed.text) for printed in seen if printed is not None), default=0)
        self._left = max(0, min(self._left + by * SIDE, longest - SIDE))
        self.update_lines()

    def action_times(self) -> None:
        self._has_times = not self._has_times
        self.update_lines()

    @work(group="point", exclusive=True)
    async def go_to_step(self, step: float | None) -> None:
        """Put the cursor on the first line that was printed at a step, once the pane is read; None: nowhere."""
        self._wanted = step
        console = self.console
        if step is None or not self._is_seen or console is None or not console.total:
            return
        self._wanted = None
        with suppress(OSError, ValueError):
            number = await asyncio.to_thread(console.line_at, "_step", step)
            if console is self.console:
                self.cursor, self._follows, self._is_pointing = number, False, False
                self._look_around(number)
                self.update_lines()
                self._wake.set()

    # ---- selecting ----

    def _selection(self) -> tuple[int, int]:
        """The first and the last line that are copied."""
        cursor = self.cursor or 0
        other = self._selected if self._selected is not None else cursor
        return min(cursor, other), max(cursor, other)

    @property
    def is_selecting(self) -> bool:
        """Whether lines are being selected."""
        return self._selected is not None

    def action_select(self) -> None:
        self._selected = None if self._selected is not None else self.cursor
        self.update_lines()

    def leave(self) -> bool:
        """One step back: from what is selected, from words; False where there is none."""
        if self._selected is not None:
            self._selected = None
        elif self.words:
            self.find("")
        else:
            return False
        self.update_lines()
        return True

    @work(group="copy", exclusive=True)
    async def action_copy_lines(self) -> None:
        """Copy what is selected, else the line under the cursor."""
        console = self.console
        if console is None or not self.line_count():
            return
        low, high = self._selection()
        high = min(high, low + MAX_COPY - 1)
        try:
            while (missing := next((n for n in range(low, high + 1) if self._printed(n) is None), None)) is not None:
                if not await self._fetch(console, missing, high + 1 - missing):
                    return
        except (OSError, ValueError) as error:
            self.notify(clean(error), severity="error", markup=False)
            return
        lines = [printed.text for n in range(low, high + 1) if (printed := self._printed(n)) is not None]
        self.app.copy_to_clipboard("\n".join(lines))
        said = f"{len(lines):,} lines" if len(lines) != 1 else clean(lines[0], 60)
        self.notify(f"Copied: {said}", markup=False, timeout=2)
        self._selected = None
        self.update_lines()

    # ---- searching ----

    @property
    def words(self) -> str:
        """What is searched."""
        return self._hits.words

    def find(self, words: str) -> None:
        """Search all lines for words, from the last one on, and go to the nearest; empty: search no more."""
        self._hits = Hits(words)
        self.workers.cancel_group(self, "find")
        if words and self.console is not None:
            self._search(self.console, self._hits)
        self.update_lines()

    @work(group="find", exclusive=True)
    async def _search(self, console: Console, hits: Hits) -> None:
        hits.is_searching = True
        is_there = False
        try:
            if not console.is_read and (news := await asyncio.to_thread(console.read_end)) is not None:
                console.take(news)
            hits.searched = console.size
            searching = console.search(hits.words)
            while (found := await asyncio.to_thread(next, searching, None)) is not None:
                hits.add(found)
                nearest = hits.last_until(self.cursor or 0)
                if not is_there and nearest is not None:
                    is_there = True
                    self._jump_to(nearest)
                self.update_lines()
        except (OSError, ValueError) as error:
            self.notify(clean(error), severity="error", markup=False)
        hits.is_searching = False
        if not is_there and hits.numbers:
            self._jump_to(hits.numbers[0])
        self.update_lines()

    async def _search_on(self, console: Console) -> None:
        """Search what was printed since."""
        hits = self._hits
        start, hits.searched = hits.searched, console.size
        for found in await asyncio.to_thread(lambda: list(console.search(hits.words, start))):
            hits.add(found)
        self.update_lines()

    def action_hit(self, by: int) -> None:
        number = self._hits.next(self.cursor or 0, by)
        if number is not None:
            self._jump_to(number)
        elif not self.words:
            self.notify("f finds words; n and N go to the next line with them, and to the one before.")


def _window(cells: list[Cell], left: int, width: int) -> list[Cell]:
    """So many cells of a line, from a place on; `…` where there is more."""
    if left <= 0 and sum(cell_len(text) for text, _ in cells) <= width:
        return cells
    shown: list[Cell] = []
    at = 0
    for text, style in cells:
        end = at + cell_len(text)
        if end > left and at < left + width:
            text = _cut(text, max(0, left - at), min(end, left + width) - max(at, left))
            shown.append((text, style))
        at = end
    if at > left + width and shown:
        text, style = shown[-1]
        shown[-1] = set_cell_size(text, cell_len(text) - 1), style
        shown.append(("…", "dim"))
    return shown


def _cut(text: str, start: int, width: int) -> str:
    """So many cells of a text from a cell on."""
    at = 0
    for index, sign in enumerate(text):
        if at >= start:
            return set_cell_size(text[index:], width)
        at += cell_len(sign)
    return " " * width


@lru_cache(1024)
def style_of(sgr: str) -> Style:
    """How text after an SGR sequence looks; what would hide it or make it blink is left out."""
    text = AnsiDecoder().decode_line(f"\x1b[{sgr}mx")
    found = next((span.style for span in text.spans if isinstance(span.style, Style)), Style())
    return Style(
        color=found.color,
        bgcolor=found.bgcolor,
        bold=found.bold,
        dim=found.dim,
        italic=found.italic,
        underline=found.underline,
        reverse=found.reverse,
        strike=found.strike,
    )
