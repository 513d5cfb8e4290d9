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


Sign = tuple[float, Kind, str]
"""What tells the events of one run apart."""


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

    @property
    def is_worrying(self) -> bool:
        return self.kind in WORRYING or self.level in ("WARN", "ERROR")

    @property
    def sign(self) -> Sign:
        return self.time, self.kind, self.level

    @property
    def title(self) -> str:
        """The kind, of an alert with its level."""
        return f"alert {self.level}".strip() if self.kind == "alert" else self.kind


def events_of(run: StoredRun, now: float) -> list[Event]:
    """What happened to one run; of what happened at one time, the last comes last."""
    state = run.state
    if state == "pending":
        return []
    found: list[tuple[float, Kind, str, str]] = [(run.created, "started", "", "")]
    if run.is_resumed:
        found.append((run.began, "resumed", "", ""))
    for alert in run.alerts:
        said = ": ".join(part for part in (alert["title"], alert["text"]) if part)
        found.append((alert["_timestamp"], "alert", said, alert["level"]))
    for name, (step, moment) in run.broken.items():
        found.append((moment, "not finite", f"{name} at step {step:.0f}", ""))
    for begin, end in run.pace.pauses:
        found.append((begin, "stalled", "no row came", ""))
        found.append((end, "went on", f"after {long_span(end - begin)} without a row", ""))
    if silence := run.silence(now):
        told = run.pace.last + (run.pace.limit(run.row_count) or 0.0)  # when it began to be one
        found.append((told, "stalled", f"no row for {long_span(silence)}", ""))
    if state != "running":
        found.append((run.updated, state, reason_of(run), ""))
    return [Event(moment - run.clock, run, kind, text, level) for moment, kind, text, level in found]


def events(runs: Iterable[StoredRun], now: float) -> list[Event]:
    """What happened to some runs, the newest first."""
    found = [event for run in runs for event in reversed(events_of(run, now))]
    return sorted(found, key=lambda event: -event.time)


class Watch:
    """Counts the worrying events that came since somebody looked.

    Args:
        since: when that was.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._running: dict[Key, StoredRun] = {}
        self._known: dict[Key, set[Sign]] = {}
        self._new: dict[Key, set[Sign]] = {}

    def take(self, runs: Iterable[StoredRun], now: float) -> bool:
        """Runs that have changed; whether there is something new.

        Of a run that is seen for the first time, only what happened since counts.
        """
        is_more = False
        for run in runs:
            if run.ended and run.updated - run.clock <= self._since and run.key not in self._known:
                continue  # all of it was before
            found = {event.sign for event in events_of(run, now) if event.is_worrying}
            known = self._known.get(run.key)
            new = {sign for sign in found if sign[0] > self._since} if known is None else found - known
            self._known[run.key] = found
            self._running.pop(run.key, None)
            if run.state == "running":
                self._running[run.key] = run
            if new:
                self._new.setdefault(run.key, set()).update(new)
                is_more = True
        return is_more

    def go_on(self, now: float) -> bool:
        """Time has passed: a run may have come to a standstill; whether one has."""
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
