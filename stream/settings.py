"""StreamSettings: what a run of `dbrt stream` is to do, and its configuration file."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbrt.engine.spec import check_shape, check_size
from dbrt.errors import UsageError


@dataclass(frozen=True)
class StreamSettings:
    """The options of `dbrt stream`, with the same names; None means: as the model file says.

    Raises UsageError where a value is out of range.
    """

    source: str
    out: tuple[str, ...] = ()
    overlay: bool = False
    size: int = 736
    shape: tuple[int, int] | None = None
    model: str = "auto"
    declare: tuple[str, ...] = ()
    runner: str = "auto"
    precision: str = "auto"
    min_score: float | None = None
    polygons: bool = False
    realtime: bool = False
    max_staleness_s: float | None = None
    max_frames: int | None = None
    overwrite: bool = False
    insecure: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense before anything is opened."""
        check_size(self.size)
        if self.shape is not None:
            check_shape(self.shape)
        if self.min_score is not None and not 0 <= self.min_score <= 1:  # NaN is refused too
            raise UsageError(f"--min-score is {self.min_score}: give a number from 0 to 1")
        if self.max_staleness_s is not None and not 0 < self.max_staleness_s < math.inf:
            raise UsageError(f"--max-staleness is {self.max_staleness_s}: give seconds above 0")
        if self.max_frames is not None and self.max_frames < 1:
            raise UsageError(f"--max-frames is {self.max_frames}: give a number above 0")


def read_config(path: str | Path, known: Iterable[str]) -> dict[str, Any]:
    """Return the keys and values of a TOML file whose keys are among `known`.

    `max-frames` and `max_frames` are the same key. Raises UsageError for a file that can't be
    read, is no TOML, or has a key that is not known, with the nearest one that is.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"cannot read configuration {path}: {reason.lower()}") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"configuration {path} is no TOML: {exc}") from None
    names = {name.replace("_", "-"): name for name in known}
    values = {}
    for key, value in table.items():
        name = names.get(key.replace("_", "-"))
        if name is None:
            near = difflib.get_close_matches(key.replace("_", "-"), names, 1, cutoff=0.0)
            raise UsageError(f"configuration {path}: unknown key {key!r}, nearest is {near[0]!r}")
        values[name] = value
    return values
