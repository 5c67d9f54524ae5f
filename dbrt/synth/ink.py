"""How text is painted into a picture: colours, shadow, outline, blending; and what can be read."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.synth.colours import Colour, luminance
from dbrt.synth.textures import Picture

Coverage = NDArray[np.uint8]  # (h, w), 255 = all ink
Rng = np.random.Generator
LEGIBLE = 26.0  # mean change of colour under the ink, below which a word does not count
CLUTTER = 0.4  # the same, as a share of how much the background varies within the word's box


@dataclass(frozen=True)
class Style:
    """How a block is painted.

    colour   of the ink
    second   where not None, the ink fades into it
    alpha    0..1, how opaque the ink is
    mode     "cover" or "multiply": ink over the surface, or soaked into it
    edge     an outline of this colour under the ink, or None
    shadow   (dx, dy, softness) in pixels and its colour, or None
    hollow   only the outline of the letters is drawn
    """

    colour: Colour
    second: Colour | None = None
    alpha: float = 1.0
    mode: str = "cover"
    edge: Colour | None = None
    edge_px: int = 1
    shadow: tuple[int, int, float, Colour] | None = None
    hollow: bool = False


def random_colour(rng: Rng) -> Colour:
    """Draw a colour: grey, muted as walls are, or strong."""
    kind = rng.random()
    if kind < 0.25:
        grey = int(rng.integers(256))
        return grey, grey, grey
    hue, rest = int(rng.integers(180)), rng.random(2)
    pixel = np.array([[[hue, (255 if kind > 0.6 else 90) * rest[0], 30 + 225 * rest[1]]]], np.uint8)
    blue, green, red = (int(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0])
    return blue, green, red


def contrasting(under: Colour, least: float, rng: Rng) -> Colour:
    """Draw a colour whose luminance is at least `least` (0 to 120) away from another's."""
    for _ in range(12):
        colour = random_colour(rng)
        if abs(luminance(colour) - luminance(under)) >= least:
            return colour
    return (12, 12, 12) if luminance(under) > 127 else (245, 245, 245)


def mean_colour(part: Picture) -> Colour:
    """The mean colour of a part of a picture."""
    blue, green, red, _ = cv2.mean(part)
    return int(blue), int(green), int(red)


def ink_colour(under: Colour, picture: Picture, least: float, rng: Rng) -> Colour:
    """Draw an ink for a surface: any colour, black or white, or one that the picture has elsewhere.

    least  the least difference of luminance to the surface, 0 to 120
    """
    kind = rng.random()
    if kind < 0.3:
        return (250, 250, 250) if luminance(under) < 128 else (15, 15, 15)
    if kind < 0.55:
        rows, columns = picture.shape[:2]
        for _ in range(8):
            pixel = picture[int(rng.integers(rows)), int(rng.integers(columns))]
            taken = int(pixel[0]), int(pixel[1]), int(pixel[2])
            if abs(luminance(taken) - luminance(under)) >= least:
                return taken
    return contrasting(under, least, rng)


def random_style(
    part: Picture, picture: Picture, text_px: float, rng: Rng, *, is_busy: bool
) -> Style:
    """Draw how a block with capitals of `text_px` pixels is painted over a part of a picture."""
    under = mean_colour(part)
    faint = rng.random() < 0.12
    least = 90.0 if is_busy else float(rng.uniform(22, 45) if faint else rng.uniform(45, 120))
    colour = ink_colour(under, picture, least, rng)
    second = contrasting(under, 50, rng) if rng.random() < 0.1 else None
    mode = (
        "multiply" if luminance(colour) < luminance(under) - 60 and rng.random() < 0.4 else "cover"
    )
    reach = max(1, round(text_px / 14 * float(rng.uniform(0.5, 1.5))))
    decorated = rng.random() < (0.75 if is_busy else 0.22)
    kind = rng.random()
    edge = contrasting(colour, 80, rng) if decorated and kind < 0.6 and text_px > 9 else None
    shadow = None
    if decorated and kind > 0.5:
        way = rng.uniform(-1.5, 1.5, 2) * reach
        dark = contrasting(colour, 60, rng) if rng.random() < 0.3 else (8, 8, 8)
        shadow = (round(way[0]), round(way[1]), float(rng.uniform(0, 1.2)) * reach, dark)
    hollow = text_px > 40 and rng.random() < 0.06
    alpha = float(rng.uniform(0.72, 1.0)) if rng.random() < 0.4 else 1.0
    return Style(colour, second, alpha, mode, edge, reach, shadow, hollow)


