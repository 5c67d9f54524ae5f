"""The training loop: steps, averaging, checkpoints, validation, and what is written of them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import Sample
from dbrt.errors import InputError, OutputError, TrainingError, UsageError, unwritable
from dbrt.train.backend import jit_compile
from dbrt.train.checkpoint import (
    Checkpoint,
    Weights,
    network_weights,
    read_checkpoint,
    save_checkpoint,
    set_network_weights,
)
from dbrt.train.config import TrainConfig, to_dict, to_toml
from dbrt.train.devices import Cluster, open_devices
from dbrt.train.feed import open_feed
from dbrt.train.loader import open_sets
from dbrt.train.progress import Progress
from dbrt.train.scalars import ScalarWriter
from dbrt.train.sheets import batch_sheet
from dbrt.wording import counted

# Steps between two rows of scalars; each row is the mean over them.
LOG_EVERY = 20
# The average is brought up to date every so many steps: reading the weights costs a copy.
_EMA_EVERY = 2
# Keys that may differ between a run and its continuation without making it another run.
_MAY_CHANGE = {
    *(("run", "steps"), ("run", "validate_every"), ("run", "save_every"), ("run", "pictures")),
    *(("run", "devices"), ("data", "workers"), ("data", "cache")),
}


class Trainer:
    """One run in one folder: config.toml, last.npz, best.npz, log.jsonl, TensorBoard events.

    cluster  the machines of the run, where it has several: each makes a Trainer, and the first
             writes the folder (to resume, all read last.npz there)
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        *,
        resume: bool = False,
        cluster: Cluster | None = None,
        quiet: bool = True,
    ) -> None:
        self.config = config
        self.folder = folder
        self.step = 0
        self.curve: list[dict[str, float]] = []
        self.seconds = 0.0
        self.sets, self.validation = open_sets(config.data)
        state = self._open_folder(resume, writes=cluster is None or cluster.index == 0)
        import keras

        self.devices = open_devices(config.run, cluster)
        self.rows = self.devices.rows(config.run.batch)
        on_host = not self.devices.holds_pictures
        self.feed = open_feed(config, self.sets, on_host=on_host, quiet=quiet)
        keras.utils.set_random_seed(config.data.seed)
        keras.config.set_dtype_policy(config.run.precision)
        with self.devices.scope():
            self.model, self.optimizer = self._build()
        if state is None:
            self._start_weights()
            self.ema = network_weights(self.model.network)
        else:
            self._restore(state)
        self._window = _Window(config.run.batch)

    def run(self, *, quiet: bool = False) -> Checkpoint:
        """Train up to `run.steps`, validating and saving on the way; return the last checkpoint.

        Raises TrainingError where the loss stops being a number; the batch that did it is saved.
        """
        run = self.config.run
        began = time.monotonic() - self.seconds
        feed = self.feed.steps(self.step, run.steps, self.rows)
        chief = self.devices.chief
        scalars = ScalarWriter(self.folder if chief else None)
        with (
            closing(feed),
            closing(scalars),
            Progress(run.steps, self.step, quiet or not chief) as progress,
            self._saved_on_interrupt(),
        ):
            self._window.start()
            first = self.step
            for batch in feed:
                logs = self._train(batch)
                self.step += 1
                self.seconds = time.monotonic() - began
                self._window.add(logs)
                if self.step % _EMA_EVERY == 0:
                    self._average()
                at_end = self.step == run.steps
                if self.step % LOG_EVERY == 0 or at_end:
                    self._log(scalars)
                progress.advance(self.step, logs["loss"])
                due = bool(run.validate_every) and self.step % run.validate_every == 0
                if self.step == first + 1 or due:
                    self._show(scalars, batch)
                if self.validation and chief and (due or at_end):
                    progress.say("validating")
                    self._validate(scalars)
                if self.step % run.save_every == 0 or due or at_end:
                    self._save("last.npz")
                self._window.start()
        return self._checkpoint()

    @contextmanager
    def _saved_on_interrupt(self) -> Iterator[None]:
        """Lose nothing to Ctrl-C: the step that was under way is not counted, all before it is."""
        try:
            yield
        except KeyboardInterrupt:
            self._save("last.npz")
            raise

    def _train(self, batch: Any) -> dict[str, float]:
        found = self.devices.train(self.model, *self.feed.inputs(batch))
        if not math.isfinite(found["loss"]):
            name = f"bad-batch-{self.step}"
            name += f"-{self.devices.index}" if self.devices.processes > 1 else ""
            where = self.folder / f"{name}.npz"
            shown = self.feed.shown(batch, self.model)
            np.savez_compressed(where, frames=shown.frames, targets=shown.targets)
            raise TrainingError(
                f"the loss is {found['loss']} at step {self.step}: lower optimizer.rate or set "
                f"optimizer.clip_norm; the batch is in {where}"
            )
        return found

    def _show(self, scalars: ScalarWriter, batch: Any) -> None:
        """Put the batch and its targets into TensorBoard."""
        # What several machines share can be read by all of them at once only.
        if self.config.run.pictures and self.devices.processes == 1:
            shown = self.feed.shown(batch, self.model)
            scalars.show("train", self.step, "batch", batch_sheet(shown))

    def _build(self) -> tuple[Any, Any]:
        from dbrt.train.network import build_network
        from dbrt.train.optimizer import build_optimizer
        from dbrt.train.step import StepModel

        run = self.config.run
        chosen = self.config.model
        network = build_network(chosen.backbone, options=chosen.options())
        model = StepModel(network, self.config.loss, self.feed.layer())
        optimizer = build_optimizer(self.config.optimizer, run.steps, precision=run.precision)
        # The backbone's name is not part of the variables' paths: see optimizer._BackboneRate.
        model.compile(optimizer=optimizer, jit_compile=jit_compile(), auto_scale_loss=False)
        model.build()
        optimizer.build(model.trainable_variables)
        return model, optimizer

    def _start_weights(self) -> None:
        from dbrt.train.start import set_start_weights

        set_start_weights(self.model.network, self.config.model)

    def _restore(self, state: Checkpoint) -> None:
        path = str(self.folder / "last.npz")
        set_network_weights(self.model.network, state.weights, source=path)
        self.ema = state.ema
        variables = self.optimizer.variables
        if len(variables) != len(state.optimizer):
            raise InputError(f"{path} was written with another optimizer: start a new run")
        for variable, value in zip(variables, state.optimizer, strict=True):
            variable.assign(value)
        self.step = int(state.meta["step"])
        self.curve = list(state.meta["curve"])
        self.seconds = float(state.meta["seconds"])

    def _open_folder(self, resume: bool, *, writes: bool) -> Checkpoint | None:
        last = self.folder / "last.npz"
        state = None
        if resume:
            if not last.exists():
                raise InputError(f"{self.folder} holds no run to resume: leave out --resume")
            state = read_checkpoint(last)
            _check_same_run(self.config, state.meta["config"])
        elif last.exists():
            raise OutputError(f"{self.folder} holds a run already: --resume it, or name another")
        if not writes:
            return state
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "config.toml").write_text(to_toml(self.config), encoding="utf-8")
        except OSError as exc:
            raise unwritable(self.folder, exc) from None
        return state

    def _average(self) -> None:
        decay = self.config.optimizer.ema
        current = network_weights(self.model.network)
        if decay == 0.0:
            self.ema = current
            return
        count = self.step / _EMA_EVERY
        keep = min(decay**_EMA_EVERY, (1.0 + count) / (10.0 + count))
        for name, value in self.ema.items():
            value *= keep
            value += (1.0 - keep) * current[name]

    def _log(self, scalars: ScalarWriter) -> None:
        from keras import ops

        from dbrt.train.optimizer import WarmSchedule

        schedule = WarmSchedule(self.config.optimizer, self.config.run.steps)
        row = {**self._window.means(), "rate": float(ops.convert_to_numpy(schedule(self.step)))}
        if self.config.run.precision == "mixed_float16":
            row["loss_scale"] = float(ops.convert_to_numpy(self.optimizer.dynamic_scale))
        scalars.write("train", self.step, {**row, "seconds": round(self.seconds, 1)})

    def _validate(self, scalars: ScalarWriter) -> None:
        from dbrt.train.validation import validate

        def show(name: str, sheet: NDArray[np.uint8]) -> None:
            scalars.show("validation", self.step, f"maps/{name}", sheet)

        with self.devices.alone():
            row = validate(self.config, self.ema, self.validation, show)
        scalars.write("validation", self.step, row)
        best = max((point["hmean"] for point in self.curve), default=-1.0)
        self.curve.append({"step": self.step, "seconds": round(self.seconds, 1), **row})
        if row["hmean"] > best:
            self._save("best.npz")

    def _save(self, name: str) -> None:
        if not self.devices.chief:
            return
        save_checkpoint(self.folder / name, self._checkpoint())

    def _checkpoint(self) -> Checkpoint:
        from keras import ops

        optimizer = [np.array(ops.convert_to_numpy(v.value)) for v in self.optimizer.variables]
        meta = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "backbone": self.config.model.backbone,
            "config": to_dict(self.config),
            "curve": self.curve,
            "pictures": [len(samples) for samples in self.sets],
        }
        weights: Weights = network_weights(self.model.network)
        return Checkpoint(weights, {n: v.copy() for n, v in self.ema.items()}, optimizer, meta)


