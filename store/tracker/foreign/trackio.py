"""trackio's databases: one SQLite file a project, with a table of rows of all of its runs; opened read-only."""

from __future__ import annotations

import errno
import os
import sqlite3
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from tracker import host
from tracker.foreign.origin import Origin
from tracker.foreign.reading import Reader, decode, flat, moment
from tracker.foreign.recorder import Identity, Recorder
from tracker.records import Record

MAGIC: Final = b"SQLite format 3\0"
MAX_CELL: Final = 8 << 20
"""Bytes of a cell."""
PAGE: Final = 2000
"""Rows that are read at a time."""
MAX_RUNS: Final = 1000
WAIT: Final = 0.2
"""Seconds to wait for a writer."""
MAX_STEPS: Final = 2000
"""Thousands of SQLite's own instructions after which a question is given up."""


ORDER: Final[dict[str, tuple[str, Any]]] = {"metrics": ("step", -(2**63)), "system_metrics": ("timestamp", "")}
"""The tables that are read; of each the column that its index is ordered by for each run, and what comes before all."""
Place = list[Any]
"""How far a table was read: the value in that order, or None when all is read that was there at first; the last row's
number; and the highest number that belongs to this pass."""


def runs_in(path: str) -> list[tuple[str, str, str]]:
    """The runs of a database: what tells one from the others, its project and its name; none of any other file.

    Raises:
        OSError: it cannot be read now: somebody has locked it, or it takes too long.
    """
    if (host.read(path, 0, len(MAGIC)) or b"") != MAGIC:
        return []
    project = os.path.basename(path)[:-3]
    found: list[tuple[str, str, str]] = []
    try:
        with _opened(path) as database:
            column = _key(database)
            next_key = f"SELECT min({column}) FROM metrics WHERE {column} > ?"  # by the index, past all rows of one run
            key = ""
            while (
                column
                and len(found) < MAX_RUNS
                and isinstance(key := database.execute(next_key, (key,)).fetchone()[0], str)
            ):
                name = database.execute(f"SELECT run_name FROM metrics WHERE {column} = ? LIMIT 1", (key,)).fetchone()
                found.append((key, project, str(name[0])))
    except sqlite3.OperationalError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    except sqlite3.Error:
        return []
    return found


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    """A database that nothing can be written to, and that may neither take long nor give endless cells."""
    is_open = os.path.exists(f"{path}-wal") and os.path.exists(f"{path}-shm")  # else reading would make them
    address = f"file:{urllib.parse.quote(os.fsencode(path))}?{'mode=ro' if is_open else 'mode=ro&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=WAIT, isolation_level=None)) as database:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        left = [MAX_STEPS]

        def is_enough() -> int:
            left[0] -= 1
            return left[0] < 0

        database.set_progress_handler(is_enough, 1000)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        yield database


def _key(database: sqlite3.Connection) -> str:
    """The column that tells runs apart; empty where the tables are not trackio's."""
    found = database.execute("SELECT name FROM pragma_table_info('metrics')").fetchall()
    kinds = database.execute("SELECT type FROM sqlite_master WHERE name IN ('metrics', 'configs')").fetchall()
    columns = {name for (name,) in found}
    if not {"id", "run_name", "step", "metrics", "timestamp"} <= columns or kinds != [("table",), ("table",)]:
        return ""
    return "run_id" if "run_id" in columns else "run_name"


