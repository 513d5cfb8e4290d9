"""What a run keeps as files in its folder: what `save` is told to, the program, and code as an artifact.

<run>/files/    `run.dir`: what the job writes there itself, and what `save` puts there
<run>/code/     the program, with `init(save_code=True)`
"""

from __future__ import annotations

import glob
import inspect
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracker.blobs import part_name
from tracker.contents import folders_of_runs, walk
from tracker.records import clean

if TYPE_CHECKING:
    from tracker._run import Run
    from tracker.artifacts import Artifact

FILES: Final = "files"
CODE: Final = "code"
POLICIES: Final = ("live", "now", "end")
_SOURCE: Final = re.compile(r".*\.py|requirements.*\.txt|pyproject\.toml|Dockerfile.*")
"""Names of what `log_code` takes by itself."""

Filter = Callable[..., bool]


class _Wish(NamedTuple):
    """What `save` was told."""

    pattern: str
    base: str
    policy: str
    is_left_out: Callable[[str], bool]
    """As `_runs_beside` tells it."""


class Saver:
    """Puts files of the job into the run's `files/`, now and again at its end.

    Args:
        folder: tells that folder.
        warn: `Run._warn`.
    """

    def __init__(self, folder: Callable[[], str], warn: Callable[[str, str], None]) -> None:
        self._folder, self._warn = folder, warn
        self._wishes: list[_Wish] = []

    def save(self, pattern: object, base: object, policy: object, is_pattern: bool) -> list[str]:
        """What `Run.save` does."""
        if policy not in POLICIES:
            raise ValueError(f"policy must be one of {', '.join(POLICIES)} (got {policy!r})")
        path, above = _checked(pattern, base)
        wish = _Wish(path if is_pattern else glob.escape(path), above, str(policy), _runs_beside(path))
        if policy != "now":
            self._wishes.append(wish)
        return [self._target(path, wish.base) for path in _files(wish) if policy == "end" or self._put(path, wish)]

    def finish(self) -> None:
        """Take what is to be taken at the end, as it is now."""
        wishes, self._wishes = self._wishes, []
        for wish in wishes:
            try:
                for path in _files(wish):
                    self._put(path, wish)
            except Exception as error:  # the run must end all the same
                self._warn(f"save {wish.pattern}", f"cannot save {wish.pattern} ({error})")

    def _target(self, path: str, base: str) -> str:
        return os.path.join(self._folder(), os.path.relpath(path, base))

    def _put(self, path: str, wish: _Wish) -> bool:
        """Put a file into its place; trouble with the disk is told once a file, and training goes on."""
        target = self._target(path, wish.base)
        folder, top, temporary = os.path.dirname(target), self._folder(), ""
        try:
            if _is_below(path, top):
                return True  # the job wrote it there
            os.makedirs(folder, exist_ok=True)
            if folder != top and not _is_below(folder, top):
                raise OSError(0, "its folder is a link that leads elsewhere")
            if os.path.exists(target) and os.path.samefile(path, target):
                return True
            temporary = os.path.join(folder, "." + part_name())
            if wish.policy != "live" or not _linked(path, temporary):
                shutil.copyfile(path, temporary)
            os.replace(temporary, target)
        except OSError as error:
            self._warn(f"save {path}", f"cannot save {path} ({error.strerror})")
            _remove(temporary)
            return False
        return True


def _checked(pattern: object, base: object) -> tuple[str, str]:
    """Pattern and base as absolute paths.

    Raises:
        TypeError, ValueError: they are no paths, or the pattern leads above the base.
    """
    text, above = _text("glob_str", pattern), None if base is None else _text("base_path", base)
    absolute = os.path.abspath(text)
    if above is None:
        above = os.path.dirname(absolute) if os.path.isabs(text) else "."
    above = os.path.abspath(above)
    if not absolute.startswith(os.path.join(above, "")):
        raise ValueError(f"{text[:200]!r} leads out of {above}: say base_path")
    return absolute, above


def _text(argument: str, path: object) -> str:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{argument} must be a path, not {type(path).__name__}")
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise ValueError(f"{argument} must not be empty or contain a NUL character")
    return text


