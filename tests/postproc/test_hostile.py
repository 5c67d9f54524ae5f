"""Maps made to be slow: the result is right, and the work stays in proportion to the map."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.postproc import decode, outline, quads


def comb(side, height=None, value=200):
    """Teeth one pixel wide and one apart, hanging from a bar."""
    probability = np.zeros((side, side), np.uint8)
    probability[: height or side, ::2] = value
    probability[0] = value
    return probability


def nested_corners(side, value=200):
    """Every second row and column from the diagonal on: regions whose rectangles nest."""
    probability = np.zeros((side, side), np.uint8)
    for k in range(0, side, 2):
        probability[k, k:] = probability[k:, k] = value
    return probability


@pytest.fixture
def grown_corners(monkeypatch):
    """The number of corners of each outline that decode moves outwards."""
    corners = []
    find = decode.__globals__["find_outlines"]

    def find_and_count(*arguments):
        found, left = find(*arguments)
        corners.extend(np.diff(arguments[-1].offsets[: max(found, 0) + 1]).tolist())
        return found, left

    monkeypatch.setitem(decode.__globals__, "find_outlines", find_and_count)
    return corners


@pytest.fixture
def clipper_calls(monkeypatch):
    """The outlines that decode leaves to pyclipper."""
    calls = []
    grow = decode.__globals__["grown_in_frame"]
    monkeypatch.setitem(
        decode.__globals__, "grown_in_frame", lambda *args: calls.append(1) or grow(*args)
    )
    return calls


@pytest.mark.parametrize("height", [4096, 8], ids=["long teeth", "short teeth"])
def test_a_comb_of_4096_px_is_one_outline_of_few_corners(height, grown_corners):
    found = decode(comb(4096, height), output="polygon", min_score=0)
    assert len(found) == 1
    assert 2 <= grown_corners[0] <= 500
    polygon = found.polygons[0]
    assert (polygon.min(0) <= (2, 2)).all()
    assert polygon.max(0)[0] >= 4094
    # From what text fills of the upright rectangle to text only: gaps are inside, or are not.
    assert 0.39 < found.scores[0] < 0.785


def test_a_comb_scores_what_its_teeth_do_where_all_of_them_are_kept(reference):
    """64 px: few enough teeth for the plain decode."""
    probability = np.pad(comb(64), 8)
    ours = decode(probability, output="polygon", min_score=0)
    ((_, score),) = reference.decode_polygons(probability, min_score=0)
    assert ours.scores[0] == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize("density", [0.01, 0.1])
def test_sparse_noise_of_4096_px_is_decoded_region_by_region(density, clipper_calls):
    noise = (np.random.default_rng(5).random((4096, 4096)) < density).astype(np.uint8)
    expected = cv2.connectedComponents(noise, connectivity=8)[0] - 1
    found = decode(noise * 255, min_side=1, min_score=0, max_regions=10**7)
    assert len(found) == expected
    outlines = decode(noise * 255, output="polygon", min_score=0, max_regions=100)
    assert len(outlines) <= 100
    assert len(clipper_calls) <= 100


def test_a_ragged_contour_is_simplified_without_looking_at_it_again_and_again(monkeypatch):
    """Teeth of equal height are split off one at a time: the square of 8,000 points, if let."""
    n = 8000
    k = np.arange(n)
    contour = np.stack([(k + 1) // 2, k // 2 % 2 * 9], axis=1).astype(np.int32)
    looked_at = []
    inner = outline.farthest_from_chord
    monkeypatch.setattr(
        outline,
        "farthest_from_chord",
        lambda contour, n, a, b: looked_at.append(b - a) or inner(contour, n, a, b),
    )
    points = np.empty((n, 2), np.int32)
    used = outline.simplify.py_func(contour, n, 1.0, np.empty((n, 2), np.int32), points, 0)
    assert used >= n / 2
    assert sum(looked_at) < 128 * n


def test_no_outline_is_left_with_more_corners_than_the_limit():
    n = 8000
    points = np.stack([np.arange(n), np.arange(n) % 2 * 40], axis=1).astype(np.int32)
    room = np.empty((n, 2), np.int32)
    assert outline.thin_out(points, 0, n, 1.0, room, room.copy()) <= 500


def test_regions_within_each_other_read_the_map_a_few_times_only(monkeypatch, reference):
    """The rectangles of 64 nested corners hold 24 times the map's pixels."""
    made = []
    inner = quads.row_sums
    monkeypatch.setattr(quads, "row_sums", lambda *map: made.append(1) or inner(*map))
    monkeypatch.setitem(decode.__globals__, "find_quads", quads.find_quads.py_func)
    probability = nested_corners(128)
    found = decode(probability, min_score=0, min_side=1)
    assert made == [1]
    expected = reference.decode_quads(probability, min_side=1)
    scores = [region.scores[0] for region in expected]
    assert np.sort(found.scores) == pytest.approx(np.sort(scores), abs=1e-5)


def test_words_are_scored_without_sums_of_rows(monkeypatch, text_map):
    monkeypatch.setattr(quads, "row_sums", None)
    monkeypatch.setitem(decode.__globals__, "find_quads", quads.find_quads.py_func)
    assert len(decode(text_map(1, 60), min_score=0)) > 10
