"""Post-processing timed against its peers, contender by contender on the same maps, in turns."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.benchmarks.spread import Spread
from dbrt.postproc import decode, warm_up

Map = NDArray[np.uint8]  # (H, W), 255 = certain text
Contender = Callable[[], Any]


@dataclass(frozen=True)
class Thresholds:
    """What every contender decodes with; see `decode`."""

    binarize: float = 0.3
    min_score: float = 0.6
    unclip_ratio: float = 1.5


@dataclass(frozen=True)
class PostprocRow:
    """One contender on one map.

    map      index of the map
    regions  that dbrt finds in it
    """

    map: int
    regions: int
    contender: str
    spread: Spread


def time_postproc(
    maps: Sequence[Map], thresholds: Thresholds | None = None, *, rounds: int = 20
) -> list[PostprocRow]:
    """Time each contender once on a map, then the next one, `rounds` times over.

    One round more goes before them and does not count. RapidOCR takes part where it is installed
    (the extra `bench`); OpenCV is held to one thread while this runs, as dbrt uses one.

    maps     (H, W) uint8 each
    returns  one row for each map and contender, in that order
    """
    thresholds = thresholds or Thresholds()
    warm_up()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        rows = []
        for index, map in enumerate(maps):
            regions = len(_decode(map, thresholds, "quad"))
            for name, times in _turns(contenders(map, thresholds), rounds).items():
                rows.append(PostprocRow(index, regions, name, Spread.of(times)))
        return rows
    finally:
        cv2.setNumThreads(threads)


def contenders(map: Map, thresholds: Thresholds) -> dict[str, Contender]:
    """Calls that decode `map`, by name, and two that do less: the outlines alone, one reading."""
    threshold = math.floor(thresholds.binarize * 255) + 1
    text = (map >= threshold).astype(np.uint8)
    found: dict[str, Contender] = {
        "dbrt quads": lambda: _decode(map, thresholds, "quad"),
        "dbrt polygons": lambda: _decode(map, thresholds, "polygon"),
        "cv2.findContours alone": lambda: cv2.findContours(
            text, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
        ),
        "numpy map > t": lambda: map > threshold - 1,
    }
    try:
        peer = importlib.import_module("rapidocr.ch_ppocr_det.utils")
    except ImportError:
        return found
    process = peer.DBPostProcess(
        thresh=thresholds.binarize,
        box_thresh=thresholds.min_score,
        unclip_ratio=thresholds.unclip_ratio,
    )
    # Its own input: float32 (1, 1, H, W), made outside the time, as a network gives it.
    batch = (map.astype(np.float32) / 255)[None, None]
    found["RapidOCR DBPostProcess"] = lambda: process(batch, map.shape)
    return found


def _decode(map: Map, thresholds: Thresholds, output: Any) -> Any:
    return decode(
        map,
        binarize=thresholds.binarize,
        min_score=thresholds.min_score,
        unclip_ratio=thresholds.unclip_ratio,
        output=output,
    )


def _turns(calls: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """The times of each call in milliseconds, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for count in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if count > 0:
                times[name].append(1000 * (time.perf_counter() - started))
    return times