class _Window:
    """The steps since the last row of the log: means of their terms, and how fast they were."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._count, self._seconds = 0, 0.0

    def start(self) -> None:
        """Begin a step: what came before it (a validation, a checkpoint) is not its time."""
        self._began = time.monotonic()

    def add(self, logs: dict[str, float]) -> None:
        """End a step."""
        self._seconds += time.monotonic() - self._began
        self._count += 1
        for name, value in logs.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Return the means and images_per_second, and begin anew."""
        found = {name: total / self._count for name, total in self._sums.items()}
        found["images_per_second"] = self._count * self._batch / max(self._seconds, 1e-9)
        self._reset()
        return found


def _check_same_run(config: TrainConfig, before: dict[str, Any]) -> None:
    now = json.loads(json.dumps(to_dict(config)))
    defaults = json.loads(json.dumps(to_dict(TrainConfig())))  # for keys that are newer than a run
    # Before there was a seed of the split, the other one split.
    defaults["data"]["split_seed"] = before.get("data", {}).get("seed", 1)
    for table, values in now.items():
        for key, value in values.items():
            old = before.get(table, {}).get(key, defaults[table][key])
            if old != value and (table, key) not in _MAY_CHANGE:
                raise UsageError(
                    f"{table}.{key} was {old!r} in the run to resume, now {value!r}: "
                    f"give the same, or start a new run with model.start"
                )


def describe(config: TrainConfig, sets: Sequence[Sequence[Sample]]) -> str:
    """One line: what is trained on what."""
    counts = ", ".join(
        f"{name} ({counted(len(samples), 'picture')})"
        for name, samples in zip(config.data.sets, sets, strict=True)
    )
    return f"{config.model.backbone} on {counts}, {config.run.steps} steps of {config.run.batch}"
