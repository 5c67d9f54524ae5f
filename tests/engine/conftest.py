"""Fixtures of the engine's tests: the tiny model and a cache folder of its own."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.modelfile import ModelFile, read_model_file

_TINY = runpy.run_path(str(Path(__file__).with_name("tiny_model.py")))


@pytest.fixture
def write_model() -> Callable[..., Path]:
    """`write_tiny_model` of tiny_model.py."""
    write: Callable[..., Path] = _TINY["write_tiny_model"]
    return write


@pytest.fixture
def make_model() -> Callable[..., Any]:
    """`tiny_model` of tiny_model.py."""
    make: Callable[..., Any] = _TINY["tiny_model"]
    return make


@pytest.fixture
def make_pyramid() -> Callable[..., Any]:
    """`tiny_pyramid` of tiny_model.py."""
    make: Callable[..., Any] = _TINY["tiny_pyramid"]
    return make


@pytest.fixture
def model(tmp_path: Path, write_model: Callable[..., Path]) -> ModelFile:
    """Read the tiny model."""
    return read_model_file(write_model(tmp_path / "tiny.onnx"))


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point DBRT_CACHE to an empty folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DBRT_CACHE", str(folder))
    return folder


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    """(2, 64, 96, 3) uint8 BGR noise with bright rectangles."""
    seed = np.random.default_rng(3)
    noise = seed.integers(0, 160, (2, 64, 96, 3), dtype=np.uint8)
    noise[0, 10:30, 20:80] = (250, 240, 255)
    noise[1, 40:60, :40] = (200, 255, 210)
    return noise
