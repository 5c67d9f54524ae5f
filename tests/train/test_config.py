"""Configurations: unknown keys are refused by name, and what is printed can be read."""

from __future__ import annotations

from pathlib import Path

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
from dbrt.train.recipes import RECIPES

PUBLISHED = Path(__file__).parents[2] / "docs/recipes"


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
        ("recipe = 'papre'", "no recipe 'papre'; did you mean paper?"),
        ("recipe = 3", "no recipe 3"),
        ("[augment]\njpeg = 1.5", "a share lies between 0 and 1"),
        ("[augment]\nscale = [2.0, 1.0]", "the lowest and the highest"),
        ("[augment]\njpeg_quality = [50, 101]", "100 is the highest"),
        ("[augment]\ntilt = 0.5", "take at most 0.2"),
        ("[augment]\nstretch = 0.9", "take at least 1"),
        ("[augment]\nwhere = 'gpu'", "take one of cpu, accelerator"),
        ("[run]\nprecision = 'float16'", "mixed_float16"),
        ("[run]\ndevices = -1", "take 0 or more"),
        ("[data]\ncache_side = 100", "at least half a crop"),
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


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_configuration_that_reads_back(tmp_path, name):
    path = tmp_path / "mine.toml"
    path.write_text(f"recipe = '{name}'\n[run]\nsteps = 7\n")
    config = load_config(path)
    assert config.run.steps == 7
    path.write_text(to_toml(config))
    assert to_dict(load_config(path)) == to_dict(config)


def test_the_paper_is_sgd_with_poly_and_its_published_weights():
    config = load_config(None, recipe="paper")
    assert (config.optimizer.name, config.optimizer.schedule) == ("sgd", "poly")
    loss = config.loss
    assert (loss.balance, loss.dice_p, loss.dice_binary, loss.threshold) == (5.0, 0.0, 1.0, 10.0)
    assert load_config(None, recipe="seed").loss.threshold_loss == "smooth_l1"


def test_a_recipe_on_the_command_line_goes_before_the_files_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("recipe = 'paper'\n[run]\nbatch = 4\n")
    config = load_config(path, recipe="seed")
    assert (config.model.backbone, config.run.batch) == ("resnet50", 4)


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.toml")), ids=lambda p: p.stem)
def test_the_published_recipes_are_read(path):
    assert load_config(path).run.steps > 1000


def test_the_default_recipe_changes_nothing():
    assert to_dict(load_config(None)) == to_dict(TrainConfig())
