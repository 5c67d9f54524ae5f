from __future__ import annotations

import threading

import pytest

from dbrt.stream.channel import END, NOTHING, Channel


def started(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_items_leave_in_the_order_they_entered():
    channel = Channel(3)
    assert [channel.put(i) for i in range(3)] == [True, True, True]
    assert [channel.get() for _ in range(3)] == [0, 1, 2]


def test_a_full_channel_holds_the_producer_until_an_item_is_taken():
    channel = Channel(1)
    channel.put("a")
    thread = started(lambda: channel.put("b"))
    assert channel.get() == "a"
    assert channel.get() == "b"  # waits for the producer
    thread.join(10)
    assert not thread.is_alive()
    assert channel.stats().dropped == 0


def test_replace_drops_and_counts_the_oldest():
    channel = Channel(2)
    for item in range(5):
        channel.put(item, replace=True)
    assert [channel.get(), channel.get()] == [3, 4]
    assert channel.stats().dropped == 3
    assert channel.stats().entered == 5


def test_an_empty_channel_gives_nothing_or_waits():
    channel = Channel(1)
    assert channel.get(wait=False) is NOTHING
    got = []
    thread = started(lambda: got.append(channel.get()))
    channel.put(7)
    thread.join(10)
    assert got == [7]


def test_closing_keeps_what_waits_and_then_ends():
    channel = Channel(2)
    channel.put(1)
    channel.close()
    assert not channel.put(2)
    assert channel.get() == 1
    assert channel.get() is END
    assert channel.get(wait=False) is END


def test_closing_with_discard_forgets_what_waits():
    channel = Channel(2)
    channel.put(1)
    channel.close(discard=True)
    assert channel.get() is END


def test_closing_frees_a_waiting_producer():
    channel = Channel(1)
    channel.put(1)
    got = []
    thread = started(lambda: got.append(channel.put(2)))
    channel.close(discard=True)
    thread.join(10)
    assert got == [False]


def test_closing_frees_every_waiting_consumer():
    channel = Channel(1)
    got = []
    threads = [started(lambda: got.append(channel.get())) for _ in range(3)]
    channel.close()
    assert [thread.join(10) for thread in threads] == [None] * 3
    assert got == [END] * 3


def test_a_channel_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Channel(0)


def test_room_is_what_a_put_would_not_wait_for():
    channel = Channel(2)
    assert channel.has_room(beyond=1)
    assert not channel.has_room(beyond=2)
    channel.put(1)
    channel.put(2)
    assert not channel.has_room()
    thread = started(channel.wait_for_room)
    channel.get()
    thread.join(10)
    assert not thread.is_alive()


def test_nobody_waits_for_room_in_a_closed_channel():
    channel = Channel(1)
    channel.put(1)
    thread = started(channel.wait_for_room)
    channel.close()
    thread.join(10)
    assert not thread.is_alive()
    assert channel.has_room(beyond=99)
