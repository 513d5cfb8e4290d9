"""Hugging Face transformers: `Trainer(..., callbacks=[TrackerCallback()])` with `report_to="none"`."""

from __future__ import annotations

import os
from typing import Any

from tracker import _run, integration, starting
from tracker.artifacts import Artifact

try:
    from transformers import TrainerCallback
except ImportError:
    raise integration.lacks("huggingface", "transformers") from None


class TrackerCallback(TrainerCallback):
    """Logs a `Trainer`: its arguments and the model's config, what it logs at its own steps, its checkpoints.

    Rows are `train/...` and `eval/...`, totals of the training go into the summary. Without a current run one is
    started when training begins; it ends with the program, so that a later `evaluate()` is part of it.

    Args:
        log_model: keep every checkpoint as a version of the artifact `model-<id>`.
        arguments: those of `tracker.init` for that run; `project` is `huggingface` and `name` the Trainer's `run_name`
            where they do not say. Of a search for
            hyperparameters every trial is a run.
    """

    def __init__(self, log_model: bool = False, **arguments: Any) -> None:
        self._log_model = log_model
        self._arguments = arguments
        self._known: _run.Run | None = None
        self._is_ours = False

    def _run(self, args: Any, state: Any, model: Any = None) -> _run.Run | None:
        if not state.is_world_process_zero:
            return None
        if self._known is None or self._known.is_over:
            given = {"project": os.environ.get("TRACKER_PROJECT") or "huggingface", "name": args.run_name}
            if state.is_hyper_param_search:
                given |= {"name": state.trial_name, "group": args.run_name or args.output_dir}
            self._is_ours = _run.current is None
            self._known = _run.current or starting.init(**{**given, **self._arguments})
            config = model.config.to_dict() if hasattr(getattr(model, "config", None), "to_dict") else {}
            self._known.config.update({**config, **args.to_dict()}, allow_val_change=True)
            if hasattr(model, "num_parameters"):
                self._known.config.update({"num_parameters": model.num_parameters()}, allow_val_change=True)
        return self._known

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.is_hyper_param_search and self._is_ours and self._known is not None:
            self._known.finish()  # of the trial before
        self._run(args, state, model)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, model: Any = None, **_: Any) -> None:
        run = self._run(args, state, model)
        if run is None or not logs:
            return
        totals = {name: value for name, value in logs.items() if name.startswith(("train_", "total_"))}
        run.summary.update(totals)
        if row := {_name(name): value for name, value in logs.items() if name not in totals}:
            run.log(row, step=state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        run = self._run(args, state) if self._log_model else None
        if run is not None:
            artifact = Artifact(f"model-{run.id}", "model", metadata={"step": state.global_step, "epoch": state.epoch})
            artifact.add_dir(os.path.join(args.output_dir, f"checkpoint-{state.global_step}"))
            run.log_artifact(artifact, aliases=[f"step_{state.global_step}"])


def _name(name: str) -> str:
    for part in ("eval", "test"):
        if name.startswith(f"{part}_"):
            return f"{part}/{name[len(part) + 1 :]}"
    return f"train/{name}"
