"""The dashboard and other machines, on a real terminal: over our link, and the classic way inside ssh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tracker
from farhost import NAME, FarHost, Proxy
from support import REPOSITORY, StartScript, lines_of, tell, wait_for, wait_line
from terminal import Terminal
from test_far import JOB, make

pytestmark = pytest.mark.usefixtures("near_far")

APP = ["-m", "tracker_tui"]


def rename(terminal: Terminal, name: str) -> None:
    """Rename the run under the cursor as a person would."""
    terminal.press("r")
    terminal.wait_for("Rename")
    terminal.settle()
    terminal.press(name, "enter")


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
def test_runs_far_away_are_watched_and_changed(size: tuple[int, int], root: Path, start: StartScript) -> None:
    """A job on another machine is seen living, renamed with a key, and seen dying."""
    job = start(JOB, str(root))
    wait_line(job)
    tell(job, "50")
    wait_line(job)
    with Terminal([*APP, f"{NAME}:{root}"], *size) as terminal:
        terminal.wait_for("loss")
        terminal.wait_for("● 1 running")
        terminal.wait_for("far:")
        tell(job, "950")
        wait_line(job)
        terminal.wait_for("499.5")
        terminal.press("1")
        terminal.settle()
        terminal.press("1") if "job" not in terminal.text else None
        rename(terminal, " two")
        terminal.wait_for("job two")
        terminal.wait_for("Renamed job")
        (edits,) = root.glob("p/edits-*.jsonl")
        assert [edit["name"] for edit in lines_of(edits)] == ["job two"]
        os.kill(job.pid, signal.SIGKILL)
        terminal.wait_for("! 1 crashed")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_lost_connection_is_told_and_comes_back(root: Path, proxy: Proxy) -> None:
    """Within ten seconds of silence the screen says so and keeps what it has; edits are refused; then it goes on."""
    make(root, "one")
    with Terminal([*APP, f"ssh://{NAME}:{proxy.port}{root}"]) as terminal:
        terminal.wait_for("✓ 1 finished")
        proxy.silence()
        terminal.wait_for("✗ far seen", 10)
        assert "one" in terminal.text
        terminal.press("r")
        terminal.wait_for("Nothing can be changed here")
        proxy.cut()
        proxy.silence(False)
        terminal.press("R")
        terminal.wait_for("connected again")
        terminal.wait_for(lambda seen: "✗ far" not in seen.text)
        rename(terminal, " more")
        terminal.wait_for("one more")


def wait_for_question(terminal: Terminal, number: int) -> None:
    """Those before are still on the plain terminal."""
    terminal.wait_for(lambda t: t.raw.count(b"Enter passphrase") >= number)


def test_questions_come_before_the_screen_and_again_on_request(far: FarHost, root: Path, proxy: Proxy) -> None:
    """A passphrase is asked for on the plain terminal; when the link is lost, `R` asks for it again."""
    make(root, "one")
    key = far.folder / "secret_key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "sesame", "-f", key], check=True)
        with (far.folder / "authorized_keys").open("a") as keys:
            keys.write(key.with_suffix(".pub").read_text())
    secret = ("--ssh-option", f"IdentityFile={key}", "--ssh-option", f"HostKeyAlias={NAME}")
    with Terminal([*APP, f"ssh://127.0.0.1:{proxy.port}{root}", *secret], env={"DISPLAY": ""}) as terminal:
        (far.folder / "user_key").rename(far.folder / "user_key.away")
        try:
            wait_for_question(terminal, 1)
            assert "Runs" not in terminal.text
            terminal.press("sesame\r")
            terminal.wait_for("✓ 1 finished")
            proxy.cut()
            terminal.wait_for("R: ask for the password")
            terminal.press("R")
            wait_for_question(terminal, 2)
            terminal.press("ctrl+c")
            terminal.wait_for("not asked any further")
            terminal.wait_for("R: ask for the password")
            terminal.press("R")
            wait_for_question(terminal, 3)
            terminal.press("sesame\r")
            terminal.wait_for(lambda t: "✓ 1 finished" in t.text and "R: ask" not in t.text)
            terminal.press("q")
            assert terminal.wait_for_end() == 0
        finally:
            (far.folder / "user_key.away").rename(far.folder / "user_key")


def test_dashboard_inside_ssh(root: Path) -> None:
    """`ssh -t host tracker-tui`: the whole screen after a resize, few bytes, and an end when the line is hung up."""
    run = tracker.init(project="p", name="live", dir=root, reinit="create_new")
    path = f"PYTHONPATH={REPOSITORY}/store:{REPOSITORY}/tui"
    inside = f"{path} XDG_STATE_HOME={root}/state {sys.executable} -m tracker_tui {root}"
    ssh = ["-c", "import os, sys; os.execvp('ssh', ['ssh', *sys.argv[1:]])", "-tt", NAME, inside]
    with Terminal(ssh, 100, 30, env={"TERM": "xterm-256color"}) as terminal:
        run.log({"loss": 0.5})
        terminal.wait_for("0.5")
        terminal.settle(0.5)
        before = len(terminal.raw)
        began = time.monotonic()
        for step in range(100):
            run.log({"loss": 1 / (step + 2)})
            terminal.read(0.02)
        terminal.wait_for("0.00990099")
        rate = (len(terminal.raw) - before) / (time.monotonic() - began)
        assert rate < 20_000
        terminal.resize(140, 40)
        terminal.wait_for(lambda seen: seen.lines[0].endswith("╮") and len(seen.lines[0]) == 140)
        terminal.resize(80, 24)
        terminal.wait_for(lambda seen: "Find" in seen.lines[23] and seen.lines[0].startswith("  1 Runs"))
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_dashboard(pid, root)]
        assert found
        os.kill(terminal.child.pid, signal.SIGKILL)
        assert wait_for(lambda: not any(_is_dashboard(pid, root) for pid in found))
    run.finish()


def _is_dashboard(pid: int, root: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"tracker_tui" in words and str(root).encode() in words
