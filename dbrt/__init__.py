"""dbrt finds text in live video and pictures.

Names are loaded when they are first used (PEP 562): `import dbrt` loads no numpy, no OpenCV and no
inference library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbrt._version import __version__
from dbrt.errors import (
    DbrtError,
    EngineError,
    InputError,
    OutputError,
    RunnerError,
    SourceError,
    TrainingError,
    UsageError,
)

if TYPE_CHECKING:
    from dbrt.detector import TextDetector
    from dbrt.postproc import decode
    from dbrt.regions import Region, TextRegions

_LAZY = {
    "Region": "dbrt.regions",
    "TextDetector": "dbrt.detector",
    "TextRegions": "dbrt.regions",
    "decode": "dbrt.postproc",
}

__all__ = [
    "DbrtError",
    "EngineError",
    "InputError",
    "OutputError",
    "Region",
    "RunnerError",
    "SourceError",
    "TextDetector",
    "TextRegions",
    "TrainingError",
    "UsageError",
    "__version__",
    "decode",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'dbrt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
