"""What the keys of the dashboard change of runs: names, tags, notes, what is hidden; stopping jobs; copying."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from textual import work
from textual.binding import Binding
from textual.geometry import Offset
from textual.screen import Screen

from tracker.records import clean
from tracker.stored import Key, StoredRun
from tracker_tui import fields
from tracker_tui.edits import Outcome, Plan, common_tags, tag_changes
from tracker_tui.look import GLYPHS, some_runs
from tracker_tui.model import Model
from tracker_tui.painting import Paced

COPIES = {
    "id": "id",
    "name": "name",
    "place": "project/id",
    "path": "path of its file",
    "command": "command",
    "config": "config, as JSON",
    "summary": "summary, as JSON",
}
"""What `y` copies of a run."""
SLOW = 0.3
"""Seconds from which on an edit that is on its way is spoken of."""
NAMED = 8
"""Runs that a question lists by name."""


class Editing(Paced, Screen[object]):
    """The part of the dashboard that writes; every change is one more record, and `u` takes it back.

    Actions push their screens themselves and go on in callbacks, not in workers: then keys that were typed ahead find
    the new screen, and are no commands to this one.
    """

    EDITS = [
        Binding("r", "rename", "Rename", id="edit.rename", tooltip="Rename the run under the cursor"),
        Binding("t", "tags", "Tags", id="edit.tags", tooltip="Tag the marked runs, else this one"),
        Binding("n", "notes", "Notes", id="edit.notes", tooltip="Write notes of this run"),
        Binding("a", "archive", "Archive", id="edit.archive", tooltip="Archive the marked runs, else this one"),
        Binding("d", "delete", "Delete", id="edit.delete", tooltip="Hide the marked runs, else this one"),
        Binding("u", "undo", "Undo", id="edit.undo", tooltip="Take back the last change"),
        Binding("K", "stop", "Stop", id="edit.stop", tooltip="Stop the jobs of marked runs, else this one"),
        Binding("y", "copy", "Copy", id="edit.copy", tooltip="Copy id, path or value to the clipboard"),
    ]
    """Bindings; the dashboard says where they stand."""

    model: Model

    def __init__(self) -> None:
        super().__init__()
        self._writing = asyncio.Lock()

    def run_under_cursor(self) -> StoredRun | None:
        """The run that keys are about."""
        raise NotImplementedError

    def rename_offset(self) -> Offset:
        """Where on the screen the name of that run stands."""
        raise NotImplementedError

    def text_under_cursor(self) -> str | None:
        """What `y` copies at once; None where it is to be chosen."""
        raise NotImplementedError

    def go_to(self, key: Key) -> None:
        """Put the cursor on a run."""
        raise NotImplementedError

    def show_edited(self) -> None:
        """Show runs that were changed."""
        raise NotImplementedError

    def show_saving(self, is_saving: bool) -> None:
        """Show that an edit is on its way, or no longer."""
        raise NotImplementedError

    # ---- which runs ----

    def _targets(self, what: str) -> list[StoredRun]:
        """The marked runs, else the one under the cursor; says so where there is none."""
        run = self.run_under_cursor()
        runs = self.model.marked_runs() or ([run] if run is not None else [])
        if not runs:
            self.notify(f"Put the cursor on a run to {what} it, or mark some with space.")
        return runs

    def _run_to(self, what: str) -> StoredRun | None:
        """The run under the cursor if it can be edited; says so where it cannot."""
        run = self.run_under_cursor()
        if run is None:
            self.notify(f"Put the cursor on a run to {what}.")
            return None
        return run if self._can_edit([run]) else None

    def _can_edit(self, runs: Iterable[StoredRun]) -> bool:
        """Whether edits of these runs can be written; says why not, before anybody types."""
        trouble = self.model.edits.why_not(runs)
        if trouble:
            self.notify(f"Nothing can be changed here: {clean(trouble)}", severity="error", markup=False)
        return not trouble

    def _change(
        self,
        what: str,
        changes: Iterable[tuple[StoredRun, Mapping[str, Any]]],
        again: Callable[[], object] | None = None,
    ) -> None:
        """Give runs other values; where nothing came of it, `again` brings back what was typed."""
        self._write(lambda: self.model.edits.plan(what, changes), again)

    @work(group="write")
    async def _write(self, planned: Callable[[], Plan | None], again: Callable[[], object] | None = None) -> None:
        """Write edits and show what came of them; one after the other, for each is planned after the one before."""
        async with self._writing:
            plan = planned()
            if plan is None:
                self.notify("There is nothing to take back.")
                return
            timer = self.set_timer(SLOW, lambda: self.show_saving(True))
            try:
                written = await asyncio.to_thread(self.model.edits.write, plan)
            finally:
                timer.stop()
                self.show_saving(False)
            outcome = self.model.edits.fold(plan, written)
        if plan.undoes is None:
            self._tell(outcome, "u undoes")
            if plan.edits and not outcome.done and again is not None and self.is_current:
                again()
            return
        self._tell(outcome._replace(what=f"taken back: {outcome.what}"))
        if outcome.keys:
            self.go_to(outcome.keys[0])

    def _tell(self, outcome: Outcome, more: str = "") -> None:
        """Show what came of an edit."""
        self.model.forget()
        self.show_edited()
        if outcome.trouble:
            how = "Not all done" if outcome.done else "Not done"
            self.notify(clean(f"{how}: {outcome.trouble}"), severity="error", markup=False)
        if outcome.done:
            what = clean(outcome.what)
            self.notify(f"{what[:1].upper()}{what[1:]}{f' · {more}' if more else ''}", markup=False)

    # ---- changes ----

    def action_rename(self) -> None:
        run = self._run_to("rename it")
        if run is None:
            return
        from tracker_tui.screens.rename import RenameScreen

        def rename(name: str | None) -> None:
            if name is not None:
                self._change("renamed", [(run, {"name": name})], lambda: ask(name))

        def ask(text: str) -> None:
            self.app.push_screen(RenameScreen(run.label, self.rename_offset(), text), rename)

        ask(run.label)

    def action_tags(self) -> None:
        runs = self._targets("tag")
        if not runs or not self._can_edit(runs):
            return
        from tracker_tui.screens.tags import TagsScreen

        def tag(tags: list[str] | None) -> None:
            if tags is not None:
                self._change("tagged", tag_changes(runs, common, tags))

        common = common_tags(runs)
        known = fields.known_values(self.model.runs.values(), "tags")
        title = f"Tags of {_called(runs)}" if len(runs) == 1 else f"Tags that {_called(runs)} have in common"
        self.app.push_screen(TagsScreen(title, common, known), tag)

    def action_notes(self) -> None:
        run = self._run_to("write notes")
        if run is None:
            return
        from tracker_tui.screens.notes import NotesScreen

        def note(notes: str | None) -> None:
            if notes is not None:
                self._change("noted", [(run, {"notes": notes})], lambda: ask(notes))

        def ask(text: str) -> None:
            self.app.push_screen(NotesScreen(f"Notes of {run.label}", run.notes, text), note)

        ask(run.notes)

    def action_archive(self) -> None:
        """Archive runs; where all of them are, show them again."""
        self._hide("archive", "archived")

    def action_delete(self) -> None:
        """Hide runs as deleted; where all of them are, show them again."""
        self._hide("delete", "deleted")

    def _hide(self, verb: str, field: str) -> None:
        runs = self._targets(verb)
        if not runs or not self._can_edit(runs):
            return
        is_on = not all(getattr(run, field) for run in runs)

        def hide(is_meant: bool | None) -> None:
            if is_meant:
                self.model.marked -= {run.key for run in runs}
                self._change(field if is_on else f"un{field}", [(run, {field: is_on}) for run in runs])

        if runs == [self.run_under_cursor()]:
            hide(True)
            return
        from tracker_tui.screens.ask import AskScreen

        title = (
            f"{verb if is_on else f'un{verb}'} {some_runs(len(runs))} that {'is' if len(runs) == 1 else 'are'} marked?"
        )
        self.app.push_screen(AskScreen(title.capitalize(), "\n".join(_names(runs))), hide)

    def action_undo(self) -> None:
        self._write(self.model.edits.plan_undo)

    def action_stop(self) -> None:
        targets = self._targets("stop")
        if any(run.is_read_only for run in targets):
            self._can_edit(targets)
            return
        runs = [run for run in targets if run.state == "running"]
        if not runs:
            if targets:
                which = f"none of the {len(targets)} marked runs is" if self.model.marked_runs() else "this one is not"
                self.notify(f"Only running jobs can be stopped; {which} running.")
            return
        from tracker_tui.screens.ask import AskScreen

        def stop(is_meant: bool | None) -> None:
            if is_meant:
                self._stop(runs)

        text = "\n".join([*_names(runs), "", "SIGTERM goes to the process. What it logged stays."])
        self.app.push_screen(AskScreen(f"Stop {_called(runs)}?", text), stop)

    @work(group="write")
    async def _stop(self, runs: Sequence[StoredRun]) -> None:
        for run in runs:
            trouble = await asyncio.to_thread(self.model.sources.of(run).stop, run)
            if trouble:
                self.notify(clean(f"{run.label} not stopped: {trouble}"), severity="error", markup=False)
            else:
                self.notify(clean(f"SIGTERM sent to {run.label}"), markup=False)

    # ---- copying ----

    def action_copy(self) -> None:
        text, run = self.text_under_cursor(), self.run_under_cursor()
        if text is not None:
            self._copy(text)
            return
        if run is None:
            self.notify("Put the cursor on a run, or on a line of the overview, to copy from it.")
            return
        from tracker_tui.screens.choose import ChooseScreen

        def copy(chosen: str | None) -> None:
            self._copy(_copy_of(run, chosen) if chosen is not None else None)

        self.app.push_screen(ChooseScreen("Copy", COPIES, "id"), copy)

    def _copy(self, text: str | None) -> None:
        if text:
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied: {clean(text, 60)}", markup=False)


def _names(runs: Sequence[StoredRun]) -> list[str]:
    """A line for each of the first runs, and one for the rest."""
    lines = [f"{GLYPHS[run.state]} {run.label}{_where(run)}" for run in runs[:NAMED]]
    return lines + ([f"and {len(runs) - NAMED} more"] if len(runs) > NAMED else [])


def _where(run: StoredRun) -> str:
    """Where a run is, where that may be several places."""
    return f"  in {clean(run.key.source)}" if run.key.source else ""


def _called(runs: Sequence[StoredRun]) -> str:
    return runs[0].label if len(runs) == 1 else some_runs(len(runs))


def _copy_of(run: StoredRun, what: str) -> str:
    if what in ("config", "summary"):
        return json.dumps(getattr(run, what), default=str, ensure_ascii=False)
    if what == "command":
        return clean(run.start.get("command") or "", 4096)
    return {"id": run.id, "name": run.label, "place": f"{run.project}/{run.id}", "path": run.path}[what]
