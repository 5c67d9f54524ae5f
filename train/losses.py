"""The losses of differentiable binarization, on logits, with static shapes on every backend.

::

    L = balance * L_probability + dice_p * D(P) + dice_binary * D(B) + threshold * L_threshold

L_probability is binary cross entropy over all text pixels and the hardest `ohem_ratio` times as
many others (online hard example mining); D is the dice loss; B the approximate binary map;
L_threshold the mean (smooth) L1 distance in the border of the words. Source: Liao et al. 2020,
whose published weights are 5 : 1 : 10; the dice on P itself (Milletari et al. 2016) is an addition
that brings P up early.

Targets are (N, 4, H, W) uint8, the channels of `dbrt.train.targets`: text 0/1, mask 0/1, threshold
0..255 for 0..1, border mask 0/1.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from dbrt.train.blocks import channel_axis
from dbrt.train.config import LossConfig
from dbrt.train.network import approximate_binary

# Halvings of the interval in which the OHEM threshold lies: 2^-12 of the largest loss is finer than
# what separates two hard negatives.
_BISECTIONS = 12
_EPSILON = 1e-6


def db_losses(logits: Any, targets: Any, config: LossConfig) -> dict[str, Any]:
    """Return every weighted term, their sum `loss`, and two accuracies, as scalars.

    logits   (N, H, W, 2) float32 (channels_first (N, 2, H, W))
    targets  (N, 4, H, W) uint8 or float, see the module
    returns  keys loss, binarize_loss, dice_loss, thresh_binary_loss, threshold_loss,
             binarize_accuracy, thresh_binary_accuracy (0..1, over unmasked pixels)
    """
    if channel_axis() == -1:
        p_logit, t_logit = logits[..., 0], logits[..., 1]
    else:
        p_logit, t_logit = logits[:, 0], logits[:, 1]
    targets = ops.cast(targets, "float32")
    text, mask, border = targets[:, 0], targets[:, 1], targets[:, 3]
    threshold = targets[:, 2] / 255.0
    probability, predicted = ops.sigmoid(p_logit), ops.sigmoid(t_logit)
    binary = approximate_binary(probability, predicted)
    terms = {
        "binarize_loss": config.balance * _probability_loss(p_logit, text, mask, config),
        "dice_loss": config.dice_p * dice(probability, text, mask),
        "thresh_binary_loss": config.dice_binary * dice(binary, text, mask),
        "threshold_loss": config.threshold
        * border_distance(predicted, threshold, border, config.threshold_loss),
    }
    loss = terms["binarize_loss"] + terms["dice_loss"]
    loss = loss + terms["thresh_binary_loss"] + terms["threshold_loss"]
    return {
        "loss": loss,
        **terms,
        "binarize_accuracy": accuracy(probability, text, mask),
        "thresh_binary_accuracy": accuracy(binary, text, mask),
    }


def _probability_loss(logit: Any, text: Any, mask: Any, config: LossConfig) -> Any:
    if config.negatives == "all":
        return class_balanced_cross_entropy(logit, text, mask)
    return balanced_cross_entropy(logit, text, mask, config.ohem_ratio, config.min_negatives)


def class_balanced_cross_entropy(logit: Any, text: Any, mask: Any) -> Any:
    """A quarter of the text pixels' mean cross entropy and three of all others'.

    For a start from random weights: over the hardest negatives alone the best answer is then the
    same small probability everywhere, and the map stays there.
    """
    entropy = cross_entropy(logit, text)
    positive, negative = text * mask, (1.0 - text) * mask
    text_mean = ops.sum(entropy * positive) / (ops.sum(positive) + _EPSILON)
    other_mean = ops.sum(entropy * negative) / (ops.sum(negative) + _EPSILON)
    return 0.25 * text_mean + 0.75 * other_mean


def cross_entropy(logit: Any, target: Any) -> Any:
    """Binary cross entropy of each pixel from the logit; exact where sigmoid would saturate."""
    return ops.relu(logit) - logit * target + ops.log1p(ops.exp(-ops.abs(logit)))


def balanced_cross_entropy(
    logit: Any, text: Any, mask: Any, ratio: float, min_negatives: int
) -> Any:
    """Mean cross entropy over all text pixels and the hardest negatives.

    ratio          hardest negatives for each text pixel
    min_negatives  at least so many for each image, or pictures without text would teach nothing

    The loss above which the wanted number of negatives lies is found by bisection: top-k needs a
    dynamic k, which XLA has not, or a sort of all pixels.
    """
    entropy = cross_entropy(logit, text)
    positive, negative = text * mask, (1.0 - text) * mask
    count = ops.sum(positive)
    wanted = ops.minimum(
        ops.maximum(count * ratio, float(min_negatives) * ops.shape(text)[0]), ops.sum(negative)
    )
    losses = ops.stop_gradient(entropy * negative)
    low, high = ops.zeros(()), ops.max(losses)
    for _ in range(_BISECTIONS):
        middle = (low + high) * 0.5
        too_many = ops.cast(ops.sum(ops.cast(losses > middle, "float32")) > wanted, "float32")
        low = middle * too_many + low * (1.0 - too_many)
        high = high * too_many + middle * (1.0 - too_many)
    # `low` keeps a few more than wanted where `high` keeps a few less: ties and a uniform map
    # would otherwise leave no negative at all.
    chosen = ops.cast(losses > low, "float32") * negative
    chosen_count = ops.sum(chosen)
    weight = ops.minimum(1.0, wanted / (chosen_count + _EPSILON))
    total = ops.sum(entropy * positive) + weight * ops.sum(entropy * chosen)
    return total / (count + weight * chosen_count + _EPSILON)


def dice(predicted: Any, text: Any, mask: Any) -> Any:
    """1 - 2 |A and B| / (|A| + |B|) over the unmasked pixels of the batch."""
    both = ops.sum(predicted * text * mask)
    return 1.0 - 2.0 * both / (ops.sum(predicted * mask) + ops.sum(text * mask) + _EPSILON)


def border_distance(predicted: Any, threshold: Any, border: Any, kind: str) -> Any:
    """Mean distance in the border of the words: `l1`, or `smooth_l1` (quadratic below 1/9)."""
    distance = ops.abs(predicted - threshold)
    if kind == "smooth_l1":
        # The threshold map spans 0.4; with the usual bend at 1 all of it would be quadratic.
        bend = 1.0 / 9.0
        distance = ops.where(
            distance < bend, 0.5 * distance * distance / bend, distance - 0.5 * bend
        )
    return ops.sum(distance * border) / (ops.sum(border) + _EPSILON)


def accuracy(probability: Any, text: Any, mask: Any) -> Any:
    """Share of unmasked pixels on the right side of 0.5."""
    right = ops.cast(ops.equal(ops.cast(probability > 0.5, "float32"), text), "float32")
    return ops.sum(right * mask) / (ops.sum(mask) + _EPSILON)
