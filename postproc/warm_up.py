"""warm_up: compile the kernels, or load them from numba's cache, before the first frame."""

from __future__ import annotations

import numpy as np

from dbrt.postproc.decode import decode


def warm_up() -> None:
    """Make every kernel of `decode` ready; seconds the first time, tenths of one from the cache."""
    map = np.zeros((32, 32), np.uint8)
    map[8:16, 4:28] = 255
    decode(map)
    decode(map.astype(np.float32) / 255)
    decode(map, output="polygon")
