"""Pictures in pixels: what the terminal is asked, what its answers mean, and how a picture is put on the screen.

Asked is only who shows pictures, and what stands between programs and terminals (tmux, screen) is not: what comes
through it cannot be known. Answers are taken out of what is typed, as those of `background`.

Cells below a picture are blank. What is written into them takes a picture of sixels, or of iTerm2's, off the screen,
so such a picture is written again after every frame that has touched its cells; one of kitty's is taken off by name.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from textual.geometry import Region
from textual.message import Message

if TYPE_CHECKING:
    from PIL.Image import Image

Way = Literal["kitty", "iterm2", "sixel", "blocks", "off"]
"""How images are shown."""
AUTO: Final = "auto"
WAYS: Final = (AUTO, *get_args(Way))
QUESTION: Final = "\x1b_Gi=4211,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>q\x1b[16t\x1b[c"
"""Kitty's graphics, the terminal's name, the size of a cell, and last what every terminal answers: what it is."""
TEXTS: Final = r"_G[^\x07\x1b]*|P>\|[^\x07\x1b]*"
"""Answers that end as those to OSC do; without the escape before them."""
CODES: Final = r"\[(?:\?[\d;]*c|6;\d+;\d+t)"
"""Answers that end with themselves."""
LIKE_ITERM: Final = ("iterm2", "wezterm", "mintty")
"""Names of terminals that know iTerm2's inline images."""
BETWEEN: Final = ("TMUX", "STY", "ZELLIJ")
KEPT: Final = 32
"""Pictures that a terminal is to keep, besides those in sight, for the way back to them."""
MAX_COMMAND: Final = 4096
"""Characters of a picture in one of kitty's commands."""

_ids = count(os.getpid() % 10_000 * 1000 + 1)


class Cell(NamedTuple):
    """Pixels of a cell."""

    width: int
    height: int


class Graphics(Message):
    """The terminal has told what it can show."""

    def __init__(self, way: Way, cell: Cell | None) -> None:
        super().__init__()
        self.way: Way = way
        self.cell = cell


class Answers:
    """What was answered so far."""

    def __init__(self) -> None:
        self._has_kitty = False
        self._name = ""
        self._cell: Cell | None = None

    def take(self, told: str) -> Graphics | None:
        """Take an answer, without its escapes; the last one says it all."""
        if told.startswith("_G"):
            self._has_kitty |= told.startswith("_Gi=4211;OK")
        elif told.startswith("P>|"):
            self._name = told[3:].lower()
        elif told.startswith("[6;"):
            height, width = (int(part) for part in told[3:-1].split(";"))
            self._cell = Cell(width, height) if 2 <= width <= 200 and 2 <= height <= 400 else None
        elif told.startswith("[?"):
            return Graphics(self._way(told[2:-1].split(";")), self._cell)
        return None

    def _way(self, attributes: Collection[str]) -> Way:
        if self._has_kitty:
            return "kitty"
        if self._name.startswith(LIKE_ITERM) or os.environ.get("LC_TERMINAL", "").lower() == "iterm2":
            return "iterm2"
        return "sixel" if "4" in attributes and self._cell is not None else "blocks"


def is_worth_asking(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal itself would answer, and would not print the question, as that of macOS does."""
    is_dumb = environment.get("TERM", "") in ("linux", "dumb") or environment.get("TERM_PROGRAM") == "Apple_Terminal"
    return not is_dumb and not any(map(environment.get, BETWEEN))


# ---- pictures ----


class Pixels(NamedTuple):
    """A picture in the terminal's own pixels."""

    way: Way
    id: int
    width: int
    """Cells."""
    height: int
    data: str
    """What puts it where the cursor is."""
    again: str = ""
    """What does so a second time, where that is less."""


def encoded(image: Image, way: Way, cell: Cell) -> Pixels:
    """A picture in RGB, of whole cells, as it is written."""
    width, height = -(-image.width // cell.width), -(-image.height // cell.height)
    number = next(_ids)
    if way == "sixel":
        from textual_image._sixel import image_to_sixels  # its other modules would ask the terminal, and wait

        return Pixels(way, number, width, height, image_to_sixels(image))
    file = BytesIO()
    image.save(file, "PNG", compress_level=3)
    data = b64encode(file.getvalue()).decode()
    if way == "iterm2":
        shape = f"width={width};height={height};preserveAspectRatio=0;doNotMoveCursor=1"
        begin = f"\x1b]1337;File=inline=1;size={len(file.getvalue())};{shape}:"
        return Pixels(way, number, width, height, f"{begin}{data}\x07")
    place = f"i={number},p=1,c={width},r={height},C=1,q=2"
    parts = [data[at : at + MAX_COMMAND] for at in range(0, len(data), MAX_COMMAND)]
    first, *more = [f"m={int(part is not parts[-1])};{part}\x1b\\" for part in parts]
    sent = f"\x1b_Ga=T,f=100,t=d,{place},{first}" + "".join(f"\x1b_Gq=2,{part}" for part in more)
    return Pixels(way, number, width, height, sent, f"\x1b_Ga=p,{place}\x1b\\")


class Placed(NamedTuple):
    """A picture and the cell of the screen where it begins."""

    x: int
    y: int
    pixels: Pixels

    @property
    def region(self) -> Region:
        return Region(self.x, self.y, self.pixels.width, self.pixels.height)


class Layer:
    """The pictures that are on the screen.

    Args:
        write: gives the terminal what it is to get.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._shown: set[Placed] = set()
        self._sent: dict[int, None] = {}
        """Kitty's, which the terminal keeps until it is told otherwise; the longest unused first."""

    def paint(self, wanted: Iterable[Placed], is_touched: Callable[[Region], bool]) -> bool:
        """After a frame, show these pictures and no others.

        Args:
            wanted: what is to be seen.
            is_touched: whether the frame wrote into some cells.

        Returns:
            Whether cells must be written anew, as others than these were there.
        """
        pictures = set(wanted)
        gone = self._shown - pictures
        out = [f"\x1b_Ga=d,d=i,i={each.pixels.id},p=1,q=2\x1b\\" for each in gone if each.pixels.way == "kitty"]
        for each in pictures:
            is_kitty = each.pixels.way == "kitty"
            if each not in self._shown or (not is_kitty and is_touched(each.region)):
                is_known = each.pixels.id in self._sent
                out.append(f"\x1b[{each.y + 1};{each.x + 1}H{each.pixels.again if is_known else each.pixels.data}")
                if is_kitty:
                    self._sent.pop(each.pixels.id, None)
                    self._sent[each.pixels.id] = None
        self._shown = pictures
        shown = {each.pixels.id for each in pictures}
        unused = [number for number in self._sent if number not in shown]
        out += map(self._forget, unused[: max(0, len(unused) - KEPT)])
        if out:
            self._write("\x1b7" + "".join(out) + "\x1b8")
        covered = [each.region for each in pictures]
        return any(
            each.pixels.way != "kitty" and not any(region.contains_region(each.region) for region in covered)
            for each in gone
        )

    def clear(self) -> None:
        """Take all of them off: the screen is another's, or another one."""
        if self._sent:
            self._write("".join(map(self._forget, list(self._sent))))
        self._shown.clear()

    def _forget(self, number: int) -> str:
        """What lets the terminal keep a picture no longer."""
        del self._sent[number]
        return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"
