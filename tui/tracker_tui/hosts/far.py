"""The far side: what runs on the machine that holds the runs, at the other end of ssh.

Its source is sent with those of `tracker.host` and `tracker.lookout`, so nothing is installed there: standard library,
Python 3.8. It reads requests from standard input, each a line of JSON in one zlib stream, and writes frames to standard
output, after `MAGIC`, in another: four bytes of length, a line of JSON, then bytes as they lie on disk.

It opens only what it has listed under the folder it was told, follows no link, evaluates nothing, and writes nothing
but edits. When standard input ends it ends; and when nothing was heard or could be said for `PATIENCE` seconds.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from tracker import host
from tracker.folders import Part
from tracker.lines import Lines
from tracker.lookout import Known, Lookout
from tracker.pages import Page

MAGIC = b"\0tracker-tui 1\n"
"""What comes before is not ours: greetings of the shell's start-up files."""
PATIENCE = 60
"""Seconds without a word from the near side, which says something every few."""
BEAT = 2.0
"""Seconds after which silence is broken, so that the near side knows that the link lives."""
FAST, SLOW, IDLE = 0.05, 0.1, 0.5
"""Seconds between two looks: while somebody follows a run that is running, while any is running, else."""
CALM = 1.0
"""Seconds between two looks at what nobody follows."""
LOOK = 0.05
"""Seconds that one look may take before requests are heard again."""
WINDOW = 4 * 1024 * 1024
"""Bytes that may be on their way, so that neither end gathers more; half of them may be histories."""
PIECE = 128 * 1024
"""Bytes of a history that are sent at a time."""
MAX_REQUEST = 64 * 1024 * 1024


