"""Runs that mean harm: nothing of them commands a terminal, leads out of the root, blocks or fills the memory."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import script_environment, write_journal
from terminal import Terminal
from tracker import host
from tracker_tui.cli import main

Cases = Callable[[int], int]
Tried = Callable[[str, str, str], None]

NOW = 1_767_268_800.0
HARM = {
    "OSC 52": "\x1b]52;c;SEFSTQ==\x07",
    "OSC 8": "\x1b]8;;http://harm.example\x1b\\",
    "CSI": "\x1b[7331h\x1b[?7332l",
    "DCS": "\x1bP7333q\x1b\\",
    "APC": "\x1b_7334\x1b\\",
    "C1": "\x9b7335m\x9d52;c;SEFSTQ==\x9c\x90\x9f\x85",
    "controls": "\x00\x08\x0b\x0c\x0e\x7f\r\n\t",
    "bidi": "\u202a\u202b\u202d\u202e\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "unseen": "\u200b\u200d\u2060\ufeff\u00ad\u034f\u3164\U000e0041\U000e0100",
    "flood": "z" + "\u0335" * 200,
    "markup": "[bold red on blue]x[/][@click=app.quit]q[/]",
}
FORBIDDEN = {
    "OSC 52": rb"\x1b\]52;c;SEFSTQ",
    "OSC 8": rb"\x1b\]8;[^\x07\x1b]*harm",
    "CSI": rb"\x1b\[\??733\d",
    "DCS": rb"\x1bP7333",
    "APC": rb"\x1b_",
    "C1": rb"\xc2[\x80-\x9f]",
    "controls": rb"[\x00\x0b\x0c\x7f]",
    "bidi": rb"\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\xd8\x9c",
    "unseen": rb"\xe2\x80\x8b|\xe2\x80\x8d|\xe2\x81\xa0|\xef\xbb\xbf|\xc2\xad|\xcd\x8f|\xe3\x85\xa4|\xf3\xa0",
    "flood": rb"(?:\xcc\xb5){7}",
}
"""What of it must never be among the bytes that a terminal gets."""


def evil(where: str) -> str:
    """A text that tells where it stands, and means harm."""
    return f"{where}{''.join(HARM.values())}!"


def harm_in(said: bytes) -> list[str]:
    """Which harm is among some bytes."""
    return [name for name, pattern in FORBIDDEN.items() if re.search(pattern, said, re.DOTALL)]


def lines(*records: dict[str, Any]) -> bytes:
    """Records as a hostile writer has them: half of them with every character as it is, half of them escaped."""
    texts = [
        json.dumps(record, ensure_ascii=number % 2 == 0, separators=(",", ":")) for number, record in enumerate(records)
    ]
    return b"".join(text.encode() + b"\n" for text in texts)


def hostile_run(root: Path, run_id: str, project: str) -> Path:
    """A run of which every text means harm; its records are written once escaped and once as they are."""
    config = {evil("key"): evil("value"), "nested": {evil("inner"): [evil("item")]}, "lr": 0.1}
    environment = {name: evil(name) for name in ("os", "executable", "driver")}
    records: list[dict[str, Any]] = [
        {"_type": "start", "_timestamp": NOW, "format": 9, "id": run_id, "config": config, "tags": [evil("tag")]}
        | {name: evil(name) for name in ("name", "project", "entity", "group", "job_type", "notes", "host", "user")}
        | {name: evil(name) for name in ("command", "python", "git", "program", "cwd", "os")},
        {"_type": "environment", "_timestamp": NOW, **environment, "gpus": [{evil("gpu"): evil("gpu")}]},
        {"_type": "metric", "name": evil("metric"), "step_metric": evil("axis"), "summary": [evil("how")]},
        *(
            {"_step": n, "_timestamp": NOW + n, evil("metric"): n / 3, "loss": n, evil("text"): evil("text")}
            for n in range(40)
        ),
        *(
            {"_type": "system", "_timestamp": NOW + n, evil("cpu"): n, f"gpu.0.{evil('x')}": 1.0, "cpu": n}
            for n in range(9)
        ),
        alert := {"_type": "alert", "_timestamp": NOW + 9, **{name: evil(name) for name in ("title", "text", "level")}},
        {"_type": "update", "_timestamp": NOW + 9, "summary": {evil("set"): evil("by hand"), "best": {evil("a"): 1}}},
        {"_type": "end", "_timestamp": NOW + 50, "exit_code": 3, "exception": evil("Error"), "step": 39}
        | {"summary": {evil("metric"): evil("last"), "loss": 39.0}, "config": config}
        | {"alerts": [alert], "environment": environment, "broken": {evil("metric"): [3, NOW]}},
    ]
    doubled = [record for record in records for _ in range(2)]
    path = write_journal(root, lines(*doubled), project=project, run_id=run_id)
    path.with_suffix("").mkdir()
    console = [
        {
            "_timestamp": NOW + n,
            "_step": n,
            "line": n,
            "stream": evil("out") if n % 3 else "stderr",
            "text": evil(f"line{n}"),
        }
        | {"colours": [[0, 4, evil("31")], [4, 6, "1;31"]]}
        for n in range(30)
    ]
    live = {"_timestamp": NOW, "line": 30, "stream": "stdout", "live": [evil("bar")]}
    (path.with_suffix("") / "console.jsonl").write_bytes(
        lines(*(record for record in console for _ in range(2)), live, live)
    )
    edits = [
        {"_type": "edit", "_timestamp": NOW + 60 + n, "id": run_id, "host": evil("host"), "user": evil("root")}
        | (
            {"stopped": True}
            if n
            else {"notes": f"{evil('note')}\nmore", "tags": [evil("later")], "group": evil("team")}
        )
        for n in range(2)
    ]
    (path.parent / f"edits-{run_id}.jsonl").write_bytes(lines(*(record for record in edits for _ in range(2))))
    return path


FOLDER = "p\x1b]52;c;SEFSTQ==\x07\u202e\x9b7335m\n\r\u200b\udc9b7336m"
"""A project's folder that means harm itself, and is no UTF-8."""


