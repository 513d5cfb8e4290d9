"""What somebody is told of events, in a line or two: of one event by itself, of many together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from tracker.records import clean
from tracker_tui.events import Event
from tracker_tui.kinds import main_metric
from tracker_tui.look import GLYPHS, last_value, long_span, metric_value

MAX_TITLE: Final = 48
MAX_TEXT: Final = 100
NAMED: Final = 3
"""Runs that are named of many."""

Severity = Literal["information", "warning", "error"]


class Notice(NamedTuple):
    """Something to tell."""

    title: str
    """Begins with a word of ours."""
    text: str
    severity: Severity
    glyph: str = "·"


def notice_of(events: Sequence[Event]) -> Notice:
    """What to say of some events, one at least."""
    worst = max(events, key=lambda event: _ORDER.index(_severity(event)))
    severity, glyph = _severity(worst), GLYPHS.get(worst.kind, "!" if worst.is_worrying else "·")
    if len(events) == 1:
        return Notice(clean(f"{worst.title}: {worst.run.label}", MAX_TITLE), _text(worst), severity, glyph)
    counts = Counter(event.kind for event in sorted(events, key=lambda event: event.kind != worst.kind))
    title = ", ".join(f"{kind} {count:,}" for kind, count in counts.items())
    names = list(dict.fromkeys(event.run.label for event in events))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return Notice(clean(title, MAX_TITLE), clean(", ".join(names[:NAMED]), MAX_TEXT) + more, severity, glyph)


_ORDER: Final[tuple[Severity, ...]] = ("information", "warning", "error")


def _severity(event: Event) -> Severity:
    if event.kind in ("failed", "crashed") or event.level == "ERROR":
        return "error"
    return "warning" if event.is_worrying or event.kind == "killed" else "information"


def _text(event: Event) -> str:
    """What there is to say of one event."""
    if event.kind != "finished":
        return clean(event.text, MAX_TEXT)
    run = event.run
    metric = main_metric(run)
    value = f" · {metric} {last_value(metric_value(run, metric))}" if metric else ""
    return clean(f"after {long_span(run.duration(event.time))}{value}", MAX_TEXT)
