"""`tracker-tui export`: runs as a table in a file, for whatever reads CSV, JSON lines or Parquet."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, BinaryIO, Final, NamedTuple

from tracker.catalog import Catalog
from tracker.records import Record, clean, plain
from tracker.rows import Rows, Samples
from tracker.stored import StoredRun
from tracker_tui.commands.shell import (
    Parser,
    asked_for,
    describe,
    fail,
    find,
    leave_cleanly,
    nothing_in,
    open_paths,
    print_lines,
    warn,
)
from tracker_tui.formats import FORMATS, Batch, Columns, Head, Row, batches
from tracker_tui.look import some_runs
from tracker_tui.query import HOW_TO_ASK
from tracker_tui.sources import Sources

STDOUT: Final = "-"
PLACE: Final = ("_step", "_timestamp")
"""Columns that are there whichever are asked for."""
AGAIN: Final = 0.2
"""Seconds between two words on how far it is."""
DESCRIPTION: Final = (
    "Write the history of runs as one table: a row a step, a column a metric, and before them _project, _run (the id), "
    "_name, _step and _timestamp. Without RUN, that of all runs that are not archived."
)
EXAMPLES: Final = """\
examples:
  tracker-tui export jolly-haze-4 -o loss.csv --keys loss,'val/*'
  tracker-tui export --query 'tag:best' -o best.parquet
  tracker-tui export --runs -o runs.csv     a row a run: state, config.lr ...
  tracker-tui export x8k2mq1p -f jsonl | jq .loss
"""


def export(words: list[str]) -> int:
    """Write runs as a table."""
    given = _parser().parse_args(words)
    write = _format(given)
    leave_cleanly()
    sources, runs = _chosen(given)
    progress = _Progress(given.output)
    with tempfile.TemporaryDirectory(prefix="tracker-tui-") as scratch, _output(given) as file:
        tables = _tables(given, sources, runs, scratch)
        columns = Columns()
        for batch in progress.told("read", batches(_rows(tables, given.keys))):
            columns.learn(batch)
        by_key = columns.by_key()
        _need_all(given, runs, by_key)
        write(file, by_key, progress.told("written", batches(_rows(tables, given.keys))))
        bad_lines = sum(table.bad_lines() for table in tables)
    if bad_lines:
        warn(f"{bad_lines} lines of the journals are no records and were left out")
    if given.output != STDOUT:
        print_lines(f"{progress.rows:,} rows of {some_runs(len(runs))} are in {clean(given.output)}")
    return 0


def _parser() -> Parser:
    epilog = f"{EXAMPLES}\nqueries:\n{HOW_TO_ASK}"
    parser = Parser(prog="tracker-tui export", description=DESCRIPTION, epilog=epilog)
    parser.add_runs(may_be_none=True)
    parser.add_argument("-q", "--query", metavar="QUERY", default="", help="only runs that fit, in place of RUN")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--runs", dest="is_of_runs", action="store_true", help="a row a run: what `ls --json` tells")
    what.add_argument("--system", action="store_true", help="a row a sample of the machine")
    names = "only these columns, and rows that have one of them: names and patterns, with commas"
    parser.add_argument("-k", "--keys", metavar="KEYS", type=_patterns, help=names)
    parser.add_argument("-f", "--format", choices=FORMATS, help="default: as FILE ends, else csv")
    parser.add_argument("-o", "--output", metavar="FILE", default=STDOUT, help="default: - for standard output")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    return parser


def _patterns(text: str) -> list[str]:
    return [pattern.strip() for pattern in text.split(",") if pattern.strip()]


def _format(given: argparse.Namespace) -> Callable[..., None]:
    ending = os.path.splitext(given.output)[1].removeprefix(".").lower()
    name = given.format or ("csv" if given.output == STDOUT else ending)
    if name not in FORMATS:
        fail(f"{given.output!r} ends with none of {', '.join(FORMATS)}: say which one with --format")
    if name == "parquet":
        _need_pyarrow()
        if given.output == STDOUT and sys.stdout.isatty():
            fail("Parquet is not for a terminal: name a file with --output")
    return FORMATS[name]


def _need_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        fail("Parquet takes pyarrow, which is not installed: pip install 'tracker-tui[parquet]'", code=1)


# ---- what is exported ----


def _chosen(given: argparse.Namespace) -> tuple[Sources, list[StoredRun]]:
    """The runs that are meant, the oldest first, or the end of the command."""
    if given.runs and given.query:
        fail("say which runs either by name or by --query")
    if given.runs:
        return find(given, given.runs)
    sources = open_paths(given, [given.dir] if given.dir else [])
    runs = asked_for(sources, given.query)
    if not runs and given.query:
        raise SystemExit(1)  # it was said why
    if not runs:
        fail(nothing_in(sources), code=1)
    return sources, runs[::-1]


class _Table(NamedTuple):
    """What one run gives."""

    head: Head
    rows: Callable[[], Iterable[Record]]
    """Each time all of them."""
    bad_lines: Callable[[], int] = int


def _tables(given: argparse.Namespace, sources: Sources, runs: Iterable[StoredRun], scratch: str) -> list[_Table]:
    tables = []
    for run in runs:
        head = run.project, run.id, run.label
        if given.is_of_runs:
            tables.append(_Table(head, partial(_described, run)))
            continue
        journals = _journals(sources.of(run), run, scratch)
        if given.system:
            tables.append(_Table(head, Samples(journals).read))
        else:
            rows = Rows(journals)
            tables.append(_Table(head, rows.read, partial(getattr, rows, "bad_lines")))
    return tables


def _journals(catalog: Catalog, run: StoredRun, scratch: str) -> list[tuple[str, float]]:
    """The journals that hold a run's history; those of another machine are copied, for they are read several times."""
    if not catalog.files.is_far:
        return catalog.journals(run)
    return [(_copied(catalog, run.key.project, name, scratch), last) for name, last in catalog.lineage(run)]


