"""The code in docs/large.md, as it stands there."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import REPOSITORY, run_script, script_environment

RUNS = """
import math, tracker
from tracker_tui.cli import main
for run_id, lr, least in (("one", 0.1, 0.5), ("two", 0.2, 0.25)):
    with tracker.init(project="p", id=run_id, config={"lr": lr}, settings={"x_disable_stats": True}) as run:
        for step in range(5):
            run.log({"loss": step, "val/loss": least / 2 if step == 3 else 4.0 - step / 2})
        run.log({"val/loss": least}, step=3)  # takes the place of what was less
        run.log({"val/loss": math.nan}, step=4)
        run.log({"hist": tracker.Histogram([1, 2]), "val/loss": math.inf})
with tracker.init(project="p", id="two", resume="must") as run:
    run.log({"val/loss": 2.0}, step=2)
    run.log({"val/loss": 3.0}, step=3)
with open(run.file, "ab") as file:
    file.write(b'nonsense\\n{"_step":99,"val/lo\\n')
main(["export", "-o", "history.parquet"])
main(["export", "--runs", "-o", "runs.parquet"])
"""
EXPECTED = {"Parquet": [["one", 0.1, 0.5], ["two", 0.2, 2.0]], "journals": [["one", 0.5], ["two", 2.0]]}
"""The least losses that the runs end up with: values of a step that were written over count no more."""

RECIPES = {
    (source, re.findall(r"^(?:import|from) (\w+)", code)[0]): code
    for source in EXPECTED
    for code in re.findall(
        r"^```python\n(.*?)^```$",
        re.split(r"^## Over ", (REPOSITORY / "docs/large.md").read_text(), flags=re.M)[
            1 + list(EXPECTED).index(source)
        ],
        flags=re.M | re.S,
    )
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs and what was exported of them."""
    folder = tmp_path_factory.mktemp("recipes")
    done = run_script(folder, RUNS, env={"TRACKER_SILENT": "1"})
    assert done.returncode == 0, done.stderr
    return folder


def test_there_is_a_recipe_for_each() -> None:
    """Three tools over two sources."""
    assert set(RECIPES) == {(source, tool) for source in EXPECTED for tool in ("duckdb", "polars", "pyspark")}


@pytest.mark.parametrize(("source", "tool"), RECIPES)
def test_a_recipe_finds_the_least_losses(folder: Path, source: str, tool: str) -> None:
    """NaN, late rows, resumed runs, histograms and torn lines among what is read."""
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed")
    print_it = "\nimport json; print(json.dumps([list(row) for row in lowest]))"
    done = subprocess.run(  # Spark takes its time to start
        [sys.executable, "-c", RECIPES[source, tool] + print_it],
        cwd=folder,
        env=script_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == EXPECTED[source]
