"""`Image`, `Audio`, `Video`, `Html`, `Object3D`, `Plotly`: what a history row refers to by path.

A medium becomes a file when it is logged, in the run's folder and named by the hash of its content, so that what is
logged twice lies there once:

    <run>/media/images/<32 hex digits of its SHA-256>.png

What the caller passes is turned into bytes at once, since frames and figures are used again; a path is read when it is
logged. None of these raises for odd content: the row then says what the trouble was, and there is one warning.
Signatures and `_type`s are W&B's; its arguments that mean nothing here are accepted. numpy, Pillow and the like are
only used where the caller passed something of theirs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from types import ModuleType
from typing import Any, ClassVar, Final

import orjson

from tracker import host, pictures
from tracker.blobs import copy, opened, part_name, write_all
from tracker.records import MAX_DEPTH, Record, plain

HASH: Final = 32
"""Hex digits of a file's name."""
VIDEO_FPS: Final = 4.0
MAX_CAPTION: Final = 10_000

PathLike = str | os.PathLike[str]
Tell = Callable[[str], None]
"""What hears of trouble, in words."""


class Medium:
    """What is logged as a file; its subclasses make the content.

    Attributes:
        caption: what is said of it.
        trouble: why there is no content; empty if there is.
    """

    kind: ClassVar[str]
    """Its `_type` without `-file`."""
    folder: ClassVar[str]
    """Below `media/`."""

    def __init__(self, caption: object = None) -> None:
        self.caption: str | None = None
        self.trouble = ""
        self.suffix = ""
        """Of the file's name, with its dot."""
        self.facts: Record = {}
        """What else is written of it."""
        self._content: bytes | str = b""
        """The content, or the path of a file that has it."""
        if caption is not None:
            self.take(lambda: setattr(self, "caption", str(caption)[:MAX_CAPTION]))

    def take(self, make: Callable[[], None]) -> None:
        """Make the content; what goes wrong is kept in `trouble`."""
        try:
            make()
        except Exception as error:  # of a foreign library, or of odd content: training goes on
            self._content = b""
            self.trouble = _told(error)

    def take_path(self, path: PathLike, suffixes: tuple[str, ...] = ()) -> None:
        """Take a file, which is read when it is logged.

        Raises:
            ValueError: its name has none of the suffixes.
        """
        self._content = os.path.abspath(os.path.expanduser(path))
        self.suffix = suffix_of(self._content)
        if suffixes and self.suffix not in suffixes:
            raise ValueError(f"{os.path.basename(self._content)!r} is of no known kind ({', '.join(suffixes)})")

    def take_bytes(self, content: bytes | bytearray | str, suffix: str) -> None:
        """Take the content itself.

        Raises:
            TypeError: it is neither bytes nor text.
        """
        if not isinstance(content, (bytes, bytearray, str)):
            raise TypeError(f"{type(content).__name__} is neither bytes nor text")
        self._content, self.suffix = content.encode() if isinstance(content, str) else bytes(content), suffix

    def keep(self, run_folder: str | None, tell: Tell) -> Record:
        """Put the content into a run's folder; what is to be written of it.

        Args:
            run_folder: None: nothing is put anywhere.
            tell: is told of trouble.
        """
        record: Record = {"_type": f"{self.kind}-file"}
        if self.caption is not None:
            record["caption"] = self.caption
        trouble = self.trouble
        if not trouble and run_folder is not None:
            try:
                return record | self.store(run_folder, tell) | self.facts
            except Exception as error:  # of the disk, or of a table's cells: training goes on
                trouble = _told(error)
        if not trouble:
            return record
        tell(f"{self.kind} not kept: {trouble}")
        return record | {"trouble": trouble}

    def store(self, run_folder: str, tell: Tell) -> Record:
        """Put the content in place, and what belongs to it.

        Raises:
            OSError: it cannot be read or written.
        """
        return _store(self._content, run_folder, self.folder, self.suffix)


