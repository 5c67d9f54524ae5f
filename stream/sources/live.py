"""LiveSource: a source that is opened again when it is lost."""

from __future__ import annotations

import random
import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from dbrt.errors import SourceError
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.source import Frame, Report, Source, SourceFrame, no_report
from dbrt.stream.sources.state import SourceState, SourceStatus

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 5.0
"""The pause before a new attempt doubles from the first to the longest. The cap is low because
whoever waits longer than the outage loses picture: with doubling to 4 s, an outage of 4 s cost
another 3.4 s."""

JITTER = 0.2
"""Share by which each pause varies, so that many cameras do not come back in step."""

CONNECT_LIMIT_S = 10.0
"""How long the first connection is tried before the source counts as failed."""


class ConnectionLost(Exception):
    """A session with a live source has ended; the text is the reason, without credentials.

    is_permanent  trying again cannot help (wrong password, no such stream, unknown host)
    """

    def __init__(self, reason: str, *, is_permanent: bool = False) -> None:
        super().__init__(reason)
        self.is_permanent = is_permanent


@dataclass(frozen=True)
class SessionFrame:
    """What a session yields: (H, W, 3) uint8 BGR, milliseconds of decoding, and its condition."""

    frame: Frame
    capture_ms: float
    is_damaged: bool = False


class Backoff:
    """Pauses that double from FIRST_DELAY_S to LONGEST_DELAY_S, with jitter."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._delay_s = FIRST_DELAY_S

    def next_s(self) -> float:
        """Return the pause before the next attempt."""
        delay_s = self._delay_s * self._rng.uniform(1 - JITTER, 1 + JITTER)
        self._delay_s = min(self._delay_s * 2, LONGEST_DELAY_S)
        return delay_s

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._delay_s = FIRST_DELAY_S


class LiveSource(Source):
    """Frames of a camera or a network stream, over as many sessions as it takes.

    The first connection is tried for CONNECT_LIMIT_S; once a frame has come, a lost connection
    is opened again until `max_outage_s` has passed without a frame (None: for ever).
    """

    def __init__(
        self,
        name: str,
        *,
        max_outage_s: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        report: Report = no_report,
        seed: int | None = None,
    ) -> None:
        super().__init__(name, clock=clock, report=report)
        self.status = SourceStatus(can_stall=True)
        self.max_outage_s = max_outage_s
        self._backoff = Backoff(random.Random(seed))
        self._count = 0
        self._first_s = 0.0  # when the first frame came, once there is one
        self._last_s = 0.0  # when the last frame came, or the first attempt began

    @abstractmethod
    def session(self, stop: threading.Event) -> Iterator[SessionFrame]:
        """Connect, and yield frames until the connection ends; raises ConnectionLost.

        Returning means that the other side closed the stream as if it were over.
        """

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Yield frames until `stop` is set; raises SourceError where it fails for good."""
        self._last_s = self.clock.now()
        while not stop.is_set():
            reason = f"{self.name} closed the stream"
            try:
                with closing(self.session(stop)) as session:  # type: ignore[type-var]
                    yield from self._number(session, stop)
            except ConnectionLost as exc:
                reason = str(exc)
                self._give_up_if_over(reason, exc.is_permanent)
            else:
                self._give_up_if_over(reason, False)
            if stop.is_set():
                break
            delay_s = self._backoff.next_s()
            self.status.change(SourceState.RECONNECTING, reason)
            self.report(f"{reason}; trying again in {delay_s:.1f} s")
            self.clock.wait(stop, delay_s)
        self.status.change(SourceState.ENDED)

    def _number(
        self, session: Iterator[SessionFrame], stop: threading.Event
    ) -> Iterator[SourceFrame]:
        for item in session:
            if stop.is_set():
                return
            now_s = self.clock.now()
            if self._count == 0:
                self._first_s = now_s
            self._last_s = now_s
            self._backoff.reset()
            self.status.count_frame(now_s, damaged=item.is_damaged)
            yield SourceFrame(
                item.frame,
                self._count,
                now_s - self._first_s,
                now_s,
                item.capture_ms,
                is_live=True,
            )
            self._count += 1

    def _give_up_if_over(self, reason: str, is_permanent: bool) -> None:
        """Raise SourceError where no further attempt is to be made."""
        outage_s = self.clock.now() - self._last_s
        limit_s = self.max_outage_s if self._count else CONNECT_LIMIT_S
        if is_permanent and not self._count:
            text = reason
        elif limit_s is not None and outage_s >= limit_s:
            text = f"{reason}; gave up after {outage_s:.0f} s"
        else:
            return
        self.status.change(SourceState.FAILED, text)
        raise SourceError(text)
