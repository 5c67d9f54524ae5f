"""Triton's model repository: the configuration is read back with protobuf's own parser."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from dbrt.engine.cache import EngineCache
from dbrt.engine.inventory import take_inventory
from dbrt.engine.modelfile import find_model, read_model_file
from dbrt.engine.spec import EngineSpec
from dbrt.engine.triton import write_repository
from dbrt.errors import EngineError, OutputError

SPEC = EngineSpec(
    model_name="tiny",
    model_sha256="ab" * 32,
    shape=(416, 736),
    batch=4,
    precision="fp16",
    runner="tensorrt",
    runner_version="tensorrt 10.16.1.11",
    target="sm_89",
    graph_version=1,
    threshold_head=True,
)
GRAPH = replace(SPEC, runner="onnxruntime", precision="fp32", batch=1, threshold_head=False)
ENGINE = b"plan" * 1000

# The part of Triton's ModelConfig (model_config.proto) that is written, with its numbers.
TYPES = ("TYPE_INVALID", "TYPE_BOOL", "TYPE_UINT8")
KINDS = ("KIND_AUTO", "KIND_GPU", "KIND_CPU")
Field = descriptor_pb2.FieldDescriptorProto


def model_config() -> Any:
    """Make the message class ModelConfig."""
    file = descriptor_pb2.FileDescriptorProto(name="m.proto", package="t", syntax="proto3")
    for enum, names in (("DataType", TYPES), ("Kind", KINDS)):
        made = file.enum_type.add(name=enum)
        for number, name in enumerate(names):
            made.value.add(name=name, number=number)
    tensor = [
        ("name", 1, Field.TYPE_STRING, ""),
        ("data_type", 2, Field.TYPE_ENUM, ".t.DataType"),
        ("dims", 3, Field.TYPE_INT64, "*"),
    ]
    messages: dict[str, list[tuple[str, int, int, str]]] = {
        "Tensor": tensor,
        "Group": [("count", 2, Field.TYPE_INT32, ""), ("kind", 4, Field.TYPE_ENUM, ".t.Kind")],
        "Value": [("string_value", 1, Field.TYPE_STRING, "")],
        "ModelConfig": [
            ("name", 1, Field.TYPE_STRING, ""),
            ("platform", 2, Field.TYPE_STRING, ""),
            ("max_batch_size", 4, Field.TYPE_INT32, ""),
            ("input", 5, Field.TYPE_MESSAGE, "*.t.Tensor"),
            ("output", 6, Field.TYPE_MESSAGE, "*.t.Tensor"),
            ("instance_group", 7, Field.TYPE_MESSAGE, "*.t.Group"),
            ("parameters", 14, Field.TYPE_MESSAGE, "*.t.ModelConfig.ParametersEntry"),
        ],
    }
    for message, fields in messages.items():
        made_message = file.message_type.add(name=message)
        for name, number, kind, of in fields:
            label = Field.LABEL_REPEATED if of.startswith("*") else Field.LABEL_OPTIONAL
            made_message.field.add(
                name=name, number=number, type=kind, label=label, type_name=of.lstrip("*") or None
            )
    entry = file.message_type[-1].nested_type.add(name="ParametersEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
    entry.field.add(
        name="value",
        number=2,
        type=Field.TYPE_MESSAGE,
        label=Field.LABEL_OPTIONAL,
        type_name=".t.Value",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelConfig"))


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache" / "engines")


def export(cache: EngineCache, spec: EngineSpec, folder: Path, **options: Any) -> Any:
    cache.store(spec, ENGINE, build_s=1)
    entries = [e for e in take_inventory(cache).entries if e.spec == spec]
    (model,) = write_repository(entries, cache, folder, **options)
    assert model.folder == folder / model.name
    return text_format.Parse((model.folder / "config.pbtxt").read_text(), model_config()())


def test_a_plan_is_a_tensorrt_model(cache: EngineCache, tmp_path: Path) -> None:
    config = export(cache, SPEC, tmp_path / "models")
    assert config.name == SPEC.file_name.removesuffix(".engine")
    assert config.platform == "tensorrt_plan"
    assert config.max_batch_size == 0
    assert [(i.name, TYPES[i.data_type], list(i.dims)) for i in config.input] == [
        ("frame", "TYPE_UINT8", [4, 416, 736, 3])
    ]
    assert [(o.name, TYPES[o.data_type], list(o.dims)) for o in config.output] == [
        ("map", "TYPE_UINT8", [4, 416, 736]),
        ("threshold", "TYPE_UINT8", [4, 416, 736]),
    ]
    assert [(g.count, KINDS[g.kind]) for g in config.instance_group] == [(1, "KIND_GPU")]
    assert config.parameters["dbrt.target"].string_value == "sm_89"
    assert (tmp_path / "models" / config.name / "1" / "model.plan").read_bytes() == ENGINE


@pytest.mark.parametrize("runner", ["onnxruntime", "openvino"])
def test_a_graph_is_an_onnx_model(runner: str, cache: EngineCache, tmp_path: Path) -> None:
    config = export(cache, replace(GRAPH, runner=runner), tmp_path)
    assert config.platform == "onnxruntime_onnx"
    assert [o.name for o in config.output] == ["map"]
    assert list(config.input[0].dims) == [1, 416, 736, 3]
    assert not config.instance_group
    assert (tmp_path / config.name / "1" / "model.onnx").read_bytes() == ENGINE


def test_a_shipped_models_settings_travel_with_it(cache: EngineCache, tmp_path: Path) -> None:
    model = read_model_file(find_model("dbrt-lite"))
    spec = replace(GRAPH, model_name="dbrt-lite", model_sha256=model.sha256)
    found = export(cache, spec, tmp_path).parameters
    assert found["dbrt.fill_bgr"].string_value == ",".join(map(str, model.fill))
    assert float(found["dbrt.min_score"].string_value) == model.min_score
    assert found["dbrt.score"].string_value == model.score


def test_a_plan_of_tensorrt_rtx_is_refused_with_what_to_take(
    cache: EngineCache, tmp_path: Path
) -> None:
    spec = replace(SPEC, runner_version="tensorrt-rtx 1.7.1.116")
    with pytest.raises(EngineError, match="Triton runs TensorRT alone: export an engine of"):
        export(cache, spec, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_model_is_replaced_with_force_only(cache: EngineCache, tmp_path: Path) -> None:
    config = export(cache, GRAPH, tmp_path)
    (tmp_path / config.name / "1" / "old").touch()
    with pytest.raises(OutputError, match="exists: give --force"):
        export(cache, GRAPH, tmp_path)
    export(cache, GRAPH, tmp_path, force=True)
    assert os.listdir(tmp_path / config.name / "1") == ["model.onnx"]
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_a_folder_that_cannot_be_written_is_one_line(cache: EngineCache, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be written"):
        export(cache, GRAPH, tmp_path / "file")
