"""Where a run comes from that another tool has logged."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NamedTuple

from tracker.lines import first_line, record_of
from tracker.records import Record

Files = list[list[int]]
"""Size, mtime in ns and inode of each file of a run, as they were when it was read."""

KINDS: Final = {
    "tensorboard": "TensorBoard log",
    "wandb": "offline run of wandb",
    "lightning": "CSV log of Lightning",
    "huggingface": "log of Hugging Face's Trainer",
    "trackio": "run of trackio",
    "csv": "CSV log",
    "jsonl": "JSON lines log",
}
"""What an origin is, in words."""


class Origin(NamedTuple):
    """Where a run comes from."""

    kind: str
    """tensorboard, wandb, lightning, huggingface, trackio, csv, jsonl."""
    path: str
    """An absolute path: of a file, or of the folder whose files it is read from."""
    part: str = ""
    """Which of several runs in that file."""

    def record(self) -> Record:
        """As `start` has it."""
        return {name: sound(text) for name, text in self._asdict().items() if text}

    @property
    def id(self) -> str:
        """An id for a run that has none: always the same for the same place."""
        digest = int.from_bytes(sha256("\0".join(self).encode("utf-8", "surrogateescape")).digest()[:8], "big")
        return "".join("abcdefghijklmnopqrstuvwxyz0123456789"[digest // 36**place % 36] for place in range(10))


def origin_of(path: str) -> Origin | None:
    """What a journal was made of; None of one that was logged by ourselves, or is damaged."""
    origin = record_of(first_line(path)).get("origin")
    if not isinstance(origin, dict):
        return None
    words = [origin.get(name, "") for name in Origin._fields]
    return Origin(*words) if all(isinstance(word, str) for word in words) and words[0] in KINDS else None


def sound(text: str) -> str:
    """Without what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
