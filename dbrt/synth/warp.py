"""From a flat block of text to where it stands in the picture: a bend, then a perspective.

Coordinates are continuous: pixel (i, j) covers [j, j+1) x [i, i+1).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (N, 2)
Matrix = NDArray[np.float64]  # (3, 3)
SAG_PX = 0.35  # how far a polygon's side may lie from the curve it stands for, pixels


@dataclass(frozen=True)
class Bend:
    """How a flat block of `width` x `height` is bent, in its own pixels.

    radius     of the arc its middle line follows; below 0 the middle hangs; 0 for no arc
    amplitude  of a wave that lifts it instead; 0 for none
    length     of that wave
    phase      of that wave, radians
    """

    width: float
    height: float
    radius: float = 0.0
    amplitude: float = 0.0
    length: float = 1.0
    phase: float = 0.0

    @property
    def is_bent(self) -> bool:
        """Whether it is bent at all."""
        return self.radius != 0 or self.amplitude != 0

    def forward(self, points: Points) -> Points:
        """Flat to bent, (N, 2) to (N, 2)."""
        x, y = points[:, 0], points[:, 1]
        if self.radius:
            turn = (x - self.width / 2) / self.radius
            r = self.radius + self.height / 2 - y
            across = self.width / 2 + r * np.sin(turn)
            down = self.height / 2 + self.radius - r * np.cos(turn)
            return np.stack([across, down], axis=1)
        return np.stack([x, y + self._lift(x)], axis=1)

    def _lift(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.amplitude * np.sin(2 * np.pi / self.length * x + self.phase)

    def inverse(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[
        NDArray[np.float32], NDArray[np.float32]
    ]:  # fmt: skip
        """Bent to flat, for whole grids at once."""
        if self.radius:
            sign = np.float32(np.sign(self.radius))
            across = (x - np.float32(self.width / 2)) * sign
            up = (np.float32(self.height / 2 + self.radius) - y) * sign
            r, turn = cv2.cartToPolar(up, across)
            turn = np.where(turn > np.pi, turn - np.float32(2 * np.pi), turn)
            flat_x = np.float32(self.width / 2) + np.float32(self.radius) * turn
            flat_y = np.float32(self.height / 2 + self.radius) - r * sign
            return flat_x.astype(np.float32), flat_y.astype(np.float32)
        lift = np.float32(self.amplitude) * np.sin(
            np.float32(2 * np.pi / self.length) * x + np.float32(self.phase)
        )
        return x, (y - lift).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Warp:
    """A bend, and the homography (3, 3) from the bent plane to the picture."""

    bend: Bend
    matrix: Matrix

    def points(self, flat: Points) -> Points:
        """Carry points of the flat block, (N, 2), into the picture."""
        bent = self.bend.forward(flat) if self.bend.is_bent else flat
        one = np.concatenate([bent, np.ones((len(bent), 1))], axis=1) @ self.matrix.T
        return np.asarray(one[:, :2] / one[:, 2:])

    def polygon(self, box: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry a box (left, top, right, bottom) into the picture, clockwise from its top left.

        returns  (4, 2) float32 where nothing is bent, else (2 n, 2): the top edge from the left,
                 the bottom edge from the right, each of n points
        """
        left, top, right, bottom = (float(v) for v in box)
        count = self._points_needed(left, right, top, bottom)
        x = np.linspace(left, right, count)
        upper = np.stack([x, np.full(count, top)], axis=1)
        lower = np.stack([x[::-1], np.full(count, bottom)], axis=1)
        return self.points(np.concatenate([upper, lower])).astype(np.float32)

    def _points_needed(self, left: float, right: float, top: float, bottom: float) -> int:
        """How many points each long edge needs to stay within SAG_PX of its curve, 2 to 24."""
        if not self.bend.is_bent:
            return 2
        for count in (3, 4, 5, 6, 7, 8, 10, 12, 16, 20):
            x = np.linspace(left, right, 2 * count - 1)
            worst = 0.0
            for y in (top, bottom):
                curve = self.points(np.stack([x, np.full_like(x, y)], axis=1))
                chord = (curve[:-2:2] + curve[2::2]) / 2
                worst = max(worst, float(np.linalg.norm(curve[1::2] - chord, axis=1).max()))
            if worst <= SAG_PX:
                return count
        return 24

    def coverage(
        self, mask: NDArray[np.uint8], box: tuple[int, int, int, int]
    ) -> NDArray[np.uint8]:
        """Draw a mask into a box (left, top, right, bottom) of the picture, (h, w) uint8."""
        left, top, right, bottom = box
        size = (right - left, bottom - top)
        if not self.bend.is_bent:
            half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
            shift = np.array([[1, 0, -left - 0.5], [0, 1, -top - 0.5], [0, 0, 1]])
            drawn = cv2.warpPerspective(mask, shift @ self.matrix @ half, size)
            return np.asarray(drawn, np.uint8)
        back = np.linalg.inv(self.matrix).astype(np.float32)
        x = np.arange(left, right, dtype=np.float32)[None] + np.float32(0.5)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
        bent_x = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
        bent_y = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth
        flat_x, flat_y = self.bend.inverse(bent_x, bent_y)
        half_px = np.float32(0.5)
        drawn = cv2.remap(mask, flat_x - half_px, flat_y - half_px, cv2.INTER_LINEAR)
        return np.asarray(drawn, np.uint8)


def outline(width: float, height: float, pad: float = 0.0, count: int = 12) -> Points:
    """Points about a flat block, grown by `pad`: (2 count, 2), clockwise from the top left."""
    x = np.linspace(-pad, width + pad, count)
    upper = np.stack([x, np.full(count, -pad)], axis=1)
    lower = np.stack([x[::-1], np.full(count, height + pad)], axis=1)
    return np.concatenate([upper, lower])
