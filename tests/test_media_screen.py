"""Media and files in a real terminal: scrubbed, side by side, in pixels, damaged, hostile, on another machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tracker
from farhost import NAME
from support import journal, rows_of
from terminal import Terminal
from test_find_and_edit import copied
from test_media_parts import ITERM, KITTY, SIXEL, bomb

DASHBOARD = ["-m", "tracker_tui"]
BEHIND = {"TMUX": "/tmp/none,1,0"}
"""What makes a terminal one that is not asked: the one here would print the question."""
ASKED = b"\x1b[>q"


def picture(level: int) -> Image.Image:
    return Image.new("RGB", (32, 32), (level, level, 0))


def make_run(root: Path, name: str, steps: int = 4) -> Path:
    """A run with an image, a histogram and a table at each step; its folder."""
    run = tracker.init(project="vision", name=name, id=f"id-{name}", dir=root, reinit="create_new")
    for step in range(steps):
        run.log(
            {
                "loss": 1 / (step + 1),
                "sample": tracker.Image(picture(40 * step + 40), caption=f"{name} picture {step}"),
                "weights": tracker.Histogram([step, step + 1, step + 1, 9]),
                "predictions": tracker.Table(columns=["id", "label"], data=[[n, f"row {n}"] for n in range(60)]),
            }
        )
    run.finish()
    return (
        Path(run.path_of_files) if hasattr(run, "path_of_files") else next((root / "vision").glob(f"run-*-id-{name}"))
    )


def reds(terminal: Terminal) -> set[str]:
    """The colours of half blocks on the screen."""
    screen = terminal._screen
    cells = (screen.buffer[y][x] for y in range(screen.lines) for x in range(screen.columns))
    return {cell.fg for cell in cells if cell.data == "▀"}


def rewrite(root: Path, change: Any) -> None:
    """Change the rows of the only journal."""
    file = journal(root)
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for record in records:
        change(record)
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_media_are_scrubbed_side_by_side_and_linked_with_the_crosshair(root: Path) -> None:
    """`7` shows the runs side by side at the newest step, left and right go by what was logged, charts follow."""
    for name in ("one", "two"):
        make_run(root, name)
    with Terminal([*DASHBOARD, str(root)], env=BEHIND) as terminal:
        terminal.wait_for("7 shows 3 media")
        terminal.press("1", "1", "home", "7")
        terminal.wait_for("one picture 3")
        terminal.wait_for("two picture 3")
        terminal.wait_for(lambda t: "a0a000" in reds(t))
        terminal.press("left", "left")
        terminal.wait_for("media · step 1")
        terminal.wait_for("one picture 1")
        terminal.wait_for(lambda t: "505000" in reds(t) and "a0a000" not in reds(t))
        terminal.press("7")
        terminal.wait_for("at 1")
        terminal.press("left")
        terminal.wait_for("at 0")
        terminal.press("7")
        terminal.wait_for("one picture 0")
        terminal.press("end")
        terminal.wait_for("media · newest")
        terminal.press("escape")
        terminal.wait_for("7 shows 3 media")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_one_name_alone_and_the_rows_of_a_table(root: Path) -> None:
    """Enter gives a name all of the room; in a table, the rows move."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)], 80, 24, env=BEHIND) as terminal:
        terminal.wait_for("7 shows 3 media")
        terminal.press("7")
        terminal.wait_for("row 0")
        terminal.press("enter")
        terminal.wait_for("row 14")
        terminal.wait_for("60 rows")
        terminal.step("\x1b[6~", "down")
        terminal.wait_for(lambda t: "row 0 " not in t.text and "row 28" in t.text)
        terminal.step("escape", "f")
        terminal.press("weig", "enter")
        terminal.wait_for(lambda t: "weights  histogram" in t.text and "predictions" not in t.text)
        terminal.press("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize(
    ("told", "begin", "gone"),
    [(KITTY, b"\x1b_Ga=T", b"\x1b_Ga=d"), (SIXEL, b"\x1bP", b""), (ITERM, b"\x1b]1337;File=inline=1", b"")],
    ids=["kitty", "sixel", "iterm2"],
)
def test_images_in_pixels_come_and_go(root: Path, told: str, begin: bytes, gone: bytes) -> None:
    """The terminal is asked when the page is opened; a dialog takes pictures away, and they come back after it."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)], env={"TMUX": "", "STY": ""}) as terminal:
        terminal.wait_for("7 shows 3 media")
        assert ASKED not in terminal.raw
        terminal.press("7")
        terminal.wait_for("one picture 3")
        terminal.wait_for(lambda t: ASKED in t.raw)
        terminal.press(told)
        terminal.wait_for(lambda t: begin in t.raw)
        terminal.settle()
        shown = terminal.raw.count(begin)
        terminal.press("left")
        terminal.wait_for(lambda t: t.raw.count(begin) > shown)
        terminal.settle()
        before = len(terminal.raw)
        terminal.press("?")
        terminal.wait_for(lambda t: b"esc closes" in t.raw[before:])
        terminal.settle()
        assert begin not in terminal.raw[before:]
        assert gone in terminal.raw[before:]
        before = len(terminal.raw)
        terminal.press("escape")
        terminal.wait_for(lambda t: (begin if not gone else b"\x1b_Ga=p") in t.raw[before:])
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_without_colours_images_are_shades(root: Path) -> None:
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)], env={**BEHIND, "NO_COLOR": "1"}) as terminal:
        terminal.wait_for("7 shows 3 media")
        terminal.press("7")
        terminal.wait_for("one picture 3")
        terminal.wait_for("▒" * 30)
        assert "▀" not in terminal.text


def test_what_is_damaged_says_so_in_its_place(root: Path) -> None:
    """Files that are gone, broken, bombs, links, FIFOs or elsewhere; the rest is shown, and the dashboard goes on."""
    folder = make_run(root, "one", steps=1)
    image = folder / rows_of(journal(root))[0]["sample"]["path"]
    elsewhere = root.parent / "secret.png"
    picture(200).save(elsewhere)

    def spoil(record: dict[str, Any]) -> None:
        for name in ("broken", "bomb", "gone", "outside", "trouble", "odd"):
            if "sample" in record:
                path = {"outside": "../../../secret.png", "trouble": "", "odd": 5}.get(name, f"media/images/{name}.png")
                record[name] = {**record["sample"], "path": path, "caption": f"{name} it is"}
        if "trouble" in record:
            record["trouble"]["trouble"] = "of four dimensions\x1b]52;c;eA==\x07"
            record["weights"] = {"_type": "histogram", "values": {"a": 1}, "bins": "x"}

    rewrite(root, spoil)
    (image.parent / "broken.png").write_bytes(image.read_bytes()[:40])
    (image.parent / "bomb.png").write_bytes(bomb(100_000, 100_000))
    (folder / rows_of(journal(root))[0]["predictions"]["path"]).write_text("[[[")
    with Terminal([*DASHBOARD, str(root)], env=BEHIND) as terminal:
        terminal.wait_for("7 shows 9 media")
        terminal.press("7")
        for words in (
            *("pixels are too many", "no image that can be shown", "the file is gone", "names no file of this run"),
            *("outside it is", "no table that can be shown", "one picture 0", "of four dimensions"),
            "no histogram that can be shown",
        ):
            terminal.wait_for(words)
            terminal.press("down")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    assert b"\x1b]52;c;eA" not in terminal.raw
    assert b"Traceback" not in terminal.raw


def test_without_media_it_is_told_how_to_log_some(root: Path) -> None:
    run = tracker.init(project="p", name="plain", dir=root)
    run.log({"loss": 1})
    run.finish()
    with Terminal([*DASHBOARD, str(root)], env=BEHIND) as terminal:
        terminal.wait_for("loss  1")
        terminal.press("7")
        terminal.wait_for("tracker.Image(")
        terminal.press("7")
        terminal.wait_for("loss  1")


# ---- files ----


def test_the_files_of_a_run(root: Path) -> None:
    """`F` lists them; texts are shown clean, images drawn, words found, paths copied."""
    folder = make_run(root, "one", steps=1)
    (folder / "code").mkdir()
    (folder / "code" / "train.py").write_text("print('hello')\x1b]52;c;eA==\x07\n")
    (folder / "code" / "link.py").symlink_to("/etc/passwd")
    with Terminal([*DASHBOARD, str(root)], env=BEHIND) as terminal:
        terminal.wait_for("7 shows 3 media")
        terminal.wait_for("F shows them")
        terminal.press("F")
        terminal.wait_for("Files of one")
        terminal.wait_for("train.py")
        assert "link.py" not in terminal.text
        terminal.press("down")
        terminal.wait_for("print('hello')]52;c;eA==")
        terminal.step("/")
        terminal.press("png", "enter")
        terminal.wait_for(lambda t: "train.py" not in t.text and ".png" in t.text)
        terminal.press("end")
        terminal.wait_for(lambda t: "282800" in reds(t))
        terminal.press("y")
        terminal.wait_for("Copied: ")
        terminal.step("escape")
        terminal.wait_for("train.py")
        terminal.step("escape")
        terminal.wait_for("7 shows 3 media")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    assert b"\x1b]52;c;eA==\x07" not in terminal.raw


def test_artifacts_of_a_run(root: Path) -> None:
    """What it made and used, with versions, aliases and the files in them."""
    with tracker.init(project="p", name="one", dir=root) as run:
        run.log({"loss": 1.0})
        artifact = tracker.Artifact("model", "model", description="the best so far")
        with artifact.new_file("weights.txt") as file:
            file.write("0.1 0.2 0.3")
        run.log_artifact(artifact, aliases=["best"])
    with tracker.init(project="p", name="eval", dir=root, id="eval") as run:
        run.use_artifact("model:best")
    tracker.Api(root).run("p/eval").delete()
    with Terminal([*DASHBOARD, str(root)], env=BEHIND) as terminal:
        terminal.wait_for("model:v0")
        terminal.press("F")
        terminal.wait_for("Files of one")
        terminal.wait_for("▸ made model:v0")
        terminal.press("home", "down", "enter")
        terminal.wait_for("the best so far")
        assert re.search(r"aliases +best, latest.*made by +one.*used by +eval", terminal.text, re.DOTALL)
        terminal.press("down")
        terminal.wait_for("0.1 0.2 0.3")


@pytest.mark.usefixtures("near_far")
def test_media_and_files_of_another_machine(root: Path) -> None:
    """Over ssh the same is shown; opening says why not, and the path has the name of the machine."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, f"{NAME}:{root}"], env=BEHIND) as terminal:
        terminal.wait_for("7 shows 3 media")
        terminal.press("7")
        terminal.wait_for("row 0")
        terminal.wait_for(lambda t: "a0a000" in reds(t))
        terminal.press("o")
        terminal.wait_for("it is on another machine")
        terminal.press("y")
        terminal.wait_for(lambda t: any(text.startswith(f"{NAME}:{root}/vision/run-") for text in copied(t)))
        terminal.press("F")
        terminal.wait_for("Files of one")
        terminal.press("end")
        terminal.wait_for('"_type":"start"')
        terminal.step("escape", "q")
        assert terminal.wait_for_end() == 0
