"""Starting the threads that help a run, of which a process may be allowed no more."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any


def start(name: str, target: Callable[..., None], *arguments: Any) -> None:
    """Start a thread that does not keep the process from ending.

    Raises:
        OSError: the system has no more of them.
    """
    try:
        threading.Thread(target=target, args=arguments, name=f"tracker-{name}", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
