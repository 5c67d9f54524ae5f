"""StatusLine: what the run is doing, on stderr, while it does it."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.source import Source
from dbrt.stream.telemetry import Telemetry
from dbrt.wording import counted

PLAIN_EVERY_S = 10.0


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` shows a line that is written over; rich takes FORCE_COLOR for one."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class StatusLine:
    """One line that changes on a terminal, one line every ten seconds elsewhere.

    `report` may be called from any thread, the rest from the main thread.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._due_s = clock.now() + PLAIN_EVERY_S
        self._live = None
        if is_terminal(self._stream):
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()

    def report(self, line: str) -> None:
        """Write a line that stays."""
        if self._live is None:
            print(f"dbrt: {line}", file=self._stream, flush=True)
        else:
            self._live.console.print(f"dbrt: {line}", markup=False, soft_wrap=True)

    def tick(self, source: Source, telemetry: Telemetry) -> None:
        """Show the figures of this moment, as often as that is due."""
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(describe(source, telemetry), no_wrap=True), refresh=True)
        elif self._clock.now() >= self._due_s:
            self._due_s = self._clock.now() + PLAIN_EVERY_S
            self.report(describe(source, telemetry))

    def close(self) -> None:
        """Take the changing line away."""
        if self._live is not None:
            self._live.stop()


def describe(source: Source, telemetry: Telemetry) -> str:
    """Return state, frames, rate, latency, drops and reconnections in one line."""
    now = telemetry.snapshot()
    state = source.status.stats()
    if now.captured and not now.processed:
        return f"{state.state.value}, getting the engine ready"
    parts = [
        state.state.value,
        counted(now.processed, "frame"),
        f"{telemetry.recent_rate():.1f} fps",
        counted(now.regions, "region"),
    ]
    if "latency" in now.stages:
        parts.append(f"latency {now.stages['latency'].p50_ms:.0f} ms")
    if now.captured and now.dropped + now.stale:
        parts.append(f"dropped {now.dropped + now.stale}")
    if state.reconnects:
        parts.append(f"reconnects {state.reconnects}")
    return "  ".join(parts)
