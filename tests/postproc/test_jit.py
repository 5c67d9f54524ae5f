"""The cache of compiled kernels: never stale, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest

from dbrt.postproc import jit

CALLEE = """
from dbrt.postproc.jit import compiled

@compiled
def inner(x):
    return x + {}
"""
CALLER = """
from callee import inner
from dbrt.postproc.jit import compiled

@compiled
def outer(x):
    return 2 * inner(x)

print(outer(5), sum(outer.stats.cache_hits.values()))
"""


def run(folder):
    """Run the caller in a process of its own: what `outer(5)` gave, and its cache hits."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    command = [sys.executable, "caller.py"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
def test_an_edit_in_a_called_kernels_file_recompiles_its_callers(tmp_path):
    (tmp_path / "callee.py").write_text(CALLEE.format(1))
    (tmp_path / "caller.py").write_text(CALLER)
    assert run(tmp_path) == [12, 0]
    assert run(tmp_path) == [12, 1]
    (tmp_path / "callee.py").write_text(CALLEE.format(100))
    assert run(tmp_path) == [210, 0]


@pytest.fixture
def homeless():
    """Two functions without a file, which numba can't cache, as it can't in a read-only install."""
    space = {}
    exec("def one(x):\n    return x + 1\n\ndef two(x):\n    return x + 2", space)
    jit._warn_once.cache_clear()
    yield space["one"], space["two"]
    jit._warn_once.cache_clear()


def test_without_a_place_for_the_cache_kernels_work_and_one_warning_is_given(homeless):
    one, two = homeless
    with pytest.warns(jit.KernelCacheWarning, match="set NUMBA_CACHE_DIR"):
        kernel = jit.compiled(one)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (kernel(1), jit.compiled(two)(1)) == (2, 3)


def test_a_cache_that_can_not_be_written_is_a_warning(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    jit._warn_once.cache_clear()
    kernel = jit.compiled(_triple)
    with pytest.warns(jit.KernelCacheWarning):
        assert kernel(2) == 6


def _triple(x):
    return 3 * x
