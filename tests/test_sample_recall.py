"""The shipped model on the sample clip: nine words in ten are found."""

import json
from importlib.resources import as_file, files

import cv2
import numpy as np
import pytest

from dbrt.datasets import Word

MODEL = files("dbrt") / "models" / "dbrt-lite.onnx"
LEAST_RECALL = 0.9
STEP = 15  # every so many frames are looked at

pytestmark = pytest.mark.skipif(not MODEL.is_file(), reason="dbrt/models/dbrt-lite.onnx is missing")


def frames_and_words():
    """Every STEP-th frame of the clip and its words."""
    truth = json.loads((files("dbrt") / "samples" / "sample.json").read_text(encoding="utf-8"))
    frames, words = [], []
    with as_file(files("dbrt") / "samples" / "sample.mp4") as path:
        capture = cv2.VideoCapture(str(path))
        for index, entry in enumerate(truth["frames"]):
            frame = capture.read()[1]
            if index % STEP == 0:
                frames.append(frame)
                words.append(
                    [Word(np.float32(w["quad"]), w["text"], w["care"]) for w in entry["words"]]
                )
    return frames, words


@pytest.mark.slow
def test_the_shipped_model_finds_nine_words_in_ten_of_the_sample_clip():
    from dbrt import TextDetector
    from dbrt.evaluation import evaluate_icdar

    frames, words = frames_and_words()
    with TextDetector(model="dbrt-lite", size=736) as detector:
        regions = [detector(frame) for frame in frames]
    report = evaluate_icdar([(found.quads, found.scores) for found in regions], words)
    assert report.care > 100
    assert report.matched / report.care >= LEAST_RECALL