def _files(wish: _Wish) -> Iterator[str]:
    """The regular files that a wish means; a link is one where it leads to one."""
    is_left_out = cache(wish.is_left_out)
    for path in sorted(glob.glob(wish.pattern, recursive=True)):
        try:
            if not is_left_out(os.path.dirname(path)) and stat.S_ISREG(os.stat(path).st_mode):
                yield path
        except OSError:
            continue


def _runs_beside(pattern: str) -> Callable[[str], bool]:
    """Tells of a folder whether it is one of runs, or below one, that the pattern does not lead into by itself."""
    start = pattern
    while glob.has_magic(start):
        start = os.path.dirname(start)

    def is_within(path: str, folder: str) -> bool:
        return os.path.join(os.path.realpath(path), "").startswith(os.path.join(folder, ""))

    beside = [folder for folder in folders_of_runs() if not is_within(start, folder)]
    return lambda path: any(is_within(path, folder) for folder in beside)


def _is_below(path: str, folder: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))


def _linked(path: str, target: str) -> bool:
    try:
        os.link(os.path.realpath(path), target)
    except OSError:
        return False
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


# ---- code ----


def save_program(run: Run, program: object) -> None:
    """Put a copy of the program into the run's `code/`, under its path below the working folder."""
    if not isinstance(program, str):
        run._warn("code", "save_code: there is no file of a program to keep")
        return
    target = os.path.join(run.folder, CODE, _short(program))
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(program, target)
    except OSError as error:
        run._warn("code", f"save_code: cannot keep {program} ({error.strerror})")


def _short(program: str) -> str:
    """A program's path below the working folder, else its name."""
    relative = os.path.relpath(program)
    return os.path.basename(program) if relative.startswith("..") else relative


def log_code(
    run: Run, root: str | os.PathLike[str] | None, name: str | None, include: Filter | None, exclude: Filter | None
) -> Artifact | None:
    """What `Run.log_code` does."""
    from tracker.artifacts import Artifact

    top = os.path.abspath(os.fsdecode(root or "."))
    if not os.path.isdir(top):
        raise ValueError(f"{top!r} is no folder")
    wanted = _filter(include, lambda path: _SOURCE.fullmatch(os.path.basename(path)) is not None, top)
    unwanted = _filter(exclude, lambda _: False, top)
    program = run._state.start.get("program")
    last = _short(program) if isinstance(program, str) else "notebook"
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", f"source-{run.project}-{last}")[:128]
    artifact = Artifact(name or safe, "code")
    left_out: list[str] = []
    runs = folders_of_runs()
    for path in walk(top, left_out, lambda folder: _has_no_source(folder) or os.path.realpath(folder) in runs):
        if wanted(path) and not unwanted(path):
            try:
                artifact.add_file(path, os.path.relpath(path, top).replace(os.sep, "/"))
            except (OSError, ValueError) as error:
                run._warn(f"code {path}", f"log_code: {clean(path)} is left out ({clean(error)})")
    for path in left_out:
        if os.path.isfile(path) and wanted(path) and not unwanted(path):
            run._warn(f"code {path}", f"log_code: {clean(path)} is left out: it is a link out of the folder")
    return run.log_artifact(artifact) if artifact.entries else None


def _has_no_source(folder: str) -> bool:
    """Whether a folder is hidden, a virtual environment, or W&B's."""
    name = os.path.basename(folder)
    if name.startswith(".") or name in ("wandb", "__pycache__", "node_modules"):
        return True
    return any(os.path.exists(os.path.join(folder, mark)) for mark in ("pyvenv.cfg", "conda-meta"))


def _filter(given: Filter | None, usual: Filter, top: str) -> Filter:
    """A filter of paths; W&B's may take the root too."""
    if given is None:
        return usual
    if not callable(given):
        raise TypeError(f"include_fn and exclude_fn must be functions, not {type(given).__name__}")
    try:
        count = len(inspect.signature(given).parameters)
    except (TypeError, ValueError):  # some of C
        count = 1
    chosen: Any = given
    return (lambda path: chosen(path, top)) if count > 1 else chosen
