"""What power loss, full disks, other programs and bad luck make of files."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

BLOCKS = (512, 4096)
FOREIGN = (
    b"[1,2]\n",
    b'"x"\n',
    b"7\n",
    b"null\n",
    b"NaN\n",
    b"{}\n",
    b'{"a":\n',
    b'{"loss":NaN}\n',
    b'{"_step":NaN,"loss":1}\n',
    b'{"_step":"9","loss":1}\n',
    b'{"_step":true,"loss":1}\n',
    b'{"_step":1e999,"loss":1}\n',
    b'{"_step":-7,"loss":1}\n',
    b'{"_step":2.5,"loss":1}\n',
    b'{"loss":1,"_step":3}\n',
    b'{"_step":5,"loss":1,"_step":3}\n',
    b'{"level":"info","msg":"started","ts":1.5}\n',
    b"\xff\xfe{\x00}\x00\n",
    b"\r\n \t\n",
)
"""Lines of others."""

Damage = Callable[[bytes, random.Random], bytes]


def _place(data: bytes, chance: random.Random) -> int:
    """Anywhere, but half of the time near the border of a line."""
    place = chance.randrange(len(data) + 1)
    if chance.random() < 0.5:
        place = data.find(b"\n", place) + chance.randint(-2, 3)
    return min(max(0, place), len(data))


def _replaced(data: bytes, chance: random.Random, new: Callable[[bytes], bytes], most: int) -> bytes:
    place, length = _place(data, chance), chance.randint(1, most)
    return data[:place] + new(data[place : place + length]) + data[place + length :]


def _flipped(data: bytes, chance: random.Random) -> bytes:
    return _replaced(data, chance, lambda old: bytes(byte ^ 1 << chance.randrange(8) for byte in old), 1)


def _blocks(data: bytes, chance: random.Random) -> list[bytes]:
    size = chance.choice(BLOCKS)
    return [data[place : place + size] for place in range(0, len(data), size)]


def _twice(data: bytes, chance: random.Random) -> bytes:
    blocks = _blocks(data, chance)
    return b"".join([*blocks, *blocks[chance.randrange(len(blocks) + 1) :]])


def _swapped(data: bytes, chance: random.Random) -> bytes:
    blocks = _blocks(data, chance)
    one, other = chance.choices(range(len(blocks)), k=2) if blocks else (0, 0)
    blocks[one : one + 1], blocks[other : other + 1] = blocks[other : other + 1], blocks[one : one + 1]
    return b"".join(blocks)


def _interleaved(data: bytes, _: random.Random) -> bytes:
    """With a file that has the other half of its lines."""
    lines = data.splitlines(keepends=True)
    one, other = (_blocks(b"".join(lines[half::2]), random.Random(0)) for half in (0, 1))
    return b"".join(block for pair in zip(one, other, strict=False) for block in pair)


def _foreign(data: bytes, chance: random.Random) -> bytes:
    place = data.find(b"\n", chance.randrange(len(data) + 1)) + 1
    return data[:place] + b"".join(chance.choices(FOREIGN, k=3)) + data[place:]


def _torn_character(data: bytes, chance: random.Random) -> bytes:
    wide = [place for place, byte in enumerate(data) if byte >= 0x80]
    place = chance.choice(wide) if wide else 0
    return data[:place] + data[place + 1 :]


KINDS: dict[str, Damage] = {
    "cut": lambda data, chance: data[: _place(data, chance)],
    "zeroed tail": lambda data, chance: data[: (place := _place(data, chance))] + bytes(len(data) - place),
    "NUL run": lambda data, chance: _replaced(data, chance, lambda old: bytes(len(old)), 5000),
    "hole": lambda data, chance: _replaced(data, chance, lambda _: b"", 600),
    "flipped bit": _flipped,
    "block twice": _twice,
    "blocks swapped": _swapped,
    "two files in one": _interleaved,
    "CRLF": lambda data, _: data.replace(b"\n", b"\r\n"),
    "BOM": lambda data, _: b"\xef\xbb\xbf" + data,
    "no first line": lambda data, _: data[data.find(b"\n") + 1 :],
    "torn character": _torn_character,
    "lines of others": _foreign,
    "noise": lambda data, chance: _replaced(data, chance, lambda old: chance.randbytes(len(old)), 300),
}


IN_ORDER = tuple(kind for name, kind in KINDS.items() if not name.startswith(("block", "two")))
"""Those that leave what they leave in its order."""


def damaged(data: bytes, chance: random.Random, kinds: Sequence[Damage] = tuple(KINDS.values())) -> bytes:
    """A file after one fault or a few."""
    for kind in chance.choices(kinds, k=chance.choice((1, 1, 1, 2, 3))):
        data = kind(data, chance)
    return data
