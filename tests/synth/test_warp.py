"""Where text stands: what is drawn and what is labelled follow the same map."""

import cv2
import numpy as np
import pytest

from dbrt.synth.warp import Bend, Warp, outline

SHAPE = (420, 620)
W, H = 300, 40
STRAIGHT = np.array([[1.1, 0.25, 90], [-0.2, 1.0, 180], [4e-4, 2e-4, 1]])
LEVEL = np.array([[1.0, 0, 150], [0, 1.0, 190], [0, 0, 1]])

WARPS = {
    "level": Warp(Bend(W, H), LEVEL),
    "perspective": Warp(Bend(W, H), STRAIGHT),
    "arc": Warp(Bend(W, H, radius=140.0), LEVEL),
    "hanging arc": Warp(Bend(W, H, radius=-140.0), LEVEL),
    "tight arc": Warp(Bend(W, H, radius=95.0), LEVEL),
    "arc in perspective": Warp(Bend(W, H, radius=150.0), STRAIGHT),
    "wave": Warp(Bend(W, H, amplitude=18.0, length=220.0, phase=1.0), STRAIGHT),
}
each_warp = pytest.mark.parametrize("warp", WARPS.values(), ids=WARPS.keys())


def drawn_and_labelled(warp, box):
    """What the warp draws of a filled box, and the fill of the polygon that labels it, as masks."""
    left, top, right, bottom = box
    mask = np.zeros((H, W), np.uint8)
    mask[top:bottom, left:right] = 255
    drawn = warp.coverage(mask, (0, 0, SHAPE[1], SHAPE[0])) > 127
    polygon = warp.polygon(np.array(box, np.float32))
    assert polygon.dtype == np.float32
    labelled = np.zeros(SHAPE, np.uint8)
    # fillPoly puts pixel centres at whole numbers; 4 binary digits of sub-pixel precision
    cv2.fillPoly(labelled, [np.round((polygon - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return drawn, labelled > 0


@each_warp
@pytest.mark.parametrize("box", [(0, 0, W, H), (60, 8, 130, 33)], ids=["whole", "word"])
def test_polygons_are_the_outlines_of_what_is_drawn(warp, box):
    drawn, labelled = drawn_and_labelled(warp, box)
    assert (drawn & labelled).sum() / (drawn | labelled).sum() > 0.94
    # what differs is one row of pixels along the edge
    edge = cv2.morphologyEx(drawn.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    assert not ((drawn ^ labelled) & (edge == 0)).any()


@pytest.mark.parametrize("name", [n for n in WARPS if n not in {"level", "perspective"}])
def test_a_label_a_pixel_and_a_half_away_would_be_noticed(name):
    drawn, labelled = drawn_and_labelled(WARPS[name], (60, 8, 130, 33))
    moved = np.roll(labelled, 3, axis=0)
    edge = cv2.morphologyEx(drawn.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    assert ((drawn ^ moved) & (edge == 0)).any()


@each_warp
def test_polygons_run_clockwise_from_the_top_left_of_the_text(warp):
    polygon = warp.polygon(np.array([60, 8, 130, 33], np.float32))
    assert cv2.contourArea(polygon, oriented=True) > 0
    corner = warp.points(np.array([[60.0, 8.0]]))[0]
    np.testing.assert_allclose(polygon[0], corner, atol=1e-3)
    assert len(polygon) == 4 if not warp.bend.is_bent else len(polygon) > 4


@pytest.mark.parametrize("name", [n for n in WARPS if n not in {"level", "perspective"}])
def test_bending_and_its_inverse_cancel(name):
    bend, flat = WARPS[name].bend, outline(W, H, count=9)
    bent = bend.forward(flat).astype(np.float32)
    x, y = bend.inverse(bent[:, 0].copy(), bent[:, 1].copy())
    # OpenCV's polar angles are good to 0.01 degrees: 0.03 pixels at a radius of 150
    np.testing.assert_allclose(np.stack([x.ravel(), y.ravel()], axis=1), flat, atol=0.04)


def test_an_outline_goes_about_a_block_and_a_margin():
    points = outline(100, 20, 5, 3)
    assert points.tolist() == [[-5, -5], [50, -5], [105, -5], [105, 25], [50, 25], [-5, 25]]
