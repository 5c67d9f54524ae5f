"""Result files: written as the competition wants them, read back, and refused by line."""

import errno
from pathlib import Path

import numpy as np
import pytest

from dbrt.errors import InputError, OutputError
from dbrt.evaluation import read_results, write_result
from dbrt.evaluation.results import read_result

QUADS = np.array([[(1.4, 2), (30.6, 2), (30, 12), (1, 12)]], np.float32)
PICTURE = Path("images/img_7.jpg")


def test_a_result_is_whole_pixels_and_a_score(tmp_path):
    path = write_result(tmp_path / "new", PICTURE, QUADS, np.float32([0.71238]))
    assert path.name == "res_img_7.txt"
    assert path.read_bytes() == b"1,2,31,2,30,12,1,12,0.7124\n"


def test_what_is_written_is_read_back(tmp_path):
    write_result(tmp_path, PICTURE, QUADS, np.float32([0.5]))
    ((polygons, scores),), missing = read_results(tmp_path, [PICTURE])
    np.testing.assert_array_equal(polygons, np.rint(QUADS))
    np.testing.assert_array_equal(scores, np.float32([0.5]))
    assert missing == 0


def test_polygons_of_any_length_are_written_and_read(tmp_path):
    polygons = [np.arange(12, dtype=np.float32).reshape(6, 2), np.float32([[0, 0], [5, 0], [5, 5]])]
    path = write_result(tmp_path, PICTURE, polygons, np.float32([0.5, 0.25]))
    found, scores = read_result(path)
    assert [len(p) for p in found] == [6, 3]
    assert scores.tolist() == [0.5, 0.25]


def test_eight_numbers_have_no_score(tmp_path):
    path = tmp_path / "res_img_7.txt"
    path.write_text("1,2,3,2,3,4,1,4\r\n5,5,9,5,9,8,5,8\r\n")
    polygons, scores = read_result(path)
    assert len(polygons) == 2
    assert scores is None


def test_an_empty_file_is_a_picture_without_detections(tmp_path):
    path = tmp_path / "res_img_7.txt"
    path.write_text("")
    polygons, scores = read_result(path)
    assert (polygons, len(scores)) == ([], 0)


@pytest.mark.parametrize("line", ["1,2,3,4", "1,2,3,4,5,6,7,eight", "1 2 3 4 5 6 7 8", "a"])
def test_a_malformed_line_is_named(tmp_path, line):
    path = tmp_path / "res_img_7.txt"
    path.write_text(f"1,2,3,2,3,4,1,4\n{line}\n")
    with pytest.raises(InputError, match=r"res_img_7\.txt, line 2"):
        read_result(path)


def test_pictures_without_a_file_are_counted(tmp_path):
    write_result(tmp_path, PICTURE, QUADS, np.float32([0.5]))
    detections, missing = read_results(tmp_path, [PICTURE, Path("img_8.jpg")])
    assert [len(polygons) for polygons, _ in detections] == [1, 0]
    assert missing == 1


def test_a_folder_of_other_things_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no res_img_7\.txt"):
        read_results(tmp_path, [PICTURE])


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_results(tmp_path / "nowhere", [PICTURE])


def test_a_result_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="can't be written"):
        write_result(tmp_path / "taken", PICTURE, QUADS, np.float32([0.5]))


def test_a_full_disk_leaves_no_half_result(tmp_path, monkeypatch):
    def write_half(path, text, **_options):
        path.write_bytes(text.encode()[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OutputError, match="the disk is full: free some space"):
        write_result(tmp_path, PICTURE, QUADS, np.float32([0.5]))
    assert list(tmp_path.iterdir()) == []
