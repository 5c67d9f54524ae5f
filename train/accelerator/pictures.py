"""Frames and label maps of all training pictures as uint8 arrays of one shape, made once.

Label maps follow a picture under every similarity map (scale, rotation, shift, flip): the distance
by which a word is shrunk scales with the word, and the threshold map is already divided by it. The
one thing that does not follow is "words under min_side pixels are don't-care"; for that a fifth map
holds each word's short side.

    0..3  text, mask, threshold, border: dbrt.train.targets without a least side
    4     side: 0 where no readable word is; else twice the word's short side in pixels, at most
          127, and 128 more inside the word's own outline (the rest is the band round it)
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Sample, read_picture
from dbrt.errors import TrainingError
from dbrt.train.loader import set_shares
from dbrt.train.progress import counted
from dbrt.train.targets import Polygon, fill, make_targets, offset, offset_distance, short_side

LABELS = 5
SIDE_STEPS = 2.0  # of the side map, by pixel
SIDE_MOST = 127
INSIDE = 128
# Threads that read pictures and draw their maps: OpenCV and pyclipper let go of the interpreter.
_THREADS = 4


@dataclass(frozen=True)
class PicturePool:
    """All training pictures, each at the top left of a canvas as large as the largest.

    frames    (M, H, W, 3) uint8 BGR
    labels    (M, H, W, 5) uint8, the maps of the module
    sizes     (M, 2) int: height and width of each picture within its canvas
    words     for each picture, its polygons (pixels) and whether each is readable
    starts    the first picture of each set, and behind the last set the number of pictures
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    words: list[tuple[list[Polygon], list[bool]]]
    starts: list[int]

    @property
    def gib(self) -> float:
        """Size of frames and labels."""
        return (self.frames.nbytes + self.labels.nbytes) / 2**30


def make_pool(
    sets: Sequence[Sequence[Sample]], weights: Sequence[float], side: int, *, quiet: bool = True
) -> PicturePool:
    """Read every picture that can be drawn; sets of weight 0 are left empty.

    side   pictures with a longer side are scaled down to it
    quiet  shows no progress

    Raises InputError for a picture that can't be read, TrainingError where memory is too small.
    """
    shares = set_shares(weights)
    chosen = [list(s) if share else [] for s, share in zip(sets, shares, strict=True)]
    samples = [sample for each in chosen for sample in each]
    with ThreadPoolExecutor(_THREADS) as threads:
        labelled = threads.map(lambda sample: _labelled(sample, side), samples)
        made = list(counted(labelled, len(samples), "reading pictures", quiet=quiet))
    sizes = np.array([frame.shape[:2] for frame, _, _ in made], np.int64)
    height, width = sizes.max(axis=0).tolist()
    try:
        frames = np.zeros((len(made), height, width, 3), np.uint8)
        labels = np.zeros((len(made), height, width, LABELS), np.uint8)
    except MemoryError:
        gib = len(made) * height * width * (3 + LABELS) / 2**30
        raise TrainingError(
            f"{len(made)} pictures with their maps take {gib:.1f} GiB: lower data.cache_side, or "
            f'set augment.where = "cpu"'
        ) from None
    for i, (frame, maps, _) in enumerate(made):
        h, w = frame.shape[:2]
        frames[i, :h, :w] = frame
        labels[i, :h, :w] = maps
    starts = np.cumsum([0, *(len(each) for each in chosen)]).tolist()
    return PicturePool(frames, labels, sizes, [words for _, _, words in made], starts)


def _labelled(
    sample: Sample, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[list[Polygon], list[bool]]]:
    frame = read_picture(sample.path)
    scale = min(side / max(frame.shape[:2]), 1.0)
    if scale < 1.0:
        size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    polygons = [np.asarray(word.polygon * np.float32(scale), np.float32) for word in sample.words]
    care = [word.care for word in sample.words]
    return frame, label_maps(polygons, care, frame.shape[:2]), (polygons, care)


def label_maps(
    polygons: Sequence[Polygon], care: Sequence[bool], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the five maps of one picture, (H, W, 5) uint8."""
    maps = make_targets(polygons, care, shape, min_side=0.0)
    return np.ascontiguousarray(np.stack((*maps, _sides(polygons, care, shape)), axis=-1))


def _sides(
    polygons: Sequence[Polygon], care: Sequence[bool], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw the fifth map. Bands first, small words before large ones, then the words themselves."""
    readable = [p for p, is_care in zip(polygons, care, strict=True) if is_care]
    values = [
        int(np.clip(round(SIDE_STEPS * short_side(polygon)), 1, SIDE_MOST)) for polygon in readable
    ]
    canvas = np.zeros(shape, np.uint8)
    order = np.argsort(values)
    for i in order:
        for piece in offset(readable[i], offset_distance(readable[i])):
            fill(canvas, piece, values[i])
    for i in order[::-1]:
        fill(canvas, readable[i], values[i] + INSIDE)
    return canvas
