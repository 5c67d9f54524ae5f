"""Pages dense with small print, drawn here, so that a model makes maps with hundreds of regions."""

from __future__ import annotations

import cv2
import numpy as np

from dbrt.benchmarks.maps import Frame

_ALPHABET = "abcdefghiklmnoprstuvwxyz"
# Distance of lines, gap between words, and OpenCV's font scale, page after page. In the finest
# print a network just tells word from word.
_PRINTS = ((20, 12, 0.42), (24, 20, 0.5), (28, 24, 0.6))
_PAPER, _INK = 235, 30


def draw_pages(size: int, count: int = len(_PRINTS)) -> list[Frame]:
    """Draw square pages of words of two to five letters, the same ones in each run.

    size     side in pixels; at 736 a page has about 500, 380 or 300 words
    returns  (size, size, 3) uint8 BGR each
    """
    rng = np.random.default_rng(size)
    return [_draw_page(size, *_PRINTS[k % len(_PRINTS)], rng) for k in range(count)]


def _draw_page(
    size: int, line_px: int, gap_px: int, font_scale: float, rng: np.random.Generator
) -> Frame:
    page = np.full((size, size, 3), _PAPER, np.uint8)
    font, ink = cv2.FONT_HERSHEY_SIMPLEX, (_INK, _INK, _INK)
    for base in range(line_px, size - 4, line_px):
        x = gap_px
        while True:
            word = "".join(rng.choice(list(_ALPHABET), rng.integers(2, 6)))
            width, _ = cv2.getTextSize(word, font, font_scale, 1)[0]
            if x + width > size - gap_px:
                break
            cv2.putText(page, word, (x, base), font, font_scale, ink, 1, cv2.LINE_AA)
            x += width + gap_px
    return page
