"""The worst pictures of an evaluation as one HTML page that needs nothing else.

Pictures are inside the page, outlines are drawn over them by the browser, so that each kind can be
switched off and a pointer tells the text or the score. No script, no network.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.datasets import read_picture
from dbrt.errors import OutputError, unwritable
from dbrt.evaluation.entry import Entry
from dbrt.evaluation.gallery_page import FIGURE, KINDS, LEGEND, PAGE, SWITCH
from dbrt.evaluation.whole_file import write_whole
from dbrt.wording import counted

WORST = 60  # pictures: 7.8 MB of ICDAR 2015's
MAX_SIDE = 1280  # pixels of a picture in the page
JPEG_QUALITY = 80

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Outline:
    """One polygon of a picture.

    kind     a key of KINDS
    polygon  (M, 2), pixels of the picture
    title    what a pointer over it tells
    """

    kind: str
    polygon: NDArray[np.float32]
    title: str


def worst(entry: Entry, count: int = WORST) -> list[int]:
    """Return the indices of the pictures with the lowest H-mean, most errors first among equals.

    Pictures without an error are left out.
    """
    order = sorted(
        (i for i, tally in enumerate(entry.tallies) if tally.errors),
        key=lambda i: (entry.tallies[i].hmean, -entry.tallies[i].errors),
    )
    return order[:count]


def outlines(entry: Entry, index: int) -> list[Outline]:
    """Return what one picture's truth and detections came to, what matters most last."""
    comparison = entry.comparisons[index]
    polygons, scores = entry.detections[index]
    matches = dict(comparison.matches(entry.min_score).tolist())
    matched = set(matches.values())
    drawn = []
    for i, word in enumerate(entry.dataset[index].words):
        kind = "ignored" if not word.care else "truth" if i in matches else "missed"
        drawn.append(Outline(kind, word.polygon, word.text))
    for i, polygon in enumerate(polygons):
        if comparison.scores[i] < entry.min_score:
            continue
        kind = "found" if i in matched else "false" if comparison.counts[i] else "beside"
        title = "" if scores is None else f"score {scores[i]:.2f}"
        drawn.append(Outline(kind, np.asarray(polygon, np.float32), title))
    order = list(KINDS)
    return sorted(drawn, key=lambda outline: order.index(outline.kind))


def write_gallery(
    entry: Entry, folder: Path, *, count: int = WORST, progress: Progress = iter
) -> Path:
    """Write `index.html` with the `count` worst pictures into a folder, which it makes.

    Raises InputError for a picture that can't be read, OutputError where the page can't be written.
    """
    indices = worst(entry, count)
    figures = [_figure(entry, index) for index in progress(indices)]
    report, dataset = entry.report, entry.dataset
    totals = {kind: 0 for kind in KINDS}
    for index in range(len(dataset)):
        for outline in outlines(entry, index):
            totals[outline.kind] += 1
    page = PAGE.substitute(
        title=html.escape(f"{entry.label} on {dataset.name} {dataset.split or ''}".strip()),
        summary=html.escape(
            f"{entry.protocol.name}: precision {report.precision:.4f}, recall {report.recall:.4f}, "
            f"H-mean {report.hmean:.4f} over {counted(report.images, 'picture')}. "
            + _what_is_shown(entry, len(indices))
        ),
        switches="\n".join(
            SWITCH.substitute(kind=kind, text=KINDS[kind], count=totals[kind]) for kind in LEGEND
        ),
        figures="\n".join(figures),
    )
    path = folder / "index.html"
    write_whole(path, page.encode("utf-8"))
    return path


def check_gallery(folder: Path, *, overwrite: bool = False) -> None:
    """Make the folder, before any work is done.

    Raises OutputError where it can't be made, or holds a page that must not be replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unwritable(folder, exc) from None
    if (folder / "index.html").exists() and not overwrite:
        raise OutputError(
            f"{folder / 'index.html'}: is there already: write elsewhere or give --overwrite"
        )


def _what_is_shown(entry: Entry, shown: int) -> str:
    wrong = sum(tally.errors > 0 for tally in entry.tallies)
    if not wrong:
        return "No picture has an error."
    which = f"all {wrong}" if shown == wrong else f"the {shown} worst of {wrong}"
    return f"Below: {which} with an error, lowest H-mean first."


def _figure(entry: Entry, index: int) -> str:
    path = entry.dataset[index].path
    frame = read_picture(path)
    height, width = frame.shape[:2]
    drawn = outlines(entry, index)
    tally = entry.tallies[index]
    count = {kind: sum(outline.kind == kind for outline in drawn) for kind in KINDS}
    return FIGURE.substitute(
        name=html.escape(path.name),
        figures=html.escape(
            f"H-mean {tally.hmean:.2f}: {count['found']} found, {count['missed']} missed, "
            f"{count['false']} false"
        ),
        width=width,
        height=height,
        data=_embedded(frame),
        polygons="\n".join(map(_polygon, drawn)),
    )


def _polygon(outline: Outline) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline.polygon)
    title = html.escape(" ".join(part for part in (outline.kind, outline.title) if part))
    return f'<polygon class="{outline.kind}" points="{points}"><title>{title}</title></polygon>'


def _embedded(frame: NDArray[np.uint8]) -> str:
    """Return a frame (H, W, 3) as a data address: JPEG, at most MAX_SIDE pixels long."""
    scale = MAX_SIDE / max(frame.shape)
    if scale < 1:
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
