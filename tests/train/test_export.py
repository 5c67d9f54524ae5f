"""From Keras to a model file and back."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest

from dbrt.engine.graph import prepare
from dbrt.engine.modelfile import read_model_file
from dbrt.errors import InputError, OutputError
from dbrt.train.checkpoint import Checkpoint, network_weights, set_network_weights
from dbrt.train.config import TrainConfig, to_dict
from dbrt.train.export import Settings, export_model, settings_of
from dbrt.train.modelfile import load_model_file
from dbrt.train.network import build_network
from dbrt.train.step import normalise
from dbrt.train.trainer import Trainer

SHAPE = (96, 160)


@pytest.fixture(scope="module")
def ort():
    return pytest.importorskip("onnxruntime")


@pytest.fixture
def frames():
    frame = np.random.default_rng(1).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    cv2.putText(frame, "TEXT", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 255, 255), 4)
    return frame[None]


def probability(network, frames):
    logits = np.asarray(network(normalise(frames), training=False))
    maps = 0.5 * (1.0 + np.tanh(0.5 * logits))  # the sigmoid, without overflow
    return maps[..., 0], maps[..., 1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a function that trains two steps once and exports; weights and the file."""
    done = {}

    def train(config):
        if not done:
            folder = tmp_path_factory.mktemp("trained")
            config.run.steps = 2
            weights = Trainer(config, folder / "run").run(quiet=True).ema
            settings = Settings("tiny", "mobilenetv2", min_score=0.5, card={"steps": 2})
            export_model(weights, settings, folder / "tiny.onnx")
            done["it"] = weights, folder / "tiny.onnx"
        return done["it"]

    return train


def test_trained_exported_and_read_back_is_the_same_network(trained, tiny_config, frames):
    weights, path = trained(tiny_config)
    before, after = build_network("mobilenetv2"), build_network("mobilenetv2")
    set_network_weights(before, weights, source="the run")
    load_model_file(after, path)
    for found, expected in zip(
        probability(after, frames), probability(before, frames), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=2e-3)  # kernels are stored as float16


def test_reading_back_restores_the_batch_normalisations(trained, tiny_config):
    weights, path = trained(tiny_config)
    network = build_network("mobilenetv2")
    load_model_file(network, path)
    found = network_weights(network)
    exact = [n for n in weights if n.split("/")[1] in ("gamma", "beta", "moving_variance")]
    for name in exact:
        np.testing.assert_array_equal(found[name], weights[name], err_msg=name)


def test_inference_graph_agrees_with_keras(trained, tiny_config, frames, ort):
    _, path = trained(tiny_config)
    network = build_network("mobilenetv2")
    load_model_file(
        network, path
    )  # with the file's float16 kernels: the rest must agree in float32
    expected, _ = probability(network, frames)
    graph = prepare(read_model_file(path), SHAPE)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["map"], {"frame": frames})
    assert found.dtype == np.uint8
    assert np.abs(found / 255.0 - expected).max() <= 0.5 / 255 + 2e-4


def test_model_file_carries_settings_and_card(trained, tiny_config):
    _, path = trained(tiny_config)
    model = read_model_file(path)
    assert (model.name, model.backbone, model.min_score) == ("tiny", "mobilenetv2", 0.5)
    assert model.has_threshold_head
    assert model.card["steps"] == 2
    assert model.mean == pytest.approx((123.675, 116.28, 103.53))


def test_initialisers_carry_the_layers_names(trained, tiny_config):
    _, path = trained(tiny_config)
    names = {tensor.name for tensor in read_model_file(path).load().graph.initializer}
    assert {"stem_conv/kernel_f16", "stem_conv/bias", "block17_depthwise/kernel_f16"} <= names
    assert {"threshold_up2/kernel_f16", "binarize_up2/bias", "in5/kernel_f16"} <= names


def test_any_size_runs_though_a_small_one_was_traced(trained, tiny_config, ort):
    _, path = trained(tiny_config)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    image = np.zeros((2, 3, 64, 224), np.float32)
    maps = session.run(["probability", "threshold"], {"image": image})
    assert [m.shape for m in maps] == [(2, 1, 64, 224)] * 2


def test_training_starts_from_a_model_file(trained, tiny_config, tmp_path):
    weights, path = trained(copy.deepcopy(tiny_config))
    tiny_config.model.start = str(path)
    trainer = Trainer(tiny_config, tmp_path / "run")
    np.testing.assert_array_equal(trainer.ema["stem_bn/gamma"], weights["stem_bn/gamma"])


def test_a_model_file_of_another_network_is_refused(trained, tiny_config):
    _, path = trained(tiny_config)
    with pytest.raises(InputError, match="another network"):
        load_model_file(build_network("resnet18"), path)


def test_an_output_folder_that_is_not_there_is_named(trained, tiny_config, tmp_path):
    weights, _ = trained(tiny_config)
    with pytest.raises(OutputError, match=r"none"):
        export_model(weights, Settings("a", "mobilenetv2"), tmp_path / "none" / "a.onnx")


@pytest.mark.slow
def test_resnet_exports_to_standard_nodes_and_agrees(tmp_path, frames, ort):
    network = build_network("resnet18", SHAPE)
    path = tmp_path / "r18.onnx"
    export_model(network_weights(network), Settings("r18", "resnet18"), path)
    assert path.stat().st_size < 26_000_000
    load_model_file(network, path)
    image = np.asarray(normalise(frames))
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": image.transpose(0, 3, 1, 2).copy()})
    for mine, theirs in zip(found, probability(network, frames), strict=True):
        # Random weights let activations grow large: float32 sums differ by their order.
        np.testing.assert_allclose(mine[:, 0], theirs, atol=2e-3)


@pytest.fixture
def checkpoint():
    curve = [
        {"binarize": 0.3, "min_score": 0.4},
        {"binarize": 0.5, "min_score": 0.55, "score_is_region": 1.0},
    ]
    meta = {"step": 9, "seconds": 1.0, "backbone": "resnet18", "curve": curve}
    return Checkpoint({}, {}, [], {**meta, "config": to_dict(TrainConfig())})


def test_thresholds_are_those_of_the_last_validation_unless_given(checkpoint):
    settings = settings_of(checkpoint, name="a", unit="word", card={}, min_score=0.7)
    assert (settings.binarize, settings.min_score, settings.unclip_ratio) == (0.5, 0.7, 1.5)
    assert settings.score == "region"


def test_without_validation_thresholds_are_the_papers(checkpoint):
    checkpoint.meta["curve"] = []
    settings = settings_of(checkpoint, name="a", unit="word", card={"data": "mine"})
    assert (settings.binarize, settings.min_score, settings.unclip_ratio) == (0.3, 0.6, 1.5)
    assert settings.card["data"] == "mine"
    assert settings.card["steps"] == 9
