"""Frameworks that log to W&B by themselves, and our own callbacks: each trains something tiny and has a whole run here.

Not part of the ordinary run: `pip install -r tests/long/requirements.txt`, then `pytest tests/long`. Nothing is
downloaded while they run, and `wandb` need not be there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import script_environment
from tracker.api import ApiRun

QUIET = {"TRACKER_SYSTEM": "off", "HF_HUB_OFFLINE": "1", "KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}


def trained(folder: Path, source: str, *, native: bool = False, env: dict[str, str] | None = None) -> list[ApiRun]:
    """Run a script, by default with `python -m tracker`; its runs, by name."""
    (folder / "train.py").write_text(source, encoding="utf-8")
    settings = {"YOLO_CONFIG_DIR": str(folder / "config"), "MPLCONFIGDIR": str(folder / "config")}
    environment = script_environment({**QUIET, **settings, **(env or {})})
    environment.pop("PYTEST_CURRENT_TEST", None)  # ultralytics logs nothing then
    done = subprocess.run(
        [sys.executable, *([] if native else ["-m", "tracker"]), "train.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    found = sorted(tracker.Api(folder / "runs").runs(), key=lambda run: run.name)
    assert [run.state for run in found] == ["finished"] * len(found)
    assert [run.bad_lines for run in found] == [0] * len(found)
    warnings = [line for line in done.stderr.splitlines() if line.startswith("tracker: WARNING")]
    assert warnings == []
    return found


def column(run: ApiRun, name: str) -> list[Any]:
    """A metric's values in order of step."""
    return [row[name] for row in run.scan_history([name])]


def artifacts(run: ApiRun) -> list[tuple[str, str, list[str]]]:
    """Name, type and files of the artifacts that a run made."""
    return [(made.name, made.type, sorted(file.name for file in made.files())) for made in run.logged_artifacts()]


NET = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 4)
y = (x.sum(1) > 0).long()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    def forward(self, inputs=None, labels=None):
        logits = self.layers(inputs)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}
data = [{"inputs": a, "labels": b} for a, b in zip(x, y)]
"""


# ---- Hugging Face ----

HUGGINGFACE = (
    NET
    + """
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
model = BertForSequenceClassification(BertConfig(
    vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16))
words = torch.randint(0, 50, (64, 6))
data = [{"input_ids": a, "labels": b} for a, b in zip(words, y)]
arguments = dict(output_dir="out", num_train_epochs=2, per_device_train_batch_size=16, logging_steps=1,
    eval_strategy="epoch", save_strategy="epoch", use_cpu=True, learning_rate=0.01)
"""
)


def test_huggingface(tmp_path: Path) -> None:
    """`Trainer(report_to="wandb")`, with checkpoints as artifacts and histograms."""
    source = f"""{HUGGINGFACE}
trainer = Trainer(model=model, args=TrainingArguments(report_to="wandb", run_name="first", **arguments),
    train_dataset=data, eval_dataset=data)
trainer.train()
trainer.evaluate()
"""
    env = {"WANDB_PROJECT": "hf", "WANDB_LOG_MODEL": "checkpoint", "WANDB_WATCH": "all"}
    (run,) = trained(tmp_path, source, env=env)
    assert (run.project, run.name) == ("hf", "first")
    assert (run.config["learning_rate"], run.config["vocab_size"]) == (0.01, 50)
    assert run.config["model/num_parameters"] > 0
    assert column(run, "train/global_step")[-1] == 8
    assert len(column(run, "train/loss")) == 8
    assert len(column(run, "eval/loss")) == 3
    assert run.summary["train_loss"] == pytest.approx(sum(column(run, "train/loss")) / 8, rel=0.01)
    made = artifacts(run)
    assert [(name, kind) for name, kind, _ in made] == [(f"model-first:v{number}", "model") for number in range(4)]
    assert ["model.safetensors" in files for _, _, files in made] == [False, True, True, True]


def test_huggingface_callback(tmp_path: Path) -> None:
    """Ours: rows at the Trainer's own steps."""
    source = f"""{HUGGINGFACE}
from tracker.integration.huggingface import TrackerCallback
trainer = Trainer(model=model, args=TrainingArguments(report_to="none", **arguments),
    train_dataset=data, eval_dataset=data, callbacks=[TrackerCallback(project="hf", log_model=True)])
trainer.train()
"""
    (run,) = trained(tmp_path, source, native=True)
    assert run.project == "hf"
    assert (run.config["learning_rate"], run.config["vocab_size"]) == (0.01, 50)
    assert [row["_step"] for row in run.scan_history(["_step", "train/loss"])] == list(range(1, 9))
    assert [row["_step"] for row in run.scan_history(["_step", "eval/loss"])] == [4, 8]
    assert run.summary["train_loss"] > 0
    assert [name for name, _, _ in artifacts(run)] == [f"model-{run.id}:v0", f"model-{run.id}:v1"]


