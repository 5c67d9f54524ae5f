"""Series of pictures on disk: readable as a data set, the same with any number of workers."""

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbrt.datasets import Word, open_dataset, read_picture
from dbrt.datasets.icdar import read_icdar
from dbrt.errors import OutputError
from dbrt.synth.picture import Recipe, draw_picture
from dbrt.synth.preview import write_preview
from dbrt.synth.series import draw_series, polygon_line, quad_line, quad_of, write_series

SIZE = (320, 240)


@pytest.fixture
def recipe(book):
    return Recipe((SIZE,), book, cap_px=(10.0, 40.0))


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_series_does_not_depend_on_the_number_of_workers(recipe, tmp_path):
    write_series(tmp_path / "one", recipe, 5, 5)
    write_series(tmp_path / "two", recipe, 5, 5, workers=2)
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert len(one) == 3 * 5 + 1
    assert one == two


def test_a_series_reads_back_as_a_data_set(recipe, tmp_path):
    tallies = list(draw_series(tmp_path, recipe, 6, 12))
    assert [t.pictures for t in tallies] == [1, 2, 3, 4, 5, 6]
    dataset = open_dataset("folder", None, tmp_path)
    read = [word for sample in dataset for word in sample.words]
    drawn = [word for index in range(1, 7) for word in draw_picture(recipe, 12, index).words]
    assert [s.path.name for s in dataset] == [f"img_{n}.jpg" for n in range(1, 7)]
    assert sum(w.care for w in read) == tallies[-1].labels
    assert len(read) == tallies[-1].labels + tallies[-1].dont_care == len(drawn)
    assert [w.text if w.care else "###" for w in drawn] == [
        w.text if w.care else "###" for w in read
    ]
    assert any(len(w.polygon) > 4 for w in read)
    for one, other in zip(read, drawn, strict=True):
        np.testing.assert_allclose(one.polygon, other.polygon, atol=0.006)
    assert read_picture(dataset[0].path).shape == (SIZE[1], SIZE[0], 3)


def test_quads_stand_for_the_same_words_as_the_polygons(recipe, tmp_path):
    write_series(tmp_path, recipe, 6, 12)
    polygons = [w for s in open_dataset("folder", None, tmp_path) for w in s.words]
    quads = [w for n in range(1, 7) for w in read_icdar(tmp_path / f"gts/gt_img_{n}.txt")]
    assert [w.care for w in quads] == [w.care for w in polygons]
    for quad, polygon in zip(quads, polygons, strict=True):
        assert quad.polygon.shape == (4, 2)
        assert cv2.contourArea(quad.polygon, oriented=True) > 0
        centre = quad.polygon.mean(axis=0)
        for point in polygon.polygon:
            inside = cv2.pointPolygonTest(
                quad.polygon, (point * 0.98 + centre * 0.02).tolist(), False
            )
            assert inside >= 0


def test_a_list_of_licences_lies_beside_the_pictures(recipe, font, tmp_path):
    write_series(tmp_path, recipe, 1, 0)
    text = (tmp_path / "LICENCES.txt").read_text()
    assert font.name in text
    assert str(font.parent) in text


@pytest.mark.parametrize("part", ["images", "gts", "polygons"])
def test_a_folder_that_holds_something_is_refused(recipe, tmp_path, part):
    (tmp_path / part).mkdir()
    (tmp_path / part / "mine").write_text("")
    with pytest.raises(OutputError, match=f"{part} is not empty"):
        write_series(tmp_path, recipe, 1, 0)
    assert not (tmp_path / "images/img_1.jpg").exists()


def test_a_path_that_is_a_file_is_refused(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        write_series(tmp_path / "file", recipe, 1, 0)


@pytest.mark.parametrize("part", ["images", "gts", "polygons"])
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
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["LICENCES.txt"]


def test_a_full_disk_leaves_no_half_list_of_licences(recipe, tmp_path, monkeypatch):
    def write(path, text, *_):
        path.write_bytes(text[:9].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(OutputError, match="the disk is full"):
        write_series(tmp_path, recipe, 1, 0)
    assert files_of(tmp_path) == {}


QUAD = np.array([[1, 2], [30.5, 2], [30.5, 12.125], [1, 12]], np.float32)
BENT = np.array([[0, 8], [20, 0], [40, 8], [36, 18], [20, 11], [4, 18]], np.float32)


def test_quad_lines_keep_commas_and_hide_what_does_not_count():
    assert quad_line(Word(QUAD, "1,250")) == "1,2,30.5,2,30.5,12.12,1,12,1,250"
    assert quad_line(Word(QUAD, "faint", care=False)).endswith(",###")


def test_polygon_lines_are_total_texts_records():
    expected = "x: [[1 30.5 30.5 1]], y: [[2 2 12.12 12]], ornt: [u'm'], transcriptions: [u'1,250']"
    assert polygon_line(Word(QUAD, "1,250")) == expected
    assert "ornt: [u'c'], transcriptions: [u\"it's\"]" in polygon_line(Word(BENT, "it's"))
    assert polygon_line(Word(BENT, "x", care=False)).endswith(
        "ornt: [u'#'], transcriptions: [u'#']"
    )


def test_the_quad_of_a_bent_word_holds_it_and_begins_at_its_start():
    quad = quad_of(BENT)
    assert quad.shape == (4, 2)
    assert cv2.contourArea(quad, oriented=True) > 0
    np.testing.assert_allclose(quad[0], (0, 0), atol=1e-3)
    assert all(cv2.pointPolygonTest(quad, p.tolist(), True) >= -1e-3 for p in BENT)


def test_a_preview_is_a_sheet_of_the_first_pictures(recipe, tmp_path):
    write_preview(tmp_path / "sheet.png", recipe, 5, 0)
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (2 * 480, 4 * 480, 3)
    assert ((sheet[..., 1] > 200) & (sheet[..., 0] < 90) & (sheet[..., 2] < 90)).sum() > 100


@pytest.mark.parametrize("name", ["sheet.xyz", "sheet", "none/sheet.png"])
def test_a_preview_that_cannot_be_written_is_an_output_error(recipe, tmp_path, name):
    with pytest.raises(OutputError, match="sheet"):
        write_preview(tmp_path / name, recipe, 1, 0)
