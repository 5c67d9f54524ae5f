from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from dbrt.engine.graph import prepare
from dbrt.engine.modelfile import read_model_file
from dbrt.engine.rewrite import rewrite_head, twice_kernel

MakePyramid = Callable[..., Any]


@pytest.fixture
def image() -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(0, 4, (2, 3, 64, 96)).astype(np.float32)


def run(proto: onnx.ModelProto, image: NDArray[np.float32]) -> NDArray[np.float32]:
    (output,) = ReferenceEvaluator(proto).run(None, {"image": image})
    result: NDArray[np.float32] = output
    return result


def node_of(proto: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in proto.graph.node if node.name == name)


def test_the_rewritten_map_is_the_same(
    make_pyramid: MakePyramid, image: NDArray[np.float32]
) -> None:
    proto = make_pyramid()
    expected = run(proto, image)
    assert rewrite_head(proto.graph, "probability")
    onnx.checker.check_model(proto, full_check=True)
    found = run(proto, image)
    assert expected.std() > 0.05
    # Float32 sums in another order; the logits differ by a few units in the last place.
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("edge", ["top", "bottom", "left", "right"])
def test_borders_are_as_exact_as_the_middle(
    edge: str, make_pyramid: MakePyramid, image: NDArray[np.float32]
) -> None:
    proto = make_pyramid()
    rim = {
        "top": np.s_[..., :8, :],
        "bottom": np.s_[..., -8:, :],
        "left": np.s_[..., :, :8],
        "right": np.s_[..., :, -8:],
    }[edge]
    expected = run(proto, image)[rim]
    rewrite_head(proto.graph, "probability")
    assert np.ptp(expected) > 0.1
    assert np.abs(run(proto, image)[rim] - expected).max() < 1e-6


def test_the_preparation_uses_it_and_drops_what_it_replaced(
    make_pyramid: MakePyramid, tmp_path: Path
) -> None:
    onnx.save(make_pyramid(), tmp_path / "m.onnx")
    model = read_model_file(tmp_path / "m.onnx")
    plain, less = (prepare(model, (64, 96), rewrite=on) for on in (False, True))
    kernels = [tensor.name for tensor in less.graph.initializer]
    assert "out2/kernel_f16" in [tensor.name for tensor in plain.graph.initializer]
    assert not {"in2/kernel_f16", "out2/kernel_f16", "up1/kernel_f16"}.intersection(kernels)
    assert "rewritten/c2/kernel" in kernels
    frames = np.random.default_rng(6).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    expected, found = (
        ReferenceEvaluator(proto).run(None, {"frame": frames})[0] for proto in (plain, less)
    )
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_kernel_over_an_enlarged_map_becomes_one_over_the_map(make_pyramid: MakePyramid) -> None:
    seed = np.random.default_rng(8)
    kernel = seed.normal(0, 1, (2, 3, 3, 3)).astype(np.float32)
    x = seed.normal(0, 1, (1, 3, 5, 7)).astype(np.float32)
    enlarged = np.pad(x.repeat(2, axis=2).repeat(2, axis=3), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(enlarged, (3, 3), axis=(2, 3))
    expected = np.einsum("nihwyx,oiyx->nohw", windows, kernel)

    turned = twice_kernel(kernel)
    assert turned.shape == (3, 2, 4, 4)
    found = np.zeros((1, 2, 12, 16), np.float32)  # one more on each side: the padding
    for row in range(5):
        for column in range(7):
            part = np.einsum("ni,ioyx->noyx", x[:, :, row, column], turned)
            found[:, :, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += part
    np.testing.assert_allclose(found[:, :, 1:-1, 1:-1], expected, atol=1e-5)


def bias_in_lateral(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(8, np.float32), "b"))
    node_of(proto, "in2").input.append("b")


def linear_upsampling(proto: onnx.ModelProto) -> None:
    node = node_of(proto, "sum2_up")
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("mode", "linear"))


def dilated_head(proto: onnx.ModelProto) -> None:
    node = node_of(proto, "head")
    node.attribute.append(helper.make_attribute("dilations", [2, 2]))


def other_activation(proto: onnx.ModelProto) -> None:
    node_of(proto, "head_relu").op_type = "Elu"


def no_sigmoid(proto: onnx.ModelProto) -> None:
    node_of(proto, "probability").op_type = "Tanh"


def other_order(proto: onnx.ModelProto) -> None:
    node = node_of(proto, "fuse")
    node.input[0], node.input[1] = node.input[1], node.input[0]


@pytest.mark.parametrize(
    "change",
    [bias_in_lateral, linear_upsampling, dilated_head, other_activation, no_sigmoid, other_order],
)
def test_another_form_is_left_alone(
    change: Callable[[onnx.ModelProto], None], make_pyramid: MakePyramid
) -> None:
    proto = make_pyramid()
    change(proto)
    before = proto.SerializeToString(deterministic=True)
    assert not rewrite_head(proto.graph, "probability")
    assert proto.SerializeToString(deterministic=True) == before


def test_the_other_tiny_model_has_another_form(make_model: Callable[..., Any]) -> None:
    assert not rewrite_head(make_model(threshold_head=False).graph, "probability")
