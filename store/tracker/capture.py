"""Hearing what this process prints, for the consoles of its runs, without changing a byte of it.

`wrap`, the default, hears what goes through Python's `sys.stdout` and `sys.stderr`: their `write` is shadowed on the
very objects, so that whoever holds them already (logging, rich) is heard too, and is called first, as it was.

`redirect` hears the file descriptors 1 and 2, and so C code and child processes: a pipe, or a pseudo-terminal where
there was a terminal, takes their place, and a thread passes everything on. The price: what a process says in the very
moment in which it is killed may not reach the terminal.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from tracker import threads
from tracker.console import GAP, Console

WAYS: Final = {
    "wrap": "wrap", "auto": "wrap", "wrap_raw": "wrap", "wrap_emu": "wrap", "redirect": "redirect", "off": "off",
}  # fmt: skip
"""What W&B's setting `console` may be, and what it means here."""
REST: Final = 0.05
"""Seconds without output after which nobody is thought to print any more when a redirection ends."""
MAX_REST: Final = 2.0
"""Seconds that are given to a target that takes nothing, e.g. a terminal that is held."""
PIECE: Final = 1 << 16


class _Flusher:
    """The thread that writes what the consoles gather; it sleeps while nothing is printed.

    Nothing on the way of `print` takes a lock of ours that is not reentrant: a signal's handler may print in between.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()  # its `put` is reentrant
        self._is_called = False
        self._is_running = False

    def start(self) -> None:
        """There is a console; called under the lock."""
        if not self._is_running:
            with contextlib.suppress(OSError):
                threads.start("console", self._keep)
                self._is_running = True

    def wake(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._calls.put(None)

    def _keep(self) -> None:
        wait: float | None = None
        while True:
            with contextlib.suppress(Empty):
                self._calls.get(timeout=wait)
            if _wrapped or _redirected:
                time.sleep(GAP)
            self._is_called = False
            with _lock:
                consoles = (*_wrapped, *_redirected)
                if not consoles:
                    self._is_running = False
                    return
            waits = [console.flush() for console in consoles]
            wait = min((each for each in waits if each is not None), default=None)


_wrapped: tuple[Console, ...] = ()
"""Consoles that hear Python's streams."""
_redirected: tuple[Console, ...] = ()
"""Consoles that hear the file descriptors."""
_redirections: tuple[_Redirection, ...] = ()
_buffered: Any = None
"""The stream that is written by lines for as long as it is redirected."""
_shadowed: list[Any] = []
"""Streams whose `write` is shadowed."""
_now = threading.local()
"""`text`: what this thread is writing, for one stream may write through another."""
_flusher = _Flusher()
_lock = threading.RLock()


def wake() -> None:
    """Have the consoles flushed after a while."""
    _flusher.wake()


def attach(console: Console, way: str) -> None:
    """Let a console hear what is printed from now on.

    Args:
        console: whose `take` is called.
        way: `wrap` or `redirect`.

    Raises:
        OSError: the descriptors cannot be redirected.
    """
    global _wrapped, _redirected
    with _lock:
        if way == "redirect":
            if not _redirected:
                _redirect()
            _redirected += (console,)
        else:
            if not _wrapped and (cells := _cells()) is not None:
                cells.register("pre_run_cell", _wrap_streams)
            _wrapped += (console,)
            _wrap_streams()
        _flusher.start()


def detach(console: Console) -> None:
    """Let a console hear no more; after the last one everything is as it was."""
    global _wrapped, _redirected
    with _lock:
        if _wrapped == (console,):
            while _shadowed:
                _unwrap(_shadowed.pop())
            if (cells := _cells()) is not None:
                cells.unregister("pre_run_cell", _wrap_streams)
        if _redirected == (console,):
            _restore()
        _wrapped = tuple(each for each in _wrapped if each is not console)
        _redirected = tuple(each for each in _redirected if each is not console)
        if not _wrapped and not _redirected:
            _flusher.wake()


def forget() -> None:
    """In a forked child: what it prints belongs to no run of its parent, which passes it on as before."""
    global _wrapped, _redirected, _redirections, _flusher, _lock
    _wrapped, _redirected = (), ()
    _flusher, _lock = _Flusher(), threading.RLock()
    for redirection in _redirections:
        redirection.close()
    _redirections = ()


# ---- Python's streams ----


def _cells() -> Any:
    """IPython's events: it puts the streams' `write` back as it was after each cell. None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "events", None)


def _wrap_streams(*_: object) -> None:
    """Those in use and, as others may stand in for them just now, the original ones."""
    for name in ("stdout", "stderr"):
        _wrap(getattr(sys, name, None), name)
        _wrap(getattr(sys, f"__{name}__", None), name)


def _wrap(stream: Any, name: str) -> None:
    """Shadow a stream's `write`, unless it is already."""
    write = getattr(stream, "write", None)
    if write is None or hasattr(write, "shadows"):
        return

    def write_and_tell(text: Any, /) -> Any:
        outer = getattr(_now, "text", None)
        if text is outer:  # told by the stream that writes through this one
            return write(text)
        _now.text = text
        try:
            return write(text)
        finally:
            _now.text = outer
            if isinstance(text, str):
                for console in _wrapped:
                    console.take(name, text)

    write_and_tell.shadows = vars(stream).get("write") if hasattr(stream, "__dict__") else None  # type: ignore[attr-defined]
    with contextlib.suppress(AttributeError, TypeError):  # an object that takes no attributes is not heard
        stream.write = write_and_tell
        _shadowed.append(stream)


