"""What the dashboard knows, without a screen: which runs are shown, tree, table, comparison, edits. On real files."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest

import tracker
from support import lines_of, wait_for, write_journal
from tracker.catalog import Catalog
from tracker.stored import StoredRun
from tracker_tui import edits, fields
from tracker_tui.compare import compare
from tracker_tui.model import Model
from tracker_tui.query import QueryError
from tracker_tui.sources import Sources
from tracker_tui.table import TableView, in_order
from tracker_tui.tree import Branch
from tracker_tui.views import Views


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SILENT", "1")


def make(root: Path, name: str, *rows: dict[str, Any], **arguments: Any) -> str:
    """A finished run; its id."""
    run = tracker.init(**{"project": "p", "name": name, "dir": root, "reinit": "create_new", **arguments})
    for row in rows:
        run.log(row)
    run.finish()
    return str(run.id)


def loaded(root: Path, views: Views | None = None) -> Model:
    model = Model(Sources([Catalog(root)]), views)
    refresh(model)
    return model


def refresh(model: Model) -> None:
    model.apply(model.collect())
    while model.is_behind:
        model.apply(model.collect())


def undo(model: Model) -> edits.Outcome | None:
    plan = model.edits.plan_undo()
    return model.edits.fold(plan, model.edits.write(plan)) if plan is not None else None


def names(runs: Any) -> list[str]:
    return [run.label for run in runs]


def named(model: Model, name: str) -> StoredRun:
    return next(run for run in model.runs.values() if run.label == name)


# ---- which runs are shown ----


def test_a_query_hides_runs_everywhere(root: Path) -> None:
    """In the tree, its counts, the table and the charts; a wrong one changes nothing."""
    for number in range(4):
        make(root, f"run{number}", {"loss": number})
    model = loaded(root)
    model.search("loss<2")
    assert names(model.shown()) == ["run1", "run0"]
    assert [node.runs[0].label for node in model.tree()[1:]] == ["run1", "run0"]
    assert model.tree()[0].counts == {"finished": 2}
    assert names(model.table(Branch("p")).runs) == ["run1", "run0"]
    assert len(model.drawn(Branch("p"))) == 2
    assert model.hint()[:2] == (2, 4)
    with pytest.raises(QueryError):
        model.search("loss<")
    assert len(model.shown()) == 2
    model.search("")
    assert len(model.shown()) == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lsos<1", "no run has 'lsos': is it 'loss'?"),
        ("LR>9", "no run has 'LR': is it 'lr'?"),
        ("model=vit", "model has parts: config.model.depth, config.model.name"),
        ("state:fialed", "no run has this state; there is finished"),
        ("word", "no run has 'word' in its name, id, project, group or tags"),
        ("loss", "loss is a field: compare it, as in loss<1"),
        ("loss>9", ""),
    ],
)
def test_a_query_without_runs_is_explained(root: Path, text: str, says: str) -> None:
    make(root, "one", {"loss": 1}, config={"lr": 0.1, "model": {"name": "vit", "depth": 2}})
    model = loaded(root)
    model.search(text)
    assert model.hint().why_none.startswith(says)
    assert bool(model.hint().why_none) == bool(says)


def test_marks_of_hidden_runs_wait(root: Path) -> None:
    """What is not shown is neither drawn nor edited, and is marked again when it shows."""
    make(root, "one", {"loss": 1})
    make(root, "two", {"loss": 2})
    model = loaded(root)
    model.toggle_mark(model.shown())
    model.search("one")
    assert names(model.marked_runs()) == ["one"]
    model.search("")
    assert len(model.marked_runs()) == 2


def test_config_goes_before_the_summary(root: Path) -> None:
    """A bare key means what somebody chose; the metric of that name has its own."""
    make(root, "one", {"lr": 0.0, "loss": 1}, config={"lr": 0.1, "model": {"depth": 3}, "name": "x"})
    run = loaded(root).shown()[0]
    assert fields.value_of(run, "lr") == 0.1
    assert fields.value_of(run, "summary.lr") == 0.0
    assert fields.value_of(run, "model.depth") == fields.value_of(run, "config.model.depth") == 3
    assert fields.value_of(run, "name") == "one"
    assert fields.value_of(run, "config.name") == "x"
    assert fields.value_of(run, "nothing") is None


# ---- tree ----


def test_entities_are_a_level_only_where_there_are_several(root: Path) -> None:
    make(root, "one", entity="ann")
    model = loaded(root)
    assert model.tree()[0][:2] == (Branch("p"), 0)
    make(root, "two", entity="bob", group="g")
    make(root, "three")
    refresh(model)
    lines = [
        (node.depth, model.label(node.place) if isinstance(node.place, Branch) else node.runs[0].label)
        for node in model.tree()
    ]
    assert lines == [
        (0, "(no entity)"),
        (1, "p"),
        (2, "three"),
        (0, "ann"),
        (1, "p"),
        (2, "one"),
        (0, "bob"),
        (1, "p"),
        (2, "g"),
        (3, "two"),
    ]
    assert names(model.runs_of(Branch("p", entity="bob"))) == ["two"]
    assert names(model.runs_of(Branch("", entity=""))) == ["three"]


def test_closed_branches_are_remembered_and_open_for_a_query(root: Path, tmp_path: Path) -> None:
    make(root, "one", group="g")
    file = tmp_path / "views.json"
    model = loaded(root, Views(file))
    model.close(Branch("p", "g"))
    assert len(model.tree()) == 2
    again = loaded(root, Views(file))
    assert len(again.tree()) == 2
    again.search("one")
    assert len(again.tree()) == 3
    again.close(Branch("p", "g"))
    assert len(again.tree()) == 2
    again.search("on")
    assert len(again.tree()) == 3
    again.search("")
    assert len(again.tree()) == 2
    assert len(loaded(root / "p", Views(file)).tree()) == 2  # the same root, narrowed


# ---- table ----


def test_orders(root: Path) -> None:
    """The best first where the name or `define_metric` says which that is, else the least; no value last."""
    for name, row in {
        "a": {"loss": 2.0, "acc": 0.1, "temp": 5, "text": "x"},
        "b": {"loss": 1.0, "acc": 0.9, "temp": 7, "text": "B"},
        "c": {"loss": math.nan, "acc": 0.5, "temp": 6},
        "d": {"other": 1},
    }.items():
        make(root, name, row, config={"lr": 1 / (1 + len(row)), "kind": name.upper()})
    runs = loaded(root).shown()

    def order(sort: str, is_reversed: bool = False) -> str:
        return "".join(names(in_order(runs, sort, is_reversed)))

    assert order("age") == "dcba"
    assert order("age", True) == "abcd"
    assert order("name") == "abcd"
    assert order("summary.loss") == "badc"[:2] + "dc"
    assert order("loss", True) == "abdc"
    assert order("acc") == "bcad"
    assert order("acc", True) == "acbd"
    assert order("temp") == "acbd"
    assert order("summary.text") == "badc"[:2] + "dc"
    assert order("config.kind", True) == "dcba"
    assert order("nothing") == "dcba"


def test_a_goal_of_the_job_beats_the_name(root: Path) -> None:
    for number in (1, 2):
        run = tracker.init(project="p", name=f"r{number}", dir=root)
        run.define_metric("odd_loss", summary="best", goal="maximize")
        run.log({"odd_loss": number})
        run.finish()
    model = loaded(root)
    model.arrange(Branch("p"), TableView(sort="summary.odd_loss"))
    assert names(model.table(Branch("p")).runs) == ["r2", "r1"]
    assert model.table(Branch("p")).best("summary.odd_loss") == 2


def test_groups_have_counts_and_numbers(root: Path) -> None:
    """Of the metric of the order, the best group first by its mean; runs show when their group is opened."""
    for lr, seed, loss in [(0.1, 0, 1.0), (0.1, 1, 3.0), (0.2, 0, 1.5), (0.2, 1, 1.5), (None, 0, 9.0)]:
        config = {"seed": seed} | ({"lr": lr} if lr else {})
        make(root, f"{lr}-{seed}", {"loss": loss}, config=config)
    model, branch = loaded(root), Branch("p")
    model.arrange(branch, TableView(sort="summary.loss", group_by=("config.lr",)))
    rows = model.table(branch).rows
    assert [row.path[-1] for row in rows] == ["0.2", "0.1", "none"]
    assert [row.stats and (row.stats.size, row.stats.mean, row.stats.low, row.stats.high) for row in rows] == [
        (2, 1.5, 1.5, 1.5),
        (2, 2.0, 1.0, 3.0),
        (1, 9.0, 9.0, 9.0),
    ]
    model.toggle_group(branch, rows[1].path)
    assert [row.run.label if row.run else row.path[-1] for row in model.table(branch).rows] == [
        "0.2",
        "0.1",
        "0.1-0",
        "0.1-1",
        "none",
    ]
    model.arrange(branch, TableView(group_by=("config.seed", "config.lr")))
    model.toggle_group(branch, ("config.seed", "1"))
    assert [(row.depth, row.path[-1]) for row in model.table(branch).rows] == [
        (0, "0"),
        (0, "1"),
        (1, "0.2"),
        (1, "0.1"),
    ]
    assert len(model.table(branch).runs) == 5


def test_groups_hold_the_same_value_only(root: Path) -> None:
    """However alike two values look; and texts come after numbers, the best first or not."""
    for number, value in enumerate([0.1234567, 0.1234568, "none", None, True, "yes", 1, 1.0, "1"]):
        make(root, f"run{number}", {"acc": value if isinstance(value, (int, float)) else "n/a"}, config={"x": value})
    model = loaded(root)
    model.arrange(Branch("p"), TableView(group_by=("config.x",)))
    assert sorted(len(row.runs) for row in model.table(Branch("p")).rows) == [1] * 7 + [2]
    assert len({row.path for row in model.table(Branch("p")).rows}) == 8
    for is_reversed in (False, True):
        assert sorted(names(in_order(model.shown(), "acc", is_reversed)[4:])) == [
            "run2",
            "run3",
            "run4",
            "run5",
            "run8",
        ]


def test_the_table_of_a_project_is_remembered(root: Path, tmp_path: Path) -> None:
    make(root, "one")
    view = TableView(("summary.loss", "config.lr"), "config.lr", True, ("group",))
    loaded(root, Views(tmp_path / "v.json")).arrange(Branch("p"), view)
    assert Views(tmp_path / "v.json").table_of("p") == view
    assert Views(tmp_path / "v.json").table_of("q") == TableView()


def test_the_charts_follow_the_tables_order(root: Path) -> None:
    """The first ten are drawn, the first on top; the marked ones while there are any."""
    for number in range(12):
        make(root, f"run{number:02}", {"loss": number})
    model = loaded(root)
    model.arrange(Branch("p"), TableView(sort="summary.loss"))
    assert [model.runs[key].label for key in model.drawn(Branch("p"))] == [f"run{n:02}" for n in range(9, -1, -1)]
    model.toggle_mark([named(model, "run11")])
    assert [model.runs[key].label for key in model.drawn(Branch("p"))] == ["run11"]


# ---- comparison ----


def test_what_differs_comes_first(root: Path) -> None:
    """With the best marked, and deltas from the first; what is the same stands apart."""
    make(root, "a", {"val/loss": 0.5, "acc": 0.8, "epoch": 3}, config={"lr": 0.1, "m": {"d": 2, "w": 8}, "only": 1})
    make(root, "b", {"val/loss": 0.4, "acc": math.nan, "epoch": 3}, config={"lr": 0.2, "m": {"d": 2, "w": 9}})
    model = loaded(root)
    found = compare([named(model, "a"), named(model, "b")])
    different = {s.title: {item.name: item for item in s.items} for s in found.different}
    same = {s.title: {item.name: item.texts for item in s.items} for s in found.same}
    assert {name: item.texts for name, item in different["Config"].items()} == {
        "lr": ("0.1", "0.2"),
        "m.w": ("8", "9"),
        "only": ("1", "–"),
    }
    loss = different["Summary"]["val/loss"]
    assert (loss.texts, loss.deltas, loss.best) == (("0.5", "0.4"), ("", "-0.1"), {1})
    assert different["Summary"]["acc"].deltas == ("", "")
    assert different["Summary"]["acc"].best == frozenset()
    assert same["Config"] == {"m.d": ("2", "2")}
    assert same["Summary"] == {"epoch": ("3", "3")}


# ---- edits ----


def test_edits_are_records_and_can_be_taken_back(root: Path) -> None:
    """Each one a line more, one after the other, the newest first; nothing is rewritten."""
    make(root, "one", tags=["x"], notes="old")
    make(root, "two")
    model = loaded(root)
    runs = [named(model, "one"), named(model, "two")]
    assert model.edits.change("archived", [(run, {"archived": True}) for run in runs])[:2] == ("archived 2 runs", 2)
    assert model.edits.change("noted", [(runs[0], {"notes": "new\nlines"})]).done == 1
    assert model.edits.change("noted", [(runs[0], {"notes": "new\nlines"})]).done == 0
    model.forget()
    assert model.shown() == []
    assert names(loaded(root).shown()) == []
    before = [path.read_bytes() for path in root.glob("p/*")]
    assert undo(model) == ("noted one", 1, "", (runs[0].key,))
    assert runs[0].notes == "old"
    assert undo(model) == ("archived 2 runs", 2, "", (runs[0].key, runs[1].key))
    assert undo(model) is None
    assert len(loaded(root).shown()) == 2
    after = [path.read_bytes() for path in root.glob("p/*")]
    assert all(new.startswith(old) for new, old in zip(after, before, strict=True))


def test_an_edit_that_is_read_before_it_is_folded_can_be_taken_back(root: Path) -> None:
    """It is written in a thread: a look may find it in the file first."""
    make(root, "one")
    make(root, "two")
    model = loaded(root)
    runs = [named(model, "one"), named(model, "two")]
    plan = model.edits.plan("archived", [(run, {"archived": True}) for run in runs])
    written = model.edits.write(plan)
    refresh(model)
    assert [run.archived for run in runs] == [True, True]
    model.edits.fold(plan, written)
    assert undo(model) == ("archived 2 runs", 2, "", (runs[0].key, runs[1].key))
    assert [run.archived for run in runs] == [False, False]


def test_undo_leaves_alone_what_somebody_else_changed_since(root: Path) -> None:
    make(root, "one")
    here, there = loaded(root), loaded(root)
    here.edits.change("renamed", [(here.shown()[0], {"name": "mine", "tags": ["t"]})])
    refresh(there)
    there.edits.change("renamed", [(there.shown()[0], {"name": "theirs"})])
    refresh(here)
    outcome = undo(here)
    assert outcome is not None
    assert outcome.trouble == "theirs was changed again since"
    assert (here.shown()[0].label, here.shown()[0].tags) == ("theirs", [])


def test_the_last_of_several_editors_wins_and_nothing_is_lost(root: Path) -> None:
    """Two dashboards and the job: every change is on disk, every reader shows the last one."""
    job = tracker.init(project="p", name="first", dir=root)
    dashboards = [loaded(root), loaded(root)]
    for number in range(10):
        editor = dashboards[number % 2]
        refresh(editor)
        editor.edits.change("renamed", [(editor.shown()[0], {"name": f"name {number}"})])
    newest = dashboards[1].shown()[0].last_change  # edits a millisecond apart may run ahead of the clock
    assert wait_for(lambda: time.time() > newest)
    job.name = "by the job"
    refresh(dashboards[0])
    dashboards[0].edits.change("tagged", [(dashboards[0].shown()[0], {"tags": ["kept"]})])
    job.finish()
    (file,) = root.glob("p/edits-*.jsonl")
    assert [edit.get("name") for edit in lines_of(file)] == [*(f"name {n}" for n in range(10)), None]
    for model in (*dashboards, loaded(root)):
        refresh(model)
        assert (model.shown()[0].label, model.shown()[0].tags) == ("by the job", ["kept"])


def test_tags_of_several_runs_keep_what_is_not_common(root: Path) -> None:
    """Nor is lost what somebody else added meanwhile, or what cannot be typed."""
    make(root, "one", tags=["both", "mine", "a,b"])
    make(root, "two", tags=["other", "both", "a,b"])
    model, elsewhere = loaded(root), loaded(root)
    runs = [named(model, "one"), named(model, "two")]
    shown = edits.common_tags(runs)
    assert shown == ["both"]
    for run in elsewhere.shown():
        elsewhere.edits.change("tagged", [(run, {"tags": [*run.tags, "late"]})])
    refresh(model)
    model.edits.change("tagged", edits.tag_changes(runs, shown, ["new"]))
    assert [run.tags for run in runs] == [["mine", "a,b", "late", "new"], ["other", "a,b", "late", "new"]]


def test_a_run_that_is_gone_is_left_alone(root: Path) -> None:
    """Its files were removed while somebody typed, or before the change was taken back."""
    make(root, "one")
    make(root, "two")
    model = loaded(root)
    one, two = named(model, "one"), named(model, "two")
    model.edits.change("archived", [(one, {"archived": True}), (two, {"archived": True})])
    Path(one.path).unlink()
    refresh(model)
    outcome = model.edits.change("renamed", [(one, {"name": "new"}), (two, {"name": "newer"})])
    assert (outcome.what, outcome.trouble) == ("renamed two", "one is gone")
    undo(model)
    assert undo(model) == ("archived 2 runs", 1, "one is gone", (two.key,))


def test_undo_brings_back_that_there_was_no_name_and_waits_for_the_disk(root: Path) -> None:
    write_journal(root, [{"_type": "start", "_timestamp": 1.7e9, "id": "abcd1234"}])
    model = loaded(root)
    (run,) = model.shown()
    model.edits.change("renamed", [(run, {"name": "new"})])
    file = root / "p" / _edits_name()
    file.rename(root / "aside")
    file.mkdir()
    outcome = undo(model)
    assert outcome is not None
    assert "Is a directory" in outcome.trouble
    file.rmdir()
    (root / "aside").rename(file)
    assert undo(model) == ("renamed abcd1234", 1, "", (run.key,))
    assert loaded(root).shown()[0].label == "abcd1234"


def test_a_folder_that_cannot_be_written_says_so_before_and_after(root: Path) -> None:
    make(root, "one")
    model = loaded(root)
    assert model.edits.why_not(model.shown()) == ""
    (root / "p" / _edits_name()).mkdir()
    assert "Is a directory" in model.edits.why_not(model.shown())
    outcome = model.edits.change("renamed", [(model.shown()[0], {"name": "new"})])
    assert outcome.done == 0
    assert "Is a directory" in outcome.trouble
    assert undo(model) is None


def _edits_name() -> str:
    from tracker.host import edits_file_name

    return edits_file_name()


# ---- what a run tells ----


def test_alerts_outlive_a_long_history(root: Path) -> None:
    """The newest twenty, however much was logged after them; control characters are gone."""
    run = tracker.init(project="p", dir=root)
    for number in range(30):
        run.alert(f"alert {number}", "text\x1b[31m", level="WARN", wait_duration=0)
    for row in range(30_000):
        run.log({"loss": row, "a long name to fill the file": row})
    run.finish()
    (stored,) = loaded(root).shown()
    assert [alert["title"] for alert in stored.alerts] == [f"alert {n}" for n in range(10, 30)]
    assert stored.alerts[0]["text"] == "text[31m"
    assert stored.alerts[0]["level"] == "WARN"


def test_a_thousand_runs_are_searched_sorted_and_grown_quickly(root: Path) -> None:
    """No work here grows with the square of the runs (a generous limit: tests share a machine)."""
    for number in range(1000):
        write_journal(
            root,
            [
                {
                    "_type": "start",
                    "_timestamp": 1.7e9 + number,
                    "id": f"r{number:07}",
                    "project": "p",
                    "name": f"n{number}",
                },
                {"_step": 0, "_timestamp": 1.7e9 + number, "loss": number % 17, "acc": 0.5},
                {"_type": "end", "_timestamp": 1.7e9 + number, "exit_code": 0},
            ],
            run_id=f"r{number:07}",
        )
    model = loaded(root)
    started = time.perf_counter()
    for _ in range(10):
        model.search("loss<9 acc>0.1")
        model.arrange(Branch("p"), TableView(sort="summary.loss", group_by=("summary.loss",)))
        assert len(model.tree()) > 500
        assert len(model.table(Branch("p")).runs) > 500
        assert model.drawn(Branch("p"))
    assert time.perf_counter() - started < 10


# ---- what changes meanwhile ----


def test_tables_follow_the_last_change_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change soon after the table was built shows when the table may be built again, though nothing else changes."""
    monkeypatch.setattr("tracker_tui.model.TABLE_CALM", 0.2)
    runs = [tracker.init(project="p", name=f"n{i}", dir=root, reinit="create_new") for i in range(3)]
    for loss, run in enumerate(runs):
        run.log({"loss": loss})
    model = loaded(root)
    model.arrange(Branch("p"), TableView(sort="loss"))
    assert names(model.table(Branch("p")).runs) == ["n0", "n1", "n2"]
    runs[0].log({"loss": 9.0})
    refresh(model)
    assert wait_for(lambda: model.is_table_due(Branch("p")))
    assert names(model.table(Branch("p")).runs) == ["n1", "n2", "n0"]
    assert not model.is_table_due(Branch("p"))
    for run in runs:
        run.finish()


def test_queries_about_time_are_asked_anew(root: Path) -> None:
    """Also where what changed are other runs."""
    make(root, "old", {"loss": 1.0})
    run = tracker.init(project="p", name="going", dir=root, reinit="create_new")
    model = loaded(root)
    age = time.time() - model.sources.newest_first()[-1].created
    model.search(f"age<{age + 1:.3f}s OR name:going")
    assert names(model.shown()) == ["going", "old"]
    assert wait_for(lambda: time.time() - model.sources.newest_first()[-1].created > age + 1)
    run.log({"loss": 2.0})
    refresh(model)
    assert names(model.shown()) == ["going"]
    run.finish()
