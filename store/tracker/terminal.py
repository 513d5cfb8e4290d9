"""What a stream of terminal output leaves on the screen: lines, with a progress bar as the one line it ends up as.

Of what programs send to terminals this knows carriage return, backspace, tab, the cursor's moves up, down and along a
line, erasing, and colours (SGR). Everything else is dropped: titles, links, clipboards, modes, sounds.
"""

from __future__ import annotations

import re
from collections import deque
from functools import lru_cache
from typing import Final, NamedTuple

MAX_COLUMNS: Final = 8192
"""Characters of a line that are kept; of a longer one the end is left out."""
MAX_ROWS: Final = 100
"""Rows that may be drawn over by moving the cursor up."""
MAX_COLOURED: Final = 200
"""Coloured stretches of a line that are kept."""
MAX_PARAMS: Final = 100
"""Characters of the parameters of a colour that are looked at."""
MAX_HELD: Final = 4096
"""Characters of an escape sequence whose end has not come; a longer one is text."""

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_TOKEN: Final = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<params>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[PX^_][^\x1b]*\x1b\\"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]*)\Z")
_SGR: Final = re.compile(r"[0-9;:]*")
_COLOUR, _GROUND = re.compile(r"[39][0-7]"), re.compile(r"4[0-7]|10[0-7]")

Coloured = tuple[int, int, str]
"""The first character of a stretch, the one after its last, and the parameters of its SGR sequence, e.g. `1;31`."""


class Line(NamedTuple):
    """One line as it stays on the screen."""

    text: str
    colours: list[Coloured]


class _Row:
    """A line that may still change."""

    __slots__ = ("is_cut", "is_drawn", "styles", "text")

    def __init__(self, text: str = "") -> None:
        self.text = text[:MAX_COLUMNS]
        self.styles: list[str] = []
        """One a character; shorter where the rest is plain."""
        self.is_cut = len(text) > MAX_COLUMNS
        self.is_drawn = False
        """Whether it is a bar: something that is drawn again from its beginning."""

    def put(self, column: int, text: str, style: str) -> None:
        room = MAX_COLUMNS - column
        if len(text) > room:
            self.is_cut = True
            text = text[: max(0, room)]
        end = column + len(text)
        before = self.text[:column].ljust(column)
        self.text = before + text + self.text[end:]
        if style or len(self.styles) > column:
            self.styles += [""] * (column - len(self.styles))
            self.styles[column:end] = [style] * len(text)

    def erase(self, start: int, end: int) -> None:
        """Blank the characters from `start` up to, not including, `end`."""
        if end >= len(self.text):
            self.text, self.styles = self.text[:start], self.styles[:start]
        else:
            self.put(start, " " * (end - start), "")

    def line(self) -> Line:
        colours: list[Coloured] = []
        for index, style in enumerate(self.styles):
            if colours and colours[-1][1] == index and colours[-1][2] == style:
                colours[-1] = colours[-1][0], index + 1, style
            elif style and len(colours) < MAX_COLOURED:
                colours.append((index, index + 1, style))
        text = self.text.rstrip(" ")
        return Line(text + " …" if self.is_cut else text, [c for c in colours if c[0] < len(text)])


def _plain_line(text: str) -> Line:
    """The line that a row with nothing but this text becomes."""
    if len(text) > MAX_COLUMNS:
        return _Row(text).line()
    return Line(text.rstrip(" "), [])


