"""The shipped model on photographs without text, which nothing it learned from has shown it."""

import pytest

from dbrt import TextDetector
from dbrt.datasets import read_picture
from dbrt.datasets.wallpapers import HELD_OUT, install_line, installed

MOST = 2  # false regions on all twenty together


@pytest.fixture(scope="module")
def wallpapers():
    """The pictures by name; skips, and names the packages, where one is not installed."""
    there = installed(HELD_OUT)
    missing = [wallpaper for wallpaper in HELD_OUT if wallpaper not in there]
    if missing:
        names = ", ".join(wallpaper.name for wallpaper in missing)
        pytest.skip(f"not installed: {names} ({install_line(tuple(missing))})")
    return {wallpaper.name: read_picture(wallpaper.path()) for wallpaper in there}


@pytest.mark.slow
@pytest.mark.parametrize("shape", [None, (736, 1280)], ids=["as streamed", "736x1280"])
def test_twenty_photographs_without_text_have_hardly_a_region(wallpapers, shape):
    with TextDetector(shape=shape) as detector:
        found = {name: len(detector(picture)) for name, picture in wallpapers.items()}
    alarms = {name: count for name, count in found.items() if count}
    assert sum(alarms.values()) <= MOST, alarms
