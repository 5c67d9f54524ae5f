"""The TensorRT runner on a real card with a network that is one small kernel: no TensorRT.

Everything but the network is the real thing: copies, letterbox, streams, events, CUDA graphs. The
library is the double of tests/engine/tensorrt; its contexts enqueue a kernel that copies the
canvas's green channel into the map.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.cuda.device import open_device
from dbrt.engine.cuda.kernel import compile_source
from dbrt.engine.letterbox import letterbox
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.library import ErrorLog, Library
from dbrt.engine.tensorrt.runner import TensorRtRunner

Frames = NDArray[np.uint8]
TESTS = Path(__file__).parents[1]
_TINY = runpy.run_path(str(TESTS / "engine" / "tiny_model.py"))
_TENSORRT = runpy.run_path(str(TESTS / "engine" / "tensorrt" / "fake_tensorrt.py"))
_API = json.loads((TESTS / "reference" / "tensorrt_api.json").read_text())

NETWORK = """
extern "C" __global__ void network(const unsigned char *canvas, unsigned char *map, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        map[i] = canvas[3 * i + 1];
}
"""


class GreenNetwork:
    """`tensorrt` as far as the runner needs it, on the card by cuda-bindings."""

    def __init__(self, spec: EngineSpec, target: str) -> None:
        from dbrt.engine.cuda.bindings import call, load_driver

        self._call, self._driver = call, load_driver()
        self._batch = (spec.batch, *spec.shape)
        self._image = compile_source(NETWORK, "network.cu", target)
        self._function: Any = None
        tensors = {"frame": (*self._batch, 3), "map": self._batch}
        new = _TENSORRT["new"]
        self.module: Any = _TENSORRT["make_module"](
            _API,
            "10.16.1.11",
            {
                "ILogger.__init__": lambda logger: None,
                "Runtime.__init__": lambda runtime, logger: None,
                "Runtime.deserialize_cuda_engine": self._load,
                "ICudaEngine.num_io_tensors": lambda engine: 2,
                "ICudaEngine.get_tensor_name": lambda engine, i: list(tensors)[i],
                "ICudaEngine.get_tensor_shape": lambda engine, name: tensors[name],
                "ICudaEngine.get_tensor_mode": lambda engine, name: getattr(
                    self.module.TensorIOMode, "INPUT" if name == "frame" else "OUTPUT"
                ),
                "ICudaEngine.get_tensor_dtype": lambda engine, name: self.module.DataType.UINT8,
                "ICudaEngine.create_execution_context": lambda engine: new(
                    self.module, "IExecutionContext", addresses={}
                ),
                "IExecutionContext.set_tensor_address": self._set_address,
                "IExecutionContext.execute_async_v3": self._execute,
            },
        )

    def _load(self, runtime: Any, plan: bytes) -> Any:
        module = self._call(self._driver.cuModuleLoadData, self._image)
        self._function = self._call(self._driver.cuModuleGetFunction, module, b"network")
        return _TENSORRT["new"](self.module, "ICudaEngine")

    def _set_address(self, context: Any, name: str, address: int) -> bool:
        context.addresses[name] = address
        return True

    def _execute(self, context: Any, stream: int) -> bool:
        count = int(np.prod(self._batch))
        values = [
            np.array(context.addresses["frame"], np.uint64),
            np.array(context.addresses["map"], np.uint64),
            np.array(count, np.int32),
        ]
        pointers = np.array([value.ctypes.data for value in values], np.uint64)
        launch = self._driver.cuLaunchKernel
        grid = (-(-count // 256), 1, 1)
        self._call(launch, self._function, *grid, 256, 1, 1, 0, stream, pointers.ctypes.data, 0)
        return True


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    write: Callable[[Path], Path] = _TINY["write_tiny_model"]
    return read_model_file(write(tmp_path / "tiny.onnx"))


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def open_one(
    request: pytest.FixtureRequest,
    driver: None,
    model: ModelFile,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], TensorRtRunner]:
    """Open runners with each CUDA library that is here."""
    pytest.importorskip("cuda.bindings", reason="no cuda-bindings is here")
    backend = request.param
    if backend == "pycuda":
        pytest.importorskip("pycuda", reason="no pycuda is here")
    with open_device(0, backend) as device:
        target = device.target
    spec = EngineSpec(
        model_name="green",
        model_sha256="0" * 64,
        shape=(416, 736),
        batch=2,
        precision="fp16",
        runner="tensorrt",
        runner_version="tensorrt 10.16.1.11",
        target=target,
        graph_version=1,
    )

    def make() -> TensorRtRunner:
        module = GreenNetwork(spec, target).module
        library = Library(module, "tensorrt", "10.16.1.11", module.ILogger(), ErrorLog())
        opened = open_device(0, backend)
        return TensorRtRunner(opened, library, b"plan", spec, model, "why", 1)

    return make


def expected_of(frames: list[Frames], model: ModelFile) -> Frames:
    return np.stack([letterbox(frame, (416, 736), model.fill)[0] for frame in frames])[..., 1]


def some_frames(seed: int) -> list[Frames]:
    random = np.random.default_rng(seed)
    sizes = [(720, 1280), (1080, 1920), (333, 777), (64, 64), (1, 1)]
    return [random.integers(0, 256, (*sizes[(seed + i) % 5], 3), np.uint8) for i in range(2)]


def test_frames_of_any_size_go_in_and_maps_come_out(
    open_one: Callable[[], TensorRtRunner], model: ModelFile
) -> None:
    with open_one() as runner:
        assert runner.letterboxes
        assert all(slot._graph is not None for slot in runner._slots)
        for seed in range(5):
            frames = some_frames(seed)
            found = runner.infer_frames(frames).astype(int)
            assert np.abs(found - expected_of(frames, model)).max() <= 1


def test_many_in_flight_come_back_in_order(
    open_one: Callable[[], TensorRtRunner], model: ModelFile
) -> None:
    with open_one() as runner:
        found: list[tuple[Any, Frames]] = []
        for seed in range(12):
            if runner.in_flight == runner.depth:
                tag, maps = runner.collect()
                found.append((tag, maps.copy()))
            runner.submit_frames(some_frames(seed), seed)
        while runner.in_flight:
            tag, maps = runner.collect()
            found.append((tag, maps.copy()))
    assert [tag for tag, _ in found] == list(range(12))
    worst = [
        int(np.abs(maps.astype(int) - expected_of(some_frames(tag), model)).max())
        for tag, maps in found
    ]
    assert max(worst) <= 1


def test_letterboxed_frames_go_in_too(open_one: Callable[[], TensorRtRunner]) -> None:
    canvases = np.random.default_rng(4).integers(0, 256, (2, 416, 736, 3), np.uint8)
    with open_one() as runner:
        np.testing.assert_array_equal(runner.infer(canvases), canvases[..., 1])
        runner.submit(canvases)
        np.testing.assert_array_equal(runner.collect()[1], canvases[..., 1])


def test_several_runners_on_threads_of_their_own(
    open_one: Callable[[], TensorRtRunner], model: ModelFile
) -> None:
    def work(seed: int) -> int:
        with open_one() as runner:
            worst = 0
            for step in range(10):
                frames = some_frames(seed + step)
                runner.submit_frames(frames)
                maps = runner.collect()[1].astype(int)
                worst = max(worst, int(np.abs(maps - expected_of(frames, model)).max()))
            return worst

    with ThreadPoolExecutor(3) as pool:
        assert max(pool.map(work, range(3))) <= 1


def test_it_is_closed_on_another_thread_with_work_in_flight(
    open_one: Callable[[], TensorRtRunner],
) -> None:
    runner = open_one()
    runner.submit_frames(some_frames(1))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(runner.close).result()
    assert runner.in_flight == 0
