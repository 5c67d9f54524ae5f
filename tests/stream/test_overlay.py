from __future__ import annotations

import numpy as np
import pytest

from dbrt.regions import TextRegions
from dbrt.stream.overlay import draw, line_width

QUAD = [[20, 10], [60, 10], [60, 30], [20, 30]]


def regions(*quads):
    scores = np.full(len(quads), 0.9, np.float32)
    return TextRegions(np.array(quads, np.float32).reshape(-1, 4, 2), scores)


def drawn(picture, frame):
    """Return the rows and columns that differ."""
    return np.nonzero((picture != frame).any(axis=2))


def test_outlines_lie_on_the_quad_and_the_frame_is_left_alone():
    frame = np.full((60, 90, 3), 128, np.uint8)
    picture = draw(frame, regions(QUAD))
    assert (frame == 128).all()
    blue, green, red = (int(v) for v in picture[9:11, 40].mean(axis=0))
    assert green > 170 > max(blue, red)
    rows, columns = drawn(picture, frame)
    assert rows.min() >= 10 - 3
    assert rows.max() <= 30 + 3
    assert columns.min() >= 20 - 3
    assert columns.max() <= 60 + 3
    assert (picture[16:24, 26:54] == 128).all()  # the text itself stays legible


def test_polygons_are_drawn_in_place_of_quads():
    frame = np.zeros((60, 90, 3), np.uint8)
    triangle = np.array([[20, 30], [40, 10], [60, 30]], np.float32)
    found = TextRegions(
        np.array([QUAD], np.float32), np.array([0.9], np.float32), triangle, np.array([0, 3])
    )
    picture = draw(frame, found)
    assert not picture[10, 24:32].any()  # the quad's upper edge
    assert picture[29:31, 40].any()


def test_no_regions_and_no_status_change_nothing():
    frame = np.full((40, 40, 3), 77, np.uint8)
    assert np.array_equal(draw(frame, TextRegions.empty()), frame)


@pytest.mark.parametrize("size", [(1, 1), (4, 900), (900, 4), (17, 33)], ids=str)
def test_odd_frames_are_drawn_on(size):
    frame = np.zeros((*size, 3), np.uint8)
    picture = draw(frame, regions(QUAD), status="12 regions  30.0 fps", scores=True)
    assert picture.shape == frame.shape


def test_quads_outside_the_frame_are_cut_off():
    frame = np.zeros((40, 40, 3), np.uint8)
    far = [[-1e4, -1e4], [1e4, -1e4], [1e4, 20], [-1e4, 20]]
    assert draw(frame, regions(far))[20].any()


def test_the_status_line_stands_in_the_lower_left_corner():
    frame = np.full((200, 400, 3), 200, np.uint8)
    rows, columns = drawn(draw(frame, TextRegions.empty(), status="3 regions"), frame)
    assert rows.min() > 150
    assert columns.min() < 10
    assert columns.max() < 200


def test_a_frame_that_can_not_be_written_to_is_drawn_on_a_copy():
    frame = np.zeros((40, 60, 3), np.uint8)
    frame.flags.writeable = False
    assert draw(frame, regions(QUAD)).flags.writeable


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(240, 320, 1), (720, 1280, 2), (1080, 1920, 3), (4, 9000, 1)]
)
def test_lines_grow_with_the_frame(height, width, expected):
    assert line_width(height, width) == expected
