"""Images, tables and other media: what becomes of them on disk, in rows, and where something is wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from PIL import Image as Pillow

import tracker
from terminal import environment
from tracker.history import History, MediaColumn
from tracker.references import brief, references, references_in

RAMP = numpy.arange(64 * 48 * 3).reshape(48, 64, 3) % 256


def rows_of(root: Path) -> list[dict[str, Any]]:
    """The rows of the only run."""
    return list(tracker.Api(root).runs()[0].scan_history())


def logged(root: Path, **media: Any) -> tuple[dict[str, Any], Path]:
    """The one row of a run that logs media, and the run's folder."""
    with tracker.init(dir=root) as run:
        run.log(media)
    return rows_of(root)[0], Path(run.folder)


def content(folder: Path, record: dict[str, Any]) -> bytes:
    """What a record refers to; its name must be its hash."""
    found = (folder / record["path"]).read_bytes()
    assert len(found) == record["size"]
    assert Path(record["path"]).name.split(".")[0] == hashlib.sha256(found).hexdigest()[:32]
    return found


def picture(folder: Path, record: dict[str, Any]) -> Any:
    """The pixels of a picture."""
    image = Pillow.open(BytesIO(content(folder, record)))
    assert image.size == (record.get("width", image.width), record.get("height", image.height))
    return numpy.asarray(image)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (RAMP.astype(numpy.uint8), RAMP),
        (RAMP, RAMP),
        (RAMP / 255, RAMP),
        (RAMP[:, :, 0], RAMP[:, :, 0]),
        (RAMP[:, :, :1], RAMP[:, :, 0]),
        (RAMP[:, :, :2].astype(numpy.uint8), RAMP[:, :, :2]),
        (RAMP * 3 - 100, (RAMP * 3 - 100).clip(0, 255)),
        (numpy.array([[-1.0, 0.0, 1.0]]), [[0, 127, 255]]),
        (numpy.array([[True, False]]), [[255, 0]]),
        (numpy.array([[0, 1]], numpy.uint8), [[0, 1]]),
        (numpy.array([[0.5, numpy.nan, numpy.inf]]), [[0, 0, 255]]),
        (numpy.stack([RAMP] * 3), numpy.concatenate([RAMP] * 3, axis=1)),
        ([[0, 255], [255, 0]], [[0, 255], [255, 0]]),
    ],
)
def test_arrays_become_pictures(root: Path, array: Any, expected: Any) -> None:
    """With one to four channels; floats of 0 to 1 are spread, batches stand beside each other."""
    row, folder = logged(root, image=tracker.Image(array, caption="a ramp"))
    assert (row["image"]["_type"], row["image"]["caption"]) == ("image-file", "a ramp")
    assert (picture(folder, row["image"]) == numpy.asarray(expected)).all()


class Tensor:
    """What torch's tensors have in common with nothing else."""

    __module__ = "torch"

    def __init__(self, array: Any) -> None:
        self._array = array
        self.dtype = "torch.float32"

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self._array


def test_tensors_have_their_channels_first(root: Path) -> None:
    """Also several in a batch."""
    first = RAMP.transpose(2, 0, 1)
    row, folder = logged(root, one=tracker.Image(Tensor(first)), two=tracker.Image(Tensor(numpy.stack([first] * 2))))
    assert (picture(folder, row["one"]) == RAMP).all()
    assert (picture(folder, row["two"]) == numpy.concatenate([RAMP] * 2, axis=1)).all()


