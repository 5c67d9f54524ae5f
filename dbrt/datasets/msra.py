"""MSRA-TD500 annotations: rotated boxes of text lines.

C. Yao et al., "Detecting Texts of Arbitrary Orientations in Natural Images", CVPR 2012. A line of a
`.gt` file is `index difficult x y w h theta`: the box with its top left at (x, y), turned by theta
radians about its own centre, clockwise as seen.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from dbrt.datasets.annotations import malformed, numbered_lines, parse_numbers
from dbrt.datasets.sample import Polygon, Word

_FORM = "index difficult x y width height theta"


def read_msra(path: Path) -> list[Word]:
    """Return the text lines of one MSRA-TD500 annotation file; difficult ones don't count.

    Polygons have four corners, clockwise, from the one that is top left when the box is not turned.

    Raises InputError that names the file and the line.
    """
    words = []
    for number, line in numbered_lines(path):
        fields = line.split()
        if len(fields) != 7:
            raise malformed(path, number, line, _FORM)
        _, difficult, x, y, width, height, theta = parse_numbers(fields, path, number, _FORM)
        if width <= 0 or height <= 0 or difficult not in {0, 1}:
            raise malformed(path, number, line, _FORM)
        words.append(Word(rotated_box(x, y, width, height, theta), care=difficult == 0))
    return words


def rotated_box(x: float, y: float, width: float, height: float, theta: float) -> Polygon:
    """Return the corners (4, 2) float32 of a box turned clockwise by theta radians.

    (x, y) is the top left corner of the box before it is turned about its centre.
    """
    cos, sin = math.cos(theta), math.sin(theta)
    middle = (x + width / 2, y + height / 2)
    corners = []
    for right, down in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        dx, dy = right * width, down * height
        corners.append((middle[0] + dx * cos - dy * sin, middle[1] + dx * sin + dy * cos))
    return np.array(corners, np.float32)
