"""Where panes stand, what is remembered of it, and what goes over a slow link; in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracker
from terminal import Terminal

DASHBOARD = ["-m", "tracker_tui"]
QUESTION = b"\x1b[?2026$p"
ANSWER = "\x1b[?2026;2$y"


def make_run(root: Path, name: str, project: str = "vision", rows: int = 20) -> tracker.Run:
    run = tracker.init(project=project, name=name, id=f"id-{name}", dir=root, reinit="create_new")
    for step in range(rows):
        run.log({"loss": 1 / (step + 1), "acc": step / rows})
    print(f"{name} has logged")
    run.finish()
    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def edge(terminal: Terminal, title: str) -> int:
    """The column where the pane with this title begins; far away where it is not painted."""
    return terminal.place_of(title)[0] - 3 if title in terminal.text else -1000


def test_keys_and_the_mouse_make_panes_wider_and_it_is_remembered(root: Path) -> None:
    """`>` and `<` act on the pane with the keys, a border goes where it is drawn to; the next time all is as it was."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.05")
        assert edge(terminal, "2 one") == 40
        terminal.press(">", ">")
        terminal.wait_for(lambda t: edge(t, "2 one") == 48)
        terminal.press("<")
        terminal.wait_for(lambda t: edge(t, "2 one") == 44)
        overview = edge(terminal, "3 Overview")
        terminal.point(overview, 10, button=0)
        terminal.point(overview - 10, 12, button=32)
        terminal.wait_for(lambda t: edge(t, "3 Overview") == overview - 10)
        terminal.point(overview - 10, 12, button=0, is_up=True)
        terminal.press("4")
        terminal.wait_for("4 Console · one")
        row = terminal.place_of("4 Console · one")[1]
        terminal.point(60, row, button=0)
        terminal.point(60, row - 6, button=32)
        terminal.point(60, row - 6, button=0, is_up=True)
        terminal.wait_for(lambda t: t.place_of("4 Console · one")[1] == row - 6)
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.05")
        terminal.wait_for(lambda t: t.place_of("4 Console · one")[1] == row - 6)
        assert (edge(terminal, "2 one"), edge(terminal, "3 Overview")) == (44, overview - 10)


def test_no_size_is_too_much(root: Path) -> None:
    """The middle keeps its room however far a border is drawn, in a terminal of any width."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.05")
        terminal.press(*">" * 60)
        terminal.wait_for(lambda t: edge(t, "3 Overview") - edge(t, "2 one") == 40)
        terminal.resize(121, 30)
        terminal.wait_for(lambda t: edge(t, "3 Overview") - edge(t, "2 one") == 40)
        terminal.press(*"<" * 60)
        terminal.wait_for(lambda t: edge(t, "2 one") == 16)


def test_keys_go_to_what_is_seen(root: Path) -> None:
    """Where the tree is hidden, the next time too; from the console alone the next pane brings the others back."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.05")
        terminal.press("1")
        terminal.wait_for("m Smooth")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.05")
        terminal.wait_for("m Smooth")
        assert "1 Runs" not in terminal.text
        terminal.press("4")
        terminal.wait_for("one has logged")
        terminal.step("enter")
        terminal.wait_for(lambda t: "3 Overview" not in t.text)
        terminal.step("tab")
        terminal.wait_for("3 Overview")
        terminal.wait_for("m Smooth")
        terminal.press("3", "4")
        terminal.wait_for(lambda t: "3 Overview" not in t.text and "─ 4 Console" not in t.text)
        terminal.press(">", ">", "<", "1")  # alone, the charts have no size to change
        terminal.wait_for(lambda t: edge(t, "2 one") == 40)


def test_chosen_keys_are_told_and_clicked(root: Path, tmp_path: Path) -> None:
    """Also where a key stands in a title, in the line of panes or of what there is; a click types no letter."""
    make_run(root, "one")
    config = tmp_path / "config" / "tracker-tui"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[keys]\n"pane.tree" = "f1"\n"view.query" = "f2"\n"app.help" = "f3"\n')
    with Terminal([*DASHBOARD, str(root)], 80, 24, env={"XDG_CONFIG_HOME": str(config.parent)}) as terminal:
        terminal.wait_for("loss  0.05")
        terminal.wait_for("f2 Find  f3 Help")
        for target, shown in (("f1 Runs", "╭─ f1 Runs"), ("f2 Find", "1 of 1 runs"), ("2 Charts", "╭─ 2 one")):
            column, row = terminal.place_of(target)
            terminal.point(column + 3, row, button=0)
            terminal.point(column + 3, row, button=0, is_up=True)
            terminal.wait_for(shown)
        terminal.wait_for("loss  0.05")