def test_pictures_of_others(root: Path, tmp_path: Path) -> None:
    """Of Pillow and matplotlib, by path and as bytes; also without `Image` around them."""
    from matplotlib.figure import Figure

    ramp = Pillow.fromarray(RAMP.astype(numpy.uint8))
    ramp.save(tmp_path / "ramp.PNG")
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([1, 2])
    row, folder = logged(
        root,
        path=tracker.Image(tmp_path / "ramp.PNG"),
        bytes=tracker.Image((tmp_path / "ramp.PNG").read_bytes()),
        pillow=tracker.Image(ramp),
        copy=tracker.Image(tracker.Image(ramp), caption="again"),
        cmyk=tracker.Image(ramp.convert("CMYK"), file_type="jpg"),
        array=tracker.Image(RAMP, file_type="webp"),
        figure=figure,
        raw=ramp,
    )
    for name in ("path", "bytes", "pillow", "copy", "raw"):
        assert (picture(folder, row[name]) == RAMP).all(), name
    assert row["copy"]["caption"] == "again"
    assert picture(folder, row["figure"]).shape == (50, 100, 4)
    assert [Path(row[name]["path"]).suffix for name in ("path", "cmyk", "array")] == [".png", ".jpg", ".webp"]


def test_a_picture_logged_twice_lies_there_once(root: Path) -> None:
    """Lists keep their order, nested names become dotted ones."""
    with tracker.init(dir=root) as run:
        for _ in range(3):
            run.log({"images": [tracker.Image(RAMP), tracker.Image(255 - RAMP)], "deep": {"er": tracker.Image(RAMP)}})
    row, *_ = rows_of(root)
    for record, ramp in zip(row["images"], (RAMP, 255 - RAMP), strict=True):
        assert (picture(Path(run.folder), record) == ramp).all()
    assert row["deep.er"] == row["images"][0]
    assert sorted(p.name for p in Path(run.folder, "media/images").iterdir()) == sorted(
        Path(record["path"]).name for record in row["images"]
    )


def test_boxes_and_masks_are_kept_as_data(root: Path) -> None:
    """Boxes as JSON, masks as pictures of class numbers."""
    boxes = {"box_data": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1}]}
    mask = {"mask_data": (RAMP[:, :, 0] > 9).astype(int), "class_labels": {0: "sky", 1: "cat"}}
    row, folder = logged(root, image=tracker.Image(RAMP, boxes={"found": boxes}, masks={"truth": mask}))
    found, truth = row["image"]["boxes"]["found"], row["image"]["masks"]["truth"]
    assert json.loads(content(folder, found)) == boxes
    assert found["count"] == 1
    assert (picture(folder, truth) == mask["mask_data"]).all()
    assert truth["class_labels"] == {"0": "sky", "1": "cat"}


def test_sounds_and_moving_pictures(root: Path) -> None:
    """Arrays become WAV and animated PNG."""
    tone = numpy.sin(numpy.arange(800) / 10)
    frames = numpy.stack([RAMP.transpose(2, 0, 1), 255 - RAMP.transpose(2, 0, 1)])
    row, folder = logged(
        root,
        mono=tracker.Audio(tone, sample_rate=8000, caption="tone"),
        stereo=tracker.Audio(numpy.stack([tone, -tone], axis=1), sample_rate=8000),
        video=tracker.Video(frames, fps=2),
        open=tracker.Video(BytesIO(b"not looked at"), format="webm"),
    )
    with wave.open(BytesIO(content(folder, row["mono"]))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 8000, 800)
    with wave.open(BytesIO(content(folder, row["stereo"]))) as file:
        assert file.getnchannels() == 2
    assert (row["mono"]["seconds"], row["mono"]["caption"]) == (0.1, "tone")
    video = Pillow.open(BytesIO(content(folder, row["video"])))
    assert (video.n_frames, video.info["duration"]) == (2, 500)  # type: ignore[attr-defined]
    for index, frame in enumerate((RAMP, 255 - RAMP)):
        video.seek(index)
        assert (numpy.asarray(video.convert("RGB")) == frame).all()
    assert row["open"]["path"].endswith(".webm")


