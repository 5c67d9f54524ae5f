from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from dbrt.benchmarks.networks import SKELETONS, TITLES, skeleton_path
from dbrt.benchmarks.skeleton import fill, filled_model, is_skeleton, untrained_folder
from dbrt.engine.modelfile import read_model_file
from dbrt.errors import InputError, OutputError

MakeSkeleton = Callable[..., onnx.ModelProto]


def weights(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


def test_weights_are_drawn_as_the_module_says(make_skeleton: MakeSkeleton) -> None:
    kernel = weights(fill(make_skeleton(seed=5.0)))["stem/kernel_f16"]
    drawn = np.random.default_rng(5).standard_normal((4, 3, 3, 3), np.float32)
    assert kernel.dtype == np.float16
    np.testing.assert_array_equal(kernel, (drawn * 0.25 + 0.5).astype(np.float16))


def test_a_filled_skeleton_is_a_complete_model(make_skeleton: MakeSkeleton) -> None:
    skeleton = make_skeleton()
    filled = fill(skeleton)
    onnx.checker.check_model(filled, full_check=True)
    assert is_skeleton(skeleton)
    assert not is_skeleton(filled)
    assert list(filled.metadata_props) == list(skeleton.metadata_props)


def test_filling_twice_gives_the_same_and_leaves_the_skeleton(make_skeleton: MakeSkeleton) -> None:
    skeleton = make_skeleton()
    first = fill(skeleton)
    assert fill(skeleton) == first


def test_float32_weights_stay_float32(make_skeleton: MakeSkeleton) -> None:
    filled = fill(make_skeleton(dtype=TensorProto.FLOAT))
    assert weights(filled)["stem/kernel_f16"].dtype == np.float32


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": None}, "lacks a seed"),
        ({"shape": None}, "lacks a seed or a shape"),
        ({"dtype": TensorProto.DOUBLE}, "is no float"),
        ({"shape": [4, 0]}, "bad shape"),
        ({"seed": -1.0}, "bad shape or seed"),
        ({"shape": [1 << 20, 1 << 20]}, "this is no dbrt model"),
    ],
    ids=["no seed", "no shape", "double", "empty", "negative seed", "huge"],
)
def test_a_skeleton_that_cannot_be_filled_is_one_line(
    changed: dict[str, object], message: str, make_skeleton: MakeSkeleton
) -> None:
    with pytest.raises(InputError, match=message):
        fill(make_skeleton(**changed))


def test_a_filled_model_is_written_once(skeleton_path: Path) -> None:
    first = filled_model(skeleton_path)
    written = first.path.stat().st_ino
    again = filled_model(skeleton_path)
    assert again == first
    assert again.path.stat().st_ino == written
    assert [path.name for path in untrained_folder().iterdir()] == [first.path.name]


def test_another_skeleton_is_another_model(
    skeleton_path: Path, make_skeleton: MakeSkeleton
) -> None:
    first = filled_model(skeleton_path)
    skeleton_path.write_bytes(make_skeleton(seed=9.0).SerializeToString())
    assert filled_model(skeleton_path).path != first.path


def test_a_model_cut_short_is_written_anew(skeleton_path: Path) -> None:
    first = filled_model(skeleton_path)
    first.path.write_bytes(first.path.read_bytes()[:100])
    assert filled_model(skeleton_path) == first


def test_a_cache_that_cannot_be_written_is_one_line(
    skeleton_path: Path, cache_folder: Path
) -> None:
    cache_folder.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="set DBRT_CACHE to another folder"):
        filled_model(skeleton_path)


@pytest.mark.parametrize("name", SKELETONS)
def test_the_shipped_skeletons_are_networks_of_the_table(name: str) -> None:
    path = skeleton_path(name)
    model = read_model_file(path)
    assert is_skeleton(model.load())
    assert TITLES[model.backbone] == {"dbrt-r18": "ResNet-18", "dbrt-r50": "ResNet-50"}[name]
    assert path.stat().st_size < 100_000
