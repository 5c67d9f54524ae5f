"""What TensorRT-RTX compiles for a card when an engine is opened, kept beside the engine."""

from __future__ import annotations

import logging

from dbrt.engine.cache import EngineCache
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.loaded import JitCache, LoadedEngine
from dbrt.errors import EngineError, OutputError

LOG = logging.getLogger("dbrt.engine")


def read_jit_cache(engine: LoadedEngine, spec: EngineSpec, target: str) -> JitCache:
    """Give the engine what an earlier process compiled for this card, if there is any.

    The library itself refuses what another version, card or driver has made. A file that is not to
    be trusted is left where it is and not used: it is machine code.
    """
    try:
        data = EngineCache().load_beside(spec, _suffix(target))
    except EngineError as exc:
        LOG.warning("%s (compiling anew)", exc)
        data = None
    return engine.use_jit_cache(data)


def write_jit_cache(cache: JitCache, spec: EngineSpec, target: str) -> None:
    """Keep what was compiled just now for the next process; where it can't be, say so."""
    if cache.was_taken:
        return
    try:
        data = cache.data()
        engines = EngineCache()
        # Without an engine there is none to lie beside: it was built and never stored.
        if data and engines.path(spec).exists():
            with engines.lock(spec):
                engines.store_beside(spec, _suffix(target), data)
    except OutputError as exc:
        LOG.warning("%s (the next start compiles again)", exc)


def _suffix(target: str) -> str:
    """One file for each card: an engine for several may lie in a folder that machines share."""
    return f"{target}.jit"
