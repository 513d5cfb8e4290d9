"""What holds for every input: of files, values, queries, answers from other machines, numbers to be drawn, output.

Hypothesis looks for a counter-example in a few cases here; `fuzz.py` lets a coverage-guided fuzzer look for hours.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from inputs import contents, floats, json_values, kinds, line_of, logged, rows, scalars, texts

from support import write_journal
from tracker import Api, filters, layout, records
from tracker.catalog import Catalog
from tracker.history import Column, History
from tracker.journal import decode_lines
from tracker.pages import Pages
from tracker.references import brief, is_medium, references
from tracker.replay import MAX_STEP, RunState
from tracker.stored import Key, StoredRun
from tracker.terminal import Terminal
from tracker_tui import query
from tracker_tui.axes import HUGE
from tracker_tui.chart import Cells
from tracker_tui.hosts import parse
from tracker_tui.hosts.link import Link, LinkError
from tracker_tui.plot import Order, Plotter, Subject
from tracker_tui.series import Series
from tracker_tui.views import RELATIVE, STEP, WALL, View, Window


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def texts_of(value: object) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_of(key)
            yield from texts_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_of(item)


def same(one: object, other: object) -> bool:
    """Whether values are equal, NaN to itself."""
    return repr(one) == repr(other)


# ---- files ----


@example(b'{"_step": 1e+308}\n{"_step": 8}\n', [])
@given(contents, st.lists(st.integers(0, 400), max_size=4))
def test_any_file_is_a_run(content: bytes, cuts: list[int]) -> None:
    """Whatever is in a journal, it is listed and read, whole or as it grows, and every intact row is in its history."""
    with folder() as root:
        path = write_journal(root, b"")
        grown = Catalog(root)
        for cut in [*sorted(cuts), len(content)]:
            path.write_bytes(content[:cut])
            grown.refresh()
        for catalog in (grown, Catalog(root)):
            catalog.refresh()
            for run in catalog.runs.values():
                for shown in (run.name, run.id, run.group, run.notes, *run.tags):
                    assert records.clean(shown, 10**6) == shown
        (run,) = Api(root).runs()
        found = list(run.scan_history())
        run.history(samples=5, pandas=False)
        run.history(stream="system", pandas=False)
        assert len({row["_step"] for row in found}) == len(found)
        assert set(steps_of(content)) == {float(row["_step"]) for row in found}


def steps_of(content: bytes) -> Iterator[float]:
    """The steps of the intact rows of a file, found without any code of ours but the limits of a step."""
    for line in content.split(b"\n")[:-1]:
        with suppress(ValueError):
            record = json.loads(line, parse_constant=_refuse)
            if isinstance(record, dict) and "_type" not in record and is_step(record.get("_step")):
                yield float(record["_step"])


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def is_step(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= MAX_STEP


@given(st.lists(rows | kinds, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_history_is_the_same_in_any_pieces(found: list[dict[str, Any]], cuts: list[int]) -> None:
    """Rows folded by column, one by one, and in pieces are the same columns."""
    decoded, _ = decode_lines(b"".join(map(line_of, found)))
    whole, single, pieces = History(), History(), History()
    whole.extend(decoded)
    for record in decoded:
        single.extend([record])
    for start, stop in pairwise([0, *sorted(cuts), len(decoded)]):
        pieces.extend(decoded[start:stop])
    for other in (single, pieces):
        assert same(columns_of(whole), columns_of(other))


def columns_of(history: History) -> dict[str, Any]:
    everything: dict[str, Any] = {**history.columns, **{f"m {key}": c for key, c in history.media.items()}}
    everything |= {"the times": history.times, **{f"_{key}": c for key, c in history.system.items()}}
    return {key: (list(column.steps), list(column.values)) for key, column in sorted(everything.items())}


@given(logged)
def test_any_value_refers_to_nothing_elsewhere(value: object) -> None:
    """What is read of a medium is clean, and its path stays below the run's own folder of media."""
    decoded = json.loads(json.dumps(value).replace("NaN", "0").replace("Infinity", "0"))
    if not is_medium(decoded):
        return
    assert brief(decoded).isprintable()
    for found in references(json.dumps(decoded).encode("utf-8", "replace")):
        assert records.clean(found.caption + found.trouble + found.kind) == found.caption + found.trouble + found.kind
        assert not found.path or os.path.normpath(found.path) == found.path
        assert not found.path or found.path.startswith("media/")


