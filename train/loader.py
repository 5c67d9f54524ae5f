"""Batches of augmented crops, made in worker processes, the same for the same seed and step.

Batch k depends on the configuration and on k alone, so a resumed run sees what an unbroken one
would have seen, whatever the number of workers. numpy and OpenCV only: workers load no keras.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Sample, open_dataset, read_picture
from dbrt.errors import TrainingError, UsageError
from dbrt.train.augment import augmented_crop
from dbrt.train.config import DataConfig, TrainConfig
from dbrt.workers import begin_worker

# Batches kept ready for each worker: enough to ride out one slow picture.
_AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """What one step trains on.

    frames   (N, S, S, 3) uint8 BGR
    targets  (N, 4, S, S) uint8, see dbrt.train.targets
    """

    frames: NDArray[np.uint8]
    targets: NDArray[np.uint8]


def open_sets(data: DataConfig) -> tuple[list[list[Sample]], list[Sample]]:
    """Read the annotations of all sets; return (training samples by set, validation samples).

    Validation samples are drawn by `split_seed` from the first set and never trained on.
    Raises UsageError for a malformed name, InputError where data can't be read, TrainingError where
    nothing is left to train on.
    """
    sets = [_open_set(name) for name in data.sets]
    order = np.random.default_rng(data.split_seed).permutation(len(sets[0]))
    held = set(order[: data.validation].tolist())
    validation = [sample for i, sample in enumerate(sets[0]) if i in held]
    sets[0] = [sample for i, sample in enumerate(sets[0]) if i not in held]
    for name, samples in zip(data.sets, sets, strict=True):
        if not samples:
            raise TrainingError(f"{name}: no pictures are left to train on after validation's")
    return sets, validation


def _open_set(name: str) -> list[Sample]:
    kind, separator, rest = name.partition(":")
    if not separator or not rest:
        raise UsageError(f"data.sets: {name!r} is not NAME:SPLIT or folder:PATH")
    if kind == "folder":
        return list(open_dataset("folder", None, root=Path(rest).expanduser()))
    return list(open_dataset(kind, rest))


def set_shares(weights: Sequence[float]) -> NDArray[np.float64]:
    """Return how often each set is drawn from, summing to 1."""
    shares = np.asarray(weights, np.float64)
    return np.asarray(shares / shares.sum())


class BatchMaker:
    """Makes batch k of a run, or of each batch the crops `rows`."""

    def __init__(
        self, config: TrainConfig, sets: Sequence[Sequence[Sample]], rows: range | None = None
    ) -> None:
        self.config = config
        self.rows = range(config.run.batch) if rows is None else rows
        self.sets = sets
        self.shares = set_shares(config.data.weights)

    def make(self, step: int) -> Batch:
        """Return the batch of one step; a picture that can't be read raises InputError."""
        count = self.config.run.batch
        crops = [self._crop(step * count + i) for i in self.rows]
        return Batch(np.stack([c for c, _ in crops]), np.stack([t for _, t in crops]))

    def _crop(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng((self.config.data.seed, index))
        samples = self.sets[int(rng.choice(len(self.sets), p=self.shares))]
        sample = samples[int(rng.integers(len(samples)))]
        return augmented_crop(
            read_picture(sample.path),
            [word.polygon for word in sample.words],
            [word.care for word in sample.words],
            self.config.augment,
            rng,
            min_side=self.config.data.min_side,
        )


def batches(
    config: TrainConfig,
    sets: Sequence[Sequence[Sample]],
    *,
    start: int,
    stop: int,
    rows: range | None = None,
) -> Generator[Batch]:
    """Yield the batches of steps start..stop-1 in order, made ahead by `data.workers` processes.

    rows  which crops of each batch are wanted; None: all
    """
    if config.data.workers == 0:
        maker = BatchMaker(config, sets, rows)
        yield from (maker.make(step) for step in range(start, stop))
        return
    # spawn: a forked child of a process with TensorFlow's threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        config.data.workers, context, initializer=_start_worker, initargs=(config, sets, rows)
    ) as pool:
        waiting: deque[Future[Batch]] = deque()
        following = start
        try:
            while waiting or following < stop:
                while following < stop and len(waiting) < _AHEAD * config.data.workers:
                    waiting.append(pool.submit(_make_in_worker, following))
                    following += 1
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


_maker: BatchMaker | None = None  # each worker's own; set once by its initializer


def _start_worker(
    config: TrainConfig, sets: Sequence[Sequence[Sample]], rows: range | None
) -> None:
    global _maker  # noqa: PLW0603
    begin_worker()
    cv2.setNumThreads(1)
    _maker = BatchMaker(config, sets, rows)


def _make_in_worker(step: int) -> Batch:
    assert _maker is not None
    return _maker.make(step)
