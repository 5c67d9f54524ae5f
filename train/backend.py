"""Which Keras backend runs, and a quiet start of it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def default_backend() -> None:
    """Choose TensorFlow unless KERAS_BACKEND says otherwise, and quiet its start.

    TensorFlow (2.21) tells standard error of CUDA and oneDNN before it reads its own log level; set
    TF_CPP_MIN_LOG_LEVEL to see that.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if backend == "tensorflow":
        # Where it is missing, the code that needs it says so.
        with _silent_stderr(), suppress(ModuleNotFoundError):
            importlib.import_module("tensorflow")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send nowhere what this process writes to standard error past Python."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def jit_compile() -> str | bool:
    """Return what `compile` is told: JAX compiles whole steps, XLA on a CPU slows TensorFlow."""
    import keras

    return "auto" if keras.backend.backend() == "jax" else False