def lay(part: Picture, coverage: Coverage, ink: Picture | Colour, alpha: float = 1.0) -> None:
    """Lay a colour, or a picture of colours, over a part of a picture, in place."""
    share = coverage.astype(np.float32) * np.float32(alpha / 255)
    colours = np.full_like(part, ink) if isinstance(ink, tuple) else ink
    part[:] = cv2.blendLinear(colours, part, share, 1 - share)


def paint(part: Picture, coverage: Coverage, style: Style) -> tuple[Picture, Coverage]:
    """Paint a block's coverage into a part of a picture, in place, decorations first.

    returns  the part as it was before the ink itself, and the coverage that was inked
    """
    if style.shadow is not None:
        dx, dy, soft, dark = style.shadow
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        size = (coverage.shape[1], coverage.shape[0])
        cast = np.asarray(cv2.warpAffine(coverage, move, size), np.uint8)
        if soft > 0.3:
            cast = np.asarray(cv2.GaussianBlur(cast, (0, 0), soft), np.uint8)
        lay(part, cast, dark, 0.75)
    if style.edge is not None:
        lay(part, _swollen(coverage, style.edge_px), style.edge)
    if style.hollow:
        width = max(1, style.edge_px)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
        inside = np.asarray(cv2.erode(coverage, disc), np.uint8)
        coverage = np.asarray(cv2.subtract(coverage, inside), np.uint8)
    before = part.copy()
    lay(part, coverage, _ink(part, style), style.alpha)
    return before, coverage


def _swollen(coverage: Coverage, by_px: int) -> Coverage:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    return np.asarray(cv2.dilate(coverage, disc), np.uint8)


def _ink(part: Picture, style: Style) -> Picture | Colour:
    """The ink as one colour or, where it fades or soaks in, as a picture."""
    if style.second is None and style.mode == "cover":
        return style.colour
    colours = np.full_like(part, style.colour)
    if style.second is not None:
        start, end = np.array(style.colour, np.float32), np.array(style.second, np.float32)
        way = np.linspace(0, 1, part.shape[0], dtype=np.float32)[:, None, None]
        colours[:] = start + (end - start) * way
    if style.mode == "multiply":
        return np.asarray(cv2.multiply(colours, part, scale=1 / 255), np.uint8)
    return colours


def stand_out(
    before: Picture, after: Picture, coverage: Coverage, polygons: list[NDArray[np.float32]]
) -> list[bool]:
    """Tell for each word whether its ink can be told from what is under it.

    polygons  (M, 2) each, pixels of the part
    """
    blue, green, red = cv2.split(cv2.absdiff(after, before))
    change = cv2.max(cv2.max(blue, green), red)
    grey = np.asarray(cv2.cvtColor(before, cv2.COLOR_BGR2GRAY), np.uint8)
    rows, columns = change.shape
    found = []
    for polygon in polygons:
        left, top = np.clip(np.floor(polygon.min(axis=0)).astype(int), 0, (columns - 1, rows - 1))
        right, bottom = np.ceil(polygon.max(axis=0)).astype(int) + 1
        ink = coverage[top:bottom, left:right]
        _, deviation = cv2.meanStdDev(grey[top:bottom, left:right])
        strength, _, _, _ = cv2.mean(change[top:bottom, left:right], (ink > 128).view(np.uint8))
        found.append(strength > max(LEGIBLE, CLUTTER * float(deviation[0, 0])))
    return found
