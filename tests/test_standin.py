"""`import wandb` gives tracker: in a process that asks for it, and in what `python -m tracker` runs and starts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import tracker
from support import REPOSITORY, rows_of, run_script, script_environment, state_of
from tracker import standin
from tracker.layout import CHILDREN

IMPORTS = """
import wandb
import wandb as wb
import wandb.apis.public as public
import wandb.data_types as data_types
import wandb.env
import wandb.errors
import wandb.integration.sb3
import wandb.keras
import wandb.plot
import wandb.sdk
import wandb.sdk.data_types.video as wv
import wandb.sdk.wandb_run
import wandb.util
import wandb.wandb_run
from wandb import AlertLevel
from wandb import Api
from wandb import Artifact, Image, Table
from wandb import Audio, Html, Object3D, Plotly, Video
from wandb import Settings
from wandb import agent
from wandb import config, log, summary
from wandb import data_types
from wandb import env, util
from wandb import errors
from wandb import init
from wandb import init, finish, watch, save
from wandb import plot
from wandb import run
from wandb import sdk as wandb_sdk
from wandb import termwarn, termlog, termerror
from wandb.apis import public
from wandb.apis.public import Api
from wandb.apis.public import Run, Runs
from wandb.apis.public.runs import Run
from wandb.data_types import Audio
from wandb.data_types import Histogram, Image, Table, Video
from wandb.data_types import WBValue
from wandb.env import get_project, set_project
from wandb.errors import CommError
from wandb.errors import Error as ExecutionException
from wandb.errors import UsageError
from wandb.errors import term
from wandb.errors.term import termerror, termlog
from wandb.integration import keras, lightgbm, sb3, xgboost
from wandb.plot import bar
from wandb.plot import confusion_matrix, line_series, pr_curve, roc_curve
from wandb.sdk import wandb_run
from wandb.sdk.artifacts.artifact import Artifact
from wandb.sdk.data_types.base_types.media import Media
from wandb.sdk.data_types.base_types.wb_value import WBValue
from wandb.sdk.data_types.image import Image
from wandb.sdk.data_types.table import Table
from wandb.sdk.lib import RunDisabled
from wandb.sdk.lib import config_util
from wandb.sdk.lib import ipython
from wandb.sdk.lib import telemetry as wb_telemetry
from wandb.sdk.lib import telemetry
from wandb.sdk.lib.config_util import ConfigError
from wandb.sdk.lib.disabled import RunDisabled, SummaryDisabled
from wandb.sdk.lib.paths import StrPath
from wandb.sdk.lib.runid import generate_id
from wandb.sdk.wandb_alerts import AlertLevel
from wandb.sdk.wandb_config import Config
from wandb.sdk.wandb_init import init
from wandb.sdk.wandb_login import login
from wandb.sdk.wandb_run import Run
from wandb.sdk.wandb_run import Run as wandb_run
from wandb.sdk.wandb_settings import Settings
from wandb.sdk.wandb_summary import Summary
from wandb.util import generate_id
from wandb.util import get_module
from wandb.util import json_dumps_safer
from wandb.wandb_run import Run
"""
"""Lines as they stand in code that logs to W&B."""


def run_module(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """`python -m tracker` with arguments, which must end with this exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "tracker", *words],
        cwd=folder,
        env=script_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return done


# ---- import wandb ----


def test_what_real_code_imports_is_there(tmp_path: Path) -> None:
    """Each line works in a process without W&B, and without a run."""
    source = f"""
import tracker
assert tracker.as_wandb() is tracker.as_wandb()
for line in {IMPORTS.split(chr(10))!r}:
    try:
        exec(line, {{}})
    except Exception as error:
        print(line, "->", repr(error))
"""
    done = run_script(tmp_path, source)
    assert (done.stdout, done.stderr) == ("", "")


