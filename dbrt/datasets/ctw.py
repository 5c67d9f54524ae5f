"""CTW1500 annotations: polygons of curved text lines, in the three forms that are in circulation.

Y. Liu et al., "Curved scene text detection via transverse and longitudinal sequence connection",
Pattern Recognition 90, 2019. The forms:

- text of 32 numbers: a bounding box `xmin,ymin,xmax,ymax`, then 14 points relative to (xmin, ymin);
- text of absolute points and a transcription behind four hashes: `x1,y1,...,x14,y14,####text`;
- XML: `<box><label>text</label><segs>x1,y1,...,x14,y14</segs></box>`, absolute points.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from dbrt.datasets.annotations import (
    malformed,
    numbered_lines,
    parse_numbers,
    read_text,
    to_polygon,
)
from dbrt.datasets.sample import Word
from dbrt.errors import InputError

DONT_CARE = "###"

_BOX_NUMBERS = 32
_TEXT_FORM = "xmin,ymin,xmax,ymax and 14 points relative to them, or points and ####transcription"
_XML_FORM = "a box with <segs>x1,y1,x2,y2,...</segs>"


def read_ctw(path: Path) -> list[Word]:
    """Return the text lines of one CTW1500 annotation file, `.txt` or `.xml`.

    A transcription `###` means don't care; the form of 32 numbers has none.

    Raises InputError that names the file, and the line or the box.
    """
    return _read_xml(path) if path.suffix.lower() == ".xml" else _read_lines(path)


def _read_lines(path: Path) -> list[Word]:
    words = []
    for number, line in numbered_lines(path):
        coordinates, mark, text = line.partition(",####")
        fields = coordinates.split(",")
        count_is_right = (
            len(fields) >= 6 and len(fields) % 2 == 0 if mark else len(fields) == _BOX_NUMBERS
        )
        if not count_is_right:
            raise malformed(path, number, line, _TEXT_FORM)
        polygon = to_polygon(parse_numbers(fields, path, number, _TEXT_FORM))
        if mark:
            words.append(Word(polygon, text, care=text != DONT_CARE))
        else:
            words.append(Word(polygon[2:] + polygon[0]))
    return words


def _read_xml(path: Path) -> list[Word]:
    try:
        root = ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as exc:
        raise InputError(f"{path}, line {exc.position[0]}: this is no well-formed XML") from None
    words = []
    for number, box in enumerate(root.iter("box"), 1):
        fields = (box.findtext("segs") or "").strip().strip(",").split(",")
        if len(fields) < 6 or len(fields) % 2:
            raise malformed(path, None, f"box {number}: {','.join(fields)}", _XML_FORM)
        text = box.findtext("label") or ""
        polygon = to_polygon(parse_numbers(fields, path, None, _XML_FORM))
        words.append(Word(polygon, text, care=text != DONT_CARE))
    return words
