"""Fixtures of the TensorRT tests: the double of the library, of every version, on one of a GPU."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.library import ErrorLog, Library
from dbrt.engine.tensorrt.runner import TensorRtRunner

HERE = Path(__file__).parent
REFERENCE = HERE.parents[1] / "reference"
_TINY = runpy.run_path(str(HERE.parent / "tiny_model.py"))
_DEVICE = runpy.run_path(str(HERE / "fake_device.py"))
_TENSORRT = runpy.run_path(str(HERE / "fake_tensorrt.py"))

API = json.loads((REFERENCE / "tensorrt_api.json").read_text())


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point DBRT_CACHE to an empty folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DBRT_CACHE", str(folder))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    """Read the tiny model."""
    write: Callable[[Path], Path] = _TINY["write_tiny_model"]
    return read_model_file(write(tmp_path / "tiny.onnx"))


@pytest.fixture
def make_spec() -> Callable[..., EngineSpec]:
    """Make the spec of an engine for the double's card."""

    def make(version: str = API["versions"][1], **changed: Any) -> EngineSpec:
        flavour = "tensorrt-rtx" if version == "rtx" else "tensorrt"
        fields: dict[str, Any] = {
            "model_name": "tiny",
            "model_sha256": "0" * 64,
            "shape": (64, 96),
            "batch": 2,
            "precision": "fp16",
            "runner": "tensorrt",
            "runner_version": f"{flavour} {version}",
            "target": "sm_89",
            "graph_version": 1,
        }
        return EngineSpec(**{**fields, **changed})

    return make


class Bench:
    """A runner on the doubles, and the doubles themselves."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, model: ModelFile, spec: EngineSpec, version: str
    ) -> None:
        self.model, self.spec = model, spec
        self.device: Any = _DEVICE["FakeDevice"]()
        self.fake: Any = _TENSORRT["FakeLibrary"](API, version, self.device, spec)
        flavour = "tensorrt-rtx" if version == "rtx" else "tensorrt"
        log = ErrorLog()
        self.fake.on_error = log.add
        self.library = Library(self.fake.module, flavour, version, self.fake.module.ILogger(), log)
        runner = "dbrt.engine.tensorrt.runner"
        monkeypatch.setattr(f"{runner}.TensorRtRunner.obstacle", lambda: "")
        monkeypatch.setattr(f"{runner}.library_of", lambda version: self.library)
        monkeypatch.setattr(f"{runner}.open_device", lambda: self.device)
        monkeypatch.setattr("dbrt.engine.cuda.kernel.compile_kernel", lambda target: b"image")

    def finish(self) -> None:
        """Let the card finish all that it was given."""
        with self.device.current():
            for stream in self.device.streams.values():
                stream.synchronize()

    def open(self, streams: int = 1) -> TensorRtRunner:
        """Open the engine."""
        return TensorRtRunner.open(b"plan", self.spec, self.model, "why", streams=streams)


@pytest.fixture
def make_bench(
    monkeypatch: pytest.MonkeyPatch,
    model: ModelFile,
    make_spec: Callable[..., EngineSpec],
    cache_folder: Path,
) -> Callable[..., Bench]:
    """Make a bench for a version of TensorRT; further arguments go into the spec."""

    def make(version: str = "10.16.1.11", **changed: Any) -> Bench:
        return Bench(monkeypatch, model, make_spec(version, **changed), version)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A bench with TensorRT 10."""
    return make_bench()


@pytest.fixture
def runner(bench: Bench) -> Iterator[TensorRtRunner]:
    """A runner on the doubles, closed in the end."""
    with bench.open() as opened:
        bench.device.log.clear()
        yield opened
    assert bench.device.alive == []


@pytest.fixture
def make_pyramid() -> Callable[..., Any]:
    """`tiny_pyramid` of tiny_model.py."""
    make: Callable[..., Any] = _TINY["tiny_pyramid"]
    return make
