"""`Table`: rows of values under the names of columns, logged as one file."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import orjson

from tracker.media import Medium, Tell, kept
from tracker.records import Record, plain

DEFAULT_COLUMNS: Final = ("Input", "Output", "Expected")
"""W&B's."""
PLAIN: Final = frozenset((bool, int, float, type(None)))
MOST: Final = 2**53
"""Numbers below it, and so neither infinite nor NaN, are the same in JSON."""


class Table(Medium):
    """A table; what is in its cells may be media too.

    Args:
        columns: names, default `Input`, `Output` and `Expected`.
        data: rows, each a sequence of as many values; an array of two dimensions; or a data frame.
        rows: W&B's older word for `data`.
        dataframe: of pandas or polars, in place of the others.
        dtype, optional, allow_mixed_types, log_mode: W&B's; a column here may hold anything, and each time that a table
            is logged all of it is kept.

    Raises:
        ValueError: a row has another number of values than there are columns.
        TypeError: `data` is nothing of that kind.
    """

    kind = "table"
    folder = "table"
    MAX_ROWS: ClassVar = 10_000
    """W&B's, as `MAX_ARTIFACT_ROWS` is, for programs that keep to it; here all rows are kept."""
    MAX_ARTIFACT_ROWS: ClassVar = 200_000

    def __init__(
        self,
        columns: Iterable[Any] | None = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: Any = True,
        allow_mixed_types: bool = False,
        log_mode: str | None = "IMMUTABLE",
    ) -> None:
        super().__init__()
        data = rows if data is None else data
        if dataframe is None and type(data).__name__ == "DataFrame":
            dataframe = data
        self.columns: list[Any] = list(columns) if columns is not None else []
        self.data: list[list[Any]] = []
        if dataframe is not None:
            self.columns = list(dataframe.columns)
            places = range(len(self.columns))
            parts = [list(dataframe.iloc[:, at] if hasattr(dataframe, "iloc") else dataframe[:, at]) for at in places]
            self.data = [list(row) for row in zip(*parts, strict=True)]
            return
        if isinstance(data, (str, bytes)) or not (data is None or isinstance(data, Iterable)):
            raise TypeError(f"data must be rows, not {type(data).__name__}")
        found = [list(row) for row in data if row is not None] if data is not None else []
        if columns is None:
            width = len(found[0]) if found else len(DEFAULT_COLUMNS)
            self.columns = list(DEFAULT_COLUMNS) if width == len(DEFAULT_COLUMNS) else list(range(width))
        for row in found:
            self.add_data(*row)

    def add_data(self, *row: Any) -> None:
        """Put a row at the end.

        Raises:
            ValueError: it has another number of values than there are columns.
        """
        if len(row) != len(self.columns):
            raise ValueError(f"a row needs {len(self.columns)} values for columns {self.columns} (got {len(row)})")
        self.data.append(list(row))

    def add_row(self, *row: Any) -> None:
        """W&B's older word for `add_data`."""
        self.add_data(*row)

    def add_column(self, name: Any, data: Sequence[Any], optional: bool = False) -> None:
        """Put a column behind the others; `optional` is W&B's.

        Raises:
            ValueError: it is there already, or has another number of values than there are rows.
        """
        values = list(data)
        if name in self.columns:
            raise ValueError(f"there is a column {name!r} already")
        if self.data and len(values) != len(self.data):
            raise ValueError(f"a column needs {len(self.data)} values (got {len(values)})")
        if not self.data:
            if self.columns:
                raise ValueError("a column can only be put beside rows that are there")
            self.data = [[] for _ in values]
        self.columns.append(name)
        for row, value in zip(self.data, values, strict=True):
            row.append(value)

    def add_computed_columns(self, fn: Callable[[int, dict[Any, Any]], dict[Any, Any]]) -> None:
        """Put columns behind the others that a function makes of each row's number and values by name."""
        made = [fn(index, dict(zip(self.columns, row, strict=True))) for index, row in self.iterrows()]
        for name in made[0] if made else ():
            self.add_column(name, [values[name] for values in made])

    def get_column(self, name: Any, convert_to: str | None = None) -> Any:
        """The values of a column, as a list or with `convert_to="numpy"` as an array.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self.columns:
            raise KeyError(f"there is no column {name!r}")
        values = [row[self.columns.index(name)] for row in self.data]
        if convert_to == "numpy":
            import numpy

            return numpy.array(values)
        return values

    def get_index(self) -> list[int]:
        """The rows' numbers, from 0."""
        return list(range(len(self.data)))

    def get_dataframe(self) -> Any:
        """All of it as a data frame of pandas."""
        return importlib.import_module("pandas").DataFrame(self.data, columns=self.columns)

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Each row's number, from 0, and its values."""
        yield from enumerate(self.data)

    def store(self, run_folder: str, tell: Tell) -> Record:
        columns = [_plain_column(values, run_folder, tell) for values in zip(*self.data, strict=True)]
        content = {"columns": plain(self.columns)[0], "data": list(zip(*columns, strict=True))}
        self.take_bytes(orjson.dumps(content), ".table.json")
        try:
            return super().store(run_folder, tell) | {"ncols": len(self.columns), "nrows": len(self.data)}
        finally:
            self.take_bytes(b"", "")  # it may be logged again, with more rows

    @classmethod
    def load(cls, content: bytes) -> Table:
        """The table of a file; media in its cells are what was written of them.

        Raises:
            ValueError: it is none.
        """
        try:
            found = orjson.loads(content)
            return cls(columns=found["columns"], data=found["data"])
        except (TypeError, KeyError, orjson.JSONDecodeError) as error:
            raise ValueError(f"this is no table ({error})") from None


def _plain_column(values: tuple[Any, ...], run_folder: str, tell: Tell) -> Sequence[Any]:
    """A column's values as JSON has them; the plain ones of most columns need no closer look."""
    types = set(map(type, values))
    if types == {str} and all(map(str.isascii, values)):
        return values
    if types <= PLAIN and all(-MOST < v < MOST for v in values if type(v) is float or type(v) is int):
        return values
    return [plain(kept(value, run_folder, tell))[0] for value in values]
