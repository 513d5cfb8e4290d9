"""The files of a run over the whole screen, with what is in the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.widgets import Input

from tracker.catalog import Catalog
from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui import files, pictures
from tracker_tui.artifacts import Version, facts
from tracker_tui.contents import Place, UnreadableError, full_path, open_outside, read, text_of
from tracker_tui.files import Artifact, File, FileTree, Found, Node
from tracker_tui.graphics import Placed
from tracker_tui.look import size_text
from tracker_tui.pictures import Look, Picture
from tracker_tui.screens.dialog import Page
from tracker_tui.widgets.file_lines import FileLines
from tracker_tui.widgets.key_bar import KeyBar, bindings_of
from tracker_tui.widgets.lines import Lines
from tracker_tui.widgets.preview import Preview, look_of

START: Final = 64 * 1024
"""Bytes of a text that are shown."""
IMAGES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
EVERY: Final = 3.0
"""Seconds between two lists of the files of a run that is running."""
PAUSE: Final = 0.05
"""Seconds that the cursor rests before a file is read."""


class FilesScreen(Page[None]):
    """What a run left behind.

    Args:
        catalog: what knows the run.
        run: whose files.
        keys: those that the user chose, by the ids of bindings.
    """

    DEFAULT_CSS = """
    FilesScreen #both { layout: horizontal; height: 1fr; }
    FilesScreen FileLines { width: 2fr; height: 1fr; }
    FilesScreen Preview { width: 3fr; height: 1fr; }
    FilesScreen.-narrow #both { layout: vertical; }
    FilesScreen.-narrow FileLines, FilesScreen.-narrow Preview { width: 1fr; }
    FilesScreen #names { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    """
    BINDINGS = [
        Binding("escape,F,q", "back", "Back", id="files.close", tooltip="Back to the dashboard"),
        Binding("y", "copy", "Copy path", id="files.copy", tooltip="Copy the path of the file"),
        Binding("o", "open", "Show", id="files.open", tooltip="Open the file with the system's program"),
        Binding("slash", "find", "Find", id="files.find", tooltip="Only files whose paths contain words"),
        Binding("tab", "other", "Content", id="files.other", tooltip="From the list to the content, and back"),
    ]

    def __init__(self, catalog: Catalog, run: StoredRun, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = KeyBar(keys)
        self._catalog, self._run = catalog, run
        self._tree = FileTree()
        self._found = Found()
        self._inside: dict[Artifact, list[File]] = {}
        self._versions: dict[Artifact, Version | str] = {}
        """Those that were opened, or why one cannot be."""
        self._list = FileLines()
        self._preview = Preview()
        self._names = Input(placeholder="words in paths · enter keeps · esc all", id="names")
        self._names.cursor_blink = False

    def compose(self) -> ComposeResult:
        with Container(id="both"):
            yield self._list
            yield self._preview
        yield self._names
        yield self._keys

    def on_mount(self) -> None:
        self.set_focus(self._list)
        self._list.border_title = Content(f"Files of {self._run.label}")
        fold = [binding for binding in bindings_of(FileLines) if binding.id == "files.fold"]
        close, *others = bindings_of(type(self))
        self._keys.show([*fold, *others], [close])
        self._app.ask_graphics()
        self._app.graphics_signal.subscribe(self, lambda _: self._show_file())
        self._look()
        self.set_interval(EVERY, self._look_again)

    @property
    def _app(self) -> Any:
        return self.app

    def pictures(self) -> Iterable[Placed]:
        return self._preview.pictures()

    # ---- the list ----

    def _look_again(self) -> None:
        if self._run.state == "running":
            self._look()

    @work(group="look", exclusive=True)
    async def _look(self) -> None:
        self._found = await asyncio.to_thread(files.found, self._catalog, self._run)
        self._show()

    def _show(self) -> None:
        """Show the tree as it is now."""
        is_first = not self._tree.files
        self._tree.put(self._found.files, files.artifacts_of(self._run), self._inside)
        self._list.show_nodes(self._tree.nodes())
        own = self._found.files
        size = size_text(sum(file.size for file in own))
        self._list.border_subtitle = Content(self._found.trouble or f"{len(own):,} files, {size}")
        if is_first:
            self._show_file()

    @on(Lines.Chosen)
    def _chosen(self) -> None:
        node = self._list.node
        if node is not None and node.is_folder:
            self._tree.toggle(node.path)
            self._list.show_nodes(self._tree.nodes())
            if node.artifact is not None and node.artifact not in self._versions:
                self._open_artifact(node.artifact)

    @work(group="artifact")
    async def _open_artifact(self, artifact: Artifact) -> None:
        runs = list(self._catalog.runs.values())
        try:
            version = await asyncio.to_thread(files.version, self._catalog, runs, self._run, artifact)
        except UnreadableError as error:
            self._versions[artifact] = str(error)
        else:
            self._versions[artifact], self._inside[artifact] = version, files.inside(version)
        self._show()
        self._show_file()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self._show_file()

    # ---- what is in a file ----

    @work(group="preview", exclusive=True)
    async def _show_file(self) -> None:
        node = self._list.node
        if node is None:
            self._preview.border_title = ""
            self._preview.show(["no files" if not self._tree.words else "no file has these words in its path"])
            return
        self._preview.border_title = Content(clean("/".join(node.path), 500))
        file = node.file
        if file is None:
            self._preview.show(self._about(node))
            return
        await asyncio.sleep(PAUSE)
        place, look = file.place, look_of(self._preview)
        if place is None:
            self._preview.show([f"not kept here: {file.about}"])
            return
        room = self._preview.scrollable_content_region.size
        shown = await asyncio.to_thread(_read, place, file, room.width, max(1, room.height - 2), look)
        self._preview.show(*shown)

    def _about(self, node: Node) -> list[str]:
        """What there is to say of a folder, or of an artifact."""
        count = f"{node.below:,} file{'s' * (node.below != 1)}, {size_text(node.size)}"
        artifact = node.artifact
        if artifact is None:
            return [count]
        version = self._versions.get(artifact)
        lines = [f"{artifact.use} by this run", artifact.label, ""]
        if not isinstance(version, Version):
            return [*lines, f"type {artifact.type}", count, "", version or "enter opens it"]
        described = version.manifest.description.split("\n")
        return [
            *lines,
            *(f"{label:<10}{value}" for label, value in facts(version).items()),
            *(["", *described] if any(described) else []),
        ]

    # ---- keys ----

    @property
    def _place(self) -> Place | None:
        node = self._list.node
        return node.file.place if node is not None and node.file is not None else None

    def action_copy(self) -> None:
        place = self._place
        if place is not None:
            path = full_path(place)
            self.app.copy_to_clipboard(path)
            self.notify(f"Copied: {clean(path, 200)}", markup=False)

    def action_open(self) -> None:
        place = self._place
        trouble = open_outside(place) if place is not None else "put the cursor on a file"
        if trouble:
            self.notify(f"Not opened: {trouble}.", severity="warning", markup=False)

    def action_other(self) -> None:
        self.set_focus(self._list if self._preview.has_focus else self._preview)

    def action_find(self) -> None:
        self._names.display = True
        self.set_focus(self._names)

    @on(Input.Changed)
    def _words_changed(self, event: Input.Changed) -> None:
        self._tree.words = tuple(event.value.lower().split())
        self._list.show_nodes(self._tree.nodes())
        self._show_file()

    @on(Input.Submitted)
    def _words_submitted(self) -> None:
        self.set_focus(self._list)

    def action_back(self) -> None:
        """One step back: from words, then from the screen."""
        if self._names.display:
            self._names.value = ""
            self._names.display = False
            self.set_focus(self._list)
        else:
            self.dismiss(None)


def _read(place: Place, file: File, width: int, height: int, look: Look) -> tuple[list[str], Picture | None]:
    """What is in a file, as lines and a picture."""
    size = size_text(file.size)
    try:
        if file.path[-1].lower().endswith(IMAGES) and look.way != "off" and width > 0:
            return [size], pictures.drawn(read(place), width, height, look)
        data = read(place, START, is_start=True)
    except UnreadableError as error:
        return [f"{size}: {error}"], None
    lines = text_of(data)
    if lines is None:
        return [f"{size}, no text"], None
    more = [f"… {size_text(START)} of {size}"] if file.size > START else []
    return [*lines, *more] or ["empty"], None
