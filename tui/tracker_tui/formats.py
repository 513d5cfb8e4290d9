"""Rows on their way into a file, a batch at a time: which columns they have, and CSV, JSON lines and Parquet.

Values are as on disk, where NaN and the infinities are strings. Parquet has them as numbers, the others as `NaN`,
`Infinity` and `-Infinity`, which readers of CSV take for numbers too.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Final, Literal, NamedTuple

from tracker.records import Record, clean, encode, restore

HEAD: Final = ("_project", "_run", "_name")
"""The first columns: whose row it is."""
MAX_NAME: Final = 1000
"""Characters of a column's name."""
MAX_ROWS: Final = 4096
MAX_CELLS: Final = 1 << 17
"""Of one batch: what is in memory as Python's own values, which take ten times the room of their bytes."""
GROUP_ROWS: Final = 1 << 17
GROUP_BYTES: Final = 1 << 26
"""Of a row group of Parquet; readers take one at a time, and like them large."""

Head = tuple[str, ...]
Row = tuple[Head, Record]
"""What is in the columns of `HEAD`, and the rest by its key."""
Batch = list[Row]
Kind = Literal["bool", "int", "float", "text"]


class Column(NamedTuple):
    """What becomes of a key."""

    name: str
    kind: Kind


class Columns:
    """Which columns rows need, learnt from all of them before the first one is written; in the order they appear.

    A column has one kind: whole numbers and others are `float`; whatever else is mixed, and what is nested, is `text`:
    strings as they are, other values as JSON. A key that is called like a column of `HEAD`, or like an earlier key when
    both are cleaned, gets underscores in front.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, set[Kind]] = {}

    def learn(self, batch: Batch) -> None:
        """Take rows into account."""
        cells: defaultdict[str, list[Any]] = defaultdict(list)
        for _, row in batch:
            for key, value in row.items():
                cells[key].append(value)
        for key, values in cells.items():
            self._kinds.setdefault(key, set()).update(_kinds_of(values))

    def by_key(self) -> dict[str, Column]:
        """The columns so far."""
        found: dict[str, Column] = {}
        taken = set(HEAD)
        for key, kinds in self._kinds.items():
            name = clean(key, MAX_NAME)
            while name in taken:
                name = f"_{name}"
            taken.add(name)
            found[key] = Column(name, _common(kinds))
        return found


def batches(rows: Iterable[Row]) -> Iterator[Batch]:
    """Rows in portions that fit in memory whatever their width."""
    batch: Batch = []
    cells = 0
    for row in rows:
        batch.append(row)
        cells += len(row[1])
        if len(batch) >= MAX_ROWS or cells >= MAX_CELLS:
            yield batch
            batch, cells = [], 0
    if batch:
        yield batch


def _kinds_of(values: list[Any]) -> set[Kind]:
    types = set(map(type, values))
    kinds: set[Kind] = {_KINDS.get(each, "text") for each in types if each is not type(None)}
    if str in types and all(type(restore(value)) is float for value in values if type(value) is str):
        kinds = {_KINDS.get(each, "text") for each in types - {str, type(None)}} | {"float"}
    if int in types and any(not -(2**63) <= value < 2**63 for value in values if type(value) is int):
        kinds = kinds - {"int"} | {"float"}
    return kinds


_KINDS: Final[dict[type, Kind]] = {bool: "bool", int: "int", float: "float"}


def _common(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float" if kinds <= {"int", "float"} else "text"


# ---- CSV ----


def _write_csv(file: BinaryIO, columns: dict[str, Column], rows: Iterable[Batch]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, [*HEAD, *(column.name for column in columns.values())]))
    heads: dict[Head, list[Any]] = {}
    for batch in rows:
        for head, row in batch:
            if head not in heads:
                heads[head] = [*map(_cell, head)]
            writer.writerow([*heads[head], *map(_cell, map(row.get, columns))])
        file.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
    file.write(text.getvalue().encode())


def _cell(value: Any) -> Any:
    """A value as CSV has it: nothing for None, `true` and `false`, JSON for what is nested; numbers as they are.

    Text has no control characters. Where a spreadsheet would take it for a formula, an apostrophe stands before it.
    """
    if type(value) is float or type(value) is int:
        return value
    if type(value) is not str:
        return "" if value is None else clean(_json(value), 1 << 24)
    text = clean(value, 1 << 24)
    return f"'{text}" if text[:1] in _FORMULA and not _is_number(text) else text


_FORMULA: Final = frozenset("=+-@")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(value: Any) -> str:
    return encode(value).decode().rstrip("\n")


# ---- JSON lines ----


def _write_json_lines(file: BinaryIO, columns: dict[str, Column], rows: Iterable[Batch]) -> None:
    to_text = _ascii if file.isatty() else encode
    names = {key: column.name for key, column in columns.items()}
    for batch in rows:
        objects = ({**dict(zip(HEAD, head, strict=True)), **_renamed(row, names)} for head, row in batch)
        file.write(b"".join(map(to_text, objects)))


def _renamed(row: Record, names: dict[str, str]) -> Record:
    return {names[key]: value for key, value in row.items()}


def _ascii(record: Record) -> bytes:
    """For a terminal, where escape sequences in names and values are harmless so."""
    import json

    return (json.dumps(record).replace("\x7f", "\\u007f") + "\n").encode()


# ---- Parquet ----


def _write_parquet(file: BinaryIO, columns: dict[str, Column], rows: Iterable[Batch]) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    types = {"bool": pyarrow.bool_(), "int": pyarrow.int64(), "float": pyarrow.float64(), "text": pyarrow.string()}
    fields = [*((name, types["text"]) for name in HEAD), *((name, types[kind]) for name, kind in columns.values())]
    schema = pyarrow.schema(fields)
    writer = ParquetWriter(file, schema, compression="zstd")
    group: list[Any] = []
    try:
        for batch in rows:
            arrays = [pyarrow.array(head) for head in zip(*(head for head, _ in batch), strict=True)]
            present = set().union(*(row for _, row in batch))
            for key, (_, kind) in columns.items():
                if key in present:
                    arrays.append(pyarrow.array(_typed([row.get(key) for _, row in batch], kind), types[kind]))
                else:  # a table of very many runs is mostly such columns
                    arrays.append(pyarrow.nulls(len(batch), types[kind]))
            group.append(pyarrow.RecordBatch.from_arrays(arrays, schema=schema))
            if sum(map(len, group)) >= GROUP_ROWS or sum(part.nbytes for part in group) >= GROUP_BYTES:
                writer.write_table(pyarrow.Table.from_batches(group))
                group.clear()
        if group:
            writer.write_table(pyarrow.Table.from_batches(group))
    except BaseException:
        with contextlib.suppress(Exception):  # else it tries to finish the file whenever it is collected
            writer.close()
        raise
    writer.close()


def _typed(values: list[Any], kind: Kind) -> list[Any]:
    types = set(map(type, values)) - {type(None)}
    if kind == "float" and types - {float}:
        return [None if value is None else float(value) for value in values]
    if kind == "text" and types - {str}:
        return [value if value is None or type(value) is str else _json(value) for value in values]
    return values


FORMATS: Final[dict[str, Callable[[BinaryIO, dict[str, Column], Iterable[Batch]], None]]] = {
    "csv": _write_csv,
    "jsonl": _write_json_lines,
    "parquet": _write_parquet,
}
"""What writes rows, all of whose keys have a column, by the ending of the file."""
