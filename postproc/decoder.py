"""decode: probability map in, text regions out; and warm_up, which has its kernels ready."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dbrt.postproc.blocks import BLOCK
from dbrt.postproc.map import as_bytes
from dbrt.postproc.pieces import assemble, grown_in_frame, new_offset, quads_round
from dbrt.postproc.polygons import find_outlines
from dbrt.postproc.quads import INDEX, MEMBERS, find_quads
from dbrt.postproc.settings import FRAME_HEIGHT, FRAME_WIDTH, SCALE_X, SCALE_Y, Settings, settings
from dbrt.postproc.workspace import Workspace, of_this_thread
from dbrt.regions import TextRegions

_BYTE = np.dtype(np.uint8)


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

    map           (H, W) uint8, 255 = certain text (read in place where it is C-contiguous and W is
                  64 or more, else copied), or float32 0..1 (converted)
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
    # What follows is written for few calls: between two frames the network has emptied the caches,
    # and each function that is entered costs more than it seems to.
    plain = type(map) is np.ndarray and map.dtype is _BYTE and map.flags.carray
    pixels = map if plain and map.ndim == 2 and map.shape[1] >= BLOCK else as_bytes(map)
    wanted = settings(
        map.shape,
        scale,
        frame_size,
        binarize,
        min_score,
        unclip_ratio,
        min_side,
        max_regions,
        output,
        score,
    )
    if output == "polygon":
        return _polygons(pixels, wanted, max_regions)
    space = of_this_thread()
    while (found := find_quads(pixels, wanted, *space.arrays)) < 0:
        space = of_this_thread(4 * space.capacity)
    quads, scores = space.quads[:found], space.scores[:found]
    if found <= max_regions:
        return TextRegions.of_own(quads.copy(), scores.copy())
    kept = _largest(space.lists[space.lists[:found, INDEX], MEMBERS], max_regions)
    return TextRegions(quads[kept], scores[kept], truncated=True)


def warm_up() -> None:
    """Make every kernel of `decode` ready: seconds the first time, tenths of one from the cache."""
    map = np.zeros((64, 64), np.uint8)
    map[8:16, 4:28] = 255
    decode(map)
    decode(map.astype(np.float32) / 255)
    decode(map, output="polygon")


def _polygons(pixels: NDArray[np.uint8], wanted: Settings, max_regions: int) -> TextRegions:
    space = of_this_thread()
    while True:
        room = space.outlines
        found, left = find_outlines(pixels, wanted, *space.arrays, room)
        if found >= 0:
            break
        space = of_this_thread(4 * space.capacity)
    if left > 0 or found > max_regions:
        return _polygons_by_pieces(space, found, wanted, max_regions)
    offsets = room.arranged_offsets[: found + 1].copy()
    points = room.arranged[: offsets[found]].copy()
    return TextRegions.of_own(
        space.quads[:found].copy(), space.scores[:found].copy(), points, offsets
    )


def _polygons_by_pieces(
    space: Workspace, found: int, wanted: Settings, max_regions: int
) -> TextRegions:
    """Grow what `find_outlines` left to pyclipper, and keep the largest."""
    room, half = space.outlines, len(space.quads) // 2
    members = space.lists[:found, MEMBERS]
    truncated = found > max_regions
    kept = _largest(members, max_regions) if truncated else np.arange(found)
    begins, ends = room.grown_offsets[:found], room.grown_offsets[1 : found + 1]
    width, height = float(wanted[FRAME_WIDTH]), float(wanted[FRAME_HEIGHT])
    scale = float(wanted[SCALE_X]), float(wanted[SCALE_Y])
    offset, outlines, quads, own = new_offset(), [], [], []
    for i in kept.tolist():
        if begins[i] < ends[i]:
            pieces, round = [room.grown[begins[i] : ends[i]]], space.quads[half + i : half + i + 1]
        else:
            border = room.points[room.offsets[i] : room.offsets[i + 1]]
            pieces = grown_in_frame(offset, border, room.distances[i], scale, width, height)
            round = quads_round(pieces, width, height) if pieces else space.quads[:0]
        outlines += pieces
        quads.append(round)
        own += [i] * len(pieces)
    if not outlines:
        return TextRegions.empty(polygons=True)
    together, scores = np.concatenate(quads), space.scores[half:][own]
    if len(outlines) > max_regions:
        chosen = _largest(members[own], max_regions)
        outlines, truncated = [outlines[k] for k in chosen], True
        together, scores = together[chosen], scores[chosen]
    return assemble(outlines, together, scores, truncated)


def _largest(members: NDArray[np.int32], limit: int) -> NDArray[np.intp]:
    """The indices, in order, of the `limit` regions with most text pixels."""
    return np.sort(np.argsort(-members.astype(np.int64), kind="stable")[:limit])
