"""The boxes of an MP4 file: whether its index is there, whether it was cut short, and where.

FFmpeg does not tell: a file whose end is missing plays to where the data stop and counts as over,
and of a missing index only its log speaks, which is off.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MOST_BOXES = 100_000  # a fragmented recording of a day has two a second
_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"})


@dataclass(frozen=True)
class Boxes:
    """What the outermost boxes of a file say.

    is_mp4     whether the file begins like an MP4 or QuickTime file
    has_index  whether there is a moov box
    is_cut     whether the last box reaches beyond the end of the file
    whole      bytes up to the end of the last index or media box that is complete
    """

    is_mp4: bool
    has_index: bool
    is_cut: bool
    whole: int


def read_boxes(path: Path) -> Boxes:
    """Walk the outermost boxes of a file; reads eight to sixteen bytes of each.

    Raises OSError where the file can't be read.
    """
    end = path.stat().st_size
    place, whole, has_index = 0, 0, False
    with open(path, "rb") as file:
        for number in range(_MOST_BOXES):
            file.seek(place)
            header = file.read(16)
            kind = header[4:8]
            if number == 0 and kind not in _FIRST:
                return Boxes(is_mp4=False, has_index=False, is_cut=False, whole=end)
            has_index = has_index or kind == b"moov"
            size = int.from_bytes(header[:4], "big")
            if size == 1:  # the size stands behind, in eight bytes
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:  # up to the end of the file
                size = end - place
            if size < 8:
                break
            place += size
            if place <= end and kind in (b"moov", b"mdat"):
                whole = place
            if place >= end:
                break
    return Boxes(is_mp4=True, has_index=has_index, is_cut=place > end, whole=whole)


def is_cut(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is an MP4 whose end is missing; False where that can't be told."""
    try:
        return read_boxes(Path(path)).is_cut
    except OSError:
        return False


def lacks_index(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is an MP4 without a moov box; False where that can't be told."""
    try:
        boxes = read_boxes(Path(path))
    except OSError:
        return False
    return boxes.is_mp4 and not boxes.has_index


def drop_cut_fragment(path: str | os.PathLike[str]) -> None:
    """Shorten a fragmented MP4 that broke off to its last whole fragment.

    Naive readers stop with an error at half a fragment. Raises OSError where the file can't be
    read or shortened.
    """
    boxes = read_boxes(Path(path))
    if boxes.is_mp4 and boxes.has_index:
        os.truncate(path, boxes.whole)
