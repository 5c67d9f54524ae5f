"""Post-processing timed against its peers, contender by contender on the same maps, in turns."""

from __future__ import annotations

import importlib
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.benchmarks.paper import Thresholds, paper_polygons, paper_quads
from dbrt.benchmarks.spread import Spread
from dbrt.postproc import decode, warm_up

Map = NDArray[np.uint8]  # (H, W), 255 = certain text
Contender = Callable[[], Any]
OnStep = Callable[[str, int, int], None]

QUADS, POLYGONS = "dbrt quads", "dbrt polygons"
PAPER_QUADS, PAPER_POLYGONS = "OpenCV + pyclipper quads", "OpenCV + pyclipper polygons"
RAPIDOCR = "RapidOCR DBPostProcess"
# Maps that are decoded at once, and how often in a row each.
THREADS, _DECODES = 4, 100
CONTOURS, FLOOR = "cv2.findContours alone", "numpy map > t"


@dataclass(frozen=True)
class TimedMap:
    """A map to decode, and where it comes from: "ordinary" (frames) or "dense" (pages)."""

    kind: str
    map: Map

    @property
    def size(self) -> int:
        """The longest side in pixels."""
        return int(max(self.map.shape))


@dataclass(frozen=True)
class Scaling:
    """As many maps as threads, one each: milliseconds one after the other, and at once.

    cores  that this process may use; more threads than that gain nothing
    """

    threads: int
    cores: int
    one_ms: float
    all_ms: float


@dataclass(frozen=True)
class PostprocRow:
    """One contender on one map.

    map      index of the map
    regions  that dbrt finds in it
    """

    map: int
    kind: str
    size: int
    regions: int
    contender: str
    spread: Spread

    def to_dict(self) -> dict[str, Any]:
        """One flat row: plain values, milliseconds."""
        return {
            **{key: getattr(self, key) for key in ("map", "kind", "size", "regions", "contender")},
            "ms": round(self.spread.median_ms, 4),
            "p10_ms": round(self.spread.p10_ms, 4),
            "p90_ms": round(self.spread.p90_ms, 4),
            "samples": self.spread.samples,
        }


def time_postproc(
    maps: Sequence[TimedMap],
    thresholds: Thresholds | None = None,
    *,
    rounds: int = 20,
    on_step: OnStep = lambda text, done, steps: None,
) -> list[PostprocRow]:
    """Time each contender once on a map, then the next one, `rounds` times over.

    One round more goes before them and does not count. RapidOCR takes part where it is installed
    (the extra `bench`); OpenCV is held to one thread while this runs, as dbrt uses one.

    returns  one row for each map and contender, in that order
    """
    thresholds = thresholds or Thresholds()
    warm_up()
    rows = []
    with _one_opencv_thread():
        for index, timed in enumerate(maps):
            on_step(f"decoding map {index + 1} of {len(maps)}", index, len(maps))
            regions = len(decode(timed.map, **vars(thresholds)))
            for name, times in _turns(contenders(timed.map, thresholds), rounds).items():
                spread = Spread.of(times)
                rows.append(PostprocRow(index, timed.kind, timed.size, regions, name, spread))
    return rows


def time_threads(maps: Sequence[Map], thresholds: Thresholds, *, rounds: int = 5) -> Scaling:
    """Decode each map many times: all by one thread, then each by a thread of its own.

    returns  medians over the rounds, for one decode of every map
    """
    options: dict[str, Any] = vars(thresholds)

    def work(map: Map) -> None:
        for _ in range(_DECODES):
            decode(map, **options)

    one, many = [], []
    with ThreadPoolExecutor(len(maps)) as pool:
        list(pool.map(work, maps))
        for _ in range(rounds):
            started = time.perf_counter()
            for map in maps:
                work(map)
            between = time.perf_counter()
            list(pool.map(work, maps))
            one.append(between - started)
            many.append(time.perf_counter() - between)
    per_decode = 1000 / _DECODES
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return Scaling(len(maps), cores, median(one) * per_decode, median(many) * per_decode)


def contenders(map: Map, thresholds: Thresholds) -> dict[str, Contender]:
    """Calls that decode `map`, by name, and two that do less: the outlines alone, one reading."""
    level = math.floor(thresholds.binarize * 255)
    text = (map > level).astype(np.uint8)
    options: dict[str, Any] = vars(thresholds)
    found: dict[str, Contender] = {
        QUADS: lambda: decode(map, **options),
        POLYGONS: lambda: decode(map, **options, output="polygon"),
        PAPER_QUADS: lambda: paper_quads(map, thresholds),
        PAPER_POLYGONS: lambda: paper_polygons(map, thresholds),
        CONTOURS: lambda: cv2.findContours(text, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE),
        FLOOR: lambda: map > level,
    }
    peer = _rapidocr(map, thresholds)
    return found if peer is None else {**found, RAPIDOCR: peer}


def _rapidocr(map: Map, thresholds: Thresholds) -> Contender | None:
    try:
        peer = importlib.import_module("rapidocr.ch_ppocr_det.utils")
    except ImportError:
        return None
    process = peer.DBPostProcess(
        thresh=thresholds.binarize,
        box_thresh=thresholds.min_score,
        unclip_ratio=thresholds.unclip_ratio,
    )
    # Its own input: float32 (1, 1, H, W), made outside the time, as a network gives it.
    batch = (map.astype(np.float32) / 255)[None, None]
    return lambda: process(batch, map.shape)


def _turns(calls: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """The times of each call in milliseconds, taken in turns.

    Each round has an order of its own, the same in each run: who comes after a relative finds its
    code and the map in the caches.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for count in range(rounds + 1):
        for name in random.Random(count).sample(list(calls), len(calls)):
            started = time.perf_counter()
            calls[name]()
            if count > 0:
                times[name].append(1000 * (time.perf_counter() - started))
    return times


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
