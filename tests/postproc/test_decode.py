"""decode on hostile input, its arguments, and the form of what it returns."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from dbrt.errors import InputError, UsageError
from dbrt.postproc import decode
from dbrt.postproc.map import as_bytes
from dbrt.postproc.workspace import of_this_thread


def bar(shape=(64, 96), top=20, left=30, height=10, width=40, value=255):
    """One upright bar on an empty map."""
    probability = np.zeros(shape, np.uint8)
    probability[top : top + height, left : left + width] = value
    return probability


def cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def test_an_upright_bar_is_measured_by_hand():
    """40 x 10: d = 400 * 1.5 / 100 = 6, and corners count from the corners of pixels."""
    found = decode(bar(value=204))
    assert found.quads.tolist() == [[[24, 14], [76, 14], [76, 36], [24, 36]]]
    assert found.scores.tolist() == pytest.approx([0.8 * 400 / 400])
    assert not found.truncated


def test_an_empty_map_has_no_regions():
    found = decode(np.zeros((64, 96), np.uint8))
    assert len(found) == 0
    assert found.quads.shape == (0, 4, 2)


@pytest.mark.parametrize("shape", [(0, 0), (0, 32), (32, 0)])
def test_a_map_without_pixels_has_no_regions(shape):
    assert len(decode(np.zeros(shape, np.uint8))) == 0


def test_a_full_map_is_one_region_clipped_to_the_map():
    found = decode(np.full((64, 96), 255, np.uint8))
    assert found.quads.tolist() == [[[0, 0], [96, 0], [96, 64], [0, 64]]]


def test_one_pixel_is_a_region_of_area_one():
    found = decode(bar(height=1, width=1), min_side=1, unclip_ratio=0)
    assert found.quads.tolist() == [[[30, 20], [31, 20], [31, 21], [30, 21]]]


def test_a_side_below_min_side_drops_the_region():
    assert len(decode(bar(height=2))) == 0
    assert len(decode(bar(height=3))) == 1


@pytest.mark.parametrize(
    ("top", "left"), [(0, 0), (0, 56), (54, 0), (54, 56), (0, 30), (54, 30), (20, 0), (20, 56)]
)
def test_a_region_at_the_border_is_clipped_to_the_frame(top, left):
    found = decode(bar(top=top, left=left))
    expected = [max(left - 6, 0), max(top - 6, 0), min(left + 46, 96), min(top + 16, 64)]
    assert [*found.quads[0, 0], *found.quads[0, 2]] == expected


@pytest.mark.parametrize("step", [1, -1], ids=["falling", "rising"])
def test_pixels_that_touch_by_a_corner_are_one_region(step):
    probability = np.zeros((16, 16), np.uint8)
    probability[2:6, 2:6] = probability[6:10, 6:10] = 255
    assert len(decode(probability[:, ::step], min_score=0)) == 1
    probability[6:10, 6] = 0
    assert len(decode(probability[:, ::step], min_score=0)) == 2


def test_holes_are_no_regions_but_what_lies_in_them_is():
    probability = np.zeros((64, 64), np.uint8)
    probability[4:60, 4:60] = 255
    probability[10:54, 10:54] = 0
    probability[28:36, 20:44] = 255
    assert len(decode(probability, min_score=0)) == 2


def test_4096_pixels_a_side_are_decoded():
    probability = np.zeros((4096, 4096), np.uint8)
    index = np.arange(4096)
    for shift in range(8):
        probability[index[: 4096 - shift], index[shift:]] = 255
    found = decode(probability, min_score=0, unclip_ratio=0)
    assert len(found) == 1
    side = np.linalg.norm(np.diff(found.quads[0], axis=0), axis=1)
    assert side.max() > 5780  # the diagonal is 5,793, and clipping takes some


def test_more_runs_than_the_workspace_holds_are_decoded():
    """Every second pixel of every second row: 16 times the runs that a workspace begins with."""
    probability = np.zeros((1024, 1024), np.uint8)
    probability[::2, ::2] = 255
    found = decode(probability, min_side=1, max_regions=10**6)
    assert len(found) == 512 * 512
    assert not found.truncated


def test_a_huge_workspace_is_not_kept(monkeypatch):
    monkeypatch.setattr("dbrt.postproc.workspace._KEPT_CAPACITY", 1 << 17)
    probability = np.zeros((1024, 1024), np.uint8)
    probability[::2, ::2] = 255
    worker_capacity = []

    def work():
        decode(probability)
        worker_capacity.append(of_this_thread().capacity)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert worker_capacity[0] <= 1 << 17


def test_of_too_many_regions_the_largest_are_kept_and_the_cut_is_told():
    probability = np.zeros((128, 128), np.uint8)
    widths = np.array([10, 30, 20, 40, 15])
    for i, width in enumerate(widths):
        probability[10 + 22 * i : 16 + 22 * i, 10 : 10 + width] = 255
    found = decode(probability, max_regions=3, unclip_ratio=0)
    assert found.truncated
    assert (found.quads[:, 1, 0] - found.quads[:, 0, 0]).tolist() == [30, 20, 40]
    assert not decode(probability, max_regions=5).truncated


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.01, 1.01])
def test_a_float_map_with_a_value_that_is_no_probability_is_refused_by_place(value):
    probability = np.zeros((32, 32), np.float32)
    probability[5, 7] = value
    with pytest.raises(InputError, match=r"holds -?(nan|inf|0\.01|1\.01)\S* at row 5, column 7"):
        decode(probability)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_float_map_gives_what_its_bytes_give(dtype, text_map):
    probability = text_map(1)
    assert decode(probability.astype(dtype) / 255) == decode(probability)


@pytest.mark.parametrize(
    "map",
    [
        np.zeros((1, 32, 32), np.uint8),
        np.zeros(32, np.uint8),
        np.zeros((32, 32), np.int64),
        np.zeros((32, 32), bool),
        [[0, 1], [1, 0]],
        None,
    ],
    ids=["batch", "line", "int64", "bool", "list", "nothing"],
)
def test_what_is_no_probability_map_is_refused(map):
    with pytest.raises(InputError, match="a probability map is"):
        decode(map)


@pytest.mark.parametrize(
    "view",
    [
        np.asfortranarray,
        lambda m: np.repeat(m, 2, axis=1)[:, ::2],
        lambda m: np.pad(m, 3)[3:-3, 3:-3],
        lambda m: np.frombuffer(b"x" + m.tobytes(), np.uint8)[1:].reshape(m.shape),
    ],
    ids=["fortran", "strided", "cut out", "not aligned"],
)
def test_the_layout_of_the_map_in_memory_makes_no_difference(view, text_map):
    probability = text_map(1)
    assert decode(view(probability)) == decode(probability)


def test_the_map_is_left_as_it_was(text_map):
    probability = text_map(1)
    before = probability.copy()
    decode(probability)
    assert np.array_equal(probability, before)


def test_scale_is_x_then_y_and_comes_after_everything_else():
    found = decode(bar(), scale=(2.0, 3.0))
    assert found.quads.tolist() == [[[48, 42], [152, 42], [152, 108], [48, 108]]]


def test_what_lies_beyond_the_frame_is_ignored():
    """A frame of 45 x 50 px at 2 px a map pixel shows 22.5 rows and 25 columns of the map."""
    probability = np.zeros((64, 64), np.uint8)
    probability[10:18, 10:64] = 255
    probability[40:48, 10:30] = 255
    found = decode(probability, scale=(2, 2), frame_size=(45, 50), unclip_ratio=0)
    assert found.quads.tolist() == [[[20, 20], [50, 20], [50, 36], [20, 36]]]
    whole = decode(probability, scale=(2, 2), unclip_ratio=0)
    assert len(whole) == 2


def test_rounding_of_the_scale_adds_no_column_of_filling():
    """720 rows of the frame are 414 of the map, not 415."""
    probability = np.zeros((416, 736), np.uint8)
    probability[414:, 100:200] = 255
    found = decode(probability, scale=(1280 / 736, 1280 / 736), frame_size=(720, 1280))
    assert len(found) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"binarize": -0.1},
        {"binarize": 1.0},
        {"binarize": float("nan")},
        {"min_score": 1.1},
        {"unclip_ratio": -1},
        {"unclip_ratio": float("inf")},
        {"min_side": -1},
        {"max_regions": 0},
        {"scale": (0, 1)},
        {"scale": (1, float("nan"))},
        {"output": "box"},
        {"score": "mean"},
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_refused_by_name(options):
    with pytest.raises(UsageError, match=f"^{next(iter(options))} is "):
        decode(bar(), **options)


def test_a_score_by_region_is_blind_to_holes():
    probability = np.zeros((64, 64), np.uint8)
    probability[4:60, 4:60] = 204
    probability[10:54, 10:54] = 0
    assert decode(probability, score="region", min_score=0).scores[0] == pytest.approx(0.8)
    expected = 0.8 * (56**2 - 44**2) / 56**2
    assert decode(probability, score="box", min_score=0).scores[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_quads_are_convex_clockwise_and_start_at_the_least_sum(seed, text_map):
    quads = decode(text_map(seed, 60), min_score=0).quads.astype(np.float64)
    edges = np.roll(quads, -1, axis=1) - quads
    assert (cross(edges, np.roll(edges, -1, axis=1)) > -1e-3).all()
    assert (cross(edges[:, 0], edges[:, 1]) + cross(edges[:, 2], edges[:, 3]) > 0).all()
    sums = quads.sum(2)
    assert (sums[:, 0] <= sums.min(1) + 1e-3).all()


@pytest.mark.parametrize("seed", range(5))
def test_regions_come_from_top_to_bottom_then_left_to_right(seed, text_map):
    quads = decode(text_map(seed, 60), min_score=0).quads
    keys = [(float(q[:, 1].min()), float(q[:, 0].min())) for q in quads]
    assert keys == sorted(keys)


def test_threads_do_not_disturb_each_other(text_map):
    maps = [text_map(seed, 60) for seed in range(4)]
    expected = [decode(m) for m in maps]
    results = [None] * 4

    def work(i):
        results[i] = [decode(maps[i]) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found == expected[i] for i in range(4) for found in results[i])


@pytest.mark.parametrize("output", ["quad", "polygon"])
def test_a_read_only_map_is_decoded_in_place_by_the_same_kernels(output):
    kernels = [decode.__globals__[name] for name in ("find_quads", "find_outlines")]
    probability = np.zeros((64, 96), np.uint8)
    probability[20:30, 10:60] = 255
    expected = decode(probability, output=output)
    variants = [len(kernel.signatures) for kernel in kernels]
    probability.setflags(write=False)
    assert decode(probability, output=output) == expected
    assert [len(kernel.signatures) for kernel in kernels] == variants
    assert np.shares_memory(as_bytes(probability), probability)
