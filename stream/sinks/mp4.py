"""Mp4Sink: the annotated frames as H.264 in a fragmented MP4, which a crash does not spoil."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import cv2
import numpy as np
from av.video.frame import PictureType
from av.video.stream import VideoStream

from dbrt.errors import OutputError
from dbrt.stream.boxes import drop_cut_fragment
from dbrt.stream.overlay import Frame
from dbrt.stream.result import FrameResult
from dbrt.stream.sinks.sink import Sink, check_file, stopped

TICK = Fraction(1, 90_000)
KEY_EVERY_S = 1.0
"""A fragment ends before each key frame: what a crash loses at most. By time and not by number of
frames, because a live source has no rate that could be trusted."""

CONTAINER_OPTIONS = {
    # Without flush_packets a killed file ends inside a fragment and naive readers stop there.
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "flush_packets": "1",
}
ENCODER_OPTIONS = {
    # ultrafast: 8 ms a frame at 720p on one core, and the encoder must not take the network's.
    "preset": "ultrafast",
    "tune": "zerolatency",
    "crf": "21",
    "forced-idr": "1",
    # PyAV converts BGR with the matrix of BT.601; untagged, a browser takes 720p for BT.709.
    "colorspace": "smpte170m",
    "color_primaries": "smpte170m",
    "color_trc": "smpte170m",
    "color_range": "tv",
}

_ERRORS = (OSError, av.error.FFmpegError)  # the disk's errors are both, the encoder's the latter


class Mp4Sink(Sink):
    """Records frames at their own times.

    Odd sizes are padded by one pixel. The first frame decides the size; later frames of another
    size are scaled to fit, with their aspect, content at the top left.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        super().__init__(path)
        check_file(path, overwrite=overwrite)
        self._output: av.container.OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._is_broken = False
        self._size = (0, 0)  # width, height
        self._first_s = 0.0
        self._last_s = 0.0
        self._last_ticks = -1
        self._next_key_s = 0.0

    def write(self, result: FrameResult) -> None:
        """Encode one frame; raises OutputError where the disk is full, the file stays readable."""
        picture = result.picture()
        try:
            if self._stream is None:
                self._open(picture)
                self._first_s = result.time_s
            self._encode(picture, result.time_s - self._first_s)
        except _ERRORS as exc:
            self._is_broken = True
            raise stopped(self.path, exc, self._last_s) from None
        self._last_s = result.time_s
        self.written += 1

    def close(self) -> None:
        """Write what the encoder still holds and close the file; without a frame there is none."""
        output, self._output = self._output, None
        stream, self._stream = self._stream, None
        if output is None or stream is None:
            return
        try:
            if not self._is_broken:
                output.mux(stream.encode(None))
        except _ERRORS as exc:
            self._is_broken = True
            raise stopped(self.path, exc, self._last_s) from None
        finally:
            self._close(output)

    def _close(self, output: av.container.OutputContainer) -> None:
        try:
            output.close()
        except _ERRORS as exc:
            if not self._is_broken:
                raise stopped(self.path, exc, self._last_s) from None
        if self._is_broken:
            with contextlib.suppress(OSError):  # as good as it was
                drop_cut_fragment(self.path)

    def _open(self, picture: Frame) -> None:
        height, width = picture.shape[:2]
        self._size = (width + width % 2, height + height % 2)
        # Absolute: FFmpeg takes the name "a:b.mp4" for a protocol.
        self._output = av.open(
            str(self.path.absolute()), "w", format="mp4", options=CONTAINER_OPTIONS
        )
        try:
            stream = self._output.add_stream("libx264", rate=25, options=ENCODER_OPTIONS)
        except (ValueError, av.error.FFmpegError):
            raise OutputError(
                f"cannot write {self.path}: this PyAV has no H.264 encoder (libx264)"
            ) from None
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TICK
        stream.codec_context.gop_size = 10_000  # key frames are asked for by time
        self._stream = stream

    def _encode(self, picture: Frame, time_s: float) -> None:
        if self._output is None or self._stream is None:
            raise ValueError("encode before open")
        fitted = fit(picture, *self._size)
        frame = av.VideoFrame.from_ndarray(fitted, format="bgr24")
        ticks = max(self._last_ticks + 1, round(time_s / TICK))
        frame.pts, frame.time_base = ticks, TICK
        if time_s >= self._next_key_s:
            frame.pict_type = PictureType.I
            self._next_key_s = time_s + KEY_EVERY_S
        self._output.mux(self._stream.encode(frame))
        self._last_ticks = ticks


def fit(picture: Frame, width: int, height: int) -> Frame:
    """Return `picture` in the given size: scaled down if it must, the rest filled from its edge.

    returns  (height, width, 3) uint8, C-contiguous; `picture` itself where the size is right
    """
    found_height, found_width = picture.shape[:2]
    if (found_width, found_height) == (width, height):
        return np.ascontiguousarray(picture)
    if found_width > width or found_height > height:
        scale = min(width / found_width, height / found_height)
        target = (
            max(1, min(width, round(found_width * scale))),
            max(1, min(height, round(found_height * scale))),
        )
        picture = cv2.resize(picture, target, interpolation=cv2.INTER_AREA).astype(np.uint8)
    below, right = height - picture.shape[0], width - picture.shape[1]
    padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(padded, np.uint8)
