"""ModelFile: what a model file says about itself, read without running anything in it.

A model file is one ONNX file with both heads: input `image` float32 (N, 3, H, W) RGB, normalised;
outputs `probability` and `threshold`, float32 (N, 1, H, W). Its `metadata_props` carry everything
that belongs to the model and not to the machine: normalisation, decode thresholds, the card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dbrt.engine import settings
from dbrt.engine.settings import Settings, Triple
from dbrt.errors import InputError

if TYPE_CHECKING:
    import onnx

FORMAT = "1"
INPUT = "image"
PROBABILITY = "probability"
THRESHOLD = "threshold"

# What `auto` takes on a CPU, best first: only the light network keeps up with video there.
MODELS = ("dbrt-lite", "dbrt-r18", "dbrt-r50")

# Our largest network is 51 MB, and protobuf itself ends at 2 GiB.
MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class ModelFile:
    """A model file's identity and settings.

    mean, std           RGB, of 0..255; the network takes (rgb - mean) / std
    unit                what one region is: "word" or "line"
    binarize            a pixel is text where its probability exceeds this, 0..1
    min_score           a region is kept where its mean probability reaches this, 0..1
    unclip_ratio        how far a shrunk region is grown back, area / perimeter times this
    score               what a region's score is the mean over: its rectangle ("box") or its
                        pixels ("region"); min_score belongs to it
    card                data, steps, accuracy: the model card's JSON
    has_threshold_head  whether the threshold map can be asked for
    """

    path: Path
    sha256: str
    name: str
    backbone: str
    mean: Triple
    std: Triple
    unit: str
    binarize: float
    min_score: float
    unclip_ratio: float
    has_threshold_head: bool
    score: Literal["box", "region"] = "box"
    card: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def decode_options(self) -> dict[str, Any]:
        """The keywords of `dbrt.postproc.decode` that belong to the model, not to its caller."""
        return {
            "binarize": self.binarize,
            "min_score": self.min_score,
            "unclip_ratio": self.unclip_ratio,
            "score": self.score,
        }

    @property
    def fill(self) -> tuple[int, int, int]:
        """The mean colour as BGR, 0..255: what letterboxes are filled with, zero to the network."""
        red, green, blue = (round(value) for value in self.mean)
        return blue, green, red

    def load(self) -> onnx.ModelProto:
        """Parse the file again and return its ONNX model.

        Raises InputError where the file has changed since it was first read.
        """
        data = _read(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise InputError(f"model file {self.path} changed while it was in use: start again")
        return _parse(data, self.path)


def read_model_file(path: str | Path) -> ModelFile:
    """Read and check a model file.

    Raises InputError, one line, where the file is missing, empty, cut short, not ONNX, refers to
    other files, or lacks dbrt's metadata.
    """
    path = Path(path)
    data = _read(path)
    model = _parse(data, path)
    props = {prop.key: prop.value for prop in model.metadata_props}
    if props.get("dbrt.format") != FORMAT:
        found = props.get("dbrt.format")
        what = "no dbrt metadata" if found is None else f"format {found!r}, not {FORMAT!r}"
        raise InputError(f"model file {path} has {what}: write it with dbrt export")
    outputs = _check_interface(model, path)
    read = Settings(props, f"model file {path}", "write it with dbrt export")
    return ModelFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        name=read.get("dbrt.name", settings.name),
        backbone=read.get("dbrt.backbone", str),
        mean=read.get("dbrt.mean", settings.triple),
        std=read.get("dbrt.std", settings.positive_triple),
        unit=read.get("dbrt.unit", settings.unit),
        binarize=read.get("dbrt.binarize", settings.fraction, "0.3"),
        min_score=read.get("dbrt.min_score", settings.fraction, "0.6"),
        unclip_ratio=read.get("dbrt.unclip_ratio", settings.ratio, "1.5"),
        has_threshold_head=THRESHOLD in outputs,
        score=read.get("dbrt.score", settings.score, "box"),
        card=read.get("dbrt.card", settings.card, "{}"),
    )


def find_model(name: str | Path = "auto") -> Path:
    """Return the path of a model: "auto", the name of a shipped one, or a path.

    Raises InputError where there is no such model.
    """
    folder = Path(str(resources.files("dbrt"))) / "models"
    shipped = {model: folder / f"{model}.onnx" for model in MODELS}
    here = {model: path for model, path in shipped.items() if path.is_file()}
    if name == "auto":
        if not here:
            raise InputError("no model is installed with dbrt: give --model FILE.onnx")
        return next(iter(here.values()))
    if name in shipped:
        if name not in here:
            others = ", ".join(here) or "none"
            raise InputError(f"model {name} is not installed (here: {others}): give --model FILE")
        return here[str(name)]
    path = Path(name)
    if not path.is_file():
        raise InputError(f"no model {name}: give auto, {', '.join(MODELS)} or an .onnx file")
    return path


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"model file {path} has {size >> 20} MiB: this is no dbrt model")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no model file {path}: check --model") from None
    except OSError as exc:
        raise InputError(f"model file {path} can't be read: {exc.strerror}") from None
    if not data:
        raise InputError(f"model file {path} is empty: get it again")
    return data


def _parse(data: bytes, path: Path) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(data)
        # An external tensor would make the file open others: refused before the checker follows it.
        if any(tensor.external_data for tensor in model.graph.initializer):
            raise InputError(f"model file {path} keeps weights in other files: dbrt takes one file")
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, UnicodeDecodeError):
        raise InputError(f"model file {path} is cut short or not ONNX: get it again") from None
    return model


def _check_interface(model: onnx.ModelProto, path: Path) -> set[str]:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in weights]
    outputs = {value.name for value in model.graph.output}
    if inputs != [INPUT] or PROBABILITY not in outputs:
        raise InputError(
            f"model file {path} has inputs {inputs} and outputs {sorted(outputs)}, "
            f"not {INPUT} and {PROBABILITY}: write it with dbrt export"
        )
    return outputs
