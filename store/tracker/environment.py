"""What surrounds a run: the command, the Python, the commit. Gathered for the `start` record, without a process."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from typing import Any

from tracker import host
from tracker.settings import is_set


def facts() -> dict[str, Any]:
    """Command line, program, working folder, Python, system, user and git commit; what is unknown is left out."""
    program = sys.argv[0] if sys.argv else ""
    found = {
        "command": shlex.join([os.path.basename(sys.executable or "python"), *_arguments()]),
        "program": os.path.abspath(program) if os.path.isfile(program) else None,
        "cwd": _cwd(),
        "python": platform.python_version(),
        "os": sys.platform,
        "user": host.user(),
        "git": None if is_set("DISABLE_GIT") else git_commit(program_folder()),
    }
    return {key: value for key, value in found.items() if value}


def program_folder() -> str | None:
    """Where the program lies; without one, as in an interpreter, the working folder."""
    program = sys.argv[0] if sys.argv else ""
    return os.path.dirname(os.path.abspath(program)) if os.path.isfile(program) else _cwd()


def _arguments() -> list[str]:
    """The interpreter's arguments as typed; a program given after `-c` is left out."""
    given = sys.orig_argv[1:]
    if "-c" in given:
        place = given.index("-c") + 1
        return [*given[:place], "...", *given[place + 1 :]]
    return given


def git_commit(folder: str | None) -> str | None:
    """The commit checked out around a folder, read from `.git` itself; None outside a repository."""
    while folder:
        git = os.path.join(folder, ".git")
        if os.path.exists(git):
            return _head(git)
        parent = os.path.dirname(folder)
        folder = parent if parent != folder else None
    return None


def _head(git: str) -> str | None:
    try:
        if os.path.isfile(git):  # a worktree or submodule: the file says where the real folder is
            git = os.path.join(os.path.dirname(git), _read(git).removeprefix("gitdir:").strip())
        head = _read(os.path.join(git, "HEAD")).strip()
        if not head.startswith("ref: "):
            return head or None
        common = os.path.join(git, "commondir")
        shared = os.path.join(git, _read(common).strip()) if os.path.isfile(common) else git
        reference = head[5:]
        loose = os.path.join(shared, reference)
        if os.path.isfile(loose):
            return _read(loose).strip() or None
        for line in _read(os.path.join(shared, "packed-refs")).splitlines():
            if line.endswith(" " + reference):
                return line.split(" ")[0]
    except (OSError, UnicodeDecodeError):
        pass
    return None


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(1 << 20)


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
