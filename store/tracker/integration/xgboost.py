"""xgboost: `xgboost.train(..., callbacks=[TrackerCallback()])`, after `tracker.init`."""

from __future__ import annotations

import json
import os
from typing import Any

from tracker import integration, plot
from tracker.artifacts import Artifact
from tracker.table import Table

try:
    from xgboost.callback import TrainingCallback
except ImportError:
    raise integration.lacks("xgboost", "xgboost") from None


class TrackerCallback(TrainingCallback):
    """Logs the booster's settings as config, every metric each round, and the best score.

    Args:
        log_model: keep the trained model as an artifact.
        log_feature_importance: log it as a chart at the end.
        importance_type: weight, gain, cover, total_gain or total_cover.
        define_metric: let the summary keep the best value of metrics that are known, not the last.

    Raises:
        UsageError: there is no current run.
    """

    def __init__(
        self,
        log_model: bool = False,
        log_feature_importance: bool = True,
        importance_type: str = "gain",
        define_metric: bool = True,
    ) -> None:
        super().__init__()
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric
        integration.current("TrackerCallback()")

    def before_training(self, model: Any) -> Any:
        if hasattr(model, "save_config"):  # in `cv` there are several
            integration.current("training").config.update(json.loads(model.save_config()), allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[Any]]]) -> bool:
        run = integration.current("training")
        row: dict[str, Any] = {"epoch": epoch}
        for data, metrics in evals_log.items():
            for name, values in metrics.items():
                if self.define_metric and (best := integration.best_of(name)):
                    run.define_metric(f"{data}-{name}", summary=best)
                last = values[-1]
                row[f"{data}-{name}"] = last[0] if isinstance(last, tuple) else last  # of `cv`: mean, deviation
        self.define_metric = False
        run.log(row)
        return False

    def after_training(self, model: Any) -> Any:
        run = integration.current("training")
        if self.log_model and hasattr(model, "save_model"):
            path = os.path.join(run.dir, f"{run.id}_model.json")
            model.save_model(path)
            artifact = Artifact(os.path.basename(path), "model")
            artifact.add_file(path)
            run.log_artifact(artifact)
        if self.log_feature_importance and hasattr(model, "get_score"):
            scores = model.get_score(importance_type=self.importance_type)
            table = Table(["Feature", "Importance"], [[name, score] for name, score in scores.items()])
            run.log({"Feature Importance": plot.bar(table, "Feature", "Importance", title="Feature Importance")})
        if (score := model.attr("best_score")) is not None:
            run.log({"best_score": float(score), "best_iteration": int(model.attr("best_iteration"))})
        return model


def wandb_callback() -> TrackerCallback:
    """W&B's older name for the callback."""
    return TrackerCallback(log_feature_importance=False)
