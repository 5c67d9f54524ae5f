"""DB's decode written plainly with OpenCV and pyclipper: the oracle for dbrt.postproc.

As in the paper (Liao et al. 2020, section 3.5) and its published code, except where dbrt measures
otherwise: corners of pixels instead of their centres, coordinates scaled by 1024 before pyclipper
rounds them to integers, holes are no candidates, and pixels count for a score where their centre
lies inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pyclipper

SCALE = 1024  # pyclipper's units for one pixel


@dataclass
class Found:
    """One region: `quads` and `scores` hold more than one entry where minimal rectangles tie."""

    quads: list[np.ndarray]
    scores: list[float]
    area: float
    short_side: float
    pixels: int


def decode_quads(map, *, binarize=0.3, unclip_ratio=1.5, min_side=3.0, score="box") -> list[Found]:
    """All regions at least `min_side` wide; the caller applies the score threshold."""
    text = (map > binarize * 255).astype(np.uint8)
    _, labels = cv2.connectedComponents(text, connectivity=8)
    found = []
    for contour in outer_contours(text):
        corners = (contour[:, None, :] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).reshape(-1, 2)
        rectangles = smallest_rectangles(corners)
        sides = np.linalg.norm(np.diff(rectangles[0][:3], axis=0), axis=1)
        if sides.min() < min_side - 1e-9:
            continue
        own = labels == labels[contour[0, 1], contour[0, 0]]
        scores = [
            (map[own] if score == "region" else map[inside(rectangle, map.shape)]).mean() / 255
            for rectangle in rectangles
        ]
        quads = [grown_quad(rectangle, unclip_ratio) for rectangle in rectangles]
        found.append(Found(quads, scores, sides.prod(), sides.min(), int(own.sum())))
    return found


def outer_contours(text: np.ndarray) -> list[np.ndarray]:
    """The outer border of every component, also in holes, (M, 2) int32 pixel indices x, y."""
    contours, hierarchy = cv2.findContours(text, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [
        c[:, 0]
        for c, h in zip(contours, hierarchy[0] if len(contours) else [], strict=True)
        if h[3] < 0
    ]


def smallest_rectangles(points: np.ndarray) -> list[np.ndarray]:
    """The (4, 2) rectangles of least area round the points, clockwise; of equals the longest."""
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
    candidates = []
    for edge in np.roll(hull, -1, axis=0) - hull:
        u = edge / np.linalg.norm(edge)
        v = np.array([-u[1], u[0]])
        along, across = hull @ u, hull @ v
        sides = np.ptp(along), np.ptp(across)
        ends = [(along.min(), across.min()), (along.max(), across.min())]
        ends += [(along.max(), across.max()), (along.min(), across.max())]
        quad = np.array([a * u + b * v for a, b in ends])
        candidates.append((sides[0] * sides[1], max(sides), quad))
    least = min(area for area, _, _ in candidates)
    tied = [c for c in candidates if c[0] < least * (1 + 1e-9)]
    longest = max(side for _, side, _ in tied)
    return [quad for _, side, quad in tied if side > longest * (1 - 1e-9)]


def inside(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, true where a pixel's centre lies in the convex clockwise polygon or on it."""
    low = np.clip(np.floor(polygon.min(0)).astype(int), 0, None)
    high = np.clip(np.ceil(polygon.max(0)).astype(int), 0, (shape[1], shape[0]))
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    within = np.ones(y.shape, bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        length = np.hypot(bx - ax, by - ay)
        within &= ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length > -1e-6
    result = np.zeros(shape, bool)
    result[low[1] : high[1], low[0] : high[0]] = within
    return result


def grown_quad(rectangle: np.ndarray, ratio: float) -> np.ndarray:
    """The smallest rectangle round the outline offset by area * ratio / perimeter, (4, 2)."""
    outlines = grown(rectangle, ratio)
    return smallest_rectangles(np.concatenate(outlines))[0] if ratio > 0 else rectangle


def grown(polygon: np.ndarray, ratio: float, extra: float = 0.0) -> list[np.ndarray]:
    """The polygon offset outwards with round joins: the outer outlines, (M, 2) pixels each."""
    area = abs(cv2.contourArea(polygon.astype(np.float32)))
    perimeter = cv2.arcLength(polygon.astype(np.float32), True)
    offset = pyclipper.PyclipperOffset(arc_tolerance=SCALE / 200)
    offset.AddPath(
        np.rint(polygon * SCALE).astype(np.int64).tolist(),
        pyclipper.JT_ROUND,
        pyclipper.ET_CLOSEDPOLYGON,
    )
    pieces = offset.Execute((area * ratio / perimeter + extra) * SCALE)
    return [np.array(piece) / SCALE for piece in pieces if pyclipper.Orientation(piece)]


def corner_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The largest distance between corresponding corners, whichever corner each begins with."""
    return min(np.linalg.norm(a - np.roll(b, k, axis=0), axis=1).max() for k in range(4))


def decode_polygons(map, *, binarize=0.3, min_score=0.6, unclip_ratio=1.5, min_side=3.0):
    """Outlines (M, 2) of the regions that score `min_score` or more, with their scores."""
    text = (map > binarize * 255).astype(np.uint8)
    found = []
    for contour in outer_contours(text):
        corners = (contour[:, None, :] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).reshape(-1, 2)
        sides = np.linalg.norm(np.diff(smallest_rectangles(corners)[0][:3], axis=0), axis=1)
        outline = cv2.approxPolyDP(contour, 0.002 * cv2.arcLength(contour, True), True)[:, 0]
        left, top, width, height = cv2.boundingRect(outline)
        score = np.mean(
            [
                map[y, x] / 255
                for y in range(top, top + height)
                for x in range(left, left + width)
                if cv2.pointPolygonTest(outline, (x, y), False) >= 0
            ]
        )
        if sides.min() < min_side - 1e-9 or score < min_score:
            continue
        # The outline through pixel centres, moved to the outer edge of its pixels, then grown.
        edge = grown(outline + 0.5, 0.0, 0.5)[0] if len(outline) > 2 else None
        if edge is not None:
            found.extend((piece, score) for piece in grown(edge, unclip_ratio))
    return found


def polygon_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two outlines, by pyclipper."""
    paths = [np.rint(p * SCALE).astype(np.int64).tolist() for p in (a, b)]
    areas = []
    for operation in (pyclipper.CT_INTERSECTION, pyclipper.CT_UNION):
        clipper = pyclipper.Pyclipper()
        clipper.AddPath(paths[0], pyclipper.PT_SUBJECT, True)
        clipper.AddPath(paths[1], pyclipper.PT_CLIP, True)
        solution = clipper.Execute(operation, pyclipper.PFT_NONZERO, pyclipper.PFT_NONZERO)
        areas.append(sum(pyclipper.Area(path) for path in solution))
    return areas[0] / areas[1]
