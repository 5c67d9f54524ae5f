"""FileSource: the frames of a video file, every one of them, in order."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error

from dbrt.errors import SourceError
from dbrt.stream.boxes import is_cut, lacks_index
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.media import decode_frames, frame_rate, to_bgr
from dbrt.stream.sources.source import Report, Source, SourceFrame, no_report
from dbrt.stream.sources.state import SourceState
from dbrt.wording import counted


class FileSource(Source):
    """A video file.

    With `realtime` frames come at the file's own pace and count as live: who is too slow for
    them loses some. Without it the reader waits and nothing is lost. The pace begins when the
    second frame is asked for.
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
        """Check that the file holds video; raises SourceError in one line where it does not."""
        super().__init__(str(path), clock=clock, report=report)
        self.path = Path(path)
        self.realtime = realtime
        check_regular_file(self.path)
        with self._open():
            pass

    @contextmanager
    def _open(self) -> Iterator[av.container.InputContainer]:
        # Absolute: FFmpeg takes the name "a:b.mp4" for a protocol.
        try:
            container = av.open(str(self.path.absolute()))
        except (av.error.FFmpegError, OSError) as exc:
            raise SourceError(unreadable(self.path, exc)) from None
        with container:
            if not container.streams.video:
                raise SourceError(f"{self.path} has no video, only other streams")
            yield container

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Yield every frame that can be decoded; raises SourceError where the file breaks off."""
        try:
            with self._open() as container:
                yield from self._read(container, stop)
        except SourceError as exc:
            self.status.change(SourceState.FAILED, str(exc))
            raise
        self.status.change(SourceState.ENDED)

    def _read(
        self, container: av.container.InputContainer, stop: threading.Event
    ) -> Iterator[SourceFrame]:
        line = TimeLine(frame_rate(container))
        start_s = self.clock.now()
        index = -1
        frames = decode_frames(
            container, thread_type="AUTO", on_bad_packet=self.status.count_bad_packet
        )
        try:
            for index, (decoded, decode_ms) in enumerate(frames):
                if index == 0 and decoded.interlaced_frame:
                    self.report(f"{self.name} is interlaced: moving text is combed, expect misses")
                time_s = line.place(decoded.pts, decoded.time_base)
                started_s = self.clock.now()
                frame = to_bgr(decoded)
                convert_ms = (self.clock.now() - started_s) * 1000
                if self.realtime:
                    self.clock.wait(stop, start_s + time_s - self.clock.now())
                if stop.is_set():
                    return
                now_s = self.clock.now()
                self.status.count_frame(now_s, damaged=decoded.is_corrupt)
                yield SourceFrame(
                    frame, index, time_s, now_s, decode_ms + convert_ms, is_live=self.realtime
                )
                if index == 0:
                    start_s = self.clock.now()
        except av.error.FFmpegError:
            raise SourceError(self._damaged(index + 1, line)) from None
        if index < 0:
            raise SourceError(f"{self.name} holds no frame that can be decoded")
        if is_cut(self.path):
            raise SourceError(self._damaged(index + 1, line))

    def _damaged(self, count: int, line: TimeLine) -> str:
        return (
            f"{self.name} is damaged: read {counted(count, 'frame')}, stopped early at "
            f"{line.last_s:.1f} s; results up to there are kept"
        )


class TimeLine:
    """Turns time stamps of a file into seconds since its first frame that always grow.

    Files joined from pieces jump back, and raw H.264 has no time stamps at all.
    """

    def __init__(self, rate: Fraction) -> None:
        self._step_s = float(1 / rate)
        self._offset_s: float | None = None
        self.last_s = -self._step_s

    def place(self, pts: int | None, time_base: Fraction | None) -> float:
        """Return the seconds of the next frame: its time stamp, or one step after the last."""
        next_s = self.last_s + self._step_s
        if pts is None or time_base is None:
            time_s = next_s
        else:
            stamp_s = float(pts * Fraction(time_base))
            if self._offset_s is None:
                self._offset_s = stamp_s - max(next_s, 0.0)
            time_s = stamp_s - self._offset_s
            if time_s <= self.last_s:  # from here on count from where it jumped back to
                self._offset_s = stamp_s - next_s
                time_s = next_s
        self.last_s = time_s
        return time_s


def check_regular_file(path: Path) -> None:
    """Raise SourceError unless `path` is a readable regular file with something in it.

    Asked before FFmpeg is: opening a FIFO that nobody writes to hangs in spite of any time-out.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}") from None
    except OSError as exc:
        raise SourceError(f"cannot read {path}: {(exc.strerror or str(exc)).lower()}") from None
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(f"{path} is not a regular file")
    if found.st_size == 0:
        raise SourceError(f"{path} is empty")
    if not os.access(path, os.R_OK):
        raise SourceError(f"cannot read {path}: permission denied")


def unreadable(path: Path, exc: Exception) -> str:
    """Return the line that says why FFmpeg could not open `path`."""
    if lacks_index(path):
        return f"{path} was not finished when it was written: it has no index (moov)"
    if isinstance(exc, av.error.InvalidDataError):
        return f"{path} is not a video that can be read"
    return f"cannot read {path}: {getattr(exc, 'strerror', None) or exc}"
