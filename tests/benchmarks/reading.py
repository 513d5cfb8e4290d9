"""What reading costs beside other tools, in one run: `pip install 'wandb<0.29' mlflow`, then `python
tests/benchmarks/reading.py`.

Each tool writes the same data by its own means and reads it back by its own local reader, in a process of its own.
Peers that are not installed are left out; those that write slowly get fewer rows and runs (`--peer-rows`,
`--peer-runs`), so the last column says what a million rows, or 10,000 runs, would take at that pace.

    history       one run of many rows of three scalars: 500 of them; every one of them
    runs          many runs with a config and ten rows: those with a learning rate and a loss below a bound
    first, again  seconds in a new process, with all imports; of the best of two readings that follow

wandb's reader of offline files is `DataStore`, which later versions do not have; it
searches no local runs, so every file is read. MLflow reads a history a metric at a time.
"""

from __future__ import annotations

import argparse
import glob
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TREE = Path(__file__).parents[2]
KEYS = ("loss", "acc", "lr")
AGAIN = 2
"""Readings in each process; the first and the best of the others count."""


def row(step: int, shift: float = 0.0) -> dict[str, float]:
    return {"loss": 1.0 / (step + 1) + shift, "acc": step / 1e6, "lr": 0.001}


def config(number: int) -> dict[str, Any]:
    return {"lr": number % 10 / 10, "model": "vit", "seed": number}


def is_wanted(lr: float, loss: float) -> bool:
    return lr < 0.35 and loss < 0.5


# ---- tracker ----


def tracker_write(rows: int, runs: int) -> None:
    import tracker

    for number in range(max(1, runs)):
        with tracker.init(project="p", id=f"r{number}", config=config(number), reinit="create_new") as run:
            for step in range(10 if runs else rows):
                run.log(row(step, number % 7 / 10 if runs else 0.0))


def tracker_history() -> int:
    import tracker

    return len(tracker.Api().run("p/r0").history(pandas=False))


def tracker_scan() -> int:
    import tracker

    return sum(1 for _ in tracker.Api().run("p/r0").scan_history())


def tracker_runs() -> int:
    import tracker

    return len(tracker.Api().runs("p", {"config.lr": {"$lt": 0.35}, "summary_metrics.loss": {"$lt": 0.5}}))


# ---- floors: the bytes of our journals ----


def raw_bytes() -> int:
    return sum(len(Path(path).read_bytes()) for path in glob.glob("runs/p/run-*.jsonl"))


def newlines() -> int:
    return sum(Path(path).read_bytes().count(b"\n") for path in glob.glob("runs/p/run-*.jsonl"))


def json_a_line() -> int:
    import orjson

    found = 0
    for path in glob.glob("runs/p/run-*.jsonl"):
        with open(path, "rb") as file:
            found += sum("_type" not in orjson.loads(line) for line in file)
    return found


# ---- wandb ----


def wandb_write(rows: int, runs: int) -> None:
    import wandb

    for number in range(max(1, runs)):
        settings = wandb.Settings(mode="offline", silent=True, console="off", x_disable_stats=True, disable_git=True)
        run = wandb.init(project="p", config=config(number), settings=settings)
        for step in range(10 if runs else rows):
            run.log(row(step, number % 7 / 10 if runs else 0.0))
        run.finish()


def wandb_records(path: str) -> Any:
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    store = DataStore()
    store.open_for_scan(path)
    while data := store.scan_data():
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        yield record


def wandb_scan() -> int:
    (path,) = glob.glob("wandb/offline-run-*/run-*.wandb")
    found = 0
    for record in wandb_records(path):
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            found += bool({item.key or item.nested_key[0]: json.loads(item.value_json) for item in items})
    return found


def wandb_runs() -> int:
    found = 0
    for path in glob.glob("wandb/offline-run-*/run-*.wandb"):
        lr, loss = 1.0, 1.0
        for record in wandb_records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                lr = next((json.loads(item.value_json) for item in record.run.config.update if item.key == "lr"), lr)
            elif kind == "history":
                items = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                loss = items.get("loss", loss)
        found += is_wanted(lr, loss)
    return found


# ---- mlflow ----


def mlflow_client() -> Any:
    import mlflow

    return mlflow.MlflowClient("sqlite:///mlflow.db" if "sqlite" in sys.argv[1] else "file:mlruns")


def mlflow_write(rows: int, runs: int) -> None:
    from mlflow.entities import Metric, Param

    client = mlflow_client()
    experiment = client.create_experiment("p")
    for number in range(max(1, runs)):
        run_id = client.create_run(experiment).info.run_id
        params = [Param(key, str(value)) for key, value in config(number).items()]
        metrics = [
            Metric(key, value, step, step)
            for step in range(10 if runs else rows)
            for key, value in row(step, number % 7 / 10 if runs else 0.0).items()
        ]
        metrics += [Metric("hp/lr", config(number)["lr"], 0, 0)]  # params are text, which is not compared by size
        for first in range(0, len(metrics), 900):
            client.log_batch(run_id, metrics[first : first + 900], params if first == 0 else [])
        client.set_terminated(run_id)


