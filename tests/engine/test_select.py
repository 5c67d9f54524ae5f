from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.cache import EngineCache
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.onnxruntime import OnnxRuntimeRunner
from dbrt.engine.openvino import OpenVinoRunner
from dbrt.engine.select import choose, open_runner
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


def test_a_runner_of_a_later_version_is_not_here() -> None:
    with pytest.raises(RunnerError, match="no tensorrt runner: take --runner auto"):
        choose("tensorrt")


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
    with open_runner(model, shape=(64, 64)) as runner:
        there = runner.spec
    monkeypatch.setattr(OpenVinoRunner, "builds_on_demand", False)
    with pytest.raises(EngineError) as caught:
        open_runner(model, shape=(64, 96))
    assert f": {there.file_name} is for 64x64, not 64x96: run dbrt build" in str(caught.value)


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
