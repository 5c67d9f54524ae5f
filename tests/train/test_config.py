"""Configurations: unknown keys are refused by name, and what is printed can be read."""

from __future__ import annotations

import pytest

from dbrt.errors import InputError, UsageError
from dbrt.train.config import (
    TrainConfig,
    apply_setting,
    load_config,
    to_dict,
    to_toml,
    without_paths,
)


def test_the_printed_configuration_reads_back_as_the_defaults(tmp_path):
    path = tmp_path / "all.toml"
    path.write_text(to_toml(TrainConfig()))
    assert to_dict(load_config(path)) == to_dict(TrainConfig())


def test_every_printed_key_says_what_it_is_for():
    lines = [line for line in to_toml(TrainConfig()).splitlines() if " = " in line]
    assert all("  # " in line for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optimizer]\nratte = 1.0", "no key optimizer.ratte; did you mean rate?"),
        ("[optimiser]\nrate = 1.0", r"no table \[optimiser\]; did you mean optimizer?"),
        ("[run]\nsteps = 'ten'", "run.steps must be int"),
        ("[run]\nsteps = 0", "run.steps is 0"),
        ("[run]\nsteps = true", "run.steps must be int"),
        ("run = 3", r"run is a table, write \[run\]"),
        ("[augment]\ncrop = 100", "augment.crop is 100"),
        ("[loss]\nthreshold_loss = 'l2'", "take one of l1, smooth_l1"),
        ("[data]\nweights = [1, 2]", "the same length"),
        ("[data]\nsets = 'icdar2015:train'", "data.sets must be a list"),
        ("[run]\nvalidation_shape = [700, 1280]", "multiples of 32"),
        ("[run\n", "not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("optimizer.rate=0.5", 0.5), ("optimizer.rate=1", 1.0), ("optimizer.name=sgd", "sgd")],
)
def test_single_settings_are_typed(setting, value):
    config = TrainConfig()
    apply_setting(config, setting)
    assert getattr(config.optimizer, setting.split("=")[0].split(".")[1]) == value


def test_an_unknown_setting_is_refused():
    with pytest.raises(UsageError, match="did you mean steps"):
        apply_setting(TrainConfig(), "run.step=3")


def test_a_published_configuration_names_no_folders():
    config = TrainConfig()
    config.model.init = "/home/me/weights/mobile.pt"
    config.data.sets = ["icdar2015:train", "folder:/home/me/signs"]
    published = without_paths(to_dict(config))
    assert published["model"]["init"] == "mobile.pt"
    assert published["data"]["sets"] == ["icdar2015:train", "folder:signs"]
    assert "/home/me" not in str(published)
