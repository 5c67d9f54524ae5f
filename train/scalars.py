"""Scalars of a run: TensorBoard events (without TensorFlow), and the same rows as JSON lines."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from dbrt.errors import unwritable


class ScalarWriter:
    """Writes rows to `folder/log.jsonl` and to `folder/events/<split>` for TensorBoard.

    The events need the `tensorboard` package, which loads no TensorFlow for this; without it only
    the JSON lines are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: dict[str, Any] = {}
        try:
            self._lines = (folder / "log.jsonl").open("a", buffering=1, encoding="utf-8")
        except OSError as exc:
            raise unwritable(folder / "log.jsonl", exc) from None

    def write(self, split: str, step: int, row: dict[str, float]) -> None:
        """Append one row of `split` ("train" or "validation"); names become `<name>` curves."""
        self._lines.write(json.dumps({"split": split, "step": step, **row}) + "\n")
        writer = self._writer(split)
        if writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in row.items()]
        writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        writer.flush()

    def close(self) -> None:
        """Flush and close all files."""
        self._lines.close()
        for writer in self._events.values():
            if writer is not None:
                writer.close()

    def _writer(self, split: str) -> Any:
        if split not in self._events:
            try:
                from tensorboard.summary.writer.event_file_writer import EventFileWriter
            except ImportError:
                self._events[split] = None
            else:
                self._events[split] = EventFileWriter(str(self._folder / "events" / split))
        return self._events[split]
