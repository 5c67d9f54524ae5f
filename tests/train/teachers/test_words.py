"""CRAFT's maps become words."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.train.teachers.words import words_of_maps

SHAPE = (60, 120)


def characters(*centres, peak=0.95, angle=0.0):
    """Round characters of a region map, in map pixels."""
    region = np.zeros(SHAPE, np.float32)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    for cx, cy in centres:
        region = np.maximum(region, peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 40))
    return region.astype(np.float32)


def links(*ends, value=0.8):
    affinity = np.zeros(SHAPE, np.float32)
    for start, end in ends:
        cv2.line(affinity, start, end, value, 5)
    return affinity


def test_characters_that_are_linked_are_one_word():
    region = characters((30, 30), (45, 30), (60, 30), (95, 30))
    found = words_of_maps(region, links(((30, 30), (60, 30))))
    lefts = sorted(word.quad[:, 0].min() for word in found)
    assert len(found) == 2
    assert lefts == [pytest.approx(23, abs=3), pytest.approx(88, abs=3)]


def test_a_word_reaches_round_its_letters():
    region = characters((30, 30), (45, 30), (60, 30))
    (word,) = words_of_maps(region, links(((30, 30), (60, 30))))
    (left, top), (right, bottom) = word.quad.min(axis=0), word.quad.max(axis=0)
    # 5.9 px is where a character of this width falls to the low threshold.
    assert 20 <= left <= 25
    assert 65 <= right <= 70
    assert 20 <= top <= 25
    assert 35 <= bottom <= 40
    assert word.score == pytest.approx(0.95, abs=0.02)


def test_a_link_without_characters_is_no_word():
    assert words_of_maps(np.zeros(SHAPE, np.float32), links(((30, 30), (60, 30)))) == []


def test_a_link_beyond_the_last_character_is_taken_off():
    region = characters((30, 30), (45, 30))
    (short,) = words_of_maps(region, links(((30, 30), (45, 30))))
    (tail,) = words_of_maps(region, links(((30, 30), (100, 30))))
    assert tail.quad[:, 0].max() < short.quad[:, 0].max() + 8


def test_faint_components_are_left_out():
    region = characters((30, 30), peak=0.6)
    empty = np.zeros(SHAPE, np.float32)
    assert len(words_of_maps(region, empty)) == 1
    assert words_of_maps(region, empty, lowest=0.7) == []


def test_a_slanted_word_has_a_slanted_quad():
    region = characters((30, 20), (42, 27), (54, 34), (66, 41))
    (word,) = words_of_maps(region, links(((30, 20), (66, 41))))
    long_side = word.quad[1] - word.quad[0]
    if np.linalg.norm(long_side) < np.linalg.norm(word.quad[2] - word.quad[1]):
        long_side = word.quad[2] - word.quad[1]
    angle = np.degrees(np.arctan2(abs(long_side[1]), abs(long_side[0])))
    assert angle == pytest.approx(30.3, abs=4)


def test_a_single_round_character_has_upright_sides():
    (word,) = words_of_maps(characters((30, 30)), np.zeros(SHAPE, np.float32))
    assert len(set(np.round(word.quad[:, 0], 3))) == 2


def test_quads_run_clockwise_from_the_upper_left():
    region = characters((30, 20), (42, 27), (54, 34))
    (word,) = words_of_maps(region, links(((30, 20), (54, 34))))
    assert word.quad.sum(axis=1).argmin() == 0
    assert cv2.contourArea(word.quad, oriented=True) > 0  # clockwise where y points down


def test_a_word_at_the_border_stays_on_the_map_as_far_as_it_is_seen():
    (word,) = words_of_maps(characters((2, 2)), np.zeros(SHAPE, np.float32))
    assert word.quad.min() >= -1
