"""The smallest rectangle round a convex polygon.

One side of it lies on a side of the polygon, so one candidate for each is enough. All corners are
looked at for all sides: for the few that words have this is several times as quick as following
the farthest ones round, where each step is a branch that can't be foreseen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dbrt.postproc.jit import compiled
from dbrt.postproc.rectangle import Floats, Rectangle

# Sides that are measured in one step.
_SIDES = 8
# Rows behind the corners that `smallest_rectangle` writes to: the first corner again, what a step
# reads beyond it, and what it measures.
HULL_ROOM = 3 * _SIDES // 2 + _SIDES + 2

_NUMBERS = ir.VectorType(ir.DoubleType(), _SIDES)
_PAIRS = ir.VectorType(ir.DoubleType(), 2 * _SIDES)
_INDEX = ir.IntType(64)


def _lanes(of: Any) -> Any:
    """The lanes of a shuffle."""
    return ir.Constant(ir.VectorType(ir.IntType(32), _SIDES), list(of))


@intrinsic
def reach(context: Any, hull: Any, n: Any, first: Any, into: Any) -> Any:
    """How far `n` corners reach along some sides of a hull, back and forth, and across them.

    Each times the side's length, for sides first .. first + _SIDES - 1.

    hull  (R, 2) float64; side i runs from row i to row i + 1
    into  the row of `hull` from which on the numbers are written: _SIDES of a kind, then the next
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        hull, n, first, into = arguments
        data = context.make_array(signature.args[0])(context, builder, hull).data
        two, nothing = ir.Constant(_INDEX, 2), ir.Constant(_NUMBERS, ir.Undefined)

        def at(row: Any, more: int = 0) -> Any:
            return builder.gep(
                data, [builder.add(builder.mul(row, two), ir.Constant(_INDEX, more))]
            )

        def corners(row: Any) -> Any:
            return builder.load(builder.bitcast(at(row), _PAIRS.as_pointer()), align=8)

        def everywhere(number: Any) -> Any:
            one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(one, nothing, _lanes([0] * _SIDES))

        def keep(operator: str, number: Any, place: Any) -> None:
            kept = builder.load(place)
            better = builder.fcmp_ordered(operator, number, kept)
            builder.store(builder.select(better, number, kept), place)

        following = builder.add(first, ir.Constant(_INDEX, 1))
        steps = builder.fsub(corners(following), corners(first))
        none = ir.Constant(_PAIRS, ir.Undefined)
        dx = builder.shuffle_vector(steps, none, _lanes(range(0, 2 * _SIDES, 2)))
        dy = builder.shuffle_vector(steps, none, _lanes(range(1, 2 * _SIDES, 2)))
        far = [float("inf"), float("-inf"), float("-inf")]
        places = [
            cgutils.alloca_once_value(builder, ir.Constant(_NUMBERS, [number] * _SIDES))
            for number in far
        ]
        with cgutils.for_range(builder, n) as loop:
            x = everywhere(builder.load(at(loop.index)))
            y = everywhere(builder.load(at(loop.index, 1)))
            along = builder.fadd(builder.fmul(x, dx), builder.fmul(y, dy))
            across = builder.fsub(builder.fmul(y, dx), builder.fmul(x, dy))
            keep("<", along, places[0])
            keep(">", along, places[1])
            keep(">", across, places[2])
        for k, place in enumerate(places):
            target = builder.bitcast(at(into, k * _SIDES), _NUMBERS.as_pointer())
            builder.store(builder.load(place), target, align=8)
        return context.get_dummy_value()

    return types.none(hull, types.intp, types.intp, types.intp), generate


@compiled
def smallest_rectangle(hull: Floats, n: int, radius: float) -> Rectangle:
    """The rectangle of least area round a convex polygon; of equal ones the longest.

    hull    (n + HULL_ROOM, 2) float64 or more, strictly convex, clockwise, n >= 2; the room is
            written
    radius  by how much the polygon is moved outwards first, with round joins. The logarithm of the
            area is concave in between two sides, round joins or not, so that the smallest rectangle
            has a side in common even then.
    """
    hull[n, 0], hull[n, 1] = hull[0, 0], hull[0, 1]
    into = n + _SIDES + 1
    # Areas are compared as fractions, area / square, without dividing: equal ones stay equal.
    best_area, best_square, best_side = np.inf, 1.0, 0.0
    ux = uy = u0 = u1 = v0 = v1 = 0.0
    for i in range(n):
        lane = i % _SIDES
        if lane == 0:
            reach(hull, n, i, into)
        back = hull[into + lane // 2, lane % 2]
        front = hull[into + (lane + _SIDES) // 2, lane % 2]
        far = hull[into + (lane + 2 * _SIDES) // 2, lane % 2]
        dx, dy = hull[i + 1, 0] - hull[i, 0], hull[i + 1, 1] - hull[i, 1]
        base = hull[i, 1] * dx - hull[i, 0] * dy
        square = dx * dx + dy * dy
        more = 2.0 * radius * np.sqrt(square) if radius > 0.0 else 0.0
        width, height = front - back + more, far - base + more
        covered = width * height
        gain = best_area * square - covered * best_square
        if gain >= 0.0:
            side = max(width, height) ** 2 / square
            if gain > 0.0 or side > best_side:
                best_area, best_square, best_side = covered, square, side
                ux, uy, u0, u1, v0, v1 = dx, dy, back, front, base, far
    scale = 1.0 / np.sqrt(best_square)
    return Rectangle(
        ux * scale,
        uy * scale,
        u0 * scale - radius,
        u1 * scale + radius,
        v0 * scale - radius,
        v1 * scale + radius,
    )
