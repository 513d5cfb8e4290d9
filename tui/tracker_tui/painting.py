"""What is written to the terminal: only the cells that have changed, and over ssh one frame at a time.

**Cell by cell.** Textual 8.2.8 knows which cells of a line are dirty, but writes the line from the left edge of their
widget on (`ChopsUpdate.render_segments`). Where curves grow at their right ends that is most of the traffic: 22 kB/s
for five charts at 100 rows a second, which is 3 with only the dirty cells written. `DirtyCells` and `CellCompositor`
take the place of Textual's own and change nothing else.

**One at a time.** What a slow link has not carried yet waits in buffers that nobody here sees, and a key is answered
after all of it. So a question follows each frame, one that Textual asks at its start anyway: whether the terminal can
take a frame as a whole (mode 2026). It answers when it has shown the frame, and only then the next one goes, of what is
there by then. A terminal that does not answer the first such question is not asked again: then frames are only fewer.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor
from textual.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.driver import Driver

    from tracker_tui.graphics import Placed

QUESTION = "\x1b[?2026$p"
PATIENCE = 5.0
"""Seconds after which an answer is taken for lost."""


class DirtyCells(ChopsUpdate):
    """An update that writes the cells of its spans and no others."""

    def render_segments(self, console: Console) -> str:
        """What to send to the terminal."""
        parts: list[str] = []
        last = self.spans[-1][0]
        for y, left, right in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                first, stop = max(start, left), min(end, right)
                if strip is not None and first < stop:
                    parts.append(Control.move_to(first, y).segment.text)
                    parts.append(strip.crop(first - start, stop - start).render(console))
            if y != last:
                parts.append("\n")
        return "".join(parts)


class CellCompositor(Compositor):
    """Textual's compositor, with `DirtyCells` for what is painted in part."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """What is dirty; None if nothing is."""
        update = super().render_partial_update()
        return DirtyCells(update.chops, update.spans, update.chop_ends) if update is not None else None


def is_over_ssh() -> bool:
    """Whether what is written here goes to a terminal on another machine."""
    return bool(os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"))


class Flow:
    """Tells whether the terminal has shown the last frame."""

    def __init__(self) -> None:
        self.is_due = False
        """Whether there was something to paint meanwhile."""
        self._asked: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._asked is not None and monotonic() - self._asked < PATIENCE

    def ask(self, driver: Driver) -> None:
        """A frame was written: ask whether it was shown."""
        self._asked = monotonic()
        driver.write(QUESTION)
        driver.flush()

    def take_answer(self) -> bool:
        """The terminal answered; whether there is something to paint now."""
        self._asked = None
        is_due, self.is_due = self.is_due, False
        return is_due


class Paced(Screen[Any]):
    """A screen that paints once the terminal has shown what was painted before: all that has changed until then."""

    def pictures(self) -> Iterable[Placed]:
        """What is on the screen in pixels, as `graphics` shows it."""
        return ()

    def _compositor_refresh(self) -> None:
        flow: Flow = cast(Any, self.app).flow
        if self.is_current and flow.is_waiting:
            if not flow.is_due:
                flow.is_due = True
                self.set_timer(PATIENCE, self._compositor_refresh)  # the answer may be lost
            self._dirty_widgets.clear()  # the compositor knows by now which cells they are
        else:
            super()._compositor_refresh()
