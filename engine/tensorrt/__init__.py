"""TensorRT and TensorRT-RTX: engines for NVIDIA GPUs.

::

    library   finds and loads either library, and keeps what it logs
    targets   the cards that an engine can be built for
    builder   from an ONNX graph to a plan
    monitor   the progress of a build, and how it is cancelled
    census    in which precisions a network computes
    runner    runs an engine
"""
