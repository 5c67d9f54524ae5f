"""Declaration: what somebody says about an ONNX detector that says nothing about itself.

A detector from elsewhere carries neither its pre-processing nor its thresholds. They are declared
in a TOML beside it, `det.toml` for `det.onnx`, or on the command line, which wins::

    mean = 0.5                  one number or three, in the order of `channels`
    std = 0.5
    pixel_max = 1               what a white pixel is before mean and std are taken: 1 or 255
    channels = "bgr"            or "rgb"

These four have to be there: a wrong guess would find a little less text, and nobody would know.
The others have defaults (`KEYS`).
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dbrt.engine import settings
from dbrt.engine.settings import Settings, Triple
from dbrt.errors import InputError, UsageError

if TYPE_CHECKING:
    import onnx

NEEDED = ("mean", "std", "pixel_max", "channels")

# What each key is for, in the words of the message that lists them.
KEYS = {
    "mean": "what is subtracted from a pixel",
    "std": "what the difference is divided by",
    "pixel_max": "1 or 255: what white is before that",
    "channels": "rgb or bgr: the order that the network wants",
    "input": "name of the input, where there are several",
    "output": "name of the probability map, where there are several outputs",
    "threshold": "name of the threshold map, where there is one",
    "name": "name of the model; default: the file's",
    "backbone": "name of the backbone",
    "unit": "word or line: what one region is",
    "binarize": "0..1: pixels above it are text",
    "min_score": "0..1: regions below it are dropped",
    "unclip_ratio": "how far regions are grown back",
    "score": "box or region: what a score is the mean over",
}

# What the inference graph depends on; the others take effect behind it.
_IN_GRAPH = ("mean", "std", "pixel_max", "channels", "input", "output", "threshold")

# The first with the operator that rounds halves to even, which the inference graph ends with.
MIN_OPSET = 11


@dataclass(frozen=True)
class Declaration:
    """A complete declaration.

    mean, std  RGB, of 0..255, whatever they were given in
    channels   the order that the network wants
    input, output, threshold
               names in the file; empty: the only one (threshold: none)
    values     every key and its text, sorted
    where      the file, or "--declare", for messages
    """

    mean: Triple
    std: Triple
    channels: Literal["rgb", "bgr"]
    input: str
    output: str
    threshold: str
    values: tuple[tuple[str, str], ...]
    where: str

    @property
    def settings(self) -> Settings:
        """The settings that stand behind the graph: name, thresholds and so on."""
        return Settings(dict(self.values), self.where, "see docs/foreign-models.md")

    @property
    def identity(self) -> bytes:
        """What tells engines of two declarations of one file apart."""
        given = {key: value for key, value in self.values if key in _IN_GRAPH}
        return json.dumps(given, sort_keys=True).encode()


def toml_beside(path: Path) -> Path:
    """Return where the declaration of the model file `path` lies or would lie."""
    return path.with_suffix(".toml")


def read_declaration(path: Path, given: Mapping[str, str]) -> Declaration | None:
    """Read the declaration of the model file `path`; None where there is none.

    given  what was declared on the command line (`parse_declared`); wins over the file

    Raises InputError for a file that can't be read, an unknown key, a bad or missing value.
    """
    beside = toml_beside(path)
    if not beside.is_file() and not given:
        return None
    where = str(beside) if beside.is_file() else "--declare"
    found = _read_toml(beside) if beside.is_file() else {}
    return _declaration({**found, **given}, where)


def parse_declared(texts: Iterable[str]) -> dict[str, str]:
    """Return the keys and values of texts like "mean=0.5".

    Raises UsageError for a text of another form or an unknown key.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not value.strip():
            raise UsageError(f"--declare {text!r} is not KEY=VALUE: write for example mean=0.5")
        if key not in KEYS:
            raise UsageError(f"--declare has no key {key!r}, nearest is {_nearest(key)!r}")
        found[key] = value.strip()
    return found


def adopt(proto: onnx.ModelProto, declared: Declaration, path: Path) -> onnx.ModelProto:
    """Turn a foreign graph into one of a model file: the names, and RGB as the order of channels.

    Changes `proto` and returns it. Raises InputError where it is no such detector.
    """
    # Here, and not above: what reads options only should not wait for numpy.
    from dbrt.engine.modelfile import INPUT, PROBABILITY, THRESHOLD
    from dbrt.engine.stem import turn_stem

    graph = proto.graph
    opset = max(
        (op.version for op in proto.opset_import if op.domain in ("", "ai.onnx")), default=0
    )
    if opset < MIN_OPSET:
        raise InputError(
            f"model file {path} has opset {opset}: export it with opset {MIN_OPSET} or later"
        )
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    image = _pick(inputs, declared.input, "input", path)
    _check_image(image, path)
    renamed = {image.name: INPUT}
    renamed[_pick(list(graph.output), declared.output, "output", path).name] = PROBABILITY
    if declared.threshold:
        renamed[_pick(list(graph.output), declared.threshold, "threshold", path).name] = THRESHOLD
    _rename(graph, {new: f"foreign/{new}" for new in renamed.values() if new not in renamed})
    _rename(graph, renamed)
    if declared.channels == "bgr" and not turn_stem(graph, INPUT):
        _gather_channels(graph, INPUT)
    return proto


