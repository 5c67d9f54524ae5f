"""The sample clip: frames of a drawn street, and the exact quad of every word in each.

`python -m dbrt.synth.sample_clip FOLDER` writes `frame_000.png` ... and `sample.json`;
`tools/make_sample_clip.py` makes the clip of the package from the same frames.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbrt.errors import DbrtError, OutputError, UsageError
from dbrt.synth.camera import Camera, Quad, SeenWord, render, seen_words
from dbrt.synth.street import build_street

FPS = 25
FRAMES = 150
WIDTH, HEIGHT = 1280, 720
CARE_VISIBLE = 0.95  # share of a word that must be seen for a reader to be asked for it
LISTED_VISIBLE = 0.02  # below it the word is not in the frame at all
CARE_HEIGHT_PX = 20.0
LICENCE = "drawn by dbrt's own code (dbrt/synth/sample_clip.py), Apache-2.0; see samples/README.md"


def camera_at(time: float) -> Camera:
    """Place the camera at time 0..1: it walks along the street, comes nearer, turns, rolls."""
    ease = time * time * (3 - 2 * time)
    way = 0.5 * time + 0.5 * ease
    return Camera(
        x=-5.0 + 10.2 * way,
        y=2.35 + 0.06 * float(np.sin(2 * np.pi * 1.5 * time)),
        z=-11.9 + 1.5 * ease,
        yaw=6.0 - 10.5 * ease,
        pitch=2.6 + 0.25 * float(np.sin(2 * np.pi * time)),
        roll=-1.4 * float(np.cos(np.pi * time)),
        focal=0.8,
    )


def van_at(time: float) -> float:
    """Return where the van's left end is, in metres, at time 0..1 of the clip."""
    return -15.5 + 23.0 * time


def truth_of(words: list[SeenWord], index: int) -> dict[str, Any]:
    """One frame's entry of sample.json: words with any part in sight, quads not cut off."""
    entries = [
        {
            "quad": [[round(float(x), 2), round(float(y), 2)] for x, y in word.quad],
            "text": word.text,
            "care": word.visible >= CARE_VISIBLE and _height(word.quad) >= CARE_HEIGHT_PX,
        }
        for word in words
        if word.visible >= LISTED_VISIBLE
    ]
    return {"frame": index, "words": entries}


def _height(quad: Quad) -> float:
    """Return the mean length of the left and right sides, pixels."""
    return float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2


def _vignette() -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    return np.asarray(1.02 - 0.13 * (x * x + y * y), np.float32)[..., None]


def clip(count: int = FRAMES) -> Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]:
    """Yield the first `count` frames, (720, 1280, 3) uint8 BGR, each with its truth."""
    street, lens = build_street(), _vignette()
    for index in range(count):
        time = index / (FRAMES - 1)
        panels, camera = street.panels(van_at(time)), camera_at(time)
        frame = render(panels, camera, (HEIGHT, WIDTH)).astype(np.float32) * lens
        words = seen_words(panels, camera, (HEIGHT, WIDTH))
        yield np.clip(frame, 0, 255).astype(np.uint8), truth_of(words, index)


def header() -> dict[str, Any]:
    """Return what stands in sample.json before the frames."""
    return {
        "schema": "dbrt.sample-truth/1",
        "clip": "sample.mp4",
        "fps": FPS,
        "size": [WIDTH, HEIGHT],
        "licence": LICENCE,
        "note": "quads are words, clockwise from their own top left, pixels of the frame, not cut "
        "at its border; care is false where less than 95 % of the word can be seen",
    }


def write_truth(path: Path, frames: list[dict[str, Any]]) -> None:
    """Write sample.json, a line for each frame."""
    head = json.dumps(header(), indent=1)[:-2]
    lines = ",\n".join(json.dumps(frame, separators=(",", ":")) for frame in frames)
    path.write_text(f'{head},\n "frames": [\n{lines}\n]}}\n', encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write every frame as PNG, and the truth, into a folder."""
    if len(arguments) != 1:
        raise UsageError("python -m dbrt.synth.sample_clip FOLDER")
    folder, truths = Path(arguments[0]), []
    folder.mkdir(parents=True, exist_ok=True)
    for frame, truth in clip():
        path = folder / f"frame_{truth['frame']:03d}.png"
        if not cv2.imwrite(str(path), frame):
            raise OutputError(f"cannot write {path}")
        truths.append(truth)
    write_truth(folder / "sample.json", truths)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DbrtError as error:
        sys.exit(f"dbrt: {error}")
