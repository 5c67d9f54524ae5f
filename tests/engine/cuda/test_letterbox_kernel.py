from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dbrt.engine.cuda.geometry import LETTERBOX, letterbox_record
from dbrt.engine.cuda.kernel import BLOCK, LetterboxKernel, compile_kernel, kernel_source
from dbrt.engine.letterbox import letterbox
from dbrt.errors import RunnerError

Frame = NDArray[np.uint8]
Letterbox = Callable[[Frame, tuple[int, int]], Frame]

FILL = (11, 22, 33)
GUARD = 64  # bytes behind the canvas that must stay as they are
TARGETS = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_120"]


def build(folder: Path, source: str) -> Letterbox:
    """Compile the kernel as C++, one thread after the other."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler is here (Debian: apt-get install g++)")
    (folder / "letterbox.cu").write_text(source)
    library = folder / "letterbox.so"
    shim = Path(__file__).with_name("letterbox_cpu.cpp")
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", str(folder)]
    subprocess.run([compiler, *options, "-o", str(library), str(shim)], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.record_bytes.restype = ctypes.c_ulonglong
    assert loaded.record_bytes() == LETTERBOX.itemsize

    def run(frame: Frame, shape: tuple[int, int]) -> Frame:
        guarded = np.full(shape[0] * shape[1] * 3 + GUARD, 77, np.uint8)
        record = letterbox_record((frame.shape[0], frame.shape[1]), shape, FILL)
        record["frame"], record["canvas"] = frame.ctypes.data, guarded.ctypes.data
        record["pitch"] = frame.strides[0]
        loaded.run(ctypes.c_void_p(record.ctypes.data))
        assert (guarded[-GUARD:] == 77).all()
        return guarded[:-GUARD].reshape(*shape, 3)

    return run


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Letterbox:
    return build(tmp_path_factory.mktemp("kernel"), kernel_source())


def black_and_white(frame_size: tuple[int, int], seed: int = 0, padding: int = 0) -> Frame:
    """The hardest frame: 0 or 255 at random, so that no error of a weight is hidden."""
    height, width = frame_size
    bits = np.random.default_rng(seed).integers(0, 2, (height, width + padding, 3), np.uint8)
    return (bits * np.uint8(255))[:, :width]


def difference(kernel: Letterbox, frame: Frame, shape: tuple[int, int]) -> int:
    expected, _ = letterbox(frame, shape, FILL)
    return int(np.abs(kernel(frame, shape).astype(int) - expected).max())


@pytest.mark.parametrize("shape", [(736, 736), (416, 736), (320, 320), (32, 32), (64, 32)])
@pytest.mark.parametrize(
    "frame_size",
    [
        *[(1, 1), (1, 2), (2, 1), (2, 3), (3, 3), (7, 5), (31, 33)],
        *[(720, 1280), (719, 1279), (1080, 1920), (1919, 1079), (480, 640), (736, 736)],
        *[(1, 7680), (4320, 1), (2, 8000), (3, 2000), (1, 1472), (2, 1472), (1472, 3)],
    ],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_the_kernel_is_within_one_level_of_its_twin(
    kernel: Letterbox, frame_size: tuple[int, int], shape: tuple[int, int]
) -> None:
    assert difference(kernel, black_and_white(frame_size), shape) <= 1


@pytest.mark.parametrize(
    ("frame_size", "shape"), [((4320, 7680), (320, 320)), ((4319, 7681), (32, 32))]
)
def test_8k_frames_too(
    kernel: Letterbox, frame_size: tuple[int, int], shape: tuple[int, int]
) -> None:
    assert difference(kernel, black_and_white(frame_size), shape) <= 1


@settings(max_examples=150)
@given(
    frame_size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    sides=st.tuples(st.integers(1, 10), st.integers(1, 10)),
    padding=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_any_shape_any_pitch(
    kernel: Letterbox,
    frame_size: tuple[int, int],
    sides: tuple[int, int],
    padding: int,
    seed: int,
) -> None:
    frame = black_and_white(frame_size, seed, padding)
    assert difference(kernel, frame, (sides[0] * 32, sides[1] * 32)) <= 1


def test_a_frame_that_fits_is_copied_exactly(kernel: Letterbox) -> None:
    frame = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    np.testing.assert_array_equal(kernel(frame, (64, 96)), frame)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(place + 0.5) * step - 0.5", "(place + 0.5) * step"),
        ("(sum + TWOS) >> 2 & BYTES", "sum >> 2 & BYTES"),
        ("row * p.pitch", "row * p.columns * 3"),
        ("out[c] = p.fill[c];", "out[c] = p.fill[2 - c];"),
    ],
    ids=["half a pixel", "rounding", "pitch", "fill"],
)
def test_a_planted_fault_shows(tmp_path: Path, right: str, wrong: str) -> None:
    source = kernel_source()
    assert right in source
    faulty = build(tmp_path, source.replace(right, wrong))
    frame = black_and_white((2000, 3900), padding=5)
    assert difference(faulty, frame, (96, 96)) > 1


@pytest.mark.parametrize("target", TARGETS)
def test_nvrtc_compiles_it_without_a_gpu(target: str) -> None:
    pytest.importorskip("cuda.bindings.nvrtc", reason="no cuda-bindings is here")
    try:
        image = compile_kernel(target)
    except RunnerError as exc:
        if "can't be loaded" not in str(exc):
            raise
        pytest.skip(str(exc))
    assert image.startswith(b"\x7fELF")
    assert b"letterbox" in image


def test_what_nvrtc_refuses_is_said_in_one_line() -> None:
    pytest.importorskip("cuda.bindings.nvrtc", reason="no cuda-bindings is here")
    with pytest.raises(RunnerError, match=r"^NVRTC can't ") as caught:
        compile_kernel("sm_10")
    assert "\n" not in str(caught.value)


class _Recorder:
    """A device that keeps what it is asked to launch."""

    target = "sm_89"

    def __init__(self) -> None:
        self.launched: list[tuple[Any, ...]] = []

    def load_kernel(self, image: bytes, name: str) -> _Recorder:
        assert (image, name) == (b"image", "letterbox")
        return self

    def launch(self, *arguments: Any) -> None:
        self.launched.append(arguments)


def test_the_grid_covers_the_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbrt.engine.cuda.kernel.compile_kernel", lambda target: b"image")
    device = _Recorder()
    kernel = LetterboxKernel(device)  # type: ignore[arg-type]
    kernel.enqueue(1000, (50, 70), 216, 9000, (416, 736), FILL, "stream")  # type: ignore[arg-type]
    ((grid, block, record, stream),) = device.launched
    assert (block, stream) == (BLOCK, "stream")
    assert grid[0] * block[0] >= 736 > (grid[0] - 1) * block[0]
    assert grid[1] * block[1] >= 416 > (grid[1] - 1) * block[1]
    assert [int(record[name]) for name in ("frame", "canvas", "pitch")] == [1000, 9000, 216]
    assert record["fill"].tolist() == [*FILL, 0]
