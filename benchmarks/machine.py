"""Provenance: the machine, the software and the circumstances that a figure belongs to."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import dbrt

# What decides which kernels a runner takes; of the many flags a CPU has, these are shown.
FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "bf16", "i8mm", "sve"),
)

# An idle machine shows less than this; above it the figures are those of a shared machine.
BUSY_LOAD = 0.5

LIBRARIES = ("openvino", "onnxruntime", "numpy", "numba", "onnx", "av")

Load = tuple[float, float, float]


@dataclass(frozen=True)
class Machine:
    """What does not change while a benchmark runs.

    cores       that this process may use
    cpu_flags   of `FLAGS`, those the CPU has; empty where the system does not say
    memory_gib  None where the system does not say
    versions    by library; "not installed" for one that is not
    commit      of the checkout that dbrt runs from, "+" where files differ; None outside one
    """

    cpu: str
    cores: int
    cpu_flags: tuple[str, ...]
    memory_gib: float | None
    os: str
    python: str
    versions: Mapping[str, str]
    commit: str | None


def describe_machine() -> Machine:
    """Ask the system; takes some milliseconds, and runs git where dbrt is a checkout."""
    facts = _cpu_facts()
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return Machine(
        cpu=facts.get("model name") or _cpu_name(),
        cores=usable_cores(),
        cpu_flags=tuple(flag for flag in FLAGS if flag in flags),
        memory_gib=_memory_gib(),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=_versions(),
        commit=_commit(Path(dbrt.__file__).resolve().parent.parent),
    )


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> Load | None:
    """Return the load of the last 1, 5 and 15 minutes; None on Windows, which keeps none."""
    return os.getloadavg() if hasattr(os, "getloadavg") else None


def now() -> str:
    """Return date and time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cpu_facts() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty outside Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cpu_name() -> str:
    if platform.system() == "Darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
        if name:
            return name
    return platform.processor() or platform.machine() or "unknown"


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _versions() -> dict[str, str]:
    import cv2

    found = {"dbrt": dbrt.__version__, "opencv": cv2.__version__}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _commit(root: Path) -> str | None:
    """The commit of `root` where it is the top of a checkout.

    An environment inside somebody else's checkout must not report that one's commit.
    """
    top = _output("git", "-C", str(root), "rev-parse", "--show-toplevel")
    if not top or not Path(top).exists() or not Path(top).samefile(root):
        return None
    commit = _output("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changed = _output(
        *("git", "--no-optional-locks", "-C", str(root)),
        *("status", "--porcelain", "--untracked-files=no"),
    )
    return f"{commit}+" if commit and changed else commit or None


def _output(program: str, *args: str) -> str:
    """What a program prints, or nothing where it is missing or fails."""
    found = shutil.which(program)
    if found is None:
        return ""
    try:
        done = subprocess.run(
            [found, *args], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
