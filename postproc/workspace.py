"""The arrays a decode works in: one set for each thread, reused from map to map."""

from __future__ import annotations

import threading

import numpy as np

# Runs of text pixels in a dense page at 736 px: about 5,000.
_FIRST_CAPACITY = 1 << 14
# A map that needs more than this is an accident; its workspace (about 200 bytes a run) is not kept.
_KEPT_CAPACITY = 1 << 19


class Workspace:
    """Room for `capacity` runs of text pixels, and for what is made of them.

    Not to be shared between threads: take `Workspace.of_this_thread()`.
    """

    def __init__(self, capacity: int = _FIRST_CAPACITY) -> None:
        self.capacity = capacity
        self.runs = np.empty((capacity, 4), np.int32)
        self.labels = np.empty((capacity, 4), np.int32)
        self.components = np.empty((capacity, 6), np.int32)
        self.extents = np.empty((capacity, 2), np.int32)
        self.sums = np.empty(capacity, np.int64)
        # A hull has at most two corners for each row and two more, and a component has a run in
        # each row.
        self.hull = np.empty((2 * capacity + 4, 2), np.float64)
        self.quads = np.empty((capacity, 4, 2), np.float32)
        self.scores = np.empty(capacity, np.float32)
        self.members = np.empty(capacity, np.int32)
        self.corners = np.empty((capacity, 2), np.float32)
        self.order = np.empty(capacity, np.int64)

    @staticmethod
    def of_this_thread(capacity: int = _FIRST_CAPACITY) -> Workspace:
        """The thread's own workspace, with room for at least `capacity` runs."""
        found: Workspace | None = getattr(_thread, "workspace", None)
        if found is None or found.capacity < capacity:
            found = Workspace(capacity)
            if capacity <= _KEPT_CAPACITY:
                _thread.workspace = found
        return found


_thread = threading.local()
