"""The census of precisions: in which type each layer of a parsed network computes.

A strongly typed network computes in the types of its tensors, so they can be counted, and an engine
in the wrong precision refused, without a GPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dbrt.engine.half import ISLAND
from dbrt.errors import EngineError

# What TensorRT calls a type, and our word.
WORDS = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16", "INT8": "int8", "UINT8": "uint8"}

# Types that are no precision: frames and maps, indices, conditions.
_BESIDES = frozenset({"uint8", "int32", "int64", "bool"})


@dataclass(frozen=True)
class Census:
    """The layers of a network by what they are and by the type they put out.

    layers    {"convolution": {"fp16": 29}, ...}
    totals    {"fp16": 96, "uint8": 1}
    islands   names of layers that are in float32 as they should be
    strays    names of layers in another float type than was asked for, outside the islands
    """

    layers: dict[str, dict[str, int]]
    totals: dict[str, int]
    islands: tuple[str, ...]
    strays: tuple[str, ...]

    def check(self, precision: str) -> None:
        """Raise EngineError where a layer computes in another type than it should."""
        if self.strays:
            some = ", ".join(self.strays[:3]) + (", ..." if len(self.strays) > 3 else "")
            raise EngineError(
                f"{len(self.strays)} of the layers are not {precision} ({some}): no engine was "
                "written; a model from elsewhere may hold types of its own, dbrt export writes none"
            )
        if not self.totals.get(precision):
            raise EngineError(f"no layer computes in {precision}: no engine was written")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"layers": self.layers, "totals": self.totals, "islands": list(self.islands)}

    def __str__(self) -> str:
        """One line: "fp16 129 layers (60 convolution, 2 deconvolution), uint8 1, fp32 0"."""
        totals = {"fp32": 0, **self.totals}
        main = max(totals, key=lambda word: totals[word])
        heavy = [
            f"{self.layers[kind][main]} {kind}"
            for kind in ("convolution", "deconvolution")
            if self.layers.get(kind, {}).get(main)
        ]
        others = [f"{word} {count}" for word, count in totals.items() if word != main]
        text = f"{main} {totals[main]} layers ({', '.join(heavy)}), {', '.join(sorted(others))}"
        return text + (f" ({len(self.islands)} in islands)" if self.islands else "")


def take_census(network: Any, precision: str, islands: Collection[str] = ()) -> Census:
    """Count the layers of a parsed network.

    network    an INetworkDefinition
    precision  what its layers should compute in
    islands    nodes of the graph that stay in float32
    """
    layers: dict[str, Counter[str]] = {}
    found: list[str] = []
    strays: list[str] = []
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        for output in range(layer.num_outputs):
            name = layer.get_output(output).dtype.name
            word = WORDS.get(name, name.lower())
            layers.setdefault(layer.type.name.lower(), Counter())[word] += 1
            if word in _BESIDES or word == precision:
                continue
            island = word == "fp32" and (layer.name in islands or layer.name.startswith(ISLAND))
            (found if island else strays).append(layer.name)
    totals = sum(layers.values(), Counter[str]())
    return Census(
        {kind: dict(counts) for kind, counts in layers.items()},
        dict(totals),
        tuple(found),
        tuple(strays),
    )
