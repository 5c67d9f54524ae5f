"""Whole pictures and series of them: the same by seed, and readable as a data set."""

import errno
from pathlib import Path

import numpy as np
import pytest

from dbrt.datasets import Word, open_dataset, read_picture
from dbrt.errors import OutputError
from dbrt.synth.picture import Recipe, draw_picture
from dbrt.synth.series import annotation, write_preview, write_series

SIZE = (320, 240)


@pytest.fixture
def recipe(font):
    return Recipe(SIZE, (font,), cap_px=(10.0, 30.0), blocks=(3, 5))


def test_the_same_seed_and_index_draw_the_same_picture(recipe):
    first, again = draw_picture(recipe, 7, 3), draw_picture(recipe, 7, 3)
    np.testing.assert_array_equal(first.picture, again.picture)
    assert [w.text for w in first.words] == [w.text for w in again.words]
    np.testing.assert_array_equal(
        [w.polygon for w in first.words], [w.polygon for w in again.words]
    )


@pytest.mark.parametrize(("seed", "index"), [(8, 3), (7, 4)], ids=["seed", "index"])
def test_another_seed_or_index_draws_another_picture(recipe, seed, index):
    first, other = draw_picture(recipe, 7, 3), draw_picture(recipe, seed, index)
    assert (first.picture != other.picture).any()


@pytest.mark.parametrize("index", range(6))
def test_words_lie_inside_the_picture_and_do_not_overlap(recipe, index):
    words = draw_picture(recipe, 1, index).words
    assert words
    points = np.stack([w.polygon for w in words])
    assert points.min() >= -1
    assert (points <= np.array(SIZE) + 1).all()
    assert len({w.polygon.tobytes() for w in words}) == len(words)


def test_a_series_does_not_depend_on_the_number_of_workers(recipe, tmp_path):
    write_series(tmp_path / "one", recipe, 3, 5)
    write_series(tmp_path / "two", recipe, 3, 5, workers=2)
    one, two = (
        {p.name: p.read_bytes() for p in sorted((tmp_path / n).rglob("*")) if p.is_file()}
        for n in ("one", "two")
    )
    assert len(one) == 6
    assert one == two


def test_a_series_reads_back_as_a_data_set(recipe, tmp_path):
    done = []
    tally = write_series(tmp_path, recipe, 3, 11, progress=done.append)
    assert done == [1, 2, 3]
    dataset = open_dataset("folder", None, tmp_path)
    read = [word for sample in dataset for word in sample.words]
    drawn = [word for index in (1, 2, 3) for word in draw_picture(recipe, 11, index).words]
    assert [s.path.name for s in dataset] == ["img_1.jpg", "img_2.jpg", "img_3.jpg"]
    assert sum(w.care for w in read) == tally.words
    assert len(read) == tally.words + tally.dont_care == len(drawn)
    assert [w.text for w in read] == [w.text if w.care else "###" for w in drawn]
    np.testing.assert_allclose([w.polygon for w in read], [w.polygon for w in drawn], atol=0.006)
    assert read_picture(dataset[0].path).shape == (SIZE[1], SIZE[0], 3)


def test_a_folder_that_holds_pictures_is_refused(recipe, tmp_path):
    write_series(tmp_path, recipe, 1, 0)
    with pytest.raises(OutputError, match="is not empty"):
        write_series(tmp_path, recipe, 1, 0)


def test_a_path_that_is_a_file_is_refused(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        write_series(tmp_path / "file", recipe, 1, 0)


@pytest.mark.parametrize("part", ["images", "gts"])
def test_a_full_disk_leaves_no_half_picture(recipe, tmp_path, monkeypatch, part):
    whole = Path.write_bytes

    def write(path, data):
        if path.parent.name != part:
            return whole(path, data)
        whole(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OutputError, match="the disk is full: free some space"):
        write_series(tmp_path, recipe, 1, 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_annotations_keep_commas_and_hide_what_does_not_count():
    quad = np.array([[1, 2], [30.5, 2], [30.5, 12.125], [1, 12]], np.float32)
    assert annotation(Word(quad, "1,250")) == "1,2,30.5,2,30.5,12.12,1,12,1,250"
    assert annotation(Word(quad, "faint", care=False)).endswith(",###")


def test_a_preview_is_a_sheet_of_the_first_pictures(recipe, tmp_path):
    write_preview(tmp_path / "sheet.png", recipe, 5, 0)
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (2 * 360, 4 * 480, 3)
    assert sheet[:, :, 1].any()


@pytest.mark.parametrize("name", ["sheet.xyz", "sheet", "none/sheet.png"])
def test_a_preview_that_cannot_be_written_is_an_output_error(recipe, tmp_path, name):
    with pytest.raises(OutputError, match="sheet"):
        write_preview(tmp_path / name, recipe, 1, 0)