@pytest.mark.parametrize("native", [False, True])
def test_huggingface_search(native: bool, tmp_path: Path) -> None:
    """Each trial of a search for hyperparameters is a run."""
    source = f"""{HUGGINGFACE}
def make():
    return BertForSequenceClassification(model.config)
callbacks = []
if {native}:
    from tracker.integration.huggingface import TrackerCallback
    callbacks.append(TrackerCallback())
trainer = Trainer(model_init=make, args=TrainingArguments(report_to="none" if {native} else "wandb", **arguments),
    train_dataset=data, eval_dataset=data, callbacks=callbacks)
trainer.hyperparameter_search(backend="optuna", n_trials=2, hp_name=lambda trial: f"trial {{trial.number}}",
    hp_space=lambda trial: {{"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2)}})
"""
    runs = trained(tmp_path, source, native=native)
    assert [(run.name, run.group) for run in runs] == [("trial 0", "out"), ("trial 1", "out")]
    assert runs[0].config["learning_rate"] != runs[1].config["learning_rate"]
    assert [len(column(run, "train/loss")) for run in runs] == [8, 8]


# ---- Lightning ----

LIGHTNING = """
import torch
from torch import nn
from {package} import LightningModule, Trainer
from {package}.callbacks import ModelCheckpoint
torch.manual_seed(0)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), 16)
class Model(LightningModule):
    def __init__(self, width=8):
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 1))
    def training_step(self, batch, index):
        loss = nn.functional.mse_loss(self.layers(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss
    def validation_step(self, batch, index):
        self.log("val/loss", nn.functional.mse_loss(self.layers(batch[0]), batch[1]))
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
def fit(logger):
    Trainer(logger=logger, max_epochs=2, log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False,
        callbacks=[ModelCheckpoint("checkpoints", monitor="val/loss")]).fit(model, data, data)
model = Model()
"""


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning(package: str, tmp_path: Path) -> None:
    """`WandbLogger` with checkpoints, `watch`, images and a table."""
    source = f"""{LIGHTNING.format(package=package)}
import numpy as np
from {package}.loggers import WandbLogger
logger = WandbLogger(project="pl", name="first", log_model=True)
logger.watch(model, log_freq=2)
fit(logger)
logger.log_image("pictures", [np.zeros((4, 4)), np.ones((4, 4))], caption=["dark", "bright"])
logger.log_table("words", columns=["a", "b"], data=[[1, "x"], [2, "y"]])
print(WandbLogger.download_artifact("model-" + logger.experiment.id + ":best"))
logger.experiment.finish()
"""
    (run,) = trained(tmp_path, source)
    assert (run.project, run.name, run.config) == ("pl", "first", {"width": 8})
    assert column(run, "trainer/global_step")[0] == 0
    assert len(column(run, "train/loss")) == 8
    assert len(column(run, "val/loss")) == 2
    assert "gradients/layers.0.weight" in run.summary
    assert [name for name, _, _ in artifacts(run)] == [f"model-{run.id}:v0"]
    assert artifacts(run)[0][2] == ["model.ckpt"]
    assert [picture["caption"] for picture in run.summary["pictures"]] == ["dark", "bright"]
    assert (run.summary["words"]["nrows"], run.summary["words"]["ncols"]) == (2, 2)


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_logger(package: str, tmp_path: Path) -> None:
    """Ours: rows at the Trainer's own steps, the checkpoint as an artifact."""
    source = f"""{LIGHTNING.format(package=package)}
from tracker.integration.lightning import TrackerLogger
fit(TrackerLogger(project="pl", log_model=True))
"""
    (run,) = trained(tmp_path, source, native=True)
    assert (run.project, run.config) == ("pl", {"width": 8})
    assert [row["_step"] for row in run.scan_history(["_step", "train/loss"])] == list(range(8))
    assert len(column(run, "val/loss")) == 2
    assert artifacts(run) == [(f"model-{run.id}:v0", "model", ["model.ckpt"])]


# ---- Keras ----

KERAS = """
import keras, numpy as np
chance = np.random.default_rng(0)
x = chance.normal(size=(64, 4)).astype("float32")
y = (x.sum(1) > 0).astype("float32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
"""


