"""decode against the plain OpenCV and pyclipper decode of tests/reference, region by region."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.postproc import decode

# pyclipper rounds to 1/1024 px, OpenCV's hull is float32: together well below this.
CORNER_PX = 0.02
# A score this near the threshold may fall on either side by summation order alone.
SCORE = 1e-4


def noise(seed, density, shape=(48, 64)):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, shape)
    return np.where(rng.random(shape) < density, values, 0).astype(np.uint8)


MAPS = {
    "words": lambda text_map: text_map(1),
    "many words": lambda text_map: text_map(2, 150),
    "rings and arcs": lambda text_map: text_map(3, 12, curved=True),
    "large": lambda text_map: text_map(4, 60, (736, 736)),
    "sparse noise": lambda text_map: noise(5, 0.2),
    "noise": lambda text_map: noise(6, 0.5),
    "dense noise": lambda text_map: noise(7, 0.9),
    "width no multiple of 8": lambda text_map: text_map(8, 20, (101, 203)),
    "narrower than a word": lambda text_map: noise(9, 0.8, (64, 5)),
    "one row": lambda text_map: noise(10, 0.9, (1, 640)),
    "one column": lambda text_map: noise(11, 0.9, (640, 1)),
    "full": lambda text_map: np.full((64, 96), 255, np.uint8),
    "frame round everything": lambda text_map: np.pad(
        np.zeros((60, 90), np.uint8), 3, constant_values=200
    ),
    "rings in rings": lambda text_map: rings(),
    "corners in corners": lambda text_map: corners(),
    "checkerboard": lambda text_map: (np.indices((40, 48)).sum(0) % 2 * 255).astype(np.uint8),
}


def rings():
    canvas = np.zeros((120, 120), np.uint8)
    for radius in (55, 42, 29, 16, 5):
        cv2.circle(canvas, (60, 60), radius, 220, 4)
    return canvas


def corners():
    """Rectangles that hold the map's pixels many times over, which are then summed by rows."""
    canvas = np.zeros((80, 80), np.uint8)
    for k in range(0, 80, 3):
        canvas[k, k:] = canvas[k:, k] = 255 - 2 * k
    return canvas


@pytest.mark.parametrize("score", ["box", "region"])
@pytest.mark.parametrize("name", MAPS)
def test_finds_the_regions_of_the_reference(name, score, text_map, reference):
    probability = MAPS[name](text_map)
    options = {"min_side": 1.0, "score": score}
    ours = decode(probability, min_score=0.0, max_regions=10**6, **options)
    expected = reference.decode_quads(probability, **options)
    assert len(ours) == len(expected)
    height, width = probability.shape
    missing = []
    left = np.ones(len(ours), bool)
    for region in expected:
        near = np.linalg.norm(ours.quads.mean(1) - np.mean(region.quads, (0, 1)), axis=1) < height
        match = [
            i
            for i in np.flatnonzero(left & near)
            for quad, value in zip(region.quads, region.scores, strict=True)
            if abs(value - ours.scores[i]) < SCORE
            and reference.corner_distance(np.clip(quad, 0, (width, height)), ours.quads[i])
            < CORNER_PX
        ]
        if match:
            left[match[0]] = False
        else:
            missing.append(region)
    assert not missing


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.49, 0.5, 0.51, 0.9])
def test_binarizes_above_the_threshold_at_every_value(threshold, reference):
    """One pixel of each value, apart: on both sides of 128, where the test of a word changes."""
    probability = np.zeros((64, 64), np.uint8)
    probability[::4, ::4] = np.arange(256).reshape(16, 16)
    found = decode(probability, binarize=threshold, min_score=0, min_side=1, unclip_ratio=0)
    assert len(found) == (np.arange(256) > threshold * 255).sum()


def test_a_score_below_the_threshold_drops_the_region(text_map):
    probability = text_map(12, 60)
    everything = decode(probability, min_score=0.0)
    sure = decode(probability, min_score=0.6)
    assert 0 < len(sure) < len(everything)
    assert sure == everything.filter(everything.scores >= np.float32(0.6))


def test_opencv_finds_no_smaller_rectangle(text_map):
    """OpenCV's own smallest rectangle, on a slanted bar: the reference's brute force is right."""
    canvas = np.zeros((128, 128), np.uint8)
    cv2.fillPoly(canvas, [cv2.boxPoints(((64, 60), (70, 13), 23)).astype(np.int32)], 255)
    y, x = np.nonzero(canvas)
    corners = np.concatenate([np.stack([x + a, y + b], 1) for a in (0, 1) for b in (0, 1)])
    _, sides, _ = cv2.minAreaRect(corners.astype(np.float32))
    quad = decode(canvas, unclip_ratio=0).quads[0].astype(np.float64)
    ours = np.linalg.norm(quad[1] - quad[0]) * np.linalg.norm(quad[2] - quad[1])
    assert ours == pytest.approx(sides[0] * sides[1], rel=1e-4)
