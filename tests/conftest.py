"""What every test may ask for: the data sets of `DBRT_DATA`, and the same random input each run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# derandomize: a failure is found again by the next run, here and elsewhere; no deadline: the first
# call of a kernel compiles it.
settings.register_profile(
    "dbrt",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dbrt")


@pytest.fixture(autouse=True, scope="session")
def ctrl_c() -> None:
    """Let SIGINT arrive also where a shell runs the suite in its background, and ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def dbrt_data() -> Path:
    """Return the folder with the data sets, or skip and say what is missing."""
    folder = os.environ.get("DBRT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("DBRT_DATA is not set to a folder with the data sets")
    return Path(folder)
