"""Which protocol scores which data set, and running a detector over one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dbrt.datasets import Dataset, Sample, Word, read_picture
from dbrt.datasets.pictures import Frame
from dbrt.errors import OutputError, unwritable
from dbrt.evaluation.iou import compare
from dbrt.evaluation.matching import Compare, Detections, summarise
from dbrt.evaluation.report import Report
from dbrt.evaluation.results import result_name, write_result
from dbrt.evaluation.rotated import compare_rotated
from dbrt.regions import TextRegions

Detect = Callable[[Frame], TextRegions]
Progress = Callable[[Iterable[Any]], Iterable[Any]]

# One picture is read while another is looked at. Reading 1280x720 takes a tenth of the network's
# time or less, so one more hides it and the rest would only hold memory.
READ_AHEAD = 2


@dataclass(frozen=True)
class Protocol:
    """How detections on a data set are scored.

    name     for the report
    output   what the detector should return: "quad" or "polygon"
    compare  one picture's detections and words to a Comparison
    unit     what the truth holds: "word" or "line"
    """

    name: str
    output: Literal["quad", "polygon"]
    compare: Compare
    unit: Literal["word", "line"] = "word"

    def evaluate(
        self,
        detections: Sequence[Detections],
        words: Sequence[Sequence[Word]],
        min_score: float = -np.inf,
    ) -> Report:
        """Score the detections of many pictures, those of at least `min_score`."""
        pairs = zip(detections, words, strict=True)
        return summarise([self.compare(found, truth) for found, truth in pairs], min_score)


_QUADS = Protocol("IoU of quads (ICDAR 2015)", "quad", compare)
_BY_DATASET = {
    "ctw1500": Protocol("IoU of polygons", "polygon", compare, "line"),
    "total-text": Protocol("IoU of polygons", "polygon", compare),
    "msra-td500": Protocol("rotated boxes (MSRA-TD500)", "quad", compare_rotated, "line"),
    "sroie": Protocol("IoU of quads (ICDAR 2015), of text lines", "quad", compare, "line"),
}


def protocol_for(dataset: str) -> Protocol:
    """Return the protocol of a data set by its name; the IoU of quads where it has no own."""
    return _BY_DATASET.get(dataset, _QUADS)


def check_save_folder(folder: Path, dataset: Dataset, *, overwrite: bool = False) -> None:
    """Make the folder for result files, before any work is done.

    Raises OutputError where it can't be made, or where results would be overwritten and that is
    not asked for.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unwritable(folder, exc) from None
    names = (folder / result_name(sample.path) for sample in dataset)
    taken = next((path for path in names if path.exists()), None)
    if taken is not None and not overwrite:
        raise OutputError(f"{taken}: is there already: save elsewhere or give --overwrite")


def detect_all(
    dataset: Dataset,
    detect: Detect,
    *,
    save: Path | None = None,
    save_from: float = 0.0,
    progress: Progress = iter,
) -> list[Detections]:
    """Run a detector over the pictures of a data set, one by one.

    Coordinates are rounded to whole pixels, as result files hold them: figures are those that
    the saved files give. `save` is the folder for these files, which get the regions of at least
    the score `save_from`; each is written when its picture is done. `progress` wraps the samples,
    for a progress bar. Pictures are read ahead in a thread of their own.

    Raises InputError for a picture that can't be read, OutputError for a file that can't be
    written.
    """
    detections: list[Detections] = []
    for sample, frame in _read_ahead(progress(dataset)):
        regions = detect(frame)
        outlines = rounded_outlines(regions)
        if save is not None:
            kept = regions.scores >= save_from
            saved = [outline for outline, keep in zip(outlines, kept, strict=True) if keep]
            write_result(save, sample.path, saved, regions.scores[kept])
        detections.append((outlines, regions.scores))
    return detections


def rounded_outlines(regions: TextRegions) -> list[Any]:
    """Return each region's polygon, or its quad where there is none, in whole pixels."""
    polygons = regions.polygons
    outlines = list(regions.quads) if polygons is None else polygons
    return [np.rint(outline) for outline in outlines]


def _read_ahead(samples: Iterable[Sample]) -> Iterator[tuple[Sample, Frame]]:
    """Yield each sample with its picture; the next ones are read meanwhile.

    A picture that can't be read raises when its turn comes.
    """
    waiting: deque[tuple[Sample, Future[Frame]]] = deque()
    with ThreadPoolExecutor(min(READ_AHEAD, os.cpu_count() or 1), "dbrt-read") as pool:
        for sample in samples:
            waiting.append((sample, pool.submit(read_picture, sample.path)))
            if len(waiting) > READ_AHEAD:
                done, frame = waiting.popleft()
                yield done, frame.result()
        while waiting:
            done, frame = waiting.popleft()
            yield done, frame.result()
