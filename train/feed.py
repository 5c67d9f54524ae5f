"""Where a run's steps get their batches from: worker processes, or the accelerator itself."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from dbrt.datasets import Sample
from dbrt.train.accelerator.draws import Draw, draws
from dbrt.train.accelerator.pictures import PicturePool, make_pool
from dbrt.train.config import TrainConfig
from dbrt.train.loader import Batch, batches

Sets = Sequence[Sequence[Sample]]


class CpuFeed:
    """Crops made by OpenCV in worker processes."""

    def __init__(self, config: TrainConfig, sets: Sets) -> None:
        self.config, self.sets = config, sets

    def layer(self) -> Any:
        """Return the layer in front of the network: none."""
        return None

    def steps(self, start: int, stop: int, rows: range) -> Generator[Batch]:
        """Yield the batches of steps start..stop-1, of each the crops `rows`."""
        return batches(self.config, self.sets, start=start, stop=stop, rows=rows)

    def inputs(self, batch: Batch) -> tuple[Any, Any]:
        """Return the model's inputs and targets."""
        return batch.frames, batch.targets

    def shown(self, batch: Batch, model: Any) -> Batch:
        """Return the crops and targets of a batch."""
        return batch


class AcceleratorFeed:
    """Pictures and label maps kept as uint8; crops made inside the step."""

    def __init__(
        self, config: TrainConfig, sets: Sets, *, on_host: bool = False, quiet: bool = True
    ) -> None:
        self.config = config
        self.pool: PicturePool = make_pool(
            sets, config.data.weights, config.data.cache_side, quiet=quiet
        )
        self._host = on_host or config.data.cache == "host"

    def layer(self) -> Any:
        """Return the layer in front of the network, with the pictures unless the host keeps them.

        To be called where the model is made.
        """
        from dbrt.train.accelerator.layer import CropLayer

        return CropLayer(self.config, None if self._host else self.pool)

    def steps(self, start: int, stop: int, rows: range) -> Generator[Draw]:
        """Yield what the steps start..stop-1 do to the crops `rows`."""
        return draws(self.config, self.pool, start=start, stop=stop, rows=rows, host=self._host)

    def inputs(self, batch: Draw) -> tuple[Any, Any]:
        """Return the model's inputs; the targets are made from them."""
        return batch.inputs, None

    def shown(self, batch: Draw, model: Any) -> Batch:
        """Make the crops and targets of a draw once more, to be looked at."""
        from keras import ops

        inputs = {name: ops.convert_to_tensor(value) for name, value in batch.inputs.items()}
        frames, targets = model.crops(inputs)
        return Batch(
            np.asarray(ops.convert_to_numpy(frames), np.uint8),
            np.asarray(ops.convert_to_numpy(targets), np.uint8),
        )


def open_feed(
    config: TrainConfig, sets: Sets, *, on_host: bool = False, quiet: bool = True
) -> CpuFeed | AcceleratorFeed:
    """Return the feed that `augment.where` names; for the accelerator, read all pictures.

    on_host  as with data.cache = "host"
    """
    if config.augment.where == "cpu":
        return CpuFeed(config, sets)
    return AcceleratorFeed(config, sets, on_host=on_host, quiet=quiet)
