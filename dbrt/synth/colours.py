"""Colours: from a web notation to BGR, and how far two of them stand apart to the eye."""

from __future__ import annotations

Colour = tuple[int, int, int]  # blue, green, red; 0..255


def bgr(code: str) -> Colour:
    """Turn "#rrggbb" into blue, green, red."""
    red, green, blue = (int(code[i : i + 2], 16) for i in (1, 3, 5))
    return blue, green, red


def luminance(colour: Colour) -> float:
    """Brightness to the eye, 0 (black) to 255 (white), by the weights of ITU-R BT.601."""
    blue, green, red = colour
    return 0.114 * blue + 0.587 * green + 0.299 * red


def toned(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (factor below 1) or lighter (above), kept within 0..255."""
    blue, green, red = (max(0, min(255, round(c * factor))) for c in colour)
    return blue, green, red