class Image(Medium):
    """A picture.

    Args:
        data_or_path: an array (height, width) or (height, width, channels) of numpy or jax, a tensor
            (channels, height, width) of torch, several of one size; a picture of Pillow, a figure of matplotlib, the
            bytes or the path of a file, another `Image`. Floats of 0 to 1 and of -1 to 1 are spread over 0 to 255, all
            else is clipped.
        mode: Pillow's, e.g. `L` or `RGB`; for its pictures only.
        caption: shown with it.
        boxes: by name of the set: `{"predictions": {"box_data": [...], "class_labels": {...}}}`, kept as it is.
        masks: by name of the set: `{"truth": {"mask_data": <array of class numbers>, "class_labels": {...}}}`, or with
            `path` in place of `mask_data`.
        file_type: `png`, `jpg` ... for what is no path; but PNG needs Pillow.
        normalize: spread floats of 0 to 1, and of -1 to 1.
    """

    kind = "image"
    folder = "images"
    MAX_ITEMS: ClassVar = 108
    """W&B's number of pictures in a list, for programs that keep to it; here all are kept."""

    def __init__(
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Any = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool = True,
    ) -> None:
        super().__init__(caption)
        self._boxes, self._masks = boxes or {}, masks or {}
        self._more: list[tuple[str, str, Medium]] = []
        self.take(lambda: self._make(data_or_path, mode, (file_type or "png").lower().lstrip("."), normalize))
        self.take(self._make_more)

    def _make(self, data: Any, mode: str | None, file_type: str, normalize: bool) -> None:
        if isinstance(data, Image):
            self._content, self.suffix, self.facts, self.trouble = data._content, data.suffix, data.facts, data.trouble
        elif isinstance(data, (str, os.PathLike)):
            self.take_path(data)
            self.facts = {"format": self.suffix[1:]}
        elif isinstance(data, (bytes, bytearray)):
            self.take_bytes(data, f".{file_type}")
        elif hasattr(data, "savefig") or hasattr(data, "gcf"):
            figure = data.gcf() if hasattr(data, "gcf") else data
            self._save(lambda to: figure.savefig(to, format=file_type), file_type)
        elif _library(data) == "PIL":
            self._pillow(data, mode, file_type)
        else:
            picture = pictures.pixels(pictures.as_array(data), pictures.is_channels_first(data), normalize)
            if file_type == "png":
                self.take_bytes(pictures.png(picture), ".png")
                self._sized(picture.shape[1], picture.shape[0])
            else:
                from PIL.Image import fromarray

                self._pillow(fromarray(picture.squeeze()), mode, file_type)

    def _pillow(self, picture: Any, mode: str | None, file_type: str) -> None:
        wanted = mode or (picture.mode if picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "RGB")
        picture = picture if picture.mode == wanted else picture.convert(wanted)
        name = "jpeg" if file_type == "jpg" else file_type
        if name == "jpeg" and picture.mode not in ("L", "RGB"):
            picture = picture.convert("RGB")
        self._save(lambda to: picture.save(to, format=name), file_type)
        self._sized(*picture.size)

    def _save(self, save: Callable[[BytesIO], object], file_type: str) -> None:
        buffer = BytesIO()
        save(buffer)
        self.take_bytes(buffer.getvalue(), f".{file_type}")
        self.facts = {"format": file_type}

    def _sized(self, width: int, height: int) -> None:
        self.facts = {"format": self.suffix[1:], "width": int(width), "height": int(height)}

    def _make_more(self) -> None:
        """Boxes and masks as files of their own."""
        for name, boxes in self._boxes.items():
            data = _Data("metadata", ".boxes2D.json", orjson.dumps(plain(boxes)[0]))
            data.facts = {"count": len(boxes.get("box_data", ())) if isinstance(boxes, Mapping) else 0}
            self._more.append(("boxes", str(name), data))
        for name, mask in self._masks.items():
            if "path" in mask:
                data = _Data("masks", "", b"")
                data.take_path(mask["path"])
            else:
                data = _Data("masks", ".mask.png", _mask(mask["mask_data"]))
            data.facts = plain({"class_labels": mask.get("class_labels", {})})[0]
            self._more.append(("masks", str(name), data))

    def store(self, run_folder: str, tell: Tell) -> Record:
        found = super().store(run_folder, tell)
        for group, name, data in self._more:
            found.setdefault(group, {})[name] = data.store(run_folder, tell) | data.facts
        return found


class _Data(Medium):
    """What belongs to an image."""

    def __init__(self, folder: str, suffix: str, content: bytes) -> None:
        super().__init__()
        self.folder = folder  # type: ignore[misc]
        self.take_bytes(content, suffix)


def _mask(data: Any) -> bytes:
    """Class numbers of 0 to 255 as a grey picture."""
    array = pictures.as_array(data)
    if array.min() < 0 or array.max() > 255:
        raise ValueError("a mask has classes of 0 to 255")
    return pictures.png(pictures.pixels(array.astype("uint8"), normalize=False))


