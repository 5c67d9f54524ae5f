"""One training step: the network with its normalisation in front and its losses behind.

`keras.Model.train_on_batch` compiles it for whatever backend runs: a graph in TensorFlow, one XLA
program in JAX, eager in PyTorch.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from dbrt.train.blocks import channel_axis
from dbrt.train.config import LossConfig
from dbrt.train.losses import db_losses
from dbrt.train.network import IMAGENET_MEAN, IMAGENET_STD

TERMS = (
    "binarize_loss",
    "dice_loss",
    "thresh_binary_loss",
    "threshold_loss",
    "binarize_accuracy",
    "thresh_binary_accuracy",
)


def normalise(frames: Any) -> Any:
    """Turn (N, H, W, 3) uint8 BGR into the network's input: RGB, ImageNet mean and deviation.

    returns  float32 (N, H, W, 3), or (N, 3, H, W) under channels_first
    """
    rgb = ops.flip(ops.cast(frames, "float32"), axis=-1)
    image = (rgb - ops.convert_to_tensor(IMAGENET_MEAN, "float32")) / ops.convert_to_tensor(
        IMAGENET_STD, "float32"
    )
    return image if channel_axis() == -1 else ops.transpose(image, (0, 3, 1, 2))


class StepModel(keras.Model):
    """frames (N, H, W, 3) uint8 in; losses of dbrt.train.losses against (N, 4, H, W) targets."""

    def __init__(self, network: Any, config: LossConfig) -> None:
        super().__init__(name="step")
        self.network = network
        self.loss_config = config
        self.terms = {name: keras.metrics.Mean(name=name) for name in TERMS}

    def call(self, frames: Any, training: bool | None = None) -> Any:
        """Return the logits (N, H, W, 2) float32."""
        return self.network(normalise(frames), training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the sum of the terms and keep each term's mean since the last reset."""
        losses = db_losses(y_pred, y, self.loss_config)
        for name, mean in self.terms.items():
            mean.update_state(losses[name])
        return losses["loss"]
