"""`tracker-tui completion`: what a shell offers when tab is pressed.

The scripts ask the program itself, so they hold for commands and options to come: `tracker-tui __complete` gets what
was typed and prints what may follow, a word and its description a line. Foreign text among it, names of runs, is quoted
for bash here and by zsh and fish themselves: nothing of it is ever evaluated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from tracker.records import clean
from tracker.stored import StoredRun
from tracker_tui.commands.shell import Parser, parser_of, print_lines
from tracker_tui.hosts import Address, open_sources, parse

Command = Callable[[list[str]], int]

COMPLETE: Final = "__complete"
"""The command that the scripts call; it stands in no list."""
DIRECTORIES: Final = 10
FILES: Final = 11
"""Exit codes by which it leaves paths to the shell."""
SECONDS: Final = 0.3
"""How long runs are looked for; the newest come first."""
MAX_WORDS: Final = 300
"""Names and ids that are offered."""
SPECIAL: Final = " \t\\\"'`$&|;<>()*?[]{}!#~^"
"""Signs with a meaning to bash."""

BASH: Final = """\
# tracker-tui completion bash: put `eval "$(tracker-tui completion bash)"` into ~/.bashrc
_tracker_tui() {
    local out line
    COMPREPLY=()
    out="$(tracker-tui __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)"
    case $? in
        10) compopt -o filenames -o plusdirs 2>/dev/null ;;
        11) compopt -o default 2>/dev/null ;;
    esac
    while IFS= read -r line; do
        [[ -n $line ]] && COMPREPLY+=("$line")
    done <<<"$out"
}
complete -F _tracker_tui tracker-tui
"""
ZSH: Final = """\
#compdef tracker-tui
# tracker-tui completion zsh: put `eval "$(tracker-tui completion zsh)"` into ~/.zshrc, after compinit,
# or this text as _tracker_tui into a folder of $fpath
_tracker_tui() {
    local out line
    local -a found shown
    out="$(tracker-tui __complete words "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"
    case $? in
        10) _files -/ ;;
        11) _files ;;
    esac
    for line in "${(@f)out}"; do
        [[ -n $line ]] || continue
        found+=("${line%%$'\\t'*}")
        shown+=("${line//$'\\t'/  -- }")
    done
    (( $#found )) && compadd -l -d shown -a -- found
}
if [[ $funcstack[1] == _tracker_tui ]]; then _tracker_tui "$@"; else compdef _tracker_tui tracker-tui; fi
"""
FISH: Final = """\
# tracker-tui completion fish: put this text into ~/.config/fish/completions/tracker-tui.fish
function __tracker_tui
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    tracker-tui __complete words $words[2..-1] "$current" 2>/dev/null
    switch $status
        case 10
            __fish_complete_directories "$current"
        case 11
            __fish_complete_path "$current"
    end
end
complete -c tracker-tui -f -a '(__tracker_tui)'
"""
SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}
EXAMPLES: Final = """\
examples:
  eval "$(tracker-tui completion bash)"      in ~/.bashrc
  eval "$(tracker-tui completion zsh)"       in ~/.zshrc, after compinit
  tracker-tui completion fish > ~/.config/fish/completions/tracker-tui.fish
"""


class Found(NamedTuple):
    """What may follow."""

    words: Sequence[tuple[str, str]] = ()
    """Each with what it means."""
    paths: int = 0
    """`DIRECTORIES` or `FILES`, where the shell is to offer such too."""


def completion(words: list[str]) -> int:
    """Print a script for your shell, by which tab completes."""
    parser = Parser(
        prog="tracker-tui completion",
        description="Print a script for your shell: then tab completes commands, options, folders and runs.",
        epilog=EXAMPLES,
    )
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help=", ".join(SCRIPTS))
    print_lines(SCRIPTS[parser.parse_args(words).shell].rstrip("\n"))
    return 0


def complete(words: list[str], commands: Mapping[str, Command], dashboard: Command) -> int:
    """What a script asks; whatever goes wrong, nothing is offered.

    Args:
        words: `words`, then what was typed as words, the last one up to the cursor; or `bash`, the signs that divide
            its words, and the line up to the cursor.
        commands: by their names.
        dashboard: what is done without one.
    """
    found = Found()
    lines: list[str] = []
    with contextlib.suppress(OSError, LookupError, ValueError, SystemExit):
        if words[:1] == ["bash"]:
            found, lines = _in_bash(words[1], words[2], commands, dashboard)
        else:
            found = what_follows(words[1:-1], words[-1], commands, dashboard)
            lines = [f"{word}\t{about}" for word, about in found.words]
    print_lines(*lines)
    return found.paths


def what_follows(before: Sequence[str], typed: str, commands: Mapping[str, Command], dashboard: Command) -> Found:
    """What may stand where `typed` is begun, behind the words before it."""
    command = commands.get(before[0]) if before else None
    parser = parser_of(command or dashboard)
    state = _State(parser, before[1:] if command else before)
    if state.open_option is not None:
        return _values(state.open_option, before, typed)
    if typed.startswith("-") and not state.is_past_options:
        found = [
            (name, _about(action))
            for action in parser._actions
            for name in action.option_strings
            if name.startswith(typed) and action.help != argparse.SUPPRESS
        ]
        return Found(found)
    found = []
    if not before:
        found = [(name, _first_line(each)) for name, each in commands.items() if name.startswith(typed)]
    place = state.place
    values = _values(place, before, typed) if place is not None else Found()
    return Found([*found, *values.words], values.paths)


class _State:
    """Where in a command line one is."""

    def __init__(self, parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
        self.open_option: argparse.Action | None = None
        """The option whose value is next."""
        self.is_past_options = False
        options = {name: action for action in parser._actions for name in action.option_strings}
        count = 0
        for word in words:
            if self.open_option is not None:
                self.open_option = None
            elif word == "--":
                self.is_past_options = True
            elif word.startswith("-") and not self.is_past_options:
                action = options.get(word)
                if action is not None and action.nargs != 0:
                    self.open_option = action
            else:
                count += 1
        self.place = next(_places(parser, count), None)
        """The argument that is next."""


def _places(parser: argparse.ArgumentParser, taken: int) -> Iterator[argparse.Action]:
    """The arguments that are not taken by words yet."""
    for action in parser._actions:
        if action.option_strings:
            continue
        if taken <= 0 or action.nargs in ("*", "+"):
            yield action
        taken -= 1


def _values(action: argparse.Action, before: Sequence[str], typed: str) -> Found:
    """What an option or argument may be."""
    if action.choices is not None:
        return Found([(str(choice), "") for choice in action.choices if str(choice).startswith(typed)])
    if action.metavar == "RUN":
        fitting = ((word, about) for word, about in _runs(before, typed) if word.startswith(typed))
        return Found(list(islice(fitting, MAX_WORDS)))
    if action.dest == "name" and before[:1] == ["artifacts"]:
        return Found([found for found in _artifacts(before) if found[0].startswith(typed)][:MAX_WORDS])
    if action.metavar in ("PATH", "FILE"):
        return Found(paths=DIRECTORIES if action.dest in ("paths", "dir") else FILES)
    return Found()


def _runs(before: Sequence[str], typed: str) -> Iterator[tuple[str, str]]:
    """Names of runs where they are unique, and ids where one is begun or there is no other way to tell."""
    address = _folder(before)
    if address is not None and address.host:
        return  # a connection takes too long
    sources = open_sources([address])
    sources.apply(sources.collect(SECONDS))
    is_meant = _MEANT.get(before[0], _is_there)
    runs = [run for run in sources.newest_first(with_deleted=True) if is_meant(run)]
    counts = Counter(run.label for run in runs)
    for run in runs:
        if counts[run.label] == 1:
            yield clean(run.label, 200), clean(f"{run.state} · {run.project}", 80)
        if typed or counts[run.label] > 1:
            about = clean(f"{run.state} · {run.project} · {run.label}", 80)
            yield from ((run.id, about), (clean(f"{run.project}/{run.id}", 200), about))


def _artifacts(before: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Artifacts that runs made and used, by what their journals say: to read all versions takes too long."""
    address = _folder(before)
    if address is not None and address.host:
        return
    sources = open_sources([address])
    sources.apply(sources.collect(SECONDS))
    found: dict[str, str] = {}
    for run in sources.newest_first():
        for record in reversed(run.artifacts):
            found.setdefault(record["name"], clean(f"{record['type']} · {record['project']}", 80))
    yield from sorted(found.items())


def _is_there(run: StoredRun) -> bool:
    return not run.deleted


_MEANT: Final[Mapping[str, Callable[[StoredRun], bool]]] = {
    "stop": lambda run: run.state == "running",
    "undelete": lambda run: bool(run.deleted),
    "purge": lambda run: bool(run.deleted),
}
"""Commands that are about some runs only."""


def _folder(before: Sequence[str]) -> Address | None:
    """What `--dir FOLDER` or `--dir=FOLDER` says."""
    for word, after in zip(before, [*before[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option == "--dir":
            return parse(os.path.expanduser(value if equals else after))
    return None


def _about(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _first_line(command: Command) -> str:
    return (command.__doc__ or "").partition("\n")[0]


# ---- bash ----


def _in_bash(breaks: str, line: str, commands: Mapping[str, Command], dashboard: Command) -> tuple[Found, list[str]]:
    """What may follow in bash's own spelling; it replaces only what stands behind the last of its dividing signs."""
    words, raw, quote = _split(line)
    found = what_follows(words[1:-1], words[-1], commands, dashboard)
    kept = 0
    if not quote:
        is_divided = [sign in breaks and sign not in "\"'" and raw[i - 1 : i] != "\\" for i, sign in enumerate(raw)]
        kept = max((i + 1 for i, divides in enumerate(is_divided) if divides), default=0)
    spelled = [_spelled(word, quote) for word, _ in found.words]
    return found, [word[kept:] for word in spelled if word[:kept] == raw[:kept]]


def _split(line: str) -> tuple[list[str], str, str]:
    """The words of a line, the last one as it was typed too, and the quote that is open in it."""
    words: list[str] = []
    raw = word = quote = ""
    is_escaped = False
    for sign in line:
        if sign in " \t" and not quote and not is_escaped:
            words += [word] if raw else []
            raw = word = ""
            continue
        raw += sign
        if is_escaped or (quote and sign not in (quote, "\\")) or (quote == "'" and sign == "\\"):
            word, is_escaped = word + sign, False
        elif sign == "\\":
            is_escaped = True
        elif sign in "\"'":
            quote = "" if quote else sign
        else:
            word += sign
    return [*words, word], raw, quote


def _spelled(word: str, quote: str) -> str:
    """A word so that bash takes every sign of it as it is."""
    if quote == "'":
        return word.replace("'", "'\\''")
    special = '\\"`$' if quote else SPECIAL
    return "".join(f"\\{sign}" if sign in special else sign for sign in word)
