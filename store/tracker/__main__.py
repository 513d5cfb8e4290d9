"""`python -m tracker [-m MODULE | -c CODE | SCRIPT | -] ...`: run a program as `python` would, `wandb` being tracker.

    python -m tracker train.py --lr 0.1
    python -m tracker -m torch.distributed.run --nproc-per-node 2 train.py

SCRIPT may be a folder or zip file with a `__main__.py`, `-` is standard input. Python's own options go before:
`python -u -m tracker train.py`. The program need not be changed, and neither it nor a framework that it uses need know
of tracker. Processes that it starts with this environment are reached too: workers of data loaders, launchers.

Without a program it prints this.
"""

from __future__ import annotations

import builtins
import io
import os
import pkgutil
import runpy
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any

from tracker import _exit, standin
from tracker.layout import CHILDREN

OWN = (__file__, runpy.__file__, "<frozen runpy>")
"""Files whose frames stand above those of the program in its tracebacks."""


def main() -> None:
    """Run what the command line names, in place of this module."""
    kind, *rest = sys.argv[1:] or [""]
    if kind in ("", "-h", "--help") or (kind in ("-c", "-m") and not rest):
        print((__doc__ or "").strip(), file=sys.stdout if kind in ("-h", "--help") else sys.stderr)
        raise SystemExit(0 if kind in ("-h", "--help") else 2)
    if kind.startswith("-") and kind not in ("-", "-c", "-m"):
        print(f"{kind}: Python's own options go before: python {kind} -m tracker ...", file=sys.stderr)
        raise SystemExit(2)
    standin.as_wandb()
    _tell_children()
    sys.excepthook = _Trimmed(sys.excepthook)
    try:
        if kind == "-m":
            sys.argv = ["-m", *rest[1:]]
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv = ["-c", *rest[1:]]
            _set_path("")
            _run(compile(rest[0], "<string>", "exec", dont_inherit=True))
        elif kind == "-":
            sys.argv = ["-", *rest]
            _set_path("")
            _run(compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True))
        elif pkgutil.get_importer(kind) is not None:
            sys.argv = [kind, *rest]
            _set_path(kind)
            runpy.run_path(kind, run_name="__main__")
        else:
            sys.argv = [kind, *rest]
            _set_path(os.path.dirname(os.path.realpath(kind)))
            _run(_compiled(kind), __file__=os.path.abspath(kind))
    except SystemExit as leaving:
        if _exit.listener is not None:  # a bare `raise SystemExit(n)` is heard here
            _exit.listener(leaving.code)
        raise


def _compiled(script: str) -> CodeType:
    try:
        with io.open_code(os.path.abspath(script)) as file:
            return compile(file.read(), os.path.abspath(script), "exec", dont_inherit=True)
    except OSError as error:
        print(f"{sys.executable}: can't open file {os.path.abspath(script)!r}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _run(code: CodeType, **facts: Any) -> None:
    """Run code as the main module, which stays that until the process ends."""
    program = sys.modules["__main__"] = ModuleType("__main__")
    vars(program).update(facts, __builtins__=builtins)
    exec(code, vars(program))


def _set_path(folder: str) -> None:
    """Put the program's folder where Python puts it: first."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _tell_children() -> None:
    """Let processes that are started from here find the stand-in, by the environment or by a copy of `sys.path`."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if CHILDREN not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([CHILDREN, *paths])
    if CHILDREN not in sys.path:
        sys.path.insert(0 if sys.flags.safe_path else 1, CHILDREN)


class _Trimmed:
    """`sys.excepthook`, but that tracebacks begin with the program's own frames."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_code.co_filename in OWN:
            trace = trace.tb_next
        self._shown(kind, error.with_traceback(trace), trace)


if __name__ == "__main__":
    main()
