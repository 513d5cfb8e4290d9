"""What holds where the call does not say: defaults < settings file < environment < `settings=` < arguments.

settings file    tracker/settings.toml in $XDG_CONFIG_HOME, default ~/.config; keys as `init` has them
environment      TRACKER_PROJECT and so on; where it is not set, WANDB_PROJECT and so on
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from tracker.errors import missing

VARIABLES: Final = {
    "project": "PROJECT",
    "entity": "ENTITY",
    "name": "NAME",
    "notes": "NOTES",
    "tags": "TAGS",
    "id": "RUN_ID",
    "group": "RUN_GROUP",
    "job_type": "JOB_TYPE",
    "resume": "RESUME",
    "mode": "MODE",
    "console": "CONSOLE",
    "save_code": "SAVE_CODE",
    "x_stats_sampling_interval": "SYSTEM",
}
"""Argument of `init` -> the variable's name behind `TRACKER_` or `WANDB_`."""

SYNONYMS: Final = {f"run_{name}": name for name in ("name", "notes", "tags", "id", "group", "job_type")}
"""What W&B's settings call some of the arguments."""


_WORDS: Final = (
    "anonymous api_key base_url code_dir config_paths console disable_code disable_git docker email entity "
    "files_dir force fork_from git_commit git_remote git_remote_url git_root host ignore_globs init_timeout "
    "job_name label_disable log_dir log_internal log_user login_timeout mode notebook_name organization "
    "program program_abspath program_relpath project project_url quiet reinit relogin resume resume_from "
    "resumed root_dir run_group run_id run_job_type run_name run_notes run_tags run_url save_code show_errors "
    "show_info show_warnings silent start_method strict sweep_id sweep_url symlink sync_dir sync_file "
    "sync_tensorboard table_raise_on_max_row_limit_exceeded username wandb_dir _noop _offline "
)
UNSAID: Final = frozenset(_WORDS.split())
"""Settings of W&B's that programs read; None where nobody has said them, like all whose names begin with `x_`."""

LOCAL: Final = "local"
"""What is told as the key of W&B's server: programs that find none do not log at all."""

_shared: dict[str, Any] = {}
"""What `setup` was told."""


class Settings:
    """Arguments of `init` bundled, e.g. `Settings(project="mnist", run_name="a")`; others of W&B's are kept unused."""

    def __getattr__(self, name: str) -> Any:
        if name in UNSAID or name.startswith("x_"):
            return None
        raise AttributeError(missing(f"Settings.{name}"), name=name, obj=self)

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"


class Setup:
    """What `setup` gives.

    Attributes:
        settings: what holds for runs that say nothing else.
    """

    @property
    def settings(self) -> Settings:
        words = {name: synonym for synonym, name in SYNONYMS.items()}
        found = resolve(dict.fromkeys(VARIABLES), None)
        mode = "disabled" if found.pop("mode") == "disabled" else "offline"
        known = {words.get(name, name): value for name, value in found.items()}
        return Settings(
            **{**_shared, **known, "mode": mode, "_offline": True, "_noop": mode == "disabled", "api_key": LOCAL}
        )


def setup(settings: object = None, **_: Any) -> Setup:
    """Say settings for all runs that this process begins from now on; those of `init` itself go before them.

    Raises:
        TypeError: `settings` is neither a mapping nor an object with attributes.
    """
    _shared.update(said(settings))
    return Setup()


def variable(name: str) -> str | None:
    """The environment's `TRACKER_<name>`, else `WANDB_<name>`; an empty one counts as not set."""
    return os.environ.get("TRACKER_" + name) or os.environ.get("WANDB_" + name) or None


def is_set(name: str) -> bool:
    """Whether the environment says yes to `SILENT`, `QUIET`, `DISABLED` or `DISABLE_GIT`."""
    return is_yes(variable(name))


def is_yes(value: object) -> bool:
    """Whether a setting says yes; None, False, and words like `no` and `off` do not."""
    return value is not None and str(value).lower() not in ("", "0", "false", "no", "off")


def resolve(arguments: Mapping[str, Any], settings: object) -> dict[str, Any]:
    """The arguments of `init`, those that are None taken from where else they are said.

    Raises:
        TypeError: `settings` is neither a mapping nor an object with attributes.
    """
    bundled = {SYNONYMS.get(key, key): value for key, value in said(settings).items()}
    file = _settings_file()
    resolved = {}
    for name, value in arguments.items():
        if value is None:
            value = bundled.get(name)
        if value is None and name in VARIABLES:
            value = variable(VARIABLES[name])
            if value is not None and name == "tags":
                value = [tag.strip() for tag in value.split(",") if tag.strip()]
        resolved[name] = file.get(name) if value is None else value
    if is_set("DISABLED") and arguments.get("mode") is None and bundled.get("mode") is None:
        resolved["mode"] = "disabled"
    return resolved


def said(settings: object) -> dict[str, Any]:
    """What settings say, and else `setup` did.

    Raises:
        TypeError: they are neither a mapping nor an object with attributes.
    """
    if settings is None:
        return dict(_shared)
    if not isinstance(settings, Mapping):
        if not hasattr(settings, "__dict__"):
            raise TypeError(f"settings must be a mapping or Settings, not {type(settings).__name__}")
        settings = vars(settings)
    return {**_shared, **{key: value for key, value in settings.items() if value is not None}}


def _settings_file() -> dict[str, Any]:
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    path = os.path.join(folder, "tracker", "settings.toml")
    try:
        with open(path, "rb") as file:
            import tomllib  # only where there is such a file

            return tomllib.load(file)
    except OSError:
        return {}
    except ValueError as error:
        from tracker import report

        report.say([f"WARNING {path} is not TOML ({error}): ignored"])
        return {}
