"""What media are made of on the screen, without one: pictures, maps, tables, files, what the terminal answers."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image
from textual.events import Key

import tracker
from support import write_journal
from tracker.catalog import Catalog
from tracker.history import History, MediaColumn
from tracker.references import references
from tracker_tui import artifacts, contents, files, media
from tracker_tui.background import Background, Listener
from tracker_tui.contents import Place, UnreadableError
from tracker_tui.graphics import Cell, Graphics, Layer, Placed, encoded, is_worth_asking
from tracker_tui.heat import bins_of, heat
from tracker_tui.pictures import Look, decode, drawn
from tracker_tui.sheets import Sheet, cell_text

FOLDER = "run-20260101_120000-abcd1234"
BLACK = (0, 0, 0)


def file_of(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def column(*values: object, steps: list[int] | None = None) -> MediaColumn:
    made = MediaColumn()
    for step, value in zip(steps or range(len(values)), values, strict=True):
        made.put(step, orjson.dumps(value), 1 << 30)
    return made


def histogram(counts: list[Any], edges: list[Any]) -> dict[str, Any]:
    return {"_type": "histogram", "values": counts, "bins": edges}


# ---- images ----


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16", "CMYK"])
def test_images_of_all_modes_are_drawn(mode: str) -> None:
    """A white image is white, whatever its mode."""
    white = Image.new("RGB", (8, 8), (255, 255, 255))
    image = Image.new("I;16", (8, 8), 65535) if mode == "I;16" else white.convert(mode)
    data = file_of(image, "TIFF" if mode == "CMYK" else "PNG")
    found = decode(data, 8, 8, BLACK)
    assert (found.mode, found.getpixel((4, 4))) == ("RGB", (255, 255, 255))


def test_what_is_transparent_shows_the_background() -> None:
    image = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert decode(file_of(image), 2, 2, (1, 2, 3)).getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16", "1"])
def test_a_large_image_is_made_small_before_all_else(mode: str) -> None:
    """What it takes beside its own pixels is little."""
    data = io.BytesIO()
    Image.new(mode, (3000, 2000)).save(data, "PNG")
    decode(data.getvalue(), 60, 40, (0, 0, 0))  # what is loaded the first time
    assert decode(data.getvalue(), 60, 40, (0, 0, 0)).size in ((60, 40), (61, 41))


def test_of_an_animation_the_first_frame_is_shown() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind in ("GIF", "PNG"):
        data = file_of(frames[0], kind, save_all=True, append_images=frames[1:])
        assert decode(data, 4, 4, BLACK).getpixel((0, 0)) == (255, 0, 0)


def test_two_pixels_stand_in_a_cell() -> None:
    """An image keeps its shape: as wide as there is room for, half as many lines as pixels high."""
    look = Look(BLACK)
    rows = drawn(file_of(Image.new("RGB", (64, 32), (9, 9, 9))), 40, 30, look).rows
    assert (len(rows), {row.cell_length for row in rows}) == (10, {40})
    shaded = drawn(file_of(Image.new("RGB", (64, 32), (255, 255, 255))), 40, 30, look._replace(is_shaded=True)).rows
    assert [row.text for row in shaded] == ["█" * 40] * 10


def bomb(width: int, height: int) -> bytes:
    """The head of a PNG of so many pixels, and nearly nothing of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image at all",
        bomb(100_000, 100_000),
        bomb(2**31 - 1, 2**31 - 1),
        bomb(100, 100),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        b"GIF89a\xff\xff\xff\xff",
    ],
    ids=["empty", "text", "bomb", "larger", "cut short", "a program", "head only"],
)
def test_what_is_no_image_says_so(data: bytes) -> None:
    """Nothing but a reason comes of it, and nothing large is made before."""
    with pytest.raises(UnreadableError, match=r"too many|no image"):
        decode(data, 10, 10, BLACK)


