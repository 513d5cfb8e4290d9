"""The console of a run: what it printed, under a title, with a field for words to find."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tracker.catalog import Catalog
from tracker.stored import StoredRun
from tracker_tui.widgets.printout import Printout


class ConsolePane(Vertical):
    """Shows one run's printout; reads nothing while nobody sees it.

    Args:
        title: stands over it, before the run's name.
    """

    def __init__(self, title: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._title = title
        self.border_title = Content(title)
        self.printout = Printout(id="printout")
        self._field = Input(placeholder="words in lines · enter finds · esc leaves", id="find")
        self._field.cursor_blink = False

    def compose(self) -> ComposeResult:
        yield self._field
        yield self.printout

    @property
    def run(self) -> StoredRun | None:
        """Whose console it is."""
        return self.printout.run

    def show(self, run: StoredRun | None, catalog: Catalog | None) -> None:
        """Show what a run printed; None: nothing."""
        self.printout.show(run, catalog)
        title = f"{self._title} · {run.label}" if run is not None else self._title
        if str(self.border_title) != title:
            self.border_title = Content(title)

    def ask(self) -> None:
        """Let words be typed that are to be found."""
        self._field.value = self.printout.words
        self._field.display = True
        self.screen.set_focus(self._field)

    @on(Input.Submitted)
    def _find(self, event: Input.Submitted) -> None:
        self.printout.find(event.value)
        self._close_field()

    def _close_field(self) -> None:
        self._field.display = False
        self.screen.set_focus(self.printout)

    def leave(self) -> bool:
        """One step back: from the field, from what is selected, from words; False where there is none."""
        if self._field.has_focus:
            self._close_field()
            return True
        return self.printout.leave()
