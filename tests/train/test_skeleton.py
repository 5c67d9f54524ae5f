"""The shipped graphs without weights are those of the networks."""

from __future__ import annotations

import math
from importlib import resources

import onnx
import pytest

# Trainable parameters less two vectors for each normalised channel and the deconvolutions' biases.
KERNELS = {
    "resnet18": 12_340_930 - 10_112 - 2 * 65,
    "resnet50": 25_409_730 - 53_632 - 2 * 65,
}


@pytest.mark.parametrize("backbone", sorted(KERNELS))
def test_a_skeleton_states_the_shape_of_every_kernel(backbone):
    path = resources.files("dbrt") / "models" / f"{backbone}.skeleton.onnx"
    model = onnx.load_model_from_string(path.read_bytes())
    shapes = {
        node.output[0]: next(list(a.ints) for a in node.attribute if a.name == "shape")
        for node in model.graph.node
        if node.op_type == "RandomNormal"
    }
    kernels = [shape for name, shape in shapes.items() if name.endswith("/kernel_f16")]
    assert sum(math.prod(shape) for shape in kernels) == KERNELS[backbone]


@pytest.mark.parametrize("backbone", sorted(KERNELS))
def test_a_skeleton_is_valid_and_small(backbone):
    path = resources.files("dbrt") / "models" / f"{backbone}.skeleton.onnx"
    data = path.read_bytes()
    assert len(data) < 100_000
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
