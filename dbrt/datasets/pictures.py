"""Pictures from files: the one way in which detection, training and evaluation read them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets.headers import KINDS, SNIFF_BYTES, Header, kind_of, read_header
from dbrt.errors import InputError

# A decoder allocates what the header claims: 200 megapixels are 600 MB as BGR.
MAX_PIXELS = 200_000_000

_OPTIONAL_KINDS = frozenset({"AVIF", "WebP", "GIF", "TIFF"})  # a build of OpenCV may lack these

Frame = NDArray[np.uint8]  # (H, W, 3) BGR


def read_picture(path: str | Path) -> Frame:
    """Read one picture as a frame, turned upright as its EXIF data says.

    returns  (H, W, 3) uint8 BGR, C-contiguous; alpha is dropped, 16-bit samples become 8-bit, of an
             animation the first picture is read

    Raises InputError with one line for what is missing, no picture, cut, of absurd size
    (above 200 megapixels) or of a sample type that can't be decoded.
    """
    path = Path(path)
    data, header = _read_checked(path)
    if header.kind == "JPEG" and not _has_end(data):
        raise InputError(f"{path}: this JPEG file is damaged or cut: get it again")
    try:
        # imdecode and not imread: for half a picture imread returns one with a grey rest.
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as exc:
        reason = str(exc).split("error:")[-1].strip().split("\n")[0]
        raise InputError(f"{path}: this {header.kind} file can't be decoded: {reason}") from None
    except MemoryError:
        raise InputError(
            f"{path}: not enough memory for {header.width}x{header.height} pixels"
        ) from None
    if frame is None:
        hint = ", or this OpenCV has no decoder for it" if header.kind in _OPTIONAL_KINDS else ""
        raise InputError(f"{path}: this {header.kind} file is damaged or cut{hint}: get it again")
    return np.ascontiguousarray(frame, np.uint8)


def _has_end(jpeg: bytes) -> bool:
    """Whether an end-of-image marker follows the last start of a scan.

    OpenCV 4 decodes half a JPEG to a picture with a grey rest, and tells only standard error.
    """
    scan = jpeg.rfind(b"\xff\xda")
    return scan >= 0 and jpeg.find(b"\xff\xd9", scan) >= 0


def picture_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) in pixels as the header says, before EXIF rotation; decodes nothing.

    Raises InputError as `read_picture` does, but for what only decoding can find.
    """
    _, header = _read_checked(Path(path))
    return header.height, header.width


def _read_checked(path: Path) -> tuple[bytes, Header]:
    """Return a picture file's bytes and its header, both looked at before anything is decoded."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder, not a picture")
        if path.exists() and not path.is_file():  # reading a pipe or a device might never end
            raise InputError(f"{path}: is not a regular file")
        with path.open("rb") as file:
            start = file.read(SNIFF_BYTES)
            if not start:
                raise InputError(f"{path}: is empty: get it again")
            if kind_of(start) is None:
                raise InputError(f"{path}: is not a picture that can be read ({', '.join(KINDS)})")
            data = start + file.read()
    except (OSError, ValueError) as exc:  # ValueError: a null byte in the name
        reason = getattr(exc, "strerror", None) or exc
        raise InputError(f"{path}: can't be read: {reason}") from None
    header = read_header(data)
    if header is None:
        raise InputError(
            f"{path}: the header of this {kind_of(start)} file is damaged or cut: get it again"
        )
    if header.width * header.height > MAX_PIXELS:
        raise InputError(
            f"{path}: is too large: {header.width}x{header.height} is "
            f"{header.width * header.height / 1e6:.0f} megapixels, "
            f"at most {MAX_PIXELS // 10**6} are read"
        )
    if header.is_float:
        raise InputError(
            f"{path}: {header.bits}-bit floating-point {header.kind} can't be read: "
            "convert it to 8 or 16 bit"
        )
    return data, header