def test_every_name_in_the_table_is_there(tmp_path: Path) -> None:
    """What the stand-in says it offers exists and has a docstring; frameworks may be missing."""
    source = """
import importlib, inspect, tracker
from tracker.standin import OFFERS
tracker.as_wandb()
for module in OFFERS:
    there = importlib.import_module(module)
    above, _, last = module.rpartition(".")
    assert not above or getattr(importlib.import_module(above), last) is there, module
    assert there.__spec__.name == module and there.__path__ == [] and there.__version__
    for name in there._homes:
        assert name in dir(there)
        try:
            value = getattr(there, name)
        except ImportError as error:
            assert "pip install" in str(error) or "tensorboard" in str(error), error
        else:
            assert not (inspect.isclass(value) or inspect.isfunction(value)) or value.__doc__, (module, name)
"""
    done = run_script(tmp_path, source)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_it_looks_installed(tmp_path: Path) -> None:
    """Checks of frameworks pass: spec, version, distribution, requirement."""
    source = """
import importlib.metadata as metadata, importlib.util as util, tracker
before = util.find_spec("wandb")
wandb = tracker.as_wandb()
from packaging.requirements import Requirement
assert Requirement("wandb>=0.12.10").specifier.contains(metadata.version("wandb"))
assert metadata.version("wandb") == metadata.distribution("wandb").version == wandb.__version__
assert metadata.metadata("wandb")["Name"] == "wandb"
assert metadata.packages_distributions()["wandb"] == ["wandb"]
assert util.find_spec("wandb").name == "wandb" and util.find_spec("wandb.sdk") is not None
assert util.find_spec("wandb.nothing_of_the_kind") is None
assert wandb.__file__.endswith("standin.py")
print(before)
"""
    done = run_script(tmp_path, source)
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_metadata_of_children_is_of_the_same_version() -> None:
    """What other processes read is what this one says."""
    (folder,) = Path(CHILDREN).glob("*.dist-info")
    assert folder.name == f"wandb-{standin.VERSION}.dist-info"
    assert f"\nVersion: {standin.VERSION}\n" in (folder / "METADATA").read_text()


def test_it_goes_before_an_installed_wandb(tmp_path: Path) -> None:
    """Whatever else is called wandb on the path; the folder that W&B leaves where one stands, too."""
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "__init__.py").write_text("raise RuntimeError('the real one')")
    done = run_script(tmp_path, "import tracker; tracker.as_wandb(); import wandb; print(wandb.Run is tracker.Run)")
    assert done.stdout == "True\n"


def test_wandb_that_is_imported_already_is_an_error(tmp_path: Path) -> None:
    """Half of a program that logs elsewhere would be worse."""
    (tmp_path / "wandb.py").write_text("")
    done = run_script(tmp_path, "import wandb, tracker; tracker.as_wandb()")
    assert "UsageError: wandb itself is imported already" in done.stderr
    assert "python -m tracker" in done.stderr


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """An attribute, a name to import, a module: each with where to ask."""
    source = """
import tracker
wandb = tracker.as_wandb()
for line in ("wandb.magic", "wandb.sdk.lib.printer", "from wandb import magic", "import wandb.docker"):
    try:
        exec(line)
    except (AttributeError, ImportError) as error:
        print(type(error).__name__, error)
assert not hasattr(wandb, "magic") and hasattr(wandb, "run") and hasattr(wandb, "config")
"""
    lines = run_script(tmp_path, source).stdout.splitlines()
    where = "is not here: tracker stands in for wandb (docs/integrations.md says what it has, and where to ask)"
    assert lines == [
        f"AttributeError wandb.magic {where}",
        f"AttributeError wandb.sdk.lib.printer {where}",
        f"ModuleNotFoundError wandb.magic {where}",
        f"ModuleNotFoundError wandb.docker {where}",
    ]


def test_what_programs_read_of_a_run_is_there(tmp_path: Path) -> None:
    """Unguarded lines of LeRobot, TRL, simpletransformers, llama_index, Ray and scripts; what is missing is named."""
    source = """
import copy, os, pickle, tracker
wandb = tracker.as_wandb()
assert not wandb.setup({"group": "g"}).settings.sweep_id and wandb.setup().settings.mode == "offline"
assert wandb.api.api_key and len(wandb.config) == 0 and "before" in repr(wandb.config)
parsed = wandb.helper.parse_config({"a": 1, "b": 2}, exclude=("b",))
from wandb import wandb_sdk
assert wandb_sdk.wandb_helper is wandb.sdk.helper
run = wandb.init(project="p", config=parsed, settings=wandb.Settings(x_disable_stats=True, strict=True))
assert run.get_url() == run.url and run.project_name() == "p" and run.group == "g"
assert run.url.startswith(run.get_project_url() + "/") and run.get_sweep_url() is run.sweep_url is None
told = run.settings
assert (told.mode, told._offline, told.run_id, told.project, told.run_url) == ("offline", True, run.id, "p", run.url)
assert told.strict and told.x_disable_stats and told.silent is None and os.path.isdir(told.files_dir)
assert run._settings.files_dir == run.dir and run.offline and run.starting_step == 0 and run.sync_dir == run.folder
assert copy.deepcopy(told).run_id == pickle.loads(pickle.dumps(told)).run_id == run.id
run.log({"loss": 1}, sync=True)
wandb.log({"loss": 2}, sync=False)
assert run.config._as_dict() == {"a": 1} and run.summary._as_dict()["loss"] == 2
assert wandb.Table.MAX_ROWS > 0 and wandb.Image.MAX_ITEMS > 0 and wandb.plot.custom_chart.CustomChart
assert not hasattr(run, "magic") and not hasattr(told, "magic") and getattr(run, "history", 3) == 3
for look in (lambda: run.magic, lambda: told.magic):
    try:
        look()
    except AttributeError as error:
        print(error)
"""
    done = run_script(tmp_path, source)
    where = "is not here: tracker stands in for wandb (docs/integrations.md says what it has, and where to ask)"
    assert done.stdout.splitlines() == [f"Run.magic {where}", f"Settings.magic {where}"], done.stderr