@pytest.fixture
def hostile(root: Path) -> Path:
    """Such runs in two projects, one of which has a hostile name on disk too."""
    hostile_run(root, "evil0001", "p")
    hostile_run(root, "evil0002", "p")
    hostile_run(root, "evil0003", FOLDER)
    hostile_run(root, "evil0004", FOLDER)
    return root


COMMANDS = """\
ls ROOT|ls ROOT --json|ls ROOT/FOLDER|ls ROOT -q zzz:1|ls ROOT -q tag:zzz|ls ROOT -s zzz|ls zzz
ls ROOT -c name,notes,tags,host,user,command,git,place,config.nested,group,entity
show ONE|show ONE --json|show ONE --chart *|show ONE --chart * --json|show ONE --chart zzz|show zzz|show evil0003
logs ONE|logs ONE --json|logs ONE --times --color always|logs evil0003|events ROOT|events ROOT --json
compare ONE TWO --all|compare ONE TWO --json|export ONE TWO|export ONE TWO --format jsonl|export ONE TWO --runs
export ONE TWO --system|export ONE -k zzz|stop ONE|tag ONE +best|note ONE x|rename evil0002 new
rename evil0003 new|archive evil0003|delete evil0003|purge
"""
"""Every command, and most of what goes wrong with them."""
RUN = """
import os, sys
from tracker_tui.cli import main

os.environ["TRACKER_DIR"] = root = sys.argv[1]
folder = next(name for name in os.listdir(root) if name != "p")
for command in sys.argv[2].replace("|", "\\n").splitlines():
    words = [word.replace("FOLDER", folder).replace("ROOT", root) for word in command.split()]
    try:
        main([{"ONE": "evil0001", "TWO": "evil0002"}.get(word, word) for word in words])
    except SystemExit:
        pass
    sys.stdout.flush()
print("THE END")
"""


