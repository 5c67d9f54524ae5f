"""Fixtures of the benchmarks' tests: a tiny model, its skeleton, a cache folder, small frames."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from dbrt.benchmarks.maps import Frame

_TINY = runpy.run_path(str(Path(__file__).parents[1] / "engine" / "tiny_model.py"))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point DBRT_CACHE to an empty folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DBRT_CACHE", str(folder))
    return folder


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """Write the tiny model."""
    path: Path = _TINY["write_tiny_model"](tmp_path / "tiny.onnx")
    return path


@pytest.fixture
def make_skeleton() -> Callable[..., onnx.ModelProto]:
    """The tiny model with its float16 kernels drawn; keywords change the nodes' attributes."""

    def make(**changed: object) -> onnx.ModelProto:
        proto: onnx.ModelProto = _TINY["tiny_model"]()
        nodes = []
        for seed, tensor in enumerate(list(proto.graph.initializer)):
            if not tensor.name.endswith("_f16"):
                continue
            proto.graph.initializer.remove(tensor)
            attributes = {
                "dtype": tensor.data_type,
                "shape": list(tensor.dims),
                "mean": 0.5,
                "scale": 0.25,
                "seed": float(seed),
                **changed,
            }
            kept = {key: value for key, value in attributes.items() if value is not None}
            nodes.append(helper.make_node("RandomNormal", [], [tensor.name], tensor.name, **kept))
        rest = list(proto.graph.node)
        del proto.graph.node[:]
        proto.graph.node.extend([*nodes, *rest])
        return proto

    return make


@pytest.fixture
def skeleton_path(tmp_path: Path, make_skeleton: Callable[..., onnx.ModelProto]) -> Path:
    """Write the tiny model's skeleton."""
    path = tmp_path / "tiny.skeleton.onnx"
    path.write_bytes(make_skeleton().SerializeToString())
    return path


@pytest.fixture
def frames() -> list[Frame]:
    """Three frames (90, 160, 3) with bright rectangles, more from frame to frame."""
    made = [np.full((90, 160, 3), 20, np.uint8) for _ in range(3)]
    made[0][10:30, 20:80] = 255
    made[1][10:30, 20:80] = made[1][50:70, 90:150] = 255
    made[2][10:30, 20:80] = made[2][50:70, 90:150] = made[2][50:70, 10:60] = 255
    return made
