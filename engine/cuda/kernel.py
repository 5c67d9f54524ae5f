"""The letterbox kernel: compiled by NVRTC for the card that is there, and launched."""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

from dbrt.engine.cuda.device import Device, Kernel, Stream
from dbrt.engine.cuda.geometry import letterbox_record
from dbrt.errors import RunnerError

INSTALL = "pip install cuda-bindings nvidia-cuda-nvrtc"
NAME = "letterbox"

# Threads of a block, along x and y: a warp lies along a row, so its reads and writes lie together.
BLOCK = (32, 8)


class LetterboxKernel:
    """Letterboxes frames that lie on a device into a canvas there."""

    def __init__(self, device: Device) -> None:
        """Compile and load it; the device must be current.

        Raises RunnerError where NVRTC is missing or refuses.
        """
        self._kernel: Kernel = device.load_kernel(compile_kernel(device.target), NAME)

    def enqueue(
        self,
        frame: int,
        frame_size: tuple[int, int],
        pitch: int,
        canvas: int,
        shape: tuple[int, int],
        fill: tuple[int, int, int],
        stream: Stream,
    ) -> None:
        """Give the letterboxing of one frame to the stream.

        frame       device address of (h, w, 3) uint8 BGR
        frame_size  (h, w)
        pitch       bytes from one row of the frame to the next, at least 3 w
        canvas      device address of (H, W, 3) uint8 BGR, C-contiguous
        shape       (H, W)
        fill        BGR, 0..255
        """
        record = letterbox_record(frame_size, shape, fill)
        record["frame"], record["canvas"], record["pitch"] = frame, canvas, pitch
        grid = (-(-shape[1] // BLOCK[0]), -(-shape[0] // BLOCK[1]))
        self._kernel.launch(grid, BLOCK, record, stream)

    def free(self) -> None:
        """Unload it; harmless when repeated."""
        self._kernel.free()


@functools.cache
def compile_kernel(target: str) -> bytes:
    """Compile letterbox.cu; needs no GPU, and takes a fifth of a second of a CPU.

    target   "sm_89"
    returns  machine code (cubin) for exactly that compute capability

    Not PTX: a driver older than the compiler takes machine code, but no PTX.

    Raises RunnerError where NVRTC is missing or refuses, with the first line that it says.
    """
    return compile_source(kernel_source(), "letterbox.cu", target)


def compile_source(source: str, name: str, target: str) -> bytes:
    """Compile CUDA C++ that includes nothing, as `compile_kernel` does.

    name  of the source, for what the compiler says
    """
    nvrtc = _load_nvrtc()
    program = _call(nvrtc, nvrtc.nvrtcCreateProgram, source.encode(), name.encode(), 0, [], [])
    try:
        options = [f"--gpu-architecture={target}".encode(), b"--std=c++14"]
        status = nvrtc.nvrtcCompileProgram(program, len(options), options)[0]
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise RunnerError(f"NVRTC can't compile {name} for {target}: {_log(nvrtc, program)}")
        image = bytes(_call(nvrtc, nvrtc.nvrtcGetCUBINSize, program))
        _call(nvrtc, nvrtc.nvrtcGetCUBIN, program, image)
        return image
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def kernel_source() -> str:
    """Return letterbox.cu."""
    return importlib.resources.files("dbrt.engine.cuda").joinpath("letterbox.cu").read_text("utf-8")


def _load_nvrtc() -> Any:
    """Return `cuda.bindings.nvrtc` after finding out that the library behind it is there."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise RunnerError(f"NVRTC can't be loaded ({reason}): {INSTALL}") from None
    return nvrtc


def _log(nvrtc: Any, program: Any) -> str:
    """Return the first line of what the compiler said."""
    text = bytes(_call(nvrtc, nvrtc.nvrtcGetProgramLogSize, program))
    _call(nvrtc, nvrtc.nvrtcGetProgramLog, program, text)
    lines = text.rstrip(b"\0").decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "no reason given"


def _call(nvrtc: Any, function: Any, *arguments: Any) -> Any:
    status, *values = function(*arguments)
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise RunnerError(f"NVRTC failed in {function.__name__}: {status.name}")
    return values[0] if values else None