class Audio(Medium):
    """A sound.

    Args:
        data_or_path: a file's path, the bytes of a WAV file, or an array (samples,) or (samples, channels), integers
            of 16 bits or floats of -1 to 1, which becomes a WAV file of 16 bits.
        sample_rate: samples a second; needed for arrays.
        caption: shown with it.
    """

    kind = "audio"
    folder = "audio"

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None) -> None:
        super().__init__(caption)
        self.take(lambda: self._make(data_or_path, sample_rate))

    def _make(self, data: Any, sample_rate: int | None) -> None:
        if isinstance(data, (str, os.PathLike)):
            self.take_path(data)
            return
        if isinstance(data, (bytes, bytearray)):
            self.take_bytes(data, ".wav")
            return
        if sample_rate is None:
            raise ValueError("an array of samples needs its sample_rate")
        import wave

        samples = pictures.as_array(data)
        if samples.dtype.kind == "f":
            samples = (pictures.finite(samples).clip(-1, 1) * 32767).astype("<i2")
        samples = samples.clip(-32768, 32767).astype("<i2")
        buffer = BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(samples.shape[1] if samples.ndim > 1 else 1)
            file.setsampwidth(2)
            file.setframerate(int(sample_rate))
            file.writeframes(samples.tobytes())
        self.take_bytes(buffer.getvalue(), ".wav")
        self.facts = {"sample_rate": int(sample_rate), "seconds": round(len(samples) / sample_rate, 3)}


class Video(Medium):
    """A moving picture.

    Args:
        data_or_path: a file's path, a file that is open for reading bytes, or an array (frames, channels, height,
            width), which becomes an animated PNG; of several (batch, frames, ...) the first.
        caption: shown with it.
        fps: frames a second of an array, default 4.
        format: of an open file, e.g. `mp4`.
    """

    kind = "video"
    folder = "videos"

    def __init__(
        self,
        data_or_path: Any,
        caption: str | None = None,
        fps: float | None = None,
        format: str | None = None,  # noqa: A002 - W&B's word for it
    ) -> None:
        super().__init__(caption)
        self.take(lambda: self._make(data_or_path, fps or VIDEO_FPS, (format or "mp4").lower()))

    def _make(self, data: Any, fps: float, file_type: str) -> None:
        if isinstance(data, (str, os.PathLike)):
            self.take_path(data)
        elif hasattr(data, "read"):
            self.take_bytes(data.read(), f".{file_type}")
        else:
            frames = pictures.as_array(data)
            frames = frames[0] if frames.ndim == 5 else frames
            if frames.ndim != 4 or not len(frames):
                raise ValueError(f"an array of shape {frames.shape} is no video: (frames, channels, height, width) is")
            shown = pictures.frames(frames, channels_first=True)
            self.take_bytes(pictures.animation(shown, fps), ".apng")
            self.facts = {"width": shown[0].shape[1], "height": shown[0].shape[0], "frames": len(shown)}


class Html(Medium):
    """A page.

    Args:
        data: HTML, the path of a file, or a file that is open for reading.
        inject: W&B's; nothing is put into the page here.
        data_is_not_path: take a string as HTML even if there is a file of that name.
        caption: shown with it.
    """

    kind = "html"
    folder = "html"

    def __init__(
        self, data: Any, inject: bool = True, data_is_not_path: bool = False, caption: str | None = None
    ) -> None:
        super().__init__(caption)
        self.take(lambda: self._make(data, data_is_not_path))

    def _make(self, data: Any, is_text: bool) -> None:
        if isinstance(data, os.PathLike) or (isinstance(data, str) and not is_text and _is_file(data)):
            self.take_path(data, (".html", ".htm"))
        else:
            self.take_bytes(data.read() if hasattr(data, "read") else data, ".html")


class Object3D(Medium):
    """Something with three dimensions.

    Args:
        data_or_path: points as an array (n, 3), (n, 4) with a class, or (n, 6) with a colour; a mapping, e.g. a scene
            of `lidar/beta`; the path of a file of `SUFFIXES`, or such a file, open.
        caption: shown with it.
    """

    kind = "object3D"
    folder = "object3D"
    SUFFIXES: ClassVar = (".obj", ".gltf", ".glb", ".babylon", ".stl", ".ply", ".pts.json")

    def __init__(self, data_or_path: Any, caption: str | None = None, **_: Any) -> None:
        super().__init__(caption)
        self.take(lambda: self._make(data_or_path))

    def _make(self, data: Any) -> None:
        if isinstance(data, (str, os.PathLike)):
            self.take_path(data, self.SUFFIXES)
        elif hasattr(data, "read"):
            self.take_bytes(data.read(), suffix_of(getattr(data, "name", "")) or ".obj")
        elif isinstance(data, Mapping):
            self.take_bytes(orjson.dumps(plain(data)[0]), ".pts.json")
        else:
            points = pictures.as_array(data)
            if points.ndim != 2 or points.shape[1] not in (3, 4, 6):
                raise ValueError(f"an array of shape {points.shape} is no points: (n, 3), (n, 4) or (n, 6) is")
            self.take_bytes(orjson.dumps(points.tolist()), ".pts.json")
            self.facts = {"points": len(points)}


