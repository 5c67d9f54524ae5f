"""A Triton model repository made of engines: what Triton Inference Server loads as it is.

::

    <folder>/<name>/config.pbtxt     interface and parameters
                   /1/model.plan     the engine; model.onnx where it is a graph

Plans run on the very version of TensorRT that built them, so Triton's release must have it; plans
of TensorRT-RTX run on no Triton. The engines of `openvino` and `onnxruntime` are ONNX graphs, which
Triton's ONNX Runtime back end takes on any machine.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dbrt.engine.cache import EngineCache, StoredEngine
from dbrt.engine.graph import FRAME, MAP
from dbrt.engine.inventory import SUFFIX, Entry
from dbrt.engine.mismatch import built_with
from dbrt.engine.modelfile import MODELS, THRESHOLD, ModelFile, find_model, read_model_file
from dbrt.engine.spec import EngineSpec
from dbrt.errors import DbrtError, EngineError, OutputError, unwritable

CONFIG = "config.pbtxt"
VERSION = "1"


@dataclass(frozen=True)
class TritonModel:
    """One model of a repository: its name and its folder."""

    name: str
    folder: Path
    platform: str


def write_repository(
    entries: Iterable[Entry], cache: EngineCache, folder: Path, *, force: bool = False
) -> list[TritonModel]:
    """Write each engine as a model of the repository `folder`, which is made where it is missing.

    force  replace models that are there

    Raises EngineError for an engine that is not to be trusted or that Triton can't run,
    OutputError where a model is there already or can't be written. A model appears whole or not.
    """
    written = []
    for entry in entries:
        stored = None if entry.spec is None else cache.load(entry.spec)
        if stored is None or stored.path != entry.path:
            raise EngineError(entry.problem or f"engine {entry.path} is under a wrong name")
        written.append(_write_model(stored, folder, force))
    return written


def config_text(stored: StoredEngine, name: str) -> str:
    """Return the `config.pbtxt` of an engine: protobuf text of Triton's ModelConfig."""
    spec = stored.spec
    platform = _platform(stored)[0]
    batch, (height, width) = spec.batch, spec.shape
    outputs = [MAP, THRESHOLD] if spec.threshold_head else [MAP]
    parts = [
        f"name: {_quoted(name)}",
        f"platform: {_quoted(platform)}",
        # The batch is part of the engine's shape: Triton must not put one of its own before it.
        "max_batch_size: 0",
        _tensor("input", FRAME, (batch, height, width, 3)),
        *(_tensor("output", output, (batch, height, width)) for output in outputs),
    ]
    if platform == "tensorrt_plan":
        parts.append("instance_group [\n  {\n    count: 1\n    kind: KIND_GPU\n  }\n]")
    parts += [_parameter(key, value) for key, value in _parameters(spec).items()]
    return "\n".join(parts) + "\n"


def _write_model(stored: StoredEngine, folder: Path, force: bool) -> TritonModel:
    name = stored.path.name.removesuffix(SUFFIX)
    platform, file_name = _platform(stored)
    target = folder / name
    if os.path.lexists(target) and not force:
        raise OutputError(f"{target} exists: give --force to replace it, or another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Triton polls the folder: a dot keeps it from loading what is half-written.
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
        try:
            (temporary / VERSION).mkdir()
            (temporary / CONFIG).write_text(config_text(stored, name), encoding="utf-8")
            (temporary / VERSION / file_name).write_bytes(stored.data)
            temporary.chmod(0o755)  # the server is another user
            if target.exists():
                shutil.rmtree(target)
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as exc:
        raise unwritable(target, exc) from None
    return TritonModel(name, target, platform)


def _platform(stored: StoredEngine) -> tuple[str, str]:
    """Return Triton's platform and the name that it expects the file under."""
    if stored.spec.runner != "tensorrt":
        return "onnxruntime_onnx", "model.onnx"
    if _is_rtx(stored):
        raise EngineError(
            f"{stored.path.name} was built with TensorRT-RTX, and Triton runs TensorRT alone: "
            "export an engine of --runner onnxruntime, or build with TensorRT"
        )
    return "tensorrt_plan", "model.plan"


def _is_rtx(stored: StoredEngine) -> bool:
    return stored.spec.runner_version.startswith("tensorrt-rtx")


def _parameters(spec: EngineSpec) -> dict[str, str]:
    """What a client needs to prepare frames and decode maps, as far as the model is here."""
    found = {
        "dbrt.engine": spec.file_name,
        "dbrt.model_sha256": spec.model_sha256,
        "dbrt.target": spec.target,
        "dbrt.runner": built_with(spec),
        "dbrt.precision": spec.precision,
    }
    model = _model(spec)
    if model is not None:
        found["dbrt.fill_bgr"] = ",".join(map(str, model.fill))
        found.update({f"dbrt.{key}": str(value) for key, value in model.decode_options.items()})
    return found


def _model(spec: EngineSpec) -> ModelFile | None:
    if spec.model_name not in MODELS:
        return None
    try:
        model = read_model_file(find_model(spec.model_name))
    except DbrtError:
        return None
    return model if model.sha256 == spec.model_sha256 else None


def _tensor(kind: str, name: str, dims: tuple[int, ...]) -> str:
    sizes = ", ".join(map(str, dims))
    return (
        f"{kind} [\n  {{\n    name: {_quoted(name)}\n    data_type: TYPE_UINT8\n"
        f"    dims: [ {sizes} ]\n  }}\n]"
    )


def _parameter(key: str, value: str) -> str:
    return (
        f"parameters {{\n  key: {_quoted(key)}\n"
        f"  value {{\n    string_value: {_quoted(value)}\n  }}\n}}"
    )


def _quoted(text: str) -> str:
    """A string of protobuf's text format; JSON's escapes of ASCII are among its own."""
    return json.dumps(text)
