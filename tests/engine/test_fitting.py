from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from dbrt.engine import select
from dbrt.engine.cache import EngineCache
from dbrt.engine.fitting import by_waste, explain
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.runner import Plan
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError


@pytest.fixture
def make_spec() -> Callable[..., EngineSpec]:
    def make(shape: tuple[int, int], **changed: Any) -> EngineSpec:
        fields: dict[str, Any] = {
            "model_name": "dbrt-r18",
            "model_sha256": "0" * 64,
            "shape": shape,
            "batch": 1,
            "precision": "fp16",
            "runner": "tensorrt",
            "runner_version": "tensorrt 10.3.0",
            "target": "sm_89",
            "graph_version": 1,
        }
        return EngineSpec(**{**fields, **changed})

    return make


@pytest.mark.parametrize(
    ("there", "best"),
    [
        ([(736, 736), (320, 320), (736, 1280)], (736, 736)),
        ([(736, 736), (448, 736)], (448, 736)),
        ([(320, 320), (512, 512), (416, 352)], (512, 512)),
        ([(736, 1280), (512, 512)], (736, 1280)),
        ([(320, 320), (320, 512)], (320, 512)),
    ],
)
def test_the_least_waste_comes_first(
    make_spec: Callable[..., EngineSpec], there: list[tuple[int, int]], best: tuple[int, int]
) -> None:
    found = by_waste([make_spec(shape) for shape in there], make_spec((416, 736)))
    assert found[0].shape == best
    assert len(found) == len(there)


@pytest.mark.parametrize(
    "other",
    [
        {"model_sha256": "1" * 64},
        {"precision": "fp32"},
        {"batch": 2},
        {"target": "sm_75"},
        {"runner_version": "tensorrt 10.4.0"},
        {"threshold_head": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_engines_that_differ_in_more_than_the_shape_are_not_taken(
    make_spec: Callable[..., EngineSpec], other: dict[str, Any]
) -> None:
    assert by_waste([make_spec((736, 736), **other)], make_spec((416, 736))) == []


def test_an_engine_for_several_cards_is_taken(make_spec: Callable[..., EngineSpec]) -> None:
    several = make_spec((736, 736), target="sm_75+sm_89")
    assert by_waste([several], make_spec((416, 736))) == [several]


def test_the_line_says_what_it_costs_and_what_mends_it(
    make_spec: Callable[..., EngineSpec],
) -> None:
    wanted = make_spec((416, 736))
    assert explain(make_spec((736, 736)), wanted) == (
        "no engine for 416x736: taking the one for 736x736, 1.8 times the work; for the exact one "
        "run dbrt build --shape 416x736 --model dbrt-r18 --runner tensorrt --precision fp16"
    )
    assert "frames are shown at 70 % of the size" in explain(make_spec((512, 512)), wanted)


class _Prebuilt:
    """A runner that takes minutes to build, and opens anything."""

    name = "tensorrt"
    builds_on_demand = False

    @staticmethod
    def open(engine: bytes, spec: EngineSpec, *_: Any, streams: int) -> tuple[bytes, EngineSpec]:
        return engine, spec


@pytest.fixture
def opened(
    monkeypatch: pytest.MonkeyPatch, model: ModelFile, cache_folder: Any
) -> Callable[..., Any]:
    """Open `model` with the double; `plan.target` is this machine's card."""
    plan = Plan("fp16", "tensorrt 10.3.0", "sm_89", "why")
    monkeypatch.setattr(select, "choose", lambda *_, **__: (_Prebuilt, plan))
    return lambda shape, **options: select.open_runner(model, shape=shape, **options)


def store(model: ModelFile, shape: tuple[int, int], target: str = "sm_89") -> EngineSpec:
    plan = Plan("fp16", "tensorrt 10.3.0", target, "why")
    spec = select.make_spec(model, _Prebuilt, plan, shape=shape)  # type: ignore[arg-type]
    cache = EngineCache()
    with cache.lock(spec):
        cache.store(spec, f"engine {shape}".encode(), build_s=1.0)
    return spec


def test_the_runner_gets_the_engine_that_wastes_least_and_its_own_spec(
    opened: Callable[..., Any], model: ModelFile, caplog: pytest.LogCaptureFixture
) -> None:
    store(model, (32, 32))
    large = store(model, (96, 96), target="sm_75+sm_89")
    engine, spec = opened((64, 96))
    assert (engine, spec) == (b"engine (96, 96)", large)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "taking the one for 96x96" in line
    caplog.clear()
    exact = store(model, (64, 96))
    assert opened((64, 96))[1] == exact
    assert not caplog.records


def test_who_asks_for_the_exact_shape_gets_no_other(
    opened: Callable[..., Any], model: ModelFile
) -> None:
    store(model, (96, 96))
    with pytest.raises(EngineError, match=r"run dbrt build --shape 64x96 "):
        opened((64, 96), exact=True)


def test_a_bad_engine_is_passed_over_for_the_next(
    opened: Callable[..., Any], model: ModelFile, caplog: pytest.LogCaptureFixture
) -> None:
    small, bad = store(model, (32, 32)), store(model, (96, 96))
    path = EngineCache().path(bad)
    path.write_bytes(path.read_bytes()[::-1])
    with caplog.at_level(logging.WARNING):
        assert opened((64, 96))[1] == small
    assert "is corrupt" in caplog.text


def test_without_any_the_build_line_is_given(opened: Callable[..., Any]) -> None:
    with pytest.raises(EngineError, match=r"run dbrt build --shape 64x96 "):
        opened((64, 96))
