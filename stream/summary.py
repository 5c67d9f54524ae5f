"""StreamSummary: the figures of a finished run, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbrt.stream.sources.state import SourceStats
from dbrt.stream.telemetry import Snapshot
from dbrt.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "dbrt.stream/1"


@dataclass(frozen=True)
class OutputSummary:
    """One output: frames written, and results that a live source was too fast for."""

    path: str
    frames: int
    dropped: int


@dataclass(frozen=True)
class StreamSummary:
    """What a run did.

    source   the name of the source, without credentials
    model    the name of the model
    engine   the last engine used: shape, runner, precision; empty where none was opened
    """

    source: str
    model: str
    engine: str
    seconds: float
    state: SourceStats
    figures: Snapshot
    outputs: tuple[OutputSummary, ...]

    def to_dict(self) -> dict[str, Any]:
        """One JSON object; durations in milliseconds, `rate` in frames a second."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "state": self.state.state.value,
            "reconnects": self.state.reconnects,
            "bad_packets": self.state.bad_packets,
            "damaged_frames": self.state.damaged_frames,
            "model": self.model,
            "engine": self.engine,
            "seconds": round(self.seconds, 3),
            **self.figures.to_dict(),
            "outputs": [dict(vars(output)) for output in self.outputs],
        }

    def lines(self) -> list[str]:
        """Return frames, drops and faults in plain lines."""
        now = self.figures
        found = [
            f"{self.source}: {counted(now.processed, 'frame')}, {counted(now.regions, 'region')}, "
            f"{now.rate:.1f} frames a second",
        ]
        if self.engine:
            found.append(f"{self.model}, {self.engine}")
        lost = {
            "dropped for newer ones": now.dropped,
            "too old": now.stale,
            "bad packets": self.state.bad_packets,
            "damaged frames": self.state.damaged_frames,
            "reconnects": self.state.reconnects,
        }
        faults = [f"{number} {name}" for name, number in lost.items() if number]
        found.append(", ".join(faults) if faults else "no frame dropped")
        for output in self.outputs:
            dropped = f", {output.dropped} dropped" if output.dropped else ""
            frames = counted(output.frames, "frame")
            what = f"{frames}{dropped}" if output.frames else "nothing written"
            found.append(f"{output.path}: {what}")
        return found

    def table(self) -> Table:
        """Return the table of stages: p50, p95, p99 and maximum in milliseconds."""
        from rich.table import Table

        table = Table(title="milliseconds a frame", title_justify="left")
        table.add_column("stage")
        for column in ("p50", "p95", "p99", "max"):
            table.add_column(column, justify="right")
        for name, stage in self.figures.stages.items():
            values = (stage.p50_ms, stage.p95_ms, stage.p99_ms, stage.max_ms)
            table.add_row(name, *(f"{value:.1f}" for value in values))
        return table
