from __future__ import annotations

import pytest

from dbrt._version import __version__
from dbrt.doctor.finding import State
from dbrt.doctor.packages import examine_install, examine_opencv


def test_one_opencv_is_well() -> None:
    found = examine_opencv([("numpy", "2.0"), ("opencv-python-headless", "5.0"), (None, "1")])
    assert (found.state, found.text) == (State.OK, "opencv-python-headless 5.0")


@pytest.mark.parametrize("other", ["opencv-python", "opencv_contrib_python", "OpenCV-Python"])
def test_two_opencvs_are_noted_with_what_mends_it(other: str) -> None:
    found = examine_opencv([(other, "4.13"), ("opencv-python-headless", "5.0")])
    assert found.state is State.NOTE
    assert "overwrite each other" in found.text
    assert found.remedy.startswith("pip uninstall -y opencv-python-headless opencv-")
    assert found.remedy.endswith("&& pip install opencv-python-headless")


def test_no_opencv_is_broken() -> None:
    found = examine_opencv([("numpy", "2.0")])
    assert (found.state, found.remedy) == (State.BROKEN, "pip install opencv-python-headless")


def test_this_dbrt_is_named() -> None:
    found = {finding.name: finding for finding in examine_install()}
    assert found["dbrt"].text == __version__
    assert set(found) == {"dbrt", "python", "opencv"}
