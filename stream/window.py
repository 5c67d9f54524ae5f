"""Window: the overlay on the screen, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2

from dbrt.stream.overlay import Frame

TITLE = "dbrt"
PROBE_LIMIT_S = 10.0
_PROBE = "import cv2; cv2.namedWindow('p'); cv2.waitKey(1); cv2.destroyAllWindows()"
_INSTEAD = "write the overlay with --out FILE.mp4 or --out FOLDER/ instead"


def why_no_window() -> str | None:
    """Return the line that says why no window can be opened, None where one can.

    Tried in a process of its own: without a display the GUI builds of OpenCV call abort().
    """
    if not _has_gui():
        return f"this OpenCV has no windows (opencv-python-headless): {_INSTEAD}"
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in names):
        return f"there is no display: {_INSTEAD}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            timeout=PROBE_LIMIT_S,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"the display does not answer: {_INSTEAD}"
    return None if done.returncode == 0 else f"no window can be opened: {_INSTEAD}"


def _has_gui() -> bool:
    for line in cv2.getBuildInformation().splitlines():
        if line.strip().startswith("GUI:"):
            return "NONE" not in line
    return True


class Window:
    """One window; every method is for the main thread only."""

    def __init__(self) -> None:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
        self._is_sized = False

    def show(self, picture: Frame) -> None:
        """Show a picture; the first decides the size of the window."""
        if not self._is_sized:
            height, width = picture.shape[:2]
            scale = min(1.0, 1280 / width, 800 / height)
            cv2.resizeWindow(TITLE, round(width * scale), round(height * scale))
            self._is_sized = True
        cv2.imshow(TITLE, picture)

    def is_closed(self) -> bool:
        """Handle the window's events; return whether it was closed, or q or Escape pressed."""
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            return True
        try:
            return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Qt: the window is gone
            return True

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()
