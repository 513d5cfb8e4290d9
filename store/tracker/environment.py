"""What surrounds a run: the command, the code, the machine.

What is known at once goes into the `start` record. The rest is found out in a thread, so that `init` need not wait; it
becomes one `environment` record and two files in the run's folder:

    requirements.txt    packages that are installed, `name==version`
    diff.patch          how tracked files differ from the commit

A run that ends meanwhile is told as much as was found; it does not wait for git or a driver.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from tracker import host, repository, secrets, threads
from tracker.settings import is_set

if TYPE_CHECKING:
    from tracker._run import Run

PACKAGES: Final = "requirements.txt"
DIFF: Final = "diff.patch"
DELAY: Final = 0.05
"""Seconds after which a survey begins: it would take the interpreter from `init` and the first steps."""
PATIENCE: Final = 0.05
"""Seconds that the end of a run waits for what is told within milliseconds."""
MAX_TEXT: Final = 200
"""Characters of one fact, so that the record, which every checkpoint repeats, stays below 4 KiB or so."""


_OPTION: Final = re.compile(r"(?P<flags>-[bBdEhiIOPqRsSuvVx?]*(?P<last>[cmWX]?))(?P<rest>.*)", re.DOTALL)
"""An option of the interpreter: `-c` and `-m` end them, they and `-W` and `-X` take what follows."""


def facts() -> dict[str, Any]:
    """Command line, program, working folder, Python, system, user and git commit; what is unknown is left out.

    Secrets in the command line are masked.
    """
    program = sys.argv[0] if sys.argv else ""
    words = secrets.mask_words([os.path.basename(sys.executable or "python"), *_arguments()])
    found = {
        "command": shlex.join(words),
        "program": os.path.abspath(program) if os.path.isfile(program) else None,
        "cwd": _cwd(),
        "python": platform.python_version(),
        "os": sys.platform,
        "user": host.user(),
        "git": None if is_set("DISABLE_GIT") else repository.git_commit(program_folder()),
    }
    return {key: value for key, value in found.items() if value}


class Survey:
    """Finds out in a thread what surrounds a run, tells the run, and writes the files; there is one a run."""

    def __init__(self, run: Run) -> None:
        self.found: dict[str, Any] = {}
        """What is known so far; replaced as a whole when there is more."""
        self._run = run
        self._hurry = threading.Event()
        self._begun = threading.Event()
        self._folder = None if is_set("DISABLE_GIT") else program_folder()
        try:
            threads.start("survey", self._find)
        except OSError:  # nothing is found
            self._begun.set()

    def so_far(self, may_wait: bool) -> dict[str, Any]:
        """What is known when the run ends.

        Args:
            may_wait: wait a moment for what is known soon. Not after Ctrl-C: whatever evaluates a string, as the making
                of a NamedTuple in a module that is loaded only now, lets Python forget that it is to end by the signal.
        """
        if may_wait:
            self._hurry.set()
            self._begun.wait(PATIENCE)
        return self.found

    def _find(self) -> None:
        if not self._hurry.wait(DELAY) and self._run.is_over:
            return
        try:
            from tracker import surroundings  # takes longer than the rest of this module, which is on the way of `init`

            self._add({**surroundings.facts(), "disk": surroundings.disk(os.path.dirname(self._run.file))})
            self._begun.set()
            self._write(PACKAGES, "".join(f"{package}\n" for package in surroundings.packages()).encode())
            for look in (surroundings.gpus, self._look_at_code):
                if not self._run.is_over:
                    self._add(look())
            self._run._note_environment(self.found)
        except Exception as error:  # facts are a help, they must not trouble the training
            if not self._run.is_over:  # at the end of the process nobody may print any more
                self._run._warn("environment", f"cannot tell all of the environment ({error})")

    def _look_at_code(self) -> dict[str, Any]:
        changes = repository.changes(self._folder)
        self._write(DIFF, changes.diff)
        return {"git": changes.facts}

    def _add(self, facts: dict[str, Any]) -> None:
        self.found = self.found | {name: _bounded(value) for name, value in facts.items() if value}

    def _write(self, name: str, content: bytes) -> None:
        """Put a file into the run's folder, once, while the run goes on.

        Of trouble the run itself speaks: its journal is in the same place.
        """
        folder = self._run.folder
        if content and not self._run.is_over:
            with contextlib.suppress(OSError):
                if not os.path.isdir(folder):
                    os.mkdir(folder)  # not what is above it: that may have been removed
                with open(os.path.join(folder, name), "xb") as file:
                    file.write(content)


def _bounded(value: Any) -> Any:
    """Facts with texts that are short and hold no secret."""
    if isinstance(value, str):
        return secrets.mask(value)[:MAX_TEXT]
    if isinstance(value, dict):
        return {name: _bounded(fact) for name, fact in value.items()}
    return [_bounded(fact) for fact in value] if isinstance(value, list) else value


def program_folder() -> str | None:
    """Where the program lies; without one, as in an interpreter, the working folder."""
    program = sys.argv[0] if sys.argv else ""
    return os.path.dirname(os.path.abspath(program)) if os.path.isfile(program) else _cwd()


def _arguments() -> list[str]:
    """The interpreter's arguments as typed; a program given after its own `-c` is left out."""
    given = sys.orig_argv[1:]
    place = 0
    while place < len(given) and (option := _OPTION.fullmatch(given[place])):
        if option["last"] == "c":
            after = place + (1 if option["rest"] else 2)
            return [*given[:place], option["flags"], "...", *given[after:]]
        if option["last"] == "m" and given[place + 1 : place + 2] != ["tracker"]:  # which takes a program itself
            break
        place += 1 if option["rest"] or not option["last"] else 2
    return given


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
