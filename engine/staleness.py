"""Whether this machine would still take an engine, and if not, what has changed."""

from __future__ import annotations

from dataclasses import replace

from dbrt.engine.graph import GRAPH_VERSION
from dbrt.engine.mismatch import describe
from dbrt.engine.modelfile import MODELS, find_model, read_model_file
from dbrt.engine.runner import Plan
from dbrt.engine.select import choose
from dbrt.engine.spec import EngineSpec
from dbrt.errors import DbrtError


class Here:
    """This machine: asks each runner and reads each model once."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, str], Plan | None] = {}
        self._models: dict[str, str | None] = {}

    def wanted(self, spec: EngineSpec) -> EngineSpec:
        """Return what would be built here today in the place of `spec`.

        What this machine can't tell stays as it is in `spec`: the version of a runner that is not
        here, a model that does not ship with dbrt, and the cards of a TensorRT engine, which may
        have been built here for others.
        """
        wanted = replace(spec, graph_version=GRAPH_VERSION)
        sha256 = self._model_sha256(spec.model_name)
        if sha256:
            wanted = replace(wanted, model_sha256=sha256)
        plan = self._plan(spec.runner, spec.precision)
        if plan is None:
            return wanted
        target = spec.target if spec.runner == "tensorrt" else plan.target
        return replace(wanted, runner_version=plan.version, target=target)

    def staleness(self, spec: EngineSpec) -> str:
        """Say why the engine would not be taken any more, and the command that mends it, or ""."""
        reason = describe(spec, self.wanted(spec))
        return f"{reason}: run {spec.build_command}" if reason else ""

    def _plan(self, runner: str, precision: str) -> Plan | None:
        key = runner, precision
        if key not in self._plans:
            try:
                self._plans[key] = choose(runner, precision, to_build=True)[1]
            except DbrtError:
                self._plans[key] = None
        return self._plans[key]

    def _model_sha256(self, name: str) -> str | None:
        if name not in self._models:
            try:
                found = read_model_file(find_model(name)).sha256 if name in MODELS else None
            except DbrtError:
                found = None
            self._models[name] = found
        return self._models[name]
