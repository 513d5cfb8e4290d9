"""`tracker-tui rename`, `tag`, `note`, `archive`, `delete`, `undelete` and `stop`.

All but `stop` only append a record beside the run; a running job goes on undisturbed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui.commands.shell import Parser, agrees, fail, find, find_one, print_lines, warn
from tracker_tui.edits import Edits, parse_tags, tag_changes
from tracker_tui.look import some_runs
from tracker_tui.sources import Sources


def rename(words: list[str]) -> int:
    """Give a run another name."""
    parser = Parser(
        prog="tracker-tui rename",
        description="Give a run another name; a running job goes on undisturbed.",
        epilog='example: tracker-tui rename jolly-haze-4 "lr 0.1, no warm-up"',
    )
    parser.add_runs(several=False)
    parser.add_argument("name", metavar="NAME", help="the new name")
    given = parser.parse_args(words)
    if not clean(given.name).strip():
        fail("NAME must not be empty")
    sources, run = find_one(given)
    before = run.label
    code = _change(sources, "renamed", [(run, {"name": given.name})], says=False)
    if not code:
        print_lines(f"{before} is now {run.label}")
    return code


def tag(words: list[str]) -> int:
    """Give runs tags, or take some away."""
    parser = Parser(
        prog="tracker-tui tag",
        description="Give runs tags, or take some away; without either, print them.",
        epilog="example: tracker-tui tag jolly-haze-4 x8k2mq1p --add best,paper --remove todo",
    )
    parser.add_runs()
    parser.add_argument("--add", metavar="TAGS", type=_tags, default=[], help="tags to give, with commas")
    parser.add_argument("--remove", metavar="TAGS", type=_tags, default=[], help="tags to take away, with commas")
    given = parser.parse_args(words)
    sources, runs = find(given, given.runs)
    code = 0
    if given.add or given.remove:
        code = _change(sources, "tagged", tag_changes(runs, given.remove, given.add), says=False)
    print_lines(*(f"{run.label}: {', '.join(run.tags) or '(no tags)'}" for run in runs))
    return code


def _tags(text: str) -> list[str]:
    import argparse

    try:
        return parse_tags(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def note(words: list[str]) -> int:
    """Set a run's notes."""
    parser = Parser(
        prog="tracker-tui note",
        description="Set a run's notes; without TEXT, print them. TEXT `-` reads them from stdin.",
        epilog='example: tracker-tui note jolly-haze-4 "diverges after warm-up"',
    )
    parser.add_runs(several=False)
    parser.add_argument("text", metavar="TEXT", nargs="?", help="the new notes; '' for none")
    given = parser.parse_args(words)
    sources, run = find_one(given)
    if given.text is None:
        if run.notes:
            print_lines(*run.notes.split("\n"))
        return 0
    text = sys.stdin.read().rstrip("\n") if given.text == "-" else given.text
    return _change(sources, "noted", [(run, {"notes": text})])


def archive(words: list[str]) -> int:
    """Put runs out of the way."""
    parser = Parser(
        prog="tracker-tui archive",
        description="Put runs out of the way: they show only for queries that name `archived:yes`.",
        epilog="example: tracker-tui archive jolly-haze-4 x8k2mq1p",
    )
    parser.add_runs()
    parser.add_argument("--undo", action="store_true", help="show them again")
    given = parser.parse_args(words)
    sources, runs = find(given, given.runs)
    return _change(sources, "unarchived" if given.undo else "archived", _all(runs, archived=not given.undo))


def delete(words: list[str]) -> int:
    """Hide runs."""
    parser = Parser(
        prog="tracker-tui delete",
        description="Hide runs everywhere. Their files stay until `purge`; `undelete` shows them again.",
    )
    parser.add_runs()
    given = parser.parse_args(words)
    sources, runs = find(given, given.runs)
    return _change(sources, "deleted", _all(runs, deleted=True))


def undelete(words: list[str]) -> int:
    """Show deleted runs again."""
    parser = Parser(
        prog="tracker-tui undelete", description="Show deleted runs again; `ls --query deleted:yes` lists them."
    )
    parser.add_runs()
    given = parser.parse_args(words)
    sources, runs = find(given, given.runs, with_deleted=True)
    return _change(sources, "undeleted", _all(runs, deleted=False))


def stop(words: list[str]) -> int:
    """End the jobs of runs."""
    parser = Parser(
        prog="tracker-tui stop",
        description="Send SIGTERM to the jobs of runs, after asking. Only to a process whose pid, start time and"
        " boot are the run's own, on the machine with the files.",
    )
    parser.add_runs()
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(words)
    sources, runs = find(given, given.runs)
    for run in runs:
        if run.state != "running":
            fail(f"{run.label} is {run.state}, not running", code=1)
        print_lines(f"{run.label}  pid {clean(run.start.get('pid'))}  {clean(run.start.get('command') or '', 200)}")
    if not given.yes and not agrees(f"Stop {some_runs(len(runs))}?"):
        print_lines("nothing stopped")
        return 1
    code = 0
    for run in runs:
        if trouble := sources.of(run).stop(run):
            warn(f"{run.label} not stopped: {trouble}")
            code = 1
        else:
            print_lines(f"{run.label} was sent SIGTERM")
    return code


def _all(runs: Iterable[StoredRun], **fields: Any) -> list[tuple[StoredRun, Mapping[str, Any]]]:
    return [(run, fields) for run in runs]


def _change(
    sources: Sources, what: str, changes: Iterable[tuple[StoredRun, Mapping[str, Any]]], says: bool = True
) -> int:
    """Write edits and say what came of them; the exit code."""
    outcome = Edits(sources).change(what, changes)
    if outcome.trouble:
        warn(f"not {what}: {outcome.trouble}")
        return 1
    if says:
        print_lines(outcome.what if outcome.done else f"nothing to change: {what} already")
    return 0
