"""Where results go: lines to a file or to standard output, or files of their own in a folder."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from io import FileIO
from pathlib import Path

import cv2
import numpy as np

from dbrt.detector import Frame, TextDetector
from dbrt.errors import OutputError, unwritable
from dbrt.evaluation.results import result_name, write_result
from dbrt.pictures.result import CSV_HEADER, PictureResult
from dbrt.stream.overlay import draw
from dbrt.stream.sinks.sink import check_file

ENCODING = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 92], ".png": []}
MAP_KINDS = ("probability", "threshold", "approximate-binary")  # in the order of TextMaps

FORMATS: dict[str, tuple[bytes, Callable[[PictureResult], bytes]]] = {
    "jsonl": (b"", PictureResult.json_line),
    "csv": (CSV_HEADER.encode(), PictureResult.csv_lines),
}


class Output(ABC):
    """Takes the result of each picture. Making one touches nothing.

    Every failure to write is an OutputError.
    """

    @abstractmethod
    def targets(self, names: Sequence[str]) -> list[Path]:
        """Return the files that it will write for pictures whose outputs have these names."""

    def open(self) -> None:  # noqa: B027 - not every output has something to prepare
        """Make what must be there before the first result."""

    @abstractmethod
    def write(self, result: PictureResult, name: str, frame: Frame, detector: TextDetector) -> None:
        """Take one result: `name` is that of the picture's outputs, `frame` the picture."""

    def close(self) -> None:  # noqa: B027
        """Finish the output."""


class LinesOutput(Output):
    """Writes JSON lines or CSV to a file, or hands them to `write_bytes` where there is none.

    Unbuffered, and a block that a full disk cut short is taken back: what is there is whole.
    """

    def __init__(
        self, kind: str, path: Path | None, write_bytes: Callable[[bytes], None] | None = None
    ) -> None:
        self._header, self._format = FORMATS[kind]
        self._path = path
        self._write_bytes = write_bytes
        self._file: FileIO | None = None
        self._end = 0  # bytes of whole blocks

    def targets(self, names: Sequence[str]) -> list[Path]:
        """Return the file, if there is one."""
        return [] if self._path is None else [self._path]

    def open(self) -> None:
        """Open the file and write the header."""
        if self._path is not None:
            try:
                self._file = open(self._path, "wb", buffering=0)
            except OSError as exc:
                raise unwritable(self._path, exc) from None
        self._put(self._header)

    def write(self, result: PictureResult, name: str, frame: Frame, detector: TextDetector) -> None:
        """Write the picture's line, or its regions' lines."""
        self._put(self._format(result))

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None and self._path is not None:
            try:
                file.close()
            except OSError as exc:
                raise unwritable(self._path, exc) from None

    def _put(self, data: bytes) -> None:
        if self._write_bytes is not None and data:
            self._write_bytes(data)
        if self._file is None or self._path is None:
            return
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as exc:
            with contextlib.suppress(OSError):  # what is no file, a pipe for one, stays as it is
                self._file.truncate(self._end)
            raise unwritable(self._path, exc) from None
        self._end += len(data)


class FolderOutput(Output):
    """Writes one or more files a picture into a folder, which it makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise unwritable(self.folder, exc) from None


class IcdarOutput(FolderOutput):
    """Writes `res_<name>.txt`: whole pixels, then the score; `dbrt evaluate` reads them."""

    def targets(self, names: Sequence[str]) -> list[Path]:
        """Return one text file a picture."""
        return [self.folder / result_name(_picture_named(name)) for name in names]

    def write(self, result: PictureResult, name: str, frame: Frame, detector: TextDetector) -> None:
        """Write one picture's regions: its polygons where there are some."""
        polygons = result.regions.polygons
        outlines = list(result.regions.quads) if polygons is None else polygons
        write_result(self.folder, _picture_named(name), outlines, result.regions.scores)


class DrawingOutput(FolderOutput):
    """Writes `<name>.jpg`: the picture with its regions drawn in."""

    def targets(self, names: Sequence[str]) -> list[Path]:
        """Return one picture a picture."""
        return [self.folder / f"{name}.jpg" for name in names]

    def write(self, result: PictureResult, name: str, frame: Frame, detector: TextDetector) -> None:
        """Draw the regions: polygons where there are some, else quads."""
        [path] = self.targets([name])
        write_picture(path, draw(frame, result.regions))


class MapsOutput(FolderOutput):
    """Writes `<name>-probability.png`, `-threshold.png` and `-approximate-binary.png`.

    Coloured from dark blue (0) over green to yellow (1), in the picture's size.
    """

    def targets(self, names: Sequence[str]) -> list[Path]:
        """Return three pictures a picture."""
        return [self.folder / f"{name}-{kind}.png" for name in names for kind in MAP_KINDS]

    def write(self, result: PictureResult, name: str, frame: Frame, detector: TextDetector) -> None:
        """Run the network once more, with its threshold head, and write what it says."""
        for path, map in zip(self.targets([name]), detector.maps(frame), strict=True):
            write_picture(path, np.asarray(cv2.applyColorMap(map, cv2.COLORMAP_VIRIDIS), np.uint8))


def check_outputs(
    outputs: Iterable[Output], names: Sequence[str], pictures: Iterable[Path], *, overwrite: bool
) -> None:
    """Make sure that nothing is in the way of any output; writes nothing.

    Raises OutputError where a file is there already and `overwrite` is not given, where one would
    replace a picture that is read, whatever is given, or where it can't be written.
    """
    read = {_real(picture) for picture in pictures}
    for output in outputs:
        if isinstance(output, FolderOutput):
            _check_folder(output.folder)
        for path in output.targets(names):
            if _real(path) in read:
                raise OutputError(f"{path} is one of the pictures to read: write elsewhere")
            if isinstance(output, LinesOutput):
                check_file(path, overwrite=overwrite)
            elif os.path.lexists(path) and not overwrite:
                raise OutputError(f"{path} exists already: write elsewhere or give --overwrite")


def _check_folder(folder: Path) -> None:
    """Raise OutputError unless `folder` is a folder that can be written to, or can become one."""
    there = folder.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not os.path.isdir(there):
        raise OutputError(f"{there} is a file: give the name of a folder")
    if not os.access(there, os.W_OK):
        raise OutputError(f"{folder}: can't be written: no permission in {there}: write elsewhere")


def write_picture(path: Path, picture: Frame) -> None:
    """Write a picture in the format of its suffix; it appears whole or not at all.

    Raises OutputError.
    """
    try:
        is_encoded, data = cv2.imencode(path.suffix, picture, ENCODING[path.suffix])
    except cv2.error:
        is_encoded = False
    if not is_encoded:
        height, width = picture.shape[:2]
        raise OutputError(f"{path}: {width}x{height} pixels are too many for {path.suffix}")
    temporary = path.with_name(f".{path.name}.part")
    try:
        # Not cv2.imwrite: on Windows it can't open names outside the code page.
        temporary.write_bytes(data.tobytes())
        os.replace(temporary, path)
    except OSError as exc:
        raise unwritable(path, exc) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _picture_named(name: str) -> Path:
    """Return a path whose stem is `name`, dots and all."""
    return Path(f"{name}.picture")


def _real(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