def test_sweeps_say_what_to_use(tmp_path: Path) -> None:
    """They need a server."""
    source = """
import tracker
wandb = tracker.as_wandb()
for call in (wandb.sweep, wandb.agent, wandb.controller):
    try:
        call({"method": "random"})
    except wandb.UsageError as error:
        print(error)
"""
    (text,) = set(run_script(tmp_path, source).stdout.splitlines())
    assert "Optuna" in text
    assert "docs/integrations.md" in text


def test_run_config_and_summary_are_the_current_ones(tmp_path: Path, root: Path) -> None:
    """As in W&B: before there is a run they raise only when they are used, and name what to call."""
    source = """
import copy, importlib, pickle, tracker
tracker.as_wandb()
import wandb
from wandb import *
assert wandb.run is None
for use in (lambda: wandb.config.lr, lambda: wandb.config["lr"], lambda: wandb.summary.update({}), lambda: log({})):
    try:
        use()
    except wandb.Error as error:
        assert "init" in str(error)
run = init(project="p", config={"lr": 1, "layers": [1, 2]}, settings=wandb.Settings(x_disable_stats=True))
assert wandb.run is run is tracker.run and wandb.config is run.config and wandb.summary is run.summary
assert isinstance(run, wandb.sdk.wandb_run.Run) and not isinstance(run, wandb.sdk.lib.RunDisabled)
assert importlib.reload(wandb) is wandb and wandb.run is run
for copied in (copy.deepcopy(wandb.config), pickle.loads(pickle.dumps(wandb.config))):
    assert copied == wandb.config and type(copied) is wandb.Config
    copied.update({"lr": 2}, allow_val_change=True)
assert wandb.config.lr == 1
assert pickle.loads(pickle.dumps(wandb.Histogram)) is tracker.Histogram
run._label(code="x")
wandb.config = {"mine": 1}
wandb.init(reinit="create_new", mode="disabled").finish()
assert wandb.config is run.config
wandb.log({"loss": 0.5})
wandb.teardown()
assert wandb.run is None
"""
    done = run_script(tmp_path, source)
    assert done.returncode == 0, done.stderr
    (run,) = tracker.Api(root).runs()
    assert (run.state, run.config, run.summary["loss"]) == ("finished", {"lr": 1, "layers": [1, 2]}, 0.5)


def test_models_are_artifacts(tmp_path: Path) -> None:
    """`log_model`, `use_model` and what links to a registry, which there is none of."""
    (tmp_path / "weights.bin").write_bytes(b"weights")
    source = """
import tracker
wandb = tracker.as_wandb()
run = wandb.init(project="p", id="abcd1234", settings={"x_disable_stats": True})
wandb.log_model("weights.bin", aliases=["best"])
run.link_model("weights.bin", "zoo/mine")
print(open(wandb.use_model("model-abcd1234:best")).read())
"""
    done = run_script(tmp_path, source)
    assert done.stdout == "weights\n"
    assert "WARNING zoo/mine: there is no registry to link to" in done.stderr
    assert tracker.Api().artifact("p/model-abcd1234:latest").type == "model"


@pytest.mark.parametrize(("set_root", "where"), [(False, "there/runs"), (True, "mine")])
def test_dir_of_frameworks_gets_a_folder_of_runs(set_root: bool, where: str, tmp_path: Path) -> None:
    """Where W&B puts its folder `wandb`; but what the user says goes first."""
    env = {"TRACKER_DIR": str(tmp_path / "mine")} if set_root else {}
    run_script(tmp_path, "import tracker; tracker.as_wandb().init(project='p', dir='there').finish()", env=env)
    assert state_of(tmp_path / where) == "finished"


# ---- python -m tracker ----


def test_script_runs_as_python_would_run_it(tmp_path: Path, root: Path) -> None:
    """Its arguments, its folder first on the path, its names in the main module; `wandb` is tracker."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "helper.py").write_text("word = 'found'\n")
    (tmp_path / "code" / "train.py").write_text("""
