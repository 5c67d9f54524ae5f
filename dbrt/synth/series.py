"""A series of labelled pictures on disk, in ICDAR 2015's form, drawn by several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import icdar, totaltext
from dbrt.datasets.sample import Word
from dbrt.errors import OutputError, unwritable
from dbrt.synth.licences import licence_list
from dbrt.synth.picture import Recipe, draw_picture
from dbrt.workers import begin_worker

FOLDERS = ("images", "gts", "polygons")
LICENCES = "LICENCES.txt"


@dataclass(frozen=True)
class Tally:
    """What was written: pictures, labels that count, and labels marked as don't care."""

    pictures: int
    labels: int
    dont_care: int


def draw_series(
    folder: Path, recipe: Recipe, count: int, seed: int, *, workers: int = 1
) -> Iterator[Tally]:
    """Write `images/img_1.jpg` ... with two annotations each below a folder, and `LICENCES.txt`.

    `gts/gt_img_1.txt` has quads in ICDAR 2015's form, `polygons/poly_gt_img_1.txt` the polygons in
    Total-Text's. The pictures do not depend on the number of workers or their order. Yields what
    has been written so far after each picture.

    raises  OutputError where the folder already holds pictures or can't be written
    """
    try:
        for part in FOLDERS:
            (folder / part).mkdir(parents=True, exist_ok=True)
            if any((folder / part).iterdir()):
                raise OutputError(f"{folder / part} is not empty: name another folder or empty it")
        _write_whole(folder / LICENCES, licence_list(recipe.book.files(), recipe.photographs))
    except OSError as exc:
        raise unwritable(folder, exc) from None
    labels = dont_care = 0
    draw = partial(_write_one, folder, recipe, seed)
    for done, (kept, left) in enumerate(_each(draw, count, workers), start=1):
        labels, dont_care = labels + kept, dont_care + left
        yield Tally(done, labels, dont_care)


def write_series(folder: Path, recipe: Recipe, count: int, seed: int, *, workers: int = 1) -> Tally:
    """Do what `draw_series` does to the end and return the last tally; count is 1 or more."""
    return list(draw_series(folder, recipe, count, seed, workers=workers))[-1]


def _write_whole(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _each(
    draw: Callable[[int], tuple[int, int]], count: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Call `draw` for 1 to count, here or in processes of their own."""
    if workers <= 1:
        yield from map(draw, range(1, count + 1))
        return
    # spawn: a fork of a process whose OpenCV has started threads may hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        yield from pool.map(draw, range(1, count + 1), chunksize=4)


def _start_worker() -> None:
    begin_worker()
    cv2.setNumThreads(1)


def _write_one(folder: Path, recipe: Recipe, seed: int, index: int) -> tuple[int, int]:
    """Draw and write one picture; return the numbers of its words that count and that do not."""
    drawn = draw_picture(recipe, seed, index)
    quality = [cv2.IMWRITE_JPEG_QUALITY, drawn.quality]
    _, encoded = cv2.imencode(".jpg", drawn.picture, quality)
    quads = "".join(quad_line(word) + "\n" for word in drawn.words)
    polygons = "".join(polygon_line(word) + "\n" for word in drawn.words)
    parts = {
        folder / "images" / f"img_{index}.jpg": encoded.tobytes(),
        folder / "gts" / f"gt_img_{index}.txt": quads.encode(),
        folder / "polygons" / f"poly_gt_img_{index}.txt": polygons.encode(),
    }
    try:
        for path, data in parts.items():
            path.write_bytes(data)
    except OSError as exc:
        with contextlib.suppress(OSError):  # a picture without its words would mislead
            for path in parts:
                path.unlink(missing_ok=True)
        raise unwritable(folder, exc) from None
    kept = sum(word.care for word in drawn.words)
    return kept, len(drawn.words) - kept


def quad_of(polygon: NDArray[np.float32]) -> NDArray[np.float32]:
    """The quad that stands for a polygon: itself, or the least rectangle about a bent one.

    returns  (4, 2) float32, from the corner that is nearest to the polygon's first point
    """
    if len(polygon) == 4:
        return polygon
    corners = np.asarray(cv2.boxPoints(cv2.minAreaRect(polygon)), np.float32)
    if cv2.contourArea(corners, oriented=True) < 0:
        corners = corners[::-1]
    first = int(np.linalg.norm(corners - polygon[0], axis=1).argmin())
    return np.roll(corners, -first, axis=0)


def quad_line(word: Word) -> str:
    """Write a word as a line of ICDAR 2015's form, coordinates to a hundredth of a pixel."""
    numbers = ",".join(_shown(v) for v in quad_of(word.polygon).ravel().tolist())
    return f"{numbers},{word.text if word.care else icdar.DONT_CARE}"


def polygon_line(word: Word) -> str:
    """Write a word as a record of Total-Text's form: all points of its polygon.

    The orientation is m (several) for straight and c (curved) for bent text, # for don't care.
    """
    x, y = (" ".join(_shown(v) for v in axis) for axis in word.polygon.T.tolist())
    kind = ("m" if len(word.polygon) == 4 else "c") if word.care else "#"
    text = word.text if word.care else totaltext.DONT_CARE
    quote = '"' if "'" in text else "'"
    return f"x: [[{x}]], y: [[{y}]], ornt: [u'{kind}'], transcriptions: [u{quote}{text}{quote}]"


def _shown(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
