"""A network of three layers in the place of the real ones, for tests of what is round it."""

from __future__ import annotations

from typing import Any


def build_network(backbone: str, shape: Any = (None, None), **options: Any) -> Any:
    """Return a network that takes and gives what dbrt.train.network's do."""
    import keras

    from dbrt.train.blocks import batch_norm, conv

    image = keras.Input((*shape, 3), name="image")
    x = conv(image, "conv1", 8, 3, stride=2)
    x = keras.layers.ReLU(name="relu")(batch_norm(x, "bn"))
    logits = keras.layers.Conv2DTranspose(2, 2, 2, dtype="float32", name="out_up")
    return keras.Model(image, logits(x), name="tiny")
