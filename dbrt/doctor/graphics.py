"""The NVIDIA driver and its cards, and the packages that dbrt reaches them by."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

from dbrt.doctor.finding import Finding, State
from dbrt.engine.driver import Driver, find_driver
from dbrt.errors import RunnerError

PART = "gpu"

# Either serves; the bindings are wheels, PyCUDA is compiled when it is installed.
PACKAGES = ("cuda-bindings", "pycuda")
INSTALL = "pip install cuda-bindings"


def examine_graphics(find: Callable[[], Driver] = find_driver) -> list[Finding]:
    """Ask the driver."""
    try:
        driver = find()
    except RunnerError as exc:
        text, _, remedy = str(exc).partition(": ")
        state = State.MISSING if "there is no" in text else State.BROKEN
        return [Finding(PART, "driver", state, text, remedy)]
    version = driver.version or "of unknown version"
    found = [
        Finding(
            PART,
            "driver",
            State.OK,
            f"{version}, CUDA up to {driver.cuda}",
            data={"version": driver.version, "cuda": driver.cuda},
        )
    ]
    for card in driver.cards:
        major, minor = card.capability
        found.append(
            Finding(
                PART,
                f"card {card.index}",
                State.OK,
                f"{card.name}, {card.memory / 2**30:.0f} GiB, compute capability {major}.{minor}",
                data={
                    "name": card.name,
                    "memory_bytes": card.memory,
                    "compute_capability": f"{major}.{minor}",
                    "target": card.target,
                },
            )
        )
    return [*found, examine_cuda_packages()]


def examine_cuda_packages(version: Callable[[str], str] = metadata.version) -> Finding:
    """Say which of the packages that copy frames to the card is installed."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except metadata.PackageNotFoundError:
            continue
    if not versions:
        text = f"neither {' nor '.join(PACKAGES)} is installed: no frame gets onto the card"
        return Finding(PART, "cuda packages", State.MISSING, text, INSTALL)
    text = ", ".join(f"{name} {found}" for name, found in versions.items())
    return Finding(PART, "cuda packages", State.OK, text, data=versions)
