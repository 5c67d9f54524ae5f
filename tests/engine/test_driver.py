from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from dbrt.engine.driver import LIBRARY, Card, ask_driver, find_driver
from dbrt.errors import RunnerError

VERSION = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
    "GCC version:  gcc version 12.2.0\n"
)


class FakeDriver:
    """The driver's library with two cards; `fails` maps a function to the code it returns."""

    def __init__(self, cards: int = 2, **fails: int) -> None:
        self.count = cards
        self.fails = fails

    def __getattr__(self, function: str) -> Any:
        def call(*arguments: Any) -> int:
            if self.fails.get(function):
                return self.fails[function]
            answer = vars(FakeDriver).get(f"_{function}")
            if answer is not None:
                answer(self, *arguments)
            return 0

        return call

    def _cuDriverGetVersion(self, number: Any) -> None:
        number._obj.value = 13010

    def _cuDeviceGetCount(self, count: Any) -> None:
        count._obj.value = self.count

    def _cuDeviceGet(self, device: Any, index: int) -> None:
        device._obj.value = 7 + index

    def _cuDeviceGetName(self, name: Any, size: int, device: ctypes.c_int) -> None:
        name.value = f"NVIDIA Card {device.value}".encode()

    def _cuDeviceGetAttribute(self, value: Any, attribute: int, device: ctypes.c_int) -> None:
        value._obj.value = {75: 8, 76: device.value}[attribute]

    def _cuDeviceTotalMem_v2(self, memory: Any, device: ctypes.c_int) -> None:
        memory._obj.value = 24 << 30


def test_the_cards_are_named_with_capability_and_memory(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text(VERSION)
    loaded: list[str] = []

    def load(name: str) -> FakeDriver:
        loaded.append(name)
        return FakeDriver()

    driver = ask_driver(load, version)
    assert loaded == [LIBRARY]
    assert (driver.version, driver.cuda) == ("580.65.06", "13.1")
    assert driver.cards == (
        Card(0, "NVIDIA Card 7", (8, 7), 24 << 30),
        Card(1, "NVIDIA Card 8", (8, 8), 24 << 30),
    )
    assert driver.cards[1].target == "sm_88"


def test_a_system_that_hides_the_modules_version_has_none(tmp_path: Path) -> None:
    assert ask_driver(lambda _: FakeDriver(), tmp_path / "none").version is None


def test_without_the_library_there_is_no_driver() -> None:
    def load(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(RunnerError, match=r"there is no NVIDIA driver \(.*\): install"):
        ask_driver(load, Path("none"))


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        (FakeDriver(cuInit=803), "kernel module have different versions"),
        (FakeDriver(cuInit=100), "finds no card"),
        (FakeDriver(cuInit=12345), "error 12345"),
        (FakeDriver(cuDeviceGetName=999), "try a restart"),
        (FakeDriver(cards=0), "finds no card"),
    ],
    ids=["mismatch", "no card", "unknown code", "later call", "no card, no error"],
)
def test_a_driver_that_does_not_start_says_why(driver: FakeDriver, message: str) -> None:
    with pytest.raises(RunnerError, match=message) as caught:
        ask_driver(lambda _: driver, Path("none"))
    assert "\n" not in str(caught.value)


@pytest.mark.gpu
def test_the_driver_of_this_machine_names_its_cards() -> None:
    try:
        driver = find_driver()
    except RunnerError as exc:
        pytest.skip(str(exc))
    assert [card.index for card in driver.cards] == list(range(len(driver.cards)))
    assert all(card.name and card.memory > 1 << 30 for card in driver.cards)
