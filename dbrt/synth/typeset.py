"""Text set into a mask: words drawn glyph by glyph, with the exact box of every word's ink.

A block is a picture of ink alone, larger than it will appear; what puts it into the scene is in
`warp`. Each word is drawn by itself and its box is read off its own ink.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError, RunnerError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

INK = 96  # coverage (0..255) from which a pixel counts as ink: the eye's edge of a soft glyph
SIZES = (12, 14, 16, 18, 21, 24, 28, 32, 38, 44, 52, 60, 72, 84, 100, 120, 144, 172, 208, 250, 300)
MARGIN = 0.3  # of the em, left free about a block


@dataclass(frozen=True)
class Face:
    """A font file at a size (pixels of the em), with or without shaping by raqm."""

    path: Path
    size: int
    is_shaped: bool = False
    is_rtl: bool = False

    def open(self) -> FreeTypeFont:
        """The opened font; kept for the next call."""
        return open_face(self.path, self.size, self.is_shaped)


@lru_cache(maxsize=400)
def open_face(path: Path, size: int, is_shaped: bool) -> FreeTypeFont:
    """Open a font file; InputError where it can't be read, RunnerError without Pillow."""
    try:
        from PIL import ImageFont
    except ImportError as exc:
        raise RunnerError('drawing text needs Pillow: pip install "dbrt[synth]"') from exc
    layout = ImageFont.Layout.RAQM if is_shaped else ImageFont.Layout.BASIC
    try:
        return ImageFont.truetype(str(path), size, layout_engine=layout)
    except OSError as exc:
        raise InputError(f"{path} is not a font file that can be read: {exc}") from exc


def fitting_size(em_px: float) -> int:
    """The size to draw at for text that appears with an em of so many pixels: 1.5 times or more."""
    return next((s for s in SIZES if s >= 1.5 * em_px), SIZES[-1])


@dataclass(frozen=True, eq=False)
class Line:
    """A line of words in a block.

    texts  one for each word
    boxes  (N, 4) float32: left, top, right, bottom of each word's ink, pixels of the block's mask
    """

    texts: tuple[str, ...]
    boxes: NDArray[np.float32]

    def joined(self) -> Line:
        """The line as one instance: its words' common box."""
        low, high = self.boxes[:, :2].min(axis=0), self.boxes[:, 2:].max(axis=0)
        return Line((" ".join(self.texts),), np.concatenate([low, high])[None])


@dataclass(frozen=True, eq=False)
class Block:
    """Lines of text as coverage.

    mask   (H, W) uint8, 255 = all ink
    lines  with boxes in pixels of the mask
    scale  pixels of the picture for one of the mask
    em     the em of the largest line, pixels of the mask
    """

    mask: NDArray[np.uint8]
    lines: tuple[Line, ...]
    scale: float
    em: float

    @property
    def size_px(self) -> tuple[float, float]:
        """How wide and high it appears where it is neither turned nor bent."""
        return self.mask.shape[1] * self.scale, self.mask.shape[0] * self.scale


