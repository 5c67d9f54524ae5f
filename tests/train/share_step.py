"""A run on one device and on several, with a network of three layers; prints the losses as JSON.

share_step.py PICTURES OUT             one device, then two of this machine
share_step.py PICTURES OUT HOSTS N     machine N of several
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import numpy as np

STEPS = 4


def configure(pictures: str):
    from dbrt.train.config import TrainConfig

    config = TrainConfig()
    config.data.sets, config.data.workers = [f"folder:{pictures}"], 0
    config.data.validation, config.augment.crop = 1, 64
    config.augment.where = "accelerator"
    # Adam and clipping would hide a sum in the place of a mean.
    config.optimizer.name, config.optimizer.rate = "sgd", 0.05
    config.optimizer.warmup, config.optimizer.clip_norm = 1, 0.0
    config.run.steps, config.run.batch, config.run.validation_shape = STEPS, 4, [64, 64]
    return config


def trained(config, out: Path, cluster=None, *, twins: bool):
    """Train; with `twins` every device gets the first two crops of each batch."""
    from dbrt.train.trainer import Trainer

    trainer = Trainer(config, out, cluster=cluster)
    devices = trainer.devices
    if twins:
        trainer.rows = range(2)
        copies = devices.count // devices.processes
        plain = trainer.feed.inputs

        def copied(batch):
            inputs, none = plain(batch)
            return {name: np.concatenate([v] * copies) for name, v in inputs.items()}, none

        trainer.feed.inputs = copied
    losses, train = [], devices.train
    devices.train = lambda *given: losses.append(train(*given)) or losses[-1]
    end = trainer.run(quiet=True)
    return {
        "count": devices.count,
        "losses": [row["loss"] for row in losses],
        "kernel": float(np.abs(end.weights["conv1/kernel"]).sum()),
        "variance": float(end.weights["bn/moving_variance"].sum()),
        "files": sorted(path.name for path in out.iterdir()) if out.exists() else [],
    }


def main(pictures: str, out: str, hosts: str = "", index: str = "0") -> None:
    """Do what the module says."""
    is_tensorflow = os.environ["KERAS_BACKEND"] == "tensorflow"
    if is_tensorflow and not hosts:
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    import dbrt.train.network
    from dbrt.train.devices import Cluster

    tiny = runpy.run_path(str(Path(__file__).with_name("tiny_network.py")))
    dbrt.train.network.build_network = tiny["build_network"]
    config = configure(pictures)
    # TensorFlow's devices take their own batch statistics and hard negatives: on the same crops
    # they must do what one does. JAX's do what one does on all of the batch.
    twins = is_tensorflow
    if hosts:
        cluster = Cluster(tuple(hosts.split(",")), int(index))
        found = [trained(config, Path(out), cluster, twins=twins)]
    else:
        found = [trained(config, Path(out) / "one", twins=twins)]
        config.run.devices = 2
        found.append(trained(config, Path(out) / "two", twins=twins))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
