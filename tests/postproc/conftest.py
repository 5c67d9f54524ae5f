"""Fixtures of the decode's tests: the oracle, and maps that resemble a network's."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The plain decode of tests/reference, which is no package."""
    path = Path(__file__).parents[1] / "reference" / "paper_decode.py"
    spec = importlib.util.spec_from_file_location("paper_decode", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def text_map() -> Callable[..., NDArray[np.uint8]]:
    """`text_map(seed, regions=20, shape=(256, 320))`: blurred bars, as a network draws words."""
    return _text_map


def _text_map(
    seed: int, regions: int = 20, shape: tuple[int, int] = (256, 320), curved: bool = False
) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    height, width = shape
    canvas = np.zeros(shape, np.float32)
    for _ in range(regions):
        center = rng.uniform(0, width), rng.uniform(0, height)
        size = rng.uniform(12, 70), rng.uniform(4, 14)
        angle = rng.uniform(-90, 90)
        if curved:
            axes = int(size[0]), int(size[0] * rng.uniform(0.5, 1))
            at = int(center[0]), int(center[1])
            cv2.ellipse(canvas, at, axes, angle, 0, rng.uniform(60, 200), 1.0, int(size[1]))
        else:
            corners = cv2.boxPoints((center, size, angle)).astype(np.int32)
            cv2.fillPoly(canvas, [corners], rng.uniform(0.4, 1.0))
    canvas = cv2.GaussianBlur(canvas, (0, 0), 1.2) + rng.normal(0, 0.02, shape)
    return np.clip(np.rint(255 * canvas), 0, 255).astype(np.uint8)
