from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.cache import EngineCache
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.onnxruntime import OnnxRuntimeRunner
from dbrt.engine.openvino import OpenVinoRunner
from dbrt.engine.select import HMEAN_BY_PRECISION, choose, open_runner
from dbrt.errors import EngineError, InputError, RunnerError, UsageError

pytestmark = pytest.mark.usefixtures("cache_folder")


def test_auto_takes_openvino_first() -> None:
    pytest.importorskip("openvino")
    runner, plan = choose()
    assert runner is OpenVinoRunner
    assert plan.precision in ("bf16", "fp32")
    assert plan.reason.startswith("openvino ")


def test_auto_takes_onnxruntime_where_openvino_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "openvino", None)
    runner, plan = choose()
    assert runner is OnnxRuntimeRunner
    assert plan.precision == "fp32"


def test_auto_with_nothing_installed_says_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RunnerError, match=r"openvino can't be loaded.*onnxruntime can't be loaded"):
        choose()


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have no NVIDIA driver, whatever it has."""

    def refuse() -> NoReturn:
        raise RunnerError("there is no NVIDIA driver (libcuda.so.1): install it")

    monkeypatch.setattr("dbrt.engine.tensorrt.runner.find_driver", refuse)
    monkeypatch.setattr("dbrt.engine.tensorrt.targets.find_driver", refuse)


@pytest.mark.usefixtures("no_driver")
def test_tensorrt_without_a_driver_says_what_to_do(model: ModelFile) -> None:
    with pytest.raises(RunnerError) as told:
        open_runner(model, shape=(64, 64), runner="tensorrt")
    assert str(told.value) == (
        "there is no NVIDIA driver (libcuda.so.1): install it; "
        "or take --runner auto, which runs on the CPU"
    )
    with pytest.raises(RunnerError, match="no NVIDIA driver"):
        choose("tensorrt")


@pytest.mark.usefixtures("no_driver")
def test_auto_without_a_driver_takes_the_cpu_and_says_why_not_the_installed_tensorrt() -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("tensorrt_rtx")
    runner, plan = choose()
    assert runner is OpenVinoRunner
    assert plan.reason.endswith("; not tensorrt: no NVIDIA driver or GPU")


@pytest.mark.usefixtures("no_driver")
def test_auto_does_not_speak_of_tensorrt_where_nobody_installed_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("dbrt.engine.tensorrt.runner.installed_version", lambda flavour: None)
    assert "tensorrt" not in choose()[1].reason


@pytest.mark.usefixtures("no_driver")
def test_tensorrt_builds_where_it_cannot_run() -> None:
    pytest.importorskip("tensorrt_rtx")
    runner, plan = choose("tensorrt", to_build=True)
    assert (runner.name, plan.precision) == ("tensorrt", "fp16")
    assert {"sm_75", "sm_86", "sm_89", "sm_120"} <= set(plan.target.split("+"))


@pytest.mark.usefixtures("no_driver")
def test_a_target_means_tensorrt() -> None:
    pytest.importorskip("tensorrt_rtx")
    runner, plan = choose("auto", targets=("sm_75", "sm_89"), to_build=True)
    assert (runner.name, plan.target) == ("tensorrt", "sm_75+sm_89")


def test_a_target_is_nothing_for_the_cpu() -> None:
    with pytest.raises(UsageError, match="--target is for --runner tensorrt"):
        choose("openvino", targets=("sm_75",))


@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize(
    ("told", "precision"),
    [
        ({"fp32": 0.72, "fp16": 0.7175}, "fp16"),
        ({"fp32": 0.72, "fp16": 0.7165}, "fp32"),
        ({"fp32": 0.72}, "fp16"),
        ({"fp32": "?", "fp16": None}, "fp16"),
        (3, "fp16"),
        (None, "fp16"),
    ],
    ids=["little", "too much", "not told", "no numbers", "no table", "no card"],
)
def test_auto_takes_no_precision_that_costs_the_model_too_much(
    told: object, precision: str
) -> None:
    pytest.importorskip("tensorrt_rtx")
    card = {HMEAN_BY_PRECISION: told}
    plan = choose("tensorrt", "auto", card=card, to_build=True)[1]
    assert plan.precision == precision
    assert ("fp16 loses 0.3 H-mean" in plan.reason) == (precision == "fp32")
    # Asked for by name, it is taken all the same.
    assert choose("tensorrt", "fp16", card=card, to_build=True)[1].precision == "fp16"


@pytest.mark.parametrize(
    ("runner", "precision", "message"),
    [("tflite", "auto", "no runner tflite"), ("auto", "fp8", "no precision fp8")],
)
def test_names_that_do_not_exist_are_refused(runner: str, precision: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(runner, precision)


def test_a_runner_says_why_it_was_chosen(model: ModelFile) -> None:
    pytest.importorskip("openvino")
    with open_runner(model, shape=(64, 64), precision="fp32") as runner:
        assert "was asked for fp32" in runner.reason
        assert runner.model is model
        assert runner.spec.shape == (64, 64)


def test_a_model_may_be_a_path(model: ModelFile) -> None:
    pytest.importorskip("openvino")
    with open_runner(str(model.path), shape=(64, 64)) as runner:
        assert runner.model == model


def test_a_model_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model .*none\.onnx"):
        open_runner(tmp_path / "none.onnx", shape=(64, 64))


def test_a_shape_that_makes_no_engine_is_refused(model: ModelFile) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(UsageError, match="height 70"):
        open_runner(model, shape=(70, 64))


def test_a_corrupt_engine_is_built_anew_with_a_warning(
    model: ModelFile, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    frames: NDArray[np.uint8] = np.full((1, 64, 64, 3), 90, np.uint8)
    with open_runner(model, shape=(64, 64)) as runner:
        expected = runner.infer(frames).copy()
        path = EngineCache().path(runner.spec)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING), open_runner(model, shape=(64, 64)) as runner:
        np.testing.assert_array_equal(runner.infer(frames), expected)
    assert "corrupt" in caplog.text
    assert EngineCache().load(runner.spec) is not None


def test_a_cache_that_cannot_be_written_costs_a_warning(
    model: ModelFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "file").touch()
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING), open_runner(model, shape=(64, 64)) as runner:
        assert runner.infer(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 64, 64)
    assert "going on without the cache" in caplog.text


def test_a_runner_that_builds_slowly_wants_its_engine_built_first(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(OpenVinoRunner, "builds_on_demand", False)
    with pytest.raises(EngineError, match=r"no engine of tiny at 64x96.*run dbrt build --shape"):
        open_runner(model, shape=(64, 96))


def test_a_missing_engine_is_told_with_the_one_that_is_there(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    with open_runner(model, shape=(64, 64), batch=2) as runner:
        there = runner.spec
    monkeypatch.setattr(OpenVinoRunner, "builds_on_demand", False)
    with pytest.raises(EngineError) as caught:
        open_runner(model, shape=(64, 96))
    assert f": {there.file_name} is for 64x64, not 64x96 and " in str(caught.value)
    assert "run dbrt build --shape 64x96 " in str(caught.value)


def test_a_slow_builders_corrupt_engine_is_refused(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    with open_runner(model, shape=(64, 64)) as runner:
        path = EngineCache().path(runner.spec)
    path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setattr(OpenVinoRunner, "builds_on_demand", False)
    with pytest.raises(EngineError, match="has 100 of"):
        open_runner(model, shape=(64, 64))
