"""The arrays a decode works in: one set for each thread, reused from map to map."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np

from dbrt.postproc.calipers import HULL_ROOM
from dbrt.postproc.polygons import Outlines

# Rows of lists that a dense page at 736 px needs: about 12,000.
_FIRST_CAPACITY = 1 << 14
# A map that needs more than this is an accident; its workspace (50 bytes a row) is not kept.
_KEPT_CAPACITY = 1 << 20


class Workspace:
    """Room for `capacity` rows of lists (see `labels`), and for what is made of them.

    Each component has four rows at least. Not to be shared between threads: take
    `of_this_thread()`.
    """

    def __init__(self, capacity: int = _FIRST_CAPACITY) -> None:
        self.capacity = capacity
        self.lists = np.empty((capacity, 4), np.int32)
        # A hull has at most two corners for each row of a component and two more.
        self.hull = np.empty((capacity + HULL_ROOM, 2), np.float64)
        self.quads = np.empty((capacity // 2, 4, 2), np.float32)
        self.scores = np.empty(capacity // 2, np.float32)

        # The last arguments of `find_quads`.
        self.arrays = (self.lists, self.hull, self.quads, self.scores)

    @cached_property
    def outlines(self) -> Outlines:
        """Made when polygons are first asked for."""
        n = self.capacity
        return Outlines(
            contour=np.empty((n, 2), np.int32),
            stack=np.empty((n, 2), np.int32),
            points=np.empty((n, 2), np.int32),
            offsets=np.empty(n // 2 + 1, np.int64),
            distances=np.empty(n // 2, np.float64),
            grown=np.empty((8 * n, 2), np.float64),
            grown_offsets=np.empty(n // 2 + 1, np.int64),
            arranged=np.empty((8 * n, 2), np.float32),
            arranged_offsets=np.empty(n // 2 + 1, np.int64),
        )


def of_this_thread(capacity: int = _FIRST_CAPACITY) -> Workspace:
    """The thread's own workspace, with room for at least `capacity` rows."""
    found: Workspace | None = getattr(_thread, "workspace", None)
    if found is None or found.capacity < capacity:
        found = Workspace(capacity)
        if capacity <= _KEPT_CAPACITY:
            _thread.workspace = found
    return found


_thread = threading.local()
