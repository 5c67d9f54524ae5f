"""Label maps of crops from the cached maps of their pictures (keras.ops)."""

from __future__ import annotations

from typing import Any

from keras import ops

from dbrt.train.accelerator.draws import RIM
from dbrt.train.accelerator.pictures import INSIDE, SIDE_MOST, SIDE_STEPS
from dbrt.train.accelerator.warp import crop_positions, inside, sample


def crop_labels(
    maps: Any, inputs: dict[str, Any], side: int, *, min_side: float, may_tilt: bool
) -> Any:
    """Warp label maps along with a crop.

    maps      (N, H, W, 5) uint8, see dbrt.train.accelerator.pictures
    inputs    inverse, size, scale, tilted, tallest of dbrt.train.accelerator.draws
    side      of the crop
    min_side  words with a shorter side in the crop are don't-care
    may_tilt  False: no map of any batch is more than a similarity
    returns   (N, 4, S, S) float32: text, mask, threshold (0..255), border of dbrt.train.targets

    Where the map is no similarity, the distance by which a word is shrunk is not its own any more.
    There the border is 0 (the threshold map is not learnt), and the mask is 0 in a rim round the
    shrunk words and in words so tall that the rim would be too thin.
    """
    x, y = crop_positions(inputs["inverse"], side)
    warped = sample(maps[..., :4], x, y, inputs["size"])
    covered = inside(x, y, inputs["size"])
    text = _half(warped[..., 0])
    mask = _half(warped[..., 1]) * covered
    border = _half(warped[..., 3]) * covered
    words = sample(maps[..., 4:], x, y, inputs["size"], nearest=True)[..., 0]
    in_word = ops.cast(words >= INSIDE, "float32")
    steps = words - in_word * INSIDE
    short = steps / SIDE_STEPS * inputs["scale"][:, None, None]
    small = ops.cast(ops.logical_and(short < min_side, steps > 0.0), "float32")
    # The map ends at SIDE_MOST: such a word is tall at any scale that occurs.
    out = small * ops.cast(steps < SIDE_MOST, "float32")
    if may_tilt:
        tall = ops.cast(short > inputs["tallest"][:, None, None], "float32")
        tilt = inputs["tilted"][:, None, None]
        tall = ops.maximum(tall, ops.cast(steps >= SIDE_MOST, "float32")) * tilt
        out = ops.maximum(out, tall)
        border = border * (1.0 - tilt)
        mask = mask * (1.0 - tilt * _rim(text))
    text = text * (1.0 - out)
    mask = mask * (1.0 - out * in_word)
    border = border * (1.0 - out) * mask
    return ops.stack((text, mask, ops.round(warped[..., 2]), border), axis=1)


def _half(values: Any) -> Any:
    return ops.cast(values > 0.5, "float32")


def _rim(text: Any) -> Any:
    """1.0 within RIM pixels of an edge of the text map (N, S, S)."""
    window = 2 * RIM + 1
    both = ops.stack((text, -text), axis=-1)
    most = ops.max_pool(both, window, 1, padding="same", data_format="channels_last")
    return ops.cast(most[..., 0] + most[..., 1] > 0.5, "float32")
