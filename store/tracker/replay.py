"""Folds records into one run's state. The job itself, `Api`, the commands and the dashboard all use this one fold, so
they show the same numbers.

Nothing here reads a file, and no record, however strange, raises: what has the wrong type is passed over.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from tracker import records
from tracker.metrics import Metric, Metrics, Tally, summarize
from tracker.pace import LEAST as LONG
from tracker.pace import Pace
from tracker.records import Record, clean, restore
from tracker.sparkline import Sketch

State = Literal["pending", "running", "finished", "failed", "killed", "crashed"]

Stamp = tuple[float, str]
"""When a change was made (seconds since the epoch), on which host and by whom: by that changes are ordered, and the
last one wins."""

EDITABLE: Final = ("name", "tags", "notes", "group", "job_type", "archived", "deleted")
"""Fields that are changed from outside as a whole; config is changed key by key."""
HANDED_ON: Final = (
    "step",
    "summary",
    "metrics",
    "tallies",
    "last_steps",
    "sketches",
    "alerts",
    "artifacts",
    "broken",
    "pauses",
)
"""What of a checkpoint a resumed or forked run begins with."""
MAX_STEP: Final = 1e300
"""Beyond it a step is none: differences would overflow."""
MAX_TIME: Final = 1e11
"""Seconds since the epoch that a calendar can show."""
MAX_ROWS: Final = 2**53
"""That are counted; who says there were more, lies."""
MAX_KEYS: Final = 100_000
"""Metrics of one run; rows may name more, they are left out of summary and history."""
ALERT: Final = ("title", "text", "level")
"""What an alert says."""
MAX_SYSTEM: Final = 1000
"""Names of what is sampled of a machine; of more, the first ones are kept."""
MAX_ALERTS: Final = 20
"""Alerts that are kept of a run, the newest ones."""
MAX_ARTIFACTS: Final = 200
"""Artifacts that are kept of a run, the newest ones."""
MAX_BROKEN: Final = 50
"""Metrics of which it is kept when they broke."""
MAX_FACTS: Final = 64
"""Facts of an environment that are kept, in each part of it."""
MAX_FACT: Final = 300
"""Characters of one."""
FACTS: Final = ("host", "user", "os", "python", "command", "program", "cwd")
"""What `start` says of where a run comes from, besides the commit."""
_clean_short = functools.lru_cache(4096)(clean)
"""Runs have the same names for their values: they are cleaned, and in memory, once."""
STOP_GRACE: Final = 120.0
"""Seconds that a job which was stopped from outside may take to save its work; if it ends later, it was not by that."""


class RunState:
    """Everything small about a run: who it is, config, summary, last step, how it ended. Feed it with `apply`."""

    __slots__ = (
        "_dumped",
        "_sketches",
        "_stamps",
        "_surroundings",
        "_tallies",
        "alerts",
        "archived",
        "artifacts",
        "began",
        "broken",
        "config",
        "created",
        "deleted",
        "ended",
        "entity",
        "exception",
        "exit_code",
        "group",
        "id",
        "is_pending",
        "is_read_only",
        "is_resumed",
        "job_type",
        "last_steps",
        "metrics",
        "name",
        "notes",
        "origin",
        "pace",
        "project",
        "signal",
        "start",
        "step",
        "stopped",
        "stopped_by",
        "summary",
        "tags",
        "updated",
    )

    def __init__(self, run_id: str, project: str, created: float) -> None:
        self.id = run_id
        self.project = project
        self.created = created
        """Seconds since the epoch, by the job's clock."""
        self.updated = created
        """The newest time in any record of the job."""
        self.name = ""
        self.entity = ""
        self.group = ""
        self.job_type = ""
        self.tags: list[str] = []
        self.notes = ""
        self.archived = False
        """Out of the way: hidden unless asked for."""
        self.deleted = False
        """Hidden everywhere; its files are still there."""
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.metrics = Metrics()
        """What `define_metric` said."""
        self.step: int | None = None
        """The greatest step of any row; None before the first."""
        self.start: Record = {}
        """The `start` record as written: host, pid, command, python, git and the rest. Clean it before showing."""
        self.began = created
        """When the newest journal was begun: of a run that was resumed, that was last."""
        self.origin = ""
        """Of a run that another tool has logged: which, e.g. `tensorboard`."""
        self.is_read_only = False
        """Whether it is shown as it lies there; else it was imported, and is one's own."""
        self.is_pending = False
        """Whether it was put down to be started later."""
        self.is_resumed = False
        self.exit_code: int | None = None
        self.signal: str | None = None
        """The signal that asked the job to stop, if nothing came after."""
        self.exception: str | None = None
        """`Type: message` of the exception that ended the job."""
        self.ended = False
        self.stopped: float | None = None
        """When somebody stopped the job from outside."""
        self.stopped_by = ""
        self.alerts: list[Record] = []
        """The newest of what `alert` put down, the oldest first: `_timestamp`, `title`, `text`, `level`."""
        self.artifacts: list[Record] = []
        """Versions of artifacts that it made or used, the newest last, each once: `_timestamp`, `use` (`made`, `used`),
        `name`, `version`, `type`, `digest`, `size`, `files`, `aliases`, `project`."""
        self.broken: dict[str, tuple[float, float]] = {}
        """Metrics that became NaN, or infinite after they had been finite: step and time of the first such value."""
        self.pace = Pace()
        """How regularly rows come, and when they stopped for long."""
        self.last_steps: dict[str, Any] = {}
        """Last values of the metrics that are x axes of others."""
        self._stamps: dict[str, Stamp] = {}
        self._tallies: dict[str, Tally] = {}
        self._sketches: dict[str, Sketch] = {}
        self._dumped: dict[str, Any] = {}
        """Sketches as a checkpoint has them, while nobody has asked for them."""
        self._surroundings: Record = {}
        """The `environment` as it was written."""

    @property
    def environment(self) -> dict[str, Any]:
        """What was found out about machine and working tree after the start; clean, but of any shape."""
        facts = self._surroundings.items()
        return _facts({name: fact for name, fact in facts if name not in records.RESERVED}) if facts else {}

    @property
    def sketches(self) -> dict[str, Sketch]:
        """The courses of the metrics."""
        if self._dumped:
            dumped, self._dumped = self._dumped, {}
            self._sketches.update(load_sketches(dumped))
        return self._sketches

    def dump_sketches(self) -> dict[str, Any]:
        """The courses of the metrics as a checkpoint has them."""
        return {key: sketch.dump() for key, sketch in self.sketches.items()}

    @property
    def runtime(self) -> float:
        """Seconds from the start to the newest record."""
        return max(0.0, self.updated - self.created)

    @property
    def row_count(self) -> int:
        """About how many rows there are: values of the metric that has the most. It is counted for the sparklines."""
        return min(MAX_ROWS, max((sketch.count for sketch in self.sketches.values()), default=0))

    @property
    def usual_interval(self) -> float:
        """Seconds between two rows on average."""
        return self.pace.usual(self.row_count)

    @property
    def last_change(self) -> float:
        """The newest time at which name, tags or notes were changed, or the journal was begun."""
        return max((time for time, _ in self._stamps.values()), default=self.began)

    @property
    def metadata(self) -> dict[str, Any]:
        """Where and with what it was run, as far as is known: `host`, `command`, `cpu`, `gpus`, `git` ...; clean."""
        start: dict[str, Any] = _facts({name: self.start[name] for name in FACTS if name in self.start})
        environment = self.environment
        commit, git = _text(self.start.get("git")), environment.get("git")
        git = ({"commit": commit} if commit else {}) | (git if isinstance(git, dict) else {})
        return start | environment | ({"git": git} if git else {})

    def apply(self, record: Record) -> None:
        """Fold the next record of the run's journal."""
        kind = record.get("_type")
        time = time_of(record.get("_timestamp"))
        if time is not None and time > self.updated:
            self.updated = time
        if kind is None:
            self._row(record)
        elif isinstance(kind, str) and (fold := _FOLDS.get(kind)):
            fold(self, record)

    def edit(self, fields: Mapping[str, Any], stamp: Stamp) -> bool:
        """Set name, tags or notes as of a moment; an older change than the one in place is passed over.

        Returns whether anything changed.
        """
        changed = False
        for field in EDITABLE:
            value = _edited(field, fields.get(field))
            if value is None or stamp < self._stamps.get(field, (0.0, "")):
                continue
            self._put_stamp(field, stamp)
            changed |= value != getattr(self, field)
            setattr(self, field, value)
        config = fields.get("config")
        for key, value in _named(config).items() if isinstance(config, dict) else ():
            if stamp >= self._stamps.get(f"config.{key}", (0.0, "")):
                self._put_stamp(f"config.{key}", stamp)
                changed |= self.config.get(key) != value
                self.config[key] = value
        return changed

    def _put_stamp(self, field: str, stamp: Stamp) -> None:
        if stamp[0] > self.began:  # no change from before counts, so that there is none to compare with
            self._stamps[field] = stamp

    def apply_edit(self, record: Record) -> bool:
        """Fold an edit record of this run, made outside its job; returns whether anything changed."""
        time = time_of(record.get("_timestamp")) if record.get("_type") == records.EDIT else None
        if time is None or time < self.began:  # about the run that had the id before
            return False
        was_stopped = record.get("stopped") is True and time > (self.stopped or 0.0)
        if was_stopped:
            self.stopped, self.stopped_by = time, _text(record.get("user"))
        by = f"{_text(record.get('host'))} {_text(record.get('user'))}"
        return self.edit(record, (time, by)) or was_stopped

    def checkpoint(self, time: float) -> Record:
        """The record from which `apply` restores all that rows and edits have made of the state so far."""
        return {
            "_type": records.CHECKPOINT,
            "_timestamp": time,
            "step": self.step,
            "config": self.config,
            "summary": self.summary,
            **self.fine_print(),
            "sketches": self.dump_sketches(),
            "environment": self.environment,
        }

    def fine_print(self) -> Record:
        """What of a checkpoint most runs have little of."""
        return {
            **{field: getattr(self, field) for field in EDITABLE},
            "changed": {field: stamp for field, stamp in self._stamps.items() if stamp[0] > self.created},
            "metrics": [metric.record() for metric in self.metrics],
            "tallies": self._tallies,
            "last_steps": self.last_steps,
            "alerts": self.alerts,
            "artifacts": self.artifacts,
            "broken": self.broken,
            "pace": self.pace.dump(),
            "pauses": self.pace.pauses,
        }

    def handed_on(self) -> Record:
        """What a new segment begins with in `state`: all that rows and definitions have made of the run."""
        return {key: value for key, value in self.checkpoint(0.0).items() if key in HANDED_ON}

    def _row(self, row: Record) -> None:
        self.signal = None
        step = row.get("_step")
        if type(step) is int and (self.step is None or step > self.step):
            self.step = step
            pace, time = self.pace, self.updated
            if time - pace.last > LONG:
                pace.row_after(time, self.row_count)
            pace.last = time
        summary, sketches = self.summary, self.sketches
        for key, value in row.items():
            if key in records.RESERVED:
                continue
            if type(value) is not float and type(value) is not int:
                value = self._restore(key, value)
            if key not in summary:
                if len(summary) >= MAX_KEYS:
                    continue
                key = clean(key)
            if self.metrics:
                self._summarize(key, value)
            else:
                summary[key] = value
            if type(value) is float or type(value) is int:
                sketch = sketches.get(key)
                if sketch is None:
                    sketch = sketches[key] = Sketch()
                sketch.add(value)

    def _restore(self, key: str, value: Any) -> Any:
        """A row's value that is no plain number, as it was logged.

        Notes when a metric is NaN for the first time, or infinite; some are infinite at first on purpose.
        """
        value = restore(value)
        if type(value) is float:
            key = clean(key)
            if key not in self.broken and len(self.broken) < MAX_BROKEN and (value != value or key in self.sketches):
                self.broken[key] = (self.step or 0, self.updated)
        return value

    def _summarize(self, key: str, value: Any) -> None:
        """Take a value into the summary as its definition says."""
        metric = self.metrics.of(key)
        if metric is None or not metric.summary:
            self.summary[key] = value
        elif "none" not in metric.summary:
            tally = self._tallies.setdefault(key, [0, 0.0])
            entry = summarize(self.summary.get(key), value, metric, tally)
            if entry:
                self.summary[key] = entry
        if key in self.metrics.step_names:
            self.last_steps[key] = value

    def _start(self, record: Record) -> None:
        self.start = record
        self.id = _text(record.get("id")) or self.id
        self.project = _text(record.get("project")) or self.project
        self.entity = _text(record.get("entity"))
        time = time_of(record.get("_timestamp"))
        self.updated = time if time is not None else self.created
        self.created = time_of(record.get("created")) or self.updated
        self.began = self.updated if time is not None else self.created
        self.is_pending = record.get("pending") is True
        self.is_resumed = record.get("resumed") is True
        origin = record.get("origin")
        if isinstance(origin, dict):
            self.origin = clean(_text(origin.get("kind")), 40)
            self.is_read_only = origin.get("imported") is None
        self.edit(record, (self.updated, ""))
        if isinstance(record.get("state"), dict):  # what an earlier segment hands on
            self._carry(record["state"])

    def _metric(self, record: Record) -> None:
        metric = Metric.load(record)
        if metric is not None:
            self.metrics.define(metric)

    def _alert(self, record: Record) -> None:
        texts = {field: _text(record.get(field)) for field in ALERT}
        if texts["title"] or texts["text"]:
            alert = {"_timestamp": time_of(record.get("_timestamp")) or self.updated, **texts}
            self.alerts = [*self.alerts, alert][-MAX_ALERTS:]

    def _artifact(self, record: Record) -> None:
        artifact = lineage_of(record, time_of(record.get("_timestamp")) or self.updated)
        if artifact is not None:
            others = [other for other in self.artifacts if _is_other(other, artifact)]
            self.artifacts = [*others, artifact][-MAX_ARTIFACTS:]

    def _environment(self, record: Record) -> None:
        self._surroundings = record

    def _config(self, record: Record) -> None:
        self.edit({"config": record.get("config")}, (self.updated, _text(self.start.get("host"))))

    def _update(self, record: Record) -> None:
        self.edit(record, (self.updated, _text(self.start.get("host"))))
        summary = record.get("summary")
        if isinstance(summary, dict):
            self.summary.update(_named(summary))
        for key in _strings(record.get("summary_deleted")):
            self.summary.pop(key, None)

    def _signal(self, record: Record) -> None:
        self.signal = _text(record.get("signal")) or None

    def _checkpoint(self, record: Record) -> None:
        stamps = record.get("changed")
        by_start = {field: record.get(field) for field in EDITABLE}
        for field, stamp in stamps.items() if isinstance(stamps, dict) else ():
            if field in by_start and isinstance(stamp, list) and stamp:
                self.edit({field: by_start.pop(field)}, (time_of(stamp[0]) or self.created, _text(stamp[-1])))
        self.edit(by_start, (self.created, ""))
        if isinstance(record.get("config"), dict):
            self.config = _named(record["config"])
        for key, stamp in stamps.items() if isinstance(stamps, dict) else ():
            if key.startswith("config.") and isinstance(stamp, list) and stamp and time_of(stamp[0]) is not None:
                self._stamps[key] = (stamp[0], _text(stamp[-1]))
        self._carry(record)

    def _carry(self, record: Record) -> None:
        """Take over what rows and definitions made of the state before."""
        if type(record.get("step")) is int:
            self.step = record["step"]
        if isinstance(record.get("summary"), dict):
            self.summary = _named(record["summary"])
        metrics, tallies = record.get("metrics"), record.get("tallies")
        for metric in filter(_is_record, metrics if isinstance(metrics, list) else ()):
            self._metric(metric)
        for key, tally in tallies.items() if isinstance(tallies, dict) else ():
            if isinstance(tally, list) and len(tally) == 2 and all(_number(part) is not None for part in tally):
                self._tallies[clean(key)] = tally
        alerts = record.get("alerts")
        self.alerts = [] if isinstance(alerts, list) else self.alerts
        for alert in filter(_is_record, alerts[-MAX_ALERTS:] if isinstance(alerts, list) else ()):
            self._alert(alert)
        artifacts = record.get("artifacts")
        self.artifacts = [] if isinstance(artifacts, list) else self.artifacts
        for artifact in filter(_is_record, artifacts[-MAX_ARTIFACTS:] if isinstance(artifacts, list) else ()):
            self._artifact(artifact)
        self.pace.load(record.get("pace"), record.get("pauses"))
        self._carry_broken(record.get("broken"))
        if isinstance(record.get("environment"), dict):
            self._environment(record["environment"])
        if isinstance(record.get("last_steps"), dict):
            self.last_steps = _named(record["last_steps"])
        if isinstance(record.get("sketches"), dict):
            self._dumped = record["sketches"]

    def _carry_broken(self, broken: Any) -> None:
        for key, moment in list(broken.items())[:MAX_BROKEN] if isinstance(broken, dict) else ():
            if isinstance(moment, list) and len(moment) == 2:
                step, time = _number(moment[0]), time_of(moment[1])
                if step is not None and time is not None:
                    self.broken[clean(key)] = (step, time)

    def _end(self, record: Record) -> None:
        self._checkpoint(record)
        self.ended = True
        code = record.get("exit_code")
        self.exit_code = code if type(code) is int else 0
        self.signal = _text(record.get("signal")) or None
        self.exception = _text(record.get("exception")) or None

    def verdict(self, alive: bool | None, deadly_signal: str | None = None) -> State:
        """The run's state (the rules are in CONTRIBUTING.md, "States").

        Args:
            alive: whether its process lives, or, where that cannot be told, whether its file still grows.
            deadly_signal: the signal that left a stack behind when it ended the process.
        """
        if self.is_pending and not self.ended:
            return "pending"
        if self.signal or (deadly_signal and not self.ended and not alive):
            return "killed"
        if self.stopped is not None and not alive and self.updated < self.stopped + STOP_GRACE:
            return "killed"
        if self.ended:
            return "failed" if self.exit_code else "finished"
        return "running" if alive else "crashed"


