"""The `tracker-tui` command. Textual is imported only when the dashboard opens."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from tracker import __version__, layout
from tracker.catalog import Catalog, StoredRun
from tracker.records import clean, encode, plain
from tracker.report import cells, short_path
from tracker_tui import look

EXAMPLES: Final = """\
commands:
  ls [PATH] [--json]      list runs, the newest first
  show RUN [--json]       one run: state, config, summary
  show RUN --chart loss   a metric's chart as text; --log --smoothing 0.9 --x relative
  rename RUN NAME         give a run another name; a running job goes on undisturbed
  demo                    open the dashboard on a few short training jobs

RUN is an id, a unique name, project/id or the path of a run's file.

examples:
  tracker-tui                          watch ./runs, or the folder in TRACKER_DIR
  tracker-tui ~/experiments/runs       watch another folder
  tracker-tui ls --json | jq '.[0]'    the newest run, for scripts
  tracker-tui rename jolly-haze-4 "lr 0.1, no warm-up"
"""
USAGE_ERROR: Final = 2


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        _fail(f"{message} (try {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0, or 2 for what the command line got wrong.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = _COMMANDS.get(words[0]) if words else None
    try:
        if command is not None:
            return command(words[1:])
        return _dashboard(words)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # e.g. `| head`: nobody reads on
            return 0
        sys.stderr.write(f"tracker-tui: {clean(error)}\n")
        return 1


def _fail(text: str) -> NoReturn:
    sys.stderr.write(f"tracker-tui: {clean(text, 2000)}\n")
    raise SystemExit(USAGE_ERROR)


# ---- the dashboard ----


def _dashboard(words: list[str]) -> int:
    parser = _Parser(
        prog="tracker-tui",
        usage="tracker-tui [PATH] | tracker-tui COMMAND ...",
        description="Watch training runs live in the terminal.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path", metavar="PATH", nargs="?", help="folder of runs, default TRACKER_DIR, else ./runs; or a project in it"
    )
    parser.add_argument("--version", action="version", version=f"tracker-tui {__version__}")
    path = parser.parse_args(words).path
    _check_path(path)
    if not sys.stdout.isatty():
        return _ls([path] if path else [])
    _need_terminal()
    _open(path)
    return 0


def _check_path(path: str | None) -> None:
    """A file is fine only if it is a run's."""
    is_other = path and os.path.exists(path) and not os.path.isdir(path)
    if is_other and layout.parse_segment_name(os.path.basename(path or "")) is None:
        _fail(f"{path!r} is neither a folder nor a run's file")


def _need_terminal() -> None:
    streams = {"input": sys.stdin, "output": sys.stdout, "error": sys.stderr}
    other = [name for name, stream in streams.items() if not stream.isatty()]
    if other:
        _fail(f"the dashboard needs a terminal, but standard {other[0]} is none; `tracker-tui ls` does not")
    if os.environ.get("TERM", "dumb") == "dumb":
        _fail("the dashboard needs a terminal that can move its cursor; `tracker-tui ls` does not")


def _open(path: str | os.PathLike[str] | None) -> None:
    from tracker_tui.app import TrackerApp

    app = TrackerApp(path)
    app.run()
    if app.return_code:
        raise SystemExit(app.return_code)


def _demo(words: list[str]) -> int:
    _Parser(prog="tracker-tui demo", description="Open the dashboard on a few short training jobs.").parse_args(words)
    if not sys.stdout.isatty():
        _fail("the demo needs a terminal")
    _need_terminal()
    from tracker_tui.demo import Demo

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    for name in (signal.SIGTERM, signal.SIGHUP):  # so that the jobs end and the folder goes
        signal.signal(name, leave)
    with Demo() as demo:
        _open(demo.root)
    return 0


# ---- commands for scripts ----


def _ls(words: list[str]) -> int:
    parser = _Parser(prog="tracker-tui ls", description="List runs, the newest first.")
    parser.add_argument("path", metavar="PATH", nargs="?", help="folder of runs, default TRACKER_DIR, else ./runs")
    parser.add_argument("--json", action="store_true", help="one array of objects")
    given = parser.parse_args(words)
    _check_path(given.path)
    if given.path is not None and not os.path.exists(given.path):
        _fail(f"there is no folder {given.path!r} (commands: {', '.join(_COMMANDS)})")
    catalog = Catalog(given.path)
    catalog.refresh()
    runs = catalog.newest_first()
    if given.json:
        _print_json([describe(run) for run in runs])
    elif runs:
        _print_table(runs)
    else:
        sys.stderr.write(f"tracker-tui: no runs in {short_path(catalog.root)} yet\n")
    return 0


