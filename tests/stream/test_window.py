from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest

from dbrt.stream import window


def has_gui():
    return window._has_gui()


@pytest.fixture
def gui(monkeypatch):
    """An OpenCV with windows and a display, as far as can be told without opening one."""
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                   QT5\n")
    monkeypatch.setenv("DISPLAY", ":0")


def test_a_headless_opencv_is_named(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                   NONE\n")
    reason = window.why_no_window()
    assert "opencv-python-headless" in reason
    assert "--out FILE.mp4" in reason


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of Linux")
def test_without_a_display_none_is_probed(gui, monkeypatch):
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("subprocess.run", None)
    assert "there is no display" in window.why_no_window()


@pytest.mark.parametrize(
    ("code", "expected"),
    [("", None), ("import os; os.abort()", "no window can be opened"), ("1/0", "no window")],
    ids=["works", "aborts", "raises"],
)
def test_the_probe_may_abort_without_taking_us_along(gui, monkeypatch, code, expected):
    monkeypatch.setattr(window, "_PROBE", code)
    reason = window.why_no_window()
    assert reason is None if expected is None else expected in reason


def test_a_display_that_does_not_answer_is_given_up(gui, monkeypatch):
    monkeypatch.setattr(window, "_PROBE", _HANG)
    monkeypatch.setattr(window, "PROBE_LIMIT_S", 0.2)
    assert "does not answer" in window.why_no_window()


_HANG = "import threading; threading.Event().wait(30)"


def test_pictures_are_shown_at_most_screen_sized_and_keys_close(monkeypatch):
    calls = []
    monkeypatch.setattr(cv2, "namedWindow", lambda *a: calls.append(("open", *a[:1])))
    monkeypatch.setattr(cv2, "resizeWindow", lambda *a: calls.append(("size", *a[1:])))
    monkeypatch.setattr(cv2, "imshow", lambda *a: calls.append(("show", a[1].shape)))
    monkeypatch.setattr(cv2, "waitKey", lambda _ms: ord("q"))
    shown = window.Window()
    shown.show(np.zeros((1080, 1920, 3), np.uint8))
    shown.show(np.zeros((1080, 1920, 3), np.uint8))
    assert shown.is_closed()
    assert calls == [
        ("open", "dbrt"),
        ("size", 1280, 720),
        ("show", (1080, 1920, 3)),
        ("show", (1080, 1920, 3)),
    ]


@pytest.mark.parametrize(
    ("visible", "expected"), [(1.0, False), (0.0, True), (cv2.error("gone"), True)], ids=str
)
def test_a_window_that_is_gone_counts_as_closed(monkeypatch, visible, expected):
    def get_property(*_):
        if isinstance(visible, Exception):
            raise visible
        return visible

    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "waitKey", lambda _ms: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", get_property)
    assert window.Window().is_closed() is expected


@pytest.mark.skipif(
    shutil.which("xvfb-run") is None or not has_gui(),
    reason="needs xvfb-run and an OpenCV with windows",
)
def test_a_window_opens_with_pyav_loaded():
    code = """
        import dbrt.stream.sources.media, dbrt.stream.window as w, numpy as np
        assert w.why_no_window() is None
        shown = w.Window()
        shown.show(np.zeros((48, 64, 3), np.uint8))
        shown.is_closed()
        shown.close()
    """
    command = ["xvfb-run", "-a", sys.executable, "-c", textwrap.dedent(code)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_opencv_is_loaded_before_pyav():
    code = """
        import sys
        import {module}
        names = list(sys.modules)
        assert names.index("cv2") < names.index("av"), "PyAV came first: imshow would hang"
    """
    for_media = textwrap.dedent(code.format(module="dbrt.stream.sources.media"))
    assert subprocess.run([sys.executable, "-c", for_media], check=False).returncode == 0
    for_sink = textwrap.dedent(code.format(module="dbrt.stream.sinks.mp4"))
    assert subprocess.run([sys.executable, "-c", for_sink], check=False).returncode == 0
