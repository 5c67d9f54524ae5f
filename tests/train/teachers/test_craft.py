"""CRAFT in Keras computes what the published PyTorch network computes with the same weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.train.pretrained import read_state_dict
from dbrt.train.teachers.craft import build_craft, load_craft, set_craft_weights

WIDTH = 4


@pytest.fixture(scope="module")
def network():
    return build_craft(WIDTH)


def test_at_full_width_it_has_the_published_number_of_parameters():
    full = build_craft()
    trainable = sum(math.prod(v.shape) for v in full.trainable_variables)
    assert trainable == 20_770_466


@pytest.fixture(scope="module")
def torch_craft():
    """The published network in PyTorch, as its layers and file names define it; narrow."""
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional

    def stage(*numbers):
        """Layers by their number in VGG-16 with batch normalisation."""
        layers = torch.nn.Sequential()
        for number in numbers:
            layers.add_module(str(number), made(number))
        return layers

    channels = {0: (3, 1), 3: (1, 1), 7: (1, 2), 10: (2, 2), 14: (2, 4), 17: (4, 4), 20: (4, 4)}
    channels |= {24: (4, 8), 27: (8, 8), 30: (8, 8), 34: (8, 8), 37: (8, 8)}

    def made(number):
        if number in channels:
            before, after = channels[number]
            return nn.Conv2d(3 if number == 0 else before * WIDTH, after * WIDTH, 3, padding=1)
        if number - 1 in channels:
            return nn.BatchNorm2d(channels[number - 1][1] * WIDTH)
        if number in (6, 13, 23, 33):
            return nn.MaxPool2d(2)
        return nn.ReLU(inplace=True)

    def up(before, middle, after):
        parts = [nn.Conv2d(before, middle, 1), nn.BatchNorm2d(middle), nn.ReLU(inplace=True)]
        parts += [nn.Conv2d(middle, after, 3, padding=1), nn.BatchNorm2d(after)]
        block = nn.Module()
        block.conv = nn.Sequential(*parts, nn.ReLU(inplace=True))
        return block

    class Craft(nn.Module):
        def __init__(self):
            super().__init__()
            w = WIDTH
            self.basenet = nn.Module()
            self.basenet.slice1 = stage(*range(12))
            self.basenet.slice2 = stage(*range(12, 19))
            self.basenet.slice3 = stage(*range(19, 29))
            self.basenet.slice4 = stage(*range(29, 39))
            self.basenet.slice5 = nn.Sequential(
                nn.MaxPool2d(3, 1, 1),
                nn.Conv2d(8 * w, 16 * w, 3, padding=6, dilation=6),
                nn.Conv2d(16 * w, 16 * w, 1),
            )
            self.upconv1 = up(24 * w, 8 * w, 4 * w)
            self.upconv2 = up(12 * w, 4 * w, 2 * w)
            self.upconv3 = up(6 * w, 2 * w, w)
            self.upconv4 = up(3 * w, w, w // 2)
            half, quarter = w // 2, w // 4
            relu = nn.ReLU(inplace=True)
            self.conv_cls = nn.Sequential(
                *(nn.Conv2d(half, half, 3, padding=1), relu),
                *(nn.Conv2d(half, half, 3, padding=1), relu),
                *(nn.Conv2d(half, quarter, 3, padding=1), relu),
                *(nn.Conv2d(quarter, quarter, 1), relu),
                nn.Conv2d(quarter, 2, 1),
            )

        def forward(self, x):
            base = self.basenet
            second = base.slice1(x)
            third = base.slice2(second)
            fourth = base.slice3(third)
            fifth = base.slice4(fourth)
            y = self.upconv1.conv(torch.cat([base.slice5(fifth), fifth], 1))
            for block, level in (
                (self.upconv2, fourth),
                (self.upconv3, third),
                (self.upconv4, second),
            ):
                y = functional.interpolate(y, size=level.shape[2:], mode="bilinear")
                y = block.conv(torch.cat([y, level], 1))
            return self.conv_cls(y)

    torch.manual_seed(3)
    made_network = Craft().eval()
    with torch.no_grad():
        for norm in [m for m in made_network.modules() if isinstance(m, nn.BatchNorm2d)]:
            norm.running_mean.normal_(0, 0.2)
            norm.running_var.uniform_(0.3, 1.0)
            norm.weight.uniform_(0.7, 1.6)
            norm.bias.normal_(0, 0.2)
    return torch, made_network


def test_it_computes_what_the_published_network_computes(torch_craft, network):
    torch, theirs = torch_craft
    set_craft_weights(network, {k: v.numpy() for k, v in theirs.state_dict().items()})
    image = np.random.default_rng(1).normal(size=(1, 64, 96, 3)).astype(np.float32)
    found = np.asarray(network(image, training=False))
    with torch.no_grad():
        expected = theirs(torch.from_numpy(image.transpose(0, 3, 1, 2).copy())).numpy()
    assert found.shape == (1, 32, 48, 2)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found.transpose(0, 3, 1, 2), expected, atol=2e-5)


def test_a_file_of_torch_fills_it(torch_craft, network, tmp_path, monkeypatch):
    torch, theirs = torch_craft
    # As published: from a model of several GPUs, every name with "module." in front.
    state = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    torch.save(state, tmp_path / "craft.pth")
    monkeypatch.setattr(build_craft, "__defaults__", (WIDTH,))
    loaded = load_craft(read_state_dict(tmp_path / "craft.pth"))
    kernel = loaded.get_layer("upconv2_conv_3").get_weights()[0]
    expected = theirs.state_dict()["upconv2.conv.3.weight"].numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel, expected)


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(InputError, match=r"has no basenet\.slice1\.0\.weight"):
        load_craft({"conv1.weight": np.zeros((4, 3, 7, 7), np.float32)})
