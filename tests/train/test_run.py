"""What a run does and leaves, with a network of three layers: it is about what is round it."""

from __future__ import annotations

import copy
import json

import cv2
import numpy as np
import pytest

from dbrt.errors import TrainingError, UsageError
from dbrt.train.checkpoint import read_checkpoint
from dbrt.train.config import to_dict
from dbrt.train.trainer import Trainer, _check_same_run

pytestmark = pytest.mark.usefixtures("tiny_network")


def rows_of(folder, split="train") -> list[dict]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if row["split"] == split]


@pytest.fixture
def on_accelerator(tiny_config):
    tiny_config.augment.where = "accelerator"
    tiny_config.augment.perspective = 0.3
    tiny_config.augment.jpeg = tiny_config.augment.colour = 0.5
    return tiny_config


def stopped_at(config, folder, step: int) -> None:
    """Train until Ctrl-C after `step` steps."""
    trainer = Trainer(config, folder)
    take = trainer._train

    def stopped(batch):
        if trainer.step == step:
            raise KeyboardInterrupt
        return take(batch)

    trainer._train = stopped
    with pytest.raises(KeyboardInterrupt):
        trainer.run(quiet=True)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_run_on_the_accelerator_resumes_onto_the_same_curve(on_accelerator, tmp_path, precision):
    on_accelerator.run.precision = precision
    expected = Trainer(copy.deepcopy(on_accelerator), tmp_path / "whole").run(quiet=True)
    stopped_at(copy.deepcopy(on_accelerator), tmp_path / "run", 2)
    found = Trainer(on_accelerator, tmp_path / "run", resume=True).run(quiet=True)
    assert rows_of(tmp_path / "whole")[-1]["threshold_loss"] >= 0.0
    for name, value in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], value, rtol=1e-3, atol=2e-4, err_msg=name)
    for mine, theirs in zip(found.optimizer, expected.optimizer, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-2, atol=1e-3)