class Plotly(Medium):
    """A figure of plotly.

    Args:
        val: a figure, its content as a mapping or JSON, or the path of a file of JSON or HTML.
        caption: shown with it.
    """

    kind = "plotly"
    folder = "plotly"

    def __init__(self, val: Any, caption: str | None = None) -> None:
        super().__init__(caption)
        self.take(lambda: self._make(val))

    def _make(self, figure: Any) -> None:
        if isinstance(figure, os.PathLike) or (isinstance(figure, str) and _is_file(figure)):
            self.take_path(figure, (".json", ".plotly.json", ".html"))
        elif isinstance(figure, Mapping):
            self.take_bytes(orjson.dumps(plain(figure)[0]), ".plotly.json")
        elif isinstance(figure, str):
            self.take_bytes(orjson.dumps(orjson.loads(figure)), ".plotly.json")
        elif hasattr(figure, "to_json"):
            self.take_bytes(figure.to_json(), ".plotly.json")
        else:
            raise TypeError(f"{type(figure).__name__} is no figure of plotly")


# ---- logging ----


def kept(value: Any, run_folder: str | None, tell: Tell, depth: int = MAX_DEPTH) -> Any:
    """A row's value with all media in it, also in lists, stored and replaced by what is written of them.

    Pictures of Pillow, figures of matplotlib and plotly and data frames count as media.

    Args:
        value: of any type.
        run_folder: where to; None: nowhere.
        tell: is told of trouble.
        depth: lists in each other that are looked into.
    """
    if isinstance(value, (list, tuple)) and depth:
        return [kept(item, run_folder, tell, depth - 1) for item in value]
    medium = value if isinstance(value, Medium) else _medium_of(value)
    return value if medium is None else medium.keep(run_folder, tell)


def _medium_of(value: Any) -> Medium | None:
    """What a foreign value is as a medium; None if it is none."""
    library = _library(value)
    is_figure = library == "matplotlib" and (hasattr(value, "savefig") or hasattr(value, "gcf"))
    if is_figure or (library == "PIL" and hasattr(value, "tobytes")):
        return Image(value)
    if library == "plotly" and hasattr(value, "to_json"):
        return Plotly(value)
    if library in ("pandas", "polars") and type(value).__name__ == "DataFrame":
        from tracker.table import Table

        return Table(dataframe=value)
    return None


def _library(value: object) -> str:
    """The package that a value's type is of, or a module is in."""
    name = value.__name__ if isinstance(value, ModuleType) else type(value).__module__
    return name.partition(".")[0]


# ---- files ----


def suffix_of(path: str) -> str:
    """The end of a file's name, in small letters: `.png`, `.table.json`; empty where it has none fit for a name."""
    name = os.path.basename(path).lower()
    parts = name.split(".")[1:]
    wanted = parts[-2:] if parts[-1:] == ["json"] and len(parts) > 1 else parts[-1:]
    return "".join(f".{part}" for part in wanted if part.isascii() and part.isalnum() and len(part) <= 12)


def _is_file(path: str) -> bool:
    with suppress(OSError, ValueError):
        return len(path) < 4096 and os.path.isfile(path)
    return False


def _store(content: bytes | str, run_folder: str, folder: str, suffix: str) -> Record:
    """Put content, or that of a file, where its hash says; where, and how many bytes.

    Raises:
        OSError: it cannot be read or written; nothing half stays behind.
        ValueError: the file is a device, a pipe or a folder.
    """
    place = os.path.join(run_folder, "media", folder)
    part = os.path.join(place, "." + part_name())
    if isinstance(content, bytes):
        digest, size = hashlib.sha256(content).hexdigest(), len(content)
        if host.size_of(os.path.join(place, digest[:HASH] + suffix)) == size:  # to make a file takes long
            return {"path": f"media/{folder}/{digest[:HASH]}{suffix}", "size": size}
    os.makedirs(place, exist_ok=True)
    if os.path.realpath(place) != os.path.join(os.path.realpath(run_folder), "media", folder):
        raise OSError(f"{place} is a link that leads elsewhere")
    try:
        if isinstance(content, bytes):
            with open(part, "xb", buffering=0) as file:
                write_all(file.fileno(), content)
        else:
            with opened(content) as source:
                digest, size, _ = copy(source, part, 0o666)
        name = digest[:HASH] + suffix
        os.replace(part, os.path.join(place, name))
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    return {"path": f"media/{folder}/{name}", "size": size}


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'its file'}: {error.strerror}"
    return f"{error}"[:300] or type(error).__name__
