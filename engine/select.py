"""Choose a runner and open it: one place that knows which there are and what `auto` takes."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbrt.engine.cache import EngineCache
from dbrt.engine.fitting import by_waste, explain
from dbrt.engine.graph import GRAPH_VERSION
from dbrt.engine.inventory import stored_specs
from dbrt.engine.mismatch import missing
from dbrt.engine.modelfile import ModelFile, find_model, read_model_file
from dbrt.engine.runner import Plan, Runner
from dbrt.engine.spec import PRECISIONS, RUNNERS, EngineSpec, check_shape
from dbrt.errors import EngineError, OutputError, RunnerError, UsageError

LOG = logging.getLogger("dbrt.engine")

# What `auto` tries, first to last. The classes are imported only when they are asked for.
CLASSES = {
    "tensorrt": ("dbrt.engine.tensorrt.runner", "TensorRtRunner"),
    "openvino": ("dbrt.engine.openvino", "OpenVinoRunner"),
    "onnxruntime": ("dbrt.engine.onnxruntime", "OnnxRuntimeRunner"),
}


# In a model card: {"fp32": 0.721, "fp16": 0.720}, H-means on the same pictures, 0..1.
HMEAN_BY_PRECISION = "hmean_by_precision"
MAX_LOST_HMEAN = 0.003


def open_runner(
    model: str | Path | ModelFile = "auto",
    *,
    shape: tuple[int, int],
    batch: int = 1,
    runner: str = "auto",
    precision: str = "auto",
    threshold_head: bool = False,
    streams: int = 1,
    exact: bool = False,
    cache: EngineCache | None = None,
) -> Runner:
    """Load the engine for this machine from the cache, or build it where that takes seconds.

    shape           (H, W), multiples of 32
    runner          "auto" or one of `spec.RUNNERS`
    precision       "auto" or one of `spec.PRECISIONS`
    threshold_head  also put out the threshold map (`Runner.infer_all`)
    streams         batches that run side by side; 1 for the lowest latency
    exact           take no engine of another shape, as a benchmark must not

    An engine that is corrupt, foreign or not to be trusted is built anew by the runners that do so
    in seconds; the others raise EngineError with the `dbrt build` line. Where they lack only the
    shape they take the engine that wastes least and say so: `Runner.shape` is another then. A cache
    that can't be written costs a warning, not the run. Raises RunnerError where no runner can run
    here, InputError for the model, UsageError for the options.
    """
    read = model if isinstance(model, ModelFile) else read_model_file(find_model(model))
    chosen, plan = choose(runner, precision, card=read.card)
    spec = make_spec(read, chosen, plan, shape=shape, batch=batch, threshold_head=threshold_head)
    kept = EngineCache() if cache is None else cache
    engine, spec = _obtain(chosen, read, spec, kept, exact=exact)
    return chosen.open(engine, spec, read, plan.reason, streams=streams)


def choose(
    runner: str = "auto",
    precision: str = "auto",
    targets: tuple[str, ...] = (),
    *,
    card: Mapping[str, Any] | None = None,
    to_build: bool = False,
) -> tuple[type[Runner], Plan]:
    """Return the runner's class and its plan; `auto` takes the first that can run here.

    targets   cards to build for, ("sm_75", "sm_89"): then `auto` takes tensorrt
    card      the model's (`ModelFile.card`): where it tells the accuracy of each precision,
              `auto` takes none that loses too much
    to_build  a runner that is named need not be able to run here (`Runner.obstacle`)

    Raises UsageError for a name that does not exist, RunnerError where nothing can run, or be
    built, with the reason of each runner that was tried.
    """
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(f"no precision {precision}: take auto or {', '.join(PRECISIONS)}")
    if runner not in ("auto", *RUNNERS):
        raise UsageError(f"no runner {runner}: take auto or {', '.join(RUNNERS)}")
    if targets:
        if runner not in ("auto", "tensorrt"):
            raise UsageError(f"--target is for --runner tensorrt: {runner} builds for this CPU")
        runner = "tensorrt"
    if runner == "auto":
        return _first(precision, card)
    chosen = _runner_class(runner)
    if not to_build and chosen.obstacle():
        raise RunnerError(chosen.obstacle())
    return chosen, _plan(chosen, precision, targets, card)


def _plan(
    runner: type[Runner],
    precision: str,
    targets: tuple[str, ...] = (),
    card: Mapping[str, Any] | None = None,
) -> Plan:
    """Plan; where `auto` came to a precision that costs the model too much, plan fp32 instead."""
    plan = runner.plan(precision, targets)
    lost = _lost_hmean(plan.precision, card) if precision == "auto" else 0.0
    if lost <= MAX_LOST_HMEAN:
        return plan
    why = f"; {plan.precision} loses {100 * lost:.1f} H-mean on the model card"
    plan = runner.plan("fp32", targets)
    return replace(plan, reason=plan.reason + why)


def _lost_hmean(precision: str, card: Mapping[str, Any] | None) -> float:
    """Return what a precision loses against fp32 on the model card; 0 where it does not tell."""
    told = (card or {}).get(HMEAN_BY_PRECISION)
    if not isinstance(told, Mapping):
        return 0.0
    try:
        return float(told["fp32"]) - float(told[precision])
    except (KeyError, TypeError, ValueError):
        return 0.0


def _first(precision: str, card: Mapping[str, Any] | None) -> tuple[type[Runner], Plan]:
    """Return the first runner that can run here; its reason tells what an installed one lacks."""
    reasons = []
    told = ""
    for name in CLASSES:
        chosen = _runner_class(name)
        try:
            if chosen.obstacle():
                raise RunnerError(chosen.obstacle())
            plan = _plan(chosen, precision, card=card)
            return chosen, replace(plan, reason=plan.reason + told)
        except RunnerError as exc:
            reasons.append(str(exc))
            told = told or chosen.passed_over(exc)
    raise RunnerError("no runner can run here: " + "; ".join(reasons))


def make_spec(
    model: ModelFile,
    runner: type[Runner],
    plan: Plan,
    *,
    shape: tuple[int, int],
    batch: int = 1,
    threshold_head: bool = False,
) -> EngineSpec:
    """Name the engine that `runner` would build here."""
    return EngineSpec(
        model_name=model.name,
        model_sha256=model.sha256,
        shape=check_shape(shape),
        batch=batch,
        precision=plan.precision,
        runner=runner.name,
        runner_version=plan.version,
        target=plan.target,
        graph_version=GRAPH_VERSION,
        threshold_head=threshold_head,
    )


def _runner_class(name: str) -> type[Runner]:
    module, attribute = CLASSES[name]
    chosen: type[Runner] = getattr(importlib.import_module(module), attribute)
    return chosen


def _obtain(
    runner: type[Runner], model: ModelFile, spec: EngineSpec, cache: EngineCache, *, exact: bool
) -> tuple[bytes, EngineSpec]:
    """Return an engine and its own spec: from the cache, or built and kept there."""
    try:
        stored = cache.load(spec)
        if stored is not None:
            return stored.data, stored.spec
    except EngineError as exc:
        if not runner.builds_on_demand:
            raise
        LOG.warning("%s (building it anew)", exc)
    if not runner.builds_on_demand:
        return _of_another_shape(spec, cache, exact=exact)
    try:
        with cache.lock(spec):
            return _build(runner, model, spec, cache), spec
    except OutputError as exc:
        LOG.warning("%s (going on without the cache)", exc)
        return runner.build(model, spec), spec


def _of_another_shape(
    spec: EngineSpec, cache: EngineCache, *, exact: bool
) -> tuple[bytes, EngineSpec]:
    """Return the engine that serves the frames of `spec` with the least waste, and say so."""
    there = stored_specs(cache)
    for found in [] if exact else by_waste(there, spec):
        try:
            stored = cache.load(found)
        except EngineError as exc:
            LOG.warning("%s (passed over)", exc)
            continue
        if stored is not None:
            LOG.warning("%s", explain(found, spec))
            return stored.data, stored.spec
    raise EngineError(missing(there, spec))


def _build(runner: type[Runner], model: ModelFile, spec: EngineSpec, cache: EngineCache) -> bytes:
    """Build under the lock, unless another process has done so while we waited for it."""
    try:
        stored = cache.load(spec)
    except EngineError:
        stored = None
    if stored is not None:
        return stored.data
    started = time.perf_counter()
    engine = runner.build(model, spec)
    cache.store(spec, engine, build_s=time.perf_counter() - started)
    return engine
