"""The TensorRT library that is here: full TensorRT, else TensorRT-RTX.

Both have one Python interface under two names. Full TensorRT can't be installed from PyPI alone;
TensorRT-RTX can, and builds engines without a GPU (docs/tensorrt.md).
"""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from dbrt.errors import RunnerError

LOG = logging.getLogger("dbrt.engine.tensorrt")

TENSORRT = "tensorrt"
TENSORRT_RTX = "tensorrt-rtx"
FLAVOURS = (TENSORRT, TENSORRT_RTX)

INSTALL = "pip install 'dbrt[tensorrt-rtx]'"

# A failed build logs a handful of errors, the first of which says why.
KEPT_ERRORS = 100


class ErrorLog:
    """The errors that the library has logged in this process, oldest first. Thread-safe.

    The library takes one logger for each process, the first it is given, so what went wrong in one
    call is found by asking before and after it::

        since = log.mark()
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineError(log.first_error(since))
    """

    def __init__(self) -> None:
        # Invariant: `_kept` holds the last errors of the `_count` seen. Both under `_lock`.
        self._lock = threading.Lock()
        self._kept: deque[str] = deque(maxlen=KEPT_ERRORS)
        self._count = 0

    def add(self, message: str) -> None:
        """Keep one error; called from whatever thread the library logs on."""
        with self._lock:
            self._kept.append(message)
            self._count += 1

    def mark(self) -> int:
        """Return the number of errors so far."""
        with self._lock:
            return self._count

    def errors(self, since: int = 0) -> list[str]:
        """Return the errors logged after `mark` returned `since`, as far as they are kept."""
        with self._lock:
            wanted = self._count - since
            return list(self._kept)[-wanted:] if wanted > 0 else []

    def first_error(self, since: int = 0, default: str = "no reason given") -> str:
        """Return the first error after `since`, in one line: those behind it are its echoes."""
        found = self.errors(since)
        return " ".join(found[0].split()) if found else default


@dataclass(frozen=True)
class Library:
    """A loaded TensorRT library.

    module   `tensorrt` or `tensorrt_rtx`
    flavour  "tensorrt" or "tensorrt-rtx"
    version  "10.13.3.9"
    logger   the process's one logger for this module: forwards to `logging` as
             "dbrt.engine.tensorrt"; to be given to Builder, OnnxParser and Runtime
    log      the errors that came through `logger`
    """

    module: Any
    flavour: str
    version: str
    logger: Any
    log: ErrorLog

    @property
    def title(self) -> str:
        """Name and version, as specs and messages have them: "tensorrt-rtx 1.7.1.116"."""
        return f"{self.flavour} {self.version}"

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT-RTX, whose engines are compiled to the end on the card."""
        return self.flavour == TENSORRT_RTX


def load_library(flavour: str | None = None) -> Library:
    """Import TensorRT, else TensorRT-RTX; or the one named by `flavour`.

    Costs 0.1 s at the first call, nothing later; needs no GPU and no driver.

    Raises RunnerError, one line, where neither can be loaded; it tells a module that is not
    installed from one whose own libraries (libnvinfer) are missing.
    """
    reasons = []
    for name in FLAVOURS if flavour is None else (flavour,):
        try:
            return _load(name)
        except ImportError as exc:
            reasons.append(_reason(name, exc))
    broken = [reason for reason in reasons if reason]
    absent = f"neither {TENSORRT} nor {TENSORRT_RTX}" if flavour is None else f"no {flavour}"
    raise RunnerError(f"{'; '.join(broken) or f'{absent} is installed'}: {INSTALL}")


def library_of(runner_version: str) -> Library:
    """Load the library that a spec's `runner_version` names.

    Raises RunnerError where it is not here, or here in another version.
    """
    flavour = runner_version.partition(" ")[0]
    library = load_library(flavour if flavour in FLAVOURS else None)
    if library.title != runner_version:
        raise RunnerError(f"{runner_version} is needed, here is {library.title}: build anew")
    return library


def installed_version(flavour: str) -> str | None:
    """Return the version of an installed package without importing it; None where there is none."""
    try:
        return importlib.metadata.version(flavour)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _load(flavour: str) -> Library:
    module = _import(flavour)
    log = ErrorLog()
    return Library(module, flavour, str(module.__version__), _make_logger(module, log), log)


def _import(flavour: str) -> Any:
    """Import the module; whatever stops it comes out as ImportError."""
    try:
        if flavour == TENSORRT:
            import tensorrt

            return tensorrt
        import tensorrt_rtx

        return tensorrt_rtx
    except (OSError, RuntimeError, AttributeError) as exc:  # a broken or half-removed install
        raise ImportError(f"{type(exc).__name__}: {exc}") from exc


def _reason(flavour: str, exc: ImportError) -> str:
    """Say what is wrong with an installed library; empty where it is not installed."""
    if isinstance(exc, ModuleNotFoundError) and exc.name == flavour.replace("-", "_"):
        return ""
    found = " ".join(str(exc).split())
    return f"{flavour} is installed, but its libraries can't be loaded ({found})"


def _make_logger(module: Any, log: ErrorLog) -> Any:
    """Make the object that the library logs to; it must live as long as the process."""
    severity = module.ILogger.Severity
    errors = (severity.INTERNAL_ERROR, severity.ERROR)

    class Logger(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)  # pybind11 classes refuse super()

        def log(self, level: Any, message: str) -> None:
            if level in errors:
                log.add(message)
            # What matters to users comes out of `ErrorLog` as a DbrtError, once.
            LOG.debug("%s: %s", level.name.lower(), message)

    return Logger()
