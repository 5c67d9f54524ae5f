"""FolderSource: the pictures of a folder, or one picture, as a sequence of frames."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from dbrt.errors import InputError, SourceError
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.source import Frame, Report, Source, SourceFrame, no_report
from dbrt.stream.sources.state import SourceState

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
FRAME_RATE = 25.0
"""Pictures have no time; they are played at the rate at which FFmpeg reads picture sequences."""


class FolderSource(Source):
    """Pictures in the order of their names, numbers counted as numbers (f2 before f10).

    Hidden files and other kinds of files are left out. A picture that can't be read is reported
    and skipped; when all are done InputError names how many there were.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        realtime: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        report: Report = no_report,
    ) -> None:
        """List the pictures of a folder, or take one picture; SourceError where there is none."""
        super().__init__(str(path), clock=clock, report=report)
        self.realtime = realtime
        self.paths = list_pictures(Path(path))

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Yield each picture that can be read; raises InputError at the end if some could not."""
        start_s = self.clock.now()
        broken = []
        for index, path in enumerate(self.paths):
            time_s = index / FRAME_RATE
            if self.realtime:
                self.clock.wait(stop, start_s + time_s - self.clock.now())
            if stop.is_set():
                return
            started_s = self.clock.now()
            try:
                frame = read_picture(path)
            except InputError as exc:
                self.status.count_bad_packet()
                self.report(f"{exc}; skipped")
                broken.append(exc)
                continue
            now_s = self.clock.now()
            self.status.count_frame(now_s)
            yield SourceFrame(
                frame, index, time_s, now_s, (now_s - started_s) * 1000, is_live=self.realtime
            )
        if broken:
            self.status.change(SourceState.FAILED, str(broken[0]))
            if len(self.paths) == 1:
                raise broken[0]
            raise InputError(f"{len(broken)} of {len(self.paths)} pictures: first {broken[0]}")
        self.status.change(SourceState.ENDED)


def list_pictures(path: Path) -> list[Path]:
    """Return the pictures of a folder in natural order, or `[path]` for a picture."""
    if not path.is_dir():
        return [path]
    try:
        entries = [entry for entry in path.iterdir() if is_picture(entry)]
    except OSError as exc:
        raise SourceError(f"cannot read {path}: {(exc.strerror or str(exc)).lower()}") from None
    if not entries:
        raise SourceError(f"{path} holds no pictures (looked for {', '.join(sorted(_SHOWN))})")
    return sorted(entries, key=lambda entry: _natural(entry.name))


_SHOWN = {".jpg", ".png", ".webp", ".tif", ".bmp"}


def is_picture(path: Path) -> bool:
    """Whether `path` is a file with a picture's suffix that is not hidden."""
    return (
        path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _natural(name: str) -> list[tuple[int, int, str]]:
    pieces = re.findall(r"\d+|\D+", name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in pieces]


def read_picture(path: Path) -> Frame:
    """Return the picture in the file `path`, upright, (H, W, 3) uint8 BGR.

    Read with Python and decoded from memory: `cv2.imread` gives no reason for a failure, and
    for half a JPEG it returns a picture with a grey rest. Raises InputError.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(f"cannot read {path}: {(exc.strerror or str(exc)).lower()}") from None
    if not data:
        raise InputError(f"{path} is empty")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise InputError(f"{path} is damaged or no picture that can be read")
    return np.ascontiguousarray(picture, np.uint8)
