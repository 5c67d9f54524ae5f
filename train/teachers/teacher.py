"""What labels pictures: CRAFT, or any detector that dbrt can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dbrt.detector import TextDetector
from dbrt.engine.letterbox import letterbox
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.spec import check_size, shape_for_frame
from dbrt.errors import UsageError
from dbrt.train.backend import default_backend
from dbrt.train.pretrained import read_state_dict
from dbrt.train.teachers.words import CLEAR_TEXT, LOW_TEXT, ScoredQuad, words_of_maps

Frame = NDArray[np.uint8]  # (H, W, 3) BGR
# Below the score from which a detector's regions count, but not far: text it was not sure of.
_DOUBT_SHARE = 0.6


@dataclass(frozen=True)
class Teacher:
    """A detector and what its scores mean.

    find   words of a frame, in its pixels, from `doubt` on
    sure   from this score on a word is labelled
    doubt  from this score on it is don't-care
    """

    find: Callable[[Frame], list[ScoredQuad]]
    name: str
    sure: float
    doubt: float


def open_craft(path: Path, size: int, *, precision: str = "float32") -> Teacher:
    """Open CRAFT with a file of its published weights.

    size       longest side of the network's input, a multiple of 32
    precision  float32 or mixed_bfloat16

    Raises UsageError for the size, InputError where the file is none.
    """
    check_size(size)
    state = read_state_dict(path)
    default_backend()
    import keras

    from dbrt.train.network import IMAGENET_MEAN
    from dbrt.train.step import normalise
    from dbrt.train.teachers.craft import load_craft

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        network = load_craft(state)
    finally:
        keras.config.set_dtype_policy(policy)
    fill = (round(IMAGENET_MEAN[2]), round(IMAGENET_MEAN[1]), round(IMAGENET_MEAN[0]))

    def find(frame: Frame) -> list[ScoredQuad]:
        canvas, scale = letterbox(frame, shape_for_frame(size, *frame.shape[:2]), fill)
        # Not predict_on_batch, which would trace again for each new shape.
        maps = keras.ops.convert_to_numpy(network(normalise(canvas[None]), training=False))[0]
        found = words_of_maps(maps[..., 0], maps[..., 1], lowest=LOW_TEXT)
        height, width = frame.shape[:2]
        limit = np.array((width, height), np.float32)
        # The maps are half the canvas.
        return [ScoredQuad(np.clip(w.quad * (2 / scale), 0, limit), w.score) for w in found]

    return Teacher(find, f"CRAFT ({path.name})", CLEAR_TEXT, LOW_TEXT)


def open_detector(model: ModelFile, size: int) -> Teacher:
    """Open a detector of words that `TextDetector` runs, dbrt's own or a declared one.

    Raises UsageError for the size, and for a detector of lines.
    """
    if model.unit != "word":
        raise UsageError(
            f"model {model.name} finds lines, not words: as a teacher of words it would join them"
        )
    doubt = model.min_score * _DOUBT_SHARE
    detector = TextDetector(model, size, min_score=doubt)

    def find(frame: Frame) -> list[ScoredQuad]:
        regions = detector(frame)
        return [
            ScoredQuad(quad, float(score))
            for quad, score in zip(regions.quads, regions.scores, strict=True)
        ]

    return Teacher(find, model.name, model.min_score, doubt)
