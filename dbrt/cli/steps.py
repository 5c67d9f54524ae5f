"""The running step of a benchmark, shown on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Columns of text where stdout is no terminal: wide enough that no cell is folded.
PLAIN_WIDTH = 200


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show the running step and the time left on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text, done, steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda text, done, steps: bar.update(
            task, description=text, completed=done, total=steps
        )
