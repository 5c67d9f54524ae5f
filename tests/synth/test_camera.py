"""Panels in space: where they are seen, and what hides them."""

import numpy as np
import pytest

from dbrt.synth.camera import Camera, Panel, project, render, seen_words

SHAPE = (180, 320)
CAMERA = Camera(0.3, 1.5, -8.0, yaw=7.0, pitch=3.0, roll=5.0)
BOX = np.array([[0, 0], [100, 0], [100, 50], [0, 50]], np.float32)


def panel(z=0.0, x=-1.0, colour=255, alpha=255):
    texture = np.full((50, 100, 4), colour, np.uint8)
    texture[..., 3] = alpha
    return Panel(texture, (x, 2.0, z), (2.0, 0.0, 0.0), (0.0, -1.0, 0.0), [("WORD", BOX)])


def pinhole(camera, point):
    """Project one point of the world by turning it step by step, (x, y) pixels of SHAPE."""
    x, y, z = np.asarray(point) - (camera.x, camera.y, camera.z)
    a, b, c = np.deg2rad([camera.yaw, camera.pitch, camera.roll])
    x, z = x * np.cos(a) - z * np.sin(a), x * np.sin(a) + z * np.cos(a)
    y, z = y * np.cos(b) - z * np.sin(b), y * np.sin(b) + z * np.cos(b)
    x, y = x * np.cos(c) - y * np.sin(c), x * np.sin(c) + y * np.cos(c)
    f = camera.focal * SHAPE[1]
    return f * x / z + SHAPE[1] / 2, -f * y / z + SHAPE[0] / 2


def test_a_panel_is_seen_where_a_pinhole_camera_sees_its_corners():
    seen = project(BOX, CAMERA.homography(panel(z=1.5), SHAPE))
    corners = [(-1.0, 2.0, 1.5), (1.0, 2.0, 1.5), (1.0, 1.0, 1.5), (-1.0, 1.0, 1.5)]
    np.testing.assert_allclose(seen, [pinhole(CAMERA, p) for p in corners], atol=1e-3)


def test_yaw_turns_right_and_pitch_up_and_roll_clockwise():
    centre = np.array([SHAPE[1], SHAPE[0]]) / 2
    ahead = Panel(np.zeros((2, 2, 4), np.uint8), (0, 0, 0), (2, 0, 0), (0, -2, 0))
    corner = np.zeros((1, 2), np.float32)

    def seen(**angles):
        return project(corner, Camera(0, 0, -8.0, **angles).homography(ahead, SHAPE))[0] - centre

    assert seen(yaw=5.0)[0] < -1
    assert seen(pitch=5.0)[1] > 1
    right = Panel(ahead.texture, (2, 0, 0), (2, 0, 0), (0, -2, 0))
    turned = Camera(0, 0, -8.0, roll=5.0).homography(right, SHAPE)
    assert (project(corner, turned)[0] - centre)[1] < -1


def test_the_picture_of_a_panel_fills_its_quad_and_nothing_else():
    frame = render([panel()], CAMERA, SHAPE)[..., 0].astype(np.float64)
    quad = project(BOX, CAMERA.homography(panel(), SHAPE)).astype(np.float64)
    area = 0.5 * abs(
        np.dot(quad[:, 0], np.roll(quad[:, 1], -1)) - np.dot(quad[:, 1], np.roll(quad[:, 0], -1))
    )
    assert frame.sum() / 255 == pytest.approx(area, rel=0.01)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]] + 0.5
    middle = (frame * x).sum() / frame.sum(), (frame * y).sum() / frame.sum()
    np.testing.assert_allclose(middle, quad.mean(axis=0), atol=0.5)


@pytest.mark.parametrize(
    ("others", "visible"),
    [
        ([], 1.0),
        ([panel(z=-1.0, x=-1.2, alpha=0)], 1.0),
        ([panel(z=-0.01)], 0.0),
        ([panel(z=-0.01, x=0.0)], 0.5),
    ],
    ids=["alone", "behind-glass", "hidden", "half-hidden"],
)
def test_a_word_is_visible_as_far_as_nothing_nearer_hides_it(others, visible):
    words = seen_words([panel(), *others], CAMERA, SHAPE)
    assert words[0].text == "WORD"
    assert words[0].visible == pytest.approx(visible, abs=0.05)


@pytest.mark.parametrize(("x", "visible"), [(-4.3, 0.5), (-40.0, 0.0)], ids=["cut", "gone"])
def test_a_word_outside_the_frame_is_hidden(x, visible):
    straight = Camera(0.0, 1.5, -5.28)  # the frame shows 6.6 m of the wall
    seen = seen_words([panel(x=x)], straight, SHAPE)[0]
    assert seen.visible == pytest.approx(visible, abs=0.05)
    assert seen.quad[0, 0] < 0
