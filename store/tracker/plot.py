"""Charts of W&B's `wandb.plot`: tables that say how they are meant to be drawn, to be logged like any table.

What a row holds of them is that of a table, with `chart`: W&B's name of the chart, which column is what, and texts.
The curves of classifiers are computed here, in plain Python; arrays of numpy and the like are taken too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from tracker.errors import Error
from tracker.media import Medium, Tell
from tracker.records import Record
from tracker.table import Table

MAX_POINTS: Final = 2000
"""Points of one curve; of more, as many evenly spread ones are kept."""


class CustomChart(Medium):
    """A table and how it is meant to be drawn.

    Attributes:
        table: the data.
        chart: what a row says of it: `name`, `fields`, `strings`.
    """

    kind = "table"
    folder = "table"

    def __init__(self, name: str, table: Table, fields: Mapping[str, Any], strings: Mapping[str, Any]) -> None:
        super().__init__(strings.get("title") or None)
        self.table = table
        self.chart = {"name": name, "fields": dict(fields), "strings": dict(strings)}

    def store(self, run_folder: str, tell: Tell) -> Record:
        return self.table.store(run_folder, tell) | {"chart": self.chart}


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: Mapping[str, Any],
    string_fields: Mapping[str, Any] | None = None,
    split_table: bool = False,
) -> CustomChart:
    """A chart of a table.

    Args:
        vega_spec_name: W&B's name of the chart; only kept.
        data_table: the data.
        fields: column by what it is in the chart.
        string_fields: texts, `title` among them.
        split_table: W&B's; about its web page, here and below.

    Raises:
        Error: `data_table` is no table.
    """
    if not isinstance(data_table, Table):
        raise Error(f"data_table must be a Table, not {type(data_table).__name__}")
    return CustomChart(vega_spec_name, data_table, fields, string_fields or {})


def line(
    table: Table, x: str, y: str, stroke: str | None = None, title: str = "", split_table: bool = False
) -> CustomChart:
    """A line of two columns, or one for each value of a third, `stroke`."""
    fields = {"x": x, "y": y, **({"stroke": stroke} if stroke else {})}
    return plot_table("wandb/line/v0", table, fields, {"title": title})


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Points of two columns."""
    return plot_table("wandb/scatter/v0", table, {"x": x, "y": y}, {"title": title})


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """A bar for each row."""
    return plot_table("wandb/bar/v0", table, {"label": label, "value": value}, {"title": title})


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """How the values of a column are distributed."""
    return plot_table("wandb/histogram/v0", table, {"value": value}, {"title": title})


def line_series(
    xs: Any,
    ys: Iterable[Any],
    keys: Iterable[str] | None = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,
) -> CustomChart:
    """Several lines.

    Args:
        xs: the x values of each line, or those of all.
        ys: the y values of each line.
        keys: names of the lines; default `line_0` ...
        title: of the chart.
        xname: of the x axis.

    Raises:
        ValueError: there are not as many of one as of the other.
    """
    lines, places = [_plain(values) for values in _plain(ys)], _plain(xs)
    if not places or (not isinstance(places[0], (list, tuple)) and not hasattr(places[0], "tolist")):
        places = [places] * len(lines)
    names = [f"line_{index}" for index in range(len(lines))] if keys is None else list(keys)
    if not len(places) == len(lines) == len(names):
        raise ValueError(f"{len(lines)} lines need as many xs and keys (got {len(places)} and {len(names)})")
    rows = [
        [x, name, y]
        for name, of_line, line_ in zip(names, places, lines, strict=True)
        for x, y in zip(_plain(of_line), line_, strict=False)
    ]
    table = Table(["step", "lineKey", "lineVal"], rows)
    fields = {"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"}
    return plot_table("wandb/lineseries/v0", table, fields, {"title": title, "xname": xname})


def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,
) -> CustomChart:
    """How often each class was taken for each.

    Args:
        probs: of every example, the probability of each class; or
        preds: of every example, the class that was told.
        y_true: of every example, its class.
        class_names: in order of the classes, which are then 0, 1, 2 ...; default `Class_1` ...
        title: of the chart.

    Raises:
        ValueError: both or neither of `probs` and `preds` are given, or the lengths differ.
    """
    if (probs is None) == (preds is None) or y_true is None:
        raise ValueError("a confusion matrix needs y_true, and either probs or preds")
    truth, told = _plain(y_true), _plain(preds)
    if probs is not None:
        told = [max(range(len(of)), key=of.__getitem__) for of in map(_plain, _plain(probs))]
    if len(truth) != len(told):
        raise ValueError(f"there are {len(truth)} true classes and {len(told)} predictions")
    classes = sorted({*truth, *told}) if class_names is None else list(range(len(class_names)))
    if unknown := {*truth, *told} - {*classes}:
        raise ValueError(f"class {min(unknown)!r} has no name")
    names = [f"Class_{index + 1}" for index in range(len(classes))] if class_names is None else list(class_names)
    counts = dict.fromkeys(((a, b) for a in classes for b in classes), 0)
    for pair in zip(truth, told, strict=True):
        counts[pair] += 1
    name_of = dict(zip(classes, names, strict=True))
    columns = ["Actual", "Predicted", "nPredictions"]
    table = Table(columns, [[name_of[a], name_of[b], count] for (a, b), count in counts.items()])
    return plot_table("wandb/confusion_matrix/v1", table, {name: name for name in columns}, {"title": title})


