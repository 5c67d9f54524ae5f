"""Decoding with PyAV: containers that go on after a bad packet, frames that stand upright."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import cast

import av
import av.container
import av.error
import numpy as np

from dbrt.stream.sources.source import Frame

Packets = Iterator[tuple[av.VideoFrame, float]]


def decode_frames(
    container: av.container.InputContainer,
    *,
    thread_type: str,
    on_bad_packet: Callable[[], None],
    on_packet: Callable[[], None] = lambda: None,
) -> Packets:
    """Yield each frame of the first video stream with the milliseconds its decoding took.

    One damaged packet does not end the stream, as it would with `container.decode()`: it is
    reported to `on_bad_packet` and skipped. `on_packet` is called before each packet is decoded.
    Frame threads (`thread_type="AUTO"`) delay a live picture by a frame for each thread.
    """
    stream = container.streams.video[0]
    stream.thread_type = thread_type
    for packet in container.demux(stream):
        on_packet()
        started_s = time.perf_counter()
        try:
            decoded = packet.decode()
        except av.error.InvalidDataError:
            on_bad_packet()
            continue
        if decoded:
            each_ms = (time.perf_counter() - started_s) * 1000 / len(decoded)
        for frame in decoded:
            if isinstance(frame, av.VideoFrame):
                yield frame, each_ms


def to_bgr(frame: av.VideoFrame) -> Frame:
    """Return the picture of `frame`, turned upright as its rotation tag says.

    returns  (H, W, 3) uint8 BGR, C-contiguous, a copy
    """
    picture = cast(Frame, frame.to_ndarray(format="bgr24"))
    quarter = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarter) if quarter else picture)


def frame_rate(container: av.container.InputContainer) -> Fraction:
    """Return the guessed frame rate of the first video stream, 25 where there is none.

    `guessed_rate` and not `average_rate`: the latter is twice too high in some AVI files.
    """
    stream = container.streams.video[0]
    for rate in (stream.guessed_rate, stream.average_rate):
        # PyAV 19 has a rational type of its own, which has no truth value and may be 0/1.
        if rate is not None and rate.numerator > 0 and rate.denominator > 0:
            return Fraction(rate.numerator, rate.denominator)
    return Fraction(25)
