"""The ONNX Runtime runner: for machines without OpenVINO, and the independent second opinion.

It takes the CUDA provider where this ONNX Runtime has one and a card answers, else the CPU; which
one runs, and why not CUDA, stands in `reason`. Buffers are bound once: a frame is copied into them
at most once, and the maps are written where they are read.
"""

from __future__ import annotations

import contextlib
import platform
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from typing import Any, ClassVar, Self

import numpy as np

from dbrt.engine.driver import Card, find_driver
from dbrt.engine.graph import FRAME, MAP, prepare
from dbrt.engine.modelfile import THRESHOLD, ModelFile
from dbrt.engine.runner import Frames, Maps, Plan, Runner
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, RunnerError, UsageError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

INSTALL_CUDA = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
# Both fill the folder `onnxruntime`, and the one installed last wins.
ONE_PACKAGE = f"pip uninstall -y onnxruntime onnxruntime-gpu && {INSTALL_CUDA}"

_FP16 = (
    "onnxruntime {} with fp16: what TensorRT computes, on the CPU, rounded after each layer "
    "(to compare with; fp32 is faster)"
)

CUDA_OPTIONS = {
    # By default matrices are multiplied in TF32, with the mantissa of float16: fp32 is to be fp32.
    "use_tf32": "0",
    # The shape never changes, so a search of seconds at the first call is paid back.
    "cudnn_conv_algo_search": "EXHAUSTIVE",
}


class OnnxRuntimeRunner(Runner):
    """Runs the inference graph with ONNX Runtime in fp32: on CUDA where it can, else on the CPU.

    provider  what runs it: "CUDAExecutionProvider" or "CPUExecutionProvider"
    """

    name: ClassVar[str] = "onnxruntime"

    def __init__(
        self, session: Any, spec: EngineSpec, model: ModelFile, reason: str, streams: int
    ) -> None:
        super().__init__(spec, model, reason, depth=streams + 1)
        self._session = session
        self.provider: str = session.get_providers()[0]
        self._sync = _Slot(session, spec, self.provider)
        # One slot beyond `depth`, so that what was collected last is not overwritten by the submit
        # that follows it.
        slots = (_Slot(session, spec, self.provider) for _ in range(self.depth + 1))
        self._idle: deque[_Slot] = deque(slots)
        # A session may be called from any thread; each worker is one stream.
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="dbrt-onnxruntime")
        self._busy: deque[tuple[Future[None], _Slot, Any]] = deque()  # oldest first

    @classmethod
    def plan(cls, precision: str, targets: tuple[str, ...] = ()) -> Plan:
        """Take fp32, on CUDA where this ONNX Runtime has it and a card answers.

        fp16, where it is asked for, is TensorRT's graph on the CPU, to see what float16 costs.
        """
        ort = _onnxruntime()
        version = str(ort.__version__)
        if precision == "fp16":
            return Plan("fp16", version, platform.machine().lower(), _FP16.format(version))
        if precision not in ("auto", "fp32"):
            raise RunnerError(f"onnxruntime can't run {precision} here: take --precision fp32")
        card, why_not = _find_card(ort.get_available_providers())
        start = f"onnxruntime {version} with fp32"
        if card is not None:
            return Plan("fp32", version, card.target, f"{start} on {card.name} ({card.target})")
        return Plan("fp32", version, platform.machine().lower(), _on_cpu(start, why_not))

    @classmethod
    def build(cls, model: ModelFile, spec: EngineSpec) -> bytes:
        """Prepare the inference graph; for fp16 the twin of the one that TensorRT gets."""
        if spec.precision == "fp16":
            from dbrt.engine.typed import twin_of

            return twin_of(model, spec)
        proto = prepare(model, spec.shape, batch=spec.batch, threshold_head=spec.threshold_head)
        data: bytes = proto.SerializeToString(deterministic=True)
        return data

    @classmethod
    def open(
        cls, engine: bytes, spec: EngineSpec, model: ModelFile, reason: str, *, streams: int = 1
    ) -> Self:
        """Load the graph into a session; `streams` batches take turns on all cores.

        Where CUDA was planned and does not start, the CPU runs it, and `reason` says so.
        """
        if streams < 1:
            raise UsageError(f"streams {streams}: at least 1 is needed")
        ort = _onnxruntime()
        if spec.target.startswith("sm_"):
            session, why_not = _cuda_session(ort, engine)
            if session is not None:
                return cls(session, spec, model, reason, streams)
            reason = _on_cpu(f"onnxruntime {ort.__version__} with fp32", why_not)
        try:
            session = _session(ort, engine, [CPU])
        except Exception as exc:  # its exceptions share no base class of their own
            raise EngineError(
                f"onnxruntime refuses the engine {spec.file_name}: {_first_line(exc)}: "
                f"run {spec.build_command}"
            ) from None
        return cls(session, spec, model, reason, streams)

    def infer_all(self, frames: Frames) -> dict[str, Maps]:
        """Run one batch; on the CPU on the caller's array, without a copy."""
        frames = self._checked(frames)
        self._opened().read_from(frames)
        self._run(self._sync)
        return dict(self._sync.maps)

    @property
    def in_flight(self) -> int:
        """Batches submitted and not yet collected."""
        return len(self._busy)

    def submit(self, frames: Frames, tag: Any = None) -> None:
        """Copy one batch into a free slot and start it on a worker thread."""
        frames = self._checked(frames)
        self._room()
        self._opened()
        slot = self._idle.popleft()
        slot.copy_from(frames)
        self._busy.append((self._pool.submit(self._run, slot), slot, tag))

    def collect(self) -> tuple[Any, Maps]:
        """Wait for the oldest batch; its maps hold until the next `collect`."""
        self._waiting()
        future, slot, tag = self._busy.popleft()
        self._idle.append(slot)
        future.result()
        return tag, slot.maps[MAP]

    def close(self) -> None:
        """Wait for what is in flight, drop it, and free the session."""
        self._pool.shutdown(cancel_futures=True)
        self._busy.clear()
        self._idle.clear()
        self._session = self._sync = None  # type: ignore[assignment]

    def _opened(self) -> _Slot:
        if self._session is None:
            raise RuntimeError("the runner is closed")
        return self._sync

    def _run(self, slot: _Slot) -> None:
        try:
            slot.binding.synchronize_inputs()
            self._session.run_with_iobinding(slot.binding)
            slot.binding.synchronize_outputs()
        except Exception as exc:  # its exceptions share no base class of their own
            raise RunnerError(f"onnxruntime failed: {_first_line(exc)}") from None


