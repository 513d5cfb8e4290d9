"""Files of other tools that are damaged, hostile or cut, and a dashboard that is killed while it reads them."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from damage import damaged
from hypothesis import given
from hypothesis import strategies as st
from tensorboardX import SummaryWriter

from terminal import environment
from tracker.catalog import Catalog
from tracker.foreign.events import EventReader
from tracker.foreign.mirror import Mirror
from tracker.foreign.offline import Log
from tracker.rows import Rows

Cases = Callable[[int], int]
Tried = Callable[[str, str, str], None]

MADE = Path(__file__).parents[1] / "foreign"
LOOK = """
import sys, time
from tracker.catalog import Catalog
from tracker.foreign.mirror import Mirror
catalog = Catalog(files=Mirror(sys.argv[1]))
print("ready", flush=True)
while True:
    catalog.apply(catalog.collect(0.05))
"""


def make_logs(folder: Path, steps: int = 300) -> None:
    """A log of each kind."""
    writer = SummaryWriter(str(folder / "tb"))
    for step in range(steps):
        writer.add_scalar("loss", 1 / (step + 1), step)
    writer.close()
    shutil.copytree(MADE / "wandb", folder / "wandb")
    rows = [f"{step},{1 / (step + 1)}" for step in range(steps)]
    (folder / "metrics.csv").write_text("\n".join(["step,loss", *rows, ""]), encoding="utf-8")
    lines = [f'{{"step": {step}, "loss": {1 / (step + 1)}}}\n' for step in range(steps)]
    (folder / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")


def files_of(folder: Path) -> list[Path]:
    """Those that a run is read from."""
    kinds = (".wandb", ".csv", ".jsonl")
    return [path for path in sorted(folder.rglob("*")) if path.suffix in kinds or "tfevents" in path.name]


def steps_of(catalog: Catalog) -> dict[str, list[int]]:
    """The steps of each run's history."""
    return {run.origin: [row["_step"] for row in Rows(catalog.journals(run))] for run in catalog.runs.values()}


def test_damaged_files(tmp_path: Path, cases: Cases, tried: Tried) -> None:
    """They are read as far as they are whole; no reader gives up, and what was damaged is told."""
    choice = random.Random(5)
    make_logs(tmp_path / "whole")
    count = cases(12)
    for number in range(count):
        logs = tmp_path / f"logs{number}"
        shutil.copytree(tmp_path / "whole", logs)
        for path in files_of(logs):
            path.write_bytes(damaged(path.read_bytes(), choice))
        mirror = Mirror(str(logs))
        catalog = Catalog(files=mirror)
        catalog.refresh()
        for run in catalog.runs.values():
            assert catalog.check(run)
        assert not mirror.left_out
        mirror.close()
    tried("files of other tools damaged", f"{4 * count} files", "no error")


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_read_the_same_in_any_pieces(data: bytes, size: int) -> None:
    """Of the container of wandb and of event files; nothing raises."""
    for make, head in ((Log, b":W&B\xe1\xbe\x00"), (EventReader, b"")):
        whole, pieces, content = make(), make(), head + data
        found = list(map(repr, whole.feed(content)))
        cuts = range(0, len(content), size)
        assert [repr(record) for at in cuts for record in pieces.feed(content[at : at + size])] == found
        assert pieces.bad == whole.bad


@given(
    st.dictionaries(
        st.sampled_from(("metrics.csv", "metrics.jsonl", "hparams.yaml", "trainer_state.json")), st.binary()
    )
)
def test_any_bytes_in_tables(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        for name, data in files.items():
            head = {"metrics.csv": b"step,loss\n1,2\n", "metrics.jsonl": b'{"step": 1, "loss": 2}\n'}.get(name, b"")
            (Path(folder) / name).write_bytes(head + data)
        mirror = Mirror(folder)
        catalog = Catalog(files=mirror)
        catalog.refresh()
        assert not mirror.left_out
        mirror.close()
        shutil.rmtree(mirror.root, ignore_errors=True)


def test_a_dashboard_is_killed_while_it_reads(tmp_path: Path, cases: Cases, tried: Tried) -> None:
    """At any moment: the next one goes on, and in the end all rows are there, each once."""
    choice = random.Random(6)
    logs = tmp_path / "logs"
    make_logs(logs, 20_000)
    count = cases(4)
    for _ in range(count):
        words = [sys.executable, "-c", LOOK, str(logs)]
        process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(choice.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    mirror = Mirror(str(logs))
    catalog = Catalog(files=mirror)
    catalog.refresh()
    found = steps_of(catalog)
    for kind in ("tensorboard", "lightning", "jsonl"):
        assert found[kind] == list(range(20_000)), kind
    assert [run.row_count for run in catalog.runs.values() if run.origin != "wandb"] == [20_000] * 3
    assert [run.bad_lines for run in catalog.runs.values()] == [0, 0, 0, 0]
    mirror.close()
    tried("kill -9 while other tools' runs are read", f"{count} kills, 60,000 rows", "each row once")
