"""CUDA: the one place that owns device memory, streams, events, graphs and the primary context.

::

    device     what is asked of a GPU, and which library answers
    bindings   by cuda-bindings, the driver's own functions; CUDA graphs for both
    pycuda     by PyCUDA
    kernel     letterbox.cu, compiled for the card that is there and launched
    geometry   the numbers that the kernel follows

Always the primary context of the device, the one that TensorRT works in. It is current only inside
`Device.current()`, on whatever thread that is entered.
"""
