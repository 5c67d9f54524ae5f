"""Sixty-four pixels of a map in one step: which of them are text, and the sum of some of them.

numba has no type for a vector of pixels, so these are written in LLVM's own words. LLVM makes one
or two instructions of each where the machine has wide registers, and a few more where it has not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from dbrt.postproc.jit import compiled

Bytes = NDArray[np.uint8]

# Pixels in a block. No map is narrower; `as_bytes` sees to that.
BLOCK = 64

ZERO = np.uint64(0)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

_PIXELS = ir.VectorType(ir.IntType(8), BLOCK)
_BITS = ir.VectorType(ir.IntType(1), BLOCK)
_WIDE = ir.VectorType(ir.IntType(16), BLOCK)
_WORD = ir.IntType(64)


def _load(context: Any, builder: Any, kind: Any, map: Any, offset: Any) -> Any:
    """The block that begins `offset` pixels behind the map's first one."""
    data = context.make_array(kind)(context, builder, map).data
    loaded = builder.load(builder.bitcast(builder.gep(data, [offset]), _PIXELS.as_pointer()))
    loaded.align = 1
    return loaded


@intrinsic
def text_bits(context: Any, map: Any, offset: Any, threshold: Any) -> Any:
    """Bit k: whether pixel `offset` + k of the map, counted row after row, is `threshold` or more.

    Reads memory beyond the map where offset + BLOCK does.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels = _load(context, builder, signature.args[0], *arguments[:2])
        first = builder.insert_element(
            ir.Constant(_PIXELS, ir.Undefined), arguments[2], ir.Constant(ir.IntType(32), 0)
        )
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
        splat = builder.shuffle_vector(first, ir.Constant(_PIXELS, ir.Undefined), everywhere)
        return builder.bitcast(builder.icmp_unsigned(">=", pixels, splat), _WORD)

    return types.uint64(map, types.intp, types.uint8), generate


@intrinsic
def sum_of(context: Any, map: Any, offset: Any, chosen: Any) -> Any:
    """The sum of the pixels `offset` + k of the map for which bit k of `chosen` is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels = _load(context, builder, signature.args[0], *arguments[:2])
        bits = builder.bitcast(arguments[2], _BITS)
        kept = builder.select(bits, pixels, ir.Constant(_PIXELS, [0] * BLOCK))
        # 64 * 255 fits into 16 bits.
        add = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.IntType(16), [_WIDE]),
            f"llvm.vector.reduce.add.v{BLOCK}i16",
        )
        return builder.zext(builder.call(add, [builder.zext(kept, _WIDE)]), _WORD)

    return types.int64(map, types.intp, types.uint64), generate


@intrinsic
def _trailing_zeros(context: Any, word: Any) -> Any:

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@compiled
def lowest_bit(word: np.uint64) -> int:
    """The index of the lowest bit set; 64 where none is."""
    return int(_trailing_zeros(word))


@compiled
def next_text(map: Bytes, begin: int, end: int, threshold: int) -> int:
    """Where pixels begin, no later than the first text in pixels begin .. end - 1; `end` for none.

    What lies between is less than four blocks.
    """
    at = begin
    while at + 4 * BLOCK <= end:
        found = text_bits(map, at, threshold) | text_bits(map, at + BLOCK, threshold)
        found |= text_bits(map, at + 2 * BLOCK, threshold)
        found |= text_bits(map, at + 3 * BLOCK, threshold)
        if found != ZERO:
            return at
        at += 4 * BLOCK
    while at < end:
        # The last block may begin before `at`: its first pixels were looked at, or are not wanted.
        if text_bits(map, max(min(at, end - BLOCK), 0), threshold) != ZERO:
            return at
        at += BLOCK
    return end


@compiled
def rest_bits(map: Bytes, row: int, start: int, stop: int, threshold: int) -> np.uint64:
    """Bit k: whether column start + k of the row is text, for less than a block before `stop`."""
    if start >= stop:
        return ZERO
    width = map.shape[1]
    column = min(start, width - BLOCK)
    bits = text_bits(map, row * width + column, threshold) >> np.uint64(start - column)
    return np.uint64(bits & bits_below(stop - start))


@compiled
def bits_below(n: int) -> np.uint64:
    """The lowest `n` bits, n > 0; all of them from 64 on."""
    return ALL >> np.uint64(BLOCK - min(n, BLOCK))


@compiled
def row_sum(map: Bytes, row: int, start: int, stop: int) -> int:
    """The sum of map[row, start:stop]."""
    width = map.shape[1]
    total = 0
    while start < stop:
        column = min(start, width - BLOCK)
        chosen = bits_below(stop - start) << np.uint64(start - column)
        total += sum_of(map, row * width + column, chosen)
        start += BLOCK
    return total
