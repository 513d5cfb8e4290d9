"""Takes out of command lines and addresses what nobody else is to read.

What is masked: the values behind flags and variables whose names say that they are secret, credentials in addresses,
bearer words, and tokens that are known by their shape. It is a guess: a name that says nothing hides nothing.

It is on the way of `init`, so it makes do with small patterns: one large expression takes longer to compile than the
rest of `init`, and more than linear time on hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

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
_BEGINNINGS: Final = (
    *("hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("AKIA", "ASIA", "xoxb-", "xoxp-", "AIza"),
)
"""What tokens of services begin with; they have `_LONG` characters at least."""

_BREAK: Final = re.compile(r"([\s\"'=:,;&?{}()\[\]<>|]+)")
_BREAK_OF_VALUE: Final = re.compile(r"[\s\"',;&}]")
_PASSWORD: Final = re.compile(r":\D")
_WORDS: Final = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_WHO: Final = re.compile(r"://([^\s/]*)@")


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
    *_, before, last = ("", *_WORDS.sub("_", name).lower().split("_"))
    name = name.lower()
    if last == "key":
        is_token = len(value) >= _LONG and any(c.isdigit() for c in value) and not value.startswith(("/", "."))
        return before in _KEYS or any(part in name for part in _ANYWHERE) or is_token
    if last in _AT_END:
        return not (last == "token" and before in _MODEL_TOKENS)
    return any(part in name for part in _ANYWHERE)


def _shape_masked(word: str) -> str:
    return "/".join(MASK if _has_shape(part) else part for part in word.split("/")) if len(word) >= _LONG else word


def _has_shape(word: str) -> bool:
    """Whether a word looks like a token of a service."""
    if len(word) < _LONG:
        return False
    if word.startswith("sk-"):  # names of experiments may begin so, but are seldom written like this
        return any(c.isdigit() for c in word) and any(c.isupper() for c in word)
    return word.startswith(_BEGINNINGS) or (word.startswith("eyJ") and word.count(".") == 2)


def _masked_who(found: re.Match[str]) -> str:
    is_name = ":" not in found[1] and found.string.endswith("ssh", 0, found.start())
    return found[0] if is_name else f"://{MASK}@"
