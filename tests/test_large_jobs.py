"""What is large is written and read like what is small: many rows, many metrics, many jobs at once.

These are small and quick; `tests/benchmarks/scale.py` measures the real sizes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import tracker
from support import lines_of, run_script

MEMORY = """
import random, sys, tracker
keys, before, rows = map(int, sys.argv[1:])
names = [f"layer{key // 10}/weight{key % 10}" for key in range(keys)]
def most():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
run = tracker.init(project="long", settings={"x_disable_stats": True})
for row in range(before + rows):
    if row == before:
        first = most()
    run.log({name: random.random() for name in names})
print(most() - first)
run.finish()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is told by /proc")
@pytest.mark.parametrize(("keys", "before", "rows"), [(3, 20_000, 100_000), (1000, 140, 360)])
def test_a_writer_does_not_grow(keys: int, before: int, rows: int, root: Path) -> None:
    """However many rows there are, and however many metrics a row has: a few MB for good."""
    done = run_script(root.parent, MEMORY, str(keys), str(before), str(rows), env={"TRACKER_DIR": str(root)})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[0]) < 5 * 1024
    assert tracker.Api(root).runs("long")[0].step == before + rows - 1


def test_a_thousand_metrics_a_row_are_like_three(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them are in summary, history and table, and checkpoints take no large share of the file."""
    from tracker_tui.cli import main

    names = [f"layer{key // 10}/weight{key % 10}" for key in range(1000)]
    run = tracker.init(project="wide", name="wide-one")
    for row in range(60):
        run.log({name: row + key for key, name in enumerate(names)})
    run.finish()
    (read,) = tracker.Api(root).runs("wide")
    assert {name: read.summary[name] for name in names} == {name: 59 + key for key, name in enumerate(names)}
    assert read.history(keys=["layer99/weight9"], pandas=False)[-1]["layer99/weight9"] == 59 + 999
    assert sum(len(record) > 900 for record in lines_of(run.file)) == 60
    capsys.readouterr()
    assert main(["ls", str(root), "--columns", "name,step,layer99/weight9"]) == 0
    assert re.search(r"wide-one +59 +1058", capsys.readouterr().out)


def test_jobs_that_start_at_once_have_ids_and_names_of_their_own(root: Path) -> None:
    """Each number is at most that of the runs there are; several may have the same, hardly any the same words too."""
    source = (
        "import os, tracker\n"
        "hold, go = os.pipe()\n"
        "children = []\n"
        "for number in range(48):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        os.close(go); os.read(hold, 1)\n"
        "        run = tracker.init(project='rush'); run.log({'n': number}); run.finish(); os._exit(0)\n"
        "    children.append(child)\n"
        "os.close(hold); os.close(go)\n"
        "for child in children: os.waitpid(child, 0)\n"
    )
    run_script(root.parent, source, env={"TRACKER_DIR": str(root)})
    runs = tracker.Api(root).runs("rush")
    assert sorted(run.summary["n"] for run in runs) == list(range(48))
    assert len({run.id for run in runs}) == 48
    names = [re.fullmatch(r"[a-z]+-[a-z]+-(\d+)", run.name) for run in runs]
    assert all(name is not None and 1 <= int(name[1]) <= 48 for name in names)
    assert len({run.name for run in runs}) > 45
    assert {run.state for run in runs} == {"finished"}
