"""A detector's callbacks the way ultralytics writes them: one run, `define_metric`, `commit=False` and True, finish."""

import random

import tracker as wb


class Trainer:
    """What ultralytics hands to its callbacks."""

    epochs = 5

    def __init__(self) -> None:
        self.epoch = 0
        self.args = {"model": "yolo11n.pt", "project": None, "name": "train", "lr0": 0.01, "epochs": self.epochs}
        self.metrics: dict[str, float] = {}
        self.lr = {"lr/pg0": 0.01}
        self.tloss = 3.0


def on_pretrain_routine_start(trainer: Trainer) -> None:
    if not wb.run:
        wb.init(project=trainer.args["project"] or "Ultralytics", name=trainer.args["name"], config=trainer.args)
    wb.run.define_metric("train/*", step_metric="epoch")
    wb.run.config.setdefaults({"imgsz": 640})


def on_train_epoch_end(trainer: Trainer) -> None:
    wb.run.log({"epoch": trainer.epoch + 1, "train/box_loss": trainer.tloss}, step=trainer.epoch + 1)
    if trainer.epoch == 0:
        wb.run.log({"model/parameters": 2_590_035}, step=trainer.epoch + 1)


def on_fit_epoch_end(trainer: Trainer) -> None:
    wb.run.log(trainer.metrics, commit=False)
    wb.run.log(trainer.lr, commit=True)


def on_train_end(trainer: Trainer) -> None:
    wb.run.summary["best_epoch"] = trainer.epoch + 1
    wb.run.finish()


trainer = Trainer()
on_pretrain_routine_start(trainer)
source = random.Random(1)
for epoch in range(trainer.epochs):
    trainer.epoch = epoch
    trainer.tloss *= 0.7 + source.random() / 20
    on_train_epoch_end(trainer)
    trainer.metrics = {"metrics/mAP50(B)": 1 - trainer.tloss / 4}
    trainer.lr = {"lr/pg0": 0.01 * (1 - trainer.epoch / trainer.epochs)}
    on_fit_epoch_end(trainer)
on_train_end(trainer)
