"""Targets: the cards that an engine is built for, by compute capability.

TensorRT-RTX builds for cards that are not here, for several in one engine: "sm_75+sm_89". TensorRT
builds for the card that it runs on.
"""

from __future__ import annotations

from dbrt.engine.driver import Card, find_driver
from dbrt.engine.spec import TARGET_SEPARATOR
from dbrt.engine.tensorrt.library import TENSORRT, TENSORRT_RTX, Library, load_library
from dbrt.errors import RunnerError


def available_targets(library: Library, precision: str = "fp16") -> tuple[str, ...]:
    """Return what TensorRT-RTX can build for without a card: ("sm_75", "sm_80", ...).

    Turing, sm_75, has no bfloat16.
    """
    names = library.module.ComputeCapability.__members__
    numbers = sorted(int(name[2:]) for name in names if name.startswith("SM"))
    return tuple(f"sm_{number}" for number in numbers if precision != "bf16" or number >= 80)


def choose_targets(wanted: tuple[str, ...], precision: str) -> tuple[Library, str, str]:
    """Return the library that builds for `wanted`, the target in the spec's form, and why.

    wanted   targets that were asked for; none for the card that is here, or all where none is
    returns  (library, "sm_75+sm_89", "no GPU here, built for sm_75, sm_89")

    Raises RunnerError where no library that is here can build for them.
    """
    if wanted:
        library = load_library(TENSORRT_RTX)
        possible = available_targets(library, precision)
        missing = [target for target in wanted if target not in possible]
        if missing:
            raise RunnerError(
                f"{library.title} can't build {precision} for {', '.join(missing)}: "
                f"take --target {','.join(possible).replace('_', '')}, "
                "or build on that card with TensorRT"
            )
        return library, TARGET_SEPARATOR.join(wanted), f"asked to build for {', '.join(wanted)}"
    try:
        card = find_driver().cards[0]
    except RunnerError:
        return _for_all(precision)
    return _for_card(card, precision)


def _for_all(precision: str) -> tuple[Library, str, str]:
    try:
        library = load_library(TENSORRT_RTX)
    except RunnerError as exc:
        # Full TensorRT times its kernels on the card, so without one it builds nothing.
        raise RunnerError(f"without a GPU only tensorrt-rtx builds engines: {exc}") from None
    targets = available_targets(library, precision)
    return library, TARGET_SEPARATOR.join(targets), f"no GPU here, built for {', '.join(targets)}"


def _for_card(card: Card, precision: str) -> tuple[Library, str, str]:
    library = load_library()
    if library.is_rtx and card.target not in available_targets(library, precision):
        raise RunnerError(
            f"{library.title} has no {precision} engines for {card.name} ({card.target}): "
            f"install {TENSORRT} from NVIDIA's index, or take --runner auto"
        )
    return library, card.target, f"built for {card.name} ({card.target})"
