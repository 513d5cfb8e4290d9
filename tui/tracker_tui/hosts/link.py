"""The files of runs on another machine: what `tracker.lookout.Lookout` tells here, told by one over ssh.

A thread of its own speaks with the far side (`far`), so that a slow link delays the picture and never a key. It keeps
what has come until somebody reads it; the far side sends no more than a few megabytes ahead. When the link dies it is
opened again and goes on where the last one ended. What comes over it is somebody else's: every part is checked.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tracker.folders import MAX_DEPTH, FolderFile, Part
from tracker.lookout import Edit, Known, Place, Sight
from tracker.records import Record, clean
from tracker_tui.hosts import checked, ssh
from tracker_tui.hosts.address import Address
from tracker_tui.hosts.session import ASKED_ANEW, LinkError, Session
from tracker_tui.hosts.streams import FarLines, FarPages
from tracker_tui.sources import Sources

STEADY: Final = 5.0
"""Seconds after which a link was no accident: when it is lost, it is tried again at once."""
WAITS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before the tries to open a link again; the last from then on."""
LAST_WORD: Final = 3.0
"""Seconds for which the end of a process that asked is waited for."""
ANSWER: Final = 15.0
"""Seconds that an answer may take."""
OWED: Final = 1 << 16
"""Bytes that are read before the far side is told."""
MAX_UNREAD: Final = 64 * 1024 * 1024
"""Bytes that wait to be read; the far side stops far below."""
MAX_FILES: Final = 1_000_000


