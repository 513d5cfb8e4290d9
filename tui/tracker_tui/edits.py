"""Changes made to runs from the outside, and taking them back. Each is one more record; nothing is ever rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tracker.stored import Key, StoredRun
from tracker_tui.look import some_runs
from tracker_tui.sources import Sources, Written

MAX_UNDO: Final = 100
MAX_TAG: Final = 64
"""Characters of a tag; W&B's limit."""


class Outcome(NamedTuple):
    """What came of an edit, or of taking one back."""

    what: str
    """In a few words: `archived 3 runs`."""
    done: int
    """Runs that were changed."""
    trouble: str = ""
    """Why others were not."""
    keys: tuple[Key, ...] = ()
    """Those that were."""


class _Change(NamedTuple):
    key: Key
    label: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class _Step(NamedTuple):
    """What was done, to be taken back."""

    what: str
    changes: tuple[_Change, ...]


class _Edit(NamedTuple):
    """What is to become of a run."""

    run: StoredRun
    fields: Mapping[str, Any]
    label: str
    before: Mapping[str, Any]
    """What these fields were when it was planned: a look at the files may bring the edit before it is folded."""


class Plan(NamedTuple):
    """Edits that are to be written, and what stands in the way of others."""

    what: str
    edits: tuple[_Edit, ...]
    trouble: str = ""
    undoes: _Step | None = None
    """What they take back, where they do."""


class Edits:
    """Plans edits of runs, writes them, and remembers how to take back its own.

    Writing takes time where the runs are far away, so a dashboard does it in a thread:

        outcome = edits.fold(plan, await to_thread(edits.write, plan))

    Args:
        sources: the runs.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._steps: list[_Step] = []

    def why_not(self, runs: Iterable[StoredRun]) -> str:
        """Why an edit of these runs would fail, as far as can be told before it is made; else empty."""
        return next((trouble for run in runs if (trouble := self._sources.of(run).why_not_editable(run))), "")

    def change(self, what: str, changes: Iterable[tuple[StoredRun, Mapping[str, Any]]]) -> Outcome:
        """Plan, write and fold at once."""
        plan = self.plan(what, changes)
        return self.fold(plan, self.write(plan))

    def plan(self, what: str, changes: Iterable[tuple[StoredRun, Mapping[str, Any]]]) -> Plan:
        """What is to be written to give runs other values in some of `tracker.replay.EDITABLE`.

        Args:
            what: what is done, for who takes it back: `archived`.
            changes: runs and their new values, which they may have already; a run may be gone by now.
        """
        edits = []
        trouble = ""
        for known, fields in changes:
            run = self._sources.runs.get(known.key)
            if run is None:
                trouble = f"{known.label} is gone"
            elif changed := {name: value for name, value in fields.items() if getattr(run, name) != value}:
                edits.append(_edit(run, changed))
        return Plan(what, tuple(edits), trouble)

    @property
    def can_undo(self) -> bool:
        """Whether an edit was made here that could be taken back."""
        return bool(self._steps)

    def plan_undo(self) -> Plan | None:
        """What is to be written to take back the newest edit made here; None if there is none.

        What somebody has changed again since stays; what cannot be written stays to be taken back.
        """
        if not self._steps:
            return None
        step = self._steps.pop()
        edits = []
        trouble = ""
        for change in step.changes:
            run = self._sources.runs.get(change.key)
            if run is None:
                trouble = f"{change.label} is gone"
                continue
            fields = {name: value for name, value in change.before.items() if getattr(run, name) == change.after[name]}
            if len(fields) < len(change.before):
                trouble = f"{run.label} was changed again since"
            if fields:
                edits.append(_edit(run, fields))
        return Plan(step.what, tuple(edits), trouble, step)

    def write(self, plan: Plan) -> Sequence[Written]:
        """Append what is planned; what came of each. The only method for another thread."""
        return self._sources.write_edits([(edit.run, edit.fields) for edit in plan.edits])

    def fold(self, plan: Plan, written: Sequence[Written]) -> Outcome:
        """Take what was written into the runs."""
        made: list[_Change] = []
        failed: set[Key] = set()
        trouble = plan.trouble
        for (run, fields, label, before), (record, why_not) in zip(plan.edits, written, strict=True):
            if record is None:
                trouble = why_not
                failed.add(run.key)
                continue
            run.apply_edit(record)
            made.append(_Change(run.key, label, before, _values(run, fields)))
        keys = tuple(change.key for change in made)
        if plan.undoes is not None:
            left = tuple(change for change in plan.undoes.changes if change.key in failed)
            self._remember(_Step(plan.what, left))
            return Outcome(plan.what, len(made), trouble, keys)
        whom = made[0].label if len(made) == 1 else some_runs(len(made))
        self._remember(_Step(f"{plan.what} {whom}", tuple(made)))
        return Outcome(f"{plan.what} {whom}", len(made), trouble, keys)

    def _remember(self, step: _Step) -> None:
        if step.changes:
            self._steps = [*self._steps, step][-MAX_UNDO:]


def _edit(run: StoredRun, fields: Mapping[str, Any]) -> _Edit:
    return _Edit(run, fields, run.label, _values(run, fields))


def _values(run: StoredRun, names: Iterable[str]) -> dict[str, Any]:
    """Values as an edit would write them; a run without a name is called by its id."""
    return {name: run.label if name == "name" else getattr(run, name) for name in names}


def tag_changes(
    runs: Iterable[StoredRun], before: Sequence[str], after: Sequence[str]
) -> Iterable[tuple[StoredRun, dict[str, Any]]]:
    """What `Edits.change` needs so that runs lose and get the tags that somebody took away and added.

    Args:
        runs: whose tags.
        before: the tags that were shown.
        after: the tags that they were changed to.
    """
    for run in runs:
        kept = [tag for tag in run.tags if tag not in before or tag in after]
        yield run, {"tags": kept + [tag for tag in after if tag not in kept]}


def common_tags(runs: Iterable[StoredRun]) -> list[str]:
    """The tags that all of the runs have and that can be typed."""
    first, *others = list(runs)
    return [tag for tag in first.tags if "," not in tag and all(tag in run.tags for run in others)]


def parse_tags(text: str) -> list[str]:
    """Tags that were typed, with commas between them.

    Raises:
        ValueError: one is too long.
    """
    tags = [tag.strip() for tag in text.split(",") if tag.strip()]
    for tag in tags:
        if len(tag) > MAX_TAG:
            raise ValueError(f"a tag has at most {MAX_TAG} characters: {tag[:20]}…")
    return list(dict.fromkeys(tags))
