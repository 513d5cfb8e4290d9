"""Wakes the dashboard when files of this machine grow.

File system events are only hints that it is time to look: the dashboard's own steady look carries on without them. So
nothing is watched but the folders of projects in which runs are going on, nothing on a network file system, whose
events tell of this machine's writing alone, and nobody is told where there are none: rows are a quarter of a second
later then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Final

from tracker import host
from tracker.catalog import Catalog
from tracker.lookout import Lookout

STEP: Final = 25
DEBOUNCE: Final = 75
"""Milliseconds over which events are gathered: `STEP` after the last one, `DEBOUNCE` at most."""
RETRY: Final = 1.0
MAX_RETRY: Final = 60.0
"""Seconds until a watch that failed is tried again: at first, and after it has failed again and again."""


async def listen(catalog: Catalog, wake: asyncio.Event) -> None:
    """Set `wake` whenever something changes below a root, here or on another machine. Never returns."""
    if isinstance(catalog.files, Lookout) and not host.is_network(catalog.root):
        await watch(catalog.files, wake)
    loop = asyncio.get_running_loop()

    def come() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(wake.set)

    catalog.files.wake = come
    wake.set()  # for what has come before
    await loop.create_future()


async def watch(files: Lookout, wake: asyncio.Event) -> None:
    """Set `wake` whenever something changes in the folder of a project that has a run going on. Never returns."""
    retry = RETRY
    while True:
        projects = files.live_projects
        folders = filter(_can_watch, (os.path.join(files.root, project) for project in projects))
        stop = asyncio.Event()
        watcher = asyncio.create_task(_until_changed(files, projects, stop))
        try:
            await _wake_until(stop, list(folders), wake)
            retry = RETRY
        except Exception:  # a limit of the system, a folder that vanished: the steady look carries on
            await asyncio.sleep(retry)
            retry = min(2 * retry, MAX_RETRY)
        finally:
            watcher.cancel()


async def _wake_until(stop: asyncio.Event, folders: list[str], wake: asyncio.Event) -> None:
    """Set `wake` at every event until `stop` is set.

    Raises:
        Exception: whatever the watcher cannot do.
    """
    if folders:
        from watchfiles import awatch  # costly: loaded with the first run that is going on

        async for _ in awatch(
            *folders, recursive=False, step=STEP, debounce=DEBOUNCE, stop_event=stop, watch_filter=None
        ):
            wake.set()
        if not stop.is_set():
            raise OSError("the watch has ended")
    await stop.wait()


def _can_watch(folder: str) -> bool:
    """A folder that is there and whose name is UTF-8, as the watcher's language wants it."""
    try:
        folder.encode()
    except UnicodeEncodeError:
        return False
    return os.path.isdir(folder)


async def _until_changed(files: Lookout, projects: frozenset[str], stop: asyncio.Event) -> None:
    while files.live_projects is projects:
        await asyncio.sleep(0.25)
    stop.set()
