"""What all commands share: arguments, finding runs, printing."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from tracker import layout
from tracker.records import clean, encode, plain
from tracker.report import cells, short_path
from tracker.stored import StoredRun
from tracker_tui import query, table
from tracker_tui.hosts import Address, Ssh, open_sources, parse
from tracker_tui.look import all_hidden
from tracker_tui.sources import Sources

USAGE_ERROR: Final = 2
"""Exit code for what the command line got wrong; 1 is for what could not be done."""
SIGNALLED: Final = 128
"""An exit code above it names the signal that ended a command, as shells tell it."""
OWN_CALLS: Final = 6
"""The last calls, and the causes, that are told of an error that nobody foresaw."""
RUN_HELP: Final = "an id, a unique name, project/id or the path of a run's file"
FOLDER_HELP: Final = "folder of runs, here or on another machine (user@host:path); default: TRACKER_DIR, else ./runs"


class ParserAsked(Exception):  # noqa: N818 - it is none
    """A command was asked for its parser."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser


_ASKED: Final[list[str]] = []
"""What a command gets instead of words when it is asked for its parser; this very list."""


def parser_of(command: Callable[[list[str]], int]) -> Parser:
    """The parser of a command, which is done no further."""
    try:
        command(_ASKED)
    except ParserAsked as asked:
        return asked.parser
    raise TypeError("a command that parses no words")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs, and leaves tables and examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = (line if "  " in line else textwrap.fill(line, width - len(indent)) for line in text.splitlines())
        return textwrap.indent("\n".join(lines), indent)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_Help, **settings)

    def parse_args(self, words: Sequence[str] | None = None) -> argparse.Namespace:  # type: ignore[override]
        """The words as they are meant, or the end of the command."""
        if words is _ASKED:
            raise ParserAsked(self)
        return super().parse_args(words)

    def error(self, message: str) -> NoReturn:
        name = self.prog.split()[-1]
        is_folder = len(sys.argv) == 2 and os.path.isdir(name)  # `logs` is what TensorBoard's folders are called
        fail(f"{message} (try {self.prog} --help{f'; the folder is ./{name}' if is_folder else ''})")

    def add_runs(self, several: bool = True, may_be_none: bool = False) -> None:
        """Let the user say which runs."""
        if several:
            self.add_argument("runs", metavar="RUN", nargs="*" if may_be_none else "+", help=RUN_HELP)
        else:
            self.add_argument("run", metavar="RUN", help=RUN_HELP)
        self.add_where()

    def add_where(self) -> None:
        """Let the user say where to look."""
        self.add_argument("--dir", metavar="PATH", help=FOLDER_HELP)
        self.add_ssh()

    def add_ssh(self) -> None:
        """Let the user say how other machines are reached."""
        group = self.add_argument_group("other machines", "PATH may be user@host:path or ssh://user@host:port/path")
        group.add_argument(
            "--ssh-option", metavar="OPTION", action="append", default=[], help="handed to ssh -o, e.g. ProxyJump=gate"
        )
        group.add_argument("--remote-python", metavar="PATH", default="", help="the python3 to use there, 3.8 or newer")


def fail(text: str, code: int = USAGE_ERROR) -> NoReturn:
    """End the command with one line."""
    warn(text)
    raise SystemExit(code)


def warn(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"tracker-tui: {clean(text, 2000)}\n")


def own_error(error: BaseException) -> str:
    """What to say of an error that nobody foresaw: where it happened, and nothing in it that commands a terminal."""
    told = "".join(traceback.format_tb(error.__traceback__)[-OWN_CALLS:]).splitlines()
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < OWN_CALLS:
        words = " ".join("".join(traceback.format_exception_only(cause)).split())
        causes.append(f"{'because of ' if causes else ''}{clean(words, 500)}")
        cause = cause.__cause__ or cause.__context__
    calls = [" " * (len(line) - len(line.lstrip())) + clean(line.lstrip(), 300) for line in told]
    return "\n".join(["tracker-tui: an error of its own; the runs' files are as they were:", *calls, *causes])


def leave_cleanly() -> None:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does, so that it tidies up; those that are ignored stay so."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(SIGNALLED + number)

    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) != signal.SIG_IGN:
            signal.signal(name, leave)


# ---- finding ----


def where(text: str) -> Address:
    """The address a user means; a file of this machine is fine only if it is a run's."""
    try:
        address = parse(text)
    except ValueError as error:
        fail(str(error))
    path = address.path
    is_other = not address.host and os.path.exists(path) and not os.path.isdir(path)
    if is_other and layout.parse_segment_name(os.path.basename(path)) is None:
        fail(f"{text!r} is neither a folder nor a run's file")
    return address


def ssh_of(given: argparse.Namespace) -> Ssh:
    """How the user wants ssh to be called."""
    return Ssh(tuple(given.ssh_option), given.remote_python)


def open_where(given: argparse.Namespace, texts: Sequence[str]) -> Sources:
    """The runs of the addresses a user gave, all of them looked at; or the end of the command."""
    sources = _opened(lambda: open_sources([where(text) for text in texts], ssh_of(given)))
    for catalog in sources.catalogs.values():
        if catalog.files.trouble:
            warn(catalog.files.trouble)
    sources.refresh()
    return sources


