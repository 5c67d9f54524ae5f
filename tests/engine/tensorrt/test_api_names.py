"""What TensorRT's bindings really offer: the code uses no more, and the double is made of it."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dbrt.engine.tensorrt

HERE = Path(__file__).parent
REFERENCE = HERE.parents[1] / "reference"
_BINDINGS = runpy.run_path(str(REFERENCE / "tensorrt_bindings.py"))
_NAMES = runpy.run_path(str(HERE / "api_names.py"))

VERSIONS = list(_BINDINGS["REQUIREMENTS"])
SOURCES = sorted(Path(dbrt.engine.tensorrt.__file__).parent.glob("*.py"))
WHEELS = Path(sys.prefix) / "tensorrt-bindings"

# Where the code asks for the version or the name first (hasattr, `Library.is_rtx`, --target, one
# precision): what it uses there, and which versions have it. Everything else all of them have.
UP_TO_10 = ("8.6.1", "10.0.1", "10.16.1.11")
FROM_10 = ("10.0.1", "10.16.1.11", "11.0.0.114", "11.4.0.106", "rtx")
FROM_10_13 = FROM_10[1:]
RTX = ("rtx",)
NOT_EVERYWHERE = {
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED": FROM_10,
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH": UP_TO_10,
    "IProgressMonitor": FROM_10,
    "IProgressMonitor.phase_start": FROM_10,
    "IProgressMonitor.step_complete": FROM_10,
    "IProgressMonitor.phase_finish": FROM_10,
    "IBuilderConfig.progress_monitor": FROM_10,
    "BuilderFlag.FP16": UP_TO_10,
    "BuilderFlag.OBEY_PRECISION_CONSTRAINTS": UP_TO_10,
    "ILayer.precision": UP_TO_10,
    "ILayer.set_output_type": UP_TO_10,
    "ComputeCapability": RTX,
    "IBuilderConfig.num_compute_capabilities": RTX,
    "IBuilderConfig.set_compute_capability": RTX,
    "ICudaEngine.create_runtime_config": FROM_10_13,
    "IRuntimeConfig.create_runtime_cache": RTX,
    "IRuntimeConfig.set_runtime_cache": RTX,
    "IRuntimeConfig.cuda_graph_strategy": RTX,
    "IRuntimeCache.serialize": RTX,
    "IRuntimeCache.deserialize": RTX,
    "CudaGraphStrategy": RTX,
    "CudaGraphStrategy.WHOLE_GRAPH_CAPTURE": RTX,
}


@pytest.fixture(scope="module")
def describe(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Return all names of a version, each version read once; skip by name where it can't be."""
    known: dict[str, dict[str, Any]] = {}

    def read(version: str) -> dict[str, Any]:
        if version not in known:
            try:
                if version == "rtx":
                    pytest.importorskip("tensorrt_rtx", reason="no tensorrt-rtx is here")
                    known[version] = _BINDINGS["describe_module"]("tensorrt_rtx")
                else:
                    scratch = tmp_path_factory.mktemp("bindings")
                    known[version] = _BINDINGS["describe"](WHEELS, version, scratch)
            except _BINDINGS["BindingsError"] as exc:
                pytest.skip(str(exc))
        return known[version]

    return read


def used() -> set[str]:
    names: set[str] = set()
    for source in SOURCES:
        names |= _NAMES["used_names"](source.read_text(), source.name)
    return names


def has(members: dict[str, Any], name: str) -> bool:
    """Whether {name: {members: ...}} has "ICudaEngine.num_io_tensors"."""
    first, _, rest = name.partition(".")
    if first not in members:
        return False
    return not rest or has(members[first].get("members", {}), rest)


@pytest.mark.parametrize("version", [*VERSIONS, "rtx"])
def test_every_name_that_the_code_uses_exists(
    describe: Callable[[str], dict[str, Any]], version: str
) -> None:
    members = describe(version)
    expected = {name for name in used() if version in NOT_EVERYWHERE.get(name, (version,))}
    assert {name for name in used() if has(members, name)} == expected


def test_the_table_names_nothing_that_is_not_used() -> None:
    assert NOT_EVERYWHERE.keys() <= used()


def test_the_collector_sees_module_objects_aliases_and_overridden_methods() -> None:
    assert used() >= {
        "Runtime.deserialize_cuda_engine",
        "IExecutionContext.execute_async_v3",
        "TensorIOMode.INPUT",
        "DataType.UINT8",
        "INetworkDefinition.num_layers",
        "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
        "ITensor.dtype",
        "ParserError.desc",
        "ILogger.log",
        "IProgressMonitor.step_complete",
    }


def test_a_name_that_is_gone_is_caught(describe: Callable[[str], dict[str, Any]]) -> None:
    source = "def run(self):\n    return self._engine.max_batch_size + trt.BuilderFlag.FP16\n"
    names = _NAMES["used_names"](source, "loaded.py")
    assert names == {"ICudaEngine.max_batch_size", "BuilderFlag", "BuilderFlag.FP16"}
    members = describe("11.4.0.106")
    missing = {name for name in names if not has(members, name)}
    assert missing == {"ICudaEngine.max_batch_size", "BuilderFlag.FP16"}


def test_the_double_is_made_of_what_the_bindings_say(
    describe: Callable[[str], dict[str, Any]],
) -> None:
    described = {version: describe(version) for version in [*VERSIONS, "rtx"]}
    record = json.loads(json.dumps(_BINDINGS["summarise"](described)))
    assert json.loads((REFERENCE / "tensorrt_api.json").read_text()) == record
