"""Runs: the loss falls, a stopped run goes on as if unbroken, a NaN stops it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import numpy as np
import pytest

from dbrt.errors import InputError, OutputError, TrainingError, UsageError
from dbrt.train.checkpoint import read_checkpoint
from dbrt.train.trainer import Trainer


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.mark.slow
def test_training_brings_the_loss_down(keras, tiny_config, tmp_path):
    tiny_config.run.steps = 40
    tiny_config.optimizer.rate = 4e-3
    Trainer(tiny_config, tmp_path / "run").run(quiet=True)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["split"] == "train"]
    assert losses[-1] < 0.8 * losses[0]


@pytest.fixture(scope="module")
def unbroken(keras, tmp_path_factory):
    """Return a function that trains a configuration once in one go."""
    done = {}

    def train(config):
        if "run" not in done:
            folder = tmp_path_factory.mktemp("unbroken") / "run"
            done["run"] = Trainer(config, folder).run(quiet=True), folder
        return done["run"]

    return train


def test_a_run_leaves_configuration_log_events_and_checkpoints(unbroken, tiny_config):
    _, folder = unbroken(tiny_config)
    names = {path.name for path in folder.iterdir()}
    assert {"config.toml", "last.npz", "best.npz", "log.jsonl", "events"} <= names
    assert any((folder / "events/train").iterdir())
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    terms = {"loss", "binarize_loss", "thresh_binary_loss", "threshold_loss", "binarize_accuracy"}
    assert all(terms <= row.keys() for row in rows)
    assert {row["split"] for row in rows} == {"train", "validation"}


def test_a_resumed_run_ends_where_the_unbroken_one_does(unbroken, tiny_config, tmp_path):
    expected, _ = unbroken(copy.deepcopy(tiny_config))
    trainer = Trainer(tiny_config, tmp_path / "run")
    take = trainer._train

    def stopped(batch):
        if trainer.step == 2:
            raise KeyboardInterrupt
        return take(batch)

    trainer._train = stopped
    with pytest.raises(KeyboardInterrupt):
        trainer.run(quiet=True)
    assert read_checkpoint(tmp_path / "run/last.npz").meta["step"] == 2
    found = Trainer(tiny_config, tmp_path / "run", resume=True).run(quiet=True)
    # Not to the last bit: oneDNN splits its sums by the threads that are free.
    for name, value in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], value, rtol=1e-3, atol=2e-4, err_msg=name)
    for name, value in expected.ema.items():
        np.testing.assert_allclose(found.ema[name], value, rtol=1e-3, atol=2e-4, err_msg=name)


def test_a_folder_with_a_run_is_not_overwritten(unbroken, tiny_config):
    _, folder = unbroken(tiny_config)
    with pytest.raises(OutputError, match="--resume"):
        Trainer(tiny_config, folder)


def test_another_configuration_does_not_resume(unbroken, tiny_config):
    _, folder = unbroken(copy.deepcopy(tiny_config))
    tiny_config.optimizer.rate = 0.5
    with pytest.raises(UsageError, match=r"optimizer\.rate was 0\.002.* now 0\.5"):
        Trainer(tiny_config, folder, resume=True)


def test_nothing_to_resume_is_said(keras, tiny_config, tmp_path):
    with pytest.raises(InputError, match="no run to resume"):
        Trainer(tiny_config, tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_batch(keras, tiny_config, tmp_path):
    trainer = Trainer(tiny_config, tmp_path / "run")
    variable = trainer.model.network.get_layer("binarize_up2").weights[0]
    variable.assign(np.full(variable.shape, np.nan, np.float32))
    with pytest.raises(TrainingError, match=r"nan at step 0.*bad-batch-0\.npz"):
        trainer.run(quiet=True)
    with np.load(tmp_path / "run/bad-batch-0.npz") as batch:
        assert batch["frames"].shape == (2, 64, 64, 3)


def test_a_run_starts_from_a_checkpoint(unbroken, tiny_config, tmp_path):
    expected, folder = unbroken(copy.deepcopy(tiny_config))
    tiny_config.model.start = str(folder / "last.npz")
    trainer = Trainer(tiny_config, tmp_path / "run")
    np.testing.assert_array_equal(
        trainer.ema["block3_expand/kernel"], expected.ema["block3_expand/kernel"]
    )


def test_the_backbone_learns_at_its_own_rate(keras, tiny_config, tmp_path):
    tiny_config.optimizer.backbone_rate = 0.0
    tiny_config.optimizer.weight_decay = 0.0
    tiny_config.run.steps = 1
    trainer = Trainer(tiny_config, tmp_path / "run")
    before = {n: v.copy() for n, v in trainer.ema.items()}
    after = trainer.run(quiet=True).weights
    moved = {n.split("/")[0] for n in before if not np.array_equal(before[n], after[n])}
    kernels = {n.split("/")[0] for n in before if n.endswith("kernel")}
    heads = {n for n in kernels if n.startswith(("in", "out", "binarize", "threshold"))}
    assert kernels & moved == heads


_WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from dbrt.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("missing", ["keras", "tensorflow"])
def test_training_without_its_libraries_says_what_to_install(missing, labelled_folder, tmp_path):
    settings = [f'data.sets=["folder:{labelled_folder}"]', "data.validation=1"]
    args = [arg for setting in settings for arg in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, missing, "train", *args, "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert done.stderr.strip().endswith('pip install "dbrt[train]"')
    assert "Traceback" not in done.stderr
