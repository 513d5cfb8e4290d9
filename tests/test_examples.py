"""Scripts written the way real code uses wandb, with `import tracker as wandb`: each runs, its runs are read back."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tracker
from support import REPOSITORY, run_script, script_environment

DOCUMENTS = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]
EXAMPLES = Path(__file__).parent / "examples"


def run_example(name: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example in a folder, as its user would."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=folder,
        env=script_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_quickstart(tmp_path: Path) -> None:
    """The README's script."""
    done = run_example("quickstart.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = tracker.Api(tmp_path / "runs").runs("awesome-project")
    assert (run.state, run.step, set(run.summary)) == ("finished", 9, {"accuracy", "loss"})


def test_nanogpt_loop(tmp_path: Path) -> None:
    """0-d tensors become numbers; a script that never finishes its run ends finished."""
    done = run_example("nanogpt_loop.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = tracker.Api(tmp_path / "runs").runs("nanogpt")
    assert (run.state, run.config["max_iters"], run.name[:6]) == ("finished", 40, "bigram")
    losses = [row["train/loss"] for row in run.scan_history(["train/loss"])]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    assert "Run summary:" in done.stderr


def test_yolo_callbacks(tmp_path: Path) -> None:
    """Rows of one step are one row, whichever way they were committed."""
    done = run_example("yolo_callbacks.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = tracker.Api(tmp_path / "runs").runs("Ultralytics")
    assert (run.state, run.summary["best_epoch"], run.config["imgsz"]) == ("finished", 5, 640)
    rows = list(run.scan_history(["epoch", "train/box_loss", "metrics/mAP50(B)", "lr/pg0"]))
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]


def test_preempted_job(tmp_path: Path) -> None:
    """Killed twice and started again, it is one run with every step once, the later start's values winning."""
    for stop in (7, 8):
        done = run_example("preempted.py", "state.json", "--stop-after", stop, folder=tmp_path)
        assert done.returncode == -9
        assert tracker.Api(tmp_path / "runs").runs()[0].state == "crashed"
    done = run_example("preempted.py", "state.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = tracker.Api(tmp_path / "runs").runs("preempted")
    assert (run.state, run.step) == ("finished", 19)
    weights = [row["weight"] for row in run.scan_history(["weight"])]
    assert weights == pytest.approx([5.0 * 0.6 ** (step + 1) for step in range(20)])


def test_sweep(tmp_path: Path) -> None:
    """Runs of one group from several processes; the best is found through `Api`."""
    done = run_example("sweep.py", "--runs", 4, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = tracker.Api(tmp_path / "runs").runs("sweep", {"group": "random-search", "state": "finished"})
    assert len(runs) == 4
    assert len({run.id for run in runs}) == 4
    best = min(runs, key=lambda run: run.summary["loss"])
    assert f"best of 4: {best.name} with lr" in done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    """To a file or a picture that is there, and to a heading in it."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
        target, _, heading = "".join(link).partition("#")
        if "://" in target:
            continue
        file = document.parent / target if target else document
        assert file.is_file(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles], link


def changed_scripts() -> list[str]:
    """What the page for those who come from another tool makes of its examples."""
    page = (REPOSITORY / "docs" / "migrate.md").read_text(encoding="utf-8")
    return [
        "\n".join(line[1:] for line in block.splitlines() if not line.startswith("-"))
        for block in re.findall(r"^```diff\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ]


@pytest.mark.parametrize("number", range(len(changed_scripts())))
def test_scripts_that_come_from_another_tool(number: int, tmp_path: Path) -> None:
    """Each is a whole script once its lines are changed, and its run is here."""
    done = run_script(tmp_path, changed_scripts()[number])
    assert done.returncode == 0, done.stderr
    (run,) = tracker.Api(tmp_path / "runs").runs("mnist")
    assert (run.state, run.summary["loss"]) == ("finished", pytest.approx(0.1))
    assert "WARNING" not in done.stderr
