"""Where runs come from: folders of this machine, and of others over ssh, all looked at in the same way."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.catalog import Catalog
from tracker_tui.hosts.address import Address, parse
from tracker_tui.hosts.ssh import PLAIN, Ssh
from tracker_tui.sources import Sources


def open_catalog(
    address: Address | None, options: Ssh = PLAIN, is_project: bool = False, source: str = "", may_remove: bool = False
) -> Catalog:
    """The catalog of an address; one on another machine is connected.

    Args:
        address: where; None: where runs lie if nothing is said.
        options: how to call ssh.
        is_project: the path is a project's folder.
        source: as `Catalog` takes it.
        may_remove: whether files may be removed there.

    Raises:
        OSError: there is no connection to it; the text says why and what may help.
    """
    if address is None or not address.host:
        return Catalog(address.path if address else None, is_project=is_project, source=source)
    from tracker_tui.hosts.link import Link  # costly: only where there is another machine

    link = Link(address, options, is_project, may_remove)
    link.connect()
    return Catalog(files=link, source=source)


def open_sources(addresses: Sequence[Address], options: Ssh = PLAIN) -> Sources:
    """The runs of several addresses, or of where runs lie if nothing is said.

    Raises:
        OSError: there is no connection to one of them.
    """
    wanted = list({address.text: address for address in addresses}.values())
    if len(wanted) < 2:
        return Sources([open_catalog(wanted[0] if wanted else None, options)])
    return Sources([open_catalog(address, options, source=address.text) for address in wanted])


__all__ = ["PLAIN", "Address", "Ssh", "open_catalog", "open_sources", "parse"]
