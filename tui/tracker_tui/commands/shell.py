"""What all commands share: arguments, finding runs, printing."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from tracker import layout
from tracker.catalog import Catalog, StoredRun
from tracker.records import clean, encode, plain
from tracker.report import cells, short_path

USAGE_ERROR: Final = 2
"""Exit code for what the command line got wrong; 1 is for what could not be done."""
RUN_HELP: Final = "an id, a unique name, project/id or the path of a run's file"
FOLDER_HELP: Final = "folder of runs, default TRACKER_DIR, else ./runs"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        fail(f"{message} (try {self.prog} --help)")

    def add_runs(self, several: bool = True) -> None:
        """Let the user say which runs."""
        if several:
            self.add_argument("runs", metavar="RUN", nargs="+", help=RUN_HELP)
        else:
            self.add_argument("run", metavar="RUN", help=RUN_HELP)
        self.add_argument("--dir", metavar="PATH", help=FOLDER_HELP)


def fail(text: str, code: int = USAGE_ERROR) -> NoReturn:
    """End the command with one line."""
    warn(text)
    raise SystemExit(code)


def warn(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"tracker-tui: {clean(text, 2000)}\n")


def check_path(path: str | None) -> None:
    """A file is fine only if it is a run's."""
    is_other = path and os.path.exists(path) and not os.path.isdir(path)
    if is_other and layout.parse_segment_name(os.path.basename(path or "")) is None:
        fail(f"{path!r} is neither a folder nor a run's file")


# ---- finding ----


def find_one(wanted: str, root: str | None) -> tuple[Catalog, StoredRun]:
    """The run a user means, or the end of the command."""
    catalog, (run,) = find([wanted], root)
    return catalog, run


def find(wanted: Sequence[str], root: str | None, with_deleted: bool = False) -> tuple[Catalog, list[StoredRun]]:
    """The runs a user means, each once, or the end of the command."""
    folders = {os.path.dirname(os.path.abspath(each)) for each in wanted if _is_journal(each)}
    if len(folders) > 1 or (folders and not all(map(_is_journal, wanted))):
        fail("runs that are named by their files must lie in one folder, and all be named so")
    catalog = Catalog(folders.pop(), is_project=True) if folders else Catalog(root)
    catalog.refresh()
    found = {run.key: run for run in (_find(each, catalog) for each in wanted)}
    for run in found.values():
        if run.deleted and not with_deleted:
            fail(f"{run.label} is deleted: `tracker-tui undelete` shows it again")
    return catalog, list(found.values())


def _is_journal(wanted: str) -> bool:
    return layout.parse_segment_name(os.path.basename(wanted)) is not None and os.path.isfile(wanted)


def _find(wanted: str, catalog: Catalog) -> StoredRun:
    runs = catalog.newest_first(with_deleted=True)
    project, _, last = wanted.rpartition("/")
    if _is_journal(wanted):
        folder, name = os.path.split(os.path.abspath(wanted))
        parsed = layout.parse_segment_name(name)
        place = (os.path.basename(folder), parsed[1] if parsed else "")
        found = [run for run in runs if run.key == place]
    else:
        found = [
            run for run in runs if run.id == last and project in ("", run.project, f"{run.entity}/{run.project}")
        ] or [run for run in runs if run.label == wanted]
        found = [run for run in found if not run.deleted] or found
    if not found:
        fail(f"there is no run {wanted!r} in {short_path(catalog.root)}")
    if len(found) > 1:
        places = ", ".join(f"{run.project}/{run.id}" for run in found[:5])
        fail(f"{len(found)} runs are called {wanted!r}: say which one, e.g. {places}")
    return found[0]


# ---- printing ----


def describe(run: StoredRun) -> dict[str, Any]:
    """A run as `ls --json` and `show --json` give it; NaN and the infinities are strings, as on disk."""
    return {
        "id": run.id,
        "name": run.label,
        "entity": run.entity,
        "project": run.project,
        "group": run.group,
        "job_type": run.job_type,
        "state": run.state,
        "created_at": datetime.fromtimestamp(run.created, UTC).isoformat(timespec="milliseconds"),
        "duration": round(run.duration(time.time()), 3),
        "step": run.step,
        "config": run.config,
        "summary": run.summary,
        "tags": run.tags,
        "archived": run.archived,
        "notes": run.notes,
        "exit_code": run.exit_code,
        "exception": run.exception,
        "signal": run.signal or run.deadly_signal,
        "path": run.path,
        "alerts": run.alerts,
        "host": clean(run.start.get("host") or ""),
        "user": clean(run.start.get("user") or ""),
        "bad_lines": run.bad_lines,
    }


def print_json(value: Any) -> None:
    """Standard JSON; on a terminal in ASCII, where escape sequences in names and values are harmless."""
    text = encode(plain(value, 100)[0])
    if sys.stdout.isatty():
        import json

        text = (json.dumps(json.loads(text)).replace("\x7f", "\\u007f") + "\n").encode()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def print_columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> None:
    """Aligned columns; lines are cut to the terminal's width where there is one.

    Args:
        rows: the texts, clean ones.
        right: places of the columns that are aligned at the right.
    """
    widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    at_right = set(right)
    for row in rows:
        padding = [" " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True)]
        aligned = [
            pad + cell if i in at_right else cell + pad for i, (cell, pad) in enumerate(zip(row, padding, strict=True))
        ]
        print_lines("  ".join(aligned).rstrip()[:limit])


def print_lines(*lines: str) -> None:
    """To standard output, whatever its encoding can show."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write("".join(line.encode(encoding, "replace").decode(encoding) + "\n" for line in lines))
    sys.stdout.flush()
