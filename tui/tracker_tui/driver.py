"""Textual's driver, but that it leaves the terminal to another only when that has answered what it was asked.

An answer that is late would be typed into the shell, or into the question of ssh. Whatever asks writes through the
driver, and every answer comes through it, so it alone knows what is owed; so does every way to leave: the end, Ctrl-Z,
`App.suspend`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Any, Final

from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.messages import InBandWindowResize, TerminalSupportsSynchronizedOutput

from tracker_tui import background, graphics, painting

ANSWERS: Final[Mapping[str, type[Message]]] = {
    painting.QUESTION: TerminalSupportsSynchronizedOutput,
    "\x1b[?2048$p": InBandWindowResize,  # Textual's own
    background.QUESTION: background.Background,
    graphics.QUESTION: graphics.Graphics,
}
"""Questions, and as what their answers come."""
LAST_ANSWER: Final = 1.0
"""Seconds for which answers are waited for in the end, of a terminal that answers or is far away."""
FIRST_ANSWER: Final = 0.3
"""Seconds from a question on, of a terminal of this machine that has never answered one."""


class PatientDriver(LinuxDriver):
    """Waits for what the terminal owes; the thread that reads keys hears it meanwhile."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._owed: deque[tuple[type[Message], float]] = deque()
        """What was asked and when; asked in one thread, answered in the other."""
        self._answered: set[type[Message]] = set()

    def write(self, data: str) -> None:
        super().write(data)
        answer = ANSWERS.get(data)
        if answer is not None:
            self._owed.append((answer, monotonic()))

    def process_message(self, message: Message) -> None:
        if isinstance(message, tuple(ANSWERS.values())):
            self._settle(type(message))
        super().process_message(message)

    def _settle(self, answer: type[Message]) -> None:
        """A terminal answers in the order of the questions: what stands before this one never will be."""
        self._answered.add(answer)
        if answer in [owed for owed, _ in list(self._owed)]:
            while self._owed.popleft()[0] is not answer:
                pass

    def _patience(self, answer: type[Message]) -> float:
        """Seconds from a question on for which its answer may still come."""
        if answer in self._answered:
            return painting.PATIENCE
        return LAST_ANSWER if self._answered or painting.is_over_ssh() else FIRST_ANSWER

    def _is_owed(self) -> bool:
        now = monotonic()
        return any(now - asked < self._patience(answer) for answer, asked in list(self._owed))

    def disable_input(self) -> None:
        """Whichever way the terminal is left, it goes through here."""
        until = monotonic() + LAST_ANSWER
        while self._is_owed() and monotonic() < until:
            sleep(0.01)  # no lock: this may be a signal's handler
        super().disable_input()
        self._owed.clear()