def test_pages_points_and_figures(root: Path, tmp_path: Path) -> None:
    """By content and by path."""
    (tmp_path / "page.html").write_text("<b>page</b>")
    (tmp_path / "mesh.obj").write_text("v 0 0 0")
    row, folder = logged(
        root,
        html=tracker.Html("<i>text</i>"),
        page=tracker.Html("page.html"),
        text=tracker.Html("page.html", data_is_not_path=True),
        points=tracker.Object3D(numpy.eye(3)),
        mesh=tracker.Object3D(str(tmp_path / "mesh.obj")),
        scene=tracker.Object3D({"type": "lidar/beta", "points": numpy.eye(3)}),
        plotly=tracker.Plotly({"data": [], "layout": {"title": "t"}}),
    )
    assert content(folder, row["html"]) == b"<i>text</i>"
    assert content(folder, row["page"]) == b"<b>page</b>"
    assert content(folder, row["text"]) == b"page.html"
    assert json.loads(content(folder, row["points"]))[0] == [1, 0, 0]
    assert content(folder, row["mesh"]) == b"v 0 0 0"
    assert json.loads(content(folder, row["scene"]))["type"] == "lidar/beta"
    assert json.loads(content(folder, row["plotly"]))["layout"] == {"title": "t"}
    assert row["points"]["path"].endswith(".pts.json")
    assert row["plotly"]["_type"] == "plotly-file"


def test_tables(root: Path) -> None:
    """With odd values and pictures in their cells; a table may grow and be logged again."""
    table = tracker.Table(columns=["step", "image", "value"])
    table.add_data(1, tracker.Image(RAMP), float("nan"))
    with tracker.init(dir=root) as run:
        run.log({"table": table})
        table.add_data(2, None, numpy.float32(0.5))
        table.add_column("more", ["a", "b"])
        run.log({"table": table, "frame": pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})})
    first, second = rows_of(root)
    assert (first["table"]["nrows"], first["table"]["ncols"], second["table"]["nrows"]) == (1, 3, 2)
    found = json.loads(content(Path(run.folder), second["table"]))
    assert found["columns"] == ["step", "image", "value", "more"]
    assert (picture(Path(run.folder), found["data"][0][1]) == RAMP).all()
    assert [row[2:] for row in found["data"]] == [["NaN", "a"], [0.5, "b"]]
    assert json.loads(content(Path(run.folder), second["frame"])) == {
        "columns": ["a", "b"],
        "data": [[1, "x"], [2, "y"]],
    }
    again = tracker.Table.load(content(Path(run.folder), second["table"]))
    assert again.get_column("step") == [1, 2]
    assert list(again.get_dataframe()["more"]) == ["a", "b"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: tracker.Table(columns=["a"], data=[[1, 2]]),
        lambda: tracker.Table(columns=["a"]).add_data(1, 2),
        lambda: tracker.Table(columns=["a"], data=[[1]]).add_column("a", [2]),
        lambda: tracker.Table(columns=["a"], data=[[1]]).add_column("b", [2, 3]),
        lambda: tracker.Table(data="text"),
        lambda: tracker.Table(columns=["a"]).get_column("b"),
    ],
)
def test_a_table_that_cannot_be_is_refused_at_once(call: Callable[[], object]) -> None:
    """Dropping values in silence would be worse."""
    with pytest.raises((ValueError, TypeError, KeyError)):
        call()


class Broken:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken")

    def __str__(self) -> str:
        raise RuntimeError("broken")


def tabled(*rows: Any) -> tracker.Table:
    """A table with rows that somebody put into it behind its back."""
    table = tracker.Table(columns=["a", "b"])
    table.data = list(rows) if rows != (None,) else None  # type: ignore[assignment]
    return table


class Mine(tracker.Image):
    """A user's own."""


def test_media_are_found_wherever_they_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a user's own class, in the middle of a list, in a list in a list, even one that holds itself."""
    endless: list[Any] = [tracker.Image(RAMP)]
    endless.append(endless)
    table = tracker.Table(data=[[endless]])
    row, folder = logged(
        root,
        mine=Mine(RAMP),
        some=[None, tracker.Image(RAMP), 1],
        deep=[[tracker.Image(RAMP)]],
        endless=endless,
        table=table,
    )
    assert (picture(folder, row["mine"]) == RAMP).all()
    assert row["some"] == [None, row["mine"], 1]
    assert row["deep"] == [[row["mine"]]]
    assert row["endless"][0] == row["mine"]
    assert row["table"]["nrows"] == 1
    assert "WARNING image" not in capsys.readouterr().err


