"""TensorRT and TensorRT-RTX: engines for NVIDIA GPUs.

::

    library   finds and loads either library, and keeps what it logs
    targets   the cards that an engine can be built for
    builder   from an ONNX graph to a plan
    monitor   the progress of a build, and how it is cancelled
    census    in which precisions a network computes
    runner    runs an engine: two contexts and more, each with a stream
    loaded    a plan on the card, its contexts, what TensorRT-RTX compiled of it
    slot      a stream, its context and buffers; the host's side of a request
    jit       what TensorRT-RTX compiled, kept for the next process
"""
