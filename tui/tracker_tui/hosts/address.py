"""Where runs lie, as a user says it: `./runs`, `user@host:path`, `ssh://user@host:port/path`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

DEFAULT_PATH: Final = "~/runs"
"""On another machine, where none is named."""

_SCP: Final = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[^\]/@]+\]|[^@/:\[\]]+):(?P<path>.*)", re.DOTALL)
_URL: Final = re.compile(
    r"ssh://(?:(?P<user>[^@/:]+)@)?(?P<host>\[[^\]/@]+\]|[^@/:\[\]]+)(?::(?P<port>\d+))?(?P<path>/.*)?",
    re.DOTALL,
)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.%:-]*")
"""Users and hosts; none begins with `-`, which would be an option to ssh."""
_IPV6: Final = re.compile(r"\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\]")


class Address(NamedTuple):
    """A folder of runs, a project or a run's file, here or on another machine."""

    text: str
    """As the user said it."""
    path: str
    """On another machine one that is relative begins at the home folder there."""
    host: str = ""
    """A name or an alias of ~/.ssh/config; empty: this machine."""
    user: str = ""
    port: int | None = None

    @property
    def machine(self) -> str:
        """User and host, as ssh and people know them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" if self.user else host

    def at(self, path: str) -> str:
        """How to say another path of this machine."""
        if not self.host:
            return path
        if self.port is not None:
            return f"ssh://{self.machine}:{self.port}{path if path.startswith('/') else '/~/' + path}"
        return f"{self.machine}:{path}"


def parse(text: str) -> Address:
    """The address that a text means. As with scp, what has a colon before the first slash is on another machine.

    Raises:
        ValueError: it looks like one on another machine, but names no host or port that could be.
    """
    is_url = text.startswith("ssh://")
    if not is_url and ":" not in text.split("/", 1)[0]:
        return Address(text, text)
    found = (_URL if is_url else _SCP).fullmatch(text)
    parts = found.groupdict() if found is not None else {}
    host, user, path = (parts.get(name) or "" for name in ("host", "user", "path"))
    if not (_NAME.fullmatch(host) or _IPV6.fullmatch(host)) or (user and not _NAME.fullmatch(user)):
        how = "ssh://user@host:port/path" if is_url else f"user@host:path (a folder of that name here: ./{text})"
        raise ValueError(f"{text!r} names no machine: {how}")
    port = int(parts["port"]) if parts.get("port") else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{text!r}: a port is 1 to 65535")
    if is_url:
        path = path.removeprefix("/~/") if path != "/" else ""
    return Address(text, path or DEFAULT_PATH, host.strip("[]"), user, port)
