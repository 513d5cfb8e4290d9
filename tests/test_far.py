"""Runs on another machine: a real sshd, real jobs, and a link that is slow, silent or cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tracker
from farhost import NAME, FarHost, Proxy
from support import StartScript, lines_of, script_environment, tell, wait_for, wait_line, write_journal
from tracker.stored import StoredRun
from tracker_tui.hosts import open_sources, parse
from tracker_tui.hosts.link import Link, links_of
from tracker_tui.model import Model
from tracker_tui.sources import Sources

pytestmark = pytest.mark.usefixtures("near_far")

JOB = """
import sys, tracker
run = tracker.init(project="p", name="job", dir=sys.argv[1], config={"lr": 0.1})
print(run.id, flush=True)
step = 0
for line in sys.stdin:
    for _ in range(int(line)):
        run.log({"loss": 1 / (step + 1), "acc": step / 2})
        step += 1
    print(step, flush=True)
"""


@pytest.fixture
def opened() -> Iterator[Callable[[str], Model]]:
    """Opens models of addresses and closes their links with the test."""
    models: list[Model] = []

    def open_(*texts: str) -> Model:
        models.append(Model(open_sources([parse(text) for text in texts])))
        return models[-1]

    yield open_
    for model in models:
        for link in links_of(model.sources):
            link.close()


def make(root: Path, name: str, rows: int = 3, **arguments: Any) -> str:
    """A finished run; its id."""
    run = tracker.init(**{"project": "p", "name": name, "dir": root, "reinit": "create_new", **arguments})
    for step in range(rows):
        run.log({"loss": 1 / (step + 1)})
    run.finish()
    return str(run.id)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracker_tui", *words],
        env=script_environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def follow(model: Model, until: Callable[[], object], seconds: float = 20.0) -> bool:
    """Take what comes until something holds."""

    def take() -> bool:
        model.apply(model.collect())
        return bool(until())

    return wait_for(take, seconds)


def named(model: Model | Sources, name: str) -> StoredRun | None:
    return next((run for run in model.runs.values() if run.label == name), None)


def link_of(model: Model) -> Link:
    (link,) = links_of(model.sources)
    return link


# ---- commands ----


def test_commands_say_the_same_of_runs_that_are_far_away(root: Path) -> None:
    """`ls` and `show`, as JSON and as text, tell of runs over ssh what they tell on the machine itself."""
    ids = [make(root, name, config={"lr": 0.1 * place}, tags=["a"]) for place, name in enumerate(["one", "two"])]

    def tidy(text: str) -> list[dict[str, Any]]:
        found = json.loads(text)
        for run in found if isinstance(found, list) else [found]:
            run["path"] = Path(run["path"]).name
        return found if isinstance(found, list) else [found]

    place = f"{NAME}:{root}"
    assert tidy(command("ls", place, "--json").stdout) == tidy(command("ls", str(root), "--json").stdout)
    shown = [command("show", ids[0], "--dir", where).stdout.splitlines() for where in (str(root), place)]
    here, there = ([line for line in lines if not line.startswith("file ")] for lines in shown)
    assert there == here
    chart = ("show", "one", "--chart", "loss", "--width", "60", "--dir")
    assert command(*chart, place).stdout == command(*chart, str(root)).stdout
    compare = ("compare", "one", "two", "--dir")
    assert command(*compare, place).stdout == command(*compare, str(root)).stdout
    file = f"{place}/p/{next((root / 'p').glob(f'run-*{ids[1]}.jsonl')).name}"
    assert json.loads(command("show", file, "--json").stdout)["name"] == "two"


@pytest.mark.parametrize("where", ["{name}:", "{name}:runs", "{name}:~/runs", "ssh://{name}/~/runs", "ssh://{name}"])
def test_paths_begin_at_the_home_there(where: str, far: FarHost) -> None:
    """No path is `~/runs`, and a relative one begins at the home folder of the machine with the runs."""
    if not (far.home / "runs").exists():
        make(far.home / "runs", "at-home")
    assert "at-home" in command("ls", where.format(name=NAME)).stdout


def test_port_and_options_are_passed_on(root: Path, proxy: Proxy) -> None:
    """A port in the address and `--ssh-option` reach ssh."""
    make(root, "one")
    assert "one" in command("ls", f"ssh://{NAME}:{proxy.port}{root}").stdout
    assert proxy.down > 1000
    before = proxy.down
    assert "one" in command("ls", f"{NAME}:{root}", "--ssh-option", f"Port={proxy.port}").stdout
    assert proxy.down > before + 1000


def test_edits_from_afar(root: Path) -> None:
    """Every command that changes runs changes those of another machine, with records in the files there alone."""
    run_id = make(root, "one")
    (journal,) = root.glob("p/run-*.jsonl")
    before = journal.read_bytes()
    place = ("--dir", f"{NAME}:{root}")
    assert command("rename", "one", "better", *place).stdout == "one is now better\n"
    assert command("tag", "better", "--add", "x,y", *place).stdout == "better: x, y\n"
    assert command("note", "better", "so it is", *place).returncode == 0
    assert command("archive", "better", *place).returncode == 0
    assert command("delete", "better", *place).returncode == 0
    edits = [record for file in root.glob("p/edits-*.jsonl") for record in lines_of(file)]
    assert [sorted(set(edit) & {"name", "tags", "notes", "archived", "deleted"}) for edit in edits] == [
        ["name"], ["tags"], ["notes"], ["archived"], ["deleted"],
    ]  # fmt: skip
    assert {edit["id"] for edit in edits} == {run_id}
    assert journal.read_bytes() == before
    assert command("purge", "--yes", *place).stdout.endswith("removed 1 of 1 run\n")
    assert not journal.exists()


def test_stop_from_afar(root: Path, start: StartScript) -> None:
    """A job is stopped on the machine where it runs."""
    job = start(JOB, str(root))
    wait_line(job)
    assert command("stop", "job", "--yes", "--dir", f"{NAME}:{root}").stdout.endswith("job was sent SIGTERM\n")
    assert job.wait(10) == -signal.SIGTERM
    assert command("ls", f"{NAME}:{root}", "--columns", "state").stdout.split() == ["STATE", "■", "killed"]


# ---- following ----


def test_rows_come_and_states_are_judged_there(root: Path, start: StartScript, opened: Callable[..., Model]) -> None:
    """A row is here soon after it was logged; a job that is killed is crashed within two seconds."""
    job = start(JOB, str(root))
    run_id = wait_line(job)
    model = opened(f"{NAME}:{root}")
    assert follow(model, lambda: model.runs)
    (key,) = model.runs
    assert (key.id, model.runs[key].state, model.runs[key].config) == (run_id, "running", {"lr": 0.1})
    model.look_at([key])
    for step in (1, 2, 1000):
        tell(job, str(step))
        wait_line(job)
    assert follow(model, lambda: [len(s.history.columns["loss"].steps) for s in model.subjects()] == [1003])
    assert follow(model, lambda: model.runs[key].step == 1002)
    job.kill()
    killed = time.monotonic()
    assert follow(model, lambda: model.runs[key].state == "crashed")
    assert time.monotonic() - killed < 4


def test_no_row_is_lost_or_doubled_by_cuts(
    root: Path, start: StartScript, proxy: Proxy, opened: Callable[..., Model]
) -> None:
    """The link is cut again and again while rows come; in the end history and summary are those of the file."""
    job = start(JOB, str(root))
    wait_line(job)
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    link = link_of(model)
    assert follow(model, lambda: model.runs)
    (key,) = model.runs
    model.look_at([key])
    for _ in range(4):
        tell(job, "3000")
        wait_line(job)
        assert follow(model, lambda: model.subjects())
        proxy.cut()
        assert follow(model, lambda: link.trouble)
        tell(job, "10")
        wait_line(job)
        link.try_now()
        assert follow(model, lambda: not link.trouble)
    assert follow(model, lambda: model.runs[key].step == 12_039 and not model.is_loading)
    assert follow(model, lambda: len(model.subjects()[0].history.columns["loss"].steps) == 12_040)
    column = model.subjects()[0].history.columns["loss"]
    assert list(column.values) == [1 / (step + 1) for step in range(12_040)]
    assert column.rewrites == 0, "no row came twice"
    assert (model.runs[key].bad_lines, model.runs[key].summary["acc"]) == (0, 12_039 / 2)
    sketch = model.runs[key].sketches["loss"]
    assert sketch.values() == open_local(root).runs[key].sketches["loss"].values()


def open_local(root: Path) -> Sources:
    sources = open_sources([parse(str(root))])
    sources.refresh()
    return sources


def test_what_changed_while_away_is_seen(root: Path, proxy: Proxy, opened: Callable[..., Model]) -> None:
    """Runs that came, went, were renamed or replaced while there was no link are so afterwards."""
    gone, renamed = make(root, "gone"), make(root, "renamed")
    write_journal(root, [{"_type": "start", "id": "other", "name": "old"}, {"_step": 1, "loss": 1.0}], run_id="other")
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    assert follow(model, lambda: len(model.runs) == 3 and not model.is_loading)
    link = link_of(model)
    proxy.silence()
    proxy.cut()
    assert follow(model, lambda: link.trouble)
    for file in root.glob(f"p/run-*{gone}.jsonl"):
        file.unlink()
    assert command("rename", renamed, "new name", "--dir", str(root)).returncode == 0
    make(root, "came")
    rows = [{"_step": step, "loss": 2.0} for step in range(9)]
    write_journal(root, [{"_type": "start", "id": "other", "name": "replaced"}, *rows], run_id="other")
    proxy.silence(False)
    link.try_now()
    wanted = ["came", "new name", "replaced"]
    assert follow(model, lambda: sorted(run.label for run in model.runs.values()) == wanted)
    replaced = named(model, "replaced")
    assert replaced is not None
    assert (replaced.step, replaced.summary) == (8, {"loss": 2.0})


def test_silence_is_noticed_and_edits_are_refused(root: Path, proxy: Proxy, opened: Callable[..., Model]) -> None:
    """A link that says nothing is lost within ten seconds; what is known stays, edits fail with the reason."""
    make(root, "one")
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    assert follow(model, lambda: model.runs)
    link = link_of(model)
    proxy.silence()
    began = time.monotonic()
    assert follow(model, lambda: link.trouble)
    assert time.monotonic() - began < 10
    run = named(model, "one")
    assert run is not None
    assert "no connection" in model.edits.why_not([run])
    outcome = model.edits.change("renamed", [(run, {"name": "two"})])
    assert outcome.done == 0
    assert "no connection" in outcome.trouble
    proxy.cut()
    proxy.silence(False)
    link.try_now()
    assert follow(model, lambda: not link.trouble)
    assert model.edits.change("renamed", [(run, {"name": "two"})]).done == 1
    assert list(root.glob("p/edits-*.jsonl"))


def test_the_far_side_ends_with_the_client(far: FarHost, root: Path, start: StartScript) -> None:
    """A client that is killed leaves no process there, and nothing in the home folder."""
    make(root, "one")
    before, others = sorted(far.home.rglob("*")), set(far.processes())
    client = start(
        "import sys\nfrom tracker_tui.hosts import open_sources, parse\n"
        "sources = open_sources([parse(sys.argv[1])])\nsources.refresh()\nprint(len(sources.runs), flush=True)\n"
        "sys.stdin.read()",
        f"{NAME}:{root}",
    )
    wait_line(client, "1")
    served = set(far.processes()) - others  # what a test before has cut off may take a minute to find out
    assert served
    os.kill(client.pid, signal.SIGKILL)
    assert wait_for(lambda: not served & set(far.processes()))
    assert sorted(far.home.rglob("*")) == before


def test_large_run_comes_as_a_sample_then_whole(root: Path, opened: Callable[..., Model], proxy: Proxy) -> None:
    """Of a run of many megabytes a few rows from all over it come first, seldom metrics too; all of them when asked."""
    rows = 120_000
    lines = [b'{"_type":"start","_timestamp":1e9,"id":"big","name":"big"}']
    for step in range(rows):
        lines.append(b'{"_step":%d,"_timestamp":1000000000.5,"loss":%.6f,"acc":0.25}' % (step, 1 / (step + 1)))
        if step % 50 == 0:
            lines.append(b'{"_step":%d,"val":%.3f}' % (step, step / 10))
    lines.append(b'{"_type":"end","exit_code":0}')
    write_journal(root, b"\n".join(lines) + b"\n", run_id="big")
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    assert follow(model, lambda: model.runs)
    before = proxy.down
    model.look_at(model.runs)
    assert follow(model, lambda: model.subjects() and not model.is_loading)
    history = model.subjects()[0].history
    steps = history.columns["loss"].steps
    assert 200 < len(steps) < 2000
    assert (steps[0], steps[-1]) == (0, rows - 1)
    assert max(b - a for a, b in zip(steps, list(steps)[1:], strict=False)) < rows / 100
    assert len(history.columns["val"].steps) > 100
    assert proxy.down - before < 100_000
    sampled = model.sampled()
    assert sampled is not None
    assert sampled.loaded is None
    model.load_all()
    assert follow(model, lambda: model.sampled() is None)
    column = model.subjects()[0].history.columns["loss"]
    assert list(column.steps) == list(range(rows))
    assert len(model.subjects()[0].history.columns["val"].steps) == rows // 50


def test_several_places_are_one_tree(root: Path, tmp_path: Path, opened: Callable[..., Model]) -> None:
    """Two machines and a local folder are three branches; runs with the same id are different runs."""
    make(root, "here", id="same")
    make(tmp_path / "b", "there", id="same")
    model = opened(str(root), f"{NAME}:{tmp_path / 'b'}", f"{NAME}2:{tmp_path / 'b'}")
    assert follow(model, lambda: len(model.runs) == 3)
    labels = [model.label(node.place) for node in model.tree() if node.depth == 0]
    assert labels == [str(root), f"{NAME}:{tmp_path / 'b'}", f"{NAME}2:{tmp_path / 'b'}"]
    assert [node.depth for node in model.tree()] == [0, 1, 2] * 3
    run = next(run for run in model.runs.values() if run.key.source.startswith("far2"))
    assert model.edits.change("renamed", [(run, {"name": "moved"})]).done == 1
    assert follow(model, lambda: [run.label for run in model.runs.values()].count("moved") == 2)
    assert [run.label for run in model.runs.values()].count("here") == 1


def test_one_machine_of_several_may_be_away(root: Path, opened: Callable[..., Model]) -> None:
    """A machine that cannot be reached does not keep the others from being shown."""
    make(root, "one")
    model = opened(f"{NAME}:{root}", "ssh://nowhere.invalid/tmp")
    assert follow(model, lambda: model.runs)
    assert [bool(link.trouble) for link in links_of(model.sources)] == [False, True]
    assert len([node for node in model.tree() if node.depth == 0]) == 2


def test_two_places_of_one_machine(root: Path, tmp_path: Path, proxy: Proxy, opened: Callable[..., Model]) -> None:
    """Edits, undo and losses of two places on one machine are each their own."""
    make(root, "one")
    make(tmp_path / "b", "two")
    model = opened(f"{NAME}:{root}", f"ssh://{NAME}:{proxy.port}{tmp_path / 'b'}")
    assert follow(model, lambda: len(model.runs) == 2)
    runs = list(model.runs.values())
    assert model.edits.change("tagged", [(run, {"tags": ["x"]}) for run in runs]).done == 2
    proxy.silence()
    proxy.cut()
    assert follow(model, lambda: [bool(link.trouble) for link in links_of(model.sources)] == [False, True])
    outcome = model.edits.change("noted", [(run, {"notes": "n"}) for run in runs])
    assert (outcome.done, "no connection to far" in outcome.trouble) == (1, True)
    plan = model.edits.plan_undo()
    assert plan is not None
    assert model.edits.fold(plan, model.edits.write(plan)).done == 1
    assert [run.notes for run in runs] == ["", ""]


@pytest.mark.parametrize(
    ("text", "host", "user", "port", "path"),
    [
        ("gpu1:", "gpu1", "", None, "~/runs"),
        ("me@gpu1:a b/c", "gpu1", "me", None, "a b/c"),
        ("gpu1:/x:y", "gpu1", "", None, "/x:y"),
        ("[::1]:runs", "::1", "", None, "runs"),
        ("ssh://me@[fe80::1%eth0]:2222/data", "fe80::1%eth0", "me", 2222, "/data"),
        ("ssh://gpu1", "gpu1", "", None, "~/runs"),
        ("ssh://gpu1/~/runs/x", "gpu1", "", None, "runs/x"),
        ("./gpu1:x", "", "", None, "./gpu1:x"),
        ("runs/a:b", "", "", None, "runs/a:b"),
        ("/a:b", "", "", None, "/a:b"),
    ],
)
def test_addresses(text: str, host: str, user: str, port: int | None, path: str) -> None:
    """What has a colon before its first slash is on another machine, as with scp; and so is a URL."""
    address = parse(text)
    assert (address.host, address.user, address.port, address.path) == (host, user, port, path)
    assert parse(address.at("/x"))[1:] == ("/x", host, user, port)


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nowhere.invalid:runs", "there is no host 'nowhere.invalid'"),
        ("{name}:/no/such/folder", "there is no folder /no/such/folder on far"),
        ("{name}:/etc/passwd", "far:/etc/passwd is neither a folder nor a run's file"),
        ("ssh://127.0.0.1:{closed}/tmp", "nothing answers at 127.0.0.1"),
        ("127.0.0.1:/tmp", "the host key of 127.0.0.1 is not known"),
        ("root@-oProxyCommand=x:/tmp", "names no machine"),
        ("ssh://:22/tmp", "names no machine"),
        (":runs", "names no machine"),
        ("root@:runs", "names no machine"),
        ("ssh://a:99999/tmp", "a port is 1 to 65535"),
    ],
)
def test_errors_are_one_line(
    address: str,
    said: str,
) -> None:
    """What keeps a user from the runs is told in one line, without a traceback."""
    from farhost import free_port

    done = command("ls", address.format(name=NAME, closed=free_port()))
    assert (done.returncode in (1, 2), done.stdout) == (True, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_changed_host_key_and_refusal_are_told(far: FarHost, root: Path) -> None:
    """A host key that is another than the known one, and a key that nobody accepts, are told with the way out."""
    other = far.folder / "other_key"
    if not other.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    known = far.folder / "other_known"
    known.write_text(f"{NAME} {other.with_suffix('.pub').read_text()}")
    changed = command("ls", f"{NAME}:{root}", "--ssh-option", f"UserKnownHostsFile={known}")
    assert "the host key of far has changed" in changed.stderr
    assert "ssh-keygen -R" in changed.stderr
    refused = command("ls", f"{NAME}:{root}", "--ssh-option", "PubkeyAuthentication=no")
    assert "far does not let you in" in refused.stderr


def test_python_that_is_old_or_missing(far: FarHost, root: Path) -> None:
    """An interpreter that is too old is passed over for another; where none will do, it says so."""
    make(root, "one")
    for name in ("python3",):
        old = far.programs / name
        old.write_text("#!/bin/sh\nexit 97\n")
        old.chmod(0o755)
    try:
        assert "one" in command("ls", f"{NAME}:{root}").stdout
    finally:
        old.unlink()
    mine = far.programs / "mine"
    mine.write_text("#!/bin/sh\nexit 97\n")
    mine.chmod(0o755)
    done = command("ls", f"{NAME}:{root}", "--remote-python", str(mine))
    assert "or it is older than 3.8" in done.stderr
    done = command("ls", f"{NAME}:{root}", "--remote-python", "/no/python3")
    assert "/no/python3" in done.stderr
    assert "one" in command("ls", f"{NAME}:{root}", "--remote-python", sys.executable).stdout
    assert "letters, digits" in command("ls", f"{NAME}:{root}", "--remote-python", "x; rm -rf").stderr


def test_noise_of_the_shell_is_passed_over(far: FarHost, root: Path) -> None:
    """What the start-up files of the shell print comes before ours and is dropped; a shell that only talks is told."""
    make(root, "one")
    greeting = far.home / ".bashrc"
    greeting.write_text("echo Welcome to the cluster; printf '\\0\\1\\2'; echo warning >&2\n")
    try:
        assert "one" in command("ls", f"{NAME}:{root}").stdout
        greeting.write_text("echo Maintenance until noon; exit 0\n")
        assert "'Maintenance until noon'" in command("ls", f"{NAME}:{root}").stderr
    finally:
        greeting.unlink()


# ---- what is slow, long, or goes wrong again and again ----


def test_a_slow_link_is_a_link(far: FarHost, root: Path, opened: Callable[..., Model]) -> None:
    """What takes longer to come than a silence may last comes all the same, over one connection."""
    proxy = Proxy(far.port, bytes_a_second=40_000)
    noise = [json.dumps({"_step": step, "note": os.urandom(100).hex()}) for step in range(3000)]
    write_journal(root, "\n".join(['{"_type":"start","id":"abcd1234","name":"slow"}', *noise, ""]).encode())
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    assert follow(model, lambda: model.sources.is_complete and model.runs, 40)
    assert proxy.connections == 1
    assert next(iter(model.runs.values())).step == 2999
    proxy.close()


def test_a_link_that_dies_at_once_is_not_hammered(root: Path, proxy: Proxy, opened: Callable[..., Model]) -> None:
    """The tries of a link that opens and is lost again and again come further and further apart."""
    make(root, "one")
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    link = link_of(model)
    began = time.monotonic()
    while time.monotonic() - began < 6:
        if not link.trouble:
            proxy.cut()
        follow(model, lambda: False, 0.05)
    assert 2 <= proxy.connections <= 5


def test_history_of_a_resumed_run(root: Path, proxy: Proxy, opened: Callable[..., Model]) -> None:
    """Rows of several journals come in their order, whatever their sizes, over a link that goes on reading."""
    sizes = (70_000, 8_000, 10)
    for number, size in enumerate(sizes):
        start: dict[str, Any] = {"_type": "start", "id": "abcd1234", "name": "long", "_timestamp": 1e9 + number}
        if number:
            start |= {"resumed": True}
        rows = [{"_step": 50 * number + step, "x": number, "pad": "p" * size} for step in range(60)]
        write_journal(root, [start, *rows, {"_type": "end", "exit_code": 0}], stamp=f"20260101_12000{number}")
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    assert follow(model, lambda: model.runs)
    model.look_at(model.runs)
    assert follow(model, lambda: model.subjects() and not model.is_loading)
    model.load_all()
    assert follow(model, lambda: model.sampled() is None)
    column = model.subjects()[0].history.columns["x"]
    assert list(column.steps) == list(range(160))
    assert list(column.values) == [0.0] * 50 + [1.0] * 50 + [2.0] * 60


def test_rows_longer_than_a_block_are_sampled(root: Path, opened: Callable[..., Model]) -> None:
    """Of a large file with rows of 20 kB few come at first, too."""
    rows = [{"_step": step, "x": step, **{f"metric/{n}": n + step for n in range(700)}} for step in range(600)]
    write_journal(root, [{"_type": "start", "id": "abcd1234"}, *rows, {"_type": "end", "exit_code": 0}])
    model = opened(f"{NAME}:{root}")
    assert follow(model, lambda: model.runs)
    model.look_at(model.runs)
    assert follow(model, lambda: model.subjects() and not model.is_loading)
    steps = model.subjects()[0].history.columns["x"].steps
    assert 100 < len(steps) < 500
    assert steps[0] < 5
    assert steps[-1] == 599


def test_sample_of_long_rows_is_small(root: Path, opened: Callable[..., Model]) -> None:
    """Of rows of 400 kB as many come as make a sample of a few megabytes, over a link that stays."""
    pad = "p" * 400_000
    lines = b"".join(b'{"_step":%d,"x":1,"pad":"%s"}\n' % (step, pad.encode()) for step in range(120))
    write_journal(root, b'{"_type":"start","id":"abcd1234"}\n' + lines + b'{"_type":"end","exit_code":0}\n')
    model = opened(f"{NAME}:{root}")
    assert follow(model, lambda: model.runs and not model.is_loading)
    model.look_at(model.runs)
    assert follow(model, lambda: model.subjects() and not model.is_loading)
    assert 5 < len(model.subjects()[0].history.columns["x"].steps) < 20
    assert not link_of(model).trouble


def test_huge_lines_do_not_end_the_link(root: Path, opened: Callable[..., Model]) -> None:
    """A journal of lines of 15 MB each is listed like another."""
    line = b'{"_step":%d,"x":1,"pad":"' + b"p" * 15_000_000 + b'"}\n'
    write_journal(root, b'{"_type":"start","id":"abcd1234","name":"huge"}\n' + b"".join(line % n for n in range(4)))
    make(root, "small")
    model = opened(f"{NAME}:{root}")
    assert follow(model, lambda: len(model.runs) == 2 and model.sources.is_complete)
    huge = named(model, "huge")
    assert huge is not None
    assert (huge.step, link_of(model).trouble) == (3, "")


def test_history_of_a_file_in_anothers_place(root: Path, proxy: Proxy, opened: Callable[..., Model]) -> None:
    """A file that was replaced by a longer one while there was no link is shown from its first row on."""
    start = {"_type": "start", "id": "abcd1234", "name": "old"}
    write_journal(root, [start, *({"_step": step, "x": 1.0} for step in range(100))])
    model = opened(f"ssh://{NAME}:{proxy.port}{root}")
    assert follow(model, lambda: model.runs)
    model.look_at(model.runs)
    assert follow(model, lambda: model.subjects() and not model.is_loading)
    proxy.silence()
    proxy.cut()
    assert follow(model, lambda: link_of(model).trouble)
    write_journal(root, [start | {"name": "new"}, *({"_step": step, "x": 2.0} for step in range(300))])
    proxy.silence(False)
    link_of(model).try_now()
    assert follow(model, lambda: named(model, "new"))
    assert follow(model, lambda: [list(s.history.columns["x"].values) for s in model.subjects()] == [[2.0] * 300])


def test_a_folder_that_becomes_a_link_is_left_alone(root: Path, tmp_path: Path, opened: Callable[..., Model]) -> None:
    """A project's folder that is replaced by a link out of the root is read no more, and not written through."""
    make(root, "one")
    outside = tmp_path / "outside"
    (root / "p").rename(outside)
    (root / "p").mkdir()
    make(root, "two")
    model = opened(f"{NAME}:{root}")
    assert follow(model, lambda: model.runs)
    run = named(model, "two")
    assert run is not None
    (root / "p").rename(tmp_path / "away")
    (root / "p").symlink_to(outside)
    assert model.edits.change("renamed", [(run, {"name": "x"})]).done == 0
    assert follow(model, lambda: not model.runs)
    assert not list(outside.glob("edits-*"))


def test_commands_tell_of_those_that_answer(root: Path) -> None:
    """`ls` of several places prints the runs of those that can be reached, says which cannot, and ends with 1."""
    make(root, "one")
    done = command("ls", f"{NAME}:{root}", "nowhere.invalid:runs", str(root))
    assert done.stdout.count("one") == 2
    assert "PLACE" in done.stdout
    assert "there is no host 'nowhere.invalid'" in done.stderr
    assert done.returncode == 1
