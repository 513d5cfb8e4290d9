"""Where runs come from: folders of this machine, and of others over ssh, all looked at in the same way."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from tracker import layout
from tracker.catalog import Catalog
from tracker.foreign.mirror import Mirror
from tracker_tui.hosts.address import Address, parse
from tracker_tui.hosts.ssh import PLAIN, Ssh
from tracker_tui.sources import Sources


def open_sources(
    addresses: Sequence[Address | None],
    options: Ssh = PLAIN,
    is_project: bool = False,
    may_remove: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> Sources:
    """The runs of several addresses; those on other machines are connected.

    Args:
        addresses: where, each once; None, or none at all: where runs lie if nothing is said.
        options: how to call ssh.
        is_project: the path is a project's folder.
        may_remove: whether files may be removed on other machines.
        meanwhile: done while the first connection is being made.

    Raises:
        OSError: there is no connection to any other machine; the text says why and what may help. Where there is one to
            some of them, the others are tried again and again.
        ValueError: the options are of no use.
    """
    wanted = list({address.text if address else "": address for address in addresses or [None]}.values())
    catalogs, mirrors = [], []
    links = []
    for address in wanted:
        source = address.text if address is not None and len(wanted) > 1 else ""
        if address is None or not address.host:
            catalogs.append(Catalog(address.path if address else None, is_project=is_project, source=source))
            path = layout.resolve_root(address.path if address else None)
            if not is_project and not os.path.isfile(path):  # a folder may come later
                mirrors.append(Catalog(files=Mirror(path), source=source))
            continue
        from tracker_tui.hosts.link import Link  # costly: only where there is another machine

        links.append(Link(address, options, is_project, may_remove))
        catalogs.append(Catalog(files=links[-1], source=source))
    failed: list[OSError] = []
    for link in links:  # one after the other: each may ask for a password
        link.start()
        if meanwhile is not None:
            meanwhile()
            meanwhile = None
        try:
            link.connect()
        except OSError as error:
            failed.append(error)
    if failed and len(failed) == len(catalogs):
        for link in links:
            link.close()
        raise failed[0]
    return Sources(catalogs, mirrors)


__all__ = ["PLAIN", "Address", "Ssh", "open_sources", "parse"]
