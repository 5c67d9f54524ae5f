from __future__ import annotations

from pathlib import Path

import pytest

from dbrt.benchmarks.maps import FRAMES, Frame, make_maps, sample_frames
from dbrt.engine.select import open_runner

pytest.importorskip("openvino")


def test_frames_of_the_clip_differ_and_share_a_size() -> None:
    frames = sample_frames()
    assert len(frames) == FRAMES
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    assert len({frame.tobytes() for frame in frames}) == FRAMES


def test_maps_hold_what_the_frames_show(model_path: Path, frames: list[Frame]) -> None:
    with open_runner(model_path, shape=(128, 128), precision="fp32") as runner:
        maps = make_maps(runner, frames)
    assert [found.shape for found in maps.maps] == [(128, 128)] * 3
    assert maps.scales == (0.8, 0.8, 0.8)
    assert maps.sizes == ((90, 160),) * 3
    assert maps.regions == (1, 2, 3)
    (quad,) = maps.decode(0).quads
    # The rectangle's centre in pixels of the frame; the grown quad is clipped at the top, by 4.
    assert abs(quad.mean(axis=0) - (50, 20)).max() < 6
