"""What a TensorBoard `SummaryWriter` writes becomes rows of the run: `init(sync_tensorboard=True)`, or `patch()`.

The writers of torch and tensorboardX, and TensorFlow 1's, are Python: what they are given is logged at that moment.
TensorFlow 2 writes from C++, so a thread reads its files as they grow; it is asked to write every second.

Values of one TensorBoard step are one row, which has that step as `global_step`, and metrics are drawn over it. The
run's own steps count the rows: TensorBoard's may go back, and each of its tags has its own.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, BinaryIO, Final

from tracker import _run, layout, threads
from tracker._run import Run
from tracker.foreign.events import Event, EventReader

STEP: Final = "global_step"
"""The metric that all others are drawn over, as W&B calls it."""
LOOK: Final = 1.0
"""Seconds between two looks at TensorFlow's files, and between two of its writes."""
CHUNK: Final = 1 << 20
PARTS: Final = ("train", "validation", "val", "test", "eval")
"""Names of folders that tell what is in them, even where there is no other."""

Hooked = tuple[Any, str, Callable[[Callable[..., object]], Callable[..., object]]]
"""What has an attribute, its name, and what makes another of it."""

_HPARAMS_RUN: Final = re.compile(r"\d{9,}(\.\d+)?")
"""The folder that `add_hparams` makes: a time."""


def patch(
    save: bool = True,  # noqa: ARG001 - W&B's
    tensorboard_x: bool | None = None,  # noqa: ARG001
    pytorch: bool | None = None,  # noqa: ARG001
    root_logdir: str = "",
) -> None:
    """From now on log what TensorBoard writers write, to the run that is current then.

    Writers may exist already, and their libraries may be imported later. Where several folders are written to, a tag
    begins with the path of its folder: below `root_logdir`, else below the folder that those have in common. A first
    folder that is called `train` or `validation` is taken for one of several.

    Args:
        save: W&B's, for copies of the files: none are made.
        tensorboard_x: W&B's, as the next one is: every library is listened to.
        pytorch: see above.
        root_logdir: the folder that paths are told from.
    """
    _patched.root = os.path.abspath(root_logdir) if root_logdir else ""
    _patched.start()


def unpatch() -> None:
    """Undo `patch`."""
    _patched.stop()


def sync(run: Run) -> None:
    """Log what TensorBoard writers write to this run."""
    _patched.asked = run
    _patched.start()


class RowLog:
    """Logs events to one run."""

    def __init__(self, run: Run, root: str) -> None:
        self.run = run
        self._root = root
        self._lock = threading.RLock()  # a signal may end the run within it
        self._prefixes: dict[str, str] = {}
        self._defined: set[str] = set()
        self._at: int | None = None
        """The run's step of the last row."""
        self._step: int | None = None
        """TensorBoard's."""
        self._in_row: set[str] = set()

    def log(self, folder: str, event: Event) -> None:
        """Log the values of an event that was written to a folder."""
        with self._lock:
            if event.config:
                self.run.config.update(event.config, allow_val_change=True)
            prefix = self._prefix(os.path.abspath(folder))
            values = {prefix + tag: value for tag, value in event.values.items()}
            if STEP in values:  # which the row has of its own
                values[f"_{STEP}"] = values.pop(STEP)
            if not values:
                return
            for name in values.keys() - self._defined:
                self._define(name, values[name])
            step = self.run.step
            if step == self._at and (event.step != self._step or self._in_row & values.keys()):
                step += 1
            if step != self._at:
                self._in_row.clear()
            self.run.log({STEP: event.step, **values}, step=step if step > self.run.step else None, commit=False)
            self._at, self._step = step, event.step
            self._in_row |= values.keys()

    def _define(self, name: str, value: object) -> None:
        self._defined.add(name)
        if isinstance(value, (int, float)) and self.run._state.metrics.of(name) is None:
            self.run.define_metric(name, step_metric=STEP, step_sync=False)

    def _prefix(self, folder: str) -> str:
        """What the tags of a folder begin with; never another once it was used."""
        if folder not in self._prefixes:
            self._note(folder)
            above, name = os.path.split(folder)
            is_hparams = above in self._prefixes and _HPARAMS_RUN.fullmatch(name)
            self._prefixes[folder] = self._prefixes[above] if is_hparams else self._path_below(folder)
        return self._prefixes[folder]

    def _note(self, folder: str) -> None:
        """Say in the project's folder that this run has what is logged there."""
        line = f"{os.path.basename(self.run.file)}\t{folder}\n".encode("utf-8", "surrogateescape")
        if not self.run.disabled and b"\n" not in line[:-1]:
            with (
                suppress(OSError),
                open(os.path.join(os.path.dirname(self.run.file), layout.SYNCED), "ab", buffering=0) as file,
            ):
                file.write(line)

    def _path_below(self, folder: str) -> str:
        above = max((known for known in self._prefixes if folder.startswith(known + os.sep)), key=len, default="")
        if not self._root and above:
            return self._prefixes[above] + _relative(folder, above)
        if self._root or self._prefixes:
            return _relative(folder, self._root or os.path.commonpath([*self._prefixes, folder]))
        return f"{os.path.basename(folder)}/" if os.path.basename(folder) in PARTS else ""


def _relative(folder: str, root: str) -> str:
    """A folder's path below another, to begin names with; empty for that itself and for what lies elsewhere."""
    path = os.path.relpath(folder, root)
    return "" if path == os.curdir or path.startswith(os.pardir) else path.replace(os.sep, "/") + "/"


def _safely(do: Callable[..., object], *arguments: Any) -> None:
    """Do it; training goes on, whatever a foreign library holds ready."""
    try:
        do(*arguments)
    except Exception as error:
        _patched.tell(error)


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:  # there is none yet
        return set()