def test_commands_pass_no_harm_on(hostile: Path, tried: Tried) -> None:
    """What every command writes to a terminal has nothing of what runs mean to do to it."""
    with Terminal(["-c", RUN, str(hostile), COMMANDS], columns=400, cwd=hostile.parent) as terminal:
        while b"THE END" not in terminal.raw and terminal.read(1.0):
            if terminal.raw.rstrip().endswith((b"]", b"]:", b"?")):
                terminal.press("n", "enter")
    said = terminal.raw
    for where in (b"name", b"value", b"metric", b"line27", b"title", b"later", b"team", b"Error", b"note"):
        assert where in said, where
    assert b"Traceback" not in said
    assert harm_in(said.replace(b"\r\n", b"\n")) == []
    tried(
        "hostile texts, commands",
        f"{len(COMMANDS.replace('|', chr(10)).splitlines())} commands, {len(HARM)} kinds, {len(said):,} bytes",
        "0 reach the terminal",
    )


VIEWS = {
    "2 runs compared": ("home", "c", "escape"),
    "project]": ("end", "end"),
    "metric]": ("2", "i", "escape"),
    "Error]": ("3", "down", "end"),
    "title]": ("E", "down", "escape"),
    "note]": ("n", "escape"),
    "later]": ("t", "escape"),
    "harm.example": ("r", "escape"),
    "line2": ("4", "up"),
    "tag:": ("/", "t", "a", "g", ":", "escape"),
}
"""What is to be seen after all but the last of some keys."""


def test_the_dashboard_passes_no_harm_on(hostile: Path, tried: Tried) -> None:
    """Whatever is shown, the bytes that the terminal gets have nothing of what runs mean to do to it."""
    with Terminal(["-m", "tracker_tui", str(hostile)], columns=170, rows=50, cwd=hostile.parent) as terminal:
        terminal.wait_for("name]")
        for seen, keys in VIEWS.items():
            terminal.press(*keys[:-1])
            terminal.wait_for(seen)
            terminal.step(keys[-1])
    assert harm_in(terminal.raw) == []
    told = f"{len(VIEWS)} views, {len(HARM)} kinds, {len(terminal.raw):,} bytes"
    tried("hostile texts, dashboard", told, "0 reach the terminal")


# ---- what would block, fill the memory, or lead elsewhere ----

READ = """
import os, re, sys, tracker
from contextlib import redirect_stdout, redirect_stderr
from tracker_tui.cli import main
from tracker_tui.model import Model
from tracker_tui.sources import Sources
from tracker.catalog import Catalog
from tracker_tui.console import Console

root = sys.argv[1]
with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
    main(["ls", root, "--json"])
    model = Model(Sources([Catalog(root)]))
    model.apply(model.collect())
    model.look_at(list(model.runs))
    model.apply(model.collect())
    while model.is_behind:
        model.apply(model.collect())
    for run in tracker.Api(root).runs():
        for row in run.scan_history():
            pass
    for run in model.runs.values():
        for words in (["show", run.id], ["logs", run.id, "--since", "1h"]):
            try:
                main([*words, "--dir", root])
            except SystemExit:
                pass
        console = Console(model.sources.of(run), run)
        if (news := console.read_end()) is not None:
            console.take(news)
            list(console.search("x"))
            console.read(0, 10)
status = "/proc/self/status"  # what `getrusage` tells includes the parent's
peak = re.search(r"VmHWM:\\s*(\\d+)", open(status).read() if os.path.exists(status) else "VmHWM: 0")
print(int(peak[1]) // 1024)
"""


