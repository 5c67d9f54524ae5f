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
    """Turn (N, H, W, 3) BGR 0..255 into the network's input: RGB, ImageNet mean and deviation.

    returns  float32 (N, H, W, 3), or (N, 3, H, W) under channels_first
    """
    rgb = ops.flip(ops.cast(frames, "float32"), axis=-1)
    image = (rgb - ops.convert_to_tensor(IMAGENET_MEAN, "float32")) / ops.convert_to_tensor(
        IMAGENET_STD, "float32"
    )
    return image if channel_axis() == -1 else ops.transpose(image, (0, 3, 1, 2))


def devices_in_step() -> int:
    """Return how many devices' losses make up a step; their gradients are summed.

    1 but under `tf.distribute`, where Keras multiplies by the same number before it shows the loss.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


class StepModel(keras.Model):
    """frames (N, H, W, 3) uint8 in; losses of dbrt.train.losses against (N, 4, H, W) targets.

    crops  a dbrt.train.accelerator.layer.CropLayer: then draws come in instead of frames, and
           frames and targets are made here
    """

    def __init__(self, network: Any, config: LossConfig, crops: Any = None) -> None:
        # No cast of what comes in: in half a float, frame positions are off by pixels.
        super().__init__(name="step", autocast=False)
        self.network = network
        self.loss_config = config
        self.crops = crops
        self.terms = {name: keras.metrics.Mean(name=name) for name in TERMS}

    def build(self, input_shape: Any = None) -> None:
        """Mark the model as built: the network came with its variables."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the logits (N, H, W, 2) float32; of a draw, the logits and the targets."""
        if self.crops is None:
            return self.network(normalise(inputs), training=training)
        frames, targets = self.crops(inputs)
        return self.network(normalise(frames), training=training), targets

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the sum of the terms and keep each term's mean since the last reset."""
        if self.crops is not None:
            y_pred, y = y_pred
        losses = db_losses(y_pred, y, self.loss_config)
        for name, mean in self.terms.items():
            mean.update_state(losses[name])
        return losses["loss"] / devices_in_step()
