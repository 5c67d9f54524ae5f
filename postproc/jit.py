"""How the kernels of this package are compiled and where the result is kept.

numba keeps compiled code beside the source, or under the user's cache folder, and trusts it as
long as the file that defines the function is unchanged. It does not look at the other files whose
functions that code calls. `compiled` therefore stamps each kernel with a digest of every Python
file in its folder.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


class KernelCacheWarning(UserWarning):
    """Compiled kernels can't be kept: each process compiles them again, which takes seconds."""


def compiled(function: F) -> F:
    """Compile a kernel at its first call, without the GIL; keep the code on disk where possible.

    Where no folder can be written the kernel still works; one KernelCacheWarning says so.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        kernel = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        _warn_once()
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    _stamp(kernel, folder_digest(Path(function.__code__.co_filename).parent))
    _forgive(kernel)
    return kernel  # type: ignore[no-any-return]


@cache
def folder_digest(folder: Path) -> str:
    """The SHA-256 of the names and contents of the Python files in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamp(kernel: Any, digest: str) -> None:
    """Make numba's cache of `kernel` valid for these sources only.

    Works round numba's per-file stamp (seen in 0.61 to 0.68: a caller keeps the old code of a
    callee that lies in another file). The attribute is numba's own; where it is gone, the kernel
    is not cached at all, because slow is better than stale.
    """
    index: Any = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if hasattr(index, "_source_stamp"):
        index._source_stamp = digest
    elif hasattr(kernel, "_cache"):
        kernel._cache.disable()


def _forgive(kernel: Any) -> None:
    """Let a kernel be used although its code can't be written, as on a full disk."""
    save = getattr(getattr(kernel, "_cache", None), "save_overload", None)
    if save is None:
        return

    def save_or_warn(*args: Any) -> None:
        try:
            save(*args)
        except OSError:
            _warn_once()

    kernel._cache.save_overload = save_or_warn


@cache
def _warn_once() -> None:
    place = os.environ.get("NUMBA_CACHE_DIR") or str(Path(__file__).parent)
    warnings.warn(
        f"compiled kernels can't be kept in {place} or in the home folder: every start "
        "compiles them again; set NUMBA_CACHE_DIR to a folder that can be written",
        KernelCacheWarning,
        stacklevel=3,
    )
