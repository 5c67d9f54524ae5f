"""Total-Text annotations in their text form: polygons of words, straight and curved.

C. K. Ch'ng and C. S. Chan, "Total-Text: A Comprehensive Dataset for Scene Text Detection and
Recognition", ICDAR 2017. A record, which may go over several lines, is
`x: [[1 2 3]], y: [[1 2 3]], ornt: [u'c'], transcriptions: [u'text']`; `#` means don't care. The
Matlab form (`.mat`) is not read.
"""

from __future__ import annotations

import re
from pathlib import Path

from dbrt.datasets.annotations import malformed, parse_numbers, read_text, to_polygon
from dbrt.datasets.sample import Word
from dbrt.errors import InputError

DONT_CARE = "#"

_FORM = "x: [[...]], y: [[...]], ornt: [...], transcriptions: [...]"
_START = re.compile(r"^\s*x\s*:", re.MULTILINE)
_RECORD = re.compile(
    r"\s*x\s*:\s*\[\[(?P<x>[^\]]*)\]\]\s*,"
    r"\s*y\s*:\s*\[\[(?P<y>[^\]]*)\]\]\s*,"
    r"\s*ornt\s*:\s*\[[^\]]*\]\s*,"
    r"\s*transcriptions\s*:\s*\[(?P<text>.*)\]\s*",
    re.DOTALL,
)
_QUOTED = re.compile(r"""\s*u?(?P<quote>['"])(?P<text>.*)(?P=quote)\s*""", re.DOTALL)


def read_total_text(path: Path) -> list[Word]:
    """Return the words of one Total-Text annotation file (`.txt`).

    Raises InputError that names the file and the line in which the faulty record begins, or says
    that the Matlab form is not read.
    """
    if path.suffix.lower() == ".mat":
        raise InputError(
            f"{path}: Matlab annotations are not read: take Total-Text's text form "
            f"({path.with_suffix('.txt').name})"
        )
    content = read_text(path)
    starts = [found.start() for found in _START.finditer(content)]
    if content[: starts[0] if starts else None].strip():
        raise malformed(path, 1, content.strip().split("\n")[0], _FORM)
    ends = [*starts[1:], len(content)]
    return [_read_record(content, a, b, path) for a, b in zip(starts, ends, strict=False)]


def _read_record(content: str, start: int, end: int, path: Path) -> Word:
    start += len(content[start:end]) - len(content[start:end].lstrip())
    line = content.count("\n", 0, start) + 1
    record = content[start:end].strip()
    found = _RECORD.fullmatch(record)
    if found is None:
        raise malformed(path, line, record, _FORM)
    xs = parse_numbers(re.findall(r"[^\s,]+", found["x"]), path, line, _FORM)
    ys = parse_numbers(re.findall(r"[^\s,]+", found["y"]), path, line, _FORM)
    if len(xs) != len(ys) or len(xs) < 3:
        raise malformed(path, line, record, f"as many x as y, 3 at least ({len(xs)}, {len(ys)})")
    quoted = _QUOTED.fullmatch(found["text"])
    text = quoted["text"] if quoted else found["text"].strip()
    polygon = to_polygon([value for point in zip(xs, ys, strict=True) for value in point])
    return Word(polygon, text, care=text != DONT_CARE)
