"""Optimizers and learning-rate schedules of the runs, by name."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from dbrt.train.config import OptimizerConfig

_HEAD_PREFIXES = ("in2", "in3", "in4", "in5", "out", "binarize", "threshold", "aspp", "scale")
# Where deformable convolutions read moves slower than what they make of it: the same run with equal
# rates ended worse than without them (docs/network-options.md).
_OFFSET_SUFFIX = "_offset"
_OFFSET_RATE = 0.1
_POLY_POWER = 0.9  # the paper's


class WarmSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then cosine down to a floor, or the paper's poly (1 - t)^0.9 to zero."""

    def __init__(self, config: OptimizerConfig, steps: int) -> None:
        self.config = config
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step (an integer, or the backend's scalar)."""
        step = ops.cast(step, "float32")
        warm = float(max(self.config.warmup, 1))
        done = ops.clip((step - warm) / max(self.steps - warm, 1.0), 0.0, 1.0)
        if self.config.schedule == "poly":
            share = ops.power(1.0 - done, _POLY_POWER)
        else:
            floor = self.config.floor
            share = floor + (1.0 - floor) * 0.5 * (1.0 + ops.cos(done * 3.14159265))
        return self.config.rate * ops.minimum((step + 1.0) / warm, 1.0) * share

    def get_config(self) -> dict[str, Any]:
        """Return what the schedule was made from."""
        return {"config": self.config, "steps": self.steps}


class _BackboneRate:
    """Scales the learning rate of the backbone's variables (not of pyramid and heads)."""

    backbone_rate: float = 1.0

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        # Some backends hand over their own variable, which has no path; its index finds Keras'.
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        layer = self._trainable_variables[index].path.split("/")[-2]  # type: ignore[attr-defined]
        if not layer.startswith(_HEAD_PREFIXES):
            learning_rate = learning_rate * self.backbone_rate
        if layer.endswith(_OFFSET_SUFFIX):
            learning_rate = learning_rate * _OFFSET_RATE
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]


class _MeanGradient:
    """Takes the mean of all devices' gradients before they are clipped, not after.

    Keras clips each device's own and then sums, so that the same batch on more devices is clipped
    otherwise. With one device, and with JAX, whose gradients are those of the whole batch, nothing
    changes. (Keras has divided the loss by the number of devices: the sum is the mean.)
    """

    def _clip_gradients(self, grads: Any) -> Any:
        summed = self._sum_over_devices([(gradient, None) for gradient in grads])
        return super()._clip_gradients([gradient for gradient, _ in summed])  # type: ignore[misc]

    def _sum_over_devices(self, pairs: Any) -> Any:
        if keras.backend.backend() != "tensorflow":
            return pairs
        return super()._all_reduce_sum_gradients(pairs)  # type: ignore[misc]

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars  # done before clipping


class _AdamW(_BackboneRate, _MeanGradient, keras.optimizers.AdamW):
    pass


class _SGD(_BackboneRate, _MeanGradient, keras.optimizers.SGD):
    pass


def build_optimizer(config: OptimizerConfig, steps: int, *, precision: str = "float32") -> Any:
    """Make the configured optimizer for a run of `steps` steps.

    precision  under mixed_float16 the loss is scaled so that no gradient falls below the smallest
               half float; a step whose gradients overflow is left out and the scale halved
    """
    common = {
        "learning_rate": WarmSchedule(config, steps),
        "weight_decay": config.weight_decay,
        "global_clipnorm": config.clip_norm or None,
    }
    if config.name == "sgd":
        optimizer = _SGD(momentum=0.9, name="sgd", **common)
    else:
        optimizer = _AdamW(name="adamw", **common)
    optimizer.backbone_rate = config.backbone_rate
    # Decaying gamma, beta and biases only pulls them towards a layer that does nothing.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    return optimizer
