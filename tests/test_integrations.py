"""Frameworks that are light enough to train here: what they log is whole. `tests/long` has the heavy ones."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

import tracker
from support import script_environment
from tracker.api import ApiRun

DATA = """
import random
import numpy as np
chance = np.random.default_rng(0)
x = chance.normal(size=(120, 3))
y = (x.sum(1) > 0).astype(int)
"""


def has_openmp() -> bool:
    """Whether there is the library that lightgbm takes from the system; the others bring their own."""
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        return sys.platform != "linux"
    return True


def trained(folder: Path, source: str, *, native: bool = False) -> list[ApiRun]:
    """Run a script, with `python -m tracker` if it is not native; its runs, in order of name, all finished."""
    (folder / "train.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *([] if native else ["-m", "tracker"]), "train.py"],
        cwd=folder,
        env=script_environment({"TRACKER_SYSTEM": "off", "TRACKER_DISABLE_GIT": "1"}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "tracker: WARNING" not in done.stderr
    found = sorted(tracker.Api(folder / "runs").runs(), key=lambda run: run.name)
    assert [(run.state, run.bad_lines) for run in found] == [("finished", 0)] * len(found)
    return found


def column(run: ApiRun, name: str) -> list[float]:
    """A metric's values in order of step."""
    return [row[name] for row in run.scan_history([name])]


def artifacts(run: ApiRun) -> list[tuple[str, str]]:
    """Name and type of the artifacts that a run made."""
    return [(made.name, made.type) for made in run.logged_artifacts()]


@pytest.mark.parametrize("native", [False, True])
def test_xgboost(native: bool, tmp_path: Path) -> None:
    """The booster's settings, metrics, best score, importance of features, the model; by W&B's name or ours."""
    module = "tracker.integration.xgboost" if native else "wandb.integration.xgboost"
    name = "TrackerCallback" if native else "WandbCallback"
    runs = trained(
        tmp_path,
        f"""{DATA}
import xgboost
import {"tracker" if native else "wandb"} as w
from {module} import {name}
w.init(project="trees")
train, test = xgboost.DMatrix(x[:90], y[:90]), xgboost.DMatrix(x[90:], y[90:])
xgboost.train({{"objective": "binary:logistic", "max_depth": 2, "nthread": 1}}, train, 4, evals=[(test, "test")],
    early_stopping_rounds=3, callbacks=[{name}(log_model=True)], verbose_eval=False)
w.finish()
w.init(project="folds")
xgboost.cv({{"objective": "binary:logistic", "max_depth": 2, "nthread": 1}}, train, 3, nfold=2, callbacks=[{name}()])
""",
        native=native,
    )
    run, folds = sorted(runs, key=lambda run: run.project, reverse=True)
    assert len(column(folds, "test-logloss")) == 3
    assert run.config["learner"]["objective"]["name"] == "binary:logistic"
    assert column(run, "epoch") == [0, 1, 2, 3]
    assert run.summary["test-logloss"] == {"min": min(column(run, "test-logloss"))}
    assert run.summary["best_iteration"] == 3
    assert run.summary["Feature Importance"]["chart"]["name"] == "wandb/bar/v0"
    assert artifacts(run) == [(f"{run.id}_model.json:v0", "model")]


@pytest.mark.skipif(not has_openmp(), reason="NO libgomp1 HERE: lightgbm is not tested")
@pytest.mark.parametrize("native", [False, True])
def test_lightgbm(native: bool, tmp_path: Path) -> None:
    """Parameters, metrics of a training and of a cross-validation, best scores, the model; by W&B's name or ours."""
    module = "tracker.integration.lightgbm" if native else "wandb.lightgbm"
    name = "tracker_callback" if native else "wandb_callback"
    first, second = trained(
        tmp_path,
        f"""{DATA}
import lightgbm
import {"tracker" if native else "wandb"} as w
from {module} import log_summary, {name}
given = {{"objective": "binary", "metric": "binary_logloss", "num_leaves": 3, "verbose": -1, "num_threads": 1}}
w.init(project="trees", name="a")
train = lightgbm.Dataset(x[:90], y[:90])
test = train.create_valid(x[90:], y[90:])
log_summary(lightgbm.train(given, train, 4, [test], ["test"], callbacks=[{name}()]), save_model_checkpoint=True)
w.finish()
w.init(project="trees", name="b")
lightgbm.cv(given, lightgbm.Dataset(x, y), 3, nfold=2, callbacks=[{name}()])
""",
        native=native,
    )
    assert first.config["num_leaves"] == 3
    assert column(first, "iteration") == [0, 1, 2, 3]
    assert first.summary["test_binary_logloss"] == {"min": min(column(first, "test_binary_logloss"))}
    assert first.summary["best_score"]["test"]["binary_logloss"] > 0
    assert first.summary["Feature Importance"]["nrows"] == 3
    assert artifacts(first) == [(f"model_{first.id}:v0", "model")]
    assert len(column(second, "valid_binary_logloss-stdv")) == 3


def test_optuna(tmp_path: Path) -> None:
    """A study as one run, a step a trial, and as one run a trial; this callback imports `wandb` by itself."""
    runs = trained(
        tmp_path,
        """
import warnings
warnings.simplefilter("ignore")
import optuna
from optuna_integration.wandb import WeightsAndBiasesCallback
optuna.logging.set_verbosity(optuna.logging.ERROR)
def objective(trial):
    return (trial.suggest_float("x", -1, 1) - 0.5) ** 2
for many in (False, True):
    callback = WeightsAndBiasesCallback("loss", {"project": "many" if many else "one"}, as_multirun=many)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(objective, n_trials=3, callbacks=[callback])
    import wandb
    wandb.finish()
""",
    )
    (one,) = [run for run in runs if run.project == "one"]
    many = [run for run in runs if run.project == "many"]
    assert one.config == {"direction": ["MINIMIZE"]}
    assert [row["_step"] for row in one.scan_history(["_step", "x", "loss"])] == [0, 1, 2]
    assert [run.name.rpartition("/")[0] for run in many] == ["trial/0", "trial/1", "trial/2"]
    assert [run.summary["loss"] for run in many] == column(one, "loss")
    assert all(run.config["x"] == run.summary["x"] and len(run.tags) == 1 for run in many)


@pytest.mark.parametrize("module", ["huggingface", "keras", "lightning", "sb3"])
def test_framework_that_is_missing_is_named(module: str, tmp_path: Path) -> None:
    """With what to install."""
    hidden = ["keras", "lightning", "pytorch_lightning", "stable_baselines3", "transformers"]
    code = f"import sys; sys.modules.update(dict.fromkeys({hidden})); import tracker.integration.{module}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=script_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: tracker.integration.{module} needs ")
    assert ": pip install " in last
