"""Depthwise convolutions for Turing: eight channels at a time.

For sm_75, TensorRT-RTX 1.7 builds a depthwise convolution as products with constants as large as
the map: 381 MB for dbrt-lite at 736x736, where other cards' plans have 6. Eight channels together
with a block-diagonal kernel are a grouped convolution, which it has kernels for; in groups of two
and four channels the plan still grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

WIDTH = 8


def widen_depthwise(graph: onnx.GraphProto) -> int:
    """Turn depthwise convolutions into groups of eight channels, in `graph` itself.

    Exact: what is added are products with zero. Returns how many were changed; left as they are
    are those whose channels are no multiple of eight or whose kernel others use.
    """
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    changed = 0
    for node in graph.node:
        groups = [a for a in node.attribute if a.name == "group"] if node.op_type == "Conv" else []
        stored = weights.get(node.input[1]) if groups else None
        if stored is None or readers[stored.name] != 1:
            continue
        kernel = numpy_helper.to_array(stored)
        if kernel.shape[0] != groups[0].i or kernel.shape[1] != 1 or len(kernel) % WIDTH:
            continue
        groups[0].i = len(kernel) // WIDTH
        stored.CopyFrom(numpy_helper.from_array(widen(kernel), stored.name))
        changed += 1
    return changed


def widen(kernel: NDArray[Any]) -> NDArray[Any]:
    """Return the kernel of the same convolution in groups of eight channels.

    kernel   (C, 1, h, w), C a multiple of eight
    returns  (C, 8, h, w), zero but where channel c meets itself, at [c, c % 8]
    """
    channels = np.arange(len(kernel))
    wide = np.zeros((len(kernel), WIDTH, *kernel.shape[2:]), kernel.dtype)
    wide[channels, channels % WIDTH] = kernel[:, 0]
    return wide
