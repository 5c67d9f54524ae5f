"""Where results go: an MP4, JSON lines, a folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dbrt.errors import UsageError
from dbrt.stream.sinks.sink import Sink

__all__ = ["Sink", "open_sink", "open_sinks"]


def open_sinks(targets: Sequence[str], *, overwrite: bool = False) -> list[Sink]:
    """Return a sink for each target, all checked before the first is used.

    Raises UsageError for a target of no known kind or named twice, OutputError for one that
    can't be written.
    """
    seen = set()
    for target in targets:
        place = Path(target).absolute()
        if place in seen:
            raise UsageError(f"--out {target} is given twice")
        seen.add(place)
    return [open_sink(target, overwrite=overwrite) for target in targets]


def open_sink(target: str, *, overwrite: bool = False) -> Sink:
    """Return the sink for `target`: by its suffix, or a folder where it has none."""
    path = Path(target)
    suffix = path.suffix.lower()
    if target.endswith(("/", "\\")) or os.path.isdir(path) or not suffix:
        from dbrt.stream.sinks.frames import FramesSink

        return FramesSink(path, overwrite=overwrite)
    if suffix == ".mp4":
        from dbrt.stream.sinks.mp4 import Mp4Sink

        return Mp4Sink(path, overwrite=overwrite)
    if suffix == ".jsonl":
        from dbrt.stream.sinks.jsonl import JsonLinesSink

        return JsonLinesSink(path, overwrite=overwrite)
    raise UsageError(f"cannot write {target}: --out takes NAME.mp4, NAME.jsonl or FOLDER/")