def mlflow_scan() -> int:
    client = mlflow_client()
    (run,) = client.search_runs([client.get_experiment_by_name("p").experiment_id])
    return min(len(client.get_metric_history(run.info.run_id, key)) for key in KEYS)


def mlflow_runs() -> int:
    client = mlflow_client()
    experiment = [client.get_experiment_by_name("p").experiment_id]
    found, token = 0, None
    while True:
        page = client.search_runs(
            experiment, "metrics.loss < 0.5 and metrics.`hp/lr` < 0.35", max_results=10_000, page_token=token
        )
        found, token = found + len(page), page.token
        if not token:
            return found


Reader = Callable[[], int]
HISTORY: dict[str, Reader] = {
    "floor: bytes": raw_bytes,
    "floor: newlines": newlines,
    "floor: orjson a line": json_a_line,
    "history()": tracker_history,
    "scan_history()": tracker_scan,
}
TOOLS: dict[str, tuple[str, Callable[[int, int], None], dict[str, Reader], dict[str, Reader]]] = {
    "tracker": ("tracker", tracker_write, HISTORY, {"floor: bytes": raw_bytes, "runs(filters)": tracker_runs}),
    "wandb": ("wandb", wandb_write, {"DataStore": wandb_scan}, {"DataStore": wandb_runs}),
    "mlflow file": ("mlflow", mlflow_write, {"get_metric_history": mlflow_scan}, {"search_runs": mlflow_runs}),
    "mlflow sqlite": ("mlflow", mlflow_write, {"get_metric_history": mlflow_scan}, {"search_runs": mlflow_runs}),
}
"""By name: the package, what writes, what reads a history, what finds runs."""


def child(tool: str, what: str, *words: str) -> None:
    """Write, or read and print what was found, the seconds of each time and the peak of memory."""
    import resource

    _, write, histories, searches = TOOLS[tool]
    if what == "write":
        write(*map(int, words))
        return
    read = (histories if what == "history" else searches)[words[0]]
    seconds = []
    found = 0
    for _ in range(1 + AGAIN):
        before = time.perf_counter()
        found = read()
        seconds.append(time.perf_counter() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print("RESULT", json.dumps([found, seconds[0], min(seconds[1:]), peak]))


def call(folder: str, *words: str) -> list[float] | None:
    environment = {
        **os.environ, "PYTHONPATH": str(TREE / "store"), "HOME": folder, "TRACKER_SILENT": "1", "TRACKER_SYSTEM": "off",
        "TRACKER_CONSOLE": "off", "WANDB_MODE": "offline", "WANDB_SILENT": "true", "MLFLOW_ALLOW_FILE_STORE": "true",
        "XDG_CACHE_HOME": os.path.join(folder, "cache"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {(done.stderr.strip().splitlines() or [''])[-1]}")
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    return json.loads(line[7:]) if line else None


def measure(tool: str, rows: int, runs: int) -> None:
    """One tool's lines of the table."""
    _, _, histories, searches = TOOLS[tool]
    for what, sizes, readers in (("history", (rows, 0), histories), ("runs", (0, runs), searches)):
        with tempfile.TemporaryDirectory() as folder:
            before = time.perf_counter()
            call(folder, tool, "write", *map(str, sizes))
            written = time.perf_counter() - before
            for name in readers:
                result = call(folder, tool, what, name)
                assert result is not None
                found, first, again, peak = result
                at_scale = again * (1e6 / rows if what == "history" else 1e4 / runs)
                title = f"{name}, {max(sizes):,} {'rows' if what == 'history' else 'runs'}"
                figures = f"{written:9.1f} {found:12,.0f} {first:9.3f} {again:9.3f} {peak:8.0f} {at_scale:11.2f}"
                print(f"{tool:14} {title:38} {figures}", flush=True)


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] in TOOLS:
        child(*sys.argv[1:])
        return
    parser = argparse.ArgumentParser(description="What reading costs beside other tools.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--peer-rows", type=int, default=100_000)
    parser.add_argument("--peer-runs", type=int, default=200)
    parser.add_argument("--tools", default=",".join(TOOLS), help="with commas")
    given = parser.parse_args()
    print(f"{'':53} {'written s':>9} {'found':>12} {'first s':>9} {'again s':>9} {'peak MB':>8} {'s at scale':>11}")
    sys.path.insert(0, str(TREE / "store"))
    for tool in given.tools.split(","):
        package, *_ = TOOLS[tool]
        if importlib.util.find_spec(package) is None:
            sys.stderr.write(f"{package} is not installed\n")
            continue
        is_peer = package in ("wandb", "mlflow")
        try:
            measure(tool, given.peer_rows if is_peer else given.rows, given.peer_runs if is_peer else given.runs)
        except RuntimeError as error:
            sys.stderr.write(f"{tool}: {error}\n")


if __name__ == "__main__":
    main()
