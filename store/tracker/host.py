"""All access to the files of runs for reading, and to the processes that write them.

Paths in, bytes and plain values out; nothing here knows what a record means. This module imports nothing of ours,
only the standard library, and keeps to Python 3.8 syntax: the very same source runs on other machines, over ssh.
Every function tells trouble by its return value; none raises for a file that is missing, unreadable or strange.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import signal
import stat
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

SIGNAL_FILES = {"SIGTERM": "stack-SIGTERM.txt", "SIGHUP": "stack-SIGHUP.txt"}
"""In a run's folder: the stack at the moment a deadly signal arrived; empty while none has."""


JOURNAL = re.compile(r"run-(\d{8}_\d{6})-([A-Za-z0-9_%~-]+)(?:\.(\d+))?\.jsonl")
"""The name of a run's file: date and time in UTC, the encoded id, and a number above 1 where those are not enough."""
MAX_PID = 2**31
"""Process ids are less, on every system."""
NETWORK_NAMES = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cephfs",
        "cifs",
        "gpfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "sshfs",
        "wekafs",
    )
)
"""File systems where writing succeeds long before the other machine has, or refuses, the bytes."""


class Entry(NamedTuple):
    """A file of a project's folder."""

    project: str
    """The project's folder name, encoded as on disk."""
    name: str
    size: int
    """Bytes."""
    mtime: float
    """Seconds since the epoch, by the file system's clock."""


def list_projects(root: str) -> Optional[List[str]]:
    """Names of the folders that may be projects; None when the root cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and _is_folder(e))
    except OSError:
        return None


def folder_stamp(path: str, may_be_link: bool = False) -> Optional[int]:
    """Changes when a file is added to or removed from the folder: its mtime in ns, by the file system's clock.

    -1: not there, no folder, or a link to one; None: it cannot be told now. Opens it, for NFS looks anew only then.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if may_be_link else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        return -1 if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) else None
    try:
        return os.fstat(descriptor).st_mtime_ns
    except OSError:
        return None
    finally:
        os.close(descriptor)


def list_files(root: str, project: str, kinds: Tuple[str, ...] = ("run-", "edits-")) -> Optional[List[str]]:
    """Names of the journals (`run-*.jsonl`) and edits files of one project, in order; links are left out.

    None when the folder cannot be read now. Names alone: asking about each of 10,000 files takes four times as long.

    Args:
        root: the folder of projects.
        project: the project's folder name.
        kinds: how the names begin.
    """
    try:
        with os.scandir(os.path.join(root, project)) as entries:
            return sorted(
                e.name for e in entries if e.name.startswith(kinds) and e.name.endswith(".jsonl") and _is_file(e)
            )
    except OSError:
        return None


def entry_of(root: str, project: str, name: str) -> Optional[Entry]:
    """What is known of a file before it is opened; None when it is gone."""
    try:
        status = os.stat(os.path.join(root, project, name), follow_symlinks=False)
    except OSError:
        return None
    return Entry(project, name, status.st_size, status.st_mtime)


def size_of(path: str) -> Optional[int]:
    """Bytes now; None when the file is gone or may not be read. Opens it, for NFS looks anew only then."""
    descriptor = _open(path)
    if descriptor is None:
        return None
    try:
        return os.fstat(descriptor).st_size
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read(path: str, offset: int, limit: int) -> Optional[bytes]:
    """Up to `limit` bytes from `offset`; empty at the end; None when the file cannot be read."""
    found = read_parts(path, [(offset, limit)])
    return found[0] if found is not None else None


def read_parts(path: str, parts: List[Tuple[int, int]]) -> Optional[List[bytes]]:
    """Several parts of a file, each as `read` gives it for an offset and a limit; opened once."""
    descriptor = _open(path)
    if descriptor is None:
        return None
    try:
        return [os.pread(descriptor, limit, offset) for offset, limit in parts]
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _open(path: str) -> Optional[int]:
    """A descriptor of a regular file; a FIFO, a device or a link is None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
    except OSError:  # a server that has just forgotten it
        pass
    os.close(descriptor)
    return None


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def deadly_signal(run_folder: str) -> Optional[str]:
    """The signal that ended the run's process by its default action, when one left its stack behind."""
    if os.path.islink(run_folder):
        return None
    for name, file in SIGNAL_FILES.items():
        if size_of(os.path.join(run_folder, file)):
            return name
    return None


def file_system(path: str, mounts: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that holds a path, e.g. `ext4`; empty where it cannot be told."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    path = os.path.realpath(path)
    best, kind = -1, ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        words = fields.split(" ")
        if len(words) < 5 or not rest:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4])
        is_above = path == point or path.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= best:  # of two mounts on one place the later one is seen
            best, kind = len(point), rest.split(" ")[0]
    return kind


def is_network(path: str) -> bool:
    """Whether a path lies on a file system of another machine, by its name."""
    kind = file_system(path)
    return kind.partition(".")[2] in NETWORK_NAMES or kind in NETWORK_NAMES


# ---- processes ----


