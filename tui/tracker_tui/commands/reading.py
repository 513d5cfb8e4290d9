"""`tracker-tui ls`, `show`, `events` and `compare`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time

from tracker.catalog import Catalog
from tracker.records import clean
from tracker.report import cells
from tracker.stored import StoredRun
from tracker_tui import fields, look, query, table
from tracker_tui.commands.shell import (
    FOLDER_HELP,
    Parser,
    asked_for,
    describe,
    fail,
    find,
    find_one,
    nothing_in,
    open_paths,
    print_columns,
    print_json,
    print_lines,
    warn,
)
from tracker_tui.kinds import main_metric
from tracker_tui.sources import Sources

LS_EXAMPLES = """\
examples:
  tracker-tui ls --query 'val/loss<0.2 lr>=0.01' --sort val/loss
  tracker-tui ls gpu1:work/runs --columns name,state,loss,history.loss
  tracker-tui ls --json | jq '.[0]'
"""
SHOW_EXAMPLES = """\
examples:
  tracker-tui show jolly-haze-4
  tracker-tui show jolly-haze-4 --chart loss --log
  tracker-tui show jolly-haze-4 --chart 'train/*' --smoothing 0.9 --x relative
"""
LS_COLUMNS = ("state", "name", "id", "step", "age", "duration")
MAIN = "metric"
"""The column that tells a run's main metric and its value."""
MAX_CELL = 60
MAX_FILES = 50
"""Files of a run that are listed; JSON has all."""
CHECKING = 0.25
"""Seconds in which bad lines are looked for: some 100 MB."""


def ls(words: list[str]) -> int:
    """List runs."""
    parser = Parser(
        prog="tracker-tui ls",
        description="List runs, the newest first.",
        epilog=f"{LS_EXAMPLES}\nqueries:\n{query.HOW_TO_ASK}",
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help=FOLDER_HELP)
    parser.add_argument(
        "-q", "--query", metavar="QUERY", default="", help="only runs that fit, e.g. 'loss<0.2 tag:best'; see below"
    )
    parser.add_argument(
        "-s",
        "--sort",
        metavar="FIELD",
        default=table.NEWEST,
        help="order by a metric, config key or property: the best first where that is known",
    )
    parser.add_argument("-r", "--reverse", action="store_true", help="the other way round")
    parser.add_argument(
        "-c",
        "--columns",
        metavar="FIELDS",
        type=_columns,
        help="what to tell, with commas: name,state,loss,config.lr,history.loss",
    )
    parser.add_argument("--json", action="store_true", help="one array of objects; with --columns, of these fields")
    parser.add_ssh()
    given = parser.parse_args(words)
    sources = open_paths(given, given.paths)
    runs = asked_for(sources, given.query)
    for name in [given.sort, *(given.columns or ())]:
        if name != MAIN and (trouble := table.unknown(name, runs)):
            fail(trouble)
    runs = table.in_order(runs, given.sort, given.reverse)
    _check(sources, runs)
    if given.json and given.columns:
        now = time.time()
        print_json([{name: _plain(run, name, now) for name in given.columns} for run in runs])
    elif given.json:
        print_json([describe(run) for run in runs])
    elif runs:
        _print_runs(runs, given.columns or _usual(runs, given.sort))
        if bad := sum(run.bad_lines for run in runs):
            warn(f"at least {bad} lines of the journals are no records and were left out (--columns name,bad_lines)")
        for text in sources.left_out:
            warn(text)
        if bad := sources.bad_edits:
            warn(f"{bad} lines of the edits are no records and were left out")
    elif not given.query:
        warn(nothing_in(sources))
    return 1 if any(catalog.files.trouble for catalog in sources.catalogs.values()) else 0


