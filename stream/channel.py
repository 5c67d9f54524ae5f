"""Channel: the bounded queue between two threads of the pipeline.

What holds at any time, with the lock held:

- at most `capacity` items wait;
- once closed, nothing enters any more; what waits can still be taken, unless it was discarded;
- nobody waits on a closed channel: `put` returns False, `get` returns END.

So a thread that closes what it reads and what it writes when it ends, for whatever reason, ends
its neighbours too, and the whole pipeline needs no other signal.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")


class Mark(Enum):
    """What `get` returns where there is no item."""

    END = "end"
    NOTHING = "nothing"


END: Final = Mark.END
NOTHING: Final = Mark.NOTHING


@dataclass(frozen=True)
class ChannelStats:
    """What a channel holds and what has gone through it since it was made."""

    waiting: int
    entered: int
    dropped: int
    closed: bool


class Channel(Generic[Item]):
    """A bounded first-in first-out queue with two ways to be full.

    A full channel makes `put` wait (files: no frame is lost), or with `replace=True` drops its
    oldest item (live sources: the freshest frame wins) and counts it. Any number of threads may
    put and get.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._closed = False
        self._entered = 0
        self._dropped = 0

    def put(self, item: Item, *, replace: bool = False) -> bool:
        """Add `item`; return False, without adding it, where the channel is closed.

        Waits while the channel is full, or drops its oldest item with `replace`.
        """
        with self._changed:
            while not self._closed and len(self._items) >= self.capacity:
                if replace:
                    self._items.popleft()
                    self._dropped += 1
                else:
                    self._changed.wait()
            if self._closed:
                return False
            self._items.append(item)
            self._entered += 1
            self._changed.notify_all()
            return True

    def get(self, *, wait: bool = True) -> Item | Mark:
        """Take the oldest item; END where the channel is closed and empty.

        Waits for an item; with `wait=False` returns NOTHING instead.
        """
        with self._changed:
            while not self._items:
                if self._closed:
                    return END
                if not wait:
                    return NOTHING
                self._changed.wait()
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def has_room(self, beyond: int = 0) -> bool:
        """Whether a `put` would not wait even if `beyond` others came first."""
        with self._changed:
            return self._closed or len(self._items) + beyond < self.capacity

    def wait_for_room(self) -> None:
        """Wait until a `put` would not wait; only the one producer of a channel may rely on it."""
        with self._changed:
            while not self._closed and len(self._items) >= self.capacity:
                self._changed.wait()

    def close(self, *, discard: bool = False) -> None:
        """Let nothing in any more; with `discard` also forget what waits. May be called again."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()

    def stats(self) -> ChannelStats:
        """Return what waits and what has passed."""
        with self._changed:
            return ChannelStats(len(self._items), self._entered, self._dropped, self._closed)
