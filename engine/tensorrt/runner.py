"""The TensorRT runner: what runs on NVIDIA GPUs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar, Self

from dbrt.engine.cuda.device import Device, open_device
from dbrt.engine.cuda.kernel import LetterboxKernel
from dbrt.engine.driver import find_driver
from dbrt.engine.graph import MAP
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.runner import (
    DEFAULT_OPTIONS,
    BuildOptions,
    Compiled,
    Frame,
    Frames,
    Maps,
    OnProgress,
    Plan,
    Runner,
)
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.builder import compile_engine
from dbrt.engine.tensorrt.jit import read_jit_cache, write_jit_cache
from dbrt.engine.tensorrt.library import FLAVOURS, Library, installed_version, library_of
from dbrt.engine.tensorrt.loaded import LoadedEngine
from dbrt.engine.tensorrt.slot import HostBuffers, Slot
from dbrt.engine.tensorrt.targets import choose_targets
from dbrt.errors import EngineError, RunnerError, UsageError

LOG = logging.getLogger("dbrt.engine")

PRECISIONS = ("fp32", "fp16", "bf16")


class TensorRtRunner(Runner):
    """Runs an engine on an NVIDIA GPU with TensorRT or TensorRT-RTX."""

    name: ClassVar[str] = "tensorrt"
    builds_on_demand: ClassVar[bool] = False

    @classmethod
    def obstacle(cls) -> str:
        """Say that there is no driver or no card."""
        try:
            find_driver()
        except RunnerError as exc:
            return f"{exc}; or take --runner auto, which runs on the CPU"
        return ""

    @classmethod
    def passed_over(cls, reason: Exception) -> str:
        """Say why not TensorRT where somebody has installed it, or a card waits for it."""
        if cls.obstacle():
            installed = any(installed_version(flavour) for flavour in FLAVOURS)
            return "; not tensorrt: no NVIDIA driver or GPU" if installed else ""
        return f"; not tensorrt: {reason}"

    @classmethod
    def plan(cls, precision: str, targets: tuple[str, ...] = ()) -> Plan:
        """Take fp16, or what was asked for, and build for `targets`.

        targets  ("sm_75", "sm_89"); none for the card that is here, or all where none is
        """
        if precision not in ("auto", *PRECISIONS):
            raise RunnerError(
                f"tensorrt can't run {precision} here: take --precision {' or '.join(PRECISIONS)}"
            )
        taken = "fp16" if precision == "auto" else precision
        library, target, why = choose_targets(targets, taken)
        return Plan(taken, library.title, target, f"{library.title} with {taken}: {why}")

    @classmethod
    def build(cls, model: ModelFile, spec: EngineSpec) -> bytes:
        """Build the plan; `compile` tells more."""
        return cls.compile(model, spec).data

    @classmethod
    def compile(
        cls,
        model: ModelFile,
        spec: EngineSpec,
        options: BuildOptions = DEFAULT_OPTIONS,
        on_progress: OnProgress = lambda phase, done, total: None,
    ) -> Compiled:
        """Build the plan and prove its precisions."""
        return compile_engine(model, spec, options, on_progress)

    @classmethod
    def open(
        cls, engine: bytes, spec: EngineSpec, model: ModelFile, reason: str, *, streams: int = 1
    ) -> Self:
        """Load the plan onto the card and run it once; `streams` + 1 batches overlap.

        What TensorRT-RTX compiles for the card is kept beside the engine for the next process.

        Raises EngineError where the plan is not for this card or is refused, RunnerError where
        there is no driver, library or memory for it.
        """
        if streams < 1:
            raise UsageError(f"streams {streams}: at least 1 is needed")
        obstacle = cls.obstacle()
        if obstacle:
            raise RunnerError(obstacle)
        library = library_of(spec.runner_version)
        device = open_device()
        try:
            return cls(device, library, engine, spec, model, reason, streams)
        except BaseException:
            device.close()
            raise

    def __init__(
        self,
        device: Device,
        library: Library,
        plan: bytes,
        spec: EngineSpec,
        model: ModelFile,
        reason: str,
        streams: int,
    ) -> None:
        super().__init__(spec, model, reason, depth=streams + 1)
        _check_target(device, spec)
        self._device = device
        self._turn = 0  # of the slots
        self._slots: list[Slot] = []
        self._busy: deque[tuple[HostBuffers, Any]] = deque()  # oldest first
        # What is made is freed in the opposite order, each thing before what it stands on.
        with device.current(), ExitStack() as made:
            self._kernel = _load_kernel(device)
            if self._kernel is not None:
                made.callback(self._kernel.free)
            loaded = LoadedEngine(library, plan, spec)
            made.callback(loaded.free)
            jit_cache = read_jit_cache(loaded, spec, device.target) if library.is_rtx else None
            for _ in range(self.depth):
                self._slots.append(Slot(device, loaded, spec, self._kernel, model.fill))
                made.callback(self._slots[-1].free)
            # One beyond `depth`, so that what was collected last is not overwritten by the submit
            # that follows it; and one for `infer`.
            hosts = []
            for _ in range(self.depth + 2):
                hosts.append(HostBuffers(device, spec, loaded.outputs))
                made.callback(hosts[-1].free)
            self._own, self._idle = hosts[0], deque(hosts[1:])
            self._warm_up(capture=not loaded.keeps_own_graph)
            if jit_cache is not None:
                write_jit_cache(jit_cache, spec, device.target)
            self._made: ExitStack | None = made.pop_all()

    @property
    def letterboxes(self) -> bool:
        """Whether the letterbox kernel could be compiled here."""
        return self._kernel is not None

    def infer_all(self, frames: Frames) -> dict[str, Maps]:
        """Run one batch; what is in flight stays so."""
        frames = self._checked(frames)
        outputs = tuple(self._own.maps)
        self._run(lambda slot: slot.run_canvas(frames, self._own, outputs))
        return dict(self._own.maps)

    def infer_frames(self, frames: Sequence[Frame]) -> Maps:
        """Letterbox one batch on the card and run it."""
        checked = self._letterboxed(frames)
        self._run(lambda slot: slot.run_frames(checked, self._own, (MAP,)))
        return self._own.maps[MAP]

    @property
    def in_flight(self) -> int:
        """Batches submitted and not yet collected."""
        return len(self._busy)

    def submit(self, frames: Frames, tag: Any = None) -> None:
        """Copy one batch to pinned memory and give all else to the card."""
        frames = self._checked(frames)
        self._submit(lambda slot, host: slot.run_canvas(frames, host, (MAP,)), tag)

    def submit_frames(self, frames: Sequence[Frame], tag: Any = None) -> None:
        """Copy frames of any size to pinned memory and give all else to the card."""
        checked = self._letterboxed(frames)
        self._submit(lambda slot, host: slot.run_frames(checked, host, (MAP,)), tag)

    def collect(self) -> tuple[Any, Maps]:
        """Wait for the oldest batch; its maps hold until the next `collect`."""
        self._waiting()
        host, tag = self._busy.popleft()
        self._idle.append(host)
        with self._opened().current():
            host.event.synchronize()
        return tag, host.maps[MAP]

    def close(self) -> None:
        """Wait for what is in flight, drop it, and free everything on the card."""
        if self._made is None:
            return
        made, self._made = self._made, None
        self._busy.clear()
        self._idle.clear()
        try:
            with self._device.current(), made:
                for slot in self._slots:
                    slot.synchronize()
        except RunnerError as exc:  # the card failed before; there is nothing left to save
            LOG.debug("while the engine was closed: %s", exc)
        self._slots.clear()
        self._device.close()

    def _warm_up(self, *, capture: bool) -> None:
        reasons = {slot.warm_up(capture) for slot in self._slots} - {""}
        for reason in sorted(reasons)[:1]:
            LOG.warning("no CUDA graph (%s): going on without, each batch starts later", reason)

    def _run(self, start: Callable[[Slot], None]) -> None:
        """Start on the next slot and wait for what came back to `_own`."""
        with self._opened().current():
            start(self._next_slot())
            self._own.event.synchronize()

    def _submit(self, start: Callable[[Slot, HostBuffers], None], tag: Any) -> None:
        device = self._opened()
        self._room()
        with device.current():
            start(self._next_slot(), self._idle[0])
        self._busy.append((self._idle.popleft(), tag))

    def _next_slot(self) -> Slot:
        slot = self._slots[self._turn]
        self._turn = (self._turn + 1) % len(self._slots)
        return slot

    def _letterboxed(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        if not self.letterboxes:
            raise NotImplementedError(
                "there is no letterbox kernel here: hand in letterboxed frames"
            )
        return self._checked_each(frames)

    def _opened(self) -> Device:
        if self._made is None:
            raise RuntimeError("the runner is closed")
        return self._device


def _check_target(device: Device, spec: EngineSpec) -> None:
    """Raise EngineError where the engine was built for other cards than the one that is here."""
    if device.target not in spec.targets:
        command = spec.build_command.removesuffix(" --force").partition(" --target")[0]
        raise EngineError(
            f"engine {spec.file_name} is for {', '.join(spec.targets)}, here is {device.name} "
            f"({device.target}): run {command}"
        )


def _load_kernel(device: Device) -> LetterboxKernel | None:
    """Compile the letterbox kernel; without it frames are letterboxed on the CPU."""
    try:
        return LetterboxKernel(device)
    except RunnerError as exc:
        LOG.warning("%s (letterboxing on the CPU)", exc)
        return None
