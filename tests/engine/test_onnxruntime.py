"""What the ONNX Runtime runner does beyond any runner: providers, and why one does not run."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine import onnxruntime as runner_module
from dbrt.engine.driver import Card, Driver
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.onnxruntime import CPU, CUDA, OnnxRuntimeRunner
from dbrt.engine.select import choose, open_runner
from dbrt.errors import RunnerError

ort = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("cache_folder")

DRIVER = Driver("580.65.06", "13.0", (Card(0, "NVIDIA L4", (8, 9), 23 << 30),))


class FakeSession:
    """A real session on the CPU that says it runs elsewhere."""

    says: tuple[str, ...] = (CUDA, CPU)
    error: str | None = None
    opened: tuple[list[Any], dict[str, Any]]

    def __init__(self, engine: bytes, options: Any, *, providers: list[Any], **rest: Any) -> None:
        FakeSession.opened = (providers, rest)
        on_cuda = providers[0] != CPU
        if on_cuda and self.error:
            raise RuntimeError(self.error)
        self._providers = list(self.says) if on_cuda else [CPU]
        self._real = ort.InferenceSession(engine, options, providers=[CPU])

    def get_providers(self) -> list[str]:
        return self._providers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class FakeValue:
    """OrtValue whose device memory is main memory; `devices` are those asked for."""

    devices: tuple[Any, ...] = ()

    @staticmethod
    def ortvalue_from_numpy(array: NDArray[np.uint8]) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(array)

    @staticmethod
    def ortvalue_from_shape_and_type(shape: Any, dtype: Any, device: str, index: int) -> Any:
        FakeValue.devices += ((device, index),)
        return ort.OrtValue.ortvalue_from_shape_and_type(shape, dtype)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "find_driver", lambda: DRIVER)


@pytest.fixture
def cuda(card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An onnxruntime with the CUDA provider, on a machine with a card."""
    fake = SimpleNamespace(
        __version__="1.30.0",
        get_available_providers=lambda: [CUDA, CPU],
        preload_dlls=lambda: print("Failed to load libcudnn.so.9"),
        SessionOptions=ort.SessionOptions,
        InferenceSession=FakeSession,
        OrtValue=FakeValue,
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    monkeypatch.setattr(FakeSession, "error", None)
    monkeypatch.setattr(FakeValue, "devices", ())


def open_cuda(model: ModelFile) -> OnnxRuntimeRunner:
    opened = open_runner(model, shape=(64, 96), batch=2, runner="onnxruntime")
    assert isinstance(opened, OnnxRuntimeRunner)
    return opened


def test_without_a_driver_it_runs_on_the_cpu_and_says_so(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Driver:
        raise RunnerError("there is no NVIDIA driver (libcuda.so.1): install it")

    monkeypatch.setattr(runner_module, "find_driver", none)
    with open_cuda(model) as runner:
        assert runner.provider == CPU
        assert runner.reason == (
            f"onnxruntime {ort.__version__} with fp32 on the CPU, not on CUDA: "
            "there is no NVIDIA driver (libcuda.so.1)"
        )


def test_a_card_without_the_gpu_package_says_which_to_install(
    card: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["AzureExecutionProvider", CPU])
    plan = choose("onnxruntime")[1]
    assert plan.reason.endswith(
        f"not on CUDA: this onnxruntime is built without it: {runner_module.INSTALL_CUDA}"
    )


def test_two_onnxruntimes_in_one_folder_are_told(
    card: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [SimpleNamespace(metadata={"Name": n}) for n in ("onnxruntime", "onnxruntime-gpu")]
    monkeypatch.setattr(runner_module.metadata, "distributions", lambda: both)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    assert "in each other's place: pip uninstall -y" in choose("onnxruntime")[1].reason


def test_cuda_runs_where_it_can_with_the_same_maps(
    model: ModelFile, frames: NDArray[np.uint8], request: pytest.FixtureRequest
) -> None:
    with open_cuda(model) as runner:
        expected = runner.infer(frames).copy()
    request.getfixturevalue("cuda")
    with open_cuda(model) as runner:
        assert runner.provider == CUDA
        assert runner.reason == "onnxruntime 1.30.0 with fp32 on NVIDIA L4 (sm_89)"
        assert runner.spec.target == "sm_89"
        np.testing.assert_array_equal(runner.infer(frames), expected)
        runner.submit(frames, "a")
        np.testing.assert_array_equal(runner.collect()[1], expected)
    assert set(FakeValue.devices) == {("cuda", 0)}
    providers, rest = FakeSession.opened
    assert providers == [(CUDA, runner_module.CUDA_OPTIONS), CPU]
    assert rest == {"enable_fallback": 0}


def test_what_cuda_prints_while_it_loads_stays_off_standard_output(
    cuda: None, model: ModelFile, capsys: pytest.CaptureFixture[str]
) -> None:
    open_cuda(model).close()
    assert capsys.readouterr().out == ""


def test_a_session_that_fell_back_says_so(
    cuda: None, model: ModelFile, monkeypatch: pytest.MonkeyPatch, frames: NDArray[np.uint8]
) -> None:
    monkeypatch.setattr(FakeSession, "says", (CPU,))
    with open_cuda(model) as runner:
        assert runner.provider == CPU
        assert "on the CPU, not on CUDA: its provider does not load" in runner.reason
        assert runner.reason.endswith(runner_module.INSTALL_CUDA)
        assert np.ptp(runner.infer(frames)) > 0


def test_a_provider_that_raises_is_replaced_by_the_cpu_and_quoted(
    cuda: None, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSession, "error", "CUDA failure 35: driver too old\nstack")
    with open_cuda(model) as runner:
        assert runner.provider == CPU
        assert "does not start (CUDA failure 35: driver too old): pip install" in runner.reason


def test_a_failure_while_running_is_one_line(
    model: ModelFile, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_cuda(model) as runner:
        broken = SimpleNamespace(synchronize_inputs=lambda: 1 / 0)
        monkeypatch.setattr(runner._sync, "binding", broken)
        monkeypatch.setattr(runner._sync, "read_from", lambda _: None)
        with pytest.raises(RunnerError, match="onnxruntime failed: division by zero"):
            runner.infer(frames)


def test_a_frame_is_read_and_a_map_written_in_place(
    model: ModelFile, frames: NDArray[np.uint8]
) -> None:
    with open_cuda(model) as runner:
        first = runner.infer(frames)
        expected = first.copy()
        second = runner.infer(255 - frames)
        assert second.ctypes.data == first.ctypes.data
        assert not np.array_equal(second, expected)
