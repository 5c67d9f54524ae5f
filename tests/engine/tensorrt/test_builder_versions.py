"""What the builder asks of each TensorRT, on a double made of that version's names.

What only TensorRT proper has is here: timing caches, and 8.6 with its weakly typed networks.
"""

from __future__ import annotations

import enum
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dbrt.engine.runner import BuildOptions
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.builder import BuiltPlan, build_plan
from dbrt.engine.tensorrt.library import ErrorLog, Library
from dbrt.errors import EngineError, OutputError

HERE = Path(__file__).parent
API = json.loads((HERE.parents[1] / "reference" / "tensorrt_api.json").read_text())
_TENSORRT = runpy.run_path(str(HERE / "fake_tensorrt.py"))
VERSIONS = [version for version in API["versions"] if version != "rtx"]

# The values, which the record does not hold: STRONGLY_TYPED is bit 1 in 10 and bit 0 in 11.
FLAGS = {
    "8": {"EXPLICIT_BATCH": 0, "EXPLICIT_PRECISION": 1},
    "10": {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1},
    "11": {"STRONGLY_TYPED": 0},
}


class FakeBuilder:
    """A library that "builds" a network of four layers and notes what it was asked.

    plan    what a build returns
    parsed  what the parser says
    taken   whether timing caches are
    """

    def __init__(self, version: str) -> None:
        self.asked: dict[str, Any] = {"flags set": [], "flags cleared": [], "pinned": {}}
        self.plan: bytes | None = b"plan"
        self.parsed, self.errors = True, []
        self.taken = True
        self.log = ErrorLog()
        self.module: Any = _TENSORRT["make_module"](API, version, self._behaviours())
        flags = FLAGS[version.partition(".")[0]]
        known = API["classes"]["NetworkDefinitionCreationFlag"]
        assert flags.keys() <= known.keys()
        self.module.NetworkDefinitionCreationFlag = enum.IntEnum("Flag", flags)
        self.module.float32 = self.module.DataType.FLOAT
        self.module.float16 = self.module.DataType.HALF
        logger = self.module.ILogger()
        self.library = Library(self.module, "tensorrt", version, logger, self.log)
        kinds, types = self.module.LayerType, self.module.DataType
        self.layers = [
            self._layer("in", kinds.CONSTANT, types.HALF),
            self._layer("conv", kinds.CONVOLUTION, types.HALF),
            self._layer("island", kinds.ACTIVATION, types.FLOAT),
            self._layer("out", kinds.SHUFFLE, types.UINT8),
        ]

    def _new(self, name: str, **attributes: Any) -> Any:
        return _TENSORRT["new"](self.module, name, **attributes)

    def _layer(self, name: str, kind: Any, type: Any) -> Any:
        return self._new("ILayer", told=SimpleNamespace(name=name, type=kind, dtype=type))

    def _network(self, flags: int) -> Any:
        self.asked["flags"] = flags
        return SimpleNamespace(num_layers=4, num_outputs=1, get_layer=lambda i: self.layers[i])

    def _build(self) -> Any:
        if self.plan is None:
            self.log.add("IBuilder::build: Error Code 9: no kernel for conv. In f at /a/b.cpp:3)")
        return self.plan

    def _pin(self, layer: Any, index: int, type: Any) -> None:
        self.asked["pinned"][layer.told.name] = (layer.__dict__["set_precision"].name, type.name)

    def _take_timings(self, config: Any, cache: Any, ignore_mismatch: bool) -> bool:
        self.asked["timings"] = (cache.data, ignore_mismatch)
        return self.taken

    def _behaviours(self) -> dict[str, Callable[..., Any]]:
        return {
            "ILogger.__init__": lambda logger: None,
            "Builder.__init__": lambda builder, logger: None,
            "Builder.create_network": lambda builder, flags=0: self._network(flags),
            "Builder.create_builder_config": lambda builder: self._new("IBuilderConfig"),
            "Builder.build_serialized_network": lambda builder, network, config: self._build(),
            "OnnxParser.__init__": lambda parser, network, logger: None,
            "OnnxParser.parse": lambda parser, data: self.parsed,
            "OnnxParser.num_errors": lambda parser: len(self.errors),
            "OnnxParser.get_error": lambda parser, i: self._new("ParserError", told=self.errors[i]),
            "ParserError.node": lambda error: error.told[0],
            "ParserError.desc": lambda error: error.told[1],
            "ILayer.name": lambda layer: layer.told.name,
            "ILayer.type": lambda layer: layer.told.type,
            "ILayer.num_outputs": lambda layer: 1,
            "ILayer.get_output": lambda layer, i: self._new("ITensor", told=layer.told),
            "ILayer.set_output_type": self._pin,
            "ITensor.dtype": lambda tensor: tensor.told.dtype,
            "IBuilderConfig.set_flag": lambda c, flag: self.asked["flags set"].append(flag.name),
            "IBuilderConfig.clear_flag": lambda c, f: self.asked["flags cleared"].append(f.name),
            "IBuilderConfig.set_memory_pool_limit": lambda c, pool, size: self.asked.update(
                {pool.name: size}
            ),
            "IBuilderConfig.create_timing_cache": lambda c, data: self._new(
                "ITimingCache", data=bytes(data)
            ),
            "IBuilderConfig.set_timing_cache": self._take_timings,
            "IBuilderConfig.get_timing_cache": lambda c: self._new("ITimingCache"),
            "ITimingCache.serialize": lambda cache: b"new timings",
        }


