"""Tables of metrics: JSON lines and CSV, the logs of Lightning, Keras, ultralytics and stable-baselines3 among them,
and the `trainer_state.json` of Hugging Face's `Trainer`.

A column is taken for the step, and one for the time, by its name. Some of these files are written anew as a whole, with
the old rows at their beginning: what was read is told by its number and a checksum, and only what follows is new.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from tracker import host
from tracker.foreign.origin import Origin
from tracker.foreign.reading import CHUNK, Reader, Replaced, decode, flat, moment, whole
from tracker.foreign.recorder import Identity, Recorder
from tracker.lines import Lines

STEPS: Final = (
    "_step",
    "step",
    "global_step",
    "trainer/global_step",
    "iteration",
    "iter",
    "num_updates",
    "time/total_timesteps",
    "total_timesteps",
    "timesteps_total",
    "training_iteration",
    "steps",
    "epoch",
)
"""Columns that may be the step, the best first."""
TIMES: Final = ("_timestamp", "timestamp", "_ts", "time", "wall_time", "datetime", "date", "created_at")
MAX_DOCUMENT: Final = 64 << 20
"""Bytes of a file that is one JSON value."""
MAX_SIDE: Final = 1 << 18
"""Bytes of a file with hyperparameters beside a table."""
MARK: Final = 1024
"""Bytes before the place that was reached, by which a file is known again."""
HEAD: Final = 1 << 16
"""Bytes of a file by which it is told whether it is a table of metrics."""
FIRST: Final = 20
"""Rows at the beginning of a table that tell what it is."""
MAX_WORD: Final = 200
"""Characters of a text in such a table; a dataset has longer ones."""
SIDES: Final = ("hparams.yaml", "args.yaml", "config.yaml", "hparams.json", "config.json", "args.json")

Row = dict[str, Any]


class TableReader(Reader):
    """One table.

    Args:
        origin: what it is.
        files: its file.
        position: of an earlier reader.
    """

    def __init__(self, origin: Origin, files: Sequence[str], position: Any, project: str, name: str) -> None:
        self._origin, self._path, self._project, self._name = origin, files[0], project, name
        known = position if isinstance(position, dict) else {}
        self._mark: int = known.get("mark", 0)
        self._head: int = known.get("head", 0)
        self._rows: int = known.get("rows", 0)
        self._sum: int = known.get("sum", 0)
        self._step: str = known.get("step", "")
        self._last: int = known.get("last", -1)
        self._reach = self._rows, self._sum
        self._columns: list[str] = []
        self._is_checked = not known
        self._lines = Lines(self._path, known.get("offset", 0))

    @property
    def position(self) -> Any:
        """As `reading.Reader`."""
        return {
            "offset": self._lines.offset,
            "mark": self._mark,
            "head": self._head,
            "rows": self._rows,
            "sum": self._sum,
            "step": self._step,
            "last": self._last,
        }

    def identify(self) -> Identity | None:
        """As `reading.Reader`."""
        rows = next(self._first_rows(), None)
        if rows is None:
            return None
        created = next((time for row in rows if (time := _time(row)) is not None), None)
        config, age = _beside(os.path.dirname(self._path))
        if created is None:
            created = min(_mtime(self._path), age or _mtime(self._path))
        facts: Row = {"config": config}
        about = _about(os.path.dirname(self._path))
        if about.get("group"):
            facts["group"] = about["group"]
        name, project = about.get("name", self._name), about.get("project", self._project)
        return Identity(self._origin.id, project, name, moment(about.get("created_at")) or created, facts)

    def _first_rows(self) -> Iterator[list[Row]]:
        """The rows that are there first, in one list, if there are any."""
        data = host.read(self._path, 0, CHUNK) or b""
        if self._origin.kind == "huggingface":
            rows, _ = _document(self._path)
        else:
            data = data[: data.rfind(b"\n") + 1]
            rows = list(self._parse(data, is_head=True))
        if rows:
            yield [row for row in rows if row]

    def read(self, to: Recorder) -> bool:
        """As `reading.Reader`."""
        if self._origin.kind == "huggingface":
            return self._read_document(to)
        if self._lines.is_whole or not self._is_checked:
            self._check()
        is_head = not self._lines.offset
        data = self._lines.read(CHUNK)
        if self._lines.is_replaced:
            raise Replaced
        if self._lines.skipped:
            to.bad("a line that is too long", self._lines.skipped)
            self._lines.skipped = 0
        self._take(self._parse(data, is_head), to)
        self._mark = self._mark_at(self._lines.offset)
        if self._lines.is_whole and self._rows < self._reach[0]:
            raise Replaced
        return not self._lines.is_whole

    def rest(self, to: Recorder) -> None:
        """As `reading.Reader`: the last row of a file that does not end with a line's end."""
        if self._origin.kind == "huggingface":
            return
        if not self._is_checked:
            self._check()
        last = host.read(self._path, self._lines.offset, CHUNK) or b""
        if last and b"\n" not in last and self._lines.offset:
            before = self._rows, self._sum, self._last
            self._take(self._parse(last, is_head=False), to)
            self._rows, self._sum, self._last = before

    def _check(self) -> None:
        """Whether the file goes on where it was left; else it is read from its beginning, past what is known."""
        self._is_checked = True
        self._reach = self._rows, self._sum
        is_same = self._mark_at(self._lines.offset) == self._mark
        if not self._is_csv:
            if not is_same:
                raise Replaced
            return
        head = host.read(self._path, 0, MAX_SIDE) or b""
        first = head[: head.find(b"\n") + 1]
        if is_same and zlib.crc32(first) == self._head:
            self._columns = _columns(first)
            return
        self._lines, self._rows, self._sum, self._last, self._step = Lines(self._path), 0, 0, -1, ""

    @property
    def _is_csv(self) -> bool:
        return self._path.endswith(".csv")

    def _mark_at(self, offset: int) -> int:
        begin = max(0, offset - MARK)
        return zlib.crc32(host.read(self._path, begin, offset - begin) or b"") if offset else 0

    def _parse(self, data: bytes, is_head: bool) -> Iterable[Row | None]:
        """Rows; None for what is damaged."""
        if not self._is_csv:
            return map(_json_row, filter(bytes.strip, data.split(b"\n")))
        if is_head and data:
            end = data.find(b"\n") + 1
            self._columns, self._head, data = _columns(data[:end]), zlib.crc32(data[:end]), data[end:]
        return _csv_rows(data, self._columns)

    def _read_document(self, to: Recorder) -> bool:
        rows, facts = _document(self._path)
        if rows is None:
            return False  # half written: it is looked at again when it has changed
        self._rows, self._sum, self._last = 0, 0, -1
        self._take(rows, to)
        if self._rows < self._reach[0]:
            raise Replaced
        self._reach = self._rows, self._sum
        to.config(_but(facts, BEST))
        to.summary({name: facts[name] for name in BEST if facts.get(name) is not None})
        return False

    def _take(self, rows: Iterable[Row | None], to: Recorder) -> None:
        """Write rows that are new.

        Raises:
            Replaced: those that are known are others now.
        """
        reach, known = self._reach
        rows = list(rows)
        if not self._step:
            self._step = _step_column(filter(None, rows))
        for row in rows:
            self._rows += 1
            if row is None:
                if self._rows > reach:
                    to.bad(f"row {self._rows:,} of {os.path.basename(self._path)}")
                continue
            self._sum = zlib.crc32(orjson.dumps(sorted(row.items())), self._sum)
            step = self._step_of(row)
            if self._rows > reach:
                to.row(step, _time(row), _but(row, (self._step, *TIMES[:3], _time_column(row))))
            elif self._rows == reach and self._sum != known:
                raise Replaced

    def _step_of(self, row: Row) -> int:
        """A row's step: what its column for that says, else one more than the last."""
        step = whole(row.get(self._step))
        if step is None:
            step = max(0, self._last + (self._step == "-"))
        self._last = max(step, self._last)
        return step


