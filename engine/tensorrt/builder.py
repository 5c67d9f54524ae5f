"""From an ONNX graph to a plan, the engine file of TensorRT, with the proof of its precisions."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbrt.engine.modelfile import ModelFile
from dbrt.engine.runner import DEFAULT_OPTIONS, BuildOptions, Compiled, OnProgress
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.census import Census, take_census
from dbrt.engine.tensorrt.depthwise import widen_depthwise
from dbrt.engine.tensorrt.library import Library, library_of
from dbrt.engine.tensorrt.monitor import BuildProgress, make_monitor
from dbrt.engine.typed import typed_graph
from dbrt.errors import EngineError, UsageError, unwritable


@dataclass(frozen=True)
class BuiltPlan:
    """A plan and the census of the network that it was built from."""

    data: bytes
    census: Census


def compile_engine(
    model: ModelFile, spec: EngineSpec, options: BuildOptions, on_progress: OnProgress
) -> Compiled:
    """Build the plan of `spec`: graph, range check, census, plan.

    Raises EngineError where the graph or the build is refused or a layer is in another precision,
    RunnerError where the library of the spec is not here, UsageError for an option that it lacks.
    """
    library = library_of(spec.runner_version)
    if library.is_rtx and options.timing_cache is not None:
        raise UsageError(
            "tensorrt-rtx has no timing cache, it times its kernels on the card that runs them: "
            "leave out --timing-cache"
        )
    on_progress("checking the range of float16", 0, 0)
    typed = typed_graph(model, spec)
    if library.is_rtx and "sm_75" in spec.targets:
        widen_depthwise(typed.proto.graph)
    graph = typed.proto.SerializeToString(deterministic=True)
    built = build_plan(library, graph, spec, typed.islands, options, on_progress)
    record = {
        "library": library.title,
        "options": options.to_dict(),
        "census": built.census.to_dict(),
        "census_line": str(built.census),
        "ranges": typed.to_dict(),
    }
    return Compiled(built.data, graph, record)


def build_plan(
    library: Library,
    graph: bytes,
    spec: EngineSpec,
    islands: Collection[str] = (),
    options: BuildOptions = DEFAULT_OPTIONS,
    on_progress: OnProgress = lambda phase, done, total: None,
) -> BuiltPlan:
    """Build the plan of an ONNX graph whose tensors are typed.

    graph    ONNX; the shape, batch and precision of `spec` are in it
    islands  nodes that stay in float32

    Raises EngineError, one line, where the library refuses the graph or can't build it, or a layer
    outside the islands is not in the spec's precision.
    """
    progress = BuildProgress(on_progress)
    build = _Build(library, spec, options, progress)
    plan: BuiltPlan = progress.run(lambda: build.run(graph, islands))
    return plan


class _Build:
    """One build. Holds every object of the library until the plan is made."""

    def __init__(
        self, library: Library, spec: EngineSpec, options: BuildOptions, progress: BuildProgress
    ) -> None:
        self._library = library
        self._trt = library.module
        self._spec = spec
        self._options = options
        self._progress = progress

    def run(self, graph: bytes, islands: Collection[str]) -> BuiltPlan:
        builder = self._made(self._trt.Builder(self._library.logger), "a builder")
        network, parser = self._parse(builder, graph)
        census = take_census(network, self._spec.precision, islands)
        census.check(self._spec.precision)
        config = self._configure(builder, network)
        monitor = make_monitor(self._trt, self._progress)
        if monitor is not None:
            config.progress_monitor = monitor
        since = self._library.log.mark()
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            reason = "cancelled" if self._progress.cancelled else self._reason(since)
            raise EngineError(
                f"{self._library.title} can't build {self._spec.file_name}: {reason}: "
                "try --precision fp32, or --runner openvino"
            )
        data = bytes(plan)
        del parser
        self._keep_timings(config)
        return BuiltPlan(data, census)

    def _parse(self, builder: Any, graph: bytes) -> tuple[Any, Any]:
        """Return the network and the parser, which owns its weights."""
        network = self._made(builder.create_network(_network_flags(self._trt)), "a network")
        parser = self._trt.OnnxParser(network, self._library.logger)
        parsed = parser.parse(graph)
        if not parsed or not network.num_outputs or not network.num_layers:
            errors = [parser.get_error(i) for i in range(parser.num_errors)]
            told = [f"node {e.node()}: {_one_line(e.desc())}" for e in errors[:2]]
            raise EngineError(
                f"{self._library.title} refuses the graph of {self._spec.model_name}: "
                + ("; ".join(told) or "it has no output: the model file is empty or no ONNX")
            )
        return network, parser

    def _configure(self, builder: Any, network: Any) -> Any:
        trt, options = self._trt, self._options
        config = self._made(builder.create_builder_config(), "a configuration")
        if self._spec.precision == "fp32":
            config.clear_flag(trt.BuilderFlag.TF32)  # 10 bits of mantissa are not fp32
        if not hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
            _pin_types(trt, network, config, self._spec.precision)
        if options.workspace_bytes is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
        if options.optimization_level is not None:
            config.builder_optimization_level = options.optimization_level
        if self._library.is_rtx:
            self._set_targets(config)
        if options.timing_cache is not None:
            kept = options.timing_cache
            cache = config.create_timing_cache(kept.read_bytes() if kept.is_file() else b"")
            if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
                raise EngineError(
                    f"{self._library.title} refuses the timing cache {kept}: it is of another card "
                    "or version: remove it"
                )
        return config

    def _set_targets(self, config: Any) -> None:
        names = [target.replace("sm_", "SM") for target in self._spec.targets]
        config.num_compute_capabilities = len(names)
        for index, name in enumerate(names):
            card = self._trt.ComputeCapability.__members__.get(name)
            if card is None or not config.set_compute_capability(card, index):
                raise EngineError(f"{self._library.title} can't build for {name}")

    def _keep_timings(self, config: Any) -> None:
        path = self._options.timing_cache
        if path is not None:
            _write(path, bytes(config.get_timing_cache().serialize()))

    def _made(self, thing: Any, what: str) -> Any:
        if thing is None:
            raise EngineError(f"{self._library.title} makes no {what[2:]}: {self._reason(0)}")
        return thing

    def _reason(self, since: int) -> str:
        return _one_line(self._library.log.first_error(since))


def _network_flags(trt: Any) -> int:
    """Return the flags of a strongly typed network; the values differ between versions."""
    flags = trt.NetworkDefinitionCreationFlag
    if hasattr(flags, "STRONGLY_TYPED"):
        return 1 << int(flags.STRONGLY_TYPED)
    return 1 << int(flags.EXPLICIT_BATCH)  # TensorRT 8.6


def _pin_types(trt: Any, network: Any, config: Any, precision: str) -> None:
    """Hold TensorRT 8.6, whose networks are weakly typed, to the types of the graph."""
    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
    if precision == "fp16":
        config.set_flag(trt.BuilderFlag.FP16)
    computed = (trt.float32, trt.float16)
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        types = [layer.get_output(i).dtype for i in range(layer.num_outputs)]
        if layer.type != trt.LayerType.CONSTANT and types and all(t in computed for t in types):
            layer.precision = types[0]
            for output, kind in enumerate(types):
                layer.set_output_type(output, kind)


def _one_line(text: str) -> str:
    """Shorten what the library says: no function, code or source file, at most 300 characters."""
    line = " ".join(text.split())
    line = re.sub(r"^\S+: Error Code \d+: ", "", line)
    line = re.sub(r"\.? ?In \w+ at /\S+(:\d+)?\)?$", "", line)
    return line if len(line) <= 300 else line[:297] + "..."


def _write(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as exc:
        raise unwritable(path, exc) from None
