"""Files beside the journals, here and over ssh: all of them are found and read, and nothing outside their folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from farhost import NAME
from support import wait_for, write_journal
from tracker.catalog import Catalog, Files
from tracker.folders import MAX_NAMES, MAX_PART
from tracker_tui.hosts import checked, open_sources, parse

FOLDER = "run-20260101_120000-abcd1234"
START = {"_type": "start", "id": "abcd1234", "name": "one"}


@pytest.fixture
def folder(root: Path) -> Path:
    """The folder of a run that has ended, with a file in it."""
    write_journal(root, [START, {"_step": 0, "loss": 1.0}, {"_type": "end", "exit_code": 0}])
    folder = root / "p" / FOLDER
    (folder / "media" / "images").mkdir(parents=True)
    (folder / "media" / "images" / "a.png").write_bytes(b"0123456789")
    (folder / "console.jsonl").write_bytes(b"{}\n")
    return folder


@pytest.fixture(params=["here", "over ssh"])
def files(request: pytest.FixtureRequest, root: Path, folder: Path) -> Iterator[Files]:  # noqa: ARG001 - is to be there
    """What gives the files of the run: on this machine, and the same on another."""
    if request.param == "here":
        catalog = Catalog(root)
        catalog.refresh()
        yield catalog.files
        return
    request.getfixturevalue("near_far")
    (catalog,) = open_sources([parse(f"{NAME}:{root}")]).catalogs.values()
    assert wait_for(lambda: catalog.refresh() or catalog.runs)
    yield catalog.files
    catalog.files.close()


def paths(files: Files, folder: str = FOLDER) -> list[str] | None:
    found = files.folder_files("p", folder)
    return None if found is None else [each.path for each in found]


def trouble(files: Files, path: str, project: str = "p") -> str:
    """Why a file cannot be read; nothing of it was."""
    part = files.read_part(project, path, 0, 100)
    assert part.data == b""
    return part.trouble


def test_files_are_listed_and_read_by_the_piece(files: Files, folder: Path) -> None:
    """A list tells paths, sizes and times; a piece comes with the size of the whole, and behind the end is nothing."""
    found = files.folder_files("p", FOLDER)
    assert found is not None
    assert [(each.path, each.size) for each in found] == [
        (f"{FOLDER}/console.jsonl", 3),
        (f"{FOLDER}/media/images/a.png", 10),
    ]
    assert found[1].mtime == pytest.approx((folder / "media" / "images" / "a.png").stat().st_mtime, abs=0.01)
    assert files.read_part("p", found[1].path, 2, 5)[:2] == (b"23456", 10)
    assert files.read_part("p", found[1].path, 8, 100)[:2] == (b"89", 10)
    assert files.read_part("p", found[1].path, 100, 100)[:2] == (b"", 10)


def test_a_piece_is_never_large(files: Files, folder: Path) -> None:
    """Whatever is asked for, one piece is at most `MAX_PART`; pieces make up the file."""
    (folder / "large").write_bytes(os.urandom(2 * MAX_PART + 7))
    data = b""
    while part := files.read_part("p", f"{FOLDER}/large", len(data), 1 << 40).data:
        assert len(part) <= MAX_PART
        data += part
    assert data == (folder / "large").read_bytes()


def test_nothing_outside_the_projects_folder_is_reached(files: Files, root: Path) -> None:
    """`..`, absolute paths, empty and endless ones, other folders' names as project: no list and no byte."""
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    (root / "other").mkdir()
    (root / "other" / "file").write_text("secret")
    outside = ["..", "../other", f"{FOLDER}/../../other", str(secret), "", ".", "/", "a//b", f"./{FOLDER}", "\0", "x\0"]
    for path in [*outside, "a" * 10_000, "/".join("a" * 100)]:
        assert paths(files, path) is None
        assert trouble(files, f"{path}/file")
        assert trouble(files, path)
    for project in ("..", "../secret", str(secret), "", ".", "other", "p/", "p\0"):
        assert files.folder_files(project, FOLDER) is None
        assert trouble(files, "file", project)
    for offset in (-1, 1 << 70):
        assert files.read_part("p", f"{FOLDER}/console.jsonl", offset, 10).trouble


def test_links_are_not_followed(files: Files, root: Path, folder: Path) -> None:
    """A link as file, as folder, as a run's folder, and as a project's: not listed, and not read through."""
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    (folder / "link").symlink_to(secret / "file")
    (folder / "inner").symlink_to(secret)
    (root / "p" / "run-20260101_120000-linked").symlink_to(secret)
    (root / "q").symlink_to(secret)
    assert paths(files) == [f"{FOLDER}/console.jsonl", f"{FOLDER}/media/images/a.png"]
    assert paths(files, f"{FOLDER}/inner") is None
    assert paths(files, "run-20260101_120000-linked") is None
    assert files.folder_files("q", "file") is None
    assert trouble(files, f"{FOLDER}/link") == "it is a link"
    assert trouble(files, f"{FOLDER}/inner/file")
    assert trouble(files, "run-20260101_120000-linked/file")
    assert trouble(files, "file", "q")