def test_damaged_images_never_raise_anything_else(chance: random.Random) -> None:
    whole = [file_of(Image.new("RGB", (20, 20), (1, 2, 3)), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF")]
    for _ in range(300):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with contextlib.suppress(UnreadableError):
            drawn(bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data), 10, 5, Look(BLACK))


# ---- pictures in pixels ----


def listened(*parts: str) -> tuple[list[Graphics], str]:
    """What a terminal tells in some parts, and what was taken for typed."""
    parser = Listener()
    found = [message for part in parts for message in parser.feed(part)]
    typed = "".join(message.character or message.key for message in found if isinstance(message, Key))
    return [message for message in found if isinstance(message, Graphics)], typed


KITTY = "\x1b_Gi=4211;OK\x1b\\\x1bP>|kitty(0.30)\x1b\\\x1b[6;18;9t\x1b[?62;22c"
SIXEL = "\x1bP>|foot(1.16)\x1b\\\x1b[6;20;10t\x1b[?62;4;22c"
ITERM = "\x1bP>|iTerm2 3.5.0\x1b\\\x1b[6;20;10t\x1b[?62;4c"


@pytest.mark.parametrize(
    ("told", "way", "cell"),
    [
        (KITTY, "kitty", Cell(9, 18)),
        (SIXEL, "sixel", Cell(10, 20)),
        (ITERM, "iterm2", Cell(10, 20)),
        ("\x1b[?62;4c", "blocks", None),
        ("\x1b_Gi=4211;ENOTSUPPORTED:no\x1b\\\x1b[?6c", "blocks", None),
        ("\x1b[6;0;0t\x1b[?62;4c", "blocks", None),
    ],
)
def test_answers_tell_how_images_are_shown(told: str, way: str, cell: Cell | None) -> None:
    """What is typed around them is typed; sixels need to know how large a cell is."""
    (message,), typed = listened("a" + told + "b")
    assert (message.way, message.cell, typed) == (way, cell, "ab")


@pytest.mark.parametrize("told", [KITTY, SIXEL, ITERM])
def test_answers_may_come_in_any_two_parts(told: str) -> None:
    for place in range(1, len(told)):
        (message,), typed = listened(told[:place], told[place:])
        assert (message.way, typed) == (listened(told)[0][0].way, "")


def test_background_and_reports_are_heard_beside_them() -> None:
    parser = Listener()
    found = list(parser.feed(f"\x1b]11;rgb:0/0/0\x1b\\{KITTY}\x1b[?2026;2$yx"))
    assert [type(message).__name__ for message in found[:2]] == [Background.__name__, Graphics.__name__]
    assert isinstance(found[-1], Key)


def test_what_stands_between_is_not_asked() -> None:
    assert is_worth_asking({"TERM": "xterm-256color"})
    for between in ({"TMUX": "/tmp/x,1,0"}, {"STY": "1.x"}, {"TERM": "linux"}):
        assert not is_worth_asking({"TERM": "xterm-256color", **between})


@pytest.mark.parametrize("way", ["kitty", "iterm2", "sixel"])
def test_a_picture_covers_whole_cells(way: Any) -> None:
    pixels = encoded(Image.new("RGB", (95, 41), (1, 2, 3)), way, Cell(10, 20))
    assert (pixels.width, pixels.height) == (10, 3)
    assert pixels.data.startswith({"kitty": "\x1b_G", "iterm2": "\x1b]1337;File=", "sixel": "\x1bP"}[way])


def test_pictures_are_written_when_they_must_be() -> None:
    """Kitty's once, and taken off by number; sixels again after a frame that touched their cells."""
    out: list[str] = []
    layer = Layer(out.append)
    image = Image.new("RGB", (20, 40))
    kitty, sixel = (Placed(3, 4, encoded(image, way, Cell(10, 20))) for way in ("kitty", "sixel"))  # type: ignore[arg-type]

    def written(*pictures: Placed, is_touched: bool = False) -> str:
        out.clear()
        layer.paint(pictures, lambda _: is_touched)
        return "".join(out)

    assert "\x1b[5;4H\x1b_Ga=T" in written(kitty)
    assert written(kitty, is_touched=True) == ""
    assert "a=d" in written()
    assert "a=p" in written(kitty._replace(y=9))
    assert "a=T" not in "".join(out)
    assert "\x1bP" in written(sixel)
    assert written(sixel) == ""
    assert "\x1bP" in written(sixel, is_touched=True)
    assert layer.paint([], lambda _: False)


def test_a_terminal_keeps_few_pictures_and_none_in_the_end() -> None:
    """Each of kitty's is deleted with its data."""
    out: list[str] = []
    layer = Layer(out.append)
    image = Image.new("RGB", (10, 20))
    for number in range(100):
        layer.paint([Placed(0, 0, encoded(image, "kitty", Cell(10, 20)))], lambda _: False)
        assert "".join(out).count("d=I") == max(0, number - 32)
    layer.clear()
    assert "".join(out).count("a=T") == "".join(out).count("d=I") == 100


# ---- histograms ----


def test_a_map_shows_where_most_is() -> None:
    """Steps from left to right, values from below, the most of all is 1; between steps the last one holds."""
    found = heat(column(histogram([4, 0], [0, 1, 2]), histogram([0, 2], [0, 1, 2]), steps=[0, 10]), 10, 2)
    assert found is not None
    assert (found.low, found.high, found.first, found.last) == (0, 2, 0, 10)
    assert found.rows == [[0.0] * 9 + [1.0], [1.0] * 9 + [0.0]]
    assert [found.column_of(step) for step in (0, 5, 10, 99)] == [0, 5, 9, 9]


@pytest.mark.parametrize(
    "record",
    [
        histogram([], []),
        histogram([1, 2], [0, 1]),
        histogram([1], [1, 0]),
        histogram([-1], [0, 1]),
        histogram(["1"], [0, 1]),
        histogram([1], [0, "NaN"]),
        histogram([1], [0, 1e308]),
        histogram([1] * 5000, list(range(5001))),
        {"_type": "histogram", "values": {"a": 1}, "bins": None},
        {"_type": "histogram"},
    ],
)
def test_what_is_no_histogram_is_left_out(record: dict[str, Any]) -> None:
    assert bins_of(orjson.dumps(record)) is None
    assert heat(column(record), 10, 4) is None
    assert heat(column(record, histogram([1], [0, 0])), 10, 4) is not None


# ---- tables ----


def test_a_map_of_a_range_that_is_hardly_one() -> None:
    """The smallest numbers there are do not end the dashboard."""
    column = MediaColumn()
    column.put(0, b'{"_type":"histogram","values":[1,0],"bins":[0,5e-324,1e-310]}', 1 << 20)
    made = heat(column, 10, 4)
    assert made is not None
    assert max(map(max, made.rows)) == 1


@pytest.mark.parametrize("cut", range(2, 40))
def test_of_a_table_that_was_cut_off_whole_rows_are_shown(cut: int) -> None:
    """Whatever is in its texts."""
    rows = [[number, '"]},[[{' * 3, {"_type": "image-file"}] for number in range(50)]
    data = orjson.dumps({"columns": ["a", "b", "c"], "data": rows})
    sheet = Sheet(data[: len(data) * cut // 40])
    assert sheet.rows == rows[: len(sheet.rows)]
    assert len(sheet.rows) >= 50 * cut // 40 - 3


def test_a_cell_may_be_nested_deeply() -> None:
    """Deeper than anything can print."""
    nested = b"[" * 1000 + b"]" * 1000
    sheet = Sheet(b'{"columns":["a"],"data":[[' + nested + b"]]}")
    assert sheet.line(0, 0, 80).startswith("[[[")


def test_a_table_is_cut_where_it_must_be() -> None:
    """Of one that is cut off somewhere, all whole rows are there."""
    rows = [[number, f'a "]" and [b], {number}', {"x": [1, 2]}] for number in range(50)]
    data = json.dumps({"columns": ["n", "text", "more"], "data": rows}, separators=(",", ":")).encode()
    assert len(Sheet(data).rows) == 50
    for end in range(100, len(data) - 2, 37):
        kept = Sheet(data[:end]).rows
        assert kept == rows[: len(kept)]
        assert len(kept) >= data[:end].count(b"]}],[") - 1


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"columns":1,"data":2}', b"\xff", b"[" * 10_000])
def test_what_is_no_table_says_so(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        Sheet(data)


def test_cells_are_clean_and_say_what_media_are() -> None:
    image = {"_type": "image-file", "path": "media/images/a.png", "width": 64, "height": 48}
    sheet = Sheet(
        orjson.dumps({"columns": ["a\x1b[31m", 2], "data": [["x" * 999, image], 7, [None], [[image, image]]]})
    )
    assert sheet.names[0] == "a[31m"
    assert cell_text(image) == "[image 64x48]"
    assert cell_text([image, image]) == "[image 64x48 +1]"
    assert [len(sheet.line(row, 0, 30)) <= 30 for row in range(-1, 4)] == [True] * 5


# ---- where things stand ----


def test_pictures_of_a_list_are_as_large_as_fit() -> None:
    shown = references(orjson.dumps([{"_type": "image-file", "path": "media/a.png", "width": 9, "height": 9}] * 12))
    for width, height in ((116, 33), (40, 10), (16, 5), (1, 1), (300, 90)):
        grid = media.grid(shown, width, height)
        assert grid.columns * (grid.width + 1) - 1 <= max(width, 1)
        assert grid.rows * (grid.height + 1) - 1 <= max(height, grid.height)
    assert media.grid(shown, 116, 33).room == 12


def test_each_run_shows_its_newest_up_to_a_step() -> None:
    logged = column(*({"_type": "image-file", "caption": str(step)} for step in (0, 5, 9)), steps=[0, 5, 9])
    texts = [
        shown.references[0].caption if shown else None
        for shown in (media.shown_at(logged, step) for step in (None, -1, 0, 4, 5, 99))
    ]
    assert texts == ["9", None, "0", "0", "5", "9"]
    assert [media.neighbour([logged], 5, by) for by in (-1, 1)] == [0, 9]
    assert media.neighbour([logged], 9, 1) is None
    assert media.ends([logged, MediaColumn()]) == (0, 9)


# ---- files ----


@pytest.fixture
def catalog(root: Path) -> Catalog:
    write_journal(root, [{"_type": "start", "id": "abcd1234", "name": "one"}, {"_type": "end", "exit_code": 0}])
    (root / "p" / FOLDER / "files").mkdir(parents=True)
    catalog = Catalog(root)
    catalog.refresh()
    return catalog


def place(catalog: Catalog, name: str) -> Place:
    (run,) = catalog.runs.values()
    return contents.place_of(catalog, run, name)


def test_files_are_read_up_to_a_limit(catalog: Catalog, root: Path) -> None:
    file = root / "p" / FOLDER / "files" / "a.bin"
    file.write_bytes(bytes(1_000_000))
    assert contents.read(place(catalog, "files/a.bin")) == bytes(1_000_000)
    assert len(contents.read(place(catalog, "files/a.bin"), 1000, is_start=True)) == 1000
    with pytest.raises(UnreadableError, match="too many"):
        contents.read(place(catalog, "files/a.bin"), 1000)
    with pytest.raises(UnreadableError, match="gone"):
        contents.read(place(catalog, "files/b.bin"))


def test_nothing_is_opened_but_what_is_looked_at(catalog: Catalog, root: Path) -> None:
    """No program is started for a kind of file that might be one, for a link, for what is gone."""
    folder = root / "p" / FOLDER / "files"
    (folder / "run.desktop").write_text("[Desktop Entry]")
    (folder / "link.png").symlink_to("/etc/passwd")
    assert "kind" in contents.open_outside(place(catalog, "files/run.desktop"))
    assert "link" in contents.open_outside(place(catalog, "files/link.png"))
    assert "gone" in contents.open_outside(place(catalog, "files/none.png"))


def test_texts_are_clean_and_binaries_none() -> None:
    assert contents.text_of(b"a\tb\x1b[31m\n\xe2\x80\xaec") == ["a   b[31m", "c"]
    assert contents.text_of(b"\x00\x01") is None
    assert contents.text_of(bytes(range(128, 255)) * 10) is None
    assert contents.text_of(b"") == []


def test_the_tree_of_files(catalog: Catalog, root: Path) -> None:
    """Folders with what is in them, artifacts last; what is found is open."""
    folder = root / "p" / FOLDER
    (folder / "media" / "images").mkdir(parents=True)
    for number in range(30):
        (folder / "media" / "images" / f"{number:02}.png").write_bytes(b"x" * number)
    (folder / "files" / "model.pt").write_bytes(b"weights")
    (run,) = catalog.runs.values()
    found = files.found(catalog, run)
    assert files.counts(found.files) == {"media": (30, 435), "files": (1, 7)}
    tree = files.FileTree()
    record = {"_type": "artifact", "use": "made", "name": "model", "version": 3, "type": "model", "aliases": ["best"]}
    for each in (record, {**record, "name": 5}, {**record, "version": -1}, {"_type": "artifact"}):
        run.apply(each)
    tree.put(found.files, files.artifacts_of(run), {})
    assert ["/".join(node.path) for node in tree.nodes()] == [
        *("files", "files/model.pt", "media", "artifacts", "artifacts/made model:v3", f"{FOLDER}.jsonl"),
    ]
    tree.words = ("07", "png")
    assert ["/".join(node.path) for node in tree.nodes()] == ["media", "media/images", "media/images/07.png"]


def test_an_artifact_shows_its_files(root: Path) -> None:
    """By its manifest, which may be anything."""
    for name in ("maker", "user"):
        with tracker.init(project="p", dir=root, id=name) as run:
            artifact = tracker.Artifact("data", "dataset", metadata={"k": 1})
            with artifact.new_file("a/b.txt") as file:
                file.write("hello")
            artifact.add_reference("s3://bucket/c", "c")
            if name == "maker":
                run.log_artifact(artifact, aliases=["best"])
            else:
                run.use_artifact("data:best")
    catalog = Catalog(root)
    catalog.refresh()
    runs = list(catalog.runs.values())
    (user,) = (run for run in runs if run.id == "user")
    (used,) = files.artifacts_of(user)
    version = files.version(catalog, runs, user, used)
    assert [run.id for run in version.makers + version.users] == ["maker", "user"]
    assert artifacts.facts(version).items() >= {"aliases": "best, latest", "  k": "1"}.items()
    digest = hashlib.sha256(b"hello").hexdigest()
    assert [(file.path, file.place.paths if file.place else file.about) for file in files.inside(version)] == [
        (("a", "b.txt"), (f".artifacts/blobs/{digest[:2]}/{digest}",)),
        (("c",), "s3://bucket/c"),
    ]
    manifest = root / "p" / ".artifacts" / "data" / "v0.json"
    for text in (
        "",
        "[]",
        '{"entries": 5}',
        "{",
        manifest.read_text().replace("hello", "x").replace("k", "k" * 9)[:-9],
    ):
        manifest.unlink()
        manifest.write_text(text)
        with pytest.raises(UnreadableError):
            files.version(catalog, runs, user, used)


def test_a_history_of_a_thousand_images_is_shown_by_what_is_in_sight() -> None:
    """Layout looks at the newest of each name alone."""
    history = History()
    history.extend([{"_step": step, "x": {"_type": "image-file", "path": f"media/{step}"}} for step in range(1000)])
    assert len(history.media["x"].steps) == 1000
    media.parsed.cache_clear()
    media.kind_of(history.media["x"])
    assert media.parsed.cache_info().misses == 1
