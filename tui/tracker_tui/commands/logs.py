"""`tracker-tui logs`: what a run printed, and goes on printing."""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence

from tracker.stored import StoredRun
from tracker_tui.commands.shell import Parser, find_one, print_json, print_lines, warn
from tracker_tui.console import Console, Printed
from tracker_tui.facts import why_silent
from tracker_tui.look import fit
from tracker_tui.query import number_of
from tracker_tui.sources import Sources

POLL = 0.25
"""Seconds between two looks at what is printed."""
AGAIN = 1.0
"""Seconds between two looks at whether the job goes on."""


def logs(words: list[str]) -> int:
    """Print what a run printed."""
    parser = Parser(
        prog="tracker-tui logs",
        description="What a run printed on stdout and stderr.",
        epilog="example: tracker-tui logs jolly-haze-4 --since 10m --follow",
    )
    parser.add_runs(several=False)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    parser.add_argument("-n", "--tail", metavar="N", type=_count, help="only the last N lines")
    parser.add_argument(
        "--since",
        metavar="WHEN",
        type=_moment,
        help="only lines from then on: 10m, 2h, 1d ago; 09:30; 2026-03-01 09:30",
    )
    parser.add_argument("--stderr", action="store_true", help="only what was printed on stderr")
    parser.add_argument("--times", action="store_true", help="before each line, when it was printed")
    parser.add_argument("--json", action="store_true", help="one object a line: line, time, step, stream, text")
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours; auto: on a terminal"
    )
    given = parser.parse_args(words)
    sources, run = find_one(given)
    console = Console(sources.of(run), run)
    news = console.read_end()
    if news is not None:
        console.take(news)
    if not console.total and not console.live and not given.follow:
        warn(f"{run.label}: {why_silent(run)}")
        return 0
    printer = _Printer(given)
    live = [] if given.follow else [line for line in console.live if line.text and _is_since(line, run, given)]
    first = _first(console, run, given, len(live))
    printer.print(itertools.chain(console.lines(first), live[-given.tail :] if given.tail else live))
    if given.follow:
        _follow(sources, run, console, printer)
    return 0


def _is_since(line: Printed, run: StoredRun, given: argparse.Namespace) -> bool:
    return given.since is None or (line.time is not None and line.time >= given.since + run.clock)


def _first(console: Console, run: StoredRun, given: argparse.Namespace, live: int) -> int:
    """The number of the first line that is asked for; so many that still change come behind all."""
    first = 0
    if given.since is not None and console.total:
        first = console.line_at("_timestamp", given.since + run.clock)
        last = next(console.lines(first), None)
        if last is not None and not _is_since(last, run, given):  # there is none since then
            first = console.total
    if given.tail is not None and not given.stderr:
        first = max(first, console.total - max(0, given.tail - live))
    return first


def _follow(sources: Sources, run: StoredRun, console: Console, printer: _Printer) -> None:
    """Print what comes, until the run has ended."""
    looked = time.monotonic()
    is_over = False
    while True:
        before = console.total
        news = console.read_end()
        if news is not None:
            console.take(news)
            printer.print(console.lines(before))
            printer.show_live(console.live)
        elif is_over:
            printer.show_live([])
            printer.print(console.live)
            return
        if time.monotonic() - looked > AGAIN:
            looked = time.monotonic()
            sources.refresh()
            now = sources.runs.get(run.key)
            is_over = now is None or now.state not in ("running", "pending")
        time.sleep(POLL if not is_over else 0)


class _Printer:
    """Writes lines as they were asked for."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        no_colour = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = given.color == "always" or (given.color == "auto" and self._is_terminal and not no_colour)
        self._is_live_shown = False

    def print(self, lines: Iterable[Printed]) -> None:
        """All of them, or of those on stderr, the last ones if that was asked for."""
        if self._given.stderr:
            lines = (line for line in lines if line.stream == "stderr")
            if self._given.tail is not None:
                lines = list(lines)[-self._given.tail :] if self._given.tail else []
        texts: list[str] = []
        for line in lines:
            if self._given.json:
                print_json(_described(line))
                continue
            texts.append(self._text(line))
            if len(texts) >= 1000:
                self._write(texts)
                texts = []
        self._write(texts)

    def _write(self, texts: Sequence[str]) -> None:
        if texts:
            self._clear_live()
            print_lines(*texts)

    def _text(self, line: Printed) -> str:
        if self._is_coloured:
            text = "".join(f"\x1b[{sgr}m{part}\x1b[0m" if sgr else part for part, sgr in line.parts)
        else:
            text = line.text
        if self._given.times and line.time is not None:
            text = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(line.time))} {text}"
        return text

    def show_live(self, lines: Sequence[Printed]) -> None:
        """On a terminal, the last row that still changes, as it is now."""
        if not self._is_terminal or self._given.json:
            return
        self._clear_live()
        shown = [line for line in lines if line.text and (line.stream == "stderr" or not self._given.stderr)]
        if shown:
            sys.stdout.write(fit(shown[-1].text, shutil.get_terminal_size().columns - 1).rstrip())
            sys.stdout.flush()
            self._is_live_shown = True

    def _clear_live(self) -> None:
        if self._is_live_shown:
            sys.stdout.write("\r\x1b[K")
            self._is_live_shown = False


def _described(line: Printed) -> dict[str, object]:
    where = {"line": line.number, "time": line.time, "step": line.step, "stream": line.stream}
    return {**where, "text": line.text, **({"live": True} if line.is_live else {})}


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)


def _moment(text: str) -> float:
    """Seconds since the epoch."""
    value = number_of(text)
    if value is not None and text[-1:].isalpha():
        return time.time() - value
    if value is None:  # a time of today
        value = number_of(f"{time.strftime('%Y-%m-%d')}T{text}")
    if value is None or text.replace(".", "").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 10m, 2h, 1d, 09:30, 2026-03-01 or 2026-03-01T09:30")
    return value
