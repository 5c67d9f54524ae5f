"""TextRegions: shapes, immutability, ragged polygons, filter, and the way through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrt.errors import InputError
from dbrt.regions import TextRegions

QUAD = [[0, 0], [9, 0], [9, 4], [0, 4]]


def make(count: int, *, polygon_lengths: list[int] | None = None) -> TextRegions:
    """`count` regions, each 10 px below the one before, with polygons of these many points."""
    quads = np.array(QUAD, np.float32) + np.arange(count, dtype=np.float32)[:, None, None] * 10
    scores = np.linspace(0.5, 1.0, count, dtype=np.float32)
    if polygon_lengths is None:
        return TextRegions(quads, scores)
    offsets = np.concatenate(([0], np.cumsum(polygon_lengths)))
    points = np.arange(2 * offsets[-1], dtype=np.float32).reshape(-1, 2)
    return TextRegions(quads, scores, points, offsets)


@st.composite
def regions(draw: st.DrawFn) -> TextRegions:
    """Any regions whose numbers survive the rounding of to_dict, with or without polygons."""
    count = draw(st.integers(1, 6))
    hundredths = st.integers(-500_000, 500_000).map(lambda n: n / 100)

    def points(n: int) -> np.ndarray:
        flat = draw(st.lists(hundredths, min_size=2 * n, max_size=2 * n))
        return np.array(flat, np.float32).reshape(n, 2)

    quads = points(4 * count).reshape(count, 4, 2)
    scores = np.array(draw(st.lists(st.integers(0, 10_000), min_size=count, max_size=count)))
    truncated = draw(st.booleans())
    lengths = draw(st.none() | st.lists(st.integers(3, 9), min_size=count, max_size=count))
    if lengths is None:
        return TextRegions(quads, scores / 1e4, truncated=truncated)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return TextRegions(quads, scores / 1e4, points(sum(lengths)), offsets, truncated)


@given(regions())
def test_regions_survive_json(found):
    back = TextRegions.from_dict(json.loads(json.dumps(found.to_dict())))
    assert np.allclose(back.quads, found.quads, atol=0.005)
    assert np.allclose(back.scores, found.scores, atol=5e-5)
    assert back.truncated == found.truncated
    assert (back.polygons is None) == (found.polygons is None)
    assert back.to_dict() == found.to_dict()


@given(regions(), st.data())
def test_filter_keeps_whole_regions_in_order(found, data):
    mask = data.draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
    kept = found.filter(np.array(mask))
    expected = [region for region, keep in zip(found, mask, strict=True) if keep]
    assert len(kept) == len(expected)
    assert [r.score for r in kept] == [r.score for r in expected]
    assert np.array_equal(kept.quads, found.quads[mask])
    assert kept.truncated == found.truncated
    polygons = [] if kept.polygons is None else kept.polygons
    wanted = [r.polygon for r in expected if r.polygon is not None]
    assert [p.tolist() for p in polygons] == [p.tolist() for p in wanted]


def test_arrays_get_their_dtypes():
    found = TextRegions([QUAD], [1], [[0, 0], [1, 1], [0, 1]], [0, 3])  # type: ignore[arg-type]
    assert (found.quads.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert (found.polygon_points.dtype, found.polygon_offsets.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("field", ["quads", "scores", "polygon_points", "polygon_offsets"])
def test_arrays_are_read_only(field):
    array = getattr(make(2, polygon_lengths=[3, 4]), field)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 7


def test_the_callers_array_stays_writable():
    quads = np.array([QUAD], np.float32)
    TextRegions(quads, np.ones(1, np.float32))
    quads[0, 0, 0] = 1


def test_fields_cannot_be_replaced():
    with pytest.raises(AttributeError):
        make(1).truncated = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("quads", "scores"),
    [
        (np.zeros((2, 4, 2)), np.zeros(3)),
        (np.zeros((2, 8)), np.zeros(2)),
        (np.zeros((2, 4, 3)), np.zeros(2)),
        (np.zeros((2, 4, 2)), np.zeros((2, 1))),
    ],
    ids=["counts-differ", "flat", "three-coordinates", "two-axes-of-scores"],
)
def test_wrong_shapes_are_refused_with_what_was_given(quads, scores):
    with pytest.raises(ValueError, match=r"quads must be \(N, 4, 2\)"):
        TextRegions(quads, scores)


@pytest.mark.parametrize("offsets", [[0, 2], [0, 2, 9], [0, 5, 6, 6]], ids=str)
def test_offsets_that_do_not_fit_are_refused(offsets):
    with pytest.raises(ValueError, match="polygon_offsets must be"):
        TextRegions(make(2).quads, make(2).scores, np.zeros((6, 2)), np.array(offsets))


@pytest.mark.parametrize("given_one", ["polygon_points", "polygon_offsets"])
def test_points_and_offsets_come_together(given_one):
    with pytest.raises(ValueError, match="come together"):
        TextRegions(make(0).quads, make(0).scores, **{given_one: np.zeros(1)})


def test_polygons_are_ragged_and_whole():
    assert [len(p) for p in make(3, polygon_lengths=[3, 7, 4]).polygons or []] == [3, 7, 4]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_iteration_gives_one_region_for_each_score(count):
    found = make(count, polygon_lengths=[3] * count)
    each = list(found)
    assert len(each) == len(found) == count
    assert [r.quad.shape for r in each] == [(4, 2)] * count
    assert [r.polygon.shape for r in each if r.polygon is not None] == [(3, 2)] * count


@pytest.mark.parametrize(("polygons", "expected"), [(True, []), (False, None)])
def test_empty_has_no_region(polygons, expected):
    nothing = TextRegions.empty(polygons=polygons)
    assert len(nothing) == 0
    assert nothing.polygons == expected
    assert nothing.to_dict() == {"regions": [], "truncated": False}


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"mask must be \(2,\), got \(3,\)"):
        make(2).filter(np.ones(3, bool))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (make(2), True),
        (make(3), False),
        (make(2, polygon_lengths=[3, 3]), False),
        (TextRegions(make(2).quads, make(2).scores, truncated=True), False),
        (TextRegions(make(2).quads + 1, make(2).scores), False),
        ("regions", False),
    ],
    ids=["same", "more", "with-polygons", "truncated", "moved", "another-type"],
)
def test_equality_compares_contents(other, same):
    assert (make(2) == other) is same


def test_regions_have_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(make(1))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"regions": None},
        {"regions": [{"quad": QUAD}]},
        {"regions": [{"quad": QUAD[:3], "score": 1}]},
        {"regions": [{"quad": "abc", "score": 1}]},
        {"regions": [{"quad": QUAD, "score": 1, "polygon": QUAD}, {"quad": QUAD, "score": 1}]},
    ],
    ids=["no-key", "null", "no-score", "three-corners", "text", "polygon-missing"],
)
def test_what_is_no_regions_is_an_input_error(data):
    with pytest.raises(InputError, match="no text regions"):
        TextRegions.from_dict(data)


def test_to_dict_rounds_to_hundredths_of_a_pixel():
    quads = np.array([QUAD], np.float32) + np.float32(0.12345)
    entry = TextRegions(quads, np.array([0.98768], np.float32)).to_dict()["regions"][0]
    assert entry == {
        "quad": [[0.12, 0.12], [9.12, 0.12], [9.12, 4.12], [0.12, 4.12]],
        "score": 0.9877,
    }


def test_a_region_without_its_polygon_among_others_is_refused():
    quad = [[0, 0], [4, 0], [4, 2], [0, 2]]
    regions = [{"quad": quad, "score": 0.5}, {"quad": quad, "score": 0.5, "polygon": quad}]
    with pytest.raises(InputError, match="polygon"):
        TextRegions.from_dict({"regions": regions})
