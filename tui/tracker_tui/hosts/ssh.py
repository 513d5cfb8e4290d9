"""The system's ssh client: how it is called, what it is told to run there, and what its errors mean."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from tracker import folders, host, lines, lookout, pages, sweeping
from tracker.records import clean
from tracker_tui.hosts.address import Address

NO_PYTHON: Final = 98
"""Exit code of what is run there if there is no python3 that will do."""
TOO_OLD: Final = 97
PYTHONS: Final = (
    *("python3", *(f"python3.{minor}" for minor in range(12, 7, -1)), "python3.13", "python3.14"),
    *(f'"$HOME"/{place}/bin/python3' for place in (".local", "miniconda3", "anaconda3", "miniforge3", "mambaforge")),
    "/opt/conda/bin/python3",
)
"""Where a python3 is looked for, unless the user names one."""

# Sent as a word in double quotes through whatever shell the user has there: no newline and none of " $ ` \ and !.
_BOOT: Final = (
    f"import sys,os;sys.version_info>=(3,8) or sys.exit({TOO_OLD});import zlib;n=int(os.read(0,8));b=bytes();"
    "exec('while len(b)<n: b+=os.read(0,n-len(b))');exec(compile(zlib.decompress(b),'tracker-tui','exec'))"
)
# As a word in single quotes, so without any. What pyenv puts in place of a python that is not there ends with 127.
_FIND: Final = (
    f"[ $# -gt 0 ] || set -- {' '.join(PYTHONS)}; old=; "
    'for p; do command -v "$p" >/dev/null 2>&1 || continue; "$p" -ISc "$0"; s=$?; '
    f'case $s in {TOO_OLD}) old="$old $p";; 126|127) ;; *) exit $s;; esac; done; '
    f'echo "tracker-tui found:$old" >&2; exit {NO_PYTHON}'
)
_UNKNOWN_KEY: Final = "Host key verification failed|No .* host key is known"
_SAFE: Final = re.compile(r"[A-Za-z0-9_./~+-]+")


class Ssh(NamedTuple):
    """How a user wants ssh to be called."""

    options: tuple[str, ...] = ()
    """As for `ssh -o`: `ProxyJump=gate`."""
    python: str = ""
    """The interpreter on the other machine; empty: the first that will do is looked for."""

    def command(self, address: Address, may_ask: bool, is_fresh: bool = False) -> list[str]:
        """The command that runs the far side.

        Args:
            address: where.
            may_ask: whether it may ask for passwords on the terminal.
            is_fresh: do not use a connection that is open already, for it may be dead.

        Raises:
            ValueError: `python` is no path that every shell would take as it is.
        """
        if self.python and not _SAFE.fullmatch(self.python):
            raise ValueError(f"--remote-python {self.python!r}: letters, digits and _ . / ~ + - only")
        words = ["ssh", "-T", *(word for option in self.options for word in ("-o", option))]
        ours = ["ServerAliveInterval=3", "ServerAliveCountMax=2", "ConnectTimeout=15", "Compression=no"]
        ours += ["ForwardX11=no", "ClearAllForwardings=yes", "RemoteCommand=none"]
        ours += [] if may_ask else ["BatchMode=yes"]
        ours += ["ControlPath=none"] if is_fresh else []
        words += [word for option in ours for word in ("-o", option)]  # of two the first counts: the user's
        words += ["-p", str(address.port)] if address.port else []
        words += ["-l", address.user] if address.user else []
        return [*words, "--", address.host, f"exec sh -c '{_FIND}' \"{_BOOT}\" {self.python}".strip()]


PLAIN: Final = Ssh()
"""Without anything special."""


def program() -> bytes:
    """What is sent first: the length and the compressed source of the far side."""
    sources = {
        "tracker": "",
        "tracker.host": _source_of(host.__file__),
        "tracker.folders": _source_of(folders.__file__),
        "tracker.lines": _source_of(lines.__file__),
        "tracker.pages": _source_of(pages.__file__),
        "tracker.sweeping": _source_of(sweeping.__file__),
        "tracker.lookout": _source_of(lookout.__file__),
        "tracker.far": _far_source(),
    }
    words = ["import sys, types"]
    for name, source in sources.items():
        words.append(f"m = sys.modules[{name!r}] = types.ModuleType({name!r})")
        words.append(f"exec(compile({source!r}, {name!r}, 'exec'), m.__dict__)")
        if "." in name:
            words.append(f"sys.modules['tracker'].{name.partition('.')[2]} = m")
    words.append("m.main()")
    packed = zlib.compress("\n".join(words).encode(), 9)
    return b"%08d" % len(packed) + packed


def _source_of(path: str | None) -> str:
    return Path(path or "").read_text(encoding="utf-8")


def _far_source() -> str:
    """Found, not imported: it serves no purpose here."""
    import importlib.util

    spec = importlib.util.find_spec("tracker_tui.hosts.far")
    return _source_of(spec.origin if spec is not None else None)


def is_refusal(said: str) -> bool:
    """Whether ssh gave up because nobody could be asked: for a password, or about a host's key."""
    return re.search(f"Permission denied|{_UNKNOWN_KEY}", said) is not None


def explain(address: Address, code: int | None, said: str, noise: str, python: str = "") -> str:
    """Why there is no connection and what may help, in one line.

    Args:
        address: where to.
        code: ssh's exit code; None: it was ended by us.
        said: what came on standard error.
        noise: what came on standard output instead of the far side.
        python: the interpreter that was asked for.
    """
    where, lines = address.machine, [line.strip() for line in said.splitlines() if line.strip()]
    last = clean(lines[-1], 120) if lines else ""
    if code == NO_PYTHON and python:
        return f"{where} has no {python}, or it is older than 3.8: --remote-python takes the path of another"
    if code == NO_PYTHON:
        found = next((line.partition(":")[2].strip() for line in lines if line.startswith("tracker-tui found:")), "")
        old = f" ({clean(found, 100)} there is older)" if found else ""
        return f"{where} has no python3 of 3.8 or newer{old}: name one with --remote-python PATH"
    for pattern, text in _KNOWN:
        if match := re.search(pattern, said, re.IGNORECASE):
            port = f" port {address.port}" if address.port else ""
            return text.format(where=where, host=address.host, port=port, said=clean(match[0].strip(), 200))
    if noise.strip():
        first = clean(noise.strip().splitlines()[0], 100)
        return (
            f"{where} said {first!r} and ended: its shell starts something else;"
            f" what does `ssh {where} python3 -V` say?"
        )
    if code in (126, 127):
        return f"{where} cannot start python3 ({last or f'exit code {code}'}): name one with --remote-python PATH"
    return f"no connection to {where}: {last or ('ssh ended' if code is None else f'ssh ended with code {code}')}"


_KNOWN: Final = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host key of {where} has changed: if that is right, `ssh-keygen -R {host}`, then `ssh {where}` once",
    ),
    (
        _UNKNOWN_KEY,
        "the host key of {where} is not known: `ssh {where}` once shows it and asks",
    ),
    (r"Could not resolve hostname.*", "there is no host {host!r}: look at its name, or at ~/.ssh/config"),
    (
        r"[^\n]*Permission denied \([^)]*\)|Too many authentication failures|No more authentication methods[^\n]*",
        "{where} does not let you in ({said}): does `ssh {where}` work?",
    ),
    (
        r"(?:Connection refused|Connection timed out|Operation timed out|No route to host|Network is unreachable)",
        "nothing answers at {where}{port} ({said}): is it on, and are name and port right?",
    ),
)
