"""What there is to say of a run, as labels and text: for the overview and for `tracker-tui show`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from tracker.catalog import StoredRun
from tracker.records import FORMAT, clean
from tracker.report import format_value, short_path
from tracker_tui.look import duration, last_value, with_tilde


def reason_of(run: StoredRun) -> str:
    """Why the run is in its state, in one sentence; empty where the state says it all."""
    if run.state == "failed":
        return run.exception or f"exit code {run.exit_code}"
    if run.state == "killed":
        by = run.signal or run.deadly_signal
        who = f"stopped by {run.stopped_by or 'somebody'}" if run.stopped is not None else ""
        return ", ".join(part for part in (f"by {by}" if by else "", who, run.exception) if part)
    if run.state == "crashed":
        return "its process is gone and left no end"
    return ""


def facts_of(run: StoredRun) -> Iterable[tuple[str, str]]:
    """Labels and what they say, in the order to show them; empty where there is nothing to say."""
    start = run.start
    now = time.time()
    yield "step", "" if run.step is None else str(run.step)
    yield "started", _moment(run.created)
    yield "ended", "" if run.state in ("pending", "running") else _moment(run.updated)
    yield "duration", duration(run, now)
    yield "tags", ", ".join(run.tags)
    yield "notes", run.notes
    yield "hidden", ", ".join(word for word in ("archived", "deleted") if getattr(run, word))
    yield "id", run.id
    yield "project", run.project
    yield "entity", run.entity
    yield "group", run.group
    yield "job type", run.job_type
    host, *rest = (clean(start.get(part) or "") for part in ("host", "pid", "user"))
    named = (f"{word} {value}" for word, value in zip(("pid", "user"), rest, strict=True) if value)
    yield "host", " ".join(part for part in (host, *named) if part)
    for label in ("command", "git", "python"):
        value = clean(start.get(label) or "")
        yield label, value[:12] if label == "git" else with_tilde(value)
    yield "file", with_tilde(short_path(run.path))
    if run.bad_lines:
        yield "bad lines", f"{run.bad_lines} skipped"
    if isinstance(start.get("format"), int) and start["format"] > FORMAT:
        yield "format", f"{start['format']}: newer than this program, which may not show everything"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def alerts_of(run: StoredRun) -> Iterable[tuple[str, str]]:
    """When and how bad, and what was said; the newest first."""
    for alert in reversed(run.alerts):
        said = ": ".join(part for part in (alert["title"], alert["text"]) if part)
        yield f"{_moment(alert['_timestamp'])[5:16]} {alert['level']}".strip(), said


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested mappings as dotted names, in order of name; names that begin with `_` are ours."""
    for key in sorted(values):
        value = values[key]
        name = prefix + clean(key, 200)
        if isinstance(value, dict) and "_type" not in value and value:
            yield from flat(value, name + ".")
        elif not name.startswith("_"):
            yield name, value


def config_of(run: StoredRun) -> dict[str, str]:
    """Config as dotted names and text."""
    return {key: format_value(value, 200) for key, value in flat(run.config)}


def summary_of(run: StoredRun) -> dict[str, str]:
    """Summary as dotted names and text."""
    return {key: last_value(value) for key, value in flat(run.summary)}
