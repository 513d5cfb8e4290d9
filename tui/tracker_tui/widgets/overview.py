"""What a run is: state and why, times, host, command, alerts, config, summary. Of a branch: its runs by state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.cells import cell_len, chop_cells
from textual.binding import Binding
from textual.message import Message

from tracker.records import clean
from tracker.report import format_value
from tracker.stored import Key, StoredRun
from tracker_tui.facts import alerts_of, environment_of, facts_of, reason_of
from tracker_tui.files import artifacts_of
from tracker_tui.kinds import section_of
from tracker_tui.look import GLYPHS, fit, last_value, size_text, some_runs
from tracker_tui.widgets.lines import Cell, Line, Lines

LABEL_WIDTH = 10
Path = tuple[str, ...]
"""From a section's title in: `("Config", "model", "depth")`."""


class Entry(NamedTuple):
    """One line."""

    line: Line
    path: Path = ()
    """What it belongs to, so that the cursor finds it again."""
    text: str = ""
    """What is copied."""
    is_branch: bool = False


class Overview(Lines):
    """Facts, then trees that open and close; long facts are wrapped."""

    BINDINGS = [
        Binding("left,h", "fold(True)", "Close", id="overview.close", tooltip="Close the section or key"),
        Binding("right,l", "fold(False)", "Open", id="overview.open", tooltip="Open the section or key"),
    ]

    class Resized(Message):
        """The pane has another width: what it shows is to be wrapped anew."""

    def __init__(self, files_key: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._files_key = files_key
        self.cursor = 0
        self.files: tuple[Key | None, Mapping[str, tuple[int, int]]] = None, {}
        """A run, and how many files are in each of its folders, with their bytes."""
        self.words: list[str] = []
        """Only keys of config and summary that contain all of these are shown."""
        self._entries: list[Entry] = []
        self._folded: set[Path] = set()
        self._about: object = None

    def line_count(self) -> int:
        return len(self._entries)

    def line(self, index: int, width: int) -> Line:
        return self._entries[index].line

    @property
    def entry(self) -> Entry | None:
        """What is under the cursor."""
        return self._entries[self.cursor] if self.cursor is not None and self.cursor < len(self._entries) else None

    def on_resize(self) -> None:
        self.post_message(self.Resized())
        super().on_resize()

    def action_fold(self, is_closed: bool) -> None:
        """Close or open what is under the cursor; on a key, closing is of what is around it."""
        entry = self.entry
        if entry is None or not entry.path:
            return
        path = entry.path if entry.is_branch and not (is_closed and entry.path in self._folded) else entry.path[:-1]
        if not is_closed:
            self._folded.discard(entry.path)
        elif path:
            self._folded.add(path)
            self.cursor = next((i for i, e in enumerate(self._entries) if e.path == path), self.cursor)
        self.post_message(self.Resized())

    def line_clicked(self, index: int, x: int, is_again: bool) -> None:
        """A click on a section or a key that holds others folds it, or unfolds it."""
        super().line_clicked(index, x, is_again or self._entries[index].is_branch)

    def action_choose(self) -> None:
        """Close or open what is under the cursor."""
        entry = self.entry
        if entry is not None and entry.is_branch:
            self.action_fold(entry.path not in self._folded)

    # ---- what is shown ----

    def show_run(self, run: StoredRun) -> None:
        """Show one run."""
        width = max(20, self.size.width - 1)
        reason = reason_of(run)
        entries = [
            Entry(((fit(run.label, width), "strong"),), ("name",), run.label),
            Entry(((f"{GLYPHS[run.state]} {run.state}", run.state),), ("state",), f"{run.state} {reason}".strip()),
        ]
        entries += [
            Entry(((text, "error"),), ("reason", str(i)), reason) for i, text in enumerate(_wrap(reason, width))
        ]
        for label, value in facts_of(run):
            entries += _fact(label, value, run.path if label == "file" else value, width)
        entries += self._alerts(run, width)
        entries += self._section("Config", run.config, width)
        entries += self._section("Summary", _in_sections(run.summary), width)
        entries += self._artifacts(run, width)
        if self.files[0] == run.key:
            entries += self._files(self.files[1], width)
        entries += self._environment(environment_of(run), width)
        self._show(run.key, entries)

    def show_branch(self, name: str, runs: list[StoredRun], counts: Mapping[str, int], trouble: str = "") -> None:
        """Show a project or group, or a place, with what is wrong with it."""
        width = max(20, self.size.width - 1)
        entries = [
            Entry(((fit(clean(name), width), "strong"),), ("name",), name),
            Entry(((some_runs(len(runs)), "dim"),)),
            Entry(()),
        ]
        for state, count in counts.items():
            label = f"{GLYPHS[state]} {state}".ljust(LABEL_WIDTH + 2)
            entries.append(Entry(((label, state), (str(count), "")), (state,), str(count)))
        if trouble:
            entries.append(Entry(()))
            entries += [Entry(((line, "error"),), ("trouble", line), trouble) for line in _wrap(clean(trouble), width)]
        self._show(name, entries)

    def show_nothing(self) -> None:
        """Show an empty pane."""
        self._show(None, [])

    def _show(self, about: object, entries: list[Entry]) -> None:
        """Show these lines; of the same run the cursor stays on what it was on."""
        path = self.entry.path if self.entry is not None else ()
        is_other, self._about = about != self._about, about
        self._entries = entries
        if is_other:
            self.cursor = 0
            self.update_lines()
            self.scroll_to(y=0, animate=False, force=True)
            return
        if path:
            self.cursor = next((i for i, entry in enumerate(entries) if entry.path == path), self.cursor)
        self.update_lines()
        self.scroll_to_cursor()

    def _alerts(self, run: StoredRun, width: int) -> list[Entry]:
        if not run.alerts:
            return []
        entries = self._heading("Alerts", len(run.alerts))
        if ("Alerts",) in self._folded:
            return entries
        for when, said in alerts_of(run):
            style = "error" if when.endswith("ERROR") else "dim"
            entries.append(Entry(((fit(when, width), style),), ("Alerts", when), said))
            entries += [
                Entry((("  " + text, "value"),), ("Alerts", when, text), said) for text in _wrap(said, width - 2)
            ]
        return entries

    def _artifacts(self, run: StoredRun, width: int) -> list[Entry]:
        """What the run made and used, the newest first."""
        found = artifacts_of(run)
        kept = [each for each in reversed(found) if all(word in each.label.lower() for word in self.words)]
        if not kept:
            return []
        entries = self._heading("Artifacts", len(kept))
        if ("Artifacts",) in self._folded and not self.words:
            return entries
        for each in kept:
            size = size_text(each.size)
            name = fit(f"{each.label} {' '.join(each.aliases)}", max(1, width - 5 - len(size) - 1))
            line = ((each.use.ljust(5), "dim"), (name, "value"), (f" {size}", "dim"))
            entries.append(Entry(line, ("Artifacts", each.use, each.label), each.label))
        return entries

    def _files(self, counts: Mapping[str, tuple[int, int]], width: int) -> list[Entry]:
        """How many files the run has beside its journals."""
        if not counts or self.words:
            return []
        entries = self._heading("Files", sum(count for count, _ in counts.values()))
        head = entries[-1]
        entries[-1] = head._replace(line=(*head.line, (f"  {self._files_key} shows them", "dim")))
        if ("Files",) in self._folded:
            return entries
        for name, (count, size) in sorted(counts.items()):
            text = f"{count:,}".rjust(6) + size_text(size).rjust(11)
            line = ((fit(clean(name), max(1, min(14, width - len(text)))), "dim"), (text, "value"))
            entries.append(Entry(line, ("Files", name), f"{name} {text.strip()}"))
        return entries

    def _environment(self, facts: Mapping[str, str], width: int) -> list[Entry]:
        """Facts of code and machine under a heading; only the labels that contain the words of the filter."""
        kept = {label: value for label, value in facts.items() if all(word in label for word in self.words)}
        if not kept:
            return []
        entries = self._heading("Environment", len(kept))
        entries[-1] = entries[-1]._replace(text=_json(facts))
        if ("Environment",) in self._folded and not self.words:
            return entries
        for label, value in kept.items():
            lines = _fact(label, value, value, width)
            entries += [entry._replace(path=("Environment", *entry.path)) for entry in lines]
        return entries

    def _heading(self, title: str, count: int) -> list[Entry]:
        arrow = "▸ " if (title,) in self._folded and not self.words else "▾ "
        return [Entry(()), Entry(((arrow, "dim"), (title, "heading"), (f" {count}", "dim")), (title,), title, True)]

    def _section(self, title: str, values: Mapping[str, Any], width: int) -> list[Entry]:
        """A tree of values under a heading."""
        kept = _kept(values, self.words)
        if not kept:
            return []
        entries = self._heading(title, _size(kept))
        entries[-1] = entries[-1]._replace(text=_json(values))
        if self.words or (title,) not in self._folded:
            entries += self._branch(kept, (title,), width)
        return entries

    def _branch(self, values: Mapping[str, Any], above: Path, width: int) -> Iterable[Entry]:
        indent = "  " * (len(above) - 1)
        keys = sorted(values, key=lambda key: (_is_branch(values[key]), key))
        widths = [cell_len(clean(key, 200)) for key in keys if not _is_branch(values[key])]
        room = min(max(widths, default=0) + 1, max(8, width // 2))
        for key in keys:
            value, path, name = values[key], (*above, key), clean(key, 200)
            if _is_branch(value):
                is_closed = path in self._folded and not self.words
                head: list[Cell] = [(indent + ("▸ " if is_closed else "▾ "), "dim"), (name, "strong")]
                yield Entry((*head, (f" {_size(value)}", "dim")), path, _json(value), True)
                if not is_closed:
                    yield from self._branch(value, path, width)
            else:
                text = last_value(value) if isinstance(value, float) else format_value(value, 200)
                label = fit(name, room - 1) + " "
                shown = fit(text, max(1, width - len(indent) - room)).rstrip()
                yield Entry(((indent + label, "dim"), (shown, "value")), path, _text(value))


def _is_branch(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and "_type" not in value


def _size(values: Mapping[str, Any]) -> int:
    """How many values there are, at any depth."""
    return sum(_size(value) if _is_branch(value) else 1 for value in values.values())


def _kept(values: Mapping[str, Any], words: list[str], above: str = "") -> dict[str, Any]:
    """The values whose names contain all of the words; names that begin with `_` are ours."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}".lower()
        if not above and key.startswith("_"):
            continue
        if _is_branch(value):
            inner = _kept(value, words, name + ".")
            if inner:
                kept[key] = inner
        elif all(word in name for word in words):
            kept[key] = value
    return kept


def _in_sections(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary by what the names of metrics begin with, as the charts are."""
    found: dict[str, Any] = {}
    for name, value in summary.items():
        section = section_of(name)
        if section and not isinstance(summary.get(section), dict) and section not in summary:
            found.setdefault(section, {})[name[len(section) + 1 :]] = value
        else:
            found[name] = value
    return found


def _text(value: Any) -> str:
    """A value to paste elsewhere: all of its digits."""
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else _json(value)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, default=str, ensure_ascii=False)


def _fact(label: str, value: str, text: str, width: int) -> list[Entry]:
    if not value:
        return []
    first, *rest = _wrap(value, width - LABEL_WIDTH)
    entries = [Entry(((label.ljust(LABEL_WIDTH), "dim"), (first, "value")), (label,), text)]
    return entries + [
        Entry(((" " * LABEL_WIDTH, ""), (more, "value")), (label, str(place)), text) for place, more in enumerate(rest)
    ]


def _wrap(text: str, width: int, limit: int = 12) -> list[str]:
    """Text in lines of at most `width` cells, broken between words where it can be, `limit` of them."""
    if not text:
        return []
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and cell_len(line) + 1 + cell_len(word) > width:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
            while cell_len(line) > width and len(lines) <= limit:
                pieces = chop_cells(line, width)
                lines.append(pieces[0])
                line = "".join(pieces[1:])
        lines.append(line)
        if len(lines) > limit:
            return [*lines[: limit - 1], "…"]
    return lines