def _show(words: list[str]) -> int:
    parser = _Parser(prog="tracker-tui show", description="One run: state, config, summary.")
    _add_run(parser)
    parser.add_argument("--json", action="store_true", help="one object")
    charts = parser.add_argument_group("charts")
    charts.add_argument("--chart", metavar="METRIC", action="append", help="draw this metric instead; may be a pattern")
    charts.add_argument("--x", metavar="AXIS", default="", help="step, relative, wall or a metric; default as defined")
    charts.add_argument("--log", action="store_true", help="logarithmic y axis")
    charts.add_argument(
        "--smoothing", metavar="W", type=_weight, default=0.0, help="weight of a moving average, 0 to 1"
    )
    charts.add_argument("--width", type=_cells, help="cells, default the terminal's, else 80")
    charts.add_argument("--height", type=_cells, default=16, help="rows of one chart, default 16")
    charts.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default: on a terminal")
    given = parser.parse_args(words)
    if not given.chart and (given.x or given.log or given.smoothing or given.width):
        _fail("--x, --log, --smoothing and --width are for charts: say which with --chart METRIC")
    catalog, run = _find(given.run, given.dir)
    if given.chart:
        return _charts(catalog, run, given)
    if given.json:
        _print_json(describe(run))
        return 0
    from tracker_tui.facts import config_of, facts_of, reason_of, summary_of

    _print(f"{run.label}", f"{look.GLYPHS[run.state]} {run.state}  {reason_of(run)}".rstrip())
    _print(*(f"{label:<10}{value}" for label, value in facts_of(run) if value))
    for title, values in (("Config", config_of(run)), ("Summary", summary_of(run))):
        if values:
            width = max(map(cells, values))
            _print("", title)
            for key, value in values.items():
                sketch = run.sketches.get(key) if title == "Summary" else None
                line = sketch.line() if sketch else ""
                _print(f"  {key}{' ' * (width - cells(key))}  {value:<12}{line}".rstrip())
    return 0


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no weight: 0 for none, less than 1")
    return weight


def _cells(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no size from 1 to 1000")
    return int(text)


def _charts(catalog: Catalog, run: StoredRun, given: argparse.Namespace) -> int:
    """Print the charts of the metrics that were asked for."""
    from fnmatch import fnmatchcase

    from tracker_tui import export, legend, model, plot, views

    history = model.read_history(catalog, run)
    known = model.by_interest(history.columns)
    found = {asked: [name for name in known if name == asked or fnmatchcase(name, asked)] for asked in given.chart}
    wanted = list(dict.fromkeys(name for names in found.values() for name in names))
    missing = [asked for asked, names in found.items() if not names]
    if missing:
        _fail(f"{run.label} has no metric {missing[0]!r}; it has {', '.join(known) or 'none'}")
    x = {"step": views.STEP, "relative": views.RELATIVE, "wall": views.WALL}.get(given.x, given.x)
    if x and x not in views.X_NAMES and x not in history.columns:
        _fail(f"{run.label} has no metric {x!r} for the x axis; it has {', '.join(known) or 'none'}")
    width = given.width or shutil.get_terminal_size((80, 24)).columns
    is_coloured = given.color == "always" or (given.color == "auto" and sys.stdout.isatty() and not _no_colour())
    number = catalog.oldest_first(run.key.project).index(run.key)
    subject = plot.Subject(run, history, *look.colour_and_sign(number))
    plotter = plot.Plotter()
    view = views.View(given.smoothing, given.log, x)
    plots = [plotter.plot(plot.Order(name, (subject,), view, width, max(1, given.height - 1))) for name in wanted]
    if given.json:
        _print_json([run for made in plots for run in export.points_of(made)])
        return 0
    for index, made in enumerate(plots):
        lines = [legend.padded(line, width) for line in export.lines_of(made)]
        if is_coloured:
            texts = ["".join(_painted(text, style) for text, style in line) for line in lines]
        else:
            texts = export.uncoloured(made, lines)
        _print(*([""] if index else []), *texts)
    return 0


def _no_colour() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") == "dumb"


def _painted(text: str, style: str) -> str:
    """Text with the escape sequences of a named style."""
    number = style.lstrip("~")
    code = f"38;5;{number}" if number.isdigit() else {"title": "1", "value": "1", "badge": "33", "dim": "2"}.get(style)
    if code is None or not text.strip():
        return text
    return f"\x1b[{'2;' if style.startswith('~') else ''}{code}m{text}\x1b[0m"


def _rename(words: list[str]) -> int:
    parser = _Parser(prog="tracker-tui rename", description="Give a run another name.")
    _add_run(parser)
    parser.add_argument("name", metavar="NAME", help="the new name")
    given = parser.parse_args(words)
    if not clean(given.name).strip():
        _fail("NAME must not be empty")
    catalog, run = _find(given.run, given.dir)
    before = run.label
    if trouble := catalog.edit(run, name=given.name):
        sys.stderr.write(f"tracker-tui: not renamed: {clean(trouble)}\n")
        return 1
    _print(f"{before} is now {run.label}")
    return 0


_COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {"ls": _ls, "show": _show, "rename": _rename, "demo": _demo}


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="an id, a unique name, project/id or the path of a run's file")
    parser.add_argument("--dir", metavar="PATH", help="folder of runs, default TRACKER_DIR, else ./runs")