def _step_column(rows: Iterable[Row]) -> str:
    """The column that is the step in most of the first rows; `-`: none."""
    first = [row for row, _ in zip(rows, range(FIRST), strict=False)]
    if not first:
        return ""
    counts = {name: sum(whole(row.get(name)) is not None for row in first) for name in STEPS}
    return next((name for name in STEPS if counts[name] * 2 > len(first)), "-")


def kind_of(path: str) -> str | None:
    """What kind of table a file is, `lightning`, `csv` or `jsonl`; empty: none; None: too little is there to tell."""
    head = host.read(path, 0, HEAD) or b""
    data = head[: head.rfind(b"\n") + 1]
    if not data.count(b"\n") > path.endswith(".csv"):
        return None if len(head) < HEAD else ""
    first, rest = data[: data.find(b"\n") + 1], data[data.find(b"\n") + 1 :]
    is_csv = path.endswith(".csv")
    if is_csv and b"\0" in data:
        return ""
    rows = _csv_rows(rest, _columns(first)) if is_csv else map(_json_row, filter(bytes.strip, data.split(b"\n")))
    found = [row for row in rows if row]
    if not found or sum(map(_is_metrics, found[:FIRST])) * 2 <= len(found[:FIRST]):  # a few may be odd, or messages
        return ""
    beside = os.path.join(os.path.dirname(path), "hparams.yaml")
    is_lightning = os.path.basename(path) == "metrics.csv" and (os.path.exists(beside) or "step" in found[0])
    return "lightning" if is_csv and is_lightning else "csv" if is_csv else "jsonl"


