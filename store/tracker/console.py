"""What a run's process prints, kept as lines beside its journal: `console.jsonl` in the run's folder.

    {"_timestamp": 1795332199.55, "_step": 12, "line": 40, "stream": "stderr", "colours": [[0, 5, "31"]], "text": "..."}

`line` counts from 0 without a gap, so a reader finds a place in a file of any size by halving. `_step` is the last that
was logged before the line was complete. `text` holds no escape sequence; `colours` says where which were in force.
Rows that may still change, such as a progress bar, are told by records that have `live`, a list of texts, in place of
`text`: the newest one of a stream holds until the stream's next line.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NamedTuple

import orjson

from tracker.journal import PatientWriter, Writer
from tracker.pages import FILE
from tracker.records import plain
from tracker.secrets import mask_tokens
from tracker.terminal import Line, Terminal

GAP: Final = 0.1
"""Seconds: what is printed after such a quiet while is written at once, what follows within it together."""
LIVE: Final = 1.0
"""Seconds between two records of rows that change, at least..."""
LIVE_SHARE: Final = 0.002
"""...and this share of how long they have been changing, so that a bar of ten hours costs some thousand records."""
BURST: Final = 256 * 1024 * 1024
"""Bytes that are kept of a run however fast it prints..."""
RATE: Final = 4096
"""...and bytes a second beyond them. Lines over that are left out and counted, but for the last ones of the run."""
LAST: Final = 200
MAX_PENDING: Final = 16 << 20
"""Characters that wait for the thread, at most."""
MAX_LIVE_ROWS: Final = 20
MAX_LIVE_COLUMNS: Final = 1000
"""Rows that change, and characters of each, that are told: the last ones."""

STREAMS: Final = ("stdout", "stderr")


class _Output(NamedTuple):
    """What was printed in one stretch."""

    when: float
    step: int | None
    stream: str
    texts: list[str]


class Console:
    """The lines of one run, as its process prints them.

    What is printed alone is with the operating system when `print` returns, so that the last words of a job that is
    killed are there; a flood of lines is written ten times a second, by a thread.

    Args:
        folder: tells the run's folder.
        step: tells the last step that was logged; None before the first.
        warn: is told once why nothing can be written.
        wake: asks for `flush` after a while.
        is_remote: whether the folder is on a network file system, where others see lines only once they are synced.
    """

    def __init__(
        self,
        folder: Callable[[], str],
        step: Callable[[], int | None],
        warn: Callable[[str, str], None],
        wake: Callable[[], None],
        is_remote: bool = False,
    ) -> None:
        self._folder, self._step, self._warn, self._wake = folder, step, warn, wake
        self._lock = threading.RLock()
        self._terminals = {stream: Terminal() for stream in STREAMS}
        self._is_remote = is_remote
        self._writer = PatientWriter(lambda: Writer(self._folder(), [FILE], is_mine=True), is_remote)
        self._pending: deque[_Output] = deque()
        self._size = 0
        """Characters that are pending."""
        self._is_awaited = False
        """Whether the thread will write them."""
        self._is_writing = False
        self._is_over = False
        self._wrote = 0.0
        self._line = 0
        self._shown: dict[str, list[str]] = {}
        """Of each stream the rows that the last `live` record told."""
        self._changing: dict[str, float] = {}
        """Of each stream with such rows: since when they change."""
        self._told: dict[str, float] = {}
        """Of each stream, when such rows were told last."""
        self._room = float(BURST)
        self._filled = time.monotonic()
        self._left_out = 0
        self._out = bytearray()
        """Records that are to be written; a reader passes over one that is there twice."""
        self._last: deque[tuple[float, int | None, str, Line]] = deque(maxlen=LAST)

    def take(self, stream: str, text: str) -> None:
        """What was just printed. Never raises for what it is or for the disk."""
        with self._lock:
            if self._is_over:
                return
            step = self._step()
            last = self._pending[-1] if self._pending else None
            if last is not None and last.stream == stream and last.step == step:
                last.texts.append(text)
            else:
                self._pending.append(_Output(time.time(), step, stream, [text]))
            self._size += len(text)
            if self._is_awaited and self._size < MAX_PENDING:
                return
            # A handler of a signal may print while this very thread is writing.
            if (time.monotonic() - self._wrote > GAP or self._size >= MAX_PENDING) and not self._is_writing:
                with _uninterrupted():
                    self._write_pending()
            # Rows that change are told by the thread, if they still do then. So is trouble: here it would be printed.
            is_unsynced = self._is_remote and self._writer.unsynced
            if self._pending or self._is_changing or self._writer.waiting or is_unsynced:
                self._wake()
            self._is_awaited = bool(self._pending)

    @property
    def missing(self) -> int:
        """Lines that the disk has not taken."""
        return self._writer.missing

    def flush(self) -> float | None:
        """Write what waits; seconds until there may be more to write, None if only after more was printed."""
        with self._lock:
            self._is_awaited = is_untold = False
            if not self._is_writing and not self._is_over:
                self._write_pending()
                self._settle(time.time(), self._step())
                is_untold = self._write_live()
            if self._writer.waiting:
                self._writer.retry()
        if self._is_remote and self._writer.unsynced:
            self._writer.sync(self._lock)  # others see it only then
        self._tell_trouble()
        return LIVE if is_untold or self._writer.waiting else None

    def close(self) -> None:
        """Write everything; nothing is taken from now on."""
        with self._lock:
            if self._is_over:
                return
            self._write_pending()
            self._is_over = True
            now, step = time.time(), self._step()
            self._settle(now, step)
            for stream, terminal in self._terminals.items():
                for line in terminal.close():
                    self._put(now, step, stream, line)
            self._write_last()
            self._write_out()
            try:
                self._writer.close()
            except OSError as error:
                self._writer.trouble = error
        self._tell_trouble()

    # ---- writing ----

    def _write_pending(self) -> None:
        self._is_writing = True
        try:
            now = time.monotonic()
            self._room = min(BURST, self._room + RATE * (now - self._filled))
            self._filled = now
            while self._pending:
                when, step, stream, texts = self._pending[0]
                lines = self._terminals[stream].feed("".join(texts))
                self._pending.popleft()  # now: a signal's handler may raise at any moment
                if lines:
                    self._settle(when, step, stream)
                for line in lines:
                    self._put(when, step, stream, line)
            self._size = 0
            self._write_out()
        finally:
            self._is_writing = False

    def _settle(self, when: float, step: int | None, overtaking: str = "") -> None:
        """Write the bars that were left: a while has passed, or another stream prints lines."""
        for stream, terminal in self._terminals.items():
            if stream != overtaking:
                for line in terminal.settle(is_overtaken=bool(overtaking)):
                    self._put(when, step, stream, line)

    def _put(self, when: float, step: int | None, stream: str, line: Line) -> None:
        """Let a line be written, if there is room for it."""
        self._shown.pop(stream, None)
        self._changing.pop(stream, None)
        if self._room <= 0:
            self._left_out += len(self._last) == LAST
            self._last.append((when, step, stream, line))
            return
        self._note_left_out(when, step)
        self._encode(when, step, stream, line.text, line.colours)

    def _encode(self, when: float, step: int | None, stream: str, text: str, colours: object) -> None:
        coloured = b'"colours":' + orjson.dumps(colours) + b"," if colours else b""
        line = b"".join((self._head(when, step, stream), coloured, b'"text":', _dumps(mask_tokens(text)), b"}\n"))
        self._room -= len(line)
        self._out += line
        self._line += 1

    def _head(self, when: float, step: int | None, stream: str) -> bytes:
        """What every record begins with; written by hand, which is twice as fast."""
        at = "" if step is None else f'"_step":{step},'
        return f'{{"_timestamp":{when:.3f},{at}"line":{self._line},"stream":"{stream}",'.encode()

    def _note_left_out(self, when: float, step: int | None) -> None:
        """Say so before a line that follows lines which are left out."""
        count = self._left_out + len(self._last)
        if count:
            self._left_out = 0
            self._last.clear()
            self._encode(when, step, "tracker", f"… {count} lines left out: too many at once", None)

    def _write_last(self) -> None:
        """The last words of a run are kept in any case."""
        last, self._last = list(self._last), deque(maxlen=LAST)
        if last:
            self._note_left_out(*last[0][:2])
            for when, step, stream, line in last:
                self._encode(when, step, stream, *line)

    @property
    def _is_changing(self) -> bool:
        return any(terminal.is_live for terminal in self._terminals.values())

    def _write_live(self) -> bool:
        """Tell the rows that have changed since they were told last; whether it is too early for some."""
        now = time.monotonic()
        is_untold = False
        for stream, terminal in self._terminals.items():
            rows = [mask_tokens(row)[:MAX_LIVE_COLUMNS] for row in terminal.live()[-MAX_LIVE_ROWS:]]
            if rows == self._shown.get(stream, []) or self._room <= 0:
                continue
            since = self._changing.setdefault(stream, now)
            if now - self._told.get(stream, -math.inf) < max(LIVE, LIVE_SHARE * (now - since)):
                is_untold = True
                continue
            self._told[stream] = now
            self._shown[stream] = rows
            line = self._head(time.time(), self._step(), stream) + b'"live":' + _dumps(rows) + b"}\n"
            self._room -= len(line)
            self._out += line
        self._write_out()
        return is_untold

    def _write_out(self) -> None:
        if not self._out:
            return
        if self._writer.is_gone():
            self._writer.begin_anew()
        self._writer.append(bytes(self._out))
        self._out.clear()
        self._wrote = time.monotonic()

    def _tell_trouble(self) -> None:
        """Without the lock: what is told is printed, and so taken by every run of the process."""
        if (trouble := self._writer.trouble) is not None:
            self._warn(
                "disk", f"cannot keep what is printed in {self._folder()} ({trouble.strerror}); training goes on"
            )


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for a moment: it would tear a line apart, and point at us in the job's traceback."""
    came: list[tuple[int, FrameType | None]] = []
    handler = signal.getsignal(signal.SIGINT)
    try:
        if callable(handler):
            signal.signal(signal.SIGINT, lambda *arguments: came.append(arguments))
    except ValueError:  # it comes to the main thread alone
        handler = None
    try:
        yield
    finally:
        if callable(handler):
            signal.signal(signal.SIGINT, handler)
            if came:
                handler(*came[0])


def _dumps(text: str | list[str]) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # lone surrogates, which UTF-8 cannot hold
        return orjson.dumps(plain(text)[0])
