"""What a far side says, taken only as what it should be: whoever it is may say anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tracker import host
from tracker.folders import MAX_DEPTH, MAX_NAMES, MAX_PART, MAX_PATH, FolderFile, Part
from tracker.lookout import Sight
from tracker.pages import MAX_NUMBER, MAX_PAGE, Page
from tracker.records import Record, clean
from tracker.replay import MAX_TIME

NOT_UNDERSTOOD: Final = "the answer is not understood: whether it was done shows in the list"


def sight(parts: Sequence[Any], data: bytes) -> Sight:
    """What a look there brought.

    Args:
        parts: a `Sight` without its data.
        data: the data.

    Raises:
        ValueError, TypeError: it is none.
    """
    project, name, offset, mark, skipped, number, mtime, alive, signal, ended, is_new, gone = parts
    if not _is_component(project) or not _is_component(name) or not name.startswith(("run-", "edits-")):
        raise ValueError("no file of a run")
    return Sight(
        project,
        name,
        data,
        count(offset),
        count(mark),
        count(skipped),
        count(number),
        moment(mtime),
        None if alive is None else alive is True,
        signal if signal in host.SIGNAL_FILES else None,
        ended is True,
        is_new is True,
        gone is True,
    )


def folders(value: dict[str, Any]) -> dict[str, str]:
    """Why projects cannot be changed."""
    return {str(project): clean(trouble) for project, trouble in value.items()}


def written(answer: object) -> tuple[Record | None, str]:
    """What came of an edit."""
    if isinstance(answer, list) and len(answer) == 2:
        record, why_not = answer
        if isinstance(record, dict):
            return record, ""
        if isinstance(why_not, str) and why_not:
            return None, clean(why_not)
    return None, NOT_UNDERSTOOD


def page(answer: object) -> Page | None:
    """Lines of what a run printed; None where nothing is new.

    Raises:
        ValueError: they are none.
    """
    if answer is None:
        return None
    lines, total, size = parts(answer, 3)
    if not isinstance(lines, list) or len(lines) > MAX_PAGE + 20 or not all(isinstance(line, str) for line in lines):
        raise ValueError("no lines")
    return Page([line.encode("utf-8", "replace") for line in lines], line_number(total), count(size))


def matches(answer: object) -> tuple[list[int], int]:
    """Numbers of lines, and how far they were looked for.

    Raises:
        ValueError: they are none.
    """
    numbers, reached = parts(answer, 2)
    if not isinstance(numbers, list):
        raise ValueError("no numbers")
    return [line_number(number) for number in numbers], count(reached)


def files(answer: object, folder: str) -> list[FolderFile] | None:
    """The files below a folder; None where there is no such folder.

    Raises:
        ValueError: they are none.
    """
    if answer is None:
        return None
    if not isinstance(answer, list) or len(answer) > MAX_NAMES:
        raise ValueError("no files")
    found = []
    for each in answer:
        path, size, mtime = parts(each, 3)
        if not isinstance(path, str) or len(path) > MAX_PATH or not path.startswith(folder + "/"):
            raise ValueError("no path")
        names = path.split("/")
        if len(names) > 2 * MAX_DEPTH or not all(map(_is_component, names)):
            raise ValueError("no path")
        found.append(FolderFile(path, count(size), moment(mtime)))
    return found


def part(answer: object, most: int) -> Part:
    """A piece of a file, of what was asked for at most.

    Raises:
        ValueError: it is none.
    """
    data, (size, trouble) = parts(answer, 2)[0], parts(parts(answer, 2)[1], 2)
    if not isinstance(data, bytes) or len(data) > min(most, MAX_PART) or not isinstance(trouble, str):
        raise ValueError("no part of a file")
    return Part(b"" if trouble else data, count(size), clean(trouble))


def swept(answer: object) -> tuple[int, int, str]:
    """How many contents were removed, their bytes, and what went wrong."""
    try:
        contents, size, trouble = parts(answer, 3)
        return count(contents), count(size), clean(trouble)
    except ValueError:
        return 0, 0, NOT_UNDERSTOOD


def line_number(value: object) -> int:
    """The number of a line.

    Raises:
        ValueError: it is none.
    """
    number = count(value)
    if number > MAX_NUMBER:
        raise ValueError("no number of a line")
    return number


def parts(answer: object, size: int) -> list[Any]:
    """A list of so many values.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(answer, list) or len(answer) != size:
        raise ValueError("not understood")
    return answer


def count(value: object) -> int:
    """A number of bytes or things.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("no count")
    return value


def moment(value: object) -> float:
    """Seconds since the epoch; 0 where a file's are outside of any calendar.

    Raises:
        ValueError: it is no number.
    """
    if type(value) not in (int, float):
        raise ValueError("no moment")
    assert isinstance(value, (int, float))
    return float(value) if 0 <= value < MAX_TIME else 0.0


def _is_component(name: object) -> bool:
    """Whether a name can be that of one file or folder."""
    return isinstance(name, str) and 0 < len(name) <= 1024 and not set(name) & {"/", "\0"} and name not in (".", "..")
