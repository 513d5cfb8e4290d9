"""`as_wandb`: from then on `import wandb`, anywhere in the process, gives tracker under W&B's names.

Frameworks import `wandb` themselves, look whether it is installed and which version, and take names out of a dozen of
its submodules. One finder in front of all others answers for it, whether W&B is installed or not; `OFFERS` says which
modules there are and where each of their names lives. What is not in it raises an error that says so.

What `python -m tracker` starts finds the folder `children` on its path: a `wandb` there hands over to this module.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder, PathDistribution
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tracker.errors import UsageError, missing
from tracker.layout import CHILDREN

VERSION: Final = "0.31.0"
"""The version whose names and behaviour these are; newer than any that frameworks ask for."""

CURRENT: Final = ("run", "config", "summary")
"""Names of `wandb` that are those of the current run."""

_ALL: Final = (
    "init finish save sweep controller agent config log summary join Api Image Plotly Video Audio Table Html Object3D "
    "Molecule Histogram log_artifact use_artifact log_model use_model define_metric watch unwatch plot_table Run"
)
"""What `from wandb import *` gives; W&B's list."""

_MEDIA: Final = "Audio Html Image Object3D Plotly Video"
_ERRORS: Final = "Error UsageError"
_NO_ERRORS: Final = "AuthenticationError CommError UnsupportedError"
_TERM: Final = "termlog termwarn"
_KERAS: Final = {"tracker.integration.keras": "WandbMetricsLogger=TrackerCallback WandbCallback "
    "WandbModelCheckpoint=TrackerModelCheckpoint WandbEvalCallback=TrackerEvalCallback"}  # fmt: skip
_XGBOOST: Final = {"tracker.integration.xgboost": "WandbCallback=TrackerCallback wandb_callback"}
_LIGHTGBM: Final = {"tracker.integration.lightgbm": "wandb_callback=tracker_callback log_summary"}
_SB3: Final = {"tracker.integration.sb3": "WandbCallback=TrackerCallback"}
_TENSORBOARD: Final = {"tracker.tensorboard": "patch unpatch"}
_PLOTS: Final = "bar confusion_matrix histogram line line_series plot_table pr_curve roc_curve scatter"

