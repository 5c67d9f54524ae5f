"""FramesSink: a folder with one annotated picture for each frame."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from dbrt.errors import OutputError
from dbrt.stream.result import FrameResult
from dbrt.stream.sinks.sink import Sink, check_parent, stopped

JPEG_QUALITY = 92


class FramesSink(Sink):
    """Writes `000000.jpg`, `000001.jpg`, ...; the number is the frame's index in its source."""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Check the folder: it must be new or empty, unless `overwrite`."""
        super().__init__(path)
        is_folder = os.path.isdir(path)
        if os.path.exists(path) and not is_folder:
            raise OutputError(f"{path} is a file: give the name of a folder")
        if is_folder and not overwrite and any(path.iterdir()):
            raise OutputError(f"{path} is not empty: choose another folder or give --overwrite")
        check_parent(path / "000000.jpg" if is_folder else path)
        self._last_s = 0.0

    def write(self, result: FrameResult) -> None:
        """Write one picture; raises OutputError where it can't be written."""
        is_encoded, data = cv2.imencode(
            ".jpg", result.picture(), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        if not is_encoded:
            raise OutputError(f"frame {result.index} can't be written as JPEG: it is too large")
        target = self.path / f"{result.index:06d}.jpg"
        try:
            self.path.mkdir(exist_ok=True)
            target.write_bytes(data.tobytes())
        except OSError as exc:
            target.unlink(missing_ok=True)  # half a picture
            raise stopped(self.path, exc, self._last_s) from None
        self._last_s = result.time_s
        self.written += 1

    def close(self) -> None:
        """Do nothing: every picture is whole."""
