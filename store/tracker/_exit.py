"""Hears `sys.exit`, which leaves no other trace of its argument for an exit hook to find.

Loaded by `import tracker` itself: in `sys.exit(main())` Python looks `sys.exit` up before `main` calls `init`. A bare
`raise SystemExit(n)` outside of `with`, and a `from sys import exit` before `import tracker`, are not heard.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any, NoReturn

listener: Callable[[object], None] | None = None
"""Called with the argument of every `sys.exit`, `exit` and `quit`, before the exception is raised."""


def _heard(function: Callable[[Any], NoReturn]) -> Callable[[Any], NoReturn]:
    def leave(code: Any = None, /) -> NoReturn:
        if listener is not None:
            listener(code)
        function(code)

    leave.__doc__ = function.__doc__
    return leave


sys.exit = _heard(sys.exit)  # type: ignore[assignment]
for _name in ("exit", "quit"):  # `site` may not have put them there
    if hasattr(builtins, _name):
        setattr(builtins, _name, _heard(getattr(builtins, _name)))
