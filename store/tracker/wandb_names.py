"""What W&B has and tracker by itself does not need: small names that frameworks touch, for the stand-in alone."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import secrets
import string
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn

from tracker import _run, api, records, report, starting
from tracker._run import Run
from tracker.errors import Error, UsageError
from tracker.lifecycle import process
from tracker.mappings import config_values
from tracker.media import Medium, PathLike
from tracker.settings import LOCAL, is_set, variable

# ---- runs ----


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: PathLike | None = None,  # noqa: A002 - W&B's word
    *arguments: Any,
    **others: Any,
) -> Run:
    """`tracker.init`, but for `dir`: where W&B makes a folder `wandb`, it makes `runs`, unless `TRACKER_DIR` is set."""
    root = None if dir is None or os.environ.get("TRACKER_DIR") else os.path.join(dir, "runs")
    run = starting.init(entity, project, root, *arguments, **others)
    for name in ("run", "config", "summary"):  # some scripts set `wandb.config`: W&B's `init` sets it anew
        vars(sys.modules["wandb"]).pop(name, None)
    return run


def attach(attach_id: str | None = None, run_id: str | None = None, **_: Any) -> Run:
    """The current run, if it is the one that is meant.

    Raises:
        UsageError: it is not. A run cannot be attached to from another process: `init(id=..., resume="allow")` goes on.
    """
    run = _run.current
    if run is None or run.id not in (attach_id, run_id):
        raise UsageError("no run to attach to in this process: use init(id=..., resume='allow')")
    return run


def teardown(exit_code: int | None = None) -> None:
    """Finish every run of this process."""
    for run in list(process.runs):
        run.finish(exit_code)


def ensure_configured() -> None:
    """Nothing: there is nothing to configure."""


def require(*_: Any, **__: Any) -> None:
    """Nothing: there is no other way than the one that is there."""


class Account:
    """`wandb.api`: programs ask it whether somebody is logged in."""

    @property
    def api_key(self) -> str:
        """What `WANDB_API_KEY` says, else `local`: programs that find none do not log at all."""
        return os.environ.get(API_KEY) or LOCAL

    @property
    def default_entity(self) -> str | None:
        """What the environment names as the entity."""
        return get_entity()

    def viewer(self) -> dict[str, Any]:
        """The same as W&B's server would tell it."""
        return {"entity": get_entity()}


account = Account()


class BeforeInit:
    """`wandb.config` and `wandb.summary` before there is a run: may be passed on, raises when it is used."""

    def __init__(self, name: str) -> None:
        vars(self)["_name"] = name

    def _refuse(self, *_: Any) -> NoReturn:
        raise UsageError(f"call wandb.init() before wandb.{vars(self)['_name']}")

    __getitem__ = __setitem__ = __delitem__ = __setattr__ = __contains__ = __iter__ = _refuse

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        self._refuse()

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"<wandb.{vars(self)['_name']} before wandb.init()>"


class RunDisabled:
    """For `isinstance` alone: no run is one, here as in W&B since 0.18."""


class SummaryDisabled(dict[str, Any]):
    """For `isinstance` alone: no summary is one."""


# ---- files ----


class Molecule(Medium):
    """A molecule as a file of one of W&B's kinds.

    Args:
        data_or_path: the file's path, or what it holds with a `name` that tells the kind.
        caption: shown with it.
    """

    kind = "molecule"
    folder = "molecule"
    suffixes = (".pdb", ".pqr", ".mmcif", ".mcif", ".cif", ".sdf", ".sd", ".gro", ".mol2", ".mmtf")

    def __init__(self, data_or_path: Any, caption: str | None = None, **_: Any) -> None:
        super().__init__(caption)
        self.take(lambda: self._make(data_or_path))

    def _make(self, data: Any) -> None:
        if hasattr(data, "read"):
            self.take_bytes(data.read(), os.path.splitext(str(getattr(data, "name", "")))[1].lower())
            if self.suffix not in self.suffixes:
                raise ValueError(f"a molecule's kind must be one of {', '.join(self.suffixes)}")
        else:
            self.take_path(data, self.suffixes)


class Classes:
    """Names of classes, for `Image(classes=...)`, which keeps none: masks and boxes bring their own.

    Args:
        class_set: `[{"id": 1, "name": "cat"}, ...]`.
    """

    def __init__(self, class_set: Sequence[dict[str, Any]]) -> None:
        self._class_set = list(class_set)