class TrackioReader(Reader):
    """One run of a database.

    Args:
        origin: the database, and which run.
        files: the database, and what is written before it.
        position: of an earlier reader.
    """

    def __init__(self, origin: Origin, files: Sequence[str], position: Any, project: str, name: str) -> None:
        self._origin, self._path, self._project, self._name = origin, files[0], project, name
        known = position if isinstance(position, dict) else {}
        self._place: dict[str, Place] = {table: known.get(table) or [ORDER[table][1], 0, None] for table in ORDER}

    @property
    def position(self) -> Any:
        """As `reading.Reader`."""
        return self._place

    def identify(self) -> Identity | None:
        """As `reading.Reader`."""
        try:
            with _opened(self._path) as database:
                column = _key(database)
                where = f"WHERE {column} = ? ORDER BY id LIMIT 1"
                key = (self._origin.part,)
                first = database.execute(f"SELECT timestamp FROM metrics {where}", key).fetchone()
                config = database.execute(f"SELECT config, created_at FROM configs {where}", key).fetchone()
        except (sqlite3.Error, OSError):
            return None
        values = _object(config[0]) if config else {}
        created = moment(values.pop("_Created", None)) or moment(config[1] if config else None)
        created = created or moment(first[0] if first else None) or 0.0
        facts: Record = {"group": values.pop("_Group", None) or "", "user": values.pop("_Username", None) or ""}
        facts = {name: value for name, value in facts.items() if isinstance(value, str) and value}
        return Identity(self._origin.id, self._project, self._name, created, {**facts, "config": values})

    def read(self, to: Recorder) -> bool:
        """As `reading.Reader`."""
        try:
            with _opened(self._path) as database:
                column = _key(database)
                return any(self._read(database, table, column, to) for table in ORDER)
        except (sqlite3.Error, OSError) as error:
            to.bad(f"the database: {error}")
            return False

    def _read(self, database: sqlite3.Connection, table: str, column: str, to: Recorder) -> bool:
        """What is new in a table; whether there may be more.

        At first in the order of an index, so that a page costs a page however many rows there are; then what has been
        added to the table since.
        """
        order, _ = ORDER[table]
        after, last, top = self._place[table]
        columns = f"id, {order}, timestamp, metrics"
        try:
            ((newest,),) = database.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
            if after is not None:
                top = newest if top is None else top
                which = f"{column} = ? AND ({order}, id) > (?, ?) AND id <= ? ORDER BY {order}, id"
                values: tuple[Any, ...] = (self._origin.part, after, last, top)
            else:
                top = newest
                which, values = f"id > ? AND id <= ? AND +{column} = ? ORDER BY id", (last, top, self._origin.part)
            found = database.execute(f"SELECT {columns} FROM {table} WHERE {which} LIMIT {PAGE}", values).fetchall()
        except sqlite3.OperationalError:
            if table == "metrics":
                raise
            return False  # an older trackio has no such table
        for row in found:
            self._take(table, row, to)
        is_all = len(found) < PAGE
        self._place[table] = [
            None if is_all or after is None else found[-1][1],
            top if is_all else found[-1][0],
            top,
        ]
        return not is_all

    def _take(self, table: str, row: tuple[Any, ...], to: Recorder) -> None:
        number, step, time, cell = row
        values, at = _object(cell), moment(time)
        if not values:
            to.bad(f"row {number} of {table}")
        elif table == "metrics":
            step = step if type(step) is int else 0
            to.row(step, at, {name: self._value(value, to) for name, value in _parts(values)})
        else:
            to.add({"_type": "system", "_timestamp": at, **flat(values)})

    def _value(self, value: Any, to: Recorder) -> Any:
        if not isinstance(value, dict):
            return value
        kind = str(value.get("_type", "")).removeprefix("trackio.")
        path, folder = value.get("file_path"), os.path.join(os.path.dirname(self._path), "media")
        if kind not in MEDIA or not isinstance(path, str) or not _is_below(path):
            return _histogram(value) if kind == "histogram" else f"<{kind}>"
        name = f"media/{MEDIA[kind]}/{os.path.basename(path)}"
        caption = {"caption": value["caption"]} if isinstance(value.get("caption"), str) else {}
        return to.file(f"{kind}-file", folder, path, name, caption)


MEDIA: Final = {"image": "images", "video": "videos", "audio": "audio"}


def _parts(values: Record) -> Iterator[tuple[str, Any]]:
    """Values by their dotted names; media stay whole."""
    for name, value in values.items():
        if isinstance(value, dict) and "_type" not in value:
            yield from flat(value, f"{name}.").items()
        elif value is not None and not isinstance(value, list):
            yield name, _NON_FINITE.get(value, value) if isinstance(value, str) else value


_NON_FINITE: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def _histogram(value: Record) -> Any:
    counts, edges = value.get("values", value.get("counts")), value.get("bins", value.get("edges"))
    return {"_type": "histogram", "values": counts, "bins": edges}


def _is_below(path: str) -> bool:
    parts = path.split("/")
    return bool(path) and not os.path.isabs(path) and ".." not in parts and "\0" not in path


def _object(cell: Any) -> Record:
    try:
        found = decode(cell) if isinstance(cell, (str, bytes)) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