def _text(value: Any) -> str:
    """Of a string, or of a tensor with one; empty of one whose value is not known yet."""
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else ""


class Follower:
    """Reads the files of one TensorFlow writer as they grow, in a thread.

    Args:
        folder: where the writer writes.
        suffix: how the names of its files end.
        before: the names that were there before it.
        flush: makes it write what it holds.
    """

    def __init__(self, folder: str, suffix: str, before: set[str], flush: Callable[[], object]) -> None:
        self._folder, self._suffix, self._before, self._flush = folder, suffix, before, flush
        self._files: dict[str, tuple[BinaryIO, EventReader]] = {}
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        threads.start("tensorboard", self._follow)

    def _follow(self) -> None:
        while not self._is_over.wait(LOOK):
            _safely(self.look)
        for file, _ in self._files.values():
            file.close()

    def look(self) -> None:
        """Log what has come."""
        with self._lock:
            for name in sorted(_names(self._folder) - self._before - self._files.keys()):
                if f".{os.getpid()}." in name and name.endswith(self._suffix):
                    self._files[name] = open(os.path.join(self._folder, name), "rb"), EventReader()  # noqa: SIM115
            for file, reader in self._files.values():
                while data := file.read(CHUNK):
                    for event in reader.feed(data):
                        _patched.log(self._folder, event)

    def finish(self) -> None:
        """Log the rest."""
        _safely(self._flush)
        _safely(self.look)

    def stop(self) -> None:
        """Read no further."""
        self._is_over.set()


class _Patch:
    """The hooks in TensorBoard's libraries; as a finder of modules it hooks those that are imported later."""

    def __init__(self) -> None:
        self.root = ""
        self._reader = EventReader()
        self.asked: Run | None = None
        """The run that was begun with `sync_tensorboard=True` last."""
        self._log: RowLog | None = None
        self._undo: list[Callable[[], None]] = []
        self._followers: list[Follower] = []

    def start(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
            for name in HOOKS:
                if name in sys.modules:
                    _safely(self._hook, sys.modules[name])

    def stop(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for undo in self._undo:
            undo()
        for follower in self._followers:
            follower.stop()
        self._undo, self._followers, self.asked, self._log = [], [], None, None

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find one of the libraries as others would, and hook it when it is there."""
        if name not in HOOKS:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_hook(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    _safely(self._hook, module)

            spec.loader.exec_module = execute_and_hook  # type: ignore[method-assign]
        return spec

    def _hook(self, module: ModuleType) -> None:
        owner, name, wrapped = HOOKS[module.__name__](module)
        original = getattr(owner, name)
        setattr(owner, name, functools.wraps(original)(wrapped(original)))
        self._undo.append(lambda: setattr(owner, name, original))

    def row_log(self) -> RowLog | None:
        """What logs to the run that listens now."""
        run = self.asked if self.asked is not None and not self.asked.is_over else _run.current
        if run is None or run.is_over:
            return None
        if self._log is None or self._log.run is not run:
            self._log = RowLog(run, self.root)
            run._at_end(self._finish)
        return self._log

    def take(self, folder: str, data: bytes) -> None:
        """Log an event as a writer has encoded it."""
        event = self._reader.parse(data)
        if event is not None:
            self.log(folder, event)

    def log(self, folder: str, event: Event) -> None:
        log = self.row_log()
        if log is not None:
            log.log(folder, event)

    def follow(self, follower: Follower) -> None:
        self._followers.append(follower)
        self.row_log()  # whose end must wait for it

    def tell(self, error: Exception) -> None:
        """Warn of trouble, once a run."""
        if self._log is not None:
            self._log.run._warn("tensorboard", f"not all of what TensorBoard is told is logged ({error})")

    def _finish(self) -> None:
        for follower in self._followers:
            follower.finish()


def _hooked_class(module: ModuleType) -> Hooked:
    """The writers that are Python: each event goes through one method."""

    def wrapped(add_event: Callable[..., object]) -> Callable[..., object]:
        def add(self: Any, event: Any, *others: Any, **options: Any) -> object:
            result = add_event(self, event, *others, **options)
            _safely(lambda: _patched.take(str(self.get_logdir()), event.SerializeToString()))
            return result

        return add

    return module.EventFileWriter, "add_event", wrapped


def _hooked_maker(module: ModuleType) -> Hooked:
    """TensorFlow 2: one function makes every writer."""

    def wrapped(create: Callable[..., object]) -> Callable[..., object]:
        def create_and_follow(writer: Any, **options: Any) -> object:
            folder, suffix = _text(options.get("logdir")), _text(options.get("filename_suffix"))
            if not folder:  # a graph, which makes the writer when it is run
                return create(writer, **options)
            before = _names(folder)
            result = create(writer, **options | {"flush_millis": int(LOOK * 1000)})
            held = weakref.ref(writer)  # it writes all when nobody holds it any more

            def flush() -> None:
                if (there := held()) is not None:
                    module.flush_summary_writer(there)

            _safely(lambda: _patched.follow(Follower(folder, suffix, before, flush)))
            return result

        return create_and_follow

    return module, "create_summary_file_writer", wrapped


HOOKS: Final[dict[str, Callable[[ModuleType], Hooked]]] = {
    "tensorboard.summary.writer.event_file_writer": _hooked_class,
    "tensorboardX.event_file_writer": _hooked_class,
    "tensorflow.python.summary.writer.event_file_writer": _hooked_class,
    "tensorflow.python.ops.gen_summary_ops": _hooked_maker,
}
"""By the module that has it: what is replaced, and by what. torch writes through the first."""

_patched: Final = _Patch()
