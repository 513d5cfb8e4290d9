"""lightgbm: `lightgbm.train(..., callbacks=[tracker_callback()])`, then `log_summary(model)`, after `tracker.init`."""

from __future__ import annotations

import os
from typing import Any

from tracker import integration, plot
from tracker.artifacts import Artifact
from tracker.table import Table

try:
    from lightgbm import Booster
except (ImportError, OSError) as error:  # it needs the system's OpenMP too
    raise integration.lacks("lightgbm", "lightgbm") from error


class _Callback:
    order = 20
    """After lightgbm's own, which fill in what is logged."""
    before_iteration = False

    def __init__(self, log_params: bool, define_metric: bool) -> None:
        self._log_params, self._define_metric = log_params, define_metric

    def __call__(self, env: Any) -> None:
        run = integration.current("training")
        if env.iteration == env.begin_iteration and self._log_params:
            run.config.update(env.params, allow_val_change=True)
        row: dict[str, Any] = {"iteration": env.iteration}
        for data, name, value, _, *deviation in env.evaluation_result_list or ():
            if deviation:  # of `cv`
                data, name = name.split(" ", 1) if data == "cv_agg" else (data, name)
                row |= {f"{data}_{name}-mean": value, f"{data}_{name}-stdv": deviation[0]}
            else:
                row[f"{data}_{name}"] = value
            if env.iteration == env.begin_iteration and self._define_metric and (best := integration.best_of(name)):
                run.define_metric(f"{data}_{name}-mean" if deviation else f"{data}_{name}", summary=best)
        run.log(row)


def tracker_callback(log_params: bool = True, define_metric: bool = True) -> Any:
    """A callback that logs every metric each round.

    Args:
        log_params: keep the parameters of training as config.
        define_metric: let the summary keep the best value of metrics that are known, not the last.

    Raises, when training begins:
        UsageError: there is no current run.
    """
    return _Callback(log_params, define_metric)


def log_summary(model: Any, feature_importance: bool = True, save_model_checkpoint: bool = False) -> None:
    """Log what came of a training: the best round and scores, into the summary.

    Args:
        model: the booster.
        feature_importance: log it as a chart.
        save_model_checkpoint: keep the model as an artifact with the alias `best`.

    Raises:
        UsageError: there is no current run.
        TypeError: `model` is no booster.
    """
    run = integration.current("log_summary()")
    if not isinstance(model, Booster):
        raise TypeError(f"model must be a lightgbm.Booster, not {type(model).__name__}")
    run.summary["best_iteration"] = model.best_iteration
    run.summary["best_score"] = {data: dict(scores) for data, scores in model.best_score.items()}
    if feature_importance:
        importance = zip(model.feature_name(), model.feature_importance().tolist(), strict=True)
        table = Table(["Feature", "Importance"], importance)
        run.log({"Feature Importance": plot.bar(table, "Feature", "Importance", title="Feature Importance")})
    if save_model_checkpoint:
        path = os.path.join(run.dir, f"model_ckpt_{model.best_iteration}.txt")
        model.save_model(path, num_iteration=model.best_iteration)
        artifact = Artifact(f"model_{run.id}", "model")
        artifact.add_file(path)
        run.log_artifact(artifact, aliases=["best"])
