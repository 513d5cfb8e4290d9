"""One line of what there is to know of all runs."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tracker_tui.status import Part
from tracker_tui.widgets.key_bar import clickable

GAP = "  "


class StatusLine(Static):
    """Parts in the order of their weight: where there is no room for all, they are told in brief, then left out."""

    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    StatusLine.is-cut { color: $text-error; text-style: bold reverse; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.auto_links = False
        self._parts: list[Part] = []
        self._where = Part("")

    def show(self, parts: Iterable[Part], where: Part) -> None:
        """Show these parts.

        Args:
            parts: the heaviest first.
            where: what stands at the right, as far as there is room.
        """
        self._parts, self._where = list(parts), where
        self._write()

    def on_resize(self) -> None:
        self._write()

    def _write(self) -> None:
        width = self.content_size.width
        parts, where = self._parts, self._where
        if _length([*parts, where]) > width:
            where = Part(where.brief)
        if _length([*parts, where]) > width:
            parts = [part._replace(text=part.brief or part.text) for part in parts if part.brief != " "]
        while len(parts) > 1 and _length([*parts, where]) > width:
            if where.text:
                where = Part("")
            else:
                parts.pop()
        text = Content(GAP).join(_content(part) for part in parts if part.text)
        text += " " * max(len(GAP), width - text.cell_length - cell_len(where.text)) + where.text if where.text else ""
        if not (isinstance(self.content, Content) and text.is_same(self.content)):
            self.update(text)


def _content(part: Part) -> Content:
    text = Content.assemble((part.text, part.style))
    return clickable(text, part.binding) if part.binding else text


def _length(parts: Iterable[Part]) -> int:
    return sum(cell_len(part.text) + len(GAP) for part in parts if part.text) - len(GAP)
