"""A data set of three pictures, and detections on it that are right, missing, false and beside."""

import cv2
import numpy as np
import pytest

from dbrt.datasets import open_dataset
from dbrt.evaluation.run import score_folder

WORD = "10,20,50,20,50,30,10,30"
OTHER = "60,20,90,20,90,30,60,30"
BLURRED = "10,40,50,40,50,50,10,50"
NOTHING = "70,45,95,45,95,58,70,58"


@pytest.fixture
def dataset(tmp_path):
    """a: two words, one of them with a name that HTML must escape; b: one, and don't care; c: none.

    A white bar stands where a word is.
    """
    root = tmp_path / "mine"
    truths = {
        "a": f"{WORD},<one>\n{OTHER},two\n",
        "b": f"{WORD},one\n{BLURRED},###\n",
        "c": "",
    }
    for name in ("images", "gts"):
        (root / name).mkdir(parents=True)
    for stem, truth in truths.items():
        picture = np.zeros((60, 100, 3), np.uint8)
        for line in truth.splitlines():
            x, y, right, _, _, bottom, _, _ = map(int, line.split(",")[:8])
            picture[y:bottom, x:right] = 255
        cv2.imwrite(str(root / f"images/{stem}.png"), picture)
        (root / f"gts/gt_{stem}.txt").write_text(truth)
    return open_dataset("folder", root=root)


@pytest.fixture
def score(dataset, tmp_path):
    """Score detections, written as {stem: lines}, of which a picture without any has none."""

    def score_results(name, results, **options):
        folder = tmp_path / name
        folder.mkdir()
        for sample in dataset:
            stem = sample.path.stem
            (folder / f"res_{stem}.txt").write_text(results.get(stem, ""))
        return score_folder(dataset, folder, **options)[0]

    return score_results


@pytest.fixture
def entry(score):
    """One word of a found, the other missed; all of b found, and don't care; one false on c."""
    results = {
        "a": f"{WORD},0.9\n",
        "b": f"{WORD},0.8\n{BLURRED},0.7\n",
        "c": f"{NOTHING},0.3\n",
    }
    return score("some", results)