_FOLDS: Final[dict[str, Callable[[RunState, Record], None]]] = {
    records.START: RunState._start,
    records.METRIC: RunState._metric,
    records.ALERT: RunState._alert,
    records.ARTIFACT: RunState._artifact,
    records.ENVIRONMENT: RunState._environment,
    records.CONFIG: RunState._config,
    records.UPDATE: RunState._update,
    records.SIGNAL: RunState._signal,
    records.CHECKPOINT: RunState._checkpoint,
    records.END: RunState._end,
}


def load_sketches(dumped: Mapping[str, Any]) -> dict[str, Sketch]:
    """The sketches of a checkpoint, by metric; what is none is left out."""
    found = {}
    for key, sketch in dumped.items():
        try:
            found[clean(key)] = Sketch.load(sketch)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError):
            continue
    return found


def is_row_until(record: Record, last: float) -> bool:
    """Whether a record is a history row of at most this step."""
    step = _number(record.get("_step"))
    return "_type" not in record and step is not None and -MAX_STEP <= step <= last


def sample_of(record: Record) -> tuple[float, dict[str, float]] | None:
    """When the machine was sampled (seconds since the epoch) and the numbers by name; None of any other record."""
    time = time_of(record.get("_timestamp"))
    if record.get("_type") != records.SYSTEM or time is None:
        return None
    numbers = {clean(name): value for name, value in record.items() if _number(value) is not None}
    return time, {name: value for name, value in numbers.items() if name not in records.RESERVED}


