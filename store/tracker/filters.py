"""Mongo-style filters and orders over runs, as `Api().runs(filters=..., order=...)` takes them. Pure.

    {"config.lr": {"$lt": 0.1}, "$or": [{"state": "finished"}, {"tags": "keep"}]}

A field may be state, name (the id, as in W&B), display_name, id, project, entity, group, job_type, tags, notes,
created_at, exit_code, step, duration, `config.KEY` or `summary_metrics.KEY`; camel case works too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Fields = Callable[[str], Any]
"""A field's value by its name in snake case; raises KeyError for one the run does not have."""

_MISSING: Final = object()


def matches(filters: Mapping[str, Any], fields: Fields) -> bool:
    """Whether a run fits all of the filters.

    Raises:
        ValueError: an operator is unknown or its operand makes no sense; the message names it.
    """
    if not isinstance(filters, Mapping):
        raise ValueError(f"a filter must be a mapping (got {filters!r})")
    for name, wanted in filters.items():
        if _snake(name) == "created_at":
            wanted = _as_seconds(wanted)
        if name in ("$and", "$or", "$nor"):
            if not isinstance(wanted, (list, tuple)):
                raise ValueError(f"{name} takes a list of filters")
            found = [matches(each, fields) for each in wanted]
            fits = all(found) if name == "$and" else any(found) if name == "$or" else not any(found)
        elif name == "$not":
            fits = not matches(wanted, fields)
        elif name.startswith("$"):
            raise ValueError(f"unknown operator {name}")
        else:
            fits = _fits(value_of(name, fields), wanted)
        if not fits:
            return False
    return True


def value_of(name: str, fields: Fields) -> Any:
    """A field's value, nested by dots; a marker that equals nothing where there is none."""
    first, _, rest = name.partition(".")
    try:
        value = fields(_snake(first))
        if not rest:
            return value
        return nested(value, rest)
    except KeyError:
        return _MISSING


def nested(value: Any, path: str) -> Any:
    """`a.b` is the key `a.b`, or `b` within `a`; W&B's `.value` behind a config key is passed over."""
    if not isinstance(value, Mapping):
        raise KeyError(path)
    if path in value:
        return value[path]
    for end in range(len(path) - 1, 0, -1):
        if path[end] == "." and path[:end] in value:
            inner = value[path[:end]]
            return (
                inner
                if path[end + 1 :] == "value" and not isinstance(inner, Mapping)
                else nested(inner, path[end + 1 :])
            )
    raise KeyError(path)


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and any(key.startswith("$") for key in wanted):
        return all(_apply(operator, value, operand) for operator, operand in wanted.items())
    return _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    if value is _MISSING:
        return wanted is None
    return bool(value == wanted) or (isinstance(value, (list, tuple)) and wanted in value)


def _apply(operator: str, value: Any, operand: Any) -> bool:
    if operator == "$exists":
        return (value is not _MISSING) == bool(operand)
    if operator == "$not":
        return not _fits(value, operand)
    if operator in ("$in", "$nin"):
        if not isinstance(operand, (list, tuple, set)):
            raise ValueError(f"{operator} takes a list")
        return any(_equal(value, each) for each in operand) == (operator == "$in")
    if operator == "$regex":
        try:
            texts = value if isinstance(value, (list, tuple)) else [value]
            return any(isinstance(text, str) and re.search(operand, text) is not None for text in texts)
        except (re.error, TypeError) as error:
            raise ValueError(f"$regex: {error}") from None
    if operator == "$eq":
        return _equal(value, operand)
    if operator == "$ne":
        return not _equal(value, operand)
    compare = _COMPARISONS.get(operator)
    if compare is None:
        raise ValueError(f"unknown operator {operator}")
    try:
        return value is not _MISSING and value is not None and bool(compare(value, operand))
    except TypeError:  # a string and a number
        return False


_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "$gt": lambda value, operand: value > operand,
    "$gte": lambda value, operand: value >= operand,
    "$lt": lambda value, operand: value < operand,
    "$lte": lambda value, operand: value <= operand,
}


def _as_seconds(wanted: Any) -> Any:
    """Operands of a time as seconds since the epoch: ISO text, which is UTC where it does not say, or a datetime."""
    if isinstance(wanted, Mapping):
        return {operator: _as_seconds(operand) for operator, operand in wanted.items()}
    if isinstance(wanted, (list, tuple)):
        return [_as_seconds(each) for each in wanted]
    if isinstance(wanted, str):
        try:
            wanted = datetime.fromisoformat(wanted)
        except ValueError:
            raise ValueError(
                f"created_at is compared with a time such as 2026-01-31T12:00:00 (got {wanted!r})"
            ) from None
    if isinstance(wanted, datetime):
        return (wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)).timestamp()
    return wanted


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def sort_key(order: str) -> tuple[Callable[[Fields], tuple[int, Any]], bool]:
    """From `+created_at` or `-summary_metrics.loss` to a key function and whether to reverse.

    Runs without the field come last whichever way; a field of mixed types is ordered by type first.
    """
    descending = order.startswith("-")
    name = order.lstrip("+-")

    def key(fields: Fields) -> tuple[int, Any]:
        value = value_of(name, fields)
        if value is _MISSING or value is None or (isinstance(value, float) and value != value):
            return (0 if descending else 9, 0)
        if isinstance(value, (bool, int, float)):
            return (1, value)
        return (2, value if isinstance(value, str) else str(value))

    return key, descending
