"""A run of `dbrt bench postproc`: its maps, its rows, and what follows from them."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from dbrt.benchmarks.machine import describe_machine, load_average, now
from dbrt.benchmarks.maps import make_maps, sample_frames
from dbrt.benchmarks.pages import draw_pages
from dbrt.benchmarks.paper import Thresholds
from dbrt.benchmarks.postproc import (
    CONTOURS,
    FLOOR,
    PAPER_POLYGONS,
    PAPER_QUADS,
    POLYGONS,
    QUADS,
    RAPIDOCR,
    THREADS,
    OnStep,
    PostprocRow,
    Scaling,
    TimedMap,
    time_postproc,
    time_threads,
)
from dbrt.benchmarks.report import Provenance
from dbrt.engine.modelfile import find_model, read_model_file
from dbrt.engine.select import open_runner
from dbrt.engine.spec import check_size
from dbrt.errors import UsageError

SIZES = (320, 512, 736)
ROUNDS = 20

DENSE_REGIONS = 200  # from this many on a map is dense, below ORDINARY_REGIONS ordinary
ORDINARY_REGIONS = 30

# Of the mean over a rectangle, for all contenders: a model's own threshold may be for another mean.
BOX_SCORE = 0.5

# What this project wants of its decode: times a peer's, at least or at most.
_ALL, _DENSE, _ORDINARY = range(3)
_GOALS: tuple[tuple[str, str, int, float | None, bool], ...] = (
    (QUADS, RAPIDOCR, _ALL, 40.0, True),
    (QUADS, RAPIDOCR, _DENSE, 60.0, True),
    (QUADS, PAPER_QUADS, _ALL, None, True),
    (POLYGONS, PAPER_POLYGONS, _ALL, 5.0, True),
    (QUADS, CONTOURS, _ORDINARY, 1.0, True),
    (FLOOR, QUADS, _ORDINARY, 3.0, False),
)

# A fresh process decodes one map: the time a user waits where nothing else loads meanwhile.
_FIRST_MAP = """
import numpy
from dbrt.postproc import decode
decode(numpy.zeros((736, 736), numpy.uint8))
"""


@dataclass(frozen=True)
class Ratio:
    """How many times as long `peer` takes as `ours`: geometric mean over maps.

    peer   the slower one where `times` is above 1
    least  and `most`: of any single map
    maps   how many
    goal   what `times` should be `at_least`, or else at most; None where nothing was promised
    """

    ours: str
    peer: str
    which: str
    times: float
    least: float
    most: float
    maps: int
    goal: float | None = None
    at_least: bool = True

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.times >= self.goal if self.at_least else self.times <= self.goal

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "reached": self.reached}


@dataclass(frozen=True)
class PostprocReport:
    """All rows of a run and what they belong to.

    first_map_s       from the start of a process to its first decoded map, kernels in the cache
    first_map_cold_s  the same where every kernel has yet to be compiled
    scaling           four maps by four threads
    """

    rows: tuple[PostprocRow, ...]
    model: str
    thresholds: Thresholds
    first_map_s: float
    first_map_cold_s: float
    scaling: Scaling
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "ratios": [ratio.to_dict() for ratio in ratios(self.rows)],
            "model": self.model,
            "thresholds": asdict(self.thresholds),
            "first_map_s": round(self.first_map_s, 3),
            "first_map_cold_s": round(self.first_map_cold_s, 3),
            "scaling": asdict(self.scaling),
            "provenance": asdict(self.provenance),
        }


def run_postproc(
    model: str = "auto",
    sizes: Sequence[int] = SIZES,
    *,
    rounds: int = ROUNDS,
    on_step: OnStep = lambda text, done, steps: None,
) -> PostprocReport:
    """Make maps of frames of the sample clip and of drawn pages; time every contender on them.

    sizes  sides of the square input, multiples of 32

    Raises UsageError for sizes and rounds, InputError for the model, RunnerError where nothing can
    run it.
    """
    sizes = [check_size(size) for size in dict.fromkeys(sizes)]
    if not sizes or rounds < 1:
        raise UsageError("bench postproc needs at least one size and one round")
    date, load_before = now(), load_average()
    read = read_model_file(find_model(model))
    thresholds = Thresholds(read.binarize, BOX_SCORE, read.unclip_ratio)
    frames, maps, reasons = sample_frames(), [], []
    for number, size in enumerate(sizes):
        on_step(f"maps of {read.name} at {size}", number, len(sizes))
        with open_runner(read, shape=(size, size), exact=True) as runner:
            maps += [TimedMap("ordinary", map) for map in make_maps(runner, frames).maps]
            maps += [TimedMap("dense", map) for map in make_maps(runner, draw_pages(size)).maps]
            reasons.append(runner.reason)
    rows = time_postproc(maps, thresholds, rounds=rounds, on_step=on_step)
    scaling = time_threads([timed.map for timed in maps[-THREADS:]], thresholds)
    provenance = Provenance(
        machine=describe_machine(),
        date=date,
        rounds=rounds,
        rounds_asked=rounds,
        passes=1,
        threads="1 for each contender",
        reasons=tuple(dict.fromkeys(reasons)),
        load_before=load_before,
        load_after=load_average(),
    )
    cold_s, warm_s = time_first_map()
    return PostprocReport(tuple(rows), read.name, thresholds, warm_s, cold_s, scaling, provenance)


def time_first_map() -> tuple[float, float]:
    """Seconds from the start of a process to its first decoded map, imports and all.

    returns  with no kernel compiled yet; with all of them in the cache
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        times = []
        for _ in range(2):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", _FIRST_MAP], check=True, env=environment)
            times.append(time.perf_counter() - started)
    return times[0], times[1]


def ratios(rows: Sequence[PostprocRow]) -> list[Ratio]:
    """Compare dbrt with its peers over all maps, and over those for which there is a goal."""
    largest = max(row.size for row in rows)
    everything = "all maps"
    dense = f"{DENSE_REGIONS} regions or more"
    ordinary = f"fewer than {ORDINARY_REGIONS} regions at {largest}"
    names = {_ALL: everything, _DENSE: dense, _ORDINARY: ordinary}
    found = []
    for ours, peer, group, goal, at_least in _GOALS:
        which = names[group]
        chosen = [
            row
            for row in rows
            if (group != _DENSE or row.regions >= DENSE_REGIONS)
            and (group != _ORDINARY or (row.regions < ORDINARY_REGIONS and row.size == largest))
        ]
        own = {row.map: row.spread.median_ms for row in chosen if row.contender == ours}
        other = {row.map: row.spread.median_ms for row in chosen if row.contender == peer}
        each = [other[map] / own[map] for map in own if map in other]
        if each:
            mean = math.exp(sum(map(math.log, each)) / len(each))
            found.append(
                Ratio(ours, peer, which, mean, min(each), max(each), len(each), goal, at_least)
            )
    return found


def cells(rows: Sequence[PostprocRow]) -> list[tuple[int, str, int, int, dict[str, float]]]:
    """For each size and kind: fewest and most regions, and each contender's median over maps."""
    found = []
    for size, kind in dict.fromkeys((row.size, row.kind) for row in rows):
        group = [row for row in rows if (row.size, row.kind) == (size, kind)]
        times = {
            name: median(row.spread.median_ms for row in group if row.contender == name)
            for name in dict.fromkeys(row.contender for row in group)
        }
        regions = [row.regions for row in group]
        found.append((size, kind, min(regions), max(regions), times))
    return found
