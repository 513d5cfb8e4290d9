"""How runs look in text, the same on every screen and in every command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len, set_cell_size

from tracker.records import clean
from tracker.report import format_value

if TYPE_CHECKING:
    from tracker.stored import StoredRun

GLYPHS: Final = {"pending": "○", "running": "●", "finished": "✓", "failed": "✗", "killed": "■", "crashed": "!"}
"""A sign a state, so that colour never tells it alone."""
BEST: Final = "★"
"""Stands beside the best value of several runs."""


ORIGINS: Final = {
    "tensorboard": "tb",
    "wandb": "wb",
    "lightning": "pl",
    "huggingface": "hf",
    "trackio": "tr",
    "csv": "csv",
    "jsonl": "jl",
}
"""What tells where a run comes from that another tool has logged, beside its name."""


def some_runs(count: int) -> str:
    """How many runs, in words."""
    return f"{count} run{'s' * (count != 1)}"


def all_hidden(count: int) -> str:
    """Why none of some runs is shown."""
    return "The only run is archived or deleted" if count == 1 else f"All {count} runs are archived or deleted"


def last_value(value: Any, width: int = 12) -> str:
    """A metric's value to 6 significant digits, or as many as fit a width: 7099, 0.312346, 1.2e-07."""
    if isinstance(value, float) and value - value == 0.0:
        texts = (f"{value:.{digits}g}" for digits in (6, 5, 4, 3, 2))
        return next((text for text in texts if len(text) <= width), f"{value:.1g}")
    return format_value(value)


def metric_value(run: StoredRun, metric: str | None) -> Any:
    """A metric's entry in the summary as one value, the last where it keeps several; empty where it has none."""
    value = run.summary.get(metric or "", "")
    if isinstance(value, dict) and "_type" not in value:
        return next((value[how] for how in ("last", "best", "min", "max", "mean", "first") if how in value), "")
    return value


def span(seconds: float) -> str:
    """A length of time in two or three signs: 12s, 5m, 3h, 2d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def long_span(seconds: float) -> str:
    """A length of time to two units: 12s, 5m 03s, 3h 20m, 2d 4h."""
    days, rest = divmod(int(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, secs = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {secs:02d}s" if minutes else f"{secs}s"


def age(run: StoredRun, now: float) -> str:
    """How long ago a run started."""
    return ago(run.age(now))


def ago(seconds: float) -> str:
    """How long ago something was."""
    return span(_calm(seconds)) if seconds >= CALM else "now"


def duration(run: StoredRun, now: float) -> str:
    """How long a run took, or has been running."""
    seconds = run.duration(now)
    return span(_calm(seconds)) if run.state == "running" else long_span(seconds)


CALM: Final = 10
"""Seconds in which times that go on by themselves move below a minute, so that a screen left open is seldom painted."""


def _calm(seconds: float) -> float:
    return seconds // CALM * CALM


def with_tilde(text: str) -> str:
    """A path, or a command with paths in it, with `~` for the home folder and nothing unprintable."""
    home = os.path.expanduser("~").rstrip("/")
    if home and text == home:
        return "~"
    return clean(text.replace(home + "/", "~/") if home else text, 4096)


COLOURS: Final = (75, 214, 78, 204, 141, 44, 173, 33, 142, 213, 36, 218)
COLOURS_ON_LIGHT: Final = (27, 130, 28, 162, 55, 24, 88, 18, 58, 129, 23, 89)
"""Of the 256 colours of terminals, each of about the same hue on dark and light: a contrast of 4.5 or more, and as far
from each other as there is room."""
SIGNS: Final = "▲◆▼+△◇▽*#%@"
"""What tells runs apart without colour. There are 11 for 12 colours: no two of 132 runs in a row have both alike."""


def sign_of(number: int) -> str:
    """A run's sign, everywhere and after every start, by its number in its project."""
    return SIGNS[number % len(SIGNS)]


def rgb(colour: int) -> str:
    """One of the 256 colours, from the 17th on, as `#rrggbb`."""
    levels = (0, 95, 135, 175, 215, 255)
    cube = colour - 16
    return "#" + "".join(f"{levels[part]:02x}" for part in (cube // 36, cube // 6 % 6, cube % 6))


def fit(text: str, width: int) -> str:
    """Text in exactly this many cells, wide characters counted as such; what is cut ends in `…`."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…"


def right(text: str, width: int) -> str:
    """Text at the right of exactly this many cells."""
    cut = fit(text, min(width, cell_len(text)))
    return " " * (width - cell_len(cut)) + cut


def size_text(number: float) -> str:
    """Bytes in few signs, as disks and memories are sold by: 24 GB."""
    for power, unit in ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if number >= power:
            return f"{number / power:.3g} {unit}"
    return f"{int(number)} byte{'s' * (number != 1)}"
