"""A surface measured in metres that shop fronts, signs and vehicles are painted on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth.camera import Panel, Quad
from dbrt.synth.colours import Colour
from dbrt.synth.lettering import Lettering, set_line
from dbrt.synth.textures import Picture

CAP_HEIGHT = 0.72  # of the em, about, in the fonts used here
SHIFT = 4  # binary digits of sub-pixel precision in OpenCV's drawing


class Sheet:
    """A BGRA picture with metre coordinates: x right, y up, (0, 0) at the bottom left.

    Everything is painted over what is there; `alpha` of a new sheet is 0 (nothing) or 255.
    """

    def __init__(self, width: float, height: float, px_per_m: float, alpha: int = 0) -> None:
        """Make an empty sheet of so many metres."""
        self.width, self.height, self.px_per_m = width, height, px_per_m
        shape = (round(height * px_per_m), round(width * px_per_m))
        self.picture: NDArray[np.uint8] = np.zeros((*shape, 4), np.uint8)
        self.picture[..., 3] = alpha
        self.words: list[tuple[str, Quad]] = []

    def px(self, x: float, y: float) -> tuple[float, float]:
        """Metres to pixels of the picture."""
        return x * self.px_per_m, self.picture.shape[0] - y * self.px_per_m

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon given in metres."""
        corners = np.array([self.px(x, y) for x, y in points]) * 2**SHIFT
        fixed = np.round(corners - 2 ** (SHIFT - 1)).astype(np.int32)
        cv2.fillPoly(self.picture, [fixed], (*colour, 255), cv2.LINE_AA, SHIFT)

    def box(self, x: float, y: float, w: float, h: float, colour: Colour) -> None:
        """Fill a rectangle whose lower left corner is (x, y)."""
        self.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], colour)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill an ellipse about (x, y)."""
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        self.polygon([(x + rx * np.cos(t), y + ry * np.sin(t)) for t in turn], colour)

    def paste(self, x: float, y: float, picture: Picture) -> None:
        """Lay an opaque picture with its lower left corner at (x, y); what juts out is cut."""
        left, bottom = (round(v) for v in self.px(x, y))
        rows, columns = self.picture.shape[:2]
        top, right = bottom - picture.shape[0], left + picture.shape[1]
        y0, y1, x0, x1 = max(top, 0), min(bottom, rows), max(left, 0), min(right, columns)
        self.picture[y0:y1, x0:x1, :3] = picture[y0 - top : y1 - top, x0 - left : x1 - left]
        self.picture[y0:y1, x0:x1, 3] = 255

    def size_of(self, w: float, h: float) -> tuple[int, int]:
        """Metres to the (rows, columns) of a picture that covers them."""
        return max(1, round(h * self.px_per_m)), max(1, round(w * self.px_per_m))

    def light(self, x: float, y: float, w: float, h: float, factor: float, *, soft: float) -> None:
        """Darken (factor below 1) or brighten a rectangle with edges soft by so many metres."""
        (x0, y1), (x1, y0) = self.px(x, y), self.px(x + w, y + h)
        reach = round(3 * soft * self.px_per_m) + 1
        rows, columns = self.picture.shape[:2]
        left, top = max(round(x0) - reach, 0), max(round(y0) - reach, 0)
        right, bottom = min(round(x1) + reach, columns), min(round(y1) + reach, rows)
        weight = np.zeros((bottom - top, right - left), np.float32)
        corners = (round(x0) - left, round(y0) - top), (round(x1) - left, round(y1) - top)
        cv2.rectangle(weight, *corners, 1.0, cv2.FILLED)
        if soft > 0:
            weight = np.asarray(cv2.GaussianBlur(weight, (0, 0), soft * self.px_per_m), np.float32)
        _multiply(self.picture[top:bottom, left:right], 1 + np.float32(factor - 1) * weight)

    def shine(self, light: NDArray[np.float32]) -> None:
        """Multiply the colours by light, (H, W) float32."""
        _multiply(self.picture, light)

    def text(
        self, text: str, font: Path, cap_m: float, at: tuple[float, float], colour: Colour, *,
        spacing: float = 0.0, word_gap: float = 1.0, shadow: Colour | None = None,
    ) -> None:  # fmt: skip
        """Paint a line of words centred at a point; capitals are cap_m metres tall."""
        size = round(cap_m / CAP_HEIGHT * self.px_per_m)
        line = set_line(text, font, size, spacing * size, word_gap)
        cx, cy = self.px(*at)
        rows, columns = line.mask.shape
        left, top = round(cx - columns / 2), round(cy - rows / 2)
        if min(left, top) < 0 or left + columns > self.picture.shape[1]:
            raise ValueError(f"{text!r} is {columns / self.px_per_m:.2f} m wide: too wide here")
        if shadow is not None:
            drop = max(1, size // 16)
            self._ink(line, left + drop, top + drop, shadow)
        self._ink(line, left, top, colour)
        shift = np.array([left, top], np.float32)
        pairs = zip(line.words, line.quads, strict=True)
        self.words += [(word, quad + shift) for word, quad in pairs]

    def _ink(self, line: Lettering, left: int, top: int, colour: Colour) -> None:
        rows, columns = line.mask.shape
        part = self.picture[top : top + rows, left : left + columns]
        share = line.mask.astype(np.float32)[..., None] / 255
        part[..., :3] = part[..., :3] + (np.array(colour, np.float32) - part[..., :3]) * share
        part[..., 3] = np.maximum(part[..., 3], line.mask)

    def panel(
        self,
        x: float,
        y: float,
        z: float,
        *,
        yaw: float = 0.0,
        roll: float = 0.0,
        tilt: float = 0.0,
    ) -> Panel:
        """Stand the sheet in space with its lower left corner at (x, y, z), angles in degrees.

        yaw turns its right edge away from the viewer, roll lifts it, tilt leans its top back.
        """
        a, b, c = np.deg2rad([yaw, roll, tilt])
        right = np.array([np.cos(b) * np.cos(a), np.sin(b), np.cos(b) * np.sin(a)])
        up = np.array([-np.sin(b), np.cos(b) * np.cos(c), np.sin(c)])
        corner = np.array([x, y, z]) + up * self.height
        return Panel(
            self.picture,
            (float(corner[0]), float(corner[1]), float(corner[2])),
            tuple(right * self.width), tuple(-up * self.height), self.words,
        )  # fmt: skip


def _multiply(part: NDArray[np.uint8], light: NDArray[np.float32]) -> None:
    """Multiply the colours of a BGRA picture by light (H, W), in place."""
    lit = part[..., :3].astype(np.float32) * light[..., None]
    part[..., :3] = np.clip(lit, 0, 255).astype(np.uint8)
