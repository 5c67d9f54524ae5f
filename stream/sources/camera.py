"""CameraSource: a camera of this machine, by OpenCV."""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.errors import SourceError, UsageError
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.live import ConnectionLost, LiveSource, SessionFrame
from dbrt.stream.sources.source import Report, no_report

CAMERA_NAME = re.compile(r"(?:cam)?(\d{1,3})")


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used."""

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, NDArray[np.uint8]]: ...
    def set(self, prop: int, value: float, /) -> bool: ...
    def get(self, prop: int, /) -> float: ...
    def release(self) -> None: ...


OpenCapture = Callable[[str | int, int], Capture]


def open_capture(device: str | int, backend: int) -> Capture:
    """Open a camera with `cv2.VideoCapture`.

    The back end is always named: left to choose, OpenCV 4.13 to 5.0 crash on some indices.
    """
    return cv2.VideoCapture(device, backend)  # type: ignore[return-value]


class CameraSource(LiveSource):
    """A camera: `cam0` or `0` for the first, or a device path such as /dev/video0.

    It is opened again under the same path when it is unplugged and comes back.
    """

    def __init__(
        self,
        name: str,
        *,
        open_capture: OpenCapture = open_capture,
        max_outage_s: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        report: Report = no_report,
    ) -> None:
        """Find the device; raises SourceError where it is missing, in use or not permitted."""
        super().__init__(name, max_outage_s=max_outage_s, clock=clock, report=report)
        self._open_capture = open_capture
        self.device = find_device(name)
        if isinstance(self.device, str):
            check_device(self.device)

    def session(self, stop: threading.Event) -> Iterator[SessionFrame]:
        """Open the camera and yield frames until it stops giving them."""
        capture = self._open_capture(self.device, backend())
        try:
            if not capture.isOpened():
                raise ConnectionLost(f"camera {self.name} can't be opened")
            self._configure(capture)
            while not stop.is_set():
                is_read, frame = capture.read()
                started_s = time.perf_counter()
                if not is_read:
                    raise ConnectionLost(f"camera {self.name} stopped sending")
                owned = np.array(frame, np.uint8, order="C")  # the driver reuses its buffer
                yield SessionFrame(owned, (time.perf_counter() - started_s) * 1000)
        finally:
            capture.release()

    def _configure(self, capture: Capture) -> None:
        # MJPG first: without it many USB cameras give 5 to 10 frames a second above 640x480.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.report(f"camera {self.name} gives {width}x{height} at {rate:g} frames a second")


def backend() -> int:
    """Return OpenCV's number of this platform's camera interface."""
    if sys.platform.startswith("linux"):
        return int(cv2.CAP_V4L2)
    if sys.platform == "darwin":
        return int(cv2.CAP_AVFOUNDATION)
    return int(cv2.CAP_DSHOW)


def find_device(name: str) -> str | int:
    """Return the device path (Linux) or the index (elsewhere) of camera `name`.

    `camN` is the N-th node that captures: most cameras have a second one for metadata. Raises
    UsageError for a name of another form, SourceError where there are not so many cameras.
    """
    if name.startswith("/dev/"):
        return name
    match = CAMERA_NAME.fullmatch(name)
    if match is None:
        raise UsageError(f"{name!r} names no camera: write cam0, cam1, ... or a path in /dev")
    number = int(match[1])
    if not sys.platform.startswith("linux"):
        return number
    nodes = capture_nodes()
    if number >= len(nodes):
        found = ", ".join(f"cam{i} = {node}" for i, node in enumerate(nodes)) or "none"
        raise SourceError(f"no camera cam{number} (found: {found})")
    return nodes[number]


def capture_nodes(root: Path = Path("/sys/class/video4linux")) -> list[str]:
    """Return the /dev paths of the nodes that capture, in the order of their numbers (Linux)."""
    found = []
    for entry in root.glob("video*"):
        number = entry.name.removeprefix("video")
        try:
            is_first = (entry / "index").read_text().strip() == "0"
        except OSError:
            is_first = True
        if number.isdecimal() and is_first:
            found.append(int(number))
    return [f"/dev/video{number}" for number in sorted(found)]


def check_device(path: str) -> None:
    """Raise SourceError that says why the device can't be used; OpenCV gives no reason."""
    try:
        os.close(os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0)))
    except OSError as exc:
        reasons = {
            errno.ENOENT: f"no camera {path}",
            errno.EACCES: f"no permission for {path}: your user must be in the group video",
            errno.EBUSY: f"camera {path} is in use by another program",
        }
        text = reasons.get(exc.errno or 0, f"cannot open {path}: {exc.strerror}")
        raise SourceError(text) from None