def _columns(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("no fields")
    return names


def _usual(runs: list[StoredRun], sort: str) -> list[str]:
    """What `ls` shows by itself: the main metric of each run behind the rest, and what runs are ordered by."""
    is_there = sort in LS_COLUMNS or fields.metric_of(sort) == main_metric(runs[0])
    has_places = len({run.key.source for run in runs}) > 1
    return [*LS_COLUMNS, *(["place"] if has_places else []), *([] if is_there else [sort]), MAIN]


def _plain(run: StoredRun, name: str, now: float) -> object:
    """A value for JSON: of a history, its course in few numbers."""
    sketch = run.sketches.get(name.removeprefix(fields.HISTORY)) if fields.is_course(name) else None
    return sketch.values() if sketch is not None else fields.value_of(run, name, now)


def _print_runs(runs: list[StoredRun], names: list[str]) -> None:
    now = time.time()
    title = {"id": "PROJECT/ID", "duration": "TIME"}
    rows = [[title.get(name) or clean(name, MAX_CELL).removeprefix("summary.").upper() for name in names]]
    rows += [[_cell(run, name, now) for name in names] for run in runs]
    numbers = [
        place
        for place, name in enumerate(names)
        if name in fields.NUMERIC or any(isinstance(fields.value_of(run, name, now), float) for run in runs[:20])
    ]
    print_columns(rows, [place for place in numbers if not fields.is_course(names[place])])


def _check(sources: Sources, runs: list[StoredRun]) -> None:
    """Look for bad lines also within journals that are read at their ends alone, those above first, for a moment."""
    until = time.monotonic() + CHECKING
    for run in runs:
        if not sources.of(run).check(run, until):
            return


def _cell(run: StoredRun, name: str, now: float) -> str:
    if name == "state":
        return f"{look.GLYPHS[run.state]} {run.state}"
    if name == MAIN:
        metric = main_metric(run)
        return f"{clean(metric)} {look.last_value(look.metric_value(run, metric))}" if metric else ""
    if name == "id":
        return clean(f"{run.project}/{run.id}", 80)
    if fields.is_course(name):
        sketch = run.sketches.get(name.removeprefix(fields.HISTORY))
        return sketch.line(16) if sketch is not None else ""
    return clean(fields.shown(run, name, now, MAX_CELL), MAX_CELL)


def show(words: list[str]) -> int:
    """One run, or charts of it."""
    parser = Parser(
        prog="tracker-tui show", description="One run: state, config, summary; or its charts.", epilog=SHOW_EXAMPLES
    )
    parser.add_runs(several=False)
    parser.add_argument("--json", action="store_true", help="one object")
    charts = parser.add_argument_group("charts")
    charts.add_argument(
        "--chart",
        metavar="METRIC",
        action="append",
        help="draw this metric instead, or all that fit a pattern; may be repeated",
    )
    charts.add_argument(
        "--x",
        metavar="AXIS",
        default="",
        help="x axis: step, relative (time), wall (time) or a metric; default as define_metric says, else step",
    )
    charts.add_argument("--log", action="store_true", help="logarithmic y axis")
    charts.add_argument(
        "--smoothing",
        metavar="W",
        type=_weight,
        default=0.0,
        help="weight of a moving average: 0 for none, less than 1",
    )
    charts.add_argument("--width", type=_cells, help="columns; default: as many as the terminal has, else 80")
    charts.add_argument("--height", type=_cells, default=16, help="rows of each chart; default: 16")
    charts.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours; auto: on a terminal"
    )
    given = parser.parse_args(words)
    if not given.chart and (given.x or given.log or given.smoothing or given.width):
        fail("--x, --log, --smoothing and --width are for charts: say which with --chart METRIC")
    sources, run = find_one(given)
    if given.chart:
        return _charts(sources.of(run), run, given)
    _check(sources, [run])
    files = sources.of(run).files_of(run)
    if given.json:
        print_json({**describe(run), "files": [{"name": name, "size": file.size} for name, file in files.items()]})
        return 0
    from tracker_tui.facts import (
        alerts_of,
        artifacts_of,
        config_of,
        environment_of,
        facts_of,
        reason_of,
        summary_of,
    )

    print_lines(f"{run.label}", f"{look.GLYPHS[run.state]} {run.state}  {reason_of(run)}".rstrip())
    print_lines(*(f"{label:<10}{value}" for label, value in facts_of(run) if value))
    if run.alerts:
        print_lines("", "Alerts", *(f"  {clean(when)}  {clean(said)}" for when, said in alerts_of(run)))
    sections = (("Config", config_of(run)), ("Summary", summary_of(run)), ("Environment", environment_of(run)))
    for title, values in sections:
        if values:
            width = max(map(cells, values))
            print_lines("", title)
            for key, value in values.items():
                sketch = run.sketches.get(key) if title == "Summary" else None
                line = sketch.line() if sketch else ""
                print_lines(f"  {key}{' ' * (width - cells(key))}  {value:<12}{line}".rstrip())
    if run.artifacts:
        print_lines("", "Artifacts", *(f"  {use:<4}  {what}" for use, what in artifacts_of(run)))
    if files:
        print_lines("", "Files")
        rows = [[f"  {look.size_text(file.size)}", clean(name, 200)] for name, file in list(files.items())[:MAX_FILES]]
        print_columns(rows, [0])
    if len(files) > MAX_FILES:
        print_lines(f"  {len(files) - MAX_FILES:,} more (--json lists all)")
    return 0


