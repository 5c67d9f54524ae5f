"""What needs an NVIDIA GPU. Everywhere else these tests skip and name the missing driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbrt.engine.cuda.device import Device, open_device
from dbrt.engine.driver import find_driver
from dbrt.errors import RunnerError

BACKENDS = {"pycuda": "pycuda", "cuda-bindings": "cuda"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    for item in items:
        if item.path.parent.name == "gpu":
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def driver() -> None:
    """Skip where there is no driver or no card."""
    try:
        find_driver()
    except RunnerError as exc:
        pytest.skip(str(exc))


@pytest.fixture(params=list(BACKENDS))
def device(request: pytest.FixtureRequest, driver: None) -> Iterator[Device]:
    """Open the first card with each library that is here, current on this thread."""
    pytest.importorskip(BACKENDS[request.param], reason=f"no {request.param} is here")
    with open_device(0, request.param) as opened, opened.current():
        yield opened