def test_what_is_no_regular_file_is_not_opened(files: Files, folder: Path) -> None:
    """A FIFO, a device, a folder: not listed, told to be none, and nobody waits."""
    os.mkfifo(folder / "fifo")
    made = ["fifo", "media"]
    if os.getuid() == 0:
        os.mknod(folder / "device", 0o20666, os.makedev(1, 5))  # /dev/zero
        made.append("device")
    for name in made:
        assert trouble(files, f"{FOLDER}/{name}")
    assert paths(files) == [f"{FOLDER}/console.jsonl", f"{FOLDER}/media/images/a.png"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_unreadable_files_say_so(files: Files, folder: Path) -> None:
    """Without the right to read there is trouble for a file, and a folder is passed over."""
    (folder / "console.jsonl").chmod(0)
    (folder / "media" / "images").chmod(0)
    assert trouble(files, f"{FOLDER}/console.jsonl") == "Permission denied"
    assert paths(files) == [f"{FOLDER}/console.jsonl"]
    (folder / "media" / "images").chmod(0o755)


def test_what_vanishes_or_changes_is_told(files: Files, folder: Path) -> None:
    """A file that is gone says so; of one that was replaced, what it is now is read, with its size."""
    path = f"{FOLDER}/media/images/a.png"
    file = folder / "media" / "images" / "a.png"
    file.write_bytes(b"longer than before")
    assert files.read_part("p", path, 0, 6)[:2] == (b"longer", 18)
    file.unlink()
    assert trouble(files, path) == "the file is gone"
    assert paths(files) == [f"{FOLDER}/console.jsonl"]
    for each in (folder / "media" / "images", folder / "media"):
        each.rmdir()
    assert "gone" in trouble(files, path)
    assert paths(files, f"{FOLDER}/media") is None


def test_names_that_are_no_text_are_read(files: Files, folder: Path) -> None:
    """Names in no encoding and with control characters come as they are, to be read by them."""
    for name in (b"\xff\xfe", b"a\x1b[31m", b"line\nbreak", "größe 人".encode()):
        (folder / "media" / os.fsdecode(name)).write_bytes(name)
        assert files.read_part("p", f"{FOLDER}/media/{os.fsdecode(name)}", 0, 100).data == name
    assert len(paths(files, f"{FOLDER}/media") or ()) == 5


def test_lists_have_an_end(root: Path, folder: Path) -> None:
    """Of a folder with very many files so many are told, and folders in each other are listed to some depth."""
    many = folder / "files"
    many.mkdir()
    for number in range(MAX_NAMES + 10):
        (many / str(number)).touch()
    deep = folder / "media"
    for _ in range(100):
        deep /= "d"
        deep.mkdir()
    catalog = Catalog(root)
    catalog.refresh()
    assert len(paths(catalog.files, f"{FOLDER}/files") or ()) == MAX_NAMES
    (deep / "file").touch()
    assert paths(catalog.files, f"{FOLDER}/media") == [f"{FOLDER}/media/images/a.png"]


@pytest.mark.parametrize(
    "answer",
    [
        5,
        [[]],
        [["x/a", 1]],
        [["elsewhere/a", 1, 0]],
        [["x/../a", 1, 0]],
        [["x//a", 1, 0]],
        [["x/a\0", 1, 0]],
        [["x/a", -1, 0]],
        [["x/a", "1", 0]],
        [["x/a", 1, None]],
        [["x/" + "a/" * 200 + "a", 1, 0]],
        [["x/a", 1, 0]] * (MAX_NAMES + 1),
    ],
)
def test_lists_from_elsewhere_are_checked(answer: object) -> None:
    """Another machine's list holds only files below the folder that was asked for."""
    with pytest.raises(ValueError, match=r"no|not"):
        checked.files(answer, "x")


@pytest.mark.parametrize(
    "answer", [None, [b"", None], [b"long", [4, ""]], ["ab", [2, ""]], [b"ab", [-1, ""]], [b"ab", [2, 3]], [b"ab"]]
)
def test_pieces_from_elsewhere_are_checked(answer: object) -> None:
    """A piece is no longer than it may be, and its size is one."""
    with pytest.raises(ValueError, match=r"no|not"):
        checked.part(answer, 3)
    assert checked.part([b"ab", [2, ""]], 3).data == b"ab"
