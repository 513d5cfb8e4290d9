"""What holds where the call does not say: defaults < settings file < environment < `settings=` < arguments.

settings file    tracker/settings.toml in $XDG_CONFIG_HOME, default ~/.config; keys as `init` has them
environment      TRACKER_PROJECT and so on; where it is not set, WANDB_PROJECT and so on
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

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


class Settings:
    """Arguments of `init` bundled, e.g. `Settings(project="mnist", run_name="a")`; others of W&B's are kept unused."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"


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
    bundled = _bundled(settings)
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


def _bundled(settings: object) -> dict[str, Any]:
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        if not hasattr(settings, "__dict__"):
            raise TypeError(f"settings must be a mapping or Settings, not {type(settings).__name__}")
        settings = vars(settings)
    return {SYNONYMS.get(key, key): value for key, value in settings.items()}


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