def open_paths(given: argparse.Namespace, texts: Sequence[str]) -> Sources:
    """The runs of the folders that are named, or the end of the command."""
    for address in map(where, texts):
        if not address.host and not os.path.exists(address.path):
            fail(
                f"there is no folder {address.path!r}{'' if '/' in address.text else f' (a machine: {address.text}:)'}"
            )
    return open_where(given, texts)


def nothing_in(sources: Sources) -> str:
    """Why no run is shown where none was asked for."""
    if sources.runs:
        return f"{all_hidden(len(sources.runs))} in {roots_of(sources)}"
    return f"no runs in {roots_of(sources)} yet"


def _opened(opening: Callable[[], Sources]) -> Sources:
    try:
        return opening()
    except (OSError, ValueError) as error:
        fail(str(error), code=1)


def find_one(given: argparse.Namespace) -> tuple[Sources, StoredRun]:
    """The run a user means, or the end of the command."""
    sources, (run,) = find(given, [given.run])
    return sources, run


def find(
    given: argparse.Namespace, wanted: Sequence[str], with_deleted: bool = False, may_remove: bool = False
) -> tuple[Sources, list[StoredRun]]:
    """The runs a user means, each once, or the end of the command.

    Args:
        given: says in `dir` where to look, and how to call ssh.
        wanted: what the user says of each run.
        with_deleted: whether those that are deleted may be meant.
        may_remove: whether files may be removed on another machine.
    """
    folders = {folder for each in wanted if (folder := _folder_of(each)) is not None}
    if len(folders) > 1 or (folders and None in map(_folder_of, wanted)):
        fail("runs that are named by their files must lie in one folder, and all be named so")
    address = folders.pop() if folders else where(given.dir) if given.dir else None
    is_project = any(_folder_of(each) for each in wanted)
    sources = _opened(lambda: open_sources([address], ssh_of(given), is_project, may_remove))
    sources.refresh()
    found = {run.key: run for run in (_find(each, sources) for each in wanted)}
    for run in found.values():
        if run.deleted and not with_deleted:
            fail(f"{run.label} is deleted: `tracker-tui undelete` shows it again")
    return sources, list(found.values())


def asked_for(sources: Sources, text: str) -> list[StoredRun]:
    """The runs that a query means, or the end of the command."""
    try:
        wanted = query.parse(text)
    except query.QueryError as error:
        sys.stderr.write(f"tracker-tui: {clean(error)}\n  {clean(text)}\n  {' ' * cells(text[: error.start])}^\n")
        raise SystemExit(2) from None
    choice = table.choosable(sources.newest_first(with_deleted=True), wanted)
    runs = table.chosen(choice, wanted)
    if not runs and text:
        warn(table.why_none(wanted, choice) or f"none of {len(choice)} runs fits")
    return runs


def _folder_of(wanted: str) -> Address | None:
    """The project's folder, where a run is named by its file."""
    if layout.parse_segment_name(os.path.basename(wanted)) is None:
        return None
    address = where(wanted)
    if address.host:
        folder = os.path.dirname(address.path)
        return address._replace(text=address.at(folder or "."), path=folder or ".")
    folder = os.path.dirname(os.path.abspath(wanted))
    return Address(folder, folder) if os.path.isfile(wanted) else None


def _find(wanted: str, sources: Sources) -> StoredRun:
    runs = sources.newest_first(with_deleted=True)
    project, _, last = wanted.rpartition("/")
    if folder := _folder_of(wanted):
        parsed = layout.parse_segment_name(os.path.basename(wanted))
        place = (os.path.basename(folder.path), parsed[1] if parsed else "")
        found = [run for run in runs if run.key.id == place[1] and (folder.host or run.key[:2] == place)]
    else:
        found = [
            run for run in runs if run.id == last and project in ("", run.project, f"{run.entity}/{run.project}")
        ] or [run for run in runs if run.label == wanted]
        found = [run for run in found if not run.deleted] or found
    if not found:
        hint = f" (on another machine: --dir {wanted.split(':')[0]}:PATH)" if ":" in project else ""
        fail(f"there is no run {wanted!r} in {roots_of(sources)}{hint}")
    if len(found) > 1:
        places = ", ".join(f"{run.project}/{run.id}" for run in found[:5])
        fail(f"{len(found)} runs are called {wanted!r}: say which one, e.g. {places}")
    return found[0]


def roots_of(sources: Sources) -> str:
    """Where runs were looked for."""
    return ", ".join(short_path(catalog.root) for catalog in sources.catalogs.values())


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
        "origin": _origin(run),
        "alerts": run.alerts,
        "artifacts": run.artifacts,
        "host": clean(run.start.get("host") or ""),
        "user": clean(run.start.get("user") or ""),
        "bad_lines": run.bad_lines,
        "metadata": run.metadata,
    }


def _origin(run: StoredRun) -> dict[str, Any] | None:
    """Where a run comes from that another tool has logged."""
    origin = run.start.get("origin") if run.origin else None
    if not isinstance(origin, dict):
        return None
    texts = {name: clean(text, 4096) for name in ("kind", "path", "part") if isinstance(text := origin.get(name), str)}
    return {**texts, "read_only": run.is_read_only}


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


def agrees(question: str) -> bool:
    """Whether the user says yes; nobody at a terminal says no."""
    if not sys.stdin.isatty():
        warn(f"{question} Say so with --yes.")
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
