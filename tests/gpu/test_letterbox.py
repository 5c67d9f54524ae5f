"""The letterbox kernel on the card against its twin on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dbrt.engine.cuda.device import Device
from dbrt.engine.cuda.kernel import LetterboxKernel
from dbrt.engine.letterbox import letterbox

Frame = NDArray[np.uint8]
FILL = (11, 22, 33)
GUARD = 256  # bytes behind the canvas that must stay as they are


def on_device(device: Device, padded: Frame, width: int, shape: tuple[int, int]) -> Frame:
    """Letterbox the first `width` columns of `padded`; the rest are the gaps between rows."""
    canvas_bytes = shape[0] * shape[1] * 3
    kernel, stream = LetterboxKernel(device), device.make_stream()
    frame = device.allocate(padded.nbytes)
    canvas = device.allocate(canvas_bytes + GUARD)
    source, back = device.allocate_pinned(padded.nbytes), device.allocate_pinned(canvas.nbytes)
    source.array[:] = padded.reshape(-1)
    back.array[:] = 77
    device.copy_to_device(frame.address, source.array, stream)
    device.copy_to_device(canvas.address, back.array, stream)
    size = (padded.shape[0], width)
    pitch = padded.shape[1] * 3
    kernel.enqueue(frame.address, size, pitch, canvas.address, shape, FILL, stream)
    device.copy_to_host(back.array, canvas.address, stream)
    stream.synchronize()
    found = back.array.copy()
    for each in (source, back, frame, canvas, kernel, stream):
        each.free()
    assert (found[canvas_bytes:] == 77).all()
    return found[:canvas_bytes].reshape(*shape, 3)


@pytest.mark.parametrize("shape", [(736, 736), (416, 736), (32, 32)])
@pytest.mark.parametrize(
    "frame_size",
    [
        *[(1, 1), (1, 2), (2, 1), (7, 5), (719, 1279), (720, 1280), (1080, 1920), (1919, 1079)],
        *[(1, 7680), (4320, 1), (3, 2000), (2, 1472), (1472, 3), (4320, 7680), (4319, 7681)],
    ],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_within_one_level(
    device: Device, frame_size: tuple[int, int], shape: tuple[int, int]
) -> None:
    height, width = frame_size
    padding = (height + width) % 8
    bits = np.random.default_rng(0).integers(0, 2, (height, width + padding, 3), np.uint8)
    padded = bits * np.uint8(255)
    found = on_device(device, padded, width, shape)
    expected, _ = letterbox(padded[:, :width], shape, FILL)
    assert np.abs(found.astype(int) - expected).max() <= 1
