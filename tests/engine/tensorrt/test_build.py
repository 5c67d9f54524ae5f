"""Engines of TensorRT from build to cache: proved, kept, and refused when they were touched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from dbrt.engine.build import BuiltEngine, build_engine, can_run
from dbrt.engine.cache import EngineCache
from dbrt.engine.driver import Card, Driver
from dbrt.engine.half import to_precision
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.engine.ranges import TypedGraph
from dbrt.engine.runner import BuildOptions
from dbrt.engine.select import open_runner
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt import builder, monitor
from dbrt.engine.tensorrt.runner import TensorRtRunner
from dbrt.errors import EngineError, OutputError, RunnerError
from dbrt.regions import TextRegions

pytest.importorskip("tensorrt_rtx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("no_driver", "cache_folder")


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have no NVIDIA driver, whatever it has."""

    def refuse() -> NoReturn:
        raise RunnerError("there is no NVIDIA driver")

    monkeypatch.setattr("dbrt.engine.tensorrt.runner.find_driver", refuse)
    monkeypatch.setattr("dbrt.engine.tensorrt.targets.find_driver", refuse)


def no_regions(map: NDArray[np.uint8]) -> TextRegions:
    return TextRegions.empty()


def build(model: ModelFile, **options: Any) -> BuiltEngine:
    return build_engine(model, (64, 96), no_regions, runner="tensorrt", **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    """Caches with one engine each, by its targets: filled at the first wish."""
    return {}


@pytest.fixture
def prebuilt(
    made: dict[tuple[str, ...], Path],
    model: ModelFile,
    cache_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., BuiltEngine]:
    """Put a proved engine into the cache; built once for all tests."""

    def put(*targets: str) -> BuiltEngine:
        if targets not in made:
            template = tmp_path_factory.mktemp("made") / "engines"
            build(model, targets=targets, cache=EngineCache(template))
            made[targets] = template
        shutil.copytree(made[targets], EngineCache().folder)
        return build(model, targets=targets)

    return put


def kept() -> list[str]:
    return sorted(path.suffix for path in EngineCache().folder.iterdir())


def on_card(spec: EngineSpec, target: str = "sm_89") -> EngineSpec:
    """What a machine with one card asks the cache for."""
    return replace(spec, target=target)


def test_an_engine_is_kept_with_its_proof_and_says_that_it_did_not_run(model: ModelFile) -> None:
    built = build(model)
    assert not built.parity.executed
    assert built.parity.note.startswith("not executed on a GPU: its graph was computed on the CPU")
    assert built.parity.mean_error < 0.001
    assert built.spec.targets == ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120", "sm_121")
    sidecar = json.loads(Path(f"{built.path}.json").read_text())
    assert sidecar["spec"] == built.spec.to_dict()
    assert sidecar["parity"]["executed"] is False
    assert sidecar["build"]["library"] == built.spec.runner_version
    assert sidecar["build"]["census"]["totals"].keys() == {"fp16", "uint8"}
    assert sidecar["build"]["ranges"]["islands"] == {}


def test_a_proved_engine_is_not_built_again(model: ModelFile) -> None:
    first, second = build(model), build(model)
    assert second.was_cached
    assert (second.spec, second.parity, second.record) == (first.spec, first.parity, first.record)


def test_an_engine_for_more_cards_serves_each_of_them(
    model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    everywhere = prebuilt()
    one = build(model, targets=("sm_89",))
    assert one.was_cached
    assert one.path == everywhere.path
    stored = EngineCache().load(on_card(everywhere.spec))
    assert stored is not None
    assert stored.spec == everywhere.spec
    assert EngineCache().load(on_card(everywhere.spec, "sm_90")) is None


def test_an_engine_for_one_card_does_not_serve_two(
    model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    prebuilt("sm_89")
    assert not build(model, targets=("sm_86", "sm_89")).was_cached


@pytest.mark.parametrize("change", ["model_sha256", "shape", "precision", "runner_version"])
def test_only_the_target_may_differ(
    change: str, model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    other = {
        "model_sha256": "1" * 64,
        "shape": (96, 64),
        "precision": "bf16",
        "runner_version": "tensorrt-rtx 1.0",
    }
    wanted = replace(on_card(prebuilt().spec), **{change: other[change]})
    assert EngineCache().load(wanted) is None


def test_other_options_are_a_reason_to_build(
    model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    prebuilt()
    level = BuildOptions(optimization_level=5)
    assert not build(model, options=level).was_cached
    assert build(model, options=level).was_cached
    assert build(model).was_cached  # asked for nothing, any will do


def test_an_engine_that_never_ran_is_proved_again_where_it_can_run(
    model: ModelFile, prebuilt: Callable[..., BuiltEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    prebuilt()
    ran = []

    def open(engine: bytes, spec: EngineSpec, *_: object) -> NoReturn:
        ran.append(spec)
        raise EngineError("the card has seen it")

    monkeypatch.setattr("dbrt.engine.build.can_run", lambda runner, spec: True)
    monkeypatch.setattr(TensorRtRunner, "open", open)
    with pytest.raises(EngineError, match="the card has seen it"):
        build(model)
    assert len(ran) == 1


@pytest.mark.parametrize(("capability", "runs"), [((8, 9), True), ((8, 6), False), ((9, 0), False)])
def test_an_engine_runs_on_the_cards_that_it_was_built_for(
    capability: tuple[int, int], runs: bool, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = build(model, targets=("sm_75", "sm_89")).spec
    assert not can_run(TensorRtRunner, spec)
    driver = Driver("580.1", "13.0", (Card(0, "A card", capability, 1 << 33),))
    monkeypatch.setattr("dbrt.engine.tensorrt.runner.find_driver", lambda: driver)
    monkeypatch.setattr("dbrt.engine.tensorrt.targets.find_driver", lambda: driver)
    assert can_run(TensorRtRunner, spec) is runs


def flip(path: Path, sidecar: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path, sidecar: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def open_up(path: Path, sidecar: Path) -> None:
    path.chmod(0o666)


def open_up_sidecar(path: Path, sidecar: Path) -> None:
    sidecar.chmod(0o660)


def other_sidecar(path: Path, sidecar: Path) -> None:
    told = json.loads(sidecar.read_text())
    told["spec"]["model_name"] = "other"
    told["spec"]["model_sha256"] = "1" * 64
    sidecar.write_text(json.dumps(told))


FAULTS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "a flipped byte": (flip, "is corrupt, its SHA-256"),
    "a byte less": (cut, "bytes: run dbrt build"),
    "writable by others": (open_up, "can be written by others"),
    "its sidecar too": (open_up_sidecar, "can be written by others"),
    "another model's sidecar": (other_sidecar, "is foreign: its sidecar has model name other"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_touched_engine_is_refused_before_it_is_loaded(
    fault: str, model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    built = prebuilt("sm_89")
    touch, message = FAULTS[fault]
    touch(built.path, Path(f"{built.path}.json"))
    with pytest.raises(EngineError, match=message) as told:
        EngineCache().load(built.spec)
    assert "dbrt build" in str(told.value)
    assert not build(model, targets=("sm_89",)).was_cached


@pytest.mark.parametrize("fault", ["a flipped byte", "a byte less", "writable by others"])
def test_so_is_one_that_was_built_for_several_cards(
    fault: str, model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    built = prebuilt()
    touch, message = FAULTS[fault]
    touch(built.path, Path(f"{built.path}.json"))
    with pytest.raises(EngineError, match=message):
        EngineCache().load(on_card(built.spec))


@pytest.mark.parametrize("fault", ["its sidecar too", "another model's sidecar"])
def test_a_sidecar_that_is_not_to_be_trusted_leads_to_no_engine(
    fault: str, model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    built = prebuilt()
    FAULTS[fault][0](built.path, Path(f"{built.path}.json"))
    assert EngineCache().load(on_card(built.spec)) is None


def test_a_renamed_engine_is_not_another_one(
    model: ModelFile, prebuilt: Callable[..., BuiltEngine]
) -> None:
    built = prebuilt()
    wanted = on_card(built.spec)
    there = EngineCache().path(wanted)
    os.rename(built.path, there)
    os.rename(f"{built.path}.json", f"{there}.json")
    with pytest.raises(EngineError, match=r"is foreign: its sidecar has target sm_75\+.* instead"):
        EngineCache().load(wanted)
    os.rename(there, built.path.with_name("tiny-64x96-fp16-tensorrt-00000000.engine"))
    os.rename(
        f"{there}.json", built.path.with_name("tiny-64x96-fp16-tensorrt-00000000.engine.json")
    )
    assert EngineCache().load(wanted) is None


def test_what_is_missing_is_told_with_the_line_that_builds_it(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TensorRtRunner, "obstacle", lambda: "")
    with pytest.raises(
        EngineError, match=r"there is no engine of tiny at 64x96 in fp16.*: run dbrt build"
    ):
        open_runner(model, shape=(64, 96), runner="tensorrt")


def scaled(name: str, factor: float) -> Callable[..., TypedGraph]:
    """Stands in for `typed_graph`: no islands, and one weight scaled."""
    honest = builder.typed_graph

    def typed_graph(model: ModelFile, spec: EngineSpec) -> TypedGraph:
        proto = onnx.ModelProto()
        proto.CopyFrom(honest(model, replace(spec, precision="fp32")).proto)
        tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == name)
        values = numpy_helper.to_array(tensor) * np.float32(factor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
        return TypedGraph(to_precision(proto, spec.precision))

    return typed_graph


@pytest.mark.parametrize(
    ("weight", "factor"), [("stem/kernel", 1e9), ("deep/kernel", 1e9), ("probability_up/bias", -1)]
)
def test_an_engine_that_computes_something_else_is_not_kept(
    weight: str, factor: float, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "typed_graph", scaled(weight, factor))
    with pytest.raises(EngineError, match=r"not what the model computes.*; try --precision fp32"):
        build(model)
    assert kept() == [".lock"]


def test_an_overflowing_layer_is_kept_in_float32_and_named(
    tmp_path: Path, make_pyramid: Callable[..., Any]
) -> None:
    proto = make_pyramid()
    # The model file's kernels are float16: it is a bias that is out of range.
    factor = np.float32(3e5)
    for tensor in proto.graph.initializer:
        if tensor.name == "c3/bias":
            tensor.CopyFrom(numpy_helper.from_array(np.full(5, factor, np.float32), tensor.name))
    path = tmp_path / "hot.onnx"
    path.write_bytes(proto.SerializeToString())
    built = build(read_model_file(path))
    assert "c3" in built.record["ranges"]["islands"]
    assert built.record["census"]["totals"]["fp32"] > 0
    assert built.parity.mean_error < 0.01


def test_a_cancelled_build_leaves_nothing(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = monitor.BuildProgress.start

    def start(self: monitor.BuildProgress, phase: str, steps: int) -> None:
        told(self, phase, steps)
        if phase == "Building engine":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(monitor.BuildProgress, "start", start)
    with pytest.raises(KeyboardInterrupt):
        build(model)
    assert kept() == [".lock"]


def test_a_full_disk_is_one_line_and_leaves_nothing(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device: make room there"):
        build(model)
    assert kept() == [".lock"]


def test_without_onnx_runtime_nothing_is_called_proved(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RunnerError, match=r"pip install 'dbrt\[onnxruntime\]'"):
        build(model)
    assert kept() == [".lock"]