import json, pickle, sys
import helper, wandb
class Thing: pass
def f(x: int) -> "str": ...
assert pickle.loads(pickle.dumps(Thing())).__class__ is Thing and f.__annotations__["x"] is int
with wandb.init(project="p", settings={"x_disable_stats": True}) as run:
    run.log({"loss": 1})
print(json.dumps([sys.argv, __name__, __file__, sys.path[0], helper.word, __spec__ is None, __package__]))
""")
    script = str(tmp_path / "code" / "train.py")
    told = json.loads(run_module(tmp_path, "code/train.py", "--lr", "1").stdout)
    assert told == [["code/train.py", "--lr", "1"], "__main__", script, str(tmp_path / "code"), "found", True, None]
    (run,) = tracker.Api(root).runs()
    assert (run.state, run.metadata["program"]) == ("finished", script)
    assert run.metadata["command"].endswith("-m tracker code/train.py --lr 1")


def test_module_and_code_run_too(tmp_path: Path) -> None:
    """As with `python -m` and `python -c`."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "__main__.py").write_text("import sys, wandb; print(sys.argv[1:], __name__, wandb.__version__)")
    shown = f"['a', '-b'] __main__ {standin.VERSION}\n"
    assert run_module(tmp_path, "-m", "job", "a", "-b").stdout == shown
    assert (
        run_module(tmp_path, "-c", "import sys, wandb; print(sys.argv, __name__)", "a").stdout
        == "['-c', 'a'] __main__\n"
    )


def test_what_python_runs_runs(tmp_path: Path) -> None:
    """A folder, a zip file, standard input; options of Python's own are told where to go."""
    source = "import sys, wandb; print(sys.argv[1:], __name__, sys.path[0], wandb.__version__)"
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "__main__.py").write_text(source)
    with zipfile.ZipFile(tmp_path / "job.zip", "w") as file:
        file.writestr("__main__.py", source)
    for name in ("job", "job.zip"):
        assert run_module(tmp_path, name, "a").stdout == f"['a'] __main__ {name} {standin.VERSION}\n"
    piped = subprocess.run(
        [sys.executable, "-m", "tracker", "-", "a"],
        cwd=tmp_path, env=script_environment(), input=source, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert piped.stdout == f"['a'] __main__  {standin.VERSION}\n"
    assert "python -u -m tracker" in run_module(tmp_path, "-u", "train.py", code=2).stderr


@pytest.mark.parametrize(
    ("end", "code", "state"),
    [
        ("", 0, "finished"),
        ("raise SystemExit(3)", 3, "failed"),
        ("sys.exit('no data')", 1, "failed"),
        ("sys.exit()", 0, "finished"),
        ("raise ValueError('wrong')", 1, "failed"),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "killed"),
    ],
)
def test_ends_are_those_of_the_script(end: str, code: int, state: str, tmp_path: Path, root: Path) -> None:
    """Exit code and state, a bare `raise SystemExit` included."""
    script = tmp_path / "end.py"
    script.write_text(
        f"import os, signal, sys, wandb\nwandb.init(project='p', settings={{'x_disable_stats': True}})\n{end}\n"
    )
    run_module(tmp_path, "end.py", code=code)
    assert state_of(root) == state


@pytest.mark.parametrize("words", [["end.py"], ["-m", "end"]])
def test_traceback_begins_with_the_script(words: list[str], tmp_path: Path) -> None:
    """No frame of ours above it."""
    script = tmp_path / "end.py"
    script.write_text("def f():\n    raise ValueError('wrong')\nf()\n")
    errors = run_module(tmp_path, *words, code=1).stderr
    alone = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False).stderr
    assert errors == alone


def test_without_a_program_it_explains_itself(tmp_path: Path) -> None:
    """On stderr with an error, or asked for on stdout."""
    assert "python -m tracker train.py" in run_module(tmp_path, code=2).stderr
    assert "python -m tracker train.py" in run_module(tmp_path, "--help").stdout
    missing = run_module(tmp_path, "missing.py", code=2)
    assert f"can't open file '{tmp_path / 'missing.py'}'" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_what_it_starts_logs_to_tracker_too(tmp_path: Path, root: Path) -> None:
    """Workers that begin anew with the main module, and other commands of Python, as launchers use."""
    (tmp_path / "other.py").write_text("""
import importlib.metadata, sys, wandb
with wandb.init(project="p", name=sys.argv[1], settings={"x_disable_stats": True}) as run:
    run.log({"version": importlib.metadata.version("wandb")})
""")
    (tmp_path / "main.py").write_text("""
import multiprocessing, subprocess, sys
import wandb
def work(name):
    with wandb.init(project="p", name=name, settings={"x_disable_stats": True}) as run:
        run.log({"version": wandb.__version__})
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work, args=("spawned",))
    process.start()
    process.join()
    subprocess.run([sys.executable, "other.py", "launched"], check=True)
    sys.exit(process.exitcode)
""")
    run_module(tmp_path, "main.py")
    runs = tracker.Api(root).runs()
    assert sorted((run.name, run.state, run.summary["version"]) for run in runs) == [
        ("launched", "finished", standin.VERSION),
        ("spawned", "finished", standin.VERSION),
    ]


