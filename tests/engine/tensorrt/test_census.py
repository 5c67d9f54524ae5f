from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dbrt.engine.tensorrt.census import take_census
from dbrt.errors import EngineError


def network(*layers: tuple[str, str, str]) -> Any:
    """A network of layers (name, kind, type of the output) as the library shows it."""
    made = [
        SimpleNamespace(
            name=name,
            type=SimpleNamespace(name=kind),
            num_outputs=1,
            get_output=lambda i, type=type: SimpleNamespace(dtype=SimpleNamespace(name=type)),
        )
        for name, kind, type in layers
    ]
    return SimpleNamespace(num_layers=len(made), get_layer=lambda i: made[i])


HALF = [("a", "CONVOLUTION", "HALF"), ("b", "ACTIVATION", "HALF"), ("c", "CAST", "UINT8")]


def test_layers_are_counted_by_kind_and_type() -> None:
    census = take_census(network(*HALF, ("d", "SHUFFLE", "INT64")), "fp16")
    census.check("fp16")
    assert census.to_dict() == {
        "layers": {
            "convolution": {"fp16": 1},
            "activation": {"fp16": 1},
            "cast": {"uint8": 1},
            "shuffle": {"int64": 1},
        },
        "totals": {"fp16": 2, "uint8": 1, "int64": 1},
        "islands": [],
    }
    assert str(census) == "fp16 2 layers (1 convolution), fp32 0, int64 1, uint8 1"


@pytest.mark.parametrize("type", ["FLOAT", "BF16", "FP8"])
def test_a_layer_in_another_type_is_named(type: str) -> None:
    census = take_census(network(*HALF, ("odd", "CONVOLUTION", type)), "fp16")
    with pytest.raises(EngineError, match=r"^1 of the layers are not fp16 \(odd\): no engine"):
        census.check("fp16")


@pytest.mark.parametrize("name", ["odd", "float32/cast/x"])
def test_islands_are_told_and_allowed(name: str) -> None:
    census = take_census(network(*HALF, (name, "CONVOLUTION", "FLOAT")), "fp16", {"odd"})
    census.check("fp16")
    assert census.islands == (name,)
    assert str(census).endswith("fp32 1, uint8 1 (1 in islands)")


def test_an_island_is_float32_and_nothing_else() -> None:
    census = take_census(network(*HALF, ("odd", "CONVOLUTION", "BF16")), "fp16", {"odd"})
    assert census.strays == ("odd",)


def test_a_network_that_computes_nothing_is_no_engine() -> None:
    census = take_census(network(("c", "CAST", "UINT8")), "fp16")
    with pytest.raises(EngineError, match="no layer computes in fp16"):
        census.check("fp16")