def test_where_the_pictures_are_kept_does_not_change_the_run(on_accelerator, tmp_path):
    losses = []
    for on_accelerator.data.cache in ("device", "host"):
        folder = tmp_path / on_accelerator.data.cache
        Trainer(copy.deepcopy(on_accelerator), folder).run(quiet=True)
        losses.append(rows_of(folder)[-1]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_reaches_the_loss_of_float32(tiny_config, tmp_path, precision):
    tiny_config.run.steps = 12
    tiny_config.data.validation = 0
    losses = []
    for tiny_config.run.precision in ("float32", precision):
        folder = tmp_path / tiny_config.run.precision
        Trainer(copy.deepcopy(tiny_config), folder).run(quiet=True)
        losses.append(rows_of(folder)[-1]["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
    row = rows_of(folder)[-1]
    assert ("loss_scale" in row) == (precision == "mixed_float16")
    assert row.get("loss_scale", 1.0) >= 1.0


def test_the_paper_s_optimizer_and_losses_train(tiny_config, tmp_path):
    tiny_config.optimizer.name, tiny_config.optimizer.schedule = "sgd", "poly"
    tiny_config.optimizer.rate, tiny_config.optimizer.warmup = 0.05, 2
    tiny_config.loss.threshold_loss = "smooth_l1"
    tiny_config.run.steps = 30
    trainer = Trainer(tiny_config, tmp_path / "run")
    losses, rates = [], []
    train = trainer.devices.train
    trainer.devices.train = lambda *given: losses.append(train(*given)["loss"]) or train(*given)
    trainer.run(quiet=True)
    rates = [row["rate"] for row in rows_of(tmp_path / "run")]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert rates == pytest.approx([0.05 * (1.0 - 18 / 28) ** 0.9, 0.0], abs=1e-6)


def test_a_row_of_the_log_is_the_mean_over_its_steps(tiny_config, tmp_path):
    trainer = Trainer(tiny_config, tmp_path / "run")
    seen, train = [], trainer.devices.train
    trainer.devices.train = lambda *given: seen.append(train(*given)) or seen[-1]
    trainer.run(quiet=True)
    (row,) = rows_of(tmp_path / "run")
    for name in ("loss", "binarize_loss", "thresh_binary_loss", "threshold_loss", "dice_loss"):
        assert row[name] == pytest.approx(np.mean([logs[name] for logs in seen]), rel=1e-5)
    assert row["images_per_second"] > 0
    assert len({logs["loss"] for logs in seen}) == 4  # each its own batch's, not a running mean


def events_of(folder):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    found = event_accumulator.EventAccumulator(str(folder))
    found.Reload()
    return found


def test_tensorboard_shows_training_and_validation_under_the_same_names(tiny_config, tmp_path):
    Trainer(tiny_config, tmp_path / "run").run(quiet=True)
    terms = {
        *("total_loss", "binarize_loss", "threshold_loss", "thresh_binary_loss"),
        *("binarize_accuracy", "thresh_binary_accuracy"),
    }
    train, validation = (events_of(tmp_path / "run/events" / s) for s in ("train", "validation"))
    assert terms | {"rate", "images_per_second"} <= set(train.Tags()["scalars"])
    assert terms | {"hmean", "precision", "recall"} <= set(validation.Tags()["scalars"])
    (row,) = rows_of(tmp_path / "run")
    (point,) = train.Scalars("total_loss")
    assert (point.step, point.value) == (4, pytest.approx(row["loss"], rel=1e-5))


def picture_in(events, tag: str) -> np.ndarray:
    image = events.Images(tag)[0]
    picture = cv2.imdecode(np.frombuffer(image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (image.height, image.width, 3)
    return picture


@pytest.mark.parametrize("where", ["cpu", "accelerator"])
def test_tensorboard_shows_a_batch_with_its_targets(tiny_config, tmp_path, where):
    tiny_config.augment.where = where
    Trainer(tiny_config, tmp_path / "run").run(quiet=True)
    sheet = picture_in(events_of(tmp_path / "run/events/train"), "batch")
    assert sheet.shape == (2 * 160, 5 * 160, 3)  # two crops, each with four maps
    masks = sheet[:, 320:480]
    assert (masks > 200).mean() > 0.3
    texts = sheet[:, 160:320]
    assert 0.0 < (texts > 127).mean() < 0.5


def test_tensorboard_shows_the_three_maps_of_validation_pictures(tiny_config, tmp_path):
    tiny_config.data.validation, tiny_config.run.pictures = 2, 1
    Trainer(tiny_config, tmp_path / "run").run(quiet=True)
    events = events_of(tmp_path / "run/events/validation")
    (tag,) = events.Tags()["images"]
    assert tag.startswith("maps/img_")
    sheet = picture_in(events, tag)
    assert sheet.shape == (2 * 360, 2 * 480, 3)  # 96x128 at 480: frame and three maps
    frame, probability = sheet[:360, :480], sheet[:360, 480:]
    assert (frame.max(axis=2) > frame.min(axis=2)).any()
    assert (probability.max(axis=2) == probability.min(axis=2)).all()  # a map is grey


def test_no_pictures_are_written_where_none_are_wanted(tiny_config, tmp_path):
    tiny_config.run.pictures = 0
    Trainer(tiny_config, tmp_path / "run").run(quiet=True)
    for split in ("train", "validation"):
        assert not events_of(tmp_path / "run/events" / split).Tags()["images"]


def test_a_nan_on_the_accelerator_keeps_the_crops(on_accelerator, tmp_path):
    trainer = Trainer(on_accelerator, tmp_path / "run")
    variable = trainer.model.network.get_layer("out_up").weights[0]
    variable.assign(np.full(variable.shape, np.nan, np.float32))
    with pytest.raises(TrainingError, match=r"nan at step 0.*bad-batch-0\.npz"):
        trainer.run(quiet=True)
    with np.load(tmp_path / "run/bad-batch-0.npz") as batch:
        assert batch["frames"].shape == (2, 64, 64, 3)
        assert batch["frames"].dtype == batch["targets"].dtype == np.uint8
        assert batch["frames"].std() > 10


def test_a_run_from_before_a_key_goes_on_with_what_it_did(tiny_config):
    before = to_dict(copy.deepcopy(tiny_config))
    for key in ("split_seed", "cache", "cache_side"):
        del before["data"][key]
    del before["augment"]["where"]
    _check_same_run(tiny_config, before)
    before["data"]["seed"] = tiny_config.data.seed = 5  # the seed of the split, then
    with pytest.raises(UsageError, match=r"data\.split_seed was 5 in the run to resume, now 1"):
        _check_same_run(tiny_config, before)
    tiny_config.data.split_seed = 5
    _check_same_run(tiny_config, before)


def test_a_run_may_go_on_with_other_devices(tiny_config):
    before = to_dict(copy.deepcopy(tiny_config))
    tiny_config.run.devices, tiny_config.run.pictures = 2, 0
    _check_same_run(tiny_config, before)


def test_the_configuration_beside_a_run_is_the_whole_of_it(tiny_config, tmp_path):
    from dbrt.train.config import load_config

    Trainer(tiny_config, tmp_path / "run").run(quiet=True)
    assert to_dict(load_config(tmp_path / "run/config.toml")) == to_dict(tiny_config)
    assert read_checkpoint(tmp_path / "run/best.npz").meta["config"] == to_dict(tiny_config)
