"""Crops of the accelerator: maps move with pictures, on every backend."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")
SCRIPT = Path(__file__).with_name("compare_crops.py")
compare_crops = runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def similar() -> dict[str, np.ndarray]:
    """24 crops: scale 0.5 to 3, any angle, half of them mirrored."""
    return {name: np.array(values) for name, values in compare_crops["compare"]().items()}


@pytest.fixture(scope="module")
def tilted() -> dict[str, np.ndarray]:
    found = compare_crops["compare"](perspective=1.0)
    return {name: np.array(values) for name, values in found.items()}


def test_the_crops_span_the_scales_and_hold_words(similar):
    assert similar["scale"].min() < 0.7
    assert similar["scale"].max() > 2.4
    assert (similar["words"] > 0.01).mean() > 0.7


@pytest.mark.parametrize("name", ["text", "mask", "border"])
def test_under_similarity_maps_differ_at_their_edges_only(similar, name):
    """Pixels that differ and lie further from an edge than a picture's pixel is wide."""
    assert similar[name].max() <= 2
    assert similar[name].sum() <= 5


def test_under_similarity_the_threshold_map_is_the_warped_one(similar):
    """Mean distance in the borders, of 255: that of one gray level or so."""
    assert similar["threshold"].max() < 2.0


def test_frames_are_those_of_opencv(similar, tilted):
    """OpenCV rounds to whole numbers: 0.25 in the mean."""
    assert np.concatenate((similar["frame"], tilted["frame"])).max() < 0.35


def test_under_a_tilt_no_wrong_label_is_learnt(tilted):
    assert tilted["text_at_all"].sum() == 0
    assert tilted["threshold"].max() == 0.0  # no border is left
    assert (tilted["border"] > 0).all()


def test_under_a_tilt_most_of_the_crop_is_still_learnt(tilted):
    assert np.median(tilted["learnt"]) > 0.7


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_other_backends_make_the_same_crops(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    env = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("backend") == backend
    assert found["changed"] == pytest.approx(compare_crops["changed"](), rel=1e-3)
    for name, expected in (
        ("similar", compare_crops["compare"](count=8)),
        ("tilted", compare_crops["compare"](perspective=1.0, count=4)),
    ):
        for key in ("text", "mask", "border", "threshold", "frame", "learnt"):
            np.testing.assert_allclose(found[name][key], expected[key], rtol=0.02, atol=2.0)
