"""tracker: log training runs to plain files, shaped like W&B's Run.

    import tracker

    with tracker.init(project="mnist", config={"lr": 0.01}) as run:
        for epoch in range(10):
            run.log({"loss": ...})

Every call appends a line to `runs/<project>/run-<time>-<id>.jsonl`; there is no server, no daemon and no network.
`tracker-tui` shows the runs live.

`tracker.run` is the current run or None; `tracker.config` and `tracker.summary` are its own. Nothing but this file is
imported until something is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker import _exit as _exit  # must hear `sys.exit` from the first moment on

if TYPE_CHECKING:
    from tracker import integration, plot
    from tracker._run import (
        AlertLevel,
        Run,
        alert,
        define_metric,
        finish,
        log,
        log_artifact,
        log_code,
        login,
        mark_preempting,
        restore,
        save,
        termlog,
        termwarn,
        unwatch,
        use_artifact,
        watch,
    )
    from tracker.api import Api
    from tracker.artifacts import Artifact
    from tracker.errors import ChecksumError, ConfigError, Error, UsageError
    from tracker.histogram import Histogram
    from tracker.mappings import Config, Summary
    from tracker.media import Audio, Html, Image, Object3D, Plotly, Video
    from tracker.settings import Settings, setup
    from tracker.standin import as_wandb
    from tracker.starting import create_run, init
    from tracker.table import Table

    run: Run | None
    config: Config
    summary: Summary

__version__ = "0.1.0"

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "Audio",
    "ChecksumError",
    "Config",
    "ConfigError",
    "Error",
    "Histogram",
    "Html",
    "Image",
    "Object3D",
    "Plotly",
    "Run",
    "Settings",
    "Summary",
    "Table",
    "UsageError",
    "Video",
    "alert",
    "as_wandb",
    "config",
    "create_run",
    "define_metric",
    "finish",
    "init",
    "integration",
    "log",
    "log_artifact",
    "log_code",
    "login",
    "mark_preempting",
    "plot",
    "restore",
    "run",
    "save",
    "setup",
    "summary",
    "termlog",
    "termwarn",
    "unwatch",
    "use_artifact",
    "watch",
]

_HOMES = {
    "AlertLevel": "tracker._run",
    "Api": "tracker.api",
    "Artifact": "tracker.artifacts",
    "ChecksumError": "tracker.errors",
    "Config": "tracker.mappings",
    "Summary": "tracker.mappings",
    "ConfigError": "tracker.errors",
    "Error": "tracker.errors",
    "Histogram": "tracker.histogram",
    **dict.fromkeys(("Audio", "Html", "Image", "Object3D", "Plotly", "Video"), "tracker.media"),
    "Run": "tracker._run",
    "Settings": "tracker.settings",
    "Table": "tracker.table",
    "UsageError": "tracker.errors",
    "alert": "tracker._run",
    "as_wandb": "tracker.standin",
    "create_run": "tracker.starting",
    "define_metric": "tracker._run",
    "finish": "tracker._run",
    "init": "tracker.starting",
    "log": "tracker._run",
    "log_artifact": "tracker._run",
    "log_code": "tracker._run",
    "login": "tracker._run",
    "mark_preempting": "tracker._run",
    "restore": "tracker._run",
    "save": "tracker._run",
    "setup": "tracker.settings",
    "termlog": "tracker._run",
    "termwarn": "tracker._run",
    "unwatch": "tracker._run",
    "use_artifact": "tracker._run",
    "watch": "tracker._run",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    if name in ("integration", "plot"):
        return import_module(f"tracker.{name}")
    if name in ("run", "config", "summary"):
        module = import_module("tracker._run")
        return module.current if name == "run" else getattr(module.active(name), name)
    raise AttributeError(f"module 'tracker' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
