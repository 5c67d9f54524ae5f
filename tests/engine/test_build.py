from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.build import BuiltEngine, build_engine
from dbrt.engine.cache import EngineCache
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.openvino import OpenVinoRunner
from dbrt.engine.parity import ParityReport
from dbrt.engine.runner import Frames, Maps
from dbrt.errors import EngineError, OutputError
from dbrt.regions import TextRegions

pytest.importorskip("openvino")
pytestmark = pytest.mark.usefixtures("cache_folder")


def no_regions(map: NDArray[np.uint8]) -> TextRegions:
    return TextRegions.empty()


def build(model: ModelFile, **options: Any) -> BuiltEngine:
    return build_engine(model, (64, 64), no_regions, runner="openvino", **options)


def test_a_built_engine_is_in_the_cache_with_its_proof(model: ModelFile) -> None:
    phases: list[tuple[str, int, int]] = []
    built = build(model, precision="fp32", on_progress=lambda *phase: phases.append(phase))
    assert phases == [("building", 0, 0), ("comparing with float32", 0, 0)]
    assert not built.was_cached
    stored = EngineCache().load(built.spec)
    assert stored is not None
    assert stored.path == built.path
    assert ParityReport(**stored.sidecar["parity"]) == built.parity
    assert built.bytes == len(stored.data)
    assert json.loads(json.dumps(built.to_dict()))["parity"]["frames"] == 4


def test_a_proved_engine_is_not_built_again(model: ModelFile) -> None:
    first = build(model)
    phases: list[str] = []
    second = build(model, on_progress=lambda phase, done, total: phases.append(phase))
    assert phases == []
    assert second.was_cached
    assert (second.spec, second.path, second.parity) == (first.spec, first.path, first.parity)


def test_force_builds_again(model: ModelFile) -> None:
    build(model)
    assert not build(model, force=True).was_cached


def test_a_corrupt_engine_is_built_again(model: ModelFile) -> None:
    path = build(model).path
    path.write_bytes(path.read_bytes()[:-1])
    assert not build(model).was_cached
    assert build(model).was_cached


def test_an_engine_without_proof_gets_one(model: ModelFile) -> None:
    first = build(model)
    stored = EngineCache().load(first.spec)
    assert stored is not None
    EngineCache().store(first.spec, stored.data, build_s=0.1)
    assert not build(model).was_cached
    assert build(model).was_cached


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_an_engine_that_computes_something_else_is_not_kept(
    precision: str, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OpenVinoRunner.infer_all

    def infer_all(self: OpenVinoRunner, frames: Frames) -> dict[str, Maps]:
        return {name: 255 - maps for name, maps in honest(self, frames).items()}

    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(OpenVinoRunner, "infer_all", infer_all)
    if OpenVinoRunner.plan(precision).precision == "fp32":
        advice = "try --runner onnxruntime"
    else:
        advice = "try --precision fp32"
    with pytest.raises(EngineError, match=f"mean map error .* not kept; {advice}"):
        build(model, precision=precision)
    assert [path.suffix for path in EngineCache().folder.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_stops_the_build(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="set DBRT_CACHE"):
        build(model)