class Terminal:
    """One stream's rows. A row is settled, and a line, once the cursor has gone on below it.

    Programs with several progress bars move the cursor up to draw over them: while one does, as many rows as it goes up
    stay unsettled. So does a bar that was just left: a program with a second one goes down to it and up again.
    """

    def __init__(self) -> None:
        self._rows = [_Row()]
        self._row = 0
        self._column = 0
        self._look = _PLAIN
        self._style = ""
        self._held = ""
        self._height = 0
        """How far up the cursor may go."""
        self._calm = 0
        """New rows since it last did."""

    def feed(self, text: str) -> list[Line]:
        """Take output; the lines that are settled by it."""
        settled: list[Line]
        if self._is_plain and not _CONTROL.search(text):
            first, *parts = text.split("\n")
            row = self._rows[0]
            row.put(self._column, first, "")
            settled = []
            if parts:
                self._rows = [_Row(parts.pop())]
                settled = [row.line(), *map(_plain_line, parts)]
            self._column = len(self._rows[0].text)
            return settled
        settled = []
        text = self._held + text
        self._held = ""
        place = 0
        while place < len(text):
            if text[place] == "\x1b" and len(text) - place < MAX_HELD and _UNFINISHED.match(text, place):
                self._held = text[place:]
                break
            token = _TOKEN.match(text, place)
            if token is None:
                place += 1
                continue
            place = token.end()
            if token["text"]:
                self._rows[self._row].put(self._column, token["text"], self._style)
                self._column = min(MAX_COLUMNS, self._column + len(token["text"]))
            elif token["final"]:
                self._command(token["final"], token["params"])
            elif token["control"]:
                self._control(token["control"], settled)
        return settled

    @property
    def _is_plain(self) -> bool:
        """Whether text without control characters needs no care."""
        row = self._rows[0]
        is_at_end = len(self._rows) == 1 and self._column == len(row.text)
        return is_at_end and not (row.is_drawn or self._style or row.styles or self._held or self._height)

    @property
    def is_live(self) -> bool:
        """Whether a row is not settled and holds something."""
        return any(row.text for row in self._rows)

    def live(self) -> list[str]:
        """The rows that are not settled, as they look now; without those at the end that are empty."""
        rows = [row.line().text for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def settle(self, is_overtaken: bool) -> list[Line]:
        """Settle the rows above the cursor: a while has passed, or another stream overtakes with a line."""
        if self._height and not is_overtaken:
            return []
        above, self._rows, self._row = self._rows[: self._row], self._rows[self._row :], 0
        return [row.line() for row in above]

    def close(self) -> list[Line]:
        """Settle every row that holds something: nothing more will come."""
        lines = [row.line() for row in self._rows]
        while lines and not lines[-1].text:
            lines.pop()
        self._rows, self._row, self._column, self._held = [_Row()], 0, 0, ""
        return lines

    def _control(self, sign: str, settled: list[Line]) -> None:
        if sign == "\n":
            self._down(settled)
        elif sign == "\r":
            self._column = 0
            self._rows[self._row].is_drawn = True
        elif sign == "\b":
            self._column = max(0, self._column - 1)
        elif sign == "\t":
            stop = min(MAX_COLUMNS, self._column // 8 * 8 + 8)
            self._rows[self._row].put(self._column, " " * (stop - self._column), self._style)
            self._column = stop

    def _down(self, settled: list[Line]) -> None:
        self._row += 1
        self._column = 0
        if self._row < len(self._rows):
            return
        self._rows.append(_Row())
        self._calm += 1
        if self._calm > 2 * self._height:
            self._height = 0
        most = self._height + 1 + self._rows[-2].is_drawn
        while len(self._rows) > most:
            settled.append(self._rows.pop(0).line())
            self._row -= 1

    def _up(self, count: int) -> None:
        """Rows above those that are left are settled: empty ones take their place."""
        missing = min(count - self._row, MAX_ROWS + 1 - len(self._rows))
        if missing > 0:
            self._rows[:0] = [_Row() for _ in range(missing)]
            self._row += missing
        self._row = max(0, self._row - count)
        self._height = min(MAX_ROWS, max(self._height, len(self._rows) - 1))
        self._calm = 0

    def _command(self, final: str, params: str) -> None:
        if final == "m":
            if _SGR.fullmatch(params):
                self._look = _style_after(self._look, params)
                self._style = self._look.sgr
            return
        number = int(params) if params.isdecimal() and len(params) < 6 else 0
        row = self._rows[self._row]
        if final == "A":
            self._up(max(1, number))
        elif final == "B":
            self._row = min(len(self._rows) - 1, self._row + max(1, number))
        elif final == "C":
            self._column = min(MAX_COLUMNS, self._column + max(1, number))
        elif final == "D":
            self._column = max(0, self._column - max(1, number))
        elif final == "G":
            self._column = min(MAX_COLUMNS, max(1, number) - 1)
        elif final == "K":
            start = 0 if number else self._column
            row.erase(start, self._column + 1 if number == 1 else MAX_COLUMNS)
        elif final == "J" and number == 0:
            row.erase(self._column, MAX_COLUMNS)
            for below in self._rows[self._row + 1 :]:
                below.erase(0, MAX_COLUMNS)


class _Style(NamedTuple):
    """How text looks: what SGR sequences since the last reset add up to."""

    attributes: tuple[str, ...] = ()
    """Bold `1` to crossed out `9`, in order."""
    colour: str = ""
    ground: str = ""

    @property
    def sgr(self) -> str:
        return ";".join(filter(None, (*self.attributes, self.colour, self.ground)))


_PLAIN: Final = _Style()
_OFF: Final = {"22": "12", "21": "1", "23": "3", "24": "4", "25": "56", "27": "7", "28": "8", "29": "9"}
"""Code -> the attributes it takes away."""


@lru_cache(512)
def _style_after(style: _Style, params: str) -> _Style:
    """The style after the parameters of another SGR sequence; what is no code is passed over."""
    codes = deque(part.lstrip("0") or "0" for part in params[:MAX_PARAMS].replace("::", ":").split(";"))
    while codes:
        code, *more = codes.popleft().split(":")
        if code == "0":
            style = _PLAIN
        elif code in ("38", "48"):
            count = {"5": 2, "2": 4}.get(more[0] if more else codes[0] if codes else "", 0)
            more = more[:count] or [codes.popleft() for _ in range(min(count, len(codes)))]
            value = ";".join([code, *more]) if len(more) == count > 0 else ""
            style = style._replace(colour=value) if code == "38" else style._replace(ground=value)
        elif code in ("39", "49"):
            style = style._replace(colour="") if code == "39" else style._replace(ground="")
        elif code in _OFF:
            style = style._replace(attributes=tuple(each for each in style.attributes if each not in _OFF[code]))
        elif len(code) == 1:
            style = style._replace(attributes=tuple(sorted({*style.attributes, code})))
        elif _COLOUR.fullmatch(code):
            style = style._replace(colour=code)
        elif _GROUND.fullmatch(code):
            style = style._replace(ground=code)
    return style
