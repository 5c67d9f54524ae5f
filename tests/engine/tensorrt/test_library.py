from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbrt.engine.tensorrt import library
from dbrt.engine.tensorrt.library import installed_version, load_library
from dbrt.errors import RunnerError


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Let each test load anew; what it faked must not stay for the others."""
    library._load.cache_clear()
    yield
    library._load.cache_clear()


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)


def test_rtx_is_loaded_where_it_is_installed() -> None:
    trt = pytest.importorskip("tensorrt_rtx")
    loaded = load_library("tensorrt-rtx")
    assert loaded.module is trt
    assert loaded.is_rtx
    assert loaded.version == trt.__version__ == installed_version("tensorrt-rtx")
    assert load_library("tensorrt-rtx") is loaded


def test_what_the_library_logs_as_an_error_is_kept() -> None:
    pytest.importorskip("tensorrt_rtx")
    loaded = load_library("tensorrt-rtx")
    builder = loaded.module.Builder(loaded.logger)
    since = loaded.log.mark()
    empty = builder.build_serialized_network(
        builder.create_network(0), builder.create_builder_config()
    )
    assert empty is None
    assert "at least one output" in loaded.log.first_error(since)
    assert loaded.log.errors(loaded.log.mark()) == []
    assert loaded.log.first_error(loaded.log.mark()) == "no reason given"


@pytest.mark.usefixtures("no_library")
def test_absent_modules_are_told_with_the_line_that_installs_one() -> None:
    with pytest.raises(RunnerError) as told:
        load_library()
    assert str(told.value) == (
        "neither tensorrt nor tensorrt-rtx is installed: pip install 'dbrt[tensorrt-rtx]'"
    )


@pytest.mark.usefixtures("no_library")
def test_an_absent_module_that_was_asked_for_is_named() -> None:
    with pytest.raises(RunnerError, match=r"^no tensorrt is installed: pip install"):
        load_library("tensorrt")


@pytest.mark.parametrize(
    "line",
    [
        "raise ImportError('libnvinfer.so.10: cannot open shared object file')",
        "raise OSError('libnvinfer.so.10: cannot open shared object file')",
        "raise ModuleNotFoundError('libnvinfer.so.10', name='tensorrt_libs')",
    ],
    ids=["import", "loader", "wheel"],
)
def test_a_module_without_libnvinfer_is_told_apart(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(RunnerError, match=r"^tensorrt is installed, but .*libnvinfer\.so\.10.*pip"):
        load_library()


def test_a_broken_tensorrt_leaves_rtx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx")
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    assert load_library().is_rtx