def test_a_data_frame_may_have_two_columns_of_one_name(root: Path) -> None:
    """Both are kept."""
    row, folder = logged(root, table=pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]))
    assert json.loads(content(folder, row["table"])) == {"columns": ["a", "a"], "data": [[1, 2], [3, 4]]}


@pytest.mark.parametrize(
    "numbers", [[1e308, -1e308], numpy.array([1e308, -1e308]), [5e-324, 0.0], [1e17] * 2, numpy.array([1e17] * 2)]
)
def test_a_histogram_of_numbers_far_apart_or_alike(numbers: Any) -> None:
    """All are counted, between edges that are numbers."""
    histogram = tracker.Histogram(numbers)
    assert sum(histogram.histogram) == 2
    assert numpy.isfinite(histogram.bins).all()
    assert list(histogram.bins) == sorted(histogram.bins)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: tracker.Image("missing.png"), "No such file"),
        (lambda: tracker.Image("."), "no regular file"),
        (lambda: tracker.Image("pipe"), "no regular file"),
        (lambda: tracker.Image("a\0b"), "null"),
        (lambda: tracker.Image(object()), "no array"),
        (lambda: tracker.Image(Broken()), "broken"),
        (lambda: tracker.Image(numpy.zeros((2, 3, 4, 5, 6))), "no picture"),
        (lambda: tracker.Image(numpy.zeros((0, 4))), "1 to 32768 pixels"),
        (lambda: tracker.Image(numpy.zeros((1, 40_000))), "40000x1"),
        (lambda: tracker.Image(RAMP, masks={"m": {}}), "mask_data"),
        (lambda: tracker.Image(RAMP, masks={"m": {"mask_data": numpy.array([[300]])}}), "classes"),
        (lambda: tracker.Image(RAMP, file_type="nonsense"), "NONSENSE"),
        (lambda: tracker.Audio(numpy.zeros(3)), "sample_rate"),
        (lambda: tracker.Video(numpy.zeros((3, 4))), "no video"),
        (lambda: tracker.Html(5), "int"),
        (lambda: tracker.Object3D("page.exe"), "page.exe"),
        (lambda: tracker.Object3D(numpy.zeros((3, 5))), "no points"),
        (lambda: tracker.Plotly(5), "no figure"),
        (lambda: tracker.Plotly("{"), ""),
        (lambda: tracker.Image(RAMP, caption=Broken()), "broken"),
        (lambda: tabled([1, 2], 5), "iterable"),
        (lambda: tabled(None), "iterable"),
    ],
)
def test_bad_media_are_warned_of_once(
    root: Path, make: Callable[[], Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row says what the trouble was, and training goes on."""
    os.mkfifo("pipe")
    with tracker.init(dir=root) as run:
        for step in range(2):
            run.log({"bad": make(), "loss": step})
    first, second = rows_of(root)
    assert reason in first["bad"]["trouble"]
    assert "path" not in first["bad"]
    assert second["loss"] == 1
    assert capsys.readouterr().err.count("WARNING bad: ") == 1
    assert not [path for path in Path(run.folder).rglob("*") if path.name.endswith(".part")]


def test_a_disk_that_refuses_media_stops_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the folder should be stands for whatever the disk may say."""
    with tracker.init(dir=root) as run:
        Path(run.folder).mkdir(exist_ok=True)
        Path(run.folder, "media").write_text("")
        run.log({"image": tracker.Image(RAMP), "loss": 1})
        os.remove(Path(run.folder, "media"))
        run.log({"image": tracker.Image(RAMP), "loss": 2})
    first, second = rows_of(root)
    assert first["image"]["trouble"].endswith(("File exists", "Not a directory"))
    assert (picture(Path(run.folder), second["image"]) == RAMP).all()
    assert capsys.readouterr().err.count("WARNING image: ") == 1


def test_the_summary_has_the_last_medium(root: Path) -> None:
    """Logged or set by hand; in print it is a word."""
    with tracker.init(dir=root) as run:
        run.log({"image": tracker.Image(RAMP), "several": [tracker.Image(RAMP)] * 3})
        run.summary["best"] = tracker.Image(RAMP)
    summary = tracker.Api(root).runs()[0].summary
    assert summary["best"] == summary["image"]
    assert [brief(summary[name]) for name in ("best", "several")] == ["<image 64x48>", "<3 images>"]


def test_nothing_is_written_where_nothing_is_logged(root: Path) -> None:
    """A disabled run has no folder."""
    with tracker.init(dir=root, mode="disabled") as run:
        run.log({"image": tracker.Image(RAMP)})
    assert run.summary["image"]["_type"] == "image-file"
    assert not root.exists()


@pytest.mark.parametrize(
    ("source", "absent"),
    [
        ("[tracker.Image('ramp.png'), tracker.Html('x'), tracker.Table(data=[[1]])]", ("numpy", "PIL", "pandas")),
        ("tracker.Image(__import__('numpy').zeros((4, 4)))", ("PIL", "pandas", "matplotlib")),
    ],
)
def test_no_library_is_loaded_that_the_caller_did_not_bring(root: Path, source: str, absent: tuple[str, ...]) -> None:
    """The logging path depends on orjson alone."""
    Path("ramp.png").write_bytes(b"whatever")
    script = f"""
import sys, tracker
run = tracker.init(dir={str(root)!r})
run.log({{"media": {source}}})
assert not [name for name in {absent} if name in sys.modules], sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, env=environment(TRACKER_SILENT="1"))
    assert "trouble" not in json.dumps(rows_of(root))


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "media/../../x", "../x", "files/x", "media", "media//x", "media/./x", "media/\x1b[2J"),
        *("media\\x", 5, "", "media/" + "x" * 600),
    ],
)
def test_a_path_that_leads_elsewhere_is_none(path: Any) -> None:
    """The record stays, with what else it says."""
    (found,) = references_in({"_type": "image-file", "path": path, "caption": "a\x1b[2Jb", "width": -5, "size": 1e99})
    assert (found.kind, found.path, found.caption, found.width, found.size) == ("image", "", "a[2Jb", 0, 0)


def test_media_are_folded_beside_the_numbers() -> None:
    """Of any shape; what is no medium is passed over."""
    history = History()
    medium = {"_type": "image-file", "path": "media/images/a.png"}
    rows: list[dict[str, Any]] = [{"_step": step, "loss": 1.0, "image": medium} for step in range(20)]
    history.extend(
        [*rows, {"_step": 3, "image": [medium, 5, medium]}, {"_step": 30, "x": {"a": 1}, "y": [1.0], "z": {}}]
    )
    assert list(history.media) == ["image"]
    column = history.media["image"]
    assert list(column.steps) == list(range(20))
    assert [len(references(value)) for value in column.values[2:5]] == [1, 2, 1]
    assert len(history.columns["loss"].steps) == 20


def test_of_very_many_media_some_are_kept_evenly() -> None:
    """The first and the newest always; the memory is bounded."""
    column = MediaColumn()
    for step in range(10_000):
        column.put(step, b"x" * 100, 20_000)
        assert column.steps[-1] == step
    assert column.size == sum(map(len, column.values)) <= 20_000
    assert len(column.values) == len(column.steps) >= 80
    gaps = {b - a for a, b in zip(column.steps[:-2], column.steps[1:-1], strict=True)}
    assert gaps == {float(column.stride)}
    again = MediaColumn.load(json.loads(json.dumps(column.dump())))
    again.put(10_000, b"y", 20_000)
    column.put(10_000, b"y", 20_000)
    assert (again.steps, again.values, again.size) == (column.steps, column.values, column.size)
