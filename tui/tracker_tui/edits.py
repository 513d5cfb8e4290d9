"""Changes made to runs from the outside, and taking them back. Each is one more record; nothing is ever rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tracker.catalog import Catalog, Key, StoredRun
from tracker_tui.look import some_runs

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
    what: str
    changes: tuple[_Change, ...]


class Edits:
    """Writes edits of runs and remembers how to take back its own.

    Args:
        catalog: the runs; folds each edit at once.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._steps: list[_Step] = []

    def why_not(self, runs: Iterable[StoredRun]) -> str:
        """Why an edit of these runs would fail, as far as can be told before it is made; else empty."""
        return next((trouble for run in runs if (trouble := self._catalog.why_not_editable(run))), "")

    def change(self, what: str, changes: Iterable[tuple[StoredRun, Mapping[str, Any]]]) -> Outcome:
        """Give runs other values in some of `tracker.replay.EDITABLE`; what they have already is left alone.

        Args:
            what: what is done, for who takes it back: `archived`.
            changes: runs and their new values; a run may be gone by now.
        """
        made: list[_Change] = []
        trouble = ""
        for known, fields in changes:
            run = self._catalog.runs.get(known.key)
            if run is None:
                trouble = f"{known.label} is gone"
                continue
            before = _values(run, [name for name, value in fields.items() if getattr(run, name) != value])
            if not before:
                continue
            label = run.label
            failed = self._catalog.edit(run, **{name: fields[name] for name in before})
            if failed:
                trouble = failed
            else:
                made.append(_Change(run.key, label, before, _values(run, before)))
        return self._remember(what, made, trouble)

    def _remember(self, what: str, made: list[_Change], trouble: str) -> Outcome:
        whom = made[0].label if len(made) == 1 else some_runs(len(made))
        step = _Step(f"{what} {whom}", tuple(made))
        if made:
            self._steps = [*self._steps, step][-MAX_UNDO:]
        return Outcome(step.what, len(made), trouble, tuple(change.key for change in made))

    def undo(self) -> Outcome | None:
        """Take back the newest edit made here, where nobody has changed the same again; None if there is none.

        What cannot be written stays to be taken back.
        """
        if not self._steps:
            return None
        step = self._steps.pop()
        done: list[Key] = []
        left: list[_Change] = []
        trouble = ""
        for change in step.changes:
            run = self._catalog.runs.get(change.key)
            if run is None:
                trouble = f"{change.label} is gone"
                continue
            fields = {name: value for name, value in change.before.items() if getattr(run, name) == change.after[name]}
            if len(fields) < len(change.before):
                trouble = f"{run.label} was changed again since"
            if fields and (failed := self._catalog.edit(run, **fields)):
                trouble = failed
                left.append(change)
            elif fields:
                done.append(change.key)
        if left:
            self._steps.append(_Step(step.what, tuple(left)))
        return Outcome(step.what, len(done), trouble, tuple(done))


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
