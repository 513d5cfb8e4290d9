"""What the name of a metric tells: how much people look for it, the section it stands in, which way is better."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from tracker.stored import StoredRun
from tracker_tui import gauges

HELD_OUT: Final = ("val", "test", "eval")
"""What the names of metrics on held-out data contain."""
LESS_IS_BETTER: Final = frozenset(
    "cer err fid mae mse nll perplexity ppl regret rmse wer".split()  # noqa: SIM905 - a word a line would be a page
)
MORE_IS_BETTER: Final = frozenset(
    """auc auroc bleu dice em f1 iou map miou mrr ndcg precision psnr r2 recall return rouge score ssim
    success""".split()  # noqa: SIM905 - the same
)
"""Words of metrics' names, beside any that contains loss or error, and acc or reward."""


def metrics(run: StoredRun) -> list[str]:
    """The names of a run's numeric metrics, in the order they were first logged."""
    return [key for key in run.metric_names if not key.startswith("_")]


def main_metric(run: StoredRun) -> str | None:
    """The metric that stands for a run in one line: a loss, validation before training, else an accuracy, else any."""
    keys = metrics(run)
    return min(keys, key=lambda key: (_kind(key), not any(word in key.lower() for word in HELD_OUT)), default=None)


def by_interest(names: Iterable[str]) -> list[str]:
    """Names of metrics in the order people look for them: losses, accuracies, the rest; each in order of name."""
    return sorted((name for name in names if not name.startswith("_")), key=lambda name: (_kind(name), name))


def goal_of(metric: str, runs: Iterable[StoredRun] = ()) -> str | None:
    """`minimize` or `maximize`: what a run's `define_metric` says, else what the name tells; None if neither does."""
    for run in runs:
        defined = run.metrics.of(metric) if run.metrics else None
        if defined is not None and defined.goal:
            return defined.goal
    low = metric.lower()
    words = set(re.split(r"[^a-z0-9]+", low))
    if "loss" in low or "error" in low or words & LESS_IS_BETTER:
        return "minimize"
    return "maximize" if "acc" in low or "reward" in low or words & MORE_IS_BETTER else None


def sections(names: Iterable[str], axes: Collection[str] = ()) -> list[tuple[str, list[str]]]:
    """Metrics by what their names begin with up to the first `/`, else `.`, in the order people look for them.

    Sections with a loss or an accuracy come first, training before held-out data before those without a name; those of
    the machine (see `gauges`) come last.

    Args:
        names: metrics.
        axes: those of them that are only the x axes of others, and so last in their sections.
    """
    names = list(names)
    found: dict[str, list[str]] = {}
    for name in sorted(by_interest(names), key=lambda name: name in axes):
        found.setdefault(section_of(name), []).append(name)
    logged = sorted(found.items(), key=lambda item: (_rank(item[0], item[1]), item[0]))
    return logged + gauges.sections(names)


def section_of(metric: str) -> str:
    """What a metric's name begins with; empty if it has one part only."""
    head, slash, rest = metric.partition("/")
    if not slash:
        head, slash, rest = metric.partition(".")
    return head if slash and head and rest else ""


def _rank(section: str, names: list[str]) -> tuple[bool, bool, int]:
    place = 2 if not section else 3
    if section.startswith("train"):
        place = 0
    elif any(word in section for word in HELD_OUT):
        place = 1
    return section.startswith("system"), all(_kind(name) == 2 for name in names), place


def _kind(metric: str) -> int:
    low = metric.lower()
    return 0 if "loss" in low else 1 if "acc" in low else 2
