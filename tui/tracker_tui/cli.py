"""The `tracker-tui` command. Textual is imported only when the dashboard opens."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from tracker import __version__
from tracker.records import clean
from tracker_tui.commands import changing, exporting, logs, reading
from tracker_tui.commands.shell import FOLDER_HELP, Parser, fail, leave_cleanly, ssh_of, warn, where
from tracker_tui.hosts import PLAIN, Address, Ssh, open_sources

EXAMPLES: Final = """\
commands (each has its own --help):
  ls [PATH]               list runs: --query --sort --columns --json
  show RUN [--json]       one run: state, config, summary
  show RUN --chart loss   a metric's chart as text; --log --smoothing 0.9 --x relative
  logs RUN [-f]           what it printed: --tail 20 --since 10m --stderr --times --json
  events [PATH]           what happened: alerts, NaN, stalls, ends: --query --json
  compare RUN RUN...      what differs between runs
  export [RUN...] -o FILE histories as CSV, JSON lines or Parquet: --query --keys --runs --system
  rename RUN NAME         give a run another name; a running job goes on undisturbed
  tag RUN... --add best   give tags, or --remove them
  note RUN TEXT           set a run's notes
  archive RUN...          put runs out of the way; --undo shows them again
  delete RUN...           hide runs; their files stay
  undelete RUN...         show them again
  purge                   remove the files of deleted runs for good, after asking
  stop RUN...             send SIGTERM to running jobs, after asking
  demo                    open the dashboard on a few short training jobs

RUN is an id, a unique name, project/id or the path of a run's file. PATH may be on another machine:
user@host:path, host: (its ~/runs), ssh://user@host:port/path.

examples:
  tracker-tui                          watch ./runs, or the folder in TRACKER_DIR
  tracker-tui ~/experiments/runs       watch another folder
  tracker-tui gpu1: me@gpu2:work/runs  watch other machines over ssh: ~/runs on gpu1, work/runs on gpu2
  tracker-tui ls --query 'val/loss<0.2 lr>=0.01' --sort val/loss
  tracker-tui ls --json | jq '.[0]'    the newest run, for scripts
  tracker-tui export --query tag:best -o best.parquet
  tracker-tui rename jolly-haze-4 "lr 0.1, no warm-up"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0; 1 for what could not be done, 2 for what the command line got wrong.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = _COMMANDS.get(words[0]) if words else None
    try:
        if command is not None:
            return command(words[1:])
        return _dashboard(words)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # e.g. `| head`: nobody reads on
            return 0
        sys.stderr.write(f"tracker-tui: {clean(error)}\n")
        return 1


# ---- the dashboard ----


def _dashboard(words: list[str]) -> int:
    parser = Parser(
        prog="tracker-tui",
        usage="tracker-tui [PATH ...] | tracker-tui COMMAND ...",
        description="Watch training runs live in the terminal.",
        epilog=EXAMPLES,
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help=f"{FOLDER_HELP}; or a project in it; or several")
    parser.add_argument("--version", action="version", version=f"tracker-tui {__version__}")
    parser.add_ssh()
    given = parser.parse_args(words)
    addresses = [where(path) for path in given.paths]
    if not sys.stdout.isatty():
        for address in addresses:
            if not address.host and not os.path.exists(address.path):
                fail(f"there is no folder {address.path!r} (commands: {', '.join(_COMMANDS)})")
        return reading.ls(words)
    _need_terminal()
    _open(addresses, ssh_of(given))
    return 0


def _need_terminal() -> None:
    streams = {"input": sys.stdin, "output": sys.stdout, "error": sys.stderr}
    other = [name for name, stream in streams.items() if not stream.isatty()]
    if other:
        fail(f"the dashboard needs a terminal, but standard {other[0]} is none; `tracker-tui ls` does not")
    if os.environ.get("TERM", "dumb") == "dumb":
        fail("the dashboard needs a terminal that can move its cursor; `tracker-tui ls` does not")


def _open(addresses: Sequence[Address], options: Ssh = PLAIN, is_demo: bool = False) -> None:
    """Show the dashboard; other machines are connected first, for their passwords are asked for on the terminal."""
    try:
        sources = open_sources(addresses, options, meanwhile=_load_app)
    except (OSError, ValueError) as error:
        fail(str(error), code=1)
    from tracker_tui.app import TrackerApp
    from tracker_tui.views import Views

    app = TrackerApp(sources, Views(None) if is_demo else None)  # of a demo nothing is left
    app.run()
    for catalog in sources.catalogs.values():
        if catalog.files.unanswered:
            warn(f"the last change was not confirmed, look whether it is there: {clean(catalog.root)}")
    if app.return_code:
        raise SystemExit(app.return_code)


def _load_app() -> None:
    import tracker_tui.app  # noqa: F401 - takes as long as a connection


def _demo(words: list[str]) -> int:
    Parser(prog="tracker-tui demo", description="Open the dashboard on a few short training jobs.").parse_args(words)
    if not sys.stdout.isatty():
        fail("the demo needs a terminal")
    _need_terminal()
    from tracker_tui.demo import Demo

    leave_cleanly()  # so that the jobs end and the folder goes
    with Demo() as demo:
        _open([Address(str(demo.root), str(demo.root))], is_demo=True)
    return 0


_COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "ls": reading.ls,
    "show": reading.show,
    "logs": logs.logs,
    "events": reading.events,
    "compare": reading.compare,
    "export": exporting.export,
    "rename": changing.rename,
    "tag": changing.tag,
    "note": changing.note,
    "archive": changing.archive,
    "delete": changing.delete,
    "undelete": changing.undelete,
    "purge": changing.purge,
    "stop": changing.stop,
    "demo": _demo,
}
