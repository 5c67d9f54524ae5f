"""Progress of a run on stderr: a bar with time left on a terminal, a plain line otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")

# Seconds between plain lines where stderr is no terminal.
_PLAIN_EVERY_S = 30.0


class Progress:
    """Context manager; `advance` after each step, `say` for what happens between."""

    def __init__(self, steps: int, done: int, quiet: bool = False) -> None:
        self._steps, self._done, self._quiet = steps, done, quiet
        self._bar: Any = None
        self._task: Any = None
        self._began = self._said = time.monotonic()
        self._first = done

    def __enter__(self) -> Progress:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("train", total=self._steps, completed=self._done)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, step: int, loss: float) -> None:
        """Show that `step` steps are done, with the running mean of the loss."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=f"loss {loss:.3f}")
            return
        now = time.monotonic()
        if self._quiet or (now - self._said < _PLAIN_EVERY_S and step < self._steps):
            return
        self._said = now
        pace = (now - self._began) / max(step - self._first, 1)
        left = pace * (self._steps - step)
        sys.stderr.write(
            f"step {step}/{self._steps}  loss {loss:.3f}  {pace:.2f} s/step  left {_clock(left)}\n"
        )

    def say(self, what: str) -> None:
        """Show what happens between steps."""
        if self._bar is not None:
            self._bar.update(self._task, description=what)
        elif not self._quiet:
            sys.stderr.write(f"{what}\n")


def counted(items: Iterable[Item], total: int, what: str, *, quiet: bool) -> Iterator[Item]:
    """Pass items on, with a bar on stderr where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total, console=Console(stderr=True), transient=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