class Api(api.Api):
    """`tracker.Api` of the folder that runs go to; W&B's arguments are about its server."""

    def __init__(self, overrides: Any = None, timeout: int | None = None, api_key: str | None = None) -> None:
        super().__init__()


# ---- sweeps ----


def sweep(*_: Any, **__: Any) -> NoReturn:
    """There are none.

    Raises:
        UsageError: always; it says what to use.
    """
    raise UsageError("sweeps need W&B's server: let Optuna search, its runs sharing a group=... (docs/integrations.md)")


agent = controller = sweep

# ---- small things ----

ENVIRONMENT: Final = "API_KEY BASE_URL DIR ENTITY MODE NAME NOTES PROJECT RESUME RUN_GROUP RUN_ID SILENT SWEEP_ID TAGS"
(API_KEY, BASE_URL, DIR, ENTITY, MODE, NAME, NOTES, PROJECT, RESUME, RUN_GROUP, RUN_ID, SILENT, SWEEP_ID, TAGS) = (
    f"WANDB_{name}" for name in ENVIRONMENT.split()
)


class CommError(Error):
    """What W&B raises when its server does not answer; never raised here."""


class AuthenticationError(CommError):
    """What W&B raises without a login; never raised here."""


class UnsupportedError(UsageError):
    """What W&B raises for what its server cannot do; never raised here."""


def termerror(string: str, *_: Any, **__: Any) -> None:
    """Print an error behind `tracker: ` on stderr."""
    report.say([f"ERROR {records.clean(string)}"])


@contextlib.contextmanager
def telemetry(*_: Any, **__: Any) -> Iterator[Any]:
    """Where W&B notes which of its features are used; nothing is kept."""
    yield _Anything()


class _Anything:
    """Takes every attribute, and forgets it."""

    def __getattr__(self, name: str) -> _Anything:
        return _Anything()

    def __setattr__(self, name: str, value: object) -> None:
        pass


def generate_id(length: int = 8) -> str:
    """A random id of a-z and 0-9, fit for `init(id=...)`."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


def parse_config(
    params: Any, exclude: Iterable[str] | None = None, include: Iterable[str] | None = None
) -> dict[str, Any]:
    """Config as `init(config=...)` takes it, as a dict, without the keys `exclude` or with `include` alone.

    Raises:
        UsageError: both are given.
        TypeError, ValueError: `params` is nothing that can be config.
    """
    if exclude and include:
        raise UsageError("give at most one of exclude and include")
    values = config_values(params)
    return {key: value for key, value in values.items() if key not in (exclude or ()) and key in (include or values)}


def get_module(name: str, required: str | bool | None = None, lazy: bool = True) -> Any:
    """A module by name; None if it cannot be imported.

    Args:
        name: of the module.
        required: what to raise with if it cannot be imported.
        lazy: W&B's; it is imported at once.

    Raises:
        Error: it is required and not there.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        if required:
            raise Error(str(required)) from None
        return None


def json_friendly(value: Any) -> tuple[Any, bool]:
    """A value as JSON has it, and whether that is something else than the value itself."""
    made = records.plain(value)[0]
    return made, type(made) is not type(value)


def json_dumps_safer(value: Any, **_: Any) -> str:
    """A value as JSON; what JSON does not have becomes text."""
    return records.encode(records.plain(value)[0]).decode().rstrip("\n")


def make_artifact_name_safe(name: str) -> str:
    """A name fit for an artifact."""
    return re.sub(r"[^a-zA-Z0-9_\-.]", "_", name)[:128]


def set_project(value: str, env: Any = None) -> None:
    """Set `WANDB_PROJECT`."""
    (os.environ if env is None else env)[PROJECT] = value


def set_entity(value: str, env: Any = None) -> None:
    """Set `WANDB_ENTITY`."""
    (os.environ if env is None else env)[ENTITY] = value


def get_project(default: str | None = None, env: Any = None) -> str | None:
    """What the environment names as the project."""
    return variable("PROJECT") or default


def get_entity(default: str | None = None, env: Any = None) -> str | None:
    """What the environment names as the entity."""
    return variable("ENTITY") or default


def get_dir(default: str | None = None, env: Any = None) -> str | None:
    """Where runs go: `TRACKER_DIR`, else `default`."""
    return os.environ.get("TRACKER_DIR") or default


def is_offline(env: Any = None) -> bool:
    """Always: nothing leaves this machine."""
    return True


def is_quiet() -> bool:
    """Whether the environment asks for few words."""
    return is_set("QUIET")


def is_silent() -> bool:
    """Whether the environment asks for none."""
    return is_set("SILENT")
