"""Annotation files: reading their text, pairing them with pictures, naming the faulty line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dbrt.datasets.sample import Polygon, Sample, Word
from dbrt.errors import InputError

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif"}
)

Reader = Callable[[Path], list[Word]]


def read_text(path: Path) -> str:
    """Return a UTF-8 text file without its byte order mark.

    Raises InputError where the file is missing, can't be read, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as exc:
        raise InputError(f"{path}: {exc.strerror or exc}: this annotation can't be read") from None
    except UnicodeDecodeError as exc:
        raise InputError(
            f"{path}: byte {exc.start} is not UTF-8: convert the annotation, "
            "for example with iconv -t UTF-8"
        ) from None


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Return the non-blank lines of a text file with their numbers, which start at 1.

    Only line feeds end a line (a transcription may hold other separators); carriage returns
    before them are dropped.
    """
    lines = enumerate(read_text(path).split("\n"), 1)
    return [(number, line.strip("\r")) for number, line in lines if line.strip()]


def parse_numbers(
    fields: Sequence[str], path: Path, line: int | None, expected: str
) -> list[float]:
    """Return the fields as finite numbers.

    Raises InputError that names the file, the line where there is one, and the `expected` form.
    """
    try:
        numbers = [float(field) for field in fields]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise malformed(path, line, ",".join(fields), expected)
    return numbers


def malformed(path: Path, line: int | None, found: str, expected: str) -> InputError:
    """Return the error for a part of an annotation file that has not the `expected` form."""
    where = f"{path}, line {line}" if line is not None else f"{path}"
    shown = found if len(found) <= 60 else found[:57] + "..."
    return InputError(f"{where}: expected {expected}, found {shown!r}")


def to_polygon(numbers: Sequence[float]) -> Polygon:
    """Return x1, y1, x2, y2, ... as a (M, 2) float32 array."""
    return np.array(numbers, np.float32).reshape(-1, 2)


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that puts img_2 before img_10."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(p), "") if p.isascii() and p.isdigit() else (-1, p.lower()) for p in parts)


def list_files(folder: Path) -> list[Path]:
    """Return the visible files of a folder in natural order.

    Raises InputError where the folder can't be listed.
    """
    try:
        files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    except OSError as exc:
        raise InputError(f"{folder}: {exc.strerror or exc}: this folder can't be listed") from None
    return sorted(files, key=lambda p: natural_key(p.name))


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by their suffix, in natural order."""
    return [p for p in list_files(folder) if p.suffix.lower() in PICTURE_SUFFIXES]


def pair(
    pictures: Path, annotations: Path, name_patterns: Sequence[str], read: Reader
) -> tuple[Sample, ...]:
    """Read the annotation of every picture of a folder.

    `name_patterns` are the annotation's possible names, with `{stem}` for the picture's; the first
    that exists is taken. Raises InputError where there is no picture, a picture without annotation,
    or an annotation that can't be read.
    """
    found = list_pictures(pictures)
    if not found:
        raise InputError(f"{pictures}: holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    samples = []
    for picture in found:
        candidates = [annotations / p.format(stem=picture.stem) for p in name_patterns]
        annotation = next((c for c in candidates if c.is_file()), None)
        if annotation is None:
            raise InputError(
                f"{picture}: has no annotation {candidates[0]}; "
                "write an empty file there if the picture has no text"
            )
        samples.append(Sample(picture, read(annotation)))
    return tuple(samples)