class FarSide:
    """Serves one near side until it is gone.

    Args:
        source: the descriptor that requests come from.
        target: the descriptor that frames go to.
    """

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._deflate = zlib.compressobj(6)
        self._inflate = zlib.decompressobj()
        self._heard = b""
        self._pending = bytearray()
        self._unread = 0
        self._spoke = self._heard_at = time.monotonic()
        self._saying = threading.RLock()
        self._lookout: Lookout | None = None
        self._root = ""
        self._may_remove = False
        self._is_complete: bool | None = None
        self._folders: dict[str, str] = {}
        self._folders_at = 0.0
        self._streams: dict[int, tuple[tuple[str, str], Lines]] = {}
        self._told: dict[int, float] = {}

    def serve(self) -> None:
        """Answer until the near side is gone."""
        self._write(MAGIC)
        threading.Thread(target=self._beat, daemon=True).start()
        self._say({"hello": 1, "python": sys.version.split()[0], "host": os.uname().nodename, "now": time.time()})
        self._flush()
        due = 0.0
        while True:
            wait = max(0.0, due - time.monotonic()) if self._lookout else PATIENCE
            if select.select([self._source], [], [], wait)[0]:
                data = os.read(self._source, 1 << 16)
                if not data:
                    return
                self._heard_at = time.monotonic()
                self._hear(data)
            now = time.monotonic()
            is_busy = self._stream()
            if self._lookout is not None and now >= due and self._unread < WINDOW:
                is_busy |= self._look(self._lookout)
            if now >= due:
                due = now + self._pace()
            if is_busy:
                due = 0.0
            self._flush()

    def _beat(self) -> None:
        """Break silence, in a thread of its own: a look may take long. And end it all when nobody is there any more."""
        while True:
            time.sleep(BEAT / 2)
            now = time.monotonic()
            if now - self._heard_at > PATIENCE and not select.select([self._source], [], [], 0)[0]:
                os._exit(1)
            if now - self._spoke > BEAT and self._saying.acquire(blocking=False):  # else it is not silent
                try:
                    self._say({"beat": 1})
                    self._flush()
                except OSError:
                    os._exit(1)
                finally:
                    self._saying.release()

    def _pace(self) -> float:
        """Seconds until the next look."""
        lookout = self._lookout
        if lookout is None or not lookout.has_live:
            return IDLE
        return FAST if any(lookout.is_live(place) for place, _ in self._streams.values()) else SLOW

    # ---- saying ----

    def _say(self, meta: dict[str, Any], data: bytes = b"") -> None:
        head = json.dumps(meta, separators=(",", ":")).encode() + b"\n"
        with self._saying:
            self._pending += struct.pack(">I", len(head) + len(data)) + head + data
            if len(self._pending) > PIECE:
                self._flush()

    def _flush(self) -> None:
        with self._saying:
            if self._pending:
                self._write(self._deflate.compress(bytes(self._pending)) + self._deflate.flush(zlib.Z_SYNC_FLUSH))
                self._pending = bytearray()
                self._spoke = time.monotonic()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._target, view) :]  # waits while the link is slow: nothing gathers here

    # ---- hearing ----

    def _hear(self, data: bytes) -> None:
        *lines, self._heard = (self._heard + self._inflate.decompress(data)).split(b"\n")
        if len(self._heard) > MAX_REQUEST:
            raise ValueError("endless request")
        for line in lines:
            request = json.loads(line)
            self._REQUESTS[request.pop("op")](self, **request)

    def _open(self, path: str, is_project: bool, known: list[list[Any]], may_remove: bool) -> None:
        path = os.path.join(os.path.expanduser("~"), os.path.expanduser(path))
        path = os.path.normpath(path)
        trouble = _why_not_readable(path)
        if not trouble:
            places = {(project, name): Known(*parts) for project, name, *parts in known}
            self._lookout = Lookout(path, is_project, known=places, calm=CALM)
            self._may_remove = may_remove
            path = self._root = self._lookout.root
        self._say({"opened": path, "trouble": trouble})
        if self._lookout is not None:
            self._look(self._lookout)  # whatever is asked for next is listed

    def _follow(self, stream: int, project: str, name: str, offset: int, thin: int) -> None:
        if self._lookout is not None:
            self._streams[stream] = (project, name), self._lookout.lines(project, name, offset, thin)
            self._lookout.read_by_line({place for place, _ in self._streams.values()})

    def _close(self, stream: int) -> None:
        self._streams.pop(stream, None)
        self._told.pop(stream, None)
        if self._lookout is not None:
            self._lookout.read_by_line({place for place, _ in self._streams.values()})

    def _got(self, size: int) -> None:
        self._unread -= size

    def _ping(self) -> None:
        """Said so that this side knows that somebody is there."""

    def _ask(self, number: int, what: str, args: list[Any]) -> None:
        lookout = self._lookout
        may: dict[str, Callable[..., Any]] = {}
        if lookout is not None:
            may = {"append_edits": lookout.append_edits, "stop": lookout.stop}
            may.update({"folder_files": lookout.folder_files, "read_part": lookout.read_part})
            may.update({what: functools.partial(_printed, lookout, what) for what in ("page", "line_at", "matches")})
        if lookout is not None and self._may_remove:
            may.update({"remove": lookout.remove, "sweep": lookout.sweep})
        answer = may[what](*args) if what in may else None
        trouble = "" if what in may else "not allowed"
        if isinstance(answer, Part):
            self._unread += len(answer.data)
            self._say({"answer": answer[1:], "number": number, "trouble": trouble, "has_data": True}, answer.data)
        else:
            self._say({"answer": answer, "number": number, "trouble": trouble})

    _REQUESTS: dict[str, Callable[..., None]] = {
        "open": _open,
        "follow": _follow,
        "close": _close,
        "got": _got,
        "ping": _ping,
        "ask": _ask,
    }

    # ---- looking ----

    def _look(self, lookout: Lookout) -> bool:
        """Tell what is new; whether more can be told at once."""
        self._look_at_folders(lookout)
        for sight in lookout.look(LOOK):
            if lookout.root != self._root:
                self._root = lookout.root
                self._say({"root": self._root})
            self._unread += len(sight.data)
            self._say({"see": [*sight[:2], *sight[3:]]}, sight.data)
        if lookout.is_complete != self._is_complete:
            self._is_complete = lookout.is_complete
            self._say({"complete": self._is_complete})
        return lookout.is_behind and self._unread < WINDOW

    def _look_at_folders(self, lookout: Lookout) -> None:
        """Tell which projects cannot be changed, and why."""
        now = time.monotonic()
        if now - self._folders_at > 10 or not self._folders:
            self._folders_at = now
            found = {project: lookout.why_not_editable(project) for project in lookout.projects()}
            if found != self._folders:
                self._folders = found
                self._say({"folders": found})

    def _stream(self) -> bool:
        """Send what is new of the files that are followed; whether there is more at once."""
        is_busy = False
        now = time.monotonic()
        for stream, (place, lines) in list(self._streams.items()):
            if self._unread >= WINDOW // 2:
                break
            is_live = self._lookout is not None and self._lookout.is_live(place)
            if lines.is_whole and now - self._told.get(stream, 0.0) < (FAST if is_live else CALM):
                continue
            before = lines.is_whole, lines.is_replaced
            data = lines.read(PIECE)
            self._unread += len(data)
            is_first = stream not in self._told
            self._told[stream] = now
            if data or is_first or (lines.is_whole, lines.is_replaced) != before:
                flags = [lines.offset, lines.skipped, lines.is_whole, lines.is_thinned, lines.is_replaced]
                self._say({"lines": stream, "as": flags}, data)
            is_busy |= not lines.is_whole
        return is_busy


def _printed(lookout: Lookout, what: str, project: str, name: str, *args: Any) -> Any:
    """What `Pages` answers, as JSON can say it."""
    answer = getattr(lookout.pages(project, name), what)(*args)
    if isinstance(answer, Page):
        return [[line.decode("utf-8", "replace") for line in answer.lines], answer.total, answer.size]
    return answer


def _why_not_readable(path: str) -> str:
    """What is wrong with a folder of runs, or with a run's file; empty if nothing is."""
    is_journal = host.JOURNAL.fullmatch(os.path.basename(path)) is not None
    if not os.path.exists(path):
        return "missing"
    if is_journal and os.path.isfile(path):
        return ""
    if not os.path.isdir(path):
        return "no folder"
    return "" if os.access(path, os.R_OK | os.X_OK) else "not readable"


def main() -> None:
    """Serve whoever started this."""
    target = os.dup(1)
    os.dup2(2, 1)  # nobody else writes frames
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, KeyboardInterrupt):  # nobody is there any more
        FarSide(0, target).serve()
