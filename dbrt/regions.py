"""TextRegions: the value that every detector produces and every sink consumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import InputError

Quads = NDArray[np.float32]  # (N, 4, 2) x, y
Scores = NDArray[np.float32]  # (N,) 0..1
Points = NDArray[np.float32]  # (P, 2) x, y
Offsets = NDArray[np.int64]  # (N + 1,)


class Region(NamedTuple):
    """One text instance of a TextRegions.

    quad     (4, 2) float32, pixels, clockwise from the corner with least x + y
    score    0..1
    polygon  (M, 2) float32, pixels, clockwise, or None
    """

    quad: NDArray[np.float32]
    score: float
    polygon: Points | None


@dataclass(frozen=True, eq=False)
class TextRegions:
    """The text found in one frame, sorted top to bottom, then left to right.

    quads            (N, 4, 2) float32, pixels of the frame, clockwise from the corner with least
                     x + y
    scores           (N,) float32, 0..1
    polygon_points   (P, 2) float32, the polygons of all regions one behind the other, or None
    polygon_offsets  (N + 1,) int64, polygon i is points[offsets[i]:offsets[i + 1]], or None
    truncated        True where more regions were found than `max_regions` allowed

    The arrays are made read-only. Equality compares contents.
    """

    quads: Quads
    scores: Scores
    polygon_points: Points | None = None
    polygon_offsets: Offsets | None = None
    truncated: bool = False

    def __post_init__(self) -> None:
        """Check shapes once, fix dtypes, and make the arrays read-only."""
        quads = np.asarray(self.quads, np.float32)
        scores = np.asarray(self.scores, np.float32)
        if quads.ndim != 3 or quads.shape[1:] != (4, 2) or scores.shape != quads.shape[:1]:
            raise ValueError(
                f"quads must be (N, 4, 2) and scores (N,), got {quads.shape} and {scores.shape}"
            )
        if (self.polygon_points is None) != (self.polygon_offsets is None):
            raise ValueError("polygon_points and polygon_offsets come together or not at all")
        object.__setattr__(self, "quads", _read_only(quads))
        object.__setattr__(self, "scores", _read_only(scores))
        if self.polygon_points is not None and self.polygon_offsets is not None:
            points = np.asarray(self.polygon_points, np.float32).reshape(-1, 2)
            offsets = np.asarray(self.polygon_offsets, np.int64)
            if offsets.shape != (len(quads) + 1,) or (len(offsets) and offsets[-1] != len(points)):
                raise ValueError(
                    f"polygon_offsets must be ({len(quads) + 1},) and end at {len(points)}"
                )
            object.__setattr__(self, "polygon_points", _read_only(points))
            object.__setattr__(self, "polygon_offsets", _read_only(offsets))

    @classmethod
    def empty(cls, *, polygons: bool = False) -> TextRegions:
        """No text at all."""
        points = np.empty((0, 2), np.float32) if polygons else None
        offsets = np.zeros(1, np.int64) if polygons else None
        return cls(np.empty((0, 4, 2), np.float32), np.empty(0, np.float32), points, offsets)

    @classmethod
    def of_own(
        cls,
        quads: Quads,
        scores: Scores,
        points: Points | None = None,
        offsets: Offsets | None = None,
    ) -> TextRegions:
        """Regions of arrays that nobody else holds, taken as they are.

        quads, scores, points, offsets  as above, C-contiguous and with memory of their own; made
                                        read-only
        """
        quads.setflags(write=False)
        scores.setflags(write=False)
        regions: TextRegions = object.__new__(cls)
        fields = regions.__dict__  # past what makes the class immutable
        fields["quads"] = quads
        fields["scores"] = scores
        if points is not None and offsets is not None:
            points.setflags(write=False)
            offsets.setflags(write=False)
            fields["polygon_points"] = points
            fields["polygon_offsets"] = offsets
        return regions

    @property
    def polygons(self) -> list[Points] | None:
        """One (M, 2) float32 array for each region, or None where polygons were not asked for."""
        if self.polygon_points is None or self.polygon_offsets is None:
            return None
        return np.split(self.polygon_points, self.polygon_offsets[1:-1]) if len(self) else []

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Region]:
        polygons = self.polygons
        for i in range(len(self)):
            yield Region(
                self.quads[i], float(self.scores[i]), None if polygons is None else polygons[i]
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TextRegions):
            return NotImplemented
        return (
            np.array_equal(self.quads, other.quads)
            and np.array_equal(self.scores, other.scores)
            and _same(self.polygon_points, other.polygon_points)
            and _same(self.polygon_offsets, other.polygon_offsets)
            and self.truncated == other.truncated
        )

    __hash__ = None  # type: ignore[assignment]

    def filter(self, mask: NDArray[np.bool_]) -> TextRegions:
        """Keep the regions where `mask` (N,) bool is true, in the same order."""
        mask = np.asarray(mask, bool)
        if mask.shape != (len(self),):
            raise ValueError(f"mask must be ({len(self)},), got {mask.shape}")
        points, offsets = None, None
        if self.polygon_points is not None and self.polygon_offsets is not None:
            lengths = np.diff(self.polygon_offsets)
            points = self.polygon_points[np.repeat(mask, lengths)]
            offsets = np.concatenate(([0], np.cumsum(lengths[mask]))).astype(np.int64)
        return TextRegions(self.quads[mask], self.scores[mask], points, offsets, self.truncated)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists for JSON: `{"regions": [{"quad", "score"[, "polygon"]}], "truncated"}`.

        Coordinates are rounded to 0.01 px, scores to 0.0001.
        """
        found = []
        for region in self:
            entry: dict[str, Any] = {
                "quad": _rounded(region.quad),
                "score": round(region.score, 4),
            }
            if region.polygon is not None:
                entry["polygon"] = _rounded(region.polygon)
            found.append(entry)
        return {"regions": found, "truncated": self.truncated}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TextRegions:
        """The inverse of `to_dict`.

        Raises InputError where `data` has not that form.
        """
        try:
            found = data["regions"]
            quads = np.array([r["quad"] for r in found], np.float32).reshape(-1, 4, 2)
            scores = np.array([r["score"] for r in found], np.float32)
            points, offsets = None, None
            if any("polygon" in r for r in found):
                pieces = [np.array(r["polygon"], np.float32).reshape(-1, 2) for r in found]
                points = np.concatenate(pieces)
                offsets = np.cumsum([0] + [len(p) for p in pieces]).astype(np.int64)
            return cls(quads, scores, points, offsets, bool(data.get("truncated", False)))
        except (KeyError, TypeError, ValueError) as exc:
            raise InputError(f"these are no text regions: {exc}") from None


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _same(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    return (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))


def _rounded(points: NDArray[np.float32]) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in points]
