"""The `tracker-tui` command. Textual is imported only when the dashboard opens."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tracker import __version__
from tracker.records import clean
from tracker_tui import terminal
from tracker_tui.commands import changing, completing, exporting, importing, keeping, logs, purging, reading
from tracker_tui.commands.shell import (
    FOLDER_HELP,
    SIGNALLED,
    Parser,
    fail,
    leave_cleanly,
    own_error,
    ssh_of,
    warn,
    where,
)
from tracker_tui.guard import guarded_terminal
from tracker_tui.hosts import PLAIN, Address, Ssh, open_sources

if TYPE_CHECKING:
    from tracker_tui.settings import KeyBinding, Reading, Settings

EXAMPLES: Final = """\
commands (each has its own --help):
  ls [PATH ...]            list runs: --query --sort --columns --json
  show RUN                 one run: state, config, summary; or a --chart
  logs RUN                 what it printed: --follow --tail 20 --since 10m
  events [PATH ...]        what happened: alerts, NaN, stalls, ends
  compare RUN RUN ...      what differs between runs
  artifacts [NAME]         versions of files that runs made and used
  import PATH ...          make runs of TensorBoard, wandb ... your own
  export [RUN ...]         histories as CSV, JSON lines or Parquet: -o FILE
  rename RUN NAME          give a run another name, even while its job runs
  tag RUN ...              --add tags, or --remove them
  note RUN [TEXT]          set or print a run's notes
  archive RUN ...          put runs out of the way; --undo shows them again
  delete RUN ...           hide runs; their files stay
  undelete RUN ...         show them again
  purge [RUN ...]          remove the files of deleted runs, after asking
  stop RUN ...             send SIGTERM to running jobs, after asking
  config                   your settings: --init writes a file, --keys lists
  completion SHELL         a script by which tab completes: bash, zsh or fish
  demo                     the dashboard on a few short training jobs

RUN is an id, a unique name, project/id or the path of a run's file.
PATH may be on another machine: user@host:path, host: (its ~/runs) or
ssh://user@host:port/path.

examples:
  tracker-tui                          watch ./runs, or TRACKER_DIR
  tracker-tui ~/experiments/runs       watch another folder
  tracker-tui gpu1: me@gpu2:work/runs  watch two other machines over ssh
  tracker-tui ls --query 'val/loss<0.2 lr>=0.01' --sort val/loss
  tracker-tui ls --json | jq '.[0]'    the newest run, for scripts
  tracker-tui show jolly-haze-4 --chart 'val/*' --smoothing 0.9
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
        if words[:1] == [completing.COMPLETE]:
            return completing.complete(words[1:], _COMMANDS, _dashboard)
        if words:
            _refuse_mistyped(words[0])
        return _dashboard(words)
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # e.g. `| head`: nobody reads on
            return 0
        sys.stderr.write(f"tracker-tui: {clean(error)}\n")
        return 1
    except Exception as error:
        sys.stderr.write(own_error(error) + "\n")
        return 1


def _refuse_mistyped(word: str) -> None:
    """Where no folder is called so but a command almost, that is what was meant."""
    if not word.startswith("-") and not {"/", ":"} & set(word) and not os.path.exists(word):
        import difflib

        if near := difflib.get_close_matches(word, _COMMANDS, 1):
            fail(f"there is no command and no folder {word!r}: is it {near[0]!r}?")


# ---- the dashboard ----


def _dashboard(words: list[str]) -> int:
    parser = Parser(
        prog="tracker-tui",
        usage="tracker-tui [PATH ...]\n       tracker-tui COMMAND ...",
        description="Watch training runs live in the terminal.",
        epilog=EXAMPLES,
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help=f"{FOLDER_HELP}; or a project in it; or several")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal, e.g. to select text")
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
    _open(addresses, ssh_of(given), has_mouse=not given.no_mouse)
    return 0


def _need_terminal() -> None:
    streams = {"input": sys.stdin, "output": sys.stdout, "error": sys.stderr}
    other = [name for name, stream in streams.items() if not stream.isatty()]
    if other:
        fail(f"the dashboard needs a terminal, but standard {other[0]} is none; `tracker-tui ls` does not")
    if why := terminal.why_not():
        fail(why)


def _open(addresses: Sequence[Address], options: Ssh = PLAIN, is_demo: bool = False, has_mouse: bool = True) -> None:
    """Show the dashboard; other machines are connected first, for their passwords are asked for on the terminal."""
    colours = terminal.colour_system()
    if colours is None:
        os.environ["NO_COLOR"] = "1"
    os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", colours or "standard")  # read when Textual is imported
    with guarded_terminal() as tell_guard:
        try:
            sources = open_sources(addresses, options, meanwhile=_load_app)
        except (OSError, ValueError) as error:
            fail(str(error), code=1)
        from tracker_tui.app import TrackerApp
        from tracker_tui.views import Views

        settings, problems = _settings()
        views = Views(None, settings.smoothing, settings.columns) if is_demo else None  # of a demo nothing is left
        app = TrackerApp(sources, views, tell_guard, settings, problems)
        app.run(mouse=has_mouse and settings.mouse)
    for catalog in sources.catalogs.values():
        if catalog.files.unanswered:
            warn(f"the last change was not confirmed, look whether it is there: {clean(catalog.root)}")
    code = app.return_code
    if code and code > SIGNALLED:
        warn(f"ended by {signal.Signals(code - SIGNALLED).name}")
    if code:
        raise SystemExit(code)


def _load_app() -> None:
    import tracker_tui.app  # noqa: F401 - takes as long as a connection


def _settings() -> tuple[Settings, Sequence[str]]:
    """What this user set, and what is wrong with it."""
    from tracker_tui.settings import Settings, read

    reading = read()
    if reading.settings.keys or reading.settings.theme != Settings().theme:
        from tracker_tui.checks import checked  # loads all screens

        reading = checked(reading)
    return reading.settings, reading.problems


def _config(words: list[str]) -> int:
    """Your settings, and what is wrong with them."""

    def load() -> tuple[Callable[[Reading], Reading], Mapping[str, KeyBinding]]:
        from tracker_tui.checks import checked, key_bindings  # with Textual, which commands do not know

        return checked, key_bindings()

    from tracker_tui.commands.configuring import config

    return config(words, load)


def _demo(words: list[str]) -> int:
    """Open the dashboard on a few short training jobs."""
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
    "artifacts": keeping.artifacts,
    "import": importing.import_,
    "export": exporting.export,
    "rename": changing.rename,
    "tag": changing.tag,
    "note": changing.note,
    "archive": changing.archive,
    "delete": changing.delete,
    "undelete": changing.undelete,
    "purge": purging.purge,
    "stop": changing.stop,
    "config": _config,
    "completion": completing.completion,
    "demo": _demo,
}
