from __future__ import annotations

import random

import numpy as np
import pytest

from dbrt.errors import SourceError
from dbrt.stream.sources.live import (
    CONNECT_LIMIT_S,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    Backoff,
    ConnectionLost,
    LiveSource,
    SessionFrame,
)
from dbrt.stream.sources.state import SourceState

FRAME = np.zeros((4, 6, 3), np.uint8)


class Script(LiveSource):
    """Each entry of the script is one session: so many frames, then an error or an end."""

    def __init__(self, script, stop, **options):
        super().__init__("camera", seed=1, **options)
        self.script = list(script)
        self.stop = stop
        self.open_sessions = 0
        self.states = []

    def session(self, stop):
        self.states.append(self.status.state)
        self.open_sessions += 1
        try:
            count, error = self.script.pop(0)
            if not self.script:
                self.stop.set()
            for _ in range(count):
                self.clock.time_s += 0.04
                yield SessionFrame(FRAME, 1.0)
            if error is not None:
                raise error
        finally:
            self.open_sessions -= 1


def lost(text="gone", **options):
    return ConnectionLost(text, **options)


def test_a_lost_connection_is_opened_again_and_frames_are_numbered_on(clock, stop):
    lines = []
    script = [(3, lost("no data")), (0, lost("refused")), (2, None), (1, None), (0, None)]
    source = Script(script, stop, clock=clock, report=lines.append)
    items = list(source.frames(stop))
    assert [item.index for item in items] == list(range(6))
    assert all(item.is_live for item in items)
    times = [item.time_s for item in items]
    assert times == sorted(times)
    assert times[0] == 0
    assert source.status.stats().reconnects == 3
    assert source.states[0] is SourceState.CONNECTING
    assert set(source.states[1:]) == {SourceState.RECONNECTING}
    assert source.status.state is SourceState.ENDED
    assert source.open_sessions == 0
    assert [line.split(";")[0] for line in lines] == [
        "no data",
        "refused",
        "camera closed the stream",
        "camera closed the stream",
    ]


def test_pauses_double_to_the_longest_and_begin_again_after_a_frame(clock, stop):
    script = [(1, lost())] + [(0, lost())] * 6 + [(1, lost()), (0, None)]
    list(Script(script, stop, clock=clock).frames(stop))
    expected = [0.5, 1, 2, 4, 5, 5, 5, 0.5]
    assert clock.waits == pytest.approx(expected, rel=0.21)
    assert clock.waits != expected  # jitter


def test_pauses_stay_within_their_bounds():
    backoff = Backoff(random.Random(0))
    pauses = [backoff.next_s() for _ in range(50)]
    assert min(pauses) >= FIRST_DELAY_S * 0.8
    assert max(pauses) <= LONGEST_DELAY_S * 1.2


def test_a_failure_that_can_not_heal_ends_the_first_attempt(clock, stop):
    source = Script([(0, lost("wrong password", is_permanent=True))] * 2, stop, clock=clock)
    with pytest.raises(SourceError, match=r"^wrong password$"):
        list(source.frames(stop))
    assert source.status.state is SourceState.FAILED
    assert clock.waits == []


def test_the_same_failure_after_frames_is_tried_again(clock, stop):
    script = [(1, None), (0, lost("no such stream", is_permanent=True)), (1, None), (0, None)]
    assert len(list(Script(script, stop, clock=clock).frames(stop))) == 2


def test_the_first_connection_is_tried_for_a_while_only(clock, stop):
    source = Script([(0, lost("refused"))] * 99, stop, clock=clock)
    with pytest.raises(SourceError, match=r"refused; gave up after 1\d s"):
        list(source.frames(stop))
    assert sum(clock.waits) >= CONNECT_LIMIT_S - LONGEST_DELAY_S
    assert len(clock.waits) == 5


def test_an_outage_ends_the_source_where_it_has_a_limit(clock, stop):
    source = Script([(4, None)] + [(0, lost("refused"))] * 99, stop, clock=clock, max_outage_s=30)
    got = []

    def take_all():
        for item in source.frames(stop):
            got.append(item)

    with pytest.raises(SourceError, match="gave up after 3"):
        take_all()
    assert len(got) == 4


def test_without_a_limit_an_outage_may_last(clock, stop):
    script = [(1, None)] + [(0, lost("refused"))] * 500 + [(1, None), (0, None)]
    assert len(list(Script(script, stop, clock=clock).frames(stop))) == 2


def test_stopping_ends_between_frames_and_closes_the_session(clock, stop):
    source = Script([(50, None), (1, None)], stop, clock=clock)
    frames = source.frames(stop)
    next(frames)
    assert source.open_sessions == 1
    stop.set()
    assert list(frames) == []
    assert source.open_sessions == 0
    assert source.status.state is SourceState.ENDED


def test_damaged_frames_are_kept_and_counted(clock, stop):
    class Damaged(Script):
        def session(self, stop):
            yield SessionFrame(FRAME, 1.0, is_damaged=True)
            stop.set()

    source = Damaged([], stop, clock=clock)
    assert len(list(source.frames(stop))) == 1
    assert source.status.stats().damaged_frames == 1