def _find(wanted: str, root: str | None) -> tuple[Catalog, StoredRun]:
    """The run a user means, or the end of the command."""
    is_path = layout.parse_segment_name(os.path.basename(wanted)) is not None and os.path.isfile(wanted)
    catalog = Catalog(wanted if is_path else root)
    catalog.refresh()
    project, _, last = wanted.rpartition("/")
    runs = catalog.newest_first()
    found = (
        runs
        if is_path
        else [run for run in runs if run.id == last and project in ("", run.project, f"{run.entity}/{run.project}")]
        or [run for run in runs if run.label == wanted]
    )
    if not found:
        _fail(f"there is no run {wanted!r} in {short_path(catalog.root)}")
    if len(found) > 1:
        places = ", ".join(f"{run.project}/{run.id}" for run in found[:5])
        _fail(f"{len(found)} runs are called {wanted!r}: say which one, e.g. {places}")
    return catalog, found[0]


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
        "notes": run.notes,
        "exit_code": run.exit_code,
        "exception": run.exception,
        "signal": run.signal or run.deadly_signal,
        "path": run.path,
        "bad_lines": run.bad_lines,
    }


def _print_json(value: Any) -> None:
    """Standard JSON; on a terminal in ASCII, where escape sequences in names and values are harmless."""
    text = encode(plain(value, 100)[0])
    if sys.stdout.isatty():
        import json

        text = (json.dumps(json.loads(text)).replace("\x7f", "\\u007f") + "\n").encode()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _print_table(runs: Iterable[StoredRun]) -> None:
    """Aligned columns; cut to the terminal's width where there is one."""
    from tracker_tui.model import main_metric

    now = time.time()
    rows = [("STATE", "NAME", "PROJECT/ID", "STEP", "AGE", "TIME", "METRIC")]
    for run in runs:
        metric = main_metric(run)
        value = f"{clean(metric)} {look.last_value(look.metric_value(run, metric))}" if metric else ""
        state = f"{look.GLYPHS[run.state]} {run.state}"
        step = "" if run.step is None else str(run.step)
        place = f"{run.project}/{run.id}"
        rows.append(
            (state, clean(run.label, 60), clean(place, 80), step, look.age(run, now), look.duration(run, now), value)
        )
    widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    right = {3, 4, 5}
    for row in rows:
        padding = [" " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True)]
        aligned = [
            pad + cell if i in right else cell + pad for i, (cell, pad) in enumerate(zip(row, padding, strict=True))
        ]
        _print("  ".join(aligned).rstrip()[:limit])


def _print(*lines: str) -> None:
    """To standard output, whatever its encoding can show."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write("".join(line.encode(encoding, "replace").decode(encoding) + "\n" for line in lines))
    sys.stdout.flush()