OFFERS: Final[dict[str, dict[str, str]]] = {
    "wandb": {
        "tracker": "AlertLevel Artifact Config Histogram Run Settings Table alert define_metric finish "
        "join=finish log log_artifact login mark_preempting restore save setup unwatch use_artifact watch "
        f"{_ERRORS} {_MEDIA} {_TERM}",
        "tracker.plot": "plot_table",
        "tracker.wandb_names": "Api Classes CommError Molecule agent api=account attach _attach=attach controller "
        "ensure_configured init require sweep teardown termerror",
        "tracker._run": "link_model log_model use_model",
        "wandb": "wandb_sdk=sdk",
        "wandb.sdk": "helper=wandb_helper",
    },
    "wandb.apis": {},
    "wandb.apis.public": {"tracker.wandb_names": "Api", "tracker.api": "File=ApiFile Run=ApiRun Runs"},
    "wandb.apis.public.api": {"tracker.wandb_names": "Api"},
    "wandb.apis.public.files": {"tracker.api": "File=ApiFile"},
    "wandb.apis.public.runs": {"tracker.api": "Run=ApiRun Runs"},
    "wandb.data_types": {
        "tracker": f"{_MEDIA} Histogram Table",
        "tracker.wandb_names": "Classes Molecule",
        "tracker.media": "Media=Medium WBValue=Medium",
    },
    "wandb.env": {
        "tracker.wandb_names": "API_KEY BASE_URL DIR ENTITY MODE NAME NOTES PROJECT RESUME RUN_GROUP RUN_ID "
        "SILENT SWEEP_ID TAGS get_dir get_entity get_project is_offline is_quiet is_silent set_entity set_project"
    },
    "wandb.errors": {"tracker": _ERRORS, "tracker.wandb_names": _NO_ERRORS},
    "wandb.errors.errors": {"tracker": _ERRORS, "tracker.wandb_names": _NO_ERRORS},
    "wandb.errors.term": {"tracker": _TERM, "tracker.wandb_names": "termerror"},
    "wandb.integration": {},
    "wandb.integration.keras": _KERAS,
    "wandb.integration.keras.callbacks": _KERAS,
    "wandb.integration.lightgbm": _LIGHTGBM,
    "wandb.integration.sb3": _SB3,
    "wandb.integration.sb3.sb3": _SB3,
    "wandb.integration.tensorboard": _TENSORBOARD,
    "wandb.integration.xgboost": _XGBOOST,
    "wandb.integration.xgboost.xgboost": _XGBOOST,
    "wandb.keras": _KERAS,
    "wandb.lightgbm": _LIGHTGBM,
    "wandb.plot": {"tracker.plot": f"{_PLOTS} CustomChart"},
    "wandb.plot.custom_chart": {"tracker.plot": "CustomChart plot_table"},
    "wandb.sb3": _SB3,
    "wandb.sdk": {
        "tracker": "AlertLevel Artifact Config Settings Summary finish login setup",
        "tracker.wandb_names": "_attach=attach controller init require sweep teardown",
        "wandb.sdk": "helper=wandb_helper",
    },
    "wandb.sdk.artifacts": {},
    "wandb.sdk.artifacts.artifact": {"tracker": "Artifact"},
    "wandb.sdk.data_types": {},
    "wandb.sdk.data_types.audio": {"tracker": "Audio"},
    "wandb.sdk.data_types.base_types": {},
    "wandb.sdk.data_types.base_types.media": {"tracker.media": "Media=Medium"},
    "wandb.sdk.data_types.base_types.wb_value": {"tracker.media": "WBValue=Medium"},
    "wandb.sdk.data_types.helper_types": {},
    "wandb.sdk.data_types.helper_types.classes": {"tracker.wandb_names": "Classes"},
    "wandb.sdk.data_types.histogram": {"tracker": "Histogram"},
    "wandb.sdk.data_types.html": {"tracker": "Html"},
    "wandb.sdk.data_types.image": {"tracker": "Image"},
    "wandb.sdk.data_types.molecule": {"tracker.wandb_names": "Molecule"},
    "wandb.sdk.data_types.object_3d": {"tracker": "Object3D"},
    "wandb.sdk.data_types.plotly": {"tracker": "Plotly"},
    "wandb.sdk.data_types.table": {"tracker": "Table"},
    "wandb.sdk.data_types.video": {"tracker": "Video"},
    "wandb.sdk.lib": {"tracker.wandb_names": "RunDisabled SummaryDisabled"},
    "wandb.sdk.lib.config_util": {"tracker": "ConfigError"},
    "wandb.sdk.lib.disabled": {"tracker.wandb_names": "RunDisabled SummaryDisabled"},
    "wandb.sdk.lib.ipython": {"tracker.starting": "in_notebook=_is_notebook"},
    "wandb.sdk.lib.paths": {"tracker.media": "StrPath=PathLike"},
    "wandb.sdk.lib.runid": {"tracker.wandb_names": "generate_id"},
    "wandb.sdk.lib.telemetry": {"tracker.wandb_names": "context=telemetry"},
    "wandb.sdk.wandb_alerts": {"tracker": "AlertLevel"},
    "wandb.sdk.wandb_config": {"tracker": "Config"},
    "wandb.sdk.wandb_helper": {"tracker.wandb_names": "parse_config"},
    "wandb.sdk.wandb_init": {"tracker.wandb_names": "_attach=attach init"},
    "wandb.sdk.wandb_login": {"tracker": "login"},
    "wandb.sdk.wandb_require": {"tracker.wandb_names": "require"},
    "wandb.sdk.wandb_run": {"tracker": "Run finish restore"},
    "wandb.sdk.wandb_settings": {"tracker": "Settings"},
    "wandb.sdk.wandb_setup": {"tracker": "setup", "tracker.wandb_names": "teardown"},
    "wandb.sdk.wandb_summary": {"tracker": "Summary"},
    "wandb.sdk.wandb_sweep": {"tracker.wandb_names": "controller sweep"},
    "wandb.tensorboard": _TENSORBOARD,
    "wandb.util": {
        "tracker.wandb_names": "generate_id get_module json_dumps_safer json_friendly make_artifact_name_safe"
    },
    "wandb.wandb_agent": {"tracker.wandb_names": "agent"},
    "wandb.wandb_run": {"tracker": "Run"},
    "wandb.xgboost": _XGBOOST,
}
"""The stand-in's modules; of each, where its names come from; `a=b`: what is `b` there is `a` here."""


