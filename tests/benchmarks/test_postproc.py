"""The rows of the post-processing benchmark; no assertion on time."""

from __future__ import annotations

import sys
import types

import cv2
import numpy as np
import pytest

from dbrt.benchmarks.pages import draw_pages
from dbrt.benchmarks.paper import Thresholds, paper_polygons, paper_quads
from dbrt.benchmarks.postproc import (
    FLOOR,
    QUADS,
    RAPIDOCR,
    TimedMap,
    _turns,
    contenders,
    time_postproc,
)
from dbrt.errors import UsageError

NAMES = [
    "dbrt quads",
    "dbrt polygons",
    "OpenCV + pyclipper quads",
    "OpenCV + pyclipper polygons",
    "cv2.findContours alone",
    "numpy map > t",
]


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
    maps = [TimedMap("ordinary", np.zeros_like(bars)), TimedMap("dense", bars)]
    rows = time_postproc(maps, rounds=3)
    assert [row.contender for row in rows] == 2 * NAMES
    assert [(row.map, row.kind, row.regions) for row in rows[:: len(NAMES)]] == [
        (0, "ordinary", 0),
        (1, "dense", 2),
    ]
    assert {row.spread.samples for row in rows} == {3}
    assert {row.size for row in rows} == {96}


def test_each_round_has_an_order_of_its_own_that_is_the_same_in_each_run():
    def orders():
        called = []
        times = _turns({name: lambda name=name: called.append(name) for name in "abcdef"}, 3)
        assert {len(each) for each in times.values()} == {3}
        return ["".join(called[k : k + 6]) for k in range(0, 24, 6)]

    found = orders()
    assert {"".join(sorted(order)) for order in found} == {"abcdef"}
    assert len(set(found)) > 1
    assert orders() == found


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
    contenders(bars, Thresholds(0.25, 0.5, 1.7))[RAPIDOCR]()
    assert (seen["thresh"], seen["box_thresh"], seen["unclip_ratio"]) == (0.25, 0.5, 1.7)
    assert seen["batch"].shape == (1, 1, 64, 96)
    assert seen["batch"].max() == 1.0


@pytest.mark.usefixtures("no_rapidocr")
def test_every_contender_does_what_its_name_says(bars):
    calls = contenders(bars, Thresholds())
    found = {name: call() for name, call in calls.items()}
    assert [len(found[name]) for name in NAMES[:2]] == [2, 2]
    assert [len(found[name][0]) for name in NAMES[2:5]] == [2, 2, 2]
    assert (found[FLOOR] == (bars > 76)).all()
    assert next(iter(found)) == QUADS


@pytest.mark.parametrize("decoder", [paper_quads, paper_polygons])
@pytest.mark.parametrize("units", [1, 1024])
def test_the_published_steps_find_a_bar_grown_by_hand(decoder, units, bars):
    """Through centres of pixels: 39 x 9, so d = 351 * 1.5 / 96 = 5.48."""
    outlines, scores = decoder(bars[:30], Thresholds(), units)
    assert scores == [1.0]
    low, high = outlines[0].min(0), outlines[0].max(0)
    assert low == pytest.approx((10 - 5.48, 10 - 5.48), abs=1.0)
    assert high == pytest.approx((49 + 5.48, 19 + 5.48), abs=1.0)


@pytest.mark.parametrize(
    ("changed", "regions"),
    [({}, 2), ({"min_score": 0.9}, 1), ({"binarize": 0.85}, 1)],
    ids=["all", "score", "binarize"],
)
def test_the_published_steps_use_the_thresholds(changed, regions, bars):
    bars[40:50, 30:80] = 200
    assert len(paper_quads(bars, Thresholds(**changed))[0]) == regions


@pytest.mark.usefixtures("no_rapidocr")
def test_opencv_gets_its_threads_back_also_after_a_failure(bars):
    before = cv2.getNumThreads()
    with pytest.raises(UsageError):
        time_postproc([TimedMap("dense", bars)], Thresholds(unclip_ratio=-1))
    assert cv2.getNumThreads() == before


def test_pages_are_the_same_in_each_run_and_full_of_words():
    pages = draw_pages(320)
    assert len(pages) == 3
    assert all((a == b).all() for a, b in zip(pages, draw_pages(320), strict=True))
    ink = (pages[0][..., 0] < 128).astype(np.uint8)
    words = cv2.connectedComponents(cv2.dilate(ink, np.ones((3, 5), np.uint8)))[0] - 1
    assert words > 60