def test_program_on_the_command_line_is_not_kept(tmp_path: Path, root: Path) -> None:
    """As with Python's own `-c`: it may hold anything."""
    run_module(tmp_path, "-c", "import wandb; wandb.init(project='p', mode='online')  # hush", "a")
    assert tracker.Api(root).runs()[0].metadata["command"].endswith("-m tracker -c ... a")


def test_wandb_is_not_among_the_packages(tmp_path: Path) -> None:
    """A run's list tells what is installed."""
    code = "from tracker import surroundings; print([p for p in surroundings.packages() if p.startswith('wandb')])"
    assert run_module(tmp_path, "-c", code).stdout == "[]\n"


# ---- charts ----


def test_charts_are_tables() -> None:
    """A row has a table, and how it is meant to be drawn."""
    run = tracker.init(project="p")
    table = tracker.Table(["x", "y"], [[1, 2], [3, 4]])
    run.log(
        {"chart": tracker.plot.scatter(table, "x", "y", title="Points"), "list": [tracker.plot.bar(table, "x", "y")]}
    )
    run.log({"lines": tracker.plot.line_series([0, 1], [[1, 2], [3, 4]], ["a", "b"])})
    (first, second) = rows_of(run.file)
    told = first["chart"]
    assert (told["_type"], told["caption"], told["nrows"]) == ("table-file", "Points", 2)
    assert told["chart"] == {"name": "wandb/scatter/v0", "fields": {"x": "x", "y": "y"}, "strings": {"title": "Points"}}
    assert first["list"][0]["path"] == told["path"]
    content = (Path(run.folder) / second["lines"]["path"]).read_bytes()
    assert table.get_index() == [0, 1]
    assert tracker.Table.load(content).data == [[0, "a", 1], [1, "a", 2], [0, "b", 3], [1, "b", 4]]


def test_curves_are_those_of_scikit_learn() -> None:
    """The same points as it computes, some of them dropped where the curve is straight."""
    import numpy as np
    from sklearn import metrics

    chance = np.random.default_rng(1)
    truth = chance.integers(0, 3, 400)
    scores = chance.dirichlet(np.ones(3), 400).round(2)
    roc = tracker.plot.roc_curve(truth, scores, labels=["a", "b", "c"]).table
    curve = tracker.plot.pr_curve(truth, scores, classes_to_plot=[1], interp_size=11).table
    for index, name in enumerate("abc"):
        ours = {(x, y) for label, x, y in roc.data if label == name}
        fpr, tpr, _ = metrics.roc_curve(truth == index, scores[:, index])
        assert ours <= {(round(float(x), 3), round(float(y), 3)) for x, y in zip(fpr, tpr, strict=True)}
        assert {(0.0, 0.0), (1.0, 1.0)} <= ours
    precision, recall, _ = metrics.precision_recall_curve(truth == 1, scores[:, 1])
    best = [max(p for p, r in zip(precision, recall, strict=True) if r >= at) for at in (1.0, 0.5, 0.0)]
    assert [curve.data[at][1] for at in (0, 5, 10)] == [round(float(value), 3) for value in best]


def test_confusion_is_counted() -> None:
    """By predictions or probabilities; names of classes are checked."""
    by_preds = tracker.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"]).table
    by_probs = tracker.plot.confusion_matrix(
        [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1], None, ["cat", "dog"]
    ).table
    assert (
        by_preds.data == by_probs.data == [["cat", "cat", 1], ["cat", "dog", 0], ["dog", "cat", 1], ["dog", "dog", 1]]
    )
    with pytest.raises(ValueError, match="class 2 has no name"):
        tracker.plot.confusion_matrix(y_true=[2], preds=[0], class_names=["cat", "dog"])


def test_documents_name_what_is_offered() -> None:
    """`docs/integrations.md` has every module of the stand-in that has names of its own to import."""
    text = (REPOSITORY / "docs" / "integrations.md").read_text(encoding="utf-8")
    assert [module for module in standin.OFFERS if module.count(".") == 1 and f"`{module}`" not in text] == []
