"""`Run`: what a training script holds. (The underscore keeps `tracker.run` free for the current run.)"""

from __future__ import annotations

import functools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from types import ModuleType, TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Self

import orjson

from tracker import capture, environment, host, layout, records, report, secrets, watching
from tracker.console import Console
from tracker.errors import UsageError, missing
from tracker.journal import PatientWriter, Tail, Writer
from tracker.lifecycle import Exit, exit_of, process
from tracker.mappings import Config, Summary
from tracker.metrics import Metric, check_metric
from tracker.names import next_name, run_name
from tracker.records import MAX_DEPTH, RESERVED, Record, encode, non_finite, plain
from tracker.replay import RunState

if TYPE_CHECKING:
    from tracker.artifacts import Artifact
    from tracker.saving import Saver
    from tracker.settings import Settings

CHECKPOINT_BYTES: Final = 32 * 1024
"""Bytes of rows after which the state is repeated; or 8 times the last checkpoint, if that is more. Rows are folded
after as many, so that neither they nor the time it takes add up where a row has a thousand metrics."""

MAX_STEP: Final = 2**53
"""Beyond it a JSON number is no exact integer any more."""


class AlertLevel(Enum):
    """How bad it is that `alert` tells; the same as its name as a string."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


ALERT_WAIT: Final = 60.0
"""Seconds in which an alert of the same title is passed over."""

SYNC_BYTES: Final = 8 * 1024 * 1024
"""Bytes after which an fsync is asked for early, so that the one at the end is short."""

MEDIA: Final = frozenset(("tracker", "PIL", "matplotlib", "plotly", "pandas", "polars"))
"""Packages whose values may be media."""

_APPEND_NEWLINE: Final = orjson.OPT_APPEND_NEWLINE

current: Run | None = None
"""The run that `tracker.log` and `tracker.finish` are about; `tracker.run` to users."""


def check_tags(tags: object) -> list[str]:
    """Tags without doubles.

    Raises:
        TypeError, ValueError: they are no sequence of strings of 1 to 64 characters.
    """
    if tags is None:
        return []
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise TypeError(f"tags must be a sequence of strings, not {type(tags).__name__}")
    given = list(tags)
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"tags must be strings, not {type(tag).__name__}")
        if not 1 <= len(tag) <= 64:
            raise ValueError(f"tags must have 1 to 64 characters (got {tag[:70]!r})")
    return list(dict.fromkeys(given))


class Status(NamedTuple):
    """W&B's account of a run's synchronisation, which here is always complete."""

    sync_items_total: int = 0
    sync_items_pending: int = 0
    sync_time: float | None = None


class Run:
    """A run that this process is writing. Made by `tracker.init`; usable as a context manager that finishes it.

    Every `log` is one line appended to one file. Disk trouble never raises into the training loop: it is warned of
    once, and the loop goes on.
    """

    def __init__(self, root: str, start: Record, write: bool, console: str = "off") -> None:
        self._lock = threading.RLock()
        self._warned: set[str] = set()
        self._over = False
        self._foreign = False
        project_folder = os.path.join(root, layout.file_name(start["project"]))
        if "name" not in start:  # one is costly to find among very many runs
            start["name"] = next_name(project_folder) if write else run_name(1)
        self._writer: PatientWriter | None = None
        self._path = os.path.join(project_folder, layout.segment_name(start["id"], start["_timestamp"]))
        if write:
            start |= {**host.identity(), **environment.facts(), **({"console": "off"} if console == "off" else {})}
            self._writer = PatientWriter(lambda: self._new_file(start), host.is_network(root))
        self._config = Config(start["config"], self._save_config)
        start["config"] = secrets.mask_config(start["config"])
        self._state = RunState(start["id"], start["project"], start["_timestamp"])
        self._state.apply(start)
        self._state.name = start["name"]
        self._summary = Summary(self._current_summary, self._save_summary)
        self._step = self._starting_step = 0 if self._state.step is None else self._state.step + 1
        self._said: dict[str, Any] = {}
        """What `settings=` said."""
        self._has_synced = any(m.step_sync and m.step_metric for m in self._state.metrics)
        """Whether any metric is drawn over another that rows may lack."""
        self._pending: list[Record] = []
        """Rows that are written but not yet folded into the state."""
        self._unsaved = 0
        self._limit = CHECKPOINT_BYTES
        self._fold_at = CHECKPOINT_BYTES
        self._last_write = time.monotonic()
        self._alerted: dict[str, float] = {}
        self._watcher: watching.Watcher | None = None
        self._console: Console | None = None
        self._saver: Saver | None = None
        self._last_acts: list[Callable[[], None]] = []
        self._survey: environment.Survey | None = None
        """What finds out about the environment, until that is put down."""
        if write:
            self._append(start)
            process.enroll(self)
            if self._writer is not None and self._writer.path:
                report.say(report.start_lines(start["name"], self._path, root))
            if console != "off":
                self._listen(console)
            self._survey = environment.Survey(self)

    def _new_file(self, start: Record) -> Writer:
        writer = Writer(os.path.dirname(self._path), layout.segment_names(start["id"], start["_timestamp"]))
        self._path = writer.path
        return writer

    def _listen(self, way: str) -> None:
        """Keep what the process prints."""
        self._console = Console(lambda: self.folder, self._last_step, self._warn, capture.wake, self.is_remote)
        try:
            capture.attach(self._console, way)
        except OSError as error:  # no descriptors or pseudo-terminals left, or the streams are closed
            self._warn("console", f"cannot redirect what is printed ({error.strerror})")

    def _last_step(self) -> int | None:
        """The last step that was logged; without the lock, which another thread may hold for a slow disk."""
        try:
            return int(self._pending[-1]["_step"])
        except (IndexError, KeyError):
            return self._state.step

    # ---- logging ----

    def log(
        self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool | None = None
    ) -> None:
        """Append one history row; when this returns, the row is with the operating system.

        Args:
            data: metrics by name. Nested mappings become dotted names; scalars of numpy, torch and jax become numbers;
                what cannot be kept as it is becomes its `repr`, with one warning a name.
            step: the row's step; default the current one. A step below the current one is kept as a late row, with
                one warning. Rows of one step are one row to readers, later values over earlier ones.
            commit: whether the step is complete, so that the next row goes to the next one; default True without
                `step` and False with it (W&B's rule).
            sync: W&B's; without effect.

        Raises:
            TypeError: `data` is no mapping, a name is no string, or `step` is no integer.
            ValueError: `step` is beyond 2**53, which JSON's numbers cannot tell from its neighbours.
            UsageError: the run has finished.
        """
        if type(data) is not dict and not isinstance(data, Mapping):
            raise TypeError(f"log() takes a mapping of names to values, not {type(data).__name__}")
        with self._lock:
            if self._over:  # asked under the lock: another thread may just have finished the run
                self._refuse()
                return
            at = self._step if step is None else self._check_step(step)
            now = time.time()
            row: Record = {"_step": at, "_timestamp": now}
            for key, value in data.items():
                if type(value) is float and value - value == 0.0 and type(key) is str and key not in RESERVED:
                    row[key] = value
                else:
                    self._put(row, key, value)
            if at > self._step:
                self._step = at
            if self._has_synced:
                self._sync_steps(row)
            if self._writer is None:  # disabled: no file, no cost
                self._keep_summary(row)
                if commit or (commit is None and step is None):
                    self._step = max(self._step, at + 1)
                return
            try:
                line = orjson.dumps(row, option=_APPEND_NEWLINE)
            except TypeError:  # a name with a lone surrogate
                row = plain({key.encode("utf-8", "replace").decode(): value for key, value in row.items()})[0]
                line = encode(row)
            self._write(line)
            self._pending.append(row)
            if self._unsaved >= self._fold_at:
                self._settle()
            if commit or (commit is None and step is None):
                self._step = max(self._step, at + 1)

    def _keep_summary(self, row: Record) -> None:
        self._pending.append(row)
        if len(self._pending) > 1000:
            self._fold()

    def _check_step(self, step: object) -> int:
        if isinstance(step, bool) or not hasattr(step, "__index__"):
            raise TypeError(f"step must be an integer, not {type(step).__name__}")
        at = step.__index__()
        if not -MAX_STEP <= at <= MAX_STEP:
            raise ValueError(f"step must be at most 2**53 (got {at})")
        if at < self._step:
            self._warn("late", f"step {at} comes after step {self._step}: kept as a late row")
        return int(at)

    def _put(self, row: Record, key: object, value: Any, above: tuple[int, ...] = ()) -> None:
        """Set a row's value that is not a plain finite float under a plain name."""
        if not isinstance(key, str):
            raise TypeError(f"log() takes names that are strings, not {type(key).__name__} ({key!r})")
        if key in RESERVED:
            self._warn(f"reserved {key}", f"{key} is tracker's own name: stored as _{key}")
            key = "_" + key
        kind = type(value)
        if kind is str or kind is bool or (kind is int and -(2**53) < value < 2**53) or value is None:
            row[key] = value
        elif kind is float:
            row[key] = non_finite(value) if value - value != 0.0 else value
        elif isinstance(value, Mapping) and "_type" not in value and id(value) not in above and len(above) < MAX_DEPTH:
            for inner, item in value.items():
                if not isinstance(inner, str):
                    raise TypeError(f"log() takes names that are strings, not {type(inner).__name__} ({inner!r})")
                self._put(row, f"{key}.{inner}", item, (*above, id(value)))
        else:
            row[key], kept = plain(self._stored(key, value))
            if not kept:
                self._warn(f"odd {key}", f"{key} is of type {kind.__name__}, which is kept as text only")

    def _stored(self, key: str, value: Any) -> Any:
        """A value with media in it as files of the run and what a row says of them; any other as it is."""
        if not any(map(_may_be_media, set(map(type, value)) if isinstance(value, (list, tuple)) else (type(value),))):
            return value
        from tracker.media import kept

        folder = None if self._writer is None else self.folder
        return kept(value, folder, lambda trouble: self._warn(f"media {key}", f"{key}: {trouble}"))

    def define_metric(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | None = None,
        overwrite: bool = False,
        goal: str | None = None,
    ) -> Metric:
        """Say how a metric is to be read.

        Args:
            name: the metric; with `*` at its end, all whose names begin so. A name beats a pattern.
            step_metric: the metric that is its x axis, e.g. `epoch`.
            step_sync: give rows without the step metric its last value; default True with a step metric.
            hidden: leave it out of the charts that are shown by themselves.
            summary: what the summary keeps of it, comma-separated: min, max, mean, last, first, best, none; default
                its last value. `min,max` gives `{"loss": {"min": ..., "max": ...}}`. NaN is passed over.
            overwrite: forget what an earlier call said of it; default: add to that.
            goal: `minimize` or `maximize`, for `best`.

        Raises:
            TypeError, ValueError: an argument has the wrong type or value; the message names it.
        """
        before = None if overwrite or not isinstance(name, str) else self._state.metrics.defined(name)
        metric = check_metric(before, name, step_metric, step_sync, hidden, summary, goal)
        self._record(records.METRIC, metric.record())
        self._has_synced = any(m.step_sync and m.step_metric for m in self._state.metrics)
        return metric

    def _sync_steps(self, row: Record) -> None:
        """Give the row the last value of every step metric that one of its metrics is drawn over."""
        for key in list(row):
            metric = self._state.metrics.of(key)
            if metric is not None and metric.step_sync and (step := metric.step_metric) and step not in row:
                last = self._last_value(step)
                if last is not None:
                    row[step] = last

    def _last_value(self, key: str) -> Any:
        for row in reversed(self._pending):
            if key in row:
                return row[key]
        return plain(self._state.last_steps.get(key))[0]

    # ---- besides numbers ----

    def alert(
        self,
        title: str,
        text: str = "",
        level: str | AlertLevel = "INFO",
        wait_duration: float | timedelta = ALERT_WAIT,
    ) -> None:
        """Put down something that a person should see.

        Args:
            title: in a few words.
            text: the rest.
            level: INFO, WARN or ERROR; an `AlertLevel` or its name.
            wait_duration: seconds in which another alert of the same title is passed over.

        Raises:
            TypeError, ValueError: an argument has the wrong type or value; the message names it.
        """
        for argument, value in (("title", title), ("text", text)):
            if not isinstance(value, str):
                raise TypeError(f"{argument} must be a string, not {type(value).__name__}")
        level = level.value if isinstance(level, AlertLevel) else level
        if level not in AlertLevel.__members__:
            raise ValueError(f"level must be one of {', '.join(AlertLevel.__members__)} (got {level!r})")
        wait = wait_duration.total_seconds() if isinstance(wait_duration, timedelta) else wait_duration
        now = time.monotonic()
        if now - self._alerted.get(title, -math.inf) >= wait:
            self._alerted[title] = now
            self._record(records.ALERT, {"title": title, "text": text, "level": level})

    def mark_preempting(self) -> None:
        """Put down that the machine is about to be taken away, e.g. in a handler of the scheduler's signal."""
        self._record(records.PREEMPTING, {})

    def watch(
        self, models: Any, criterion: Any = None, log: str | None = "gradients", log_freq: int = 1000, **others: Any
    ) -> None:
        """Log histograms of a model's gradients and parameters, every `log_freq` backward passes.

        For anything but models that offer `named_parameters()` it does nothing, with one warning.

        Args:
            models: a model or several.
            criterion: W&B's; not used, like all others.
            log: `gradients`, `parameters`, `all` or None.
            log_freq: passes between two histograms of one parameter.

        Raises:
            ValueError: `log` or `log_freq` makes no sense.
        """
        if log not in watching.WHAT or log_freq < 1:
            raise ValueError(f"log must be one of {watching.WHAT}, log_freq at least 1 (got {log!r}, {log_freq!r})")
        if self._watcher is None:
            self._watcher = watching.Watcher(lambda data: None if self._over else self.log(data, commit=False))
        for index, model in enumerate(models if isinstance(models, (list, tuple)) else [models]):
            if not self._watcher.watch(model, f"graph_{index}" if index else "", log, log_freq):
                self._warn("watch", f"watch() cannot look into a {type(model).__name__}: it is not watched")

    def unwatch(self, models: Any = None) -> None:
        """Stop what `watch` began, for all models."""
        if self._watcher is not None:
            self._watcher.stop()

    # ---- files ----

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - W&B's words
        aliases: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Artifact:
        """Keep files as the next version of an artifact, made by this run; it is there when this returns.

        Files that make a version already give that one again. Where the disk refuses, there is one warning, training
        goes on, and `wait()` of the artifact raises. What a disabled run logs is kept in a temporary folder, the last
        version of each name as long as the run's object lives.

        Args:
            artifact_or_path: an artifact, or the path of a file or folder, or a URI, for one of that alone.
            name: of the artifact, of a path alone; default `run-<id>-<name of the file>`.
            type: its type, of a path alone; default `unspecified`.
            aliases: names of the version, which others lose; it is `latest` in any case.
            tags: W&B's; not kept.

        Raises:
            TypeError, ValueError: an argument has the wrong type or value; the message names it.
            OSError: a file cannot be read.
            UsageError: the run has finished.
        """
        from tracker import artifacts

        self._check_going_on()
        return artifacts.log(self, artifact_or_path, name, type, aliases)

    def use_artifact(
        self,
        artifact_or_name: Artifact | str,
        type: str | None = None,  # noqa: A002 - W&B's words
        aliases: Sequence[str] | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Say that the run uses an artifact.

        A disabled run gives what it has logged itself, else what is there, else an artifact without files.

        Args:
            artifact_or_name: `name`, `name:latest`, `name:v3`, `name:alias`, with `project/` in front if it is in
                another project; or an artifact, which is logged if it is not yet.
            type: what it has to be.
            aliases: W&B's, as `use_as` is; without effect.

        Raises:
            TypeError, ValueError: an argument has the wrong type or value, or the artifact is of another type.
            Error: there is none.
            UsageError: the run has finished.
        """
        from tracker import artifacts

        self._check_going_on()
        return artifacts.use(self, artifact_or_name, type)

    def log_model(
        self, path: str | os.PathLike[str], name: str | None = None, aliases: Sequence[str] | None = None
    ) -> Artifact:
        """`log_artifact` of a file or folder as the next version of a model, default `model-<id>`."""
        return self.log_artifact(path, name or f"model-{self.id}", "model", aliases)

    def use_model(self, name: str) -> str:
        """Say that the run uses a model, and copy it here: the path of its file, of its folder where it has several.

        Raises:
            ValueError, Error: as `use_artifact`; OSError: it cannot be copied.
        """
        folder = self.use_artifact(name, "model").download()
        files = os.listdir(folder)
        return os.path.join(folder, files[0]) if len(files) == 1 else folder

    def link_artifact(self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> None:
        """Nothing but a warning: there is no registry. Aliases of an artifact say which version is which."""
        self._warn(f"link {target_path}", f"{target_path}: there is no registry to link to")

    def link_model(
        self,
        path: str | os.PathLike[str],
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> Artifact:
        """`log_model`, with a warning: there is no registry to link it to."""
        artifact = self.log_model(path, name, aliases)
        self.link_artifact(artifact, registered_model_name)
        return artifact

    def log_code(
        self,
        root: str | os.PathLike[str] | None = ".",
        name: str | None = None,
        include_fn: Callable[..., bool] | None = None,
        exclude_fn: Callable[..., bool] | None = None,
    ) -> Artifact | None:
        """Keep the code below a folder as an artifact of type `code`; unchanged code is the same version again.

        Hidden folders, virtual environments, `wandb` and the folder of runs are never looked into; links that lead out
        of the folder are left out.

        Args:
            root: the folder.
            name: of the artifact; default `source-<project>-<program>`.
            include_fn: tells of a path, or of a path and the root, whether it is code; default `*.py`,
                `requirements*.txt`, `pyproject.toml` and `Dockerfile*`.
            exclude_fn: the same of what is left out all the same; default nothing.

        Returns:
            The artifact; None where there is no code, or the run is disabled.

        Raises:
            TypeError, ValueError: an argument has the wrong type or value; the message names it.
            UsageError: the run has finished.
        """
        from tracker import saving

        self._check_going_on()
        return None if self.disabled else saving.log_code(self, root, name, include_fn, exclude_fn)

    def save(
        self,
        glob_str: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None = None,
        policy: str = "live",
        glob: bool = True,
    ) -> list[str]:
        """Keep files in the run's folder, below `run.dir`.

        What a pattern finds in the folder of runs is left out, unless it begins within that.

        Args:
            glob_str: a path, or a pattern of paths.
            base_path: the folder that paths are told from: `save("a/b/c", base_path="a")` is kept as `b/c`; default the
                working folder, or that of an absolute path.
            policy: `live` shares the file by a hard link, so that what is written later is kept too; where that cannot
                be it is copied now and at the end. `now` copies it now, `end` at the end.
            glob: whether `glob_str` may be a pattern; otherwise it is a path as it stands.

        Returns:
            The paths of what was found, in the run's folder. Trouble with the disk is warned of once a file.

        Raises:
            TypeError, ValueError: an argument has the wrong type or value, or the path leads out of `base_path`.
            UsageError: the run has finished.
        """
        from tracker.saving import Saver

        self._check_going_on()
        if self._over or self.disabled:
            return []
        if self._saver is None:
            self._saver = Saver(lambda: self._files, self._warn)
            self._at_end(self._saver.finish)
        return self._saver.save(glob_str, base_path, policy, glob)

    def restore(
        self, name: str, run_path: str | None = None, replace: bool = False, root: str | os.PathLike[str] | None = None
    ) -> IO[str] | None:
        """Copy a file that a run has kept, and open it.

        Args:
            name: as it is called below `run.dir`.
            run_path: `project/id` of another run; default this one, with what it kept before it was resumed.
            replace: copy it also if there is a file of that name.
            root: where to; default `run.dir`.

        Returns:
            The copy, open for reading text; None where the run is disabled.

        Raises:
            ValueError: the run has no such file.
            Error: there is no such run.
        """
        if self.disabled:
            return None
        from tracker.api import Api

        path = run_path or self.id
        run = Api(os.path.dirname(os.path.dirname(self._path))).run(path if "/" in path else f"{self.project}/{path}")
        return run.file(name).download(root or self.dir, replace=replace, exist_ok=True)

    def _at_end(self, act: Callable[[], None]) -> None:
        """Have something done when the run ends, while it still can be logged to; it must not raise."""
        self._last_acts.append(act)

    def _note_artifact(self, use: str, artifact: Record) -> None:
        """Put down that the run made or used a version of an artifact."""
        self._record(records.ARTIFACT, {"use": use, **artifact})

    def _check_going_on(self) -> None:
        """Refuse what comes after the end."""
        if self._over:
            self._refuse()

    def _label(self, *_: Any, **__: Any) -> None:
        """W&B's note of which framework called; nothing is kept."""

    def status(self) -> Status:
        """How much waits to leave this machine: nothing ever does."""
        return Status()

    # ---- what the run is ----

    @property
    def id(self) -> str:
        """Unique in the project; never changes."""
        return self._state.id

    @property
    def name(self) -> str:
        """What the run is called; set it at any time."""
        return self._state.name

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not records.clean(name).strip():
            raise TypeError(f"name must be a string with something to read (got {name!r})")
        self._update(name=name)

    @property
    def notes(self) -> str:
        """A longer description; set it at any time."""
        return self._state.notes

    @notes.setter
    def notes(self, notes: str) -> None:
        if not isinstance(notes, str):
            raise TypeError(f"notes must be a string, not {type(notes).__name__}")
        self._update(notes=notes)

    @property
    def tags(self) -> tuple[str, ...]:
        """Labels; set them at any time."""
        return tuple(self._state.tags)

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._update(tags=check_tags(tags))

    @property
    def project(self) -> str:
        return self._state.project

    @property
    def entity(self) -> str:
        return self._state.entity

    @property
    def group(self) -> str:
        return self._state.group

    @property
    def job_type(self) -> str:
        return self._state.job_type

    @property
    def config(self) -> Config:
        """What the run was set up with."""
        return self._config

    @property
    def summary(self) -> Summary:
        """The last value of every metric, and whatever is set by hand."""
        return self._summary

    @property
    def sweep_id(self) -> None:
        """None: there are no sweeps; runs of a search share a `group`."""
        return

    @property
    def step(self) -> int:
        """The step that the next row without a `step` goes to."""
        return self._step

    @property
    def start_time(self) -> float:
        """Seconds since the epoch."""
        return self._state.created

    @property
    def path(self) -> str:
        """`entity/project/id`, without the entity where there is none."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def file(self) -> str:
        """The journal's path."""
        return self._path

    @property
    def folder(self) -> str:
        """The path of the folder for what the run keeps besides records; it may not exist."""
        return self._path.removesuffix(".jsonl")

    @property
    def dir(self) -> str:
        """The folder for the job's own files, which are kept with the run; made on first use."""
        if self.disabled:
            import tempfile

            return tempfile.gettempdir()
        os.makedirs(self._files, exist_ok=True)
        return self._files

    @property
    def _files(self) -> str:
        return os.path.join(self.folder, "files")

    @property
    def url(self) -> str:
        """The journal as a `file://` address."""
        from urllib.parse import quote

        return "file://" + quote(self._path)

    # ---- what W&B's runs have, and here says little ----

    @property
    def settings(self) -> Settings:
        """How the run was set up, in the words of W&B's settings; a copy that changes nothing when it is set.

        Reading it makes the run's folder, for `files_dir` is there.
        """
        from tracker.settings import Settings

        try:
            files = self.dir
        except OSError:
            files = self._files
        root = os.path.dirname(os.path.dirname(self._path))
        return Settings(
            **{
                **self._said, "mode": "disabled" if self.disabled else "offline",
                "_offline": True, "_noop": self.disabled,
                "entity": self.entity, "project": self.project, "run_id": self.id, "run_name": self.name,
                "run_notes": self.notes, "run_tags": self.tags, "run_group": self.group, "run_job_type": self.job_type,
                "run_url": self.url, "project_url": self.project_url, "resumed": self.resumed,
                "program": self._state.start.get("program"), "files_dir": files, "sync_dir": self.folder,
                "sync_file": self._path, "wandb_dir": root, "root_dir": root,
            }
        )  # fmt: skip

    _settings = settings

    @property
    def project_url(self) -> str:
        """The project's folder as a `file://` address."""
        return self.url.rpartition("/")[0]

    @property
    def sweep_url(self) -> None:
        """None: there are no sweeps."""
        return

    @property
    def offline(self) -> bool:
        """Always: nothing leaves this machine."""
        return True

    @property
    def starting_step(self) -> int:
        """The step that its first row without a `step` went to; above 0 where it goes on with an earlier run."""
        return self._starting_step

    @property
    def sync_dir(self) -> str:
        """`folder`."""
        return self.folder

    def project_name(self) -> str:
        """`project`; W&B's older word, like those that follow."""
        return self.project

    def get_url(self) -> str:
        """`url`."""
        return self.url

    def get_project_url(self) -> str:
        """`project_url`."""
        return self.project_url

    def get_sweep_url(self) -> None:
        """None: there are no sweeps."""

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Only for what is missing; through the stand-in, with where to ask."""
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            through_standin = "tracker.standin" in sys.modules and not name.startswith("__")
            raise AttributeError(missing(f"Run.{name}") if through_standin else text, name=name, obj=self)

    # ---- how it stands ----

    @property
    def resumed(self) -> bool:
        """Whether it goes on with an earlier run."""
        return self._state.start.get("resumed") is True

    @property
    def is_remote(self) -> bool:
        """Whether its journal lies on a network file system."""
        return self._writer is not None and self._writer.is_remote

    @property
    def is_over(self) -> bool:
        """Whether it has finished."""
        return self._over

    @property
    def disabled(self) -> bool:
        """Whether the run writes nothing: `mode="disabled"`, or its file could not be made."""
        return self._writer is None

    def __repr__(self) -> str:
        return f"<tracker.Run {self.path} {self.name!r}>"

    # ---- the end ----

    def finish(self, exit_code: int | None = None) -> None:
        """End the run: write its last record and print its history and summary. A second call does nothing.

        Args:
            exit_code: 0, the default, reads finished; anything else failed.
        """
        if exit_code is not None and (isinstance(exit_code, bool) or not isinstance(exit_code, int)):
            raise TypeError(f"exit_code must be an integer, not {type(exit_code).__name__}")
        self._end(Exit(exit_code or 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._console is not None and not isinstance(error, (SystemExit, KeyboardInterrupt)):
            import traceback

            # Python prints it when the run is over, and only if nobody catches it.
            self._console.take("stderr", "".join(traceback.format_exception(error)))
        self._end(exit_of(error))

    def _end(self, how: Exit) -> None:
        global current
        for act in self._last_acts if not self._over else ():
            act()
        with self._lock:
            if self._over:
                return
            self._over = True
            try:
                self._write_end(how)
            except BaseException:  # a second Ctrl-C: the exit hook tries again
                self._over = False
                raise
            if current is self:
                current = None
        if self._console is not None:
            capture.detach(self._console)
            self._console.close()
        process.discharge(self)
        if self._writer is not None:
            lost = self._writer.missing + (self._console.missing if self._console is not None else 0)
            report.say(report.end_lines(self._state, self._state.verdict(alive=False), self._path, lost))

    def _write_end(self, how: Exit) -> None:
        self._begin_anew_if_gone()
        self._take_edits()
        if self._survey is not None:
            self._note_environment(self._survey.so_far(may_wait=how.signal is None))
        self._fold()
        end = {**self._state.checkpoint(time.time()), "_type": records.END, "exit_code": how.code}
        stopped_by = how.signal or self._state.signal
        end |= {
            key: value
            for key, value in (("signal", stopped_by), ("exception", secrets.mask_tokens(how.exception or "")))
            if value
        }
        self._append_state(end)
        self._state.apply({"_type": records.END, **{key: end.get(key) for key in ("exit_code", "signal", "exception")}})
        if self._writer is not None:
            try:
                self._writer.close()
            except OSError as error:
                self._warn("disk", f"cannot sync {self._path} ({error.strerror})")

    def _begin_anew_if_gone(self) -> None:
        """If somebody removed the file, go on in another one that begins with the state so far."""
        if self._writer is None or not self._writer.is_gone():
            return
        self._warn("gone", f"{self._path} was removed: its rows are lost, logging goes on in a new file")
        self._fold()
        state = self._state
        start = {**state.start, "_timestamp": time.time(), "created": state.created, "state": state.handed_on()}
        start["state"]["environment"] = state.environment
        start |= {"name": state.name, "tags": state.tags, "notes": state.notes, "config": state.config}
        self._writer.begin_anew(encode(plain(start, 2 * records.MAX_DEPTH)[0]))
        self._checkpoint()  # rows that waited are in the state already, and must not count twice

    def _take_edits(self) -> None:
        """Fold in what was changed from outside, so that the last word is the newest name."""
        if self._writer is None:
            return
        folder, project = os.path.split(os.path.dirname(self._path))
        for name in host.list_files(folder, project, ("edits-",)) or ():
            for edit in Tail(os.path.join(folder, project, name)).read():
                if edit.get("id") == self.id:
                    self._state.apply_edit(edit)

    # ---- called by lifecycle ----

    def _beat(self, idle: float, sync: bool) -> None:
        with self._lock:
            if self._over or self._writer is None:
                return
            if time.monotonic() - self._last_write >= idle * 0.95:
                self._append({"_type": records.HEARTBEAT, "_timestamp": time.time()})
            self._begin_anew_if_gone()
            writer = self._writer
            is_due = writer.unsynced and (sync or writer.is_remote or writer.unsynced > SYNC_BYTES)
        error = writer.sync(self._lock) if is_due else None  # a slow disk must not hold up log()
        if error is not None:
            kept = ": kept in memory" if writer.is_remote else ""
            self._warn("disk", f"cannot sync {self._path} ({error.strerror}){kept}, training goes on")
        with self._lock:
            if writer.repeats and not self._over:
                writer.repeats = False
                self._checkpoint()  # what is there twice must not count twice

    def _note_signal(self, name: str) -> None:
        with self._lock:
            if not self._over:
                record: Record = {"_type": records.SIGNAL, "_timestamp": time.time(), "signal": name}
                self._append(record)
                self._pending.append(record)

    def _note_system(self, at: float, values: Record) -> None:
        """Append a sample of the machine."""
        line = encode({"_type": records.SYSTEM, "_timestamp": at, **values})
        with self._lock:
            if self._over or not values:
                return
            self._write(line)
            if self._unsaved >= self._limit:  # so that a run without rows stays quick to list
                self._fold()
                if self._state.signal is None:  # a checkpoint would hide it
                    self._checkpoint()

    def _disown(self) -> None:
        """In a forked child: the run belongs to the parent. The lock may have been held by a thread that is no more."""
        self._lock = threading.RLock()
        self._over = self._foreign = True
        self._writer = self._console = None

    def _refuse(self) -> None:
        if not self._foreign:
            raise UsageError(f"run {self.name} has finished: call tracker.init() for a new one")
        self._warn("fork", "log() in a forked child does nothing: call tracker.init() there for a run of its own")

    # ---- writing ----

    def _write(self, line: bytes) -> None:
        self._last_write = time.monotonic()
        self._unsaved += len(line)
        if self._writer is None:
            return
        if not self._writer.append(line) and (trouble := self._writer.trouble) is not None:
            self._warn("disk", f"cannot write {self._path} ({trouble.strerror}): kept in memory, training goes on")

    def _append(self, record: Record) -> None:
        with self._lock:
            self._write(encode(plain(record, 2 * records.MAX_DEPTH)[0]))

    def _append_state(self, record: Record) -> None:
        """Append a checkpoint or an end. Its sketches, most of it, are JSON as they are."""
        safe = plain({**record, "sketches": None}, 2 * records.MAX_DEPTH)[0]
        with self._lock:
            self._write(encode({**safe, "sketches": record["sketches"]}))

    def _fold(self) -> None:
        rows, self._pending = self._pending, []
        for row in rows:
            self._state.apply(row)

    def _settle(self) -> None:
        """Fold the rows, and repeat the state when it is time."""
        if self._unsaved >= self._limit:
            self._checkpoint()
        else:
            self._fold()
            self._fold_at = min(self._limit, self._unsaved + CHECKPOINT_BYTES)

    def _checkpoint(self) -> None:
        self._fold()
        before = self._unsaved
        self._append_state(self._state.checkpoint(time.time()))
        self._limit = max(CHECKPOINT_BYTES, 8 * (self._unsaved - before))
        self._unsaved = 0
        self._fold_at = CHECKPOINT_BYTES
        if self._writer is not None and self._writer.unsynced > SYNC_BYTES:
            process.hurry()

    def _record(self, kind: str, fields: Record) -> None:
        """Append a record of our own and fold it."""
        with self._lock:
            if self._over:
                self._refuse()
                return
            self._put_down(kind, fields)

    def _put_down(self, kind: str, fields: Record) -> None:
        self._fold()
        record = plain({"_type": kind, "_timestamp": time.time(), **fields}, 2 * records.MAX_DEPTH)[0]
        self._append(record)
        self._state.apply(record)

    def _note_environment(self, found: Record) -> None:
        """Put down, once, what was found out about the environment; called by the survey, or at the end."""
        with self._lock:
            survey, self._survey = self._survey, None
            if survey is not None and found and not self._foreign:
                self._put_down(records.ENVIRONMENT, found)

    def _update(self, **fields: Any) -> None:
        self._change(records.UPDATE, fields)

    def _save_config(self, changed: dict[str, Any]) -> None:
        self._change(records.CONFIG, {"config": secrets.mask_config(changed)})

    def _change(self, kind: str, fields: Record) -> None:
        """Record a change: not older than any before, even where the clock is; of equals the later one wins."""
        with self._lock:
            self._record(kind, {"_timestamp": max(time.time(), self._state.updated), **fields})

    def _current_summary(self) -> dict[str, Any]:
        with self._lock:
            self._fold()
        return self._state.summary

    def _save_summary(self, changed: dict[str, Any], deleted: list[str]) -> None:
        changed = {key: plain(self._stored(key, value))[0] for key, value in changed.items()}
        self._record(records.UPDATE, {"summary": changed, "summary_deleted": deleted})

    def _warn(self, about: str, text: str) -> None:
        if about not in self._warned:
            self._warned.add(about)
            report.say([f"WARNING {records.clean(text)}"])


def _may_be_media(kind: type) -> bool:
    """Whether values of a type may be media, or hold some."""
    if issubclass(kind, (list, tuple)):
        return "tracker.media" in sys.modules
    return kind is ModuleType or any(base.__module__.partition(".")[0] in MEDIA for base in kind.__mro__)


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool | None = None) -> None:
    """`Run.log` of the current run.

    Raises:
        UsageError: there is no current run.
    """
    active("log").log(data, step, commit, sync)


def finish(exit_code: int | None = None) -> None:
    """`Run.finish` of the current run; nothing without one."""
    if current is not None:
        current.finish(exit_code)


def active(what: str) -> Run:
    """The current run.

    Raises:
        UsageError: there is none.
    """
    if current is None:
        raise UsageError(f"call tracker.init() before tracker.{what}")
    return current


def _of_current(name: str) -> Callable[..., Any]:
    """The method of the current run as a function of the module.

    Raises, when called:
        UsageError: there is no current run.
    """
    method = getattr(Run, name)

    @functools.wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(active(name), name)(*arguments, **options)

    return call


alert = _of_current("alert")
define_metric = _of_current("define_metric")
link_artifact = _of_current("link_artifact")
link_model = _of_current("link_model")
log_artifact = _of_current("log_artifact")
log_code = _of_current("log_code")
log_model = _of_current("log_model")
mark_preempting = _of_current("mark_preempting")
restore = _of_current("restore")
save = _of_current("save")
unwatch = _of_current("unwatch")
use_artifact = _of_current("use_artifact")
use_model = _of_current("use_model")
watch = _of_current("watch")


def login(*_: Any, **__: Any) -> bool:
    """W&B's; there is nobody to log in to, so this always succeeds."""
    return True


def termlog(string: str = "", *_: Any, **__: Any) -> None:
    """Print a line behind `tracker: ` on stderr."""
    report.say([records.clean(string)])


def termwarn(string: str, *_: Any, **__: Any) -> None:
    """Print a warning behind `tracker: ` on stderr."""
    report.say([f"WARNING {records.clean(string)}"])
