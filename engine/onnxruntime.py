"""The ONNX Runtime runner: for machines without OpenVINO, and the independent second opinion."""

from __future__ import annotations

import platform
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, Self

from dbrt.engine.graph import FRAME, MAP, prepare
from dbrt.engine.modelfile import THRESHOLD, ModelFile
from dbrt.engine.runner import Frames, Maps, Plan, Runner
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, RunnerError, UsageError

PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeRunner(Runner):
    """Runs the inference graph on the CPU with ONNX Runtime, in fp32."""

    name: ClassVar[str] = "onnxruntime"

    def __init__(
        self, session: Any, spec: EngineSpec, model: ModelFile, reason: str, streams: int
    ) -> None:
        super().__init__(spec, model, reason, depth=streams + 1)
        self._session = session
        self._outputs = [MAP, THRESHOLD] if spec.threshold_head else [MAP]
        # A session may be called from any thread; each worker is one stream.
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="dbrt-onnxruntime")
        self._busy: deque[tuple[Future[dict[str, Maps]], Any]] = deque()  # oldest first

    @classmethod
    def plan(cls, precision: str) -> Plan:
        """Take fp32, all that ONNX Runtime has on CPUs."""
        version = _onnxruntime().__version__
        if precision not in ("auto", "fp32"):
            raise RunnerError(f"onnxruntime can't run {precision} on a CPU: take --precision fp32")
        reason = f"onnxruntime {version} with fp32: all it has on a CPU"
        return Plan("fp32", version, platform.machine().lower(), reason)

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
        """Load the graph into a session; `streams` batches take turns on all cores."""
        if streams < 1:
            raise UsageError(f"streams {streams}: at least 1 is needed")
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # Idle workers would burn a core waiting, on a machine that also captures and decodes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = ort.InferenceSession(engine, options, providers=[PROVIDER])
        except Exception as exc:  # its exceptions share no base class of their own
            raise EngineError(
                f"onnxruntime refuses the engine {spec.file_name}: {_first_line(exc)}: "
                f"run {spec.build_command}"
            ) from None
        return cls(session, spec, model, reason, streams)

    def infer_all(self, frames: Frames) -> dict[str, Maps]:
        """Run one batch on the caller's array; the maps are fresh arrays."""
        return self._run(self._checked(frames))

    @property
    def in_flight(self) -> int:
        """Batches submitted and not yet collected."""
        return len(self._busy)

    def submit(self, frames: Frames, tag: Any = None) -> None:
        """Copy one batch and start it on a worker thread."""
        frames = self._checked(frames)
        self._room()
        if self._session is None:
            raise RuntimeError("the runner is closed")
        self._busy.append((self._pool.submit(self._run, frames.copy()), tag))

    def collect(self) -> tuple[Any, Maps]:
        """Wait for the oldest batch; its maps are a fresh array."""
        self._waiting()
        future, tag = self._busy.popleft()
        return tag, future.result()[MAP]

    def close(self) -> None:
        """Wait for what is in flight, drop it, and free the session."""
        self._pool.shutdown(cancel_futures=True)
        self._busy.clear()
        self._session = None

    def _run(self, frames: Frames) -> dict[str, Maps]:
        if self._session is None:
            raise RuntimeError("the runner is closed")
        try:
            maps = self._session.run(self._outputs, {FRAME: frames})
        except Exception as exc:  # its exceptions share no base class of their own
            raise RunnerError(f"onnxruntime failed: {_first_line(exc)}") from None
        return dict(zip(self._outputs, maps, strict=True))


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
