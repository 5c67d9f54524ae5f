from __future__ import annotations

from dataclasses import replace

import pytest

from dbrt.engine.graph import GRAPH_VERSION
from dbrt.engine.modelfile import find_model, read_model_file
from dbrt.engine.select import choose, make_spec
from dbrt.engine.spec import EngineSpec
from dbrt.engine.staleness import Here
from dbrt.errors import InputError


@pytest.fixture
def fresh() -> EngineSpec:
    pytest.importorskip("onnxruntime")
    runner, plan = choose("onnxruntime")
    model = read_model_file(find_model("dbrt-lite"))
    return make_spec(model, runner, plan, shape=(736, 736))


def test_what_would_be_built_here_is_not_stale(fresh: EngineSpec) -> None:
    assert Here().staleness(fresh) == ""
    assert Here().staleness(replace(fresh, shape=(64, 96), batch=3)) == ""


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("runner_version", "0.1", "was built with onnxruntime 0.1, here is onnxruntime "),
        ("target", "pdp11", "was built for pdp11, this machine is "),
        ("model_sha256", "ab" * 32, "is of another dbrt-lite (SHA-256 abababab..., here "),
        ("graph_version", 0, f"is of graph version 0, this dbrt makes {GRAPH_VERSION}"),
    ],
)
def test_what_has_changed_is_named_with_the_command(
    field: str, value: object, words: str, fresh: EngineSpec
) -> None:
    old = replace(fresh, **{field: value})  # type: ignore[arg-type]
    found = Here().staleness(old)
    assert found.startswith(words)
    assert found.endswith(f": run {old.build_command}")


def test_what_cannot_be_compared_here_is_left_alone(fresh: EngineSpec) -> None:
    plan = replace(fresh, runner="tensorrt", target="sm_75", precision="int8", model_name="mine")
    assert Here().staleness(plan) == ""


def test_a_shipped_model_that_is_not_here_is_left_alone(
    fresh: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replace(fresh, model_sha256="ab" * 32)
    assert Here().staleness(old)

    def none(name: str) -> None:
        raise InputError(f"model {name} is not installed")

    monkeypatch.setattr("dbrt.engine.staleness.find_model", none)
    assert Here().staleness(old) == ""
