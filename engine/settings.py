"""Settings of a model as text, and what each text must be.

Each parser takes the text and returns its value, or raises ValueError.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from dbrt.errors import InputError

# The name becomes part of a file name in the cache, so it may not climb out of the folder.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Triple = tuple[float, float, float]
T = TypeVar("T")


class Settings:
    """Texts with a parser for each key; a bad value names the key and where it stands.

    where   "model file a.onnx", for messages
    remedy  what to do about a bad or missing value
    """

    def __init__(self, values: Mapping[str, str], where: str, remedy: str) -> None:
        self._values = values
        self._where = where
        self._remedy = remedy

    def get(self, key: str, parse: Callable[[str], T], default: str | None = None) -> T:
        """Return the value of `key`, or of `default` where it is missing.

        Raises InputError for a bad value, and for a missing one without a default.
        """
        text = self._values.get(key, default)
        if text is None:
            raise InputError(f"{self._where} lacks {key}: {self._remedy}")
        try:
            return parse(text)
        except (ValueError, TypeError, OverflowError):
            raise InputError(
                f"{self._where} has a bad {key} ({text[:40]!r}): {self._remedy}"
            ) from None


def name(text: str) -> str:
    """A name that is safe in a file name of the cache."""
    if not NAME.fullmatch(text):
        raise ValueError(text)
    return text


def unit(text: str) -> str:
    """What one region is: "word" or "line"."""
    if text not in ("word", "line"):
        raise ValueError(text)
    return text


def score(text: str) -> Literal["box", "region"]:
    """What a score is the mean over: "box" or "region"."""
    if text not in ("box", "region"):
        raise ValueError(text)
    return "region" if text == "region" else "box"


def triple(text: str) -> Triple:
    """Three numbers, as JSON or separated by commas or blanks."""
    values = [float(part) for part in re.split(r"[\s,]+", text.strip(" []()"))]
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ValueError(text)
    return values[0], values[1], values[2]


def positive_triple(text: str) -> Triple:
    """Three numbers above 0."""
    values = triple(text)
    if min(values) <= 0:
        raise ValueError(text)
    return values


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def ratio(text: str) -> float:
    """A number from 0 to 10."""
    value = float(text)
    if not 0 <= value <= 10:
        raise ValueError(text)
    return value


def card(text: str) -> dict[str, Any]:
    """A JSON object."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value
