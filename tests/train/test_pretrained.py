"""ImageNet weights from torch's files, read without torch."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.train.network import build_network
from dbrt.train.pretrained import load_backbone, read_state_dict

VALUES = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.running_var": np.array([1.0, 2.0], np.float32),
}


@pytest.fixture
def torch_names(monkeypatch):
    """Stand-ins for the two names of torch that its pickles refer to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is pickled")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch, utils


class _Tensor:
    def __init__(self, rebuild, storage, array):
        self.rebuild, self.storage, self.array = rebuild, storage, array

    def __reduce__(self):
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return self.rebuild, (self.storage, 0, self.array.shape, strides, False, OrderedDict())


class _Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count


def pickled_state(names, *, legacy):
    torch, utils = names
    state = OrderedDict(
        (name, _Tensor(utils._rebuild_tensor_v2, _Storage(torch.FloatStorage, str(i), a.size), a))
        for i, (name, a) in enumerate(VALUES.items())
    )

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, _Storage):
                return None
            pid = ("storage", obj.kind, obj.key, "cpu", obj.count)
            return (*pid, None) if legacy else pid

    out = io.BytesIO()
    Pickler(out, 2).dump(state)
    return out.getvalue()


def write_zip(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled_state(names, legacy=False))
        for i, array in enumerate(VALUES.values()):
            archive.writestr(f"archive/data/{i}", array.tobytes())


def write_legacy(path, names):
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({}, 2)]
    parts += [pickled_state(names, legacy=True), pickle.dumps(["0", "1"], 2)]
    for array in VALUES.values():
        parts += [struct.pack("<q", array.size), array.tobytes()]
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize("write", [write_zip, write_legacy], ids=["zip", "legacy"])
def test_tensors_of_torch_files_are_read(tmp_path, torch_names, write):
    path = tmp_path / "weights.pt"
    write(path, torch_names)
    found = read_state_dict(path)
    assert found.keys() == VALUES.keys()
    np.testing.assert_array_equal(found["conv.weight"], VALUES["conv.weight"])
    np.testing.assert_array_equal(found["bn.running_var"], VALUES["bn.running_var"])


def test_a_real_torch_file_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "real.pt"
    torch.save({"a": torch.arange(6.0).reshape(2, 3).T}, path)
    np.testing.assert_array_equal(read_state_dict(path)["a"], [[0, 3], [1, 4], [2, 5]])


def test_code_in_a_weights_file_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return exec, (f"open({str(marker)!r}, 'w')",)

    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Evil()}))
    with pytest.raises(InputError, match=r"builtins\.exec, not only tensors"):
        read_state_dict(path)
    assert not marker.exists()


@pytest.mark.parametrize("data", [b"", b"no weights", b"\x80\x02}q\x00."])
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "weights.pt"
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a file of weights"):
        read_state_dict(path)


def mobilenet_state(network, rng):
    state = {}
    for layer in network.layers:
        parts = layer.name.split("_", 1)
        if not layer.weights or not (parts[0] == "stem" or parts[0].startswith("block")):
            continue
        if parts[0] == "stem":
            source = {"conv": "features.0.0", "bn": "features.0.1"}[parts[1]]
        else:
            order = ["expand", "expand_bn", "depthwise", "depthwise_bn", "project", "project_bn"]
            slots = (0, 1, 3, 4, 6, 7)
            number = parts[0].removeprefix("block")
            at = order.index(parts[1]) - (2 if number == "1" else 0)
            source = f"features.{number}.conv.{slots[at]}"
        for variable, kind in zip(
            layer.weights,
            ("weight", "bias", "running_mean", "running_var"),
            strict=False,
        ):
            value = rng.random(tuple(variable.shape)).astype(np.float32)
            if value.ndim == 4:
                depthwise = type(layer).__name__ == "DepthwiseConv2D"
                value = value.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            state[f"{source}.{kind}"] = value
    return state


def test_mobilenet_weights_land_in_their_layers():
    network = build_network("mobilenetv2", (64, 64))
    state = mobilenet_state(network, np.random.default_rng(1))
    state["features.18.0.weight"] = np.zeros((1280, 320, 1, 1), np.float32)  # passed over
    load_backbone(network, state, "mobilenetv2")
    kernel = network.get_layer("block5_depthwise").get_weights()[0]
    np.testing.assert_array_equal(kernel[:, :, 7, 0], state["features.5.conv.3.weight"][7, 0])
    gamma, _, _, variance = network.get_layer("block17_project_bn").get_weights()
    np.testing.assert_array_equal(gamma, state["features.17.conv.7.weight"])
    np.testing.assert_array_equal(variance, state["features.17.conv.7.running_var"])


def test_a_missing_tensor_is_named():
    network = build_network("mobilenetv2", (64, 64))
    state = mobilenet_state(network, np.random.default_rng(1))
    del state["features.9.conv.3.weight"]
    with pytest.raises(InputError, match=r"no features\.9\.conv\.3\.weight"):
        load_backbone(network, state, "mobilenetv2")


def test_a_tensor_of_another_shape_is_named():
    network = build_network("mobilenetv2", (64, 64))
    state = mobilenet_state(network, np.random.default_rng(1))
    state["features.0.0.weight"] = np.zeros((16, 3, 3, 3), np.float32)
    with pytest.raises(InputError, match=r"features\.0\.0"):
        load_backbone(network, state, "mobilenetv2")


def test_resnet_takes_torchvision_names():
    network = build_network("resnet18", (64, 64))
    rng = np.random.default_rng(2)
    state = {}
    for stage in range(1, 5):
        width, before = 64 * 2 ** (stage - 1), 64 * 2 ** max(stage - 2, 0)
        for block in range(2):
            name = f"layer{stage}.{block}"
            first = before if block == 0 else width
            state[f"{name}.conv1.weight"] = rng.random((width, first, 3, 3))
            state[f"{name}.conv2.weight"] = rng.random((width, width, 3, 3))
            norms = [f"{name}.bn1", f"{name}.bn2"]
            if stage > 1 and block == 0:
                state[f"{name}.downsample.0.weight"] = rng.random((width, first, 1, 1))
                norms.append(f"{name}.downsample.1")
            for norm in norms:
                for kind in ("weight", "bias", "running_mean", "running_var"):
                    state[f"{norm}.{kind}"] = rng.random(width)
    state["conv1.weight"] = rng.random((64, 3, 7, 7))
    for kind in ("weight", "bias", "running_mean", "running_var"):
        state[f"bn1.{kind}"] = rng.random(64)
    load_backbone(network, state, "resnet18")
    kernel = network.get_layer("layer2_0_downsample").get_weights()[0]
    expected = state["layer2.0.downsample.0.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_allclose(kernel, expected, rtol=1e-6)
