"""`tracker-tui purge`: what removes files for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tracker import layout
from tracker.catalog import Catalog
from tracker.report import short_path
from tracker.stored import Key, StoredRun
from tracker_tui import artifacts
from tracker_tui.artifacts import Version
from tracker_tui.commands.shell import Parser, agrees, fail, find, print_lines, warn
from tracker_tui.look import size_text, some_runs
from tracker_tui.sources import Sources

Sweeps = Mapping[tuple[Catalog, str], list[list[str]]]
"""What is swept, by project's folder: the versions that go, by the names of their folder and file."""


def purge(words: list[str]) -> int:
    """Remove the files of deleted runs."""
    parser = Parser(
        prog="tracker-tui purge",
        description="Remove the files of deleted runs for good, after asking. Without RUN, of all of them. What no"
        " version of an artifact has any more goes too, once it is a day old.",
        epilog="example: tracker-tui purge --artifacts",
    )
    parser.add_argument("runs", metavar="RUN", nargs="*", help="only these of the deleted runs")
    parser.add_where()
    parser.add_argument(
        "--artifacts",
        action="store_true",
        help="also the versions that they made of artifacts, but those that a run which stays has used, or that have"
        " another alias than latest",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(words)
    sources, runs = find(given, given.runs, with_deleted=True, may_remove=True)
    if not given.runs:
        runs = [run for run in sources.newest_first(with_deleted=True) if run.deleted]
    for run in runs:
        if not run.deleted:
            fail(f"{run.label} is not deleted: `tracker-tui delete` comes first")
        if run.state == "running":
            fail(f"{run.label} is running: `tracker-tui stop` comes first")
    versions = artifacts.unneeded(artifacts.versions(sources)[0], runs) if given.artifacts and runs else []
    sweeps = _sweeps(sources, versions)
    count, bytes_, troubles = _sweep(sweeps, is_rehearsal=True)
    if not runs and not count:
        for trouble in troubles:
            warn(trouble)
        print_lines("no run is deleted")
        return 0
    _tell(sources, runs, versions)
    if count:
        print_lines(f"{_contents(count)} that no artifact has{' then' if versions else ''}  {size_text(bytes_)}")
    if not given.yes and not agrees(f"Remove {_what(runs, versions)} for good?"):
        print_lines("nothing removed")
        return 1
    count, bytes_, more = _sweep(sweeps, is_rehearsal=False)  # first: the next purge knows versions by their runs
    troubles = [trouble for run in runs if (trouble := sources.of(run).purge(run))]
    removed = len(runs) - len(troubles)
    for trouble in (*troubles, *more):
        warn(f"not removed: {trouble}")
    if count:
        print_lines(f"removed {_contents(count)}, {size_text(bytes_)}")
    if runs:
        print_lines(f"removed {removed} of {some_runs(len(runs))}")
    return 1 if troubles or more else 0


def _what(runs: Sequence[StoredRun], versions: Sequence[Version]) -> str:
    if not runs:
        return "what no artifact has"
    more = f" and {len(versions)} version{'s' * (len(versions) != 1)} of artifacts" if versions else ""
    return f"the files of {some_runs(len(runs))}{more}"


def _contents(count: int) -> str:
    return f"{count:,} content{'s' * (count != 1)}"


def _tell(sources: Sources, runs: list[StoredRun], versions: list[Version]) -> None:
    """What will be removed."""
    forks = _forks(sources, runs)
    for run in runs:
        bytes_ = size_text(sources.of(run).disk_use(run))
        print_lines(f"{run.project}/{run.id}  {run.label}  {short_path(run.path)}  {bytes_}")
        print_lines(
            *(f"  its fork {fork.label} will lose the beginning of its history" for fork in forks.get(run.key, []))
        )
    print_lines(*(f"{each.label}  {each.manifest.type}  {size_text(each.manifest.size)}" for each in versions))


def _sweeps(sources: Sources, versions: list[Version]) -> Sweeps:
    found: dict[tuple[Catalog, str], list[list[str]]] = defaultdict(list)
    for catalog in sources.catalogs.values():
        for project in artifacts.projects(catalog):
            found[catalog, project] = []
    for version in versions:
        found[version.catalog, version.folder].append([version.artifact, f"v{version.manifest.version}.json"])
    return found


def _sweep(sweeps: Sweeps, is_rehearsal: bool) -> tuple[int, int, list[str]]:
    """Remove from all projects what nothing needs; how many contents, their bytes, and what went wrong."""
    done = [catalog.files.sweep(project, going, is_rehearsal) for (catalog, project), going in sweeps.items()]
    return sum(each[0] for each in done), sum(each[1] for each in done), [each[2] for each in done if each[2]]


def _forks(sources: Sources, runs: list[StoredRun]) -> dict[Key, list[StoredRun]]:
    """Runs that go on from one of these and stay."""
    going = {run.key for run in runs}
    found: dict[Key, list[StoredRun]] = {}
    for run in sources.newest_first():
        parent = run.start.get("fork_of")
        if isinstance(parent, str) and run.key not in going:
            found.setdefault(run.key._replace(id=layout.file_name(parent)), []).append(run)
    return found