def roc_curve(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[str] | None = None,
    classes_to_plot: Iterable[Any] | None = None,
    title: str = "ROC Curve",
    split_table: bool = False,
) -> CustomChart:
    """The true positive rate over the false positive rate, for each class against the others.

    Args:
        y_true: of every example, its class.
        y_probas: of every example, the probability of each class, in order of the classes.
        labels: names of the classes, which are then 0, 1, 2 ...
        classes_to_plot: only these.
        title: of the chart.
    """
    rows: list[list[Any]] = []
    for label, counts in _counted(y_true, y_probas, labels, classes_to_plot):
        hits, misses = counts[-1]
        points = [(false / misses if misses else 0.0, true / hits if hits else 0.0) for true, false in counts]
        bent = [points[0], *(b for a, b, c in zip(points, points[1:], points[2:], strict=False) if _bends(a, b, c))]
        rows += [[label, *_rounded(point)] for point in _few([*bent, *points[1:][-1:]])]
    strings = {"title": title, "x-axis-title": "False positive rate", "y-axis-title": "True positive rate"}
    return _area(Table(["class", "fpr", "tpr"], rows), "fpr", "tpr", strings)


def pr_curve(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[str] | None = None,
    classes_to_plot: Iterable[Any] | None = None,
    interp_size: int = 21,
    title: str = "Precision-Recall Curve",
    split_table: bool = False,
) -> CustomChart:
    """The best precision at each recall, for each class against the others.

    Args:
        y_true: of every example, its class.
        y_probas: of every example, the probability of each class, in order of the classes.
        labels: names of the classes, which are then 0, 1, 2 ...
        classes_to_plot: only these.
        interp_size: values of recall, evenly from 1 to 0.
        title: of the chart.
    """
    rows: list[list[Any]] = []
    for label, counts in _counted(y_true, y_probas, labels, classes_to_plot):
        hits = counts[-1][0] or 1
        points = [(true / hits, true / (true + false) if true + false else 1.0) for true, false in counts]
        for step in reversed(range(interp_size)):
            recall = step / max(1, interp_size - 1)
            best = max((precision for at, precision in points if at >= recall), default=0.0)
            rows.append([label, *_rounded((best, recall))])
    strings = {"title": title, "x-axis-title": "Recall", "y-axis-title": "Precision"}
    return _area(Table(["class", "precision", "recall"], rows), "recall", "precision", strings)


# ---- parts ----


def _area(table: Table, x: str, y: str, strings: Mapping[str, str]) -> CustomChart:
    return plot_table("wandb/area-under-curve/v0", table, {"x": x, "y": y, "class": "class"}, strings)


def _counted(
    y_true: Any, y_probas: Any, labels: Sequence[str] | None, chosen: Iterable[Any] | None
) -> Iterable[tuple[Any, list[tuple[int, int]]]]:
    """Of each class its label, and of each threshold from the highest on how many hits and false alarms are above it.

    Raises:
        ValueError: the lengths differ.
    """
    truth, probabilities = _plain(y_true), [_plain(of) for of in _plain(y_probas)]
    if len(truth) != len(probabilities):
        raise ValueError(f"there are {len(truth)} true classes and {len(probabilities)} predictions")
    classes = sorted(set(truth))
    wanted = classes if chosen is None else list(_plain(chosen))
    for index, kind in enumerate(classes):
        if kind in wanted:
            of_kind = sorted(
                ((of[index], is_) for of, is_ in zip(probabilities, [t == kind for t in truth], strict=True))
            )
            counts, true, false = [(0, 0)], 0, 0
            for _, group in groupby(reversed(of_kind), key=lambda pair: pair[0]):
                found = [is_ for _, is_ in group]
                true, false = true + sum(found), false + len(found) - sum(found)
                counts.append((true, false))
            yield labels[kind] if labels is not None and isinstance(kind, int) else kind, counts


def _bends(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether a curve turns at the middle one of three points."""
    return abs((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])) > 1e-12


def _few(points: Sequence[Any]) -> Sequence[Any]:
    every = -(-len(points) // MAX_POINTS)
    return points if every <= 1 else [*points[:-1:every], points[-1]]


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 3) for value in values]


def _plain(values: Any) -> list[Any]:
    """A list of an array, a tensor or any sequence."""
    if values is None:
        return []
    made = values.tolist() if hasattr(values, "tolist") else list(values)
    return [value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value for value in made]
