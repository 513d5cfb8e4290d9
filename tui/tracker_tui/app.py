"""The dashboard's application: one model, one screen."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from textual._compositor import ChopsUpdate
from textual.app import App, SystemCommand
from textual.color import Color
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region
from textual.screen import Screen
from textual.signal import Signal
from textual.theme import Theme, ThemeProvider
from textual.widgets._toast import Toast

from tracker.records import clean
from tracker_tui.background import QUESTION, Background
from tracker_tui.commands.shell import SIGNALLED, own_error
from tracker_tui.driver import PatientDriver
from tracker_tui.graphics import AUTO as ASK
from tracker_tui.graphics import QUESTION as GRAPHICS_QUESTION
from tracker_tui.graphics import Graphics, Layer, is_worth_asking
from tracker_tui.model import Model
from tracker_tui.painting import Flow, Paced, is_over_ssh
from tracker_tui.screens.dashboard import Dashboard
from tracker_tui.settings import AUTO, Settings
from tracker_tui.sources import Sources
from tracker_tui.terminal import LINUX, background_hint
from tracker_tui.themes import THEMES, VARIABLES, automatic, run_colours
from tracker_tui.views import Looks, Views, looks_file, state_file
from tracker_tui.widgets.key_bar import bindings_of
from tracker_tui.widgets.panes import NARROW

FEW = 3
"""Problems of the settings that are told on the screen."""
LONG = 160
"""Characters of one."""
PROBLEMS_STAY = 12.0
"""Seconds."""


class TrackerApp(App[None]):
    """`tracker-tui [PATH]` on a terminal.

    Args:
        sources: where the runs come from.
        views: what is remembered of how things are looked at; default this user's.
        has_terminal: told whenever it leaves the terminal, or takes it again.
        settings: what this user set.
        problems: what is wrong with that, in lines.
    """

    TITLE = "tracker-tui"
    CSS_PATH = ["screens/app.tcss", "screens/dashboard.tcss"]  # here, for Textual reads no sheet of a default screen
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide")]

    def __init__(
        self,
        sources: Sources,
        views: Views | None = None,
        has_terminal: Callable[[bool], object] = bool,
        settings: Settings | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        if not os.environ.get("NO_COLOR", "1"):
            del os.environ["NO_COLOR"]  # empty, it says nothing, but to Textual
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)  # else grey is written as 24 bits
        self.settings = settings or Settings()
        self._problems = problems
        self._has_terminal = has_terminal
        if views is None:
            roots = [catalog.root for catalog in sources.catalogs.values()]
            views = Views(state_file(roots), self.settings.smoothing, self.settings.columns)
        self.model = Model(sources, views)
        self.set_keymap(dict(self.settings.keys))
        self._looks = Looks(looks_file() if self.model.views.is_kept else None)
        self._take_theme()
        self.animation_level = "none"
        self._is_failing = False
        self.flow = Flow()
        """What is on its way to the terminal; asked only over ssh."""
        self.graphics = Graphics("blocks" if self.settings.images == ASK else self.settings.images, None)
        """How images are shown."""
        self.graphics_signal: Signal[Graphics] = Signal(self, "graphics")
        """That is another way now."""
        self._is_graphics_asked = False
        self._layer = Layer(self._write)
        self.is_far = is_over_ssh()
        """Whether the terminal is on another machine."""
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # ten thousand runs are no garbage, and looking through them takes long
        sys.setswitchinterval(0.001)  # charts are drawn in a thread: a key waits for it five times less than usual

    def on_mount(self) -> None:
        """Leave in good order when told to go, so that the terminal is usable and the demo's jobs end.

        When it was stopped (Ctrl-Z) and goes on, the screen is empty: Textual would write only what is new.
        """
        self.app_resume_signal.subscribe(self, lambda _: self.on_resize())
        self.call_after_refresh(self._tell_problems)
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.call_after_refresh(self._ask_background)
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # in a thread there are no signals
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.exit, None, SIGNALLED + number)
            interrupted = functools.partial(self.exit, None, SIGNALLED + signal.SIGINT)
            # Not the loop's, which hears it even while another handler takes it for an answer on the terminal.
            signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(interrupted))
            signal.signal(signal.SIGTSTP, functools.partial(self._stop, signal.getsignal(signal.SIGTSTP)))
            signal.signal(signal.SIGCONT, functools.partial(self._go_on, signal.getsignal(signal.SIGCONT)))

    def _tell_problems(self) -> None:
        """What is wrong with the settings, once."""
        if self._problems:
            more = ["tracker-tui config tells all"] if len(self._problems) > FEW else []
            text = "\n".join([*(clean(problem, LONG) for problem in self._problems[:FEW]), *more])
            self.notify(text, title="config.toml", severity="warning", timeout=PROBLEMS_STAY, markup=False)

    def _stop(self, stop: Any, *arguments: object) -> None:
        """As Textual stops, but that the guard knows: the terminal is another's then."""
        self._has_terminal(False)
        stop(*arguments)

    def _go_on(self, begin: Any, *arguments: object) -> None:
        """Take the terminal again, when told to go on.

        Textual 8.2.8 would take it twice if it had not left it before, as when it is stopped by SIGSTOP, or its shell
        is hung up. Of two threads that read keys one would never end.
        """
        driver: Any = self._driver
        if driver._key_thread is not None and driver._key_thread.is_alive():
            driver.suspend_application_mode()
        begin(*arguments)
        self._has_terminal(True)

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        return PatientDriver if found is LinuxDriver else found

    # ---- the look ----

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    @property
    def run_colours(self) -> tuple[Color, ...]:
        """What runs are drawn in, in turn."""
        return run_colours(self.current_theme, self.settings.colours)

    def _take_theme(self) -> None:
        """The theme that was set, else the one that was chosen the last time, else what suits the terminal."""
        for theme in THEMES:
            self.register_theme(theme)
        told = background_hint()
        self._suiting = self._suiting_theme(self._looks.is_dark if told is None else told)
        wanted = self._looks.theme if self.settings.theme == AUTO else self.settings.theme
        self._chosen = wanted if wanted in self.available_themes else ""
        self.theme = self._chosen or self._suiting
        self.stylesheet.set_variables(self.get_css_variables())

    def _suiting_theme(self, is_dark: bool) -> str:
        has_many = self.console.color_system != "standard" and not self.no_color
        return automatic(is_dark, has_many)

    def _ask_background(self) -> None:
        if self._driver is not None and not self._chosen and os.environ.get("TERM") != LINUX:
            self._driver.write(QUESTION)

    def on_app_focus(self) -> None:
        """The terminal may have changed meanwhile, as many do by the hour."""
        self._ask_background()

    def on_background(self, message: Background) -> None:
        """Follow the terminal, unless another theme was chosen."""
        self._looks.change(is_dark=message.is_dark)
        self._suiting = self._suiting_theme(message.is_dark)
        if not self._chosen:
            self.theme = self._suiting

    def _theme_changed(self, theme: Theme) -> None:
        """Remember the theme that was chosen; who chooses what suits the terminal follows it again."""
        if theme.name != (self._chosen or self._suiting):
            is_auto = self.settings.theme == AUTO
            self._chosen = "" if is_auto and theme.name == self._suiting else theme.name
            if is_auto:
                self._looks.change(theme=self._chosen)

    def on_resize(self) -> None:
        """Paint all, also where the size is what it was: in between, the terminal may have cut something off."""
        self._layer.clear()
        self.refresh()

    # ---- pictures in pixels, see `graphics` ----

    def ask_graphics(self) -> None:
        """Ask the terminal what pictures it can show, once, and behind what is painted now."""
        if not self._is_graphics_asked and self.settings.images not in ("blocks", "off"):
            self._is_graphics_asked = True
            if is_worth_asking():
                self.call_after_refresh(self._write, GRAPHICS_QUESTION)

    def on_graphics(self, message: Graphics) -> None:
        """Show images so from now on; what the user has chosen holds, but the size of a cell is needed."""
        chosen = self.settings.images
        self.graphics = message if chosen == ASK else Graphics(chosen, message.cell)
        self.graphics_signal.publish(self.graphics)

    def _write(self, text: str) -> None:
        if self._driver is not None:
            self._driver.write(text)

    # ---- one frame at a time, see `painting` ----

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        if renderable is not None and screen is self.screen and isinstance(screen, Paced) and screen.is_running:
            self._show_pictures(screen, renderable)
        if renderable is not None and self.is_far and self._sync_available and self._driver is not None:
            self.flow.ask(self._driver)

    def _show_pictures(self, screen: Paced, frame: RenderableType) -> None:
        """What is in pixels follows the frame around it; messages lie over it."""
        wanted = list(screen.pictures())
        over = [toast.region for toast in screen.query(Toast)] if wanted else []
        spans = frame.spans if isinstance(frame, ChopsUpdate) else None

        def is_touched(region: Region) -> bool:
            return spans is None or any(
                region.y <= y < region.bottom and left < region.right and region.x < right for y, left, right in spans
            )

        free = (each for each in wanted if not any(map(each.region.overlaps, over)))
        if self._layer.paint(free, is_touched):
            screen.refresh()

    def on_terminal_supports_synchronized_output(self) -> None:
        """The terminal has shown all that was written to it."""
        if self.flow.take_answer():
            self.screen._compositor_refresh()

    async def on_unmount(self) -> None:
        """Let go of other machines: whoever waits for them waits no longer."""
        self._layer.clear()
        closing = (asyncio.to_thread(catalog.files.close) for catalog in self.model.sources.all)
        await asyncio.gather(*closing)

    def _fatal_error(self) -> None:
        """End, and say why, once: what Textual says by itself is pages long, with the values of everything."""
        error = sys.exception() or self._exception
        if error is not None and not self._is_failing:
            self._is_failing = True
            self.panic(Text(own_error(error)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Theme", "Choose colours", self.search_themes)

    def action_command_palette(self) -> None:
        """Commands and themes."""
        from tracker_tui.screens.palette import Palette

        if isinstance(self.screen, Dashboard):  # what it offers is done there
            self.push_screen(Palette(placeholder="An action, a run, a metric…", id="--command-palette"))

    async def action_do(self, name: str) -> None:
        """Do what a binding does, of what has the keys or is around it: what a click on its name means."""
        for node in (self.focused or self.screen).ancestors_with_self:
            for kind in type(node).__mro__:
                found = next((binding for binding in bindings_of(kind) if binding.id == name), None)
                if found is not None:
                    await self.run_action(found.action, node)
                    return

    def search_themes(self) -> None:
        from tracker_tui.screens.palette import Palette

        self.push_screen(Palette(providers=[ThemeProvider], placeholder="A theme…"))

    def copy_to_clipboard(self, text: str) -> None:
        """Also what is no UTF-8, as a file's path may be."""
        super().copy_to_clipboard(text.encode("utf-8", "replace").decode())

    def get_default_screen(self) -> Screen[object]:
        return Dashboard(self.model, self.settings)
