"""How many images a second the two ways of augmentation make, and the steps that they feed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from dbrt.train.backend import jit_compile
from dbrt.train.config import TrainConfig
from dbrt.train.feed import AcceleratorFeed, open_feed
from dbrt.train.loader import open_sets

# Steps before the clock starts: compilation, and batches that workers made ahead.
_WARM = 2


@dataclass(frozen=True)
class Rate:
    """One row: what was done, how often, and how fast."""

    what: str
    images: int
    images_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def measure(
    config: TrainConfig,
    *,
    steps: int,
    on_step: Callable[[str, int, int], None] = lambda text, done, steps: None,
) -> list[Rate]:
    """Time crops alone and whole steps, made by the CPU's workers and on the accelerator.

    steps    how many batches each row takes, after two that are not counted
    on_step  is told what begins: its name, how many rows are done, how many there are

    Raises what training with `config` raises.
    """
    import keras

    keras.config.set_dtype_policy(config.run.precision)
    sets, _ = open_sets(config.data)
    names = ("crops, cpu", "crops, accelerator", "steps, cpu", "steps, accelerator")
    found = []
    for number, name in enumerate(names):
        on_step(name, number, len(names))
        chosen = copy.deepcopy(config)
        what, chosen.augment.where = name.split(", ")
        feed = open_feed(chosen, sets)
        take = _crops(feed) if what == "crops" else _steps(chosen, feed)
        found.append(_timed(name, chosen, feed, take, steps))
    return found


def _timed(name: str, config: TrainConfig, feed: Any, take: Any, steps: int) -> Rate:
    batch = config.run.batch
    # Workers are ahead by some batches when the clock starts: so many more are made than counted.
    source = feed.steps(0, _WARM + steps + 64, range(batch))
    try:
        for _ in range(_WARM):
            take(next(source))
        began = time.perf_counter()
        for _ in range(steps):
            take(next(source))
        seconds = time.perf_counter() - began
    finally:
        source.close()
    return Rate(name, steps * batch, steps * batch / seconds)


def _crops(feed: Any) -> Callable[[Any], object]:
    """Return what makes a batch's crops; on the accelerator only two means come back."""
    if not isinstance(feed, AcceleratorFeed):
        return lambda batch: batch
    import keras
    from keras import ops

    class Crops(keras.Model):
        def __init__(self) -> None:
            super().__init__(autocast=False)
            self.crops = feed.layer()

        def call(self, inputs: Any) -> Any:
            frames, targets = self.crops(inputs)
            return ops.mean(frames, axis=(1, 2, 3)), ops.mean(targets, axis=(1, 2, 3))

    model = Crops()
    model.compile(jit_compile=jit_compile())
    return lambda batch: model.predict_on_batch(batch.inputs)


def _steps(config: TrainConfig, feed: Any) -> Callable[[Any], object]:
    from dbrt.train.network import build_network
    from dbrt.train.optimizer import build_optimizer
    from dbrt.train.step import StepModel

    network = build_network(config.model.backbone, options=config.model.options())
    model = StepModel(network, config.loss, feed.layer())
    optimizer = build_optimizer(config.optimizer, 1000, precision=config.run.precision)
    model.compile(optimizer=optimizer, jit_compile=jit_compile(), auto_scale_loss=False)
    model.build()
    return lambda batch: model.train_on_batch(*feed.inputs(batch), return_dict=True)


def machine(config: TrainConfig) -> dict[str, str]:
    """Return what the figures belong to: backend, devices, and the settings that decide."""
    import keras

    backend = keras.backend.backend()
    devices = keras.distribution.list_devices() if backend != "torch" else [_torch_device()]
    return {
        "backend": backend,
        "devices": ", ".join(devices),
        "backbone": config.model.backbone,
        "precision": config.run.precision,
        "crop": str(config.augment.crop),
        "batch": str(config.run.batch),
        "workers": str(config.data.workers),
    }


def _torch_device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
