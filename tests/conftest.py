"""Every test has a folder and an environment of its own, and leaves neither a run nor a process behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