def _is_metrics(row: Row) -> bool:
    """Whether a row has a step and a number besides, or several numbers and little else."""
    numbers = [name for name, value in row.items() if type(value) in (int, float)]
    texts = [value for value in row.values() if isinstance(value, str)]
    if any(len(text) > MAX_WORD for text in texts):
        return False
    return len(numbers) >= 2 and (any(name in STEPS for name in numbers) or len(numbers) > 2 * len(texts))


BEST: Final = ("best_metric", "best_model_checkpoint", "best_global_step")


def _document(path: str) -> tuple[list[Row | None] | None, Row]:
    """The rows of a `trainer_state.json`, and what else it says; None of what is none now."""
    data = host.read(path, 0, MAX_DOCUMENT) or b""
    try:
        state = decode(data)
    except ValueError:
        return None, {}
    rows = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(rows, list):
        return None, {}
    facts = {name: value for name, value in state.items() if isinstance(value, (int, float, str)) and name not in PLACE}
    return [flat(row) if isinstance(row, dict) else None for row in rows], facts


PLACE: Final = ("epoch", "global_step")
"""Of a `trainer_state.json` what changes all the time and its rows say too."""


def _json_row(line: bytes) -> Row | None:
    try:
        row = decode(line)
    except ValueError:
        return None
    return flat(row) if isinstance(row, dict) else None


def _columns(line: bytes) -> list[str]:
    return [name.strip() for name in next(csv.reader([line.decode("utf-8-sig", "replace")]), [])]


def _csv_rows(data: bytes, columns: list[str]) -> Iterator[Row | None]:
    reader = csv.reader(data.decode("utf-8", "replace").splitlines(True))
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if len(cells) > len(columns):
            yield None
        elif cells:
            pairs = zip(columns, map(cell, cells), strict=False)
            yield {name: value for name, value in pairs if value is not None and name}


def cell(text: str) -> Any:
    """What a cell of CSV, or a plain scalar of YAML, says; None where it is empty."""
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 400 else text
        except ValueError:
            continue
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text if text and text.lower() not in ("null", "none", "~") else None


def _time_column(row: Row) -> str:
    return next((name for name in TIMES if moment(row.get(name)) is not None), "")


def _time(row: Row) -> float | None:
    return moment(row.get(_time_column(row)))


def _but(row: Row, names: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _mtime(path: str) -> float:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _beside(folder: str) -> tuple[Row, float | None]:
    """The hyperparameters that lie beside a table, and when they were written."""
    for name in SIDES:
        path = os.path.join(folder, name)
        data = host.read(path, 0, MAX_SIDE)
        if data:
            return _parsers[name[-4:]](data), _mtime(path)
    return {}, None


def _about(folder: str) -> Row:
    """What tlog writes beside its table: who the run is."""
    found = _json_config(host.read(os.path.join(folder, "meta.json"), 0, MAX_SIDE) or b"{}")
    texts = all(isinstance(found.get(name), str) and found[name] for name in ("id", "name", "project"))
    return found if texts and moment(found.get("created_at")) else {}


def _json_config(data: bytes) -> Row:
    try:
        found = decode(data)
    except ValueError:
        return {}
    return flat(found) if isinstance(found, dict) else {}


def yaml(data: bytes) -> Row:
    """Plain scalars of a YAML file of nested mappings, by their dotted names; lists, tags and the rest are left out."""
    found: Row = {}
    above: list[tuple[int, str]] = []
    for line in data.decode("utf-8", "replace").splitlines():
        name, colon, text = line.partition(":")
        inner = name.lstrip(" ")
        indent = len(name) - len(inner)
        if not colon or not inner or inner.startswith(("#", "-", "!", "?", "{", "[")) or text[:1] not in ("", " "):
            continue
        while above and above[-1][0] >= indent:
            above.pop()
        dotted = ".".join((*(each for _, each in above), inner.strip("'\" ")))
        text = text.strip()
        if not text or text.startswith(("!", "&")):
            above.append((indent, inner.strip("'\" ")))
        elif not text.startswith(("[", "{", "|", ">", "*")):
            quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
            value = text[1:-1] if quoted else cell(text.partition(" #")[0])
            found[dotted] = value
    return found


_parsers: Final[dict[str, Callable[[bytes], Row]]] = {"yaml": yaml, "json": _json_config}
