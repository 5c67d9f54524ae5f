"""Which protocol scores which data set, and running a detector over one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dbrt.datasets import Dataset, Sample, Word, read_picture
from dbrt.datasets.pictures import Frame
from dbrt.errors import OutputError, unwritable
from dbrt.evaluation.iou import Detections, evaluate_icdar
from dbrt.evaluation.report import Report
from dbrt.evaluation.results import result_name, write_result
from dbrt.evaluation.rotated import evaluate_msra
from dbrt.regions import TextRegions

Detect = Callable[[Frame], TextRegions]
Progress = Callable[[Iterable[Sample]], Iterable[Sample]]


@dataclass(frozen=True)
class Protocol:
    """How detections on a data set are scored.

    name      for the report
    output    what the detector should return: "quad" or "polygon"
    evaluate  detections, words and a least score to a Report
    """

    name: str
    output: Literal["quad", "polygon"]
    evaluate: Callable[[Sequence[Detections], Sequence[Sequence[Word]], float], Report]


_QUADS = Protocol("IoU of quads (ICDAR 2015)", "quad", evaluate_icdar)
_POLYGONS = Protocol("IoU of polygons", "polygon", evaluate_icdar)
_ROTATED = Protocol("rotated boxes (MSRA-TD500)", "quad", evaluate_msra)

_BY_DATASET = {"ctw1500": _POLYGONS, "total-text": _POLYGONS, "msra-td500": _ROTATED}


def protocol_for(dataset: str) -> Protocol:
    """Return the protocol of a data set by its name; the IoU of quads where it has no own."""
    return _BY_DATASET.get(dataset, _QUADS)


def check_save_folder(folder: Path, dataset: Dataset) -> None:
    """Make the folder for result files, before any work is done.

    Raises OutputError where it can't be made, or where results would be overwritten.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unwritable(folder, exc) from None
    names = (folder / result_name(sample.path) for sample in dataset)
    taken = next((path for path in names if path.exists()), None)
    if taken is not None:
        raise OutputError(f"{taken}: is there already: save to another folder or remove it")


def detect_all(
    dataset: Dataset,
    detect: Detect,
    *,
    save: Path | None = None,
    progress: Progress = iter,
) -> list[Detections]:
    """Run a detector over the pictures of a data set, one by one.

    Coordinates are rounded to whole pixels, as result files hold them: figures are those that
    the saved files give. `save` is the folder for these files; each is written when its picture
    is done. `progress` wraps the samples, for a progress bar.

    Raises InputError for a picture that can't be read, OutputError for a file that can't be
    written.
    """
    detections: list[Detections] = []
    for sample in progress(dataset):
        regions = detect(read_picture(sample.path))
        polygons = regions.polygons
        found = list(regions.quads) if polygons is None else polygons
        rounded = [np.rint(polygon) for polygon in found]
        if save is not None:
            write_result(save, sample.path, rounded, regions.scores)
        detections.append((rounded, regions.scores))
    return detections
