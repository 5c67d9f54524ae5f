"""The probability map as the kernels read it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError
from dbrt.postproc.blocks import BLOCK, Bytes
from dbrt.postproc.jit import compiled


def as_bytes(map: NDArray[Any]) -> Bytes:
    """The map as the kernels read it; copies only where it must.

    map      (H, W) uint8 0..255, or float32 or float64 0..1
    returns  (H, W') uint8, C-contiguous, W' the greater of W and BLOCK; columns from W on are 0

    Raises InputError where it has another form, or a float map holds NaN or values outside 0..1.
    """
    if not isinstance(map, np.ndarray) or map.ndim != 2:
        found = f"shape {map.shape}" if isinstance(map, np.ndarray) else type(map).__name__
        raise InputError(
            f"a probability map is an array of shape (H, W), this one is {found}: pass one map"
        )
    if map.dtype != np.uint8:
        map = _bytes_of(map)
    height, width = map.shape
    if width >= BLOCK:
        map = np.ascontiguousarray(map)
        return map if map.flags.writeable else np.asarray(_Writeable(map))
    padded = np.zeros((height, BLOCK), np.uint8)
    padded[:, :width] = map
    return padded


class _Writeable:
    """A read-only array as one that is not, without copying.

    The kernels never write to a map, but numba compiles them anew, for seconds, where the type of
    an argument says that it is read-only.
    """

    def __init__(self, map: Bytes) -> None:
        self._map = map  # the memory lives as long as this does
        interface = map.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def _bytes_of(map: NDArray[Any]) -> Bytes:
    if map.dtype not in (np.float32, np.float64):
        raise InputError(
            f"a probability map is uint8 or float32, this one is {map.dtype}: convert it"
        )
    out = np.empty(map.shape, np.uint8)
    row, column = quantize(np.ascontiguousarray(map, np.float32), out)
    if row >= 0:
        raise InputError(
            f"the probability map holds {map[row, column]:.4g} at row {row}, column {column}; "
            "values from 0 to 1 are wanted: check the network's output"
        )
    return out


@compiled
def quantize(map: NDArray[np.float32], out: Bytes) -> tuple[int, int]:
    """Write round(255 * map) to `out`.

    Returns the row and column of the first value that is NaN or outside 0..1, or (-1, -1).
    """
    height, width = map.shape
    for row in range(height):
        bad = 0
        for column in range(width):
            value = map[row, column]
            fits = (value >= np.float32(0.0)) & (value <= np.float32(1.0))
            bad += not fits
            out[row, column] = np.uint8(value * np.float32(255.0) + np.float32(0.5)) if fits else 0
        if bad:
            for column in range(width):
                if not 0.0 <= map[row, column] <= 1.0:
                    return row, column
    return -1, -1