@given(st.lists(kinds | rows, max_size=12))
def test_any_record_is_replayed(found: list[dict[str, Any]]) -> None:
    """No record stops a replay, nor does what is written of it for the next reader; and that is a fixed point."""
    state = RunState("abcd1234", "p", 0.0)
    for record in found:
        state.apply(record)
    state.apply_edit(found[0] if found else {})
    assert all(records.clean(text, 10**6) == text for text in texts_of([state.name, state.tags, list(state.summary)]))


words_printed = texts | st.text('\x1b[]0;m\n"\\é', max_size=9)


@given(
    st.lists(st.tuples(st.integers(-1, 30), words_printed, json_values), max_size=30),
    st.binary(max_size=30),
    st.integers(-5, 40),
    st.integers(0, 12),
)
def test_any_console_is_paged(printed: list[tuple[int, str, Any]], torn: bytes, first: int, count: int) -> None:
    """Whatever is in the file of what a run printed, every page of it is had, and searching ends."""
    content = b"".join(
        line_of({"_type": "line", "line": number, "stream": "stdout", "_timestamp": odd, "text": text})
        for number, text, odd in printed
    )
    with folder() as root:
        path = root / "console.jsonl"
        path.write_bytes(content + torn)
        pages = Pages(str(path))
        page = pages.page(first, count)
        assert page is None or len(page.lines) <= count + 2
        for field in ("_step", "_timestamp"):
            pages.line_at(field, float(first))
        numbers, end = pages.matches("0", 0, 1 << 20)
        assert end <= len(content + torn)
        assert len(numbers) <= len(printed) + torn.count(b"\n") + 1


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_a_screen_is_the_same_in_any_pieces(text: str, cuts: list[int]) -> None:
    """Output leaves the same lines however it comes, and nothing in them commands a terminal."""
    whole, pieces = Terminal(), Terminal()
    lines = [*whole.feed(text), *whole.close()]
    split = [line for cut in pairwise([0, *sorted(cuts), len(text)]) for line in pieces.feed(text[slice(*cut)])]
    assert [*split, *pieces.close()] == lines
    assert not any(character in line.text for line in lines for character in "\x1b\x9b\r\n\x07\x08\x00")


@given(
    st.text("ab\x1b[]0123456789;mKJHABCDGhl?\r\n\b\t\x9b\u202e", max_size=120),
    st.lists(st.integers(0, 120), max_size=5),
)
def test_a_screen_of_commands_is_the_same_in_any_pieces(text: str, cuts: list[int]) -> None:
    test_a_screen_is_the_same_in_any_pieces.hypothesis.inner_test(text, cuts)


# ---- values ----


@given(
    st.text() | st.text("\x00\x1b\x9b\u200b\u202e\u2066\ufeff\U000e0041ab e\u0301\u200c\u200d\u0627\u0644\ufe0f\u3164"),
    st.integers(1, 50),
)
def test_clean_text_is_clean(text: str, limit: int) -> None:
    """Nothing that commands a terminal, hides or turns text around is left, and what is clean stays as it is."""
    cleaned = records.clean(text, limit)
    assert cleaned.replace("\u200c", "").isprintable()  # which shapes letters, and is nowhere else
    assert len(cleaned) <= limit
    assert records.clean(cleaned, limit) == cleaned


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_of_files_are_safe_and_apart(one: str, other: str) -> None:
    assume(one != other and all(text.isprintable() for text in (one, other)))
    names = layout.file_name(one), layout.file_name(other)
    assert names[0] != names[1]
    for name, text in zip(names, (one, other), strict=True):
        assert len(name) <= layout.MAX_FILE_NAME_BYTES
        assert not set(name) & set("/.\\\0 ")
        assert "~" in name or layout.true_name(name) == text