def _unwrap(stream: Any) -> None:
    """Take the shadow away, unless somebody has put another one over it: then it stays, and tells nobody."""
    with contextlib.suppress(AttributeError, KeyError, TypeError):
        ours = vars(stream)["write"]
        if ours.shadows is None:
            del stream.write
        else:
            stream.write = ours.shadows


# ---- file descriptors ----


class _Redirection:
    """What is written to some descriptors comes through here, and goes on to where it went before.

    Args:
        descriptors: of one and the same file, terminal or pipe.
        stream: what to call what they carry.
    """

    def __init__(self, descriptors: Sequence[int], stream: str) -> None:
        self._descriptors, self._stream = descriptors, stream
        self._size: object = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_drained = threading.Event()
        self._is_terminal = os.isatty(descriptors[0])
        self._held: list[int] = []
        try:
            self._target = self._hold(os.dup(descriptors[0]))
            self._source, self._sink = map(
                self._hold, _pseudo_terminal(self._target) if self._is_terminal else os.pipe()
            )
            self._stop, self._stopped = map(self._hold, os.pipe())
            self._fit()
            threads.start("redirect", self._pass_on)
        except OSError:
            self.close()
            raise
        for descriptor in descriptors:
            os.dup2(self._sink, descriptor)

    def _hold(self, descriptor: int) -> int:
        self._held.append(descriptor)
        return descriptor

    def _fit(self) -> None:
        """Give the pseudo-terminal the size of the terminal."""
        if self._is_terminal:
            import fcntl
            import termios

            with contextlib.suppress(OSError):
                size = fcntl.ioctl(self._target, termios.TIOCGWINSZ, bytes(8))
                if size != self._size:
                    self._size = size
                    fcntl.ioctl(self._sink, termios.TIOCSWINSZ, size)

    def _pass_on(self) -> None:
        """Until nobody has the other end open any more: children may print for longer than the run goes on."""
        is_stopping = False
        while True:
            found, _, _ = select.select(
                [self._source, self._stop][: 2 - is_stopping], [], [], REST if is_stopping else None
            )
            if self._stop in found:  # not by its end: forked children may hold the other one open
                is_stopping = True
            elif not found:
                self._is_drained.set()
            if self._source in found and not self._pass_piece():
                break
        self._is_drained.set()
        self.close()

    def _pass_piece(self) -> bool:
        """Take what has come and pass it on; False at its end."""
        try:
            data = os.read(self._source, PIECE)
        except OSError:  # EIO: nobody has the pseudo-terminal open any more
            return False
        self._fit()
        _write_all(self._target, data)
        text = self._decoder.decode(data)
        for console in _redirected:
            console.take(self._stream, text)
        return bool(data)

    def restore(self) -> None:
        """Let the descriptors be what they were, once all that was written has been passed on."""
        for descriptor in self._descriptors:
            os.dup2(self._target, descriptor)
        self._is_terminal = False
        os.write(self._stopped, b".")  # first: the thread lets go of it all once the sink has no end
        self._held.remove(self._sink)
        os.close(self._sink)
        self._is_drained.wait(MAX_REST)

    def close(self) -> None:
        """Let go of what the thread, or a forked child, holds."""
        while self._held:
            with contextlib.suppress(OSError):
                os.close(self._held.pop())


def _pseudo_terminal(like: int) -> tuple[int, int]:
    """A pseudo-terminal that leaves what is written as it is, for the real one makes of it what it always did.

    Returns:
        The descriptor to read from and the one to write to.
    """
    import pty
    import termios

    source, sink = pty.openpty()
    with contextlib.suppress(termios.error):
        settings = termios.tcgetattr(like)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(sink, termios.TCSANOW, settings)
    return source, sink


def _write_all(descriptor: int, data: bytes) -> None:
    """As the process itself would: wait for a slow reader, pass over one that is gone."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _redirect() -> None:
    global _redirections, _buffered
    _flush_streams()
    names = {1: "stdout", 2: "stderr"}
    channels: list[tuple[int, ...]] = [(number,) for number in names if _is_open(number)]
    if len(channels) == 2 and os.path.sameopenfile(1, 2):
        channels = [(1, 2)]  # of one terminal or file, or the order of what is printed there could become another
    made: list[_Redirection] = []
    try:
        for channel in channels:
            made += [_Redirection(channel, names[channel[0]])]
    except OSError:
        for redirection in made:
            redirection.restore()
        raise
    _redirections = tuple(made)
    if getattr(sys.stdout, "line_buffering", True) is False:  # a pipe or file: by lines it is heard in time
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            _buffered = sys.stdout


def _restore() -> None:
    global _redirections, _buffered
    _flush_streams()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        _buffered.reconfigure(line_buffering=False)
    _buffered = None
    for redirection in _redirections:
        redirection.restore()
    _redirections = ()
