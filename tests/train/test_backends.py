"""The same step on every Keras backend that is installed, each in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

STEP = """
import json
import numpy as np
import keras
from dbrt.train.config import LossConfig, OptimizerConfig
from dbrt.train.network import build_network
from dbrt.train.optimizer import build_optimizer
from dbrt.train.step import StepModel

keras.utils.set_random_seed(3)
rng = np.random.default_rng(3)
network = build_network("mobilenetv2")
for layer in network.layers:  # initial values differ between backends
    layer.set_weights([
        np.ones(w.shape) if w.ndim == 1 and i in (0, 3) else rng.normal(0, 0.1, w.shape)
        if w.ndim == 4 else np.zeros(w.shape)
        for i, w in enumerate(layer.get_weights())
    ])
model = StepModel(network, LossConfig(min_negatives=100))
model.compile(optimizer=build_optimizer(OptimizerConfig(warmup=1), 10), jit_compile=False)
frames = rng.integers(0, 256, (2, 64, 64, 3)).astype("uint8")
targets = (rng.random((2, 4, 64, 64)) < 0.3).astype("uint8")
targets[:, 1] = 1
losses = [float(model.train_on_batch(frames, targets, return_dict=True)["loss"]) for _ in range(2)]
print(json.dumps({"backend": keras.backend.backend(), "losses": losses}))
"""


def run_step(backend: str) -> list[float]:
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", STEP], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["backend"] == backend
    return found["losses"]


@pytest.fixture(scope="module")
def tensorflow_losses() -> list[float]:
    pytest.importorskip("tensorflow")
    return run_step("tensorflow")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_step_gives_the_loss_that_tensorflow_gives(backend, tensorflow_losses):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    assert run_step(backend) == pytest.approx(tensorflow_losses, rel=5e-3)