def _copied(catalog: Catalog, project: str, name: str, scratch: str) -> str:
    path = os.path.join(scratch, f"{project}-{name}")
    if os.path.exists(path):  # another run was forked from it
        return path
    lines = catalog.files.lines(project, name)
    with open(path, "xb") as file:
        while not lines.is_whole:
            data = lines.read()
            file.write(data)
            if not data and not lines.is_whole:
                catalog.files.wait()
    lines.close()
    return path


def _described(run: StoredRun) -> list[Record]:
    """The one row of a run: config and summary by the names that queries have for them."""
    told = plain(describe(run), 100)[0]
    config, summary = told.pop("config"), told.pop("summary")
    rest = {key: value for key, value in told.items() if key not in ("project", "id", "name")}
    return [{**rest, **dict(_flat("config", config)), **dict(_flat("summary", summary))}]


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and "_type" not in value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value


def _rows(tables: Iterable[_Table], patterns: Sequence[str] | None) -> Iterator[Row]:
    """All rows of all tables, or what was asked for of those that have any of it."""
    wanted = _Wanted(patterns or ())
    for table in tables:
        for row in table.rows():
            if patterns is None:
                yield table.head, row
            elif values := {key: value for key, value in row.items() if wanted[key]}:
                yield table.head, {**{key: row[key] for key in PLACE if key in row}, **values}


class _Wanted(dict[str, bool]):
    """Whether a key is asked for; each is compared with the patterns once."""

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        self._patterns = patterns

    def __missing__(self, key: str) -> bool:
        self[key] = any(_fits(key, pattern) for pattern in self._patterns)
        return self[key]


def _fits(key: str, pattern: str) -> bool:
    return key == pattern or fnmatchcase(key, pattern)


def _need_all(given: argparse.Namespace, runs: Sequence[StoredRun], found: Collection[str]) -> None:
    """End the command where there is nothing, or nothing of something that is asked for."""
    whose = runs[0].label if len(runs) == 1 else some_runs(len(runs))
    for pattern in given.keys or ():
        if not any(_fits(key, pattern) for key in found):
            known = sorted({key for run in runs for key in (_described(run)[0] if given.is_of_runs else run.summary)})
            fail(f"nothing of {whose} is called {pattern!r}; there is {', '.join(known[:20]) or 'nothing'}", code=1)
    if not found:
        fail(f"{whose}: no {'samples' if given.system else 'rows'} to export", code=1)


# ---- where it goes ----


@contextlib.contextmanager
def _output(given: argparse.Namespace) -> Iterator[BinaryIO]:
    """The file, which takes its name when all of it is there: what is broken off leaves nothing."""
    if given.output == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = os.path.realpath(given.output)
    if os.path.lexists(path):
        if not stat.S_ISREG(os.stat(path).st_mode):
            fail(f"{given.output!r} is no file" + (" (a pipe: -o -)" if not os.path.isdir(path) else ""))
        if not given.force:
            fail(f"{given.output!r} is there already: --force replaces it")
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(part)
        if isinstance(error, OSError) and error.errno:
            fail(f"{given.output} is not written: {os.strerror(error.errno)}", code=1)
        raise


class _Progress:
    """Tells on a terminal how far it is."""

    def __init__(self, output: str) -> None:
        self._is_shown = sys.stderr.isatty() and not (output == STDOUT and sys.stdout.isatty())
        self.rows = 0
        """How many the last telling was about."""

    def told(self, what: str, portions: Iterable[Batch]) -> Iterator[Batch]:
        """The same portions."""
        total, self.rows = self.rows, 0
        due = 0.0
        try:
            for batch in portions:
                self.rows += len(batch)
                if self._is_shown and time.monotonic() >= due:
                    due = time.monotonic() + AGAIN
                    self._say(f"{self.rows:,}{f' of {total:,}' if total else ''} rows {what}")
                yield batch
        finally:
            if due:
                self._say("")

    def _say(self, text: str) -> None:
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()
