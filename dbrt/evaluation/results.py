"""Result files as ICDAR 2015 wants them: one `res_<stem>.txt` a picture, one detection a line."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dbrt.datasets.annotations import malformed, numbered_lines, parse_numbers, to_polygon
from dbrt.errors import InputError, unwritable
from dbrt.evaluation.overlap import Polygons

_FORM = "x1,y1,x2,y2,... (three points at least), and perhaps a score"


def result_name(picture: Path) -> str:
    """Return the name of a picture's result file."""
    return f"res_{picture.stem}.txt"


def read_result(path: Path) -> tuple[list[NDArray[np.float32]], NDArray[np.float32] | None]:
    """Return polygons (M, 2) float32 and scores (N,) float32 of one result file.

    An odd count of numbers ends with a score; scores are None where a line has none.

    Raises InputError that names the file and the line.
    """
    polygons, scores = [], []
    for number, line in numbered_lines(path):
        fields = line.rstrip().rstrip(",").split(",")
        if len(fields) < 6:
            raise malformed(path, number, line, _FORM)
        values = parse_numbers(fields, path, number, _FORM)
        if len(values) % 2:
            scores.append(values.pop())
        polygons.append(to_polygon(values))
    have_scores = len(scores) == len(polygons)
    return polygons, np.array(scores, np.float32) if have_scores else None


def read_results(
    folder: Path, pictures: Sequence[Path]
) -> tuple[list[tuple[Polygons, NDArray[np.float32] | None]], int]:
    """Return the detections of every picture, and how many pictures have no result file.

    A picture without a file counts as one without detections, as in the competition.

    Raises InputError where the folder holds a file for none of the pictures, or a malformed one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of {result_name(pictures[0])} files")
    detections: list[tuple[Polygons, NDArray[np.float32] | None]] = []
    missing = 0
    for picture in pictures:
        path = folder / result_name(picture)
        if path.is_file():
            detections.append(read_result(path))
        else:
            missing += 1
            detections.append(([], np.empty(0, np.float32)))
    if missing == len(pictures):
        raise InputError(f"{folder}: holds no {result_name(pictures[0])} nor any other result")
    return detections, missing


def write_result(
    folder: Path, picture: Path, polygons: Polygons, scores: NDArray[np.float32]
) -> Path:
    """Write one picture's detections: whole pixels, then the score with four decimals.

    Raises OutputError where the file can't be written.
    """
    lines = [
        ",".join(str(int(v)) for v in np.rint(polygon).ravel()) + f",{score:.4f}\n"
        for polygon, score in zip(polygons, scores, strict=True)
    ]
    path = folder / result_name(picture)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="ascii", newline="\n")
    except OSError as exc:
        with contextlib.suppress(OSError):  # half a result would count as a whole one
            path.unlink(missing_ok=True)
        raise unwritable(path, exc) from None
    return path
