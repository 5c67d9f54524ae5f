"""The networks have the published shapes and parameter counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dbrt.errors import UsageError
from dbrt.train.folding import convolutions, fold
from dbrt.train.network import build_network

# Trainable parameters of the training graph, and batch normalisation statistics. ResNets: the
# published code's counts without its unused layers; the light one from its table of layers.
COUNTS = {
    "resnet18": (12_340_930, 10_112),
    "resnet50": (25_409_730, 53_632),
    "mobilenetv2": (1_986_482, 31_744),
}
INFERENCE = {"resnet18": 12_176_513, "resnet50": 25_245_313, "mobilenetv2": 1_963_225}
TAPS = {
    "resnet18": ("layer1_1_relu", "layer2_1_relu", "layer3_1_relu", "layer4_1_relu"),
    "resnet50": ("layer1_2_relu", "layer2_3_relu", "layer3_5_relu", "layer4_2_relu"),
    "mobilenetv2": ("block3_add", "block6_add", "block13_add", "block17_project_bn"),
}
CHANNELS = {
    "resnet18": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
    "mobilenetv2": (24, 32, 96, 320),
}


def count(variables):
    return sum(math.prod(v.shape) for v in variables)


@pytest.fixture(scope="module", params=sorted(COUNTS))
def backbone(request):
    return request.param


@pytest.fixture(scope="module")
def network(backbone):
    return build_network(backbone, (96, 160))


def test_training_graph_has_the_published_number_of_parameters(backbone, network):
    found = count(network.trainable_variables), count(network.non_trainable_variables)
    assert found == COUNTS[backbone]


def test_inference_graph_lacks_just_the_threshold_head(backbone, network):
    head = [layer for layer in network.layers if layer.name.startswith("threshold")]
    left = count(network.trainable_variables) - sum(count(x.trainable_variables) for x in head)
    assert left == INFERENCE[backbone]


def test_taps_have_the_channels_and_strides_of_the_pyramid(backbone, network):
    shapes = [tuple(network.get_layer(name).output.shape) for name in TAPS[backbone]]
    strides = (4, 8, 16, 32)
    expected = [
        (None, 96 // s, 160 // s, c) for s, c in zip(strides, CHANNELS[backbone], strict=True)
    ]
    assert shapes == expected


def test_output_is_two_logits_for_each_pixel(network):
    assert tuple(network.output.shape) == (None, 96, 160, 2)


def test_no_convolution_has_a_bias_but_the_deconvolutions(network):
    biased = {layer.name for layer in convolutions(network) if layer.use_bias}
    assert biased == {"binarize_up1", "binarize_up2", "threshold_up1", "threshold_up2"}


def test_folded_network_computes_the_same(network):
    rng = np.random.default_rng(3)
    for layer in network.layers:  # away from the identity that a new normalisation is
        if type(layer).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = layer.get_weights()
            spread = rng.uniform(0.5, 1.5, gamma.shape)
            layer.set_weights(
                [spread, rng.normal(0, 0.1, beta.shape), mean + 0.1, variance * spread]
            )
    image = rng.normal(size=(1, 96, 160, 3)).astype(np.float32)
    before = np.asarray(network(image, training=False))
    after = np.asarray(fold(network)(image, training=False))
    np.testing.assert_allclose(after, before, atol=2e-3 * np.abs(before).max())


def test_unknown_backbone_is_refused_by_name():
    with pytest.raises(UsageError, match=r"vgg16.*mobilenetv2"):
        build_network("vgg16")
