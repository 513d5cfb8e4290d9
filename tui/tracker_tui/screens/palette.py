"""All that can be done, and where one can go, by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.cells import cell_len
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.css.query import NoMatches
from textual.style import Style
from textual.widget import Widget

from tracker_tui import gauges
from tracker_tui.grid import Place
from tracker_tui.look import GLYPHS, fit
from tracker_tui.painting import Paced
from tracker_tui.tree import Branch
from tracker_tui.widgets.key_bar import bindings_of, keys_of, shown_key
from tracker_tui.widgets.panes import Pane

if TYPE_CHECKING:
    from tracker_tui.screens.dashboard import Dashboard

WIDTH = 80
"""Cells of the palette, its border among them."""
MAX_ABOUT = 24
MAX_PLACES = 30
"""Runs, projects and metrics that are offered at a time."""
MOVES = frozenset(
    (
        "up",
        "down",
        "left",
        "right",
        "far-left",
        "far-right",
        "page-up",
        "page-down",
        "first",
        "last",
        "next",
        "previous",
    )
)
"""What bindings are called that move about: who looks an action up by its name does not look for them."""


class Command(NamedTuple):
    """Something to do or a place to go to."""

    name: str
    about: str
    """What stands at the right: its keys, or what it is."""
    run: Callable[[], object]


class Commands(Provider):
    """Offers what the dashboard can do: all actions at first, places for who types some of their name."""

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.screen)

    async def discover(self) -> Hits:
        for command in self._actions():
            yield DiscoveryHit(self._line(command), command.run, command.name)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        words = query.lower().split()
        # Comparing letter by letter would take seconds for ten thousand runs.
        found = (place for place in self._places() if all(word in place.name.lower() for word in words))
        for command in (*self._actions(), *islice(found, MAX_PLACES)):
            score, offsets = matcher.fuzzy_search.match(query, command.name)
            if score > 0:
                yield Hit(score, self._line(command, offsets, matcher.match_style), command.run, command.name)

    def _line(self, command: Command, offsets: Sequence[int] = (), style: Style | None = None) -> Content:
        """A command as one line: what it is called, with letters marked that were looked for, and what it is.

        Never as markup, which Textual's own way takes it for: names are foreign.
        """
        about = fit(command.about, min(MAX_ABOUT, cell_len(command.about)))
        room = max(8, min(WIDTH, self.app.size.width) - 5 - cell_len(about) - 1)
        name = Content(fit(command.name, room))
        for offset in offsets:
            if offset < len(name.plain) and style is not None:
                name = name.stylize(style, offset, offset + 1)
        return Content.assemble(name, " ", (about, "$text-muted"))

    def _actions(self) -> Iterable[Command]:
        """Every action of what is there, but for moving about."""
        dashboard = self._dashboard
        panes: dict[Widget, Pane | None] = {
            dashboard: None,
            dashboard.table: "centre",
            dashboard.charts: "centre",
            dashboard.centre.media: "centre",
            dashboard.tree_pane: "tree",
            dashboard.overview: "overview",
            dashboard.console.printout: "console",
        }
        for widget, pane in panes.items():
            for binding in bindings_of(type(widget)) if widget.display else ():
                if binding.id and binding.id.partition(".")[2] not in MOVES:
                    keys = " ".join(map(shown_key, keys_of(binding, dashboard.settings.keys)))
                    run = functools.partial(self._run, widget, pane, binding.action)
                    says = binding.tooltip[0].lower() + binding.tooltip[1:]
                    yield Command(f"{binding.description}: {says}", keys, run)

    async def _run(self, widget: Widget, pane: Pane | None, action: str) -> None:
        if pane is not None:
            self._dashboard.focus_pane(pane)
            self._dashboard.set_focus(widget)
        await self.app.run_action(action, widget)

    def _places(self) -> Iterable[Command]:
        """The projects, groups, metrics and runs there are; there may be very many."""
        dashboard, model = self._dashboard, self._dashboard.model
        for node in model.tree():
            if isinstance(node.place, Branch):
                kind = "group" if node.place.group else "project" if node.place.project else "runs"
                yield Command(model.label(node.place), kind, functools.partial(dashboard.go_to_place, node.place))
        for name in dashboard.charts.metrics():
            yield Command(gauges.label(name), "chart", functools.partial(self._go_to_chart, name))
        for run in model.shown():
            where = f"{GLYPHS[run.state]} run in {run.project}"
            yield Command(run.label, where, functools.partial(dashboard.go_to_place, run.key))

    def _go_to_chart(self, metric: str) -> None:
        self._dashboard.focus_pane("centre")
        self._dashboard.set_focus(self._dashboard.charts)
        self._dashboard.charts.go_to(Place(metric))


class Palette(CommandPalette, Paced):
    """Textual's, which dies of keys that come too fast (8.2.8): is left once, and outlives a list that is not there."""

    DEFAULT_CSS = """
    Palette, Palette:ansi { background: $background 60%; }
    Palette #--container, Palette #--container:dark {
        width: 80;
        max-width: 100%;
        height: auto;
        max-height: 90%;
        margin-top: 1;
        visibility: visible;
        border: round $accent;
        border-title-color: $text-accent;
        border-subtitle-color: $text-muted;
        background: $surface;
    }
    Palette SearchIcon { display: none; }
    Palette #--input, Palette #--input.--list-visible { height: 1; border: none; }
    Palette CommandInput, Palette CommandInput:focus { height: 1; border: none; padding: 0 1; }
    Palette #--results { overlay: none; }
    Palette CommandList, Palette CommandList:focus { border: none; max-height: 100%; }
    Palette CommandList > .option-list--option { padding: 0 1; text-style: none; }
    Palette LoadingIndicator { display: none; }
    """

    _is_left = False

    def dismiss(self, result: None = None) -> AwaitComplete:
        if self._is_left:
            return AwaitComplete()
        self._is_left = True
        return super().dismiss(result)

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):  # the list is being filled
            super()._action_command_list(action)

    def _watch__list_visible(self) -> None:
        with suppress(NoMatches):  # commands are found after it was left
            super()._watch__list_visible()
