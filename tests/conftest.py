"""Every test has a folder and an environment of its own, and leaves neither a run nor a process behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import tracker
from farhost import SSH, SSHD, FarHost, Proxy
from support import StartScript, end_script, start_script


@pytest.fixture(autouse=True, scope="session")
def deadly_signals() -> Iterator[None]:
    """Scripts start with the signals' default actions even where the tests run under nohup or in the background.

    What is ignored here would be ignored there; a handler is not handed on.
    """
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) == signal.SIG_IGN]
    for number in numbers:
        signal.signal(number, lambda *_: None)
    yield
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the user's reaches a test, files go to its own folder, and its run ends with it."""
    for name in [name for name in os.environ if name.startswith(("TRACKER_", "WANDB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.setenv("TRACKER_SILENT", "1")
    tracker.finish()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of runs that is used when nothing names another."""
    return tmp_path / "runs"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartScript]:
    """Starts scripts in the test's folder; they end with the test at the latest."""
    started: list[subprocess.Popen[str]] = []

    def start(
        source: str, *arguments: str, env: Mapping[str, str] | None = None, under: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        started.append(start_script(tmp_path, source, *arguments, env=env, under=under))
        return started[-1]

    yield start
    for process in started:
        end_script(process)


# ---- another machine ----


@pytest.fixture(scope="session")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarHost]:
    """Another machine, behind a real sshd."""
    if SSHD is None or SSH is None:
        pytest.skip("NO OPENSSH HERE: nothing that goes over ssh is tested")
    host = FarHost(tmp_path_factory.mktemp("far"))
    yield host
    host.stop()


@pytest.fixture
def near_far(far: FarHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh knows the other machine here, and nobody's agent is asked."""
    monkeypatch.setenv("PATH", far.path)
    monkeypatch.setenv("TRACKER_SILENT", "1")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def proxy(far: FarHost) -> Iterator[Proxy]:
    """What stands between."""
    between = Proxy(far.port)
    yield between
    between.close()


# ---- faults ----


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--effort",
        type=float,
        default=1.0,
        help="tests/faults: how many times as many cases, 1 being what CI has time for",
    )
    parser.addoption("--update-snapshots", action="store_true", help="write tests/snapshots anew")
    parser.addoption("--seed", type=int, default=1, help="tests/faults: what chance begins with")


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> Callable[[int], int]:
    """How many cases to try, of as many as CI has time for."""
    return lambda short: max(1, round(short * pytestconfig.getoption("effort")))


@pytest.fixture
def chance(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> random.Random:
    """Chance that comes out the same for the same `--seed`, another one for each test."""
    return random.Random(f"{pytestconfig.getoption('seed')} {request.node.name}")


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Callable[[str, str, str], None]:
    """Tell what a fault test did, for the table at the end: the fault, the cases tried, the result."""
    return lambda fault, cases, result: record_property("tried", [fault, cases, result])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of faults, as CONTRIBUTING.md shows it."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    rows = [row for report in reports for name, row in report.user_properties if name == "tried"]
    if rows:
        terminalreporter.section("faults")
        terminalreporter.write_line("| fault | cases | result |\n|---|---|---|")
        for row in sorted(rows):
            terminalreporter.write_line(f"| {' | '.join(row)} |")
