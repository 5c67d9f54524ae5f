"""The states of a source, and the changes between them that are allowed.

::

    connecting ──> streaming <──> stalled
        │            │   ^           │
        │            v   │           │
        │        reconnecting <──────┘
        │            │
        └────────────┴──> ended | failed      (from every state but these two)

A file goes connecting, streaming, ended. Only live sources stall and reconnect. `connecting` may
turn into `reconnecting` when the first attempt fails for a reason that can heal.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum


class SourceState(Enum):
    """What a source does at the moment."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    FAILED = "failed"


_OVER = frozenset({SourceState.ENDED, SourceState.FAILED})

TRANSITIONS: dict[SourceState, frozenset[SourceState]] = {
    SourceState.CONNECTING: frozenset({SourceState.STREAMING, SourceState.RECONNECTING}) | _OVER,
    SourceState.STREAMING: frozenset({SourceState.STALLED, SourceState.RECONNECTING}) | _OVER,
    SourceState.STALLED: frozenset({SourceState.STREAMING, SourceState.RECONNECTING}) | _OVER,
    SourceState.RECONNECTING: frozenset({SourceState.STREAMING}) | _OVER,
    SourceState.ENDED: frozenset(),
    SourceState.FAILED: frozenset(),
}

STALL_AFTER_S = 1.0
"""Without a frame for this long a live source counts as stalled: a person notices a second."""


@dataclass(frozen=True)
class SourceStats:
    """A source at one moment."""

    state: SourceState
    reason: str
    frames: int
    reconnects: int
    bad_packets: int
    damaged_frames: int


class SourceStatus:
    """State and counters of one source.

    The source's thread writes, the main thread reads and calls `check_stall`; the lock covers
    every field.

    can_stall  whether a second without a frame means something: not for a file, whose reader waits
               until there is room
    """

    def __init__(self, *, can_stall: bool = False) -> None:
        self._can_stall = can_stall
        self._lock = threading.Lock()
        self._state = SourceState.CONNECTING
        self._reason = ""
        self._frames = 0
        self._reconnects = 0
        self._bad_packets = 0
        self._damaged_frames = 0
        self._last_frame_s: float | None = None

    @property
    def state(self) -> SourceState:
        """The state now."""
        with self._lock:
            return self._state

    def change(self, state: SourceState, reason: str = "") -> None:
        """Go to `state`; raises ValueError where the table does not allow it."""
        with self._lock:
            self._change(state, reason)

    def _change(self, state: SourceState, reason: str) -> None:
        if state is not self._state and state not in TRANSITIONS[self._state]:
            raise ValueError(f"a source that is {self._state.value} cannot be {state.value}")
        if state is SourceState.RECONNECTING and self._state is not state and self._frames:
            self._reconnects += 1
        self._state = state
        self._reason = reason

    def finish(self) -> None:
        """Count as ended, unless it has ended or failed already."""
        with self._lock:
            if self._state not in _OVER:
                self._change(SourceState.ENDED, "")

    def count_frame(self, now_s: float, *, damaged: bool = False) -> None:
        """Note that a frame has come at `now_s`; the source streams."""
        with self._lock:
            self._frames += 1
            self._damaged_frames += damaged
            self._last_frame_s = now_s
            self._change(SourceState.STREAMING, "")

    def count_bad_packet(self) -> None:
        """Note that a packet, or a picture of a folder, could not be decoded."""
        with self._lock:
            self._bad_packets += 1

    def check_stall(self, now_s: float) -> None:
        """Call a live source stalled that streams and has sent nothing for STALL_AFTER_S."""
        with self._lock:
            if not self._can_stall:
                return
            if self._state is SourceState.STREAMING and self._last_frame_s is not None:
                silence_s = now_s - self._last_frame_s
                if silence_s > STALL_AFTER_S:
                    self._change(SourceState.STALLED, f"no frame for {silence_s:.1f} s")

    def stats(self) -> SourceStats:
        """Return state and counters of one moment."""
        with self._lock:
            return SourceStats(
                self._state,
                self._reason,
                self._frames,
                self._reconnects,
                self._bad_packets,
                self._damaged_frames,
            )
