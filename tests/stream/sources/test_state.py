from __future__ import annotations

import itertools

import pytest

from dbrt.stream.sources.state import STALL_AFTER_S, TRANSITIONS, SourceState, SourceStatus

PATHS = {
    SourceState.CONNECTING: [],
    SourceState.STREAMING: [SourceState.STREAMING],
    SourceState.STALLED: [SourceState.STREAMING, SourceState.STALLED],
    SourceState.RECONNECTING: [SourceState.STREAMING, SourceState.RECONNECTING],
    SourceState.ENDED: [SourceState.ENDED],
    SourceState.FAILED: [SourceState.FAILED],
}


def status_in(state):
    status = SourceStatus()
    for step in PATHS[state]:
        status.change(step)
    return status


def test_every_state_has_a_row():
    assert set(TRANSITIONS) == set(SourceState)


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.permutations(SourceState, 2)), ids=lambda s: s.value
)
def test_only_the_changes_of_the_table_are_allowed(before, after):
    status = status_in(before)
    if after in TRANSITIONS[before]:
        status.change(after, "why")
        assert (status.stats().state, status.stats().reason) == (after, "why")
    else:
        with pytest.raises(ValueError, match=f"{before.value} cannot be {after.value}"):
            status.change(after)
        assert status.state is before


def test_a_second_without_a_frame_is_a_stall_and_a_frame_ends_it():
    status = SourceStatus(can_stall=True)
    status.check_stall(1000.0)
    assert status.state is SourceState.CONNECTING
    status.count_frame(10.0)
    status.check_stall(10.0 + STALL_AFTER_S)
    assert status.state is SourceState.STREAMING
    status.check_stall(10.1 + STALL_AFTER_S)
    assert status.state is SourceState.STALLED
    assert "1.1 s" in status.stats().reason
    status.count_frame(12.0)
    assert status.state is SourceState.STREAMING


def test_a_file_that_waits_for_room_is_no_stall():
    status = SourceStatus()
    status.count_frame(10.0)
    status.check_stall(99.0)
    assert status.state is SourceState.STREAMING


def test_each_outage_counts_once_as_a_reconnection():
    status = SourceStatus()
    status.change(SourceState.RECONNECTING)  # never connected: no reconnection
    status.count_frame(1.0)
    for _ in range(3):  # three attempts of one outage
        status.change(SourceState.RECONNECTING)
    status.count_frame(2.0)
    assert status.stats().reconnects == 1


def test_faults_are_counted():
    status = SourceStatus()
    status.count_frame(1.0)
    status.count_frame(2.0, damaged=True)
    status.count_bad_packet()
    found = status.stats()
    assert (found.frames, found.damaged_frames, found.bad_packets) == (2, 1, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SourceState.STREAMING, SourceState.ENDED),
        (SourceState.ENDED, SourceState.ENDED),
        (SourceState.FAILED, SourceState.FAILED),
    ],
)
def test_finishing_ends_what_has_not_ended(before, after):
    status = status_in(before)
    status.finish()
    assert status.state is after
