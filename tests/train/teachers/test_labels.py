"""A teacher's words become a data set that training reads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.datasets import open_dataset
from dbrt.errors import InputError, OutputError, UsageError
from dbrt.train.config import DataConfig
from dbrt.train.loader import open_sets
from dbrt.train.teachers.labels import find_pictures, write_labels
from dbrt.train.teachers.teacher import Teacher
from dbrt.train.teachers.words import ScoredQuad

QUAD = np.array([[10, 12], [50, 12], [50, 30], [10, 30]], np.float32)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"street {number}.png"), np.zeros((64, 96, 3), np.uint8))
    (folder / "notes.txt").write_text("no picture")
    return folder


def teacher(*scores):
    seen = []

    def find(frame):
        seen.append(frame.shape)
        return [ScoredQuad(QUAD + 4 * i, score) for i, score in enumerate(scores)]

    return Teacher(find, "stub", 0.7, 0.4), seen


def test_sure_words_are_words_and_doubtful_ones_are_not_judged(pictures, tmp_path):
    out = tmp_path / "out"
    opened, _ = teacher(0.93, 0.5, 0.2)
    tally = write_labels(opened, find_pictures(pictures), out, sure=0.7, doubt=0.4)
    assert (tally.pictures, tally.words, tally.dont_care) == (4, 4, 4)
    lines = (out / "gts" / "gt_street 0.txt").read_text().splitlines()
    assert lines == ["10,12,50,12,50,30,10,30,0.93", "14,16,54,16,54,34,14,34,###"]


def test_training_reads_what_was_labelled(pictures, tmp_path):
    out = tmp_path / "out"
    opened, _ = teacher(0.93, 0.5)
    write_labels(opened, find_pictures(pictures), out, sure=0.7, doubt=0.4)
    sets, validation = open_sets(DataConfig(sets=[f"folder:{out}"], weights=[1.0], validation=1))
    assert (len(sets[0]), len(validation)) == (3, 1)
    assert [word.care for word in sets[0][0].words] == [True, False]


def test_a_second_run_passes_over_what_is_labelled(pictures, tmp_path):
    out = tmp_path / "out"
    opened, seen = teacher(0.9)
    found = find_pictures(pictures)
    write_labels(opened, found[:3], out, sure=0.7, doubt=0.4)
    tally = write_labels(opened, found, out, sure=0.7, doubt=0.4)
    assert (tally.pictures, len(seen)) == (1, 4)


def test_a_broken_picture_is_named_and_the_rest_is_labelled(pictures, tmp_path):
    (pictures / "street 1.png").write_bytes(b"no picture")
    opened, _ = teacher(0.9)
    tally = write_labels(opened, find_pictures(pictures), tmp_path / "out", sure=0.7, doubt=0.4)
    assert tally.pictures == 3
    assert len(tally.failures) == 1
    assert "street 1.png" in tally.failures[0]
    assert not (tmp_path / "out" / "images" / "street 1.png").exists()


def test_pictures_without_words_teach_too(pictures, tmp_path):
    out = tmp_path / "out"
    opened, _ = teacher()
    write_labels(opened, find_pictures(pictures), out, sure=0.7, doubt=0.4)
    samples = open_dataset("folder", root=out)
    assert [len(sample.words) for sample in samples] == [0] * 4


def test_a_limit_is_spread_over_the_folder(pictures):
    names = [path.name for path in find_pictures(pictures, 2)]
    assert names == ["street 0.png", "street 2.png"]


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        find_pictures(tmp_path)


def test_an_output_that_is_a_file_is_an_error(pictures, tmp_path):
    (tmp_path / "out").write_text("")
    opened, _ = teacher(0.9)
    with pytest.raises(OutputError, match="out"):
        write_labels(opened, find_pictures(pictures), tmp_path / "out", sure=0.7, doubt=0.4)


def test_dbrts_own_model_is_a_teacher(dbrt_lite_teacher):
    frame = np.full((160, 320, 3), 40, np.uint8)
    cv2.putText(frame, "STREET", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (255,) * 3, 6)
    words = dbrt_lite_teacher.find(frame)
    assert len(words) >= 1
    assert max(word.score for word in words) >= dbrt_lite_teacher.sure
    assert dbrt_lite_teacher.doubt < dbrt_lite_teacher.sure


@pytest.fixture
def dbrt_lite_teacher(tmp_path, monkeypatch):
    from dbrt.engine.modelfile import find_model, read_model_file
    from dbrt.train.teachers.teacher import open_detector

    monkeypatch.setenv("DBRT_CACHE", str(tmp_path))
    return open_detector(read_model_file(find_model("dbrt-lite")), 320)


def test_a_detector_of_lines_is_no_teacher_of_words(tmp_path):
    import dataclasses

    from dbrt.engine.modelfile import find_model, read_model_file
    from dbrt.train.teachers.teacher import open_detector

    model = dataclasses.replace(read_model_file(find_model("dbrt-lite")), unit="line")
    with pytest.raises(UsageError, match="finds lines, not words"):
        open_detector(model, 320)
