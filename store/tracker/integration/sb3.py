"""stable-baselines3: `model.learn(..., callback=TrackerCallback())`, after `tracker.init`."""

from __future__ import annotations

import os
from typing import Any

from tracker import integration

try:
    from numpy import generic
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.logger import KVWriter
except ImportError:
    raise integration.lacks("sb3", "stable-baselines3") from None


class TrackerCallback(BaseCallback):
    """Logs what stable-baselines3's own logger is told, the algorithm's settings as config, and the model.

    With `init(sync_tensorboard=True)` the numbers come by way of TensorBoard, and are not logged twice.

    Args:
        verbose: stable-baselines3's.
        model_save_path: folder for the model, which is kept with the run too; default: it is not saved.
        model_save_freq: calls between two savings; 0: at the end alone.
        gradient_save_freq: backward passes between two histograms of a parameter; 0: none.
        log: what the histograms are of: `gradients`, `parameters`, `all` or None.

    Raises:
        UsageError: there is no current run.
        ValueError: there is a `model_save_freq` without a path.
    """

    def __init__(
        self,
        verbose: int = 0,
        model_save_path: str | None = None,
        model_save_freq: int = 0,
        gradient_save_freq: int = 0,
        log: str | None = "all",
    ) -> None:
        super().__init__(verbose)
        integration.current("TrackerCallback()")
        if model_save_freq and model_save_path is None:
            raise ValueError("model_save_freq needs a model_save_path")
        self.model_save_path = model_save_path
        self.model_save_freq = model_save_freq
        self.gradient_save_freq = gradient_save_freq
        self.log = log

    def _init_callback(self) -> None:
        run = integration.current("learn()")
        known = {name: value for name, value in vars(self.model).items() if type(value) in (bool, int, float, str)}
        run.config.setdefaults({"algo": type(self.model).__name__, **known})
        if self.gradient_save_freq:
            run.watch(self.model.policy, log=self.log, log_freq=self.gradient_save_freq)

    def _on_training_start(self) -> None:
        if not any(type(writer).__name__ == "TensorBoardOutputFormat" for writer in self.logger.output_formats):
            self.logger.output_formats.append(_Writer())

    def _on_step(self) -> bool:
        if self.model_save_freq and self.n_calls % self.model_save_freq == 0:
            self._save()
        return True

    def _on_training_end(self) -> None:
        self._save()

    def _save(self) -> None:
        if self.model_save_path is not None:
            path = os.path.join(self.model_save_path, "model.zip")
            self.model.save(path)
            integration.current("learn()").save(path, base_path=self.model_save_path)


class _Writer(KVWriter):
    """Where stable-baselines3's logger writes to the current run."""

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0) -> None:
        kept = {key: value for key, value in key_values.items() if isinstance(value, (int, float, str, generic))}
        integration.current("learn()").log(kept, step=step)

    def close(self) -> None:
        """Nothing: the run goes on."""
