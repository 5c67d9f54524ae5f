"""What is installed: dbrt, Python, and the OpenCV packages that stand in each other's place."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata

from dbrt._version import __version__
from dbrt.doctor.finding import Finding, State

PART = "install"

# All four own the folder `cv2`: the one installed last has it, and when one goes, its files go.
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
OURS = OPENCV[0]


def examine_install() -> list[Finding]:
    """Say which dbrt this is, in which Python, and look at OpenCV."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    found = ((dist.metadata["Name"], dist.version) for dist in metadata.distributions())
    return [
        Finding(PART, "dbrt", State.OK, __version__, data={"version": __version__}),
        Finding(PART, "python", State.OK, f"{python}, {system}", data={"python": python}),
        examine_opencv(found),
    ]


def examine_opencv(distributions: Iterable[tuple[str | None, str]]) -> Finding:
    """Say whether one OpenCV is installed, and only one.

    distributions  (name, version) of everything installed
    """
    named = {(name or "").lower().replace("_", "-"): version for name, version in distributions}
    versions = {name: named[name] for name in OPENCV if name in named}
    text = ", ".join(f"{name} {version}" for name, version in versions.items())
    if not versions:
        return Finding(
            PART, "opencv", State.BROKEN, "not installed", f"pip install {OURS}", {"packages": {}}
        )
    data = {"packages": versions}
    if len(versions) == 1:
        return Finding(PART, "opencv", State.OK, text, data=data)
    remedy = f"pip uninstall -y {' '.join(versions)} && pip install {OURS}"
    return Finding(PART, "opencv", State.NOTE, f"{text}: they overwrite each other", remedy, data)
