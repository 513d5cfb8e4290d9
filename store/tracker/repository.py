"""The git repository around a program: its commit, read from `.git` itself, and what only git can tell."""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple

from tracker.programs import Output, output_of
from tracker.secrets import mask_tokens, without_credentials

SECONDS: Final = 5.0
"""That one git command may take; a large repository on a slow disk is not worth more."""
MAX_STATUS: Final = 1 << 20
"""Bytes of changed and untracked files' names that are counted."""
MAX_DIFF: Final = 1 << 20
"""Bytes of a diff that are kept."""

_SETTINGS: Final = (
    *("core.fsmonitor=false", "core.quotePath=true", "diff.ignoreSubmodules=dirty"),
    *("diff.relative=false", "diff.noprefix=false", "diff.mnemonicPrefix=false"),
)
_PLAIN: Final = ("--no-pager", *(word for setting in _SETTINGS for word in ("-c", setting)))
"""No program of the user's is started, and the output is what `git apply` takes, whatever the configuration says."""


class Changes(NamedTuple):
    """How a working tree differs from its commit."""

    facts: dict[str, Any]
    """`branch`, `dirty`, `changed` and `untracked` (numbers of files), `remote`; what is unknown is left out."""
    diff: bytes = b""
    """Of tracked files against the commit, as `git apply` takes it but for masked tokens; empty: no difference."""


def git_commit(folder: str | None) -> str | None:
    """The commit checked out around a folder, without a process; None outside a repository."""
    git = _git_folder(folder)
    return None if git is None else _head(git)


def changes(folder: str | None) -> Changes:
    """What git tells of the repository around a folder; nothing outside of one, or where git fails."""
    if folder is None or _git_folder(folder) is None:
        return Changes({})
    status = _git(folder, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", limit=MAX_STATUS)
    facts = _counted(status)
    remote = _git(folder, "config", "--get", "remote.origin.url").data.decode("utf-8", "replace").strip()
    if remote:
        facts["remote"] = without_credentials(remote)
    if not facts.get("changed"):
        return Changes(facts)
    diff = _git(folder, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", limit=MAX_DIFF)
    if diff.code is None and diff.data:
        whole_lines = diff.data[:MAX_DIFF].rpartition(b"\n")[0]
        return Changes(facts, _masked(whole_lines) + b"\n# tracker: cut here, at 1 MiB or after 5 s\n")
    return Changes(facts, _masked(diff.data) if diff.code == 0 else b"")


def _masked(diff: bytes) -> bytes:
    return mask_tokens(diff.decode("latin-1")).encode("latin-1")  # whatever bytes the files have, they stay


def _counted(status: Output) -> dict[str, Any]:
    """What `git status --porcelain=v2 --branch -z` says; of files only if it came to its end."""
    facts: dict[str, Any] = {}
    changed = untracked = 0
    entries = iter(status.data.decode("utf-8", "replace").split("\0"))
    for entry in entries:
        kind = entry.partition(" ")[0]
        if entry.startswith("# branch.head ") and entry != "# branch.head (detached)":
            facts["branch"] = entry.removeprefix("# branch.head ")
        changed += kind in ("1", "2", "u")
        untracked += kind == "?"
        if kind == "2":  # renamed: the old name follows
            next(entries, None)
    if status.code == 0:
        facts |= {"dirty": bool(changed or untracked), "changed": changed, "untracked": untracked}
    return facts


def _git(folder: str, *words: str, limit: int = 4096) -> Output:
    """The output of a git command that takes no lock, asks nobody, and fetches nothing."""
    env = {name: value for name, value in os.environ.items() if not _points_elsewhere(name)}
    env |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "none", "LC_ALL": "C"}
    return output_of(["git", "-C", folder, *_PLAIN, *words], SECONDS, limit, env)


def _points_elsewhere(variable: str) -> bool:
    """Whether a variable may have git look at another repository, as in a hook, or write a trace."""
    return variable.startswith("GIT_") and not variable.startswith("GIT_CONFIG")


def _git_folder(folder: str | None) -> str | None:
    """The `.git` of the repository around a folder: a folder, or the file of a worktree or submodule."""
    while folder:
        git = os.path.join(folder, ".git")
        if os.path.exists(git):
            return git
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
