from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dbrt.engine.half import to_bfloat16
from dbrt.engine.twin import make_twin

ort = pytest.importorskip("onnxruntime")

TYPES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}


def chain(precision: str, factor: float, back: float) -> onnx.ModelProto:
    """Two 1x1 convolutions of one channel between casts: values times `factor`, times `back`."""
    kind = TYPES[precision]
    weights = []
    for name, value in (("factor", factor), ("back", back)):
        array = np.full((1, 1, 1, 1), value, np.float32)
        if precision == "fp16":
            weights.append(numpy_helper.from_array(array.astype(np.float16), name))
        else:
            data = to_bfloat16(array).tobytes()
            weights.append(helper.make_tensor(name, kind, array.shape, data, raw=True))
    nodes = [
        helper.make_node("Cast", ["x"], ["small"], "in", to=kind),
        helper.make_node("Conv", ["small", "factor"], ["product"], "first"),
        helper.make_node("Conv", ["product", "back"], ["result"], "second"),
        helper.make_node("Cast", ["result"], ["y"], "out", to=TensorProto.FLOAT),
    ]
    shape = [1, 1, 1, "n"]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=8)


def run(model: onnx.ModelProto, values: NDArray[np.float32]) -> NDArray[np.float32]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: Any = session.run(None, {"x": values.reshape(1, 1, 1, -1)})[0]
    return np.asarray(found, np.float32).ravel()


def numbers() -> NDArray[np.float32]:
    """Float32 of all magnitudes that float16 holds as normal numbers, ties among them."""
    seed = np.random.default_rng(5)
    values = seed.uniform(1, 2, 20000) * 2.0 ** seed.integers(-13, 15, 20000)
    ties = (np.arange(1024, 2048) + 0.5) / 1024
    return np.concatenate([values, -values, ties, -ties, [0.0]]).astype(np.float32)


def test_the_twin_rounds_as_float16_does() -> None:
    values = numbers()
    found = run(make_twin(chain("fp16", 1.0, 1.0), "fp16"), values)
    np.testing.assert_array_equal(found, values.astype(np.float16).astype(np.float32))


def test_the_twin_rounds_as_bfloat16_does() -> None:
    values = numbers()
    found = run(make_twin(chain("bf16", 1.0, 1.0), "bf16"), values)
    expected = (to_bfloat16(values).astype(np.uint32) << np.uint32(16)).view(np.float32)
    np.testing.assert_array_equal(found, expected)


def test_the_twin_overflows_where_float16_does_and_onnx_runtime_does_not() -> None:
    # The twin is needed for as long as the second assertion holds.
    typed = chain("fp16", 300.0, 1 / 256)
    values = np.array([10.0, 218.25, 218.5, 1000.0, -1000.0], np.float32)
    with np.errstate(over="ignore"):
        overflows = ~np.isfinite((values * 300).astype(np.float16))
    np.testing.assert_array_equal(~np.isfinite(run(make_twin(typed, "fp16"), values)), overflows)
    assert overflows.tolist() == [False, False, True, True, True]
    assert np.isfinite(run(typed, values)).all()


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_every_layer_is_rounded(precision: str) -> None:
    # 1/3 has no exact form in either: what is rounded once and what is rounded twice differ.
    values = numbers()
    values = values[np.abs(values) >= 2.0**-12]  # a third of it is a normal number still
    found = run(make_twin(chain(precision, 1 / 3, 3.0), precision), values)
    if precision == "fp16":
        third = np.float32(np.float16(1 / 3))
        once = (values.astype(np.float16).astype(np.float32) * third).astype(np.float16)
        expected = (once.astype(np.float32) * 3).astype(np.float16).astype(np.float32)
    else:

        def small(x: NDArray[np.float32]) -> NDArray[np.float32]:
            return (to_bfloat16(x).astype(np.uint32) << np.uint32(16)).view(np.float32)

        third = small(np.array([1 / 3], np.float32))[0]
        expected = small(small(small(values) * third) * 3)
    np.testing.assert_array_equal(found, expected)


def test_fp32_has_no_twin_of_its_own() -> None:
    typed = chain("fp16", 1.0, 1.0)
    assert make_twin(typed, "fp32") == typed