def test_keras(tmp_path: Path) -> None:
    """Metrics, checkpoints and tables of predictions by W&B's names; the older callback."""
    source = f"""{KERAS}
import wandb
from wandb.integration.keras import WandbEvalCallback, WandbMetricsLogger, WandbModelCheckpoint
class Predictions(WandbEvalCallback):
    def add_ground_truth(self, logs=None):
        for index in range(3):
            self.data_table.add_data(index, float(y[index]))
    def add_model_predictions(self, epoch, logs=None):
        told = self.model.predict(x[:3], verbose=0)
        for index in self.data_table_ref.get_index():
            self.pred_table.add_data(epoch, *self.data_table_ref.data[index], float(told[index, 0]))
wandb.init(project="keras", name="a", config={{"units": 8}})
callbacks = [WandbMetricsLogger(), WandbModelCheckpoint("model-{{epoch:02d}}.keras", monitor="loss"),
    Predictions(["index", "label"], ["epoch", "index", "label", "told"])]
model.fit(x, y, epochs=2, validation_split=0.25, verbose=0, callbacks=callbacks)
wandb.finish()
wandb.init(project="keras", name="b")
model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[WandbMetricsLogger(log_freq="batch")])
wandb.finish()
wandb.init(project="keras", name="c")
model.fit(x, y, epochs=2, validation_split=0.25, verbose=0, callbacks=[wandb.keras.WandbCallback()])
wandb.finish()
"""
    first, second, third = trained(tmp_path, source)
    assert first.config == {"units": 8}
    assert column(first, "epoch/epoch") == [0, 1]
    assert len(column(first, "epoch/val_loss")) == 2
    assert column(first, "epoch/learning_rate") == pytest.approx([0.001, 0.001])
    assert artifacts(first) == [
        ("val:v0", "dataset", ["val_data.table.json"]),
        (f"run_{first.id}_model:v0", "model", ["model-01.keras"]),
        (f"run_{first.id}_pred:v0", "evaluation", ["eval_data.table.json"]),
        (f"run_{first.id}_model:v1", "model", ["model-02.keras"]),
        (f"run_{first.id}_pred:v1", "evaluation", ["eval_data.table.json"]),
    ]
    assert [used.name for used in first.used_artifacts()] == ["val:v0"]
    assert column(second, "batch/batch_step") == [0, 1, 2, 3]
    assert third.summary["best_val_loss"] == min(column(third, "val_loss"))
    assert [file.name for file in third.files() if file.name.endswith("keras")] == ["model-best.keras"]


# ---- boosted trees ----

TREES = """
import numpy as np
chance = np.random.default_rng(0)
x = chance.normal(size=(200, 4))
y = (x.sum(1) > 0).astype(int)
"""


@pytest.mark.parametrize("native", [False, True])
def test_xgboost(native: bool, tmp_path: Path) -> None:
    """The booster's settings, metrics, best score, importance of features, the model; by either name."""
    names = "tracker", "tracker.integration.xgboost", "TrackerCallback"
    source = f"""{TREES}
import xgboost
import {names[0] if native else "wandb"} as w
from {names[1] if native else "wandb.integration.xgboost"} import {names[2] if native else "WandbCallback"} as Callback
w.init(project="trees")
train, test = xgboost.DMatrix(x[:150], y[:150]), xgboost.DMatrix(x[150:], y[150:])
xgboost.train({{"objective": "binary:logistic", "max_depth": 2}}, train, 5, evals=[(train, "train"), (test, "test")],
    early_stopping_rounds=3, callbacks=[Callback(log_model=True)], verbose_eval=False)
"""
    (run,) = trained(tmp_path, source, native=native)
    assert json.dumps(run.config["learner"]).count("binary:logistic")
    assert column(run, "epoch") == [0, 1, 2, 3, 4]
    assert run.summary["test-logloss"] == {"min": min(column(run, "test-logloss"))}
    assert run.summary["best_iteration"] == 4
    assert run.summary["Feature Importance"]["nrows"] == 4
    assert artifacts(run) == [(f"{run.id}_model.json:v0", "model", [f"{run.id}_model.json"])]


# ---- others that log to W&B by themselves ----


def test_stable_baselines3(tmp_path: Path) -> None:
    """Settings, what its logger tells, the model."""
    source = """
import wandb
from stable_baselines3 import PPO
from wandb.integration.sb3 import WandbCallback
run = wandb.init(project="sb3", config={"env": "CartPole-v1"})
model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=1, device="cpu")
model.learn(128, callback=WandbCallback(model_save_path=f"models/{run.id}", gradient_save_freq=1))
run.finish()
"""
    (run,) = trained(tmp_path, source)
    assert (run.config["env"], run.config["algo"], run.config["n_steps"]) == ("CartPole-v1", "PPO", 64)
    assert [row["_step"] for row in run.scan_history(["_step", "time/total_timesteps"])] == [64, 128]
    assert "train/loss" in run.summary
    assert any(name.startswith("gradients/") for name in run.summary)
    assert "model.zip" in [file.name for file in run.files()]


