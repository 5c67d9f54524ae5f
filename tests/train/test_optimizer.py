"""Schedules, decay, clipping and the scaled loss, on one variable."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("keras")

import keras

from dbrt.train.config import OptimizerConfig
from dbrt.train.optimizer import WarmSchedule, build_optimizer


def rate(step: int, **settings) -> float:
    config = OptimizerConfig(rate=2.0, warmup=10, floor=0.1, **settings)
    return float(keras.ops.convert_to_numpy(WarmSchedule(config, 110)(step)))


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("cosine", 0, 0.2),
        ("cosine", 9, 2.0),
        ("cosine", 60, 2.0 * (0.1 + 0.9 * 0.5)),
        ("cosine", 110, 0.2),
        ("cosine", 500, 0.2),
        ("poly", 4, 1.0),
        ("poly", 60, 2.0 * 0.5**0.9),
        ("poly", 85, 2.0 * 0.25**0.9),
        ("poly", 110, 0.0),
    ],
)
def test_schedules_warm_up_and_come_down(schedule, step, expected):
    assert rate(step, schedule=schedule) == pytest.approx(expected, abs=1e-6)


class Layer:
    """Variables under the paths that they have in a network."""

    def __init__(self, name: str = "in2") -> None:
        layer = keras.layers.Dense(1, name=name)
        layer.build((None, 2))
        self.kernel, self.bias = layer.kernel, layer.bias
        self.kernel.assign([[1.0], [2.0]])
        self.bias.assign([3.0])

    def after(self, gradients, **settings) -> tuple[np.ndarray, np.ndarray]:
        config = OptimizerConfig(name="sgd", rate=0.1, warmup=0, floor=1.0, ema=0.0, **settings)
        optimizer = build_optimizer(config, 100)
        optimizer.build([self.kernel, self.bias])
        given = [keras.ops.convert_to_tensor(np.array(g, np.float32)) for g in gradients]
        optimizer.apply(given, [self.kernel, self.bias])
        return tuple(keras.ops.convert_to_numpy(v).ravel() for v in (self.kernel, self.bias))


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("in2", 1.0),
        ("aspp_join", 1.0),
        ("scale_conv", 1.0),
        ("layer2_0_conv1", 0.5),
        ("layer2_0_conv1_offset", 0.05),
    ],
)
def test_each_part_of_the_network_has_its_rate(name, share):
    _, bias = Layer(name).after([[[0.0], [0.0]], [1.0]], backbone_rate=0.5, clip_norm=0.0)
    assert bias[0] == pytest.approx(3.0 - 0.1 * share, abs=1e-6)


def test_decay_pulls_kernels_and_leaves_biases():
    kernel, bias = Layer().after([[[0], [0]], [0]], weight_decay=0.5, clip_norm=0.0)
    assert kernel == pytest.approx([0.95, 1.9])
    assert bias == pytest.approx([3.0])


def test_all_gradients_together_are_clipped():
    kernel, bias = Layer().after([[[3], [0]], [4]], weight_decay=0.0, clip_norm=1.0)
    assert kernel == pytest.approx([1.0 - 0.1 * 0.6, 2.0])
    assert bias == pytest.approx([3.0 - 0.1 * 0.8])


def test_small_gradients_are_not_clipped():
    kernel, _ = Layer().after([[[0.3], [0]], [0]], weight_decay=0.0, clip_norm=1.0)
    assert kernel == pytest.approx([0.97, 2.0])


def test_half_floats_scale_the_loss_and_leave_out_an_overflow():
    layer = Layer()
    config = OptimizerConfig(name="sgd", rate=0.1, warmup=0, weight_decay=0.0, clip_norm=0.0)
    optimizer = build_optimizer(config, 100, precision="mixed_float16")
    optimizer.build([layer.kernel, layer.bias])
    before = float(keras.ops.convert_to_numpy(optimizer.dynamic_scale))
    assert before > 1.0
    gradients = [np.array([[math.inf], [0.0]], np.float32), np.zeros(1, np.float32)]
    given = [keras.ops.convert_to_tensor(each) for each in gradients]
    optimizer.apply(given, [layer.kernel, layer.bias])
    assert keras.ops.convert_to_numpy(layer.kernel).ravel().tolist() == [1.0, 2.0]
    assert float(keras.ops.convert_to_numpy(optimizer.dynamic_scale)) == before / 2


def test_other_precisions_leave_the_loss_alone():
    assert not hasattr(build_optimizer(OptimizerConfig(), 10), "dynamic_scale")
