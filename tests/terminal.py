"""A real pseudo-terminal with a program in it, and what a person would see on its screen."""

from __future__ import annotations

import copy
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Self

import pexpect
import pyte

TREE = Path(__file__).parents[1]
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "backspace": "\x7f",
    "left": "\x1b[D",
    "right": "\x1b[C",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "tab": "\t",
    "ctrl+c": "\x03",
}

ALTERNATE = 1049
"""The mode in which a program has a screen of its own."""


def environment(**more: str) -> dict[str, str]:
    """A terminal user's environment in which the packages of this tree are found."""
    foreign = ("TRACKER_", "WANDB_", "COLUMNS", "LINES")  # the last two would speak for the terminal
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    path = os.pathsep.join([str(TREE / "store"), str(TREE / "tui"), kept.get("PYTHONPATH", "")])
    return {**kept, "PYTHONPATH": path, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **more}


class _Screen(pyte.Screen):
    """With the second screen that full-screen programs ask for, which pyte has not."""

    def set_mode(self, *modes: int, **kwargs: bool) -> None:
        super().set_mode(*modes, **kwargs)
        if kwargs.get("private") and ALTERNATE in modes:
            self._before = copy.deepcopy(self.buffer), copy.copy(self.cursor)
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **kwargs: bool) -> None:
        super().reset_mode(*modes, **kwargs)
        if kwargs.get("private") and ALTERNATE in modes:
            self.buffer, self.cursor = self._before
            self.dirty.update(range(self.lines))

    def erase_in_line(self, how: int = 0, *more: int, **kwargs: bool) -> None:
        """Also as terminals take it where a sequence was cut short and a word that begins with K follows."""
        super().erase_in_line(how if how <= 2 else 0, **kwargs)


class Terminal:
    """A program on a screen of its own; `with` ends it.

    Args:
        words: the arguments of the interpreter, e.g. `["-m", "tracker_tui", "ls"]`.
        columns: cells.
        rows: cells.
        cwd: working folder.
        env: more environment variables.
    """

    def __init__(
        self,
        words: Sequence[str],
        columns: int = 160,
        rows: int = 45,
        cwd: Path | None = None,
        env: Mapping[str, str] = {},
    ) -> None:
        self._screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """Every byte that the terminal got."""
        self.read_at = 0.0
        """When the last of them came; what a screen makes of them takes its own time here."""
        self.child = pexpect.spawn(
            sys.executable, list(words), dimensions=(rows, columns), cwd=cwd, env=environment(**env), timeout=10
        )
        self.child.delaybeforesend = None

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, without the spaces at their ends."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def cells(self) -> list[list[str]]:
        """The rows cell by cell; the second cell of a wide character has no text."""
        return [
            [self._screen.buffer[y][x].data for x in range(self._screen.columns)] for y in range(self._screen.lines)
        ]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def background(self) -> str:
        """The background of most cells, as `rrggbb`."""
        cells = (
            self._screen.buffer[row][column]
            for row, column in product(range(self._screen.lines), range(self._screen.columns))
        )
        return Counter(cell.bg for cell in cells).most_common(1)[0][0]

    def wait_for(self, wanted: str | Callable[[Self], bool], seconds: float = 15) -> str:
        """Read until the screen shows a text or satisfies a question; the screen's text then.

        Raises:
            AssertionError: it does not within the time, or the program ended before.
        """
        deadline = time.monotonic() + seconds
        while not (wanted in self.text if isinstance(wanted, str) else wanted(self)):
            left = deadline - time.monotonic()
            assert left > 0, f"not on the screen after {seconds} s: {wanted}\n{self.text}"
            assert self.read(min(left, 0.5)), f"the program ended before {wanted}\n{self.text}"
        return self.text

    def settle(self, seconds: float = 0.2) -> None:
        """Read until the program has been quiet for a moment, or five times as long, as a person waits between keys."""
        before, deadline = -1, time.monotonic() + 5 * seconds
        while len(self.raw) != before and time.monotonic() < deadline:
            before = len(self.raw)
            self.read(seconds)

    def read(self, seconds: float) -> bool:
        """Take what the program writes; False once it has ended."""
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.read_at = time.perf_counter()
        self.raw += data
        self._stream.feed(data)
        return True

    def press(self, *keys: str) -> None:
        """Type keys by name, or text as it is."""
        for key in keys:
            self.child.send(KEYS.get(key, key))

    def step(self, *keys: str) -> None:
        """Press keys one after the other, each when the one before has been dealt with."""
        for key in keys:
            before = len(self.raw)
            self.press(key)
            if key == "escape":  # with a key that a busy program reads in the same moment it would be another one
                self.wait_while(lambda before=before: len(self.raw) == before, 1)
            self.settle(0.3 if key == "escape" else 0.1)

    def wait_while(self, question: Callable[[], bool], seconds: float) -> None:
        """Read as long as something holds, but not for ever."""
        deadline = time.monotonic() + seconds
        while question() and time.monotonic() < deadline and self.read(0.05):
            pass

    def point(self, column: int, row: int, button: int = 35, is_up: bool = False) -> None:
        """Move the mouse to a cell, counted from 0; with button 0 press it there, or let it go."""
        self.child.send(f"\x1b[<{button};{column + 1};{row + 1}{'m' if is_up else 'M'}")

    def place_of(self, text: str) -> tuple[int, int]:
        """Column and row of the first sight of a text; it must be on the screen."""
        for row, line in enumerate(self._screen.display):
            if text in line:
                return line.index(text), row
        raise AssertionError(f"not on the screen: {text}\n{self.text}")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, as a window manager would."""
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def wait_for_end(self, seconds: float = 10) -> int:
        """Read until the program ends; its exit code, negative for a signal."""
        deadline = time.monotonic() + seconds
        while self.read(0.2):
            assert time.monotonic() < deadline, f"still runs after {seconds} s\n{self.text}"
        self.child.wait()  # its terminal is closed a moment before it is gone, and `close` would kill it then
        self.child.close()
        return self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.child.close(force=True)
        except pexpect.ExceptionPexpect:  # it was killed, and a busy machine takes longer than a tenth of a second
            self.child.wait()
