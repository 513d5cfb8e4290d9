"""Config and Summary: the two mappings a run holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import orjson

from tracker.errors import ConfigError
from tracker.records import plain, restore


class Config(MutableMapping[str, Any]):
    """What the run was set up with: items and attributes, written to the journal as they are set.

    A key that is set keeps its value: changing it raises `ConfigError`, unless through
    `update(..., allow_val_change=True)`.
    """

    def __init__(self, values: dict[str, Any], save: Callable[[dict[str, Any]], None]) -> None:
        vars(self).update(_values=restore(values), _save=save)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        raise ConfigError(f"config.{key} cannot be deleted: what was set stays on record")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, key: str) -> Any:
        try:
            return vars(self)["_values"][key]
        except KeyError:
            raise AttributeError(f"config has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __repr__(self) -> str:
        return repr(self._values)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, also a pickled one, is a config of its own that is written nowhere."""
        return Config, (self.as_dict(), _nowhere)

    def update(self, values: Any = (), /, allow_val_change: bool = False, **more: Any) -> None:
        """Set many keys, shallowly.

        Args:
            values: a mapping, pairs, an `argparse.Namespace` or anything else with `__dict__`.
            allow_val_change: let keys that are set change their value.

        Raises:
            ConfigError: a key is set to another value.
            TypeError: `values` is none of these.
        """
        new = {**config_values(values), **config_values(more)}
        changed = {k: value for k, value in new.items() if k not in self._values or plain(self._values[k])[0] != value}
        known = [key for key in changed if key in self._values]
        if known and not allow_val_change:
            raise ConfigError(
                f"config.{known[0]} is {self._values[known[0]]!r} and would become {changed[known[0]]!r}; "
                "use config.update(..., allow_val_change=True)"
            )
        if changed:
            self._values.update(restore(changed))
            self._save(changed)

    def setdefaults(self, values: Any) -> None:
        """Set the keys that are not set yet."""
        self.update({key: value for key, value in config_values(values).items() if key not in self._values})

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return dict(self._values)

    _as_dict = as_dict


def _nowhere(_: dict[str, Any]) -> None:
    """Where a copy is written."""


def config_values(values: Any) -> dict[str, Any]:
    """Config keys and JSON-ready values; edge dashes of keys go (W&B's rule).

    Args:
        values: a mapping, pairs, a dataclass, a Namespace or anything with attributes, absl's FLAGS, or the path of a
            JSON or YAML file.

    Raises:
        TypeError: it is none of these.
        ValueError: the file cannot be read.
    """
    if values is None:
        return {}
    if isinstance(values, (str, os.PathLike)):
        values = _from_file(os.fspath(values))
    if callable(getattr(values, "flag_values_dict", None)):  # absl
        values = values.flag_values_dict()
    if hasattr(values, "__dataclass_fields__") and not isinstance(values, type):  # may have slots, no `__dict__`
        values = {key: getattr(values, key) for key in values.__dataclass_fields__}
    if not isinstance(values, (Mapping, list, tuple)):
        if not hasattr(values, "__dict__") or isinstance(values, type):
            raise TypeError(f"config must be a mapping or an object with attributes, not {type(values).__name__}")
        values = {key: value for key, value in vars(values).items() if not key.startswith("_")}
    try:
        pairs = dict(values).items()
    except (TypeError, ValueError):
        raise TypeError("config must be a mapping or an object with attributes, not a plain sequence") from None
    return {str(key).strip("-"): plain(value)[0] for key, value in pairs}


def _from_file(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            text = file.read()
        if path.endswith((".yaml", ".yml")):
            import yaml  # the user's own, where they write YAML

            return yaml.safe_load(text)
        return orjson.loads(text)
    except ImportError:
        raise ValueError(f"config: reading {path} needs PyYAML (pip install pyyaml)") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"config: cannot read {path}: {error}") from None


class Summary(MutableMapping[str, Any]):
    """The run's numbers in short: the last value of every metric, and whatever is set by hand."""

    def __init__(self, values: Callable[[], dict[str, Any]], save: Callable[[dict[str, Any], list[str]], None]) -> None:
        vars(self).update(_values=values, _save=save)

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._save({key: value}, [])

    def __delitem__(self, key: str) -> None:
        if key not in self._values():
            raise KeyError(key)
        self._save({}, [key])

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._values()))

    def __len__(self) -> int:
        return len(self._values())

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"summary has no {key!r}") from None

    def _as_dict(self) -> dict[str, Any]:
        return dict(self._values())

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __repr__(self) -> str:
        return repr(self._values())
