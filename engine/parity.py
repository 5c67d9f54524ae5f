"""Parity: whether an engine sees what the float32 network sees.

The engine and a float32 run of the plain graph, in another library where there is one, look at the
same pictures; their maps and the regions decoded from them are compared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.engine.graph import prepare
from dbrt.engine.letterbox import letterbox
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.runner import Frames, Maps, Runner
from dbrt.engine.select import choose, make_spec
from dbrt.engine.spec import EngineSpec
from dbrt.engine.twin import make_twin
from dbrt.errors import RunnerError
from dbrt.regions import Quads, TextRegions

# From one map (H, W) uint8 to its regions; `dbrt.postproc.decode` with the model's thresholds.
FindRegions = Callable[[NDArray[np.uint8]], TextRegions]

# A region is the same one where the quads overlap by half, as in the ICDAR 2015 protocol.
SAME_IOU = 0.5

# Where an engine counts as broken. Measured on trained weights, bf16 and int8 against fp32: mean
# error 0.0007, 0.04 % of the pixels crossed the threshold. Ten times that is no rounding.
MAX_MEAN_ERROR = 0.01
MAX_FLIPPED = 0.005

# What the report says of an engine for a card that is not here.
NOT_EXECUTED = "not executed on a GPU: its graph was computed on the CPU, rounded as a GPU rounds"

_WORDS = ("EXIT 24", "Boulevard", "OPEN", "No parking", "dbrt", "Gate B7", "Sale -50%", "Hotel")


@dataclass(frozen=True)
class ParityReport:
    """How far an engine's maps are from the float32 run's.

    reference   what it was compared with: runner and precision
    frames      pictures looked at
    mean_error  of the probability, 0..1, over all pixels
    max_error   likewise
    flipped     share of the pixels that are text for one and not for the other, 0..1
    regions     found in the float32 maps
    gained      found by the engine only
    lost        found by float32 only
    constant    the engine's maps have one value, the float32 maps do not
    executed    the engine itself ran; else its graph did, on the CPU, types and all
    """

    reference: str
    frames: int
    mean_error: float
    max_error: float
    flipped: float
    regions: int
    gained: int
    lost: int
    constant: bool
    executed: bool = True

    @property
    def problem(self) -> str:
        """Say why the engine must not be used; empty where it may."""
        if self.constant:
            return "its maps are constant, as NaN makes them"
        if self.mean_error > MAX_MEAN_ERROR:
            return f"mean map error {self.mean_error:.4f} is over {MAX_MEAN_ERROR}"
        if self.flipped > MAX_FLIPPED:
            return f"{self.flipped:.2%} of the pixels change sides, over {MAX_FLIPPED:.1%}"
        return ""

    @property
    def note(self) -> str:
        """Say what ran in the engine's place; empty where the engine itself did."""
        return "" if self.executed else NOT_EXECUTED

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"map error mean {self.mean_error:.5f}, max {self.max_error:.3f}; "
            f"{self.flipped:.3%} of pixels crossed the threshold; "
            f"{self.regions} regions, {self.gained} gained, {self.lost} lost "
            f"(against {self.reference}, {self.frames} pictures)"
        )


def measure(
    runner: Runner, reference: Runner, find_regions: FindRegions, *, executed: bool = True
) -> ParityReport:
    """Run both on the parity pictures and compare.

    runner        the engine to judge, or what stands in for it
    reference     of the same shape and batch (`open_reference`)
    find_regions  decodes one map
    executed      `runner` is the engine itself
    """
    batches = batches_of(parity_frames(), runner.spec, runner.model.fill)
    found = np.concatenate([runner.infer(b)[:n].copy() for b, n in batches])
    expected = np.concatenate([reference.infer(b)[:n].copy() for b, n in batches])
    return compare(
        found,
        expected,
        find_regions,
        binarize=runner.model.binarize,
        reference=f"{reference.spec.runner} {reference.spec.precision}",
        executed=executed,
    )


def compare(
    found: Maps,
    expected: Maps,
    find_regions: FindRegions,
    *,
    binarize: float,
    reference: str,
    executed: bool = True,
) -> ParityReport:
    """Compare an engine's maps with the float32 maps of the same pictures.

    found, expected  (N, H, W) uint8
    """
    error = np.abs(found.astype(np.int16) - expected) / 255
    flipped = (found > 255 * binarize) != (expected > 255 * binarize)
    regions = gained = lost = 0
    for one, other in zip(found, expected, strict=True):
        mine, theirs = find_regions(one).quads, find_regions(other).quads
        same = count_same(mine, theirs)
        regions += len(theirs)
        gained += len(mine) - same
        lost += len(theirs) - same
    return ParityReport(
        reference=reference,
        frames=len(found),
        mean_error=float(error.mean()),
        max_error=float(error.max()),
        flipped=float(flipped.mean()),
        regions=regions,
        gained=gained,
        lost=lost,
        constant=bool(np.ptp(found) == 0 and np.ptp(expected) > 0),
        executed=executed,
    )


