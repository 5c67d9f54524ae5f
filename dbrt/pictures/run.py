"""Running a detector over pictures: one after the other, broken ones told and left out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbrt.datasets import read_picture
from dbrt.detector import Frame, TextDetector
from dbrt.errors import InputError, UsageError
from dbrt.pictures.outputs import MapsOutput, Output
from dbrt.pictures.result import PictureResult
from dbrt.wording import counted

SCHEMA = "dbrt.detect/1"

Progress = Callable[[Iterable[tuple[Path, str]]], Iterable[tuple[Path, str]]]


@dataclass
class Summary:
    """What a run did.

    model      its name
    reason     one line: why this runner and precision
    pictures   how many were read
    regions    how many were found in them
    failures   one error for each that could not be read
    results    each picture's result, where they were kept
    times_ms   each stage's durations, one a picture
    """

    model: str = ""
    reason: str = ""
    pictures: int = 0
    regions: int = 0
    failures: list[InputError] = field(default_factory=list)
    results: list[PictureResult] = field(default_factory=list)
    times_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, result: PictureResult) -> None:
        """Count one picture."""
        self.pictures += 1
        self.regions += len(result.regions)
        for stage, duration_ms in result.times_ms.items():
            self.times_ms.setdefault(stage, []).append(duration_ms)

    def __str__(self) -> str:
        found = f"{counted(self.pictures, 'picture')}, {counted(self.regions, 'region')}"
        return f"{found}; {self.model}, {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `times_ms` are medians."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "reason": self.reason,
            "pictures": self.pictures,
            "regions": self.regions,
            "times_ms": {k: round(statistics.median(v), 3) for k, v in self.times_ms.items()},
            "failures": [str(failure) for failure in self.failures],
            "results": [result.to_dict() for result in self.results],
        }


def detect_pictures(
    pictures: Sequence[Path],
    names: Sequence[str],
    detector: TextDetector,
    outputs: Sequence[Output],
    *,
    report: Callable[[InputError], None],
    progress: Progress = iter,
    keep_results: bool = False,
) -> Summary:
    """Find the text of every picture and hand it to every output, picture by picture.

    names         of each picture's outputs, from `output_names`
    report        is told of each picture that can't be read; the others are done
    progress      wraps the pairs of picture and name, for a progress bar
    keep_results  whether the summary is to have them

    Raises OutputError where an output can't be written: what was written before is whole.
    UsageError where maps are asked of a model that has none.
    """
    if not detector.model.has_threshold_head and any(isinstance(o, MapsOutput) for o in outputs):
        raise UsageError(f"model {detector.model.name} has no threshold head: leave out --maps")
    summary = Summary(detector.model.name, detector.reason)
    with ExitStack() as stack:
        for output in outputs:
            stack.callback(output.close)
            output.open()
        for picture, name in progress(list(zip(pictures, names, strict=True))):
            started_s = time.perf_counter()
            try:
                frame = read_picture(picture)
            except InputError as exc:
                summary.failures.append(exc)
                report(exc)
                continue
            read_ms = (time.perf_counter() - started_s) * 1000
            result = _detect(picture, frame, detector, read_ms)
            summary.add(result)
            if keep_results:
                summary.results.append(result)
            for output in outputs:
                output.write(result, name, frame, detector)
    return summary


def _detect(picture: Path, frame: Frame, detector: TextDetector, read_ms: float) -> PictureResult:
    regions = detector(frame)
    stages = {name.removesuffix("_ms"): value for name, value in detector.timings.items()}
    height, width = frame.shape[:2]
    return PictureResult(picture, height, width, regions, {"read": read_ms, **stages})
