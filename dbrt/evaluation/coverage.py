"""How much of the text is covered, where truth is lines and a detector finds words.

One-to-one matching calls a line missed when its three words were found: the figures here ask only
whether text lies under detections, and detections on text. They are dbrt's own, no benchmark's:
they say nothing of whether words and lines were told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyclipper
from numpy.typing import NDArray

from dbrt.datasets import Word
from dbrt.evaluation.matching import Detections
from dbrt.evaluation.overlap import polygon_area

MIN_SHARE = 0.5  # of an area, above which it counts as covered

_UNITS = 64  # pyclipper's integers to a pixel

_Path = list[tuple[int, int]]
_Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """Shares of areas, added up over pictures.

    lines          text instances that count
    covered        those of which more than half lies under detections, taken together
    covered_area   share of the lines' area under detections, 0..1
    detections     detections
    on_text        those of which more than half lies on text, don't-care text included
    """

    lines: int
    covered: int
    covered_area: float
    detections: int
    on_text: int

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON; shares rounded to 0.000001."""
        return {
            "lines": self.lines,
            "lines_covered": round(self.covered / self.lines if self.lines else 0.0, 6),
            "area_covered": round(self.covered_area, 6),
            "detections_on_text": round(
                self.on_text / self.detections if self.detections else 0.0, 6
            ),
        }


def cover(
    detections: Sequence[Detections], words: Sequence[Sequence[Word]], min_score: float = -np.inf
) -> Coverage:
    """Measure how far detections cover the text of many pictures.

    Arguments as for `evaluate_icdar`.
    """
    lines, areas, on_text = [], [], []
    for (polygons, scores), truth in zip(detections, words, strict=True):
        kept = [p for i, p in enumerate(polygons) if scores is None or scores[i] >= min_score]
        care = [word.polygon for word in truth if word.care]
        lines.append(_shares(care, kept))
        areas.append(np.array([polygon_area(polygon) for polygon in care]))
        on_text.append(_shares(kept, [word.polygon for word in truth]))
    share, area, on = (np.concatenate([*parts, []]) for parts in (lines, areas, on_text))
    return Coverage(
        lines=len(share),
        covered=int((share > MIN_SHARE).sum()),
        covered_area=float((share * area).sum() / area.sum()) if area.sum() else 0.0,
        detections=len(on),
        on_text=int((on > MIN_SHARE).sum()),
    )


def _shares(
    shapes: Iterable[NDArray[np.float32]], covers: Iterable[NDArray[np.float32]]
) -> _Shares:
    """Return for each shape (N,) float64 the share of its area under all covers together, 0..1."""
    paths = [path for path in map(_path, covers) if path]
    return np.array([_share(_path(shape), paths) for shape in shapes], np.float64)


def _share(path: _Path, covers: Sequence[_Path]) -> float:
    if not path or not covers:
        return 0.0
    clipper = pyclipper.Pyclipper()
    clipper.AddPath(path, pyclipper.PT_SUBJECT, True)
    clipper.AddPaths(covers, pyclipper.PT_CLIP, True)
    rule = pyclipper.PFT_NONZERO  # what two covers share is covered once
    shared = clipper.Execute(pyclipper.CT_INTERSECTION, rule, rule)
    area = float(sum(map(pyclipper.Area, shared)))  # holes have areas below zero
    return min(area / float(pyclipper.Area(path)), 1.0)


def _path(polygon: NDArray[np.float32]) -> _Path:
    """Return a polygon in pyclipper's integers, of positive orientation; empty without an area."""
    path = [(round(float(x) * _UNITS), round(float(y) * _UNITS)) for x, y in polygon]
    area = pyclipper.Area(path)
    return [] if area == 0 else path if area > 0 else path[::-1]
