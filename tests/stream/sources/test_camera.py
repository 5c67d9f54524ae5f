from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from dbrt.errors import SourceError, UsageError
from dbrt.stream.sources import camera
from dbrt.stream.sources.camera import CameraSource, capture_nodes, find_device

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux camera nodes")


class FakeCapture:
    """A camera that gives `count` frames, all in one buffer, as drivers do."""

    def __init__(self, count, is_open=True):
        self.count = count
        self.is_open = is_open
        self.settings = {}
        self.released = False
        self._buffer = np.zeros((4, 6, 3), np.uint8)

    def isOpened(self):
        return self.is_open

    def set(self, prop, value):
        self.settings[prop] = value
        return True

    def get(self, prop):
        return {cv2.CAP_PROP_FRAME_WIDTH: 6, cv2.CAP_PROP_FRAME_HEIGHT: 4}.get(prop, 30)

    def read(self):
        if self.count == 0:
            return False, None
        self.count -= 1
        self._buffer += 1
        return True, self._buffer

    def release(self):
        self.released = True


@pytest.fixture
def open_camera(monkeypatch, clock):
    """A CameraSource over a list of captures, one for each time it is opened."""

    def make(captures, **options):
        opened = []

        def open_capture(device, backend):
            opened.append((device, backend))
            return captures[len(opened) - 1]

        monkeypatch.setattr(camera, "find_device", lambda name: 0)
        source = CameraSource("cam0", open_capture=open_capture, clock=clock, **options)
        return source, opened

    return make


def test_frames_are_copies_of_the_drivers_buffer(open_camera, stop):
    capture = FakeCapture(3)
    source, opened = open_camera([capture])
    frames = source.frames(stop)
    items = [next(frames) for _ in range(3)]
    assert [item.frame[0, 0, 0] for item in items] == [1, 2, 3]
    assert all(item.is_live for item in items)
    assert opened == [(0, camera.backend())]
    frames.close()
    assert capture.released


def test_motion_jpeg_and_a_short_buffer_are_asked_for(open_camera, stop):
    capture, lines = FakeCapture(1), []
    source, _ = open_camera([capture], report=lines.append)
    next(source.frames(stop))
    assert capture.settings[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert capture.settings[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert lines == ["camera cam0 gives 6x4 at 30 frames a second"]


def test_an_unplugged_camera_is_opened_again_by_the_same_path(open_camera, stop):
    captures = [FakeCapture(2), FakeCapture(0, is_open=False), FakeCapture(1)]
    source, opened = open_camera(captures)
    frames = source.frames(stop)
    items = [next(frames) for _ in range(3)]
    assert [item.index for item in items] == [0, 1, 2]
    assert opened == [(0, camera.backend())] * 3
    assert source.status.stats().reconnects == 1
    frames.close()
    assert all(capture.released for capture in captures)


@pytest.mark.parametrize("name", ["cam", "cam-1", "-1", "camx", "cam0000", "1.5", ""])
def test_a_name_of_another_form_never_reaches_opencv(name):
    with pytest.raises(UsageError, match="names no camera"):
        find_device(name)


@LINUX
def test_a_camera_number_that_is_not_there_lists_what_is(monkeypatch):
    monkeypatch.setattr(camera, "capture_nodes", lambda: ["/dev/video0", "/dev/video2"])
    assert find_device("cam1") == "/dev/video2"
    assert find_device("0") == "/dev/video0"
    with pytest.raises(SourceError, match=r"no camera cam7 .*cam1 = /dev/video2"):
        find_device("cam7")


def test_metadata_nodes_are_not_counted_as_cameras(tmp_path):
    for number, index in ((0, 0), (1, 1), (10, 0), (2, 0), (3, 1)):
        node = tmp_path / f"video{number}"
        node.mkdir()
        (node / "index").write_text(f"{index}\n")
    assert capture_nodes(tmp_path) == ["/dev/video0", "/dev/video2", "/dev/video10"]
    assert capture_nodes(tmp_path / "missing") == []


@LINUX
def test_a_device_that_is_missing_says_so():
    with pytest.raises(SourceError, match="no camera /dev/video987"):
        CameraSource("/dev/video987")


@LINUX
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "group video"),
        (OSError(16, "Device or resource busy"), "in use by another program"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_the_reason_why_a_device_can_not_be_opened_is_given(monkeypatch, error, message):
    def refuse(_path, _flags):
        raise error

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(SourceError, match=message):
        CameraSource("/dev/video0")
