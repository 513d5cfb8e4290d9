"""What media cost on the screen: `python tests/benchmarks/media.py`.

opened         a run of 1,000 images: from the start of the process to its charts, from the key to its newest image
scrubbed       from a key to the image of another step, 640x480
beside it      the same image decoded and made small by Pillow alone; the same key without images
memory         of the dashboard when 300 of them were looked at
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

from measuring import DASHBOARD, Options, Terminal, megabytes, middle_and_late, put, run_alone
from PIL import Image

import tracker
from tracker_tui import pictures, sheets

SIZE = (640, 480)
ROWS = 100_000


def picture(step: int) -> Image.Image:
    """Something that compresses like a photograph's edges, another one each step."""
    image = Image.effect_mandelbrot(SIZE, (-2 + step / 4000, -1.5, 1, 1.5), 30).convert("RGB")
    image.paste((step % 256, 80, 160), (0, 0, 40 + step % 400, 60))
    return image


def make(root: Path, images: int) -> None:
    run = tracker.init(project="bench", name="media", dir=root, settings={"silent": True})
    for step in range(images):
        run.log({"loss": 1 / (step + 1), "sample": tracker.Image(picture(step), caption=f"picture {step}.")})
    run.finish()


def pillow_alone(data: bytes) -> float:
    """Seconds to decode an image and make it small."""
    start = time.perf_counter()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").resize((72, 54), Image.Resampling.BOX).tobytes()
    return time.perf_counter() - start


def scrub(terminal: Terminal, last: int, count: int) -> list[float]:
    """Seconds from each key to the picture of the step before, told by the colour of its corner."""
    _, row = terminal.place_of("sample")
    column = terminal.place_of("▀")[0]
    times = []
    for step in range(last - 1, last - 1 - count, -1):
        terminal.settle(0.02)
        start = time.perf_counter()
        terminal.press("left")
        colour = f"{step % 256:02x}50a0"
        terminal.wait_for(lambda t, colour=colour: t._screen.buffer[row + 2][column].fg == colour)  # type: ignore[misc]
        times.append(terminal.read_at - start)
    return times


def main(options: Options) -> None:
    images = options.size(1000)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        make(root, images)
        file = next(root.glob("bench/*/media/images/*.png"))
        data = file.read_bytes()
        floor, _ = middle_and_late([pillow_alone(data) for _ in range(20)])
        look = pictures.Look((0, 0, 0))
        start = time.perf_counter()
        for _ in range(20):
            pictures.drawn(data, 72, 27, look)
        put(
            "an image, 640x480, in half blocks",
            50 * (time.perf_counter() - start),
            "ms",
            1000 * floor,
            floor_is="Pillow alone",
        )
        start = time.perf_counter()
        with Terminal([*DASHBOARD, str(root)], 160, 45, env={"TMUX": "/tmp/none,1,0"}) as terminal:
            terminal.wait_for("7 shows", 60)
            put(f"a run of {images:,} images: its charts, from the start of the process", terminal.read_at - start, "s")
            start = time.perf_counter()
            terminal.press("7")
            terminal.wait_for(f"picture {images - 1}.")
            terminal.wait_for(lambda t: "▀" * 40 in t.text)
            put("from the key to its newest image", 1000 * (terminal.read_at - start), "ms")
            count = images // 10
            middle, late = middle_and_late(scrub(terminal, images - 1, count))
            put("an image of the step before, median", 1000 * middle, "ms", 1000 * floor, floor_is="Pillow alone")
            put("the same, p95", 1000 * late, "ms")
            before = megabytes(terminal.child.pid)
            scrub(terminal, images - 1 - count, 2 * count)
            put(f"memory after {2 * count} more", megabytes(terminal.child.pid) - before, "MB")
            put("memory in all", megabytes(terminal.child.pid), "MB")
    table = b'{"columns":["id","label","score"],"data":[' + b",".join([b'[1,"some label",0.25]'] * ROWS) + b"]}"
    start = time.perf_counter()
    sheet = sheets.Sheet(table[: sheets.MAX_READ])
    put(f"a table of {len(sheet.rows):,} rows, decoded", 1000 * (time.perf_counter() - start), "ms")
    start = time.perf_counter()
    for row in range(40):
        sheet.line(row, 0, 120)
    put("40 lines of it", 1000 * (time.perf_counter() - start), "ms")


if __name__ == "__main__":
    run_alone(main)
