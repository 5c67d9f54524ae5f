from __future__ import annotations

from importlib import metadata

import pytest

from dbrt.doctor.finding import State
from dbrt.doctor.graphics import examine_cuda_packages, examine_graphics
from dbrt.engine.driver import Card, Driver
from dbrt.errors import RunnerError

CARDS = (Card(0, "NVIDIA L4", (8, 9), 24 << 30), Card(1, "NVIDIA T4", (7, 5), 16 << 30))


def test_each_card_is_named() -> None:
    found = examine_graphics(lambda: Driver("580.65.06", "13.0", CARDS))
    assert [f.name for f in found] == ["driver", "card 0", "card 1", "cuda packages"]
    assert found[0].text == "580.65.06, CUDA up to 13.0"
    assert found[2].text == "NVIDIA T4, 16 GiB, compute capability 7.5"
    assert found[2].data["target"] == "sm_75"


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("there is no NVIDIA driver (libcuda.so.1): install it", State.MISSING),
        ("the NVIDIA driver does not start, error 803: install it", State.BROKEN),
    ],
    ids=["missing", "broken"],
)
def test_a_driver_that_is_not_there_is_told_from_one_that_fails(message: str, state: State) -> None:
    def find() -> Driver:
        raise RunnerError(message)

    (found,) = examine_graphics(find)
    assert (found.state, found.remedy) == (state, "install it")
    assert found.text == message.removesuffix(": install it")


@pytest.mark.parametrize(
    ("installed", "state"),
    [({"pycuda": "2026.1"}, State.OK), ({}, State.MISSING)],
    ids=["one", "none"],
)
def test_a_card_without_the_packages_says_what_to_install(
    installed: dict[str, str], state: State
) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    found = examine_cuda_packages(version)
    assert found.state is state
    assert bool(found.remedy) == (state is State.MISSING)
    assert dict(found.data) == installed
