"""Changes made to runs from the outside, and taking them back. Each is one more record; nothing is ever rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tracker.catalog import Catalog, Key, StoredRun

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


class _Step(NamedTuple):
    what: str
    changes: tuple[tuple[Key, Mapping[str, Any], Mapping[str, Any]], ...]
    """Runs with the values before and after."""


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
            changes: runs and their new values.
        """
        made: list[tuple[Key, Mapping[str, Any], Mapping[str, Any]]] = []
        trouble = ""
        for run, fields in changes:
            new = {name: value for name, value in fields.items() if getattr(run, name) != value}
            if not new:
                continue
            before = {name: getattr(run, name) for name in new}
            failed = self._catalog.edit(run, **new)
            if failed:
                trouble = failed
            else:
                made.append((run.key, before, {name: getattr(run, name) for name in new}))
        keys = tuple(key for key, _, _ in made)
        outcome = Outcome(f"{what} {_named(self._catalog, keys)}", len(made), trouble, keys)
        if made:
            self._steps = [*self._steps, _Step(outcome.what, tuple(made))][-MAX_UNDO:]
        return outcome

    def undo(self) -> Outcome | None:
        """Take back the newest edit made here, where nobody has changed the same again; None if there is none."""
        if not self._steps:
            return None
        step = self._steps.pop()
        done: list[Key] = []
        trouble = ""
        for key, before, after in step.changes:
            run = self._catalog.runs.get(key)
            if run is None:
                trouble = "the run is gone"
                continue
            fields = {name: value for name, value in before.items() if getattr(run, name) == after[name]}
            if len(fields) < len(before):
                trouble = f"{run.label} was changed again since"
            failed = self._catalog.edit(run, **fields) if fields else ""
            trouble = failed or trouble
            if fields and not failed:
                done.append(key)
        return Outcome(step.what, len(done), trouble, tuple(done))


def tag_changes(runs: Iterable[StoredRun], tags: Iterable[str]) -> Iterable[tuple[StoredRun, dict[str, Any]]]:
    """What `Edits.change` needs to give runs these tags instead of those that they have in common."""
    runs = list(runs)
    common = common_tags(runs)
    wanted = list(dict.fromkeys(tags))
    for run in runs:
        kept = [tag for tag in run.tags if tag not in common or tag in wanted]
        yield run, {"tags": kept + [tag for tag in wanted if tag not in kept]}


def common_tags(runs: Iterable[StoredRun]) -> list[str]:
    """The tags that all of the runs have."""
    first, *others = list(runs)
    return [tag for tag in first.tags if all(tag in run.tags for run in others)]


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


def _named(catalog: Catalog, keys: Sequence[Key]) -> str:
    if len(keys) == 1:
        return catalog.runs[keys[0]].label
    return f"{len(keys)} runs"
