"""The lines of the tree: machines and entities where there are several, projects, groups, runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tracker.stored import Key, StoredRun


class Branch(NamedTuple):
    """A root of several, an entity, a project, or a group of runs in one."""

    project: str
    """The name of its folder; empty for an entity or a root."""
    group: str = ""
    """Empty for the project itself."""
    entity: str | None = None
    """None where all runs are of one entity, which is then no level of the tree."""
    source: str = ""
    """Which root, where there are several."""

    def holds(self, run: StoredRun) -> bool:
        """Whether a run belongs to it."""
        return (
            self.source == run.key.source
            and self.project in ("", run.key.project)
            and self.group in ("", run.group)
            and (self.entity is None or self.entity == run.entity)
        )


Place = Key | Branch
"""What the cursor of the tree can be on."""


class Node(NamedTuple):
    """One line of the tree."""

    place: Place
    depth: int
    runs: tuple[StoredRun, ...]
    """The run itself; of a branch, its runs, the newest first."""
    is_open: bool = True
    counts: Mapping[str, int] = {}
    """Of a branch, how many of its runs are in each state."""


def grow(runs: Iterable[StoredRun], is_closed: Callable[[Branch], bool], sources: Sequence[str] = ("",)) -> list[Node]:
    """The tree of some runs, which come the newest first; branches are in the order of their names, groups by age.

    Args:
        runs: what is in it.
        is_closed: whether a branch hides what is in it.
        sources: where the runs come from; where there are several, each is a branch, even without runs.
    """
    found: dict[str, list[StoredRun]] = {source: [] for source in sources}
    for run in runs:
        found[run.key.source].append(run)
    if len(found) < 2:
        return [
            node
            for source, inside in found.items()
            for node in _entities(inside, Branch("", source=source), 0, is_closed)
        ]
    nodes: list[Node] = []
    for source, inside in found.items():
        branch = Branch("", source=source)
        nodes.append(_node(branch, 0, inside, is_closed))
        if nodes[-1].is_open:
            nodes += _entities(inside, branch, 1, is_closed)
    return nodes


def _entities(runs: list[StoredRun], around: Branch, depth: int, is_closed: Callable[[Branch], bool]) -> Iterable[Node]:
    entities: dict[str, list[StoredRun]] = {}
    for run in runs:
        entities.setdefault(run.entity, []).append(run)
    if len(entities) < 2:
        yield from _projects(runs, around, depth, is_closed)
        return
    for entity in sorted(entities, key=str.casefold):
        node = _node(around._replace(entity=entity), depth, entities[entity], is_closed)
        yield node
        if node.is_open:
            yield from _projects(entities[entity], around._replace(entity=entity), depth + 1, is_closed)


def _projects(runs: list[StoredRun], around: Branch, depth: int, is_closed: Callable[[Branch], bool]) -> Iterable[Node]:
    projects: dict[str, list[StoredRun]] = {}
    for run in runs:
        projects.setdefault(run.key.project, []).append(run)
    for project in sorted(projects, key=str.casefold):
        branch = around._replace(project=project)
        node = _node(branch, depth, projects[project], is_closed)
        yield node
        if node.is_open:
            yield from _inside(branch, depth + 1, projects[project], is_closed)


def _inside(branch: Branch, depth: int, runs: list[StoredRun], is_closed: Callable[[Branch], bool]) -> Iterable[Node]:
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    shown = set()
    for run in runs:
        if not run.group:
            yield Node(run.key, depth, (run,))
        elif run.group not in shown:
            shown.add(run.group)
            node = _node(branch._replace(group=run.group), depth, groups[run.group], is_closed)
            yield node
            if node.is_open:
                yield from (Node(member.key, depth + 1, (member,)) for member in groups[run.group])


def _node(branch: Branch, depth: int, runs: list[StoredRun], is_closed: Callable[[Branch], bool]) -> Node:
    return Node(branch, depth, tuple(runs), not is_closed(branch), count(runs))


def count(runs: Iterable[StoredRun]) -> dict[str, int]:
    """How many runs are in each state."""
    counts: dict[str, int] = {}
    for run in runs:
        state = run.state
        counts[state] = counts.get(state, 0) + 1
    return counts


def around(run: StoredRun) -> set[Branch]:
    """Every branch that may hold a run, with and without its entity."""
    source = run.key.source
    found = {Branch("", source=source), Branch("", entity=run.entity, source=source)}
    for entity in (None, run.entity):
        found |= {Branch(run.key.project, group, entity, source) for group in ("", run.group)}
    return found