class _Slot:
    """The buffers of one batch, bound to a session once.

    maps  by output name, uint8 (N, H, W): where each run writes its results
    """

    def __init__(self, session: Any, spec: EngineSpec, provider: str) -> None:
        value = _onnxruntime().OrtValue
        names = [MAP, THRESHOLD] if spec.threshold_head else [MAP]
        self.binding = session.io_binding()
        self.maps: dict[str, Maps] = {
            name: np.empty((spec.batch, *spec.shape), np.uint8) for name in names
        }
        # An OrtValue of an array in main memory is that array.
        for name, array in self.maps.items():
            self.binding.bind_ortvalue_output(name, value.ortvalue_from_numpy(array))
        shape = (spec.batch, *spec.shape, 3)
        self._on_card: Any = None
        self._frames: Frames | None = None
        if provider == CUDA:
            self._on_card = value.ortvalue_from_shape_and_type(shape, np.uint8, "cuda", 0)
            self.binding.bind_ortvalue_input(FRAME, self._on_card)
        else:
            self._frames = np.empty(shape, np.uint8)
            self.binding.bind_ortvalue_input(FRAME, value.ortvalue_from_numpy(self._frames))

    def copy_from(self, frames: Frames) -> None:
        """Copy a batch into the bound buffer; `frames` is free again."""
        if self._frames is None:
            self._on_card.update_inplace(frames)
        else:
            np.copyto(self._frames, frames)

    def read_from(self, frames: Frames) -> None:
        """Read the next run's batch from `frames` itself where that is in reach."""
        if self._frames is None:
            self._on_card.update_inplace(frames)
        else:
            self.binding.bind_cpu_input(FRAME, frames)


def _find_card(providers: Sequence[str]) -> tuple[Card | None, str]:
    """Return the card that CUDA would run on, or None and why it can't."""
    try:
        card = find_driver().cards[0]
    except RunnerError as exc:
        return None, str(exc).partition(": ")[0]
    if CUDA in providers:
        return card, ""
    packages = {dist.metadata["Name"].lower() for dist in metadata.distributions()}
    if {"onnxruntime", "onnxruntime-gpu"} <= packages:
        return None, f"onnxruntime and onnxruntime-gpu are in each other's place: {ONE_PACKAGE}"
    return None, f"this onnxruntime is built without it: {INSTALL_CUDA}"


def _cuda_session(ort: Any, engine: bytes) -> tuple[Any, str]:
    """Return a session that runs on CUDA, or None and why there is none."""
    try:
        if hasattr(ort, "preload_dlls"):
            with contextlib.redirect_stdout(sys.stderr):  # it prints what it misses
                ort.preload_dlls()  # CUDA and cuDNN from their packages, which no path leads to
        session = _session(ort, engine, [(CUDA, CUDA_OPTIONS), CPU])
    except Exception as exc:  # its exceptions share no base class of their own
        return None, f"its provider does not start ({_first_line(exc)}): {INSTALL_CUDA}"
    # Where CUDA's libraries are missing it logs so and goes on without.
    if session.get_providers()[0] != CUDA:
        return None, f"its provider does not load, CUDA or cuDNN is missing: {INSTALL_CUDA}"
    return session, ""


def _session(ort: Any, engine: bytes, providers: list[Any]) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Idle workers would burn a core waiting, on a machine that also captures and decodes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its own way back to the CPU prints to standard output, where results go.
    return ort.InferenceSession(engine, options, providers=providers, enable_fallback=0)


def _on_cpu(start: str, why_not: str) -> str:
    return f"{start} on the CPU, not on CUDA: {why_not}"


def open_graph(graph: bytes) -> Callable[[Frames], dict[str, Any]]:
    """Load a float32 graph on the CPU; the call takes frames and returns all outputs by name.

    Raises RunnerError where ONNX Runtime is not here or refuses the graph.
    """
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # its exceptions share no base class of their own
        raise RunnerError(f"onnxruntime refuses the graph: {_first_line(exc)}") from None
    names = [output.name for output in session.get_outputs()]
    return lambda frames: dict(zip(names, session.run(names, {FRAME: frames}), strict=True))


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as exc:
        raise RunnerError(
            f"onnxruntime can't be loaded ({exc}): pip install 'dbrt[onnxruntime]'"
        ) from None
    return onnxruntime


def _first_line(exc: Exception) -> str:
    lines = str(exc).strip().splitlines()
    return lines[0] if lines else type(exc).__name__
