"""What happened to runs, the newest first: starts, alerts, metrics that broke, stalls, ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final, Literal, NamedTuple

from tracker.stored import Key, StoredRun
from tracker_tui.facts import reason_of
from tracker_tui.look import long_span

Kind = Literal[
    "started", "resumed", "alert", "not finite", "stalled", "went on", "finished", "failed", "killed", "crashed"
]

WORRYING: Final = frozenset(("not finite", "stalled", "failed", "crashed"))
"""Kinds that somebody may want to know of at once; alerts of level WARN and ERROR are too."""


ENDS: Final = frozenset(("finished", "failed", "killed", "crashed"))

Sign = tuple[float, str, str, str]
"""What tells the events of one run apart; how a run ended may be known better later, and is still the same end."""
MANY_AT_ONCE: Final = frozenset(("alert", "not finite"))
"""Kinds of which several may happen in one moment; only their texts tell them apart."""


class Event(NamedTuple):
    """One thing that happened to one run."""

    time: float
    """Seconds since the epoch, by the clock of this machine as far as that of the other one is known."""
    run: StoredRun
    kind: Kind
    text: str = ""
    """What else there is to say."""
    level: str = ""
    """Of an alert: INFO, WARN or ERROR."""
    moment: float = 0.0
    """When, by the clock of the run; of a stall, when the last row came. It stays the same however late it is seen."""

    @property
    def is_worrying(self) -> bool:
        return self.kind in WORRYING or self.level in ("WARN", "ERROR")

    @property
    def sign(self) -> Sign:
        kind = "ended" if self.kind in ENDS else self.kind
        return self.moment, kind, self.level, self.text if self.kind in MANY_AT_ONCE else ""

    @property
    def title(self) -> str:
        """The kind, of an alert with its level."""
        return f"alert {self.level}".strip() if self.kind == "alert" else self.kind


def events_of(run: StoredRun, now: float) -> list[Event]:
    """What happened to one run; of what happened at one time, the last comes last."""
    state = run.state
    if state == "pending":
        return []

    def event(moment: float, kind: Kind, text: str = "", level: str = "", began: float | None = None) -> Event:
        return Event(moment - run.clock, run, kind, text, level, moment if began is None else began)

    found = [event(run.created, "started")]
    if run.is_resumed:
        found.append(event(run.began, "resumed"))
    for alert in run.alerts:
        said = ": ".join(part for part in (alert["title"], alert["text"]) if part)
        found.append(event(alert["_timestamp"], "alert", said, alert["level"]))
    for name, (step, moment) in run.broken.items():
        found.append(event(moment, "not finite", f"{name} at step {step:.0f}"))
    for begin, end in run.pace.pauses:
        found.append(event(begin, "stalled", "no row came"))
        found.append(event(end, "went on", f"after {long_span(end - begin)} without a row"))
    if silence := run.silence(now):
        last = run.pace.last
        told = last + (run.pace.limit(run.row_count) or 0.0)  # when it began to be one
        found.append(event(told, "stalled", f"no row for {long_span(silence)}", began=last))
    if state != "running":
        found.append(event(run.updated, state, reason_of(run)))
    return found


def events(runs: Iterable[StoredRun], now: float) -> list[Event]:
    """What happened to some runs, the newest first."""
    found = [event for run in runs for event in reversed(events_of(run, now))]
    return sorted(found, key=lambda event: -event.time)


class Watch:
    """Finds the events that are news, each once, and counts the worrying ones that came since somebody looked.

    Args:
        since: when somebody looked.
        opened: from when on there are news; default the same.
    """

    def __init__(self, since: float, opened: float | None = None) -> None:
        self._since = since
        self._opened = since if opened is None else opened
        self._running: dict[Key, StoredRun] = {}
        self._known: dict[Key, set[Sign]] = {}
        self._new: dict[Key, set[Sign]] = {}
        self._told: set[tuple[str, str, Sign]] = set()

    def take(self, runs: Iterable[StoredRun], now: float) -> list[Event]:
        """Runs that have changed; the news of them.

        Of a run that is seen for the first time, only what happened since counts.
        """
        news: list[Event] = []
        for run in runs:
            known = self._known.get(run.key)
            if run.ended and run.updated - run.clock <= self._since and known is None:
                continue  # all of it was before
            found = {event.sign: event for event in events_of(run, now)}
            new = [event for sign, event in found.items() if known is None or sign not in known]
            if known is None:
                new = [event for event in new if event.time > self._since]
            self._known.setdefault(run.key, set()).update(found)
            self._running.pop(run.key, None)
            if run.state == "running":
                self._running[run.key] = run
            if worrying := {event.sign for event in new if event.is_worrying}:
                self._new.setdefault(run.key, set()).update(worrying)
            news += [event for event in new if known is not None or event.time > self._opened]
        return [event for event in news if self._is_first(event)]

    def _is_first(self, event: Event) -> bool:
        """Whether nobody was told of it, through another connection either."""
        place = (event.run.key.project, event.run.key.id, event.sign)
        is_first = place not in self._told
        self._told.add(place)
        return is_first

    def go_on(self, now: float) -> list[Event]:
        """Time has passed: a run may have come to a standstill; the news."""
        return self.take(list(self._running.values()), now)

    def count(self, shown: Collection[Key]) -> int:
        """How many are new, of the runs that are shown."""
        return sum(len(new) for key, new in self._new.items() if key in shown)

    def look(self) -> None:
        """Somebody has looked."""
        self._new.clear()


def as_json(event: Event) -> dict[str, Any]:
    """An event for scripts."""
    run = event.run
    return {
        "time": event.time,
        "project": run.project,
        "id": run.id,
        "name": run.label,
        "event": event.kind,
        "level": event.level,
        "text": event.text,
    }
