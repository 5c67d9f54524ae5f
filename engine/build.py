"""Build an engine, compare it with float32, and keep it in the cache only if it holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbrt.engine.cache import EngineCache, StoredEngine
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.parity import (
    FindRegions,
    ParityReport,
    measure,
    open_reference,
    open_stand_in,
)
from dbrt.engine.runner import DEFAULT_OPTIONS, BuildOptions, Compiled, OnProgress, Plan, Runner
from dbrt.engine.select import choose, make_spec
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, RunnerError


@dataclass(frozen=True)
class BuiltEngine:
    """An engine in the cache, with its proof.

    bytes       of the engine file
    build_s     seconds that its build took
    was_cached  it was there already
    reason      one line: why this runner and this precision
    record      what the build tells of itself: library, census of precisions, islands
    """

    spec: EngineSpec
    path: Path
    bytes: int
    build_s: float
    was_cached: bool
    reason: str
    parity: ParityReport
    record: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "spec": self.spec.to_dict(),
            "path": str(self.path),
            "bytes": self.bytes,
            "build_s": self.build_s,
            "was_cached": self.was_cached,
            "reason": self.reason,
            "parity": self.parity.to_dict(),
            "build": dict(self.record),
        }


def build_engine(
    model: ModelFile,
    shape: tuple[int, int],
    find_regions: FindRegions,
    *,
    batch: int = 1,
    runner: str = "auto",
    precision: str = "auto",
    targets: tuple[str, ...] = (),
    options: BuildOptions = DEFAULT_OPTIONS,
    force: bool = False,
    cache: EngineCache | None = None,
    on_progress: OnProgress = lambda phase, done, total: None,
) -> BuiltEngine:
    """Build the engine for `shape` and prove it, or find it proved in the cache.

    find_regions  decodes one map (H, W) uint8, for the parity report
    targets       cards to build for, ("sm_75", "sm_89"); none for what is here
    options       that the cached engine was built with other ones is a reason to build
    force         build even where the cache has the engine
    on_progress   told "waiting for another build", "building", "comparing with float32", and what
                  the library says between

    An engine for a card that is not here is compared by its graph, computed on the CPU as a GPU
    would (`ParityReport.executed`).

    Raises EngineError where the build or the comparison fails: then nothing is written;
    OutputError where the cache can't be written; RunnerError and UsageError as `choose` does.
    """
    cache = EngineCache() if cache is None else cache
    chosen, plan = choose(runner, precision, targets, card=model.card, to_build=True)
    spec = make_spec(model, chosen, plan, shape=shape, batch=batch)
    with cache.lock(spec, on_wait=lambda: on_progress("waiting for another build", 0, 0)):
        stored = None if force else _stored(cache, spec)
        if stored is not None and _is_proved(stored, chosen, options):
            return _found(stored, plan)
        on_progress("building", 0, 0)
        started = time.perf_counter()
        compiled = chosen.compile(model, spec, options, on_progress)
        build_s = time.perf_counter() - started
        on_progress("comparing with float32", 0, 0)
        parity = _prove(chosen, compiled, spec, model, find_regions)
        if parity.problem:
            raise EngineError(
                f"engine {spec.file_name} is not what the model computes, {parity.problem}: "
                f"not kept; {_advice(chosen, plan)}"
            )
        path = cache.store(
            spec, compiled.data, build_s=build_s, parity=parity.to_dict(), record=compiled.record
        )
    size = len(compiled.data)
    return BuiltEngine(spec, path, size, build_s, False, plan.reason, parity, compiled.record)


def can_run(runner: type[Runner], spec: EngineSpec) -> bool:
    """Whether an engine can run here: the runner can, and the card is one of `spec`'s."""
    if runner.obstacle():
        return False
    if not spec.target.startswith("sm_"):
        return True
    try:
        return runner.plan(spec.precision).target in spec.targets
    except RunnerError:  # a card that the library has no engines for, beside which others are built
        return False


def _prove(
    runner: type[Runner],
    compiled: Compiled,
    spec: EngineSpec,
    model: ModelFile,
    find_regions: FindRegions,
) -> ParityReport:
    """Compare the engine, or what stands in for it, with float32."""
    executed = compiled.graph is None or can_run(runner, spec)
    if executed:
        opened = runner.open(compiled.data, spec, model, "to compare it")
    else:
        opened = open_stand_in(model, spec, compiled.graph or b"")
    other = opened.name
    with opened, open_reference(model, spec.shape, spec.batch, besides=other) as reference:
        return measure(opened, reference, find_regions, executed=executed)


def _stored(cache: EngineCache, spec: EngineSpec) -> StoredEngine | None:
    """Return the engine in the cache; one that is not to be trusted is built anew."""
    try:
        return cache.load(spec)
    except EngineError:
        return None


def _is_proved(stored: StoredEngine, runner: type[Runner], options: BuildOptions) -> bool:
    """Whether a cached engine was compared as well as it can be here, and built as asked for."""
    parity = stored.sidecar.get("parity")
    if parity is None:
        return False
    asked = options.to_dict()
    if asked and stored.sidecar.get("build", {}).get("options") != asked:
        return False
    return bool(parity.get("executed", True)) or not can_run(runner, stored.spec)


def _found(stored: StoredEngine, plan: Plan) -> BuiltEngine:
    return BuiltEngine(
        spec=stored.spec,
        path=stored.path,
        bytes=len(stored.data),
        build_s=stored.sidecar["build_s"],
        was_cached=True,
        reason=plan.reason,
        parity=ParityReport(**stored.sidecar["parity"]),
        record=stored.sidecar.get("build", {}),
    )


def _advice(runner: type[Runner], plan: Plan) -> str:
    if plan.precision != "fp32":
        return "try --precision fp32"
    other = "onnxruntime" if runner.name != "onnxruntime" else "openvino"
    return f"try --runner {other}"
