"""Wakes the dashboard when files of this machine change.

File system events are only hints that it is time to look. Where there are none (network file systems, a watch limit
that is reached) the dashboard's own steady look carries on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Final

from tracker.catalog import Catalog
from tracker.lookout import Lookout

STEP: Final = 25
DEBOUNCE: Final = 75
"""Milliseconds over which events are gathered: `STEP` after the last one, `DEBOUNCE` at most."""
RETRY: Final = 1.0
"""Seconds until a missing root or a failed watch is tried again."""


async def listen(catalog: Catalog, wake: asyncio.Event) -> None:
    """Set `wake` whenever something changes below a root, here or on another machine. Never returns."""
    if isinstance(catalog.files, Lookout):
        await watch(catalog.root, lambda: frozenset(key.project for key in catalog.runs), wake)
    loop = asyncio.get_running_loop()

    def come() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(wake.set)

    catalog.files.wake = come
    wake.set()  # for what has come before
    await loop.create_future()


async def watch(root: str, projects: Callable[[], frozenset[str]], wake: asyncio.Event) -> None:
    """Set `wake` whenever something changes in the root or in one of its projects' folders. Never returns.

    Args:
        root: the folder of projects; it may not exist yet.
        projects: the names of the projects known now; a new one is watched from then on.
        wake: what to set.
    """
    from watchfiles import awatch  # costly: loaded once the first frame is on the screen

    while True:
        known = projects()
        folders = [folder for folder in (root, *(os.path.join(root, name) for name in known)) if _can_watch(folder)]
        stop = asyncio.Event()
        has_failed = False
        watcher = asyncio.create_task(_until_changed(projects, known, stop))
        try:
            if folders:
                async for _ in awatch(
                    *folders, recursive=False, step=STEP, debounce=DEBOUNCE, stop_event=stop, watch_filter=None
                ):
                    wake.set()
        except Exception:  # a watch limit, a folder that vanished, a name that is no UTF-8: the steady look carries on
            has_failed = True
        finally:
            watcher.cancel()
        await asyncio.sleep(0 if stop.is_set() and not has_failed else RETRY)


def _can_watch(folder: str) -> bool:
    """A folder that is there and whose name is UTF-8, as the watcher's language wants it."""
    try:
        folder.encode()
    except UnicodeEncodeError:
        return False
    return os.path.isdir(folder)


async def _until_changed(projects: Callable[[], frozenset[str]], known: frozenset[str], stop: asyncio.Event) -> None:
    while projects() == known:
        await asyncio.sleep(0.25)
    stop.set()
