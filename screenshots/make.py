"""Makes the pictures of this folder from the demo: `python screenshots/make.py`.

The jobs are the demo's own, with their seeds, at five times their pace, until one has failed and one has finished
and the others are well on their way.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from tracker_tui.app import TrackerApp
from tracker_tui.demo import PACE, Demo
from tracker_tui.hosts import open_sources, parse
from tracker_tui.settings import Settings
from tracker_tui.views import Views

HERE = Path(__file__).parent
ROWS = 300
"""Rows that the run in the picture has at least."""
THEMES = ("dark", "light")


class Picture(NamedTuple):
    """A view, and how one comes to it."""

    keys: list[str]
    columns: int = 120
    rows: int = 30


BEST = ["home", "s", *"val", "enter"]
PICTURES = {
    "charts": Picture([], 160, 45),
    "runs": Picture(BEST, 160, 45),
    "alone": Picture(["home", "tab", "tab", "enter", "m", "m", "l", "i", *["shift+left"] * 3]),
    "console": Picture(["4", *["k"] * 40], 160, 45),
    "media": Picture(["home", "7"], 160, 45),
    "compare": Picture([*BEST, "c"]),
    "events": Picture(["E"], rows=20),
    "help": Picture(["question_mark"], 160, 45),
    "small": Picture([], 80, 24),
}


async def take(root: Path) -> None:
    for name, picture in PICTURES.items():
        app = TrackerApp(open_sources([parse(str(root))]), Views(None), settings=Settings(theme=THEMES[0]))
        async with app.run_test(size=(picture.columns, picture.rows)) as pilot:
            while not app.model.subjects():
                await pilot.pause(0.1)
            await pilot.pause(1)
            for key in picture.keys:
                await pilot.press(key)
            await pilot.pause(1)
            for theme in THEMES:
                app.theme = theme
                await pilot.pause(0.3)
                drawn = app.export_screenshot(title="tracker-tui")
                (HERE / f"{name}-{theme}.svg").write_text(slim(drawn), encoding="utf-8")
        print(name)


def slim(drawn: str) -> str:
    """Without fonts from the network, which are the reader's own then, and without digits and blanks nobody sees."""
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'="(\d+\.\d)\d+"', r'="\1"', drawn)
    drawn = re.sub(r"terminal-\d+-", "t-", drawn)
    return re.sub(r"[ \t]+\n|\n[ \t]+", "\n", drawn)


async def until_worth_seeing(root: Path) -> None:
    app = TrackerApp(open_sources([parse(str(root))]))
    while True:
        app.model.apply(app.model.collect())
        states = app.model.lists.counts
        steps = [run.step or 0 for run in app.model.runs.values() if run.state == "running"]
        if states.get("failed") and states.get("finished") and steps and min(steps) > ROWS:
            return
        await asyncio.sleep(0.2)


async def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ.pop("XDG_STATE_HOME", None)
        os.environ.pop("NO_COLOR", None)
        os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = home
        os.chdir(home)
        with Demo(pace=PACE / 5) as demo:
            os.chdir(demo.root)
            await until_worth_seeing(demo.root)
            await take(demo.root)
        os.chdir(HERE)


if __name__ == "__main__":
    asyncio.run(main())
