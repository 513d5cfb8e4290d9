"""The query language: what fits, what is refused and where, what is offered."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

import pytest

from tracker_tui.query import QueryError, complete, parse, quoted

NOW = 1_800_000_000.0
DAY = datetime.fromtimestamp(NOW).astimezone().date().isoformat()
RUN: dict[str, Any] = {
    "name": "ResNet-50 base",
    "id": "abc123",
    "project": "vision",
    "group": "night",
    "tags": ["best", "two words", "naïve"],
    "state": "running",
    "notes": "try again\nwith dropout",
    "host": "gpu-7",
    "loss": 0.15,
    "val/loss": float("nan"),
    "lr": 1e-3,
    "step": 12_000,
    "age": 5400.0,
    "created": NOW,
    "config.model": "ViT",
    "config.layers": [2, 4, 8],
    "config.amp": True,
    "my metric": 3,
    "archived": False,
}

NAMES = ["name:", "tag:", "loss", "val/loss", "config.lr", "my metric", "not"]
VALUES = defaultdict(
    list, {"tag": ["best", "two words", 'a"b', "or"], "state": ["running", "failed"], "my metric": ["3"]}
)


def fits(text: str, **more: Any) -> bool:
    return parse(text).matches({**RUN, **more}.get)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "resnet",
        "RESNET base",
        '"50 base"',
        "best",
        "night vision",
        "name:resnet",
        "name: base",
        "id:abc",
        "tags:two",
        'tags="two words"',
        "tags:NAÏVE",
        "state:run",
        "state=Running",
        "host:gpu",
        "notes:dropout",
        "loss<0.2",
        "loss < .2",
        "loss<=0.15",
        "loss>=1.5e-1",
        "lr<0.01",
        "lr>0.0001 lr<0.01",
        "step>10k",
        "step<1M",
        "age<2h",
        "age>=90m",
        "age>1h age<1d",
        "created>2026-11-01",
        "created<2100-01-01",
        "created>2026-11-01T12:30",
        "created>2026-11-01 12:30:00 resnet",
        f"created:{DAY}",
        f"created={DAY}",
        "step:12k",
        "step>10K",
        "! " * 1000 + "resnet",
        "not " * 999 + "vgg",
        "config.model=vit",
        "config.model!=resnet",
        "missing!=anything",
        "missing=none",
        "config.layers=4",
        "config.layers>7",
        "config.amp=true",
        "config.amp:yes",
        "archived:no",
        '"my metric">2',
        "'my metric'=3",
        "val/loss=nan",
        "NOT val/loss<9",
        "name~^res",
        "name~'(50|101) b'",
        "name~(res|vgg)",
        "(name~(res|vgg))",
        "name!~vgg",
        "missing!~x",
        "nothing OR resnet",
        "resnet and base",
        "not nothing",
        "!nothing",
        "NOT NOT resnet",
        "nothing AND nothing OR resnet",
        "resnet OR nothing AND nothing",
        "(nothing OR resnet) base",
        "NOT (nothing OR vgg)",
        "((resnet))",
    ],
)
def test_fits(text: str) -> None:
    assert fits(text)


@pytest.mark.parametrize(
    "text",
    [
        "vgg",
        "resnet vgg",
        "dropout",  # notes are searched by name only
        "name:vgg",
        "tags=two",
        "loss<0.15",
        "loss>0.15",
        "loss<nan",
        "val/loss<9",
        "val/loss>0",
        "missing<9",
        "missing>0",
        "missing:x",
        "missing~.",
        "age<1h",
        "created:2026-11-01",
        "step:12M",
        "created<2026-11-01",
        "config.model!=vit",
        "config.amp=false",
        "config.amp>0",
        "archived:yes",
        "NOT resnet",
        "!resnet",
        "resnet AND NOT base",
        "(nothing OR resnet) AND vgg",
        "name!~res",
    ],
)
def test_does_not_fit(text: str) -> None:
    assert not fits(text)


@pytest.mark.parametrize(
    ("text", "start", "end", "says"),
    [
        ("loss<", 5, 5, "a value is missing after <"),
        ("loss<0.2 AND", 12, 12, "something is missing here"),
        ("AND loss<1", 0, 3, "something is missing before AND"),
        ("a OR OR b", 5, 7, "something is missing before OR"),
        ("NOT", 3, 3, "something is missing here"),
        ("(loss<1", 0, 1, "this ( is not closed"),
        ("loss<1)", 6, 7, "no ( before this )"),
        ("()", 1, 2, "something is missing before )"),
        ("=3", 0, 1, "a field is missing before ="),
        ("lr<fast", 3, 7, "'fast' is no number, length of time or date"),
        ("0.1<lr<0.5", 4, 6, "'lr' is no number, length of time or date"),
        ("age<2h<3h", 6, 7, "'<' is too much"),
        ("name~(", 5, 6, "no regular expression"),
        ("name~*", 5, 6, "no regular expression"),
        (r"name~(\w+\s?)+$", 5, 15, "a repeat of a repeat could take forever"),
        ('tag:"best', 4, 9, "this quote is not closed"),
        ("a:(b)", 2, 2, "a value is missing after :"),
        ("(" * 60, 50, 51, "too many parentheses"),
    ],
)
def test_refuses_at_the_bad_place(text: str, start: int, end: int, says: str) -> None:
    with pytest.raises(QueryError, match=r".") as caught:
        parse(text)
    assert str(caught.value).startswith(says)
    assert (caught.value.start, caught.value.end) == (start, end)


def test_names_are_known() -> None:
    """Whoever evaluates a query knows which fields it asks for."""
    assert parse("(loss<1 OR NOT config.lr=2) word tag:x").names == {"loss", "config.lr", "tag"}


def test_any_text_is_a_query_or_an_error_with_a_place() -> None:
    """No input ends in another error, and none takes long."""
    generator = random.Random(5)
    parts = [
        "loss",
        "tag",
        "<",
        ">=",
        "!=",
        "!~",
        "~",
        ":",
        "=",
        "(",
        ")",
        "AND",
        "or",
        "NOT",
        '"',
        "'",
        " ",
        "0.1",
        "2h",
    ]
    parts += ["\\", "[", "*", "é", "日本", "\x1b[31m", "!", "-", "1e999", "2026-01-01", "9999999999d", "\0", "nan"]
    places = []
    started = time.monotonic()
    for _ in range(20_000):
        text = "".join(generator.choice(parts) for _ in range(generator.randrange(12)))
        try:
            parse(text).matches(RUN.get)
        except QueryError as error:
            places.append((0, error.start, error.end, len(text)))
        found = complete(text, generator.randint(0, len(text)), ["loss", "tag:", "a b"], VALUES.__getitem__)
        places.append((0, found.start, found.end, len(text)))
    assert places == [tuple(sorted(place)) for place in places]
    assert time.monotonic() - started < 60


def offered(text: str) -> tuple[str, ...]:
    return complete(text, len(text), NAMES, VALUES.__getitem__).options


def test_fields_are_offered_best_first() -> None:
    """What begins so before what only contains it; nothing before anything is typed."""
    assert offered("lo") == ("loss", "val/loss")
    assert offered("loss<1 AND (lo") == ("loss", "val/loss")
    assert offered("lr") == ("config.lr",)
    assert offered("") == ()
    assert offered("loss<1 ") == ()


def test_values_are_offered_behind_an_operator() -> None:
    assert offered("state:") == ("running", "failed")
    assert offered("state=f") == ("failed",)
    assert offered('"my metric">') == ("3",)
    assert offered("loss<") == ()


@pytest.mark.parametrize("text", ["tag:", 'tag:"', "tag:t", "my"])
def test_what_is_offered_parses_back(text: str) -> None:
    """Words with spaces, quotes or the name of an operator come in quotes."""
    found = complete(text, len(text), NAMES, VALUES.__getitem__)
    assert found.options
    for option in found.options:
        parse(text[: found.start] + option + text[found.end :] + (">1" if text == "my" else ""))


@pytest.mark.parametrize("value", ["plain", "two words", 'a"b', "it's", "or", "(x)", "a:b", "x=1", "日本 語"])
def test_a_quoted_value_means_itself(value: str) -> None:
    assert parse(f"field={quoted(value)}").matches({"field": value}.get)


def test_completion_replaces_the_word_under_the_cursor() -> None:
    assert complete("lo AND b", 2, NAMES, VALUES.__getitem__)[:2] == (0, 2)
