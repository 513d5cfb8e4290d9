"""Callbacks for those who train with a framework, one module each; importing one imports its framework.

    tracker.integration.huggingface.TrackerCallback     Trainer(callbacks=[TrackerCallback(project="p")])
    tracker.integration.lightning.TrackerLogger         Trainer(logger=TrackerLogger(project="p"))
    tracker.integration.keras.TrackerCallback           model.fit(callbacks=[TrackerCallback()])
    tracker.integration.xgboost.TrackerCallback         xgboost.train(callbacks=[TrackerCallback()])
    tracker.integration.lightgbm.tracker_callback       lightgbm.train(callbacks=[tracker_callback()])
    tracker.integration.sb3.TrackerCallback             model.learn(callback=TrackerCallback())

The last four log to the current run, `tracker.init` coming before them; the first two start one where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from tracker._run import Run

__all__ = ["huggingface", "keras", "lightgbm", "lightning", "sb3", "xgboost"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        from importlib import import_module

        return import_module(f"tracker.integration.{name}")
    raise AttributeError(f"module 'tracker.integration' has no attribute {name!r}")


def current(needed_by: str) -> Run:
    """The current run.

    Raises:
        UsageError: there is none.
    """
    from tracker import _run

    if _run.current is None:
        raise UsageError(f"call init() before {needed_by}")
    return _run.current


def lacks(module: str, package: str) -> ImportError:
    """What to raise where a framework is missing."""
    return ImportError(f"tracker.integration.{module} needs {package}: pip install {package}")


def best_of(name: str) -> Any:
    """What the summary is to keep of a metric of boosted trees: `min`, `max`, or None for its last value."""
    word = name.lower().partition("@")[0]
    if "loss" in word or word in _SMALL:
        return "min"
    return "max" if word in _LARGE else None


_SMALL = {"rmse", "rmsle", "mae", "mape", "mphe", "error", "merror", "l1", "l2", "huber", "fair", "poisson", "gamma"}
_LARGE = {"auc", "aucpr", "ndcg", "map", "average_precision"}
