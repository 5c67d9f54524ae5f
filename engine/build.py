"""Build an engine, compare it with float32, and keep it in the cache only if it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbrt.engine.cache import EngineCache, StoredEngine
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.parity import FindRegions, ParityReport, measure, open_reference
from dbrt.engine.runner import Plan, Runner
from dbrt.engine.select import choose, make_spec
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError

OnPhase = Callable[[str], None]


@dataclass(frozen=True)
class BuiltEngine:
    """An engine in the cache, with its proof.

    bytes       of the engine file
    build_s     seconds that its build took
    was_cached  it was there already
    reason      one line: why this runner and this precision
    """

    spec: EngineSpec
    path: Path
    bytes: int
    build_s: float
    was_cached: bool
    reason: str
    parity: ParityReport

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
        }


def build_engine(
    model: ModelFile,
    shape: tuple[int, int],
    find_regions: FindRegions,
    *,
    batch: int = 1,
    runner: str = "auto",
    precision: str = "auto",
    force: bool = False,
    cache: EngineCache | None = None,
    on_phase: OnPhase = lambda phase: None,
) -> BuiltEngine:
    """Build the engine for `shape` on this machine and prove it, or find it proved in the cache.

    find_regions  decodes one map (H, W) uint8, for the parity report
    force         build even where the cache has the engine
    on_phase      told "waiting for another build", "building", "comparing with float32"

    Raises EngineError where the build or the comparison fails: then nothing is written;
    OutputError where the cache can't be written; RunnerError and UsageError as `choose` does.
    """
    cache = EngineCache() if cache is None else cache
    chosen, plan = choose(runner, precision)
    spec = make_spec(model, chosen, plan, shape=shape, batch=batch)
    with cache.lock(spec, on_wait=lambda: on_phase("waiting for another build")):
        stored = None if force else _stored(cache, spec)
        if stored is not None and stored.sidecar.get("parity") is not None:
            return _found(stored, plan)
        on_phase("building")
        started = time.perf_counter()
        engine = chosen.build(model, spec) if stored is None else stored.data
        opened = chosen.open(engine, spec, model, plan.reason)
        build_s = time.perf_counter() - started
        on_phase("comparing with float32")
        with opened, open_reference(model, shape, batch, besides=chosen.name) as reference:
            parity = measure(opened, reference, find_regions)
        if parity.problem:
            raise EngineError(
                f"engine {spec.file_name} is not what the model computes, {parity.problem}: "
                f"not kept; {_advice(chosen, plan)}"
            )
        path = cache.store(spec, engine, build_s=build_s, parity=parity.to_dict())
    return BuiltEngine(spec, path, len(engine), build_s, False, plan.reason, parity)


def _stored(cache: EngineCache, spec: EngineSpec) -> StoredEngine | None:
    """Return the engine in the cache; one that is not to be trusted is built anew."""
    try:
        return cache.load(spec)
    except EngineError:
        return None


def _found(stored: StoredEngine, plan: Plan) -> BuiltEngine:
    return BuiltEngine(
        spec=stored.spec,
        path=stored.path,
        bytes=len(stored.data),
        build_s=stored.sidecar["build_s"],
        was_cached=True,
        reason=plan.reason,
        parity=ParityReport(**stored.sidecar["parity"]),
    )


def _advice(runner: type[Runner], plan: Plan) -> str:
    if plan.precision != "fp32":
        return "try --precision fp32"
    other = "onnxruntime" if runner.name != "onnxruntime" else "openvino"
    return f"try --runner {other}"
