"""Deformable sampling against ONNX's own operator, in Keras and as it is exported."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dbrt.train.deformable import DeformableSample, sample_taps
from dbrt.train.onnx_sampling import SamplingWriter

CHANNELS, FILTERS = 5, 4
SHAPE = (9, 12)  # odd on one side: a stride of two drops a row


@pytest.fixture(scope="module")
def ort():
    return pytest.importorskip("onnxruntime")


@pytest.fixture(params=[1, 2], ids=["stride 1", "stride 2"])
def stride(request):
    return request.param


@pytest.fixture
def case(stride):
    """x (2, H, W, C), field (2, h, w, 27) with offsets far beyond the picture, kernel."""
    rng = np.random.default_rng(stride)
    size = [(side + 2 - 3) // stride + 1 for side in SHAPE]
    x = rng.normal(size=(2, *SHAPE, CHANNELS)).astype(np.float32)
    field = rng.normal(scale=2.0, size=(2, *size, 27)).astype(np.float32)
    field[0, 0, 0, :6] = [40, -40, 0, -0.999, 1e-3, 13]
    return x, field, rng.normal(size=(3, 3, CHANNELS, FILTERS)).astype(np.float32)


def deform_conv(ort, x, field, kernel, stride):
    """The same by ONNX DeformConv (opset 19), an independent implementation."""
    by_tap = field.reshape(*field.shape[:3], 9, 3)
    offset = by_tap[..., [1, 0]].reshape(*field.shape[:3], 18)  # y before x there
    modulation = 2.0 / (1.0 + np.exp(-by_tap[..., 2]))
    feeds = {
        "x": x.transpose(0, 3, 1, 2),
        "w": kernel.transpose(3, 2, 0, 1),
        "o": offset.transpose(0, 3, 1, 2),
        "b": np.zeros(FILTERS, np.float32),
        "m": modulation.transpose(0, 3, 1, 2),
    }
    node = helper.make_node(
        "DeformConv", list(feeds), ["y"], kernel_shape=[3, 3], pads=[1] * 4, strides=[stride] * 2
    )
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in feeds.items()
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, list("nchw"))
    return run(ort, [node], inputs, output, feeds, opset=19).transpose(0, 2, 3, 1)


def run(ort, nodes, inputs, output, feeds, *, opset, weights=()):
    graph = helper.make_graph(nodes, "case", inputs, [output], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}
    return session.run(None, feeds)[0]


def test_taps_and_a_plain_convolution_are_a_deformable_one(ort, case, stride):
    x, field, kernel = case
    taps = sample_taps(x, field, stride)
    found = np.asarray(keras.ops.conv(taps, kernel, strides=3, padding="valid"))
    expected = deform_conv(ort, x, field, kernel, stride)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_exported_sampling_reads_the_same_at_a_size_it_was_not_told(ort, case, stride):
    x, field, _ = case
    graph = onnx.GraphProto()
    output = SamplingWriter(graph, "layer").taps("x", "field", stride)
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, "h", "w"]),
        helper.make_tensor_value_info("field", TensorProto.FLOAT, ["n", 27, "fh", "fw"]),
    ]
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "c", "th", "tw"])
    feeds = {"x": x.transpose(0, 3, 1, 2), "field": field.transpose(0, 3, 1, 2)}
    found = run(ort, graph.node, inputs, value, feeds, opset=17, weights=graph.initializer)
    expected = np.asarray(sample_taps(x, field, stride))
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=1e-4)


def test_no_offset_reads_the_picture_itself(stride):
    x = np.random.default_rng(3).normal(size=(1, 8, 8, 2)).astype(np.float32)
    size = 8 // stride
    taps = np.asarray(sample_taps(x, np.zeros((1, size, size, 27), np.float32), stride))
    np.testing.assert_allclose(taps[:, 1::3, 1::3], x[:, ::stride, ::stride], atol=1e-6)
    assert not taps[:, 0].any()  # the upper taps of the first row lie outside


def test_places_learn():
    """The gradient of the offsets is the slope of the picture."""
    slope = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None] * 3.0, (8, 8))
    x = keras.ops.convert_to_tensor(np.ascontiguousarray(slope)[None, ..., None])
    tf = pytest.importorskip("tensorflow")
    field = tf.Variable(tf.zeros((1, 8, 8, 27)))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(sample_taps(x, field, 1)[:, 10, 10])  # one tap inside
    gradient = np.asarray(tape.gradient(total, field)).reshape(8, 8, 9, 3)
    assert gradient[3, 3, 4].tolist() == pytest.approx([0.0, 3.0, 3 * 3.0 * 0.5])
    assert np.count_nonzero(gradient) == 2


def test_places_stay_float32_under_a_mixed_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = DeformableSample(1, dtype="float32")
        taps = layer([np.ones((1, 4, 4, 1), np.float32), np.zeros((1, 4, 4, 27), np.float32)])
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(taps.dtype) == "float32"
