"""Several devices and several machines reach the loss that one device reaches."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dbrt.errors import UsageError
from dbrt.train.config import RunConfig
from dbrt.train.devices import Cluster, Devices, open_devices

SCRIPT = Path(__file__).with_name("share_step.py")


def started(backend: str, *args: str) -> subprocess.Popen[str]:
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    env |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    if len(args) == 2:
        env["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    command = [sys.executable, str(SCRIPT), *args]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)


def result(process: subprocess.Popen[str]) -> list[dict]:
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def backend(request) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def one_and_two(backend, labelled_folder, tmp_path_factory) -> list[dict]:
    return result(started(backend, str(labelled_folder), str(tmp_path_factory.mktemp("shared"))))


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@pytest.mark.slow
def test_two_devices_reach_the_loss_of_one(one_and_two):
    one, two = one_and_two
    assert (one["count"], two["count"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-3)
    assert two["kernel"] == pytest.approx(one["kernel"], rel=1e-3)
    assert two["variance"] == pytest.approx(one["variance"], rel=1e-3)
    assert len(set(one["losses"])) == len(one["losses"])


@pytest.mark.slow
def test_two_machines_reach_the_loss_of_one_and_the_first_writes(
    backend, one_and_two, labelled_folder, tmp_path
):
    hosts = ",".join(f"127.0.0.1:{port}" for port in free_ports(2))
    folders = [tmp_path / "first", tmp_path / "second"]
    processes = [
        started(backend, str(labelled_folder), str(folder), hosts, str(i))
        for i, folder in enumerate(folders)
    ]
    (first,), (second,) = (result(process) for process in processes)
    assert first["count"] == second["count"] == 2
    assert first["losses"] == pytest.approx(one_and_two[0]["losses"], rel=1e-3)
    assert second["losses"] == pytest.approx(first["losses"], rel=1e-5)
    assert {"config.toml", "last.npz", "best.npz", "log.jsonl"} <= set(first["files"])
    assert second["files"] == []


def test_one_device_is_as_before():
    pytest.importorskip("keras")
    devices = open_devices(RunConfig())
    assert type(devices) is Devices
    assert list(devices.rows(3)) == [0, 1, 2]


def test_a_batch_that_devices_cannot_share_is_refused():
    devices = Devices()
    devices.count = devices.processes = 2
    assert list(devices.rows(6)) == [0, 1, 2]
    with pytest.raises(UsageError, match=r"run\.batch is 3: 2 devices"):
        devices.rows(3)


@pytest.mark.parametrize(
    ("hosts", "index", "message"),
    [(("a:1", "b:2"), 2, "2 hosts count from 0"), (("a", "b:2"), 0, "'a' is not HOST:PORT")],
)
def test_mistakes_in_the_hosts_are_named(hosts, index, message):
    with pytest.raises(UsageError, match=message):
        Cluster(hosts, index).check()


def test_a_backend_or_precision_that_cannot_share_says_so(monkeypatch):
    keras = pytest.importorskip("keras")
    with pytest.raises(UsageError, match="mixed_float16 trains on one device"):
        open_devices(RunConfig(devices=2, precision="mixed_float16"))
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="torch trains on one device"):
        open_devices(RunConfig(devices=2))