@dataclass
class Galley:
    """A canvas on which lines are set one by one, then cut out as a block."""

    width: int
    height: int
    lines: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the canvas."""
        from PIL import Image, ImageDraw

        self._sheet = Image.new("L", (self.width, self.height), 0)
        self._pen = ImageDraw.Draw(self._sheet)
        self._set: list[tuple[list[str], list[tuple[float, float, float, float]]]] = []

    def write(
        self, words: list[str], face: Face, at: tuple[float, float], *,
        spacing: float = 0.0, gap: float | None = None,
    ) -> None:  # fmt: skip
        """Set words on a baseline from `at` (x, y) on; `gap` is the space between words.

        A script that runs from right to left has its first word at the right end.
        """
        font, (x, baseline) = face.open(), at
        gap = word_gap(face, spacing) if gap is None else gap
        boxes = []
        order = list(reversed(words)) if face.is_rtl else words
        for word in order:
            if spacing:
                box, x = self._write_spaced(word, font, x, baseline, spacing)
            else:
                self._pen.text((x, baseline), word, fill=255, font=font, anchor="ls")
                left, top, right, bottom = font.getbbox(word, anchor="ls")
                box = (x + left, baseline + top, x + right, baseline + bottom)
                x += font.getlength(word)
            boxes.append(box)
            x += gap
        self._set.append((order, boxes))

    def _write_spaced(
        self, word: str, font: FreeTypeFont, x: float, baseline: float, spacing: float
    ) -> tuple[tuple[float, float, float, float], float]:
        """Set a word letter by letter; return its box and where its last letter ends."""
        boxes = []
        for letter in word:
            self._pen.text((x, baseline), letter, fill=255, font=font, anchor="ls")
            left, top, right, bottom = font.getbbox(letter, anchor="ls")
            boxes.append((x + left, baseline + top, x + right, baseline + bottom))
            x += font.getlength(letter) + spacing
        corners = np.array(boxes)
        low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1])), x - spacing

    def write_down(self, word: str, face: Face, at: tuple[float, float], pitch: float) -> None:
        """Set characters below one another, each centred on x, from `at` (x, y of the top) on."""
        font, (x, y) = face.open(), at
        boxes = []
        for letter in word:
            self._pen.text((x, y), letter, fill=255, font=font, anchor="mt")
            boxes.append(font.getbbox(letter, anchor="mt"))
            boxes[-1] = tuple(v + o for v, o in zip(boxes[-1], (x, y, x, y), strict=True))
            y += pitch
        corners = np.array(boxes)
        low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
        self._set.append(([word], [(*low.tolist(), *high.tolist())]))

    def block(self, em_px: float, em: float) -> Block | None:
        """Cut the canvas to its ink and a margin; None where nothing was drawn.

        em_px  the em as it shall appear, pixels of the picture
        em     the em as it was drawn, pixels of the mask
        """
        mask = np.asarray(self._sheet)
        lines = []
        for texts, boxes in self._set:
            tight = [_tightened(mask, box) for box in boxes]
            kept = [(t, b) for t, b in zip(texts, tight, strict=True) if b is not None]
            if kept:
                corners = np.array([b for _, b in kept], np.float32)
                lines.append(Line(tuple(t for t, _ in kept), corners))
        if not lines:
            return None
        corners = np.concatenate([line.boxes for line in lines])
        margin = int(MARGIN * em) + 2
        low = np.floor(corners[:, :2].min(axis=0)).astype(int) - margin
        high = np.ceil(corners[:, 2:].max(axis=0)).astype(int) + margin
        low, high = np.maximum(low, 0), np.minimum(high, (self.width, self.height))
        shift = np.tile(low, 2).astype(np.float32)
        cut = np.ascontiguousarray(mask[low[1] : high[1], low[0] : high[0]])
        moved = tuple(Line(line.texts, line.boxes - shift) for line in lines)
        return Block(cut, moved, em_px / em, em)


def word_gap(face: Face, spacing: float = 0.0) -> float:
    """The space between two words of a face, pixels."""
    return float(max(face.open().getlength(" "), 0.2 * face.size) + 2 * spacing)


def line_width(words: list[str], face: Face, spacing: float = 0.0) -> float:
    """How wide words will stand on a line, pixels."""
    font = face.open()
    letters = sum(len(w) for w in words) * spacing
    gaps = word_gap(face, spacing) * (len(words) - 1)
    return float(sum(font.getlength(w) for w in words) + letters + gaps)


def _tightened(
    mask: NDArray[np.uint8], box: tuple[float, float, float, float]
) -> tuple[float, float, float, float] | None:
    """Shrink a box to the ink in it; None where there is none."""
    left, top = max(int(np.floor(box[0])) - 1, 0), max(int(np.floor(box[1])) - 1, 0)
    right, bottom = int(np.ceil(box[2])) + 1, int(np.ceil(box[3])) + 1
    ink = mask[top:bottom, left:right] >= INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        return None
    return (
        float(left + columns[0]), float(top + rows[0]),
        float(left + columns[-1] + 1), float(top + rows[-1] + 1),
    )  # fmt: skip
