"""A plan on a GPU: checked to be what its spec says, and made ready to be executed."""

from __future__ import annotations

from typing import Any

from dbrt.engine.graph import FRAME, MAP
from dbrt.engine.modelfile import THRESHOLD
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.library import Library
from dbrt.errors import EngineError, RunnerError


class LoadedEngine:
    """TensorRT's engine object and what keeps it alive; the device must be current throughout.

    outputs  names of the maps that it puts out: "map", and "threshold" where the spec has it
    """

    def __init__(self, library: Library, plan: bytes, spec: EngineSpec) -> None:
        """Load a plan.

        Raises EngineError where the library refuses it or it is not what `spec` says, RunnerError
        where the library finds no GPU it can work with.
        """
        self._library = library
        self._spec = spec
        self.outputs = (MAP, THRESHOLD) if spec.threshold_head else (MAP,)
        self._runtime = self._make_runtime()
        since = library.log.mark()
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise EngineError(
                f"{library.title} refuses the engine {spec.file_name}: "
                f"{library.log.first_error(since)}: run {spec.build_command}"
            )
        self._check_tensors()
        self._config: Any = None
        if library.is_rtx:
            self._config = self._engine.create_runtime_config()
            # The library captures and launches the graph by itself (docs/tensorrt.md).
            strategy = library.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            self._config.cuda_graph_strategy = strategy

    @property
    def keeps_own_graph(self) -> bool:
        """Whether the library makes a CUDA graph of each context by itself."""
        return self._library.is_rtx

    def use_jit_cache(self, data: bytes | None) -> JitCache:
        """Give the library what it compiled in an earlier process; TensorRT-RTX only.

        data  what `JitCache.data` returned then; None where there is nothing
        """
        cache = self._config.create_runtime_cache()
        taken = bool(data) and bool(cache.deserialize(data))
        self._config.set_runtime_cache(cache)
        return JitCache(cache, taken)

    def make_context(self, addresses: dict[str, int]) -> Context:
        """Make a context whose tensors lie at these device addresses.

        Raises RunnerError where the library refuses, mostly for want of device memory.
        """
        since = self._library.log.mark()
        # Two overloads: the strategy has a default in one, the config in the other.
        arguments = () if self._config is None else (self._config,)
        context = self._engine.create_execution_context(*arguments)
        if context is None:
            raise RunnerError(
                f"{self._library.title} makes no context for {self._spec.file_name}: "
                f"{self._library.log.first_error(since, 'perhaps too little GPU memory')}: "
                "take a smaller --size, or close what else uses the GPU"
            )
        made = Context(self._library, context)
        for name, address in addresses.items():
            made.set_address(name, address)
        return made

    def free(self) -> None:
        """Let go of config, engine and runtime, in this order; contexts must be gone already."""
        self._config = None
        self._engine = None
        self._runtime = None

    def _make_runtime(self) -> Any:
        since = self._library.log.mark()
        try:
            return self._library.module.Runtime(self._library.logger)
        except TypeError:  # pybind11: the factory function returned nullptr
            raise RunnerError(
                f"{self._library.title} can't run here: {self._library.log.first_error(since)}: "
                "look at nvidia-smi"
            ) from None

    def _check_tensors(self) -> None:
        """Compare names, directions, shapes and types with the spec's."""
        modes = self._library.module.TensorIOMode
        batch = (self._spec.batch, *self._spec.shape)
        expected: dict[str, tuple[Any, tuple[int, ...]]]
        expected = {name: (modes.OUTPUT, batch) for name in self.outputs}
        expected[FRAME] = (modes.INPUT, (*batch, 3))
        engine = self._engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        found = {
            name: (engine.get_tensor_mode(name), tuple(engine.get_tensor_shape(name)))
            for name in names
        }
        types = {engine.get_tensor_dtype(name) for name in names}
        if found != expected or types != {self._library.module.DataType.UINT8}:
            listed = ", ".join(
                f"{name} {'x'.join(map(str, shape))} {engine.get_tensor_dtype(name).name.lower()}"
                for name, (_, shape) in found.items()
            )
            raise EngineError(
                f"engine {self._spec.file_name} is not one of dbrt's, its tensors are {listed}: "
                f"run {self._spec.build_command}"
            )


class Context:
    """One execution context; not thread-safe, and bound to the addresses it was given."""

    def __init__(self, library: Library, context: Any) -> None:
        self._library = library
        self._context = context

    def set_address(self, name: str, address: int) -> None:
        """Say where a tensor lies."""
        since = self._library.log.mark()
        if not self._context.set_tensor_address(name, address):
            raise RunnerError(
                f"{self._library.title} refuses the address of {name}: "
                f"{self._library.log.first_error(since)}"
            )

    def enqueue(self, stream: int) -> None:
        """Give one run to the stream of this handle.

        Raises RunnerError where the library fails.
        """
        since = self._library.log.mark()
        if not self._context.execute_async_v3(stream):
            raise RunnerError(
                f"{self._library.title} failed: {self._library.log.first_error(since)}"
            )

    def free(self) -> None:
        """Let go of it; harmless when repeated."""
        self._context = None


class JitCache:
    """What TensorRT-RTX has compiled for this card, to spare the next process the time."""

    def __init__(self, cache: Any, was_taken: bool) -> None:
        self._cache = cache
        self.was_taken = was_taken

    def data(self) -> bytes:
        """Return all of it; empty where there is nothing."""
        memory = self._cache.serialize()
        return b"" if memory is None else bytes(memory)
