"""Tables that runs logged: read up to a limit, cut into cells as they are seen. No Textual."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

import orjson
from rich.cells import cell_len

from tracker.records import clean, restore
from tracker.references import references_in
from tracker.report import format_value
from tracker_tui.contents import UnreadableError
from tracker_tui.look import fit

MAX_READ: Final = 4 << 20
"""Bytes of a table that are read: some 100,000 rows; decoding more would hold up the dashboard."""
MEASURED: Final = 100
"""Rows by which columns are sized."""
MAX_CELL: Final = 32
"""Cells of a column."""
MAX_COLUMNS: Final = 200
MAX_NESTED: Final = 8
"""Lists in each other that are shown."""
_COLUMNS: Final = re.compile(r'\s*\{\s*"columns"\s*:\s*')
_ROWS: Final = re.compile(r'\s*,\s*"data"\s*:\s*\[\s*')
_NEXT: Final = re.compile(r"\s*,\s*")


class Sheet:
    """A table.

    Args:
        data: the file's content, or its first `MAX_READ` bytes.

    Raises:
        UnreadableError: it is none.
    """

    def __init__(self, data: bytes) -> None:
        found = _decoded(data)
        columns, rows = (found.get("columns"), found.get("data")) if isinstance(found, dict) else (None, None)
        if not isinstance(columns, list) or not isinstance(rows, list):
            raise UnreadableError("no table that can be shown")
        self.rows: list[Any] = rows
        count = min(MAX_COLUMNS, max([len(columns), *(len(row) for row in rows[:MEASURED] if isinstance(row, list))]))
        names = [clean(name, 100) for name in columns[:count]]
        self.names = names + [""] * (count - len(names))
        self.widths = [self._width(column) for column in range(count)]
        """Cells of each column."""

    def _width(self, column: int) -> int:
        texts = [self.names[column], *(self.cell(row, column) for row in range(min(MEASURED, len(self.rows))))]
        return min(MAX_CELL, max(1, *(cell_len(text) for text in texts)))

    def cell(self, row: int, column: int) -> str:
        """What is in a cell."""
        cells = self.rows[row]
        value = cells[column] if isinstance(cells, list) and column < len(cells) else ""
        return cell_text(value)

    def line(self, row: int, first: int, width: int) -> str:
        """A row from a column on, cut at a width; -1: the names of the columns."""
        parts: list[str] = []
        room = width
        for column in range(first, len(self.widths)):
            if room <= 0:
                break
            text = self.names[column] if row < 0 else self.cell(row, column)
            parts.append(fit(text, min(room, self.widths[column])))
            room -= self.widths[column] + 2
        return "  ".join(parts)


def cell_text(value: Any) -> str:
    """A value as a cell of a table: of a medium what it is."""
    if isinstance(value, dict | list):
        media = references_in(value)
        if media:
            first = media[0]
            size = f" {first.width}x{first.height}" if first.width and first.height else ""
            more = f" +{len(media) - 1}" if len(media) > 1 else ""
            return f"[{first.kind}{size}{more}]"
    if isinstance(value, str):
        return clean(value, 200)
    return clean(format_value(restore(value, MAX_NESTED), 200), 200)


def _decoded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _beginning(data.decode("utf-8", "ignore"))


def _beginning(text: str) -> Any:
    """What there is of a table that was cut off somewhere: its whole rows."""
    decode = json.JSONDecoder().raw_decode
    try:
        columns, at = decode(text, _after(_COLUMNS, text, 0))
        at = _after(_ROWS, text, at)
    except (ValueError, RecursionError):
        raise UnreadableError("no table that can be shown") from None
    rows = []
    with suppress(ValueError, RecursionError):
        while True:
            row, at = decode(text, at)
            at = _after(_NEXT, text, at)
            rows.append(row)
    return {"columns": columns, "data": rows}


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a text goes on behind a pattern that has to be there."""
    found = pattern.match(text, at)
    if found is None:
        raise ValueError
    return found.end()
