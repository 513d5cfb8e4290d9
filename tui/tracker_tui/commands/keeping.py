"""`tracker-tui artifacts`: what runs made and used."""

from __future__ import annotations

import time

from tracker.records import clean
from tracker.versions import parse_path
from tracker_tui import artifacts as kept
from tracker_tui.artifacts import Version
from tracker_tui.commands.shell import Parser, fail, open_where, print_columns, print_json, print_lines, roots_of, warn
from tracker_tui.look import ago, size_text

EXAMPLES = """\
examples:
  tracker-tui artifacts
  tracker-tui artifacts model:best
  tracker-tui artifacts vision/model --dir gpu1:work/runs
  tracker-tui artifacts --json | jq '.[] | select(.type == "model")'
"""
MAX_CELL = 40
MAX_FILES = 200
"""Files of a version that are listed; JSON has all."""


def artifacts(words: list[str]) -> int:
    """List artifacts: versions, aliases, who made and used them."""
    parser = Parser(
        prog="tracker-tui artifacts",
        description="List artifacts with their newest version; of one artifact all versions, and the files of one.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="name, name:v3 or name:alias, also with project/ in front"
    )
    parser.add_where()
    parser.add_argument(
        "--json", action="store_true", help="one array of objects, a version each; of NAME with its files"
    )
    given = parser.parse_args(words)
    sources = open_where(given, [given.dir] if given.dir else [])
    try:
        found, damaged = kept.versions(sources)
    except (OSError, ValueError) as error:
        fail(str(error), code=1)
    shown = found if given.name is None else _chosen(found, given.name, roots_of(sources))
    if given.json:
        print_json([kept.as_json(version, given.name is not None) for version in shown])
    elif given.name is not None and len(shown) == 1:
        _print_one(shown[0])
    elif given.name is not None:
        _print_table(shown)
    elif shown:
        _print_table([version for version in shown if version.is_latest], with_count=True)
    else:
        warn(f"no artifacts in {roots_of(sources)} yet")
    for file in damaged:
        warn(f"{file} is damaged and was left out")
    return 0


def _chosen(found: list[Version], name: str, where: str) -> list[Version]:
    """The versions that a user means, or the end of the command."""
    try:
        has_alias = ":" in name
        project, name, alias = parse_path(name, "")
    except ValueError as error:
        fail(str(error))
    named = [each for each in found if each.manifest.name == name and project in ("", each.project)]
    if not named:
        fail(f"there is no artifact {clean(name)!r} in {where}")
    if len(dict.fromkeys((each.catalog.source, each.folder) for each in named)) > 1:
        fail(f"several projects have an artifact {clean(name)!r}: say which one, e.g. {named[0].project}/{name}")
    if not has_alias:
        return named
    one = [each for each in named if alias == f"v{each.manifest.version}" or alias in each.aliases]
    if not one:
        fail(f"{clean(name)!r} has no version {clean(alias)!r}: it has {', '.join(_names(named))}")
    return one


def _names(versions: list[Version]) -> list[str]:
    """What the versions can be called, the newest first; not too many."""
    names = [name for each in versions for name in (f"v{each.manifest.version}", *each.aliases)]
    return [*names[:10], *(["..."] if len(names) > 10 else [])]


def _print_one(version: Version) -> None:
    manifest = version.manifest
    print_lines(clean(version.label, 200), *manifest.description.split("\n") if manifest.description else ())
    print_lines(*(f"{label:<10}{value}" for label, value in kept.facts(version).items()), "")
    files = sorted(manifest.entries.items())
    rows = [[size_text(entry.size), clean(path, 200), clean(entry.reference, 200)] for path, entry in files[:MAX_FILES]]
    if rows:
        print_columns(rows, [0])
    if len(files) > MAX_FILES:
        print_lines(f"{len(files) - MAX_FILES:,} more (--json lists all)")


def _print_table(shown: list[Version], with_count: bool = False) -> None:
    counts = ["VERSIONS"] if with_count else []
    rows = [["ARTIFACT", "TYPE", *counts, "SIZE", "FILES", "ALIASES", "MADE BY", "USED BY", "AGE"]]
    now = time.time()
    for version in shown:
        manifest = version.manifest
        maker = version.maker.label if version.maker is not None else manifest.run
        users = (
            version.users[0].label + f" +{len(version.users) - 1}" * (len(version.users) > 1) if version.users else ""
        )
        rows.append(
            [
                clean(version.label, 2 * MAX_CELL),
                clean(manifest.type, MAX_CELL),
                *([str(version.count)] if with_count else []),
                size_text(manifest.size),
                f"{len(manifest.entries):,}",
                clean(", ".join(version.aliases), MAX_CELL),
                clean(maker, MAX_CELL),
                clean(users, MAX_CELL),
                ago(max(0.0, now - manifest.created)),
            ]
        )
    print_columns(rows, [2, 3, 4] if with_count else [2, 3])
