"""EngineSpec: the value that names an engine completely."""

from __future__ import annotations

import hashlib
import json
import operator
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from dbrt.engine.modelfile import MODELS
from dbrt.errors import EngineError, UsageError

SIZE_STEP = 32  # the network halves its input five times
MIN_SIZE = 64
MAX_SIZE = 4096

RUNNERS = ("tensorrt", "openvino", "onnxruntime")
PRECISIONS = ("fp32", "fp16", "bf16", "int8")

TARGET_SEPARATOR = "+"  # of the cards that one TensorRT-RTX engine was built for


@dataclass(frozen=True)
class EngineSpec:
    """Everything an engine depends on: two engines with equal specs are interchangeable.

    model_name      the model's name, safe in a file name
    model_sha256    of the model file
    shape           (H, W) of the network's input, multiples of 32
    batch           frames in one call
    precision       "fp32", "fp16", "bf16" or "int8"
    runner          "tensorrt", "openvino" or "onnxruntime"
    runner_version  of the library that built it
    target          what it was built for: "sm_89", "sm_75+sm_89", or the CPU's instruction set
    graph_version   of the inference graph (`dbrt.engine.graph.GRAPH_VERSION`)
    threshold_head  whether it also puts out the threshold map
    """

    model_name: str
    model_sha256: str
    shape: tuple[int, int]
    batch: int
    precision: str
    runner: str
    runner_version: str
    target: str
    graph_version: int
    threshold_head: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of all fields, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """`<name>-<HxW>-<precision>-<runner>-<digest8>.engine`."""
        height, width = self.shape
        parts = (self.model_name, f"{height}x{width}", self.precision, self.runner, self.digest[:8])
        return "-".join(parts) + ".engine"

    @property
    def build_command(self) -> str:
        """The command line that builds this engine anew.

        A model that does not ship with dbrt is named as a file; the spec knows no folder.
        """
        height, width = self.shape
        size = f"--size {height}" if height == width else f"--shape {height}x{width}"
        model = self.model_name if self.model_name in MODELS else f"{self.model_name}.onnx"
        batch = f" --batch {self.batch}" if self.batch > 1 else ""
        cards = ",".join(self.targets).replace("_", "")
        target = f" --target {cards}" if len(self.targets) > 1 else ""
        return (
            f"dbrt build {size} --model {model}{batch} "
            f"--runner {self.runner} --precision {self.precision}{target} --force"
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """What it was built for, one by one: ("sm_75", "sm_89")."""
        return tuple(self.target.split(TARGET_SEPARATOR))

    def covers(self, wanted: EngineSpec) -> bool:
        """Whether an engine of this spec serves where `wanted` is asked for.

        The same but for the target, which must include all of `wanted`'s.
        """
        same = replace(self, target=wanted.target) == wanted
        return same and set(wanted.targets) <= set(self.targets)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EngineSpec:
        """Make a spec of what `to_dict` returned.

        Raises EngineError where `data` is not a spec.
        """
        try:
            height, width = data["shape"]
            return cls(**{**data, "shape": (int(height), int(width))})
        except (KeyError, TypeError, ValueError):
            raise EngineError("the sidecar's spec is not one of an engine") from None

    def difference(self, other: EngineSpec) -> str:
        """Name the first field in which `other` differs, with both values; empty where equal."""
        mine, theirs = self.to_dict(), other.to_dict()
        for key, value in mine.items():
            if theirs[key] != value:
                return f"{key.replace('_', ' ')} {theirs[key]} instead of {value}"
        return ""


def check_size(size: int) -> int:
    """Return `size` where it is a multiple of 32 from 64 to 4096.

    Raises UsageError that names the nearest valid sizes.
    """
    return _check_side(size, "size", MIN_SIZE)


def check_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return `shape` (H, W) where both sides are multiples of 32 from 32 to 4096.

    Raises UsageError that names the nearest valid sides.
    """
    try:
        height, width = shape
    except (TypeError, ValueError):
        raise UsageError(
            f"shape {shape!r} is not (height, width): give two whole numbers"
        ) from None
    return _check_side(height, "height", SIZE_STEP), _check_side(width, "width", SIZE_STEP)


def parse_shape(text: str) -> tuple[int, int]:
    """Return the (H, W) that `--shape HxW` names.

    Raises UsageError for another form, or sides that are no multiples of 32.
    """
    return check_shape(parse_pair(text, "--shape", "HEIGHTxWIDTH"))


def parse_pair(text: str, option: str, form: str) -> tuple[int, int]:
    """Return the two numbers of a text like "736x1280".

    option, form  for the message: "--frame", "WIDTHxHEIGHT"

    Raises UsageError for another form.
    """
    first, _, second = text.strip().lower().partition("x")
    if not all(part.isascii() and part.isdigit() and len(part) <= 6 for part in (first, second)):
        example = "1280x720" if form.startswith("WIDTH") else "736x1280"
        raise UsageError(f"{option} {text!r} is not {form}: write for example {example}")
    return int(first), int(second)


def parse_targets(text: str) -> tuple[str, ...]:
    """Return the targets that `--target sm75,sm86` names: ("sm_75", "sm_86"), sorted, each once.

    Raises UsageError for another form. Whether there is such a card, the library knows.
    """
    names = [part.strip().lower().replace("_", "") for part in text.split(",")]
    if not all(re.fullmatch("sm[0-9]{2,3}", name) for name in names):
        raise UsageError(f"--target {text!r} names no cards: write for example sm75,sm86")
    return tuple(f"sm_{number}" for number in sorted({int(name[2:]) for name in names}))


def shape_for_frame(size: int, height: int, width: int) -> tuple[int, int]:
    """Return the (H, W) that wastes least for a frame of `height` x `width` pixels.

    The frame is scaled to longest side `size` and each side is rounded up to a multiple of 32:
    1280x720 at 736 gives (416, 736).
    """
    check_size(size)
    if height < 1 or width < 1:
        raise UsageError(f"a frame of {width}x{height} has no pixels: give WIDTHxHEIGHT")
    longest = max(height, width)
    # Integers throughout: ceil(side * size / longest / 32) * 32.
    return (
        -(-height * size // (longest * SIZE_STEP)) * SIZE_STEP,
        -(-width * size // (longest * SIZE_STEP)) * SIZE_STEP,
    )


def _check_side(side: int, what: str, least: int) -> int:
    try:
        side = operator.index(side)  # of numpy's integers too, but of no float
    except TypeError:
        raise UsageError(f"{what} {side!r} is not a whole number: give one, like 736") from None
    if least <= side <= MAX_SIZE and side % SIZE_STEP == 0:
        return side
    below = min(max(side // SIZE_STEP * SIZE_STEP, least), MAX_SIZE)
    above = min(max(below + SIZE_STEP, least), MAX_SIZE) if side > least else least
    nearest = f"{below} or {above}" if below != above else f"{below}"
    raise UsageError(
        f"{what} {side} is not a multiple of {SIZE_STEP} from {least} to {MAX_SIZE}: take {nearest}"
    )
