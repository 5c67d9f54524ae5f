"""TextDetector: frames of any size in, regions in their pixels out; what it keeps and refuses."""

from __future__ import annotations

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

import dbrt.detector
from dbrt import InputError, TextDetector, UsageError
from dbrt.detector import OPEN_RUNNERS
from dbrt.engine.modelfile import find_model, read_model_file

TINY = runpy.run_path(str(Path(__file__).parent / "engine" / "tiny_model.py"))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model_path(tmp_path):
    """The tiny model, which takes bright places for text."""
    return TINY["write_tiny_model"](tmp_path / "tiny.onnx")


@pytest.fixture
def detector(model_path):
    with TextDetector(model_path, size=96, precision="fp32") as made:
        yield made


@pytest.fixture
def frame():
    """(64, 96, 3) black with two bright bars."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[8:20, 10:70] = 255
    picture[36:50, 40:90] = 255
    return picture


@pytest.fixture
def opened(monkeypatch):
    """Every runner that is opened; each gets `.fed`, the arrays it was given, and `.is_closed`."""
    runners = []
    really_open = dbrt.detector.open_runner

    def open_and_watch(*args, **kwargs):
        runner = really_open(*args, **kwargs)
        runner.fed, runner.is_closed = [], False
        infer, close = runner.infer, runner.close

        def watched_infer(frames):
            runner.fed.append(frames)
            return infer(frames)

        def watched_close():
            runner.is_closed = True
            close()

        runner.infer, runner.close = watched_infer, watched_close
        runners.append(runner)
        return runner

    monkeypatch.setattr(dbrt.detector, "open_runner", open_and_watch)
    return runners


def enlarged(frame, factor):
    return frame.repeat(factor, axis=0).repeat(factor, axis=1)


def test_bright_bars_are_found_where_they_are(detector, frame):
    regions = detector(frame)
    assert len(regions) == 2
    middles = regions.quads.mean(axis=1)
    np.testing.assert_allclose(middles, [[40, 14], [65, 43]], atol=4)


def test_regions_are_in_pixels_of_the_frame(detector, frame):
    # Averaging 4x4 equal pixels gives the small frame again: the network sees the same.
    small, large = detector(frame), detector(enlarged(frame, 4))
    np.testing.assert_allclose(large.quads, small.quads * 4, atol=1e-3)


def test_filling_below_and_beside_the_frame_is_no_text(model_path, frame):
    bright = np.full_like(frame, 255)
    with TextDetector(model_path, shape=(128, 128), precision="fp32") as detector:
        regions = detector(bright)
    assert len(regions) == 1
    assert regions.quads.max(axis=(0, 1)).tolist() == [96, 64]


def test_a_list_gives_what_each_frame_gives_alone(detector, frame):
    frames = [frame, enlarged(frame, 2), np.ascontiguousarray(frame.transpose(1, 0, 2))]
    assert detector(frames) == [detector(each) for each in frames]
    assert detector([]) == []


def test_a_frame_that_is_a_view_gives_what_its_copy_gives(detector, frame):
    mirrored = frame[:, ::-1]
    assert detector(mirrored) == detector(mirrored.copy())


def test_frames_are_not_changed(detector, frame):
    before = frame.copy()
    detector(frame)
    np.testing.assert_array_equal(frame, before)


NO_FRAMES = {
    "none": (None, "None: cv2.imread"),
    "name": ("shop.jpg", "is a str: give"),
    "grey": (np.zeros((9, 9), np.uint8), "uint8 9x9, grey"),
    "grey-3d": (np.zeros((9, 9, 1), np.uint8), "uint8 9x9x1, grey"),
    "alpha": (np.zeros((9, 8, 4), np.uint8), "uint8 9x8x4, with alpha"),
    "float": (np.zeros((9, 8, 3), np.float32), "float32 9x8x3: give uint8"),
    "batch": (np.zeros((2, 9, 8, 3), np.uint8), "as a list"),
    "channels": (np.zeros((9, 8, 2), np.uint8), "uint8 9x8x2: give BGR"),
    "empty": (np.zeros((0, 8, 3), np.uint8), "at least one pixel"),
}


@pytest.mark.parametrize(("value", "message"), NO_FRAMES.values(), ids=NO_FRAMES)
def test_what_is_no_frame_is_named(detector, frame, value, message):
    with pytest.raises(InputError, match="the frame is") as alone:
        detector(value)
    assert message in str(alone.value)
    with pytest.raises(InputError, match="frame 1 is"):
        detector([frame, value])
    with pytest.raises(InputError, match="the frame is"):
        detector.maps(value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 700}, UsageError, "672 or 704"),
        ({"shape": (100, 64)}, UsageError, "height 100"),
        ({"runner": "gpu"}, UsageError, "no runner gpu"),
        ({"precision": "fp8"}, UsageError, "no precision fp8"),
        ({"min_score": 2}, UsageError, "min_score is 2"),
        ({"binarize": -1}, UsageError, "binarize is -1"),
        ({"unclip_ratio": -1}, UsageError, "unclip_ratio is -1"),
        ({"max_regions": 0}, UsageError, "max_regions is 0"),
        ({"output": "box"}, UsageError, "output is 'box'"),
        ({"model": "missing.onnx"}, InputError, "no model missing.onnx"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_are_refused_before_any_frame(model_path, options, error, message):
    with pytest.raises(error, match=message):
        TextDetector(**{"model": model_path, **options})


def test_thresholds_are_the_model_files_unless_given(tmp_path, frame):
    strict = TINY["write_tiny_model"](tmp_path / "strict.onnx", min_score="1.0")
    with TextDetector(strict, size=96) as detector:
        assert len(detector(frame)) == 0
    with TextDetector(strict, size=96, min_score=0.3) as detector:
        assert len(detector(frame)) == 2
    with TextDetector(strict, size=96, min_score=0.3, max_regions=1) as detector:
        regions = detector(frame)
        assert (len(regions), regions.truncated) == (1, True)


def test_polygons_come_where_they_are_asked_for(model_path, frame, detector):
    with TextDetector(model_path, size=96, output="polygon") as outlines:
        assert len(outlines(frame).polygons) == 2
    assert detector(frame).polygons is None


def test_timings_are_those_of_the_last_call(detector, frame, monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr(dbrt.detector.time, "perf_counter", lambda: next(ticks) / 1000)
    assert detector.timings == {"letterbox_ms": 0, "network_ms": 0, "decode_ms": 0}
    detector([frame, frame, frame])
    detector([frame, frame])
    assert detector.timings == pytest.approx({"letterbox_ms": 2, "network_ms": 2, "decode_ms": 2})
    detector(frame)
    assert detector.timings == pytest.approx({"letterbox_ms": 1, "network_ms": 1, "decode_ms": 1})


def test_one_runner_and_one_canvas_serve_all_frames_of_a_shape(detector, frame, opened):
    detector([frame, enlarged(frame, 2), frame])
    [runner] = opened
    assert runner.spec.shape == (64, 96)
    assert {array.ctypes.data for array in runner.fed} == {runner.fed[0].ctypes.data}


def test_the_runner_unused_for_longest_is_closed(detector, opened):
    shapes = [(32 * n, 96) for n in (1, 2, 3)] + [(96, 32), (96, 64)]
    frames = [np.zeros((*shape, 3), np.uint8) for shape in shapes]
    detector(frames[:OPEN_RUNNERS])
    detector(frames[0])  # used again: the second is the oldest now
    assert not any(runner.is_closed for runner in opened)
    detector(frames[OPEN_RUNNERS])
    assert [runner.spec.shape for runner in opened if runner.is_closed] == [shapes[1]]
    assert len(opened) == OPEN_RUNNERS + 1


def test_closing_closes_every_runner(detector, frame, opened):
    detector([frame, np.zeros((96, 96, 3), np.uint8)])
    detector.close()
    detector.close()
    assert [runner.is_closed for runner in opened] == [True, True]
    with pytest.raises(RuntimeError, match="closed"):
        detector(frame)


def test_a_model_file_that_was_read_is_taken(model_path, frame, detector):
    with TextDetector(read_model_file(model_path), size=96, precision="fp32") as other:
        assert other(frame) == detector(frame)


def test_maps_show_what_the_network_says(detector, frame):
    maps = detector.maps(frame)
    assert {(map.shape, map.dtype) for map in maps} == {((64, 96), np.dtype(np.uint8))}
    assert maps.probability[14, 40] > 200
    assert maps.probability[28, 40] < 100
    difference = (maps.probability.astype(float) - maps.threshold) / 255
    expected = 255 / (1 + np.exp(-50 * difference))
    np.testing.assert_allclose(maps.approximate_binary, expected, atol=0.51)


@pytest.mark.parametrize("factor", [3, 5])
def test_maps_lie_on_the_frame_whatever_its_size(detector, frame, factor):
    small = detector.maps(frame).probability
    large = detector.maps(enlarged(frame, factor)).probability
    assert large.shape == (64 * factor, 96 * factor)
    back = cv2.resize(large, (96, 64), interpolation=cv2.INTER_AREA)
    # Twice resampled: compared where the map is flat.
    flat = cv2.dilate(small, np.ones((5, 5))) == cv2.erode(small, np.ones((5, 5)))
    assert flat.sum() > 500
    np.testing.assert_allclose(back[flat], small[flat], atol=2)


def test_maps_show_the_frame_and_not_the_filling(model_path, frame):
    found = []
    for shape in ((96, 128), (160, 128)):  # content 85.3 x 128 in both
        with TextDetector(model_path, shape=shape, precision="fp32") as detector:
            found.append(detector.maps(frame).probability.astype(int))
    assert found[0].shape == (64, 96)
    assert np.abs(found[0] - found[1])[:58].max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (999, 7)], ids=str)
def test_frames_of_odd_sizes_are_taken(detector, size):
    frame = np.zeros((*size, 3), np.uint8)
    assert len(detector(frame)) == 0
    assert detector.maps(frame).probability.shape == size


def test_maps_need_a_threshold_head(tmp_path, frame):
    path = tmp_path / "plain.onnx"
    path.write_bytes(TINY["tiny_model"](threshold_head=False).SerializeToString())
    with TextDetector(path, size=96) as detector, pytest.raises(UsageError, match="no threshold"):
        detector.maps(frame)


def test_the_shipped_model_finds_printed_words():
    try:
        find_model("dbrt-lite")
    except InputError:
        pytest.skip("the model file dbrt-lite.onnx is not there")
    page = np.full((360, 640, 3), 235, np.uint8)
    style = (cv2.FONT_HERSHEY_DUPLEX, 2.0, (40, 40, 40), 4, cv2.LINE_AA)
    cv2.putText(page, "STATION", (180, 190), *style)
    with TextDetector("dbrt-lite", size=640) as detector:
        regions = detector(page)
    middles = regions.quads.mean(axis=1)
    assert len(regions) >= 1
    assert np.all((middles > [180, 130]) & (middles < [470, 210]))
