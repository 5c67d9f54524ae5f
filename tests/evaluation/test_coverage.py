"""Coverage of lines by words: by hand, and against shapely on random shapes."""

import numpy as np
import pytest

from dbrt.datasets import Word
from dbrt.evaluation.coverage import cover


def quad(x, y, width, height):
    return np.float32([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


LINE = Word(quad(0, 0, 100, 10))


def test_words_of_a_line_cover_it_together():
    words = [quad(0, 0, 45, 10), quad(55, 0, 45, 10)]
    found = cover([(words, None)], [[LINE]])
    assert (found.lines, found.covered, found.detections, found.on_text) == (1, 1, 2, 2)
    assert found.covered_area == pytest.approx(0.9)


def test_what_two_detections_share_is_covered_once():
    found = cover([([quad(0, 0, 40, 10), quad(10, 0, 40, 10)], None)], [[LINE]])
    assert found.covered_area == pytest.approx(0.5)
    assert found.covered == 0  # half is not more than half


@pytest.mark.parametrize("reverse", [False, True], ids=["", "counter-clockwise"])
def test_the_order_of_corners_does_not_matter(reverse):
    polygons = [quad(0, 0, 60, 10), quad(30, 0, 40, 10)[:: -1 if reverse else 1]]
    assert cover([(polygons, None)], [[LINE]]).covered_area == pytest.approx(0.7)


def test_a_detection_beside_text_is_not_on_it():
    found = cover([([quad(0, 6, 100, 10), quad(0, 4, 100, 10)], None)], [[LINE]])
    assert (found.detections, found.on_text) == (2, 1)


def test_dont_care_lines_need_no_cover_but_are_text():
    found = cover([([LINE.polygon], None)], [[Word(LINE.polygon, care=False)]])
    assert (found.lines, found.on_text) == (0, 1)


def test_detections_below_the_least_score_are_left_out():
    detections = [([LINE.polygon, LINE.polygon + 200], np.float32([0.9, 0.4]))]
    assert cover(detections, [[LINE]], 0.5).detections == 1
    assert cover(detections, [[LINE]], 0.5).to_dict() == {
        "lines": 1,
        "lines_covered": 1.0,
        "area_covered": 1.0,
        "detections_on_text": 1.0,
    }


@pytest.mark.parametrize("polygon", [[(1, 1)] * 4, [(1, 1), (9, 1), (9, 1), (1, 1)]])
def test_shapes_without_an_area_count_and_cover_nothing(polygon):
    flat = np.float32(polygon)
    found = cover([([flat], None)], [[LINE, Word(flat)]])
    assert (found.lines, found.covered, found.detections, found.on_text) == (2, 0, 1, 0)


def test_no_pictures_are_zeros():
    assert cover([], []).to_dict()["lines_covered"] == 0


@pytest.mark.parametrize("seed", range(20))
def test_covered_area_agrees_with_shapely(seed):
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(seed)
    centres = rng.uniform(20, 80, (6, 1, 2))
    angles = (np.arange(7) + rng.uniform(0.1, 0.9, (6, 7))) * 2 * np.pi / 7
    radii = rng.uniform(8, 40, (6, 7))
    stars = centres + np.stack([radii * np.cos(angles), radii * np.sin(angles)], 2)
    line, *covers = np.float32(np.rint(stars))
    expected = shapely.Polygon(line).intersection(
        shapely.union_all([shapely.Polygon(other).buffer(0) for other in covers])
    )
    share = expected.area / shapely.Polygon(line).area
    assert cover([(covers, None)], [[Word(line)]]).covered_area == pytest.approx(share, abs=2e-3)
