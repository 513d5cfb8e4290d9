"""A pane of lines that are asked for only when they are seen, and repainted only when they differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.events import Click, MouseEvent
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from tracker_tui.app import TrackerApp

WORTH_A_JUMP = 20
"""Cells that stay as they are for which it is cheaper to move the cursor than to write them."""

Cell = tuple[str, str]
"""Text and the name of its style: a component class of `Lines`, or "" for plain."""
Line = tuple[Cell, ...]


class Painted(ScrollView):
    """A pane that paints its own lines, and keeps the styles it paints with until theme or focus change."""

    ALLOW_MAXIMIZE = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.auto_links = False
        self._styles: dict[object, Style] = {}

    def cell_at(self, event: MouseEvent) -> Offset:
        """The cell under the mouse, from where the content begins: an event counts from the border."""
        return event.offset - self.gutter.top_left

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()

    def watch_has_focus(self, focused: bool) -> None:
        super().watch_has_focus(focused)
        self._styles.clear()
        self.refresh()


class Lines(Painted, can_focus=True):
    """A scrolling list with an optional cursor and an optional fixed header.

    A subclass says how many lines there are and what each holds; after anything changed, `update_lines` repaints the
    visible ones that differ.
    """

    DEFAULT_CSS = """
    Lines {
        overflow-x: hidden;
    }
    Lines .lines--dim { color: $text-muted; }
    Lines:ansi .lines--dim, Lines:ansi .lines--spark { text-style: dim; }
    Lines .lines--strong { text-style: bold; }
    Lines .lines--heading { color: $text-accent; text-style: bold; }
    Lines .lines--value { color: $foreground; }
    Lines .lines--spark { color: $text-secondary 65%; }
    Lines .lines--best { color: $text-success; text-style: bold; }
    Lines .lines--error { color: $text-error; }
    Lines .lines--pending { color: $text-muted; }
    Lines .lines--running { color: $text-success; }
    Lines .lines--finished { color: $text-secondary; }
    Lines .lines--failed { color: $text-error; }
    Lines .lines--killed { color: $text-warning; }
    Lines .lines--crashed { color: $text-error; }
    Lines .lines--cursor { background: $foreground 8%; }
    Lines:focus .lines--cursor { background: $primary-muted; text-style: bold; }
    Lines:ansi .lines--cursor { background: ansi_default; text-style: underline; }
    Lines:ansi:focus .lines--cursor { text-style: bold reverse; }
    """
    COMPONENT_CLASSES = {
        "lines--dim",
        "lines--strong",
        "lines--heading",
        "lines--value",
        "lines--spark",
        "lines--best",
        "lines--error",
        "lines--pending",
        "lines--running",
        "lines--finished",
        "lines--failed",
        "lines--killed",
        "lines--crashed",
        "lines--cursor",
    }
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", id="lines.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", id="lines.down", tooltip="One line down"),
        Binding("pageup", "page(-1)", "Page up", id="lines.page-up", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", id="lines.page-down", tooltip="One page down"),
        Binding("home", "edge(-1)", "First", id="lines.first", tooltip="To the first line"),
        Binding("end", "edge(1)", "Last", id="lines.last", tooltip="To the last line"),
        Binding("enter", "choose", "Open", id="lines.open", tooltip="Open what is under the cursor"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor came to another line."""

        lines: Lines

        @property
        def control(self) -> Lines:
            return self.lines

    @dataclass
    class Chosen(Message):
        """The line under the cursor was opened."""

        lines: Lines

        @property
        def control(self) -> Lines:
            return self.lines

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.cursor: int | None = None
        """The line under the cursor; None for a pane that only scrolls."""
        self._painted: dict[int, tuple[Line, bool]] = {}

    # ---- what a subclass says ----

    def line_count(self) -> int:
        """How many lines there are, the header not counted."""
        raise NotImplementedError

    def line(self, index: int, width: int) -> Line:
        """A line's cells; what is over the width is cut."""
        raise NotImplementedError

    def header(self, width: int) -> Line | None:
        """A first line that never scrolls."""
        return None

    # ---- painting ----

    def update_lines(self) -> None:
        """Take notice that lines may have changed: repaint the visible ones that differ from what was painted."""
        count = self.line_count()
        if self.cursor is not None:
            self.cursor = max(0, min(self.cursor, count - 1))
        self._set_virtual_size(Size(self.size.width, count + self._header_rows))
        for y in range(self.size.height):
            painted = self._painted.get(y)
            if painted is None or painted == (content := self._content(y)):
                continue
            if painted[1] != content[1]:  # the cursor came or went
                self.refresh(Region(0, y, self.size.width, 1))
            else:
                for first, last in differences(painted[0], content[0]):
                    self.refresh(Region(first, y, last - first, 1))

    def _set_virtual_size(self, size: Size) -> None:
        before = self.virtual_size
        if self.show_vertical_scrollbar and size.width == before.width and size.height > before.height:
            self.set_reactive(Lines.virtual_size, size)  # what scrolls already needs no new layout
            self.vertical_scrollbar.window_virtual_size = size.height
        elif size != before:
            self.virtual_size = size

    @property
    def _header_rows(self) -> int:
        return 1 if self.header(self._width) is not None else 0

    @property
    def _width(self) -> int:
        """Cells beside the scroll bar."""
        return self.scrollable_content_region.width

    def _content(self, y: int) -> tuple[Line, bool]:
        """The cells of a row of the screen and whether the cursor is on it."""
        width = self._width
        header = self.header(width)
        if header is not None:
            if y == 0:
                return header, False
            y -= 1
        index = y + round(self.scroll_y)
        if index >= self.line_count():
            return (), False
        return self.line(index, width), index == self.cursor

    def render_line(self, y: int) -> Strip:
        content = self._painted[y] = self._content(y)
        line, is_cursor = content
        width = self.size.width
        segments = [Segment(text, self._style(name, is_cursor)) for text, name in line]
        return Strip(segments).adjust_cell_length(width, self._style("", is_cursor))

    def _style(self, name: str, is_cursor: bool) -> Style:
        key = (name, is_cursor)
        style = self._styles.get(key)
        if style is None:
            style = self.rich_style
            if name.isdigit():
                style += run_style(self, int(name))
            elif name:
                found = self.get_component_rich_style(f"lines--{name}")
                style += Style(color=found.color, bold=found.bold, dim=found.dim)
            if is_cursor:
                found = self.get_component_rich_style("lines--cursor")
                if found.reverse:  # all of one colour, as it becomes the background
                    style = self.rich_style
                style += Style(
                    bgcolor=found.bgcolor, bold=found.bold or None, reverse=found.reverse, underline=found.underline
                )
            self._styles[key] = style
        return style

    def on_resize(self) -> None:
        self._repaint()

    def on_show(self) -> None:
        self._repaint()

    def _repaint(self) -> None:
        """Paint every line: what changed while the pane was hidden was not asked for, and is cached as it was."""
        self._painted.clear()
        self.update_lines()
        self.scroll_to_cursor()
        self.refresh()

    # ---- moving ----

    def move_to(self, index: int) -> None:
        """Put the cursor on a line and tell."""
        index = max(0, min(index, self.line_count() - 1))
        if self.cursor is None or self.line_count() == 0:
            return
        moved = index != self.cursor
        self.cursor = index
        self.update_lines()
        self.scroll_to_cursor()
        if moved:
            self.post_message(self.Moved(self))

    def keep_cursor(self, index: int) -> None:
        """The lines have changed and what the cursor was on is now here: keep it at its height on the screen."""
        moved = index - (self.cursor or 0)
        self.cursor = index
        self.update_lines()
        if moved:
            self.scroll_to(y=max(0, round(self.scroll_y) + moved), animate=False, force=True)
        self.scroll_to_cursor()

    def watch_show_vertical_scrollbar(self, is_shown: bool) -> None:
        """A bar that comes after the scrolling knows nothing of it."""
        if is_shown:
            self.vertical_scrollbar.position = self.scroll_y

    def cursor_row(self) -> int:
        """The row of this widget that the cursor is on."""
        return (self.cursor or 0) - round(self.scroll_y) + self._header_rows

    def scroll_to_cursor(self) -> None:
        """Scroll as little as shows the line under the cursor."""
        if self.cursor is None:
            return
        room = self.size.height - self._header_rows
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif room > 0 and self.cursor >= top + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False, force=True)

    def show_from(self, index: int) -> None:
        """Scroll so that a line is the first, as far as there are lines to fill the pane."""
        most = max(0, self.line_count() - (self.size.height - self._header_rows))
        self.scroll_to(y=max(0, min(index, most)), animate=False, force=True)

    def action_move(self, by: int) -> None:
        if self.cursor is None:
            self.scroll_relative(y=by, animate=False)
        else:
            self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - self._header_rows - 1))

    def action_edge(self, by: int) -> None:
        self.action_move(by * self.line_count())

    def action_choose(self) -> None:
        if self.cursor is not None and self.line_count():
            self.post_message(self.Chosen(self))

    def on_click(self, event: Click) -> None:
        cell = self.cell_at(event)
        index = cell.y - self._header_rows + round(self.scroll_y)
        if index < round(self.scroll_y):
            self.header_clicked(cell.x)
        elif self.cursor is not None and index < self.line_count():
            is_there = index == self.cursor
            self.move_to(index)
            self.line_clicked(index, cell.x, is_again=is_there and event.chain > 1)

    def header_clicked(self, x: int) -> None:
        """The header was clicked at a cell."""

    def line_clicked(self, index: int, x: int, is_again: bool) -> None:
        """A line was clicked at a cell, and has the cursor now; the second click of two opens it."""
        if is_again:
            self.action_choose()


