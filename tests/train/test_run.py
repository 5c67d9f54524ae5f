"""What a run does and leaves, with a network of three layers: it is about what is round it."""

from __future__ import annotations

import copy
import json

import cv2
import numpy as np
import pytest

from dbrt.errors import TrainingError, UsageError
from dbrt.train.checkpoint import read_checkpoint
from dbrt.train.config import load_config, to_dict
from dbrt.train.trainer import Trainer, _check_same_run

pytestmark = pytest.mark.usefixtures("tiny_network")


def rows_of(folder, split="train") -> list[dict]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if row["split"] == split]


@pytest.fixture(scope="module")
def finished(new_config, tmp_path_factory):
    """A run of four steps with all that is written: its folder, configuration and step logs."""
    config, folder = new_config(), tmp_path_factory.mktemp("finished") / "run"
    config.data.validation, config.run.pictures = 2, 1
    trainer = Trainer(config, folder)
    seen, train = [], trainer.devices.train
    trainer.devices.train = lambda *given: seen.append(train(*given)) or seen[-1]
    trainer.run(quiet=True)
    return folder, config, seen


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


def test_a_run_on_the_accelerator_resumes_onto_the_same_curve(on_accelerator, tmp_path):
    on_accelerator.run.precision = "mixed_float16"  # whose optimizer has more to save
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
    on_accelerator.data.validation = 0
    for on_accelerator.data.cache in ("device", "host"):
        folder = tmp_path / on_accelerator.data.cache
        Trainer(copy.deepcopy(on_accelerator), folder).run(quiet=True)
        losses.append(rows_of(folder)[-1]["loss"])
        check_batch_sheet(folder)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_mixed_precision_reaches_the_loss_of_float32(tiny_config, tmp_path):
    tiny_config.run.steps = 12
    tiny_config.data.validation = 0
    last = {}
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        tiny_config.run.precision = precision
        Trainer(copy.deepcopy(tiny_config), tmp_path / precision).run(quiet=True)
        last[precision] = rows_of(tmp_path / precision)[-1]
    expected = pytest.approx(last["float32"]["loss"], rel=0.03)
    assert last["mixed_bfloat16"]["loss"] == expected
    assert last["mixed_float16"]["loss"] == expected
    assert last["mixed_float16"]["loss_scale"] >= 1.0
    assert "loss_scale" not in last["mixed_bfloat16"]


def test_the_paper_s_optimizer_and_losses_train_and_no_picture_is_shown_unwanted(
    tiny_config, tmp_path
):
    tiny_config.run.pictures = 0
    tiny_config.optimizer.name, tiny_config.optimizer.schedule = "sgd", "poly"
    tiny_config.optimizer.rate, tiny_config.optimizer.warmup = 0.05, 2
    tiny_config.loss.threshold_loss = "smooth_l1"
    tiny_config.run.steps = 30
    trainer = Trainer(tiny_config, tmp_path / "run")
    losses = []
    train = trainer.devices.train
    trainer.devices.train = lambda *given: losses.append(train(*given)) or losses[-1]
    trainer.run(quiet=True)
    rates = [row["rate"] for row in rows_of(tmp_path / "run")]
    losses = [logs["loss"] for logs in losses]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert rates == pytest.approx([0.05 * (1.0 - 18 / 28) ** 0.9, 0.0], abs=1e-6)
    for split in ("train", "validation"):
        assert not events_of(tmp_path / "run/events" / split).Tags()["images"]


def test_a_row_of_the_log_is_the_mean_over_its_steps(finished):
    folder, _, seen = finished
    (row,) = rows_of(folder)
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


def test_tensorboard_shows_training_and_validation_under_the_same_names(finished):
    folder, _, _ = finished
    terms = {
        *("total_loss", "binarize_loss", "threshold_loss", "thresh_binary_loss"),
        *("binarize_accuracy", "thresh_binary_accuracy"),
    }
    train, validation = (events_of(folder / "events" / s) for s in ("train", "validation"))
    assert terms | {"rate", "images_per_second"} <= set(train.Tags()["scalars"])
    assert terms | {"hmean", "precision", "recall"} <= set(validation.Tags()["scalars"])
    (row,) = rows_of(folder)
    (point,) = train.Scalars("total_loss")
    assert (point.step, point.value) == (4, pytest.approx(row["loss"], rel=1e-5))


def picture_in(events, tag: str) -> np.ndarray:
    image = events.Images(tag)[0]
    picture = cv2.imdecode(np.frombuffer(image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (image.height, image.width, 3)
    return picture


def check_batch_sheet(folder) -> None:
    sheet = picture_in(events_of(folder / "events/train"), "batch")
    assert sheet.shape == (2 * 160, 5 * 160, 3)  # two crops, each with four maps
    masks, texts = sheet[:, 320:480], sheet[:, 160:320]
    assert (masks > 200).mean() > 0.3
    assert 0.0 < (texts > 127).mean() < 0.5


def test_tensorboard_shows_a_batch_with_its_targets(finished):
    check_batch_sheet(finished[0])


def test_tensorboard_shows_the_three_maps_of_validation_pictures(finished):
    events = events_of(finished[0] / "events/validation")
    (tag,) = events.Tags()["images"]  # of two pictures, as run.pictures says
    assert tag.startswith("maps/img_")
    sheet = picture_in(events, tag)
    assert sheet.shape == (2 * 360, 2 * 480, 3)  # 96x128 at 480: frame and three maps
    frame, probability = sheet[:360, :480], sheet[:360, 480:]
    assert (frame.max(axis=2) > frame.min(axis=2)).any()
    assert (probability.max(axis=2) == probability.min(axis=2)).all()  # a map is grey


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


def test_the_configuration_beside_a_run_is_the_whole_of_it(finished):
    folder, config, _ = finished
    assert to_dict(load_config(folder / "config.toml")) == to_dict(config)
    assert read_checkpoint(folder / "best.npz").meta["config"] == to_dict(config)