def is_history_until(record: Record, last: float) -> bool:
    """Whether a record is a row of at most this step or, where all rows count, a sample of the machine.

    Of a run that was forked or taken back to a step, the samples from before belong to what was left behind.
    """
    return is_row_until(record, last) or (record.get("_type") == records.SYSTEM and last == math.inf)


def lineage_of(record: Record, time: float) -> Record | None:
    """What is said of a version of an artifact, cleaned; None where it is none."""
    use, version = record.get("use"), record.get("version")
    texts = {field: _text(record.get(field)) for field in ("name", "type", "digest", "project")}
    if use not in ("made", "used") or type(version) is not int or not 0 <= version < 10**9 or not texts["name"]:
        return None
    counts = {field: count if type(count := record.get(field)) is int else 0 for field in ("size", "files")}
    aliases = _strings(record.get("aliases"))[:MAX_FACTS]
    return {"_timestamp": time, "use": use, "version": version, **texts, **counts, "aliases": aliases}


def _is_other(one: Record, other: Record) -> bool:
    return any(one[field] != other[field] for field in ("use", "project", "name", "version"))


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) else None


def time_of(value: Any) -> float | None:
    """Seconds since the epoch that a calendar can show; anything else is no time."""
    time = _number(value)
    return time if time is not None and 0 <= time < MAX_TIME else None


