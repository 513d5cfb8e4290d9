"""What a run is: state and why, times, host, command, config, summary. Of a branch: its runs by state."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len, chop_cells
from textual.message import Message

from tracker.catalog import StoredRun
from tracker_tui.facts import config_of, facts_of, reason_of, summary_of
from tracker_tui.look import GLYPHS, fit
from tracker_tui.widgets.lines import Line, Lines

LABEL_WIDTH = 10


class Overview(Lines):
    """Facts in sections; long ones are wrapped."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: list[Line] = []

    def line_count(self) -> int:
        return len(self._lines)

    def line(self, index: int, width: int) -> Line:
        return self._lines[index]

    def on_resize(self) -> None:
        self.post_message(self.Resized())
        super().on_resize()

    class Resized(Message):
        """The pane has another width: what it shows is to be wrapped anew."""

    def show_run(self, run: StoredRun) -> None:
        """Show one run."""
        width = max(20, self.size.width - 1)
        lines: list[Line] = [((fit(run.label, width), "strong"),), ((f"{GLYPHS[run.state]} {run.state}", run.state),)]
        lines += [((text, "error"),) for text in _wrap(reason_of(run), width)]
        for label, value in facts_of(run):
            lines += _fact(label, value, width)
        lines += _section("Config", config_of(run), width) + _section("Summary", summary_of(run), width)
        self._show(lines)

    def show_branch(self, name: str, runs: list[StoredRun], counts: Mapping[str, int]) -> None:
        """Show a project or group."""
        width = max(20, self.size.width - 1)
        lines: list[Line] = [
            ((fit(name, width), "strong"),),
            ((f"{len(runs)} run{'s' * (len(runs) != 1)}", "dim"),),
            (),
        ]
        lines += [
            ((f"{GLYPHS[state]} {state}".ljust(LABEL_WIDTH + 2), state), (str(counts[state]), "")) for state in counts
        ]
        self._show(lines)

    def show_nothing(self) -> None:
        """Show an empty pane."""
        self._show([])

    def _show(self, lines: list[Line]) -> None:
        self._lines = lines
        self.update_lines()


def _section(title: str, values: Mapping[str, str], width: int) -> list[Line]:
    if not values:
        return []
    room = min(max(map(cell_len, values)) + 1, width // 2)
    lines: list[Line] = [(), ((title, "heading"), (f" {len(values)}", "dim"))]
    for key, value in values.items():
        lines.append(((fit(key, room - 1) + " ", "dim"), (fit(value, width - room).rstrip(), "value")))
    return lines


def _fact(label: str, value: str, width: int) -> list[Line]:
    if not value:
        return []
    first, *rest = _wrap(value, width - LABEL_WIDTH)
    lines: list[Line] = [((label.ljust(LABEL_WIDTH), "dim"), (first, "value"))]
    return lines + [((" " * LABEL_WIDTH, ""), (text, "value")) for text in rest]


def _wrap(text: str, width: int, limit: int = 12) -> list[str]:
    """Text in lines of at most `width` cells, broken between words where it can be, `limit` of them."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and cell_len(line) + 1 + cell_len(word) > width:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
            while cell_len(line) > width:
                pieces = chop_cells(line, width)
                lines.append(pieces[0])
                line = "".join(pieces[1:])
        lines.append(line)
        if len(lines) > limit:
            return [*lines[: limit - 1], "…"]
    return lines
