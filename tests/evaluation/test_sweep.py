"""Choosing decode thresholds: the detector's own result beside it, the best found, test refused."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbrt.datasets import Dataset, Sample, Word, read_picture
from dbrt.detector import TextDetector
from dbrt.errors import UsageError
from dbrt.evaluation.iou import compare
from dbrt.evaluation.protocols import detect_all
from dbrt.evaluation.sweep import BINARIZE, LOWEST_SCORE, SCORES, UNCLIP, Sweep, refuse_test
from dbrt.evaluation.threshold import GRID
from dbrt.postproc import decode

TINY = runpy.run_path(str(Path(__file__).parents[1] / "engine" / "tiny_model.py"))


class TwoLevels:
    """Stands for a detector whose map has certain bars, joined by a faint bridge (0.65)."""

    def __init__(self, **options):
        own = {"binarize": 0.3, "min_score": 0.3, "unclip_ratio": 1.5}
        self.decode_options = own | options

    def probability_map(self, frame):
        map = np.zeros((64, 128), np.uint8)
        map[20:32, 10:50] = map[20:32, 70:110] = 250
        map[20:32, 50:70] = 166
        return map, 1.0


def grown(x, y, width, height, by=7):
    """A word about a bar of the map: decode grows regions, as maps show shrunk text."""
    left, top, right, bottom = x - by, y - by, x + width + by, y + height + by
    return Word(np.float32([(left, top), (right, top), (right, bottom), (left, bottom)]))


BARS = [grown(10, 20, 40, 12), grown(70, 20, 40, 12)]


def test_bars_that_run_together_are_told_apart_by_the_binarize_that_is_chosen():
    sweep = Sweep(TwoLevels())
    assert len(sweep(np.zeros((64, 128, 3), np.uint8))) == 1  # the detector's own 0.3: one region
    choice = sweep.best([BARS], compare)
    assert choice.report.hmean == 1
    assert choice.options["binarize"] == 0.7
    assert choice.options["min_score"] == LOWEST_SCORE
    assert choice.tried == len(BINARIZE) * len(UNCLIP) * len(SCORES) * len(GRID)
    assert choice.to_dict()["hmean"] == 1


@pytest.mark.parametrize(
    ("option", "value", "count"), [("min_score", 0.97, 0), ("binarize", 0.7, 2)]
)
def test_the_detectors_own_options_are_kept(option, value, count):
    sweep = Sweep(TwoLevels(**{option: value}))
    assert len(sweep(np.zeros((64, 128, 3), np.uint8))) == count


def test_each_setting_is_shown_as_progress():
    seen = []

    def watch(things):
        seen.extend(things)
        return things

    sweep = Sweep(TwoLevels())
    sweep(np.zeros((64, 128, 3), np.uint8))
    sweep.best([BARS], compare, watch)
    assert len(seen) == len(BINARIZE) * len(UNCLIP) * len(SCORES)


@pytest.mark.parametrize("output", ["quad", "polygon"])
def test_the_detectors_own_regions_stay_what_they_are(dataset, tmp_path, monkeypatch, output):
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    model = TINY["write_tiny_model"](tmp_path / "tiny.onnx") or tmp_path / "tiny.onnx"
    with TextDetector(model, size=96, precision="fp32", output=output) as detector:
        sweep = Sweep(detector)
        frames = [read_picture(sample.path) for sample in dataset]
        assert [sweep(frame) for frame in frames] == [detector(frame) for frame in frames]
        assert any(len(detector(frame)) for frame in frames)


def test_what_is_chosen_gives_its_figures_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    TINY["write_tiny_model"](tmp_path / "tiny.onnx")
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[20:40, 20:70] = 255
    cv2.imwrite(str(tmp_path / "a.png"), frame)
    truth = [grown(20, 20, 50, 20)]
    dataset = Dataset("folder", None, (Sample(tmp_path / "a.png", truth),))
    with TextDetector(tmp_path / "tiny.onnx", size=96, precision="fp32") as detector:
        sweep = Sweep(detector)
        detect_all(dataset, sweep)
        choice = sweep.best([truth], compare)
        map, scale = detector.probability_map(frame)
    assert choice.report.hmean == 1
    place = {"scale": (1 / scale, 1 / scale), "frame_size": frame.shape[:2]}
    regions = decode(map, **place, **choice.options)
    assert compare((regions.quads, regions.scores), truth).tally().hmean == 1


def pictures(folder, split=None):
    return Dataset("folder", split, (Sample(Path(folder) / "images" / "a.png", []),))


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("data/icdar2015/test", "test"),
        ("data/mine", "test"),
        ("data/icdar2015/test", None),
        ("data/Test", None),
        ("data/ch4_test_images", None),
    ],
)
def test_test_pictures_choose_nothing(folder, split):
    with pytest.raises(UsageError, match="too good; take --split train"):
        refuse_test(pictures(folder, split))


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("data/icdar2015/train", "train"),
        ("mine", None),
        ("latest", None),
        ("test_of_cameras/mine", None),
    ],
)
def test_other_pictures_may_choose(folder, split):
    refuse_test(pictures(folder, split))
