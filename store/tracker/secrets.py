"""Takes out of what is kept what nobody else is to read.

Of command lines and addresses: the values behind flags and variables whose names say that they are secret, credentials,
bearer words, and tokens that are known by their shape. Of a config, which must not lose what a model is made of, less:
values whose names end in what is always secret, what looks like a key behind other such names, passwords in addresses,
and tokens. Of printed text, exceptions and diffs the tokens alone. It is a guess: what neither its name nor its shape
gives away is kept as it is.

It is on the way of `init`, so it makes do with small patterns: one large expression takes longer to compile than the
rest of `init`, and more than linear time on hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

MASK: Final = "***"

_ANYWHERE: Final = ("secret", "passw", "passphrase", "credential")
"""Parts of names of secrets."""
_AT_END: Final = frozenset(
    (
        "token",
        "pwd",
        "pw",
        "pass",
        "pat",
        "sig",
        "cookie",
        "bearer",
        "auth",
        "authorization",
        "apikey",
        "accesskey",
    )
)
"""Last words of names of secrets."""
_KEYS: Final = frozenset(("api", "access", "private", "auth", "wandb", "account", "encryption"))
"""Words before `key` in names of secrets."""
_MODEL_TOKENS: Final = frozenset(("pad", "bos", "eos", "unk", "sep", "cls", "mask"))
"""Words before `token` in names of what a language model reads."""
_LONG: Final = 20
"""Characters from which on a value with digits in it counts as secret behind any `key`."""
_ALWAYS: Final = frozenset(
    ("password", "passwd", "passphrase", "secret", "credential", "credentials", "apikey", "accesskey")
)
"""Last words of names in a config whose values are secret whatever they look like."""
_RANDOM: Final = re.compile(r"(?=.*\d)[A-Za-z0-9_\-+=.~]{20,}")
"""What a key or token looks like that has no known shape."""
_TOKEN: Final = re.compile(
    r"hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|glpat-[\w\-]{20,}|A[KS]IA[A-Z0-9]{16}(?!\w)"
    r"|xox[abp]-\d[\w\-]{18,}|AIza[\w\-]{35}(?!\w)|sk-(?<![\w\-]sk-)(?=[\w\-]*\d)[\w\-]{32,}"
    r"|eyJ(?<![\w\-]eyJ)[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]{8,}",
    re.ASCII,
)
"""Tokens of services, as they make them; where a run of letters could be tried from many places, from its first."""
_BREAK: Final = re.compile(r"([\s\"'=:,;&?{}()\[\]<>|]+)")
_BREAK_OF_VALUE: Final = re.compile(r"[\s\"',;&}]")
_PASSWORD: Final = re.compile(r":\D")
_WORDS: Final = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_WHO: Final = re.compile(r"://([^\s/]*)@")
_WITH_PASSWORD: Final = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")


def mask(text: str) -> str:
    """Text with every secret in it replaced by `***`."""
    first, *rest = _BREAK.split(_WHO.sub(_masked_who, text))
    parts = [_shape_masked(first)]
    before, is_hidden, is_header = first, False, False
    for separator, word in zip(rest[::2], rest[1::2], strict=True):
        if is_hidden and (not _BREAK_OF_VALUE.search(separator) or (is_header and separator.isspace())):
            continue  # the value goes on
        is_scheme = before.lower() == "bearer" or (is_hidden and before.lower() == "basic")
        is_value = ("=" in separator or ":" in separator) and _is_secret(before, word)
        is_hidden = bool(word) and (is_scheme or is_value)
        is_header = is_value and before.lower().endswith("authorization")  # `Authorization: token abc`
        parts += (separator, MASK if is_hidden else _shape_masked(word))
        before = word
    return "".join(parts)


def mask_words(words: Iterable[str]) -> list[str]:
    """The words of a command line, each as it is or masked; the value may be a word of its own or behind a `=`."""
    masked = []
    before = ""
    for word in words:
        name, equals, value = word.partition("=")
        is_behind = (before.startswith("-") and _is_secret(before, word)) or before.lower() == "bearer"
        is_flag = word.startswith("--") or (word.startswith("-") and len(word) == 2)
        if is_behind and not is_flag:
            masked.append(MASK)
        elif equals and _is_secret(name, value):
            masked.append(f"{name}={MASK}")
        else:
            masked.append(mask(word))
        before = word
    return masked


def mask_config(config: dict[str, Any]) -> dict[str, Any]:
    """A config with the strings masked that are secret by name or shape, at any depth."""
    return {key: _masked_value(key, value) for key, value in config.items()}


def _masked_value(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return mask_config(value)
    if isinstance(value, list):
        return [_masked_value(key, item) for item in value]
    if not isinstance(value, str) or not value:
        return value
    *_, before, last = ("", *_words_of(key))
    is_named = last in _ALWAYS or (last == "key" and before in (*_KEYS, *_ALWAYS))
    may_be = last in _AT_END and not (last == "token" and before in _MODEL_TOKENS)
    if is_named or (may_be and _RANDOM.fullmatch(value)):
        return MASK
    return mask_tokens(_WITH_PASSWORD.sub(rf"\g<1>{MASK}@", value))


def mask_tokens(text: str) -> str:
    """Any text with the tokens that are known by their shape made asterisks, as many as they have characters."""
    return _TOKEN.sub(lambda found: "*" * len(found[0]), text)


def without_credentials(address: str) -> str:
    """The address of a repository without password or token; `git@` of ssh stays."""
    scheme, separator, rest = address.partition("//")
    if separator:
        place, slash, path = rest.partition("/")
        if "@" not in place and _PASSWORD.search(place):  # which has a slash in it
            place, slash, path = rest.rpartition("@")[2].partition("/")
        who, at, host = place.rpartition("@")
        user = who.partition(":")[0] if "ssh" in scheme else ""
        address = f"{scheme}//{user}{at if user else ''}{host}{slash}{path}"
    elif "@" in address:
        who, at, place = address.rpartition("@")
        address = f"{who.partition(':')[0]}@{place}"
    return mask(address)


def _is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is secret: `--api-key`, `HF_TOKEN`, `model.password`."""
    *_, before, last = ("", *_words_of(name))
    name = name.lower()
    if last == "key":
        is_token = len(value) >= _LONG and any(c.isdigit() for c in value) and not value.startswith(("/", "."))
        return before in _KEYS or any(part in name for part in _ANYWHERE) or is_token
    if last in _AT_END:
        return not (last == "token" and before in _MODEL_TOKENS)
    return any(part in name for part in _ANYWHERE)


def _words_of(name: str) -> list[str]:
    return _WORDS.sub("_", name).lower().split("_")


def _shape_masked(word: str) -> str:
    return _TOKEN.sub(MASK, word)


def _masked_who(found: re.Match[str]) -> str:
    is_name = ":" not in found[1] and found.string.endswith("ssh", 0, found.start())
    return found[0] if is_name else f"://{MASK}@"