def as_wandb() -> ModuleType:
    """Let `import wandb` give tracker, anywhere in this process, whether W&B is installed or not.

    Call it before whatever imports `wandb`; a second call changes nothing. Processes that this one starts anew know
    nothing of it; `python -m tracker script.py` reaches them too.

    Returns:
        What `import wandb` gives.

    Raises:
        UsageError: W&B itself is imported already: part of the program would go on logging there.
    """
    known = sys.modules.get("wandb")
    if known is not None and not isinstance(known, StandIn):
        raise UsageError(
            "wandb itself is imported already: call tracker.as_wandb() before what imports it, "
            "or start the program with `python -m tracker`"
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module("wandb")


class StandIn(ModuleType):
    """A module of W&B's, its names looked up when they are asked for."""

    _homes: dict[str, tuple[str, str]]

    def __getattr__(self, name: str) -> Any:
        whole = f"{self.__name__}.{name}"
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        if self.__name__ == "wandb" and name in CURRENT:
            return _current(name)
        if name in self._homes:
            home, there = self._homes[name]
            value = vars(self)[name] = getattr(importlib.import_module(home), there)
            return value
        if whole in OFFERS:
            return importlib.import_module(whole)
        raise AttributeError(missing(whole), name=name, obj=self)

    def __dir__(self) -> list[str]:
        below = {module.rpartition(".")[2] for module in OFFERS if module.rpartition(".")[0] == self.__name__}
        current = CURRENT if self.__name__ == "wandb" else ()
        return sorted({*vars(self), *self._homes, *below, *current})


def _homes_of(module: str) -> dict[str, tuple[str, str]]:
    """Of each name of a module, the module that has it and what it is called there."""
    words = [(home, word.partition("=")) for home, names in OFFERS[module].items() for word in names.split()]
    return {name: (home, there or name) for home, (name, _, there) in words}


def _current(name: str) -> Any:
    """The current run, or its config or summary; before there is one, what raises when it is used."""
    run = importlib.import_module("tracker._run").current
    if name == "run" or run is not None:
        return run if name == "run" else getattr(run, name)
    return importlib.import_module("tracker.wandb_names").BeforeInit(name)


class _Finder(MetaPathFinder, Loader):
    """Finds `wandb`, its submodules and its metadata here."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in OFFERS:
            return ModuleSpec(fullname, self, origin=__file__, is_package=True)
        if fullname.startswith("wandb.") and sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":
            # An import; `importlib.util.find_spec` only asks. Without `name`, or Python would not show these words.
            raise ModuleNotFoundError(missing(fullname))
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name, f"tracker, in place of {spec.name}.")

    def exec_module(self, module: ModuleType) -> None:
        homes = _homes_of(module.__name__)
        names = _ALL.split() if module.__name__ == "wandb" else [name for name in homes if name[0] != "_"]
        vars(module).update(__file__=__file__, __version__=VERSION, __all__=names, _homes=homes)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        """For `importlib.metadata.version("wandb")` and its like."""
        if context is None or context.name in (None, "wandb"):
            yield PathDistribution(Path(CHILDREN, f"wandb-{VERSION}.dist-info"))
