"""Lines of text set from font files, with the exact quad of every word.

Pillow draws the glyphs (extra `synth`). Each word is drawn by itself, so that its quad is the box
of its own ink and not an estimate from the font's metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError, RunnerError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

INK = 96  # coverage (0..255) from which a pixel counts as ink: the eye's edge of a soft glyph


@dataclass(frozen=True, eq=False)
class Lettering:
    """A line of text as coverage, and where its words stand in it.

    mask   (H, W) uint8, 255 = all ink
    words  texts, left to right, none with a space
    quads  (N, 4, 2) float32, pixels of the mask, clockwise from the top left, the box of the ink
    """

    mask: NDArray[np.uint8]
    words: tuple[str, ...]
    quads: NDArray[np.float32]


@lru_cache(maxsize=256)
def load_font(path: Path, size_px: int) -> FreeTypeFont:
    """Open a font file at a size (pixels of the em); InputError where it can't be read."""
    try:
        from PIL import ImageFont
    except ImportError as exc:
        raise RunnerError('drawing text needs Pillow: pip install "dbrt[synth]"') from exc
    try:
        return ImageFont.truetype(str(path), size_px, layout_engine=ImageFont.Layout.BASIC)
    except OSError as exc:
        raise InputError(f"{path} is not a font file that can be read: {exc}") from exc


def _draw_word(
    canvas: NDArray[np.uint8],
    font: FreeTypeFont,
    word: str,
    start: tuple[float, float],
    spacing: float,
) -> tuple[NDArray[np.float32], float]:
    """Add a word's coverage to the canvas; return its quad (4, 2) and where the next begins."""
    from PIL import Image, ImageDraw

    height, width = canvas.shape
    x, baseline = start
    sheet = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(sheet)
    if spacing:
        for letter in word:
            pen.text((x, baseline), letter, fill=255, font=font, anchor="ls")
            x += font.getlength(letter) + spacing
        x -= spacing
    else:
        pen.text((x, baseline), word, fill=255, font=font, anchor="ls")
        x += font.getlength(word)
    ink = np.asarray(sheet)
    np.maximum(canvas, ink, out=canvas)
    rows = np.flatnonzero((ink >= INK).any(axis=1))
    columns = np.flatnonzero((ink >= INK).any(axis=0))
    if not rows.size:
        return np.zeros((4, 2), np.float32), x
    left, right = float(columns[0]), float(columns[-1] + 1)
    top, bottom = float(rows[0]), float(rows[-1] + 1)
    quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return quad, x


def set_line(
    text: str, font_path: Path, size_px: int, spacing: float = 0.0, word_gap: float = 1.0
) -> Lettering:
    """Set one line of words, cropped to its ink with a margin of an eighth of the size.

    size_px   pixels of the font's em; capitals are about 0.7 of it
    spacing   extra pixels between letters (0 keeps the font's kerning)
    word_gap  the space between words in spaces of the font
    raises    InputError for a font that can't be read or a text without ink
    """
    font = load_font(font_path, size_px)
    words = tuple(text.split())
    gap = font.getlength(" ") * word_gap + 2 * spacing
    width = sum(font.getlength(w) + spacing * len(w) + gap for w in words)
    canvas = np.zeros((int(size_px * 2.2), int(width + size_px * 1.5) + 2), np.uint8)
    x, quads = size_px * 0.6, []
    for word in words:
        quad, x = _draw_word(canvas, font, word, (x, size_px * 1.4), spacing)
        quads.append(quad)
        x += gap
    if not words or any(np.ptp(q[:, 0]) < 1 for q in quads):
        raise InputError(f"the font {font_path.name} draws nothing for {text!r}")
    return _crop(canvas, words, np.stack(quads), max(2, size_px // 8))


def _crop(
    canvas: NDArray[np.uint8], words: tuple[str, ...], quads: NDArray[np.float32], margin: int
) -> Lettering:
    """Cut the canvas down to its ink and a margin, and move the quads with it."""
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    top, bottom = max(rows[0] - margin, 0), min(rows[-1] + 1 + margin, canvas.shape[0])
    left, right = max(columns[0] - margin, 0), min(columns[-1] + 1 + margin, canvas.shape[1])
    mask = np.ascontiguousarray(canvas[top:bottom, left:right])
    return Lettering(mask, words, quads - np.array([left, top], np.float32))
