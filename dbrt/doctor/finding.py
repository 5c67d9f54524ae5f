"""Finding: one line of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a component is.

    OK       there, and works as far as could be tried
    NOTE     there, with something to know or to mend
    MISSING  not there; nothing is wrong with that unless it is wanted
    BROKEN   there, and does not work
    """

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What was found out about one component.

    part    which part of the report it belongs to: machine, gpu, runners, video, install, cache
    text    for people, one line
    remedy  the command or the step that mends or installs it; empty where there is none
    data    the same as values, for programs
    """

    part: str
    name: str
    state: State
    text: str
    remedy: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "state": str(self.state), "data": dict(self.data)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """Make a finding of what `to_dict` returned."""
        return cls(**{**values, "state": State(values["state"])})
