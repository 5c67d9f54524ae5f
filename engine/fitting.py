"""Which engine of another shape serves a frame best, where engines are not built on the spot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dbrt.engine.spec import EngineSpec


def by_waste(specs: Iterable[EngineSpec], wanted: EngineSpec) -> list[EngineSpec]:
    """Return the engines that differ from `wanted` in shape alone, the best first.

    specs  of the engines that are there

    First those that show a frame as large as `wanted` would, the smallest first: all that they have
    more of is fill or enlargement. Behind them those that shrink it, the least first.
    """
    able = [spec for spec in specs if replace(spec, shape=wanted.shape).covers(wanted)]
    return sorted(able, key=lambda spec: _cost(spec.shape, wanted.shape))


def explain(taken: EngineSpec, wanted: EngineSpec) -> str:
    """Say in one line which engine is taken for `wanted`, what it costs, and what mends it."""
    share, pixels = _share(taken.shape, wanted.shape), taken.shape[0] * taken.shape[1]
    work = pixels / (wanted.shape[0] * wanted.shape[1])
    cost = f"{work:.1f} times the work"
    if share < 1:
        cost = f"frames are shown at {100 * share:.0f} % of the size"
    # --force is for engines that are there and bad.
    command = wanted.build_command.removesuffix(" --force")
    return (
        f"no engine for {_words(wanted)}: taking the one for {_words(taken)}, {cost}; "
        f"for the exact one run {command}"
    )


def _cost(shape: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, int]:
    share = _share(shape, wanted)
    return (-min(share, 1.0), shape[0] * shape[1])


def _share(shape: tuple[int, int], wanted: tuple[int, int]) -> float:
    """Return how large `shape` shows what fills `wanted`, 1 for as large."""
    return min(shape[0] / wanted[0], shape[1] / wanted[1])


def _words(spec: EngineSpec) -> str:
    return f"{spec.shape[0]}x{spec.shape[1]}"
