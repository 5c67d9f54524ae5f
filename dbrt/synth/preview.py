"""A sheet of the first pictures of a series with their polygons drawn in."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np

from dbrt.errors import OutputError, unwritable
from dbrt.synth.picture import LabelledPicture, Recipe, draw_picture
from dbrt.synth.textures import Picture

TILES = 24
COLUMNS = 4
TILE = (480, 480)  # height, width
SHIFT = 4  # binary digits of sub-pixel precision in OpenCV's drawing
CARE, DONT_CARE = (0, 255, 0), (0, 0, 255)


def check_preview(path: Path) -> str:
    """Return the suffix that a preview is written as; OutputError for one that can't be."""
    suffix = path.suffix.lower()
    if suffix not in {".png", ".jpg", ".jpeg"}:
        raise OutputError(f"cannot draw a preview as {path.name}: name it .png or .jpg")
    return suffix


def write_preview(path: Path, recipe: Recipe, count: int, seed: int) -> None:
    """Draw a sheet of the first pictures of a series, polygons outlined; OutputError if it can't.

    Green is what counts, red what is marked as don't care.
    """
    suffix = check_preview(path)
    numbers = range(1, min(count, TILES) + 1)
    tiles = [tile_of(draw_picture(recipe, seed, index)) for index in numbers]
    columns = min(COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    _, encoded = cv2.imencode(suffix, np.vstack(rows))
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as exc:
        with contextlib.suppress(OSError):
            if path.is_file():  # a device stays
                path.unlink()
        raise unwritable(path, exc) from None


def tile_of(drawn: LabelledPicture) -> Picture:
    """Scale a picture into a tile of TILE, its polygons drawn in."""
    rows, columns = drawn.picture.shape[:2]
    factor = min(TILE[0] / rows, TILE[1] / columns)
    size = round(columns * factor), round(rows * factor)
    shown = np.asarray(cv2.resize(drawn.picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    for word in drawn.words:
        corners = np.round((word.polygon * factor - 0.5) * 2**SHIFT).astype(np.int32)
        colour = CARE if word.care else DONT_CARE
        cv2.polylines(shown, [corners], True, colour, 1, cv2.LINE_AA, SHIFT)
    tile = np.zeros((*TILE, 3), np.uint8)
    tile[: shown.shape[0], : shown.shape[1]] = shown
    return tile