def identity() -> Dict[str, Any]:
    """What tells this process from every other, now and after a restart of the machine."""
    return {
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "process_start": process_start(os.getpid()),
        "boot_id": boot_id(),
        "pid_namespace": pid_namespace(),
    }


@functools.lru_cache(maxsize=1)
def boot_id() -> str:
    """The same from start to stop of this machine, never again after."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return _command("sysctl", "-n", "kern.boottime")


@functools.lru_cache(maxsize=1)
def pid_namespace() -> str:
    """Pids mean something only inside one namespace (a container has its own)."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When the process started, in the system's own words; empty when it is dead, a zombie included."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X", b"x") else fields[19].decode()
    except FileNotFoundError:
        if os.path.exists("/proc/self/stat"):
            return ""
    except (OSError, IndexError):
        return ""
    state, _, started = _command("ps", "-o", "state=,lstart=", "-p", str(pid)).partition(" ")
    return "" if state.startswith("Z") else started.strip()


def is_alive(process: Dict[str, Any]) -> Optional[bool]:
    """Whether the process of a `start` record lives; None when that cannot be told from here.

    It can be told on the same boot of the same machine and in the same pid namespace.
    """
    pid = process.get("pid")
    if type(pid) is not int or not 0 < pid < MAX_PID or not process.get("boot_id"):
        return None
    if process["boot_id"] != boot_id() or process.get("pid_namespace") != pid_namespace():
        return None
    started = process_start(pid)
    if started:
        return started == process.get("process_start")
    try:
        os.kill(pid, 0)
    except PermissionError:  # somebody else's, and /proc hides it (hidepid)
        return None
    except OSError:
        pass
    return False


def stop(process: Dict[str, Any]) -> str:
    """Ask the process of a `start` record to end (SIGTERM), if it is certainly that one.

    Returns:
        "" or why nothing was sent.
    """
    if process.get("host") != os.uname().nodename or is_alive(process) is None:
        where = process.get("host")
        other = "in another container or before a restart" if where == os.uname().nodename else "on %s" % where
        return "its process cannot be seen from here: it ran %s" % other
    pid = process["pid"]
    handle = None
    try:
        if hasattr(os, "pidfd_open"):  # the pid may go to another process between a look and a signal, a handle not
            handle = os.pidfd_open(pid)
        if not is_alive(process):
            return "its process is gone"
        if handle is not None:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        else:
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return "its process is gone"
    except OSError as error:
        return "%s: process %d" % (error.strerror, pid)
    finally:
        if handle is not None:
            os.close(handle)
    return ""


def _command(*words: str) -> str:
    try:
        import subprocess  # only where /proc is missing: it is costly to import

        return subprocess.run(words, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except Exception:  # no such command, no time, too many open files
        return ""


# ---- edits ----


def edits_file_name() -> str:
    """The one edits file that this user on this host may append to."""
    words = (os.uname().nodename, user())
    return "edits-" + "-".join(re.sub(r"[^A-Za-z0-9_.]", "_", word)[:60] for word in words) + ".jsonl"


def append_edit(folder: str, run_id: str, fields: Dict[str, Any], after: float) -> Tuple[Optional[Dict[str, Any]], str]:
    """Append one edit of a run to this user's edits file in the project's folder.

    Args:
        folder: the project's folder.
        run_id: the run's true id.
        fields: what changes, e.g. `{"name": "better"}`.
        after: the newest time any earlier change of this run has; the edit's time is later even if the clock is not.

    Returns:
        The record as written and "", or None and why it could not be written.
    """
    import json  # costly, and most readers never edit

    record = {
        "_type": "edit",
        "_timestamp": max(time.time(), after + 0.001),
        "id": run_id,
        "host": os.uname().nodename,
        "user": user(),
    }
    record.update((name, value) for name, value in fields.items() if name not in record)
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    path = os.path.join(folder, edits_file_name())
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        return None, "%s: %s" % (error.strerror, path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # what is appended would stand elsewhere too
            return None, "not a file of its own: " + path
        size = status.st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # an earlier write was torn, or another one is seen half: then a line stays empty
        if os.write(descriptor, line) != len(line):
            return None, "disk full: " + path
        os.fsync(descriptor)
    except OSError as error:
        return None, "%s: %s" % (error.strerror, path)
    finally:
        os.close(descriptor)
    return record, ""


def why_not_editable(folder: str) -> str:
    """Why this user's edits file in a project's folder cannot be written, as far as can be told before; else empty."""
    path = os.path.join(folder, edits_file_name())
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        return "" if os.access(folder, os.W_OK | os.X_OK) else "read-only folder: %s" % folder
    except OSError as error:
        return "%s: %s" % (error.strerror, path)
    return ""


def remove(paths: List[str]) -> str:
    """Remove files, and folders with all that is in them; links are removed, not followed.

    Returns:
        "" or what could not be removed and why.
    """
    import shutil  # costly, and hardly ever needed

    for path in paths:
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.remove(path)
        except OSError as error:
            return "%s: %s" % (error.strerror, path)
    return ""


def user() -> str:
    """The name of the user, else the number."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
