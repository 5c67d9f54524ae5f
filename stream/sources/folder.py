"""FolderSource: the pictures of a folder, or one picture, as a sequence of frames."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from dbrt.datasets.annotations import PICTURE_SUFFIXES, list_pictures
from dbrt.datasets.pictures import read_picture
from dbrt.errors import InputError, SourceError
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.source import Report, Source, SourceFrame, no_report
from dbrt.stream.sources.state import SourceState

FRAME_RATE = 25.0
"""Pictures have no time; they are played at the rate at which FFmpeg reads picture sequences."""


class FolderSource(Source):
    """Pictures in the order of their names, numbers counted as numbers (f2 before f10).

    Hidden files and other kinds of files are left out. A picture that can't be read is reported
    and skipped; when all are done InputError names how many there were.
    """

    can_wait = True

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
        self.paths = find_pictures(Path(path))

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Yield each picture that can be read; raises InputError at the end if some could not."""
        start_s = self.clock.now()
        broken = []
        for index, path in enumerate(self.paths):
            time_s = index / FRAME_RATE
            if self.realtime:
                self.clock.wait(stop, start_s + time_s - self.clock.now())
            if stop.is_set():
                break
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
            if index == 0:
                start_s = self.clock.now()
        if broken:
            self.status.change(SourceState.FAILED, str(broken[0]))
            if len(self.paths) == 1:
                raise broken[0]
            raise InputError(f"{len(broken)} of {len(self.paths)} pictures: first {broken[0]}")
        self.status.change(SourceState.ENDED)


def find_pictures(path: Path) -> list[Path]:
    """Return the pictures of a folder in natural order, or `[path]` for a picture.

    Raises SourceError where a folder holds none or can't be read.
    """
    if not path.is_dir():
        return [path]
    try:
        found = list_pictures(path)
    except InputError as exc:
        raise SourceError(str(exc)) from None
    if not found:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise SourceError(f"{path} holds no pictures (looked for {kinds})")
    return found


def is_picture(path: Path) -> bool:
    """Whether `path` is named like a still picture; a GIF may move and is read as video."""
    return path.suffix.lower() in PICTURE_SUFFIXES - {".gif"}
