from __future__ import annotations

from typing import NoReturn

import pytest

from dbrt.engine.driver import Card, Driver
from dbrt.engine.tensorrt import targets
from dbrt.engine.tensorrt.library import load_library
from dbrt.engine.tensorrt.targets import available_targets, choose_targets
from dbrt.errors import RunnerError

pytest.importorskip("tensorrt_rtx")


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> NoReturn:
        raise RunnerError("there is no NVIDIA driver")

    monkeypatch.setattr(targets, "find_driver", refuse)


def put_card(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
    card = Card(0, "A card", capability, 1 << 33)
    monkeypatch.setattr(targets, "find_driver", lambda: Driver("580.1", "13.0", (card,)))
    monkeypatch.setattr(targets, "load_library", lambda flavour=None: load_library("tensorrt-rtx"))


def test_the_library_builds_for_turing_to_blackwell() -> None:
    library = load_library("tensorrt-rtx")
    assert available_targets(library)[0] == "sm_75"
    assert {"sm_80", "sm_86", "sm_89", "sm_120"} <= set(available_targets(library))
    assert available_targets(library, "bf16")[0] == "sm_80"


@pytest.mark.usefixtures("no_card")
def test_without_a_card_all_are_targets() -> None:
    library, target, why = choose_targets((), "fp16")
    assert target == "+".join(available_targets(library))
    assert why.startswith("no GPU here, built for sm_75, sm_80")


@pytest.mark.usefixtures("no_card")
def test_targets_that_were_asked_for_are_taken() -> None:
    assert choose_targets(("sm_75", "sm_89"), "fp16")[1] == "sm_75+sm_89"


@pytest.mark.parametrize(
    ("wanted", "precision", "message"),
    [
        (("sm_90",), "fp16", "can't build fp16 for sm_90: take --target sm75,sm80"),
        (("sm_75", "sm_80"), "bf16", "can't build bf16 for sm_75: take --target sm80,sm86"),
    ],
)
def test_what_cannot_be_built_for_is_named(
    wanted: tuple[str, ...], precision: str, message: str
) -> None:
    with pytest.raises(RunnerError, match=message):
        choose_targets(wanted, precision)


def test_a_card_that_is_here_is_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    put_card(monkeypatch, (8, 9))
    assert choose_targets((), "fp16")[1:] == ("sm_89", "built for A card (sm_89)")


def test_a_card_that_rtx_has_no_engines_for_needs_tensorrt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_card(monkeypatch, (9, 0))
    with pytest.raises(RunnerError, match=r"no fp16 engines for A card \(sm_90\): install tensor"):
        choose_targets((), "fp16")


@pytest.mark.usefixtures("no_card")
def test_without_a_card_tensorrt_proper_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(flavour: str | None = None) -> NoReturn:
        raise RunnerError(f"no {flavour} is installed: pip install it")

    monkeypatch.setattr(targets, "load_library", refuse)
    with pytest.raises(RunnerError, match="without a GPU only tensorrt-rtx builds engines: no ten"):
        choose_targets((), "fp16")
