"""What is in one file: the beginning of a text, an image, or what it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip

from tracker_tui.graphics import Placed
from tracker_tui.pictures import USUAL_CELL, Look, Picture
from tracker_tui.widgets.lines import Painted

if TYPE_CHECKING:
    from tracker_tui.app import TrackerApp


def look_of(widget: Painted) -> Look:
    """What images are drawn for on a widget."""
    app = cast("TrackerApp", widget.app)
    theme, told = app.current_theme, app.graphics
    _, background = widget.background_colors
    return Look(background.rgb, theme.ansi or app.no_color, theme.dark, told.way, told.cell or USUAL_CELL)


class Preview(Painted, can_focus=True):
    """Lines that scroll, or a picture."""

    DEFAULT_CSS = """
    Preview { border: round $frame; border-title-color: $text-muted; padding: 0 0 0 1; scrollbar-size: 1 1; }
    Preview:focus { border: round $accent; border-title-color: $text-accent; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[str] = ()
        self._picture: Picture | None = None
        self._placed: Placed | None = None

    def show(self, lines: Sequence[str], picture: Picture | None = None) -> None:
        """Show a picture and lines below it; both are clean."""
        self._lines, self._picture = lines, picture
        height = len(lines) + self._picture_height
        self.virtual_size = Size(max([0, *map(len, lines)]), height)
        self.scroll_to(y=0, x=0, animate=False, force=True)
        self.refresh()

    @property
    def _picture_height(self) -> int:
        return len(self._picture.rows) + 1 if self._picture is not None else 0

    def pictures(self) -> Iterable[Placed]:
        """What is in sight in pixels."""
        pixels = self._picture.pixels if self._picture is not None else None
        inside = self.scrollable_content_region
        if pixels is None or round(self.scroll_y) or round(self.scroll_x) or not self.is_on_screen:
            return ()
        region = Region(inside.x, inside.y, pixels.width, pixels.height)
        return (Placed(region.x, region.y, pixels),) if inside.contains_region(region) else ()

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        at, x, width = y + round(self.scroll_y), round(self.scroll_x), self.size.width
        strip = Strip([])
        if at < self._picture_height:
            if self._picture is not None and at < len(self._picture.rows) and not tuple(self.pictures()):
                strip = self._picture.rows[at]
        elif at - self._picture_height < len(self._lines):
            strip = Strip([Segment(self._lines[at - self._picture_height])]).crop(x, x + width)
        return strip.adjust_cell_length(width, self.rich_style).apply_style(self.rich_style)
