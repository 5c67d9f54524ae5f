"""ModelFile: what a model file says about itself, read without running anything in it.

A model file is one ONNX file with both heads: input `image` float32 (N, 3, H, W) RGB, normalised;
outputs `probability` and `threshold`, float32 (N, 1, H, W). Its `metadata_props` carry everything
that belongs to the model and not to the machine: normalisation, decode thresholds, the card.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dbrt.engine import settings
from dbrt.engine.declaration import NEEDED, Declaration, adopt, read_declaration, toml_beside
from dbrt.engine.settings import Settings, Triple
from dbrt.errors import InputError, UsageError

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
    declaration         of a detector from elsewhere, what the file does not say; else None
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
    declaration: Declaration | None = None

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
        if _digest(data, self.declaration) != self.sha256:
            raise InputError(f"model file {self.path} changed while it was in use: start again")
        model = _parse(data, self.path)
        return model if self.declaration is None else adopt(model, self.declaration, self.path)


def read_model_file(path: str | Path, declared: Mapping[str, str] | None = None) -> ModelFile:
    """Read and check a model file.

    declared  for a detector from elsewhere: what it wants, by the keys of `dbrt.engine.declaration`
              and as text; wins over the TOML beside the file

    Raises InputError, one line, where the file is missing, empty, cut short, not ONNX, refers to
    other files, or has neither dbrt's metadata nor a declaration; UsageError where `declared` is
    for a file that needs none.
    """
    path = Path(path)
    data = _read(path)
    model = _parse(data, path)
    props = {prop.key: prop.value for prop in model.metadata_props}
    if props.get("dbrt.format") != FORMAT:
        found = props.get("dbrt.format")
        if found is None:
            return _read_foreign(path, data, model, declared or {})
        raise InputError(
            f"model file {path} has format {found!r}, not {FORMAT!r}: write it with dbrt export"
        )
    if declared:
        raise UsageError(f"model file {path} says itself what it wants: leave out --declare")
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


def _read_foreign(
    path: Path, data: bytes, model: onnx.ModelProto, given: Mapping[str, str]
) -> ModelFile:
    """Read a detector from elsewhere as its declaration says."""
    declared = read_declaration(path, given)
    if declared is None:
        raise InputError(
            f"model file {path} has no dbrt metadata: write it with dbrt export, or declare "
            f"{', '.join(NEEDED)} in {toml_beside(path).name} beside it or with --declare KEY=VALUE"
        )
    adopt(model, declared, path)  # what does not fit is said now
    read = declared.settings
    return ModelFile(
        path=path,
        sha256=_digest(data, declared),
        name=read.get("name", settings.name, _safe_name(path.stem)),
        backbone=read.get("backbone", str, "unknown"),
        mean=declared.mean,
        std=declared.std,
        unit=read.get("unit", settings.unit, "word"),
        binarize=read.get("binarize", settings.fraction, "0.3"),
        min_score=read.get("min_score", settings.fraction, "0.6"),
        unclip_ratio=read.get("unclip_ratio", settings.ratio, "1.5"),
        has_threshold_head=bool(declared.threshold),
        score=read.get("score", settings.score, "box"),
        declaration=declared,
    )


def _safe_name(stem: str) -> str:
    """Return a file's name with what a model's name may not hold replaced."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "model"


def _digest(data: bytes, declaration: Declaration | None) -> str:
    """SHA-256 of the file; with a declaration, of both, for both make the graph."""
    more = b"" if declaration is None else declaration.identity
    return hashlib.sha256(data + more).hexdigest()


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
