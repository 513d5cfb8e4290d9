"""One ssh process, from its start to its end: bytes out, frames in, and why it ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from typing import IO, Any, Final, Protocol

from tracker.lines import CHUNK, MAX_LINE, MAX_LOOK
from tracker.records import clean
from tracker_tui.hosts import ssh

SILENCE: Final = 6.5
"""Seconds without a word from the far side, which says something every two, after which the link is dead."""
PING: Final = 5.0
"""Seconds between two words to the far side."""
GREETING: Final = 30.0
"""Seconds that a new link may take, but for the questions on the terminal."""
LAST_WORDS: Final = 0.2
"""Seconds in which ssh ends after it said why."""
MAX_NOISE: Final = 1 << 18
MAX_FRAME: Final = 2 * (MAX_LOOK + MAX_LINE)
ASKED_ANEW: Final = "another try takes its place"
MAGIC: Final = b"\0tracker-tui 1\n"
"""As `far.MAGIC`, which is source for there and not imported here."""


class LinkError(OSError):
    """There is no link, or no longer; the text says why and what may help."""


class Near(Protocol):
    """What a session speaks for."""

    heard: float

    @property
    def machine(self) -> str: ...
    @property
    def is_closing(self) -> bool: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def wake_descriptor(self) -> int: ...
    def is_asked_anew(self, may_ask: bool) -> bool: ...
    def begin(self) -> None: ...
    def take_out(self) -> bytearray: ...
    def sent(self, size: int) -> None: ...
    def ping(self) -> None: ...
    def hear(self, meta: dict[str, Any], data: bytes) -> None: ...
    def notify(self) -> None: ...
    def explain(self, code: int | None, said: str, noise: str) -> str: ...


class Session:
    """One ssh process, from its start to its end."""

    def __init__(self, near: Near, command: Sequence[str], may_ask: bool) -> None:
        self._near = near
        self._may_ask = may_ask and _has_terminal()
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._inflate: Any = None
        self._noise = b""
        self._said = b""
        self._unshown = b""
        self._show_at = 0.0
        self._frames = bytearray()
        self._began = 0.0
        self.was_refused = False
        """Whether it ended because nobody could be asked."""
        self.was_silent = False
        """Whether it ended because nothing came."""

    def run(self) -> None:
        """Speak with the far side until one of both ends.

        Raises:
            LinkError: it ended, or is ended because nothing comes.
        """
        try:
            process = self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                process_group=None if self._may_ask else 0,  # Ctrl-C at another one's question is not for it
            )
        except OSError as error:
            raise LinkError(f"cannot start ssh ({error.strerror}): install the OpenSSH client") from None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stdin.fileno(), False)
        self._near.begin()
        with selectors.DefaultSelector() as selector:
            for stream in (process.stdout, process.stderr, self._near.wake_descriptor):
                selector.register(stream, selectors.EVENT_READ)
            self._loop(selector, process.stdin, process.stdout, process.stderr)

    def _loop(self, selector: selectors.BaseSelector, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self._began = pinged = time.monotonic()
        while not self._near.is_closing:
            self._write_if_wanted(selector, stdin)
            for key, _ in selector.select(LAST_WORDS if self._unshown else 1.0):
                if key.fileobj is stdin:
                    self._send(stdin)
                elif key.fileobj is stdout:
                    data = os.read(stdout.fileno(), 1 << 16)
                    if not data:
                        self._ended()
                    self._hear(data)
                elif key.fileobj is stderr:
                    said = os.read(stderr.fileno(), 1 << 16)
                    if not said:
                        selector.unregister(stderr)
                    self._overhear(said)
                else:
                    os.read(self._near.wake_descriptor, 4096)
            now = time.monotonic()
            if now - pinged > PING:
                pinged = now
                self._near.ping()
            self._show_said(now)
            self._end_if_silent(now)

    def _write_if_wanted(self, selector: selectors.BaseSelector, stdin: IO[bytes]) -> None:
        """Wait for room to write while there is something to be written."""
        is_waiting = stdin in selector.get_map()
        if self._near.take_out() and not is_waiting:
            selector.register(stdin, selectors.EVENT_WRITE)
        elif is_waiting and not self._near.take_out():
            selector.unregister(stdin)

    def _end_if_silent(self, now: float) -> None:
        """Make an end where nothing comes, or where somebody wants to be asked."""
        if self._near.is_asked_anew(self._may_ask):
            raise LinkError(ASKED_ANEW)
        if self._is_asking:
            self._began = now
        is_late = not self._near.is_open and now - self._began > GREETING
        if is_late or (self._inflate is not None and now - self._near.heard > SILENCE):
            self.was_silent = True
            what = "" if self._inflate is not None else f": what does `ssh {self._near.machine} python3 -V` say?"
            raise LinkError(f"{self._near.machine} does not answer{what}")

    @property
    def _is_asking(self) -> bool:
        return self._may_ask and self._inflate is None

    def _send(self, stdin: IO[bytes]) -> None:
        try:
            self._near.sent(os.write(stdin.fileno(), bytes(self._near.take_out()[: 1 << 16])))
        except BlockingIOError:
            return
        except OSError:  # it ends; what it said tells why
            self._ended()

    def _overhear(self, said: bytes) -> None:
        """What ssh says, and the shell there; while passwords are asked for, the user sees it."""
        self._said = (self._said + said)[-16384:]
        if self._is_asking and sys.stderr.isatty():
            self._unshown += said
            self._show_at = time.monotonic() + LAST_WORDS

    def _show_said(self, now: float) -> None:
        """What was said a moment ago: the last words of an ssh that ends are told in ours."""
        if self._unshown and now > self._show_at:
            lines = self._unshown.decode("utf-8", "replace").splitlines()
            self._unshown = b""
            sys.stderr.write("".join(clean(line) + "\n" for line in lines))
            sys.stderr.flush()

    def _ended(self) -> None:
        process = self._process
        assert process is not None
        assert process.stderr is not None
        code = _end(process)
        with contextlib.suppress(OSError):
            os.set_blocking(process.stderr.fileno(), False)
            self._said += process.stderr.read() or b""
        said, noise = self._said.decode("utf-8", "replace"), self._noise.decode("utf-8", "replace")
        self.was_refused = ssh.is_refusal(said)
        if self._inflate is not None and not said.strip():
            raise LinkError(f"the connection to {self._near.machine} was closed")
        raise LinkError(self._near.explain(code, said, noise))

    def _hear(self, data: bytes) -> None:
        if self._inflate is None:
            self._noise += data
            noise, magic, data = self._noise.partition(MAGIC)
            if not magic:
                if len(self._noise) > MAX_NOISE:
                    raise LinkError(self._near.explain(None, "", self._noise.decode("utf-8", "replace")))
                return
            self._noise = noise
            self._inflate = zlib.decompressobj()
        self._near.heard = time.monotonic()
        while data:
            self._frames += self._inflate.decompress(data, CHUNK)
            data = self._inflate.unconsumed_tail
            self._cut()

    def _cut(self) -> None:
        """Take whole frames off what has come."""
        start = 0
        has_news = False
        while len(self._frames) - start >= 4:
            (size,) = struct.unpack_from(">I", self._frames, start)
            if size > MAX_FRAME:
                raise ValueError("endless frame")
            if len(self._frames) - start < 4 + size:
                break
            head, _, data = bytes(self._frames[start + 4 : start + 4 + size]).partition(b"\n")
            start += 4 + size
            meta = json.loads(head)
            if not isinstance(meta, dict):
                raise ValueError("no frame")
            self._near.hear(meta, data)
            has_news |= "beat" not in meta
        del self._frames[:start]
        if has_news:
            self._near.notify()

    def end(self) -> None:
        """Let go of the process, whatever state it is in."""
        process = self._process
        if process is None:
            return
        _end(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _has_terminal() -> bool:
    """Whether ssh could ask anybody."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a process that ends now; None if it had to be ended."""
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()
    try:
        return process.wait(1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
