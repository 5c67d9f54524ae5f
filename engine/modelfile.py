"""ModelFile: what a model file says about itself, read without running anything in it.

A model file is one ONNX file with both heads: input `image` float32 (N, 3, H, W) RGB, normalised;
outputs `probability` and `threshold`, float32 (N, 1, H, W). Its `metadata_props` carry everything
that belongs to the model and not to the machine: normalisation, decode thresholds, the card.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

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

# The name becomes part of a file name in the cache, so it may not climb out of the folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Triple = tuple[float, float, float]
T = TypeVar("T")


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
    settings = {prop.key: prop.value for prop in model.metadata_props}
    if settings.get("dbrt.format") != FORMAT:
        found = settings.get("dbrt.format")
        what = "no dbrt metadata" if found is None else f"format {found!r}, not {FORMAT!r}"
        raise InputError(f"model file {path} has {what}: write it with dbrt export")
    outputs = _check_interface(model, path)
    read = _Settings(settings, path)
    return ModelFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        name=read.get("dbrt.name", _name),
        backbone=read.get("dbrt.backbone", str),
        mean=read.get("dbrt.mean", _triple),
        std=read.get("dbrt.std", _positive_triple),
        unit=read.get("dbrt.unit", _unit),
        binarize=read.get("dbrt.binarize", _fraction, "0.3"),
        min_score=read.get("dbrt.min_score", _fraction, "0.6"),
        unclip_ratio=read.get("dbrt.unclip_ratio", _ratio, "1.5"),
        has_threshold_head=THRESHOLD in outputs,
        score=read.get("dbrt.score", _score, "box"),
        card=read.get("dbrt.card", _card, "{}"),
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


class _Settings:
    """Metadata with a parser for each key; a bad value names the key and the file."""

    def __init__(self, values: Mapping[str, str], path: Path) -> None:
        self._values = values
        self._path = path

    def get(self, key: str, parse: Callable[[str], T], default: str | None = None) -> T:
        text = self._values.get(key, default)
        if text is None:
            raise InputError(f"model file {self._path} lacks {key}: write it with dbrt export")
        try:
            return parse(text)
        except (ValueError, TypeError, OverflowError):
            raise InputError(
                f"model file {self._path} has a bad {key} ({text[:40]!r}): "
                "write it with dbrt export"
            ) from None


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


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(text)
    return text


def _unit(text: str) -> str:
    if text not in ("word", "line"):
        raise ValueError(text)
    return text


def _score(text: str) -> Literal["box", "region"]:
    if text not in ("box", "region"):
        raise ValueError(text)
    return "region" if text == "region" else "box"


def _triple(text: str) -> Triple:
    """Three numbers, as JSON or separated by commas or blanks."""
    values = [float(part) for part in re.split(r"[\s,]+", text.strip(" []()"))]
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ValueError(text)
    return values[0], values[1], values[2]


def _positive_triple(text: str) -> Triple:
    values = _triple(text)
    if min(values) <= 0:
        raise ValueError(text)
    return values


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _ratio(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10:
        raise ValueError(text)
    return value


def _card(text: str) -> dict[str, Any]:
    card = json.loads(text)
    if not isinstance(card, dict):
        raise ValueError(text)
    return card
