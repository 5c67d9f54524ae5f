"""The training loop: steps, averaging, checkpoints, validation, and what is written of them."""

from __future__ import annotations

import importlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from dbrt.datasets import Sample
from dbrt.errors import InputError, OutputError, TrainingError, UsageError, unwritable
from dbrt.train.checkpoint import (
    Checkpoint,
    Weights,
    network_weights,
    read_checkpoint,
    save_checkpoint,
    set_network_weights,
)
from dbrt.train.config import TrainConfig, to_dict, to_toml
from dbrt.train.loader import Batch, batches, open_sets
from dbrt.train.progress import Progress
from dbrt.train.scalars import ScalarWriter

# Steps between two rows of scalars; each row is the mean over them.
LOG_EVERY = 20
# The average is brought up to date every so many steps: reading the weights costs a copy.
_EMA_EVERY = 2
# Keys that may differ between a run and its continuation without making it another run.
_MAY_CHANGE = {("run", "validate_every"), ("run", "save_every"), ("data", "workers")}


class Trainer:
    """One run in one folder: config.toml, last.npz, best.npz, log.jsonl, TensorBoard events."""

    def __init__(self, config: TrainConfig, folder: Path, *, resume: bool = False) -> None:
        self.config = config
        self.folder = folder
        self.step = 0
        self.curve: list[dict[str, float]] = []
        self.seconds = 0.0
        self.sets, self.validation = open_sets(config.data)
        state = self._open_folder(resume)
        import keras

        keras.utils.set_random_seed(config.data.seed)
        keras.config.set_dtype_policy(config.run.precision)
        self.model, self.optimizer = self._build()
        if state is None:
            self._start_weights()
            self.ema = network_weights(self.model.network)
        else:
            self._restore(state)

    def run(self, *, quiet: bool = False) -> Checkpoint:
        """Train up to `run.steps`, validating and saving on the way; return the last checkpoint.

        Raises TrainingError where the loss stops being a number; the batch that did it is saved.
        """
        run = self.config.run
        began = time.monotonic() - self.seconds
        feed = batches(self.config, self.sets, start=self.step, stop=run.steps)
        scalars = ScalarWriter(self.folder)
        with (
            closing(feed),
            closing(scalars),
            Progress(run.steps, self.step, quiet) as progress,
            self._saved_on_interrupt(),
        ):
            self.model.reset_metrics()
            for batch in feed:
                logs = self._train(batch)
                self.step += 1
                self.seconds = time.monotonic() - began
                if self.step % _EMA_EVERY == 0:
                    self._average()
                if self.step % LOG_EVERY == 0 or self.step == run.steps:
                    self._log(scalars, logs)
                    self.model.reset_metrics()
                progress.advance(self.step, logs["loss"])
                at_end = self.step == run.steps
                due = run.validate_every and self.step % run.validate_every == 0
                if self.validation and (due or at_end):
                    progress.say("validating")
                    self._validate(scalars)
                if self.step % run.save_every == 0 or due or at_end:
                    self._save("last.npz")
        return self._checkpoint()

    @contextmanager
    def _saved_on_interrupt(self) -> Iterator[None]:
        """Lose nothing to Ctrl-C: the step that was under way is not counted, all before it is."""
        try:
            yield
        except KeyboardInterrupt:
            self._save("last.npz")
            raise

    def _train(self, batch: Batch) -> dict[str, float]:
        logs = self.model.train_on_batch(batch.frames, batch.targets, return_dict=True)
        found = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(found["loss"]):
            where = self.folder / f"bad-batch-{self.step}.npz"
            np.savez_compressed(where, frames=batch.frames, targets=batch.targets)
            raise TrainingError(
                f"the loss is {found['loss']} at step {self.step}: lower optimizer.rate or set "
                f"optimizer.clip_norm; the batch is in {where}"
            )
        return found

    def _build(self) -> tuple[Any, Any]:
        from dbrt.train.network import build_network
        from dbrt.train.optimizer import build_optimizer
        from dbrt.train.step import StepModel

        size = (self.config.augment.crop, self.config.augment.crop)
        chosen = self.config.model
        network = build_network(chosen.backbone, options=chosen.options())
        model = StepModel(network, self.config.loss)
        optimizer = build_optimizer(self.config.optimizer, self.config.run.steps)
        # The backbone's name is not part of the variables' paths: see optimizer._BackboneRate.
        model.compile(optimizer=optimizer, jit_compile="auto" if _is_jax() else False)
        model.build((None, *size, 3))
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

    def _open_folder(self, resume: bool) -> Checkpoint | None:
        last = self.folder / "last.npz"
        state = None
        if resume:
            if not last.exists():
                raise InputError(f"{self.folder} holds no run to resume: leave out --resume")
            state = read_checkpoint(last)
            _check_same_run(self.config, state.meta["config"])
        elif last.exists():
            raise OutputError(f"{self.folder} holds a run already: --resume it, or name another")
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

    def _log(self, scalars: ScalarWriter, logs: dict[str, float]) -> None:
        from keras import ops

        rate = float(ops.convert_to_numpy(self.optimizer.learning_rate))
        row = {**logs, "rate": rate, "seconds": round(self.seconds, 1)}
        scalars.write("train", self.step, row)

    def _validate(self, scalars: ScalarWriter) -> None:
        from dbrt.train.validation import validate

        row = validate(self.config, self.ema, self.validation)
        scalars.write("validation", self.step, row)
        best = max((point["hmean"] for point in self.curve), default=-1.0)
        self.curve.append({"step": self.step, "seconds": round(self.seconds, 1), **row})
        if row["hmean"] > best:
            self._save("best.npz")

    def _save(self, name: str) -> None:
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


def _check_same_run(config: TrainConfig, before: dict[str, Any]) -> None:
    now = json.loads(json.dumps(to_dict(config)))
    defaults = json.loads(json.dumps(to_dict(TrainConfig())))  # for keys that are newer than a run
    for table, values in now.items():
        for key, value in values.items():
            old = before.get(table, {}).get(key, defaults[table][key])
            if old != value and (table, key) not in _MAY_CHANGE | {("run", "steps")}:
                raise UsageError(
                    f"{table}.{key} was {old!r} in the run to resume, now {value!r}: "
                    f"give the same, or start a new run with model.start"
                )


def _is_jax() -> bool:
    import keras

    return bool(keras.backend.backend() == "jax")


def default_backend() -> None:
    """Choose TensorFlow unless KERAS_BACKEND says otherwise, and quiet its start.

    TensorFlow (2.21) tells standard error of CUDA and oneDNN before it reads its own log level; set
    TF_CPP_MIN_LOG_LEVEL to see that.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if backend == "tensorflow":
        # Where it is missing, the code that needs it says so.
        with _silent_stderr(), suppress(ModuleNotFoundError):
            importlib.import_module("tensorflow")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send nowhere what this process writes to standard error past Python."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def describe(config: TrainConfig, sets: Sequence[Sequence[Sample]]) -> str:
    """One line: what is trained on what."""
    counts = ", ".join(
        f"{name} ({len(samples)} pictures)"
        for name, samples in zip(config.data.sets, sets, strict=True)
    )
    return f"{config.model.backbone} on {counts}, {config.run.steps} steps of {config.run.batch}"