@pytest.fixture(params=VERSIONS)
def fake(request: pytest.FixtureRequest) -> FakeBuilder:
    return FakeBuilder(request.param)


def build(fake: FakeBuilder, make_spec: Callable[..., EngineSpec], **options: Any) -> BuiltPlan:
    spec = make_spec(fake.library.version)
    return build_plan(fake.library, b"onnx", spec, {"island"}, BuildOptions(**options))


def test_networks_are_strongly_typed_where_there_are_such(
    fake: FakeBuilder, make_spec: Callable[..., EngineSpec]
) -> None:
    built = build(fake, make_spec)
    assert built.data == b"plan"
    assert built.census.totals == {"fp16": 2, "fp32": 1, "uint8": 1}
    # Bit 0 is EXPLICIT_BATCH in 8.6 and STRONGLY_TYPED in 11; bit 1 STRONGLY_TYPED in 10.
    assert fake.asked["flags"] == {"8": 1, "10": 2, "11": 1}[fake.library.version.split(".")[0]]


def test_only_8_6_is_told_the_type_of_each_layer(
    fake: FakeBuilder, make_spec: Callable[..., EngineSpec]
) -> None:
    build(fake, make_spec)
    if fake.library.version.startswith("8."):
        assert fake.asked["flags set"] == ["OBEY_PRECISION_CONSTRAINTS", "FP16"]
        assert fake.asked["pinned"] == {"conv": ("HALF", "HALF"), "island": ("FLOAT", "FLOAT")}
    else:
        # TensorRT 10 refuses the flag beside a strongly typed network, 11 has none.
        assert fake.asked["flags set"] == []
        assert fake.asked["pinned"] == {}


def test_the_workspace_is_limited(fake: FakeBuilder, make_spec: Callable[..., EngineSpec]) -> None:
    build(fake, make_spec, workspace_bytes=1 << 28)
    assert fake.asked["WORKSPACE"] == 1 << 28


def test_timings_are_kept_for_the_next_build(
    fake: FakeBuilder, make_spec: Callable[..., EngineSpec], tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "timings"
    build(fake, make_spec, timing_cache=path)
    assert fake.asked["timings"] == (b"", False)
    assert path.read_bytes() == b"new timings"
    build(fake, make_spec, timing_cache=path)
    assert fake.asked["timings"] == (b"new timings", False)
    assert [found.name for found in path.parent.iterdir()] == ["timings"]


def test_timings_of_another_card_are_refused(
    fake: FakeBuilder, make_spec: Callable[..., EngineSpec], tmp_path: Path
) -> None:
    path = tmp_path / "timings"
    path.write_bytes(b"other")
    fake.taken = False
    with pytest.raises(EngineError, match=r"refuses the timing cache .*timings: .* remove it"):
        build(fake, make_spec, timing_cache=path)
    assert path.read_bytes() == b"other"


def test_timings_that_cannot_be_kept_are_one_line(
    make_spec: Callable[..., EngineSpec], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be written"):
        build(FakeBuilder(VERSIONS[-1]), make_spec, timing_cache=tmp_path / "file" / "timings")


def test_a_build_that_returns_nothing_tells_the_librarys_first_reason(
    fake: FakeBuilder, make_spec: Callable[..., EngineSpec]
) -> None:
    fake.plan = None
    with pytest.raises(EngineError) as told:
        build(fake, make_spec)
    title = fake.library.title
    assert str(told.value).startswith(f"{title} can't build tiny-64x96-fp16-tensorrt-")
    assert ": no kernel for conv: try --precision fp32" in str(told.value)


def test_a_parsers_errors_name_the_node(
    fake: FakeBuilder, make_spec: Callable[..., EngineSpec]
) -> None:
    fake.parsed, fake.errors = False, [(7, "Plugin not found"), (8, "no input"), (9, "no more")]
    with pytest.raises(EngineError, match=r"node 7: Plugin not found; node 8: no input$"):
        build(fake, make_spec)
