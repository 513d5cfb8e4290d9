"""What either end of a link sends may be anything: neither believes it, and neither end is harmed by it."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from support import lines_of, script_environment, write_journal
from tracker_tui.hosts import parse, ssh
from tracker_tui.hosts.far import MAGIC
from tracker_tui.hosts.session import MAGIC as EXPECTED


def test_both_ends_know_the_same_magic() -> None:
    assert MAGIC == EXPECTED


# ---- a far side that lies ----


def frame(meta: Any, data: bytes = b"") -> bytes:
    head = (meta if isinstance(meta, bytes) else json.dumps(meta).encode()) + b"\n"
    return struct.pack(">I", len(head) + len(data)) + head + data


def sight(
    project: Any = "p", name: Any = "run-20260101_120000-abcd1234.jsonl", number: Any = 0, mtime: Any = 0.0
) -> dict[str, Any]:
    return {"see": [project, name, 0, 0, 0, number, mtime, None, None, True, False, False]}


HELLO = frame({"hello": 1, "python": "3.11", "host": "h", "now": 1e9})
OPENED = frame({"opened": "/runs", "trouble": ""})
END = b'{"_type":"start","id":"abcd1234","name":"one"}\n{"_type":"end","exit_code":0}\n'
GOOD = frame(sight(), END)
COMPLETE = frame({"complete": True})


@pytest.fixture
def lie(tmp_path: Path) -> Any:
    """Runs `tracker-tui ls` against an `ssh` that says these frames and then waits; with a reply, `rename`."""
    folder = tmp_path / "liar"
    folder.mkdir()

    def run(frames: bytes, reply: bytes = b"") -> subprocess.CompletedProcess[str]:
        (folder / "said").write_bytes(MAGIC + frames)
        (folder / "reply").write_bytes(reply)
        liar = folder / "ssh"
        liar.write_text(f"#!/bin/sh\ncat {folder}/said; sleep 1; cat {folder}/reply; cat > /dev/null\n")
        liar.chmod(0o755)
        environment = script_environment({"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})
        source = (
            "import re, sys\nfrom tracker_tui.cli import main\ntry: code = main(sys.argv[1:])\n"
            "except SystemExit as end: code = end.code\n"
            "import os; status = '/proc/self/status'\n"
            "peak = re.search(r'VmHWM:\\s*(\\d+)', open(status).read() if os.path.exists(status) else 'VmHWM: 0')\n"
            "sys.stderr.write(f'{code} {int(peak[1]) // 1024}')"
        )
        words = ["rename", "one", "two", "--dir", "far:/runs"] if reply else ["ls", "far:/runs"]
        return subprocess.run(
            [sys.executable, "-c", source, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
        )

    return run


def packed(*frames: bytes) -> bytes:
    return zlib.compress(b"".join(frames))


def test_honest_words_are_believed(lie: Any) -> None:
    """What the other tests spoil is fine as it is."""
    assert "one" in lie(packed(HELLO, OPENED, GOOD, COMPLETE)).stdout


@pytest.mark.parametrize(
    "lied",
    [
        frame(sight(project="../../etc")),
        frame(sight(project="..")),
        frame(sight(project="a/b")),
        frame(sight(name="run-../../x.jsonl")),
        frame(sight(name="passwd")),
        frame(sight(project=7)),
        frame(sight(number="x")),
        frame(sight(number=None)),
        frame(sight(number=-1)),
        frame(sight(number=10**30)),
        frame(sight(mtime="x")),
        frame({"see": []}),
        frame({"lines": 1}),
        frame({"folders": 3}),
        frame({"answer": 1}),
        frame([1, 2]),
        frame(b'{"see": ['),
        frame(b"[" * 100_000),
        struct.pack(">I", 0xFFFFFFFF) + b"x" * 100,
    ],
)
def test_lies_end_the_link(lie: Any, lied: bytes) -> None:
    """A frame that no far side of ours would send ends the link with one line; no traceback, nothing written."""
    done = lie(packed(HELLO, OPENED, GOOD, lied))
    assert done.stderr.startswith("tracker-tui: far ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("mtime", ["NaN", "1e300", "Infinity", "-5"])
def test_odd_times_are_no_times(lie: Any, mtime: str) -> None:
    """A file's time that no calendar has, and a clock that is nowhere, stand in nobody's way."""
    odd = json.dumps(sight(name="run-99999999_999999-abcd1234.jsonl", mtime=0.125)).replace("0.125", mtime)
    hello = frame(HELLO[4:].split(b"\n")[0].replace(b"1000000000.0", mtime.encode()))
    done = lie(packed(hello, OPENED, frame(odd.encode(), END), COMPLETE))
    assert "one" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("answer", [1, None, [], [1], [[1, 2, 3]], [[None, ""]], [{}], "x"])
def test_answers_that_are_none_are_failures(lie: Any, answer: Any) -> None:
    """An answer to an edit that says nothing is not taken for success."""
    pack = zlib.compressobj()
    said = pack.compress(HELLO + OPENED + GOOD + COMPLETE) + pack.flush(zlib.Z_SYNC_FLUSH)
    reply = pack.compress(frame({"answer": answer, "number": 1, "trouble": ""})) + pack.flush(zlib.Z_SYNC_FLUSH)
    done = lie(said, reply)
    assert "not renamed: the answer is not understood" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_not_compressed_ends_the_link(lie: Any) -> None:
    assert lie(b"not zlib at all").stderr.startswith("tracker-tui: far said what is not understood")


def test_bombs_do_not_fill_the_memory(lie: Any) -> None:
    """A gigabyte of nothing in a megabyte is not unpacked into memory."""
    pack = zlib.compressobj(9)
    bomb = pack.compress(HELLO + OPENED + struct.pack(">I", 1 << 30))
    for _ in range(1024):
        bomb += pack.compress(bytes(1 << 20))
    done = lie(bomb + pack.flush())
    assert int(done.stderr.split()[-1]) < 200


@pytest.mark.parametrize("where", ["opened", "trouble", "project"])
def test_texts_of_the_far_side_are_cleaned(lie: Any, where: str) -> None:
    """No escape sequence, bidi mark or control character of the far side reaches the terminal."""
    evil = "x\x1b]0;evil\x07\u202e\x9b31m"
    start = json.dumps({"_type": "start", "id": "abcd1234", "name": evil, "project": evil}).encode() + b"\n"
    frames = {
        "opened": [frame({"opened": "/" + evil, "trouble": ""}), COMPLETE],
        "trouble": [frame({"opened": "/" + evil, "trouble": evil})],
        "project": [OPENED, frame(sight(project=evil), start), COMPLETE],
    }
    done = lie(packed(HELLO, *frames[where]))
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(done.stdout + done.stderr)
    assert "x" in done.stdout + done.stderr


# ---- a near side that lies ----


class Near:
    """Speaks with a far side that runs here, started by the very words that ssh would give to a shell."""

    def __init__(self, folder: Path, shell: str = "sh", python: str = "") -> None:
        command = ssh.Ssh(python=python).command(parse("far:/runs"), may_ask=True)[-1]
        self._process = subprocess.Popen(
            [shell, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
        )
        assert self._process.stdin is not None
        self._process.stdin.write(ssh.program())
        self._deflate = zlib.compressobj()

    def say(self, **request: Any) -> None:
        assert self._process.stdin is not None
        line = json.dumps(request).encode() + b"\n"
        self._process.stdin.write(self._deflate.compress(line) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    def open(self, root: Path, **more: Any) -> None:
        self.say(**{"op": "open", "path": str(root), "is_project": False, "known": [], "may_remove": False, **more})

    def end(self) -> tuple[list[tuple[dict[str, Any], bytes]], str]:
        """All frames, and what came on standard error."""
        out, errors = self._process.communicate(timeout=20)
        raw = zlib.decompressobj().decompress(out.partition(MAGIC)[2])
        frames = []
        while raw:
            (size,) = struct.unpack_from(">I", raw)
            head, _, data = raw[4 : 4 + size].partition(b"\n")
            frames.append((json.loads(head), data))
            raw = raw[4 + size :]
        return frames, errors.decode()

    def ask(self, what: str, *args: Any) -> None:
        self.say(op="ask", number=1, what=what, args=list(args))


def answers(frames: list[tuple[dict[str, Any], bytes]]) -> list[Any]:
    return [(meta["answer"], meta["trouble"]) for meta, _ in frames if "answer" in meta]


@pytest.fixture
def tempting(root: Path, tmp_path: Path) -> Path:
    """A root with links that lead out of it, and secrets there."""
    secret = [{"_type": "start", "id": "secret01", "name": "SECRET"}]
    outside = write_journal(tmp_path / "outside", secret, project="q", run_id="secret01")
    write_journal(root, [{"_type": "start", "id": "abcd1234", "name": "one"}])
    (root / "linked").symlink_to(outside.parent)
    (root / "p" / "run-20260101_120000-linked01.jsonl").symlink_to(outside)
    return root


def test_links_are_not_followed(tempting: Path, tmp_path: Path) -> None:
    """Links out of the root are neither listed, nor read, nor written through, whatever is asked for."""
    near = Near(tmp_path)
    near.open(tempting)
    for number, (project, name) in enumerate(
        [
            ("linked", "run-20260101_120000-secret01.jsonl"),
            ("p", "run-20260101_120000-linked01.jsonl"),
            ("../outside/q", "run-20260101_120000-secret01.jsonl"),
            ("p", "../../outside/q/run-20260101_120000-secret01.jsonl"),
            ("/etc", "passwd"),
        ]
    ):
        near.say(op="follow", stream=number, project=project, name=name, offset=0, thin=0)
        near.ask("append_edits", [[project, "abcd1234", {"name": "x"}, 0.0]])
        near.ask("stop", project, name)
        near.ask("files_of", project, [name])
        near.ask("remove", project, [name])
    frames, errors = near.end()
    assert errors == ""
    everything = b"".join(data for _, data in frames) + json.dumps([meta for meta, _ in frames]).encode()
    assert b"SECRET" not in everything
    assert b"root:" not in everything
    assert list((tmp_path / "outside" / "q").glob("edits-*")) == []
    written = [edit for file in tempting.glob("*/edits-*.jsonl") for edit in lines_of(file)]
    assert len(written) == 2, "the two that name the project itself"
    assert (None, "not allowed") in answers(frames)


def test_edits_are_all_that_is_written(tempting: Path, tmp_path: Path) -> None:
    """Whatever an edit says it stays one line of the one edits file of this user."""
    before = {path: path.read_bytes() for path in tempting.rglob("run-*")}
    near = Near(tmp_path)
    near.open(tempting)
    near.ask("append_edits", [["p", "../../x", {"name": 'a\nb", "_type": "end', "_type": "start", "id": "y"}, 0.0]])
    near.ask("append_edits", [["p", "abcd1234", {"name": "fine"}, 0.0]])
    frames, errors = near.end()
    assert (errors, len(answers(frames))) == ("", 2)
    (edits,) = tempting.glob("p/edits-*.jsonl")
    assert len(lines_of(edits)) == 2
    assert {path: path.read_bytes() for path in tempting.rglob("run-*")} == before


@pytest.mark.parametrize(
    "request_", [{"op": "eval"}, {"op": "open"}, {"op": "follow", "stream": 1}, {"op": "ask"}, {}, {"op": "__init__"}]
)
def test_what_is_not_understood_ends_the_far_side(request_: dict[str, Any], root: Path, tmp_path: Path) -> None:
    """A request that no near side of ours would make ends it."""
    write_journal(root, [{"_type": "start", "id": "abcd1234", "name": "one"}])
    near = Near(tmp_path)
    near.open(root)
    near.say(**request_)
    frames, errors = near.end()
    assert "hello" in frames[0][0]
    assert "Error" in errors


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "csh", "tcsh", "fish", "ksh"])
def test_every_shell_starts_the_far_side(shell: str, root: Path, tmp_path: Path) -> None:
    """The words that ssh hands to the shell there mean the same to all of them."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    write_journal(root, [{"_type": "start", "id": "abcd1234", "name": "one"}])
    near = Near(tmp_path, shell)
    near.open(root)
    frames, errors = near.end()
    assert errors == ""
    assert [meta["opened"] for meta, _ in frames if "opened" in meta] == [str(root)]


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(8, 15)])
def test_every_python_runs_the_far_side(version: str, root: Path, tmp_path: Path) -> None:
    """The far side lists, follows and edits with every Python from 3.8 on that is installed here."""
    versions = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))
    python = str(versions[0]) if versions else shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-V"], capture_output=True, check=False).returncode:
        pytest.skip(f"no python{version} here")
    write_journal(root, [{"_type": "start", "id": "abcd1234", "name": "one"}, {"_step": 0, "loss": 1.0}])
    near = Near(tmp_path, python=python)
    near.open(root)
    near.say(op="follow", stream=1, project="p", name="run-20260101_120000-abcd1234.jsonl", offset=0, thin=400)
    near.ask("append_edits", [["p", "abcd1234", {"name": "two"}, 0.0]])
    frames, errors = near.end()
    assert errors == ""
    assert frames[0][0]["python"].startswith(version)
    assert answers(frames)[0][0][0][0]["name"] == "two"


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_older_pythons_are_passed_over(version: str, tmp_path: Path) -> None:
    """A Python before 3.8 says so, before it has taken anything of what is sent."""
    versions = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))
    if not versions:
        pytest.skip(f"no python{version} here")
    command = ssh.Ssh(python=str(versions[0])).command(parse("far:/runs"), may_ask=True)[-1]
    done = subprocess.run(["sh", "-c", command], input=b"left alone", capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ssh.NO_PYTHON, b"")
    assert str(versions[0]) in done.stderr.decode()
