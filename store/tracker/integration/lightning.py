"""Lightning: `Trainer(logger=TrackerLogger(project="p"))`; `lightning` and `pytorch_lightning` alike."""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from tracker import _run, integration, starting
from tracker.artifacts import Artifact


def _package() -> str:
    """`lightning.pytorch` or `pytorch_lightning`: what the program uses, else what there is."""
    names = ["lightning.pytorch", "pytorch_lightning"]
    for name in sorted(names, key=lambda name: name not in sys.modules):
        try:
            importlib.import_module(f"{name}.loggers.logger")
            return name
        except ImportError:
            pass
    raise integration.lacks("lightning", "lightning")


_PACKAGE = _package()
_logger: Any = importlib.import_module(f"{_PACKAGE}.loggers.logger")
_ranks: Any = importlib.import_module(f"{_PACKAGE}.utilities.rank_zero")


class TrackerLogger(_logger.Logger):
    """Logs a `Trainer`: hyperparameters, metrics at its own steps, and on demand checkpoints.

    The run is the current one, or is started when something is logged first, on the process of rank 0 alone.

    Args:
        log_model: True: keep the checkpoints that are there at the end as versions of the artifact `model-<id>`;
            `all`: every one as it is saved.
        prefix: goes before the names of metrics, with a dash.
        arguments: those of `tracker.init`; `project` is `lightning_logs` where they do not say.
    """

    def __init__(self, log_model: bool | str = False, prefix: str = "", **arguments: Any) -> None:
        super().__init__()
        self._arguments = {"project": "lightning_logs", **arguments}
        self._log_model, self._prefix = log_model, prefix
        self._run: _run.Run | None = None
        self._checkpoints: Any = None
        self._kept: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """A process that is started anew goes on with the run."""
        run_id = {} if self._run is None else {"id": self._run.id, "resume": "allow"}
        return {**vars(self), "_run": None, "_checkpoints": None, "_arguments": {**self._arguments, **run_id}}

    @property
    @_logger.rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> _run.Run:
        """The run; on other ranks what does nothing."""
        if self._run is None:
            self._run = _run.current or starting.init(**self._arguments)
        return self._run

    @property
    def name(self) -> str:
        """The project."""
        return str(self._arguments["project"])

    @property
    def version(self) -> str | None:
        """The run's id; None before there is one."""
        return self._arguments.get("id") if self._run is None else self._run.id

    @_ranks.rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Keep them as config."""
        self.experiment.config.update(params, allow_val_change=True)

    @_ranks.rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a row, at the Trainer's step."""
        prefix = f"{self._prefix}-" if self._prefix else ""
        self.experiment.log({f"{prefix}{name}": value for name, value in metrics.items()}, step=step)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Keep it now, or remember where they are."""
        self._checkpoints = checkpoint_callback
        if self._log_model == "all":
            self._keep()

    @_ranks.rank_zero_only  # type: ignore[untyped-decorator]
    def finalize(self, status: str) -> None:
        """Keep the checkpoints that are there. The run goes on: a `test()` may follow."""
        if self._log_model and status == "success" and self._checkpoints is not None:
            self._keep()

    @_ranks.rank_zero_only  # type: ignore[untyped-decorator]
    def _keep(self) -> None:
        made = self._checkpoints
        best = made.best_model_path
        for path in sorted({*made.best_k_models, made.last_model_path, best} - self._kept - {""}):
            artifact = Artifact(f"model-{self.experiment.id}", "model", metadata={"monitor": made.monitor})
            artifact.add_file(path, "model.ckpt")
            self.experiment.log_artifact(artifact, aliases=["best"] if path == best else [])
            self._kept.add(path)
