"""define_metric and what it makes of the summary; values that are more than numbers."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest

import tracker


def summary_of(root: Path) -> dict[str, Any]:
    """The newest run's summary as its files tell it."""
    return tracker.Api(root).runs()[0].summary


@pytest.mark.parametrize(
    ("summary", "goal", "expected"),
    [
        ("min", None, {"min": 1.0}),
        ("max", None, {"max": 4.0}),
        ("mean", None, {"mean": 2.5}),
        ("first", None, {"first": 3.0}),
        ("last", None, {"last": 2.0}),
        ("best", None, {"best": 1.0}),
        ("best", "maximize", {"best": 4.0}),
        ("min,max, last", None, {"min": 1.0, "max": 4.0, "last": 2.0}),
        (None, None, 2.0),
    ],
)
def test_the_summary_keeps_what_was_asked_for(root: Path, summary: str, goal: str, expected: object) -> None:
    """Each kind, in the job and in the files; NaN does not hide the rest."""
    run = tracker.init(dir=root)
    run.define_metric("loss", summary=summary, goal=goal)
    for value in (3.0, 1.0, math.nan, 4.0, 2.0):
        run.log({"loss": value})
    assert run.summary["loss"] == expected
    run.finish()
    assert summary_of(root)["loss"] == expected


def test_none_keeps_a_metric_out_of_the_summary(root: Path) -> None:
    """It is still in the history."""
    with tracker.init(dir=root) as run:
        run.define_metric("noise*", summary="none")
        run.log({"noise/a": 1, "loss": 2})
    assert summary_of(root) == {"loss": 2}
    assert list(tracker.Api(root).runs()[0].scan_history(["noise/a"])) == [{"noise/a": 1}]


def test_a_name_beats_a_pattern_and_a_longer_pattern_a_shorter(root: Path) -> None:
    """Whatever the order of the definitions."""
    with tracker.init(dir=root) as run:
        run.define_metric("val/loss", summary="min")
        run.define_metric("val/*", summary="max")
        run.define_metric("*", summary="first")
        for value in (2.0, 1.0, 3.0):
            run.log({"val/loss": value, "val/acc": value, "loss": value})
    assert summary_of(root) == {"val/loss": {"min": 1.0}, "val/acc": {"max": 3.0}, "loss": {"first": 2.0}}


def test_a_later_call_adds_and_overwrite_starts_anew(root: Path) -> None:
    """W&B's rule for `overwrite`."""
    run = tracker.init(dir=root)
    run.define_metric("loss", step_metric="epoch", summary="min")
    assert run.define_metric("loss", hidden=True) == run.define_metric("loss")
    again = run.define_metric("loss")
    assert (again.step_metric, again.step_sync, again.summary, again.hidden) == ("epoch", True, ("min",), True)
    assert run.define_metric("loss", overwrite=True).summary == ()
    run.finish()


def test_rows_get_the_last_value_of_their_step_metric(root: Path) -> None:
    """With `step_sync`, which a step metric brings by itself."""
    with tracker.init(dir=root) as run:
        run.define_metric("epoch")
        run.define_metric("val/*", step_metric="epoch")
        run.log({"val/loss": 9.0})
        run.log({"epoch": 3})
        run.log({"val/loss": 8.0})
        run.log({"other": 7.0})
    rows = tracker.Api(root).runs()[0].history(samples=10**9, pandas=False)
    assert [row.get("epoch") for row in rows] == [None, 3, 3, None]


def test_means_go_on_over_checkpoints(root: Path) -> None:
    """A reader that opens the run by its last checkpoint counts on from there."""
    run = tracker.init(dir=root)
    run.define_metric("loss", summary="mean,max")
    for value in range(5000):
        run.log({"loss": float(value)})
    assert summary_of(root)["loss"] == {"mean": 2499.5, "max": 4999.0}
    run.log({"loss": 10_000.0})
    assert summary_of(root)["loss"]["max"] == 10_000.0
    assert math.isclose(summary_of(root)["loss"]["mean"], (2499.5 * 5000 + 10_000) / 5001)
    run.finish()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a*b"}, "name"),
        ({"name": "a", "step_metric": 5}, "step_metric"),
        ({"name": "a", "summary": 5}, "summary"),
        ({"name": "a", "summary": "median"}, "median"),
        ({"name": "a", "goal": "up"}, "goal"),
    ],
)
def test_wrong_arguments_are_named(root: Path, arguments: dict[str, Any], names: str) -> None:
    """define_metric raises at once."""
    with tracker.init(dir=root) as run, pytest.raises((TypeError, ValueError), match=names):
        run.define_metric(**arguments)


def test_large_arrays_become_histograms(root: Path) -> None:
    """Up to 32 elements are a list, more are counted in 32 bins; `Histogram` has 64."""
    with tracker.init(dir=root) as run:
        run.log({
            "small": numpy.arange(4),
            "large": numpy.arange(100.0),
            "mine": tracker.Histogram([[1, 2], [2, float("nan")]]),
            "ready": tracker.Histogram(np_histogram=numpy.histogram([1, 2, 2, 3], bins=2)),
            "exact": Decimal("0.25"),
        })  # fmt: skip
    (row,) = tracker.Api(root).runs()[0].history(samples=10**9, pandas=False)
    assert row["small"] == [0, 1, 2, 3]
    assert row["large"]["_type"] == "histogram"
    assert (len(row["large"]["values"]), len(row["large"]["bins"]), sum(row["large"]["values"])) == (32, 33, 100)
    assert (len(row["mine"]["values"]), sum(row["mine"]["values"])) == (64, 3)
    assert row["ready"]["values"] == [1, 3]
    assert row["exact"] == 0.25


@pytest.mark.parametrize(
    "arguments",
    [{}, {"sequence": [1], "num_bins": 0}, {"sequence": [1], "num_bins": 513}, {"np_histogram": ([1, 2], [1, 2])}],
)
def test_a_histogram_checks_its_arguments(arguments: dict[str, Any]) -> None:
    """Both or neither source, and bins out of range, are errors."""
    with pytest.raises(ValueError, match=r"bins|Histogram|counts"):
        tracker.Histogram(**arguments)


def test_steps_are_synced_whatever_their_own_summary_is(root: Path) -> None:
    """Also over checkpoints, and when the step metric keeps no last value."""
    with tracker.init(dir=root) as run:
        run.define_metric("epoch", summary="max")
        run.define_metric("loss", step_metric="epoch")
        run.log({"epoch": 1})
        assert dict(run.summary) == {"epoch": {"max": 1}}
        run.log({"loss": 5})
    assert tracker.Api(root).runs()[0].history(samples=9, pandas=False)[1]["epoch"] == 1


def test_text_has_no_least_value(root: Path) -> None:
    """A summary has no empty entries."""
    with tracker.init(dir=root) as run:
        run.define_metric("*", summary="min")
        run.log({"text": "a", "number": math.nan})
    assert summary_of(root) == {}


def test_a_step_that_json_cannot_hold_is_an_error(root: Path) -> None:
    """Rather than a row that readers pass over."""
    with tracker.init(dir=root) as run, pytest.raises(ValueError, match="step"):
        run.log({"x": 1}, step=2**70)
