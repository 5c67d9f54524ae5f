"""How good the averaged weights are on pictures that were held back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dbrt.datasets import Sample, read_picture
from dbrt.engine.letterbox import letterbox
from dbrt.evaluation.threshold import best_threshold
from dbrt.postproc import decode
from dbrt.regions import TextRegions
from dbrt.train.checkpoint import Weights, set_network_weights
from dbrt.train.config import TrainConfig
from dbrt.train.network import IMAGENET_MEAN
from dbrt.train.targets import make_targets

# Regions below are not worth their time in the sweep over score thresholds.
_LOWEST_SCORE = 0.3
_FILL = (round(IMAGENET_MEAN[2]), round(IMAGENET_MEAN[1]), round(IMAGENET_MEAN[0]))  # BGR


def validate(config: TrainConfig, weights: Weights, samples: Sequence[Sample]) -> dict[str, float]:
    """Score weights by the ICDAR 2015 protocol and by the training losses.

    returns  hmean, precision, recall at the best score threshold, that min_score, and the loss
             terms as means over the pictures
    """
    import keras

    from dbrt.train.network import build_network
    from dbrt.train.step import StepModel

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        model = StepModel(build_network(config.model.backbone), config.loss)
        set_network_weights(model.network, weights, source="the average")
        return _score(model, config, samples)
    finally:
        keras.config.set_dtype_policy(policy)


def _score(model: Any, config: TrainConfig, samples: Sequence[Sample]) -> dict[str, float]:
    height, width = config.run.validation_shape
    detections, losses = [], []
    for sample in samples:
        frame = read_picture(sample.path)
        canvas, scale = letterbox(frame, (height, width), _FILL)
        logits = np.asarray(model.predict_on_batch(canvas[None]))
        losses.append(_losses(model, logits, sample, scale, (height, width)))
        found = _regions(logits, scale, frame.shape[:2])
        detections.append((found.quads, found.scores))
    words = [sample.words for sample in samples]
    min_score, report = best_threshold(detections, words).best
    means = {name: float(np.mean([row[name] for row in losses])) for name in losses[0]}
    return {
        "hmean": report.hmean,
        "precision": report.precision,
        "recall": report.recall,
        "min_score": min_score,
        **means,
    }


def _losses(
    model: Any, logits: Any, sample: Sample, scale: float, shape: tuple[int, int]
) -> dict[str, float]:
    from keras import ops

    from dbrt.train.losses import db_losses

    targets = make_targets(
        [word.polygon * np.float32(scale) for word in sample.words],
        [word.care for word in sample.words],
        shape,
        min_side=0.0,
    )
    terms = db_losses(
        ops.convert_to_tensor(logits), ops.convert_to_tensor(targets[None]), model.loss_config
    )
    return {name: float(ops.convert_to_numpy(value)) for name, value in terms.items()}


def _regions(logits: Any, scale: float, size: tuple[int, int]) -> TextRegions:
    from dbrt.train.blocks import channel_axis

    logit = logits[0, ..., 0] if channel_axis() == -1 else logits[0, 0]
    probability = 0.5 * (1.0 + np.tanh(0.5 * logit))  # the sigmoid, without overflow
    return decode(
        np.round(255.0 * probability).astype(np.uint8),
        scale=(1.0 / scale, 1.0 / scale),
        frame_size=size,
        min_score=_LOWEST_SCORE,
    )
