"""Which of the network's options are on: what a configuration chooses and a model file states."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from dbrt.errors import InputError, UsageError

NECKS = ("fpn", "aspp")
FUSIONS = ("concat", "adaptive")
# How the layers are named that a plain network lacks.
_PREFIXES = ("aspp_", "scale_")
_SUFFIX = "_offset"


@dataclass(frozen=True)
class NetworkOptions:
    """The parts of a network beside its backbone; the defaults are the published DB network.

    neck        "fpn", or "aspp": atrous pooling beside the lateral of c5 (`dbrt.train.aspp`)
    fusion      "concat", or "adaptive": each level weighted by pixel (`dbrt.train.scale_fusion`)
    deformable  deformable 3x3 convolutions in stages 3 to 5 (`dbrt.train.deformable`)
    """

    neck: str = "fpn"
    fusion: str = "concat"
    deformable: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is none."""
        for key, known in (("neck", NECKS), ("fusion", FUSIONS)):
            value = getattr(self, key)
            if value not in known:
                raise UsageError(f"model.{key} is {value!r}: take one of {', '.join(known)}")

    def to_json(self) -> str:
        """Return what a model file says under `dbrt.network`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> NetworkOptions:
        """Read `dbrt.network`; None is a file of before there were options.

        Raises InputError for anything this version does not know.
        """
        if text is None:
            return cls()
        try:
            values = json.loads(text)
            options = cls(**values)
        except (ValueError, TypeError, UsageError):
            raise InputError(
                f"dbrt.network in the model file is {text[:80]!r}: it needs another dbrt"
            ) from None
        if type(options.deformable) is not bool:
            raise InputError("dbrt.network in the model file is damaged: get it again")
        return options

    def differences(self, other: NetworkOptions) -> str:
        """Return the keys of `other` that differ, as `key=value`, for messages."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return ", ".join(f"{name}={theirs!r}" for name, mine, theirs in pairs if mine != theirs)


def is_optional(layer: str) -> bool:
    """Whether a layer, by its name, belongs to an option and not to every network."""
    return layer.startswith(_PREFIXES) or layer.endswith(_SUFFIX)
