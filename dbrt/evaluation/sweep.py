"""The decode thresholds that serve a validation set best: binarize, unclip, kind and least score.

Thresholds chosen on the pictures that are reported make the report too good. So test pictures are
refused here, by name.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dbrt.datasets import Dataset, Word
from dbrt.datasets.pictures import Frame
from dbrt.detector import TextDetector
from dbrt.errors import UsageError
from dbrt.evaluation.matching import Compare, Detections
from dbrt.evaluation.protocols import rounded_outlines
from dbrt.evaluation.report import Report
from dbrt.evaluation.threshold import best_threshold
from dbrt.postproc import decode
from dbrt.regions import TextRegions

BINARIZE = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
UNCLIP = (1.3, 1.5, 1.7, 1.9)
SCORES = ("box", "region")
LOWEST_SCORE = 0.3  # where the sweep over least scores begins

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Choice:
    """Decode thresholds, and what they reach on the pictures on which they were chosen.

    options  as `decode` takes them
    report   on these pictures
    tried    how many settings were compared
    """

    options: dict[str, Any]
    report: Report
    tried: int

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON."""
        figures = {name: self.report.to_dict()[name] for name in ("precision", "recall", "hmean")}
        return {**self.options, **figures, "settings_tried": self.tried}


class Sweep:
    """Stands for a detector, and decodes each map in every way as well.

    A call finds what the detector finds; `best` then says which thresholds would have served best.
    One pass of the network a picture; the decodes of all settings take about a tenth of a second.
    """

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector
        grid = itertools.product(BINARIZE, UNCLIP, SCORES)
        self._found: dict[tuple[float, float, str], list[Detections]] = {key: [] for key in grid}

    def __call__(self, frame: Frame) -> TextRegions:
        """Find the text of one frame, as the detector does."""
        map, scale = self._detector.probability_map(frame)
        place: dict[str, Any] = {"scale": (1 / scale, 1 / scale), "frame_size": frame.shape[:2]}
        options = self._detector.decode_options
        for (binarize, unclip_ratio, score), found in self._found.items():
            ways = {"binarize": binarize, "unclip_ratio": unclip_ratio, "score": score}
            regions = decode(map, **place, **options | ways | {"min_score": LOWEST_SCORE})
            found.append((rounded_outlines(regions), regions.scores))
        return decode(map, **place, **options)

    def best(
        self,
        words: Sequence[Sequence[Word]],
        compare: Compare,
        progress: Progress = iter,
    ) -> Choice:
        """Return the setting with the highest H-mean, the first of several."""
        best: Choice | None = None
        tried = 0
        for (binarize, unclip_ratio, score), found in progress(list(self._found.items())):
            curve = best_threshold(found, words, compare=compare)
            tried += len(curve.thresholds)
            min_score, report = curve.best
            if best is None or report.hmean > best.report.hmean:
                options = {
                    "binarize": binarize,
                    "unclip_ratio": unclip_ratio,
                    "score": score,
                    "min_score": min_score,
                }
                best = Choice(options, report, 0)
        assert best is not None  # the grid is not empty
        return Choice(best.options, best.report, tried)


def refuse_test(dataset: Dataset) -> None:
    """Raise UsageError where thresholds must not be chosen: on test pictures.

    They are known by the split, or by their folder: `test/images`, `test`, `..._test_images`.
    """
    folders = {part.lower() for sample in dataset[:1] for part in sample.path.parts[-3:-1]}
    in_test = any(folder == "test" or folder.endswith("test_images") for folder in folders)
    if dataset.split == "test" or in_test:
        raise UsageError(
            f"thresholds are not chosen on {dataset.name} {dataset.split or 'test'}: what is "
            "reported on pictures that chose them is too good; take --split train or a folder of "
            "your own"
        )
