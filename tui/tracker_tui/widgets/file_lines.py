"""The files of a run as lines of a tree."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding

from tracker.records import clean
from tracker_tui.files import Node
from tracker_tui.look import fit, right, size_text
from tracker_tui.widgets.lines import Line, Lines

SIZE_WIDTH = 11


class FileLines(Lines):
    """Folders that open and close, and files."""

    BINDINGS = [
        Binding("enter", "choose", "Open", id="files.fold", tooltip="Open the folder, or close it"),
        Binding("left,h", "fold(False)", "Close", id="files.close-folder", tooltip="Close the folder"),
        Binding("right,l", "fold(True)", "Open", id="files.open-folder", tooltip="Open the folder"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0
        self._rows: Sequence[Node] = ()

    @property
    def node(self) -> Node | None:
        """What is under the cursor."""
        return self._rows[self.cursor] if self.cursor is not None and self.cursor < len(self._rows) else None

    def show_nodes(self, nodes: Sequence[Node]) -> None:
        """Show these; the cursor stays on its path."""
        path = self.node.path if self.node is not None else ()
        at = next((index for index, node in enumerate(nodes) if node.path == path), self.cursor or 0)
        self._rows = nodes
        self.keep_cursor(max(0, min(at, len(nodes) - 1)))

    def line_count(self) -> int:
        return len(self._rows)

    def line(self, index: int, width: int) -> Line:
        node = self._rows[index]
        indent = "  " * (len(node.path) - 1)
        sign = ("▾ " if node.is_open else "▸ ") if node.is_folder else "  "
        count = f" {node.below:,}" if node.is_folder else ""
        aliases = f" {' '.join(node.artifact.aliases)}" if node.artifact is not None and node.artifact.aliases else ""
        room = max(1, width - len(indent) - 2 - SIZE_WIDTH - len(count))
        name = clean(node.path[-1], 500)
        style = "heading" if node.is_folder and len(node.path) == 1 else "strong" if node.is_folder else "value"
        shown = fit(name, room) if len(name) >= room else name
        left = max(0, room - len(shown))
        return (
            (indent + sign, "dim"),
            (fit(shown, min(room, len(shown) or 1)).rstrip() if len(shown) < room else shown, style),
            (count, "dim"),
            (fit(aliases, left), "best"),
            (right(size_text(node.size), SIZE_WIDTH), "dim"),
        )

    def action_fold(self, is_open: bool) -> None:
        """Open or close the folder under the cursor; from what is in it, closing goes to the folder."""
        node = self.node
        if node is None:
            return
        if node.is_folder and node.is_open != is_open:
            self.action_choose()
        elif not is_open and len(node.path) > 1:
            above = (index for index, each in enumerate(self._rows) if each.path == node.path[:-1])
            self.move_to(next(above, self.cursor or 0))

    def line_clicked(self, index: int, x: int, is_again: bool) -> None:
        super().line_clicked(index, x, is_again or self._rows[index].is_folder)
