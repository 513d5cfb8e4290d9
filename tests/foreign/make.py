"""Makes the files beside it with the very programs: `python make.py wandb`, `python make.py trackio`.

Made with wandb 0.31.0 and trackio 0.43.0, each in a virtual environment that has it; tests do not need them.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BLACK = [[[0, 0, 0]] * 8] * 8


def make_wandb(folder: str) -> None:
    """A run that failed, and one that was killed: its file just ends."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    import numpy as np
    import wandb

    settings = wandb.Settings(x_disable_stats=True, x_disable_machine_info=True, disable_git=True, host="box")
    shared = {"project": "shapes", "entity": "me", "dir": folder, "settings": settings}
    run = wandb.init(
        **shared,
        id="brave123",
        name="brave-fox",
        group="g1",
        job_type="train",
        tags=["a", "b"],
        notes="one\ntwo",
        config={"lr": 0.1, "model": {"depth": 3}},
    )
    run.define_metric("val/*", step_metric="epoch", summary="min")
    print("hello from the run")
    for step in range(20):
        run.log({"loss": 1 / (step + 1), "nested": {"acc": step / 20}})
        if step % 5 == 0:
            run.log({"val/loss": 1 / (step + 2), "epoch": step // 5})
    run.log({"nan": float("nan"), "inf": float("inf")})
    image = wandb.Image(np.array(BLACK, dtype=np.uint8), caption="black")
    run.log({"image": image, "weights": wandb.Histogram([1, 2, 3], num_bins=3)})
    run.config.update({"late": 5})
    run.summary["best"] = 0.5
    run.finish(exit_code=3)
    for path in Path(folder).glob("wandb/offline-run-*"):
        shutil.copytree(path, HERE / "wandb" / path.name, ignore=shutil.ignore_patterns("logs", "tmp", "*.txt"))


def make_trackio(folder: str) -> None:
    """Two runs in one database."""
    os.environ |= {"TRACKIO_DIR": folder}
    import numpy as np
    import trackio

    trackio.init(project="shapes", name="brave-1", group="g", config={"lr": 0.1}, auto_log_cpu=False)
    for step in range(10):
        trackio.log({"loss": 1 / (step + 1), "val": {"acc": step / 10}, "nan": float("nan")})
    trackio.log({"image": trackio.Image(np.array(BLACK, dtype=np.uint8), caption="black")}, step=3)
    trackio.finish()
    trackio.init(project="shapes", name="calm-2", config={"lr": 0.2}, auto_log_cpu=False)
    trackio.log({"loss": 1.0})
    trackio.finish()
    database = Path(folder) / "shapes.db"
    shutil.copytree(folder, HERE / "trackio", ignore=shutil.ignore_patterns("*.lock", "*.db*"))
    (HERE / "trackio" / "shapes.db.gz").write_bytes(gzip.compress(database.read_bytes(), mtime=0))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shutil.rmtree(HERE / sys.argv[1], ignore_errors=True)
        {"wandb": make_wandb, "trackio": make_trackio}[sys.argv[1]](folder)
