"""Why an engine is not the one that is wanted: both sides in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dbrt.engine.spec import EngineSpec

_SHORT = 8  # digits of a SHA-256 that people compare


def differences(found: EngineSpec, wanted: EngineSpec) -> list[str]:
    """Say each thing in which the engine `found` is not `wanted`, weightiest first.

    returns  clauses that read on from "the engine ..."; empty where `found` serves
    """
    clauses = [clause(found, wanted) for field, clause in _CLAUSES if _differ(found, wanted, field)]
    return clauses


def describe(found: EngineSpec, wanted: EngineSpec) -> str:
    """Say in one clause what is wrong with `found`; empty where it serves."""
    return " and ".join(differences(found, wanted))


def nearest(specs: Iterable[EngineSpec], wanted: EngineSpec) -> EngineSpec | None:
    """Return the engine that is most like `wanted`, of its model and runner; None without one."""
    kin = [s for s in specs if (s.model_name, s.runner) == (wanted.model_name, wanted.runner)]
    return min(kin, key=lambda spec: len(differences(spec, wanted)), default=None)


def missing(specs: Iterable[EngineSpec], wanted: EngineSpec) -> str:
    """Say in one line that `wanted` is not there, what is there instead, and how to get it.

    specs  of the engines that are there
    """
    height, width = wanted.shape
    name = f"{wanted.model_name} at {height}x{width} in {wanted.precision} for {wanted.runner}"
    found = nearest(specs, wanted)
    instead = f": {found.file_name} {describe(found, wanted)}" if found else ""
    return f"there is no engine of {name}{instead}: run {wanted.build_command}"


def built_with(spec: EngineSpec) -> str:
    """Name the library and its version; TensorRT's says itself which of the two it is."""
    return (
        spec.runner_version
        if " " in spec.runner_version
        else (f"{spec.runner} {spec.runner_version}")
    )


def _differ(found: EngineSpec, wanted: EngineSpec, field: str) -> bool:
    if field == "target":
        return not set(wanted.targets) <= set(found.targets)
    return bool(getattr(found, field) != getattr(wanted, field))


def _targets(spec: EngineSpec) -> str:
    return ", ".join(spec.targets)


def _shape(spec: EngineSpec) -> str:
    return "{}x{}".format(*spec.shape)


def _model(found: EngineSpec, wanted: EngineSpec) -> str:
    if found.model_name != wanted.model_name:
        return f"is of model {found.model_name}, not {wanted.model_name}"
    theirs, ours = found.model_sha256[:_SHORT], wanted.model_sha256[:_SHORT]
    return f"is of another {found.model_name} (SHA-256 {theirs}..., here {ours}...)"


def _head(found: EngineSpec, wanted: EngineSpec) -> str:
    return f"is {'with' if found.threshold_head else 'without'} the threshold map"


_CLAUSES: tuple[tuple[str, Callable[[EngineSpec, EngineSpec], str]], ...] = (
    ("model_sha256", _model),
    ("runner", lambda f, w: f"is for {f.runner}, not {w.runner}"),
    (
        "runner_version",
        lambda f, w: f"was built with {built_with(f)}, here is {built_with(w)}",
    ),
    ("target", lambda f, w: f"was built for {_targets(f)}, this machine is {_targets(w)}"),
    ("shape", lambda f, w: f"is for {_shape(f)}, not {_shape(w)}"),
    ("precision", lambda f, w: f"is in {f.precision}, not {w.precision}"),
    ("batch", lambda f, w: f"takes {f.batch} frames a call, not {w.batch}"),
    ("threshold_head", _head),
    (
        "graph_version",
        lambda f, w: f"is of graph version {f.graph_version}, this dbrt makes {w.graph_version}",
    ),
)
