"""A pinhole camera and flat textured panels in space: pictures with exact word quads.

The world is in metres: x right, y up, z away from the viewer. A panel is a picture pinned to a
parallelogram; seen by the camera it becomes one homography, which carries the words' quads too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # (3, 3)
Quad = NDArray[np.float32]  # (4, 2)

SUPERSAMPLING = 2  # a frame is rendered this many times as wide and high, then averaged down


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture in space.

    texture  (H, W, 4) uint8 BGRA, colours not multiplied by alpha
    origin   (3,) metres, the corner that shows the texture's top left
    across   (3,) metres, from there to the top right
    down     (3,) metres, from there to the bottom left
    words    text and quad (4, 2) float32 in pixels of the texture
    """

    texture: NDArray[np.uint8]
    origin: tuple[float, float, float]
    across: tuple[float, float, float]
    down: tuple[float, float, float]
    words: list[tuple[str, Quad]] = field(default_factory=list)

    @cached_property
    def premultiplied(self) -> NDArray[np.uint8]:
        """The texture with its colours multiplied by alpha."""
        alpha = cv2.cvtColor(self.texture[..., 3], cv2.COLOR_GRAY2BGR)
        colour = cv2.multiply(self.texture[..., :3], alpha, scale=1 / 255)
        return np.dstack([colour, self.texture[..., 3]])

    def moved(self, by: tuple[float, float, float]) -> Panel:
        """Return the same panel at another place."""
        x, y, z = (a + b for a, b in zip(self.origin, by, strict=True))
        return Panel(self.texture, (x, y, z), self.across, self.down, self.words)


@dataclass(frozen=True)
class Camera:
    """Where the viewer stands and looks: metres and degrees; focal length in frame widths."""

    x: float
    y: float
    z: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    focal: float = 0.8

    def rotation(self) -> Matrix:
        """World to camera; yaw turns right, pitch up, roll clockwise as seen."""
        yaw, pitch, roll = np.deg2rad([self.yaw, self.pitch, self.roll])
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        cr, sr = np.cos(roll), np.sin(roll)
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        tilt = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        lean = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        return np.asarray(lean.T @ tilt @ turn)

    def homography(self, panel: Panel, shape: tuple[int, int]) -> Matrix:
        """Texture pixels to frame pixels, both continuous (a pixel's centre is at .5)."""
        height, width = shape
        rows, columns = panel.texture.shape[:2]
        f = self.focal * width
        lens = np.array([[f, 0, width / 2], [0, -f, height / 2], [0, 0, 1.0]])
        place = np.asarray(panel.origin) - (self.x, self.y, self.z)
        plane = np.stack(
            [np.asarray(panel.across) / columns, np.asarray(panel.down) / rows, place], axis=1
        )
        return np.asarray(lens @ self.rotation() @ plane)


def project(points: NDArray[np.float32], homography: Matrix) -> NDArray[np.float32]:
    """Carry points (..., 2) through a homography."""
    ones = np.ones((*points.shape[:-1], 1))
    moved = np.concatenate([points.astype(np.float64), ones], axis=-1) @ homography.T
    return (moved[..., :2] / moved[..., 2:]).astype(np.float32)


def _corners(panel: Panel) -> NDArray[np.float32]:
    height, width = panel.texture.shape[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _roi(corners: NDArray[np.float32], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Bound what may show the panel: left, top, right, bottom of a canvas (may be empty)."""
    low, high = np.floor(corners.min(axis=0)) - 1, np.ceil(corners.max(axis=0)) + 1
    left, top = (int(v) for v in np.clip(low, 0, (shape[1], shape[0])))
    right, bottom = (int(v) for v in np.clip(high, 0, (shape[1], shape[0])))
    return left, top, right, bottom


def _paint(canvas: NDArray[np.uint8], panel: Panel, to_canvas: Matrix) -> None:
    """Blend a panel into the canvas (premultiplied, so that edges keep their colour)."""
    left, top, right, bottom = _roi(project(_corners(panel), to_canvas), canvas.shape[:2])
    if right <= left or bottom <= top:
        return
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    shift = np.array([[1, 0, -left - 0.5], [0, 1, -top - 0.5], [0, 0, 1]])
    layer = cv2.warpPerspective(
        panel.premultiplied, shift @ to_canvas @ half, (right - left, bottom - top),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0),
    )  # fmt: skip
    below = canvas[top:bottom, left:right]
    rest = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2BGR)
    below[:] = cv2.add(cv2.multiply(below, rest, scale=1 / 255), layer[..., :3])


def render(panels: list[Panel], camera: Camera, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw panels far to near (the list's order) into one frame, (H, W, 3) uint8 BGR."""
    height, width = shape
    canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 3), np.uint8)
    scale = np.diag([SUPERSAMPLING, SUPERSAMPLING, 1.0])
    for panel in panels:
        _paint(canvas, panel, scale @ camera.homography(panel, shape))
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, eq=False)
class SeenWord:
    """A word in a frame: quad (4, 2) float32, not cut at the frame's border; visible 0..1."""

    text: str
    quad: Quad
    visible: float


def seen_words(panels: list[Panel], camera: Camera, shape: tuple[int, int]) -> list[SeenWord]:
    """Project every word, and measure which share of its area nothing nearer or no border hides."""
    owner = np.full(shape, -1, np.int16)
    placed = []
    for index, panel in enumerate(panels):
        to_frame = camera.homography(panel, shape)
        alpha = cv2.warpPerspective(
            np.ascontiguousarray(panel.texture[..., 3]), to_frame, (shape[1], shape[0]),
            flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0,
        )  # fmt: skip
        owner[alpha > 128] = index
        placed += [(index, text, project(quad, to_frame)) for text, quad in panel.words]
    return [SeenWord(text, quad, _share(owner, index, quad)) for index, text, quad in placed]


def _share(owner: NDArray[np.int16], index: int, quad: Quad) -> float:
    """Measure how much of a quad `owner` gives to `index`; outside the frame is hidden."""
    left, top = np.floor(quad.min(axis=0)).astype(int)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int)
    if right <= 0 or bottom <= 0 or left >= owner.shape[1] or top >= owner.shape[0]:
        return 0.0
    inside = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillConvexPoly(inside, np.round(quad - (left, top)).astype(np.int32), 1)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(right, owner.shape[1]), min(bottom, owner.shape[0])
    part = inside[y0 - top : y1 - top, x0 - left : x1 - left] > 0
    area = int(inside.sum())
    return float((part & (owner[y0:y1, x0:x1] == index)).sum() / area) if area else 0.0
