"""A real sshd on this machine with keys and configuration of its own, and what stands between it and a client."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

from support import wait_for

SSHD = shutil.which("sshd") or next(
    (path for path in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if os.path.exists(path)), None
)
SSH = shutil.which("ssh")
NAME = "far"
"""The alias that leads to it."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FarHost:
    """An sshd and a client configuration that knows it as `far`.

    Args:
        folder: for keys and configuration, and the home folder of who logs in.
    """

    def __init__(self, folder: Path) -> None:
        assert SSHD is not None
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.port = free_port()
        self.programs = folder / "bin"
        """Programs that shadow those of the far side, for who makes any."""
        self.programs.mkdir()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"])
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile {folder}/pid\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n"
            f"Subsystem sftp internal-sftp\n"
            f"SetEnv HOME={self.home} PATH={path} PYTHONPATH={os.environ.get('PYTHONPATH', '')}\n"
        )
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"{NAME} {(folder / 'host_key.pub').read_text()}")
        self.config = folder / "config"
        self.config.write_text(
            f"Host {NAME} {NAME}2\n  HostName 127.0.0.1\n  Port {self.port}\n  HostKeyAlias {NAME}\n"
            f"Host 127.0.0.1\n  Port {self.port}\n"
            f"Host *\n  IdentityFile {folder}/user_key\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile /dev/null\n"
        )
        wrapper = folder / "client" / "ssh"  # the only way to tell ssh another configuration than the user's own
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {SSH} -F {self.config} "$@"\n')
        wrapper.chmod(0o755)
        self.path = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"
        """`PATH` for who is to use it."""
        self._daemon: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Let people in."""
        assert SSHD is not None
        if os.getuid() == 0:  # where it leaves its rights; nobody else has any to leave
            os.makedirs("/run/sshd", exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=log, stdin=subprocess.DEVNULL
            )
        assert wait_for(self._answers), (self.folder / "log").read_text()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as probe:
            return probe.recv(4) == b"SSH-"
        return False

    def stop(self) -> None:
        """Let nobody in any more; who is in stays."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait()
            self._daemon = None

    def processes(self) -> list[int]:
        """The far sides that run: processes with our program, started in this host's home."""
        found = []
        for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
            with contextlib.suppress(OSError):
                command = Path("/proc", entry, "cmdline").read_bytes()
                environment = Path("/proc", entry, "environ").read_bytes() if b"sys.version_info" in command else b""
                if f"HOME={self.home}".encode() in environment:
                    found.append(int(entry))
        return found


class Proxy:
    """Stands between client and sshd: delays, counts, cuts, and falls silent.

    Args:
        target: the port that it leads to.
        delay: seconds that every byte takes, one way.
        bytes_a_second: how many may pass, each way.
    """

    def __init__(self, target: int, delay: float = 0.0, bytes_a_second: float = 0.0) -> None:
        self.delay = delay
        self.bytes_a_second = bytes_a_second
        self.connections = 0
        self.up = self.down = 0
        """Bytes from and to the client."""
        self._target = target
        self._is_silent = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._servers: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def cut(self) -> None:
        """End all connections at once."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def silence(self, is_silent: bool = True) -> None:
        """Let no byte pass any more, as if a cable were cut; new connections are not answered either."""
        self._is_silent = is_silent

    def close(self) -> None:
        """End it with all that goes through it."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes who waits in it
        self._acceptor.join()
        self._server.close()
        self.silence(False)
        self.cut()
        for server in self._servers:
            server.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._servers.append(threading.Thread(target=self._serve, args=(near,), daemon=True))
                self._servers[-1].start()

    def _serve(self, near: socket.socket) -> None:
        time.sleep(2 * self.delay)  # the handshake of a connection is a round trip
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        self._pairs.append((near, far))
        back = threading.Thread(target=self._pump, args=(far, near, "down"), daemon=True)
        back.start()
        self._pump(near, far, "up")
        back.join()
        near.close()
        far.close()

    def _pump(self, source: socket.socket, target: socket.socket, name: str) -> None:
        """Pass bytes on, each `delay` seconds after it came, as many on their way as there may be."""
        waiting: deque[tuple[float, bytes]] = deque()
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(source, selectors.EVENT_READ)
            while True:
                wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
                if selector.select(0.02 if self._is_silent else wait):
                    if self._is_silent:
                        time.sleep(0.02)
                        continue
                    data = source.recv(65536 if not self.bytes_a_second else 4096)
                    if not data:
                        break
                    if self.bytes_a_second:
                        time.sleep(len(data) / self.bytes_a_second)
                    setattr(self, name, getattr(self, name) + len(data))
                    waiting.append((time.monotonic() + self.delay, data))
                while waiting and not self._is_silent and waiting[0][0] <= time.monotonic():
                    target.sendall(waiting.popleft()[1])
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
