"""BenchReport: what a run of `dbrt bench` measured, and what the figures belong to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dbrt.benchmarks.machine import Load, Machine
from dbrt.benchmarks.published import Published
from dbrt.benchmarks.spread import Spread


@dataclass(frozen=True)
class BenchRow:
    """One network at one size.

    size       the input is square, size x size
    weights    the model's name, or that they are random
    fps        1000 / the sum of the three medians
    published  of another machine; None where nothing was published
    """

    network: str
    size: int
    weights: str
    runner: str
    precision: str
    letterbox: Spread
    infer: Spread
    post: Spread
    fps: float
    published: Published | None

    def to_dict(self) -> dict[str, Any]:
        """One flat row: plain values, milliseconds, with the names that every format uses."""
        spreads = {"letterbox": self.letterbox, "network": self.infer, "post": self.post}
        stages = {
            f"{stage}_{key}": round(value, 3)
            for stage, spread in spreads.items()
            for key, value in (
                ("ms", spread.median_ms),
                ("p10_ms", spread.p10_ms),
                ("p90_ms", spread.p90_ms),
            )
        }
        return {
            **{key: getattr(self, key) for key in ("network", "size", "weights")},
            **{key: getattr(self, key) for key in ("runner", "precision")},
            **stages,
            "samples": self.infer.samples,
            "fps": round(self.fps, 3),
            "published_network_ms": self.published and self.published.network_ms,
            "published_post_ms": self.published and self.published.post_ms,
        }


@dataclass(frozen=True)
class MapNote:
    """What the post-processing of one size worked on: frames, and the regions of each map."""

    size: int
    model: str
    frame_sizes: tuple[tuple[int, int], ...]
    regions: tuple[int, ...]


@dataclass(frozen=True)
class Provenance:
    """The circumstances of a run; `load_*` are averages of 1, 5 and 15 minutes.

    rounds        that were run
    rounds_asked  more than that where the time was up
    reasons       one line a runner: why it was taken, and its version
    """

    machine: Machine
    date: str
    rounds: int
    rounds_asked: int
    passes: int
    threads: str
    reasons: tuple[str, ...]
    load_before: Load | None
    load_after: Load | None


class HasProvenance(Protocol):
    """A report that says what its figures belong to."""

    @property
    def provenance(self) -> Provenance: ...


@dataclass(frozen=True)
class BenchReport:
    """All rows of a run and what they belong to."""

    rows: tuple[BenchRow, ...]
    maps: tuple[MapNote, ...]
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "maps": [asdict(note) for note in self.maps],
            "provenance": asdict(self.provenance),
        }
