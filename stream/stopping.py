"""StopSignals: Ctrl-C and SIGTERM end a run in good order, a second one at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopSignals:
    """While it is entered, SIGINT and SIGTERM are noted in `caught` and do nothing else.

    The handler only assigns: it runs between two instructions of the main thread, which may hold
    the lock of any event, so setting one there could block for ever. A second signal ends the
    process without waiting. Outside the main thread, where handlers can't be set, it does nothing.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.caught is not None:
            os._exit(128 + number)
        self.caught = number

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 0 without either."""
        return 0 if self.caught is None else 128 + self.caught
