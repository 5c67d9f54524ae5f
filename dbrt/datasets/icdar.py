"""ICDAR 2015 annotations: eight numbers and a transcription a line.

D. Karatzas et al., "ICDAR 2015 competition on Robust Reading", ICDAR 2015, challenge 4. The same
form is used by many other sets, and by dbrt's own generator.
"""

from __future__ import annotations

from pathlib import Path

from dbrt.datasets.annotations import malformed, numbered_lines, parse_numbers, to_polygon
from dbrt.datasets.sample import Word

DONT_CARE = "###"

_FORM = "x1,y1,x2,y2,x3,y3,x4,y4,transcription"


def read_icdar(path: Path) -> list[Word]:
    """Return the words of one ICDAR 2015 annotation file.

    A transcription may hold commas; a file may begin with a byte order mark; `###` means don't
    care. A line of eight numbers alone is a word without transcription.

    Raises InputError that names the file and the line.
    """
    words = []
    for number, line in numbered_lines(path):
        fields = line.split(",", 8)
        if len(fields) < 8:
            raise malformed(path, number, line, _FORM)
        polygon = to_polygon(parse_numbers(fields[:8], path, number, _FORM))
        text = fields[8] if len(fields) > 8 else ""
        words.append(Word(polygon, text, care=text != DONT_CARE))
    return words
