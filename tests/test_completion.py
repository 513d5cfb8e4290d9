"""Tab in real shells: commands, options, folders, and runs whose names are anybody's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

import tracker
from support import PATIENCE, script_environment
from tracker_tui.cli import main

ODD = "lr=0.1 $(touch evil);'x"
"""A name that no shell may evaluate."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where three runs are, and a `tracker-tui` that shells find."""
    monkeypatch.setenv("TRACKER_SILENT", "1")
    for name in ("jolly-haze-1", "jolly-moon-2", ODD):
        tracker.init(project="p", name=name, dir=tmp_path / "runs").finish()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "tracker-tui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tracker_tui "$@"\n')
    program.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return script_environment({"PATH": path, "HOME": str(folder), "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8"})


Complete = Callable[..., tuple[list[str], int]]


@pytest.fixture
def complete(capsys: pytest.CaptureFixture[str]) -> Complete:
    """Gives what is offered for some words, without descriptions, and the exit code."""

    def ask(*words: str) -> tuple[list[str], int]:
        capsys.readouterr()
        code = main(["__complete", "words", *words])
        said = capsys.readouterr()
        assert said.err == ""
        return [line.split("\t")[0] for line in said.out.splitlines()], code

    return ask


# ---- what is offered ----


@pytest.mark.usefixtures("folder")
def test_commands_options_values_and_runs_are_offered(complete: Complete) -> None:
    """Each where it may stand; paths are left to the shell."""
    commands, code = complete("")
    assert {"ls", "show", "config", "completion"} <= set(commands)
    assert code == 10
    assert complete("un") == (["undelete"], 10)
    assert complete("ls", "--js") == (["--json"], 0)
    assert complete("--no") == (["--no-mouse"], 0)
    assert complete("ls", "--query", "") == ([], 0)
    assert complete("export", "--format", "") == (["csv", "jsonl", "parquet"], 0)
    assert complete("export", "-o", "")[1] == 11
    assert complete("show", "jolly-h") == (["jolly-haze-1"], 0)
    assert complete("compare", "jolly-haze-1", "") == ([ODD, "jolly-moon-2", "jolly-haze-1"], 0)
    assert complete("rename", "jolly-haze-1", "") == ([], 0)
    assert complete("show", "p/")[0] != []
    assert complete("undelete", "") == ([], 0)
    assert complete("stop", "") == ([], 0)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", [["--dir", "elsewhere"], ["--dir=elsewhere"]])
def test_runs_are_those_of_the_folder_that_is_named(complete: Complete, words: list[str], tmp_path: Path) -> None:
    """In both spellings of the option."""
    tracker.init(project="p", name="jumpy-fox-3", dir=tmp_path / "elsewhere").finish()
    assert complete("show", *words, "jumpy-") == (["jumpy-fox-3"], 0)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("place", ["nowhere", "host:runs", "ssh://", "bin/tracker-tui"])
def test_trouble_offers_nothing_and_says_nothing(complete: Complete, place: str) -> None:
    """No folder, another machine, an address that is none, a file that is no run."""
    assert complete("show", "--dir", place, "j") == ([], 0)


# ---- in real shells ----


def bash_completes(folder: Path, line: str) -> list[str]:
    """The words that bash would put in place of the last one."""
    script = f"""
    eval "$(tracker-tui completion bash)"
    COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}
    _tracker_tui
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def typed(folder: Path, shell: str, *start: str, ready: str) -> pexpect.spawn[str]:
    """A shell at a terminal that knows the completions."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    child = pexpect.spawn(
        shell,
        list(start),
        cwd=folder,
        env=environment(folder),
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(40, 200),
    )
    child.sendline(ready)
    child.expect("re" + "ady")
    return child


def complete_and_run(child: pexpect.spawn[str], folder: Path) -> None:
    """A run's odd name, completed by the shell, means the run and nothing else."""
    child.send('tracker-tui show lr\t --json | grep -c \'"state"\'; echo do""ne\n')
    child.expect("\n1\r")
    child.expect("done")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    assert not (folder / "evil").exists()


def test_bash_completes(folder: Path) -> None:
    """Typed at a terminal: what is unique is written out, quoted so that it means the run and nothing else."""
    assert bash_completes(folder, "tracker-tui exp") == ["export"]
    assert bash_completes(folder, "tracker-tui show lr=0") == [r"0.1\ \$\(touch\ evil\)\;\'x"]
    assert bash_completes(folder, "tracker-tui show 'lr=0") == [ODD.replace("'", "'\\''")]
    child = typed(folder, "bash", "--norc", "-i", ready='eval "$(tracker-tui completion bash)"; echo re""ady')
    complete_and_run(child, folder)


def test_zsh_completes(folder: Path) -> None:
    """Typed at a terminal, the script being loaded as its first lines say."""
    setup = 'autoload -Uz compinit; compinit -u; eval "$(tracker-tui completion zsh)"; echo re""ady'
    child = typed(folder, "zsh", "-f", "-i", ready=setup)
    complete_and_run(child, folder)


def test_fish_completes(folder: Path) -> None:
    """Asked as fish lets one ask."""
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("no fish here")
    script = "tracker-tui completion fish | source; complete -C 'tracker-tui exp'; complete -C 'tracker-tui show lr'"
    done = subprocess.run(
        [fish, "--no-config", "-c", script],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["export", ODD]
    assert not (folder / "evil").exists()


# ---- mistyped ----


def test_mistyped_command_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is almost a command and no folder; other words are folders, which may come to be."""
    for word, meant in (("lss", "ls"), ("shwo", "show"), ("undelet", "undelete")):
        with pytest.raises(SystemExit, match="2"):
            main([word, "--json"])
        told = f"tracker-tui: there is no command and no folder {word!r}: is it {meant!r}?\n"
        assert capsys.readouterr().err == told
    (folder / "lss").mkdir()
    assert main(["lss"]) == 0
