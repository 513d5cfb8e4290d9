"""What there is to know of all runs in one line: how many in which state, the query, how old the picture is, where."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

from tracker.records import clean
from tracker_tui.look import CALM, GLYPHS, ago, long_span, some_runs, with_tilde
from tracker_tui.model import Model

if TYPE_CHECKING:
    from tracker_tui.hosts.link import Link

STYLES = {
    "pending": "$text-muted",
    "running": "$text-success",
    "finished": "$text-secondary",
    "failed": "$text-error",
    "killed": "$text-warning",
    "crashed": "$text-error",
}
"""A state -> its style."""


class Part(NamedTuple):
    """Something to tell."""

    text: str
    brief: str = ""
    """What is told where there is little room; empty for the same, a blank for nothing."""
    style: str = ""
    binding: str = ""
    """The id of the binding that a click on it stands for."""


def parts(model: Model, news: int, is_saving: bool, lost: str, key: Callable[[str], str]) -> list[Part]:
    """What there is to tell, the most important first.

    Args:
        model: the runs.
        news: how many warnings nobody has looked at yet.
        is_saving: whether a change is on its way.
        lost: what there is to say of lost connections.
        key: tells the key of a binding by its id.
    """
    found = []
    if not model.sources.is_complete:
        left = model.sources.left
        found.append(Part(f"reading {left:,} more…" if left else "reading…", "reading…"))
    if is_saving:
        found.append(Part("saving…"))
    if lost:
        found.append(Part(lost))
    if news:
        log = key("view.events")
        found.append(
            Part(f"! {news} new warning{'s' * (news != 1)}, {log}", f"!{news} {log}", "$text-error", "view.events")
        )
    found += [_shown(model), *_states(model)]
    if bad := model.bad_lines:
        found.append(Part(f"{bad} bad line{'s' * (bad != 1)} skipped", f"{bad} bad", "$text-warning"))
    if marked := len(model.marked_runs()):
        found.append(Part(f"{marked} marked", f"*{marked}"))
    if model.written:
        age = ago(max(0.0, time() - model.written))
        when = age if age == "now" else f"{age} ago"
        found.append(Part(f"written {when}", when))
    if archived := model.lists.archived:
        found.append(Part(f"{archived} archived (/archived:yes)", " "))
    return found


def _shown(model: Model) -> Part:
    """How many runs there are, or fit the query."""
    lists, query = model.lists, model.query.text
    if not query:
        return Part(some_runs(len(lists.shown)), " ")
    found = f"{len(lists.shown)} of {lists.choice_count}"
    return Part(f"{found} runs  /{clean(query, 60)}", f"{found} /{clean(query, 36)}", "$text-accent", "view.query")


def _states(model: Model) -> list[Part]:
    counts = model.lists.counts
    return [
        Part(f"{GLYPHS[state]} {counts[state]} {state}", f"{GLYPHS[state]}{counts[state]}", STYLES[state])
        for state in GLYPHS
        if state in counts
    ]


def where(model: Model) -> Part:
    """The folders that are there, with their machine; in brief the last word of the first."""
    found = [
        f"{platform.node()}:{with_tilde(catalog.root)}" if not catalog.files.is_far else clean(catalog.root)
        for catalog in model.sources.catalogs.values()
        if not catalog.files.trouble
    ]
    if not found:
        return Part("")
    machine, _, folder = found[0].partition(":")
    more = f" +{len(found) - 1}" if len(found) > 1 else ""
    return Part("  ".join(found), f"{machine}:…/{os.path.basename(folder)}{more}")


def lost(links: Sequence[Link], key: str) -> str:
    """What there is to say of links that are lost; empty where none is.

    Args:
        links: all of them.
        key: which one connects again.
    """
    cut = [link for link in links if link.trouble]
    if not cut:
        return ""
    if len(cut) > 1:
        return f"✗ no connection to {', '.join(dict.fromkeys(link.machine for link in cut))} · trying again, {key}: now"
    (link,) = cut
    age = (monotonic() - link.heard) // CALM * CALM
    seen = f"seen {long_span(age) if age else 'seconds'} ago" if link.heard else "not reached yet"
    how = f"{key}: ask for the password" if link.needs_asking else f"trying again, {key}: now"
    return f"✗ {link.machine} {seen} · {how} · {link.trouble}"
