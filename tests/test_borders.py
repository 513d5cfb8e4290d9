"""What may import what, and what the package shows."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tracker
from support import REPOSITORY, script_environment
from tracker.api import ApiFile, ApiRun, Runs
from tracker.mappings import Config, Summary

HOST = REPOSITORY / "store" / "tracker" / "host.py"
FAR = [
    HOST,
    HOST.with_name("folders.py"),
    HOST.with_name("lines.py"),
    HOST.with_name("lookout.py"),
    HOST.with_name("pages.py"),
    HOST.with_name("sweeping.py"),
    REPOSITORY / "tui" / "tracker_tui" / "hosts" / "far.py",
]
"""What runs on other machines."""


def imports_of(path: Path) -> set[str]:
    """The top-level modules that a file imports anywhere; relative imports begin with a dot."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else str(node.module).partition(".")[0])
    return found


@pytest.mark.parametrize("path", FAR, ids=lambda path: path.stem)
def test_what_runs_elsewhere_is_python_3_8(path: Path) -> None:
    """It has no syntax that is younger than Python 3.8."""
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("path", FAR, ids=lambda path: path.stem)
def test_what_runs_elsewhere_needs_the_standard_library_only(path: Path) -> None:
    """It imports nothing that has to be installed, and of ours only what is sent with it."""
    assert imports_of(path) - sys.stdlib_module_names <= ({"tracker"} if path != HOST else set())


def test_host_runs_from_its_source_alone(tmp_path: Path) -> None:
    """`host` works where its source is all there is: isolated, from standard input."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "run-20260101_120000-abcd1234.jsonl").write_text("{}\n")
    source = HOST.read_text(encoding="utf-8") + f"\nprint(list_files({str(tmp_path)!r}, 'p'))\n"
    done = subprocess.run([sys.executable, "-IS", "-"], input=source, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['run-20260101_120000-abcd1234.jsonl']\n", "")


def test_store_needs_orjson_only() -> None:
    """The store imports itself, orjson and the standard library."""
    imported = set().union(*map(imports_of, (REPOSITORY / "store" / "tracker").glob("*.py")))
    optional = {"yaml", "psutil", "numpy", "PIL"}  # a config file is YAML; the machine has no /proc; the caller's media
    assert imported - sys.stdlib_module_names - optional == {"orjson", "tracker"}


def test_contracts_hold() -> None:
    """Every border that `pyproject.toml` draws between modules is kept."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-cache"],
        cwd=REPOSITORY,
        env=script_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", tracker.__all__)
def test_public_name_is_there(name: str) -> None:
    """Every name that `tracker` promises exists while a run is active; functions and classes say what they are for."""
    tracker.init(mode="disabled")
    value = getattr(tracker, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__


@pytest.mark.parametrize("name", tracker.__all__)
def test_public_name_is_listed(name: str) -> None:
    """`dir(tracker)` has every public name, those that load late too."""
    assert name in dir(tracker)


@pytest.mark.parametrize("public", [tracker.Run, tracker.Api, Runs, ApiRun, ApiFile, tracker.Artifact, Config, Summary])
def test_public_method_is_documented(public: type) -> None:
    """Every function that users find on what they hold has a docstring, its own or an inherited one."""
    methods = [name for name, _ in inspect.getmembers(public, inspect.isfunction) if not name.startswith("_")]
    assert methods
    assert [name for name in methods if not inspect.getdoc(getattr(public, name))] == []


def test_reference_names_everything_public() -> None:
    """`docs/reference.md` has every public name of the module, of `Run` and of what `Api` gives."""
    from tracker.api import Api, ApiRun

    text = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:Api\.)?(\w+)`", text))
    public = set(tracker.__all__)
    for kind in (tracker.Run, Api, ApiRun, tracker.Artifact):
        public |= {name for name in vars(kind) if not name.startswith("_")}
    assert sorted(public - named) == []