def read_by_another(root: Path, under: Sequence[str] = ()) -> int:
    """Megabytes that a process took which read everything of a root, as dashboard, commands and `Api` do."""
    done = subprocess.run(
        [*under, sys.executable, "-c", READ, str(root)],
        env=script_environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def sparse(path: Path, head: bytes, tail: bytes, size: int) -> None:
    """A file with a large hole in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head)
        file.seek(size)
        file.write(tail)


START = {"_type": "start", "_timestamp": NOW, "format": 1, "project": "p"}


def endless_line(root: Path, size: int) -> None:
    path = write_journal(root, lines(START))
    sparse(path, path.read_bytes(), b"\n" + lines({"_step": 1, "loss": 0.5}), size)
    printed = [{"_timestamp": NOW, "line": n, "stream": "stdout", "text": "x"} for n in range(3)]
    sparse(path.with_suffix("") / "console.jsonl", lines(*printed[:1]), b"\n" + lines(*printed[1:]), size)


def deep(root: Path, size: int) -> None:
    for run_id, (left, right) in {"lists": (b"[", b"]"), "objects": (b'{"a":', b"}")}.items():
        depth = min(size >> 8, 100_000)
        nested = b'{"_step":1,"x":%b1%b}\n' % (left * depth, right * depth)
        path = write_journal(
            root, lines(START) + nested + nested.replace(b'"_step":1', b'"_type":"end"'), run_id=run_id
        )
        path.with_suffix("").mkdir()
        (path.with_suffix("") / "console.jsonl").write_bytes(nested.replace(b'"_step"', b'"line"'))
        (path.parent / f"edits-{run_id}.jsonl").write_bytes(nested)
        write_journal(root, nested, run_id=f"{run_id}-first")


def many_keys(root: Path, size: int) -> None:
    row = b'{"_step":1,%b}\n' % b",".join(
        b'"key%d":%d' % (number, number) for number in range(min(size >> 8, 1_000_000))
    )
    config = {f"key{number}": number for number in range(min(size >> 11, 100_000))}
    start = lines(START | {"config": config})
    write_journal(root, start + row + lines({"_type": "end", "config": config}), run_id="many")


def long_keys(root: Path, size: int) -> None:
    rows = [{"_step": n, f"{n}" + "k" * 1_000_000: n} for n in range(min(size >> 23, 40))]
    config = {f"{n}" + "k" * 1_000_000: n for n in range(10)}
    write_journal(root, lines(START | {"config": config}, *rows, {"_type": "config", "config": config}), run_id="long")


def long_numbers(root: Path, size: int) -> None:
    digits = b"9" * min(size >> 6, 5_000_000)
    write_journal(
        root, b'{"_type":"start","pid":%b}\n{"_step":%b,"x":1}\n{"_step":2,"x":%b}\n' % (digits, digits, digits)
    )


@pytest.mark.parametrize("make", [endless_line, deep, many_keys, long_keys, long_numbers])
def test_giants_are_bounded(make: Callable[[Path, int], None], root: Path, cases: Cases, tried: Tried) -> None:
    """A file that is made to fill the memory or the day is read in bounds of both; a gigabyte in the long version."""
    size = min(cases(1 << 25), 1 << 30)
    make(root, size)
    start = time.monotonic()
    taken = read_by_another(root)
    assert taken < 400
    told = f"made of {size >> 20} MB, {time.monotonic() - start:.1f} s"
    tried(f"giants: {make.__name__.replace('_', ' ')}", told, f"{taken} MB in all")


@pytest.fixture
def strange(root: Path, tmp_path: Path) -> Path:
    """A good run among FIFOs, sockets, devices and links wherever a reader looks for a file or a folder."""
    said = {"line": 0, "stream": "stdout", "text": "SECRET"}
    (secret := tmp_path / "secret").write_bytes(lines(START | {"name": "SECRET"}, said))
    (outside := tmp_path / "outside").mkdir()
    write_journal(outside, lines(START | {"name": "SECRET"}), run_id="outside")
    (outside / "console.jsonl").write_bytes(lines(said))
    (outside / "stack-SIGTERM.txt").write_bytes(b"SECRET")
    makers: dict[str, Callable[[Path], None]] = {
        "fifo": os.mkfifo,
        "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
        "link": lambda path: path.symlink_to(secret),
        "zero": lambda path: path.symlink_to("/dev/zero"),
        "passwd": lambda path: path.symlink_to("/etc/passwd"),
        "loop": lambda path: path.symlink_to(path),
        "folder": Path.mkdir,
    }
    for name, make in makers.items():
        good = write_journal(root, lines(START, {"_step": 0, "loss": 0.5}), run_id=f"good-{name}")
        good.with_suffix("").mkdir()
        for inner in ("console.jsonl", "stack-SIGTERM.txt", "requirements.txt", "diff.patch"):
            make(good.with_suffix("") / inner)
        make(good.parent / f"run-20260101_120000-{name}.jsonl")
        make(good.parent / f"edits-{name}.jsonl")
        if name != "folder":
            make(root / name)
    linked = write_journal(root, lines(START, {"_step": 0, "loss": 0.5}), run_id="good-linked")
    linked.with_suffix("").symlink_to(outside)
    (root / "linked").symlink_to(outside / "p")
    return root


def tree(folder: Path) -> list[tuple[str, int]]:
    """All there is below a folder, and when it was changed."""
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.parametrize("where", ["here", "far"])
def test_strange_files_lead_nowhere(
    where: str, strange: Path, tmp_path: Path, request: Any, capfd: pytest.CaptureFixture[str], tried: Tried
) -> None:
    """Nothing waits for a FIFO or a device, is read through a link or changed, here and over ssh."""
    address = str(strange)
    if where == "far":
        request.getfixturevalue("near_far")
        address = f"far:{strange}"
    before = tree(tmp_path / "outside"), tree(strange)
    assert main(["ls", address, "--json"]) == 0
    runs = json.loads(capfd.readouterr().out)
    assert {run["id"] for run in runs if run["id"].startswith("good")} == {run["id"] for run in runs}
    assert "killed" not in {run["state"] for run in runs}
    for run in runs if where == "here" else runs[:1]:
        assert main(["show", run["id"], "--dir", address, "--chart", "loss", "--width", "40"]) == 0
        assert main(["logs", run["id"], "--dir", address]) == 0
    assert "SECRET" not in "".join(capfd.readouterr())
    assert (tree(tmp_path / "outside"), tree(strange)) == before
    tried(f"FIFOs, devices, links, {where}", f"{len(before[1])} files, {len(runs)} runs", "0 followed, 0 waited for")


def test_edits_are_not_written_elsewhere(root: Path, tmp_path: Path, tried: Tried) -> None:
    """An edits file that is a FIFO, a device, a link or another name of some file is not written to, and it is told."""
    path = write_journal(root, lines(START))
    (secret := tmp_path / "secret").write_bytes(b"secret\n")
    mine = path.parent / host.edits_file_name()
    makers: dict[str, Callable[[Path], object]] = {
        "fifo": os.mkfifo,
        "link": lambda path: path.symlink_to(secret),
        "hard link": lambda path: path.hardlink_to(secret),
        "device": lambda path: path.symlink_to("/dev/null"),
        "folder": Path.mkdir,
    }
    for name, make in makers.items():
        make(mine)
        run = tracker.Api(root).runs()[0]
        run.name = "new"
        with pytest.raises(tracker.Error, match="cannot change"):
            run.update()
        assert secret.read_bytes() == b"secret\n", name
        mine.rmdir() if name == "folder" else mine.unlink()
    tried("edits led elsewhere", ", ".join(makers), "0 written")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can make files of others")
def test_files_of_others_are_passed_over(root: Path, tried: Tried) -> None:
    """Files and folders that may not be read are no runs, or runs without a word; what may be read is there."""
    good = write_journal(root, lines(START, {"_step": 0, "loss": 0.5}), run_id="good")
    write_journal(root, lines(START | {"name": "SECRET"}), run_id="closed").chmod(0)
    write_journal(root, lines(START | {"name": "SECRET"}), project="q").parent.chmod(0)
    (good.parent / "edits-x.jsonl").write_bytes(
        lines({"_type": "edit", "id": "good", "name": "SECRET", "_timestamp": NOW})
    )
    (good.parent / "edits-x.jsonl").chmod(0)
    for folder in root.parents:
        if not folder.stat().st_mode & 0o077:
            folder.chmod(0o755)
    os.seteuid(65534)
    try:
        found = {run.id: (run.step, run.name) for run in tracker.Api(root).runs()}
        rows = list(tracker.Api(root).run("p/closed").scan_history())
    finally:
        os.seteuid(0)
    assert (found, rows) == ({"good": (0, "good"), "closed": (None, "closed")}, [])
    tried("files of others", "4 files and folders without rights", "0 read, the rest listed")