def test_a_folder_is_opened_as_it_was_left(root: Path) -> None:
    """Query, marks, the run under the cursor, hidden panes and how a metric is drawn; another folder knows nothing."""
    for name in ("one", "two", "three", "other"):
        make_run(root, name)
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("4 runs")
        terminal.press("/")
        terminal.wait_for("⏎ Keep")
        terminal.press("name~^t")
        terminal.wait_for("2 of 4 runs")
        terminal.press("enter")
        terminal.wait_for("/ Find")
        terminal.step("end")
        terminal.wait_for("2 two")
        terminal.step(" ", "3", "tab", "l")
        terminal.wait_for("log")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 of 4 runs  /name~^t")
        terminal.wait_for("2 two")
        terminal.wait_for("1 marked")
        terminal.wait_for("log")
        assert "3 Overview" not in terminal.text
    elsewhere = root.with_name("elsewhere")
    make_run(elsewhere, "one")
    with Terminal([*DASHBOARD, str(elsewhere)]) as terminal:
        terminal.wait_for("loss  0.05")
        assert "3 Overview" in terminal.text
        assert "/name~^t" not in terminal.text


def test_what_was_remembered_may_be_gone_or_nonsense(root: Path, tmp_path: Path) -> None:
    """Then the newest run is shown, and nothing is hidden that nobody can bring back."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("loss  0.05")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
    (kept,) = tmp_path.rglob("folders/*.json")
    for words in (
        '{"shown": {"place": ["vision", "gone", ""], "query": "((", "marked": [7, ["a"]], "pinned": 3}}',
        '{"shown": {"place": {"a": 1}}, "panes": {"shown": [], "tree": -5, "overview": "wide", "only": 7}}',
        '{"panes": {"only": ["centre"], "console": [], "shown": [["tree"], 3]}}',
        '{"panes": {"shown": 1, "tree": 100000, "console": 1000000}}',
        "[",
    ):
        kept.write_text(words)
        with Terminal([*DASHBOARD, str(root)]) as terminal:
            terminal.wait_for("loss  0.05")
            terminal.wait_for("2 one")
            assert "1 Runs" in terminal.text


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 12)])
def test_a_click_presses_the_key_that_it_names(root: Path, columns: int, rows: int) -> None:
    """On the names of panes of a narrow terminal, and on the last line."""
    make_run(root, "one")
    with Terminal([*DASHBOARD, str(root)], columns, rows) as terminal:
        terminal.wait_for("loss  0.05")
        for target, shown in (("1 Runs" if columns > 44 else " 1 ", "╭─ 1 Runs"), ("? Help", "─ Keys ─")):
            column, row = terminal.place_of(target)
            terminal.point(column + 1, row, button=0)
            terminal.point(column + 1, row, button=0, is_up=True)
            terminal.wait_for(shown)


def test_the_mouse_points_at_what_it_is_on(root: Path) -> None:
    """A click chooses the line under it, folds by an arrow or a heading, and orders the table by a title."""
    for name in ("one", "two", "three"):
        make_run(root, name)

    def click(text: str, by: int = 0) -> None:
        column, row = terminal.place_of(text)
        terminal.point(column + by, row, button=0)
        terminal.point(column + by, row, button=0, is_up=True)

    with Terminal([*DASHBOARD, str(root)]) as terminal:
        terminal.wait_for("2 three")
        terminal.wait_for("✓ one")
        click("✓ one", 2)
        terminal.wait_for("2 one")
        click("▾ Summary")
        terminal.wait_for("▸ Summary")
        click("▾ vision")
        terminal.wait_for("▸ vision")
        terminal.wait_for("age▲")
        click("name   ")
        terminal.wait_for("name▲")
        click("name▲")
        terminal.wait_for("name▼")


def test_over_ssh_no_frame_waits_behind_another(root: Path) -> None:
    """Until the terminal has shown one the next is not written; then what is there by then comes at once."""
    make_run(root, "one")
    run = tracker.init(project="vision", name="live", id="live", dir=root)
    run.log({"loss": 1.0})
    with Terminal([*DASHBOARD, str(root)], env={"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}) as terminal:
        terminal.wait_for("2 live")
        terminal.press(ANSWER)  # to the question that Textual asks at its start
        terminal.wait_for(lambda t: t.raw.count(QUESTION) == 2)  # the first frame after that was written
        terminal.settle()
        before = len(terminal.raw)
        run.log({"loss": 0.125})
        terminal.press("down")
        terminal.settle(0.5)
        assert len(terminal.raw) == before
        terminal.press(ANSWER)
        terminal.wait_for("2 one")
        terminal.wait_for(lambda t: t.raw.count(QUESTION) == 3)
        terminal.press("up")
        terminal.wait_for("2 live")  # also if an answer was lost
        terminal.press(ANSWER, "q")
        assert terminal.wait_for_end() == 0
    run.finish()
