"""The language that says which runs are meant: in the dashboard behind `/`, in `tracker-tui ls --query`. Pure.

    resnet                          a word in name, id, project, group or tags
    name:base  tag:best  state:run  a field contains a text; of a list, an entry
    config.model=vit  model!=vit    a field is a value; != also where it has none
    loss<0.2  lr>=1e-3  step>10k    numbers; k and M are thousands and millions
    age<2h  duration>90m            s m h d w are lengths of time
    created>2026-11-01              a date, or a date and time, of this place
    name~^base.*[0-9]$  note!~todo  regular expressions
    archived:yes  deleted:yes       what is hidden else
    a b   a AND b   a OR b   NOT a  (a OR b) c   "with spaces"

Case matters in names of config keys and metrics only.
AND binds closer than OR, and is meant where nothing stands between.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

HOW_TO_ASK: Final = "\n".join(line.removeprefix("    ") for line in str(__doc__).splitlines()[2:])
"""The language in examples, for whoever asks for help."""

Lookup = Callable[[str], Any]
"""A run's value by the name of a field: a number, a text, a bool, a list; None where there is none."""
Test = Callable[[Lookup], bool]

SEARCHED: Final = ("name", "id", "project", "group", "tags")
"""Fields in which a bare word is looked for."""
UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "k": 1e3, "K": 1e3, "M": 1e6}
WORDS: Final = ("AND", "OR", "NOT")
MAX_TEXT: Final = 2000
"""Characters of a value that are searched."""

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<op>!=|!~|<=|>=|[<>=~:])|(?P<quote>["'])|(?P<word>[^\s()<>=~:!"']+|!))"""
)
_DATE: Final = re.compile(r"\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?=[\s)]|$)")
_NESTED: Final = re.compile(r"\([^()]*(?:[+*]|\{\d*,\d*\})[^()]*\)(?:[+*]|\{)")
"""A repeat of what repeats itself: such an expression may search for years."""
_NUMBER: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([smhdwkKM]?)")


class QueryError(ValueError):
    """What is wrong with a query, and where.

    Args:
        message: in a few words.
        start: the first character of what is wrong.
        end: the one after its last; the same as `start` where something is missing.
    """

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


class _Token(NamedTuple):
    kind: str
    """`paren`, `op`, `word`, `text` (was in quotes), `open` (its quote is not closed) or `end`."""
    text: str
    start: int
    end: int

    def says(self, word: str) -> bool:
        return self.kind == "word" and self.text.upper() == word


def _scan(text: str, at: int) -> _Token:
    """The token that begins at a place, or after the space there."""
    match = _TOKEN.match(text, at)
    if match is None:
        return _Token("end", "", len(text), len(text))
    kind = str(match.lastgroup)
    start, end = match.span(kind)
    if kind != "quote":
        return _Token(kind, match[kind], start, end)
    close = text.find(match[kind], end)
    if close < 0:
        return _Token("open", text[end:], start, len(text))
    return _Token("text", text[end:close], start, close + 1)


class Term(NamedTuple):
    """A comparison or a bare word of a query."""

    name: str
    """The field; empty for a word."""
    op: str
    text: str
    test: Test


class Query:
    """Which runs are meant. Make one with `parse`."""

    def __init__(self, text: str, test: Test, terms: tuple[Term, ...]) -> None:
        self.text = text
        self.terms = terms
        """What it is made of."""
        self.names = frozenset(term.name for term in terms if term.name)
        """The fields that it names."""
        self._test = test

    def matches(self, lookup: Lookup) -> bool:
        """Whether a run is meant."""
        return self._test(lookup)


def parse(text: str) -> Query:
    """The query that a text says; an empty one means every run.

    Raises:
        QueryError: it cannot be understood.
    """
    parser = _Parser(text)
    test = parser.whole()
    return Query(text, test, tuple(parser.terms))


def _every(_lookup: Lookup) -> bool:
    return True


class _Parser:
    """Recursive descent: `or` of `and` of `not` of a comparison, a word or what stands in parentheses."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.terms: list[Term] = []
        self._depth = 0
        self._token = self._next()

    def whole(self) -> Test:
        if self._token.kind == "end":
            return _every
        test = self._either()
        if self._token.kind != "end":
            raise self._error("no ( before this )" if self._token.text == ")" else f"{self._token.text!r} is too much")
        return test

    def _either(self) -> Test:
        tests = [self._all()]
        while self._token.says("OR"):
            self._advance()
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda lookup: any(test(lookup) for test in tests)

    def _all(self) -> Test:
        tests = [self._not()]
        while True:
            if self._token.says("AND"):
                self._advance()
            elif (self._token.kind not in ("word", "text") and self._token.text != "(") or self._token.says("OR"):
                break
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda lookup: all(test(lookup) for test in tests)

    def _not(self) -> Test:
        is_negated = False
        while self._token.says("NOT") or self._token.says("!"):
            is_negated = not is_negated
            self._advance()
        test = self._one()
        return (lambda lookup: not test(lookup)) if is_negated else test

    def _one(self) -> Test:
        token = self._token
        if token.text == "(" and token.kind == "paren":
            self._depth += 1
            if self._depth > 50:
                raise self._error("too many parentheses")
            self._advance()
            test = self._either()
            if self._token.text != ")":
                raise QueryError("this ( is not closed", token.start, token.end)
            self._depth -= 1
            self._advance()
            return test
        if token.kind == "end":
            raise QueryError("something is missing here", token.start, token.end)
        if token.kind not in ("word", "text") or token.says("AND") or token.says("OR"):
            what = "a field" if token.kind == "op" else "something"
            raise self._error(f"{what} is missing before {token.text}")
        self._advance()
        if self._token.kind == "op":
            return self._comparison(token)
        word = token.text.casefold()
        return self._term("", "", token.text, lambda lookup: any(_contains(lookup(name), word) for name in SEARCHED))

    def _comparison(self, field: _Token) -> Test:
        name, op = field.text, self._token
        operand = self._regex(op) if op.text in ("~", "!~") else self._date() or self._next()
        if operand.kind not in ("word", "text"):
            raise QueryError(f"a value is missing after {op.text}", op.end, op.end)
        self._token = operand
        compare = _comparison(op.text, operand)
        self._advance()
        return self._term(name, op.text, operand.text, lambda lookup: compare(lookup(name)))

    def _term(self, name: str, op: str, text: str, test: Test) -> Test:
        self.terms.append(Term(name, op, text, test))
        return test

    def _date(self) -> _Token | None:
        """A date with a time, whose colons are no operators."""
        match = _DATE.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return _Token("text", match[1], match.start(1), self._at)

    def _regex(self, op: _Token) -> _Token:
        """What stands behind `~`: in quotes, or up to a space or a parenthesis that was not opened in it."""
        start = op.end
        while start < len(self._text) and self._text[start].isspace():
            start += 1
        if self._text[start : start + 1] in ('"', "'"):
            return self._next()
        depth = 0
        end = start
        while end < len(self._text) and not self._text[end].isspace():
            depth += {"(": 1, ")": -1}.get(self._text[end], 0)
            if depth < 0:
                break
            end += 2 if self._text[end] == "\\" else 1
        self._at = end = min(end, len(self._text))
        return _Token("text" if end > start else "end", self._text[start:end], start, end)

    def _advance(self) -> None:
        self._token = self._next()

    def _next(self) -> _Token:
        token = _scan(self._text, self._at)
        if token.kind == "open":
            raise QueryError("this quote is not closed", token.start, token.end)
        self._at = token.end
        return token

    def _error(self, message: str) -> QueryError:
        return QueryError(message, self._token.start, self._token.end)


# ---- comparing ----


def _comparison(op: str, operand: _Token) -> Callable[[Any], bool]:
    text = operand.text
    if op in ("~", "!~"):
        if _NESTED.search(text):
            raise QueryError("a repeat of a repeat could take forever", operand.start, operand.end)
        try:
            with warnings.catch_warnings():  # a warning would be written into the screen
                warnings.simplefilter("ignore")
                pattern = re.compile(text, re.IGNORECASE)
        except (re.error, RecursionError, OverflowError) as error:
            raise QueryError(f"no regular expression: {error}", operand.start, operand.end) from None
        return lambda value: _any(value, lambda one: bool(pattern.search(_text(one)))) == (op == "~")
    number, folded = number_of(text), text.casefold()
    if op == ":":
        return lambda value: _any(value, lambda one: _holds(one, folded, number) or _is_on(one, text, number))
    if op in ("=", "!="):
        return lambda value: (
            _any(value, lambda one: _equals(one, folded, number) or _is_on(one, text, number)) == (op == "=")
        )
    if number is None:
        raise QueryError(f"{text!r} is no number, length of time or date", operand.start, operand.end)
    order = _ORDERS[op]
    return lambda value: _any(value, lambda one: is_number(one) and order(one, number))


_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def number_of(text: str) -> float | None:
    """A number, a length of time in seconds, or a date as seconds since the epoch."""
    match = _NUMBER.fullmatch(text)
    if match is not None:
        return float(match[1]) * UNITS.get(match[2], 1.0)
    if text.casefold() in ("nan", "inf", "-inf", "infinity", "-infinity", "∞", "-∞"):
        return float(text.replace("∞", "inf"))
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def is_number(value: Any) -> bool:
    """Whether a value is compared as a number; yes and no are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _any(value: Any, test: Callable[[Any], bool]) -> bool:
    return any(test(one) for one in value) if isinstance(value, (list, tuple)) else test(value)


def _contains(value: Any, folded: str) -> bool:
    return _any(value, lambda one: _holds(one, folded, None))


def _is_on(value: Any, text: str, number: float | None) -> bool:
    """Whether a moment lies on a day that was named without a time."""
    return (
        number is not None
        and len(text) == len("2026-11-01")
        and "-" in text[1:]
        and is_number(value)
        and (number <= value < number + UNITS["d"])
    )


def _holds(value: Any, folded: str, number: float | None) -> bool:
    if value is None or isinstance(value, bool) or is_number(value):
        return _equals(value, folded, number)
    return folded in _text(value).casefold()


def _equals(value: Any, folded: str, number: float | None) -> bool:
    if value is None:
        return folded in ("none", "null")
    if isinstance(value, bool):
        return folded in (("true", "yes", "1") if value else ("false", "no", "0"))
    if is_number(value):
        return number is not None and (value == number or (math.isnan(value) and math.isnan(number)))
    return _text(value).casefold() == folded


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:MAX_TEXT]