odd_values = st.recursive(
    scalars
    | st.binary(max_size=5)
    | st.dates()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.just(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.sets(st.integers(), max_size=3)
        | st.dictionaries(st.integers() | texts | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(odd_values)
def test_any_value_can_be_written(value: object) -> None:
    """Every value becomes JSON; what is JSON already comes back as it was, numbers without a JSON form included."""
    plain, is_kept = records.plain({"value": value})
    written = records.encode(plain)
    assert written.count(b"\n") == 1
    back = records.restore(records.decode(written))
    if is_kept and is_json(value):
        assert same(back["value"], value)


def is_json(value: object) -> bool:
    """Whether a value is one of JSON's own, within what orjson and the format have a place for."""
    if isinstance(value, list):
        return all(map(is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and key.isprintable() and is_json(item) for key, item in value.items())
    if isinstance(value, str):
        return value not in ("NaN", "Infinity", "-Infinity") and value.encode("utf-8", "replace").decode() == value
    return value is None or isinstance(value, bool | float) or (type(value) is int and -(2**63) <= value < 2**64)


# ---- questions ----

words = st.sampled_from(["(", ")", "or", "not", "and", "=", "!=", "~", "!~", "<=", ":", '"', "'", "loss", "state", "1h",
                         "2026-01-01", "2026-01-01 10:00", "(a+)+", "[", "*", "tag:x", "5e3", "-", "NaN"])  # fmt: skip
queries = st.lists(words | texts, max_size=9).map(" ".join) | st.text(max_size=30)


@given(queries, st.dictionaries(texts | st.sampled_from(["loss", "state"]), json_values, max_size=3), st.data())
def test_any_query_is_understood_or_explained(text: str, fields: dict[str, Any], data: st.DataObject) -> None:
    """A query is asked of any run, or what is wrong with it is said of a part of it; completing it always works."""
    at = data.draw(st.integers(0, len(text)))
    completion = query.complete(text, at, ["loss", "state", *fields], lambda _: map(str, fields.values()))
    assert 0 <= completion.start <= completion.end <= len(text)
    wrong = None
    try:
        assert query.parse(text).matches(fields.get) in (True, False)
    except query.QueryError as error:
        wrong = error
    assert wrong is None or (str(wrong) and 0 <= wrong.start <= wrong.end <= len(text))


operators = ["$gt", "$lte", "$in", "$nin", "$regex", "$eq", "$ne", "$exists", "$not", "$what"]
wanted = st.recursive(json_values, lambda inner: st.dictionaries(st.sampled_from(operators), inner, max_size=2))
asked = st.sampled_from(["state", "config.a", "config.a.b", "createdAt", "tags", "$foo", ""])
joined = st.sampled_from(["$and", "$or", "$nor", "$not"])
questions = st.recursive(
    st.dictionaries(asked, wanted, max_size=2),
    lambda inner: st.dictionaries(joined, st.lists(inner, max_size=2) | inner),
    max_leaves=4,
)


@given(questions, st.dictionaries(st.sampled_from(["state", "config", "tags", "created_at"]), json_values, max_size=3))
def test_any_filter_fits_or_is_refused(question: Any, fields: dict[str, Any]) -> None:
    with suppress(ValueError):
        assert filters.matches(question, fields.__getitem__) in (True, False)
    for order in ("-config.a", "+state", "created_at"):
        key, _ = filters.sort_key(order)
        sorted([key(fields.__getitem__), key({}.__getitem__), key({"config": {"a": 1}, "state": "x"}.__getitem__)])


# ---- other machines ----

metas = st.fixed_dictionaries(
    {},
    optional={
        "see": st.lists(json_values, max_size=13)
        | st.tuples(
            st.sampled_from(["p", "..", "a/b"]) | texts,
            st.sampled_from(["run-20260101_120000-abcd1234.jsonl", "edits-h-u.jsonl", "run-x", "passwd"]),
            *([st.integers(0, 100) | json_values] * 5),
            *([st.booleans() | json_values] * 5),
        ),
        "lines": json_values,
        "as": json_values,
        "answer": json_values,
        "number": json_values,
        "trouble": json_values,
        "complete": json_values,
        "folders": json_values,
        "hello": json_values,
        "now": json_values,
        "opened": json_values,
        "root": json_values,
    },
)


@given(st.lists(st.tuples(metas, contents), max_size=4))
def test_any_answer_ends_the_link_or_is_harmless(frames: list[tuple[dict[str, Any], bytes]]) -> None:
    """What another machine says is no frame, and the link ends, or its runs are those of a folder, with clean names."""
    address = parse("far:/runs")
    assert address is not None
    link = Link(address)
    catalog = Catalog(files=link)
    try:
        for meta, data in frames:
            with suppress(LinkError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
                link.hear(json.loads(json.dumps(meta)), data)
            catalog.apply(catalog.collect())
            assert all(text.isprintable() for text in (link.root, link.trouble))
        for key, run in catalog.runs.items():
            assert "/" not in key.project
            assert key.project not in ("..", ".", "")
            assert run.state in ("pending", "running", "finished", "failed", "killed", "crashed")
            assert all(records.clean(text, 10**6) == text for text in texts_of([run.name, run.id, run.tags, run.notes]))
    finally:
        for descriptor in (link.wake_descriptor, link._wake_write):  # it was never started
            os.close(descriptor)


@given(
    st.lists(st.tuples(metas | json_values, st.binary(max_size=20)), max_size=4), st.binary(max_size=20), st.booleans()
)
def test_any_bytes_end_a_session_or_are_frames(frames: list[tuple[Any, bytes]], torn: bytes, is_packed: bool) -> None:
    """Bytes of an ssh that says anything: the session ends with an error that says why, or waits for more."""
    from tracker_tui.hosts.session import MAGIC, Session

    said = b"".join(len(head + data).to_bytes(4) + head + data for head, data in
                    ((line_of(meta), data) for meta, data in frames)) + torn  # fmt: skip
    heard: list[dict[str, Any]] = []

    class Near:
        heard = 0.0
        machine = "far"

        def hear(self, meta: dict[str, Any], data: bytes) -> None:
            heard.append(meta)

        def notify(self) -> None: ...

        def explain(self, code: int | None, said: str, noise: str) -> str:
            return noise

    session = Session(Near(), (), may_ask=False)  # type: ignore[arg-type]
    with suppress(ValueError, LinkError, zlib.error, RecursionError):
        session._hear(MAGIC + (zlib.compress(said) if is_packed else said))
    assert all(isinstance(meta, dict) for meta in heard)


# ---- numbers to be drawn ----

points = st.lists(st.tuples(st.integers(0, 60), floats), max_size=40)
views = st.builds(
    View,
    st.sampled_from([0.0, 0.6, 0.999]),
    st.booleans(),
    st.sampled_from(["", STEP, RELATIVE, WALL, "acc"]),
    st.booleans(),
    st.none() | st.builds(Window, st.floats(-10, 60), st.floats(-10, 1e9), st.booleans()),
)


def history_of(found: Iterable[tuple[int, float]], times: Iterable[float]) -> History:
    history = History()
    for (step, value), moment in zip(found, times, strict=False):
        history.columns.setdefault("loss", Column()).put(step, value)
        history.columns.setdefault("acc", Column()).put(step, -value)
        history.times.put(step, moment)
    return history


@example([[(0, 0.0)]], [0.0] * 40, View(window=Window(0.0, 5e-324, follows=True)), 60, 10, False)
@given(st.lists(points, min_size=1, max_size=3), st.lists(st.floats(0, 4e9), min_size=40, max_size=40), views,
       st.integers(1, 120), st.integers(1, 40), st.booleans())  # fmt: skip
def test_any_numbers_are_drawn(
    found: list[list[tuple[int, float]]], times: list[float], view: View, width: int, height: int, is_overlay: bool
) -> None:
    """Numbers of any size, on any axis and in any space, become as many cells as there is room for."""
    subjects = tuple(
        Subject(StoredRun(Key("p", str(number), ""), "/", f"run-{number}", 0.0), history_of(each, times), number)
        for number, each in enumerate(found)
    )
    plot = Plotter().plot(Order("loss", subjects, view, width, height, is_overlay))
    if plot.rows:
        assert len(plot.rows) <= height
        assert all(cells_of(row) <= width for row in plot.rows)
    for column in range(width):
        x = plot.x_of(column)
        assert x is None or not math.isnan(x)


def cells_of(row: Cells) -> int:
    return sum(len(part[0]) for part in row)


@given(points, st.integers(-5, 65), st.integers(-5, 65), st.booleans())
def test_extremes_are_those_of_a_plain_search(
    found: list[tuple[int, float]], low: int, high: int, positive: bool
) -> None:
    column = Column()
    for step, value in found:
        column.put(step, value)
    series = Series(column, positive=positive)
    series.update()
    fitting = [value for step, value in zip(column.steps, column.values, strict=True)
               if low <= step <= high and abs(value) <= HUGE and (value > 0 or not positive)]  # fmt: skip
    assert series.extremes(low, high) == ((min(fitting), max(fitting)) if fitting else None)