class Link:
    """The runs below a folder of another machine, of one project there, or of one journal.

    Args:
        address: where.
        options: how to call ssh.
        is_project: the path is a project's folder.
        may_remove: whether `remove` may be asked for; else the far side writes nothing but edits.

    Raises:
        ValueError: the options are of no use.
    """

    is_far = True

    def __init__(
        self, address: Address, options: ssh.Ssh = ssh.PLAIN, is_project: bool = False, may_remove: bool = False
    ) -> None:
        self.address = address
        self.root = address.at(address.path)
        """The folder of projects, as a user would say it; at first as the user did."""
        self.wake: Callable[[], None] | None = None
        """Called, in the link's thread, when something has come or the link's state is another."""
        self.clock = 0.0
        """Seconds that the clock there is ahead of the one here."""
        self.heard = 0.0
        """When something came last, by the monotonic clock."""
        self.trouble = ""
        """Why there is no link now; empty while there is."""
        self.unanswered = 0
        """How often something was to be done and it was not told whether it was."""
        self.next_try = 0.0
        """When it is tried again, by the monotonic clock."""
        options.command(address, may_ask=True)  # raises where they are of no use
        self._options = options
        self._request: dict[str, Any] = {"path": address.path, "is_project": is_project, "may_remove": may_remove}
        self.needs_asking = False
        """Whether a try since it was lost failed because nobody could be asked: for a password, or about a key."""
        self._may_ask = True
        self._is_asking = False
        """Whether there is a process that may ask, or give the terminal back after it has."""
        self._changed = threading.Condition()
        self._is_closing = False
        self._is_open = False
        self._opened_at = 0.0
        self._refusal = ""
        self._is_complete = False
        self._session = 0
        self._owed = 0
        self._unread = 0
        self._sights: deque[tuple[Sight, int]] = deque()
        self._known: dict[Place, Known] = {}
        self._folders: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._streams: dict[int, FarLines] = {}
        self._answers: dict[int, tuple[Any, str] | None] = {}
        self._deflate = zlib.compressobj()
        self._out = bytearray()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name=f"ssh {address.host}", daemon=True)

    # ---- for whoever reads ----

    def start(self) -> None:
        """Begin to open the link; passwords are asked for on the terminal."""
        if sys.stderr.isatty():  # taken back once there is a link
            sys.stderr.write(f"connecting to {clean(self.machine)} … ")
            sys.stderr.flush()
        self._thread.start()

    def connect(self) -> None:
        """Wait until the link is open.

        Raises:
            LinkError: it cannot be opened; it is tried again until it is closed.
        """
        with self._changed:
            while not self._is_open and not self.trouble:
                self._changed.wait(0.1)  # a time limit lets Ctrl-C through
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if self.trouble:
            raise LinkError(self.trouble)

    def close(self) -> None:
        """End the link, once edits under way are answered."""
        with self._changed:
            self._changed.wait_for(lambda: not self._answers or not self._is_open, 2.0)
            self._is_closing = True
            self._changed.notify_all()
        self._poke()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def try_now(self) -> None:
        """Do not wait any longer before opening the link again."""
        self.next_try = 0.0
        self._poke()

    def ask_now(self) -> None:
        """Open the link again, with questions on the terminal, which is free again in the end.

        Ssh gives the terminal back as it found it, also after Ctrl-C: not later than whoever takes it next.

        Raises:
            LinkError: it cannot be opened, or the user will not be asked any further.
        """
        with self._changed:
            self._refusal = ""
            self._may_ask = True  # ends the try that is under way
        self.try_now()
        refusal = ""
        try:
            with self._changed:
                while not self._is_open and not self._refusal:
                    self._changed.wait(0.1)
        except KeyboardInterrupt:
            refusal = "not asked any further"
        with self._changed:  # whatever came of it, no later try asks by itself
            self._may_ask, self._refusal = False, refusal or self._refusal
            self._changed.wait_for(lambda: self._is_open or not self._is_asking, LAST_WORD)
        if not self._is_open:
            raise LinkError(refusal or self._refusal)

    @property
    def is_behind(self) -> bool:
        return bool(self._sights)

    @property
    def left(self) -> int:
        """It is not told how many files wait there."""
        return 0

    @property
    def is_complete(self) -> bool:
        return self._is_complete and not self._sights

    def wait(self) -> None:
        """Until something has come.

        Raises:
            LinkError: the link is gone.
        """
        with self._changed:
            self._changed.wait(0.1)
            if not self._is_open and not self._sights:
                raise LinkError(self.trouble or f"the link to {self.machine} is gone")

    def look(self, seconds: float | None = None, pause: float = 0.0) -> Iterator[Sight]:
        """What has come; as `Lookout.look`."""
        start = time.monotonic()
        while self._sights and (seconds is None or time.monotonic() - start <= seconds):
            sight, session = self._sights.popleft()
            self.got(len(sight.data), session)
            yield sight
            if pause:
                time.sleep(pause)

    def lines(self, project: str, name: str, offset: int = 0, thin: int = 0) -> FarLines:
        number = next(self._numbers)
        with self._changed:  # a link that is opened meanwhile follows it or this does, not both
            lines = self._streams[number] = FarLines(self, number, (project, name), offset, thin)
            self._tell("follow", **lines.request())
        return lines

    def pages(self, project: str, name: str) -> FarPages:
        return FarPages(self, (project, name))

    def folder_files(self, project: str, folder: str, depth: int = MAX_DEPTH) -> list[FolderFile] | None:
        """The files below a folder there.

        Raises:
            OSError, ValueError: there is no answer, or none that is understood.
        """
        return checked.files(self.ask("folder_files", project, folder, depth), folder)

    def read_part(self, project: str, path: str, offset: int, most: int) -> Part:
        """A piece of a file there; no answer is trouble like any other."""
        try:
            return checked.part(self.ask("read_part", project, path, offset, most), most)
        except OSError as error:
            return Part(b"", 0, clean(error))
        except ValueError:
            return Part(b"", 0, f"what {self.machine} said is not understood")

    def forget(self, number: int) -> None:
        """No more lines of this number."""
        if self._streams.pop(number, None) is not None:
            self._tell("close", stream=number)

    def got(self, size: int, session: int) -> None:
        """Bytes that came in a session were read: as many more may come; told when they are many."""
        with self._changed:
            self._unread -= size
            if session != self._session:  # the far side of another one knows nothing of it
                return
            self._owed += size
            if self._owed >= OWED:
                self._tell("got", size=self._owed)
                self._owed = 0

    def append_edits(self, edits: Sequence[Edit]) -> Sequence[tuple[Record | None, str]]:
        answer, trouble = self._ask("append_edits", [list(edit) for edit in edits])
        written = [checked.written(each) for each in answer] if isinstance(answer, list) else []
        return written if len(written) == len(edits) else [(None, trouble or checked.NOT_UNDERSTOOD)] * len(edits)

    def why_not_editable(self, project: str) -> str:
        return self._why_not() or self._folders.get(project, "")

    def stop(self, project: str, name: str) -> str:
        answer, trouble = self._ask("stop", project, name)
        return trouble or (clean(answer) if isinstance(answer, str) else checked.NOT_UNDERSTOOD)

    def remove(self, project: str, names: Sequence[str]) -> str:
        answer, trouble = self._ask("remove", project, list(names))
        return trouble or (clean(answer) if isinstance(answer, str) else checked.NOT_UNDERSTOOD)

    def sweep(self, project: str, going: list[list[str]], is_rehearsal: bool) -> tuple[int, int, str]:
        answer, trouble = self._ask("sweep", project, going, is_rehearsal, is_change=not is_rehearsal)
        return (0, 0, trouble) if trouble else checked.swept(answer)

    def _why_not(self) -> str:
        if self._is_open:
            return ""
        return f"there is no connection to {self.machine} now"

    def _ask(self, what: str, *args: Any, is_change: bool = True) -> tuple[Any, str]:
        """The far side's answer and "", or None and why there is none; a change may have been made all the same."""
        number = next(self._numbers)
        with self._changed:
            if why_not := self._why_not():
                return None, why_not
            self._answers[number] = None
            self._tell("ask", number=number, what=what, args=list(args))
            self._changed.wait_for(
                lambda: self._answers[number] is not None or not self._is_open or self._is_closing, ANSWER
            )
            answer = self._answers.pop(number)
            self.unanswered += is_change and answer is None
            self._changed.notify_all()
        unsure = ": whether it was done shows when it is back" if is_change else ""
        return answer or (None, f"{self.machine} did not answer{unsure}")

    def ask(self, what: str, *args: Any) -> Any:
        """The far side's answer to a question of what is in its files.

        Raises:
            LinkError: there is none.
        """
        answer, trouble = self._ask(what, *args, is_change=False)
        if trouble:
            raise LinkError(trouble)
        return answer

    # ---- the link's own thread ----

    def _tell(self, op: str, **request: Any) -> None:
        with self._changed:
            if not self._is_open and op != "open":  # told anew when it is open again
                return
            line = json.dumps({"op": op, **request}).encode() + b"\n"
            self._out += self._deflate.compress(line) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._poke()

    def _poke(self) -> None:
        with contextlib.suppress(OSError):  # the pipe is full: the thread is awake as it is
            os.write(self._wake_write, b".")

    def notify(self) -> None:
        """Something has come, or the link's state is another."""
        with self._changed:
            self._changed.notify_all()
        if self.wake is not None:
            self.wake()

    def _run(self) -> None:
        tries = 0
        is_stuck = False
        while not self._is_closing:
            with self._changed:
                may_ask, self._may_ask = self._may_ask, False
                self._is_asking = may_ask
                self._refusal = ""
            command = self._options.command(self.address, may_ask, is_fresh=is_stuck)
            session = Session(self, command, may_ask)
            try:
                session.run()
            except (LinkError, OSError) as error:
                reason = str(error)
            except Exception as error:  # what came is not what the far side says
                reason = f"{self.machine} said what is not understood ({clean(type(error).__name__)})"
            else:
                reason = "closed"
            is_stuck = session.was_silent and not is_stuck
            was_steady = self._is_open and time.monotonic() - self._opened_at > STEADY
            tries = 0 if was_steady else tries + 1
            with self._changed:
                self._refusal = reason if may_ask and not self._may_ask else ""  # who asks anew waits for another
                self._is_open = self._is_complete = False
                self.next_try = time.monotonic() + WAITS[min(tries, len(WAITS) - 1)]
                self.trouble = reason if reason != ASKED_ANEW or not self.trouble else self.trouble
                self.needs_asking |= session.was_refused
            self.notify()
            session.end()
            with self._changed:
                self._is_asking = False
                self._changed.notify_all()
            while not self._is_closing and not self._may_ask and (wait := self.next_try - time.monotonic()) > 0:
                self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        if select.select([self._wake_read], [], [], seconds)[0]:
            os.read(self._wake_read, 4096)

    # ---- what a session says and hears ----

    @property
    def machine(self) -> str:
        """User and host."""
        return self.address.machine

    @property
    def is_closing(self) -> bool:
        return self._is_closing

    @property
    def is_open(self) -> bool:
        return self._is_open

    def is_asked_anew(self, may_ask: bool) -> bool:
        """Whether a try that may ask on the terminal, or may not, makes way for another one that may, or for none."""
        return (self._may_ask and not self._is_open) or (may_ask and bool(self._refusal))

    @property
    def wake_descriptor(self) -> int:
        """Becomes readable when there is something to send, or to do."""
        return self._wake_read

    def begin(self) -> None:
        """The first words of a session, but for the program."""
        known = [[*place, *known] for place, known in self._known.items()]
        with self._changed:
            self._session += 1
            self._owed = 0
            self._deflate = zlib.compressobj()
            self._out = bytearray(ssh.program())
        self._tell("open", **self._request, known=known)

    def take_out(self) -> bytearray:
        """What is to be sent."""
        return self._out

    def sent(self, size: int) -> None:
        """So much of it was."""
        with self._changed:
            del self._out[:size]

    def explain(self, code: int | None, said: str, noise: str) -> str:
        """As `ssh.explain`."""
        return ssh.explain(self.address, code, said, noise, self._options.python)

    def ping(self) -> None:
        self._tell("ping")

    def hear(self, meta: dict[str, Any], data: bytes) -> None:
        """A frame has come; `notify` is called after the last of several.

        Raises:
            Exception: any, if it is none that the far side would send.
        """
        with self._changed:
            self._unread += len(data)
        if self._unread > MAX_UNREAD or len(self._sights) > MAX_FILES:
            raise ValueError("more than was asked for")
        if "see" in meta:
            self._see(meta["see"], data)
        elif "lines" in meta:
            stream = self._streams.get(meta["lines"])
            if stream is None:
                self.got(len(data), self._session)
            else:
                stream.take(meta["as"], data, self._session)
        elif "answer" in meta:
            answer = [data, meta["answer"]] if meta.get("has_data") is True else meta["answer"]
            with self._changed:
                if meta["number"] in self._answers:
                    self._answers[meta["number"]] = answer, clean(meta["trouble"])
            self.got(len(data), self._session)
        elif "complete" in meta:
            self._is_complete = meta["complete"] is True
        elif "folders" in meta:
            self._folders = checked.folders(meta["folders"])
        elif "hello" in meta:
            now = checked.moment(meta["now"])
            ahead = now - time.time() if now else 0.0
            self.clock = ahead if abs(ahead) > 2 else 0.0  # less is the way here
        elif "opened" in meta:
            self._opened(str(meta["opened"]), str(meta["trouble"]))
        elif "root" in meta:
            self.root = clean(self.address.at(str(meta["root"])), 4096)

    def _opened(self, path: str, trouble: str) -> None:
        if trouble:
            where = clean(self.address.at(path))
            raise LinkError(
                {
                    "missing": f"there is no folder {clean(path)} on {self.machine}: name one there",
                    "no folder": f"{where} is neither a folder nor a run's file",
                }.get(trouble, f"{where} is {clean(trouble)} for the user there")
            )
        self.root = clean(self.address.at(path), 4096)
        with self._changed:
            self._is_open = True
            self._opened_at = time.monotonic()
            self.trouble, self.needs_asking = "", False
            for stream in list(self._streams.values()):
                self._tell("follow", **stream.request())

    def _see(self, parts: list[Any], data: bytes) -> None:
        sight = checked.sight(parts, data)
        if sight.gone:
            self._known.pop(sight[:2], None)
        else:
            self._known[sight[:2]] = Known(sight.offset, sight.mark, sight.ended, sight.mtime)
        if len(self._known) > MAX_FILES:
            raise ValueError("endless list")
        self._sights.append((sight, self._session))


def links_of(sources: Sources) -> list[Link]:
    """The links among the roots that runs come from."""
    return [catalog.files for catalog in sources.catalogs.values() if isinstance(catalog.files, Link)]
