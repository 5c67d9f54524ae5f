"""One labelled picture: a background, blocks of text that do not touch, and a camera's faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dbrt.datasets.sample import Word
from dbrt.synth.degrade import Faults, degrade
from dbrt.synth.fonts import FontBook
from dbrt.synth.layouts import press
from dbrt.synth.scenes import SCENES
from dbrt.synth.stage import Labelled, Stage
from dbrt.synth.textures import Picture

LEAST_CARE_PX = 7.0  # the height under which a word is marked as don't care
UNITS = ("word", "line")


@dataclass(frozen=True)
class Recipe:
    """What pictures are made from.

    sizes        widths and heights, pixels; each picture draws one
    book         fonts by script
    photographs  backgrounds; without any, all backgrounds are drawn
    cap_px       the least and greatest height of capitals, pixels
    unit         what a label is about: "word" or "line"
    """

    sizes: tuple[tuple[int, int], ...]
    book: FontBook
    photographs: tuple[Path, ...] = ()
    cap_px: tuple[float, float] = (7.0, 200.0)
    unit: str = "word"


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture, (H, W, 3) uint8 BGR, its words, and the quality (1..100) to save it with."""

    picture: Picture
    words: list[Word]
    quality: int


def draw_picture(recipe: Recipe, seed: int, index: int) -> LabelledPicture:
    """Draw picture `index` of the series `seed`; the same two numbers make the same picture."""
    rng = np.random.default_rng([seed, index])
    width, height = recipe.sizes[int(rng.integers(len(recipe.sizes)))]
    stage = Stage(
        (height, width), press(recipe.book, rng), recipe.photographs, recipe.cap_px,
        recipe.unit, seed, rng,
    )  # fmt: skip
    shares = np.array([scene.share for scene in SCENES])
    SCENES[int(rng.choice(len(SCENES), p=shares / shares.sum()))].draw(stage)
    picture, faults = degrade(stage.picture, rng)
    words = [Word(label.polygon, label.text, care=_cares(label, faults)) for label in stage.labels]
    return LabelledPicture(picture, words, faults.quality)


def _cares(label: Labelled, faults: Faults) -> bool:
    """Whether a word counts: to be told from its background, and large enough to be read."""
    quality_px = 8.0 if faults.quality < 50 else 0.0
    return label.is_clear and label.height_px >= max(
        LEAST_CARE_PX, 2.2 * faults.blur_px, quality_px
    )
