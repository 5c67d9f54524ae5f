"""The arrays a decode works in: one set for each thread, reused from map to map."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        # A run turns its outline a few times; where this does not do, the next size will.
        self._points_capacity = 4 * capacity
        self.scores = np.empty(capacity, np.float32)
        self.members = np.empty(capacity, np.int32)
        self.shared: tuple[NDArray[Any], ...] = (
            np.empty((capacity, 4), np.int32),  # runs
            np.empty((capacity, 4), np.int32),  # labels
            np.empty((capacity, 6), np.int32),  # components
            np.empty((capacity, 2), np.int32),  # extents
            np.empty(capacity, np.int64),  # sums
            # A hull has at most two corners for each row and two more; a component has a run in
            # each.
            np.empty((2 * capacity + 4, 2), np.float64),  # hull
            self.scores,
            self.members,
        )
        self.quads = np.empty((capacity, 4, 2), np.float32)
        self.order = np.empty(capacity, np.int64)
        corners = np.empty((capacity, 2), np.float32)
        self.quad_output: tuple[NDArray[Any], ...] = (self.quads, corners, self.order)

    @cached_property
    def points(self) -> NDArray[np.int32]:
        """Outlines, x and y of border pixels; made when polygons are first asked for."""
        return np.empty((self._points_capacity, 2), np.int32)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Outline i is points[offsets[i]:offsets[i + 1]]."""
        return np.empty(self.capacity + 1, np.int64)

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """How far each outline is to be moved outwards, pixels of the map."""
        return np.empty(self.capacity, np.float64)

    @cached_property
    def outline_output(self) -> tuple[NDArray[Any], ...]:
        """The last arguments of `find_outlines`."""
        n = self._points_capacity
        return (
            np.empty((n, 2), np.int32),  # contour
            np.empty((n, 2), np.int32),  # stack
            self.points,
            self.offsets,
            self.distances,
        )

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
