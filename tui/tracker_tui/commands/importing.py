"""`tracker-tui import`: runs of other tools become runs of one's own."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import mkdtemp
from typing import Any, Final

from tracker import host, layout
from tracker.foreign.finder import Finder, Found
from tracker.foreign.origin import origin_of
from tracker.records import clean
from tracker_tui.commands.shell import Parser, fail, leave_cleanly, print_json, print_lines, warn
from tracker_tui.look import fit, some_runs

EXAMPLES: Final = """\
examples:
  tracker-tui import ~/tb_logs                  into ./runs, or TRACKER_DIR
  tracker-tui import wandb --dir ~/runs         offline runs of wandb
  tracker-tui import results.csv --project yolo
  tracker-tui import . --dry-run                what there is
"""
STAGE: Final = ".import-"
"""How a folder begins in which runs are written before they are put in place."""


def import_(words: list[str]) -> int:
    """Make runs of other tools your own."""
    parser = Parser(
        prog="tracker-tui import",
        description="Turn runs that other tools have logged into runs of your own: TensorBoard's event files, offline"
        " runs of wandb, tables of metrics (JSON lines, CSV; Lightning, Hugging Face's Trainer, ultralytics), trackio's"
        " databases. Their files stay as they are. What was imported before is passed over, or goes on where it has"
        " grown.",
        epilog=EXAMPLES,
    )
    parser.add_argument("places", metavar="PATH", nargs="+", help="a folder, in which they are searched for, or a file")
    parser.add_argument("--dir", metavar="PATH", help="where to: a folder of runs; default: TRACKER_DIR, else ./runs")
    parser.add_argument("--project", metavar="NAME", help="put all of them into this project")
    parser.add_argument("--dry-run", action="store_true", help="only say what there is")
    parser.add_argument("--json", action="store_true", help="one array of objects, a run each")
    given = parser.parse_args(words)
    project = given.project
    if project is not None:
        try:
            layout.check_project(project)
        except ValueError as error:
            fail(str(error))
    found = list({each.origin: each for path in given.places for each in _found(path)}.values())
    if not found:
        trouble = f"no runs of other tools in {', '.join(map(clean, given.places))}"
        if any(os.path.isfile(os.path.expanduser(path)) for path in given.places):
            trouble += " (a table has a line of names, commas between, and in most rows a step and a number)"
        fail(trouble, code=1)
    root = layout.resolve_root(given.dir)
    leave_cleanly()
    done = []
    with _stage(root, given.dry_run) as stage:
        for each in found:
            done.append(_import(each if project is None else each._replace(project=project), project, root, stage))
            if not given.json:
                _tell(done[-1])
    if given.json:
        print_json(done)
    else:
        new = sum(run["outcome"] in ("imported", "continued", "new", "grown") for run in done)
        print_lines(f"{some_runs(new)} {'to import' if given.dry_run else 'imported'} to {root}")
    return 1 if any(run["outcome"] == "failed" for run in done) else 0


def _found(text: str) -> list[Found]:
    """What is at a path that the user names."""
    path = os.path.abspath(os.path.expanduser(text))
    if os.path.isfile(path):
        finder = Finder(os.path.dirname(path))
        found = finder.of_file(path)
    elif os.path.isdir(path):
        finder = Finder(path)
        finder.look(float("inf"))
        found = list(finder.found.values())
    else:
        fail(f"there is no file or folder {text!r}")
    if finder.left_out:
        warn(finder.left_out)
    return found


@contextmanager
def _stage(root: str, is_rehearsal: bool) -> Iterator[str]:
    """A folder on the disk of the runs, in which they are made; it goes whatever happens. Those of the killed go too.

    Args:
        root: the folder of runs.
        is_rehearsal: none is needed: empty.
    """
    if is_rehearsal:
        yield ""
        return
    try:
        os.makedirs(root, exist_ok=True)
        for name in os.listdir(root):
            if name.startswith(STAGE):
                _remove_abandoned(os.path.join(root, name))
        turn = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(OSError):  # not on every network file system
            fcntl.flock(turn, fcntl.LOCK_EX)  # two at once would import each run twice
        stage = mkdtemp(prefix=STAGE, dir=root)
        lock = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_SH)
    except OSError as error:
        fail(f"{error.strerror}: {root}", code=1)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)
        os.close(turn)


def _remove_abandoned(stage: str) -> None:
    with suppress(OSError):
        lock = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever makes one holds it
            shutil.rmtree(stage, ignore_errors=True)
        finally:
            os.close(lock)


def _import(found: Found, project: str | None, root: str, stage: str) -> dict[str, Any]:
    """Import one run; what came of it, as JSON can hold it."""
    from tracker.foreign.conversion import Conversion

    told: dict[str, Any] = {"origin": found.origin._asdict(), "project": found.project, "name": found.name}
    told |= {"id": found.origin.id, "rows": 0, "bad_lines": 0, "path": "", "trouble": ""}
    conversion = Conversion(stage, found, imported=time.time(), project=project)
    identity = conversion.identify()
    if identity is None:
        return told | {"outcome": "empty", "trouble": "nothing in it can be read"}
    told |= {"id": identity.id, "project": identity.project, "name": identity.name}
    before, is_taken = _before(root, identity.project, identity.id, found)
    if is_taken:
        return told | {"outcome": "failed", "trouble": f"{identity.project} has a run {identity.id} of its own"}
    if before:
        conversion = Conversion(stage, found, before, imported=time.time(), project=project)
    stamps = found.stamps()
    if not conversion.is_due(stamps):
        return told | {"outcome": "unchanged", "path": before}
    if not stage:
        return told | {"outcome": "grown" if before else "new"}
    try:
        while conversion.go_on(stamps):
            pass
        if conversion.path == before:
            return told | {"outcome": "unchanged", "path": before}
        conversion.settle(time.time(), is_over=True)
        path = _put(conversion.path, root)
    except OSError as error:
        return told | {"outcome": "failed", "trouble": error.strerror or str(error)}
    told |= {"rows": conversion.rows, "bad_lines": conversion.damaged, "path": path}
    return told | {"outcome": "continued" if before and not conversion.replaced else "imported"}


def _before(root: str, project: str, run_id: str, found: Found) -> tuple[str, bool]:
    """The newest journal that was made of this very run; and whether its id is that of another run."""
    folder, wanted = layout.file_name(project), layout.file_name(run_id)
    names = host.list_files(root, folder, ("run-",)) or []
    paths = [
        os.path.join(root, folder, name) for name in names if (layout.parse_segment_name(name) or "  ")[1] == wanted
    ]
    origins = [origin_of(path) for path in paths]
    of_this = [path for path, origin in zip(paths, origins, strict=True) if origin == found.origin]
    return of_this[-1] if of_this else "", not of_this and None in origins


def _put(path: str, root: str) -> str:
    """Put a journal and its folder in place, the journal last; the path.

    Raises:
        OSError: the disk does not take it.
    """
    folder = os.path.join(root, os.path.basename(os.path.dirname(path)))
    os.makedirs(folder, exist_ok=True)
    stamp, run_id, _ = layout.parse_segment_name(os.path.basename(path)) or ("", "", 0)
    attempt = 1
    while True:
        name = f"run-{stamp}-{run_id}{f'.{attempt}' if attempt > 1 else ''}"
        target = os.path.join(folder, name)
        if not os.path.lexists(f"{target}.jsonl") and not os.path.lexists(target):
            break
        attempt += 1
    made = path.removesuffix(".jsonl")
    if os.path.isdir(made):
        os.rename(made, target)
    os.rename(path, f"{target}.jsonl")
    return f"{target}.jsonl"


def _tell(run: dict[str, Any]) -> None:
    """One line of what came of a run."""
    bad = f", {run['bad_lines']:,} damaged" if run["bad_lines"] else ""
    rows = f"{run['rows']:,} row{'s' * (run['rows'] != 1)}{bad}" if run["path"] and run["rows"] else ""
    place = clean(f"{run['project']}/{run['name']}")
    print_lines(
        "  ".join((fit(run["outcome"], 9), fit(run["origin"]["kind"], 11), place, rows or run["trouble"])).rstrip()
    )