# ---- completing ----


class Completion(NamedTuple):
    """What could stand where somebody is typing."""

    start: int
    end: int
    """The part of the text that would be replaced."""
    options: tuple[str, ...]


def complete(text: str, at: int, names: Iterable[str], values: Callable[[str], Iterable[str]]) -> Completion:
    """What could be typed at a place: fields, behind an operator the values of its field.

    Args:
        text: the query as far as it is typed.
        at: the place of the cursor.
        names: fields as they are typed, those that are best followed by a text with `:` at their ends.
        values: the values that a field has.
    """
    tokens = [_scan(text[:at], 0)]
    while tokens[-1].kind not in ("open", "end"):
        tokens.append(_scan(text[:at], tokens[-1].end))
    tokens = [token for token in tokens if token.kind != "end"]
    last = tokens.pop() if tokens and tokens[-1].kind in ("word", "open") and tokens[-1].end == at else None
    typed, start = (last.text, last.start) if last is not None else ("", at)
    folded = typed.casefold()
    if len(tokens) > 1 and tokens[-1].kind == "op" and tokens[-2].kind in ("word", "text"):
        found = [quoted(value) for value in values(tokens[-2].text) if not {'"', "'"} <= set(value)]
    else:
        found = list(names) if folded else []
    fitting = [option for option in found if folded in option.casefold() and option.casefold() != typed.casefold()]
    fitting.sort(key=lambda option: _closeness(option.casefold().strip('"'), folded))
    return Completion(start, at, tuple(fitting))


def _closeness(option: str, typed: str) -> int:
    """Less for what begins so, as a whole or after a dot or slash, than for what only contains it."""
    if option.startswith(typed):
        return 0
    return 1 if any(part.startswith(typed) for part in re.split(r"[./_]", option)) else 2


def quoted(text: str) -> str:
    """A text as a query takes it for one word."""
    if re.fullmatch(r"""[^\s()<>=~:!"']+""", text) and text.upper() not in WORDS:
        return text
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"
