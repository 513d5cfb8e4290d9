"""Images as a terminal shows them: decoded with care, made small, in half blocks or in shades. Works in a thread.

Pillow is loaded with the first image.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tracker_tui.contents import UnreadableError
from tracker_tui.graphics import Cell, Pixels, Way, encoded

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS: Final = 24_000_000
"""Pixels of an image that is decoded: some 200 MB at most, for a moment."""
FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
"""What is decoded. Others, such as EPS, would start programs."""
SHADES: Final = " ░▒▓█"
USUAL_CELL: Final = Cell(10, 20)
"""Pixels of a cell, where the terminal did not tell."""

Pixel = tuple[int, int, int]


class Look(NamedTuple):
    """What images are drawn for, and how."""

    background: Pixel
    is_shaded: bool = False
    """In shades of one colour, for terminals of 16 colours or none."""
    is_dark: bool = True
    way: Way = "blocks"
    cell: Cell = USUAL_CELL


class Picture(NamedTuple):
    """An image as a terminal shows it."""

    rows: list[Strip]
    """In cells."""
    pixels: Pixels | None = None
    """In pixels, where the terminal has them."""


def decode(data: bytes, width: int, height: int, background: Pixel) -> Image:
    """An image, of several frames the first, as small as it is to be shown.

    Args:
        data: a file's content.
        width: pixels that are of use.
        height: the same.
        background: what is behind transparent pixels.

    Returns:
        In the mode RGB, not smaller than that, unless it is.

    Raises:
        UnreadableError: it is none, is broken, or has too many pixels.
    """
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # would warn on the screen; told by its header an image is judged below
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            size = f"{image.width:,} x {image.height:,}"
            image.draft("RGB", (width, height))  # of a JPEG no more pixels are decoded than are of use
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableError(f"{size} pixels are too many to show: {MAX_PIXELS:,} at most")
            image.load()
            return _coloured(_reduced(image, min(image.width // width, image.height // height)), background)
    except UnreadableError:
        raise
    except Exception as error:  # a decoder may raise anything for a file that is broken
        raise UnreadableError(f"no image that can be shown ({type(error).__name__})") from None


def _reduced(image: Image, factor: int) -> Image:
    """So many times as small, before it is made into anything that takes more memory."""
    from PIL.Image import Resampling

    if factor <= 1:
        return image
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return image.reduce(factor)
    return image.resize((image.width // factor, image.height // factor), Resampling.NEAREST)


def _coloured(image: Image, background: Pixel) -> Image:
    """In RGB, on a background."""
    from PIL import Image as Pillow

    if image.mode.startswith(("I", "F")):
        low, high = image.convert("F").getextrema()
        top = 65535.0 if image.mode.startswith("I") and float(high) > 255 else max(1.0, float(high))  # type: ignore[arg-type]
        shift = min(0.0, float(low))  # type: ignore[arg-type]
        return image.convert("F").point(lambda value: (value - shift) * (255 / (top - shift))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        below = Pillow.new("RGBA", image.size, (*background, 255))
        return Pillow.alpha_composite(below, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def fitted(image: Image, width: int, height: int, aspect: float = 1.0) -> Image:
    """As large as there is room for.

    Args:
        image: the image.
        width: pixels.
        height: pixels.
        aspect: how many times as high as wide a pixel is.
    """
    from PIL.Image import Resampling

    scale = min(width / image.width, height * aspect / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale / aspect))
    size = min(size[0], width), min(size[1], height)
    return image.resize(size, Resampling.NEAREST if scale > 1 else Resampling.BOX, reducing_gap=2.0)


def drawn(data: bytes, width: int, height: int, look: Look) -> Picture:
    """An image in so many cells and rows, or less.

    Raises:
        UnreadableError: as `decode`.
    """
    is_in_pixels = look.way in ("kitty", "iterm2", "sixel")
    cell = look.cell if is_in_pixels else Cell(1, 2)
    image = decode(data, 2 * width * cell.width, 2 * height * cell.height, look.background)
    if look.is_shaded:
        rows = _shaded(fitted(image, width, height, aspect=2.0), look)
    else:
        rows = half_blocks(fitted(image, width, 2 * height), look)
    if not is_in_pixels:
        return Picture(rows)
    return Picture(rows, encoded(_in_cells(image, width, height, look), look.way, look.cell))


def _in_cells(image: Image, width: int, height: int, look: Look) -> Image:
    """An image as large as there is room for, on a ground of whole cells."""
    from PIL import Image as Pillow

    image = fitted(image, width * look.cell.width, height * look.cell.height)
    cells = -(-image.width // look.cell.width), -(-image.height // look.cell.height)
    ground = Pillow.new("RGB", (cells[0] * look.cell.width, cells[1] * look.cell.height), look.background)
    ground.paste(image)
    return ground


def half_blocks(image: Image, look: Look) -> list[Strip]:
    """An image in RGB, a pixel a half cell."""
    data, width = image.tobytes(), image.width
    rows = [data[at : at + 3 * width] for at in range(0, len(data), 3 * width)]
    rows += [bytes(look.background) * width] * (len(rows) % 2)
    return [
        Strip(
            joined(
                ("▀", two_colours(upper[at], upper[at + 1], upper[at + 2], lower[at], lower[at + 1], lower[at + 2]))
                for at in range(0, 3 * width, 3)
            ),
            width,
        )
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _shaded(image: Image, look: Look) -> list[Strip]:
    grey, width = image.convert("L").tobytes(), image.width
    signs = SHADES if look.is_dark else SHADES[::-1]
    text = "".join(signs[min(4, value * 5 // 256)] for value in grey)
    return [Strip([Segment(text[at : at + width])], width) for at in range(0, len(text), width)]


def joined(cells: Iterable[tuple[str, Style | None]]) -> list[Segment]:
    """Cells as segments; neighbours of one style are one."""
    segments: list[Segment] = []
    text, before = "", None
    for sign, style in cells:
        if style is not before and text:
            segments.append(Segment(text, before))
            text = ""
        text += sign
        before = style
    return [*segments, Segment(text, before)] if text else segments


@lru_cache(maxsize=8192)
def two_colours(red: int, green: int, blue: int, red_below: int, green_below: int, blue_below: int) -> Style:
    """Of a half block: its colour, and what is below."""
    return Style(color=Color.from_rgb(red, green, blue), bgcolor=Color.from_rgb(red_below, green_below, blue_below))