def events(words: list[str]) -> int:
    """What happened to runs."""
    parser = Parser(
        prog="tracker-tui events",
        description="What happened to runs, the newest first: starts, alerts, metrics that broke, stalls, ends.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", help=FOLDER_HELP)
    parser.add_argument(
        "-q", "--query", metavar="QUERY", default="", help="only of runs that fit, as in `tracker-tui ls`"
    )
    parser.add_argument(
        "-w", "--warnings", action="store_true", help="only what may be wrong: alerts, NaN, stalls, failures, crashes"
    )
    parser.add_argument("--json", action="store_true", help="one array of objects")
    parser.add_ssh()
    given = parser.parse_args(words)
    from tracker_tui import events as happened

    found = happened.events(asked_for(open_paths(given, given.paths), given.query), time.time())
    found = [event for event in found if event.is_worrying or not given.warnings]
    if given.json:
        print_json([happened.as_json(event) for event in found])
    elif found:
        rows = [["TIME", "PROJECT/RUN", "EVENT", ""]]
        for event in found:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(max(0.0, event.time)))
            rows.append(
                [when, clean(f"{event.run.project}/{event.run.label}", MAX_CELL), event.title, clean(event.text, 200)]
            )
        print_columns(rows)
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

    from tracker_tui import export, feed, kinds, legend, plot, views

    history = feed.read_history(catalog, run)
    if run.bad_lines:
        warn(f"{run.bad_lines} lines of the journals are no records and were left out")
    known = kinds.by_interest(history.columns)
    found = {asked: [name for name in known if name == asked or fnmatchcase(name, asked)] for asked in given.chart}
    wanted = list(dict.fromkeys(name for names in found.values() for name in names))
    missing = [asked for asked, names in found.items() if not names]
    if missing:
        fail(f"{run.label} has no metric {missing[0]!r}; it has {', '.join(known) or 'none'}")
    x = {"step": views.STEP, "relative": views.RELATIVE, "wall": views.WALL}.get(given.x, given.x)
    if x and x not in views.X_NAMES and x not in history.columns:
        fail(f"{run.label} has no metric {x!r} for the x axis; it has {', '.join(known) or 'none'}")
    width = given.width or shutil.get_terminal_size((80, 24)).columns
    is_coloured = given.color == "always" or (given.color == "auto" and sys.stdout.isatty() and not _no_colour())
    subject = plot.Subject(run, history, run.number)
    plotter = plot.Plotter()
    view = views.View(given.smoothing, given.log, x)
    plots = [plotter.plot(plot.Order(name, (subject,), view, width, max(1, given.height - 1))) for name in wanted]
    if given.json:
        print_json([run for made in plots for run in export.points_of(made)])
        return 0
    for index, made in enumerate(plots):
        lines = [legend.padded(line, width) for line in export.lines_of(made)]
        if is_coloured:
            texts = ["".join(_painted(text, style) for text, style in line) for line in lines]
        else:
            texts = export.uncoloured(made, lines)
        print_lines(*([""] if index else []), *texts)
    return 0


def _no_colour() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") == "dumb"


def _painted(text: str, style: str) -> str:
    """Text with the escape sequences of a named style."""
    number = style.lstrip("~")
    colour = look.COLOURS[int(number) % len(look.COLOURS)] if number.isdigit() else None
    code = (
        f"38;5;{colour}" if colour is not None else {"title": "1", "value": "1", "badge": "33", "dim": "2"}.get(style)
    )
    if code is None or not text.strip():
        return text
    return f"\x1b[{'2;' if style.startswith('~') else ''}{code}m{text}\x1b[0m"


def compare(words: list[str]) -> int:
    """Runs side by side."""
    parser = Parser(
        prog="tracker-tui compare",
        description="Runs side by side: what differs, with differences from the first.",
        epilog="example: tracker-tui compare jolly-haze-4 x8k2mq1p",
    )
    parser.add_runs()
    parser.add_argument("--all", action="store_true", help="also what is the same in all of them")
    parser.add_argument("--json", action="store_true", help="one object: runs, different, same")
    given = parser.parse_args(words)
    _, runs = find(given, given.runs)
    if len(runs) < 2:
        fail("compare takes two or more runs")
    from tracker_tui import compare as comparing

    found = comparing.compare(runs)
    if given.json:
        print_json(comparing.as_json(found))
        return 0
    rows = [["", *(clean(f"{look.GLYPHS[run.state]} {run.label}", MAX_CELL) for run in runs)]]
    for section in found.different + (found.same if given.all else ()):
        rows += [["" for _ in rows[0]], [section.title, *("" for _ in runs)]]
        rows += [[f"  {clean(item.name, MAX_CELL)}", *comparing.cells_of(item)] for item in section.items]
    print_columns(rows)
    same = sum(len(section.items) for section in found.same)
    if same and not given.all:
        print_lines("", f"{same} more are the same in all of them (--all shows them)")
    return 0
