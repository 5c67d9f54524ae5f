"""PictureResult: the text found in one picture, and how it reads as JSON, CSV and ICDAR text."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbrt.regions import TextRegions

SCHEMA = "dbrt.detect.picture/1"

CSV_HEADER = "path,region,score,x1,y1,x2,y2,x3,y3,x4,y4,polygon\n"


@dataclass(frozen=True)
class PictureResult:
    """The regions of one picture.

    path           as it was given or found
    height, width  pixels, upright as EXIF says
    times_ms       duration of each stage
    """

    path: Path
    height: int
    width: int
    regions: TextRegions
    times_ms: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; coordinates are pixels of the picture."""
        return {
            "schema": SCHEMA,
            "path": str(self.path),
            "width": self.width,
            "height": self.height,
            **self.regions.to_dict(),
            "times_ms": {name: round(value, 3) for name, value in self.times_ms.items()},
        }

    def json_line(self) -> bytes:
        """One line of JSON in ASCII, which names that are no valid Unicode survive."""
        return json.dumps(self.to_dict(), allow_nan=False).encode("ascii") + b"\n"

    def csv_lines(self) -> bytes:
        """One line of CSV in UTF-8 for each region, columns as CSV_HEADER names them.

        A polygon is one field: x and y of each point, separated by blanks.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for i, region in enumerate(self.regions.to_dict()["regions"]):
            quad = [value for point in region["quad"] for value in point]
            polygon = " ".join(f"{x} {y}" for x, y in region.get("polygon", []))
            writer.writerow([self.path, i, region["score"], *quad, polygon])
        return text.getvalue().encode("utf-8", "backslashreplace")
