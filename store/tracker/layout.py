"""Where things live on disk, and what may be called what.

    <root>/<project>/run-20241105_111816-pdo5110r.jsonl    a run's journal: date and time in UTC, then its id
    <root>/<project>/run-20241105_111816-pdo5110r/         what a run keeps besides records, when there is any
    <root>/<project>/edits-<host>-<user>.jsonl             changes made from outside a job
    <root>/<project>/.synced                               folders of TensorBoard whose values runs have logged

No id, name or project can reach outside the root: on disk they are percent-encoded, so `..`, slashes and NULs are
harmless. The true names are in the journal's `start` record.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from tracker.host import JOURNAL

DEFAULT_PROJECT: Final = "Uncategorized"
"""The project of a run that names none (as W&B's documentation says)."""
MAX_FILE_NAME_BYTES: Final = 100
SYNCED: Final = ".synced"
"""In a project's folder: a line for each folder of TensorBoard that a run has logged (journal, tab, path), so that
the same values are not shown twice."""

_ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_PROJECT_FORBIDDEN: Final = frozenset("/\\#?%:")
_ID_FORBIDDEN: Final = frozenset(":;,#?/'\\")


CHILDREN: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children")
"""A folder for `PYTHONPATH` that has a `wandb` which is tracker; see `standin`."""


def resolve_root(dir: str | os.PathLike[str] | None = None) -> str:  # noqa: A002 - W&B's word for it
    """The folder that holds all projects: `dir`, else `TRACKER_DIR`, else `./runs`."""
    return os.path.abspath(os.path.expanduser(dir or os.environ.get("TRACKER_DIR") or "runs"))


def file_name(name: str) -> str:
    """A project or id as one path component: percent-encoded, and cut with a hash above 100 bytes."""
    encoded = "".join(
        c if c.isascii() and (c.isalnum() or c in "_-") else "".join(f"%{b:02X}" for b in c.encode("utf-8", "replace"))
        for c in name
    )
    if len(encoded) <= MAX_FILE_NAME_BYTES:
        return encoded
    import hashlib  # costly, and hardly ever needed

    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
    return encoded[: MAX_FILE_NAME_BYTES - 17].rsplit("%", 1)[0] + "~" + digest


def true_name(component: str) -> str:
    """The name behind a path component, as far as the component can tell (a cut name stays cut)."""
    return unquote(component, errors="replace")


def segment_name(run_id: str, started: float, attempt: int = 1) -> str:
    """The journal's file name; `attempt` above 1 tells journals of one id and second apart."""
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(started))
    return f"run-{stamp}-{file_name(run_id)}{f'.{attempt}' if attempt > 1 else ''}.jsonl"


def segment_names(run_id: str, started: float) -> Iterator[str]:
    """What a new journal may be called: one of the same id and second may be there already."""
    return (segment_name(run_id, started, attempt) for attempt in itertools.count(1))


def parse_segment_name(name: str) -> tuple[str, str, int] | None:
    """(time stamp, encoded id, attempt) of a journal's file name; None for any other file."""
    match = JOURNAL.fullmatch(name)
    return (match[1], match[2], int(match[3] or 1)) if match else None


def new_id() -> str:
    """Eight of a-z0-9 from a cryptographic source."""
    source = int.from_bytes(os.urandom(16))
    return "".join(_ID_ALPHABET[source // 36**place % 36] for place in range(8))


def check_project(project: object) -> str:
    """A usable project name.

    Raises:
        TypeError: not a string.
        ValueError: empty, over 128 characters, or with one of `/ \\ # ? % :` (W&B's rule).
    """
    if not isinstance(project, str):
        raise TypeError(f"project must be a string, not {type(project).__name__}")
    if not project or len(project) > 128 or _PROJECT_FORBIDDEN & set(project):
        raise ValueError(f"project must have 1 to 128 characters and none of / \\ # ? % : (got {_shown(project)})")
    return project


def check_id(run_id: object) -> str:
    """A usable run id.

    Raises:
        TypeError: not a string.
        ValueError: empty, over 128 characters, with white space at an edge, a control character, or one of
            `: ; , # ? / ' \\` (W&B's rule).
    """
    if not isinstance(run_id, str):
        raise TypeError(f"id must be a string, not {type(run_id).__name__}")
    bad = _ID_FORBIDDEN & set(run_id) or not run_id.isprintable()
    if not run_id or len(run_id) > 128 or run_id != run_id.strip() or bad:
        raise ValueError(
            "id must have 1 to 128 characters, no space at its edges, no control character and none of "
            f": ; , # ? / ' \\ (got {_shown(run_id)})"
        )
    return run_id


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
