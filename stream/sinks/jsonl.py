"""JsonLinesSink: one JSON object for each frame, one on a line."""

from __future__ import annotations

import contextlib
import json
from io import FileIO
from pathlib import Path

from dbrt.stream.result import FrameResult
from dbrt.stream.sinks.sink import Sink, check_file, stopped


class JsonLinesSink(Sink):
    """Writes `FrameResult.to_dict()` as UTF-8 JSON lines, each at once and whole.

    Unbuffered: after a crash no line is missing (with the default buffering 34 of 250 were), and a
    line that a full disk cut short is taken back.
    """

    is_annotated = False

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        super().__init__(path)
        check_file(path, overwrite=overwrite)
        self._file: FileIO | None = None
        self._last_s = 0.0
        self._end = 0  # bytes of whole lines

    def write(self, result: FrameResult) -> None:
        """Write one line; raises OutputError where the disk is full."""
        text = json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False)
        line = f"{text}\n".encode()
        try:
            if self._file is None:
                self._file = open(self.path, "wb", buffering=0)
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as exc:
            self._take_back()
            raise stopped(self.path, exc, self._last_s) from None
        self._end += len(line)
        self._last_s = result.time_s
        self.written += 1

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as exc:
            raise stopped(self.path, exc, self._last_s) from None

    def _take_back(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what is no file, a pipe for one, stays as it is
                self._file.truncate(self._end)
