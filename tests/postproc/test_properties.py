"""What must not change when a map is moved, turned, mirrored, or gets company far away."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbrt.postproc import decode

HEIGHT, WIDTH = 56, 72

bars = st.tuples(
    st.integers(0, WIDTH - 1),
    st.integers(0, HEIGHT - 1),
    st.integers(1, 40),
    st.integers(1, 14),
    st.integers(-90, 90),
    st.integers(60, 255),
)


@st.composite
def maps(draw):
    """Bars of several sizes and angles, with specks of noise, (56, 72) uint8."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, width, height, angle, value in draw(st.lists(bars, min_size=1, max_size=5)):
        corners = cv2.boxPoints(((x, y), (width, height), angle))
        cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], value)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return np.where(
        rng.random(canvas.shape) < draw(st.sampled_from([0, 0.02])), 200, canvas
    ).astype(np.uint8)


# A slanted rectangle may stick out of a map by this much; with room for it nothing is clipped.
ROOM = 24


def regions(probability):
    """Every region at least two pixels wide, as the rectangle round it, not grown."""
    return decode(
        np.pad(probability, ROOM),
        min_score=0,
        min_side=2,
        unclip_ratio=0,
        score="region",
        max_regions=10**6,
    )


def unmatched(found, quads):
    """The quads with no region within 1e-3 px of them, whichever corner comes first."""
    turned = np.stack([np.roll(quads, k, axis=1) for k in range(4)])
    # (4, found, expected, corner, axis)
    gaps = found.quads.astype(np.float64)[None, :, None] - turned[:, None]
    distance = np.linalg.norm(gaps, axis=4).max(axis=3).min(axis=0)
    return np.flatnonzero(~(distance < 1e-3).any(axis=0))


def areas(quads):
    sides = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2)
    return np.sort(sides[:, 0] * sides[:, 1])


def assert_same_regions(found, quads, scores):
    """The regions found have these areas and scores, in any order."""
    assert len(found) == len(quads)
    assert areas(found.quads) == pytest.approx(areas(quads), abs=1e-2)
    assert np.sort(found.scores) == pytest.approx(np.sort(scores), abs=1e-5)


def has_ties(reference, probability, quads):
    """True for each quad where the plain decode finds that quad one of several smallest ones."""
    oracle = reference.decode_quads(
        np.pad(probability, ROOM), min_side=2, unclip_ratio=0, score="region"
    )
    tied = [q for region in oracle if len(region.quads) > 1 for q in region.quads]
    return [any(reference.corner_distance(q, quad) < 1e-2 for q in tied) for quad in quads]


@settings(max_examples=40)
@given(maps(), st.integers(0, 20), st.integers(0, 20))
def test_moving_the_map_moves_the_regions(probability, dx, dy):
    before = regions(probability)
    after = regions(np.pad(probability, ((dy, 0), (dx, 0))))
    assert_same_regions(after, before.quads, before.scores)
    # The same rows and columns, so the same choice among ties.
    assert len(unmatched(after, before.quads + np.float32([dx, dy]))) == 0


@settings(max_examples=40)
@given(probability=maps())
def test_turning_the_map_turns_the_regions(reference, probability):
    before = regions(probability)
    after = regions(np.rot90(probability, -1))
    # Clockwise: (x, y) goes to (height - y, x).
    x, y = before.quads[..., 0], before.quads[..., 1]
    quads = np.stack([HEIGHT + 2 * ROOM - y, x], axis=2)
    assert_same_regions(after, quads, before.scores)
    left = unmatched(after, quads)
    assert len(left) == 0 or all(has_ties(reference, probability, before.quads[left]))


@settings(max_examples=40)
@given(probability=maps())
def test_transposing_the_map_transposes_the_regions(reference, probability):
    before = regions(probability)
    after = regions(probability.T)
    quads = before.quads[..., ::-1][:, ::-1]  # mirrored, so the other way round
    assert_same_regions(after, quads, before.scores)
    left = unmatched(after, quads)
    assert len(left) == 0 or all(has_ties(reference, probability, before.quads[left]))


@settings(max_examples=40)
@given(maps(), maps())
def test_company_far_away_changes_nothing(probability, company):
    before = regions(probability)
    gap = np.zeros((HEIGHT, 4 * ROOM), np.uint8)
    both = regions(np.hstack([probability, gap, company]))
    near = both.filter(both.quads[..., 0].max(axis=1) < ROOM + WIDTH + 2 * ROOM)
    assert near == before


@settings(max_examples=40)
@given(maps(), st.floats(0, 3), st.floats(0.3, 3), st.floats(0.3, 3))
def test_quads_are_convex_clockwise_ordered_and_in_the_frame(probability, ratio, sx, sy):
    frame = int(HEIGHT * sy), int(WIDTH * sx)
    found = decode(probability, min_score=0, unclip_ratio=ratio, scale=(sx, sy), frame_size=frame)
    quads = found.quads.astype(np.float64)
    edges = np.roll(quads, -1, axis=1) - quads
    following = np.roll(edges, -1, axis=1)
    turns = edges[..., 0] * following[..., 1] - edges[..., 1] * following[..., 0]
    assert (turns > -1e-2).all()
    assert (quads.sum(2)[:, 0] <= quads.sum(2).min(axis=1) + 1e-3).all()
    assert (quads >= 0).all()
    assert (quads <= (frame[1], frame[0])).all()
    tops = list(zip(quads[..., 1].min(1), quads[..., 0].min(1), strict=True))
    assert tops == sorted(tops)


@settings(max_examples=40)
@given(maps(), st.floats(0, 1), st.sampled_from(["box", "region"]))
def test_outlines_hold_their_text_and_stay_in_the_frame(probability, ratio, score):
    found = decode(probability, min_score=0, unclip_ratio=ratio, score=score, output="polygon")
    mask = np.zeros((HEIGHT * 8, WIDTH * 8), np.uint8)
    for polygon in found.polygons:
        cv2.fillPoly(mask, [np.rint(polygon * 8).astype(np.int32)], 1)
    quads = decode(probability, min_score=0, unclip_ratio=ratio, score=score)
    assert len(found) == len(quads)
    assert (found.polygon_points >= 0).all()
    assert (found.polygon_points <= (WIDTH, HEIGHT)).all()
    # Every pixel of a region's own rectangle that is text, but what simplification may cut.
    thick = cv2.erode((probability > 76).astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0)
    y, x = np.nonzero(thick)
    assert mask[y * 8 + 4, x * 8 + 4].all()
