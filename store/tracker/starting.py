"""From the arguments of `init` to a run: what holds, whether it is sound, and what an earlier run hands on."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from typing import Any, Final, Literal

from tracker import _run, capture, environment, layout, records, report, system
from tracker._run import Run
from tracker.catalog import Catalog
from tracker.errors import ConfigError, Error, UsageError
from tracker.journal import Writer
from tracker.mappings import config_values
from tracker.names import next_name
from tracker.records import Record, encode, plain
from tracker.replay import RunState
from tracker.secrets import MASK, mask_config
from tracker.settings import Settings, is_yes, resolve, said
from tracker.stored import Key, StoredRun

Mode = Literal["online", "offline", "dryrun", "shared", "disabled"]
MODES: Final = ("online", "offline", "dryrun", "shared", "disabled")
RESUMES: Final = ("allow", "must", "never", "auto")
REINITS: Final = ("default", "return_previous", "finish_previous", "create_new")

WITHOUT_EFFECT: Final = frozenset({"anonymous", "force", "magic", "monitor_gym"})
"""Arguments of W&B that are taken without a word: they are about its server, or do not change what is logged."""

_MOMENT: Final = re.compile(r"(?P<id>[^?]+)\?_step=(?P<step>\d+)")


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002 - W&B's words
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: Iterable[str] | None = None,
    config: Any = None,
    config_exclude_keys: Iterable[str] | None = None,
    config_include_keys: Iterable[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: Mode | None = None,
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    settings: Settings | dict[str, Any] | None = None,
    console: str | None = None,
    save_code: bool | None = None,
    sync_tensorboard: bool | None = None,
    tensorboard: bool | None = None,
    **others: Any,
) -> Run:
    """Start a run and make it the current one.

    What is None is taken from `settings`, else the environment (`TRACKER_PROJECT` ... else `WANDB_PROJECT` ...), else
    the settings file; see `tracker.settings`.

    Args:
        entity: the team or person the run belongs to; only a field here.
        project: the folder of runs it is kept in; default `Uncategorized`, created on first use.
        dir: the root of all projects; default the environment's `TRACKER_DIR`, else `./runs`.
        id: unique in the project; default eight random characters of a-z0-9. One that was used before starts anew
            without `resume`.
        name: shown everywhere, may be changed at any time; default adjective-noun-N.
        notes: a longer description.
        tags: labels of 1 to 64 characters.
        config: settings of the run: a mapping, an `argparse.Namespace`, anything with attributes, or the path of a JSON
            or YAML file (YAML needs PyYAML).
        config_exclude_keys: leave these keys of `config` out.
        config_include_keys: take only these.
        allow_val_change: let a resumed run's config change its values; default True when `config` is given here.
        group: runs that belong together, e.g. the folds of a cross-validation.
        job_type: the run's role in its group, e.g. `train`.
        mode: `disabled` writes nothing; every other mode of W&B logs to the files.
        reinit: when a run is active: `return_previous` (default; False) gives it back, `finish_previous` (True; the
            default in notebooks) ends it first, `create_new` starts another beside it and leaves `tracker.run` alone.
        resume: go on with an earlier run: `allow` if the `id` exists, `must` or an error, `never` and an error if it
            does, `auto` (True) the newest run of this program's folder that did not finish. Step, summary, config and
            history continue.
        resume_from: `ID?_step=N`: go on with a run from an earlier step; later rows are left behind.
        fork_from: `ID?_step=N`: a new run that begins with another's history up to a step.
        settings: these arguments bundled; also `x_stats_sampling_interval`, seconds between two samples of the machine
            (default 10, at least 0.1), and `x_disable_stats`, True for none.
        console: what the process prints is kept beside the run: `wrap` (default; `auto`) hears Python's streams,
            `redirect` the file descriptors, and so C code and child processes, `off` nothing.
        save_code: keep a copy of the program in the run's folder; see `Run.log_code` for more than that.
        sync_tensorboard: log what TensorBoard writers of this process write; see `tracker.tensorboard`.
        tensorboard: the same, as W&B called it once.
        others: arguments of W&B that have no meaning here are accepted, unknown ones with one warning.

    Returns:
        The run.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value; the message names it.
        UsageError: the run to go on with does not exist, or the one to be new does.
        Error: the run to go on with cannot be read.
    """
    given = resolve(
        {
            "entity": entity, "project": project, "dir": dir, "id": id, "name": name, "notes": notes, "tags": tags,
            "config": config, "group": group, "job_type": job_type, "mode": mode, "reinit": reinit, "resume": resume,
            "resume_from": resume_from, "fork_from": fork_from, "console": console,
            "save_code": save_code, "sync_tensorboard": sync_tensorboard or tensorboard,
            "x_stats_sampling_interval": None, "x_disable_stats": None,
        },
        settings,
    )  # fmt: skip
    if resume is None and (resume_from or fork_from):  # said here, against the environment
        given["resume"] = None
    reinit = _check_reinit(given["reinit"])
    active = _run.current
    if active is not None and not active.is_over:
        if reinit == "return_previous":
            say = f"WARNING run {records.clean(active.name)} is active: init() gave it back (reinit= has other ways)"
            report.say([say])
            return active
        if reinit == "finish_previous":
            active.finish()
    if unknown := sorted(set(others) - WITHOUT_EFFECT):
        report.say([f"WARNING init() does not know {', '.join(unknown)}: ignored"])
    values = _chosen(config_values(given["config"]), config_exclude_keys, config_include_keys)
    run = _start(given, values, allow_val_change)
    run._said = said(settings)
    if reinit != "create_new":
        _run.current = run
    if is_yes(given["sync_tensorboard"]):
        from tracker import tensorboard as hooks

        hooks.sync(run)
    return run


def create_run(
    project: str | None = None,
    *,
    id: str | None = None,  # noqa: A002
    dir: str | os.PathLike[str] | None = None,  # noqa: A002
    **arguments: Any,
) -> str:
    """Put a run down as pending, for a scheduler to start later: the job that calls `init` with this id, or finds it in
    `TRACKER_RUN_ID`, becomes it, name, config, tags, notes and group included.

    Args:
        project: as for `init`.
        id: as for `init`.
        dir: as for `init`.
        arguments: entity, name, notes, tags, config, group and job_type as for `init`.

    Returns:
        The run's id.

    Raises:
        TypeError, ValueError: an argument has the wrong type or value; the message names it.
        UsageError: there is a run of that id.
        OSError: it cannot be written.
    """
    if strange := set(arguments) - {"entity", "name", "notes", "tags", "config", "group", "job_type"}:
        raise TypeError(f"create_run() does not know {', '.join(sorted(strange))}")
    empty = dict.fromkeys(("entity", "name", "notes", "tags", "config", "group", "job_type"))
    given = resolve({**empty, **arguments, "project": project, "dir": dir}, None) | {"id": id}
    start = _start_record(given, mask_config(config_values(given["config"])))
    folder = os.path.join(layout.resolve_root(given["dir"]), layout.file_name(start["project"]))
    if id is not None:
        known = Catalog(folder, is_project=True, only_id=layout.file_name(id))
        known.refresh()
        if known.runs:
            raise UsageError(f"there is a run {id!r} in {start['project']} already")
    start |= {"pending": True}
    if "name" not in start:
        start["name"] = next_name(folder)
    writer = Writer(folder, layout.segment_names(start["id"], start["_timestamp"]))
    try:
        writer.append(encode(plain(start, 2 * records.MAX_DEPTH)[0]))
    finally:
        writer.close()
    return str(start["id"])


def _start(given: dict[str, Any], values: dict[str, Any], allow_val_change: bool | None) -> Run:
    root = layout.resolve_root(_check_dir(given["dir"]))
    mode = given["mode"]
    if mode is not None and mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)} (got {mode!r})")
    if given["console"] is not None and given["console"] not in capture.WAYS:
        raise ValueError(f"console must be one of {', '.join(capture.WAYS)} (got {given['console']!r})")
    resume = _check_resume(given)
    every = system.interval(given["x_stats_sampling_interval"], given["x_disable_stats"])
    start = _start_record(given, values)
    if mode == "disabled":
        return Run(root, start, write=False)
    needs_others = given["resume_from"] or given["fork_from"] or resume == "auto"
    only_id = None if needs_others or given["id"] is None else layout.file_name(given["id"])
    project = Catalog(os.path.join(root, layout.file_name(start["project"])), is_project=True, only_id=only_id)
    earlier = _earlier(project, start, given, resume)
    known = _known(project, start, start["id"])
    if known is not None:  # a clock that went back must not make the new journal older than this one or its edits
        start["_timestamp"] = max(start["_timestamp"], known.last_change + 0.001)
    if earlier is not None:
        _hand_on(project, earlier, start, given, allow_val_change)
    elif resume == "allow":
        start["joins"] = True  # another process may begin it in this very moment
    run = Run(root, start, write=True, console=capture.WAYS[given["console"] or "wrap"])
    if is_yes(given["save_code"]):
        from tracker.saving import save_program

        save_program(run, start.get("program"))
    if every is not None:
        system.sampler.begin(run, every)
    return run


# ---- what an earlier run hands on ----


def _earlier(project: Catalog, start: Record, given: dict[str, Any], resume: str | None) -> StoredRun | None:
    """The run to go on with, if any; sets the id where it comes from there.

    Raises:
        UsageError: it does not exist, or exists and should not.
        Error: it cannot be read now. A run that went on without it would hide what it was.
    """
    moment = given["resume_from"] or given["fork_from"]
    if moment is None and resume is None and given["id"] is None:
        return None  # nothing to look for: the usual case reads no other run
    project.refresh()
    if moment is not None:
        wanted = _check_moment(moment)[0]
        found = _surely_known(project, start, wanted)
        if found is None:
            raise UsageError(f"there is no run {wanted!r} in {start['project']} to go on from")
        if given["resume_from"]:
            if given["id"] not in (None, wanted):
                raise ValueError(f"id {given['id']!r} and resume_from {moment!r} name different runs")
            start["id"] = wanted
        return found
    if resume == "auto" and given["id"] is None:
        folder = environment.program_folder()
        found = next((run for run in project.newest_first() if _was_interrupted(run, folder)), None)
        start["id"] = found.id if found is not None else start["id"]
        return found
    found = (_surely_known if resume else _known)(project, start, start["id"])
    if resume == "must" and found is None:
        raise UsageError(f"resume='must': there is no run {start['id']!r} in {start['project']}")
    is_pending = found is not None and found.state == "pending"
    if resume == "never" and found is not None and not is_pending:
        raise UsageError(f"resume='never': there is a run {start['id']!r} in {start['project']} already")
    return found if is_pending or resume in ("allow", "must", "auto") else None


def _known(project: Catalog, start: Record, run_id: str) -> StoredRun | None:
    """The run of an id in the project that is started in."""
    return project.runs.get(_key(start, run_id))


def _surely_known(project: Catalog, start: Record, run_id: str) -> StoredRun | None:
    """The same, where all that there is of it was read; another process may just begin to write of it."""
    before = ""
    while unread := project.unread(_key(start, run_id)):
        if unread == before:
            raise Error(f"cannot read {records.clean(unread)}, which is needed to go on with run {run_id!r}")
        before = unread
        project.refresh()
    return _known(project, start, run_id)


def _key(start: Record, run_id: str) -> Key:
    return Key(layout.file_name(start["project"]), layout.file_name(run_id))


def _was_interrupted(run: StoredRun, folder: str | None) -> bool:
    program = run.start.get("program")
    there = os.path.dirname(program) if isinstance(program, str) else run.start.get("cwd")
    return run.state in ("failed", "killed", "crashed") and there == folder


def _hand_on(project: Catalog, earlier: StoredRun, start: Record, given: dict[str, Any], allow: bool | None) -> None:
    """Give the new segment the state that it goes on from, so that it alone is enough to list the run."""
    if moment := given["resume_from"] or given["fork_from"]:
        step = _check_moment(moment)[1]
        state: RunState = project.state_at(earlier, step)
        start["from_step"] = step
    else:
        state = earlier
    if given["fork_from"]:
        start["fork_of"] = earlier.id
        start["fork_file"] = os.path.basename(earlier.path)  # what has its id later is another run
        state.name = ""
    else:
        start["resumed"] = earlier.state != "pending"
        start["created"] = earlier.created if start["resumed"] else start["_timestamp"]
    for field in ("entity", "group", "job_type"):
        start.setdefault(field, getattr(state, field))
    if given["name"] is None and state.name:
        start["name"] = state.name
    if given["tags"] is None:
        start["tags"] = list(state.tags)
    if given["notes"] is None:
        start["notes"] = state.notes
    config = {**state.config, **start["config"]}
    if masked := [key for key, value in config.items() if value == MASK]:
        report.say([f"WARNING config.{records.clean(masked[0])} looked secret and was not kept: give it again"])
    if allow is False:
        known = mask_config(config)
        changed = [key for key in state.config if key in start["config"] and known[key] != state.config[key]]
        if changed:
            raise ConfigError(f"config.{changed[0]} of the earlier run has another value and allow_val_change is False")
    start["config"] = config
    start["state"] = state.handed_on()


# ---- arguments ----


def _start_record(given: dict[str, Any], values: dict[str, Any]) -> Record:
    """The fields of `start` that the arguments say."""
    project = layout.DEFAULT_PROJECT if given["project"] is None else layout.check_project(given["project"])
    run_id = layout.new_id() if given["id"] is None else layout.check_id(given["id"])
    texts = {argument: given[argument] for argument in ("entity", "name", "notes", "group", "job_type")}
    for argument, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{argument} must be a string, not {type(value).__name__}")
    return {
        "_type": records.START,
        "_timestamp": time.time(),
        "format": records.FORMAT,
        "id": run_id,
        "project": project,
        "tags": _run.check_tags(given["tags"]),
        "config": values,
        **{argument: value for argument, value in texts.items() if value and records.clean(value).strip()},
    }


def _check_dir(given: object) -> str | os.PathLike[str] | None:
    if given is not None and not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"dir must be a path, not {type(given).__name__}")
    if given is not None and "\0" in os.fsdecode(given):
        raise ValueError("dir must not contain a NUL character")
    return given


def _check_reinit(given: object) -> str:
    if given is None or given == "default":
        return "finish_previous" if _is_notebook() else "return_previous"
    if isinstance(given, bool):
        return "finish_previous" if given else "return_previous"
    if given not in REINITS:
        raise ValueError(f"reinit must be a bool or one of {', '.join(REINITS)} (got {given!r})")
    return str(given)


def _is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


def _check_resume(given: dict[str, Any]) -> str | None:
    ways = [way for way in ("resume", "resume_from", "fork_from") if given[way] not in (None, False)]
    if len(ways) > 1:
        raise ValueError(f"{' and '.join(ways)} exclude each other")
    resume = given["resume"]
    if resume in (None, False, ""):
        return None
    if resume is True or resume in ("true", "True", "1"):
        return "auto"
    if resume not in RESUMES:
        raise ValueError(f"resume must be a bool or one of {', '.join(RESUMES)} (got {resume!r})")
    if resume == "must" and given["id"] is None:
        raise ValueError("resume='must' needs an id")
    return str(resume)


def _check_moment(given: object) -> tuple[str, int]:
    """(id, step) of `ID?_step=N`."""
    match = _MOMENT.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError(f"resume_from and fork_from look like 'ID?_step=N' (got {given!r})")
    return layout.check_id(match["id"]), int(match["step"])


def _chosen(values: dict[str, Any], exclude: Iterable[str] | None, include: Iterable[str] | None) -> dict[str, Any]:
    for argument, keys in (("config_exclude_keys", exclude), ("config_include_keys", include)):
        if keys is not None and (isinstance(keys, str) or not isinstance(keys, Iterable)):
            raise TypeError(f"{argument} must be a sequence of strings, not {type(keys).__name__}")
    if exclude is not None and include is not None:
        raise ValueError("config_exclude_keys and config_include_keys exclude each other")
    left_out = set(exclude or ())
    kept = values.keys() if include is None else set(include)
    return {key: value for key, value in values.items() if key in kept and key not in left_out}
