"""Keras 3: `model.fit(..., callbacks=[TrackerCallback()])`, after `tracker.init`."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

from tracker import integration
from tracker.artifacts import Artifact
from tracker.table import Table

try:
    from keras.callbacks import Callback, ModelCheckpoint
except ImportError:
    raise integration.lacks("keras", "keras") from None


class TrackerCallback(Callback):
    """Logs the metrics and the learning rate of every epoch as `epoch/...`, or of batches as `batch/...`.

    Args:
        log_freq: `epoch`, `batch`, or the number of batches between two rows.
        initial_global_step: the batch that training goes on from.

    Raises:
        UsageError: there is no current run.
    """

    def __init__(self, log_freq: str | int = "epoch", initial_global_step: int = 0) -> None:
        super().__init__()
        run = integration.current("TrackerCallback()")
        self.every = 1 if log_freq == "batch" else log_freq if isinstance(log_freq, int) else 0
        self.global_step = initial_global_step
        axis = "batch/batch_step" if self.every else "epoch/epoch"
        run.define_metric(axis)
        run.define_metric(f"{axis.partition('/')[0]}/*", step_metric=axis)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row = {f"epoch/{name}": value for name, value in (logs or {}).items()}
        integration.current("fit()").log({**row, "epoch/epoch": epoch, **self._rate("epoch")})

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.every and batch % self.every == 0:
            row = {f"batch/{name}": value for name, value in (logs or {}).items()}
            integration.current("fit()").log({**row, "batch/batch_step": self.global_step, **self._rate("batch")})
        self.global_step += 1

    def _rate(self, of: str) -> dict[str, float]:
        rate = getattr(self.model.optimizer, "learning_rate", None)  # a schedule's as of now
        return {} if rate is None else {f"{of}/learning_rate": float(rate)}


class TrackerModelCheckpoint(ModelCheckpoint):
    """Keras' `ModelCheckpoint`, whose files are kept as versions of the artifact `run_<id>_model` too.

    Args:
        arguments: those of `keras.callbacks.ModelCheckpoint`, as all others.

    Raises:
        UsageError: there is no current run.
    """

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **others)
        integration.current("TrackerModelCheckpoint()")

    def _save_model(self, epoch: int, batch: int | None = None, logs: dict[str, Any] | None = None) -> None:
        path = self._get_file_path(epoch, batch, logs)
        before = _time(path)
        super()._save_model(epoch, batch, logs)
        if _time(path) != before:  # with `save_best_only` often nothing is saved
            run = integration.current("fit()")
            artifact = Artifact(f"run_{run.id}_model", "model")
            (artifact.add_dir if os.path.isdir(path) else artifact.add_file)(path)
            run.log_artifact(artifact, aliases=[f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"])


class TrackerEvalCallback(Callback):
    """Base of callbacks that put what a model predicts into tables, after every epoch.

    `add_ground_truth` fills `data_table` once, `add_model_predictions` fills `pred_table` each time; `data_table_ref`
    is the former, once it is logged.

    Args:
        data_table_columns: names of columns of the truth.
        pred_table_columns: names of columns of the predictions.

    Raises:
        UsageError: there is no current run.
    """

    def __init__(self, data_table_columns: list[str], pred_table_columns: list[str]) -> None:
        super().__init__()
        integration.current("TrackerEvalCallback()")
        self.data_table_columns, self.pred_table_columns = data_table_columns, pred_table_columns

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.data_table = Table(self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.pred_table = Table(self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    @abstractmethod
    def add_ground_truth(self, logs: dict[str, Any] | None = None) -> None:
        """Fill `data_table`."""

    @abstractmethod
    def add_model_predictions(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Fill `pred_table`."""

    def log_data_table(self, name: str = "val", type: str = "dataset", table_name: str = "val_data") -> None:  # noqa: A002
        """Keep the truth as an artifact that the run uses."""
        artifact = Artifact(name, type)
        artifact.add(self.data_table, table_name)
        integration.current("fit()").use_artifact(artifact)
        self.data_table_ref = self.data_table

    def log_pred_table(
        self, type: str = "evaluation", table_name: str = "eval_data", aliases: list[str] | None = None  # noqa: A002
    ) -> None:  # fmt: skip
        """Keep the predictions as the next version of an artifact."""
        run = integration.current("fit()")
        artifact = Artifact(f"run_{run.id}_pred", type)
        artifact.add(self.pred_table, table_name)
        run.log_artifact(artifact, aliases=aliases)


class WandbCallback(Callback):
    """W&B's older callback: metrics of every epoch under their own names, the best one in the summary, its model kept.

    Args:
        monitor: the metric that tells which epoch is best.
        mode: `min`, `max`, or `auto`: by the metric's name.
        save_model: keep the best epoch's model as `model-best.keras` in the run's folder.
        others: W&B's; without effect.

    Raises:
        UsageError: there is no current run.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", save_model: bool = True, **others: Any
    ) -> None:  # fmt: skip
        super().__init__()
        integration.current("WandbCallback()")
        self.monitor, self.save_model = monitor, save_model
        self.sign = -1.0 if mode == "max" or (mode == "auto" and ("acc" in monitor or "auc" in monitor)) else 1.0
        self.best: float | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        run, row = integration.current("fit()"), logs or {}
        run.log({**row, "epoch": epoch})
        value = row.get(self.monitor)
        if value is not None and (self.best is None or self.sign * value < self.sign * self.best):
            self.best = value
            run.summary.update({f"best_{self.monitor}": value, "best_epoch": epoch})
            if self.save_model:
                self.model.save(os.path.join(run.dir, "model-best.keras"))


def _time(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
