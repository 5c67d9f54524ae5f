"""ASPP, adaptive fusion and deformable convolutions: size, start, and what names them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dbrt.errors import InputError, UsageError
from dbrt.train.checkpoint import network_weights
from dbrt.train.config import TrainConfig, apply_setting
from dbrt.train.folding import fold
from dbrt.train.network import build_network
from dbrt.train.network_options import NetworkOptions, is_optional
from dbrt.train.start import set_shared_weights

ASPP = NetworkOptions(neck="aspp")
ADAPTIVE = NetworkOptions(fusion="adaptive")
DEFORMABLE = NetworkOptions(deformable=True)
ALL = NetworkOptions("aspp", "adaptive", True)


def convolution(kernel, before, after, *, norm=False, bias=False):
    return kernel * kernel * before * after + 2 * after * norm + after * bias


def aspp_size(c5, inner):
    branches = convolution(1, c5, inner, norm=True) + 3 * convolution(3, c5, inner, norm=True)
    picture = convolution(1, c5, inner, bias=True)
    return branches + picture + 5 * convolution(1, inner, inner)


def adaptive_size(inner):
    # As the published code of DB++: a biased 3x3, the spatial part, one weight for each level.
    quarter = inner // 4
    return convolution(3, inner, quarter, bias=True) + 9 + 1 + 4 * quarter


def offsets(*channels):
    return sum(convolution(3, count, 27, bias=True) for count in channels)


# What the two 3x3 convolutions of each basic block, or the one of each bottleneck, read in stages
# 3 to 5 (He et al. 2016, table 1); the thin inputs of three blocks (Sandler et al. 2018, table 2).
SIZES = {
    ("mobilenetv2", ASPP): aspp_size(320, 96),
    ("mobilenetv2", ADAPTIVE): adaptive_size(96),
    ("mobilenetv2", DEFORMABLE): offsets(32, 96, 160),
    ("resnet18", ADAPTIVE): adaptive_size(256),
    ("resnet18", DEFORMABLE): offsets(64, *[128] * 4, *[256] * 4, *[512] * 3),
    ("resnet18", ASPP): aspp_size(512, 256),
    ("resnet50", DEFORMABLE): offsets(*[128] * 4, *[256] * 6, *[512] * 3),
}


def count(network):
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


@pytest.fixture(scope="module")
def plain():
    return {name: build_network(name, (64, 96)) for name in ("mobilenetv2", "resnet18", "resnet50")}


@pytest.mark.parametrize(("backbone", "options"), SIZES, ids=str)
def test_an_option_has_the_parameters_of_its_paper(plain, backbone, options):
    network = build_network(backbone, (64, 96), options)
    assert count(network) - count(plain[backbone]) == SIZES[backbone, options]


@pytest.fixture(scope="module")
def everything(plain):
    """The light network with all options, over the plain one's weights."""
    network = build_network("mobilenetv2", (64, 96), ALL)
    set_shared_weights(network, network_weights(plain["mobilenetv2"]), source="the plain one")
    return network


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).normal(size=(2, 64, 96, 3)).astype(np.float32)


def test_a_network_that_gets_all_options_begins_as_it_was(plain, everything, image):
    before = np.asarray(plain["mobilenetv2"](image, training=False))
    after = np.asarray(everything(image, training=False))
    np.testing.assert_allclose(after, before, atol=1e-6 * np.abs(before).max())


def test_deformable_strides_of_a_resnet_begin_as_they_were(plain):
    network = build_network("resnet18", (64, 96), DEFORMABLE)
    set_shared_weights(network, network_weights(plain["resnet18"]), source="the plain one")
    image = np.random.default_rng(2).normal(size=(1, 64, 96, 3)).astype(np.float32)
    before = np.asarray(plain["resnet18"](image, training=False))
    after = np.asarray(network(image, training=False))
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())


def test_options_survive_the_folding(everything, image):
    before = np.asarray(everything(image, training=False))
    after = np.asarray(fold(everything)(image, training=False))
    np.testing.assert_allclose(after, before, atol=1e-4 * np.abs(before).max())


def test_the_layers_of_options_are_known_by_name(plain, everything):
    own = {layer.name for layer in everything.layers if layer.weights}
    shared = {layer.name for layer in plain["mobilenetv2"].layers if layer.weights}
    assert {name for name in own if is_optional(name)} == own - shared


def test_an_optional_layer_that_the_network_lacks_is_not_dropped_silently(plain, everything):
    with pytest.raises(InputError, match=r"has the layer aspp_.*set model\.neck"):
        set_shared_weights(plain["mobilenetv2"], network_weights(everything), source="a.npz")


def test_a_missing_layer_of_every_network_is_still_an_error(plain, everything):
    weights = network_weights(plain["mobilenetv2"])
    del weights["in3/kernel"]
    with pytest.raises(InputError, match=r"has no in3/kernel"):
        set_shared_weights(everything, weights, source="a.npz")


@pytest.mark.parametrize("options", [NetworkOptions(), ASPP, ALL], ids=str)
def test_options_are_read_back_from_what_a_model_file_says(options):
    assert NetworkOptions.from_json(options.to_json()) == options


def test_a_file_from_before_there_were_options_is_plain():
    assert NetworkOptions.from_json(None) == NetworkOptions()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"neck": "pan"}', '{"attention": true}', '{"deformable": 1}', '"aspp"']
)
def test_options_that_this_version_lacks_are_refused(text):
    with pytest.raises(InputError, match=r"dbrt\.network"):
        NetworkOptions.from_json(text)


@pytest.mark.parametrize(
    "setting", ['model.neck="pan"', 'model.fusion="sum"'], ids=["neck", "fusion"]
)
def test_the_configuration_refuses_unknown_options_by_name(setting):
    config = TrainConfig()
    apply_setting(config, setting)
    with pytest.raises(UsageError, match=setting.split("=")[0].replace(".", r"\.")):
        config.check()
