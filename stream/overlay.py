"""Drawing of text regions on frames."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.regions import TextRegions

Frame = NDArray[np.uint8]

LINE_COLOUR = (80, 255, 60)
"""BGR. A light green line on a dark rim stands out on walls, sky, foliage and skin alike."""
RIM_COLOUR = (20, 20, 20)
TEXT_COLOUR = (255, 255, 255)

_SUBPIXEL_BITS = 3  # polylines takes integers with this many binary places
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def line_width(height: int, width: int) -> int:
    """Return the width of outlines for a frame, in pixels: 1 up to 480 lines, 2 at 720."""
    return max(1, round(min(height, width) / 360))


def draw(
    frame: Frame, regions: TextRegions, *, status: str | None = None, scores: bool = False
) -> Frame:
    """Return a copy of `frame` with the outline of every region.

    frame    (H, W, 3) uint8 BGR; not changed
    regions  in pixels of the frame; polygons are drawn where there are some, else quads
    status   a line of text for the lower left corner
    scores   write each region's score beside it
    returns  (H, W, 3) uint8 BGR, C-contiguous
    """
    picture = np.array(frame, np.uint8, order="C")
    width = line_width(*picture.shape[:2])
    outlines = regions.polygons
    if outlines is None:
        outlines = list(regions.quads)
    closed = [_fixed_point(outline) for outline in outlines]
    for colour, thickness in ((RIM_COLOUR, width + 2), (LINE_COLOUR, width)):
        cv2.polylines(picture, closed, True, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    if scores:
        for region in regions:
            _draw_score(picture, region.quad, region.score)
    if status:
        _draw_status(picture, status)
    return picture


def _fixed_point(outline: NDArray[np.float32]) -> NDArray[np.int32]:
    # Continuous coordinates put the first pixel's centre at 0.5, OpenCV puts it at 0.
    scaled = (outline.astype(np.float64) - 0.5) * (1 << _SUBPIXEL_BITS)
    return np.round(scaled).astype(np.int32).reshape(-1, 1, 2)


def _font_scale(picture: Frame) -> float:
    height, width = picture.shape[:2]
    return float(max(0.35, min(height, width) / 900))


def _draw_score(picture: Frame, quad: NDArray[np.float32], score: float) -> None:
    x, y = (int(v) for v in quad.min(axis=0))
    scale = _font_scale(picture) * 0.8
    place = (max(x, 0), max(y - 3, round(20 * scale)))
    for colour, thickness in ((RIM_COLOUR, 3), (LINE_COLOUR, 1)):
        cv2.putText(picture, f"{score:.2f}", place, _FONT, scale, colour, thickness, cv2.LINE_AA)


def _draw_status(picture: Frame, status: str) -> None:
    height, width = picture.shape[:2]
    scale = _font_scale(picture)
    (text_width, text_height), below = cv2.getTextSize(status, _FONT, scale, 1)
    if text_width + 8 > width:  # a narrow frame: smaller letters before cut ones
        scale *= (width - 8) / text_width
        (text_width, text_height), below = cv2.getTextSize(status, _FONT, scale, 1)
    top = height - text_height - below - 8
    if top < height // 2:
        return
    corner = picture[top:, : text_width + 8]
    corner[:] = corner // 4
    place = (4, height - below - 4)
    cv2.putText(picture, status, place, _FONT, scale, TEXT_COLOUR, 1, cv2.LINE_AA)
