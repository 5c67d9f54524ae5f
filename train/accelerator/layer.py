"""The layer that turns the numbers of a draw into crops and their label maps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from dbrt.train.accelerator import colours
from dbrt.train.accelerator.draws import NOISE_SIDE
from dbrt.train.accelerator.labels import crop_labels
from dbrt.train.accelerator.pictures import PicturePool
from dbrt.train.accelerator.warp import crop_positions, inside, sample, sample_mean
from dbrt.train.augment import FILL
from dbrt.train.config import TrainConfig

# With a smaller scale than this a bilinear sample aliases (dbrt.train.augment blurs instead).
_ALIAS_SCALE = 0.7


class CropLayer(keras.layers.Layer):
    """Draws (see dbrt.train.accelerator.draws.Draw) in, a batch out; holds no trained variable.

    pool  kept on the device as two uint8 variables; None: frames and labels come with each draw
    """

    def __init__(self, config: TrainConfig, pool: PicturePool | None) -> None:
        # float32 under every policy: positions of 1280 pixels don't fit into bfloat16.
        super().__init__(name="crops", dtype="float32", trainable=False, autocast=False)
        self.config = config
        augment = config.augment
        self.smooth = augment.word_height_share > 0.0 or augment.scale[0] < _ALIAS_SCALE
        self.noise = self._constant(colours.noise_tile(NOISE_SIDE), "float32", "noise")
        self.frames = self.labels = None
        if pool is not None:
            self.frames = self._constant(pool.frames, "uint8", "frames")
            self.labels = self._constant(pool.labels, "uint8", "labels")
        self.built = True

    def _constant(self, values: Any, dtype: str, name: str) -> Any:
        return self.add_weight(
            shape=values.shape,
            dtype=dtype,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(values, dtype),
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, inputs: dict[str, Any]) -> tuple[Any, Any]:
        """Return crops (N, S, S, 3) float32 BGR 0..255, whole numbers, and targets (N, 4, S, S)."""
        augment = self.config.augment
        side, size = augment.crop, inputs["size"]
        frames, labels = self._pictures(inputs)
        x, y = crop_positions(inputs["inverse"], side)
        if self.smooth:
            crops = sample_mean(frames, inputs["inverse"], size, side)
        else:
            crops = sample(frames, x, y, size)
        shown = inside(x, y, size)[..., None]
        crops = crops * shown + ops.convert_to_tensor(FILL, "float32") * (1.0 - shown)
        if augment.colour > 0.0:
            crops = colours.change_colours(crops, inputs)
        if augment.blur > 0.0:
            crops = colours.blur(crops, inputs["kernel"])
        if augment.noise > 0.0:
            crops = colours.add_noise(crops, ops.convert_to_tensor(self.noise), inputs)
        if augment.jpeg > 0.0:
            crops = colours.as_jpeg(crops, inputs["quality"])
        targets = crop_labels(
            labels,
            inputs,
            side,
            min_side=self.config.data.min_side,
            may_tilt=augment.perspective > 0.0,
        )
        return ops.round(crops), targets

    def _pictures(self, inputs: dict[str, Any]) -> tuple[Any, Any]:
        if self.frames is None or self.labels is None:
            frames = ops.convert_to_tensor(inputs["frames"], "uint8")
            return frames, ops.convert_to_tensor(inputs["labels"], "uint8")
        chosen = inputs["index"]
        return ops.take(self.frames, chosen, axis=0), ops.take(self.labels, chosen, axis=0)
