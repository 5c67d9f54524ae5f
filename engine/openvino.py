"""The OpenVINO runner: what runs on CPUs.

The engine file is the inference graph as ONNX, not OpenVINO's compiled blob. Measured for
ResNet-18 at 736x736 (two cores, OpenVINO 2026.4): the graph has 24 MB and compiles in 0.14 s, the
blob has 49 MB and imports in 0.07 to 0.14 s, and is taken without a word when a byte in it changed.
"""

from __future__ import annotations

import functools
import platform
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from dbrt.engine.graph import FRAME, MAP, prepare
from dbrt.engine.modelfile import THRESHOLD, ModelFile
from dbrt.engine.runner import Frames, Maps, Plan, Runner
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, RunnerError, UsageError

# Our word, what OpenVINO calls the capability, and the hint that asks for it. The hint is always
# given: left alone, OpenVINO takes bf16 where it can, and "fp32" would not be.
HINTS = {"fp32": ("FP32", "f32"), "bf16": ("BF16", "bf16"), "fp16": ("FP16", "f16")}


class OpenVinoRunner(Runner):
    """Runs the inference graph on the CPU with OpenVINO."""

    name: ClassVar[str] = "openvino"

    def __init__(
        self, compiled: Any, spec: EngineSpec, model: ModelFile, reason: str, streams: int
    ) -> None:
        # One more than there are streams: while all streams compute, the next input is copied.
        super().__init__(spec, model, reason, depth=streams + 1)
        self._compiled = compiled
        self._sync = compiled.create_infer_request()
        # One request beyond `depth`, so that what was collected last is not overwritten by the
        # submit that follows it.
        self._idle = deque(compiled.create_infer_request() for _ in range(self.depth + 1))
        self._busy: deque[tuple[Any, Any]] = deque()  # (request, tag), oldest first
        self._outputs = [MAP, THRESHOLD] if spec.threshold_head else [MAP]

    @classmethod
    def plan(cls, precision: str, targets: tuple[str, ...] = ()) -> Plan:
        """Take bf16 where the CPU computes it natively, else fp32; or what was asked for."""
        ov = _openvino()
        core = _core()
        has = set(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        cpu = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
        version = ov.__version__.split("-")[0]
        possible = [word for word, (capability, _) in HINTS.items() if capability in has]
        known = sorted(has & {"BF16", "FP16", "FP32", "INT8"})
        target = "-".join([platform.machine().lower(), *(name.lower() for name in known)])
        if precision == "auto":
            precision = "bf16" if "bf16" in possible else "fp32"
            why = "computes bf16" if precision == "bf16" else "has no bf16 units"
        elif precision in possible:
            why = f"was asked for {precision}"
        else:
            raise RunnerError(
                f"openvino can't run {precision} on this CPU ({cpu}): take --precision "
                + " or ".join(["auto", *possible])
            )
        return Plan(precision, version, target, f"openvino {version} with {precision}: {cpu} {why}")

    @classmethod
    def build(cls, model: ModelFile, spec: EngineSpec) -> bytes:
        """Prepare the inference graph."""
        proto = prepare(model, spec.shape, batch=spec.batch, threshold_head=spec.threshold_head)
        data: bytes = proto.SerializeToString(deterministic=True)
        return data

    @classmethod
    def open(
        cls, engine: bytes, spec: EngineSpec, model: ModelFile, reason: str, *, streams: int = 1
    ) -> Self:
        """Compile the graph for this CPU: all cores on one batch, or shared between `streams`."""
        if streams < 1:
            raise UsageError(f"streams {streams}: at least 1 is needed")
        ov = _openvino()
        hint = HINTS[spec.precision][1]
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": streams,
            # Capture and post-processing share the cores: pinned threads could not give way.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            core = _core()
            compiled = core.compile_model(core.read_model(engine, b""), "CPU", options)
            used = compiled.get_property("INFERENCE_PRECISION_HINT")
        except RuntimeError as exc:
            raise EngineError(
                f"openvino refuses the engine {spec.file_name}: {_last_line(exc)}: "
                f"run {spec.build_command}"
            ) from None
        if used != getattr(ov.Type, hint):
            raise EngineError(f"openvino took {used} where {spec.precision} was asked for")
        return cls(compiled, spec, model, reason, streams)

    def infer_all(self, frames: Frames) -> dict[str, Maps]:
        """Run one batch on the caller's array, without a copy."""
        request = self._opened(self._sync)
        frames = self._checked(frames)
        try:
            request.infer({FRAME: frames}, share_inputs=True, share_outputs=True)
        except RuntimeError as exc:
            raise RunnerError(f"openvino failed: {_last_line(exc)}") from None
        return {name: request.get_tensor(name).data for name in self._outputs}

    @property
    def in_flight(self) -> int:
        """Batches submitted and not yet collected."""
        return len(self._busy)

    def submit(self, frames: Frames, tag: Any = None) -> None:
        """Copy one batch into a free request and start it."""
        self._opened(self._sync)
        frames = self._checked(frames)
        self._room()
        request = self._idle.popleft()
        np.copyto(request.get_tensor(FRAME).data, frames)
        request.start_async()
        self._busy.append((request, tag))

    def collect(self) -> tuple[Any, Maps]:
        """Wait for the oldest batch; its maps hold until the next `collect`."""
        self._waiting()
        request, tag = self._busy.popleft()
        self._idle.append(request)
        try:
            request.wait()
        except RuntimeError as exc:
            raise RunnerError(f"openvino failed: {_last_line(exc)}") from None
        maps: Maps = request.get_tensor(MAP).data
        return tag, maps

    def close(self) -> None:
        """Wait for what is in flight, drop it, and free the network."""
        while self._busy:
            request, _ = self._busy.popleft()
            request.cancel()
            try:
                request.wait()
            except RuntimeError:
                pass  # "cancelled" arrives as an error; nobody will read this result
        self._idle.clear()
        self._sync = self._compiled = None

    def _opened(self, request: Any) -> Any:
        if request is None:
            raise RuntimeError("the runner is closed")
        return request


def open_graph(graph: bytes) -> Callable[[Frames], dict[str, Any]]:
    """Load a float32 graph on the CPU; the call takes frames and returns all outputs by name.

    Raises RunnerError where OpenVINO is not here or refuses the graph.
    """
    _openvino()
    try:
        core = _core()
        model = core.read_model(graph, b"")
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as exc:
        raise RunnerError(f"openvino refuses the graph: {_last_line(exc)}") from None

    def run(frames: Frames) -> dict[str, Any]:
        results = compiled({FRAME: frames})
        return {output.get_any_name(): value for output, value in results.items()}

    return run


def _openvino() -> Any:
    # `import openvino` alone reports to an analytics service and leaves an identifier in the home
    # folder, unless its telemetry package can't be imported (openvino 2026.4: ovc/telemetry_utils).
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as exc:
        raise RunnerError(f"openvino can't be loaded ({exc}): pip install openvino") from None
    return openvino


@functools.cache
def _core() -> Any:
    """Return the one Core of this process, which is never released.

    Each Core that opens the CPU plugin gives the thread a signal stack and puts back the one before
    when it goes. Of two that go in the order they came, the second puts back what the first has
    freed, and the next signal, Ctrl-C for one, is a segmentation fault (openvino 2026.4).
    """
    return _openvino().Core()


def _last_line(exc: RuntimeError) -> str:
    """Return what OpenVINO says at the end of its trace of source lines."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