def run_style(widget: Widget, number: int, is_faint: bool = False) -> Style:
    """The colour of a run by its number, nearer to the background for what stands behind."""
    colours = cast("TrackerApp", widget.app).run_colours
    colour = colours[number % len(colours)]
    if is_faint and colour.ansi is None:
        _, background = widget.background_colors
        colour = colour.blend(background, 0.6)
    return Style(color=colour.rich_color, dim=(is_faint and colour.ansi is not None) or None)


def differences(old: Iterable[tuple[str, object]], new: Iterable[tuple[str, object]]) -> list[tuple[int, int]]:
    """The stretches of cells in which two lines differ: the first of each, and the one after its last."""
    before, after = list(_cells(old)), list(_cells(new))
    if len(before) != len(after):
        blank = (" ", "")
        length = max(len(before), len(after))
        before += [blank] * (length - len(before))
        after += [blank] * (length - len(after))
    found: list[tuple[int, int]] = []
    for x, (was, now) in enumerate(zip(before, after, strict=True)):
        if was != now:
            if found and x - found[-1][1] < WORTH_A_JUMP:
                found[-1] = found[-1][0], x + 1
            else:
                found.append((x, x + 1))
    return found


def _cells(line: Iterable[tuple[str, object]]) -> Iterable[tuple[str, object]]:
    """One text and style a cell; a wide character's second cell has no text."""
    for text, style in line:
        for sign in text:
            yield sign, style
            if not sign.isascii():
                yield from [("", style)] * (cell_len(sign) - 1)
