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

from dbrt.datasets.icdar import DONT_CARE
from dbrt.datasets.sample import Word
from dbrt.errors import OutputError, unwritable
from dbrt.synth.picture import Recipe, draw_picture
from dbrt.workers import begin_worker

SHEET_TILES = 24
SHEET_COLUMNS = 4
TILE_WIDTH = 480


@dataclass(frozen=True)
class Tally:
    """What was written: pictures, words that count, and words marked as don't care."""

    pictures: int
    words: int
    dont_care: int


def write_series(
    folder: Path, recipe: Recipe, count: int, seed: int, *, workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> Tally:  # fmt: skip
    """Write `images/img_1.jpg` ... and `gts/gt_img_1.txt` ... below a folder.

    The pictures do not depend on the number of workers or their order. `progress` is told the
    number of pictures that are done.

    raises  OutputError where the folder already holds pictures or can't be written
    """
    try:
        for part in ("images", "gts"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            if any((folder / part).iterdir()):
                raise OutputError(f"{folder / part} is not empty: name another folder or empty it")
    except OSError as exc:
        raise unwritable(folder, exc) from None
    words = dont_care = 0
    draw = partial(_write_one, folder, recipe, seed)
    for done, (kept, left) in enumerate(_each(draw, count, workers), start=1):
        words, dont_care = words + kept, dont_care + left
        progress(done)
    return Tally(count, words, dont_care)


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
    text = "".join(annotation(word) + "\n" for word in drawn.words)
    parts = {
        folder / "images" / f"img_{index}.jpg": encoded.tobytes(),
        folder / "gts" / f"gt_img_{index}.txt": text.encode(),
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


def annotation(word: Word) -> str:
    """Write a word as a line of ICDAR 2015's form, coordinates to a hundredth of a pixel."""
    numbers = ",".join(f"{v:.2f}".rstrip("0").rstrip(".") for v in word.polygon.ravel().tolist())
    return f"{numbers},{word.text if word.care else DONT_CARE}"


def write_preview(path: Path, recipe: Recipe, count: int, seed: int) -> None:
    """Draw a sheet of the first pictures of a series, quads outlined; OutputError if it can't."""
    tiles = []
    for index in range(1, min(count, SHEET_TILES) + 1):
        drawn = draw_picture(recipe, seed, index)
        shown = np.ascontiguousarray(drawn.picture)
        for word in drawn.words:
            corners = np.round(word.polygon).astype(np.int32)
            cv2.polylines(shown, [corners], True, (0, 255, 0) if word.care else (0, 0, 255), 1)
        height = round(TILE_WIDTH * shown.shape[0] / shown.shape[1])
        tiles.append(cv2.resize(shown, (TILE_WIDTH, height), interpolation=cv2.INTER_AREA))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % min(SHEET_COLUMNS, len(tiles)))
    columns = min(SHEET_COLUMNS, len(tiles))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    suffix = path.suffix.lower() if path.suffix.lower() in {".png", ".jpg", ".jpeg"} else ""
    if not suffix:
        raise OutputError(f"cannot draw a preview as {path.name}: name it .png or .jpg")
    _, encoded = cv2.imencode(suffix, np.vstack(rows))
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as exc:
        with contextlib.suppress(OSError):
            if path.is_file():  # a device stays
                path.unlink()
        raise unwritable(path, exc) from None