def test_stable_baselines3_by_tensorboard(tmp_path: Path) -> None:
    """With `sync_tensorboard=True` each number is there once, as its tutorials have it."""
    source = """
import wandb
from stable_baselines3 import PPO
from wandb.integration.sb3 import WandbCallback
run = wandb.init(project="sb3", sync_tensorboard=True, monitor_gym=True, save_code=True)
model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=1, device="cpu", tensorboard_log="tb")
model.learn(128, callback=WandbCallback())
run.finish()
"""
    (run,) = trained(tmp_path, source)
    assert len(column(run, "rollout/ep_rew_mean")) == 2
    assert len(column(run, "train/loss")) == 1


def test_ultralytics(tmp_path: Path) -> None:
    """A small detector on generated pictures: metrics by epoch, pictures, curves, the best model."""
    source = """
import numpy as np
from pathlib import Path
from PIL import Image
from ultralytics import YOLO, settings
if __name__ == "__main__":
    chance = np.random.default_rng(0)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            Path("data", kind, part).mkdir(parents=True)
        for index in range(8):
            picture = chance.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(picture).save(f"data/images/{part}/{index}.png")
            Path(f"data/labels/{part}/{index}.txt").write_text(f"{index % 2} 0.5 0.5 0.4 0.4")
    Path("data.yaml").write_text(f"path: {Path.cwd() / 'data'}\\ntrain: images/train\\nval: images/val\\nnames: [a, b]")
    settings.update({"wandb": True, "sync": False})
    YOLO("yolov8n.yaml").train(data="data.yaml", epochs=2, imgsz=32, batch=4, device="cpu", workers=2, amp=False,
        project="yolo", name="first")
"""
    (run,) = trained(tmp_path, source, env={"TRACKER_DIR": str(tmp_path / "runs")})
    assert (run.project, run.name, run.config["imgsz"], run.config["epochs"]) == ("yolo", "first", 32, 2)
    assert [row["epoch"] for row in run.scan_history(["epoch", "metrics/mAP50(B)", "train/box_loss"])] == [1, 2]
    assert "model/parameters" in run.summary
    assert [name for name, _, _ in artifacts(run)] == [f"run_{run.id}_model:v0"]
    assert "best.pt" in artifacts(run)[0][2]
    assert run.summary["curves/Precision-Recall(B)"]["_type"] == "table-file"
    assert run.summary["labels"]["_type"] == "image-file"


def test_accelerate(tmp_path: Path) -> None:
    """`Accelerator(log_with="wandb")` with images and a table."""
    source = f"""{NET}
import numpy as np
from accelerate import Accelerator
accelerator = Accelerator(log_with="wandb", cpu=True)
accelerator.init_trackers("acc", config={{"lr": 0.1}}, init_kwargs={{"wandb": {{"name": "first"}}}})
model, optimizer = Net(), None
optimizer = torch.optim.SGD(model.parameters(), 0.1)
model, optimizer = accelerator.prepare(model, optimizer)
for step in range(4):
    loss = model(x.to(accelerator.device), y.to(accelerator.device))["loss"]
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    accelerator.log({{"train/loss": loss.item()}}, step=step)
wandb_tracker = accelerator.get_tracker("wandb")
wandb_tracker.log_images({{"pictures": [np.zeros((4, 4, 3))]}}, step=4)
wandb_tracker.log_table("words", columns=["a"], data=[[1]], step=4)
accelerator.end_training()
"""
    (run,) = trained(tmp_path, source)
    assert (run.project, run.name, run.config) == ("acc", "first", {"lr": 0.1})
    assert [row["_step"] for row in run.scan_history(["_step", "train/loss"])] == [0, 1, 2, 3]
    assert run.summary["pictures"][0]["_type"] == "image-file"
    assert run.summary["words"]["nrows"] == 1


def test_launched_processes(tmp_path: Path) -> None:
    """torch's launcher: the processes that it starts log here too, each by itself."""
    (tmp_path / "worker.py").write_text("""
import os, wandb
rank = os.environ["RANK"]
with wandb.init(project="ranks", name=f"rank {rank}", group="job") as run:
    run.log({"rank": int(rank)})
""")
    source = """
import subprocess, sys
launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "worker.py"]
subprocess.run(launch, check=True)
"""
    runs = trained(tmp_path, source)
    assert [(run.name, run.group, run.summary["rank"]) for run in runs] == [("rank 0", "job", 0), ("rank 1", "job", 1)]