def _read_toml(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InputError(f"declaration {path} can't be read: {exc.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"declaration {path} is no TOML: {exc}") from None
    for key in table:
        if key not in KEYS:
            raise InputError(
                f"declaration {path}: unknown key {key!r}, nearest is {_nearest(key)!r}"
            )
    return {key: _as_text(key, value, path) for key, value in table.items()}


def _nearest(key: str) -> str:
    return difflib.get_close_matches(key, KEYS, n=1, cutoff=0.0)[0]


def _as_text(key: str, value: Any, path: Path) -> str:
    """Return a TOML value in the form of the command line's."""
    if isinstance(value, list):
        return ",".join(_as_text(key, part, path) for part in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"declaration {path}: {key} must be a text, a number or three numbers")
    return str(value)


def _declaration(values: Mapping[str, str], where: str) -> Declaration:
    missing = [key for key in NEEDED if key not in values]
    if missing:
        what = ", ".join(f"{key} ({KEYS[key]})" for key in missing)
        raise InputError(f"declaration {where} lacks {what}")
    read = Settings(values, f"declaration {where}", "see docs/foreign-models.md")
    channels = read.get("channels", _channels)
    factor = 255 / read.get("pixel_max", _pixel_max)
    return Declaration(
        mean=_as_rgb(read.get("mean", _one_or_three), factor, channels),
        std=_as_rgb(read.get("std", _positive), factor, channels),
        channels=channels,
        input=values.get("input", ""),
        output=values.get("output", ""),
        threshold=values.get("threshold", ""),
        values=tuple(sorted(values.items())),
        where=f"declaration {where}",
    )


def _as_rgb(values: Triple, factor: float, channels: str) -> Triple:
    """Turn values in the order of `channels` into RGB of 0..255."""
    first, second, third = (value * factor for value in values)
    return (third, second, first) if channels == "bgr" else (first, second, third)


def _one_or_three(text: str) -> Triple:
    return settings.triple(text if "," in text or " " in text.strip() else f"{text},{text},{text}")


def _positive(text: str) -> Triple:
    values = _one_or_three(text)
    if min(values) <= 0:
        raise ValueError(text)
    return values


def _pixel_max(text: str) -> float:
    if float(text) not in (1.0, 255.0):
        raise ValueError(text)
    return float(text)


def _channels(text: str) -> Literal["rgb", "bgr"]:
    if text.lower() not in ("rgb", "bgr"):
        raise ValueError(text)
    return "bgr" if text.lower() == "bgr" else "rgb"


def _pick(
    values: list[onnx.ValueInfoProto], wanted: str, key: str, path: Path
) -> onnx.ValueInfoProto:
    """Return the input or output that is wanted, or the only one."""
    names = [value.name for value in values]
    if wanted in names:
        return values[names.index(wanted)]
    if len(values) == 1 and not wanted:
        return values[0]
    raise InputError(
        f"model file {path} has {', '.join(names) or 'none'}, not {wanted}: declare {key}"
        if wanted
        else f"model file {path} has several, {', '.join(names)}: declare {key}"
    )


def _check_image(value: onnx.ValueInfoProto, path: Path) -> None:
    from onnx import TensorProto

    kind = value.type.tensor_type
    sides = [dim.dim_value or 0 for dim in kind.shape.dim]
    if kind.elem_type != TensorProto.FLOAT or len(sides) != 4 or sides[1] not in (0, 3):
        found = TensorProto.DataType.Name(kind.elem_type).lower()
        shape = "x".join(str(side or "?") for side in sides)
        raise InputError(
            f"model file {path} takes {found} {shape}: dbrt takes networks of float32 Nx3xHxW"
        )


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors wherever they are written or read, in the graphs within nodes too."""
    for tensor in [*graph.initializer, *graph.input, *graph.output, *graph.value_info]:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        for slots in (node.input, node.output):
            for i, name in enumerate(slots):
                slots[i] = names.get(name, name)
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _rename(inner, names)


def _gather_channels(graph: onnx.GraphProto, image: str) -> None:
    """Reverse the channels with a node in front, where no first convolution can be turned."""
    import numpy as np
    from onnx import helper, numpy_helper

    order, reversed_ = f"{image}/order", f"{image}/reversed"
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = reversed_ if name == image else name
    graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), order))
    body = list(graph.node)
    del graph.node[:]
    graph.node.append(helper.make_node("Gather", [image, order], [reversed_], reversed_, axis=1))
    graph.node.extend(body)
