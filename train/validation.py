"""How good the averaged weights are on pictures that were held back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Sample, Word, read_picture
from dbrt.engine.letterbox import letterbox
from dbrt.evaluation.threshold import best_threshold
from dbrt.postproc import decode
from dbrt.train.checkpoint import Weights, set_network_weights
from dbrt.train.config import TrainConfig
from dbrt.train.network import IMAGENET_MEAN
from dbrt.train.sheets import maps_sheet
from dbrt.train.targets import make_targets

Show = Callable[[str, NDArray[np.uint8]], None]
Map = tuple[NDArray[np.uint8], float, tuple[int, int]]

# A network that is not trained to the end has soft maps: at the paper's 0.3 words run together. On
# maps of dbrt-lite after 1,800 steps the H-mean was 0.51 at 0.3 and 0.64 at 0.6.
BINARIZE = (0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7)
UNCLIP = (1.3, 1.5, 1.7)
# The mean over a region's own pixels asks how sure the network is of the text, the mean over its
# rectangle also how well the rectangle fits. Which serves better depends on the network.
SCORES: tuple[Literal["box", "region"], ...] = ("box", "region")
# Regions below are not worth their time in the sweep over score thresholds.
_LOWEST_SCORE = 0.3
_FILL = (round(IMAGENET_MEAN[2]), round(IMAGENET_MEAN[1]), round(IMAGENET_MEAN[0]))  # BGR


def validate(
    config: TrainConfig, weights: Weights, samples: Sequence[Sample], show: Show | None = None
) -> dict[str, float]:
    """Score weights by the ICDAR 2015 protocol and by the training losses.

    show     is called with the name and the sheet (BGR) of the first `run.pictures` pictures
    returns  hmean, precision, recall at the best decode thresholds, those thresholds (binarize,
             unclip_ratio, min_score, score_is_region) and the loss terms, means over the pictures
    """
    import keras

    from dbrt.train.network import build_network
    from dbrt.train.step import StepModel

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        network = build_network(config.model.backbone, options=config.model.options())
        model = StepModel(network, config.loss)
        set_network_weights(model.network, weights, source="the average")
        return _score(model, config, samples, show)
    finally:
        keras.config.set_dtype_policy(policy)


def _score(
    model: Any, config: TrainConfig, samples: Sequence[Sample], show: Show | None
) -> dict[str, float]:
    height, width = config.run.validation_shape
    maps, losses = [], []
    for number, sample in enumerate(samples):
        frame = read_picture(sample.path)
        canvas, scale = letterbox(frame, (height, width), _FILL)
        logits = np.asarray(model.predict_on_batch(canvas[None]))
        losses.append(_losses(model, logits, sample, scale, (height, width)))
        maps.append((_to_bytes(logits), scale, frame.shape[:2]))
        if show is not None and number < config.run.pictures:
            show(sample.path.stem, maps_sheet(canvas, *_probabilities(logits)))
    means = {name: float(np.mean([row[name] for row in losses])) for name in losses[0]}
    return {**best_decode(maps, [sample.words for sample in samples]), **means}


def best_decode(maps: Sequence[Map], words: Sequence[Sequence[Word]]) -> dict[str, float]:
    """Find the decode thresholds with the highest H-mean on maps of known pictures.

    maps     probability map (H, W) uint8, map pixels per frame pixel, (height, width) of the frame
    returns  hmean, precision, recall, binarize, unclip_ratio, min_score, score_is_region
    """
    found: dict[str, float] = {"hmean": -1.0}
    for binarize, unclip_ratio, score in itertools.product(BINARIZE, UNCLIP, SCORES):
        detections = []
        for probability, scale, size in maps:
            regions = decode(
                probability,
                scale=(1.0 / scale, 1.0 / scale),
                frame_size=size,
                binarize=binarize,
                unclip_ratio=unclip_ratio,
                min_score=_LOWEST_SCORE,
                score=score,
            )
            detections.append((regions.quads, regions.scores))
        min_score, report = best_threshold(detections, words).best
        if report.hmean > found["hmean"]:
            found = {
                "hmean": report.hmean,
                "precision": report.precision,
                "recall": report.recall,
                "binarize": binarize,
                "unclip_ratio": unclip_ratio,
                "min_score": min_score,
                "score_is_region": float(score == "region"),
            }
    return found


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


def _to_bytes(logits: Any) -> NDArray[np.uint8]:
    """Return the probability map (H, W) as the engines give it."""
    return np.asarray(np.round(255.0 * _probabilities(logits)[0]), np.uint8)


def _probabilities(logits: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return probability and threshold map, (H, W) each, 0..1."""
    from dbrt.train.blocks import channel_axis

    axis = channel_axis()
    both = [np.take(logits[0], i, axis=axis if axis == -1 else 0) for i in (0, 1)]
    probability, threshold = (
        0.5 * (1.0 + np.tanh(0.5 * each))
        for each in both  # the sigmoid, without overflow
    )
    return probability, threshold