def _is_record(value: Any) -> bool:
    return isinstance(value, dict)


def _text(value: Any) -> str:
    return clean(value) if isinstance(value, str) else ""


def _facts(value: Any, depth: int = 3) -> Any:
    """Facts as far as they are texts, numbers, and few, cleaned; what is not is None or left out."""
    if isinstance(value, str):
        return clean(value, MAX_FACT)
    if isinstance(value, dict) and depth:
        few = list(value.items())[:MAX_FACTS]
        return {clean(name, 40): fact for name, inner in few if (fact := _facts(inner, depth - 1)) is not None}
    if isinstance(value, list) and depth:
        return [fact for inner in value[:MAX_FACTS] if (fact := _facts(inner, depth - 1)) is not None]
    return value if isinstance(value, bool) else _number(value)


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """Values by their names, which are shown as they are and so are cleaned here."""
    return {
        (_clean_short if len(name) < MAX_FACT else clean)(name): value
        if type(value) is float or type(value) is int
        else restore(value)
        for name, value in values.items()
    }


def _strings(value: Any) -> list[str]:
    return [clean(item, 64) for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _edited(field: str, value: Any) -> Any:
    """The value a change gives a field, cleaned; None where it is not one."""
    if field == "tags":
        return _strings(value) if isinstance(value, list) else None
    if field in ("archived", "deleted"):
        return value if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if field == "notes":
        return "\n".join(clean(line, 10_000) for line in value.split("\n"))
    return clean(value) or (None if field == "name" else "")
