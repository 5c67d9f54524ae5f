"""Areas of polygons and of intersections: by hand, and against shapely on random shapes."""

import numpy as np
import pytest

from dbrt.evaluation.overlap import Shape, intersection_area, iou_matrix, polygon_area

SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]
L_SHAPE = [(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)]


def shape(corners):
    return Shape(np.array(corners, np.float32))


def moved(corners, x, y):
    return [(a + x, b + y) for a, b in corners]


PAIRS = {
    "same": (SQUARE, SQUARE, 100),
    "half": (SQUARE, moved(SQUARE, 5, 0), 50),
    "quarter": (SQUARE, moved(SQUARE, 5, 5), 25),
    "apart": (SQUARE, moved(SQUARE, 11, 0), 0),
    "sharing-an-edge": (SQUARE, moved(SQUARE, 10, 0), 0),
    "sharing-a-corner": (SQUARE, moved(SQUARE, 10, 10), 0),
    "inside": (SQUARE, [(2, 2), (4, 2), (4, 4), (2, 4)], 4),
    "diamond": (SQUARE, [(5, -5), (15, 5), (5, 15), (-5, 5)], 100),
    "diamond-cuts-corners": (SQUARE, [(5, -2), (12, 5), (5, 12), (-2, 5)], 100 - 4 * 4.5),
    "notch": (L_SHAPE, moved(SQUARE, 4, 4), 0),
    "notch-and-arm": (L_SHAPE, moved(SQUARE, 3, 3), 13),
    "two-l-shapes": (L_SHAPE, [(10, 10), (0, 10), (0, 6), (6, 6), (6, 0), (10, 0)], 32),
    "line": (SQUARE, [(1, 1), (9, 1), (9, 1), (1, 1)], 0),
    "point": (SQUARE, [(5, 5)] * 4, 0),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("reverse_a", [False, True], ids=["", "a-reversed"])
@pytest.mark.parametrize("reverse_b", [False, True], ids=["", "b-reversed"])
@pytest.mark.parametrize("swap", [False, True], ids=["", "swapped"])
def test_intersection_is_the_area_by_hand(pair, reverse_a, reverse_b, swap):
    a, b, area = pair
    a, b = a[::-1] if reverse_a else a, b[::-1] if reverse_b else b
    a, b = (b, a) if swap else (a, b)
    assert intersection_area(shape(a), shape(b)) == pytest.approx(area, abs=1e-9)


@pytest.mark.parametrize("start", range(6))
def test_any_first_corner_gives_the_same_area(start):
    turned = shape(L_SHAPE[start:] + L_SHAPE[:start])
    assert turned.area == 64
    assert intersection_area(turned, shape(moved(SQUARE, 3, 3))) == pytest.approx(13)


def test_area_far_from_the_origin_loses_nothing():
    assert polygon_area(np.array(moved(SQUARE, 4_000_000, 4_000_000), np.float32)) == 100


def test_a_quad_that_crosses_itself_stays_within_bounds():
    bow_tie = shape([(0, 0), (10, 10), (10, 0), (0, 10)])
    shared = intersection_area(bow_tie, shape(SQUARE))
    assert 0 <= shared <= 100
    assert 0 <= iou_matrix([bow_tie], [shape(SQUARE)])[0, 0] <= 1


def test_iou_of_degenerate_shapes_is_zero():
    assert iou_matrix([shape([(1, 1)] * 4)], [shape([(1, 1)] * 4)]).tolist() == [[0.0]]


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 3), (3, 0)])
def test_empty_lists_give_empty_matrices(rows, columns):
    assert iou_matrix([shape(SQUARE)] * rows, [shape(SQUARE)] * columns).shape == (rows, columns)


def star(rng, corners):
    """A simple polygon: corners around a centre, radii at random, mostly not convex."""
    # No gap between neighbours reaches half a turn: then the edges can't cross.
    angles = (np.arange(corners) + rng.uniform(0.1, 0.9, corners)) * 2 * np.pi / corners
    radii = rng.uniform(5, 40, corners)
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1) + rng.uniform(20, 60, 2)
    return points.astype(np.float32)


@pytest.mark.parametrize("corners", [4, 8, 14])
@pytest.mark.parametrize("seed", range(40))
def test_intersection_agrees_with_shapely(seed, corners):
    geometry = pytest.importorskip("shapely.geometry")
    rng = np.random.default_rng(seed)
    a, b = star(rng, corners), star(rng, 4)
    expected_a, expected_b = geometry.Polygon(a.astype(float)), geometry.Polygon(b.astype(float))
    assert Shape(a).area == pytest.approx(expected_a.area, abs=1e-6)
    assert intersection_area(Shape(a), Shape(b)) == pytest.approx(
        expected_a.intersection(expected_b).area, abs=1e-6
    )
