"""A small labelled set that the tests draw themselves, and configurations that train in seconds."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import pytest

from dbrt.train.config import TrainConfig


def _make_labelled(root: Path, count: int) -> Path:
    """Draw pictures of 240x320 with two white words each, in ICDAR's format."""
    (root / "images").mkdir(parents=True)
    (root / "gts").mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        frame = rng.integers(0, 90, (240, 320, 3)).astype(np.uint8)
        lines = []
        for row in (70, 170):
            x, y = int(rng.integers(20, 120)), row
            (width, height), _ = cv2.getTextSize("SIGN", cv2.FONT_HERSHEY_SIMPLEX, 1.6, 4)
            cv2.putText(frame, "SIGN", (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255,) * 3, 4)
            left, top, right, bottom = x - 2, y - height - 3, x + width + 2, y + 4
            corners = (left, top, right, top, right, bottom, left, bottom)
            lines.append(",".join(str(v) for v in corners) + ",SIGN")
        cv2.imwrite(str(root / "images" / f"img_{number}.png"), frame)
        (root / "gts" / f"gt_img_{number}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def make_labelled() -> Callable[[Path, int], Path]:
    """Return what draws a labelled folder of so many pictures."""
    return _make_labelled


@pytest.fixture(scope="session")
def labelled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of 240x320 with two white words each, in ICDAR's format."""
    return _make_labelled(tmp_path_factory.mktemp("labelled"), 6)


@pytest.fixture(scope="session")
def new_config(labelled_folder: Path) -> Callable[[], TrainConfig]:
    """Return what makes MobileNetV2 on 64 px crops, two a step, four steps, no worker process."""

    def make() -> TrainConfig:
        config = TrainConfig()
        config.data.sets = [f"folder:{labelled_folder}"]
        config.data.validation = 1
        config.data.workers = 0
        config.augment.crop = 64
        config.augment.word_height_share = 1.0
        config.augment.word_height = [12.0, 16.0]
        config.optimizer.warmup = 2
        config.run.steps = 4
        config.run.batch = 2
        config.run.validate_every = 0
        config.run.validation_shape = [96, 128]
        config.check()
        return config

    return make


@pytest.fixture
def tiny_config(new_config: Callable[[], TrainConfig]) -> TrainConfig:
    """MobileNetV2 on 64 px crops, two a step, four steps, no worker process."""
    return new_config()


@pytest.fixture(scope="module")
def tiny_network() -> Iterator[None]:
    """Put three layers in the place of every network, for the whole module."""
    pytest.importorskip("keras")
    found = runpy.run_path(str(Path(__file__).with_name("tiny_network.py")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dbrt.train.network.build_network", found["build_network"])
        yield
