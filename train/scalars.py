"""Scalars and pictures of a run: TensorBoard events (without TensorFlow); scalars as JSON, too."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.errors import unwritable

# What a curve is called in TensorBoard where its name in log.jsonl says less.
TAGS = {"loss": "total_loss"}


class ScalarWriter:
    """Writes rows to `folder/log.jsonl` and to `folder/events/<split>` for TensorBoard.

    folder  None: writes nothing (of several processes, one writes)

    The events need the `tensorboard` package, which loads no TensorFlow for this; without it only
    the JSON lines are written.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._events: dict[str, Any] = {}
        self._lines: TextIO | None = None
        if folder is None:
            return
        try:
            self._lines = (folder / "log.jsonl").open("a", buffering=1, encoding="utf-8")
        except OSError as exc:
            raise unwritable(folder / "log.jsonl", exc) from None

    def write(self, split: str, step: int, row: dict[str, float]) -> None:
        """Append one row of `split` ("train" or "validation"); names become `<name>` curves."""
        if self._lines is None:
            return
        self._lines.write(json.dumps({"split": split, "step": step, **row}) + "\n")
        self._add(split, step, [{"tag": TAGS.get(k, k), "simple_value": v} for k, v in row.items()])

    def show(self, split: str, step: int, tag: str, picture: NDArray[np.uint8]) -> None:
        """Put a picture (H, W, 3) BGR into the events of `split`, as PNG."""
        if self._lines is None:
            return
        _, png = cv2.imencode(".png", picture)
        height, width = picture.shape[:2]
        image = {"height": height, "width": width, "colorspace": 3}
        self._add(
            split, step, [{"tag": tag, "image": {**image, "encoded_image_string": png.tobytes()}}]
        )

    def _add(self, split: str, step: int, values: list[dict[str, Any]]) -> None:
        writer = self._writer(split)
        if writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(**value) for value in values])
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        writer.flush()

    def close(self) -> None:
        """Flush and close all files."""
        if self._lines is not None:
            self._lines.close()
        for writer in self._events.values():
            if writer is not None:
                writer.close()

    def _writer(self, split: str) -> Any:
        assert self._folder is not None
        if split not in self._events:
            try:
                from tensorboard.summary.writer.event_file_writer import EventFileWriter
            except ImportError:
                self._events[split] = None
            else:
                self._events[split] = EventFileWriter(str(self._folder / "events" / split))
        return self._events[split]
