from __future__ import annotations

import sys
from importlib import metadata

import pytest

from dbrt.doctor import runners
from dbrt.doctor.finding import State
from dbrt.doctor.runners import examine_auto, examine_runner, examine_tensorrt
from dbrt.engine.select import choose
from dbrt.engine.tensorrt.library import Library
from dbrt.errors import InputError, RunnerError


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)


def test_auto_is_what_choose_takes() -> None:
    pytest.importorskip("openvino")
    found = examine_auto()
    runner, plan = choose()
    assert found.state is State.OK
    assert (found.data["runner"], found.data["precision"]) == (runner.name, plan.precision)
    assert found.data["model"] == "dbrt-lite"
    assert plan.reason in found.text


def test_auto_without_any_runner_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = examine_auto()
    assert found.state is State.BROKEN
    assert "no runner can run here" in found.text
    assert found.remedy == "pip install openvino"


def test_auto_without_a_model_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise InputError("no model is installed with dbrt")

    monkeypatch.setattr(runners, "find_model", none)
    assert examine_auto().state is State.BROKEN


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_runner_that_is_here_says_what_it_would_do(name: str) -> None:
    pytest.importorskip(name)
    found = examine_runner(name)
    assert found.state is State.OK
    assert found.data["version"] in found.text


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_runner_that_is_not_installed_says_what_installs_it(
    name: str, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    found = examine_runner(name)
    assert found.state is State.MISSING
    assert found.remedy == runners.INSTALL[name]


def test_a_runner_that_is_installed_and_does_not_load_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = examine_runner("onnxruntime")
    assert found.state is State.BROKEN
    assert "onnxruntime can't be loaded" in found.text


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_a_tensorrt_that_is_here_has_a_version(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(object(), flavour, "10.16.1.11", None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(runners, "load_library", lambda _: library)
    found = examine_tensorrt(flavour)
    assert (found.name, found.state, found.text) == (flavour, State.OK, "10.16.1.11")


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_a_tensorrt_that_is_not_installed_says_what_installs_it(
    flavour: str, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> Library:
        raise RunnerError("none is installed: pip install")

    monkeypatch.setattr(runners, "load_library", refuse)
    found = examine_tensorrt(flavour)
    assert (found.state, found.remedy) == (State.MISSING, runners.INSTALL[flavour])


def test_a_tensorrt_without_its_libraries_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> Library:
        raise RunnerError("tensorrt is installed, but: libnvinfer.so.10 is missing: pip install x")

    monkeypatch.setattr(runners, "load_library", refuse)
    monkeypatch.setattr(runners, "is_installed", lambda _: True)
    found = examine_tensorrt("tensorrt")
    assert (found.state, found.remedy) == (State.BROKEN, "pip install x")
    assert found.text.endswith("libnvinfer.so.10 is missing")
