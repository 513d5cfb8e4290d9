"""Where the panes stand: side by side or hidden, wider by keys and the mouse; one at a time on a narrow terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import MouseDown, MouseMove, MouseUp
from textual.geometry import Size, clamp
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tracker_tui.views import Views
from tracker_tui.widgets.key_bar import clickable

NARROW = 120
"""Columns below which one pane is shown at a time."""
STEP = 4
"""Columns by which a key makes a pane wider; lines are half of it."""
MIN_WIDTH = 16
MIN_CENTRE = 40
MIN_HEIGHT = 4
"""Of the console and of what is above it."""

BAR_WIDTH = 44

Pane = Literal["tree", "centre", "overview", "console"]
PANES: dict[Pane, str] = {"tree": "Runs", "centre": "Charts", "overview": "Overview", "console": "Console"}


BESIDE: tuple[Pane, ...] = ("tree", "overview")
BY_REST: tuple[Pane, ...] = ("centre", "overview", "tree")
"""Which of the panes that stand side by side has the room that the others leave: the first that is shown."""

BINDINGS: dict[Pane, str] = {
    "tree": "pane.tree",
    "centre": "pane.charts",
    "overview": "pane.overview",
    "console": "pane.console",
}
"""The ids of the bindings that show them."""


class Panes(Vertical):
    """The four panes.

    What is hidden, how wide the rest is and which one a narrow terminal shows is remembered.

    Args:
        views: remembers it.
        panes: what stands in each.
        key: tells the key of a binding by its id.
    """

    class Resized(Message):
        """The terminal has another size, or a pane has."""

    def __init__(self, views: Views, panes: dict[Pane, Widget], key: Callable[[str], str]) -> None:
        super().__init__(id="main")
        self._views = views
        self._key = key
        self._panes = panes
        kept = views.panes.get("shown")
        shown = [pane for pane in PANES if isinstance(kept, list) and pane in kept] or ["tree", "centre", "overview"]
        self._hidden: set[Pane] = PANES.keys() - set(shown)
        self._sizes: dict[Pane, int] = {
            pane: size for pane in PANES if isinstance(size := views.panes.get(pane), int) and size > 0
        }
        """Columns, of the console lines, where they are not as usual."""
        self._given: dict[Pane, int] = {}
        """What there is room for of it."""
        self.only: Pane = next((pane for pane in PANES if pane == views.panes.get("only")), "centre")
        """What is shown on a narrow terminal."""
        self._is_whole = False
        self._was_narrow: bool | None = None
        self._dragged: Pane | None = None
        self._bar = Static(id="bar")
        self._bar.auto_links = False

    def compose(self) -> ComposeResult:
        yield self._bar
        yield Horizontal(self._panes["tree"], self._panes["centre"], self._panes["overview"], id="panes")
        yield self._panes["console"]

    # ---- what is shown ----

    @property
    def _room(self) -> Size:
        """The size that the screen is laid out for: that of the terminal may be another one again."""
        return self.screen.size or self.app.size

    @property
    def is_narrow(self) -> bool:
        return self._room.width < NARROW

    @property
    def is_changing(self) -> bool:
        """Whether the terminal has become narrow, or wide, and that was not yet looked after."""
        return self._was_narrow is not None and self.is_narrow != self._was_narrow

    @property
    def is_console_alone(self) -> bool:
        """Whether the console hides what stands above it, for as long as nothing else is asked for."""
        return self._is_whole and not self.is_narrow

    def is_shown(self, pane: Pane) -> bool:
        if self.is_narrow or self.is_console_alone:
            return pane == (self.only if self.is_narrow else "console")
        return pane not in self._hidden

    def show(self, pane: Pane) -> None:
        """Wide: show it too. Narrow: show it instead of the one that is shown."""
        if self.is_narrow:
            self.only = pane
        else:
            self._hidden.discard(pane)
            self._is_whole &= pane == "console"
        self._arrange()

    def hide(self, pane: Pane) -> bool:
        """Of several that stand side by side, hide one; False where that cannot be."""
        if self.is_narrow or self._hidden | {pane} == PANES.keys():
            return False
        self._is_whole = False
        self._hidden.add(pane)
        self._arrange()
        return True

    def show_console_alone(self, is_alone: bool) -> None:
        """Let the console have all of the room, or its part again; on a narrow terminal it is alone as it is."""
        self._is_whole = is_alone and not self.is_narrow
        self._arrange()

    def focused(self) -> Pane | None:
        """The pane that has the keys, else the first that is shown."""
        shown = [pane for pane in PANES if self.is_shown(pane)]
        return next(filter(self.has_keys, shown), next(iter(shown), None))

    def has_keys(self, pane: Pane) -> bool:
        """Whether what has the keys is in it."""
        return self._panes[pane].has_focus_within

    @property
    def has_lost_keys(self) -> bool:
        """Whether a pane has the keys that nobody sees."""
        return any(self.has_keys(pane) and not self.is_shown(pane) for pane in PANES)

    def next(self, by: int) -> Pane:
        """The pane after the focused one; on a narrow terminal hidden ones too."""
        order = [pane for pane in PANES if self.is_narrow or pane not in self._hidden]
        current = self.focused()
        return order[(order.index(current) + by) % len(order)] if current in order else order[0]

    def _arrange(self) -> None:
        """Let every pane be there or not, and as wide as it should be."""
        for pane in PANES:
            self.set_class(not self.is_shown(pane), f"hide-{pane}")
        self.set_class(not any(map(self.is_shown, BY_REST)), "console-alone")
        self._write_bar()
        self._fit()
        self._keep()

    def _write_bar(self) -> None:
        """The names of all panes, the one that is shown marked; without room, only numbers of the others."""
        has_room = self._room.width >= BAR_WIDTH
        parts: list[Content] = []
        for pane, title in PANES.items():
            key = self._key(BINDINGS[pane])
            text = f" {key} {title} " if has_room or pane == self.only else f" {key} "
            style = "reverse bold" if pane == self.only else ""
            parts.append(clickable(Content.assemble((text, style)), BINDINGS[pane]))
        self._bar.update(Content.assemble(*parts))

    def on_mount(self) -> None:
        self._arrange()

    def look_after_size(self, pane_with_keys: Pane) -> None:
        """The terminal has another size: where it became narrow, the pane that had the keys is shown."""
        if self.is_narrow and self._was_narrow is False:
            self.only = "centre" if pane_with_keys == "tree" else pane_with_keys
        self._was_narrow = self.is_narrow
        self._let_go()
        self._arrange()

    # ---- sizes ----

    @property
    def _with_rest(self) -> Pane:
        """The pane that has the room that the others leave."""
        return next((pane for pane in BY_REST if self.is_shown(pane)), "console")

    def _fit(self) -> None:
        """Give each pane its size, as far as there is room."""
        room = self._room
        spare = room.width - MIN_CENTRE
        for pane in BESIDE:
            other = MIN_WIDTH if pane == "tree" and self.is_shown("overview") else 0
            width = clamp(self._size_of(pane), MIN_WIDTH, max(MIN_WIDTH, spare - other))
            self._given[pane] = width
            spare -= width if self.is_shown(pane) else 0
            self._panes[pane].styles.width = "1fr" if pane == self._with_rest else width
        height = clamp(self._size_of("console"), MIN_HEIGHT, max(MIN_HEIGHT, room.height - MIN_HEIGHT - 2))
        self._given["console"] = height
        self._panes["console"].styles.height = "1fr" if self._with_rest == "console" else height

    def _size_of(self, pane: Pane) -> int:
        """Columns, of the console lines, that a pane should have."""
        room = self._room
        usual = max(6, room.height * 3 // 10) if pane == "console" else clamp(room.width // 4, 30, 40)
        return self._sizes.get(pane, usual)

    def resize(self, pane: Pane, by: int) -> None:
        """Make a pane wider by so many steps; of the one that has the rest, what is beside it narrower."""
        if pane == self._with_rest:
            beside = [other for other in reversed(BESIDE) if other != pane and self.is_shown(other)]
            if not beside:
                return
            pane, by = beside[0], -by
        self._set_size(pane, self._given[pane] + by * (STEP // 2 if pane == "console" else STEP))
        self._keep()

    def _set_size(self, pane: Pane, size: int) -> None:
        self._sizes[pane] = size
        self._fit()
        self._sizes[pane] = self._given[pane]
        self.post_message(self.Resized())

    def _keep(self) -> None:
        shown = [pane for pane in PANES if pane not in self._hidden]
        self._views.change_panes({"shown": shown, "only": self.only} | dict(self._sizes.items()))

    # ---- the mouse: borders are drawn to where they should be ----

    def _border_at(self, x: int, y: int) -> Pane | None:
        """The pane whose size is another when the border at a cell of the screen is moved."""
        beside = {pane: self._panes[pane].region for pane in BESIDE if self.is_shown(pane) and pane != self._with_rest}
        for pane, region in beside.items():
            edge = region.right if pane == "tree" else region.x
            if region.y <= y < region.bottom and x in (edge - 1, edge):
                return pane
        console = self._panes["console"].region
        is_on_top = self.is_shown("console") and self._with_rest != "console" and y == console.y
        return "console" if is_on_top and console.contains(x, y) else None

    def grab(self, event: MouseDown) -> None:
        """Take a border that the mouse was pressed on, at once: the next event may tell that it was let go."""
        self._dragged = self._border_at(event.screen_x, event.screen_y) if event.button == 1 else None
        if self._dragged is not None:
            self.capture_mouse()

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._dragged is None:
            return
        if not event.button:  # where it was let go nobody heard
            self._let_go()
            return
        region = self._panes[self._dragged].region
        if self._dragged == "tree":
            size = event.screen_x - region.x + 1
        elif self._dragged == "overview":
            size = region.right - event.screen_x
        else:
            size = region.bottom - event.screen_y
        if size != self._given[self._dragged]:
            self._set_size(self._dragged, size)

    def on_mouse_up(self, event: MouseUp) -> None:
        if self._dragged is not None:
            event.stop()
            self._let_go()
            self._keep()

    def _let_go(self) -> None:
        if self._dragged is not None:
            self._dragged = None
            self.release_mouse()
