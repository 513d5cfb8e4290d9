"""Makes the pictures of this folder from the demo: `python screenshots/make.py`.

The jobs are the demo's own, with their seeds, at twenty times their pace, until one has failed and one has finished
and the others are well on their way.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

from tracker_tui.app import TrackerApp
from tracker_tui.demo import PACE, Demo
from tracker_tui.hosts import open_sources, parse

HERE = Path(__file__).parent
ROWS = 300
"""Rows that the run in the picture has at least."""
PICTURES = {
    "charts-160x45": (160, 45, []),
    "console-160x45": (160, 45, ["4", *["k"] * 40]),
    "charts-80x24": (80, 24, []),
    "runs-160x45": (160, 45, ["home", "s", *"val", "enter"]),
    "compare-160x45": (160, 45, ["home", "s", *"val", "enter", "c"]),
    "runs-80x24": (80, 24, ["1"]),
    "alone-160x45": (160, 45, ["home", "tab", "tab", "enter", "m", "m", "l", "i", *["shift+left"] * 3]),
}
"""Name of the picture -> columns, rows and the keys pressed before."""


async def take(root: Path) -> None:
    for name, (columns, rows, keys) in PICTURES.items():
        app = TrackerApp(open_sources([parse(str(root))]))
        async with app.run_test(size=(columns, rows)) as pilot:
            while not app.model.subjects():
                await pilot.pause(0.1)
            await pilot.pause(1)
            for key in keys:
                await pilot.press(key)
            await pilot.pause(1)
            picture = app.export_screenshot(title="tracker-tui")
        # Fonts come from the reader's machine, not from the network.
        picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
        (HERE / f"{name}.svg").write_text(re.sub(r"[ \t]+\n", "\n", picture), encoding="utf-8")
        print(name)


async def until_worth_seeing(root: Path) -> None:
    app = TrackerApp(open_sources([parse(str(root))]))
    while True:
        app.model.apply(app.model.collect())
        states = app.model.counts()
        steps = [run.step or 0 for run in app.model.runs.values() if run.state == "running"]
        if states.get("failed") and states.get("finished") and steps and min(steps) > ROWS:
            return
        await asyncio.sleep(0.2)


async def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ.pop("XDG_STATE_HOME", None)
        os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = home
        os.chdir(home)
        with Demo(pace=PACE / 20) as demo:
            os.chdir(demo.root)
            await until_worth_seeing(demo.root)
            await take(demo.root)
        os.chdir(HERE)


if __name__ == "__main__":
    asyncio.run(main())
