"""Outlines: against the plain decode, and on shapes that a quad can't say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.postproc import decode


def outline_mask(polygon, shape):
    """The pixels whose centre lies in the polygon, drawn at 1/16 px."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint((polygon - 0.5) * 16).astype(np.int32)], 1, shift=4)
    return mask.astype(bool)


@pytest.mark.parametrize("curved", [False, True], ids=["straight", "curved"])
@pytest.mark.parametrize("seed", range(4))
def test_outlines_are_those_of_the_reference(seed, curved, text_map, reference):
    """Simplified more coarsely than there, which moves an edge by less than a pixel."""
    # Room round the words: the reference does not clip.
    probability = np.pad(text_map(seed, 12, (200, 260), curved), 60)
    ours = decode(probability, output="polygon", min_score=0)
    expected = reference.decode_polygons(probability, min_score=0)
    assert len(ours) == len(expected) > 3
    overlap = np.array([[reference.polygon_iou(p, q) for q in ours.polygons] for p, _ in expected])
    best = overlap.max(axis=1)
    assert best.min() > 0.85
    assert np.median(best) > 0.95
    scores = np.array([score for _, score in expected])
    assert ours.scores[overlap.argmax(axis=1)] == pytest.approx(scores, abs=0.01)


def test_an_upright_bar_grows_by_the_distance_of_its_quad():
    probability = np.zeros((64, 96), np.uint8)
    probability[20:30, 30:70] = 255
    found = decode(probability, output="polygon")
    quad = decode(probability).quads[0]
    assert np.abs(found.quads[0] - quad).max() < 0.26  # the arc tolerance at the round corners
    polygon = found.polygons[0]
    assert polygon.min(0) == pytest.approx(quad.min(0), abs=0.26)
    assert polygon.max(0) == pytest.approx(quad.max(0), abs=0.26)


def test_an_arc_is_followed_and_not_boxed():
    probability = np.zeros((200, 200), np.uint8)
    cv2.ellipse(probability, (100, 120), (70, 70), 0, 200, 340, 255, 9)
    found = decode(probability, output="polygon")
    assert len(found) == 1
    mask = outline_mask(found.polygons[0], probability.shape)
    assert mask[probability > 76].all()
    assert not mask[120, 100]  # the middle of the circle, which the quad covers
    assert outline_mask(found.quads[0], probability.shape)[100, 100]


def test_a_closed_ring_is_one_region_without_its_hole():
    probability = np.zeros((200, 200), np.uint8)
    cv2.circle(probability, (100, 100), 60, 255, 7)
    found = decode(probability, output="polygon", score="region")
    assert len(found) == 1
    assert outline_mask(found.polygons[0], probability.shape)[100, 100]


def test_a_ring_that_growing_closes_has_no_hole_for_a_region():
    probability = np.zeros((200, 200), np.uint8)
    cv2.ellipse(probability, (100, 100), (60, 60), 0, 5, 355, 255, 9)
    assert len(decode(probability, output="polygon", min_score=0, unclip_ratio=2.0)) == 1


def test_an_outline_that_touches_itself_is_one_region():
    """Two squares that share a corner."""
    probability = np.zeros((64, 64), np.uint8)
    probability[10:30, 10:30] = probability[30:50, 30:50] = 255
    found = decode(probability, output="polygon", min_score=0.0)
    assert len(found) == 1
    assert outline_mask(found.polygons[0], probability.shape)[probability > 0].all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda m: m.__setitem__((5, 5), 255),
        lambda m: m.__setitem__((5, slice(5, 30)), 255),
        lambda m: m.__setitem__((slice(5, 30), 5), 255),
        lambda m: m.__setitem__((np.arange(5, 30), np.arange(5, 30)), 255),
        lambda m: (m.__setitem__((5, slice(5, 30)), 255), m.__setitem__((slice(5, 30), 5), 255)),
    ],
    ids=["pixel", "row", "column", "diagonal", "corner"],
)
def test_a_region_one_pixel_wide_has_an_outline_round_it(draw):
    probability = np.zeros((48, 48), np.uint8)
    draw(probability)
    found = decode(probability, output="polygon", min_side=0, min_score=0)
    assert len(found) == 1
    assert outline_mask(found.polygons[0], probability.shape)[probability > 0].all()


@pytest.mark.parametrize("seed", range(3))
def test_outlines_are_clipped_clockwise_and_start_at_the_least_sum(seed, text_map):
    probability = text_map(seed, 60)
    found = decode(probability, output="polygon", min_score=0.3, scale=(2.0, 1.5))
    height, width = probability.shape
    assert found.polygon_points.min() >= 0
    assert (found.polygon_points.max(0) <= (width * 2, height * 1.5)).all()
    polygons = [p.astype(np.float64) for p in found.polygons]
    areas = [cv2.contourArea(p.astype(np.float32), oriented=True) for p in polygons]
    assert min(areas) > 0
    assert all(p.sum(1).argmin() == 0 for p in polygons)
    tops = found.quads[:, :, 1].min(1)
    assert len(tops) == len(found.scores)


def test_a_region_cut_in_two_by_the_frame_gives_both_pieces():
    """A hoop that leaves the frame at the top and comes back."""
    probability = np.zeros((128, 200), np.uint8)
    probability[0:6, 20:180] = 255
    probability[0:60, 20:30] = probability[0:60, 170:180] = 255
    found = decode(probability, output="polygon", min_score=0, unclip_ratio=0.2)
    assert len(found) == 1
    lower = decode(probability[8:], output="polygon", min_score=0, unclip_ratio=0.2)
    assert len(lower) == 2


def test_an_empty_map_has_no_polygons():
    found = decode(np.zeros((32, 32), np.uint8), output="polygon")
    assert found.polygons == []


def hook(probability, left, value):
    """A spiral of one and a quarter turns: what only pyclipper grows."""
    for top, start, stop, width in ((10, 0, 60, 6), (64, 0, 60, 6), (30, 20, 60, 6)):
        probability[top : top + width, left + start : left + stop] = value
    probability[10:70, left : left + 6] = value
    probability[30:70, left + 54 : left + 60] = value
    probability[30:54, left + 20 : left + 26] = value


def test_pyclipper_grows_what_can_not_be_grown_here_and_nothing_rejected(monkeypatch):
    calls = []
    grow = decode.__globals__["grown_in_frame"]
    monkeypatch.setitem(
        decode.__globals__, "grown_in_frame", lambda *args: calls.append(1) or grow(*args)
    )
    probability = np.zeros((96, 320), np.uint8)
    hook(probability, 20, 250)
    hook(probability, 120, 150)
    probability[40:60, 220:300] = 250
    found = decode(probability, output="polygon", min_score=0.8, score="region", unclip_ratio=0.5)
    assert len(found) == 2
    assert len(calls) == 1


def test_of_too_many_outlines_the_largest_are_kept():
    probability = np.zeros((128, 128), np.uint8)
    widths = np.array([10, 30, 20, 40, 15])
    for i, width in enumerate(widths):
        probability[10 + 22 * i : 16 + 22 * i, 10 : 10 + width] = 255
    found = decode(probability, max_regions=3, output="polygon")
    assert found.truncated
    assert len(found) == len(found.polygons) == 3


def test_the_quads_of_outlines_lie_near_the_quads(text_map, reference):
    probability = np.pad(text_map(5, 10, (200, 260)), 60)
    quads = decode(probability, min_score=0).quads
    outlines = decode(probability, min_score=0, output="polygon")
    assert len(quads) == len(outlines)
    best = [max(reference.polygon_iou(p, q) for q in outlines.quads) for p in quads]
    assert np.median(best) > 0.8
