"""The rows of the post-processing benchmark; no assertion on time."""

from __future__ import annotations

import sys
import types

import cv2
import numpy as np
import pytest

from dbrt.benchmarks.postproc import Thresholds, contenders, time_postproc
from dbrt.errors import UsageError


@pytest.fixture
def bars():
    probability = np.zeros((64, 96), np.uint8)
    probability[10:20, 10:50] = probability[40:50, 30:80] = 255
    return probability


@pytest.fixture
def no_rapidocr(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)


@pytest.mark.usefixtures("no_rapidocr")
def test_each_map_has_a_row_for_each_contender(bars):
    rows = time_postproc([np.zeros_like(bars), bars], rounds=3)
    names = ["dbrt quads", "dbrt polygons", "cv2.findContours alone", "numpy map > t"]
    assert [row.contender for row in rows] == 2 * names
    assert [row.map for row in rows] == [0] * 4 + [1] * 4
    assert [row.regions for row in rows] == [0] * 4 + [2] * 4
    assert {row.spread.samples for row in rows} == {3}


def test_rapidocr_takes_part_where_it_is_installed_with_the_same_thresholds(bars, monkeypatch):
    seen = {}

    class Peer:
        def __init__(self, **options):
            seen.update(options)

        def __call__(self, batch, shape):
            seen.update(shape=shape, batch=batch)

    package = types.ModuleType("rapidocr.ch_ppocr_det.utils")
    package.DBPostProcess = Peer
    monkeypatch.setitem(sys.modules, "rapidocr", types.ModuleType("rapidocr"))
    monkeypatch.setitem(
        sys.modules, "rapidocr.ch_ppocr_det", types.ModuleType("rapidocr.ch_ppocr_det")
    )
    monkeypatch.setitem(sys.modules, "rapidocr.ch_ppocr_det.utils", package)
    contenders(bars, Thresholds(0.25, 0.5, 1.7))["RapidOCR DBPostProcess"]()
    assert (seen["thresh"], seen["box_thresh"], seen["unclip_ratio"]) == (0.25, 0.5, 1.7)
    assert seen["batch"].shape == (1, 1, 64, 96)
    assert seen["batch"].max() == 1.0


@pytest.mark.usefixtures("no_rapidocr")
def test_opencv_gets_its_threads_back_also_after_a_failure(bars):
    before = cv2.getNumThreads()
    with pytest.raises(UsageError):
        time_postproc([bars], Thresholds(unclip_ratio=-1))
    assert cv2.getNumThreads() == before
