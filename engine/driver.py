"""The NVIDIA driver of this machine and its cards, asked without any CUDA package.

The driver's own library is called through ctypes: nothing has to be installed to learn that there
is no driver, or which card an engine would be for.
"""

from __future__ import annotations

import ctypes
import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbrt.errors import RunnerError

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
VERSION_FILE = Path("/proc/driver/nvidia/version")

NO_DRIVER = "there is no NVIDIA driver"
INSTALL = "install the NVIDIA driver (https://www.nvidia.com/drivers); in a container: --gpus all"

# CUresult and CUdevice_attribute of the driver's cuda.h.
_REASONS = {
    35: "it is older than this CUDA",
    100: "it finds no card",
    101: "it finds no such card",
    802: "the system is not ready yet",
    803: "its library and its kernel module have different versions",
    804: "it does not support this card in this mode",
    999: "it does not say why; try a restart",
}
_MAJOR, _MINOR = 75, 76
_NAME_BYTES = 256


@dataclass(frozen=True)
class Card:
    """One GPU.

    capability  compute capability, (8, 9) for an RTX 4090
    memory      bytes
    """

    index: int
    name: str
    capability: tuple[int, int]
    memory: int

    @property
    def target(self) -> str:
        """The architecture's name: "sm_89"."""
        return "sm_{}{}".format(*self.capability)


@dataclass(frozen=True)
class Driver:
    """A driver that answers.

    version  of the kernel module, "580.65.06"; None where the system does not say
    cuda     the newest CUDA it runs, "13.0"
    cards    at least one, in the driver's order
    """

    version: str | None
    cuda: str
    cards: tuple[Card, ...]


@functools.cache
def find_driver() -> Driver:
    """Return the driver and its cards; asked once in a process.

    Raises RunnerError where there is no driver, it does not start, or it has no card.
    """
    return ask_driver(ctypes.CDLL, VERSION_FILE)


def ask_driver(load: Callable[[str], Any], version_file: Path) -> Driver:
    """Load the driver's library with `load` and ask it for its cards.

    Raises RunnerError as `find_driver` does.
    """
    try:
        library = load(LIBRARY)
    except OSError:
        raise RunnerError(f"{NO_DRIVER} ({LIBRARY}): {INSTALL}") from None
    _call(library, "cuInit", 0)
    number, count = ctypes.c_int(), ctypes.c_int()
    _call(library, "cuDriverGetVersion", ctypes.byref(number))
    _call(library, "cuDeviceGetCount", ctypes.byref(count))
    if not count.value:
        raise RunnerError(f"the NVIDIA driver finds no card: {INSTALL}")
    return Driver(
        version=_module_version(version_file),
        cuda=f"{number.value // 1000}.{number.value % 1000 // 10}",
        cards=tuple(_card(library, index) for index in range(count.value)),
    )


def _card(library: Any, index: int) -> Card:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    memory = ctypes.c_size_t()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call(library, "cuDeviceGet", ctypes.byref(device), index)
    _call(library, "cuDeviceGetName", name, _NAME_BYTES, device)
    _call(library, "cuDeviceGetAttribute", ctypes.byref(major), _MAJOR, device)
    _call(library, "cuDeviceGetAttribute", ctypes.byref(minor), _MINOR, device)
    _call(library, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    return Card(index, name.value.decode(), (major.value, minor.value), memory.value)


def _call(library: Any, function: str, *arguments: Any) -> None:
    code = getattr(library, function)(*arguments)
    if code:
        reason = _REASONS.get(code, f"error {code}")
        raise RunnerError(f"the NVIDIA driver does not start, {reason}: {INSTALL}")


def _module_version(path: Path) -> str | None:
    try:
        found = re.search(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", path.read_text("utf-8"))
    except OSError:
        return None
    return found[1] if found else None
