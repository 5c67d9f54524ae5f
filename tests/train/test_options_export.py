"""ASPP, adaptive fusion and deformable convolutions through the export, on every runner."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from dbrt.engine.graph import GRAPH_VERSION, prepare
from dbrt.engine.modelfile import find_model, read_model_file
from dbrt.engine.runner import BuildOptions
from dbrt.engine.select import open_runner
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, InputError
from dbrt.train.checkpoint import Checkpoint, network_weights
from dbrt.train.config import TrainConfig, to_dict
from dbrt.train.export import Settings, export_model, settings_of
from dbrt.train.modelfile import load_model_file, read_network
from dbrt.train.network import build_network
from dbrt.train.network_options import NetworkOptions, is_optional
from dbrt.train.onnx_graph import _name_convolutions
from dbrt.train.step import normalise

SHAPE = (96, 160)
OPTIONS = {
    "aspp": NetworkOptions(neck="aspp"),
    "adaptive": NetworkOptions(fusion="adaptive"),
    "deformable": NetworkOptions(deformable=True),
    "all": NetworkOptions("aspp", "adaptive", True),
}
SINGLE = ("aspp", "adaptive", "deformable")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return a function: options by name -> the path of a light network with them, not at start."""
    folder, done = tmp_path_factory.mktemp("options"), {}

    def export(name):
        if name not in done:
            network = build_network("mobilenetv2", (64, 96), OPTIONS[name])
            rng = np.random.default_rng(7)
            for layer in network.layers:
                if layer.weights and is_optional(layer.name):
                    values = layer.get_weights()
                    noise = [np.abs(rng.normal(0, 0.1, value.shape)) for value in values]
                    layer.set_weights([v + n for v, n in zip(values, noise, strict=True)])
            path = folder / f"{name}.onnx"
            settings = Settings(name, "mobilenetv2", options=OPTIONS[name])
            export_model(network_weights(network), settings, path)
            done[name] = path
        return done[name]

    return export


@pytest.fixture(
    scope="module",
    params=["all", *(pytest.param(name, marks=pytest.mark.slow) for name in SINGLE)],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(1).integers(0, 256, (1, *SHAPE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def maps(exported, name, frames):
    """Keras' maps of the network that the file was read back into."""
    logits = np.asarray(read_network(exported(name))(normalise(frames), training=False))
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def test_a_model_file_says_its_options_and_is_rebuilt_with_them(exported, name):
    network = read_network(exported(name))
    assert network.db_options == OPTIONS[name]


def test_standard_operators_only(exported, name):
    model = onnx.load(exported(name))
    assert [entry.domain for entry in model.opset_import] == [""]
    assert {node.domain for node in model.graph.node} == {""}
    found = Counter(node.op_type for node in model.graph.node)
    assert found["GridSample"] == 3 * OPTIONS[name].deformable
    assert found["GlobalAveragePool"] == (OPTIONS[name].neck == "aspp")


def test_onnx_runtime_computes_the_same_as_keras(exported, name, frames, maps):
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(str(exported(name)), providers=["CPUExecutionProvider"])
    image = np.asarray(normalise(frames)).transpose(0, 3, 1, 2).copy()
    found = session.run(["probability", "threshold"], {"image": image})
    for index, result in enumerate(found):
        np.testing.assert_allclose(result[:, 0], maps[..., index], atol=1e-4)


@pytest.mark.parametrize("runner", ["openvino", "onnxruntime"])
def test_runners_compute_the_same_as_keras(
    exported, name, frames, maps, runner, tmp_path, monkeypatch
):
    pytest.importorskip(runner)
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path))
    model = read_model_file(exported(name))
    with open_runner(model, shape=SHAPE, runner=runner, precision="fp32") as opened:
        found = np.array(opened.infer(frames))
    assert np.abs(found / 255.0 - maps[..., 0]).max() <= 0.5 / 255 + 1e-4


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_tensorrt_rtx_builds_all_of_them(exported, precision):
    pytest.importorskip("tensorrt_rtx")
    from dbrt.engine.tensorrt.builder import compile_engine
    from dbrt.engine.tensorrt.library import load_library

    model = read_model_file(exported("all"))
    spec = EngineSpec(
        model_name=model.name,
        model_sha256=model.sha256,
        shape=(64, 96),
        batch=1,
        precision=precision,
        runner="tensorrt",
        runner_version=load_library("tensorrt-rtx").title,
        target="sm_89",
        graph_version=GRAPH_VERSION,
    )
    assert compile_engine(model, spec, BuildOptions(), lambda *_: None).data


def test_a_prepared_graph_has_its_places_as_constants(exported):
    graph = prepare(read_model_file(exported("all")), SHAPE).graph
    left = {node.op_type for node in graph.node}
    assert not left & {"Shape", "Range", "Mod", "Gather", "Unsqueeze"}


def test_training_goes_on_from_a_plain_file_with_more_options(frames):
    path = find_model("dbrt-lite")
    shipped = read_network(path)
    network = build_network("mobilenetv2", options=OPTIONS["all"])
    load_model_file(network, path)
    before = np.asarray(shipped(normalise(frames), training=False))
    after = np.asarray(network(normalise(frames), training=False))
    np.testing.assert_allclose(after, before, atol=1e-4 * np.abs(before).max())


def test_a_file_with_options_that_are_off_is_refused(exported):
    with pytest.raises(InputError, match=r"model\.neck"):
        load_model_file(build_network("mobilenetv2"), exported("all"))


def test_the_options_of_a_run_reach_the_file():
    config = TrainConfig()
    config.model.neck = "aspp"
    meta = {"step": 1, "seconds": 1.0, "backbone": "mobilenetv2", "config": to_dict(config)}
    settings = settings_of(Checkpoint({}, {}, [], meta), name="a", unit="word", card={})
    assert settings.options == OPTIONS["aspp"]


def test_a_run_from_before_there_were_options_is_plain():
    config = to_dict(TrainConfig())
    for key in ("neck", "fusion", "deformable"):
        del config["model"][key]
    meta = {"step": 1, "seconds": 1.0, "backbone": "mobilenetv2", "config": config}
    settings = settings_of(Checkpoint({}, {}, [], meta), name="a", unit="word", card={})
    assert settings.options == NetworkOptions()


def test_what_is_merged_into_a_convolution_without_bias_is_an_error():
    """The picture's mean of ASPP once arrived as the bias of its neighbour."""
    layer = pytest.importorskip("keras").layers.Conv2D(2, 1, use_bias=False, name="alone")
    layer.build((None, None, None, 3))
    kernel = layer.get_weights()[0].transpose(3, 2, 0, 1)
    graph = onnx.GraphProto()
    graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(kernel), "k"))
    graph.node.append(onnx.helper.make_node("Conv", ["x", "k", "elsewhere"], ["y"]))
    with pytest.raises(EngineError, match="alone has got a bias"):
        _name_convolutions(graph, [layer])
