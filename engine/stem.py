"""The order of colours, folded into a network's first convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx


def turn_stem(graph: onnx.GraphProto, image: str) -> bool:
    """Reverse the input channels of the one convolution that reads the input `image`.

    Exact, and saves a pass over the frame. Returns False, and changes nothing, where the input is
    read by anything else or the kernel is used elsewhere too.
    """
    from onnx import numpy_helper

    readers = [node for node in graph.node if image in node.input]
    if len(readers) != 1 or readers[0].op_type != "Conv":
        return False
    kernel = readers[0].input[1]
    casts = [node for node in graph.node if node.op_type == "Cast" and kernel in node.output]
    chain = [kernel, *(node.input[0] for node in casts)]
    users = [name for node in graph.node for name in node.input if name in chain]
    stored = [tensor for tensor in graph.initializer if tensor.name == chain[-1]]
    if not stored or len(users) != len(chain):
        return False
    values = numpy_helper.to_array(stored[0])
    if values.ndim != 4 or values.shape[1] != 3:
        return False
    turned = np.ascontiguousarray(values[:, ::-1])
    stored[0].CopyFrom(numpy_helper.from_array(turned, stored[0].name))
    return True
