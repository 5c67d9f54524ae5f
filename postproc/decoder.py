"""decode: probability map in, text regions out; and warm_up, which has its kernels ready."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import UsageError
from dbrt.postproc.map import as_words
from dbrt.postproc.polygons import (
    assemble,
    clip_all,
    find_outlines,
    grow,
    new_offset,
    paths,
    take,
    to_frame,
)
from dbrt.postproc.quads import find_quads
from dbrt.postproc.workspace import Workspace
from dbrt.regions import TextRegions


class Content(NamedTuple):
    """The part of a map that shows the frame, and the frame's size."""

    rows: int
    columns: int
    frame_height: float
    frame_width: float


def decode(
    map: NDArray[Any],
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    frame_size: tuple[int, int] | None = None,
    binarize: float = 0.3,
    min_score: float = 0.6,
    unclip_ratio: float = 1.5,
    min_side: float = 3.0,
    max_regions: int = 1000,
    output: Literal["quad", "polygon"] = "quad",
    score: Literal["box", "region"] = "box",
) -> TextRegions:
    """Find the text regions of a probability map (Liao et al. 2020, section 3.5).

    Pixels above `binarize` that touch by side or corner form a region. Its smallest rectangle,
    measured from corner to corner of its pixels, is kept where its shorter side and its score are
    large enough, then grown by area * unclip_ratio / perimeter on each side, because the network
    draws text shrunk.

    map           (H, W) uint8, 255 = certain text (read in place where it is C-contiguous and W a
                  multiple of 8, else copied), or float32 0..1 (converted)
    scale         (x, y) pixels of the frame for one pixel of the map
    frame_size    (height, width) of the frame in pixels: what the map holds beyond it is ignored,
                  corners are clipped to it; None: the whole map is frame
    binarize      0..1, pixels above it are text
    min_score     0..1, regions below it are dropped
    min_side      pixels of the map, measured before growing
    max_regions   the largest of this many are kept, by text pixels, and `truncated` is set
    output        "quad", or "polygon": outlines as well, for curved text; slower
    score         "box": mean of the map over the rectangle (polygon: over the outline), low for
                  sparse, ragged or curved regions; "region": mean over the region's own pixels,
                  blind to its shape
    returns       regions in pixels of the frame, sorted by their topmost, then by their leftmost
                  coordinate

    Safe to call from several threads: each has a workspace of its own, kept for its next call, and
    the GIL is released while a map is searched.

    Raises InputError for a map of another form, or with NaN or values outside 0..1 in it;
    UsageError for an argument out of range.
    """
    _check(scale, binarize, min_score, unclip_ratio, min_side, max_regions, output, score)
    pixels, words = as_words(map)
    content = _content(map.shape, scale, frame_size)
    # Byte v is text where v / 255 > binarize.
    threshold = math.floor(binarize * 255) + 1
    if content.rows <= 0 or content.columns <= 0:
        return TextRegions.empty(polygons=output == "polygon")
    search = (
        words,
        pixels,
        content.rows,
        content.columns,
        threshold,
        min_score,
        unclip_ratio,
        min_side,
        score == "region",
    )
    if output == "polygon":
        return _polygons(search, scale, content, max_regions)
    return _quads(search, scale, content, max_regions)


def warm_up() -> None:
    """Make every kernel of `decode` ready: seconds the first time, tenths of one from the cache."""
    map = np.zeros((32, 32), np.uint8)
    map[8:16, 4:28] = 255
    decode(map)
    decode(map.astype(np.float32) / 255)
    decode(map, output="polygon")


def _quads(
    search: tuple[Any, ...], scale: tuple[float, float], content: Content, max_regions: int
) -> TextRegions:
    frame: tuple[Any, ...] = (scale[0], scale[1], content.frame_width, content.frame_height)
    space = Workspace.of_this_thread()
    while (found := find_quads(*search, *frame, *space.shared, *space.quad_output)) < 0:
        space = Workspace.of_this_thread(4 * space.capacity)
    order, truncated = _largest(space.order[:found], space.members, max_regions)
    return TextRegions(space.quads[order], space.scores[order], truncated=truncated)


def _polygons(
    search: tuple[Any, ...], scale: tuple[float, float], content: Content, max_regions: int
) -> TextRegions:
    space = Workspace.of_this_thread()
    while (found := find_outlines(*search, *space.shared, *space.outline_output)) < 0:
        space = Workspace.of_this_thread(4 * space.capacity)
    kept, truncated = _largest(np.arange(found), space.members, max_regions)
    border, offset = paths(space.points[: space.offsets[found]]), new_offset()
    outlines, sources = [], []
    for i in kept.tolist():
        path = border[space.offsets[i] : space.offsets[i + 1]]
        for piece in grow(offset, path, space.distances[i]):
            outlines.append(piece)
            sources.append(i)
    if not outlines:
        return TextRegions.empty(polygons=True)
    width, height = content.frame_width, content.frame_height
    points, offsets, own = clip_all(
        *to_frame(outlines, scale), np.array(sources, np.int64), width, height
    )
    if len(own) == 0:
        return TextRegions.empty(polygons=True)
    pieces, cut = _largest(np.arange(len(own)), space.members[own], max_regions)
    if cut:
        points, offsets = take(points, offsets, pieces)
    scores = space.scores[own[pieces]]
    return assemble(points, offsets, scores, width, height, truncated or cut)


def _largest(
    order: NDArray[np.int64], members: NDArray[np.int32], limit: int
) -> tuple[NDArray[np.int64], bool]:
    """The `limit` regions with most text pixels, in the order given; whether any was left out."""
    if len(order) <= limit:
        return order, False
    largest = np.argsort(-members[order].astype(np.int64), kind="stable")[:limit]
    return order[np.sort(largest)], True


def _content(
    shape: tuple[int, int], scale: tuple[float, float], frame_size: tuple[int, int] | None
) -> Content:
    """What of a map of this shape lies in the frame; a column that lies in it partly counts."""
    height, width = shape
    if frame_size is None:
        return Content(height, width, height * scale[1], width * scale[0])
    # The slack keeps rounding in 1 / scale from adding a column of filling.
    rows = math.ceil(frame_size[0] / scale[1] - 1e-6)
    columns = math.ceil(frame_size[1] / scale[0] - 1e-6)
    return Content(
        min(rows, height), min(columns, width), float(frame_size[0]), float(frame_size[1])
    )


def _check(
    scale: tuple[float, float],
    binarize: float,
    min_score: float,
    unclip_ratio: float,
    min_side: float,
    max_regions: int,
    output: str,
    score: str,
) -> None:
    if not 0 <= binarize < 1:
        raise UsageError(f"binarize is {binarize}: give a number from 0 to below 1")
    if not 0 <= min_score <= 1:
        raise UsageError(f"min_score is {min_score}: give a number from 0 to 1")
    if not 0 <= unclip_ratio < math.inf:
        raise UsageError(f"unclip_ratio is {unclip_ratio}: give 0 or more")
    if not 0 <= min_side < math.inf:
        raise UsageError(f"min_side is {min_side}: give 0 or more pixels of the map")
    if max_regions < 1:
        raise UsageError(f"max_regions is {max_regions}: give 1 or more")
    if not (0 < scale[0] < math.inf and 0 < scale[1] < math.inf):
        raise UsageError(f"scale is {scale}: give two positive numbers, (x, y)")
    if output not in ("quad", "polygon"):
        raise UsageError(f'output is {output!r}: give "quad" or "polygon"')
    if score not in ("box", "region"):
        raise UsageError(f'score is {score!r}: give "box" or "region"')
