"""Several devices, and several machines, that share each step's batch.

Every device holds the whole network, trains on its part of the batch and takes the mean gradient of
all: `tf.distribute` under TensorFlow, `keras.distribution` under JAX. With TensorFlow each device
has its own batch statistics and its own hard negatives, and the running statistics are the mean;
JAX runs one program over all devices and computes what a single one would. PyTorch trains on one
device here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dbrt.errors import RunnerError, UsageError
from dbrt.train.config import RunConfig


@dataclass(frozen=True)
class Cluster:
    """The machines of a run, each a process that runs the same command with its own index.

    hosts  HOST:PORT of each; the first keeps the run's folder
    index  this machine's place among them
    """

    hosts: tuple[str, ...] = ()
    index: int = 0

    def check(self) -> None:
        """Raise UsageError where the index is none of the hosts', or a port is missing."""
        if self.hosts and not 0 <= self.index < len(self.hosts):
            raise UsageError(f"--host {self.index}: {len(self.hosts)} hosts count from 0")
        for host in self.hosts:
            name, _, port = host.rpartition(":")
            if not name or not port.isdigit():
                raise UsageError(f"--hosts: {host!r} is not HOST:PORT")


class Devices:
    """One device: what train_on_batch does by itself. The base of the others.

    processes, index  how many processes take part, and which this is
    count             devices of all processes together
    """

    processes = 1
    index = 0
    count = 1

    @property
    def holds_pictures(self) -> bool:
        """Whether the accelerator can keep all pictures, or they must travel with each step."""
        return True

    @property
    def chief(self) -> bool:
        """Whether this process writes files and says how it goes."""
        return self.index == 0

    def rows(self, batch: int) -> range:
        """Return which crops of a batch this process makes; UsageError where they don't divide."""
        if batch % self.count:
            raise UsageError(
                f"run.batch is {batch}: {self.count} devices share it, take a multiple of that"
            )
        part = batch // self.processes
        return range(self.index * part, (self.index + 1) * part)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Variables that are made within belong to all devices."""
        yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Variables that are made within belong to this process alone."""
        yield

    def train(self, model: Any, inputs: Any, targets: Any) -> dict[str, float]:
        """Take one step on this process's rows; return the losses, the same in every process."""
        model.reset_metrics()
        logs = model.train_on_batch(inputs, targets, return_dict=True)
        return {name: float(value) for name, value in logs.items()}


class MirroredDevices(Devices):
    """TensorFlow: MirroredStrategy on one machine, MultiWorkerMirroredStrategy on several."""

    def __init__(self, wanted: int, cluster: Cluster) -> None:
        import tensorflow as tf

        self.processes, self.index = max(len(cluster.hosts), 1), cluster.index
        if cluster.hosts:
            task = {"type": "worker", "index": cluster.index}
            os.environ["TF_CONFIG"] = json.dumps(
                {"cluster": {"worker": list(cluster.hosts)}, "task": task}
            )
            # Takes all of each machine's GPUs, or its CPU.
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        else:
            kinds = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
            self.strategy = tf.distribute.MirroredStrategy(
                _take([device.name for device in kinds], wanted)
            )
        self.count = self.strategy.num_replicas_in_sync
        self._step: Callable[[Any, Any], dict[str, Any]] | None = None

    @property
    def holds_pictures(self) -> bool:
        """Whether the accelerator can keep all pictures, or they must travel with each step.

        With several machines a new variable's value is sent from the first to all others, and
        TensorFlow (2.21) sends no uint8.
        """
        return self.processes == 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Variables that are made within are mirrored on all devices."""
        with self.strategy.scope():
            yield

    def train(self, model: Any, inputs: Any, targets: Any) -> dict[str, float]:
        """Take one step; each device gets its share of this process's rows.

        Not by train_on_batch: it gives every device the whole batch, and takes the mean of scalars
        over an axis that they lack where there are several machines (Keras 3.15).
        """
        import tensorflow as tf

        if self._step is None:
            self._step = self._compiled(model)
        model.reset_metrics()
        batch = tf.nest.map_structure(self._split, (inputs, targets))
        logs = self._step(*batch)
        return {
            name: float(self.strategy.experimental_local_results(value)[0])
            for name, value in logs.items()
        }

    def _compiled(self, model: Any) -> Callable[[Any, Any], dict[str, Any]]:
        import tensorflow as tf

        def step(inputs: Any, targets: Any) -> dict[str, Any]:
            logs = model.train_step((inputs, targets))
            context = tf.distribute.get_replica_context()
            return {
                name: context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
                for name, value in logs.items()
            }

        def everywhere(inputs: Any, targets: Any) -> dict[str, Any]:
            return self.strategy.run(step, args=(inputs, targets))  # type: ignore[no-any-return]

        return tf.function(everywhere, autograph=False)  # type: ignore[no-any-return]

    def _split(self, values: Any) -> Any:
        if values is None:
            return None
        import tensorflow as tf

        local = self.count // self.processes
        part = len(values) // local

        def share(context: Any) -> Any:
            place = context.replica_id_in_sync_group % local
            return tf.constant(values[place * part : (place + 1) * part])

        return self.strategy.experimental_distribute_values_from_function(share)


class ShardedDevices(Devices):
    """JAX: one program over all devices, the batch sharded, the variables replicated."""

    def __init__(self, wanted: int, cluster: Cluster) -> None:
        import jax
        import keras

        self.processes, self.index = max(len(cluster.hosts), 1), cluster.index
        if cluster.hosts:
            keras.distribution.initialize(
                ",".join(cluster.hosts), len(cluster.hosts), cluster.index
            )
        names = []
        for process in range(self.processes):
            local = [d for d in jax.devices() if d.process_index == process]
            names += _take([f"{d.platform}:{d.id}" for d in local], wanted)
        self.count = len(names)
        self.distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
        keras.distribution.set_distribution(self.distribution)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Variables that are made within belong to this process alone."""
        import keras

        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self.distribution)


def open_devices(run: RunConfig, cluster: Cluster | None = None) -> Devices:
    """Return the devices of a run; join the other machines, which waits for them.

    Raises UsageError where the backend can't share a step, RunnerError for too few devices.
    """
    import keras

    cluster = cluster or Cluster()
    cluster.check()
    if run.devices == 1 and not cluster.hosts:
        return Devices()
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise UsageError(
            f"{backend} trains on one device here: set KERAS_BACKEND=jax or tensorflow"
        )
    if run.precision == "mixed_float16":
        raise UsageError("mixed_float16 trains on one device here: take mixed_bfloat16")
    kind = MirroredDevices if backend == "tensorflow" else ShardedDevices
    return kind(run.devices, cluster)


def _take(names: list[str], wanted: int) -> list[str]:
    if wanted > len(names):
        raise RunnerError(
            f"run.devices is {wanted}, this machine has {len(names)} ({', '.join(names)})"
        )
    return names[:wanted] if wanted else names