def count_same(quads: Quads, others: Quads) -> int:
    """Count the quads that have a partner among `others`, one to one, at IoU of at least 0.5.

    quads, others  (N, 4, 2) and (M, 4, 2) float32, convex
    """
    free = list(others)
    same = 0
    for quad in quads:
        overlaps = [_iou(quad, other) for other in free]
        if overlaps and max(overlaps) >= SAME_IOU:
            free.pop(int(np.argmax(overlaps)))
            same += 1
    return same


def open_reference(model: ModelFile, shape: tuple[int, int], batch: int, besides: str) -> Runner:
    """Open a float32 run of the model's graph, in another library than `besides` if one is here.

    Built in memory, never from the cache.
    """
    names = [name for name in ("onnxruntime", "openvino") if name != besides]
    for name in [*names, besides]:
        try:
            chosen, plan = choose(name, "fp32")
        except RunnerError:
            continue
        spec = make_spec(model, chosen, plan, shape=shape, batch=batch)
        # The plain graph, so that the rewriting of the engine's is compared too.
        plain = prepare(model, shape, batch=batch, rewrite=False).SerializeToString()
        return chosen.open(plain, spec, model, plan.reason)
    raise RunnerError("no runner for a float32 comparison: pip install openvino")


def open_stand_in(model: ModelFile, spec: EngineSpec, graph: bytes) -> Runner:
    """Open the graph of an engine that can't run here, computed on the CPU as a GPU would.

    graph  ONNX, every tensor typed, as the engine was compiled from it

    Raises RunnerError without ONNX Runtime: OpenVINO would simplify the rounding away.
    """
    import onnx

    chosen, plan = choose("onnxruntime", "fp32")
    twin = make_twin(onnx.load_model_from_string(graph), spec.precision).SerializeToString()
    # No card's target: the CPU it is, whatever else ONNX Runtime could take.
    own = replace(spec, runner=chosen.name, runner_version=plan.version, target="cpu")
    return chosen.open(twin, own, model, plan.reason)


@functools.cache
def parity_frames() -> tuple[NDArray[np.uint8], ...]:
    """Draw the pictures of the comparison: words of many sizes and angles on four backgrounds.

    returns  four (H, W, 3) uint8 BGR, read-only, drawn at the first call and kept
    """
    seed = np.random.default_rng(20)
    sizes = [(540, 960), (480, 640), (720, 540), (360, 640)]
    frames = tuple(_draw(height, width, seed) for height, width in sizes)
    for frame in frames:
        frame.flags.writeable = False
    return frames


def _draw(height: int, width: int, seed: np.random.Generator) -> NDArray[np.uint8]:
    left_level, right_level = seed.uniform(20, 230, 2)
    ramp = np.linspace(left_level, right_level, width)[None, :, None] * seed.uniform(0.6, 1.0, 3)
    noise = cv2.resize(seed.normal(0, 25, (height // 40, width // 40, 3)), (width, height))
    grain = seed.normal(0, seed.uniform(1, 10), (height, width, 3))
    frame: NDArray[np.uint8] = np.clip(ramp + noise + grain, 0, 255).astype(np.uint8)
    for i, word in enumerate(_WORDS):
        layer = np.zeros((height, width), np.uint8)
        scale = height / 400 * seed.uniform(0.5, 2.0)
        left, base = int(seed.uniform(0, 0.6) * width), int((i + 1) / 9 * height)
        thickness = max(1, round(scale * 2))
        cv2.putText(layer, word, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness)
        turn = cv2.getRotationMatrix2D((left, base), seed.uniform(-15, 15), 1)
        layer = np.asarray(cv2.warpAffine(layer, turn, (width, height)), np.uint8)
        colour = seed.uniform(160, 255, 3) if ramp.mean() < 125 else seed.uniform(0, 70, 3)
        frame[layer > 127] = colour.astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(frame, (3, 3), 0), np.uint8)


def batches_of(
    pictures: Sequence[NDArray[np.uint8]], spec: EngineSpec, fill: tuple[int, int, int]
) -> list[tuple[Frames, int]]:
    """Letterbox pictures into batches for an engine, each with how many of its pictures count.

    fill  BGR of the margin, `ModelFile.fill`

    The last batch is filled up by repeating.
    """
    canvases = [letterbox(picture, spec.shape, fill)[0] for picture in pictures]
    batches = []
    for start in range(0, len(canvases), spec.batch):
        part = canvases[start : start + spec.batch]
        filled = part + [part[-1]] * (spec.batch - len(part))
        batches.append((np.stack(filled), len(part)))
    return batches


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    common, _ = cv2.intersectConvexConvex(a, b)
    union = cv2.contourArea(a) + cv2.contourArea(b) - common
    return float(common / union) if union > 0 else 0.0
