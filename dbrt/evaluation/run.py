"""Scoring models and folders of results on a data set, one entry after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dbrt.datasets import Dataset
from dbrt.detector import TextDetector
from dbrt.errors import InputError
from dbrt.evaluation import protocols
from dbrt.evaluation.difference import Difference, compare_tallies
from dbrt.evaluation.entry import CURVE_GRID, Entry, choose_score
from dbrt.evaluation.matching import Detections
from dbrt.evaluation.results import read_results
from dbrt.evaluation.sweep import Sweep


class Show(Protocol):
    """Makes a wrapper of an iterable that shows how far it is, under a heading."""

    def __call__(self, heading: str) -> protocols.Progress: ...


def _nothing(heading: str) -> protocols.Progress:
    return iter


def score_model(
    dataset: Dataset,
    options: dict[str, Any],
    *,
    min_score: float | None = None,
    save: Path | None = None,
    all_scores: bool = False,
    choose: bool = False,
    show: Show = _nothing,
) -> Entry:
    """Run a model over a data set and compare what it finds with the truth.

    options     of TextDetector, but for `min_score` and `output`
    min_score   regions below it are left out; None: the model's own
    save        folder for result files
    all_scores  keep regions of lower scores, for the curve; the report leaves them out
    choose      look for the thresholds that would serve best
    """
    protocol = protocols.protocol_for(dataset.name)
    lowest = CURVE_GRID[0] if all_scores else min_score
    with TextDetector(**options, min_score=lowest, output=protocol.output) as detector:
        if all_scores:
            least = detector.model.decode_options["min_score"] if min_score is None else min_score
        else:
            least = 0.0 if min_score is None else min_score  # the detector has left them out
        sweep = Sweep(detector) if choose else None
        detections = protocols.detect_all(
            dataset,
            sweep or detector,
            save=save,
            save_from=least,
            progress=show("pictures"),
        )
        source = {
            **options,
            "model": detector.model.name,
            "sha256": detector.model.sha256,
            "unit": detector.model.unit,
            "reason": detector.reason,
        }
    entry = _entry(str(source["model"]), source, dataset, detections, least, show)
    if sweep is None:
        return entry
    words = [sample.words for sample in dataset]
    return replace(entry, choice=sweep.best(words, protocol.compare, show("thresholds")))


def score_folder(
    dataset: Dataset,
    folder: Path,
    *,
    min_score: float | None = None,
    choose: bool = False,
    show: Show = _nothing,
) -> tuple[Entry, int]:
    """Compare the result files of a folder with the truth; also return how many are missing.

    Raises InputError for files that can't be read, and where a least score is asked for but some
    detections have none.
    """
    detections, missing = read_results(folder, [sample.path for sample in dataset])
    if min_score is not None and any(scores is None for _, scores in detections):
        raise InputError(f"{folder}: holds detections without scores: leave out --min-score")
    least = -np.inf if min_score is None else min_score
    label = folder.name or str(folder)
    entry = _entry(label, {"folder": str(folder)}, dataset, detections, least, show)
    return (replace(entry, choice=choose_score(entry)) if choose else entry), missing


def _entry(
    label: str,
    source: dict[str, Any],
    dataset: Dataset,
    detections: list[Detections],
    min_score: float,
    show: Show,
) -> Entry:
    protocol = protocols.protocol_for(dataset.name)
    pairs = zip(detections, show("scoring")(dataset), strict=True)
    comparisons = [protocol.compare(found, sample.words) for found, sample in pairs]
    return Entry(label, source, dataset, protocol, detections, comparisons, min_score)


def differences(entries: Sequence[Entry], *, seed: int = 0) -> list[Difference]:
    """Return what each entry but the first has more than the first; all of the same data set."""
    first = entries[0]
    pictures = [sample.path.name for sample in first.dataset]
    return [
        compare_tallies(pictures, first.tallies, entry.tallies, seed=seed) for entry in entries[1:]
    ]
