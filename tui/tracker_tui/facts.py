"""What there is to say of a run, as labels and text: for the overview and for `tracker-tui show`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from tracker.foreign.origin import KINDS
from tracker.manifests import LATEST
from tracker.records import FORMAT, clean
from tracker.report import format_value, short_path
from tracker.stored import StoredRun
from tracker_tui.look import duration, last_value, long_span, metric_value, size_text, with_tilde

Kind = TypeVar("Kind")
MAX_NUMBER: Final = 1e18
"""Of bytes or files; more is no number to show."""


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
    if silence := run.silence(now):
        yield "stalled", f"no row for {long_span(silence)} (usually every {_interval(run.usual_interval)})"
    yield "broken", ", ".join(f"{name} {what}" for name, what in broken_of(run))
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
    yield "command", with_tilde(clean(start.get("command") or ""))
    if run.origin:
        yield "origin", with_tilde(origin_of(run))
    if not run.is_read_only:
        yield "file", with_tilde(short_path(run.path))
    if run.bad_lines:
        yield "bad lines", f"{run.bad_lines} skipped"
    if isinstance(start.get("format"), int) and start["format"] > FORMAT:
        yield "format", f"{start['format']}: newer than this program, which may not show everything"


def origin_of(run: StoredRun) -> str:
    """What another tool has logged the run as, and where; empty for one's own."""
    origin = run.start.get("origin")
    if not run.origin or not isinstance(origin, dict):
        return ""
    words = [clean(origin.get(name) or "", 4096) for name in ("kind", "path", "part")]
    how = "read-only" if run.is_read_only else "imported"
    return f"{KINDS.get(words[0], words[0])}, {how}: {words[1]}{f' ({words[2]})' if words[2] else ''}"


def _interval(seconds: float) -> str:
    return long_span(seconds) if seconds >= 10 else f"{seconds:.2g}s"


def why_silent(run: StoredRun) -> str:
    """What to say of a run of which nothing that it printed is there."""
    if run.start.get("console") == "off":
        return "What it printed was not kept: its console was off."
    return "Nothing was printed yet." if run.state in ("pending", "running") else "Nothing was printed."


def broken_of(run: StoredRun) -> Iterable[tuple[str, str]]:
    """Metrics that are not finite, or were not, each with what and since when."""
    for name, (step, _) in run.broken.items():
        value = metric_value(run, name)
        is_still = isinstance(value, float) and value - value != 0.0
        yield name, f"{last_value(value)} since step {step:.0f}" if is_still else f"not finite at step {step:.0f}"


def is_troubled(run: StoredRun, now: float) -> bool:
    """Whether a run stands still, or a metric of it is not finite now."""
    values = (metric_value(run, name) for name in run.broken)
    return any(isinstance(value, float) and value - value != 0.0 for value in values) or bool(run.silence(now))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def environment_of(run: StoredRun) -> dict[str, str]:
    """Labels and what they say of code, machine and cluster, in the order to show them."""
    found = _Facts(run.metadata)
    parts = ("git", "cpu", "disk", "container", "slurm", "rank")
    git, cpu, disk, container, slurm, rank = (_Facts(found.of(part, dict)) for part in parts)
    labels = {
        "git": " ".join((git.text("branch"), git.text("commit")[:12], _dirt(git))),
        "remote": git.text("remote"),
        "program": with_tilde(found.text("program")),
        "folder": with_tilde(found.text("cwd")),
        "python": " ".join((found.text("python"), with_tilde(found.text("executable")))),
        "os": found.text("os"),
        "cpu": _cpu(cpu),
        "memory": _size(found.number("memory")),
        "disk": _disk(disk),
        "gpu": gpus_of(run),
        "driver": _joined((("", found.text("driver")), ("CUDA", found.text("cuda")))),
        "container": " ".join((container.text("kind"), container.text("id"))),
        "slurm": _joined((name.removeprefix("job_").replace("_", " "), slurm.text(name)) for name in slurm.facts),
        "rank": " of ".join(filter(None, (rank.text("rank"), rank.text("world_size")))),
    }
    return {label: " ".join(text.split()) for label, text in labels.items() if text.strip()}


class _Facts:
    """Foreign facts, which may be of any type, by name."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts

    def of(self, name: str, kind: type[Kind]) -> Kind:
        """A fact of a type, empty where it is of another."""
        value = self.facts.get(name)
        return value if isinstance(value, kind) else kind()

    def text(self, name: str) -> str:
        """A text or number as text."""
        value = self.facts.get(name)
        return str(value) if isinstance(value, (str, int, float)) else ""

    def number(self, name: str) -> float:
        """A number, 0 where it is none."""
        value = self.facts.get(name)
        return value if isinstance(value, (int, float)) and 0 <= value < MAX_NUMBER else 0


def gpus_of(run: StoredRun) -> str:
    """The GPUs of the machine: `2 x NVIDIA A100 40 GB`."""
    listed = run.environment.get("gpus")
    kinds = [_Facts(kind) for kind in (listed if isinstance(listed, list) else ()) if isinstance(kind, dict)]
    texts = ((int(kind.number("count")), kind.text("name"), _size(kind.number("memory"))) for kind in kinds)
    return ", ".join(f"{f'{n} x ' if n > 1 else ''}{name} {memory}".strip() for n, name, memory in texts)


def branch_of(run: StoredRun) -> str:
    """The branch of the working tree; empty where there is none."""
    return _Facts(_Facts(run.environment).of("git", dict)).text("branch")


def _size(number: float) -> str:
    """Bytes in few signs; empty where they are not known."""
    return size_text(number) if number else ""


def _dirt(git: _Facts) -> str:
    if git.facts.get("dirty") is not True:
        return ""
    counts = ((int(git.number(kind)), kind) for kind in ("changed", "untracked"))
    return f"({', '.join(f'{count} {kind}' for count, kind in counts if count) or 'dirty'})"


def _cpu(cpu: _Facts) -> str:
    count, allowed = cpu.text("count"), cpu.text("allowed")
    return f"{f'{allowed} of ' if allowed else ''}{f'{count} x ' if count else ''}{cpu.text('model')}"


def _disk(disk: _Facts) -> str:
    free, total = _size(disk.number("free")), _size(disk.number("total"))
    return f"{free or 'nothing'} free of {total}" if total else ""


def _joined(named: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {text}".strip() for name, text in named if text)


def alerts_of(run: StoredRun) -> Iterable[tuple[str, str]]:
    """When and how bad, and what was said; the newest first."""
    for alert in reversed(run.alerts):
        said = ": ".join(part for part in (alert["title"], alert["text"]) if part)
        yield f"{_moment(alert['_timestamp'])[5:16]} {alert['level']}".strip(), said


def artifacts_of(run: StoredRun) -> Iterable[tuple[str, str]]:
    """What it made and used, the newest first: `made`, and which version of what."""
    for record in reversed(run.artifacts):
        project = f"{record['project']}/" if record["project"] not in ("", run.project) else ""
        named = named_of(record)
        aliases = f" ({', '.join(named)})" if named else ""
        what = (f"{project}{record['name']}:v{record['version']}{aliases}", record["type"], size_text(record["size"]))
        yield record["use"], "  ".join(filter(None, what))


def named_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The aliases of a version in a run's lineage, but `latest`: that it has been, and may not be any more."""
    return tuple(alias for alias in record["aliases"] if alias != LATEST)


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
